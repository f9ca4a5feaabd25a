"""What a PDU that came in at the MM1 door is, and whether the door takes it (mm1.md 4, steps 6 to 9).

Rule 1: no I/O. Rule 2: refused is what lacks a header that the standard makes mandatory, and no more (mm1.md 1): versions, bodies, dates
and repeated headers are the carrier's to judge. Rule 3: the octets are only read; what goes on is what came.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mmsproxy.carrier.attempt import Awaited
from mmsproxy.carrier.headers import Header
from mmsproxy.carrier.line import Line
from mmsproxy.errors import PduError
from mmsproxy.pdu_schema import HEADER_BY_ATTR, PDUS, Direction, PduDef
from mmsproxy.wap_numbers import MessageType
from mmsproxy.web import mm1_answers as answers
from mmsproxy.web.mm1_answers import Head, Reply
from mmsproxy.wire import mms_pdu

SERVED: dict[int, Awaited] = {
    MessageType.M_SEND_REQ: Awaited.SEND_CONF,
    MessageType.M_FORWARD_REQ: Awaited.FORWARD_CONF,
    MessageType.M_NOTIFYRESP_IND: Awaited.NOTHING,
    MessageType.M_ACKNOWLEDGE_IND: Awaited.NOTHING,
    MessageType.M_READ_REC_IND: Awaited.NOTHING,
}
KNOWN: dict[int, PduDef] = {row.number: row for row in PDUS}  # also asked with octets that are no PDU's number
ADDRESS_FIELDS = ("to", "cc", "bcc")
_SEPARATORS = re.compile(r"[ ()-]+")  # what people write between digits; no point, since 10.0.0.1 is an address too


@dataclass(frozen=True, slots=True)
class Intake:
    """A PDU that may go to the carrier: what an answer needs of it, what decides its attempt, and what policy and people look at.

    transaction_id  as text
    recipients      of To, Cc and Bcc, each once: numbers as they are dialled, mail addresses; one that cannot be read is there too
    """

    head: Head
    awaited: Awaited
    transaction_id: str | None
    recipients: tuple[str, ...] = ()
    subject: str | None = None
    delivery_report: bool = False
    read_report: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """A PDU that passed the checks, with what is needed to send it and to answer.

    client   the address that it came from; headers  those of its fields that may go on to the carrier
    ref      names these octets of this client where there is no message: the same for each POST of them
    """

    client: str
    ref: str
    intake: Intake
    line: Line
    pdu: bytes
    headers: tuple[Header, ...]
    user_agent: str


def ref_of(client: str, pdu: bytes) -> str:
    """So that a log shows retries as what they are."""
    return "pdu_" + hashlib.sha256(client.encode("utf-8", "replace") + b"\0" + pdu).hexdigest()[:16]


def take_in(pdu: bytes, message_id: str, *, max_size: int | None) -> Intake | Reply:
    """The PDU, or the answer that refuses it. `max_size` in octets is the carrier's limit, None for no known one."""
    if not pdu:
        return answers.plain(400, "the body is empty; post an MMS PDU")
    head = answers.head_of(pdu)
    if head is None:
        return answers.plain(400, answers.with_id(f"not an MMS PDU: it begins with {pdu[:2].hex()}, not with 8c", message_id))
    try:
        decoded = mms_pdu.decode(pdu)
    except PduError as error:
        return _malformed(head, f"malformed MMS PDU: {error.rule} at octet {error.offset}", message_id)
    awaited = SERVED.get(head.kind)
    if awaited is None:
        return answers.plain(403, answers.with_id(_not_served(head.kind), message_id))
    if missing := tuple(_missing(decoded, head.kind)):
        return _malformed(head, f"malformed {KNOWN[head.kind].name}: no {', no '.join(missing)}", message_id)
    if max_size is not None and len(pdu) > max_size:
        text = answers.with_id(f"too large for the carrier: at most {max_size} bytes, this has {len(pdu)}", message_id)
        return answers.refusal(head, 413, answers.PERMANENT_FAILURE, text)
    return _intake(head, awaited, decoded)


def _intake(head: Head, awaited: Awaited, decoded: mms_pdu.Pdu) -> Intake:
    if not isinstance(decoded, mms_pdu.SendReq | mms_pdu.ForwardReq):
        return Intake(head, awaited, decoded.transaction_id)
    return Intake(
        head,
        awaited,
        decoded.transaction_id,
        tuple(dict.fromkeys(_recipients(decoded))),
        str(decoded.subject) if isinstance(decoded, mms_pdu.SendReq) and decoded.subject is not None else None,
        decoded.delivery_report is True,
        decoded.read_report is True,
    )


def _recipients(decoded: mms_pdu.SendReq | mms_pdu.ForwardReq) -> Iterator[str]:
    """A field that the codec could not read still reaches the carrier, so it counts, as something that no policy takes for a number."""
    for attr in ADDRESS_FIELDS:
        yield from (dialled(address.text) for address in getattr(decoded, attr) if address.text)
        yield from ("?" for header in decoded.extra if header.key == HEADER_BY_ATTR[attr].number)


def dialled(address: str) -> str:
    """The address without /TYPE=, a number without what people write between its digits (OMA-TS-MMS_ENC 8)."""
    bare = re.split(r"/TYPE=", address, maxsplit=1, flags=re.IGNORECASE)[0].strip()
    joined = _SEPARATORS.sub("", bare)
    return joined if re.fullmatch(r"\+?[0-9*#]+", joined) else bare


def _malformed(head: Head, cause: str, message_id: str) -> Reply:
    return answers.refusal(head, 400, answers.FORMAT_CORRUPT, answers.with_id(cause, message_id))


def _not_served(kind: int) -> str:
    known = KNOWN.get(kind)
    if known is None:
        return f"PDU type 0x{kind:02X} is not served here"
    if known.direction is Direction.TO_MMSC:
        return f"{known.name} is not served here"
    return f"{known.name} is not taken: only an MMSC sends it"


def _missing(decoded: mms_pdu.Pdu, kind: int) -> Iterator[str]:
    """The names of mandatory headers that are not there (mms.md 3). One that is there but not readable is the carrier's to judge."""
    row = KNOWN[kind]
    unreadable = {header.key for header in decoded.extra}
    for attr in row.mandatory:
        if getattr(decoded, attr) is None and HEADER_BY_ATTR[attr].number not in unreadable:
            yield HEADER_BY_ATTR[attr].name
    present = (address for attr in row.any_of for address in getattr(decoded, attr))
    if row.any_of and not any(address.text for address in present):
        yield " or ".join(HEADER_BY_ATTR[attr].name for attr in row.any_of)

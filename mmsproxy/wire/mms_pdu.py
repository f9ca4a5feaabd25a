"""MMS PDUs: bytes <-> typed objects. This is the codec's public face.

    from mmsproxy.wire import mms_pdu
    from mmsproxy.wire.mms_pdu import Address, ContentType, Part, SendReq, Text

    pdu = SendReq(
        transaction_id="T1",
        to=(Address.parse("+15551230000"),),
        subject=Text("hi"),
        content_type=ContentType("application/vnd.wap.multipart.related", type="application/smil", start="<smil>"),
        parts=(
            Part(ContentType("application/smil", charset=106), b"<smil/>", content_id="<smil>", content_location="s.smil"),
            Part(ContentType("text/plain", charset=106), b"hello", content_id="<t>", content_location="t.txt"),
        ),
    )
    octets = mms_pdu.encode(pdu)
    mms_pdu.decode(octets) == pdu                          # True
    mms_pdu.encode(mms_pdu.decode(b).replace(subject=Text("x")))   # every other header keeps its octets and its place

Law: `decode` and `encode` raise PduError and nothing else; `encode(decode(b)) == b` for every b that decode accepts; decode is lenient
and lists what it let pass in `Pdu.warnings`, `strict=True` refuses it. Part data are views into the octets given: keep them unchanged.
Knows nothing of transport, storage or what a message means to people.
"""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Iterable, Iterator
from typing import Any

from construct import Construct

from mmsproxy.errors import PduError
from mmsproxy.pdu_schema import PART_GRAMMARS, PDU_BY_NUMBER
from mmsproxy.wap_numbers import (
    CancelStatus,
    ContentClass,
    FromToken,
    MboxToken,
    MessageClass,
    MessageType,
    MmFlagToken,
    MmState,
    MmsVersion,
    Priority,
    ReadStatus,
    RecommendedRetrievalMode,
    ReplyCharging,
    ResponseStatus,
    RetrieveStatus,
    SenderVisibility,
    Status,
    StoreStatus,
)
from mmsproxy.wire.forms import FORMS
from mmsproxy.wire.model import Header, OtherPdu, Part, PartHeader, Pdu, bare_id, root_part
from mmsproxy.wire.pdus import (
    AcknowledgeInd,
    CancelConf,
    CancelReq,
    DeleteConf,
    DeleteReq,
    DeliveryInd,
    ForwardConf,
    ForwardReq,
    MboxDeleteConf,
    MboxDeleteReq,
    MboxDescr,
    MboxStoreConf,
    MboxStoreReq,
    MboxUploadConf,
    MboxUploadReq,
    MboxViewConf,
    MboxViewReq,
    NotificationInd,
    NotifyRespInd,
    ReadOrigInd,
    ReadRecInd,
    RetrieveConf,
    SendConf,
    SendReq,
)
from mmsproxy.wire.reader import MAX_DEPTH, MAX_HEADERS, MAX_ITEMS, MAX_PARTS, MAX_PDU, Reader, read_pdu
from mmsproxy.wire.writer import canonical, chunks, multipart_pieces, pieces
from mmsproxy.wsp.encoded import charset_text
from mmsproxy.wsp.integers import UINTVAR
from mmsproxy.wsp.leaf import REFUSE, Flaws, Leaf, Lenient, fault
from mmsproxy.wsp.parameters import CONTENT_TYPE as CONTENT_TYPE_VALUE
from mmsproxy.wsp.values import (
    Absolute,
    Address,
    AddressKind,
    ContentType,
    Counted,
    Disposition,
    ElementDescriptor,
    MboxTotal,
    MmFlags,
    Parameter,
    PduWarning,
    Relative,
    Text,
    Time,
)

CONTENT_TYPE = "application/vnd.wap.mms-message"  # of the HTTP body; without charset


def decode(data: bytes | bytearray | memoryview, *, strict: bool = False) -> Pdu:
    """One whole PDU (ENC 6, 7).

    Lenient: what real phones and carriers send passes, each oddity with a warning in `Pdu.warnings`. Strict: it is refused.
    Part data are views into `data` if that is bytes; other buffers are copied once. Raises PduError.
    """
    return read_pdu(data if type(data) is bytes else bytes(data), strict)


def encode(pdu: Pdu) -> bytes:
    """The octets of a PDU: one copy of the part data. A decoded PDU comes back as it was, but for what was replaced. Raises PduError."""
    return b"".join(pieces(pdu))


def encode_chunks(pdu: Pdu) -> Iterator[bytes | memoryview]:
    """The same octets in pieces for a socket, part data of 4 KiB and more uncopied. Raises PduError before the first piece."""
    return iter(tuple(chunks(pdu)))


def missing(pdu: Pdu) -> tuple[str, ...]:
    """The names of mandatory headers that the PDU lacks (ENC 6), `To` standing for one of To, Cc, Bcc."""
    row = PDU_BY_NUMBER.get(MessageType(pdu.message_type)) if not isinstance(pdu, OtherPdu) else None
    if row is None:
        return ()
    slots = FORMS[row.number].by_attr
    lacking = [slots[attr].name for attr in row.mandatory if getattr(pdu, attr) in (None, ())]
    if row.any_of and not any(getattr(pdu, attr) for attr in row.any_of):
        lacking.append("To")
    return tuple(lacking)


def content(part: Part) -> bytes:
    """The part's octets with its Content-Transfer-Encoding undone. Raises PduError (`transfer-encoding`) if they are not in it."""
    data = bytes(part.data)
    encoding = part.transfer_encoding
    if encoding == "quoted-printable":
        return quopri.decodestring(data)
    if encoding == "base64":
        try:
            return base64.b64decode(data)
        except binascii.Error as error:
            raise fault("transfer-encoding", 0, f"the part is no base64: {error}") from None
    return data


def text(part: Part) -> str:
    """The part's characters by its charset parameter, UTF-8 where it has none; what cannot be converted shows as U+FFFD."""
    charset = part.content_type.charset
    return charset_text(content(part), 106 if charset is None else charset, 0, Lenient())


class Multipart(Leaf):
    """A multipart body alone: `MULTIPART.parse(octets)` gives its parts, nested ones inside their part (WSP 8.5)."""

    grammar = "nEntries *(HeadersLen DataLen Content-type-value *Header Data)"
    clause = "WSP 8.5"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[tuple[Part, ...], int]:
        reader = Reader(buf, strict=True)
        reader.flaw = flaw
        return reader.multipart(ContentType("application/vnd.wap.multipart.mixed"), pos, end, 1)

    def write(self, value: Iterable[Part], out: bytearray) -> None:
        for piece in multipart_pieces(value):
            out += piece

    def inner(self) -> tuple[Leaf, ...]:
        return UINTVAR, CONTENT_TYPE_VALUE, *PART_GRAMMARS.values()


MULTIPART = Multipart()


class MmsPdu(Construct):  # type: ignore[misc]  # construct ships no types
    """A whole PDU as a construct, for use inside other constructs: `MMS_PDU.parse(octets)`, `MMS_PDU.build(pdu)`."""

    def _parse(self, stream: Any, context: Any, path: str) -> Pdu:
        return decode(stream.read())

    def _build(self, obj: Pdu, stream: Any, context: Any, path: str) -> Pdu:
        stream.write(encode(obj))
        return obj


MMS_PDU = MmsPdu()

__all__ = [
    "CONTENT_TYPE",
    "MAX_DEPTH",
    "MAX_HEADERS",
    "MAX_ITEMS",
    "MAX_PARTS",
    "MAX_PDU",
    "MMS_PDU",
    "MULTIPART",
    "Absolute",
    "AcknowledgeInd",
    "Address",
    "AddressKind",
    "CancelConf",
    "CancelReq",
    "CancelStatus",
    "ContentClass",
    "ContentType",
    "Counted",
    "DeleteConf",
    "DeleteReq",
    "DeliveryInd",
    "Disposition",
    "ElementDescriptor",
    "ForwardConf",
    "ForwardReq",
    "FromToken",
    "Header",
    "MboxDeleteConf",
    "MboxDeleteReq",
    "MboxDescr",
    "MboxStoreConf",
    "MboxStoreReq",
    "MboxToken",
    "MboxTotal",
    "MboxUploadConf",
    "MboxUploadReq",
    "MboxViewConf",
    "MboxViewReq",
    "MessageClass",
    "MessageType",
    "MmFlagToken",
    "MmFlags",
    "MmState",
    "MmsPdu",
    "MmsVersion",
    "Multipart",
    "NotificationInd",
    "NotifyRespInd",
    "OtherPdu",
    "Parameter",
    "Part",
    "PartHeader",
    "Pdu",
    "PduError",
    "PduWarning",
    "Priority",
    "ReadOrigInd",
    "ReadRecInd",
    "ReadStatus",
    "RecommendedRetrievalMode",
    "Relative",
    "ReplyCharging",
    "ResponseStatus",
    "RetrieveConf",
    "RetrieveStatus",
    "SendConf",
    "SendReq",
    "SenderVisibility",
    "Status",
    "StoreStatus",
    "Text",
    "Time",
    "bare_id",
    "canonical",
    "content",
    "decode",
    "encode",
    "encode_chunks",
    "missing",
    "root_part",
    "text",
]

"""From a text or octets to the SMS that carry them: bodies first, then SUBMITs to send or DELIVERs as a service centre makes them.

Rule 1: the number of bodies of a text is what `sms_split.count_parts` told. Rule 2: one reference for all parts of a message; who
counts references is above. Rule 3: it chooses nothing that the caller did not leave open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mmsproxy.errors import PduError
from mmsproxy.wire import sms_schema as schema
from mmsproxy.wire.sms_schema import Alphabet
from mmsproxy.wire.sms_service import Validity
from mmsproxy.wire.sms_split import MAX_PARTS, USER_DATA_OCTETS, Encoding, split
from mmsproxy.wire.sms_types import Deliver, Submit
from mmsproxy.wire.sms_udh import WAP_PUSH_PORT, WAP_SOURCE_PORT, Concatenation, Element, Ports
from mmsproxy.wire.sms_user_data import UserData
from mmsproxy.wire.sms_values import Address, Dcs, ServiceCentre, Timestamp

WAP_PUSH = Ports(WAP_PUSH_PORT, WAP_SOURCE_PORT)
_FOREVER = Validity()
_ALPHABETS = {Encoding.GSM7: Alphabet.GSM7, Encoding.UCS2: Alphabet.UCS2}


@dataclass(frozen=True, slots=True)
class Body:
    """What one SMS carries, whichever way it goes."""

    dcs: Dcs
    user_data: UserData


def text_bodies(
    text: str,
    *,
    reference: int,
    reference_bits: int = 8,
    languages: Sequence[int] = (),
    message_class: int | None = None,
) -> tuple[Body, ...]:
    """The text as one body, or as parts with the reference. Raises PduError `too-many-parts`, `element-not-encodable`."""
    cut = split(text, reference_bits=reference_bits, languages=languages)
    count = cut.count
    dcs = Dcs.of(_ALPHABETS[count.encoding], message_class)
    return tuple(
        Body(dcs, UserData.of_text(part, dcs, place, locking=count.locking, single=count.single))
        for part, place in zip(cut.texts, _places(count.parts, reference, reference_bits), strict=True)
    )


def data_bodies(data: bytes, *, reference: int, ports: Ports | None = None, reference_bits: int = 8) -> tuple[Body, ...]:
    """Octets as one body, or as parts with the reference. Raises PduError `too-many-parts`, `element-not-encodable`."""
    dcs = Dcs.of(Alphabet.DATA)
    front = (ports.element(),) if ports else ()
    if len(data) <= _room(front):
        return (Body(dcs, UserData.of_data(data, front)),)
    room = _room((*front, Concatenation(reference, 1, 1, reference_bits).element()))
    pieces = [data[at : at + room] for at in range(0, len(data), room)]
    if len(pieces) > MAX_PARTS:
        raise PduError("too-many-parts", offset=0, detail=f"{len(pieces)} parts; a message has at most {MAX_PARTS}")
    places = _places(len(pieces), reference, reference_bits)
    return tuple(Body(dcs, UserData.of_data(piece, (*front, *place))) for piece, place in zip(pieces, places, strict=True))


def submits(
    recipient: str,
    bodies: Sequence[Body],
    *,
    report: bool = False,
    validity: Validity = _FOREVER,
    message_reference: int = 0,
    smsc: ServiceCentre | None = None,
) -> tuple[Submit, ...]:
    """One SUBMIT for each body; TP-MR counts up from `message_reference`. Raises PduError `address-not-encodable`.

    report  asks for a STATUS-REPORT for each part
    smsc    None: the field is left out (`sms_pdu.cmgs` writes 00, the service centre of the SIM)
    """
    first = schema.MTI_SUBMIT | (schema.STATUS_REPORT_REQUEST if report else 0) | validity.format.value
    destination = Address.of_number(recipient)
    return tuple(
        Submit(
            destination=destination,
            user_data=body.user_data,
            dcs=body.dcs,
            reference=(message_reference + index) % 0x100,
            validity=validity,
            first_octet=first | _header_bit(body),
            smsc=smsc,
        )
        for index, body in enumerate(bodies)
    )


def delivers(originator: str, bodies: Sequence[Body], *, when: datetime, smsc: ServiceCentre | None = None) -> tuple[Deliver, ...]:
    """One DELIVER for each body, the last one marked as such. Raises PduError `address-not-encodable`, `timestamp-not-encodable`."""
    sender, timestamp = Address.of(originator), Timestamp.of(when)
    last = len(bodies) - 1
    return tuple(
        Deliver(
            originator=sender,
            timestamp=timestamp,
            user_data=body.user_data,
            dcs=body.dcs,
            first_octet=_header_bit(body) | (schema.MORE_MESSAGES_NONE if index == last else 0),
            smsc=smsc,
        )
        for index, body in enumerate(bodies)
    )


def _places(total: int, reference: int, bits: int) -> list[tuple[Element, ...]]:
    if total == 1:
        return [()]
    return [(Concatenation(reference, total, sequence, bits).element(),) for sequence in range(1, total + 1)]


def _room(elements: tuple[Element, ...]) -> int:
    header = sum(2 + len(element.data) for element in elements)
    return USER_DATA_OCTETS - (header + 1 if header else 0)


def _header_bit(body: Body) -> int:
    return schema.USER_DATA_HEADER if body.user_data.header else 0

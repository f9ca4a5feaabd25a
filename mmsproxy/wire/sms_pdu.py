"""SMS TPDUs, octets <-> typed values: SMS-DELIVER, SMS-SUBMIT, SMS-STATUS-REPORT, both ways (3GPP TS 23.040 clause 9).

Rule 1: `encode(decode(b)) == b` for every accepted TPDU: values keep their octets, and what they mean is read from them.
Rule 2: the only exception that leaves is PduError. Lenient decoding accepts what networks send and names each oddity in `warnings`;
strict decoding raises the first of them.
Rule 3: it knows one TPDU. Parts of a message are joined in `sms_parts`, texts are cut in `sms_split`.

The two low bits of a TPDU mean different types in the two directions, so `decode` is told which way it went: MT, to the mobile (what
a modem received), or MO, from the mobile (what it sends, or stores as sent).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import chain
from typing import Any

from mmsproxy.errors import PduError
from mmsproxy.wire import sms_findings as findings
from mmsproxy.wire import sms_schema as schema
from mmsproxy.wire.sms_schema import Alphabet
from mmsproxy.wire.sms_service import Delivery, Status, Validity, ValidityFormat
from mmsproxy.wire.sms_types import Deliver, Direction, StatusReport, Submit, Tpdu
from mmsproxy.wire.sms_udh import Concatenation, Element, Header, Ports, read_header
from mmsproxy.wire.sms_user_data import UserData
from mmsproxy.wire.sms_values import Address, Dcs, ServiceCentre, Timestamp
from mmsproxy.wsp.values import PduWarning

__all__ = [
    "Address",
    "Alphabet",
    "Concatenation",
    "Dcs",
    "Deliver",
    "Delivery",
    "Direction",
    "Element",
    "Header",
    "PduWarning",
    "Ports",
    "ServiceCentre",
    "Status",
    "StatusReport",
    "Submit",
    "Timestamp",
    "Tpdu",
    "UserData",
    "Validity",
    "ValidityFormat",
    "cmgs",
    "decode",
    "decode_hex",
    "decode_listed",
    "encode",
    "from_hex",
    "guess",
]

_NOT_HEX = re.compile(r"[^0-9A-Fa-f]")
_Read = Callable[[BytesIO, int, ServiceCentre | None], Tpdu]


def decode(data: bytes, *, smsc: bool = True, direction: Direction = Direction.MT, strict: bool = False) -> Tpdu:
    """One TPDU.

    smsc       whether the service centre stands in front, as in what modems show (a single 00 octet where it is not known)
    direction  MT for received messages and reports (+CMGR, +CMGL with state 0 or 1, +CMT, +CDS), MO for unsent and sent ones (2, 3)

    Raises only PduError: `field-missing`, `address-beyond-data`, `user-data-beyond-data`, `header-beyond-data`,
    `service-centre-beyond-data`, `tpdu-type-not-supported`; strict: also the rule of the first warning.
    """
    stream = BytesIO(data)
    centre = ServiceCentre(("smsc" / schema.ServiceCentre).parse_stream(stream)) if smsc else None
    start = stream.tell()
    first = ("first_octet" / schema.Octet).parse_stream(stream)
    stream.seek(start)
    tpdu = _reader(first, direction, start)(stream, start, centre)
    if strict and tpdu.warnings:
        raise findings.error_of(tpdu.warnings[0])
    return tpdu


def decode_hex(text: str, *, smsc: bool = True, direction: Direction = Direction.MT, strict: bool = False) -> Tpdu:
    """`decode` of hex digits as a modem prints them. Raises PduError as `from_hex` and `decode`."""
    return decode(from_hex(text), smsc=smsc, direction=direction, strict=strict)


def decode_listed(text: str, length: int, *, direction: Direction = Direction.MT, strict: bool = False) -> Tpdu:
    """The PDU line behind `+CMGR:`, `+CMGL:`, `+CMT:` or `+CDS:`, with the length told there (octets without the service centre).

    Some modems leave the service centre out, or have it left out by a setting; the length tells. Raises PduError as `decode_hex`.
    """
    data = from_hex(text)
    return decode(data, smsc=len(data) != length, direction=direction, strict=strict)


def guess(data: bytes) -> Tpdu:
    """A TPDU of which nothing is known: with or without service centre, of either direction. The reading without oddities wins.

    Raises the PduError of the most usual reading (received, with service centre) if there is no reading at all.
    """
    readings: list[Tpdu] = []
    faults: list[PduError] = []
    for direction in (Direction.MT, Direction.MO):
        for smsc in (True, False):
            try:
                readings.append(decode(data, smsc=smsc, direction=direction))
            except PduError as fault:
                faults.append(fault)
    if not readings:
        raise faults[0]
    return min(readings, key=lambda tpdu: len(tpdu.warnings))


def _reader(first: int, direction: Direction, start: int) -> _Read:
    kind = first & schema.MTI_MASK
    if direction is Direction.MT and kind in (schema.MTI_DELIVER, schema.MTI_RESERVED):
        return _read_deliver
    if direction is Direction.MT and kind == schema.MTI_STATUS_REPORT:
        return _read_status_report
    if direction is Direction.MO and kind == schema.MTI_SUBMIT:
        return _read_submit
    name = {
        (Direction.MT, schema.MTI_SUBMIT): "SUBMIT-REPORT",
        (Direction.MO, schema.MTI_DELIVER): "DELIVER-REPORT",
        (Direction.MO, schema.MTI_STATUS_REPORT): "COMMAND",
    }.get((direction, kind), "reserved type")
    raise PduError("tpdu-type-not-supported", offset=start, path="first_octet", detail=f"SMS-{name} is not read here")


def _read_deliver(stream: BytesIO, start: int, smsc: ServiceCentre | None) -> Deliver:
    fields = schema.Deliver.parse_stream(stream)
    end = stream.tell() - len(fields.tail)
    at = end - len(fields.user_data.octets) - 1
    tpdu = Deliver(
        originator=Address(*fields.originator),
        timestamp=Timestamp(fields.timestamp),
        user_data=_user_data(fields, at, stream),
        dcs=Dcs(fields.dcs),
        pid=fields.pid,
        first_octet=fields.first_octet,
        smsc=smsc,
        tail=fields.tail,
    )
    return replace(
        tpdu,
        warnings=_all(
            stream,
            findings.of_type(tpdu.first_octet, start),
            findings.of_address(tpdu.originator, start + 1, "originator"),
            findings.of_timestamp(tpdu.timestamp, at - 7, "timestamp"),
            findings.of_user_data(tpdu.user_data, tpdu.dcs, at),
            findings.of_tail(tpdu.tail, end),
        ),
    )


def _read_submit(stream: BytesIO, start: int, smsc: ServiceCentre | None) -> Submit:
    fields = schema.Submit.parse_stream(stream)
    end = stream.tell() - len(fields.tail)
    at = end - len(fields.user_data.octets) - 1
    tpdu = Submit(
        reference=fields.reference,
        destination=Address(*fields.destination),
        user_data=_user_data(fields, at, stream),
        dcs=Dcs(fields.dcs),
        pid=fields.pid,
        validity=Validity(ValidityFormat(fields.first_octet & schema.VALIDITY_FORMAT_MASK), fields.validity),
        first_octet=fields.first_octet,
        smsc=smsc,
        tail=fields.tail,
    )
    return replace(
        tpdu,
        warnings=_all(
            stream,
            findings.of_address(tpdu.destination, start + 2, "destination"),
            findings.of_user_data(tpdu.user_data, tpdu.dcs, at),
            findings.of_tail(tpdu.tail, end),
        ),
    )


def _read_status_report(stream: BytesIO, start: int, smsc: ServiceCentre | None) -> StatusReport:
    try:
        fields = schema.StatusReport.parse_stream(stream)
        user_data = fields.user_data and _user_data(fields, stream.tell() - len(fields.tail) - len(fields.user_data.octets) - 1, stream)
    except PduError:
        # The status is what counts; what is announced behind it and not there is kept as a tail.
        stream.seek(start)
        fields, user_data = schema.StatusReportCore.parse_stream(stream), None
    tpdu = StatusReport(
        reference=fields.reference,
        recipient=Address(*fields.recipient),
        timestamp=Timestamp(fields.timestamp),
        discharge=Timestamp(fields.discharge),
        status=Status(fields.status),
        parameters=fields.get("parameters", b""),
        pid=fields.get("pid"),
        dcs=None if fields.get("dcs") is None else Dcs(fields.dcs),
        user_data=user_data,
        first_octet=fields.first_octet,
        smsc=smsc,
        tail=fields.tail,
    )
    return replace(tpdu, warnings=_all(stream, *_report_findings(tpdu, start, stream.tell() - len(fields.tail))))


def _report_findings(tpdu: StatusReport, start: int, end: int) -> Iterator[Iterator[PduWarning]]:
    at = start + 4 + len(tpdu.recipient.octets)
    yield findings.of_address(tpdu.recipient, start + 2, "recipient")
    yield findings.of_timestamp(tpdu.timestamp, at, "timestamp")
    yield findings.of_timestamp(tpdu.discharge, at + 7, "discharge")
    if tpdu.user_data is not None:
        yield findings.of_user_data(tpdu.user_data, tpdu.dcs or Dcs(0), end - len(tpdu.user_data.octets) - 1)
    yield findings.of_tail(tpdu.tail, end)


def _user_data(fields: Any, at: int, stream: BytesIO) -> UserData:
    length, octets = fields.user_data
    if not fields.first_octet & schema.USER_DATA_HEADER:
        return UserData(length, octets)
    try:
        return UserData(length, octets, read_header(octets))
    except PduError as fault:
        where = at + 1 + fault.offset
        context = schema.surroundings(stream.getvalue(), where)
        raise PduError(fault.rule, offset=where, path="user_data.header", detail=fault.detail, context=context) from None


def _all(stream: BytesIO, *groups: Iterator[PduWarning]) -> tuple[PduWarning, ...]:
    data = stream.getvalue()
    return tuple(replace(found, context=schema.surroundings(data, found.offset)) for found in chain.from_iterable(groups))


def encode(tpdu: Tpdu) -> bytes:
    """The octets, with the service centre in front if the TPDU has one (`smsc=ServiceCentre()` for a single 00 octet).

    Raises only PduError: a value out of its field's range, or values that contradict each other.
    """
    front: bytes = b"" if tpdu.smsc is None else schema.ServiceCentre.build(tpdu.smsc.octets)
    return front + _tpdu_octets(tpdu)


def cmgs(tpdu: Tpdu) -> tuple[int, str]:
    """What `AT+CMGS` takes: the length in octets without the service centre, and the hex with it (00 if the TPDU has none)."""
    octets = _tpdu_octets(tpdu)
    return len(octets), encode(replace(tpdu, smsc=tpdu.smsc or ServiceCentre())).hex().upper()


def from_hex(text: str) -> bytes:
    """Hex digits of either case, white space ignored. Raises PduError `not-hex` with the index in the text as offset."""
    digits = "".join(text.split())
    if wrong := _NOT_HEX.search(digits):
        raise PduError("not-hex", offset=text.index(wrong.group()), detail=f"{wrong.group()!r} is no hex digit")
    if len(digits) % 2:
        raise PduError("not-hex", offset=len(text), detail="an odd number of hex digits")
    return bytes.fromhex(digits)


_TYPES = {
    Deliver: (schema.MTI_DELIVER, schema.MTI_RESERVED),
    Submit: (schema.MTI_SUBMIT,),
    StatusReport: (schema.MTI_STATUS_REPORT,),
}


def _tpdu_octets(tpdu: Tpdu) -> bytes:
    if tpdu.first_octet & schema.MTI_MASK not in _TYPES[type(tpdu)]:
        raise PduError("message-type-mismatch", offset=0, path="first_octet", detail=f"{tpdu.first_octet:02X} is another type")
    if isinstance(tpdu, StatusReport):
        return _report_octets(tpdu)
    first = _with(tpdu.first_octet, schema.USER_DATA_HEADER, tpdu.user_data.header is not None)
    common = {
        "pid": tpdu.pid,
        "dcs": tpdu.dcs.octet,
        "user_data": schema.UserDataField(tpdu.user_data.length, tpdu.user_data.octets),
        "tail": tpdu.tail,
    }
    if isinstance(tpdu, Deliver):
        fields = {"first_octet": first, "originator": _address(tpdu.originator), "timestamp": tpdu.timestamp.octets}
        return bytes(schema.Deliver.build(common | fields))
    fields = {
        "first_octet": first & ~schema.VALIDITY_FORMAT_MASK | tpdu.validity.format.value,
        "reference": tpdu.reference,
        "destination": _address(tpdu.destination),
        "validity": tpdu.validity.octets,
    }
    return bytes(schema.Submit.build(common | fields))


def _report_octets(tpdu: StatusReport) -> bytes:
    user_data = tpdu.user_data
    announced = (
        (schema.PI_PID, tpdu.pid is not None),
        (schema.PI_DCS, tpdu.dcs is not None),
        (schema.PI_USER_DATA, user_data is not None),
    )
    first_pi = tpdu.parameters[0] if tpdu.parameters else 0
    if any(bool(first_pi & bit) is not there for bit, there in announced):
        raise PduError("parameters-mismatch", offset=0, path="parameters", detail="TP-PI announces other fields than there are")
    header = user_data is not None and user_data.header is not None
    return bytes(
        schema.StatusReport.build(
            {
                "first_octet": _with(tpdu.first_octet, schema.USER_DATA_HEADER, header) if user_data else tpdu.first_octet,
                "reference": tpdu.reference,
                "recipient": _address(tpdu.recipient),
                "timestamp": tpdu.timestamp.octets,
                "discharge": tpdu.discharge.octets,
                "status": tpdu.status.octet,
                "parameters": tpdu.parameters,
                "pid": tpdu.pid,
                "dcs": None if tpdu.dcs is None else tpdu.dcs.octet,
                "user_data": None if user_data is None else schema.UserDataField(user_data.length, user_data.octets),
                "tail": tpdu.tail,
            }
        )
    )


def _address(address: Address) -> schema.AddressField:
    return schema.AddressField(address.semi_octets, address.type_of_address, address.octets)


def _with(octet: int, bit: int, on: bool) -> int:
    return octet | bit if on else octet & ~bit

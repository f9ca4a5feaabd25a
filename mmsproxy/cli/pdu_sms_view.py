"""SMS TPDUs as JSON objects, in the form of `pdu_view`: fields in the order of 3GPP TS 23.040, with the octets of the whole."""

from __future__ import annotations

from typing import Any

from mmsproxy.cli.pdu_recognise import Carried
from mmsproxy.wire import sms_pdu
from mmsproxy.wire.pdu_values import Json
from mmsproxy.wire.pdu_view import push_json, warnings_json
from mmsproxy.wire.sms_pdu import Address, Concatenation, Dcs, Deliver, Ports, StatusReport, Submit, Timestamp, Tpdu, UserData

KINDS = {Deliver: "sms-deliver", Submit: "sms-submit", StatusReport: "sms-status-report"}


def sms_json(tpdu: Tpdu, joined: Carried | None) -> dict[str, Json]:
    """A decoded TPDU; `joined` is the push that it completes."""
    octets = sms_pdu.encode(tpdu)
    shown: dict[str, Json] = {"kind": KINDS[type(tpdu)], "size": len(octets), "fields": list(_fields(tpdu))}
    user_data = tpdu.user_data
    if user_data is not None:
        shown["user_data"] = _user_data(user_data, tpdu.dcs or Dcs(0))
    if tpdu.tail:
        shown["tail"] = {"offset": len(octets) - len(tpdu.tail), "hex": tpdu.tail.hex()}
    shown |= {"service_centre": tpdu.smsc is not None, "octets": octets.hex(), "warnings": warnings_json(tpdu.warnings)}
    return shown | ({"push": push_json(joined.push, joined.mms)} if joined else {})


class _Fields:
    """Counts the offset while fields are put down."""

    def __init__(self) -> None:
        self.at = 0
        self.rows: list[Json] = []

    def put(self, name: str, size: int, value: Json, means: str | None = None) -> None:
        row = {"offset": self.at, "name": name, "value": value}
        self.rows.append(row if means is None else row | {"means": means})
        self.at += size

    def address(self, name: str, address: Address) -> None:
        kind = f"{address.type_of_number.name.lower().replace('_', '-')}, {address.type_of_address:02X}"
        self.put(name, 2 + len(address.octets), address.number, kind)

    def time(self, name: str, timestamp: Timestamp) -> None:
        when = timestamp.when
        self.put(name, 7, timestamp.octets.hex() if when is None else when.isoformat())

    def coding(self, dcs: Dcs) -> None:
        self.put("data-coding", 1, f"0x{dcs.octet:02X}", dcs.alphabet.value)


def _fields(tpdu: Tpdu) -> list[Json]:
    rows = _Fields()
    if tpdu.smsc is not None:
        rows.put("service-centre", 1 + len(tpdu.smsc.octets), tpdu.smsc.number)
    rows.put("first-octet", 1, f"0x{tpdu.first_octet:02X}", _flags(tpdu))
    if isinstance(tpdu, Deliver):
        rows.address("originator", tpdu.originator)
        rows.put("protocol", 1, tpdu.pid)
        rows.coding(tpdu.dcs)
        rows.time("timestamp", tpdu.timestamp)
    elif isinstance(tpdu, Submit):
        _submit(tpdu, rows)
    else:
        _report(tpdu, rows)
    return rows.rows


def _submit(tpdu: Submit, rows: _Fields) -> None:
    rows.put("reference", 1, tpdu.reference)
    rows.address("destination", tpdu.destination)
    rows.put("protocol", 1, tpdu.pid)
    rows.coding(tpdu.dcs)
    validity = tpdu.validity
    if validity.octets:
        words = validity.period if validity.until is None else validity.until
        rows.put("validity", len(validity.octets), validity.octets.hex(), None if words is None else str(words))


def _report(tpdu: StatusReport, rows: _Fields) -> None:
    rows.put("reference", 1, tpdu.reference)
    rows.address("recipient", tpdu.recipient)
    rows.time("timestamp", tpdu.timestamp)
    rows.time("discharge", tpdu.discharge)
    rows.put("status", 1, f"0x{tpdu.status.octet:02X}", f"{tpdu.status.delivery.value}: {tpdu.status.words}")
    if tpdu.parameters:
        rows.put("parameters", len(tpdu.parameters), tpdu.parameters.hex())
    if tpdu.pid is not None:
        rows.put("protocol", 1, tpdu.pid)
    if tpdu.dcs is not None:
        rows.coding(tpdu.dcs)


def _flags(tpdu: Tpdu) -> str | None:
    flags: list[str] = []
    if isinstance(tpdu, Deliver) and tpdu.more_messages:
        flags.append("more messages wait")
    if isinstance(tpdu, Submit) and tpdu.report_wanted:
        flags.append("report wanted")
    if not isinstance(tpdu, StatusReport) and tpdu.reply_path:
        flags.append("reply path")
    return ", ".join(flags) or None


def _user_data(user_data: UserData, dcs: Dcs) -> dict[str, Any]:
    shown: dict[str, Any] = {"length": user_data.length, "alphabet": user_data.alphabet(dcs).value}
    header = user_data.header
    if header is not None:
        shown["elements"] = [{"iei": f"0x{element.iei:02X}", "hex": element.data.hex()} for element in header.elements]
        shown |= _places(header.ports, header.concatenation)
    text = user_data.text(dcs)
    return shown | ({"hex": user_data.data.hex()} if text is None else {"text": text})


def _places(ports: Ports | None, place: Concatenation | None) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if ports is not None:
        shown["ports"] = {"destination": ports.destination, "source": ports.source}
    if place is not None:
        shown["part"] = {"reference": place.reference, "number": place.sequence, "of": place.total}
    return shown

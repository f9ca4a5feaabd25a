"""SMS TPDUs from their JSON form (docs/codec.md).

Rule 1: the octets that stand in the JSON are the TPDU; a field whose value differs from what they say is changed in it, and nothing else.
Without octets each field has to be there. Rule 2: what is only an explanation (`means`, `ports`, `part`, a joined push) is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from mmsproxy.cli.pdu_parse import FormError, array, hex_octets, member, number, refuse, text
from mmsproxy.cli.pdu_sms_view import KINDS, sms_json
from mmsproxy.errors import PduError
from mmsproxy.wire import sms_pdu
from mmsproxy.wire.pdu_values import Json
from mmsproxy.wire.sms_pdu import (
    Address,
    Dcs,
    Deliver,
    Direction,
    Element,
    ServiceCentre,
    Status,
    StatusReport,
    Submit,
    Timestamp,
    Tpdu,
    UserData,
    Validity,
    ValidityFormat,
)
from mmsproxy.wire.sms_udh import IEI_LOCKING_SHIFT, IEI_SINGLE_SHIFT

KINDS_BY_NAME: Final = {name: kind for kind, name in KINDS.items()}
_NOWHERE: Final = Address(0, 0x81, b"")
_EPOCH: Final = Timestamp.of(datetime(2000, 1, 1, tzinfo=UTC))
_VALIDITY_FORMATS: Final = {0: ValidityFormat.NONE, 1: ValidityFormat.RELATIVE}


def sms_octets(shown: Json) -> bytes:
    """The TPDU that an object of one of the kinds `sms-...` describes. Raises FormError; PduError if the octets are no TPDU."""
    kind = KINDS_BY_NAME[shown["kind"]]
    tpdu = _given(shown, kind) if "octets" in shown else _empty(kind)
    before = sms_json(tpdu, None)
    known = {row["name"]: row["value"] for row in before["fields"]} if "octets" in shown else {}
    fields = array(member(shown, "fields", ""), "/fields")
    for index, row in enumerate(fields):
        at = f"/fields/{index}"
        name, value = text(member(row, "name", at), f"{at}/name"), member(row, "value", at)
        if name not in known or known[name] != value:
            tpdu = _changed(tpdu, name, value, f"{at}/value")
    if shown.get("user_data") is not None and shown["user_data"] != before.get("user_data"):
        tpdu = replace(tpdu, user_data=_user_data(shown["user_data"], tpdu.dcs or Dcs(0)))
    return _octets(tpdu)


def _octets(tpdu: Tpdu) -> bytes:
    try:
        return sms_pdu.encode(tpdu)
    except PduError as error:
        raise FormError(error.path.replace(".", "/"), error.detail) from None


def _given(shown: Json, kind: type[Tpdu]) -> Tpdu:
    octets = hex_octets(shown["octets"], "/octets")
    smsc = member(shown, "service_centre", "")
    if not isinstance(smsc, bool):
        refuse("/service_centre", "true or false (whether one stands in front of the octets)", smsc)
    return sms_pdu.decode(octets, smsc=smsc, direction=Direction.MO if kind is Submit else Direction.MT)


def _empty(kind: type[Tpdu]) -> Tpdu:
    if kind is Submit:
        return Submit(destination=_NOWHERE, user_data=UserData())
    if kind is Deliver:
        return Deliver(originator=_NOWHERE, timestamp=_EPOCH, user_data=UserData())
    return StatusReport(reference=0, recipient=_NOWHERE, timestamp=_EPOCH, discharge=_EPOCH, status=Status(0))


def _changed(tpdu: Tpdu, name: str, value: Json, at: str) -> Tpdu:
    if name not in _FIELDS or not hasattr(tpdu, _FIELDS[name][0]):
        raise FormError(at.removesuffix("/value") + "/name", f"no field of {KINDS[type(tpdu)]} is called {name!r}")
    attr, read = _FIELDS[name]
    try:
        return replace(tpdu, **{attr: read(value, at)})
    except PduError as error:
        raise FormError(at, error.detail) from None


def _octet(shown: Json, at: str) -> int:
    """A number, or `0x44`."""
    octet = shown
    if isinstance(shown, str):
        try:
            octet = int(shown, 16)
        except ValueError:
            refuse(at, "an octet such as 0x44", shown)
    if number(octet, at) > 0xFF:
        raise FormError(at, "an octet is 0 to 255")
    return int(octet)


def _timestamp(shown: Json, at: str) -> Timestamp:
    """A moment in ISO 8601 with its zone, or the seven octets in hex."""
    words = text(shown, at)
    try:
        return Timestamp.of(datetime.fromisoformat(words))
    except ValueError:
        octets = hex_octets(words, at)
        return Timestamp(octets) if len(octets) == 7 else refuse(at, "a moment such as 2025-11-22T22:17:36+01:00", shown)


def _validity(shown: Json, at: str) -> Validity:
    octets = hex_octets(shown, at)
    if len(octets) not in _VALIDITY_FORMATS:
        raise FormError(at, "a relative validity is one octet")
    return Validity(_VALIDITY_FORMATS[len(octets)], octets)


_FIELDS: Final[dict[str, tuple[str, Callable[[Json, str], Any]]]] = {
    "service-centre": ("smsc", lambda shown, at: ServiceCentre.of(text(shown, at))),
    "first-octet": ("first_octet", _octet),
    "reference": ("reference", _octet),
    "originator": ("originator", lambda shown, at: Address.of(text(shown, at))),
    "destination": ("destination", lambda shown, at: Address.of(text(shown, at))),
    "recipient": ("recipient", lambda shown, at: Address.of(text(shown, at))),
    "protocol": ("pid", _octet),
    "data-coding": ("dcs", lambda shown, at: Dcs(_octet(shown, at))),
    "timestamp": ("timestamp", _timestamp),
    "discharge": ("discharge", _timestamp),
    "validity": ("validity", _validity),
    "status": ("status", lambda shown, at: Status(_octet(shown, at))),
    "parameters": ("parameters", hex_octets),
}


def _user_data(shown: Json, dcs: Dcs) -> UserData:
    at = "/user_data"
    if not isinstance(shown, dict):
        refuse(at, "an object", shown)
    rows = array(shown.get("elements", []), f"{at}/elements")
    elements = tuple(_element(row, f"{at}/elements/{index}") for index, row in enumerate(rows))
    try:
        if "text" not in shown:
            return UserData.of_data(hex_octets(member(shown, "hex", at), f"{at}/hex"), elements)
        return _text(text(shown["text"], f"{at}/text"), dcs, elements)
    except PduError as error:
        raise FormError(at, error.detail) from None


def _text(words: str, dcs: Dcs, elements: tuple[Element, ...]) -> UserData:
    shifts = {element.iei: element.data[0] for element in elements if len(element.data) == 1}
    others = tuple(element for element in elements if element.iei not in (IEI_LOCKING_SHIFT, IEI_SINGLE_SHIFT))
    return UserData.of_text(words, dcs, others, locking=shifts.get(IEI_LOCKING_SHIFT, 0), single=shifts.get(IEI_SINGLE_SHIFT, 0))


def _element(shown: Json, at: str) -> Element:
    return Element(_octet(member(shown, "iei", at), f"{at}/iei"), hex_octets(member(shown, "hex", at), f"{at}/hex"))

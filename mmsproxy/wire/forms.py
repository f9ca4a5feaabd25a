"""The schema's rows, laid out for the drivers: for each PDU type a list indexed by the octet of a header.

Knows nothing of buffers: a `Slot` says what to do with a header, the reader and the writer do it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mmsproxy.pdu_schema import CANONICAL_ORDER, HEADER_BY_ATTR, HEADER_BY_NUMBER, MMS_CONTENT_TYPE, PART_GRAMMARS, PDU_BY_NUMBER, PduDef
from mmsproxy.wap_numbers import WSP_HEADER_NAMES
from mmsproxy.wire.model import OtherPdu, Pdu
from mmsproxy.wire.pdus import PDU_CLASSES
from mmsproxy.wsp.choices import OPAQUE
from mmsproxy.wsp.leaf import Leaf
from mmsproxy.wsp.parameters import ELEMENT_DESCRIPTOR

_COMMON = ("transaction_id", "mms_version", "content_type")  # fields of every class, see model.Pdu


@dataclass(frozen=True, slots=True)
class Slot:
    """What one header octet means in one PDU type, or in a part.

    attr      the field that takes it; None = it goes to `extra`
    repeated  the field is a tuple
    note      what is odd about finding it here; "" = nothing
    usual     nothing is: one field, no note, no parameters
    """

    key: int
    name: str
    attr: str | None
    repeated: bool
    note: str
    usual: bool
    read: Callable[..., tuple[Any, int]]
    write: Callable[[Any, bytearray], None]


@dataclass(frozen=True, slots=True)
class Form:
    """One PDU type.

    table    Slot by octet; None below 0x80
    order    the slots with a field, in the order of writing
    repeated the fields that are tuples
    blank    fields whose default is for writers, and their value where a decoded PDU lacks them
    """

    cls: type[Pdu]
    row: PduDef | None
    table: tuple[Slot | None, ...]
    order: tuple[Slot, ...]
    by_attr: dict[str, Slot]
    repeated: tuple[str, ...]
    blank: dict[str, Any]


def _slot(key: int, attr: str | None, leaf: Leaf, name: str, repeated: bool = False, note: str = "") -> Slot:
    usual = attr is not None and not repeated and not note and leaf not in (MMS_CONTENT_TYPE, ELEMENT_DESCRIPTOR)
    return Slot(key, name, attr, repeated, note, usual, leaf.read, leaf.write)


def _pdu_slot(key: int, row: PduDef | None) -> Slot:
    header = HEADER_BY_NUMBER.get(key)
    if header is None:
        return _slot(key, None, OPAQUE, f"0x{key:02X}", note="header-unknown")
    attr = header.attr
    placed = row is not None and (attr in row.mandatory or attr in row.optional)
    leaf = row.grammar(attr) if row else header.grammar
    field = attr if placed or attr in _COMMON else None
    note = "" if placed or row is None or attr == "content_type" else "header-out-of-place"
    return _slot(key, field, leaf, header.name, placed and row is not None and attr in row.repeated, note)


def _form(cls: type[Pdu], row: PduDef | None) -> Form:
    slots = {key: _pdu_slot(key, row) for key in range(0x80, 0x100)}
    by_attr = {slot.attr: slot for slot in slots.values() if slot.attr is not None}
    order = tuple(by_attr[attr] for attr in CANONICAL_ORDER if attr in by_attr)
    blank = {"mms_version": None} | ({"from_": None} if "from_" in by_attr else {})
    repeated = tuple(attr for attr, slot in by_attr.items() if slot.repeated)
    return Form(cls, row, tuple(slots.get(octet) for octet in range(256)), order, by_attr, repeated, blank)


def _part_slot(number: int) -> Slot:
    attrs = {0x0E: "content_location", 0x40: "content_id", 0x2E: "content_disposition", 0x45: "content_disposition"}
    name = WSP_HEADER_NAMES.get(number) or f"0x{0x80 | number:02X}"
    note = "" if number in WSP_HEADER_NAMES else "header-unknown"
    return _slot(0x80 | number, attrs.get(number), PART_GRAMMARS.get(number, OPAQUE), name, note=note)


FORMS: Final[dict[int, Form]] = {int(cls.TYPE): _form(cls, PDU_BY_NUMBER[cls.TYPE]) for cls in PDU_CLASSES}
OTHER_FORM: Final = _form(OtherPdu, None)
MESSAGE_TYPE_SLOT: Final = _slot(0x8C, "message_type", HEADER_BY_ATTR["message_type"].grammar, "X-Mms-Message-Type")

PART_TABLE: Final[tuple[Slot | None, ...]] = tuple(_part_slot(octet & 0x7F) if octet >= 0x80 else None for octet in range(256))
# As phones write them: Content-ID, Content-Location, and the disposition by its WSP 1.1 number (12 of 12 real ones).
PART_ORDER: Final[tuple[Slot, ...]] = tuple(slot for octet in (0xC0, 0x8E, 0xAE) if (slot := PART_TABLE[octet]))


def form_of(pdu: Pdu) -> Form:
    """The form that a PDU object is written by: that of its class, whatever number an OtherPdu has."""
    return OTHER_FORM if isinstance(pdu, OtherPdu) else FORMS[pdu.TYPE]

"""The schema laid out by octet: every type has its form, every header its slot."""

from __future__ import annotations

import pytest

from mmsproxy.pdu_schema import CANONICAL_ORDER, CONTENT_LOCATION_DEL, HEADER_BY_ATTR, PDUS, PduDef
from mmsproxy.wap_numbers import MessageType
from mmsproxy.wire.forms import FORMS, OTHER_FORM, PART_ORDER, PART_TABLE, Slot, form_of
from mmsproxy.wire.model import OtherPdu
from mmsproxy.wire.pdus import PDU_CLASSES, SendReq


def slot(table: tuple[Slot | None, ...], octet: int) -> Slot:
    found = table[octet]
    assert found is not None
    return found


@pytest.mark.parametrize("row", PDUS, ids=lambda row: row.name)
def test_a_form_places_the_headers_of_its_row(row: PduDef) -> None:
    form = FORMS[row.number]
    for attr, header in HEADER_BY_ATTR.items():
        found = slot(form.table, header.number)
        placed = attr in (*row.mandatory, *row.optional)
        common = attr in ("transaction_id", "mms_version", "content_type")
        assert found.name == header.name
        assert found.attr == (attr if placed or common else None)
        assert found.repeated == (attr in row.repeated)
        assert (found.note == "") is (placed or attr == "content_type")
    assert all(form.table[octet] is None for octet in range(0x80))
    assert all(slot(form.table, octet).note == "header-unknown" for octet in (0x80, *range(0xC0, 0x100)))


def test_the_order_of_writing_is_canonical() -> None:
    for form in FORMS.values():
        attrs = [found.attr for found in form.order]
        assert attrs == [attr for attr in CANONICAL_ORDER if attr in form.by_attr]
        assert attrs[0] in ("transaction_id", "mms_version")
        assert attrs[-1] == "content_type"


def test_grammars_differ_where_the_type_says_so() -> None:
    assert slot(FORMS[MessageType.M_DELETE_CONF].table, 0x83).read == CONTENT_LOCATION_DEL.read
    assert slot(FORMS[MessageType.M_DELETE_REQ].table, 0x83).read != CONTENT_LOCATION_DEL.read


def test_fields_whose_default_is_for_writers() -> None:
    assert FORMS[MessageType.M_SEND_REQ].blank == {"mms_version": None, "from_": None}
    assert FORMS[MessageType.M_SEND_CONF].blank == {"mms_version": None}


def test_forms_of_objects() -> None:
    assert form_of(SendReq()) is FORMS[MessageType.M_SEND_REQ]
    assert form_of(OtherPdu(number=0x80)) is OTHER_FORM
    assert {form.cls for form in FORMS.values()} == set(PDU_CLASSES)
    assert [found.attr for found in OTHER_FORM.order] == ["transaction_id", "mms_version", "content_type"]


def test_headers_of_parts() -> None:
    assert [found.attr for found in PART_ORDER] == ["content_id", "content_location", "content_disposition"]
    assert [found.key for found in PART_ORDER] == [0xC0, 0x8E, 0xAE]
    assert slot(PART_TABLE, 0xC5).attr == "content_disposition"
    assert slot(PART_TABLE, 0x8F).name == "Content-MD5"
    assert slot(PART_TABLE, 0xF0).note == "header-unknown"
    assert PART_TABLE[0x20] is None

"""The declarations of TPDUs: what they take, what they refuse and where, and the house rules for construct."""

from __future__ import annotations

from pathlib import Path

import pytest
from construct import Construct, GreedyRange, NullTerminated, VarInt

from mmsproxy.errors import PduError
from mmsproxy.wire import sms_schema as schema
from mmsproxy.wire.sms_schema import AddressField, Alphabet, UserDataField

DELIVER = bytes.fromhex("040a919471103254000062114211014240" + "05e8329bfd06")
SUBMIT = bytes.fromhex("11070a919471103254" + "0004" + "0b" + "02abcd")
REPORT = bytes.fromhex("06070a919471103254" + "62114211014240" + "62114211024240" + "00")


def test_a_deliver_by_hand_both_ways() -> None:
    fields = schema.Deliver.parse(DELIVER)
    assert fields.originator == AddressField(10, 0x91, bytes.fromhex("9471103254"))
    assert fields.timestamp == bytes.fromhex("62114211014240")
    assert fields.user_data == UserDataField(5, bytes.fromhex("e8329bfd06"))
    assert fields.tail == b""
    assert schema.Deliver.build(fields) == DELIVER


def test_a_submit_by_hand_both_ways() -> None:
    fields = schema.Submit.parse(SUBMIT)
    assert (fields.reference, fields.dcs, fields.validity) == (7, 4, b"\x0b")
    assert fields.user_data == UserDataField(2, b"\xab\xcd")
    assert schema.Submit.build(fields) == SUBMIT


@pytest.mark.parametrize(
    ("more", "parameters", "pid", "dcs", "user_data"),
    [
        ("", b"", None, None, None),
        ("00", b"\x00", None, None, None),
        ("0110", b"\x01", 0x10, None, None),
        ("070008020041", b"\x07", 0, 8, UserDataField(2, b"\x00\x41")),
        ("0402e832", b"\x04", None, None, UserDataField(2, bytes.fromhex("e832"))),
        ("818010" + "00", b"\x81\x80\x10", 0, None, None),
    ],
)
def test_a_status_report_with_what_it_announces(
    more: str, parameters: bytes, pid: int | None, dcs: int | None, user_data: UserDataField | None
) -> None:
    data = REPORT + bytes.fromhex(more)
    fields = schema.StatusReport.parse(data)
    assert (fields.parameters, fields.pid, fields.dcs, fields.user_data) == (parameters, pid, dcs, user_data)
    assert schema.StatusReport.build(fields) == data


def test_the_core_of_a_report_leaves_the_rest_as_a_tail() -> None:
    fields = schema.StatusReportCore.parse(REPORT + b"\x07")
    assert (fields.status, fields.tail) == (0, b"\x07")
    assert schema.StatusReportCore.build(fields) == REPORT + b"\x07"


@pytest.mark.parametrize("octets", ["00", "07919471010700" + "00"])
def test_a_service_centre_both_ways(octets: str) -> None:
    data = bytes.fromhex(octets)
    assert schema.ServiceCentre.parse(data) == data[1:]
    assert schema.ServiceCentre.build(data[1:]) == data


@pytest.mark.parametrize("format_bits", schema.VALIDITY_OCTETS)
def test_validity_takes_what_its_format_says(format_bits: int) -> None:
    count = schema.VALIDITY_OCTETS[format_bits]
    data = bytes((0x01 | format_bits, 0, 1, 0x81, 0xF1, 0, 4)) + b"\x11" * count + b"\x00"
    fields = schema.Submit.parse(data)
    assert fields.validity == b"\x11" * count
    assert schema.Submit.build(fields) == data


@pytest.mark.parametrize(
    ("data", "rule", "offset", "path"),
    [
        ("", "field-missing", 0, "first_octet"),
        ("04", "field-missing", 1, "originator"),
        ("040a919471", "address-beyond-data", 3, "originator"),
        ("040a919471103254", "field-missing", 8, "pid"),
        ("040a9194711032540000621142", "field-missing", 10, "timestamp"),
        (DELIVER[:17].hex(), "field-missing", 17, "user_data"),
        (DELIVER[:-1].hex(), "user-data-beyond-data", 18, "user_data"),
    ],
)
def test_refusals_name_offset_and_field(data: str, rule: str, offset: int, path: str) -> None:
    with pytest.raises(PduError) as refused:
        schema.Deliver.parse(bytes.fromhex(data))
    assert (refused.value.rule, refused.value.offset, refused.value.path) == (rule, offset, path)
    assert refused.value.context == bytes.fromhex(data)[max(0, offset - 8) : offset + 8].hex(" ")


def test_a_service_centre_beyond_the_data() -> None:
    with pytest.raises(PduError, match="service-centre-beyond-data"):
        schema.ServiceCentre.parse(b"\x07\x91")


@pytest.mark.parametrize(
    ("leaf", "value", "fields", "rule"),
    [
        (schema.Octet, 256, {}, "octet-out-of-range"),
        (schema.Octet, -1, {}, "octet-out-of-range"),
        (schema.TimestampOctets, b"123456", {}, "timestamp-length"),
        (schema.ServiceCentre, b"x" * 256, {}, "service-centre-too-long"),
        (schema.Address, AddressField(3, 0x91, b"\x11"), {}, "address-length"),
        (schema.Address, AddressField(2, 0x191, b"\x11"), {}, "address-length"),
        (schema.Address, AddressField(512, 0x91, b"\x11" * 256), {}, "address-length"),
        (schema.Validity, b"\x11", {"first_octet": 0x01}, "validity-length"),
        (schema.UserData, UserDataField(256, b"x" * 256), {}, "user-data-length"),
        (schema.UserData, UserDataField(3, b"x"), {}, "user-data-length"),
    ],
)
def test_building_refuses_what_a_field_cannot_hold(leaf: Construct, value: object, fields: dict[str, int], rule: str) -> None:
    with pytest.raises(PduError) as refused:
        leaf.build(value, **fields)
    assert refused.value.rule == rule


def test_a_field_of_a_whole_pdu_is_named_when_building() -> None:
    fields = schema.Deliver.parse(DELIVER) | {"pid": 300}
    with pytest.raises(PduError) as refused:
        schema.Deliver.build(fields)
    assert refused.value.path == "pid"


def test_a_leaf_without_its_two_methods_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        schema.Leaf()


@pytest.mark.parametrize(
    ("dcs", "alphabet", "septets"),
    [
        (0x00, Alphabet.GSM7, True),
        (0x04, Alphabet.DATA, False),
        (0x08, Alphabet.UCS2, False),
        (0x0C, Alphabet.GSM7, True),
        (0x10, Alphabet.GSM7, True),
        (0x18, Alphabet.UCS2, False),
        (0x20, Alphabet.GSM7, False),
        (0x44, Alphabet.DATA, False),
        (0x80, Alphabet.GSM7, True),
        (0xC8, Alphabet.GSM7, True),
        (0xD0, Alphabet.GSM7, True),
        (0xE0, Alphabet.UCS2, False),
        (0xF0, Alphabet.GSM7, True),
        (0xF5, Alphabet.DATA, False),
    ],
)
def test_coding_schemes(dcs: int, alphabet: Alphabet, septets: bool) -> None:
    assert schema.alphabet(dcs) is alphabet
    assert schema.counts_septets(dcs) is septets


def test_the_classes_that_are_wrong_or_quadratic_are_not_in_the_schema() -> None:
    declared = [value for value in vars(schema).values() if isinstance(value, Construct)]
    leaves = {type(sub) for struct in declared for sub in _walk(struct)}
    assert schema.UserDataLeaf in leaves, "the walk reaches the leaves"
    assert not leaves & {GreedyRange, NullTerminated, type(VarInt)}
    source = Path(schema.__file__).read_text("utf-8")
    assert not [word for word in ("CString", "lambda", "NullTerminated", "GreedyRange", "VarInt") if word in source]


def _walk(node: Construct) -> list[Construct]:
    children = [*getattr(node, "subcons", []), *[sub for sub in [getattr(node, "subcon", None), getattr(node, "thensubcon", None)] if sub]]
    return [node, *[leaf for child in children for leaf in _walk(child)]]

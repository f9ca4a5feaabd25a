"""Each oddity: named in lenient decoding, refused by strict decoding at the same place."""

from __future__ import annotations

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire import sms_pdu
from mmsproxy.wire.sms_findings import error_of
from mmsproxy.wire.sms_pdu import Direction

SCTS = "62114211014240"
OA = "0a919471103254"


@pytest.mark.parametrize(
    ("octets", "rule", "offset", "path"),
    [
        ("07" + OA + "0000" + SCTS + "00", "reserved-message-type", 0, "first_octet"),
        ("04" + "1591" + "11" * 10 + "f1" + "0000" + SCTS + "00", "address-too-long", 1, "originator"),
        ("04" + "0391" + "2143" + "0000" + SCTS + "00", "address-filler", 1, "originator"),
        ("04" + OA + "0000" + "00000000000000" + "00", "timestamp-without-meaning", 10, "timestamp"),
        ("04" + OA + "0004" + SCTS + "8d" + "00" * 141, "user-data-too-long", 17, "user_data"),
        ("44" + OA + "0000" + SCTS + "09" + "0605040b8423f00106", "user-data-length-in-octets", 17, "user_data"),
        ("44" + OA + "0004" + SCTS + "05" + "0470050102", "element-beyond-header", 19, "user_data.header"),
        ("44" + OA + "0004" + SCTS + "06" + "050003010001", "concatenation-ignored", 18, "user_data.header"),
        ("04" + OA + "0000" + SCTS + "00" + "ffff", "stray-octets", 18, "tail"),
    ],
)
def test_oddities_of_a_deliver(octets: str, rule: str, offset: int, path: str) -> None:
    data = bytes.fromhex(octets)
    tpdu = sms_pdu.decode(data, smsc=False)
    assert [(finding.rule, finding.offset, finding.path) for finding in tpdu.warnings] == [(rule, offset, path)]
    assert sms_pdu.encode(tpdu) == data
    with pytest.raises(PduError) as refused:
        sms_pdu.decode(data, smsc=False, strict=True)
    assert (refused.value.rule, refused.value.offset, refused.value.path) == (rule, offset, path)
    assert refused.value.context == data[max(0, offset - 8) : offset + 8].hex(" ")


def test_offsets_count_from_the_service_centre() -> None:
    tpdu = sms_pdu.decode_hex("07919471017600" + "00" + "04" + OA + "0000" + SCTS + "00" + "ff")
    assert [finding.offset for finding in tpdu.warnings] == [26]


@pytest.mark.parametrize(
    ("octets", "rule", "offset"),
    [
        ("0100" + "0391" + "2143" + "0000" + "00", "address-filler", 2),
        ("0100" + OA + "0004" + "8d" + "00" * 141, "user-data-too-long", 11),
        ("0100" + OA + "0000" + "00" + "00", "stray-octets", 12),
    ],
)
def test_oddities_of_a_submit(octets: str, rule: str, offset: int) -> None:
    tpdu = sms_pdu.decode(bytes.fromhex(octets), smsc=False, direction=Direction.MO)
    assert [(finding.rule, finding.offset) for finding in tpdu.warnings] == [(rule, offset)]
    with pytest.raises(PduError, match=rule):
        sms_pdu.decode(bytes.fromhex(octets), smsc=False, direction=Direction.MO, strict=True)


@pytest.mark.parametrize(
    ("octets", "rule", "offset"),
    [
        ("0607" + "0391" + "2143" + SCTS + SCTS + "00", "address-filler", 2),
        ("0607" + OA + "00" * 7 + SCTS + "00", "timestamp-without-meaning", 9),
        ("0607" + OA + SCTS + "00" * 7 + "00", "timestamp-without-meaning", 16),
        ("0607" + OA + SCTS + SCTS + "00" + "0604" + "8d" + "00" * 141, "user-data-too-long", 26),
        ("0607" + OA + SCTS + SCTS + "00" + "00" + "aa", "stray-octets", 25),
    ],
)
def test_oddities_of_a_report(octets: str, rule: str, offset: int) -> None:
    tpdu = sms_pdu.decode(bytes.fromhex(octets), smsc=False)
    assert [(finding.rule, finding.offset) for finding in tpdu.warnings] == [(rule, offset)]
    assert sms_pdu.encode(tpdu).hex() == octets


def test_a_warning_and_its_error_read_alike() -> None:
    (warning,) = sms_pdu.decode_hex("0000" + OA + "0000" + SCTS + "00" + "ff").warnings
    assert warning.context == "62 11 42 11 01 42 40 00 ff"
    assert str(error_of(warning)) == str(warning)

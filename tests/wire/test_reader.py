"""Lenient and strict: each oddity of real traffic with its warning and its refusal; errors with offset, path, rule and octets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire.mms_pdu import (
    Address,
    ContentType,
    Header,
    NotificationInd,
    Parameter,
    PartHeader,
    RetrieveConf,
    SendConf,
    SendReq,
    Text,
    canonical,
    decode,
    encode,
)
from mmsproxy.wire.reader import MAX_WARNINGS, context
from mmsproxy.wsp.leaf import RULES

Octets = Callable[[str], bytes]

# Frames without a fault: what stands behind them is the case.
SEND = '8C 80 98 "T" 00 8D 92 89 01 81 97 "+1/TYPE=PLMN" 00 '
MIXED = SEND + "84 A3 "
NOTE = '8C 82 98 "N" 00 8D 92 8A 80 8E 01 05 88 03 81 01 60 83 "http://m/1" 00 '
RETRIEVE = '8C 84 98 "R" 00 8D 92 85 04 69 22 36 80 '

# octets, rule, path: what lenient mode accepts with exactly this warning, and strict mode refuses for the same reason.
REFUSED_BY_STRICT = [
    # lengths
    (SEND + "88 1F 80 03 81 01 60 84 A3 00", "uintvar-leading-zero", "headers[5].X-Mms-Expiry"),
    (SEND + "88 04 81 01 60 00 84 A3 00", "value-shorter-than-length", "headers[5].X-Mms-Expiry"),
    (SEND + '96 06 EA "hi" 00 "x" 00 84 A3 00', "value-shorter-than-length", "headers[5].Subject"),
    (SEND + "9F 00 84 A3 00", "long-integer-length", "headers[5].X-Mms-Reply-Charging-Size"),
    (SEND + "9F 1F 01 05 84 A3 00", "long-integer-length", "headers[5].X-Mms-Reply-Charging-Size"),
    (SEND + "88 20 00 84 A3 00", "value-length-octet", "headers[5].X-Mms-Expiry"),
    (SEND + "88 81 84 A3 00", "value-length-octet", "headers[5].X-Mms-Expiry"),
    # texts
    (NOTE + '9E "m1"', "text-without-nul", "headers[7].X-Mms-Reply-Charging-ID"),
    (SEND + '96 03 EA "hi" 84 A3 00', "text-without-nul", "headers[5].Subject"),
    (SEND + '96 "a" 01 00 84 A3 00', "control-character", "headers[5].Subject"),
    (SEND + '96 04 EA "a" 07 00 84 A3 00', "control-character", "headers[5].Subject"),
    (SEND + '96 "Ärg" 00 84 A3 00', "eight-bit-without-quote", "headers[5].Subject"),
    (SEND + "96 C4 00 84 A3 00", "eight-bit-without-quote", "headers[5].Subject"),
    (SEND + '96 06 EA "Ärg" 00 84 A3 00', "eight-bit-without-quote", "headers[5].Subject"),
    (SEND + '96 7F "hi" 00 84 A3 00', "needless-quote", "headers[5].Subject"),
    (SEND + '96 05 EA 7F "hi" 00 84 A3 00', "needless-quote", "headers[5].Subject"),
    (SEND + '8A "a b" 00 84 A3 00', "token-character", "headers[5].X-Mms-Message-Class"),
    (NOTE.replace('"http', '" http'), "uri-character", "headers[6].X-Mms-Content-Location"),
    # values
    (NOTE + "89 00", "value-missing", "headers[7].From"),
    (NOTE + "89 01 82", "token-octet", "headers[7].From"),
    (NOTE + "89 40 00", "value-length-octet", "headers[7].From"),
    (NOTE + "9D 00", "value-missing", "headers[7].X-Mms-Reply-Charging-Deadline"),
    (NOTE + "9D 02 82 81", "token-octet", "headers[7].X-Mms-Reply-Charging-Deadline"),
    (NOTE + "8F 84", "octet-not-assigned", "headers[7].X-Mms-Priority"),
    (NOTE + "8F 03 01 02 03", "octet-not-assigned", "headers[7].X-Mms-Priority"),
    (NOTE + "B2 81", "value-length-octet", "headers[7].X-Mms-Element-Descriptor"),
    (NOTE + "86 99", "octet-not-assigned", "headers[7].X-Mms-Delivery-Report"),
    (NOTE + "86 01 80", "octet-not-assigned", "headers[7].X-Mms-Delivery-Report"),
    ('8C 81 98 "T" 00 8D "1.20" 00 92 80', "version-text", "headers[2].X-Mms-MMS-Version"),
    ('8C 95 98 "T" 00 8D 93 92 80', "count-missing", "headers[3].X-Mms-Response-Status"),
    # content type
    (SEND + "84 00", "content-type-empty", "headers[5].Content-Type"),
    (SEND + '84 02 "ab"', "text-without-nul", "headers[5].Content-Type"),
    (SEND + "84 02 A3 81 00", "value-missing", "headers[5].Content-Type.parameters[0]"),
    (SEND + "84 04 A3 81 EA 89 00", "value-missing", "headers[5].Content-Type.parameters[1]"),
    (SEND + "84 05 A3 81 EA 91 00 00", "short-integer-octet", "headers[5].Content-Type.parameters[1]"),
    (SEND + '84 06 A3 "a b" 00 85 00', "token-character", "headers[5].Content-Type.parameters[0]"),
    (SEND + "84 D9", "media-unknown", "headers[5].Content-Type"),
    # body
    (SEND + "84 A3", "body-missing", "body"),
    (SEND + "84 B3 00", "multipart-empty", "body"),
    (MIXED + '01 01 02 83 "hi" 00 00', "stray-octets", "parts[1]"),
    (MIXED + '01 02 02 02 83 "hi"', "value-length-beyond-data", "parts[0].headers[0].content-type"),
    (MIXED + '01 00 02 "hi"', "value-missing", "parts[0].headers[0].content-type"),
    (MIXED + '01 06 02 83 C0 "<a>" 00 "hi"', "quoted-string-unquoted", "parts[0].headers[1].Content-ID"),
    (MIXED + '01 06 02 83 8E "a b" 00 "hi"', "uri-character", "parts[0].headers[1].Content-Location"),
    (MIXED + '01 04 02 83 AE 01 83 "hi"', "octet-not-assigned", "parts[0].headers[1].Content-Disposition"),
    (MIXED + '01 03 02 83 05 06 "hi"', "stray-octets", "parts[0].headers[1]"),
    (MIXED + '01 03 02 83 7F 00 "hi"', "stray-octets", "parts[0].headers[1]"),
    (MIXED + "01 01 02 A3 02 01", "value-missing", "parts[0].parts[0]"),
    (MIXED + "01 01 06 A3 01 01 01 83 41 41", "multipart-not-filled", "parts[0]"),
    (NOTE + '84 83 "hi"', "body-out-of-place", "body"),
    # frame
    (NOTE + "00 0A", "stray-octets", "headers[7]"),
    ('8C 81 8D 92 98 "T" 00 92 80', "frame-order", "headers[1]"),
    ('8C 81 98 "T" 00 92 80 8D 92', "frame-order", "headers[1]"),
    ("8C 86 8B 00 97 61 00 85 01 01 95 81 8D 92", "frame-order", "headers[1]"),
    ("8C 81 8D 92 92 80", "mandatory-header-missing", "X-Mms-Transaction-ID"),
    ('8C 81 98 "T" 00 92 80', "mandatory-header-missing", "X-Mms-MMS-Version"),
    ('8C 80 98 "T" 00 8D 92 89 01 81 84 A3 00', "mandatory-header-missing", "To"),
    (RETRIEVE + "99 E2", "mandatory-header-missing", "Content-Type"),
    ('8C 98 98 "T" 00 8D 93', "octet-not-assigned", "headers[0].X-Mms-Message-Type"),
]


def rules(pdu: object) -> list[tuple[str, str]]:
    return [(warning.rule, warning.path) for warning in pdu.warnings]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("notation", "rule", "path"), REFUSED_BY_STRICT)
def test_lenient_accepts_with_one_warning_what_strict_refuses(notation: str, rule: str, path: str, octets: Octets) -> None:
    data = octets(notation)
    pdu = decode(data)
    expected = [(rule, path)]
    if rule == "body-out-of-place":
        expected.append(("body-not-multipart", "body"))
    if rule in ("content-type-empty", "media-unknown") or '"ab"' in notation:
        expected.append(("body-not-multipart", "body"))
    assert rules(pdu) == expected
    assert all(warning.detail == RULES[warning.rule] and warning.context for warning in pdu.warnings)
    assert encode(pdu) == data
    with pytest.raises(PduError) as caught:
        decode(data, strict=True)
    assert (caught.value.rule, caught.value.path) == (rule, path)
    assert caught.value.offset == pdu.warnings[0].offset
    assert caught.value.context == context(data, caught.value.offset) == pdu.warnings[0].context
    assert decode(encode(canonical(pdu))).message_type == pdu.message_type


# octets, rules: oddities that break no grammar. Both modes take them; where strict mode has another reason to refuse, `None`.
NOTED_BY_BOTH = [
    (SEND + "95 81 84 A3 00", ["header-out-of-place"]),
    (SEND + "96 00 96 00 84 A3 00", ["header-repeated"]),
    (SEND + "C5 02 8C 80 84 A3 00", ["header-unknown"]),
    (SEND + '"X-Scanned-By" 00 "me" 00 84 A3 00', ["header-textual"]),
    (SEND + '97 "?" 00 84 A3 00', ["address-unrecognised"]),
    (SEND + "81 00 84 A3 00", ["address-unrecognised"]),
    ('8C 81 98 "T" 00 8D "1.3" 00 92 80', ["version-as-text"]),
    ('8C 81 98 "T" 00 8D 94 92 80', ["version-unknown"]),
    ('8C 81 98 "T" 00 8D 8F 92 80', ["version-unknown"]),
    ('8C 81 98 "T" 00 8D 92 92 99', ["octet-reserved"]),
    (MIXED + '01 0B 02 "text/plain" 00 "hi"', ["textual-media"]),
    (MIXED + '01 0E 02 0D "image/jpeg" 00 81 83 "hi"', ["textual-media"]),
    (RETRIEVE + '84 "text/plain" 00 "hi"', ["textual-media", "body-not-multipart"]),
    (MIXED + '01 09 02 08 83 85 22 "a b" 22 00 "hi"', ["quoted-parameter"]),
    (SEND + "96 04 EA 7F D0 00 84 A3 00", ["text-undecodable"]),
    (SEND + '96 05 83 "a" C3 BC 00 84 A3 00', ["text-undecodable"]),
    (SEND + "96 06 EA 7F EF BB BF 00 84 A3 00", ["text-byte-order-mark"]),
    (SEND + '96 05 02 09 C4 "a" 00 84 A3 00', ["charset-unknown"]),
    (SEND + '84 83 "hi"', ["body-not-multipart"]),
    (SEND + '84 0F A3 "charset" 00 "utf-8" 00 00', ["textual-parameter"]),
    (SEND + "84 03 A3 FE 81 00", ["parameter-unknown"]),
    (MIXED + '01 08 02 83 C0 22 "<a>" 22 00 "hi"', ["quoted-string-closed"]),
    (MIXED + '01 06 02 83 "X-A" 00 00 "hi"', ["header-textual"]),
    (MIXED + '01 03 02 83 F0 81 "hi"', ["header-unknown"]),
]


@pytest.mark.parametrize(("notation", "expected"), NOTED_BY_BOTH)
def test_oddities_that_break_no_grammar_are_noted_in_both_modes(notation: str, expected: list[str], octets: Octets) -> None:
    data = octets(notation)
    for strict in (False, True):
        pdu = decode(data, strict=strict)
        assert [warning.rule for warning in pdu.warnings] == expected
        assert pdu.warnings[0].path
        assert encode(pdu) == data
        assert decode(encode(canonical(pdu))) == pdu


# What real traffic is full of and is not worth a word (mms.md 11).
NORMAL = [
    SEND + "84 01 A3 00",
    SEND + '96 1F 04 EA "hi" 00 84 A3 00',
    NOTE.replace("8E 01 05", "8E 04 00 01 8B D8"),
    NOTE.replace("88 03 81 01 60", "88 02 81 80"),
    NOTE.replace("88 03 81 01 60", "88 06 80 04 00 00 00 01"),
    NOTE + '89 07 80 "12345" 00',
    '8C 81 98 "T" 00 8D 90 92 E1 8B "m1" 00',
    MIXED + '01 25 02 83 "Content-Transfer-Encoding" 00 "base64" 00 8E "a" 00 "hi"',
]


@pytest.mark.parametrize("notation", NORMAL)
def test_normal_forms_are_taken_without_a_word(notation: str, octets: Octets) -> None:
    data = octets(notation)
    pdu = decode(data)
    assert pdu.warnings == ()
    assert encode(pdu) == data
    assert decode(encode(canonical(pdu))) == pdu


def test_strict_refuses_leading_zeros_of_a_long_integer(octets: Octets) -> None:
    with pytest.raises(PduError) as caught:
        decode(octets(NOTE.replace("8E 01 05", "8E 02 00 05")), strict=True)
    assert caught.value.rule == "long-integer-leading-zero"


# octets, rule, offset, path: refused in both modes.
REFUSED = [
    ("", "not-an-mms-pdu", 0, ""),
    ("8C", "value-missing", 1, ""),
    ("8C 05", "not-an-mms-pdu", 1, ""),
    ('"<html>"', "not-an-mms-pdu", 0, ""),
    (NOTE + "89", "value-missing", 30, "headers[7].From"),
    (NOTE + '89 1F 7F 80 "x" 00', "value-length-beyond-data", 30, "headers[7].From"),
    (NOTE + "8F", "value-missing", 30, "headers[7].X-Mms-Priority"),
    (NOTE + "05 8F 81", "stray-octets", 29, ""),
    (NOTE + '7F "X" 00 "y" 00', "stray-octets", 29, ""),
    (NOTE + "B2", "value-missing", 30, "headers[7].X-Mms-Element-Descriptor"),
    (NOTE + '"X-A" 00', "value-missing", 33, "headers[7]"),
    (SEND + "84", "value-missing", 25, "headers[5].Content-Type"),
    (SEND + "84 05 A3", "value-length-beyond-data", 25, "headers[5].Content-Type"),
    (MIXED + "02 01 02 83 68 69", "value-missing", 32, "parts[1]"),
    (MIXED + "01 01 03 83 68 69", "part-beyond-data", 27, "parts[0]"),
    (MIXED + "01 05 00 83", "part-beyond-data", 27, "parts[0]"),
    (MIXED + "01 81", "value-missing", 27, "parts[0]"),
    (MIXED + "01 02 00 83 8D", "value-missing", 31, "parts[0].headers[1].Content-Length"),
    (MIXED + '01 04 00 83 "ab" 00', "value-missing", 33, "parts[0].headers[1]"),
]


@pytest.mark.parametrize(("notation", "rule", "offset", "path"), REFUSED)
def test_both_modes_refuse(notation: str, rule: str, offset: int, path: str, octets: Octets) -> None:
    data = octets(notation)
    for strict in (False, True):
        with pytest.raises(PduError) as caught:
            decode(data, strict=strict)
        error = caught.value
        assert (error.rule, error.offset, error.path) == (rule, offset, path)
        assert error.context == context(data, offset)
        assert error.detail == RULES[rule]


def test_an_error_names_the_parameter_of_a_nested_part(octets: Octets) -> None:
    inner = "01 06 00 05 83 81 EA 91 00"
    with pytest.raises(PduError) as caught:
        decode(octets(MIXED + f"01 01 09 A3 {inner}"), strict=True)
    assert caught.value.path == "parts[0].parts[0].headers[0].content-type.parameters[1]"
    assert str(caught.value).startswith("offset 38: parts[0].parts[0].headers[0].content-type.parameters[1] short-integer-octet:")


# --- what the fields hold when something was odd ---------------------------------------------------------------------------------------


def test_a_value_that_breaks_its_grammar_is_kept_as_octets(octets: Octets) -> None:
    pdu = decode(octets(NOTE + "8F 03 01 02 03 C5 01 07"))
    assert isinstance(pdu, NotificationInd)
    assert pdu.priority is None
    assert pdu.extra == (Header(0x8F, b"\x03\x01\x02\x03"), Header(0xC5, b"\x01\x07"))
    assert [header.offset for header in pdu.extra] == [29, 34]
    assert [header.raw for header in pdu.extra] == [b"\x8f\x03\x01\x02\x03", b"\xc5\x01\x07"]


def test_an_unknown_octet_stays_a_number(octets: Octets) -> None:
    pdu = decode(octets(NOTE + "8F 90 86 99"))
    assert isinstance(pdu, NotificationInd)
    assert (pdu.priority, pdu.delivery_report) == (0x90, 0x99)


def test_the_first_of_a_repeated_header_counts(octets: Octets) -> None:
    pdu = decode(octets(SEND + '96 "a" 00 96 "b" 00 82 "c" 00 82 "d" 00'))
    assert isinstance(pdu, SendReq)
    assert pdu.subject == Text("a")
    assert pdu.extra == (Header(0x96, Text("b")),)
    assert pdu.cc == (Address("c"), Address("d"))


def test_plain_text_of_eight_bits_is_utf_8_or_latin_1(octets: Octets) -> None:
    for raw, text in (('"Ärg"', "Ärg"), ('C4 "rg"', "Ärg")):
        pdu = decode(octets(SEND + f"96 {raw} 00"))
        assert isinstance(pdu, SendReq)
        assert pdu.subject is not None
        assert (pdu.subject.text, pdu.subject.charset) == (text, None)
        again = decode(encode(canonical(pdu)))
        assert isinstance(again, SendReq)
        assert again.subject == Text(text, 106)


def test_a_body_that_is_no_multipart_is_one_part(octets: Octets) -> None:
    pdu = decode(octets(RETRIEVE + '99 E2 9A "4504:Message not found" 00 84 83 "not found"'), strict=True)
    assert isinstance(pdu, RetrieveConf)
    assert [(part.content_type.media, bytes(part.data)) for part in pdu.parts] == [("text/plain", b"not found")]
    assert decode(octets(RETRIEVE + "84 83")).parts == ()


def test_a_part_without_a_readable_media_type_keeps_its_data(octets: Octets) -> None:
    part = decode(octets(MIXED + '01 02 02 02 83 "hi"')).parts[0]
    assert (part.content_type, bytes(part.data)) == (ContentType("application/octet-stream"), b"hi")


def test_parameters_before_an_unreadable_one_are_kept(octets: Octets) -> None:
    content_type = decode(octets(SEND + "84 04 A3 81 EA 89 00")).content_type
    assert content_type == ContentType("application/vnd.wap.multipart.mixed", charset=106)
    content_type = decode(octets(SEND + "84 06 A3 81 EA 91 01 05 00")).content_type
    assert content_type is not None
    assert content_type.parameters[1] == Parameter("sec", b"\x01\x05", 0x11)


def test_a_nested_multipart_that_does_not_parse_stays_a_leaf(octets: Octets) -> None:
    part = decode(octets(MIXED + "01 01 06 A3 01 01 01 83 41 41")).parts[0]
    assert part.parts is None
    assert bytes(part.data) == b"\x01\x01\x01\x83\x41\x41"


def test_headers_of_parts_find_their_fields(octets: Octets) -> None:
    head = '83 C0 22 "<a>" 00 8E "a.txt" 00 AE 01 81 C5 01 82 8D 85 C0 22 "<b>" 00'
    data = octets(head)
    part = decode(octets(MIXED) + bytes((1, len(data), 0)) + data).parts[0]
    assert (part.content_id, part.content_location) == ("<a>", "a.txt")
    assert part.content_disposition is not None
    assert part.content_disposition.kind == "attachment"
    assert [(header.name, header.value) for header in part.headers][1:] == [("Content-Length", 5), ("Content-ID", "<b>")]
    assert isinstance(part.headers[0], PartHeader)


def test_warnings_are_capped(octets: Octets) -> None:
    pdu = decode(octets(SEND) + b"\xc5\x80" * 400)
    assert len(pdu.warnings) == MAX_WARNINGS


def test_a_refused_message_keeps_its_id(octets: Octets) -> None:
    pdu = decode(octets('8C 81 98 "T" 00 8D 92 92 E1 8B "m1" 00'))
    assert isinstance(pdu, SendConf)
    assert (pdu.response_status, pdu.message_id) == (0xE1, "m1")


@pytest.mark.parametrize(("offset", "expected"), [(0, "00 01 02"), (99, "00 01 02")])
def test_context_of_short_data(offset: int, expected: str) -> None:
    assert context(b"\x00\x01\x02", offset) == expected


def test_context_stands_around_the_offset() -> None:
    assert context(bytes(range(64)), 32) == bytes(range(24, 40)).hex(" ")

"""Editing a decoded PDU: only what was changed is written anew, in its place; and what cannot be written is the one error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire.mms_pdu import (
    Address,
    ContentType,
    Header,
    MessageClass,
    NotificationInd,
    OtherPdu,
    Parameter,
    Part,
    PartHeader,
    Priority,
    Relative,
    RetrieveConf,
    SendReq,
    Text,
    canonical,
    decode,
    encode,
)

Octets = Callable[[str], bytes]

# Long forms, no Quote, an order of its own, unknown and textual headers, a repeated Subject, octets behind the last part.
ODD = (
    '8C 80 98 "T" 00 8D "1.2" 00 C5 02 8C 80 96 06 EA "Ärg" 00 97 1F 03 EA "a" 00'
    '"X-A" 00 "b" 00 97 "b" 00 96 "two" 00 85 05 00 01 02 03 04 89 01 81 84 03 A3 81 EA'
    '02 80 06 03 83 C0 "a" 00 8D 85 "abc" 04 80 02 03 83 81 EA "xy" 00 00'
)


@pytest.fixture
def source(octets: Octets) -> bytes:
    return octets(ODD)


@pytest.fixture
def pdu(source: bytes) -> SendReq:
    found = decode(source)
    assert isinstance(found, SendReq)
    assert encode(found) == source
    return found


def test_one_header_is_changed_in_its_place(pdu: SendReq, source: bytes, octets: Octets) -> None:
    assert encode(pdu.replace(subject=Text("new"))) == source.replace(octets('96 06 EA "Ärg" 00'), octets('96 "new" 00'))
    assert encode(pdu.replace(date=5)) == source.replace(octets("85 05 00 01 02 03 04"), octets("85 01 05"))
    assert encode(pdu.replace(transaction_id="U")) == source.replace(octets('98 "T" 00'), octets('98 "U" 00'))
    assert encode(pdu.replace(mms_version=0x93)) == source.replace(octets('8D "1.2" 00'), octets("8D 93"))


def test_an_equal_value_keeps_its_octets(pdu: SendReq, source: bytes) -> None:
    assert pdu.subject is not None
    same = pdu.replace(subject=Text(pdu.subject.text, pdu.subject.charset), mms_version=0x92, date=pdu.date, to=tuple(pdu.to))
    assert encode(same) == source


def test_a_header_is_taken_out(pdu: SendReq, source: bytes, octets: Octets) -> None:
    assert encode(pdu.replace(date=None)) == source.replace(octets("85 05 00 01 02 03 04"), b"")
    assert encode(pdu.replace(extra=pdu.extra[1:])) == source.replace(octets("C5 02 8C 80"), b"")
    assert encode(pdu.replace(to=())) == source.replace(octets('97 1F 03 EA "a" 00'), b"").replace(octets('97 "b" 00'), b"")


def test_headers_are_added_before_the_content_type(pdu: SendReq, source: bytes, octets: Octets) -> None:
    edited = pdu.replace(priority=Priority.HIGH, cc=(Address("c"),), extra=(*pdu.extra, Header(0xC6, b"\x80"), Header("X-B", "d")))
    added = octets('82 "c" 00 8F 82 C6 80 "X-B" 00 "d" 00')
    assert encode(edited) == source.replace(octets("84 03 A3 81 EA"), added + octets("84 03 A3 81 EA"))


def test_addresses_take_the_places_of_addresses(pdu: SendReq, source: bytes, octets: Octets) -> None:
    first, second = octets('97 1F 03 EA "a" 00'), octets('97 "b" 00')
    swapped = pdu.replace(to=(pdu.to[1], pdu.to[0]))
    assert encode(swapped) == source.replace(first, b"?").replace(second, first).replace(b"?", second)
    longer = pdu.replace(to=(*pdu.to, Address("c"), Address("d")))
    assert encode(longer) == source.replace(second, second + octets('97 "c" 00 97 "d" 00'))
    shorter = pdu.replace(to=(pdu.to[1],))
    assert encode(shorter) == source.replace(second, b"").replace(first, second)


def test_the_body_is_kept_with_another_content_type(pdu: SendReq, source: bytes, octets: Octets) -> None:
    edited = pdu.replace(content_type=ContentType("application/vnd.wap.multipart.related"))
    assert encode(edited) == source.replace(octets("84 03 A3 81 EA"), octets("84 B3"))


def test_one_part_is_changed(pdu: SendReq, source: bytes, octets: Octets) -> None:
    first, second = pdu.parts
    # The data: its length is written anew, the head is not.
    edited = pdu.replace(parts=(first.replace(data=b"abcd"), second))
    assert encode(edited) == source.replace(octets('02 80 06 03 83 C0 "a" 00 8D 85 "abc"'), octets('02 06 04 83 C0 "a" 00 8D 85 "abcd"'))
    # One header: the others keep their octets.
    edited = pdu.replace(parts=(first.replace(content_location="x"), second))
    assert octets('09 03 83 C0 "a" 00 8D 85 8E "x" 00 "abc"') in encode(edited)
    edited = pdu.replace(parts=(first.replace(content_id="b"), second))
    assert octets('07 03 83 C0 22 "b" 00 8D 85 "abc"') in encode(edited)
    edited = pdu.replace(parts=(first.replace(content_type=ContentType("image/gif")), second))
    assert octets('80 06 03 9D C0 "a" 00 8D 85 "abc"') in encode(edited)
    # What stood behind the last part stays there.
    assert encode(edited).endswith(octets('04 80 02 03 83 81 EA "xy" 00 00'))


def test_parts_are_added_and_taken_out(pdu: SendReq, source: bytes, octets: Octets) -> None:
    first, second = pdu.parts
    new = Part(ContentType("text/plain"), b"z", headers=(PartHeader(0x8D, 1),))
    assert octets('03 80 06 03 83 C0 "a" 00 8D 85 "abc" 04 80 02 03 83 81 EA "xy" 03 01 83 8D 81 "z" 00 00') in encode(
        pdu.replace(parts=(first, second, new))
    )
    assert encode(pdu.replace(parts=())).endswith(octets("84 03 A3 81 EA 00 00 00"))


def test_a_nested_multipart_keeps_its_octets_until_it_is_changed(octets: Octets) -> None:
    inner = octets('01 80 01 02 83 "hi"')
    data = octets('8C 80 98 "T" 00 8D 92 89 01 81 97 61 00 84 A3 01 01') + bytes((len(inner),)) + octets("A6") + inner
    pdu = decode(data)
    assert encode(pdu) == data
    (part,) = pdu.parts
    assert part.parts is not None
    moved = pdu.replace(parts=(part.replace(content_location="x"),))
    assert inner in encode(moved)
    changed = pdu.replace(parts=(part.replace(parts=(part.parts[0].replace(data=b"ho"),)),))
    assert encode(changed).endswith(octets('01 01 07 A6 01 80 01 02 83 "ho"'))
    assert decode(encode(canonical(changed))) == changed


# --- a last header without its NUL ------------------------------------------------------------------------------------------------------

NOTE = '8C 82 98 "N" 00 8D 92 8A 80 8E 01 05 88 03 81 01 60 83 "http://m/1" 00 '


@pytest.mark.parametrize(
    "last",
    [
        '9E "m1"',
        '96 "hi"',
        "96 C3",
        '"X-A" 00 "b"',
        'C5 "abc"',
        '8F "low"',
        '89 "me"',
        '8A "own"',
        '96 03 EA "hi"',
        "8F 81",
        "C5 85",
        "89 01 81",
        '8B 0E "abc"',
    ],
)
def test_something_is_added_behind_a_last_header_without_its_nul(last: str, octets: Octets) -> None:
    data = octets(NOTE + last)
    pdu = decode(data)
    assert encode(pdu) == encode(dataclasses.replace(pdu)) == data
    edited = pdu.replace(replace_id="r", extra=(*pdu.extra, Header("X-B", "c")))
    again = decode(encode(edited))
    assert isinstance(again, NotificationInd)
    assert again.replace_id == "r"
    assert [header.key for header in again.extra] == [header.key for header in edited.extra]
    assert again.replace(replace_id=None, extra=()) == pdu.replace(extra=())


def test_recipients_change_places_with_an_unfinished_one(octets: Octets) -> None:
    pdu = decode(octets('8C 80 98 "T" 00 8D 92 97 "a" 00 97 "b"'))
    assert isinstance(pdu, SendReq)
    assert encode(pdu.replace(to=(pdu.to[1], pdu.to[0]))) == octets('8C 80 98 "T" 00 8D 92 97 "b" 00 97 "a" 00')


def test_an_unfinished_content_type_gets_its_nul_before_a_body(octets: Octets) -> None:
    data = octets('8C 84 98 "R" 00 8D 92 85 01 01 84 "text/plain"')
    pdu = decode(data)
    assert encode(pdu) == encode(pdu.replace(parts=())) == data
    part = Part(ContentType("text/plain"), b"hi")
    assert encode(pdu.replace(parts=(part,))) == data + b"\0hi"
    assert encode(pdu.replace(date=2)) == data.replace(b"\x85\x01\x01", b"\x85\x01\x02")


@pytest.mark.parametrize("head", ['"text/x"', '83 8E "a"', '83 "X-A" 00 "b"', "83 8D 85", '02 "ab"'])
def test_a_header_is_added_to_a_part_whose_head_ends_unfinished(head: str, octets: Octets) -> None:
    raw = octets(head)
    pdu = decode(octets('8C 80 98 "T" 00 8D 92 84 A3 01') + bytes((len(raw), 2)) + raw + b"hi")
    edited = pdu.replace(parts=(pdu.parts[0].replace(content_id="<a>"),))
    again = decode(encode(edited))
    assert again == edited
    assert encode(pdu.replace(parts=(pdu.parts[0].replace(data=b"ho"),))) == encode(pdu)[:-2] + b"ho"


def test_octets_that_are_no_header_stay_last(octets: Octets) -> None:
    pdu = decode(octets(NOTE + "00 0A"))
    edited = encode(pdu.replace(replace_id="r"))
    assert edited == octets(NOTE + 'BD "r" 00 00 0A')
    assert encode(decode(edited)) == edited


# --- what cannot be written ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rule", "path"),
    [
        ({"subject": 5}, "value-of-wrong-type", "Subject"),
        ({"subject": "text"}, "value-of-wrong-type", "Subject"),
        ({"to": (None,)}, "value-of-wrong-type", "To"),
        ({"date": -1}, "value-out-of-range", "Date"),
        ({"date": "now"}, "value-of-wrong-type", "Date"),
        ({"date": 1 << 240}, "value-out-of-range", "Date"),
        ({"transaction_id": "a\0b"}, "nul-in-text", "X-Mms-Transaction-ID"),
        ({"transaction_id": "\ud800"}, "value-out-of-range", "X-Mms-Transaction-ID"),
        ({"transaction_id": "x" * 70000}, "text-too-long", "X-Mms-Transaction-ID"),
        ({"subject": Text("a\0b")}, "nul-in-text", "Subject"),
        ({"subject": Text("\0", 106)}, "nul-in-text", "Subject"),
        ({"subject": Text("ä", 3)}, "value-out-of-range", "Subject"),
        ({"subject": Text("ä", 104)}, "value-out-of-range", "Subject"),
        ({"subject": Text("ä" * 40000)}, "text-too-long", "Subject"),
        ({"priority": 5}, "value-out-of-range", "X-Mms-Priority"),
        ({"delivery_report": 5}, "value-out-of-range", "X-Mms-Delivery-Report"),
        ({"mms_version": 0x12}, "value-out-of-range", "X-Mms-MMS-Version"),
        ({"expiry": 60}, "value-of-wrong-type", "X-Mms-Expiry"),
        ({"expiry": Relative(-1)}, "value-out-of-range", "X-Mms-Expiry"),
        ({"from_": 5}, "value-of-wrong-type", "From"),
        ({"store": "yes"}, "value-of-wrong-type", "X-Mms-Store"),
        ({"content_type": None}, "value-missing", "Content-Type"),
        ({"content_type": ContentType("text/plain")}, "value-out-of-range", "parts"),
        ({"content_type": ContentType("text/plain", q=2.0)}, "value-out-of-range", "Content-Type"),
        ({"extra": (Header(0x05, b"\x80"),)}, "value-out-of-range", "0x05"),
        ({"extra": (Header(0xC5, b"\x05"),)}, "value-length-beyond-data", "0xC5"),
        ({"extra": (Header(0xC5, b"\x80\x80"),)}, "value-out-of-range", "0xC5"),
        ({"extra": (Header(0xC5, "text"),)}, "value-of-wrong-type", "0xC5"),
        ({"extra": (Header(0x96, 5),)}, "value-of-wrong-type", "Subject"),
        ({"extra": (Header("", "x"),)}, "token-character", "extra"),
        ({"extra": (Header("ä", "x"),)}, "token-character", "extra"),
        ({"extra": (Header("X-A", 5),)}, "value-of-wrong-type", "extra"),
        ({"parts": (Part(ContentType("text/plain"), headers=(PartHeader(0x8D, -1),)),)}, "value-out-of-range", "parts[0].Content-Length"),
        ({"parts": (Part(ContentType("x\0y")),)}, "nul-in-text", "parts[0].content-type"),
        ({"parts": (Part(ContentType("a/b"), parts=(Part(ContentType("c\0")),)),)}, "nul-in-text", "parts[0].parts[0].content-type"),
    ],
)
def test_what_cannot_be_written_is_the_one_error(changes: dict[str, Any], rule: str, path: str) -> None:
    part = Part(ContentType("text/plain"), b"hi")
    whole = SendReq(transaction_id="T", content_type=ContentType("application/vnd.wap.multipart.mixed"), parts=(part, part))
    for pdu in (whole, decode(encode(whole))):
        with pytest.raises(PduError) as caught:
            encode(pdu.replace(**changes))
        assert (caught.value.rule, caught.value.path) == (rule, path)
        assert caught.value.offset >= 0


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": None},
        {"parts": (None,)},
        {"parts": (Part(ContentType("a/b"), "text"),)},  # type: ignore[arg-type]
        {"parts": (Part(ContentType("a/b"), memoryview(bytes(8)).cast("I")),)},
        {"content_type": "text/plain"},
        {"extra": (None,)},
    ],
)
def test_a_body_that_is_none_is_the_one_error(changes: dict[str, Any]) -> None:
    pdu = SendReq(transaction_id="T", content_type=ContentType("application/vnd.wap.multipart.mixed"))
    with pytest.raises(PduError) as caught:
        encode(pdu.replace(**changes))
    assert caught.value.rule == "value-of-wrong-type"


def test_a_content_type_is_added_to_a_pdu_that_had_none(octets: Octets) -> None:
    pdu = decode(octets('8C 84 98 "R" 00 8D 92 85 01 01'))
    assert isinstance(pdu, RetrieveConf)
    edited = pdu.replace(content_type=ContentType("application/vnd.wap.multipart.mixed"), message_class=MessageClass.AUTO)
    assert encode(edited) == octets('8C 84 98 "R" 00 8D 92 85 01 01 8A 83 84 A3 00')


def test_an_other_pdu_may_take_an_assigned_number() -> None:
    octets = encode(OtherPdu(number=0x85, transaction_id="T", extra=(Header(0x91, True),)))
    assert octets == b"\x8c\x85\x98T\0\x8d\x92\x91\x80"
    with pytest.raises(PduError):
        encode(OtherPdu(number=5))


def test_canonical_writes_the_shortest_forms(pdu: SendReq, octets: Octets) -> None:
    assert encode(canonical(pdu)) == octets(
        '8C 80 98 "T" 00 8D 92 85 04 01 02 03 04 89 01 81 97 03 EA "a" 00 97 "b" 00 96 07 EA 7F "Ärg" 00'
        'C5 02 8C 80 "X-A" 00 "b" 00 96 "two" 00 84 03 A3 81 EA'
        '02 07 03 83 C0 22 "a" 00 8D 85 "abc" 04 02 03 83 81 EA "xy"'
    )


def test_a_parameter_may_be_written_by_any_of_its_numbers(octets: Octets) -> None:
    for number, raw in ((None, '"name" 00'), (0x05, "85"), (0x17, "97")):
        made = ContentType("text/plain", (Parameter("name", "a", number),))
        assert octets(f'{raw} "a" 00') in encode(RetrieveConf(date=1, content_type=made))

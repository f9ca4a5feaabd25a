"""Pushes typed by hand from WAP-230, both ways; the way from SMS to MMS; what no octets may do."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu, sms_compose, sms_parts, sms_pdu, wap_push
from mmsproxy.wire.mms_pdu import ContentType, PartHeader
from mmsproxy.wire.wap_push import Push

FIXED = settings(derandomize=True, deadline=None, max_examples=150)
MMS = b"application/vnd.wap.mms-message".hex()
NOTIFICATION = "8c82" + "984e3100" + "8d90" + "8a80" + "8e027000" + "88058103" + "03f480" + "83687474703a2f2f6d6d73632f3100"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def push(head: str, body: str = NOTIFICATION, start: str = "0106") -> bytes:
    """TID and type, HeadersLen of the head, head, body."""
    return bytes.fromhex(f"{start}{len(head) // 2:02x}{head}{body}")


VECTORS = {
    "the usual one": push("be" + "af84"),
    "media type as text": push(MMS + "00" + "af84"),
    "general form, number": push("01be" + "af84"),
    "general form, long number": push("02013e" + "af84"),
    "general form, text and charset": push("1f22" + MMS + "00" + "81ea" + "af84"),
    "application id as text": push("be" + "af" + b"x-wap-application:mms.ua".hex() + "00"),
    "no application id": push("be"),
    "service indication": push("03ae81ea" + "8d01a2" + "b484" + "c395"),
    "all that is known": push("be" + "8ddb" + "af84" + "b487" + "b1" + b"http://a/".hex() + "00" + "c395"),
    "unknown and textual headers": push("be" + "f081" + b"X-Tag".hex() + "00" + b"1".hex() + "00" + "af84"),
    "grammar broken": push("be" + "b4026161" + "af84"),
    "headers end with stray octets": push("be" + "af84" + "0000"),
    "confirmed": push("be" + "af84", start="0107"),
    "nothing behind the headers": push("be" + "af84", ""),
    "HeadersLen with a leading zero": bytes.fromhex("2e06" + "8003" + "beaf84" + NOTIFICATION),
    "text not closed": push("be" + "af84" + "b1" + "61"),
}
RULES = {
    "no application id": ["application-id-other"],
    "unknown and textual headers": ["header-unknown"],
    "grammar broken": ["short-integer-octet"],
    "headers end with stray octets": ["stray-octets"],
    "confirmed": ["push-confirmed"],
    "nothing behind the headers": ["push-body-missing"],
    "HeadersLen with a leading zero": ["uintvar-leading-zero"],
    "text not closed": ["text-without-nul"],
    "all that is known": ["content-length-wrong"],
    "service indication": ["content-length-wrong"],
}
NOTED = {"application-id-other", "header-unknown", "push-confirmed", "content-length-wrong"}  # odd, but refused in no mode


@pytest.mark.parametrize("name", VECTORS)
def test_octets_come_back(name: str) -> None:
    assert wap_push.encode(wap_push.decode(VECTORS[name])) == VECTORS[name]


@pytest.mark.parametrize("name", VECTORS)
def test_oddities_are_named_and_refused_by_strict(name: str) -> None:
    rules = RULES.get(name, [])
    assert [warning.rule for warning in wap_push.decode(VECTORS[name]).warnings] == rules
    refused = [rule for rule in rules if rule not in NOTED]
    if not refused:
        assert wap_push.decode(VECTORS[name], strict=True) == wap_push.decode(VECTORS[name])
        return
    with pytest.raises(PduError) as error:
        wap_push.decode(VECTORS[name], strict=True)
    assert error.value.rule == refused[0]
    assert error.value.context


def test_the_usual_one() -> None:
    found = wap_push.decode(VECTORS["the usual one"])
    assert found == Push(
        tid=1, content_type=ContentType(wap_push.MMS_MEDIA), headers=(PartHeader(0xAF, 4),), body=bytes.fromhex(NOTIFICATION)
    )
    assert found == dataclasses.replace(wap_push.mms_push(bytes.fromhex(NOTIFICATION)), tid=1)
    assert (found.application_id, found.application, found.is_mms) == (4, "x-wap-application:mms.ua", True)
    assert (found.content_length, found.push_flag, found.initiator_uri, found.confirmed) == (None, None, None, False)
    assert wap_push.encode(wap_push.mms_push(bytes.fromhex(NOTIFICATION), tid=1)) == VECTORS["the usual one"]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("media type as text", {}),
        ("general form, number", {}),
        ("general form, long number", {}),
        ("general form, text and charset", {"charset": 106}),
    ],
)
def test_the_forms_of_the_content_type(name: str, parameters: dict[str, int]) -> None:
    found = wap_push.decode(VECTORS[name])
    assert found.content_type == ContentType(wap_push.MMS_MEDIA, **parameters)
    assert wap_push.find_mms(found) == bytes.fromhex(NOTIFICATION)


def test_all_that_is_known() -> None:
    found = wap_push.decode(VECTORS["all that is known"])
    assert (found.content_length, found.push_flag, found.initiator_uri) == (91, 7, "http://a/")
    assert found.get("encoding-version") is None
    assert found.get(0xC3) == 0x95


def test_application_ids() -> None:
    assert wap_push.decode(VECTORS["application id as text"]).application == "x-wap-application:mms.ua"
    assert wap_push.decode(VECTORS["no application id"]).application is None
    assert wap_push.decode(push("be" + "af02" + "9000")).application == "x-wap-application:9000"
    assert wap_push.decode(push("be" + "af00" + "8d00" + "b100")).application_id == ""


def test_values_that_broke_their_grammar_are_kept_as_octets_and_not_shown() -> None:
    found = wap_push.decode(push("be" + "8d00" + "b402aaaa"))
    assert [header.value for header in found.headers] == [b"\x00", b"\x02\xaa\xaa"]
    assert (found.content_length, found.push_flag) == (None, None)
    uri = Push(content_type=ContentType("text/plain"), headers=(PartHeader(0xB1, b"\x81"),), body=b"x")
    assert uri.initiator_uri is None
    assert wap_push.encode(uri) == bytes.fromhex("000603" + "83" + "b181" + "78")


def test_textual_headers() -> None:
    found = wap_push.decode(VECTORS["unknown and textual headers"])
    assert [(header.name, header.value) for header in found.headers] == [
        ("0xF0", b"\x81"),
        ("X-Tag", "1"),
        ("X-Wap-Application-Id", 4),
    ]
    assert (found.get("x-tag"), found.get("X-Other"), found.get(0xF0)) == ("1", None, b"\x81")


def test_the_length_of_the_content_is_not_believed() -> None:
    found = wap_push.decode(push("be" + "8d80" + "af84"))
    assert (found.content_length, found.body) == (0, bytes.fromhex(NOTIFICATION))


def test_a_push_of_something_else_is_no_mms() -> None:
    assert wap_push.find_mms(wap_push.decode(VECTORS["service indication"])) is None


def test_headers_that_eat_the_start_of_the_mms_pdu() -> None:
    eaten = wap_push.decode(bytes.fromhex("0106" + "05" + "beaf84" + NOTIFICATION))
    with pytest.raises(PduError) as refused:
        wap_push.find_mms(eaten)
    assert (refused.value.rule, refused.value.offset) == ("push-without-mms-pdu", 8)
    with pytest.raises(PduError, match="push-without-mms-pdu"):
        wap_push.find_mms(wap_push.decode(VECTORS["nothing behind the headers"]))


@pytest.mark.parametrize(
    ("octets", "rule", "offset", "path"),
    [
        ("", "value-missing", 0, ""),
        ("01", "value-missing", 1, ""),
        ("0105" + "03beaf84", "not-a-push", 1, ""),
        ("0106", "value-missing", 2, "headers-length"),
        ("0106" + "808080808001", "uintvar-too-long", 2, "headers-length"),
        ("0106" + "04beaf84", "push-headers-beyond-data", 2, ""),
        ("0106" + "00" + NOTIFICATION, "value-missing", 3, "content-type"),
        ("0106" + "02" + "05be" + NOTIFICATION, "value-length-beyond-data", 3, "content-type"),
        ("0106" + "02" + "beaf" + NOTIFICATION, "value-missing", 5, "headers[0].X-Wap-Application-Id"),
        ("0106" + "04" + "beaf05aa" + NOTIFICATION, "value-length-beyond-data", 5, "headers[0].X-Wap-Application-Id"),
        ("0106" + "03" + "be" + "5841" + NOTIFICATION, "value-missing", 6, "headers[0]"),
        ("0106" + "8104" + "be" + "b481" * 65, "push-headers-beyond-data", 2, ""),
        ("0106" + "8103" + "be" + "b481" * 65, "too-many-headers", 133, ""),
    ],
)
def test_refusals_name_offset_and_field(octets: str, rule: str, offset: int, path: str) -> None:
    with pytest.raises(PduError) as refused:
        wap_push.decode(bytes.fromhex(octets))
    assert (refused.value.rule, refused.value.offset, refused.value.path) == (rule, offset, path)


def test_an_edit_changes_its_field_only() -> None:
    data = VECTORS["general form, text and charset"]
    found = wap_push.decode(data)
    assert wap_push.encode(dataclasses.replace(found, tid=9)) == b"\x09" + data[1:]
    assert wap_push.encode(dataclasses.replace(found, confirmed=True)) == data[:1] + b"\x07" + data[2:]
    assert wap_push.encode(dataclasses.replace(found, body=b"\x8c\x86")) == data[: -len(found.body)] + b"\x8c\x86"
    media = dataclasses.replace(found, content_type=ContentType("text/plain"))
    assert wap_push.encode(media) == bytes.fromhex("0106" + "03" + "83" + "af84" + NOTIFICATION)
    header = dataclasses.replace(found.headers[0], value=2)
    edited = wap_push.encode(dataclasses.replace(found, headers=(header,)))
    assert edited == data.replace(b"\xaf\x84", b"\xaf\x82")


def test_headers_that_stay_keep_their_octets_beside_an_edit() -> None:
    data = push("be" + "8d0102" + "af84")
    found = wap_push.decode(data)
    assert wap_push.encode(dataclasses.replace(found, tid=2)) == b"\x02" + data[1:]
    stale = PartHeader(0x8D, 5, raw=b"\x8d\x01\x02")
    assert wap_push.encode(dataclasses.replace(found, headers=(stale,)))[3:6] == b"\xbe\x8d\x85"
    for raw in (b"", b"\x8d", b"\x8d\x85\x00"):
        other = PartHeader(0x8D, 5, raw=raw)
        assert wap_push.encode(dataclasses.replace(found, headers=(other,)))[3:6] == b"\xbe\x8d\x85"


@pytest.mark.parametrize(
    ("change", "rule", "path"),
    [
        ({"tid": 256}, "value-out-of-range", "tid"),
        ({"tid": -1}, "value-out-of-range", "tid"),
        ({"headers": (PartHeader(0x7F, 1),)}, "value-out-of-range", "headers[0].0x7F"),
        ({"headers": (PartHeader(0xB4, 128),)}, "value-out-of-range", "headers[0].Push-Flag"),
        ({"headers": (PartHeader(0xB4, None),)}, "value-of-wrong-type", "headers[0].Push-Flag"),
        ({"headers": (PartHeader("X-A", "a\0b"),)}, "nul-in-text", "headers[0].X-A"),
        ({"content_type": ContentType("a\0b")}, "nul-in-text", "content-type"),
    ],
)
def test_values_that_cannot_be_written(change: dict[str, Any], rule: str, path: str) -> None:
    with pytest.raises(PduError) as refused:
        wap_push.encode(dataclasses.replace(wap_push.mms_push(b"\x8c\x82"), **change))
    assert (refused.value.rule, refused.value.path) == (rule, path)


# --- from SMS to MMS ---------------------------------------------------------------------------------------------------------------


def delivers(data: bytes) -> tuple[sms_pdu.Deliver, ...]:
    return sms_compose.delivers("2211", sms_compose.data_bodies(data, reference=7, ports=sms_compose.WAP_PUSH), when=NOON)


def test_the_whole_way_from_a_modem_line_to_the_notification() -> None:
    subject = "96" + b"a long subject ".hex() * 9 + "00"
    data = push("be" + "af84", NOTIFICATION + subject)
    lines = [sms_pdu.encode(dataclasses.replace(part, smsc=sms_pdu.ServiceCentre())).hex() for part in delivers(data)]
    assert len(lines) == 2
    parts = [sms_pdu.decode_hex(line) for line in reversed(lines)]
    assert all(isinstance(part, sms_pdu.Deliver) for part in parts)
    come = [part for part in parts if isinstance(part, sms_pdu.Deliver)]
    assert sms_parts.part_key(come[0]) == sms_parts.part_key(come[1])
    found = wap_push.of_delivers(come)
    assert found is not None
    octets = wap_push.find_mms(found)
    assert octets is not None
    notification = mms_pdu.decode(octets)
    assert isinstance(notification, mms_pdu.NotificationInd)
    assert (notification.transaction_id, notification.content_location) == ("N1", "http://mmsc/1")


def test_a_push_in_one_sms() -> None:
    assert wap_push.of_delivers(delivers(VECTORS["the usual one"])) == wap_push.decode(VECTORS["the usual one"])
    with pytest.raises(PduError, match="push-body-missing"):
        wap_push.of_delivers(delivers(VECTORS["nothing behind the headers"]), strict=True)


def test_other_sms_carry_no_push() -> None:
    text = sms_compose.delivers("2211", sms_compose.text_bodies("hello", reference=1), when=NOON)
    assert wap_push.of_delivers(text) is None
    assert wap_push.of_delivers(()) is None


def test_a_part_that_is_not_there() -> None:
    with pytest.raises(PduError, match="parts 2 are not there"):
        wap_push.of_delivers(delivers(push("be" + "af84", NOTIFICATION * 5))[::2])


# --- any octets --------------------------------------------------------------------------------------------------------------------

HEADERS = st.one_of(
    st.integers(0, 2**32).map(lambda number: PartHeader(0xAF, number)),
    st.integers(0, 0x7F).map(lambda number: PartHeader(0xB4, number)),
    st.integers(0, 2**16).map(lambda number: PartHeader(0x8D, number)),
    st.from_regex(r"\Ahttp://[a-z]{1,8}/\Z").map(lambda uri: PartHeader(0xB1, uri)),
    st.tuples(st.from_regex(r"\AX-[a-z]{1,8}\Z"), st.from_regex(r"\A[a-z ]{0,8}\Z")).map(lambda pair: PartHeader(*pair)),
    st.integers(0x80, 0xFF).map(lambda octet: PartHeader(0xF0, bytes((octet,)))),
)
CONTENT_TYPES = st.builds(
    ContentType,
    st.sampled_from([wap_push.MMS_MEDIA, "text/vnd.wap.si", "application/vnd.wap.sic", "application/x-own"]),
    charset=st.sampled_from([None, 106, 1000]),
)


@FIXED
@given(
    st.builds(
        Push,
        content_type=CONTENT_TYPES,
        body=st.binary(max_size=50),
        headers=st.lists(HEADERS, max_size=5).map(tuple),
        tid=st.integers(0, 255),
        confirmed=st.booleans(),
    )
)
def test_each_push_round_trips(made: Push) -> None:
    octets = wap_push.encode(made)
    assert wap_push.decode(octets) == made
    assert wap_push.encode(wap_push.decode(octets)) == octets


@FIXED
@given(st.binary(max_size=80), st.sampled_from([6, 7]))
def test_any_octets_are_read_whole_or_refused(data: bytes, kind: int) -> None:
    _read_or_refuse(data)
    _read_or_refuse(bytes((1, kind)) + data)


def test_mutations_and_truncations_are_read_whole_or_refused() -> None:
    dice = random.Random(230)
    for data in VECTORS.values():
        for end in range(len(data)):
            _read_or_refuse(data[:end])
        for _ in range(300):
            mutated = bytearray(data)
            for _ in range(dice.randint(1, 3)):
                mutated[dice.randrange(min(len(mutated), 50))] = dice.randrange(256)
            _read_or_refuse(bytes(mutated))


def _read_or_refuse(data: bytes) -> None:
    offsets: list[int] = []
    try:
        found = wap_push.decode(data)
    except PduError as refused:
        offsets.append(refused.offset)
    else:
        offsets += [warning.offset for warning in found.warnings]
        assert wap_push.encode(found) == data
    assert all(0 <= offset <= len(data) for offset in offsets)

"""From texts and octets to SMS and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire import sms_pdu
from mmsproxy.wire.gsm7_tables import Language
from mmsproxy.wire.sms_compose import WAP_PUSH, data_bodies, delivers, submits, text_bodies
from mmsproxy.wire.sms_parts import joined_data, joined_text, missing
from mmsproxy.wire.sms_pdu import Concatenation, Direction, Ports, ServiceCentre, Validity
from mmsproxy.wire.sms_split import count_parts, well_formed

FIXED = settings(derandomize=True, deadline=None, max_examples=60)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_one_submit_by_hand() -> None:
    (tpdu,) = submits("+4917012345", text_bodies("hello", reference=1))
    assert sms_pdu.encode(tpdu).hex() == "01000a919471103254000005e8329bfd06"


def test_a_submit_with_report_validity_and_service_centre() -> None:
    (tpdu,) = submits(
        "22111",
        text_bodies("hello", reference=1, message_class=0),
        report=True,
        validity=Validity.relative(timedelta(hours=1)),
        message_reference=5,
        smsc=ServiceCentre.of("+491710760000"),
    )
    assert sms_pdu.encode(tpdu).hex() == "0791947101670000" + "3105" + "05812211f1" + "0010" + "0b" + "05e8329bfd06"
    assert tpdu.report_wanted


def test_two_parts_of_a_submit() -> None:
    first, second = submits("22111", text_bodies("a" * 161, reference=0x2A), message_reference=255)
    assert (first.concatenation, second.concatenation) == (Concatenation(0x2A, 2, 1), Concatenation(0x2A, 2, 2))
    assert (first.reference, second.reference) == (255, 0)
    assert (first.text, second.text) == ("a" * 153, "a" * 8)
    assert sms_pdu.encode(second).hex() == "4100" + "05812211f1" + "0000" + "0f" + "0500032a0202" + "c2e170381c0e8701"


def test_one_part_has_no_header() -> None:
    (body,) = text_bodies("a" * 160, reference=1)
    assert body.user_data.header is None


def test_national_tables_go_into_each_header() -> None:
    bodies = text_bodies("ş" * 200, reference=1, languages=(Language.TURKISH,))
    assert [body.user_data.tables for body in bodies] == [(Language.TURKISH, 0)] * 2
    assert joined_text(delivers("2211", bodies, when=NOON)) == "ş" * 200


def test_octets_for_a_port() -> None:
    (body,) = data_bodies(b"x" * 133, reference=9, ports=WAP_PUSH)
    assert body.user_data.octets.hex() == "0605040b8423f0" + "78" * 133
    first, second = data_bodies(b"x" * 134, reference=9, ports=WAP_PUSH)
    assert first.user_data.octets.hex() == "0b05040b8423f00003090201" + "78" * 128
    assert len(second.user_data.data) == 6
    assert [len(body.user_data.data) for body in data_bodies(b"x" * 134, reference=9, ports=WAP_PUSH, reference_bits=16)] == [127, 7]
    assert len(data_bodies(b"x" * 140, reference=9)) == 1


def test_delivers_are_in_order_and_the_last_says_so() -> None:
    made = delivers("Bank", data_bodies(b"x" * 300, reference=9), when=NOON, smsc=ServiceCentre())
    assert [tpdu.more_messages for tpdu in made] == [True, True, False]
    assert {tpdu.originator.number for tpdu in made} == {"Bank"}
    assert {tpdu.timestamp.when for tpdu in made} == {NOON}
    assert sms_pdu.encode(made[0])[:2] == b"\x00\x40"


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: text_bodies("a" * 153 * 256, reference=1), "too-many-parts"),
        (lambda: data_bodies(b"x" * 134 * 256, reference=1), "too-many-parts"),
        (lambda: text_bodies("a" * 161, reference=256), "element-not-encodable"),
        (lambda: data_bodies(b"x" * 141, reference=65536, reference_bits=16), "element-not-encodable"),
        (lambda: data_bodies(b"x", reference=1, ports=Ports(70000, 1)), "element-not-encodable"),
        (lambda: submits("+49 170 12345", text_bodies("a", reference=1)), "address-not-encodable"),
        (lambda: submits("", text_bodies("a", reference=1)), "address-not-encodable"),
        (lambda: delivers("Ж", text_bodies("a", reference=1), when=NOON), "address-not-encodable"),
        (lambda: delivers("1", text_bodies("a", reference=1), when=datetime(1970, 1, 1, tzinfo=UTC)), "timestamp-not-encodable"),
    ],
)
def test_refusals(make: object, rule: str) -> None:
    with pytest.raises(PduError, match=rule):
        make()  # type: ignore[operator]


@FIXED
@given(
    st.lists(st.sampled_from([*"aé€{ß\n", "ş", "😀", "e\u0301", "🇩🇪"]), max_size=400).map("".join),
    st.sampled_from([8, 16]),
    st.sampled_from([(), tuple(Language)]),
)
def test_a_text_arrives_as_it_was(text: str, bits: int, languages: tuple[int, ...]) -> None:
    bodies = text_bodies(text, reference=200, reference_bits=bits, languages=languages)
    assert len(bodies) == count_parts(text, reference_bits=bits, languages=languages).parts
    sent = submits("+4917012345", bodies)
    assert [sms_pdu.decode(sms_pdu.encode(tpdu), smsc=False, direction=Direction.MO, strict=True) for tpdu in sent] == list(sent)
    come = delivers("+4917012345", bodies, when=NOON)
    assert [sms_pdu.decode(sms_pdu.encode(tpdu), smsc=False, strict=True) for tpdu in come] == list(come)
    assert joined_text(reversed(come)) == well_formed(text)
    assert missing(come) == ()


@FIXED
@given(st.binary(max_size=1000), st.sampled_from([8, 16]), st.sampled_from([None, WAP_PUSH, Ports(5, 6, 8)]))
def test_octets_arrive_as_they_were(data: bytes, bits: int, ports: Ports | None) -> None:
    come = delivers("2211", data_bodies(data, reference=3, ports=ports, reference_bits=bits), when=NOON)
    assert joined_data(reversed(come)) == data
    assert {tpdu.ports for tpdu in come} == {ports}
    assert all(len(tpdu.user_data.octets) <= 140 for tpdu in come)

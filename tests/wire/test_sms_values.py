"""Addresses, times and coding schemes, typed by hand from 23.040 and 23.038."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire.sms_schema import Alphabet
from mmsproxy.wire.sms_values import Address, Dcs, ServiceCentre, Timestamp, TypeOfNumber, Waiting, WaitingKind

FIXED = settings(derandomize=True, deadline=None, max_examples=100)


def address(semi_octets: int, kind: int, octets: str) -> Address:
    return Address(semi_octets, kind, bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("text", "semi_octets", "kind", "octets"),
    [
        ("+4917012345", 10, 0x91, "9471103254"),
        ("+49170123456", 11, 0x91, "9471103254f6"),
        ("22111", 5, 0x81, "2211f1"),
        ("*100#", 5, 0x81, "1a00fb"),
        ("Bank", 7, 0xD0, "c2b07b0d"),
        ("CABS", 7, 0xD0, "c3a0700a"),
        ("ABCDEFG", 13, 0xD0, "41e19058341e01"),
        ("ABCDEFGH", 14, 0xD0, "41e19058341e91"),
    ],
)
def test_addresses_both_ways(text: str, semi_octets: int, kind: int, octets: str) -> None:
    made = Address.of(text)
    assert made == address(semi_octets, kind, octets)
    assert made.number == str(made) == text


@pytest.mark.parametrize(
    ("found", "number", "kind", "plan"),
    [
        (address(14, 0x80, "88581000000081"), "88850100000018", TypeOfNumber.UNKNOWN, 0),
        (address(12, 0x85, "009471229211"), "004917222911", TypeOfNumber.UNKNOWN, 5),
        (address(3, 0xA1, "11f2"), "112", TypeOfNumber.NATIONAL, 1),
        (address(2, 0xC8, "dc"), "ab", TypeOfNumber.SUBSCRIBER, 8),
        (address(0, 0x91, ""), "+", TypeOfNumber.INTERNATIONAL, 1),
        (address(4, 0x81, "21f3"), "123", TypeOfNumber.UNKNOWN, 1),
        (address(3, 0x81, "2143"), "123", TypeOfNumber.UNKNOWN, 1),
        (address(14, 0xD0, "41e19058341e01"), "ABCDEFG", TypeOfNumber.ALPHANUMERIC, 0),
    ],
)
def test_odd_addresses_are_read_as_far_as_they_go(found: Address, number: str, kind: TypeOfNumber, plan: int) -> None:
    assert (found.number, found.type_of_number, found.numbering_plan) == (number, kind, plan)


@pytest.mark.parametrize(
    ("found", "well"),
    [
        (address(3, 0x81, "21f3"), True),
        (address(4, 0x81, "2143"), True),
        (address(4, 0x81, "21f3"), False),
        (address(3, 0x81, "2143"), False),
        (address(4, 0x81, "2ff3"), False),
    ],
)
def test_filler(found: Address, well: bool) -> None:
    assert found.well_filled is well


@pytest.mark.parametrize("text", ["", "+", "+49 170", "123456789012345678901", "ABCDEFGHIJKL", "ж", "+49170x€€€€€€€"])
def test_what_is_no_address(text: str) -> None:
    if text in ("+", "+49 170"):
        assert Address.of(text).type_of_number is TypeOfNumber.ALPHANUMERIC
        return
    with pytest.raises(PduError, match="address-not-encodable"):
        Address.of(text)


@pytest.mark.parametrize(
    ("number", "octets"),
    [("+491710760000", "91947101670000"), ("22111", "812211f1"), ("", "")],
)
def test_service_centres_both_ways(number: str, octets: str) -> None:
    made = ServiceCentre.of(number)
    assert made.octets.hex() == octets
    assert made.number == str(made) == number


def test_a_service_centre_is_a_number() -> None:
    with pytest.raises(PduError, match="address-not-encodable"):
        ServiceCentre.of("Bank")


@pytest.mark.parametrize(
    ("octets", "when"),
    [
        ("62114211014240", datetime(2026, 11, 24, 11, 10, 24, tzinfo=timezone(timedelta(hours=1)))),
        ("4221134194920a", datetime(2024, 12, 31, 14, 49, 29, tzinfo=timezone(timedelta(hours=-5)))),
        ("99211332959500", datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("62114211014223", datetime(2026, 11, 24, 11, 10, 24, tzinfo=timezone(timedelta(hours=8)))),
        ("62114211014297", datetime(2026, 11, 24, 11, 10, 24, tzinfo=timezone(timedelta(hours=19, minutes=45)))),
    ],
)
def test_timestamps_both_ways(octets: str, when: datetime) -> None:
    found = Timestamp(bytes.fromhex(octets)).when
    assert found == when
    assert found.utcoffset() == when.utcoffset()
    assert Timestamp.of(when).octets.hex() == octets


@pytest.mark.parametrize(
    "octets", ["00000000000000", "62314211014240", "6a114211014240", "a6114211014240", "621142110142ff", "621142110142f0"]
)
def test_octets_that_tell_no_time(octets: str) -> None:
    assert Timestamp(bytes.fromhex(octets)).when is None


@pytest.mark.parametrize(
    "when",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001  the lack of a zone is the point
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(minutes=7))),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=20))),
        datetime(1989, 1, 1, tzinfo=UTC),
        datetime(2090, 1, 1, tzinfo=UTC),
    ],
)
def test_times_that_seven_octets_cannot_tell(when: datetime) -> None:
    with pytest.raises(PduError, match="timestamp-not-encodable"):
        Timestamp.of(when)


@FIXED
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2089, 12, 31)),  # noqa: DTZ001  the zone is added below
    st.integers(-79, 79),
)
def test_each_time_round_trips(naive: datetime, quarters: int) -> None:
    when = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=15 * quarters)))
    found = Timestamp.of(when).when
    assert found == when
    assert found.utcoffset() == when.utcoffset()


@pytest.mark.parametrize(
    ("octet", "alphabet", "compressed", "message_class", "auto_delete"),
    [
        (0x00, Alphabet.GSM7, False, None, False),
        (0x01, Alphabet.GSM7, False, None, False),
        (0x04, Alphabet.DATA, False, None, False),
        (0x08, Alphabet.UCS2, False, None, False),
        (0x10, Alphabet.GSM7, False, 0, False),
        (0x1A, Alphabet.UCS2, False, 2, False),
        (0x21, Alphabet.GSM7, True, None, False),
        (0x51, Alphabet.GSM7, False, 1, True),
        (0x68, Alphabet.UCS2, True, None, True),
        (0x93, Alphabet.GSM7, False, None, False),
        (0xF2, Alphabet.GSM7, False, 2, False),
        (0xF5, Alphabet.DATA, False, 1, False),
    ],
)
def test_coding_schemes(octet: int, alphabet: Alphabet, compressed: bool, message_class: int | None, auto_delete: bool) -> None:
    dcs = Dcs(octet)
    assert (dcs.alphabet, dcs.compressed, dcs.message_class, dcs.auto_delete) == (alphabet, compressed, message_class, auto_delete)
    assert dcs.counts_septets is (alphabet is Alphabet.GSM7 and not compressed)
    assert dcs.waiting is None


@pytest.mark.parametrize(
    ("octet", "waiting", "alphabet"),
    [
        (0xC8, Waiting(WaitingKind.VOICEMAIL, active=True, discard=True), Alphabet.GSM7),
        (0xC0, Waiting(WaitingKind.VOICEMAIL, active=False, discard=True), Alphabet.GSM7),
        (0xD9, Waiting(WaitingKind.FAX, active=True, discard=False), Alphabet.GSM7),
        (0xE2, Waiting(WaitingKind.EMAIL, active=False, discard=False), Alphabet.UCS2),
        (0xEB, Waiting(WaitingKind.OTHER, active=True, discard=False), Alphabet.UCS2),
    ],
)
def test_message_waiting(octet: int, waiting: Waiting, alphabet: Alphabet) -> None:
    assert Dcs(octet).waiting == waiting
    assert Dcs(octet).alphabet is alphabet
    assert Dcs(octet).message_class is None


def test_making_a_coding_scheme() -> None:
    assert [Dcs.of(alphabet).octet for alphabet in Alphabet] == [0x00, 0x04, 0x08]
    assert [Dcs.of(alphabet, 0).octet for alphabet in Alphabet] == [0x10, 0x14, 0x18]
    assert Dcs.of(Alphabet.UCS2, 3).message_class == 3


@FIXED
@given(st.integers(0, 0xFF), st.integers(0, 0xFF), st.binary(max_size=12))
def test_reading_an_address_never_fails(semi_octets: int, kind: int, octets: bytes) -> None:
    assert isinstance(Address(semi_octets, kind, octets).number, str)
    assert isinstance(ServiceCentre(octets).number, str)


@FIXED
@given(st.binary(min_size=7, max_size=7))
def test_reading_a_time_never_fails(octets: bytes) -> None:
    when = Timestamp(octets).when
    assert when is None or when.tzinfo is not None

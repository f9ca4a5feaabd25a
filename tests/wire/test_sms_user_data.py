"""Texts and data behind headers, typed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire import gsm7
from mmsproxy.wire.gsm7_tables import Language
from mmsproxy.wire.sms_schema import Alphabet
from mmsproxy.wire.sms_udh import Concatenation, Element, Ports, read_header
from mmsproxy.wire.sms_user_data import UserData, text_of
from mmsproxy.wire.sms_values import Dcs

FIXED = settings(derandomize=True, deadline=None, max_examples=100)
GSM7, DATA, UCS2 = Dcs(0x00), Dcs(0x04), Dcs(0x08)
PLACE = Concatenation(3, 2, 1).element()


@pytest.mark.parametrize(
    ("text", "dcs", "elements", "tables", "length", "octets"),
    [
        ("hello", GSM7, (), (0, 0), 5, "e8329bfd06"),
        ("a", GSM7, (PLACE,), (0, 0), 8, "050003030201" + "c2"),
        ("", GSM7, (PLACE,), (0, 0), 7, "050003030201"),
        ("", GSM7, (), (0, 0), 0, ""),
        ("ş", GSM7, (), (0, Language.TURKISH), 7, "03240101" + "d8cc01"),
        ("ş", GSM7, (), (Language.TURKISH, 0), 6, "03250101" + "e800"),
        ("Ä😀", UCS2, (), (0, 0), 6, "00c4d83dde00"),
        ("Ä", UCS2, (PLACE,), (0, 0), 8, "050003030201" + "00c4"),
        ("\ud83d", UCS2, (), (0, 0), 2, "fffd"),
    ],
)
def test_texts(text: str, dcs: Dcs, elements: tuple[Element, ...], tables: tuple[int, int], length: int, octets: str) -> None:
    made = UserData.of_text(text, dcs, elements, locking=tables[0], single=tables[1])
    assert (made.length, made.octets.hex()) == (length, octets)
    assert made.tables == tables
    assert made.text(dcs) == text.replace("\ud83d", "\ufffd")
    assert made == UserData(length, made.octets, read_header(made.octets) if made.header else None)


def test_data() -> None:
    push = UserData.of_data(b"\x01\x06", (Ports(2948, 9200).element(),))
    assert (push.length, push.octets.hex()) == (9, "0605040b8423f00106")
    assert (push.data, push.ports, push.concatenation) == (b"\x01\x06", Ports(2948, 9200), None)
    assert push.text(DATA) is None
    plain = UserData.of_data(b"x")
    assert (plain.data, plain.ports, plain.header, plain.tables) == (b"x", None, None, (0, 0))


def test_port_2948_makes_data_of_any_scheme() -> None:
    push = UserData.of_data(b"\x01\x06", (Ports(2948, 9200).element(),))
    other = UserData.of_data(b"\x01\x06", (Ports(5000, 9200).element(),))
    assert push.alphabet(GSM7) is Alphabet.DATA
    assert other.alphabet(GSM7) is Alphabet.GSM7
    assert push.units(GSM7) == b"\x01\x06"


def test_compressed_text_is_data() -> None:
    assert UserData(2, b"ab").alphabet(Dcs(0x20)) is Alphabet.DATA
    assert UserData(2, b"ab").text(Dcs(0x20)) is None


def test_damaged_ucs2() -> None:
    assert text_of(bytes.fromhex("d83d0041"), Alphabet.UCS2) == "\ufffdA"
    assert text_of(bytes.fromhex("004100"), Alphabet.UCS2) == "A\ufffd"


def test_a_length_that_does_not_cover_the_header_leaves_no_text() -> None:
    octets = bytes.fromhex("050003030201")
    assert UserData(3, octets, read_header(octets)).text(GSM7) == ""


@pytest.mark.parametrize("dcs", [DATA, Dcs(0x20), Dcs(0xF5)])
def test_schemes_that_are_not_for_text(dcs: Dcs) -> None:
    with pytest.raises(PduError, match="text-without-alphabet"):
        UserData.of_text("a", dcs)


def test_too_long() -> None:
    assert len(UserData.of_text("a" * 160, GSM7).octets) == 140
    for make in (
        lambda: UserData.of_text("a" * 161, GSM7),
        lambda: UserData.of_text("a" * 154, GSM7, (PLACE,)),
        lambda: UserData.of_text("ä" * 71, UCS2),
        lambda: UserData.of_data(b"x" * 135, (PLACE,)),
    ):
        with pytest.raises(PduError, match="user-data-too-long"):
            make()


def test_a_text_that_the_tables_do_not_hold() -> None:
    with pytest.raises(PduError, match="character-not-in-alphabet"):
        UserData.of_text("ş", GSM7)


@FIXED
@given(
    st.text(st.sampled_from(list(gsm7.costs())), max_size=60),
    st.lists(st.builds(Element, st.integers(0x70, 0x7F), st.binary(max_size=5)), max_size=3),
)
def test_gsm7_round_trips_behind_any_header(text: str, elements: list[Element]) -> None:
    made = UserData.of_text(text, GSM7, elements)
    assert made.text(GSM7) == text
    assert (made.header is None) == (not elements)


@FIXED
@given(st.binary(max_size=140), st.integers(0, 255), st.booleans(), st.integers(0, 255))
def test_reading_never_fails(octets: bytes, length: int, headed: bool, dcs: int) -> None:
    header = read_header(octets) if headed and octets and octets[0] < len(octets) else None
    text = UserData(length, octets, header).text(Dcs(dcs))
    assert text is None or isinstance(text, str)

"""Septets typed by hand from 23.038; every alphabet round trip by hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire import gsm7
from mmsproxy.wire.gsm7_tables import DEFAULT, DEFAULT_EXTENSION, LOCKING_SHIFT, SINGLE_SHIFT, Language

FIXED = settings(derandomize=True, deadline=None, max_examples=60)
TABLES = [(0, 0), *[pair for language in Language for pair in ((0, language), (language, 0), (language, language))]]


@pytest.mark.parametrize(
    ("text", "septets"),
    [
        ("@£$", "000102"),
        ("hello", "68656c6c6f"),
        ("ÄÖÑÜ§", "5b5c5d5e5f"),
        ("Ç", "09"),
        ("€", "1b65"),
        ("{}[]~\\|^\f", "1b281b291b3c1b3e1b3d1b2f1b401b141b0a"),
        ("ΔΦΓΛΩΠΨΣΘΞ", "1012131415161718191a"),
        ("", ""),
    ],
)
def test_default_alphabet_both_ways(text: str, septets: str) -> None:
    assert gsm7.encode(text).hex() == septets
    assert gsm7.decode(bytes.fromhex(septets)) == text


@pytest.mark.parametrize(
    ("text", "locking", "single", "septets"),
    [
        ("ğŞı", Language.TURKISH, 0, "0c1c07"),
        ("ğŞı", 0, Language.TURKISH, "1b671b531b69"),
        ("á", 0, Language.SPANISH, "1b61"),
        ("ãÊ∞", Language.PORTUGUESE, 0, "7b1e15"),
        ("ãÊΩ", 0, Language.PORTUGUESE, "1b7b1b1f15"),
        ("नमस्ते", Language.HINDI, 0, "2f424c5f2759"),
        ("०१", 0, Language.HINDI, "1b1c1b1d"),
        ("০২", 0, Language.BENGALI, "1b191b1c"),
        ("سلام", Language.URDU, 0, "3d4d004e"),
    ],
)
def test_national_tables_both_ways(text: str, locking: int, single: int, septets: str) -> None:
    assert gsm7.encode(text, locking, single).hex() == septets
    assert gsm7.decode(bytes.fromhex(septets), locking, single) == text


def test_spanish_has_no_locking_table_and_unknown_languages_are_the_default() -> None:
    assert gsm7.decode(b"\x04", Language.SPANISH) == gsm7.decode(b"\x04", 99) == "è"
    assert gsm7.decode(b"\x1b\x65", 0, 99) == "€"


@pytest.mark.parametrize(
    ("septets", "text"),
    [
        (b"\x1b\x41", "A"),  # 6.2.1.1: not in the extension table, so the main table's character
        (b"\x1b", " "),
        (b"a\x1b", "a "),
        (b"\x1b\x1ba", " a"),
        (b"\x80", " "),
    ],
)
def test_decoding_shows_what_has_no_meaning(septets: bytes, text: str) -> None:
    assert gsm7.decode(septets) == text


def test_a_place_left_free_in_a_locking_table_is_a_space() -> None:
    assert gsm7.decode(b"\x00\x01", Language.TAMIL) == " \u0b82"


def test_encoding_refuses_with_the_index_of_the_character() -> None:
    with pytest.raises(PduError) as refused:
        gsm7.encode("ab😀")
    assert (refused.value.rule, refused.value.offset) == ("character-not-in-alphabet", 2)
    assert "U+1F600" in str(refused.value)


def test_fits_and_costs() -> None:
    assert gsm7.fits("Grüße{")
    assert not gsm7.fits("ş")
    assert gsm7.fits("ş", single=Language.TURKISH)
    assert gsm7.costs()["a"] == 1
    assert gsm7.costs()["€"] == 2
    assert gsm7.costs(Language.TURKISH)["€"] == 1, "the main table has it, so no escape"
    assert "ş" not in gsm7.costs()


@pytest.mark.parametrize(("locking", "single"), TABLES)
def test_each_character_of_each_alphabet_round_trips(locking: int, single: int) -> None:
    chars = "".join(gsm7.costs(locking, single))
    assert len(chars) >= len(set(LOCKING_SHIFT.get(locking, DEFAULT).values()))
    assert set(SINGLE_SHIFT.get(single, DEFAULT_EXTENSION).values()) <= set(chars)
    assert gsm7.decode(gsm7.encode(chars, locking, single), locking, single) == chars


@pytest.mark.parametrize(
    ("septets", "fill", "octets"),
    [
        ("68656c6c6f", 0, "e8329bfd06"),
        ("61", 1, "c2"),  # behind a six-octet header: one fill bit
        ("", 0, ""),
        ("0d0d0d0d0d0d0d0d", 0, "8d46a3d168341a"),
        ("7f7f7f7f7f7f7f7f", 0, "ffffffffffffff"),
        ("41424344454647", 0, "41e19058341e01"),
    ],
)
def test_packing_by_hand(septets: str, fill: int, octets: str) -> None:
    raw = bytes.fromhex(septets)
    assert gsm7.pack(raw, fill).hex() == octets
    assert gsm7.unpack(bytes.fromhex(octets), len(raw), fill) == raw


def test_unpacking_takes_no_more_than_is_there() -> None:
    assert gsm7.unpack(b"\xe8\x32", 9) == b"\x68\x65"
    assert gsm7.unpack(b"", 3, 2) == b""
    assert gsm7.unpack(b"\xff\xff", 0) == b""


@FIXED
@given(st.lists(st.integers(0, 0x7F)).map(bytes), st.integers(0, 6))
def test_pack_then_unpack(septets: bytes, fill: int) -> None:
    octets = gsm7.pack(septets, fill)
    assert len(octets) == (len(septets) * 7 + fill + 7) // 8
    assert gsm7.unpack(octets, len(septets), fill) == septets


@FIXED
@given(st.binary(max_size=80), st.sampled_from(TABLES))
def test_decoding_never_fails(octets: bytes, tables: tuple[int, int]) -> None:
    assert isinstance(gsm7.decode(octets, *tables), str)

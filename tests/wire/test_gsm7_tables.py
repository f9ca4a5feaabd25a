"""The tables have the shape that 23.038 gives them; single places typed by hand."""

from __future__ import annotations

import unicodedata

import pytest

from mmsproxy.wire.gsm7_tables import DEFAULT, DEFAULT_EXTENSION, ESCAPE, LOCKING_SHIFT, SINGLE_SHIFT, Language

BLOCKS = {
    Language.BENGALI: "BENGALI",
    Language.GUJARATI: "GUJARATI",
    Language.HINDI: "DEVANAGARI",
    Language.KANNADA: "KANNADA",
    Language.MALAYALAM: "MALAYALAM",
    Language.ORIYA: "ORIYA",
    Language.PUNJABI: "GURMUKHI",
    Language.TAMIL: "TAMIL",
    Language.TELUGU: "TELUGU",
    Language.URDU: "ARABIC",
}


def test_the_default_alphabet_fills_its_128_places_but_the_escape() -> None:
    assert set(DEFAULT) == set(range(0x80)) - {ESCAPE}
    assert len(set(DEFAULT.values())) == 127
    assert DEFAULT_EXTENSION == {
        0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"
    }  # fmt: skip


def test_each_language_has_its_tables() -> None:
    assert list(SINGLE_SHIFT) == list(Language)
    assert set(LOCKING_SHIFT) == set(Language) - {Language.SPANISH}, "A.3.2 is void"


@pytest.mark.parametrize("language", Language)
def test_places_are_septets_without_the_escape(language: Language) -> None:
    for table in (LOCKING_SHIFT.get(language, DEFAULT), SINGLE_SHIFT[language]):
        assert all(0 <= septet < 0x80 and septet != ESCAPE and len(char) == 1 for septet, char in table.items())


@pytest.mark.parametrize("language", LOCKING_SHIFT)
def test_a_locking_table_keeps_line_ends_space_digits_and_small_letters(language: int) -> None:
    table = LOCKING_SHIFT[language]
    kept = [0x0A, 0x0D, 0x20, 0x21, *range(0x30, 0x3A), 0x3F, *range(0x61, 0x7B)]
    assert {septet: table[septet] for septet in kept} == {septet: DEFAULT[septet] for septet in kept}
    assert len(set(table.values())) == len(table), "no character twice"


# 23.038 release 8 is older than these letters: their places are free although Unicode has assigned them since.
YOUNGER = {0x0C81, 0x0D01, 0x0D29, 0x0D3C, 0x0C34, 0x0C3C}


@pytest.mark.parametrize("language", list(BLOCKS)[:-1])
def test_an_indian_locking_table_leaves_out_what_its_block_leaves_out(language: Language) -> None:
    table = set(LOCKING_SHIFT[language].values())
    block = min(ord(char) for char in table if ord(char) > 0x2FF) & ~0x7F
    offsets = [offset for offset in range(0x01, 0x4E) if offset not in (0x04, 0x3A, 0x3B)]
    assigned = {chr(block + offset) for offset in offsets if unicodedata.name(chr(block + offset), "")}
    assert {ord(char) for char in assigned - table} == {number for number in YOUNGER if block <= number < block + 0x80}


@pytest.mark.parametrize("language", BLOCKS)
def test_letters_of_an_asian_table_are_assigned_and_of_its_script(language: Language) -> None:
    shared = {"\u0964", "\u0965", "\u0951", "\u0952"}  # dandas and accents that Unicode shares among scripts
    for table in (LOCKING_SHIFT[language], SINGLE_SHIFT[language]):
        letters = [char for char in table.values() if ord(char) > 0x2FF and char not in shared | {"€"}]
        assert letters
        assert all(unicodedata.name(char).startswith((BLOCKS[language], "EXTENDED ARABIC")) for char in letters)


@pytest.mark.parametrize("language", BLOCKS)
def test_an_asian_single_shift_table_has_the_capitals_and_the_ten_digits(language: Language) -> None:
    table = SINGLE_SHIFT[language]
    assert "".join(table[septet] for septet in range(0x41, 0x5B)) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    digits = sorted(char for char in table.values() if ord(char) > 0x2FF and unicodedata.digit(char, None) is not None)
    assert [unicodedata.digit(char) for char in digits] == list(range(10))


@pytest.mark.parametrize(
    ("language", "septet", "char"),
    [
        (Language.TURKISH, 0x40, "İ"),
        (Language.PORTUGUESE, 0x18, "€"),
        (Language.PORTUGUESE, 0x7D, "`"),
        (Language.BENGALI, 0x0F, "\u098f"),
        (Language.GUJARATI, 0x7F, "\u0af1"),
        (Language.HINDI, 0x00, "\u0901"),
        (Language.HINDI, 0x4E, "\u093c"),
        (Language.HINDI, 0x5F, "\u094d"),
        (Language.KANNADA, 0x60, "\u0cd5"),
        (Language.MALAYALAM, 0x48, "\u0d34"),
        (Language.ORIYA, 0x49, "\u0b35"),
        (Language.PUNJABI, 0x44, "\u0a30"),
        (Language.TAMIL, 0x3C, "\u0ba9"),
        (Language.TELUGU, 0x47, "\u0c33"),
        (Language.URDU, 0x5F, "\u0657"),
    ],
)
def test_locking_places(language: Language, septet: int, char: str) -> None:
    assert LOCKING_SHIFT[language][septet] == char


@pytest.mark.parametrize(
    ("language", "septet", "char"),
    [
        (Language.TURKISH, 0x49, "İ"),
        (Language.SPANISH, 0x09, "ç"),
        (Language.PORTUGUESE, 0x19, "Θ"),
        (Language.BENGALI, 0x19, "\u09e6"),
        (Language.BENGALI, 0x34, "\u09fa"),
        (Language.GUJARATI, 0x25, "\u0aef"),
        (Language.HINDI, 0x3A, "\u0971"),
        (Language.KANNADA, 0x2A, "\u0cf2"),
        (Language.MALAYALAM, 0x34, "\u0d7f"),
        (Language.ORIYA, 0x2C, "\u0b71"),
        (Language.PUNJABI, 0x2D, "\u0a75"),
        (Language.TAMIL, 0x2E, "\u0bfa"),
        (Language.TELUGU, 0x32, "\u0c7f"),
        (Language.URDU, 0x3B, "\u06cd"),
        (Language.URDU, 0x3F, "\u06d4"),
    ],
)
def test_single_shift_places(language: Language, septet: int, char: str) -> None:
    assert SINGLE_SHIFT[language][septet] == char

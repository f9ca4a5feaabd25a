"""Text with a charset: every charset of the table, wide ones with their NULs, what cannot be converted, addresses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import CHARSETS
from mmsproxy.wsp.encoded import ADDRESS, ENCODED_STRING, charset_text
from mmsproxy.wsp.integers import CHARSET
from mmsproxy.wsp.leaf import MAX_TEXT, Lenient
from mmsproxy.wsp.values import Address, Text

WIDE = [1000, 1001, 1013, 1014, 1015, 1017, 1018, 1019]
CHARACTERS = st.characters(exclude_categories=["Cc", "Cs", "Cn"])


@given(st.text(CHARACTERS, max_size=8), st.sampled_from([None, 106, 103, 113, *WIDE]))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_texts_come_back(text: str, charset: int | None) -> None:
    value = Text(text, charset)
    if charset == 103 and "+" in text:  # UTF-7 has several spellings for it; the octets tell
        return
    assert ENCODED_STRING.parse(ENCODED_STRING.build(value)) == value


@pytest.mark.parametrize("text", ["美", "耀", "耀一", "一", "翿Ā", "\ufeffA", "羀"])
@pytest.mark.parametrize("charset", WIDE)
def test_wide_texts_that_look_quoted_or_closed(text: str, charset: int) -> None:
    """U+7F80 to U+7FFF start with the Quote octet, U+xx00 end with a NUL: the length tells."""
    value = Text(text, charset)
    assert ENCODED_STRING.parse(ENCODED_STRING.build(value)) == value


@pytest.mark.parametrize("row", CHARSETS, ids=lambda row: row[1])
def test_every_charset_of_the_table(row: tuple[int, str, tuple[str, ...]]) -> None:
    mib, _, codecs = row
    if codecs:
        octets = ENCODED_STRING.build(Text("abc", mib))
    else:
        body = CHARSET.build(mib) + b"abc\0"
        octets = bytes((len(body),)) + body
    flaws = Lenient()
    value, _ = ENCODED_STRING.read(octets, 0, len(octets), flaws)
    assert (value.text, value.charset) == ("abc", mib)
    assert [rule for rule, _, _ in flaws.found] == ([] if codecs else ["charset-unknown"])
    assert ENCODED_STRING.build(value) == octets


@pytest.mark.parametrize(
    ("octets", "charset", "text", "rules"),
    [
        ("Größe".encode(), 3, "Größe", ["text-undecodable"]),
        ("Größe".encode("latin_1"), 3, "Größe", ["text-undecodable"]),
        ("Größe".encode("latin_1"), 0, "Größe", ["text-undecodable"]),
        (b"\xd0\xb1\xd0", 106, "б\ufffd", ["text-undecodable"]),
        (b"\xff\xfeA\0", 1015, "\ufeffA", []),
        (b"\xfe\xff\0A", 1000, "\ufeffA", []),
        (b"\xff\xfeA\0", 1013, "\ufffe䄀", []),
        (b"\xa4\x48", 2026, "人", []),
        (b"abc", 9999, "abc", ["charset-unknown"]),
        (b"\xc3\xa4", 1016, "ä", ["charset-unknown"]),
    ],
)
def test_conversion(octets: bytes, charset: int, text: str, rules: list[str]) -> None:
    flaws = Lenient()
    assert charset_text(octets, charset, 0, flaws) == text
    assert [rule for rule, _, _ in flaws.found] == rules


def test_a_long_text_is_shown_up_to_its_first_fault() -> None:
    flaws = Lenient()
    assert charset_text(b"a" * 5000 + b"\x81b", 2252, 0, flaws) == "a" * 5000 + "\ufffd"
    assert charset_text(b"a" * 5000 + b"\xc4b", 106, 0, flaws) == "a" * 5000 + "\ufffdb"
    assert charset_text(b"a\x81b", 2252, 0, flaws) == "a\ufffdb"
    assert [rule for rule, _, _ in flaws.found] == ["text-undecodable"] * 3


def test_octets_of_the_wire_are_written_back_whatever_they_show() -> None:
    cut = ENCODED_STRING.parse(b"\x05\xea\x7f\xd0\xd0\0")
    assert cut.text == "\ufffd\ufffd"
    assert ENCODED_STRING.build(cut) == b"\x05\xea\x7f\xd0\xd0\0"


def test_plain_octets_of_eight_bits_go_out_as_utf_8() -> None:
    flaws = Lenient()
    value, _ = ENCODED_STRING.read(b"\xc4rg\0", 0, 4, flaws)
    assert value == Text("Ärg", None, b"\xc4rg")
    assert ENCODED_STRING.build(value) == b"\x07\xea\x7f\xc3\x84rg\0"


def test_a_text_that_starts_with_a_control_character_is_no_value_length() -> None:
    assert ENCODED_STRING.build(Text("\x05abc")) == b"\x06\xea\x05abc\0"


@pytest.mark.parametrize("octets", [b"\x05\x02\x03\xe8\0A", b"\x06\x02\x03\xe9\0\0A"])
def test_a_wide_text_without_its_nul_is_taken_leniently(octets: bytes) -> None:
    flaws = Lenient()
    ENCODED_STRING.read(octets, 0, len(octets), flaws)
    assert flaws.found[0][0] == "text-without-nul"


def test_limits() -> None:
    for text in (Text("ä" * (MAX_TEXT // 2)), Text("a" * MAX_TEXT, 106)):
        with pytest.raises(PduError) as caught:
            ENCODED_STRING.build(text)
        assert caught.value.rule == "text-too-long"
    body = b"\xea" + b"a" * (MAX_TEXT + 1) + b"\0"
    octets = b"\x1f" + bytes((0x80 | len(body) >> 14, 0x80 | len(body) >> 7 & 0x7F, len(body) & 0x7F)) + body
    with pytest.raises(PduError) as caught:
        ENCODED_STRING.parse(octets)
    assert caught.value.rule == "text-too-long"


@pytest.mark.parametrize(
    ("text", "noted"),
    [("+1/TYPE=PLMN", False), ("a@b.org", False), ("12345", False), ("Free", False), ("x/TYPE=PLNM", False), ("", True), ("? ?", True)],
)
def test_an_address_of_no_form_is_noted(text: str, noted: bool) -> None:
    flaws = Lenient()
    octets = text.encode() + b"\0"
    assert ADDRESS.read(octets, 0, len(octets), flaws) == (Address(text), len(octets))
    assert bool(flaws.found) is noted


def test_odd_octets_before_a_usual_ending_are_looked_at() -> None:
    flaws = Lenient()
    octets = b"\x05\x01/TYPE=PLMN\0"
    with pytest.raises(PduError):
        ADDRESS.read(octets, 0, len(octets))
    octets = b"\x7fa/TYPE=PLMN\0"
    assert ADDRESS.read(octets, 0, len(octets), flaws) == (Address("a/TYPE=PLMN"), len(octets))
    assert flaws.found == [["needless-quote", 0, ""]]
    assert len(ADDRESS.inner()) == 3

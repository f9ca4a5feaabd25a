"""Texts: found by one search, whatever octets they hold; long ones in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wsp.leaf import MAX_TEXT, Leaf, Lenient
from mmsproxy.wsp.texts import (
    EXTENSION_MEDIA,
    QUOTED_STRING,
    TEXT_STRING,
    TEXT_VALUE,
    TOKEN_TEXT,
    URI_VALUE,
    plain_text,
    unquoted,
)

LEAVES: list[Leaf] = [TEXT_STRING, EXTENSION_MEDIA, URI_VALUE, TOKEN_TEXT, QUOTED_STRING, TEXT_VALUE]
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.sampled_from(LEAVES), st.text(CHARACTERS, max_size=20))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text_comes_back_leniently(leaf: Leaf, text: str) -> None:
    octets = leaf.build(text)
    assert octets.endswith(b"\0")
    if leaf is EXTENSION_MEDIA or not text.startswith("\x7f"):
        assert leaf.read(octets, 0, len(octets), Lenient()) == (text, len(octets))


@given(st.binary(max_size=30))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_octets_are_some_text(octets: bytes) -> None:
    for leaf in LEAVES:
        data = octets + b"\0tail"
        text, stop = leaf.read(data, 0, len(data), Lenient())
        assert isinstance(text, str)
        assert stop == (data.index(0) + 1 if leaf not in (QUOTED_STRING, TEXT_VALUE) or octets[:1] != b'"' else data.index(0, 1) + 1)


@pytest.mark.parametrize(
    ("octets", "rest", "rules"),
    [
        (b"abc", b"abc", []),
        (b"", b"", []),
        (b"\x7f\xc4", b"\xc4", []),
        (b"\x7fa", b"a", ["needless-quote"]),
        (b"\x7f", b"", ["needless-quote"]),
        (b"\xc4", b"\xc4", ["eight-bit-without-quote"]),
        (b"a\xc4", b"a\xc4", []),
    ],
)
def test_the_quote_octet(octets: bytes, rest: bytes, rules: list[str]) -> None:
    flaws = Lenient()
    assert unquoted(octets, 0, flaws) == rest
    assert [rule for rule, _, _ in flaws.found] == rules


def test_text_that_nobody_named_a_charset_for() -> None:
    assert plain_text("Größe".encode()) == plain_text("Größe".encode("latin_1")) == "Größe"


@pytest.mark.parametrize("leaf", LEAVES)
def test_the_limit_of_a_text_and_its_closing_nul(leaf: Leaf) -> None:
    start = b'"' if leaf is QUOTED_STRING else b""
    longest = start + b"x" * MAX_TEXT + b"\0"
    assert leaf.parse(longest) == "x" * MAX_TEXT
    with pytest.raises(PduError) as caught:
        leaf.parse(start + b"x" * MAX_TEXT + b"x\0")
    assert caught.value.rule == "text-too-long"
    with pytest.raises(PduError):
        leaf.build("x" * (MAX_TEXT + 1))


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_text_cannot_hold_a_nul_or_half_a_character(leaf: Leaf) -> None:
    for text, rule in (("a\0b", "nul-in-text"), ("a\udc80", "value-out-of-range")):
        with pytest.raises(PduError) as caught:
            leaf.build(text)
        assert caught.value.rule == rule


def test_the_last_text_may_lack_its_nul_leniently() -> None:
    for leaf in (TEXT_STRING, URI_VALUE, TOKEN_TEXT):
        flaws = Lenient()
        assert leaf.read(b"zzabc", 2, 5, flaws) == ("abc", 5)
        assert flaws.found == [["text-without-nul", 2, ""]]


@pytest.mark.parametrize(
    ("text", "octets"),
    [("", b"\0"), ("abc", b"abc\0"), ("a b", b'"a b\0'), ("ä", b'"\xc3\xa4\0'), ('"', b'""\0')],
)
def test_a_text_value_takes_the_form_it_needs(text: str, octets: bytes) -> None:
    assert TEXT_VALUE.build(text) == octets
    assert TEXT_VALUE.parse(octets) == text
    assert len(TEXT_VALUE.inner()) == 3

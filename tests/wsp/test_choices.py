"""Values whose first octet says what they are; enumerated octets; the skip rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import CONTENT_ENCODINGS, MEDIA_TYPES, Priority, RetrieveStatus
from mmsproxy.wsp.choices import (
    BOOLEAN,
    CONSTRAINED_MEDIA,
    FIELD_NAME,
    MEDIA,
    OPAQUE,
    VERSION_VALUE,
    Assigned,
    IntegerOr,
    NamedOctet,
    StatusOctet,
    skip_value,
    version_name,
)
from mmsproxy.wsp.leaf import Leaf, Lenient
from mmsproxy.wsp.texts import TOKEN_TEXT

PRIORITY = Assigned(Priority, "ENC 7.3.35")
STATUS = StatusOctet(RetrieveStatus, "ENC 7.3.50")


@pytest.mark.parametrize(
    ("octets", "stop"),
    [
        (b"\x00zz", 1),
        (b"\x02ab", 3),
        (b"\x1f\x02ab", 4),
        (b"\x1eabc" + bytes(27), 31),
        (b"\x1f\x1f" + bytes(31), 33),
        (b"abc\0zz", 4),
        (b"\x7fabc\0", 5),
        (b"\x80zz", 1),
        (b"\xffzz", 1),
    ],
)
def test_the_skip_rule(octets: bytes, stop: int) -> None:
    assert skip_value(octets, 0, len(octets), Lenient()) == stop
    assert OPAQUE.read(octets, 0, len(octets)) == (octets[:stop], stop)
    assert OPAQUE.build(octets[:stop]) == octets[:stop]


@pytest.mark.parametrize(
    ("octets", "rule"), [(b"", "value-missing"), (b"\x03ab", "value-length-beyond-data"), (b"abc", "text-without-nul")]
)
def test_where_the_skip_rule_fails(octets: bytes, rule: str) -> None:
    with pytest.raises(PduError) as caught:
        OPAQUE.parse(octets)
    assert caught.value.rule == rule


def test_opaque_octets_are_one_value_and_get_their_nul() -> None:
    assert OPAQUE.build(b"abc") == b"abc\0"
    assert OPAQUE.build(bytearray(b"\x81")) == b"\x81"
    for octets in (b"", b"\x80\x80", b"a\0b"):
        with pytest.raises(PduError):
            OPAQUE.build(octets)
    with pytest.raises(PduError) as caught:
        OPAQUE.build(7)
    assert caught.value.rule == "value-of-wrong-type"


@given(st.integers(0, 255))
@settings(max_examples=256, deadline=None, derandomize=True)
def test_every_octet_of_an_enumeration(octet: int) -> None:
    flaws = Lenient()
    if octet < 0x80:
        with pytest.raises(PduError):
            PRIORITY.read(bytes((octet,)), 0, 1, flaws)
        return
    value, stop = PRIORITY.read(bytes((octet,)), 0, 1, flaws)
    assert (value, stop) == (octet, 1)
    assert isinstance(value, Priority) is (octet <= 0x82)
    assert bool(flaws.found) is (octet > 0x82)
    assert PRIORITY.build(value) == bytes((octet,))


@given(st.integers(0, 255))
@settings(max_examples=256, deadline=None, derandomize=True)
def test_every_octet_is_a_status(octet: int) -> None:
    value = STATUS.parse(bytes((octet,)))
    assert value == octet
    assert STATUS.build(value) == bytes((octet,))


@pytest.mark.parametrize(("leaf", "value"), [(PRIORITY, 0x7F), (PRIORITY, 256), (STATUS, 256), (STATUS, -1), (BOOLEAN, 1), (BOOLEAN, 256)])
def test_what_is_no_octet_is_refused(leaf: Leaf, value: int) -> None:
    with pytest.raises(PduError) as caught:
        leaf.build(value)
    assert caught.value.rule == "value-out-of-range"


def test_booleans_are_not_swapped() -> None:
    assert [BOOLEAN.build(value) for value in (True, False, 0x99)] == [b"\x80", b"\x81", b"\x99"]


@pytest.mark.parametrize("octet", range(0x80, 0x100))
def test_versions(octet: int) -> None:
    name = version_name(octet)
    assert VERSION_VALUE.parse(bytes((octet,))) == octet
    if octet >= 0x90:
        flaws = Lenient()
        text = name.encode() + b"\0"
        assert VERSION_VALUE.read(text, 0, len(text), flaws) == (octet, len(text))
        assert flaws.found == [["version-as-text", 0, ""]]
    assert VERSION_VALUE.build(octet) == bytes((octet,))


@pytest.mark.parametrize("number", sorted(MEDIA_TYPES))
def test_every_media_type_both_ways(number: int) -> None:
    name = MEDIA_TYPES[number]
    octets = MEDIA.build(name.upper())
    assert octets == (bytes((0x80 | number,)) if number < 128 else b"\x02" + number.to_bytes(2, "big"))
    assert MEDIA.parse(octets) == name
    if number > 127:
        assert CONSTRAINED_MEDIA.build(name) == name.encode() + b"\0"


def test_unassigned_media_types_keep_their_number() -> None:
    for octets in (b"\xd9", b"\x02\x03\x16"):
        flaws = Lenient()
        name, _ = MEDIA.read(octets, 0, len(octets), flaws)
        assert name.startswith("application/x-wap-")
        assert flaws.found[0][0] == "media-unknown"
        assert MEDIA.build(name) == octets
    assert MEDIA.parse(b"\0") == ""


def test_numbers_or_names() -> None:
    either = IntegerOr(TOKEN_TEXT, "here")
    names = NamedOctet(CONTENT_ENCODINGS, "there")
    assert [either.parse(octets) for octets in (b"\x85", b"\x02\x01\x00", b"en\0")] == [5, 256, "en"]
    assert [either.build(value) for value in (5, 256, "en")] == [b"\x85", b"\x02\x01\x00", b"en\0"]
    assert [FIELD_NAME.build(value) for value in (5, "X-A")] == [b"\x85", b"X-A\0"]
    assert [names.build(value) for value in ("GZIP", "deflate", "br")] == [b"\x80", b"\x82", b"br\0"]
    assert (either.inner()[1], names.inner()) == (TOKEN_TEXT, (TOKEN_TEXT,))
    assert either.grammar == "Integer-value | Token-text"

"""Numbers and lengths: every boundary both ways, canonical forms, and what is too large."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wsp.integers import (
    INTEGER_VALUE,
    LONG_INTEGER,
    NO_VALUE,
    Q_VALUE,
    SHORT_INTEGER,
    UINTVAR,
    VALUE_LENGTH,
    general_form,
    write_general,
)
from mmsproxy.wsp.leaf import Leaf, Lenient


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_uintvar_comes_back(value: int) -> None:
    octets = UINTVAR.build(value)
    assert UINTVAR.parse(octets) == value
    assert len(octets) == max(1, -(-value.bit_length() // 7))
    assert all(octet >= 0x80 for octet in octets[:-1])
    assert octets[-1] < 0x80


@pytest.mark.parametrize("value", [0, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28 - 1, 2**28, 2**32 - 1])
def test_uintvar_boundaries(value: int) -> None:
    assert UINTVAR.parse(UINTVAR.build(value)) == value


def test_lenient_uintvar_may_start_with_80() -> None:
    flaws = Lenient()
    assert UINTVAR.read(b"\x80\x80\x05", 0, 3, flaws) == (5, 3)
    assert flaws.found == [["uintvar-leading-zero", 0, ""]]


@given(st.integers(0, 2**240 - 1))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_integers_come_back_in_their_shortest_form(value: int) -> None:
    octets = LONG_INTEGER.build(value)
    assert octets[0] == len(octets) - 1 == max(1, -(-value.bit_length() // 8))
    assert LONG_INTEGER.parse(octets) == INTEGER_VALUE.parse(INTEGER_VALUE.build(value)) == value
    assert len(INTEGER_VALUE.build(value)) == (1 if value < 128 else len(octets))


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        (UINTVAR, -1),
        (UINTVAR, 2**32),
        (SHORT_INTEGER, -1),
        (SHORT_INTEGER, 128),
        (LONG_INTEGER, -1),
        (LONG_INTEGER, 2**240),
        (INTEGER_VALUE, -1),
        (VALUE_LENGTH, -1),
        (VALUE_LENGTH, 2**32),
        (Q_VALUE, 1.0),
        (Q_VALUE, -0.1),
    ],
)
def test_what_does_not_fit_is_refused(leaf: Leaf, value: float) -> None:
    with pytest.raises(PduError) as caught:
        leaf.build(value)
    assert caught.value.rule == "value-out-of-range"


def test_every_q_value_comes_back() -> None:
    for thousandths in range(1000):
        octets = Q_VALUE.build(thousandths / 1000)
        assert Q_VALUE.parse(octets) == thousandths / 1000
        assert len(octets) == (1 if thousandths % 10 == 0 or thousandths < 28 else 2)


@pytest.mark.parametrize(("size", "head"), [(0, b"\x00"), (30, b"\x1e"), (31, b"\x1f\x1f"), (127, b"\x1f\x7f"), (255, b"\x1f\x81\x7f")])
def test_a_general_form_is_its_length_and_its_content(size: int, head: bytes) -> None:
    out = bytearray()
    write_general(bytearray(b"x" * size), out)
    assert out == head + b"x" * size
    assert general_form(bytes(out), 0, len(out), Lenient()) == (len(head), len(out))


def test_a_general_form_stays_inside_its_container() -> None:
    with pytest.raises(PduError) as caught:
        general_form(b"\x05abcde", 0, 5, Lenient())
    assert (caught.value.rule, caught.value.offset) == ("value-length-beyond-data", 0)


def test_a_reader_never_looks_behind_its_end() -> None:
    octets = b"\x82\x2c"
    for end in (0, 1):
        with pytest.raises(PduError) as caught:
            UINTVAR.read(octets, 0, end)
        assert caught.value.rule == "value-missing"
    with pytest.raises(PduError):
        NO_VALUE.read(b"\0", 0, 0)


def test_numbers_name_the_grammars_they_are_made_of() -> None:
    assert INTEGER_VALUE.inner() == (SHORT_INTEGER, LONG_INTEGER)
    assert VALUE_LENGTH.inner() == Q_VALUE.inner() == (UINTVAR,)
    assert LONG_INTEGER.inner() == ()

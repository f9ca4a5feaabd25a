"""Ids sort by their time as text, and carry all their bits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.post.ids import RANDOM_BYTES, ULID_LENGTH, ulid

times = st.integers(0, (1 << 48) - 1)
randoms = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


def test_known_values() -> None:
    assert ulid(0, bytes(10)) == "0" * 26
    assert ulid((1 << 48) - 1, b"\xff" * 10) == "7" + "Z" * 25
    assert ulid(1469918176385, bytes(10))[:10] == "01ARYZ6S41"  # the time of the ULID specification's own example


@settings(derandomize=True, deadline=None)
@given(times, randoms, times, randoms)
def test_they_sort_by_time(one: int, some: bytes, other: int, more: bytes) -> None:
    first, second = ulid(one, some), ulid(other, more)
    assert len(first) == ULID_LENGTH
    assert (one, some) == (other, more) or first != second
    assert one >= other or first < second


@pytest.mark.parametrize(("time", "random"), [(-1, bytes(10)), (1 << 48, bytes(10)), (0, bytes(9)), (0, bytes(11))])
def test_what_does_not_fit_is_refused(time: int, random: bytes) -> None:
    with pytest.raises(ValueError, match="ULID"):
        ulid(time, random)

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsproxy.post.caps import DAY, HOUR, MINUTE, Caps, Full, Usage, exceeded, minute_of

NOW = 1_800_000_000.0


def test_a_cap_of_zero_is_none() -> None:
    usage = Usage(((NOW, 10_000),))
    assert Caps(0, 0).full(usage, 1, NOW) is None
    assert Caps(0, 0).window == 0
    assert Caps(1, 0).window == HOUR
    assert Caps(0, 1).window == Caps(1, 1).window == DAY


def test_the_hour_fills_and_frees() -> None:
    usage = Usage(((NOW - 3000, 60), (NOW - 600, 40)))
    caps = Caps(per_hour=100, per_day=0)
    full = caps.full(usage, 1, NOW)
    assert full is not None
    assert (full.cap, full.limit, full.until) == ("per_hour", 100, NOW - 3000 + MINUTE + HOUR)
    assert caps.full(usage, 1, full.until) is None
    assert Caps(101, 0).full(usage, 1, NOW) is None


def test_a_large_cost_waits_for_more_room() -> None:
    usage = Usage(((NOW - 3000, 60), (NOW - 600, 40)))
    full = Caps(100, 0).full(usage, 70, NOW)
    assert full is not None
    assert full.until == NOW - 600 + MINUTE + HOUR


def test_a_cost_above_the_cap_waits_for_an_empty_window() -> None:
    full = Caps(100, 0).full(Usage(), 101, NOW)
    assert full is not None
    assert full.until == NOW + HOUR


def test_the_cap_that_takes_longest_is_named() -> None:
    full = Caps(10, 10).full(Usage(((NOW - 120, 10),)), 1, NOW)
    assert full is not None
    assert full.cap == "per_day"


@given(st.lists(st.tuples(st.integers(0, 7200), st.integers(1, 30)), max_size=40), st.integers(1, 100))
def test_no_rolling_hour_ever_has_more_than_the_cap(spends: list[tuple[int, int]], limit: int) -> None:
    """Spend whenever the cap allows, at any second: no window of an hour holds more."""
    caps, spent, minutes = Caps(limit, 0), [], {}
    for at, units in sorted(spends):
        now = NOW + at
        if caps.full(Usage(tuple(sorted(minutes.items()))), units, now) is None:
            spent.append((now, units))
            minutes[minute_of(now)] = minutes.get(minute_of(now), 0) + units
    for end, _ in spent:
        assert sum(units for at, units in spent if end - HOUR < at <= end) <= limit


@pytest.mark.parametrize("at", [0.0, 59.9, 60.0, NOW + 0.5])
def test_minutes(at: float) -> None:
    assert minute_of(at) <= at < minute_of(at) + MINUTE
    assert minute_of(at) % MINUTE == 0


@pytest.mark.parametrize(
    ("caps", "cost", "full"),
    [
        (Caps(0, 0), 10_000, None),
        (Caps(3, 0), 3, None),
        (Caps(3, 0), 4, Full("per_hour", 3, inf)),
        (Caps(3, 2), 3, Full("per_day", 2, inf)),
        (Caps(2, 3), 4, Full("per_hour", 2, inf)),
        (Caps(0, 3), 4, Full("per_day", 3, inf)),
    ],
)
def test_what_never_fits(caps: Caps, cost: int, full: Full | None) -> None:
    assert exceeded(caps, cost) == full

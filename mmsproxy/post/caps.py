"""How much may be sent in an hour and in a day: rolling windows over minutes, because money is lost in bursts. Pure.

It knows units and minutes, not messages. A cap of 0 is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

MINUTE = 60
HOUR = 3600.0
DAY = 86400.0
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Full:
    """A cap that one more message would exceed. `until`: when it will fit, seconds since 1970."""

    cap: str
    limit: int
    until: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Units by minute: (start of the minute in seconds since 1970, units), oldest first, those of the last day."""

    minutes: Sequence[tuple[float, int]] = ()

    def units(self, now: float, window: float) -> int:
        """Of the window, the minute that it begins in counted whole: rather a message late than one too many in any hour."""
        return sum(units for start, units in self.minutes if start + MINUTE > now - window)

    def fits_at(self, cost: int, limit: int, now: float, window: float) -> float:
        """The first moment at which `cost` more units are within `limit`; the end of the window when they never are."""
        used = self.units(now, window)
        for start, units in self.minutes:
            if start + MINUTE <= now - window:
                continue
            used -= units
            if used + cost <= limit:
                return start + MINUTE + window
        return now + window


@dataclass(frozen=True, slots=True)
class Caps:
    """Units in a rolling hour and a rolling day (delivery.md 9)."""

    per_hour: int = 100
    per_day: int = 500

    @property
    def window(self) -> float:
        """Seconds of usage that a decision needs; 0 when there is no cap."""
        return DAY if self.per_day else HOUR if self.per_hour else 0.0

    def full(self, usage: Usage, cost: int, now: float) -> Full | None:
        """The cap that is in the way longest, or None."""
        caps = (("per_hour", self.per_hour, HOUR), ("per_day", self.per_day, DAY))
        exceeded = [
            Full(name, limit, usage.fits_at(cost, limit, now, window))
            for name, limit, window in caps
            if limit and usage.units(now, window) + cost > limit
        ]
        return max(exceeded, key=lambda full: full.until, default=None)


def exceeded(caps: Caps, cost: int) -> Full | None:
    """The cap that so many units exceed by themselves, so that they never fit (`until` is infinite); the smallest such cap."""
    smaller = [Full(name, limit, inf) for name, limit in (("per_hour", caps.per_hour), ("per_day", caps.per_day)) if 0 < limit < cost]
    return min(smaller, key=lambda full: full.limit, default=None)


def minute_of(at: float) -> float:
    """The start of the minute that a unit spent at that moment is counted in."""
    return float(at // MINUTE * MINUTE)

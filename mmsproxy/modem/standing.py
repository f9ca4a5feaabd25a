"""How a link stands: its state for people and doors, who waits for it to change, and what is announced of it.

Rule 1: the one place that changes a link's state, notes it beside the bytes and tells it on the bus. Rule 2: it decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mmsproxy.at.dialect import Rung
from mmsproxy.events import BearerUp, Bus, LineFailed, LineLost, LineOnline, LinkRecovering
from mmsproxy.link import LinkState, LinkStatus, Tap


class Standing:
    """One line's. `settled` is set while the status is not STARTING; `tried` whenever a try of the owner has come to something."""

    def __init__(self, name: str, *, bus: Bus, tap: Tap | None = None) -> None:
        self.name = name
        self.state = LinkState(LinkStatus.DOWN, "not started")
        self.settled = asyncio.Event()
        self.settled.set()
        self.tried = asyncio.Event()
        self._bus = bus
        self._tap = tap
        self.when_online: Callable[[], None] = lambda: None  # scripts can be run from here on
        self.when_lost: Callable[[], None] = lambda: None  # nothing of this run of the modem holds any more
        self._is_lost = False
        self._has_failed = False

    def enter(self, status: LinkStatus, reason: str = "") -> None:
        if (status, reason) != (self.state.status, self.state.reason):
            self.state = replace(self.state, status=status, reason=reason)
            self.note("state", f"{status.name.lower()}: {reason}" if reason else status.name.lower())
        self.settled.clear() if status is LinkStatus.STARTING else self.settled.set()
        if status >= LinkStatus.ATTACHED:
            self.tried.set()

    def know(self, **facts: Any) -> None:
        """Modem, dialect, operator, signal_dbm."""
        self.state = replace(self.state, **facts)

    def tell(self, text: str) -> None:
        """One line for people, while something takes its time."""
        self.state = replace(self.state, reason=text)
        self.note("state", text)

    def note(self, kind: str, text: str) -> None:
        if self._tap is not None:
            self._tap.note(kind, text)

    # -- facts

    def online(self, modem: str, dialect: str) -> None:
        self._is_lost = False
        self.know(modem=modem, dialect=dialect)
        self.enter(LinkStatus.ATTACHED, "no bearer yet")
        self._bus.announce(LineOnline(self.name, modem, dialect))
        self.when_online()

    def bearer_up(self, seconds: float | None, reason: str = "") -> None:
        """`seconds` it took; None when it was up."""
        self._has_failed = False
        self.enter(LinkStatus.BEARER_UP, reason)
        if seconds is not None:
            self._bus.announce(BearerUp(self.name, seconds))

    def lost(self, status: LinkStatus, reason: str) -> None:
        self.enter(status, reason)
        self.when_lost()
        if not self._is_lost:
            self._is_lost = True
            self._bus.announce(LineLost(self.name, reason))

    def climbing(self, rung: Rung, reason: str) -> None:
        self.note("state", f"recovery, rung {int(rung)} ({rung.name.lower().replace('_', ' ')}): {reason}")
        self._bus.announce(LinkRecovering(self.name, int(rung), reason))

    def failed(self, reason: str) -> None:
        """The alarm, once until the line is in service again."""
        if not self._has_failed:
            self._has_failed = True
            self._bus.announce(LineFailed(self.name, reason))

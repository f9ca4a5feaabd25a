"""Facts the house announces, and the one bus they travel on.

Rule 1: only facts, in the past tense; nobody asks for anything over the bus. Rule 2: upwards only: a lower room announces, an upper
room listens. Rule 3: a listener that fails never harms the one who announced (its error is logged by the bus).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fact:
    """Base of all facts."""


@dataclass(frozen=True, slots=True)
class LineOnline(Fact):
    """The line's modem answers and is set up. `modem` is its model as it names itself, `dialect` the chosen AT dialect."""

    line: str
    modem: str
    dialect: str


@dataclass(frozen=True, slots=True)
class LineLost(Fact):
    """The line's modem cannot be used now; `reason` is one line that names the cure where there is one."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class LinkRecovering(Fact):
    """A rung of the recovery ladder was taken: 1 AT, 2 close, 3 bearer down and up, 4 radio off and on, 5 restart, 6 reset command,
    7 given up for five minutes. `reason` is the fault that led to it."""

    line: str
    rung: int
    reason: str


@dataclass(frozen=True, slots=True)
class LineFailed(Fact):
    """The alarm: no rung of the recovery has helped. A person is needed; it is tried again every five minutes."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class BearerUp(Fact):
    """The line's PDP context is up; `seconds` is how long it took."""

    line: str
    seconds: float


@dataclass(frozen=True, slots=True)
class MessageSent(Fact):
    """The carrier accepted a message."""

    line: str
    message_id: str | None
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class MessageFailed(Fact):
    """A message was not accepted, or its outcome is not known. `outcome` is `not_sent`, `refused` or `unknown`."""

    line: str
    outcome: str
    code: str
    detail: str
    phase: int


@dataclass(frozen=True, slots=True)
class WebhookTried(Fact):
    """An event was posted to a webhook or a callback_url. `outcome` is `delivered`, `retrying` or `failed`. No `http_status`: no answer."""

    webhook_id: str
    outcome: str
    http_status: int | None
    seconds: float


Listener = Callable[[Fact], None]


class Bus:
    """Hands each fact to each listener, in order, at once."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Returns the call that ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def announce(self, fact: Fact) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(fact)
            except Exception:  # noqa: BLE001 - rule 3: a page that cannot be told must not fail a message
                _log.exception("listener failed", extra={"fact": repr(fact)})

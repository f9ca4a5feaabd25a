"""What the engine hears: events, and the reply to a command. Frozen facts in the past tense; no logic but small questions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mmsproxy.at.rules import Urc


class Outcome(Enum):
    PROMPTED = "prompted"  # the payload is due now
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Reply:
    """A command's answer. `lines` are its own lines in order, `last` the one that decided, `data` its counted data and `header` the line
    that announced them (empty when none came)."""

    outcome: Outcome
    lines: tuple[bytes, ...] = ()
    last: bytes = b""
    header: bytes = b""
    data: bytes = b""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.DONE

    @property
    def prompted(self) -> bool:
        return self.outcome is Outcome.PROMPTED

    @property
    def timed_out(self) -> bool:
        return self.outcome is Outcome.TIMED_OUT

    def line(self, prefix: bytes) -> bytes | None:
        """What follows `prefix` in the first line that begins with it, without spaces around."""
        return next((line[len(prefix) :].strip() for line in self.lines if line.startswith(prefix)), None)


@dataclass(frozen=True, slots=True)
class Replied:
    """The command in flight got its prompt or its end."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class HalfDone:
    """An error came where two lines are due. Who has the clock calls `settle` after 500 ms unless `Replied` comes before."""


@dataclass(frozen=True, slots=True)
class UrcReceived:
    """An unasked line; `socket` where it names one; `data` are pushed bytes, or the hex line of a PDU."""

    kind: Urc
    line: bytes
    socket: int | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class EchoReceived:
    """The modem repeated our command: its echo is on."""


@dataclass(frozen=True, slots=True)
class UnknownReceived:
    """A line that nobody knows. Never fatal."""

    line: bytes


@dataclass(frozen=True, slots=True)
class GarbageReceived:
    """Bytes that cannot be a line: too long, or counted data longer than was asked for."""

    size: int


@dataclass(frozen=True, slots=True)
class BurstReceived:
    """BURST or more bytes of 0x00 or 0xFF: the modem lost power, or the baud rate is wrong."""


@dataclass(frozen=True, slots=True)
class DataReceived:
    """A connection's bytes in the transparent mode; the modem's own CLOSED may stand among them."""

    data: bytes


Event = Replied | HalfDone | UrcReceived | EchoReceived | UnknownReceived | GarbageReceived | BurstReceived | DataReceived

"""The vocabulary of answers: what ends a command, what belongs to it, and what a modem may say unasked.

Rule 1: final results differ by command, not only by dialect (modems.md 1.2); so a command carries its own `Rule`, and nothing waits
for "OK" by habit. Rule 2: patterns are matched against whole lines without CR and LF. Rule 3: data only; the engine does the matching.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

Pattern = re.Pattern[bytes]

#: Lines that end any command as failed (modems.md 2). `NO CARRIER` is a URC unless a dialect's own rule says otherwise.
ERROR_LINE = re.compile(
    rb"ERROR|\+CM[ES] ERROR: ?.*|COMMAND NOT SUPPORT(ED)?|BUSY|NO ANSWER|NO DIALTONE|NA|MODEM ERROR: ?\d+", re.IGNORECASE
)
OK_LINE = re.compile(rb"OK")


@dataclass(frozen=True, slots=True)
class Slot:
    """One line that is due. The first line that fits `good` or `bad` fills it."""

    good: Pattern
    bad: Pattern = ERROR_LINE


@dataclass(frozen=True, slots=True)
class DataHeader:
    """What announces counted data. `pattern` is matched at the start of the input and ends with the last byte before the data; its
    group `len` counts them. `trailer` stands between the data and the line's end. `limit` is the most that was asked for, in bytes."""

    pattern: Pattern
    limit: int
    trailer: bytes = b""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a command ends and what belongs to it.

    slots   complete when all are filled, in any order; failed when one of them was filled by its `bad`
    info    intermediate lines of the answer
    free    any line that nobody else knows belongs to the answer (ATI)
    data    the answer's counted data
    broken  unasked lines that also end the command once its payload was given (the socket went away under a send)
    online  what follows the line that completes it is a connection's data, not lines (transparent mode)
    """

    slots: tuple[Slot, ...]
    info: Pattern | None = None
    free: bool = False
    data: DataHeader | None = None
    broken: Pattern | None = None
    online: bool = False


class Urc(Enum):
    """What an unasked line means to the link."""

    DATA_WAITING = "data waiting"
    PUSHED_DATA = "pushed data"
    PEER_CLOSED = "peer closed"
    BEARER_LOST = "bearer lost"
    RESTARTED = "restarted"
    BOOT_TAIL = "late words of a boot"  # a restart too, unless a boot was seen shortly before
    REGISTRATION = "registration"
    SIM_STATE = "SIM state"
    SMS_STORED = "SMS stored"
    SMS_DIRECT = "SMS direct"
    REPORT_STORED = "status report stored"
    REPORT_DIRECT = "status report direct"
    NOISE = "noise"


class Takes(Enum):
    """What follows a URC's first line and belongs to the same event."""

    NOTHING = 0
    HEX_LINE = 1  # a PDU
    DATA = 2  # counted bytes; the pattern is matched like a DataHeader's


@dataclass(frozen=True, slots=True)
class UrcRule:
    """A line that may come at any time. Group `n` is the socket number where there is one, group `len` the count of pushed data."""

    pattern: Pattern
    kind: Urc
    takes: Takes = Takes.NOTHING


def ok(info: bytes | None = None, *, free: bool = False, data: DataHeader | None = None) -> Rule:
    """The common rule: lines that fit `info`, counted data if any, then OK."""
    return Rule((Slot(OK_LINE),), None if info is None else re.compile(info), free=free, data=data)


def ok_and(good: bytes, bad: bytes, info: bytes | None = None) -> Rule:
    """OK and a deciding line, in either order. An error in the place of one leaves the other 500 ms (modems.md 1.2)."""
    return Rule((Slot(OK_LINE), Slot(re.compile(good), re.compile(bad))), None if info is None else re.compile(info))


def bare(good: bytes) -> Rule:
    """A line that is final by itself; no OK comes."""
    return Rule((Slot(re.compile(good)),))


def urc(pattern: bytes, kind: Urc, takes: Takes = Takes.NOTHING) -> UrcRule:
    return UrcRule(re.compile(pattern), kind, takes)


#: What every modem may say (modems.md 5.4, 7.2; 3GPP TS 27.007 and 27.005). Dialects put their own in front.
COMMON_URCS = (
    urc(rb"\+CMTI: .*", Urc.SMS_STORED),
    urc(rb"\+CMT: .*", Urc.SMS_DIRECT, Takes.HEX_LINE),
    urc(rb"\+CDSI: .*", Urc.REPORT_STORED),
    urc(rb"\+CDS: .*", Urc.REPORT_DIRECT, Takes.HEX_LINE),
    urc(rb"\+C(E|G|5G)?REG: .*", Urc.REGISTRATION),
    urc(rb"\+CPIN: NOT READY", Urc.RESTARTED),
    urc(rb"\+CPIN: READY", Urc.BOOT_TAIL),
    urc(rb"\+CPIN: .*|\+SIM.*|\+CSMINS: .*", Urc.SIM_STATE),
    urc(rb"RDY|APP RDY|\+CFUN: ?1", Urc.RESTARTED),
    urc(rb"(UNDER|OVER)-VOLTAGE WARN+ING", Urc.NOISE),
    urc(rb"\+CTZV.*|\+CTZE.*|\*PSUTTZ.*|\*PSNWID.*|DST: .*|\+CIEV: .*|\+CGEV: .*", Urc.NOISE),
    urc(rb"RING|\+CRING: .*|\+CLIP: .*|NO CARRIER|\+CUSD: .*|\+CBM: .*|\+CNEMIU: .*", Urc.NOISE),
)

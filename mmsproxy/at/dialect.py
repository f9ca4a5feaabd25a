"""The vocabulary of scripts: what a script asks by yielding, what it gets back, and what a dialect consists of.

Rule 1: a script is a generator that yields requests and is sent replies; it knows no loop, no clock and no port, so a text transcript
tests it. Rule 2: a dialect is data plus the few scripts that differ; a new modem is one file and one line in `at.detect`. Rule 3: a
script raises only LinkError and CarrierError (and AtStringError for a string it was given).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol, TypeVar

from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.rules import Rule, Urc, UrcRule, ok
from mmsproxy.errors import AtError, AtTimeout, LinkError, SimError

T = TypeVar("T")
OK = ok()

#: SIM busy (3GPP TS 27.007 9.2.1 and 27.005 3.2.5; 515 as field code): wait and repeat, it is no failure (modems.md 5.3).
_BUSY = re.compile(rb"\+CM[ES] ERROR: ?(14|515|SIM busy.*)", re.IGNORECASE)
_BUSY_PAUSES = (1.0, 2.0, 4.0, 8.0)
#: SIM absent or blocked: 10 not inserted, 11-12 PIN/PUK wanted, 13 failure, 15 wrong (27.007 9.2.1).
_SIM_FAULT = re.compile(rb"\+CM[ES] ERROR: ?(10|11|12|13|15|SIM (not inserted|PIN required|PUK required|failure|wrong))", re.IGNORECASE)


# -- requests -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """A command. `text` begins with AT and has no CR; the time-out in seconds counts from when the line has carried it. With `prompt`
    the reply is PROMPTED (then yield an `Offer`) or the end. A `probe` may be sent while an older command's answer is late."""

    text: bytes
    rule: Rule = OK
    timeout: float = 5.0
    prompt: bool = False
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """The payload of the command that has just prompted. `upto` is the stream's byte count after it: the ledger learns it BEFORE the
    write. The reply is the command's end."""

    payload: bytes | memoryview
    upto: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes written as they are, with no answer awaited and nothing counted. The reply is empty; TIMED_OUT when the port did not take them
    within `timeout` seconds beyond the line's own time."""

    data: bytes | memoryview
    timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class Escape:
    """Back from the transparent mode to commands: `guard` seconds of silence, +++, and the modem's OK after as much silence again. With
    guard None the modem has left it by itself; the reply is empty then."""

    guard: float | None
    timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is written for so many seconds. The reply is empty."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Await:
    """Waits for a URC of this kind; TIMED_OUT when none came."""

    kind: Urc
    timeout: float


@dataclass(frozen=True, slots=True)
class Tell:
    """One line for people: what the script is waiting for. The reply is empty."""

    text: str


class Rung(IntEnum):
    """The recovery ladder (modems.md 5.3): a rung that fails leads to the next."""

    PROBE = 1  # AT
    CLOSE = 2  # the socket
    BEARER = 3  # down and up
    RADIO = 4  # off and on
    RESTART = 5  # by command
    RESET = 6  # by the configured command
    GIVE_UP = 7


@dataclass(frozen=True, slots=True)
class Climb:
    """A rung of the recovery ladder is taken, and why: announced. The reply is empty."""

    rung: Rung
    reason: str


@dataclass(frozen=True, slots=True)
class Rate:
    """The host's side of the line goes on at this rate, in baud, once what was written has left. FAILED when the port cannot."""

    baud: int


Request = Ask | Offer | Raw | Escape | Pause | Await | Tell | Climb | Rate
Script = Generator[Request, Reply, T]
NOTHING = Reply(Outcome.DONE)


# -- what scripts are told and what they find out -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Profile:
    """The subscription's own settings: checked by `at.strings` where they enter a command."""

    apn: str = ""
    pdp_type: str = "IP"
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """How the modem names itself (ATI, +CGMI, +CGMM, +CGMR); empty where it does not say."""

    manufacturer: str = ""
    model: str = ""
    revision: str = ""
    info: str = ""

    @property
    def words(self) -> str:
        return " ".join((self.manufacturer, self.model, self.revision, self.info))


class Book(Protocol):
    """The part of a stream's ledger that scripts write: bytes confirmed, and bytes acknowledged by the far end's TCP."""

    offered: int
    accepted: int
    acked: int


@dataclass(slots=True)
class Socket:
    """One TCP socket of the modem as the scripts see it. `throttled` is set when the modem's buffer was once full."""

    number: int
    book: Book
    throttled: bool = False


class Verdict(Enum):
    """What is known of one chunk after the exchange (modems.md 5.2)."""

    TAKEN = "taken"  # all of it
    HELD = "held"  # none of it: the window is full
    DOUBTFUL = "doubtful"  # the modem's own counter has to decide
    CLOSED = "closed"  # the socket is gone
    NO_PROMPT = "no prompt"  # the modem may be waiting for the bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """`hint` is how many bytes the modem said it took, where it said so."""

    verdict: Verdict
    hint: int | None = None
    line: bytes = b""


@dataclass(frozen=True, slots=True)
class Counters:
    """The modem's own counters of one socket in bytes since it was opened."""

    sent: int
    acked: int
    unacked: int


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes read and how many still wait (None: the modem does not say)."""

    data: bytes
    left: int | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the carrier's DNS says of a name: IP literals, and for how many seconds (None: the modem does not say)."""

    addresses: tuple[str, ...]
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """Data plus scripts. Sizes in bytes. `prepare` runs once per start-up, after the SIM and before registration, and may keep
    a bearer that is up where it can tell that it is the profile's own; `bearer_up` brings up
    a bearer that is known to be down, `bearer_down` leaves a clean state and never fails but by silence.

    resolve      asks the carrier's DNS over the bearer that is up; raises ConnectError where there is no such name
    transparent  the same modem in its transparent mode, where it has one
    is_transparent  after `open` the line is the connection's: no commands, no URCs, no counters until +++ (modems.md 3.5)
    """

    name: str
    models: re.Pattern[str]  # searched in Identity.words
    probe: bytes  # a `=?` query that only this family understands
    urcs: tuple[UrcRule, ...]
    max_send: int
    max_read: int
    window: int  # most unacknowledged bytes once the buffer was full
    restart: bytes
    pin_counter: bytes  # the command that tells how many tries the PIN has left
    prepare: Callable[[Profile, Identity], Script[None]]
    bearer_check: Callable[[], Script[bool]]
    bearer_up: Callable[[Profile], Script[None]]
    bearer_down: Callable[[], Script[None]]
    open: Callable[[int, str, int], Script[int]]  # the wanted socket, host, port; returns the socket's number
    send: Callable[[int, bytes | memoryview, int], Script[Sent]]  # socket, chunk, stream's byte count after it
    counters: Callable[[int], Script[Counters]]
    read: Callable[[int, int], Script[Received]]
    close: Callable[[int], Script[None]]
    first_socket: int = 0
    resolve: Callable[[str], Script[Resolved]] | None = None
    transparent: Dialect | None = None
    is_transparent: bool = False


# -- how scripts ask ------------------------------------------------------------------------------------------------------------


def must(request: Ask) -> Script[Reply]:
    """Asks, waits out a busy SIM, and raises AtTimeout, SimError or AtError unless the command succeeds."""
    reply = yield from patient(request)
    if not reply.ok:
        raise failure(request, reply)
    return reply


def patient(request: Ask) -> Script[Reply]:
    """Asks, and repeats after 1, 2, 4 and 8 s while the SIM is busy."""
    for pause in _BUSY_PAUSES:
        reply = yield request
        if not _BUSY.fullmatch(reply.last):
            return reply
        yield Pause(pause)
    return (yield request)


def try_joined(commands: Sequence[bytes], timeout: float = 5.0) -> Script[bool]:
    """Configuration commands (without AT) in one line (V.250 5.2.1); where the modem refuses that, one by one. Returns whether all
    succeeded."""
    reply = yield Ask(b"AT" + b";".join(commands), timeout=timeout)
    if reply.ok:
        return True
    fine = True
    for command in commands:
        reply = yield from patient(Ask(b"AT" + command, timeout=timeout))
        if reply.timed_out:
            raise failure(Ask(b"AT" + command), reply)
        fine = fine and reply.ok
    return fine


def failure(request: Ask, reply: Reply) -> LinkError:
    """The error that a reply means. Quoted strings of the command stay out of its text: they may be secrets."""
    command = re.sub(rb'"[^"]*"', b'"..."', request.text).decode("ascii", "replace")
    if reply.timed_out:
        return AtTimeout(f"no answer to {command} within {request.timeout:g} s")
    if _SIM_FAULT.match(reply.last):
        return SimError(f"the SIM cannot be used: {printable(reply.last)}", cure="check that a SIM is in the modem, and its PIN")
    return AtError(f"the modem answered {printable(reply.last)} to {command}")


def printable(line: bytes) -> str:
    """A modem's line for people: ASCII, the rest as replacement characters, at most 200."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line.decode("ascii", "replace"))[:200]


def ints(text: bytes) -> list[int]:
    """The comma-separated whole numbers at the start of a text; stops at the first field that is none."""
    found: list[int] = []
    for piece in text.split(b","):
        if not re.fullmatch(rb" *-?\d{1,10} *", piece):
            break
        found.append(int(piece))
    return found

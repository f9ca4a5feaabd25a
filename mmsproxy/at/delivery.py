"""One chunk into a socket, and what to do when the modem leaves doubt (modems.md 5.2). Shared by all dialects.

Rule 1: never a blind resend: what was taken is known from the result, else from the modem's own counter, else the socket is given up.
Rule 2: a missed prompt is never answered by the same command again: the modem may be waiting for the bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from mmsproxy.at.dialect import Await, Climb, Dialect, Pause, Raw, Rung, Script, Sent, Socket, Verdict, printable
from mmsproxy.at.rules import Urc
from mmsproxy.at.startup import answers
from mmsproxy.errors import AtError, AtTimeout, LinkError, LinkLost, PeerReset

POLL = 0.05  # seconds between two looks at a full window
PATIENCE = 20.0  # seconds without an accepted byte (mm1.md 9)
DRAIN_POLLS = (0.05, 0.1, 0.25)  # seconds between two looks at a buffer that must be empty before the next send; the last one repeats
DRAIN_PATIENCE = 15.0  # seconds until it is (modems.md 1.5)
QUIET = 50.0  # seconds after which a modem that waits for payload has given up, or the far end has
RESTART_TIMEOUT = 30.0  # seconds to the first word of a restarted modem (modems.md 5.3, rung 5)
_PROBE = b"AT\r"
_PROBES = _PROBE * 4  # three (modems.md 5.3, rung 1), and one whose OK the send may take for its own
_CURE = "if the line stays down, power-cycle the modem"


class PromptLost(LinkLost):
    """The modem may be waiting for the last bytes of a message: nothing may be written to it for so many seconds, or until it has
    restarted."""

    quiet = QUIET


class StillQuiet(PromptLost):
    """It did not follow a restart command either."""

    quiet = QUIET - RESTART_TIMEOUT


def deliver(dialect: Dialect, socket: Socket, chunk: bytes | memoryview, *, more: bool) -> Script[int]:
    """Sends one chunk of 1..max_send bytes, or what of it the modem takes at once; returns how many bytes it took (1..len) and books them
    as accepted. `more` says that bytes of the same message follow the chunk for certain. Raises PeerReset, LinkError."""
    before, looks = socket.book.accepted, int(PATIENCE / POLL)
    while looks > 0:
        looks -= 1
        looks -= yield from _make_room(dialect, socket, len(chunk), looks)
        part = chunk[: min(socket.room or dialect.max_send, dialect.max_send)]
        sent = yield from dialect.send(socket.number, part, before + len(part))
        socket.throttled = socket.throttled or sent.verdict is not Verdict.TAKEN
        taken = yield from _taken(dialect, socket, sent, len(part), more=more or len(part) < len(chunk))
        if taken:
            socket.book.accepted = before + taken
            return taken
        yield Pause(POLL)
    raise AtTimeout(f"the modem took no byte for {PATIENCE:g} s: its send buffer stays full")


def _taken(dialect: Dialect, socket: Socket, sent: Sent, size: int, *, more: bool) -> Script[int]:
    match sent.verdict:
        case Verdict.TAKEN:
            return size
        case Verdict.HELD:
            return 0
        case Verdict.CLOSED:
            raise PeerReset(f"the connection closed while sending ({printable(sent.line)})")
        case Verdict.NO_PROMPT:
            return (yield from _missed_prompt(dialect, size, more=more))
        case Verdict.DOUBTFUL:
            return (yield from _growth(dialect, socket, sent, size))


def _growth(dialect: Dialect, socket: Socket, sent: Sent, size: int) -> Script[int]:
    """The modem's own counter decides; a figure that does not fit ends the socket."""
    try:
        counters = yield from dialect.counters(socket.number)
    except LinkError as error:
        raise AtError(f"the modem does not tell what it took of a chunk ({error.detail})") from error
    taken = counters.sent - socket.book.accepted
    if not 0 <= taken <= size or sent.hint not in (None, taken):
        raise AtError(f"the modem's byte counter does not fit: {taken} of {size} bytes, after {printable(sent.line)}")
    return taken


def _make_room(dialect: Dialect, socket: Socket, size: int, looks: int) -> Script[int]:
    """The next send fits. Returns how many looks that took."""
    if dialect.room is not None and (dialect.must_drain or not socket.room):
        return (yield from _until_empty(dialect, dialect.room, socket, looks))
    if socket.throttled:
        return (yield from _until_room(dialect, socket, size, looks))
    return 0


def _until_empty(dialect: Dialect, room: Callable[[int], Script[int]], socket: Socket, looks: int) -> Script[int]:
    """The modem's buffer is empty: it takes as much as ever before. One that takes less from now on (the peer's window) is known by its
    counters."""
    patience, waited = min(DRAIN_PATIENCE, looks * POLL), 0.0
    for pause in itertools.chain(DRAIN_POLLS, itertools.repeat(DRAIN_POLLS[-1])):
        free = yield from room(socket.number)
        if free and (free >= socket.room or (yield from _all_acked(dialect, socket))):
            socket.room = free
            return int(waited / POLL)
        if waited >= patience:
            break
        yield Pause(pause)
        waited += pause
    raise AtTimeout(f"the modem's send buffer does not get empty within {patience:g} s")


def _all_acked(dialect: Dialect, socket: Socket) -> Script[bool]:
    try:
        counters = yield from dialect.counters(socket.number)
    except AtError:
        return False
    socket.book.acked = max(socket.book.acked, counters.acked)
    return counters.unacked == 0


def _until_room(dialect: Dialect, socket: Socket, size: int, looks: int) -> Script[int]:
    """Holds the unacknowledged bytes under the dialect's window once the modem's buffer was full. Returns how many looks that took."""
    for look in range(looks):
        counters = yield from dialect.counters(socket.number)
        socket.book.acked = max(socket.book.acked, counters.acked)
        if counters.unacked == 0 or counters.unacked + size <= dialect.window:
            return look
        yield Pause(POLL)
    raise AtTimeout(f"the far end acknowledged no byte for {PATIENCE:g} s")


def _missed_prompt(dialect: Dialect, size: int, *, more: bool) -> Script[int]:
    """NULs fill a chunk in the middle: the request stays incomplete. They must not fill the last one: that would complete it, and a
    corrupt message would be on its way. So what is written then is shorter than the chunk, whatever the modem takes it for."""
    if more:
        yield Climb(Rung.CLOSE, "no prompt to a send in the middle of a message")
        yield Raw(bytes(size))
        raise AtTimeout("the modem gave no prompt to a send; the connection is dropped")
    restart = dialect.restart + b"\r"
    if len(restart) + len(_PROBES) < size and (yield from answers(len(_PROBES) // len(_PROBE))):
        yield Climb(Rung.CLOSE, "no prompt to the last bytes of a message")  # nor does it wait for them: the command was lost
        raise AtTimeout("the modem gave no prompt to a send; the connection is dropped")
    if len(restart) < size:
        yield Climb(Rung.RESTART, "no prompt to the last bytes of a message")
        yield Raw(restart)
        reply = yield Await(Urc.RESTARTED, RESTART_TIMEOUT)
        if not reply.timed_out:
            raise LinkLost("the modem gave no prompt to the last bytes of a message, and was restarted")
        raise StillQuiet("the modem gave no prompt to the last bytes of a message, and did not restart", cure=_CURE)
    raise PromptLost("the modem gave no prompt to the last bytes of a message", cure=_CURE)

"""One chunk into a socket, and what to do when the modem leaves doubt (modems.md 5.2). Shared by all dialects.

Rule 1: never a blind resend: what was taken is known from the result, else from the modem's own counter, else the socket is given up.
Rule 2: a missed prompt is never answered by the same command again: the modem may be waiting for the bytes.
"""

from __future__ import annotations

from mmsproxy.at.dialect import Await, Climb, Dialect, Pause, Raw, Rung, Script, Sent, Socket, Verdict, printable
from mmsproxy.at.rules import Urc
from mmsproxy.errors import AtError, AtTimeout, LinkError, LinkLost, PeerReset

POLL = 0.05  # seconds between two looks at a full window
PATIENCE = 20.0  # seconds without an accepted byte (mm1.md 9)
QUIET = 50.0  # seconds after which a modem that waits for payload has given up, or the far end has
RESTART_TIMEOUT = 30.0  # seconds to the first word of a restarted modem (modems.md 5.3, rung 5)
_CURE = "if the line stays down, power-cycle the modem"


class PromptLost(LinkLost):
    """The modem may be waiting for the last bytes of a message: nothing may be written to it for so many seconds, or until it has
    restarted."""

    quiet = QUIET


class StillQuiet(PromptLost):
    """It did not follow a restart command either."""

    quiet = QUIET - RESTART_TIMEOUT


def deliver(dialect: Dialect, socket: Socket, chunk: bytes | memoryview, *, more: bool) -> Script[int]:
    """Sends one chunk of 1..max_send bytes; returns how many the modem took (1..len) and books them as accepted. `more` says that bytes
    of the same message follow it for certain. Raises PeerReset, LinkError."""
    before, looks = socket.book.accepted, int(PATIENCE / POLL)
    while looks > 0:
        looks -= 1
        if socket.throttled:
            looks -= yield from _until_room(dialect, socket, len(chunk), looks)
        sent = yield from dialect.send(socket.number, chunk, before + len(chunk))
        socket.throttled = socket.throttled or sent.verdict is not Verdict.TAKEN
        taken = yield from _taken(dialect, socket, sent, len(chunk), more=more)
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
    corrupt message would be on its way."""
    if more:
        yield Climb(Rung.CLOSE, "no prompt to a send in the middle of a message")
        yield Raw(bytes(size))
        raise AtTimeout("the modem gave no prompt to a send; the connection is dropped")
    restart = dialect.restart + b"\r"
    if len(restart) < size:
        yield Climb(Rung.RESTART, "no prompt to the last bytes of a message")
        yield Raw(restart)
        reply = yield Await(Urc.RESTARTED, RESTART_TIMEOUT)
        if not reply.timed_out:
            raise LinkLost("the modem gave no prompt to the last bytes of a message, and was restarted")
        raise StillQuiet("the modem gave no prompt to the last bytes of a message, and did not restart", cure=_CURE)
    raise PromptLost("the modem gave no prompt to the last bytes of a message", cure=_CURE)

"""Bytes in, events out: what a modem says, taken apart.

Rule 1: the one reader of the modem's bytes, and it never waits for a particular answer: whatever comes is an event (drivers that wait
for one answer eat the others; modems.md 2). Rule 2: no I/O, no clock; who has the clock calls `abandon` and `settle`. Rule 3: every
read has a limit that holds byte by byte. Rule 4: it knows result rules (`at.rules`), not commands, dialects or sockets.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from mmsproxy.at.heard import (
    BurstReceived,
    DataReceived,
    EchoReceived,
    Event,
    GarbageReceived,
    HalfDone,
    Outcome,
    Replied,
    Reply,
    UnknownReceived,
    UrcReceived,
)
from mmsproxy.at.rules import COMMON_URCS, DataHeader, Rule, Takes, UrcRule

MAX_LINE = 4096  # bytes; a longer line is garbage
MAX_PUSHED = 4096  # bytes of one pushed packet: more than any MTU
MIN_PDU = 16  # hex digits of the shortest SMS TPDU line; shorter ones are other lines in between
BURST = 16  # 0x00 or 0xFF in a row: no modem says that, a restart or a wrong baud rate does
_HEX = frozenset(b"0123456789ABCDEFabcdef")
_PROMPTS = b">@"
_BLANK = b"\r\n \x00\xff"  # what may stand in front of a line and means nothing


@dataclass(slots=True)
class _Flight:
    """A command on its way: what of its answer has come."""

    text: bytes
    rule: Rule
    prompt_due: bool
    echo_due: bool = True
    lines: list[bytes] = field(default_factory=list)
    filled: dict[int, bool] = field(default_factory=dict)  # slot index -> came as `good`
    last: bytes = b""
    header: bytes = b""
    data: bytes = b""

    def takes(self, line: bytes) -> bool:
        """Whether the line is one that is due, or belongs to the answer; if so it is kept."""
        for index, slot in enumerate(self.rule.slots):
            good = slot.good.fullmatch(line) is not None
            if index not in self.filled and (good or slot.bad.fullmatch(line)):
                self._fill(index, good, line)
                return True
        if self.rule.info is not None and self.rule.info.fullmatch(line):
            self.lines.append(line)
            return True
        return False

    def _fill(self, index: int, good: bool, line: bytes) -> None:
        self.lines.append(line)
        if not self.failed:  # the first error says most: a bare ERROR after it adds nothing
            self.last = line
        self.filled[index] = good

    @property
    def complete(self) -> bool:
        return len(self.filled) == len(self.rule.slots)

    @property
    def failed(self) -> bool:
        return not all(self.filled.values())

    def reply(self, outcome: Outcome | None = None) -> Reply:
        verdict = outcome or (Outcome.FAILED if self.failed else Outcome.DONE)
        return Reply(verdict, tuple(self.lines), self.last, self.header, self.data)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Counted data begin here: for a command (`flight`) or for a URC."""

    header: bytes
    size: int
    limit: int
    trailer: bytes = b""
    flight: _Flight | None = None
    urc: UrcRule | None = None
    socket: int | None = None


class Engine:
    """The reader. `feed` takes bytes as they come and returns what they mean, in order."""

    def __init__(self, urcs: Sequence[UrcRule] = COMMON_URCS) -> None:
        self.urcs: Sequence[UrcRule] = urcs
        self._buffer = bytearray()
        self._events: list[Event] = []
        self._flight: _Flight | None = None
        self._late: _Flight | None = None
        self._two_line: UrcReceived | None = None
        self._online = False
        self._parser = self._parse()
        next(self._parser)

    def __repr__(self) -> str:
        flight = self._flight.text if self._flight else None
        return f"<Engine in_flight={flight!r} late={self._late.text if self._late else None!r} buffered={len(self._buffer)}>"

    @property
    def late(self) -> bool:
        """A command timed out and its final line may still come: no other command but a probing AT may be sent."""
        return self._late is not None

    @property
    def online(self) -> bool:
        """The line is a connection's: what comes is data, not lines."""
        return self._online

    def offline(self) -> None:
        """The transparent mode is over, or about to be: what comes from now on is lines."""
        self._online = False

    def begin(self, text: bytes, rule: Rule, *, prompt: bool = False) -> None:
        """A command is about to be written (`text` without its CR). One at a time."""
        assert self._flight is None, f"{self._flight} is still in flight"
        self._flight = _Flight(text, rule, prompt)

    def abandon(self, *, forget: bool = False) -> None:
        """The command in flight ran out of time. Its answer is late from now on, unless it is to be forgotten (a probing AT)."""
        if self._flight is not None and not forget:
            self._late = self._flight
            self._late.prompt_due = False
        self._flight = None

    def forget_late(self) -> None:
        """The modem answers again: what is still late will not come."""
        self._late = None

    def settle(self) -> Reply | None:
        """Ends a half-done command whose other line is overdue; None when there is none."""
        if self._flight is None or not self._flight.failed:
            return None
        reply, self._flight = self._flight.reply(), None
        return reply

    def feed(self, data: bytes) -> list[Event]:
        self._buffer += data
        next(self._parser)
        events, self._events = self._events, []
        return events

    # -- the parser, straight down the page; a `yield` waits for more bytes ----------------------------------------------------

    def _parse(self) -> Generator[None, None, None]:
        while True:
            yield from self._pass_through()
            yield from self._skip_blanks()
            if self._prompt_is_here():
                self._prompted()
            elif counted := (yield from self._until_counted_or_line()):
                data = yield from self._exactly(counted.size)
                yield from self._exactly(len(counted.trailer))
                self._counted(counted, data)
            elif line := (yield from self._line()):
                self._classify(line)

    def _pass_through(self) -> Generator[None, None, None]:
        while self._online:
            if self._buffer:
                self._events.append(DataReceived(bytes(self._buffer)))
                self._buffer.clear()
            yield

    def _skip_blanks(self) -> Generator[None, None, None]:
        run = 0
        while True:
            blanks = len(self._buffer) - len(self._buffer.lstrip(_BLANK))
            for byte in self._buffer[:blanks]:
                run = run + 1 if byte in (0x00, 0xFF) else 0
                if run == BURST:
                    self._events.append(BurstReceived())
            del self._buffer[:blanks]
            if self._buffer:
                return
            yield

    def _prompt_is_here(self) -> bool:
        return self._flight is not None and self._flight.prompt_due and not self._flight.filled and self._buffer[0] in _PROMPTS

    def _prompted(self) -> None:
        assert self._flight is not None
        del self._buffer[:1]  # a space after it is a blank in front of the next line
        self._flight.prompt_due = False
        self._events.append(Replied(self._flight.reply(Outcome.PROMPTED)))

    def _until_counted_or_line(self) -> Generator[None, None, _Counted | None]:
        """Waits until the input begins with a header of counted data, or with a whole (or overlong) line."""
        seen = 0
        while True:
            if counted := self._find_counted():
                return counted
            if self._buffer.find(b"\n", seen) >= 0 or len(self._buffer) > MAX_LINE:
                return None
            seen = len(self._buffer)
            yield

    def _find_counted(self) -> _Counted | None:
        for flight in (self._late, self._flight):
            if flight is not None and flight.rule.data is not None and (found := self._match_data(flight.rule.data, flight)):
                return found
        for rule in self.urcs:
            if rule.takes is Takes.DATA and (match := rule.pattern.match(self._buffer)):
                socket = match.groupdict().get("n")
                return self._accept(
                    _Counted(match[0], int(match["len"]), MAX_PUSHED, urc=rule, socket=None if socket is None else int(socket))
                )
        return None

    def _match_data(self, data: DataHeader, flight: _Flight) -> _Counted | None:
        match = data.pattern.match(self._buffer)
        if match is None:
            return None
        return self._accept(_Counted(match[0], int(match["len"]), data.limit, data.trailer, flight))

    def _accept(self, counted: _Counted) -> _Counted | None:
        if counted.size > counted.limit:  # then it is read as a line, which fails the command
            return None
        del self._buffer[: len(counted.header)]
        return counted

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        while len(self._buffer) < size:
            yield
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _line(self) -> Generator[None, None, bytes]:
        """The line that stands at the start of the input; empty for garbage, which is dropped up to the next line end."""
        end = self._buffer.find(b"\n")
        if 0 <= end <= MAX_LINE:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            return line.strip(_BLANK)
        dropped = 0
        while (end := self._buffer.find(b"\n")) < 0:
            dropped += len(self._buffer)
            self._buffer.clear()
            yield
        del self._buffer[: end + 1]
        self._events.append(GarbageReceived(dropped + end + 1))
        return b""

    # -- what a line means ------------------------------------------------------------------------------------------------------

    def _classify(self, line: bytes) -> None:
        if not (self._is_echo(line) or self._is_pdu(line) or self._is_late(line) or self._is_answer(line)):
            self._unasked(line)

    def _is_echo(self, line: bytes) -> bool:
        flight = self._flight
        if flight is None or not flight.echo_due or line != flight.text:
            return False
        flight.echo_due = False
        self._events.append(EchoReceived())
        return True

    def _is_pdu(self, line: bytes) -> bool:
        if self._two_line is None or len(line) % 2 or len(line) < MIN_PDU or not _HEX.issuperset(line):
            return False
        first, self._two_line = self._two_line, None
        self._events.append(UrcReceived(first.kind, first.line, data=line))
        return True

    def _is_late(self, line: bytes) -> bool:
        if self._late is None or not self._late.takes(line):
            return False
        if self._late.complete:
            self._late = None
        return True

    def _is_answer(self, line: bytes) -> bool:
        flight = self._flight
        if flight is None:
            return False
        if flight.takes(line):
            self._progress(flight)
            return True
        if flight.rule.data is not None and flight.rule.data.pattern.match(line + b"\r\n"):
            self._overcounted(flight, line)
            return True
        return False

    def _progress(self, flight: _Flight) -> None:
        if flight.complete:
            self._flight = None
            self._online = flight.rule.online and not flight.failed
            self._events.append(Replied(flight.reply()))
        elif flight.failed:
            self._events.append(HalfDone())

    def _overcounted(self, flight: _Flight, line: bytes) -> None:
        """More data are announced than were asked for: the header cannot be trusted, nor what follows."""
        flight.lines.append(line)
        self._late, self._flight = flight, None
        self._events.append(GarbageReceived(len(line)))
        self._events.append(Replied(Reply(Outcome.FAILED, tuple(flight.lines), line)))

    def _unasked(self, line: bytes) -> None:
        flight = self._flight
        rule = next((rule for rule in self.urcs if rule.takes is not Takes.DATA and rule.pattern.fullmatch(line)), None)
        if rule is not None:
            self._announce(rule, line)
        elif flight is not None and flight.rule.free:
            flight.lines.append(line)
        else:
            self._events.append(UnknownReceived(line))
        if flight is not None and not flight.prompt_due and flight.rule.broken is not None and flight.rule.broken.fullmatch(line):
            flight.lines.append(line)
            self._flight = None
            self._events.append(Replied(Reply(Outcome.FAILED, tuple(flight.lines), line)))

    def _announce(self, rule: UrcRule, line: bytes) -> None:
        match = rule.pattern.fullmatch(line)
        socket = match.groupdict().get("n") if match else None
        urc = UrcReceived(rule.kind, line, None if socket is None else int(socket))
        if rule.takes is Takes.HEX_LINE:
            self._two_line = urc
        else:
            self._events.append(urc)

    def _counted(self, counted: _Counted, data: bytes) -> None:
        header = counted.header.strip(_BLANK)
        if counted.urc is not None:
            self._events.append(UrcReceived(counted.urc.kind, header, counted.socket, data))
        elif counted.flight is not None:
            counted.flight.lines.append(header)
            counted.flight.header = header
            counted.flight.data += data

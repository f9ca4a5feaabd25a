"""What goes wrong on purpose. The modem consults this object at its hooks; a test (or a fault script) fills it.

Law: decides, never acts on the modem itself: an action is a callable that the caller brings (`modem.unplug`, `modem.restart` ...).
Every rule holds for `times` uses (None: for ever) and then is gone. Offsets count from the moment the rule is made.

Hooks: command line -> `on_command`; each line or prompt towards the host -> `on_line`; bytes of the line -> `on_receive`, `on_transmit`;
payload bytes of counted sends -> `on_payload`; the air -> `on_connect`, `on_uplink`, `take_limit`, `counter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

Action = Callable[[], None]


class Verdict(Enum):
    """What becomes of a command."""

    PASS = auto()
    REFUSE = auto()  # answered with the rule's text, not carried out
    IGNORE = auto()  # neither carried out nor answered
    SWALLOW = auto()  # carried out; nothing that it says is heard


class Connect(Enum):
    """What becomes of a connection attempt."""

    PASS = auto()
    REFUSED = auto()
    UNKNOWN_NAME = auto()
    NEVER_ANSWERS = auto()


@dataclass(slots=True)
class _Rule:
    pattern: str
    times: int | None
    verdict: Verdict = Verdict.PASS
    text: str = ""
    delay: float = 0.0
    connect: Connect = Connect.PASS
    limit: int = 0

    def use(self) -> None:
        if self.times is not None:
            self.times -= 1

    @property
    def used_up(self) -> bool:
        return self.times is not None and self.times <= 0


@dataclass(slots=True)
class _At:
    """Something due after `left` more bytes."""

    left: int
    action: Action | None = None
    data: bytes = b""


@dataclass(slots=True)
class Faults:
    """See the module. `commands` and `lines` match by prefix (without AT, case of the modem's own output)."""

    _commands: list[_Rule] = field(default_factory=list)
    _lines: list[_Rule] = field(default_factory=list)
    _connects: list[_Rule] = field(default_factory=list)
    _limits: list[_Rule] = field(default_factory=list)
    _send_fails: list[_Rule] = field(default_factory=list)
    _received: list[_At] = field(default_factory=list)
    _transmitted: list[_At] = field(default_factory=list)
    _payload: list[_At] = field(default_factory=list)
    _uplink: list[_At] = field(default_factory=list)
    counter_error: int = 0
    deaf: bool = False

    # commands

    def refuse(self, command: str, text: str = "ERROR", *, times: int | None = 1) -> None:
        """Answers commands that begin with `command` (e.g. "+CIPSTART") with `text`."""
        self._commands.append(_Rule(command.upper(), times, Verdict.REFUSE, text))

    def ignore(self, command: str = "", *, times: int | None = 1) -> None:
        self._commands.append(_Rule(command.upper(), times, Verdict.IGNORE))

    def swallow(self, command: str = "", *, times: int | None = 1) -> None:
        self._commands.append(_Rule(command.upper(), times, Verdict.SWALLOW))

    def on_command(self, command: str) -> tuple[Verdict, str]:
        if self.deaf:
            return Verdict.IGNORE, ""
        rule = _take(self._commands, command.upper())
        return (rule.verdict, rule.text) if rule else (Verdict.PASS, "")

    # lines towards the host

    def lose(self, line: str, *, times: int | None = 1) -> None:
        """The next lines that begin with `line` are not heard: ">" for a prompt, "DATA ACCEPT", "+CIPRXGET: 1" ..."""
        self._lines.append(_Rule(line, times, Verdict.IGNORE))

    def replace(self, line: str, text: str, *, times: int | None = 1) -> None:
        """Lines that begin with `line` are heard as `text` (CR LF are put around it)."""
        self._lines.append(_Rule(line, times, Verdict.REFUSE, text))

    def delay(self, line: str, seconds: float, *, times: int | None = 1) -> None:
        self._lines.append(_Rule(line, times, Verdict.PASS, delay=seconds))

    def on_line(self, line: str) -> tuple[str | None, float]:
        """(what is heard in its place or None, seconds late)."""
        rule = _take(self._lines, line)
        if rule is None:
            return line, 0.0
        if rule.verdict is Verdict.IGNORE:
            return None, 0.0
        return (rule.text if rule.verdict is Verdict.REFUSE else line), rule.delay

    # bytes of the line

    def after_received(self, count: int, action: Action) -> None:
        """Acts when `count` more bytes have come from the host."""
        self._received.append(_At(count, action))

    def insert(self, data: bytes, *, after: int = 0) -> None:
        """Puts `data` (a URC, garbage) into what the host hears, `after` bytes further on."""
        self._transmitted.append(_At(after, None, data))

    def after_payload(self, count: int, action: Action) -> None:
        """Acts when the host has offered `count` more payload bytes, exactly between two bytes."""
        self._payload.append(_At(count, action))

    def on_receive(self, data: bytes) -> Iterator[bytes]:
        """The parts of `data`, split where an action is due; the action has run before the next part comes."""
        yield from _split(self._received, data)

    def on_payload(self, data: bytes) -> Iterator[bytes]:
        yield from _split(self._payload, data)

    def on_transmit(self, data: bytes) -> bytes:
        if not self._transmitted:
            return data
        out = bytearray(data)
        due = sorted((at for at in self._transmitted if at.left <= len(data)), key=lambda at: at.left, reverse=True)
        for at in due:
            out[at.left : at.left] = at.data
        self._transmitted = [at for at in self._transmitted if at not in due]
        for at in self._transmitted:
            at.left -= len(data)
        return bytes(out)

    # the air

    def connect(self, how: Connect, *, times: int | None = 1) -> None:
        self._connects.append(_Rule("", times, connect=how))

    def on_connect(self) -> Connect:
        rule = _take(self._connects, "")
        return rule.connect if rule else Connect.PASS

    def drop_after(self, count: int) -> None:
        """The peer resets the connection when `count` more bytes have left through the air."""
        self._uplink.append(_At(count))

    def on_uplink(self, size: int) -> int | None:
        """How many of `size` bytes still leave before the reset; None: all, no reset."""
        for at in self._uplink:
            if at.left <= size:
                self._uplink.remove(at)
                return at.left
            at.left -= size
        return None

    def short_send(self, taken: int, *, times: int | None = 1) -> None:
        """A send takes only `taken` bytes (cnf < req), although more would fit."""
        self._limits.append(_Rule("", times, limit=taken))

    def take_limit(self, size: int) -> int:
        rule = _take(self._limits, "")
        return min(size, rule.limit) if rule else size

    def send_fail(self, *, taken: bool, times: int | None = 1) -> None:
        """A send ends as failed; whether its bytes were taken all the same."""
        self._send_fails.append(_Rule("", times, limit=int(taken)))

    def on_send(self) -> bool | None:
        """None: nothing wrong; else fail, with the bytes taken (True) or not."""
        rule = _take(self._send_fails, "")
        return bool(rule.limit) if rule else None


def _take(rules: list[_Rule], text: str) -> _Rule | None:
    """The first rule that matches, one use of it spent."""
    for rule in rules:
        if text.startswith(rule.pattern):
            rule.use()
            if rule.used_up:
                rules.remove(rule)
            return rule
    return None


def _split(due: list[_At], data: bytes) -> Iterator[bytes]:
    while due and data:
        first = min(due, key=lambda at: at.left)
        if first.left > len(data):
            break
        part, data = data[: first.left], data[first.left :]
        due.remove(first)
        _count(due, len(part))
        if part:
            yield part
        if first.action is not None:
            first.action()
    _count(due, len(data))
    if data:
        yield data


def _count(due: list[_At], size: int) -> None:
    for at in due:
        at.left -= size

r"""Faults by words: a file of lines (`--faults FILE`) or lines on a control socket (`--control PATH`) say what goes wrong and when.

    command +CIPSEND refuse "+CME ERROR: 3"       a command that begins so (without AT) is answered with that
    command +CIPOPEN swallow                      carried out, nothing heard; `ignore`: neither
    line "DATA ACCEPT" lose                       a line or prompt of the modem; also: replace TEXT, delay SECONDS
    payload 2000 unplug                           after so many payload bytes; any action
    received 100 restart                          after so many bytes from the host; any action
    transmitted 50 insert "\x00RING\r\n"          so many bytes further on in what the host hears
    uplink 1000 reset                             the peer's connection is cut after so many bytes over the air
    connect refused                               also: unknown-name, silent
    send short 100                                also: fail-taken, fail-lost
    counter 5                                     the modem's own counters are wrong by so much
    now drop-bearer                               any action, at once

Actions: unplug, replug, restart, drop-bearer, lose-sim, lose-coverage, regain-coverage, deaf, hear, say TEXT. A rule holds once; `times N`
at its end makes it hold N times, `always` for ever. Law: it fills `Faults` and calls the modem's own methods; it decides nothing.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mmsproxy.errors import ConfigError
from mmsproxy.simulator.faults import Connect
from mmsproxy.simulator.modem import SimulatedModem

CONNECTS = {"refused": Connect.REFUSED, "unknown-name": Connect.UNKNOWN_NAME, "silent": Connect.NEVER_ANSWERS}
MAX_LINE = 4096


def load(modem: SimulatedModem, path: Path) -> None:
    """Applies each line of a file. Raises ConfigError with the file's line number."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((f"{path} - cannot be read: {error}",)) from None
    for number, line in enumerate(lines, 1):
        try:
            apply(modem, line)
        except ConfigError as error:
            raise ConfigError((f"{path}:{number} - {error.detail}",)) from None


def apply(modem: SimulatedModem, line: str) -> None:
    """One line. Raises ConfigError that names the forms there are."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise ConfigError((f"{line.strip()}: {error}",)) from None
    if not words:
        return
    words, times = _times(words)
    rule = _RULES.get(words[0])
    if rule is None:
        raise ConfigError((f"{words[0]!r} is no occasion; there are {', '.join(sorted(_RULES))}",))
    try:
        rule(modem, words[1:], times)
    except (IndexError, KeyError, ValueError) as error:
        raise ConfigError((f"{line.strip()}: not understood ({error}); see docs/simulator.md",)) from None


def _times(words: list[str]) -> tuple[list[str], int | None]:
    if words[-1] == "always":
        return words[:-1], None
    if len(words) > 2 and words[-2] == "times" and words[-1].isdigit():
        return words[:-2], int(words[-1])
    return words, 1


def _action(modem: SimulatedModem, words: list[str]) -> Callable[[], None]:
    """The callable that a name stands for."""
    name, *rest = words
    simple: dict[str, Callable[[], None]] = {
        "unplug": modem.unplug,
        "replug": modem.replug,
        "restart": modem.restart,
        "drop-bearer": modem.drop_bearer,
        "lose-sim": modem.lose_sim,
        "lose-coverage": modem.lose_coverage,
        "regain-coverage": modem.regain_coverage,
        "deaf": partial(setattr, modem.faults, "deaf", True),
        "hear": partial(setattr, modem.faults, "deaf", False),
    }
    if name == "say":
        return partial(modem.say, rest[0])
    if rest:
        raise ValueError(f"nothing stands after {name}")
    return simple[name]


def _command(modem: SimulatedModem, words: list[str], times: int | None) -> None:
    prefix, what, *text = words
    match what:
        case "refuse":
            modem.faults.refuse(prefix, *text[:1], times=times)
        case "ignore":
            modem.faults.ignore(prefix, times=times)
        case "swallow":
            modem.faults.swallow(prefix, times=times)
        case _:
            raise ValueError(f"a command can be refused, ignored or swallowed, not {what}")


def _line(modem: SimulatedModem, words: list[str], times: int | None) -> None:
    prefix, what, *rest = words
    match what:
        case "lose":
            modem.faults.lose(prefix, times=times)
        case "replace":
            modem.faults.replace(prefix, rest[0], times=times)
        case "delay":
            modem.faults.delay(prefix, float(rest[0]), times=times)
        case _:
            raise ValueError(f"a line can be lost, replaced or delayed, not {what}")


def _payload(modem: SimulatedModem, words: list[str], _: int | None) -> None:
    modem.faults.after_payload(int(words[0]), _action(modem, words[1:]))


def _received(modem: SimulatedModem, words: list[str], _: int | None) -> None:
    modem.faults.after_received(int(words[0]), _action(modem, words[1:]))


def _transmitted(modem: SimulatedModem, words: list[str], _: int | None) -> None:
    if words[1] != "insert":
        raise ValueError("what the host hears can be added to: insert TEXT")
    modem.faults.insert(_octets(words[2]), after=int(words[0]))


def _uplink(modem: SimulatedModem, words: list[str], _: int | None) -> None:
    if words[1:] != ["reset"]:
        raise ValueError("the uplink can be cut: reset")
    modem.faults.drop_after(int(words[0]))


def _connect(modem: SimulatedModem, words: list[str], times: int | None) -> None:
    modem.faults.connect(CONNECTS[words[0]], times=times)


def _send(modem: SimulatedModem, words: list[str], times: int | None) -> None:
    if words[0] == "short":
        modem.faults.short_send(int(words[1]), times=times)
    else:
        modem.faults.send_fail(taken={"fail-taken": True, "fail-lost": False}[words[0]], times=times)


def _counter(modem: SimulatedModem, words: list[str], _: int | None) -> None:
    modem.faults.counter_error = int(words[0])


def _now(modem: SimulatedModem, words: list[str], _: int | None) -> None:
    _action(modem, words)()


_RULES: dict[str, Callable[[SimulatedModem, list[str], int | None], None]] = {
    "command": _command,
    "line": _line,
    "payload": _payload,
    "received": _received,
    "transmitted": _transmitted,
    "uplink": _uplink,
    "connect": _connect,
    "send": _send,
    "counter": _counter,
    "now": _now,
}

_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_NAMED = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\", b"0": b"\0"}


def _octets(text: str) -> bytes:
    r"""`\r \n \t \0 \\ \xNN`, the rest as it is."""

    def octet(found: re.Match[bytes]) -> bytes:
        return bytes((int(found[1][1:], 16),)) if found[1][:1] == b"x" and len(found[1]) == 3 else _NAMED[found[1]]

    return _ESCAPE.sub(octet, text.encode("utf-8"))


class Control:
    """A Unix socket that takes the same lines while the modem runs; each is answered `ok` or `error: ...`."""

    def __init__(self, modem: SimulatedModem, path: Path) -> None:
        self._modem = modem
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises ConfigError when the socket cannot be made."""
        try:
            self._server = await asyncio.start_unix_server(self._talk, self._path, limit=MAX_LINE)
        except OSError as error:
            raise ConfigError((f"--control {self._path} - {error.strerror}; name a path that is free",)) from None

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(self._answer(line.decode("utf-8", "replace")).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            pass  # a line over the limit, or a reader that has left: the modem goes on
        finally:
            writer.close()

    def _answer(self, line: str) -> str:
        try:
            apply(self._modem, line)
        except ConfigError as error:
            return f"error: {error.detail}"
        return "ok"

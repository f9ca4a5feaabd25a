r"""A tap on a link: writes down all that passes, as text that people read and tests replay.

Format, one entry a line: `[seconds ]MARK text`. MARK is `>` for bytes to the modem, `<` for bytes from it, `-` for a note (kind, then
text), `!` for something that happened to the exchange (tests: `! timeout`), `#` for a comment. Bytes are ASCII with `\r \n \t \\` and
`\xNN`; a blank at the end of a line is `\x20`. Times are seconds since the trace was opened; a transcript written by hand has none.

Rule 1: masked unless asked otherwise: phone numbers (and whatever has seven digits or more: IMSI, ICCID), tokens, PIN and passwords.
Rule 2: a mask keeps the length and the kind of its characters, so that a trace is still a transcript whose counts are right. Rule 3: it
never raises and never holds anything up; a file that cannot be written ends the trace with one line in the log. Rule 4: what it cannot
know: a number that is cut by the edge of two reads of counted data may show up to six of its digits.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

_log = logging.getLogger(__name__)

MARKS = {">": "sent", "<": "received", "-": "note", "!": "event"}
_HOLD = 4096  # bytes of an unfinished line that are kept back at most
_TITLE = "# mmsproxy trace, format 1\n"

_LENGTH = re.compile(rb"(?i)content-length: *\d+")
_NUMBER = re.compile(rb"(?i)content-length: *\d+|\d(?:[ ()/-]{0,2}\d){6,}")
_EDGES = re.compile(rb"\A\d{1,6}|\d{1,6}\Z")
_HEADER = re.compile(rb"(?i)((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(: *)([^\r\n]+)")
#: Commands whose quoted strings are secrets: all of them, or all but the first, which is the APN.
_ALL_SECRET = re.compile(rb"(?:\+CPIN=|\+CPWD=|\+CLCK=|\+CGAUTH=|#SGACT=|\+UPSD=\d+,[23],)[^\r\n;]*")
_REST_SECRET = re.compile(rb'((?:\+CSTT=|\+CNCFG=|\+QICSGP=)[^"\r\n;]*"[^"\r\n]*")([^\r\n;]*)')
_QUOTED = re.compile(rb'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a trace. `kind` is a value of MARKS; `data` for bytes, `text` for notes and events; `seconds` where it was written."""

    kind: str
    data: bytes = b""
    text: str = ""
    seconds: float | None = None


class Trace:
    """`link.Tap` into a file, which only its owner can read. `secrets` are strings that never appear in it (PDP user and password)."""

    def __init__(
        self,
        path: str | Path,
        *,
        masked: bool = True,
        secrets: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises OSError when the file cannot be created."""
        self._masked = masked
        self._secrets = tuple(secret.encode() for secret in secrets if len(secret) >= 4)
        self._clock = clock
        self._zero = clock()
        self._held = bytearray()  # received bytes of an unfinished line
        self._held_since = 0.0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file: TextIO | None = os.fdopen(descriptor, "w", buffering=1, encoding="ascii", newline="\n")
        self._write(_TITLE)

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def sent(self, data: bytes) -> None:
        self._release()
        payload = not data.endswith(b"\r")  # a command ends with CR; a chunk of a body may begin and end inside a number
        self._entry(">", self._hide(data, edges=payload), self._now())

    def received(self, data: bytes) -> None:
        if not self._held:
            self._held_since = self._now()
        self._held += data
        end = self._held.rfind(b"\n") + 1
        if len(self._held) - end > _HOLD:
            end = len(self._held)
        self._release(end)

    def note(self, kind: str, text: str) -> None:
        self._release()
        line = " ".join((kind, *text.split("\n")))
        hidden = self._hide_note(line) if self._masked else line
        self._entry("-", hidden.encode("utf-8", "replace"), self._now())

    def close(self) -> None:
        """May be called twice."""
        self._release()
        self._end()

    def _release(self, end: int | None = None) -> None:
        held = bytes(self._held[:end])
        del self._held[:end]
        if held:
            self._entry("<", self._hide(held), self._held_since)
            self._held_since = self._now()

    def _hide(self, data: bytes, *, edges: bool = False) -> bytes:
        if not self._masked:
            return data
        for secret in self._secrets:
            data = data.replace(secret, b"x" * len(secret))
        return mask(_EDGES.sub(_zeros, data) if edges else data)

    def _hide_note(self, line: str) -> str:
        """PDUs are noted in hex: what looks like a number inside them is hidden as in the bytes."""
        kind, _, text = line.partition(" ")
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
            return f"{kind} {self._hide(bytes.fromhex(text)).hex()}"
        return self._hide(line.encode("utf-8", "replace")).decode("utf-8", "replace")

    def _entry(self, mark: str, data: bytes, seconds: float) -> None:
        self._write(f"{seconds:.6f} {mark} {escape(data)}\n")

    def _now(self) -> float:
        return self._clock() - self._zero

    def _write(self, line: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line)
        except OSError as error:
            _log.warning("the trace ends here: %s", error)
            self._end()

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # what could not be written cannot be flushed either
                file.close()


def mask(data: bytes) -> bytes:
    """The same bytes with numbers, tokens, PIN and passwords replaced by as many zeros or x's. A number keeps its last two digits."""
    data = _HEADER.sub(lambda found: found[1] + found[2] + b"x" * len(found[3]), data)
    data = _ALL_SECRET.sub(lambda found: _blank(found[0]), data)
    data = _REST_SECRET.sub(lambda found: found[1] + _blank(found[2]), data)
    return _NUMBER.sub(_number, data)


def _number(found: re.Match[bytes]) -> bytes:
    return found[0] if _LENGTH.match(found[0]) else _zeros(found, keep=2)


def _zeros(found: re.Match[bytes], keep: int = 0) -> bytes:
    shown = found[0][len(found[0]) - keep :]
    return re.sub(rb"\d", b"0", found[0][: len(found[0]) - keep]) + shown


def _blank(text: bytes) -> bytes:
    return _QUOTED.sub(lambda found: b'"' + b"x" * len(found[1]) + b'"', text)


def escape(data: bytes) -> str:
    r"""Bytes as the ASCII of a trace: `\r \n \t \\ \xNN`, and `\x20` for a blank at either end, which editors would eat."""
    names = {0x0D: "\\r", 0x0A: "\\n", 0x09: "\\t", 0x5C: "\\\\"}
    text = "".join(names.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)
    text = "\\x20" + text[1:] if text.startswith(" ") else text
    return text[:-1] + "\\x20" if text.endswith(" ") else text


def unescape(text: str) -> bytes:
    """The bytes that `escape` wrote. Raises ValueError for an escape that it does not write."""
    names = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}

    def byte(found: re.Match[str]) -> str:
        code = found[1]
        if code in names:
            return names[code].decode("latin-1")
        if re.fullmatch(r"x[0-9a-fA-F]{2}", code):
            return chr(int(code[1:], 16))
        raise ValueError(f"unknown escape \\{code}")

    return re.sub(r"\\(x..|.|\Z)", byte, text, flags=re.DOTALL).encode("latin-1")


def load_trace(path: str | Path) -> tuple[Entry, ...]:
    """The entries of a trace or a hand-written transcript, in order. Raises ValueError with file and line for a line that is neither."""
    entries = []
    for number, line in enumerate(Path(path).read_text(encoding="ascii").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                entries.append(_parse(line))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from error
    return tuple(entries)


def _parse(line: str) -> Entry:
    match = re.fullmatch(r"(?:(\d+\.\d+) )?([<>!-])(?: (.*))?", line)
    if match is None:
        raise ValueError("neither an entry nor a comment")
    seconds = None if match[1] is None else float(match[1])
    data = unescape(match[3] or "")
    kind = MARKS[match[2]]
    if kind in ("sent", "received"):
        return Entry(kind, data=data, seconds=seconds)
    return Entry(kind, text=data.decode("utf-8", "replace"), seconds=seconds)


def exchange(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Only what a replay needs: bytes both ways and events, neighbours of one direction joined."""
    joined: list[Entry] = []
    for entry in entries:
        if entry.kind == "note":
            continue
        if joined and entry.kind == joined[-1].kind == "received":
            joined[-1] = Entry("received", data=joined[-1].data + entry.data, seconds=joined[-1].seconds)
        else:
            joined.append(entry)
    return tuple(joined)

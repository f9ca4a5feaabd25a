"""The DTE's side of the modem: takes command lines and counted data out of the byte stream, and formats what the modem says (V.250).

Law: knows V.250's characters (CR, LF, BS, ESC, echo, V0/V1, quiet mode), not a single command. Everything that the host hears passes
`line`, `result`, `prompt` or `raw` here, where faults may lose, change or delay it; each is written as one piece, so nothing ever comes
in the middle of a line or of counted data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.faults import Faults
from mmsproxy.simulator.uart import Uart

CR, LF, BACKSPACE, NUL = 0x0D, 0x0A, 0x08, 0x00
CTRL_Z, ESC = 0x1A, 0x1B

# V.250 table 1: the numeric forms under ATV0.
NUMERIC = {"OK": "0", "CONNECT": "1", "RING": "2", "NO CARRIER": "3", "ERROR": "4", "NO DIALTONE": "6", "BUSY": "7", "NO ANSWER": "8"}


class Terminal:
    """One host's talk with the modem. The settings (`echo`, `verbose`, `quiet`) are volatile: a restart makes a new Terminal."""

    def __init__(self, uart: Uart, clock: Clock, faults: Faults, line_limit: int) -> None:
        self._uart = uart
        self._clock = clock
        self._faults = faults
        self._line_limit = line_limit
        self._inbox = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._lf_due = False  # a CR has just ended a line: an LF may follow
        self._host_sends_lf = False  # the last CR was followed by one
        self._last_line = ""
        self._muted = False
        self.heard_at = 0.0  # when the last byte came: the +++ guard
        self.echo = True
        self.verbose = True
        self.quiet = False

    @property
    def backlog(self) -> int:
        return len(self._inbox)

    @property
    def line_free(self) -> bool:
        """Whether there is room for unasked data towards the host (push and transparent modes)."""
        return self._uart.tx_backlog < 4096

    def feed(self, data: bytes) -> None:
        """Bytes from the host."""
        self._inbox += data
        self.heard_at = self._uart.heard_at
        self.wake()

    def wake(self) -> None:
        """Lets a waiting reader look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # host -> modem

    async def command(self) -> str | None:
        """The next command line from its AT on, without AT and CR; None when it was longer than the modem's buffer.

        What stands before AT is no command and is ignored, as are lines without AT (V.250 5.2.1). An LF after the CR is swallowed.
        """
        line = bytearray()
        while True:
            if not self._inbox:
                await self._more()
            taken, ended = self._scan_line(line)
            self._consumed(taken)
            if line.upper() == b"A/":
                return self._last_line
            if not ended:
                continue
            if len(line) > self._line_limit:
                return None
            text = _command_text(line)
            line.clear()
            if text is not None:
                self._last_line = text
                return text

    def begin_data(self) -> None:
        """From here on (a prompt, CONNECT) bytes are data: what came before was sent too early and is lost.

        An LF that belongs to the command's CR may still be on its way: it is one only if this host ends its lines so; from a host that
        ends them with CR alone the first LF is data.
        """
        if self._inbox:
            self._settle_lf()
            self._lf_due = False
        self._inbox.clear()
        self._lf_due = self._lf_due and self._host_sends_lf

    async def counted(self, count: int, *, echo: bool) -> bytes:
        """Exactly `count` bytes of any value."""
        data = bytearray()
        while len(data) < count:
            if not self._inbox:
                await self._more()
            self._drop_lf()
            part = bytes(self._inbox[: count - len(data)])
            for piece in self._faults.on_payload(part):
                data += piece
            if echo and self.echo:
                self.raw(part)
            self._consumed(len(part))
        return bytes(data)

    async def until_ctrl_z(self, limit: int) -> bytes | None:
        """Bytes up to Ctrl-Z, at most `limit` kept; None when ESC gave the send up."""
        data = bytearray()
        while True:
            if not self._inbox:
                await self._more()
            self._drop_lf()
            end = min((at for at in (self._inbox.find(CTRL_Z), self._inbox.find(ESC)) if at >= 0), default=-1)
            part = bytes(self._inbox if end < 0 else self._inbox[:end])
            data += part[: max(limit - len(data), 0)]
            if end < 0:
                self._consumed(len(part))
                continue
            stop = self._inbox[end]
            self._consumed(end + 1)
            return bytes(data) if stop == CTRL_Z else None

    async def some(self, limit: int, timeout: float | None = None) -> bytes:
        """What is there, at most `limit` bytes; b"" after `timeout` seconds or a `wake` without bytes."""
        if not self._inbox:
            timer = None if timeout is None else self._clock.call_later(timeout, self.wake)
            await self._more()
            if timer is not None:
                timer.cancel()
        self._drop_lf()
        part = bytes(self._inbox[:limit])
        self._consumed(len(part))
        return part

    async def _more(self) -> None:
        self._uart.work_done()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _consumed(self, count: int) -> None:
        del self._inbox[:count]

    def _settle_lf(self) -> None:
        """Learns from the byte after a CR how this host ends its lines."""
        if self._lf_due:
            self._host_sends_lf = self._inbox[0] == LF

    def _drop_lf(self) -> None:
        if not self._lf_due or not self._inbox:
            return
        self._settle_lf()
        if self._host_sends_lf:
            del self._inbox[:1]
        self._lf_due = False

    def _scan_line(self, line: bytearray) -> tuple[int, bool]:
        """Takes characters up to CR, or up to the end of A/; (characters taken, whether CR came)."""
        self._drop_lf()
        for index, char in enumerate(self._inbox):
            if char == CR:
                self._echo(index + 1)
                self._lf_due = True
                return index + 1, True
            if char == BACKSPACE:
                del line[-1:]
            elif char not in (NUL, LF) and len(line) <= self._line_limit:
                line.append(char)
            if len(line) == 2 and line.upper() == b"A/":
                self._echo(index + 1)
                return index + 1, False
        self._echo(len(self._inbox))
        return len(self._inbox), False

    def _echo(self, count: int) -> None:
        if self.echo and count:
            self.raw(bytes(self._inbox[:count]))

    # modem -> host

    def line(self, text: str) -> None:
        """An information line or URC: CR LF text CR LF (V1), text CR LF (V0)."""
        self._say(text, f"\r\n{text}\r\n" if self.verbose else f"{text}\r\n")

    def lines(self, texts: list[str]) -> None:
        """Several information lines of one answer."""
        for text in texts:
            self.line(text)

    def result(self, text: str) -> None:
        """A final result code; nothing under ATQ1."""
        if self.quiet:
            return
        if not self.verbose and text in NUMERIC:
            self._say(text, f"{NUMERIC[text]}\r")
            return
        self._say(text, f"\r\n{text}\r\n" if self.verbose else f"{text}\r")

    def block(self, header: str, data: bytes, trailer: str) -> None:
        """A header line, counted data and what follows them, as one piece."""
        heard, late = self._faults.on_line(header)
        if heard is None or self._muted:
            return
        self._later(f"\r\n{heard}\r\n".encode("latin-1") + data + trailer.encode("latin-1"), late)

    def inline(self, header: str, data: bytes, trailer: bytes) -> None:
        """A header, counted data on the same line, and what ends it, as one piece."""
        heard, late = self._faults.on_line(header)
        if heard is None or self._muted:
            return
        self._later(f"\r\n{heard}".encode("latin-1") + data + trailer, late)

    def prompt(self, text: str) -> None:
        """A prompt: no line end after it."""
        self._say(text.strip(), text)

    def raw(self, data: bytes) -> None:
        """Bytes as they are: echo, pushed and transparent data."""
        if not self._muted:
            self._uart.write(data)

    def mute(self, muted: bool) -> None:
        """While muted nothing is heard (a swallowed answer)."""
        self._muted = muted

    def when_drained(self, callback: Callable[[], None]) -> None:
        self._uart.when_drained(callback)

    def _say(self, text: str, framed: str) -> None:
        heard, late = self._faults.on_line(text)
        if heard is None or self._muted:
            return
        self._later((framed if heard == text else f"\r\n{heard}\r\n").encode("latin-1"), late)

    def _later(self, data: bytes, late: float) -> None:
        if late:
            self._clock.call_later(late, partial(self._uart.write, data))
        else:
            self._uart.write(data)


def _command_text(line: bytearray) -> str | None:
    """From the first AT on, without it; None when there is none."""
    start = line.upper().find(b"AT")
    return None if start < 0 else line[start + 2 :].decode("latin-1")

"""One TCP connection in the modem's transparent mode: the line carries its bytes and nothing else (modems.md 3.5).

Rule 1: no bytes are ever confirmed here: `accepted` and `acked` stay 0, and whatever fails after the first byte of the last piece is
unknown. Rule 2: +++ in a body is safe by silence alone: no pause is made within GUARDED bytes before or after one. Rule 3: the peer's
close is words among the data (CLOSED, NO CARRIER): it counts when they are the last that came, and nothing follows. Rule 4: a modem is
left as it was found: in command mode, the socket closed. It needs RTS/CTS: without it bytes vanish silently.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable

from mmsproxy.at.dialect import Climb, Dialect, Escape, Pause, Raw, Rung, Script
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.line_rate import ESCAPE_TIMEOUT, GUARD
from mmsproxy.at.startup import answers
from mmsproxy.errors import AtTimeout, LinkError, ModemSilent, PeerReset
from mmsproxy.link import Ledger
from mmsproxy.modem.stream import Call

PIECE = 2048  # bytes written at once: what is unknown of the last piece stays small
GUARDED = 3  # bytes around a +++ within which no pause may be
STALL = 20.0  # seconds in which RTS/CTS lets nothing through (mm1.md 9)
HANGUPS = (b"\r\nCLOSED\r\n", b"\r\nNO CARRIER\r\n")
HANGUP_SILENCE = 0.3  # seconds without a byte behind a hang-up's words
SPLIT_SILENCE = 0.05  # seconds after which what looked like the beginning of one is data

_PLUSES = re.compile(rb"\+{3,}|\+{1,2}\Z")


class TransparentStream:
    """`link.Stream`. `released` is called once when the line is free again."""

    def __init__(self, call: Call, dialect: Dialect, number: int, released: Callable[[], None]) -> None:
        self._call = call
        self._dialect = dialect
        self._released = released
        self._ledger = Ledger()
        self._held = b""  # the end of what was given, until it is known what follows it
        self._inbox: deque[bytes] = deque()
        self._tail = b""  # the end of what came, which may be a hang-up
        self._tail_timer: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._hung_up = False  # by the far end: the modem is in command mode again
        self._is_closed = False
        self._fault: LinkError | None = None
        self._closing: asyncio.Task[None] | None = None
        self.number = number

    def __repr__(self) -> str:
        ended = " ended" if self._hung_up else ""
        return f"<TransparentStream {self._ledger}{ended} fault={self._fault}>"

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def max_send(self) -> int:
        return PIECE

    def opened(self, number: int) -> None:
        self.number = number

    # -- sending ----------------------------------------------------------------------------------------------------------------

    async def send(self, data: bytes | memoryview, *, more: bool = False) -> None:
        """Returns when the port has taken it. Where more follows, a few bytes wait for it. Raises PeerReset, LinkError."""
        whole = self._held + bytes(data)
        self._ledger.given += len(data)
        end = quiet_place(whole, len(whole) - GUARDED) if more else len(whole)
        self._held = whole[end:]
        start = 0
        while start < end:
            stop = end if end - start <= PIECE else quiet_place(whole[:end], start + PIECE) or end
            stop = stop if stop > start else end
            await self._call(self._pour(whole[start:stop]))
            start = stop

    def _pour(self, piece: bytes) -> Script[None]:
        if self._fault is not None:
            raise type(self._fault)(self._fault.detail, cure=self._fault.cure)
        if self._hung_up or self._is_closed:
            raise PeerReset("the peer closed the connection")
        self._ledger.offered += len(piece)
        reply = yield Raw(piece, timeout=STALL)
        if reply.timed_out:
            self._fault = AtTimeout(f"the modem took no byte for {STALL:g} s", cure="check that RTS and CTS are wired")
            raise self._fault

    # -- receiving --------------------------------------------------------------------------------------------------------------

    async def recv(self) -> bytes:
        """Raises LinkError once what came was read."""
        while not self._inbox:
            if self._fault is not None:
                raise type(self._fault)(self._fault.detail, cure=self._fault.cure)
            if self._hung_up or self._is_closed:
                return b""
            self._news.clear()
            await self._news.wait()
        return self._inbox.popleft()

    def received(self, data: bytes) -> None:
        """Bytes from the line."""
        self._stop_timer()
        data, self._tail = split_hangup(self._tail + data)
        if data:
            self._inbox.append(data)
            self._news.set()
        if self._tail:
            silence = HANGUP_SILENCE if self._tail in HANGUPS else SPLIT_SILENCE
            self._tail_timer = asyncio.get_running_loop().call_later(silence, self._nothing_followed)

    def _nothing_followed(self) -> None:
        tail, self._tail = self._tail, b""
        if tail in HANGUPS:
            self._hung_up = True
        else:
            self._inbox.append(tail)
        self._news.set()

    def _stop_timer(self) -> None:
        if self._tail_timer is not None:
            self._tail_timer.cancel()
            self._tail_timer = None

    async def acknowledged(self) -> None:
        """Never: no counter can be asked here."""
        await asyncio.get_running_loop().create_future()

    # -- what the link tells ----------------------------------------------------------------------------------------------------

    def heard(self, urc: UrcReceived) -> None:
        """Nothing is said unasked while the line is the connection's."""

    def fail(self, error: LinkError) -> None:
        self._fault = error
        self._news.set()

    # -- closing ----------------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._shut(), name="close the transparent connection")
        await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        self._is_closed = True
        self._news.set()
        try:
            await self._call(self._leave())
        except LinkError:
            pass  # the link is gone, and the socket with it: the start-up leaves none open
        finally:
            self._released()

    def _leave(self) -> Script[None]:
        """A far end that has answered mostly hangs up in the same moment: that is waited for, since it saves the silences of the +++."""
        if not self._hung_up:
            yield Pause(HANGUP_SILENCE)
        self._hung_up = self._hung_up or self._tail in HANGUPS
        self._stop_timer()
        reply = yield Escape(None if self._hung_up else GUARD, ESCAPE_TIMEOUT)
        if not reply.ok and not (yield from answers()):
            raise ModemSilent("the modem does not leave its transparent mode")
        try:
            yield from self._dialect.close(self.number)
        except LinkError as error:
            yield Climb(Rung.BEARER, f"the socket does not close: {error.detail}")
            yield from self._dialect.bearer_down()


def quiet_place(data: bytes, wanted: int) -> int:
    """The last place up to `wanted` where a pause does no harm: not within GUARDED bytes of a +++, whole or begun at the end. 0 where
    there is none."""
    place = max(0, min(wanted, len(data)))
    for found in reversed(list(_PLUSES.finditer(data))):
        if found.start() - GUARDED < place < found.end() + GUARDED:
            place = max(0, found.start() - GUARDED)
    return place


def split_hangup(data: bytes) -> tuple[bytes, bytes]:
    """What is data for certain, and what at its end is a hang-up or the beginning of one."""
    longest = max(size for hangup in HANGUPS for size in range(len(hangup) + 1) if data.endswith(hangup[:size]))
    return data[: len(data) - longest], data[len(data) - longest :]

"""One stream of the link as an asyncio transport, and the right to use the link.

Laws, each paid for (modems.md 9.2): one link at a time from open until the close is confirmed; a send that was begun is never
cancelled; nothing more is offered once the transport was closed; the far end's close is reported after all that it sent was read;
reading never stops for writing, so that an early 413 arrives.
It knows no HTTP, no MMS, no aiohttp, and no time limits but its own two for settling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from mmsproxy.errors import CarrierError, LinkError, MmsproxyError

if TYPE_CHECKING:
    from mmsproxy.link import Stream

HIGH_WATER = 4096  # bytes not yet handed to the link at which the protocol above is asked to pause
SETTLE_LIMIT = 45.0  # seconds a send under way may take to end after the close: longer than a missed prompt and the restart behind it
IDLE_LIMIT = 10.0  # seconds to the end of closing when the link was stopped; closing a socket is bounded by 10 s (modems.md 5.3)
DRAIN_LIMIT = 5.0  # seconds to read what the far end had sent before a send failed

LINK_FAULTS = (LinkError, CarrierError)


class LinkGate:
    """The right to use one link: taken before `open`, given back when the close is confirmed. Keeps the tasks that close."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def locked(self) -> bool:
        return self._lock.locked()

    async def take(self) -> None:
        await self._lock.acquire()

    def give_back(self) -> None:
        self._lock.release()

    async def idle(self) -> None:
        """Returns when nothing is being closed any more, or IDLE_LIMIT is over."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=IDLE_LIMIT)

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs `work` to its end, whoever has lost interest in it (the loop itself keeps only weak references)."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class Observer(Protocol):
    """Who is told how far a connection came."""

    def bearer_wanted(self) -> None: ...

    def connection_wanted(self) -> None: ...

    def connection_open(self, transport: ModemTransport) -> None: ...

    def segment_given(self) -> None:
        """A segment is about to be handed to the link: from here on its bytes may leave."""

    def segment_accepted(self) -> None: ...

    def all_acknowledged(self) -> None:
        """The far end's TCP has acknowledged all that was handed to the link."""


class NobodyWatches:
    """The observer of a connector that is used without a tunnel."""

    def bearer_wanted(self) -> None:
        return

    def connection_wanted(self) -> None:
        return

    def connection_open(self, transport: ModemTransport) -> None:
        return

    def segment_given(self) -> None:
        return

    def segment_accepted(self) -> None:
        return

    def all_acknowledged(self) -> None:
        return


class ModemTransport(asyncio.Transport):
    """One stream as an asyncio transport.

    Unlike a socket's, `close` does not flush: an attempt that was given up must not go on offering bytes behind its judge's back.
    """

    _start_tls_compatible = True  # loop.start_tls refuses a foreign transport without this mark

    def __init__(
        self, stream: Stream, protocol: asyncio.BaseProtocol, *, peer: tuple[str, int], gate: LinkGate, observer: Observer
    ) -> None:
        super().__init__({"peername": peer})
        self.stream = stream
        self.written = 0  # bytes taken from the protocol above
        self.handed = 0  # bytes handed to the link: those of a segment under way may or may not have been offered
        self.more_follows = False  # the request is not complete with what was written: set by who knows its length
        self.send_error: MmsproxyError | None = None
        self.read_error: MmsproxyError | None = None
        self._protocol = protocol
        self._gate = gate
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._high, self._low = HIGH_WATER, 0
        self._paused_above = False
        self._closing = False
        self._something_to_do = asyncio.Event()
        self._room = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._drain_timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Task[None] | None = None
        self._acks: asyncio.Task[None] | None = None
        self._sender = gate.keep(self._send())
        self._receiver = gate.keep(self._receive())
        for task in (self._sender, self._receiver):
            task.add_done_callback(self._crashed)

    def __repr__(self) -> str:
        state = "closing" if self._closing else "open"
        return f"<ModemTransport {state} written={self.written} handed={self.handed} {self.stream.ledger}>"

    # What the protocol above calls.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._closing or self.send_error is not None:
            return  # not counted either: it will never be offered
        self.written += len(data)
        self._buffer += data
        self._something_to_do.set()
        if len(self._buffer) > self._high and not self._paused_above:
            self._paused_above = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_WATER if high is None else high
        self._low = min(self._high, 0 if low is None else low)

    def can_write_eof(self) -> bool:
        return False  # no modem can close one direction only

    def is_reading(self) -> bool:
        return self._may_read.is_set() and not self._closing

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._force_close(None)

    def abort(self) -> None:
        self._force_close(None)

    def _force_close(self, exc: BaseException | None) -> None:
        """Ends the transport; asyncio's SSLProtocol calls it by this name."""
        if self._closing:
            return
        self._closing = True
        self._buffer.clear()
        self._something_to_do.set()
        self._room.set()
        self._may_read.set()
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        error = exc if isinstance(exc, Exception) or exc is None else None
        self._loop.call_soon(self._protocol.connection_lost, error)
        self._closed = self._gate.keep(self._close_stream())

    # What the tunnel asks.

    @property
    def is_broken(self) -> bool:
        """Nothing more can be offered."""
        return self._closing or self.send_error is not None

    async def room(self) -> None:
        """Returns when all that was written was handed to the link, but for a segment under way. Never returns once broken: what
        the far end said until then is still being read, and decides."""
        while self._buffer and not self.is_broken:
            self._room.clear()
            await self._room.wait()
        if self.is_broken:
            await self._loop.create_future()

    async def settle(self) -> bool:
        """Closes, and waits for a send under way; True when the ledger is then final, False when SETTLE_LIMIT was over."""
        self.abort()
        await asyncio.wait({self._sender}, timeout=SETTLE_LIMIT)
        return self._sender.done()

    async def wait_closed(self) -> None:
        """Returns when the link has confirmed the close."""
        if self._closed is not None:
            await asyncio.shield(self._closed)

    # The two directions.

    async def _send(self) -> None:
        while not self._closing:
            await self._something_to_do.wait()
            if not self._buffer:
                self._something_to_do.clear()
                continue
            try:
                await self._send_segment()
            except LINK_FAULTS as error:
                self._sending_failed(error)
                return

    async def _send_segment(self) -> None:
        size = max(1, self.stream.max_send)
        segment = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.handed += len(segment)
        self._observer.segment_given()
        more = self.more_follows or bool(self._buffer)
        self._relieve()
        await self.stream.send(segment, more=more)
        self._observer.segment_accepted()
        if not more and (self._acks is None or self._acks.done()):
            self._acks = self._gate.keep(self._await_acks())

    async def _await_acks(self) -> None:
        await self.stream.acknowledged()
        self._observer.all_acknowledged()

    def _relieve(self) -> None:
        if not self._buffer:
            self._room.set()
        if self._paused_above and len(self._buffer) <= self._low:
            self._paused_above = False
            self._protocol.resume_writing()

    def _sending_failed(self, error: MmsproxyError) -> None:
        """The far end may have answered before it closed: reading goes on, for a while."""
        self.send_error = error
        self._buffer.clear()
        if not self._closing:
            self._drain_timer = self._loop.call_later(DRAIN_LIMIT, self._lost, error)

    async def _receive(self) -> None:
        try:
            while data := await self.stream.recv():
                await self._may_read.wait()
                if self._closing:
                    return
                self._deliver(data)
        except LINK_FAULTS as error:
            self._lost(self.send_error or error)
            return
        await self._may_read.wait()
        if not self._closing:
            self._ended_by_peer()

    def _deliver(self, data: bytes) -> None:
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            assert isinstance(protocol, asyncio.Protocol)
            protocol.data_received(data)
            return
        rest = memoryview(data)
        while rest and not self._closing:
            buffer = memoryview(protocol.get_buffer(len(rest)))
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            protocol.buffer_updated(count)
            rest = rest[count:]

    def _ended_by_peer(self) -> None:
        protocol = self._protocol
        assert isinstance(protocol, (asyncio.Protocol, asyncio.BufferedProtocol))
        if not protocol.eof_received():  # else the protocol has not read all yet, and closes by itself
            self._force_close(self.send_error)

    def _lost(self, error: MmsproxyError) -> None:
        self.read_error = error
        self._force_close(error)

    def _crashed(self, task: asyncio.Task[None]) -> None:
        """A fault that a stream must not have ends the connection at once, not when the answer is overdue."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "a link's stream failed", "exception": error, "transport": self})
            self._force_close(error)

    async def _close_stream(self) -> None:
        """A send under way comes first: a modem that asked for bytes takes a close for payload."""
        try:
            await asyncio.wait({self._sender}, timeout=SETTLE_LIMIT)
            await self.stream.close()
        finally:
            for task in (self._sender, self._receiver, self._acks):
                if task is not None:
                    task.cancel()
            self._gate.give_back()

"""One TCP socket of this host as a stream: non-blocking, and with a ledger of what the kernel took and what the far end acknowledged.

Rule 1: a byte is `offered` from just before it is handed to the kernel; the kernel tells in the same call how many it took, and what it
did not take has not left. Rule 2: the kernel is kept from hoarding (TCP_NOTSENT_LOWAT), so that `offered` runs at most some 32 KB ahead of
what was sent. Rule 3: what had arrived before a fault is read first, and a fault is told again each time. Rule 4: a connection that is
given up in the middle is reset: nothing goes on leaving behind its judge's back. It knows no interface and no names.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable

from mmsproxy.errors import AnswerTimeout, BearerError, CarrierError, LinkError, MmsproxyError, PeerReset
from mmsproxy.link import Ledger

MAX_SEND = 16_384  # octets handed to the kernel at once, and not yet sent at most before more are taken
READ = 65_536  # octets read at once
STALL = 20.0  # seconds without a byte taken (mm1.md 9)
ACK_LOOK = (0.02, 0.05, 0.1, 0.2)  # seconds between two looks at the acknowledgements; the last one repeats: a cellular round trip
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 s

_BEARER = {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV, errno.EADDRNOTAVAIL}
_TORN = "the send before was ended in its middle"


class HostStream:
    """`link.Stream` over a connected socket, which it owns. `released` is called once when it is closed."""

    max_send = MAX_SEND

    def __init__(self, connected: socket.socket, released: Callable[[], None]) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_SEND)
        self._socket = connected
        self._released = released
        self._ledger = Ledger()
        self._waiting: set[asyncio.Future[None]] = set()
        self._is_closed = False
        self._torn: MmsproxyError | None = None  # nothing more may be sent
        self._fault: MmsproxyError | None = None  # the far end's data ended by this
        self._lost: LinkError | None = None  # nothing more can come but what is here already

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open"
        return f"<HostStream {state} {self._ledger} fault={self._torn or self._fault or self._lost}>"

    @property
    def ledger(self) -> Ledger:
        """`acked` is the kernel's own figure of this moment."""
        self._count()
        return self._ledger

    async def send(self, data: bytes | memoryview, *, more: bool = False) -> None:
        """Returns when the kernel has taken all. Raises PeerReset, AnswerTimeout, LinkError. Cancelled in the middle, it was the last."""
        view = memoryview(data).cast("B")
        self._ledger.given += len(view)
        try:
            while view:
                taken = self._offer(view[:MAX_SEND])
                view = view[taken:]
                if not taken:
                    await self._until_writable()
        except asyncio.CancelledError:
            self._torn = self._torn or LinkError(_TORN)
            raise

    async def recv(self) -> bytes:
        """Raises PeerReset, AnswerTimeout, LinkError, each time again."""
        loop = asyncio.get_running_loop()
        while not self._is_closed:
            data = self._read()
            if data is not None:
                return data
            await self._until(loop.add_reader, loop.remove_reader)
        return b""

    async def acknowledged(self) -> None:
        looks = iter(ACK_LOOK)
        pause = 0.0
        while self.ledger.acked < self._ledger.given:
            pause = next(looks, pause)
            await asyncio.sleep(pause)

    async def close(self) -> None:
        if self._is_closed:
            return
        self._count()
        self._is_closed = True
        loop, number = asyncio.get_running_loop(), self._socket.fileno()
        loop.remove_reader(number)  # before the number may be another's
        loop.remove_writer(number)
        self._wake()
        if self._ledger.accepted < self._ledger.given or self._fault or self._lost:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._socket.close()
        self._released()

    def fail(self, error: LinkError) -> None:
        """The way is gone: nothing more can be sent, and nothing comes but what is here already."""
        self._lost = self._lost or error
        self._wake()

    # Sending.

    def _offer(self, view: memoryview) -> int:
        """How many octets the kernel took."""
        if error := self._torn or self._fault or self._lost:
            raise _again(error)
        if self._is_closed:
            raise LinkError("the connection is closed")
        before = self._ledger.offered
        self._ledger.offered = before + len(view)
        try:
            taken = self._socket.send(view)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError as refusal:
            self._ledger.offered = before  # sendmsg(2): an error means that nothing of this call was taken
            raise self._broken(refusal) from refusal
        self._ledger.offered = before + taken
        self._ledger.accepted += taken
        return taken

    def _broken(self, error: OSError) -> MmsproxyError:
        """A broken pipe alone means that the far end has closed in order: what it said is whole."""
        self._torn = fault_of(error)
        if not isinstance(error, BrokenPipeError):
            self._fault = self._fault or self._torn
        return _again(self._torn)

    async def _until_writable(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(STALL):
                await self._until(loop.add_writer, loop.remove_writer)
        except TimeoutError:
            self._torn = AnswerTimeout(f"the far end took nothing for {STALL:g} s while sending")
            raise _again(self._torn) from None

    # Receiving.

    def _read(self) -> bytes | None:
        """None: nothing yet."""
        try:
            data = self._socket.recv(READ)
        except (BlockingIOError, InterruptedError):
            data = None
        except OSError as error:
            self._fault = self._fault or fault_of(error)
            raise _again(self._fault) from error
        if not data and self._fault is not None:
            raise _again(self._fault)  # a reset that `send` met: the kernel tells it only once, then it looks like an end
        if data is None and self._lost is not None:
            raise _again(self._lost)
        return data

    # Both.

    async def _until(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        """Until the socket is ready, or something has happened to the stream."""
        if self._is_closed:
            return
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(news)
        add(self._socket.fileno(), _set, news)
        try:
            await news
        finally:
            self._waiting.discard(news)
            if not self._is_closed:
                remove(self._socket.fileno())

    def _wake(self) -> None:
        for news in self._waiting:
            _set(news)

    def _count(self) -> None:
        """SIOCOUTQ (tcp(7)): octets in the send queue that are not acknowledged."""
        if self._is_closed:
            return
        queued = struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4)))[0]
        self._ledger.acked = max(self._ledger.acked, self._ledger.accepted - queued)


def fault_of(error: OSError) -> MmsproxyError:
    """What a socket says, in our words."""
    if isinstance(error, ConnectionError):
        return PeerReset(f"the far end closed the connection: {words(error)}")
    if error.errno == errno.ETIMEDOUT:
        return AnswerTimeout("the far end's TCP does not answer any more")
    if error.errno in _BEARER:
        return BearerError(f"the way to the far end was lost: {words(error)}")
    return LinkError(f"the connection failed: {words(error)}")


def words(error: OSError) -> str:
    """The system's own; asyncio has others for a connection that failed."""
    return os.strerror(error.errno) if error.errno else str(error)


def _again(error: MmsproxyError) -> MmsproxyError:
    """The same fault, as an exception of its own for each who meets it."""
    assert isinstance(error, (LinkError, CarrierError))
    return type(error)(error.detail, cure=error.cure)


def _set(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)

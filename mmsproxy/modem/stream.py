"""One TCP connection inside a modem: bytes in chunks, bytes out by pulling, and the ledger of what may have left.

Rule 1: sending and receiving are independent; a chunk and a read take turns on the channel, so an early answer is read while the body
is still going out. Rule 2: the peer's close is not the end of data: the modem's buffer is drained first. Rule 3: what was read is kept
until somebody fetches it, even if whoever asked was cancelled. Rule 4: it knows no port; it hands scripts to the link.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from mmsproxy.at.delivery import deliver
from mmsproxy.at.dialect import Dialect, Script, Socket
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.errors import AtError, BearerError, CarrierError, LinkError, MmsproxyError, PeerReset
from mmsproxy.link import Ledger

T = TypeVar("T")

ACK_LOOK = 0.2  # seconds of silence behind the last byte before the modem is asked what was acknowledged: an answer may be quicker
POLL = 0.5  # seconds between two looks for data while an answer is due: the "data" URC may get lost (modems.md 2)


class Call(Protocol):
    """Has a script run by the owner of the port; it runs to its end even if the caller is cancelled once it has begun."""

    async def __call__(self, script: Script[T], offered: Callable[[int], None] | None = None) -> T: ...


class ModemStream:
    """`link.Stream` over one socket of a modem. `released` is called once when the socket is free again."""

    def __init__(self, call: Call, dialect: Dialect, number: int, released: Callable[[], None]) -> None:
        self._call = call
        self._dialect = dialect
        self._released = released
        self._ledger = Ledger()
        self._socket = Socket(number, self._ledger)
        self._inbox: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._waiting = False  # the modem holds data for us, or may
        self._ended = False  # the peer has closed
        self._sending = 0
        self._more = False  # the request is not complete with what was given
        self._acks_due = False  # nobody has asked yet what was acknowledged of the last bytes
        self._acks = asyncio.Event()
        self._torn: MmsproxyError | None = None  # nothing more may be sent
        self._fault: LinkError | None = None  # nothing more can come
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        ended = " ended" if self._ended else ""
        return f"<ModemStream {self._socket.number} {self._ledger}{ended} fault={self._torn or self._fault}>"

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def max_send(self) -> int:
        return self._dialect.max_send

    @property
    def number(self) -> int:
        return self._socket.number

    def opened(self, number: int) -> None:
        """The modem's number for the socket."""
        self._socket.number = number

    # -- sending ----------------------------------------------------------------------------------------------------------------

    async def send(self, data: bytes | memoryview, *, more: bool = False) -> None:
        """Raises PeerReset, LinkError; then what the ledger says has left."""
        view = memoryview(data).cast("B")
        self._ledger.given += len(view)
        self._more = more
        self._sending += 1
        try:
            while view:
                view = view[await self._send_chunk(view) :]
        finally:
            self._sending -= 1
            self._acks_due = True
            self._news.set()

    async def _send_chunk(self, view: memoryview) -> int:
        self._check_sending()
        chunk = view[: self._dialect.max_send]
        script = deliver(self._dialect, self._socket, bytes(chunk), more=self._more or len(view) > len(chunk))
        try:
            return await self._call(script, self._offered)
        except PeerReset as error:
            self._torn, self._ended, self._waiting = error, True, True
            raise
        except (LinkError, CarrierError) as error:
            self._torn = error
            raise

    def _offered(self, upto: int) -> None:
        self._ledger.offered = max(self._ledger.offered, upto)

    def _check_sending(self) -> None:
        if self._torn is not None:
            raise type(self._torn)(self._torn.detail)
        if self._fault is not None:
            raise type(self._fault)(self._fault.detail, cure=self._fault.cure)
        if self._ended:
            raise PeerReset("the peer closed the connection")

    # -- receiving --------------------------------------------------------------------------------------------------------------

    async def recv(self) -> bytes:
        """Raises LinkError once what the modem still held was read."""
        while True:
            if self._inbox:
                return self._inbox.popleft()
            if self._waiting:
                self._waiting = False  # a URC that comes while the read is under way sets it again
                await self._look(self._read())
            elif self._fault is not None:
                raise type(self._fault)(self._fault.detail, cure=self._fault.cure)
            elif self._ended:
                return b""
            else:
                await self._wait()

    async def _look(self, script: Script[None]) -> None:
        with contextlib.suppress(LinkError):  # noted as our fault, by the script or by `fail`
            await self._call(script)

    def _read(self) -> Script[None]:
        """Whatever comes of it is noted here, where it is known even if the caller is gone."""
        try:
            got = yield from self._dialect.read(self.number, self._dialect.max_read)
        except AtError as error:
            if not self._ended:  # after a close it means that the modem has dropped the socket, with nothing left to read
                self._fault = error
        except LinkError as error:
            self._fault = error  # what a read lost cannot be read again
        else:
            if got.data:
                self._inbox.append(got.data)
                self._waiting = self._waiting or got.left != 0
        self._news.set()

    def _poll(self) -> Script[None]:
        """Nothing came for a while: look, and if nothing else is due ask what the far end has acknowledged."""
        yield from self._read()
        if not self._inbox and self._fault is None:
            yield from self._count()

    def _count(self) -> Script[None]:
        """What the far end has acknowledged, by the modem's own counter. A modem that cannot tell is not at fault."""
        if self._ledger.acked >= self._ledger.accepted:
            return
        try:
            counters = yield from self._dialect.counters(self.number)
        except AtError:
            return
        self._ledger.acked = max(self._ledger.acked, min(counters.acked, self._ledger.accepted))
        self._acks.set()

    async def acknowledged(self) -> None:
        """Returns when the counter that is asked beside `recv` has shown it."""
        while self._ledger.acked < self._ledger.given:
            self._acks.clear()
            await self._acks.wait()

    async def _wait(self) -> None:
        """For news; while an answer is due, at most ACK_LOOK seconds before the first look, and then POLL."""
        answer_due = self._ledger.given > 0 and not self._sending and not self._more
        first = self._acks_due
        self._news.clear()
        try:
            async with asyncio.timeout((ACK_LOOK if first else POLL) if answer_due else None):
                await self._news.wait()
        except TimeoutError:
            self._acks_due = False
            await self._look(self._count() if first else self._poll())

    # -- what the link tells ----------------------------------------------------------------------------------------------------

    def heard(self, urc: UrcReceived) -> None:
        """A URC of this socket, or of the bearer."""
        match urc.kind:
            case Urc.DATA_WAITING:
                self._waiting = True
            case Urc.PUSHED_DATA:
                self._inbox.append(urc.data)
            case Urc.PEER_CLOSED:
                self._ended = self._waiting = True
            case Urc.BEARER_LOST:
                self._waiting = True  # what the modem holds may still be read
                self._fault = BearerError("the bearer was lost")
        self._news.set()

    def fail(self, error: LinkError) -> None:
        """The link is gone: nothing can be sent or read any more."""
        self._fault, self._waiting = error, False
        self._news.set()

    # -- closing ----------------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._shut(), name=f"close socket {self.number}")
        await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        self._ended, self._waiting = True, False
        self._news.set()
        try:
            await self._call(self._close_script())
        except LinkError:
            pass  # the link is gone, and the socket with it: the start-up leaves none open
        finally:
            self._released()

    def _close_script(self) -> Script[None]:
        try:
            yield from self._dialect.close(self.number)
        except LinkError:
            yield from self._dialect.bearer_down()  # frees every socket; the next message brings it up again

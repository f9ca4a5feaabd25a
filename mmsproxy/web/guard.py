"""The guard before a front door: deadlines for header and body, limits of connections, and a quiet answer to bad HTTP.

Rule 1: aiohttp 3.14 has no deadline of its own for half a header or half a body (mm1.md 11), so this module puts them there; it
overrides `web.RequestHandler`, whose inside may change: tests/web/test_guard.py pins what is needed. Rule 2: it knows HTTP, sockets
and time, never MMS, JSON or modems. Rule 3: a client's mistake is one log line, never a traceback.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from mmsproxy.errors import ListenError

_log = logging.getLogger(__name__)

ORIGIN_HEADER = "X-Mmsproxy-Origin"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MAX_REQUEST_LINE = 8190  # octets; what aiohttp and Apache take by default, a line or a field longer than this is 400
LISTEN_BACKLOG = 1024  # as many as may be open: a burst waits in the kernel instead of being refused


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in octets (delivery.md 8, "Limits").

    body and body_rate: a body is whole within `body` seconds, or has come at `body_rate` octets a second at least since its begin.
    unread: how long an answer may lie unread by the client before the connection is dropped. linger: how long the rest of a refused
    body is read and thrown away, so that the client gets to see the answer.
    """

    header: float = 10.0
    body: float = 30.0
    body_rate: int = 8 * 1024
    keepalive: float = 15.0
    unread: float = 30.0
    linger: float = 10.0
    per_address: int = 64
    connections: int = 1024
    headers: int = 200
    max_body: int = 2 * 1024 * 1024


class BodyFault(Enum):
    """Why a body could not be read."""

    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"
    BROKEN = "broken off or not well framed"


async def say_continue(request: web.BaseRequest) -> None:
    """Asks for the body of a client that waits for that. One of HTTP/1.0 does not, whatever it says (RFC 9110 10.1.1)."""
    if "Expect" in request.headers and request.version >= HttpVersion11:
        await request.writer.write(CONTINUE)
        request.writer.output_size = 0  # aiohttp takes these octets for the begin of an answer


async def read_body(request: web.BaseRequest, limits: Limits) -> bytes | BodyFault:
    """The whole body, counted as it comes, whatever its framing (mm1.md 4, step 5). Never raises for what the client did."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout_at(begun + limits.body) as deadline:
            async for chunk in request.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > limits.max_body:
                    return BodyFault.TOO_LARGE
                deadline.reschedule(begun + max(limits.body, size / limits.body_rate))
    except TimeoutError:
        return BodyFault.TOO_SLOW
    except (web.RequestPayloadError, ConnectionError):
        return BodyFault.BROKEN
    return b"".join(chunks)


def quiet(response: web.StreamResponse) -> None:
    """Takes out what aiohttp would say about itself. Call it from `on_response_prepare` or `_prepare_hook`."""
    response.headers.popall("Server", None)


class Crowd:
    """Counts the open connections, in all and by address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()

    @property
    def size(self) -> int:
        return self._open.total()

    def enter(self, address: str) -> bool:
        """Whether one more connection from this address may come in; if so it is counted until `leave`."""
        if self.size >= self._limits.connections or self._open[address] >= self._limits.per_address:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]


class GuardedHandler(web.RequestHandler):
    """One connection. Its header deadline runs from its begin, and again from the first octet of each later request."""

    __slots__ = ("_address", "_crowd", "_header_timer", "_heard", "_limits")

    def __init__(self, server: web.Server, *, limits: Limits, crowd: Crowd, **kwargs: Any) -> None:
        super().__init__(server, keepalive_timeout=limits.keepalive, lingering_time=limits.linger, **kwargs)
        self._limits = limits
        self._crowd = crowd
        self._address: str | None = None  # None: not counted
        self._heard = False
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = _peer(transport)
        if not self._crowd.enter(address):
            self._turn_away(transport, address)
            return
        self._address = address
        _drop_when_unread(transport, self._limits.unread)
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._disarm()
        if self._address is not None:
            self._crowd.leave(self._address)
            self._address = None
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        parsed = self._request_count
        super().data_received(data)
        if self._request_count != parsed:
            self._disarm()
            self._heard = False
        elif data and self._is_idle():
            self._heard = True
            if self._header_timer is None:
                self._arm()

    def eof_received(self) -> bool | None:  # type: ignore[override] # asyncio takes True for "keep the sending side open"
        """A client that closes only its sending side (`nc -N`) still gets the answer to a request that is whole."""
        if self._is_idle() or self._parser is None:
            return None
        try:
            self._parser.feed_eof()
        except HttpProcessingError:
            return None
        self.close()
        return True

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Bad HTTP: one line in the log, one line to the client, and the connection is closed."""
        if isinstance(exc, HttpProcessingError):
            _log.info("bad HTTP from %s: %s", self._address, _first_line(exc.message))
        else:
            self.log_exception("error while answering %s", self._address, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer was sent already")
        text = "not a well-formed HTTP request\n" if status == 400 else "internal error\n"
        response = web.Response(status=status, text=text, headers={ORIGIN_HEADER: "gateway"})
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        if isinstance(kwargs.get("exc_info"), (web.RequestPayloadError, ConnectionError)):
            _log.info("bad body from %s: %s", self._address, _first_line(str(kwargs["exc_info"])))
            return
        super().log_exception(*args, **kwargs)

    def _is_idle(self) -> bool:
        """Whether the connection waits for a request line."""
        return self._waiter is not None and not self._waiter.done()

    def _arm(self) -> None:
        self._header_timer = self._loop.call_later(self._limits.header, self._too_slow)

    def _disarm(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_slow(self) -> None:
        self._header_timer = None
        if self.transport is not None and self._heard:
            _log.info("no whole request header from %s within %g s", self._address, self._limits.header)
            self.transport.write(_raw_answer("408 Request Timeout", f"no whole header within {self._limits.header:g} s"))
        self.force_close()

    def _turn_away(self, transport: asyncio.BaseTransport, address: str) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        _log.warning("too many connections: one more from %s is turned away (%d are open)", address, self._crowd.size)
        self._force_close = True  # data_received looks at this first and drops what still comes
        transport.write(_raw_answer("503 Service Unavailable", "too many connections", "Retry-After: 5\r\n"))
        transport.close()


class Door:
    """A listening socket with the guard before it. One door for one runner (`web.AppRunner` or `web.ServerRunner`)."""

    def __init__(self, runner: web.BaseRunner, listener: asyncio.Server, crowd: Crowd) -> None:
        self._runner = runner
        self._listener = listener
        self._is_stopped = False
        self.crowd = crowd

    @property
    def port(self) -> int:
        """The port that is listened on; the system's choice when port 0 was asked for."""
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Takes no new connection, lets requests under way end within the runner's `shutdown_timeout`, closes the rest. May be called
        twice."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._listener.close()
        await self._runner.cleanup()


async def open_door(runner: web.BaseRunner, host: str, port: int, *, key: str, limits: Limits) -> Door:
    """Starts to listen. `key` is the config key that names the address. Raises ListenError with the cure."""
    await runner.setup()
    assert runner.server is not None
    server, crowd, loop = runner.server, Crowd(limits), asyncio.get_running_loop()

    def guarded() -> GuardedHandler:
        return GuardedHandler(
            server,
            limits=limits,
            crowd=crowd,
            loop=loop,
            auto_decompress=False,  # else a gzip body is inflated before anybody could refuse it
            access_log=None,
            logger=_log,
            max_line_size=MAX_REQUEST_LINE,
            max_field_size=MAX_REQUEST_LINE,
            max_headers=limits.headers,
        )

    try:
        listener = await loop.create_server(guarded, host, port, backlog=LISTEN_BACKLOG)
    except OSError as error:
        await runner.cleanup()
        raise ListenError(
            f"{key} {host}:{port} cannot be opened: {error.strerror or error}",
            cure=f"stop the program that has it, or set another address in {key}",
        ) from None
    return Door(runner, listener, crowd)


def _peer(transport: asyncio.BaseTransport) -> str:
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else "unknown"


def _drop_when_unread(transport: asyncio.BaseTransport, seconds: float) -> None:
    """Lets the kernel drop a client that does not read its answer; closing alone would wait for it for ever."""
    sock = transport.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1000))


def _raw_answer(status: str, text: str, more: str = "") -> bytes:
    """An answer for a connection that has no request yet."""
    body = f"{text}\n".encode("ascii")
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        f"{ORIGIN_HEADER}: gateway\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _first_line(text: str) -> str:
    return ascii(text.strip().split("\n", 1)[0])[1:-1]

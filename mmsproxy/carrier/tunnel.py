"""One HTTP POST to the MMSC over a fresh connection: aiohttp's own client, told to add nothing and to change nothing.

Laws: one request per connection; no redirect is followed, no answer decompressed, no cookie kept; the last piece of the body is withheld
until `before_last_byte` has returned; every read has a limit that does not depend on framing. A link's or carrier's fault is in the
Trial, never raised.
It knows no PDU, no queue and no retry.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from mmsproxy.carrier.attempt import KEPT_BODY, Trial
from mmsproxy.carrier.connector import ConnectorFactory
from mmsproxy.carrier.exchange import Exchange, Limits, OnPhase
from mmsproxy.carrier.headers import MMS_MESSAGE, Headers, check
from mmsproxy.errors import ConnectError, MmsproxyError, NonMmsAnswer, PeerReset
from mmsproxy.link import Tap

ANSWER_MAX = 65_536  # octets of the answer to a POST (mm1.md 9)
HOST_PIECE = 16_384  # octets of the body written at once when there is no modem that has a limit of its own
PROXY_PORT = 80
NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)  # the Exchange keeps the time
AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

# Private use plane 15 stands for octets beyond ASCII on the way through aiohttp, which writes header values in UTF-8 only.
_PLANE_15 = 0xF0000
_PLANE_15_OCTET = re.compile(rb"\xf3\xb0([\x82\x83])([\x80-\xbf])")

BeforeLastByte = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where POSTs go: the MMSC's URL as it is written, and the carrier's MMS proxy where there is one."""

    mmsc: URL
    proxy: URL | None = None

    @classmethod
    def of(cls, mmsc: str, proxy: str | None = None) -> Upstream:
        """From the configuration: `mmsc` an http or https URL, `proxy` as host[:port]."""
        parts = urlsplit(mmsc)
        netloc = f"{_plain_host(parts.hostname or '')}:{parts.port}" if parts.port else _plain_host(parts.hostname or "")
        url = URL(urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, "")), encoded=True)
        return cls(url, None if proxy is None else _proxy_url(proxy))

    @property
    def authority(self) -> tuple[str, int]:
        """Host in lower case and port of the MMSC."""
        assert self.mmsc.raw_host is not None
        assert self.mmsc.port is not None
        return self.mmsc.raw_host.lower(), self.mmsc.port

    @property
    def peer(self) -> str:
        """Whom TCP connects to, for people."""
        url = self.proxy or self.mmsc
        return f"{url.raw_host}:{url.port}"


class Tunnel:
    """POSTs to one upstream, one at a time (its line sees to that).

    connect    makes the connector of one POST, given who watches it: over a link, or an ordinary TCPConnector
    byte_rate  octets a second of the serial line, 0 when there is none
    """

    def __init__(
        self,
        upstream: Upstream,
        connect: ConnectorFactory,
        *,
        limits: Limits | None = None,
        byte_rate: float = 0.0,
        tap: Tap | None = None,
    ) -> None:
        self._upstream = upstream
        self._connect = connect
        self._limits = limits or Limits()
        self._byte_rate = byte_rate
        self._tap = tap
        self._current: Exchange | None = None

    @property
    def current(self) -> Exchange | None:
        """The POST under way."""
        return self._current

    async def post(
        self, pdu: bytes, headers: Headers, *, on_phase: OnPhase | None = None, before_last_byte: BeforeLastByte = _nothing
    ) -> Trial:
        """`headers` without Host and Content-Length. Raises HeaderError; a fault of link or carrier is in the Trial.

        `on_phase` hears LAST_BYTE from just before the segment with it is handed to the link; the Trial has the exact phase.
        """
        if not pdu:
            raise ValueError("an empty body cannot be posted")
        for name, value in headers:
            check(name, value)
        exchange = Exchange(len(pdu), limits=self._limits, peer=self._upstream.peer, byte_rate=self._byte_rate, on_phase=on_phase)
        self._current = exchange
        try:
            await self._bounded(exchange, _Body(pdu, exchange, before_last_byte, self._tap), headers)
        finally:
            self._current = None
        return exchange.trial()

    async def _bounded(self, exchange: Exchange, body: _Body, headers: Headers) -> None:
        try:
            async with asyncio.timeout(None) as scope:
                exchange.begin(scope)
                await self._request(exchange, body, headers)
        except TimeoutError:
            assert exchange.failure is not None
        except (MmsproxyError, aiohttp.ClientError) as error:
            exchange.failed(_fault(error, exchange))
        finally:
            exchange.end()
            if exchange.wire is not None:
                exchange.wire.abort()
        if not exchange.is_last_offered:
            await exchange.settle()

    async def _request(self, exchange: Exchange, body: _Body, headers: Headers) -> None:
        upstream = self._upstream
        session = aiohttp.ClientSession(
            connector=self._connect(exchange),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=NO_TIMEOUT,
            skip_auto_headers=AUTO_HEADERS,
        )
        fields = [*((name, _disguised(value)) for name, value in headers), ("Content-Length", str(body.size))]
        async with session:
            try:
                request = session.post(upstream.mmsc, data=body, headers=fields, proxy=upstream.proxy, allow_redirects=False)
                async with request as response:
                    await self._answer(exchange, response)
            finally:
                if exchange.wire is not None:
                    exchange.wire.abort()  # no TLS farewell: it would hold the link for a round trip, or for 30 s

    async def _answer(self, exchange: Exchange, response: aiohttp.ClientResponse) -> None:
        head = tuple((_octets_as_text(name), _octets_as_text(value)) for name, value in response.raw_headers)
        self._note_head(f"HTTP/1.1 {response.status} {response.reason or ''}", head)
        exchange.answer_begun(response.status, head)
        async for chunk in response.content.iter_any():
            exchange.body += chunk
            if len(exchange.body) > ANSWER_MAX:
                del exchange.body[KEPT_BODY:]
                raise NonMmsAnswer(f"HTTP {response.status} with more than {ANSWER_MAX} octets")
        _refuse_cut_answer(exchange, response)
        exchange.answer_whole()
        if self._tap is not None:
            self._tap.note("pdu", f"< {exchange.body.hex()}")

    def _note_head(self, first: str, head: Headers) -> None:
        if self._tap is not None:
            for line in (first, *(f"{name}: {value}" for name, value in head)):
                self._tap.note("http", f"< {line}")


class _Body(aiohttp.Payload):
    """The PDU in pieces that end where the modem's segments end, so that withholding the last one costs no segment more."""

    def __init__(self, pdu: bytes, exchange: Exchange, before_last_byte: BeforeLastByte, tap: Tap | None) -> None:
        super().__init__(pdu, content_type=MMS_MESSAGE)
        self._pdu = pdu
        self._size = len(pdu)
        self._exchange = exchange
        self._before_last_byte = before_last_byte
        self._tap = tap

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._pdu.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Writes head and body; returns when the last piece was written."""
        head = _restored_head(writer)
        self._note(head)
        *pieces, last = self._pieces(len(head))
        for piece in pieces:
            await self._room()
            self._begin(writer)
            await writer.write(piece)
        await self._room()
        if not await self._may_finish():
            return
        await self._room()
        self._begin(writer)
        self._exchange.last_piece_released()
        await writer.write(last)
        self._exchange.last_piece_written()

    def _begin(self, writer: AbstractStreamWriter) -> None:
        """The head leaves together with the first piece: nothing is awaited in between."""
        writer.send_headers()
        self._exchange.body_begins()

    def _pieces(self, head: int) -> list[memoryview]:
        wire = self._exchange.wire
        cuts = cut_points(head, len(self._pdu), HOST_PIECE if wire is None else max(1, wire.stream.max_send))
        view = memoryview(self._pdu)
        return [view[start:stop] for start, stop in pairwise(cuts)]

    async def _room(self) -> None:
        if self._exchange.wire is not None:
            await self._exchange.wire.room()

    async def _may_finish(self) -> bool:
        """The durable mark comes before the last piece; without it nothing more may leave."""
        try:
            await self._before_last_byte()
        except MmsproxyError as error:
            self._exchange.fail(error)
        except Exception as error:  # noqa: BLE001 - whatever a store raises, the message is not sent and its sender is told
            self._exchange.fail(MmsproxyError(f"the last byte was withheld: {error!r}"))
        return self._exchange.failure is None

    def _note(self, head: bytes) -> None:
        if self._tap is not None:
            for line in head.decode("latin-1").split("\r\n")[:-2]:
                self._tap.note("http", f"> {line}")
            self._tap.note("pdu", f"> {self._pdu.hex()}")


def cut_points(head: int, size: int, segment: int) -> list[int]:
    """Offsets in a body of `size` octets behind a head of `head` octets, such that every cut but the ends is at a full segment."""
    first = segment * (head // segment + 1) - head
    return [0, *range(first, size, segment), size]


def _restored_head(writer: AbstractStreamWriter) -> bytes:
    """The request's head as it will be written, with the disguised octets set right in it."""
    head: bytes = writer._headers_buf  # type: ignore[attr-defined]  # pinned by tests/carrier/test_connector.py
    head = _PLANE_15_OCTET.sub(lambda match: bytes([(match[1][0] - 0x82) * 0x40 + match[2][0]]), head)
    writer._headers_buf = head  # type: ignore[attr-defined]
    return head


def _disguised(value: str) -> str:
    if value.isascii():
        return value
    octets = value.encode("utf-8", "surrogateescape")
    return "".join(chr(octet if octet < 0x80 else _PLANE_15 + octet) for octet in octets)


def _octets_as_text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _refuse_cut_answer(exchange: Exchange, response: aiohttp.ClientResponse) -> None:
    """aiohttp takes any end of the connection for the end of an answer that has neither length nor chunks."""
    wire = exchange.wire
    is_framed = "Content-Length" in response.headers or "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    if wire is not None and wire.read_error is not None and not is_framed:
        raise wire.read_error


def _fault(error: MmsproxyError | aiohttp.ClientError, exchange: Exchange) -> MmsproxyError:
    """aiohttp's words for what happened, in ours; the link's own words come first."""
    if isinstance(error, MmsproxyError):
        return error
    if isinstance(error, aiohttp.ClientResponseError):
        return NonMmsAnswer(f"what came back is no HTTP: {error.message}"[:200].replace("\n", " "))
    wire = exchange.wire
    if wire is not None and (cause := wire.send_error or wire.read_error) is not None:
        return cause
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectError(str(error))
    return PeerReset(f"the connection was closed before the answer was whole ({type(error).__name__})")


def _plain_host(host: str) -> str:
    """Leading zeros off a dotted quad: some see octal in `172.028.023.131`, and Python refuses it (mm1.md 9). IPv6 in brackets."""
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", host):
        return ".".join(str(int(octet)) for octet in host.split("."))
    return f"[{ip_address(host)}]" if ":" in host else host


def _proxy_url(proxy: str) -> URL:
    host, _, port = proxy.partition(":")
    return URL(f"http://{_plain_host(host)}:{port or PROXY_PORT}", encoded=True)

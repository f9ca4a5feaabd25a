"""Requests of the gateway into the local network and the Internet, never through a modem: pictures by URL, and webhooks.

Rule 1: a name is resolved once, its addresses are judged, and only a judged address is connected to: a name that changes its mind between
the look and the connection gains nothing. Rule 2: no redirects, no proxy of the environment, no cookies, no content coding; every answer
has a limit in octets and in time. Rule 3: whatever goes wrong is an OutsideError of one line, which names the host and not the whole URL.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.version import __version__
from mmsproxy.web.outside_address import admits, objection

FETCH_SECONDS = 10.0  # delivery.md 8
MAX_FILE = 16 * 1024 * 1024  # octets: a picture is shrunk after it came, as one that is uploaded
MAX_URL = 2048  # characters
MAX_RETRY_AFTER = 24 * 3600.0  # seconds; a server may not postpone anything further
RESOLVING_THREADS = 16  # of our own: a name server that hangs must not take the threads that files are written with
PIECE = 65_536  # octets
USER_AGENT = f"mmsproxy/{__version__}"
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
T = TypeVar("T")


class OutsideError(MmsproxyError):
    """A request that did not bring what it was made for."""

    code = "outside"
    retryable = True


class BadUrl(OutsideError):
    """A URL that is none, or not of the kind that is taken."""

    code = "bad_url"
    fault = Fault.CALLER
    retryable = False


class Forbidden(OutsideError):
    """The URL leads to an address or a host that is not allowed."""

    code = "forbidden_address"
    fault = Fault.CALLER


class MediaFetchFailed(MmsproxyError):
    """A `media.url` brought no file."""

    code = "media_fetch_failed"
    fault = Fault.CALLER


@dataclass(frozen=True, slots=True)
class Fetched:
    """`content_type` as the server claims it, without parameters; "" when it says nothing."""

    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Posted:
    """`retry_after`: seconds that the server asks to wait, at most MAX_RETRY_AFTER."""

    status: int
    retry_after: float | None = None


def checked_url(text: str) -> URL:
    """An http or https URL with a host, and without name and password, which would end up in logs. Raises BadUrl."""
    if len(text) > MAX_URL:
        raise BadUrl(f"the URL is longer than {MAX_URL} characters")
    if _UNSAFE.search(text):
        raise BadUrl("the URL has a space, a control character or a backslash in it", cure="percent-encode it")
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        raise BadUrl(f"this is no URL: {str(error)[:100]}") from None
    if url.scheme not in ("http", "https") or not url.raw_host or not port:
        raise BadUrl("an absolute http or https URL is wanted", cure="write it as http://host/path")
    if url.raw_user is not None or url.raw_password is not None:
        raise BadUrl("name and password may not stand in the URL", cure="leave them out")
    return url.with_fragment(None)


def forbidden_host(url: URL, *, allow_private: bool) -> str | None:
    """What speaks against the URL as it stands, before its name is resolved; None when only that can tell."""
    host = (url.raw_host or "").lower().removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return None if allow_private else "a loopback address"
    literal = re.fullmatch(r"[0-9a-f.]*:[0-9a-f:.]*(%.*)?|[0-9.]+", host)
    return objection(host, allow_private=allow_private) if literal else None


class Outside:
    """A client for other people's addresses. Needs no start and no stop.

    allow_private  loopback, link-local and private addresses may be connected to
    resolve        the addresses of a name as text; raises OSError
    now            the wall clock, for Retry-After dates
    """

    def __init__(
        self, allow_private: bool, resolve: Resolve | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.allow_private = allow_private
        self._threads = ThreadPoolExecutor(RESOLVING_THREADS, thread_name_prefix="outside-names")
        self._resolve = resolve or self._system_resolve
        self._now = now

    async def get(self, url: str, *, limit: int, timeout: float = FETCH_SECONDS) -> Fetched:
        """The file at `url`, at most `limit` octets in `timeout` seconds. Raises OutsideError."""
        target = checked_url(url)
        return await self._asked(target, timeout, lambda session: _fetch(session, target, limit))

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Posted:
        """The status that the server answers; its body is not read. Raises OutsideError when no answer came."""
        target = checked_url(url)
        return await self._asked(target, timeout, lambda session: self._posted(session, target, body, headers))

    async def _posted(self, session: aiohttp.ClientSession, url: URL, body: bytes, headers: Mapping[str, str]) -> Posted:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            return Posted(answer.status, retry_after(answer.headers.get("Retry-After"), self._now()))

    async def _asked(self, url: URL, timeout: float, ask: Callable[[aiohttp.ClientSession], Awaitable[T]]) -> T:
        if reason := forbidden_host(url, allow_private=self.allow_private):
            raise _forbidden(url, reason)
        try:
            async with asyncio.timeout(timeout):
                async with self._session() as session:
                    return await ask(session)
        except TimeoutError:
            raise OutsideError(f"{url.raw_host} did not answer in whole within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise OutsideError(f"{url.raw_host}: {_said(error)}") from None

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Judge(self._resolve, self.allow_private),
            use_dns_cache=False,
            force_close=True,
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),  # asyncio.timeout bounds the whole, the resolving too
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    def _socket(self, address: Any) -> socket.socket:
        """The last gate: whatever way an address came here, it is judged once more before it is connected to."""
        family, kind, protocol, _, where = address
        if reason := objection(str(where[0]), allow_private=self.allow_private):
            raise OSError(f"{where[0]} is {reason}")
        return socket.socket(family, kind, protocol)

    async def _system_resolve(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        return tuple(dict.fromkeys(str(where[0]) for *_, where in found))


class MediaSource:
    """`media.url`: files from the hosts that a person listed, wherever those stand.

    hosts    exact names, addresses, or `*.suffix`; none: nothing is fetched
    resolve  as for Outside
    limit    octets that `file` takes
    """

    def __init__(self, hosts: Iterable[str], resolve: Resolve | None = None, *, limit: int = MAX_FILE) -> None:
        self._hosts = tuple(hosts)
        self._limit = limit
        self._outside = Outside(allow_private=True, resolve=resolve)

    async def file(self, url: str) -> tuple[str, bytes]:
        """Content type as claimed and octets: what the clerk asks for. Raises MediaFetchFailed with one line that says why."""
        try:
            self._check(checked_url(url))
            found = await self._outside.get(url, limit=self._limit)
        except OutsideError as error:
            raise MediaFetchFailed(error.detail, cure=error.cure) from None
        return found.content_type, found.data

    def _check(self, url: URL) -> None:
        if not self._hosts:
            raise Forbidden(
                "files are not fetched by URL here", cure="name the host in media.fetch in config.yaml, or send the file itself"
            )
        if not admits(self._hosts, url.raw_host or ""):
            raise Forbidden(
                f"{url.raw_host} is not among the hosts that files are fetched from", cure="add it to media.fetch in config.yaml"
            )


class _Judge(AbstractResolver):
    """Resolves a name once, and hands on only addresses that may be connected to."""

    def __init__(self, resolve: Resolve, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        found = await self._resolve(host, port)
        reasons = {address: objection(address, allow_private=self._allow_private) for address in found}
        good = [address for address, reason in reasons.items() if reason is None]
        if not good:
            reason = next(iter(reasons.values()), None) or "no address"
            raise Forbidden(f"{host} leads to {reason}, which is not allowed", cure="a person can allow it in config.yaml")
        return [_result(host, port, address) for address in good]

    async def close(self) -> None:
        """There is nothing to close."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": flags}


async def _fetch(session: aiohttp.ClientSession, url: URL, limit: int) -> Fetched:
    async with session.get(url, allow_redirects=False) as answer:
        if 300 <= answer.status < 400:
            raise OutsideError(f"{url.raw_host} answered {answer.status}: redirects are not followed", cure="give the final URL")
        if answer.status != 200:
            raise OutsideError(f"{url.raw_host} answered {answer.status}")
        coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise OutsideError(f"{url.raw_host} sent the file in Content-Encoding {coding[:40]!a}, which was not asked for")
        data = await _read(answer, limit, url)
        return Fetched(answer.content_type if "Content-Type" in answer.headers else "", data)


async def _read(answer: aiohttp.ClientResponse, limit: int, url: URL) -> bytes:
    too_large = OutsideError(f"the file at {url.raw_host} is larger than {limit:,} octets")
    if (answer.content_length or 0) > limit:
        raise too_large
    data = bytearray()
    async for piece in answer.content.iter_chunked(PIECE):
        data += piece
        if len(data) > limit:
            raise too_large
    return bytes(data)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After field (RFC 9110 10.2.3), 0..MAX_RETRY_AFTER; None when there is none that can be read."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return min(float(text), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), MAX_RETRY_AFTER)


def _forbidden(url: URL, reason: str) -> Forbidden:
    return Forbidden(f"{url.raw_host} is {reason}, which is not allowed", cure="a person can allow it in config.yaml")


def _said(error: BaseException) -> str:
    """One line; aiohttp's own words may hold the whole URL, so only those of the system are told."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no TLS connection could be made"
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, OSError) and cause.strerror:
        return f"no connection: {cause.strerror}"
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "there is no such name"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the connection was closed before the answer was whole"
    return f"no HTTP that can be understood ({type(error).__name__})"

"""How a command talks to a running gateway: one request over one connection, by the standard library's blocking client.

Rule 1: a gateway that cannot be reached and a gateway that took the request but never answered are two different errors, for only the
first is proof that nothing was sent. Rule 2: no proxy is taken from the environment: a message must not go astray by `http_proxy`.
This module knows HTTP, and nothing of messages.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mmsproxy.errors import Fault, MmsproxyError

CONNECT_SECONDS = 10.0
MAX_ANSWER = 4 << 20  # octets; an M-Send.conf is far below, the JSON of a message too

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Unreachable(MmsproxyError):
    """Nothing was sent: the address is wrong, or nobody listens there."""

    code = "unreachable"
    fault = Fault.CALLER


class NoAnswer(MmsproxyError):
    """The gateway may have the request; its answer did not come."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back. `origin` is "gateway" when the gateway itself made the answer; `seconds` from the first byte to the last."""

    status: int
    content_type: str
    origin: str
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. `path` holds the query too."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def target_of(url: str) -> Target:
    """Raises Unreachable for what is no http or https URL in ASCII."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in _DEFAULT_PORTS or re.search(r"[^\x21-\x7e]", url):
        raise Unreachable(f"{url!a} is no address of a gateway", cure="write it as http://HOST:PORT")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], path)


def post(url: str, headers: Mapping[str, str], body: bytes, *, timeout: float, proxy: str | None = None) -> HttpAnswer:
    """POSTs `body`. `proxy` (HOST:PORT): connects there and writes the whole URL in the request line. `timeout` in seconds for the answer.

    Raises Unreachable while nothing was sent, NoAnswer after that.
    """
    return ask("POST", url, headers, body, timeout=timeout, proxy=proxy)


def ask(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, *, timeout: float, proxy: str | None = None
) -> HttpAnswer:
    """Any request; as `post`."""
    target = target_of(url)
    peer = target_of(proxy if "://" in proxy else f"http://{proxy}") if proxy else target
    connection = _connected(peer)
    started = time.monotonic()
    try:
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all; the answer says why
            connection.request(method, target.url if proxy else target.path, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        content = response.read(MAX_ANSWER)
        if response.length:  # read(n) takes an early end for the end
            raise http.client.IncompleteRead(content, response.length)
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(method, peer, error) from None
    finally:
        connection.close()
    origin = response.getheader("X-Mmsproxy-Origin") or "carrier"
    return HttpAnswer(response.status, response.getheader("Content-Type") or "", origin, content, time.monotonic() - started)


def _no_answer(method: str, peer: Target, error: Exception) -> NoAnswer:
    why = str(error) or type(error).__name__
    if method == "GET":
        return NoAnswer(f"{peer.authority} gave no answer ({why})", cure="look at the gateway's log")
    return NoAnswer(
        f"{peer.authority} took the message but gave no answer ({why}); it may have been sent",
        cure="look at the gateway's log before sending it again",
    )


def _connected(peer: Target) -> http.client.HTTPConnection:
    connection: http.client.HTTPConnection
    if peer.scheme == "https":
        connection = http.client.HTTPSConnection(peer.host, peer.port, timeout=CONNECT_SECONDS, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(peer.host, peer.port, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
    except OSError as error:
        raise Unreachable(
            f"cannot reach the gateway at {peer.authority}: {error.strerror or error}",
            cure="start it with `mmsproxy serve`, or name it by --gateway",
        ) from None
    return connection

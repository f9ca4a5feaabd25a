"""Requests to real servers on loopback: what is brought back, what is refused, and that nothing is connected to that was not judged."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from mmsproxy.web.outside import (
    MAX_RETRY_AFTER,
    BadUrl,
    Forbidden,
    MediaFetchFailed,
    MediaSource,
    Outside,
    OutsideError,
    _said,
    checked_url,
    retry_after,
)

GUARD = 20.0  # seconds; a hang guard
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class Server:
    """Answers every connection with the same octets and keeps what it was asked."""

    answer: bytes = b""
    hold: bool = False
    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
        self.asked.append(head + await reader.readexactly(length))
        try:
            writer.write(self.answer)
            await writer.drain()
            if self.hold:
                await self.end.wait()
        except ConnectionError:
            self.asked.append(b"hung up")
        finally:
            writer.close()

    def url(self, host: str = "127.0.0.1", path: str = "/snap.jpg") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    one = Server()
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = listening.sockets[0].getsockname()[1]
    yield one
    one.end.set()
    listening.close()
    await listening.wait_closed()


def http(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


def names(**known: Sequence[str]) -> Callable[[str, int], object]:
    """A resolver: each name's addresses, once; the second look brings another world, as a name that rebinds does."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return known.pop(host.split(".")[0])

    return resolve


async def test_a_file(server: Server) -> None:
    server.answer = http(b"\xff\xd8\xff", "Content-Type: image/jpeg; q=1", "Content-Length: 3")
    found = await Outside(True).get(server.url(), limit=3, timeout=GUARD)
    assert (found.content_type, found.data) == ("image/jpeg", b"\xff\xd8\xff")
    asked = server.asked[0].decode().lower()
    assert "accept-encoding: identity" in asked
    assert "user-agent: mmsproxy/" in asked
    assert "cookie" not in asked


async def test_a_file_without_a_type(server: Server) -> None:
    server.answer = http(b"x", "Content-Length: 1")
    assert (await Outside(True).get(server.url(), limit=9, timeout=GUARD)).content_type == ""


async def test_another_status(server: Server) -> None:
    server.answer = http(b"", status="404 Not Found")
    with pytest.raises(OutsideError, match=r"^127\.0\.0\.1 answered 404$"):
        await Outside(True).get(server.url(path="/secret"), limit=9, timeout=GUARD)


@pytest.mark.parametrize("how", ["announced", "chunked", "until the end"])
async def test_too_large(server: Server, how: str) -> None:
    body = b"x" * 1_000_000
    server.answer = {
        "announced": http(body, f"Content-Length: {len(body)}"),
        "chunked": http(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        "until the end": http(body),
    }[how]
    with pytest.raises(OutsideError, match=r"larger than 1,000 octets"):
        await Outside(True).get(server.url(), limit=1000, timeout=GUARD)


async def test_no_redirects(server: Server) -> None:
    server.answer = http(b"", "Location: http://127.0.0.1/other", "Content-Length: 0", status="302 Found")
    with pytest.raises(OutsideError, match="redirects are not followed"):
        await Outside(True).get(server.url(), limit=9, timeout=GUARD)
    assert (await Outside(True).post(server.url(), b"x", {}, timeout=GUARD)).status == 302
    assert len(server.asked) == 2


async def test_a_bomb_is_not_unpacked(server: Server) -> None:
    bomb = gzip.compress(b"\0" * 1_000_000)
    server.answer = http(bomb, "Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
    with pytest.raises(OutsideError, match="Content-Encoding"):
        await Outside(True).get(server.url(), limit=10_000_000, timeout=GUARD)


async def test_a_server_that_does_not_end(server: Server) -> None:
    server.answer, server.hold = http(b"x", "Content-Length: 2"), True
    with pytest.raises(OutsideError, match=r"within 0\.2 s"):
        await Outside(True).get(server.url(), limit=9, timeout=0.2)


async def test_a_server_that_says_nothing(server: Server) -> None:
    server.hold = True
    with pytest.raises(OutsideError, match=r"within 0\.2 s"):
        await Outside(True).post(server.url(), b"x", {}, timeout=0.2)


async def test_a_name_that_is_never_found() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    with pytest.raises(OutsideError, match=r"within 0\.2 s"):
        await Outside(True, resolve).get("http://slow.example/", limit=9, timeout=0.2)


@pytest.mark.parametrize("said", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx", b"HTTP/1.1 99999 OK\r\n\r\n"])
async def test_what_is_no_http(server: Server, said: bytes) -> None:
    server.answer = said
    with pytest.raises(OutsideError, match=r"^127\.0\.0\.1: "):
        await Outside(True).get(server.url(), limit=9, timeout=GUARD)


async def test_no_tls() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(OutsideError, match="no TLS connection could be made"):
            await Outside(True, names(cam=["127.0.0.1"])).get(f"https://cam.example:{port}/", limit=9, timeout=GUARD)


def test_a_certificate_that_is_not_trusted() -> None:
    key = ConnectionKey("cam.example", 443, True, True, None, None, None)
    assert (
        _said(aiohttp.ClientConnectorCertificateError(key, ssl.SSLCertVerificationError("self-signed"))) == "its certificate is not trusted"
    )


async def test_nobody_listens(server: Server) -> None:
    dead = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = dead.sockets[0].getsockname()[1]
    dead.close()
    await dead.wait_closed()
    with pytest.raises(OutsideError, match="no connection"):
        await Outside(True).get(f"http://127.0.0.1:{port}/", limit=9, timeout=GUARD)


async def test_a_name_without_addresses() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(OutsideError, match=r"nowhere\.example"):
        await Outside(True, resolve).get("http://nowhere.example/", limit=9, timeout=GUARD)


async def test_the_judged_address_is_connected_to(server: Server) -> None:
    server.answer = http(b"x", "Content-Length: 1")
    outside = Outside(True, names(cam=["127.0.0.1"]))
    assert (await outside.get(server.url("cam.example"), limit=9, timeout=GUARD)).data == b"x"
    assert f"host: cam.example:{server.port}".encode() in server.asked[0].lower()


async def test_forbidden_addresses_of_a_name_are_left_out(server: Server) -> None:
    server.answer = http(b"x", "Content-Length: 1")
    outside = Outside(True, names(cam=["169.254.169.254", "127.0.0.1"]))
    assert (await outside.get(server.url("cam.example"), limit=9, timeout=GUARD)).data == b"x"


@pytest.mark.parametrize("host", ["cam.example", "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1"])
async def test_private_addresses_are_not_reached_by_any_spelling(server: Server, host: str) -> None:
    outside = Outside(False, names(**{name: ["127.0.0.1"] for name in ("cam", "127", "2130706433", "0x7f")}))
    with pytest.raises(OutsideError):
        await outside.get(server.url(host), limit=9, timeout=GUARD)
    with pytest.raises(OutsideError):
        await Outside(False).post(server.url("127.0.0.1"), b"x", {}, timeout=GUARD)
    assert server.asked == []


@pytest.mark.parametrize("addresses", [[], ["169.254.169.254"], ["224.0.0.1", "0.0.0.0"], ["::ffff:169.254.169.254"]])
async def test_a_name_that_leads_to_nothing_good(addresses: list[str]) -> None:
    with pytest.raises(Forbidden, match=r"cam\.example leads to"):
        await Outside(True, names(cam=addresses)).get("http://cam.example/", limit=9, timeout=GUARD)


def test_the_last_gate_judges_the_address_itself() -> None:
    with pytest.raises(OSError, match="loopback"):
        Outside(False)._socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    Outside(True)._socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))).close()


async def test_no_proxy_of_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answer = http(b"x", "Content-Length: 1")
    assert (await Outside(True).get(server.url(), limit=9, timeout=GUARD)).data == b"x"


async def test_post(server: Server) -> None:
    server.answer = http(b"", "Retry-After: 120", "Content-Length: 0", status="503 Unavailable")
    posted = await Outside(True).post(
        server.url(path="/hook?a=%20b"), b"body", {"Content-Type": "application/json", "X-A": "1"}, timeout=GUARD
    )
    assert (posted.status, posted.retry_after) == (503, 120.0)
    head, body = server.asked[0].split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST /hook?a=%20b HTTP/1.1\r\n")
    assert (b"X-A: 1" in head, body) == (True, b"body")


async def test_an_endless_answer_to_a_post_is_not_read(server: Server) -> None:
    server.answer, server.hold = http(b"x" * 5_000_000, "Transfer-Encoding: identity"), True
    assert (await Outside(True).post(server.url(), b"x", {}, timeout=GUARD)).status == 200


@pytest.mark.parametrize(
    "url",
    ["", "x", "/a", "ftp://a/", "file:///etc/passwd", "http://", "http:///a", "http://a b/", "http://a\r\nX: 1/", "http://a:99999/", "http://a:0/",
     "http://[::1", "http://a\\b/", "javascript:1", "http://a/" + "x" * 2048],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    with pytest.raises(BadUrl):
        checked_url(url)


def test_urls() -> None:
    assert str(checked_url("https://a.example/x?y=1#z")) == "https://a.example/x?y=1"
    with pytest.raises(BadUrl, match="password"):
        checked_url("http://u:p@a.example/")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        (" 30 ", 30.0),
        ("999999999999", MAX_RETRY_AFTER),
        ((NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 90.0),
        ((NOW - timedelta(days=9)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 0.0),
        ("Wed, 31 Feb 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


async def test_media_from_a_listed_host(server: Server) -> None:
    server.answer = http(b"x", "Content-Length: 1")
    assert await MediaSource(["127.0.0.1"], limit=9).file(server.url()) == ("", b"x")
    source = MediaSource(["*.lan"], names(cam=["127.0.0.1"]), limit=9)
    assert await source.file(server.url("cam.lan")) == ("", b"x")
    assert await MediaSource(["127.0.0.1"], limit=1).file(server.url()) == ("", b"x")
    with pytest.raises(MediaFetchFailed, match="larger than 0 octets"):
        await MediaSource(["127.0.0.1"], limit=0).file(server.url())


@pytest.mark.parametrize(
    ("hosts", "url", "why"),
    [
        ([], "http://cam.lan/x.jpg", r"media\.fetch"),
        (["*.lan"], "http://cam.example/x.jpg", "cam.example is not among"),
        (["*.lan"], "http://cam.lan@evil.example/x.jpg", "name and password"),
        (["*.lan"], "ftp://cam.lan/x.jpg", "http or https"),
        (["*.lan"], "http://cam.lan/x.jpg", "a metadata service"),
    ],
)
async def test_media_from_elsewhere(hosts: list[str], url: str, why: str) -> None:
    source = MediaSource(hosts, names(cam=["169.254.169.254"]), limit=9)
    with pytest.raises(MediaFetchFailed, match=why) as caught:
        await source.file(url)
    assert caught.value.code == "media_fetch_failed"

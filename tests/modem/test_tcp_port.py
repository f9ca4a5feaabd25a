"""A port on another box, over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mmsproxy.errors import LinkLost, PortError
from mmsproxy.modem import tcp_port
from mmsproxy.modem.tcp_port import TcpPort, is_tcp

HANG = 20.0


class Server:
    """A raw serial server with one client."""

    async def start(self) -> None:
        self.joined = asyncio.Event()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"socket://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.joined.set()

    async def stop(self) -> None:
        self.server.close()
        if self.joined.is_set():
            self.writer.close()


class Client:
    def __init__(self) -> None:
        self.got = bytearray()
        self.lost: list[LinkLost] = []
        self.news = asyncio.Event()

    def data(self, data: bytes) -> None:
        self.got += data
        self.news.set()

    def gone(self, error: LinkLost) -> None:
        self.lost.append(error)
        self.news.set()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(autouse=True)
async def no_hang() -> AsyncIterator[None]:
    async with asyncio.timeout(HANG):
        yield


async def opened(server: Server, client: Client) -> TcpPort:
    port = await TcpPort.open(server.url, client.data, client.gone)
    await server.joined.wait()
    return port


async def test_bytes_both_ways_unchanged(server: Server) -> None:
    client = Client()
    port = await opened(server, client)
    every = bytes(range(256)) * 400
    port.write(every)
    await port.drain()
    assert await server.reader.readexactly(len(every)) == every
    server.writer.write(every)
    while len(client.got) < len(every):
        client.news.clear()
        await client.news.wait()
    assert client.got == every
    await port.close()
    await port.close()
    port.write(b"into the void")
    assert client.lost == []


async def test_a_far_end_that_leaves_is_told_once(server: Server) -> None:
    client = Client()
    port = await opened(server, client)
    server.writer.close()
    await client.news.wait()
    assert [server.url in str(error) for error in client.lost] == [True]
    await port.drain()
    await port.close()
    assert len(client.lost) == 1


async def test_the_rate_is_the_far_ends(server: Server) -> None:
    port = await opened(server, Client())
    with pytest.raises(PortError, match="115200"):
        await port.set_baud(115200)
    await port.close()


@pytest.mark.parametrize(
    "url", ["socket://", "socket://host", "socket://host:0", "socket://host:65536", "socket://a b:1", "socket://h:1/x"]
)
async def test_what_is_no_address(url: str) -> None:
    assert is_tcp(url)
    with pytest.raises(PortError, match="HOST:PORT"):
        await TcpPort.open(url, lambda data: None, lambda error: None)


async def test_nobody_listens(server: Server) -> None:
    await server.stop()
    await server.server.wait_closed()
    with pytest.raises(PortError) as caught:
        await TcpPort.open(server.url, lambda data: None, lambda error: None)
    assert "raw mode" in caught.value.cure


async def test_no_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(tcp_port, "CONNECT_TIMEOUT", 0.01)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    with pytest.raises(PortError, match="no answer"):
        await TcpPort.open(server.url, lambda data: None, lambda error: None)


def test_other_ports_are_not_tcp() -> None:
    assert not any(is_tcp(spec) for spec in ("/dev/ttyUSB2", "auto", "usb:1e0e:9001", "rfc2217://h:1"))
    assert tcp_port._address("socket://[::1]:2001") == ("::1", 2001)

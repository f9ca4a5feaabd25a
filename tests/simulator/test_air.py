"""The network behind the modem: names, round trips, the window, the ends of a connection."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest

from mmsproxy.errors import ConfigError
from mmsproxy.simulator.air import Air, AirSocket, Hosts, Opened, is_literal
from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.faults import Faults
from mmsproxy.simulator.settings import ModemSettings
from mmsproxy.simulator.wire_ledger import Wire


class Carrier:
    """An asyncio server that keeps what it reads."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.writer: asyncio.StreamWriter | None = None
        self.slow = asyncio.Event()
        self.slow.set()
        self.ended = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                await self.slow.wait()
                self.heard += data
            self.ended = "fin"
        self.ended = self.ended or "rst"
        writer.close()


class Ear:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def data_came(self) -> None:
        self.told.append("data")

    def peer_closed(self, by: str) -> None:
        self.told.append(by)


@pytest.fixture
async def carrier() -> AsyncIterator[tuple[Carrier, int]]:
    carrier = Carrier()
    server = await asyncio.start_server(carrier.serve, "127.0.0.1", 0)
    async with server:
        yield carrier, server.sockets[0].getsockname()[1]
        if carrier.writer is not None:
            carrier.writer.close()


@pytest.fixture
async def connect(carrier: tuple[Carrier, int]) -> AsyncIterator[Callable[..., Awaitable[tuple[Air, AirSocket, Ear]]]]:
    with contextlib.closing(Clock()) as clock:
        airs: list[Air] = []

        async def make(**settings: object) -> tuple[Air, AirSocket, Ear]:
            hosts = Hosts({"mmsc": ("127.0.0.1", carrier[1])})
            airs.append(Air(ModemSettings(**settings), clock, Faults(), hosts, Wire(keep_bytes=True)))  # type: ignore[arg-type]
            opened, socket, _ = await airs[-1].connect("mmsc", 80, 5)
            assert opened is Opened.OK
            assert socket is not None
            socket.attach(ear := Ear())
            return airs[-1], socket, ear

        yield make
        for air in airs:
            air.drop("local")
        await asyncio.sleep(0)


async def reached(what: Callable[[], bool]) -> None:
    for _ in range(1000):
        if what():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come about")


def test_names_ports_and_addresses() -> None:
    hosts = Hosts({"MMSC.test": "127.0.0.1:1000", "two:80": "127.0.0.1:1001", "two:8080": "[::1]:1002", "10.0.0.9": "localhost:1003"})
    assert hosts.address("mmsc.TEST") == "100.64.0.1"
    assert hosts.target("100.64.0.1", 1) == ("127.0.0.1", 1000)
    two = hosts.address("two")
    assert two is not None
    assert [hosts.target(two, port) for port in (80, 8080, 81)] == [("127.0.0.1", 1001), ("::1", 1002), None]
    assert hosts.target("10.0.0.9", 5) == ("127.0.0.1", 1003)
    assert hosts.address("nobody") is None
    assert hosts.target("127.0.0.1", 1000) is None
    assert (is_literal("10.0.0.9"), is_literal("two")) == (True, False)
    with pytest.raises(ConfigError):
        Hosts({"": "127.0.0.1:1"})


async def test_a_connect_and_a_name_cost_a_round_trip_each(connect) -> None:
    start = time.monotonic()
    await connect(rtt=0.05)
    assert time.monotonic() - start >= 0.1


async def test_data_need_half_a_round_trip_and_the_acknowledgement_a_whole_one(connect, carrier) -> None:
    _, socket, _ = await connect(rtt=0.1)
    start = time.monotonic()
    assert socket.send(b"up") == 2
    assert (socket.sent, socket.acked, socket.free) == (2, 0, 8758)
    await reached(lambda: carrier[0].heard == b"up")
    assert time.monotonic() - start >= 0.05
    assert await socket.all_acked(5)
    assert time.monotonic() - start >= 0.1
    assert socket.acked == 2


async def test_the_window_is_finite_and_drains(connect, carrier) -> None:
    _, socket, _ = await connect(rtt=0.02, window=1000)
    assert [socket.send(bytes(600)), socket.send(bytes(600)), socket.send(b"x")] == [600, 400, 0]
    assert await socket.room(1000, 0.001) is False
    assert await socket.room(1000, 5) is True
    assert socket.send(bytes(1000)) == 1000
    await reached(lambda: len(carrier[0].heard) == 2000)


async def test_the_uplink_has_a_rate(connect) -> None:
    _, socket, _ = await connect(uplink=20_000)
    start = time.monotonic()
    socket.send(bytes(1000))
    socket.send(bytes(1000))
    assert await socket.all_acked(5)
    assert time.monotonic() - start >= 0.1


async def test_a_peer_that_does_not_read_stops_the_sender(connect, carrier) -> None:
    air, socket, _ = await connect(receive_buffer=1000)
    await reached(lambda: carrier[0].writer is not None)
    carrier[0].writer.write(bytes(2_000_000))
    await reached(lambda: len(socket.unread) >= 1000)
    await asyncio.sleep(0.05)
    buffered = len(socket.unread)
    assert buffered < 1_000_000
    total = 0
    while total < 2_000_000:
        total += len(socket.read(100_000))
        await asyncio.sleep(0)
    assert air.wire.connections[0].down_bytes == 2_000_000


async def test_nothing_is_acknowledged_while_the_carrier_takes_nothing(connect, carrier) -> None:
    _, socket, _ = await connect(window=50_000_000)
    carrier[0].slow.clear()
    socket.send(bytes(20_000_000))
    assert await socket.all_acked(0.05) is False
    carrier[0].slow.set()
    assert await socket.all_acked(5) is True


async def test_what_came_before_the_listener_is_told_too(carrier) -> None:
    with contextlib.closing(Clock()) as clock:
        air = Air(ModemSettings(), clock, Faults(), Hosts({"mmsc": ("127.0.0.1", carrier[1])}), Wire(keep_bytes=True))
        _, socket, address = await air.connect("mmsc", 80, 5)
        assert address == "100.64.0.1"
        await reached(lambda: carrier[0].writer is not None)
        carrier[0].writer.write(b"banner")
        carrier[0].writer.close()
        await reached(lambda: not socket.open)
        socket.attach(ear := Ear())
        assert (ear.told, socket.read(100)) == (["data", "peer"], b"banner")
        air.drop("local")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("end", "seen"), [("close", "fin"), ("abort", "rst")])
async def test_our_ends(connect, carrier, end: str, seen: str) -> None:
    _, socket, ear = await connect(rtt=0.02)
    socket.send(b"last words")
    if end == "close":
        socket.close()
    else:
        socket.abort("bearer")
    assert (socket.open, socket.send(b"more")) == (False, 0)
    await reached(lambda: carrier[0].ended == seen)
    assert carrier[0].heard == (b"last words" if end == "close" else b"")
    assert ear.told == []


async def test_a_fault_lets_so_many_bytes_leave(connect, carrier) -> None:
    air, socket, ear = await connect()
    air.faults.drop_after(3)
    socket.send(b"12345")
    await reached(lambda: ear.told == ["reset"])
    assert (bytes(air.wire.connections[0].up), air.wire.connections[0].ended) == (b"123", "fault")
    assert await socket.all_acked(5) is False


async def test_refused_and_unreachable(carrier) -> None:
    with contextlib.closing(Clock()) as clock:
        make = partial(Air, ModemSettings(), clock, Faults(), wire=Wire(keep_bytes=False))
        air = make(hosts=Hosts({"mmsc:80": ("127.0.0.1", carrier[1])}))
        results = [(await air.connect(host, port, 1))[0] for host, port in (("mmsc", 81), ("nobody", 80), ("192.0.2.1", 80))]
        assert results == [Opened.REFUSED, Opened.UNKNOWN_NAME, Opened.UNREACHABLE]
        assert list(air.wire.connections) == []

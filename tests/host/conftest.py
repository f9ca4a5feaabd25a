"""A name server of our own making, and three network namespaces: a host with two ways out, its carrier, and its LAN.

The name server lays its octets by hand, so that a mistake of our codec cannot hide. The carrier and the LAN have the same addresses, and
the host's better route leads to the LAN: whatever leaves by routing alone arrives at the wrong one.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from mmsproxy.simulator.mmsc import Mmsc

T = TypeVar("T")

A, CNAME, AAAA = 1, 5, 28
HANG = 20.0  # seconds; a guard, no measure
CLONE_NEWNET = 0x40000000
MMSC4, MMSC6 = "198.18.0.10", "fd77:9::10"
DNS4, DNS6 = "198.18.0.53", "fd77:9::53"


def octets(name: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".") if label) + b"\0"


def record(owner: str, kind: int, value: str, ttl: int = 60) -> bytes:
    data = octets(value) if kind == CNAME else ip_address(value).packed
    return octets(owner) + kind.to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data


def reply(
    query: bytes, *records: bytes, rcode: int = 0, flags: int = 0x8180, ident: int | None = None, question: bytes | None = None
) -> bytes:
    """An answer to the octets of `query`."""
    head = query[:2] if ident is None else ident.to_bytes(2, "big")
    asked = query[12:] if question is None else question
    return head + (flags | rcode).to_bytes(2, "big") + b"\0\1" + len(records).to_bytes(2, "big") + bytes(4) + asked + b"".join(records)


def asked(query: bytes) -> tuple[str, int]:
    """Name and type of a query's question."""
    labels, offset = [], 12
    while length := query[offset]:
        labels.append(query[offset + 1 : offset + 1 + length].decode())
        offset += 1 + length
    return ".".join(labels), int.from_bytes(query[offset + 1 : offset + 3], "big")


Answerer = Callable[[bytes, bool], list[bytes]]


@dataclass
class NameServer:
    """Answers from `zone` ((name, type) -> records; a name without any is NXDOMAIN), or as `answer(query, is_tcp)` says.

    seen  name, type, "udp" or "tcp", the sender's port of each query
    """

    zone: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    answer: Answerer | None = None
    seen: list[tuple[str, int, str, int]] = field(default_factory=list)
    queries: list[bytes] = field(default_factory=list)
    address: str = "127.0.0.1"
    port: int = 0
    has_tcp: bool = True
    _udp: Any = None
    _tcp: Any = None

    async def start(self) -> NameServer:
        """At `port`; 0: at any that is free for both."""
        while True:
            try:
                await self._listen()
            except OSError:
                self._udp.close()
                if self.port:
                    raise
            else:
                return self

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        server = self

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, sender: Any) -> None:
                for message in server.answers(data, is_tcp=False, sender=sender[1]):
                    self.transport.sendto(message, sender)

        self._udp, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=(self.address, self.port))
        port = self._udp.get_extra_info("sockname")[1]
        if self.has_tcp:
            self._tcp = await asyncio.start_server(self._serve, self.address, port)
        self.port = port

    def answers(self, query: bytes, *, is_tcp: bool, sender: int) -> list[bytes]:
        self.seen.append((*asked(query), "tcp" if is_tcp else "udp", sender))
        self.queries.append(query)
        if self.answer is not None:
            return self.answer(query, is_tcp)
        name, kind = asked(query)
        is_known = any(name.lower() == known for known, _ in self.zone)
        return [reply(query, *self.zone.get((name.lower(), kind), []), rcode=0 if is_known else 3)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        for message in self.answers(await reader.readexactly(length), is_tcp=True, sender=writer.get_extra_info("peername")[1]):
            writer.write(len(message).to_bytes(2, "big") + message)
        await writer.drain()
        writer.close()

    async def stop(self) -> None:
        self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        await asyncio.sleep(0)


class Place:
    """A thread inside a network namespace, with a loop in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name=name)
        self._thread.start()
        self._ready.wait(HANG)
        if self._fault is not None:
            self._thread.join()
            raise self._fault

    def _live(self) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}", "rb") as file:
                if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
        except OSError as error:
            self._fault = error
        self._ready.set()
        if self._fault is None:
            self._loop.run_forever()
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` in there; called from elsewhere."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(HANG)

    async def ask(self, work: Coroutine[Any, Any, T]) -> T:
        """The same from another place's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def leave(self) -> None:
        self.do(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HANG)


async def _end_tasks() -> None:
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True, timeout=HANG)


def batch(text: str) -> None:
    subprocess.run(("ip", "-batch", "-"), input=text, text=True, check=True, capture_output=True, timeout=HANG)


WAYS = """
link add wwan0 netns {near} type veth peer name c0 netns {far}
link add lan0 netns {near} type veth peer name l0 netns {lan}
"""
NEAR = """
link set lo up
link set wwan0 up
link set lan0 up
addr add 10.77.1.2/24 dev wwan0
addr add fd77:1::2/64 dev wwan0 nodad
addr add 10.77.2.2/24 dev lan0
addr add fd77:2::2/64 dev lan0 nodad
route add default via 10.77.2.1 dev lan0 metric 100
route add default via 10.77.1.1 dev wwan0 metric 700
route add default via fd77:2::1 dev lan0 metric 100
route add default via fd77:1::1 dev wwan0 metric 700
"""
OUTSIDE = """
link set lo up
link set {device} up
addr add 10.77.{net}.1/24 dev {device}
addr add fd77:{net}::1/64 dev {device} nodad
addr add 198.18.0.10/32 dev lo
addr add 198.18.0.53/32 dev lo
addr add fd77:9::10/128 dev lo nodad
addr add fd77:9::53/128 dev lo nodad
"""


class Network:
    """near: the gateway's; far: the carrier's; lan: the wrong one."""

    def __init__(self) -> None:
        tag = f"mmsproxy-{os.getpid()}"
        self.names = SimpleNamespace(near=f"{tag}-near", far=f"{tag}-far", lan=f"{tag}-lan")
        self.places: list[Place] = []

    def probe(self) -> None:
        """The first one; raises CalledProcessError or OSError where the kernel, a capability or iproute2 is wanting."""
        ip("netns", "add", self.names.near)

    def build(self) -> None:
        for name in list(vars(self.names).values())[1:]:
            ip("netns", "add", name)
        batch(WAYS.format(**vars(self.names)))
        for name, text in (("far", OUTSIDE.format(device="c0", net=1)), ("lan", OUTSIDE.format(device="l0", net=2)), ("near", NEAR)):
            subprocess.run(
                ("ip", "-n", getattr(self.names, name), "-batch", "-"), input=text, text=True, check=True, capture_output=True, timeout=HANG
            )
            self.places.append(Place(getattr(self.names, name)))
        self.far, self.lan, self.near = self.places

    async def ip(self, place: Place, words: str) -> None:
        await asyncio.to_thread(ip, "-n", place.name, *words.split())

    def clear(self) -> None:
        for place in reversed(self.places):
            place.leave()
        for name in vars(self.names).values():
            subprocess.run(("ip", "netns", "del", name), capture_output=True, timeout=HANG, check=False)


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    try:
        try:
            made.probe()
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', b'') or error}")
        made.build()
        yield made
    finally:
        made.clear()


@pytest.fixture
def dns_octets() -> SimpleNamespace:
    return SimpleNamespace(record=record, reply=reply, asked=asked, octets=octets, A=A, CNAME=CNAME, AAAA=AAAA)


@pytest.fixture
def name_server() -> type[NameServer]:
    return NameServer


class Outside:
    """What stands behind one way: the MMSC's address with an MMSC, the name servers' with one."""

    def __init__(self, place: Place, zone: dict[tuple[str, int], list[bytes]]) -> None:
        self.place = place
        self.mmsc = Mmsc()
        self.dns = NameServer(zone=zone, address=DNS4, port=53)
        self.dns6 = NameServer(zone=zone, address=DNS6, port=53)

    async def start(self) -> None:
        await self.mmsc.start("", 80)
        await self.dns.start()
        await self.dns6.start()

    async def stop(self) -> None:
        await self.mmsc.stop()
        await self.dns.stop()
        await self.dns6.stop()

    @property
    def is_untouched(self) -> bool:
        return not (self.mmsc.requests or self.dns.seen or self.dns6.seen)


@pytest.fixture
def world(network: Network) -> Iterator[SimpleNamespace]:
    """`mmsc` is a name without a dot and IPv4 only, `mmsc6.example` has both, `six.example` IPv6 only."""
    zone = {
        ("mmsc", A): [record("mmsc", A, MMSC4)],
        ("mmsc6.example", A): [record("mmsc6.example", A, MMSC4)],
        ("mmsc6.example", AAAA): [record("mmsc6.example", AAAA, MMSC6)],
        ("six.example", AAAA): [record("six.example", AAAA, MMSC6)],
    }
    far, lan = Outside(network.far, zone), Outside(network.lan, zone)
    for side in (far, lan):
        side.place.do(side.start())
    yield SimpleNamespace(network=network, near=network.near, far=far, lan=lan, ip=network.ip)
    for side in (far, lan):
        side.place.do(side.stop())

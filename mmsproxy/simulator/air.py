"""The mobile network behind the modem: names, TCP connections with a real round trip, a finite send window.

Law: knows TCP and time, nothing of AT. Only the hosts that were named can be reached, and only on loopback. Data need half a round trip
each way; what was sent is acknowledged a round trip later; until then it fills the window. Connections are real TCP ones.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Protocol

from mmsproxy.errors import ConfigError
from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.faults import Connect, Faults
from mmsproxy.simulator.settings import ModemSettings
from mmsproxy.simulator.wire_ledger import Wire, WireRecord

# RFC 6598 shared address space: what the simulated network's DNS answers, so that literals can be dialled too.
FIRST_ADDRESS = int(ipaddress.IPv4Address("100.64.0.1"))
OWN_ADDRESS = "10.64.3.17"
NAMESERVERS = ("10.64.0.2", "10.64.0.3")

Target = tuple[str, int]


class Opened(Enum):
    """How a connection attempt ended."""

    OK = auto()
    UNKNOWN_NAME = auto()
    REFUSED = auto()
    UNREACHABLE = auto()
    TIMED_OUT = auto()


class Hosts:
    """NAME or NAME:PORT -> a listener on loopback. Names are compared without case; each name has an address of its own."""

    def __init__(self, hosts: Mapping[str, str | Target]) -> None:
        self._targets = {name.lower(): _target(name, target) for name, target in hosts.items()}
        names = list(dict.fromkeys(_bare(name) for name in self._targets))
        self._addresses = {name: _address(name, index) for index, name in enumerate(names)}
        self._names = {address: name for name, address in self._addresses.items()}

    def address(self, name: str) -> str | None:
        """The IPv4 address of a name; None when the network's DNS does not know it."""
        return self._addresses.get(name.lower())

    def target(self, address: str, port: int) -> Target | None:
        name = self._names.get(address, "")
        return self._targets.get(f"{name}:{port}") or self._targets.get(name)

    def known(self, address: str) -> bool:
        return address in self._names


def _target(name: str, target: str | Target) -> Target:
    host, _, port = target.rpartition(":") if isinstance(target, str) else (target[0], "", str(target[1]))
    host = "127.0.0.1" if host == "localhost" else host
    try:
        good = ipaddress.ip_address(host.strip("[]")).is_loopback and 0 < int(port) < 65536
    except ValueError:
        good = False
    if not good or not _bare(name.lower()):
        raise ConfigError((f"host {name}={target} - must be NAME=ADDRESS:PORT with an address on loopback, e.g. mmsc=127.0.0.1:8080",))
    return host.strip("[]"), int(port)


def _bare(name: str) -> str:
    bare, colon, port = name.rpartition(":")
    return bare if colon and port.isdigit() else name


def _address(name: str, index: int) -> str:
    with suppress(ValueError):
        return str(ipaddress.IPv4Address(name))
    return str(ipaddress.IPv4Address(FIRST_ADDRESS + index))


def is_literal(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


class Listener(Protocol):
    """Who is told what happens on a connection, when the modem learns of it: half a round trip late."""

    def data_came(self) -> None: ...

    def peer_closed(self, by: str) -> None: ...


class AirSocket(asyncio.Protocol):
    """One TCP connection of the modem.

    sent, acked   bytes given to TCP, and those acknowledged by the peer's TCP
    received      bytes that came; `unread` is what the host has not read of them
    open          the peer has not closed and we have not: a send makes sense
    """

    def __init__(self, air: Air, record: WireRecord) -> None:
        self._air = air
        self._record = record
        self._transport: asyncio.Transport | None = None
        self._blocked = False
        self._ack_waits: list[int] = []
        self._acked_changed: asyncio.Future[None] | None = None
        self._uplink_free_at = 0.0
        self._dead = False  # aborted: nothing leaves or arrives any more
        self._ended_by = ""
        self._listener: Listener | None = None
        self.finished = False  # the transport is gone
        self.unread = bytearray()
        self.received = 0
        self.sent = 0
        self.acked = 0
        self.open = True

    def attach(self, listener: Listener) -> None:
        """From now on `listener` is told; of what came before too."""
        self._listener = listener
        if self.unread:
            listener.data_came()
        if self._ended_by:
            listener.peer_closed(self._ended_by)

    @property
    def free(self) -> int:
        return self._air.settings.window - (self.sent - self.acked)

    # up

    def send(self, data: bytes) -> int:
        """Takes what fits into the window; returns how many bytes."""
        if not self.open:
            return 0
        part = data[: max(self.free, 0)]
        if part:
            self.sent += len(part)
            self._uplink_free_at = max(self._air.clock.time(), self._uplink_free_at) + self._air.uplink_time(len(part))
            self._air.at(self._uplink_free_at + self._air.half, partial(self._leave, part))
        return len(part)

    async def room(self, count: int, timeout: float) -> bool:
        """Waits until `count` bytes fit into the window; False when they do not within `timeout` or the connection ended."""
        return await self._wait(lambda: self.free >= count, timeout)

    async def all_acked(self, timeout: float) -> bool:
        """Waits until all that was sent so far is acknowledged."""
        total = self.sent
        return await self._wait(lambda: self.acked >= total, timeout)

    async def _wait(self, reached: Callable[[], bool], timeout: float) -> bool:
        until = self._air.clock.time() + timeout
        while not reached() and self.open and self._air.clock.time() < until:
            self._acked_changed = asyncio.get_running_loop().create_future()
            timer = self._air.clock.call_at(until, self._announce)
            try:
                await self._acked_changed
            finally:
                timer.cancel()
        return reached()

    def _announce(self) -> None:
        if self._acked_changed is not None and not self._acked_changed.done():
            self._acked_changed.set_result(None)

    def _leave(self, data: bytes) -> None:
        if self._dead or self._transport is None or self._transport.is_closing():
            return
        cut = self._air.faults.on_uplink(len(data))
        part = data if cut is None else data[:cut]
        self._record.went_up(part)
        self._transport.write(part)
        if cut is not None:
            self._cut()
        elif self._blocked:
            self._ack_waits.append(len(data))
        else:
            self._air.at(self._air.clock.time() + self._air.half, partial(self._ack, len(data)))

    def _ack(self, count: int) -> None:
        if not self._dead:
            self.acked += count
            self._announce()

    def _cut(self) -> None:
        self._record.ended = self._record.ended or "fault"
        self._reset_transport()
        self._air.at(self._air.clock.time() + self._air.half, partial(self._peer_closed, "reset"))

    # down

    def read(self, limit: int) -> bytes:
        data = bytes(self.unread[:limit])
        del self.unread[:limit]
        if self._transport is not None and not self._transport.is_closing() and len(self.unread) < self._air.settings.receive_buffer:
            self._transport.resume_reading()
        return data

    def _arrive(self, data: bytes) -> None:
        if self._dead or self._ended_by == "local":
            return
        self._record.came_down(data)
        self.received += len(data)
        self.unread += data
        if self._transport is not None and len(self.unread) >= self._air.settings.receive_buffer:
            self._transport.pause_reading()
        if self._listener is not None:
            self._listener.data_came()

    def _peer_closed(self, by: str) -> None:
        """The modem learns of FIN or RST. What it has buffered stays readable; its own side closes too."""
        if not self.open:
            return
        self._end(by)
        if self._transport is not None:
            self._air.at(self._air.clock.time() + self._air.half, self._transport.close)
        if self._listener is not None:
            self._listener.peer_closed(by)

    # ends

    def close(self) -> None:
        """The host's own close: what is on its way still leaves, then FIN."""
        self._listener = None
        self._end("local")
        if self._transport is not None:
            self._air.at(max(self._uplink_free_at, self._air.clock.time()) + self._air.half, self._transport.close)

    def abort(self, by: str) -> None:
        """The bearer or the modem is gone: nothing more leaves or arrives, and nobody is told."""
        self._listener = None
        self._dead = True
        self._end(by)
        self._reset_transport()

    def _end(self, by: str) -> None:
        self.open = False
        self._ended_by = self._ended_by or by
        self._record.ended = self._record.ended or by
        self._announce()

    def _reset_transport(self) -> None:
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        self._air.at(self._air.clock.time() + self._air.half, partial(self._arrive, data))

    def eof_received(self) -> bool:
        self._air.at(self._air.clock.time() + self._air.half, partial(self._peer_closed, "peer"))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.finished = True
        by = "peer" if exc is None else "reset"
        self._air.at(self._air.clock.time() + self._air.half, partial(self._peer_closed, by))

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        waits, self._ack_waits = self._ack_waits, []
        self._air.at(self._air.clock.time() + self._air.half, partial(self._ack, sum(waits)))


class Air:
    """The network as one modem sees it."""

    def __init__(self, settings: ModemSettings, clock: Clock, faults: Faults, hosts: Hosts, wire: Wire) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = faults
        self.wire = wire
        self._hosts = hosts
        self._sockets: list[AirSocket] = []

    @property
    def half(self) -> float:
        return self.settings.rtt / 2

    def uplink_time(self, size: int) -> float:
        return size / self.settings.uplink if self.settings.uplink else 0.0

    def at(self, when: float, action: Callable[[], None]) -> None:
        """At once when there is no delay: an unpaced run must not wait for a timer."""
        if when <= self.clock.time():
            action()
        else:
            self.clock.call_at(when, action)

    async def resolve(self, host: str) -> str | None:
        """One round trip to the carrier's DNS; a literal is its own answer."""
        if is_literal(host):
            return host
        await self.clock.sleep(self.settings.rtt)
        return self._hosts.address(host)

    async def connect(self, host: str, port: int, timeout: float) -> tuple[Opened, AirSocket | None, str]:
        """(how it ended, the open socket, the address that was dialled)."""
        fault = self.faults.on_connect()
        if fault is Connect.NEVER_ANSWERS:
            await self.clock.sleep(timeout)
            return Opened.TIMED_OUT, None, ""
        address = None if fault is Connect.UNKNOWN_NAME else await self.resolve(host)
        if address is None:
            return Opened.UNKNOWN_NAME, None, ""
        await self.clock.sleep(self.half)
        target = None if fault is Connect.REFUSED else self._hosts.target(address, port)
        opened = await self._dial(host, port, target) if target else None
        await self.clock.sleep(self.half)
        if opened is None:
            return (Opened.REFUSED if self._hosts.known(address) else Opened.UNREACHABLE), None, address
        return Opened.OK, opened, address

    async def _dial(self, host: str, port: int, target: Target) -> AirSocket | None:
        def made() -> AirSocket:
            self._sockets = [each for each in self._sockets if not each.finished]
            self._sockets.append(AirSocket(self, self.wire.opened(host, port)))
            return self._sockets[-1]

        try:
            _, opened = await asyncio.get_running_loop().create_connection(made, *target)
        except OSError:
            return None
        return opened

    def drop(self, by: str) -> None:
        """All connections are gone at once."""
        for each in self._sockets:
            each.abort(by)
        self._sockets.clear()

"""The link through a network interface of this host, for modems that the system has connected (QMI, MBIM, ECM, RNDIS, PPP).

Rule 1: this link brings nothing up and takes nothing down; it uses the interface while it can be used, says what is missing while it
cannot, and goes on by itself when it can again. Rule 2: connections and DNS leave by this interface and by no other. Rule 3: a
connection whose interface or address is gone is ended at once: TCP alone would wait for a quarter of an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain, zip_longest

from mmsproxy.errors import BearerError, ConnectError, LinkError, LinkLost, MmsproxyError
from mmsproxy.events import Bus, LineLost, LineOnline
from mmsproxy.host import race
from mmsproxy.host.dns import Resolver
from mmsproxy.host.interface import HostSettings, Interface
from mmsproxy.host.netlink import Monitor, Snapshot
from mmsproxy.host.stream import HostStream, words
from mmsproxy.link import LinkState, LinkStatus, Stream, Tap

_log = logging.getLogger(__name__)

Address = IPv4Address | IPv6Address

DIALECT = "host"  # what stands in place of an AT dialect in facts and states
WATCH = 10.0  # seconds between two looks at the interface, should the kernel's news get lost
STAGGER = 0.5  # seconds until the next address is tried too: RFC 8305 5 advises 0.25, a cellular SYN alone may take 0.3 or more
CONNECT_LIMIT = 20.0  # seconds for all addresses; with DNS within the attempt's 30 (mm1.md 9)
MAX_ADDRESSES = 6  # of one name that are tried


class HostLink:
    """`link.Link` over the interface `settings.interface`. `name` is the line's name in facts and logs."""

    def __init__(self, name: str, settings: HostSettings, *, bus: Bus, tap: Tap | None = None) -> None:
        self._name = name
        self._bus = bus
        self._tap = tap
        self._interface = Interface(settings)
        self._resolver = Resolver(self._interface, tell=partial(self._note, "dns"))
        self._state = LinkState(LinkStatus.DOWN, "not started")
        self._is_up = False
        self._watcher: asyncio.Task[None] | None = None
        self._stream: HostStream | None = None
        self._stream_is_from: tuple[int, Address] | None = None  # index of the interface (its name may come back as another), own address
        self._turn = asyncio.Lock()  # one stream at a time, from the open until it is closed

    def __repr__(self) -> str:
        return f"<HostLink {self._name} {self._interface.name} {self._state} {self._stream}>"

    # link.Link

    @property
    def state(self) -> LinkState:
        return self._state

    async def start(self) -> None:
        if self._watcher is None:
            self._look()
            self._watcher = asyncio.create_task(self._watch(), name=f"watch {self._interface.name}")

    async def stop(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
        if self._stream is not None:
            self._stream.fail(LinkLost("the link was stopped"))
            await self._stream.close()
        self._is_up = False
        self._enter(LinkState(LinkStatus.DOWN, "stopped"))

    async def ready(self) -> None:
        if self._watcher is None:
            raise LinkError(f"{self._interface.name} is not in use: {self._state.reason}")
        if fault := self._look():
            raise fault

    async def open(self, host: str, port: int) -> Stream:
        await self._turn.acquire()
        try:
            await self.ready()
            index = self._interface.look().index
            connected = await self._connect(host, port)
        except BaseException:
            self._turn.release()
            raise
        self._stream_is_from = index, ip_address(connected.getsockname()[0])
        self._stream = stream = HostStream(connected, self._released)
        try:
            await self.ready()  # it was stopped or lost while it connected
        except LinkError:
            await stream.close()
            raise
        return stream

    # Connecting.

    async def _connect(self, host: str, port: int) -> socket.socket:
        addresses = await self._addresses(host)
        ways = (partial(self._connect_to, address, port) for address in addresses)
        try:
            connected = await race.first(ways, stagger=STAGGER, limit=CONNECT_LIMIT, discard=socket.socket.close)
        except race.AllFailed as error:
            self._resolver.forget(host)
            raise self._not_connected(host, port, addresses, error.faults) from error
        self._note(
            "port", f"connected to {_shown(connected.getpeername())} from {_shown(connected.getsockname())} by {self._interface.name}"
        )
        return connected

    async def _addresses(self, host: str) -> tuple[Address, ...]:
        """An address is taken as it is; a name is asked of the bearer's servers."""
        with contextlib.suppress(ValueError):
            return (ip_address(host),)
        found = await self._resolver.resolve(host, self._interface.families(self._interface.usable()))
        return in_turns(found)[:MAX_ADDRESSES]

    async def _connect_to(self, address: Address, port: int) -> socket.socket:
        loop = asyncio.get_running_loop()
        made = self._interface.open_socket(socket.SOCK_STREAM, address)
        try:
            await loop.sock_connect(made, self._interface.sockaddr(address, port))
        except OSError as error:
            made.close()
            raise self._refused(address, port, error) from error
        except BaseException:
            made.close()
            raise
        return made

    def _refused(self, address: Address, port: int, error: OSError) -> MmsproxyError:
        if error.errno in (errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL):
            name = self._interface.name
            return BearerError(f"{name} has no route to {address}: {words(error)}", cure=f"see `ip route show table all dev {name}`")
        return ConnectError(f"{address} port {port}: {words(error)}")

    def _not_connected(self, host: str, port: int, addresses: Sequence[Address], faults: Sequence[MmsproxyError]) -> MmsproxyError:
        """When it is the way each time, the carrier is not to blame."""
        if faults and len(faults) == len(addresses) and all(isinstance(fault, LinkError) for fault in faults):
            return faults[0]
        tried = ", ".join(map(str, addresses))
        said = "; ".join(fault.detail for fault in faults) or f"no answer within {CONNECT_LIMIT:g} s"
        return ConnectError(f"no connection to {host}:{port} ({tried}) by {self._interface.name}: {said}")

    def _released(self) -> None:
        self._stream, self._stream_is_from = None, None
        self._turn.release()

    # Watching.

    async def _watch(self) -> None:
        """Looks whenever the kernel says that something has changed, and now and then anyway."""
        while True:
            try:
                await self._watch_by(Monitor())
            except OSError as error:
                _log.warning("no news of interfaces: %s", error, extra={"line": self._name})
            except Exception:  # noqa: BLE001 - the supervisor: a bug must not leave the line blind
                _log.exception("watching %s failed", self._interface.name)
            self._look()
            await asyncio.sleep(WATCH)

    async def _watch_by(self, monitor: Monitor) -> None:
        news, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(monitor.fileno(), news.set)
        try:
            while True:
                self._look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), WATCH)
                monitor.drain()
                news.clear()
        finally:
            loop.remove_reader(monitor.fileno())
            monitor.close()

    def _look(self) -> LinkError | None:
        """What hinders the use of the interface now; the state says it too."""
        fault: LinkError | None
        try:
            snapshot = self._interface.look()
        except LinkError as error:
            fault = error
        else:
            self._check_stream(snapshot)
            fault = self._interface.fault(snapshot)
        self._gone(fault) if fault else self._there()
        return fault

    def _there(self) -> None:
        name = self._interface.name
        self._enter(LinkState(LinkStatus.BEARER_UP, "", name, DIALECT))
        if not self._is_up:
            self._is_up = True
            self._bus.announce(LineOnline(self._name, name, DIALECT))

    def _gone(self, fault: LinkError) -> None:
        self._resolver.forget()  # what comes back may be another network, with other answers
        self._enter(LinkState(LinkStatus.DOWN, str(fault), self._interface.name, DIALECT))
        if self._is_up:
            self._is_up = False
            self._bus.announce(LineLost(self._name, str(fault)))

    def _check_stream(self, snapshot: Snapshot) -> None:
        """A connection does not outlive the interface and the address that it was made from. It may outlive a moment without carrier."""
        if self._stream is None or self._stream_is_from is None:
            return
        index, own = self._stream_is_from
        if snapshot.index != index or not snapshot.is_up:
            self._stream.fail(LinkLost(f"{snapshot.name} has gone, with the connection that was made from it"))
        elif own not in snapshot.addresses and not own.is_link_local:
            self._stream.fail(LinkLost(f"{snapshot.name} has lost the address {own}, with the connection that was made from it"))

    def _enter(self, state: LinkState) -> None:
        if state != self._state:
            self._state = state
            self._note("state", f"{state.status.name.lower()}: {state.reason}" if state.reason else state.status.name.lower())

    def _note(self, kind: str, text: str) -> None:
        if self._tap is not None:
            self._tap.note(kind, text)


def in_turns(addresses: Sequence[Address]) -> tuple[Address, ...]:
    """IPv6 and IPv4 by turns, the family of the first one first (RFC 8305 4)."""
    first = [address for address in addresses if address.version == addresses[0].version]
    other = [address for address in addresses if address.version != addresses[0].version]
    pairs = zip_longest(first, other)
    return tuple(address for address in chain.from_iterable(pairs) if address is not None)


def _shown(sockaddr: tuple[str, int]) -> str:
    host, port = sockaddr[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

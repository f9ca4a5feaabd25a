"""A small DNS client that asks the bearer's own servers through the bearer, and remembers answers for as long as they say.

Rule 1: the system's resolver, its search list and its hosts file are never asked: many MMSC names exist only inside the carrier's
network. Rule 2: each query has an unguessable id and a socket, thus a port, of its own that takes datagrams of the asked server only
(RFC 5452). Rule 3: the next server is asked when the one before is silent for a while or says that it cannot tell; a name that
a server says is none is none. Rule 4: everything has an end: servers, tries, datagrams that are no answer, CNAMEs, seconds.
It knows no interface: it is given sockets that are bound already.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol

from mmsproxy.errors import ConnectError, LinkError, MmsproxyError
from mmsproxy.host import race
from mmsproxy.host.dns_message import MAX_CHAIN, Answer, BadMessage, Query, Rcode, Type, name_octets, read_answer

Address = IPv4Address | IPv6Address

PORT = 53
STAGGER = 2.0  # seconds of silence until the next server is asked too: a radio that has to wake up takes one or two
TRY_LIMIT = 6.0  # seconds one server is listened to
LIMIT = 12.0  # seconds for a name in all; what remains of the connection's 30 (mm1.md 9) is for TCP
ROUNDS = 3  # times that a silent server is asked
OTHER_FAMILY = 0.3  # seconds that IPv4 and IPv6 addresses wait for each other (RFC 8305 3 advises 0.05; cellular round trips are longer)
DATAGRAM_MAX = 4096  # octets read; an answer without EDNS has at most 512
STRAY_MAX = 32  # datagrams that are no answer to the query, after which a server is given up
CACHE_MAX = 64  # names

_TYPES = {4: Type.A, 6: Type.AAAA}
_RCODES = {int(code): code.name for code in Rcode}


class Sockets(Protocol):
    """Where sockets and servers come from (`interface.Interface`)."""

    def servers(self) -> tuple[Address, ...]: ...

    def open_socket(self, kind: int, destination: Address) -> socket.socket: ...

    def sockaddr(self, address: Address, port: int) -> tuple[Any, ...]: ...


class NoSuchName(ConnectError):
    """A server says that there is none."""


class ServerFailed(ConnectError):
    """One server gave no usable answer; the next one may."""


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: tuple[Address, ...]
    until: float


class Resolver:
    """Names to addresses. `tell` hears one line for each name that was asked for."""

    def __init__(self, sockets: Sockets, *, tell: Callable[[str], None]) -> None:
        self._sockets = sockets
        self._tell = tell
        self._cache: dict[tuple[str, tuple[int, ...]], _Known] = {}

    async def resolve(self, name: str, families: Sequence[int]) -> tuple[Address, ...]:
        """The addresses of `name`, of the families (4, 6) in that order. Raises ConnectError, and LinkError when none can be asked."""
        try:
            name_octets(name)
        except ValueError as error:
            raise ConnectError(str(error), cure="correct the MMSC or its proxy") from None
        name = name.lower().removesuffix(".")
        key, now = (name, tuple(families)), asyncio.get_running_loop().time()
        known = self._cache.get(key)
        if known is not None and now < known.until:
            return known.addresses
        answers = _good_ones(name, await self._ask_for_all(name, families))
        addresses = tuple(address for answer in answers for address in answer.addresses)
        seconds = min(answer.ttl for answer in answers)
        self._tell(f"{name} is {' '.join(map(str, addresses))} for {seconds} s")
        self._keep(key, _Known(addresses, now + seconds))
        return addresses

    def forget(self, name: str | None = None) -> None:
        """All, or one name: its addresses were of no use."""
        plain = name and name.lower().removesuffix(".")
        self._cache = {key: known for key, known in self._cache.items() if plain not in (None, key[0])}

    def _keep(self, key: tuple[str, tuple[int, ...]], known: _Known) -> None:
        """Also that there is no address of the other family, so that nobody waits for it again."""
        self._cache.pop(key, None)
        if len(self._cache) >= CACHE_MAX:
            del self._cache[next(iter(self._cache))]
        self._cache[key] = known

    async def _ask_for_all(self, name: str, families: Sequence[int]) -> Sequence[asyncio.Future[Answer]]:
        """One future for each family; cancelled where it took much longer than the other, which has addresses."""
        wanted = [asyncio.ensure_future(self._ask_until_address(name, _TYPES[family])) for family in families]
        running = set(wanted)
        try:
            while running:
                has_some = any(task.done() and not task.exception() and task.result().addresses for task in wanted)
                pause = OTHER_FAMILY if has_some else None
                done, running = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
        finally:
            for task in wanted:
                task.cancel()
            await asyncio.gather(*wanted, return_exceptions=True)
        return wanted

    async def _ask_until_address(self, name: str, kind: Type) -> Answer:
        """A server that is no recursive one may leave the end of a chain to be asked for."""
        try:
            async with asyncio.timeout(LIMIT):
                ttl: int | None = None
                target = name
                for _ in range(MAX_CHAIN):
                    answer = await self._ask(target, kind)
                    ttl = answer.ttl if ttl is None else min(ttl, answer.ttl)
                    if answer.addresses or answer.target in ("", target):
                        return Answer(answer.rcode, False, answer.addresses, answer.target, ttl)
                    target = answer.target
        except TimeoutError:
            raise ConnectError(f"no name server told the address of {name} within {LIMIT:g} s") from None
        raise ConnectError(f"{name} leads from alias to alias without end")

    async def _ask(self, name: str, kind: Type) -> Answer:
        servers = self._sockets.servers()
        useless: set[Address] = set()
        ways = (partial(self._ask_server, server, name, kind, useless) for server in servers * ROUNDS if server not in useless)
        try:
            return await race.first(ways, stagger=STAGGER, limit=LIMIT, discard=_nothing, final=(NoSuchName,))
        except race.AllFailed as error:
            raise _none_answered(name, servers, error.faults) from None

    async def _ask_server(self, server: Address, name: str, kind: Type, useless: set[Address]) -> Answer:
        """A server that answers but cannot tell is noted in `useless`: asking it again would be of no use, unlike a silent one."""
        try:
            query = Query(secrets.randbits(16), name, kind)
            async with asyncio.timeout(TRY_LIMIT):
                answer = await self._over_udp(server, query)
                if answer.is_truncated:
                    answer = await self._over_tcp(server, query)
        except TimeoutError:
            raise ServerFailed(f"{server} did not answer") from None
        except OSError as error:
            useless.add(server)
            raise ServerFailed(f"{server}: {os.strerror(error.errno) if error.errno else error}") from error
        except (ValueError, EOFError) as error:
            useless.add(server)
            raise ServerFailed(f"{server}: {error or 'its answer was cut'}") from error
        if answer.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            useless.add(server)
        return _checked(answer, server, name)

    async def _over_udp(self, server: Address, query: Query) -> Answer:
        """What is no answer to the query is passed over: it may be an attempt to answer before the server does."""
        loop = asyncio.get_running_loop()
        with self._sockets.open_socket(socket.SOCK_DGRAM, server) as asking:
            asking.connect(self._sockets.sockaddr(server, PORT))
            await loop.sock_sendall(asking, query.encode())
            for _ in range(STRAY_MAX):
                try:
                    return read_answer(await loop.sock_recv(asking, DATAGRAM_MAX), query)
                except BadMessage:
                    continue
        raise ServerFailed(f"{server} said nothing to the point in {STRAY_MAX} datagrams")

    async def _over_tcp(self, server: Address, query: Query) -> Answer:
        """RFC 7766 8: two octets of length in front."""
        loop = asyncio.get_running_loop()
        message = query.encode()
        with self._sockets.open_socket(socket.SOCK_STREAM, server) as asking:
            await loop.sock_connect(asking, self._sockets.sockaddr(server, PORT))
            await loop.sock_sendall(asking, len(message).to_bytes(2, "big") + message)
            length = int.from_bytes(await _exactly(asking, 2), "big")
            answer = read_answer(await _exactly(asking, length), query)
        if answer.is_truncated:
            raise ServerFailed(f"{server} cuts its answer over TCP too")
        return answer


def _good_ones(name: str, asked: Sequence[asyncio.Future[Answer]]) -> list[Answer]:
    """The answers that have addresses, at least one."""
    ended = [task for task in asked if not task.cancelled()]
    faults = [fault for task in ended if (fault := task.exception())]
    good = [task.result() for task in ended if not task.exception() and task.result().addresses]
    if not good and faults:
        raise min(faults, key=_weight)
    if not good:
        raise ConnectError(f"{name} has no address that can be reached from here", cure="see the IP type of the bearer")
    return good


def _checked(answer: Answer, server: Address, name: str) -> Answer:
    if answer.rcode == Rcode.NXDOMAIN:
        raise NoSuchName(
            f"no such name: {name} (says {server})", cure="check the MMSC's name, and that the bearer is that of the APN for MMS"
        )
    if answer.rcode != Rcode.NOERROR:
        raise ServerFailed(f"{server} answered {_RCODES.get(answer.rcode, answer.rcode)}")
    return answer


def _none_answered(name: str, servers: Sequence[Address], faults: Sequence[MmsproxyError]) -> MmsproxyError:
    """When no server could even be asked it is the way that is at fault, not the carrier."""
    if faults and all(isinstance(fault, LinkError) for fault in faults):
        return faults[0]
    asked = ", ".join(map(str, servers))
    said = next((f": {fault.detail}" for fault in faults), "")
    return ConnectError(f"no name server ({asked}) told the address of {name}{said}", cure="check host.dns, and that the bearer is up")


def _weight(fault: BaseException) -> int:
    """The fault that tells most: a name that is none, then what failed, then what is no fault of link or carrier (ours)."""
    return 0 if not isinstance(fault, MmsproxyError) else 1 if isinstance(fault, NoSuchName) else 2


async def _exactly(reading: socket.socket, count: int) -> bytes:
    """Raises EOFError."""
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        more = await loop.sock_recv(reading, count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _nothing(_: Answer) -> None:
    return

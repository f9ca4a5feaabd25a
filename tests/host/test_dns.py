"""The resolver against real name servers on loopback: whom it believes, whom it asks next, what it remembers, and when it gives up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from mmsproxy.errors import BearerError, ConnectError, LinkError
from mmsproxy.host import dns
from mmsproxy.host.dns import Resolver

Address = IPv4Address | IPv6Address
MMSC = ip_address("198.18.0.10")
Start = Callable[..., Awaitable[Any]]


class Sockets:
    """Loopback in place of an interface. Servers differ by address; all have one port."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.made: list[socket.socket] = []
        self.fault: LinkError | None = None

    def servers(self) -> tuple[Address, ...]:
        if not self.listed:
            raise BearerError("no name server is known")
        return tuple(ip_address(text) for text in self.listed)

    def open_socket(self, kind: int, destination: Address) -> socket.socket:
        if self.fault is not None:
            raise type(self.fault)(self.fault.detail)
        made = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        self.made.append(made)
        return made

    def sockaddr(self, address: Address, port: int) -> tuple[Any, ...]:
        return str(address), port


@pytest.fixture
async def case(name_server: Any, dns_octets: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimpleNamespace]:
    """`start(zone or answer)` begins a name server at the next address of 127.0.0.0/8; `told` is what the resolver said."""
    monkeypatch.setattr(dns, "OTHER_FAMILY", 0.05)
    sockets, started, told = Sockets(), [], list[str]()

    async def start(**how: Any) -> Any:
        number = len(started) + 1
        server = await name_server(address=f"127.0.0.{number}", port=started[0].port if started else 0, **how).start()
        started.append(server)
        monkeypatch.setattr(dns, "PORT", server.port)
        sockets.listed.append(server.address)
        return server

    yield SimpleNamespace(resolver=Resolver(sockets, tell=told.append), sockets=sockets, start=start, told=told, dns=dns_octets)
    for server in started:
        await server.stop()
    assert all(made.fileno() == -1 for made in sockets.made), "a socket was left open"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "STAGGER", 0.05)


def a(case: Any, name: str = "mmsc", *addresses: str, ttl: int = 60) -> dict[tuple[str, int], list[bytes]]:
    return {(name, case.dns.A): [case.dns.record(name, case.dns.A, address, ttl) for address in addresses or (str(MMSC),)]}


async def test_a_name_without_a_dot_as_it_is(case: Any) -> None:
    server = await case.start(zone=a(case))
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)
    assert [seen[:3] for seen in server.seen] == [("mmsc", 1, "udp")]
    assert case.told == ["mmsc is 198.18.0.10 for 60 s"]


async def test_both_families_in_the_order_asked_for(case: Any) -> None:
    zone = a(case) | {("mmsc", case.dns.AAAA): [case.dns.record("mmsc", case.dns.AAAA, "fd77::1", 30)]}
    await case.start(zone=zone)
    assert await case.resolver.resolve("mmsc", (6, 4)) == (ip_address("fd77::1"), MMSC)
    assert case.told == ["mmsc is fd77::1 198.18.0.10 for 30 s"]


async def test_each_query_has_an_id_and_a_port_of_its_own(case: Any) -> None:
    server = await case.start(zone=a(case, ttl=0))
    for _ in range(12):
        await case.resolver.resolve("mmsc", (4,))
    assert len({query[:2] for query in server.queries}) > 6
    assert len({seen[3] for seen in server.seen}) > 6


async def test_what_is_remembered_and_for_how_long(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await case.start(zone=a(case, ttl=300))
    loop, later = asyncio.get_running_loop(), [0.0]
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + later[0])
    for seconds, asked in ((0.0, 1), (299.0, 1), (301.0, 2), (302.0, 2)):
        later[0] = seconds
        assert await case.resolver.resolve("MMSC.", (4,)) == (MMSC,)
        assert len(server.seen) == asked, seconds


async def test_a_ttl_of_zero_is_not_kept(case: Any) -> None:
    server = await case.start(zone=a(case, ttl=0))
    for _ in range(2):
        await case.resolver.resolve("mmsc", (4,))
    assert len(server.seen) == 2


async def test_forgotten(case: Any) -> None:
    server = await case.start(zone=a(case) | a(case, "other"))
    for name in ("mmsc", "other"):
        await case.resolver.resolve(name, (4,))
    case.resolver.forget("MMSC")
    for name in ("mmsc", "other"):
        await case.resolver.resolve(name, (4,))
    assert [seen[0] for seen in server.seen] == ["mmsc", "other", "mmsc"]
    case.resolver.forget()
    await case.resolver.resolve("other", (4,))
    assert len(server.seen) == 4


async def test_the_memory_is_bounded(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "CACHE_MAX", 2)
    server = await case.start(zone=a(case, "a") | a(case, "b") | a(case, "c"))
    for name in "abcb":
        await case.resolver.resolve(name, (4,))
    assert len(server.seen) == 3
    await case.resolver.resolve("a", (4,))
    assert len(server.seen) == 4


async def test_no_such_name_ends_it(case: Any) -> None:
    await case.start(zone=a(case))
    second = await case.start(zone=a(case, "mmsx"))
    with pytest.raises(ConnectError, match=r"no such name: mmsx \(says 127\.0\.0\.1\); check the MMSC's name"):
        await case.resolver.resolve("mmsx", (4,))
    assert not second.seen


async def test_a_server_that_knows_no_ipv6_names_does_not_hide_the_address(case: Any) -> None:
    """RFC 4074 4.2: there are servers that say NXDOMAIN to AAAA of a name that has an A."""

    def answer(query: bytes, is_tcp: bool) -> list[bytes]:
        name, kind = case.dns.asked(query)
        return [case.dns.reply(query, case.dns.record(name, 1, str(MMSC)))] if kind == 1 else [case.dns.reply(query, rcode=3)]

    await case.start(answer=answer)
    assert await case.resolver.resolve("mmsc", (6, 4)) == (MMSC,)


async def test_a_family_that_is_not_answered_is_not_waited_for(case: Any) -> None:
    def answer(query: bytes, is_tcp: bool) -> list[bytes]:
        name, kind = case.dns.asked(query)
        return [case.dns.reply(query, case.dns.record(name, 1, str(MMSC)))] if kind == 1 else []

    server = await case.start(answer=answer)
    assert await case.resolver.resolve("mmsc", (6, 4)) == (MMSC,)
    assert await case.resolver.resolve("mmsc", (6, 4)) == (MMSC,)
    assert sorted(seen[1] for seen in server.seen) == [1, 28]


async def test_no_address_of_any_family(case: Any) -> None:
    await case.start(zone={("mmsc", 16): []})
    with pytest.raises(ConnectError, match="mmsc has no address that can be reached from here"):
        await case.resolver.resolve("mmsc", (6, 4))


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
async def test_the_next_server_is_asked(case: Any, rcode: int) -> None:
    first = await case.start(answer=lambda query, is_tcp: [case.dns.reply(query, rcode=rcode)])
    await case.start(zone=a(case))
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)
    assert len(first.seen) == 1


async def test_when_no_server_can_tell(case: Any) -> None:
    servers = [await case.start(answer=lambda query, is_tcp: [case.dns.reply(query, rcode=2)]) for _ in range(2)]
    with pytest.raises(
        ConnectError, match=r"no name server \(127.0.0.1, 127.0.0.2\) told the address of mmsc: 127.0.0.1 answered SERVFAIL; "
    ):
        await case.resolver.resolve("mmsc", (4,))
    assert [len(server.seen) for server in servers] == [1, 1]


async def test_silence(case: Any, impatient: None) -> None:
    silent = await case.start(answer=lambda query, is_tcp: [])
    second = await case.start(zone=a(case))
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)
    assert silent.seen
    assert second.seen


async def test_a_lost_datagram(case: Any, impatient: None) -> None:
    lost: list[bytes] = []

    def answer(query: bytes, is_tcp: bool) -> list[bytes]:
        lost.append(query)
        return [] if len(lost) < 3 else [case.dns.reply(query, case.dns.record("mmsc", 1, str(MMSC)))]

    await case.start(answer=answer)
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)


async def test_a_late_answer_counts_while_the_next_server_is_asked(case: Any, impatient: None) -> None:
    server = await case.start(answer=lambda query, is_tcp: [])
    silent = await case.start(answer=lambda query, is_tcp: [])
    asking = asyncio.ensure_future(case.resolver.resolve("mmsc", (4,)))
    while not silent.seen:
        await asyncio.sleep(0.01)
    late = case.dns.reply(server.queries[0], case.dns.record("mmsc", 1, str(MMSC)))
    server._udp.sendto(late, ("127.0.0.1", server.seen[0][3]))
    assert await asking == (MMSC,)


async def test_all_silent(case: Any, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "TRY_LIMIT", 0.1)
    server = await case.start(answer=lambda query, is_tcp: [])
    with pytest.raises(ConnectError, match=r"no name server .* told the address of mmsc: 127.0.0.1 did not answer"):
        await case.resolver.resolve("mmsc", (4,))
    assert len(server.seen) == dns.ROUNDS


async def test_a_limit_for_all_of_it(case: Any, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "LIMIT", 0.1)
    await case.start(answer=lambda query, is_tcp: [])
    with pytest.raises(ConnectError, match="told the address of mmsc"):
        await case.resolver.resolve("mmsc", (4,))


async def test_nobody_there(case: Any) -> None:
    server = await case.start(zone=a(case))
    await server.stop()
    with pytest.raises(ConnectError, match=r"127\.0\.0\.1: Connection refused"):
        await case.resolver.resolve("mmsc", (4,))


async def test_forged_answers_are_passed_over(case: Any) -> None:
    def answer(query: bytes, is_tcp: bool) -> list[bytes]:
        evil = case.dns.record("mmsc", 1, "6.6.6.6")
        other = case.dns.octets("mmse") + query[-4:]
        return [
            case.dns.reply(query, evil, ident=int.from_bytes(query[:2], "big") ^ 1),
            case.dns.reply(query, evil, question=other),
            case.dns.reply(query, evil, flags=0x0180),
            b"",
            b"\0" * 600,
            case.dns.reply(query, case.dns.record("evil", 1, "6.6.6.6"), case.dns.record("mmsc", 1, str(MMSC))),
        ]

    await case.start(answer=answer)
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)


async def test_another_sender_is_not_heard(case: Any) -> None:
    server = await case.start(answer=lambda query, is_tcp: [])
    asking = asyncio.ensure_future(case.resolver.resolve("mmsc", (4,)))
    while not server.seen:
        await asyncio.sleep(0.005)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as evil:
        evil.bind(("127.0.0.1", 0))
        evil.sendto(case.dns.reply(server.queries[0], case.dns.record("mmsc", 1, "6.6.6.6")), ("127.0.0.1", server.seen[0][3]))
    server._udp.sendto(case.dns.reply(server.queries[0], case.dns.record("mmsc", 1, str(MMSC))), ("127.0.0.1", server.seen[0][3]))
    assert await asking == (MMSC,)


async def test_a_flood_is_not_listened_to_for_ever(case: Any) -> None:
    await case.start(answer=lambda query, is_tcp: [b"no answer"] * 40)
    await case.start(zone=a(case))
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)


async def test_cut_answers_are_asked_for_over_tcp(case: Any) -> None:
    many = [f"10.0.1.{number}" for number in range(60)]

    def answer(query: bytes, is_tcp: bool) -> list[bytes]:
        records = [case.dns.record("mmsc", 1, address) for address in many]
        return [case.dns.reply(query, *records)] if is_tcp else [case.dns.reply(query, *records[:20], flags=0x8380)]

    server = await case.start(answer=answer)
    assert await case.resolver.resolve("mmsc", (4,)) == tuple(map(ip_address, many))
    assert [seen[2] for seen in server.seen] == ["udp", "tcp"]


CUT: dict[str, Callable[[Any, bytes], list[bytes]]] = {
    "nothing": lambda case, query: [],
    "cut over TCP too": lambda case, query: [case.dns.reply(query, flags=0x8380)],
    "another answer": lambda case, query: [case.dns.reply(query, ident=0 if query[:2] != b"\0\0" else 1)],
}


@pytest.mark.parametrize("over_tcp", CUT.values(), ids=CUT)
async def test_when_tcp_is_of_no_use_the_next_server_is_asked(case: Any, over_tcp: Callable[[Any, bytes], list[bytes]]) -> None:
    def answer(query: bytes, is_tcp: bool) -> list[bytes]:
        return over_tcp(case, query) if is_tcp else [case.dns.reply(query, flags=0x8380)]

    await case.start(answer=answer)
    await case.start(zone=a(case))
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)


async def test_no_tcp_at_all(case: Any) -> None:
    await case.start(answer=lambda query, is_tcp: [case.dns.reply(query, flags=0x8380)], has_tcp=False)
    with pytest.raises(ConnectError, match=r"127\.0\.0\.1: Connection refused"):
        await case.resolver.resolve("mmsc", (4,))


async def test_an_alias_whose_end_must_be_asked_for(case: Any) -> None:
    zone = {("mmsc", 1): [case.dns.record("mmsc", 5, "mms.example", 50)]} | a(case, "mms.example", ttl=70)
    server = await case.start(zone=zone)
    assert await case.resolver.resolve("mmsc", (4,)) == (MMSC,)
    assert [seen[0] for seen in server.seen] == ["mmsc", "mms.example"]
    assert case.told == ["mmsc is 198.18.0.10 for 50 s"]


async def test_aliases_without_end(case: Any) -> None:
    def answer(query: bytes, is_tcp: bool) -> list[bytes]:
        name, _ = case.dns.asked(query)
        return [case.dns.reply(query, case.dns.record(name, 5, f"x{name}"))]

    server = await case.start(answer=answer)
    with pytest.raises(ConnectError, match="mmsc leads from alias to alias without end"):
        await case.resolver.resolve("mmsc", (4,))
    assert len(server.seen) == dns.MAX_CHAIN


async def test_an_alias_that_is_no_host_name(case: Any) -> None:
    await case.start(zone={("mmsc", 1): [case.dns.record("mmsc", 5, "no host")]})
    with pytest.raises(ConnectError, match="'no host' is no host name"):
        await case.resolver.resolve("mmsc", (4,))


@pytest.mark.parametrize("name", ["", "a b", "m\u00e4mmsc", "a" * 64])
async def test_what_is_no_name_is_not_asked_for(case: Any, name: str) -> None:
    server = await case.start(zone={})
    with pytest.raises(ConnectError, match="is no host name; correct the MMSC or its proxy"):
        await case.resolver.resolve(name, (4,))
    assert not server.seen


async def test_no_server_is_known(case: Any) -> None:
    with pytest.raises(BearerError, match="no name server is known"):
        await case.resolver.resolve("mmsc", (4,))


async def test_no_socket_can_be_had(case: Any) -> None:
    await case.start(zone=a(case))
    case.sockets.fault = BearerError("wwan0 is switched off")
    with pytest.raises(BearerError, match="wwan0 is switched off"):
        await case.resolver.resolve("mmsc", (4,))


async def test_whoever_gives_up_leaves_no_socket(case: Any) -> None:
    server = await case.start(answer=lambda query, is_tcp: [])
    asking = asyncio.ensure_future(case.resolver.resolve("mmsc", (6, 4)))
    while len(server.seen) < 2:
        await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert all(made.fileno() == -1 for made in case.sockets.made)

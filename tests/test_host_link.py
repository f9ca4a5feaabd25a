"""The link over `lo`: its states, one stream at a time, stop at any moment, and what it says. Between namespaces: tests/host."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from mmsproxy import host_link
from mmsproxy.errors import BearerError, ConnectError, LinkError, LinkLost, PeerReset
from mmsproxy.events import Bus, Fact, LineLost, LineOnline
from mmsproxy.host import netlink
from mmsproxy.host.interface import HostSettings
from mmsproxy.host.netlink import Snapshot
from mmsproxy.host_link import HostLink, in_turns
from mmsproxy.link import Ledger, Link, LinkState, LinkStatus, Stream

LO = netlink.look("lo")


class Notes:
    """A tap."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def sent(self, data: bytes) -> None:
        raise AssertionError("there is no port")

    def received(self, data: bytes) -> None:
        raise AssertionError("there is no port")

    def note(self, kind: str, text: str) -> None:
        self.lines.append(f"{kind}: {text}")


class Echo:
    """Sends back what comes, at a port of loopback."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self, address: str = "127.0.0.1") -> Echo:
        self._server = await asyncio.start_server(self._serve, address, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(1000):
                writer.write(data)
        except ConnectionError:
            return

    async def stop(self) -> None:
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


class Names(asyncio.DatagramProtocol):
    """A name server that gives all names these IPv4 addresses, and no other; with none it is silent."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, query: bytes, sender: Any) -> None:
        self.asked.append(query)
        found = self.addresses if query.endswith(b"\0\1\0\1") else ()
        records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address) for address in found)
        if self.addresses:
            self.transport.sendto(query[:2] + b"\x81\x80\0\1" + bytes((0, len(found), 0, 0, 0, 0)) + query[12:] + records, sender)


Named = Callable[..., Awaitable[Names]]


@pytest.fixture
async def named(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Named]:
    servers: list[Names] = []

    async def start(*addresses: str) -> Names:
        loop = asyncio.get_running_loop()
        transport, names = await loop.create_datagram_endpoint(lambda: Names(*addresses), local_addr=("127.0.0.1", 0))
        monkeypatch.setattr("mmsproxy.host.dns.PORT", transport.get_extra_info("sockname")[1])
        servers.append(names)
        return names

    yield start
    for names in servers:
        names.transport.close()
    await asyncio.sleep(0)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = await Echo().start()
    yield made
    await made.stop()


@pytest.fixture
async def case(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimpleNamespace]:
    """`link` over `lo`, not started; `now(snapshot)` is what the kernel says of it from then on."""
    bus, facts, notes = Bus(), list[Fact](), Notes()
    bus.subscribe(facts.append)
    link = HostLink("mint", HostSettings("lo", dns=("127.0.0.1",)), bus=bus, tap=notes)
    yield SimpleNamespace(
        link=link, facts=facts, notes=notes, now=lambda snapshot: monkeypatch.setattr(netlink, "look", lambda name: snapshot)
    )
    await link.stop()


async def soon(work: Any) -> Any:
    return await asyncio.wait_for(work, 10)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.005)


def test_it_has_the_face_of_a_link() -> None:
    link: Link = HostLink("mint", HostSettings("lo"), bus=Bus())
    assert link.state == LinkState(LinkStatus.DOWN, "not started")


async def test_not_started(case: Any) -> None:
    with pytest.raises(LinkError, match="lo is not in use: not started"):
        await case.link.ready()
    with pytest.raises(LinkError, match="lo is not in use: not started"):
        await case.link.open("127.0.0.1", 80)


async def test_up_and_down(case: Any) -> None:
    await case.link.start()
    await case.link.start()
    assert case.link.state == LinkState(LinkStatus.BEARER_UP, "", "lo", "host")
    await case.link.ready()
    await case.link.stop()
    await case.link.stop()
    assert case.link.state == LinkState(LinkStatus.DOWN, "stopped")
    assert case.facts == [LineOnline("mint", "lo", "host")]
    assert case.notes.lines == ["state: bearer_up", "state: down: stopped"]


async def test_and_up_again(case: Any) -> None:
    for _ in range(2):
        await case.link.start()
        await case.link.ready()
        await case.link.stop()
    assert case.facts == [LineOnline("mint", "lo", "host")] * 2


async def test_what_is_missing_and_back(case: Any) -> None:
    case.now(Snapshot("lo"))
    await case.link.start()
    assert case.link.state.status is LinkStatus.DOWN
    assert case.link.state.reason.startswith("there is no network interface lo; plug the modem in")
    assert not case.facts
    case.now(LO)
    await case.link.ready()  # looks for itself
    assert case.link.state.status is LinkStatus.BEARER_UP
    case.now(Snapshot("lo", LO.index, True, True))
    with pytest.raises(BearerError, match="lo has no IP address"):
        await case.link.ready()
    assert [type(fact) for fact in case.facts] == [LineOnline, LineLost]
    assert case.facts[-1] == LineLost("mint", case.link.state.reason)


async def test_looks_now_and_then_without_any_news(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_link, "WATCH", 0.01)
    await case.link.start()
    for snapshot, status in ((Snapshot("lo", LO.index), LinkStatus.DOWN), (LO, LinkStatus.BEARER_UP)):
        case.now(snapshot)
        await until(lambda status=status: case.link.state.status is status)


async def test_without_news_from_the_kernel_it_looks_all_the_same(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise PermissionError(errno.EPERM, "no netlink")

    monkeypatch.setattr(host_link, "WATCH", 0.01)
    monkeypatch.setattr(host_link, "Monitor", none)
    await case.link.start()
    case.now(Snapshot("lo"))
    await until(lambda: case.link.state.status is LinkStatus.DOWN)


async def test_a_fault_of_ours_does_not_end_the_watch(case: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Monitor(netlink.Monitor):
        def drain(self) -> None:
            raise ZeroDivisionError

    monkeypatch.setattr(host_link, "WATCH", 0.01)
    monkeypatch.setattr(host_link, "Monitor", Monitor)
    await case.link.start()
    await until(lambda: caplog.text.count("watching lo failed") >= 2)
    case.now(Snapshot("lo"))
    await until(lambda: case.link.state.status is LinkStatus.DOWN)


async def test_the_kernel_does_not_tell(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Snapshot:
        raise PermissionError(errno.EPERM, "no netlink")

    monkeypatch.setattr(netlink, "look", refuse)
    await case.link.start()
    assert case.link.state.reason == "the kernel does not tell about lo: [Errno 1] no netlink; let the gateway use netlink sockets"


async def test_there_and_back(case: Any, echo: Echo) -> None:
    await case.link.start()
    stream: Stream = await case.link.open("127.0.0.1", echo.port)
    await stream.send(b"hello")
    assert await soon(stream.recv()) == b"hello"
    await soon(stream.acknowledged())
    assert stream.ledger == Ledger(5, 5, 5, 5)
    await stream.close()
    assert any(line.startswith(f"port: connected to 127.0.0.1:{echo.port} from 127.0.0.1:") for line in case.notes.lines)


async def test_one_stream_at_a_time(case: Any, echo: Echo) -> None:
    await case.link.start()
    first = await case.link.open("127.0.0.1", echo.port)
    opening = asyncio.ensure_future(case.link.open("127.0.0.1", echo.port))
    await asyncio.sleep(0.02)
    assert not opening.done()
    await first.close()
    await (await soon(opening)).close()


async def test_a_failed_open_leaves_the_turn_to_the_next(case: Any, echo: Echo) -> None:
    await case.link.start()
    with pytest.raises(ConnectError, match=r"no connection to 127\.0\.0\.1:1 \(127\.0\.0\.1\) by lo: 127.0.0.1 port 1: Connection refused"):
        await case.link.open("127.0.0.1", 1)
    await (await soon(case.link.open("127.0.0.1", echo.port))).close()


async def test_an_open_that_was_given_up_leaves_the_turn_to_the_next(case: Any, echo: Echo, named: Named) -> None:
    silent = await named()
    await case.link.start()
    opening = asyncio.ensure_future(case.link.open("mmsc", 80))
    await until(lambda: bool(silent.asked))
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await (await soon(case.link.open("127.0.0.1", echo.port))).close()


async def test_stopped_with_a_stream_open(case: Any, echo: Echo) -> None:
    await case.link.start()
    stream = await case.link.open("127.0.0.1", echo.port)
    waiting = asyncio.ensure_future(stream.recv())
    await asyncio.sleep(0.01)
    await case.link.stop()
    assert await asyncio.gather(waiting, return_exceptions=True) == [b""]
    with pytest.raises(LinkError):
        await stream.send(b"x")
    await stream.close()
    await case.link.start()
    await (await soon(case.link.open("127.0.0.1", echo.port))).close()


async def test_stopped_while_it_connects(case: Any, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()
    real = HostLink._connect

    async def slow(link: HostLink, host: str, port: int) -> socket.socket:
        await gate.wait()
        return await real(link, host, port)

    monkeypatch.setattr(HostLink, "_connect", slow)
    await case.link.start()
    opening = asyncio.ensure_future(case.link.open("127.0.0.1", echo.port))
    await asyncio.sleep(0.01)
    await case.link.stop()
    gate.set()
    with pytest.raises(LinkError, match="not in use: stopped"):
        await soon(opening)
    assert case.link._stream is None


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (Snapshot("lo"), "lo has gone, with the connection"),
        (Snapshot("lo", LO.index + 100, True, True, LO.addresses), "lo has gone, with the connection"),
        (Snapshot("lo", LO.index, False, False, LO.addresses), "lo has gone, with the connection"),
        (Snapshot("lo", LO.index, True, True, (ip_address("127.0.0.9"),)), "lo has lost the address 127.0.0.1"),
    ],
)
async def test_a_connection_ends_with_what_it_was_made_from(case: Any, echo: Echo, snapshot: Snapshot, text: str) -> None:
    await case.link.start()
    stream = await case.link.open("127.0.0.1", echo.port)
    waiting = asyncio.ensure_future(stream.recv())
    await asyncio.sleep(0.01)
    case.now(snapshot)
    await asyncio.gather(case.link.ready(), return_exceptions=True)
    with pytest.raises(LinkLost, match=text):
        await soon(waiting)
    await stream.close()


async def test_a_connection_outlives_a_moment_without_carrier(case: Any, echo: Echo) -> None:
    await case.link.start()
    stream = await case.link.open("127.0.0.1", echo.port)
    case.now(Snapshot("lo", LO.index, True, False, LO.addresses))
    with pytest.raises(BearerError, match="lo has no carrier"):
        await case.link.ready()
    case.now(LO)
    await case.link.ready()
    await stream.send(b"x")
    assert await soon(stream.recv()) == b"x"
    await stream.close()


async def test_names_are_asked_of_the_bearers_server(case: Any, echo: Echo, named: Named) -> None:
    """All addresses are tried; a name that led nowhere is asked for again."""
    server = await named("127.0.0.9", "127.0.0.1")
    await case.link.start()
    for _ in range(2):
        await (await case.link.open("mmsc", echo.port)).close()
    assert "dns: mmsc is 127.0.0.9 127.0.0.1 for 60 s" in case.notes.lines
    assert len(server.asked) == len({address.version for address in LO.addresses})  # one question for each family, and no second
    with pytest.raises(ConnectError, match=r"no connection to mmsc:1 \(127\.0\.0\.9, 127\.0\.0\.1\) by lo: .*refused; .*refused"):
        await case.link.open("mmsc", 1)
    asked = len(server.asked)
    await (await case.link.open("mmsc", echo.port)).close()
    assert len(server.asked) > asked


async def test_without_a_name_server_only_addresses_can_be_reached(echo: Echo) -> None:
    link = HostLink("mint", HostSettings("lo"), bus=Bus())
    await link.start()
    with pytest.raises(BearerError, match=r"no name server of lo is known; set host\.dns"):
        await link.open("mmsc", 80)
    await (await link.open("127.0.0.1", echo.port)).close()
    await link.stop()


async def test_no_answer_at_all(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that takes no connection more."""
    monkeypatch.setattr(host_link, "CONNECT_LIMIT", 0.1)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    full = []
    for _ in range(4):
        full.append(socket.socket())
        full[-1].setblocking(False)
        full[-1].connect_ex(listener.getsockname())
    await case.link.start()
    with pytest.raises(ConnectError, match=r"by lo: no answer within 0\.1 s"):
        await case.link.open("127.0.0.1", listener.getsockname()[1])
    for one in (listener, *full):
        one.close()


async def test_the_far_end_resets(case: Any, echo: Echo) -> None:
    await case.link.start()
    stream = await case.link.open("127.0.0.1", echo.port)
    await stream.send(b"x")
    await soon(stream.recv())
    echo.writers[0].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    echo.writers[0].transport.abort()
    with pytest.raises(PeerReset):
        await soon(stream.recv())
    await stream.close()


def addresses(*texts: str) -> tuple[IPv4Address | IPv6Address, ...]:
    return tuple(map(ip_address, texts))


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ((), ()),
        (("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.2")),
        (("fd::1", "fd::2", "fd::3", "10.0.0.1"), ("fd::1", "10.0.0.1", "fd::2", "fd::3")),
        (("10.0.0.1", "fd::1", "fd::2"), ("10.0.0.1", "fd::1", "fd::2")),
    ],
)
def test_in_turns(given: tuple[str, ...], order: tuple[str, ...]) -> None:
    assert in_turns(addresses(*given)) == addresses(*order)


async def test_repr(case: Any) -> None:
    assert repr(case.link).startswith("<HostLink mint lo LinkState(")

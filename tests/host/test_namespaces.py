"""A whole line over an interface, between network namespaces: a message goes out by the right way, and what happens when that is lost.

Everything here exists twice, at the carrier and at the LAN, under the same addresses; the better route leads to the LAN.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Attempt, Outcome
from mmsproxy.carrier.exchange import Limits
from mmsproxy.carrier.line import Line
from mmsproxy.config import LineConfig
from mmsproxy.errors import BearerError, ConnectError, LinkLost, PortError
from mmsproxy.events import Bus, Fact, LineLost, LineOnline
from mmsproxy.host.interface import HostSettings
from mmsproxy.host_link import HostLink
from mmsproxy.link import LinkStatus, Phase
from mmsproxy.simulator.mmsc import Answer, confirmation

pytestmark = pytest.mark.needs_root

MMSC4, MMSC6 = "198.18.0.10", "fd77:9::10"
DNS4, DNS6 = "198.18.0.53", "fd77:9::53"
HEAD = b"\x8c\x80\x98T1\0\x8d\x92\x89\x01\x81\x97+15550100001/TYPE=PLMN\0\x84\x83"
PDU = HEAD + b"hello"
LARGE = HEAD + bytes(range(256)) * 4096
CONF = confirmation(0x81, b"T1", 0x80, message_id=b"m-1@mmsc", text=b"as the carrier wrote it \xe2\x82\xac")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.carrier.line.RETRY_PAUSES", (0.01, 0.02))


@asynccontextmanager
async def line(mmsc: str = "http://mmsc/mms/wapenc", **settings: Any) -> AsyncIterator[SimpleNamespace]:
    """A line over wwan0, in the loop of the place it is used in."""
    bus, facts = Bus(), list[Fact]()
    bus.subscribe(facts.append)
    link = HostLink("mint", HostSettings("wwan0", **{"dns": (DNS4,), **settings}), bus=bus)
    config = LineConfig.model_validate({"name": "mint", "min_interval": 0, "carrier": {"apn": "mms", "mmsc": mmsc}})
    made = Line(config, link, bus=bus, limits=Limits(stall=10, answer=10))
    await made.start()
    try:
        yield SimpleNamespace(line=made, link=link, facts=facts)
    finally:
        await made.stop(0)


async def post(mmsc: str = "http://mmsc/mms/wapenc", pdu: bytes = PDU, **settings: Any) -> Attempt:
    async with line(mmsc, **settings) as case:
        return await case.line.post(pdu, transaction_id="T1")


def bodies(side: Any) -> list[bytes]:
    return [request.body for request in side.mmsc.requests]


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.01)


def test_the_bytes_go_and_come_unchanged_by_the_interface_and_not_by_the_better_route(world: Any) -> None:
    world.far.mmsc.hook = lambda request: Answer(body=CONF)
    attempt = world.near.do(post(pdu=LARGE))
    assert (attempt.outcome, attempt.phase, attempt.message_id) == (Outcome.SENT, Phase.ANSWER_WHOLE, "m-1@mmsc")
    assert attempt.answer.body == CONF
    assert bodies(world.far) == [LARGE]
    assert ("mmsc", 1, "udp") in [seen[:3] for seen in world.far.dns.seen]
    assert world.lan.is_untouched


def test_without_binding_it_would_have_gone_to_the_lan(world: Any) -> None:
    """The trap of all the tests here is set."""

    async def plain() -> None:
        _, writer = await asyncio.open_connection(MMSC4, 80)
        writer.write(b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
        await until(lambda: bool(world.lan.mmsc.requests))
        writer.close()
        await writer.wait_closed()

    world.near.do(plain())
    assert not world.far.mmsc.requests


@pytest.mark.parametrize(
    ("mmsc", "settings"),
    [
        (f"http://{MMSC4}/", {"dns": ()}),
        (f"http://[{MMSC6}]/", {"dns": ()}),
        ("http://six.example/", {}),
        ("http://six.example/", {"dns": (DNS6,)}),
        ("http://mmsc6.example/", {"dns": ("10.77.1.99", DNS6)}),
        ("http://mmsc/", {"source": "10.77.1.2"}),
    ],
)
def test_literals_both_families_and_a_name_server_that_is_silent(world: Any, mmsc: str, settings: dict[str, Any], monkeypatch: Any) -> None:
    monkeypatch.setattr("mmsproxy.host.dns.STAGGER", 0.1)
    attempt = world.near.do(post(mmsc, **settings))
    assert attempt.outcome is Outcome.SENT, attempt
    assert bodies(world.far) == [PDU]
    assert world.lan.is_untouched


def test_ipv4_is_tried_when_ipv6_leads_nowhere(world: Any) -> None:
    async def scenario() -> Attempt:
        await world.ip(world.network.far, f"addr del {MMSC6}/128 dev lo")
        return await post("http://mmsc6.example/")

    assert world.near.do(scenario()).outcome is Outcome.SENT
    assert bodies(world.far) == [PDU]
    assert world.lan.is_untouched


def test_a_name_that_is_none(world: Any) -> None:
    attempt = world.near.do(post("http://nowhere/"))
    assert (attempt.outcome, attempt.code, attempt.phase) == (Outcome.NOT_SENT, "connect_failed", Phase.NO_BEARER)
    assert "no such name: nowhere" in attempt.detail
    assert world.lan.is_untouched


class Stubborn:
    """An MMSC that reads nothing of the first request, and answers all further ones. Runs at port 8080 of its place."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.bodies: list[bytes] = []

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, MMSC4, 8080, limit=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        if len(self.writers) == 1:
            return
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
        self.bodies.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.wap.mms-message\r\nContent-Length: %d\r\n\r\n" % len(CONF) + CONF)
        await writer.drain()

    async def stop(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture
def stubborn(world: Any) -> Iterator[Stubborn]:
    made = Stubborn()
    world.far.place.do(made.start())
    yield made
    world.far.place.do(made.stop())


LOSSES = [
    (("link set wwan0 down",), ("link set wwan0 up", "route add default via 10.77.1.1 dev wwan0 metric 700")),
    (("addr del 10.77.1.2/24 dev wwan0",), ("addr add 10.77.1.2/24 dev wwan0", "route add default via 10.77.1.1 dev wwan0 metric 700")),
    (
        ("link set wwan0 name gone0 down",),  # as when the modem is unplugged: there is none of that name
        ("link set gone0 name wwan0", "link set wwan0 up", "route add default via 10.77.1.1 dev wwan0 metric 700"),
    ),
]


@pytest.mark.parametrize(("lose", "restore"), LOSSES, ids=["switched off", "address lost", "unplugged"])
def test_lost_in_the_middle_of_the_body_and_back_again(world: Any, stubborn: Any, lose: tuple[str], restore: tuple[str]) -> None:
    async def scenario() -> None:
        async with line("http://mmsc:8080/") as case:
            phases: list[Phase] = []
            posting = asyncio.ensure_future(case.line.post(LARGE, on_phase=phases.append))
            await until(lambda: case.link._stream is not None and case.link._stream.ledger.accepted > 50_000)
            for words in lose:
                await world.ip(world.near, words)
            attempt = await posting
            assert (attempt.outcome, attempt.phase, attempt.code) == (Outcome.NOT_SENT, Phase.PART_OFFERED, "modem_lost"), attempt
            assert isinstance(attempt.error, LinkLost)
            assert max(phases) is Phase.PART_OFFERED
            assert 50_000 < attempt.bytes_offered < len(LARGE)
            for words in restore:
                await world.ip(world.near, words)
            await until(lambda: case.link.state.status is LinkStatus.BEARER_UP)
            again = await case.line.post(PDU)
            assert again.outcome is Outcome.SENT, again
            assert again.answer is not None
            assert again.answer.body == CONF
            kinds = [type(fact) for fact in case.facts if isinstance(fact, (LineOnline, LineLost))]
            stays_up = lose == LOSSES[1][0]  # it still has its IPv6 address
            assert kinds == ([LineOnline] if stays_up else [LineOnline, LineLost, LineOnline])

    world.near.do(scenario())
    assert stubborn.bodies == [PDU]
    assert world.lan.is_untouched


def test_lost_while_the_answer_is_due_is_unknown(world: Any) -> None:
    async def scenario() -> Attempt:
        async with line() as case:
            phases: list[Phase] = []
            posting = asyncio.ensure_future(case.line.post(PDU, on_phase=phases.append))
            await until(lambda: Phase.ALL_ACKED in phases)
            await world.ip(world.near, "link set wwan0 down")
            return await posting

    world.far.mmsc.hook = lambda request: Answer(body=CONF, seconds=15.0)
    attempt = world.near.do(scenario())
    assert (attempt.outcome, attempt.phase, attempt.code) == (Outcome.UNKNOWN, Phase.ALL_ACKED, "modem_lost")
    assert bodies(world.far) == [PDU]


def test_a_moment_without_carrier_does_not_end_a_connection(world: Any) -> None:
    """The radio was gone and is back: TCP goes on where it was."""

    async def scenario() -> tuple[Attempt, list[str]]:
        async with line() as case:
            phases: list[Phase] = []
            posting = asyncio.ensure_future(case.line.post(PDU, on_phase=phases.append))
            await until(lambda: Phase.ALL_ACKED in phases)
            await world.ip(world.network.far, "link set c0 down")
            await until(lambda: case.link.state.status is LinkStatus.DOWN)
            reason = case.link.state.reason
            with pytest.raises(BearerError, match="no carrier"):
                await case.link.ready()
            await world.ip(world.network.far, "link set c0 up")
            await until(lambda: case.link.state.status is LinkStatus.BEARER_UP)
            return await posting, reason

    world.far.mmsc.hook = lambda request: Answer(body=CONF, seconds=1.0)
    attempt, reason = world.near.do(scenario())
    assert "wwan0 has no carrier; connect the modem" in reason
    assert attempt.outcome is Outcome.SENT, attempt


def test_what_is_missing_is_said_with_its_cure(world: Any) -> None:
    async def scenario() -> list[str]:
        reasons = []
        for words in ("addr flush dev wwan0", "link set wwan0 down", "link set wwan0 name gone0"):
            await world.ip(world.near, words)
            async with line() as case:
                attempt = await case.line.post(PDU)
                assert (attempt.outcome, attempt.phase) == (Outcome.NOT_SENT, Phase.NO_BEARER)
                assert case.link.state.status is LinkStatus.DOWN
                reasons.append(f"{attempt.code}: {case.link.state.reason}")
        return reasons

    address, off, missing = world.near.do(scenario())
    assert address.startswith("pdp_failed: wwan0 has no IP address; connect the modem")
    assert off.startswith("pdp_failed: wwan0 is switched off; connect the modem")
    assert missing.startswith("port: there is no network interface wwan0; plug the modem in")


def test_without_the_right_to_bind_nothing_goes_out_by_the_wrong_way(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket with the right address alone is routed to the LAN here; only a rule for that address makes the interface usable."""

    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    async def scenario() -> tuple[Attempt, Attempt]:
        async with line(f"http://{MMSC4}/") as case:
            refused = await case.line.post(PDU)
            await world.ip(world.near, "route add default via 10.77.1.1 dev wwan0 table 7")
            await world.ip(world.near, "rule add from 10.77.1.2 lookup 7")
            return refused, await case.line.post(PDU)

    monkeypatch.setattr("mmsproxy.carrier.line.RETRY_PAUSES", ())
    monkeypatch.setattr("mmsproxy.host.interface.bind_to_device", forbidden)
    refused, sent = world.near.do(scenario())
    assert (refused.outcome, refused.code) == (Outcome.NOT_SENT, "pdp_failed")
    assert "would not leave by wwan0; give the gateway CAP_NET_RAW, or add `ip rule add from 10.77.1.2" in str(refused.error)
    assert sent.outcome is Outcome.SENT
    assert bodies(world.far) == [PDU]
    assert world.lan.is_untouched


def test_a_family_that_the_interface_does_not_have(world: Any) -> None:
    async def scenario() -> Attempt:
        await world.ip(world.near, "addr del 10.77.1.2/24 dev wwan0")
        async with line(f"http://{MMSC4}/") as case:
            with pytest.raises(BearerError, match=r"198\.18\.0\.10 is IPv4, and wwan0 has no such address"):
                await case.link.open(MMSC4, 80)
        return await post("http://six.example/", dns=(DNS6,))

    assert world.near.do(scenario()).outcome is Outcome.SENT


def test_no_route(world: Any) -> None:
    async def scenario() -> None:
        await world.ip(world.near, "route del default via fd77:1::1 dev wwan0")
        async with line() as case:
            with pytest.raises(BearerError, match=r"wwan0 has no route to fd77:9::10: .*see `ip route"):
                await case.link.open(MMSC6, 80)

    world.near.do(scenario())
    assert world.lan.is_untouched


def test_the_kernel_knows_what_was_acknowledged(world: Any) -> None:
    """SIOCOUTQ: with the way cut, what is written is accepted and not acknowledged."""

    async def scenario() -> None:
        async with line() as case:
            stream = await case.link.open(MMSC4, 80)
            await stream.send(b"POST / HTTP/1.1\r\n")
            await stream.acknowledged()
            assert (stream.ledger.given, stream.ledger.accepted, stream.ledger.acked) == (17, 17, 17)
            await world.ip(world.network.far, "addr del 198.18.0.10/32 dev lo")
            await world.ip(world.network.far, "route add blackhole 10.77.1.2/32")
            await stream.send(b"Host: mmsc\r\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.acknowledged(), 0.3)
            assert (stream.ledger.accepted, stream.ledger.acked) == (29, 17)
            await stream.close()
            assert (stream.ledger.accepted, stream.ledger.acked) == (29, 17)

    world.near.do(scenario())


def test_answers_are_of_one_network_only(world: Any) -> None:
    """A cached address is not used any more after the interface was lost; a failed connection has its name asked again too."""

    async def scenario() -> None:
        async with line() as case:
            for _ in range(2):
                await (await case.link.open("mmsc", 80)).close()
            assert len(world.far.dns.seen) == 2  # A and AAAA, once
            await world.ip(world.near, "link set wwan0 down")
            await until(lambda: case.link.state.status is LinkStatus.DOWN)
            for words in ("link set wwan0 up", "route add default via 10.77.1.1 dev wwan0 metric 700"):
                await world.ip(world.near, words)
            await until(lambda: case.link.state.status is LinkStatus.BEARER_UP)
            await (await case.link.open("mmsc", 80)).close()
            assert len(world.far.dns.seen) > 2
            seen = len(world.far.dns.seen)
            with pytest.raises(ConnectError, match=r"refused|failed"):
                await case.link.open("mmsc", 81)
            await (await case.link.open("mmsc", 80)).close()
            assert len(world.far.dns.seen) > seen

    world.near.do(scenario())


def test_name_servers_from_the_file_that_the_dialler_writes(world: Any, tmp_path: Any) -> None:
    path = tmp_path / "resolv.conf"

    async def scenario() -> Attempt:
        async with line(dns=(), resolv_conf=str(path)) as case:
            with pytest.raises(BearerError, match=r"resolv\.conf.* cannot be read: No such file"):
                await case.link.open("mmsc", 80)
            path.write_text(f"# by pppd\nsearch lan\nnameserver nonsense\nnameserver {DNS4}\n")
            return await case.line.post(PDU)

    assert world.near.do(scenario()).outcome is Outcome.SENT


def test_a_port_that_is_not_there_is_no_carriers_fault(world: Any) -> None:
    async def scenario() -> None:
        async with line() as case:
            await world.ip(world.near, "link set wwan0 name gone0 down")
            with pytest.raises(PortError):
                await case.link.open(MMSC4, 80)

    world.near.do(scenario())

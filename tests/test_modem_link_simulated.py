"""The link against the shipped simulator, which another hand wrote from the manuals: both dialects, and each fault at each phase.

The law that every case is held against: what left through the air is a beginning of what was given, never torn and never doubled, and
never more than the ledger calls offered; and after the fault the next message goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mmsproxy import modem_link
from mmsproxy.errors import AtTimeout, ConnectError, LinkLost, MmsproxyError, SimError
from mmsproxy.events import Bus
from mmsproxy.link import Ledger, LinkStatus
from mmsproxy.modem.channel import Channel
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.simulator.faults import Connect
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings as Simulated

HANG = 30.0  # seconds: a guard, not a measure
BODY = bytes(range(256)) * 40 + b"end of body"
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(range(255, -1, -1)) * 20


class Mmsc:
    """Reads until the body's end, answers, and waits for the close."""

    def __init__(self) -> None:
        self.early = 0  # answer after so many bytes, and close

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.early:
                await reader.readexactly(self.early)
            else:
                await reader.readuntil(b"end of body")
            writer.write(ANSWER)
            await writer.drain()
            if self.early:
                writer.write_eof()
            await reader.read()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def stop(self) -> None:
        self.server.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs are a hundredth of their length, and nobody waits to begin again."""
    original = Channel._reply

    async def quick(self: Channel, timeout: float, *, probe: bool = False, awaiting: bool = False) -> object:
        return await original(self, max(timeout / 100, 0.05), probe=probe, awaiting=awaiting)

    monkeypatch.setattr(Channel, "_reply", quick)
    monkeypatch.setattr(modem_link, "BACK_OFF", (0.02,))
    monkeypatch.setattr("mmsproxy.modem.stream.POLL", 0.05)
    monkeypatch.setattr("mmsproxy.modem.channel.SETTLE", 0.01)
    monkeypatch.setattr("mmsproxy.modem.channel.GRACE", 0.05)
    monkeypatch.setattr("mmsproxy.at.startup.SETTLE", 0.01)
    monkeypatch.setattr(modem_link, "QUIET", 5.0)
    monkeypatch.setattr("mmsproxy.at.delivery.RESTART_TIMEOUT", 30.0)
    monkeypatch.setattr("mmsproxy.at.sim7600.HTTP_PAUSE", 0.01)


@pytest.fixture
async def mmsc() -> AsyncIterator[Mmsc]:
    made = Mmsc()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["sim7600", "sim800"])
async def modem(request: pytest.FixtureRequest, mmsc: Mmsc, tmp_path: Path) -> AsyncIterator[SimulatedModem]:
    settings = Simulated(dialect=request.param, boot=0.05, window_wait=0.05, pin="4711")
    hosts = {"mmsc.example": ("127.0.0.1", mmsc.port)}
    async with SimulatedModem(settings, hosts=hosts, link=tmp_path / "ttyUSB2") as made:
        yield made


@pytest.fixture
async def link(modem: SimulatedModem, hurried: None) -> AsyncIterator[ModemLink]:
    made = ModemLink("line 1", ModemSettings(modem.path, apn="mms.example", pin="4711"), bus=Bus())
    await made.start()
    async with asyncio.timeout(HANG):
        await made.ready()
    yield made
    await made.stop()


async def message(link: ModemLink, ledgers: list[Ledger] | None = None, size: int = len(ANSWER)) -> bytes:
    """One request, its answer. Raises LinkError or CarrierError."""
    async with asyncio.timeout(HANG):
        await link.ready()
        stream = await link.open("mmsc.example", 80)
        if ledgers is not None:
            ledgers.append(stream.ledger)
        try:
            await stream.send(BODY)
            answer = b""
            while len(answer) < size and (more := await stream.recv()):
                answer += more
            return answer
        finally:
            await stream.close()


async def succeeds(link: ModemLink) -> None:
    async with asyncio.timeout(HANG):
        while True:
            try:
                assert await message(link) == ANSWER
                return
            except MmsproxyError:
                await asyncio.sleep(0.02)


async def test_messages_one_after_the_other(link: ModemLink, modem: SimulatedModem) -> None:
    for _ in range(3):
        assert await message(link) == ANSWER
    assert [bytes(record.up) for record in modem.wire.connections] == [BODY] * 3
    assert {record.ended for record in modem.wire.connections} <= {"local", "peer"}
    assert link.state.status is LinkStatus.BEARER_UP
    assert link.state.dialect == modem.settings.dialect
    assert link.state.operator == "Simulated"


async def test_an_early_answer_and_close(link: ModemLink, modem: SimulatedModem, mmsc: Mmsc) -> None:
    mmsc.early = 3000
    async with asyncio.timeout(HANG):
        stream = await link.open("mmsc.example", 80)
        answer = b""
        sending = asyncio.create_task(stream.send(BODY))
        while more := await stream.recv():
            answer += more
        await asyncio.gather(sending, return_exceptions=True)
        await stream.close()
    assert answer == ANSWER
    assert BODY.startswith(bytes(modem.wire.connections[-1].up))
    mmsc.early = 0
    await succeeds(link)


@pytest.mark.parametrize("how", [Connect.REFUSED, Connect.UNKNOWN_NAME, Connect.NEVER_ANSWERS])
async def test_a_connection_that_does_not_come(link: ModemLink, modem: SimulatedModem, how: Connect) -> None:
    modem.faults.connect(how)
    with pytest.raises(ConnectError):
        await message(link)
    assert modem.wire.up_bytes == 0
    await succeeds(link)


def each(fault: str, *texts: str, times: int | None = 1) -> Callable[[SimulatedModem], None]:
    """The same fault for each dialect's own words."""

    def make(modem: SimulatedModem) -> None:
        for text in texts:
            getattr(modem.faults, fault)(text, times=times)

    return make


def at_payload(count: int, what: str) -> Callable[[SimulatedModem], None]:
    return lambda modem: modem.faults.after_payload(count, getattr(modem, what))


FAULTS: dict[str, Callable[[SimulatedModem], None]] = {
    "bearer lost before": lambda modem: modem.drop_bearer(),
    "bearer lost in the middle": at_payload(4000, "drop_bearer"),
    "bearer lost after the last byte": at_payload(len(BODY), "drop_bearer"),
    "restart in the middle": at_payload(4000, "restart"),
    "restart after the last byte": at_payload(len(BODY), "restart"),
    "reset in the middle": lambda modem: modem.faults.drop_after(4000),
    "reset after the last byte": lambda modem: modem.faults.drop_after(len(BODY)),
    "send refused": each("refuse", "+CIPSEND"),
    "send ignored": each("ignore", "+CIPSEND"),
    "open refused": each("refuse", "+CIPSTART=", "+CIPOPEN="),
    "prompt lost": each("lose", ">"),
    "result lost": each("lose", "DATA ACCEPT", "+CIPSEND:"),
    "every result lost": each("lose", "DATA ACCEPT", "+CIPSEND:", times=None),
    "send failed, bytes taken": lambda modem: modem.faults.send_fail(taken=True),
    "send failed, bytes not taken": lambda modem: modem.faults.send_fail(taken=False),
    "short send": lambda modem: modem.faults.short_send(700),
    "data URC lost": each("lose", "+CIPRXGET: 1"),
    "close URC lost": each("lose", "0, CLOSED", "+IPCLOSE"),
    "URC between": lambda modem: modem.faults.insert(b"\r\nRING\r\n\r\n+CREG: 1\r\n", after=2),
    "garbage": lambda modem: modem.faults.insert(b"\x00\xff\x80\xfe", after=37),
    "read refused": each("refuse", "+CIPRXGET=2"),
    "close refused": each("refuse", "+CIPCLOSE"),
    "close ignored": each("ignore", "+CIPCLOSE"),
    "check ignored": each("ignore", "+NETOPEN?", "+CIPSTATUS"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_leaves_nothing_torn_and_the_next_message_succeeds(link: ModemLink, modem: SimulatedModem, name: str) -> None:
    ledgers: list[Ledger] = []
    FAULTS[name](modem)
    try:
        answer = await message(link, ledgers)
    except MmsproxyError:
        answer = b""
    if modem.wire.connections:
        up = bytes(modem.wire.connections[-1].up)
        if name in ("prompt lost", "send ignored"):  # a chunk in the middle was filled with NULs: the request stays incomplete
            assert len(up) < len(BODY)
            up = up.rstrip(b"\0")
        assert BODY.startswith(up)
        assert len(up) <= (ledgers[0].offered if ledgers else 0)
        assert answer in (b"", ANSWER)
        assert answer == b"" or up == BODY
    modem.faults._lines.clear()
    await succeeds(link)
    assert bytes(modem.wire.connections[-1].up) == BODY


async def test_a_wrong_counter_ends_the_connection_and_sends_nothing_twice(link: ModemLink, modem: SimulatedModem) -> None:
    modem.faults.counter_error = 5000
    modem.faults.send_fail(taken=True)
    with pytest.raises(MmsproxyError):
        await message(link)
    assert BODY.startswith(bytes(modem.wire.connections[-1].up))
    modem.faults.counter_error = 0
    await succeeds(link)


@pytest.mark.parametrize("count", [0, 1, 2919, 2920, 2921, 3000, len(BODY) - 1, len(BODY)])
async def test_unplug_at_a_byte_of_the_payload(link: ModemLink, modem: SimulatedModem, count: int) -> None:
    ledgers: list[Ledger] = []
    if count:
        modem.faults.after_payload(count, modem.unplug)
    else:
        modem.unplug()
    with pytest.raises(MmsproxyError):
        await message(link, ledgers)
    up = b"".join(bytes(record.up) for record in modem.wire.connections)
    assert BODY.startswith(up)
    assert len(up) <= count
    if ledgers:
        assert count <= ledgers[0].offered <= len(BODY)
        assert (ledgers[0].offered == len(BODY)) >= (count == len(BODY))
    modem.replug()
    await succeeds(link)


async def test_a_silent_modem_is_given_up_and_found_again(link: ModemLink, modem: SimulatedModem) -> None:
    modem.faults.deaf = True
    with pytest.raises(AtTimeout):
        await message(link)
    with pytest.raises(LinkLost, match="does not answer"):
        await message(link)
    modem.faults.deaf = False
    await succeeds(link)


async def test_a_sim_that_is_taken_out(link: ModemLink, modem: SimulatedModem) -> None:
    modem.lose_sim()
    with pytest.raises(MmsproxyError):
        await message(link)
    async with asyncio.timeout(HANG):
        while not (link.state.status is LinkStatus.DOWN and "SIM" in link.state.reason):
            await asyncio.sleep(0.01)
    with pytest.raises(SimError):
        await link.ready()

"""The owner over the shipped simulator: rates, the transparent mode, a bearer that is found up, and whose turn it is. The ladder and the
watching are shown in test_modem_link.py."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.at.dialect import Ask, Rung, Script
from mmsproxy.at.rules import ok
from mmsproxy.errors import LinkError, LinkLost, MmsproxyError
from mmsproxy.events import BearerUp, Bus, Fact, LinkRecovering
from mmsproxy.link import Ledger, LinkStatus
from mmsproxy.modem.transparent import TransparentStream
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings as Simulated

HANG = 30.0  # seconds: a guard, not a measure
BODY = b"head +++ " + bytes(range(256)) * 30 + b"+++ tail" + b"end of body"
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(range(255, -1, -1)) * 12 + b"+++"


class Mmsc:
    """Reads until the body's end and answers; `hold` keeps the connection open behind the answer, `early` answers after so many bytes."""

    def __init__(self) -> None:
        self.hold = False
        self.early = 0
        self.got = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got = b""
        try:
            while not self.got.endswith(b"end of body") and not 0 < self.early <= len(self.got):
                more = await reader.read(65536)
                if not more:
                    return
                self.got += more
            writer.write(ANSWER)
            await writer.drain()
            if self.hold:
                await reader.read()
        except OSError:
            pass
        finally:
            writer.close()


class Bench:
    """A simulated modem, its carrier, and links to it."""

    def __init__(self, modem: SimulatedModem, mmsc: Mmsc, stack: AsyncExitStack) -> None:
        self.modem = modem
        self.mmsc = mmsc
        self.facts: list[Fact] = []
        self.lines: list[bytes] = []
        self._stack = stack

    async def link(self, **settings: Any) -> ModemLink:
        bus = Bus()
        bus.subscribe(self.facts.append)
        made = ModemLink("a", ModemSettings(self.modem.path, apn="mms.example", **settings), bus=bus, tap=self)
        self._stack.push_async_callback(made.stop)
        await made.start()
        async with asyncio.timeout(HANG):
            await made.ready()
        return made

    # the tap

    def sent(self, data: bytes) -> None:
        self.lines.append(data)

    def received(self, data: bytes) -> None:
        return

    def note(self, kind: str, text: str) -> None:
        return

    def baud(self) -> int:
        """What the host has set its side of the line to."""
        fd = os.open(self.modem.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            speed = termios.tcgetattr(fd)[4]
        finally:
            os.close(fd)
        return next(int(name[1:]) for name in dir(termios) if name[:1] == "B" and name[1:].isdigit() and getattr(termios, name) == speed)


Build = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Build]:
    monkeypatch.setattr("mmsproxy.at.line_rate.GUARD", 0.06)
    monkeypatch.setattr("mmsproxy.modem.transparent.GUARD", 0.06)
    monkeypatch.setattr("mmsproxy.at.line_rate.ESCAPE_TIMEOUT", 0.2)
    monkeypatch.setattr("mmsproxy.modem.transparent.ESCAPE_TIMEOUT", 0.2)
    monkeypatch.setattr("mmsproxy.modem.recovery.BACK_OFF", (0.02,))
    monkeypatch.setattr("mmsproxy.at.startup.WAKE_TIMEOUT", 0.05)
    async with AsyncExitStack() as stack:
        mmsc = Mmsc()
        server = await asyncio.start_server(mmsc.serve, "127.0.0.1", 0)
        stack.callback(server.close)

        async def build(dialect: str = "sim7600", **settings: Any) -> Bench:
            simulated = Simulated(dialect=dialect, boot=0.05, guard=0.05, **settings)
            hosts = {"mmsc.example": ("127.0.0.1", server.sockets[0].getsockname()[1])}
            modem = await stack.enter_async_context(SimulatedModem(simulated, hosts=hosts, link=tmp_path / "ttyUSB2"))
            return Bench(modem, mmsc, stack)

        yield build


async def message(link: ModemLink, ledgers: list[Ledger] | None = None, body: bytes = BODY) -> bytes:
    async with asyncio.timeout(HANG):
        await link.ready()
        stream = await link.open("mmsc.example", 80)
        if ledgers is not None:
            ledgers.append(stream.ledger)
        try:
            for at in range(0, len(body), 1000):
                await stream.send(body[at : at + 1000], more=at + 1000 < len(body))
            answer = b""
            while len(answer) < len(ANSWER) and (more := await stream.recv()):
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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG):
        while not condition():
            await asyncio.sleep(0.01)


# Rates.


async def test_the_rate_is_raised_for_the_session_and_never_saved(build: Build) -> None:
    bench = await build(line_rate=115200)
    link = await bench.link(max_baud=921600)
    assert b"AT+IPR=921600\r" in bench.lines
    assert not any(b"&W" in line for line in bench.lines)
    assert bench.baud() == 921600
    assert await message(link) == ANSWER
    assert bench.mmsc.got == BODY


async def test_after_a_restart_the_modem_is_met_at_its_own_rate_and_raised_again(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.modem.owner.WATCH", 0.1)
    bench = await build(line_rate=115200)
    link = await bench.link(max_baud=460800)
    bench.lines.clear()
    bench.modem.restart()
    await succeeds(link)
    await until(lambda: b"AT+IPR=460800\r" in bench.lines)
    await succeeds(link)


async def test_a_link_that_begins_anew_finds_the_modem_at_the_raised_rate(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await build(line_rate=115200)
    first = await bench.link(max_baud=460800)
    await first.stop()
    second = await bench.link(max_baud=460800)  # it knows nothing of the first: it searches
    assert bench.baud() == 460800
    assert await message(second) == ANSWER


async def test_the_rate_is_left_alone_where_no_uart_is_known_to_be(build: Build) -> None:
    bench = await build(line_rate=115200)
    await bench.link()
    assert not any(line.startswith(b"AT+IPR") for line in bench.lines)
    assert bench.baud() == 115200


async def test_a_modem_at_another_rate_is_found_and_kept_there(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    bench = await build(line_rate=115200)
    bench.modem._uart.set_baud(115200)  # as AT+IPR=115200;&W would: no autobauding
    link = await bench.link(baud=9600)
    assert bench.baud() == 115200
    assert "was found at 115200 baud, not 9600" in caplog.text
    assert await message(link) == ANSWER


# A bearer that is up.


@pytest.mark.parametrize("dialect", ["sim7600", "sim800"])
async def test_a_bearer_that_an_earlier_run_left_up_is_kept_if_it_is_ours(build: Build, dialect: str) -> None:
    bench = await build(dialect)
    first = await bench.link()
    assert await message(first) == ANSWER
    await first.stop()
    bench.facts.clear()
    bench.lines.clear()
    second = await bench.link()
    assert await message(second) == ANSWER
    assert not any(isinstance(fact, BearerUp) for fact in bench.facts)
    assert not {b"AT+NETOPEN\r", b"AT+NETCLOSE\r", b"AT+CIPSHUT\r", b"AT+CIICR\r"} & set(bench.lines)


@pytest.mark.parametrize("dialect", ["sim7600", "sim800"])
async def test_a_bearer_of_another_is_rebuilt(build: Build, dialect: str) -> None:
    bench = await build(dialect)
    first = await bench.link()
    await first.stop()
    other = ModemLink("b", ModemSettings(bench.modem.path, apn="other.example"), bus=Bus(), tap=bench)
    bench.lines.clear()
    await other.start()
    async with asyncio.timeout(HANG):
        await other.ready()
    await other.stop()
    assert {b"AT+NETOPEN\r", b"AT+CIICR\r"} & set(bench.lines)


# The transparent mode.

TRANSPARENT = {"transparent": True, "flow_control": "rtscts"}
BOTH = pytest.mark.parametrize("dialect", ["sim7600", "sim800"])


@BOTH
async def test_a_message_through_the_transparent_mode(build: Build, dialect: str) -> None:
    bench = await build(dialect, line_rate=460800)
    link = await bench.link(**TRANSPARENT)
    assert b"AT+IFC=2,2\r" in bench.lines
    for hold in (False, True):
        bench.mmsc.hold = hold
        ledgers: list[Ledger] = []
        assert await message(link, ledgers) == ANSWER
        assert bench.mmsc.got == BODY
        assert (ledgers[0].given, ledgers[0].offered, ledgers[0].accepted) == (len(BODY), len(BODY), 0)
    assert bench.modem.lost_bytes == 0
    assert sum(line == b"+++" for line in bench.lines) == 1  # behind the first the far end has hung up
    assert not any(b"CIPSEND=" in line or b"CIPRXGET=2" in line for line in bench.lines)


@BOTH
async def test_an_early_answer_comes_back_through_the_transparent_mode(build: Build, dialect: str) -> None:
    bench = await build(dialect)
    link = await bench.link(**TRANSPARENT)
    bench.mmsc.early = 2000
    async with asyncio.timeout(HANG):
        stream = await link.open("mmsc.example", 80)
        await stream.send(BODY[:3000], more=True)
        answer = b""
        while more := await stream.recv():
            answer += more
        await stream.close()
    assert answer == ANSWER
    bench.mmsc.early = 0
    await succeeds(link)


@BOTH
@pytest.mark.parametrize("fault", ["restart", "unplug", "drop_bearer"])
async def test_a_fault_in_the_transparent_mode_and_the_next_message(build: Build, dialect: str, fault: str) -> None:
    bench = await build(dialect)
    link = await bench.link(**TRANSPARENT)
    stream = await link.open("mmsc.example", 80)
    assert isinstance(stream, TransparentStream)
    await stream.send(BODY[:3000], more=True)
    getattr(bench.modem, fault)()
    if fault == "unplug":
        with pytest.raises(LinkLost):
            async with asyncio.timeout(HANG):
                await stream.recv()
        bench.modem.replug()
    await stream.close()
    assert 0 < stream.ledger.offered <= 3000
    await succeeds(link)
    assert bench.mmsc.got == BODY


@BOTH
async def test_a_connection_that_does_not_come_leaves_command_mode(build: Build, dialect: str) -> None:
    bench = await build(dialect)
    link = await bench.link(**TRANSPARENT)
    with pytest.raises(MmsproxyError):
        await link.open("nowhere.example", 80)
    assert await message(link) == ANSWER


async def test_a_modem_that_was_left_in_its_transparent_mode_is_got_back(build: Build) -> None:
    bench = await build()
    bench.mmsc.hold = True
    first = await bench.link(**TRANSPARENT)
    await first.open("mmsc.example", 80)
    await first.stop()  # as a crash would
    second = await bench.link()
    assert any(line == b"+++" for line in bench.lines)
    assert await message(second) == ANSWER


async def test_other_scripts_wait_while_the_line_is_a_connections(build: Build) -> None:
    def ask() -> Script[bytes]:
        return (yield Ask(b"AT+CSQ", ok(rb"\+CSQ: .*"))).lines[0]

    bench = await build()
    link = await bench.link(**TRANSPARENT)
    stream = await link.open("mmsc.example", 80)
    asking = asyncio.create_task(link.call(ask()))
    await stream.send(BODY)
    assert await stream.recv()
    assert not asking.done()
    await stream.close()
    async with asyncio.timeout(HANG):
        assert (await asking).startswith(b"+CSQ: ")


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"transparent": True}, "RTS/CTS; wire RTS and CTS"), ({**TRANSPARENT, "dialect": "ublox"}, "does not know the transparent mode")],
)
async def test_the_transparent_mode_is_refused_with_its_reason(build: Build, settings: dict[str, Any], words: str) -> None:
    bench = await build()
    with pytest.raises(LinkError, match=words):
        await bench.link(**settings)


# Whose turn it is.


async def test_a_deaf_modem_is_given_up_and_a_message_tries_it_once(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.at.startup.WAKE_TIMEOUT", 0.02)
    monkeypatch.setattr("mmsproxy.at.line_rate.ESCAPE_TIMEOUT", 0.02)
    monkeypatch.setattr("mmsproxy.at.recovery.RESTART_TIMEOUT", 0.1)
    bench = await build()
    link = await bench.link()
    bench.modem.faults.deaf = True
    with pytest.raises(MmsproxyError):
        await link.call(refused())
    with pytest.raises(MmsproxyError):
        await link.call(refused())
    await until(lambda: link.state.status is LinkStatus.DOWN)
    climbed = [fact.rung for fact in bench.facts if isinstance(fact, LinkRecovering)]
    assert climbed == [Rung.PROBE, Rung.RESTART, Rung.GIVE_UP]
    with pytest.raises(LinkError, match="does not answer"):
        await link.ready()
    assert [fact.rung for fact in bench.facts if isinstance(fact, LinkRecovering)] == climbed
    bench.modem.faults.deaf = False
    await succeeds(link)


def refused() -> Script[None]:
    """A command that gets no answer from a deaf modem."""
    reply = yield Ask(b"AT+CSQ", timeout=0.05)
    if reply.timed_out:
        raise LinkError("no answer")

"""The send ledger from the HTTP client down to the modem's counter, every dialect over the simulator: how far a message came, and what a
missed prompt does to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmsproxy import config
from mmsproxy.at.dialect import Rung
from mmsproxy.carrier.attempt import Attempt, Outcome
from mmsproxy.carrier.exchange import Limits
from mmsproxy.carrier.line import Line
from mmsproxy.events import Bus, Fact, LinkRecovering
from mmsproxy.link import Phase
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings as Simulated
from mmsproxy.simulator.world import World
from mmsproxy.wire import mms_pdu

DIALECTS = ("sim7600", "quectel", "sim800", "sim7080", "ublox", "telit")
PROMPTS = {"ublox": "@"}
SENDS = ("+CIPSEND=0,", "+QISEND=0,", "+CASEND=0,", "+USOWR=0,", "#SSENDEXT=1,")


def pdu(octets: int, transaction_id: str) -> bytes:
    part = mms_pdu.Part(mms_pdu.ContentType("text/plain", charset=106), b"x" * octets, content_location="t.txt")
    return mms_pdu.encode(
        mms_pdu.SendReq(
            transaction_id=transaction_id,
            to=(mms_pdu.Address("+16195550123/TYPE=PLMN"),),
            content_type=mms_pdu.ContentType("application/vnd.wap.multipart.mixed"),
            parts=(part,),
        )
    )


def a_line(link: ModemLink, mmsc: str, bus: Bus, *, answer: float = 10.0) -> Line:
    carrier = {"apn": "x", "mmsc": mmsc}
    settings = config.LineConfig.model_validate({"name": "a", "min_interval": 0, "carrier": carrier, "modem": {"port": "p"}})
    return Line(settings, link, bus=bus, limits=Limits(answer=answer))


@dataclass
class Bench:
    world: World
    line: Line
    link: ModemLink
    facts: list[Fact] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    count: int = 0

    async def post(self, octets: int = 300, **options: Any) -> Attempt:
        self.count += 1
        self.phases.clear()
        transaction_id = f"T{self.count}"
        return await self.line.post(pdu(octets, transaction_id), transaction_id=transaction_id, on_phase=self.phases.append, **options)

    def posted(self) -> list[str | None]:
        """Transaction-IDs of the whole messages that the carrier got."""
        return [request.pdu.transaction_id for request in self.world.mmsc.requests if request.pdu is not None]

    def rungs(self) -> list[int]:
        return [fact.rung for fact in self.facts if isinstance(fact, LinkRecovering)]


@pytest.fixture(params=DIALECTS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    for dialect in DIALECTS:
        monkeypatch.setattr(f"mmsproxy.at.{dialect}.PROMPT_TIMEOUT", 0.2)
    async with AsyncExitStack() as stack:
        world = World(request.param, link=tmp_path / "ttySIM", settings=Simulated(boot=0.05))
        await stack.enter_async_context(world)
        facts: list[Fact] = []
        bus = Bus()
        bus.subscribe(facts.append)
        link = ModemLink("a", ModemSettings(world.modem.path, apn="x"), bus=bus)
        line = a_line(link, world.mmsc_url, bus)
        await line.start()
        stack.push_async_callback(line.stop)
        yield Bench(world, line, link, facts)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_that_the_far_end_has_all_of_it_is_told_while_it_keeps_silent(dialect: str) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    hosts = {"mmsc.example": ("127.0.0.1", server.sockets[0].getsockname()[1])}
    phases: list[Phase] = []
    async with SimulatedModem(Simulated(dialect=dialect), hosts=hosts) as modem:
        line = a_line(ModemLink("a", ModemSettings(modem.path, apn="x"), bus=Bus()), "http://mmsc.example/", Bus(), answer=1.0)
        await line.start()
        attempt = await line.post(pdu(5000, "T1"), on_phase=phases.append)
        await line.stop()
    server.close()
    assert phases == [Phase.OPEN, Phase.PART_OFFERED, Phase.LAST_BYTE, Phase.ALL_ACKED]
    assert (attempt.outcome, attempt.phase, attempt.code) == (Outcome.UNKNOWN, Phase.ALL_ACKED, "answer_timeout")


async def test_a_prompt_that_is_missed_in_the_middle_costs_the_connection_and_not_the_modem(bench: Bench) -> None:
    await bench.post()
    prompt = PROMPTS.get(bench.world.modem.settings.dialect, ">")
    bench.world.modem.faults.after_payload(2500, lambda: bench.world.modem.faults.lose(prompt))
    attempt = await bench.post(9000, budget=0)
    assert (attempt.outcome, attempt.phase) == (Outcome.NOT_SENT, Phase.PART_OFFERED)
    assert Rung.RESTART not in bench.rungs()
    assert bench.rungs()[:1] == [Rung.CLOSE]
    assert (await bench.post()).outcome is Outcome.SENT
    assert bench.posted() == ["T1", "T3"]


async def test_a_send_that_the_modem_never_heard_costs_the_connection_and_not_the_modem(bench: Bench) -> None:
    await bench.post()
    for command in SENDS:
        bench.world.modem.faults.ignore(command)
    attempt = await bench.post(300, budget=0)
    assert (attempt.outcome, attempt.bytes_offered) == (Outcome.NOT_SENT, 0)
    assert bench.rungs() == [Rung.CLOSE]
    assert (await bench.post()).outcome is Outcome.SENT
    assert bench.posted() == ["T1", "T3"]


async def test_a_prompt_that_is_missed_at_the_end_completes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The modem waits for the last bytes and takes whatever is written for them: the far end must never have them all."""
    monkeypatch.setattr("mmsproxy.at.delivery.RESTART_TIMEOUT", 0.2)
    monkeypatch.setattr("mmsproxy.at.delivery.StillQuiet.quiet", 0.2)
    monkeypatch.setattr("mmsproxy.at.recovery.RESTART_TIMEOUT", 0.2)
    monkeypatch.setattr("mmsproxy.at.line_rate.GUARD", 0.01)
    monkeypatch.setattr("mmsproxy.at.line_rate.ESCAPE_TIMEOUT", 0.01)
    monkeypatch.setattr("mmsproxy.at.startup.WAKE_TIMEOUT", 0.05)
    await bench.post()
    bench.world.modem.faults.lose(PROMPTS.get(bench.world.modem.settings.dialect, ">"))
    attempt = await bench.post(300, budget=0)
    assert (attempt.outcome, attempt.bytes_offered) == (Outcome.NOT_SENT, 0)
    assert bench.rungs()[:1] == [Rung.RESTART]
    bench.world.modem.restart()
    async with asyncio.timeout(30):
        while (await bench.post()).outcome is not Outcome.SENT:
            await asyncio.sleep(0.05)
    assert "T2" not in bench.posted()

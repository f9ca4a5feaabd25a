"""The SMS box: alone, with the owner played by the test, and over the shipped simulator, beside an open connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from mmsproxy.at import sms as at_sms
from mmsproxy.at.dialect import NOTHING, Ask, Offer, Script
from mmsproxy.at.heard import Outcome, Reply, UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.sms import SimBusy
from mmsproxy.errors import AtStringError, AtTimeout, LinkLost, ModemSilent, SmsRefused, SmsUnknown
from mmsproxy.events import Bus
from mmsproxy.link import SentParts, SmsFill, StoredSms
from mmsproxy.modem import sms as box_module
from mmsproxy.modem.sms import SmsBox
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.simulator.messages import Arrival
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings as Simulated
from mmsproxy.wire.sms_compose import WAP_PUSH, data_bodies, delivers, submits, text_bodies
from mmsproxy.wire.sms_parts import is_wap_push, joined_data
from mmsproxy.wire.sms_pdu import Deliver, ServiceCentre, StatusReport, Tpdu, cmgs, decode_listed, encode

HANG = 20.0  # seconds: a guard, not a measure
DIALECTS = ["sim800", "sim7600"]
WHEN = datetime(2026, 11, 24, 12, tzinfo=UTC)
REPORT = "0006070B912120550521F3621142104365006211421043650000"
SUBMIT = "0001000B912120550521F3000002E834"
PART = (len(SUBMIT) // 2 - 1, SUBMIT)
PUSH_BODY = bytes(range(200))


def deliver(text: str) -> str:
    (tpdu,) = delivers("+12025550123", text_bodies(text, reference=1), when=WHEN, smsc=ServiceCentre())
    return encode(tpdu).hex().upper()


def push_parts() -> list[str]:
    bodies = data_bodies(PUSH_BODY, reference=9, ports=WAP_PUSH)
    assert len(bodies) == 2
    return [encode(tpdu).hex().upper() for tpdu in delivers("+12025550123", bodies, when=WHEN, smsc=ServiceCentre())]


def tpdu(sms: StoredSms) -> Tpdu:
    return decode_listed(sms.pdu, sms.length)


# -- alone ----------------------------------------------------------------------------------------------------------------------


class Owner:
    """Plays the owner: answers each command by the start of its text, with lines or an error to raise; else with OK."""

    def __init__(self) -> None:
        self.answers: dict[bytes, list[bytes] | Exception] = {b"AT+CPMS=": [b"+CPMS: 0,20,0,20,0,20", b"OK"], b"AT+CPMS?": FEW}
        self.asked: list[bytes] = []
        self.turn = asyncio.Lock()

    async def __call__(self, script: Script[Any], offered: Callable[[int], None] | None = None) -> Any:
        async with self.turn:
            try:
                request = next(script)
                while True:
                    request = script.send(await self.perform(request, offered))
            except StopIteration as done:
                return done.value
            finally:
                script.close()

    async def perform(self, request: Any, offered: Callable[[int], None] | None) -> Reply:
        await asyncio.sleep(0)
        if isinstance(request, Offer):
            assert offered is not None
            offered(request.upto)
            return self.reply(b"PAYLOAD")
        if not isinstance(request, Ask):
            return NOTHING
        self.asked.append(request.text)
        return Reply(Outcome.PROMPTED) if request.prompt else self.reply(request.text)

    def reply(self, text: bytes) -> Reply:
        answer = next((answer for start, answer in self.answers.items() if text.startswith(start)), [b"OK"])
        if isinstance(answer, Exception):
            raise answer
        return Reply(Outcome.DONE if answer[-1] == b"OK" else Outcome.FAILED, tuple(answer), answer[-1])

    def count(self, command: bytes) -> int:
        return self.asked.count(command)


FEW = [b'+CPMS: "ME",1,20,"ME",1,20,"ME",1,20', b"OK"]
MANY = [b'+CPMS: "ME",16,20,"ME",16,20,"ME",16,20', b"OK"]


def listed(*texts: str) -> list[bytes]:
    lines = []
    for index, text in enumerate(texts):
        pdu = deliver(text)
        lines += [b"+CMGL: %d,0,,%d" % (index, len(pdu) // 2 - 1), pdu.encode()]
    return [*lines, b"OK"]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(HANG):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "QUIET", 0.05)
    monkeypatch.setattr(box_module, "BUSY_PAUSES", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(at_sms, "ESCAPE_PAUSE", 0.05)


async def test_nothing_is_asked_until_somebody_wants_sms() -> None:
    owner = Owner()
    box = SmsBox("a", owner)
    box.began()
    await asyncio.sleep(0.01)
    assert owner.asked == []
    box.subscribe(list[StoredSms]().append)
    await until(lambda: owner.count(b"AT+CMGL=4") == 2)
    assert owner.asked[0] == b"AT+CMGF=0"
    box.ended()
    box.ended()


async def test_each_message_is_told_once_a_run() -> None:
    owner = Owner()
    owner.answers[b"AT+CMGL"] = listed("one", "two")
    box, told = SmsBox("a", owner), list[StoredSms]()
    end = box.subscribe(told.append)
    box.began()
    await until(lambda: len(told) == 4)  # of SM and of ME, which are one here
    await box._look()
    assert len(told) == 4
    box.ended()
    box.began()
    await until(lambda: len(told) == 8)
    await box.refresh()
    assert len(told) == 12
    end()
    await box.refresh()
    assert len(told) == 12
    box.ended()


async def test_polling_finds_what_no_urc_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "POLL", 0.02)
    owner, told = Owner(), list[StoredSms]()
    box = SmsBox("a", owner)
    box.subscribe(told.append)
    box.began()
    await until(lambda: owner.count(b"AT+CMGL=4") > 3)
    owner.answers[b"AT+CMGL"] = listed("late")
    await until(lambda: told)
    box.ended()
    assert len(told) == 1
    assert told[0].storage == "ME"


async def test_nothing_is_read_inside_a_burst() -> None:
    owner, told = Owner(), list[StoredSms]()
    owner.answers[b"AT+CMGR"] = [b"+CMGR: 0,,21", b"00040B912120550521F300006211421043650002E834", b"OK"]
    box = SmsBox("a", owner)
    box.subscribe(told.append)
    box.began()
    await until(lambda: owner.count(b"AT+CPMS?"))
    owner.asked.clear()
    for index in range(10):
        box.heard(UrcReceived(Urc.SMS_STORED, b'+CMTI: "ME",%d' % index))
        await asyncio.sleep(0.01)
        assert owner.asked == []
    await until(lambda: len(told) == 10)
    assert owner.asked == [b"AT+CMGR=%d" % index for index in range(10)]
    box.ended()


async def test_a_burst_without_end_is_read_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "LONGEST_BURST", 0.1)
    owner = Owner()
    box = SmsBox("a", owner)
    box.subscribe(list[StoredSms]().append)
    box.began()
    await until(lambda: owner.count(b"AT+CPMS?"))
    async with asyncio.timeout(HANG):
        while not owner.count(b"AT+CMGR=3"):
            box.heard(UrcReceived(Urc.SMS_STORED, b'+CMTI: "ME",3'))
            await asyncio.sleep(0.01)
    box.ended()


async def test_a_urc_in_a_form_nobody_knows_leads_to_a_listing() -> None:
    owner, told = Owner(), list[StoredSms]()
    box = SmsBox("a", owner)
    box.subscribe(told.append)
    box.began()
    await until(lambda: owner.count(b"AT+CPMS?"))
    owner.answers[b"AT+CMGL"] = listed("odd")
    box.heard(UrcReceived(Urc.SMS_STORED, b"+CMTI: what"))
    await until(lambda: told)
    box.heard(UrcReceived(Urc.REPORT_DIRECT, b"+CDS: x", data=REPORT.encode()))  # cannot be understood, and is logged
    box.heard(UrcReceived(Urc.NOISE, b"RING"))
    box.ended()


async def test_the_boot_word_leads_to_a_listing_of_everything() -> None:
    owner, told = Owner(), list[StoredSms]()
    box = SmsBox("a", owner)
    box.subscribe(told.append)
    box.began()
    await until(lambda: owner.count(b"AT+CPMS?"))
    owner.answers[b"AT+CMGL"] = listed("old")
    box.heard(UrcReceived(Urc.BOOT_TAIL, b"SMS DONE"))
    await until(lambda: {sms.storage for sms in told} == {"SM", "ME"})
    box.heard(UrcReceived(Urc.BOOT_TAIL, b"PB DONE"))
    assert not box._all_due
    box.ended()


async def test_a_listener_that_fails_harms_nobody() -> None:
    owner, told = Owner(), list[StoredSms]()
    owner.answers[b"AT+CMGL"] = listed("one")
    box = SmsBox("a", owner)

    def fails(sms: StoredSms) -> None:
        raise RuntimeError("no room")

    box.subscribe(fails)
    box.subscribe(told.append)
    box.began()
    await until(lambda: told)
    box.ended()


async def test_the_storage_is_watched_and_told_of_once() -> None:
    owner, filling = Owner(), list[SmsFill]()
    box = SmsBox("a", owner)
    box.subscribe(list[StoredSms]().append, filling=filling.append)
    assert box.fill is None
    box.began()
    await until(lambda: box.fill)
    for answer in (MANY, MANY, FEW, MANY):
        owner.answers[b"AT+CPMS?"] = answer
        await box.refresh()
    assert filling == [SmsFill("ME", 16, 20)] * 2
    box.ended()


async def test_a_busy_sim_is_asked_again_and_a_silent_modem_is_set_up_again() -> None:
    owner = Owner()
    owner.answers[b"AT+CMGF"] = [b"+CMS ERROR: 314"]
    box = SmsBox("a", owner)
    task = asyncio.create_task(box.refresh())
    await until(lambda: owner.count(b"AT+CMGF=0") == 2)
    del owner.answers[b"AT+CMGF"]
    await task
    owner.answers[b"AT+CMGL"] = AtTimeout("silence")
    with pytest.raises(AtTimeout):
        await box.refresh()
    del owner.answers[b"AT+CMGL"]
    owner.asked.clear()
    await box.refresh()
    assert owner.asked[0] == b"AT+CMGF=0"


async def test_only_the_message_that_was_told_is_deleted() -> None:
    owner, told = Owner(), list[StoredSms]()
    owner.answers[b"AT+CMGL"] = listed("one")
    box = SmsBox("a", owner)
    box.subscribe(told.append)
    await box.refresh()
    first = told[-1]
    owner.answers[b"AT+CMGL"] = listed("another at the same index")
    await box.refresh()
    assert not await box.delete(first)
    assert owner.count(b"AT+CMGD=0") == 0
    assert await box.delete(told[-1])
    assert not await box.delete(told[-1])
    assert owner.count(b"AT+CMGD=0") == 1


@pytest.mark.parametrize(("service", "acknowledged"), [(b"ERROR", 1), (b"OK", 0)])
async def test_direct_ones_are_acknowledged_where_the_modem_wants_it(service: bytes, acknowledged: int) -> None:
    owner, told = Owner(), list[StoredSms]()
    owner.answers |= {b"AT+CSMS=": [service], b"AT+CSMS?": [b"+CSMS: 1,1,1,1", b"OK"]}
    box = SmsBox("a", owner)
    box.subscribe(told.append)
    box.heard(UrcReceived(Urc.REPORT_DIRECT, b"+CDS: 25", data=REPORT.encode()))
    assert told == [StoredSms(REPORT, 25)]
    assert await box.delete(told[0])
    assert owner.count(b"AT+CNMA") == acknowledged


@pytest.mark.parametrize("error", [LinkLost("gone"), ModemSilent("silent")])
async def test_a_modem_lost_behind_ctrl_z_leaves_it_unknown(error: Exception) -> None:
    owner = Owner()
    owner.answers[b"PAYLOAD"] = error
    with pytest.raises(SmsUnknown, match="while it sent an SMS"):
        await SmsBox("a", owner).send(*PART)
    assert owner.count(b"AT+CMGS=15") == 1


async def test_a_modem_lost_before_the_prompt_has_sent_nothing() -> None:
    owner = Owner()
    box = SmsBox("a", owner)
    await box.refresh()

    async def lost(script: Script[Any], offered: Callable[[int], None] | None = None) -> Any:
        script.close()
        raise LinkLost("gone")

    box._call = lost
    with pytest.raises(LinkLost):
        await box.send(*PART)


async def test_a_sim_that_gets_busy_behind_ctrl_z_is_not_asked_again() -> None:
    owner = Owner()
    owner.answers[b"PAYLOAD"] = [b"+CMS ERROR: 314"]
    with pytest.raises(SimBusy):
        await SmsBox("a", owner).send(*PART)
    assert owner.count(b"AT+CMGS=15") == 1


async def test_a_part_that_is_no_pdu_stops_all_before_anything_leaves() -> None:
    owner = Owner()
    with pytest.raises(AtStringError):
        await SmsBox("a", owner).send_all([PART, (15, SUBMIT + "1A")])
    assert owner.asked == []


# -- over the simulator ---------------------------------------------------------------------------------------------------------

Rig = Callable[..., AbstractAsyncContextManager[tuple[SimulatedModem, ModemLink]]]


class Sink:
    """A TCP server that keeps what comes."""

    def __init__(self) -> None:
        self.body = bytearray()

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self.server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                self.body += data
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def sink() -> AsyncIterator[tuple[Sink, int]]:
    server = Sink()
    port = await server.start()
    yield server, port
    server.server.close()


@pytest.fixture
def rig(sink: tuple[Sink, int]) -> Rig:
    @asynccontextmanager
    async def run(dialect: str, **settings: Any) -> AsyncIterator[tuple[SimulatedModem, ModemLink]]:
        simulated = Simulated(dialect=dialect, boot=0.05, **settings)
        async with SimulatedModem(simulated, {"sink.test": ("127.0.0.1", sink[1])}) as modem:
            link = ModemLink("a", ModemSettings(modem.path, apn="internet"), bus=Bus())
            await link.start()
            try:
                await within(link.ready())
                yield modem, link
            finally:
                await within(link.stop())

    return run


async def within(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(HANG):
        return await awaitable


async def listening(link: ModemLink) -> list[StoredSms]:
    """What is told from now on; returns when the modem is set up."""
    told: list[StoredSms] = []
    link.sms.subscribe(told.append)
    await within(link.sms.refresh())
    return told


@asynccontextmanager
async def sending(link: ModemLink, sink: Sink) -> AsyncIterator[None]:
    """An MMS is on its way from the first chunk until the block is done, and arrives as it was given."""
    stream, body, over = await within(link.open("sink.test", 80)), bytearray(), False

    async def send() -> None:
        while not over:
            piece = bytes(range(256)) * 6
            body.extend(piece)
            await stream.send(piece)

    task = asyncio.create_task(send())
    await until(lambda: sink.body)
    yield
    over = True
    await within(task)
    await until(lambda: len(sink.body) == len(body))
    assert sink.body == body
    await within(stream.close())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("form", [Arrival.BY_SETTING, Arrival.MMS_PUSH_PARTS])
async def test_a_push_in_two_parts_and_a_text_while_an_mms_is_sent(rig: Rig, sink: tuple[Sink, int], dialect: str, form: Arrival) -> None:
    first, second = push_parts()
    async with rig(dialect, line_rate=115200) as (modem, link):
        told = await listening(link)
        async with sending(link, sink[0]):
            assert modem.receive_sms(second, form)
            assert modem.receive_sms(deliver("hello"))
            assert modem.receive_sms(first, form)
            await until(lambda: len(told) == 3)
        pushes = [part for part in map(tpdu, told) if isinstance(part, Deliver) and is_wap_push(part)]
        assert joined_data(pushes) == PUSH_BODY
        assert [part.text for part in map(tpdu, told) if isinstance(part, Deliver) and not is_wap_push(part)] == ["hello"]
        assert sum(len(storage.slots) for storage in modem.messages.storages.values()) == 3  # nothing goes by itself
        for sms in told:
            assert await within(link.sms.delete(sms))
        assert sum(len(storage.slots) for storage in modem.messages.storages.values()) == 0


@pytest.mark.parametrize(("dialect", "direct"), [("sim800", True), ("sim7600", False), ("quectel", True)])
async def test_a_report_comes_directly_or_stored(rig: Rig, dialect: str, direct: bool) -> None:
    async with rig(dialect) as (modem, link):
        told = await listening(link)
        assert modem.receive_sms(REPORT)
        await until(lambda: told)
        report = tpdu(told[0])
        assert isinstance(report, StatusReport)
        assert report.reference == 7
        assert (told[0].index is None) is direct
        assert told[0].storage == ("" if direct else "SR")
        assert await within(link.sms.delete(told[0]))
        assert not modem.messages.storages["SR"].slots


@pytest.mark.parametrize("dialect", [*DIALECTS, "sim7080", "quectel", "ublox", "telit"])
async def test_every_dialect_receives_and_sends(rig: Rig, dialect: str) -> None:
    async with rig(dialect) as (modem, link):
        told = await listening(link)
        assert modem.receive_sms(deliver("to you"))
        await until(lambda: told)
        assert await within(link.sms.send(*PART)) == 1
        assert [sms.pdu for sms in modem.sms_sent] == [SUBMIT]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_message_in_parts_and_its_references(rig: Rig, sink: tuple[Sink, int], dialect: str) -> None:
    parts = [cmgs(part) for part in submits("+12025550123", text_bodies("x" * 400, reference=5), report=True)]
    async with rig(dialect, line_rate=115200) as (modem, link):
        async with sending(link, sink[0]):
            sent = await within(link.sms.send_all(parts))
        assert sent == SentParts((1, 2, 3))
        assert [sms.pdu for sms in modem.sms_sent] == [pdu for _, pdu in parts]
        assert modem.dialect.number("+CMMS") == 0


async def test_a_refused_part_stops_the_rest(rig: Rig) -> None:
    async with rig("sim7600") as (modem, link):
        assert await within(link.sms.send(*PART)) == 1
        modem.faults.replace("+CMGS: 3", "+CMS ERROR: 28")
        sent = await within(link.sms.send_all([PART] * 3))
        assert sent.references == (2,)
        assert isinstance(sent.fault, SmsRefused)
        assert sent.fault.cms == 28
        assert len(modem.sms_sent) == 3  # the simulator took the second and said otherwise; the third was never given


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_lost_prompt_is_left_by_esc(rig: Rig, monkeypatch: pytest.MonkeyPatch, dialect: str) -> None:
    monkeypatch.setattr(at_sms, "PROMPT_TIMEOUT", 0.2)
    async with rig(dialect) as (modem, link):
        modem.faults.lose(">")
        with pytest.raises(AtTimeout):
            await within(link.sms.send(*PART))
        assert modem.sms_sent == []
        assert await within(link.sms.send(*PART)) == 1
        assert len(modem.sms_sent) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_lost_result_is_unknown_and_nothing_is_repeated(rig: Rig, monkeypatch: pytest.MonkeyPatch, dialect: str) -> None:
    monkeypatch.setattr(at_sms, "SEND_TIMEOUT", 0.3)
    async with rig(dialect) as (modem, link):
        await within(link.sms.refresh())
        modem.faults.lose("+CMGS")
        modem.faults.lose("OK")
        with pytest.raises(SmsUnknown):
            await within(link.sms.send(*PART))
        assert await within(link.sms.send(*PART)) == 2
        assert len(modem.sms_sent) == 2


async def test_a_restart_behind_ctrl_z_is_unknown_and_what_is_stored_is_told_again(rig: Rig) -> None:
    async with rig("sim7600") as (modem, link):
        told = await listening(link)
        assert modem.receive_sms(deliver("before"))
        await until(lambda: told)
        modem.faults.after_received(len(f"AT+CMGS={PART[0]}\r{SUBMIT}\x1a"), modem.restart)
        with pytest.raises(SmsUnknown):
            await within(link.sms.send(*PART))
        await until(lambda: len(told) == 2)
        assert told[1] == told[0]
        assert await within(link.sms.delete(told[1]))
        assert modem.sms_sent == []


async def test_a_full_storage_is_told_of_and_emptied(rig: Rig) -> None:
    async with rig("sim800") as (modem, link):
        told, filling = list[StoredSms](), list[SmsFill]()
        link.sms.subscribe(told.append, filling=filling.append)
        await within(link.sms.refresh())
        came = [modem.receive_sms(deliver(f"number {count}")) for count in range(25)]
        assert came == [True] * 23 + [False] * 2
        await until(lambda: len(told) == 23)
        await within(link.sms.refresh())
        assert filling == [SmsFill("ME", 23, 23)]
        seen: set[str] = set()
        while len(seen) < 25:
            for sms in {sms.pdu: sms for sms in told if sms.pdu not in seen}.values():
                assert await within(link.sms.delete(sms))
                seen.add(sms.pdu)
            await until(lambda: len({sms.pdu for sms in told}) > len(seen) or len(seen) == 25)
        assert len({sms.pdu for sms in told}) == 25


async def test_what_lay_on_the_sim_before_is_told_too(rig: Rig) -> None:
    async with rig("sim7600") as (modem, link):
        modem.receive_sms(deliver("from before"))  # the SIM's storage is the modem's own choice
        told = await listening(link)
        assert [sms.storage for sms in told][-1] == "SM"
        assert await within(link.sms.delete(told[-1]))
        assert modem.receive_sms(deliver("now"))
        await until(lambda: told[-1].storage == "ME")

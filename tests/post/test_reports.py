"""Reports from the modem to the recipients: over a scripted box for the order of the steps, over the simulated modem for the whole way."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.carrier.line import Line
from mmsproxy.carrier.sms import SmsLine
from mmsproxy.config import LineConfig
from mmsproxy.errors import LinkLost, StoreUnavailable
from mmsproxy.events import Bus
from mmsproxy.link import LinkStatus, SentParts, SmsFill, StoredSms
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.post import reports as room
from mmsproxy.post.job import Kind, Lease, RecipientState, State
from mmsproxy.post.outbox import Outbox, Parcel
from mmsproxy.post.records import Draft, Message
from mmsproxy.post.reports import Reports
from mmsproxy.post.sms import compose_sms, send_sms
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker
from mmsproxy.simulator.world import World
from mmsproxy.wap_numbers import ReadStatus, Status
from mmsproxy.wire import mms_pdu, wap_push
from mmsproxy.wire.mms_pdu import Address, DeliveryInd, NotificationInd, Pdu, ReadOrigInd
from mmsproxy.wire.sms_compose import WAP_PUSH, data_bodies, delivers, text_bodies
from mmsproxy.wire.sms_pdu import ServiceCentre, StatusReport, Timestamp, encode
from mmsproxy.wire.sms_pdu import Status as SmsStatus
from mmsproxy.wire.sms_values import Address as SmsAddress

FOREVER = 60.0  # seconds; a hang guard, not a measure
NUMBER = "+12025550123"
WHEN = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Box:
    """A modem's storage, as its owner sees it. `trouble` is raised by the next deletions."""

    def __init__(self) -> None:
        self.fill = None
        self.listeners: list[Callable[[StoredSms], None]] = []
        self.there: list[StoredSms] = []
        self.deleted: list[StoredSms] = []
        self.trouble: list[Exception] = []
        self._indexes = itertools.count(1)
        self._references = itertools.count(1)

    def subscribe(
        self, received: Callable[[StoredSms], None], *, filling: Callable[[SmsFill], None] = lambda fill: None
    ) -> Callable[[], None]:
        self.listeners.append(received)
        for sms in self.there:
            received(sms)
        return lambda: self.listeners.remove(received)

    def came(self, *pdus: str) -> None:
        for pdu in pdus:
            sms = StoredSms(pdu, len(pdu) // 2 - 1, "ME", next(self._indexes))
            self.there.append(sms)
            for listener in self.listeners:
                listener(sms)

    async def delete(self, sms: StoredSms) -> bool:
        if self.trouble:
            raise self.trouble.pop(0)
        self.there.remove(sms)
        self.deleted.append(sms)
        return True

    async def send(self, length: int, pdu: str) -> int:
        return next(self._references)

    async def send_all(self, parts: Sequence[tuple[int, str]]) -> SentParts:
        raise AssertionError("parts go one by one")

    async def refresh(self) -> None:
        for sms in tuple(self.there):
            for listener in self.listeners:
                listener(sms)


class ModemLine:
    min_interval = 0.0

    def __init__(self, name: str = "mint", box: Box | None = None) -> None:
        self.name = name
        self.sms = None if box is None else SmsLine(name, box, asyncio.Lock())
        if self.sms is not None:
            self.sms.start()


def status_report(reference: int, status: int = 0, number: str = NUMBER) -> str:
    stamp = Timestamp.of(WHEN)
    report = StatusReport(
        reference=reference,
        recipient=SmsAddress.of_number(number),
        timestamp=stamp,
        discharge=stamp,
        status=SmsStatus(status),
        smsc=ServiceCentre(),
    )
    return encode(report).hex().upper()


def push(pdu: Pdu | bytes, *, reference: int = 9) -> list[str]:
    """As the service centre sends it, in as many SMS as it takes."""
    octets = pdu if isinstance(pdu, bytes) else mms_pdu.encode(pdu)
    data = wap_push.encode(wap_push.mms_push(octets))
    bodies = data_bodies(data, reference=reference, ports=WAP_PUSH)
    return [encode(tpdu).hex().upper() for tpdu in delivers("+12025550000", bodies, when=WHEN, smsc=ServiceCentre())]


def delivery(message_id: str = "m-1", status: int = Status.RETRIEVED, to: str = NUMBER, **fields: Any) -> DeliveryInd:
    return DeliveryInd(message_id=message_id, to=Address.parse(to), status=status, date=1_800_000_000, **fields)


def read(message_id: str = "m-1", status: int = ReadStatus.READ) -> ReadOrigInd:
    return ReadOrigInd(
        message_id=message_id, from_=Address.parse(NUMBER), to=Address.parse("+12025550000"), read_status=status, date=1_800_000_000
    )


def text_sms(text: str) -> str:
    (tpdu,) = delivers(NUMBER, text_bodies(text, reference=1), when=WHEN, smsc=ServiceCentre())
    return encode(tpdu).hex().upper()


class Desk:
    """Reports at work over one box, and messages that they can be for."""

    def __init__(self, store: Store, worker: Worker, result: Callable[..., Any]) -> None:
        self.store = store
        self.worker = worker
        self.result = result
        self.box = Box()
        self.line = ModemLine(box=self.box)
        self.reports = Reports(store, [ModemLine("host"), self.line])

    async def mms(self, outcome: str = "sent", number: str = NUMBER, **fields: Any) -> str:
        message_id = (await self.store.accept([Draft((number,), delivery_report=True, read_report=True)])).messages[0].job.id
        lease = await self.store.claim(self.worker)
        assert isinstance(lease, Lease)
        lease = await self.store.begin(lease, self.worker, None)
        await self.store.last_byte(lease)
        await self.store.finish(lease, self.result(outcome, **fields))
        return message_id

    async def begin_sms(self, text: str = "hi") -> tuple[str, Callable[[], Any]]:
        """All parts are sent; the second of the pair keeps the outcome."""
        draft = Draft((NUMBER,), kind=Kind.SMS, text=text, delivery_report=True)
        message_id = (await self.store.accept([draft])).messages[0].job.id
        lease = await self.store.claim(self.worker)
        assert isinstance(lease, Lease)
        message = await self.store.message(message_id)
        parcel = compose_sms(message)
        begun = await self.store.begin(lease, self.worker, parcel.pdu, is_new=True)
        result = await send_sms(self.store)(self.line, message, parcel, lambda: self.store.last_byte(begun))  # type: ignore[arg-type]
        return message_id, lambda: self.store.finish(begun, result)

    async def sms(self, text: str = "hi") -> str:
        message_id, finish = await self.begin_sms(text)
        await finish()
        return message_id

    async def becomes(self, message_id: str, state: State) -> Message:
        message = await self.store.wait_for(message_id, lambda found: found.job.state is state, FOREVER)
        assert message.job.state is state
        return message

    async def over(self) -> None:
        """Everything that came was looked at."""
        (watch,) = self.reports._watches
        await until(lambda: watch._inbox.empty())
        await self.store.write(_nothing)


async def _nothing(tx: Any) -> None:
    return


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(FOREVER):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LATER", (0.02, 0.02))
    monkeypatch.setattr(room, "CATCH_UP", 0.01)
    monkeypatch.setattr("mmsproxy.post.insisting.STORE_PAUSES", (0.01,))


@pytest.fixture
async def desk(sqlite_store: Store, worker: Worker, result: Callable[..., Any]) -> AsyncIterator[Desk]:
    made = Desk(sqlite_store, worker, result)
    await made.reports.start()
    yield made
    await made.reports.stop()
    await made.reports.stop()
    assert made.box.listeners == []


# SMS


@pytest.mark.parametrize(("status", "state"), [(0x00, State.DELIVERED), (0x46, State.UNDELIVERED), (0x63, State.UNDELIVERED)])
async def test_a_status_report_is_stored_and_then_deleted(desk: Desk, status: int, state: State) -> None:
    message_id = await desk.sms()
    desk.box.came(status_report(1, status))
    message = await desk.becomes(message_id, state)
    assert message.recipients[0].report == SmsStatus(status).words
    await until(lambda: not desk.box.there)


async def test_one_report_for_each_part(desk: Desk) -> None:
    message_id = await desk.sms("x" * 400)
    desk.box.came(status_report(3), status_report(1))
    await until(lambda: not desk.box.there)
    assert (await desk.store.message(message_id)).job.state is State.SENT
    desk.box.came(status_report(2))
    await desk.becomes(message_id, State.DELIVERED)


async def test_a_report_before_the_outcome(desk: Desk) -> None:
    message_id, finish = await desk.begin_sms("x" * 200)
    desk.box.came(status_report(1), status_report(2))
    await until(lambda: not desk.box.there)
    assert (await desk.store.message(message_id)).job.state is State.SENDING
    await finish()
    await desk.becomes(message_id, State.DELIVERED)


async def test_a_report_before_its_reference_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """+CDS overtakes the commit behind +CMGS."""
    monkeypatch.setattr(room, "LATER", (0.02,) * 500)  # on a busy machine that commit takes its time
    desk.box.came(status_report(1))
    message_id = await desk.sms()
    await desk.becomes(message_id, State.DELIVERED)


async def test_a_report_that_fits_nothing_is_dropped_in_the_end(desk: Desk) -> None:
    desk.box.came(status_report(77))
    await until(lambda: desk.box.deleted)
    assert desk.box.there == []


async def test_unknown_by_a_crash_behind_the_last_part(sqlite_store: Store, worker: Worker, result: Any, clock: Any) -> None:
    desk = Desk(sqlite_store, worker, result)
    message_id, _ = await desk.begin_sms("x" * 200)
    clock.go(1000)
    await sqlite_store.recover("node/2")
    await desk.becomes(message_id, State.UNKNOWN)
    await desk.reports.start()
    await desk.becomes(message_id, State.SENT)
    await desk.reports.stop()


# MMS


@pytest.mark.parametrize(
    ("status", "state", "name"),
    [
        (Status.RETRIEVED, State.DELIVERED, "Retrieved"),
        (Status.FORWARDED, State.DELIVERED, "Forwarded"),
        (Status.EXPIRED, State.UNDELIVERED, "Expired"),
        (Status.REJECTED, State.UNDELIVERED, "Rejected"),
        (Status.DEFERRED, State.SENT, "Deferred"),
        (Status.INDETERMINATE, State.SENT, "Indeterminate"),
    ],
)
async def test_a_delivery_report(desk: Desk, status: int, state: State, name: str) -> None:
    message_id = await desk.mms()
    desk.box.came(*push(delivery(status=status)))
    await until(lambda: desk.box.deleted)
    message = await desk.becomes(message_id, state)
    assert message.recipients[0].report == name
    assert desk.box.there == []


async def test_a_reserved_status_is_kept_by_its_octet(desk: Desk) -> None:
    message_id = await desk.mms()
    octets = mms_pdu.encode(delivery()).replace(b"\x95\x81", b"\x95\x9f")
    desk.box.came(*push(octets))
    await until(lambda: desk.box.deleted)
    message = await desk.store.message(message_id)
    assert (message.job.state, message.recipients[0].report) == (State.SENT, "0x9F")


async def test_a_read_report_in_several_parts_out_of_order(desk: Desk) -> None:
    name = "m-" + "1" * 150
    message_id = await desk.mms(carrier_message_id=name)
    parts = push(read(name))
    assert len(parts) == 2
    desk.box.came(parts[1])
    await desk.over()
    assert desk.box.deleted == []
    desk.box.came(parts[0])
    message = await desk.becomes(message_id, State.READ)
    assert message.recipients[0].report == "Read"
    await until(lambda: len(desk.box.deleted) == 2)


async def test_deleted_without_being_read_changes_nothing(desk: Desk) -> None:
    message_id = await desk.mms()
    desk.box.came(*push(read(status=ReadStatus.DELETED_WITHOUT_BEING_READ)))
    await until(lambda: desk.box.deleted)
    message = await desk.store.message(message_id)
    assert (message.job.state, message.recipients[0].report) == (State.SENT, "Deleted without being read")


async def test_a_delivery_report_settles_the_only_message_in_doubt(desk: Desk) -> None:
    message_id = await desk.mms("unknown")
    desk.box.came(*push(delivery("m-never-heard-of")))
    message = await desk.becomes(message_id, State.DELIVERED)
    assert (message.settled_by, message.carrier_message_id) == ("report", "m-never-heard-of")


async def test_a_reference_that_comes_again_belongs_to_another_message(desk: Desk) -> None:
    name = "m-" + "1" * 150
    message_id = await desk.mms(carrier_message_id=name)
    other, mine = push(delivery("m-" + "2" * 150)), push(delivery(name))
    desk.box.came(other[0])
    desk.box.came(*mine)
    await desk.becomes(message_id, State.DELIVERED)
    await until(lambda: len(desk.box.deleted) == 2)
    assert [sms.pdu for sms in desk.box.there] == [other[0]]


# What is not touched


async def test_everything_else_stays_in_the_modem(desk: Desk) -> None:
    message_id = await desk.mms()
    notification = NotificationInd(transaction_id="T9", content_location="http://mmsc/x", message_class=0x80, message_size=1, expiry=None)
    others = [
        text_sms("hello"),
        *push(mms_pdu.encode(notification)),
        *push(b"\x8c"),  # ends before its type
        *push(b"not an MMS"),
        "0004",  # no TPDU
        *push(b"\x8c\x86\x8d\x92"),  # a report that says nothing of nobody
    ]
    desk.box.came(*others)
    desk.box.came(*push(delivery()))
    await desk.becomes(message_id, State.DELIVERED)
    await until(lambda: desk.box.deleted)
    assert [sms.pdu for sms in desk.box.there] == others


def test_parts_without_end_are_bounded() -> None:
    pushes = room._Pushes()
    for number in range(3 * room.MAX_PUSHES):
        (first, _) = push(delivery("m-" + "1" * 150), reference=number % 256)
        sms = StoredSms(first, len(first) // 2 - 1, "ME", number)
        tpdu = room.sms_pdu.decode_listed(first, sms.length)
        assert isinstance(tpdu, room.Deliver)
        assert pushes.add(sms, tpdu) == ()
    assert len(pushes.parts) <= room.MAX_PUSHES


# What goes wrong


async def test_nothing_is_deleted_before_it_is_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id, real = await desk.mms(), desk.store.database.write
    away = 5

    async def flaky(op: Any) -> Any:
        nonlocal away
        if "heard" in getattr(op, "keywords", {}) and away:
            away -= 1
            assert desk.box.deleted == []
            raise StoreUnavailable("the database is away")
        return await real(op)

    monkeypatch.setattr(desk.store.database, "write", flaky)
    desk.box.came(*push(delivery()))
    await desk.becomes(message_id, State.DELIVERED)
    await until(lambda: desk.box.deleted)
    assert away == 0


async def test_a_report_that_cannot_be_deleted_is_told_again(desk: Desk) -> None:
    message_id = await desk.sms()
    desk.box.trouble = [LinkLost("unplugged")]
    desk.box.came(status_report(1))
    await desk.becomes(message_id, State.DELIVERED)
    await until(lambda: not desk.box.trouble)
    assert len(desk.box.there) == 1
    await desk.box.refresh()
    await until(lambda: desk.box.deleted)
    assert (await desk.store.message(message_id)).job.state is State.DELIVERED


async def test_a_fault_of_ours_does_not_make_it_deaf(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = await desk.sms()
    monkeypatch.setattr(room, "_status_report", lambda *_: 1 / 0)
    desk.box.came(status_report(1))
    await desk.over()
    monkeypatch.undo()
    desk.box.came(status_report(1))
    await desk.becomes(message_id, State.DELIVERED)


async def test_what_came_while_nobody_was_there(sqlite_store: Store, worker: Worker, result: Any) -> None:
    desk = Desk(sqlite_store, worker, result)
    message_id = await desk.sms()
    desk.box.came(status_report(1))
    await desk.reports.start()
    await desk.becomes(message_id, State.DELIVERED)
    await desk.reports.stop()
    desk.box.came(status_report(1))
    assert len(desk.box.there) == 1


# Over the simulated modem


async def compose(message: Message, line: Any) -> Parcel:
    return compose_sms(message)


@pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
async def test_from_the_queue_to_delivered(tmp_path: Path, dialect: str) -> None:
    """Where reports come directly, and where they are stored."""
    ids = itertools.count()
    store = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=time.time,
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    async with World(dialect) as world:
        given = {"apn": "simulator", "mmsc": world.mmsc_url}
        settings = LineConfig.model_validate({"name": "sim", "min_interval": 0, "modem": {"port": str(world.modem.path)}, "carrier": given})
        bus = Bus()
        line = Line(settings, ModemLink("sim", ModemSettings(settings.modem.port, apn="simulator"), bus=bus), bus=bus)
        reports = Reports(store, [line])
        outbox = Outbox(store, [line], owner="node/1", compose=compose, send={Kind.SMS: send_sms(store)}, poll=0.05)
        await reports.start()
        await line.start()
        await until(lambda: line.state.status >= LinkStatus.ATTACHED)
        await outbox.start()
        drafts = [Draft((NUMBER,), kind=Kind.SMS, text=text, delivery_report=True) for text in ("hi", "x" * 400)]
        drafts.append(Draft((NUMBER,), kind=Kind.SMS, text="no report, please"))
        accepted = (await store.accept(drafts)).messages
        wanted = (State.DELIVERED, State.DELIVERED, State.SENT)
        for message, state in zip(accepted, wanted, strict=True):
            found = await store.wait_for(message.job.id, lambda found, state=state: found.job.state is state, FOREVER)
            assert found.job.state is state, found.job.error
        assert world.modem.receive_sms(text_sms("hello"))
        await asyncio.gather(outbox.stop(5), line.stop(0))
        await reports.stop()
        left = [slot.pdu for storage in world.modem.messages.storages.values() for slot in storage.slots.values()]
        assert left == [text_sms("hello")]
    await store.close()


async def test_recipients_of_both_kinds_are_named_as_the_store_does(desk: Desk) -> None:
    message_id = await desk.mms(number="2025550123")
    desk.box.came(*push(delivery(to="+12025550123")))
    message = await desk.becomes(message_id, State.DELIVERED)
    assert message.recipients[0].state is RecipientState.DELIVERED

"""An SMS from the queue to the modem: over a scripted box for each fault at each part, and over the simulated modem."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.at import sms as at_sms
from mmsproxy.carrier.attempt import Outcome
from mmsproxy.carrier.line import Line
from mmsproxy.carrier.sms import SmsLine
from mmsproxy.config import LineConfig
from mmsproxy.errors import AtTimeout, LinkLost, MmsproxyError, PduError, SmsRefused, SmsUnknown, StoreUnavailable
from mmsproxy.events import Bus
from mmsproxy.link import LinkState, LinkStatus, Phase, SentParts, SmsFill
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.post import sms_parts
from mmsproxy.post.job import Job, Kind, Lease, State
from mmsproxy.post.outbox import Outbox, Parcel
from mmsproxy.post.policy import Limits, UnknownPolicy
from mmsproxy.post.records import Draft, Message, Pdu
from mmsproxy.post.sms import NoSmsHere, compose_sms, pieces_of, send_sms
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker
from mmsproxy.simulator.world import World
from mmsproxy.wire.sms_parts import joined_text
from mmsproxy.wire.sms_pdu import Deliver, Direction, Submit, decode_hex
from mmsproxy.wire.sms_schema import STATUS_REPORT_REQUEST

FOREVER = 60.0  # seconds; a hang guard, not a measure
NUMBER = "+12025550123"
THREE_PARTS = "x" * 400
BUSY = SmsRefused("+CMS ERROR: 42", cms=42)
NO_SUCH_NUMBER = SmsRefused("+CMS ERROR: 1", cms=1)
UNKNOWN = SmsUnknown("silence behind Ctrl-Z")

Step = MmsproxyError | None | Callable[[], Awaitable[None]]


class Box:
    """Takes each part as the script says: an error to raise, something to do first, or None; gives references in order."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.sent: list[str] = []
        self.offered: list[str] = []
        self.fill = None
        self._references = itertools.count(1)

    def subscribe(self, received: Callable[..., None], *, filling: Callable[[SmsFill], None] = lambda fill: None) -> Callable[[], None]:
        raise AssertionError("never asked")

    async def send(self, length: int, pdu: str) -> int:
        step = self.script.pop(0) if self.script else None
        if not isinstance(step, MmsproxyError) or isinstance(step, SmsUnknown):
            self.offered.append(pdu)
        if isinstance(step, MmsproxyError):
            raise step
        if step is not None:
            await step()
        self.sent.append(pdu)
        return next(self._references)

    async def send_all(self, parts: Sequence[tuple[int, str]]) -> SentParts:
        raise AssertionError("parts go one by one")

    async def delete(self, sms: Any) -> bool:
        return True

    async def refresh(self) -> None:
        return


class ModemLine:
    """A line over a box; `sms` None is a line without a modem."""

    min_interval = 0.0
    state = LinkState(LinkStatus.ATTACHED)

    def __init__(self, name: str = "mint", *, has_modem: bool = True) -> None:
        self.name = name
        self.box = Box()
        self.sms = SmsLine(name, self.box, asyncio.Lock()) if has_modem else None
        if self.sms is not None:
            self.sms.start()

    async def post(self, *arguments: Any, **options: Any) -> Any:
        raise AssertionError("this is no MMS")


async def compose(message: Message, line: Any) -> Parcel:
    return compose_sms(message)


class Office:
    """An outbox over some lines, and what is known of a message."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.outbox: Outbox | None = None

    async def start(self, *lines: Any) -> None:
        send = {Kind.SMS: send_sms(self.store)}
        self.outbox = Outbox(self.store, lines, owner="node/1", compose=compose, send=send, poll=0.02, jitter=lambda: 0.5)
        await self.outbox.start()

    async def accept(self, text: str = "hi", *numbers: str, **fields: Any) -> str:
        draft = Draft(numbers or (NUMBER,), kind=Kind.SMS, text=text, **fields)
        return (await self.store.accept([draft])).messages[0].job.id

    async def becomes(self, message_id: str, *states: State) -> Job:
        message = await self.store.wait_for(message_id, lambda found: found.job.state in states, FOREVER)
        assert message.job.state in states, (message.job.state, message.job.error)
        return message.job

    async def parts(self, job: Job) -> list[tuple[str, int | None]]:
        rows = await self.store.read(lambda run: sms_parts.parts_of(run, job.seq))
        return [(row.state.value, row.reference) for row in rows]


@pytest.fixture
async def office(sqlite_store: Store) -> AsyncIterator[Office]:
    made = Office(sqlite_store)
    yield made
    if made.outbox is not None:
        await made.outbox.stop(5)


def text_of(pdus: Sequence[str]) -> str | None:
    """What a phone makes of the parts."""
    submits = [decode_hex(pdu, direction=Direction.MO) for pdu in pdus]
    stamp: Any = None
    return joined_text(
        Deliver(originator=one.destination, timestamp=stamp, user_data=one.user_data, dcs=one.dcs, first_octet=one.first_octet)
        for one in submits
        if isinstance(one, Submit)
    )


# What leaves.


async def test_the_octets_are_kept_and_come_back(office: Office) -> None:
    message_id = await office.accept("ä" * 100, NUMBER, "+12025550199", delivery_report=True)
    message = await office.store.message(message_id)
    parcel = compose_sms(message)
    pieces = pieces_of(parcel.pdu.data)
    assert parcel.is_new
    assert [(piece.n, piece.recipient) for piece in pieces] == [(0, 0), (1, 1)]
    for piece, recipient in zip(pieces, message.recipients, strict=True):
        submit = decode_hex(piece.part.pdu, direction=Direction.MO)
        assert isinstance(submit, Submit)
        assert (submit.destination.number, submit.text) == (recipient.number, "ä" * 100)
        assert submit.first_octet & STATUS_REPORT_REQUEST


async def test_messages_that_follow_each_other_have_different_references(office: Office) -> None:
    seen = []
    for _ in range(3):
        message = await office.store.message(await office.accept(THREE_PARTS))
        submit = decode_hex(pieces_of(compose_sms(message).pdu.data)[0].part.pdu, direction=Direction.MO)
        assert isinstance(submit, Submit)
        assert submit.user_data.header is not None
        assert submit.user_data.header.concatenation is not None
        seen.append(submit.user_data.header.concatenation.reference)
    assert len(set(seen)) == 3


@pytest.mark.parametrize("data", [b"", b"\x8c\x80\x98", b"0 15\n", b"a 15 00\n", b"0 x 00\n", "0 1 ä".encode()])
def test_octets_that_are_no_sms(data: bytes) -> None:
    with pytest.raises(NoSmsHere):
        pieces_of(data)


async def test_a_text_that_no_sms_can_carry(office: Office) -> None:
    message = await office.store.message(await office.accept("x" * 153 * 256))
    with pytest.raises(PduError, match="too-many-parts"):
        compose_sms(message)


# From the queue to the box.


@pytest.mark.parametrize("text", ["hi", "Grüße, 你好 " * 30, THREE_PARTS])
async def test_sent(office: Office, text: str) -> None:
    line = ModemLine()
    message_id = await office.accept(text)
    await office.start(line)
    job = await office.becomes(message_id, State.SENT)
    assert text_of(line.box.sent) == text
    assert await office.parts(job) == [("sent", n + 1) for n in range(len(line.box.sent))]
    (attempt,) = await office.store.attempts(job)
    assert (attempt.outcome, attempt.phase, attempt.tries) == (Outcome.SENT, Phase.ANSWER_WHOLE, len(line.box.sent))
    octets = sum(len(pdu) // 2 - 1 for pdu in line.box.sent)  # without the octet for the service centre
    assert (attempt.bytes_offered, attempt.bytes_total, (await office.store.message(message_id)).size) == (octets, octets, octets)
    assert attempt.bytes_offered == sum(len(pdu) // 2 - 1 for pdu in line.box.sent)
    assert attempt.last_byte_at is not None


async def test_last_byte_is_committed_before_each_part(office: Office) -> None:
    line, seen = ModemLine(), []

    async def look() -> None:
        job = (await office.store.page()).messages[0].job
        seen.append((job.state, job.in_doubt, await office.parts(job)))

    line.box.script = [look, look]
    message_id = await office.accept("x" * 200)
    await office.start(line)
    await office.becomes(message_id, State.SENT)
    assert seen == [(State.SENDING, True, [("begun", None)]), (State.SENDING, True, [("sent", 1), ("begun", None)])]


@pytest.mark.parametrize(
    ("script", "state", "code", "phase", "parts"),
    [
        ([AtTimeout("no prompt")], State.RETRYING, "at_timeout", Phase.NO_BEARER, ["failed"]),
        ([LinkLost("unplugged")], State.RETRYING, "modem_lost", Phase.NO_BEARER, ["failed"]),
        ([BUSY], State.RETRYING, "sms_refused", Phase.ANSWER_WHOLE, ["failed"]),
        ([NO_SUCH_NUMBER], State.FAILED, "sms_refused", Phase.ANSWER_WHOLE, ["failed"]),
        ([UNKNOWN], State.UNKNOWN, "sms_unknown", Phase.LAST_BYTE, ["unknown"]),
        ([None, AtTimeout("no prompt")], State.RETRYING, "at_timeout", Phase.PART_OFFERED, ["sent", "failed"]),
        ([None, LinkLost("unplugged")], State.RETRYING, "modem_lost", Phase.PART_OFFERED, ["sent", "failed"]),
        ([None, BUSY], State.RETRYING, "sms_refused", Phase.ANSWER_WHOLE, ["sent", "failed"]),
        ([None, NO_SUCH_NUMBER], State.PARTIAL, "sms_refused", Phase.ANSWER_WHOLE, ["sent", "failed"]),
        ([None, None, UNKNOWN], State.UNKNOWN, "sms_unknown", Phase.LAST_BYTE, ["sent", "sent", "unknown"]),
    ],
)
async def test_what_fails(office: Office, script: list[Step], state: State, code: str, phase: Phase, parts: list[str]) -> None:
    line = ModemLine()
    line.box.script = list(script)
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    job = await office.becomes(message_id, state)
    assert [part for part, _ in await office.parts(job)] == parts
    assert job.error is not None
    assert (job.error.code, job.error.phase) == (code, phase)
    sent = parts.count("sent")
    assert f"{sent} of 3 parts were sent" in job.error.detail
    assert len(line.box.sent) == sent
    other = await office.accept()  # the line goes on
    await office.becomes(other, State.SENT)


async def test_a_retry_sends_only_what_was_not_sent(office: Office, clock: Any) -> None:
    line = ModemLine()
    line.box.script = [None, BUSY, None, LinkLost("unplugged")]
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    for pause in (6, 40):
        await office.becomes(message_id, State.RETRYING)
        clock.go(pause)
        await office.store.wait_for(message_id, lambda found, pause=pause: found.job.attempts > (pause > 6) + 1, FOREVER)
    job = await office.becomes(message_id, State.SENT)
    assert job.attempts == 3
    assert len(line.box.sent) == len(set(line.box.sent)) == 3
    assert text_of(line.box.sent) == THREE_PARTS
    assert await office.parts(job) == [("sent", 1), ("sent", 2), ("sent", 3)]


async def test_the_parts_stay_on_the_line_that_sent_the_first(office: Office, clock: Any) -> None:
    """From two numbers they would never be joined."""
    first, second = ModemLine("a"), ModemLine("b")
    first.box.script = second.box.script = [None, BUSY]
    message_id = await office.accept(THREE_PARTS)
    await office.start(first, second)
    await office.becomes(message_id, State.RETRYING)
    clock.go(6)
    await office.becomes(message_id, State.SENT)
    assert sorted((len(first.box.sent), len(second.box.sent))) == [0, 3]


async def test_given_up_with_some_parts_sent_is_partial(office: Office, clock: Any) -> None:
    line = ModemLine()
    line.box.script = [None, BUSY, BUSY]
    message_id = await office.accept(THREE_PARTS, valid_for=30.0)
    await office.start(line)
    await office.becomes(message_id, State.RETRYING)
    clock.go(6)
    job = await office.becomes(message_id, State.PARTIAL)  # the next try would come 30 s later
    assert len(line.box.sent) == 1
    assert job.error is not None
    assert not job.error.retryable


async def test_given_up_with_no_part_sent_is_expired(office: Office, clock: Any) -> None:
    line = ModemLine()
    line.box.script = [BUSY, BUSY]
    message_id = await office.accept(THREE_PARTS, valid_for=30.0)
    await office.start(line)
    await office.becomes(message_id, State.RETRYING)
    clock.go(6)
    await office.store.wait_for(message_id, lambda found: found.job.attempts == 2 and found.job.state is State.RETRYING, FOREVER)
    clock.go(60)
    await office.store.sweep()
    await office.becomes(message_id, State.EXPIRED)
    assert line.box.sent == []


async def test_the_kill_switch_works_between_two_parts(office: Office) -> None:
    line = ModemLine()
    line.box.script = [office.store.pause]
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    job = await office.becomes(message_id, State.RETRYING)
    assert job.error is not None
    assert (job.error.code, len(line.box.sent), job.failures) == ("lease_lost", 1, 0)
    await office.store.resume()
    await office.becomes(message_id, State.SENT)
    assert text_of(line.box.sent) == THREE_PARTS


async def test_a_stop_between_two_parts(office: Office) -> None:
    line = ModemLine()
    assert line.sms is not None

    async def stopped() -> None:
        assert line.sms is not None
        line.sms._is_open = False  # as stop does at once; it waits for this part then

    line.box.script = [stopped]
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    job = await office.store.wait_for(message_id, lambda found: len(line.box.sent) == 1 and found.job.state is State.RETRYING, FOREVER)
    assert job.job.error is not None
    assert job.job.error.code == "stopping"
    line.sms.start()
    await office.becomes(message_id, State.SENT)
    assert text_of(line.box.sent) == THREE_PARTS


async def test_sent_again_by_a_person_only_what_was_in_doubt_and_what_was_not_begun(office: Office) -> None:
    line = ModemLine()
    line.box.script = [None, UNKNOWN]
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    await office.becomes(message_id, State.UNKNOWN)
    await office.store.retry(message_id, accept_duplicate_risk=True)
    await office.becomes(message_id, State.SENT)
    assert text_of(line.box.sent) == THREE_PARTS
    assert len(line.box.offered) == 4


async def test_sent_again_by_the_policy(office: Office, clock: Any) -> None:
    office.store.limits = Limits(unknown=UnknownPolicy.RESEND_SAME_TID)
    line = ModemLine()
    line.box.script = [None, UNKNOWN]
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    await office.becomes(message_id, State.UNKNOWN)
    clock.go(61)
    await office.store.sweep()
    await office.becomes(message_id, State.SENT)
    assert len(line.box.offered) == 4


async def test_a_line_without_a_modem(office: Office, clock: Any) -> None:
    """A message that is bound to it has failed; one for any line is not even tried and waits for another."""
    host = ModemLine("host", has_modem=False)
    bound, free = await office.accept(line="host"), await office.accept()
    await office.start(host)
    assert (await office.becomes(bound, State.FAILED)).error.code == "no_sms"  # type: ignore[union-attr]
    waiting = (await office.store.message(free)).job
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 0)


async def test_kept_octets_that_are_no_sms(office: Office) -> None:
    line = ModemLine()
    message_id = await office.accept(pdu=Pdu(b"\x8c\x80"))
    await office.start(line)
    job = await office.becomes(message_id, State.RETRYING)
    assert job.error is not None
    assert job.error.code == "no_sms"
    assert line.box.offered == []


# The store goes away, and the process.


async def test_the_end_of_a_part_waits_for_the_store(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.post.insisting.STORE_PAUSES", (0.01,))
    line, real = ModemLine(), office.store.database.write
    away = 3

    async def flaky(op: Any) -> Any:
        nonlocal away
        if getattr(op, "func", None) is sms_parts.end and away:
            away -= 1
            raise StoreUnavailable("the database is away")
        return await real(op)

    monkeypatch.setattr(office.store.database, "write", flaky)
    message_id = await office.accept("x" * 200)
    await office.start(line)
    await office.becomes(message_id, State.SENT)
    assert (away, len(line.box.sent)) == (0, 2)


@pytest.mark.parametrize("step", [sms_parts.begin, "last_byte"])
async def test_nothing_leaves_while_the_store_is_away(office: Office, monkeypatch: pytest.MonkeyPatch, step: Any) -> None:
    line, real = ModemLine(), office.store.database.write
    away = True

    async def flaky(op: Any) -> Any:
        func = getattr(op, "func", None)
        if away and (func is step or getattr(func, "__name__", "") == step):
            raise StoreUnavailable("the database is away")
        return await real(op)

    monkeypatch.setattr(office.store.database, "write", flaky)
    message_id = await office.accept()
    await office.start(line)
    job = await office.becomes(message_id, State.RETRYING)
    assert job.error is not None
    assert (job.error.code, line.box.offered) == ("unavailable", [])


@pytest.mark.parametrize(
    ("crash_in", "state", "left_then"),
    [(0, State.UNKNOWN, 0), (1, State.UNKNOWN, 1), (2, State.UNKNOWN, 2)],
)
async def test_a_crash_while_a_part_is_with_the_modem(office: Office, clock: Any, crash_in: int, state: State, left_then: int) -> None:
    line, stuck = ModemLine(), asyncio.Event()

    async def hang() -> None:
        stuck.set()
        await asyncio.Event().wait()

    line.box.script = [*[None] * crash_in, hang]
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    async with asyncio.timeout(FOREVER):
        await stuck.wait()
    await crash(office)
    await office.store.recover("node/2")
    job = await office.becomes(message_id, state)
    assert [part for part, _ in await office.parts(job)] == ["sent"] * left_then + ["begun"]
    clock.go(100)
    again = ModemLine()
    await office.start(again)
    other = await office.accept()
    await office.becomes(other, State.SENT)
    assert len(again.box.sent) == 1  # the message in doubt is not sent by itself


async def crash(office: Office) -> None:
    """As the process would be gone: nothing of it is written any more."""
    assert office.outbox is not None
    for task in (*office.outbox._tasks, office.outbox._renewal):
        assert task is not None
        task.cancel()
        await asyncio.wait({task})
    office.outbox = None


async def test_a_crash_between_two_parts_goes_on_with_the_next(office: Office, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first part's end is kept, the second one was not begun: nothing is in doubt."""
    line, stuck, real = ModemLine(), asyncio.Event(), office.store.database.write

    async def stops(op: Any) -> Any:
        if getattr(op, "func", None) is sms_parts.begin and op.keywords["n"] == 1:
            stuck.set()
            await asyncio.Event().wait()
        return await real(op)

    monkeypatch.setattr(office.store.database, "write", stops)
    message_id = await office.accept(THREE_PARTS)
    await office.start(line)
    async with asyncio.timeout(FOREVER):
        await stuck.wait()
    await crash(office)
    monkeypatch.undo()
    await office.store.recover("node/2")
    await office.becomes(message_id, State.RETRYING)
    clock.go(6)
    await office.start(line)
    await office.becomes(message_id, State.SENT)
    assert len(line.box.sent) == len(set(line.box.sent)) == 3
    assert text_of(line.box.sent) == THREE_PARTS


async def test_all_parts_sent_before_and_the_outcome_lost(office: Office, clock: Any, worker: Worker) -> None:
    """Nothing is left to send; a person's retry finds that out."""
    message_id = await office.accept("x" * 200)
    lease = await office.store.claim(worker)
    assert isinstance(lease, Lease)
    message = await office.store.message(message_id)
    parcel = compose_sms(message)
    begun = await office.store.begin(lease, worker, parcel.pdu, is_new=True)
    line = ModemLine()

    async def last_byte() -> None:
        await office.store.last_byte(begun)

    result = await send_sms(office.store)(line, message, parcel, last_byte)
    assert (result.outcome, len(line.box.sent)) == (Outcome.SENT, 2)
    clock.go(1000)
    await office.store.recover("node/2")
    await office.becomes(message_id, State.UNKNOWN)
    await office.store.retry(message_id, accept_duplicate_risk=True)
    await office.start(line)
    job = await office.becomes(message_id, State.SENT)
    assert (job.attempts, len(line.box.sent)) == (2, 2)


# Over the simulated modem.


class Skewed:
    """The wall clock, set forward."""

    skew = 0.0

    def __call__(self) -> float:
        return time.time() + self.skew


@asynccontextmanager
async def real_office(folder: Path, dialect: str) -> AsyncIterator[tuple[World, Line, Office]]:
    ids = itertools.count()
    store = await open_store(
        f"sqlite+aiosqlite:///{folder}/post.db",
        media=folder / "media",
        clock=Skewed(),
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    async with World(dialect, link=folder / "modem") as world:
        given = {"apn": "simulator", "mmsc": world.mmsc_url}
        settings = LineConfig.model_validate({"name": "sim", "min_interval": 0, "modem": {"port": str(folder / "modem")}, "carrier": given})
        bus = Bus()
        line = Line(settings, ModemLink("sim", ModemSettings(settings.modem.port, apn="simulator"), bus=bus), bus=bus)
        await line.start()
        await until(lambda: line.state.status >= LinkStatus.ATTACHED)
        office = Office(store)
        await office.start(line)
        yield world, line, office
        assert office.outbox is not None
        await asyncio.gather(office.outbox.stop(5), line.stop(0))
    await store.close()


@pytest.mark.parametrize("dialect", ["sim800", "sim7600", "quectel"])
async def test_over_the_simulated_modem(tmp_path: Path, dialect: str) -> None:
    text = "Grüße aus dem Modem – 你好 " * 12
    async with real_office(tmp_path, dialect) as (world, _, office):
        short, long = await office.accept(), await office.accept(text)
        for message_id in (short, long):
            await office.becomes(message_id, State.SENT)
        pdus = [sms.pdu for sms in world.modem.sms_sent]
        assert (text_of(pdus[:1]), text_of(pdus[1:])) == ("hi", text)
        job = (await office.store.message(long)).job
        references = [sms.reference for sms in world.modem.sms_sent[1:]]
        assert await office.parts(job) == [("sent", reference) for reference in references]


@pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
async def test_refusals_of_the_simulated_network(tmp_path: Path, dialect: str) -> None:
    async with real_office(tmp_path, dialect) as (world, _, office):
        world.modem.faults.replace("+CMGS: 2", "+CMS ERROR: 28")
        refused = await office.accept(THREE_PARTS)
        job = await office.becomes(refused, State.PARTIAL)
        assert job.error is not None
        assert "unidentified subscriber" in job.error.detail
        world.modem.lose_coverage()
        waiting = await office.accept()
        job = await office.becomes(waiting, State.RETRYING)
        assert job.error is not None
        world.modem.regain_coverage()


@pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
async def test_no_answer_behind_ctrl_z(tmp_path: Path, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_sms, "SEND_TIMEOUT", 0.3)
    async with real_office(tmp_path, dialect) as (world, line, office):
        assert line.sms is not None
        await line.sms.box.refresh()  # the modem is set up for SMS, so that the next OK is that of +CMGS
        world.modem.faults.lose("+CMGS")
        world.modem.faults.lose("OK")
        message_id = await office.accept(THREE_PARTS)
        job = await office.becomes(message_id, State.UNKNOWN)
        assert await office.parts(job) == [("unknown", None)]
        assert len(world.modem.sms_sent) == 1


@pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
async def test_unplugged_between_two_parts(tmp_path: Path, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with real_office(tmp_path, dialect) as (world, line, office):
        assert line.sms is not None
        box, real, plugged = line.sms.box, line.sms.box.send, True

        async def send(length: int, pdu: str) -> int:
            nonlocal plugged
            reference = await real(length, pdu)
            if plugged:
                plugged = False
                world.modem.unplug()
            return reference

        monkeypatch.setattr(box, "send", send)
        message_id = await office.accept(THREE_PARTS)
        job = await office.becomes(message_id, State.RETRYING)
        assert await office.parts(job) == [("sent", 1), ("failed", None)]
        world.modem.replug()
        await until(lambda: line.state.status >= LinkStatus.ATTACHED)
        office.store.database.now.skew += 10  # type: ignore[attr-defined]
        await office.becomes(message_id, State.SENT)
        assert text_of([sms.pdu for sms in world.modem.sms_sent]) == THREE_PARTS
        assert len(world.modem.sms_sent) == 3


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(FOREVER):
        while not condition():
            await asyncio.sleep(0.01)

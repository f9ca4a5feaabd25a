"""The workers: over a scripted line for the order of the steps, over the simulated modem and MMSC for the real thing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Answer, Attempt, Awaited, Timings, Trial, judge
from mmsproxy.carrier.line import Line
from mmsproxy.config import LineConfig
from mmsproxy.errors import (
    AnswerTimeout,
    ConnectError,
    Fault,
    HeaderError,
    LineStopped,
    LinkLost,
    MmsproxyError,
    StoreError,
    StoreUnavailable,
)
from mmsproxy.events import Bus
from mmsproxy.link import LinkState, LinkStatus, Phase
from mmsproxy.modem_link import ModemLink
from mmsproxy.post.caps import Caps
from mmsproxy.post.job import Door, Job, Kind, Result, State
from mmsproxy.post.outbox import Outbox, Parcel
from mmsproxy.post.policy import Limits
from mmsproxy.post.records import Draft, Message, NewMedia, Pdu
from mmsproxy.post.store import Store, open_store
from mmsproxy.server import modem_settings
from mmsproxy.simulator.world import World

MakeDraft = Callable[..., Draft]
Hook = Callable[[], Awaitable[None]]
FOREVER = 60.0  # seconds; a hang guard, not a measure


def conf(status: int = 0x80, transaction_id: str = "T1") -> bytes:
    return b"\x8c\x81\x98" + transaction_id.encode() + b"\x00\x8d\x92\x92" + bytes([status]) + b"\x8bm-1\x00"


@dataclass
class ScriptedLine:
    """Posts as its script says, an answer or an error each; notes what it was asked and what was committed when."""

    name: str = "mint"
    min_interval: float = 0.0
    sms: Any = None
    status: LinkStatus = LinkStatus.ATTACHED
    script: list[Any] = field(default_factory=list)
    posts: list[bytes] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    before: Hook | None = None
    after: Hook | None = None

    @property
    def state(self) -> LinkState:
        return LinkState(self.status)

    async def rouse(self) -> bool:
        return self.status is not LinkStatus.DOWN

    async def post(
        self,
        pdu: bytes,
        headers: Sequence[tuple[str, str]] = (),
        *,
        transaction_id: str | None = None,
        awaited: Awaited = Awaited.SEND_CONF,
        before_last_byte: Hook,
        budget: float = 0.0,
    ) -> Attempt:
        self.asked.append({"headers": headers, "transaction_id": transaction_id, "awaited": awaited})
        step = self.script.pop(0) if self.script else conf()
        if self.before is not None:
            await self.before()
        if isinstance(step, tuple):  # a failure before the last byte
            return self._judged(Phase.OPEN, error=step[0])
        try:
            await before_last_byte()
        except MmsproxyError as error:
            return self._judged(Phase.PART_OFFERED, error=error)
        self.posts.append(pdu)
        if self.after is not None:
            await self.after()
        if isinstance(step, MmsproxyError):
            return self._judged(Phase.LAST_BYTE, error=step)
        if isinstance(step, BaseException):
            raise step
        return self._judged(Phase.ANSWER_WHOLE, Answer(200, (), step), transaction_id=transaction_id)

    def _judged(self, phase: Phase, answer: Answer | None = None, error: MmsproxyError | None = None, **options: Any) -> Attempt:
        return judge(Trial(phase, answer, error, Timings(), 1, 1), **options)


class Running:
    """An outbox at work, and the wait for what becomes of a message."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.outbox: Outbox | None = None

    async def start(self, *lines: Any, **options: Any) -> None:
        self.outbox = Outbox(self.store, lines, owner="node/1", **{"poll": 0.02, "jitter": lambda: 0.5, **options})
        await self.outbox.start()

    async def becomes(self, message_id: str, *states: State) -> Job:
        message = await self.store.wait_for(message_id, lambda found: found.job.state in states, FOREVER)
        assert message.job.state in states
        return message.job


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """The outbox does not know which engine it is; one test below runs it on both."""
    return sqlite_store


@pytest.fixture
async def running(store: Store) -> AsyncIterator[Running]:
    run = Running(store)
    yield run
    if run.outbox is not None:
        await run.outbox.stop(5)


async def accept(store: Store, draft: Draft) -> str:
    return (await store.accept([draft])).messages[0].job.id


async def test_steps_are_committed_before_they_are_made(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine()
    seen = []

    async def look() -> None:
        job = (await store.page()).messages[0].job
        seen.append((job.state, job.last_byte_at is not None, len(line.posts)))

    line.before = line.after = look
    message_id = await accept(store, draft(pdu=Pdu(b"\x8c\x80one", (("X-Mine", "1"),))))
    await running.start(line)
    job = await running.becomes(message_id, State.SENT)
    assert seen == [(State.SENDING, False, 0), (State.SENDING, True, 1)]
    assert line.posts == [b"\x8c\x80one"]
    assert line.asked == [{"headers": (("X-Mine", "1"),), "transaction_id": "T1", "awaited": Awaited.SEND_CONF}]
    assert (await store.pdu(job, "answer")).data == conf()


@pytest.mark.parametrize(
    ("step", "state", "posted"),
    [
        (conf(0xC4), State.PARTIAL, 1),
        (conf(0xE0), State.FAILED, 1),
        (conf(0xC0), State.RETRYING, 1),
        (conf(transaction_id="T2"), State.UNKNOWN, 1),
        (b"<html>no credit</html>", State.UNKNOWN, 1),
        (AnswerTimeout("no answer"), State.UNKNOWN, 1),
        ((ConnectError("refused"),), State.RETRYING, 0),
        ((LinkLost("unplugged"),), State.RETRYING, 0),
        (KeyError("a fault of ours"), State.UNKNOWN, 1),
    ],
)
async def test_outcomes(store: Store, running: Running, draft: MakeDraft, step: Any, state: State, posted: int) -> None:
    line = ScriptedLine(script=[step])
    message_id = await accept(store, draft())
    await running.start(line)
    await running.becomes(message_id, state)
    assert len(line.posts) == posted
    other = await accept(store, draft())  # the line goes on
    await running.becomes(other, State.SENT)


async def test_a_retry_is_the_same_transaction(store: Store, running: Running, draft: MakeDraft, clock) -> None:
    line = ScriptedLine(script=[conf(0xC0)])
    message_id = await accept(store, draft(pdu=Pdu(b"\x8c\x80once")))
    await running.start(line)
    await running.becomes(message_id, State.RETRYING)
    clock.go(6)
    job = await running.becomes(message_id, State.SENT)
    assert line.posts == [b"\x8c\x80once"] * 2
    assert job.attempts == 2


async def test_a_forwarded_message_awaits_its_own_confirmation(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine()
    await running.start(line)
    message_id = await accept(store, draft(pdu=Pdu(b"\x8c\x89x")))
    await running.becomes(message_id, State.UNKNOWN, State.SENT)
    assert line.asked[0]["awaited"] is Awaited.FORWARD_CONF


async def test_many_messages_one_at_a_time_on_each_line(store: Store, running: Running, draft: MakeDraft) -> None:
    """I7, and the least busy line takes what is bound to none."""
    busy: dict[str, int] = {}
    most = dict.fromkeys(("a", "b"), 0)
    lines = [ScriptedLine(name) for name in most]

    def watch(line: ScriptedLine) -> None:
        async def begin() -> None:
            busy[line.name] = busy.get(line.name, 0) + 1
            most[line.name] = max(most[line.name], busy[line.name])
            await asyncio.sleep(0.01)

        async def end() -> None:
            busy[line.name] -= 1

        line.before, line.after = begin, end

    for line in lines:
        watch(line)
    await running.start(*lines)
    bound = [await accept(store, draft(line="b", pdu=Pdu(b"\x8c\x80bound%d" % n))) for n in range(3)]
    free = [await accept(store, draft(pdu=Pdu(b"\x8c\x80free%d" % n))) for n in range(10)]
    for message_id in (*bound, *free):
        await running.becomes(message_id, State.SENT)
    assert most == {"a": 1, "b": 1}
    assert {post for post in lines[1].posts if b"bound" in post} == {b"\x8c\x80bound%d" % n for n in range(3)}
    assert not [post for post in lines[0].posts if b"bound" in post]
    assert sorted(lines[0].posts + lines[1].posts) == sorted({*lines[0].posts, *lines[1].posts})
    assert lines[0].posts
    assert lines[1].posts


async def test_on_both_engines(place: Any, draft: MakeDraft) -> None:
    store = await place.open()
    run = Running(store)
    lines = [ScriptedLine("a", script=[conf(0xC4)]), ScriptedLine("b", script=[conf(0xE0)])]
    await run.start(*lines)
    ids = [await accept(store, draft(pdu=Pdu(b"\x8c\x80%d" % n))) for n in range(8)]
    states = [(await run.becomes(message_id, State.SENT, State.PARTIAL, State.FAILED)).state for message_id in ids]
    assert sorted(states) == [State.FAILED, State.PARTIAL, *[State.SENT] * 6]
    assert sorted(lines[0].posts + lines[1].posts) == [b"\x8c\x80%d" % n for n in range(8)]
    await run.outbox.stop()
    await store.close()


async def test_a_line_without_a_modem_claims_nothing(store: Store, running: Running, draft: MakeDraft) -> None:
    down, up = ScriptedLine("a", status=LinkStatus.DOWN), ScriptedLine("b")
    await running.start(down, up)
    for _ in range(3):
        await running.becomes(await accept(store, draft()), State.SENT)
    waiting = await accept(store, draft(line="a"))
    assert not down.asked
    down.status = LinkStatus.ATTACHED
    await running.becomes(waiting, State.SENT)
    assert (await store.message(waiting)).job.attempts == 1


async def test_the_kill_switch_holds_the_last_byte_back(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine()
    line.before = store.pause
    message_id = await accept(store, draft())
    await running.start(line)
    job = await running.becomes(message_id, State.RETRYING)
    assert not line.posts
    assert (job.failures, job.due_at) == (0, store.database.now())
    line.before = None
    await store.resume()
    await running.becomes(message_id, State.SENT)


async def test_a_message_that_somebody_else_took(store: Store, running: Running, draft: MakeDraft, clock) -> None:
    line = ScriptedLine(script=[conf(), conf()])

    async def oversleep() -> None:
        line.before = None
        clock.go(1000)
        await store.sweep()

    line.before = oversleep
    message_id = await accept(store, draft())
    await running.start(line)
    await running.becomes(message_id, State.RETRYING)
    assert not line.posts
    clock.go(10)
    await running.becomes(message_id, State.SENT)
    assert len(line.posts) == 1


async def test_min_interval_and_caps(store: Store, running: Running, draft: MakeDraft, clock) -> None:
    store.limits = Limits(caps=Caps(per_hour=2, per_day=0))

    async def looked_again() -> None:
        """The worker has asked for work since now, more than once."""
        looks: list[int] = []
        claim = store.claim

        async def counted(worker: Any) -> Any:
            looks.append(1)
            return await claim(worker)

        store.claim = counted
        while len(looks) < 3:
            await asyncio.sleep(0.01)
        store.claim = claim

    line = ScriptedLine(min_interval=10.0)
    await running.start(line)
    ids = [await accept(store, draft()) for _ in range(3)]
    await running.becomes(ids[0], State.SENT)
    await looked_again()
    assert len(line.posts) == 1
    clock.go(10)
    await running.becomes(ids[1], State.SENT)
    clock.go(10)
    await looked_again()
    assert len(line.posts) == 2
    clock.go(3580)
    late = await accept(store, draft())
    clock.go(60)
    await running.becomes(late, State.SENT)
    assert (await store.message(ids[2])).job.state is State.EXPIRED  # its hour went by


async def test_composing(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine()
    made = itertools.count(1)

    async def compose(message: Message, on: Any) -> Parcel:
        if message.text == "too large":
            error = MmsproxyError("nothing can be shrunk")
            error.code, error.fault = "too_large", Fault.CALLER
            raise error
        return Parcel(Pdu(f"composed {next(made)} for {on.name}: {message.text}".encode()), "T1")

    await running.start(line, compose=compose)
    line.script = [conf(0xC0)]
    first = await accept(store, draft(pdu=None, text="hello"))
    await running.becomes(first, State.RETRYING)
    assert line.posts == [b"composed 1 for mint: hello"]
    assert (await store.pdu((await store.message(first)).job)).data == line.posts[0]
    second = await accept(store, draft(pdu=None, text="too large"))
    job = await running.becomes(second, State.FAILED)
    assert (job.error.code, job.attempts) == ("too_large", 1)
    assert len(line.posts) == 1


async def test_a_file_that_is_gone_fails_its_message_only(store: Store, running: Running, draft: MakeDraft, tmp_path: Path) -> None:
    async def compose(message: Message, on: Any) -> Parcel:
        return Parcel(Pdu(await store.media(message.media[0])), "T1")

    lost = await accept(store, draft(pdu=None, media=(NewMedia("image/jpeg", b"lost"),)))
    for path in (tmp_path / "media").glob("*/*"):
        path.unlink()
    behind = await accept(store, draft(pdu=None, media=(NewMedia("image/jpeg", b"there"),)))
    line = ScriptedLine()
    await running.start(line, compose=compose)
    await running.becomes(behind, State.SENT)
    job = (await store.message(lost)).job
    assert (job.state, job.error.code, job.error.retryable, job.attempts) == (State.FAILED, "media_lost", False, 1)
    assert line.posts == [b"there"]


async def test_what_was_dropped_is_not_claimed_again_at_once(store: Store, running: Running, draft: MakeDraft) -> None:
    """The bell that the drop rings is heard by other lines, and not by the one that just failed."""
    tries, second = [], asyncio.Event()

    async def compose(message: Message, on: Any) -> Parcel:
        tries.append(message.job.id)
        if len(tries) > 1:
            second.set()
        raise StoreError("the disk cannot be read")

    await accept(store, draft(pdu=None))
    await running.start(ScriptedLine(), compose=compose, poll=3600.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.wait(), 0.5)
    assert len(tries) == 1


async def test_a_line_that_cannot_be_roused_keeps_its_worker(store: Store, running: Running, draft: MakeDraft) -> None:
    line, roused = ScriptedLine(status=LinkStatus.DOWN), asyncio.Event()

    async def rouse() -> bool:
        roused.set()
        raise KeyError("a fault of ours")

    line.rouse = rouse  # type: ignore[method-assign]
    await running.start(line, poll=0.05)
    await asyncio.sleep(0)
    while not roused.is_set():
        message_id = await accept(store, draft())
        await asyncio.sleep(0.01)
    line.status = LinkStatus.ATTACHED
    await running.becomes(message_id, State.SENT)
    assert running.outbox is not None
    assert running.outbox.is_working


async def test_nobody_to_compose(store: Store, running: Running, draft: MakeDraft) -> None:
    await running.start(ScriptedLine())
    job = await running.becomes(await accept(store, draft(pdu=None)), State.RETRYING)
    assert "compose" in job.error.detail


async def test_a_header_that_may_not_pass(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine()

    async def refuse() -> None:
        raise HeaderError("CR in X")

    line.before = refuse
    await running.start(line)
    job = await running.becomes(await accept(store, draft()), State.FAILED)
    assert job.error.code == "http_header"


async def test_sms_by_its_own_sender(store: Store, running: Running, draft: MakeDraft, result) -> None:
    sent = []

    async def send(line: Any, message: Message, parcel: Parcel, before_last_byte: Hook) -> Result:
        await before_last_byte()
        sent.append((line.name, message.recipients[0].number, parcel.pdu.data))
        return result("sent")

    line = ScriptedLine(sms=object())
    await running.start(line, send={Kind.SMS: send})
    await running.becomes(await accept(store, draft(kind=Kind.SMS, pdu=Pdu(b"tpdu"))), State.SENT)
    await running.becomes(await accept(store, draft()), State.SENT)
    assert sent == [("mint", "+12025550123", b"tpdu")]
    assert len(line.posts) == 1


async def test_an_outcome_outlasts_a_store_that_is_away(store: Store, running: Running, draft: MakeDraft, monkeypatch) -> None:
    monkeypatch.setattr("mmsproxy.post.insisting.STORE_PAUSES", (0.0, 0.01))
    finish, left = store.finish, [1, 1, 1]

    async def away(*arguments: Any, **options: Any) -> Job:
        if left:
            left.pop()
            raise StoreUnavailable("away")
        return await finish(*arguments, **options)

    monkeypatch.setattr(store, "finish", away)
    await running.start(ScriptedLine())
    await running.becomes(await accept(store, draft()), State.SENT)
    assert not left


@pytest.mark.parametrize("step", ["claim", "begin", "last_byte", "message"])
async def test_a_store_that_is_away_for_a_moment(store: Store, running: Running, draft: MakeDraft, monkeypatch, clock, step: str) -> None:
    """Whatever step meets it, the message goes out once, a little later."""
    monkeypatch.setattr("mmsproxy.post.insisting.STORE_PAUSES", (0.0, 0.01))
    real, left = getattr(store, step), [1]
    line = ScriptedLine()
    message_id = await accept(store, draft())

    async def away(*arguments: Any, **options: Any) -> Any:
        if left:
            left.pop()
            raise StoreUnavailable("away")
        return await real(*arguments, **options)

    monkeypatch.setattr(store, step, away)
    await running.start(line)
    while (await store.page()).messages[0].job.state is not State.SENT:
        clock.go(1)
        await asyncio.sleep(0.01)
    assert len(line.posts) == 1
    assert (await store.page()).messages[0].job.id == message_id


async def test_leases_are_renewed(store: Store, running: Running, draft: MakeDraft, clock) -> None:
    line = ScriptedLine()
    going = asyncio.Event()
    line.after = going.wait
    message_id = await accept(store, draft())
    await running.start(line, lease=0.2)
    while not line.posts:
        await asyncio.sleep(0.01)
    assert list(running.outbox.under_way) == ["mint"]
    clock.go(100)
    ends = (await store.message(message_id)).job.lease_until
    while (await store.message(message_id)).job.lease_until == ends:
        await asyncio.sleep(0.01)
    assert await store.sweep() == 0
    going.set()
    await running.becomes(message_id, State.SENT)


async def test_it_says_whether_it_works(store: Store, running: Running) -> None:
    assert not Outbox(store, [ScriptedLine()], owner="node/1").is_working
    await running.start(ScriptedLine(), ScriptedLine())
    assert running.outbox.is_working
    await running.outbox.stop()
    assert not running.outbox.is_working


async def test_stopping_waits_for_the_attempt(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine()
    going = asyncio.Event()
    line.after = going.wait
    ids = [await accept(store, draft()), await accept(store, draft())]
    await running.start(line)
    while not line.posts:
        await asyncio.sleep(0.01)
    stopping = asyncio.create_task(running.outbox.stop(FOREVER))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    going.set()
    await stopping
    await running.outbox.stop()
    assert [(await store.message(message_id)).job.state for message_id in ids] == [State.SENT, State.QUEUED]


async def test_what_is_not_over_in_time_is_recovered(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine()
    line.after = asyncio.Event().wait
    message_id = await accept(store, draft())
    await running.start(line)
    while not line.posts:
        await asyncio.sleep(0.01)
    await running.outbox.stop(0)
    assert await store.recover("node/2") == 1
    assert (await store.message(message_id)).job.state is State.UNKNOWN


async def test_a_stopped_line_sends_it_after_the_next_start(store: Store, running: Running, draft: MakeDraft) -> None:
    line = ScriptedLine(script=[(LineStopped("stop"),)])
    message_id = await accept(store, draft())
    await running.start(line)
    job = await running.becomes(message_id, State.SENT)
    assert (job.attempts, job.failures) == (2, 1)


# Over the simulated modem and carrier


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[tuple[World, Line, Store]]:
    """A line over a simulated modem and MMSC, with a store on real time."""
    import time

    ids = itertools.count()
    store = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=time.time,
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    async with World() as world:
        given = {"apn": "simulator", "mmsc": world.mmsc_url}
        settings = LineConfig.model_validate({"name": "sim", "min_interval": 0, "modem": {"port": str(world.modem.path)}, "carrier": given})
        bus = Bus()
        line = Line(settings, ModemLink("sim", modem_settings(settings, settings.modem.port), bus=bus), bus=bus)
        await line.start()
        yield world, line, store
        await line.stop(0)
    await store.close()


def send_req(transaction_id: str, octets: int) -> Pdu:
    head = b"\x8c\x80\x98" + transaction_id.encode() + b"\x00\x8d\x92\x89\x01\x81\x97+12025550123/TYPE=PLMN\x00\x84\x83"
    return Pdu(head + b"x" * octets)


async def test_over_the_simulated_modem(real: tuple[World, Line, Store], draft: MakeDraft) -> None:
    """Small enough for one piece, and large enough for many: what the MMSC got is what was accepted, and its answer is kept whole."""
    world, line, store = real
    run = Running(store)
    await run.start(line)
    for n, octets in enumerate((10, 5000)):
        wanted = send_req(f"T{n}", octets)
        message_id = await accept(store, draft(pdu=wanted, transaction_id=f"T{n}", door=Door.API))
        job = await run.becomes(message_id, State.SENT)
        assert world.mmsc.requests[-1].body == wanted.data
        message = await store.message(message_id)
        assert message.carrier_message_id
        (attempt,) = await store.attempts(job)
        assert attempt.started_at <= attempt.last_byte_at <= attempt.ended_at
        assert (attempt.phase, attempt.bytes_offered, attempt.bytes_total) == (Phase.ANSWER_WHOLE, len(wanted.data), len(wanted.data))
        assert (await store.pdu(job, "answer")).data.startswith(b"\x8c\x81")
    await run.outbox.stop()


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        ("e0", State.FAILED, "mmsc_error"),
        ("c0", State.RETRYING, "mmsc_error"),
        ("html", State.UNKNOWN, "non_mms_answer"),
        ("empty", State.UNKNOWN, "non_mms_answer"),
        ("500", State.UNKNOWN, "non_mms_answer"),
        ("drop", State.UNKNOWN, "peer_reset"),
    ],
)
async def test_each_answer_of_the_simulated_carrier(
    real: tuple[World, Line, Store], draft: MakeDraft, answer: str, state: State, code: str
) -> None:
    world, line, store = real
    world.mmsc.answer = answer
    run = Running(store)
    await run.start(line)
    message_id = await accept(store, draft(pdu=send_req("T1", 100)))
    job = await run.becomes(message_id, state)
    assert (job.error.code, len(world.mmsc.requests)) == (code, 1)
    await run.outbox.stop()


async def test_the_kill_switch_over_the_simulated_modem(real: tuple[World, Line, Store], draft: MakeDraft, monkeypatch) -> None:
    """The last piece never left, so the MMSC never had a whole request."""
    world, line, store = real
    last_byte = store.last_byte

    async def paused(lease: Any) -> None:
        await store.pause()
        await last_byte(lease)

    monkeypatch.setattr(store, "last_byte", paused)
    run = Running(store)
    await run.start(line)
    message_id = await accept(store, draft(pdu=send_req("T1", 5000)))
    job = await run.becomes(message_id, State.RETRYING)
    assert job.error.code == "lease_lost"
    assert not [request for request in world.mmsc.requests if len(request.body) == len(send_req("T1", 5000).data)]
    monkeypatch.setattr(store, "last_byte", last_byte)
    await store.resume()
    await run.becomes(message_id, State.SENT)
    await run.outbox.stop()

"""The housekeeping, round by round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from mmsproxy.errors import StoreUnavailable
from mmsproxy.post.admission import Rules
from mmsproxy.post.caps import DAY, Caps
from mmsproxy.post.job import Fallback, Kind, State
from mmsproxy.post.keeper import Keeper, _since_boot
from mmsproxy.post.records import Draft, Message
from mmsproxy.post.retention import Retention
from mmsproxy.post.store import Store

MakeDraft = Callable[..., Draft]


async def sms(message: Message) -> list[Draft]:
    return [Draft((person.number,), kind=Kind.SMS, text=message.text) for person in message.recipients]


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


@pytest.fixture
async def refused(store: Store, worker, draft: MakeDraft, result) -> str:
    """A message whose MMS was refused and that may go out as SMS."""
    await store.accept([draft(fallback=Fallback.SMS, text="hello")])
    lease = await store.begin(await store.claim(worker), worker, draft().pdu)
    await store.last_byte(lease)
    return (await store.finish(lease, result("refused"))).id


async def test_what_time_does(store: Store, draft: MakeDraft, clock) -> None:
    keeper = Keeper(store, monotonic=clock)
    late = (await store.accept([draft(valid_for=5.0)])).messages[0].job.id
    await keeper.round()
    assert (await store.message(late)).job.state is State.QUEUED
    clock.go(5)
    await keeper.round()
    assert (await store.message(late)).job.state is State.EXPIRED
    clock.go(40 * DAY)
    await keeper.round()
    assert (await store.page()).messages == ()


async def test_retention_once_an_hour(store: Store, draft: MakeDraft, clock, monkeypatch) -> None:
    rounds = []

    async def forget(keep: Retention) -> int:
        rounds.append((clock.now, keep))
        return 0

    monkeypatch.setattr(store, "forget", forget)
    keep = Retention(age=5.0)
    keeper = Keeper(store, monotonic=clock, retention=keep)
    start = clock.now
    for _ in range(13):
        await keeper.round()
        clock.go(600)
    assert rounds == [(start, keep), (start + 3600, keep), (start + 7200, keep)]


async def test_fallback(store: Store, refused: str, clock) -> None:
    await Keeper(store, monotonic=clock).round()
    assert (await store.message(refused)).job.replaced_by is None  # nobody makes SMS
    keeper = Keeper(store, monotonic=clock, fall_back=sms)
    for _ in range(2):
        await keeper.round()
    parent = (await store.message(refused)).job
    child = await store.message(parent.replaced_by)
    assert (child.job.kind, child.text, child.parent_id) == (Kind.SMS, "hello", refused)
    assert len((await store.page()).messages) == 2


async def test_fallback_that_is_refused_or_cannot_be(store: Store, refused: str, clock) -> None:
    store.rules = Rules(countries=frozenset({"+49"}))
    await Keeper(store, monotonic=clock, fall_back=sms).round()
    job = (await store.message(refused)).job
    assert (job.state, job.fallback, job.replaced_by) == (State.FAILED, Fallback.NONE, None)


async def test_fallback_that_is_refused_for_now(store: Store, refused: str, clock) -> None:
    store.rules = Rules(per_recipient=Caps(per_hour=1, per_day=0))
    await store.accept([Draft(("+12025550123",), kind=Kind.SMS, text="first")])
    keeper = Keeper(store, monotonic=clock, fall_back=sms)
    await keeper.round()
    job = (await store.message(refused)).job
    assert (job.fallback, job.replaced_by) == (Fallback.SMS, None)
    assert await store.falling_back() == ()
    clock.now = job.due_at
    await keeper.round()
    job = (await store.message(refused)).job
    assert job.replaced_by is not None
    assert job.due_at is None


async def test_fallback_at_once(store: Store, draft: MakeDraft, worker, result) -> None:
    """Neither the keeper nor who watches the message waits for a poll."""
    keeper = Keeper(store, every=3600.0, fall_back=sms)
    await keeper.start()
    message_id = (await store.accept([draft(fallback=Fallback.SMS, text="hello")])).messages[0].job.id
    lease = await store.begin(await store.claim(worker), worker, draft().pdu)
    bell = store.database.message_bell(message_id)
    await store.finish(lease, result("refused"))
    async with asyncio.timeout(60):
        while (ticket := bell.ticket) is not None and (await store.message(message_id)).job.replaced_by is None:
            assert await bell.wait(ticket, 60)
    await keeper.stop()


async def test_fallback_of_a_message_that_was_sent_again_meanwhile(store: Store, refused: str, clock) -> None:
    async def slow(message: Message) -> list[Draft]:
        await store.retry(message.job.id)
        return await sms(message)

    await Keeper(store, monotonic=clock, fall_back=slow).round()
    job = (await store.message(refused)).job
    assert (job.state, job.fallback) == (State.QUEUED, Fallback.SMS)


async def test_a_clock_that_is_set_while_we_run(sqlite_store: Store, draft: MakeDraft, clock) -> None:
    steady = [0.0]
    keeper = Keeper(sqlite_store, monotonic=lambda: steady[0])
    message = (await sqlite_store.accept([draft(valid_for=60.0)])).messages[0].job
    for step in (1e9, -1e9, 3600.0):
        clock.go(step + 1)
        steady[0] += 1
        await keeper.round()
        job = (await sqlite_store.message(message.id)).job
        assert job.state is State.QUEUED
    assert job.expires_at - clock.now == 57


async def test_it_works_by_itself_and_goes_on_after_faults(store: Store, draft: MakeDraft, monkeypatch) -> None:
    sweep, faults, done = store.sweep, [StoreUnavailable("away"), KeyError("ours")], asyncio.Event()

    async def failing() -> int:
        if faults:
            raise faults.pop()
        done.set()
        return await sweep()

    monkeypatch.setattr(store, "sweep", failing)
    keeper = Keeper(store, every=0.01)
    await keeper.start()
    async with asyncio.timeout(60):
        await done.wait()
    await keeper.stop()
    await keeper.stop()


def test_the_clock_that_nobody_sets() -> None:
    assert _since_boot() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=60)

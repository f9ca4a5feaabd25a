"""What time does, and what a crash left, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mmsproxy.post.caps import Caps
from mmsproxy.post.job import Door, Lease, Result, State
from mmsproxy.post.policy import Limits, UnknownPolicy, Wait
from mmsproxy.post.records import Draft
from mmsproxy.post.store import Store
from mmsproxy.post.sweeping import PORTION
from mmsproxy.post.work import Worker

MakeDraft = Callable[..., Draft]
MakeResult = Callable[..., Result]


async def state(store: Store, message_id: str) -> State:
    return (await store.message(message_id)).job.state


async def test_what_is_due_is_queued(store: Store, worker: Worker, draft: MakeDraft, clock) -> None:
    message = (await store.accept([draft(send_at=clock.now + 60)])).messages[0]
    assert await store.sweep() == 0
    assert await store.claim(worker) == Wait(None, "empty")
    clock.go(60)
    assert await store.sweep() == 1
    lease = await store.claim(worker)
    assert isinstance(lease, Lease)
    assert lease.job.id == message.job.id


async def test_what_is_late_expires_in_portions(store: Store, draft: MakeDraft, clock) -> None:
    await store.accept([draft(valid_for=60.0) for _ in range(2 * PORTION + 1)])
    clock.go(60)
    assert await store.sweep() == 2 * PORTION + 1
    assert await store.counts() == {"expired": 2 * PORTION + 1}


async def test_what_is_leased_does_not_expire(store: Store, worker: Worker, draft: MakeDraft, clock) -> None:
    await store.accept([draft(valid_for=60.0)])
    lease = await store.claim(worker)
    clock.go(60)
    assert await store.sweep() == 0
    assert (await store.begin(lease, worker, draft().pdu)).job.state is State.SENDING


async def test_resend_by_policy(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock) -> None:
    store.limits = Limits(unknown=UnknownPolicy.RESEND_SAME_TID, resends=1)
    for door in (Door.API, Door.MM1):
        await store.accept([draft(door=door)])
        lease = await store.begin(await store.claim(worker), worker, draft().pdu, transaction_id="T1")
        await store.last_byte(lease)
        await store.finish(lease, result("unknown"))
    clock.go(60)
    assert await store.sweep() == 1
    lease = await store.claim(Worker("node/1", "other"))
    assert lease == Wait(None, "empty")  # the carrier can know the transaction only on the line that it came from
    lease = await store.claim(worker)
    assert (lease.job.resends, lease.job.was_unknown, lease.job.expires_at) == (1, True, clock.now + 3600)
    lease = await store.begin(lease, worker, draft().pdu, transaction_id="T1")
    await store.last_byte(lease)
    assert (await store.finish(lease, result("unknown"))).state is State.UNKNOWN
    clock.go(3600)
    assert await store.sweep() == 0


async def test_unknown_is_held_by_default(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock) -> None:
    await store.accept([draft()])
    lease = await store.begin(await store.claim(worker), worker, draft().pdu)
    await store.last_byte(lease)
    await store.finish(lease, result("unknown"))
    clock.go(1e6)
    assert await store.sweep() == 0


async def leave(place, draft: MakeDraft, worker: Worker) -> dict[str, str]:
    """A store that died with one message in each stage; the ids by stage."""
    store = await place.open(limits=Limits(caps=Caps(10, 0)))
    stages = {}
    for stage, fields in {"queued": {}, "claimed": {}, "begun": {}, "begun_mm1": {"door": Door.MM1}, "last_byte": {}}.items():
        message = (await store.accept([draft(line=stage, **fields)])).messages[0]
        stages[stage] = message.job.id
        mine = replace(worker, line=stage)
        if stage == "queued":
            continue
        lease = await store.claim(mine)
        if stage != "claimed":
            lease = await store.begin(lease, mine, draft().pdu)
        if stage == "last_byte":
            await store.last_byte(lease)
    await store.close()
    return stages


@pytest.fixture
async def left(place, draft: MakeDraft, worker: Worker) -> dict[str, str]:
    return await leave(place, draft, worker)


async def test_recovery(place, left, worker: Worker) -> None:
    store = await place.open(limits=Limits(caps=Caps(2, 0)))
    assert await store.recover("node/2") == 3
    assert {stage: await state(store, message_id) for stage, message_id in left.items()} == {
        "queued": State.QUEUED,
        "claimed": State.QUEUED,
        "begun": State.RETRYING,
        "begun_mm1": State.FAILED,
        "last_byte": State.UNKNOWN,
    }
    claimed = await store.claim(replace(worker, owner="node/2", line="claimed"))
    assert isinstance(claimed, Lease)
    for stage in ("begun", "begun_mm1", "last_byte"):
        job = (await store.message(left[stage])).job
        assert (job.error.code, job.owner, job.failures) == ("crashed", None, 1)
        assert job.was_unknown is (stage == "last_byte")
        (attempt,) = await store.attempts(job)
        assert (attempt.code, attempt.outcome) == ("crashed", None)
    assert await store.recover("node/2") == 0
    await store.close()


async def test_what_the_dead_never_sent_is_given_back(place, left, worker: Worker, draft: MakeDraft) -> None:
    store = await place.open(limits=Limits(caps=Caps(2, 0)))
    await store.recover("node/2")
    await store.begin(await store.claim(replace(worker, line="queued")), replace(worker, line="queued"), draft().pdu)
    assert (await store.claim(worker)).why == "per_hour"
    await store.close()


@pytest.mark.needs_postgres
async def test_others_are_left_alone_where_several_share_the_store(postgres_place, draft: MakeDraft, worker: Worker) -> None:
    left = await leave(postgres_place, draft, worker)
    store = await postgres_place.open()
    assert await store.recover("other/1") == 0
    await store.shift_clock(-1e9)  # this host's clock is not the others'
    assert await state(store, left["last_byte"]) is State.SENDING
    postgres_place.clock.go(120)
    assert await store.sweep() == 3
    await store.close()


async def test_a_clock_that_was_set(sqlite_place, draft: MakeDraft, worker: Worker, result: MakeResult, clock) -> None:
    """Nothing that waits for a span of time waits longer or shorter; what waits for a time of the day still does."""
    store = await sqlite_place.open()
    paced = replace(worker, min_interval=10.0)
    planned = (await store.accept([draft(send_at=clock.now + 600)])).messages[0].job
    await store.accept([draft()])
    lease = await store.begin(await store.claim(paced), paced, draft().pdu)
    retrying = await store.finish(lease, result("not_sent"), random=0.5)
    clock.go(1)
    await store.accept([draft()])
    for step in (-1e9, 1e9, 3600.0):
        clock.go(step)
        await store.shift_clock(step)
        job = (await store.message(retrying.id)).job
        assert (job.due_at - clock.now, job.expires_at - clock.now) == (4, 3599)
        wait = await store.claim(paced)
        assert wait == Wait(clock.now + 9, "min_interval")
        assert (await store.message(planned.id)).job.due_at == planned.due_at
        assert (await store.claim(Worker("node/1", "z", lease=0.0))).job.state is State.QUEUED
    await store.close()


async def test_a_clock_that_was_lost(sqlite_place, draft: MakeDraft, worker: Worker, result: MakeResult, clock) -> None:
    """A board without a battery starts in 1970."""
    store = await sqlite_place.open()
    await store.accept([draft()])
    lease = await store.begin(await store.claim(worker), worker, draft().pdu)
    retrying = await store.finish(lease, result("not_sent"), random=0.5)
    await store.close()
    clock.now = 60.0
    store = await sqlite_place.open()
    await store.recover("node/2")
    job = (await store.message(retrying.id)).job
    assert (job.due_at, job.expires_at) == (65.0, 3660.0)
    await store.close()

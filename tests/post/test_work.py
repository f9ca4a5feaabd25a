"""Claiming, sending, settling, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.caps import Caps
from mmsproxy.post.job import Door, Kind, Lease, LeaseLost, Priority, RecipientState, Result, State
from mmsproxy.post.policy import Limits, Wait
from mmsproxy.post.records import Draft, NewMedia, Pdu
from mmsproxy.post.schema import GATEWAY, messages
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker

MakeDraft = Callable[..., Draft]
MakeResult = Callable[..., Result]


async def claimed(store: Store, worker: Worker) -> Lease:
    lease = await store.claim(worker)
    assert isinstance(lease, Lease)
    return lease


async def sending(store: Store, worker: Worker, draft: Draft) -> Lease:
    return await store.begin(await claimed(store, worker), worker, draft.pdu, transaction_id=draft.transaction_id)


# Claiming


async def test_an_empty_queue(store: Store, worker: Worker) -> None:
    assert await store.claim(worker) == Wait(None, "empty")


async def test_the_order_is_priority_then_age(store: Store, worker: Worker, draft: MakeDraft, clock) -> None:
    ids = {}
    for name, fields in {
        "old": {},
        "low": {"priority": Priority.LOW},
        "mine": {"line": "mint"},
        "urgent": {"priority": Priority.HIGH},
        "others": {"line": "other", "priority": Priority.HIGH},
        "young": {},
    }.items():
        ids[(await store.accept([draft(**fields)])).messages[0].job.id] = name
        clock.go(1)
    assert [ids[(await claimed(store, worker)).job.id] for _ in range(5)] == ["urgent", "old", "mine", "young", "low"]
    assert await store.claim(worker) == Wait(None, "empty")


async def test_nobody_claims_the_same(store: Store, draft: MakeDraft) -> None:
    await store.accept([draft() for _ in range(20)])
    found = await asyncio.gather(*(store.claim(Worker("node/1", f"line{n}")) for n in range(30)))
    leases = [lease for lease in found if isinstance(lease, Lease)]
    assert len(leases) == len({lease.job.id for lease in leases}) == 20


async def test_a_lease_ends(store: Store, worker: Worker, draft: MakeDraft, clock) -> None:
    await store.accept([draft()])
    first = await claimed(store, worker)
    assert await store.claim(worker) == Wait(None, "empty")
    clock.go(worker.lease)
    second = await claimed(store, replace(worker, owner="node/2"))
    assert second.fence > first.fence
    with pytest.raises(LeaseLost):
        await store.begin(first, worker, draft().pdu)
    await store.begin(second, worker, draft().pdu)


async def test_a_dropped_lease_is_free_at_once(store: Store, worker: Worker, draft: MakeDraft) -> None:
    await store.accept([draft()])
    first = await claimed(store, worker)
    await store.drop(first)
    second = await claimed(store, worker)
    await store.drop(first)  # a lease that is over changes nothing
    await store.begin(second, worker, draft().pdu)
    await store.drop(second)
    assert (await store.message(second.job.id)).job.state is State.SENDING


async def test_expired_messages_are_put_away_by_the_claim(store: Store, worker: Worker, draft: MakeDraft, clock) -> None:
    old = (await store.accept([draft(valid_for=60.0)])).messages[0]
    clock.go(60)
    young = (await store.accept([draft()])).messages[0]
    assert (await claimed(store, worker)).job.id == young.job.id
    assert (await store.message(old.job.id)).job.state is State.EXPIRED


async def test_min_interval(store: Store, draft: MakeDraft, clock) -> None:
    worker = Worker("node/1", "mint", min_interval=10.0)
    await store.accept([draft(), draft()])
    await claimed(store, worker)
    start = clock.now
    assert await store.claim(worker) == Wait(start + 10, "min_interval")
    await claimed(store, Worker("node/1", "other"))
    await store.accept([draft()])
    clock.now = start - 100_000  # a clock that was set back does not stop the line
    assert await store.claim(worker) == Wait(clock.now + 10, "min_interval")
    clock.now = start + 10
    await claimed(store, worker)


async def test_pauses(store: Store, worker: Worker, draft: MakeDraft) -> None:
    await store.accept([draft()])
    await store.pause("mint", "no credit")
    assert await store.claim(worker) == Wait(None, "line_paused")
    await store.drop(await claimed(store, Worker("node/1", "other")))
    await store.pause(reason="kill switch")
    assert await store.claim(Worker("node/1", "other")) == Wait(None, "paused")
    assert (await store.lines())["mint"].pause_reason == "no credit"
    assert await store.resume()
    assert not await store.resume()
    assert await store.claim(worker) == Wait(None, "line_paused")
    assert await store.resume("mint")
    await claimed(store, worker)
    assert (await store.lines())[GATEWAY].paused_at is None


async def test_caps(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock) -> None:
    store.limits = Limits(caps=Caps(per_hour=3, per_day=0))
    await store.accept([draft(cost=2), draft(), draft()])
    for _ in range(2):
        lease = await sending(store, worker, draft())
        await store.last_byte(lease)
        await store.finish(lease, result("sent"))
    wait = await store.claim(worker)
    assert isinstance(wait, Wait)
    assert wait.why == "per_hour"
    clock.now = wait.until
    await store.sweep()
    assert await store.claim(worker) == Wait(None, "empty")  # its hour is over too
    await store.accept([draft()])
    await claimed(store, worker)


async def test_what_costs_more_than_a_cap_fails_and_blocks_nobody(store: Store, worker: Worker, draft: MakeDraft) -> None:
    store.limits = Limits(caps=Caps(per_hour=3, per_day=2))
    large, other = [message.job.id for message in (await store.accept([draft(cost=4), draft(cost=2)])).messages]
    assert (await claimed(store, worker)).job.id == other
    job = (await store.message(large)).job
    assert (job.state, job.error.code, job.error.retryable) == (State.FAILED, "over_cap", False)
    assert "it costs 4 units, and limits.per_day is 2; raise limits.per_day" in job.error.detail


async def stored(store: Store) -> list[int]:
    async with store.database.read() as connection:
        return list((await connection.execute(select(messages.c.stored).order_by(messages.c.seq))).scalars())


async def test_what_is_kept_is_counted(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock) -> None:
    """store.keep_mib is of octets that are there: the PDU that was composed, and the last answer only."""
    await store.accept([draft(pdu=None, media=(NewMedia("image/jpeg", b"12345"),))])
    assert await stored(store) == [5]
    made = Pdu(b"x" * 100)
    lease = await store.begin(await claimed(store, worker), worker, made, is_new=True)
    assert await stored(store) == [105]
    job = await store.finish(lease, result("refused", response_status=0xC0, answer=b"y" * 30))
    assert await stored(store) == [135]
    clock.now = job.due_at
    lease = await store.begin(await claimed(store, worker), worker, made)
    await store.finish(lease, result("sent", answer=b"z" * 10))
    assert await stored(store) == [115]


async def test_a_late_answer_is_counted_too(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock) -> None:
    await store.accept([draft()])
    lease = await sending(store, worker, draft())
    await store.last_byte(lease)
    clock.go(1000)
    await store.sweep()
    assert (await store.finish(lease, result("sent", answer=b"z" * 10))).state is State.SENT
    assert await stored(store) == [len(draft().pdu.data) + 10]


async def test_caps_hold_for_several_lines_at_once(store: Store, draft: MakeDraft) -> None:
    store.limits = Limits(caps=Caps(per_hour=2, per_day=0))
    await store.accept([draft() for _ in range(5)])
    workers = [Worker("node/1", f"line{n}") for n in range(5)]
    leases = [await claimed(store, worker) for worker in workers]
    steps = (store.begin(lease, worker, draft().pdu) for lease, worker in zip(leases, workers, strict=True))
    begun = await asyncio.gather(*steps, return_exceptions=True)
    assert sum(isinstance(answer, Lease) for answer in begun) == 2
    assert sum(isinstance(answer, LeaseLost) for answer in begun) == 3


async def test_what_never_left_is_given_back(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock) -> None:
    store.limits = Limits(caps=Caps(per_hour=1, per_day=0))
    await store.accept([draft()])
    for _ in range(3):
        lease = await sending(store, worker, draft())
        clock.go(70)
        job = await store.finish(lease, result("not_sent"))
        assert job.state is State.RETRYING
        clock.now = job.due_at


# Sending


async def test_the_steps_are_written_down(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock) -> None:
    await store.accept([draft()])
    lease = await sending(store, worker, draft())
    message = await store.message(lease.job.id)
    assert (message.job.state, message.job.owner, message.job.attempts) == (State.SENDING, "node/1", 1)
    assert (message.job.used_line, message.transaction_id, message.job.in_doubt) == ("mint", "T1", False)
    clock.go(2)
    await store.last_byte(lease)
    assert (await store.message(lease.job.id)).job.in_doubt
    clock.go(1)
    timings = {"bearer": 0.1, "total": 3.0}
    told = result("sent", bytes_offered=8, bytes_total=8, timings=timings, warnings=("no_message_id",), response_text="fine \x00")
    job = await store.finish(lease, told)
    assert (job.state, job.owner, job.lease_until, job.error) == (State.SENT, None, None, None)
    message = await store.message(job.id)
    assert (message.carrier_message_id, message.settled_by, message.response_text) == ("m-1", "answer", "fine \ufffd")
    assert [person.state for person in message.recipients] == [RecipientState.SENT]
    assert message.warnings == ({"code": "no_message_id"},)
    (attempt,) = await store.attempts(job)
    assert (attempt.number, attempt.line, attempt.outcome, attempt.phase) == (1, "mint", Outcome.SENT, Phase.ANSWER_WHOLE)
    assert (attempt.started_at, attempt.last_byte_at, attempt.ended_at) == (clock.now - 3, clock.now - 1, clock.now)
    assert (attempt.bytes_offered, attempt.bytes_total, attempt.timings) == (8, 8, timings)
    assert attempt.sha256 == message.sha256
    assert [event.type for event in await store.events_of(job.id)] == ["message.queued", "message.sending", "message.sent"]


async def test_a_pdu_that_was_just_made_is_kept(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult) -> None:
    await store.accept([draft(pdu=None, transaction_id=None)])
    made = Pdu(b"\x8c\x80made", (("X", "y"),))
    lease = await store.begin(await claimed(store, worker), worker, made, transaction_id="T9", is_new=True)
    assert await store.pdu(lease.job) == made
    job = await store.finish(lease, result("not_sent"))
    message = await store.message(job.id)
    assert (message.transaction_id, message.size) == ("T9", 6)
    assert await store.pdu(message.job) == made


async def test_a_pdu_that_could_not_be_made(store: Store, worker: Worker, draft: MakeDraft) -> None:
    await store.accept([draft(pdu=None)])
    lease = await store.begin(await claimed(store, worker), worker, None)
    job = await store.finish(lease, Result(Outcome.NOT_SENT, Phase.NO_BEARER, "too_large", "too large"))
    assert (job.state, job.error.code) == (State.FAILED, "too_large")
    assert await store.pdu(job) is None
    assert (await store.message(job.id)).sha256 is None


async def test_the_last_byte_is_refused(store: Store, worker: Worker, draft: MakeDraft, clock) -> None:
    await store.accept([draft(), draft()])
    lease = await sending(store, worker, draft())
    await store.pause()
    with pytest.raises(LeaseLost, match="paused"):
        await store.last_byte(lease)
    await store.resume()
    clock.go(worker.lease)
    assert await store.sweep() == 1
    with pytest.raises(LeaseLost, match="not this worker's"):
        await store.last_byte(lease)


async def test_renewed_leases_last(store: Store, worker: Worker, draft: MakeDraft, clock) -> None:
    await store.accept([draft(), draft()])
    kept, left = [await sending(store, worker, draft()) for _ in range(2)]
    clock.go(worker.lease - 1)
    assert await store.renew(worker.owner, [kept.job.seq], worker.lease) == 1
    assert await store.renew("node/2", [left.job.seq], worker.lease) == 0
    assert await store.renew(worker.owner, [], worker.lease) == 0
    clock.go(2)
    assert await store.sweep() == 1
    await store.last_byte(kept)
    assert (await store.message(left.job.id)).job.state is State.RETRYING


# Settling


@pytest.mark.parametrize(
    ("outcome", "fields", "state"),
    [
        ("sent", {}, State.SENT),
        ("partial", {}, State.PARTIAL),
        ("refused", {}, State.FAILED),
        ("refused", {"response_status": 0xC0}, State.RETRYING),
        ("not_sent", {}, State.RETRYING),
        ("unknown", {}, State.UNKNOWN),
    ],
)
async def test_outcomes(
    store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, outcome: str, fields, state: State, clock
) -> None:
    await store.accept([draft()])
    lease = await sending(store, worker, draft())
    await store.last_byte(lease)
    job = await store.finish(lease, result(outcome, **fields), random=0.5)
    assert job.state is state
    assert job.was_unknown is (outcome == "unknown")
    assert job.due_at == (clock.now + 5 if state is State.RETRYING else None)
    assert (job.last_byte_at is None) is (outcome == "not_sent")
    assert await store.finish(lease, result(outcome, **fields)) == job  # the same end once more
    assert len(await store.events_of(job.id)) == 3


@pytest.mark.parametrize("status", [0x82, 0xE1, 0xEB])
async def test_no_credit_pauses_the_line(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, status: int) -> None:
    await store.accept([draft(), draft()])
    lease = await sending(store, worker, draft())
    await store.last_byte(lease)
    await store.finish(lease, result("refused", response_status=status, detail="no credit"))
    assert await store.claim(worker) == Wait(None, "line_paused")
    assert "no credit" in (await store.lines())["mint"].pause_reason
    assert (await store.events_after(0))[-1].type == "line.paused"
    await claimed(store, Worker("node/1", "other"))


async def test_a_message_that_was_canceled_while_it_was_prepared(store: Store, worker: Worker, draft: MakeDraft) -> None:
    await store.accept([draft()])
    lease = await claimed(store, worker)
    await store.cancel(lease.job.id)
    with pytest.raises(LeaseLost, match="canceled"):
        await store.begin(lease, worker, draft().pdu)


@pytest.mark.parametrize(("outcome", "state"), [("sent", State.SENT), ("refused", State.FAILED), ("unknown", State.UNKNOWN)])
async def test_an_answer_for_whom_everybody_took_for_dead(
    store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, outcome: str, state: State, clock
) -> None:
    await store.accept([draft()])
    lease = await sending(store, worker, draft())
    await store.last_byte(lease)
    clock.go(worker.lease)
    assert await store.sweep() == 1
    assert (await store.message(lease.job.id)).job.state is State.UNKNOWN
    job = await store.finish(lease, result(outcome))
    assert job.state is state
    assert (await store.finish(lease, result(outcome))).state is state
    assert (await store.attempts(job))[0].outcome is Outcome(outcome)


async def test_a_late_answer_changes_nothing_that_went_on(
    store: Store, worker: Worker, draft: MakeDraft, result: MakeResult, clock
) -> None:
    await store.accept([draft()])
    late = await sending(store, worker, draft())
    clock.go(worker.lease)
    await store.sweep()
    clock.go(10)
    again = await sending(store, replace(worker, owner="node/2"), draft())
    job = await store.finish(late, result("not_sent"))
    assert (job.state, job.owner) == (State.SENDING, "node/2")
    await store.last_byte(again)
    assert (await store.finish(again, result("sent"))).state is State.SENT


async def test_mm1_is_not_retried_behind_its_senders_back(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult) -> None:
    post = draft(door=Door.MM1, client="192.0.2.7")
    await store.accept_post(post)
    lease = await sending(store, worker, post)
    assert (await store.finish(lease, result("not_sent"))).state is State.FAILED
    assert await store.claim(worker) == Wait(None, "empty")


async def test_a_line_without_a_modem_is_given_no_sms(store: Store, draft: MakeDraft) -> None:
    await store.accept([draft(kind=Kind.SMS)])
    assert await store.claim(Worker("node/1", "host", has_sms=False)) == Wait(None, "empty")
    await store.accept([draft(kind=Kind.MMS)])
    assert (await claimed(store, Worker("node/1", "host", has_sms=False))).job.kind is Kind.MMS
    assert (await claimed(store, Worker("node/1", "modem"))).job.kind is Kind.SMS

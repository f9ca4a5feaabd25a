"""What persons ask for and what reports say, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mmsproxy.post import desk
from mmsproxy.post.admission import Refused
from mmsproxy.post.desk import PORTION, Report, same_number
from mmsproxy.post.job import Fallback, Job, Kind, NotAllowed, RecipientState, Result, State
from mmsproxy.post.moves import NotFound
from mmsproxy.post.policy import Wait
from mmsproxy.post.records import Draft
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker

MakeDraft = Callable[..., Draft]
MakeResult = Callable[..., Result]
ONE, TWO = "+12025550123", "+12025550124"


@pytest.fixture
def ended(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult):
    """A message that was accepted and tried."""

    async def make(outcome: str, drafted: Draft | None = None, **fields) -> Job:
        wanted = drafted or draft(delivery_report=True)
        (message,) = (await store.accept([wanted])).messages
        lease = await store.begin(await store.claim(worker), worker, wanted.pdu)
        assert lease.job.id == message.job.id
        await store.last_byte(lease)
        return await store.finish(lease, result(outcome, **fields))

    return make


async def test_cancel(store: Store, draft: MakeDraft, worker: Worker, clock) -> None:
    queued, later = (await store.accept([draft(), draft(send_at=clock.now + 9)])).messages
    for message in (queued, later):
        assert (await store.cancel(message.job.id)).state is State.CANCELED
        with pytest.raises(NotAllowed) as refused:
            await store.cancel(message.job.id)
        assert (refused.value.code, refused.value.state) == ("not_cancelable", State.CANCELED)
    assert await store.claim(worker) == Wait(None, "empty")
    with pytest.raises(NotFound):
        await store.cancel("msg_none")


async def test_retry(store: Store, ended, worker: Worker, clock) -> None:
    job = await ended("refused")
    clock.go(7200)
    again = await store.retry(job.id)
    assert (again.state, again.attempts, again.failures, again.error) == (State.QUEUED, 1, 0, None)
    assert again.expires_at == clock.now + 3600
    with pytest.raises(NotAllowed):
        await store.retry(job.id)
    lease = await store.claim(worker)
    assert lease.job.id == job.id


async def test_retry_of_an_unknown_message_takes_a_word(store: Store, ended) -> None:
    job = await ended("unknown")
    with pytest.raises(NotAllowed) as refused:
        await store.retry(job.id)
    assert refused.value.code == "duplicate_risk"
    again = await store.retry(job.id, accept_duplicate_risk=True)
    assert (again.state, again.was_unknown) == (State.QUEUED, True)


async def test_resolve(store: Store, ended) -> None:
    one, two, other = await ended("unknown"), await ended("unknown"), await ended("sent")
    assert (await store.resolve(one.id, State.SENT)).state is State.SENT
    message = await store.message(one.id)
    assert (message.settled_by, message.recipients[0].state) == ("person", RecipientState.SENT)
    assert (await store.resolve(two.id, State.FAILED)).error.code == "resolved"
    for job, as_state in ((one, State.FAILED), (other, State.FAILED), (other, State.SENT)):
        with pytest.raises(NotAllowed):
            await store.resolve(job.id, as_state)


async def test_only_one_of_two_persons_wins(store: Store, ended) -> None:
    job = await ended("refused")
    answers = await asyncio.gather(store.retry(job.id), store.retry(job.id), store.retry(job.id), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Job", "NotAllowed", "NotAllowed"]


# Reports


async def test_delivered_then_read(store: Store, ended, draft: MakeDraft, clock) -> None:
    job = await ended("sent", draft(recipients=(ONE, TWO)))
    clock.go(5)

    async def report(to: str, state: RecipientState | None, name: str) -> State:
        heard = await store.report(Report("m-1", to, state, name, clock.now))
        assert heard is not None
        assert heard.id == job.id
        return heard.state

    assert await report("12025550123/TYPE=PLMN", RecipientState.DELIVERED, "Retrieved") is State.SENT
    assert await report(TWO, None, "Deferred") is State.SENT
    assert await report(TWO, RecipientState.DELIVERED, "Retrieved") is State.DELIVERED
    assert await report(ONE, RecipientState.READ, "Read") is State.DELIVERED
    assert await report(ONE, RecipientState.DELIVERED, "Retrieved") is State.DELIVERED
    assert await report(TWO, RecipientState.READ, "Read") is State.READ
    people = (await store.message(job.id)).recipients
    assert [person.state for person in people] == [RecipientState.READ, RecipientState.READ]
    assert (people[1].report, people[1].reported_at) == ("Read", clock.now)


async def test_undelivered(store: Store, ended, clock) -> None:
    job = await ended("sent")
    heard = await store.report(Report("m-1", ONE, RecipientState.UNDELIVERED, "Expired", clock.now))
    assert heard is not None
    assert heard.state is State.UNDELIVERED
    late = await store.report(Report("m-1", ONE, RecipientState.DELIVERED, "Retrieved", clock.now))
    assert late is not None
    assert (late.id, late.state) == (job.id, State.UNDELIVERED)
    assert (await store.message(job.id)).recipients[0].state is RecipientState.DELIVERED


async def test_a_report_that_belongs_to_nobody(store: Store, ended, clock) -> None:
    await ended("sent")
    for heard in (Report("m-2", ONE, None, "Retrieved", clock.now), Report("m-1", "+4915112345678", None, "Retrieved", clock.now)):
        assert await store.report(heard) is None


async def test_the_newest_of_two_with_the_same_message_id_and_number(store: Store, ended, clock) -> None:
    await ended("sent")
    second = await ended("sent")
    heard = await store.report(Report("m-1", ONE, RecipientState.DELIVERED, "Retrieved", clock.now))
    assert heard is not None
    assert heard.id == second.id


async def test_a_report_settles_the_only_unknown_message(store: Store, ended, draft: MakeDraft, clock) -> None:
    job = await ended("unknown")
    await ended("unknown", draft(recipients=(TWO,), delivery_report=True))
    clock.go(60)
    heard = await store.report(Report("m-77", ONE, RecipientState.DELIVERED, "Retrieved", clock.now))
    assert heard is not None
    assert (heard.id, heard.state, heard.was_unknown) == (job.id, State.DELIVERED, True)
    message = await store.message(job.id)
    assert (message.settled_by, message.carrier_message_id) == ("report", "m-77")
    states = [event.data["status"] for event in await store.events_of(job.id)]
    assert states == ["queued", "sending", "unknown", "sent", "delivered"]


async def test_an_ok_to_another_transaction_is_proven_by_its_report(store: Store, ended, draft: MakeDraft, clock) -> None:
    """Two fit by number, and the Message-ID that came with the wrong Tid tells which."""
    job = await ended("unknown", code="tid_mismatch", carrier_message_id="m-9")
    other = await ended("unknown")
    assert (await store.message(job.id)).carrier_message_id == "m-9"
    heard = await store.report(Report("m-9", ONE, RecipientState.DELIVERED, "Retrieved", clock.now))
    assert heard is not None
    assert (heard.id, heard.state, heard.error) == (job.id, State.DELIVERED, None)
    assert (await store.message(other.id)).job.state is State.UNKNOWN


async def test_two_unknown_messages_stay_unknown(store: Store, ended, clock) -> None:
    jobs = [await ended("unknown"), await ended("unknown")]
    assert await store.report(Report("m-77", ONE, RecipientState.DELIVERED, "Retrieved", clock.now)) is None
    assert [(await store.message(job.id)).job.state for job in jobs] == [State.UNKNOWN, State.UNKNOWN]


async def test_a_report_that_nobody_asked_for_proves_nothing(store: Store, ended, draft: MakeDraft, clock) -> None:
    job = await ended("unknown", draft(read_report=True))
    assert await store.report(Report("m-77", ONE, RecipientState.DELIVERED, "Retrieved", clock.now)) is None
    heard = await store.report(Report("m-77", ONE, RecipientState.READ, "Read", clock.now, is_read=True))
    assert heard is not None
    assert (heard.id, heard.state) == (job.id, State.READ)


@pytest.mark.parametrize(("asked", "settled"), [(True, False), (False, True)])
async def test_a_sent_message_without_a_message_id_may_be_meant(store: Store, ended, draft: MakeDraft, clock, asked, settled) -> None:
    job = await ended("unknown")
    await ended("sent", draft(delivery_report=asked), carrier_message_id=None)
    heard = await store.report(Report("m-77", "2025550123", RecipientState.DELIVERED, "Retrieved", clock.now))
    assert (heard is not None) is settled
    assert ((await store.message(job.id)).job.state is State.UNKNOWN) is not settled


async def test_too_many_that_may_be_meant(store: Store, ended, draft: MakeDraft, clock, monkeypatch) -> None:
    monkeypatch.setattr(desk, "CANDIDATES", 1)
    job = await ended("unknown")
    heard = Report("m-77", ONE, RecipientState.DELIVERED, "Retrieved", clock.now)
    await ended("unknown", draft(recipients=("+12020000123",), delivery_report=True))
    assert await store.report(heard) is None
    monkeypatch.undo()
    settled = await store.report(heard)
    assert settled is not None
    assert settled.id == job.id


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ONE, "2025550123", True),
        (ONE, "+12025550123/TYPE=PLMN", True),
        ("+4915112345678", "015112345678", True),
        (ONE, TWO, False),
        ("12345", "12345", True),
        ("12345", "212345", False),
        ("a@example.com", "A@example.com", True),
        ("a2025550123@example.com", ONE, False),
        ("", ONE, False),
    ],
)
def test_same_number(one: str, other: str, same: bool) -> None:
    assert same_number(one, other) is same
    assert same_number(other, one) is same


# Fallback


async def test_fallback(store: Store, ended, draft: MakeDraft) -> None:
    parent = await ended("refused", draft(fallback=Fallback.SMS))
    await ended("refused")
    assert await store.falling_back() == (parent.id,)
    replaced = await store.fall_back(parent.id, [draft(kind=Kind.SMS, pdu=None, cost=4)])
    assert replaced.state is State.FAILED
    child = await store.message(replaced.replaced_by)
    assert (child.parent_id, child.job.kind, child.job.cost) == (parent.id, Kind.SMS, 4)
    assert await store.falling_back() == ()
    for again in (store.fall_back(parent.id, [draft()]), store.retry(parent.id)):
        with pytest.raises(NotAllowed):
            await again


async def test_fallback_that_cannot_be(store: Store, ended, draft: MakeDraft) -> None:
    parent = await ended("refused", draft(fallback=Fallback.SMS))
    assert (await store.fall_back(parent.id, [])).fallback is Fallback.NONE
    assert await store.falling_back() == ()


@pytest.mark.parametrize("outcome", ["unknown", "partial", "sent"])
async def test_no_fallback_in_doubt(store: Store, ended, draft: MakeDraft, outcome: str) -> None:
    job = await ended(outcome, draft(fallback=Fallback.SMS))
    assert await store.falling_back() == ()
    with pytest.raises(NotAllowed):
        await store.fall_back(job.id, [draft()])
    assert len((await store.page()).messages) == 1


async def test_no_fallback_after_a_doubt(store: Store, ended, draft: MakeDraft) -> None:
    job = await ended("unknown", draft(fallback=Fallback.SMS))
    await store.resolve(job.id, State.FAILED)
    assert await store.falling_back() == ()


async def test_fallback_to_several_numbers(store: Store, ended, draft: MakeDraft) -> None:
    parent = await ended("refused", draft(recipients=(ONE, TWO), fallback=Fallback.SMS))
    children = [draft(recipients=(number,), kind=Kind.SMS, pdu=None) for number in (ONE, TWO)]
    replaced = await store.fall_back(parent.id, children)
    found = [message for message in (await store.page()).messages if message.parent_id == parent.id]
    first = next(message for message in found if message.job.id == replaced.replaced_by)
    assert sorted(message.recipients[0].number for message in found) == [ONE, TWO]
    assert first.recipients[0].number == ONE
    assert first.batch_id is not None
    assert {message.batch_id for message in found} == {first.batch_id}


async def test_fallback_all_or_none(store: Store, ended, draft: MakeDraft) -> None:
    parent = await ended("refused", draft(recipients=(ONE, TWO), fallback=Fallback.SMS))
    await store.set_optout(TWO)
    with pytest.raises(Refused):
        await store.fall_back(parent.id, [draft(recipients=(number,), kind=Kind.SMS) for number in (ONE, TWO)])
    assert len((await store.page()).messages) == 1
    assert await store.falling_back() == (parent.id,)


async def test_a_fallback_put_off_hides_no_other(store: Store, ended, draft: MakeDraft, clock) -> None:
    jobs = [await ended("refused", draft(fallback=Fallback.SMS)) for _ in range(PORTION + 2)]
    assert await store.falling_back() == tuple(job.id for job in jobs[:PORTION])
    for job in jobs[:PORTION]:
        await store.put_off_fallback(job.id, 600.0)
    assert await store.falling_back() == tuple(job.id for job in jobs[PORTION:])
    clock.go(600)
    assert await store.falling_back() == tuple(job.id for job in jobs[:PORTION])
    with pytest.raises(NotAllowed):
        await store.put_off_fallback((await ended("refused")).id, 1.0)

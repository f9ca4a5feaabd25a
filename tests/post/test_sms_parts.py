"""The kept parts, on both engines: begun and ended, bound to a line, reported, settled after a crash."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from mmsproxy.post import sms_parts, tallies
from mmsproxy.post.job import Job, Kind, Lease, LeaseLost, RecipientState, State
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.sms_parts import PartState, SmsReport
from mmsproxy.post.store import Store
from mmsproxy.post.verdicts import REPORT_WINDOW
from mmsproxy.post.work import Worker

NUMBER = "+12025550123"
DELIVERED, TRYING, EXPIRED, GAVE_UP, FORWARDED = 0x00, 0x30, 0x46, 0x63, 0x01

MakeResult = Callable[..., Any]


class Sender:
    """Drives one message through the store as the outbox and post.sms do."""

    def __init__(self, store: Store, worker: Worker, result: MakeResult) -> None:
        self.store = store
        self.worker = worker
        self.result = result

    async def accept(self, *numbers: str, **fields: Any) -> str:
        draft = Draft(numbers or (NUMBER,), kind=Kind.SMS, text="hi", delivery_report=True, **fields)
        return (await self.store.accept([draft])).messages[0].job.id

    async def begin(self) -> tuple[Lease, Job]:
        lease = await self.store.claim(self.worker)
        assert isinstance(lease, Lease)
        job = (await self.store.message(lease.job.id)).job
        return await self.store.begin(lease, self.worker, Pdu(b"0 1 00\n"), is_new=True), job

    async def part(self, lease: Lease, job: Job, n: int, total: int, *, recipient: int = 0) -> None:
        op = partial(sms_parts.begin, job=job, n=n, recipient=recipient, total=total, line=self.worker.line)
        await self.store.write(op)
        await self.store.last_byte(lease)

    async def end(self, job: Job, n: int, state: PartState, **fields: Any) -> None:
        await self.store.write(partial(sms_parts.end, job=job, n=n, state=state, **fields))

    async def sent(self, references: list[int], *numbers: str) -> str:
        """A message of so many parts for each number, sent with these references in order."""
        message_id = await self.accept(*numbers)
        lease, job = await self.begin()
        each = len(references) // max(1, len(numbers))
        for n, reference in enumerate(references):
            await self.part(lease, job, n, len(references), recipient=n // each)
            await self.end(job, n, PartState.SENT, reference=reference, is_last=n == len(references) - 1)
        assert (await self.store.finish(lease, self.result("sent"))).state is State.SENT
        return message_id

    async def report(self, reference: int, status: int, *, number: str = NUMBER, line: str = "mint") -> Job | None:
        heard = SmsReport(line, reference, number, status, self.store.database.now())
        return await self.store.write(partial(sms_parts.report, heard=heard))

    async def rows(self, message_id: str) -> tuple[sms_parts.PartRow, ...]:
        job = (await self.store.message(message_id)).job
        return await self.store.read(partial(sms_parts.parts_of, seq=job.seq))

    async def state(self, message_id: str) -> tuple[State, list[RecipientState | None]]:
        message = await self.store.message(message_id)
        return message.job.state, [recipient.state for recipient in message.recipients]


@pytest.fixture
def sender(store: Store, worker: Worker, result: MakeResult) -> Sender:
    return Sender(store, worker, result)


async def test_a_part_is_in_doubt_from_its_begin_to_its_end(sender: Sender, clock: Any) -> None:
    message_id = await sender.accept()
    lease, job = await sender.begin()

    async def in_doubt() -> bool:
        return (await sender.store.message(message_id)).job.in_doubt

    assert not await in_doubt()
    for n in range(2):
        await sender.part(lease, job, n, 3)
        assert await in_doubt()
        clock.go(2)
        await sender.end(job, n, PartState.SENT, reference=40 + n)
        assert not await in_doubt()
    await sender.part(lease, job, 2, 3)
    await sender.end(job, 2, PartState.SENT, reference=42, is_last=True)
    assert await in_doubt()  # until the outcome is kept: it must not be sent again
    rows = await sender.rows(message_id)
    assert [(row.n, row.reference, row.state) for row in rows] == [(0, 40, "sent"), (1, 41, "sent"), (2, 42, "sent")]
    assert [(row.line, row.attempt, row.recipient) for row in rows] == [("mint", 1, 0)] * 3
    assert [(row.ended_at or 0) - row.offered_at for row in rows] == [2, 2, 0]


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ([], State.RETRYING),
        ([PartState.SENT], State.RETRYING),
        ([PartState.FAILED], State.RETRYING),
        ([PartState.SENT, None], State.UNKNOWN),
        ([PartState.SENT, PartState.UNKNOWN], State.UNKNOWN),
        ([PartState.SENT, PartState.SENT, PartState.SENT], State.SENT),
    ],
)
async def test_a_crash_at_each_place(sender: Sender, clock: Any, ends: list[PartState | None], state: State) -> None:
    message_id = await sender.accept()
    lease, job = await sender.begin()
    for n, end in enumerate(ends):
        await sender.part(lease, job, n, 3)
        if end is not None:
            await sender.end(job, n, end, reference=n if end is PartState.SENT else None, is_last=n == 2)
    clock.go(1000)
    await sender.store.recover("node/2")
    await sender.store.write(sms_parts.settle_complete)
    assert (await sender.state(message_id))[0] is state
    assert await sender.store.write(sms_parts.settle_complete) == 0


async def test_who_lost_the_message_begins_nothing(sender: Sender, clock: Any) -> None:
    await sender.accept()
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 2)
    await sender.end(job, 0, PartState.SENT, reference=1)
    clock.go(1000)
    await sender.store.recover("node/2")
    with pytest.raises(LeaseLost):
        await sender.part(lease, job, 1, 2)
    await sender.end(job, 0, PartState.SENT, reference=1)  # late, and again: changes nothing
    assert [(row.n, row.reference) for row in await sender.rows(job.id)] == [(0, 1)]


async def test_a_late_end_does_not_lift_the_doubt_of_the_next_attempt(sender: Sender, clock: Any) -> None:
    message_id = await sender.accept()
    lease, late = await sender.begin()
    await sender.part(lease, late, 0, 2)
    clock.go(1000)
    await sender.store.recover("node/2")
    await sender.store.retry(message_id, accept_duplicate_risk=True)
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 2)
    await sender.end(late, 0, PartState.FAILED)
    message = await sender.store.message(message_id)
    assert message.job.in_doubt
    assert message.job.line == "mint"
    assert [(row.state, row.attempt) for row in await sender.rows(message_id)] == [("begun", 2)]


async def test_a_sent_part_is_never_begun_again(sender: Sender, clock: Any) -> None:
    message_id = await sender.accept()
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 2)
    await sender.end(job, 0, PartState.SENT, reference=5)
    await sender.part(lease, job, 1, 2)
    await sender.end(job, 1, PartState.FAILED)
    await sender.store.finish(lease, sender.result("not_sent"))
    clock.go(60)
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 2)
    await sender.part(lease, job, 1, 2)
    rows = await sender.rows(message_id)
    assert [(row.state, row.attempt, row.reference) for row in rows] == [("sent", 1, 5), ("begun", 2, None)]


async def test_several_parts_stay_on_one_line(sender: Sender) -> None:
    message_id = await sender.accept()
    lease, job = await sender.begin()

    async def line() -> str:
        return (await sender.store.message(message_id)).job.line

    await sender.part(lease, job, 0, 2)
    assert await line() == "mint"
    await sender.end(job, 0, PartState.FAILED)  # nothing left: any line may take it again
    assert await line() == ""
    await sender.part(lease, job, 0, 2)
    await sender.end(job, 0, PartState.SENT, reference=1)
    await sender.part(lease, job, 1, 2)
    await sender.end(job, 1, PartState.FAILED)
    assert await line() == "mint"


async def test_one_part_is_bound_to_no_line(sender: Sender) -> None:
    message_id = await sender.accept()
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 1)
    assert (await sender.store.message(message_id)).job.line == ""


# Reports.


@pytest.mark.parametrize(
    ("statuses", "state", "told"),
    [
        ([DELIVERED], State.DELIVERED, RecipientState.DELIVERED),
        ([TRYING], State.SENT, RecipientState.SENT),
        ([FORWARDED], State.SENT, RecipientState.SENT),
        ([EXPIRED], State.UNDELIVERED, RecipientState.UNDELIVERED),
        ([GAVE_UP], State.UNDELIVERED, RecipientState.UNDELIVERED),
        ([TRYING, DELIVERED], State.DELIVERED, RecipientState.DELIVERED),
        ([DELIVERED, TRYING], State.DELIVERED, RecipientState.DELIVERED),
        ([DELIVERED, DELIVERED], State.DELIVERED, RecipientState.DELIVERED),
    ],
)
async def test_one_part_reported(sender: Sender, statuses: list[int], state: State, told: RecipientState) -> None:
    message_id = await sender.sent([7])
    for status in statuses:
        job = await sender.report(7, status, number="12025550123")
        assert job is not None
        assert job.id == message_id
    assert await sender.state(message_id) == (state, [told])


async def test_all_parts_make_it_delivered_and_one_undelivered(sender: Sender) -> None:
    first = await sender.sent([1, 2, 3])
    for reference in (2, 1):
        await sender.report(reference, DELIVERED)
        assert await sender.state(first) == (State.SENT, [RecipientState.SENT])
    await sender.report(3, DELIVERED)
    assert await sender.state(first) == (State.DELIVERED, [RecipientState.DELIVERED])
    (recipient,) = (await sender.store.message(first)).recipients
    assert recipient.report == "3 of 3 parts received; the last report: received by the recipient"
    second = await sender.sent([4, 5])
    await sender.report(5, EXPIRED)
    assert await sender.state(second) == (State.UNDELIVERED, [RecipientState.UNDELIVERED])


async def test_each_recipient_has_its_own(sender: Sender) -> None:
    other = "+12025550199"
    message_id = await sender.sent([1, 2, 3, 4], NUMBER, other)
    await sender.report(1, DELIVERED)
    await sender.report(2, DELIVERED)
    assert await sender.state(message_id) == (State.SENT, [RecipientState.DELIVERED, RecipientState.SENT])
    await sender.report(3, DELIVERED, number=other)
    await sender.report(4, DELIVERED, number=other)
    assert await sender.state(message_id) == (State.DELIVERED, [RecipientState.DELIVERED] * 2)


async def test_by_line_reference_and_number_the_newest_first(sender: Sender, clock: Any) -> None:
    old = await sender.sent([7])
    clock.go(3600)
    new = await sender.sent([7])
    other = await sender.sent([7], "+12025550199")
    assert await sender.report(7, DELIVERED, line="another") is None
    assert await sender.report(8, DELIVERED) is None
    assert await sender.report(7, DELIVERED, number="+12025550100") is None
    await sender.report(7, DELIVERED)
    states = [(await sender.state(message_id))[0] for message_id in (old, new, other)]
    assert states == [State.SENT, State.DELIVERED, State.SENT]
    clock.go(REPORT_WINDOW + 1)
    assert await sender.report(7, DELIVERED) is None


async def test_a_report_quicker_than_the_outcome_counts_when_it_is_sent(sender: Sender) -> None:
    message_id = await sender.accept()
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 2)
    await sender.end(job, 0, PartState.SENT, reference=1)
    early = await sender.report(1, DELIVERED)
    assert early is not None
    assert early.state is State.SENDING
    assert await sender.store.write(sms_parts.catch_up) == 1
    await sender.part(lease, job, 1, 2)
    await sender.end(job, 1, PartState.SENT, reference=2, is_last=True)
    await sender.report(2, DELIVERED)
    await sender.store.finish(lease, sender.result("sent"))
    assert await sender.state(message_id) == (State.SENT, [RecipientState.SENT])
    assert await sender.store.write(sms_parts.catch_up) == 0
    assert await sender.state(message_id) == (State.DELIVERED, [RecipientState.DELIVERED])


async def test_a_partial_message_stays_as_it_is(sender: Sender) -> None:
    message_id = await sender.accept()
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 2)
    await sender.end(job, 0, PartState.SENT, reference=1)
    await sender.store.finish(lease, sender.result("partial", response_status=None))
    await sender.report(1, DELIVERED)
    assert await sender.state(message_id) == (State.PARTIAL, [None])
    assert (await sender.rows(message_id))[0].status == DELIVERED
    assert await sender.store.write(sms_parts.catch_up) == 0


async def _left_in_doubt(sender: Sender, *, total: int = 1, number: str = NUMBER) -> str:
    message_id = await sender.accept(number)
    lease, job = await sender.begin()
    for n in range(total):
        await sender.part(lease, job, n, total)
        state = PartState.UNKNOWN if n == total - 1 else PartState.SENT
        await sender.end(job, n, state, reference=None if state is PartState.UNKNOWN else n)
    await sender.store.finish(lease, sender.result("unknown"))
    return message_id


async def test_a_report_proves_the_only_part_in_doubt(sender: Sender) -> None:
    message_id = await _left_in_doubt(sender, total=2)
    job = await sender.report(9, DELIVERED)
    assert job is not None
    assert job.id == message_id
    message = await sender.store.message(message_id)
    assert (message.job.state, message.settled_by) == (State.SENT, "report")
    await sender.report(0, DELIVERED)
    assert (await sender.state(message_id))[0] is State.DELIVERED
    assert (await sender.rows(message_id))[1].reference == 9


async def test_a_report_proves_nothing_when_two_parts_are_in_doubt(sender: Sender) -> None:
    messages = [await _left_in_doubt(sender) for _ in range(2)]
    assert await sender.report(9, DELIVERED) is None
    assert [(await sender.state(message_id))[0] for message_id in messages] == [State.UNKNOWN] * 2


async def test_a_part_under_way_is_not_proven_by_a_strange_report(sender: Sender) -> None:
    await sender.accept()
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 1)
    assert await sender.report(9, DELIVERED) is None


async def one_sent_one_in_doubt(sender: Sender) -> tuple[str, Lease]:
    """Part 2 of 3 was in doubt; part 3 was never begun."""
    message_id = await sender.accept(cost=3)
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 3)
    await sender.end(job, 0, PartState.SENT, reference=1)
    await sender.part(lease, job, 1, 3)
    await sender.end(job, 1, PartState.UNKNOWN)
    await sender.store.finish(lease, sender.result("unknown"))
    return message_id, lease


async def spent(store: Store) -> int:
    minutes = (await store.read(partial(tallies.spent, since=0.0))).minutes
    return sum(units for _, units in minutes)


async def test_a_proven_part_does_not_make_the_message_whole(sender: Sender, clock: Any) -> None:
    """It goes on with the parts that never left, and they alone are paid for."""
    message_id, _ = await one_sent_one_in_doubt(sender)
    assert await spent(sender.store) == 3
    await sender.report(2, DELIVERED)
    job = (await sender.store.message(message_id)).job
    assert (job.state, job.parts_sent, job.units, job.error) == (State.RETRYING, 2, 1, None)
    assert [row.state for row in await sender.rows(message_id)] == ["sent", "sent"]
    assert await spent(sender.store) == 2
    lease, job = await sender.begin()
    await sender.part(lease, job, 2, 3)
    await sender.end(job, 2, PartState.SENT, reference=3, is_last=True)
    assert (await sender.store.finish(lease, sender.result("sent"))).state is State.SENT
    assert await spent(sender.store) == 3


async def test_a_proven_part_when_the_time_is_over(sender: Sender, clock: Any) -> None:
    message_id, _ = await one_sent_one_in_doubt(sender)
    clock.go(4000)
    await sender.report(2, DELIVERED)
    job = (await sender.store.message(message_id)).job
    assert job.state is State.PARTIAL
    assert job.error is not None
    assert job.error.detail.startswith("2 of its parts were sent")


async def test_another_part_in_doubt_keeps_the_doubt(sender: Sender) -> None:
    message_id, _ = await one_sent_one_in_doubt(sender)
    await sender.report(1, DELIVERED)
    assert (await sender.state(message_id))[0] is State.UNKNOWN


async def retrying_with_one_part_sent(sender: Sender) -> Job:
    await sender.accept(cost=3)
    lease, job = await sender.begin()
    await sender.part(lease, job, 0, 3)
    await sender.end(job, 0, PartState.SENT, reference=1)
    await sender.end(job, 0, PartState.SENT, reference=1)  # told twice, counted once
    retrying = await sender.store.finish(lease, sender.result("not_sent"))
    assert (retrying.state, retrying.parts_sent) == (State.RETRYING, 1)
    return retrying


async def test_money_is_given_back_for_what_did_not_leave(sender: Sender, clock: Any) -> None:
    job = await retrying_with_one_part_sent(sender)
    assert await spent(sender.store) == 1
    clock.now = job.due_at or 0.0
    lease, _ = await sender.begin()
    assert await spent(sender.store) == 3
    await sender.store.finish(lease, sender.result("not_sent"))
    assert await spent(sender.store) == 1


async def test_canceled_when_a_part_was_sent(sender: Sender) -> None:
    job = await retrying_with_one_part_sent(sender)
    canceled = await sender.store.cancel(job.id)
    assert canceled.state is State.PARTIAL
    assert canceled.error is not None
    assert (canceled.error.code, canceled.error.detail) == ("canceled", "1 of its parts were sent; then: a person canceled the rest")


@pytest.mark.parametrize("by", ["sweep", "claim"])
async def test_expired_when_a_part_was_sent(sender: Sender, clock: Any, by: str) -> None:
    job = await retrying_with_one_part_sent(sender)
    clock.go(4000)
    if by == "sweep":
        await sender.store.sweep()
    else:
        await sender.store.claim(sender.worker)
    ended = (await sender.store.message(job.id)).job
    assert ended.state is State.PARTIAL
    assert ended.error is not None
    assert ended.error.code == "expired"
    assert await spent(sender.store) == 1


async def test_failed_when_a_part_was_sent(sender: Sender, clock: Any) -> None:
    job = await retrying_with_one_part_sent(sender)
    clock.now = job.due_at or 0.0
    lease, _ = await sender.begin()
    failed = await sender.store.finish(lease, sender.result("not_sent", retryable=False, code="no_sms"))
    assert failed.state is State.PARTIAL


async def test_the_report_of_an_sms_never_settles_an_mms_nor_the_other_way_round(sender: Sender, draft: Any) -> None:
    from mmsproxy.post.desk import Report

    mms = (await sender.store.accept([draft()])).messages[0].job.id
    lease, _ = await sender.begin()
    await sender.store.last_byte(lease)
    await sender.store.finish(lease, sender.result("unknown", carrier_message_id=None))
    assert await sender.report(9, DELIVERED) is None
    assert (await sender.state(mms))[0] is State.UNKNOWN
    await sender.store.resolve(mms, State.FAILED)
    sms = await _left_in_doubt(sender)
    heard = Report("m-1", NUMBER, RecipientState.DELIVERED, "Retrieved", sender.store.database.now())
    assert await sender.store.report(heard) is None
    assert (await sender.state(sms))[0] is State.UNKNOWN


async def test_each_look_has_its_index(sqlite_store: Store) -> None:
    """A queue of 100,000 waiting messages must not be walked for a report."""
    plans: dict[str, str] = {}

    async def run(statement: Any, rows: Any = None) -> Any:
        async with sqlite_store.database.read() as connection:
            sql = str(statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
            plans[sql] = " ".join(str(row) for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {sql}")))
            return await connection.execute(statement)

    tx: Any = SimpleNamespace(run=run, now=0.0)
    assert await sms_parts.report(tx, SmsReport("mint", 7, NUMBER, 0, 0.0)) is None
    assert await sms_parts.settle_complete(tx) == 0
    assert await sms_parts.catch_up(tx) == 0
    assert len(plans) == 5
    for plan in plans.values():
        assert "SCAN" not in plan, plan
        assert "SEARCH messages USING INDEX messages_" in plan or "SEARCH sms_parts USING" in plan, plan


async def test_parts_go_with_their_message(sender: Sender) -> None:
    from mmsproxy.post.retention import Retention

    message_id = await sender.sent([1])
    seq = (await sender.store.message(message_id)).job.seq
    sender.store.database.now.go(40 * 86400.0)  # type: ignore[attr-defined]
    await sender.store.forget(Retention(age=30 * 86400.0))
    assert await sender.store.read(partial(sms_parts.parts_of, seq=seq)) == ()

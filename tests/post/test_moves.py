from __future__ import annotations

import pytest

from mmsproxy.post.job import Cause, LeaseLost, NotAllowed, Reason, State
from mmsproxy.post.moves import NotFound, change, job_by_id, job_by_seq, move
from mmsproxy.post.store import Store


async def test_a_move_is_told_and_raises_the_fence(store: Store, draft) -> None:
    job = (await store.accept([draft(simulated=True)])).messages[0].job

    async def expire(tx):
        found = await job_by_id(tx, job.id)
        return await move(tx, found, State.EXPIRED, Cause.CLOCK, reason=Reason("expired", "late \x00"))

    moved = await store.write(expire)
    assert (moved.state, moved.fence, moved.due_at, moved.error) == (State.EXPIRED, job.fence + 1, None, Reason("expired", "late \x00"))
    event = (await store.events_of(job.id))[-1]
    assert event.type == "message.expired"
    assert event.data == {
        "id": job.id,
        "status": "expired",
        "kind": "mms",
        "door": "api",
        "attempts": 0,
        "previous": "queued",
        "cause": "clock",
        "error": {"code": "expired", "detail": "late \ufffd"},
        "simulated": True,
    }


async def test_what_the_table_does_not_have(store: Store, draft) -> None:
    job = (await store.accept([draft()])).messages[0].job
    with pytest.raises(NotAllowed):
        await store.write(lambda tx: move(tx, job, State.SENT, Cause.WORKER))
    assert (await store.message(job.id)).job == job


async def test_a_job_that_is_out_of_date(store: Store, draft) -> None:
    job = (await store.accept([draft()])).messages[0].job
    await store.cancel(job.id)
    for op in (lambda tx: move(tx, job, State.EXPIRED, Cause.CLOCK), lambda tx: change(tx, job, line="x")):
        with pytest.raises(LeaseLost, match="somebody else"):
            await store.write(op)


async def test_what_is_not_there(store: Store) -> None:
    for op in (lambda tx: job_by_id(tx, "msg_x" * 100), lambda tx: job_by_seq(tx, 7)):
        with pytest.raises(NotFound):
            await store.write(op)

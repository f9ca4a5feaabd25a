"""The one way in which a message changes its state, and how it is fetched for that. Operations on a Tx.

Rule 1: every change of state goes through `move`: checked against the table, against the row as it is now, and told as an event.
Rule 2: every change of ownership raises the fence.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select, update

from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.post import rows
from mmsproxy.post.database import Tx
from mmsproxy.post.job import CLAIMABLE, Cause, Job, LeaseLost, Reason, State, check_transition
from mmsproxy.post.policy import may_fall_back
from mmsproxy.post.schema import messages


class NotFound(MmsproxyError):
    """There is no such thing in the store."""

    code = "not_found"
    fault = Fault.CALLER


async def job_by_id(tx: Tx, message_id: str) -> Job:
    """Locked until the end of the transaction. Raises NotFound."""
    return await _locked(tx, select(messages).where(messages.c.id == message_id), message_id)


async def job_by_seq(tx: Tx, seq: int) -> Job:
    return await _locked(tx, select(messages).where(messages.c.seq == seq), str(seq))


async def _locked(tx: Tx, statement: Select[Any], name: str) -> Job:
    row = (await tx.run(statement.with_for_update())).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no message {name[:80]}")
    return rows.job(row)


async def move(
    tx: Tx, job: Job, state: State, cause: Cause, *, reason: Reason | None = None, keep_fence: bool = False, **columns: Any
) -> Job:
    """Brings `job`, as it was fetched in this transaction, to `state`; returns it as it is then.

    Leaving a worker's hands, it belongs to nobody: lease and owner go, and the fence goes up, unless `keep_fence`.
    Raises NotAllowed (the table), LeaseLost (the row is no longer what `job` says).
    """
    check_transition(job.state, state, cause)
    values: dict[str, Any] = {"state": state.value, "changed_at": tx.now, "due_at": None, **columns}
    if reason is not None:
        values["error"] = rows.reason_text(reason)
    if not keep_fence:
        values |= {"owner": None, "lease_until": None, "fence": job.fence + 1}
    moved = await change(tx, job, **values)
    announce(tx, moved, job.state, cause, reason)
    if state in CLAIMABLE:
        tx.wake_queue()
    if may_fall_back(moved):
        tx.wake_keeper()
    return moved


async def change(tx: Tx, job: Job, **values: Any) -> Job:
    """Changes columns but not the state (but for `move`). Raises LeaseLost."""
    statement = (
        update(messages)
        .where(messages.c.seq == job.seq, messages.c.fence == job.fence, messages.c.state == job.state.value)
        .values(**values)
        .returning(messages)
    )
    row = (await tx.run(statement)).mappings().one_or_none()
    if row is None:
        raise LeaseLost(f"message {job.id} was changed by somebody else")
    return rows.job(row)


def announce(tx: Tx, job: Job, previous: State | None, cause: Cause | None, reason: Reason | None = None) -> None:
    """The event of a new state."""
    data: dict[str, Any] = {
        "id": job.id,
        "status": job.state.value,
        "kind": job.kind.value,
        "door": job.door.value,
        "attempts": job.attempts,
    }
    if previous is not None:
        data["previous"] = previous.value
    if cause is not None:
        data["cause"] = cause.value
    if reason is not None:
        data["error"] = {"code": reason.code, "detail": rows.clean(reason.detail)}
    if job.simulated:
        data["simulated"] = True
    tx.announce(f"message.{job.state.value}", data, message_id=job.id, line=job.used_line or job.line or None)

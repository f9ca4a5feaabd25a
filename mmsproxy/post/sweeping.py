"""What time does to messages, and what a crash left: operations on a Tx, in small portions.

Rule 1: a portion is small, so nobody waits long behind it; the caller repeats while something was done. Rule 2: policy decides for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from mmsproxy.post import counting, rows
from mmsproxy.post.database import Tx
from mmsproxy.post.job import Cause, Door, Job, State
from mmsproxy.post.moves import move
from mmsproxy.post.policy import Become, Limits, UnknownPolicy, View, decide, recover
from mmsproxy.post.reading import Run
from mmsproxy.post.schema import GATEWAY, SCHEDULED, SENDING, UNKNOWN, WAITING, attempts, deliveries, events, lines, messages
from mmsproxy.post.work import give_back

PORTION = 200  # messages in one transaction


def overdue(now: float, limits: Limits) -> list[ColumnElement[bool]]:
    """Which messages time may have done something to; each condition has its index."""
    free = or_(messages.c.lease_until.is_(None), messages.c.lease_until <= now)
    found = [
        and_(SCHEDULED, messages.c.due_at <= now),
        and_(WAITING, messages.c.expires_at <= now, free),
        and_(SENDING, messages.c.lease_until <= now),
    ]
    if limits.unknown is not UnknownPolicy.HOLD:
        due = messages.c.changed_at <= now - limits.resend_after
        found.append(and_(UNKNOWN, due, messages.c.resends < limits.resends, messages.c.door != Door.MM1.value))
    return found


async def is_anything_overdue(run: Run, now: float, limits: Limits) -> bool:
    """Without a lock, for the poll that mostly finds nothing."""
    conditions = overdue(now, limits)
    answer = (await run(select(or_(*(exists(select(messages.c.seq).where(condition)) for condition in conditions))))).scalar_one()
    return bool(answer)


async def sweep(tx: Tx, limits: Limits) -> int:
    """Queues what is due, expires what is late, recovers what its worker left, re-sends by policy. Returns how many messages changed."""
    changed = 0
    for condition in overdue(tx.now, limits):
        for job in await _portion(tx, condition):
            changed += await _carry_out(tx, job, decide(job, tx.now, limits, View()))
    return changed


async def recover_owners(tx: Tx, node: str, owner: str, *, everybody: bool) -> int:
    """At the start of `owner`: nobody else of its node works any more (of the whole store, with `everybody`), so what they held is free.

    Returns how many were found; the caller repeats until it is 0. `node` is the part of an owner before the slash.
    """
    theirs = messages.c.owner.is_not(None) if everybody else messages.c.owner.startswith(f"{node}/", autoescape=True)
    gone = and_(theirs, messages.c.owner != owner)
    found = await _portion(tx, and_(SENDING, gone))
    for job in found:
        await _carry_out(tx, job, recover(job, tx.now))
    freed: dict[str, Any] = {"owner": None, "lease_until": None, "fence": messages.c.fence + 1}
    await tx.run(update(messages).where(WAITING, gone).values(**freed))
    return len(found)


async def _portion(tx: Tx, condition: ColumnElement[bool]) -> Sequence[Job]:
    statement = select(messages).where(condition).limit(PORTION).with_for_update(skip_locked=True)
    return [rows.job(row) for row in (await tx.run(statement)).mappings()]


async def _carry_out(tx: Tx, job: Job, decision: object) -> int:
    if not isinstance(decision, Become):
        return 0
    columns: dict[str, Any] = {"due_at": decision.due_at}
    if job.state is State.SENDING:
        columns |= await _after_crash(tx, job, decision)
    if decision.cause is Cause.POLICY:
        columns |= {"resends": job.resends + 1, "expires_at": tx.now + job.valid_for, "line": job.used_line}
    await move(tx, job, decision.state, decision.cause, reason=decision.reason, **columns)
    return 1


async def _after_crash(tx: Tx, job: Job, decision: Become) -> dict[str, Any]:
    end = {"ended_at": tx.now, "code": "crashed", "detail": "" if decision.reason is None else decision.reason.detail}
    await tx.run(update(attempts).where(attempts.c.message_seq == job.seq, attempts.c.number == job.attempts).values(**end))
    if job.last_byte_at is None:
        await give_back(tx, job)
    return {"failures": job.failures + 1, "was_unknown": job.was_unknown or decision.state is State.UNKNOWN}


async def is_behind(run: Run, now: float) -> float:
    """Seconds by which the clock stands before the last thing that was written down; 0 when it does not."""
    last = (await run(select(events.c.at).order_by(events.c.seq.desc()).limit(1))).scalar_one_or_none()
    return 0.0 if last is None else max(0.0, last - now)


async def shift_clock(tx: Tx, step: float) -> None:
    """The wall clock was set: every time that means `so long from then` moves with it. `send_at` is a time of the day and stays."""
    await tx.run(update(messages).where(WAITING).values(due_at=messages.c.due_at + step, expires_at=messages.c.expires_at + step))
    leased = messages.c.lease_until.is_not(None)
    await tx.run(update(messages).where(leased).values(lease_until=messages.c.lease_until + step))
    await tx.run(update(messages).where(UNKNOWN).values(changed_at=messages.c.changed_at + step))
    await tx.run(update(lines).where(lines.c.name != GATEWAY).values(next_free_at=lines.c.next_free_at + step))
    await tx.run(update(deliveries).where(deliveries.c.state == "waiting").values(due_at=deliveries.c.due_at + step))
    await counting.shift(tx, step)
    tx.wake_queue()

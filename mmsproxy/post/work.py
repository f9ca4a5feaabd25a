"""A worker's operations on the queue: claim, sending, last byte, finish. Each is one Tx and is committed before the next step begins.

Rule 1: `begin` is committed before the first byte is offered, `last_byte` before the last one may be (delivery.md 2, 3). Rule 2: whoever
lost the lease learns it here, before anything leaves. Rule 3: what is to be done is policy's; here it is only carried out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, Subquery, Text, TextClause, bindparam, func, insert, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post import counting, reading, rows
from mmsproxy.post.caps import Usage
from mmsproxy.post.database import Tx
from mmsproxy.post.job import CLAIMABLE, Cause, Job, Lease, LeaseLost, Priority, RecipientState, Result, State
from mmsproxy.post.moves import change, job_by_seq, move
from mmsproxy.post.policy import Become, Limits, Send, View, Wait, decide, late_answer, settle, view_allows
from mmsproxy.post.records import LineRow, Pdu
from mmsproxy.post.schema import GATEWAY, GATEWAY_SCOPE, MMS_ONLY, WAITING, attempts, lines, messages, pdus, recipients

MAX_STALE = 50  # expired messages put away in one claim; the sweep takes the rest


@dataclass(frozen=True, slots=True)
class Worker:
    """Who asks, and by which rules. `min_interval` and `lease` in seconds; `has_sms`: the line can send SMS, else only those
    that are bound to it."""

    owner: str
    line: str
    min_interval: float = 0.0
    lease: float = 120.0
    has_sms: bool = True


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a message that is accepted now would meet.

    wait    why nothing leaves at all: paused, or a cap is reached; None: messages leave
    bound   messages of this line that go first; free: those that any line may take
    """

    wait: Wait | None
    bound: int
    free: int


async def outlook(tx: Tx, line: str, limits: Limits) -> Outlook:
    """For a door whose sender does not wait for ever. The end of a min_interval is no reason that nothing leaves."""
    view = replace(await _view(tx, Worker("", line), limits), next_free_at=0.0)
    free = view_allows(1, tx.now, limits, view)
    return Outlook(free if isinstance(free, Wait) else None, *await reading.ahead(tx.run, line, tx.now))


async def claim(tx: Tx, worker: Worker, limits: Limits) -> Lease | Wait:
    """The next message of the line, leased; or why there is none now."""
    view = await _view(tx, worker, limits)
    free = view_allows(1, tx.now, limits, view)
    if isinstance(free, Wait):
        return free
    for _ in range(MAX_STALE):
        job = await _next(tx, worker)
        if job is None:
            break
        decision = decide(job, tx.now, limits, view)
        if isinstance(decision, Send):
            return await _lease(tx, job, worker)
        if isinstance(decision, Wait):
            return decision
        if isinstance(decision, Become):
            await move(tx, job, decision.state, decision.cause, reason=decision.reason)
    return Wait(None, "empty")


async def drop(tx: Tx, lease: Lease) -> None:
    """Gives a claimed message back before anything was begun."""
    freed = {"owner": None, "lease_until": None, "fence": lease.fence + 1}
    row = (messages.c.seq == lease.job.seq) & (messages.c.fence == lease.fence)
    if (await tx.run(update(messages).where(row, WAITING).values(**freed))).rowcount:
        tx.wake_queue()


async def begin(
    tx: Tx, lease: Lease, worker: Worker, limits: Limits, pdu: Pdu | None, *, transaction_id: str | None, is_new: bool, size: int
) -> Lease:
    """Commits `sending`. `is_new`: the PDU was just composed and is not kept yet. `pdu` None: it could not be made.
    `size`: the octets that are to leave.

    Raises LeaseLost: it was canceled or taken over, everything is paused, or a cap was reached since the claim.
    """
    job = await _owned(tx, lease)
    if job.state not in CLAIMABLE:
        raise LeaseLost(f"message {job.id} is {job.state}")
    await _check_money(tx, worker, limits, job)
    begun: dict[str, Any] = {
        "attempts": job.attempts + 1,
        "last_byte_at": None,
        "used_line": worker.line,
        "lease_until": tx.now + worker.lease,
    }
    made = {} if pdu is None else _described(pdu, transaction_id)
    if is_new and pdu is not None:
        made |= {"size": size, "stored": _grown(job.seq, "request", pdu.data)}
    moved = await move(tx, job, State.SENDING, Cause.WORKER, keep_fence=True, **begun, **made)
    if is_new and pdu is not None:
        await _keep_pdu(tx, job.seq, "request", pdu)
    await tx.run(insert(attempts), _attempt_row(moved, worker, tx.now, {**made, "size": size}))
    if limits.caps.window:
        await counting.spend(tx, [GATEWAY_SCOPE], job.units)
    return Lease(moved, worker.owner, lease.fence, tx.now + worker.lease)


async def last_byte(tx: Tx, lease: Lease) -> None:
    """Commits that from now on the outcome is doubtful. Raises LeaseLost: then the last byte must not leave."""
    if (await _line_row(tx, GATEWAY)).paused_at is not None:
        raise LeaseLost("everything is paused", cure="mmsproxy resume")
    row = (messages.c.seq == lease.job.seq) & (messages.c.fence == lease.fence) & (messages.c.state == State.SENDING.value)
    if not (await tx.run(update(messages).where(row).values(last_byte_at=tx.now))).rowcount:
        raise LeaseLost(f"message {lease.job.id} is not this worker's any more")
    await tx.run(update(attempts).where(*_attempt_of(lease)).values(last_byte_at=tx.now, phase=int(Phase.LAST_BYTE)))


async def finish(tx: Tx, lease: Lease, result: Result, random: float) -> Job:
    """Commits the outcome; the same again changes nothing. `random` in 0..1 is the jitter of a retry."""
    job = await job_by_seq(tx, lease.job.seq)
    await tx.run(update(attempts).where(*_attempt_of(lease), attempts.c.outcome.is_(None)).values(**_attempt_end(result, tx.now)))
    if job.fence != lease.fence or job.state is not State.SENDING:
        return await _finish_late(tx, job, lease, result)
    return await _settle(tx, job, result, random)


async def renew(tx: Tx, owner: str, seqs: Collection[int], lease: float) -> int:
    """Keeps what the owner is sending; returns how many are still its own."""
    if not seqs:
        return 0
    row = messages.c.seq.in_(sorted(seqs)) & (messages.c.owner == owner) & (messages.c.state == State.SENDING.value)
    return (await tx.run(update(messages).where(row).values(lease_until=tx.now + lease))).rowcount


async def pause(tx: Tx, name: str, reason: str) -> None:
    """A line, or GATEWAY: the kill switch. Nothing new begins; under GATEWAY no last byte leaves either."""
    await _set_pause(tx, name, tx.now, reason)
    tx.announce("line.paused", {"line": name, "reason": reason}, line=name)


async def resume(tx: Tx, name: str) -> bool:
    """False when it was not paused."""
    if (await _line_row(tx, name)).paused_at is None:
        return False
    await _set_pause(tx, name, None, "")
    tx.announce("line.resumed", {"line": name}, line=name)
    tx.wake_queue()
    return True


# Claiming.


async def _view(tx: Tx, worker: Worker, limits: Limits) -> View:
    found = {
        row["name"]: rows.line(row) for row in (await tx.run(select(lines).where(lines.c.name.in_([GATEWAY, worker.line])))).mappings()
    }
    gateway, line = found.get(GATEWAY, LineRow(GATEWAY)), found.get(worker.line, LineRow(worker.line))
    # A clock that was set back must not keep a line waiting for longer than its interval.
    free_at = min(line.next_free_at, tx.now + worker.min_interval)
    spent = await counting.spent(tx, [GATEWAY_SCOPE], limits.caps.window)
    return View(gateway.paused_at is not None, line.paused_at is not None, free_at, spent.get(GATEWAY_SCOPE, Usage()))


async def _next(tx: Tx, worker: Worker) -> Job | None:
    seq = (await tx.run(_FIRST[worker.has_sms], {"now": tx.now, "line": worker.line})).scalar_one_or_none()
    return None if seq is None else await job_by_seq(tx, seq)


def _first(*fits: ColumnElement[bool] | TextClause) -> Select[Any]:
    """One look into the index for each priority, for the line's own messages and for those of any line that `fits`: flat, however many
    wait."""
    own, anybodys = (messages.c.line == bindparam("line", type_=Text),), (messages.c.line == "", *fits)
    heads = [_head(priority, *which) for priority in Priority for which in (own, anybodys)]
    best = union_all(*(select(head) for head in heads)).subquery()
    return select(best.c.seq).order_by(best.c.priority, best.c.due_at, best.c.seq).limit(1)


def _head(priority: Priority, *which: ColumnElement[bool] | TextClause) -> Subquery:
    now = bindparam("now", type_=Double)
    free = or_(messages.c.lease_until.is_(None), messages.c.lease_until <= now)
    return (
        select(messages.c.seq, messages.c.priority, messages.c.due_at)
        .where(WAITING, *which, messages.c.priority == int(priority), messages.c.due_at <= now, free)
        .order_by(messages.c.due_at, messages.c.seq)
        .limit(1)
        .with_for_update(skip_locked=True)
        .subquery()
    )


# By Worker.has_sms; made once, for they are the largest statements of all, and every claim asks one. An SMS that is bound to a line without
# a modem is claimed all the same: it fails with the reason, where it would wait in silence.
_FIRST = {True: _first(), False: _first(MMS_ONLY)}


async def _lease(tx: Tx, job: Job, worker: Worker) -> Lease:
    until = tx.now + worker.lease
    leased = await change(tx, job, owner=worker.owner, lease_until=until, fence=job.fence + 1)
    if worker.min_interval:
        values = {"name": worker.line, "next_free_at": tx.now + worker.min_interval, "pause_reason": ""}
        same = upsert(lines).values(**values)
        await tx.run(same.on_conflict_do_update(index_elements=["name"], set_={"next_free_at": values["next_free_at"]}))
    return Lease(leased, worker.owner, leased.fence, until)


# Sending.


async def _owned(tx: Tx, lease: Lease) -> Job:
    job = await job_by_seq(tx, lease.job.seq)
    if job.fence != lease.fence:
        raise LeaseLost(f"message {job.id} is not this worker's any more: {job.state}")
    return job


async def _check_money(tx: Tx, worker: Worker, limits: Limits, job: Job) -> None:
    """Once more under a lock, since other lines claimed at the same time."""
    await tx.run(select(lines.c.name).where(lines.c.name == GATEWAY).with_for_update())
    view = await _view(tx, worker, limits)
    decision = view_allows(job.units, tx.now, limits, replace(view, next_free_at=0.0))
    if isinstance(decision, Wait):
        raise LeaseLost(f"message {job.id} has to wait: {decision.why}")


async def _keep_pdu(tx: Tx, seq: int, role: str, pdu: Pdu) -> None:
    values = {"message_seq": seq, "role": role, "data": pdu.data, "headers": rows.to_json(list(pdu.headers))}
    same = upsert(pdus).values(**values)
    await tx.run(same.on_conflict_do_update(index_elements=["message_seq", "role"], set_={"data": pdu.data, "headers": values["headers"]}))


def _grown(seq: int, role: str, data: bytes) -> Any:
    """messages.stored, before these octets are kept instead of those that are there."""
    there = select(func.length(pdus.c.data)).where(pdus.c.message_seq == seq, pdus.c.role == role).scalar_subquery()
    return messages.c.stored + len(data) - func.coalesce(there, 0)


def _described(pdu: Pdu, transaction_id: str | None) -> dict[str, Any]:
    return {"transaction_id": rows.clean(transaction_id), "sha256": hashlib.sha256(pdu.data).hexdigest()}


def _attempt_row(job: Job, worker: Worker, now: float, made: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "message_seq": job.seq,
        "number": job.attempts,
        "line": worker.line,
        "owner": worker.owner,
        "started_at": now,
        "phase": int(Phase.NO_BEARER),
        "code": "",
        "detail": "",
        "bytes_offered": 0,
        "bytes_total": made["size"],
        "tries": 0,
        "transaction_id": made.get("transaction_id"),
        "sha256": made.get("sha256"),
        "timings": "{}",
    }


def _attempt_of(lease: Lease) -> tuple[Any, ...]:
    return attempts.c.message_seq == lease.job.seq, attempts.c.number == lease.job.attempts


# Settling.


def _attempt_end(result: Result, now: float) -> dict[str, Any]:
    total = {"bytes_total": result.bytes_total} if result.bytes_total else {}
    return {
        **total,
        "ended_at": now,
        "phase": int(result.phase),
        "outcome": result.outcome.value,
        "code": result.code,
        "detail": rows.clean(result.detail),
        "bytes_offered": result.bytes_offered,
        "tries": result.tries,
        "response_status": result.response_status,
        "http_status": result.http_status,
        "timings": rows.to_json(dict(result.timings)),
    }


async def _settle(tx: Tx, job: Job, result: Result, random: float) -> Job:
    settled = settle(job, result, tx.now, random)
    counters = {"failures": settled.failures, "unresolved": settled.unresolved, "was_unknown": settled.was_unknown}
    known = _known(job.seq, result, "answer" if result.outcome is Outcome.SENT else None)
    columns = {"due_at": settled.due_at, **counters, **known}
    if result.outcome is Outcome.NOT_SENT:
        columns["last_byte_at"] = None  # it was committed, and then the last byte did not leave after all
        await give_back(tx, job)
    moved = await move(tx, job, settled.state, Cause.WORKER, reason=result.error, **columns)
    await _keep_answer(tx, job.seq, result)
    await _add_warnings(tx, job.seq, result.warnings)
    if settled.state is State.SENT:
        await mark_recipients(tx, job.seq, RecipientState.SENT)
    if settled.pauses_line is not None:
        await pause(tx, job.used_line, settled.pauses_line)
    return moved


async def _finish_late(tx: Tx, job: Job, lease: Lease, result: Result) -> Job:
    """The worker was taken for dead, or this is the same end once more. An answer still settles a message that became unknown meanwhile."""
    state = late_answer(result)
    if job.state is not State.UNKNOWN or job.attempts != lease.job.attempts or state is None:
        return job
    moved = await move(tx, job, state, Cause.WORKER, reason=result.error, **_known(job.seq, result, "answer"))
    await _keep_answer(tx, job.seq, result)
    if state is State.SENT:
        await mark_recipients(tx, job.seq, RecipientState.SENT)
    return moved


def _known(seq: int, result: Result, settled_by: str | None) -> dict[str, Any]:
    """What an attempt taught about the message itself."""
    columns: dict[str, Any] = {"settled_by": settled_by, "response_text": rows.clean(result.response_text)}
    if result.carrier_message_id is not None:  # with an Ok to another transaction too: a report may prove later that it was ours
        columns["carrier_message_id"] = rows.clean(result.carrier_message_id)
    if result.outcome is Outcome.SENT:
        columns["error"] = None
    if result.answer is not None:
        columns["stored"] = _grown(seq, "answer", result.answer)
    return columns


async def _add_warnings(tx: Tx, seq: int, codes: tuple[str, ...]) -> None:
    if not codes:
        return
    row = messages.c.seq == seq
    known = json.loads((await tx.run(select(messages.c.warnings).where(row))).scalar_one())
    more = [{"code": code} for code in codes if not any(warning.get("code") == code for warning in known)]
    await tx.run(update(messages).where(row).values(warnings=rows.to_json([*known, *more])))


async def _keep_answer(tx: Tx, seq: int, result: Result) -> None:
    if result.answer is not None:
        await _keep_pdu(tx, seq, "answer", Pdu(result.answer, result.answer_headers))


async def mark_recipients(tx: Tx, seq: int, state: RecipientState) -> None:
    await tx.run(update(recipients).where(recipients.c.message_seq == seq).values(state=state.value))


async def give_back(tx: Tx, job: Job) -> None:
    """What the caps counted for an attempt that never left, or for those parts of it that did not."""
    started = select(attempts.c.started_at).where(attempts.c.message_seq == job.seq, attempts.c.number == job.attempts)
    spent_at = (await tx.run(started)).scalar_one_or_none()
    if spent_at is not None:
        await counting.give_back(tx, GATEWAY_SCOPE, job.units, spent_at)


async def _line_row(tx: Tx, name: str) -> LineRow:
    row = (await tx.run(select(lines).where(lines.c.name == name))).mappings().one_or_none()
    return LineRow(name) if row is None else rows.line(row)


async def _set_pause(tx: Tx, name: str, at: float | None, reason: str) -> None:
    values = {"name": name, "next_free_at": 0.0, "paused_at": at, "pause_reason": rows.clean(reason)}
    same = upsert(lines).values(**values)
    await tx.run(same.on_conflict_do_update(index_elements=["name"], set_={"paused_at": at, "pause_reason": values["pause_reason"]}))

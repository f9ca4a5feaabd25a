"""The parts of an SMS as they are kept: begun, sent with which reference on which line, reported. Operations on a Tx, and reads.

Rule 1: a part is begun here before its last byte may leave, and its end is kept before the next one is begun; so at any moment at most one
part of a message is in doubt, and the message's own `last_byte_at` says whether it is. Rule 2: a part that was sent is never begun again.
Rule 3: a report is kept with its part at once, and counts for the recipient when the message is sent.
It knows no modem and no TPDU but the octet of TP-ST.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from mmsproxy.post import desk
from mmsproxy.post.database import Tx
from mmsproxy.post.desk import REPORTED, Report, same_number
from mmsproxy.post.job import FINAL, Cause, Job, Kind, LeaseLost, RecipientState, State
from mmsproxy.post.moves import job_by_seq, move
from mmsproxy.post.policy import after_part_proven
from mmsproxy.post.reading import Run
from mmsproxy.post.schema import UNCOUNTED, messages, recipients, sms_parts
from mmsproxy.post.verdicts import REPORT_WINDOW
from mmsproxy.post.work import give_back, mark_recipients
from mmsproxy.wire.sms_pdu import Delivery, Status

PORTION = 50  # messages
# As schema.UNKNOWN, whose index it shall use, but told from the state of a part.
UNKNOWN_SMS = and_(messages.c.state == literal_column("'unknown'"), messages.c.kind == Kind.SMS.value)
UNDER_WAY = (State.QUEUED, State.SENDING, State.RETRYING)


class PartState(StrEnum):
    BEGUN = "begun"  # in doubt if the message's last byte was committed since
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


IN_DOUBT = (PartState.BEGUN, PartState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part. `n` counts over all parts for all recipients, `recipient` is Recipient.n; `status` the TP-ST of its last report."""

    n: int
    recipient: int
    line: str
    attempt: int
    state: PartState
    reference: int | None
    offered_at: float
    ended_at: float | None
    status: int | None
    reported_at: float | None


@dataclass(frozen=True, slots=True)
class SmsReport:
    """An SMS-STATUS-REPORT. `number` as the service centre writes it, `status` the octet TP-ST."""

    line: str
    reference: int
    number: str
    status: int
    at: float


async def parts_of(run: Run, seq: int) -> tuple[PartRow, ...]:
    """Those that were begun, in order."""
    statement = select(sms_parts).where(sms_parts.c.message_seq == seq).order_by(sms_parts.c.n)
    return tuple(_row(row) for row in (await run(statement)).mappings())


async def begin(tx: Tx, job: Job, n: int, *, recipient: int, total: int, line: str) -> None:
    """Before the last byte of part `n` is committed. `job` as it was claimed. Raises LeaseLost.

    Parts of one text from two numbers are never joined by a phone, so the first of several binds the message to its line.
    """
    await _check_owner(tx, job)
    values = {
        "recipient": recipient,
        "total": total,
        "line": line,
        "attempt": job.attempts + 1,
        "state": PartState.BEGUN.value,
        "reference": None,
        "offered_at": tx.now,
        "ended_at": None,
        "status": None,
        "reported_at": None,
        "counted": True,
    }
    same = upsert(sms_parts).values(message_seq=job.seq, n=n, **values)
    again = sms_parts.c.state != PartState.SENT.value
    await tx.run(same.on_conflict_do_update(index_elements=["message_seq", "n"], set_=values, where=again))
    if total > 1 and not job.line:
        await tx.run(update(messages).where(messages.c.seq == job.seq).values(line=line))


async def end(tx: Tx, job: Job, n: int, state: PartState, *, reference: int | None = None, is_last: bool = False) -> None:
    """What became of part `n`. Unless it is in doubt or the last one, nothing of the message is in doubt any more: after a crash it goes
    on with the next part. May be repeated."""
    row = and_(sms_parts.c.message_seq == job.seq, sms_parts.c.n == n, sms_parts.c.attempt == job.attempts + 1)
    await tx.run(update(sms_parts).where(row).values(state=state.value, reference=reference, ended_at=tx.now))
    if state is PartState.SENT:
        await _count_sent(tx, job.seq)
    if state is PartState.UNKNOWN or (state is PartState.SENT and is_last):
        return
    mine = and_(messages.c.seq == job.seq, messages.c.fence == job.fence, messages.c.state == State.SENDING.value)
    await tx.run(update(messages).where(mine).values(last_byte_at=None))
    if state is PartState.FAILED and not job.line and not await _has_any_left(tx, job.seq):
        await tx.run(update(messages).where(mine).values(line=""))


async def settle_complete(tx: Tx) -> int:
    """Messages that became unknown by a crash behind their last part's result: all parts are sent, so they are. Returns how many."""
    statement = (
        select(sms_parts.c.message_seq)
        .join(messages, messages.c.seq == sms_parts.c.message_seq)
        .where(UNKNOWN_SMS, sms_parts.c.state == PartState.SENT.value)
        .group_by(sms_parts.c.message_seq)
        .having(func.count() == func.max(sms_parts.c.total))
        .limit(PORTION)
    )
    found = (await tx.run(statement)).scalars().all()
    for seq in found:
        await move(tx, await job_by_seq(tx, seq), State.SENT, Cause.WORKER, settled_by="answer", error=None)
        await mark_recipients(tx, seq, RecipientState.SENT)
    return len(found)


# Reports.


async def report(tx: Tx, heard: SmsReport) -> Job | None:
    """The message that it belongs to, as it is then, or None.

    By line, reference and number, the newest first. Without such a part, the only part in doubt that fits becomes sent by it.
    """
    found = await _sent_part(tx, heard) or await _part_in_doubt(tx, heard)
    if found is None:
        return None
    seq, n = found
    job = await job_by_seq(tx, seq)
    await _keep_status(tx, seq, n, heard)
    if job.state is State.UNKNOWN:
        job = await _settle_unknown(tx, job, heard)
    return await _count(tx, job)


async def _settle_unknown(tx: Tx, job: Job, heard: SmsReport) -> Job:
    """Sent when all parts are; when the others never left, it goes on with them, or is given up if its time is over."""
    if await _is_complete(tx, job.seq):
        return await desk.proven(tx, job, Report(None, heard.number, None, "", heard.at))
    if any(part.state in IN_DOUBT for part in await parts_of(tx.run, job.seq)):
        return job
    await give_back(tx, job)
    after = after_part_proven(job, tx.now)
    columns: dict[str, Any] = {"due_at": after.due_at, "last_byte_at": None, "error": None}
    return await move(tx, job, after.state, after.cause, reason=after.reason, **columns)


async def catch_up(tx: Tx) -> int:
    """Counts reports that came before their message was sent; returns how many messages still have such reports and are under way."""
    early = select(sms_parts.c.message_seq).distinct().join(messages, messages.c.seq == sms_parts.c.message_seq).where(UNCOUNTED)
    due = early.where(messages.c.state.in_([state.value for state in REPORTED | FINAL])).limit(PORTION)
    for seq in (await tx.run(due)).scalars().all():
        await _count(tx, await job_by_seq(tx, seq))
    still = early.where(messages.c.state.in_([state.value for state in UNDER_WAY])).limit(PORTION)
    return len((await tx.run(still)).scalars().all())


async def _sent_part(tx: Tx, heard: SmsReport) -> tuple[int, int] | None:
    statement = (
        _numbered()
        .where(sms_parts.c.line == heard.line, sms_parts.c.reference == heard.reference, sms_parts.c.state == PartState.SENT.value)
        .where(sms_parts.c.ended_at >= heard.at - REPORT_WINDOW)
        .order_by(sms_parts.c.ended_at.desc(), sms_parts.c.message_seq.desc(), sms_parts.c.n.desc())
    )
    rows = (await tx.run(statement)).all()
    return next(((row.message_seq, row.n) for row in rows if same_number(row.number, heard.number)), None)


async def _part_in_doubt(tx: Tx, heard: SmsReport) -> tuple[int, int] | None:
    """A report proves that the part has left; `last_byte_at` of its message, that it was offered."""
    statement = (
        _numbered()
        .join(messages, messages.c.seq == sms_parts.c.message_seq)
        .where(UNKNOWN_SMS, messages.c.delivery_report.is_(True), sms_parts.c.line == heard.line)
        .where(sms_parts.c.state.in_([state.value for state in IN_DOUBT]))
        .where(sms_parts.c.offered_at >= heard.at - REPORT_WINDOW)
    )
    fitting = [(row.message_seq, row.n) for row in (await tx.run(statement)).all() if same_number(row.number, heard.number)]
    if len(fitting) != 1:
        return None
    proven = {"state": PartState.SENT.value, "reference": heard.reference, "ended_at": tx.now}
    await tx.run(update(sms_parts).where(*_part(*fitting[0])).values(**proven))
    await _count_sent(tx, fitting[0][0])
    return fitting[0]


async def _keep_status(tx: Tx, seq: int, n: int, heard: SmsReport) -> None:
    """A final status is not taken back by "still trying" that comes late."""
    known = (await tx.run(select(sms_parts.c.status).where(*_part(seq, n)))).scalar_one()
    if known is not None and Status(known).final and not Status(heard.status).final:
        return
    await tx.run(update(sms_parts).where(*_part(seq, n)).values(status=heard.status, reported_at=heard.at, counted=False))


async def _count(tx: Tx, job: Job) -> Job:
    """Brings what the reports say to the recipients, once the message is sent."""
    if job.state not in REPORTED | FINAL:
        return job
    parts = await parts_of(tx.run, job.seq)
    total = (await tx.run(select(func.max(sms_parts.c.total)).where(sms_parts.c.message_seq == job.seq))).scalar_one()
    people = (await tx.run(select(recipients.c.n, recipients.c.number).where(recipients.c.message_seq == job.seq))).all()
    for person in people:
        reported = [part for part in parts if part.recipient == person.n and part.status is not None]
        if reported:
            job = await desk.count(tx, job, _verdict(person.number, reported, total // len(people)))
    await tx.run(update(sms_parts).where(sms_parts.c.message_seq == job.seq, UNCOUNTED).values(counted=True))
    return job


def _verdict(number: str, reported: Sequence[PartRow], total: int) -> Report:
    """Delivered only when all parts are; undelivered as soon as one is not and never will be."""
    newest = max(reported, key=lambda part: part.reported_at or 0.0)
    said = [Status(part.status or 0) for part in reported]
    delivered = sum(status.delivery is Delivery.DELIVERED for status in said)
    state = None
    if any(status.delivery in (Delivery.FAILED, Delivery.GAVE_UP) for status in said):
        state = RecipientState.UNDELIVERED
    elif delivered == total:
        state = RecipientState.DELIVERED
    words = Status(newest.status or 0).words
    name = words if total == 1 else f"{delivered} of {total} parts received; the last report: {words}"
    return Report(None, number, state, name, newest.reported_at or 0.0)


# Rows.


def _numbered() -> Any:
    person = and_(recipients.c.message_seq == sms_parts.c.message_seq, recipients.c.n == sms_parts.c.recipient)
    return select(sms_parts.c.message_seq, sms_parts.c.n, recipients.c.number).join(recipients, person)


def _part(seq: int, n: int) -> tuple[Any, Any]:
    return sms_parts.c.message_seq == seq, sms_parts.c.n == n


async def _check_owner(tx: Tx, job: Job) -> None:
    mine = (messages.c.seq == job.seq) & (messages.c.fence == job.fence) & (messages.c.state == State.SENDING.value)
    if (await tx.run(select(messages.c.seq).where(mine))).scalar_one_or_none() is None:
        raise LeaseLost(f"message {job.id} is not this worker's any more")


async def _has_any_left(tx: Tx, seq: int) -> bool:
    """Whether a part of it left, or may have."""
    left = sms_parts.c.state.in_([PartState.SENT.value, PartState.UNKNOWN.value])
    return (await tx.run(select(sms_parts.c.n).where(sms_parts.c.message_seq == seq, left).limit(1))).scalar_one_or_none() is not None


async def _count_sent(tx: Tx, seq: int) -> None:
    """Anew each time, since an end may be told twice."""
    sent = select(func.count()).where(sms_parts.c.message_seq == seq, sms_parts.c.state == PartState.SENT.value).scalar_subquery()
    await tx.run(update(messages).where(messages.c.seq == seq).values(parts_sent=sent))


async def _is_complete(tx: Tx, seq: int) -> bool:
    parts = await parts_of(tx.run, seq)
    total: int = (await tx.run(select(func.max(sms_parts.c.total)).where(sms_parts.c.message_seq == seq))).scalar_one()
    return sum(part.state is PartState.SENT for part in parts) == total


def _row(row: Any) -> PartRow:
    return PartRow(
        n=row["n"],
        recipient=row["recipient"],
        line=row["line"],
        attempt=row["attempt"],
        state=PartState(row["state"]),
        reference=row["reference"],
        offered_at=row["offered_at"],
        ended_at=row["ended_at"],
        status=row["status"],
        reported_at=row["reported_at"],
    )

"""What persons ask for and what reports say: cancel, retry, resolve, delivered, read. Operations on a Tx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, or_, select, update

from mmsproxy.post import rows
from mmsproxy.post.admission import Rules
from mmsproxy.post.database import Tx
from mmsproxy.post.intake import MayGrow, Prepared, accept, requeue
from mmsproxy.post.job import Cause, Fallback, Job, NotAllowed, Reason, Recipient, RecipientState, State
from mmsproxy.post.moves import change, job_by_id, job_by_seq, move
from mmsproxy.post.policy import canceled, check_resolve, check_retry, may_fall_back
from mmsproxy.post.reading import Run
from mmsproxy.post.schema import FALLING_BACK, UNIDENTIFIED, messages, optouts, recipients
from mmsproxy.post.verdicts import REPORT_WINDOW, better, by_recipients, the_candidate
from mmsproxy.post.work import mark_recipients

PORTION = 50  # messages
CANDIDATES = 200  # recipients of messages that a report may mean, by the end of their numbers; more of them prove nothing
REPORTED = frozenset({State.SENT, State.DELIVERED, State.UNDELIVERED, State.READ})


async def cancel(tx: Tx, message_id: str) -> Job:
    """An SMS of which parts were sent becomes partial. A worker that has claimed it but not begun learns it when it begins.

    Raises NotFound, NotAllowed (not_cancelable).
    """
    job = await job_by_id(tx, message_id)
    ended = canceled(job)
    return await move(tx, job, ended.state, ended.cause, reason=ended.reason)


async def retry(tx: Tx, message_id: str, *, accept_duplicate_risk: bool) -> Job:
    """Raises NotFound, NotAllowed (not_retryable, duplicate_risk)."""
    job = await job_by_id(tx, message_id)
    check_retry(job, accept_duplicate_risk=accept_duplicate_risk)
    if job.replaced_by is not None:
        raise NotAllowed(f"the message went out as {job.replaced_by}", code="not_retryable", state=job.state)
    return await requeue(tx, job, Cause.PERSON)


async def resolve(tx: Tx, message_id: str, as_state: State) -> Job:
    """A person knows what became of an unknown message. Raises NotFound, NotAllowed."""
    job = await job_by_id(tx, message_id)
    check_resolve(job, as_state)
    reason = None if as_state is State.SENT else Reason("resolved", "a person found out that it did not arrive")
    moved = await move(tx, job, as_state, Cause.PERSON, reason=reason, settled_by="person")
    if as_state is State.SENT:
        await mark_recipients(tx, job.seq, RecipientState.SENT)
    return moved


async def fall_back(tx: Tx, message_id: str, children: Sequence[Prepared], rules: Rules, may_grow: MayGrow) -> Job:
    """The same message as SMS, one for each number, all in one commit; without children the fallback is given up. `replaced_by` names the
    first; the others have its `batch_id`.

    Raises NotFound; NotAllowed where it might have been delivered, or has a successor; Refused.
    """
    job = await job_by_id(tx, message_id)
    _check_fall_back(job)
    tx.wake_watchers(job.id)
    if not children:
        return await change(tx, job, fallback=Fallback.NONE.value, due_at=None)
    await accept(tx, children, rules, None, may_grow)
    return await change(tx, job, replaced_by=children[0].id, due_at=None)


async def put_off_fallback(tx: Tx, message_id: str, seconds: float) -> Job:
    """Not now, but then. Raises NotFound, NotAllowed."""
    job = await job_by_id(tx, message_id)
    _check_fall_back(job)
    return await change(tx, job, due_at=tx.now + seconds)


def _check_fall_back(job: Job) -> None:
    if not may_fall_back(job) or job.replaced_by is not None:
        raise NotAllowed(f"message {job.id} is {job.state} and does not go out as SMS", state=job.state)


async def falling_back(run: Run, now: float) -> tuple[str, ...]:
    """Ids of failed and expired messages that are to go out as SMS now, the oldest first."""
    is_due = or_(messages.c.due_at.is_(None), messages.c.due_at <= now)
    statement = select(messages.c.id).where(FALLING_BACK, messages.c.was_unknown.is_(False), is_due)
    return tuple((await run(statement.order_by(messages.c.seq).limit(PORTION))).scalars())


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report, or a read report (`is_read`). `to` as the carrier writes the number; `state` None: it came, and changes nothing;
    `name` for people."""

    carrier_message_id: str | None
    to: str
    state: RecipientState | None
    name: str
    at: float
    is_read: bool = False


async def report(tx: Tx, heard: Report) -> Job | None:
    """The message that it belongs to, as it is then, or None. The only unknown one that fits becomes sent (delivery.md 3)."""
    job = await _by_carrier_id(tx, heard) or await _only_candidate(tx, heard)
    if job is None:
        return None
    if job.state is State.UNKNOWN:
        job = await proven(tx, job, heard)
    return await count(tx, job, heard)


async def count(tx: Tx, job: Job, heard: Report) -> Job:
    """What the report makes of its recipient, and of the message once it was sent; before that it changes nothing."""
    people = await _people(tx, job.seq)
    told = next((person for person in people if same_number(person.number, heard.to)), None)
    if told is None or job.state not in REPORTED:
        return job
    state = told.state if heard.state is None else better(told.state, heard.state)
    values = {"state": None if state is None else state.value, "report": rows.clean(heard.name), "reported_at": heard.at}
    await tx.run(update(recipients).where(recipients.c.message_seq == job.seq, recipients.c.n == told.n).values(**values))
    after = by_recipients(job.state, (state if person is told else person.state for person in people))
    return job if after is job.state else await move(tx, job, after, Cause.REPORT)


def same_number(one: str, other: str) -> bool:
    """Carriers write a number with and without +, country code or /TYPE=PLMN: the last 9 digits decide, or all where there are fewer."""
    left, right = (value.split("/", 1)[0].strip().lower() for value in (one, other))
    if left == right:
        return True
    digits = ["".join(char for char in value if char.isdigit())[-9:] for value in (left, right)]
    return "@" not in left + right and len(digits[0]) >= 7 and digits[0] == digits[1]


async def _by_carrier_id(tx: Tx, heard: Report) -> Job | None:
    if not heard.carrier_message_id:
        return None
    statement = select(messages.c.seq).where(messages.c.carrier_message_id == heard.carrier_message_id).order_by(messages.c.seq.desc())
    for seq in (await tx.run(statement)).scalars().all():
        if any(same_number(person.number, heard.to) for person in await _people(tx, seq)):
            return await job_by_seq(tx, seq)
    return None


async def _only_candidate(tx: Tx, heard: Report) -> Job | None:
    """The unknown message without a Message-ID that the report fits, when it is exactly one of all that asked for such a report."""
    asked = messages.c.read_report if heard.is_read else messages.c.delivery_report
    in_time = messages.c.last_byte_at.between(heard.at - REPORT_WINDOW, heard.at)
    could = select(messages.c.seq).where(UNIDENTIFIED, asked.is_(True), in_time).subquery()
    statement = (
        select(could.c.seq, recipients.c.number)
        .join(recipients, recipients.c.message_seq == could.c.seq)
        .where(recipients.c.number.iendswith(_ending(heard.to), autoescape=True))
        .limit(CANDIDATES + 1)
    )
    found = (await tx.run(statement)).all()
    if len(found) > CANDIDATES:
        return None
    fitting = {row.seq for row in found if same_number(row.number, heard.to)}
    if len(fitting) > 1:
        return None
    return the_candidate([await job_by_seq(tx, seq) for seq in fitting], heard.at)


def _ending(number: str) -> str:
    """What two ways to write one number have in common for certain; `same_number` decides."""
    bare = number.split("/", 1)[0].strip()
    return bare if "@" in bare else bare[-4:]


async def proven(tx: Tx, job: Job, heard: Report) -> Job:
    """A report proves that the carrier has it."""
    sent = await move(
        tx, job, State.SENT, Cause.REPORT, settled_by="report", carrier_message_id=rows.clean(heard.carrier_message_id), error=None
    )
    await mark_recipients(tx, job.seq, RecipientState.SENT)
    return sent


async def _people(tx: Tx, seq: int) -> Sequence[Recipient]:
    statement = select(recipients).where(recipients.c.message_seq == seq).order_by(recipients.c.n)
    return [rows.recipient(row) for row in (await tx.run(statement)).mappings()]


async def set_optout(tx: Tx, number: str, word: str) -> bool:
    """False when the number is on the list already."""
    known = (await tx.run(select(optouts.c.number).where(optouts.c.number == number))).scalar_one_or_none()
    if known is not None:
        return False
    await tx.run(insert(optouts).values(number=number, at=tx.now, word=word))
    tx.announce("contact.opted_out", {"number": number, "word": word})
    return True


async def lift_optout(tx: Tx, number: str) -> bool:
    """False when it was not on the list."""
    row = optouts.c.number == number
    if (await tx.run(select(optouts.c.number).where(row))).scalar_one_or_none() is None:
        return False
    await tx.run(optouts.delete().where(row))
    tx.announce("contact.opted_in", {"number": number})
    return True

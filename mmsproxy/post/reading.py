"""Reading: one message, pages of them, attempts, octets, events. Every function takes `run`, a transaction's or a reader's.

It changes nothing and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, Table, and_, exists, func, literal, or_, select, tuple_

from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.post import rows
from mmsproxy.post.job import CLAIMABLE, AttemptRecord, Job, Priority
from mmsproxy.post.moves import NotFound
from mmsproxy.post.records import Event, Filter, LineRow, Message, Page, Pdu
from mmsproxy.post.schema import WAITING, attempts, events, lines, media, messages, pdus, recipients

MAX_PAGE = 200  # messages (delivery.md 6)
MAX_AHEAD = 1000  # messages that are counted one by one

Run = Callable[..., Awaitable[CursorResult[*tuple[Any, ...]]]]


class BadCursor(MmsproxyError):
    """A cursor that this store never gave."""

    code = "invalid_request"
    fault = Fault.CALLER


async def message_by_id(run: Run, message_id: str) -> Message:
    """Raises NotFound."""
    found = await messages_by_id(run, [message_id])
    if not found:
        raise NotFound(f"there is no message {message_id[:80]}")
    return found[0]


async def message_by_seq(run: Run, seq: int) -> Message:
    return (await _whole(run, (await run(select(messages).where(messages.c.seq == seq))).mappings().all()))[0]


async def messages_by_id(run: Run, ids: Sequence[str]) -> tuple[Message, ...]:
    """Those that are there, in the order asked for."""
    found = await _whole(run, (await run(select(messages).where(messages.c.id.in_(ids)))).mappings().all())
    places = {message_id: place for place, message_id in enumerate(ids)}
    return tuple(sorted(found, key=lambda message: places[message.job.id]))


async def page(run: Run, wanted: Filter, *, limit: int, cursor: str | None) -> Page:
    """Newest first. Raises BadCursor; ValueError for a limit out of 1..MAX_PAGE."""
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"a page has 1 to {MAX_PAGE} messages")
    conditions = list(_conditions(wanted))
    if cursor is not None:
        conditions.append(messages.c.seq < position_of(cursor, "c"))
    statement = select(messages).where(*conditions).order_by(messages.c.seq.desc()).limit(limit + 1)
    found = (await run(statement)).mappings().all()
    more = len(found) > limit
    return Page(await _whole(run, found[:limit]), f"c{found[limit - 1]['seq']:x}" if more else None)


async def position(run: Run, job: Job, line: str) -> int:
    """How many messages the line will take before this one, at most MAX_AHEAD; 0 when it is not waiting or is the next."""
    counted = _before(job, line)
    return 0 if counted is None else int((await run(counted)).scalar_one())


async def position_and_lines(run: Run, job: Job, line: str) -> tuple[int, dict[str, LineRow]]:
    """`position` and `line_rows` by one statement, since each message that is accepted asks for both."""
    counted = _before(job, line)
    if counted is None:
        return 0, await line_rows(run)
    found = (await run(select(lines, counted.scalar_subquery().label("ahead")))).mappings().all()
    return found[0]["ahead"], {row["name"]: rows.line(row) for row in found}  # GATEWAY's row is always there


def _before(job: Job, line: str) -> Select[int] | None:
    if job.state not in CLAIMABLE or job.due_at is None:
        return None
    mine, theirs = (int(job.priority), job.due_at, job.seq), (messages.c.priority, messages.c.due_at, messages.c.seq)
    before = tuple_(*theirs) < tuple_(*(literal(value) for value in mine))
    ahead = select(messages.c.seq).where(WAITING, messages.c.line.in_(("", line)), before).limit(MAX_AHEAD).subquery()
    return select(func.count()).select_from(ahead)


async def ahead(run: Run, line: str, now: float) -> tuple[int, int]:
    """How many messages go before one of normal priority that is accepted now: those bound to the line, and those that any line may
    take. Each counted up to MAX_AHEAD."""
    counted = []
    for name in (line, ""):
        due = and_(WAITING, messages.c.line == name, messages.c.priority <= int(Priority.NORMAL), messages.c.due_at <= now)
        waiting = select(messages.c.seq).where(due).limit(MAX_AHEAD).subquery()
        counted.append((await run(select(func.count()).select_from(waiting))).scalar_one())
    return counted[0], counted[1]


async def attempts_of(run: Run, seq: int) -> tuple[AttemptRecord, ...]:
    """In the order in which they were made."""
    statement = select(attempts).where(attempts.c.message_seq == seq).order_by(attempts.c.number)
    return tuple(rows.attempt(row) for row in (await run(statement)).mappings())


async def pdu_of(run: Run, seq: int, role: str) -> Pdu | None:
    """`request` or `answer` (the last one)."""
    row = (await run(select(pdus).where(pdus.c.message_seq == seq, pdus.c.role == role))).mappings().one_or_none()
    return None if row is None else rows.pdu(row)


async def events_after(run: Run, seq: int, *, limit: int, types: Iterable[str] = (), line: str | None = None) -> tuple[Event, ...]:
    """Oldest first. `types` are names, or prefixes that end in `.*`; none is all."""
    conditions: list[ColumnElement[bool]] = [events.c.seq > seq]
    kinds = [events.c.type.startswith(kind[:-1], autoescape=True) if kind.endswith(".*") else events.c.type == kind for kind in types]
    if kinds:
        conditions.append(or_(*kinds))
    if line is not None:
        conditions.append(events.c.line == line)
    statement = select(events).where(and_(*conditions)).order_by(events.c.seq).limit(limit)
    return tuple(rows.event(row) for row in (await run(statement)).mappings())


async def events_of(run: Run, message_id: str) -> tuple[Event, ...]:
    statement = select(events).where(events.c.message_id == message_id).order_by(events.c.seq)
    return tuple(rows.event(row) for row in (await run(statement)).mappings())


async def event_seq(run: Run, event_id: str) -> int | None:
    """The place of an event in the log; None when it is not (or no longer) there."""
    found: int | None = (await run(select(events.c.seq).where(events.c.id == event_id))).scalar_one_or_none()
    return found


async def last_event_seq(run: Run) -> int:
    return (await run(select(func.max(events.c.seq)))).scalar_one() or 0


async def line_rows(run: Run) -> dict[str, LineRow]:
    return {row["name"]: rows.line(row) for row in (await run(select(lines))).mappings()}


async def counts(run: Run) -> dict[str, int]:
    """Messages by state."""
    found = await run(select(messages.c.state, func.count()).group_by(messages.c.state))
    return dict(tuple(row) for row in found)


def _conditions(wanted: Filter) -> Iterable[ColumnElement[bool]]:
    if wanted.states:
        yield messages.c.state.in_(sorted(wanted.states))
    for column, value in ((messages.c.direction, wanted.direction), (messages.c.kind, wanted.kind), (messages.c.sender, wanted.sender)):
        if value is not None:
            yield column == str(value)
    if wanted.line is not None:
        yield or_(messages.c.used_line == wanted.line, and_(messages.c.used_line == "", messages.c.line == wanted.line))
    if wanted.since is not None:
        yield messages.c.created_at >= wanted.since
    if wanted.until is not None:
        yield messages.c.created_at < wanted.until
    if wanted.to is not None:
        yield exists().where(recipients.c.message_seq == messages.c.seq, recipients.c.number == wanted.to)
    if wanted.q:
        yield or_(messages.c.body.icontains(wanted.q, autoescape=True), messages.c.subject.icontains(wanted.q, autoescape=True))


def position_of(cursor: str, prefix: str) -> int:
    """The seq that a page ended at: `prefix` and hexadecimal digits, fewer than would leave a database's integers. Raises BadCursor."""
    if not re.fullmatch(f"{prefix}[0-9a-f]{{1,15}}", cursor):
        raise BadCursor("the cursor is none that this gateway gave")
    return int(cursor.removeprefix(prefix), 16)


async def _whole(run: Run, found: Sequence[rows.Row]) -> tuple[Message, ...]:
    """Rows of messages with those of their recipients and media."""
    if not found:
        return ()
    seqs = [row["seq"] for row in found]
    people = await _children(run, recipients, seqs)
    files = await _children(run, media, seqs)
    return tuple(rows.message(row, people.get(row["seq"], ()), files.get(row["seq"], ())) for row in found)


async def _children(run: Run, table: Table, seqs: list[int]) -> dict[int, list[rows.Row]]:
    found: dict[int, list[rows.Row]] = {}
    statement = select(table).where(table.c.message_seq.in_(seqs)).order_by(table.c.message_seq, table.c.n)
    for row in (await run(statement)).mappings():
        found.setdefault(row["message_seq"], []).append(row)
    return found

"""Gathers what is to be shown of a message: its attempts, its octets, its place in the queue and when its turn will probably come.

It changes nothing and knows no HTTP; the form is message_resource's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from mmsproxy.carrier.line import Line
from mmsproxy.post import reading, tallies
from mmsproxy.post.caps import DAY, Usage
from mmsproxy.post.job import Door, Job, Kind, State
from mmsproxy.post.records import LineRow, Message
from mmsproxy.post.schema import GATEWAY
from mmsproxy.web.answers import Json
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import Context, is_waiting, resource

THREAD_FROM = 65_536  # octets; a larger PDU is decoded beside the event loop


async def shown(desk: Desk, message: Message, *, whole: bool = True) -> Json:
    """The message as the API shows it. `whole`: with the parts of its PDU, for answers that show one message. Raises StoreError."""
    job = message.job
    kept = await desk.store.pdu(job) if whole and _may_have_pdu(job) else None
    ahead, estimated = await _queue(desk, job) if is_waiting(job) else (None, None)
    context = Context(
        attempts=await desk.store.attempts(job) if job.attempts else (),
        pdu=None if kept is None else kept.data,
        size_limit=size_limit(desk, job),
        ahead=ahead,
        estimated=estimated,
        progress=_progress(desk, job),
    )
    if context.pdu is None or len(context.pdu) < THREAD_FROM:
        return resource(message, context)
    return await asyncio.to_thread(resource, message, context)


def _may_have_pdu(job: Job) -> bool:
    """One from the API is composed when its first attempt begins."""
    return job.kind is Kind.MMS and (job.attempts > 0 or job.door is not Door.API)


def line_of(desk: Desk, job: Job) -> Line:
    """The line that has it, or is the likeliest to take it."""
    return desk.fleet.by_name(job.used_line or job.line) or desk.fleet.default


def _progress(desk: Desk, job: Job) -> tuple[int, int] | None:
    """A line sends one message at a time, so what is on it is this one."""
    line = desk.fleet.by_name(job.used_line) if job.state is State.SENDING and job.kind is Kind.MMS else None
    return None if line is None else line.progress


def size_limit(desk: Desk, job: Job) -> int | None:
    """Octets of an MMS that its line takes; None when the carrier decides, and for an SMS."""
    return line_of(desk, job).max_size if job.kind is Kind.MMS else None


async def _queue(desk: Desk, job: Job) -> tuple[int, float | None]:
    """How many go before it, and when it will probably be begun: never before it is due, the line is free and the caps allow it."""
    line = desk.fleet.by_name(job.line) or desk.fleet.default
    now, caps = desk.now().timestamp(), desk.store.limits.caps
    seen = await desk.store.read(partial(_look, job=job, line=line.name, since=now - DAY if caps.window else None))
    if any(name in seen.rows and seen.rows[name].paused_at is not None for name in (GATEWAY, line.name)):
        return seen.ahead, None
    row, full = seen.rows.get(line.name), caps.full(seen.spent, job.units, now)
    begin = max(now, job.due_at or now, row.next_free_at if row is not None else now, full.until if full is not None else now)
    return seen.ahead, begin + line.estimate_wait(seen.ahead)


@dataclass(frozen=True, slots=True)
class _Seen:
    ahead: int
    rows: Mapping[str, LineRow]
    spent: Usage


async def _look(run: reading.Run, job: Job, line: str, since: float | None) -> _Seen:
    """All of it by one connection, since each message that is accepted is shown once."""
    spent = Usage() if since is None else await tallies.spent(run, since)
    ahead, found = await reading.position_and_lines(run, job, line)
    return _Seen(ahead, found, spent)

"""Gathers what is to be shown of a message: its attempts, its octets, its place in the queue and when its turn will probably come.

It changes nothing and knows no HTTP; the form is message_resource's.
"""

from __future__ import annotations

import asyncio
from functools import partial

from mmsproxy.carrier.line import Line
from mmsproxy.post import tallies
from mmsproxy.post.caps import DAY
from mmsproxy.post.job import Job, Kind
from mmsproxy.post.records import Message
from mmsproxy.post.schema import GATEWAY
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import Context, Json, is_waiting, resource

THREAD_FROM = 65_536  # octets; a larger PDU is decoded beside the event loop


async def shown(desk: Desk, message: Message, *, whole: bool = True) -> Json:
    """The message as the API shows it. `whole`: with the parts of its PDU, for answers that show one message. Raises StoreError."""
    job = message.job
    kept = await desk.store.pdu(job) if whole and job.kind is Kind.MMS else None
    ahead, estimated = await _queue(desk, job) if is_waiting(job) else (None, None)
    context = Context(
        attempts=await desk.store.attempts(job) if job.attempts else (),
        pdu=None if kept is None else kept.data,
        size_limit=_size_limit(desk, job),
        ahead=ahead,
        estimated=estimated,
    )
    if context.pdu is None or len(context.pdu) < THREAD_FROM:
        return resource(message, context)
    return await asyncio.to_thread(resource, message, context)


def line_of(desk: Desk, job: Job) -> Line:
    """The line that has it, or is the likeliest to take it."""
    return desk.fleet.by_name(job.used_line or job.line) or desk.fleet.default


def _size_limit(desk: Desk, job: Job) -> int | None:
    return line_of(desk, job).max_size if job.kind is Kind.MMS else None


async def _queue(desk: Desk, job: Job) -> tuple[int, float | None]:
    """How many go before it, and when it will probably be begun: never before it is due, the line is free and the caps allow it."""
    line = desk.fleet.by_name(job.line) or desk.fleet.default
    ahead = await desk.store.position(job, line.name)
    return ahead, await _estimate(desk, job, line, ahead)


async def _estimate(desk: Desk, job: Job, line: Line, ahead: int) -> float | None:
    rows = await desk.store.lines()
    if any(name in rows and rows[name].paused_at is not None for name in (GATEWAY, line.name)):
        return None
    now = desk.now().timestamp()
    row = rows.get(line.name)
    begin = max(now, job.due_at or now, row.next_free_at if row is not None else now)
    caps = desk.store.limits.caps
    if caps.window:
        spent = await desk.store.read(partial(tallies.spent, since=now - DAY))
        full = caps.full(spent, job.cost, now)
        begin = begin if full is None else max(begin, full.until)
    return begin + line.estimate_wait(ahead)

"""Counts for people: what each line did since a moment, what was spent of the caps. Reads only; every function takes `run`."""

from __future__ import annotations

from sqlalchemy import func, select

from mmsproxy.post.caps import MINUTE, Usage
from mmsproxy.post.reading import Run
from mmsproxy.post.schema import GATEWAY_SCOPE, messages, optouts, usage


async def by_line(run: Run, since: float) -> dict[str, dict[str, int]]:
    """Messages that were accepted since then, by the line that took them and by state; "" holds those that no line has taken yet."""
    line = func.coalesce(func.nullif(messages.c.used_line, ""), messages.c.line)
    statement = select(line, messages.c.state, func.count()).where(messages.c.created_at >= since).group_by(line, messages.c.state)
    found: dict[str, dict[str, int]] = {}
    for name, state, count in await run(statement):
        found.setdefault(name, {})[state] = count
    return found


async def spent(run: Run, since: float) -> Usage:
    """The gateway's units by minute."""
    row = (usage.c.scope == GATEWAY_SCOPE) & (usage.c.minute > since - MINUTE)
    found = await run(select(usage.c.minute, usage.c.units).where(row).order_by(usage.c.minute))
    return Usage(tuple((float(minute), units) for minute, units in found))


async def is_opted_out(run: Run, number: str) -> bool:
    found = (await run(select(optouts.c.number).where(optouts.c.number == number))).scalar_one_or_none()
    return found is not None

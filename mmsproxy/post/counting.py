"""Units spent, by minute, for the caps: operations on a Tx. It knows scopes (gateway, one token, one number) and no message."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from mmsproxy.post.caps import DAY, MINUTE, Usage, minute_of
from mmsproxy.post.database import Tx
from mmsproxy.post.schema import usage


def token_scope(token: str) -> str:
    return f"token:{token}"


def number_scope(number: str) -> str:
    return f"to:{number}"


async def spend(tx: Tx, scopes: Iterable[str], units: int) -> None:
    """Counts now. Waits for another transaction that counts the same scope in the same minute."""
    for scope in sorted(set(scopes)):
        statement = upsert(usage).values(scope=scope, minute=int(minute_of(tx.now)), units=units)
        await tx.run(statement.on_conflict_do_update(index_elements=["scope", "minute"], set_={"units": usage.c.units + units}))


async def give_back(tx: Tx, scope: str, units: int, spent_at: float) -> None:
    """Takes back what was spent on something that never left."""
    row = (usage.c.scope == scope) & (usage.c.minute == int(minute_of(spent_at)))
    await tx.run(update(usage).where(row, usage.c.units >= units).values(units=usage.c.units - units))


async def spent(tx: Tx, scopes: Collection[str], window: float) -> dict[str, Usage]:
    """What each scope spent in the last `window` seconds; nothing is asked for a window of 0."""
    if not window or not scopes:
        return {}
    statement = (
        select(usage.c.scope, usage.c.minute, usage.c.units)
        .where(usage.c.scope.in_(scopes), usage.c.minute > tx.now - window - MINUTE)
        .order_by(usage.c.minute)
    )
    minutes: dict[str, list[tuple[float, int]]] = {}
    for scope, minute, units in await tx.run(statement):
        minutes.setdefault(scope, []).append((float(minute), units))
    return {scope: Usage(tuple(found)) for scope, found in minutes.items()}


async def forget(tx: Tx) -> None:
    """Drops what no cap looks at any more."""
    await tx.run(delete(usage).where(usage.c.minute < tx.now - DAY - 2 * MINUTE))


async def shift(tx: Tx, step: float) -> None:
    """Moves all that was spent along with a clock that was set."""
    whole = int(step // MINUTE * MINUTE)
    found = [tuple(row) for row in await tx.run(select(usage.c.scope, usage.c.minute, usage.c.units))]
    await tx.run(delete(usage))
    if found:
        await tx.run(insert(usage), [{"scope": scope, "minute": minute + whole, "units": units} for scope, minute, units in found])

"""Reads for meters: how long the queue is, and what attempts came to. It changes nothing and knows no meter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from mmsproxy.post import rows
from mmsproxy.post.job import AttemptRecord, Kind
from mmsproxy.post.reading import Run
from mmsproxy.post.records import Event
from mmsproxy.post.schema import WAITING, attempts, messages

PORTION = 500  # messages in one statement


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one line. `oldest`: when the one that waits longest was queued, seconds since 1970."""

    count: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that is over. Its record's `outcome` is None where the process that made it died."""

    kind: Kind
    attempt: AttemptRecord


async def queues(run: Run) -> dict[str, Queue]:
    """By line; "" is what any line may take."""
    queued_at = func.min(messages.c.expires_at - messages.c.valid_for)
    found = await run(select(messages.c.line, func.count(), queued_at).where(WAITING).group_by(messages.c.line))
    return {line: Queue(count, oldest) for line, count, oldest in found}


async def ended(run: Run, told: Iterable[Event]) -> tuple[Ended, ...]:
    """The attempts whose end these events tell, in the order of the events."""
    wanted = [(event.message_id, event.data.get("attempts")) for event in told if event.data.get("previous") == "sending"]
    known: dict[tuple[object, object], Ended] = {}
    for start in range(0, len(wanted), PORTION):
        ids = sorted({str(message_id) for message_id, _ in wanted[start : start + PORTION]})
        statement = select(attempts, messages.c.id, messages.c.kind).join(messages, messages.c.seq == attempts.c.message_seq)
        for row in (await run(statement.where(messages.c.id.in_(ids)))).mappings():
            known[row["id"], row["number"]] = Ended(Kind(row["kind"]), rows.attempt(row))
    return tuple(known[key] for key in wanted if key in known)

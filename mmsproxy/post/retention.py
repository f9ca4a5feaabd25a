"""What may be forgotten, and when: messages by age and by size, keys, events, files. Operations on a Tx, in small portions.

Rule 1: nothing goes that is not at rest; `unknown` waits for a person. Rule 2: the oldest goes first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from mmsproxy.post import counting
from mmsproxy.post.caps import DAY
from mmsproxy.post.database import Tx
from mmsproxy.post.job import AT_REST, State
from mmsproxy.post.reading import Run
from mmsproxy.post.schema import events, idempotency, media, messages

PORTION = 200  # rows in one transaction
KEY_LIFE = 7 * DAY  # seconds that an Idempotency-Key is remembered (delivery.md 6)
FILE_GRACE = 3600.0  # seconds that a file may wait for the row that names it
FORGETTABLE = tuple(sorted(state.value for state in AT_REST - {State.UNKNOWN}))


@dataclass(frozen=True, slots=True)
class Retention:
    """`age` in seconds for messages and events; `size` in octets of PDUs and media together. 0 lifts either."""

    age: float = 30 * DAY
    size: int = 2 * 1024**3


async def forget(tx: Tx, keep: Retention) -> int:
    """One portion; returns how many rows went. The caller repeats while it is not 0."""
    gone = await _forget_old(tx, keep.age) if keep.age else 0
    if keep.size and not gone:
        gone += await _forget_large(tx, keep.size)
    keys = select(idempotency.c.token, idempotency.c.key).where(idempotency.c.created_at < tx.now - KEY_LIFE).limit(PORTION)
    for token, key in (await tx.run(keys)).all():
        gone += (await tx.run(delete(idempotency).where(idempotency.c.token == token, idempotency.c.key == key))).rowcount
    await counting.forget(tx)
    return gone


async def unwanted(run: Run, names: Collection[str]) -> set[str]:
    """Of the files, those that no message names."""
    wanted: set[str] = set()
    ordered = sorted(names)
    for start in range(0, len(ordered), PORTION):
        portion = ordered[start : start + PORTION]
        wanted.update((await run(select(media.c.sha256).where(media.c.sha256.in_(portion)))).scalars())
    return set(names) - wanted


async def _forget_old(tx: Tx, age: float) -> int:
    old = messages.c.state.in_(FORGETTABLE) & (messages.c.created_at < tx.now - age) & (messages.c.changed_at < tx.now - age)
    seqs = (await tx.run(select(messages.c.seq).where(old).order_by(messages.c.created_at).limit(PORTION))).scalars().all()
    log = select(events.c.seq).where(events.c.at < tx.now - age).order_by(events.c.seq).limit(PORTION)
    stale = (await tx.run(log)).scalars().all()
    await _delete(tx, seqs)
    if stale:
        await tx.run(delete(events).where(events.c.seq.in_(stale)))
    return len(seqs) + len(stale)


async def _forget_large(tx: Tx, size: int) -> int:
    """As many of the oldest as are needed to come down to `size`."""
    excess = ((await tx.run(select(func.sum(messages.c.stored)))).scalar_one() or 0) - size
    if excess <= 0:
        return 0
    oldest = select(messages.c.seq, messages.c.stored).where(messages.c.state.in_(FORGETTABLE), messages.c.stored > 0)
    seqs = []
    for seq, stored in (await tx.run(oldest.order_by(messages.c.seq).limit(PORTION))).all():
        if excess <= 0:
            break
        seqs.append(seq)
        excess -= stored
    await _delete(tx, seqs)
    return len(seqs)


async def _delete(tx: Tx, seqs: Collection[int]) -> None:
    if seqs:
        await tx.run(delete(messages).where(messages.c.seq.in_(seqs)))

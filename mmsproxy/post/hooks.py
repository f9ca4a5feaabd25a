"""Webhooks and what is to be told to them: a durable outbox of its own. Operations on a Tx, and reads.

Rule 1: an event becomes deliveries in the order of the log, and the cursor moves in the same commit: none is skipped, none made twice.
Rule 2: at least once: who claims a delivery and dies leaves it to the next. It knows no HTTP; when to try again is the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, or_, select, update

from mmsproxy.post import rows
from mmsproxy.post.database import Tx
from mmsproxy.post.moves import NotFound
from mmsproxy.post.reading import Run, events_after, last_event_seq
from mmsproxy.post.records import Event
from mmsproxy.post.schema import CALLBACKS, deliveries, events, messages, webhooks

PORTION = 200  # events in one transaction
TEST = "system.test"
WAITING = deliveries.c.state == "waiting"


@dataclass(frozen=True, slots=True)
class Webhook:
    """`secrets`: the newest first; two while they are being changed. `types`: names, or prefixes that end in `.*`; none is all."""

    id: str
    url: str
    secrets: tuple[str, ...]
    types: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook. `state`: waiting, delivered, failed. `http_status` and `detail` are the last try's."""

    seq: int
    webhook_id: str
    event: Event
    url: str
    secrets: tuple[str, ...]
    state: str
    attempts: int
    due_at: float | None
    http_status: int | None
    detail: str
    changed_at: float
    fence: int


async def add(tx: Tx, webhook_id: str, url: str, secret: str, types: Iterable[str]) -> Webhook:
    """It hears of what happens from now on."""
    cursor = await last_event_seq(tx.run)
    values = {"url": url, "secrets": rows.to_json([secret]), "types": rows.to_json(list(types)), "enabled": True, "created_at": tx.now}
    row = (await tx.run(insert(webhooks).values(id=webhook_id, cursor=cursor, **values).returning(webhooks))).mappings().one()
    return _webhook(row)


async def change(tx: Tx, webhook_id: str, values: Mapping[str, Any]) -> Webhook:
    """Any of url, secrets, types, enabled, disabled_reason. Raises NotFound."""
    columns = {name: rows.to_json(list(value)) if name in ("secrets", "types") else value for name, value in values.items()}
    if columns.get("enabled"):
        columns |= {"disabled_reason": None, "cursor": await last_event_seq(tx.run)}
    statement = update(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.id != CALLBACKS).values(**columns).returning(webhooks)
    row = (await tx.run(statement)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no webhook {webhook_id[:80]}")
    return _webhook(row)


async def set_secrets(tx: Tx, webhook_id: str, secrets: Iterable[str]) -> None:
    """Of a webhook, or of CALLBACKS. Raises NotFound."""
    values = {"secrets": rows.to_json(list(secrets))}
    if not (await tx.run(update(webhooks).where(webhooks.c.id == webhook_id).values(**values))).rowcount:
        raise NotFound(f"there is no webhook {webhook_id[:80]}")


async def ensure_callback_secret(tx: Tx, fresh: str) -> None:
    """`fresh` becomes the secret that callbacks are signed with, unless there is one."""
    await tx.run(update(webhooks).where(webhooks.c.id == CALLBACKS, webhooks.c.secrets == "[]").values(secrets=rows.to_json([fresh])))


async def disable(tx: Tx, webhook_id: str, reason: str) -> None:
    """Nothing more is delivered to it; what waits is given up, and can be delivered again by a person. CALLBACKS stays as it is."""
    row = (webhooks.c.id == webhook_id) & (webhooks.c.id != CALLBACKS)
    if (await tx.run(update(webhooks).where(row).values(enabled=False, disabled_reason=rows.clean(reason[:500])))).rowcount:
        given_up = {"state": "failed", "due_at": None, "lease_until": None, "detail": "the webhook was disabled", "changed_at": tx.now}
        waiting = and_(WAITING, deliveries.c.webhook_id == webhook_id)
        await tx.run(update(deliveries).where(waiting).values(fence=deliveries.c.fence + 1, **given_up))


async def remove(tx: Tx, webhook_id: str) -> None:
    """With its deliveries. Raises NotFound."""
    if not (await tx.run(delete(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.id != CALLBACKS))).rowcount:
        raise NotFound(f"there is no webhook {webhook_id[:80]}")


async def webhook_list(run: Run) -> tuple[Webhook, ...]:
    statement = select(webhooks).where(webhooks.c.id != CALLBACKS).order_by(webhooks.c.created_at, webhooks.c.id)
    return tuple(_webhook(row) for row in (await run(statement)).mappings())


async def webhook(run: Run, webhook_id: str) -> Webhook:
    """One, CALLBACKS too. Raises NotFound."""
    row = (await run(select(webhooks).where(webhooks.c.id == webhook_id))).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no webhook {webhook_id[:80]}")
    return _webhook(row)


async def fan_out(tx: Tx) -> int:
    """Makes deliveries of events; returns how many events were looked at. The caller repeats while it is not 0."""
    seen = 0
    for row in (await tx.run(select(webhooks).where(webhooks.c.enabled).with_for_update(skip_locked=True))).mappings().all():
        found = await events_after(tx.run, row["cursor"], limit=PORTION)
        if not found:
            continue
        seen += len(found)
        wanted = [event for event in found if _is_for(event, row["id"], json.loads(row["types"]))]
        targets = await _callbacks(tx, wanted) if row["id"] == CALLBACKS else dict.fromkeys((event.seq for event in wanted), None)
        fresh = {"state": "waiting", "attempts": 0, "due_at": tx.now, "fence": 0, "detail": "", "changed_at": tx.now}
        if targets:
            await tx.run(
                insert(deliveries), [{"webhook_id": row["id"], "event_seq": seq, "url": url, **fresh} for seq, url in targets.items()]
            )
        await tx.run(update(webhooks).where(webhooks.c.id == row["id"]).values(cursor=found[-1].seq))
    return seen


async def test(tx: Tx, webhook_id: str) -> None:
    """A `system.test` event, for this webhook alone. Raises NotFound."""
    if (await tx.run(select(webhooks.c.id).where(webhooks.c.id == webhook_id))).scalar_one_or_none() is None:
        raise NotFound(f"there is no webhook {webhook_id[:80]}")
    tx.announce(TEST, {"webhook_id": webhook_id})


async def is_due(run: Run, now: float) -> bool:
    """Whether `claim` may find something: a look that locks nothing."""
    return (await run(select(deliveries.c.seq).where(_is_due(now)).limit(1))).first() is not None


async def claim(
    tx: Tx, *, limit: int, lease: float, busy: Collection[str] = (), busy_callbacks: Collection[str] = ()
) -> tuple[Delivery, ...]:
    """Due deliveries, for `lease` seconds the caller's.

    busy            ids of webhooks of which nothing is wanted now
    busy_callbacks  beginnings of callback URLs of which nothing is wanted now
    """
    enabled = deliveries.c.webhook_id.in_(select(webhooks.c.id).where(webhooks.c.enabled))
    unwanted = or_(
        deliveries.c.webhook_id.in_(sorted(busy)),
        *(and_(deliveries.c.url.is_not(None), deliveries.c.url.startswith(url, autoescape=True)) for url in sorted(busy_callbacks)),
    )
    wanted = and_(_is_due(tx.now), enabled, not_(unwanted))
    statement = select(deliveries.c.seq).where(wanted).order_by(deliveries.c.due_at).limit(limit).with_for_update(skip_locked=True)
    seqs = (await tx.run(statement)).scalars().all()
    if not seqs:
        return ()
    leased = {"lease_until": tx.now + lease, "fence": deliveries.c.fence + 1}
    await tx.run(update(deliveries).where(deliveries.c.seq.in_(seqs)).values(**leased))
    return tuple(await _deliveries(tx.run, deliveries.c.seq.in_(seqs), len(seqs)))


async def give_back(tx: Tx, claimed: Iterable[Delivery]) -> None:
    """Not tried after all: free for the next claim."""
    for delivery in claimed:
        row = (deliveries.c.seq == delivery.seq) & (deliveries.c.fence == delivery.fence)
        await tx.run(update(deliveries).where(row).values(lease_until=None))


async def finish(tx: Tx, delivery: Delivery, *, delivered: bool, http_status: int | None, detail: str, next_due: float | None) -> bool:
    """`next_due` None: no further try. False when the lease was lost meanwhile; nothing is changed then."""
    state = "delivered" if delivered else "failed" if next_due is None else "waiting"
    values = {
        "state": state,
        "attempts": deliveries.c.attempts + 1,
        "due_at": None if state != "waiting" else next_due,
        "lease_until": None,
        "http_status": http_status,
        "detail": rows.clean(detail[:500]),
        "changed_at": tx.now,
    }
    row = (deliveries.c.seq == delivery.seq) & (deliveries.c.fence == delivery.fence)
    return bool((await tx.run(update(deliveries).where(row).values(**values))).rowcount)


async def redeliver(tx: Tx, webhook_id: str, seq: int) -> None:
    """From the beginning, now. Raises NotFound."""
    fresh = {"state": "waiting", "due_at": tx.now, "lease_until": None, "attempts": 0, "fence": deliveries.c.fence + 1}
    row = (deliveries.c.seq == seq) & (deliveries.c.webhook_id == webhook_id)
    if not (await tx.run(update(deliveries).where(row).values(**fresh))).rowcount:
        raise NotFound(f"there is no delivery {seq} of webhook {webhook_id[:80]}")


async def delivery_list(run: Run, webhook_id: str, *, limit: int, before: int | None = None) -> tuple[Delivery, ...]:
    """Newest first; `before` a delivery's seq."""
    condition = deliveries.c.webhook_id == webhook_id
    if before is not None:
        condition = and_(condition, deliveries.c.seq < before)
    return tuple(await _deliveries(run, condition, limit))


async def counts(run: Run) -> dict[str, int]:
    """Deliveries by state."""
    found = await run(select(deliveries.c.state, func.count()).group_by(deliveries.c.state))
    return dict(tuple(row) for row in found)


def matches(kind: str, wanted: Iterable[str]) -> bool:
    """Nothing wanted is everything; `message.*` is every kind of message."""
    patterns = list(wanted)
    return not patterns or any(kind.startswith(item[:-1]) if item.endswith(".*") else kind == item for item in patterns)


def _is_due(now: float) -> ColumnElement[bool]:
    free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= now)
    return and_(WAITING, deliveries.c.due_at <= now, free)


def _is_for(event: Event, webhook_id: str, types: list[str]) -> bool:
    return event.data.get("webhook_id") == webhook_id if event.type == TEST else matches(event.type, types)


async def _callbacks(tx: Tx, found: list[Event]) -> dict[int, str | None]:
    """By event, the callback_url of its message where there is one."""
    ids = [event.message_id for event in found if event.message_id is not None]
    if not ids:
        return {}
    statement = select(messages.c.id, messages.c.callback_url).where(messages.c.id.in_(ids), messages.c.callback_url.is_not(None))
    urls: dict[str, str] = dict(tuple(row) for row in await tx.run(statement))
    return {event.seq: urls[event.message_id] for event in found if event.message_id in urls}


async def _deliveries(run: Run, condition: Any, limit: int) -> list[Delivery]:
    statement = (
        select(deliveries, events.c.id, events.c.type, events.c.at, events.c.message_id, events.c.line, events.c.data)
        .add_columns(webhooks.c.url.label("hook_url"), webhooks.c.secrets)
        .join(events, events.c.seq == deliveries.c.event_seq)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
        .where(condition)
        .order_by(deliveries.c.seq.desc())
        .limit(limit)
    )
    return [_delivery(row) for row in (await run(statement)).mappings()]


def _delivery(row: rows.Row) -> Delivery:
    return Delivery(
        seq=row["seq"],
        webhook_id=row["webhook_id"],
        event=rows.event({**row, "seq": row["event_seq"]}),
        url=row["url"] or row["hook_url"],
        secrets=tuple(json.loads(row["secrets"])),
        state=row["state"],
        attempts=row["attempts"],
        due_at=row["due_at"],
        http_status=row["http_status"],
        detail=row["detail"],
        changed_at=row["changed_at"],
        fence=row["fence"],
    )


def _webhook(row: rows.Row) -> Webhook:
    return Webhook(
        id=row["id"],
        url=row["url"],
        secrets=tuple(json.loads(row["secrets"])),
        types=tuple(json.loads(row["types"])),
        enabled=bool(row["enabled"]),
        disabled_reason=row["disabled_reason"],
        created_at=row["created_at"],
    )

"""Accepting messages: row, recipients, octets, key and event in one commit. Operations on a Tx.

Rule 1: what is refused leaves no trace; what is accepted is whole. Rule 2: ids are made before the operation, so it can run twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, null, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.post import counting, reading, rows
from mmsproxy.post.admission import Known, Rules, check
from mmsproxy.post.caps import Caps, Usage
from mmsproxy.post.database import Again, Tx
from mmsproxy.post.job import Cause, Job, State
from mmsproxy.post.moves import announce, job_by_seq, move
from mmsproxy.post.policy import Identical, Limits, identical_post
from mmsproxy.post.records import Accepted, Draft, IdempotencyKey, Media, Message
from mmsproxy.post.schema import duplicates, idempotency, media, messages, optouts, pdus, recipients, tokens

_NEW_MESSAGE = insert(messages).returning(messages)

MayBegin = Callable[[Tx], Awaitable[None]]  # raises when a door does not want an attempt to begin now
MayGrow = Callable[[], None]  # raises StoreFull or StoreUnavailable while nothing new is accepted; what is known is still told


class IdempotencyConflict(MmsproxyError):
    """The key was used before with another body."""

    code = "idempotency_conflict"
    fault = Fault.CALLER


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft with what was made of it before the transaction: its id, and its media as kept files."""

    id: str
    draft: Draft
    media: tuple[Media, ...] = ()

    @property
    def pdu_digest(self) -> str | None:
        return None if self.draft.pdu is None else hashlib.sha256(self.draft.pdu.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Turn:
    """What a POST at the MM1 door gets. JOIN: wait for the message; REPLAY: its stored outcome; ANEW and NEW: it waits for its attempt."""

    kind: Identical
    message: Message


async def accept(tx: Tx, prepared: Sequence[Prepared], rules: Rules, key: IdempotencyKey | None, may_grow: MayGrow) -> Accepted:
    """All or none. Raises Refused, IdempotencyConflict, and what `may_grow` raises."""
    if key is not None and (known := await replay(tx.run, key)) is not None:
        return known
    may_grow()
    await _admit(tx, [item.draft for item in prepared], rules)
    if key is not None:
        await _keep_key(tx, key, [item.id for item in prepared])
    return Accepted(tuple([await _insert(tx, item) for item in prepared]))


async def accept_post(
    tx: Tx, prepared: Prepared, rules: Rules, limits: Limits, may_grow: MayGrow, may_begin: MayBegin | None = None
) -> Turn:
    """A POST at the MM1 door: joins, replays, tries anew or is new (mm1.md 6). Raises Refused, what `may_grow` and `may_begin` raise;
    ValueError without client and PDU."""
    client, digest = prepared.draft.client, prepared.pdu_digest
    if client is None or digest is None:
        raise ValueError("a POST at the MM1 door has a client and a PDU")
    known = await _duplicate(tx, client, digest)
    kind = Identical.NEW if known is None else identical_post(known, tx.now, limits)
    if kind in (Identical.NEW, Identical.ANEW):
        may_grow()
        await _admit(tx, [prepared.draft], rules)
        if may_begin is not None:
            await may_begin(tx)
    if known is not None and kind is Identical.ANEW:
        known = await requeue(tx, known, Cause.SENDER, valid_for=prepared.draft.valid_for)
    if known is not None and kind is not Identical.NEW:
        return Turn(kind, await reading.message_by_seq(tx.run, known.seq))
    message = await _insert(tx, prepared)
    await _remember(tx, client, digest, message.job, is_known=known is not None)
    return Turn(kind, message)


async def requeue(tx: Tx, job: Job, cause: Cause, *, valid_for: float | None = None) -> Job:
    """From failed, expired or unknown, as if it had just been accepted; its history stays. Whatever failed was in doubt no more: the
    carrier refused it, or a person said that it did not arrive."""
    valid = job.valid_for if valid_for is None else valid_for
    times = {"due_at": tx.now, "valid_for": valid, "expires_at": tx.now + valid}
    doubt = job.was_unknown and job.state is not State.FAILED
    fresh: dict[str, Any] = {**times, "failures": 0, "unresolved": 0, "error": None, "was_unknown": doubt}
    return await move(tx, job, State.QUEUED, cause, settled_by=None, **fresh)


async def store_answer(tx: Tx, key: IdempotencyKey, status: int, answer: bytes) -> None:
    """Keeps the first answer of a key, for the replays; a later one changes nothing."""
    row = (idempotency.c.token == key.token) & (idempotency.c.key == key.key) & (idempotency.c.answer.is_(None))
    await tx.run(update(idempotency).where(row).values(status=status, answer=answer))


# Idempotency keys.


async def replay(run: reading.Run, key: IdempotencyKey) -> Accepted | None:
    """What a known key brought the first time; None for a new one. Raises IdempotencyConflict."""
    statement = select(idempotency).where(idempotency.c.token == key.token, idempotency.c.key == key.key)
    row = (await run(statement)).mappings().one_or_none()
    if row is None:
        return None
    if row["digest"] != key.digest:
        raise IdempotencyConflict("this Idempotency-Key came before with another body", cure="use a new key for a new request")
    found = await reading.messages_by_id(run, json.loads(row["message_ids"]))
    return Accepted(found, True, row["status"], None if row["answer"] is None else bytes(row["answer"]))


async def _keep_key(tx: Tx, key: IdempotencyKey, ids: list[str]) -> None:
    values = {"token": key.token, "key": key.key, "digest": key.digest, "created_at": tx.now, "message_ids": rows.to_json(ids)}
    if (await tx.run(upsert(idempotency).values(**values).on_conflict_do_nothing())).rowcount == 0:
        raise Again  # another process was faster with the same key; the next run finds it


# Identical POSTs.


async def _duplicate(tx: Tx, client: str, digest: str) -> Job | None:
    statement = select(duplicates.c.message_seq).where(duplicates.c.client == client, duplicates.c.digest == digest).with_for_update()
    seq = (await tx.run(statement)).scalar_one_or_none()
    return None if seq is None else await job_by_seq(tx, seq)


async def _remember(tx: Tx, client: str, digest: str, job: Job, *, is_known: bool) -> None:
    if is_known:
        row = (duplicates.c.client == client) & (duplicates.c.digest == digest)
        await tx.run(update(duplicates).where(row).values(message_seq=job.seq))
        return
    values = {"client": client, "digest": digest, "message_seq": job.seq}
    if (await tx.run(upsert(duplicates).values(**values).on_conflict_do_nothing())).rowcount == 0:
        raise Again  # the same octets came at the same moment by another process; the next run joins them


# The rows.


async def _insert(tx: Tx, prepared: Prepared) -> Message:
    draft = prepared.draft
    octets = 0 if draft.pdu is None else len(draft.pdu.data)
    size = octets or draft.size
    kept = octets + sum(item.size for item in prepared.media)
    values = rows.new_message(draft, prepared.id, tx.now, size=size, stored=kept, digest=prepared.pdu_digest)
    row = (await tx.run(_NEW_MESSAGE, values)).mappings().one()
    people = [_recipient_row(row["seq"], n, number) for n, number in enumerate(draft.recipients)]
    if people:
        await tx.run(insert(recipients), people)
    if draft.pdu is not None:
        headers = rows.to_json(list(draft.pdu.headers))
        await tx.run(insert(pdus), {"message_seq": row["seq"], "role": "request", "data": draft.pdu.data, "headers": headers})
    if prepared.media:
        await tx.run(insert(media), [_media_row(row["seq"], item) for item in prepared.media])
    message = replace(rows.message(row, people, ()), media=prepared.media)
    announce(tx, message.job, None, None)
    if message.job.state is State.QUEUED:
        tx.wake_queue()
    return message


def _recipient_row(seq: int, n: int, number: str) -> dict[str, Any]:
    return {"message_seq": seq, "n": n, "number": number, "state": None, "report": None, "reported_at": None}


def _media_row(seq: int, item: Media) -> dict[str, Any]:
    return {
        "message_seq": seq,
        "n": item.n,
        "content_type": rows.clean(item.content_type),
        "filename": rows.clean(item.filename),
        "size": item.size,
        "sha256": item.sha256,
    }


# Admission.


async def _admit(tx: Tx, drafts: Sequence[Draft], rules: Rules) -> None:
    """Checks all of a request before anything of it is written; then counts what has a cap of its own. One request has one token."""
    token = drafts[0].token if drafts else None
    numbers = frozenset(number for draft in drafts for number in draft.recipients)
    opted_out, token_caps = await _standing(tx, numbers, token)
    if token_caps is not None:
        rules = replace(rules, per_token=token_caps)
    by_token = [counting.token_scope(token)] if token is not None and rules.per_token.window else []
    by_number = {number: counting.number_scope(number) for number in numbers} if rules.per_recipient.window else {}
    window = max(rules.per_token.window, rules.per_recipient.window)
    spent = await counting.spent(tx, [*by_token, *by_number.values()], window)
    token_usage = spent.get(by_token[0], Usage()) if by_token else Usage()
    people = {number: spent.get(scope, Usage()) for number, scope in by_number.items()}
    known = Known(opted_out, token_usage, people)
    total = first = 0
    for draft in drafts:
        total += draft.cost
        check(draft.recipients, total, rules, known, tx.now, first=first)
        first += len(draft.recipients)
    await counting.spend(tx, by_token, total)
    await counting.spend(tx, by_number.values(), 1)


async def _standing(tx: Tx, numbers: frozenset[str], token: str | None) -> tuple[frozenset[str], Caps | None]:
    """Who of these numbers opted out, and the token's own caps, which win over those for all tokens; None when it has none. In one
    statement, since each message that is accepted asks."""
    gone = select(optouts.c.number, null(), null()).where(optouts.c.number.in_(sorted(numbers)))
    own = select(null(), tokens.c.per_hour, tokens.c.per_day).where(tokens.c.id == token)
    found = (await tx.run(union_all(gone, own) if token is not None else gone)).all()
    caps = [Caps(per_hour, per_day) for number, per_hour, per_day in found if number is None and (per_hour or per_day)]
    return frozenset(number for number, *_ in found if number is not None), caps[0] if caps else None

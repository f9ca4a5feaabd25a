"""What an Idempotency-Key stands for, on both engines."""

from __future__ import annotations

from functools import partial

from mmsproxy.post import keys
from mmsproxy.post.records import Draft, IdempotencyKey
from mmsproxy.post.store import Store


async def test_the_messages_of_a_key_in_their_order(store: Store) -> None:
    drafts = [Draft((f"+1619555012{n}",), text="x") for n in range(3)]
    accepted = await store.accept(drafts, key=IdempotencyKey("tok_1", "k", "0" * 64))
    ids = tuple(message.job.id for message in accepted.messages)
    assert await store.read(partial(keys.messages_of, token="tok_1", key="k")) == ids


async def test_a_key_belongs_to_its_token(store: Store) -> None:
    await store.accept([Draft(("+16195550123",), text="x")], key=IdempotencyKey("tok_1", "k", "0" * 64))
    assert await store.read(partial(keys.messages_of, token="tok_2", key="k")) == ()
    assert await store.read(partial(keys.messages_of, token="tok_1", key="K")) == ()

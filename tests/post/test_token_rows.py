from __future__ import annotations

import pytest

from mmsproxy.post import token_rows
from mmsproxy.post.moves import NotFound
from mmsproxy.post.store import Store


async def test_the_life_of_a_token(store: Store, clock) -> None:
    token = await store.write(lambda tx: token_rows.add(tx, "tok_1", "script\x00", "ab" * 32, ["messages:send"], per_hour=5))
    assert (token.name, token.scopes, token.per_hour, token.per_day, token.created_at) == (
        "script\ufffd",
        ("messages:send",),
        5,
        0,
        clock.now,
    )
    assert await store.read(lambda run: token_rows.by_sha256(run, "ab" * 32)) == token
    assert await store.read(lambda run: token_rows.by_sha256(run, "cd" * 32)) is None
    clock.go(5)
    await store.write(lambda tx: token_rows.touch(tx, "tok_1"))
    await store.write(lambda tx: token_rows.revoke(tx, "tok_1"))
    clock.go(5)
    await store.write(lambda tx: token_rows.revoke(tx, "tok_1"))
    (listed,) = await store.read(token_rows.token_list)
    assert (listed.used_at, listed.revoked_at) == (clock.now - 5, clock.now - 5)
    assert await store.read(lambda run: token_rows.by_sha256(run, "ab" * 32)) is None
    with pytest.raises(NotFound):
        await store.write(lambda tx: token_rows.revoke(tx, "tok_2"))

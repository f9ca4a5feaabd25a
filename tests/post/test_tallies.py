"""Counts for people, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mmsproxy.post import tallies
from mmsproxy.post.caps import DAY, HOUR
from mmsproxy.post.job import Lease, Result
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker


async def test_messages_by_line_and_state_since_a_moment(
    store: Store, draft: Callable[..., Draft], result: Callable[..., Result], worker: Worker
) -> None:
    now = store.database.now()
    await store.accept([draft(line="mint"), draft(line="mint"), draft(line="other"), draft()])
    lease = await store.claim(worker)
    assert isinstance(lease, Lease)
    begun = await store.begin(lease, worker, Pdu(b"\x8c\x80"), transaction_id="T1")
    await store.last_byte(begun)
    await store.finish(begun, result("sent"))
    found = await store.read(partial(tallies.by_line, since=now))
    assert found == {"mint": {"queued": 1, "sent": 1}, "other": {"queued": 1}, "": {"queued": 1}}
    assert await store.read(partial(tallies.by_line, since=now + 1)) == {}
    spent = await store.read(partial(tallies.spent, since=now - DAY))
    assert (spent.units(now, HOUR), spent.units(now + DAY + 61, DAY)) == (1, 0)


async def test_who_is_opted_out(store: Store) -> None:
    look = partial(tallies.is_opted_out, number="+12025550123")
    assert await store.read(look) is False
    await store.set_optout("+12025550123")
    assert await store.read(look) is True

from __future__ import annotations

import os
from collections.abc import Callable

from mmsproxy.post import hooks
from mmsproxy.post.caps import DAY
from mmsproxy.post.job import State
from mmsproxy.post.records import Draft, IdempotencyKey, NewMedia, Pdu
from mmsproxy.post.retention import Retention
from mmsproxy.post.store import Store

MakeDraft = Callable[..., Draft]


async def states(store: Store) -> list[State]:
    return [message.job.state for message in (await store.page(limit=200)).messages][::-1]


async def test_by_age(store: Store, draft: MakeDraft, worker, result, clock) -> None:
    for _ in range(3):
        await store.accept([draft(valid_for=100 * DAY, media=(NewMedia("text/plain", b"old"),))])
    for outcome in ("sent", "unknown"):
        lease = await store.begin(await store.claim(worker), worker, draft().pdu)
        await store.last_byte(lease)
        await store.finish(lease, result(outcome))
    clock.go(20 * DAY)
    await store.accept([draft()])
    keep = Retention(age=30 * DAY, size=0)
    assert await store.forget(keep) == 0
    clock.go(11 * DAY)
    assert await store.forget(keep) > 0
    assert await states(store) == [State.UNKNOWN, State.QUEUED, State.QUEUED]
    (event,) = await store.events_after(0)  # the log goes with its time
    assert event.type == "message.queued"
    assert await store.forget(Retention(age=0, size=0)) == 0


async def test_what_was_touched_lately_stays(store: Store, draft: MakeDraft, clock) -> None:
    message = (await store.accept([draft(valid_for=100 * DAY)])).messages[0]
    clock.go(40 * DAY)
    await store.cancel(message.job.id)
    await store.forget(Retention(age=30 * DAY, size=0))
    assert await states(store) == [State.CANCELED]


async def test_by_size(store: Store, draft: MakeDraft) -> None:
    big = draft(pdu=Pdu(bytes(1000)))
    messages = (await store.accept([big for _ in range(10)])).messages
    for message in messages[:8]:
        await store.cancel(message.job.id)
    assert await store.forget(Retention(age=0, size=5500)) == 5
    left = [message.job.id for message in (await store.page()).messages][::-1]
    assert left == [message.job.id for message in messages[5:]]
    await store.forget(Retention(age=0, size=1))
    assert await states(store) == [State.QUEUED, State.QUEUED]  # what waits is never forgotten


async def test_keys(store: Store, draft: MakeDraft, clock) -> None:
    key = IdempotencyKey("tok", "k", "aa")
    await store.accept([draft()], key=key)
    clock.go(7 * DAY + 1)
    await store.forget(Retention())
    assert not (await store.accept([draft()], key=key)).replayed


async def test_files_that_nobody_names(store: Store, draft: MakeDraft, place, clock) -> None:
    kept = (await store.accept([draft(media=(NewMedia("text/plain", b"kept"),))])).messages[0].media[0]
    store.files.put(b"left by a crash before the commit")
    fresh = store.files.put(b"on its way to its row")
    for path in place.folder.glob("media/*/*"):
        if path.name != fresh:
            os.utime(path, (clock.now - 7200, clock.now - 7200))
        else:
            os.utime(path, (clock.now, clock.now))
    assert await store.forget(Retention()) == 1
    assert {path.name for path in place.folder.glob("media/*/*")} == {kept.sha256, fresh}


async def test_deliveries_go_with_their_events(store: Store, draft: MakeDraft, clock) -> None:
    await store.write(lambda tx: hooks.add(tx, "whk_1", "http://script.lan/", "whsec_x", []))
    await store.accept([draft()])
    assert await store.write(hooks.fan_out) == 2  # the callbacks look at it too
    clock.go(31 * DAY)
    await store.forget(Retention())
    assert await store.read(lambda run: hooks.delivery_list(run, "whk_1", limit=10)) == ()

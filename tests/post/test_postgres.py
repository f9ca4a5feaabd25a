"""A PostgreSQL server that goes away and comes back."""

from __future__ import annotations

import pytest

from mmsproxy.errors import StoreUnavailable
from mmsproxy.post.job import State
from mmsproxy.post.store import open_store

pytestmark = pytest.mark.needs_postgres


async def test_a_server_that_restarts(own_cluster, tmp_path, clock, draft, worker, result) -> None:
    ids = iter(range(10**6))
    url = await own_cluster.create("post")
    store = await open_store(url, media=tmp_path, clock=clock, new_id=lambda prefix: f"{prefix}_{next(ids)}", reserve=0, low_water=0)
    message = (await store.accept([draft()])).messages[0]
    lease = await store.begin(await store.claim(worker), worker, draft().pdu)
    own_cluster.stop()
    for refused in (store.accept([draft()]), store.last_byte(lease), store.message(message.job.id), store.page()):
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await refused
    own_cluster.start()
    assert (await store.message(message.job.id)).job.state is State.SENDING
    await store.last_byte(lease)
    assert (await store.finish(lease, result("sent"))).state is State.SENT
    own_cluster.stop("fast")
    own_cluster.start()
    await store.accept([draft()])  # the connections of before are stale, and nobody notices
    heard = store.queue_bell.ticket
    await store.accept([draft()])
    assert await store.queue_bell.wait(heard, 60)
    await store.close()


async def test_a_server_that_is_not_there(own_cluster, tmp_path, clock) -> None:
    own_cluster.stop()
    try:
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await open_store(own_cluster.url("post"), media=tmp_path, clock=clock, new_id=str)
    finally:
        own_cluster.start()
    with pytest.raises(StoreUnavailable, match="post"):  # the server is there, the database is not
        await open_store(own_cluster.url("post"), media=tmp_path, clock=clock, new_id=str)

from __future__ import annotations

from mmsproxy.post.job import State
from mmsproxy.post.store import Store


async def test_a_message_goes_its_way(store: Store, worker, draft, result) -> None:
    accepted = await store.accept([draft()])
    lease = await store.claim(worker)
    lease = await store.begin(lease, worker, draft().pdu)
    await store.last_byte(lease)
    job = await store.finish(lease, result("sent"))
    assert job.state is State.SENT
    print(await store.events_of(job.id))

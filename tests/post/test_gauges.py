from __future__ import annotations

from collections.abc import Callable

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.post import gauges
from mmsproxy.post.job import Kind, Lease, Result
from mmsproxy.post.records import Draft
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker

MakeDraft = Callable[..., Draft]
MakeResult = Callable[..., Result]


async def attempt(store: Store, worker: Worker, result: Result) -> None:
    lease = await store.claim(worker)
    assert isinstance(lease, Lease)
    begun = await store.begin(lease, worker, None)
    await store.finish(begun, result)


async def test_queues(store: Store, draft: MakeDraft, worker: Worker, result: MakeResult, clock) -> None:
    assert await store.read(gauges.queues) == {}
    begun = clock.now
    await store.accept([draft(line="mint"), draft(send_at=begun + 100.0)])
    clock.go(10)
    await store.accept([draft(line="mint"), draft()])
    assert await store.read(gauges.queues) == {"mint": gauges.Queue(2, begun), "": gauges.Queue(1, begun + 10.0)}
    await attempt(store, worker, result("not_sent"))
    await attempt(store, worker, result("sent"))
    clock.go(100)
    await store.sweep()
    assert await store.read(gauges.queues) == {"mint": gauges.Queue(1, begun), "": gauges.Queue(2, begun + 10.0)}


async def test_ended(store: Store, draft: MakeDraft, worker: Worker, result: MakeResult, clock) -> None:
    await store.accept([draft()])
    await attempt(store, worker, result("not_sent", timings={"total": 1.5}, bytes_offered=7))
    clock.go(60)
    await attempt(store, worker, result("unknown"))
    events = await store.events_after(0)
    found = await store.read(lambda run: gauges.ended(run, events))
    assert [(one.kind, one.attempt.number, one.attempt.outcome, one.attempt.line) for one in found] == [
        (Kind.MMS, 1, Outcome.NOT_SENT, "mint"),
        (Kind.MMS, 2, Outcome.UNKNOWN, "mint"),
    ]
    assert (found[0].attempt.timings, found[0].attempt.bytes_offered) == ({"total": 1.5}, 7)
    assert await store.read(lambda run: gauges.ended(run, events[:1])) == ()


async def test_what_a_crash_interrupted_has_no_outcome(store: Store, draft: MakeDraft, worker: Worker) -> None:
    await store.accept([draft()])
    lease = await store.claim(worker)
    assert isinstance(lease, Lease)
    await store.begin(lease, worker, None)
    await store.recover("node/2")
    events = await store.events_after(0)
    (found,) = await store.read(lambda run: gauges.ended(run, events))
    assert (found.attempt.number, found.attempt.outcome) == (1, None)

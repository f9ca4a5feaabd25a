from __future__ import annotations

from collections.abc import Callable

import pytest

from mmsproxy.post.job import Direction, Kind, State
from mmsproxy.post.moves import NotFound
from mmsproxy.post.reading import BadCursor, messages_by_id, position_and_lines
from mmsproxy.post.records import Draft, Filter
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker

MakeDraft = Callable[..., Draft]


async def test_pages_newest_first(store: Store, draft: MakeDraft) -> None:
    ids = [message.job.id for message in (await store.accept([draft() for _ in range(7)])).messages]
    seen, cursor = [], None
    for _ in range(3):
        page = await store.page(limit=3, cursor=cursor)
        seen += [message.job.id for message in page.messages]
        cursor = page.next_cursor
    assert seen == ids[::-1]
    assert cursor is None
    assert (await store.page(limit=7)).next_cursor is None
    await store.accept([draft()])  # what comes meanwhile moves nothing
    first = await store.page(limit=3)
    await store.accept([draft()])
    assert not {message.job.id for message in (await store.page(limit=3, cursor=first.next_cursor)).messages} - set(ids)


@pytest.mark.parametrize("cursor", ["", "x", "c", "cxyz", "c-", "c" + "f" * 40, "' OR 1"])
async def test_cursors_that_nobody_gave(store: Store, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await store.page(cursor=cursor)


@pytest.mark.parametrize("limit", [0, 201])
async def test_limits_of_a_page(store: Store, limit: int) -> None:
    with pytest.raises(ValueError, match="200"):
        await store.page(limit=limit)


async def test_filters(store: Store, draft: MakeDraft, worker: Worker, clock) -> None:
    start = clock.now
    names = {}
    for name, fields in {
        "plain": {"text": "Hello 100% world_"},
        "sms": {"kind": Kind.SMS, "recipients": ("+12025550124", "+12025550125")},
        "lined": {"line": "mint", "subject": "hello AGAIN"},
        "urgent": {"priority": 0},
    }.items():
        names[(await store.accept([draft(**fields)])).messages[0].job.id] = name
        clock.go(10)
    lease = await store.claim(worker)
    await store.begin(lease, worker, draft().pdu)

    async def found(**fields: object) -> set[str]:
        return {names[message.job.id] for message in (await store.page(Filter(**fields))).messages}

    everything = set(names.values())
    assert await found() == await found(direction=Direction.OUTBOUND) == everything
    assert await found(direction=Direction.INBOUND) == await found(sender="+1") == set()
    assert await found(states=frozenset({"sending"})) == await found(line="mint") - {"lined"} == {"urgent"}
    assert await found(states=frozenset({"queued", "sent"})) == {"plain", "sms", "lined"}
    assert await found(kind=Kind.SMS) == await found(to="+12025550125") == {"sms"}
    assert await found(line="mint") == {"urgent", "lined"}
    assert await found(since=start + 10, until=start + 30) == {"sms", "lined"}
    assert await found(q="HELLO") == {"plain", "lined"}
    assert await found(q="100%") == await found(q="d_") == {"plain"}
    assert await found(q="0%w") == await found(q="l_o") == set()


async def test_the_place_in_the_queue(store: Store, draft: MakeDraft, worker: Worker, clock) -> None:
    jobs = {}
    for name, fields in {
        "first": {},
        "bound": {"line": "mint"},
        "others": {"line": "other"},
        "second": {},
        "low": {"priority": 2},
        "high": {"priority": 0},
        "later": {"send_at": clock.now + 60},
    }.items():
        jobs[name] = (await store.accept([draft(**fields)])).messages[0].job
        clock.go(1)
    places = {name: await store.position(job, "mint") for name, job in jobs.items()}
    assert places == {"first": 1, "bound": 2, "others": 3, "second": 3, "low": 4, "high": 0, "later": 0}
    for name, job in jobs.items():
        ahead, lines = await store.read(lambda run, job=job: position_and_lines(run, job, "mint"))
        assert (ahead, lines) == (places[name], await store.lines())
    lease = await store.claim(worker)
    assert lease.job.id == jobs["high"].id


async def test_one_message(store: Store, draft: MakeDraft) -> None:
    one, two = (await store.accept([draft(), draft()])).messages
    with pytest.raises(NotFound):
        await store.message("msg_none")
    assert await store.read(lambda run: messages_by_id(run, [two.job.id, "msg_none", one.job.id])) == (two, one)
    assert await store.pdu(one.job, "answer") is None


async def test_the_log(store: Store, draft: MakeDraft) -> None:
    await store.accept([draft(), draft(line="mint")])
    await store.pause("mint", "x")
    everything = await store.events_after(0)
    assert [event.seq for event in everything] == [1, 2, 3]
    assert await store.events_after(1, limit=1) == everything[1:2]
    assert await store.events_after(3) == ()
    assert await store.events_after(0, types=["message.*"]) == everything[:2]
    assert await store.events_after(0, types=["line.paused", "message.sent"]) == everything[2:]
    assert await store.events_after(0, types=["message.q"]) == ()
    assert await store.events_after(0, line="mint") == everything[1:]
    assert await store.event_seq(everything[1].id) == 2
    assert await store.event_seq("evt_none") is None
    assert len({event.id for event in everything}) == 3


async def test_counts(store: Store, draft: MakeDraft) -> None:
    assert await store.counts() == {}
    messages = (await store.accept([draft(), draft()])).messages
    await store.cancel(messages[0].job.id)
    assert await store.counts() == {State.QUEUED: 1, State.CANCELED: 1}

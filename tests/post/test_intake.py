"""What is accepted, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mmsproxy.errors import StoreFull
from mmsproxy.post import token_rows
from mmsproxy.post.admission import Refused, Rules
from mmsproxy.post.caps import Caps
from mmsproxy.post.intake import IdempotencyConflict
from mmsproxy.post.job import Door, Fallback, Kind, Priority, Result, State
from mmsproxy.post.policy import Identical
from mmsproxy.post.records import Draft, IdempotencyKey, NewMedia, Pdu
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker

MakeDraft = Callable[..., Draft]
MakeResult = Callable[..., Result]
KEY = IdempotencyKey("tok", "order-17", "aa" * 32)


async def test_a_message_comes_back_as_it_was_accepted(store: Store, draft: MakeDraft, clock) -> None:
    wanted = draft(
        recipients=("+12025550123", "+12025550124"),
        kind=Kind.MMS,
        line="mint",
        priority=Priority.HIGH,
        valid_for=60.0,
        pdu=Pdu(b"\x00\xff\x8c", (("X-Odd", "\udcff\r".strip()), ("Content-Type", "application/vnd.wap.mms-message"))),
        subject="Größe",
        text="NUL \x00, half a pair \ud83d and a whole one 😀",
        media=(NewMedia("image/jpeg", b"\xff\xd8", "cat.jpg"), NewMedia("text/plain", b"x")),
        cost=3,
        fallback=Fallback.SMS,
        is_group=True,
        delivery_report=True,
        tag="door",
        callback_url="http://script.lan/hook",
        metadata={"order": "17"},
        options={"layout": "auto", "shrink": True},
        warnings=({"code": "image_shrunk", "from": 2},),
        simulated=True,
    )
    accepted = (await store.accept([wanted])).messages[0]
    message = await store.message(accepted.job.id)
    assert message == accepted
    assert (message.job.state, message.job.door, message.job.line) == (State.QUEUED, Door.API, "mint")
    assert (message.job.due_at, message.job.expires_at, message.job.cost) == (clock.now, clock.now + 60, 3)
    assert [person.number for person in message.recipients] == ["+12025550123", "+12025550124"]
    assert message.subject == "Größe"
    assert message.text == "NUL \ufffd, half a pair ? and a whole one 😀"
    assert [(item.content_type, item.filename, item.size) for item in message.media] == [
        ("image/jpeg", "cat.jpg", 2),
        ("text/plain", None, 1),
    ]
    assert await store.media(message.media[0]) == b"\xff\xd8"
    assert message.metadata == {"order": "17"}
    assert message.options == {"layout": "auto", "shrink": True}
    assert message.warnings == ({"code": "image_shrunk", "from": 2},)
    assert await store.pdu(message.job) == wanted.pdu
    assert message.size == 3
    assert [event.type for event in await store.events_of(message.job.id)] == ["message.queued"]


async def test_a_time_of_the_day(store: Store, draft: MakeDraft, clock) -> None:
    late, past = (await store.accept([draft(send_at=clock.now + 600, valid_for=60.0), draft(send_at=clock.now - 600)])).messages
    assert (late.job.state, late.job.due_at, late.job.expires_at) == (State.SCHEDULED, clock.now + 600, clock.now + 660)
    assert (past.job.state, past.job.expires_at) == (State.QUEUED, clock.now + 3600)


async def test_all_or_none(store: Store, draft: MakeDraft) -> None:
    with pytest.raises(Refused):
        await store.accept([draft(), draft(recipients=("12345",))])
    assert (await store.page()).messages == ()
    assert await store.events_after(0) == ()


async def test_a_refusal_harms_nobody_in_the_same_transaction(store: Store, draft: MakeDraft) -> None:
    asked = [draft(), draft(recipients=("12345",))] * 10
    answers = await asyncio.gather(*(store.accept([item]) for item in asked), return_exceptions=True)
    assert [isinstance(answer, Refused) for answer in answers] == [False, True] * 10
    assert len((await store.page()).messages) == 10


# Idempotency keys


async def test_a_key_brings_the_first_messages(store: Store, draft: MakeDraft) -> None:
    first = await store.accept([draft(), draft()], key=KEY)
    again = await store.accept([draft(recipients=("+12025550199",))], key=KEY)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.messages == first.messages
    assert (again.status, again.answer) == (None, None)
    await store.store_answer(KEY, 202, b'{"id": 1}')
    await store.store_answer(KEY, 500, b"later")
    again = await store.accept([draft()], key=KEY)
    assert (again.status, again.answer) == (202, b'{"id": 1}')
    assert len((await store.page()).messages) == 2


async def test_a_key_belongs_to_its_token_and_its_body(store: Store, draft: MakeDraft) -> None:
    await store.accept([draft()], key=KEY)
    with pytest.raises(IdempotencyConflict):
        await store.accept([draft()], key=IdempotencyKey("tok", "order-17", "bb" * 32))
    other = await store.accept([draft()], key=IdempotencyKey("tok2", "order-17", "bb" * 32))
    assert not other.replayed


async def test_a_key_at_the_same_moment(store: Store, draft: MakeDraft) -> None:
    answers = await asyncio.gather(*(store.accept([draft()], key=KEY) for _ in range(12)))
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 11
    assert len({answer.messages[0].job.id for answer in answers}) == 1
    assert len((await store.page()).messages) == 1


async def test_a_refused_request_leaves_no_key(store: Store, draft: MakeDraft) -> None:
    with pytest.raises(Refused):
        await store.accept([draft(recipients=("1",))], key=KEY)
    assert not (await store.accept([draft()], key=KEY)).replayed


# The MM1 door


@pytest.fixture
def post(draft: MakeDraft) -> Draft:
    return draft(door=Door.MM1, client="192.0.2.7", valid_for=55.0)


async def test_an_identical_post_joins(store: Store, post: Draft) -> None:
    turns = await asyncio.gather(*(store.accept_post(post) for _ in range(12)))
    assert sorted(turn.kind for turn in turns) == [Identical.JOIN] * 11 + [Identical.NEW]
    assert len({turn.message.job.id for turn in turns}) == 1


async def test_another_client_or_other_octets_are_new(store: Store, post: Draft, draft: MakeDraft) -> None:
    await store.accept_post(post)
    for other in (draft(door=Door.MM1, client="192.0.2.8"), draft(door=Door.MM1, client="192.0.2.7", pdu=Pdu(b"\x8c\x80\x01"))):
        assert (await store.accept_post(other)).kind is Identical.NEW


async def test_a_post_without_client_or_pdu_is_a_mistake_of_ours(store: Store, post: Draft, draft: MakeDraft) -> None:
    for wrong in (draft(door=Door.MM1), draft(door=Door.MM1, client="192.0.2.7", pdu=None)):
        with pytest.raises(ValueError, match="client and a PDU"):
            await store.accept_post(wrong)


async def test_the_outcome_is_replayed_then_forgotten(store: Store, post: Draft, result: MakeResult, worker: Worker, clock) -> None:
    first = (await store.accept_post(post)).message
    await _send(store, worker, post, result("sent", answer=b"\x8c\x81carrier", answer_headers=(("Content-Type", "x"),)))
    again = await store.accept_post(post)
    assert (again.kind, again.message.job.id, again.message.job.state) == (Identical.REPLAY, first.job.id, State.SENT)
    assert await store.pdu(again.message.job, "answer") == Pdu(b"\x8c\x81carrier", (("Content-Type", "x"),))
    clock.go(3600)
    third = await store.accept_post(post)
    assert third.kind is Identical.NEW
    assert third.message.job.id != first.job.id
    assert (await store.accept_post(post)).message.job.id == third.message.job.id


async def test_a_failed_post_starts_anew_on_the_same_row(store: Store, post: Draft, result: MakeResult, worker: Worker, clock) -> None:
    first = (await store.accept_post(post)).message
    job = await _send(store, worker, post, result("not_sent"))
    assert job.state is State.FAILED
    clock.go(30)
    again = await store.accept_post(post)
    assert (again.kind, again.message.job.id) == (Identical.ANEW, first.job.id)
    assert (again.message.job.state, again.message.job.attempts, again.message.job.error) == (State.QUEUED, 1, None)
    assert again.message.job.expires_at == clock.now + 55


async def test_nothing_new_on_a_full_disk_but_what_is_known(sqlite_place, post: Draft, result: MakeResult, worker: Worker) -> None:
    store = await sqlite_place.open()
    await store.accept_post(post)
    await _send(store, worker, post, result("sent"))
    await store.accept([post], key=KEY)
    await store.close()
    store = await sqlite_place.open(low_water=1 << 60)
    try:
        assert (await store.accept_post(post)).kind is Identical.REPLAY
        assert (await store.accept([post], key=KEY)).replayed
        for refused in (store.accept([post]), store.accept_post(Draft(("+12025550123",), client="c", pdu=Pdu(b"new")))):
            with pytest.raises(StoreFull):
                await refused
        with pytest.raises(StoreFull):
            await store.accept([Draft(("+12025550123",), media=(NewMedia("text/plain", b"x"),))])
        assert not list(sqlite_place.folder.glob("media/*/*"))
    finally:
        await store.close()


async def _send(store: Store, worker: Worker, draft: Draft, outcome: Result):
    lease = await store.claim(worker)
    lease = await store.begin(lease, worker, draft.pdu, transaction_id=draft.transaction_id)
    await store.last_byte(lease)
    return await store.finish(lease, outcome)


# Admission by what is stored


async def test_who_said_stop(store: Store, draft: MakeDraft) -> None:
    assert await store.set_optout("+12025550123")
    assert not await store.set_optout("+12025550123")
    with pytest.raises(Refused) as refused:
        await store.accept([draft()])
    assert refused.value.code == "opted_out"
    assert await store.lift_optout("+12025550123")
    assert not await store.lift_optout("+12025550123")
    await store.accept([draft()])
    assert [event.type for event in await store.events_after(0)] == ["contact.opted_out", "contact.opted_in", "message.queued"]


async def test_the_cap_of_a_token(store: Store, draft: MakeDraft, clock) -> None:
    store.rules = Rules(per_token=Caps(3, 0))
    await store.accept([draft(token="t1"), draft(token="t1", cost=2)])
    with pytest.raises(Refused) as refused:
        await store.accept([draft(token="t1")])
    assert refused.value.code == "rate_limited"
    await store.accept([draft(token="t2")])
    await store.accept([draft()])
    clock.go(refused.value.retry_after)
    await store.accept([draft(token="t1")])


async def test_one_request_counts_whole(store: Store, draft: MakeDraft) -> None:
    store.rules = Rules(per_token=Caps(3, 0))
    with pytest.raises(Refused):
        await store.accept([draft(token="t1", cost=2), draft(token="t1", cost=2)])
    await store.accept([draft(token="t1", cost=3)])


async def test_a_tokens_own_caps_win(store: Store, draft: MakeDraft) -> None:
    await store.write(lambda tx: token_rows.add(tx, "t1", "script", "ab", ["messages:send"], per_hour=1))
    await store.write(lambda tx: token_rows.add(tx, "t2", "other", "cd", ["messages:send"]))
    await store.accept([draft(token="t1")])
    with pytest.raises(Refused):
        await store.accept([draft(token="t1")])
    for _ in range(3):
        await store.accept([draft(token="t2")])


async def test_the_cap_of_a_recipient(store: Store, draft: MakeDraft) -> None:
    store.rules = Rules(per_recipient=Caps(1, 0))
    await store.accept([draft(recipients=("+12025550123", "+12025550124"))])
    with pytest.raises(Refused) as refused:
        await store.accept([draft(recipients=("+12025550125", "+12025550124"))])
    assert [item.pointer for item in refused.value.refusals] == ["/to/1"]
    await store.accept([draft(recipients=("+12025550125",))])


async def test_a_refused_number_of_a_batch_is_named_by_its_place_in_the_request(store: Store, draft: MakeDraft) -> None:
    await store.set_optout("+12025550125")
    with pytest.raises(Refused) as refused:
        await store.accept([draft(recipients=(f"+1202555012{n}",)) for n in range(3, 7)])
    assert [refusal.pointer for refusal in refused.value.refusals] == ["/to/2"]

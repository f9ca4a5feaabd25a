from __future__ import annotations

from collections.abc import Callable

import pytest

from mmsproxy.post import hooks
from mmsproxy.post.moves import NotFound
from mmsproxy.post.records import Draft
from mmsproxy.post.store import Store

MakeDraft = Callable[..., Draft]
URL = "http://script.lan/hook"


async def add(store: Store, name: str = "whk_1", types: tuple[str, ...] = ()) -> hooks.Webhook:
    return await store.write(lambda tx: hooks.add(tx, name, URL, "whsec_a", types))


async def claim(store: Store, limit: int = 10) -> tuple[hooks.Delivery, ...]:
    await store.write(hooks.fan_out)
    return await store.write(lambda tx: hooks.claim(tx, limit=limit, lease=30.0))


async def finish(store: Store, delivery: hooks.Delivery, **fields: object) -> bool:
    usual = {"delivered": False, "http_status": 500, "detail": "no", "next_due": None}
    return await store.write(lambda tx: hooks.finish(tx, delivery, **{**usual, **fields}))


async def test_a_webhook_hears_what_comes_after_it(store: Store, draft: MakeDraft) -> None:
    await store.accept([draft()])
    await add(store)
    message = (await store.accept([draft()])).messages[0]
    (delivery,) = await claim(store)
    assert (delivery.event.type, delivery.event.message_id) == ("message.queued", message.job.id)
    assert (delivery.url, delivery.secrets, delivery.state, delivery.attempts) == (URL, ("whsec_a",), "waiting", 0)
    assert await claim(store) == ()
    assert await finish(store, delivery, delivered=True, http_status=204, detail="")


async def test_types(store: Store, draft: MakeDraft) -> None:
    await add(store, "whk_all")
    await add(store, "whk_lines", ("line.*",))
    await add(store, "whk_sent", ("message.sent", "message.canceled"))
    message = (await store.accept([draft()])).messages[0]
    await store.cancel(message.job.id)
    await store.pause("mint", "x")
    found = {(delivery.webhook_id, delivery.event.type) for delivery in await claim(store)}
    assert found == {
        ("whk_all", "message.queued"),
        ("whk_all", "message.canceled"),
        ("whk_all", "line.paused"),
        ("whk_lines", "line.paused"),
        ("whk_sent", "message.canceled"),
    }


@pytest.mark.parametrize(
    ("kind", "wanted", "expected"),
    [
        ("message.sent", [], True),
        ("message.sent", ["message.*"], True),
        ("message.sent", ["line.*", "message.sent"], True),
        ("message.sent", ["message"], False),
        ("messages.sent", ["message.*"], False),
    ],
)
def test_matches(kind: str, wanted: list[str], expected: bool) -> None:
    assert hooks.matches(kind, wanted) is expected


async def test_tries(store: Store, draft: MakeDraft, clock) -> None:
    await add(store)
    await store.accept([draft()])
    (first,) = await claim(store)
    assert await finish(store, first, next_due=clock.now + 5)
    assert await claim(store) == ()
    clock.go(5)
    (second,) = await claim(store)
    assert (second.attempts, second.http_status, second.detail, second.seq) == (1, 500, "no", first.seq)
    assert not await finish(store, first)  # the lease of before is over
    clock.go(30)
    (third,) = await claim(store)  # who claimed it is dead
    assert not await finish(store, second)
    assert await finish(store, third, next_due=None)
    clock.go(1e6)
    assert await claim(store) == ()
    (listed,) = await store.read(lambda run: hooks.delivery_list(run, "whk_1", limit=10))
    assert (listed.state, listed.attempts) == ("failed", 2)
    await store.write(lambda tx: hooks.redeliver(tx, "whk_1", listed.seq))
    (again,) = await claim(store)
    assert (again.attempts, again.event.id) == (0, first.event.id)
    with pytest.raises(NotFound):
        await store.write(lambda tx: hooks.redeliver(tx, "whk_2", listed.seq))


async def test_pages_of_deliveries(store: Store, draft: MakeDraft) -> None:
    await add(store)
    await store.accept([draft() for _ in range(5)])
    await store.write(hooks.fan_out)
    newest = await store.read(lambda run: hooks.delivery_list(run, "whk_1", limit=2))
    older = await store.read(lambda run: hooks.delivery_list(run, "whk_1", limit=10, before=newest[-1].seq))
    assert [delivery.event.seq for delivery in (*newest, *older)] == [5, 4, 3, 2, 1]


async def test_disabled_and_enabled(store: Store, draft: MakeDraft) -> None:
    await add(store)
    off = await store.write(lambda tx: hooks.change(tx, "whk_1", {"enabled": False, "disabled_reason": "410"}))
    assert (off.enabled, off.disabled_reason) == (False, "410")
    await store.accept([draft()])
    assert await claim(store) == ()
    on = await store.write(lambda tx: hooks.change(tx, "whk_1", {"enabled": True, "secrets": ["whsec_b", "whsec_a"], "types": ["line.*"]}))
    assert (on.enabled, on.disabled_reason, on.secrets, on.types) == (True, None, ("whsec_b", "whsec_a"), ("line.*",))
    assert await claim(store) == ()  # what happened while it was off is not told
    assert await store.read(hooks.webhook_list) == (on,)
    await store.write(lambda tx: hooks.remove(tx, "whk_1"))
    assert await store.read(hooks.webhook_list) == ()


async def test_callbacks_of_single_messages(store: Store, draft: MakeDraft) -> None:
    await store.accept([draft(), draft(callback_url="http://script.lan/one")])
    (delivery,) = await claim(store)
    assert (delivery.webhook_id, delivery.url, delivery.event.type) == ("callbacks", "http://script.lan/one", "message.queued")
    for forbidden in (hooks.remove, lambda tx, name: hooks.change(tx, name, {"enabled": False})):
        with pytest.raises(NotFound):
            await store.write(lambda tx, forbidden=forbidden: forbidden(tx, "callbacks"))


async def test_a_test_is_for_one_alone(store: Store) -> None:
    await add(store, "whk_1", ("message.*",))
    await add(store, "whk_2")
    await store.write(lambda tx: hooks.test(tx, "whk_1"))
    (delivery,) = await claim(store)
    assert (delivery.webhook_id, delivery.event.type) == ("whk_1", "system.test")
    for call in (hooks.test, hooks.remove):
        with pytest.raises(NotFound):
            await store.write(lambda tx, call=call: call(tx, "whk_none"))


async def test_a_long_log_is_told_whole_and_once(store: Store, draft: MakeDraft) -> None:
    await add(store)
    await store.accept([draft() for _ in range(hooks.PORTION + 50)])
    looked = 0
    while seen := await store.write(hooks.fan_out):
        looked += seen
    found = [delivery.event.seq for delivery in await store.write(lambda tx: hooks.claim(tx, limit=1000, lease=30.0))]
    assert sorted(found) == list(range(1, hooks.PORTION + 51))
    assert looked == 2 * len(found)


async def test_busy_endpoints_are_passed_over(store: Store, draft: MakeDraft) -> None:
    await add(store, "whk_slow")
    await add(store, "whk_good")
    await store.accept([draft(callback_url="http://slow.lan/a_%?x=1"), draft(callback_url="http://slow.lane/")])
    await store.write(hooks.fan_out)

    async def claim_without(*callbacks: str) -> set[str]:
        found = await store.write(
            lambda tx: hooks.claim(tx, limit=10, lease=30.0, busy={"whk_slow", "whk_none"}, busy_callbacks=set(callbacks))
        )
        await store.write(lambda tx: hooks.give_back(tx, found))
        return {f"{delivery.webhook_id} {delivery.url}" for delivery in found}

    assert await claim_without() == {f"whk_good {URL}", "callbacks http://slow.lan/a_%?x=1", "callbacks http://slow.lane/"}
    assert await claim_without("http://slow.lan/") == {f"whk_good {URL}", "callbacks http://slow.lane/"}
    assert await claim_without("http://slow.lan") == {f"whk_good {URL}"}
    assert await claim_without("http://slow.lan/a__") == {
        f"whk_good {URL}",
        "callbacks http://slow.lan/a_%?x=1",
        "callbacks http://slow.lane/",
    }


async def test_given_back_is_claimed_at_once_but_not_what_another_holds(store: Store, draft: MakeDraft, clock) -> None:
    await add(store)
    await store.accept([draft()])
    (first,) = await claim(store)
    assert not await store.read(lambda run: hooks.is_due(run, clock.now))
    clock.go(31)
    (second,) = await claim(store)
    await store.write(lambda tx: hooks.give_back(tx, [first]))
    assert await claim(store) == ()
    await store.write(lambda tx: hooks.give_back(tx, [second]))
    assert await store.read(lambda run: hooks.is_due(run, clock.now))
    assert len(await claim(store)) == 1


async def test_disabled(store: Store, draft: MakeDraft) -> None:
    await add(store)
    await store.accept([draft(), draft()])
    (first, _) = await claim(store)
    await store.write(lambda tx: hooks.disable(tx, "whk_1", "gone"))
    assert not await finish(store, first, delivered=True)
    found = await store.read(lambda run: hooks.webhook(run, "whk_1"))
    assert (found.enabled, found.disabled_reason) == (False, "gone")
    listed = await store.read(lambda run: hooks.delivery_list(run, "whk_1", limit=10))
    assert {(delivery.state, delivery.detail) for delivery in listed} == {("failed", "the webhook was disabled")}
    assert await store.read(hooks.counts) == {"failed": 2}
    await store.accept([draft()])
    await store.write(lambda tx: hooks.redeliver(tx, "whk_1", first.seq))
    assert await claim(store) == ()
    await store.write(lambda tx: hooks.change(tx, "whk_1", {"enabled": True}))
    assert [delivery.seq for delivery in await claim(store)] == [first.seq]


async def test_callbacks_are_never_disabled(store: Store, draft: MakeDraft) -> None:
    await store.accept([draft(callback_url="http://a.lan/")])
    await store.write(hooks.fan_out)
    await store.write(lambda tx: hooks.disable(tx, "callbacks", "gone"))
    assert len(await claim(store)) == 1


async def test_secret_of_the_callbacks(store: Store) -> None:
    await store.write(lambda tx: hooks.ensure_callback_secret(tx, "whsec_1"))
    await store.write(lambda tx: hooks.ensure_callback_secret(tx, "whsec_2"))
    assert (await store.read(lambda run: hooks.webhook(run, "callbacks"))).secrets == ("whsec_1",)
    await store.write(lambda tx: hooks.set_secrets(tx, "callbacks", ["whsec_3", "whsec_1"]))
    assert (await store.read(lambda run: hooks.webhook(run, "callbacks"))).secrets == ("whsec_3", "whsec_1")


async def test_no_such_webhook(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.read(lambda run: hooks.webhook(run, "whk_0"))
    with pytest.raises(NotFound):
        await store.write(lambda tx: hooks.set_secrets(tx, "whk_0", []))

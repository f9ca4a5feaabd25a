"""Deliveries from a real store to real servers on loopback, checked by the reference verifier of Standard Webhooks."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier

from mmsproxy.errors import StoreUnavailable
from mmsproxy.events import Bus, Fact, WebhookTried
from mmsproxy.post import hooks
from mmsproxy.post.moves import NotFound
from mmsproxy.post.records import Draft, Event, Pdu
from mmsproxy.post.store import Store, open_store
from mmsproxy.web.outside import Outside
from mmsproxy.web.webhook_form import new_secret
from mmsproxy.web.webhooks import PER_ENDPOINT, Webhooks

GUARD = 30.0  # seconds; a hang guard
OLD, NEW = new_secret(b"o" * 32), new_secret(b"n" * 32)
PDU = Pdu(b"\x8c\x80\x98T1\x00\x8d\x92")


@dataclass
class Clock:
    """Begins now, since verifiers look at the real clock; moved by hand."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Endpoint:
    """A script's server: answers with `status` of the path, or what was set; keeps all it was told."""

    port: int = 0
    status: int = 204
    fields: dict[str, str] = field(default_factory=dict)
    hang: asyncio.Event | None = None
    told: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    now: int = 0
    most: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.told.append((request.path_qs, dict(request.headers), await request.read()))
        self.bell.set()
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.hang is not None:
                await self.hang.wait()
        finally:
            self.now -= 1
        return web.Response(status=self.status, headers=self.fields)

    async def heard(self, count: int) -> list[dict[str, Any]]:
        """The bodies, once that many requests came."""
        async with asyncio.timeout(GUARD):
            while len(self.told) < count:
                self.bell.clear()
                await self.bell.wait()
        return [json.loads(body) for _, _, body in self.told]

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
async def endpoints() -> AsyncIterator[Callable[[], Awaitable[Endpoint]]]:
    runners: list[web.AppRunner] = []
    made: list[Endpoint] = []

    async def make() -> Endpoint:
        one = Endpoint()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", one.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        one.port = runner.addresses[0][1]
        runners.append(runner)
        made.append(one)
        return one

    yield make
    for one in made:
        if one.hang is not None:
            one.hang.set()
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def endpoint(endpoints: Callable[[], Awaitable[Endpoint]]) -> Endpoint:
    return await endpoints()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    ids = itertools.count()
    opened = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=clock,
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    yield opened
    await opened.close()


@pytest.fixture
async def worker(store: Store) -> AsyncIterator[Callable[..., Awaitable[Webhooks]]]:
    made: list[Webhooks] = []

    async def start(**options: Any) -> Webhooks:
        usual = {"jitter": lambda: 0.0, "poll": 0.02, "timeout": GUARD}
        outside = options.pop("outside", Outside(True))
        made.append(Webhooks(store, outside, **{**usual, **options}))
        await made[-1].start()
        return made[-1]

    yield start
    for one in made:
        await one.stop(0.1)


async def add(store: Store, url: str, name: str = "whk_1", types: tuple[str, ...] = (), secret: str = OLD) -> None:
    await store.write(lambda tx: hooks.add(tx, name, url, secret, types))


async def accept(store: Store, count: int = 1, **fields: Any) -> list[str]:
    drafts = [Draft(**{"recipients": ("+12025550123",), "pdu": PDU, **fields}) for _ in range(count)]
    return [message.job.id for message in (await store.accept(drafts)).messages]


async def settled(store: Store, count: int, state: str, webhook_id: str = "whk_1") -> list[hooks.Delivery]:
    """The deliveries, newest first, once `count` of them are in `state` and were tried."""
    async with asyncio.timeout(GUARD):
        while True:
            found = await store.read(lambda run: hooks.delivery_list(run, webhook_id, limit=200))
            if sum(one.state == state and (one.attempts > 0 or state == "failed") for one in found) >= count:
                return list(found)
            await asyncio.sleep(0.01)


async def test_what_happened_before_and_after_the_start_is_told(store: Store, endpoint: Endpoint, worker: Any) -> None:
    await add(store, endpoint.url("/hook?x=1"))
    (first,) = await accept(store)
    await worker()
    (second,) = await accept(store)
    bodies = await endpoint.heard(2)
    assert {body["data"]["id"] for body in bodies} == {first, second}
    assert {body["type"] for body in bodies} == {"message.queued"}
    path, fields, body = endpoint.told[0]
    assert path == "/hook?x=1"
    assert Verifier(OLD).verify(body, dict(fields)) == bodies[0]
    assert (fields["Content-Type"], fields["webhook-id"][:4]) == ("application/json", "evt_")
    for delivery in await settled(store, 2, "delivered"):
        assert (delivery.attempts, delivery.http_status, delivery.due_at) == (1, 204, None)


async def test_described(store: Store, endpoint: Endpoint, worker: Any) -> None:
    async def describe(event: Event) -> Mapping[str, Any]:
        if event.message_id != gone:
            return {"id": event.message_id, "text": "hello"}
        raise NotFound("it was forgotten")

    gone, there = await accept(store, 2)
    await add(store, endpoint.url())
    await worker(describe=describe)
    for message_id in (gone, there):
        await store.cancel(message_id)
    bodies = {body["data"]["id"]: body["data"] for body in await endpoint.heard(2)}
    assert bodies[there] == {"id": there, "text": "hello"}
    assert bodies[gone]["status"] == "canceled"


@pytest.mark.parametrize("who", ["describe", "encode"])
async def test_a_store_that_cannot_be_read_is_waited_for_and_counts_no_try(store: Store, endpoint: Endpoint, worker: Any, who: str) -> None:
    asked = 0

    def away_at_first() -> None:
        nonlocal asked
        asked += 1
        if asked <= 2:
            raise StoreUnavailable("the database is away")

    async def describe(event: Event) -> Mapping[str, Any]:
        away_at_first()
        return {"id": event.message_id, "text": "hello"}

    async def encode(delivery: hooks.Delivery) -> tuple[bytes, Mapping[str, str]]:
        away_at_first()
        return b'{"data": {"text": "hello"}}', {}

    await worker(**({"describe": describe} if who == "describe" else {"encode": encode}))
    if who == "describe":
        await add(store, endpoint.url())
    await accept(store, callback_url=endpoint.url() if who == "encode" else None)
    (body,) = await endpoint.heard(1)
    assert body["data"]["text"] == "hello"
    (found,) = await settled(store, 1, "delivered", "whk_1" if who == "describe" else "callbacks")
    assert (found.attempts, asked) == (1, 3)


async def test_both_secrets_sign_while_rotating(store: Store, endpoint: Endpoint, worker: Any) -> None:
    await add(store, endpoint.url())
    await store.write(lambda tx: hooks.set_secrets(tx, "whk_1", [NEW, OLD]))
    await worker()
    await accept(store)
    await endpoint.heard(1)
    _, fields, body = endpoint.told[0]
    assert Verifier(OLD).verify(body, dict(fields)) == Verifier(NEW).verify(body, dict(fields))


async def test_tried_again_by_the_schedule(store: Store, endpoint: Endpoint, worker: Any, clock: Clock) -> None:
    endpoint.status = 500
    await add(store, endpoint.url())
    await worker()
    await accept(store)
    (first,) = await settled(store, 1, "waiting")
    assert (first.attempts, first.http_status, first.detail) == (1, 500, "answered 500")
    assert (first.due_at or 0.0) - first.changed_at == pytest.approx(5.0, abs=0.001)
    assert len(endpoint.told) == 1
    endpoint.status = 200
    clock.ahead += 5.0
    await settled(store, 1, "delivered")
    assert len(endpoint.told) == 2
    ids = {fields["webhook-id"] for _, fields, _ in endpoint.told}
    assert len(ids) == 1
    _, fields, body = endpoint.told[1]
    assert Verifier(OLD).verify(body, dict(fields)) == json.loads(endpoint.told[0][2])


async def test_given_up_after_ten_tries(store: Store, endpoint: Endpoint, worker: Any, clock: Clock) -> None:
    endpoint.status = 500
    await add(store, endpoint.url())
    await worker()
    await accept(store)
    for tries in range(1, 10):
        await endpoint.heard(tries)
        async with asyncio.timeout(GUARD):
            while (found := await settled(store, 1, "waiting"))[0].attempts < tries:
                await asyncio.sleep(0.01)
        clock.ahead += (found[0].due_at or 0.0) - clock() + 0.001
    (last,) = await settled(store, 1, "failed")
    assert (last.attempts, last.due_at, len(endpoint.told)) == (10, None, 10)


async def test_retry_after(store: Store, endpoint: Endpoint, worker: Any) -> None:
    endpoint.status, endpoint.fields = 429, {"Retry-After": "1000"}
    await add(store, endpoint.url())
    await worker()
    await accept(store)
    (found,) = await settled(store, 1, "waiting")
    assert (found.due_at or 0.0) - found.changed_at == pytest.approx(1000.0, abs=0.001)


async def test_gone_disables(store: Store, endpoint: Endpoint, worker: Any) -> None:
    endpoint.status = 410
    await add(store, endpoint.url())
    await accept(store, 3)
    await worker()
    await settled(store, 3, "failed")
    found = await store.read(lambda run: hooks.webhook(run, "whk_1"))
    assert (found.enabled, found.disabled_reason) == (False, "the endpoint answered 410 Gone")
    before = len(endpoint.told)
    await accept(store)
    await asyncio.sleep(0.1)
    assert len(endpoint.told) == before


async def test_redirects_are_not_followed(store: Store, endpoint: Endpoint, worker: Any) -> None:
    endpoint.status, endpoint.fields = 307, {"Location": endpoint.url("/other")}
    await add(store, endpoint.url())
    await worker()
    await accept(store)
    (found,) = await settled(store, 1, "waiting")
    assert "redirects are not followed" in found.detail
    assert [path for path, _, _ in endpoint.told] == ["/hook"]


async def test_private_addresses_only_when_allowed(store: Store, endpoint: Endpoint, worker: Any) -> None:
    await add(store, endpoint.url())
    await worker(outside=Outside(False))
    await accept(store)
    (found,) = await settled(store, 1, "waiting")
    assert (found.http_status, endpoint.told) == (None, [])
    assert "loopback" in found.detail


async def test_an_endpoint_that_does_not_answer(store: Store, endpoint: Endpoint, worker: Any) -> None:
    endpoint.hang = asyncio.Event()
    await add(store, endpoint.url())
    await worker(timeout=0.1)
    await accept(store)
    (found,) = await settled(store, 1, "waiting")
    assert "within 0.1 s" in found.detail


async def test_slow_endpoints_do_not_hold_up_others(store: Store, endpoints: Any, worker: Any) -> None:
    slow, callback, good = await endpoints(), await endpoints(), await endpoints()
    slow.hang, callback.hang = asyncio.Event(), asyncio.Event()
    await add(store, slow.url(), "whk_slow")
    await accept(store, 30, callback_url=callback.url("/each?n=1"))
    await add(store, good.url(), "whk_good")
    await worker()
    await accept(store, 30)
    await good.heard(30)
    assert 1 <= slow.most < 2 * PER_ENDPOINT
    assert 1 <= callback.most < 2 * PER_ENDPOINT
    slow.hang.set()
    callback.hang.set()
    await slow.heard(60)
    await callback.heard(30)


async def test_callback_of_one_message(store: Store, endpoint: Endpoint, worker: Any) -> None:
    await worker()
    (with_url, _) = *(await accept(store, callback_url=endpoint.url("/mine"))), *(await accept(store))
    (body,) = await endpoint.heard(1)
    assert body["data"]["id"] == with_url
    secret = (await store.read(lambda run: hooks.webhook(run, "callbacks"))).secrets[0]
    path, fields, raw = endpoint.told[0]
    assert path == "/mine"
    assert Verifier(secret).verify(raw, dict(fields)) == body


async def test_gone_ends_a_callback_only(store: Store, endpoint: Endpoint, worker: Any) -> None:
    endpoint.status = 410
    await worker()
    (first,) = await accept(store, callback_url=endpoint.url())
    await settled(store, 1, "failed", "callbacks")
    await store.cancel(first)
    await endpoint.heard(2)


async def test_another_form_for_some_callbacks(store: Store, endpoint: Endpoint, worker: Any) -> None:
    async def encode(delivery: hooks.Delivery) -> tuple[bytes, Mapping[str, str]] | None:
        if "twilio" not in delivery.url:
            return None
        return b"MessageStatus=" + delivery.event.type.encode(), {"Content-Type": "application/x-www-form-urlencoded"}

    await add(store, endpoint.url("/twilio-hook"))
    await worker(encode=encode)
    await accept(store, callback_url=endpoint.url("/twilio"))
    await accept(store, callback_url=endpoint.url("/plain"))
    async with asyncio.timeout(GUARD):
        while len(endpoint.told) < 4:
            await asyncio.sleep(0.01)
    kinds = {(path, fields["Content-Type"]) for path, fields, _ in endpoint.told}
    form = "application/x-www-form-urlencoded"
    assert kinds == {("/twilio-hook", "application/json"), ("/twilio", form), ("/plain", "application/json")}
    assert (b"MessageStatus=message.queued") in [body for _, _, body in endpoint.told]


async def test_a_fault_of_ours_is_a_failed_try(store: Store, endpoint: Endpoint, worker: Any, caplog: Any) -> None:
    async def describe(event: Event) -> Mapping[str, Any]:
        raise RuntimeError("a bug")

    await add(store, endpoint.url())
    await worker(describe=describe)
    await accept(store)
    (found,) = await settled(store, 1, "waiting")
    assert (found.detail, endpoint.told) == ("a fault of the gateway: RuntimeError", [])
    record = next(record for record in caplog.records if record.exc_info)
    assert (record.event_id, record.webhook) == (found.event.id, "whk_1")


async def test_facts(store: Store, endpoint: Endpoint, worker: Any) -> None:
    bus, heard = Bus(), list[Fact]()
    bus.subscribe(heard.append)
    await add(store, endpoint.url())
    await worker(bus=bus)
    for status, state in ((500, "waiting"), (410, "failed")):
        endpoint.status = status
        await accept(store)
        await settled(store, 1, state)
    facts = [(fact.webhook_id, fact.outcome, fact.http_status) for fact in heard if isinstance(fact, WebhookTried)]
    assert facts == [("whk_1", "retrying", 500), ("whk_1", "failed", 410)]


async def test_what_is_under_way_at_the_stop_is_told_by_the_next_start(store: Store, endpoint: Endpoint, worker: Any) -> None:
    endpoint.hang = asyncio.Event()
    await add(store, endpoint.url())
    first = await worker()
    await accept(store)
    await endpoint.heard(1)
    await first.stop(0.01)
    await first.stop()
    endpoint.hang.set()
    await worker()
    (found,) = await settled(store, 1, "delivered")
    assert (found.attempts, len(endpoint.told)) == (1, 2)


async def test_a_stop_waits_for_an_answer(store: Store, endpoint: Endpoint, worker: Any) -> None:
    endpoint.hang = asyncio.Event()
    await add(store, endpoint.url())
    first = await worker()
    await accept(store)
    await endpoint.heard(1)
    asyncio.get_running_loop().call_later(0.05, endpoint.hang.set)
    await first.stop(GUARD)
    (found,) = await store.read(lambda run: hooks.delivery_list(run, "whk_1", limit=9))
    assert found.state == "delivered"


async def test_a_database_that_is_away_for_a_moment(store: Store, endpoint: Endpoint, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third write fails: nothing is told twice for that."""
    whole, counter = store.database.write, itertools.count()

    async def flaky(op: Any) -> Any:
        if next(counter) % 3 == 2:
            raise StoreUnavailable("away")
        return await whole(op)

    await add(store, endpoint.url())
    await worker()
    await accept(store, 4)
    monkeypatch.setattr(store.database, "write", flaky)
    await settled(store, 4, "delivered")
    assert len(endpoint.told) == 4

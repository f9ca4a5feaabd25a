"""Webhooks by the API, over real HTTP: what is made, shown, changed and refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.config import Settings
from mmsproxy.errors import MmsproxyError
from mmsproxy.post import hooks
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.store import Store, open_store
from mmsproxy.web.api_webhooks import EVENT_TYPES, MAX_WEBHOOKS, DeliveriesOut, NewWebhookOut, SecretOut, WebhookOut, WebhooksOut, routes
from mmsproxy.web.desk import Clerk, Desk
from mmsproxy.web.problems import Refusal, refusal_of_error, response

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
URL = "https://script.example/hook"
Ask = Callable[..., Awaitable[tuple[int, Any]]]


@web.middleware
async def answered(request: web.Request, handler: Any) -> web.StreamResponse:
    """As the web door does it."""
    try:
        return cast(web.StreamResponse, await handler(request))
    except Refusal as refusal:
        return response(refusal, "req_1")
    except MmsproxyError as error:
        refusal = refusal_of_error(error)
        assert refusal is not None
        return response(refusal, "req_1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    ids = itertools.count()
    opened = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=NOW.timestamp,
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    yield opened
    await opened.close()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
async def ask(store: Store, settings: Settings) -> AsyncIterator[Ask]:
    random = itertools.count()
    desk = Desk(store, cast(Clerk, None), cast(Fleet, None), settings, lambda: NOW, lambda count: next(random).to_bytes(count))
    app = web.Application(middlewares=[answered])
    for route in routes(desk):
        assert (route.scope, route.group) == ("webhooks", "webhooks")
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:

        async def call(method: str, path: str = "", **options: Any) -> tuple[int, Any]:
            async with session.request(method, f"/v1/webhooks{path}", **options) as answer:
                return answer.status, await answer.json(content_type=None) if await answer.read() else None

        yield call
    await runner.cleanup()


async def make(ask: Ask, **fields: Any) -> dict[str, Any]:
    status, made = await ask("POST", json={"url": URL, **fields})
    assert status == 201, made
    NewWebhookOut.model_validate(made)
    return cast(dict[str, Any], made)


async def accept(store: Store, count: int = 1, **fields: Any) -> None:
    draft = Draft(**{"recipients": ("+12025550123",), "pdu": Pdu(b"\x8c\x80"), **fields})
    await store.accept([draft] * count)
    await store.write(hooks.fan_out)


async def test_made_and_shown(ask: Ask) -> None:
    made = await make(ask, types=["message.sent", "line.*"])
    secret = made.pop("secret")
    assert (len(secret), secret[:6]) == (50, "whsec_")
    assert made == {
        "id": made["id"],
        "url": URL,
        "types": ["message.sent", "line.*"],
        "enabled": True,
        "disabled_reason": None,
        "rotating": False,
        "created_at": "2026-11-24T12:00:00.000Z",
    }
    assert made["id"].startswith("whk_")
    assert await ask("GET", f"/{made['id']}") == (200, made)
    other = await make(ask, enabled=False)
    status, listed = await ask("GET")
    WebhooksOut.model_validate(listed)
    assert (status, [one["id"] for one in listed["data"]], listed["next_cursor"]) == (200, [made["id"], other["id"]], None)
    assert (other["enabled"], other["disabled_reason"]) == (False, "disabled by a person")
    assert "whsec" not in str(listed)
    assert other["secret"] != secret


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/url", "missing"),
        ({"url": 1}, "/url", "wrong_type"),
        ({"url": URL, "secret": "x"}, "/secret", "unknown_field"),
        ({"url": "ftp://a.example/"}, "/url", "bad_url"),
        ({"url": "http://a:b@c.example/"}, "/url", "bad_url"),
        ({"url": "http://a.example/\r\nX: 1"}, "/url", "bad_url"),
        ({"url": "http://127.0.0.1:8090/"}, "/url", "forbidden_address"),
        ({"url": "http://LOCALHOST./"}, "/url", "forbidden_address"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "/url", "forbidden_address"),
        ({"url": "http://169.254.169.254/latest"}, "/url", "forbidden_address"),
        ({"url": "http://127.1/"}, "/url", "forbidden_address"),
        ({"url": URL, "types": ["message.sent", "message"]}, "/types/1", "unknown_value"),
        ({"url": URL, "types": ["*"]}, "/types/0", "unknown_value"),
        ({"url": URL, "types": [7]}, "/types/0", "wrong_type"),
        ({"url": URL, "enabled": "yes"}, "/enabled", "wrong_type"),
    ],
)
async def test_refused(ask: Ask, body: Any, pointer: str, code: str) -> None:
    status, problem = await ask("POST", json=body)
    assert (status, problem["code"]) == (400, "invalid_request")
    assert [(item["pointer"], item["code"]) for item in problem["errors"]] == [(pointer, code)]
    assert await ask("GET") == (200, {"data": [], "next_cursor": None})


@pytest.mark.parametrize("settings", [Settings(webhooks={"private": True})])
async def test_private_addresses_when_allowed(ask: Ask) -> None:
    for url in ("http://127.0.0.1:9/", "http://localhost/", "http://192.168.1.2/", "http://[fd00::1]/"):
        assert (await make(ask, url=url))["url"] == url
    status, problem = await ask("POST", json={"url": "http://169.254.169.254/"})
    assert (status, problem["errors"][0]["code"]) == (400, "forbidden_address")


async def test_every_kind_of_event_can_be_asked_for(ask: Ask) -> None:
    made = await make(ask, types=[*EVENT_TYPES, "contact.*", "notification.*"])
    assert set(made["types"]) >= {"message.unknown", "message.received", "line.paused", "contact.opted_out"}


async def test_changed(ask: Ask) -> None:
    made = await make(ask)
    path = f"/{made['id']}"
    status, changed = await ask("PATCH", path, json={"url": "http://b.example/", "types": ["message.*"]})
    WebhookOut.model_validate(changed)
    assert (status, changed["url"], changed["types"], changed["enabled"]) == (200, "http://b.example/", ["message.*"], True)
    assert (await ask("PATCH", path, json={"enabled": False}))[1]["disabled_reason"] == "disabled by a person"
    assert (await ask("PATCH", path, json={"url": URL}))[1]["enabled"] is False
    status, changed = await ask("PATCH", path, json={"enabled": True})
    assert (changed["enabled"], changed["disabled_reason"], changed["url"]) == (True, None, URL)
    status, problem = await ask("PATCH", path, json={"url": "http://10.0.0.1/"})
    assert (status, problem["errors"][0]["code"]) == (400, "forbidden_address")


async def test_to_say_enabled_again_skips_no_event(ask: Ask, store: Store) -> None:
    made = await make(ask)
    await store.accept([Draft(("+12025550123",), pdu=Pdu(b"\x8c\x80"))])
    await ask("PATCH", f"/{made['id']}", json={"enabled": True})
    await store.write(hooks.fan_out)
    assert len((await ask("GET", f"/{made['id']}/deliveries"))[1]["data"]) == 1


async def test_removed(ask: Ask) -> None:
    path = f"/{(await make(ask))['id']}"
    assert await ask("DELETE", path) == (204, None)
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries"), ("POST", "/rotate")):
        status, problem = await ask(method, path + rest)
        assert (status, problem["code"]) == (404, "not_found")


async def test_rotated(ask: Ask, store: Store) -> None:
    made = await make(ask)
    path = f"/{made['id']}"

    async def kept() -> tuple[str, ...]:
        return (await store.read(lambda run: hooks.webhook(run, made["id"]))).secrets

    status, second = await ask("POST", f"{path}/rotate")
    SecretOut.model_validate(second)
    assert (status, second["rotating"], await kept()) == (200, True, (second["secret"], made["secret"]))
    _, third = await ask("POST", f"{path}/rotate", json={"keep_old": True})
    assert await kept() == (third["secret"], second["secret"])
    assert (await ask("GET", path))[1]["rotating"] is True
    assert await ask("DELETE", f"{path}/old-secret") == (204, None)
    assert await kept() == (third["secret"],)
    _, fourth = await ask("POST", f"{path}/rotate", json={"keep_old": False})
    assert (fourth["rotating"], await kept()) == (False, (fourth["secret"],))


async def test_a_test_event_goes_to_that_webhook_alone(ask: Ask, store: Store) -> None:
    made, other = await make(ask, types=["line.*"]), await make(ask)
    assert await ask("POST", f"/{made['id']}/test") == (202, {"status": "accepted"})
    await store.write(hooks.fan_out)
    assert [one["type"] for one in (await ask("GET", f"/{made['id']}/deliveries"))[1]["data"]] == ["system.test"]
    assert (await ask("GET", f"/{other['id']}/deliveries"))[1]["data"] == []


async def test_a_disabled_webhook_is_not_tested(ask: Ask) -> None:
    path = f"/{(await make(ask, enabled=False))['id']}"
    status, problem = await ask("POST", f"{path}/test")
    assert (status, problem["code"]) == (409, "webhook_disabled")
    assert "disabled by a person" in problem["detail"]


async def test_deliveries_in_pages_and_again(ask: Ask, store: Store) -> None:
    path = f"/{(await make(ask))['id']}"
    await accept(store, 5)
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        status, page = await ask("GET", f"{path}/deliveries?limit=2{cursor}")
        DeliveriesOut.model_validate(page)
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (status, len(seen), len({one["id"] for one in seen})) == (200, 5, 5)
    assert {(one["type"], one["status"], one["attempts"], one["http_status"], one["detail"]) for one in seen} == {
        ("message.queued", "waiting", 0, None, None)
    }
    assert seen[0]["next_attempt_at"] == "2026-11-24T12:00:00.000Z"
    (claimed, *_) = await store.write(lambda tx: hooks.claim(tx, limit=5, lease=9.0))
    await store.write(lambda tx: hooks.finish(tx, claimed, delivered=False, http_status=500, detail="answered 500", next_due=None))
    failed = [one for one in (await ask("GET", f"{path}/deliveries"))[1]["data"] if one["status"] == "failed"]
    assert [(one["http_status"], one["detail"], one["next_attempt_at"]) for one in failed] == [(500, "answered 500", None)]
    assert await ask("POST", f"{path}/deliveries/{failed[0]['id']}/redeliver") == (202, {"status": "accepted"})
    assert {one["status"] for one in (await ask("GET", f"{path}/deliveries"))[1]["data"]} == {"waiting"}


@pytest.mark.parametrize("delivery", ["dlv_99", "dlv_", "dlv_-1", "99", "dlv_" + "9" * 30])
async def test_no_such_delivery(ask: Ask, delivery: str) -> None:
    path = f"/{(await make(ask))['id']}"
    status, problem = await ask("POST", f"{path}/deliveries/{delivery}/redeliver")
    assert (status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=d", "cursor=d" + "f" * 99])
async def test_wrong_pages(ask: Ask, query: str) -> None:
    path = f"/{(await make(ask))['id']}"
    status, problem = await ask("GET", f"{path}/deliveries?{query}")
    assert (status, problem["code"]) == (400, "invalid_request")


async def test_callbacks_are_looked_into_but_not_changed(ask: Ask, store: Store) -> None:
    await accept(store, callback_url="http://a.example/cb")
    status, page = await ask("GET", "/callbacks/deliveries")
    assert (status, [one["url"] for one in page["data"]]) == (200, ["http://a.example/cb"])
    assert (await ask("POST", f"/callbacks/deliveries/{page['data'][0]['id']}/redeliver"))[0] == 202
    status, made = await ask("POST", "/callbacks/rotate")
    assert (status, made["secret"][:6], made["rotating"]) == (200, "whsec_", False)
    assert (await ask("POST", "/callbacks/rotate"))[1]["rotating"] is True
    for method, rest in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert (await ask(method, f"/callbacks{rest}", json={}))[0] == 404


async def test_not_too_many(ask: Ask, store: Store) -> None:
    for n in range(MAX_WEBHOOKS):
        await store.write(lambda tx, n=n: hooks.add(tx, f"whk_{n}", URL, "whsec_a", ()))
    status, problem = await ask("POST", json={"url": URL})
    assert (status, problem["code"]) == (409, "not_allowed")


async def test_each_address_and_event_is_documented(store: Store, root: Path) -> None:
    page = (root / "docs" / "webhooks.md").read_text()
    desk = Desk(store, cast(Clerk, None), cast(Fleet, None), Settings(), lambda: NOW, bytes)
    here = {f"`{route.method} {route.path}`" for route in routes(desk)}
    rows = re.findall(r"^\| (`[A-Z]+ /v1[^|]*`) \|", page, re.MULTILINE)
    assert set(rows) == here
    assert len(rows) == len(here) == 10
    for kind in (*EVENT_TYPES, hooks.TEST):
        assert f"`{kind}`" in page, kind

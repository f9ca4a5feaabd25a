"""Webhooks by the API: made, changed, tested, and what was delivered to them (docs/webhooks.md).

Rule 1: a secret is shown once, in the answer that made it. Rule 2: handlers are thin: the model checks, the store does. Deliveries of
single messages' callback_url stand under the id `callbacks`, which is no webhook and cannot be changed. It makes no request outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from mmsproxy.message.model import Mistake
from mmsproxy.post import hooks
from mmsproxy.post.database import Tx
from mmsproxy.post.hooks import Delivery, Webhook
from mmsproxy.post.job import NotAllowed, State
from mmsproxy.post.reading import BadCursor, position_of
from mmsproxy.post.schema import CALLBACKS
from mmsproxy.web import asking
from mmsproxy.web.answers import as_json
from mmsproxy.web.asking import Asked
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import iso
from mmsproxy.web.outside import BadUrl, checked_url, forbidden_host
from mmsproxy.web.problems import Refusal, refusal_of
from mmsproxy.web.routes import JSON, Answer, Handler, Param, Route
from mmsproxy.web.shapes import Time, Told
from mmsproxy.web.webhook_form import SECRET_OCTETS, new_secret

MAX_WEBHOOKS = 100
MAX_TYPES = 50
EVENT_TYPES = (
    *(f"message.{state}" for state in State),
    "notification.held",
    "line.online",
    "line.offline",
    "line.paused",
    "line.resumed",
    "contact.opted_out",
    "contact.opted_in",
)  # delivery.md 6; system.test goes to the tested webhook alone, whatever it listens to
PATTERNS = tuple(sorted({kind.partition(".")[0] + ".*" for kind in EVENT_TYPES}))
BY_HAND = "disabled by a person"


class WebhookIn(Asked):
    """`types`: names of events, or `message.*`; none: all."""

    url: str
    types: list[str] = Field(default_factory=list, max_length=MAX_TYPES)
    enabled: bool = True


class WebhookChangeIn(Asked):
    """What is left out stays as it is."""

    url: str | None = None
    types: list[str] | None = Field(default=None, max_length=MAX_TYPES)
    enabled: bool | None = None


class RotateIn(Asked):
    keep_old: bool = Field(default=True, description="false: the old secret signs no more, at once")


class WebhookOut(Told):
    id: str
    url: str
    types: list[str]
    enabled: bool
    disabled_reason: str | None
    rotating: bool = Field(description="requests carry two signatures: of the new and of the old secret")
    created_at: Time


class NewWebhookOut(WebhookOut):
    secret: str = Field(description="shown this once")


class SecretOut(Told):
    id: str
    secret: str = Field(description="shown this once")
    rotating: bool


class WebhooksOut(Told):
    data: list[WebhookOut]
    next_cursor: None


class DeliveryOut(Told):
    id: str
    event_id: str
    type: str
    message_id: str | None
    url: str
    status: Literal["waiting", "delivered", "failed"]
    attempts: int
    next_attempt_at: Time | None
    http_status: int | None
    detail: str | None
    event_at: Time
    changed_at: Time


class DeliveriesOut(Told):
    data: list[DeliveryOut]
    next_cursor: str | None


class AcceptedOut(Told):
    status: Literal["accepted"]


_ID = Param("id", "of the webhook", "path")
_ID_OR_CALLBACKS = Param("id", "of the webhook; `callbacks` for the callback_url of messages", "path")
_DONE = Answer(204, "done", content_type=None)


def routes(desk: Desk) -> Iterable[Route]:
    """All under /v1/webhooks."""
    at = _Webhooks(desk)
    yield _route("GET", "", at.all, "All webhooks", Answer(200, "oldest first", WebhooksOut))
    made = Answer(201, "made; keep the secret", NewWebhookOut, headers={"Location": "the address of the webhook"})
    yield _route("POST", "", at.add, "Make a webhook", made, request=WebhookIn, problems=("not_allowed",))
    one: dict[str, Any] = {"params": (_ID,), "problems": ("not_found",)}
    shown = Answer(200, "the webhook", WebhookOut)
    yield _route("GET", "/{id}", at.show, "One webhook", shown, **one)
    yield _route("PATCH", "/{id}", at.change, "Change a webhook", shown, request=WebhookChangeIn, **one)
    yield _route("DELETE", "/{id}", at.remove, "Remove a webhook and its deliveries", _DONE, **one)
    any_one = {**one, "params": (_ID_OR_CALLBACKS,)}
    fresh = Answer(200, "a new secret", SecretOut)
    yield _route("POST", "/{id}/rotate", at.rotate, "Change the secret", fresh, request=RotateIn, optional=True, **any_one)
    yield _route("DELETE", "/{id}/old-secret", at.drop_old, "Sign with the new secret only", _DONE, **any_one)
    yield from _delivery_routes(at)


def _delivery_routes(at: _Webhooks) -> Iterable[Route]:
    accepted = Answer(202, "it will be delivered", AcceptedOut)
    changing = ("not_found", "webhook_disabled")
    yield _route("POST", "/{id}/test", at.test, "Deliver a system.test event", accepted, params=(_ID,), problems=changing)
    limit = Param("limit", "at most", schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50})
    many = (_ID_OR_CALLBACKS, limit, Param("cursor", "next_cursor of the page before"))
    page = Answer(200, "newest first", DeliveriesOut)
    yield _route("GET", "/{id}/deliveries", at.deliveries, "What was delivered", page, params=many, problems=("not_found",))
    one = (_ID_OR_CALLBACKS, Param("delivery", "its id", "path"))
    path = "/{id}/deliveries/{delivery}/redeliver"
    yield _route("POST", path, at.redeliver, "Deliver it again, now", accepted, params=one, problems=changing)


def _route(method: str, path: str, handler: Handler, summary: str, answer: Answer, **more: Any) -> Route:
    takes = (JSON,) if "request" in more else ()
    whole = "/v1/webhooks" + path
    return Route(method, whole, handler, "webhooks", summary, group="webhooks", takes=takes, answers=(answer,), **more)


class _Webhooks:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store

    async def all(self, request: web.Request) -> web.Response:
        found = await self._store.read(hooks.webhook_list)
        return as_json({"data": [_webhook(one) for one in found], "next_cursor": None})

    async def add(self, request: web.Request) -> web.Response:
        wanted = await asking.asked(request, self._desk.limits, WebhookIn)
        self._check(wanted.url, wanted.types)
        webhook_id, secret = self._desk.new_id("whk"), self._new_secret()

        async def make(tx: Tx) -> Webhook:
            if len(await hooks.webhook_list(tx.run)) >= MAX_WEBHOOKS:
                raise NotAllowed(f"there are {MAX_WEBHOOKS} webhooks already; remove one first")
            made = await hooks.add(tx, webhook_id, wanted.url, secret, wanted.types)
            if wanted.enabled:
                return made
            await hooks.disable(tx, webhook_id, BY_HAND)
            return await hooks.webhook(tx.run, webhook_id)

        made = await self._store.write(make)
        return as_json({**_webhook(made), "secret": secret}, 201, {"Location": f"/v1/webhooks/{webhook_id}"})

    async def show(self, request: web.Request) -> web.Response:
        return as_json(_webhook(await self._found(_own_id(request))))

    async def change(self, request: web.Request) -> web.Response:
        webhook_id = _own_id(request)
        wanted = await asking.asked(request, self._desk.limits, WebhookChangeIn)
        self._check(wanted.url, wanted.types)

        async def change(tx: Tx) -> Webhook:
            before = await hooks.webhook(tx.run, webhook_id)
            values: dict[str, Any] = {name: value for name in ("url", "types") if (value := getattr(wanted, name)) is not None}
            if wanted.enabled and not before.enabled:
                values["enabled"] = True
            if values:
                await hooks.change(tx, webhook_id, values)
            if wanted.enabled is False and before.enabled:
                await hooks.disable(tx, webhook_id, BY_HAND)
            return await hooks.webhook(tx.run, webhook_id)

        return as_json(_webhook(await self._store.write(change)))

    async def remove(self, request: web.Request) -> web.Response:
        webhook_id = _own_id(request)
        await self._store.write(lambda tx: hooks.remove(tx, webhook_id))
        return web.Response(status=204)

    async def rotate(self, request: web.Request) -> web.Response:
        wanted = await asking.asked(request, self._desk.limits, RotateIn)
        webhook_id, secret = _id(request), self._new_secret()

        async def rotate(tx: Tx) -> None:
            old = (await hooks.webhook(tx.run, webhook_id)).secrets[:1]
            await hooks.set_secrets(tx, webhook_id, (secret, *(old if wanted.keep_old else ())))

        await self._store.write(rotate)
        found = await self._found(webhook_id)
        return as_json({"id": webhook_id, "secret": secret, "rotating": len(found.secrets) > 1})

    async def drop_old(self, request: web.Request) -> web.Response:
        webhook_id = _id(request)

        async def drop(tx: Tx) -> None:
            await hooks.set_secrets(tx, webhook_id, (await hooks.webhook(tx.run, webhook_id)).secrets[:1])

        await self._store.write(drop)
        return web.Response(status=204)

    async def test(self, request: web.Request) -> web.Response:
        webhook_id = _own_id(request)

        async def test(tx: Tx) -> None:
            _check_enabled(await hooks.webhook(tx.run, webhook_id))
            await hooks.test(tx, webhook_id)

        await self._store.write(test)
        return as_json({"status": "accepted"}, 202)

    async def deliveries(self, request: web.Request) -> web.Response:
        limit = asking.number(request, "limit", 1, 200, 50)
        before = _position(asking.text(request, "cursor"))
        webhook_id = (await self._found(_id(request))).id
        found = await self._store.read(lambda run: hooks.delivery_list(run, webhook_id, limit=limit + 1, before=before))
        shown = found[:limit]
        cursor = f"d{shown[-1].seq:x}" if len(found) > limit else None
        return as_json({"data": [_delivery(one) for one in shown], "next_cursor": cursor})

    async def redeliver(self, request: web.Request) -> web.Response:
        webhook_id, seq = _id(request), _delivery_seq(request)

        async def again(tx: Tx) -> None:
            _check_enabled(await hooks.webhook(tx.run, webhook_id))
            await hooks.redeliver(tx, webhook_id, seq)

        await self._store.write(again)
        return as_json({"status": "accepted"}, 202)

    async def _found(self, webhook_id: str) -> Webhook:
        return await self._store.read(lambda run: hooks.webhook(run, webhook_id))

    def _new_secret(self) -> str:
        return new_secret(self._desk.random(SECRET_OCTETS))

    def _check(self, url: str | None, types: Iterable[str] | None) -> None:
        """Raises Refusal with every mistake."""
        mistakes = [*self._url_mistakes(url), *_type_mistakes(types or ())]
        if mistakes:
            raise refusal_of(tuple(mistakes))

    def _url_mistakes(self, text: str | None) -> Iterable[Mistake]:
        if text is None:
            return
        try:
            url = checked_url(text)
        except BadUrl as error:
            yield Mistake("/url", error.code, str(error))
            return
        if reason := forbidden_host(url, allow_private=self._desk.settings.webhooks.private):
            allowed = (
                "allow it by webhooks.private in config.yaml" if forbidden_host(url, allow_private=True) is None else "name another host"
            )
            yield Mistake("/url", "forbidden_address", f"{url.raw_host} is {reason}; {allowed}")


def _type_mistakes(types: Iterable[str]) -> Iterable[Mistake]:
    for n, kind in enumerate(types):
        if kind not in EVENT_TYPES and kind not in PATTERNS:
            known = f"one of {', '.join(PATTERNS)}, or one event such as message.sent"
            yield Mistake(f"/types/{n}", "unknown_value", f"{kind[:40]!a} is no kind of event; {known}")


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _own_id(request: web.Request) -> str:
    """`callbacks` is no webhook of anybody's."""
    if _id(request) == CALLBACKS:
        raise Refusal("not_found", "callbacks are no webhook: a message's callback_url is set with the message")
    return _id(request)


def _check_enabled(webhook: Webhook) -> None:
    if not webhook.enabled:
        raise Refusal("webhook_disabled", f"the webhook is disabled ({webhook.disabled_reason or BY_HAND}); enable it first")


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        return position_of(cursor, "d")
    except BadCursor:
        raise asking.wrong_parameter("cursor", "it is none that this gateway gave") from None


def _delivery_seq(request: web.Request) -> int:
    match = re.fullmatch(r"dlv_([0-9]{1,18})", request.match_info["delivery"])
    if match is None:
        raise Refusal("not_found", "there is no such delivery")
    return int(match[1])


def _webhook(webhook: Webhook) -> Mapping[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "rotating": len(webhook.secrets) > 1,
        "created_at": iso(webhook.created_at),
    }


def _delivery(delivery: Delivery) -> Mapping[str, Any]:
    return {
        "id": f"dlv_{delivery.seq}",
        "event_id": delivery.event.id,
        "type": delivery.event.type,
        "message_id": delivery.event.message_id,
        "url": delivery.url,
        "status": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": None if delivery.due_at is None else iso(delivery.due_at),
        "http_status": delivery.http_status,
        "detail": delivery.detail or None,
        "event_at": iso(delivery.event.at),
        "changed_at": iso(delivery.changed_at),
    }

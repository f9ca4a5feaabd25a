"""/v1/messages: what a script sends, and what is told of it afterwards (delivery.md 6). Its addresses stand in message_rows.

Rule 1: handlers are thin: the model checks, the clerk accepts, the store knows. Rule 2: an Idempotency-Key belongs to its token, and its
first answer is kept word for word. Rule 3: a file or PDU leaves only as an attachment.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from aiohttp import web

from mmsproxy.errors import PduError, StoreError
from mmsproxy.message.model import MediaItem, SendRequest, parse_send_request
from mmsproxy.post.job import AT_REST, Job, Kind, State
from mmsproxy.post.records import Accepted, IdempotencyKey, Message
from mmsproxy.web import previewing
from mmsproxy.web.answers import Json, as_json, attachment, json_octets
from mmsproxy.web.asking import asked, caller, checked, number, octets, one_of, unless_closing
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_filters import filter_of
from mmsproxy.web.message_resource import Context, attempt, event, resource
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import MULTIPART
from mmsproxy.web.shapes import ResolveIn, RetryIn
from mmsproxy.web.showing import shown
from mmsproxy.web.uploads import read_form
from mmsproxy.wire import mms_pdu

MAX_KEY = 255  # characters (delivery.md 6)
RUNNING_RETRY_AFTER = 1  # seconds
PDU_TYPE = "application/vnd.wap.mms-message"
TEXT_TYPE = "text/plain"  # of what is kept of an SMS: its parts in hexadecimal, a line each
_KEY = re.compile(rf"[ -~]{{1,{MAX_KEY}}}")


class Messages:
    """The handlers of message_rows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._running: set[tuple[str, str]] = set()  # keys whose first request is not answered yet

    # Sending.

    async def send(self, request: web.Request) -> web.Response:
        wait = number(request, "wait", 1, 60, 0)
        wanted, digest = await self._wanted(request)
        key = _key(request, digest)
        with self._marked(key):
            accepted = await self._desk.clerk.submit(wanted, token=caller(request).id, key=key)
            if accepted.replayed:
                return await self._replayed(accepted)
            status, body = await self._told(request, accepted.messages, wait)
            if key is not None:
                with suppress(StoreError):  # it is accepted: a replay then tells it anew
                    await self._desk.store.store_answer(key, status, body)
        return _made(accepted.messages, status, body)

    async def preview(self, request: web.Request) -> web.Response:
        wanted, _ = await self._wanted(request)
        return as_json(await previewing.preview(await self._desk.clerk.preview(wanted)))

    async def _wanted(self, request: web.Request) -> tuple[SendRequest, str]:
        """The request, and the SHA-256 of what it holds."""
        body = await octets(request, self._desk.limits)
        if request.content_type != MULTIPART:
            return parse_send_request(body), hashlib.sha256(body).hexdigest()
        form = await read_form(request.headers, body)
        files = [checked(MediaItem, file.claims) for file in form.files]
        return parse_send_request(form.message, files), form.digest

    @contextmanager
    def _marked(self, key: IdempotencyKey | None) -> Iterator[None]:
        """Until the first answer is kept, whoever repeats the key is told to wait for it."""
        if key is None:
            yield
            return
        mark = (key.token, key.key)
        if mark in self._running:
            detail = "the first request with this Idempotency-Key is still being worked on"
            raise Refusal("idempotency_running", detail, headers={"Retry-After": str(RUNNING_RETRY_AFTER)})
        self._running.add(mark)
        try:
            yield
        finally:
            self._running.discard(mark)

    async def _replayed(self, accepted: Accepted) -> web.Response:
        body = accepted.answer if accepted.answer is not None else await self._body(accepted.messages)
        return _made(accepted.messages, accepted.status or 202, body, {"Idempotency-Replayed": "true"})

    async def _told(self, request: web.Request, messages: tuple[Message, ...], wait: int) -> tuple[int, bytes]:
        """Status and body. What is accepted is told as accepted, even when the store cannot be looked into any more."""
        found = messages
        if wait:
            with suppress(StoreError):
                found = await self._waited(request, messages, wait)
        status = 200 if wait and all(message.job.state in AT_REST for message in found) else 202
        return status, await self._body(found)

    async def _body(self, messages: tuple[Message, ...]) -> bytes:
        try:
            return json_octets(_document(messages, [await shown(self._desk, one, whole=len(messages) == 1) for one in messages]))
        except StoreError:
            return json_octets(_document(messages, [resource(one, Context()) for one in messages]))

    async def _waited(self, request: web.Request, messages: tuple[Message, ...], wait: float) -> tuple[Message, ...]:
        """As they are when all are sent or final, or after `wait` seconds, or when the door closes. Raises StoreError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        found = list(messages)
        for n, message in enumerate(messages):
            left = max(0.0, end - loop.time())
            waiting = self._desk.store.wait_for(message.job.id, lambda known: known.job.state in AT_REST, left)
            found[n] = await unless_closing(request, waiting) or await self._desk.store.message(message.job.id)
        return tuple(found)

    # Looking.

    async def page(self, request: web.Request) -> web.Response:
        limit = number(request, "limit", 1, 200, 50)
        found = await self._desk.store.page(filter_of(request), limit=limit, cursor=request.query.get("cursor"))
        data = [await shown(self._desk, message, whole=False) for message in found.messages]
        return as_json({"data": data, "next_cursor": found.next_cursor})

    async def one(self, request: web.Request) -> web.Response:
        return as_json(await shown(self._desk, await self._message(request)))

    async def events(self, request: web.Request) -> web.Response:
        message = await self._message(request)
        events = await self._desk.store.events_of(message.job.id)
        attempts = await self._desk.store.attempts(message.job)
        return as_json({"data": [event(item) for item in events], "attempts": [attempt(item) for item in attempts]})

    async def media(self, request: web.Request) -> web.Response:
        """A kept file; where a message came as a PDU, a part of that."""
        message, n = await self._message(request), request.match_info["n"]
        place = int(n) if re.fullmatch("[0-9]{1,4}", n) else -1
        name = f"{message.job.id}-{n[:4]}"
        for item in message.media:
            if item.n == place:
                return attachment(await self._desk.store.media(item), item.content_type, name)
        kept = None if message.media else await self._desk.store.pdu(message.job)
        parts = () if kept is None else getattr(_decoded(kept.data), "parts", ())
        if not 0 <= place < len(parts):
            raise Refusal("not_found", f"message {message.job.id} has no file {n[:20]!a}")
        return attachment(bytes(parts[place].data), parts[place].content_type.media, name)

    async def pdu(self, request: web.Request) -> web.Response:
        form, role = one_of(request, "as", ("raw", "json")), one_of(request, "role", ("request", "answer")) or "request"
        message = await self._message(request)
        is_sms = message.job.kind is Kind.SMS
        if is_sms and form == "json":
            raise Refusal("not_found", f"message {message.job.id} is an SMS: it has no MMS PDU to decode; leave `as` out")
        kept = await self._desk.store.pdu(message.job, role)
        if kept is None:
            raise Refusal("not_found", f"there is no {role} PDU of message {message.job.id}; one is made when its turn has come")
        if form == "json":
            return as_json(await previewing.decoded(kept.data))
        return attachment(kept.data, TEXT_TYPE if is_sms else PDU_TYPE, f"{message.job.id}-{role}")

    # Deciding.

    async def cancel(self, request: web.Request) -> web.Response:
        return await self._now(await self._desk.store.cancel(request.match_info["id"]))

    async def retry(self, request: web.Request) -> web.Response:
        wanted = await asked(request, self._desk.limits, RetryIn)
        risk = wanted.accept_duplicate_risk
        return await self._now(await self._desk.store.retry(request.match_info["id"], accept_duplicate_risk=risk))

    async def resolve(self, request: web.Request) -> web.Response:
        wanted = await asked(request, self._desk.limits, ResolveIn)
        return await self._now(await self._desk.store.resolve(request.match_info["id"], State(wanted.as_)))

    async def _now(self, job: Job) -> web.Response:
        return as_json(await shown(self._desk, await self._desk.store.message(job.id)))

    async def _message(self, request: web.Request) -> Message:
        return await self._desk.store.message(request.match_info["id"])


def _made(messages: tuple[Message, ...], status: int, body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    place = {"Location": f"/v1/messages/{messages[0].job.id}"} if len(messages) == 1 else {}
    return web.Response(status=status, body=body, content_type="application/json", headers={**place, **(headers or {})})


def _document(messages: tuple[Message, ...], shown: list[Json]) -> Json:
    return shown[0] if len(shown) == 1 else {"batch_id": messages[0].batch_id if messages else None, "data": shown}


def _key(request: web.Request, digest: str) -> IdempotencyKey | None:
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise Refusal("invalid_request", f"Idempotency-Key: one value of 1 to {MAX_KEY} printable ASCII characters is wanted")
    return IdempotencyKey(caller(request).id, given[0], digest)


def _decoded(data: bytes) -> object:
    try:
        return mms_pdu.decode(data)
    except PduError:
        return None

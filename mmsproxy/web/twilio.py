"""Twilio's REST API for messages, so that their SDKs send through this gateway with only the base URL changed (docs/twilio.md).

Rule 1: it is a door to the same queue: a form becomes the very SendRequest that JSON would have been. Rule 2: every refusal has their
form, so their SDKs raise their own exceptions. It knows no line and no modem.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from mmsproxy.message.model import Mistake, SendRequest, parse_document
from mmsproxy.post.caps import DAY
from mmsproxy.post.hooks import Delivery
from mmsproxy.post.job import State
from mmsproxy.post.moves import NotFound
from mmsproxy.post.reading import BadCursor
from mmsproxy.post.records import Filter, Message
from mmsproxy.post.store import Store
from mmsproxy.web import twilio_form
from mmsproxy.web.answers import as_json
from mmsproxy.web.asking import caller, octets
from mmsproxy.web.desk import Desk
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import FORM, Answer, Param, Route
from mmsproxy.web.twilio_form import ACCOUNT, SENDER
from mmsproxy.web.webhook_form import Encoded

MAX_FIELDS = 200  # of a form
MAX_PAGE = 1000  # messages; what Twilio gives at most
STORE_PAGE = 200  # messages that the store gives at most
_STATES = {f"message.{state.value}": state for state in State}
SENT = frozenset({State.SENT, State.PARTIAL, State.DELIVERED, State.READ, State.UNDELIVERED})

ROOT = "/2010-04-01/Accounts/{account}/Messages"
ACCOUNT_PARAM = Param("account", "The account sid: any word; what comes back in answers.", "path")
SID_PARAM = Param("sid", "The message's sid.", "path")
PAGING = (
    Param("PageSize", "Messages on a page.", schema={"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50}),
    Param("Page", "Counted from 0; only repeated.", schema={"type": "integer", "minimum": 0}),
    Param("PageToken", "Where a page begins, as next_page_uri has it."),
)
FILTERS = (
    Param("To", "A recipient."),
    Param("From", "A line's number or name, or the sender of received messages."),
    Param("DateSent", "A day, UTC."),
    Param("DateSent<", "Until this day or moment."),
    Param("DateSent>", "From this day or moment."),
)


def routes(desk: Desk) -> Iterable[Route]:
    to = Twilio(desk)
    row = partial(Route, refused=refused, challenge="Basic", group="Twilio's shape")
    one = (Answer(200, "The message in Twilio's form."),)
    made = (Answer(201, "The message in Twilio's form."),)
    page = (Answer(200, "A page in Twilio's form."),)
    path = f"{ROOT}/{{sid}}.json"
    who, which = (ACCOUNT_PARAM,), (ACCOUNT_PARAM, SID_PARAM)
    about = "A form: To (several with commas: a group MMS), From, Body, MediaUrl, SendAsMms, StatusCallback, ValidityPeriod, SendAt."
    send = partial(row, "POST", scope="messages:send", takes=(FORM,))
    yield send(path=f"{ROOT}.json", handler=to.create, summary="Send", description=about, params=who, answers=made)
    yield row("GET", f"{ROOT}.json", to.page, "messages:read", "List", params=(*who, *PAGING, *FILTERS), answers=page)
    yield row("GET", path, to.fetch, "messages:read", "One message", params=which, answers=one)
    yield send(path=path, handler=to.update, summary="Cancel", description="A form: Status=canceled.", params=which, answers=one)


def refused(refusal: Refusal) -> web.Response:
    """A refusal in Twilio's form; the places of its mistakes choose their code."""
    number = twilio_form.refusal_code(refusal.code, refusal.mistakes)
    status = 400 if refusal.status == 422 else refusal.status
    document = {"code": number, "message": refusal.detail, "more_info": f"{twilio_form.MORE_INFO}{number}", "status": status}
    return as_json(document, status, refusal.headers)


class Twilio:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def create(self, request: web.Request) -> web.Response:
        wanted = _wanted(await self._form(request), request.match_info["account"])
        accepted = await self._desk.clerk.submit(wanted, token=caller(request).id)
        return as_json(await self._shown(request, accepted.messages[0]), 201)

    async def fetch(self, request: web.Request) -> web.Response:
        return as_json(await self._shown(request, await self._desk.store.message(_id(request))))

    async def update(self, request: web.Request) -> web.Response:
        message_id = _id(request)
        fields = dict(await self._form(request))
        if fields.get("Status") != "canceled" or "Body" in fields:
            raise _wrong("Status", "only Status=canceled is taken: a message is neither changed nor redacted here")
        await self._desk.store.cancel(message_id)
        return as_json(await self._shown(request, await self._desk.store.message(message_id)))

    async def page(self, request: web.Request) -> web.Response:
        size, number = _number(request, "PageSize", 1, MAX_PAGE, 50), _number(request, "Page", 0, 1 << 30, 0)
        token = request.query.get("PageToken", "").removeprefix("PA") or None
        found, cursor = await self._page(self._filter(request), size, token)
        listed = [await self._shown(request, message) for message in found]
        query = [(name, value) for name, value in request.query.items() if name not in ("Page", "PageToken", "PageSize")]
        base = f"{twilio_form.messages_uri(request.match_info['account'])}.json?"
        query.append(("PageSize", str(size)))
        following = urlencode([*query, ("Page", str(number + 1)), ("PageToken", f"PA{cursor}")])
        return as_json(
            {
                "messages": listed,
                "page": number,
                "page_size": size,
                "start": number * size,
                "end": number * size + max(0, len(listed) - 1),
                "uri": request.path_qs,
                "first_page_uri": base + urlencode([*query, ("Page", "0")]),
                "next_page_uri": base + following if cursor else None,
                "previous_page_uri": None,
            }
        )

    async def _page(self, wanted: Filter, size: int, cursor: str | None) -> tuple[list[Message], str | None]:
        """A page of any size out of the store's smaller ones."""
        found: list[Message] = []
        while len(found) < size:
            try:
                page = await self._desk.store.page(wanted, limit=min(STORE_PAGE, size - len(found)), cursor=cursor)
            except BadCursor:
                raise _wrong("PageToken", "it is none of ours; begin at first_page_uri") from None
            found += page.messages
            cursor = page.next_cursor
            if cursor is None:
                break
        return found, cursor

    def _filter(self, request: web.Request) -> Filter:
        sender = request.query.get("From")
        line = None if sender is None else self._line_called(sender)
        since, until = _dates(request)
        return Filter(to=request.query.get("To"), sender=sender if line is None else None, line=line, since=since, until=until)

    def _line_called(self, word: str) -> str | None:
        return next((line.name for line in self._desk.fleet if word in (line.name, line.settings.number)), None)

    async def _form(self, request: web.Request) -> list[tuple[str, str]]:
        body = await octets(request, self._desk.limits)
        try:
            text = body.decode("ascii")
            return parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MAX_FIELDS)
        except ValueError:
            raise _wrong("", f"the body is no form in UTF-8 of at most {MAX_FIELDS} fields") from None

    async def _shown(self, request: web.Request, message: Message) -> dict[str, Any]:
        job = message.job
        sent_at = None
        if job.state in SENT:
            attempts = await self._desk.store.attempts(job)
            sent_at = next((item.ended_at for item in reversed(attempts) if item.ended_at is not None), job.changed_at)
        line = self._desk.fleet.by_name(job.used_line or job.line)
        number = None if line is None else line.settings.number or line.name
        return twilio_form.resource(message, request.match_info["account"], number=number, sent_at=sent_at)


def _id(request: web.Request) -> str:
    sid = request.match_info["sid"]
    found = twilio_form.id_of(sid)
    if found is None:
        raise NotFound(f"there is no message {sid[:60]!a}")
    return found


def _wanted(form: list[tuple[str, str]], account: str) -> SendRequest:
    """Raises InvalidRequest, Refusal. What is not listed here does nothing: prices, content templates and link shortening are Twilio's."""
    fields = dict(form)
    numbers = [number for number in fields.get("To", "").split(",") if number]
    line = fields.get("From") or None
    document: dict[str, Any] = {
        "text": fields.get("Body") or None,
        "media": [{"url": value} for name, value in form if name == "MediaUrl"],
        "as": "mms" if fields.get("SendAsMms", "").lower() == "true" else "auto",
        "group": len(numbers) > 1,
        "delivery_report": "StatusCallback" in fields,
        "line": line,
        "callback_url": fields.get("StatusCallback") or None,
        "valid_for": _seconds(fields.get("ValidityPeriod")),
        "send_at": fields.get("SendAt") or None,
        "metadata": {ACCOUNT: account[:512], **({} if line is None else {SENDER: line[:512]})},
    }
    return parse_document({**document, "to": numbers} if numbers else document)


def _seconds(given: str | None) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise _wrong("ValidityPeriod", "a whole number of seconds is wanted")
    return int(given)


def _number(request: web.Request, name: str, low: int, high: int, default: int) -> int:
    given = request.query.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise _wrong(name, "a whole number is wanted")
    return min(max(int(given), low), high)


def _dates(request: web.Request) -> tuple[float | None, float | None]:
    day, since, until = (_moment(request, name) for name in ("DateSent", "DateSent>", "DateSent<"))
    if day is not None:
        return day.timestamp(), day.timestamp() + DAY  # the day after the calendar's last has no datetime
    return None if since is None else since.timestamp(), None if until is None else until.timestamp()


def _moment(request: web.Request, name: str) -> datetime | None:
    given = request.query.get(name)
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(name, "a day or a moment in ISO 8601 is wanted") from None


def _wrong(name: str, detail: str) -> Refusal:
    return Refusal("invalid_request", f"{name}: {detail}" if name else detail, (Mistake("", "invalid_parameter", detail),))


# Status callbacks.


def callback_encoder(store: Store) -> Callable[[Delivery], Awaitable[Encoded | None]]:
    """The form of callbacks for messages of this door; None for those of others. For web.webhooks."""

    async def encode(delivery: Delivery) -> Encoded | None:
        message_id, state = delivery.event.message_id, _STATES.get(delivery.event.type)
        if message_id is None or state is None:
            return None
        try:
            message = await store.message(message_id)
        except NotFound:
            return None
        if ACCOUNT not in message.metadata:
            return None
        fields = twilio_form.callback(message, state)
        headers = {"Content-Type": FORM, "I-Twilio-Idempotency-Token": delivery.event.id}
        if delivery.secrets:
            headers["X-Twilio-Signature"] = twilio_form.signature(delivery.secrets[0], delivery.url, fields)
        return urlencode(fields).encode(), headers

    return encode

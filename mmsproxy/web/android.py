"""The API of android-sms-gateway, so that what sends through a phone today sends through this gateway (docs/android-sms-gateway.md).

Rule 1: it is a door to the same queue. Rule 2: a client's own id belongs to its token; a known one is refused with 409 and sends nothing,
whatever else the request says. Rule 3: what would need a phone (encryption with its key, data messages) is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from mmsproxy.message import fields
from mmsproxy.message.model import Mistake, SendRequest, parse_document
from mmsproxy.post import keys
from mmsproxy.post.intake import IdempotencyConflict
from mmsproxy.post.job import RecipientState, State
from mmsproxy.post.moves import NotFound
from mmsproxy.post.records import IdempotencyKey, Message
from mmsproxy.web.answers import as_json
from mmsproxy.web.asking import Asked, asked, caller
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import iso
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import JSON, Answer, Param, Route

HIGH_FROM = 100  # priority: theirs goes from -128 to 127, and from 100 on it goes before everything
ID_PARAM = Param("id", "The message's id: the client's own, or the one that was answered.", "path")

S = State
STATES: Mapping[State, str] = {
    S.SCHEDULED: "Pending",
    S.QUEUED: "Pending",
    S.RETRYING: "Pending",
    S.SENDING: "Processed",
    S.UNKNOWN: "Processed",
    S.SENT: "Sent",
    S.PARTIAL: "Sent",
    S.DELIVERED: "Delivered",
    S.READ: "Delivered",
    S.FAILED: "Failed",
    S.EXPIRED: "Failed",
    S.UNDELIVERED: "Failed",
    S.CANCELED: "Cancelled",
}  # of what is sent; what is received does not come by this door


class TextMessage(Asked):
    text: str


class MessageIn(Asked):
    """The body of POST /message, in the old spelling (`message`) and the new one (`textMessage`)."""

    phone_numbers: tuple[str, ...] = Field(alias="phoneNumbers", strict=False)
    text_message: TextMessage | None = Field(default=None, alias="textMessage")
    message: str | None = None
    id: str | None = Field(default=None, min_length=1, max_length=200, pattern="^[!-~]+$")
    device_id: str | None = Field(default=None, alias="deviceId", description="A line's name.")
    sim_number: int | None = Field(default=None, alias="simNumber", ge=1, description="The n-th line of the configuration.")
    with_delivery_report: bool = Field(default=True, alias="withDeliveryReport")
    ttl: int | None = Field(default=None, description="Seconds.")
    valid_until: fields.Moment | None = Field(default=None, alias="validUntil")
    schedule_at: fields.Moment | None = Field(default=None, alias="scheduleAt")
    priority: int = Field(default=0, ge=-128, le=127)
    is_encrypted: bool = Field(default=False, alias="isEncrypted")


def routes(desk: Desk) -> Iterable[Route]:
    to = Android(desk)
    row = partial(Route, refused=refused, challenge="Basic", group="android-sms-gateway's shape")
    taken, one = (Answer(202, "Kept; it will be sent."),), (Answer(200, "The message."),)
    for path in ("/message", "/messages"):
        yield row("POST", path, to.send, "messages:send", "Send", request=MessageIn, takes=(JSON,), answers=taken)
        yield row("GET", f"{path}/{{id}}", to.fetch, "messages:read", "One message", params=(ID_PARAM,), answers=one)


def refused(refusal: Refusal) -> web.Response:
    """A refusal in their form."""
    return as_json({"message": refusal.detail}, 400 if refusal.status == 422 else refusal.status, refusal.headers)


class Android:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def send(self, request: web.Request) -> web.Response:
        given = await asked(request, self._desk.limits, MessageIn)
        token, own = caller(request).id, given.id or self._desk.new_id("and")
        if given.id is not None and await self._ids(token, own):
            raise _known(own)  # before the rest is looked at: what was right then may be over now
        wanted = self._wanted(given)
        key = IdempotencyKey(token, _key(own), sha256(own.encode()).hexdigest())
        try:
            accepted = await self._desk.clerk.submit(wanted, token=token, key=key)
        except IdempotencyConflict:
            raise _known(own) from None
        if accepted.replayed:
            raise _known(own)
        headers = {"Location": f"{request.path}/{quote(own, safe='')}"}
        return as_json(shown(own, accepted.messages), 202, headers)

    async def fetch(self, request: web.Request) -> web.Response:
        own = request.match_info["id"]
        ids = await self._ids(caller(request).id, own)
        messages = [await self._desk.store.message(item) for item in ids or (own,)]
        return as_json(shown(own, messages))

    async def _ids(self, token: str, own: str) -> Sequence[str]:
        """Of the messages that a client's own id stands for; none for an id that it has not used."""
        return await self._desk.store.read(partial(keys.messages_of, token=token, key=_key(own)))

    def _wanted(self, given: MessageIn) -> SendRequest:
        """Raises InvalidRequest, Refusal."""
        _check(given)
        text = given.text_message.text if given.text_message is not None else given.message
        document = {
            "to": list(given.phone_numbers),
            "text": text,
            "delivery_report": given.with_delivery_report,
            "priority": "high" if given.priority >= HIGH_FROM else "low" if given.priority < 0 else "normal",
            "valid_for": self._valid_for(given),
            "send_at": given.schedule_at,
            "line": self._line(given),
        }
        return parse_document(document)

    def _valid_for(self, given: MessageIn) -> int | None:
        if given.valid_until is None:
            return given.ttl
        begin: datetime = given.schedule_at or self._desk.now()
        seconds = int((given.valid_until - begin).total_seconds())
        if seconds < 1:
            raise _wrong("validUntil", "it is over before the message is due")
        return seconds

    def _line(self, given: MessageIn) -> str | None:
        if given.sim_number is None:
            return given.device_id
        names = [line.name for line in self._desk.fleet]
        if given.sim_number > len(names):
            raise _wrong("simNumber", f"there are {len(names)} lines: {', '.join(names)}")
        return names[given.sim_number - 1]


def _check(given: MessageIn) -> None:
    if given.is_encrypted:
        raise _wrong("isEncrypted", "only the phone has the key; send the text plain")
    if (given.text_message is None) == (given.message is None):
        raise _wrong("textMessage", "give either textMessage or message")
    if given.ttl is not None and given.valid_until is not None:
        raise _wrong("ttl", "give either ttl or validUntil")


def _wrong(name: str, detail: str) -> Refusal:
    return Refusal("invalid_request", f"{name}: {detail}", (Mistake(f"/{name}", "invalid_value", detail),))


def _known(own: str) -> Refusal:
    return Refusal("not_allowed", f"there is a message {own} already; nothing was sent")


def _key(own: str) -> str:
    """A client's id beside the keys of the JSON API."""
    return f"android-sms-gateway:{own}"


def shown(own: str, messages: Sequence[Message]) -> dict[str, Any]:
    """One request of theirs, which is as many messages as it has numbers."""
    if not messages:
        raise NotFound(f"there is no message {own[:60]!a}")
    recipients = [_recipient(message, n) for message in messages for n in range(len(message.recipients))]
    return {
        "id": own,
        "deviceId": messages[0].job.used_line or messages[0].job.line or None,
        "state": overall([item["state"] for item in recipients]),
        "isHashed": False,
        "isEncrypted": False,
        "recipients": recipients,
        "states": {overall([item["state"] for item in recipients]): iso(max(message.job.changed_at for message in messages))},
    }


def overall(states: Sequence[str]) -> str:
    """The state of the whole: pending while one is; failed or cancelled when all are; delivered when all are; else sent."""
    for word in ("Pending", "Processed"):
        if word in states:
            return word
    return states[0] if len(set(states)) == 1 else "Sent"


def _recipient(message: Message, n: int) -> dict[str, Any]:
    person, job = message.recipients[n], message.job
    state = STATES.get(job.state, "Processed")
    if person.state is not None and job.state is not State.UNKNOWN:
        state = _RECIPIENT[person.state]
    return {"phoneNumber": person.number, "state": state, "error": None if job.error is None else job.error.detail}


_RECIPIENT = {
    RecipientState.SENT: "Sent",
    RecipientState.DELIVERED: "Delivered",
    RecipientState.READ: "Delivered",
    RecipientState.UNDELIVERED: "Failed",
}

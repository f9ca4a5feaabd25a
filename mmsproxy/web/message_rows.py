"""The addresses of messages: one row each, with what is taken and answered. It knows no handler's inside."""

from __future__ import annotations

from collections.abc import Iterable

from mmsproxy.message.model import SendRequest
from mmsproxy.web.api_messages import PDU_TYPE, TEXT_TYPE, Messages
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_filters import PARAMS
from mmsproxy.web.routes import JSON, MULTIPART, Answer, Param, Route, Scope
from mmsproxy.web.shapes import BatchOut, MessageOut, PageOut, PreviewOut, ResolveIn, RetryIn, TimelineOut

ID = Param("id", "The message's id.", "path")
WAIT = Param("wait", "Seconds to wait for the outcome.", schema={"type": "integer", "minimum": 1, "maximum": 60})
KEY = Param(
    "Idempotency-Key",
    "The same key and body again brings the first answer, and sends nothing.",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
)
LIMIT = Param("limit", "Messages on a page.", schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50})
CURSOR = Param("cursor", "`next_cursor` of the page before.")
N = Param(
    "n", "The file's number in `media`, or the part's in `parts` where there are no media.", "path", {"type": "integer", "minimum": 0}
)
FORM = Param("as", "json: decoded.", schema={"type": "string", "enum": ["raw", "json"]})
ROLE = Param("role", "What was sent, or what the carrier answered.", schema={"type": "string", "enum": ["request", "answer"]})
REPLAYED = {"Idempotency-Replayed": "true when this is the answer to an earlier request with the same key"}
CONTENT = (
    "denied_number",
    "expired_schedule",
    "invalid_number",
    "media_fetch_failed",
    "no_line",
    "opted_out",
    "too_large",
    "too_many_recipients",
    "unsupported_media",
)
ONE = (Answer(200, "The message as it is now.", MessageOut),)


def routes(desk: Desk) -> Iterable[Route]:
    to = Messages(desk)
    yield from _sending(to)
    yield from _looking(to)
    yield from _deciding(to)


def _sending(to: Messages) -> Iterable[Route]:
    yield Route(
        "POST",
        "/v1/messages",
        to.send,
        "messages:send",
        "Send a message",
        "Answers once it is kept. With `wait`: 200 as soon as it is sent or final, else 202. Several numbers without `group` become a "
        "message each. As multipart/form-data the JSON is the part `message`, and every other part is a file.",
        params=(WAIT, KEY),
        request=SendRequest,
        takes=(JSON, MULTIPART),
        answers=(
            Answer(202, "Kept; it will be sent.", MessageOut, headers=REPLAYED),
            Answer(200, "Sent or final.", MessageOut, headers=REPLAYED),
            Answer(202, "A message for each number.", BatchOut),
            Answer(200, "A message for each number, all sent or final.", BatchOut),
        ),
        problems=(*CONTENT, "idempotency_conflict", "idempotency_running", "insufficient_storage", "rate_limited"),
    )
    yield Route(
        "POST",
        "/v1/preview",
        to.preview,
        "messages:send",
        "What would be sent",
        "Nothing is kept and nothing leaves.",
        request=SendRequest,
        takes=(JSON, MULTIPART),
        answers=(Answer(200, "SMS or MMS, size, parts, SMIL, what would be shrunk.", PreviewOut),),
        problems=(*CONTENT, "insufficient_storage"),
    )


def _looking(to: Messages) -> Iterable[Route]:
    read: Scope = "messages:read"
    path = "/v1/messages/{id}"
    files = Answer(200, "The file.", content_type="application/octet-stream", headers={"Content-Disposition": "attachment"})
    octets = Answer(200, "The octets.", content_type=PDU_TYPE, headers={"Content-Disposition": "attachment"})
    page = Answer(200, "A page, newest first.", PageOut)
    yield Route("GET", "/v1/messages", to.page, read, "List messages", params=(LIMIT, CURSOR, *PARAMS), answers=(page,))
    yield Route("GET", path, to.one, read, "One message", params=(ID,), answers=ONE, problems=("not_found",))
    timeline = Answer(200, "Events and attempts, oldest first.", TimelineOut)
    yield Route("GET", f"{path}/events", to.events, read, "Its timeline", params=(ID,), answers=(timeline,), problems=("not_found",))
    yield Route("GET", f"{path}/media/{{n}}", to.media, read, "One of its files", params=(ID, N), answers=(files,), problems=("not_found",))
    both = (octets, Answer(200, "Of an SMS: its TPDUs.", content_type=TEXT_TYPE), Answer(200, "Decoded; not of an SMS."))
    yield Route("GET", f"{path}/pdu", to.pdu, read, "Its PDU", params=(ID, FORM, ROLE), answers=both, problems=("not_found",))


def _deciding(to: Messages) -> Iterable[Route]:
    send: Scope = "messages:send"
    path = "/v1/messages/{id}"
    canceled = ("not_found", "not_cancelable")
    yield Route("POST", f"{path}/cancel", to.cancel, send, "Cancel what still waits", params=(ID,), answers=ONE, problems=canceled)
    yield Route(
        "POST",
        f"{path}/retry",
        to.retry,
        send,
        "Send it again",
        "Failed and expired messages; an unknown one only with `accept_duplicate_risk`, for it may have been delivered.",
        params=(ID,),
        request=RetryIn,
        takes=(JSON,),
        optional=True,
        answers=ONE,
        problems=("not_found", "not_retryable", "duplicate_risk", "insufficient_storage"),
    )
    yield Route(
        "POST",
        f"{path}/resolve",
        to.resolve,
        send,
        "Say what became of an unknown message",
        params=(ID,),
        request=ResolveIn,
        takes=(JSON,),
        answers=ONE,
        problems=("not_found", "not_allowed"),
    )

"""Why a request was refused: the table of problems, and the one builder of an RFC 9457 answer.

Rule 1: a problem means that the request changed nothing: no message was made of it, nothing was sent. What became of a message that was
tried is a message with a status, never a problem. Rule 2: each code stands here once, with the words that GET /problems/{code} shows,
so the `type` of every answer can be read without a network. Rule 3: the order is that of the HTTP status.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mmsproxy.errors import Fault, MmsproxyError, StoreError, StoreFull
from mmsproxy.message.model import MAX_MISTAKES, InvalidRequest, Mistake
from mmsproxy.post.admission import Refused

CONTENT_TYPE = "application/problem+json"
STORE_RETRY_AFTER = 5  # seconds; a restart of a database server takes about that


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the table. `title` is the same for each occurrence (RFC 9457 3.1.4); `advice` says what to do about it."""

    code: str
    status: int
    title: str
    advice: str

    @property
    def slug(self) -> str:
        return self.code.replace("_", "-")

    @property
    def type(self) -> str:
        """A relative reference, so it works at whatever address the gateway is reached (RFC 9457 3.1.1)."""
        return f"/problems/{self.slug}"


PROBLEMS = {
    problem.code: problem
    for problem in (
        Problem("invalid_request", 400, "The request is not understood", "Each entry of `errors` names a field and what it must be."),
        Problem(
            "unauthorized",
            401,
            "The token is missing or wrong",
            "Send `Authorization: Bearer TOKEN`. The token stands in the file data/token unless config.yaml names another.",
        ),
        Problem(
            "forbidden",
            403,
            "The token may not do this",
            "Use a token with the scope that `detail` names; `mmsproxy token create` makes one. Web pages of other sites are refused too.",
        ),
        Problem("not_found", 404, "There is nothing at this address", "docs/api.md lists the addresses there are."),
        Problem("method_not_allowed", 405, "The address does not take this method", "The header `Allow` names the methods it takes."),
        Problem("timeout", 408, "The request did not arrive in time", "Send the whole body without pauses."),
        Problem(
            "idempotency_running",
            409,
            "The first request with this Idempotency-Key is still being worked on",
            "Send it again after `Retry-After` seconds: the answer will be that of the first request.",
        ),
        Problem("not_cancelable", 409, "The message can no longer be canceled", "Only a message that still waits can be canceled."),
        Problem("not_retryable", 409, "The message cannot be sent again", "Failed and expired messages can; send a new one instead."),
        Problem(
            "duplicate_risk",
            409,
            "The message may have been delivered already",
            'Find out first. To send it again all the same, say `{"accept_duplicate_risk": true}`.',
        ),
        Problem("not_allowed", 409, "The message's state does not allow this", "GET the message and look at its `status`."),
        Problem("webhook_disabled", 409, "The webhook is disabled", 'PATCH it with `{"enabled": true}` first; `disabled_reason` says why.'),
        Problem("body_too_large", 413, "The request is too large", "Send a shorter request; `limit` is the most that is taken, in octets."),
        Problem(
            "unsupported_content_type",
            415,
            "The body is of a type that is not taken here",
            "Send the Content-Type that `detail` names, and no Content-Encoding.",
        ),
        Problem("expectation_failed", 417, "The header Expect asks for something that is not done here", "Leave the header out."),
        Problem(
            "misdirected",
            421,
            "The request names a host that is not this gateway",
            "Use an IP address or localhost, or add the name to `web.hosts` in config.yaml. This stops DNS rebinding.",
        ),
        Problem(
            "invalid_number",
            422,
            "A recipient is not a telephone number",
            "Write +, the country code and the number: 7 to 15 digits, nothing else.",
        ),
        Problem(
            "denied_number",
            422,
            "This number is not allowed",
            "Short codes and foreign numbers may cost extra. List a code in limits.numbers, a country in limits.countries of config.yaml.",
        ),
        Problem("opted_out", 422, "The recipient does not want messages", "They said STOP. START from them lifts it, or a person does."),
        Problem("too_many_recipients", 422, "Too many recipients", "Send further recipients in another request."),
        Problem("no_line", 422, "There is no such line", "GET /v1/lines names the lines there are."),
        Problem(
            "too_large",
            422,
            "The message is larger than the carrier accepts",
            "Send less or smaller files: `size` is what it became, `limit` what the line takes, both in octets.",
        ),
        Problem(
            "unsupported_media",
            422,
            "A file cannot go into an MMS",
            "Pictures, audio, video, contacts, calendars and plain files are taken, by what they are and not by what they are called.",
        ),
        Problem(
            "media_fetch_failed",
            422,
            "A media URL could not be fetched",
            "List the host in media.fetch of config.yaml, or send the file itself as `data` or as a part of a form.",
        ),
        Problem("expired_schedule", 422, "The time to send at is over", "Leave `send_at` out to send at once."),
        Problem(
            "idempotency_conflict",
            422,
            "The Idempotency-Key was used for another request",
            "Use a new key for each new request; the same key only to repeat the very same body.",
        ),
        Problem(
            "rate_limited", 429, "Too many messages", "Send it again after `Retry-After` seconds. The caps stand in limits of config.yaml."
        ),
        Problem("internal", 500, "The gateway made a mistake", "Nothing more is known here; the gateway's log has the `request_id`."),
        Problem("unavailable", 503, "The database cannot be used now", "Nothing was accepted. Send it again after `Retry-After` seconds."),
        Problem("insufficient_storage", 507, "The disk is full", "Nothing was accepted. Make room, or let store.keep_mib keep less."),
    )
}


class Refusal(Exception):
    """Raised by a handler to answer with a problem. `headers` go with the answer, `extra` are further members of its body."""

    def __init__(
        self,
        code: str,
        detail: str,
        mistakes: tuple[Mistake, ...] = (),
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.mistakes = mistakes
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    @property
    def status(self) -> int:
        return PROBLEMS[self.code].status


def response(refusal: Refusal, request_id: str) -> web.Response:
    """The answer to a refused request: `type title status code detail`, `errors` when there are any, `request_id`."""
    problem = PROBLEMS[refusal.code]
    document = _document(problem, refusal, request_id)
    return web.Response(
        status=problem.status,
        body=json.dumps(document, ensure_ascii=False).encode(),
        content_type=CONTENT_TYPE,
        headers=refusal.headers,
    )


def _document(problem: Problem, refusal: Refusal, request_id: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": refusal.detail,
    }
    document.update(refusal.extra)
    if refusal.mistakes:
        document["errors"] = [{"pointer": item.pointer, "code": item.code, "detail": item.detail} for item in refusal.mistakes]
    document["request_id"] = request_id
    return document


def explanation(slug: str) -> str | None:
    """What GET /problems/{slug} shows, as plain text; None for a slug that is not in the table."""
    problem = PROBLEMS.get(slug.replace("-", "_"))
    if problem is None or problem.slug != slug:
        return None
    return f"{problem.title}\n\ncode: {problem.code}\nHTTP status: {problem.status}\n\n{problem.advice}\n"


def refusal_of(mistakes: tuple[Mistake, ...]) -> Refusal:
    """One problem for all mistakes of a body: 422 with its own code when every mistake has one, else 400 invalid_request."""
    first = mistakes[0]
    own = all(item.code in PROBLEMS and PROBLEMS[item.code].status == 422 for item in mistakes)
    code = first.code if own else "invalid_request"
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    where = f"{first.pointer}: " if first.pointer else ""
    return Refusal(code, f"{where}{first.detail}{more}", mistakes)


def refusal_of_error(error: MmsproxyError) -> Refusal | None:
    """The problem that an error of a lower room is; None where it is nothing that the client can know or do anything about."""
    if isinstance(error, InvalidRequest):
        return refusal_of(error.mistakes)
    if isinstance(error, Refused):
        return _refused(error)
    if isinstance(error, StoreFull):
        return Refusal("insufficient_storage", str(error))
    if isinstance(error, StoreError):
        return Refusal("unavailable", str(error), headers={"Retry-After": str(STORE_RETRY_AFTER)})
    if error.fault is Fault.CALLER and error.code in PROBLEMS:
        return Refusal(error.code, str(error), _places(error), extra=_sizes(error))
    return None


def _refused(error: Refused) -> Refusal:
    mistakes = tuple(Mistake(item.pointer, item.code, item.detail) for item in error.refusals[:MAX_MISTAKES])
    wait = {} if error.retry_after is None else {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    known = error.code if error.code in PROBLEMS else "invalid_request"
    return Refusal(known, error.detail, mistakes, headers=wait)


def _places(error: MmsproxyError) -> tuple[Mistake, ...]:
    """What an error about the size of files says of their places."""
    pointers: tuple[str, ...] = getattr(error, "pointers", ())
    return tuple(Mistake(pointer, error.code, error.detail) for pointer in pointers[:MAX_MISTAKES])


def _sizes(error: MmsproxyError) -> dict[str, int]:
    sizes = {name: getattr(error, name, None) for name in ("size", "limit")}
    return {name: value for name, value in sizes.items() if isinstance(value, int)}

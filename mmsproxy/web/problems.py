"""Why a request was refused: the table of problems, and the one builder of an RFC 9457 answer.

Rule 1: a problem means that no message was made of the request and nothing was sent. What became of a message that was tried is a
message with a status, never a problem (api.py). Rule 2: each code stands here once, with the words that GET /problems/{code} shows,
so the `type` of every answer can be read without a network. Rule 3: the order is that of the HTTP status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mmsproxy.message.model import Mistake

CONTENT_TYPE = "application/problem+json"


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
        Problem("not_found", 404, "There is nothing at this address", "docs/api.md lists the addresses there are."),
        Problem("method_not_allowed", 405, "The address does not take this method", "The header `Allow` names the methods it takes."),
        Problem("timeout", 408, "The request did not arrive in time", "Send the whole body without pauses."),
        Problem("body_too_large", 413, "The request is too large", "Send a shorter request; `limit` is the most that is taken, in octets."),
        Problem(
            "unsupported_content_type",
            415,
            "The body is not JSON",
            "Send `Content-Type: application/json` and no Content-Encoding. A form is refused so that no web page can send messages.",
        ),
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
            "Write +, the country code and the number: 7 to 15 digits, nothing else. Short codes are refused because they cost money.",
        ),
        Problem("too_many_recipients", 422, "Too many recipients", "Send further recipients in another request."),
        Problem("no_line", 422, "There is no such line", "GET /v1/lines names the lines there are."),
        Problem(
            "too_large",
            422,
            "The message is larger than the carrier accepts",
            "Shorten the text: `size` is what it became, `limit` what the line takes, both in octets.",
        ),
        Problem("internal", 500, "The gateway made a mistake", "Nothing more is known here; the gateway's log has the `request_id`."),
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

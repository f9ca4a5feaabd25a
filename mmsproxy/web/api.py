"""The JSON door: POST /v1/messages makes one MMS of a text, sends it and tells what became of it (docs/api.md).

Rule 1: every refusal is a problem (problems.py); a message that was tried is a message with a status, whatever became of it
(api_message.py). Rule 2: nothing is looked at before the Host, and nothing of /v1 before the token. Rule 3: handlers are thin: the
model checks, `compose` builds, the line sends. This module knows the clock and the random source, so that those need not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from mmsproxy.carrier.attempt import Attempt
from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.line import Line
from mmsproxy.errors import MmsproxyError
from mmsproxy.message.compose import compose
from mmsproxy.message.model import InvalidRequest, Mistake, SendRequest, parse_send_request
from mmsproxy.web import problems
from mmsproxy.web.api_message import RETRY_AFTER, Composed, http_status, resource
from mmsproxy.web.auth import TokenHash
from mmsproxy.web.guard import BodyFault, Door, Limits, open_door, quiet, read_body
from mmsproxy.web.ids import RANDOM_BYTES, ulid
from mmsproxy.web.mm1_gate import canonical_host, plain_address, split_authority
from mmsproxy.web.problems import Refusal
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.sms_split import count_parts

LIMITS = Limits(max_body=16 * 1024 * 1024)  # room for pictures that are shrunk after intake (delivery.md 8)
LARGEST_PDU = 2 * 1024 * 1024  # octets; what the codec and the MM1 door take, for a line whose carrier's limit is not known
SHUTDOWN_SECONDS = 30.0  # longer than a line's grace for an attempt whose last byte is out
THREAD_FROM = 16_384  # characters; a longer text is composed and counted beside the event loop

_log = logging.getLogger(__name__)
_REQUEST_ID = web.RequestKey("request_id", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_api_app(
    fleet: Fleet,
    *,
    token: str,
    hosts: Iterable[str] = (),
    limits: Limits = LIMITS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> web.Application:
    """The application, without its door. `hosts` are names beside IP addresses and localhost that a Host header may have."""
    return _Api(fleet, TokenHash.of(token), frozenset(map(canonical_host, hosts)), limits, now, random).app()


async def start_api(
    fleet: Fleet, host: str, port: int, *, token: str, hosts: Iterable[str] = (), limits: Limits = LIMITS, key: str = "web.listen"
) -> Door:
    """Opens the door. Raises ListenError with the cure."""
    app = make_api_app(fleet, token=token, hosts=hosts, limits=limits)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    return await open_door(runner, host, port, key=key, limits=limits)


class _Api:
    """The handlers and what they share."""

    def __init__(
        self,
        fleet: Fleet,
        token: TokenHash,
        hosts: frozenset[str],
        limits: Limits,
        now: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._fleet = fleet
        self._token = token
        self._hosts = hosts
        self._limits = limits
        self._now = now
        self._random = random

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._answered, self._gated], client_max_size=self._limits.max_body)
        add = app.router.add_route
        add("POST", "/v1/messages", self._post_message, expect_handler=self._expect)
        add("GET", "/v1/lines", self._get_lines)
        add("GET", "/livez", self._livez)
        add("GET", "/problems/{slug}", self._problem)
        app.on_response_prepare.append(_prepare)
        return app

    # Around every request.

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Gives the request its id, and every refusal its form."""
        request_id = self._request_id(request)
        try:
            response = await handler(request)
        except Refusal as refusal:
            response = problems.response(refusal, request_id)
        except MmsproxyError as error:
            _log.error("a request could not be worked on: %s", error, extra={"request_id": request_id})
            response = problems.response(Refusal("internal", str(error)), request_id)
        except Exception:  # noqa: BLE001 - the edge: whatever went wrong, the client gets an answer and the log the traceback
            _log.exception("a request ended by a fault of ours", extra={"request_id": request_id})
            response = problems.response(Refusal("internal", "the gateway failed while it worked on this request"), request_id)
        response.headers["X-Request-Id"] = request_id
        return response

    @web.middleware
    async def _gated(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._check(request)
        return await handler(request)

    def _request_id(self, request: web.Request) -> str:
        if _REQUEST_ID not in request:
            request[_REQUEST_ID] = f"req_{self._ulid(self._now())}"
        return request[_REQUEST_ID]

    def _ulid(self, moment: datetime) -> str:
        return ulid(int(moment.timestamp() * 1000), self._random(RANDOM_BYTES))

    async def _expect(self, request: web.Request) -> web.StreamResponse | None:
        """Refuses before the body is asked for, so that a client with a large one need not send it."""
        try:
            self._check(request)
        except Refusal as refusal:
            return problems.response(refusal, self._request_id(request))
        if request.headers["Expect"].strip().lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None

    # May it come in? Each check raises Refusal.

    def _check(self, request: web.Request) -> None:
        self._check_host(request)
        _check_route(request)
        if request.path.startswith("/v1/"):
            self._check_token(request)
        if request.method == "POST":
            self._check_body_head(request)

    def _check_host(self, request: web.Request) -> None:
        """A name that is not ours is a web page that rebinds its own name to this address. An absolute-form target counts as well."""
        for host in (request.host, request.headers.get("Host", request.host)):
            if not self._is_ours(host):
                cure = "use an IP address or localhost, or add the name to web.hosts in config.yaml"
                raise Refusal("misdirected", f"Host {host[:100]!a} is not this gateway; {cure}")

    def _is_ours(self, host: str) -> bool:
        authority = split_authority(host)
        name = authority[0] if authority is not None else host  # an absolute-form IPv6 host comes without its brackets
        return plain_address(name) is not None or name == "localhost" or name in self._hosts

    def _check_token(self, request: web.Request) -> None:
        given = request.headers.get("Authorization")
        if self._token.admits(given):
            return
        challenge = 'Bearer realm="mmsproxy"' + (', error="invalid_token"' if given is not None else "")
        detail = "the token is wrong" if given is not None else "there is no Authorization header"
        raise Refusal("unauthorized", f"{detail}; send Authorization: Bearer TOKEN", headers={"WWW-Authenticate": challenge})

    def _check_body_head(self, request: web.Request) -> None:
        charset = (request.charset or "utf-8").lower()
        if request.content_type != "application/json" or charset not in ("utf-8", "utf8", "us-ascii"):
            given = request.headers.get("Content-Type", "no Content-Type")
            raise Refusal("unsupported_content_type", f"{given[:100]!a} is not taken; send application/json in UTF-8")
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("identity", ""):
            headers = {"Accept-Encoding": "identity"}
            raise Refusal(
                "unsupported_content_type", f"Content-Encoding {coding[:40]!a} is not taken; send the body plain", headers=headers
            )
        if request.content_length is not None and request.content_length > self._limits.max_body:
            raise self._too_large_body()

    def _too_large_body(self) -> Refusal:
        limit = self._limits.max_body
        return Refusal("body_too_large", f"at most {limit:,} octets are taken", extra={"limit": limit})

    # What it does.

    async def _post_message(self, request: web.Request) -> web.Response:
        wanted = _parsed(await self._body(request))
        line = self._line(wanted.line)
        message = await self._composed(wanted, line)
        attempt = await line.post(message.pdu, transaction_id=message.send_req.transaction_id)
        document = resource(message, attempt)
        _log.info("message %s is %s", message.id, document["status"], extra=_logged(message, attempt, request[_REQUEST_ID]))
        status = http_status(attempt)
        return _json(document, status, {"Retry-After": str(RETRY_AFTER)} if status == 503 and attempt.retryable else {})

    async def _body(self, request: web.Request) -> bytes:
        body = await read_body(request, self._limits)
        if isinstance(body, bytes):
            return body
        if body is BodyFault.TOO_LARGE:
            raise self._too_large_body()
        if body is BodyFault.TOO_SLOW:
            raise Refusal("timeout", f"the body was not whole within {self._limits.body:g} s")
        raise Refusal("invalid_request", f"the body is {body.value}", (Mistake("", "bad_body", f"the body is {body.value}"),))

    def _line(self, wanted: str | None) -> Line:
        if wanted is None:
            return self._fleet.default
        for line in self._fleet:
            if wanted in (line.name, line.settings.number):
                return line
        names = ", ".join(line.name for line in self._fleet)
        raise Refusal("no_line", f"there is no line {wanted}; there are: {names}", (Mistake("/line", "no_line", f"one of: {names}"),))

    async def _composed(self, wanted: SendRequest, line: Line) -> Composed:
        moment = self._now()
        if len(wanted.text) < THREAD_FROM:
            return _compose(wanted, line, moment, self._ulid(moment))
        return await asyncio.to_thread(_compose, wanted, line, moment, self._ulid(moment))

    async def _get_lines(self, request: web.Request) -> web.Response:
        return _json({"data": [_line_resource(line) for line in self._fleet], "next_cursor": None})

    async def _livez(self, request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def _problem(self, request: web.Request) -> web.Response:
        text = problems.explanation(request.match_info["slug"])
        if text is None:
            raise Refusal("not_found", "there is no such problem")
        return web.Response(text=text)


def _check_route(request: web.Request) -> None:
    wrong = request.match_info.http_exception
    if isinstance(wrong, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted(wrong.allowed_methods))
        raise Refusal("method_not_allowed", f"{request.method} is not taken here; take {allow}", headers={"Allow": allow})
    if wrong is not None:
        raise Refusal("not_found", f"there is nothing at {request.path[:100]!a}")


def _parsed(body: bytes) -> SendRequest:
    try:
        return parse_send_request(body)
    except InvalidRequest as error:
        raise problems.refusal_of(error.mistakes) from None


def _compose(wanted: SendRequest, line: Line, moment: datetime, number: str) -> Composed:
    """The message as it will leave. Raises Refusal when the carrier would not take it. May run in another thread."""
    limit = min(line.max_size or LARGEST_PDU, LARGEST_PDU)
    text_size = len(wanted.text.encode())
    if text_size > limit:
        raise _too_large(line, text_size, limit)
    send_req = compose(wanted, transaction_id=number, date=int(moment.timestamp()))
    pdu = mms_pdu.encode(send_req)
    if len(pdu) > limit:
        raise _too_large(line, len(pdu), limit)
    return Composed(
        id=f"msg_{number}",
        created_at=moment,
        line=line.name,
        simulated=line.settings.is_simulated,
        recipients=wanted.recipients,
        text=wanted.text,
        subject=wanted.subject,
        send_req=send_req,
        pdu=pdu,
        sms=count_parts(wanted.text),
        size_limit=line.max_size,
        repeated=tuple(number for number in wanted.recipients if wanted.to.count(number) > 1),
    )


def _too_large(line: Line, size: int, limit: int) -> Refusal:
    detail = f"{size:,} octets; line {line.name} takes {limit:,}"
    return Refusal("too_large", detail, (Mistake("/text", "too_large", detail),), extra={"size": size, "limit": limit})


def _line_resource(line: Line) -> dict[str, Any]:
    state = line.state
    return {
        "name": line.name,
        "number": line.settings.number,
        "state": state.status.name.lower(),
        "reason": state.reason or None,
        "modem": state.modem or None,
        "dialect": state.dialect or None,
        "operator": state.operator or None,
        "signal_dbm": state.signal_dbm,
        "simulated": line.settings.is_simulated,
        "size_limit": line.max_size,
        "queue_length": line.queue_length,
        "estimated_wait": round(line.estimate_wait(), 1),
    }


def _logged(message: Composed, attempt: Attempt, request_id: str) -> dict[str, Any]:
    return {
        "line": message.line,
        "size": len(message.pdu),
        "recipients": len(message.recipients),
        "code": attempt.code or None,
        "phase": attempt.phase.name.lower(),
        "seconds": round(attempt.timings.total, 3),
        "request_id": request_id,
    }


def _json(document: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def _prepare(_request: web.Request, response: web.StreamResponse) -> None:
    quiet(response)
    response.headers["Cache-Control"] = "no-store"  # answers carry numbers and texts of the carrier
    response.headers["X-Content-Type-Options"] = "nosniff"

"""The web door: one application of all routes, what stands before each of them, and the form of every refusal.

Rule 1: every refusal is a problem (problems.py), or what a route of another shape makes of it. Rule 2: nothing is looked at before the
Host, and nothing behind a scope before the token. Rule 3: handlers live in the modules of ROUTES; this one knows none of their matters.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from mmsproxy.errors import MmsproxyError
from mmsproxy.web import (
    android,
    api_common,
    api_events,
    api_lines,
    api_optouts,
    api_tokens,
    api_webhooks,
    asking,
    message_rows,
    openapi,
    problems,
    twilio,
)
from mmsproxy.web.asking import CALLER, CLOSING, KEYRING, REQUEST_ID
from mmsproxy.web.auth import Caller, Keyring
from mmsproxy.web.desk import Desk
from mmsproxy.web.guard import Door, open_door, quiet, say_continue
from mmsproxy.web.host_names import canonical_host, plain_address, split_authority
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import JSON, Handler, Need, Route

# Every module of routes of the web door stands here, and nowhere else.
ROUTES: tuple[Callable[[Desk], Iterable[Route]], ...] = (
    message_rows.routes,
    api_lines.routes,
    api_events.routes,
    api_optouts.routes,
    api_webhooks.routes,
    api_tokens.routes,
    twilio.routes,
    android.routes,
    api_common.routes,
)

SHUTDOWN_SECONDS = 30.0  # longer than a line's grace for an attempt whose last byte is out
SAFE = frozenset({"GET", "HEAD"})

_log = logging.getLogger(__name__)


def gathered(desk: Desk, more: Iterable[Route] = ()) -> tuple[Route, ...]:
    """All routes of the door. `more` are those that need other things than the desk has (metrics, readiness)."""
    rows = (*(row for module in ROUTES for row in module(desk)), *more)
    return (*rows, *openapi.routes(rows))


def make_api_app(desk: Desk, *, token: str, more: Iterable[Route] = (), outermost: Sequence[Middleware] = ()) -> web.Application:
    """The application, without its door. `token` is the first one, with all scopes; `outermost` see every request and its answer."""
    return _Api(desk, Keyring(token, desk.store, lambda: desk.now().timestamp())).app(gathered(desk, more), outermost)


async def start_api(
    desk: Desk,
    host: str,
    port: int,
    *,
    token: str,
    more: Iterable[Route] = (),
    outermost: Sequence[Middleware] = (),
    key: str = "web.listen",
) -> Door:
    """Opens the door. Raises ListenError with the cure."""
    app = make_api_app(desk, token=token, more=more, outermost=outermost)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    return await open_door(runner, host, port, key=key, limits=desk.limits)


class _Api:
    """What stands before the handlers."""

    def __init__(self, desk: Desk, keyring: Keyring) -> None:
        self._desk = desk
        self._keyring = keyring
        self._hosts = frozenset(map(canonical_host, desk.settings.web.hosts))
        self._rows: dict[web.AbstractRoute, Route] = {}

    def app(self, rows: Sequence[Route], outermost: Sequence[Middleware]) -> web.Application:
        app = web.Application(middlewares=[*outermost, self._answered, self._gated], client_max_size=self._desk.limits.max_body)
        for row in rows:
            route = app.router.add_route(row.method, row.path, row.handler, expect_handler=self._expect)
            self._rows[route] = row
        app[CLOSING], app[KEYRING] = asyncio.Event(), self._keyring
        app.on_shutdown.append(_close)
        app.on_response_prepare.append(self._prepare)
        return app

    # Around every request.

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Gives the request its id, and every refusal its form."""
        request_id = self._request_id(request)
        try:
            return await handler(request)
        except Refusal as refusal:
            return self._refused(request, refusal)
        except MmsproxyError as error:
            return self._refused(request, problems.refusal_of_error(error) or _internal(error, request_id))
        except Exception:  # noqa: BLE001 - the edge: whatever went wrong, the client gets an answer and the log the traceback
            _log.exception("a request ended by a fault of ours", extra={"request_id": request_id})
            return self._refused(request, Refusal("internal", "the gateway failed while it worked on this request"))

    @web.middleware
    async def _gated(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        await self._check(request)
        return await handler(request)

    def _refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        row = self._row(request)
        if row is None or row.refused is None:
            return problems.response(refusal, self._request_id(request))
        return row.refused(refusal)

    def _row(self, request: web.Request) -> Route | None:
        return self._rows.get(request.match_info.route)

    def _request_id(self, request: web.Request) -> str:
        if REQUEST_ID not in request:
            request[REQUEST_ID] = self._desk.new_id("req")
        return request[REQUEST_ID]

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        quiet(response)
        response.headers["X-Request-Id"] = self._request_id(request)
        response.headers["Cache-Control"] = "no-store"  # answers carry numbers and texts of the carrier
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Referrer-Policy", "no-referrer")

    async def _expect(self, request: web.Request) -> web.StreamResponse | None:
        """Refuses before the body is asked for, so that a client with a large one need not send it."""
        try:
            await self._check(request)
            _check_expectation(request)
        except Refusal as refusal:
            return self._refused(request, refusal)
        except MmsproxyError as error:
            return self._refused(request, problems.refusal_of_error(error) or _internal(error, self._request_id(request)))
        await say_continue(request)
        return None

    # May it come in? Each check raises Refusal.

    async def _check(self, request: web.Request) -> None:
        self._check_host(request)
        _check_route(request)
        row = self._row(request)
        if row is None:
            return
        self._check_browser(request)
        if row.scope is not None and CALLER not in request:
            request[CALLER] = await self._caller(request, row, row.scope)
        _check_characters(request, row)
        _check_parameters(request, row)
        if row.takes and not (row.optional and not request.body_exists):
            self._check_body_head(request, row)

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

    def _check_browser(self, request: web.Request) -> None:
        """A page of another site that writes: a browser may have remembered Basic credentials for us and would add them."""
        if request.method in SAFE:
            return
        site, origin = request.headers.get("Sec-Fetch-Site", "none"), request.headers.get("Origin")
        if site in ("none", "same-origin") and (origin is None or urlsplit(origin).netloc.lower() == request.host.lower()):
            return
        raise Refusal("forbidden", "a web page of another site may not use this gateway")

    async def _caller(self, request: web.Request, row: Route, need: Need) -> Caller:
        given = request.headers.get("Authorization")
        caller = await self._keyring.caller(given)
        if caller is None:
            raise _unauthorized(given, row)
        if not caller.may(need):
            raise Refusal("forbidden", f"the token {caller.name[:60]!a} lacks the scope {need}", extra={"scope": need})
        return caller

    def _check_body_head(self, request: web.Request, row: Route) -> None:
        charset = (request.charset or "utf-8").lower()
        if request.content_type not in row.takes or charset not in ("utf-8", "utf8", "us-ascii"):
            given = request.headers.get("Content-Type", "no Content-Type")
            wanted = " or ".join(f"{media} in UTF-8" if media == JSON else media for media in row.takes)
            raise Refusal("unsupported_content_type", f"{given[:100]!a} is not taken; send {wanted}")
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("identity", ""):
            detail = f"Content-Encoding {coding[:40]!a} is not taken; send the body plain"
            raise Refusal("unsupported_content_type", detail, headers={"Accept-Encoding": "identity"})
        if request.content_length is not None and request.content_length > self._desk.limits.max_body:
            raise asking.too_large(self._desk.limits)


def _check_route(request: web.Request) -> None:
    wrong = request.match_info.http_exception
    if isinstance(wrong, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted(wrong.allowed_methods))
        raise Refusal("method_not_allowed", f"{request.method} is not taken here; take {allow}", headers={"Allow": allow})
    if wrong is not None:
        raise Refusal("not_found", f"there is nothing at {request.path[:100]!a}")


def _check_expectation(request: web.Request) -> None:
    expected = request.headers["Expect"]
    if expected.strip().lower() != "100-continue":
        raise Refusal("expectation_failed", f"Expect {expected[:100]!a} cannot be met; only 100-continue is")


def _check_characters(request: web.Request, row: Route) -> None:
    """No name, id or filter has control characters; a database would refuse some of them, and a log be broken by others."""
    if any(asking.CONTROLS.search(request.match_info[name]) for name in row.free_variables):
        raise Refusal("not_found", "there is nothing at an address with control characters")
    for name, value in request.query.items():
        if asking.CONTROLS.search(name + value):
            raise asking.wrong_parameter(ascii(name[:40])[1:-1], "control characters are not taken")


def _check_parameters(request: web.Request, row: Route) -> None:
    """A misspelt filter must not go unnoticed. Routes of another shape have their clients' habits to bear with."""
    if row.refused is not None:
        return
    known = {param.name for param in row.params if param.where == "query"}
    for name in request.query:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise asking.wrong_parameter(ascii(name[:40])[1:-1], f"there is no such parameter; there are: {names}")
        if len(request.query.getall(name)) > 1:
            raise asking.wrong_parameter(name, "it may be given once")


def _unauthorized(given: str | None, row: Route) -> Refusal:
    error = ', error="invalid_token"' if given is not None and row.challenge == "Bearer" else ""
    detail = "the token is wrong" if given is not None else "there is no Authorization header"
    return Refusal(
        "unauthorized",
        f"{detail}; send Authorization: Bearer TOKEN",
        headers={"WWW-Authenticate": f'{row.challenge} realm="mmsproxy"{error}'},
    )


def _internal(error: MmsproxyError, request_id: str) -> Refusal:
    _log.error("a request could not be worked on: %s", error, extra={"request_id": request_id})
    return Refusal("internal", "the gateway failed while it worked on this request")


async def _close(app: web.Application) -> None:
    app[CLOSING].set()

"""The MM1 door: MMS software posts its PDUs here as to an MMSC, or through here as to an MMS proxy (mm1.md).

Rule 1: the order of checks is mm1.md section 4: the gate before a body is read, the intake before anything is begun. Rule 2: a PDU goes
to a line's own MMSC, never to a host that a request named. Rule 3: a message is a row of the post office: a client that hangs
up or is answered early never ends its attempt, and an identical POST joins it. Rule 4: this module decides nothing about outcomes.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict

from mmsproxy.carrier.attempt import Awaited
from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.headers import end_to_end
from mmsproxy.carrier.line import CLIENT_PATIENCE
from mmsproxy.config import Mm1Config
from mmsproxy.errors import HeaderError
from mmsproxy.post.store import Store
from mmsproxy.web import mm1_answers as answers
from mmsproxy.web.guard import BodyFault, Door, Limits, open_door, quiet, read_body, say_continue
from mmsproxy.web.mm1_answers import Reply
from mmsproxy.web.mm1_gate import Admitted, Knock, Refusal, Rules, admit, own_names, too_large
from mmsproxy.web.mm1_intake import Post, ref_of, take_in
from mmsproxy.web.mm1_messages import Messages
from mmsproxy.web.mm1_responses import Responses

SHUTDOWN_TIMEOUT = 25.0  # seconds; longer than a line's own grace, so that an attempt that ends in it is still answered

_log = logging.getLogger(__name__)


async def start_mm1(
    fleet: Fleet,
    settings: Mm1Config,
    *,
    store: Store,
    limits: Limits | None = None,
    client_wait: float = CLIENT_PATIENCE,
) -> Door:
    """Opens the door at `settings.listen` and returns it (`.port`, `.stop()`). `client_wait` in seconds. Raises ListenError.

    What it stores is sent by an outbox over the same lines. Stop the door after outbox and fleet, and before the store: then whoever
    waits is told what became of its message.
    """
    limits = limits or Limits()
    mm1 = Mm1(fleet, settings, store=store, limits=limits, client_wait=client_wait)
    server = web.Server(mm1.handle, request_factory=Mm1Request)  # type: ignore[arg-type] # it gets what our factory makes
    runner = _Runner(server, mm1)
    return await open_door(runner, settings.listen.host, settings.listen.port, key="mm1.listen", limits=limits)


class _Runner(web.ServerRunner):
    """Tells the door before it waits for the requests under way."""

    __slots__ = ("_mm1",)

    def __init__(self, server: web.Server, mm1: Mm1) -> None:
        super().__init__(server, shutdown_timeout=SHUTDOWN_TIMEOUT)
        self._mm1 = mm1

    async def shutdown(self) -> None:
        self._mm1.stop()


class Mm1Request(web.BaseRequest):
    """Keeps the target as the request line has it: aiohttp's `url` hides the scheme and the spelling, and `raw_path` will change."""

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> None:
        super().__init__(message, payload, protocol, writer, task, asyncio.get_running_loop())
        self.target = message.path

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        quiet(response)


class Mm1:
    """The handler of the door."""

    def __init__(self, fleet: Fleet, settings: Mm1Config, *, store: Store, limits: Limits, client_wait: float) -> None:
        self._fleet = fleet
        self._limits = limits
        self._messages = Messages(store, client_wait=client_wait, as_errors=settings.rejected_as_http_error, lines=len(fleet))
        self._responses = Responses(client_wait)
        self._rules = Rules(
            allow=settings.allow,
            mmscs=tuple((line.name, line.settings.carrier.mmsc) for line in fleet),
            aliases=settings.aliases,
            hosts=own_names([socket.gethostname()]),
            max_body=limits.max_body,
        )

    def stop(self) -> None:
        """Whoever waits is answered soon."""
        self._messages.stop()

    async def handle(self, request: Mm1Request) -> web.StreamResponse:
        """One request. Never raises but for a client that went away."""
        try:
            reply = await self._reply(request)
        except Exception:  # noqa: BLE001 - the door's supervisor: a fault of ours is a 500 for one client, and the door serves on
            _log.exception("a request could not be answered")
            reply = answers.plain(500, "fault of the gateway; see its log", close=True)
        _log_reply(request, reply)
        response = web.Response(status=reply.status, body=reply.body, headers=CIMultiDict(reply.headers))
        if reply.close:
            response.force_close()
        return response

    async def _reply(self, request: Mm1Request) -> Reply:
        knock = _knock(request)
        admitted = admit(knock, self._rules)
        if isinstance(admitted, Refusal):
            return answers.plain(admitted.status, admitted.text, admitted.headers, close=admitted.close)
        if request.method != "POST":
            return answers.plain(404, "nothing is kept here under this address")
        await say_continue(request)
        body = await read_body(request, self._limits)
        if isinstance(body, BodyFault):
            return self._body_refusal(body)
        return await self._post(request, knock, admitted, body)

    def _body_refusal(self, fault: BodyFault) -> Reply:
        if fault is BodyFault.TOO_LARGE:
            return answers.plain(413, too_large(self._limits.max_body).text, close=True)
        if fault is BodyFault.TOO_SLOW:
            return answers.plain(408, f"the body did not come within {self._limits.body:g} s", close=True)
        return answers.plain(400, f"the body is {fault.value}", close=True)

    async def _post(self, request: Mm1Request, knock: Knock, admitted: Admitted, body: bytes) -> Reply:
        line = (admitted.line and self._fleet.by_name(admitted.line)) or self._fleet.default
        ref = ref_of(knock.peer, body)
        intake = take_in(body, ref, max_size=line.max_size)
        if isinstance(intake, Reply):
            return intake
        try:
            headers = tuple(end_to_end(list(request.headers.items())))
        except HeaderError as error:
            return answers.refusal(intake.head, 400, answers.FORMAT_CORRUPT, answers.with_id(error.detail, ref))
        post = Post(knock.peer, ref, intake, line, body, headers, request.headers.get("User-Agent", ""))
        way = self._responses if intake.awaited is Awaited.NOTHING else self._messages
        return await way.send(post)


def _knock(request: Mm1Request) -> Knock:
    transport = request.transport
    own = transport.get_extra_info("sockname") if transport is not None else None
    host, port = own[:2] if isinstance(own, tuple) else ("", 0)
    return Knock(request.remote or "unknown", (host, port), request.method, request.target, request.headers)


def _log_reply(request: Mm1Request, reply: Reply) -> None:
    """One line for each answer. A warning where a person may want to change the config."""
    level = logging.WARNING if reply.status in (403, 421) else logging.INFO
    what = {"peer": request.remote, "method": request.method, "status": reply.status}
    _log.log(level, "answered", extra={**what, "cause": reply.cause} if reply.cause else what)

"""The MM1 door: MMS software posts its PDUs here as to an MMSC, or through here as to an MMS proxy (mm1.md).

Rule 1: the order of checks is mm1.md section 4: the gate before a body is read, the intake before anything is begun. Rule 2: a PDU goes
to a line's own MMSC, never to a host that a request named. Rule 3: an attempt is a task of its own: a client that hangs up or is
answered early never ends it, and an identical POST joins it. Rule 4: this module decides nothing about outcomes; carrier.attempt does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict

from mmsproxy.carrier.attempt import Attempt, Awaited, Outcome, Timings, doubtful, not_attempted
from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.headers import Header
from mmsproxy.carrier.line import CLIENT_PATIENCE, Line
from mmsproxy.config import Mm1Config
from mmsproxy.errors import MmsproxyError
from mmsproxy.link import Phase
from mmsproxy.web import mm1_answers as answers
from mmsproxy.web.guard import BodyFault, Door, Limits, open_door, quiet, read_body
from mmsproxy.web.mm1_answers import Reply
from mmsproxy.web.mm1_gate import Admitted, Knock, Refusal, Rules, admit, own_names, too_large
from mmsproxy.web.mm1_intake import Intake, take_in
from mmsproxy.web.replay import Key, Replay, Turn, key_of

SHUTDOWN_TIMEOUT = 25.0  # seconds; longer than a line's own grace, so that an attempt that ends in it is still answered
MAX_UNDER_WAY = 64 * 1024 * 1024  # octets of PDUs accepted and not yet decided: fifty pictures of 1 MiB and some
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SLOW_LINE_RETRY = 5.0  # seconds (mm1.md 5.2): the attempt goes on, so coming back soon is right
NO_ROOM_RETRY = 60.0

_log = logging.getLogger(__name__)


async def start_mm1(
    fleet: Fleet,
    settings: Mm1Config,
    *,
    limits: Limits | None = None,
    client_wait: float = CLIENT_PATIENCE,
    clock: Callable[[], float] = time.monotonic,
) -> Door:
    """Opens the door at `settings.listen` and returns it (`.port`, `.stop()`). `client_wait` in seconds. Raises ListenError.

    Attempts under way end when the fleet stops; stop both at once, so that their clients are answered.
    """
    limits = limits or Limits()
    mm1 = Mm1(fleet, settings, limits=limits, client_wait=client_wait, clock=clock)
    server = web.Server(mm1.handle, request_factory=Mm1Request)  # type: ignore[arg-type] # it gets what our factory makes
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIMEOUT)
    return await open_door(runner, settings.listen.host, settings.listen.port, key="mm1.listen", limits=limits)


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


@dataclass(frozen=True, slots=True)
class _Post:
    """A PDU that passed the checks, with what is needed to send it and to answer."""

    key: Key
    intake: Intake
    line: Line
    pdu: bytes
    headers: tuple[Header, ...]
    user_agent: str


class Mm1:
    """The handler of the door."""

    def __init__(
        self, fleet: Fleet, settings: Mm1Config, *, limits: Limits, client_wait: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fleet = fleet
        self._settings = settings
        self._limits = limits
        self._client_wait = client_wait
        self._rules = Rules(
            allow=settings.allow,
            mmscs=tuple((line.name, line.settings.carrier.mmsc) for line in fleet),
            aliases=settings.aliases,
            hosts=own_names([socket.gethostname()]),
            max_body=limits.max_body,
        )
        self._replay: Replay[Attempt] = Replay(clock)
        self._phases: dict[Key, Phase] = {}  # of the attempts under way
        self._under_way = 0  # octets
        self._tasks: set[asyncio.Task[None]] = set()

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
        if "Expect" in request.headers and request.version >= HttpVersion11:
            await request.writer.write(CONTINUE)
            request.writer.output_size = 0  # aiohttp takes these octets for the begin of an answer
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
        key = key_of(knock.peer, body)
        intake = take_in(body, key.message_id, max_size=line.max_size)
        if isinstance(intake, Reply):
            return intake
        headers = tuple(request.headers.items())
        return await self._send(_Post(key, intake, line, body, headers, request.headers.get("User-Agent", "")))

    async def _send(self, post: _Post) -> Reply:
        """Joins the attempt with the same key, or replays its outcome, or makes one; waits for it as long as the client will."""
        turn = self._turn(post)
        if isinstance(turn, Reply):
            return turn
        await asyncio.wait({turn.outcome}, timeout=self._client_wait)
        if not turn.outcome.done():
            return self._late(post)
        if turn.outcome.cancelled():
            return self._busy(post, "the gateway stops", NO_ROOM_RETRY)
        return self._decided(post, turn.outcome.result())

    def _turn(self, post: _Post) -> Turn[Attempt] | Reply:
        if post.key not in self._replay:
            wait = post.line.estimate_wait()
            if wait > self._client_wait:
                return self._busy(post, f"{post.line.queue_length} messages wait on line {post.line.name}", wait)
            if self._under_way + len(post.pdu) > MAX_UNDER_WAY:
                return self._busy(post, "too many octets wait to be sent", NO_ROOM_RETRY)
        turn = self._replay.begin(post.key)
        if turn is None:
            return self._busy(post, "too many messages of unknown outcome are kept", NO_ROOM_RETRY)
        if turn.mine:
            self._begin(post)
        return turn

    def _begin(self, post: _Post) -> None:
        self._phases[post.key] = Phase.NO_BEARER
        self._under_way += len(post.pdu)
        task = asyncio.get_running_loop().create_task(self._attempt(post), name=f"mm1 {post.key.message_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, post: _Post) -> None:
        """The task of one attempt: nobody awaits it, and it ends in an outcome whatever happens."""
        try:
            attempt = await self._outcome(post)
            keep = answers.keep_seconds(attempt) if post.intake.awaited is not Awaited.NOTHING else 0.0
            octets = len(attempt.answer.body) if attempt.answer else 0
            self._replay.finish(post.key, attempt, keep=keep, octets=octets, evictable=attempt.outcome is not Outcome.UNKNOWN)
        finally:
            self._under_way -= len(post.pdu)
            self._phases.pop(post.key, None)
            self._replay.abandon(post.key)

    async def _outcome(self, post: _Post) -> Attempt:
        try:
            return await post.line.post(
                post.pdu,
                post.headers,
                on_phase=lambda phase: self._phases.__setitem__(post.key, phase),
                transaction_id=post.intake.transaction_id,
                awaited=post.intake.awaited,
                budget=self._client_wait,
            )
        except MmsproxyError as error:
            return not_attempted(error, size=len(post.pdu), timings=Timings())
        except Exception:  # noqa: BLE001 - who joined must be answered: 500 or 504 by what may have left (mm1.md 5.2)
            _log.exception("an attempt ended by a fault of ours", extra={"id": post.key.message_id})
            judge = doubtful if self._phases[post.key] >= Phase.LAST_BYTE else not_attempted
            return judge(MmsproxyError("fault of the gateway; see its log"), size=len(post.pdu), timings=Timings())

    def _decided(self, post: _Post, attempt: Attempt) -> Reply:
        message_id = post.key.message_id
        _log.info("decided", extra={"id": message_id, "outcome": attempt.outcome.value, "code": attempt.code, "detail": attempt.detail})
        if post.intake.awaited is Awaited.NOTHING:
            return answers.reply_to_response(attempt, post.intake.head, message_id)
        globs = self._settings.rejected_as_http_error
        as_error = any(fnmatchcase(post.user_agent, glob) for glob in globs)
        return answers.reply_to(attempt, post.intake.head, message_id, rejected_as_http_error=as_error)

    def _late(self, post: _Post) -> Reply:
        """The client will not wait longer; the attempt goes on."""
        waited = f"{self._client_wait:g} s"
        head, message_id = post.intake.head, post.key.message_id
        if self._phases.get(post.key, Phase.LAST_BYTE) >= Phase.LAST_BYTE:
            text = f"no answer from the carrier within {waited}: the outcome is unknown"
            return answers.refusal(head, 504, answers.UNKNOWN_OUTCOME, answers.with_id(text, message_id))
        text = f"not sent within {waited}: slow line, still trying; the same POST joins it"
        return self._busy(post, text, SLOW_LINE_RETRY)

    def _busy(self, post: _Post, cause: str, retry_after: float) -> Reply:
        text = answers.with_id(cause, post.key.message_id)
        return answers.refusal(post.intake.head, 503, answers.TRANSIENT_NETWORK_PROBLEM, text, retry_after=retry_after)


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

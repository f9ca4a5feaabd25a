"""A simulated carrier's MMSC on loopback: takes M-Send.req by HTTP POST, keeps it, and answers as real ones do and as broken ones do.

Law: requests are read with our codec, answers are laid octet by octet here, so that a mistake of our encoder cannot hide. What a real
MMSC (Mbuni) was seen to answer is in mm1.md 3. A test may answer for itself by `hook`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from mmsproxy.errors import ListenError, PduError
from mmsproxy.wire import mms_pdu

MMS_MESSAGE = "application/vnd.wap.mms-message"
ANSWERS = ("ok", "e0", "c0", "html", "empty", "500", "slow", "drop")
MAX_BODY = 4 << 20  # octets; above what any carrier takes, so that the gateway's own limit is what is seen
SLOW_SECONDS = 5.0  # the mode `slow`: the whole answer takes that long
SLOW_PIECES = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it came: `target` and `headers` untouched, in order."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    pdu: mms_pdu.Pdu | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `reset`: no answer, the connection is cut; `pieces`: the body in so many pieces over `seconds`."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", MMS_MESSAGE),)
    seconds: float = 0.0
    pieces: int = 1
    reset: bool = False


@dataclass(slots=True)
class Early:
    """What happens before a body is read, for the next request only: an answer and FIN, or a cut (None)."""

    answer: Answer | None = None


Hook = Callable[[Request], Answer | None]


class _Raw(web.BaseRequest):
    """Keeps the target as the request line has it."""

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


@dataclass(slots=True)
class Mmsc:
    """The carrier.

    answer   one of ANSWERS; may be changed while it runs
    store    a folder where each accepted PDU becomes a file; None: kept in `requests` only
    keep     how many requests are kept
    hook     answers in place of `answer` where it returns one
    early    what happens to the next request before its body is read
    """

    answer: str = "ok"
    store: Path | None = None
    keep: int = 1000
    hook: Hook | None = None
    early: Early | None = None
    accepted: int = 0
    requests: deque[Request] = field(default_factory=deque)
    port: int = 0
    _runner: web.ServerRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listens. Raises ListenError."""
        self.requests = deque(maxlen=self.keep)
        server = web.Server(self._handle, request_factory=_Raw, access_log=None, auto_decompress=False)  # type: ignore[arg-type] # our request
        self._runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ListenError(f"cannot listen on {host}:{port}: {error.strerror}", cure="name another address with --listen") from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """May be called twice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: _Raw) -> web.StreamResponse:
        early, self.early = self.early, None
        if early is not None:
            return await _give_early(request, early.answer) if early.answer else await self._give(request, Answer(reset=True))
        taken = await _read(request)
        if taken is None:
            return web.Response(status=413, text="too large")
        self.requests.append(taken)
        answer = self.hook(taken) if self.hook is not None else None
        return await self._give(request, answer or self._answer(taken))

    async def _give(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        if answer.reset:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError
        if answer.pieces == 1:
            await asyncio.sleep(answer.seconds)
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return await _dribble(request, answer)

    def _answer(self, request: Request) -> Answer:
        if request.method != "POST":
            return _plain(404, "not found")
        if request.pdu is None:
            return _plain(400, "Malformed MMS message")
        match request.pdu:
            case mms_pdu.SendReq() | mms_pdu.ForwardReq():
                return self._submitted(request, request.pdu)
            case mms_pdu.NotifyRespInd() | mms_pdu.AcknowledgeInd() | mms_pdu.ReadRecInd():
                return _plain(200, "Received")
        return _plain(403, f"Unexpected MMS message type {request.pdu.message_type}")

    def _submitted(self, request: Request, pdu: mms_pdu.SendReq | mms_pdu.ForwardReq) -> Answer:
        conf_type = 0x81 if isinstance(pdu, mms_pdu.SendReq) else 0x8A
        transaction_id = (pdu.transaction_id or "").encode("utf-8", "surrogateescape")
        match self.answer:
            case "e0":
                return Answer(body=confirmation(conf_type, transaction_id, 0xE0, text=b"Refused by the simulated carrier"))
            case "c0":
                return Answer(body=confirmation(conf_type, transaction_id, 0xC0, text=b"Try again later"))
            case "html":
                html = b"<html><body><h1>Top up your account</h1></body></html>"
                return Answer(body=html, headers=(("Content-Type", "text/html"),))
            case "empty":
                return Answer()
            case "500":
                return _plain(500, "Internal Server Error")
            case "drop":
                return Answer(reset=True)
        body = confirmation(conf_type, transaction_id, 0x80, message_id=self._accept(request))
        return Answer(body=body, seconds=SLOW_SECONDS, pieces=SLOW_PIECES) if self.answer == "slow" else Answer(body=body)

    def _accept(self, request: Request) -> bytes:
        """Keeps the message; returns its Message-ID."""
        self.accepted += 1
        name = f"{self.accepted:06d}-{request.sha256[:12]}"
        if self.store is not None:
            self.store.mkdir(parents=True, exist_ok=True)
            (self.store / f"{name}.mms").write_bytes(request.body)
        _log.debug("accepted %s, %d octets", name, len(request.body))
        return f"{name}@mmsc.simulator".encode()


def confirmation(
    kind: int, transaction_id: bytes, status: int, *, message_id: bytes = b"", text: bytes = b"", version: int = 0x92
) -> bytes:
    """An M-Send.conf (0x81) or M-Forward.conf (0x8A), octet by octet (OMA-TS-MMS_ENC 6.1.2)."""
    pdu = bytes((0x8C, kind)) + b"\x98" + transaction_id + b"\x00" + bytes((0x8D, version, 0x92, status))
    if text:
        pdu += b"\x93" + text + b"\x00"
    if message_id:
        pdu += b"\x8b" + message_id + b"\x00"
    return pdu


def _plain(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), (("Content-Type", "text/plain"),))


async def _read(request: _Raw) -> Request | None:
    """The request with its body and, where it is one, its PDU; None when the body is larger than MAX_BODY."""
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MAX_BODY:
            return None
    headers = tuple((key.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for key, value in request.raw_headers)
    octets = bytes(body)
    try:
        pdu: mms_pdu.Pdu | None = mms_pdu.decode(octets) if octets else None
    except PduError:
        pdu = None
    return Request(request.method, request.target, headers, octets, pdu)


async def _give_early(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """The answer and FIN while the body still comes; what comes is read and thrown away, else RST would overtake the answer."""
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    if isinstance(request.transport, asyncio.Transport):
        request.transport.write_eof()
    return response


async def _dribble(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    step = max(1, -(-len(answer.body) // answer.pieces))
    for start in range(0, len(answer.body), step):
        await asyncio.sleep(answer.seconds / answer.pieces)
        await response.write(answer.body[start : start + step])
    await response.write_eof()
    return response

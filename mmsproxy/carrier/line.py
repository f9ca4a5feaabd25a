"""One SIM: its queue, its template, its tunnel. Takes PDUs in order of arrival and gives back decided attempts.

Laws: one attempt at a time; who hangs up changes nothing for an attempt that was accepted; a fault of modem or carrier is in the
Attempt, never raised; inside one call a message is tried again only while no octet of it was offered.
It knows no door, no durable queue and no aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mmsproxy.carrier.attempt import Attempt, Awaited, Outcome, Timings, doubtful, judge, not_attempted
from mmsproxy.carrier.connector import ModemConnector
from mmsproxy.carrier.exchange import Limits, OnPhase
from mmsproxy.carrier.headers import Header, Headers, Template, outgoing_headers
from mmsproxy.carrier.sms import SmsLine
from mmsproxy.carrier.transport import LinkGate, Observer
from mmsproxy.carrier.tunnel import BeforeLastByte, Tunnel, Upstream
from mmsproxy.config import REAL_LINE_MIN_INTERVAL, LineConfig
from mmsproxy.errors import LineStopped, LinkLost, MmsproxyError
from mmsproxy.events import Bus, MessageFailed, MessageSent
from mmsproxy.link import Link, LinkState, LinkStatus, Phase, SmsLink, Tap

CLIENT_PATIENCE = 55.0  # seconds an MM1 client is kept waiting (mm1.md 1): no further try begins after it
RETRY_PAUSES = (0.5, 2.0)  # seconds before the second and the third try of one call: enough for a modem that was just plugged in again
STOP_GRACE = 20.0  # seconds that an orderly stop leaves to an attempt whose last byte is out
REMEMBERED = 8  # attempts whose duration the estimate of the queue is made from
BITS_PER_OCTET = 10  # 8N1 on the serial line

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    """One accepted message."""

    pdu: bytes
    headers: Headers
    awaited: Awaited
    transaction_id: str | None
    on_phase: OnPhase | None
    before_last_byte: BeforeLastByte
    budget: float
    accepted: float
    done: asyncio.Future[Attempt] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


async def _nothing() -> None:
    return


class Line:
    """One line over one link. `clock` is a monotonic clock in seconds."""

    def __init__(
        self,
        settings: LineConfig,
        link: Link,
        *,
        bus: Bus,
        tap: Tap | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        carrier = settings.carrier
        self._settings = settings
        self._link = link
        self._bus = bus
        self._clock = clock
        self._upstream = Upstream.of(carrier.mmsc, carrier.proxy)
        self._template = _template(settings)
        self._gate = LinkGate()
        self._turn = asyncio.Lock()  # held while a PDU or an SMS is being sent
        self._sms = SmsLine(settings.name, link.sms, self._turn, clock=clock) if isinstance(link, SmsLink) else None
        self._tunnel = Tunnel(
            self._upstream,
            partial(_connector, link, self._gate),
            limits=limits,
            byte_rate=settings.modem.baud / BITS_PER_OCTET if settings.host is None else 0,
            tap=tap,
        )
        self._waiting: deque[_Job] = deque()
        self._running: _Job | None = None
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._rousing: asyncio.Task[bool] | None = None
        self._next_free_at = 0.0
        self._durations: deque[float] = deque(maxlen=REMEMBERED)

    def __repr__(self) -> str:
        return f"<Line {self.name} {self.state.status.name} queue={self.queue_length}>"

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def settings(self) -> LineConfig:
        return self._settings

    @property
    def state(self) -> LinkState:
        """The link's."""
        return self._link.state

    @property
    def sms(self) -> SmsLine | None:
        """The line's way for SMS; None where its link is no modem."""
        return self._sms

    @property
    def mmsc_authority(self) -> tuple[str, int]:
        """Host in lower case and port of the line's MMSC."""
        return self._upstream.authority

    @property
    def max_size(self) -> int | None:
        """The largest PDU that the carrier takes, in octets; None when that is not known."""
        return self._settings.carrier.max_size

    @property
    def min_interval(self) -> float:
        """Seconds from the begin of one attempt to the begin of the next."""
        configured = self._settings.min_interval
        if configured is not None:
            return configured
        return 0.0 if self._settings.is_simulated else REAL_LINE_MIN_INTERVAL

    @property
    def queue_length(self) -> int:
        """Messages accepted and not yet decided, the one under way included."""
        return len(self._waiting) + (self._running is not None)

    @property
    def progress(self) -> tuple[int, int] | None:
        """Octets of the MMS under way that may have left, and all of them; None when there is none."""
        exchange = self._tunnel.current
        return None if exchange is None else exchange.progress

    def estimate_wait(self, ahead: int = 0) -> float:
        """Seconds until a message posted behind `ahead` others would begin, as far as can be told. 0 when nothing is known: that is no
        reason to refuse."""
        typical = sorted(self._durations)[len(self._durations) // 2] if self._durations else 0.0
        pace = max(typical, self.min_interval)
        free_in = max(0.0, self._next_free_at - self._clock()) if self.min_interval else 0.0
        return max(pace * (self.queue_length + ahead), free_in + pace * (len(self._waiting) + ahead))

    async def rouse(self) -> bool:
        """A message waits while the line is down: its link tries now rather than at its next turn, and again after RETRY_PAUSES, for what
        was pulled out may be back in a moment. True once it works; False when it does not. Who asks meanwhile waits for the same."""
        if self._rousing is None or self._rousing.done():
            self._rousing = asyncio.get_running_loop().create_task(self._rouse(), name=f"rouse {self.name}")
        return await asyncio.shield(self._rousing)

    async def _rouse(self) -> bool:
        for pause in (0.0, *RETRY_PAUSES):
            await asyncio.sleep(pause)
            if self._is_stopping or self._worker is None:
                break
            with contextlib.suppress(MmsproxyError):
                await self._link.ready()
                return True
        return False

    async def start(self) -> None:
        """Starts the link and begins to work. Returns at once."""
        if self._worker is None:
            self._is_stopping = False
            await self._link.start()
            if self._sms is not None:
                self._sms.start()
            self._worker = asyncio.get_running_loop().create_task(self._work(), name=f"line {self.name}")

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """Accepts nothing more, answers what waits as not sent, lets an attempt whose last byte is out finish within `grace` seconds,
        ends any other, and stops the link; an SMS that is being sent has `grace` seconds of its own. May be called twice."""
        self._is_stopping = True
        while self._waiting:
            job = self._waiting.popleft()
            self._finish(job, self._not_attempted(job))
        if self._sms is not None:
            await self._sms.stop(grace)
        if self._worker is not None:
            await self._end_running(grace)
            worker, self._worker = self._worker, None
            worker.cancel()
            await asyncio.wait({worker})
        await self._link.stop()
        if self._rousing is not None:
            await asyncio.wait({self._rousing})
        await self._gate.idle()

    async def post(
        self,
        pdu: bytes,
        headers: Sequence[Header] = (),
        *,
        on_phase: OnPhase | None = None,
        transaction_id: str | None = None,
        awaited: Awaited = Awaited.SEND_CONF,
        before_last_byte: BeforeLastByte = _nothing,
        budget: float = CLIENT_PATIENCE,
    ) -> Attempt:
        """Posts one PDU and returns what became of it. Cancelling the caller does not cancel the attempt.

        headers         the client's, as they came; values UTF-8 with surrogateescape
        on_phase        hears each higher phase; LAST_BYTE from just before the segment with the last byte is handed to the modem
        transaction_id  the PDU's, checked against the confirmation's; None: not checked
        before_last_byte  awaited before the last piece of the body may leave; if it raises, the message is not sent
        budget          seconds from now within which a message of which nothing has left may be tried again

        Raises HeaderError for a header that may not pass, ValueError for an empty PDU; nothing for link or carrier.
        """
        if not pdu:
            raise ValueError("an empty PDU cannot be posted")
        outgoing = outgoing_headers(headers, self._template)
        job = _Job(pdu, outgoing, awaited, transaction_id, on_phase, before_last_byte, budget, self._clock())
        if self._worker is None or self._is_stopping:
            return self._not_attempted(job)
        self._waiting.append(job)
        self._wake.set()
        return await asyncio.shield(job.done)

    # The worker.

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            if not self._waiting:
                self._wake.clear()
                continue
            await self._pause_between()
            if self._waiting:
                await self._serve(self._waiting.popleft())

    async def _pause_between(self) -> None:
        while (pause := self._next_free_at - self._clock()) > 0 and self._waiting:
            await asyncio.sleep(pause)

    async def _serve(self, job: _Job) -> None:
        self._running = job
        begun = self._clock()
        self._next_free_at = begun + self.min_interval
        try:
            async with self._turn:
                attempt = self._not_attempted(job) if self._is_stopping else await self._attempt(job)
        except asyncio.CancelledError:
            attempt = self._doubtful(job, LineStopped("the gateway was stopped before the answer came"))
            raise
        except Exception:  # noqa: BLE001 - the line's supervisor: our own fault must not hang a client or end the line
            _log.exception("an attempt ended by a fault of ours", extra={"line": self.name})
            attempt = self._doubtful(job, MmsproxyError("an attempt ended by a fault of the gateway; see its log"))
        finally:
            self._running = None
            self._durations.append(self._clock() - begun)
            self._finish(job, attempt)

    async def _attempt(self, job: _Job) -> Attempt:
        """Up to three tries; a further one only while nothing has left."""
        tries, begun, attempt = 1, self._clock(), await self._try(job)
        for pause in RETRY_PAUSES:
            if not await self._is_worth_another(job, attempt, pause):
                break
            _log.info("trying again", extra={"line": self.name, "code": attempt.code, "detail": attempt.detail})
            tries, begun, attempt = tries + 1, self._clock(), await self._try(job)
        timings = replace(attempt.timings, waiting=begun - job.accepted, total=self._clock() - job.accepted)
        return replace(attempt, tries=tries, timings=timings)

    async def _try(self, job: _Job) -> Attempt:
        trial = await self._tunnel.post(job.pdu, job.headers, on_phase=job.on_phase, before_last_byte=job.before_last_byte)
        return judge(trial, awaited=job.awaited, transaction_id=job.transaction_id)

    async def _is_worth_another(self, job: _Job, attempt: Attempt, pause: float) -> bool:
        """Waits for `pause` when another try is allowed and in time; then True unless the line is being stopped or the modem is down for
        another reason than that it was just lost: what was pulled out may be back in a moment."""
        if attempt.outcome is not Outcome.NOT_SENT or not attempt.retryable or attempt.phase > Phase.OPEN:
            return False
        if self._is_stopping or self._clock() + pause - job.accepted >= job.budget:
            return False
        await asyncio.sleep(pause)
        is_back = self._link.state.status is not LinkStatus.DOWN or isinstance(attempt.error, LinkLost)
        return is_back and not self._is_stopping

    async def _end_running(self, grace: float) -> None:
        job, exchange = self._running, self._tunnel.current
        if job is None:
            return
        if exchange is not None and exchange.announced < Phase.LAST_BYTE:
            exchange.fail(LineStopped("the gateway was stopped before the last byte left"))
        await asyncio.wait({job.done}, timeout=grace)

    def _finish(self, job: _Job, attempt: Attempt) -> None:
        if not job.done.done():
            job.done.set_result(attempt)
        self._announce(attempt)

    def _announce(self, attempt: Attempt) -> None:
        if attempt.outcome is Outcome.SENT:
            self._bus.announce(MessageSent(self.name, attempt.message_id, attempt.bytes_total, attempt.timings.total))
            return
        self._bus.announce(MessageFailed(self.name, attempt.outcome.value, attempt.code, attempt.detail, int(attempt.phase)))

    def _not_attempted(self, job: _Job) -> Attempt:
        return not_attempted(LineStopped(f"line {self.name} is stopped"), size=len(job.pdu), timings=self._waited(job))

    def _doubtful(self, job: _Job, error: MmsproxyError) -> Attempt:
        return doubtful(error, size=len(job.pdu), timings=self._waited(job))

    def _waited(self, job: _Job) -> Timings:
        waited = self._clock() - job.accepted
        return Timings(waiting=waited, total=waited)


def _connector(link: Link, gate: LinkGate, observer: Observer) -> ModemConnector:
    return ModemConnector(link, gate=gate, observer=observer)


def _template(settings: LineConfig) -> Template:
    carrier = settings.carrier
    return Template(
        headers=tuple(carrier.headers.items()),
        number=settings.number or "",
        nai=carrier.nai,
        user_agent=carrier.user_agent,
        ua_profile=carrier.ua_profile,
        ua_profile_header=carrier.ua_profile_header,
    )

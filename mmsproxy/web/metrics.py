"""What Prometheus reads: the meters, and how facts become numbers (docs/metrics.md names each).

Rule 1: attempts and states are counted from the store's log, so what is shown is what was committed; only what the store does not know
(the modem, webhooks, requests) comes from the bus. Rule 2: counters count what this process saw since its start. Rule 3: no label holds a
telephone number, an address or anything else that a client can choose. It decides nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.line import Line
from mmsproxy.errors import StoreError
from mmsproxy.events import BearerUp, Bus, Fact, LineFailed, LineLost, LinkRecovering, WebhookTried
from mmsproxy.link import LinkStatus
from mmsproxy.post import gauges, hooks
from mmsproxy.post.gauges import Ended, Queue
from mmsproxy.post.job import Kind, State
from mmsproxy.post.reading import last_event_seq
from mmsproxy.post.records import Event
from mmsproxy.post.schema import GATEWAY
from mmsproxy.post.store import Store
from mmsproxy.version import __version__
from mmsproxy.web.routes import Answer, Handler, Route

FOLLOW_EVERY = 10.0  # seconds between looks at the log when nobody asks
CACHED = 2.0  # seconds for which the store's gauges stand: many scrapers cost no more than one
PORTION = 500  # events in one look
STORE_PATIENCE = 5.0  # seconds; below the 10 s that Prometheus waits: a scrape without the store's numbers is better than none
BITS_PER_OCTET = 10  # 8N1 on the serial line
_STATES = frozenset(state.value for state in State)
STAGES = ("waiting", "bearer", "connect", "sending", "answering", "total")
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the store last said."""

    messages: dict[str, int] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()


class Metrics:
    """All meters of one gateway, in a registry of its own.

    monotonic  seconds, for the age of what is cached
    """

    def __init__(self, store: Store, fleet: Fleet, *, bus: Bus, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._store = store
        self._lines = {line.name: line for line in fleet}
        self._bus = bus
        self._monotonic = monotonic
        self._seen: int | None = None
        self._stored: _Stored | None = None
        self._looked_at = float("-inf")
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._make_meters()
        self.registry.register(_Gauges(self._families))

    async def start(self) -> None:
        """Begins to count. Raises StoreError."""
        self._seen = await self._store.read(last_event_seq)
        self._unsubscribe = self._bus.subscribe(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._keep_following(), name="metrics")

    async def stop(self) -> None:
        """May be called twice."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def text(self, accept: str = "") -> tuple[bytes, str]:
        """All numbers as they are now, in the form that the scraper prefers, with its content type."""
        await self.refresh()
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type

    async def refresh(self) -> None:
        """Counts what the log has, and looks at the store's gauges unless they are fresh. While the store is away, it says so."""
        try:
            async with asyncio.timeout(STORE_PATIENCE), self._lock:
                await self._follow()
                if self._monotonic() - self._looked_at >= CACHED:
                    self._stored = await self._look()
                    self._looked_at = self._monotonic()
        except (StoreError, TimeoutError) as error:
            _log.warning("the store gives no numbers: %s", str(error) or "no answer in time")
            self._stored, self._looked_at = None, float("-inf")

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Counts a request; to be the outermost."""
        begun, status = self._monotonic(), "none"  # none: the client went away
        try:
            response = await handler(request)
            status = str(response.status)
            return response
        except web.HTTPException as error:
            status = str(error.status)
            raise
        finally:
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "other"
            method = request.method if request.method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
            self._requests.labels(method, route, status).inc()
            self._request_seconds.labels(route).observe(self._monotonic() - begun)

    # The meters.

    def _make_meters(self) -> None:
        self._attempts = self._counter("attempts", "Attempts that ended, by what became of them", "line", "outcome")
        self._errors = self._counter("attempt_errors", "Attempts that did not end as sent, by error code", "line", "code")
        self._stages = self._histogram("attempt_stage_seconds", "Time that the stages of an attempt took", SECONDS, "line", "stage")
        self._bytes = self._counter("sent_bytes", "Octets of bodies that were handed to modems", "line")
        self._rate = Gauge("mmsproxy_line_rate_ratio", "Of the line's bit rate, what the last MMS used", ("line",), registry=self.registry)
        self._changes = self._counter("message_changes", "New states of messages", "status")
        self._retries = self._counter("retries", "Attempts after which another will follow", "line")
        self._unknowns = self._counter("unknowns", "Attempts whose outcome nobody knows", "line")
        self._recoveries = self._counter("line_recoveries", "Rungs of the recovery ladder that were taken", "line", "rung")
        self._losses = self._counter("line_losses", "How often a modem became unusable", "line")
        self._alarms = self._counter("line_alarms", "How often no rung of the recovery helped", "line")
        self._bearer = self._histogram("bearer_seconds", "Time that the PDP context took to come up", SECONDS, "line")
        self._tries = self._counter("webhook_tries", "Requests to webhooks and callback URLs", "outcome")
        self._webhook_seconds = self._histogram("webhook_seconds", "Time that webhooks took to answer", HTTP_SECONDS)
        self._requests = self._counter("http_requests", "Requests at the web door", "method", "route", "status")
        self._request_seconds = self._histogram("http_request_seconds", "Time that the web door took to answer", HTTP_SECONDS, "route")
        for name in self._lines:  # a counter that appears with its first count is missed by rate()
            self._unknowns.labels(name)
            self._retries.labels(name)
            self._losses.labels(name)
            self._alarms.labels(name)
            self._bytes.labels(name)
            self._attempts.labels(name, "sent")

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"mmsproxy_{name}", what, labels, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"mmsproxy_{name}", what, labels, registry=self.registry, buckets=buckets)

    # Counting.

    async def _keep_following(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_EVERY)
            try:
                async with asyncio.timeout(STORE_PATIENCE), self._lock:
                    await self._follow()
            except (StoreError, TimeoutError) as error:
                _log.info("metrics wait: %s", str(error) or "no answer in time")
            except Exception:  # noqa: BLE001 - a supervisor: one fault of ours must not end the counting without a word
                _log.exception("a fault of the metrics")

    async def _follow(self) -> None:
        """Counts each event once: the place in the log moves only when its portion was counted."""
        if self._seen is None:
            return
        while found := await self._store.events_after(self._seen, limit=PORTION):
            told = tuple(found)
            for one in await self._store.read(lambda run, told=told: gauges.ended(run, told)):  # type: ignore[misc]
                self._count_attempt(one)
            for event in told:
                self._count_event(event)
            self._seen = told[-1].seq

    def _count_event(self, event: Event) -> None:
        group, _, state = event.type.partition(".")
        if group != "message" or state not in _STATES:
            return
        self._changes.labels(state).inc()
        if event.line not in self._lines:
            return
        if event.type == "message.retrying":
            self._retries.labels(event.line).inc()
        elif event.type == "message.unknown":
            self._unknowns.labels(event.line).inc()

    def _count_attempt(self, one: Ended) -> None:
        attempt = one.attempt
        line = self._lines.get(attempt.line)
        if line is None:  # of another gateway that shares the store
            return
        self._attempts.labels(line.name, "interrupted" if attempt.outcome is None else attempt.outcome.value).inc()
        if attempt.code:
            self._errors.labels(line.name, attempt.code).inc()
        for stage in STAGES:
            if stage in attempt.timings:
                self._stages.labels(line.name, stage).observe(attempt.timings[stage])
        self._bytes.labels(line.name).inc(attempt.bytes_offered)
        ratio = _rate_ratio(line, one)
        if ratio is not None:
            self._rate.labels(line.name).set(ratio)

    def _hear(self, fact: Fact) -> None:
        match fact:
            case LinkRecovering():
                self._recoveries.labels(fact.line, str(fact.rung)).inc()
            case LineLost():
                self._losses.labels(fact.line).inc()
            case LineFailed():
                self._alarms.labels(fact.line).inc()
            case BearerUp():
                self._bearer.labels(fact.line).observe(fact.seconds)
            case WebhookTried():
                self._tries.labels(fact.outcome).inc()
                self._webhook_seconds.observe(fact.seconds)
            case _:
                pass

    # Gauges, made when they are asked for.

    async def _look(self) -> _Stored:
        rows = await self._store.lines()
        return _Stored(
            messages=await self._store.counts(),
            queues=await self._store.read(gauges.queues),
            deliveries=await self._store.read(hooks.counts),
            paused=frozenset(name for name, row in rows.items() if row.paused_at is not None),
        )

    def _families(self) -> Iterator[Metric]:
        yield _family("build_info", "The version that runs", [({"version": __version__}, 1)])
        yield _family("store_up", "1 while the store answers", [({}, self._stored is not None)])
        yield _family("store_accepts", "1 while messages are accepted: there is room, and the disk can be trusted", [({}, self._accepts())])
        yield from self._line_families()
        yield from _stored_families(self._stored, self._lines, self._store.database.now())

    def _accepts(self) -> bool:
        try:
            self._store.check_intake()
        except StoreError:
            return False
        return True

    def _line_families(self) -> Iterator[Metric]:
        states = [(line, line.state) for line in self._lines.values()]
        yield _family(
            "line_state",
            "1 for the state that the line's modem is in",
            [({"line": line.name, "state": one.name.lower()}, one is state.status) for line, state in states for one in LinkStatus],
        )
        known = [({"line": line.name}, state.signal_dbm) for line, state in states if state.signal_dbm is not None]
        yield _family("line_signal_dbm", "Signal strength, where the modem tells it", known)


def _stored_families(stored: _Stored | None, lines: Iterable[str], now: float) -> Iterator[Metric]:
    known = stored or _Stored()
    here = () if stored is None else ("", *lines)
    messages = [({"status": state.value}, known.messages.get(state.value, 0)) for state in State] if stored else []
    yield _family("messages", "Messages in the store", messages)
    lengths = [({"line": line}, known.queues[line].count if line in known.queues else 0) for line in here]
    yield _family("queue_messages", "Messages that wait; line empty: any line may take them", lengths)
    ages = [({"line": line}, max(0.0, now - known.queues[line].oldest) if line in known.queues else 0) for line in here]
    yield _family("queue_oldest_age_seconds", "How long the message that waits longest has waited", ages)
    states = ("waiting", "delivered", "failed") if stored else ()
    yield _family("webhook_deliveries", "Deliveries in the store", [({"status": one}, known.deliveries.get(one, 0)) for one in states])
    paused = [({"line": line}, line in known.paused) for line in here if line]
    yield _family("line_paused", "1 while the line is paused", paused)
    yield _family("gateway_paused", "1 while everything is paused: the kill switch", [({}, GATEWAY in known.paused)] if stored else [])


def _family(name: str, what: str, samples: Iterable[tuple[dict[str, str], float | None]]) -> Metric:
    found = list(samples)
    labels = tuple(found[0][0]) if found else ()
    family = GaugeMetricFamily(f"mmsproxy_{name}", what, labels=labels)
    for values, number in found:
        family.add_metric(tuple(values.values()), float(number or 0))
    return family


class _Gauges(Collector):
    """Hands on what is true at the moment of the question."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()


def _rate_ratio(line: Line, one: Ended) -> float | None:
    """Octets on the wire against what the serial port could carry in the same time. None for host lines and where nothing was sent."""
    seconds, offered = one.attempt.timings.get("sending", 0.0), one.attempt.bytes_offered
    if line.settings.host is not None or one.kind is not Kind.MMS or seconds <= 0 or not offered:
        return None
    return offered * BITS_PER_OCTET / seconds / (line.settings.modem.max_baud or line.settings.modem.baud)


def routes(metrics: Metrics, *, is_open: bool) -> Iterable[Route]:
    """`is_open`: web.open_metrics."""

    async def show(request: web.Request) -> web.Response:
        body, content_type = await metrics.text(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    answer = Answer(200, "the text format of Prometheus, or OpenMetrics where it is asked for", content_type="text/plain")
    yield Route("GET", "/metrics", show, None if is_open else "lines", "Numbers for Prometheus", group="health", answers=(answer,))

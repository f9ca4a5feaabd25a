"""The meters: what is counted of a real store and of facts, how a scraper reads it, and that pages and alerts name what is there."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain
from ruamel.yaml import YAML

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.carrier.fleet import Fleet
from mmsproxy.config import CarrierConfig, HostConfig, LineConfig, ModemConfig
from mmsproxy.errors import StoreFull, StoreUnavailable
from mmsproxy.events import BearerUp, Bus, LineFailed, LineLost, LineOnline, LinkRecovering, WebhookTried
from mmsproxy.link import LinkState, LinkStatus, Phase
from mmsproxy.post import hooks
from mmsproxy.post.job import Lease, Result
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker
from mmsproxy.web import metrics as module
from mmsproxy.web.metrics import CACHED, Metrics, routes

START = 1_800_000_000.0
PDU = Pdu(b"\x8c\x80\x98T1\x00\x8d\x92")


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class Line:
    """What the meters look at of carrier.line.Line."""

    settings: LineConfig
    state: LinkState = field(default_factory=lambda: LinkState(LinkStatus.ATTACHED))

    @property
    def name(self) -> str:
        return self.settings.name


@dataclass
class Place:
    store: Store
    clock: Clock
    lines: list[Line]
    bus: Bus = field(default_factory=Bus)
    made: list[Metrics] = field(default_factory=list)

    async def metrics(self) -> Metrics:
        self.made.append(Metrics(self.store, cast(Fleet, self.lines), bus=self.bus, monotonic=self.clock))
        await self.made[-1].start()
        return self.made[-1]

    async def attempt(self, result: Result, line: str = "mint") -> None:
        worker = Worker("node/1", line)
        lease = await self.store.claim(worker)
        assert isinstance(lease, Lease)
        await self.store.finish(await self.store.begin(lease, worker, PDU), result)


def carrier() -> CarrierConfig:
    return CarrierConfig(apn="a", mmsc="http://mms.example/")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    ids, clock = itertools.count(), Clock()
    store = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=clock,
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    mint = LineConfig(name="mint", carrier=carrier(), modem=ModemConfig(port="/dev/ttyUSB0", baud=115200))
    host = LineConfig(name="host", carrier=carrier(), host=HostConfig(interface="wwan0"))
    made = Place(store, clock, [Line(mint), Line(host)])
    yield made
    for one in made.made:
        await one.stop()
        await one.stop()
    await store.close()


def result(outcome: Outcome, **fields: Any) -> Result:
    return Result(outcome, fields.pop("phase", Phase.ANSWER_WHOLE), **fields)


async def numbers(metrics: Metrics) -> dict[str, float]:
    """`name{label="value"}` of every sample."""
    body, _ = await metrics.text()
    found = {}
    for family in plain(body.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name.removeprefix('mmsproxy_')}{{{labels}}}"] = sample.value
    return found


async def test_queue_and_states(place: Place) -> None:
    metrics = await place.metrics()
    await place.store.accept([Draft(("+12025550123",), pdu=PDU, line="mint"), Draft(("+12025550123",), pdu=PDU)])
    place.clock.now += 30
    await place.store.accept([Draft(("+12025550123",), pdu=PDU, line="mint", send_at=place.clock.now + 60)])
    found = await numbers(metrics)
    assert found['queue_messages{line="mint"}'] == found['queue_messages{line=""}'] == 1
    assert found['queue_messages{line="host"}'] == found['queue_oldest_age_seconds{line="host"}'] == 0
    assert found['queue_oldest_age_seconds{line="mint"}'] == 30
    assert (found['messages{status="queued"}'], found['messages{status="scheduled"}'], found['messages{status="sent"}']) == (2, 1, 0)
    assert (found["store_up{}"], found["store_accepts{}"]) == (1, 1)


async def test_attempts(place: Place) -> None:
    await place.store.accept([Draft(("+12025550123",), pdu=PDU) for _ in range(5)])
    await place.attempt(result(Outcome.SENT))
    metrics = await place.metrics()
    timings = {"waiting": 0.1, "sending": 2.0, "total": 4.0}
    await place.attempt(result(Outcome.SENT, bytes_offered=11_520, timings=timings))
    await place.attempt(result(Outcome.NOT_SENT, phase=Phase.OPEN, code="connect_failed", retryable=True))
    await place.attempt(result(Outcome.UNKNOWN, phase=Phase.LAST_BYTE, code="answer_timeout", bytes_offered=10))
    await place.attempt(result(Outcome.REFUSED, code="mmsc_error", response_status=0xE0), "elsewhere")
    found = await numbers(metrics)
    assert {key: value for key, value in found.items() if key.startswith("attempts_total")} == {
        'attempts_total{line="mint",outcome="sent"}': 1,
        'attempts_total{line="mint",outcome="not_sent"}': 1,
        'attempts_total{line="mint",outcome="unknown"}': 1,
        'attempts_total{line="host",outcome="sent"}': 0,
    }
    assert found['attempt_errors_total{code="answer_timeout",line="mint"}'] == 1
    assert (found['retries_total{line="mint"}'], found['unknowns_total{line="mint"}']) == (1, 1)
    assert found['sent_bytes_total{line="mint"}'] == 11_530
    assert found['line_rate_ratio{line="mint"}'] == pytest.approx(0.5)
    assert found['attempt_stage_seconds_sum{line="mint",stage="total"}'] == 4
    assert found['attempt_stage_seconds_bucket{le="5.0",line="mint",stage="total"}'] == 1
    assert found['attempt_stage_seconds_bucket{le="2.5",line="mint",stage="total"}'] == 0
    assert found['message_changes_total{status="sent"}'] == 1
    assert found['message_changes_total{status="failed"}'] == 1


async def test_nothing_is_counted_twice(place: Place) -> None:
    metrics = await place.metrics()
    await place.store.accept([Draft(("+12025550123",), pdu=PDU)])
    await place.attempt(result(Outcome.SENT))
    for _ in range(3):
        assert (await numbers(metrics))['attempts_total{line="mint",outcome="sent"}'] == 1
    await asyncio.gather(*(metrics.refresh() for _ in range(5)))
    assert (await numbers(metrics))['message_changes_total{status="sent"}'] == 1


async def test_a_long_log_is_counted_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.web.metrics.PORTION", 3)
    metrics = await place.metrics()
    await place.store.accept([Draft(("+12025550123",), pdu=PDU) for _ in range(10)])
    for _ in range(10):
        await place.attempt(result(Outcome.SENT))
    found = await numbers(metrics)
    assert (found['message_changes_total{status="queued"}'], found['attempts_total{line="mint",outcome="sent"}']) == (10, 10)


async def test_host_lines_have_no_line_rate(place: Place) -> None:
    metrics = await place.metrics()
    await place.store.accept([Draft(("+12025550123",), pdu=PDU)])
    await place.attempt(result(Outcome.SENT, bytes_offered=1000, timings={"sending": 1.0}), "host")
    assert not [key for key in await numbers(metrics) if key.startswith("line_rate_ratio")]


async def test_lines(place: Place) -> None:
    metrics = await place.metrics()
    place.lines[0].state = LinkState(LinkStatus.BEARER_UP, signal_dbm=-83)
    place.lines[1].state = LinkState(LinkStatus.DOWN, "no interface")
    await place.store.pause("mint", "no credit")
    found = await numbers(metrics)
    assert {key: value for key, value in found.items() if key.startswith("line_state") and value} == {
        'line_state{line="mint",state="bearer_up"}': 1,
        'line_state{line="host",state="down"}': 1,
    }
    assert {key: value for key, value in found.items() if key.startswith("line_signal")} == {'line_signal_dbm{line="mint"}': -83}
    assert (found['line_paused{line="mint"}'], found['line_paused{line="host"}'], found["gateway_paused{}"]) == (1, 0, 0)
    await place.store.pause()
    place.clock.now += CACHED
    assert (await numbers(metrics))["gateway_paused{}"] == 1


async def test_facts(place: Place) -> None:
    metrics = await place.metrics()
    for fact in (
        LinkRecovering("mint", 3, "no answer"),
        LinkRecovering("mint", 3, "no answer"),
        LineLost("mint", "gone"),
        LineFailed("mint", "gone"),
        LineOnline("mint", "SIM7600G", "sim7600"),
        BearerUp("mint", 3.0),
        WebhookTried("whk_1", "retrying", 500, 0.02),
    ):
        place.bus.announce(fact)
    found = await numbers(metrics)
    assert found['line_recoveries_total{line="mint",rung="3"}'] == 2
    assert (found['line_losses_total{line="mint"}'], found['line_alarms_total{line="mint"}']) == (1, 1)
    assert (found['bearer_seconds_sum{line="mint"}'], found["webhook_seconds_count{}"]) == (3, 1)
    assert found['webhook_tries_total{outcome="retrying"}'] == 1
    await metrics.stop()
    place.bus.announce(LineLost("mint", "gone"))
    assert (await numbers(metrics))['line_losses_total{line="mint"}'] == 1


async def test_deliveries(place: Place) -> None:
    metrics = await place.metrics()
    await place.store.write(lambda tx: hooks.add(tx, "whk_1", "http://a.example/", "whsec_a", ()))
    await place.store.accept([Draft(("+12025550123",), pdu=PDU)])
    await place.store.write(hooks.fan_out)
    found = await numbers(metrics)
    assert (found['webhook_deliveries{status="waiting"}'], found['webhook_deliveries{status="failed"}']) == (1, 0)


async def test_the_store_is_not_asked_by_each_scrape(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, whole = [0], place.store.counts

    async def counted() -> dict[str, int]:
        asked[0] += 1
        return await whole()

    monkeypatch.setattr(place.store, "counts", counted)
    metrics = await place.metrics()
    for _ in range(5):
        await metrics.text()
    assert asked == [1]
    place.clock.now += CACHED
    await metrics.text()
    assert asked == [2]


async def test_a_store_that_is_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = await place.metrics()
    await place.store.accept([Draft(("+12025550123",), pdu=PDU)])
    await place.attempt(result(Outcome.SENT))
    with monkeypatch.context() as patched:

        async def away(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("away")

        def full() -> None:
            raise StoreFull("full")

        patched.setattr(place.store, "events_after", away)
        patched.setattr(place.store, "check_intake", full)
        found = await numbers(metrics)
        assert (found["store_up{}"], found["store_accepts{}"]) == (0, 0)
        assert not [key for key in found if key.startswith(("messages{", "queue_"))]
        assert found['line_state{line="mint",state="attached"}'] == 1
    found = await numbers(metrics)
    assert (found["store_up{}"], found['attempts_total{line="mint",outcome="sent"}']) == (1, 1)


async def test_a_scrape_waits_for_no_other_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORE_PATIENCE", 0.05)
    metrics = await place.metrics()
    async with metrics._lock:  # whoever has it waits for a store that hangs
        found = await asyncio.wait_for(numbers(metrics), 20)
    assert found["store_up{}"] == 0
    monkeypatch.undo()
    assert (await numbers(metrics))["store_up{}"] == 1


async def test_the_background_outlives_a_store_that_hangs_and_a_fault_of_ours(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STORE_PATIENCE", 0.05)
    monkeypatch.setattr(module, "FOLLOW_EVERY", 0.01)
    looks, events_after, counted = 0, Store.events_after, asyncio.Event()

    async def events(*args: Any, **more: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 1:
            await asyncio.Event().wait()
        monkeypatch.setattr(module, "STORE_PATIENCE", 20.0)
        if looks == 2:
            raise RuntimeError("a bug")
        counted.set()
        return await events_after(*args, **more)

    monkeypatch.setattr(Store, "events_after", events)
    metrics = await place.metrics()
    await asyncio.wait_for(counted.wait(), 20)
    assert "a fault of the metrics" in caplog.text
    await place.store.accept([Draft(("+12025550123",), pdu=PDU)])
    async with asyncio.timeout(20):
        while not metrics._changes.labels("queued")._value.get():
            await asyncio.sleep(0.01)


async def test_requests(place: Place) -> None:
    metrics = await place.metrics()

    async def handler(request: web.Request) -> web.Response:
        if request.match_info["id"] == "bad":
            raise web.HTTPBadRequest
        return web.Response(status=202)

    app = web.Application(middlewares=[metrics.middleware])
    app.router.add_route("*", "/v1/messages/{id}", handler)
    (route,) = routes(metrics, is_open=False)
    assert (route.scope, next(iter(routes(metrics, is_open=True))).scope) == ("lines", None)
    app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
        for method, path in (("GET", "/v1/messages/+12025550123"), ("POST", "/v1/messages/bad"), ("GET", "/x/y"), ("PROPFIND", "/x")):
            async with session.request(method, path):
                pass
        async with session.get("/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            assert "2025550123" not in await answer.text()
        async with session.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            assert {family.name for family in open_metrics(await answer.text())} >= {"mmsproxy_http_requests", "mmsproxy_build_info"}
    await runner.cleanup()
    found = {key: value for key, value in (await numbers(metrics)).items() if key.startswith("http_requests_total")}
    assert found == {
        'http_requests_total{method="GET",route="/v1/messages/{id}",status="202"}': 1,
        'http_requests_total{method="POST",route="/v1/messages/{id}",status="400"}': 1,
        'http_requests_total{method="GET",route="other",status="404"}': 1,
        'http_requests_total{method="other",route="other",status="404"}': 1,
        'http_requests_total{method="GET",route="/metrics",status="200"}': 2,
    }


# The pages.


async def names(place: Place) -> tuple[set[str], set[str]]:
    """Names as they are documented, and those that an expression may use."""
    documented, usable = set(), set()
    for family in (await place.metrics()).registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        documented.add(name)
        usable |= {name} | ({f"{name}_{part}" for part in ("bucket", "sum", "count")} if family.type == "histogram" else set())
    return documented, usable


async def test_each_meter_is_documented_and_no_other(place: Place, root: Path) -> None:
    documented, _ = await names(place)
    page = (root / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(mmsproxy_\w+)` \|", page, re.MULTILINE)) == documented
    assert len(documented) > 20


async def test_labels_are_documented(place: Place, root: Path) -> None:
    rows = re.findall(r"^\| `mmsproxy_(\w+)` \| \w+ \|([^|]*)\|", (root / "docs" / "metrics.md").read_text(), re.MULTILINE)
    said = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    metrics = await place.metrics()
    await place.store.accept([Draft(("+12025550123",), pdu=PDU)])
    await place.attempt(result(Outcome.SENT, code="x", bytes_offered=9, timings={"sending": 1.0}))
    place.lines[0].state = LinkState(LinkStatus.BEARER_UP, signal_dbm=-83)
    for fact in (LinkRecovering("mint", 1, ""), BearerUp("mint", 1.0), WebhookTried("w", "failed", None, 1.0)):
        place.bus.announce(fact)
    await metrics.refresh()
    seen = 0
    for family in metrics.registry.collect():
        for sample in family.samples:
            seen += 1
            name = family.name.removeprefix("mmsproxy_") + ("_total" if family.type == "counter" else "")
            assert set(sample.labels) - {"le"} == said[name], name
    assert seen > 100


async def test_alerts_name_only_what_is_there(place: Place, root: Path) -> None:
    _, usable = await names(place)
    document = YAML(typ="safe").load((root / "docs" / "alerts.yml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    used: set[str] = set()
    for rule in rules:
        found = set(re.findall(r"\bmmsproxy_\w+", rule["expr"]))
        assert found, rule["alert"]
        used |= found
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert used <= usable, used - usable
    told = set(re.findall(r"\bmmsproxy_\w+", str([rule["annotations"] for rule in rules])))
    assert told <= usable, told - usable

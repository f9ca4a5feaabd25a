"""Ready, and each reason not to be, over real HTTP."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.errors import StoreFull, StoreUnavailable
from mmsproxy.link import LinkState, LinkStatus
from mmsproxy.post.store import Store, open_store
from mmsproxy.web.readiness import Readiness, ReadyOut, Reason, routes


@dataclass
class Line:
    name: str
    state: LinkState = field(default_factory=lambda: LinkState(LinkStatus.BEARER_UP))


@dataclass
class Place:
    """A gateway that is ready, until a test says otherwise."""

    store: Store
    lines: list[Line]
    working: bool = True

    def readiness(self, **options: Any) -> Readiness:
        return Readiness(self.store, cast(Fleet, self.lines), lambda: self.working, **options)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    ids = itertools.count()
    store = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=time.time,
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    yield Place(store, [Line("mint"), Line("att")])
    await store.close()


async def test_ready(place: Place) -> None:
    assert await place.readiness().reasons() == ()
    place.lines[0].state = LinkState(LinkStatus.DOWN, "no modem")
    place.lines[1].state = LinkState(LinkStatus.STARTING)
    assert await place.readiness().reasons() == ()


async def test_no_line(place: Place) -> None:
    for line in place.lines:
        line.state = LinkState(LinkStatus.DOWN, "no modem; plug it in" if line.name == "mint" else "")
    detail = "line mint is down: no modem; plug it in; line att is down: no reason known"
    assert await place.readiness().reasons() == (Reason("lines", detail),)


async def test_store_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> Any:
        raise StoreUnavailable("the database is away", cure="start it")

    monkeypatch.setattr(place.store, "lines", away)
    assert await place.readiness().reasons() == (Reason("store", "the database is away; start it"),)


async def test_store_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.store, "lines", asyncio.Event().wait)
    (reason,) = await place.readiness(patience=0.05).reasons()
    assert (reason.code, "0.05 s" in reason.detail) == ("store", True)


async def test_every_reason_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(place.store, "check_intake", full)
    place.working = False
    assert await place.readiness().reasons() == (
        Reason("intake", "the disk is full"),
        Reason("outbox", "nothing is sent: the outbox has no workers"),
    )


@pytest.mark.parametrize(("is_open", "scope"), [(True, None), (False, "lines")])
async def test_route(place: Place, is_open: bool, scope: str | None) -> None:
    (route,) = routes(place.readiness(), is_open=is_open)
    assert (route.method, route.path, route.scope) == ("GET", "/readyz", scope)
    app = web.Application()
    app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
        for working, status, told in ((True, 200, "ready"), (False, 503, "not_ready")):
            place.working = working
            async with session.get("/readyz") as answer:
                document = await answer.json()
                ReadyOut.model_validate(document)
                assert (answer.status, document["status"]) == (status, told)
                assert [reason["code"] for reason in document["reasons"]] == ([] if working else ["outbox"])
    await runner.cleanup()


def test_reasons_are_documented(root: Path) -> None:
    page = (root / "docs" / "metrics.md").read_text()
    for code in ("store", "intake", "lines", "outbox"):
        assert f"| `{code}` |" in page

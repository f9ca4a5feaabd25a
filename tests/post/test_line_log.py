from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mmsproxy.errors import StoreUnavailable
from mmsproxy.events import BearerUp, Bus, LineLost, LineOnline
from mmsproxy.post.line_log import LineLog
from mmsproxy.post.store import Store

GUARD = 20.0  # seconds; a hang guard


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def line_log(sqlite_store: Store, bus: Bus) -> AsyncIterator[LineLog]:
    made = LineLog(sqlite_store, bus, pause=0.01)
    await made.start()
    yield made
    await made.stop()


async def logged(store: Store, count: int) -> list[tuple[str, str | None, dict[str, Any]]]:
    async with asyncio.timeout(GUARD):
        while len(found := await store.events_after(0)) < count:
            await asyncio.sleep(0.005)
    return [(event.type, event.line, dict(event.data)) for event in found]


async def test_only_changes_are_written(sqlite_store: Store, bus: Bus, line_log: LineLog) -> None:
    for fact in (
        LineLost("mint", "no modem"),
        LineLost("mint", "still no modem"),
        LineOnline("mint", "SIM7600G", "sim7600"),
        LineOnline("mint", "SIM7600G", "sim7600"),
        BearerUp("mint", 1.0),
        LineOnline("att", "EC25", "quectel"),
        LineLost("mint", "unplugged"),
    ):
        bus.announce(fact)
    await line_log.stop()
    assert await logged(sqlite_store, 0) == [
        ("line.offline", "mint", {"line": "mint", "reason": "no modem"}),
        ("line.online", "mint", {"line": "mint", "modem": "SIM7600G", "dialect": "sim7600"}),
        ("line.online", "att", {"line": "att", "modem": "EC25", "dialect": "quectel"}),
        ("line.offline", "mint", {"line": "mint", "reason": "unplugged"}),
    ]
    bus.announce(LineOnline("mint", "SIM7600G", "sim7600"))
    await line_log.stop()
    assert len(await logged(sqlite_store, 4)) == 4


async def test_written_at_once(sqlite_store: Store, bus: Bus, line_log: LineLog) -> None:
    for n in range(3):
        bus.announce(LineOnline(f"line{n}", "m", "d"))
        assert len(await logged(sqlite_store, n + 1)) == n + 1


async def test_a_database_that_is_away(sqlite_store: Store, bus: Bus, line_log: LineLog, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = asyncio.Event()
    with monkeypatch.context() as patched:

        async def away(op: Any) -> Any:
            tried.set()
            raise StoreUnavailable("away")

        patched.setattr(sqlite_store, "write", away)
        bus.announce(LineOnline("a", "m", "d"))
        bus.announce(LineLost("a", "gone"))
        async with asyncio.timeout(GUARD):
            await tried.wait()
    assert [kind for kind, _, _ in await logged(sqlite_store, 2)] == ["line.online", "line.offline"]

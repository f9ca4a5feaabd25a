"""Events as a stream: from now on, from where a client left off, filtered; and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mmsproxy.post import reading
from mmsproxy.post.database import Tx
from mmsproxy.post.schema import events as events_table
from mmsproxy.web import api_events
from mmsproxy.web.shapes import EventOut

TOKEN = "mmp_" + "t" * 43  # tests/web/conftest.py


class Stream:
    """One open stream."""

    def __init__(self, response: Any) -> None:
        self.response = response

    async def block(self) -> dict[str, str]:
        """The fields up to the next empty line; a comment under ''."""
        found: dict[str, str] = {}
        async with asyncio.timeout(20):
            while (line := (await self.response.content.readline()).decode().rstrip("\r\n")) or not found:
                name, _, value = line.partition(": ")
                found[name.rstrip(":")] = value
        return found

    async def event(self) -> dict[str, str]:
        block = await self.block()
        while "data" not in block:
            block = await self.block()
        return block


@asynccontextmanager
async def stream(api: Any, query: str = "", token: str = TOKEN, **headers: str) -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with api.client.get(f"{api.url}/v1/events{query}", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["X-Request-Id"].startswith("req_")
        yield Stream(response)


async def test_what_happens_from_now_on_is_told(api: Any) -> None:
    await api.send(text="before")
    async with stream(api) as events:
        message = await api.send()
        told = await events.event()
        data = json.loads(told["data"])
        EventOut.model_validate(data)
        assert (told["event"], told["id"], data["type"]) == ("message.queued", data["id"], "message.queued")
        assert data["data"]["id"] == message["id"]
        assert data["timestamp"] == "2027-01-15T08:00:00.000Z"
        await api.store.cancel(message["id"])
        assert (await events.event())["event"] == "message.canceled"


async def test_a_client_that_comes_back_misses_nothing(api: Any) -> None:
    async with stream(api) as events:
        await api.send()
        last = (await events.event())["id"]
    ids = [(await api.send(text=str(n)))["id"] for n in range(3)]
    async with stream(api, Last_Event_ID=last) as events:
        assert [json.loads((await events.event())["data"])["data"]["id"] for _ in range(3)] == ids


async def test_an_id_that_is_older_than_the_log_is_told_as_a_gap(api: Any) -> None:
    await api.send()
    async with stream(api, Last_Event_ID="evt_long_gone") as events:
        gap = await events.event()
        assert (gap["event"], json.loads(gap["data"])["data"]) == ("system.gap", {"last_event_id": "evt_long_gone"})
        assert "id" not in gap
        assert (await events.event())["event"] == "message.queued"


async def test_filters_by_type_and_line(api: Any) -> None:
    async with stream(api, "?types=message.canceled,line.*&line=two") as events:
        one, two = await api.send(line="one"), await api.send(line="two")
        for message in (one, two):
            await api.store.cancel(message["id"])
        await api.store.pause("one")
        await api.store.pause("two", "x")
        told = [await events.event() for _ in range(2)]
        assert [item["event"] for item in told] == ["message.canceled", "line.paused"]
        assert json.loads(told[0]["data"])["data"]["id"] == two["id"]


@pytest.mark.parametrize(
    "query", ["?types=x", "?types=message.*,", "?types=" + ",".join(["a.b"] * 21), "?type=message.*", "?types=%0a.b", "?line=%00"]
)
async def test_a_wrong_filter_is_refused(api: Any, query: str) -> None:
    assert (await api.ask("GET", f"/v1/events{query}"))[2]["code"] == "invalid_request"


async def test_a_stream_ends_with_its_token(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_events, "PING", 0.05)
    made = (await api.ask("POST", "/v1/tokens", json={"name": "reader", "scopes": ["messages:read"]}))[2]
    async with stream(api, token=made["token"]) as events:
        await api.send()
        assert (await events.event())["event"] == "message.queued"
        assert (await events.block(), await events.block()) == ({"": "ping"}, {"": "ping"})
        assert (await api.ask("DELETE", f"/v1/tokens/{made['id']}"))[0] in (200, 204)
        rest = await asyncio.wait_for(events.response.content.read(), 20)
        assert b"data:" not in rest
    assert (await api.ask("GET", "/v1/events", token=made["token"]))[0] == 401


async def test_what_a_filter_leaves_out_is_not_looked_at_again(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    places, events_after = [], reading.events_after

    async def noted(run: Any, seq: int, **more: Any) -> Any:
        if more.get("line") == "two":
            places.append(seq)
        return await events_after(run, seq, **more)

    monkeypatch.setattr(reading, "events_after", noted)
    async with stream(api, "?line=two") as events:
        for n in range(3):
            await api.send(line="one", text=str(n))
        head = await api.store.read(reading.last_event_seq)
        async with asyncio.timeout(20):
            while not places or places[-1] < head:
                await asyncio.sleep(0.01)
        await api.send(line="two")
        assert json.loads((await events.event())["data"])["line"] == "two"


async def test_a_stream_ends_with_the_door(api: Any) -> None:
    async with stream(api) as events:
        await api.send()
        await events.event()
        await asyncio.wait_for(api.door.stop(), 20)
        assert await asyncio.wait_for(events.response.content.read(), 20) == b""


async def test_a_client_that_leaves_leaves_nothing_behind(api: Any) -> None:
    async with stream(api) as events:
        await api.send()
        await events.event()
        events.response.close()
    async with asyncio.timeout(20):
        while api.door.crowd.size > 1:  # the one that stays is the client's kept-alive connection
            await api.send()
            await asyncio.sleep(0.02)
    assert (await api.ask("GET", "/livez"))[0] == 200


async def test_a_quiet_stream_is_kept_alive_by_pings(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_events.PING == 15
    monkeypatch.setattr(api_events, "PING", 0.05)
    async with stream(api) as events:
        assert await events.block() == {"": "ping"}


async def test_the_log_may_be_shortened_while_nobody_looks(api: Any) -> None:
    async with stream(api) as events:
        await api.send()
        last = (await events.event())["id"]

    async def shorten(tx: Tx) -> None:
        await tx.run(events_table.delete())

    await api.store.write(shorten)
    async with stream(api, Last_Event_ID=last) as events:
        assert (await events.event())["event"] == "system.gap"

"""What a webhook is told of a message, of a real store."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.carrier.fleet import Fleet
from mmsproxy.config import Settings
from mmsproxy.link import Phase
from mmsproxy.post.job import Kind, Lease, Result
from mmsproxy.post.moves import NotFound
from mmsproxy.post.records import Draft, Event, NewMedia, Pdu
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker
from mmsproxy.web.desk import Clerk, Desk
from mmsproxy.web.webhook_data import described
from mmsproxy.web.webhook_form import MAX_BODY, envelope

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class Line:
    name: str = "mint"
    max_size: int | None = 1_048_576


class OneLine:
    """What is asked of a fleet here."""

    default = Line()

    def by_name(self, name: str) -> Line | None:
        return self.default if name == "mint" else None


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    ids = itertools.count()
    opened = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=NOW.timestamp,
        new_id=lambda prefix: f"{prefix}_{next(ids):06}",
        reserve=0,
        low_water=0,
    )
    yield opened
    await opened.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, cast(Clerk, None), cast(Fleet, OneLine()), Settings(), lambda: NOW, bytes)


async def sent(store: Store, **fields: Any) -> tuple[Event, ...]:
    """The events of a message that was sent."""
    await store.accept([Draft(("+12025550123",), **fields)])
    worker = Worker("node/1", "mint")
    lease = await store.claim(worker)
    assert isinstance(lease, Lease)
    begun = await store.begin(lease, worker, Pdu(b"\x8c\x80"), is_new=True)
    await store.finish(begun, Result(Outcome.SENT, Phase.ANSWER_WHOLE, response_status=0x80, carrier_message_id="m-1"))
    return await store.events_after(0)


async def test_the_message_with_the_state_of_the_event(store: Store, desk: Desk) -> None:
    events = await sent(store, text="hello", media=(NewMedia("image/png", b"x", "a.png"),), metadata={"order": "17"})
    told = [await described(desk)(event) for event in events]
    assert [(one["status"], one.get("previous"), one["attempts"]) for one in told] == [
        ("queued", None, 0),
        ("sending", "queued", 1),
        ("sent", "sending", 1),
    ]
    last = told[-1]
    assert (last["id"], last["text"], last["line"], last["size_limit"]) == (events[0].message_id, "hello", "mint", 1_048_576)
    assert last["media"] == [
        {"n": 0, "content_type": "image/png", "filename": "a.png", "size": 1, "url": f"/v1/messages/{last['id']}/media/0"}
    ]
    assert (last["carrier"]["message_id"], last["metadata"], last["cause"]) == ("m-1", {"order": "17"}, "worker")
    assert "parts" not in last


async def test_an_sms_has_no_size_limit(store: Store, desk: Desk) -> None:
    events = await sent(store, text="hello", kind=Kind.SMS)
    told = await described(desk)(events[-1])
    assert (told["type"], told["size_limit"]) == ("sms", None)


async def test_it_fits_into_a_webhook(store: Store, desk: Desk) -> None:
    events = await sent(store, text="x" * 50_000, metadata={f"k{n}": "v" * 512 for n in range(20)})
    data = await described(desk)(events[-1])
    assert len(envelope(events[-1], data)) <= MAX_BODY < len(data["text"])


async def test_other_events_are_told_as_they_are(store: Store, desk: Desk) -> None:
    await store.set_optout("+12025550123")
    (event,) = await store.events_after(0)
    assert await described(desk)(event) == {"number": "+12025550123", "word": "STOP"}


async def test_a_message_that_was_forgotten(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await described(desk)(Event(1, "evt_1", "message.sent", 0.0, "msg_gone", None, {}))

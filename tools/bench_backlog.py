#!/usr/bin/env python3
"""What a long queue costs: a part of tools/bench_post.py, which says what it is and runs it.

Two gateways are there at once, one with a short queue and one with a long one, and take turns, so that whatever else the machine does
concerns both.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench_rig import CLIENTS, TEXT, Place, Row, accepted, body, client_of, crowd, make_place, resident, serving

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.caps import Caps
from mmsproxy.post.job import Lease, Result
from mmsproxy.post.office import new_id
from mmsproxy.post.policy import Limits
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker

BACKLOG = 100_000
BATCH = 500  # messages in one commit, when the backlog is made
CLAIMS = 200
TURN, TURNS = 25, 6  # messages of each client at one gateway, then at the other


async def with_store(folder: Path, work: Callable[[Store], Awaitable[Any]]) -> Any:
    """The gateway's own store, opened while the gateway is not there; no caps."""
    url = f"sqlite+aiosqlite:///{folder / 'data' / 'mmsproxy.db'}"
    limits = Limits(caps=Caps(0, 0))
    store = await open_store(url, media=folder / "data" / "media", clock=time.time, new_id=new_id, limits=limits)
    try:
        return await work(store)
    finally:
        await store.close()


def waiting(n: int) -> Draft:
    """Nine of ten are queued, one is scheduled for tomorrow."""
    due = time.time() + 86_400 if n % 10 == 9 else None
    return Draft(("+16195550123",), text=f"{n}: {TEXT}", send_at=due, valid_for=604_800, token="bench", size=500)


async def fill(store: Store, number: int) -> float:
    started = time.perf_counter()
    for first in range(0, number, BATCH):
        await store.accept([waiting(n) for n in range(first, min(first + BATCH, number))])
    await store.pause(reason="bench")
    return time.perf_counter() - started


class Claims:
    """A worker at one store; each step takes a message from the claim to its outcome."""

    SENT = Result(Outcome.SENT, Phase.ANSWER_WHOLE, response_status=0x80, carrier_message_id="m-1", answer=b"\x8c\x81")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker = Worker("bench/1", "bench")
        self.alone: list[float] = []
        self.whole: list[float] = []

    async def step(self) -> None:
        started = time.perf_counter()
        lease = await self._store.claim(self._worker)
        self.alone.append(time.perf_counter() - started)
        if not isinstance(lease, Lease):
            raise SystemExit(f"bench: nothing to claim: {lease}")
        begun = await self._store.begin(lease, self._worker, Pdu(b"\x8c\x80" * 250), transaction_id="T1", is_new=True)
        await self._store.last_byte(begun)
        await self._store.finish(begun, self.SENT)
        self.whole.append(time.perf_counter() - started)


async def claims(short: Store, long: Store) -> tuple[Claims, Claims]:
    """At both stores in turn, so that whatever else the machine does concerns both."""
    both = Claims(short), Claims(long)
    for store in (short, long):
        await store.resume()
    for _ in range(CLAIMS):
        for one in both:
            await one.step()
    return both


async def claimed(short: Place, long: Place) -> tuple[Claims, Claims]:
    both: tuple[Claims, Claims] = await with_store(short.folder, lambda one: with_store(long.folder, lambda two: claims(one, two)))
    return both


def bench_backlog(folder: Path, rounds: int) -> Iterator[Row]:
    short, long = make_place(folder / "backlog-short"), make_place(folder / "backlog-long")
    for place, number in ((short, CLAIMS + 50), (long, BACKLOG)):
        (place.folder / "data").mkdir()
        filled = asyncio.run(with_store(place.folder, partial(fill, number=number)))
    with serving(short) as first, serving(long) as second:
        crowds = [(crowd(short, TURN)[0], crowd(long, TURN)[0]) for _ in range(TURNS)]
        lone = [client_of(short), client_of(long)]
        singles = [tuple(accepted(client, body(n)) for client in lone) for n in range(100)]
        memory = [resident(process.pid, "VmRSS") for process in (first, second)]
    yield compared(f"accept, {CLIENTS} clients", [1 / few for few, _ in crowds], [1 / many for _, many in crowds])
    yield compared("accept, 1 client", [few for few, _ in singles], [many for _, many in singles])
    few, many = asyncio.run(claimed(short, long))
    yield compared("claim", few.alone, many.alone)
    yield compared("claim to outcome", few.whole, many.whole)
    more = {"short_mb": memory[0], "filled_in_s": filled}
    yield Row(f"{BACKLOG:,} waiting: resident memory", memory[1], "MB", "< 200", more)


def compared(what: str, short: list[float], long: list[float]) -> Row:
    """Seconds in front of a short queue and of a long one."""
    few, many = statistics.median(short), statistics.median(long)
    return Row(f"{BACKLOG:,} waiting: {what}", many / few, "times", "<= 1.5", {"short_ms": 1000 * few, "long_ms": 1000 * many})

#!/usr/bin/env python3
"""Measures the post office: from a request of the JSON API to the carrier, and what a crash costs. Prints a table, or JSON with --json.

The gateway, the simulated modems and the carrier are processes of their own, as a user runs them. Each commit is synced to the disk.

    tools/bench_post.py                 all of it (about ten minutes)
    tools/bench_post.py accept fit      some of it

accept    8 clients with kept connections send at once, everything paused: 202s in a second, each durable, SQLite and PostgreSQL
cycle     8 clients over one unpaced simulated modem, limits lifted: from the first request until all are sent, SQLite and PostgreSQL
backlog   the same accepting, and claim to outcome, with 100,000 messages waiting: times the cost with a short queue, the two taking
          turns; and resident memory of the gateway (SQLite)
upload    a 1 MB picture in a JSON request, to 202; and one that has to be fitted to 300 KB, less the fitting itself
fit       a picture of 12 megapixels to 300 KB: seconds, and the longest stall of the event loop meanwhile
restart   kill -9 with messages in flight: from the start to the first answer, and to /readyz
kill      kill -9 at random moments, 20 rounds on each engine (--rounds): lost, posted twice, stuck
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import io
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import kill_rounds
import own_postgres
from bench_link import Row, resident, shown
from bench_rig import Client, Place, carrier, client_of, end, make_place, serving, start, until, until_answers
from PIL import Image

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.message.media import File
from mmsproxy.post.caps import Caps
from mmsproxy.post.fitter import Fitter
from mmsproxy.post.job import Lease, Result
from mmsproxy.post.office import new_id
from mmsproxy.post.policy import Limits
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker

CLIENTS = 8
ACCEPTED = 150  # messages of each client
CYCLED = 40
BACKLOG = 100_000
BATCH = 500  # messages in one commit, when the backlog is made
CLAIMS = 200
TURN, TURNS = 25, 6  # messages of each client at one gateway, then at the other
TEXT = "A camera has seen something at the door, and this is what it says of it. " * 3
LIMIT_300_KB = 300 * 1024
WAITING = "queued,sending,retrying,scheduled"


@contextlib.contextmanager
def store_url(engine: str) -> Iterator[str]:
    """For a Place: "" is a file of its own."""
    if engine == "sqlite":
        yield ""
    else:
        with own_postgres.own_postgres() as url:
            yield url


def engines() -> Iterator[str]:
    """Those that are here; what is not is said once for each part."""
    yield "sqlite"
    if lacking := own_postgres.missing():
        print(f"PostgreSQL is left out: {lacking}", file=sys.stderr)
        return
    yield "postgresql"


def body(number: int, **more: Any) -> bytes:
    return json.dumps({"to": "+16195550123", "as": "mms", "text": f"{number}: {TEXT}", **more}).encode()


def crowd(place: Place, each: int) -> tuple[float, list[float]]:
    """CLIENTS clients send `each` messages; messages in a second, and the seconds of each request."""
    times: list[float] = []
    gate = threading.Barrier(CLIENTS + 1)

    def client(number: int) -> None:
        mine = client_of(place)
        accepted(mine, body(number))  # connects
        gate.wait()
        times.extend([accepted(mine, body(n)) for n in range(each)])
        mine.close()

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for one in clients:
        one.start()
    gate.wait()
    started = time.perf_counter()
    for one in clients:
        one.join()
    return CLIENTS * each / (time.perf_counter() - started), sorted(times)


def accepted(client: Client, octets: bytes) -> float:
    """Seconds from the request to its 202."""
    started = time.perf_counter()
    status, answer = client.ask("POST", "/v1/messages", octets)
    if status != 202:
        raise SystemExit(f"bench: HTTP {status}: {answer[:400]!r}")
    return time.perf_counter() - started


def pause(place: Place) -> None:
    """The kill switch: nothing leaves."""
    client_of(place).json("POST", "/v1/pause", {})


def bench_accept(folder: Path, rounds: int) -> Iterator[Row]:
    targets = {"sqlite": ">= 150", "postgresql": ">= 300"}
    for engine in engines():
        with store_url(engine) as url:
            place = make_place(folder / f"accept-{engine}", url)
            with serving(place) as process:
                pause(place)
                rate, times = crowd(place, ACCEPTED)
                more = {"p50_ms": 1000 * statistics.median(times), "p99_ms": 1000 * times[int(len(times) * 0.99)]}
                more["rss_mb"] = resident(process.pid, "VmRSS")
        yield Row(f"accepted, {CLIENTS} clients, {engine}", rate, "/s", targets[engine], more)


def bench_cycle(folder: Path, rounds: int) -> Iterator[Row]:
    for engine in engines():
        with store_url(engine) as url, carrier(folder / f"cycle-{engine}", ("sim7600",)) as (ports, ledger):
            place = make_place(folder / f"cycle-{engine}" / "gateway", url, ports)
            with serving(place):
                number, seconds = cycled(client_of(place), place, ledger)
        yield Row(f"accepted to sent, one line, {engine}", number / seconds, "/s", ">= 40", {"messages": number})


def cycled(client: Client, place: Place, ledger: Path) -> tuple[int, float]:
    """How many messages the crowd has sent, and the seconds until the last of them was."""
    warm = client.json("POST", "/v1/messages?wait=30", json.loads(body(0)))
    if warm["status"] != "sent":
        raise SystemExit(f"bench: the first message is {warm['status']}: {warm['error']}")
    number = CLIENTS * (CYCLED + 1)
    started = time.perf_counter()
    crowd(place, CYCLED)
    until(lambda: len(os.listdir(ledger)) > number, 120)
    until(lambda: not client.json("GET", f"/v1/messages?limit=1&status={WAITING}")["data"])
    seconds = time.perf_counter() - started
    sent = sum(message["status"] == "sent" for message in client.pages())
    if sent != number + 1:
        raise SystemExit(f"bench: {sent} of {number + 1} messages are sent")
    return number, seconds


# A long queue.


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


# Pictures.


def picture(width: int, height: int, quality: int, grain: int = 24) -> bytes:
    """A JPEG with the detail of a photo: soft shapes, and the grain of a sensor."""
    seed = random.Random(width)
    small = Image.frombytes("RGB", (48, 36), seed.randbytes(48 * 36 * 3)).resize((width, height), Image.Resampling.BICUBIC)
    noise = Image.effect_noise((width, height), grain).convert("RGB")
    kept = io.BytesIO()
    Image.blend(small, noise, 0.25).save(kept, "JPEG", quality=quality)
    return kept.getvalue()


def one_megabyte() -> bytes:
    """The quality that comes nearest to 1 MB."""
    return min((picture(1800, 1350, quality) for quality in range(60, 98, 3)), key=lambda data: abs(len(data) - 1_000_000))


def upload(data: bytes) -> bytes:
    item = {"data": base64.b64encode(data).decode(), "content_type": "image/jpeg", "filename": "door.jpg"}
    return body(0, media=[item])


async def fitted(data: bytes, limit: int, fitter: Fitter) -> float:
    started = time.perf_counter()
    files, _ = await fitter.fit_all([File("image/jpeg", data, "door.jpg")], limit, 1000, True)
    if sum(len(file.data) for file in files) > limit:
        raise SystemExit("bench: it does not fit")
    return time.perf_counter() - started


async def fittings(data: bytes, limit: int, times: int) -> list[float]:
    """Seconds of each but the first, which starts the child."""
    fitter = Fitter()
    await fitter.start()
    try:
        return [await fitted(data, limit, fitter) for _ in range(times + 1)][1:]
    finally:
        await fitter.stop()


def bench_upload(folder: Path, rounds: int) -> Iterator[Row]:
    data = one_megabyte()
    octets = upload(data)
    for name, limit in (("as it is", 2_000_000), ("to 300 KB", LIMIT_300_KB)):
        place = make_place(folder / f"upload-{limit}", max_size=limit)
        with serving(place) as process:
            pause(place)
            client = client_of(place)
            accepted(client, octets)  # starts the child that decodes pictures
            times = [accepted(client, octets) for _ in range(20)]
            memory = resident(process.pid, "VmHWM")
        fit = statistics.median(asyncio.run(fittings(data, limit, 10)))
        total = statistics.median(times)
        more = {"octets": len(data), "whole_ms": 1000 * total, "fitting_ms": 1000 * fit, "most_rss_mb": memory}
        yield Row(f"1 MB picture to 202 but for fitting, {name}", 1000 * (total - fit), "ms", "<= 150", more)


async def longest_stall(during: Awaitable[Any]) -> tuple[Any, float]:
    """What `during` returned, and by how many seconds at most the event loop came late to something due each millisecond."""
    loop, worst, stop = asyncio.get_running_loop(), 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal worst
        while not stop.is_set():
            asked = loop.time()
            await asyncio.sleep(0.001)
            worst = max(worst, loop.time() - asked - 0.001)

    watching = asyncio.create_task(watch())
    result = await during
    stop.set()
    await watching
    return result, worst


def bench_fit(folder: Path, rounds: int) -> Iterator[Row]:
    data = picture(4000, 3000, 88)
    times, stall = asyncio.run(longest_stall(fittings(data, LIMIT_300_KB, 5)))
    more = {"octets": len(data), "max_s": max(times)}
    yield Row("12 megapixels to 300 KB", statistics.median(times), "s", "<= 1", more)
    yield Row("and the event loop's longest stall", 1000 * stall, "ms", "< 50")


# Crashes.


def bench_restart(folder: Path, rounds: int) -> Iterator[Row]:
    for engine in engines():
        with store_url(engine) as url, carrier(folder / f"restart-{engine}", ("sim7600",), rtt=0.1) as (ports, _):
            place = make_place(folder / f"restart-{engine}" / "gateway", url, ports)
            first, ready = zip(*[started_again(place) for _ in range(5)], strict=True)
        yield Row(f"start after kill -9 to an answer, {engine}", statistics.median(first), "s", "< 2", {"max": max(first)})
        yield Row(f"start after kill -9 to /readyz, {engine}", statistics.median(ready), "s", "< 2", {"max": max(ready)})


def started_again(place: Place) -> tuple[float, float]:
    """Kills a gateway that is sending, and starts it again; seconds to its first answer, and to /readyz."""
    process = start(place)
    until_answers(place, process, "/readyz")
    client = client_of(place)
    for n in range(20):
        accepted(client, body(n))
    until(lambda: client.json("GET", "/v1/messages?limit=1&status=sending")["data"])
    process.send_signal(signal.SIGKILL)
    process.wait()
    started = time.perf_counter()
    again = start(place)
    try:
        until_answers(place, again)
        answered = time.perf_counter() - started
        until_answers(place, again, "/readyz")
        return answered, time.perf_counter() - started
    finally:
        end(again)


def bench_kill(folder: Path, rounds: int) -> Iterator[Row]:
    for engine in engines():
        report = kill_rounds.run(folder / f"kill-{engine}", engine, rounds, random.randrange(2**32))
        if not report.is_kept:
            print(kill_rounds.shown(report), file=sys.stderr)
        wrong = len(report.lost) + len(report.twice) + len(report.accepted_twice) + len(report.stuck) + len(report.problems)
        known = ("acknowledged", "posted", "broken_off", "unknown", "seed")
        more = {"lost": len(report.lost), "twice": len(report.twice), "stuck": len(report.stuck)}
        yield Row(
            f"{rounds} x kill -9, {engine}: broken promises", wrong, "", "0", {**more, **{name: getattr(report, name) for name in known}}
        )
        yield Row(f"and started again, {engine}: longest", max(report.restarts, default=0.0), "s", "< 2")


BENCHES = {
    "accept": bench_accept,
    "cycle": bench_cycle,
    "backlog": bench_backlog,
    "upload": bench_upload,
    "fit": bench_fit,
    "restart": bench_restart,
    "kill": bench_kill,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*BENCHES, []], help="which parts (all)")
    parser.add_argument("--rounds", type=int, default=20, help="of the part `kill`, on each engine")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mmsproxy-bench-") as folder:
        for name in arguments.what or BENCHES:
            for row in BENCHES[name](Path(folder), arguments.rounds):
                rows.append(row)
                if not arguments.json:
                    print(shown(row), flush=True)
    if arguments.json:
        print(json.dumps({"cpus": os.cpu_count(), "python": sys.version.split()[0], "rows": [asdict(row) for row in rows]}, indent=2))


if __name__ == "__main__":
    main()

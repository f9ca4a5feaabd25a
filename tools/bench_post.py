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
import time
from collections.abc import Awaitable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bench_backlog
import kill_rounds
import own_postgres
from bench_rig import (
    CLIENTS,
    Client,
    Place,
    Row,
    accepted,
    body,
    carrier,
    client_of,
    crowd,
    end,
    make_place,
    pause,
    resident,
    serving,
    shown,
    start,
    until,
    until_answers,
)
from PIL import Image

from mmsproxy.message.media import File
from mmsproxy.post.fitter import Fitter

ACCEPTED = 150  # messages of each client
CYCLED = 40
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
    "backlog": bench_backlog.bench_backlog,
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

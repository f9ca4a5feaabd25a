#!/usr/bin/env python3
"""kill -9 of the real gateway at random moments, clients sending all the time, over modems and a carrier that live on.

    tools/kill_rounds.py --rounds 20 --engine sqlite
    tools/kill_rounds.py --rounds 200 --engine postgresql --json

Some clients of the JSON API repeat a request with its Idempotency-Key until it is acknowledged, some give up and go on; one posts PDUs at
the MM1 door. Afterwards the gateway is started once more and must come to rest. What the carrier's MMSC has whole it wrote into its ledger
before it answered; that is held against what was acknowledged and against what the gateway says. Exit status: 0 when the promise was kept.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import http.client
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import own_postgres
from bench_rig import Client, Place, carrier, client_of, end, make_place, start, until_answers

from mmsproxy.wire import mms_pdu

DIALECTS = ("sim7600", "sim800")
RTT = 0.03  # seconds over the air and back: kills fall between the last byte and the answer too
JSON_CLIENTS = 4  # every second one uses keys
LONGEST_LIFE = 1.5  # seconds from the first answer to the kill; each fourth life ends while it starts
START_SECONDS = 1.5  # about what a start takes
PAUSE = 0.3  # seconds that a client waits at most between two messages
REST_SECONDS = 300.0  # a hang guard
NOT_THERE = (OSError, http.client.HTTPException)
WAITING = "queued,sending,retrying,scheduled"
DECIDED = {"sent", "unknown"}
MM1_DECIDED = DECIDED | {"failed", "expired"}  # its rows live as long as their sender waits, and are not retried behind its back
NOT_HERE = 3  # exit status: the engine is not installed


@dataclass
class Ledger:
    """What the clients heard: message id by content for a 202, contents whose M-Send.conf said Ok."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)
    problems: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What was found. `broken_off`: messages with more than one attempt; `restarts`: seconds to the API's first answer."""

    engine: str
    rounds: int
    seed: int
    acknowledged: int
    posted: int
    broken_off: int
    unknown: int
    lost: list[str]
    twice: list[str]
    accepted_twice: list[str]
    stuck: list[str]
    problems: list[str]
    restarts: list[float]

    @property
    def is_kept(self) -> bool:
        return not (self.lost or self.twice or self.accepted_twice or self.stuck or self.problems) and self.acknowledged > self.rounds


def json_client(place: Place, name: str, heard: Ledger, seed: int, *, uses_keys: bool) -> None:
    """Sends until it is told to stop; what was begun with a key is repeated until it is acknowledged."""
    moments, client = random.Random(seed), client_of(place)
    number = 0
    while not heard.closing.is_set():
        content = f"{name}-{number}"
        number += 1
        body = json.dumps({"to": "+16195550123", "as": "mms", "text": f"Message {content}.", "tag": content}).encode()
        headers = {"Idempotency_Key": content} if uses_keys else {}
        while not _accepted(client, body, headers, content, heard) and uses_keys:
            time.sleep(0.03)
        time.sleep(moments.random() * PAUSE)
    client.close()


def _accepted(client: Client, body: bytes, headers: dict[str, str], content: str, heard: Ledger) -> bool:
    """False: nobody was there, or the request of an earlier connection is still being worked on."""
    try:
        status, answer = client.ask("POST", "/v1/messages", body, **headers)
    except NOT_THERE:
        return False
    if status == 202:
        heard.acknowledged[content] = json.loads(answer)["id"]
        return True
    if status not in (409, 503):
        heard.problems.append(f"{content}: HTTP {status} {answer[:200]!r}")
        heard.closing.set()
    return False


def mm1_client(place: Place, heard: Ledger) -> None:
    """Posts a PDU, and the same again up to three times while nobody answers Ok, as MMS software does."""
    number = 0
    while not heard.closing.is_set():
        content = f"mm1-{number}"
        number += 1
        for _ in range(3):
            if _posted(place.mm1, pdu(content)):
                heard.confirmed.add(content)
                break
            time.sleep(0.2)
        time.sleep(PAUSE)


def _posted(port: int, octets: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=70)
    try:
        connection.request("POST", "/", octets, {"Content-Type": "application/vnd.wap.mms-message"})
        answer = connection.getresponse()
        body = answer.read()
    except NOT_THERE:
        return False
    finally:
        connection.close()
    conf = mms_pdu.decode(body) if answer.status == 200 and body else None
    return isinstance(conf, mms_pdu.SendConf) and conf.response_status == 0x80


def pdu(content: str) -> bytes:
    part = mms_pdu.Part(mms_pdu.ContentType("text/plain", charset=106), data=f"Message {content}.".encode(), content_location="t.txt")
    return mms_pdu.encode(
        mms_pdu.SendReq(
            transaction_id=content,
            to=(mms_pdu.Address.parse("+16195550123/TYPE=PLMN"),),
            content_type=mms_pdu.ContentType("application/vnd.wap.multipart.mixed"),
            parts=(part,),
        )
    )


def content_of(octets: bytes) -> str:
    """What the text of a PDU at the carrier names."""
    decoded = mms_pdu.decode(octets)
    for part in getattr(decoded, "parts", ()):
        if part.content_type.media == "text/plain":
            return bytes(part.data).decode().removeprefix("Message ").removesuffix(".")
    raise SystemExit(f"the carrier has a PDU without a text: {octets[:80]!r}")


@contextlib.contextmanager
def clients(place: Place, heard: Ledger, seed: int) -> Iterator[None]:
    crowd = [
        threading.Thread(target=json_client, args=(place, f"c{n}", heard, seed + n), kwargs={"uses_keys": n % 2 == 0}, daemon=True)
        for n in range(JSON_CLIENTS)
    ]
    crowd.append(threading.Thread(target=mm1_client, args=(place, heard), daemon=True))
    for one in crowd:
        one.start()
    try:
        yield
    finally:
        heard.closing.set()
        for one in crowd:
            one.join(REST_SECONDS)


def live_and_die(place: Place, moments: random.Random) -> float | None:
    """One life. Seconds to its first answer, None when it was killed before."""
    begun = time.perf_counter()
    process = start(place)
    took = None
    if moments.random() < 0.25:
        time.sleep(moments.random() * START_SECONDS)
    else:
        until_answers(place, process)
        took = time.perf_counter() - begun
        time.sleep(moments.random() * LONGEST_LIFE)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return took


def come_to_rest(client: Client) -> list[dict[str, Any]]:
    """All messages, once nothing waits, or after REST_SECONDS."""
    limit = time.monotonic() + REST_SECONDS
    while client.json("GET", f"/v1/messages?limit=1&status={WAITING}")["data"] and time.monotonic() < limit:
        time.sleep(0.1)
    return list(client.pages())


def kill_rounds(folder: Path, engine: str, url: str, rounds: int, seed: int) -> Report:
    """The whole loop in `folder`. `url`: "" for the SQLite file in it."""
    moments, heard = random.Random(seed), Ledger()
    with carrier(folder / "carrier", DIALECTS, rtt=RTT) as (ports, wire):
        place = make_place(folder / "gateway", url, ports)
        first = start(place)  # makes the token
        try:
            until_answers(place, first)
            with clients(place, heard, seed):
                end_at_once(first)
                restarts = [live_and_die(place, moments) for _ in range(rounds)]
                last = start(place)
                until_answers(place, last)
            try:
                messages = come_to_rest(client_of(place))
            finally:
                end(last)
        finally:
            end(first)
        posted = collections.Counter(content_of(file.read_bytes()) for file in wire.iterdir())
    return judged(engine, rounds, seed, heard, messages, posted, [took for took in restarts if took is not None])


def end_at_once(process: subprocess.Popen[bytes]) -> None:
    """The first kill finds clients that have just begun."""
    time.sleep(0.3)
    process.kill()
    process.wait()


def judged(
    engine: str,
    rounds: int,
    seed: int,
    heard: Ledger,
    messages: list[dict[str, Any]],
    posted: collections.Counter[str],
    restarts: list[float],
) -> Report:
    """Held against each other: what was acknowledged, what the gateway says, what the carrier has."""
    by_id = {message["id"]: message for message in messages}
    lost = [f"{content} is not there" for content, name in heard.acknowledged.items() if name not in by_id]
    lost += [
        f"{m['tag']} is sent, the carrier never had it" for m in messages if m["tag"] and m["status"] == "sent" and not posted[m["tag"]]
    ]
    lost += [f"{content} was confirmed, the carrier never had it" for content in sorted(heard.confirmed) if not posted[content]]
    tags = collections.Counter(message["tag"] for message in messages if message["tag"])
    return Report(
        engine=engine,
        rounds=rounds,
        seed=seed,
        acknowledged=len(heard.acknowledged) + len(heard.confirmed),
        posted=posted.total(),
        broken_off=sum(message["attempts"] > 1 for message in messages),
        unknown=sum(message["status"] == "unknown" for message in messages),
        lost=lost,
        twice=[f"{content}: {times} times" for content, times in posted.items() if times > 1],
        accepted_twice=[f"{tag}: {times} times" for tag, times in tags.items() if times > 1],
        stuck=[f"{message['tag']} is {message['status']}" for message in messages if not _is_decided(message)],
        problems=heard.problems,
        restarts=restarts,
    )


def _is_decided(message: dict[str, Any]) -> bool:
    return message["status"] in (DECIDED if message["tag"] else MM1_DECIDED)  # only the JSON clients tag


def run(folder: Path, engine: str, rounds: int, seed: int) -> Report:
    """With a server of our own for PostgreSQL."""
    with contextlib.ExitStack() as stack:
        url = "" if engine == "sqlite" else stack.enter_context(own_postgres.own_postgres())
        return kill_rounds(folder, engine, url, rounds, seed)


def shown(report: Report) -> str:
    starts = f"restart to first answer at most {max(report.restarts):.2f} s" if report.restarts else ""
    kept = (
        f"{len(report.lost)} lost, {len(report.twice)} posted twice, {len(report.accepted_twice)} accepted twice, {len(report.stuck)} stuck"
    )
    seen = f"{report.acknowledged} acknowledged, {report.posted} posted, {report.broken_off} broken off, {report.unknown} unknown"
    wrong = [*report.lost, *report.twice, *report.accepted_twice, *report.stuck, *report.problems]
    return "\n".join([f"{report.engine}, {report.rounds} rounds, seed {report.seed}: {seen}; {kept}; {starts}", *wrong])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.engine == "postgresql" and (lacking := own_postgres.missing()):
        print(f"not here: {lacking}", file=sys.stderr)
        return NOT_HERE
    with tempfile.TemporaryDirectory(prefix="mmsproxy-kill-") as folder:
        report = run(Path(folder), arguments.engine, arguments.rounds, arguments.seed)
    print(json.dumps({**asdict(report), "is_kept": report.is_kept}, indent=2) if arguments.json else shown(report))
    return 0 if report.is_kept else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Measures the way of a message: POST at the MM1 door to M-Send.conf, over a simulated modem. Prints a table, or JSON with --json.

Each part runs as a user would run it: `mmsproxy simulate mmsc`, `mmsproxy simulate modem` and `mmsproxy serve` as processes of their own.

    tools/bench_link.py                 all of it (about eight minutes)
    tools/bench_link.py warm overhead   some of it

warm      a 6 KB text MMS with the bearer up, 115200 baud, RTT 0.1 s, activation 4 s
cold      the same message by the sequence that this project began with: attach, context, activate, connect, SEND OK after each 1460
          bytes, close; typed here with pyserial alone, on the same simulator
overhead  one message after the other, unpaced simulator: what the gateway itself costs
crowd     50 requests at once from 50 clients: answered, in order of arrival
memory    resident memory of the gateway idle, and the most it takes more while a 1 MB MMS passes
start     from the start of `serve` to its first answer, with the built-in simulator
goodput   300 KB through the link of each dialect, 115200 baud, prompt 5 ms, acceptance 10 ms: % of the line, and of the ceiling, which
          is the best that any driver can reach that waits for prompt and result (its own turn taken as zero)
raised    300 KB with the line raised to 460800 for the session
transparent  300 KB through the opt-in transparent mode
native    1 MB through the link without pacing, as on a USB-native modem: rate and CPU time
recovery  a message after an unplug and replug; and how long a modem that stops answering keeps the line waiting
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import bench_goodput
import serial
from bench_goodput import LARGE_OCTETS, LINE_RATE, RTT
from bench_rig import MMSC_HOST, Row, carrier, end, make_place, pace, resident, serving, shown, start, until_answers

from mmsproxy.wire import mms_pdu

ACTIVATION = 4.0
DIALECTS = ("sim7600", "sim800")
WARM_DIALECTS = ("sim7600", "sim800", "quectel")
TEXT_OCTETS = 6 * 1024
MAX_SIZE = 2 * LARGE_OCTETS
PACED, UNPACED = pace(LINE_RATE, RTT, ACTIVATION), pace()


def text_pdu(octets: int, number: int = 0) -> bytes:
    part = mms_pdu.Part(mms_pdu.ContentType("text/plain", charset=106), data=b"mmsproxy " * (octets // 9 + 1), content_location="t.txt")
    request = mms_pdu.SendReq(
        transaction_id=f"bench{number}",
        to=(mms_pdu.Address.parse("+16195550123/TYPE=PLMN"),),
        content_type=mms_pdu.ContentType("application/vnd.wap.multipart.mixed"),
        parts=(part,),
    )
    return mms_pdu.encode(request)


@contextlib.contextmanager
def simulated_modem(folder: Path, dialect: str, *arguments: str) -> Iterator[Path]:
    """A carrier and a modem in front of it; yields the modem's port."""
    with carrier(Path(tempfile.mkdtemp(dir=folder)), (dialect,), arguments=arguments) as (ports, _):
        yield next(iter(ports.values()))


@contextlib.contextmanager
def gateway(folder: Path, modem: Path) -> Iterator[tuple[int, int]]:
    """The gateway on that modem, limits lifted; yields the MM1 door's port and the process id."""
    place = make_place(Path(tempfile.mkdtemp(dir=folder)), lines={"bench": modem}, max_size=MAX_SIZE)
    with serving(place) as process:
        yield place.mm1, process.pid


def post(port: int, pdu: bytes, source: str = "127.0.0.1") -> float:
    """Seconds from the POST to the whole M-Send.conf; ends the bench on anything but Ok."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120, source_address=(source, 0))
    started = time.perf_counter()
    connection.request("POST", "/", pdu, {"Content-Type": "application/vnd.wap.mms-message"})
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - started
    connection.close()
    conf = mms_pdu.decode(body) if answer.status == 200 else None
    if not isinstance(conf, mms_pdu.SendConf) or conf.response_status != 0x80:
        raise SystemExit(f"bench: HTTP {answer.status}: {body[:200]!r}")
    return seconds


def bench_warm(folder: Path) -> Iterator[Row]:
    for dialect in WARM_DIALECTS:
        with simulated_modem(folder, dialect, *PACED) as modem, gateway(folder, modem) as (port, _):
            first = post(port, text_pdu(TEXT_OCTETS))
            times = [post(port, text_pdu(TEXT_OCTETS, number)) for number in range(1, 6)]
        more = {"max": max(times), "first_with_bearer": first, "pdu_octets": len(text_pdu(TEXT_OCTETS))}
        yield Row(f"6 KB text warm, {dialect}", statistics.median(times), "s", "<= 1.6", more)


class OriginScript:
    """The sequence that the project began with, over pyserial: one message, everything set up and torn down for it."""

    def __init__(self, port: Path) -> None:
        self.port = serial.Serial(str(port), LINE_RATE, timeout=30)
        self.heard = b""

    def until(self, *endings: bytes) -> bytes:
        """All up to and with the first of `endings`; what follows is kept for the next call."""
        while not any(ending in self.heard for ending in endings):
            piece = self.port.read(max(1, self.port.in_waiting))
            if not piece or b"ERROR" in self.heard + piece:
                raise SystemExit(f"bench: the origin script failed: {self.heard + piece!r}")
            self.heard += piece
        end = min(self.heard.index(ending) + len(ending) for ending in endings if ending in self.heard)
        got, self.heard = self.heard[:end], self.heard[end:]
        return got

    def ask(self, command: str, *endings: bytes) -> bytes:
        self.port.write(command.encode() + b"\r")
        return self.until(*(endings or (b"\r\nOK\r\n",)))

    def send(self, request: bytes, prompt: str, ending: bytes) -> None:
        for offset in range(0, len(request), 1460):
            chunk = request[offset : offset + 1460]
            self.ask(prompt.format(len(chunk)), b">")
            self.port.write(chunk)
            self.until(ending)

    def sim800(self, request: bytes) -> bytes:
        for command in ("ATE0", "AT+CGATT=1", 'AT+CGDCONT=1,"IP","bench"', "AT+CGACT=1,1", 'AT+CSTT="bench","",""', "AT+CIICR"):
            self.ask(command)
        self.ask("AT+CIFSR", b".")
        self.ask(f'AT+CIPSTART="TCP","{MMSC_HOST}","80"', b"CONNECT OK")
        self.send(request, "AT+CIPSEND={}", b"SEND OK")
        answer = self.until(b"CLOSED")
        self.ask("AT+CIPSHUT", b"SHUT OK")
        return answer

    def sim7600(self, request: bytes) -> bytes:
        for command in ("ATE0", "AT+CGATT=1", 'AT+CGDCONT=1,"IP","bench"', "AT+CGACT=1,1", "AT+CIPSENDMODE=1"):
            self.ask(command)
        self.ask("AT+NETOPEN", b"+NETOPEN: 0")
        self.ask(f'AT+CIPOPEN=0,"TCP","{MMSC_HOST}",80', b"+CIPOPEN: 0,0")
        self.send(request, "AT+CIPSEND=0,{}", b"+CIPSEND: 0,")
        answer = self.until(b"+IPCLOSE")
        self.ask("AT+NETCLOSE", b"+NETCLOSE: 0")
        return answer


def bench_cold(folder: Path) -> Iterator[Row]:
    pdu = text_pdu(TEXT_OCTETS)
    head = f"POST /mms HTTP/1.1\r\nHost: {MMSC_HOST}\r\nContent-Type: application/vnd.wap.mms-message\r\nConnection: close\r\n"
    request = f"{head}Content-Length: {len(pdu)}\r\n\r\n".encode() + pdu
    for dialect in DIALECTS:
        with simulated_modem(folder, dialect, *PACED) as modem:
            script = OriginScript(modem)
            started = time.perf_counter()
            answer = getattr(script, dialect)(request)
            seconds = time.perf_counter() - started
            if b" 200 " not in answer or b"\x8c\x81" not in answer:
                raise SystemExit(f"bench: the origin script got {answer!r}")
        yield Row(f"6 KB text by the cold sequence, {dialect}", seconds, "s", "8-10 s in the field")


def bench_overhead(folder: Path) -> Iterator[Row]:
    for dialect in DIALECTS:
        with simulated_modem(folder, dialect, *UNPACED) as modem, gateway(folder, modem) as (port, _):
            post(port, text_pdu(1024))
            times = sorted(post(port, text_pdu(1024, number)) for number in range(1, 201))
        more = {"p99": times[197] * 1000, "messages_per_second": 200 / sum(times)}
        yield Row(f"gateway overhead p50, {dialect}", statistics.median(times) * 1000, "ms", "<= 20", more)


def bench_crowd(folder: Path) -> Iterator[Row]:
    with simulated_modem(folder, "sim7600", *UNPACED) as modem, gateway(folder, modem) as (port, _):
        post(port, text_pdu(1024))
        done: list[int] = []

        def client(number: int) -> None:
            post(port, text_pdu(1024, number), f"127.0.1.{number}")
            done.append(number)

        clients = [threading.Thread(target=client, args=(number,)) for number in range(1, 51)]
        started = time.perf_counter()
        for one in clients:
            one.start()
            time.sleep(0.002)  # so that there is an order of arrival to keep
        for one in clients:
            one.join()
        seconds = time.perf_counter() - started
    late = sum(1 for place, number in enumerate(done) if place and number < done[place - 1])
    yield Row("50 clients at once, all answered", seconds, "s", "50 of 50", {"answered": len(done), "out_of_order": late})


def bench_memory(folder: Path) -> Iterator[Row]:
    with simulated_modem(folder, "sim7600", *UNPACED) as modem, gateway(folder, modem) as (port, pid):
        for number in range(20):
            post(port, text_pdu(1024, number))
        idle = resident(pid, "VmRSS")
        yield Row("resident memory idle", idle, "MB", "< 90")
        grown = []
        for number in range(3):
            before = resident(pid, "VmRSS")
            Path(f"/proc/{pid}/clear_refs").write_text("5")
            post(port, text_pdu(LARGE_OCTETS, number))
            grown.append(resident(pid, "VmHWM") - before)
        yield Row("a 1 MB MMS adds at most", max(grown), "MB", "< 5", {"each": grown})


def bench_start(folder: Path) -> Iterator[Row]:
    times = []
    for _ in range(3):
        place = make_place(Path(tempfile.mkdtemp(dir=folder)), lines={"simulator": "simulator"})
        started = time.perf_counter()
        process = start(place)
        try:
            until_answers(place, process)
            times.append(time.perf_counter() - started)
        finally:
            end(process)
    yield Row("serve answers after", statistics.median(times), "s", "<= 1.5", {"max": max(times)})
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mmsproxy", "--version"], check=True, capture_output=True)
    yield Row("--version", time.perf_counter() - started, "s", "< 0.3")


def say(control: Path, line: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control))
        client.sendall(line.encode() + b"\n")
        if client.recv(200) != b"ok\n":
            raise SystemExit(f"bench: the modem does not take {line!r}")


def bench_recovery(folder: Path) -> Iterator[Row]:
    control = folder / "control"
    with simulated_modem(folder, "sim7600", *UNPACED, "--control", str(control)) as modem, gateway(folder, modem) as (port, _):
        post(port, text_pdu(1024))
        say(control, "now unplug")
        time.sleep(3)
        say(control, "now replug")
        started = time.perf_counter()
        while status(port, text_pdu(1024, 1)) != 200:
            time.sleep(0.1)
        yield Row("a message after unplug and replug", time.perf_counter() - started, "s", "<= 5")
        say(control, "now deaf")
        started = time.perf_counter()
        while status(port, text_pdu(1024, 2)) == 200:
            time.sleep(0.1)
        yield Row("a modem that stops answering: told after", time.perf_counter() - started, "s", "<= 120")
        say(control, "now hear")
        started = time.perf_counter()
        while status(port, text_pdu(1024, 3)) != 200:
            time.sleep(0.5)
        yield Row("and answers again: in service after", time.perf_counter() - started, "s", "<= 120")


def status(port: int, pdu: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=200)
    connection.request("POST", "/", pdu, {"Content-Type": "application/vnd.wap.mms-message"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


BENCHES = {
    "warm": bench_warm,
    "cold": bench_cold,
    "overhead": bench_overhead,
    "crowd": bench_crowd,
    "memory": bench_memory,
    "start": bench_start,
    **bench_goodput.BENCHES,
    "recovery": bench_recovery,
}


def ratios(rows: list[Row]) -> Iterator[Row]:
    seen = {row.name: row.seen for row in rows}
    for dialect in DIALECTS:
        cold, warm = seen.get(f"6 KB text by the cold sequence, {dialect}"), seen.get(f"6 KB text warm, {dialect}")
        if cold and warm:
            yield Row(f"cold sequence / warm gateway, {dialect}", cold / warm, "times", ">= 4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*BENCHES, []], help="which parts (all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mmsproxy-bench-") as folder:
        for name in arguments.what or BENCHES:
            for row in BENCHES[name](Path(folder)):
                rows.append(row)
                if not arguments.json:
                    print(shown(row), flush=True)
    extra = list(ratios(rows))
    if arguments.json:
        print(
            json.dumps({"cpus": os.cpu_count(), "python": sys.version.split()[0], "rows": [asdict(row) for row in rows + extra]}, indent=2)
        )
    else:
        for row in extra:
            print(shown(row))


if __name__ == "__main__":
    main()

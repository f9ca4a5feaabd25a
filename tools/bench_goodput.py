#!/usr/bin/env python3
"""How near the send loop comes to what the serial line can carry: parts of tools/bench_link.py, which says what each is and runs them.

A modem stands before a server that swallows everything, so that nothing but link and line is measured. It knows no gateway and no MMS.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_rig import Row, end, pace, simulated, until

from mmsproxy.events import Bus
from mmsproxy.modem_link import ModemLink, ModemSettings

LINE_RATE, RTT = 115200, 0.1
PROMPT_DELAY, ACCEPT_DELAY = 0.005, 0.010  # of the simulated modem, seconds
PACED = (*pace(LINE_RATE, RTT), "--prompt-delay", str(PROMPT_DELAY), "--accept-delay", str(ACCEPT_DELAY))
GOODPUT_OCTETS = 307_500  # 300 KB and the HTTP head
LARGE_OCTETS = 1_000_000
RAISED = 460_800


@dataclass(frozen=True)
class Mode:
    """One chunk on the line: the longest usual forms of command, prompt and result, and a pause that the dialect demands."""

    chunk: int
    command: str
    prompt: str
    result: str
    target: str
    guard: float = 0.0

    def ceiling(self, octets: int) -> float:
        """Seconds for `octets` with a driver that takes no time itself."""
        line = LINE_RATE / 10
        fixed = (len(self.command) + len(self.prompt) + len(self.result)) / line + PROMPT_DELAY + self.guard + ACCEPT_DELAY
        return octets / line + -(-octets // self.chunk) * fixed


MODES = {
    "sim800": Mode(1460, "AT+CIPSEND=0,1460\r", "\r\n> ", "\r\nDATA ACCEPT:0,1460\r\n", ">= 97 % of ceiling"),
    "sim7600": Mode(1500, "AT+CIPSEND=0,1500\r", "\r\n>", "\r\nOK\r\n\r\n+CIPSEND: 0,1500,1500\r\n", ">= 97 % of ceiling"),
    "quectel": Mode(1460, "AT+QISEND=0,1460\r", "\r\n> ", "\r\nSEND OK\r\n", ">= 97 % of ceiling"),
    "sim7080": Mode(1360, "AT+CASEND=0,1360\r", "\r\n>", "\r\nOK\r\n", ">= 95 % of ceiling"),
    "telit": Mode(1500, "AT#SSENDEXT=1,1500\r", "\r\n> ", "\r\nOK\r\n", ">= 95 % of ceiling"),
    "ublox": Mode(1024, "AT+USOWR=0,1024\r", "\r\n@", "\r\n+USOWR: 0,1024\r\n\r\nOK\r\n", ">= 97 % of ceiling", 0.050),
}

SWALLOWED: list[int] = []  # octets that the far end has, piece by piece


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """A TCP server that swallows everything and counts it in SWALLOWED; yields its port."""
    server = socket.create_server(("127.0.0.1", 0))
    SWALLOWED.clear()

    def swallow() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    while data := connection.recv(65536):
                        SWALLOWED.append(len(data))

    threading.Thread(target=swallow, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


async def pour(port: Path, octets: int, **settings: Any) -> tuple[float, float]:
    """Seconds and CPU seconds that the link takes for `octets`, from the first send command to the last result; in the transparent mode,
    which has no result, until the far end has them all."""
    link = ModemLink("bench", ModemSettings(str(port), LINE_RATE, apn="bench", **settings), bus=Bus())
    await link.start()
    await link.ready()
    stream = await link.open("sink.bench", 80)
    body = bytes(range(256)) * (octets // 256 + 1)
    started, cpu = time.perf_counter(), time.process_time()
    await stream.send(body[:octets])
    while settings.get("transparent") and sum(SWALLOWED) < octets:
        await asyncio.sleep(0.005)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    await stream.close()
    await link.stop()
    return seconds, cpu


@contextlib.contextmanager
def modem_before_a_sink(folder: Path, dialect: str, *more: str) -> Iterator[Path]:
    link = folder / f"sink-{dialect}"
    with sink() as port:
        host = f"sink.bench=127.0.0.1:{port}"
        modem = simulated(folder, "sink", "modem", "--dialect", dialect, "--link", str(link), "--host", host, *more)
        try:
            until(link.is_symlink)
            yield link
        finally:
            end(modem)


def bench_goodput(folder: Path) -> Iterator[Row]:
    for dialect, mode in MODES.items():
        with modem_before_a_sink(folder, dialect, *PACED) as port:
            seconds, _ = asyncio.run(pour(port, GOODPUT_OCTETS))
        line, best = GOODPUT_OCTETS * 10 / LINE_RATE, mode.ceiling(GOODPUT_OCTETS)
        more = {"seconds": seconds, "%_of_line": 100 * line / seconds, "ceiling_%_of_line": 100 * line / best}
        yield Row(f"300 KB, {dialect}, of its ceiling", 100 * best / seconds, "%", mode.target, more)


def bench_raised(folder: Path) -> Iterator[Row]:
    with modem_before_a_sink(folder, "sim800", *PACED) as port:
        seconds, _ = asyncio.run(pour(port, GOODPUT_OCTETS, max_baud=RAISED))
    yield Row(f"300 KB, sim800, line raised to {RAISED}", seconds, "s", "<= 12")


def bench_transparent(folder: Path) -> Iterator[Row]:
    for dialect in ("sim800", "sim7600", "quectel"):
        with modem_before_a_sink(folder, dialect, *PACED) as port:
            seconds, _ = asyncio.run(pour(port, GOODPUT_OCTETS, transparent=True, flow_control="rtscts"))
        yield Row(f"300 KB, {dialect}, transparent", 100 * GOODPUT_OCTETS * 10 / LINE_RATE / seconds, "%", ">= 97 % of the line")


def bench_native(folder: Path) -> Iterator[Row]:
    for dialect in ("sim7600", "sim800"):
        with modem_before_a_sink(folder, dialect, *pace()) as port:
            seconds, cpu = asyncio.run(pour(port, LARGE_OCTETS))
        yield Row(f"1 MB unpaced, {dialect}", LARGE_OCTETS / seconds / 1e6, "MB/s", ">= 1", {"cpu_seconds": cpu, "cpu_target": "<= 0.5"})


BENCHES = {"goodput": bench_goodput, "raised": bench_raised, "transparent": bench_transparent, "native": bench_native}

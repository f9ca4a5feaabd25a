"""Pacing of both directions, bounded buffers, what a line without flow control loses.

Times are compared with generous bounds: a lower bound must hold whatever the machine does, an upper one only guards against a hang.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.faults import Faults
from mmsproxy.simulator.pty_port import REOPEN_POLL_S
from mmsproxy.simulator.uart import RX_FIFO, TX_LIMIT, Uart


class Line:
    """A UART, and the host's descriptor."""

    def __init__(self, baud: int, backlog: Callable[[], int]) -> None:
        self.clock = Clock()
        self.faults = Faults()
        self.heard: list[tuple[float, bytes]] = []
        self.uart = Uart(self.clock, self.faults, baud, None, lambda data: self.heard.append((time.monotonic(), data)), backlog)
        self.uart.plug()
        self.fd = os.open(self.uart.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)

    @property
    def received(self) -> bytes:
        return b"".join(data for _, data in self.heard)

    async def write(self, data: bytes) -> None:
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.fd, data) :]
            await asyncio.sleep(0.001)

    async def until_received(self, count: int) -> float:
        while len(self.received) < count:
            await asyncio.sleep(0.001)
        return self.heard[-1][0]

    async def read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            with contextlib.suppress(BlockingIOError):
                got += os.read(self.fd, count - len(got))
            await asyncio.sleep(0.001)
        return got

    def close(self) -> None:
        os.close(self.fd)
        self.uart.unplug()
        self.clock.close()


@pytest.fixture
async def line() -> AsyncIterator[Callable[..., Awaitable[Line]]]:
    lines: list[Line] = []

    async def make(baud: int = 0, backlog: Callable[[], int] = lambda: 0) -> Line:
        lines.append(Line(baud, backlog))
        await asyncio.sleep(3 * REOPEN_POLL_S)  # the host's open was noticed
        return lines[-1]

    yield make
    for each in lines:
        each.close()


async def test_the_host_is_heard_at_the_line_rate(line) -> None:
    wire = await line(115200)
    start = time.monotonic()
    await wire.write(bytes(2304))
    took = await wire.until_received(2304) - start
    assert 0.199 <= took < 2  # 2304 bytes at 11520 bytes/s are 0.2 s
    assert max(len(data) for _, data in wire.heard) <= 256


async def test_the_modem_is_heard_at_the_line_rate(line) -> None:
    wire = await line(115200)
    start = time.monotonic()
    wire.uart.write(os.urandom(2304))
    await wire.read(2304)
    assert 0.199 <= time.monotonic() - start < 2


async def test_pieces_do_not_add_up_their_lateness(line) -> None:
    """23,040 bytes in 90 pieces: their deadlines are 2.0 s after the first, whatever each one's own lateness was."""
    wire = await line(921600)
    start = time.monotonic()
    wire.uart.write(bytes(23_040))
    await wire.read(23_040)
    assert 0.249 <= time.monotonic() - start < 2


async def test_both_directions_at_once(line) -> None:
    wire = await line(460800)
    start = time.monotonic()
    wire.uart.write(bytes(4608))
    await asyncio.gather(wire.write(bytes(4608)), wire.read(4608))
    await wire.until_received(4608)
    assert 0.099 <= time.monotonic() - start < 1  # not the sum of both


async def test_unpaced_nothing_is_changed(line) -> None:
    wire = await line(0)
    data = os.urandom(60_000)
    wire.uart.write(data)
    assert await wire.read(60_000) == data
    await wire.write(data)
    await wire.until_received(60_000)
    assert wire.received == data


async def test_a_host_that_does_not_read_costs_bounded_memory_and_no_time(line) -> None:
    wire = await line(0)
    for _ in range(300):
        wire.uart.write(bytes(1000))
    assert wire.uart.tx_backlog <= TX_LIMIT + 1000
    assert wire.uart.lost > 100_000
    await asyncio.sleep(0.05)
    kept = 300_000 - wire.uart.lost
    assert len(await wire.read(kept)) == kept
    wire.uart.write(b"fresh")
    assert await wire.read(5) == b"fresh"


@pytest.mark.parametrize(("baud", "flow_control", "lost"), [(115200, False, True), (115200, True, False), (0, False, False)])
async def test_a_busy_modem_loses_bytes_only_on_a_line_without_flow_control(line, baud: int, flow_control: bool, lost: bool) -> None:
    wire = await line(baud, lambda: RX_FIFO)
    wire.uart.flow_control = flow_control
    await wire.write(bytes(1000))
    await asyncio.sleep(0.15)
    assert (wire.uart.lost > 0) == lost


async def test_the_host_goes_on_when_the_modem_has_worked_off_its_bytes(line) -> None:
    pending = [RX_FIFO]
    wire = await line(0, lambda: pending[0])
    await wire.write(b"waiting")
    await asyncio.sleep(0.06)
    assert wire.received == b""
    pending[0] = 0
    wire.uart.work_done()
    await wire.until_received(7)


async def test_a_fixed_rate_makes_garbage_of_another_one(line) -> None:
    wire = await line(115200)
    wire.uart.set_baud(460800)
    await wire.write(b"AT\r")
    await wire.until_received(3)
    assert wire.received != b"AT\r"
    wire.uart.set_baud(0)
    await wire.write(b"AT\r")
    await wire.until_received(6)
    assert wire.received[3:] == b"AT\r"


async def test_drained_is_told_once_the_last_byte_is_out(line) -> None:
    wire = await line(115200)
    told: list[bool] = []
    wire.uart.when_drained(lambda: told.append(True))
    assert told == [True]
    wire.uart.write(bytes(100))
    wire.uart.when_drained(lambda: told.append(True))
    assert told == [True]
    await wire.read(100)
    await asyncio.sleep(0.01)
    assert told == [True, True]


async def test_reset_and_unplug_forget_what_was_on_the_line(line, tmp_path: Path) -> None:
    wire = await line(1200)
    wire.uart.write(bytes(1000))
    wire.uart.reset()
    assert wire.uart.tx_backlog == 0
    wire.uart.write(bytes(1000))
    wire.uart.unplug()
    wire.uart.write(b"nobody")
    assert wire.uart.tx_backlog == 0

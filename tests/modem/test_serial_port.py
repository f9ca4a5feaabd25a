"""The seam to the serial library, over real ptys."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import pty
import termios
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mmsproxy.errors import LinkLost, PortError
from mmsproxy.modem import serial_port
from mmsproxy.modem.serial_port import SerialPort

HANG = 20.0


class Line:
    """A pty and what a port on it got and lost."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.name = os.ttyname(self.slave)
        self.got = bytearray()
        self.lost: list[LinkLost] = []
        self.news = asyncio.Event()

    def data(self, data: bytes) -> None:
        self.got += data
        self.news.set()

    def gone(self, error: LinkLost) -> None:
        self.lost.append(error)
        self.news.set()

    async def open(self, baud: int = 115200) -> SerialPort:
        return await SerialPort.open(self.name, baud, self.data, self.gone)

    async def changed(self) -> None:
        async with asyncio.timeout(HANG):
            await self.news.wait()
        self.news.clear()

    def unplug(self) -> None:
        for descriptor in (self.slave, self.master):
            os.close(descriptor)
        self.master = -1


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    yield made
    if made.master >= 0:
        made.unplug()


async def read(descriptor: int, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(HANG):
        while len(data) < size:
            try:
                data += os.read(descriptor, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.001)
    return data


async def test_bytes_both_ways_unchanged(line: Line) -> None:
    port = await line.open()
    every = bytes(range(256)) * 200
    port.write(every)
    assert await read(line.master, len(every)) == every
    await port.drain()
    os.write(line.master, bytes(range(256)))
    while len(line.got) < 256:
        await line.changed()
    assert line.got == bytes(range(256))
    await port.close()
    await port.close()
    port.write(b"into the void")
    assert line.lost == []


async def test_a_stalled_reader_holds_drain_until_it_reads_again(line: Line) -> None:
    port = await line.open()
    port.write(bytes(300_000))
    await asyncio.sleep(0.01)
    draining = asyncio.create_task(port.drain())
    await asyncio.sleep(0.05)
    assert not draining.done()
    assert len(await read(line.master, 300_000)) == 300_000
    async with asyncio.timeout(HANG):
        await draining
    await port.close()


async def test_a_close_drops_what_was_not_sent_and_does_not_hang(line: Line) -> None:
    port = await line.open()
    port.write(bytes(300_000))
    async with asyncio.timeout(HANG):
        await port.close()
    again = await line.open()
    await again.close()


async def test_an_unplug_is_told_once(line: Line) -> None:
    port = await line.open()
    line.unplug()
    await line.changed()
    assert len(line.lost) == 1
    assert line.name in str(line.lost[0])
    await port.drain()
    await port.close()
    assert len(line.lost) == 1


async def test_an_open_port_is_ours_alone_and_free_again_after_the_close(line: Line) -> None:
    port = await line.open()
    with pytest.raises(PortError, match="in use by this program itself"):
        await line.open()
    exclusive = bytearray(4)
    fcntl.ioctl(line.slave, 0x80045440, exclusive)  # TIOCGEXCL
    assert exclusive[0] == 1
    await port.close()
    fcntl.ioctl(line.slave, 0x80045440, exclusive)
    assert exclusive[0] == 0
    await (await line.open()).close()


async def test_the_rate_is_set(line: Line) -> None:
    port = await line.open(9600)
    assert termios.tcgetattr(line.slave)[4] == termios.B9600
    await port.close()


async def test_a_cancelled_open_leaves_nothing_open(line: Line) -> None:
    opening = asyncio.create_task(line.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with asyncio.timeout(HANG):
        while True:
            try:
                port = await line.open()
                break
            except PortError:
                await asyncio.sleep(0.01)
    await port.close()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "there is no port /dev/ttyUSB9; plug the modem in"),
        (errno.ENXIO, "there is no port"),
        (errno.EACCES, "no permission for /dev/ttyUSB9; sudo usermod -aG dialout"),
        (errno.EBUSY, 'in use by another program, often ModemManager; .*udev rule with ENV{ID_MM_DEVICE_IGNORE}="1"'),
        (errno.EWOULDBLOCK, "in use"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_each_failure_names_its_cure(number: int, words: str) -> None:
    with pytest.raises(PortError, match=words):
        raise serial_port._translated("/dev/ttyUSB9", OSError(number, os.strerror(number)))


async def test_what_is_no_serial_port(tmp_path: Path) -> None:
    plain = tmp_path / "file"
    plain.write_bytes(b"")
    for device in (str(plain), str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(PortError):
            await SerialPort.open(device, 115200, lambda data: None, lambda error: None)


async def test_a_rate_that_no_port_has(line: Line) -> None:
    with pytest.raises(PortError, match=r"baud|cannot be opened"):
        await line.open(-5)


def test_the_group_of_the_port_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = tmp_path / "tty"
    port.write_bytes(b"")
    port.chmod(0o660)
    assert serial_port._group_of(str(tmp_path / "none")) == "dialout"
    monkeypatch.setattr(serial_port.os, "stat", lambda path: os.stat_result((0o20660, 0, 0, 0, 0, 12345678, 0, 0, 0, 0)))
    assert serial_port._group_of(str(port)) == "dialout"  # a group without a name


async def test_a_port_that_vanishes_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    path = os.ttyname(slave)

    async def gone(*_: object) -> None:
        raise serial_port.serial.SerialException("Could not configure port: (5, 'Input/output error')")

    monkeypatch.setattr(serial_port.serial_asyncio, "connection_for_serial", gone)
    with pytest.raises(PortError):
        await SerialPort.open(path, 115200, lambda data: None, lambda error: None)
    os.close(slave)
    os.close(master)

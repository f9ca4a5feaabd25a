"""The pty's modem side: the symlink, the host's close and next open, what happens to unread bytes."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mmsproxy.errors import PortError
from mmsproxy.simulator.pty_port import PtyPort


class Echo:
    """Writes back what it reads."""

    def __init__(self, link: Path | None = None) -> None:
        self.port = PtyPort(link, self.readable, lambda: None)
        self.calls = 0
        self.heard = b""

    def readable(self) -> None:
        self.calls += 1
        data = self.port.read(4096)
        self.heard += data
        self.port.write(data)


@pytest.fixture
async def echo(tmp_path: Path) -> AsyncIterator[Echo]:
    echo = Echo(tmp_path / "ttyModem")
    echo.port.plug()
    yield echo
    echo.port.unplug()


def opened(path: str) -> int:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(fd)
    return fd


async def read(fd: int) -> bytes:
    for _ in range(200):
        await asyncio.sleep(0.005)
        try:
            return os.read(fd, 4096)
        except BlockingIOError:
            continue
    return b""


async def test_a_symlink_stands_for_the_port(echo: Echo, tmp_path: Path) -> None:
    link = tmp_path / "ttyModem"
    assert echo.port.path == str(link)
    assert os.readlink(link).startswith("/dev/pts/")
    echo.port.unplug()
    assert not link.is_symlink()
    echo.port.unplug()
    echo.port.plug()
    assert link.is_symlink()


async def test_a_path_that_is_taken_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("mine")
    with pytest.raises(PortError, match="cannot make the symlink"):
        Echo(taken).port.plug()
    assert taken.read_text() == "mine"


async def test_an_old_symlink_is_replaced_and_a_foreign_one_left(tmp_path: Path) -> None:
    link = tmp_path / "tty"
    link.symlink_to("/nonexistent")
    first, second = Echo(link), Echo(link)
    first.port.plug()
    second.port.plug()
    first.port.unplug()
    assert link.is_symlink()
    second.port.unplug()
    assert not link.is_symlink()


async def test_hosts_come_and_go(echo: Echo) -> None:
    for word in (b"one", b"two", b"three"):
        fd = opened(echo.port.path)
        os.write(fd, word)
        assert await read(fd) == word
        os.close(fd)
        await asyncio.sleep(0.03)


async def test_bytes_of_a_host_that_has_left_are_still_heard(echo: Echo) -> None:
    fd = opened(echo.port.path)
    os.write(fd, b"parting")
    os.close(fd)
    for _ in range(100):
        await asyncio.sleep(0.005)
        if echo.heard:
            break
    assert echo.heard == b"parting"


async def test_what_one_host_has_not_read_does_not_greet_the_next(echo: Echo) -> None:
    fd = opened(echo.port.path)
    os.write(fd, b"unread")
    for _ in range(100):
        await asyncio.sleep(0.005)
        if echo.heard:
            break
    os.close(fd)
    await asyncio.sleep(0.05)
    assert echo.port.write(b"nobody there") == 12  # lost, as on a line without a listener
    fd = opened(echo.port.path)
    await asyncio.sleep(0.05)
    with pytest.raises(BlockingIOError):
        os.read(fd, 100)
    os.close(fd)


async def test_no_busy_loop_without_a_host(echo: Echo) -> None:
    fd = opened(echo.port.path)
    os.write(fd, b"x")
    assert await read(fd) == b"x"
    os.close(fd)
    await asyncio.sleep(0.1)
    calls = echo.calls
    await asyncio.sleep(0.2)
    assert echo.calls == calls


async def test_the_hosts_speed_is_seen(echo: Echo) -> None:
    fd = opened(echo.port.path)
    attributes = termios.tcgetattr(fd)
    attributes[4] = attributes[5] = termios.B460800
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
    assert echo.port.host_baud == 460800
    os.close(fd)


async def test_unplugging_kills_the_hosts_descriptor(echo: Echo) -> None:
    fd = opened(echo.port.path)
    echo.port.unplug()
    with pytest.raises(OSError):
        os.write(fd, b"x")
    os.close(fd)
    assert (echo.port.read(10), echo.port.write(b"abc"), echo.port.plugged) == (b"", 3, False)

"""Lock files and holders, in a folder of the test's own and over real descriptors."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmsproxy.errors import PortError
from mmsproxy.modem import port_lock, serial_port
from mmsproxy.modem.port_lock import Holder
from mmsproxy.modem.serial_port import SerialPort

DEVICE = "/dev/ttyTEST7"  # need not be there
GONE = 2**22 + 1  # beyond the kernel's greatest process id


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(port_lock, "LOCK_FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def other() -> Iterator[int]:
    """Another living process."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n", timeout=20)


def test_a_lock_names_us_and_goes(folder: Path) -> None:
    path = port_lock.lock(DEVICE)
    assert path == folder / "LCK..ttyTEST7"
    assert path.read_text() == f"{os.getpid():10d}\n"
    assert [entry.name for entry in folder.iterdir()] == ["LCK..ttyTEST7"]
    port_lock.unlock(path)
    port_lock.unlock(path)
    port_lock.unlock(None)
    assert list(folder.iterdir()) == []


def test_a_lock_of_a_living_process_is_kept_and_named(folder: Path, other: int) -> None:
    (folder / "LCK..ttyTEST7").write_text(f"{other:10d}\n")
    with pytest.raises(OSError) as caught:
        port_lock.lock(DEVICE)
    assert caught.value.errno == errno.EBUSY
    holder = port_lock.holder_of(DEVICE)
    assert holder is not None
    assert holder.pid == other
    assert f"(pid {other})" in str(holder)


@pytest.mark.parametrize("content", [f"{GONE:10d}\n", "", "minicom\n", "-1\n", "0\n", "9" * 19])
def test_a_lock_of_nobody_is_taken_over(folder: Path, content: str) -> None:
    (folder / "LCK..ttyTEST7").write_text(content)
    assert port_lock.holder_of(DEVICE) is None
    path = port_lock.lock(DEVICE)
    assert path is not None
    assert path.read_text() == f"{os.getpid():10d}\n"


def test_a_lock_of_our_own_is_left_over(folder: Path) -> None:
    assert port_lock.lock(DEVICE) == port_lock.lock(DEVICE)


def test_where_no_lock_can_be_written_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(port_lock, "LOCK_FOLDER", tmp_path / "missing")
    assert port_lock.lock(DEVICE) is None


def test_a_pty_needs_no_lock_file(folder: Path) -> None:
    assert port_lock.lock("/dev/pts/3") is None
    assert list(folder.iterdir()) == []


def test_who_has_a_port_open() -> None:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    try:
        assert port_lock.holder_of(name) == Holder(os.getpid(), Path("/proc/self/comm").read_text().strip())
        assert str(port_lock.holder_of(name)) == "this program itself"
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=slave)
        try:
            holder = port_lock.holder_of(name)
            assert holder is not None
            assert holder.pid == process.pid
            assert holder.name in str(holder)
        finally:
            process.communicate(b"\n", timeout=20)
    finally:
        os.close(slave)
        os.close(master)


def test_nobody_and_the_nameless() -> None:
    assert port_lock.holders([DEVICE]) == {}
    assert str(Holder(GONE)) == f"a program (pid {GONE})"
    assert port_lock._name_of(GONE) == ""


@pytest.fixture
def terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A pty that counts as a device of its own."""
    monkeypatch.setattr(port_lock, "_DEVICES", Path("/dev/pts"))
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield name
    os.close(master)


async def test_an_open_port_has_its_lock_and_a_closed_one_none(folder: Path, terminal: str) -> None:
    port = await SerialPort.open(terminal, 115200, lambda data: None, lambda error: None)
    assert os.listdir(folder) == [f"LCK..{Path(terminal).name}"]
    await port.close()
    assert os.listdir(folder) == []


async def test_a_port_that_another_program_has_locked_is_not_opened(folder: Path, terminal: str, other: int) -> None:
    (folder / f"LCK..{Path(terminal).name}").write_text(f"{other:10d}\n")
    for _ in range(2):  # the first try leaves nothing behind
        with pytest.raises(PortError, match=rf"in use by .*\(pid {other}\)"):
            await SerialPort.open(terminal, 115200, lambda data: None, lambda error: None)
    assert len(os.listdir(folder)) == 1
    port_lock.unlock(folder / f"LCK..{Path(terminal).name}")
    await (await SerialPort.open(terminal, 115200, lambda data: None, lambda error: None)).close()


def test_what_may_be_opened(terminal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serial_port.require(terminal)
    with pytest.raises(PortError, match="there is no port"):
        serial_port.require(str(tmp_path / "missing"))
    with pytest.raises(PortError, match="no serial port"):
        serial_port.require(str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PortError, match="no permission") as caught:
        serial_port.require(terminal)
    assert "usermod -aG" in caught.value.cure

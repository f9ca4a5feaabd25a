"""The modem's end of a pseudo-terminal, with a symlink that stands for /dev/ttyUSBn.

Law: knows descriptors and bytes, nothing of AT. A modem stays powered when the host closes the port, so the close and the next open of
the slave are watched here, and what the modem says meanwhile is lost, as on a real line.
"""

from __future__ import annotations

import asyncio
import os
import select
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mmsproxy.errors import PortError

REOPEN_POLL_S = 0.02  # a closed slave gives no event when it is opened again: it has to be polled
READ_AT_ONCE = 4096  # what a pty hands over in one read

_BAUD = {getattr(termios, f"B{baud}"): baud for baud in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)}


class PtyPort:
    """Owns the master side. `on_readable` is called while the host's bytes wait (until `read` has taken them or `pause` was called)."""

    def __init__(self, link: Path | None, on_readable: Callable[[], None], on_writable: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._on_readable = on_readable
        self._on_writable = on_writable
        self._master = -1
        self._slave_name = ""
        self._reading = False
        self._writing = False
        self._paused = False
        self._poll: asyncio.TimerHandle | None = None

    @property
    def path(self) -> str:
        """What the host opens: the symlink where there is one."""
        return str(self._link) if self._link is not None else self._slave_name

    @property
    def plugged(self) -> bool:
        return self._master >= 0

    @property
    def host_baud(self) -> int | None:
        """The speed that the host has set; None where the system does not tell."""
        try:
            return _BAUD.get(termios.tcgetattr(self._master)[5])
        except (termios.error, OSError):
            return None

    def plug(self, baud: int = 0) -> None:
        """Makes the pty and the symlink; the host finds the speed `baud` set. Raises PortError when the symlink's path is taken."""
        if self.plugged:
            return
        self._master, slave = os.openpty()
        self._slave_name = os.ttyname(slave)
        tty.setraw(slave)
        _set_speed(slave, baud)
        os.close(slave)
        os.set_blocking(self._master, False)
        try:
            self._make_link()
        except BaseException:
            os.close(self._master)
            self._master = -1
            raise
        self._closed_by_host()

    def unplug(self) -> None:
        """Closes the pty: the host's descriptor is dead. May be called twice."""
        if not self.plugged:
            return
        self._stop_reading()
        self.stop_writing()
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None
        os.close(self._master)
        self._master = -1
        self._remove_link()

    def read(self, limit: int) -> bytes:
        """What the host has written, at most `limit` bytes; b"" when nothing waits (or the host has closed)."""
        if not self.plugged or self._poll is not None:
            return b""
        try:
            data = os.read(self._master, min(limit, READ_AT_ONCE))
        except BlockingIOError:
            return b""
        except OSError:  # EIO: no slave is open any more
            data = b""
        if not data:
            self._closed_by_host()
        return data

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """How many bytes went; all of them when nobody has the port open, for then they are lost."""
        if not self.plugged or self._poll is not None:
            return len(data)
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def pause(self) -> None:
        """No `on_readable` until `resume`: the host's bytes wait in the kernel, as behind a busy UART."""
        self._paused = True
        self._stop_reading()

    def resume(self) -> None:
        self._paused = False
        self._start_reading()

    def await_writable(self) -> None:
        """`on_writable` is called as long as the pty takes bytes, until `stop_writing`."""
        if self.plugged and not self._writing:
            self._loop.add_writer(self._master, self._on_writable)
            self._writing = True

    def stop_writing(self) -> None:
        if self._writing:
            self._loop.remove_writer(self._master)
            self._writing = False

    def _start_reading(self) -> None:
        if self.plugged and not self._reading and not self._paused and self._poll is None:
            self._loop.add_reader(self._master, self._on_readable)
            self._reading = True

    def _stop_reading(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._master)
            self._reading = False

    def _closed_by_host(self) -> None:
        self._stop_reading()
        self.stop_writing()
        self._forget_unread()
        self._poll = self._loop.call_later(REOPEN_POLL_S, self._look_for_host)

    def _forget_unread(self) -> None:
        """What the last host did not read must not greet the next one."""
        with suppress(OSError, termios.error):
            slave = os.open(self._slave_name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                termios.tcflush(slave, termios.TCIFLUSH)
            finally:
                os.close(slave)

    def _look_for_host(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        events = dict(poll.poll(0)).get(self._master, 0)
        if events & select.POLLIN or not events & select.POLLHUP:
            self._poll = None
            self._start_reading()
            return
        self._poll = self._loop.call_later(REOPEN_POLL_S, self._look_for_host)

    def _make_link(self) -> None:
        if self._link is None:
            return
        if self._link.is_symlink():
            self._link.unlink()
        try:
            self._link.symlink_to(self._slave_name)
        except OSError as error:
            raise PortError(f"cannot make the symlink {self._link}: {error.strerror}", cure="name a path that is free") from error

    def _remove_link(self) -> None:
        if self._link is not None and self._link.is_symlink() and os.readlink(self._link) == self._slave_name:
            self._link.unlink()


def _set_speed(slave: int, baud: int) -> None:
    """A program that never sets a speed then has the modem's own, as on a board that is set up; rates without a constant are left."""
    for constant, rate in _BAUD.items():
        if rate == baud:
            attributes = termios.tcgetattr(slave)
            attributes[4] = attributes[5] = constant
            termios.tcsetattr(slave, termios.TCSANOW, attributes)

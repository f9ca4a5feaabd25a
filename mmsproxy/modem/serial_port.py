"""The one seam to the serial library: a port that is ours alone, bytes out, bytes in, and one call when it is gone.

Rule 1: nothing else imports serial or serial_asyncio (but `ports`, which lists what is there); changing the library is a change of this
file. Rule 2: pyserial-asyncio 0.6 opens and configures in the loop's thread unless it is given an instance: so the instance is made in an
executor. Rule 3: knows no AT.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import serial
import serial_asyncio

from mmsproxy.errors import LinkLost, PortError
from mmsproxy.modem import port_lock

_POSIX = os.name == "posix"  # on Windows a port opens exclusively by itself
if _POSIX:
    import fcntl
    import grp
    import termios

HIGH_WATER = 4096  # bytes in the library's buffer; the kernel holds as much again
_CLOSING_WAIT_NONE = 65535  # linux/tty_flags.h; closing some USB modems hangs for 30 s otherwise
USB_SERIAL = Path("/sys/bus/usb-serial/devices")
USB_TTY = Path("/sys/class/tty")
#: Bridges from USB to a UART: the rate on the wire is real there (modems.md 5.7).
BRIDGES = frozenset({"1a86:7523", "1a86:5523", "1a86:55d4", "10c4:ea60", "0403:6001", "0403:6015", "067b:2303"})
_UART_NAMES = re.compile(r"tty(S|AMA|O|THS|mxc|SAC|HS)\d+")  # UARTs of boards
_UDEV_RULE = 'ENV{ID_MM_DEVICE_IGNORE}="1"'


class SerialPort(asyncio.Protocol):
    """An open port. `on_data` gets bytes as they come, `on_lost` is called once when the port goes away by itself."""

    def __init__(self, device: str, on_data: Callable[[bytes], None], on_lost: Callable[[LinkLost], None]) -> None:
        self.device = device
        self.baud = 0
        self.has_a_rate = False  # a UART is known to be behind it: the rate limits it
        self.may_have_a_rate = False  # it is not known to be a modem that is USB itself
        self._on_data = on_data
        self._on_lost = on_lost
        self._closing = False
        self._lock: Path | None = None
        self._gone = asyncio.get_running_loop().create_future()
        self._made = asyncio.Event()
        self._transport: Any = None
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def open(
        cls,
        device: str,
        baud: int,
        on_data: Callable[[bytes], None],
        on_lost: Callable[[LinkLost], None],
        *,
        rtscts: bool = False,
    ) -> SerialPort:
        """Raises PortError with the cure: no such port, no permission, held by another program, no such baud rate."""
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(None, _open_exclusively, device, baud, rtscts)
        try:
            instance = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise
        port = cls(device, on_data, on_lost)
        port.baud = baud
        port.has_a_rate, port.may_have_a_rate = await loop.run_in_executor(None, rates_of, device)
        try:
            port._lock = port_lock.lock(device)
            await serial_asyncio.connection_for_serial(loop, lambda: port, instance)
        except OSError as error:  # locked, or unplugged between the open and here: pyserial's SerialException is one
            with contextlib.suppress(OSError, ValueError):
                _release(instance)
            instance.close()
            port_lock.unlock(port._lock)
            raise _translated(device, error) from error
        await port._made.wait()
        return port

    def write(self, data: bytes) -> None:
        """Queues bytes; a port that is gone swallows them (its owner was told)."""
        if self._transport is not None:
            self._transport.write(data)

    async def drain(self) -> None:
        """Returns when the library's buffer is below the mark."""
        await self._writable.wait()

    async def set_baud(self, baud: int) -> None:
        """Changes the rate of the open port. Raises PortError when it cannot run at it."""
        if self._transport is None:
            return
        instance = self._transport.serial
        try:
            await asyncio.get_running_loop().run_in_executor(None, setattr, instance, "baudrate", baud)
        except _RATE_ERRORS as error:
            raise PortError(f"{self.device} cannot be set to {baud} baud: {error}", cure="correct modem.baud or modem.max_baud") from error
        self.baud = baud

    async def close(self) -> None:
        """Gives the port back, unsent bytes dropped. May be called twice."""
        self._closing = True
        if self._transport is not None and not self._gone.done():
            instance = self._transport.serial
            with contextlib.suppress(OSError, *_TERMIOS_ERRORS):
                instance.reset_output_buffer()  # 0.6 waits for the output in the loop otherwise: for ever, while CTS is low
                _release(instance)
            if not (self._transport.is_closing() and self._transport.get_write_buffer_size() == 0):
                self._transport.abort()  # a second one, after the library has begun to close by itself, would trip it
            await self._gone

    # -- asyncio.Protocol -------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self._made.set()

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        port_lock.unlock(self._lock)
        self._writable.set()
        if not self._gone.done():
            self._gone.set_result(None)
        if not self._closing:
            self._on_lost(LinkLost(f"the modem is gone from {self.device}", cure="plug it in again; the port is reopened by itself"))


_TERMIOS_ERRORS: tuple[type[Exception], ...] = (termios.error,) if _POSIX else ()
_RATE_ERRORS: tuple[type[Exception], ...] = (ValueError, OSError, *_TERMIOS_ERRORS)


def _open_exclusively(device: str, baud: int, rtscts: bool) -> serial.Serial:
    try:
        instance = serial.Serial(device, baud, exclusive=True, rtscts=rtscts)
    except ValueError as error:  # a baud rate that the port cannot do
        raise PortError(f"{device} cannot be set to {baud} baud: {error}", cure="correct modem.baud in the config") from error
    except OSError as error:  # serial.SerialException is one
        raise _translated(device, error) from error
    _tune(instance)
    return instance


def _close_unwanted(opening: asyncio.Future[serial.Serial]) -> None:
    """The opener was cancelled while the executor was at it."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _tune(instance: serial.Serial) -> None:
    """Locks out everybody but root, and asks for low latency. What the driver does not know is left as it is."""
    if not _POSIX:
        return
    with contextlib.suppress(OSError):
        fcntl.ioctl(instance.fileno(), termios.TIOCEXCL)
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # the last one: not on this system
        instance.set_low_latency_mode(True)
    with contextlib.suppress(OSError):
        _latency_timer(instance.name).write_text("1")  # FTDI and others hold bytes back for 16 ms (modems.md 3.4)
    with contextlib.suppress(OSError):
        _never_wait_at_close(instance.fileno())


def _latency_timer(device: str) -> Path:
    """Milliseconds that a USB serial adapter waits before it hands up a part of a packet."""
    return USB_SERIAL / Path(device).resolve().name / "latency_timer"


def _never_wait_at_close(fd: int) -> None:
    """`closing_wait` of struct serial_struct (linux/serial.h) stands in the low half of the eleventh int."""
    settings = bytearray(128)
    fcntl.ioctl(fd, 0x541E, settings)  # TIOCGSERIAL
    settings[40:42] = _CLOSING_WAIT_NONE.to_bytes(2, "little")
    fcntl.ioctl(fd, 0x541F, settings)  # TIOCSSERIAL


def _release(instance: serial.Serial) -> None:
    """TIOCEXCL outlives our descriptor where another one keeps the terminal alive (a pty's master does)."""
    if _POSIX:
        fcntl.ioctl(instance.fileno(), termios.TIOCNXCL)


def require(device: str) -> None:
    """Raises PortError, with the cure, where the device is not there, is no terminal, or is not for us. Opens nothing."""
    try:
        kind = os.stat(device).st_mode
    except OSError as error:
        raise _translated(device, error) from error
    if _POSIX and not stat.S_ISCHR(kind):
        raise PortError(f"{device} is no serial port", cure="name a modem's serial port as modem.port; `mmsproxy ports` lists them")
    if not os.access(device, os.R_OK | os.W_OK):
        raise _translated(device, OSError(errno.EACCES, os.strerror(errno.EACCES)))


def _translated(device: str, error: OSError) -> PortError:
    """Whose fault an open is, and the remedy."""
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return PortError(f"there is no port {device}", cure="plug the modem in; `mmsproxy ports` lists what is there")
        case errno.EACCES | errno.EPERM:
            group = _group_of(device)
            return PortError(f"no permission for {device}", cure=f"sudo usermod -aG {group} $USER, then log in again")
        case errno.EBUSY | errno.EWOULDBLOCK:
            holder = port_lock.holder_of(device) or "another program, often ModemManager"
            return PortError(
                f"{device} is in use by {holder}",
                cure=f"stop it; for ModemManager add a udev rule with {_UDEV_RULE} for this device",
            )
    return PortError(f"{device} cannot be opened: {error}", cure="check that modem.port is a modem's serial port")


def rates_of(device: str) -> tuple[bool, bool]:
    """Whether bytes are known to pass a UART behind this port, so that its rate limits them (a board's own, or behind a USB bridge), and
    whether they may: a modem that is USB itself ignores the rate (modems.md 3.4)."""
    name = Path(device).resolve().name
    usb = _usb_id(name)
    known = _UART_NAMES.fullmatch(name) is not None or usb in BRIDGES
    return known, known or not usb


def _usb_id(name: str) -> str:
    """VID:PID of a USB port's device; empty where there is none."""
    with contextlib.suppress(OSError):
        place = (USB_TTY / name / "device").resolve()
        for folder in (place, *place.parents):
            if (folder / "idVendor").is_file():
                return f"{(folder / 'idVendor').read_text().strip()}:{(folder / 'idProduct').read_text().strip()}"
    return ""


def _group_of(device: str) -> str:
    """The group that may use the port: `dialout` on Debian."""
    with contextlib.suppress(OSError, KeyError):
        found = os.stat(device)
        if _POSIX and stat.S_IMODE(found.st_mode) & stat.S_IWGRP and found.st_gid != 0:
            return grp.getgrgid(found.st_gid).gr_name
    return "dialout"

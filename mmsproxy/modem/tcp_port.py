"""A modem's port on another box, as raw bytes over TCP (`socket://HOST:PORT`: ser2net in its raw mode, a serial server): the face of
`serial_port.SerialPort` on a connection.

Rule 1: raw only. The rate of the line, flow control and locks are the far end's: `set_baud` fails, and the rate is not raised. RFC 2217
(`rfc2217://`) is not spoken. Rule 2: the connection is neither encrypted nor authenticated: for networks that are trusted.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable

from mmsproxy.errors import LinkLost, PortError

SCHEME = "socket://"
CONNECT_TIMEOUT = 10.0  # seconds
HIGH_WATER = 4096  # bytes, as at a serial port: `drain` is to mean something
_ADDRESS = re.compile(r"socket://(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_.-]+)):(?P<port>\d{1,5})", re.IGNORECASE)


def is_tcp(spec: str) -> bool:
    return spec.lower().startswith(SCHEME)


class TcpPort(asyncio.Protocol):
    """An open connection. `on_data` gets bytes as they come, `on_lost` is called once when it ends by itself."""

    def __init__(self, device: str, on_data: Callable[[bytes], None], on_lost: Callable[[LinkLost], None]) -> None:
        self.device = device
        self._on_data = on_data
        self._on_lost = on_lost
        self._closing = False
        self._transport: asyncio.Transport | None = None
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def open(cls, device: str, on_data: Callable[[bytes], None], on_lost: Callable[[LinkLost], None]) -> TcpPort:
        """Raises PortError: no such form, no such host, refused, no answer."""
        host, port = _address(device)
        made = cls(device, on_data, on_lost)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await asyncio.get_running_loop().create_connection(lambda: made, host, port)
        except TimeoutError as error:
            raise _failed(device, f"no answer within {CONNECT_TIMEOUT:g} s") from error
        except (OSError, UnicodeError) as error:
            raise _failed(device, getattr(error, "strerror", None) or str(error)) from error
        return made

    def write(self, data: bytes) -> None:
        """Queues bytes; a port that is gone swallows them (its owner was told)."""
        if self._transport is not None:
            self._transport.write(data)

    async def drain(self) -> None:
        """Returns when the buffer is below the mark."""
        await self._writable.wait()

    async def set_baud(self, baud: int) -> None:
        """Raises PortError: the rate is the far end's."""
        raise PortError(f"{self.device} cannot be set to {baud} baud", cure="set the rate where the modem's line is")

    async def close(self) -> None:
        """Ends the connection, unsent bytes dropped. May be called twice."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()
            await self._gone.wait()

    # -- asyncio.Protocol -------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        with contextlib.suppress(OSError):  # a far end that vanished without a word is noticed by the system
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._writable.set()
        self._gone.set()
        if not self._closing:
            self._on_lost(LinkLost(f"the connection to {self.device} has ended", cure="it is opened again by itself"))


def _address(device: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(device)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise PortError(f"{device} is no port", cure="write socket://HOST:PORT, for example socket://192.168.1.20:2001")
    return match["v6"] or match["host"], int(match["port"])


def _failed(device: str, why: str) -> PortError:
    return PortError(f"{device} cannot be reached: {why}", cure="check the address, and that the serial server runs there in raw mode")

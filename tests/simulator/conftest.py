"""A bench for simulated modems: a blocking terminal and a blocking TCP peer, run in a thread as a foreign driver would run.

Nothing here knows the gateway's own driver or asyncio: the terminal opens the pty as any program opens a serial port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import termios
import time
import tty
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings

PATIENCE_S = 5.0  # a hang guard, never a measure
SETTLE_S = 0.06  # long enough for a line that should not come

T = TypeVar("T")


class Dte:
    """The host's end of the line."""

    def __init__(self, path: str, baud: int = termios.B115200) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd, termios.TCSANOW)
        attributes = termios.tcgetattr(self.fd)
        attributes[4] = attributes[5] = baud
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)

    def close(self) -> None:
        os.close(self.fd)

    def send(self, data: bytes | str) -> None:
        octets = data.encode("latin-1") if isinstance(data, str) else data
        while octets:
            octets = octets[os.write(self.fd, octets) :]

    def read(self, count: int, patience: float = PATIENCE_S) -> bytes:
        """Exactly `count` bytes, or what came within `patience`."""
        got = bytearray()
        end = time.monotonic() + patience
        while len(got) < count and (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                part = os.read(self.fd, count - len(got))
                if not part:
                    raise OSError("the port is gone")
                got += part
        return bytes(got)

    def until(self, mark: str) -> str:
        """All up to and with `mark`."""
        got = ""
        while mark not in got:
            byte = self.read(1)
            assert byte, f"{mark!r} did not come, only {got!r}"
            got += byte.decode("latin-1")
        return got

    def expect(self, text: str | bytes) -> None:
        octets = text.encode("latin-1") if isinstance(text, str) else text
        got = self.read(len(octets))
        assert got == octets, f"{got!r} came in place of {octets!r}"

    def ask(self, command: str, answer: str) -> None:
        """`answer` with | for CR LF, byte for byte."""
        self.send(command + "\r")
        self.expect(answer.replace("|", "\r\n"))

    def ok(self, *commands: str) -> None:
        for command in commands:
            self.ask(command, "|OK|")

    def silent(self) -> None:
        got = self.read(1, SETTLE_S)
        assert got == b"", f"{got + self.read(200, SETTLE_S)!r} came where silence was due"


class Peer:
    """A TCP server on loopback that does what the test says."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(PATIENCE_S)
        self.connection: socket.socket | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.getsockname()[1]}"

    def accept(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection, _ = self.server.accept()
        self.connection.settimeout(PATIENCE_S)

    def receive(self, count: int) -> bytes:
        assert self.connection is not None
        got = bytearray()
        while len(got) < count:
            part = self.connection.recv(count - len(got))
            if not part:
                break
            got += part
        return bytes(got)

    def send(self, data: bytes) -> None:
        assert self.connection is not None
        self.connection.sendall(data)

    def finish(self) -> None:
        """FIN."""
        assert self.connection is not None
        self.connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST."""
        assert self.connection is not None
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.connection.close()
        self.connection = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.server.close()


class Bench:
    """What a script gets: `dte`, `peer`, `modem`, and `call` for what must happen in the modem's own loop."""

    def __init__(self, modem: SimulatedModem, dte: Dte, peer: Peer, loop: asyncio.AbstractEventLoop) -> None:
        self.modem, self.dte, self.peer = modem, dte, peer
        self._loop = loop

    def call(self, function: Callable[[], T]) -> T:
        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE_S)

    def up(self, *, pull: bool = True) -> None:
        """The bearer of either dialect, with echo off and numbered sockets."""
        dte = self.dte
        dte.send("ATE0\r")
        dte.expect("ATE0\r\r\nOK\r\n")
        if self.modem.settings.dialect == "sim800":
            dte.ok("AT+CIPMUX=1", "AT+CIPQSEND=1", f"AT+CIPRXGET={int(pull)}", 'AT+CSTT="internet"', "AT+CIICR")
            dte.ask("AT+CIFSR", "|10.64.3.17|")
        else:
            dte.ok(f"AT+CIPRXGET={int(pull)}")
            dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 0|")

    def connect(self, number: int = 0, host: str = "peer.test") -> None:
        if self.modem.settings.dialect == "sim800":
            self.dte.ask(f'AT+CIPSTART={number},"TCP","{host}",80', f"|OK||{number}, CONNECT OK|")
        else:
            self.dte.ask(f'AT+CIPOPEN={number},"TCP","{host}",80', f"|OK||+CIPOPEN: {number},0|")
        self.peer.accept()

    def post(self, data: bytes, number: int = 0) -> None:
        """One counted send, up to its result."""
        sim800 = self.modem.settings.dialect == "sim800"
        self.dte.ask(f"AT+CIPSEND={number},{len(data)}", "|> " if sim800 else "|>")
        self.dte.send(data)
        self.dte.expect(
            f"\r\nDATA ACCEPT:{number},{len(data)}\r\n" if sim800 else f"\r\nOK\r\n\r\n+CIPSEND: {number},{len(data)},{len(data)}\r\n"
        )


Script = Callable[[Bench], Any]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with contextlib.closing(Peer()) as server:
        yield server


@pytest.fixture
def bench(peer: Peer) -> Callable[..., Awaitable[SimulatedModem]]:
    """`await bench(script, dialect="sim800", ...)` runs the script in a thread against a modem of these settings."""

    async def run(script: Script, **settings: Any) -> SimulatedModem:
        modem = SimulatedModem(
            ModemSettings(**{"boot": 0.05, "guard": 0.1, **settings}), {"peer.test": peer.address, "10.9.8.7": peer.address}
        )
        await modem.start()
        dte = Dte(modem.path)
        try:
            await asyncio.to_thread(script, Bench(modem, dte, peer, asyncio.get_running_loop()))
        finally:
            with contextlib.suppress(OSError):
                dte.close()
            await modem.stop()
        return modem

    return run

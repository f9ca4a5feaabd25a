"""A cellular modem on a pseudo-terminal, for drivers that nobody here wrote, with real TCP connections behind it.

Law: this file is the modem's power: it wires line, parser, radio and dialect, boots and restarts them, and can be unplugged. What the
modem says stands in its dialect's file; what goes wrong on purpose stands in `faults`. It behaves as the makers' manuals say, not as our
own driver expects, and shares no code with that driver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from mmsproxy.errors import ConfigError
from mmsproxy.simulator.air import Air, Hosts, Target
from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.dialect import Board, Dialect
from mmsproxy.simulator.faults import Faults
from mmsproxy.simulator.interpreter import Interpreter
from mmsproxy.simulator.radio import Radio
from mmsproxy.simulator.settings import ModemSettings
from mmsproxy.simulator.sim800 import Sim800
from mmsproxy.simulator.sim7600 import Sim7600
from mmsproxy.simulator.terminal import Terminal
from mmsproxy.simulator.uart import Uart
from mmsproxy.simulator.wire_ledger import Wire

DIALECTS: dict[str, type[Dialect]] = {"sim800": Sim800, "sim7600": Sim7600}


class SimulatedModem:
    """One modem. `hosts` maps NAME or NAME:PORT to a listener on loopback ("127.0.0.1:8080" or a pair); nothing else can be reached.

    faults   what shall go wrong
    wire     what left and came through each TCP connection
    """

    def __init__(self, settings: ModemSettings, *, hosts: Mapping[str, str | Target] | None = None, link: str | Path | None = None) -> None:
        """Raises ConfigError for a dialect or host that cannot be."""
        if settings.dialect not in DIALECTS:
            raise ConfigError((f"dialect {settings.dialect} - must be one of {', '.join(DIALECTS)}",))
        self.settings = settings
        self.faults = Faults()
        self.wire = Wire(keep_bytes=settings.record)
        self._hosts = Hosts(hosts or {})
        self._link = Path(link) if link is not None else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._saved: dict[str, str] = {}
        self._clock: Clock | None = None
        self._uart: Uart | None = None
        self._air: Air | None = None
        self._board: Board | None = None
        self._dialect: Dialect | None = None

    @property
    def path(self) -> str:
        """What a host opens. Changes with `replug` unless there is a symlink."""
        assert self._uart is not None, "not started"
        return self._uart.path

    @property
    def lost_bytes(self) -> int:
        """Bytes that a line without flow control has lost so far."""
        return self._uart.lost if self._uart is not None else 0

    async def start(self) -> None:
        """Powers up: it answers at once, as a modem that was on before its host. Raises PortError."""
        self._clock = Clock()
        self._uart = Uart(self._clock, self.faults, self.settings.line_rate, self._link, self._heard, self._backlog)
        self._air = Air(self.settings, self._clock, self.faults, self._hosts, self.wire)
        try:
            self._uart.plug()
        except BaseException:
            self._clock.close()
            raise
        self._power_up()

    async def stop(self) -> None:
        """Closes the pty and all connections, removes the symlink. May be called twice."""
        if self._clock is None or self._uart is None:
            return
        await self._power_down("local")
        self._uart.unplug()
        self._clock.close()
        self._clock = None

    def unplug(self) -> None:
        """Pulls the cable: the pty is closed and the modem has no power."""
        if self._uart is None or not self._uart.plugged:
            return
        self._cut_power("unplugged")
        self._uart.unplug()

    def replug(self) -> None:
        """A new pty at the same symlink; the modem boots."""
        if self._uart is not None and not self._uart.plugged:
            self._uart.plug()
            self._boot()

    def restart(self) -> None:
        """A restart or brown-out: what was set is lost, connections are reset, the banners follow."""
        if self._uart is None or not self._uart.plugged:
            return
        self._cut_power("restarted")
        self._uart.reset()
        self._boot()

    def drop_bearer(self) -> None:
        """The network takes the PDP context away."""
        if self._dialect is not None and self._board is not None:
            self._board.radio.contexts_down()
            self._dialect.bearer_lost()

    def lose_coverage(self) -> None:
        """The network is gone: registration and bearer with it."""
        if self._dialect is not None and self._board is not None:
            self._board.radio.set_coverage(False)
            self._dialect.bearer_lost()

    def regain_coverage(self) -> None:
        if self._board is not None:
            self._board.radio.set_coverage(True)

    def remove_sim(self) -> None:
        if self._dialect is not None and self._board is not None:
            self._board.radio.remove_sim()
            self._dialect.bearer_lost()
            self._board.terminal.line("+CPIN: NOT READY")

    def say(self, text: str) -> None:
        """An unsolicited line."""
        if self._board is not None:
            self._board.terminal.line(text)

    def say_bytes(self, data: bytes) -> None:
        """Raw bytes on the line: noise, a brown-out's burst."""
        if self._uart is not None:
            self._uart.write(data)

    # power

    def _boot(self) -> None:
        self._spawn(self._boot_slowly())

    async def _boot_slowly(self) -> None:
        """Deaf while booting; the banners come spread over the boot time."""
        assert self._clock is not None
        assert self._uart is not None
        dialect = DIALECTS[self.settings.dialect]
        baud = int(self._saved.get("baud", dialect.FIXED_BAUD))
        banners = dialect.BANNERS if baud else dialect.BANNERS[1:]  # with autobaud RDY is not printed
        start = self._clock.time()
        for index, banner in enumerate(banners, 1):
            await self._clock.sleep_until(start + self.settings.boot * index / len(banners))
            if index == len(banners):
                self._power_up()
            if self.settings.pin is None or "CPIN" not in banner:
                self._uart.write(f"\r\n{banner}\r\n".encode())
            else:
                self._uart.write(b"\r\n+CPIN: SIM PIN\r\n")

    def _power_up(self) -> None:
        assert self._clock is not None
        assert self._uart is not None
        assert self._air is not None
        dialect = DIALECTS[self.settings.dialect]
        self._uart.set_baud(int(self._saved.get("baud", dialect.FIXED_BAUD)))
        terminal = Terminal(self._uart, self._clock, self.faults, dialect.LINE_LIMIT)
        terminal.echo = self._saved.get("echo", "1") == "1"
        radio = Radio(self.settings, self._clock, default_bearer=dialect.DEFAULT_BEARER)
        self._board = Board(
            self.settings, self._clock, self.faults, self._air, self._uart, terminal, radio, self._spawn, self.restart, self._saved
        )
        self._dialect = dialect(self._board)
        self._spawn(Interpreter(self._board, self._dialect).run())

    def _cut_power(self, by: str) -> None:
        self._board = self._dialect = None
        if self._air is not None:
            self._air.drop(by)
        for task in self._tasks:
            task.cancel()

    async def _power_down(self, by: str) -> None:
        tasks = list(self._tasks)
        self._cut_power(by)
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports report their end in the next turn

    def _spawn(self, script: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(script)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the simulated modem's script failed", "exception": error, "task": task}
            )

    # the line

    def _heard(self, data: bytes) -> None:
        if self._board is not None:
            self._board.terminal.feed(data)

    def _backlog(self) -> int:
        return self._board.terminal.backlog if self._board is not None else 0

"""A simulated cellular modem on a pseudo-terminal: the parts put together, powered on, restarted, unplugged.

Law: this module wires and owns the life cycle; what a modem says is the dialect's, what the network does is the air's. A modem stays
powered and keeps its state when the host closes the port. Everything runs on the event loop that called `start`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmsproxy.errors import ConfigError
from mmsproxy.simulator.air import Air, Hosts, Target
from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.dialect import Board, Dialect
from mmsproxy.simulator.faults import Faults
from mmsproxy.simulator.interpreter import Interpreter
from mmsproxy.simulator.messages import Arrival, Messages, SentSms
from mmsproxy.simulator.quectel import Quectel
from mmsproxy.simulator.radio import Radio
from mmsproxy.simulator.settings import ModemSettings
from mmsproxy.simulator.sim800 import Sim800
from mmsproxy.simulator.sim7080 import Sim7080
from mmsproxy.simulator.sim7600 import Sim7600
from mmsproxy.simulator.sms import SmsCommands
from mmsproxy.simulator.telit import Telit
from mmsproxy.simulator.terminal import Terminal
from mmsproxy.simulator.uart import Uart
from mmsproxy.simulator.ublox import Ublox
from mmsproxy.simulator.wire_ledger import Wire

DIALECTS: dict[str, type[Dialect]] = {
    "sim800": Sim800,
    "sim7600": Sim7600,
    "sim7080": Sim7080,
    "quectel": Quectel,
    "ublox": Ublox,
    "telit": Telit,
}
BANNER_GAP_S = 0.05  # between two lines that a booting modem says by itself
AUTOBAUD_SILENT = ("RDY", "+CFUN: 1")  # not said before the rate is known (arduino-sim808 23)


class SimulatedModem:
    """One modem.

    settings  what it is made of
    hosts     the only hosts that its network reaches: NAME or NAME:PORT -> a listener on loopback
    link      path of a symlink to the pty, that survives `unplug` and `replug`
    faults    what goes wrong on purpose; may be filled while it runs
    wire      what left and came through each TCP connection
    messages  its SMS storages, what the network took and what it holds back
    """

    def __init__(
        self,
        settings: ModemSettings | None = None,
        hosts: Mapping[str, str | Target] | None = None,
        link: str | Path | None = None,
    ) -> None:
        """Raises ConfigError for an unknown dialect or a host that is not on loopback."""
        self.settings = settings or ModemSettings()
        if self.settings.dialect not in DIALECTS:
            raise ConfigError((f"dialect {self.settings.dialect!r} - the simulator speaks {', '.join(sorted(DIALECTS))}",))
        self._hosts = Hosts(hosts or {})
        self._link = Path(link) if link is not None else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._saved: dict[str, str] = {}
        self.messages = Messages()
        self._terminal: Terminal | None = None
        self._dialect: Dialect | None = None
        self._air: Air | None = None
        self.faults = Faults()
        self.wire = Wire(keep_bytes=self.settings.record)

    @property
    def path(self) -> str:
        """What a driver opens."""
        return self._uart.path

    @property
    def dialect(self) -> Dialect:
        """The model as it runs now; a restart makes a new one. Not before `start`."""
        assert self._dialect is not None
        return self._dialect

    @property
    def lost_bytes(self) -> int:
        """Bytes that the serial line has dropped so far."""
        return self._uart.lost

    async def start(self) -> None:
        """The pty is there and the modem is past its boot. Raises PortError when the symlink cannot be made."""
        self._clock = Clock()
        self._uart = Uart(self._clock, self.faults, self.settings.line_rate, self._link, self._deliver, self._backlog)
        try:
            self._uart.plug()
        except BaseException:
            self._clock.close()
            raise
        self._power_on()

    async def stop(self) -> None:
        """The pty and the symlink are gone. May be called twice."""
        tasks = list(self._tasks)
        self._power_off()
        if self._uart.plugged:
            self._uart.unplug()
        self._clock.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> SimulatedModem:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # what happens to modems

    def restart(self, said: tuple[str, ...] = ()) -> None:
        """Power is lost and comes back: connections, contexts and unsaved settings are gone; the banners come after the boot time."""
        self._power_off()
        self._uart.reset()
        for line in said:
            self._uart.write(f"\r\n{line}\r\n".encode())
        self._task(self._boot())

    def unplug(self) -> None:
        """The port is gone and the modem without power."""
        self._power_off()
        self._uart.unplug()

    def replug(self) -> None:
        """A new pty behind the same symlink, and a boot."""
        self._uart.plug()
        self._task(self._boot())

    def drop_bearer(self) -> None:
        """The network takes the PDP context away."""
        self.dialect.radio.detach()
        self.dialect.bearer_lost()
        if self.settings.attached:
            self.dialect.radio.set_coverage(True)

    def lose_sim(self) -> None:
        """The SIM is taken out."""
        self.dialect.radio.remove_sim()
        self.dialect.bearer_lost()
        self.dialect.t.line("+CPIN: NOT READY")

    def lose_coverage(self) -> None:
        self.dialect.radio.set_coverage(False)
        self.dialect.bearer_lost()

    def regain_coverage(self) -> None:
        self.dialect.radio.set_coverage(True)

    def say(self, line: str) -> None:
        """A URC, now."""
        self.dialect.t.line(line)

    def receive_sms(self, pdu: str, form: Arrival = Arrival.BY_SETTING) -> bool:
        """An SMS from the network: hex of a DELIVER or STATUS-REPORT with the service centre in front. False when it has to wait for room
        in the storage, or when a report has no way to the host. Raises ValueError for what is no message to a mobile."""
        dialect = self.dialect
        assert isinstance(dialect, SmsCommands)
        return dialect.receive_sms(pdu, form)

    @property
    def sms_sent(self) -> list[SentSms]:
        """What the network took, in order."""
        return self.messages.sent

    # life cycle

    async def _boot(self) -> None:
        await self._clock.sleep(self.settings.boot)
        self._power_on()
        silent = AUTOBAUD_SILENT if not (self._uart.fixed_baud or self.dialect.FIXED_BAUD) else ()
        for line in self.dialect.BANNERS:
            if line not in silent and (line != "+CPIN: READY" or not self.dialect.radio.pin_wanted):
                self.dialect.t.line(line)
                await self._clock.sleep(BANNER_GAP_S)

    def _power_on(self) -> None:
        kind = DIALECTS[self.settings.dialect]
        self._uart.set_baud(int(self._saved.get("baud", "0")))
        self._air = Air(self.settings, self._clock, self.faults, self._hosts, self.wire)
        self._terminal = Terminal(self._uart, self._clock, self.faults, kind.LINE_LIMIT)
        self._terminal.echo = bool(int(self._saved.get("echo", "1")))
        board = Board(
            settings=self.settings,
            clock=self._clock,
            faults=self.faults,
            air=self._air,
            uart=self._uart,
            terminal=self._terminal,
            radio=Radio(self.settings, self._clock, default_bearer=kind.DEFAULT_BEARER),
            spawn=self._task,
            restart=self.restart,
            saved=self._saved,
            messages=self.messages,
        )
        self._dialect = kind(board)
        self._task(Interpreter(board, self._dialect).run())

    def _power_off(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if self._air is not None:
            self._air.drop("fault")
        self._terminal = None

    def _task(self, script: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(script)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with suppress(asyncio.CancelledError):
            task.result()

    def _deliver(self, data: bytes) -> None:
        if self._terminal is not None:
            self._terminal.feed(data)

    def _backlog(self) -> int:
        return self._terminal.backlog if self._terminal is not None else 0

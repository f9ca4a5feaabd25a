"""The gateway: the rooms wired together, started from the bottom up and stopped from the top down.

Rule 1: this is the only place that knows all the rooms; it decides nothing about messages. Rule 2: what cannot be opened (an address, the
token file) stops the start with one error; a modem that is not there does not: its line says so and is tried again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.line import Line
from mmsproxy.config import LineConfig, Settings
from mmsproxy.config_values import Address
from mmsproxy.events import Bus
from mmsproxy.link import Tap
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.web.api import start_api
from mmsproxy.web.auth import token_from_file
from mmsproxy.web.mm1 import start_mm1

PTY_FOLDER = "/dev/pts/"  # a line whose port is a pty has a simulator behind it, not a SIM that a carrier could block


class Gateway:
    """All of it.

    settings  the configuration
    base      the folder that relative paths in it are relative to
    ports     ports of lines whose modem is simulated, by line name
    taps      what writes down all that passes a modem, by line name
    """

    def __init__(
        self,
        settings: Settings,
        *,
        base: Path,
        bus: Bus | None = None,
        ports: Mapping[str, str] | None = None,
        taps: Mapping[str, Tap] | None = None,
    ) -> None:
        self._settings = settings
        self._ports = ports or {}
        self._taps = taps or {}
        self._stack = AsyncExitStack()
        self.bus = bus or Bus()
        self.token_file = base / settings.web.token_file
        self.fleet = Fleet([self._line(line) for line in settings.lines], aliases=settings.mm1.aliases)
        self.mm1 = settings.mm1.listen
        self.web = settings.web.listen

    async def start(self) -> None:
        """Both doors are open and the lines are starting when it returns. Raises ConfigError or ListenError, with nothing left open."""
        token = token_from_file(self.token_file)
        async with AsyncExitStack() as stack:
            # The doors close only after the lines have stopped: whoever waits at a door is still answered.
            mm1 = await start_mm1(self.fleet, self._settings.mm1)
            stack.push_async_callback(mm1.stop)
            web = await start_api(self.fleet, *self._settings.web.listen, token=token, hosts=self._settings.web.hosts)
            stack.push_async_callback(web.stop)
            await self.fleet.start()
            stack.push_async_callback(self.fleet.stop)
            self.mm1 = Address(self.mm1.host, mm1.port)
            self.web = Address(self.web.host, web.port)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Gives attempts under way their grace, answers who waits, closes doors and ports. May be called twice."""
        await self._stack.aclose()

    def _line(self, line: LineConfig) -> Line:
        port = self._ports.get(line.name, line.modem.port)
        if line.min_interval is None and os.path.realpath(port).startswith(PTY_FOLDER):
            line = line.model_copy(update={"min_interval": 0.0})
        tap = self._taps.get(line.name)
        return Line(line, ModemLink(line.name, modem_settings(line, port), bus=self.bus, tap=tap), bus=self.bus, tap=tap)


def modem_settings(line: LineConfig, port: str) -> ModemSettings:
    """What a link needs to know of its line."""
    modem, carrier = line.modem, line.carrier
    return ModemSettings(
        port=port,
        baud=modem.baud,
        dialect=modem.dialect,
        pin=modem.pin,
        apn=carrier.apn,
        pdp_type=carrier.pdp_type,
        user=carrier.user,
        password=carrier.password,
    )

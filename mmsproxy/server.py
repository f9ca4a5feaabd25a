"""The gateway: the rooms wired together, started from the bottom up and stopped from the top down.

Rule 1: this is the only place that knows all the rooms; it decides nothing about messages. Rule 2: what cannot be opened (an address, the
token file, the store) stops the start with one error; a modem that is not there does not: its line says so and is tried again. Rule 3: the
doors open once the store has settled what an earlier run left, and close after the lines have stopped: whoever waits at a door is answered.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.line import Line
from mmsproxy.config import LineConfig, Settings
from mmsproxy.config_values import Address
from mmsproxy.events import Bus
from mmsproxy.host.interface import HostSettings
from mmsproxy.host_link import HostLink
from mmsproxy.link import Tap
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.post.line_log import LineLog
from mmsproxy.post.office import Office, open_office
from mmsproxy.web import metrics, readiness
from mmsproxy.web.api import start_api
from mmsproxy.web.auth import token_from_file
from mmsproxy.web.desk import Desk
from mmsproxy.web.mm1 import start_mm1
from mmsproxy.web.outside import MediaSource, Outside
from mmsproxy.web.routes import Route
from mmsproxy.web.twilio import callback_encoder
from mmsproxy.web.webhook_data import described
from mmsproxy.web.webhooks import Webhooks

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
        self._base = base
        self._ports = ports or {}
        self._taps = taps or {}
        self._stack = AsyncExitStack()
        self.bus = bus or Bus()
        self.token_file = base / settings.web.token_file
        self.fleet = Fleet([self._line(line) for line in settings.lines], aliases=settings.mm1.aliases)
        self.mm1 = settings.mm1.listen
        self.web = settings.web.listen

    async def start(self) -> None:
        """Both doors are open and the lines are starting when it returns. Raises ConfigError, ListenError or StoreError, with nothing left
        open."""
        token = token_from_file(self.token_file)
        async with AsyncExitStack() as stack:
            fetch = MediaSource(self._settings.media.fetch)
            office = await open_office(self._settings, list(self.fleet), base=self._base, fetch=fetch.file)
            stack.push_async_callback(office.close)
            desk = self._desk(office)
            more, meters = await self._start_watching(stack, office, desk)
            await self._open_doors(stack, office, desk, token, more, meters)
            log = LineLog(office.store, self.bus)
            await log.start()
            stack.push_async_callback(log.stop)
            await self.fleet.start()
            stack.push_async_callback(self.fleet.stop)
            await office.start(self.fleet.stop)
            stack.push_async_callback(office.stop)
            self._stack = stack.pop_all()

    async def _start_watching(self, stack: AsyncExitStack, office: Office, desk: Desk) -> tuple[list[Route], metrics.Metrics]:
        """Webhooks and meters; returns the routes of what is watched, and the meters."""
        outside = Outside(self._settings.webhooks.private)
        hooks = Webhooks(office.store, outside, describe=described(desk), encode=callback_encoder(office.store), bus=self.bus)
        await hooks.start()
        stack.push_async_callback(hooks.stop)
        meters = metrics.Metrics(office.store, self.fleet, bus=self.bus)
        await meters.start()
        stack.push_async_callback(meters.stop)
        ready = readiness.Readiness(office.store, self.fleet, lambda: office.outbox.is_working)
        is_open = self._settings.web.open_metrics
        return [*metrics.routes(meters, is_open=is_open), *readiness.routes(ready, is_open=is_open)], meters

    async def _open_doors(
        self, stack: AsyncExitStack, office: Office, desk: Desk, token: str, more: list[Route], meters: metrics.Metrics
    ) -> None:
        mm1 = await start_mm1(self.fleet, self._settings.mm1, store=office.store)
        stack.push_async_callback(mm1.stop)
        web = await start_api(desk, *self._settings.web.listen, token=token, more=more, outermost=[meters.middleware])
        stack.push_async_callback(web.stop)
        self.mm1 = Address(self.mm1.host, mm1.port)
        self.web = Address(self.web.host, web.port)

    def _desk(self, office: Office) -> Desk:
        return Desk(office.store, office.clerk, self.fleet, self._settings, lambda: datetime.now(UTC), secrets.token_bytes)

    async def stop(self) -> None:
        """Gives attempts under way their grace, answers who waits, closes doors and ports. May be called twice."""
        await self._stack.aclose()

    def _line(self, line: LineConfig) -> Line:
        port = self._ports.get(line.name, line.modem.port)
        if line.min_interval is None and os.path.realpath(port).startswith(PTY_FOLDER):
            line = line.model_copy(update={"min_interval": 0.0})
        tap = self._taps.get(line.name)
        if line.host is not None:
            servers = str(self._base / line.host.resolv_conf) if line.host.resolv_conf else None
            host = HostSettings(line.host.interface, line.host.dns, servers, line.host.source)
            return Line(line, HostLink(line.name, host, bus=self.bus, tap=tap), bus=self.bus, tap=tap)
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
        max_baud=modem.max_baud,
        flow_control=modem.flow_control,
        transparent=modem.transparent,
        reset_command=modem.reset_command,
    )

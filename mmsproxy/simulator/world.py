"""A modem and a carrier behind it, as one thing: what tests and the built-in simulator use. Loopback only.

async with World(dialect="sim800", line_rate=115200, rtt=0.1, activation=4.0) as world:
    ...                             # world.modem.path, world.mmsc_url, world.mmsc.requests
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmsproxy.simulator.mmsc import Mmsc
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings

MMSC_HOST = "mmsc.simulator"


class World:
    """`mmsc_host` is the name (or address) under which the modem's network knows the carrier, at every port. `settings` gives what the
    named arguments do not."""

    def __init__(
        self,
        dialect: str = "sim7600",
        *,
        line_rate: int = 0,
        rtt: float = 0.0,
        activation: float = 0.0,
        prompt_delay: float = 0.0,
        accept_delay: float = 0.0,
        answer: str = "ok",
        mmsc_host: str = MMSC_HOST,
        keep: int = 1000,
        link: str | Path | None = None,
        settings: ModemSettings | None = None,
    ) -> None:
        self._settings = replace(
            settings or ModemSettings(),
            dialect=dialect,
            line_rate=line_rate,
            rtt=rtt,
            activation=activation,
            prompt_delay=prompt_delay,
            accept_delay=accept_delay,
        )
        self._link = link
        self._mmsc_host = mmsc_host
        self.mmsc = Mmsc(answer=answer, keep=keep)
        self._modem: SimulatedModem | None = None

    @property
    def modem(self) -> SimulatedModem:
        """There from `start` on."""
        assert self._modem is not None
        return self._modem

    @property
    def mmsc_url(self) -> str:
        """What a line's `carrier.mmsc` is set to."""
        return f"http://{self._mmsc_host}/mms/wapenc"

    async def start(self) -> None:
        """Raises ConfigError, ListenError or PortError; then nothing is left running."""
        await self.mmsc.start()
        try:
            self._modem = SimulatedModem(self._settings, {self._mmsc_host: ("127.0.0.1", self.mmsc.port)}, self._link)
            await self._modem.start()
        except BaseException:
            await self.mmsc.stop()
            raise

    async def stop(self) -> None:
        await self.modem.stop()
        await self.mmsc.stop()

    async def __aenter__(self) -> World:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

"""`mmsproxy simulate modem` and `mmsproxy simulate mmsc`: the simulated modem and carrier on their own, for any driver and any client."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from mmsproxy.simulator.mmsc import Mmsc
    from mmsproxy.simulator.modem import SimulatedModem
    from mmsproxy.simulator.script import Control

app = App(name="simulate", help="Run a simulated modem or a simulated carrier on its own.")


@app.command
def modem(
    *,
    dialect: Literal["sim800", "sim7600", "sim7080", "quectel", "ublox", "telit"],
    link: Path,
    host: Annotated[list[str], Parameter(negative="")],
    line_rate: int = 115200,
    rtt: float = 0.1,
    activation: float = 1.0,
    prompt_delay: float = 0.0,
    accept_delay: float = 0.0,
    faults: Path | None = None,
    control: Path | None = None,
) -> None:
    """Run a modem on a pseudo-terminal until SIGINT or SIGTERM.

    Parameters
    ----------
    dialect
        The AT dialect that it speaks.
    link
        Path that becomes a symlink to the pseudo-terminal: what a driver opens.
    host
        NAME=127.0.0.1:PORT: a host that its network reaches (may be repeated); no other can be reached.
    line_rate
        Baud of the serial line, both directions; 0 for no pacing.
    rtt
        Seconds over the air and back.
    activation
        Seconds to bring up the PDP context.
    prompt_delay
        Seconds from a send command to its prompt.
    accept_delay
        Seconds from the last payload byte to the result.
    faults
        A file of fault lines (docs/simulator.md) that are applied at the start.
    control
        Path of a Unix socket that takes fault lines while the modem runs.
    """
    from mmsproxy.simulator.modem import SimulatedModem
    from mmsproxy.simulator.settings import ModemSettings

    settings = ModemSettings(
        dialect=dialect,
        line_rate=line_rate,
        rtt=rtt,
        activation=activation,
        prompt_delay=prompt_delay,
        accept_delay=accept_delay,
        record=False,
    )
    simulated = SimulatedModem(settings, hosts(host), link)
    part = _Scripted(simulated, faults, control)
    asyncio.run(_until_stopped(part, lambda: f"simulated {dialect} on {link}"))


@app.command
def mmsc(
    *, listen: str, answer: Literal["ok", "e0", "c0", "html", "empty", "500", "slow", "drop"] = "ok", store: Path | None = None
) -> None:
    """Run a carrier's MMSC until SIGINT or SIGTERM.

    Parameters
    ----------
    listen
        127.0.0.1:PORT; loopback only.
    answer
        How it answers each M-Send.req.
    store
        A folder where each accepted PDU becomes a file.
    """
    from mmsproxy.simulator.mmsc import Mmsc

    address, port = loopback(listen)
    carrier = Mmsc(answer=answer, store=store, keep=20)
    asyncio.run(_until_stopped(_Listening(carrier, address, port), lambda: f"simulated MMSC on http://{address}:{carrier.port}/"))


def hosts(pairs: list[str]) -> dict[str, str]:
    """NAME=ADDRESS:PORT, each once. Raises ConfigError."""
    from mmsproxy.errors import ConfigError

    named = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError((f"--host {pair} - must be NAME=ADDRESS:PORT, e.g. mmsc.example=127.0.0.1:8080",))
    return named


def loopback(listen: str) -> tuple[str, int]:
    """Raises ConfigError for an address beyond this machine."""
    from pydantic import TypeAdapter, ValidationError

    from mmsproxy.config_values import ListenAddress
    from mmsproxy.errors import ConfigError

    try:
        address = TypeAdapter(ListenAddress).validate_python(listen)
    except ValidationError as error:
        raise ConfigError((f"--listen {listen} - {error.errors()[0]['msg'].removeprefix('Value error, ')}",)) from None
    if not address.is_loopback:
        raise ConfigError((f"--listen {listen} - a simulated carrier listens on this machine only, e.g. 127.0.0.1:8099",))
    return address


class Part(Protocol):
    """Something that starts and stops."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class _Scripted:
    """The modem with its fault file and its control socket."""

    def __init__(self, simulated: SimulatedModem, faults: Path | None, control: Path | None) -> None:
        self._modem, self._faults, self._path = simulated, faults, control
        self._control: Control | None = None

    async def start(self) -> None:
        from mmsproxy.simulator import script

        await self._modem.start()
        try:
            if self._faults is not None:
                script.load(self._modem, self._faults)
            if self._path is not None:
                self._control = script.Control(self._modem, self._path)
                await self._control.start()
        except BaseException:
            await self._modem.stop()
            raise

    async def stop(self) -> None:
        if self._control is not None:
            await self._control.stop()
        await self._modem.stop()


class _Listening:
    """The MMSC with its address, in the shape that `_until_stopped` starts and stops."""

    def __init__(self, carrier: Mmsc, host: str, port: int) -> None:
        self._carrier, self._host, self._port = carrier, host, port

    async def start(self) -> None:
        await self._carrier.start(self._host, self._port)

    async def stop(self) -> None:
        await self._carrier.stop()


async def _until_stopped(part: Part, ready: Callable[[], str]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await part.start()
    try:
        print(f"{ready()}; end it with Ctrl-C", flush=True)
        await stopping.wait()
    finally:
        await part.stop()

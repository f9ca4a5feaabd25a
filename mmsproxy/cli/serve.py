"""`mmsproxy serve`: the gateway in the foreground, with a simulated modem and carrier for each line that asks for them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from mmsproxy import config
from mmsproxy.cli import logs
from mmsproxy.config import LineConfig, Settings
from mmsproxy.errors import ConfigError
from mmsproxy.events import Bus
from mmsproxy.server import Gateway
from mmsproxy.trace import Trace

DEFAULT_CONFIG = Path("config.yaml")
EXAMPLE_PDU = Path("docs/examples/hello.mms")


def serve(*, config_file: Annotated[Path | None, Parameter(name="--config")] = None, trace: Path | None = None) -> None:
    """Run the gateway until SIGINT or SIGTERM.

    Parameters
    ----------
    config_file
        The configuration file. Default: config.yaml in this folder if it is there, else built-in defaults with one simulated line.
    trace
        Write all that passes the modems to this file (numbers and tokens masked).
    """
    path = config_file or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)
    settings = config.load(path)
    logs.set_up(settings.log.level, settings.log.format)
    for warning in config.warnings(settings):
        print(f"mmsproxy: warning: {warning}", file=sys.stderr)
    base = path.resolve().parent if path else config.data_home()
    asyncio.run(_run(settings, base, trace or (base / settings.debug.trace_file if settings.debug.trace else None)))


async def _run(settings: Settings, base: Path, trace: Path | None) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    bus = Bus()
    bus.subscribe(logs.log_fact)
    async with AsyncExitStack() as stack:
        tapped = {name: stack.enter_context(tap) for name, tap in taps(settings, trace)} if trace else {}
        ports = {line.name: await stack.enter_async_context(simulated(settings, line)) for line in settings.lines if line.is_simulated}
        gateway = Gateway(settings, base=base, bus=bus, ports=ports, taps=tapped)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        print(banner(settings, gateway, trace), flush=True)
        await stopping.wait()
        print("mmsproxy: stopping", flush=True)


def taps(settings: Settings, trace: Path) -> Iterator[tuple[str, Trace]]:
    """One trace a modem: a file in which two modems speak is no transcript."""
    for line in settings.lines:
        path = trace if len(settings.lines) == 1 else trace.with_name(f"{trace.stem}.{line.name}{trace.suffix}")
        secrets = (line.carrier.user, line.carrier.password, line.modem.pin or "")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield line.name, Trace(path, masked=not settings.debug.unmasked, secrets=[secret for secret in secrets if secret])
        except OSError as error:
            raise ConfigError((f"{path} - cannot be written: {error.strerror}; name another file with --trace",)) from None


@asynccontextmanager
async def simulated(settings: Settings, line: LineConfig) -> AsyncIterator[str]:
    """A modem and a carrier of the line's own; yields the modem's port."""
    from mmsproxy.simulator.settings import ModemSettings
    from mmsproxy.simulator.world import World

    simulator = settings.simulator
    async with World(
        dialect=simulator.dialect,
        line_rate=simulator.line_rate,
        rtt=simulator.rtt,
        activation=simulator.activation,
        prompt_delay=simulator.prompt_delay,
        accept_delay=simulator.accept_delay,
        answer=simulator.answer,
        mmsc_host=_host_connected_to(line),
        keep=0,
        settings=ModemSettings(record=False, number=line.number or ""),
    ) as world:
        yield str(world.modem.path)


def _host_connected_to(line: LineConfig) -> str:
    host = line.carrier.proxy.split(":")[0] if line.carrier.proxy else urlsplit(line.carrier.mmsc).hostname
    assert host is not None
    return host


def banner(settings: Settings, gateway: Gateway, trace: Path | None) -> str:
    """What a newcomer reads first: where the doors are, where the token is, what to try."""
    mm1, web = f"http://{gateway.mm1}/", f"http://{gateway.web}"
    token = _shown(gateway.token_file)
    simulated = [line.name for line in settings.lines if line.is_simulated]
    lines = [
        f"mmsproxy is ready. MM1 door (MMS software): {mm1}",
        f"                   web door (JSON):         {web}",
        f"                   token file:              {token}",
    ]
    lines += [f"  line {line.name}: {line.way}, MMSC {line.carrier.mmsc}" for line in settings.lines if not line.is_simulated]
    if simulated:
        lines.append(f"  SIMULATED: {', '.join(simulated)}. A simulated modem and carrier; no message leaves this machine.")
    if trace:
        lines.append(f"  trace: {_shown(trace)}")
    example = EXAMPLE_PDU if EXAMPLE_PDU.is_file() else Path("message.mms")
    sender = "tools/send.py" if Path("tools/send.py").is_file() else "mmsproxy send"
    return "\n".join(
        [
            *lines,
            "Try next:",
            f"  curl -sS {mm1} -H 'Content-Type: application/vnd.wap.mms-message' --data-binary @{example} -o answer.mms",
            f"  curl -sS '{web}/v1/messages?wait=60' -H \"Authorization: Bearer $(cat {token})\" -H 'Content-Type: application/json'"
            ' -d \'{"to": "+16195550123", "text": "Hello"}\'',
            f"  {sender} +16195550123 'Hello' --gateway {web} --token-file {token}",
        ]
    )


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)

"""`mmsproxy doctor`: what works and what does not between this machine and the carrier, each failure with its cure."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mmsproxy import config
from mmsproxy.at.dialect import Profile
from mmsproxy.carrier.tunnel import Upstream
from mmsproxy.cli import serve
from mmsproxy.cli.doctor_checks import Examination, Subject
from mmsproxy.cli.doctor_report import Finding, as_json, closing, failed, line_of
from mmsproxy.config import LineConfig, Settings
from mmsproxy.errors import ConfigError
from mmsproxy.link import Tap

INTERRUPTED = 130  # what a shell makes of SIGINT


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for beside the line."""

    port: str | None = None
    enter_pin: bool = False
    bearer: bool = True
    connect: bool = False
    wait: float = 30.0
    unmasked: bool = False
    as_json: bool = False


def doctor(
    *,
    config_file: Annotated[Path | None, Parameter(name="--config")] = None,
    line: str | None = None,
    port: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    trace: Path | None = None,
    enter_pin: Annotated[bool, Parameter(negative="")] = False,
    bearer: bool = True,
    connect: Annotated[bool, Parameter(negative="")] = False,
    wait: float = 30.0,
    unmasked: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Examine each line of the configuration, or a port. Sends nothing; exit 0 when nothing failed, 1 otherwise.

    Parameters
    ----------
    config_file
        The configuration file. Default: config.yaml in this folder if it is there, else the built-in simulated line.
    line
        Only the line of this name.
    port
        The modem's port in place of the configured one: a path, auto, usb:VID:PID or socket://HOST:PORT.
    as_json
        Print JSON, once all is done.
    trace
        Write all that passes the modem to this file (numbers and secrets masked).
    enter_pin
        Enter modem.pin where the SIM wants it. Never done where a PIN was refused before.
    bearer
        Bring the bearer up, and down again if it was down.
    connect
        Resolve the MMSC's name and open TCP to it. Sends nothing over it.
    wait
        Seconds that the modem may take to register.
    unmasked
        Show IMSI, ICCID, IMEI and phone numbers whole.
    """
    path = config_file or (serve.DEFAULT_CONFIG if serve.DEFAULT_CONFIG.is_file() else None)
    settings = _with_lines(config.load(path), line, port)
    options = Options(port, enter_pin, bearer, connect, wait, unmasked, as_json)
    try:
        well = asyncio.run(_examine_all(settings, options, trace))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0 if well else 1)


def _with_lines(settings: Settings, name: str | None, port: str | None) -> Settings:
    """Only the lines to examine. Raises ConfigError."""
    names = ", ".join(line.name for line in settings.lines)
    lines = tuple(line for line in settings.lines if name in (None, line.name))
    if not lines:
        raise ConfigError((f"--line {name} - there is no such line; there are {names}",))
    if port is not None and len(lines) > 1:
        raise ConfigError((f"--port {port} - say for which line with --line; there are {names}",))
    return settings.model_copy(update={"lines": lines})


async def _examine_all(settings: Settings, options: Options, trace: Path | None) -> bool:
    with ExitStack() as stack:
        taps = {name: stack.enter_context(tap) for name, tap in serve.taps(settings, trace)} if trace else {}
        reports = [await _examine(settings, line, options, taps.get(line.name)) for line in settings.lines]
    if options.as_json:
        print(json.dumps({"ok": all(report["ok"] for report in reports), "lines": reports}, indent=2))
    return all(report["ok"] for report in reports)


async def _examine(settings: Settings, line: LineConfig, options: Options, tap: Tap | None) -> dict[str, Any]:
    if line.host is not None and options.port is None:
        raise ConfigError((f"line {line.name} uses the {line.way}: doctor looks at modems; name its AT port with --port",))
    simulated = line.is_simulated and options.port is None
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serve.simulated(settings, line)) if simulated else options.port or line.modem.port
        subject = subject_of(line, port, options)
        title = f"mmsproxy doctor: line {line.name}, port {port}" + (" (SIMULATED)" if simulated else "")
        say = _quiet if options.as_json else _say
        say(title)
        findings = await Examination(subject, lambda finding: say(line_of(finding)), _tell, tap).run()
        for text in _summary(findings):
            say(text)
        return as_json(line.name, port, findings)


def subject_of(line: LineConfig, port: str, options: Options) -> Subject:
    """What is examined. A port beside a line that has no modem of its own has no carrier. Raises ConfigError."""
    if options.enter_pin and line.modem.pin is None:
        raise ConfigError((f"--enter-pin - line {line.name} has no modem.pin; set it in the config",))
    carrier = None if line.is_simulated and options.port is not None else line.carrier
    return Subject(
        name=line.name,
        port=port,
        baud=line.modem.baud,
        dialect=line.modem.dialect,
        pin=line.modem.pin,
        number=line.number or "",
        profile=None if carrier is None else Profile(carrier.apn, carrier.pdp_type, carrier.user, carrier.password),
        far_end=None if carrier is None else far_end(carrier.mmsc, carrier.proxy),
        enter_pin=options.enter_pin,
        bearer=options.bearer,
        connect=options.connect,
        wait=options.wait,
        unmasked=options.unmasked,
    )


def far_end(mmsc: str, proxy: str | None) -> tuple[str, int]:
    """Host and port that TCP connects to: the carrier's proxy, or the MMSC itself."""
    upstream = Upstream.of(mmsc, proxy)
    url = upstream.proxy or upstream.mmsc
    assert url.raw_host is not None
    assert url.port is not None
    return url.raw_host, url.port


def _summary(findings: tuple[Finding, ...]) -> Iterator[str]:
    yield closing(findings)
    if failed(findings):
        yield "docs/doctor.md says more of each check."


def _say(text: str) -> None:
    print(text, flush=True)


def _quiet(text: str) -> None:
    """In JSON the report comes at the end, and nothing else stands in it."""


def _tell(text: str) -> None:
    print(f"      ... {text}", file=sys.stderr, flush=True)

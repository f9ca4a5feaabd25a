"""The doctor's examination of one line: asks the port, the modem, the SIM and the network in an order where each builds on the last.

Rule 1: a check whose ground has failed is not carried out and says so. Rule 2: nothing is sent over the air but what registration and
the bearer need; names are resolved and the MMSC is connected to only when asked. Rule 3: a PIN is entered only when asked, and never
where one may have been refused before. Rule 4: a bearer that was down is taken down again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from mmsproxy.at import line_rate, queries, startup
from mmsproxy.at.detect import DIALECTS, by_name, detect
from mmsproxy.at.dialect import Dialect, Identity, Profile, Script
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.queries import Registration, SimCard
from mmsproxy.at.rules import Urc
from mmsproxy.at.startup import REGISTERED
from mmsproxy.cli import doctor_report as report
from mmsproxy.cli.doctor_report import Finding, Level
from mmsproxy.errors import AtError, LinkError, MmsproxyError, PortError, SimError
from mmsproxy.link import Tap
from mmsproxy.modem import serial_port
from mmsproxy.modem.channel import Channel
from mmsproxy.modem.port_finder import OpenPort, open_port, resolve_port
from mmsproxy.modem.ports import PortFacts, Role, modem_of, read_ports, role_of
from mmsproxy.modem.tcp_port import is_tcp

T = TypeVar("T")

_IN_A_PHONE = "enter the PIN once in a phone"
RATE_ROUNDS = 3  # of AT's at the expected rate, before others are tried
POLL = 1.0  # seconds between two looks at the registration
BY_REQUEST = "not asked for: --connect resolves its name and connects to it"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined. `profile` and `far_end` (host and port that TCP connects to) are None where no carrier is configured; `wait` is
    how many seconds the modem may take to register."""

    name: str
    port: str
    baud: int = 115200
    dialect: str = "auto"
    pin: str | None = field(default=None, repr=False)
    number: str = ""
    profile: Profile | None = None
    far_end: tuple[str, int] | None = None
    enter_pin: bool = False
    bearer: bool = True
    connect: bool = False
    wait: float = 30.0
    unmasked: bool = False


class Examination:
    """`found` hears of each finding at once, `told` of what is being waited for."""

    def __init__(
        self,
        subject: Subject,
        found: Callable[[Finding], None] = lambda finding: None,
        told: Callable[[str], None] = lambda text: None,
        tap: Tap | None = None,
    ) -> None:
        self._subject = subject
        self._found = found
        self._told = told
        self._tap = tap
        self._device = ""
        self._port: OpenPort | None = None
        self._channel: Channel | None = None
        self._identity = Identity()
        self._dialect: Dialect | None = None
        self._card = SimCard()
        self._states: tuple[Registration, ...] = ()
        self._raised_bearer = False
        self.findings: list[Finding] = []

    async def run(self) -> tuple[Finding, ...]:
        """All findings, in order. Raises only CancelledError; the port is closed then too."""
        try:
            for check in CHECKS:
                finding = await self._carry_out(check)
                self.findings.append(finding)
                self._found(finding)
        finally:
            await self._leave()
        return tuple(self.findings)

    async def _carry_out(self, check: Check) -> Finding:
        ground = next((finding for finding in self.findings if finding.name == check.needs), None)
        if ground is not None and ground.level is Level.FAIL:
            return Finding(check.name, Level.SKIP, f"not checked: {check.needs} failed")
        if ground is not None and ground.level is Level.SKIP:
            return Finding(check.name, Level.SKIP, ground.seen)
        if self._channel is not None and self._channel.broken is not None:
            return Finding(check.name, Level.SKIP, f"not checked: {self._channel.broken.detail}")
        try:
            return await check.carry_out(self)
        except MmsproxyError as error:
            return Finding(check.name, Level.FAIL, error.detail, error.cure or check.cure)

    async def _leave(self) -> None:
        try:
            if self._raised_bearer and self._dialect is not None:
                await self._run(self._dialect.bearer_down())
        except LinkError as error:
            self._told(f"the bearer could not be taken down again: {error}")
        finally:
            if self._port is not None:
                await self._port.close()

    # -- port and modem ---------------------------------------------------------------------------------------------------------

    async def port(self) -> Finding:
        self._device = await resolve_port(self._subject.port, self._subject.baud)
        if is_tcp(self._device):
            return Finding("port", Level.OK, f"{self._device}, raw TCP", facts={"device": self._device})
        serial_port.require(self._device)
        known = await asyncio.get_running_loop().run_in_executor(None, read_ports)
        return judge_port(self._device, known)

    async def lock(self) -> Finding:
        self._port = await open_port(self._device, self._subject.baud, self._received, self._lost)
        self._channel = Channel(self._subject.baud, heard=self._heard, told=self._told, broke=lambda: None, tap=self._tap)
        self._channel.attach(self._port)
        seen = "connected; locks are the far end's" if is_tcp(self._device) else "nobody else has the port"
        return Finding("lock", Level.OK, seen)

    async def modem(self) -> Finding:
        wanted = self._subject.baud
        others = None if is_tcp(self._device) else line_rate.SEARCHED
        rate = await self._run(line_rate.find((wanted,), RATE_ROUNDS, others=others))
        if rate != wanted:
            # A higher one may be what the gateway has raised it to, until the modem restarts.
            cure = f"set modem.baud to {rate}" + (", if the modem answers at that rate after a restart too" if rate > wanted else "")
            return Finding("modem", Level.WARN, f"answers AT at {rate} baud, not at {wanted}", cure, {"baud": rate})
        return Finding("modem", Level.OK, f"answers AT at {rate} baud", facts={"baud": rate})

    async def identity(self) -> Finding:
        await self._run(startup.plain_talk())
        self._identity = await self._run(startup.identify())
        return report.judge_identity(self._identity, await self._run(queries.imei()), self._subject.unmasked)

    async def dialect(self) -> Finding:
        named = by_name(self._subject.dialect)
        spoken = await self._run(detect(self._identity)) if named is None else named
        self._dialect = spoken
        assert self._channel is not None
        self._channel.engine.urcs = spoken.urcs
        by_model = next((dialect.name for dialect in DIALECTS if dialect.models.search(self._identity.words)), "")
        return report.judge_dialect(spoken.name, by_model, self._subject.dialect)

    @property
    def _spoken(self) -> Dialect:
        assert self._dialect is not None  # who needs it names `dialect` among its needs
        return self._dialect

    # -- SIM --------------------------------------------------------------------------------------------------------------------

    async def sim(self) -> Finding:
        state = await self._run(queries.sim_state())
        pin = self._subject.pin
        entered = state == "SIM PIN" and pin is not None and self._subject.enter_pin
        if entered:
            await self._require_all_tries()
            await self._run(startup.unlock(self._spoken, pin, refused=False))
            state = await self._run(queries.sim_state())
        return report.judge_sim(state, has_pin=pin is not None, entered=entered)

    async def _require_all_tries(self) -> None:
        """The doctor has no memory: a PIN that was refused in an earlier run may only be known by the SIM's own counter."""
        tries = await self._run(queries.pin_tries(self._spoken.pin_counter))
        if tries is None:
            raise SimError("the PIN is not entered: the modem does not tell how many tries are left", cure=_IN_A_PHONE)
        if tries < startup.FULL_PIN_TRIES:
            raise SimError(f"the PIN is not entered: one was refused, {tries} tries are left", cure=f"correct modem.pin and {_IN_A_PHONE}")

    async def subscription(self) -> Finding:
        self._card = await self._run(queries.sim_card())
        return report.judge_subscription(self._card, self._subject.unmasked)

    async def number(self) -> Finding:
        return report.judge_number(await self._run(queries.own_number()), self._subject.number, self._subject.unmasked)

    async def storage(self) -> Finding:
        return report.judge_storage(await self._run(queries.storage()))

    # -- network ----------------------------------------------------------------------------------------------------------------

    async def registration(self) -> Finding:
        await self._run(startup.radio_on())
        loop = asyncio.get_running_loop()
        until = loop.time() + self._subject.wait
        self._states = await self._run(queries.registrations())
        if not self._registered and self._subject.wait:
            self._told(f"waiting up to {self._subject.wait:g} s for the network")
        while not self._registered and loop.time() < until:
            await asyncio.sleep(POLL)
            self._states = await self._run(queries.registrations())
        return report.judge_registration(self._states, self._identity, self._card.country)

    @property
    def _registered(self) -> bool:
        return any(found.state in REGISTERED for found in self._states)

    async def radio(self) -> Finding:
        technology = next((found.technology for found in self._states if found.technology is not None), None)
        operator = await self._run(queries.operator())
        return report.judge_radio(operator, technology if self._registered else None, self._identity, self._card.country)

    async def signal(self) -> Finding:
        return report.judge_signal(await self._run(queries.signal()))

    async def bearer(self) -> Finding:
        profile, dialect = self._subject.profile, self._spoken
        if not self._subject.bearer:
            return Finding("bearer", Level.SKIP, "not asked for: --no-bearer")
        if profile is None:
            return Finding("bearer", Level.SKIP, "not checked: no APN is known; name a configuration with --config")
        self._told("bringing the bearer up")
        was_up = await self._bearer_is_up(dialect)
        started = asyncio.get_running_loop().time()
        self._raised_bearer = not was_up
        await self._run(dialect.prepare(profile, self._identity))
        await self._run(startup.attach())
        raised = await self._run(startup.ensure_bearer(dialect, profile))
        seconds = asyncio.get_running_loop().time() - started if raised else None
        context = await self._run(queries.context())
        return report.judge_bearer(profile, context, await self._run(startup.foreign_apn(profile)), seconds)

    async def _bearer_is_up(self, dialect: Dialect) -> bool:
        try:
            return await self._run(dialect.bearer_check())
        except AtError:
            return False  # some do not answer the query before the first set-up

    async def dns(self) -> Finding:
        target = self._target("dns")
        if isinstance(target, Finding):
            return target
        host, _ = target
        if _is_address(host):
            return Finding("dns", Level.OK, f"{host} needs none")
        if self._spoken.resolve is None:
            return Finding("dns", Level.OK, f"{host} is resolved by the modem when it connects")
        resolved = await self._run(self._spoken.resolve(host))
        return Finding("dns", Level.OK, f"{host} is {', '.join(resolved.addresses)}", facts={"addresses": list(resolved.addresses)})

    async def mmsc(self) -> Finding:
        target, dialect = self._target("mmsc"), self._spoken
        if isinstance(target, Finding):
            return target
        started = asyncio.get_running_loop().time()
        socket = await self._run(dialect.open(dialect.first_socket, *target))
        seconds = asyncio.get_running_loop().time() - started
        await self._run(dialect.close(socket))
        seen = f"TCP to {target[0]}:{target[1]} in {seconds:.1f} s; nothing was sent"
        return Finding("mmsc", Level.OK, seen, facts={"host": target[0], "port": target[1], "seconds": round(seconds, 2)})

    def _target(self, name: str) -> tuple[str, int] | Finding:
        if not self._subject.connect:
            return Finding(name, Level.SKIP, BY_REQUEST)
        return self._subject.far_end or Finding(name, Level.SKIP, "not checked: no MMSC is configured")

    # -- the conversation -------------------------------------------------------------------------------------------------------

    async def _run(self, script: Script[T]) -> T:
        assert self._channel is not None
        return await self._channel.run(script)

    def _received(self, data: bytes) -> None:
        if self._channel is not None:
            self._channel.received(data)

    def _lost(self, error: LinkError) -> None:
        if self._channel is not None:
            self._channel.break_(error)

    def _heard(self, urc: UrcReceived) -> None:
        if urc.kind is Urc.RESTARTED and self._channel is not None:
            self._channel.break_(self._channel.restarted(urc.line))


@dataclass(frozen=True, slots=True)
class Check:
    """`needs`: the earlier check that must not have failed. `cure`: for an error that brings none."""

    name: str
    carry_out: Callable[[Examination], Awaitable[Finding]]
    needs: str = ""
    cure: str = ""


_POWER = "power-cycle the modem, then try again"
CHECKS: tuple[Check, ...] = (
    Check("port", Examination.port),
    Check("lock", Examination.lock, "port"),
    Check("modem", Examination.modem, "lock", _POWER),
    Check("identity", Examination.identity, "modem", _POWER),
    Check("dialect", Examination.dialect, "identity", _POWER),
    Check("sim", Examination.sim, "dialect", "check that a SIM is in the modem"),
    Check("subscription", Examination.subscription, "sim", _POWER),
    Check("number", Examination.number, "sim", _POWER),
    Check("registration", Examination.registration, "sim", _POWER),
    Check("radio", Examination.radio, "identity", _POWER),
    Check("signal", Examination.signal, "identity", _POWER),
    Check("bearer", Examination.bearer, "registration", "check carrier.apn, carrier.user and carrier.password"),
    Check("dns", Examination.dns, "bearer", "check the host of carrier.mmsc or carrier.proxy, and that the APN is the one for MMS"),
    Check("mmsc", Examination.mmsc, "dns", "check carrier.mmsc and carrier.proxy, and that the APN is the one for MMS"),
    Check("sms storage", Examination.storage, "sim", _POWER),
)


def judge_port(device: str, known: tuple[PortFacts, ...]) -> Finding:
    """What the table says of a port that is there. Raises PortError for one that must not be opened."""
    target = str(Path(device).resolve())
    here = next((facts for facts in known if facts.device == target), None)
    if here is None or not here.usb:
        return Finding("port", Level.OK, device, facts={"device": target})
    modem, role = modem_of(here), role_of(here)
    interface = "" if here.interface is None else f", interface {here.interface:02x}"
    seen = f"{device}, {here.usb} {modem.name if modem else here.description}{interface}"
    facts = {"device": target, "usb": here.usb, "interface": here.interface, "by_id": here.by_id or None, "role": role.value}
    right = next((other.best_path for other in known if other.place == here.place and role_of(other) is Role.AT), "")
    cure = f"set modem.port to {right or 'auto'}"
    if role is Role.NEVER:
        raise PortError(f"{seen}: diagnostics, GPS or audio, not AT", cure=cure)
    if role is Role.OTHER:
        return Finding("port", Level.WARN, f"{seen}: not the modem's AT port", cure, facts)
    return Finding("port", Level.OK, seen, facts=facts)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

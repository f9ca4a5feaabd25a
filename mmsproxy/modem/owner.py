"""The owner of a modem's port: the one task that opens it, starts the modem up, runs every script, and brings the modem back.

Rule 1: scripts run one after the other; everybody else hands them in as jobs. Rule 2: whatever breaks fails everything in flight at once,
and the owner begins again as `recovery` says, for ever. Rule 3: it knows requests and replies, not AT commands; while the line is a
connection's own, no script but that connection's is begun.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from mmsproxy.at import line_rate, recovery, startup, watch
from mmsproxy.at.dialect import Dialect, Identity, Rung, Script
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.introduction import introduce
from mmsproxy.at.rules import Urc
from mmsproxy.errors import LinkError, LinkLost, MmsproxyError, PortError, SimError
from mmsproxy.link import LinkStatus, Tap
from mmsproxy.modem import reset_hook
from mmsproxy.modem.channel import Channel, again
from mmsproxy.modem.jobs import FOR_EVER, Job, Jobs
from mmsproxy.modem.port_finder import OpenPort, open_port
from mmsproxy.modem.recovery import BearerLadder, Ladder, Step
from mmsproxy.modem.settings import ModemSettings
from mmsproxy.modem.standing import Standing
from mmsproxy.modem.stream import OwnedStream

_log = logging.getLogger(__name__)
T = TypeVar("T")

WATCH = 30.0  # seconds between two looks at SIM, network, bearer and signal (modems.md 5.3)
SOON = 2.0  # seconds from a hint, or a job, to such a look: hints come in bursts, jobs in groups
BEARER_LIMIT = 30.0  # seconds to bring a bearer up, once down and up included (modems.md 5.3, rung 3)
BOOT_TAIL = 60.0  # seconds in which a booted modem may still say its last words ("PB DONE")


class Owner:
    """One modem's. `stream` is set by who opens one, and cleared with `released`."""

    def __init__(self, settings: ModemSettings, standing: Standing, *, tap: Tap | None = None) -> None:
        self.stream: OwnedStream | None = None
        self.dialect: Dialect | None = None
        self.overheard: Callable[[UrcReceived], None] = lambda urc: None  # gets every URC
        self._settings = settings
        self._standing = standing
        self._tap = tap
        self._loop = asyncio.get_running_loop()
        self._port: OpenPort | None = None
        self._channel: Channel | None = None
        self._jobs = Jobs()
        self._hurry = asyncio.Event()  # set by a message that waits while the owner rests
        self._fault: LinkError | None = None
        self._identity = Identity()
        self._rate = settings.baud  # what the modem has by itself
        self._raised = 0  # what it was raised to in this run
        self._no_raising = False
        self._ladder = Ladder(can_reset=settings.reset_command is not None)
        self._bearer_ladder = BearerLadder(can_reset=settings.reset_command is not None)
        self._step = Step(search=True)
        self._look_at = FOR_EVER  # when SIM, network and bearer are looked at next
        self._boot_seen = float("-inf")
        self._pin_refused = False

    def __repr__(self) -> str:
        return f"<Owner of {self._settings.port} {self._channel.engine if self._channel else 'no channel'}>"

    # -- what the link asks -----------------------------------------------------------------------------------------------------

    def online(self) -> Dialect:
        """The dialect, while scripts can be run. Raises LinkError with the reason why they cannot."""
        if self._standing.state.status >= LinkStatus.ATTACHED and self.dialect is not None:
            return self.dialect
        raise self.fault()

    def fault(self) -> LinkError:
        """Why the modem cannot be used."""
        if self._fault is not None:
            return again(self._fault)
        return LinkError(f"the modem is not ready: {self._standing.state.reason}")

    async def call(
        self, script: Script[T], offered: Callable[[int], None] | None = None, *, within: float = FOR_EVER, of_stream: bool = False
    ) -> T:
        """Has a script run; it runs to its end even if the caller is cancelled once it has begun."""
        self.online()
        return await self._jobs.put(script, offered, within=within, of_stream=of_stream)

    async def call_of_stream(self, script: Script[T], offered: Callable[[int], None] | None = None) -> T:
        """The same for the open connection's own scripts."""
        return await self.call(script, offered, of_stream=True)

    def released(self) -> None:
        """The connection is closed."""
        self.stream = None
        self._jobs.release()

    async def try_now(self) -> None:
        """A message waits: the owner need not sit out its rest. Returns when that try has come to something."""
        self._standing.tried.clear()
        self._hurry.set()
        await self._standing.tried.wait()

    def fail_all(self, error: LinkError) -> None:
        """Everything in flight and in the queue, at once."""
        if self.stream is not None:
            self.stream.fail(again(error))
        self._jobs.fail(error)

    # -- the life of the port ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        while True:
            cause = await self._live()
            failed: LinkError | None = cause
            while failed is not None:
                failed = await self._recover(failed, cause)

    async def _live(self) -> LinkError:
        """Opens, starts up and serves; returns what ended it."""
        try:
            channel = await self._open_channel()
            await self._start_up(channel)
            await self._serve(channel)
        except LinkError as error:
            return error
        except MmsproxyError as error:
            return LinkError(error.detail, cure=error.cure)
        except Exception as error:  # noqa: BLE001 - the supervisor: a bug must not end the line
            _log.exception("owner of %s failed", self._settings.port)
            return LinkError(f"internal error: {error!r}")

    async def _open_channel(self) -> Channel:
        """A new conversation at the modem's own rate, over the port that is open or a new one."""
        channel = Channel(
            self._rate,
            heard=self._heard,
            told=self._standing.tell,
            broke=self._jobs.wake,
            climbed=self._climbed,
            data=self._data,
            tap=self._tap,
        )
        self._channel = channel
        if self._port is None:
            self._standing.note("port", f"opening {self._settings.port} at {self._rate}")
            self._port = await open_port(self._settings.port, self._rate, self._received, self._port_lost, rtscts=self._settings.rtscts)
        elif self._port.baud not in (0, self._rate):
            await self._port.set_baud(self._rate)
        channel.attach(self._port)
        return channel

    async def _start_up(self, channel: Channel) -> None:
        if self._fault is None:
            self._standing.enter(LinkStatus.STARTING, "starting the modem up")
        settings, self._boot_seen = self._settings, self._loop.time()
        await self._find(channel)
        dialect, self._identity = await channel.run(introduce(settings.dialect, rtscts=settings.rtscts, transparent=settings.transparent))
        self.dialect, channel.engine.urcs = dialect, dialect.urcs
        try:
            ready = startup.make_ready(dialect, settings.profile, self._identity, settings.pin, refused=self._pin_refused)
            await channel.run(ready)
        except startup.PinRefused:
            self._pin_refused = True
            raise
        await channel.run(watch.switch_on())
        await self._raise_rate(channel)
        channel.echo_means_restart = True
        self._fault = None
        self._hurry.clear()
        self._step = Step(search=True)
        self._ladder.succeeded()
        self._standing.online(self._identity.model or self._identity.info, dialect.name)
        await self._look_after(channel, first=True)

    async def _find(self, channel: Channel) -> None:
        assert self._port is not None
        expected = (self._rate, self._raised) if self._raised else (self._rate,)
        elsewhere = line_rate.SEARCHED if self._port.may_have_a_rate else ()
        found = await channel.run(line_rate.find(expected, self._step.rounds, others=elsewhere if self._step.search else None))
        if found not in expected:
            _log.warning("the modem at %s was found at %d baud, not %d", self._settings.port, found, self._rate)
            self._rate = found

    async def _raise_rate(self, channel: Channel) -> None:
        """A rate that was once walked back from is not tried again."""
        assert self._port is not None
        highest = self._settings.max_baud or (line_rate.HIGHEST if self._port.has_a_rate else 0)
        if self._no_raising or self._port.baud == 0 or highest <= channel.baud:
            return
        self._no_raising = True
        self._raised = await channel.run(line_rate.raised(channel.baud, highest))
        self._no_raising = self._raised <= self._rate

    # -- jobs -------------------------------------------------------------------------------------------------------------------

    async def _serve(self, channel: Channel) -> NoReturn:
        """Runs jobs until the channel breaks; looks after the modem when nobody wants anything."""
        while channel.broken is None:
            job = await self._jobs.next(self._look_at if self.stream is None else None)
            if job is not None and job.is_wanted:
                await self._do(channel, job)
            elif job is None and self.stream is None and self._loop.time() >= self._look_at:
                await self._look_after(channel)
        raise again(channel.broken)

    async def _do(self, channel: Channel, job: Job[Any]) -> None:
        if channel.engine.online and not job.of_stream:
            self._jobs.hold(job)
            return
        try:
            job.finish(await channel.run(job.script, job.offered, within=job.within))
        except MmsproxyError as error:
            if isinstance(error, LinkLost):
                channel.break_(error)
            job.fail(error)
        except BaseException as error:  # whoever waits must not wait for ever, whatever ends the owner
            job.fail(LinkLost("the link was stopped") if isinstance(error, asyncio.CancelledError) else error)
            raise
        self._look_at = max(self._look_at, self._loop.time() + SOON)

    # -- looking after the modem ------------------------------------------------------------------------------------------------

    async def _look_after(self, channel: Channel, *, first: bool = False) -> None:
        """SIM and network are there, the bearer is up if the network lets us, and signal and operator are known."""
        dialect, started = self.dialect, self._loop.time()
        assert dialect is not None
        self._look_at = started + WATCH
        try:
            radio = await channel.run(startup.radio())
            self._standing.know(operator=radio.operator, signal_dbm=radio.signal_dbm)
            if not first:
                await channel.run(watch.check())
            took = await self._bring_up(channel, dialect)
        except SimError:
            raise
        except MmsproxyError as error:
            if channel.broken is not None:
                raise
            await self._without_bearer(channel, error)
            return
        self._bearer_ladder.succeeded()
        self._ladder.served()
        self._standing.bearer_up(took, await self._foreign(channel) if took is not None else "")

    async def _bring_up(self, channel: Channel, dialect: Dialect) -> float | None:
        """Seconds that it took; None when it was up."""
        started = self._loop.time()
        brought = await channel.run(startup.ensure_bearer(dialect, self._settings.profile), within=BEARER_LIMIT)
        return self._loop.time() - started if brought else None

    async def _foreign(self, channel: Channel) -> str:
        """A warning where traffic may leave by another context than ours; some networks put their own APN in its place."""
        apn = await channel.run(startup.foreign_apn(self._settings.profile))
        return f"the network has brought up the APN {apn}, not {self._settings.apn}" if apn else ""

    async def _without_bearer(self, channel: Channel, error: MmsproxyError) -> None:
        """The modem is there, and serves SMS; each look takes the next rung."""
        reason = str(error)
        self._standing.enter(LinkStatus.ATTACHED, reason)
        match self._bearer_ladder.failed(self._loop.time()):
            case Rung.RADIO:
                self._boot_seen = self._loop.time()  # what it says when the radio is on again is no restart
                await channel.run(recovery.cycle_radio(reason))
            case Rung.RESTART:
                await self._restart(channel, reason)
                raise LinkLost(f"the modem was restarted: {reason}")
            case Rung.RESET:
                await self._reset(reason)
                raise LinkLost(f"the modem was reset: {reason}")
            case Rung.GIVE_UP:
                self._standing.climbing(Rung.GIVE_UP, reason)
                self._standing.failed(reason)

    def _look_soon(self, seconds: float) -> None:
        self._look_at = min(self._look_at, self._loop.time() + seconds)
        self._jobs.wake()

    # -- recovery ---------------------------------------------------------------------------------------------------------------

    async def _recover(self, failed: LinkError, cause: LinkError) -> LinkError | None:
        """One step of the ladder; what failed in taking it, if anything did. `cause` is what people are told."""
        step = self._ladder.after(failed, has_port=self._port is not None, now=self._loop.time())
        self._fault, self._step = cause, step
        is_moving = step.wait == 0 and self._port is not None
        self._standing.lost(LinkStatus.STARTING if is_moving else LinkStatus.DOWN, str(cause))
        self.fail_all(cause)
        if self._channel is not None and isinstance(self._channel.broken, PortError):
            await self.close_port()
        try:
            await self._take(step, str(cause))
        except LinkError as error:
            return error
        return None

    async def _take(self, step: Step, reason: str) -> None:
        if step.quiet:
            await (await self._open_channel()).run(recovery.listen(step.quiet))
        match step.rung:
            case Rung.RADIO:
                await (await self._open_channel()).run(recovery.cycle_radio(reason))
            case Rung.RESTART:
                await self._restart(await self._open_channel(), reason)
            case Rung.RESET:
                await self._reset(reason)
            case Rung.PROBE | Rung.GIVE_UP:
                self._standing.climbing(step.rung, reason)
        if step.rung is Rung.GIVE_UP:
            self._standing.failed(reason)
        await self._rest(step.wait)

    async def _restart(self, channel: Channel, reason: str) -> None:
        await channel.run(recovery.restart(self.dialect.restart if self.dialect else recovery.RESTART, reason))
        self._boot_seen = self._loop.time()

    async def _reset(self, reason: str) -> None:
        assert self._settings.reset_command is not None
        self._standing.climbing(Rung.RESET, reason)
        await self.close_port()
        complaint = await reset_hook.run(self._settings.reset_command, line=self._standing.name, port=self._settings.port)
        if complaint:
            _log.warning("line %s: %s", self._standing.name, complaint)
            self._standing.note("state", complaint)

    async def _rest(self, seconds: float) -> None:
        """Until the next try: so many seconds, or until a message wants the modem."""
        if not seconds:
            return
        self._standing.tried.set()
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    # -- what happens to the port -----------------------------------------------------------------------------------------------

    def _received(self, data: bytes) -> None:
        if self._channel is not None:
            self._channel.received(data)

    def _data(self, data: bytes) -> None:
        if self.stream is not None:
            self.stream.received(data)

    def _port_lost(self, error: LinkLost) -> None:
        self._port = None
        if self._channel is not None:
            self._channel.break_(error)

    async def close_port(self) -> None:
        """May be called twice."""
        port, self._port = self._port, None
        if port is not None:
            self._standing.note("port", f"closing {self._settings.port}")
            await port.close()

    def _heard(self, urc: UrcReceived) -> None:
        self.overheard(urc)
        match urc.kind:
            case Urc.RESTARTED | Urc.BOOT_TAIL:
                self._boot_word(urc)
                return
            case Urc.BEARER_LOST:
                self._standing.enter(LinkStatus.ATTACHED, "the bearer was lost")
                self._look_soon(0.0)
            case Urc.SIM_STATE:
                self._look_soon(SOON)
                return
            case Urc.REGISTRATION:  # said at each change of the cell too
                if not watch.says_registered(urc.line) or self._standing.state.status < LinkStatus.BEARER_UP:
                    self._look_soon(SOON)
                return
        if self.stream is not None and urc.socket in (None, self.stream.number):
            self.stream.heard(urc)

    def _climbed(self, rung: Rung, reason: str) -> None:
        self._standing.climbing(rung, reason)
        if rung is Rung.RESTART:
            self._boot_seen = float("-inf")  # some say nothing else but their last words when they restart

    def _boot_word(self, urc: UrcReceived) -> None:
        """A restarted modem has forgotten everything. Its last words come late, so they count only if no boot was seen shortly before."""
        assert self._channel is not None
        now = self._loop.time()
        if urc.kind is Urc.BOOT_TAIL and now - self._boot_seen < BOOT_TAIL:
            return
        self._boot_seen = now
        self._channel.break_(self._channel.restarted(urc.line))

"""The link through a serial modem: the only place that owns a serial port.

Rule 1: one task, the owner, opens the port, starts the modem up and runs every script, one after the other; everybody else hands it
jobs. Rule 2: whatever breaks, the owner begins again, after 1, 2, 5, 10 and then every 30 s, for ever; meanwhile `state` says why in one
line with the cure. Rule 3: it knows requests and replies, not AT commands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from mmsproxy.at import startup
from mmsproxy.at.delivery import PromptLost
from mmsproxy.at.detect import by_name, detect
from mmsproxy.at.dialect import Await, Dialect, Identity, Profile, Script
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.errors import AtStringError, ConnectError, LinkError, LinkLost, MmsproxyError
from mmsproxy.events import BearerUp, Bus, LineLost, LineOnline
from mmsproxy.link import LinkState, LinkStatus, Stream, Tap
from mmsproxy.modem.channel import Channel, again
from mmsproxy.modem.port_finder import OpenPort, open_port
from mmsproxy.modem.stream import ModemStream

_log = logging.getLogger(__name__)
T = TypeVar("T")

BACK_OFF = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds; the last one repeats (modems.md 5.5)
WATCH = 30.0  # seconds of idleness between two looks at bearer and signal (modems.md 5.3)
BOOT_TAIL = 60.0  # seconds in which a booted modem may still say its last words ("PB DONE")
QUIET = 60.0  # seconds without a byte to a modem that may be waiting for payload


@dataclass(frozen=True, slots=True)
class ModemSettings:
    """What the link has to know. `dialect` is `auto` or a name of `at.detect.NAMES`; `pdp_type` is IP, IPV6 or IPV4V6."""

    port: str
    baud: int = 115200
    dialect: str = "auto"
    pin: str | None = field(default=None, repr=False)
    apn: str = ""
    pdp_type: str = "IP"
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def profile(self) -> Profile:
        return Profile(self.apn, self.pdp_type, self.user, self.password)


@dataclass(slots=True)
class _Job(Generic[T]):
    script: Script[T]
    future: asyncio.Future[T]
    offered: Callable[[int], None] | None = None

    def fail(self, error: BaseException) -> None:
        self.script.close()
        if not self.future.done():
            self.future.set_exception(error)

    def finish(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)


class ModemLink:
    """`link.Link` over the modem at `settings.port`. `name` is the line's name in facts and logs."""

    def __init__(self, name: str, settings: ModemSettings, *, bus: Bus, tap: Tap | None = None) -> None:
        self._name = name
        self._settings = settings
        self._bus = bus
        self._tap = tap
        self._state = LinkState(LinkStatus.DOWN, "not started")
        self._settled = asyncio.Event()  # set while the state is not STARTING
        self._settled.set()
        self._hurry = asyncio.Event()  # set by a message that waits while the owner rests
        self._wanted = 0  # messages that wait in `ready`
        self._tried = asyncio.Event()  # set whenever a try of the owner has come to something
        self._fault: LinkError | None = None
        self._owner: asyncio.Task[None] | None = None
        self._port: OpenPort | None = None
        self._channel: Channel | None = None
        self._jobs: asyncio.Queue[_Job[Any] | None] = asyncio.Queue()
        self._identity = Identity()
        self._dialect: Dialect | None = None
        self._stream: ModemStream | None = None
        self._turn = asyncio.Lock()  # one stream at a time, from the open until the close is confirmed
        self._closers: set[asyncio.Task[None]] = set()
        self._boot_seen = 0.0
        self._pin_refused = False
        self._quiet_first = False
        self._tend_due = False  # the bearer was lost: brought up again as soon as no stream needs what the modem still holds

    def __repr__(self) -> str:
        return f"<ModemLink {self._name} {self._settings.port} {self._state} {self._stream}>"

    # -- link.Link --------------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> LinkState:
        return self._state

    async def start(self) -> None:
        if self._owner is None:
            self._enter(LinkStatus.STARTING, f"opening {self._settings.port}")
            self._owner = asyncio.create_task(self._own(), name=f"owner of {self._settings.port}")

    async def stop(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.cancel()
            await asyncio.gather(owner, return_exceptions=True)
        self._fail_all(LinkLost("the link was stopped"))
        self._tried.set()
        self._enter(LinkStatus.DOWN, "stopped")
        await asyncio.gather(*self._closers, return_exceptions=True)
        await self._close_port()

    async def ready(self) -> None:
        self._wanted += 1
        try:
            if self._state.status is LinkStatus.DOWN and self._owner is not None:
                await self._try_now()
            elif self._state.status is LinkStatus.STARTING:
                self._hurry.set()
            await self._settled.wait()
        finally:
            self._wanted -= 1
        dialect = self._online()
        started = asyncio.get_running_loop().time()
        if await self._call(startup.ensure_bearer(dialect, self._settings.profile)):
            self._bearer_is_up(asyncio.get_running_loop().time() - started)

    async def open(self, host: str, port: int) -> Stream:
        await self._turn.acquire()
        stream: ModemStream | None = None
        try:
            dialect = self._online()
            stream = ModemStream(self._call, dialect, dialect.first_socket, self._released)
            self._stream = stream  # before the open: a URC may follow its answer at once
            stream.opened(await self._call(dialect.open(dialect.first_socket, host, port)))
        except BaseException as error:
            self._abandon_open(stream)
            if isinstance(error, AtStringError):
                raise ConnectError(f"{host!r} is no host to connect to", cure=error.cure) from error
            raise
        return stream

    async def _try_now(self) -> None:
        """A message waits: the owner need not sit out its back-off. Returns when that try has come to something."""
        self._tried.clear()
        self._hurry.set()
        await self._tried.wait()

    # -- handing scripts to the owner -------------------------------------------------------------------------------------------

    def _online(self) -> Dialect:
        if self._state.status in (LinkStatus.ATTACHED, LinkStatus.BEARER_UP) and self._dialect is not None:
            return self._dialect
        raise again(self._fault) if self._fault is not None else LinkError(f"the modem is not ready: {self._state.reason}")

    async def _call(self, script: Script[T], offered: Callable[[int], None] | None = None) -> T:
        self._online()
        job: _Job[T] = _Job(script, asyncio.get_running_loop().create_future(), offered)
        self._jobs.put_nowait(job)
        return await job.future

    def _abandon_open(self, stream: ModemStream | None) -> None:
        """The open failed, or its caller is gone while it is under way: the socket is closed behind it, then it is the next one's turn."""
        if stream is None:
            self._turn.release()
            return
        closer = asyncio.create_task(stream.close())
        self._closers.add(closer)
        closer.add_done_callback(self._closers.discard)

    def _released(self) -> None:
        self._stream = None
        self._turn.release()
        if self._tend_due:
            self._wake()

    # -- the owner --------------------------------------------------------------------------------------------------------------

    async def _own(self) -> None:
        waits = _back_off()
        while True:
            try:
                channel = await self._open_channel()
                await self._start_up(channel)
                waits = _back_off()
                await self._serve(channel)
            except MmsproxyError as error:
                self._lost(error if isinstance(error, LinkError) else LinkError(error.detail, cure=error.cure))
            except Exception as error:  # noqa: BLE001 - the supervisor: a bug must not end the line
                _log.exception("owner of %s failed", self._settings.port)
                self._lost(LinkError(f"internal error: {error!r}"))
            if not self._port_is_alive():
                await self._close_port()
            await self._rest(next(waits))

    async def _rest(self, seconds: float) -> None:
        """Until the next try: so many seconds, or until a message wants the modem. One that waits for a modem which has just restarted
        has it started up at once."""
        self._tried.set()
        if self._wanted and self._state.status is LinkStatus.STARTING:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    async def _open_channel(self) -> Channel:
        """A new conversation, over the port that is open (the modem restarted) or a new one."""
        channel = Channel(self._settings.baud, heard=self._heard, told=self._told, broke=self._wake, tap=self._tap)
        self._channel = channel
        if self._port is None:
            self._note("port", f"opening {self._settings.port} at {self._settings.baud}")
            self._port = await open_port(self._settings.port, self._settings.baud, self._received, self._port_lost)
            self._boot_seen = asyncio.get_running_loop().time()
        channel.attach(self._port)
        if self._fault is None or isinstance(self._fault, LinkLost):
            self._enter(LinkStatus.STARTING, "starting the modem up")
        return channel

    async def _start_up(self, channel: Channel) -> None:
        if self._quiet_first:
            await channel.run(_listen())
            self._quiet_first = False
        dialect, self._identity = await channel.run(_introduce(self._settings.dialect))
        self._dialect, channel.engine.urcs = dialect, dialect.urcs
        try:
            pin, profile = self._settings.pin, self._settings.profile
            await channel.run(startup.make_ready(dialect, profile, self._identity, pin, refused=self._pin_refused))
        except startup.PinRefused:
            self._pin_refused = True
            raise
        channel.echo_means_restart = True
        self._fault = None
        model = self._identity.model or self._identity.info
        self._state = replace(self._state, modem=model, dialect=dialect.name)
        self._enter(LinkStatus.ATTACHED, "no bearer yet")
        self._bus.announce(LineOnline(self._name, model, dialect.name))
        await self._tend(channel)

    async def _serve(self, channel: Channel) -> None:
        """Runs jobs until the channel breaks; looks after the bearer when nobody wants anything."""
        while channel.broken is None:
            job = await self._next_job()
            if job is not None and not job.future.cancelled():
                await self._do(channel, job)
            elif self._tend_due and self._stream is None:
                await self._tend(channel)
        raise again(channel.broken)

    async def _next_job(self) -> _Job[Any] | None:
        """None when the owner itself has to look at something: the channel, or after WATCH seconds of idleness the bearer."""
        try:
            async with asyncio.timeout(WATCH):
                return await self._jobs.get()
        except TimeoutError:
            self._tend_due = True
            return None

    async def _do(self, channel: Channel, job: _Job[Any]) -> None:
        try:
            job.finish(await channel.run(job.script, job.offered))
        except MmsproxyError as error:
            self._quiet_first = self._quiet_first or isinstance(error, PromptLost)
            if isinstance(error, LinkLost):
                channel.break_(error)
            job.fail(error)
        except BaseException as error:  # whoever waits must not wait for ever, whatever ends the owner
            job.fail(LinkLost("the link was stopped") if isinstance(error, asyncio.CancelledError) else error)
            raise

    async def _tend(self, channel: Channel) -> None:
        """The bearer is up, if the network lets us, and signal and operator are known. A modem that lets us down here is not lost yet."""
        dialect, self._tend_due = self._dialect, False
        assert dialect is not None
        started = asyncio.get_running_loop().time()
        try:
            radio = await channel.run(startup.radio())
            self._state = replace(self._state, operator=radio.operator, signal_dbm=radio.signal_dbm)
            if await channel.run(startup.ensure_bearer(dialect, self._settings.profile)):
                self._bearer_is_up(asyncio.get_running_loop().time() - started)
            self._enter(LinkStatus.BEARER_UP)
        except MmsproxyError as error:
            if channel.broken is not None:
                raise
            self._enter(LinkStatus.ATTACHED, str(error))

    # -- what happens to the link -----------------------------------------------------------------------------------------------

    def _received(self, data: bytes) -> None:
        if self._channel is not None:
            self._channel.received(data)

    def _port_lost(self, error: LinkLost) -> None:
        self._port = None
        if self._channel is not None:
            self._channel.break_(error)

    def _wake(self) -> None:
        self._jobs.put_nowait(None)

    def _told(self, text: str) -> None:
        self._state = replace(self._state, reason=text)
        self._note("state", text)

    def _heard(self, urc: UrcReceived) -> None:
        if urc.kind in (Urc.RESTARTED, Urc.BOOT_TAIL):
            self._boot_word(urc)
        elif urc.kind is Urc.BEARER_LOST:
            self._enter(LinkStatus.ATTACHED, "the bearer was lost")
            self._tend_due = True
            self._wake()
            if self._stream is not None:
                self._stream.heard(urc)
        elif self._stream is not None and urc.socket in (None, self._stream.number):
            self._stream.heard(urc)

    def _boot_word(self, urc: UrcReceived) -> None:
        """A restarted modem has forgotten everything. Its last words come late, so they count only if no boot was seen shortly before."""
        assert self._channel is not None
        now = asyncio.get_running_loop().time()
        expected = urc.kind is Urc.BOOT_TAIL and now - self._boot_seen < BOOT_TAIL
        if not expected:
            self._boot_seen = now
            self._channel.break_(self._channel.restarted(urc.line))

    def _bearer_is_up(self, seconds: float) -> None:
        self._enter(LinkStatus.BEARER_UP)
        self._bus.announce(BearerUp(self._name, seconds))

    def _lost(self, error: LinkError) -> None:
        was_online = self._fault is None
        self._fault = error
        restarting = isinstance(error, LinkLost) and self._port_is_alive()
        if restarting:
            self._boot_seen = asyncio.get_running_loop().time()
        self._enter(LinkStatus.STARTING if restarting else LinkStatus.DOWN, str(error))
        self._fail_all(error)
        if was_online:
            self._bus.announce(LineLost(self._name, str(error)))

    def _fail_all(self, error: LinkError) -> None:
        """Everything in flight and in the queue, at once."""
        if self._stream is not None:
            self._stream.fail(again(error))
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if job is not None:
                job.fail(again(error))

    def _port_is_alive(self) -> bool:
        return self._port is not None and (self._channel is None or isinstance(self._channel.broken, LinkLost))

    async def _close_port(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            self._note("port", f"closing {self._settings.port}")
            await port.close()

    def _enter(self, status: LinkStatus, reason: str = "") -> None:
        if (status, reason) != (self._state.status, self._state.reason):
            self._state = replace(self._state, status=status, reason=reason)
            self._note("state", f"{status.name.lower()}: {reason}" if reason else status.name.lower())
        self._settled.clear() if status is LinkStatus.STARTING else self._settled.set()
        if status >= LinkStatus.ATTACHED:
            self._tried.set()

    def _note(self, kind: str, text: str) -> None:
        if self._tap is not None:
            self._tap.note(kind, text)


def _back_off() -> Iterator[float]:
    yield from BACK_OFF
    while True:
        yield BACK_OFF[-1]


def _listen() -> Script[None]:
    """Nothing may be written to a modem that may take it for payload."""
    yield Await(Urc.RESTARTED, QUIET)


def _introduce(wanted: str) -> Script[tuple[Dialect, Identity]]:
    """Until the modem talks plainly and is known. `wanted` is a dialect's name or `auto`."""
    named = by_name(wanted)
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    return named or (yield from detect(identity)), identity

"""The link through a serial modem: what the carrier's rooms see of it.

Rule 1: one task, `modem.owner`, opens the port and runs every script; this hands it jobs. Rule 2: one stream at a time, from the open until
the close is confirmed. Rule 3: `state` says in one line why the link is down, with the cure. It knows no AT commands and no port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from mmsproxy.at import startup
from mmsproxy.at.dialect import Dialect, Script
from mmsproxy.errors import AtStringError, BearerError, CarrierError, ConnectError, LinkError, LinkLost
from mmsproxy.events import Bus
from mmsproxy.link import LinkState, LinkStatus, Sms, Stream, Tap
from mmsproxy.modem.jobs import FOR_EVER
from mmsproxy.modem.names import Names
from mmsproxy.modem.owner import BEARER_LIMIT, Owner
from mmsproxy.modem.settings import ModemSettings as ModemSettings
from mmsproxy.modem.sms import SmsBox
from mmsproxy.modem.standing import Standing
from mmsproxy.modem.stream import ModemStream
from mmsproxy.modem.transparent import TransparentStream

T = TypeVar("T")
PATIENCE = (
    25.0  # seconds that a message waits for a modem which is being started up: less than its bearer limit, so that the reason is told
)
RESOLVE_LIMIT = 5.0  # seconds for a name; then the modem resolves it while it connects


class ModemLink:
    """`link.Link` over the modem at `settings.port`. `name` is the line's name in facts and logs."""

    def __init__(self, name: str, settings: ModemSettings, *, bus: Bus, tap: Tap | None = None) -> None:
        self._settings = settings
        self._standing = Standing(name, bus=bus, tap=tap)
        self._tap = tap
        self._owner: Owner | None = None
        self._task: asyncio.Task[None] | None = None
        self._stream: ModemStream | TransparentStream | None = None
        self._turn = asyncio.Lock()  # one stream at a time, from the open until the close is confirmed
        self._closers: set[asyncio.Task[None]] = set()
        self._names: Names | None = None
        self._sms = SmsBox(name, self._call_for_sms)
        self._standing.when_online, self._standing.when_lost = self._began, self._sms.ended

    def __repr__(self) -> str:
        return f"<ModemLink {self._standing.name} {self._settings.port} {self.state} {self._stream}>"

    @property
    def state(self) -> LinkState:
        return self._standing.state

    @property
    def sms(self) -> Sms:
        """`link.SmsLink`: SMS beside the streams."""
        return self._sms

    async def start(self) -> None:
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._standing.enter(LinkStatus.STARTING, f"opening {self._settings.port}")
            self._owner = Owner(self._settings, self._standing, tap=self._tap)
            self._owner.overheard = self._sms.heard
            self._names = Names(loop.time)
            self._task = loop.create_task(self._owner.run(), name=f"owner of {self._settings.port}")

    async def stop(self) -> None:
        task, self._task = self._task, None
        owner = self._owner
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._sms.ended()
        if owner is not None:
            owner.fail_all(LinkLost("the link was stopped"))
        self._standing.tried.set()
        self._standing.enter(LinkStatus.DOWN, "stopped")
        await asyncio.gather(*self._closers, return_exceptions=True)
        if owner is not None:
            await owner.close_port()
            self._owner = None

    async def ready(self) -> None:
        owner = self._running()
        await self._settled(owner)
        dialect = owner.online()
        started = asyncio.get_running_loop().time()
        try:
            brought = await owner.call(startup.ensure_bearer(dialect, self._settings.profile), within=BEARER_LIMIT)
        except BearerError as error:
            if self.state.status is LinkStatus.BEARER_UP:
                self._standing.enter(LinkStatus.ATTACHED, str(error))
            raise
        if brought:
            self._standing.bearer_up(asyncio.get_running_loop().time() - started)
        elif self.state.status is LinkStatus.ATTACHED:
            self._standing.bearer_up(None)

    async def open(self, host: str, port: int) -> Stream:
        await self._turn.acquire()
        stream: ModemStream | TransparentStream | None = None
        try:
            owner = self._running()
            dialect = owner.online()
            kind = TransparentStream if dialect.is_transparent else ModemStream
            stream = kind(owner.call_of_stream, dialect, dialect.first_socket, self._released)
            self._stream = owner.stream = stream  # before the open: a URC may follow its answer at once
            stream.opened(await self._connect(owner, dialect, host, port))
        except BaseException as error:
            self._abandon_open(stream)
            if isinstance(error, AtStringError):
                raise ConnectError(f"{host!r} is no host to connect to", cure=error.cure) from error
            raise
        return stream

    async def call(self, script: Script[T], *, within: float = FOR_EVER) -> T:
        """Has a script run between what else is asked of the modem. Raises what the script raises, and LinkError while the modem cannot be
        used.

        within  seconds after which no request of the script waits any longer; never for one that sends payload
        """
        return await self._running().call(script, within=within)

    async def _call_for_sms(self, script: Script[T], offered: Callable[[int], None] | None = None) -> T:
        return await self._running().call(script, offered)

    def _began(self) -> None:
        """The modem is set up, perhaps with another SIM."""
        if self._names is not None:
            self._names.clear()
        self._sms.began()

    # -- parts ------------------------------------------------------------------------------------------------------------------

    def _running(self) -> Owner:
        if self._owner is None:
            raise LinkError(f"the modem is not ready: {self.state.reason}")
        return self._owner

    async def _settled(self, owner: Owner) -> None:
        """The modem is set up, or known not to be. Raises LinkError with the reason when that takes too long."""
        try:
            async with asyncio.timeout(PATIENCE):
                if self.state.status is LinkStatus.DOWN and self._task is not None:
                    await owner.try_now()
                await self._standing.settled.wait()
        except TimeoutError:
            raise owner.fault() from None

    async def _connect(self, owner: Owner, dialect: Dialect, host: str, port: int) -> int:
        target = await self._target(owner, dialect, host)
        try:
            return await owner.call_of_stream(dialect.open(dialect.first_socket, target, port))
        except ConnectError:
            if self._names is not None:
                self._names.drop(host)
            raise

    async def _target(self, owner: Owner, dialect: Dialect, host: str) -> str:
        """The address of a name that the carrier's DNS was asked for, or the name where the modem cannot do that."""
        if dialect.resolve is None or self._names is None:
            return host
        if (known := self._names.get(host)) is not None:
            return known
        try:
            return self._names.put(host, await owner.call(dialect.resolve(host), within=RESOLVE_LIMIT, of_stream=True))
        except (LinkError, CarrierError):
            owner.online()  # a link that was lost meanwhile
            return self._names.refuse(host)

    def _abandon_open(self, stream: ModemStream | TransparentStream | None) -> None:
        """The open failed, or its caller is gone while it is under way: the socket is closed behind it, then it is the next one's turn."""
        if stream is None:
            self._turn.release()
            return
        closer = asyncio.get_running_loop().create_task(stream.close())
        self._closers.add(closer)
        closer.add_done_callback(self._closers.discard)

    def _released(self) -> None:
        self._stream = None
        if self._owner is not None:
            self._owner.released()
        self._turn.release()

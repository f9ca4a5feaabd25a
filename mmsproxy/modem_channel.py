"""Runs scripts over one open port, one at a time: the place where requests meet the loop and the clock.

Rule 1: once a request is written, its exchange is gone through with; who asked may be gone by then. Rule 2: time-outs count from the
moment the line has carried what was written (bytes * 10 / baud), not from the write. Rule 3: after a time-out nothing but AT is sent
until the modem answers it. Rule 4: a broken channel stays broken; its owner makes a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from mmsproxy.at.dialect import NOTHING, Ask, Await, Offer, Pause, Raw, Request, Script, Tell, printable
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import BurstReceived, EchoReceived, Event, HalfDone, Outcome, Replied, Reply, UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.startup import SETTLE, WAKE_TIMEOUT
from mmsproxy.errors import LinkError, LinkLost, PortError
from mmsproxy.link import Tap

T = TypeVar("T")

GRACE = 0.5  # seconds for the second line of a failed command (modems.md 1.2)
MAX_TIMEOUTS = 10  # in a row: the port is invalid (ModemManager mm-base-modem.c)
PROBES = 4  # AT's after a time-out: three (modems.md 5.3, rung 1), and one whose OK the late command may take for its own
_PROBE = Ask(b"AT", timeout=WAKE_TIMEOUT, probe=True)
_TIMED_OUT = Reply(Outcome.TIMED_OUT)


class Port(Protocol):
    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...


class Channel:
    """One port's conversation. `heard` gets every URC, `told` a script's words for people, `broke` is called once when it breaks."""

    def __init__(
        self,
        baud: int,
        *,
        heard: Callable[[UrcReceived], None],
        told: Callable[[str], None],
        broke: Callable[[], None],
        tap: Tap | None = None,
    ) -> None:
        self.engine = Engine()
        self.echo_means_restart = False  # from the end of the start-up on
        self._port: Port | None = None
        self._byte_time = 10 / baud
        self._heard = heard
        self._told = told
        self._broke = broke
        self._tap = tap
        self._loop = asyncio.get_running_loop()
        self._line_free_at = 0.0
        self._waiter: asyncio.Future[Reply] | None = None
        self._awaited: Urc | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._broken: LinkError | None = None
        self._timeouts = 0

    def attach(self, port: Port) -> None:
        self._port = port

    @property
    def broken(self) -> LinkError | None:
        return self._broken

    def break_(self, error: LinkError) -> None:
        """Fails what is under way and all that comes: the port is gone, or the modem restarted."""
        if self._broken is not None:
            return
        self._broken = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(again(error))
        self._broke()

    async def run(self, script: Script[T], offered: Callable[[int], None] | None = None) -> T:
        """Runs a script to its end and returns its result. `offered` is told the stream's byte count before each payload is written.
        Raises what the script raises, and LinkLost or PortError when the channel breaks."""
        try:
            request = next(script)
            while True:
                reply = await self._perform(request, offered)
                request = script.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            script.close()

    # -- requests ---------------------------------------------------------------------------------------------------------------

    async def _perform(self, request: Request, offered: Callable[[int], None] | None) -> Reply:
        self._check()
        match request:
            case Ask():
                return await self._ask(request)
            case Offer():
                if offered is not None:
                    offered(request.upto)
                self._write(bytes(request.payload))
                return await self._reply(request.timeout)
            case Raw():
                self._write(request.data)
            case Pause():
                await asyncio.sleep(request.seconds)
            case Await():
                self._awaited = request.kind
                return await self._reply(request.timeout, awaiting=True)
            case Tell():
                self._told(request.text)
        return NOTHING

    async def _ask(self, request: Ask) -> Reply:
        if self.engine.late and not request.probe:
            await self._resynchronise()
        self.engine.begin(request.text, request.rule, prompt=request.prompt)
        self._write(request.text + b"\r")
        due = request.rule.data.limit if request.rule.data is not None else 0
        reply = await self._reply(request.timeout + due * self._byte_time, probe=request.probe)
        if request.probe and reply.ok:
            self.engine.forget_late()
        return reply

    async def _resynchronise(self) -> None:
        """The modem must answer AT before it is asked anything else; a late answer is not taken for the next command's."""
        for attempt in range(PROBES):
            if (await self._ask(_PROBE)).ok:
                if attempt:
                    await asyncio.sleep(SETTLE)  # an OK of an earlier AT may still come
                self._check()
                return
        self.break_(LinkLost("the modem does not answer any more", cure="it is started up again; if that fails, power-cycle it"))
        self._check()

    async def _reply(self, timeout: float, *, probe: bool = False, awaiting: bool = False) -> Reply:
        """The reply to what was just written, TIMED_OUT after `timeout` seconds."""
        self._waiter = self._loop.create_future()
        try:
            async with asyncio.timeout_at(max(self._loop.time(), self._line_free_at) + timeout):
                if self._port is not None:
                    await self._port.drain()
                reply = await self._waiter
        except TimeoutError:
            self._check()
            if not awaiting:
                self._timed_out(probe=probe)
            return _TIMED_OUT
        finally:
            self._waiter = self._awaited = None
            self._stop_grace()
        self._timeouts = 0
        return reply

    def _timed_out(self, *, probe: bool) -> None:
        self.engine.abandon(forget=probe)
        self._timeouts += 1
        if self._timeouts >= MAX_TIMEOUTS:
            self.break_(PortError(f"{MAX_TIMEOUTS} commands in a row had no answer", cure="check the modem's power, port and baud rate"))

    def _write(self, data: bytes) -> None:
        self._check()
        assert self._port is not None
        if self._tap is not None:
            self._tap.sent(data)
        self._line_free_at = max(self._loop.time(), self._line_free_at) + len(data) * self._byte_time
        self._port.write(data)

    def _check(self) -> None:
        if self._broken is not None:
            raise again(self._broken)

    # -- events -----------------------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes from the port."""
        if self._tap is not None:
            self._tap.received(data)
        for event in self.engine.feed(data):
            self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case Replied():
                self._answer(event.reply)
            case HalfDone():
                self._grace = self._loop.call_later(GRACE, self._settle)
            case UrcReceived():
                self._urc(event)
            case EchoReceived() if self.echo_means_restart:
                self.break_(LinkLost("the modem restarted: its echo is on again"))
            case BurstReceived() if self.echo_means_restart:
                self.break_(LinkLost("the modem lost power or its baud rate: a burst of empty bytes"))

    def _urc(self, event: UrcReceived) -> None:
        if event.kind is self._awaited:
            self._answer(Reply(Outcome.DONE, (event.line,), event.line))
        else:
            self._heard(event)

    def _answer(self, reply: Reply) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reply)

    def _settle(self) -> None:
        reply = self.engine.settle()
        if reply is not None:
            self._answer(reply)

    def _stop_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None


def again(error: LinkError) -> LinkError:
    """The same error as a new object: one that several callers raise would collect all their tracebacks."""
    return type(error)(error.detail, cure=error.cure)


def restart_of(line: bytes) -> LinkLost:
    return LinkLost(f"the modem restarted ({printable(line)})")

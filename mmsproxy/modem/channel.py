"""Runs scripts over one open port, one at a time: the place where requests meet the loop and the clock.

Rule 1: once a request is written, its exchange is gone through with; who asked may be gone by then. Rule 2: time-outs count from the
moment the line has carried what was written (bytes * 10 / baud), not from the write. Rule 3: after a time-out nothing but AT is sent
until the modem answers it. Rule 4: a broken channel stays broken; its owner makes a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from mmsproxy.at import power
from mmsproxy.at.dialect import NOTHING, Ask, Await, Climb, Escape, Offer, Pause, Rate, Raw, Request, Rung, Script, Tell, printable
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import BurstReceived, DataReceived, EchoReceived, Event, HalfDone, Outcome, Replied, Reply, UrcReceived
from mmsproxy.at.rules import Urc, ok
from mmsproxy.at.startup import SETTLE, WAKE_TIMEOUT
from mmsproxy.errors import AtTimeout, LinkError, LinkLost, ModemSilent, PortError
from mmsproxy.link import Tap

T = TypeVar("T")

BITS_PER_BYTE = 10  # 8N1
GRACE = 0.5  # seconds for the second line of a failed command (modems.md 1.2)
MAX_TIMEOUTS = 10  # commands in a row, AT itself not counted: the port is invalid (ModemManager mm-base-modem.c)
PROBES = 4  # AT's after a time-out: three (modems.md 5.3, rung 1), and one whose OK the late command may take for its own
_PROBE = Ask(b"AT", timeout=WAKE_TIMEOUT, probe=True)
_TIMED_OUT = Reply(Outcome.TIMED_OUT)
_FAILED = Reply(Outcome.FAILED)
_ESCAPE = b"+++"


class Port(Protocol):
    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    async def set_baud(self, baud: int) -> None: ...


class Channel:
    """One port's conversation.

    heard    gets every URC
    told     a script's words for people
    broke    is called once when it breaks
    climbed  hears of each rung that a script takes on the recovery ladder, and why
    data     gets a connection's bytes in the transparent mode
    """

    def __init__(
        self,
        baud: int,
        *,
        heard: Callable[[UrcReceived], None],
        told: Callable[[str], None],
        broke: Callable[[], None],
        climbed: Callable[[Rung, str], None] = lambda rung, reason: None,
        data: Callable[[bytes], None] = lambda data: None,
        tap: Tap | None = None,
    ) -> None:
        self.engine = Engine()
        self.echo_means_restart = False  # from the end of the start-up on
        self._port: Port | None = None
        self._baud = baud
        self._heard = heard
        self._told = told
        self._broke = broke
        self._climbed = climbed
        self._data = data
        self._tap = tap
        self._loop = asyncio.get_running_loop()
        self._line_free_at = 0.0
        self._on_air_at = float("-inf")  # when the modem was last made to transmit
        self._deadline = float("inf")
        self._waiter: asyncio.Future[Reply] | None = None
        self._awaited: Urc | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._broken: LinkError | None = None
        self._timeouts = 0

    def attach(self, port: Port) -> None:
        self._port = port

    @property
    def baud(self) -> int:
        return self._baud

    @property
    def _byte_time(self) -> float:
        return BITS_PER_BYTE / self._baud

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

    def restarted(self, line: bytes) -> LinkLost:
        """The error that a restart signature means."""
        return self._restart(f"the modem restarted ({printable(line)})")

    def _restart(self, detail: str) -> LinkLost:
        """With the hint at the supply where it came on the heels of transmitting."""
        if power.looks_like_brown_out(self._loop.time() - self._on_air_at):
            return LinkLost(f"{detail}: {power.HINT}", cure=power.CURE)
        return LinkLost(detail)

    async def run(self, script: Script[T], offered: Callable[[int], None] | None = None, *, within: float = float("inf")) -> T:
        """Runs a script to its end and returns its result. `offered` is told the stream's byte count before each payload is written.
        Raises what the script raises, and LinkLost or PortError when the channel breaks.

        within  seconds after which no request waits any longer and none is begun; never for a script that sends payload, since what the
                modem has asked for must follow
        """
        self._deadline = self._loop.time() + within
        try:
            request = next(script)
            while True:
                reply = await self._perform(request, offered)
                if self._loop.time() < self._deadline:
                    request = script.send(reply)
                else:
                    request = script.throw(AtTimeout(f"the modem was not done within {within:g} s"))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            self._deadline = float("inf")
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
                return await self._pour(request)
            case Escape():
                return await self._escape(request)
            case Pause():
                await asyncio.sleep(min(request.seconds, max(0.0, self._deadline - self._loop.time())))
            case Await():
                self._awaited = request.kind
                return await self._reply(request.timeout, awaiting=True)
            case Tell():
                self._told(request.text)
            case Climb():
                self._climbed(request.rung, request.reason)
            case Rate():
                return await self._change_rate(request.baud)
        return NOTHING

    async def _pour(self, request: Raw) -> Reply:
        self._write(bytes(request.data))
        assert self._port is not None
        try:
            async with asyncio.timeout_at(self._line_free_at + request.timeout):
                await self._port.drain()
        except TimeoutError:
            return _TIMED_OUT
        self._check()
        return NOTHING

    async def _escape(self, request: Escape) -> Reply:
        if request.guard is None:
            self.engine.offline()
            return NOTHING
        await asyncio.sleep(max(0.0, self._line_free_at - self._loop.time()) + request.guard)
        self.engine.offline()
        self.engine.begin(_ESCAPE, ok())
        self._write(_ESCAPE)
        return await self._reply(request.guard + request.timeout, probe=True)

    async def _change_rate(self, baud: int) -> Reply:
        """What was written leaves at the old rate first."""
        assert self._port is not None
        await self._port.drain()
        await asyncio.sleep(max(0.0, self._line_free_at - self._loop.time()))
        try:
            await self._port.set_baud(baud)
        except PortError:
            return _FAILED
        self._baud = baud
        return NOTHING

    async def _ask(self, request: Ask) -> Reply:
        if self.engine.late and not request.probe:
            await self._resynchronise()
        self.engine.begin(request.text, request.rule, prompt=request.prompt)
        if power.transmits(request.text):
            self._on_air_at = self._loop.time()
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
        self.break_(ModemSilent("the modem does not answer any more", cure="it is started up again; if that fails, power-cycle it"))
        self._check()

    async def _reply(self, timeout: float, *, probe: bool = False, awaiting: bool = False) -> Reply:
        """The reply to what was just written, TIMED_OUT after `timeout` seconds."""
        self._waiter = self._loop.create_future()
        try:
            async with asyncio.timeout_at(min(max(self._loop.time(), self._line_free_at) + timeout, self._deadline)):
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
        if not probe:
            self._timeouts = 0
        return reply

    def _timed_out(self, *, probe: bool) -> None:
        self.engine.abandon(forget=probe)
        self._timeouts += not probe
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
            case DataReceived():
                self._data(event.data)
            case EchoReceived() if self.echo_means_restart:
                self.break_(self._restart("the modem restarted, its echo is on again"))
            case BurstReceived() if self.echo_means_restart:
                self.break_(self._restart("the modem lost power or its baud rate, a burst of empty bytes came"))

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

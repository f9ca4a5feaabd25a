"""Raw HTTP over real sockets, for what no well-behaved client library would send, and a line whose attempts are scripted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mmsproxy.carrier.attempt import Answer, Attempt, Awaited, Outcome, Timings, Trial, judge, not_attempted
from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.headers import check
from mmsproxy.config import CarrierConfig, LineConfig, Mm1Config, Settings
from mmsproxy.config_post import OutboxConfig
from mmsproxy.errors import LineStopped, MmsproxyError
from mmsproxy.link import LinkState, LinkStatus, Phase
from mmsproxy.post.clerk import Clerk
from mmsproxy.post.job import Lease, LeaseLost, Result
from mmsproxy.post.keeper import Keeper
from mmsproxy.post.outbox import Outbox
from mmsproxy.post.records import Message, Pdu
from mmsproxy.post.store import Store, new_owner, open_store
from mmsproxy.post.work import Worker
from mmsproxy.web.api import start_api
from mmsproxy.web.desk import WEB_LIMITS, Desk
from mmsproxy.web.guard import Door, Limits
from mmsproxy.web.mm1 import start_mm1

HANG_GUARD = 20.0  # seconds; no test waits this long unless something hangs


@dataclass(frozen=True, slots=True)
class Heard:
    """One HTTP answer as it came. Header names in lower case; `raw_head` keeps what was written."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw_head: bytes

    @property
    def text(self) -> str:
        return self.body.decode("ascii").strip()


class Wire:
    """One TCP connection to a door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.said = 0  # octets

    async def try_to_say(self, data: bytes) -> None:
        """Says it unless the door has closed already."""
        with contextlib.suppress(ConnectionError):
            await self.say(data)

    async def say(self, *data: bytes) -> Wire:
        for piece in data:
            self._writer.write(piece)
            self.said += len(piece)
            await self._writer.drain()
        return self

    async def hear(self, *, method: str = "POST") -> Heard:
        """One answer, read by its Content-Length: an answer without one fails here."""
        async with asyncio.timeout(HANG_GUARD):
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = 0 if method == "HEAD" or first.split(" ")[1] == "100" else int(headers["content-length"])
            return Heard(int(first.split(" ")[1]), headers, await self._reader.readexactly(length), head)

    async def is_closed(self) -> bool:
        """Waits until the door has closed its side; what still comes fails the test."""
        async with asyncio.timeout(HANG_GUARD):
            try:
                return await self._reader.read() == b""
            except ConnectionError:
                return True

    async def is_quiet(self, seconds: float = 0.05) -> bool:
        """Nothing comes for a while, not even the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._reader.read(1)
        except TimeoutError:
            return True
        return False

    def half_close(self) -> None:
        self._writer.write_eof()

    def hang_up(self, *, reset: bool = False) -> None:
        if reset:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Caller:
    """Opens connections to one port, and closes them all at the end of the test."""

    def __init__(self) -> None:
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def call(self) -> Wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return Wire(reader, writer)

    async def ask(self, *data: bytes, method: str = "POST") -> Heard:
        wire = await self.call()
        await wire.say(*data)
        return await wire.hear(method=method)

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    one = Caller()
    yield one
    one.close()
    await asyncio.sleep(0)


MMSC = "http://mms.carrier.example/mms/wapenc"
SEND_CONF = bytes.fromhex("8c81 98543100 8d92 9280 8b") + b"m1@mmsc\0"
SEND_REQ = bytes.fromhex("8c80 98543100 8d92 8901 81 97") + b"+16195550123/TYPE=PLMN\0" + bytes.fromhex("8483") + b"hello"
CONTENT_TYPE = ("Content-Type", "application/vnd.wap.mms-message")


@dataclass(frozen=True, slots=True)
class Script:
    """What the modem and the carrier do to one message: how far it comes, what comes back, what fails."""

    body: bytes | None = SEND_CONF
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (CONTENT_TYPE,)
    phase: Phase = Phase.ANSWER_WHOLE
    error: MmsproxyError | None = None


@dataclass(slots=True)
class Posted:
    """One PDU that reached the line."""

    pdu: bytes
    headers: tuple[tuple[str, str], ...]
    awaited: Awaited
    transaction_id: str | None


async def _nothing() -> None:
    return


class ScriptedLine:
    """Stands for carrier.line.Line. Scripts are played in turn, the last one for ever."""

    def __init__(self, name: str = "one", mmsc: str = MMSC, max_size: int | None = None) -> None:
        self.settings = LineConfig(name=name, carrier=CarrierConfig(apn="a", mmsc=mmsc, max_size=max_size))
        self.name = name
        self.max_size = max_size
        self.scripts: list[Script | BaseException] = [Script()]
        self.posted: list[Posted] = []
        self.queue_length = 0
        self.wait = 0.0
        self.pace = 0.0
        self.min_interval = 0.0
        self.sms: Any = object()  # it has a modem; nothing here sends SMS
        self.status = LinkStatus.ATTACHED
        self.reason = ""
        self.stopped = False
        self.held_at = Phase.NO_BEARER
        self.held = 0  # attempts that came to `held_at`
        self.go = asyncio.Event()
        self.go.set()

    @property
    def mmsc_authority(self) -> tuple[str, int]:
        return "mms.carrier.example", 80

    @property
    def state(self) -> LinkState:
        return LinkState(self.status, self.reason)

    async def rouse(self) -> bool:
        return self.status is not LinkStatus.DOWN

    def estimate_wait(self, ahead: int = 0) -> float:
        return self.wait + ahead * self.pace

    def will(self, *scripts: dict[str, Any]) -> None:
        """The scripts to play, each by what differs from the good one; `raises` stands for a fault of our own."""
        self.scripts = [script["raises"] if "raises" in script else Script(**script) for script in scripts]

    def hold(self, phase: Phase) -> None:
        """Each attempt stays at this phase until `go` is set."""
        self.held_at = phase
        self.go.clear()

    async def post(
        self,
        pdu: bytes,
        headers: Sequence[tuple[str, str]] = (),
        *,
        on_phase: Callable[[Phase], None] = lambda _: None,
        transaction_id: str | None,
        awaited: Awaited,
        budget: float,
        before_last_byte: Callable[[], Awaitable[None]] = _nothing,
    ) -> Attempt:
        for name, value in headers:
            check(name, value)
        self.posted.append(Posted(pdu, tuple(headers), awaited, transaction_id))
        self.queue_length += 1
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            is_offered = self.held_at >= Phase.LAST_BYTE
            if is_offered:
                await before_last_byte()
            for phase in Phase:
                if phase <= self.held_at:
                    on_phase(phase)
            self.held += 1
            await self.go.wait()
            if isinstance(script, BaseException):
                raise script
            if script.phase >= Phase.LAST_BYTE and not is_offered and not self.stopped:
                await before_last_byte()
            return self._judged(script, pdu, awaited, transaction_id)
        except LeaseLost as error:
            return not_attempted(error, size=len(pdu), timings=Timings())
        finally:
            self.queue_length -= 1

    def _judged(self, script: Script, pdu: bytes, awaited: Awaited, transaction_id: str | None) -> Attempt:
        if self.stopped:
            return not_attempted(LineStopped("line one is stopped"), size=len(pdu), timings=Timings())
        answer = None if script.body is None else Answer(script.status, script.headers, script.body)
        offered = len(pdu) if script.phase >= Phase.LAST_BYTE else 0
        trial = Trial(script.phase, answer, script.error, Timings(), offered, len(pdu))
        return judge(trial, awaited=awaited, transaction_id=transaction_id)


@pytest.fixture
def line() -> ScriptedLine:
    return ScriptedLine()


class Mm1House:
    """An MM1 door before scripted lines, with a real store, outbox and keeper behind it. Calling it opens all of that.

    skew   seconds by which the store's clock is ahead
    """

    def __init__(self, folder: Path, caller: Caller) -> None:
        self._folder = folder
        self._caller = caller
        self._lines: tuple[ScriptedLine, ...] = ()
        self._options: dict[str, Any] = {}
        self._ids = itertools.count(1)
        self.skew = 0.0
        self.store: Store
        self.outbox: Outbox
        self.door: Door | None = None

    async def __call__(self, *lines: ScriptedLine, client_wait: float = 20.0, limits: Limits | None = None, **settings: Any) -> Door:
        self._lines = lines
        short = limits or replace(Limits(), header=2.0, body=2.0, linger=0.3, keepalive=2.0)
        self._options = {"client_wait": client_wait, "limits": short}
        self._config = Mm1Config.model_validate({"listen": "127.0.0.1:0", **settings})
        return await self.open()

    async def open(self) -> Door:
        self.store = await open_store(
            f"sqlite+aiosqlite:///{self._folder}/post.db",
            media=self._folder / "media",
            clock=lambda: time.time() + self.skew,
            new_id=lambda prefix: f"{prefix}_{next(self._ids):06}",
            reserve=0,
            low_water=0,
        )
        owner = new_owner("node")
        await self.store.recover(owner)
        self.outbox = Outbox(self.store, self._lines, owner=owner, poll=0.02)
        await self.outbox.start()
        self.keeper = Keeper(self.store, every=0.05, monotonic=lambda: time.monotonic() + self.skew)  # time passes; nobody sets a clock
        await self.keeper.start()
        fleet = Fleet(self._lines)  # type: ignore[arg-type] # a scripted line is all that the door sees of a line
        self.door = await start_mm1(fleet, self._config, store=self.store, **self._options)
        self._caller.port = self.door.port
        return self.door

    async def close(self) -> None:
        """In the order of the gateway: outbox and lines first, then the door, then the store."""
        if self.door is None:
            return
        for line in self._lines:
            line.stopped = True
            line.go.set()
        await self.outbox.stop(5)
        await self.door.stop()
        await self.keeper.stop()
        await self.store.close()
        for line in self._lines:
            line.stopped = False

    async def restart(self) -> Door:
        await self.close()
        return await self.open()

    async def message(self) -> Message:
        """The newest one."""
        return (await self.store.page()).messages[0]


@pytest.fixture
async def mm1(caller: Caller, tmp_path: Path) -> AsyncIterator[Mm1House]:
    """Opens an MM1 door before scripted lines; `caller` then calls it."""
    house = Mm1House(tmp_path, caller)
    yield house
    caller.close()
    await house.close()


# The web door over a real store, with the real clerk; a line that shows what it is told to.

API_TOKEN = "mmp_" + "t" * 43
STARTED = 1_800_000_000.0  # 2027-01-15T08:00:00Z


class ShownLine:
    """What the web door sees of a line."""

    def __init__(self, name: str, **more: Any) -> None:
        self.settings = LineConfig.model_validate({"name": name, **more})
        self.name = name
        self.sms: Any = object()  # it has a modem; nothing here sends SMS
        self.max_size = self.settings.carrier.max_size
        self.min_interval = 0.0
        self.queue_length = 0
        self.state = LinkState(LinkStatus.BEARER_UP, modem="SIM7600E", dialect="sim7600", operator="Test", signal_dbm=-71)

    progress: tuple[int, int] | None = None

    def estimate_wait(self, ahead: int = 0) -> float:
        return 10.0 * ahead


class NoFitting:
    """Stands for the fitter's process: files stay as they came."""

    async def fit_all(self, files: Sequence[Any], limit: int, other: int, shrink: bool) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(files), ()


@dataclass
class Api:
    """The web door, its desk and a client. `clock` may be moved."""

    desk: Desk
    door: Door
    client: aiohttp.ClientSession
    clock: list[float]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.door.port}"

    @property
    def store(self) -> Store:
        return self.desk.store

    async def ask(self, method: str, path: str, *, token: str | None = API_TOKEN, **more: Any) -> tuple[int, Mapping[str, str], Any]:
        """Status, header fields, and the body: JSON read, anything else as octets."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers = {"Authorization": f"Bearer {token}", **headers}
        async with self.client.request(method, self.url + path, headers=headers, **more) as response:
            body = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, response.headers, json.loads(body) if is_json and body else body

    async def send(self, path: str = "/v1/messages", *, headers: Mapping[str, str] | None = None, **document: Any) -> Any:
        """The message that was made of it."""
        wanted = {"to": "+16195550123", "text": "hello", **document}
        status, _, body = await self.ask("POST", path, json=wanted, headers=headers or {})
        assert status in (200, 202), body
        return body

    async def begin(self, line: str = "one", pdu: bytes = SEND_REQ) -> Lease:
        """What the outbox does up to the last byte, for the next message of the line."""
        worker = Worker("test/1", line)
        lease = await self.store.claim(worker)
        assert isinstance(lease, Lease), lease
        lease = await self.store.begin(lease, worker, Pdu(pdu), transaction_id="T1", is_new=True)
        await self.store.last_byte(lease)
        return lease

    async def attempt(self, outcome: str, line: str = "one", **fields: Any) -> str:
        """A whole attempt; the id of its message."""
        lease = await self.begin(line)
        usual: dict[str, dict[str, Any]] = {
            "sent": {"phase": Phase.ANSWER_WHOLE, "response_status": 0x80, "carrier_message_id": "m-1", "answer": SEND_CONF},
            "refused": {"phase": Phase.ANSWER_WHOLE, "code": "mmsc_error", "detail": "no credit", "response_status": 0xE0},
            "partial": {"phase": Phase.ANSWER_WHOLE, "code": "partial", "response_status": 0xC4},
            "unknown": {"phase": Phase.LAST_BYTE, "code": "answer_timeout", "detail": "no answer"},
            "not_sent": {"phase": Phase.OPEN, "code": "connect_failed", "detail": "no way", "retryable": True},
        }
        timings = {"connect": 0.5, "total": 1.0}
        await self.store.finish(lease, Result(Outcome(outcome), **{**usual[outcome], "timings": timings, **fields}))
        return lease.job.id


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    clock, ids = [STARTED], itertools.count()
    lines = [ShownLine("one", number="+15550100000"), ShownLine("two", carrier={"max_size": 20_000})]
    store = await open_store(
        f"sqlite+aiosqlite:///{tmp_path}/post.db",
        media=tmp_path / "media",
        clock=lambda: clock[0],
        new_id=lambda prefix: f"{prefix}_{next(ids):026}",
        reserve=0,
        low_water=0,
    )
    numbers = {line.name: line.settings.number for line in lines}
    fitter: Any = NoFitting()
    clerk = Clerk(store, lines, fitter, numbers=numbers, outbox=OutboxConfig(), simulated=frozenset(("one", "two")))
    desk = Desk(
        store=store,
        clerk=clerk,
        fleet=Fleet(lines),  # type: ignore[arg-type] # a shown line is all that the door sees of a line
        settings=Settings.model_validate({"web": {"hosts": ["Gateway.Example"]}}),
        now=lambda: datetime.fromtimestamp(clock[0], UTC),
        random=secrets.token_bytes,
        limits=replace(WEB_LIMITS, body=1.0, linger=0.2),
    )
    door = await start_api(desk, "127.0.0.1", 0, token=API_TOKEN)
    async with aiohttp.ClientSession() as client:
        yield Api(desk, door, client, clock)
    await door.stop()
    await store.close()

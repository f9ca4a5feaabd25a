"""A link in this process, over real loopback TCP, that can be told to fail; and an MMSC that plays a script."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Trial
from mmsproxy.carrier.connector import ModemConnector
from mmsproxy.carrier.transport import LinkGate
from mmsproxy.carrier.tunnel import Tunnel, Upstream
from mmsproxy.errors import ConnectError, LinkLost, MmsproxyError, PeerReset
from mmsproxy.link import Ledger, LinkState, LinkStatus, Phase

MAX_SEND = 1460  # octets, as SIM800 takes at once
MMSC = "http://mmsc.example/mms/wapenc"
PDU = b"\x8c\x80\x98T1\0" + bytes(range(256)) * 20

Act = Callable[["Served", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Faults:
    """What the link does wrong. Offsets count the octets of one stream, head included."""

    ready: list[MmsproxyError] = field(default_factory=list)  # raised by the next calls of ready(), in order
    open: list[MmsproxyError] = field(default_factory=list)
    never_ready: bool = False
    never_open: bool = False
    lost_after: int | None = None  # the modem goes away when so many octets were offered
    stuck_after: int | None = None  # from here on the modem takes nothing more
    send_fails_after: int | None = None  # sending fails, what the far end sent can still be read
    error: MmsproxyError = field(default_factory=lambda: LinkLost("the port went away"))
    accept_delay: float = 0.0  # seconds until the modem confirms a segment
    prompt: asyncio.Event | None = None  # the modem asks for a segment's octets when this is set
    close_delay: float = 0.0
    acks: bool = False


class FakeStream:
    """A Stream over a loopback socket. Cuts are exact to the octet."""

    def __init__(self, link: FakeLink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ledger = Ledger()
        self.max_send = MAX_SEND
        self.sends: list[int] = []
        self.more: list[bool] = []
        self.acks = asyncio.Event()
        self.is_closed = False
        self._link = link
        self._reader = reader
        self._writer = writer
        self._lost = asyncio.Event()

    async def send(self, data: bytes | memoryview, *, more: bool = False) -> None:
        self.ledger.given += len(data)
        self.more.append(more)
        for start in range(0, len(data), self.max_send):
            await self._send_segment(bytes(data[start : start + self.max_send]))

    async def _send_segment(self, segment: bytes) -> None:
        assert not self.is_closed, "sent after close"
        faults = self._link.faults
        self.sends.append(len(segment))
        if faults.prompt is not None:
            await faults.prompt.wait()
        for limit in (faults.lost_after, faults.stuck_after, faults.send_fails_after):
            if limit is not None and self.ledger.offered + len(segment) >= limit:
                await self._offer(segment[: limit - self.ledger.offered])
                await self._fail(faults)
                return
        await self._offer(segment)
        await asyncio.sleep(faults.accept_delay)
        self.ledger.accepted += len(segment)
        if faults.acks:
            self.ledger.acked = self.ledger.accepted
            self.acks.set()

    async def _offer(self, data: bytes) -> None:
        self.ledger.offered += len(data)
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError as error:
            raise PeerReset(f"the far end closed: {error}") from None

    async def _fail(self, faults: Faults) -> None:
        if faults.stuck_after is not None:
            await asyncio.Event().wait()
        if faults.lost_after is not None:
            self._lost.set()
        raise faults.error

    async def recv(self) -> bytes:
        read = asyncio.ensure_future(self._reader.read(MAX_SEND))
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({read, lost}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise self._link.faults.error
            return read.result()
        except ConnectionError as error:
            raise PeerReset(f"the far end reset the connection: {error}") from None
        finally:
            for task in (read, lost):
                task.cancel()

    async def acknowledged(self) -> None:
        while self.ledger.acked < self.ledger.given:
            self.acks.clear()
            await self.acks.wait()

    async def close(self) -> None:
        if self.is_closed:
            return
        await asyncio.sleep(self._link.faults.close_delay)
        if self.is_closed:
            return
        self.is_closed = True
        self._link.in_use -= 1
        self._link.log.append("closed")
        self._writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


class FakeLink:
    """A Link whose hosts all live at one loopback port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.faults = Faults()
        self.state = LinkState(LinkStatus.BEARER_UP)
        self.in_use = 0
        self.log: list[str] = []
        self.opened: list[tuple[str, int]] = []
        self.streams: list[FakeStream] = []
        self.is_started = False

    async def start(self) -> None:
        self.is_started = True

    async def stop(self) -> None:
        self.is_started = False
        for stream in self.streams:
            await stream.close()

    async def ready(self) -> None:
        if self.faults.never_ready:
            await asyncio.Event().wait()
        if self.faults.ready:
            raise self.faults.ready.pop(0)

    async def open(self, host: str, port: int) -> FakeStream:
        assert self.in_use == 0, "two streams at a time"
        self.opened.append((host, port))
        self.log.append("opened")
        if self.faults.never_open:
            await asyncio.Event().wait()
        if self.faults.open:
            raise self.faults.open.pop(0)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError as error:
            raise ConnectError(f"{host}:{port} refused") from error
        self.in_use += 1
        self.streams.append(FakeStream(self, reader, writer))
        return self.streams[-1]


@dataclass
class Served:
    """One connection as the MMSC saw it."""

    head: bytes = b""
    body: bytes = b""
    is_whole: bool = False

    @property
    def request_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        lines = self.head.split(b"\r\n")[1:-2]
        return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]


class FakeMmsc:
    """A raw HTTP server: reads one request whole (or as far as it comes), then acts."""

    def __init__(self) -> None:
        self.act: Act = self.answers(b"")
        self.early: Act | None = None  # acts after the head instead
        self.served: list[Served] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._serving.values():
            writer.transport.abort()
        if self._serving:
            await asyncio.wait(self._serving, timeout=5)

    @property
    def last(self) -> Served:
        return self.served[-1]

    @property
    def whole(self) -> list[Served]:
        return [served for served in self.served if served.is_whole]

    def answers(self, raw: bytes, *, pieces: int | None = None, reset: bool = False) -> Act:
        """Writes `raw` (in pieces of so many octets) and closes, or resets."""

        async def act(_: Served, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            step = pieces or max(1, len(raw))
            for start in range(0, len(raw), step):
                writer.write(raw[start : start + step])
                await writer.drain()
                await asyncio.sleep(0)
            if reset:
                writer.transport.abort()

        return act

    async def never(self, _: Served, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await reader.read()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = Served()
        self.served.append(served)
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        try:
            served.head = await reader.readuntil(b"\r\n\r\n")
            if self.early is not None:
                await self.early(served, reader, writer)
                return
            await self._read_body(served, reader)
            await self.act(served, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            del self._serving[task]

    async def _read_body(self, served: Served, reader: asyncio.StreamReader) -> None:
        length = int(served.all("Content-Length")[0])
        while len(served.body) < length:
            data = await reader.read(length - len(served.body))
            if not data:
                raise asyncio.IncompleteReadError(served.body, length)
            served.body += data
        served.is_whole = True


@dataclass
class TapLog:
    """The part of a Tap that the carrier room uses: it remembers notes."""

    notes: list[tuple[str, str]] = field(default_factory=list)

    def note(self, kind: str, text: str) -> None:
        self.notes.append((kind, text))


def _conf(
    tid: str | None = "T1",
    *,
    status: int = 0x80,
    message_id: str | None = "m-1@mmsc",
    version: int = 0x92,
    more: bytes = b"",
    forward: bool = False,
    text: bytes | None = None,
) -> bytes:
    """An M-Send.conf laid by hand (mms.md 3)."""
    parts = [b"\x8c\x8a" if forward else b"\x8c\x81"]
    if tid is not None:
        parts.append(b"\x98" + tid.encode() + b"\0")
    parts.append(bytes((0x8D, version, 0x92, status)))
    if text is not None:
        parts.append(b"\x93" + text + b"\0")
    if message_id is not None:
        parts.append(b"\x8b" + message_id.encode() + b"\0")
    return b"".join(parts) + more


def _ok(body: bytes, *, status: str = "200 OK", head: bytes = b"", framing: str = "length") -> bytes:
    """A raw HTTP answer."""
    lines = f"HTTP/1.1 {status}\r\nContent-Type: application/vnd.wap.mms-message\r\n".encode() + head
    if framing == "length":
        return lines + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    if framing == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
        return lines + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    return lines + b"\r\n" + body


class Case:
    """A tunnel with its link, its gate and the phases that were announced."""

    def __init__(self, link: FakeLink, mmsc: str = MMSC, proxy: str | None = None, *, trust: Any = None, **options: Any) -> None:
        self.link = link
        self.gate = LinkGate()
        self.phases: list[Phase] = []
        self.tunnel = Tunnel(
            Upstream.of(mmsc, proxy), lambda observer: ModemConnector(link, gate=self.gate, observer=observer, ssl_context=trust), **options
        )

    async def post(self, pdu: bytes = PDU, headers: tuple[tuple[str, str], ...] = (), **options: Any) -> Trial:
        trial = await self.tunnel.post(pdu, headers, on_phase=self.phases.append, **options)
        await self.free()
        return trial

    async def free(self) -> None:
        await self.gate.take()
        self.gate.give_back()
        assert self.link.in_use == 0


@pytest.fixture
async def mmsc() -> AsyncIterator[FakeMmsc]:
    server = FakeMmsc()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def link(mmsc: FakeMmsc) -> AsyncIterator[FakeLink]:
    link = FakeLink(mmsc.port)
    yield link
    await link.stop()


@pytest.fixture
def tap() -> TapLog:
    return TapLog()


@pytest.fixture
def make() -> SimpleNamespace:
    """PDUs and HTTP answers laid by hand, and a further link or case."""
    return SimpleNamespace(conf=_conf, answer=_ok, link=FakeLink, case=Case)


@pytest.fixture(autouse=True)
def short_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.carrier.transport.SETTLE_LIMIT", 0.05)
    monkeypatch.setattr("mmsproxy.carrier.transport.DRAIN_LIMIT", 0.05)


@pytest.fixture
def case(link: FakeLink) -> Case:
    return Case(link)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for mmsc.example that nobody trusts, and its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("not here: openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=mmsc.example"
    extension = "-addext subjectAltName=DNS:mmsc.example"
    command = [openssl, *request.split(), *extension.split(), "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    return both


@pytest.fixture
async def secure_mmsc(certificate: Path) -> AsyncIterator[FakeMmsc]:
    """The same MMSC behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = FakeMmsc()
    await server.start(context)
    yield server
    await server.stop()

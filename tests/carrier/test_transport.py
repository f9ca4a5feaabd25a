"""The transport over a stream: order, back-pressure, reading while writing, and what is left behind when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mmsproxy.carrier.transport import HIGH_WATER, LinkGate, ModemTransport, NobodyWatches
from mmsproxy.errors import LinkLost, PeerReset
from mmsproxy.link import Ledger


class ScriptedStream:
    """A Stream in memory: `arrivals` is what recv gives, `accept` lets one send end."""

    def __init__(self, *, max_send: int = 100) -> None:
        self.ledger = Ledger()
        self.max_send = max_send
        self.sent: list[bytes] = []
        self.log: list[str] = []
        self.more: list[bool] = []
        self.acks = asyncio.Event()
        self.arrivals: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.accept = asyncio.Semaphore(0)
        self.send_error: Exception | None = None
        self.closed = asyncio.Event()

    async def send(self, data: bytes | memoryview, *, more: bool = False) -> None:
        self.log.append("send")
        self.more.append(more)
        self.ledger.given += len(data)
        await self.accept.acquire()
        if self.send_error is not None:
            raise self.send_error
        self.ledger.offered += len(data)
        self.sent.append(bytes(data))
        self.ledger.accepted += len(data)
        self.log.append("sent")

    async def recv(self) -> bytes:
        item = await self.arrivals.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def acknowledged(self) -> None:
        await self.acks.wait()

    async def close(self) -> None:
        self.log.append("close")
        self.closed.set()


class Recorder(asyncio.Protocol):
    """An application protocol that writes down what it hears."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.events.append(data)

    def eof_received(self) -> bool | None:
        self.events.append("eof")
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(("lost", exc))
        self.lost.set()

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


class BufferedRecorder(asyncio.BufferedProtocol):
    """The same through a small buffer, as SSLProtocol reads."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.data = b""

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += bytes(self.buffer[:nbytes])

    def eof_received(self) -> bool:
        self.data += b"<eof>"
        return True


Open = Callable[..., tuple[ScriptedStream, ModemTransport, Recorder, LinkGate]]


@pytest.fixture
async def opened() -> SimpleNamespace:
    stream, protocol, gate = ScriptedStream(), Recorder(), LinkGate()
    await gate.take()
    transport = ModemTransport(stream, protocol, peer=("mmsc", 80), gate=gate, observer=NobodyWatches())
    return SimpleNamespace(stream=stream, transport=transport, protocol=protocol, gate=gate)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_segments_are_full_and_in_order(opened: SimpleNamespace) -> None:
    data = bytes(range(256)) * 2
    for start in range(0, len(data), 33):
        opened.transport.write(data[start : start + 33])
    for _ in range(6):
        opened.stream.accept.release()
    await turns()
    assert [len(segment) for segment in opened.stream.sent] == [100, 100, 100, 100, 100, 12]
    assert b"".join(opened.stream.sent) == data
    assert opened.transport.written == opened.transport.handed == len(data)
    opened.transport.close()
    await opened.transport.wait_closed()


async def test_writing_is_paused_above_the_mark_and_resumed_when_empty(opened: SimpleNamespace) -> None:
    opened.transport.write(b"x" * HIGH_WATER)
    assert opened.protocol.events == []
    opened.transport.write(b"y")
    assert opened.protocol.events == ["pause"]
    for _ in range(HIGH_WATER // 100 + 1):
        opened.stream.accept.release()
        await turns(4)
    assert opened.protocol.events == ["pause", "resume"]
    opened.transport.abort()
    await opened.transport.wait_closed()


async def test_room_is_there_when_all_but_the_segment_under_way_was_taken(opened: SimpleNamespace) -> None:
    opened.transport.write(b"a" * 150)
    room = asyncio.ensure_future(opened.transport.room())
    await turns()
    assert not room.done()
    opened.stream.accept.release()
    await turns()
    assert room.done()
    assert opened.stream.ledger.accepted == 100  # 50 more are under way
    opened.transport.abort()
    opened.stream.accept.release()
    await opened.transport.wait_closed()


async def test_reading_goes_on_while_a_send_is_under_way(opened: SimpleNamespace) -> None:
    opened.transport.write(b"a" * 500)
    await opened.stream.arrivals.put(b"HTTP/1.1 413")
    await turns()
    assert opened.protocol.events == [b"HTTP/1.1 413"]
    opened.transport.abort()
    opened.stream.accept.release()
    await opened.transport.wait_closed()


async def test_close_waits_for_the_send_under_way_and_offers_nothing_more(opened: SimpleNamespace) -> None:
    opened.transport.write(b"a" * 250)
    await turns()
    opened.transport.close()
    opened.transport.write(b"late")
    await turns()
    assert opened.stream.log == ["send"]
    assert opened.gate.locked
    opened.stream.accept.release()
    await opened.transport.wait_closed()
    assert opened.stream.log == ["send", "sent", "close"]
    assert opened.stream.sent == [b"a" * 100]
    assert opened.protocol.events == [("lost", None)]
    assert not opened.gate.locked
    assert opened.transport.written == 250


async def test_the_far_ends_close_comes_after_its_data_and_is_told_once(opened: SimpleNamespace) -> None:
    for item in (b"one", b"two", b""):
        await opened.stream.arrivals.put(item)
    await opened.protocol.lost.wait()
    opened.transport.close()
    await opened.transport.wait_closed()
    assert opened.protocol.events == [b"one", b"two", "eof", ("lost", None)]


async def test_paused_reading_holds_data_and_end_back(opened: SimpleNamespace) -> None:
    opened.transport.pause_reading()
    assert not opened.transport.is_reading()
    await opened.stream.arrivals.put(b"held")
    await opened.stream.arrivals.put(b"")
    await turns()
    assert opened.protocol.events == []
    opened.transport.resume_reading()
    await opened.protocol.lost.wait()
    assert opened.protocol.events == [b"held", "eof", ("lost", None)]
    await opened.transport.wait_closed()


async def test_a_lost_link_is_told_with_its_error(opened: SimpleNamespace) -> None:
    error = LinkLost("unplugged")
    await opened.stream.arrivals.put(error)
    await opened.protocol.lost.wait()
    assert opened.protocol.events == [("lost", error)]
    assert opened.transport.read_error is error
    await opened.transport.wait_closed()


async def test_after_a_failed_send_what_the_far_end_said_is_still_read(opened: SimpleNamespace) -> None:
    opened.stream.send_error = PeerReset("closed while sending")
    opened.transport.write(b"a" * 300)
    opened.stream.accept.release()
    await turns()
    assert opened.protocol.events == []
    assert opened.transport.is_broken
    opened.transport.write(b"dropped")
    assert opened.transport.written == 300
    await opened.stream.arrivals.put(b"HTTP/1.1 413")
    await opened.stream.arrivals.put(b"")
    await opened.protocol.lost.wait()
    assert opened.protocol.events == [b"HTTP/1.1 413", "eof", ("lost", opened.stream.send_error)]
    await opened.transport.wait_closed()


async def test_that_reading_has_an_end(opened: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.carrier.transport.DRAIN_LIMIT", 0.01)
    opened.stream.send_error = LinkLost("SEND FAIL")
    opened.transport.write(b"a")
    opened.stream.accept.release()
    await opened.protocol.lost.wait()
    assert opened.protocol.events == [("lost", opened.stream.send_error)]
    await opened.transport.wait_closed()


async def test_room_never_comes_once_broken(opened: SimpleNamespace) -> None:
    opened.stream.send_error = LinkLost("gone")
    opened.transport.write(b"a" * 300)
    room = asyncio.ensure_future(opened.transport.room())
    opened.stream.accept.release()
    await turns()
    assert not room.done()
    room.cancel()
    opened.transport.abort()
    await opened.transport.wait_closed()


async def test_a_buffered_protocol_gets_all_octets_through_its_buffer(opened: SimpleNamespace) -> None:
    protocol = BufferedRecorder(7)
    opened.transport.set_protocol(protocol)
    assert opened.transport.get_protocol() is protocol
    data = bytes(range(100))
    await opened.stream.arrivals.put(data)
    await opened.stream.arrivals.put(b"")
    await turns()
    assert protocol.data == data + b"<eof>"
    assert not opened.transport.is_closing()  # its eof_received said that it will close by itself
    opened.transport.set_protocol(opened.protocol)
    opened.transport.abort()
    await opened.transport.wait_closed()


async def test_settle_is_true_when_the_ledger_is_final(opened: SimpleNamespace) -> None:
    opened.transport.write(b"a" * 100)
    await turns()
    settling = asyncio.ensure_future(opened.transport.settle())
    await turns()
    assert not settling.done()
    opened.stream.accept.release()
    assert await settling is True
    assert opened.stream.ledger.offered == 100


async def test_settle_is_false_when_the_modem_keeps_silent(opened: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.carrier.transport.SETTLE_LIMIT", 0.01)
    opened.transport.write(b"a" * 100)
    await turns()
    assert await opened.transport.settle() is False
    assert opened.transport.handed == 100
    await opened.transport.wait_closed()
    assert opened.stream.closed.is_set()


async def test_a_stream_that_breaks_its_contract_ends_the_connection(opened: SimpleNamespace) -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    error = RuntimeError("a bug in the link")
    await opened.stream.arrivals.put(error)
    await opened.protocol.lost.wait()
    assert opened.protocol.events == [("lost", error)]
    assert [context["exception"] for context in told] == [error]
    await opened.transport.wait_closed()
    assert not opened.gate.locked


async def test_limits_and_facts(opened: SimpleNamespace) -> None:
    transport = opened.transport
    assert transport.get_write_buffer_limits() == (0, HIGH_WATER)
    transport.set_write_buffer_limits(high=10, low=20)
    assert transport.get_write_buffer_limits() == (10, 10)
    transport.set_write_buffer_limits()
    assert transport.get_write_buffer_limits() == (0, HIGH_WATER)
    assert transport.get_extra_info("peername") == ("mmsc", 80)
    assert not transport.can_write_eof()
    transport.write(memoryview(b"abc"))
    assert transport.get_write_buffer_size() == 3
    assert "open" in repr(transport)
    transport.abort()
    assert "closing" in repr(transport)
    await transport.wait_closed()

"""The stream of one socket, over loopback: the ledger to the octet, faults told each time, nothing that leaves afterwards."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import struct
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from mmsproxy.errors import AnswerTimeout, BearerError, LinkError, LinkLost, MmsproxyError, PeerReset
from mmsproxy.host import stream as module
from mmsproxy.host.stream import MAX_SEND, HostStream, fault_of, words
from mmsproxy.link import Ledger

MUCH = bytes(range(256)) * 65_536  # 16 MiB: more than loopback's buffers hold
RESET = struct.pack("ii", 1, 0)


@pytest.fixture
async def pair() -> AsyncIterator[SimpleNamespace]:
    """`stream` and `far`, a blocking socket of the other end whose receive buffer is small."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    near = socket.create_connection(listener.getsockname())
    far, _ = listener.accept()
    listener.close()
    releases: list[int] = []
    stream = HostStream(near, lambda: releases.append(1))
    yield SimpleNamespace(stream=stream, far=far, near=near, releases=releases)
    await stream.close()
    far.close()
    assert releases == [1]


async def until(check: Any) -> None:
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.005)


async def soon(work: Any) -> Any:
    return await asyncio.wait_for(work, 10)


def read_all(far: socket.socket) -> tuple[bytes, bool]:
    """All that comes, and whether it ended by a reset."""
    data = bytearray()
    far.settimeout(10)
    try:
        while piece := far.recv(1 << 20):
            data += piece
    except ConnectionResetError:
        return bytes(data), True
    return bytes(data), False


async def test_there_and_back(pair: Any) -> None:
    await pair.stream.send(b"POST")
    await pair.stream.send(memoryview(b" / HTTP/1.1"), more=True)
    assert pair.far.recv(100) == b"POST / HTTP/1.1"
    pair.far.sendall(b"HTTP/1.1 200 OK")
    assert await soon(pair.stream.recv()) == b"HTTP/1.1 200 OK"
    await soon(pair.stream.acknowledged())
    assert pair.stream.ledger == Ledger(given=15, offered=15, accepted=15, acked=15)
    pair.far.shutdown(socket.SHUT_WR)
    assert await soon(pair.stream.recv()) == b""
    assert await soon(pair.stream.recv()) == b""


async def test_a_receiver_that_waits_is_woken_by_data(pair: Any) -> None:
    waiting = asyncio.ensure_future(pair.stream.recv())
    await asyncio.sleep(0.01)
    pair.far.sendall(b"x")
    assert await soon(waiting) == b"x"


async def test_what_was_read_by_nobody_is_not_lost(pair: Any) -> None:
    waiting = asyncio.ensure_future(pair.stream.recv())
    await asyncio.sleep(0.01)
    pair.far.sendall(b"x")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await soon(pair.stream.recv()) == b"x"


async def test_much_arrives_whole_and_an_early_answer_is_read_meanwhile(pair: Any) -> None:
    sending = asyncio.ensure_future(pair.stream.send(MUCH))
    await until(lambda: pair.stream.ledger.accepted > 0)
    pair.far.sendall(b"HTTP/1.1 413")
    assert await soon(pair.stream.recv()) == b"HTTP/1.1 413"
    assert not sending.done()
    arriving = asyncio.ensure_future(asyncio.to_thread(read_all, pair.far))
    await soon(sending)
    await soon(pair.stream.acknowledged())
    await pair.stream.close()
    assert await soon(arriving) == (MUCH, False)
    assert pair.stream.ledger == Ledger(*[len(MUCH)] * 4)


async def test_the_ledger_of_a_far_end_that_takes_nothing_more(pair: Any) -> None:
    sending = asyncio.ensure_future(pair.stream.send(MUCH))
    await until(lambda: pair.stream.ledger.accepted > 0)
    await asyncio.sleep(0.05)
    ledger = pair.stream.ledger
    assert ledger.given == len(MUCH)
    assert 0 < ledger.acked <= ledger.accepted <= ledger.offered < len(MUCH)
    assert ledger.offered == ledger.accepted  # what the kernel did not take was not left
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    with pytest.raises(LinkError, match="ended in its middle"):
        await pair.stream.send(b"out of place")
    await pair.stream.close()
    assert read_all(pair.far)[1], "what was given up in the middle must not go on"


async def test_the_kernel_does_not_hoard(pair: Any) -> None:
    """TCP_NOTSENT_LOWAT: of what was offered, little was not sent yet; SIOCOUTQNSD counts it."""
    sending = asyncio.ensure_future(pair.stream.send(MUCH))
    await until(lambda: pair.stream.ledger.accepted > 0)
    await asyncio.sleep(0.05)
    unsent = _unsent(pair.near)
    assert unsent <= 2 * MAX_SEND + 65_536, unsent  # and at most one segmentation-offload buffer
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


def _unsent(near: socket.socket) -> int:
    return int(struct.unpack("i", fcntl.ioctl(near, 0x894B, bytes(4)))[0])


async def test_offered_is_counted_before_the_write(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Kernel:
        def __init__(self, real: socket.socket) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def send(self, view: memoryview) -> int:
            seen.append(pair.stream._ledger.offered)
            return self._real.send(view[:3])

    pair.stream._socket = Kernel(pair.near)
    await pair.stream.send(b"12345678")
    assert seen == [8, 8, 8]
    assert pair.stream._ledger.accepted == 8
    pair.stream._socket = pair.near


async def test_a_write_that_is_refused_has_offered_nothing(pair: Any) -> None:
    await pair.stream.send(b"12345")
    pair.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    pair.far.close()
    await asyncio.sleep(0.01)
    with pytest.raises(PeerReset, match="Connection reset by peer"):
        await pair.stream.send(b"678")
    assert pair.stream.ledger == Ledger(given=8, offered=5, accepted=5, acked=5)


async def test_a_reset_that_the_sender_met_is_no_end_of_data_to_the_reader(pair: Any) -> None:
    """The kernel tells a reset once, then it looks like an orderly end."""
    pair.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    pair.far.close()
    await asyncio.sleep(0.01)
    for _ in range(2):
        with pytest.raises(PeerReset):
            await pair.stream.send(b"x")
    for _ in range(2):
        with pytest.raises(PeerReset):
            await soon(pair.stream.recv())


async def test_what_came_before_the_reset_is_read_first(pair: Any) -> None:
    await pair.stream.send(b"never read")
    pair.far.sendall(b"HTTP/1.1 413")
    await asyncio.sleep(0.01)
    pair.far.close()  # unread data: a reset
    await asyncio.sleep(0.01)
    assert await soon(pair.stream.recv()) == b"HTTP/1.1 413"
    for _ in range(2):
        with pytest.raises(PeerReset):
            await soon(pair.stream.recv())


async def _send_until_refused(stream: HostStream) -> None:
    for _ in range(1000):
        await stream.send(b"x")
        await asyncio.sleep(0.005)


async def test_an_answer_before_an_orderly_close_is_whole_though_the_rest_cannot_be_sent(pair: Any) -> None:
    pair.far.sendall(b"HTTP/1.1 413")
    pair.far.close()
    await asyncio.sleep(0.01)
    with pytest.raises(PeerReset):
        await _send_until_refused(pair.stream)
    assert await soon(pair.stream.recv()) == b"HTTP/1.1 413"
    assert await soon(pair.stream.recv()) == b""


async def test_a_lost_interface_wakes_who_sends_and_who_waits(pair: Any) -> None:
    sending = asyncio.ensure_future(pair.stream.send(MUCH))
    waiting = asyncio.ensure_future(pair.stream.recv())
    await until(lambda: pair.stream.ledger.accepted > 0)
    pair.stream.fail(LinkLost("wwan0 has gone", cure="plug it in"))
    for task in (sending, waiting, asyncio.ensure_future(pair.stream.send(b"x")), asyncio.ensure_future(pair.stream.recv())):
        with pytest.raises(LinkLost, match="wwan0 has gone; plug it in"):
            await soon(task)
    assert 0 < pair.stream.ledger.offered < len(MUCH)


async def test_what_had_arrived_before_the_loss_is_read_first(pair: Any) -> None:
    pair.far.sendall(b"the whole answer")
    pair.far.shutdown(socket.SHUT_WR)
    await asyncio.sleep(0.01)
    pair.stream.fail(LinkLost("wwan0 has gone"))
    assert await soon(pair.stream.recv()) == b"the whole answer"
    assert await soon(pair.stream.recv()) == b""


async def test_nothing_taken_for_too_long(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL", 0.05)
    with pytest.raises(AnswerTimeout, match=r"the far end took nothing for 0\.05 s"):
        await soon(pair.stream.send(MUCH))
    with pytest.raises(AnswerTimeout):
        await pair.stream.send(b"x")
    assert 0 < pair.stream.ledger.offered < len(MUCH)
    pair.far.sendall(b"HTTP/1.1 408")
    assert await soon(pair.stream.recv()) == b"HTTP/1.1 408"


async def test_close_wakes_everybody_and_may_be_called_twice(pair: Any) -> None:
    sending = asyncio.ensure_future(pair.stream.send(MUCH))
    waiting = asyncio.ensure_future(pair.stream.recv())
    await until(lambda: pair.stream.ledger.accepted > 0)
    await pair.stream.close()
    await pair.stream.close()
    assert await soon(waiting) == b""
    with pytest.raises(LinkError, match="closed"):
        await soon(sending)
    with pytest.raises(LinkError, match="closed"):
        await pair.stream.send(b"x")
    assert await pair.stream.recv() == b""
    assert pair.near.fileno() == -1
    assert pair.stream.ledger.acked <= pair.stream.ledger.accepted


async def test_a_closed_stream_lets_go_of_its_number(pair: Any) -> None:
    """The number of the socket may be another's at once; its readers are not ours to take away."""
    waiting = asyncio.ensure_future(pair.stream.recv())
    await asyncio.sleep(0.01)
    number = pair.near.fileno()
    reader, writer = os.pipe()
    await pair.stream.close()
    os.dup2(reader, number)
    came = asyncio.Event()
    asyncio.get_running_loop().add_reader(number, came.set)
    try:
        assert await soon(waiting) == b""
        os.write(writer, b"x")
        await soon(came.wait())
    finally:
        asyncio.get_running_loop().remove_reader(number)
        for one in {reader, writer, number}:
            os.close(one)


async def test_an_end_in_order_when_all_was_taken(pair: Any) -> None:
    await pair.stream.send(b"whole")
    await pair.stream.close()
    assert read_all(pair.far) == (b"whole", False)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ECONNRESET, PeerReset),
        (errno.EPIPE, PeerReset),
        (errno.ETIMEDOUT, AnswerTimeout),
        (errno.ENETDOWN, BearerError),
        (errno.EHOSTUNREACH, BearerError),
        (errno.EIO, LinkError),
    ],
)
def test_the_systems_words_in_ours(code: int, kind: type[MmsproxyError]) -> None:
    fault = fault_of(OSError(code, "something"))
    assert type(fault) is kind
    assert fault.retryable


def test_words() -> None:
    assert words(OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")) == "Connection refused"
    assert words(OSError("by itself")) == "by itself"


async def test_repr(pair: Any) -> None:
    assert repr(pair.stream) == "<HostStream open Ledger(given=0, offered=0, accepted=0, acked=0) fault=None>"

"""The stream alone: whoever runs its scripts is played by the test. The rest is shown over a pty in test_modem_link.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mmsproxy.at.dialect import NOTHING, Ask, Counters, Offer, Raw, Received, Script, Sent, Verdict
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.errors import AtError, AtTimeout, BearerError, LinkError, LinkLost, PeerReset
from mmsproxy.modem import stream
from mmsproxy.modem.stream import ModemStream

DATA = UrcReceived(Urc.DATA_WAITING, b"+CIPRXGET: 1,0", 0)
CLOSED = UrcReceived(Urc.PEER_CLOSED, b"+IPCLOSE: 0,1", 0)


class Modem:
    """The dialect's scripts over a list of what can be read, and the owner that runs them."""

    def __init__(self) -> None:
        self.body = b""
        self.to_read: list[Received | LinkError] = []
        self.down: LinkError | None = None
        self.verdict = Verdict.TAKEN
        self.close_error: LinkError | None = None
        self.calls: list[str] = []
        self.raw: list[bytes] = []
        self.lag = 0  # bytes given that are not acknowledged
        self.released = 0
        self.dialect = replace(
            SIM7600, send=self.send, read=self.read, counters=self.counters, close=self.close, bearer_down=self.bearer_down, max_send=10
        )
        self.stream = ModemStream(self, self.dialect, 0, self._release)

    def _release(self) -> None:
        self.released += 1

    async def __call__(self, script: Script[Any], offered: Callable[[int], None] | None = None) -> Any:
        await asyncio.sleep(0)
        if self.down is not None:
            script.close()
            raise self.down
        try:
            request = next(script)
            while True:
                if isinstance(request, Offer) and offered is not None:
                    offered(request.upto)
                if isinstance(request, Raw):
                    self.raw.append(bytes(request.data))
                await asyncio.sleep(0)
                request = script.send(NOTHING)
        except StopIteration as done:
            return done.value

    def send(self, _socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
        self.calls.append("send")
        yield Offer(chunk, upto, 1.0)
        self.body += bytes(chunk)
        return Sent(self.verdict)

    def read(self, _socket: int, _limit: int) -> Script[Received]:
        self.calls.append("read")
        yield Ask(b"AT+READ")
        found = self.to_read.pop(0) if self.to_read else Received(b"", 0)
        if isinstance(found, LinkError):
            raise found
        return found

    def counters(self, _socket: int) -> Script[Counters]:
        self.calls.append("counters")
        yield Ask(b"AT+COUNT")
        return Counters(len(self.body), len(self.body) - self.lag, self.lag)

    def close(self, _socket: int) -> Script[None]:
        self.calls.append("close")
        yield Ask(b"AT+CLOSE")
        if self.close_error is not None:
            raise self.close_error

    def bearer_down(self) -> Script[None]:
        self.calls.append("bearer down")
        yield Ask(b"AT+DOWN")


@pytest.fixture
async def modem(monkeypatch: pytest.MonkeyPatch) -> Modem:
    monkeypatch.setattr(stream, "POLL", 0.02)
    monkeypatch.setattr(stream, "ACK_LOOK", 0.01)
    return Modem()


async def test_a_body_goes_out_in_chunks(modem: Modem) -> None:
    await modem.stream.send(bytes(range(25)))
    await modem.stream.send(memoryview(b"abc"))
    assert modem.body == bytes(range(25)) + b"abc"
    assert modem.calls == ["send"] * 4
    ledger = modem.stream.ledger
    assert (ledger.given, ledger.offered, ledger.accepted) == (28, 28, 28)
    assert modem.stream.max_send == 10


async def test_an_empty_send_does_nothing(modem: Modem) -> None:
    await modem.stream.send(b"")
    assert modem.calls == []


async def test_data_are_read_until_none_are_left(modem: Modem) -> None:
    modem.to_read = [Received(b"one", 3), Received(b"two", 0)]
    modem.stream.heard(DATA)
    assert [await modem.stream.recv(), await modem.stream.recv()] == [b"one", b"two"]
    assert modem.calls == ["read", "read"]


async def test_where_the_modem_does_not_say_what_is_left_it_is_asked_again(modem: Modem) -> None:
    modem.to_read = [Received(b"one", None), Received(b"", None), Received(b"two", None)]
    modem.stream.heard(DATA)
    assert await modem.stream.recv() == b"one"
    reading = asyncio.create_task(modem.stream.recv())
    await asyncio.sleep(0.005)
    assert modem.calls == ["read", "read"]
    modem.stream.heard(DATA)
    assert await reading == b"two"


async def test_a_close_is_the_end_only_after_the_rest_was_read(modem: Modem) -> None:
    modem.to_read = [Received(b"rest", 4), Received(b"more", 0)]
    modem.stream.heard(CLOSED)
    assert [await modem.stream.recv() for _ in range(4)] == [b"rest", b"more", b"", b""]
    with pytest.raises(PeerReset):
        await modem.stream.send(b"x")


async def test_a_modem_that_forgot_the_closed_socket_has_nothing_left(modem: Modem) -> None:
    modem.to_read = [AtError("ERROR")]
    modem.stream.heard(CLOSED)
    assert await modem.stream.recv() == b""


@pytest.mark.parametrize("error", [AtError("ERROR"), AtTimeout("late")])
async def test_a_read_that_fails_ends_the_stream(modem: Modem, error: LinkError) -> None:
    modem.to_read = [error]
    modem.stream.heard(DATA)
    for _ in range(2):
        with pytest.raises(type(error)):
            await modem.stream.recv()
    assert modem.calls == ["read"]
    with pytest.raises(type(error)):
        await modem.stream.send(b"x")


async def test_nothing_is_polled_before_something_was_sent(modem: Modem) -> None:
    reading = asyncio.create_task(modem.stream.recv())
    await asyncio.sleep(0.06)
    assert modem.calls == []
    modem.to_read = [Received(b"greeting", 0)]
    modem.stream.heard(DATA)
    assert await reading == b"greeting"


async def test_while_an_answer_is_due_it_is_looked_for_and_the_counter_asked_once(modem: Modem) -> None:
    reading = asyncio.create_task(modem.stream.recv())
    await modem.stream.send(b"request")
    async with asyncio.timeout(5):
        await modem.stream.acknowledged()
    assert modem.calls == ["send", "counters"]
    await asyncio.sleep(0.1)
    assert modem.calls[2] == "read"
    assert modem.calls.count("counters") == 1
    assert modem.stream.ledger.acked == 7
    modem.to_read = [Received(b"answer", 0)]
    assert await reading == b"answer"


async def test_what_is_not_acknowledged_yet_is_asked_again(modem: Modem) -> None:
    modem.lag = 3
    reading = asyncio.create_task(modem.stream.recv())
    await modem.stream.send(b"request")
    waiting = asyncio.create_task(modem.stream.acknowledged())
    await asyncio.sleep(0.05)
    assert (modem.stream.ledger.acked, waiting.done()) == (4, False)
    modem.lag = 0
    async with asyncio.timeout(5):
        await waiting
    reading.cancel()


async def test_nothing_is_asked_in_the_middle_of_a_request(modem: Modem) -> None:
    reading = asyncio.create_task(modem.stream.recv())
    await modem.stream.send(b"half a", more=True)
    await asyncio.sleep(0.05)
    assert modem.calls == ["send"]
    reading.cancel()


@pytest.mark.parametrize(("more", "filled"), [(True, True), (False, False)])
async def test_a_missed_prompt_is_filled_up_only_where_more_of_the_request_is_due(modem: Modem, more: bool, filled: bool) -> None:
    modem.verdict = Verdict.NO_PROMPT
    with pytest.raises(LinkError):
        await modem.stream.send(b"ten octets", more=more)
    assert (bytes(10) in modem.raw) is filled


async def test_a_lost_bearer_lets_what_the_modem_holds_be_read(modem: Modem) -> None:
    modem.to_read = [Received(b"held", 0)]
    modem.stream.heard(UrcReceived(Urc.BEARER_LOST, b"+PDP: DEACT"))
    assert await modem.stream.recv() == b"held"
    with pytest.raises(BearerError):
        await modem.stream.recv()


async def test_a_lost_link_ends_a_read_at_once(modem: Modem) -> None:
    reading = asyncio.create_task(modem.stream.recv())
    await asyncio.sleep(0)
    modem.stream.fail(LinkLost("gone", cure="plug"))
    with pytest.raises(LinkLost, match="gone; plug"):
        await reading
    assert "gone" in repr(modem.stream)


async def test_a_torn_send_is_not_gone_on_with(modem: Modem) -> None:
    modem.verdict = Verdict.CLOSED
    with pytest.raises(PeerReset):
        await modem.stream.send(bytes(30))
    with pytest.raises(PeerReset):
        await modem.stream.send(b"x")
    assert modem.calls == ["send"]
    assert modem.stream.ledger.offered == 10
    assert await modem.stream.recv() == b""


async def test_a_close_that_fails_takes_the_bearer_down(modem: Modem) -> None:
    modem.close_error = AtTimeout("late")
    await asyncio.gather(modem.stream.close(), modem.stream.close())
    assert modem.calls == ["close", "bearer down"]
    assert modem.released == 1


async def test_a_close_without_a_link_frees_the_turn(modem: Modem) -> None:
    modem.down = LinkLost("gone")
    await modem.stream.close()
    await modem.stream.close()
    assert modem.released == 1


async def test_a_close_whose_caller_is_gone_goes_on(modem: Modem) -> None:
    closing = asyncio.create_task(modem.stream.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await modem.stream.close()
    assert modem.calls == ["close"]
    assert modem.released == 1


async def test_a_close_ends_a_waiting_read(modem: Modem) -> None:
    reading = asyncio.create_task(modem.stream.recv())
    await asyncio.sleep(0)
    await modem.stream.close()
    assert await reading == b""

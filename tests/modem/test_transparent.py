"""The transparent stream alone: whoever runs its scripts is played by the test."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mmsproxy.at.dialect import NOTHING, Ask, Escape, Pause, Raw, Request, Script
from mmsproxy.at.heard import Outcome, Reply, UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.errors import AtError, AtTimeout, LinkError, LinkLost, ModemSilent, PeerReset
from mmsproxy.modem import transparent
from mmsproxy.modem.transparent import GUARDED, HANGUPS, PIECE, TransparentStream, quiet_place, split_hangup

SILENCE = Reply(Outcome.TIMED_OUT)


class Modem:
    """The owner that runs scripts. `writes` are the pieces written at once; between two of them there may be any pause."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.asked: list[Request] = []
        self.offered: list[int] = []
        self.down: LinkError | None = None
        self.stalled = False
        self.leaves = True
        self.answers = True
        self.close_error: LinkError | None = None
        self.released = 0
        dialect = replace(SIM7600, close=self.close, bearer_down=self.bearer_down)
        self.stream = TransparentStream(self, dialect, 0, self._release)

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
                self.asked.append(request)
                request = script.send(self.reply(request))
                await asyncio.sleep(0)
        except StopIteration as done:
            return done.value

    def reply(self, request: Request) -> Reply:
        match request:
            case Raw():
                self.writes.append(bytes(request.data))
                self.offered.append(self.stream.ledger.offered)
                return SILENCE if self.stalled else NOTHING
            case Escape():
                return NOTHING if self.leaves or request.guard is None else SILENCE
            case Ask():
                return Reply(Outcome.DONE, (b"OK",), b"OK") if self.answers else SILENCE
        return NOTHING

    def close(self, _socket: int) -> Script[None]:
        yield Ask(b"AT+CLOSE")
        if self.close_error is not None:
            raise self.close_error

    def bearer_down(self) -> Script[None]:
        yield Ask(b"AT+DOWN")

    @property
    def commands(self) -> list[bytes]:
        return [request.text for request in self.asked if isinstance(request, Ask)]

    @property
    def escapes(self) -> list[float | None]:
        return [request.guard for request in self.asked if isinstance(request, Escape)]


@pytest.fixture
async def modem(monkeypatch: pytest.MonkeyPatch) -> Modem:
    monkeypatch.setattr(transparent, "HANGUP_SILENCE", 0.02)
    monkeypatch.setattr(transparent, "SPLIT_SILENCE", 0.01)
    return Modem()


def pauses(writes: list[bytes]) -> list[int]:
    """Where, in the whole, a pause may have been: between two writes."""
    places, at = [], 0
    for piece in writes[:-1]:
        at += len(piece)
        places.append(at)
    return places


def assert_safe(writes: list[bytes]) -> None:
    """No pause within GUARDED bytes of a +++."""
    for found in re.finditer(rb"\+{3,}", b"".join(writes)):
        assert not [place for place in pauses(writes) if found.start() - GUARDED < place < found.end() + GUARDED], found


# -- sending


async def test_a_request_is_counted_before_it_is_written_and_never_confirmed(modem: Modem) -> None:
    body = bytes(range(256)) * 20
    await modem.stream.send(body[:3000], more=True)
    await modem.stream.send(body[3000:])
    ledger = modem.stream.ledger
    assert b"".join(modem.writes) == body
    assert modem.offered == [sum(map(len, modem.writes[: n + 1])) for n in range(len(modem.writes))]
    assert max(map(len, modem.writes)) <= PIECE
    assert (ledger.given, ledger.offered, ledger.accepted, ledger.acked) == (5120, 5120, 0, 0)


async def test_what_follows_is_waited_for_with_a_few_bytes_held_back(modem: Modem) -> None:
    await modem.stream.send(b"head" * 10, more=True)
    assert modem.writes == [(b"head" * 10)[:-GUARDED]]
    assert modem.stream.ledger.offered == 40 - GUARDED
    await modem.stream.send(b"+++")
    assert modem.writes[-1] == b"ead+++"


@pytest.mark.parametrize("seed", range(300))
async def test_no_pause_is_ever_near_three_pluses(modem: Modem, seed: int) -> None:
    source = random.Random(seed)
    pieces = [
        source.choice((b"+++", b"++", b"+", b"x" * source.randint(1, 9), b"++++++", b"y" * 3000)) for _ in range(source.randint(2, 12))
    ]
    for piece in pieces[:-1]:
        await modem.stream.send(piece, more=True)
    await modem.stream.send(pieces[-1])
    assert b"".join(modem.writes) == b"".join(pieces)
    assert_safe(modem.writes)


async def test_a_body_of_nothing_but_pluses_goes_out_in_one(modem: Modem) -> None:
    await modem.stream.send(b"+" * 5000, more=True)
    assert modem.writes == []
    await modem.stream.send(b"+")
    assert modem.writes == [b"+" * 5001]


async def test_a_line_that_takes_nothing_ends_it(modem: Modem) -> None:
    modem.stalled = True
    for _ in range(2):
        with pytest.raises(AtTimeout, match="RTS and CTS"):
            await modem.stream.send(b"x" * 5000)
    assert len(modem.writes) == 1
    assert modem.stream.ledger.offered == PIECE


async def test_a_peer_that_hung_up_stops_the_body(modem: Modem) -> None:
    modem.stream.received(b"HTTP/1.1 413 Too Large\r\n\r\n" + HANGUPS[0])
    assert await modem.stream.recv() == b"HTTP/1.1 413 Too Large\r\n\r\n"
    assert await modem.stream.recv() == b""
    with pytest.raises(PeerReset):
        await modem.stream.send(b"more")
    assert modem.writes == []


# -- receiving


@pytest.mark.parametrize("hangup", HANGUPS)
@pytest.mark.parametrize("step", [1, 2, 5, 1000])
async def test_data_come_whole_and_the_hang_up_is_no_data(modem: Modem, hangup: bytes, step: int) -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n\r\nCLO\r\nNO CARR\r\nCLOSED\r\nOK\r\n\x00\xff\r\n"
    stream = data + hangup
    for at in range(0, len(stream), step):
        modem.stream.received(stream[at : at + step])
    got = b""
    async with asyncio.timeout(5):
        while more := await modem.stream.recv():
            got += more
    assert got == data


async def test_the_words_of_a_hang_up_in_the_middle_are_data(modem: Modem) -> None:
    modem.stream.received(b"a" + HANGUPS[0])
    modem.stream.received(b"b")
    assert await modem.stream.recv() + await modem.stream.recv() == b"a" + HANGUPS[0] + b"b"
    reading = asyncio.create_task(modem.stream.recv())
    await asyncio.sleep(0.05)
    assert not reading.done()
    reading.cancel()


async def test_what_only_begins_like_a_hang_up_is_data_after_a_moment(modem: Modem) -> None:
    modem.stream.received(b"\r\n")
    async with asyncio.timeout(5):
        assert await modem.stream.recv() == b"\r\n"


async def test_a_lost_link_ends_a_read_after_what_came(modem: Modem) -> None:
    modem.stream.received(b"held")
    modem.stream.fail(LinkLost("gone", cure="plug"))
    assert await modem.stream.recv() == b"held"
    with pytest.raises(LinkLost, match="gone; plug"):
        await modem.stream.recv()
    with pytest.raises(LinkLost):
        await modem.stream.send(b"x")
    assert "gone" in repr(modem.stream)


async def test_nothing_is_acknowledged_and_nothing_is_heard(modem: Modem) -> None:
    waiting = asyncio.create_task(modem.stream.acknowledged())
    await modem.stream.send(b"x")
    modem.stream.heard(UrcReceived(Urc.BEARER_LOST, b"+PDP: DEACT"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


# -- closing


async def test_the_transparent_mode_is_left_by_silence_and_the_socket_closed(modem: Modem) -> None:
    await asyncio.gather(modem.stream.close(), modem.stream.close())
    assert modem.asked == [Pause(0.02), Escape(transparent.GUARD), Ask(b"AT+CLOSE")]
    assert modem.released == 1


async def test_after_a_hang_up_the_modem_is_in_command_mode_already(modem: Modem) -> None:
    modem.stream.received(b"answer" + HANGUPS[1])
    assert await modem.stream.recv() == b"answer"
    await modem.stream.close()
    assert (modem.escapes, modem.commands) == ([None], [b"AT+CLOSE"])
    assert await modem.stream.recv() == b""


async def test_a_modem_that_says_no_ok_but_answers_is_left(modem: Modem) -> None:
    modem.leaves = False
    await modem.stream.close()
    assert modem.commands == [b"AT", b"AT+CLOSE"]


async def test_a_modem_that_does_not_leave_is_the_ladders(modem: Modem) -> None:
    modem.leaves = modem.answers = False
    raised: list[BaseException] = []
    original = modem.__call__

    async def watched(script: Script[Any], offered: Callable[[int], None] | None = None) -> Any:
        try:
            return await original(script, offered)
        except LinkError as error:
            raised.append(error)
            raise

    modem.stream._call = watched
    await modem.stream.close()
    assert [type(error) for error in raised] == [ModemSilent]
    assert modem.released == 1


async def test_a_close_that_fails_takes_the_bearer_down(modem: Modem) -> None:
    modem.close_error = AtError("ERROR")
    await modem.stream.close()
    assert modem.commands == [b"AT+CLOSE", b"AT+DOWN"]


async def test_a_close_without_a_link_frees_the_line(modem: Modem) -> None:
    modem.down = LinkLost("gone")
    await modem.stream.close()
    assert modem.released == 1


async def test_a_close_ends_a_waiting_read(modem: Modem) -> None:
    reading = asyncio.create_task(modem.stream.recv())
    await asyncio.sleep(0)
    await modem.stream.close()
    assert await reading == b""


# -- the two decisions


def test_the_last_quiet_place() -> None:
    assert quiet_place(b"x" * 20, 10) == 10
    assert quiet_place(b"x" * 20, 99) == 20
    assert quiet_place(b"x" * 10 + b"+++" + b"y" * 10, 11) == 7
    assert quiet_place(b"x" * 10 + b"+++" + b"y" * 10, 16) == 16
    assert quiet_place(b"x" * 10 + b"+++" + b"y" * 10, 15) == 7
    assert quiet_place(b"x" * 10 + b"++", 12) == 7
    assert quiet_place(b"+++" + b"x" * 10, 4) == 0
    assert quiet_place(b"xxxx+++yyyy+++zzzz", 12) == 1


@pytest.mark.parametrize(
    ("data", "tail"),
    [
        (b"data", b""),
        (b"data\r", b"\r"),
        (b"data\r\nCLOSE", b"\r\nCLOSE"),
        (b"data\r\nCLOSED\r\n", b"\r\nCLOSED\r\n"),
        (b"data\r\nNO CARRIER\r\n", b"\r\nNO CARRIER\r\n"),
        (b"data\r\nNO CARRIER\r\n\r\nCLOSED", b"\r\nCLOSED"),
        (b"data\r\nCLOSED\r\nmore", b""),
        (b"\r\n\r\n", b"\r\n"),
        (b"", b""),
    ],
)
def test_what_may_be_a_hang_up(data: bytes, tail: bytes) -> None:
    assert split_hangup(data) == (data[: len(data) - len(tail)], tail)

"""Join and replay, by the table of mm1.md section 6."""

from __future__ import annotations

import asyncio

import pytest

from mmsproxy.web.replay import Key, Replay, key_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


KEY = key_of("127.0.0.1", b"pdu")


def test_the_key_is_the_client_and_the_whole_pdu() -> None:
    assert key_of("127.0.0.1", b"pdu") == KEY
    assert key_of("127.0.0.2", b"pdu") != KEY
    assert key_of("127.0.0.1", b"pdu ") != KEY


def test_the_message_id_is_one_for_all_retries_and_differs_between_clients() -> None:
    assert KEY.message_id == key_of("127.0.0.1", b"pdu").message_id
    assert KEY.message_id != key_of("127.0.0.2", b"pdu").message_id
    assert KEY.message_id.startswith("msg_")
    assert len(KEY.message_id) == 20


async def test_the_first_makes_the_attempt_the_others_join_it(clock: Clock) -> None:
    replay: Replay[str] = Replay(clock)
    first, second = replay.begin(KEY), replay.begin(KEY)
    assert first is not None
    assert second is not None
    assert (first.mine, second.mine) == (True, False)
    replay.finish(KEY, "sent", keep=0)
    assert await second.outcome == await first.outcome == "sent"


async def test_a_kept_outcome_is_given_until_its_time_is_over(clock: Clock) -> None:
    replay: Replay[str] = Replay(clock)
    assert replay.begin(KEY)
    replay.finish(KEY, "sent", keep=3600)
    clock.now += 3599.9
    turn = replay.begin(KEY)
    assert turn is not None
    assert not turn.mine
    assert turn.outcome.result() == "sent"
    clock.now += 0.1
    again = replay.begin(KEY)
    assert again is not None
    assert again.mine


async def test_an_outcome_that_is_not_kept_leaves_no_trace(clock: Clock) -> None:
    replay: Replay[str] = Replay(clock)
    replay.begin(KEY)
    replay.finish(KEY, "not sent", keep=0)
    assert len(replay) == 0
    turn = replay.begin(KEY)
    assert turn is not None
    assert turn.mine


async def test_an_attempt_under_way_never_ends_by_time(clock: Clock) -> None:
    replay: Replay[str] = Replay(clock)
    replay.begin(KEY)
    clock.now += 1e9
    turn = replay.begin(KEY)
    assert turn is not None
    assert not turn.mine


def _key(number: int) -> Key:
    return key_of("127.0.0.1", str(number).encode())


async def test_the_oldest_outcome_goes_first_when_there_are_too_many(clock: Clock) -> None:
    replay: Replay[int] = Replay(clock, max_entries=3)
    for number in range(4):
        assert replay.begin(_key(number))
        replay.finish(_key(number), number, keep=60)
    assert len(replay) == 3
    assert [bool(turn and turn.mine) for turn in map(replay.begin, map(_key, (1, 2, 3)))] == [False, False, False]
    first = replay.begin(_key(0))
    assert first is not None
    assert first.mine


async def test_octets_are_bounded_too(clock: Clock) -> None:
    replay: Replay[int] = Replay(clock, max_octets=100)
    for number in range(5):
        replay.begin(_key(number))
        replay.finish(_key(number), number, keep=60, octets=40)
    assert len(replay) == 2


async def test_what_must_not_leave_twice_is_never_dropped_for_room(clock: Clock) -> None:
    replay: Replay[str] = Replay(clock, max_entries=2)
    replay.begin(_key(1))
    replay.finish(_key(1), "unknown", keep=86400, evictable=False)
    assert replay.begin(_key(2))  # under way
    assert replay.begin(_key(3)) is None
    turn = replay.begin(_key(1))
    assert turn is not None
    assert not turn.mine
    clock.now += 86400
    third = replay.begin(_key(3))
    assert third is not None
    assert third.mine


async def test_an_abandoned_attempt_cancels_who_joined_and_frees_the_key(clock: Clock) -> None:
    replay: Replay[str] = Replay(clock)
    turn = replay.begin(KEY)
    assert turn is not None
    replay.abandon(KEY)
    with pytest.raises(asyncio.CancelledError):
        await turn.outcome
    assert len(replay) == 0
    replay.abandon(KEY)
    assert len(replay) == 0

"""The first of several ways: order, pauses, faults, and that nobody is left running."""

from __future__ import annotations

import asyncio

import pytest

from mmsproxy.errors import BearerError, ConnectError
from mmsproxy.host import race

SOON = 0.01
NEVER = 3600.0


class Ways:
    """Ways that take a note when they begin and when they are ended."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.dropped: list[str] = []

    def good(self, name: str, after: float = 0.0) -> race.Way[str]:
        async def way() -> str:
            self.notes.append(name)
            try:
                await asyncio.sleep(after)
            except asyncio.CancelledError:
                self.notes.append(f"{name} ended")
                raise
            return name

        return way

    def bad(self, name: str, fault: Exception) -> race.Way[str]:
        async def way() -> str:
            self.notes.append(name)
            await asyncio.sleep(0)
            raise fault

        return way

    async def first(self, *ways: race.Way[str], stagger: float = NEVER, limit: float = 10.0, final: race.Faults = ()) -> str:
        return await race.first(ways, stagger=stagger, limit=limit, discard=self.dropped.append, final=final)


@pytest.fixture
def ways() -> Ways:
    return Ways()


async def test_the_first_is_enough(ways: Ways) -> None:
    assert await ways.first(ways.good("a"), ways.good("b")) == "a"
    assert ways.notes == ["a"]


async def test_after_a_fault_the_next_begins_at_once(ways: Ways) -> None:
    assert await ways.first(ways.bad("a", ConnectError("no")), ways.bad("b", BearerError("no")), ways.good("c")) == "c"
    assert ways.notes == ["a", "b", "c"]


async def test_after_a_pause_the_next_begins_too_and_the_slow_one_is_ended(ways: Ways) -> None:
    assert await ways.first(ways.good("a", NEVER), ways.good("b", NEVER), ways.good("c"), stagger=SOON) == "c"
    assert ways.notes == ["a", "b", "c", "a ended", "b ended"]


async def test_a_slow_one_may_still_win(ways: Ways) -> None:
    assert await ways.first(ways.good("a", 5 * SOON), ways.good("b", NEVER), stagger=SOON) == "a"
    assert ways.notes == ["a", "b", "b ended"]


async def test_who_comes_second_in_the_same_moment_is_dropped(ways: Ways) -> None:
    gate = asyncio.Event()

    async def one() -> str:
        await gate.wait()
        return "one"

    async def two() -> str:
        gate.set()
        return "two"

    got = await ways.first(one, two, stagger=SOON)
    assert {got, *ways.dropped} == {"one", "two"}


async def test_all_failed(ways: Ways) -> None:
    with pytest.raises(race.AllFailed, match="first; second") as caught:
        await ways.first(ways.bad("a", ConnectError("first")), ways.bad("b", ConnectError("second")))
    assert [fault.detail for fault in caught.value.faults] == ["first", "second"]


async def test_no_way_at_all(ways: Ways) -> None:
    with pytest.raises(race.AllFailed):
        await ways.first()


async def test_the_time_is_over(ways: Ways) -> None:
    with pytest.raises(race.AllFailed) as caught:
        await ways.first(ways.bad("a", ConnectError("no")), ways.good("b", NEVER), limit=5 * SOON)
    assert [fault.detail for fault in caught.value.faults] == ["no"]
    assert ways.notes == ["a", "b", "b ended"]


async def test_a_final_fault_ends_it(ways: Ways) -> None:
    with pytest.raises(ConnectError, match="none"):
        await ways.first(ways.good("a", NEVER), ways.bad("b", ConnectError("none")), ways.good("c"), stagger=SOON, final=(ConnectError,))
    assert ways.notes == ["a", "b", "a ended"]


async def test_a_fault_of_ours_is_not_hidden(ways: Ways) -> None:
    with pytest.raises(ZeroDivisionError):
        await ways.first(ways.bad("a", ZeroDivisionError()), ways.good("b"))


async def test_whoever_gives_up_leaves_nothing_running(ways: Ways) -> None:
    waiting = asyncio.ensure_future(ways.first(ways.good("a", NEVER), ways.good("b", NEVER), stagger=SOON))
    while ways.notes != ["a", "b"]:
        await asyncio.sleep(SOON)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert sorted(ways.notes) == ["a", "a ended", "b", "b ended"]

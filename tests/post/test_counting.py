from __future__ import annotations

import asyncio

from mmsproxy.post import counting
from mmsproxy.post.caps import DAY, HOUR, Usage
from mmsproxy.post.store import Store


async def spend(store: Store, units: int, *scopes: str) -> None:
    await store.write(lambda tx: counting.spend(tx, scopes, units))


async def spent(store: Store, window: float, *scopes: str) -> dict[str, Usage]:
    return await store.write(lambda tx: counting.spent(tx, scopes, window))


async def test_units_by_minute(store: Store, clock) -> None:
    start = clock.now
    await asyncio.gather(*(spend(store, 2, "a", "b", "a") for _ in range(5)))
    clock.go(61)
    await spend(store, 1, "a")
    assert await spent(store, HOUR, "a", "b", "c") == {"a": Usage(((start, 10), (start + 60, 1))), "b": Usage(((start, 10),))}
    assert await spent(store, 0, "a") == await spent(store, HOUR) == {}
    clock.go(HOUR)
    assert await spent(store, HOUR, "a") == {"a": Usage(((start + 60, 1),))}


async def test_giving_back(store: Store, clock) -> None:
    start = clock.now
    await spend(store, 3, "a")
    clock.go(120)
    await store.write(lambda tx: counting.give_back(tx, "a", 2, start + 5))
    await store.write(lambda tx: counting.give_back(tx, "a", 2, start + 5))  # never below nothing
    assert (await spent(store, HOUR, "a"))["a"].units(clock.now, HOUR) == 1


async def test_old_minutes_are_forgotten(store: Store, clock) -> None:
    await spend(store, 1, "a")
    clock.go(DAY + 180)
    await store.write(counting.forget)
    clock.go(-DAY - 180)
    assert await spent(store, DAY, "a") == {}


async def test_a_shifted_clock(store: Store, clock) -> None:
    await spend(store, 1, "a")
    clock.go(60)
    await spend(store, 2, "a")
    await store.write(lambda tx: counting.shift(tx, 60.0))  # the minutes may meet on the way
    clock.go(60)
    assert await spent(store, HOUR, "a") == {"a": Usage(((clock.now - 60, 1), (clock.now, 2)))}
    await store.write(lambda tx: counting.shift(tx, 1e9))
    assert (await spent(store, HOUR, "a"))["a"].units(clock.now, HOUR) == 3


def test_scopes_do_not_meet() -> None:
    assert len({counting.token_scope("gateway"), counting.number_scope("gateway"), "gateway"}) == 3

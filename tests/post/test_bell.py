from __future__ import annotations

import asyncio

from mmsproxy.post.bell import Bell


async def test_a_ring_between_look_and_wait_is_not_lost() -> None:
    bell = Bell()
    ticket = bell.ticket
    bell.ring()
    assert await bell.wait(ticket, 60)


async def test_all_who_wait_hear_it() -> None:
    bell = Bell()
    waiters = [asyncio.create_task(bell.wait(bell.ticket, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    bell.ring()
    assert await asyncio.gather(*waiters) == [True, True, True]


async def test_the_wait_ends_by_itself() -> None:
    bell = Bell()
    assert not await bell.wait(bell.ticket, 0.01)


async def test_who_gave_up_is_forgotten() -> None:
    bell = Bell()
    waiter = asyncio.create_task(bell.wait(bell.ticket, 60))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.wait({waiter})
    bell.ring()
    assert not bell._waiting

"""Deadlines: order, cancellation, and that none comes early."""

from __future__ import annotations

import asyncio
import contextlib

from mmsproxy.simulator import clock as clock_module
from mmsproxy.simulator.clock import Clock


async def run_in_order() -> None:
    with contextlib.closing(Clock()) as clock:
        seen: list[str] = []
        now = clock.time()
        early: list[float] = []

        def at(name: str, when: float) -> None:
            def ring() -> None:
                seen.append(name)
                early.append(when - clock.time())

            clock.call_at(when, ring)

        at("third", now + 0.02)
        at("first", now + 0.01)
        at("second", now + 0.01)
        at("past", now - 1)
        clock.call_at(now + 0.015, lambda: seen.append("never")).cancel()
        await clock.sleep(0.03)
        assert seen == ["past", "first", "second", "third"]
        assert max(early) <= 0


async def test_calls_come_in_order_and_never_early() -> None:
    await run_in_order()


async def test_without_timerfd_the_loop_keeps_the_time(monkeypatch) -> None:
    def none(self) -> None:
        raise OSError

    monkeypatch.setattr(clock_module._TimerFd, "__init__", none)
    await run_in_order()


async def test_a_sleep_may_be_given_up() -> None:
    with contextlib.closing(Clock()) as clock:
        task = asyncio.ensure_future(clock.sleep(60))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        await clock.sleep(0)


async def test_close_forgets_what_is_due() -> None:
    clock = Clock()
    seen: list[int] = []
    clock.call_later(0.005, lambda: seen.append(1))
    clock.close()
    clock.close()
    await asyncio.sleep(0.02)
    assert seen == []

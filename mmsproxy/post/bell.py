"""Tells tasks that something changed, without losing a ring between a look and the wait that follows it."""

from __future__ import annotations

import asyncio


class Bell:
    """`ticket` before looking, `wait(ticket)` after: a ring in between ends the wait at once."""

    def __init__(self) -> None:
        self._rings = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def ticket(self) -> int:
        return self._rings

    def ring(self) -> None:
        self._rings += 1
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, ticket: int, timeout: float) -> bool:
        """True when it rang since `ticket`, False after `timeout` seconds."""
        if self._rings != ticket:
            return True
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiter)
        return True

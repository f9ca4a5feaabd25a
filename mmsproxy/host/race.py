"""The first of several ways that leads somewhere: begun one after the other, each some time after the last or as soon as that has failed.

So are addresses tried (RFC 8305 5) and name servers asked. Rule 1: whoever comes second is ended before the first is handed back.
Rule 2: it is over when all have failed or the time is; then the faults are told in order. It knows no sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar

from mmsproxy.errors import MmsproxyError

T = TypeVar("T")

Way = Callable[[], Awaitable[T]]
Faults = tuple[type[MmsproxyError], ...]


class AllFailed(Exception):
    """`faults` of the ways that ended, in the order they were begun; fewer than there were ways when the time was over."""

    def __init__(self, faults: tuple[MmsproxyError, ...]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults) or "no time")
        self.faults = faults


async def first(ways: Iterable[Way[T]], *, stagger: float, limit: float, discard: Callable[[T], None], final: Faults = ()) -> T:
    """The result of the first way that succeeds.

    stagger  seconds from the begin of one to the begin of the next, when the former is still under way
    limit    seconds in all
    discard  is given the result of whoever came second in the same moment
    final    faults after which no other way is tried; raised as they are

    Raises AllFailed, `final`; what is no MmsproxyError at once.
    """
    race = _Race(iter(ways), discard, final)
    try:
        async with asyncio.timeout(limit):
            return await race.run(stagger)
    except TimeoutError:
        raise AllFailed(race.faults()) from None
    finally:
        await race.end()


class _Race(Generic[T]):
    def __init__(self, ways: Iterator[Way[T]], discard: Callable[[T], None], final: Faults) -> None:
        self._ways = ways
        self._discard = discard
        self._final = final
        self._all: list[asyncio.Future[T]] = []
        self._won: asyncio.Future[T] | None = None

    async def run(self, stagger: float) -> T:
        while True:
            is_another = self._begin()
            running = {task for task in self._all if not task.done()}
            if not running:
                raise AllFailed(self.faults())
            done, _ = await asyncio.wait(running, timeout=stagger if is_another else None, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=self._all.index):
                if self._is_good(task):
                    self._won = task
                    return task.result()

    def _begin(self) -> bool:
        way = next(self._ways, None)
        if way is not None:
            self._all.append(asyncio.ensure_future(way()))
        return way is not None

    def _is_good(self, task: asyncio.Future[T]) -> bool:
        fault = task.exception()
        if fault is not None and (isinstance(fault, self._final) or not isinstance(fault, MmsproxyError)):
            raise fault
        return fault is None

    def faults(self) -> tuple[MmsproxyError, ...]:
        ended = [task.exception() for task in self._all if task.done() and not task.cancelled()]
        return tuple(fault for fault in ended if isinstance(fault, MmsproxyError))

    async def end(self) -> None:
        """Nothing is left running, and no result lies about."""
        for task in self._all:
            task.cancel()
        await asyncio.gather(*self._all, return_exceptions=True)
        for task in self._all:
            if task is not self._won and not task.cancelled() and task.exception() is None:
                self._discard(task.result())

"""What is asked of the owner of a port: scripts, in the order in which they came.

Rule 1: whoever waits for a script is told of its end, or of the fault that ended it: nobody waits for ever. Rule 2: it runs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mmsproxy.at.dialect import Script
from mmsproxy.errors import LinkError
from mmsproxy.modem.channel import again

T = TypeVar("T")
FOR_EVER = float("inf")


@dataclass(slots=True)
class Job(Generic[T]):
    """A script, who waits for it, and how: see `Channel.run`. `of_stream`: it is the open connection's own."""

    script: Script[T]
    future: asyncio.Future[T]
    offered: Callable[[int], None] | None = None
    within: float = FOR_EVER
    of_stream: bool = False

    @property
    def is_wanted(self) -> bool:
        return not self.future.cancelled()

    def fail(self, error: BaseException) -> None:
        self.script.close()
        if not self.future.done():
            self.future.set_exception(error)

    def finish(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)


class Jobs:
    """One owner's."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Job[Any] | None] = asyncio.Queue()
        self._held: list[Job[Any]] = []

    def put(self, script: Script[T], offered: Callable[[int], None] | None, *, within: float, of_stream: bool) -> asyncio.Future[T]:
        job: Job[T] = Job(script, asyncio.get_running_loop().create_future(), offered, within, of_stream)
        self._queue.put_nowait(job)
        return job.future

    def wake(self) -> None:
        """The owner has to look at something itself."""
        self._queue.put_nowait(None)

    async def next(self, until: float | None) -> Job[Any] | None:
        """None when the owner has to look, or the loop's time `until` is over."""
        try:
            async with asyncio.timeout_at(until):
                return await self._queue.get()
        except TimeoutError:
            return None

    def hold(self, job: Job[Any]) -> None:
        """Not now: the line is a connection's own."""
        self._held.append(job)

    def release(self) -> None:
        held, self._held = self._held, []
        for job in (*held, None):
            self._queue.put_nowait(job)

    def fail(self, error: LinkError) -> None:
        """All that wait, at once."""
        self.release()
        while not self._queue.empty():
            if (job := self._queue.get_nowait()) is not None:
                job.fail(again(error))

"""The simulator's one clock: absolute deadlines, exact to some 0.1 ms.

Law: all time inside the simulator comes from here (UART pacing, modem latencies, air delays), so a delay never adds up its own lateness.
The event loop's own timers round up to the next millisecond (epoll), which is a tenth of a short AT command at 115200 baud; where the
system has timerfd (Linux) deadlines are therefore kept by it, elsewhere by the loop.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count

CLOCK_MONOTONIC = 1
TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _TimerFd:
    """One Linux timerfd on CLOCK_MONOTONIC, which is also what the event loop's time() reads. OSError where there is none."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            create = self._libc.timerfd_create
        except AttributeError:
            raise OSError("no timerfd on this system") from None
        self.fd: int = create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def arm(self, when: float) -> None:
        nanoseconds = max(int(when * 1e9), 1)  # zero would disarm the timer
        spec = _Timerspec(_Timespec(0, 0), _Timespec(nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000))
        self._libc.timerfd_settime(self.fd, TFD_TIMER_ABSTIME, ctypes.byref(spec), None)

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.fd, 8)

    def close(self) -> None:
        os.close(self.fd)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


class Timer:
    """A pending call. `cancel()` may be called at any time."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Clock:
    """Seconds of the running loop's clock, and calls at a given second. Made inside a running loop; `close` ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._armed: float | None = None
        self._fallback: asyncio.TimerHandle | None = None
        try:
            self._timer: _TimerFd | None = _TimerFd()
        except OSError:
            self._timer = None
        if self._timer is not None:
            self._loop.add_reader(self._timer.fd, self._ring)

    def time(self) -> float:
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Calls with the same `when` run in the order in which they were asked for."""
        timer = Timer(callback)
        heapq.heappush(self._queue, (when, next(self._order), timer))
        if self._armed is None or when < self._armed:
            self._arm(when)
        return timer

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        return self.call_at(self.time() + delay, callback)

    async def sleep_until(self, when: float) -> None:
        if when <= self.time():
            return
        woken = self._loop.create_future()
        timer = self.call_at(when, partial(_wake, woken))
        try:
            await woken
        finally:
            timer.cancel()

    async def sleep(self, delay: float) -> None:
        await self.sleep_until(self.time() + delay)

    def close(self) -> None:
        """Forgets all pending calls. May be called twice."""
        self._queue.clear()
        if self._fallback is not None:
            self._fallback.cancel()
        if self._timer is not None:
            self._loop.remove_reader(self._timer.fd)
            self._timer.close()
            self._timer = None

    def _arm(self, when: float) -> None:
        self._armed = when
        if self._timer is not None:
            self._timer.arm(when)
            return
        if self._fallback is not None:
            self._fallback.cancel()
        self._fallback = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        if self._timer is not None:
            self._timer.clear()
        now = self.time()
        while self._queue and self._queue[0][0] <= now:
            callback = heapq.heappop(self._queue)[2].callback
            if callback is not None:
                callback()
        self._armed = None
        if self._queue:
            self._arm(self._queue[0][0])

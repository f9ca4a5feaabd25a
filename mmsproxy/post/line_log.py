"""Writes into the store's log when a line comes and goes, so that webhooks and streams tell it.

Rule 1: only changes are written: a modem that stays away for another reason is no news. Rule 2: while the database is away, what happened
waits in order, and of very much the newest. It knows no modem.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from mmsproxy.errors import StoreError
from mmsproxy.events import Bus, Fact, LineLost, LineOnline
from mmsproxy.post.bell import Bell
from mmsproxy.post.database import Tx
from mmsproxy.post.store import Store

MOST = 1000  # changes that wait for the database
PAUSE = 1.0  # seconds between tries while it is away
IDLE = 3600.0  # seconds; the bell ends the wait

_log = logging.getLogger(__name__)


class LineLog:
    """Hears LineOnline and LineLost, writes `line.online` and `line.offline`."""

    def __init__(self, store: Store, bus: Bus, *, pause: float = PAUSE) -> None:
        self._store = store
        self._bus = bus
        self._pause = pause
        self._is_online: dict[str, bool] = {}
        self._waiting: deque[LineOnline | LineLost] = deque(maxlen=MOST)
        self._bell = Bell()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Before the lines are started, or their first news are missed."""
        self._unsubscribe = self._bus.subscribe(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._work(), name="line log")

    async def stop(self) -> None:
        """After the lines were stopped. What waits for a database that is away is dropped. May be called twice."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        task, self._task = self._task, None
        if task is not None:
            await self._write_waiting()
            task.cancel()
            await asyncio.wait({task})

    def _hear(self, fact: Fact) -> None:
        if not isinstance(fact, LineOnline | LineLost):
            return
        is_online = isinstance(fact, LineOnline)
        if self._is_online.get(fact.line) is not is_online:
            self._is_online[fact.line] = is_online
            self._waiting.append(fact)
            self._bell.ring()

    async def _work(self) -> None:
        while True:
            ticket = self._bell.ticket
            if not self._waiting:
                await self._bell.wait(ticket, IDLE)
            if not await self._write_waiting():
                await asyncio.sleep(self._pause)

    async def _write_waiting(self) -> bool:
        """False when the database is away."""
        async with self._writing:
            return await self._write_in_order()

    async def _write_in_order(self) -> bool:
        while self._waiting:
            fact = self._waiting[0]
            try:
                await self._store.write(partial(_announce, fact=fact))
            except StoreError as error:
                _log.warning("not in the log yet: %r: %s", fact, error)
                return False
            if self._waiting and self._waiting[0] is fact:
                self._waiting.popleft()
        return True


async def _announce(tx: Tx, fact: LineOnline | LineLost) -> None:
    if isinstance(fact, LineOnline):
        tx.announce("line.online", {"line": fact.line, "modem": fact.modem, "dialect": fact.dialect}, line=fact.line)
    else:
        tx.announce("line.offline", {"line": fact.line, "reason": fact.reason}, line=fact.line)

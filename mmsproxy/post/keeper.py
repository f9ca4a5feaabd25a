"""What time does, done once a second: due, expired and left messages, a clock that was set; once an hour, what may be forgotten. A message
that is to go out as SMS is not waited for: the store rings.

It decides nothing: `store.sweep` asks policy. A store that is away is asked again at the next round.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from mmsproxy.errors import MmsproxyError, StoreError
from mmsproxy.post.admission import Refused
from mmsproxy.post.job import NotAllowed
from mmsproxy.post.moves import NotFound
from mmsproxy.post.policy import clock_step
from mmsproxy.post.records import Draft, Message
from mmsproxy.post.retention import Retention
from mmsproxy.post.store import Store

ROUND = 1.0  # seconds
FORGET_EVERY = 3600.0  # seconds
MIN_PUT_OFF = 1.0  # seconds, for a fallback that is refused for now

FallBack = Callable[[Message], Awaitable[Sequence[Draft]]]

_log = logging.getLogger(__name__)


def _since_boot() -> float:
    """Unlike time.monotonic it goes on while the machine sleeps: a message must not be younger for that."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Keeper:
    """The store's housekeeping.

    fall_back   makes the SMS for a message whose MMS was not taken, one for each number; none when that cannot be; without it, they wait
    monotonic   a clock that nobody sets, in seconds
    """

    def __init__(
        self,
        store: Store,
        *,
        retention: Retention | None = None,
        fall_back: FallBack | None = None,
        every: float = ROUND,
        monotonic: Callable[[], float] = _since_boot,
    ) -> None:
        self._store = store
        self._retention = retention or Retention()
        self._fall_back = fall_back
        self._every = every
        self._monotonic = monotonic
        self._seen = (store.database.now(), monotonic())
        self._forget_at = monotonic()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work(), name="keeper")

    async def stop(self) -> None:
        """May be called twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def round(self) -> None:
        """All that is to be done now. Raises StoreError."""
        await self._watch_clock()
        await self._store.sweep()
        if self._fall_back is not None:
            await self._send_all_as_sms(self._fall_back)
        if self._monotonic() >= self._forget_at:
            self._forget_at = self._monotonic() + FORGET_EVERY
            await self._store.forget(self._retention)

    async def _work(self) -> None:
        while True:
            ticket = self._store.keeper_bell.ticket
            try:
                await self.round()
            except StoreError as error:
                _log.warning("housekeeping waits: %s", error)
            except Exception:  # noqa: BLE001 - a supervisor: without housekeeping nothing would ever expire
                _log.exception("a fault of the housekeeping")
                ticket = self._store.keeper_bell.ticket  # else what ails would be asked again at once
            await self._store.keeper_bell.wait(ticket, self._every)

    async def _watch_clock(self) -> None:
        now = (self._store.database.now(), self._monotonic())
        step = clock_step(now[0] - self._seen[0], now[1] - self._seen[1])
        if step:
            _log.warning("the clock was set by %+.0f s; waiting times move with it", step)
            await self._store.shift_clock(step)
        self._seen = now

    async def _send_all_as_sms(self, fall_back: FallBack) -> None:
        """Portion by portion; each message once in a round, whatever becomes of it."""
        seen: set[str] = set()
        while due := [message_id for message_id in await self._store.falling_back() if message_id not in seen]:
            seen.update(due)
            for message_id in due:
                await self._send_as_sms(message_id, fall_back)

    async def _send_as_sms(self, message_id: str, fall_back: FallBack) -> None:
        try:
            await self._store.fall_back(message_id, await fall_back(await self._store.message(message_id)))
        except StoreError:
            raise
        except (NotAllowed, NotFound) as error:  # somebody sent it again meanwhile, or it was forgotten
            _log.info("no fallback: %s", error)
        except MmsproxyError as error:  # refused as SMS, now or for ever, or it cannot be one
            _log.info("no fallback for %s: %s", message_id, error)
            await self._give_up(message_id, error.retry_after if isinstance(error, Refused) else None)

    async def _give_up(self, message_id: str, retry_after: float | None) -> None:
        try:
            if retry_after is None:
                await self._store.fall_back(message_id, ())
            else:
                await self._store.put_off_fallback(message_id, max(retry_after, MIN_PUT_OFF))
        except (NotAllowed, NotFound) as error:
            _log.info("no fallback: %s", error)

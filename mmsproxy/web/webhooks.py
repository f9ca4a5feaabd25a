"""Tells webhooks and callback URLs what happens: a worker over the store's outbox of deliveries (post/hooks.py).

Rule 1: at least once: an outcome is written before the delivery is anybody's else, and whoever dies leaves it to the next. Rule 2: a slow
or dead endpoint holds a few places only, so the others are told at once. Rule 3: the id is the event's, at every try; the signature's time
is that of the try. It knows no SQL; where it may connect to is `outside`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mmsproxy.errors import StoreError
from mmsproxy.events import Bus, WebhookTried
from mmsproxy.post import hooks
from mmsproxy.post.bell import Bell
from mmsproxy.post.database import Tx
from mmsproxy.post.hooks import Delivery
from mmsproxy.post.insisting import insist
from mmsproxy.post.moves import NotFound
from mmsproxy.post.records import Event
from mmsproxy.post.schema import CALLBACKS
from mmsproxy.post.store import Store
from mmsproxy.web.outside import Outside, OutsideError, Posted
from mmsproxy.web.webhook_form import SECRET_OCTETS, Encoded, envelope, new_secret, next_try, origin, signed

TIMEOUT = 15.0  # seconds for one request (delivery.md 6)
LEASE = 60.0  # seconds: more than a request and the writing of its outcome take
CONCURRENCY = 64  # requests at a time
PER_ENDPOINT = 4  # of these from which on an endpoint gets no more; one claim may bring as many again
POLL = 1.0  # seconds between looks for what has become due
SPREAD_POLL = 5.0  # seconds between looks at the log when no bell rings
SPREAD_PAUSE = 0.05  # seconds between looks at a busy log, so that each brings several events
STOP_GRACE = 3.0  # seconds for the requests under way
GONE = 410

Describe = Callable[[Event], Awaitable[Mapping[str, Any]]]
Encode = Callable[[Delivery], Awaitable[Encoded | None]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Tried:
    """What became of one request. `status` None: there was no answer."""

    status: int | None
    detail: str = ""
    retry_after: float | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def as_logged(event: Event) -> Mapping[str, Any]:
    """The event's own data: what is told where nobody describes it better."""
    return event.data


class Webhooks:
    """The worker.

    outside   who makes the requests; whether private addresses are allowed is its setting
    describe  the `data` of an event; raises NotFound when what it is about is gone, and the event's own data are told then. When it or
              `encode` raises StoreError, the delivery waits, and that is no try of it
    encode    body and header fields for one message's callback_url, where another form than Standard Webhooks is wanted; None: it is not
    jitter    0..1, at random
    """

    def __init__(
        self,
        store: Store,
        outside: Outside,
        *,
        describe: Describe = as_logged,
        encode: Encode | None = None,
        bus: Bus | None = None,
        jitter: Callable[[], float] = random.random,
        timeout: float = TIMEOUT,
        poll: float = POLL,
    ) -> None:
        self._store = store
        self._outside = outside
        self._describe = describe
        self._encode = encode
        self._bus = bus or Bus()
        self._jitter = jitter
        self._timeout = timeout
        self._poll = poll
        self._bell = Bell()
        self._loops: tuple[asyncio.Task[None], ...] = ()
        self._under_way: dict[asyncio.Task[None], Delivery] = {}

    async def start(self) -> None:
        """Begins to work; what earlier runs left is done first. Raises StoreError."""
        fresh = new_secret(secrets.token_bytes(SECRET_OCTETS))
        await self._store.write(partial(hooks.ensure_callback_secret, fresh=fresh))
        loop = asyncio.get_running_loop()
        self._loops = (
            loop.create_task(self._forever(self._spread), name="webhooks log"),
            loop.create_task(self._forever(self._claim), name="webhooks"),
        )

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """Begins nothing more; what is not answered within `grace` seconds is tried again by the next start. May be called twice."""
        loops, self._loops = self._loops, ()
        await _ended(loops)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace)
        late = dict(self._under_way)
        await _ended(tuple(late))
        if late:
            try:
                await self._store.write(partial(hooks.give_back, claimed=tuple(late.values())))
            except StoreError as error:
                _log.warning("deliveries stay claimed until their lease is over: %s", error)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except StoreError as error:
                _log.warning("webhooks wait: %s", error)
                await asyncio.sleep(self._poll)
            except Exception:  # noqa: BLE001 - a supervisor: one fault of ours must not end all webhooks
                _log.exception("a fault of the webhooks")
                await asyncio.sleep(self._poll)

    # From the log to deliveries.

    async def _spread(self) -> None:
        ticket = self._store.event_bell.ticket
        found = await self._store.write(hooks.fan_out)
        if not found:
            await self._store.event_bell.wait(ticket, SPREAD_POLL)
            return
        self._bell.ring()
        if found < hooks.PORTION:
            await asyncio.sleep(SPREAD_PAUSE)

    # From deliveries to requests.

    async def _claim(self) -> None:
        ticket = self._bell.ticket
        claimed = await self._claimed()
        for delivery in claimed:
            task = asyncio.get_running_loop().create_task(self._deliver(delivery), name=f"webhook {delivery.webhook_id}")
            self._under_way[task] = delivery
            task.add_done_callback(self._over)
        if not claimed:
            await self._bell.wait(ticket, self._poll)

    async def _claimed(self) -> tuple[Delivery, ...]:
        """A few at a time: how many each endpoint has is only known between claims."""
        limit = min(PER_ENDPOINT, CONCURRENCY - len(self._under_way))
        if limit <= 0 or not await self._store.read(partial(hooks.is_due, now=self._store.database.now())):
            return ()
        places = Counter(_endpoint(delivery) for delivery in self._under_way.values())
        full = {endpoint for endpoint, taken in places.items() if taken >= PER_ENDPOINT}
        busy, callbacks = {one for one in full if "://" not in one}, {one for one in full if "://" in one}
        return await self._store.write(partial(hooks.claim, limit=limit, lease=LEASE, busy=busy, busy_callbacks=callbacks))

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._bell.ring()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a delivery was left to its lease by a fault of ours", exc_info=error)

    async def _deliver(self, delivery: Delivery) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            tried = await self._tried(delivery)
        except StoreError as error:
            await self._put_off(delivery, error)
            return
        attempts = delivery.attempts + 1
        is_gone = tried.status == GONE and delivery.webhook_id != CALLBACKS
        pause = None if tried.is_delivered or tried.status == GONE else next_try(attempts, tried.retry_after, self._jitter())
        await self._insist(partial(_settle, delivery=delivery, tried=tried, pause=pause, is_gone=is_gone))
        outcome = "delivered" if tried.is_delivered else "failed" if pause is None else "retrying"
        self._bus.announce(WebhookTried(delivery.webhook_id, outcome, tried.status, loop.time() - begun))
        level = logging.DEBUG if tried.is_delivered else logging.WARNING
        extra = {"webhook": delivery.webhook_id, "event_id": delivery.event.id, "status": tried.status, "attempts": attempts}
        _log.log(level, "%s is %s%s", delivery.event.type, outcome, f": {tried.detail}" if tried.detail else "", extra=extra)

    async def _put_off(self, delivery: Delivery, error: StoreError) -> None:
        """No try of its own: what is to be told could not be read. After a pause, since the next claim would find it at once."""
        _log.warning("a delivery waits: %s", error, extra={"webhook": delivery.webhook_id, "event_id": delivery.event.id})
        await asyncio.sleep(self._poll)
        await self._insist(partial(hooks.give_back, claimed=(delivery,)))

    async def _tried(self, delivery: Delivery) -> _Tried:
        """Raises StoreError, when nothing was sent."""
        try:
            body, headers = await self._encoded(delivery)
            return _judged(await self._outside.post(delivery.url, body, headers, timeout=self._timeout))
        except StoreError:
            raise
        except OutsideError as error:
            return _Tried(None, str(error))
        except Exception as error:  # noqa: BLE001 - a supervisor: one delivery that cannot be made must not be tried for ever
            _log.exception("a delivery ended by a fault of ours", extra={"webhook": delivery.webhook_id, "event_id": delivery.event.id})
            return _Tried(None, f"a fault of the gateway: {type(error).__name__}")

    async def _encoded(self, delivery: Delivery) -> Encoded:
        if self._encode is not None and delivery.webhook_id == CALLBACKS:
            encoded = await self._encode(delivery)
            if encoded is not None:
                return encoded
        try:
            data = await self._describe(delivery.event)
        except NotFound:
            data = delivery.event.data
        body = envelope(delivery.event, data)
        moment = datetime.fromtimestamp(self._store.database.now(), UTC)
        return body, signed(delivery.event.id, body, delivery.secrets, moment)

    async def _insist(self, step: Callable[[Tx], Awaitable[None]]) -> None:
        """A delivery that was taken must not be made again because the database was away for a moment."""
        await insist(partial(self._store.write, step), "the outcome of a webhook waits")


async def _settle(tx: Tx, delivery: Delivery, tried: _Tried, pause: float | None, is_gone: bool) -> None:
    next_due = None if pause is None else tx.now + pause
    is_mine = await hooks.finish(
        tx, delivery, delivered=tried.is_delivered, http_status=tried.status, detail=tried.detail, next_due=next_due
    )
    if is_mine and is_gone:
        await hooks.disable(tx, delivery.webhook_id, "the endpoint answered 410 Gone")


def _judged(posted: Posted) -> _Tried:
    if 200 <= posted.status < 300:
        return _Tried(posted.status)
    if 300 <= posted.status < 400:
        return _Tried(posted.status, f"answered {posted.status}: redirects are not followed; give the final URL")
    return _Tried(posted.status, f"answered {posted.status}", posted.retry_after)


def _endpoint(delivery: Delivery) -> str:
    """What gets no more than its share: a webhook, or the server of a callback URL."""
    return origin(delivery.url) if delivery.webhook_id == CALLBACKS else delivery.webhook_id


async def _ended(tasks: tuple[asyncio.Task[None], ...]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)

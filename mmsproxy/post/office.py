"""The post office as one thing: store, clerk, fitter, outbox, keeper and reports, opened and closed in order.

Rule 1: earlier owners' messages are recovered before anything is claimed. Rule 2: when it stops, nothing more is claimed, and what is under
way is settled while its lines are being stopped. It knows no door.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from mmsproxy.carrier.line import Line
from mmsproxy.config import Settings
from mmsproxy.config_post import CapsConfig, LimitsConfig
from mmsproxy.post.admission import Rules
from mmsproxy.post.caps import DAY, Caps
from mmsproxy.post.clerk import Clerk, Fetch
from mmsproxy.post.fitter import Fitter
from mmsproxy.post.ids import RANDOM_BYTES, ulid
from mmsproxy.post.job import Kind
from mmsproxy.post.keeper import Keeper
from mmsproxy.post.outbox import Outbox
from mmsproxy.post.policy import Limits, UnknownPolicy
from mmsproxy.post.reports import Reports
from mmsproxy.post.retention import Retention
from mmsproxy.post.sms import send_sms
from mmsproxy.post.store import Store, new_owner, open_store

MIB = 1024 * 1024


class Office:
    """Made by `open_office`."""

    def __init__(self, store: Store, clerk: Clerk, fitter: Fitter, outbox: Outbox, keeper: Keeper, reports: Reports) -> None:
        self.store = store
        self.clerk = clerk
        self.outbox = outbox
        self._fitter = fitter
        self._keeper = keeper
        self._reports = reports
        self._stack = AsyncExitStack()

    async def start(self, lines_stop: Callable[[], Awaitable[None]]) -> None:
        """Begins to work. `lines_stop` ends the lines' attempts; `stop` calls it once nothing more is claimed."""
        async with AsyncExitStack() as stack:
            await self._reports.start()
            stack.push_async_callback(self._reports.stop)
            await self._keeper.start()
            stack.push_async_callback(self._keeper.stop)
            await self.outbox.start()
            stack.push_async_callback(self._stop_sending, lines_stop)
            self._stack = stack.pop_all()

    async def _stop_sending(self, lines_stop: Callable[[], Awaitable[None]]) -> None:
        await asyncio.gather(self.outbox.stop(), lines_stop())

    async def stop(self) -> None:
        """Settles what is under way and stops the lines. Store and fitter stay open for the doors. May be called twice."""
        await self._stack.aclose()

    async def close(self) -> None:
        """When the doors are closed: nobody asks store or fitter any more. May be called twice."""
        try:
            await self._fitter.stop()
        finally:
            await self.store.close()


async def open_office(settings: Settings, lines: Sequence[Line], *, base: Path, fetch: Fetch | None = None) -> Office:
    """Opens the store (relative paths from `base`) and settles what an earlier run left. Raises ConfigError, StoreError."""
    store = await open_store(
        settings.store.url_from(base),
        media=base / settings.store.media,
        clock=time.time,
        new_id=new_id,
        rules=rules_of(settings),
        limits=limits_of(settings),
    )
    try:
        owner = new_owner(node_of(base))
        await store.recover(owner)
    except BaseException:
        await store.close()
        raise
    fitter = Fitter()
    clerk = Clerk(
        store,
        lines,
        fitter,
        numbers={line.name: line.settings.number for line in lines},
        outbox=settings.outbox,
        simulated=frozenset(line.name for line in lines if line.settings.is_simulated),
        fetch=fetch,
    )
    outbox = Outbox(store, lines, owner=owner, compose=clerk.compose, send={Kind.SMS: send_sms(store)})
    keeper = Keeper(store, retention=retention_of(settings), fall_back=clerk.fall_back)
    return Office(store, clerk, fitter, outbox, keeper, Reports(store, lines))


def new_id(prefix: str) -> str:
    """`msg_` and a ULID: unique for ever, in the order of time."""
    return f"{prefix}_{ulid(time.time_ns() // 1_000_000, secrets.token_bytes(RANDOM_BYTES))}"


def node_of(base: Path) -> str:
    """The same after each restart, another one for each gateway: gateways that share a server must not settle each other's messages."""
    return f"{socket.gethostname()}-{hashlib.sha256(str(base.resolve()).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def rules_of(settings: Settings) -> Rules:
    """What is accepted. The first line with a number says which country is home."""
    limits = settings.limits
    home = next((line.number for line in settings.lines if line.number), "")
    return Rules(
        recipients=limits.recipients,
        numbers=frozenset(limits.numbers),
        countries=frozenset(limits.countries),
        home=home,
        per_token=_caps(limits.per_token),
        per_recipient=_caps(limits.per_recipient),
    )


def limits_of(settings: Settings) -> Limits:
    """What is sent, and when."""
    outbox = settings.outbox
    caps = Caps(settings.limits.per_hour, settings.limits.per_day)
    return Limits(caps=caps, unknown=UnknownPolicy(outbox.unknown), resends=outbox.resends, keep_sent=float(outbox.replay))


def retention_of(settings: Settings) -> Retention:
    return Retention(age=settings.store.keep_days * DAY, size=settings.store.keep_mib * MIB)


def _caps(caps: CapsConfig | LimitsConfig) -> Caps:
    return Caps(caps.per_hour, caps.per_day)

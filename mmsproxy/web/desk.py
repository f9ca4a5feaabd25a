"""What the handlers of the web door share: the store to look into, the clerk who accepts, the lines to show, a clock and random octets.

It decides nothing: who may come in is `api`'s matter, what is accepted the clerk's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.config import Settings
from mmsproxy.message.model import SendRequest
from mmsproxy.post.clerk import Preview
from mmsproxy.post.ids import RANDOM_BYTES, ulid
from mmsproxy.post.records import Accepted, IdempotencyKey
from mmsproxy.post.store import Store
from mmsproxy.web.guard import Limits

WEB_LIMITS = Limits(max_body=16 * 1024 * 1024)  # room for pictures that are shrunk after intake (delivery.md 8)


class Clerk(Protocol):
    """Who accepts. Raises admission.Refused, intake.IdempotencyConflict, StoreError, and the errors of message/."""

    async def submit(self, wanted: SendRequest, *, token: str | None = None, key: IdempotencyKey | None = None) -> Accepted: ...

    async def preview(self, wanted: SendRequest) -> Preview: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """`now` gives the time in UTC, `random` that many octets that nobody can guess."""

    store: Store
    clerk: Clerk
    fleet: Fleet
    settings: Settings
    now: Callable[[], datetime]
    random: Callable[[int], bytes]
    limits: Limits = WEB_LIMITS

    def new_id(self, prefix: str) -> str:
        """`req_01JDA...`."""
        return f"{prefix}_{ulid(int(self.now().timestamp() * 1000), self.random(RANDOM_BYTES))}"

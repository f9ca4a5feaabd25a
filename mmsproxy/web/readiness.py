"""/readyz: whether a message that comes now is kept and can be sent, and if not, why.

Rule 1: it asks and changes nothing. Rule 2: what is only a matter of time (a paused line, a full cap) is no reason: messages wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.errors import StoreError
from mmsproxy.link import LinkStatus
from mmsproxy.post.store import Store
from mmsproxy.web.answers import as_json
from mmsproxy.web.routes import Answer, Route
from mmsproxy.web.shapes import Told

STORE_PATIENCE = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the gateway is not ready. `code`: store, intake, lines, outbox."""

    code: str
    detail: str


class Readiness:
    """`is_working`: whether the outbox has its workers."""

    def __init__(self, store: Store, fleet: Fleet, is_working: Callable[[], bool], *, patience: float = STORE_PATIENCE) -> None:
        self._store = store
        self._fleet = fleet
        self._is_working = is_working
        self._patience = patience

    async def reasons(self) -> tuple[Reason, ...]:
        """None: ready."""
        unreachable = await self._unreachable()
        return (unreachable, *self._others()) if unreachable else tuple(self._others())

    async def _unreachable(self) -> Reason | None:
        try:
            async with asyncio.timeout(self._patience):
                await self._store.lines()
        except StoreError as error:
            return Reason("store", str(error))
        except TimeoutError:
            return Reason("store", f"the database did not answer within {self._patience:g} s")
        return None

    def _others(self) -> Iterator[Reason]:
        try:
            self._store.check_intake()
        except StoreError as error:
            yield Reason("intake", str(error))
        down = [line for line in self._fleet if line.state.status is LinkStatus.DOWN]
        if len(down) == len(self._fleet):
            yield Reason("lines", "; ".join(f"line {line.name} is down: {line.state.reason or 'no reason known'}" for line in down))
        if not self._is_working():
            yield Reason("outbox", "nothing is sent: the outbox has no workers")


class ReasonOut(Told):
    code: Literal["store", "intake", "lines", "outbox"]
    detail: str


class ReadyOut(Told):
    status: Literal["ready", "not_ready"]
    reasons: list[ReasonOut]


def routes(readiness: Readiness, *, is_open: bool) -> Iterable[Route]:
    """`is_open`: web.open_metrics."""

    async def show(request: web.Request) -> web.Response:
        reasons = await readiness.reasons()
        told = [{"code": reason.code, "detail": reason.detail} for reason in reasons]
        return as_json({"status": "not_ready" if reasons else "ready", "reasons": told}, 503 if reasons else 200)

    answers = (Answer(200, "ready", ReadyOut), Answer(503, "not ready, with every reason", ReadyOut))
    yield Route("GET", "/readyz", show, None if is_open else "lines", "Whether messages are kept and sent", group="health", answers=answers)

"""/v1/events: the log as server-sent events, from now on or from where a client left off.

Rule 1: what is sent comes from the log, in its order, so a client that comes back with Last-Event-ID misses nothing; where the log is
shorter than that, it is told (`system.gap`). Rule 2: a stream ends when its client or the door does, and with its token.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from mmsproxy.errors import StoreError
from mmsproxy.post import reading
from mmsproxy.post.records import Event
from mmsproxy.web.asking import CLOSING, KEYRING, text, unless_closing, wrong_parameter
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import event, iso
from mmsproxy.web.routes import Answer, Param, Route, Scope

PING = 15.0  # seconds (delivery.md 6); as often the token is looked at again
LOOK = 1.0  # seconds between looks when no bell rings: another process may have written (PostgreSQL)
PORTION = 200  # events
MAX_TYPES = 20
SCOPE: Scope = "messages:read"
GAP = "system.gap"
_TYPE = re.compile(r"[a-z][a-z_]{0,30}\.([a-z][a-z_]{0,30}|\*)")

PARAMS = (
    Param("types", "Names, or prefixes such as `message.*`, with commas between them; none is all.", schema={"type": "string"}),
    Param("line", "Of this line only.", schema={"type": "string", "maxLength": 200}),
    Param("Last-Event-ID", "The last event that came: what came after it is sent first.", "header"),
)


def routes(desk: Desk) -> Iterable[Route]:
    stream = (Answer(200, "Events, one `data:` line of JSON each; a comment as ping each 15 s.", content_type="text/event-stream"),)
    yield Route("GET", "/v1/events", Events(desk).stream, SCOPE, "Watch", group="events", params=PARAMS, answers=stream)


@dataclass(slots=True)
class _Place:
    """Where in the log one stream is, and what it wants."""

    seq: int
    types: tuple[str, ...]
    line: str | None
    is_gap: bool = False


class Events:
    """The handler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def stream(self, request: web.Request) -> web.StreamResponse:
        types, line = _types(text(request, "types", most=1000)), text(request, "line")
        last = request.headers.get("Last-Event-ID")
        place = await self._place(last, types, line)
        async with sse_response(request, ping_interval=PING) as response:
            if place.is_gap:
                told = {"type": GAP, "timestamp": iso(self._desk.now().timestamp()), "data": {"last_event_id": last}}
                await response.send(json.dumps(told), event=GAP)
            try:
                await self._follow(request, response, place)
            except (ConnectionError, TimeoutError, StoreError):
                return response  # the client comes back with Last-Event-ID
        return response

    async def _place(self, last: str | None, types: tuple[str, ...], line: str | None) -> _Place:
        if not last:
            return _Place(await self._desk.store.read(reading.last_event_seq), types, line)
        seq = await self._desk.store.event_seq(last[:100])
        return _Place(seq or 0, types, line, seq is None)

    async def _follow(self, request: web.Request, response: EventSourceResponse, place: _Place) -> None:
        loop, bell = asyncio.get_running_loop(), self._desk.store.event_bell
        look_again = loop.time() + PING
        while response.is_connected() and not request.app[CLOSING].is_set():
            if loop.time() >= look_again:
                if not await _may_still(request):
                    return
                look_again = loop.time() + PING
            ticket = bell.ticket
            head, found = await self._desk.store.read(partial(_look, place=place))
            for item in found:
                await response.send(json.dumps(event(item)), id=item.id, event=item.type)
                place.seq = item.seq
            if len(found) < PORTION:
                place.seq = max(place.seq, head)
            if not found:
                await unless_closing(request, bell.wait(ticket, LOOK))


async def _look(run: reading.Run, place: _Place) -> tuple[int, tuple[Event, ...]]:
    """Where the log ends, and what is wanted of it. The end first: what is written in between is left to the next look."""
    head = await reading.last_event_seq(run)
    return head, await reading.events_after(run, place.seq, limit=PORTION, types=place.types, line=place.line)


async def _may_still(request: web.Request) -> bool:
    """A token may have been revoked since. Raises StoreError."""
    known = await request.app[KEYRING].caller(request.headers.get("Authorization"))
    return known is not None and known.may(SCOPE)


def _types(given: str | None) -> tuple[str, ...]:
    words = tuple(given.split(",")) if given else ()
    if len(words) > MAX_TYPES or not all(_TYPE.fullmatch(word) for word in words):
        raise wrong_parameter("types", f"at most {MAX_TYPES} names such as message.sent or message.* are wanted, with commas between them")
    return words

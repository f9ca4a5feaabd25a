"""/v1/lines: the lines, what they do today, and the switches that stop them; /v1/pause and /v1/resume stop and start everything.

It knows the lines' state and the store's counts, and no modem.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from aiohttp import web

from mmsproxy.carrier.line import Line
from mmsproxy.post import tallies
from mmsproxy.post.caps import DAY, HOUR, Usage
from mmsproxy.post.records import LineRow
from mmsproxy.post.schema import GATEWAY
from mmsproxy.web.answers import Json, as_json
from mmsproxy.web.asking import asked
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import iso
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import JSON, Answer, Param, Route
from mmsproxy.web.shapes import LineOut, LinesOut, PausedOut, PauseIn

NAME = Param("name", "The line's name.", "path")


def routes(desk: Desk) -> Iterable[Route]:
    to, group, gone = Lines(desk), "lines", ("not_found",)
    one = (Answer(200, "The line as it is now.", LineOut),)
    yield Route("GET", "/v1/lines", to.all, "lines", "The lines", group=group, answers=(Answer(200, "All lines.", LinesOut),))
    yield Route("GET", "/v1/lines/{name}", to.one, "lines", "One line", group=group, params=(NAME,), answers=one, problems=gone)
    pause = partial(Route, "POST", request=PauseIn, takes=(JSON,), optional=True, group=group)
    yield pause(
        path="/v1/lines/{name}/pause",
        handler=to.pause,
        scope="lines",
        summary="Send nothing more by this line",
        params=(NAME,),
        answers=one,
        problems=gone,
    )
    resume = "/v1/lines/{name}/resume"
    yield Route("POST", resume, to.resume, "lines", "Let the line send", group=group, params=(NAME,), answers=one, problems=gone)
    answers = (Answer(200, "Whether everything is paused.", PausedOut),)
    why = "The kill switch: nothing new begins, and no last byte leaves."
    yield pause(path="/v1/pause", handler=to.pause_all, scope="lines", summary="Stop everything", description=why, answers=answers)
    yield Route("POST", "/v1/resume", to.resume_all, "lines", "Let everything go on", group=group, answers=answers)


class Lines:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def all(self, request: web.Request) -> web.Response:
        rows, today = await self._known()
        gateway = rows.get(GATEWAY, LineRow(GATEWAY))
        data = [self._shown(line, rows, today) for line in self._desk.fleet]
        return as_json({"data": data, "next_cursor": None, **_paused(gateway), "usage": await self._usage()})

    async def one(self, request: web.Request) -> web.Response:
        return await self._answer(self._line(request))

    async def pause(self, request: web.Request) -> web.Response:
        line = self._line(request)
        wanted = await asked(request, self._desk.limits, PauseIn)
        await self._desk.store.pause(line.name, wanted.reason)
        return await self._answer(line)

    async def resume(self, request: web.Request) -> web.Response:
        line = self._line(request)
        await self._desk.store.resume(line.name)
        return await self._answer(line)

    async def pause_all(self, request: web.Request) -> web.Response:
        wanted = await asked(request, self._desk.limits, PauseIn)
        await self._desk.store.pause(reason=wanted.reason)
        return await self._switch()

    async def resume_all(self, request: web.Request) -> web.Response:
        await self._desk.store.resume()
        return await self._switch()

    def _line(self, request: web.Request) -> Line:
        name = request.match_info["name"]
        line = self._desk.fleet.by_name(name)
        if line is None:
            raise Refusal("not_found", f"there is no line {name[:60]!a}; there are {', '.join(item.name for item in self._desk.fleet)}")
        return line

    async def _known(self) -> tuple[dict[str, LineRow], dict[str, dict[str, int]]]:
        """What is stored of the lines, and what they did since midnight (UTC)."""
        midnight = self._desk.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        return await self._desk.store.lines(), await self._desk.store.read(partial(tallies.by_line, since=midnight))

    async def _answer(self, line: Line) -> web.Response:
        return as_json(self._shown(line, *await self._known()))

    async def _switch(self) -> web.Response:
        return as_json(_paused((await self._desk.store.lines()).get(GATEWAY, LineRow(GATEWAY))))

    async def _usage(self) -> Json:
        now, caps = self._desk.now().timestamp(), self._desk.store.limits.caps
        spent: Usage = await self._desk.store.read(partial(tallies.spent, since=now - DAY))
        units = {"last_hour": spent.units(now, HOUR), "last_day": spent.units(now, DAY)}
        return {**units, "per_hour": caps.per_hour, "per_day": caps.per_day}

    def _shown(self, line: Line, rows: dict[str, LineRow], today: dict[str, dict[str, int]]) -> Json:
        state, row, counts = line.state, rows.get(line.name, LineRow(line.name)), today.get(line.name, {})
        return {
            "name": line.name,
            "number": line.settings.number,
            "state": state.status.name.lower(),
            "reason": state.reason or None,
            "modem": state.modem or None,
            "dialect": state.dialect or None,
            "operator": state.operator or None,
            "signal_dbm": state.signal_dbm,
            "simulated": line.settings.is_simulated,
            "size_limit": line.max_size,
            "min_interval": line.min_interval,
            **_paused(row),
            "paused_at": None if row.paused_at is None else iso(row.paused_at),
            "queue_length": line.queue_length,
            "estimated_wait": round(line.estimate_wait(), 1),
            "today": {"messages": sum(counts.values()), "by_status": counts},
        }


def _paused(row: LineRow) -> dict[str, Any]:
    return {"paused": row.paused_at is not None, "pause_reason": (row.pause_reason or None) if row.paused_at is not None else None}

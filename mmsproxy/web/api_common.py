"""What the door says of itself: alive, and what its problems mean. No token is asked for, and nothing is told that is not in the docs."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from mmsproxy.web import problems
from mmsproxy.web.answers import as_json
from mmsproxy.web.desk import Desk
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import Answer, Param, Route
from mmsproxy.web.shapes import OkOut

SLUG = Param("slug", "The end of a problem's `type`.", "path")


def routes(desk: Desk) -> Iterable[Route]:
    group = "the gateway"
    text = (Answer(200, "Plain text.", content_type="text/plain"),)
    yield Route("GET", "/livez", livez, None, "Is the gateway alive?", group=group, answers=(Answer(200, "Yes.", OkOut),))
    what = "What a problem means"
    yield Route("GET", "/problems/{slug}", problem, None, what, group=group, params=(SLUG,), answers=text, problems=("not_found",))


async def livez(request: web.Request) -> web.Response:
    return as_json({"status": "ok"})


async def problem(request: web.Request) -> web.Response:
    text = problems.explanation(request.match_info["slug"])
    if text is None:
        raise Refusal("not_found", "there is no such problem")
    return web.Response(text=text)

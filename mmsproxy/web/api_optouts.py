"""/v1/optouts/{number}: who does not want messages (delivery.md 9). A number stands on the list as it is dialled."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from aiohttp import web

from mmsproxy.post import tallies
from mmsproxy.web.answers import as_json
from mmsproxy.web.asking import asked
from mmsproxy.web.desk import Desk
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import JSON, Answer, Param, Route
from mmsproxy.web.shapes import OptOutIn, OptOutOut

NUMBER = re.compile(r"\+?[0-9]{3,15}")
PARAM = Param("number", "As it is dialled.", "path", {"type": "string", "pattern": r"^\+?[0-9]{3,15}$"})


def routes(desk: Desk) -> Iterable[Route]:
    to, path = OptOuts(desk), "/v1/optouts/{number}"
    row = partial(Route, path=path, group="opt-outs", params=(PARAM,), answers=(Answer(200, "Whether it is on the list.", OptOutOut),))
    wrong = ("invalid_number",)
    yield row("GET", handler=to.look, scope="messages:read", summary="Does this number want no messages?", problems=wrong)
    yield row(
        "PUT",
        handler=to.put,
        scope="messages:send",
        summary="Send nothing to this number",
        request=OptOutIn,
        takes=(JSON,),
        optional=True,
        problems=wrong,
    )
    yield row("DELETE", handler=to.lift, scope="messages:send", summary="Allow messages to this number again", problems=wrong)


class OptOuts:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def look(self, request: web.Request) -> web.Response:
        number = _number(request)
        return _answer(number, await self._desk.store.read(partial(tallies.is_opted_out, number=number)))

    async def put(self, request: web.Request) -> web.Response:
        number = _number(request)
        wanted = await asked(request, self._desk.limits, OptOutIn)
        await self._desk.store.set_optout(number, wanted.word)
        return _answer(number, True)

    async def lift(self, request: web.Request) -> web.Response:
        number = _number(request)
        await self._desk.store.lift_optout(number)
        return _answer(number, False)


def _number(request: web.Request) -> str:
    number = request.match_info["number"]
    if not NUMBER.fullmatch(number):
        raise Refusal("invalid_number", f"{number[:40]!a} is no telephone number")
    return number


def _answer(number: str, opted_out: bool) -> web.Response:
    return as_json({"number": number, "opted_out": opted_out})

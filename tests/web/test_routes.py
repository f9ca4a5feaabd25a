"""Rows of routes: their defaults are the strict ones."""

from __future__ import annotations

from typing import get_args

from aiohttp import web

from mmsproxy.web.routes import SCOPES, Answer, Param, Route, Scope


async def nothing(request: web.Request) -> web.Response:
    return web.Response()


def test_a_row_says_what_it_does_not_say() -> None:
    row = Route("GET", "/x", nothing, "any", "x")
    assert (row.takes, row.request, row.refused, row.challenge, row.optional) == ((), None, None, "Bearer", False)
    assert row.answers == (Answer(200, "done"),)
    assert Param("a", "b").where == "query"


def test_variables_with_a_form_of_their_own_are_not_free() -> None:
    number = Param("number", "", "path", {"type": "string", "pattern": "^[0-9]+$"})
    assert Route("GET", "/x/{id}/y/{number}", nothing, "any", "x", params=(number,)).free_variables == {"id"}
    assert Route("GET", "/x/{number}", nothing, "any", "x", params=(number,)).free_variables == frozenset()


def test_the_scopes_are_those_of_the_type() -> None:
    assert get_args(Scope) == SCOPES

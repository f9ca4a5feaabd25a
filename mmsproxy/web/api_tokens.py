"""/v1/tokens: who may use the gateway. A token is shown once, when it is made; what is kept is its SHA-256."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from aiohttp import web

from mmsproxy.post import token_rows
from mmsproxy.post.token_rows import Token
from mmsproxy.web.answers import Json, as_json
from mmsproxy.web.asking import asked, caller
from mmsproxy.web.auth import TOKEN_BYTES, TokenHash, new_token
from mmsproxy.web.desk import Desk
from mmsproxy.web.message_resource import iso
from mmsproxy.web.problems import Refusal
from mmsproxy.web.routes import JSON, Answer, Param, Route
from mmsproxy.web.shapes import NewTokenOut, TokenIn, TokensOut

ID = Param("id", "The token's id.", "path")


def routes(desk: Desk) -> Iterable[Route]:
    to, group = Tokens(desk), "tokens"
    made = (Answer(201, "Made; `token` is shown this once.", NewTokenOut),)
    listed, revoked = (Answer(200, "All of them.", TokensOut),), (Answer(204, "Revoked.", content_type=None),)
    yield Route("GET", "/v1/tokens", to.all, "admin", "List tokens", group=group, answers=listed)
    yield Route("POST", "/v1/tokens", to.make, "admin", "Make a token", group=group, request=TokenIn, takes=(JSON,), answers=made)
    yield Route(
        "DELETE",
        "/v1/tokens/{id}",
        to.revoke,
        "admin",
        "Revoke a token",
        "It is refused from now on. The first token, in web.token_file, is not on the list: change the file instead.",
        group=group,
        params=(ID,),
        answers=revoked,
        problems=("not_found",),
    )


class Tokens:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def all(self, request: web.Request) -> web.Response:
        found = await self._desk.store.read(token_rows.token_list)
        return as_json({"data": [_shown(token) for token in found], "next_cursor": None})

    async def make(self, request: web.Request) -> web.Response:
        """Nobody gives a right that he does not have himself."""
        wanted = await asked(request, self._desk.limits, TokenIn)
        beyond = sorted(set(wanted.scopes) - caller(request).scopes)
        if beyond:
            raise Refusal("forbidden", f"the token that asks lacks the scope {beyond[0]} itself", extra={"scope": beyond[0]})
        secret = new_token(self._desk.random(TOKEN_BYTES))
        scopes = sorted(set(wanted.scopes))
        add = partial(token_rows.add, token_id=self._desk.new_id("tok"), name=wanted.name, sha256=TokenHash.of(secret).hex, scopes=scopes)
        token = await self._desk.store.write(partial(add, per_hour=wanted.per_hour, per_day=wanted.per_day))
        return as_json({**_shown(token), "token": secret}, 201)

    async def revoke(self, request: web.Request) -> web.Response:
        await self._desk.store.write(partial(token_rows.revoke, token_id=request.match_info["id"]))
        return web.Response(status=204)


def _shown(token: Token) -> Json:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "per_hour": token.per_hour,
        "per_day": token.per_day,
        "created_at": iso(token.created_at),
        "used_at": None if token.used_at is None else iso(token.used_at),
        "revoked_at": None if token.revoked_at is None else iso(token.revoked_at),
    }

"""One row for each address of the web door: who may come, what is taken, what is answered. The application and the OpenAPI document are
both made from these rows, so neither says what the other does not do.

It knows HTTP and models, and no handler's matter.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from mmsproxy.web.problems import Refusal

Scope = Literal["messages:send", "messages:read", "webhooks", "lines", "admin"]
SCOPES: tuple[Scope, ...] = ("messages:send", "messages:read", "webhooks", "lines", "admin")
Need = Scope | Literal["any"]  # any: whoever has a token, whatever its scopes

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter in path, query or header. `schema` is its JSON Schema."""

    name: str
    description: str
    where: Literal["path", "query", "header"] = "query"
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that is no problem. `model` None with JSON means any object; `content_type` None: no body."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    content_type: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """
    path      as aiohttp writes it: /v1/messages/{id}
    scope     what the token must have; None: no token is asked for
    request   the model of the JSON body; None: any object, or no body when `takes` is empty
    takes     content types of the body; empty: a body is not looked at
    optional  the body may be left out
    problems  codes beside those that any route has (unauthorized, forbidden, invalid_request ...)
    refused   makes the answer to a refusal, where a door of another shape has its own form of errors
    challenge the scheme that a 401 asks for
    group     the heading in /docs
    """

    method: str
    path: str
    handler: Handler
    scope: Need | None
    summary: str
    description: str = ""
    group: str = "messages"
    params: tuple[Param, ...] = ()
    request: type[BaseModel] | None = None
    takes: tuple[str, ...] = ()
    optional: bool = False
    answers: tuple[Answer, ...] = (Answer(200, "done"),)
    problems: tuple[str, ...] = ()
    refused: Callable[[Refusal], web.Response] | None = None
    challenge: Literal["Bearer", "Basic"] = "Bearer"

    @property
    def free_variables(self) -> frozenset[str]:
        """The path's variables that may be any word: those whose schema has a pattern are held to it by their handler."""
        with_form = {param.name for param in self.params if param.where == "path" and "pattern" in param.schema}
        return frozenset(re.findall(r"{([a-z_]+)}", self.path)) - with_form

"""The OpenAPI 3.1 document, made of the routes and their models: it cannot say what the door does not do.

Pure but for the handler that shows it. It knows no message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from mmsproxy.version import __version__
from mmsproxy.web import docs_page, problems
from mmsproxy.web.answers import Json, as_json
from mmsproxy.web.problems import PROBLEMS
from mmsproxy.web.routes import MULTIPART, Answer, Route
from mmsproxy.web.shapes import ProblemOut

ANY_ROUTE = ("invalid_request", "expectation_failed", "misdirected", "internal")
WITH_TOKEN = ("unauthorized", "forbidden", "unavailable")
WITH_BODY = ("body_too_large", "timeout", "unsupported_content_type")


def routes(rows: Sequence[Route]) -> Iterable[Route]:
    """The addresses that show `rows`, and themselves."""
    shown: list[Route] = [*rows]
    made: dict[str, Any] = {}

    def _made() -> Json:
        if not made:
            made.update(document(shown))
        return made

    async def openapi(request: web.Request) -> web.Response:
        return as_json(_made())

    async def docs(request: web.Request) -> web.Response:
        return web.Response(text=docs_page.page(_made()), content_type="text/html", headers=docs_page.HEADERS)

    group, page = "the gateway", (Answer(200, "A page to read.", content_type="text/html"),)
    mine = (
        Route("GET", "/openapi.json", openapi, "any", "This description", group=group, answers=(Answer(200, "OpenAPI 3.1."),)),
        Route("GET", "/docs", docs, "any", "This description, to read", group=group, answers=page, challenge="Basic"),
    )
    shown.extend(mine)
    return mine


def document(rows: Iterable[Route]) -> Json:
    """OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0)."""
    rows = tuple(rows)
    paths: dict[str, Json] = {}
    references, schemas = _schemas(rows)
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "mmsproxy", "version": __version__, "description": "MMS and SMS through the modems of this gateway."},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"basic": []}],
        "tags": [{"name": name} for name in dict.fromkeys(row.group for row in rows)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The token as password, for SDKs that know nothing else."},
            },
        },
    }


Reference = Mapping[tuple[Any, JsonSchemaMode], Json]


def _schemas(rows: Iterable[Route]) -> tuple[Reference, Json]:
    asked = {row.request for row in rows if row.request is not None}
    told = {answer.model for row in rows for answer in row.answers if answer.model is not None} | {ProblemOut}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in asked]
    models += [(model, "serialization") for model in told]
    models.sort(key=lambda item: item[0].__name__)
    references, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}", by_alias=True)
    return references, schemas.get("$defs", {})


def _operation(row: Route, references: Reference) -> Json:
    operation: Json = {
        "operationId": _name(row),
        "tags": [row.group],
        "summary": row.summary,
        "parameters": [
            {"name": item.name, "in": item.where, "description": item.description, "schema": dict(item.schema)}
            | ({"required": True} if item.where == "path" else {})
            for item in row.params
        ],
        "responses": _responses(row, references),
    }
    if row.description:
        operation["description"] = row.description
    if row.takes:
        operation["requestBody"] = _body(row, references)
    if row.scope is None:
        operation["security"] = []
    else:
        operation["x-scope"] = row.scope
    return operation


def _name(row: Route) -> str:
    return re.sub(r"[^a-z0-9]+", "_", f"{row.method}_{row.path}".lower()).strip("_")


def _body(row: Route, references: Reference) -> Json:
    schema = {"type": "object"} if row.request is None else references[row.request, "validation"]
    content: Json = {}
    for media in row.takes:
        content[media] = {"schema": _form(schema) if media == MULTIPART else schema}
        if media == MULTIPART:
            content[media]["encoding"] = {"message": {"contentType": "application/json"}}
    return {"required": not row.optional, "content": content}


def _form(schema: Json) -> Json:
    file = {"type": "string", "format": "binary"}
    return {"type": "object", "properties": {"message": schema}, "required": ["message"], "additionalProperties": file}


# Answers.


def _responses(row: Route, references: Reference) -> Json:
    found: dict[str, Json] = {}
    for answer in row.answers:
        _add(found, str(answer.status), _answer(answer, references))
    for code in _codes(row) if row.refused is None else ():
        _add(found, str(PROBLEMS[code].status), _problem(code, references))
    if row.refused is not None:
        found["default"] = {"description": "Refused, in the form of the door that this one is shaped after."}
    return dict(sorted(found.items()))


def _add(found: dict[str, Json], status: str, response: Json) -> None:
    """A status with several answers has them all: the descriptions joined, the schemas as alternatives."""
    known = found.get(status)
    if known is None:
        found[status] = response
        return
    if response["description"] not in known["description"]:
        known["description"] += f" {response['description']}"
    known.setdefault("headers", {}).update(response.get("headers", {}))
    for media, body in response.get("content", {}).items():
        before = known.setdefault("content", {}).setdefault(media, body)
        if before is not body and before != body:
            options = before["schema"].get("anyOf", [before["schema"]])
            known["content"][media] = {"schema": {"anyOf": [*options, body["schema"]]}}


def _answer(answer: Answer, references: Reference) -> Json:
    response: Json = {"description": answer.description}
    if answer.content_type is not None:
        response["content"] = {answer.content_type: {"schema": _told(answer, references)}}
    if answer.headers:
        response["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()}
    return response


def _told(answer: Answer, references: Reference) -> Json:
    if answer.model is not None:
        return references[answer.model, "serialization"]
    return {"type": "object"} if answer.content_type == "application/json" else {"type": "string"}


def _codes(row: Route) -> Iterable[str]:
    yield from ANY_ROUTE
    if row.scope is not None:
        yield from WITH_TOKEN
    if row.method not in ("GET", "HEAD"):
        yield "forbidden"  # a web page of another site
    if row.takes:
        yield from WITH_BODY
    if row.free_variables:
        yield "not_found"  # an address with control characters, at the least
    yield from row.problems


def _problem(code: str, references: Reference) -> Json:
    problem = PROBLEMS[code]
    schema = references[ProblemOut, "serialization"]
    response: Json = {"description": f"`{code}`: {problem.title}.", "content": {problems.CONTENT_TYPE: {"schema": schema}}}
    if code in ("rate_limited", "unavailable", "idempotency_running"):
        response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    if code == "unauthorized":
        response["headers"] = {"WWW-Authenticate": {"description": "The scheme.", "schema": {"type": "string"}}}
    return response

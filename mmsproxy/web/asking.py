"""What a request asks for: its body within the limits, checked by a model; its parameters; and who sent it.

Rule 1: whatever is wrong is a Refusal with the place and the cure. Rule 2: nothing is repaired. It knows no message.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from mmsproxy.message.model import Mistake, mistakes_of
from mmsproxy.web import problems
from mmsproxy.web.auth import Caller, Keyring
from mmsproxy.web.guard import BodyFault, Limits, read_body
from mmsproxy.web.problems import Refusal

CALLER = web.RequestKey("caller", Caller)
REQUEST_ID = web.RequestKey("request_id", str)
KEYRING = web.AppKey("keyring", Keyring)
CLOSING = web.AppKey("closing", asyncio.Event)  # set when the door closes: whoever waits or streams ends

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class Asked(BaseModel):
    """Base of the models of bodies: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


# Bodies.


async def octets(request: web.Request, limits: Limits) -> bytes:
    """The whole body. Raises Refusal: body_too_large, timeout, invalid_request."""
    body = await read_body(request, limits)
    if isinstance(body, bytes):
        return body
    if body is BodyFault.TOO_LARGE:
        raise too_large(limits)
    if body is BodyFault.TOO_SLOW:
        raise Refusal("timeout", f"the body was not whole within {limits.body:g} s")
    raise Refusal("invalid_request", f"the body is {body.value}", (Mistake("", "bad_body", f"the body is {body.value}"),))


def too_large(limits: Limits) -> Refusal:
    return Refusal("body_too_large", f"at most {limits.max_body:,} octets are taken", extra={"limit": limits.max_body})


async def asked(request: web.Request, limits: Limits, model: type[M]) -> M:
    """The JSON body as `model`; no body at all is an empty object. Raises Refusal with every mistake."""
    body = await octets(request, limits)
    try:
        document = from_json(body or b"{}", allow_inf_nan=False)
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise Refusal("invalid_request", f"not JSON: {reason}", (Mistake("", "bad_json", f"not JSON: {reason}"),)) from None
    return checked(model, document)


def checked(model: type[M], document: Any) -> M:
    """Raises Refusal with every mistake."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise problems.refusal_of(mistakes_of(error)) from None


# Parameters.


def wrong_parameter(name: str, detail: str) -> Refusal:
    return Refusal("invalid_request", f"{name}: {detail}", extra={"parameter": name})


def text(request: web.Request, name: str, *, most: int = 200) -> str | None:
    """A parameter of the query, None when it is not there. Raises Refusal."""
    value = request.query.get(name)
    if value is None:
        return None
    if len(value) > most or CONTROLS.search(value) or not value.isprintable():
        raise wrong_parameter(name, f"at most {most} printable characters are taken")
    return value


def number(request: web.Request, name: str, low: int, high: int, default: int) -> int:
    value = text(request, name)
    if value is None:
        return default
    if not re.fullmatch("[0-9]{1,9}", value) or not low <= int(value) <= high:
        raise wrong_parameter(name, f"a whole number from {low} to {high} is wanted")
    return int(value)


def one_of(request: web.Request, name: str, words: tuple[str, ...]) -> str | None:
    value = text(request, name)
    if value is not None and value not in words:
        raise wrong_parameter(name, f"one of {', '.join(words)} is wanted")
    return value


def moment(request: web.Request, name: str) -> float | None:
    """ISO 8601 with a zone, as seconds since 1970."""
    value = text(request, name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise wrong_parameter(name, "a time with its zone is wanted, for example 2026-11-22T18:50:00Z") from None


# Waiting.


async def unless_closing(request: web.Request, work: Awaitable[T]) -> T | None:
    """What `work` gives, or None when the door closes before. `work` is cancelled then."""
    task, closing = asyncio.ensure_future(work), asyncio.ensure_future(request.app[CLOSING].wait())
    try:
        await asyncio.wait({task, closing}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        for pending in (task, closing):
            pending.cancel()
        await asyncio.gather(task, closing, return_exceptions=True)


def caller(request: web.Request) -> Caller:
    """Whose token it was; for routes that have a scope."""
    return request[CALLER]

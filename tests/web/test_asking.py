"""Reading what a request asks for: parameters, bodies, and waiting that ends with the door."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from pydantic import Field

from mmsproxy.message.model import MAX_MISTAKES, InvalidRequest, SendRequest, parse_document
from mmsproxy.web import asking
from mmsproxy.web.asking import Asked, checked, moment, number, one_of, text, unless_closing
from mmsproxy.web.problems import Refusal
from mmsproxy.web.shapes import TokenIn


def asked(query: str) -> web.Request:
    return make_mocked_request("GET", f"/x?{query}")


class Wish(Asked):
    name: str
    many: list[int] = Field(default_factory=list)


def test_parameters_that_are_there_and_those_that_are_not() -> None:
    request = asked("n=5&t=a%20b&w=up&m=1970-01-01T00:00:01.5%2B00:00")
    assert (number(request, "n", 1, 60, 0), number(request, "o", 1, 60, 7)) == (5, 7)
    assert (text(request, "t"), text(request, "u")) == ("a b", None)
    assert one_of(request, "w", ("up", "down")) == "up"
    assert (moment(request, "m"), moment(request, "l")) == (1.5, None)


@pytest.mark.parametrize("value", ["0", "61", "-1", "1.0", "\u0665", "", "1" * 400, "%00"])
def test_a_number_is_a_whole_one_in_its_range(value: str) -> None:
    with pytest.raises(Refusal) as caught:
        number(asked(f"n={value}"), "n", 1, 60, 0)
    assert caught.value.extra == {"parameter": "n"}


@pytest.mark.parametrize("value", ["1970-01-01", "1970-01-01T00:00:00", "x", "0001-01-01T00:00:00%2B23:59", "%0a"])
def test_a_time_has_a_zone_and_exists(value: str) -> None:
    with pytest.raises(Refusal):
        moment(asked(f"m={value}"), "m")


def test_every_mistake_of_a_body_is_told_with_its_place() -> None:
    with pytest.raises(Refusal) as caught:
        checked(Wish, {"many": [1, "2"], "~/": 1})
    assert {(item.pointer, item.code) for item in caught.value.mistakes} == {
        ("/name", "missing"),
        ("/many/1", "wrong_type"),
        ("/~0~1", "unknown_field"),
    }
    with pytest.raises(Refusal) as caught:
        checked(Wish, {"name": "x", "many": ["x"] * 1000})
    assert len(caught.value.mistakes) == MAX_MISTAKES


def test_a_body_of_ours_and_a_message_are_told_their_mistakes_in_the_same_words() -> None:
    mistakes = {"to": "+16195550123", "text": "x", "priority": "urgent", "group": "yes", "txt": 1}
    with pytest.raises(InvalidRequest) as told:
        parse_document(mistakes)
    with pytest.raises(Refusal) as caught:
        checked(SendRequest, mistakes)
    assert caught.value.mistakes == told.value.mistakes
    assert {item.code for item in caught.value.mistakes} == {"unknown_value", "wrong_type", "unknown_field"}


def test_a_limit_of_messages_is_not_told_of_other_bodies() -> None:
    with pytest.raises(Refusal) as caught:
        checked(TokenIn, {"name": "x", "scopes": ["lines"] * 6, "per_hour": -1})
    assert not [item for item in caught.value.mistakes if "seconds" in item.detail or "files" in item.detail]
    assert {item.pointer for item in caught.value.mistakes} == {"/scopes", "/per_hour"}


async def test_waiting_ends_with_its_work_or_with_the_door(api: Any) -> None:
    app = web.Application()
    app[asking.CLOSING] = asyncio.Event()
    request = make_mocked_request("GET", "/x", app=app)

    async def quick() -> int:
        return 5

    async def broken() -> int:
        raise ZeroDivisionError

    assert await unless_closing(request, quick()) == 5
    with pytest.raises(ZeroDivisionError):
        await unless_closing(request, broken())
    forever = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(unless_closing(request, forever))
    await asyncio.sleep(0)
    app[asking.CLOSING].set()
    assert await asyncio.wait_for(waiting, 20) is None
    assert forever.cancelled()

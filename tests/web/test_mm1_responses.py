"""Responses that go straight to the line: joined while under way, never kept, answered in time whatever the line does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mmsproxy.errors import AnswerTimeout
from mmsproxy.link import Phase
from mmsproxy.web.mm1_intake import Intake, Post, ref_of, take_in
from mmsproxy.web.mm1_responses import Responses

NOTIFY_RESP = bytes.fromhex("8c83 984e3100 8d92 9581")
READ = {"body": b"Received", "headers": (("Content-Type", "text/plain"),)}


@pytest.fixture
def post(line: Any) -> Post:
    intake = take_in(NOTIFY_RESP, "pdu_1", max_size=None)
    assert isinstance(intake, Intake)
    return Post("127.0.0.1", ref_of("127.0.0.1", NOTIFY_RESP), intake, line, NOTIFY_RESP, (("X-Mine", "1"),), "")


async def test_the_carriers_body_comes_back_and_nothing_is_kept(line: Any, post: Post) -> None:
    line.will(READ)
    responses = Responses(5.0)
    for _ in range(2):
        reply = await responses.send(post)
        assert (reply.status, reply.body) == (200, b"Received")
        await asyncio.sleep(0)
    assert [(posted.pdu, posted.headers) for posted in line.posted] == [(NOTIFY_RESP, (("X-Mine", "1"),))] * 2


async def test_the_same_one_joins_while_it_is_under_way(line: Any, post: Post) -> None:
    line.will(READ)
    line.hold(Phase.OPEN)
    responses = Responses(5.0)
    asked = [asyncio.create_task(responses.send(post)) for _ in range(20)]
    while not line.held:
        await asyncio.sleep(0)
    line.go.set()
    assert {reply.body for reply in await asyncio.gather(*asked)} == {b"Received"}
    assert len(line.posted) == 1


@pytest.mark.parametrize(("phase", "status"), [(Phase.NO_BEARER, 503), (Phase.PART_OFFERED, 503), (Phase.LAST_BYTE, 504)])
async def test_who_does_not_wait_longer_is_told_by_the_phase_and_ends_nothing(line: Any, post: Post, phase: Phase, status: int) -> None:
    line.will(READ)
    line.hold(phase)
    responses = Responses(0.05)
    reply = await responses.send(post)
    assert reply.status == status
    assert reply.body.endswith(f"[{post.ref}]\n".encode())
    line.go.set()
    while (reply := await responses.send(post)).status != 200:
        pass
    assert len(line.posted) == 1 or phase is Phase.NO_BEARER


@pytest.mark.parametrize(
    ("script", "held_at", "status"),
    [
        ({"raises": RuntimeError("bug")}, Phase.OPEN, 500),
        ({"raises": RuntimeError("bug")}, Phase.LAST_BYTE, 504),
        ({"raises": AnswerTimeout("silent")}, Phase.OPEN, 502),
    ],
)
async def test_a_fault_is_answered(line: Any, post: Post, script: dict[str, Any], held_at: Phase, status: int) -> None:
    line.will(script)
    line.held_at = held_at
    assert (await Responses(5.0).send(post)).status == status


async def test_a_long_queue_is_told_at_once(line: Any, post: Post) -> None:
    line.wait, line.queue_length = 6.0, 3
    reply = await Responses(5.0).send(post)
    assert (reply.status, dict(reply.headers)["Retry-After"]) == (503, "6")
    assert not line.posted

"""Every way in which a carrier's MMSC can answer, over a real pty and real TCP: GET /v1/messages/{id} tells the right state, and what
may have been taken is never posted again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mmsproxy.simulator.mmsc import Answer, Request, confirmation

MMS = {"to": "+16195550123", "as": "mms", "text": "Every answer means one thing."}


def confirms(status: int, **how: Any) -> Any:
    """A hook of the MMSC that answers with this Response-Status."""

    def answer(request: Request) -> Answer:
        assert request.pdu is not None
        transaction_id = (request.pdu.transaction_id or "").encode()
        return Answer(body=confirmation(0x81, transaction_id, status, message_id=b"m1@mmsc" if status == 0x80 else b""), **how)

    return answer


@pytest.mark.parametrize(
    ("response", "state", "pauses"),
    [
        pytest.param(0x80, "sent", False, id="0x80 Ok"),
        pytest.param(0x82, "failed", True, id="0x82 Error-service-denied"),
        pytest.param(0x86, "failed", False, id="0x86 Error-network-problem"),
        pytest.param(0xC1, "retrying", False, id="0xC1 Error-transient-sending-address-unresolved"),
        pytest.param(0xC4, "partial", False, id="0xC4 Error-transient-partial-success"),
        pytest.param(0xC5, "retrying", False, id="0xC5 reserved for transient failures"),
        pytest.param(0xE1, "failed", True, id="0xE1 Error-permanent-service-denied"),
        pytest.param(0xEB, "failed", True, id="0xEB Error-permanent-lack-of-prepaid"),
        pytest.param(0xFF, "failed", False, id="0xFF reserved for permanent failures"),
    ],
)
async def test_a_response_status(house: Any, response: int, state: str, pauses: bool) -> None:
    home = await house()
    home.world.mmsc.hook = confirms(response)
    made = await home.ask("POST", "/v1/messages", json=MMS)
    message = await home.until(made["id"], state, "sent", "failed", "partial", "unknown", "retrying")
    assert message["status"] == state
    assert message["carrier"]["response_status"] == response
    assert (message["error"] is None) == (state == "sent")
    assert len(home.arrived) == 1
    assert (await home.ask("GET", "/v1/lines/a"))["paused"] == pauses


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(Answer(reset=True), "unknown", id="cut before the answer"),
        pytest.param(Answer(), "unknown", id="an empty 200"),
        pytest.param(Answer(body=b"<html>Top up</html>", headers=(("Content-Type", "text/html"),)), "unknown", id="a portal's page"),
        pytest.param(Answer(500, b"Internal Server Error", (("Content-Type", "text/plain"),)), "unknown", id="500"),
        pytest.param(Answer(413, b"too large", (("Content-Type", "text/plain"),)), "failed", id="413"),
        pytest.param(Answer(body=confirmation(0x81, b"another", 0x80, message_id=b"m1")), "unknown", id="an Ok to somebody else"),
    ],
)
async def test_an_answer_that_is_no_confirmation(house: Any, answer: Answer, state: str) -> None:
    home = await house()
    home.world.mmsc.hook = lambda request: answer
    made = await home.ask("POST", "/v1/messages", json=MMS)
    message = await home.until(made["id"])
    assert message["status"] == state
    assert message["error"]["code"]
    assert message["attempts"] == len(home.arrived) == 1


async def test_a_slow_answer_is_waited_for(house: Any) -> None:
    home = await house()
    home.world.mmsc.hook = confirms(0x80, seconds=0.5, pieces=10)
    made = await home.ask("POST", "/v1/messages", json=MMS)
    assert (await home.until(made["id"]))["status"] == "sent"
    assert len(home.arrived) == 1


async def test_an_answer_that_comes_later_than_is_waited_leaves_it_unknown(house: Any) -> None:
    home = await house()
    tunnel = home.gateway.fleet.default._tunnel
    tunnel._limits = replace(tunnel._limits, answer=0.3)
    home.world.mmsc.hook = confirms(0x80, seconds=20.0)
    made = await home.ask("POST", "/v1/messages", json=MMS)
    message = await home.until(made["id"])
    assert (message["status"], message["error"]["code"]) == ("unknown", "answer_timeout")
    assert len(home.arrived) == 1


async def test_a_connection_that_is_cut_in_the_middle_is_tried_again_for_nothing_was_taken(house: Any) -> None:
    home = await house()
    home.world.modem.faults.drop_after(6_000)
    made = await home.ask("POST", "/v1/messages", json={**MMS, "text": "A long text. " * 1_000})
    message = await home.until(made["id"], "retrying", "sent", "failed", "unknown")
    assert message["status"] == "retrying"
    assert message["error"]["code"] != "answer_timeout"
    assert not any(request.pdu for request in home.arrived)

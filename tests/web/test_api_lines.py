"""Lines by the API: shown, paused, resumed; the kill switch; what was done today."""

from __future__ import annotations

from typing import Any

from mmsproxy.link import LinkState, LinkStatus
from mmsproxy.web.shapes import LineOut, LinesOut, PausedOut


async def test_lines_show_their_state_and_their_day(api: Any) -> None:
    api.clock[0] -= 86_400
    await api.send(line="one", subject="yesterday")
    await api.attempt("sent")
    api.clock[0] += 86_400
    for _ in range(2):
        await api.send(line="one", subject="s")
    await api.attempt("sent")
    next(line for line in api.desk.fleet if line.name == "two").state = LinkState(LinkStatus.DOWN, reason="no port; plug the modem in")
    status, _, lines = await api.ask("GET", "/v1/lines")
    LinesOut.model_validate(lines)
    assert status == 200
    one, two = lines["data"]
    assert (one["name"], one["number"], one["state"], one["modem"]) == ("one", "+15550100000", "bearer_up", "SIM7600E")
    assert one["today"] == {"messages": 2, "by_status": {"queued": 1, "sent": 1}}
    assert (two["state"], two["reason"], two["size_limit"], two["modem"]) == ("down", "no port; plug the modem in", 20_000, None)
    assert two["today"] == {"messages": 0, "by_status": {}}
    assert lines["usage"] == {"last_hour": 1, "last_day": 2, "per_hour": 100, "per_day": 500}
    assert (lines["paused"], lines["pause_reason"]) == (False, None)
    status, _, shown = await api.ask("GET", "/v1/lines/one")
    assert (status, shown) == (200, one)
    LineOut.model_validate(shown)


async def test_a_line_is_paused_and_resumed(api: Any) -> None:
    status, _, line = await api.ask("POST", "/v1/lines/one/pause", json={"reason": "no credit"})
    assert (status, line["paused"], line["pause_reason"], line["paused_at"]) == (200, True, "no credit", "2027-01-15T08:00:00.000Z")
    status, _, line = await api.ask("POST", "/v1/lines/one/resume")
    assert (status, line["paused"], line["pause_reason"], line["paused_at"]) == (200, False, None, None)
    assert (await api.ask("POST", "/v1/lines/one/pause"))[2]["paused"] is True


async def test_the_kill_switch(api: Any) -> None:
    status, _, switch = await api.ask("POST", "/v1/pause", json={"reason": "night"})
    PausedOut.model_validate(switch)
    assert (status, switch) == (200, {"paused": True, "pause_reason": "night"})
    _, _, lines = await api.ask("GET", "/v1/lines")
    assert (lines["paused"], lines["pause_reason"], lines["data"][0]["paused"]) == (True, "night", False)
    assert (await api.ask("POST", "/v1/resume"))[2] == {"paused": False, "pause_reason": None}


async def test_what_is_wrong_is_refused(api: Any) -> None:
    for method, path in (("GET", "/v1/lines/three"), ("POST", "/v1/lines/three/pause"), ("POST", "/v1/lines/three/resume")):
        assert (await api.ask(method, path))[2]["code"] == "not_found"
    for body in ({"reason": 1}, {"why": "x"}, {"reason": "x" * 201}, []):
        assert (await api.ask("POST", "/v1/pause", json=body))[2]["code"] == "invalid_request"
    assert (await api.ask("POST", "/v1/pause", data=b"{", headers={"Content-Type": "application/json"}))[2]["code"] == "invalid_request"
    assert (await api.ask("POST", "/v1/pause", data=b"x=1", headers={"Content-Type": "text/plain"}))[2][
        "code"
    ] == "unsupported_content_type"
    assert (await api.ask("GET", "/v1/lines"))[2]["paused"] is False

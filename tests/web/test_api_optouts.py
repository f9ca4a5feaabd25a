"""The list of those who want no messages, by the API."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.web.shapes import OptOutOut

PATH = "/v1/optouts/%2B16195550123"


async def test_a_number_is_put_looked_at_and_lifted(api: Any) -> None:
    assert (await api.ask("GET", PATH))[2] == {"number": "+16195550123", "opted_out": False}
    for _ in range(2):
        status, _, shown = await api.ask("PUT", PATH)
        OptOutOut.model_validate(shown)
        assert (status, shown["opted_out"]) == (200, True)
    assert (await api.ask("GET", PATH))[2]["opted_out"] is True
    assert (await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "x"}))[2]["code"] == "opted_out"
    for _ in range(2):
        assert (await api.ask("DELETE", PATH))[2] == {"number": "+16195550123", "opted_out": False}
    assert (await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "x"}))[0] == 202


@pytest.mark.parametrize("number", ["x", "+", "12", "1" * 16, "+1619555%0d%0a"])
async def test_what_is_no_number_is_refused(api: Any, number: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert (await api.ask(method, f"/v1/optouts/{number}"))[2]["code"] == "invalid_number"


async def test_the_word_is_checked(api: Any) -> None:
    assert (await api.ask("PUT", PATH, json={"word": ""}))[2]["code"] == "invalid_request"
    assert (await api.ask("PUT", PATH, json={"word": "ARRET"}))[2]["opted_out"] is True

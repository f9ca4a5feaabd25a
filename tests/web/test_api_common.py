"""What is told without a token: that the gateway is alive, and what its problems mean."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.web.problems import PROBLEMS


async def test_livez_is_open(api: Any) -> None:
    status, _, document = await api.ask("GET", "/livez", token=None)
    assert (status, document) == (200, {"status": "ok"})


@pytest.mark.parametrize("code", sorted(PROBLEMS))
async def test_each_problem_can_be_read_without_a_token(api: Any, code: str) -> None:
    status, headers, body = await api.ask("GET", PROBLEMS[code].type, token=None)
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert PROBLEMS[code].advice.encode() in body


@pytest.mark.parametrize("slug", ["none", "not_found", "..%2Ftoken"])
async def test_an_unknown_problem_is_404(api: Any, slug: str) -> None:
    assert (await api.ask("GET", f"/problems/{slug}"))[2]["code"] == "not_found"

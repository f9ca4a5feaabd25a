"""Tokens by the API: made, used within their scopes, revoked; their secrets shown once."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.web.routes import SCOPES
from mmsproxy.web.shapes import NewTokenOut, TokensOut


async def made(api: Any, *scopes: str, **more: Any) -> Any:
    status, _, token = await api.ask("POST", "/v1/tokens", json={"name": "door", "scopes": list(scopes), **more})
    assert status == 201, token
    NewTokenOut.model_validate(token)
    return token


async def test_a_token_is_shown_once_and_kept_as_a_hash(api: Any) -> None:
    token = await made(api, "lines", "messages:read", per_hour=5)
    assert token["token"].startswith("mmp_")
    status, _, listed = await api.ask("GET", "/v1/tokens")
    TokensOut.model_validate(listed)
    ((shown),) = listed["data"]
    assert status == 200
    assert (shown["id"], shown["scopes"], shown["per_hour"], shown["used_at"]) == (token["id"], ["lines", "messages:read"], 5, None)
    assert token["token"] not in str(listed)


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_token_may_do_what_its_scope_says_and_nothing_else(api: Any, scope: str) -> None:
    token = await made(api, scope)
    asked = {
        "messages:send": ("POST", "/v1/preview"),
        "messages:read": ("GET", "/v1/messages"),
        "webhooks": ("GET", "/v1/webhooks"),
        "lines": ("GET", "/v1/lines"),
        "admin": ("GET", "/v1/tokens"),
    }
    for need, (method, path) in asked.items():
        body = {"json": {"to": "+16195550123", "text": "x"}} if method == "POST" else {}
        status, _, answer = await api.ask(method, path, token=token["token"], **body)
        assert status == (200 if need == scope else 403), (need, answer)
        if need != scope:
            assert (answer["code"], answer["scope"]) == ("forbidden", need)
    assert (await api.ask("GET", "/openapi.json", token=token["token"]))[0] == 200


async def test_a_revoked_token_is_a_wrong_one(api: Any) -> None:
    token = await made(api, "lines")
    assert (await api.ask("GET", "/v1/lines", token=token["token"]))[0] == 200
    assert (await api.ask("DELETE", f"/v1/tokens/{token['id']}"))[0] == 204
    assert (await api.ask("GET", "/v1/lines", token=token["token"]))[2]["code"] == "unauthorized"
    ((shown),) = (await api.ask("GET", "/v1/tokens"))[2]["data"]
    assert shown["revoked_at"] == "2027-01-15T08:00:00.000Z"
    assert (await api.ask("DELETE", "/v1/tokens/tok_none"))[2]["code"] == "not_found"


async def test_nobody_gives_what_he_has_not(api: Any) -> None:
    admin = await made(api, "admin")
    status, _, answer = await api.ask("POST", "/v1/tokens", token=admin["token"], json={"name": "x", "scopes": ["messages:send"]})
    assert (status, answer["code"], answer["scope"]) == (403, "forbidden", "messages:send")


async def test_a_tokens_own_cap_is_429(api: Any) -> None:
    token = await made(api, "messages:send", per_hour=1)
    body = {"to": "+16195550123", "text": "x"}
    assert (await api.ask("POST", "/v1/messages", token=token["token"], json=body))[0] == 202
    status, headers, answer = await api.ask("POST", "/v1/messages", token=token["token"], json=body)
    assert (status, answer["code"]) == (429, "rate_limited")
    assert 0 < int(headers["Retry-After"]) <= 3660
    assert (await api.ask("POST", "/v1/messages", json=body))[0] == 202


async def test_keys_belong_to_their_token(api: Any) -> None:
    token, key = await made(api, "messages:send"), {"Idempotency-Key": "k"}
    one = await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "x"}, headers=key)
    other = await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "y"}, headers=key, token=token["token"])
    assert (one[0], other[0]) == (202, 202)
    assert one[2]["id"] != other[2]["id"]


@pytest.mark.parametrize(
    "body", [{}, {"name": "x"}, {"name": "", "scopes": ["lines"]}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["root"]}]
)
async def test_a_wrong_wish_is_refused(api: Any, body: Any) -> None:
    assert (await api.ask("POST", "/v1/tokens", json=body))[2]["code"] == "invalid_request"

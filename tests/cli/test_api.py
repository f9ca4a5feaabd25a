"""Where the gateway is, which token, and its refusals as errors with the cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli.api import Access, Api, Problem, UsageError, connect, doors_of, segment
from mmsproxy.cli.gateway import NoAnswer, Unreachable


def test_the_configuration_names_gateway_and_token(gateway: Any, home: Path) -> None:
    assert connect(None) == Api(gateway.url, "the-token-of-the-file")
    assert connect(Access(gateway="http://x:1/", token=" t \n")) == Api("http://x:1", "t")
    assert doors_of(home / "config.yaml").token_file == home / "secret" / "token"


@pytest.mark.parametrize("access", [Access(token="two words"), Access(token="\u00fc"), Access(token_file=Path("none"))])
def test_no_token_is_told_with_the_cure(home: Path, access: Access) -> None:
    with pytest.raises(UsageError, match="token"):
        connect(access)


def test_a_call(gateway: Any) -> None:
    gateway.says("GET", "/v1/messages", {"data": []})
    gateway.says("POST", "/v1/pause", {"paused": True})
    gateway.says("DELETE", "/v1/tokens/tok_1", b"", 204)
    api = Api(gateway.url, "t")
    assert api.get("/v1/messages", status=None, q="a b") == {"data": []}
    assert api.post("/v1/pause", {"reason": "n"}) == {"paused": True}
    assert api.post("/v1/pause") == {"paused": True}
    assert api.call("DELETE", "/v1/tokens/tok_1") == {}
    assert gateway.asked[0] == ("GET", "/v1/messages?q=a+b")
    assert {headers["authorization"] for _, _, headers, _ in gateway.requests} == {"Bearer t"}
    assert [body for _, _, _, body in gateway.requests] == [b"", b'{"reason": "n"}', b"", b""]
    assert "content-type" not in gateway.requests[2][2]


@pytest.mark.parametrize(
    ("code", "cure"),
    [("unauthorized", "--token"), ("forbidden", "mmsproxy token create"), ("duplicate_risk", "--accept")],
)
def test_a_refusal_has_its_cure(gateway: Any, code: str, cure: str) -> None:
    gateway.says("GET", "/x", {"title": "No", "detail": "not\x1b so", "code": code}, 400)
    with pytest.raises(Problem, match=cure) as caught:
        Api(gateway.url, "t").get("/x")
    assert str(caught.value).startswith("No: not\\x1b so; ")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("method", "path", "cure"),
    [
        ("GET", "/v1/messages/msg_1", "mmsproxy messages list"),
        ("POST", "/v1/messages/msg_1/cancel", "mmsproxy messages list"),
        ("DELETE", "/v1/tokens/tok_1", "mmsproxy token list"),
        ("POST", "/v1/lines/mint/pause", "configuration"),
    ],
)
def test_what_is_not_there_is_listed_by_its_own_command(gateway: Any, method: str, path: str, cure: str) -> None:
    gateway.says(method, path, {"title": "None", "detail": "no such", "code": "not_found"}, 404)
    with pytest.raises(Problem) as caught:
        Api(gateway.url, "t").call(method, path)
    assert cure in caught.value.cure


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff"])
def test_what_is_no_json_is_another_door(gateway: Any, body: bytes) -> None:
    gateway.says("GET", "/x", body)
    with pytest.raises(Problem, match=r"web\.listen"):
        Api(gateway.url, "t").get("/x")


def test_no_answer_to_a_look_sends_nothing(gateway: Any) -> None:
    gateway.hangs_up("GET", "/x")
    with pytest.raises(NoAnswer) as caught:
        Api(gateway.url, "t").get("/x")
    assert "sent" not in str(caught.value)


def test_no_gateway() -> None:
    with pytest.raises(Unreachable, match="mmsproxy serve"):
        Api("http://127.0.0.1:1", "t").get("/x")


def test_words_in_a_path() -> None:
    assert segment("a/../b?c") == "a%2F..%2Fb%3Fc"

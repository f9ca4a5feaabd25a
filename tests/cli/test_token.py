"""`mmsproxy token` against a scripted gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli import token
from mmsproxy.cli.api import Problem
from mmsproxy.web.routes import SCOPES

MADE = {"id": "tok_1", "name": "cam", "scopes": ["messages:send"], "created_at": "2027", "used_at": None, "revoked_at": None}


def test_the_token_stands_alone_on_stdout(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("POST", "/v1/tokens", {**MADE, "token": "mmp_secret"}, 201)
    token.create("cam", scope=["messages:send"], per_hour=5)
    out, err = capsys.readouterr()
    assert out == "mmp_secret\n"
    assert "not shown again" in err
    assert "mmp_secret" not in err
    assert json.loads(gateway.requests[0][3]) == {"name": "cam", "scopes": ["messages:send"], "per_hour": 5, "per_day": 0}
    token.create("cam", json=True)
    assert json.loads(capsys.readouterr().out)["token"] == "mmp_secret"
    assert json.loads(gateway.requests[1][3])["scopes"] == ["messages:send", "messages:read"]


def test_listed(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("GET", "/v1/tokens", {"data": [MADE]})
    token.list_()
    assert capsys.readouterr().out == "tok_1\tcam\tmessages:send\t2027\t-\t-\n"
    token.list_(json=True)
    assert json.loads(capsys.readouterr().out) == MADE


def test_revoked(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("DELETE", "/v1/tokens/tok_1", b"", 204)
    token.revoke("tok_1")
    assert capsys.readouterr().err == "tok_1 is revoked\n"
    with pytest.raises(Problem):
        token.revoke("tok_2")


def test_scopes_are_those_of_the_door() -> None:
    assert set(token.Scope.__args__) == set(SCOPES)  # type: ignore[attr-defined] # a Literal knows its words

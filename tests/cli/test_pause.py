"""`mmsproxy pause` and `resume` against a scripted gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli.api import Problem
from mmsproxy.cli.pause import pause, resume


def test_everything(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("POST", "/v1/pause", {"paused": True, "pause_reason": "night\x1b"})
    gateway.says("POST", "/v1/resume", {"paused": False, "pause_reason": None})
    pause(reason="night\x1b")
    resume()
    resume(json=True)
    out = capsys.readouterr().out
    assert out.splitlines()[:2] == ["everything is paused: night\\x1b", "everything sends again"]
    assert json.loads("".join(out.splitlines()[2:])) == {"paused": False, "pause_reason": None}
    assert json.loads(gateway.requests[0][3]) == {"reason": "night\x1b"}


def test_one_line(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("POST", "/v1/lines/mint/pause", {"name": "mint", "paused": True, "pause_reason": None})
    gateway.says("POST", "/v1/lines/mint/resume", {"name": "mint", "paused": False, "pause_reason": None})
    pause("mint")
    resume("mint")
    assert capsys.readouterr().out.splitlines() == ["line mint is paused", "line mint sends again"]
    with pytest.raises(Problem):
        pause("other")

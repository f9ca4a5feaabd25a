"""A message followed: every state told once, octets as they leave, a gateway that is away for a while."""

from __future__ import annotations

import io
from typing import Any

import pytest

from mmsproxy.cli.api import Api, Problem
from mmsproxy.cli.gateway import Unreachable
from mmsproxy.cli.watching import Bar, Lines, Undecided, Watch, display, said

PATH = "/v1/messages/msg_1"


class Seen:
    """What was shown."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.progress: list[tuple[int, int]] = []

    def state(self, word: str, message: Any) -> None:
        self.words.append(word)

    def octets(self, offered: int, total: int) -> None:
        self.progress.append((offered, total))


class Scripted(Api):
    """Looks are answered in their order: a timeline and a message, or an error."""

    def __init__(self, *looks: Any) -> None:
        super().__init__("http://x", "t")
        object.__setattr__(self, "looks", [step for look in looks for step in ([look] if isinstance(look, Exception) else look)])

    def get(self, path: str, **query: Any) -> Any:
        looks: list[Any] = self.looks  # type: ignore[attr-defined] # set above: the class is frozen
        step = looks.pop(0)
        if isinstance(step, Exception):
            raise step
        return {"data": [{"type": f"message.{word}"} for word in step]} if isinstance(step, list) else step


def at(status: str, *words: str, **more: Any) -> tuple[list[str], dict[str, Any]]:
    return list(words), {"id": "msg_1", "status": status, **more}


def watch(api: Api, seen: Seen, timeout: float = 100.0) -> Watch:
    now = [0.0]
    return Watch(api, seen, timeout, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))


def test_each_state_is_told_once_and_none_is_missed() -> None:
    seen = Seen()
    api = Scripted(
        at("queued", "queued"),
        at("sending", "queued", "sending", progress={"offered": 100, "total": 900}),
        at("sending", "queued", "sending", progress={"offered": 500, "total": 900}),
        at("sent", "queued", "sending", "retrying", "sending", "sent"),
    )
    assert watch(api, seen).follow({"id": "msg_1"})["status"] == "sent"
    assert seen.words == ["queued", "sending", "retrying", "sending", "sent"]
    assert seen.progress == [(100, 900), (500, 900)]


def test_a_gateway_that_restarts_is_waited_for() -> None:
    seen = Seen()
    api = Scripted(at("queued", "queued"), Unreachable("away"), Unreachable("away"), at("failed", "queued", "failed"))
    assert watch(api, seen).follow({"id": "msg_1"})["status"] == "failed"
    assert seen.words == ["queued", "failed"]


def test_a_fallback_is_followed() -> None:
    seen = Seen()
    api = Scripted(at("failed", "failed", replaced_by="msg_2"), (["queued", "sent"], {"id": "msg_2", "status": "sent"}))
    assert watch(api, seen).follow({"id": "msg_1"})["id"] == "msg_2"
    assert seen.words == ["failed", "queued", "sent"]


def test_the_time_is_over() -> None:
    with pytest.raises(Undecided, match="messages show msg_1"):
        watch(Scripted(*[at("queued", "queued")] * 9), Seen(), timeout=1.0).follow({"id": "msg_1"})


def test_a_refusal_ends_it() -> None:
    with pytest.raises(Problem):
        watch(Scripted(Problem(403, {"title": "No", "code": "forbidden"})), Seen()).follow({"id": "msg_1"})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_and_lines_in_a_pipe() -> None:
    message = {"id": "msg_1", "to": [{"number": "+1"}], "line": "mint"}
    out, pipe = Terminal(), io.StringIO()
    with display(out) as bar:
        assert isinstance(bar, Bar)
        bar.state("sending", message)
        bar.octets(100_000, 900_000)
        bar.octets(900_000, 900_000)
        bar.state("sent", message)
    assert "+1: sending by mint" in out.getvalue()
    assert "+1: sent" in out.getvalue()
    with display(pipe) as lines:
        assert isinstance(lines, Lines)
        lines.state("sending", message)
        lines.octets(1, 2)
    assert pipe.getvalue() == "+1: sending by mint\n"
    assert said("queued\x1b", {"id": "msg_1"}) == "msg_1: queued\\x1b"

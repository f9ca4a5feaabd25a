"""A message followed: every state told once, octets as they leave, a gateway that is away for a while."""

from __future__ import annotations

import io
from typing import Any

import pytest

from mmsproxy.cli.api import Api, Problem
from mmsproxy.cli.gateway import Unreachable
from mmsproxy.cli.watching import REPLACED_SECONDS, Bar, Lines, Undecided, Unwatched, Watch, display, said

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
    """Looks are answered in their order: a message and a timeline, or an error. `timeouts`: of each request."""

    def __init__(self, *looks: Any) -> None:
        super().__init__("http://x", "t")
        object.__setattr__(self, "looks", [step for look in looks for step in ([look] if isinstance(look, Exception) else look)])
        object.__setattr__(self, "timeouts", [])

    def call(self, method: str, path: str, body: bytes | None = None, **more: Any) -> Any:
        looks: list[Any] = self.looks  # type: ignore[attr-defined] # set above: the class is frozen
        self.timeouts.append(more["timeout"])  # type: ignore[attr-defined] # as above
        step = looks.pop(0)
        if isinstance(step, Exception):
            raise step
        assert path.endswith("/events") == isinstance(step, list)
        return {"data": [{"type": f"message.{word}"} for word in step]} if isinstance(step, list) else step


def at(status: str, *words: str, **more: Any) -> tuple[dict[str, Any], list[str]]:
    return {"id": "msg_1", "status": status, **more}, list(words)


def watch(api: Api, seen: Seen, timeout: float = 100.0, *, fallback: bool = False) -> Watch:
    now = [0.0]
    return Watch(api, seen, timeout, fallback=fallback, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))


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
    api = Scripted(at("failed", "failed", replaced_by="msg_2"), ({"id": "msg_2", "status": "sent"}, ["queued", "sent"]))
    assert watch(api, seen).follow({"id": "msg_1"})["id"] == "msg_2"
    assert seen.words == ["failed", "queued", "sent"]


def test_the_time_is_over() -> None:
    with pytest.raises(Undecided, match="messages show msg_1"):
        watch(Scripted(*[at("queued", "queued")] * 9), Seen(), timeout=1.0).follow({"id": "msg_1"})


def test_the_last_state_is_told_though_it_came_between_two_answers() -> None:
    seen = Seen()
    assert (
        watch(Scripted(at("sending", "sending", "sent"), at("sent", "sending", "sent")), seen).follow({"id": "msg_1"})["status"] == "sent"
    )
    assert seen.words == ["sending", "sent"]


@pytest.mark.parametrize("status", [503, 429])
def test_a_gateway_without_time_is_waited_for(status: int) -> None:
    seen = Seen()
    busy = Problem(status, {"title": "Busy", "code": "unavailable"})
    api = Scripted(at("queued", "queued"), busy, busy, at("sent", "queued", "sent"))
    assert watch(api, seen).follow({"id": "msg_1"})["status"] == "sent"
    assert seen.words == ["queued", "sent"]


def test_a_refusal_ends_it_and_names_the_message() -> None:
    with pytest.raises(Unwatched, match=r"msg_1 is kept.*No: it lacks") as caught:
        watch(Scripted(Problem(403, {"title": "No", "detail": "it lacks", "code": "forbidden"})), Seen()).follow({"id": "msg_1"})
    assert "mmsproxy token create" in caught.value.cure


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_what_failed_waits_for_the_sms_in_its_place(status: str) -> None:
    seen = Seen()
    mms = {"type": "mms", "replaced_by": None}
    child = ({"id": "msg_2", "status": "failed", "type": "sms"}, ["queued", "failed"])
    api = Scripted(at(status, status, **mms), at(status, status, **mms), at(status, status, **{**mms, "replaced_by": "msg_2"}), child)
    assert watch(api, seen, fallback=True).follow({"id": "msg_1"})["id"] == "msg_2"
    assert seen.words == [status, "queued", "failed"]


@pytest.mark.parametrize("timeout", [100.0, 1.0])
def test_no_sms_came_in_its_place(timeout: float) -> None:
    api = Scripted(*[at("failed", "failed", type="mms", replaced_by=None)] * 20)
    following = watch(api, Seen(), timeout, fallback=True)
    assert following.follow({"id": "msg_1"})["status"] == "failed"
    assert following._clock() == pytest.approx(min(REPLACED_SECONDS, timeout), abs=1.0)


def test_no_answer_is_waited_for_longer_than_the_time_that_is_left() -> None:
    api = Scripted(*[at("queued", "queued")] * 9)
    with pytest.raises(Undecided):
        watch(api, Seen(), timeout=3.0).follow({"id": "msg_1"})
    timeouts: list[float] = api.timeouts  # type: ignore[attr-defined] # set above: the class is frozen
    assert max(timeouts) == 3.0
    assert min(timeouts) == 1.0


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

"""The frame of a counted send: who decides what, in which order."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.at.counted import counted_send
from mmsproxy.at.dialect import Ask, Offer, Pause, Script, Sent, Verdict
from mmsproxy.at.heard import Outcome, Reply

REQUEST = Ask(b"AT+SEND=0,3", prompt=True)


def refused(_reply: Reply) -> Script[Verdict]:
    yield Ask(b"AT+STATE")
    return Verdict.HELD


def judge(reply: Reply, size: int) -> Sent:
    return Sent(Verdict.TAKEN if reply.ok else Verdict.DOUBTFUL, size, reply.last)


def run(replies: list[Reply], guard: float = 0.0) -> tuple[list[Any], Sent]:
    """What the script asked, and what it returned."""
    script = counted_send(REQUEST, b"abc", 103, result_timeout=9.0, refused=refused, judge=judge, guard=guard)
    asked: list[Any] = [next(script)]
    for reply in replies:
        try:
            asked.append(script.send(reply))
        except StopIteration as done:
            return asked, done.value
    pytest.fail("the script still waits")


PROMPTED, DONE = Reply(Outcome.PROMPTED), Reply(Outcome.DONE, (b"OK",), b"OK")
FAILED, SILENT = Reply(Outcome.FAILED, (b"ERROR",), b"ERROR"), Reply(Outcome.TIMED_OUT)


def test_the_bytes_go_after_the_prompt() -> None:
    assert run([PROMPTED, DONE]) == ([REQUEST, Offer(b"abc", 103, 9.0)], Sent(Verdict.TAKEN, 3, b"OK"))


def test_the_guard_stands_between() -> None:
    asked, _ = run([PROMPTED, DONE, DONE], guard=0.05)
    assert asked == [REQUEST, Pause(0.05), Offer(b"abc", 103, 9.0)]


def test_no_prompt_and_nothing_is_offered() -> None:
    assert run([SILENT]) == ([REQUEST], Sent(Verdict.NO_PROMPT))


def test_an_error_before_the_prompt_is_explained_by_the_dialect() -> None:
    assert run([FAILED, DONE]) == ([REQUEST, Ask(b"AT+STATE")], Sent(Verdict.HELD, line=b"ERROR"))


def test_a_result_in_doubt_is_the_dialects_to_judge() -> None:
    assert run([PROMPTED, FAILED])[1].verdict is Verdict.DOUBTFUL

"""The small questions a reply answers."""

from __future__ import annotations

import pytest

from mmsproxy.at.heard import Outcome, Reply


@pytest.mark.parametrize(
    ("outcome", "answers"),
    [
        (Outcome.DONE, (True, False, False)),
        (Outcome.PROMPTED, (False, True, False)),
        (Outcome.TIMED_OUT, (False, False, True)),
        (Outcome.FAILED, (False, False, False)),
    ],
)
def test_outcomes(outcome: Outcome, answers: tuple[bool, bool, bool]) -> None:
    reply = Reply(outcome)
    assert (reply.ok, reply.prompted, reply.timed_out) == answers


def test_the_first_line_with_a_prefix() -> None:
    reply = Reply(Outcome.DONE, (b"+CSQ: 1", b"+CSQ:2 ", b"OK"), b"OK")
    assert reply.line(b"+CSQ:") == b"1"
    assert reply.line(b"+CREG:") is None

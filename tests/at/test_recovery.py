"""The rungs that are commands."""

from __future__ import annotations

import pytest

from mmsproxy.at import recovery
from mmsproxy.at.dialect import NOTHING, Ask, Await, Climb, Raw, Request, Rung, Script
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.rules import Urc
from mmsproxy.at.startup import NoAnswer


def run(script: Script[None], last: Reply = NOTHING, answer: Reply = NOTHING) -> list[Request]:
    """All that was asked; every reply is empty but `last` to an Await and `answer` to a command."""
    asked: list[Request] = []
    try:
        request = next(script)
        while True:
            asked.append(request)
            request = script.send(last if isinstance(request, Await) else answer if isinstance(request, Ask) else NOTHING)
    except StopIteration:
        return asked


def test_the_radio_goes_off_and_on_and_says_so_first() -> None:
    assert run(recovery.cycle_radio("no bearer")) == [
        Climb(Rung.RADIO, "no bearer"),
        Ask(b"AT+CFUN=4", timeout=10.0),
        Ask(b"AT+CFUN=1", timeout=10.0),
    ]


def test_a_restart_is_written_blindly_and_waited_for() -> None:
    restarted = Reply(Outcome.DONE, (b"RDY",), b"RDY")
    assert run(recovery.restart(b"AT+CRESET", "silence"), restarted) == [
        Climb(Rung.RESTART, "silence"),
        Raw(b"AT+CRESET\r"),
        Await(Urc.RESTARTED, 30.0),
    ]


def test_a_modem_that_may_wait_for_payload_is_only_listened_to() -> None:
    assert run(recovery.listen(50.0)) == [Await(Urc.RESTARTED, 50.0)]


def test_a_modem_that_does_not_restart() -> None:
    with pytest.raises(NoAnswer, match="nor does it restart; check its power"):
        run(recovery.restart(recovery.RESTART, "silence"), Reply(Outcome.TIMED_OUT), Reply(Outcome.TIMED_OUT))


def test_a_modem_that_boots_without_a_word_is_asked() -> None:
    asked = run(recovery.restart(b"AT#REBOOT", "silence"), Reply(Outcome.TIMED_OUT))
    assert [request.text for request in asked if isinstance(request, Ask)] == [b"AT"]

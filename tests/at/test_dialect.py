"""How scripts ask."""

from __future__ import annotations

import pytest

from mmsproxy.at.dialect import Ask, Script, failure, ints, must, printable, try_joined
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.errors import AtError, AtTimeout, SimError

DONE = Reply(Outcome.DONE, (b"OK",), b"OK")
FAILED = Reply(Outcome.FAILED, (b"ERROR",), b"ERROR")
LATE = Reply(Outcome.TIMED_OUT)


def answered(script: Script[bool], *replies: Reply) -> bool:
    next(script)
    try:
        for reply in replies:
            script.send(reply)
    except StopIteration as done:
        return bool(done.value)
    raise AssertionError("the script wants more replies")


def test_joined_commands_are_asked_one_by_one_where_the_modem_refuses_them() -> None:
    assert answered(try_joined((b"+A=1", b"+B=1")), DONE) is True
    assert answered(try_joined((b"+A=1", b"+B=1")), FAILED, DONE, DONE) is True
    assert answered(try_joined((b"+A=1", b"+B=1")), FAILED, FAILED, DONE) is False


def test_joined_commands_stop_at_a_silent_modem() -> None:
    script = try_joined((b"+A=1", b"+B=1"))
    assert next(script) == Ask(b"AT+A=1;+B=1")
    assert script.send(FAILED) == Ask(b"AT+A=1")
    with pytest.raises(AtTimeout):
        script.send(LATE)


def test_must_raises_what_the_reply_means() -> None:
    for reply, kind in ((FAILED, AtError), (LATE, AtTimeout)):
        script = must(Ask(b"AT+X"))
        next(script)
        with pytest.raises(kind):
            script.send(reply)


def test_a_failure_never_shows_what_stands_in_quotes() -> None:
    error = failure(Ask(b'AT+CGAUTH=1,1,"hunter2","user"'), FAILED)
    assert "hunter2" not in str(error)
    assert "AT+CGAUTH" in str(error)


@pytest.mark.parametrize("line", [b"+CME ERROR: 10", b"+CME ERROR: SIM not inserted", b"+CME ERROR: SIM PUK required"])
def test_a_sim_fault_is_known_in_numbers_and_words(line: bytes) -> None:
    assert isinstance(failure(Ask(b"AT+CPIN?"), Reply(Outcome.FAILED, (line,), line)), SimError)


def test_a_modems_line_is_made_fit_for_people() -> None:
    assert printable(b"ok\x1b[31m\xff" + b"x" * 500).startswith("ok\N{REPLACEMENT CHARACTER}[31m")
    assert len(printable(b"x" * 500)) == 200


@pytest.mark.parametrize(
    ("text", "numbers"),
    [(b"0,1460, 12", [0, 1460, 12]), (b'1,"a",2', [1]), (b"", []), (b"-1", [-1]), (b"99999999999", []), (b"1,,2", [1])],
)
def test_ints(text: bytes, numbers: list[int]) -> None:
    assert ints(text) == numbers

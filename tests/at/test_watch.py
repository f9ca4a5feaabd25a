"""SIM and network while nobody sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import watch
from mmsproxy.at.dialect import Ask, Script
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.errors import RegistrationError, SimError

FAILED = Reply(Outcome.FAILED, (b"ERROR",), b"ERROR")


def done(*lines: bytes) -> Reply:
    return Reply(Outcome.DONE, (*lines, b"OK"), b"OK")


def drive(script: Script[Any], answer: Callable[[bytes], Reply]) -> list[bytes]:
    asked = []
    try:
        request = next(script)
        while True:
            assert isinstance(request, Ask)
            asked.append(request.text)
            request = script.send(answer(request.text))
    except StopIteration:
        return asked


def network(**states: int) -> Callable[[bytes], Reply]:
    """A modem with its SIM ready, and these registration states; it refuses the queries that are not there."""

    def answer(text: bytes) -> Reply:
        if text == b"AT+CPIN?":
            return done(b"+CPIN: READY")
        name = text[3:-1].decode()
        return done(b'+%s: 2,%d,"1A2B","01C3"' % (name.encode(), states[name])) if name in states else FAILED

    return answer


def test_registration_urcs_are_switched_on_one_by_one_where_the_modem_is_picky() -> None:
    assert drive(watch.switch_on(), lambda _: done()) == [b"AT+CREG=2;+CGREG=2", b"AT+CEREG=2"]
    assert drive(watch.switch_on(), lambda _: FAILED) == [b"AT+CREG=2;+CGREG=2", b"AT+CREG=2", b"AT+CGREG=2", b"AT+CEREG=2"]


@pytest.mark.parametrize("states", [{"CEREG": 1}, {"CEREG": 2, "CGREG": 5}, {"CREG": 1}, {"CEREG": 0, "CGREG": 0, "CREG": 10}, {}])
def test_registered_by_any_of_the_three_or_not_to_be_known(states: dict[str, int]) -> None:
    drive(watch.check(), network(**states))


@pytest.mark.parametrize(("states", "words"), [({"CEREG": 2, "CREG": 0}, "lost; searching"), ({"CEREG": 3, "CGREG": 2}, "denies")])
def test_no_network(states: dict[str, int], words: str) -> None:
    with pytest.raises(RegistrationError, match=words):
        drive(watch.check(), network(**states))


@pytest.mark.parametrize(
    "state", [done(b"+CPIN: SIM PIN"), done(b"+CPIN: NOT INSERTED"), Reply(Outcome.FAILED, (b"+CME ERROR: 10",), b"+CME ERROR: 10")]
)
def test_a_sim_that_is_gone_or_locked(state: Reply) -> None:
    with pytest.raises(SimError):
        drive(watch.check(), lambda _: state)


def test_a_modem_that_does_not_tell_of_its_sim_is_not_at_fault() -> None:
    drive(watch.check(), lambda text: FAILED if text == b"AT+CPIN?" else network(CEREG=1)(text))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"+CREG: 1", True),
        (b'+CEREG: 5,"1A2B","01C3D4E5",7', True),
        (b"+CGREG: 2", False),
        (b"+CREG: 0", False),
        (b"+CEREG:3", False),
        (b"+C5GREG: 1", True),
        (b"RING", None),
        (b"+CREG:", None),
    ],
)
def test_what_a_registration_urc_says(line: bytes, said: bool | None) -> None:
    assert watch.says_registered(line) is said

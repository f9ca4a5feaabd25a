"""From a silent port to an attached modem: what the dialects' whole starts do not show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.dialect import Ask, Identity, Pause, Profile, Script, Tell
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.sim800 import SIM800
from mmsproxy.errors import AtTimeout, RegistrationError, SimError

Replayer = Callable[..., Any]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pin_refused", "refused the PIN: +CME ERROR: 16"),
        ("pin_used_before", "has refused a PIN"),
        ("pin_puk", "SIM PUK"),
        ("sim_missing", "+CME ERROR: 10"),
    ],
)
def test_a_sim_that_cannot_be_used(replay: Replayer, name: str, words: str) -> None:
    kind, text = replay(name, lambda: startup.unlock(SIM800, "4711", refused=False))
    assert issubclass(kind, SimError)
    assert words in text
    assert "4711" not in text


def drive(script: Script[Any], answer: Callable[[bytes], Reply]) -> tuple[Any, list[object]]:
    """Answers every command by a function; returns the result (or the error) and all that was asked."""
    asked: list[object] = []
    try:
        request = next(script)
        while True:
            asked.append(request)
            request = script.send(answer(request.text) if isinstance(request, Ask) else Reply(Outcome.DONE))
    except StopIteration as done:
        return done.value, asked
    except Exception as error:  # noqa: BLE001 - the outcome under test
        return error, asked


def done(*lines: bytes) -> Reply:
    return Reply(Outcome.DONE, (*lines, b"OK"), b"OK")


FAILED = Reply(Outcome.FAILED, (b"ERROR",), b"ERROR")


def test_a_pin_that_was_refused_is_not_entered_again() -> None:
    error, asked = drive(startup.unlock(SIM800, "4711", refused=True), lambda _: done(b"+CPIN: SIM PIN"))
    assert isinstance(error, SimError)
    assert [request.text for request in asked if isinstance(request, Ask)] == [b"AT+CPIN?"]


def test_a_pin_that_is_not_configured_is_asked_for() -> None:
    error, _ = drive(startup.unlock(SIM800, None, refused=False), lambda _: done(b"+CPIN: SIM PIN"))
    assert "modem.pin" in str(error)


def test_a_pin_with_a_quote_never_reaches_the_modem() -> None:
    error, asked = drive(startup.unlock(SIM800, '1"', refused=False), lambda text: done(b"+CPIN: SIM PIN"))
    assert "SIM PIN" in str(error)
    assert not any(isinstance(request, Ask) and request.text.startswith(b"AT+CPIN=") for request in asked)


def test_a_sim_that_is_busy_is_waited_for() -> None:
    busy = Reply(Outcome.FAILED, (b"+CME ERROR: 14",), b"+CME ERROR: 14")
    error, asked = drive(startup.unlock(SIM800, None, refused=False), lambda _: busy)
    assert isinstance(error, Exception)
    assert [request.seconds for request in asked if isinstance(request, Pause)] == [1, 2, 4, 8]


def test_a_modem_that_never_wakes() -> None:
    error, asked = drive(startup.wake(3), lambda _: Reply(Outcome.TIMED_OUT))
    assert isinstance(error, AtTimeout)
    assert len(asked) == 3


def test_identity_of_a_modem_that_tells_nothing() -> None:
    identity, _ = drive(startup.identify(), lambda _: FAILED)
    assert identity == Identity()


@pytest.mark.parametrize(("state", "words"), [(3, "denies"), (2, "no network")])
def test_no_registration(state: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "REGISTER_POLLS", 3)
    error, asked = drive(startup.register(), lambda text: done(b"+" + text[3:-1] + b": 0,%d" % state))
    assert isinstance(error, RegistrationError)
    assert words in str(error)
    assert sum(isinstance(request, Tell) for request in asked) == 1


def test_a_registration_urc_is_no_answer() -> None:
    """`+CREG: 1` without a mode says nothing of the query."""
    request = next(startup.register())
    assert isinstance(request, Ask)
    assert request.rule.info is not None
    assert request.rule.info.fullmatch(b"+CEREG: 5") is None
    assert request.rule.info.fullmatch(b'+CEREG: 5,"1A2B","00C3D4E5",7') is None
    assert request.rule.info.fullmatch(b"+CEREG: 2,5")


def test_a_context_that_is_set_is_left_alone() -> None:
    profile = Profile("mms.example", "IPV4V6")
    _, asked = drive(startup.define_context(profile), lambda _: done(b'+CGDCONT: 1,"IPV4V6","mms.example","0.0.0.0",0,0'))
    assert len(asked) == 1


def test_signal_and_operator(replay: Replayer) -> None:
    assert replay("radio", startup.radio) == startup.Radio("Example Mobile", -79)


def test_signal_and_operator_unknown() -> None:
    answers = {b"AT+CSQ": done(b"+CSQ: 99,99"), b"AT+COPS?": done(b"+COPS: 0")}
    assert drive(startup.radio(), answers.__getitem__)[0] == startup.Radio()
    assert drive(startup.radio(), lambda _: FAILED)[0] == startup.Radio()

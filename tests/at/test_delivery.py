"""One chunk, and doubt: what the dialects' transcripts do not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmsproxy.at import delivery
from mmsproxy.at.delivery import PromptLost, deliver
from mmsproxy.at.dialect import NOTHING, Ask, Await, Counters, Dialect, Raw, Request, Script, Sent, Socket, Verdict
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.errors import AtError, AtTimeout
from mmsproxy.link import Ledger


def dialect(*verdicts: Sent, sent: int = 0, unacked: int = 0) -> Dialect:
    """A dialect that answers sends with these verdicts in turn, the last one for ever, and counters with these figures."""
    turns = list(verdicts)

    def send(_socket: int, _chunk: bytes | memoryview, _upto: int) -> Script[Sent]:
        yield Ask(b"AT+SEND")
        return turns.pop(0) if len(turns) > 1 else turns[0]

    def counters(_socket: int) -> Script[Counters]:
        yield Ask(b"AT+COUNT")
        return Counters(sent, sent - unacked, unacked)

    return replace(SIM7600, send=send, counters=counters)


def run(script: Script[int], reply: Reply = NOTHING) -> tuple[int | BaseException, list[Request]]:
    asked: list[Request] = []
    try:
        request = next(script)
        while True:
            asked.append(request)
            request = script.send(reply)
    except StopIteration as done:
        return done.value, asked
    except (AtError, AtTimeout, PromptLost) as error:
        return error, asked


@pytest.mark.parametrize("grown", range(8))
def test_the_counter_decides_at_every_byte(grown: int) -> None:
    socket = Socket(0, Ledger(accepted=100))
    result, asked = run(deliver(dialect(Sent(Verdict.DOUBTFUL), Sent(Verdict.TAKEN), sent=100 + grown), socket, b"1234567", more=False))
    assert result == (grown or 7)
    assert asked.count(Ask(b"AT+SEND")) == (1 if grown else 2)  # nothing taken: the same chunk again is no repetition
    assert socket.book.accepted == 100 + (grown or 7)


@pytest.mark.parametrize("sent", [99, 108, 0])
def test_a_counter_that_does_not_fit_ends_it(sent: int) -> None:
    socket = Socket(0, Ledger(accepted=100))
    result, asked = run(deliver(dialect(Sent(Verdict.DOUBTFUL), sent=sent), socket, b"1234567", more=False))
    assert isinstance(result, AtError)
    assert asked.count(Ask(b"AT+SEND")) == 1
    assert socket.book.accepted == 100


def test_a_window_that_stays_full_has_an_end() -> None:
    result, _ = run(deliver(dialect(Sent(Verdict.HELD)), Socket(0, Ledger()), b"x", more=False))
    assert isinstance(result, AtTimeout)
    result, _ = run(deliver(dialect(Sent(Verdict.TAKEN), sent=9000, unacked=9000), Socket(0, Ledger(), throttled=True), b"x", more=False))
    assert isinstance(result, AtTimeout)


@pytest.mark.parametrize("size", [1, len(SIM7600.restart) + 1])
def test_a_chunk_that_a_restart_command_would_complete_is_left_alone(size: int) -> None:
    result, asked = run(deliver(dialect(Sent(Verdict.NO_PROMPT)), Socket(0, Ledger()), bytes(size), more=False))
    assert isinstance(result, PromptLost)
    assert not any(isinstance(request, Raw) for request in asked)


def test_what_is_written_after_a_missed_prompt_never_completes_the_last_chunk() -> None:
    silence = Reply(Outcome.TIMED_OUT)
    result, asked = run(deliver(dialect(Sent(Verdict.NO_PROMPT)), Socket(0, Ledger()), bytes(20), more=False), silence)
    assert isinstance(result, PromptLost)
    assert sum(len(request.data) for request in asked if isinstance(request, Raw)) < 20
    assert isinstance(asked[-1], Await)
    assert asked[-1].timeout == delivery.RESTART_TIMEOUT

"""One chunk, and doubt: what the dialects' transcripts do not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmsproxy.at import delivery
from mmsproxy.at.delivery import PromptLost, deliver
from mmsproxy.at.dialect import NOTHING, Ask, Await, Counters, Dialect, Pause, Raw, Request, Script, Sent, Socket, Verdict
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


def test_a_modem_that_answers_at_has_not_waited_for_the_last_bytes() -> None:
    result, asked = run(deliver(dialect(Sent(Verdict.NO_PROMPT)), Socket(0, Ledger()), bytes(200), more=False))
    assert isinstance(result, AtTimeout)
    assert Ask(b"AT", timeout=0.3, probe=True) in asked
    assert not any(isinstance(request, Raw) for request in asked)


@pytest.mark.parametrize("size", [*range(1, 60), 1460])
def test_whatever_is_written_after_a_missed_prompt_is_less_than_the_last_chunk(size: int) -> None:
    result, asked = run(deliver(dialect(Sent(Verdict.NO_PROMPT)), Socket(0, Ledger()), bytes(size), more=False), Reply(Outcome.TIMED_OUT))
    assert isinstance(result, PromptLost)
    written = [len(request.data) for request in asked if isinstance(request, Raw)]
    written += [len(request.text) + 1 for request in asked if isinstance(request, Ask) and request.probe]
    assert sum(written) < size


def test_what_is_written_after_a_missed_prompt_never_completes_the_last_chunk() -> None:
    silence = Reply(Outcome.TIMED_OUT)
    result, asked = run(deliver(dialect(Sent(Verdict.NO_PROMPT)), Socket(0, Ledger()), bytes(20), more=False), silence)
    assert isinstance(result, PromptLost)
    assert sum(len(request.data) for request in asked if isinstance(request, Raw)) < 20
    assert isinstance(asked[-1], Await)
    assert asked[-1].timeout == delivery.RESTART_TIMEOUT


def drained(*rooms: int, must_drain: bool = True, unacked: int = 1) -> Dialect:
    """A dialect that takes every chunk, with these answers to the question for room in turn, the last one for ever."""
    turns = list(rooms)

    def room(_socket: int) -> Script[int]:
        yield Ask(b"AT+ROOM")
        return turns.pop(0) if len(turns) > 1 else turns[0]

    return replace(dialect(Sent(Verdict.TAKEN), sent=100, unacked=unacked), room=room, must_drain=must_drain, max_send=1460)


def test_a_buffer_that_must_drain_is_waited_for_before_each_chunk() -> None:
    made, socket = drained(1360, 700, 0, 1360), Socket(0, Ledger())
    result, asked = run(deliver(made, socket, bytes(1460), more=False))
    assert result == 1360
    assert asked == [Ask(b"AT+ROOM"), Ask(b"AT+SEND")]
    result, asked = run(deliver(made, socket, bytes(1460), more=False))
    assert result == 1360
    assert [request for request in asked if isinstance(request, Ask)] == [
        Ask(b"AT+ROOM"), Ask(b"AT+COUNT"), Ask(b"AT+ROOM"), Ask(b"AT+ROOM"), Ask(b"AT+SEND")
    ]  # fmt: skip
    assert [request.seconds for request in asked if isinstance(request, Pause)] == list(delivery.DRAIN_POLLS[:2])


def test_a_window_that_was_small_at_first_may_grow() -> None:
    made, socket = drained(600, 1360), Socket(0, Ledger())
    assert run(deliver(made, socket, bytes(1460), more=False))[0] == 600
    assert run(deliver(made, socket, bytes(1460), more=False))[0] == 1360
    assert socket.room == 1360


def test_an_empty_buffer_with_a_smaller_window_is_an_empty_buffer() -> None:
    socket = Socket(0, Ledger(acked=20), room=1360)
    assert run(deliver(drained(700, unacked=0), socket, bytes(1460), more=False))[0] == 700
    assert socket.book.acked == 100


def test_a_buffer_that_never_drains_has_an_end() -> None:
    result, asked = run(deliver(drained(700), Socket(0, Ledger(), room=1360), bytes(1460), more=False))
    assert isinstance(result, AtTimeout)
    assert sum(request.seconds for request in asked if isinstance(request, Pause)) >= delivery.DRAIN_PATIENCE
    assert Ask(b"AT+SEND") not in asked


def test_room_for_one_send_is_asked_once_where_a_buffer_may_be_refilled() -> None:
    made, socket = drained(1024, 1, must_drain=False), Socket(0, Ledger())
    for _ in range(3):
        assert run(deliver(made, socket, bytes(1460), more=False))[0] == 1024


def test_the_rest_of_a_cut_chunk_is_more_of_the_message() -> None:
    """So its missed prompt is filled: that completes nothing."""
    made = replace(drained(10), send=dialect(Sent(Verdict.NO_PROMPT)).send)
    result, asked = run(deliver(made, Socket(0, Ledger()), bytes(20), more=False))
    assert isinstance(result, AtTimeout)
    assert [request.data for request in asked if isinstance(request, Raw)] == [bytes(10)]

"""The table of states against delivery.md 3, written down a second time as its diagram reads."""

from __future__ import annotations

import itertools

import pytest

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.job import AT_REST, CANCELABLE, CLAIMABLE, FINAL, TRANSITIONS, Cause, NotAllowed, Result, State, check_transition

DIAGRAM = """
scheduled -> queued clock
queued retrying -> sending worker
sending -> sent partial failed unknown retrying worker
sending -> retrying failed unknown start
scheduled queued retrying -> canceled person
queued retrying -> expired partial clock
queued retrying -> partial person
queued retrying -> failed expired partial policy
sent -> delivered read undelivered report
delivered -> read report
failed expired -> queued person
failed expired -> queued sender
unknown -> sent retrying partial report
unknown -> sent failed queued person
unknown -> sent failed worker
unknown -> retrying policy
notified -> retrieving worker
notified -> retrieving person
notified -> retrieve_failed clock
notified -> retrieve_failed person
retrieving -> received retrieve_failed worker
retrieving -> retrieve_failed clock
"""


def edges() -> set[tuple[State, State, Cause]]:
    found = set()
    for row in DIAGRAM.strip().splitlines():
        left, right = row.split(" -> ")
        *after, cause = right.split()
        found |= {(State(old), State(new), Cause(cause)) for old in left.split() for new in after}
    return found


def test_only_what_the_diagram_has_is_allowed() -> None:
    for old, new, cause in itertools.product(State, State, Cause):
        if (old, new, cause) in edges():
            check_transition(old, new, cause)
            continue
        with pytest.raises(NotAllowed) as refused:
            check_transition(old, new, cause)
        assert refused.value.state is old


def test_what_never_changes() -> None:
    assert {
        State.PARTIAL,
        State.READ,
        State.UNDELIVERED,
        State.CANCELED,
        State.RECEIVED,
        State.RETRIEVE_FAILED,
    } == FINAL
    assert not [new for old, new in TRANSITIONS if old in FINAL]


def test_groups_of_states() -> None:
    assert {State.QUEUED, State.RETRYING} == CLAIMABLE
    assert CLAIMABLE | {State.SCHEDULED} == CANCELABLE
    assert not AT_REST & (CANCELABLE | {State.SENDING, State.NOTIFIED, State.RETRIEVING})


def test_a_sent_result_has_no_error() -> None:
    assert Result(Outcome.SENT, Phase.ANSWER_WHOLE).error is None
    error = Result(Outcome.REFUSED, Phase.ANSWER_WHOLE, "mmsc_error", "no", response_status=0xE0, http_status=200).error
    assert error is not None
    assert (error.code, error.phase, error.response_status, error.http_status) == ("mmsc_error", Phase.ANSWER_WHOLE, 0xE0, 200)

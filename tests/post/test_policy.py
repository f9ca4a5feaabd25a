"""Every decision, by table where delivery.md and mms.md have one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.caps import Caps, Usage
from mmsproxy.post.job import Cause, Door, Fallback, Job, Kind, NotAllowed, Reason, Result, State
from mmsproxy.post.policy import (
    JITTER,
    RETRY_SCHEDULE,
    Become,
    Identical,
    Limits,
    Rest,
    Send,
    UnknownPolicy,
    View,
    Wait,
    check_cancel,
    check_resolve,
    check_retry,
    clock_step,
    decide,
    identical_post,
    late_answer,
    may_fall_back,
    recover,
    retry_delay,
    settle,
)

NOW = 1_800_000_000.0
RESEND = Limits(unknown=UnknownPolicy.RESEND_SAME_TID, resends=2)


def job(state: State = State.QUEUED, **fields: Any) -> Job:
    usual = {"created_at": NOW - 10, "changed_at": NOW - 10, "expires_at": NOW + 3590, "valid_for": 3600.0, "due_at": NOW - 10}
    return Job(**{"seq": 1, "id": "msg_1", "door": Door.API, "kind": Kind.MMS, "state": state, **usual, **fields})


# decide


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (job(State.SCHEDULED, due_at=NOW + 60), Wait(NOW + 60, "due")),
        (job(State.SCHEDULED, due_at=NOW), Become(State.QUEUED, Cause.CLOCK, due_at=NOW)),
        (job(State.SCHEDULED, due_at=None), Become(State.QUEUED, Cause.CLOCK, due_at=NOW)),
        (job(), Send()),
        (job(State.RETRYING), Send()),
        (job(due_at=None), Send()),
        (job(State.RETRYING, due_at=NOW + 5), Wait(NOW + 5, "due")),
        (job(State.RETRYING, due_at=NOW + 5, expires_at=NOW + 2), Wait(NOW + 2, "due")),
        (job(lease_until=NOW + 1, expires_at=NOW - 1), Wait(NOW + 1, "leased")),
        (job(lease_until=NOW - 1), Send()),
        (job(State.SENDING, lease_until=NOW + 1), Wait(NOW + 1, "sending")),
        *((job(state), Rest()) for state in State if state not in (State.SCHEDULED, State.QUEUED, State.RETRYING, State.SENDING)),
    ],
)
def test_what_is_to_be_done(given: Job, expected: object) -> None:
    assert decide(given, NOW, Limits(), View()) == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(gateway_paused=True), Wait(None, "paused")),
        (View(line_paused=True), Wait(None, "line_paused")),
        (View(next_free_at=NOW + 7), Wait(NOW + 7, "min_interval")),
        (View(next_free_at=NOW), Send()),
        (View(usage=Usage(((NOW - 60, 100),))), Wait(NOW + 3600, "per_hour")),
    ],
)
def test_the_line_and_the_caps(view: View, expected: object) -> None:
    assert decide(job(), NOW, Limits(), view) == expected


@pytest.mark.parametrize(
    ("fields", "state"),
    [({}, State.FAILED), ({"was_unknown": True}, State.EXPIRED), ({"parts_sent": 2}, State.PARTIAL), ({"parts_sent": 3}, None)],
)
def test_what_costs_more_than_a_cap_is_ended(fields: dict[str, Any], state: State | None) -> None:
    """Of an SMS only the parts that have not left cost anything."""
    decision = decide(job(State.RETRYING, cost=8, **fields), NOW, Limits(caps=Caps(5, 0)), View())
    if state is None:
        assert decision == Send()
        return
    assert isinstance(decision, Become)
    assert (decision.state, decision.cause) == (state, Cause.POLICY)
    assert decision.reason is not None
    assert decision.reason.code == "over_cap"
    assert ("may have delivered" in decision.reason.detail) is ("was_unknown" in fields)


def test_expiry_says_what_went_wrong() -> None:
    decision = decide(
        job(State.RETRYING, expires_at=NOW, error=Reason("connect_failed", "no way")), NOW, Limits(), View(gateway_paused=True)
    )
    assert isinstance(decision, Become)
    assert (decision.state, decision.cause) == (State.EXPIRED, Cause.CLOCK)
    assert decision.reason == Reason("expired", "not sent within 3600 s: no way")


def test_expiry_does_not_hide_a_doubt() -> None:
    decision = decide(job(State.RETRYING, expires_at=NOW, was_unknown=True), NOW, Limits(), View())
    assert isinstance(decision, Become)
    assert decision.reason is not None
    assert "may have delivered" in decision.reason.detail


@pytest.mark.parametrize(
    ("fields", "limits", "expected"),
    [
        ({}, Limits(), Rest()),
        ({"changed_at": NOW - 60}, RESEND, Become(State.RETRYING, Cause.POLICY, due_at=NOW)),
        ({"changed_at": NOW - 59}, RESEND, Wait(NOW + 1, "resend")),
        ({"changed_at": NOW - 60, "resends": 1}, RESEND, Become(State.RETRYING, Cause.POLICY, due_at=NOW)),
        ({"changed_at": NOW - 60, "resends": 2}, RESEND, Rest()),
        ({"changed_at": NOW - 60, "door": Door.MM1}, RESEND, Rest()),
    ],
)
def test_unknown_by_the_users_choice(fields: dict[str, Any], limits: Limits, expected: object) -> None:
    assert decide(job(State.UNKNOWN, **fields), NOW, limits, View()) == expected


@pytest.mark.parametrize(("resends", "pause"), [(3, 60.0), (-1, 60.0), (1, 59.0)])
def test_a_choice_that_would_spam(resends: int, pause: float) -> None:
    with pytest.raises(ValueError, match="re-sends"):
        Limits(resends=resends, resend_after=pause)


# recover


@pytest.mark.parametrize(
    ("fields", "state", "due"),
    [
        ({}, State.RETRYING, NOW + 5),
        ({"door": Door.MM1}, State.FAILED, None),
        ({"door": Door.MM1, "was_unknown": True}, State.UNKNOWN, None),
        ({"last_byte_at": NOW - 1}, State.UNKNOWN, None),
        ({"last_byte_at": NOW - 1, "door": Door.MM1}, State.UNKNOWN, None),
    ],
)
def test_after_a_crash(fields: dict[str, Any], state: State, due: float | None) -> None:
    left = job(State.SENDING, lease_until=NOW - 1, **fields)
    decision = recover(left, NOW)
    assert (decision.state, decision.cause, decision.due_at) == (state, Cause.START, due)
    assert decision.reason is not None
    assert decision.reason.code == "crashed"
    assert decide(left, NOW, Limits(), View()) == decision
    assert left.in_doubt is ("last_byte_at" in fields)


# settle


def refused(status: int | None = None, **fields: Any) -> Result:
    return Result(Outcome.REFUSED, Phase.ANSWER_WHOLE, "mmsc_error", "no", response_status=status, **fields)


RETRIED = {0xC0, 0xC1, 0xC2, 0xC3} | set(range(0xC5, 0xE0))
PAUSES = {0x82, 0xE1, 0xEB}  # 130, 225, 235


def test_each_response_status() -> None:
    """mms.md 17, value by value; Ok and partial success do not come as refusals."""
    for status in set(range(0x100)) - {0x80, 0xC4}:
        settled = settle(job(State.SENDING), refused(status), NOW, 0.5)
        assert settled.state is (State.RETRYING if status in RETRIED else State.FAILED), hex(status)
        assert (settled.pauses_line is not None) is (status in PAUSES), hex(status)
        assert settled.due_at == (NOW + 5 if status in RETRIED else None)


def test_unresolved_addresses_have_two_more_attempts() -> None:
    sending = job(State.SENDING)
    for status in (0xC1, 0xC2, 0xC1):
        settled = settle(sending, refused(status), NOW, 0.5)
        sending = replace(sending, unresolved=settled.unresolved, failures=settled.failures)
    assert settled.state is State.FAILED
    assert settle(sending, refused(0xC0), NOW, 0.5).state is State.RETRYING


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Result(Outcome.SENT, Phase.ANSWER_WHOLE), State.SENT),
        (Result(Outcome.PARTIAL, Phase.ANSWER_WHOLE, "partial"), State.PARTIAL),
        (Result(Outcome.UNKNOWN, Phase.LAST_BYTE, "answer_timeout"), State.UNKNOWN),
        (Result(Outcome.NOT_SENT, Phase.OPEN, "connect_failed", retryable=True), State.RETRYING),
        (Result(Outcome.NOT_SENT, Phase.PART_OFFERED, "mmsc_http", http_status=413), State.FAILED),
        (refused(http_status=403), State.FAILED),
        (refused(http_status=429, retryable=True), State.RETRYING),
    ],
)
@pytest.mark.parametrize("door", list(Door))
def test_each_outcome(result: Result, state: State, door: Door) -> None:
    settled = settle(job(State.SENDING, door=door), result, NOW, 0.5)
    expected = State.FAILED if state is State.RETRYING and door is Door.MM1 else state
    assert settled.state is expected
    assert (settled.due_at is None) is (expected is not State.RETRYING)
    assert settled.was_unknown is (state is State.UNKNOWN)
    assert settled.failures == 1


@pytest.mark.parametrize("code", ["stopping", "lease_lost"])
def test_what_we_ended_ourselves_is_no_failure_of_the_message(code: str) -> None:
    settled = settle(job(State.SENDING, failures=3), Result(Outcome.NOT_SENT, Phase.OPEN, code), NOW, 0.5)
    assert (settled.state, settled.due_at, settled.failures) == (State.RETRYING, NOW, 3)


def test_a_refusal_of_the_second_copy_proves_nothing_about_the_first() -> None:
    again = job(State.SENDING, was_unknown=True)
    assert settle(again, refused(0xE0), NOW, 0.5).state is State.UNKNOWN
    assert settle(again, Result(Outcome.SENT, Phase.ANSWER_WHOLE), NOW, 0.5).state is State.SENT
    assert settle(again, refused(0xC0), NOW, 0.5).state is State.RETRYING
    assert settle(replace(again, door=Door.MM1), refused(0xC0), NOW, 0.5).state is State.UNKNOWN


def test_the_schedule() -> None:
    assert RETRY_SCHEDULE == (5, 30, 60, 300, 600, 1800, 3600)
    assert [retry_delay(failures, 0.5) for failures in range(9)] == [5, 30, 60, 300, 600, 1800, 3600, 3600, 3600]
    for failures in range(9):
        middle = retry_delay(failures, 0.5)
        assert retry_delay(failures, 0.0) == pytest.approx(middle * (1 - JITTER))
        assert retry_delay(failures, 1.0) == pytest.approx(middle * (1 + JITTER))


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Result(Outcome.SENT, Phase.ANSWER_WHOLE), State.SENT),
        (refused(0xE0), State.FAILED),
        (Result(Outcome.PARTIAL, Phase.ANSWER_WHOLE), None),
        (Result(Outcome.NOT_SENT, Phase.OPEN), None),
        (Result(Outcome.UNKNOWN, Phase.LAST_BYTE), None),
    ],
)
def test_an_answer_that_came_too_late(result: Result, state: State | None) -> None:
    assert late_answer(result) is state


# persons


def refusal(check: Callable[..., None], *arguments: object, **options: object) -> str | None:
    try:
        check(*arguments, **options)
    except NotAllowed as error:
        return error.code
    return None


def test_who_may_be_canceled() -> None:
    assert {state for state in State if refusal(check_cancel, job(state)) is None} == {State.SCHEDULED, State.QUEUED, State.RETRYING}
    assert refusal(check_cancel, job(State.SENDING)) == "not_cancelable"


def test_who_may_be_sent_again() -> None:
    answers = {state: refusal(check_retry, job(state), accept_duplicate_risk=False) for state in State}
    assert {state for state, code in answers.items() if code is None} == {State.FAILED, State.EXPIRED}
    assert answers.pop(State.UNKNOWN) == "duplicate_risk"
    assert set(answers.values()) == {None, "not_retryable"}
    assert refusal(check_retry, job(State.UNKNOWN), accept_duplicate_risk=True) is None
    assert refusal(check_retry, job(State.SENT), accept_duplicate_risk=True) == "not_retryable"


def test_only_unknown_is_resolved() -> None:
    for state in State:
        for as_state in State:
            allowed = state is State.UNKNOWN and as_state in (State.SENT, State.FAILED)
            assert (refusal(check_resolve, job(state), as_state) is None) is allowed


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (job(State.FAILED, fallback=Fallback.SMS), True),
        (job(State.EXPIRED, fallback=Fallback.SMS), True),
        (job(State.FAILED), False),
        (job(State.FAILED, fallback=Fallback.SMS, was_unknown=True), False),
        (job(State.UNKNOWN, fallback=Fallback.SMS), False),
        (job(State.PARTIAL, fallback=Fallback.SMS), False),
        (job(State.CANCELED, fallback=Fallback.SMS), False),
    ],
)
def test_fallback_only_when_it_is_certain(given: Job, expected: bool) -> None:
    assert may_fall_back(given) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((job(state), Identical.JOIN) for state in (State.SCHEDULED, State.QUEUED, State.SENDING, State.RETRYING)),
        (job(State.UNKNOWN, changed_at=0.0), Identical.REPLAY),
        (job(State.SENT, changed_at=NOW - 3599), Identical.REPLAY),
        (job(State.SENT, changed_at=NOW - 3600), Identical.NEW),
        (job(State.PARTIAL, changed_at=NOW - 3599), Identical.REPLAY),
        (job(State.DELIVERED, changed_at=NOW - 3600, was_unknown=True), Identical.REPLAY),
        (job(State.SENT, changed_at=NOW - 86400, was_unknown=True), Identical.NEW),
        (job(State.FAILED, error=Reason("mmsc_error", "", response_status=0xE0), changed_at=NOW - 599), Identical.REPLAY),
        (job(State.FAILED, error=Reason("mmsc_error", "", response_status=0xE0), changed_at=NOW - 600), Identical.ANEW),
        (job(State.FAILED, error=Reason("mmsc_error", "", response_status=0xC0)), Identical.ANEW),
        (job(State.FAILED, error=Reason("connect_failed", "")), Identical.ANEW),
        (job(State.FAILED), Identical.ANEW),
        (job(State.EXPIRED), Identical.ANEW),
        (job(State.CANCELED), Identical.NEW),
    ],
)
def test_identical_posts(given: Job, expected: Identical) -> None:
    assert identical_post(given, NOW, Limits()) is expected


@pytest.mark.parametrize(("wall", "step"), [(1.0, 0.0), (6.0, 0.0), (6.1, pytest.approx(5.1)), (-3600.0, -3601.0), (3.2e8, 3.2e8 - 1)])
def test_a_clock_that_was_set(wall: float, step: float) -> None:
    assert clock_step(wall, 1.0) == step


def test_the_defaults_are_those_of_the_handbook() -> None:
    assert Limits().caps == Caps(100, 500)
    assert Limits().unknown is UnknownPolicy.HOLD

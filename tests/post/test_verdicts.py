"""What reports say, value by value."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.post.job import Door, Job, Kind, RecipientState, State
from mmsproxy.post.verdicts import better, by_delivery_report, by_read_report, by_recipients, the_candidate

NOW = 1_800_000_000.0


def job(state: State = State.QUEUED, **fields: Any) -> Job:
    usual = {"created_at": NOW - 10, "changed_at": NOW - 10, "expires_at": NOW + 3590, "valid_for": 3600.0, "due_at": NOW - 10}
    return Job(**{"seq": 1, "id": "msg_1", "door": Door.API, "kind": Kind.MMS, "state": state, **usual, **fields})


R = RecipientState


def test_what_a_report_says() -> None:
    said = {status: by_delivery_report(status) for status in range(0x78, 0x90)}
    assert {status for status, state in said.items() if state is R.DELIVERED} == {0x81, 0x86}
    assert {status for status, state in said.items() if state is R.UNDELIVERED} == {0x80, 0x82, 0x84, 0x87}
    assert [by_read_report(status) for status in (0x80, 0x81, 0x82)] == [R.READ, None, None]


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        (None, R.SENT, R.SENT),
        (R.SENT, R.DELIVERED, R.DELIVERED),
        (R.DELIVERED, R.READ, R.READ),
        (R.READ, R.DELIVERED, R.READ),
        (R.SENT, R.UNDELIVERED, R.UNDELIVERED),
        (R.DELIVERED, R.UNDELIVERED, R.DELIVERED),
        (R.UNDELIVERED, R.DELIVERED, R.DELIVERED),
    ],
)
def test_reports_out_of_order(old: RecipientState | None, new: RecipientState, after: RecipientState) -> None:
    assert better(old, new) is after


@pytest.mark.parametrize(
    ("current", "recipients", "after"),
    [
        (State.SENT, [R.SENT, R.READ], State.SENT),
        (State.SENT, [R.DELIVERED, R.READ], State.DELIVERED),
        (State.SENT, [R.READ, R.READ], State.READ),
        (State.SENT, [R.UNDELIVERED, R.SENT], State.SENT),
        (State.SENT, [R.UNDELIVERED, None], State.SENT),
        (State.SENT, [R.UNDELIVERED, R.READ], State.UNDELIVERED),
        (State.DELIVERED, [R.READ, R.READ], State.READ),
        (State.DELIVERED, [R.DELIVERED, R.UNDELIVERED], State.DELIVERED),
        (State.UNDELIVERED, [R.DELIVERED], State.UNDELIVERED),
        (State.UNKNOWN, [R.DELIVERED], State.UNKNOWN),
        (State.READ, [R.DELIVERED], State.READ),
    ],
)
def test_the_message_by_its_recipients(current: State, recipients: list[RecipientState | None], after: State) -> None:
    assert by_recipients(current, recipients) is after


def test_a_report_settles_only_what_it_must_mean() -> None:
    doubtful = job(State.UNKNOWN, last_byte_at=NOW - 60)
    assert the_candidate([doubtful], NOW) is doubtful
    assert the_candidate([doubtful, doubtful], NOW) is None
    assert the_candidate([], NOW) is None
    assert the_candidate([doubtful, job(State.SENT, last_byte_at=NOW - 60)], NOW) is None  # it may be the report of that one
    assert the_candidate([doubtful, job(State.SENT, last_byte_at=NOW - 8 * 86400)], NOW) is doubtful
    assert the_candidate([job(State.SENT, last_byte_at=NOW - 60)], NOW) is None
    assert the_candidate([doubtful], NOW - 61) is None
    assert the_candidate([doubtful], NOW + 8 * 86400) is None
    assert the_candidate([job(State.UNKNOWN)], NOW) is None

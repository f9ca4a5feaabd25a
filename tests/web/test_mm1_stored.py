"""Which answer a stored outcome has: state, last attempt and the carrier's octets together (mm1.md 5.2, 6, 13)."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.job import AttemptRecord, Door, Job, Kind, Reason, State
from mmsproxy.post.records import Message, Pdu
from mmsproxy.web import mm1_answers as answers
from mmsproxy.web.mm1_answers import Reply
from mmsproxy.web.mm1_stored import Stored, reply_of

T1 = answers.Head(0x80, b"T1", b"\x92")
CONF = Pdu(b"conf", (("Content-Type", "a/b"),))
PASSED = Reply(200, b"conf", (("Content-Type", "a/b"),))


def stored(
    state: str,
    outcome: str | None = None,
    status: int | None = None,
    *,
    answer: Pdu | None = CONF,
    carrier_id: str | None = None,
    **job: Any,
) -> Stored:
    row = Job(1, "msg_1", Door.MM1, Kind.MMS, State(state), 0.0, 0.0, 55.0, 55.0, attempts=1, **job)
    attempt = AttemptRecord(1, "one", 0.0, Phase.ANSWER_WHOLE, outcome=outcome and Outcome(outcome), response_status=status)
    return Stored(Message(row, (), carrier_message_id=carrier_id), attempt, answer)


@pytest.mark.parametrize(
    "row",
    [
        stored("sent", "sent", 0x80),
        stored("delivered", "sent", 0x80),
        stored("undelivered", "sent", 0x80),
        stored("sent", "unknown", 0x80),  # an Ok to another transaction that a report proved
        stored("partial", "partial", 0xC4),
        stored("unknown", "unknown", 0x80),
        stored("failed", "refused", 0xC0),
        stored("failed", "refused", 0xE0),
        stored("failed", "not_sent", 0xE0),  # refused before the whole message had left
    ],
)
def test_the_carriers_octets_come_back_while_they_say_what_the_state_says(row: Stored) -> None:
    assert reply_of(row, T1) == PASSED


@pytest.mark.parametrize(
    ("row", "message_id"),
    [
        (stored("sent", "unknown"), "mmsproxy-msg_1"),  # HTML, and a person said that it was sent
        (stored("sent", "unknown", carrier_id="m-7"), "m-7"),  # a report did
        (stored("read", "refused", 0xE0, carrier_id="m-7"), "m-7"),  # the first copy arrived, the second was refused
        (stored("sent", "sent", 0x80, answer=None), "mmsproxy-msg_1"),  # its octets are forgotten
        (stored("sent", None), "mmsproxy-msg_1"),  # the attempt was cut off by a crash
    ],
)
def test_what_was_found_out_to_be_sent_is_ok_by_the_gateway(row: Stored, message_id: str) -> None:
    assert reply_of(row, T1) == answers.accepted(T1, message_id)


@pytest.mark.parametrize(
    ("row", "status", "response_status"),
    [
        (stored("unknown", "unknown"), 504, 0x86),
        (stored("unknown", None), 504, 0x86),
        (stored("unknown", "refused", 0xE0), 504, 0x86),  # a refusal of the second copy says nothing about the first
        (stored("expired", "unknown", was_unknown=True), 504, 0x86),
        (stored("expired", error=Reason("expired", "not sent within 55 s")), 503, 0xC3),
        (stored("canceled"), 403, 0xE1),
        (stored("failed", "not_sent", 0x80, error=Reason("mmsc_http", "early", http_status=200)), 502, 0xC3),
        (stored("failed", "unknown", 0x80, error=Reason("resolved", "a person found out")), 500, 0xC3),
        (stored("failed", "not_sent", error=Reason("connect_failed", "refused")), 502, 0xC3),
        (stored("failed", None, error=Reason("crashed", "stopped")), 500, 0xC3),
        (stored("failed"), 500, 0xC3),
    ],
)
def test_else_the_gateway_answers_itself(row: Stored, status: int, response_status: int) -> None:
    reply = reply_of(row, T1)
    assert (reply.status, reply.body[8:10]) == (status, bytes((0x92, response_status)))
    assert reply.cause.endswith("[msg_1]")
    assert b"\x8b" not in reply.body


@pytest.mark.parametrize("status", [0xC0, 0xC3, 0x82, 0xE0, 0xEB])
@pytest.mark.parametrize(("as_error", "http"), [(True, 502), (False, 200)])
def test_only_a_refusal_is_turned_into_an_http_error_and_only_when_asked(status: int, as_error: bool, http: int) -> None:
    assert reply_of(stored("failed", "refused", status), T1, rejected_as_http_error=as_error).status == http
    assert reply_of(stored("sent", "sent", 0x80), T1, rejected_as_http_error=as_error).status == 200
    assert reply_of(stored("unknown", "unknown", 0x80), T1, rejected_as_http_error=as_error).status == 200

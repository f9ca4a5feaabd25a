"""The message resource and its HTTP status, case by case, without a socket."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Answer, Attempt, Outcome, Timings
from mmsproxy.link import Phase
from mmsproxy.message.compose import compose
from mmsproxy.message.model import SendRequest
from mmsproxy.web.api_message import Composed, http_status, resource, status_name
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.mms_pdu import SendConf, Text
from mmsproxy.wire.sms_split import count_parts


def message(text: str = "hi", **more: Any) -> Composed:
    send_req = compose(SendRequest.model_validate({"to": "+16195550123", "text": text}), transaction_id="T1", date=0)
    base = Composed(
        id="msg_T1",
        created_at=datetime(2026, 11, 24, 10, 47, 0, 1500, UTC),
        line="one",
        simulated=False,
        recipients=("+16195550123",),
        text=text,
        subject=None,
        send_req=send_req,
        pdu=mms_pdu.encode(send_req),
        sms=count_parts(text),
        size_limit=300_000,
    )
    return replace(base, **more)


def attempt(outcome: Outcome = Outcome.SENT, **more: Any) -> Attempt:
    conf = SendConf(transaction_id="T1", response_status=0x80, message_id="m1")
    base = Attempt(outcome, Phase.ANSWER_WHOLE, "", "Ok", Timings(total=1.23456), 1, 1, answer=Answer(200, (), b""), conf=conf)
    return replace(base, **more)


def test_it_is_plain_json_with_times_in_utc() -> None:
    document = json.loads(json.dumps(resource(message(), attempt())))
    assert document["created_at"] == "2026-11-24T10:47:00.001Z"
    assert document["timings"]["total"] == 1.235
    assert (document["simulated"], document["size_limit"]) == (False, 300_000)


@pytest.mark.parametrize(
    ("conf", "shown"),
    [
        (None, None),
        (SendConf(response_status=0x80), {"message_id": None, "response_status": 128, "response_status_name": "Ok", "response_text": None}),
        (
            SendConf(response_status=0xE3, response_text=Text("\u00fc")),
            {
                "message_id": None,
                "response_status": 227,
                "response_status_name": "Error-permanent-sending-address-unresolved",
                "response_text": "\u00fc",
            },
        ),
        (SendConf(), {"message_id": None, "response_status": None, "response_status_name": None, "response_text": None}),
    ],
)
def test_the_confirmation_is_shown_as_it_came(conf: SendConf | None, shown: dict[str, Any] | None) -> None:
    assert resource(message(), attempt(conf=conf))["carrier"] == shown


@pytest.mark.parametrize(("octet", "name"), [(0x80, "Ok"), (0x86, "Error-network-problem"), (0xEB, "Error-permanent-lack-of-prepaid")])
def test_a_status_has_the_specifications_name(octet: int, name: str) -> None:
    assert status_name(octet) == name


@pytest.mark.parametrize("octet", [0x00, 0x7F, 0x89, 0xC5, 0xEC, 0xFF])
def test_a_status_that_is_not_assigned_is_reserved(octet: int) -> None:
    assert status_name(octet) == "Reserved"


@pytest.mark.parametrize(
    ("outcome", "status", "recipient"),
    [
        (Outcome.SENT, "sent", "sent"),
        (Outcome.PARTIAL, "partial", "unknown"),
        (Outcome.REFUSED, "failed", "failed"),
        (Outcome.NOT_SENT, "failed", "failed"),
        (Outcome.UNKNOWN, "unknown", "unknown"),
    ],
)
def test_the_status_says_no_more_than_is_proven(outcome: Outcome, status: str, recipient: str) -> None:
    document = resource(message(), attempt(outcome))
    assert (document["status"], document["to"]) == (status, [{"number": "+16195550123", "status": recipient}])
    assert (document["error"] is None) == (outcome is Outcome.SENT)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("retryable", [True, False])
@pytest.mark.parametrize("answer", [None, Answer(200, (), b"")])
def test_the_class_of_the_http_status_says_whether_a_repeat_is_safe(outcome: Outcome, retryable: bool, answer: Answer | None) -> None:
    status = http_status(attempt(outcome, retryable=retryable, answer=answer))
    if outcome is Outcome.SENT:
        assert status == 200
    elif outcome in (Outcome.UNKNOWN, Outcome.PARTIAL):
        assert status == 409
    else:
        assert status == (503 if retryable or answer is None else 422)


@pytest.mark.parametrize(
    ("composed", "tried", "codes"),
    [
        (message(), attempt(), []),
        (message("x" * 1600), attempt(), []),
        (message("x" * 1601), attempt(), ["long_text"]),
        (message("x" * 5001), attempt(), ["very_long_text"]),
        (message(subject="s" * 40), attempt(), []),
        (message(subject="s" * 41), attempt(), ["long_subject"]),
        (message(repeated=("1", "2")), attempt(), ["repeated_recipient", "repeated_recipient"]),
        (message(), attempt(warnings=("no_message_id", "answer_cut")), ["no_message_id", "answer_cut"]),
    ],
)
def test_warnings(composed: Composed, tried: Attempt, codes: list[str]) -> None:
    warnings = resource(composed, tried)["warnings"]
    assert [warning["code"] for warning in warnings] == codes
    assert all(len(warning["detail"]) > 10 for warning in warnings)

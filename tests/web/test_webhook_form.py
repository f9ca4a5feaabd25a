"""Bodies that fit, signatures that the reference verifier takes, and the schedule."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from mmsproxy.post.records import Event
from mmsproxy.web.webhook_form import MAX_BODY, SCHEDULE, envelope, new_secret, next_try, origin, signed

EVENT = Event(7, "evt_1", "message.sent", 1_800_000_000.25, "msg_1", "mint", {})
A, B, C = (new_secret(bytes([n]) * 32) for n in range(3))


def test_secret() -> None:
    assert A.startswith("whsec_")
    assert base64.b64decode(A.removeprefix("whsec_")) == bytes(32)
    with pytest.raises(ValueError):
        new_secret(b"short")


def test_envelope() -> None:
    assert json.loads(envelope(EVENT, {"id": "msg_1", "text": "grüß 😀"})) == {
        "type": "message.sent",
        "timestamp": "2027-01-15T08:00:00.250Z",
        "data": {"id": "msg_1", "text": "grüß 😀"},
    }


@pytest.mark.parametrize("letter", ["x", "ß", "😀", '"', "\x01", "\ud800"])
@pytest.mark.parametrize("length", [100, 6000, 19_000, 21_000, 400_000])
def test_a_long_text_is_cut(letter: str, length: int) -> None:
    body = envelope(EVENT, {"id": "msg_1", "text": letter * length, "status": "sent"})
    data = json.loads(body)["data"]
    assert len(body) <= MAX_BODY
    assert (data["id"], data["status"]) == ("msg_1", "sent")
    whole = len(data["text"]) == length
    assert data.get("truncated") == (None if whole else ["text"])
    assert whole or len(body) > MAX_BODY / 2


@pytest.mark.parametrize(
    ("data", "gone"),
    [
        ({"id": "msg_1", "metadata": {str(n): "x" * 512 for n in range(60)}}, ["metadata"]),
        ({"id": "msg_1", "text": "y" * 30_000, "to": [{"number": "+12025550123"}] * 1000}, ["text", "to"]),
        ({"id": "msg_1", "to": ["x" * 99] * 190, "metadata": ["y" * 99] * 180}, ["to"]),
        ({"id": "msg_1", **{f"field {n}": "x" * 5000 for n in range(5)}}, ["field 0", "field 1"]),
    ],
)
def test_what_is_long_is_left_out(data: dict[str, Any], gone: list[str]) -> None:
    body = envelope(EVENT, data)
    left = json.loads(body)["data"]
    assert len(body) <= MAX_BODY
    assert left["id"] == "msg_1"
    assert left["truncated"] == gone
    assert not set(gone) & set(left)


def test_the_shortest_body_of_all() -> None:
    body = envelope(EVENT, {f"field {n}": "x" * 150 for n in range(500)})
    assert len(body) <= MAX_BODY
    assert len(json.loads(body)["data"]) == 40


def test_a_signature_is_taken_by_the_reference_verifier() -> None:
    body = envelope(EVENT, {"text": "grüß 😀\ud800"})
    fields = dict(signed("evt_1", body, [A], datetime.now(UTC)))
    assert Webhook(A).verify(body, fields)["type"] == "message.sent"
    for tampered in (body + b" ", body.replace(b"sent", b"lost")):
        with pytest.raises(WebhookVerificationError):
            Webhook(A).verify(tampered, fields)
    with pytest.raises(WebhookVerificationError):
        Webhook(A).verify(body, {**fields, "webhook-id": "evt_2"})


def test_two_signatures_while_rotating() -> None:
    body = envelope(EVENT, {})
    fields = dict(signed("evt_1", body, [B, A], datetime.now(UTC)))
    assert Webhook(A).verify(body, fields) == Webhook(B).verify(body, fields)
    with pytest.raises(WebhookVerificationError):
        Webhook(C).verify(body, fields)


def test_the_time_is_that_of_the_try() -> None:
    body = envelope(EVENT, {})
    fields = dict(signed("evt_1", body, [A], datetime.now(UTC) - timedelta(minutes=6)))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(A).verify(body, fields)


def test_schedule() -> None:
    assert [next_try(attempts, None, 0.0) for attempts in range(1, 11)] == [*SCHEDULE, None]
    assert [pause / 60 for pause in SCHEDULE[1:3]] == [5, 30]
    assert [pause / 3600 for pause in SCHEDULE[3:]] == [2, 5, 10, 14, 20, 24]
    assert next_try(1, None, 1.0) == pytest.approx(5.5)
    assert next_try(1, 90.0, 0.0) == 90.0
    assert next_try(2, 90.0, 0.0) == 300.0
    assert next_try(10, 90.0, 0.0) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://a.lan:81/x?y#z", "http://a.lan:81"), ("https://a.lan", "https://a.lan"), ("http://a.lan?x", "http://a.lan")],
)
def test_origin(url: str, expected: str) -> None:
    assert origin(url) == expected
    assert url.startswith(origin(url))

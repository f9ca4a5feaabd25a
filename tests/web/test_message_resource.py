"""A message as the API shows it: every state, and what is not known is null."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.job import AttemptRecord, Direction, Door, Job, Kind, Reason, Recipient, RecipientState, State
from mmsproxy.post.records import Event, Media, Message
from mmsproxy.web.message_resource import Context, attempt, event, iso, parts_of, resource, status_name
from mmsproxy.web.shapes import AttemptOut, EventOut, MessageOut

AT = 1_800_000_000.0
PDU = bytes.fromhex("8c80 98543100 8d92 8901 81 97") + b"+16195550123/TYPE=PLMN\0" + bytes.fromhex("8483") + b"hello"


def message(state: State = State.QUEUED, **more: Any) -> Message:
    job = Job(1, "msg_1", Door.API, Kind.MMS, state, AT, AT + 1, AT + 3600, 3600.0, line="one", due_at=AT)
    job = replace(job, **more.pop("job", {}))
    given = {"recipients": (Recipient(0, "+16195550123"),), "text": "hello", "size": 300, **more}
    return Message(job, **given)


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_the_documented_form(state: State) -> None:
    shown = resource(message(state), Context())
    MessageOut.model_validate(shown)
    assert shown["status"] == state.value
    assert shown["to"][0]["status"] == ("unknown" if state is State.PARTIAL else state.value)


def test_what_is_known_before_anything_was_tried() -> None:
    shown = resource(message(), Context(ahead=3, estimated=AT + 30, size_limit=1_048_576))
    assert (shown["queue_position"], shown["estimated_send_at"], shown["size_limit"]) == (4, "2027-01-15T08:00:30.000Z", 1_048_576)
    for name in ("carrier", "error", "timings", "parts", "send_at", "replaced_by", "batch_id", "settled_by"):
        assert shown[name] is None
    assert (shown["created_at"], shown["changed_at"], shown["expires_at"]) == (iso(AT), iso(AT + 1), iso(AT + 3600))


def test_a_scheduled_message_shows_when() -> None:
    assert resource(message(State.SCHEDULED), Context())["send_at"] == iso(AT)


def test_recipients_have_their_own_states() -> None:
    people = tuple(Recipient(n, f"+1619555012{n}", state) for n, state in enumerate(RecipientState))
    shown = resource(message(State.SENT, recipients=people), Context())
    assert [person["status"] for person in shown["to"]] == ["sent", "delivered", "read", "undelivered"]


def test_the_carriers_answer_and_the_error() -> None:
    error = Reason("mmsc_error", "no credit", False, Phase.ANSWER_WHOLE, 0xE0, 200)
    tried = AttemptRecord(1, "one", AT, Phase.ANSWER_WHOLE, response_status=0xE0, timings={"total": 1.5})
    shown = resource(message(State.FAILED, job={"error": error, "attempts": 1}, response_text="sorry"), Context((tried,)))
    MessageOut.model_validate(shown)
    assert shown["carrier"] == {
        "message_id": None,
        "response_status": 0xE0,
        "response_status_name": "Error-permanent-failure",
        "response_text": "sorry",
    }
    assert shown["error"]["phase"] == "answer_whole"
    assert shown["timings"] == {"total": 1.5}


@pytest.mark.parametrize(("status", "name"), [(128, "Ok"), (0xC5, "Reserved"), (0, "Reserved")])
def test_names_of_statuses(status: int, name: str) -> None:
    assert status_name(status) == name


def test_sms_parts_are_counted_for_an_mms_only() -> None:
    long = message(text="a" * 827)
    assert (resource(long, Context())["sms_parts_saved"], resource(long, Context())["sms_encoding"]) == (6, "gsm7")
    sms = replace(long, job=replace(long.job, kind=Kind.SMS))
    assert resource(sms, Context())["sms_parts_saved"] == 0
    bare = resource(message(text=None, media=(Media(0, "image/jpeg", "a.jpg", 5, "ff"),)), Context())
    assert (bare["text_chars"], bare["sms_encoding"], bare["media"]) == (
        0,
        None,
        [{"n": 0, "content_type": "image/jpeg", "filename": "a.jpg", "size": 5}],
    )
    assert "ff" not in str(bare["media"])


def test_parts_are_those_of_the_pdu() -> None:
    shown = resource(message(), Context(pdu=PDU))
    assert (shown["size"], shown["parts"]) == (len(PDU), [{"n": 0, "content_type": "text/plain", "size": 5}])
    assert parts_of(b"\x8c\x80\xff") is None
    assert parts_of(None) is None


def test_an_inbound_message_has_a_sender() -> None:
    inbound = message(State.RECEIVED, job={"direction": Direction.INBOUND}, sender="+16195550199")
    shown = resource(inbound, Context())
    MessageOut.model_validate(shown)
    assert (shown["from"], shown["received_at"]) == ("+16195550199", iso(AT + 1))
    assert "from" not in resource(message(), Context())


def test_warnings_of_attempts_are_explained() -> None:
    shown = resource(message(warnings=({"code": "no_message_id"}, {"code": "image_shrunk", "from": 9, "to": 5})), Context())
    MessageOut.model_validate(shown)
    assert shown["warnings"][0]["detail"].startswith("the carrier gave no Message-ID")
    assert shown["warnings"][1] == {"code": "image_shrunk", "from": 9, "to": 5}


def test_events_and_attempts_have_their_form() -> None:
    EventOut.model_validate(event(Event(1, "evt_1", "message.sent", AT, "msg_1", "one", {"id": "msg_1"})))
    AttemptOut.model_validate(attempt(AttemptRecord(1, "one", AT, Phase.OPEN)))
    ended = AttemptRecord(1, "one", AT, Phase.LAST_BYTE, AT + 1, AT + 2, Outcome.UNKNOWN, "answer_timeout", "no answer", 5, 5, 1)
    shown = attempt(ended)
    AttemptOut.model_validate(shown)
    assert (shown["phase"], shown["outcome"], shown["last_byte_at"]) == ("last_byte", "unknown", iso(AT + 1))

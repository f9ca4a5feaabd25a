"""Twilio's words for what the store knows: ids both ways, states, codes, callbacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.deserialize import rfc2822_datetime
from twilio.request_validator import RequestValidator
from twilio.rest.api.v2010.account.message import MessageInstance

from mmsproxy.message.model import Mistake
from mmsproxy.post.ids import RANDOM_BYTES, ulid
from mmsproxy.post.job import Direction, Door, Job, Kind, Reason, Recipient, State
from mmsproxy.post.records import Message
from mmsproxy.web import twilio_form
from mmsproxy.web.twilio_form import STATUS, callback, error_code, id_of, refusal_code, resource, rfc2822, sid_of, signature

ID = "msg_" + ulid(1_800_000_000_000, bytes(range(10)))


def message(state: State = State.QUEUED, **fields: Any) -> Message:
    times = {"created_at": 1_800_000_000.0, "changed_at": 1_800_000_001.0, "expires_at": 1_800_003_600.0, "valid_for": 3600.0}
    made: dict[str, Any] = {"seq": 1, "id": ID, "door": Door.API, "kind": Kind.MMS, "state": state, **times}
    job = Job(**{**made, **{name: fields.pop(name) for name in ("kind", "direction", "error") if name in fields}})
    usual = {"recipients": (Recipient(0, "+16195550123"),), "text": "hello", "metadata": {"twilio.account_sid": "AC1"}}
    return Message(job, **{**usual, **fields})


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES), st.sampled_from(Kind))
def test_a_sid_is_the_id_both_ways(moment: int, random: bytes, kind: Kind) -> None:
    made = "msg_" + ulid(moment, random)
    sid = sid_of(made, kind)
    assert (len(sid), sid[:2]) == (34, "MM" if kind is Kind.MMS else "SM")
    assert id_of(sid) == made
    assert id_of(sid[:2] + sid[2:].upper()) == made


@pytest.mark.parametrize("wrong", ["", "MM", "MM" + "0" * 31, "MM" + "0" * 33, "AC" + "0" * 32, "MM" + "g" * 32, "MM" + "0" * 32 + "\n"])
def test_what_is_no_sid(wrong: str) -> None:
    assert id_of(wrong) is None


@pytest.mark.parametrize("wrong", ["", "msg_1", "evt_" + ID[4:], "msg_8" + ID[5:], ID + "0"])
def test_what_is_no_id(wrong: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        sid_of(wrong, Kind.MMS)


def test_every_state_has_a_word_that_the_sdk_knows() -> None:
    known = {value for name, value in vars(MessageInstance.Status).items() if not name.startswith("_")}
    assert set(STATUS) == set(State)
    assert set(STATUS.values()) <= known


def test_only_the_unknown_is_30008() -> None:
    assert [state for state in State if error_code(state, None) == 30008] == [State.UNKNOWN]
    assert error_code(State.EXPIRED, None) == 30036
    assert error_code(State.FAILED, Reason("mmsc_error", "x", response_status=0xE3)) == 30005
    assert error_code(State.FAILED, Reason("mmsc_error", "x", response_status=0xE0)) == 30004
    assert error_code(State.SENT, None) is None


def test_a_message() -> None:
    shown = resource(message(), "AC 1/2", number="+15550100000", sent_at=None)
    sid = sid_of(ID, Kind.MMS)
    assert shown == {
        "sid": sid,
        "account_sid": "AC 1/2",
        "api_version": "2010-04-01",
        "messaging_service_sid": None,
        "direction": "outbound-api",
        "from": "+15550100000",
        "to": "+16195550123",
        "body": "hello",
        "num_segments": "1",
        "num_media": "0",
        "status": "queued",
        "error_code": None,
        "error_message": None,
        "date_created": "Fri, 15 Jan 2027 08:00:00 +0000",
        "date_updated": "Fri, 15 Jan 2027 08:00:01 +0000",
        "date_sent": None,
        "price": None,
        "price_unit": "USD",
        "uri": f"/2010-04-01/Accounts/AC%201%2F2/Messages/{sid}.json",
        "subresource_uris": {},
    }
    assert rfc2822_datetime(rfc2822(1_800_000_000.0)).timestamp() == 1_800_000_000.0  # type: ignore[union-attr] # their own reader


def test_segments_of_an_sms_and_who_sent_what_came_in() -> None:
    assert resource(message(kind=Kind.SMS, text="a" * 161), "AC1", number=None, sent_at=None)["num_segments"] == "2"
    inbound = resource(message(direction=Direction.INBOUND, sender="+1999", state=State.RECEIVED), "AC1", number="+1", sent_at=None)
    assert (inbound["direction"], inbound["from"], inbound["status"]) == ("inbound", "+1999", "received")


def test_an_unknown_outcome_says_what_it_means() -> None:
    shown = resource(message(State.UNKNOWN, error=Reason("answer_timeout", "no answer came")), "AC1", number=None, sent_at=None)
    assert (shown["status"], shown["error_code"]) == ("failed", 30008)
    assert "may have been sent" in shown["error_message"]
    assert "no answer came" in shown["error_message"]


def test_a_callback_tells_the_state_of_its_event_not_the_present_one() -> None:
    now = message(State.FAILED, error=Reason("mmsc_error", "no credit"))
    assert callback(now, State.SENDING) == {
        "MessageSid": sid_of(ID, Kind.MMS),
        "SmsSid": sid_of(ID, Kind.MMS),
        "MessageStatus": "sending",
        "SmsStatus": "sending",
        "To": "+16195550123",
        "From": "",
        "AccountSid": "AC1",
        "ApiVersion": "2010-04-01",
    }
    failed = callback(replace(now, metadata={"twilio.account_sid": "AC1", "twilio.from": "one"}), State.FAILED)
    assert (failed["From"], failed["ErrorCode"], failed["ErrorMessage"]) == ("one", "30004", "no credit")
    assert callback(now, State.UNKNOWN)["ErrorCode"] == "30008"


def test_their_own_validator_accepts_the_signature() -> None:
    fields, url = callback(message(text="caf\u00e9"), State.SENT), "https://script.example/hook?x=1"
    assert RequestValidator("whsec_abc").validate(url, fields, signature("whsec_abc", url, fields))
    assert not RequestValidator("whsec_abd").validate(url, fields, signature("whsec_abc", url, fields))


def test_codes_of_refusals() -> None:
    assert refusal_code("invalid_request", (Mistake("/to", "missing", ""),)) == 21604
    assert refusal_code("invalid_number", (Mistake("/to/0", "invalid_number", ""),)) == 21211
    assert refusal_code("too_large", (Mistake("/media/1", "too_large", ""),)) == 21620
    assert refusal_code("invalid_request", (Mistake("/valid_for", "out_of_range", ""),)) == twilio_form.INVALID
    assert refusal_code("rate_limited") == 20429

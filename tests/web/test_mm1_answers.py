"""The gateway's own answers, octet by octet against mm1.md section 5."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mmsproxy.carrier.attempt import Answer, Attempt, Outcome, Timings
from mmsproxy.errors import ConnectError, HeaderError, MmsproxyError, PortError
from mmsproxy.link import Phase
from mmsproxy.web import mm1_answers as answers
from mmsproxy.wire.mms_pdu import SendConf

SEND = bytes.fromhex("8c80 98543100 8d92 890181 97 2b313535353132333030303000 84a300")
T1 = answers.Head(0x80, b"T1", b"\x92")


@pytest.mark.parametrize(
    ("pdu", "head"),
    [
        (SEND, T1),
        (bytes.fromhex("8c80 98543100 8d90"), answers.Head(0x80, b"T1", b"\x90")),
        (bytes.fromhex("8c80 98543100"), answers.Head(0x80, b"T1", b"\x90")),  # no version: the lowest
        (bytes.fromhex("8c80 8d93 850469223680 89 01 81 98543100"), answers.Head(0x80, b"T1", b"\x93")),  # Tid late
        (bytes.fromhex("8c80 8d312e3300 98543100"), answers.Head(0x80, b"T1", b"1.3\0")),  # the version as text
        (bytes.fromhex("8c80 582d4100 7600 98543100 8d92"), T1),  # a textual header before it
        (bytes.fromhex("8c80 96 1f 03 ea 410098 543100 8d92"), answers.Head(0x80, b"T1", b"\x92")),  # a long value is skipped whole
        (bytes.fromhex("8c80 96 c3a900 98543100 8d92"), T1),  # unquoted UTF-8 in a text field
        (bytes.fromhex("8c80 9800 8d92"), answers.Head(0x80, b"", b"\x92")),
        (bytes.fromhex("8c80 98543100 8d92 98543200"), T1),  # the first counts
        (bytes.fromhex("8c89 98543100 8d92"), answers.Head(0x89, b"T1", b"\x92")),
        (bytes.fromhex("8c80"), answers.Head(0x80, None, b"\x90")),
        (bytes.fromhex("8c80 985431"), answers.Head(0x80, None, b"\x90")),  # cut in the Tid
        (bytes.fromhex("8c80 98 02 5400 8d92"), answers.Head(0x80, None, b"\x92")),  # no text
        (bytes.fromhex("8c80 84a300 98543100"), answers.Head(0x80, None, b"\x90")),  # behind the body's begin
        (bytes.fromhex("8c80 96 1e 41 98543100"), answers.Head(0x80, None, b"\x90")),  # a length beyond the data
        (b"8c" + SEND, None),
        (b"<html>", None),
        (b"\x8c", None),
        (b"", None),
    ],
)
def test_the_head_is_read_by_the_skip_rule(pdu: bytes, head: answers.Head | None) -> None:
    assert answers.head_of(pdu) == head


def test_the_head_of_a_cut_pdu_is_known_from_the_transaction_id_on() -> None:
    for end in range(len(SEND)):
        head = answers.head_of(SEND[:end])
        assert (head.transaction_id if head else None) == (b"T1" if end >= 6 else None), end


def test_the_head_never_raises() -> None:
    dice = random.Random(20240607)
    for _ in range(3000):
        pdu = b"\x8c\x80" + dice.randbytes(dice.randrange(40))
        head = answers.head_of(pdu)
        assert head is not None
        assert head.kind == 0x80


def test_an_overlong_transaction_id_is_not_sent_back() -> None:
    head = answers.head_of(b"\x8c\x80\x98" + b"A" * 5000 + b"\0\x8d\x92")
    assert head == answers.Head(0x80, None, b"\x92")


def test_send_conf_is_laid_as_the_contract_says() -> None:
    assert answers.send_conf(T1, 0xE0, "at most 5 bytes") == bytes.fromhex("8c81 98543100 8d92 92e0 93") + b"at most 5 bytes\0"


def test_a_forward_req_gets_a_forward_conf() -> None:
    conf = answers.send_conf(answers.Head(0x89, b"T1", b"\x91"), 0xC3, "down")
    assert conf == bytes.fromhex("8c8a 98543100 8d91 92c3 93") + b"down\0"


def test_a_response_text_is_plain_ascii_of_one_line() -> None:
    assert answers.one_line("Gr\u00fc\u00dfe\r\nX: y\0z") == b"Gr??e X: y?z"
    assert answers.one_line("") == b"?"
    assert len(answers.one_line("x" * 1000)) == answers.MAX_TEXT


def test_a_refusal_has_the_conf_as_body_and_never_a_message_id() -> None:
    reply = answers.refusal(T1, 503, 0xC3, "modem down", retry_after=12.2)
    assert reply.status == 503
    assert dict(reply.headers) == {"Content-Type": answers.MMS_MESSAGE, "X-Mmsproxy-Origin": "gateway", "Retry-After": "13"}
    assert reply.body == answers.send_conf(T1, 0xC3, "modem down")
    assert b"\x8b" not in reply.body


@pytest.mark.parametrize("head", [None, answers.Head(0x80, None, b"\x92"), answers.Head(0x83, b"N1", b"\x92")])
def test_without_a_transaction_id_or_for_other_types_the_refusal_is_text(head: answers.Head | None) -> None:
    reply = answers.refusal(head, 400, 0xE2, "malformed")
    assert reply.body == b"malformed\n"
    assert dict(reply.headers) == {"Content-Type": "text/plain; charset=utf-8", "X-Mmsproxy-Origin": "gateway"}


@pytest.mark.parametrize(("estimate", "seconds"), [(-1, 5), (0, 5), (5, 5), (5.01, 6), (59.5, 60), (60, 60), (1e9, 60)])
def test_retry_after_is_whole_seconds_between_5_and_60(estimate: float, seconds: int) -> None:
    assert answers.retry_seconds(estimate) == seconds


def attempt(**changes: object) -> Attempt:
    good = Attempt(Outcome.SENT, Phase.ANSWER_WHOLE, "", "fine", Timings(), 9, 9)
    return replace(good, **changes)  # type: ignore[arg-type] # the rows below name fields of Attempt


def conf(status: int) -> SendConf:
    return SendConf(transaction_id="T1", response_status=status)


ANSWER = Answer(200, (("Content-Type", "a/b"),), b"body")


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"conf": conf(0x80), "answer": ANSWER}, 3600),
        ({"outcome": Outcome.PARTIAL, "conf": conf(0xC4), "answer": ANSWER}, 3600),
        ({"outcome": Outcome.UNKNOWN}, 86400),
        ({"outcome": Outcome.UNKNOWN, "conf": conf(0x80), "answer": ANSWER}, 86400),
        ({"outcome": Outcome.REFUSED, "conf": conf(0xE0), "answer": ANSWER}, 600),
        ({"outcome": Outcome.REFUSED, "conf": conf(0x86), "answer": ANSWER}, 600),
        ({"outcome": Outcome.REFUSED, "conf": conf(0xC0), "answer": ANSWER}, 0),
        ({"outcome": Outcome.REFUSED, "answer": ANSWER}, 0),
        ({"outcome": Outcome.NOT_SENT}, 0),
        ({"outcome": Outcome.NOT_SENT, "conf": conf(0xE0), "answer": ANSWER}, 0),
    ],
)
def test_how_long_an_outcome_is_kept_is_section_6(changes: dict[str, object], seconds: float) -> None:
    assert answers.keep_seconds(attempt(**changes)) == seconds


@pytest.mark.parametrize(("status", "response_status"), [(400, 0xE0), (499, 0xE0), (301, 0xC3), (501, 0xC3)])
def test_a_carriers_http_refusal_is_never_ours(status: int, response_status: int) -> None:
    refused = attempt(outcome=Outcome.REFUSED, answer=replace(ANSWER, status=status), detail=f"the MMSC refused with HTTP {status}")
    reply = answers.reply_to(refused, T1, "msg_1")
    assert (reply.status, reply.cause) == (502, f"the MMSC refused with HTTP {status} [msg_1]")
    assert reply.body == answers.send_conf(T1, response_status, reply.cause)


def test_a_cause_that_is_too_long_is_cut_before_the_id() -> None:
    reply = answers.reply_to(attempt(outcome=Outcome.UNKNOWN, detail="x" * 1000), T1, "msg_0123456789abcdef")
    assert reply.cause.endswith("x [msg_0123456789abcdef]")
    assert len(reply.cause) == answers.MAX_TEXT


@pytest.mark.parametrize("status", [0xC0, 0xC3, 0xC4, 0x82, 0xE0, 0xEB])
@pytest.mark.parametrize(("as_error", "http"), [(True, 502), (False, 200)])
def test_only_a_refusal_is_turned_into_an_http_error_and_only_when_asked(status: int, as_error: bool, http: int) -> None:
    refused = attempt(outcome=Outcome.REFUSED, conf=conf(status), answer=ANSWER)
    assert answers.reply_to(refused, T1, "msg_1", rejected_as_http_error=as_error) == answers.Reply(
        http, b"body", (("Content-Type", "a/b"),)
    )
    accepted = attempt(conf=conf(0x80), answer=ANSWER)
    assert answers.reply_to(accepted, T1, "msg_1", rejected_as_http_error=as_error).status == 200


def test_the_gateways_own_words_are_never_a_success() -> None:
    for outcome in (Outcome.REFUSED, Outcome.NOT_SENT, Outcome.UNKNOWN):
        for error in (None, ConnectError("x"), PortError("x"), HeaderError("x"), MmsproxyError("x")):
            reply = answers.reply_to(attempt(outcome=outcome, error=error), T1, "msg_1")
            assert reply.status >= 400
            assert ("X-Mmsproxy-Origin", "gateway") in reply.headers

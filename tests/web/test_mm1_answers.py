"""The gateway's own answers, octet by octet against mm1.md section 5."""

from __future__ import annotations

import random

import pytest

from mmsproxy.carrier.attempt import Answer, Attempt, Outcome, Timings
from mmsproxy.link import Phase
from mmsproxy.web import mm1_answers as answers

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


def test_the_one_success_of_our_own_has_a_message_id() -> None:
    reply = answers.accepted(T1, "mmsproxy-msg_1")
    assert (reply.status, reply.body) == (200, bytes.fromhex("8c81 98543100 8d92 9280 8b") + b"mmsproxy-msg_1\0")
    assert ("X-Mmsproxy-Origin", "gateway") in reply.headers
    assert answers.accepted(answers.Head(0x89, None, b"\x91"), "m").body == bytes.fromhex("8c8a 9800 8d91 9280 8b6d00")


@pytest.mark.parametrize(
    ("code", "http_status", "status", "response_status", "retry_after"),
    [
        ("mmsc_http", 400, 502, 0xE0, None),
        ("mmsc_http", 499, 502, 0xE0, None),
        ("mmsc_http", 301, 502, 0xC3, None),
        ("mmsc_http", 501, 502, 0xC3, None),
        ("connect_failed", None, 502, 0xC3, None),
        ("peer_reset", None, 502, 0xC3, None),
        ("answer_timeout", None, 502, 0xC3, None),
        ("port", None, 503, 0xC3, "30"),
        ("modem_lost", None, 503, 0xC3, "30"),
        ("registration", None, 503, 0xC3, "30"),
        ("pdp_failed", None, 503, 0xC3, "30"),
        ("sim", None, 503, 0xC3, "30"),
        ("stopping", None, 503, 0xC3, "30"),
        ("lease_lost", None, 503, 0xC3, "30"),
        ("expired", None, 503, 0xC3, "30"),
        ("unavailable", None, 503, 0xC3, "30"),
        ("insufficient_storage", None, 503, 0xC3, "30"),
        ("http_header", None, 400, 0xE2, None),
        ("internal", None, 500, 0xC3, None),
        ("crashed", None, 500, 0xC3, None),
    ],
)
def test_a_definite_failure_is_worded_by_its_code(
    code: str, http_status: int | None, status: int, response_status: int, retry_after: str | None
) -> None:
    reply = answers.failed(T1, code, http_status, "why [msg_1]")
    assert (reply.status, reply.cause, dict(reply.headers).get("Retry-After")) == (status, "why [msg_1]", retry_after)
    assert reply.body == answers.send_conf(T1, response_status, "why [msg_1]")


def test_a_cause_that_is_too_long_is_cut_before_the_id() -> None:
    cause = answers.with_id("x" * 1000, "msg_0123456789abcdef")
    assert cause.endswith("x [msg_0123456789abcdef]")
    assert len(cause) == answers.MAX_TEXT


def test_the_carriers_octets_pass_and_its_odd_headers_do_not() -> None:
    reply = answers.passed_on(b"body", (("X-Odd", "\udcfc"), ("X-Good", "1")), 200)
    assert reply == answers.Reply(200, b"body", (("X-Good", "1"), ("Content-Type", answers.MMS_MESSAGE)))
    assert answers.passed_on(b"", (), 204).headers == ()


@pytest.mark.parametrize(
    ("attempt", "status"),
    [
        (Attempt(Outcome.SENT, Phase.ANSWER_WHOLE, "", "", Timings(), 9, 9, answer=Answer(204, (), b"")), 200),
        (Attempt(Outcome.UNKNOWN, Phase.LAST_BYTE, "answer_timeout", "silent", Timings(), 9, 9), 504),
        (Attempt(Outcome.REFUSED, Phase.ANSWER_WHOLE, "mmsc_http", "404", Timings(), 9, 9, answer=Answer(404, (), b"")), 502),
        (Attempt(Outcome.NOT_SENT, Phase.NO_BEARER, "port", "no modem", Timings(), 0, 9), 503),
    ],
)
def test_a_response_gets_the_carriers_answer_or_a_line_of_text(attempt: Attempt, status: int) -> None:
    reply = answers.reply_to_response(attempt, answers.Head(0x83, b"N1", b"\x92"), "pdu_1")
    assert reply.status == status
    assert reply.body == b"" if status == 200 else reply.body.endswith(b"[pdu_1]\n")


def test_the_gateways_own_words_are_never_a_success() -> None:
    codes = ["", "internal", "port", "connect_failed", "http_header", "unavailable", "mmsc_http"]
    made = [answers.failed(T1, code, http, "x") for code in codes for http in (None, 200, 302, 404, 500)]
    for reply in (*made, answers.busy(T1, "x", 1.0), answers.in_doubt(T1, "x")):
        assert reply.status >= 400
        assert ("X-Mmsproxy-Origin", "gateway") in reply.headers
        assert b"\x8b" not in reply.body

"""The judge: mm1.md 5.4 and mms.md 17, clause by clause. Pure, no loop."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mmsproxy.carrier.attempt import (
    KEPT_BODY,
    Answer,
    Attempt,
    Awaited,
    Outcome,
    StatusClass,
    Timings,
    Trial,
    doubtful,
    is_refusal,
    judge,
    not_attempted,
    status_class,
)
from mmsproxy.errors import AnswerTimeout, BearerError, LineStopped, LinkLost, MmsproxyError, NonMmsAnswer, PeerReset, SimError
from mmsproxy.link import Phase

HTML = b"<html><body>no credit</body></html>"


def trial(body: bytes | None = None, *, status: int = 200, phase: Phase = Phase.ANSWER_WHOLE, error: MmsproxyError | None = None) -> Trial:
    answer = None if body is None else Answer(status, (("Content-Type", "text/html"),), body)
    offered = 100 if phase >= Phase.LAST_BYTE else 40
    return Trial(phase, answer, error, Timings(total=1.0), offered, 100)


def end(attempt: Attempt) -> tuple[Outcome, str]:
    return attempt.outcome, attempt.code


@pytest.mark.parametrize("http", [200, 201, 400, 404, 408, 500, 502, 503])
def test_ok_is_ok_whatever_the_http_status(make: SimpleNamespace, http: int) -> None:
    attempt = judge(trial(make.conf(), status=http), transaction_id="T1")
    assert end(attempt) == (Outcome.SENT, "")
    assert attempt.message_id == "m-1@mmsc"
    assert attempt.status_class is StatusClass.OK
    assert not attempt.retryable
    assert attempt.warnings == ()


@pytest.mark.parametrize("http", [200, 403, 500])
def test_the_responses_own_class_decides_whatever_the_http_status(make: SimpleNamespace, http: int) -> None:
    expected = {
        StatusClass.OK: (Outcome.SENT, "", False),
        StatusClass.PARTIAL: (Outcome.PARTIAL, "partial", False),
        StatusClass.TRANSIENT: (Outcome.REFUSED, "mmsc_error", True),
        StatusClass.PERMANENT: (Outcome.REFUSED, "mmsc_error", False),
    }
    for status in range(0x80, 0x100):
        attempt = judge(trial(make.conf(status=status), status=http), transaction_id="T1")
        assert (attempt.outcome, attempt.code, attempt.retryable) == expected[status_class(status)], hex(status)


def test_every_octet_has_its_class() -> None:
    classes = {status: status_class(status) for status in range(256)}
    assert [status for status, kind in classes.items() if kind is StatusClass.OK] == [0x80]
    assert [status for status, kind in classes.items() if kind is StatusClass.PARTIAL] == [0xC4]
    assert {status for status, kind in classes.items() if kind is StatusClass.TRANSIENT} == {*range(0xC0, 0xC4), *range(0xC5, 0xE0)}


def test_ok_without_message_id_is_sent_with_a_warning(make: SimpleNamespace) -> None:
    attempt = judge(trial(make.conf(message_id=None)), transaction_id="T1")
    assert attempt.outcome is Outcome.SENT
    assert attempt.warnings == ("no_message_id",)


@pytest.mark.parametrize("tid", ["T2", "t1", "T1 "])
def test_ok_to_a_foreign_transaction_proves_nothing(make: SimpleNamespace, tid: str) -> None:
    attempt = judge(trial(make.conf(tid)), transaction_id="T1")
    assert end(attempt) == (Outcome.UNKNOWN, "tid_mismatch")
    assert attempt.answer is not None
    assert attempt.answer.body == make.conf(tid)


def test_a_request_without_a_transaction_id_takes_any(make: SimpleNamespace) -> None:
    assert judge(trial(make.conf("whatever"))).outcome is Outcome.SENT


def test_a_refusal_of_a_foreign_transaction_is_still_a_refusal(make: SimpleNamespace) -> None:
    assert judge(trial(make.conf("T2", status=0xE0)), transaction_id="T1").outcome is Outcome.REFUSED


def test_response_text_is_one_safe_line(make: SimpleNamespace) -> None:
    attempt = judge(trial(make.conf(status=0xE1, text=b"no\r\ncredit \x07 left")), transaction_id="T1")
    assert "no credit left" in attempt.detail
    assert "\n" not in attempt.detail


REFUSING = [300, 301, 302, 304, 307, 308, *range(400, 408), *range(409, 420), 429, 451, 499, 501, 505, 511]
NO_PROOF = [100, 200, 201, 202, 204, 206, 408, 500, 502, 503, 504, 506, 507, 508, 510, 599]


@pytest.mark.parametrize("http", REFUSING)
@pytest.mark.parametrize("body", [b"", HTML, b"\x8c\x81", b"\x8c\x84\x92\x80"])
def test_definite_refusals(http: int, body: bytes) -> None:
    attempt = judge(trial(body, status=http), transaction_id="T1")
    assert end(attempt) == (Outcome.REFUSED, "mmsc_http")
    assert attempt.retryable is (http == 429)
    assert is_refusal(http)


@pytest.mark.parametrize("http", NO_PROOF)
@pytest.mark.parametrize("body", [b"", HTML, b"Received", b"\x8c\x81\x98T1"])
def test_the_rest_is_unknown_after_the_whole_body(http: int, body: bytes) -> None:
    attempt = judge(trial(body, status=http), transaction_id="T1")
    assert end(attempt) == (Outcome.UNKNOWN, "non_mms_answer")
    assert not attempt.retryable
    assert not is_refusal(http)


@pytest.mark.parametrize("phase", [Phase.NO_BEARER, Phase.OPEN, Phase.PART_OFFERED])
@pytest.mark.parametrize("error", [LinkLost("gone"), PeerReset("reset"), BearerError("no"), None])
def test_not_sent_before_the_last_byte(phase: Phase, error: MmsproxyError | None) -> None:
    attempt = judge(trial(phase=phase, error=error))
    assert attempt.outcome is Outcome.NOT_SENT
    assert attempt.code == (error.code if error else "link")
    assert attempt.retryable
    assert attempt.phase is phase


def test_a_fault_that_time_does_not_cure_is_not_retryable() -> None:
    assert not judge(trial(phase=Phase.NO_BEARER, error=SimError("no SIM"))).retryable


@pytest.mark.parametrize(
    ("http", "body", "retryable"), [(413, HTML, False), (403, b"", False), (200, HTML, True), (500, b"", True), (429, b"", True)]
)
def test_not_sent_whatever_came_back_early(http: int, body: bytes, retryable: bool) -> None:
    attempt = judge(trial(body, status=http, phase=Phase.PART_OFFERED))
    assert end(attempt) == (Outcome.NOT_SENT, "mmsc_http")
    assert attempt.retryable is retryable
    assert f"{http}" in attempt.detail
    assert attempt.answer is not None


def test_an_early_ok_is_no_ok(make: SimpleNamespace) -> None:
    attempt = judge(trial(make.conf(), phase=Phase.PART_OFFERED), transaction_id="T1")
    assert attempt.outcome is Outcome.NOT_SENT
    assert attempt.conf is not None


@pytest.mark.parametrize("phase", [Phase.LAST_BYTE, Phase.ALL_ACKED])
@pytest.mark.parametrize("error", [LinkLost("gone"), PeerReset("reset"), AnswerTimeout("90 s")])
def test_unknown_after_the_last_byte(phase: Phase, error: MmsproxyError) -> None:
    attempt = judge(trial(phase=phase, error=error))
    assert end(attempt) == (Outcome.UNKNOWN, error.code)
    assert not attempt.retryable


def test_a_cut_answer_is_unknown_even_with_a_refusing_status() -> None:
    attempt = judge(trial(b"\x8c\x81\x98T1", status=404, phase=Phase.ANSWER_BEGUN, error=PeerReset("cut")), transaction_id="T1")
    assert end(attempt) == (Outcome.UNKNOWN, "peer_reset")


def test_a_cut_answer_that_holds_the_confirmation_decides(make: SimpleNamespace) -> None:
    attempt = judge(trial(make.conf(), phase=Phase.ANSWER_BEGUN, error=PeerReset("cut")), transaction_id="T1")
    assert attempt.outcome is Outcome.SENT
    assert attempt.warnings == ("answer_cut",)


@pytest.mark.parametrize(("http", "outcome"), [(200, Outcome.UNKNOWN), (500, Outcome.UNKNOWN), (404, Outcome.REFUSED)])
def test_too_long_an_answer_is_judged_by_its_status(http: int, outcome: Outcome) -> None:
    assert judge(trial(HTML, status=http, error=NonMmsAnswer("too long"))).outcome is outcome


def test_4_kib_of_an_answer_that_is_none_are_kept(make: SimpleNamespace) -> None:
    attempt = judge(trial(b"x" * 10_000, status=500))
    assert attempt.answer is not None
    assert attempt.answer.body == b"x" * KEPT_BODY
    padded = make.conf(more=b"X-Pad\0" + b"y" * 10_000 + b"\0")
    assert judge(trial(padded)).answer == Answer(200, (("Content-Type", "text/html"),), padded)


def test_the_awaited_type_counts(make: SimpleNamespace) -> None:
    forward = make.conf(forward=True)
    assert judge(trial(forward), awaited=Awaited.FORWARD_CONF, transaction_id="T1").outcome is Outcome.SENT
    assert judge(trial(forward), transaction_id="T1").outcome is Outcome.UNKNOWN
    assert judge(trial(make.conf()), awaited=Awaited.FORWARD_CONF, transaction_id="T1").outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(("http", "outcome"), [(200, Outcome.SENT), (204, Outcome.SENT), (404, Outcome.REFUSED), (500, Outcome.UNKNOWN)])
def test_what_awaits_no_confirmation(http: int, outcome: Outcome) -> None:
    attempt = judge(trial(b"Received", status=http), awaited=Awaited.NOTHING)
    assert attempt.outcome is outcome
    assert attempt.conf is None
    assert attempt.warnings == ()


def test_made_without_a_trial() -> None:
    stopped = not_attempted(LineStopped("stopped"), size=7, timings=Timings())
    assert (stopped.outcome, stopped.code, stopped.phase, stopped.bytes_total) == (Outcome.NOT_SENT, "stopping", Phase.NO_BEARER, 7)
    ours = doubtful(MmsproxyError("bug"), size=7, timings=Timings())
    assert (ours.outcome, ours.code, ours.phase) == (Outcome.UNKNOWN, "internal", Phase.LAST_BYTE)


def test_header_lookup() -> None:
    answer = Answer(200, (("X-A", "1"), ("x-a", "2")), b"")
    assert answer.header("X-a") == "1"
    assert answer.header("x-b") is None

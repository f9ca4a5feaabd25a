"""Attempts as the carrier's room judges them, in the words of the post office."""

from __future__ import annotations

import pytest

from mmsproxy.carrier.attempt import Answer, Outcome, Timings, Trial, judge, not_attempted
from mmsproxy.errors import AnswerTimeout, ConnectError, HeaderError, LineStopped, LinkLost, MediaLost, MmsproxyError, SimError
from mmsproxy.link import Phase
from mmsproxy.post.job import LeaseLost
from mmsproxy.post.outcome import broken_off, not_made, result_of

OK = b"\x8c\x81\x98T1\x00\x8d\x92\x92\x80\x8bm-1\x00"
BUSY = b"\x8c\x81\x98T1\x00\x8d\x92\x92\xc0\x93later\x00"
TIMES = Timings(waiting=1.00049, total=2.5)


def trial(phase: Phase, body: bytes | None = None, error: MmsproxyError | None = None, status: int = 200) -> Trial:
    headers = (("Content-Type", "application/vnd.wap.mms-message"), ("Connection", "close"), ("X-Odd", "\udcff"))
    return Trial(phase, None if body is None else Answer(status, headers, body), error, TIMES, 7, 10)


def test_accepted() -> None:
    result = result_of(judge(trial(Phase.ANSWER_WHOLE, OK), transaction_id="T1"))
    assert (result.outcome, result.code, result.error) == (Outcome.SENT, "", None)
    assert (result.response_status, result.http_status, result.carrier_message_id) == (0x80, 200, "m-1")
    assert (result.answer, result.answer_headers) == (OK, (("Content-Type", "application/vnd.wap.mms-message"), ("X-Odd", "\udcff")))
    assert (result.bytes_offered, result.bytes_total, result.timings["waiting"], result.timings["total"]) == (7, 10, 1.0, 2.5)


def test_refused() -> None:
    result = result_of(judge(trial(Phase.ANSWER_WHOLE, BUSY)))
    assert (result.outcome, result.response_status, result.response_text, result.retryable) == (Outcome.REFUSED, 0xC0, "later", True)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [(SimError("no SIM"), True), (LinkLost("gone"), True), (ConnectError("no"), True), (LeaseLost("canceled"), False)],
)
def test_not_sent(error: MmsproxyError, retryable: bool) -> None:
    """A SIM that is out is no reason to give up what waits durably."""
    result = result_of(judge(trial(Phase.OPEN, error=error)))
    assert (result.outcome, result.code, result.retryable) == (Outcome.NOT_SENT, error.code, retryable)
    assert result.answer is None


def test_an_early_refusal_is_final() -> None:
    result = result_of(judge(trial(Phase.PART_OFFERED, b"too large", status=413)))
    assert (result.outcome, result.http_status, result.retryable) == (Outcome.NOT_SENT, 413, False)


def test_in_doubt() -> None:
    result = result_of(judge(trial(Phase.LAST_BYTE, error=AnswerTimeout("no answer"))))
    assert (result.outcome, result.phase, result.retryable) == (Outcome.UNKNOWN, Phase.LAST_BYTE, False)


def test_stopped() -> None:
    result = result_of(not_attempted(LineStopped("stop"), size=3, timings=TIMES))
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "stopping")


def test_what_could_not_be_made() -> None:
    assert not not_made(HeaderError("CR in a header")).retryable
    assert not_made(MmsproxyError("ours")).retryable
    assert not_made(ConnectError("media could not be fetched")).retryable


def test_a_file_that_is_lost_is_not_waited_for() -> None:
    result = not_made(MediaLost("the file is gone"))
    assert (result.outcome, result.code, result.retryable) == (Outcome.NOT_SENT, "media_lost", False)


@pytest.mark.parametrize(("last_byte", "outcome"), [(True, Outcome.UNKNOWN), (False, Outcome.NOT_SENT)])
def test_a_fault_of_ours(last_byte: bool, outcome: Outcome) -> None:
    result = broken_off(KeyError("x"), last_byte=last_byte)
    assert (result.outcome, result.code) == (outcome, "internal")
    assert "KeyError" in result.detail

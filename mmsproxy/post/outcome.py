"""A carrier's Attempt in the words of the post office. Pure."""

from __future__ import annotations

from mmsproxy.carrier.attempt import Attempt, Outcome, Timings
from mmsproxy.carrier.headers import answer_headers
from mmsproxy.errors import Fault, MediaLost, MmsproxyError
from mmsproxy.link import Phase
from mmsproxy.post.job import Result


def result_of(attempt: Attempt) -> Result:
    """`retryable` is wider than the attempt's own: a SIM that is out is no reason to give up a message that waits durably."""
    conf, answer = attempt.conf, attempt.answer
    return Result(
        outcome=attempt.outcome,
        phase=attempt.phase,
        code=attempt.code,
        detail=attempt.detail,
        retryable=attempt.retryable or _is_the_modems(attempt),
        response_status=None if conf is None or conf.response_status is None else int(conf.response_status),
        http_status=None if answer is None else answer.status,
        response_text=None if conf is None or conf.response_text is None else str(conf.response_text),
        carrier_message_id=attempt.message_id,
        answer=None if answer is None else answer.body,
        answer_headers=() if answer is None else answer_headers(answer.headers),
        bytes_offered=attempt.bytes_offered,
        bytes_total=attempt.bytes_total,
        tries=attempt.tries,
        timings=_seconds(attempt.timings),
        warnings=attempt.warnings,
    )


def not_made(error: MmsproxyError) -> Result:
    """The message could not be composed, or may not go through the line as it is. Only what is not the sender's fault is tried again,
    and not what is lost for good."""
    retryable = error.retryable or (error.fault is Fault.OURS and not isinstance(error, MediaLost))
    return Result(Outcome.NOT_SENT, Phase.NO_BEARER, error.code, str(error), retryable=retryable, tries=0)


def broken_off(error: BaseException, *, last_byte: bool) -> Result:
    """A fault of our own ended the attempt; `last_byte`: the last one may have left."""
    detail = f"the attempt ended by a fault of the gateway: {type(error).__name__}"
    if last_byte:
        return Result(Outcome.UNKNOWN, Phase.LAST_BYTE, "internal", detail)
    return Result(Outcome.NOT_SENT, Phase.PART_OFFERED, "internal", detail, retryable=True)


def _is_the_modems(attempt: Attempt) -> bool:
    return attempt.outcome is Outcome.NOT_SENT and attempt.error is not None and attempt.error.fault is Fault.MODEM


def _seconds(timings: Timings) -> dict[str, float]:
    fields = ("waiting", "bearer", "connect", "sending", "answering", "total")
    return {name: round(getattr(timings, name), 3) for name in fields}

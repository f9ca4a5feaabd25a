"""The answer to an M-Send.req or M-Forward.req from what the post office has kept of it (mm1.md 5.2, 6, 13).

Rule 1: pure; the row, its last attempt and the carrier's octets are all it looks at, so the answer is the same after a restart.
Rule 2: the carrier's octets are passed on only while they say what the row's state says.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmsproxy.carrier.attempt import Outcome, StatusClass, status_class
from mmsproxy.post.job import AttemptRecord, Job, Reason, State
from mmsproxy.post.records import Message, Pdu
from mmsproxy.web import mm1_answers as answers
from mmsproxy.web.mm1_answers import Head, Reply, with_id

TAKEN = frozenset({State.SENT, State.DELIVERED, State.READ, State.UNDELIVERED})
REFUSALS = frozenset({StatusClass.TRANSIENT, StatusClass.PERMANENT})
UNTOLD = Reason("internal", "fault of the gateway; see its log")


@dataclass(frozen=True, slots=True)
class Stored:
    """`attempt` is the message's last one, `answer` what the carrier said last; None where there is none."""

    message: Message
    attempt: AttemptRecord | None = None
    answer: Pdu | None = None


def reply_of(stored: Stored, head: Head, *, rejected_as_http_error: bool = False) -> Reply:
    """The answer for a message that is at rest."""
    message, job = stored.message, stored.message.job
    kind = confirmed(stored)
    if kind is not None and stored.answer is not None:
        is_error = rejected_as_http_error and kind is not StatusClass.OK
        return answers.passed_on(stored.answer.data, stored.answer.headers, 502 if is_error else 200)
    if job.state in TAKEN:
        return answers.accepted(head, message.carrier_message_id or f"mmsproxy-{job.id}")
    error = job.error or UNTOLD
    cause = with_id(error.detail, job.id)
    if job.state is State.CANCELED:
        return answers.refusal(head, 403, answers.SERVICE_DENIED, with_id("canceled by a person", job.id))
    if job.state in (State.UNKNOWN, State.PARTIAL) or is_in_doubt(job):
        return answers.in_doubt(head, cause)
    return answers.failed(head, error.code, error.http_status, cause)


def is_in_doubt(job: Job) -> bool:
    """An earlier attempt may have delivered it. What failed is in doubt no more: the carrier or a person said so."""
    return job.was_unknown and job.state is State.EXPIRED


def confirmed(stored: Stored) -> StatusClass | None:
    """The class of the carrier's confirmation where it agrees with the state; None: the gateway answers itself.

    An Ok before the whole message had left is no acceptance, one to another transaction leaves it unknown, and a refusal of a second
    copy says nothing about the first.
    """
    attempt, state = stored.attempt, stored.message.job.state
    if attempt is None or attempt.outcome is None or attempt.response_status is None:
        return None
    kind = status_class(attempt.response_status)
    agrees = (
        (state in TAKEN and kind is StatusClass.OK and attempt.outcome is not Outcome.NOT_SENT)
        or (state is State.PARTIAL and kind is StatusClass.PARTIAL)
        or (state is State.UNKNOWN and kind is StatusClass.OK and attempt.outcome is Outcome.UNKNOWN)
        or (state is State.FAILED and kind in REFUSALS)
    )
    return kind if agrees else None

"""What reports say: of a recipient, of a message by its recipients, and which message one without a known Message-ID means. Pure.

Rule: what a recipient has seen is never taken back, and what a report may mean twice it does not mean (delivery.md 3, 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mmsproxy.post.job import Job, RecipientState, State
from mmsproxy.wap_numbers import ReadStatus, Status

_BY_STATUS: Mapping[int, RecipientState] = {
    Status.RETRIEVED: RecipientState.DELIVERED,
    Status.FORWARDED: RecipientState.DELIVERED,
    Status.EXPIRED: RecipientState.UNDELIVERED,
    Status.REJECTED: RecipientState.UNDELIVERED,
    Status.UNRECOGNISED: RecipientState.UNDELIVERED,
    Status.UNREACHABLE: RecipientState.UNDELIVERED,
}
_RANK = {None: 0, RecipientState.SENT: 0, RecipientState.UNDELIVERED: 1, RecipientState.DELIVERED: 2, RecipientState.READ: 3}


def by_delivery_report(status: int) -> RecipientState | None:
    """What an X-Mms-Status says of its recipient; None: nothing final (Deferred, Indeterminate, reserved)."""
    return _BY_STATUS.get(status)


def by_read_report(status: int) -> RecipientState | None:
    """What an X-Mms-Read-Status says: a message deleted unread changes nothing."""
    return RecipientState.READ if status == ReadStatus.READ else None


def better(old: RecipientState | None, new: RecipientState) -> RecipientState:
    """Reports come late and out of order: what a recipient has seen is never taken back."""
    return new if _RANK[new] > _RANK[old] else (old or new)


def by_recipients(current: State, recipients: Iterable[RecipientState | None]) -> State:
    """The state of a sent message from those of its recipients."""
    if current not in (State.SENT, State.DELIVERED):
        return current
    states = list(recipients)
    if all(state is RecipientState.READ for state in states):
        return State.READ
    if all(state in (RecipientState.READ, RecipientState.DELIVERED) for state in states):
        return State.DELIVERED
    is_in = all(state not in (None, RecipientState.SENT) for state in states)
    return State.UNDELIVERED if is_in and current is State.SENT else current


REPORT_WINDOW = 7 * 86400.0  # seconds from the attempt to a report that may still settle it: the longest X-Mms-Expiry seen


def the_candidate(jobs: Sequence[Job], at: float) -> Job | None:
    """The unknown message that a report without a known Message-ID settles: the only one of `jobs`, all that may have caused it, that
    fits by time; None when there is none, or more than one, or when it is known to be sent."""
    fitting = [job for job in jobs if _reached_before(job, at)]
    return fitting[0] if len(fitting) == 1 and fitting[0].state is State.UNKNOWN else None


def _reached_before(job: Job, at: float) -> bool:
    return job.last_byte_at is not None and job.last_byte_at <= at <= job.last_byte_at + REPORT_WINDOW

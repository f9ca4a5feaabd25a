"""What is to be done with a message, and what an attempt made of it. Decisions only; whoever asks carries them out.

Rule 1: nothing is decided anywhere else (delivery.md 3, 4, 9; mm1.md 5.4, 6). Rule 2: in doubt about what left, a message is `unknown`,
and no rule here sends it again but the one that the user chose. Rule 3: clock and random come in as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from mmsproxy.carrier.attempt import Outcome, StatusClass, status_class
from mmsproxy.link import Phase
from mmsproxy.post.caps import WEEK, Caps, Full, Usage, exceeded
from mmsproxy.post.job import (
    CANCELABLE,
    CLAIMABLE,
    RETRYABLE,
    Cause,
    Door,
    Fallback,
    Job,
    NotAllowed,
    Reason,
    Result,
    State,
)
from mmsproxy.wap_numbers import ResponseStatus

RETRY_SCHEDULE = (5.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0)  # seconds; the last one again and again (delivery.md 4)
JITTER = 0.1  # of the delay, both ways: what one outage failed does not come back as one crowd
MAX_UNRESOLVED = 2  # further attempts after 193 and 194 (mms.md 17)
DEFAULT_VALID_FOR = 3600.0  # seconds, JSON
MM1_VALID_FOR = 55.0  # seconds: longer than MMS software waits, nothing is sent behind its back (mm1.md 5.2)
MAX_VALID_FOR = WEEK
MIN_RESEND_PAUSE = 60.0  # seconds from unknown to a policy's re-send
MAX_RESENDS = 2
MAX_CLOCK_STEP = 5.0  # seconds that wall and monotonic clock may drift apart before times are shifted

UNRESOLVED = frozenset({ResponseStatus.ERROR_TRANSIENT_SENDING_ADDRESS_UNRESOLVED, ResponseStatus.ERROR_TRANSIENT_MESSAGE_NOT_FOUND})
# No service or no credit: whatever is sent next on this line meets the same, and some carriers count it (mms.md 17).
PAUSING = frozenset(
    {
        ResponseStatus.ERROR_SERVICE_DENIED,
        ResponseStatus.ERROR_PERMANENT_SERVICE_DENIED,
        ResponseStatus.ERROR_PERMANENT_LACK_OF_PREPAID,
    }
)
NO_FAULT_OF_THE_MESSAGE = frozenset({"stopping", "lease_lost"})  # ended by ourselves: no step in the retry schedule

# How long an identical POST gets the stored outcome (mm1.md 6), seconds.
KEEP_SENT = 3600.0
KEEP_UNKNOWN = 86400.0
KEEP_REFUSED = 600.0


class UnknownPolicy(StrEnum):
    """`outbox.unknown`."""

    HOLD = "hold"
    RESEND_SAME_TID = "resend_same_tid"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user chose. `resends` counts only with RESEND_SAME_TID; `keep_sent` in seconds (mm1.md 6)."""

    caps: Caps = field(default_factory=Caps)
    unknown: UnknownPolicy = UnknownPolicy.HOLD
    resends: int = 1
    resend_after: float = MIN_RESEND_PAUSE
    keep_sent: float = KEEP_SENT

    def __post_init__(self) -> None:
        if not 0 <= self.resends <= MAX_RESENDS or self.resend_after < MIN_RESEND_PAUSE:
            raise ValueError(f"at most {MAX_RESENDS} re-sends, at least {MIN_RESEND_PAUSE:g} s apart")


@dataclass(frozen=True, slots=True)
class View:
    """What of the world counts for one message on one line at one moment. `next_free_at`: the end of the line's min_interval."""

    gateway_paused: bool = False
    line_paused: bool = False
    next_free_at: float = 0.0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Send:
    """Claim it now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing yet. `until` None: until somebody does something. `why` is a code: due, min_interval, per_hour, paused, line_paused ..."""

    until: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Become:
    """A change of state without an attempt."""

    state: State
    cause: Cause
    due_at: float | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to be done by itself, ever."""


Decision = Send | Wait | Become | Rest


def decide(job: Job, now: float, limits: Limits, view: View) -> Decision:
    """What is to be done with an outbound message that nobody works on, or whose worker is gone (its lease ended)."""
    if job.state is State.SCHEDULED:
        return _when_scheduled(job, now)
    if job.state in CLAIMABLE:
        return _when_waiting(job, now, limits, view)
    if job.state is State.SENDING:
        return _when_sending(job, now)
    if job.state is State.UNKNOWN:
        return _when_unknown(job, now, limits)
    return Rest()


def _when_scheduled(job: Job, now: float) -> Decision:
    due = job.created_at if job.due_at is None else job.due_at
    return Become(State.QUEUED, Cause.CLOCK, due_at=now) if due <= now else Wait(due, "due")


def _when_waiting(job: Job, now: float, limits: Limits, view: View) -> Decision:
    if job.lease_until is not None and job.lease_until > now:
        return Wait(job.lease_until, "leased")
    if job.expires_at <= now:
        return _given_up(job, State.EXPIRED, Cause.CLOCK, _expired(job))
    full = exceeded(limits.caps, job.units)
    if full is not None:  # it would never fit, and all behind it would wait with it
        return _given_up(job, State.EXPIRED if job.was_unknown else State.FAILED, Cause.POLICY, _over_cap(job, full))
    if job.due_at is not None and job.due_at > now:
        return Wait(min(job.due_at, job.expires_at), "due")
    return view_allows(job.units, now, limits, view)


def _given_up(job: Job, state: State, cause: Cause, reason: Reason) -> Become:
    """Without a further attempt. What of it left makes it partial (delivery.md 3)."""
    if not job.parts_sent:
        return Become(state, cause, reason=reason)
    told = replace(reason, detail=f"{job.parts_sent} of its parts were sent; then: {reason.detail}")
    return Become(State.PARTIAL, cause, reason=told)


def canceled(job: Job) -> Become:
    """What a person makes of a message that waits. Raises NotAllowed (not_cancelable)."""
    check_cancel(job)
    given_up = _given_up(job, State.CANCELED, Cause.PERSON, Reason("canceled", "a person canceled the rest"))
    return given_up if given_up.state is State.PARTIAL else replace(given_up, reason=None)


def _over_cap(job: Job, full: Full) -> Reason:
    name = f"limits.{full.cap}"
    doubt = "; an earlier attempt may have delivered it" if job.was_unknown else ""
    return Reason(
        "over_cap", f"it costs {job.units} units, and {name} is {full.limit}; raise {name}, or send it to fewer, or shorter{doubt}"
    )


def view_allows(cost: int, now: float, limits: Limits, view: View) -> Send | Wait:
    """The part of the decision that is the same for all messages of one cost on one line."""
    if view.gateway_paused:
        return Wait(None, "paused")
    if view.line_paused:
        return Wait(None, "line_paused")
    if view.next_free_at > now:
        return Wait(view.next_free_at, "min_interval")
    full = limits.caps.full(view.usage, cost, now)
    return Send() if full is None else Wait(full.until, full.cap)


def _when_sending(job: Job, now: float) -> Decision:
    if job.lease_until is not None and job.lease_until > now:
        return Wait(job.lease_until, "sending")
    return recover(job, now)


def _when_unknown(job: Job, now: float, limits: Limits) -> Decision:
    if limits.unknown is UnknownPolicy.HOLD or job.door is Door.MM1 or job.resends >= limits.resends:
        return Rest()
    due = job.changed_at + limits.resend_after
    return Become(State.RETRYING, Cause.POLICY, due_at=now) if due <= now else Wait(due, "resend")


def _expired(job: Job) -> Reason:
    doubt = "; an earlier attempt may have delivered it" if job.was_unknown else ""
    last = f": {job.error.detail}" if job.error else ""
    return Reason("expired", f"not sent within {job.valid_for:g} s{doubt}{last}")


def recover(job: Job, now: float) -> Become:
    """What a crash left in `sending` (delivery.md 3, "At start")."""
    if job.last_byte_at is not None:
        reason = Reason("crashed", "the gateway stopped after the last byte may have left", phase=Phase.LAST_BYTE)
        return Become(State.UNKNOWN, Cause.START, reason=reason)
    reason = Reason("crashed", "the gateway stopped before the last byte left", retryable=True, phase=Phase.PART_OFFERED)
    if job.door is Door.MM1:
        return Become(State.UNKNOWN if job.was_unknown else State.FAILED, Cause.START, reason=reason)
    return Become(State.RETRYING, Cause.START, due_at=now + RETRY_SCHEDULE[0], reason=reason)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt made of the message. `pauses_line` is a reason in words, or None."""

    state: State
    due_at: float | None
    failures: int
    unresolved: int
    was_unknown: bool
    pauses_line: str | None = None


def settle(job: Job, result: Result, now: float, random: float) -> Settlement:
    """The state after a decided attempt. `random` in 0..1 is for the jitter."""
    settled = _settle(job, result, now, random)
    if settled.state is State.RETRYING and job.door is Door.MM1:
        # Its sender was told of a failure; an identical POST starts anew (mm1.md 5.2).
        settled = replace(settled, state=State.FAILED, due_at=None)
    if settled.state is State.FAILED and job.was_unknown:
        # A refusal of the second copy proves nothing about the first.
        settled = replace(settled, state=State.UNKNOWN)
    if settled.state is State.FAILED and job.parts_sent:
        settled = replace(settled, state=State.PARTIAL)
    return settled


def after_part_proven(job: Job, now: float) -> Become:
    """An unknown SMS whose part in doubt was proven by a report, while others have not left."""
    if now < job.expires_at:
        return Become(State.RETRYING, Cause.REPORT, due_at=now)
    return _given_up(job, State.PARTIAL, Cause.REPORT, _expired(replace(job, was_unknown=False)))


def _settle(job: Job, result: Result, now: float, random: float) -> Settlement:
    if result.outcome is Outcome.SENT:
        return _settled(job, State.SENT)
    if result.outcome is Outcome.PARTIAL:
        return _settled(job, State.PARTIAL)
    if result.outcome is Outcome.UNKNOWN:
        return replace(_settled(job, State.UNKNOWN), was_unknown=True)
    if result.outcome is Outcome.REFUSED and result.response_status is not None:
        return _by_status(job, result, result.response_status, now, random)
    is_worth_it = result.retryable or result.code in NO_FAULT_OF_THE_MESSAGE
    return _again(job, result, now, random) if is_worth_it else _settled(job, State.FAILED)


def _by_status(job: Job, result: Result, status: int, now: float, random: float) -> Settlement:
    if status in UNRESOLVED:
        if job.unresolved >= MAX_UNRESOLVED:
            return _settled(job, State.FAILED)
        return replace(_again(job, result, now, random), unresolved=job.unresolved + 1)
    if status_class(status) is StatusClass.TRANSIENT:
        return _again(job, result, now, random)
    failed = _settled(job, State.FAILED)
    return replace(failed, pauses_line=f"0x{status:02X} {result.detail}"[:200]) if status in PAUSING else failed


def _settled(job: Job, state: State) -> Settlement:
    return Settlement(state, None, job.failures + 1, job.unresolved, job.was_unknown)


def _again(job: Job, result: Result, now: float, random: float) -> Settlement:
    if result.code in NO_FAULT_OF_THE_MESSAGE:
        return replace(_settled(job, State.RETRYING), due_at=now, failures=job.failures)
    return replace(_settled(job, State.RETRYING), due_at=now + retry_delay(job.failures, random))


def retry_delay(failures: int, random: float) -> float:
    """Seconds to wait after one more failure when there were `failures` before it."""
    step = RETRY_SCHEDULE[min(failures, len(RETRY_SCHEDULE) - 1)]
    return step * (1 - JITTER + 2 * JITTER * random)


def late_answer(result: Result) -> State | None:
    """The state that an answer gives to a message which was given up as unknown before it came; None: it stays unknown."""
    if result.outcome is Outcome.SENT:
        return State.SENT
    return State.FAILED if result.outcome is Outcome.REFUSED else None


# What persons and senders may ask for.


def check_cancel(job: Job) -> None:
    """Raises NotAllowed (not_cancelable)."""
    if job.state not in CANCELABLE:
        raise NotAllowed(f"the message is {job.state}; only what still waits can be canceled", code="not_cancelable", state=job.state)


def check_retry(job: Job, *, accept_duplicate_risk: bool) -> None:
    """Raises NotAllowed (not_retryable, duplicate_risk)."""
    if job.state in RETRYABLE:
        return
    if job.state is not State.UNKNOWN:
        raise NotAllowed(f"the message is {job.state}; failed and expired ones can be sent again", code="not_retryable", state=job.state)
    if not accept_duplicate_risk:
        raise NotAllowed(
            "the carrier may have delivered it already",
            code="duplicate_risk",
            state=job.state,
            cure='say {"accept_duplicate_risk": true} to send it again all the same',
        )


def check_resolve(job: Job, as_state: State) -> None:
    """Raises NotAllowed for anything but an unknown message resolved as sent or failed."""
    if as_state not in (State.SENT, State.FAILED) or job.state is not State.UNKNOWN:
        raise NotAllowed(f"the message is {job.state}; only an unknown one is resolved, as sent or as failed", state=job.state)


def may_fall_back(job: Job) -> bool:
    """SMS instead: only when it is certain that no attempt was taken (delivery.md 3)."""
    return job.fallback is Fallback.SMS and job.state in RETRYABLE and not job.was_unknown


class Identical(StrEnum):
    """What an identical POST at the MM1 door gets."""

    JOIN = "join"  # the attempt that waits or runs
    REPLAY = "replay"  # the stored outcome
    ANEW = "anew"  # a new attempt of the same row
    NEW = "new"  # a new row


def identical_post(job: Job, now: float, limits: Limits) -> Identical:
    """mm1.md 6, for the newest message with that key."""
    age = now - job.changed_at
    match job.state:
        case State.SCHEDULED | State.QUEUED | State.SENDING | State.RETRYING:
            return Identical.JOIN
        case State.UNKNOWN:
            return Identical.REPLAY
        case State.SENT | State.DELIVERED | State.READ | State.UNDELIVERED | State.PARTIAL:
            keep = max(limits.keep_sent, KEEP_UNKNOWN) if job.was_unknown else limits.keep_sent
            return Identical.REPLAY if age < keep else Identical.NEW
        case State.FAILED if _refused_for_good(job) and age < KEEP_REFUSED:
            return Identical.REPLAY
        case State.FAILED | State.EXPIRED:
            return Identical.ANEW
        case _:
            return Identical.NEW


def _refused_for_good(job: Job) -> bool:
    status = job.error.response_status if job.error else None
    return status is not None and status_class(status) is StatusClass.PERMANENT


def clock_step(wall: float, monotonic: float) -> float:
    """Seconds by which stored times must be shifted, when `wall` and `monotonic` seconds went by since the last look; 0 for none."""
    step = wall - monotonic
    return step if abs(step) > MAX_CLOCK_STEP else 0.0

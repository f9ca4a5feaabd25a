"""A message in the post office: its states, what changes them, and what is known of it.

Rule 1: everything about which state may follow which stands in TRANSITIONS (delivery.md 3); nobody else compares states to decide that.
Rule 2: a lease is a stored fact beside the state, not a state. Rule 3: times are seconds since 1970, UTC, and come in as values.
This module knows no clock, no database and no line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.link import Phase


class State(StrEnum):
    """delivery.md 3, in the order of a message's life; the words are the API's."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    SENT = "sent"
    PARTIAL = "partial"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    UNKNOWN = "unknown"
    NOTIFIED = "notified"
    RETRIEVING = "retrieving"
    RECEIVED = "received"
    RETRIEVE_FAILED = "retrieve_failed"


class Cause(StrEnum):
    """What changes a state."""

    CLOCK = "clock"  # a time came: due, or valid_for over
    WORKER = "worker"  # an attempt began or ended
    START = "start"  # recovery of what a crash interrupted
    PERSON = "person"  # the API or the dashboard
    SENDER = "sender"  # an identical POST at the MM1 door
    REPORT = "report"  # M-Delivery.ind, M-Read-Orig.ind, SMS-STATUS-REPORT
    POLICY = "policy"  # a rule that the user chose: outbox.unknown, a cap


S, C = State, Cause
TRANSITIONS: Mapping[tuple[State, State], frozenset[Cause]] = {
    (S.SCHEDULED, S.QUEUED): frozenset({C.CLOCK}),
    (S.QUEUED, S.SENDING): frozenset({C.WORKER}),
    (S.RETRYING, S.SENDING): frozenset({C.WORKER}),
    (S.SENDING, S.RETRYING): frozenset({C.WORKER, C.START}),
    (S.SENDING, S.SENT): frozenset({C.WORKER}),
    (S.SENDING, S.PARTIAL): frozenset({C.WORKER}),
    (S.SENDING, S.FAILED): frozenset({C.WORKER, C.START}),  # START: rows of the MM1 door
    (S.SENDING, S.UNKNOWN): frozenset({C.WORKER, C.START}),
    (S.SENT, S.DELIVERED): frozenset({C.REPORT}),
    (S.SENT, S.READ): frozenset({C.REPORT}),
    (S.SENT, S.UNDELIVERED): frozenset({C.REPORT}),
    (S.DELIVERED, S.READ): frozenset({C.REPORT}),
    (S.SCHEDULED, S.CANCELED): frozenset({C.PERSON}),
    (S.QUEUED, S.CANCELED): frozenset({C.PERSON}),
    (S.RETRYING, S.CANCELED): frozenset({C.PERSON}),
    (S.QUEUED, S.EXPIRED): frozenset({C.CLOCK, C.POLICY}),  # POLICY: over a cap, and perhaps delivered by an earlier attempt
    (S.RETRYING, S.EXPIRED): frozenset({C.CLOCK, C.POLICY}),
    (S.QUEUED, S.FAILED): frozenset({C.POLICY}),
    (S.RETRYING, S.FAILED): frozenset({C.POLICY}),
    (S.QUEUED, S.PARTIAL): frozenset({C.CLOCK, C.PERSON, C.POLICY}),  # given up when parts of it had been sent
    (S.RETRYING, S.PARTIAL): frozenset({C.CLOCK, C.PERSON, C.POLICY}),
    (S.FAILED, S.QUEUED): frozenset({C.PERSON, C.SENDER}),
    (S.EXPIRED, S.QUEUED): frozenset({C.PERSON, C.SENDER}),
    (S.UNKNOWN, S.SENT): frozenset({C.REPORT, C.PERSON, C.WORKER}),  # WORKER: the answer came after the attempt had been given up
    (S.UNKNOWN, S.FAILED): frozenset({C.PERSON, C.WORKER}),
    (S.UNKNOWN, S.QUEUED): frozenset({C.PERSON}),
    (S.UNKNOWN, S.RETRYING): frozenset({C.POLICY, C.REPORT}),  # REPORT: the part in doubt has arrived, and others never left
    (S.UNKNOWN, S.PARTIAL): frozenset({C.REPORT}),
    (S.NOTIFIED, S.RETRIEVING): frozenset({C.WORKER, C.PERSON}),
    (S.NOTIFIED, S.RETRIEVE_FAILED): frozenset({C.CLOCK, C.PERSON}),
    (S.RETRIEVING, S.RECEIVED): frozenset({C.WORKER}),
    (S.RETRIEVING, S.RETRIEVE_FAILED): frozenset({C.WORKER, C.CLOCK}),
}
del S, C

INITIAL = frozenset({State.SCHEDULED, State.QUEUED, State.NOTIFIED})
CLAIMABLE = frozenset({State.QUEUED, State.RETRYING})
CANCELABLE = frozenset(old for old, new in TRANSITIONS if new is State.CANCELED)
RETRYABLE = frozenset({State.FAILED, State.EXPIRED})
FINAL = frozenset(State) - {old for old, _ in TRANSITIONS}  # nothing ever changes these
AT_REST = frozenset(State) - {State.SCHEDULED, State.QUEUED, State.SENDING, State.RETRYING, State.NOTIFIED, State.RETRIEVING}


class NotAllowed(MmsproxyError):
    """The message's state does not allow what was asked for. `code` is the API's: not_cancelable, not_retryable, duplicate_risk ..."""

    code = "not_allowed"
    fault = Fault.CALLER

    def __init__(self, detail: str, *, code: str = "not_allowed", state: State | None = None, cure: str = "") -> None:
        super().__init__(detail, cure=cure)
        self.code = code
        self.state = state


class LeaseLost(MmsproxyError):
    """Whoever works on a message does not own it any more: canceled, paused, or taken over. Nothing more of it may leave, so a line
    does not try again by itself."""

    code = "lease_lost"


def check_transition(old: State, new: State, cause: Cause) -> None:
    """Raises NotAllowed for any change that delivery.md 3 does not have."""
    if cause not in TRANSITIONS.get((old, new), frozenset()):
        raise NotAllowed(f"a message that is {old} does not become {new} by {cause}", state=old)


class RecipientState(StrEnum):
    """What is known of one recipient once the message was sent. Before that, and for `partial`, nothing is known: None."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"


class Direction(StrEnum):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Kind(StrEnum):
    MMS = "mms"
    SMS = "sms"


class Door(StrEnum):
    """Who waits for the message: a person or script that gets an id, or MMS software that gets the carrier's own answer."""

    API = "api"
    MM1 = "mm1"


class Priority(IntEnum):
    """In the order of claiming."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Fallback(StrEnum):
    NONE = "none"
    SMS = "sms"


@dataclass(frozen=True, slots=True)
class Recipient:
    """`number` as it stands in the message, without /TYPE=. `report` is the last X-Mms-Status or Read-Status name that came for it."""

    n: int
    number: str
    state: RecipientState | None = None
    report: str | None = None
    reported_at: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a message is where it is: the API's `error`. `phase` is the highest that the attempt reached."""

    code: str
    detail: str
    retryable: bool = False
    phase: Phase | None = None
    response_status: int | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A decided attempt, in words that hold for MMS and SMS.

    code              "" when sent, else a code of the API's `error.code`
    retryable         a new attempt is allowed and can help
    answer            the carrier's body: whole when it was a confirmation PDU, else what was kept of it
    answer_headers    those of the HTTP answer that may go on to a client
    timings           seconds by stage
    """

    outcome: Outcome
    phase: Phase
    code: str = ""
    detail: str = ""
    retryable: bool = False
    response_status: int | None = None
    http_status: int | None = None
    response_text: str | None = None
    carrier_message_id: str | None = None
    answer: bytes | None = None
    answer_headers: tuple[tuple[str, str], ...] = ()
    bytes_offered: int = 0
    bytes_total: int = 0
    tries: int = 1
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def error(self) -> Reason | None:
        """None when sent."""
        if self.outcome is Outcome.SENT:
            return None
        return Reason(self.code, self.detail, self.retryable, self.phase, self.response_status, self.http_status)


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt as it is kept. `outcome` None: under way, or the process that made it is gone."""

    number: int
    line: str
    started_at: float
    phase: Phase
    last_byte_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
    code: str = ""
    detail: str = ""
    bytes_offered: int = 0
    bytes_total: int = 0
    tries: int = 0
    response_status: int | None = None
    http_status: int | None = None
    transaction_id: str | None = None
    sha256: str | None = None
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """What decisions about a message are made from.

    line          the line it is bound to; "" lets any line take it
    used_line     the line of its last attempt
    due_at        when it may be claimed (queued, retrying), queued (scheduled) or tried as SMS (a fallback put off); None otherwise
    valid_for     seconds from being queued to being expired
    attempts      attempts begun in all; `failures` those since it was last queued by somebody: the place in the retry schedule
    unresolved    how often 193 or 194 came since then
    resends       how often the policy sent it again from unknown
    last_byte_at  of the present or last attempt: from then on its outcome is doubtful
    was_unknown   an attempt of it ended unknown: it may have been delivered, whatever came later
    fence         goes up whenever the ownership changes
    cost          units for the caps: 1 for an MMS, parts times recipients for SMS
    parts_sent    of an SMS: how many of its parts left for certain
    """

    seq: int
    id: str
    door: Door
    kind: Kind
    state: State
    created_at: float
    changed_at: float
    expires_at: float
    valid_for: float
    direction: Direction = Direction.OUTBOUND
    line: str = ""
    used_line: str = ""
    priority: Priority = Priority.NORMAL
    due_at: float | None = None
    attempts: int = 0
    failures: int = 0
    unresolved: int = 0
    resends: int = 0
    last_byte_at: float | None = None
    was_unknown: bool = False
    owner: str | None = None
    lease_until: float | None = None
    fence: int = 0
    cost: int = 1
    parts_sent: int = 0
    fallback: Fallback = Fallback.NONE
    replaced_by: str | None = None
    simulated: bool = False
    error: Reason | None = None

    @property
    def units(self) -> int:
        """What the next attempt costs: a part that was sent is not sent again."""
        return max(0, self.cost - self.parts_sent)

    @property
    def in_doubt(self) -> bool:
        """The last byte of the attempt under way may have left."""
        return self.state is State.SENDING and self.last_byte_at is not None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a message until `until`. Every write of the worker names `fence`; a higher one in the row ends the right."""

    job: Job
    owner: str
    fence: int
    until: float

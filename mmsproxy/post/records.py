"""What is put into the post office and what is read from it, beside the Job that decisions are made from. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmsproxy.post.job import Direction, Door, Fallback, Job, Kind, Priority, Recipient
from mmsproxy.post.policy import DEFAULT_VALID_FOR


@dataclass(frozen=True, slots=True)
class NewMedia:
    """One file of a message, as it came."""

    content_type: str
    data: bytes
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """One kept file. `sha256` is its name in Files."""

    n: int
    content_type: str
    filename: str | None
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Pdu:
    """Raw octets with the HTTP header fields that came with them, or are to go with them."""

    data: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be accepted.

    recipients     numbers as they are dialled
    line           the name of the line that shall send it; "" for any
    pdu            for MMS software its own octets and header fields; None when it is composed later, from text, media and `options`
    send_at        when it becomes due; None: now
    valid_for      seconds from being due to being expired
    cost           units for the caps
    client         who posted it (MM1); token: whose request it is (API)
    options        what composing needs and the store does not understand
    size           octets of the PDU as it will be composed; the PDU's own where it is there
    """

    recipients: tuple[str, ...]
    door: Door = Door.API
    kind: Kind = Kind.MMS
    line: str = ""
    priority: Priority = Priority.NORMAL
    valid_for: float = DEFAULT_VALID_FOR
    send_at: float | None = None
    pdu: Pdu | None = None
    transaction_id: str | None = None
    subject: str | None = None
    text: str | None = None
    media: tuple[NewMedia, ...] = ()
    cost: int = 1
    fallback: Fallback = Fallback.NONE
    is_group: bool = False
    delivery_report: bool = False
    read_report: bool = False
    simulated: bool = False
    client: str | None = None
    token: str | None = None
    tag: str | None = None
    callback_url: str | None = None
    batch_id: str | None = None
    parent_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[Mapping[str, object], ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """All that is known of a message but its octets."""

    job: Job
    recipients: tuple[Recipient, ...]
    media: tuple[Media, ...] = ()
    sender: str | None = None
    subject: str | None = None
    text: str | None = None
    size: int = 0
    is_group: bool = False
    delivery_report: bool = False
    read_report: bool = False
    transaction_id: str | None = None
    sha256: str | None = None
    client: str | None = None
    token: str | None = None
    tag: str | None = None
    callback_url: str | None = None
    batch_id: str | None = None
    parent_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[Mapping[str, object], ...] = ()
    response_text: str | None = None
    carrier_message_id: str | None = None
    settled_by: str | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`digest`: SHA-256 of the request's body, hex. `token`: whose key it is."""

    token: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """`replayed`: the key was known with the same body; these are the messages of the first time, and its answer when it was stored."""

    messages: tuple[Message, ...]
    replayed: bool = False
    status: int | None = None
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A fact of the post office. `seq` counts upwards without regard to anything; `data` is what the change was."""

    seq: int
    id: str
    type: str
    at: float
    message_id: str | None
    line: str | None
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages; empty or None is all. `since` <= created_at < `until`; `q` is looked for in text and subject, without the case."""

    states: frozenset[str] = frozenset()
    direction: Direction | None = None
    kind: Kind | None = None
    to: str | None = None
    sender: str | None = None
    line: str | None = None
    since: float | None = None
    until: float | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `next_cursor` is for the next older page; None: there is none."""

    messages: tuple[Message, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class LineRow:
    """What is stored of a line. `paused_at` None: it works."""

    name: str
    next_free_at: float = 0.0
    paused_at: float | None = None
    pause_reason: str = ""

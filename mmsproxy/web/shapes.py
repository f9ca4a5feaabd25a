"""The bodies that the API takes and gives, as models: for checking what comes, and for the OpenAPI document of both.

Rule 1: the answers are made by message_resource and its like; these models describe them, and a test holds the two together.
It knows no handler.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmsproxy.post.job import State
from mmsproxy.web.asking import Asked
from mmsproxy.web.routes import Scope

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="ISO 8601, UTC")]


class Told(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(extra="forbid")


class RecipientOut(Told):
    number: str
    status: State


class PartOut(Told):
    n: int
    content_type: str
    size: int


class MediaOut(PartOut):
    filename: str | None


class CarrierOut(Told):
    message_id: str | None
    response_status: int | None
    response_status_name: str | None
    response_text: str | None


class ErrorOut(Told):
    code: str
    detail: str
    retryable: bool
    phase: str | None
    response_status: int | None
    http_status: int | None


class WarningOut(BaseModel):
    """Further members depend on the code."""

    model_config = ConfigDict(extra="allow")
    code: str


class ProgressOut(Told):
    """How much of an MMS is on the line, in octets."""

    offered: int
    total: int


class MessageOut(Told):
    """A message. What is not known is null."""

    id: str
    direction: Literal["outbound", "inbound"]
    type: Literal["mms", "sms"]
    status: State
    to: list[RecipientOut]
    group: bool
    priority: Literal["low", "normal", "high"]
    sender: str | None = Field(default=None, alias="from", description="of inbound messages only")
    received_at: Time | None = None
    line: str | None
    subject: str | None
    text: str | None
    text_chars: int
    sms_parts_saved: int = Field(description="how many SMS the text of an MMS would have been, for each recipient")
    sms_encoding: str | None
    size: int | None = Field(description="octets of the PDU")
    size_limit: int | None = Field(description="octets that the line takes; null: the carrier decides")
    media: list[MediaOut]
    parts: list[PartOut] | None = Field(description="of the PDU, once it was composed; null in lists")
    queue_position: int | None
    estimated_send_at: Time | None
    progress: ProgressOut | None = Field(description="while it is being sent")
    attempts: int
    carrier: CarrierOut | None
    error: ErrorOut | None
    timings: dict[str, float] | None
    replaced_by: str | None
    parent_id: str | None
    batch_id: str | None
    settled_by: str | None
    simulated: bool
    warnings: list[WarningOut]
    created_at: Time
    changed_at: Time
    send_at: Time | None
    expires_at: Time
    tag: str | None
    metadata: dict[str, str]


class BatchOut(Told):
    """One message for each recipient."""

    batch_id: str | None
    data: list[MessageOut]


class PageOut(Told):
    data: list[MessageOut]
    next_cursor: str | None


class EventOut(Told):
    id: str
    type: str
    timestamp: Time
    line: str | None
    data: dict[str, Any]


class AttemptOut(Told):
    number: int
    line: str
    started_at: Time
    last_byte_at: Time | None
    ended_at: Time | None
    phase: str
    outcome: str | None
    code: str | None
    detail: str | None
    bytes_offered: int
    bytes_total: int
    tries: int
    response_status: int | None
    http_status: int | None
    timings: dict[str, float]


class TimelineOut(Told):
    data: list[EventOut]
    attempts: list[AttemptOut]


class PreviewOut(Told):
    """Nothing was kept, nothing has left."""

    type: Literal["mms", "sms"]
    why: str
    line: str | None
    messages: int
    units: int = Field(description="what it counts for the caps")
    sms_parts: int
    sms_encoding: str | None
    size: int | None
    size_limit: int | None
    parts: list[PartOut] | None
    smil: str | None
    warnings: list[WarningOut]
    pdu: dict[str, Any] | None = Field(description="decoded, as `mmsproxy decode --json` shows it")


class RetryIn(Asked):
    accept_duplicate_risk: bool = False


class ResolveIn(Asked):
    as_: Literal["sent", "failed"] = Field(alias="as")


class PauseIn(Asked):
    reason: str = Field(default="", max_length=200)


class LineToday(Told):
    """Since midnight, UTC."""

    messages: int
    by_status: dict[str, int]


class LineOut(Told):
    name: str
    number: str | None
    state: str
    reason: str | None
    modem: str | None
    dialect: str | None
    operator: str | None
    signal_dbm: int | None
    simulated: bool
    size_limit: int | None
    min_interval: float
    paused: bool
    paused_at: Time | None
    pause_reason: str | None
    queue_length: int
    estimated_wait: float
    today: LineToday


class UsageOut(Told):
    """Units that were spent, and the caps (0: none)."""

    last_hour: int
    last_day: int
    per_hour: int
    per_day: int


class LinesOut(Told):
    data: list[LineOut]
    next_cursor: None
    paused: bool
    pause_reason: str | None
    usage: UsageOut


class PausedOut(Told):
    paused: bool
    pause_reason: str | None


class OptOutIn(Asked):
    word: str = Field(default="STOP", min_length=1, max_length=40)


class OptOutOut(Told):
    number: str
    opted_out: bool


class TokenIn(Asked):
    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1, max_length=5)
    per_hour: int = Field(default=0, ge=0, le=1_000_000, description="units an hour; 0: as limits.per_token of config.yaml says")
    per_day: int = Field(default=0, ge=0, le=10_000_000)


class TokenOut(Told):
    id: str
    name: str
    scopes: list[str]
    per_hour: int
    per_day: int
    created_at: Time
    used_at: Time | None
    revoked_at: Time | None


class NewTokenOut(TokenOut):
    token: str = Field(description="shown this once; only its SHA-256 is kept")


class TokensOut(Told):
    data: list[TokenOut]
    next_cursor: None


class MistakeOut(Told):
    pointer: str
    code: str
    detail: str


class ProblemOut(BaseModel):
    """RFC 9457. Further members depend on the code."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[MistakeOut] | None = None
    request_id: str


class OkOut(Told):
    status: Literal["ok"]

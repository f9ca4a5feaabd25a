"""The tables, as the newest migration leaves them. Times are seconds since 1970 (UTC, double), JSON is text, booleans are booleans.

Rule 1: this is for statements; the database itself is made by `migrations` only, and a test keeps the two alike on both engines.
Rule 2: a predicate of a partial index stands here once, as text, because an engine uses the index only for the very same words.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()

WAITING = text("state IN ('queued', 'retrying')")
SCHEDULED = text("state = 'scheduled'")
SENDING = text("state = 'sending'")
FALLING_BACK = text("fallback = 'sms' AND replaced_by IS NULL AND state IN ('failed', 'expired')")
UNKNOWN = text("state = 'unknown'")
UNCOUNTED = text("counted = FALSE")
MMS_ONLY = text("kind = 'mms'")
UNIDENTIFIED = text("carrier_message_id IS NULL AND kind = 'mms' AND state IN ('unknown', 'sent', 'delivered', 'read', 'undelivered')")

GATEWAY = "*"  # the row of `lines` whose pause is the kill switch
CALLBACKS = "callbacks"  # the row of `webhooks` that stands for the callback_url of single messages
GATEWAY_SCOPE = "gateway"  # the scope of `usage` that the caps of the hour and the day count


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


def _maybe(name: str) -> Column[str | None]:
    return Column(name, Text)


def _whole(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _maybe_whole(name: str) -> Column[int | None]:
    return Column(name, BigInteger)


def _time(name: str, **options: Any) -> Column[float]:
    return Column(name, Double, nullable=False, **options)


def _maybe_time(name: str) -> Column[float | None]:
    return Column(name, Double)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _seq() -> Column[int]:
    return Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _message() -> Column[int]:
    return Column("message_seq", BigInteger, ForeignKey("messages.seq", ondelete="CASCADE"), primary_key=True)


schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True), _time("applied_at"))

messages = Table(
    "messages",
    metadata,
    _seq(),
    _text("id"),
    _text("direction"),
    _text("kind"),
    _text("door"),
    _text("state"),
    _text("line"),  # "" is any
    _text("used_line"),
    _whole("priority"),
    _time("created_at"),
    _time("changed_at"),
    _maybe_time("due_at"),
    _time("expires_at"),
    _time("valid_for"),
    _whole("attempts"),
    _whole("failures"),
    _whole("unresolved"),
    _whole("resends"),
    _maybe_time("last_byte_at"),
    _maybe("owner"),
    _maybe_time("lease_until"),
    _whole("fence"),
    _text("fallback"),
    _maybe("replaced_by"),
    _maybe("parent_id"),
    _maybe("batch_id"),
    _flag("simulated"),
    _maybe("sender"),
    _maybe("subject"),
    _maybe("body"),
    _whole("size"),  # of the PDU, or of all TPDUs of an SMS; 0 until it is made
    _whole("stored"),  # octets kept for it: PDUs and media
    _flag("is_group"),
    _flag("delivery_report"),
    _flag("read_report"),
    _maybe("transaction_id"),
    _maybe("sha256"),
    _maybe("client"),
    _maybe("token"),
    _maybe("tag"),
    _maybe("callback_url"),
    _text("metadata"),
    _text("options"),
    _text("warnings"),
    _maybe("error"),
    _maybe("response_text"),
    _maybe("carrier_message_id"),
    _maybe("settled_by"),
    _whole("cost"),
    _flag("was_unknown"),
    _whole("parts_sent"),  # of an SMS: rows of sms_parts that are sent
)

recipients = Table(
    "recipients",
    metadata,
    _message(),
    Column("n", Integer, primary_key=True),
    _text("number"),
    _maybe("state"),
    _maybe("report"),
    _maybe_time("reported_at"),
)

attempts = Table(
    "attempts",
    metadata,
    _message(),
    Column("number", Integer, primary_key=True),
    _text("line"),
    _text("owner"),
    _time("started_at"),
    _maybe_time("last_byte_at"),
    _maybe_time("ended_at"),
    _whole("phase"),
    _maybe("outcome"),
    _text("code"),
    _text("detail"),
    _whole("bytes_offered"),
    _whole("bytes_total"),
    _whole("tries"),
    _maybe_whole("response_status"),
    _maybe_whole("http_status"),
    _maybe("transaction_id"),
    _maybe("sha256"),
    _text("timings"),
)

pdus = Table(
    "pdus",
    metadata,
    _message(),
    Column("role", Text, primary_key=True),  # request, answer
    Column("data", LargeBinary, nullable=False),
    _text("headers"),
)

media = Table(
    "media",
    metadata,
    _message(),
    Column("n", Integer, primary_key=True),
    _text("content_type"),
    _maybe("filename"),
    _whole("size"),
    _text("sha256"),
)

events = Table("events", metadata, _seq(), _text("id"), _text("type"), _time("at"), _maybe("message_id"), _maybe("line"), _text("data"))

idempotency = Table(
    "idempotency",
    metadata,
    Column("token", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text("digest"),
    _time("created_at"),
    _text("message_ids"),
    _maybe_whole("status"),
    Column("answer", LargeBinary),
)

duplicates = Table(
    "duplicates",
    metadata,
    Column("client", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("message_seq", BigInteger, ForeignKey("messages.seq", ondelete="CASCADE"), nullable=False),
)

sms_parts = Table(
    "sms_parts",
    metadata,
    _message(),
    Column("n", Integer, primary_key=True),  # counts over all parts for all recipients
    _whole("recipient"),
    _whole("total"),
    _text("line"),
    _whole("attempt"),
    _text("state"),  # begun, sent, failed, unknown
    _maybe_whole("reference"),
    _time("offered_at"),
    _maybe_time("ended_at"),
    _maybe_whole("status"),  # TP-ST of the last report
    _maybe_time("reported_at"),
    _flag("counted"),  # the report has reached the recipient's state
)

lines = Table(
    "lines", metadata, Column("name", Text, primary_key=True), _time("next_free_at"), _maybe_time("paused_at"), _text("pause_reason")
)

usage = Table("usage", metadata, Column("scope", Text, primary_key=True), Column("minute", BigInteger, primary_key=True), _whole("units"))

optouts = Table("optouts", metadata, Column("number", Text, primary_key=True), _time("at"), _text("word"))

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    _text("name"),
    _text("sha256"),
    _text("scopes"),
    _whole("per_hour"),
    _whole("per_day"),
    _time("created_at"),
    _maybe_time("used_at"),
    _maybe_time("revoked_at"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    _text("url"),
    _text("secrets"),
    _text("types"),
    _flag("enabled"),
    _maybe("disabled_reason"),
    _time("created_at"),
    _whole("cursor"),  # events.seq up to which its deliveries were made
)

deliveries = Table(
    "deliveries",
    metadata,
    _seq(),
    Column("webhook_id", Text, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_seq", BigInteger, ForeignKey("events.seq", ondelete="CASCADE"), nullable=False),
    _maybe("url"),  # a message's own callback_url; None: the webhook's
    _text("state"),  # waiting, delivered, failed
    _whole("attempts"),
    _maybe_time("due_at"),
    _maybe_time("lease_until"),
    _whole("fence"),
    _maybe_whole("http_status"),
    _text("detail"),
    _time("changed_at"),
)

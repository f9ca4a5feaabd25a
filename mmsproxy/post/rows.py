"""Rows to records and back. It knows the columns and no statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.job import (
    AttemptRecord,
    Direction,
    Door,
    Fallback,
    Job,
    Kind,
    Priority,
    Reason,
    Recipient,
    RecipientState,
    State,
)
from mmsproxy.post.records import Draft, Event, LineRow, Media, Message, Pdu

Row = Mapping[Any, Any]


def to_json(value: object) -> str:
    """ASCII, so that lone surrogates (octets of a header that is no UTF-8) and NUL come back as they were on both engines."""
    return json.dumps(value, separators=(",", ":"))


def clean(value: str | None) -> str | None:
    """Free text as either engine can keep it: without NUL and lone surrogates. It is for people; the octets are in the PDU."""
    return None if value is None else value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def reason_text(reason: Reason | None) -> str | None:
    return None if reason is None else to_json({key: value for key, value in asdict(reason).items() if value is not None})


def reason(value: str | None) -> Reason | None:
    if value is None:
        return None
    fields = json.loads(value)
    phase = fields.pop("phase", None)
    return Reason(**fields, phase=None if phase is None else Phase(phase))


def job(row: Row) -> Job:
    return Job(
        seq=row["seq"],
        id=row["id"],
        door=Door(row["door"]),
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        expires_at=row["expires_at"],
        valid_for=row["valid_for"],
        direction=Direction(row["direction"]),
        line=row["line"],
        used_line=row["used_line"],
        priority=Priority(row["priority"]),
        due_at=row["due_at"],
        attempts=row["attempts"],
        failures=row["failures"],
        unresolved=row["unresolved"],
        resends=row["resends"],
        last_byte_at=row["last_byte_at"],
        was_unknown=bool(row["was_unknown"]),
        owner=row["owner"],
        lease_until=row["lease_until"],
        fence=row["fence"],
        cost=row["cost"],
        parts_sent=row["parts_sent"],
        fallback=Fallback(row["fallback"]),
        replaced_by=row["replaced_by"],
        simulated=bool(row["simulated"]),
        error=reason(row["error"]),
    )


def message(row: Row, recipients: Iterable[Row], media: Iterable[Row]) -> Message:
    return Message(
        job=job(row),
        recipients=tuple(recipient(item) for item in recipients),
        media=tuple(Media(item["n"], item["content_type"], item["filename"], item["size"], item["sha256"]) for item in media),
        sender=row["sender"],
        subject=row["subject"],
        text=row["body"],
        size=row["size"],
        is_group=bool(row["is_group"]),
        delivery_report=bool(row["delivery_report"]),
        read_report=bool(row["read_report"]),
        transaction_id=row["transaction_id"],
        sha256=row["sha256"],
        client=row["client"],
        token=row["token"],
        tag=row["tag"],
        callback_url=row["callback_url"],
        batch_id=row["batch_id"],
        parent_id=row["parent_id"],
        metadata=json.loads(row["metadata"]),
        options=json.loads(row["options"]),
        warnings=tuple(json.loads(row["warnings"])),
        response_text=row["response_text"],
        carrier_message_id=row["carrier_message_id"],
        settled_by=row["settled_by"],
    )


def recipient(row: Row) -> Recipient:
    state = row["state"]
    return Recipient(row["n"], row["number"], None if state is None else RecipientState(state), row["report"], row["reported_at"])


def attempt(row: Row) -> AttemptRecord:
    return AttemptRecord(
        number=row["number"],
        line=row["line"],
        started_at=row["started_at"],
        phase=Phase(row["phase"]),
        last_byte_at=row["last_byte_at"],
        ended_at=row["ended_at"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        code=row["code"],
        detail=row["detail"],
        bytes_offered=row["bytes_offered"],
        bytes_total=row["bytes_total"],
        tries=row["tries"],
        response_status=row["response_status"],
        http_status=row["http_status"],
        transaction_id=row["transaction_id"],
        sha256=row["sha256"],
        timings=json.loads(row["timings"]),
    )


def pdu(row: Row) -> Pdu:
    return Pdu(bytes(row["data"]), tuple((name, value) for name, value in json.loads(row["headers"])))


def event(row: Row) -> Event:
    return Event(row["seq"], row["id"], row["type"], row["at"], row["message_id"], row["line"], json.loads(row["data"]))


def line(row: Row) -> LineRow:
    return LineRow(row["name"], row["next_free_at"], row["paused_at"], row["pause_reason"])


def new_message(draft: Draft, message_id: str, now: float, *, size: int, stored: int, digest: str | None) -> dict[str, Any]:
    """The columns of a message that was just accepted."""
    due = now if draft.send_at is None else draft.send_at
    return {
        "id": message_id,
        "direction": Direction.OUTBOUND.value,
        "kind": draft.kind.value,
        "door": draft.door.value,
        "state": (State.SCHEDULED if due > now else State.QUEUED).value,
        "line": draft.line,
        "used_line": "",
        "priority": int(draft.priority),
        "created_at": now,
        "changed_at": now,
        "due_at": due,
        "expires_at": max(due, now) + draft.valid_for,
        "valid_for": draft.valid_for,
        "fallback": draft.fallback.value,
        **dict.fromkeys(("attempts", "failures", "unresolved", "resends", "fence", "parts_sent"), 0),
        "was_unknown": False,
        "size": size,
        "stored": stored,
        "sha256": digest,
        "cost": draft.cost,
        **_content(draft),
    }


def _content(draft: Draft) -> dict[str, Any]:
    """The columns that no decision looks at."""
    return {
        "parent_id": clean(draft.parent_id),
        "batch_id": clean(draft.batch_id),
        "simulated": draft.simulated,
        "subject": clean(draft.subject),
        "body": clean(draft.text),
        "is_group": draft.is_group,
        "delivery_report": draft.delivery_report,
        "read_report": draft.read_report,
        "transaction_id": clean(draft.transaction_id),
        "client": clean(draft.client),
        "token": clean(draft.token),
        "tag": clean(draft.tag),
        "callback_url": clean(draft.callback_url),
        "metadata": to_json(dict(draft.metadata)),
        "options": to_json(dict(draft.options)),
        "warnings": to_json([dict(warning) for warning in draft.warnings]),
    }

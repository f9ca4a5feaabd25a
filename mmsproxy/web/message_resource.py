"""A message as the API shows it: the documented JSON, of what the store knows.

Rule 1: pure. Records come in, plain JSON values go out; times as ISO 8601 in UTC. Rule 2: `status` never says more than is proven, and
neither do the recipients' (job.py has the words). Rule 3: what is not known is null, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from mmsproxy.errors import PduError
from mmsproxy.post.job import CLAIMABLE, AttemptRecord, Direction, Job, Reason, Recipient, State
from mmsproxy.post.records import Event, Message
from mmsproxy.wap_numbers import ResponseStatus, label
from mmsproxy.web.answers import Json
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.sms_split import PartCount, count_parts

DETAILS = {
    "no_message_id": "the carrier gave no Message-ID: a delivery report could not be matched to this message",
    "answer_cut": "the connection ended within the carrier's answer; what came was whole enough to decide",
}  # of warnings that attempts leave


@dataclass(frozen=True, slots=True)
class Context:
    """What the message's own row does not hold.

    attempts       in their order; the last one's timings and answer are shown
    pdu            its octets, once they were composed; None also where the parts are not to be shown
    size_limit     octets that its line takes; None when the carrier decides
    ahead          messages that leave before it; None when it does not wait
    estimated      seconds since 1970 at which it will probably be begun; None when nobody can say
    progress       octets that are on the line, and all of them, while an MMS is being sent
    """

    attempts: Sequence[AttemptRecord] = field(default_factory=tuple)
    pdu: bytes | None = None
    size_limit: int | None = None
    ahead: int | None = None
    estimated: float | None = None
    progress: tuple[int, int] | None = None


def resource(message: Message, context: Context) -> Json:
    """The body of every answer that shows a message (docs/api.md)."""
    job = message.job
    return {
        **_what(message),
        "line": job.used_line or job.line or None,
        **_content(message, context),
        "queue_position": None if context.ahead is None else context.ahead + 1,
        "estimated_send_at": _time(context.estimated),
        "progress": None if context.progress is None else {"offered": context.progress[0], "total": context.progress[1]},
        "attempts": job.attempts,
        "carrier": _carrier(message, context.attempts),
        "error": _error(job),
        "timings": dict(context.attempts[-1].timings) if context.attempts else None,
        "replaced_by": job.replaced_by,
        "parent_id": message.parent_id,
        "batch_id": message.batch_id,
        "settled_by": message.settled_by,
        "simulated": job.simulated,
        "warnings": [_warning(item) for item in message.warnings],
        "created_at": _time(job.created_at),
        "changed_at": _time(job.changed_at),
        "send_at": _time(job.due_at) if job.state is State.SCHEDULED else None,
        "expires_at": _time(job.expires_at),
        "tag": message.tag,
        "metadata": dict(message.metadata),
    }


def _what(message: Message) -> Json:
    job = message.job
    shown: Json = {
        "id": job.id,
        "direction": job.direction.value,
        "type": job.kind.value,
        "status": job.state.value,
        "to": [{"number": person.number, "status": _recipient_status(job, person)} for person in message.recipients],
        "group": message.is_group,
        "priority": job.priority.name.lower(),
    }
    if job.direction is Direction.INBOUND:
        shown |= {"from": message.sender, "received_at": _time(job.changed_at) if job.state is State.RECEIVED else None}
    return shown


def _recipient_status(job: Job, person: Recipient) -> str:
    """What is proven of one recipient; before it was sent that is what is known of the message. A carrier that took a message for some
    does not say for whom."""
    if person.state is not None:
        return person.state.value
    return State.UNKNOWN.value if job.state is State.PARTIAL else job.state.value


def _content(message: Message, context: Context) -> Json:
    count = _sms_parts(message.text)
    size = len(context.pdu) if context.pdu is not None else message.size
    return {
        "subject": message.subject,
        "text": message.text,
        "text_chars": len(message.text or ""),
        "sms_parts_saved": count.parts if count and message.job.kind == "mms" else 0,
        "sms_encoding": count.encoding.value if count else None,
        "size": size or None,
        "size_limit": context.size_limit,
        "media": [{"n": item.n, "content_type": item.content_type, "filename": item.filename, "size": item.size} for item in message.media],
        "parts": parts_of(context.pdu),
    }


@lru_cache(maxsize=256)
def _sms_parts(text: str | None) -> PartCount | None:
    return count_parts(text) if text else None


def parts_of(pdu: bytes | None) -> list[Json] | None:
    """The parts of a composed PDU; None when there is none, or it cannot be read."""
    if pdu is None:
        return None
    try:
        decoded = mms_pdu.decode(pdu)
    except PduError:
        return None
    return parts_in(decoded)


def parts_in(decoded: mms_pdu.Pdu) -> list[Json]:
    """The parts of a PDU that is decoded; [] where it has no content."""
    parts = getattr(decoded, "parts", ())
    return [{"n": n, "content_type": part.content_type.media, "size": len(part.data)} for n, part in enumerate(parts)]


def _carrier(message: Message, attempts: Sequence[AttemptRecord]) -> Json | None:
    """What the carrier answered, once it did."""
    status = next((attempt.response_status for attempt in reversed(attempts) if attempt.response_status is not None), None)
    if status is None and message.job.error is not None:
        status = message.job.error.response_status
    if status is None and message.carrier_message_id is None:
        return None
    return {
        "message_id": message.carrier_message_id,
        "response_status": status,
        "response_status_name": None if status is None else status_name(status),
        "response_text": message.response_text,
    }


def status_name(status: int) -> str:
    """The specification's spelling of a Response-Status: `Ok`, `Error-permanent-failure`; `Reserved` for a value it does not assign."""
    try:
        return label(ResponseStatus(status)).capitalize()
    except ValueError:
        return "Reserved"


def _error(job: Job) -> Json | None:
    return None if job.error is None else reason(job.error)


def reason(error: Reason) -> Json:
    return {
        "code": error.code,
        "detail": error.detail,
        "retryable": error.retryable,
        "phase": None if error.phase is None else error.phase.name.lower(),
        "response_status": error.response_status,
        "http_status": error.http_status,
    }


def _warning(item: Any) -> Json:
    code = str(item.get("code", ""))
    return {"detail": DETAILS[code], **item} if code in DETAILS else dict(item)


def event(item: Event) -> Json:
    """An event of the log, as SSE and the timeline tell it."""
    return {"id": item.id, "type": item.type, "timestamp": _time(item.at), "line": item.line, "data": dict(item.data)}


def attempt(item: AttemptRecord) -> Json:
    """One attempt of the timeline."""
    return {
        "number": item.number,
        "line": item.line,
        "started_at": _time(item.started_at),
        "last_byte_at": _time(item.last_byte_at),
        "ended_at": _time(item.ended_at),
        "phase": item.phase.name.lower(),
        "outcome": None if item.outcome is None else item.outcome.value,
        "code": item.code or None,
        "detail": item.detail or None,
        "bytes_offered": item.bytes_offered,
        "bytes_total": item.bytes_total,
        "tries": item.tries,
        "response_status": item.response_status,
        "http_status": item.http_status,
        "timings": dict(item.timings),
    }


def is_waiting(job: Job) -> bool:
    """Whether it has a place in the queue."""
    return job.state in CLAIMABLE


def _time(at: float | None) -> str | None:
    """`2026-11-22T18:50:10.000Z`; None for a time that no calendar has."""
    return None if at is None else iso(at)


def iso(at: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

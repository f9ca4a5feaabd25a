"""The message resource of the JSON API: what a script is told about a message that was tried, and the HTTP status that goes with it.

Rule 1: pure. Attempt and message come in, plain JSON values go out. Rule 2: `status` never says more than is proven: `sent` means that
the carrier said Ok, `failed` that it does not have the message, `unknown` that nobody here can tell. Rule 3: the HTTP status says the
same, so that `curl -f` fails when the message did, and its class says whether a repeat is safe: 5xx may be sent again, 4xx may not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mmsproxy.carrier.attempt import Attempt, Outcome
from mmsproxy.wap_numbers import ResponseStatus, label
from mmsproxy.wire.mms_pdu import SendReq
from mmsproxy.wire.sms_split import PartCount

RETRY_AFTER = 30  # seconds; the limit for bringing a bearer up (mm1.md 9)
LONG_TEXT = 1600  # characters; what the large gateways cut at (delivery.md 7)
VERY_LONG_TEXT = 5000
LONG_SUBJECT = 40  # characters; what some phones show (mms.md 10)

STATUS = {
    Outcome.SENT: "sent",
    Outcome.PARTIAL: "partial",
    Outcome.REFUSED: "failed",
    Outcome.NOT_SENT: "failed",
    Outcome.UNKNOWN: "unknown",
}
RECIPIENT_STATUS = {**STATUS, Outcome.PARTIAL: "unknown"}  # an M-Send.conf does not say which recipients were taken

WARNINGS = {
    "no_message_id": "the carrier gave no Message-ID: a delivery report could not be matched to this message",
    "answer_cut": "the connection ended within the carrier's answer; what came was whole enough to decide",
}


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to leave. `sms` is how its text would have gone as SMS; `size_limit` in octets, None when the carrier decides."""

    id: str
    created_at: datetime
    line: str
    simulated: bool
    recipients: tuple[str, ...]
    text: str
    subject: str | None
    send_req: SendReq
    pdu: bytes
    sms: PartCount
    size_limit: int | None
    repeated: tuple[str, ...] = ()


def resource(message: Composed, attempt: Attempt) -> dict[str, Any]:
    """The body of the answer to POST /v1/messages (docs/api.md)."""
    return {
        "id": message.id,
        "direction": "outbound",
        "type": "mms",
        "status": STATUS[attempt.outcome],
        "to": [{"number": number, "status": RECIPIENT_STATUS[attempt.outcome]} for number in message.recipients],
        "line": message.line,
        "text_chars": len(message.text),
        "sms_parts_saved": message.sms.parts,
        "sms_encoding": message.sms.encoding.value,
        "size": len(message.pdu),
        "size_limit": message.size_limit,
        "parts": [_part(number, part) for number, part in enumerate(message.send_req.parts)],
        "attempts": attempt.tries,
        "carrier": _carrier(attempt),
        "error": _error(attempt),
        "timings": _timings(attempt),
        "simulated": message.simulated,
        "warnings": list(_warnings(message, attempt)),
        "created_at": message.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def http_status(attempt: Attempt) -> int:
    """200 sent; 503 not sent, or refused for now: may be sent again; 422 refused for good; 409 may have been sent: not again by itself.

    409 and 422 rather than 504 and 502, for `curl --retry` and most HTTP libraries send the latter again by themselves.
    """
    if attempt.outcome is Outcome.SENT:
        return 200
    if attempt.outcome in (Outcome.UNKNOWN, Outcome.PARTIAL):
        return 409
    return 503 if attempt.retryable or attempt.answer is None else 422


def response_status(attempt: Attempt) -> int | None:
    """The octet of the confirmation; None when there is no confirmation, or none in it."""
    status = attempt.conf.response_status if attempt.conf is not None else None
    return None if status is None else int(status)


def status_name(status: int) -> str:
    """The specification's spelling of a Response-Status: `Ok`, `Error-permanent-failure`; `Reserved` for a value it does not assign."""
    try:
        return label(ResponseStatus(status)).capitalize()
    except ValueError:
        return "Reserved"


def _part(number: int, part: Any) -> dict[str, Any]:
    return {"n": number, "content_type": part.content_type.media, "size": len(part.data)}


def _carrier(attempt: Attempt) -> dict[str, Any] | None:
    conf = attempt.conf
    if conf is None:
        return None
    status = response_status(attempt)
    return {
        "message_id": conf.message_id,
        "response_status": status,
        "response_status_name": None if status is None else status_name(status),
        "response_text": None if conf.response_text is None else str(conf.response_text),
    }


def _error(attempt: Attempt) -> dict[str, Any] | None:
    if attempt.outcome is Outcome.SENT:
        return None
    return {
        "code": attempt.code,
        "detail": attempt.detail,
        "retryable": attempt.retryable,
        "phase": attempt.phase.name.lower(),
        "response_status": response_status(attempt),
        "http_status": None if attempt.answer is None else attempt.answer.status,
    }


def _timings(attempt: Attempt) -> dict[str, float]:
    times = attempt.timings
    return {
        "waiting": round(times.waiting, 3),
        "bearer": round(times.bearer, 3),
        "connect": round(times.connect, 3),
        "sending": round(times.sending, 3),
        "answering": round(times.answering, 3),
        "total": round(times.total, 3),
    }


def _warnings(message: Composed, attempt: Attempt) -> Iterable[dict[str, Any]]:
    chars = len(message.text)
    if chars > LONG_TEXT:
        code = "very_long_text" if chars > VERY_LONG_TEXT else "long_text"
        yield {"code": code, "detail": f"{chars:,} characters; some phones show a text of more than {LONG_TEXT:,} cut or as a file"}
    if message.subject and len(message.subject) > LONG_SUBJECT:
        yield {"code": "long_subject", "detail": f"some phones cut a subject after {LONG_SUBJECT} characters"}
    for number in message.repeated:
        yield {"code": "repeated_recipient", "detail": f"{number} was named more than once and gets the message once"}
    for code in attempt.warnings:
        yield {"code": code, "detail": WARNINGS.get(code, code)}

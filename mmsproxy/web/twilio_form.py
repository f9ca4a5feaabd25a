"""What Twilio's REST API calls things, and what they are called here: ids, states, error codes, the form of a message. Pure.

Rule 1: a sid is our id in another notation, both ways, so nothing is kept for it. Rule 2: what is not known for certain has the code
30008 (unknown error), and nothing else has it: `failed` without it was definitely not sent. It knows no HTTP and no store.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from mmsproxy.message.model import Mistake
from mmsproxy.post.ids import RANDOM_BYTES, ulid
from mmsproxy.post.job import Direction, Kind, Reason, State
from mmsproxy.post.records import Message
from mmsproxy.wap_numbers import ResponseStatus
from mmsproxy.wire.sms_split import count_parts

API_VERSION = "2010-04-01"
ACCOUNT, SENDER = "twilio.account_sid", "twilio.from"  # metadata that a message of this door carries
MORE_INFO = "https://www.twilio.com/docs/errors/"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SID = re.compile(r"(?:MM|SM)([0-9a-fA-F]{32})")
_ULID = re.compile(rf"msg_([0-7][{_ALPHABET}]{{25}})")

S = State
STATUS: Mapping[State, str] = {
    S.SCHEDULED: "scheduled",
    S.QUEUED: "queued",
    S.SENDING: "sending",
    S.RETRYING: "sending",
    S.SENT: "sent",
    S.PARTIAL: "partially_delivered",
    S.DELIVERED: "delivered",
    S.READ: "read",
    S.UNDELIVERED: "undelivered",
    S.FAILED: "failed",
    S.EXPIRED: "failed",
    S.CANCELED: "canceled",
    S.UNKNOWN: "failed",
    S.NOTIFIED: "receiving",
    S.RETRIEVING: "receiving",
    S.RECEIVED: "received",
    S.RETRIEVE_FAILED: "failed",
}

UNKNOWN_ERROR = 30008
BLOCKED = 30004
UNKNOWN_HANDSET = 30005
ERRORS: Mapping[State, int] = {
    S.UNKNOWN: UNKNOWN_ERROR,
    S.EXPIRED: 30036,  # validity period expired
    S.UNDELIVERED: 30003,  # unreachable destination handset
    S.FAILED: BLOCKED,
    S.RETRIEVE_FAILED: BLOCKED,
}
_UNRESOLVED = {ResponseStatus.ERROR_SENDING_ADDRESS_UNRESOLVED, ResponseStatus.ERROR_PERMANENT_SENDING_ADDRESS_UNRESOLVED}

INVALID = 20422
CODES: Mapping[str, int] = {
    "unauthorized": 20003,
    "forbidden": 20403,
    "not_found": 20404,
    "method_not_allowed": 20004,
    "rate_limited": 20429,
    "internal": 20500,
    "unavailable": 20503,
    "insufficient_storage": 20503,
    "not_cancelable": 30409,
    "invalid_number": 21211,
    "no_recipient": 21604,
    "denied_number": 21408,
    "opted_out": 21610,
    "no_line": 21606,
    "media_fetch_failed": 21620,
    "unsupported_media": 21620,
}  # our codes -> the dictionary's
PLACES: Mapping[tuple[str, str], int] = {
    ("to", "missing"): 21604,
    ("text", "missing"): 21619,
    ("text", "empty"): 21619,
    ("text", "too_large"): 21617,
    ("media", "too_many"): 21623,
    ("media", "too_large"): 21620,
    ("media", "invalid_url"): 21620,
    ("callback_url", "invalid_url"): 21609,
    ("line", "invalid_line"): 21606,
}  # the same where the place decides


def sid_of(message_id: str, kind: Kind) -> str:
    """`MM` or `SM` and the id's 128 bits. Raises ValueError for what is no id of a message."""
    found = _ULID.fullmatch(message_id)
    if found is None:
        raise ValueError(f"{message_id[:40]!a} is no id of a message")
    number = 0
    for letter in found[1]:
        number = number << 5 | _ALPHABET.index(letter)
    return f"{'MM' if kind is Kind.MMS else 'SM'}{number:032x}"


def id_of(sid: str) -> str | None:
    """The id that a sid stands for; None for what is no sid."""
    found = _SID.fullmatch(sid)
    if found is None:
        return None
    octets = bytes.fromhex(found[1])
    return "msg_" + ulid(int.from_bytes(octets[:-RANDOM_BYTES]), octets[-RANDOM_BYTES:])


def error_code(state: State, error: Reason | None) -> int | None:
    if state is S.FAILED and error is not None and error.response_status in _UNRESOLVED:
        return UNKNOWN_HANDSET
    return ERRORS.get(state)


def messages_uri(account: str) -> str:
    return f"/{API_VERSION}/Accounts/{quote(account, safe='')}/Messages"


def resource(message: Message, account: str, *, number: str | None, sent_at: float | None) -> dict[str, Any]:
    """A message as Twilio shows it. `number`: what the line that has it is called; `sent_at`: seconds since 1970."""
    job = message.job
    sid, code = sid_of(job.id, job.kind), error_code(job.state, job.error)
    is_inbound = job.direction is Direction.INBOUND
    return {
        "sid": sid,
        "account_sid": account,
        "api_version": API_VERSION,
        "messaging_service_sid": None,
        "direction": "inbound" if is_inbound else "outbound-api",
        "from": message.sender if is_inbound else number or message.metadata.get(SENDER),
        "to": _to(message),
        "body": message.text or "",
        "num_segments": str(count_parts(message.text).parts if message.text and job.kind is Kind.SMS else 1),
        "num_media": str(len(message.media)),
        "status": STATUS[job.state],
        "error_code": code,
        "error_message": None if code is None else _error_message(job.state, job.error),
        "date_created": rfc2822(job.created_at),
        "date_updated": rfc2822(job.changed_at),
        "date_sent": None if sent_at is None else rfc2822(sent_at),
        "price": None,
        "price_unit": "USD",
        "uri": f"{messages_uri(account)}/{sid}.json",
        "subresource_uris": {},
    }


def rfc2822(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(at), UTC))


def callback(message: Message, state: State) -> dict[str, str]:
    """The fields of a status callback for the moment at which the message came into `state`."""
    job, account = message.job, message.metadata[ACCOUNT]
    sid = sid_of(job.id, job.kind)
    fields = {
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": STATUS[state],
        "SmsStatus": STATUS[state],
        "To": _to(message),
        "From": message.metadata.get(SENDER, ""),
        "AccountSid": account,
        "ApiVersion": API_VERSION,
    }
    error = job.error if job.state is state else None
    code = error_code(state, error)
    return fields if code is None else {**fields, "ErrorCode": str(code), "ErrorMessage": _error_message(state, error)}


def signature(secret: str, url: str, fields: Mapping[str, str]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 of the URL and the sorted fields, as their RequestValidator checks it."""
    said = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(secret.encode(), said.encode("utf-8", "replace"), hashlib.sha1).digest()).decode()


def refusal_code(code: str, mistakes: Sequence[Mistake] = ()) -> int:
    """The number for a refusal of ours: by the place of the first mistake, by its code, or `invalid parameter`."""
    for mistake in mistakes[:1]:
        place = mistake.pointer.removeprefix("/").partition("/")[0]
        found = PLACES.get((place, mistake.code)) or CODES.get(mistake.code)
        if found is not None:
            return found
    return CODES.get(code, INVALID)


def _to(message: Message) -> str:
    return ",".join(recipient.number for recipient in message.recipients)


def _error_message(state: State, error: Reason | None) -> str:
    if state is S.UNKNOWN:
        return f"it may have been sent, sending it again may send it twice: {error.detail if error else 'no answer'}"
    return error.detail if error is not None else state.value

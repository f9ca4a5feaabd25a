"""The answers that the gateway makes itself at the MM1 door (mm1.md section 5), laid octet by octet.

Rule 1: pure; a `Reply` is all that an answer is. Rule 2: an answer of our own is never a 2xx and never has a Message-ID: a status
other than 2xx is the one sign that nearly every client takes as failure, and MMSBox takes a Message-ID as success (mm1.md 2.4); the one
exception is `accepted`. Rule 3: an M-Send.conf of our own is laid by hand with the request's own octets, so that it can be made for a
PDU that does not decode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmsproxy.carrier.attempt import Attempt, Outcome
from mmsproxy.carrier.headers import MMS_MESSAGE, Header, answer_headers
from mmsproxy.errors import CarrierError, HeaderError, LinkError, MmsproxyError, StoreError
from mmsproxy.post.job import LeaseLost
from mmsproxy.wap_numbers import MessageType, MmsVersion, ResponseStatus

ORIGIN = ("X-Mmsproxy-Origin", "gateway")
RETRY_AFTER_MIN = 5  # seconds, both ends of mm1.md 5.2
RETRY_AFTER_MAX = 60
SLOW_LINE_RETRY = 5.0  # seconds (mm1.md 5.2): the attempt goes on, so coming back soon is right
RECOVERY_ESTIMATE = 30.0  # seconds; the limit for bringing up a bearer (mm1.md 9)
MAX_TRANSACTION_ID = 1024  # octets worth sending back; clients use up to 40 (mms.md 10)
MAX_VERSION = 8  # octets of a version written as text
MAX_TEXT = 250  # octets of a Response-Text; phones show it in one dialog

# Field numbers that the head of a PDU is read by and an M-Send.conf is laid with (mms.md 4).
MESSAGE_TYPE, TRANSACTION_ID, MMS_VERSION, CONTENT_TYPE = 0x8C, 0x98, 0x8D, 0x84
RESPONSE_STATUS, RESPONSE_TEXT, MESSAGE_ID = 0x92, 0x93, 0x8B
TEXT_FIELDS = frozenset(
    {0x81, 0x82, 0x83, 0x8B, 0x93, 0x96, 0x97, TRANSACTION_ID, 0x9A, 0x9E, 0xA6, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBD, 0xBE}
)
CONF_OF: dict[int, MessageType] = {MessageType.M_SEND_REQ: MessageType.M_SEND_CONF, MessageType.M_FORWARD_REQ: MessageType.M_FORWARD_CONF}
LOWEST_VERSION = bytes((MmsVersion.V1_0,))  # what every client reads, for a request that names none

UNKNOWN_OUTCOME = ResponseStatus.ERROR_NETWORK_PROBLEM  # 0x86: the one status that no client retries by itself (mm1.md 5.2)
TRANSIENT_NETWORK_PROBLEM = ResponseStatus.ERROR_TRANSIENT_NETWORK_PROBLEM
PERMANENT_FAILURE = ResponseStatus.ERROR_PERMANENT_FAILURE
FORMAT_CORRUPT = ResponseStatus.ERROR_PERMANENT_MESSAGE_FORMAT_CORRUPT
SERVICE_DENIED = ResponseStatus.ERROR_PERMANENT_SERVICE_DENIED


def _codes(kind: type[MmsproxyError]) -> frozenset[str]:
    return frozenset({kind.code}).union(*map(_codes, kind.__subclasses__()))


# Whose fault an attempt without an answer ended by: its error's code is what is kept of it.
OF_A_CARRIER = _codes(CarrierError)
PASSING = _codes(LinkError) | _codes(StoreError) | {LeaseLost.code, "expired"}  # the modem, the store, a pause: may be over in a while


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer needs of a request: its type octet, its Transaction-ID octets (None: none was readable), its version value."""

    kind: int
    transaction_id: bytes | None
    version: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, its body in octets. `close`: the connection ends with it. `cause`: why, for the log; "" for the carrier's own."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]
    close: bool = False
    cause: str = ""


def head_of(pdu: bytes) -> Head | None:
    """The head of a PDU that may be broken further on; None if it does not begin like an MMS PDU. Never raises."""
    if len(pdu) < 2 or pdu[0] != MESSAGE_TYPE:
        return None
    found: dict[int, bytes] = {}
    for field, value in _headers(pdu):
        found.setdefault(field, value)
    transaction_id = found.get(TRANSACTION_ID, b"")
    version = found.get(MMS_VERSION, LOWEST_VERSION)
    return Head(
        pdu[1],
        transaction_id[:-1] if _is_text(transaction_id, MAX_TRANSACTION_ID) else None,
        version if (len(version) == 1 and version[0] >= 0x80) or _is_text(version, MAX_VERSION) else LOWEST_VERSION,
    )


def send_conf(head: Head, response_status: int, text: str) -> bytes:
    """An M-Send.conf (M-Forward.conf to an M-Forward.req) with the request's Transaction-ID and version, and no Message-ID."""
    kind = CONF_OF[head.kind]
    transaction_id = head.transaction_id or b""
    return b"".join(
        (
            bytes((MESSAGE_TYPE, kind, TRANSACTION_ID)) + transaction_id + b"\0",
            bytes((MMS_VERSION,)) + head.version,
            bytes((RESPONSE_STATUS, response_status, RESPONSE_TEXT)) + one_line(text) + b"\0",
        )
    )


def accepted(head: Head, message_id: str) -> Reply:
    """The one 2xx that the gateway makes: a person or a report said that a message of unknown outcome was sent (mm1.md 13)."""
    body = b"".join(
        (
            bytes((MESSAGE_TYPE, CONF_OF[head.kind], TRANSACTION_ID)) + (head.transaction_id or b"") + b"\0",
            bytes((MMS_VERSION,)) + head.version,
            bytes((RESPONSE_STATUS, ResponseStatus.OK, MESSAGE_ID)) + one_line(message_id) + b"\0",
        )
    )
    return Reply(200, body, (("Content-Type", MMS_MESSAGE), ORIGIN), cause="resolved as sent")


def one_line(text: str) -> bytes:
    """Printable ASCII, at most MAX_TEXT octets, never empty: a Text-string that needs no Quote."""
    shown = "".join(char if " " <= char <= "~" else "?" for char in " ".join(text.split()))
    return (shown[:MAX_TEXT] or "?").encode("ascii")


def plain(status: int, text: str, headers: tuple[tuple[str, str], ...] = (), *, close: bool = False) -> Reply:
    """A one-line answer in text/plain: where no Transaction-ID is known, or no M-Send.conf is awaited."""
    line = one_line(text)
    return Reply(status, line + b"\n", (("Content-Type", "text/plain; charset=utf-8"), ORIGIN, *headers), close, line.decode("ascii"))


def refusal(head: Head | None, status: int, response_status: int, text: str, *, retry_after: float | None = None) -> Reply:
    """The gateway's own answer to a request: with an M-Send.conf body where the request awaits one and its Transaction-ID is known."""
    headers = () if retry_after is None else (("Retry-After", str(retry_seconds(retry_after))),)
    if head is None or head.transaction_id is None or head.kind not in CONF_OF:
        return plain(status, text, headers)
    body = send_conf(head, response_status, text)
    return Reply(status, body, (("Content-Type", MMS_MESSAGE), ORIGIN, *headers), cause=one_line(text).decode("ascii"))


def busy(head: Head, cause: str, retry_after: float) -> Reply:
    """Not now: nothing of the message has left."""
    return refusal(head, 503, TRANSIENT_NETWORK_PROBLEM, cause, retry_after=retry_after)


def in_doubt(head: Head, cause: str) -> Reply:
    """The last byte may have left, and nothing tells what became of it."""
    return refusal(head, 504, UNKNOWN_OUTCOME, cause)


def reply_to_response(attempt: Attempt, head: Head, ref: str) -> Reply:
    """The answer to an M-NotifyResp.ind, M-Acknowledge.ind or M-Read-Rec.ind: the carrier's body, or a line of text."""
    answer = attempt.answer
    if attempt.outcome is Outcome.SENT and answer is not None:
        return passed_on(answer.body, answer_headers(answer.headers), 200, untyped="application/octet-stream")
    if attempt.outcome is Outcome.UNKNOWN:
        return in_doubt(head, with_id(attempt.detail, ref))
    return failed(head, attempt.code, None if answer is None else answer.status, with_id(attempt.detail, ref))


def failed(head: Head, code: str, http_status: int | None, cause: str) -> Reply:
    """The answer when it is certain that the message was not taken, and no confirmation of the carrier says so (mm1.md 5.2).

    code  the error's; http_status  the carrier's, None when it gave no answer
    """
    if http_status is not None:
        rejected = 400 <= http_status < 500  # a carrier's 401 or 407 must not look like ours
        return refusal(head, 502, PERMANENT_FAILURE if rejected else TRANSIENT_NETWORK_PROBLEM, cause)
    if code in OF_A_CARRIER:
        return refusal(head, 502, TRANSIENT_NETWORK_PROBLEM, cause)
    if code in PASSING:
        return busy(head, cause, RECOVERY_ESTIMATE)
    if code == HeaderError.code:
        return refusal(head, 400, FORMAT_CORRUPT, cause)
    return refusal(head, 500, TRANSIENT_NETWORK_PROBLEM, cause)


def passed_on(body: bytes, headers: tuple[Header, ...], status: int, *, untyped: str = MMS_MESSAGE) -> Reply:
    """What the carrier said, its octets unchanged. `untyped` is the Content-Type of a body that came without one."""
    sound = tuple(item for item in headers if _is_utf8(item[1]))
    if body and not any(name.lower() == "content-type" for name, _ in sound):
        sound = (*sound, ("Content-Type", untyped))
    return Reply(status, body, sound)


def with_id(cause: str, message_id: str) -> str:
    """The cause, cut so that the message id behind it is whole."""
    return f"{cause[: MAX_TEXT - len(message_id) - 3]} [{message_id}]"


def _is_utf8(value: str) -> bool:
    """aiohttp writes header values in UTF-8 only; octets that are none came in as surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


def retry_seconds(estimate: float) -> int:
    """Whole seconds between the two bounds, rounded up: coming back too early only costs another answer like this."""
    return max(RETRY_AFTER_MIN, min(RETRY_AFTER_MAX, -int(-estimate // 1)))


def _is_text(value: bytes, longest: int) -> bool:
    return 0 < len(value) <= longest and value[0] not in range(1, 0x20) and value.endswith(b"\0")


def _headers(pdu: bytes) -> Iterator[tuple[int, bytes]]:
    """Well-known headers as (field, raw value), up to the Content-Type or to the first octet that makes no sense."""
    at = 0
    while at < len(pdu) and pdu[at] != CONTENT_TYPE:
        field = pdu[at]
        if field < 0x20:
            return
        start = at + 1 if field >= 0x80 else _after_text(pdu, at)
        end = _after_value(pdu, start, is_text=field in TEXT_FIELDS or field < 0x80)
        if end is None or start is None or end > len(pdu):
            return
        if field >= 0x80:
            yield field, pdu[start:end]
        at = end


def _after_value(pdu: bytes, start: int | None, *, is_text: bool) -> int | None:
    """Where a value ends: the skip rule of mms.md section 2. Text fields hold no Short-integer: a high octet there is unquoted text."""
    if start is None or start >= len(pdu):
        return None
    first = pdu[start]
    if 1 <= first <= 0x1E:
        return start + 1 + first
    if first == 0x1F:
        return _after_long_value(pdu, start + 1)
    if first == 0:
        return start + 1
    return _after_text(pdu, start) if first < 0x80 or is_text else start + 1


def _after_long_value(pdu: bytes, start: int) -> int | None:
    length = 0
    for index, octet in enumerate(pdu[start : start + 5]):
        length = length << 7 | octet & 0x7F
        if octet < 0x80:
            return start + index + 1 + length
    return None


def _after_text(pdu: bytes, start: int) -> int | None:
    end = pdu.find(0, start)
    return None if end < 0 else end + 1

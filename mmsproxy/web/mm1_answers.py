"""The answers that the gateway makes itself at the MM1 door (mm1.md section 5), laid octet by octet.

Rule 1: pure; a `Reply` is all that an answer is. Rule 2: an answer of our own is never a 2xx and never has a Message-ID: a status
other than 2xx is the one sign that nearly every client takes as failure, and MMSBox takes a Message-ID as success (mm1.md 2.4).
Rule 3: an M-Send.conf of our own is laid by hand with the request's own octets, so that it can be made for a PDU that does not decode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MMS_MEDIA_TYPE = "application/vnd.wap.mms-message"
ORIGIN = ("X-Mmsproxy-Origin", "gateway")
RETRY_AFTER_MIN = 5  # seconds, both ends of mm1.md 5.2
RETRY_AFTER_MAX = 60
MAX_TRANSACTION_ID = 1024  # octets worth sending back; clients use up to 40 (mms.md 10)
MAX_VERSION = 8  # octets of a version written as text
MAX_TEXT = 250  # octets of a Response-Text; phones show it in one dialog

# Field numbers and types of mms.md 3 and 4 that the head of a PDU is read by.
MESSAGE_TYPE, TRANSACTION_ID, MMS_VERSION, CONTENT_TYPE = 0x8C, 0x98, 0x8D, 0x84
RESPONSE_STATUS, RESPONSE_TEXT = 0x92, 0x93
SEND_REQ, SEND_CONF, FORWARD_REQ, FORWARD_CONF = 0x80, 0x81, 0x89, 0x8A
TEXT_FIELDS = frozenset({0x83, TRANSACTION_ID, 0x8B, 0x9E, 0xB7, 0xB8, 0xB9, 0xBD, 0xBE, 0x81, 0x82, 0x96, 0x97, 0x93, 0x9A})
LOWEST_VERSION = b"\x90"  # 1.0: what every client reads, for a request that names none

NETWORK_PROBLEM_UNKNOWN = 0x86  # Error-network-problem (1.0): the one status that no client retries by itself (mm1.md 5.2)
TRANSIENT_NETWORK_PROBLEM = 0xC3
PERMANENT_FAILURE = 0xE0
FORMAT_CORRUPT = 0xE2


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer needs of a request: its type octet, its Transaction-ID octets (None: none was readable), its version value."""

    kind: int
    transaction_id: bytes | None
    version: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, its body in octets. `close`: the connection ends with it."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]
    close: bool = False


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
    kind = FORWARD_CONF if head.kind == FORWARD_REQ else SEND_CONF
    transaction_id = head.transaction_id or b""
    return b"".join(
        (
            bytes((MESSAGE_TYPE, kind, TRANSACTION_ID)) + transaction_id + b"\0",
            bytes((MMS_VERSION,)) + head.version,
            bytes((RESPONSE_STATUS, response_status, RESPONSE_TEXT)) + one_line(text) + b"\0",
        )
    )


def one_line(text: str) -> bytes:
    """Printable ASCII, at most MAX_TEXT octets, never empty: a Text-string that needs no Quote."""
    shown = "".join(char if " " <= char <= "~" else "?" for char in " ".join(text.split()))
    return (shown[:MAX_TEXT] or "?").encode("ascii")


def plain(status: int, text: str, headers: tuple[tuple[str, str], ...] = (), *, close: bool = False) -> Reply:
    """A one-line answer in text/plain: where no Transaction-ID is known, or no M-Send.conf is awaited."""
    return Reply(status, one_line(text) + b"\n", (("Content-Type", "text/plain; charset=utf-8"), ORIGIN, *headers), close)


def refusal(head: Head | None, status: int, response_status: int, text: str, *, retry_after: float | None = None) -> Reply:
    """The gateway's own answer to a request: with an M-Send.conf body where the request awaits one and its Transaction-ID is known."""
    headers = () if retry_after is None else (("Retry-After", str(retry_seconds(retry_after))),)
    if head is None or head.transaction_id is None or head.kind not in (SEND_REQ, FORWARD_REQ):
        return plain(status, text, headers)
    return Reply(status, send_conf(head, response_status, text), (("Content-Type", MMS_MEDIA_TYPE), ORIGIN, *headers))


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

"""WAP push, octets <-> typed values: the Push and ConfirmedPush PDUs of connectionless WSP (WAP-230 8.2.4), as they come in SMS.

The whole way from SMS to MMS, each step of which raises PduError and nothing else:

    part = sms_pdu.decode_listed(line, length)                  # a Deliver
    sms_parts.is_wap_push(part), sms_parts.part_key(part)       # keep it until sms_parts.missing(parts) == ()
    push = wap_push.of_delivers(parts)                          # a Push, or None: another port
    octets = wap_push.find_mms(push)                            # an MMS PDU, or None: a push of something else
    mms_pdu.decode(octets)                                      # M-Notification.ind, M-Delivery.ind, M-Read-Orig.ind, M-Cancel.req

Rule 1: what a push carries is told by its content type, whatever its application id and its Content-Length say: both lie in real
traffic. Rule 2: `encode(decode(b)) == b` for every accepted push: the octets of the head are kept and used while they still say the
same. Rule 3: a push that is not MMS is no error, and nothing in it is ever followed: it is the caller's to count and drop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mmsproxy import pdu_schema
from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import APPLICATION_ID_PREFIX, APPLICATION_IDS, WSP_HEADER_NAMES
from mmsproxy.wire.model import PartHeader
from mmsproxy.wire.sms_parts import is_wap_push, joined_data, missing
from mmsproxy.wire.sms_schema import surroundings
from mmsproxy.wire.sms_types import Deliver
from mmsproxy.wsp.choices import OPAQUE
from mmsproxy.wsp.integers import UINTVAR
from mmsproxy.wsp.leaf import RULES, Flaws, Leaf, Lenient, Strict, with_type_checked
from mmsproxy.wsp.parameters import CONTENT_TYPE
from mmsproxy.wsp.texts import TEXT_STRING, TOKEN_TEXT
from mmsproxy.wsp.values import ContentType, PduWarning

PUSH: Final = 0x06  # WAP-230 table 34
CONFIRMED_PUSH: Final = 0x07
MAX_HEADERS: Final = 64  # real pushes have at most 6
MMS_MEDIA: Final = "application/vnd.wap.mms-message"
MMS_APPLICATION: Final = 4  # mms.ua
_MMS_APPLICATION_NAME: Final = APPLICATION_ID_PREFIX + APPLICATION_IDS[MMS_APPLICATION]

# WAP-230 table 39, as octets of a header field
CONTENT_LENGTH: Final = 0x8D
APPLICATION_ID: Final = 0xAF
INITIATOR_URI: Final = 0xB1
PUSH_FLAG: Final = 0xB4

PUSH_RULES: Final = {
    "not-a-push": "the second octet is neither 06 (Push) nor 07 (ConfirmedPush)",
    "push-confirmed": "a ConfirmedPush: the sender waits for a confirmation that no SMS can carry",
    "push-headers-beyond-data": "HeadersLen is more than what is left of the data",
    "push-body-missing": "nothing stands behind the headers",
    "push-without-mms-pdu": "the content type says MMS, but the body does not start with 8C",
    "push-parts-missing": "not all parts of the message are there",
    "too-many-headers": f"a push has at most {MAX_HEADERS} headers",
    "content-length-wrong": "Content-Length is not the length of the body",
    "application-id-other": "MMS, but the application id is not mms.ua",
    "value-out-of-range": "an octet is 0 to 255",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One push.

    tid           transaction id, any octet
    content_type  what the body is
    headers       all other headers in their order, with their octets
    body          what is carried, to the end of the data
    confirmed     a ConfirmedPush (07); rare, read all the same
    head          the octets up to the body as they came, empty for a push made here
    """

    content_type: ContentType
    body: bytes
    headers: tuple[PartHeader, ...] = ()
    tid: int = 0
    confirmed: bool = False
    warnings: tuple[PduWarning, ...] = field(default=(), compare=False)
    head: bytes = field(default=b"", compare=False, repr=False)

    @property
    def is_mms(self) -> bool:
        return self.content_type.media.lower() == MMS_MEDIA

    @property
    def application_id(self) -> int | str | None:
        """X-Wap-Application-Id as it came: an OMNA number or a URI; None without one, or if it is neither."""
        value = self.get(APPLICATION_ID)
        return value if isinstance(value, int | str) else None

    @property
    def application(self) -> str | None:
        """The same as a name: "x-wap-application:mms.ua"; the number in hex where OMNA has assigned none."""
        value = self.application_id
        return APPLICATION_ID_PREFIX + APPLICATION_IDS.get(value, f"{value:X}") if isinstance(value, int) else value

    @property
    def content_length(self) -> int | None:
        """What Content-Length claims. Not to be used: it is wrong in many real pushes."""
        value = self.get(CONTENT_LENGTH)
        return value if isinstance(value, int) else None

    @property
    def push_flag(self) -> int | None:
        """Bit 0 initiator authenticated, bit 1 content trusted, bit 2 last push."""
        value = self.get(PUSH_FLAG)
        return value if isinstance(value, int) else None

    @property
    def initiator_uri(self) -> str | None:
        """X-Wap-Initiator-URI. Shown, never followed."""
        value = self.get(INITIATOR_URI)
        return value if isinstance(value, str) else None

    def get(self, key: int | str) -> Any:
        """The value of the first header with this octet (0x8D) or textual name; None without one."""
        wanted = key.lower() if isinstance(key, str) else key
        for header in self.headers:
            if (header.key.lower() if isinstance(header.key, str) else header.key) == wanted:
                return header.value
        return None


def decode(data: bytes | bytearray | memoryview, *, strict: bool = False) -> Push:
    """One push. Lenient: each oddity that was accepted is in `warnings`; strict: it is refused.

    Raises PduError only, with `not-a-push` for another WSP PDU type.
    """
    octets = bytes(data)
    reader = _Reader(octets, strict)
    try:
        return reader.push()
    except PduError as error:
        error.context = error.context or surroundings(octets, error.offset)
        raise


def find_mms(push: Push) -> bytes | None:
    """The MMS PDU that the push carries, or None if it carries something else.

    Raises PduError `push-without-mms-pdu` where the content type says MMS and the body is none: a HeadersLen that is too large.
    """
    if not push.is_mms:
        return None
    if push.body[:1] != b"\x8c":
        at = len(push.head)
        raise _fault("push-without-mms-pdu", at, context=surroundings(push.head + push.body, at))
    return push.body


def of_delivers(parts: Sequence[Deliver], *, strict: bool = False) -> Push | None:
    """The push that these parts of one message carry, or None if they do not go to port 2948.

    Raises PduError as `decode`, and `push-parts-missing` where a part is not there.
    """
    if not parts or not all(is_wap_push(part) for part in parts):
        return None
    if absent := missing(parts):
        raise _fault("push-parts-missing", 0, f"parts {', '.join(map(str, absent))} are not there")
    return decode(joined_data(parts), strict=strict)


def mms_push(pdu: bytes, *, tid: int = 0) -> Push:
    """The push of an MMS PDU as most service centres write it: content type BE, application id mms.ua."""
    return Push(content_type=ContentType(MMS_MEDIA), body=pdu, headers=(PartHeader(APPLICATION_ID, MMS_APPLICATION),), tid=tid)


def encode(push: Push) -> bytes:
    """The octets; those that came, as far as they still say the same. Raises PduError only."""
    came = _Reader(push.head + push.body, strict=False).push() if push.head else None
    if came == push:
        return push.head + push.body
    if not 0 <= push.tid <= 0xFF:
        raise _fault("value-out-of-range", 0, path="tid")
    fields = bytearray()
    if came is not None and came.content_type == push.content_type:
        fields += _content_type_octets(push.head)
    else:
        _write(CONTENT_TYPE, push.content_type, fields, "content-type")
    for index, header in enumerate(push.headers):
        fields += _header_octets(header, f"headers[{index}].{header.name}")
    out = bytearray((push.tid, CONFIRMED_PUSH if push.confirmed else PUSH))
    UINTVAR.write(len(fields), out)
    return bytes(out + fields) + push.body


def _fault(rule: str, offset: int, detail: str = "", *, path: str = "", context: str = "") -> PduError:
    return PduError(rule, offset=offset, path=path, detail=detail or PUSH_RULES[rule], context=context)


class _Reader:
    """One walk over one buffer."""

    def __init__(self, data: bytes, strict: bool) -> None:
        self.data = data
        self.end = len(data)
        self.strict = strict
        self.flaw: Flaws = Strict() if strict else Lenient()

    def push(self) -> Push:
        """The whole buffer as one push."""
        kind = self._kind()
        start, body = self._head()
        content_type, at = self._value(CONTENT_TYPE, start, body, "content-type")
        headers = self._headers(at, body)
        push = Push(
            content_type=content_type,
            body=self.data[body:],
            headers=headers,
            tid=self.data[0],
            confirmed=kind == CONFIRMED_PUSH,
            head=self.data[:body],
        )
        self._check(push, body)
        return dataclasses.replace(push, warnings=self._warnings())

    def _kind(self) -> int:
        if self.end < 2:
            raise PduError("value-missing", offset=self.end, detail=RULES["value-missing"])
        kind = self.data[1]
        if kind not in (PUSH, CONFIRMED_PUSH):
            raise _fault("not-a-push", 1, f"WSP PDU type {kind:02X}: neither Push (06) nor ConfirmedPush (07)")
        if kind == CONFIRMED_PUSH:
            self._note("push-confirmed", 1, "")
        return kind

    def _head(self) -> tuple[int, int]:
        """Where Content-Type starts, and where the body does."""
        length, start = self._value(UINTVAR, 2, self.end, "headers-length")
        if start + length > self.end:
            raise _fault("push-headers-beyond-data", 2, f"HeadersLen {length}, {self.end - start} octets left")
        return start, start + length

    def _headers(self, pos: int, end: int) -> tuple[PartHeader, ...]:
        headers: list[PartHeader] = []
        while pos < end:
            if self.data[pos] < 0x20:
                self.flaw("stray-octets", pos)  # no header starts so; what is left of the head is kept as it is
                break
            if len(headers) == MAX_HEADERS:
                raise _fault("too-many-headers", pos)
            header, pos = self.header(pos, end, len(headers))
            headers.append(header)
        return tuple(headers)

    def header(self, pos: int, end: int, index: int) -> tuple[PartHeader, int]:
        """One header, and the offset behind it."""
        octet = self.data[pos]
        if octet < 0x80:
            path = f"headers[{index}]"
            name, at = self._value(TOKEN_TEXT, pos, end, path)
            value, stop = self._value(TEXT_STRING, at, end, path)
            return PartHeader(name, value, pos, self.data[pos:stop]), stop
        name = WSP_HEADER_NAMES.get(octet & 0x7F)
        path = f"headers[{index}].{name or f'0x{octet:02X}'}"
        if name is None:
            self._note("header-unknown", pos, path)
        value, stop = self._well_known(octet, pos + 1, end, path)
        return PartHeader(octet, value, pos, self.data[pos:stop]), stop

    def _well_known(self, octet: int, pos: int, end: int, path: str) -> tuple[Any, int]:
        """By its grammar; one that breaks it by the skip rule, as octets."""
        seen = len(self.flaw.found)
        try:
            return self._value(_grammar(octet), pos, end, path)
        except PduError as error:
            if self.strict:
                raise
            del self.flaw.found[seen:]
            self._note(error.rule, error.offset, path)
            return self._value(OPAQUE, pos, end, path)

    def _value(self, leaf: Leaf, pos: int, end: int, path: str) -> tuple[Any, int]:
        seen = len(self.flaw.found)
        try:
            value, stop = leaf.read(self.data, pos, end, self.flaw)
        except PduError as error:
            error.path = f"{path}.{error.path}" if error.path else path
            raise
        for flawed in self.flaw.found[seen:]:
            flawed[2] = f"{path}.{flawed[2]}" if flawed[2] else path
        return value, stop

    def _check(self, push: Push, body: int) -> None:
        if not push.body:
            if self.strict:
                raise _fault("push-body-missing", body)
            self._note("push-body-missing", body, "")
        if push.content_length not in (None, len(push.body)):
            self._note("content-length-wrong", body, "headers.Content-Length")
        if push.is_mms and (push.application or "").lower() != _MMS_APPLICATION_NAME:
            self._note("application-id-other", 2, "headers.X-Wap-Application-Id")

    def _note(self, rule: str, offset: int, path: str) -> None:
        self.flaw.note(rule, offset)
        self.flaw.found[-1][2] = path

    def _warnings(self) -> tuple[PduWarning, ...]:
        return tuple(
            PduWarning(rule, offset, path, PUSH_RULES.get(rule) or RULES[rule], surroundings(self.data, offset))
            for rule, offset, path in self.flaw.found
        )


def _grammar(octet: int) -> Leaf:
    return pdu_schema.PART_GRAMMARS.get(octet & 0x7F, OPAQUE)


def _content_type_octets(head: bytes) -> bytes:
    """The octets of Content-Type in a head that was read before."""
    flaw = Lenient()
    _, start = UINTVAR.read(head, 2, len(head), flaw)
    _, stop = CONTENT_TYPE.read(head, start, len(head), flaw)
    return head[start:stop]


def _header_octets(header: PartHeader, path: str) -> bytes:
    """As it came if that still says the same, or else anew."""
    if header.raw is not None and _says(header, header.raw):
        return header.raw
    out = bytearray()
    if isinstance(header.key, str):
        _write(TOKEN_TEXT, header.key, out, path)
        _write(TEXT_STRING, header.value, out, path)
        return bytes(out)
    if not 0x80 <= header.key <= 0xFF:
        raise _fault("value-out-of-range", 0, "the octet of a header is 80 to FF", path=path)
    out.append(header.key)
    _write(OPAQUE if isinstance(header.value, bytes) else _grammar(header.key), header.value, out, path)
    return bytes(out)


def _says(header: PartHeader, raw: bytes) -> bool:
    """Whether the octets, read again, are this header."""
    try:
        return bool(raw) and _Reader(raw, strict=False).header(0, len(raw), 0) == (header, len(raw))
    except PduError:
        return False


def _write(leaf: Leaf, value: Any, out: bytearray, path: str) -> None:
    try:
        with_type_checked(leaf.write, value, out)
    except PduError as error:
        error.path = f"{path}.{error.path}" if error.path else path
        raise

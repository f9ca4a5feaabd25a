"""The grammar of MMS PDUs, declared with construct: every header and every PDU as table rows in the order of the specification.

Rule 1: a row says what a header or PDU is (number, name, grammar, first MMS version, clause, where it may stand); how a buffer is walked
is the drivers' business (`wire`). A new header or PDU is one more row. Rule 2: grammars of single values are the leaves of the room
`wsp` and the composites below; each works alone: `FROM.parse(octets)`, `FROM.build(value)`, and by index: `FROM.read(buf, pos, end)`.

Source: OMA-TS-MMS_ENC-V1_3-20110913-A (ENC). Clause numbers 7.3.6 to 7.3.63 follow the alphabetical order of the specification's
headers and are confirmed for 7.3.7, 9, 10, 18-21, 23, 24, 27, 30, 32, 33, 35, 38, 39, 43, 48-50, 52, 54, 58; the headers before them
carry the bare 7.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final

from mmsproxy import wap_numbers as n
from mmsproxy.wsp.choices import (
    BOOLEAN,
    CONSTRAINED_MEDIA,
    FIELD_NAME,
    MEDIA,
    OPAQUE,
    VERSION_VALUE,
    Assigned,
    IntegerOr,
    MediaValue,
    NamedOctet,
    StatusOctet,
    VersionValue,
)
from mmsproxy.wsp.encoded import ADDRESS, ENCODED_STRING
from mmsproxy.wsp.integers import (
    CHARSET,
    DATE_VALUE,
    DELTA_SECONDS,
    INTEGER_VALUE,
    LONG_INTEGER,
    NO_VALUE,
    Q_VALUE,
    SHORT_INTEGER,
    UINTVAR,
    VALUE_LENGTH,
    general_form,
    write_general,
)
from mmsproxy.wsp.leaf import LENGTH_QUOTE, REFUSE, Flaws, Leaf, fault
from mmsproxy.wsp.parameters import CONTENT_TYPE, DISPOSITION, ELEMENT_DESCRIPTOR, PARAMETER_LIST, ContentTypeValue
from mmsproxy.wsp.texts import EXTENSION_MEDIA, QUOTED_STRING, TEXT_STRING, TEXT_VALUE, TOKEN_TEXT, URI_VALUE
from mmsproxy.wsp.values import Absolute, Address, Counted, MboxTotal, MmFlags, Relative

# --- ENC 7.3: composite grammars ------------------------------------------------------------------------------------------------


class General(Leaf):
    """Value-length, then the fields one after the other -> `make(*values)`. The fields must fill the length."""

    def __init__(self, make: Callable[..., Any], clause: str, **fields: Leaf) -> None:
        super().__init__()
        self.make = make
        self.clause = clause
        self.fields = fields
        self.grammar = "Value-length " + " ".join(leaf.grammar for leaf in fields.values())
        self._leaves = tuple(fields.values())
        self._values = attrgetter(*fields)

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Any, int]:
        at, stop = general_form(buf, pos, end, flaw)
        values = []
        for leaf in self._leaves:
            value, at = leaf.read(buf, at, stop, flaw)
            values.append(value)
        if at != stop:
            flaw("value-shorter-than-length", at)
        return self.make(*values), stop

    def write(self, value: Any, out: bytearray) -> None:
        body = bytearray()
        for leaf, field in zip(self._leaves, self._values(value), strict=True):
            leaf.write(field, body)
        write_general(body, out)

    def inner(self) -> tuple[Leaf, ...]:
        return VALUE_LENGTH, *self._leaves


class FromValue(Leaf):
    """Value-length (80 Encoded-string-value | 81) -> Address, or FromToken.INSERT_ADDRESS."""

    grammar = "Value-length (Address-present 80 Encoded-string-value | Insert-address 81)"
    clause = "ENC 7.3.21"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Address | n.FromToken, int]:
        at, stop = general_form(buf, pos, end, flaw)
        if at >= stop:
            raise fault("value-missing", at)
        value: Address | n.FromToken
        if buf[at] == n.FromToken.ADDRESS_PRESENT:
            value, at = ADDRESS.read(buf, at + 1, stop, flaw)
        elif buf[at] == n.FromToken.INSERT_ADDRESS:
            value, at = n.FromToken.INSERT_ADDRESS, at + 1
        else:
            raise fault("token-octet", at)
        if at != stop:
            flaw("value-shorter-than-length", at)
        return value, stop

    def write(self, value: Any, out: bytearray) -> None:
        if value == n.FromToken.INSERT_ADDRESS:
            out += b"\x01\x81"
            return
        body = bytearray((n.FromToken.ADDRESS_PRESENT,))
        ADDRESS.write(value, body)
        write_general(body, out)

    def inner(self) -> tuple[Leaf, ...]:
        return VALUE_LENGTH, ADDRESS


class TimeValue(Leaf):
    """Value-length (80 Date-value | 81 Delta-seconds-value) -> Absolute or Relative."""

    grammar = "Value-length (Absolute 80 Date-value | Relative 81 Delta-seconds-value)"
    clause = "ENC 7.3.20"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Absolute | Relative, int]:
        at, stop = general_form(buf, pos, end, flaw)
        if at >= stop:
            raise fault("value-missing", at)
        token = buf[at]
        if token == n.TimeToken.RELATIVE:
            seconds, at = DELTA_SECONDS.read(buf, at + 1, stop, flaw)
        elif token == n.TimeToken.ABSOLUTE:
            seconds, at = DATE_VALUE.read(buf, at + 1, stop, flaw)
        else:
            raise fault("token-octet", at)
        if at != stop:
            flaw("value-shorter-than-length", at)
        return (Relative(seconds) if token == n.TimeToken.RELATIVE else Absolute(seconds)), stop

    def write(self, value: Absolute | Relative, out: bytearray) -> None:
        body = bytearray()
        if isinstance(value, Relative):
            body.append(n.TimeToken.RELATIVE)
            DELTA_SECONDS.write(value.seconds, body)
        else:
            body.append(n.TimeToken.ABSOLUTE)
            DATE_VALUE.write(value.seconds, body)
        write_general(body, out)

    def inner(self) -> tuple[Leaf, ...]:
        return VALUE_LENGTH, DATE_VALUE, DELTA_SECONDS


class MmsVersionValue(VersionValue):
    """Version-value -> the octet, 0x90 to 0x93; others are kept and noted."""

    clause = "ENC 7.3.34"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int, int]:
        if pos < end and 0x90 <= buf[pos] <= 0x93:
            return buf[pos], pos + 1
        version, stop = super().read(buf, pos, end, flaw)
        if not n.MmsVersion.V1_0 <= version <= n.MmsVersion.V1_3:
            flaw.note("version-unknown", pos)
        return version, stop


class CountedOrPlain(Leaf):
    """In m-mbox-delete-conf and m-delete-conf: Value-length Status-count value -> Counted. Without its count: the value alone."""

    clause = "ENC 7.3.10"

    def __init__(self, plain: Leaf) -> None:
        super().__init__()
        self.plain = plain
        self.counted = General(Counted, "ENC 7.3.10", count=INTEGER_VALUE, value=plain)
        self.grammar = self.counted.grammar

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Any, int]:
        if pos < end and buf[pos] > LENGTH_QUOTE:
            flaw("count-missing", pos)
            return self.plain.read(buf, pos, end, flaw)
        return self.counted.read(buf, pos, end, flaw)

    def write(self, value: Any, out: bytearray) -> None:
        (self.counted if isinstance(value, Counted) else self.plain).write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return self.counted, self.plain


class MessageClassValue(Leaf):
    """Class-identifier | Token-text -> MessageClass or str."""

    grammar = "Class-identifier | Token-text"
    clause = "ENC 7.3.27"
    IDENTIFIER: Final = Assigned(n.MessageClass, "ENC 7.3.27")

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Any, int]:
        return (self.IDENTIFIER if pos < end and buf[pos] >= 0x80 else TOKEN_TEXT).read(buf, pos, end, flaw)

    def write(self, value: Any, out: bytearray) -> None:
        leaf: Leaf = TOKEN_TEXT if isinstance(value, str) else self.IDENTIFIER
        leaf.write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return self.IDENTIFIER, TOKEN_TEXT


class HeaderName(Leaf):
    """X-Mms-Attributes: the number of a header, as its octet (0x96 asks for Subject), or a Token-text -> int or str."""

    grammar = "Field-name"
    clause = "ENC 7.3"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int | str, int]:
        if pos < end and buf[pos] >= 0x80:
            return buf[pos], pos + 1
        return TOKEN_TEXT.read(buf, pos, end, flaw)

    def write(self, value: int | str, out: bytearray) -> None:
        if isinstance(value, str):
            TOKEN_TEXT.write(value, out)
        else:
            SHORT_INTEGER.write(value - 0x80, out)

    def inner(self) -> tuple[Leaf, ...]:
        return SHORT_INTEGER, TOKEN_TEXT


class Digest(Leaf):
    """Value-length and 16 octets -> str of 32 hex digits: Content-MD5 (WSP 8.4.2.18)."""

    grammar = "Value-length 16 octets"
    clause = "WSP 8.4.2.18"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        start, stop = general_form(buf, pos, end, flaw)
        if stop - start != 16:
            raise fault("digest-length", pos)
        return buf[start:stop].hex(), stop

    def write(self, value: str, out: bytearray) -> None:
        octets = bytes.fromhex(value)
        if len(octets) != 16:
            raise fault("digest-length", len(out))
        write_general(bytearray(octets), out)

    def inner(self) -> tuple[Leaf, ...]:
        return (VALUE_LENGTH,)


FROM: Final = FromValue()
MMS_VERSION: Final = MmsVersionValue()
MMS_CONTENT_TYPE: Final = ContentTypeValue(MediaValue(long=False, notes_text=True), MediaValue(long=True, notes_text=True))
TIME: Final = TimeValue()
MESSAGE_CLASS: Final = MessageClassValue()
MESSAGE_TYPE: Final = Assigned(n.MessageType, "ENC 7.3.30")
PRIORITY: Final = Assigned(n.Priority, "ENC 7.3.35")
SENDER_VISIBILITY: Final = Assigned(n.SenderVisibility, "ENC 7.3.52")
STATUS: Final = Assigned(n.Status, "ENC 7.3.54")
READ_STATUS: Final = Assigned(n.ReadStatus, "ENC 7.3.38")
REPLY_CHARGING: Final = Assigned(n.ReplyCharging, "ENC 7.3.43")
MM_STATE: Final = Assigned(n.MmState, "ENC 7.3.33")
RECOMMENDED_RETRIEVAL_MODE: Final = Assigned(n.RecommendedRetrievalMode, "ENC 7.3.39")
CONTENT_CLASS: Final = Assigned(n.ContentClass, "ENC 7.3.9")
CANCEL_STATUS: Final = Assigned(n.CancelStatus, "ENC 7.3.7")
RESPONSE_STATUS: Final = StatusOctet(n.ResponseStatus, "ENC 7.3.48")
RETRIEVE_STATUS: Final = StatusOctet(n.RetrieveStatus, "ENC 7.3.50")
STORE_STATUS: Final = StatusOctet(n.StoreStatus, "ENC 7.3.58")
MM_FLAGS: Final = General(MmFlags, "ENC 7.3.32", token=Assigned(n.MmFlagToken, "ENC 7.3.32"), keyword=ENCODED_STRING)
MBOX_TOTAL: Final = General(MboxTotal, "ENC 7.3.26", token=Assigned(n.MboxToken, "ENC 7.3.26"), amount=INTEGER_VALUE)
PREVIOUSLY_SENT_BY: Final = General(Counted, "ENC 7.3.23", count=INTEGER_VALUE, value=ADDRESS)
PREVIOUSLY_SENT_DATE: Final = General(Counted, "ENC 7.3.24", count=INTEGER_VALUE, value=DATE_VALUE)
HEADER_NAME: Final = HeaderName()
DIGEST: Final = Digest()
CONTENT_LOCATION_DEL: Final = CountedOrPlain(URI_VALUE)
RESPONSE_STATUS_DEL: Final = CountedOrPlain(RESPONSE_STATUS)
RESPONSE_TEXT_DEL: Final = CountedOrPlain(ENCODED_STRING)


# --- ENC 7.3, table 25: the headers --------------------------------------------------------------------------------------------------


def attribute(name: str) -> str:
    """The field name of a header in the PDU classes: `transaction_id` for X-Mms-Transaction-ID, `from_` for From."""
    bare = name.removeprefix("X-Mms-").lower().replace("-", "_")
    return "from_" if bare == "from" else bare


@dataclass(frozen=True, slots=True)
class HeaderDef:
    """One header: its octet, name, grammar, first MMS version and clause of ENC."""

    number: int
    name: str
    grammar: Leaf
    version: str
    clause: str

    @property
    def attr(self) -> str:
        """Its field in the PDU classes."""
        return attribute(self.name)


HEADERS: Final[tuple[HeaderDef, ...]] = (
    HeaderDef(0x81, "Bcc", ADDRESS, "1.0", "7.3"),
    HeaderDef(0x82, "Cc", ADDRESS, "1.0", "7.3.8"),
    HeaderDef(0x83, "X-Mms-Content-Location", URI_VALUE, "1.0", "7.3.10"),
    HeaderDef(0x84, "Content-Type", MMS_CONTENT_TYPE, "1.0", "7.3.12"),
    HeaderDef(0x85, "Date", DATE_VALUE, "1.0", "7.3.13"),
    HeaderDef(0x86, "X-Mms-Delivery-Report", BOOLEAN, "1.0", "7.3.14"),
    HeaderDef(0x87, "X-Mms-Delivery-Time", TIME, "1.0", "7.3.15"),
    HeaderDef(0x88, "X-Mms-Expiry", TIME, "1.0", "7.3.20"),
    HeaderDef(0x89, "From", FROM, "1.0", "7.3.21"),
    HeaderDef(0x8A, "X-Mms-Message-Class", MESSAGE_CLASS, "1.0", "7.3.27"),
    HeaderDef(0x8B, "Message-ID", TEXT_STRING, "1.0", "7.3.29"),
    HeaderDef(0x8C, "X-Mms-Message-Type", MESSAGE_TYPE, "1.0", "7.3.30"),
    HeaderDef(0x8D, "X-Mms-MMS-Version", MMS_VERSION, "1.0", "7.3.34"),
    HeaderDef(0x8E, "X-Mms-Message-Size", LONG_INTEGER, "1.0", "7.3.31"),
    HeaderDef(0x8F, "X-Mms-Priority", PRIORITY, "1.0", "7.3.35"),
    HeaderDef(0x90, "X-Mms-Read-Report", BOOLEAN, "1.0", "7.3.37"),
    HeaderDef(0x91, "X-Mms-Report-Allowed", BOOLEAN, "1.0", "7.3.47"),
    HeaderDef(0x92, "X-Mms-Response-Status", RESPONSE_STATUS, "1.0", "7.3.48"),
    HeaderDef(0x93, "X-Mms-Response-Text", ENCODED_STRING, "1.0", "7.3.49"),
    HeaderDef(0x94, "X-Mms-Sender-Visibility", SENDER_VISIBILITY, "1.0", "7.3.52"),
    HeaderDef(0x95, "X-Mms-Status", STATUS, "1.0", "7.3.54"),
    HeaderDef(0x96, "Subject", ENCODED_STRING, "1.0", "7.3.60"),
    HeaderDef(0x97, "To", ADDRESS, "1.0", "7.3.61"),
    HeaderDef(0x98, "X-Mms-Transaction-ID", TEXT_STRING, "1.0", "7.3.63"),
    HeaderDef(0x99, "X-Mms-Retrieve-Status", RETRIEVE_STATUS, "1.1", "7.3.50"),
    HeaderDef(0x9A, "X-Mms-Retrieve-Text", ENCODED_STRING, "1.1", "7.3.51"),
    HeaderDef(0x9B, "X-Mms-Read-Status", READ_STATUS, "1.1", "7.3.38"),
    HeaderDef(0x9C, "X-Mms-Reply-Charging", REPLY_CHARGING, "1.1", "7.3.43"),
    HeaderDef(0x9D, "X-Mms-Reply-Charging-Deadline", TIME, "1.1", "7.3.44"),
    HeaderDef(0x9E, "X-Mms-Reply-Charging-ID", TEXT_STRING, "1.1", "7.3.45"),
    HeaderDef(0x9F, "X-Mms-Reply-Charging-Size", LONG_INTEGER, "1.1", "7.3.46"),
    HeaderDef(0xA0, "X-Mms-Previously-Sent-By", PREVIOUSLY_SENT_BY, "1.1", "7.3.23"),
    HeaderDef(0xA1, "X-Mms-Previously-Sent-Date", PREVIOUSLY_SENT_DATE, "1.1", "7.3.24"),
    HeaderDef(0xA2, "X-Mms-Store", BOOLEAN, "1.2", "7.3.56"),
    HeaderDef(0xA3, "X-Mms-MM-State", MM_STATE, "1.2", "7.3.33"),
    HeaderDef(0xA4, "X-Mms-MM-Flags", MM_FLAGS, "1.2", "7.3.32"),
    HeaderDef(0xA5, "X-Mms-Store-Status", STORE_STATUS, "1.2", "7.3.58"),
    HeaderDef(0xA6, "X-Mms-Store-Status-Text", ENCODED_STRING, "1.2", "7.3.59"),
    HeaderDef(0xA7, "X-Mms-Stored", BOOLEAN, "1.2", "7.3.57"),
    HeaderDef(0xA8, "X-Mms-Attributes", HEADER_NAME, "1.2", "7.3"),
    HeaderDef(0xA9, "X-Mms-Totals", BOOLEAN, "1.2", "7.3.62"),
    HeaderDef(0xAA, "X-Mms-Mbox-Totals", MBOX_TOTAL, "1.2", "7.3.26"),
    HeaderDef(0xAB, "X-Mms-Quotas", BOOLEAN, "1.2", "7.3.36"),
    HeaderDef(0xAC, "X-Mms-Mbox-Quotas", MBOX_TOTAL, "1.2", "7.3.25"),
    HeaderDef(0xAD, "X-Mms-Message-Count", INTEGER_VALUE, "1.2", "7.3.28"),
    HeaderDef(0xAE, "Content", OPAQUE, "1.2", "7.3.11"),  # a name to stand in X-Mms-Attributes; as a header only by the skip rule
    HeaderDef(0xAF, "X-Mms-Start", INTEGER_VALUE, "1.2", "7.3.53"),
    HeaderDef(0xB0, "Additional-headers", OPAQUE, "1.2", "7.3"),  # as Content
    HeaderDef(0xB1, "X-Mms-Distribution-Indicator", BOOLEAN, "1.2", "7.3.16"),
    HeaderDef(0xB2, "X-Mms-Element-Descriptor", ELEMENT_DESCRIPTOR, "1.2", "7.3.18"),
    HeaderDef(0xB3, "X-Mms-Limit", INTEGER_VALUE, "1.2", "7.3.22"),
    HeaderDef(0xB4, "X-Mms-Recommended-Retrieval-Mode", RECOMMENDED_RETRIEVAL_MODE, "1.3", "7.3.39"),
    HeaderDef(0xB5, "X-Mms-Recommended-Retrieval-Mode-Text", ENCODED_STRING, "1.3", "7.3.40"),
    HeaderDef(0xB6, "X-Mms-Status-Text", ENCODED_STRING, "1.3", "7.3.55"),
    HeaderDef(0xB7, "X-Mms-Applic-ID", TEXT_STRING, "1.3", "7.3"),
    HeaderDef(0xB8, "X-Mms-Reply-Applic-ID", TEXT_STRING, "1.3", "7.3.42"),
    HeaderDef(0xB9, "X-Mms-Aux-Applic-Info", TEXT_STRING, "1.3", "7.3"),
    HeaderDef(0xBA, "X-Mms-Content-Class", CONTENT_CLASS, "1.3", "7.3.9"),
    HeaderDef(0xBB, "X-Mms-DRM-Content", BOOLEAN, "1.3", "7.3.17"),
    HeaderDef(0xBC, "X-Mms-Adaptation-Allowed", BOOLEAN, "1.3", "7.3"),
    HeaderDef(0xBD, "X-Mms-Replace-ID", TEXT_STRING, "1.3", "7.3.41"),
    HeaderDef(0xBE, "X-Mms-Cancel-ID", TEXT_STRING, "1.3", "7.3.6"),
    HeaderDef(0xBF, "X-Mms-Cancel-Status", CANCEL_STATUS, "1.3", "7.3.7"),
)
HEADER_BY_NUMBER: Final = {row.number: row for row in HEADERS}
HEADER_BY_ATTR: Final = {row.attr: row for row in HEADERS}
HEADER_NUMBERS: Final = {row.name.lower(): row.number for row in HEADERS}

# ENC 7.3.10, 7.3.48, 7.3.49: the three headers whose grammar is another one in m-mbox-delete-conf and m-delete-conf.
_DELETE_CONF: Final[dict[str, Leaf]] = {
    "content_location": CONTENT_LOCATION_DEL,
    "response_status": RESPONSE_STATUS_DEL,
    "response_text": RESPONSE_TEXT_DEL,
}

# --- ENC 6: the PDUs -----------------------------------------------------------------------------------------------------------------

_REPLY_CHARGING = "reply_charging reply_charging_deadline reply_charging_id reply_charging_size"
_APPLIC = "applic_id reply_applic_id aux_applic_info"


class Place(Enum):
    """Where a header stands in a PDU."""

    MANDATORY = "mandatory"
    OPTIONAL = "optional"  # conditional ones too: the condition is not visible in the octets
    OUT = "out of place"


class Direction(Enum):
    """Who sends a PDU to whom."""

    TO_MMSC = "MMS client to MMSC, HTTP POST"
    TO_CLIENT = "MMSC to MMS client, HTTP response"
    PUSH = "MMSC to MMS client, WAP push"
    INSIDE = "inside an m-mbox-view-conf"


@dataclass(frozen=True, slots=True)
class PduDef:
    """One PDU: which headers it must and may hold, by their field names, in the order of the specification.

    any_of    at least one of these must be there
    repeated  these may stand more than once, and are tuples in the PDU's class
    grammars  grammars that differ from the header's usual one
    """

    number: n.MessageType
    version: str
    direction: Direction
    mandatory: tuple[str, ...]
    optional: tuple[str, ...]
    any_of: tuple[str, ...]
    repeated: tuple[str, ...]
    clause: str
    has_body: bool
    grammars: dict[str, Leaf]

    @property
    def name(self) -> str:
        """`m-send-req` ..."""
        return n.label(self.number)

    def place(self, attr: str) -> Place:
        """Whether a header, by its field name, is mandatory, optional or out of place here."""
        if attr in ("message_type", *self.mandatory):
            return Place.MANDATORY
        return Place.OPTIONAL if attr in self.optional else Place.OUT

    def grammar(self, attr: str) -> Leaf:
        """The grammar of a header, by its field name, in this PDU."""
        return self.grammars.get(attr) or HEADER_BY_ATTR[attr].grammar


def _pdu(
    number: n.MessageType,
    version: str,
    direction: Direction,
    must: str,
    may: str,
    *,
    any_of: str = "",
    repeated: str = "",
    clause: str = "6",
    grammars: dict[str, Leaf] | None = None,
) -> PduDef:
    optional = (*may.split(), *any_of.split())
    has_body = "content_type" in (*must.split(), *optional)
    mandatory = (*must.split(), "mms_version") if number != n.MessageType.M_MBOX_DESCR else tuple(must.split())
    return PduDef(
        number, version, direction, mandatory, optional, tuple(any_of.split()), tuple(repeated.split()), clause, has_body, grammars or {}
    )


_T = n.MessageType
_U, _D, _P = Direction.TO_MMSC, Direction.TO_CLIENT, Direction.PUSH

PDUS: Final[tuple[PduDef, ...]] = (
    _pdu(
        _T.M_SEND_REQ,
        "1.0",
        _U,
        "transaction_id from_ content_type",
        "date subject message_class expiry delivery_time priority sender_visibility delivery_report read_report"
        f" {_REPLY_CHARGING} store mm_state mm_flags {_APPLIC} content_class drm_content adaptation_allowed",
        any_of="to cc bcc",
        repeated="to cc bcc mm_flags",
        clause="6.1.1",
    ),
    _pdu(
        _T.M_SEND_CONF,
        "1.0",
        _D,
        "transaction_id response_status",
        "response_text message_id content_location store_status store_status_text",
        clause="6.1.2",
    ),
    _pdu(
        _T.M_NOTIFICATION_IND,
        "1.0",
        _P,
        "transaction_id message_class message_size expiry content_location",
        f"from_ subject delivery_report {_REPLY_CHARGING} stored priority distribution_indicator element_descriptor"
        f" recommended_retrieval_mode recommended_retrieval_mode_text {_APPLIC} content_class drm_content replace_id",
        repeated="element_descriptor",
        clause="6.2",
    ),
    _pdu(_T.M_NOTIFYRESP_IND, "1.0", _U, "transaction_id status", "report_allowed", clause="6.2"),
    _pdu(
        _T.M_RETRIEVE_CONF,
        "1.0",
        _D,
        "date content_type",
        "transaction_id message_id from_ to cc subject message_class priority delivery_report read_report previously_sent_by"
        f" previously_sent_date retrieve_status retrieve_text {_REPLY_CHARGING} mm_state mm_flags distribution_indicator {_APPLIC}"
        " content_class drm_content replace_id",
        repeated="to cc previously_sent_by previously_sent_date mm_flags",
        clause="6.3",
    ),
    _pdu(_T.M_ACKNOWLEDGE_IND, "1.0", _U, "transaction_id", "report_allowed"),
    _pdu(_T.M_DELIVERY_IND, "1.0", _P, "message_id to date status", f"status_text {_APPLIC}"),
    _pdu(_T.M_READ_REC_IND, "1.1", _U, "message_id to from_ read_status", f"date {_APPLIC}"),
    _pdu(_T.M_READ_ORIG_IND, "1.1", _P, "message_id to from_ date read_status", _APPLIC),
    _pdu(
        _T.M_FORWARD_REQ,
        "1.1",
        _U,
        "transaction_id from_ content_location",
        "date expiry delivery_time report_allowed delivery_report read_report store mm_state mm_flags",
        any_of="to cc bcc",
        repeated="to cc bcc mm_flags",
    ),
    _pdu(
        _T.M_FORWARD_CONF,
        "1.1",
        _D,
        "transaction_id response_status",
        "response_text message_id content_location store_status store_status_text",
    ),
    _pdu(_T.M_MBOX_STORE_REQ, "1.2", _U, "transaction_id content_location", "mm_state mm_flags", repeated="mm_flags"),
    _pdu(_T.M_MBOX_STORE_CONF, "1.2", _D, "transaction_id store_status", "content_location store_status_text"),
    _pdu(
        _T.M_MBOX_VIEW_REQ,
        "1.2",
        _U,
        "transaction_id",
        "content_location mm_state mm_flags start limit attributes totals quotas",
        repeated="content_location mm_state mm_flags attributes",
    ),
    _pdu(
        _T.M_MBOX_VIEW_CONF,
        "1.2",
        _D,
        "transaction_id response_status content_type",
        "response_text content_location mm_state mm_flags start limit attributes mbox_totals mbox_quotas message_count",
        repeated="mm_state mm_flags attributes mbox_totals mbox_quotas",
    ),
    _pdu(_T.M_MBOX_UPLOAD_REQ, "1.2", _U, "transaction_id content_type", "mm_state mm_flags", repeated="mm_flags"),
    _pdu(_T.M_MBOX_UPLOAD_CONF, "1.2", _D, "transaction_id store_status", "content_location store_status_text"),
    _pdu(_T.M_MBOX_DELETE_REQ, "1.2", _U, "transaction_id content_location", "", repeated="content_location"),
    _pdu(
        _T.M_MBOX_DELETE_CONF,
        "1.2",
        _D,
        "transaction_id response_status",
        "content_location response_text",
        repeated="response_status content_location response_text",
        grammars=_DELETE_CONF,
    ),
    _pdu(
        _T.M_MBOX_DESCR,
        "1.2",
        Direction.INSIDE,
        "message_id",
        "mms_version content_location mm_state mm_flags content_type date from_ to cc bcc subject message_class message_size priority"
        " delivery_report read_report delivery_time expiry sender_visibility previously_sent_by previously_sent_date"
        f" {_REPLY_CHARGING} {_APPLIC} content_class drm_content replace_id",
        repeated="mm_flags to cc bcc previously_sent_by previously_sent_date",
    ),
    _pdu(_T.M_DELETE_REQ, "1.3", _U, "transaction_id content_location", "", repeated="content_location"),
    _pdu(
        _T.M_DELETE_CONF,
        "1.3",
        _D,
        "transaction_id response_status",
        "content_location response_text",
        repeated="response_status content_location response_text",
        grammars=_DELETE_CONF,
    ),
    _pdu(_T.M_CANCEL_REQ, "1.3", _P, "transaction_id cancel_id", ""),
    _pdu(_T.M_CANCEL_CONF, "1.3", _U, "transaction_id cancel_status", ""),
)
PDU_BY_NUMBER: Final = {row.number: row for row in PDUS}

# ENC 7 fixes the first three and the last; between them mms.md section 10, then by number.
_LEADING: Final = (
    "message_type",
    "transaction_id",
    "mms_version",
    "date",
    "from_",
    "to",
    "cc",
    "bcc",
    "subject",
    "message_class",
    "expiry",
    "delivery_time",
    "priority",
    "sender_visibility",
    "delivery_report",
    "read_report",
)
CANONICAL_ORDER: Final[tuple[str, ...]] = (
    *_LEADING,
    *(row.attr for row in HEADERS if row.attr not in (*_LEADING, "content_type")),
    "content_type",
)

# --- WSP table 39: grammars of the headers of a part and of a push; all others go by the skip rule --------------------------------------

LANGUAGE: Final = IntegerOr(TOKEN_TEXT, "WSP 8.4.2.13")
APPLICATION_ID: Final = IntegerOr(URI_VALUE, "WSP 8.4.2.54")
CONTENT_ENCODING: Final = NamedOctet(n.CONTENT_ENCODINGS, "WSP 8.4.2.12")

PART_GRAMMARS: Final[dict[int, Leaf]] = {
    0x0A: URI_VALUE,  # Content-Base
    0x0B: CONTENT_ENCODING,
    0x0C: LANGUAGE,  # Content-Language
    0x0D: INTEGER_VALUE,  # Content-Length
    0x0E: URI_VALUE,  # Content-Location
    0x0F: DIGEST,  # Content-MD5
    0x11: CONTENT_TYPE,
    0x12: DATE_VALUE,  # Date
    0x1C: URI_VALUE,  # Location
    0x1D: DATE_VALUE,  # Last-Modified
    0x2E: DISPOSITION,  # Content-Disposition, WSP 1.1
    0x2F: APPLICATION_ID,
    0x30: URI_VALUE,  # X-Wap-Content-URI
    0x31: URI_VALUE,  # X-Wap-Initiator-URI
    0x34: SHORT_INTEGER,  # Push-Flag
    0x40: QUOTED_STRING,  # Content-ID
    0x43: VERSION_VALUE,  # Encoding-Version
    0x45: DISPOSITION,  # Content-Disposition, WSP 1.4
}

# Every grammar by its name: WSP values, then those of MMS. What documentation, JSON schemas and fuzzers walk.
GRAMMARS: Final[dict[str, Leaf]] = {
    "UINTVAR": UINTVAR,
    "SHORT_INTEGER": SHORT_INTEGER,
    "LONG_INTEGER": LONG_INTEGER,
    "INTEGER_VALUE": INTEGER_VALUE,
    "VALUE_LENGTH": VALUE_LENGTH,
    "DATE_VALUE": DATE_VALUE,
    "DELTA_SECONDS": DELTA_SECONDS,
    "CHARSET": CHARSET,
    "Q_VALUE": Q_VALUE,
    "NO_VALUE": NO_VALUE,
    "VERSION_VALUE": VERSION_VALUE,
    "TEXT_STRING": TEXT_STRING,
    "EXTENSION_MEDIA": EXTENSION_MEDIA,
    "URI_VALUE": URI_VALUE,
    "TOKEN_TEXT": TOKEN_TEXT,
    "QUOTED_STRING": QUOTED_STRING,
    "TEXT_VALUE": TEXT_VALUE,
    "FIELD_NAME": FIELD_NAME,
    "ENCODED_STRING": ENCODED_STRING,
    "CONSTRAINED_MEDIA": CONSTRAINED_MEDIA,
    "MEDIA": MEDIA,
    "PARAMETER_LIST": PARAMETER_LIST,
    "CONTENT_TYPE": CONTENT_TYPE,
    "DISPOSITION": DISPOSITION,
    "DIGEST": DIGEST,
    "LANGUAGE": LANGUAGE,
    "APPLICATION_ID": APPLICATION_ID,
    "CONTENT_ENCODING": CONTENT_ENCODING,
    "OPAQUE": OPAQUE,
    "BOOLEAN": BOOLEAN,
    "ADDRESS": ADDRESS,
    "FROM": FROM,
    "MMS_VERSION": MMS_VERSION,
    "MMS_CONTENT_TYPE": MMS_CONTENT_TYPE,
    "TIME": TIME,
    "MESSAGE_CLASS": MESSAGE_CLASS,
    "MESSAGE_TYPE": MESSAGE_TYPE,
    "PRIORITY": PRIORITY,
    "SENDER_VISIBILITY": SENDER_VISIBILITY,
    "STATUS": STATUS,
    "READ_STATUS": READ_STATUS,
    "REPLY_CHARGING": REPLY_CHARGING,
    "MM_STATE": MM_STATE,
    "RECOMMENDED_RETRIEVAL_MODE": RECOMMENDED_RETRIEVAL_MODE,
    "CONTENT_CLASS": CONTENT_CLASS,
    "CANCEL_STATUS": CANCEL_STATUS,
    "RESPONSE_STATUS": RESPONSE_STATUS,
    "RETRIEVE_STATUS": RETRIEVE_STATUS,
    "STORE_STATUS": STORE_STATUS,
    "MM_FLAGS": MM_FLAGS,
    "MBOX_TOTAL": MBOX_TOTAL,
    "PREVIOUSLY_SENT_BY": PREVIOUSLY_SENT_BY,
    "PREVIOUSLY_SENT_DATE": PREVIOUSLY_SENT_DATE,
    "HEADER_NAME": HEADER_NAME,
    "ELEMENT_DESCRIPTOR": ELEMENT_DESCRIPTOR,
    "CONTENT_LOCATION_DEL": CONTENT_LOCATION_DEL,
    "RESPONSE_STATUS_DEL": RESPONSE_STATUS_DEL,
    "RESPONSE_TEXT_DEL": RESPONSE_TEXT_DEL,
}

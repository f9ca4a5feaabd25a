"""What a grammar is: `Leaf`, the limits, and the rules that a value can break.

Rule 1: every grammar is a `Leaf`: a construct (`X.parse(octets)` and `X.build(value)` work on any single value) that also has
`read(buf, pos, end, flaw) -> (value, pos)` and `write(value, out)`, which the drivers run by index over one buffer. Both faces are one
implementation. Rule 2: `read` is strict by default. What lenient mode may accept goes through `flaw(rule, offset)`, which raises unless
the driver is lenient; what no mode accepts raises `PduError` at once; `flaw.note` marks what is odd but no fault. Rule 3: nothing is
allocated by a length that came in, and every length is checked against its container first. Rule 4: a leaf knows no header and no PDU.
construct's own VarInt, CString, NullTerminated and GreedyRange are not used: the first is little-endian, the others quadratic or mute.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

from construct import Construct

from mmsproxy.errors import PduError

MAX_UINTVAR_OCTETS: Final = 5  # WSP 8.1.2
MAX_UINTVAR: Final = 2**32 - 1
MAX_LONG_INTEGER_OCTETS: Final = 30  # WSP 8.4.2.1
MAX_SHORT_LENGTH: Final = 30  # WSP 8.4.2.2; longer values have LENGTH_QUOTE and a uintvar
LENGTH_QUOTE: Final = 0x1F
QUOTE: Final = 0x7F
MAX_TEXT: Final = 64 * 1024  # octets of one text value; the longest header text seen in real PDUs is under 300

MAX_FLAWS: Final = 1024  # of one PDU; the oddest real one has 3

# Every rule that a PduError or a warning may name, with the line that explains it.
RULES: Final = {
    "value-missing": "the data end where a value is due",
    "value-beyond-data": "the value is longer than what is left of its container",
    "value-length-octet": "a value-length starts with an octet below 20 (hex)",
    "value-length-beyond-data": "the value-length is longer than what is left of its container",
    "value-shorter-than-length": "the value does not fill its value-length",
    "uintvar-too-long": "a uintvar has at most 5 octets",
    "uintvar-too-large": "a uintvar is at most 2^32-1",
    "uintvar-leading-zero": "a uintvar starts with 80",
    "short-integer-octet": "a short-integer has its top bit set",
    "long-integer-length": "a long-integer has 1 to 30 octets",
    "long-integer-leading-zero": "a long-integer starts with a zero octet",
    "text-without-nul": "the text has no closing NUL",
    "text-too-long": "one text value has at most 64 KiB",
    "text-undecodable": "octets that its charset does not have",
    "text-byte-order-mark": "the text starts with U+FEFF",
    "nul-in-text": "a text cannot hold a NUL",
    "control-character": "the text holds a control character",
    "eight-bit-without-quote": "a text that starts with an octet of 80 or more needs the Quote octet 7F",
    "needless-quote": "the Quote octet 7F stands only before an octet of 80 or more",
    "token-character": "a token holds no separators, spaces or controls, and is not empty",
    "quoted-string-unquoted": "a quoted-string starts with the octet 22",
    "quoted-string-closed": "a quoted-string has no closing quotation mark on the wire",
    "uri-character": "a URI is ASCII without spaces and controls",
    "charset-unknown": "no conversion is known for this charset",
    "q-value-range": "a q-value is 1 to 1099",
    "version-text": "a version is major, or major.minor with major 1 to 7 and minor 0 to 14",
    "version-as-text": "the version came as text",
    "version-unknown": "the version is none of 1.0 to 1.3",
    "no-value-octet": "no-value is the octet 00",
    "octet-not-assigned": "the octet is not one of the field's values",
    "octet-reserved": "the octet is reserved; it acts as the general failure of its class",
    "token-octet": "the first octet inside the value-length is not one of the field's tokens",
    "media-unknown": "the media type's number is not assigned",
    "textual-media": "a well-known media type came as text",
    "quoted-parameter": "a Text-string parameter has quotation marks around it",
    "textual-parameter": "a well-known parameter came with its name as text",
    "parameter-unknown": "the parameter's number is not assigned",
    "too-many-flaws": "a PDU has at most 1024 oddities",
    "too-many-parameters": "one value has at most 64 parameters",
    "address-unrecognised": "the address has none of the forms of ENC 8",
    "content-type-empty": "the media type's general form has length 0",
    "count-missing": "the value stands without its status count",
    "digest-length": "a Content-MD5 has 16 octets",
    "pdu-too-long": "a PDU has at most 2 MiB",
    "not-an-mms-pdu": "an MMS PDU starts with 8C and a message type",
    "too-many-headers": "a PDU or a part has at most 512 headers",
    "too-many-parts": "a multipart has at most 256 parts",
    "too-many-items": "a PDU has at most 4096 headers, parameters and parts in all",
    "multipart-too-deep": "multiparts stand at most 8 deep inside one another",
    "multipart-empty": "a multipart of this kind has at least one part",
    "multipart-not-filled": "the nested multipart does not fill its part",
    "part-beyond-data": "the part is longer than what is left of its container",
    "body-missing": "the PDU ends where its body is due",
    "body-out-of-place": "this PDU type has no body",
    "body-not-multipart": "the body is no multipart; it is taken as one part",
    "stray-octets": "octets that belong to no header and no part",
    "frame-order": "message type, transaction id and version stand first, in this order",
    "mandatory-header-missing": "a mandatory header is missing",
    "header-unknown": "the header's number is not assigned",
    "header-out-of-place": "the header has no place in this PDU type",
    "header-repeated": "the header stands more than once; the first one counts",
    "header-textual": "an application header, by its name",
    "transfer-encoding": "the part is not in the transfer encoding that it names",
    "value-out-of-range": "the value cannot be written in this grammar",
    "value-of-wrong-type": "the value has not the type of this grammar",
}


# A broken limit is no oddity of one value: it refuses the PDU in every mode.
LIMITS: Final = frozenset(
    {
        "pdu-too-long",
        "too-many-headers",
        "too-many-parts",
        "multipart-too-deep",
        "too-many-items",
        "too-many-flaws",
        "too-many-parameters",
        "text-too-long",
    }
)


def fault(rule: str, offset: int, detail: str = "") -> PduError:
    """The one error, with the rule's line; path and context are added by the driver that knows them."""
    return PduError(rule, offset=offset, detail=detail or RULES[rule])


class Flaws(ABC):
    """What happens to a flaw. `found` holds what was let pass, as [rule, offset, path]; drivers put the path in."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[list[Any]] = []

    @abstractmethod
    def __call__(self, rule: str, offset: int) -> None:
        """A fault of grammar that lenient mode accepts."""

    @abstractmethod
    def accept(self, error: PduError) -> None:
        """A fault that the caller can live with: strict mode raises it, lenient mode writes it down."""

    def note(self, rule: str, offset: int) -> None:
        """An oddity that breaks no grammar: kept in both modes."""
        self.write_down(rule, offset, "")

    def write_down(self, rule: str, offset: int, path: str) -> None:
        """Adds to `found`. More than MAX_FLAWS come from no phone: each costs an exception and a path."""
        if len(self.found) >= MAX_FLAWS:
            raise fault("too-many-flaws", offset)
        self.found.append([rule, offset, path])


class Strict(Flaws):
    """Refuses every flaw."""

    __slots__ = ()

    def __call__(self, rule: str, offset: int) -> None:
        raise fault(rule, offset)

    def accept(self, error: PduError) -> None:
        raise error


class _Refuse(Strict):
    """The default of `read`: refuses flaws and keeps no notes, so that it can be shared."""

    __slots__ = ()

    def note(self, rule: str, offset: int) -> None:
        """Nobody asks for notes on a single value."""


class Lenient(Flaws):
    """Writes every flaw down. Forms that real traffic is full of are normal and not worth a line."""

    __slots__ = ()
    NORMAL = frozenset({"long-integer-leading-zero"})

    def __call__(self, rule: str, offset: int) -> None:
        if rule not in self.NORMAL:
            self.write_down(rule, offset, "")

    def accept(self, error: PduError) -> None:
        if error.rule in LIMITS:
            raise error
        self.write_down(error.rule, error.offset, error.path)


REFUSE: Final = _Refuse()


class Leaf(Construct, ABC):  # type: ignore[misc]  # construct ships no types
    """One grammar. Subclasses give `read`, `write` and, as class or instance attributes, `grammar` and `clause`."""

    grammar = ""
    clause = ""

    @abstractmethod
    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Any, int]:
        """The value at `pos`, and the offset behind it. Never looks at `end` or beyond. Raises PduError."""

    @abstractmethod
    def write(self, value: Any, out: bytearray) -> None:
        """Appends the canonical octets of the value. Raises PduError if the grammar cannot hold it."""

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        rest = stream.read()
        value, pos = self.read(rest, 0, len(rest))
        stream.seek(pos - len(rest), 1)
        return value

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        out = bytearray()
        with_type_checked(self.write, obj, out)
        stream.write(bytes(out))
        return obj

    def inner(self) -> tuple[Leaf, ...]:
        """The grammars this one is made of, for whoever walks the schema."""
        return ()


# What Python raises where a writer is given a value that is not of its grammar's shape.
WRONG_TYPE: Final = (TypeError, AttributeError, ValueError, OverflowError)


def wrong_type(value: Any, offset: int, error: Exception) -> PduError:
    """The one error, for a value of the wrong Python type."""
    return fault("value-of-wrong-type", offset, f"{type(value).__name__} cannot be written here: {error}")


def with_type_checked(write: Callable[[Any, bytearray], None], value: Any, out: bytearray) -> None:
    """Runs a writer; a value of the wrong Python type becomes the one error of the codec."""
    try:
        write(value, out)
    except WRONG_TYPE as error:
        raise wrong_type(value, len(out), error) from error

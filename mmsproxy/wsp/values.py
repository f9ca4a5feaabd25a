"""The Python shapes of WSP and MMS values: what a grammar of `wsp_schema` or `pdu_schema` reads into and writes from.

Rule 1: every shape is frozen and compares by meaning; octets that came from the wire stand beside it and never take part in a
comparison. Rule 2: nothing here knows how a value looks on the wire, and construct is not known here. Rule 3: times keep their form
(absolute or relative) and are never turned into a moment: that needs a clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Generic, NamedTuple, TypeVar

from mmsproxy.wap_numbers import CHARSET_NUMBERS, MULTIPART_PREFIX, PARAMETER_NUMBERS, UTF_8, MboxToken, MmFlagToken

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PduWarning:
    """An oddity that lenient mode accepted: the fields of `PduError` without the error."""

    rule: str
    offset: int
    path: str = ""
    detail: str = ""
    context: str = ""

    def __str__(self) -> str:
        return f"offset {self.offset}: {self.path} {self.rule}: {self.detail} [{self.context}]"


@dataclass(frozen=True, slots=True)
class Text:
    """An Encoded-string-value (ENC 7.3.19).

    text     the characters, after conversion; what the charset cannot express shows as U+FFFD
    charset  IANA MIBenum as on the wire; None = the plain form, which is US-ASCII. Given None and other characters: UTF-8
    octets   the octets of the wire in that charset, without Quote and NUL; they win over `text` when written
    """

    text: str
    charset: int | None = None
    octets: bytes | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.charset is None and self.octets is None and not self.text.isascii():
            object.__setattr__(self, "charset", UTF_8)

    def __str__(self) -> str:
        return self.text


class AddressKind(Enum):
    """The kinds of address of ENC 8, and the two that are none: EMPTY and RAW (matches no kind)."""

    PLMN = "plmn"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    OTHER_TYPE = "other-type"
    EMAIL = "email"
    NUM = "num"
    ALPHANUM = "alphanum"
    EMPTY = "empty"
    RAW = "raw"


_TYPED = re.compile(r"(?P<value>[^/]*(?:/(?!TYPE=)[^/]*)*)/TYPE=(?P<type>\w+)", re.ASCII)
_PLMN = re.compile(r"\+?[\d.-]+", re.ASCII)
_OTHER = re.compile(r"[\w+.%-]+", re.ASCII)
_NUM = re.compile(r"[+*#]?\d+", re.ASCII)
_ALPHANUM = re.compile(r"\w+")
_EMAIL = re.compile(r'[^\s<>@"]+@[^\s<>@]+|[^<>@]*<[^\s<>@]+@[^\s<>@]+>')
_DIALLED = re.compile(r"\+?(?=[\s().-]*\d)[\d\s().-]+", re.ASCII)
_PUNCTUATION = re.compile(r"[\s().-]+")


@dataclass(frozen=True, slots=True)
class Address(Text):
    """An address as it stands in the PDU (ENC 8): `text` is the whole of it, `+15551230000/TYPE=PLMN`.

    `Address("...")` takes that wire form as it is; `Address.parse("+1 555 123 0000")` makes it from what people write.
    """

    @classmethod
    def parse(cls, human: str) -> Address:
        """Telephone numbers (visual separators dropped) become `/TYPE=PLMN`, IP addresses `/TYPE=IPv4` or `/TYPE=IPv6`; an e-mail
        address, a name, a `*` or `#` code and a form that has its `/TYPE=` already stay as they are."""
        text = human.strip()
        if _DIALLED.fullmatch(text) and not _is_ip(text, IPv4Address):
            return cls(_PUNCTUATION.sub("", text) + "/TYPE=PLMN")
        if _is_ip(text, IPv4Address):
            return cls(text + "/TYPE=IPv4")
        return cls(text + "/TYPE=IPv6") if _is_ip(text, IPv6Address) else cls(text)

    @property
    def kind(self) -> AddressKind:
        """Which form of ENC 8 the text has. Never cut at the first "/": `a/b@c.org` is a mailbox."""
        if not self.text:
            return AddressKind.EMPTY
        typed = _TYPED.fullmatch(self.text)
        if typed:
            return _typed_kind(typed["value"], typed["type"])
        for pattern, kind in ((_EMAIL, AddressKind.EMAIL), (_NUM, AddressKind.NUM), (_ALPHANUM, AddressKind.ALPHANUM)):
            if pattern.fullmatch(self.text):
                return kind
        return AddressKind.RAW

    @property
    def value(self) -> str:
        """The address without its `/TYPE=`: `+15551230000`."""
        typed = _TYPED.fullmatch(self.text)
        return typed["value"] if typed else self.text

    @property
    def type(self) -> str | None:
        """The word behind `/TYPE=`, as it came; None if there is none."""
        typed = _TYPED.fullmatch(self.text)
        return typed["type"] if typed else None


def _is_ip(text: str, family: type[IPv4Address] | type[IPv6Address]) -> bool:
    try:
        return isinstance(ip_address(text), family)
    except ValueError:
        return False


def _typed_kind(value: str, type_: str) -> AddressKind:
    if type_ == "PLMN" and _PLMN.fullmatch(value):
        return AddressKind.PLMN
    if type_ == "IPv4":
        return AddressKind.IPV4 if _is_ip(value, IPv4Address) else AddressKind.RAW
    if type_ == "IPv6":
        return AddressKind.IPV6 if _is_ip(value, IPv6Address) else AddressKind.RAW
    return AddressKind.OTHER_TYPE if _OTHER.fullmatch(value) else AddressKind.RAW


@dataclass(frozen=True, slots=True)
class Absolute:
    """A moment: seconds since 1970-01-01 UTC (ENC 7.3.20)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Relative:
    """A time span in seconds from the moment of receipt (ENC 7.3.20)."""

    seconds: int


Time = Absolute | Relative


@dataclass(frozen=True, slots=True)
class Counted(Generic[T]):
    """A value under a count: X-Mms-Previously-Sent-By and -Date (ENC 7.3.23), and in m-mbox-delete-conf and m-delete-conf
    Content-Location, Response-Status and Response-Text (ENC 7.3.10). Equal counts belong together."""

    count: int
    value: T


@dataclass(frozen=True, slots=True)
class MmFlags:
    """X-Mms-MM-Flags (ENC 7.3.32): add, remove or filter by a keyword."""

    token: MmFlagToken | int
    keyword: Text


@dataclass(frozen=True, slots=True)
class MboxTotal:
    """X-Mms-Mbox-Totals or -Quotas (ENC 7.3.25, 7.3.26): a number of messages or of octets."""

    token: MboxToken | int
    amount: int


ParameterValue = str | int | float | bytes | None


class Parameter(NamedTuple):
    """One parameter of a media type, disposition or element descriptor.

    number  the well-known 7-bit number it is written by, None = by its name as text
    value   bytes = a well-known parameter whose value broke its grammar or whose number is unknown, kept as it came
    """

    name: str
    value: ParameterValue
    number: int | None = None


def _named(parameters: Iterable[Parameter], named: dict[str, ParameterValue]) -> tuple[Parameter, ...]:
    made = list(parameters)
    for key, value in named.items():
        if value is not None or key == "secure":
            name = key.replace("_", "-")
            if name == "charset" and isinstance(value, str):
                value = CHARSET_NUMBERS.get(value.lower(), value)
            made.append(Parameter(name, value, PARAMETER_NUMBERS.get(name)))
    return tuple(made)


class _Parametered:
    """Look-up in `parameters`, shared by all that carry them."""

    __slots__ = ()
    parameters: tuple[Parameter, ...]

    def get(self, name: str) -> ParameterValue:
        """The first parameter of that name, compared without case; None if there is none. Text comes without `"` around it."""
        wanted = name.lower()
        for parameter in self.parameters:
            if parameter.name.lower() == wanted:
                value = parameter.value
                return value.strip('"') if isinstance(value, str) else value
        return None

    def _text(self, name: str) -> str | None:
        value = self.get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, init=False)
class ContentType(_Parametered):
    """A media type with parameters (WSP 8.4.2.24).

    `ContentType("text/plain", charset=106, name="t.txt")`; a hyphen in a parameter's name is written `start_info`; a charset may be
    given by its MIBenum or by its name. `parameters` takes ready `Parameter` objects and stands before the named ones.
    """

    media: str
    parameters: tuple[Parameter, ...]

    def __init__(self, media: str, parameters: Iterable[Parameter] = (), **named: ParameterValue) -> None:
        object.__setattr__(self, "media", media)
        object.__setattr__(self, "parameters", _named(parameters, named))

    def __str__(self) -> str:
        return "; ".join([self.media, *(f"{name}={value!s}" for name, value, _ in self.parameters)])

    @property
    def is_multipart(self) -> bool:
        """Whether the body is a WSP multipart (WSP 8.5): `application/vnd.wap.multipart.*`."""
        return self.media[: len(MULTIPART_PREFIX)].lower() == MULTIPART_PREFIX

    @property
    def charset(self) -> int | None:
        """The charset's MIBenum, whether it came as a number or as a known name."""
        value = self.get("charset")
        if isinstance(value, str):
            return CHARSET_NUMBERS.get(value.lower())
        return value if isinstance(value, int) else None

    @property
    def name(self) -> str | None:
        """The file name to show: `name`, else `filename`. A name, never a path to write to."""
        return self._text("name") or self._text("filename")

    @property
    def start(self) -> str | None:
        """The Content-ID of the root part of a multipart.related, as it came."""
        return self._text("start")

    @property
    def type(self) -> str | None:
        """The media type of the root part of a multipart.related."""
        return self._text("type")


@dataclass(frozen=True, slots=True, init=False)
class Disposition(_Parametered):
    """Content-Disposition of a part (WSP 8.4.2.21): `Disposition("attachment", filename="a.jpg")`."""

    kind: str
    parameters: tuple[Parameter, ...]

    def __init__(self, kind: str, parameters: Iterable[Parameter] = (), **named: ParameterValue) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "parameters", _named(parameters, named))


@dataclass(frozen=True, slots=True, init=False)
class ElementDescriptor(_Parametered):
    """X-Mms-Element-Descriptor (ENC 7.3.18): a reference to an element of the MM, and what it is."""

    reference: str
    parameters: tuple[Parameter, ...]

    def __init__(self, reference: str, parameters: Iterable[Parameter] = ()) -> None:
        object.__setattr__(self, "reference", reference)
        object.__setattr__(self, "parameters", tuple(parameters))

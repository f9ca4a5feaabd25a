"""What every MMS PDU says: headers, parts, and the base of the 24 PDU classes of `pdus`.

Rule 1: a field holds the value of the header of that name, None (or an empty tuple) where it is absent; a header that cannot stand in a
field (unknown, textual, out of place, repeated, unreadable) stands in `extra`. Rule 2: every field is optional, because lenient
decoding accepts a PDU that lacks it; `pdu_schema.PDUS` knows what is mandatory. Rule 3: objects compare by what they say; how they
stood on the wire (`wire`) and what was odd (`warnings`) take no part. Rule 4: nothing here reads or writes octets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeVar

from mmsproxy import pdu_schema
from mmsproxy.wap_numbers import WSP_HEADER_NAMES, MessageType
from mmsproxy.wsp.values import ContentType, Disposition, PduWarning

P = TypeVar("P", bound="Pdu")


@dataclass(frozen=True, slots=True)
class Header:
    """One header as it stands in a PDU.

    key    the octet of a well-known field (0x80-0xFF), or the name of a textual (application) header
    value  typed by its grammar; str for a textual header; bytes = the octets of a value that is unknown or broke its grammar
    """

    key: int | str
    value: Any
    offset: int | None = field(default=None, compare=False)
    raw: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """`X-Mms-Expiry`; `0xC5` for a number that is not assigned; a textual header's own name."""
        if isinstance(self.key, str):
            return self.key
        row = pdu_schema.HEADER_BY_NUMBER.get(self.key)
        return row.name if row else f"0x{self.key:02X}"


@dataclass(frozen=True, slots=True)
class PartHeader(Header):
    """One header of a part: WSP numbers, another space than those of the PDU."""

    @property
    def name(self) -> str:
        """`Content-MD5`; `0xF0` for a number that is not assigned; a textual header's own name."""
        if isinstance(self.key, str):
            return self.key
        return WSP_HEADER_NAMES.get(self.key & 0x7F) or f"0x{self.key:02X}"


# Where one header stood: its field, the value it was read into, start and stop in the source. The field is None for a header that is
# in `extra` (the value is that Header), and "" for octets that are no header.
Entry = tuple[str | None, Any, int, int]


class Wire(NamedTuple):
    """How a decoded PDU or part stood on the wire, for writing it back as it came.

    start   of a part: where its two lengths stood; of a PDU: 0
    body    the value that source[body_start:body_stop] was read into: a tuple of parts, or a part's data; behind it, up to
            `stop`, stand octets that belong to nothing
    """

    source: bytes
    entries: tuple[Entry, ...]
    start: int
    body: Any
    body_start: int
    body_stop: int
    stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body.

    content_type       its media type
    data               its octets as they stand in the PDU (a view into it when decoded); empty where `parts` is given
    content_id         as on the wire, without the leading quotation mark: `<smil>`
    content_location   a name to show; never a path to write to
    headers            all its other headers, in order
    parts              the parts inside, for a nested multipart; None = a leaf
    """

    content_type: ContentType
    data: bytes | memoryview = b""
    _: KW_ONLY
    content_id: str | None = None
    content_location: str | None = None
    content_disposition: Disposition | None = None
    headers: tuple[PartHeader, ...] = ()
    parts: tuple[Part, ...] | None = None
    wire: Wire | None = field(default=None, compare=False, repr=False)

    @property
    def cid(self) -> str | None:
        """The Content-ID bare: without quotation marks and angle brackets, as `cid:` references name it."""
        return None if self.content_id is None else bare_id(self.content_id)

    @property
    def transfer_encoding(self) -> str | None:
        """The Content-Transfer-Encoding header in lower case. The data are kept encoded: see `mms_pdu.content`."""
        for header in self.headers:
            if header.name.lower() == "content-transfer-encoding" and isinstance(header.value, str):
                return header.value.strip().lower()
        return None

    def replace(self, **changes: Any) -> Part:
        """A copy with other field values. Headers that stay the same keep their octets."""
        return dataclasses.replace(self, **changes)

    def walk(self) -> Iterator[Part]:
        """This part and all parts inside it, in order."""
        yield self
        for part in self.parts or ():
            yield from part.walk()


def bare_id(text: str) -> str:
    """A Content-ID without what phones put around it."""
    return text.strip().strip('"').removeprefix("<").removesuffix(">")


def root_part(content_type: ContentType | None, parts: Sequence[Part]) -> Part | None:
    """The part that a multipart.related starts with (RFC 2387, mms.md 8): by `start`, else the first SMIL, else the first part."""
    start = content_type.start if content_type else None
    if start:
        wanted = bare_id(start)
        for part in parts:
            if part.cid == wanted:
                return part
        for part in parts:
            if part.content_location == start:
                return part
    for part in parts:
        if part.content_type.media.lower() == "application/smil":
            return part
    return parts[0] if parts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pdu:
    """What every PDU has. `content_type` and `parts` stand here because a lenient decoder finds bodies where none belongs."""

    TYPE: ClassVar[MessageType]

    transaction_id: str | None = None
    mms_version: int | None = 0x92
    content_type: ContentType | None = None
    parts: tuple[Part, ...] = ()
    extra: tuple[Header, ...] = ()
    warnings: tuple[PduWarning, ...] = field(default=(), compare=False, repr=False)
    wire: Wire | None = field(default=None, compare=False, repr=False)

    @property
    def message_type(self) -> MessageType | int:
        """X-Mms-Message-Type."""
        return self.TYPE

    @property
    def root(self) -> Part | None:
        """The part to show first: see `root_part`."""
        return root_part(self.content_type, self.parts)

    def walk(self) -> Iterator[Part]:
        """All parts in order, each before the parts inside it."""
        for part in self.parts:
            yield from part.walk()

    def replace(self: P, **changes: Any) -> P:
        """A copy with other field values. Headers that stay the same keep their place and their octets when it is encoded."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPdu(Pdu):
    """A PDU whose type is not assigned (98-FF): its headers are read all the same and stand in `extra`."""

    number: int

    @property
    def message_type(self) -> MessageType | int:
        """The octet of X-Mms-Message-Type."""
        return self.number

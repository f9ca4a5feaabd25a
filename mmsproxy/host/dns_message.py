"""DNS messages (RFC 1035): one question out, one answer in. No I/O, no clock.

Rule 1: an answer counts only when its id and its question are those of the query. Rule 2: of its records only those count that stand in
the answer section and hang on the question's own name by a chain of CNAMEs; whatever else a server adds is not looked at. Rule 3: every
length is checked and every loop bounded, so that any octets at all end in an `Answer` or in `BadMessage`.
It knows no EDNS: what does not fit into 512 octets is asked for again over TCP.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

MAX_NAME = 255  # octets of a name on the wire (RFC 1035 3.1)
MAX_LABEL = 63
MAX_RECORDS = 128  # of an answer section that are looked at; an MMSC has a handful
MAX_CHAIN = 8  # CNAMEs from the question to the address (BIND's and Unbound's bounds are 16 and 11)
MAX_TTL = 86_400  # seconds; RFC 8767 4 advises at most seven days, a carrier's answer is asked for again each day
HEADER = struct.Struct("!6H")
CLASS_IN = 1

QR = 0x8000
OPCODE = 0x7800
TC = 0x0200
RD = 0x0100
RCODE = 0x000F

Address = IPv4Address | IPv6Address
Labels = tuple[bytes, ...]


class Type(IntEnum):
    """RFC 1035 3.2.2, RFC 3596 2.1."""

    A = 1
    CNAME = 5
    AAAA = 28


class Rcode(IntEnum):
    """RFC 1035 4.1.1."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


class BadMessage(ValueError):
    """Not a well-formed answer to the query. Never leaves the room `host`."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `name` in lower case without the last dot; `id` 0 .. 65535."""

    id: int
    name: str
    type: Type

    def encode(self) -> bytes:
        """Raises ValueError when the name is no host name."""
        return HEADER.pack(self.id, RD, 1, 0, 0, 0) + name_octets(self.name) + struct.pack("!2H", self.type, CLASS_IN)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    addresses  of the question's type, in the server's order
    target     the last name of the CNAME chain; the question's own where there is none
    ttl        seconds, the least of the chain's; 0 where nothing was said
    """

    rcode: int
    is_truncated: bool = False
    addresses: tuple[Address, ...] = ()
    target: str = ""
    ttl: int = 0


def name_octets(name: str) -> bytes:
    """A host name as DNS writes it. One label without a dot is a name like any other: many MMSCs have such.

    Raises ValueError for what is no host name (RFC 1123 2.1; the underscore is let through, since carriers use it).
    """
    labels = name.removesuffix(".").split(".")
    encoded = b""
    for label in labels:
        is_plain = label.isascii() and label.replace("-", "").replace("_", "").isalnum()
        if not is_plain or len(label) > MAX_LABEL:
            raise ValueError(f"{name[:80]!r} is no host name")
        encoded += bytes((len(label),)) + label.encode()
    if len(encoded) + 1 > MAX_NAME:
        raise ValueError(f"{name[:80]!r}... is longer than a host name may be")
    return encoded + b"\0"


def read_answer(message: bytes, query: Query) -> Answer:
    """Raises BadMessage for everything that is not a whole, well-formed answer to `query`."""
    if len(message) < HEADER.size:
        raise BadMessage("shorter than its header")
    ident, flags, questions, answers, _, _ = HEADER.unpack_from(message)
    if ident != query.id or not flags & QR or flags & OPCODE or questions != 1:
        raise BadMessage("not the answer to this query")
    offset = _check_question(message, query)
    rcode, truncated = flags & RCODE, bool(flags & TC)
    if truncated or rcode != Rcode.NOERROR:
        return Answer(rcode, truncated, target=query.name)
    return _follow(query, _records(message, offset, answers))


@dataclass(frozen=True, slots=True)
class _Record:
    owner: Labels
    type: int
    ttl: int
    target: Labels = ()
    address: Address | None = None


def _check_question(message: bytes, query: Query) -> int:
    """The offset behind the question, which must be the one that was asked, but for case."""
    labels, offset = _name(message, HEADER.size)
    if labels != _labels(query.name) or message[offset : offset + 4] != struct.pack("!2H", query.type, CLASS_IN):
        raise BadMessage("the answer to another question")
    return offset + 4


def _records(message: bytes, offset: int, count: int) -> list[_Record]:
    """All of the section must be there, though only the first MAX_RECORDS are kept."""
    records: list[_Record] = []
    for number in range(count):
        owner, offset = _name(message, offset)
        kind, klass, ttl, length = _unpack("!2HIH", message, offset)
        start, offset = offset + 10, offset + 10 + length
        if offset > len(message):
            raise BadMessage("a record beyond the end")
        if klass == CLASS_IN and number < MAX_RECORDS:
            records.append(_record(message, _Record(owner, kind, _ttl(ttl)), start, offset))
    return records


def _record(message: bytes, record: _Record, start: int, end: int) -> _Record:
    data = message[start:end]
    if record.type == Type.CNAME:
        target, after = _name(message, start)
        if after != end:
            raise BadMessage("a CNAME of a wrong length")
        return _Record(record.owner, record.type, record.ttl, target=target)
    if record.type in (Type.A, Type.AAAA):
        if len(data) != (4 if record.type == Type.A else 16):
            raise BadMessage("an address of a wrong length")
        return _Record(record.owner, record.type, record.ttl, address=IPv4Address(data) if len(data) == 4 else IPv6Address(data))
    return record


def _follow(query: Query, records: list[_Record]) -> Answer:
    name, ttl = _labels(query.name), MAX_TTL
    aliases = {record.owner: record for record in reversed(records) if record.type == Type.CNAME}
    for _ in range(MAX_CHAIN + 1):
        if name not in aliases:
            break
        ttl = min(ttl, aliases[name].ttl)
        name = aliases[name].target
    else:
        raise BadMessage("a chain of CNAMEs without end")
    found = [record for record in records if record.owner == name and record.type == query.type]
    ttl = min([ttl, *(record.ttl for record in found)])
    addresses = tuple(record.address for record in found if record.address is not None)
    return Answer(Rcode.NOERROR, False, addresses, _text(name), ttl if addresses or name != _labels(query.name) else 0)


def _name(message: bytes, offset: int) -> tuple[Labels, int]:
    """The labels in lower case, and the offset behind the name. Pointers lead backwards only, each before the last: no loop is possible."""
    labels: list[bytes] = []
    end, limit, size = 0, offset, 1
    while True:
        length = _unpack("!B", message, offset)[0]
        if length == 0:
            return tuple(labels), end or offset + 1
        if length >= 0xC0:
            target = _unpack("!H", message, offset)[0] & 0x3FFF
            if target >= limit:
                raise BadMessage("a pointer that does not lead backwards")
            end, offset, limit = end or offset + 2, target, target
            continue
        if length > MAX_LABEL or offset + 1 + length > len(message):
            raise BadMessage("a label beyond its limit")
        labels.append(message[offset + 1 : offset + 1 + length].lower())
        offset += 1 + length
        size += 1 + length
        if size > MAX_NAME:
            raise BadMessage("a name beyond its limit")


def _unpack(form: str, message: bytes, offset: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, message, offset)
    except struct.error:
        raise BadMessage("cut short") from None


def _labels(name: str) -> Labels:
    return tuple(label.encode() for label in name.lower().removesuffix(".").split("."))


def _text(labels: Labels) -> str:
    return b".".join(labels).decode("latin-1")


def _ttl(value: int) -> int:
    """The topmost bit set means zero (RFC 2181 8)."""
    return 0 if value & 0x8000_0000 else min(value, MAX_TTL)

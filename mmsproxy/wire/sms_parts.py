"""Several SMS that are one message: by what they are known to belong together, and what they say joined (3GPP TS 23.040 9.2.3.24.1).

Rule 1: nothing is kept here: who waits for parts, and for how long, is decided above. Rule 2: parts are joined as septets or octets
and read as text afterwards, for senders cut escape sequences and surrogate pairs in two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from mmsproxy.wire.sms_schema import Alphabet
from mmsproxy.wire.sms_types import Deliver
from mmsproxy.wire.sms_udh import WAP_PUSH_PORT, Ports
from mmsproxy.wire.sms_user_data import text_of


@dataclass(frozen=True, slots=True)
class PartKey:
    """Parts with equal keys are of one message, as long as no sequence number comes twice with other octets: references repeat."""

    sender: str
    reference: int
    total: int
    ports: Ports | None


def part_key(part: Deliver) -> PartKey | None:
    """The key of a part, or None for a message of its own ("1 of 1" is one too)."""
    place = part.concatenation
    if place is None or place.total == 1:
        return None
    return PartKey(part.originator.number, place.reference, place.total, part.ports)


def sequence(part: Deliver) -> int:
    """The place of a part in its message, from 1; 1 for a message of its own."""
    return part.concatenation.sequence if part.concatenation else 1


def missing(parts: Iterable[Deliver]) -> tuple[int, ...]:
    """The sequence numbers that are not there yet, of parts with equal keys."""
    there = {sequence(part): part.concatenation for part in parts}
    total = max((place.total if place else 1 for place in there.values()), default=1)
    return tuple(number for number in range(1, total + 1) if number not in there)


def joined_text(parts: Iterable[Deliver]) -> str | None:
    """The text of all parts, in the order of their sequence numbers, or None if one of them is data."""
    texts = []
    for kind, run in groupby(sorted(parts, key=sequence), key=_kind):
        alphabet, tables = kind
        if alphabet is Alphabet.DATA:
            return None
        texts.append(text_of(b"".join(part.user_data.units(part.dcs) for part in run), alphabet, *tables) or "")
    return "".join(texts)


def joined_data(parts: Iterable[Deliver]) -> bytes:
    """The octets behind the headers of all parts, in the order of their sequence numbers."""
    return b"".join(part.data for part in sorted(parts, key=sequence))


def is_wap_push(part: Deliver) -> bool:
    """Whether it goes to port 2948; the source port is anything."""
    return part.ports is not None and part.ports.destination == WAP_PUSH_PORT


def _kind(part: Deliver) -> tuple[Alphabet, tuple[int, int]]:
    return part.alphabet, part.user_data.tables

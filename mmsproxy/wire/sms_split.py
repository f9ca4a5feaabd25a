"""A text and the parts it takes: which alphabet, how many units, where it may be cut (3GPP TS 23.040 9.2.3.24, 23.038 6.2).

Rule 1: counting and splitting are one computation, so the count that a user is told is the number of messages that leave.
Rule 2: a cut never falls inside an escape sequence, a surrogate pair, or a character and its combining marks.
Rule 3: it knows texts and numbers of units; TPDUs are built from its parts in `sms_compose`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from mmsproxy.errors import PduError
from mmsproxy.wire import gsm7

USER_DATA_OCTETS = 140  # TP-UD of one message, header included (23.040 9.2.3.24)
SHIFT_ELEMENT_OCTETS = 3  # IEI, length, language (23.040 9.2.3.24.15, .16)
CONCATENATION_OCTETS = {8: 5, 16: 6}  # by bits of the reference: IEI, length, reference, total, sequence (9.2.3.24.1, .8)
MAX_PARTS = 255  # the total is one octet (9.2.3.24.1)

_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)


class Encoding(Enum):
    """The alphabet of a text message. A unit is a septet of GSM7, or two octets of UCS2."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class PartCount:
    """What a text takes as SMS.

    encoding   the alphabet; its `value` is "gsm7" or "ucs2"
    parts      messages that leave; more than 255 cannot be sent
    units      septets or UTF-16 units of the whole text; characters of the extension table count two
    capacity   units that one of these parts holds: 160 or 153 (gsm7), 70 or 67 (ucs2), less with a national table or 16-bit reference
    left       units still free in the last part
    locking    national language identifier of the main table, 0 for the default alphabet
    single     the same for the extension table
    """

    encoding: Encoding
    parts: int
    units: int
    capacity: int
    left: int
    locking: int = 0
    single: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """A text cut into the texts of its parts, and the count that belongs to them."""

    count: PartCount
    texts: tuple[str, ...]


def count_parts(text: str, *, reference_bits: int = 8, languages: Sequence[int] = ()) -> PartCount:
    """How many messages the text takes. Never raises; 0 characters are one message of 0 units.

    languages  national language identifiers that may be used (GSM 7-bit where UCS-2 would be needed); none by default, for not every
               phone knows the tables. The choice with the fewest parts, then the fewest units, wins.
    """
    return _best(text, reference_bits, languages).count


def split(text: str, *, reference_bits: int = 8, languages: Sequence[int] = ()) -> Split:
    """Cut the text into parts, as `count_parts` counts them. Raises PduError `too-many-parts` above 255."""
    best = _best(text, reference_bits, languages)
    if best.count.parts > MAX_PARTS:
        raise PduError("too-many-parts", offset=0, detail=f"{best.count.parts} parts; a message has at most {MAX_PARTS}")
    return best


def _best(text: str, reference_bits: int, languages: Sequence[int]) -> Split:
    text = well_formed(text)
    if gsm7.fits(text):
        return _split_gsm7(text, 0, 0, reference_bits)
    tables = [tables for language in languages for tables in ((0, language), (language, 0), (language, language))]
    choices = [_split_gsm7(text, *pair, reference_bits) for pair in tables if gsm7.fits(text, *pair)]
    choices.append(_split_ucs2(text, reference_bits))
    return min(choices, key=lambda choice: (choice.count.parts, choice.count.units))


def well_formed(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD; two that make a pair become their character."""
    return text.encode("utf_16_be", "surrogatepass").decode("utf_16_be", "replace")


def _split_gsm7(text: str, locking: int, single: int, reference_bits: int) -> Split:
    costs = gsm7.costs(locking, single)
    shifts = SHIFT_ELEMENT_OCTETS * ((locking > 0) + (single > 0))
    texts, capacity, used = _cut(text, costs.__getitem__, shifts, reference_bits, unit_bits=7)
    units = sum(map(costs.__getitem__, text))
    return Split(PartCount(Encoding.GSM7, len(texts), units, capacity, capacity - used, locking, single), texts)


def _split_ucs2(text: str, reference_bits: int) -> Split:
    texts, capacity, used = _cut(text, _utf16_units, 0, reference_bits, unit_bits=16)
    return Split(PartCount(Encoding.UCS2, len(texts), sum(map(_utf16_units, text)), capacity, capacity - used), texts)


def _utf16_units(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1


def capacity_units(element_octets: int, unit_bits: int) -> int:
    """Units of 7 or 16 bits that fit behind a header of these elements (0 octets: no header at all, not even its length)."""
    header = element_octets + 1 if element_octets else 0
    return (USER_DATA_OCTETS - header) * 8 // unit_bits


def _cut(text: str, cost: Callable[[str], int], shifts: int, reference_bits: int, unit_bits: int) -> tuple[tuple[str, ...], int, int]:
    """The texts of the parts, the units one part holds, the units used in the last."""
    whole = capacity_units(shifts, unit_bits)
    units = sum(map(cost, text))
    if units <= whole:
        return (text,), whole, units
    capacity = capacity_units(shifts + CONCATENATION_OCTETS[reference_bits], unit_bits)
    parts, used = _fill(text, cost, capacity)
    return parts, capacity, used


def _fill(text: str, cost: Callable[[str], int], capacity: int) -> tuple[tuple[str, ...], int]:
    parts: list[str] = []
    start = end = used = 0
    for piece in _pieces(text, cost, capacity):
        units = sum(map(cost, piece))
        if used + units > capacity:
            parts.append(text[start:end])
            start, used = end, 0
        end += len(piece)
        used += units
    parts.append(text[start:])
    return tuple(parts), used


def _pieces(text: str, cost: Callable[[str], int], capacity: int) -> Iterator[str]:
    """The clusters of the text; one that no part could hold falls into its characters."""
    for cluster in clusters(text):
        if len(cluster) > 1 and sum(map(cost, cluster)) > capacity:
            yield from cluster
        else:
            yield cluster


def clusters(text: str) -> Iterator[str]:
    """What a reader sees as one character: base and combining marks, joined emoji, flags. Concatenated they are the text."""
    start = 0
    for index in range(1, len(text)):
        if not _belongs(text, start, index):
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


def _belongs(text: str, start: int, index: int) -> bool:
    char, before = text[index], text[index - 1]
    if char.isascii():
        return char == "\n" and before == "\r"
    number = ord(char)
    if number in _REGIONAL_INDICATORS:
        return ord(before) in _REGIONAL_INDICATORS and index - start == 1
    return (
        before == _ZERO_WIDTH_JOINER
        or char == _ZERO_WIDTH_JOINER
        or number in _SKIN_TONES
        or number in _TAGS
        or unicodedata.category(char) in ("Mn", "Me", "Mc")
    )

"""The values inside SMS TPDUs: addresses, times, coding schemes (3GPP TS 23.040 clause 9, 23.038 clause 4).

Rule 1: each value holds the octets that stand on the wire, and its meaning is read from them; so nothing is lost, whatever stands there.
Rule 2: reading a meaning never fails. What has none is None, or shown as far as it goes; the strict rules are in `sms_pdu`.
Rule 3: building refuses what the field cannot hold, with PduError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum

from mmsproxy.errors import PduError
from mmsproxy.wire import gsm7
from mmsproxy.wire.sms_schema import Alphabet, alphabet, counts_septets, is_compressed

MAX_DIGITS = 20  # 9.1.2.5: an address field is at most 12 octets
_NUMBER = re.compile(r"(\+?[0-9]{1,20}|[0-9*#]{1,20})")
_DIGITS = "0123456789*#abc"  # 9.1.2.3; the sixteenth, F, is filler
_FILLER = 0xF


def _nibbles(octets: bytes) -> Iterator[int]:
    """Semi-octets in their order: the low one first (9.1.2.3)."""
    for octet in octets:
        yield octet & 0xF
        yield octet >> 4


def two_digits(octet: int) -> int | None:
    """The number in a swapped BCD octet, or None if a nibble is no digit."""
    tens, units = octet & 0xF, octet >> 4
    return tens * 10 + units if tens <= 9 and units <= 9 else None


def _swapped(number: int) -> int:
    return (number % 10) << 4 | number // 10


class TypeOfNumber(IntEnum):
    """Bits 6-4 of a type-of-address octet (9.1.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6
    RESERVED = 7


def _digits(octets: bytes) -> str:
    return "".join(_DIGITS[nibble] for nibble in _nibbles(octets) if nibble != _FILLER)


def _bcd(digits: str) -> bytes:
    values = [_DIGITS.index(digit) for digit in digits]
    values += [_FILLER] * (len(values) % 2)
    return bytes(low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Address:
    """An originator, destination or recipient (9.1.2.5).

    semi_octets      the length as it stands: digits, or semi-octets of packed GSM 7-bit
    type_of_address  91 international, 81 unknown, D0 alphanumeric, others occur
    octets           the value
    """

    semi_octets: int
    type_of_address: int
    octets: bytes

    @classmethod
    def of(cls, text: str) -> Address:
        """From "+4917012345", "2211", "*100#" or a name of up to 11 GSM 7-bit characters.

        Raises PduError `address-not-encodable`.
        """
        if _NUMBER.fullmatch(text):
            return cls.of_number(text)
        if not text or not gsm7.fits(text):
            raise PduError("address-not-encodable", offset=0, detail="neither a number of up to 20 digits nor GSM 7-bit text")
        septets = gsm7.encode(text)
        octets = gsm7.pack(septets)
        if len(octets) * 2 > MAX_DIGITS:
            raise PduError("address-not-encodable", offset=0, detail="a name has at most 11 GSM 7-bit characters")
        return cls((len(septets) * 7 + 3) // 4, 0xD0, octets)

    @classmethod
    def of_number(cls, text: str) -> Address:
        """From "+4917012345", "2211" or "*100#" only: what can be sent to. Raises PduError `address-not-encodable`."""
        if not _NUMBER.fullmatch(text):
            raise PduError("address-not-encodable", offset=0, detail="not a number of up to 20 digits")
        digits = text.removeprefix("+")
        return cls(len(digits), 0x91 if text != digits else 0x81, _bcd(digits))

    @property
    def type_of_number(self) -> TypeOfNumber:
        return TypeOfNumber(self.type_of_address >> 4 & 7)

    @property
    def numbering_plan(self) -> int:
        """Bits 3-0 of the type-of-address: 1 ISDN (E.164), 0 unknown."""
        return self.type_of_address & 0xF

    @property
    def number(self) -> str:
        """As people write it: "+" before an international number, the text of an alphanumeric one, bare digits otherwise."""
        if self.type_of_number is TypeOfNumber.ALPHANUMERIC:
            return gsm7.decode(self._septets())
        digits = "".join(_DIGITS[nibble] for nibble in self._nibbles() if nibble != _FILLER)
        return f"+{digits}" if self.type_of_number is TypeOfNumber.INTERNATIONAL else digits

    @property
    def well_filled(self) -> bool:
        """Whether each semi-octet is a digit, and the odd one at the end filler."""
        filler = [_FILLER] * (self.semi_octets % 2)
        return _FILLER not in self._nibbles() and list(_nibbles(self.octets))[self.semi_octets :] == filler

    def _nibbles(self) -> list[int]:
        return list(_nibbles(self.octets))[: self.semi_octets]

    def _septets(self) -> bytes:
        septets = gsm7.unpack(self.octets, self.semi_octets * 4 // 7)
        # Seven characters take 49 bits of 7 octets; a sender that counts whole octets (14) makes an eighth of the 7 empty bits.
        return septets[:7] if self.semi_octets == 14 and septets[7:] == b"\0" else septets

    def __str__(self) -> str:
        return self.number


@dataclass(frozen=True, slots=True)
class ServiceCentre:
    """The SMSC in front of a TPDU: type-of-address and digits as they stand; empty means "the one stored on the SIM"."""

    octets: bytes = b""

    @classmethod
    def of(cls, number: str) -> ServiceCentre:
        """From "+491710760000" or "". Raises PduError `address-not-encodable`."""
        if not number:
            return cls()
        address = Address.of_number(number)
        return cls(bytes((address.type_of_address,)) + address.octets)

    @property
    def number(self) -> str:
        if not self.octets:
            return ""
        plus = "+" if self.octets[0] >> 4 & 7 == TypeOfNumber.INTERNATIONAL else ""
        return plus + _digits(self.octets[1:])

    def __str__(self) -> str:
        return self.number


QUARTER = timedelta(minutes=15)  # unit of the time zone (9.2.3.11)
_MAX_QUARTERS = 79
_FIRST_YEAR = 1990  # two digits; nothing is older than GSM itself


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Seven octets: year, month, day, hour, minute, second, time zone, as swapped digits (9.2.3.11)."""

    octets: bytes

    @classmethod
    def of(cls, when: datetime) -> Timestamp:
        """From an aware datetime (its zone is kept, in quarters of an hour). Raises PduError `timestamp-not-encodable`."""
        offset = when.utcoffset()
        if offset is None or offset % QUARTER or abs(offset) > _MAX_QUARTERS * QUARTER:
            raise PduError("timestamp-not-encodable", offset=0, detail="the time zone must be quarters of an hour within 19:45")
        if not _FIRST_YEAR <= when.year < _FIRST_YEAR + 100:
            raise PduError("timestamp-not-encodable", offset=0, detail=f"two digits cannot tell the year {when.year}")
        zone = _swapped(abs(offset) // QUARTER) | (0x08 if offset < timedelta(0) else 0)
        numbers = (when.year % 100, when.month, when.day, when.hour, when.minute, when.second)
        return cls(bytes(map(_swapped, numbers)) + bytes((zone,)))

    @property
    def when(self) -> datetime | None:
        """The aware datetime, or None if the octets tell none."""
        numbers = [two_digits(octet) for octet in self.octets[:6]]
        zone = two_digits(self.octets[6] & 0xF7)
        if zone is None or None in numbers:
            return None
        year, month, day, hour, minute, second = (number or 0 for number in numbers)
        offset = zone * QUARTER * (-1 if self.octets[6] & 0x08 else 1)
        try:
            full_year = _FIRST_YEAR + (year - _FIRST_YEAR) % 100
            return datetime(full_year, month, day, hour, minute, second, tzinfo=timezone(offset))
        except ValueError:
            return None


class WaitingKind(IntEnum):
    """Bits 1-0 of a message waiting group (23.038 clause 4)."""

    VOICEMAIL = 0
    FAX = 1
    EMAIL = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message waiting indication: which, whether switched on, and whether the message itself may be discarded."""

    kind: WaitingKind
    active: bool
    discard: bool


@dataclass(frozen=True, slots=True)
class Dcs:
    """TP-DCS, the data coding scheme (23.038 clause 4): one octet, and what it says."""

    octet: int

    @classmethod
    def of(cls, alphabet: Alphabet, message_class: int | None = None) -> Dcs:
        """General group, uncompressed. `message_class` 0 (shown at once) to 3, or none."""
        number = {Alphabet.GSM7: 0x00, Alphabet.DATA: 0x04, Alphabet.UCS2: 0x08}[alphabet]
        return cls(number if message_class is None else number | 0x10 | message_class & 0x03)

    @property
    def alphabet(self) -> Alphabet:
        return alphabet(self.octet)

    @property
    def compressed(self) -> bool:
        return is_compressed(self.octet)

    @property
    def counts_septets(self) -> bool:
        """Whether TP-UDL counts septets."""
        return counts_septets(self.octet)

    @property
    def message_class(self) -> int | None:
        """0 flash, 1 mobile, 2 SIM, 3 terminal equipment; None if the scheme names none."""
        has_class = self.octet >= 0xF0 or (self.octet < 0x80 and bool(self.octet & 0x10))
        return self.octet & 0x03 if has_class else None

    @property
    def auto_delete(self) -> bool:
        """Group 01xx: the message may be deleted once it was read."""
        return self.octet >> 6 == 1

    @property
    def waiting(self) -> Waiting | None:
        """Groups 1100 (discard), 1101 and 1110 (store)."""
        if not 0xC0 <= self.octet < 0xF0:
            return None
        return Waiting(WaitingKind(self.octet & 0x03), bool(self.octet & 0x08), self.octet < 0xD0)

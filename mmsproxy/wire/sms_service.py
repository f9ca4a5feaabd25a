"""What a sender asks of the SMS service and what it answers: validity period and delivery status (3GPP TS 23.040 9.2.3.12, 9.2.3.15).

The rules are those of `sms_values`: octets are kept as they stand, reading a meaning never fails, building refuses with PduError.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from mmsproxy.errors import PduError
from mmsproxy.wire.sms_values import Timestamp, two_digits


class ValidityFormat(Enum):
    """Bits 4-3 of the first octet of a SUBMIT (9.2.3.3)."""

    NONE = 0x00
    ENHANCED = 0x08
    RELATIVE = 0x10
    ABSOLUTE = 0x18


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# 9.2.3.12.1: the last number of each range, its step, and the period that the number before the range stands for
_RELATIVE = (
    (143, 5 * _MINUTE, timedelta(0), -1),
    (167, 30 * _MINUTE, 12 * _HOUR, 143),
    (196, _DAY, timedelta(0), 166),
    (255, 7 * _DAY, timedelta(0), 192),
)


def relative_period(number: int) -> timedelta:
    """The period of a relative TP-VP octet (9.2.3.12.1)."""
    step, base, before = next((step, base, before) for last, step, base, before in _RELATIVE if number <= last)
    return base + (number - before) * step


def relative_number(period: timedelta) -> int:
    """The smallest octet whose period is not shorter. Raises PduError `validity-not-encodable` above 63 weeks or below zero."""
    if period < timedelta(0) or period > relative_period(255):
        raise PduError("validity-not-encodable", offset=0, detail=f"{period} is not within 0 and 63 weeks")
    return next(number for number in range(256) if relative_period(number) >= period)


@dataclass(frozen=True, slots=True)
class Validity:
    """TP-VP: how long the network keeps trying."""

    format: ValidityFormat = ValidityFormat.NONE
    octets: bytes = b""

    @classmethod
    def relative(cls, period: timedelta) -> Validity:
        """Rounded up to what the octet can tell. Raises PduError `validity-not-encodable`."""
        return cls(ValidityFormat.RELATIVE, bytes((relative_number(period),)))

    @classmethod
    def absolute(cls, until: datetime) -> Validity:
        """Raises PduError `timestamp-not-encodable`."""
        return cls(ValidityFormat.ABSOLUTE, Timestamp.of(until).octets)

    @property
    def period(self) -> timedelta | None:
        """The length of a relative or enhanced period; None if there is none."""
        if self.format is ValidityFormat.RELATIVE:
            return relative_period(self.octets[0])
        if self.format is ValidityFormat.ENHANCED and not self.octets[0] & 0x80:
            return _enhanced_period(self.octets)
        return None

    @property
    def until(self) -> datetime | None:
        """The end of an absolute one; None if there is none."""
        return Timestamp(self.octets).when if self.format is ValidityFormat.ABSOLUTE else None

    @property
    def single_shot(self) -> bool:
        """Enhanced format, bit 6: one attempt only (9.2.3.12.3)."""
        return self.format is ValidityFormat.ENHANCED and bool(self.octets[0] & 0x40)


def _enhanced_period(octets: bytes) -> timedelta | None:
    """9.2.3.12.3: bits 2-0 choose between a relative octet, seconds, and hours, minutes, seconds."""
    form = octets[0] & 0x07
    if form == 1:
        return relative_period(octets[1])
    if form == 2:
        return timedelta(seconds=octets[1])
    numbers = [two_digits(octet) for octet in octets[1:4]]
    if form != 3 or None in numbers:
        return None
    hours, minutes, seconds = (number or 0 for number in numbers)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


class Delivery(Enum):
    """What a TP-ST says about the message (9.2.3.15)."""

    DELIVERED = "delivered"
    UNCONFIRMED = "unconfirmed"  # forwarded; the network cannot tell more
    REPLACED = "replaced"
    TRYING = "trying"
    FAILED = "failed"
    GAVE_UP = "gave_up"  # a temporary error, but no more attempts


_STATUS_WORDS = {
    0x00: "received by the recipient",
    0x01: "forwarded, delivery cannot be confirmed",
    0x02: "replaced by the service centre",
    0x40: "remote procedure error",
    0x41: "incompatible destination",
    0x42: "connection rejected by the recipient",
    0x43: "not obtainable",
    0x44: "quality of service not available",
    0x45: "no interworking available",
    0x46: "validity period expired",
    0x47: "deleted by the sender",
    0x48: "deleted by the administration of the service centre",
    0x49: "the message does not exist",
}
_TEMPORARY_WORDS = (
    "congestion",
    "recipient busy",
    "no response from the recipient",
    "service rejected",
    "quality of service not available",
    "error in the recipient",
)


@dataclass(frozen=True, slots=True)
class Status:
    """TP-ST of a STATUS-REPORT: one octet, and what it says (9.2.3.15)."""

    octet: int

    @property
    def delivery(self) -> Delivery:
        """Reserved values are "service rejected", as 9.2.3.15 says: 03-0F and 80-FF are GAVE_UP, the others their group."""
        exact = {0x00: Delivery.DELIVERED, 0x01: Delivery.UNCONFIRMED, 0x02: Delivery.REPLACED}
        if self.octet in exact:
            return exact[self.octet]
        if 0x10 <= self.octet < 0x20:  # done, in a way of the service centre's own
            return Delivery.UNCONFIRMED
        return {1: Delivery.TRYING, 2: Delivery.FAILED}.get(self.octet >> 5, Delivery.GAVE_UP)

    @property
    def final(self) -> bool:
        """Whether no other report follows."""
        return self.delivery is not Delivery.TRYING

    @property
    def words(self) -> str:
        """One line for people."""
        temporary = self.octet & 0x1F if self.octet >> 5 in (1, 3) else len(_TEMPORARY_WORDS)
        if temporary < len(_TEMPORARY_WORDS):
            return _TEMPORARY_WORDS[temporary]
        return _STATUS_WORDS.get(self.octet, f"status {self.octet:02X}")

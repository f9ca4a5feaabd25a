"""The user data header of an SMS: elements kept as they stand, and the four kinds that the gateway reads (3GPP TS 23.040 9.2.3.24).

Rule 1: elements are kept in order, with repeats, unknown ones and what is left over, so that a header gives back its octets.
Rule 2: where an element stands twice the last valid one counts, as 9.2.3.24 says; an element with an impossible value is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmsproxy.errors import PduError

# Information element identifiers, 9.2.3.24
IEI_CONCATENATION_8 = 0x00
IEI_PORTS_8 = 0x04
IEI_PORTS_16 = 0x05
IEI_CONCATENATION_16 = 0x08
IEI_SINGLE_SHIFT = 0x24
IEI_LOCKING_SHIFT = 0x25

WAP_PUSH_PORT = 2948  # connectionless push (WAP-259-WDP, appendix B)
WAP_SOURCE_PORT = 9200  # connectionless session: what push gateways send from

_CONCATENATION_BITS = {IEI_CONCATENATION_8: 8, IEI_CONCATENATION_16: 16}
_PORT_BITS = {IEI_PORTS_8: 8, IEI_PORTS_16: 16}


@dataclass(frozen=True, slots=True)
class Element:
    """One information element: identifier and the octets behind its length."""

    iei: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ports:
    """Application ports (9.2.3.24.3, .4)."""

    destination: int
    source: int
    bits: int = 16

    def element(self) -> Element:
        """Raises PduError `element-not-encodable` if a port has more bits."""
        width = self.bits // 8
        _within(self.bits, self.destination, self.source)
        iei = IEI_PORTS_16 if self.bits == 16 else IEI_PORTS_8
        return Element(iei, self.destination.to_bytes(width, "big") + self.source.to_bytes(width, "big"))


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Place of a part in its message (9.2.3.24.1, .8): sequence 1 to total."""

    reference: int
    total: int
    sequence: int
    bits: int = 8

    def element(self) -> Element:
        """Raises PduError `element-not-encodable` for what a receiver would ignore."""
        _within(self.bits, self.reference)
        _within(8, self.total)
        if not 1 <= self.sequence <= self.total:
            raise PduError("element-not-encodable", offset=0, detail=f"part {self.sequence} of {self.total}")
        iei = IEI_CONCATENATION_16 if self.bits == 16 else IEI_CONCATENATION_8
        return Element(iei, self.reference.to_bytes(self.bits // 8, "big") + bytes((self.total, self.sequence)))


def _within(bits: int, *numbers: int) -> None:
    if any(not 0 <= number < 1 << bits for number in numbers):
        raise PduError("element-not-encodable", offset=0, detail=f"{numbers} in {bits} bits")


@dataclass(frozen=True, slots=True)
class Header:
    """Elements in order, and `stray`: octets at the end of the header that make no element."""

    elements: tuple[Element, ...] = ()
    stray: bytes = b""

    @property
    def octets(self) -> bytes:
        """UDHL and the elements."""
        body = b"".join(bytes((element.iei, len(element.data))) + element.data for element in self.elements) + self.stray
        return bytes((len(body),)) + body

    @property
    def ports(self) -> Ports | None:
        found = None
        for element in self._of(_PORT_BITS):
            bits = _PORT_BITS[element.iei]
            if len(element.data) == bits // 4:
                half = bits // 8
                found = Ports(int.from_bytes(element.data[:half], "big"), int.from_bytes(element.data[half:], "big"), bits)
        return found

    @property
    def concatenation(self) -> Concatenation | None:
        """None also where total or sequence is 0 or the sequence is above the total: 9.2.3.24.1 wants that ignored."""
        found = None
        for element in self._of(_CONCATENATION_BITS):
            bits = _CONCATENATION_BITS[element.iei]
            if len(element.data) == bits // 8 + 2:
                reference, (total, sequence) = int.from_bytes(element.data[:-2], "big"), element.data[-2:]
                if 1 <= sequence <= total:
                    found = Concatenation(reference, total, sequence, bits)
        return found

    @property
    def single_shift(self) -> int:
        """National language identifier of the extension table, 0 if none (9.2.3.24.15)."""
        return self._language(IEI_SINGLE_SHIFT)

    @property
    def locking_shift(self) -> int:
        """National language identifier of the main table, 0 if none (9.2.3.24.16)."""
        return self._language(IEI_LOCKING_SHIFT)

    def _of(self, kinds: dict[int, int]) -> Iterator[Element]:
        return (element for element in self.elements if element.iei in kinds)

    def _language(self, iei: int) -> int:
        found = [element.data[0] for element in self.elements if element.iei == iei and len(element.data) == 1]
        return found[-1] if found else 0


def language_elements(locking: int, single: int) -> tuple[Element, ...]:
    """The shift elements of these national language identifiers; none for 0."""
    pairs = ((IEI_SINGLE_SHIFT, single), (IEI_LOCKING_SHIFT, locking))
    return tuple(Element(iei, bytes((language,))) for iei, language in pairs if language)


def read_header(octets: bytes) -> Header:
    """The header at the start of the user data. Never fails on the elements: what makes none is `stray`.

    Raises PduError `header-beyond-data` if UDHL is missing or above what is there; offsets count from the start of the user data.
    """
    if not octets or octets[0] >= len(octets):
        raise PduError("header-beyond-data", offset=0, detail=f"{octets[0] if octets else 'no'} header octets in {len(octets)}")
    body = octets[1 : 1 + octets[0]]
    elements: list[Element] = []
    at = 0
    while at + 2 <= len(body) and at + 2 + body[at + 1] <= len(body):
        length = body[at + 1]
        elements.append(Element(body[at], body[at + 2 : at + 2 + length]))
        at += 2 + length
    return Header(tuple(elements), body[at:])

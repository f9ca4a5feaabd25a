"""TP-UD: a header, and text or data behind it (3GPP TS 23.040 9.2.3.24, 9.2.3.16).

Rule 1: the octets and TP-UDL are kept as they stand; text is read from them on demand and reading never fails.
Rule 2: with GSM 7-bit and a header, text starts at the next septet boundary, and TP-UDL counts the header's septets too.
Rule 3: a message to port 2948 is data, whatever its coding scheme says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmsproxy.errors import PduError
from mmsproxy.wire import gsm7
from mmsproxy.wire.sms_schema import Alphabet
from mmsproxy.wire.sms_split import USER_DATA_OCTETS, well_formed
from mmsproxy.wire.sms_udh import WAP_PUSH_PORT, Concatenation, Element, Header, Ports, language_elements
from mmsproxy.wire.sms_values import Dcs


@dataclass(frozen=True, slots=True)
class UserData:
    """What one message carries.

    length  TP-UDL as it stands: septets (header included) or octets, by the coding scheme
    octets  TP-UD whole, header included
    header  as read from the octets, None without one; build through the class methods, so that the two agree
    """

    length: int = 0
    octets: bytes = b""
    header: Header | None = None

    @classmethod
    def of_text(cls, text: str, dcs: Dcs, elements: Iterable[Element] = (), *, locking: int = 0, single: int = 0) -> UserData:
        """Text in the alphabet of `dcs`; shift elements are added for national tables.

        Raises PduError: `character-not-in-alphabet`, `user-data-too-long`, `text-without-alphabet` for an 8-bit or compressed scheme.
        """
        if dcs.compressed or dcs.alphabet is Alphabet.DATA:
            raise PduError("text-without-alphabet", offset=0, detail=f"coding scheme {dcs.octet:02X} is not for text")
        if dcs.alphabet is Alphabet.UCS2:
            return cls.of_data(well_formed(text).encode("utf_16_be"), elements)
        header = _header((*elements, *language_elements(locking, single)))
        front = header.octets if header else b""
        septets = gsm7.encode(text, locking, single)
        fill = -len(front) * 8 % gsm7.BITS_PER_SEPTET
        length = (len(front) * 8 + fill) // gsm7.BITS_PER_SEPTET + len(septets)
        return cls(length, _checked(front + gsm7.pack(septets, fill if septets else 0)), header)

    @classmethod
    def of_data(cls, data: bytes, elements: Iterable[Element] = ()) -> UserData:
        """Octets for an 8-bit or UCS-2 scheme. Raises PduError `user-data-too-long` above 140 octets with the header."""
        header = _header(tuple(elements))
        octets = _checked((header.octets if header else b"") + bytes(data))
        return cls(len(octets), octets, header)

    @property
    def data(self) -> bytes:
        """The octets behind the header."""
        return self.octets[self._header_octets :]

    @property
    def ports(self) -> Ports | None:
        return self.header.ports if self.header else None

    @property
    def concatenation(self) -> Concatenation | None:
        return self.header.concatenation if self.header else None

    @property
    def tables(self) -> tuple[int, int]:
        """National language identifiers of the main and of the extension table, 0 for the default ones."""
        return (self.header.locking_shift, self.header.single_shift) if self.header else (0, 0)

    def alphabet(self, dcs: Dcs) -> Alphabet:
        """The alphabet of the scheme; data if it is compressed, or if the port is that of WAP push."""
        push = self.ports is not None and self.ports.destination == WAP_PUSH_PORT
        return Alphabet.DATA if push or dcs.compressed else dcs.alphabet

    def units(self, dcs: Dcs) -> bytes:
        """What the parts of a message are joined from: septets one per octet (GSM 7-bit), or the octets behind the header."""
        return self.septets() if self.alphabet(dcs) is Alphabet.GSM7 else self.data

    def septets(self) -> bytes:
        """The septets behind the header, one per octet."""
        bits = self._header_octets * 8
        fill = -bits % gsm7.BITS_PER_SEPTET
        count = self.length - (bits + fill) // gsm7.BITS_PER_SEPTET
        return gsm7.unpack(self.data, max(0, count), fill)

    def text(self, dcs: Dcs) -> str | None:
        """The text, or None for data."""
        return text_of(self.units(dcs), self.alphabet(dcs), *self.tables)

    @property
    def _header_octets(self) -> int:
        return 1 + self.octets[0] if self.header else 0


def text_of(units: bytes, alphabet: Alphabet, locking: int = 0, single: int = 0) -> str | None:
    """Septets or UCS-2 octets as text, None for data. A lone surrogate or a lone octet at the end shows as U+FFFD."""
    if alphabet is Alphabet.DATA:
        return None
    if alphabet is Alphabet.UCS2:
        return units.decode("utf_16_be", "replace")
    return gsm7.decode(units, locking, single)


def _header(elements: tuple[Element, ...]) -> Header | None:
    return Header(elements) if elements else None


def _checked(octets: bytes) -> bytes:
    if len(octets) > USER_DATA_OCTETS:
        raise PduError("user-data-too-long", offset=0, detail=f"{len(octets)} octets; one message holds {USER_DATA_OCTETS}")
    return octets

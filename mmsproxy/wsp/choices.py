"""Values that are a number or a text, enumerated octets, and the skip rule (WSP 8.4.1.2, 8.4.2). Which it is, the first octet says."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any, Final

from mmsproxy.wap_numbers import MEDIA_NUMBERS, MEDIA_TYPES, media_name, media_number
from mmsproxy.wsp.integers import INTEGER_VALUE, SHORT_INTEGER, general_form
from mmsproxy.wsp.leaf import LENGTH_QUOTE, REFUSE, Flaws, Leaf, Lenient, fault
from mmsproxy.wsp.texts import EXTENSION_MEDIA, TEXT_STRING, TOKEN_TEXT, text_octets


class VersionValue(Leaf):
    """A short-integer: bits 6-4 major, bits 3-0 minor (15 = none); or the same as text. The value is the octet: 1.2 is 0x92."""

    grammar = "Version-value"
    clause = "WSP 8.4.2.3"
    _TEXT = re.compile(r"([1-7])(?:\.(\d|1[0-4]))?", re.ASCII)

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int, int]:
        if pos < end and (octet := buf[pos]) >= 0x80:
            return octet, pos + 1
        text, stop = TEXT_STRING.read(buf, pos, end, flaw)
        match = self._TEXT.fullmatch(text)
        if match is None:
            raise fault("version-text", pos)
        flaw.note("version-as-text", pos)
        return 0x80 | int(match[1]) << 4 | (15 if match[2] is None else int(match[2])), stop

    def write(self, value: int, out: bytearray) -> None:
        if not 0x80 <= value <= 0xFF:
            raise fault("value-out-of-range", len(out), f"{value} is no version octet")
        out.append(value)

    def inner(self) -> tuple[Leaf, ...]:
        return SHORT_INTEGER, TEXT_STRING


def version_name(octet: int) -> str:
    """`1.2` for 0x92, `3` for 0xBF."""
    major, minor = octet >> 4 & 7, octet & 15
    return str(major) if minor == 15 else f"{major}.{minor}"


class FieldName(Leaf):
    """Token-text | Short-integer -> str or int: the name of a header, and X-Mms-Attributes."""

    grammar = "Field-name"
    clause = "WSP 8.4.2.6"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str | int, int]:
        if pos < end and (octet := buf[pos]) >= 0x80:
            return octet & 0x7F, pos + 1
        return TOKEN_TEXT.read(buf, pos, end, flaw)

    def write(self, value: str | int, out: bytearray) -> None:
        if isinstance(value, int):
            SHORT_INTEGER.write(value, out)
        else:
            TOKEN_TEXT.write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return SHORT_INTEGER, TOKEN_TEXT


class IntegerOr(Leaf):
    """Integer-value | a text grammar -> int or str."""

    def __init__(self, text: Leaf, clause: str) -> None:
        super().__init__()
        self.text = text
        self.clause = clause
        self.grammar = f"Integer-value | {text.grammar}"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int | str, int]:
        if pos < end and (buf[pos] >= 0x80 or 0 < buf[pos] < LENGTH_QUOTE):
            return INTEGER_VALUE.read(buf, pos, end, flaw)
        return self.text.read(buf, pos, end, flaw)

    def write(self, value: int | str, out: bytearray) -> None:
        (INTEGER_VALUE if isinstance(value, int) else self.text).write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return INTEGER_VALUE, self.text


class MediaValue(Leaf):
    """Extension-media | a well-known number -> the media type's name.

    long        allows numbers of 128 and more (general form)
    notes_text  notes a type that has a number and came as text all the same
    """

    clause = "WSP 8.4.2.24"

    def __init__(self, long: bool, *, notes_text: bool = False) -> None:
        super().__init__()
        self.long = long
        self.notes_text = notes_text
        self.grammar = "Well-known-media | Extension-media" if long else "Constrained-media"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        if pos < end:
            octet = buf[pos]
            if octet >= 0x80 or (self.long and 0 < octet < LENGTH_QUOTE):
                number, stop = INTEGER_VALUE.read(buf, pos, end, flaw)
                name = MEDIA_TYPES.get(number)
                if name is None:
                    flaw("media-unknown", pos)
                    name = media_name(number)
                return name, stop
        name, stop = EXTENSION_MEDIA.read(buf, pos, end, flaw)
        if self.notes_text and name.lower() in MEDIA_NUMBERS:
            flaw.note("textual-media", pos)
        return name, stop

    def write(self, value: str, out: bytearray) -> None:
        number = media_number(value)
        if number is None or (number > 0x7F and not self.long):
            EXTENSION_MEDIA.write(value, out)
        else:
            INTEGER_VALUE.write(number, out)

    def inner(self) -> tuple[Leaf, ...]:
        return (INTEGER_VALUE if self.long else SHORT_INTEGER), EXTENSION_MEDIA


def skip_value(buf: bytes, pos: int, end: int, flaw: Flaws) -> int:
    """Where a value of unknown grammar ends: the skip rule, by its first octet (WSP 8.4.1.2)."""
    if pos >= end:
        raise fault("value-missing", pos)
    octet = buf[pos]
    if octet >= 0x80:
        return pos + 1
    if octet <= LENGTH_QUOTE:
        return general_form(buf, pos, end, flaw)[1]
    return text_octets(buf, pos, end, flaw)[1]


class Opaque(Leaf):
    """A value whose grammar is not known, by the skip rule -> its octets."""

    grammar = "any value"
    clause = "WSP 8.4.1.2"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[bytes, int]:
        stop = skip_value(buf, pos, end, flaw)
        return buf[pos:stop], stop

    def write(self, value: bytes, out: bytearray) -> None:
        octets = bytes(memoryview(value))  # a number is no octets
        probe = Lenient()
        if skip_value(octets, 0, len(octets), probe) != len(octets):
            raise fault("value-out-of-range", len(out), "the octets are not one value")
        out += octets
        if any(rule == "text-without-nul" for rule, _, _ in probe.found):
            out.append(0)


class Assigned(Leaf):
    """One octet of an enumeration -> its member; an octet that is not assigned stays an int. Those below 80 are no value."""

    def __init__(self, values: type[IntEnum], clause: str) -> None:
        super().__init__()
        self.values = values
        self.clause = clause
        self.grammar = "octet " + " | ".join(f"{member.value:02X}" for member in values)
        self._members: list[IntEnum | None] = [None] * 256
        for member in values:
            self._members[member] = member

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Any, int]:
        if pos >= end:
            raise fault("value-missing", pos)
        octet = buf[pos]
        member = self._members[octet]
        return (self._unassigned(octet, pos, flaw) if member is None else member), pos + 1

    def _unassigned(self, octet: int, pos: int, flaw: Flaws) -> int:
        if octet < 0x80:
            raise fault("octet-not-assigned", pos)
        flaw("octet-not-assigned", pos)
        return octet

    def write(self, value: int, out: bytearray) -> None:
        if not 0x80 <= value <= 0xFF:
            raise fault("value-out-of-range", len(out), f"{value} is no octet of this field")
        out.append(value)


class StatusOctet(Assigned):
    """A status: every octet is a value, the reserved ones act as the failure of their class (ENC 7.3.48, 7.3.50, 7.3.58)."""

    def _unassigned(self, octet: int, pos: int, flaw: Flaws) -> int:
        flaw.note("octet-reserved", pos)
        return octet

    def write(self, value: int, out: bytearray) -> None:
        if not 0 <= value <= 0xFF:
            raise fault("value-out-of-range", len(out), f"{value} is no octet")
        out.append(value)


class Boolean(Leaf):
    """Yes 80 -> True, No 81 -> False; another octet of 80 or more stays an int."""

    grammar = "Yes 80 | No 81"
    clause = "ENC 7.3"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[bool | int, int]:
        if pos >= end:
            raise fault("value-missing", pos)
        octet = buf[pos]
        if octet == 0x80:
            return True, pos + 1
        if octet != 0x81:
            if octet < 0x80:
                raise fault("octet-not-assigned", pos)
            flaw("octet-not-assigned", pos)
            return octet, pos + 1
        return False, pos + 1

    def write(self, value: bool | int, out: bytearray) -> None:
        octet = (0x80 if value else 0x81) if isinstance(value, bool) else value
        if not 0x80 <= octet <= 0xFF:
            raise fault("value-out-of-range", len(out), f"{value} is no Boolean-value")
        out.append(octet)


class NamedOctet(Leaf):
    """An octet with a name | Token-text -> str: Content-Encoding, the type of a Content-Disposition."""

    def __init__(self, names: dict[int, str], clause: str) -> None:
        super().__init__()
        self.names = names
        self.clause = clause
        self.grammar = " | ".join(f"{octet:02X}" for octet in names) + " | Token-text"
        self._octets = {name: octet for octet, name in names.items()}

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        if pos < end and (octet := buf[pos]) >= 0x80:
            if octet not in self.names:
                raise fault("octet-not-assigned", pos)
            return self.names[octet], pos + 1
        return TOKEN_TEXT.read(buf, pos, end, flaw)

    def write(self, value: str, out: bytearray) -> None:
        octet = self._octets.get(value.lower())
        if octet is None:
            TOKEN_TEXT.write(value, out)
        else:
            out.append(octet)

    def inner(self) -> tuple[Leaf, ...]:
        return (TOKEN_TEXT,)


VERSION_VALUE: Final = VersionValue()
FIELD_NAME: Final = FieldName()
CONSTRAINED_MEDIA: Final = MediaValue(long=False)
MEDIA: Final = MediaValue(long=True)
BOOLEAN: Final = Boolean()
OPAQUE: Final = Opaque()

"""WSP numbers and lengths (WSP 8.1.2, 8.4.2.1 to 8.4.2.3). Knows nothing of texts."""

from __future__ import annotations

from typing import Final

from mmsproxy.wsp.leaf import (
    LENGTH_QUOTE,
    MAX_LONG_INTEGER_OCTETS,
    MAX_SHORT_LENGTH,
    MAX_UINTVAR,
    MAX_UINTVAR_OCTETS,
    REFUSE,
    Flaws,
    Leaf,
    fault,
)


class UIntVar(Leaf):
    """7 bits an octet, highest group first, top bit = more follow."""

    grammar = "Uintvar-integer"
    clause = "WSP 8.1.2"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int, int]:
        if pos < end and (octet := buf[pos]) < 0x80:
            return octet, pos + 1
        return self._long(buf, pos, end, flaw)

    def _long(self, buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[int, int]:
        number = 0
        for at in range(pos, min(end, pos + MAX_UINTVAR_OCTETS)):
            octet = buf[at]
            number = number << 7 | octet & 0x7F
            if octet < 0x80:
                if number > MAX_UINTVAR:
                    raise fault("uintvar-too-large", pos)
                if buf[pos] == 0x80:
                    flaw("uintvar-leading-zero", pos)
                return number, at + 1
        raise fault("uintvar-too-long" if pos + MAX_UINTVAR_OCTETS <= end else "value-missing", pos)

    def write(self, value: int, out: bytearray) -> None:
        if not 0 <= value <= MAX_UINTVAR:
            raise fault("value-out-of-range", len(out), f"{value} is no uintvar")
        for shift in (28, 21, 14, 7):
            if value >> shift:
                out.append(0x80 | value >> shift & 0x7F)
        out.append(value & 0x7F)


class ShortInteger(Leaf):
    """One octet with its top bit set: 0 to 127."""

    grammar = "Short-integer"
    clause = "WSP 8.4.2.1"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int, int]:
        if pos >= end:
            raise fault("value-missing", pos)
        octet = buf[pos]
        if octet < 0x80:
            raise fault("short-integer-octet", pos)
        return octet & 0x7F, pos + 1

    def write(self, value: int, out: bytearray) -> None:
        if not 0 <= value <= 0x7F:
            raise fault("value-out-of-range", len(out), f"{value} is no short-integer")
        out.append(0x80 | value)


class LongInteger(Leaf):
    """A length of 1 to 30, then that many octets, highest first."""

    grammar = "Long-integer"
    clause = "WSP 8.4.2.1"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int, int]:
        if pos >= end:
            raise fault("value-missing", pos)
        length = buf[pos]
        if not 1 <= length <= MAX_LONG_INTEGER_OCTETS:
            raise fault("long-integer-length", pos)
        stop = pos + 1 + length
        if stop > end:
            raise fault("value-beyond-data", pos)
        if length > 1 and buf[pos + 1] == 0:
            flaw("long-integer-leading-zero", pos)
        return int.from_bytes(buf[pos + 1 : stop], "big"), stop

    def write(self, value: int, out: bytearray) -> None:
        length = (value.bit_length() + 7) // 8 or 1
        if value < 0 or length > MAX_LONG_INTEGER_OCTETS:
            raise fault("value-out-of-range", len(out), "no long-integer")
        out.append(length)
        out += value.to_bytes(length, "big")


class IntegerValue(Leaf):
    """Short-integer | Long-integer; written as short as possible."""

    grammar = "Integer-value"
    clause = "WSP 8.4.2.3"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int, int]:
        if pos < end and (octet := buf[pos]) >= 0x80:
            return octet & 0x7F, pos + 1
        return LONG_INTEGER.read(buf, pos, end, flaw)

    def write(self, value: int, out: bytearray) -> None:
        if 0 <= value <= 0x7F:
            out.append(0x80 | value)
        else:
            LONG_INTEGER.write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return SHORT_INTEGER, LONG_INTEGER


class ValueLength(Leaf):
    """A length of 0 to 30 as one octet, or 1F and a uintvar."""

    grammar = "Value-length"
    clause = "WSP 8.4.2.2"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[int, int]:
        if pos >= end:
            raise fault("value-missing", pos)
        octet = buf[pos]
        if octet < LENGTH_QUOTE:
            return octet, pos + 1
        if octet > LENGTH_QUOTE:
            raise fault("value-length-octet", pos)
        return UINTVAR.read(buf, pos + 1, end, flaw)

    def write(self, value: int, out: bytearray) -> None:
        if not 0 <= value <= MAX_SHORT_LENGTH:
            out.append(LENGTH_QUOTE)
            UINTVAR.write(value, out)
        else:
            out.append(value)

    def inner(self) -> tuple[Leaf, ...]:
        return (UINTVAR,)


class QValue(Leaf):
    """Two or three decimals of a quality factor: 1-100 = (n-1)/100, 101-1099 = (n-100)/1000."""

    grammar = "Q-value"
    clause = "WSP 8.4.2.3"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[float, int]:
        number, stop = UINTVAR.read(buf, pos, end, flaw)
        if not 1 <= number <= 1099:
            raise fault("q-value-range", pos)
        return ((number - 1) / 100 if number <= 100 else (number - 100) / 1000), stop

    def write(self, value: float, out: bytearray) -> None:
        thousandths = round(value * 1000)
        if not 0 <= thousandths <= 999:
            raise fault("value-out-of-range", len(out), f"{value} is no q-value")
        hundredths, rest = divmod(thousandths, 10)
        UINTVAR.write(thousandths + 100 if rest else hundredths + 1, out)

    def inner(self) -> tuple[Leaf, ...]:
        return (UINTVAR,)


class NoValue(Leaf):
    """The octet 00 -> None."""

    grammar = "No-value"
    clause = "WSP 8.4.2.3"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[None, int]:
        if pos >= end:
            raise fault("value-missing", pos)
        if buf[pos]:
            raise fault("no-value-octet", pos)
        return None, pos + 1

    def write(self, value: None, out: bytearray) -> None:
        out.append(0)


def general_form(buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[int, int]:
    """Opens a value that starts with a Value-length: where its content starts and stops."""
    if pos < end and (length := buf[pos]) < LENGTH_QUOTE:
        start = pos + 1
    else:
        length, start = VALUE_LENGTH.read(buf, pos, end, flaw)
    if start + length > end:
        raise fault("value-length-beyond-data", pos)
    return start, start + length


def write_general(body: bytearray, out: bytearray) -> None:
    """Appends a Value-length and the content behind it."""
    VALUE_LENGTH.write(len(body), out)
    out += body


UINTVAR: Final = UIntVar()
SHORT_INTEGER: Final = ShortInteger()
LONG_INTEGER: Final = LongInteger()
INTEGER_VALUE: Final = IntegerValue()
VALUE_LENGTH: Final = ValueLength()
DATE_VALUE: Final = LONG_INTEGER  # seconds since 1970-01-01 UTC, WSP 8.4.2.3
DELTA_SECONDS: Final = INTEGER_VALUE  # WSP 8.4.2.3
CHARSET: Final = INTEGER_VALUE  # IANA MIBenum; 80 = any, WSP 8.4.2.8
Q_VALUE: Final = QValue()
NO_VALUE: Final = NoValue()

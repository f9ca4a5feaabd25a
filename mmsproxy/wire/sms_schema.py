"""The SMS TPDUs of 3GPP TS 23.040 clause 9.2.2, declared with construct.

Rule 1: structure only. A field's value here holds its octets whole, so what was read builds the same octets; meaning is in `sms_values`.
Rule 2: a leaf raises PduError itself, with the offset in the outermost buffer and its own name as path: construct's errors know neither.
Rule 3: no leaf takes a length from the data before it has compared it with what is there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from io import BytesIO
from typing import Any, NamedTuple, NoReturn

from construct import Construct, If, Struct

from mmsproxy.errors import PduError

CONTEXT_OCTETS = 8  # shown before and behind a fault

# 9.2.3.1 TP-MTI, bits 1-0 of the first octet; its meaning depends on the direction
MTI_MASK = 0x03
MTI_DELIVER = 0x00
MTI_SUBMIT = 0x01
MTI_STATUS_REPORT = 0x02
MTI_RESERVED = 0x03

# Other bits of the first octet: 9.2.3.2, .3, .4, .5, .17, .23, .25, .26
MORE_MESSAGES_NONE = 0x04  # DELIVER and STATUS-REPORT: set when nothing more waits
REJECT_DUPLICATES = 0x04  # SUBMIT
VALIDITY_FORMAT_MASK = 0x18  # SUBMIT
STATUS_REPORT_REQUEST = 0x20  # SUBMIT; in DELIVER: the sender asked for one; in STATUS-REPORT: the result of a command
USER_DATA_HEADER = 0x40
REPLY_PATH = 0x80

# 9.2.3.27 TP-PI of a STATUS-REPORT
PI_PID = 0x01
PI_DCS = 0x02
PI_USER_DATA = 0x04
PI_EXTENSION = 0x80

VALIDITY_OCTETS = {0x00: 0, 0x10: 1, 0x08: 7, 0x18: 7}  # 9.2.3.3: none, relative, enhanced, absolute


class Alphabet(Enum):
    """What the user data is made of (23.038 clause 4)."""

    GSM7 = "gsm7"
    DATA = "8bit"
    UCS2 = "ucs2"


_GENERAL_ALPHABETS = {0x00: Alphabet.GSM7, 0x04: Alphabet.DATA, 0x08: Alphabet.UCS2, 0x0C: Alphabet.GSM7}  # 0C: reserved


def is_compressed(dcs: int) -> bool:
    """Whether a data coding scheme announces text compressed by 23.042 (groups 00xx and 01xx only)."""
    return dcs < 0x80 and bool(dcs & 0x20)


def alphabet(dcs: int) -> Alphabet:
    """The alphabet of a data coding scheme (23.038 clause 4); reserved codings are the default alphabet, as that clause says."""
    if dcs < 0x80:  # 00xx general, 01xx marked for automatic deletion
        return _GENERAL_ALPHABETS[dcs & 0x0C]
    if dcs >= 0xF0:  # 1111 data coding and message class
        return Alphabet.DATA if dcs & 0x04 else Alphabet.GSM7
    return Alphabet.UCS2 if dcs >= 0xE0 else Alphabet.GSM7  # 1110 message waiting in UCS-2; 1100, 1101 in GSM 7-bit


def counts_septets(dcs: int) -> bool:
    """Whether TP-UDL counts septets; otherwise octets (9.2.3.16)."""
    return alphabet(dcs) is Alphabet.GSM7 and not is_compressed(dcs)


def octets_of_septets(septets: int) -> int:
    """Octets that hold this many septets."""
    return (septets * 7 + 7) // 8


class AddressField(NamedTuple):
    """9.1.2.5: length in semi-octets, type-of-address octet, the value's octets."""

    semi_octets: int
    type_of_address: int
    octets: bytes


class UserDataField(NamedTuple):
    """TP-UDL as it stands, and the octets of TP-UD, header included (9.2.3.16, 9.2.3.24)."""

    length: int
    octets: bytes


def name_of(path: str) -> str:
    """Construct's path ("(parsing) -> originator") as ours ("originator")."""
    return ".".join(path.split(" -> ")[1:])


def surroundings(data: bytes, offset: int) -> str:
    """Hex of up to 16 octets around an offset, for `PduError.context`."""
    return bytes(data[max(0, offset - CONTEXT_OCTETS) : offset + CONTEXT_OCTETS]).hex(" ")


class Leaf(Construct, ABC):  # type: ignore[misc]  # construct is untyped
    """One field. Subclasses give `read` and `write`; the stream is always the outermost one, so `tell` is the offset in the PDU."""

    @abstractmethod
    def read(self, stream: BytesIO, fields: Any, path: str) -> Any:
        """The value at the stream's place. Raises PduError."""

    @abstractmethod
    def write(self, value: Any, fields: Any, path: str) -> bytes:
        """The octets of a value. Raises PduError."""

    def _parse(self, stream: BytesIO, context: Any, path: str) -> Any:
        return self.read(stream, context, path)

    def _build(self, obj: Any, stream: BytesIO, context: Any, path: str) -> Any:
        stream.write(self.write(obj, context, path))
        return obj

    def take(self, stream: BytesIO, count: int, path: str, rule: str) -> bytes:
        """Exactly `count` octets, or PduError with the rule at the field's start."""
        start = stream.tell()
        octets = stream.read(count)
        if len(octets) < count:
            raise PduError(
                rule,
                offset=start,
                path=name_of(path),
                detail=f"{count} octets announced, {len(octets)} left",
                context=surroundings(stream.getvalue(), start),
            )
        return octets

    def refuse(self, rule: str, path: str, detail: str) -> NoReturn:
        """A value that cannot be built."""
        raise PduError(rule, offset=0, path=name_of(path), detail=detail)


class OctetLeaf(Leaf):
    """One octet as a number."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> int:
        return self.take(stream, 1, path, "field-missing")[0]

    def write(self, value: int, fields: Any, path: str) -> bytes:
        if not 0 <= value <= 0xFF:
            self.refuse("octet-out-of-range", path, f"{value} is no octet")
        return bytes((value,))


class TimestampLeaf(Leaf):
    """TP-SCTS, TP-DT: seven octets (9.2.3.11, 9.2.3.13)."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> bytes:
        return self.take(stream, 7, path, "field-missing")

    def write(self, value: bytes, fields: Any, path: str) -> bytes:
        if len(value) != 7:
            self.refuse("timestamp-length", path, f"a time stamp has 7 octets, not {len(value)}")
        return value


class ServiceCentreLeaf(Leaf):
    """The SMSC in front of the TPDU as modems give it (27.005): number of octets, then type-of-address and digits."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> bytes:
        length = self.take(stream, 1, path, "field-missing")[0]
        return self.take(stream, length, path, "service-centre-beyond-data")

    def write(self, value: bytes, fields: Any, path: str) -> bytes:
        if len(value) > 0xFF:
            self.refuse("service-centre-too-long", path, f"{len(value)} octets")
        return bytes((len(value),)) + value


class AddressLeaf(Leaf):
    """TP-OA, TP-DA, TP-RA (9.1.2.5)."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> AddressField:
        semi_octets, kind = self.take(stream, 2, path, "field-missing")
        octets = self.take(stream, (semi_octets + 1) // 2, path, "address-beyond-data")
        return AddressField(semi_octets, kind, octets)

    def write(self, value: AddressField, fields: Any, path: str) -> bytes:
        semi_octets, kind, octets = value
        if not 0 <= semi_octets <= 0xFF or not 0 <= kind <= 0xFF or len(octets) != (semi_octets + 1) // 2:
            self.refuse("address-length", path, f"{semi_octets} semi-octets in {len(octets)} octets")
        return bytes((semi_octets, kind)) + octets


class ValidityLeaf(Leaf):
    """TP-VP: as many octets as the format in the first octet says (9.2.3.12)."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> bytes:
        return self.take(stream, VALIDITY_OCTETS[fields.first_octet & VALIDITY_FORMAT_MASK], path, "field-missing")

    def write(self, value: bytes, fields: Any, path: str) -> bytes:
        if len(value) != VALIDITY_OCTETS[fields.first_octet & VALIDITY_FORMAT_MASK]:
            self.refuse("validity-length", path, f"{len(value)} octets do not fit the format in the first octet")
        return value


class ParametersLeaf(Leaf):
    """TP-PI with its extension octets; nothing at all at the end of the data (9.2.3.27)."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> bytes:
        octets = bytearray(stream.read(1))
        while octets and octets[-1] & PI_EXTENSION:
            octets += self.take(stream, 1, path, "field-missing")
        return bytes(octets)

    def write(self, value: bytes, fields: Any, path: str) -> bytes:
        return value


class UserDataLeaf(Leaf):
    """TP-UDL and TP-UD. TP-UDL counts septets or octets, by the data coding scheme."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> UserDataField:
        length = self.take(stream, 1, path, "field-missing")[0]
        count = octets_of_septets(length) if counts_septets(fields.dcs or 0) else length
        # Binary messages under a 7-bit coding scheme exist whose TP-UDL counts octets: then exactly that many are there.
        if fields.first_octet & USER_DATA_HEADER and len(stream.getvalue()) - stream.tell() == length:
            count = length
        return UserDataField(length, self.take(stream, count, path, "user-data-beyond-data"))

    def write(self, value: UserDataField, fields: Any, path: str) -> bytes:
        length, octets = value
        if not 0 <= length <= 0xFF or len(octets) not in (length, octets_of_septets(length)):
            self.refuse("user-data-length", path, f"TP-UDL {length} with {len(octets)} octets")
        return bytes((length,)) + octets


class TailLeaf(Leaf):
    """What stands behind the TPDU: nothing, by the book. SIM records are filled up with FF."""

    def read(self, stream: BytesIO, fields: Any, path: str) -> bytes:
        return stream.read()

    def write(self, value: bytes, fields: Any, path: str) -> bytes:
        return value


Octet = OctetLeaf()
TimestampOctets = TimestampLeaf()
ServiceCentre = ServiceCentreLeaf()
Address = AddressLeaf()
Validity = ValidityLeaf()
Parameters = ParametersLeaf()
UserData = UserDataLeaf()
Tail = TailLeaf()

# 9.2.2.1
Deliver = Struct(
    "first_octet" / Octet,
    "originator" / Address,
    "pid" / Octet,
    "dcs" / Octet,
    "timestamp" / TimestampOctets,
    "user_data" / UserData,
    "tail" / Tail,
)

# 9.2.2.2
Submit = Struct(
    "first_octet" / Octet,
    "reference" / Octet,
    "destination" / Address,
    "pid" / Octet,
    "dcs" / Octet,
    "validity" / Validity,
    "user_data" / UserData,
    "tail" / Tail,
)

# 9.2.2.3, up to the status; most networks end here
StatusReportCore = Struct(
    "first_octet" / Octet,
    "reference" / Octet,
    "recipient" / Address,
    "timestamp" / TimestampOctets,
    "discharge" / TimestampOctets,
    "status" / Octet,
    "tail" / Tail,
)


def _announced(bit: int) -> Callable[[Any], bool]:
    """Whether TP-PI announces the field; a report without TP-PI announces none."""

    def announces(fields: Any) -> bool:
        return bool(fields.parameters and fields.parameters[0] & bit)

    return announces


# 9.2.2.3, whole
StatusReport = Struct(
    "first_octet" / Octet,
    "reference" / Octet,
    "recipient" / Address,
    "timestamp" / TimestampOctets,
    "discharge" / TimestampOctets,
    "status" / Octet,
    "parameters" / Parameters,
    "pid" / If(_announced(PI_PID), Octet),
    "dcs" / If(_announced(PI_DCS), Octet),
    "user_data" / If(_announced(PI_USER_DATA), UserData),
    "tail" / Tail,
)

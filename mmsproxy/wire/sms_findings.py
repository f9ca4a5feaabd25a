"""The oddities of an SMS TPDU: what lenient decoding accepts and names, and strict decoding refuses.

Rule 1: each check looks at one field and knows nothing else. Rule 2: the octets around an oddity are put in by `sms_pdu`, which has them.
"""

from __future__ import annotations

from collections.abc import Iterator

from mmsproxy.errors import PduError
from mmsproxy.wire import sms_schema as schema
from mmsproxy.wire.sms_split import USER_DATA_OCTETS
from mmsproxy.wire.sms_udh import IEI_CONCATENATION_8, IEI_CONCATENATION_16
from mmsproxy.wire.sms_user_data import UserData
from mmsproxy.wire.sms_values import MAX_DIGITS, Address, Dcs, Timestamp, TypeOfNumber
from mmsproxy.wsp.values import PduWarning


def error_of(warning: PduWarning) -> PduError:
    """The same as an error."""
    return PduError(warning.rule, offset=warning.offset, path=warning.path, detail=warning.detail, context=warning.context)


def of_type(first_octet: int, offset: int) -> Iterator[PduWarning]:
    """Message type 11 is reserved; 9.2.3.1 has a mobile read it as DELIVER."""
    if first_octet & schema.MTI_MASK == schema.MTI_RESERVED:
        yield PduWarning("reserved-message-type", offset, "first_octet", "type 11 is read as DELIVER")


def of_address(address: Address, offset: int, path: str) -> Iterator[PduWarning]:
    """9.1.2.5: at most 20 semi-octets, and filler only behind an odd number of digits."""
    if address.semi_octets > MAX_DIGITS:
        yield PduWarning("address-too-long", offset, path, f"{address.semi_octets} semi-octets; {MAX_DIGITS} are allowed")
    alphanumeric = address.type_of_number is TypeOfNumber.ALPHANUMERIC
    if not alphanumeric and not address.well_filled:
        yield PduWarning("address-filler", offset, path, "filler where a digit is due, or the other way round")


def of_timestamp(timestamp: Timestamp, offset: int, path: str) -> Iterator[PduWarning]:
    """9.2.3.11."""
    if timestamp.when is None:
        yield PduWarning("timestamp-without-meaning", offset, path, f"{timestamp.octets.hex()} is no time")


def of_user_data(user_data: UserData, dcs: Dcs, offset: int) -> Iterator[PduWarning]:
    """9.2.3.16, 9.2.3.24; the offset is that of TP-UDL."""
    if len(user_data.octets) > USER_DATA_OCTETS:
        yield PduWarning("user-data-too-long", offset, "user_data", f"{len(user_data.octets)} octets; {USER_DATA_OCTETS} are allowed")
    due = schema.octets_of_septets(user_data.length) if dcs.counts_septets else user_data.length
    if len(user_data.octets) != due:
        yield PduWarning("user-data-length-in-octets", offset, "user_data", "TP-UDL counts octets under a 7-bit coding scheme")
    yield from _of_header(user_data, offset + 1)


def _of_header(user_data: UserData, offset: int) -> Iterator[PduWarning]:
    header = user_data.header
    if header is None:
        return
    if header.stray:
        at = offset + len(header.octets) - len(header.stray)
        yield PduWarning("element-beyond-header", at, "user_data.header", f"{len(header.stray)} octets make no element")
    concatenations = [element for element in header.elements if element.iei in (IEI_CONCATENATION_8, IEI_CONCATENATION_16)]
    if concatenations and header.concatenation is None:
        yield PduWarning("concatenation-ignored", offset, "user_data.header", "total or sequence has an impossible value")


def of_tail(tail: bytes, offset: int) -> Iterator[PduWarning]:
    """A TPDU ends with its user data."""
    if tail:
        yield PduWarning("stray-octets", offset, "tail", f"{len(tail)} octets behind the TPDU")

"""The ONE encoder of strings into AT commands.

Rule 1: a string from outside reaches a command only through a function of this module. Rule 2: it is refused, never stripped or
escaped: AT commands know no escape, and a stripped name would be another name. Rule 3: this module knows no command.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from mmsproxy.errors import AtStringError

_APN = re.compile(r"[A-Za-z0-9.-]{1,100}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")  # RFC 1123, and the underscore that carriers' names hold
_NUMERIC = re.compile(r"[0-9.]+")
_PHONE = re.compile(r"\+?[0-9*#]{1,20}")
_PIN = re.compile(r"[0-9]{4,8}")  # 3GPP TS 31.101 9.5.1
_SECRET = re.compile(r"[ -!#-~]{0,127}")  # printable ASCII without the quote
_MAX_HOST = 253  # RFC 1035 2.3.4, without the root's dot
_PDP_TYPES = ("IP", "IPV6", "IPV4V6")


def quoted_apn(apn: str) -> bytes:
    """`"apn"`. Raises AtStringError unless it is 1-100 letters, digits, dots or hyphens."""
    return _quoted(_matching(_APN, apn, "an APN", "letters, digits, '.' and '-', 1 to 100 of them"))


def quoted_host(host: str) -> bytes:
    """`"host"`: an RFC 1123 name or an IP literal without leading zeros. Raises AtStringError."""
    if not (_is_address(host) or _is_name(host)):
        raise _refused("a host name or IP address", "an RFC 1123 name or an IP literal without leading zeros")
    return _quoted(host)


def quoted_phone(number: str) -> bytes:
    """`"+16195550123"`: an optional plus, then 1-20 digits, `*` or `#`. Raises AtStringError."""
    return _quoted(_matching(_PHONE, number, "a phone number", "'+' and 1 to 20 digits, '*' or '#'"))


def quoted_pin(pin: str) -> bytes:
    """`"1234"`: 4-8 digits. Raises AtStringError."""
    return _quoted(_matching(_PIN, pin, "a SIM PIN", "4 to 8 digits"))


def quoted_secret(text: str) -> bytes:
    """`"text"`: the user or password of a PDP context, 0-127 printable ASCII characters but the quote. Raises AtStringError."""
    return _quoted(_matching(_SECRET, text, "a PDP user or password", "printable ASCII without quotes, at most 127 characters"))


def quoted_pdp_type(kind: str) -> bytes:
    """`"IP"`, `"IPV6"` or `"IPV4V6"` (3GPP TS 27.007 10.1.1). Raises AtStringError."""
    if kind not in _PDP_TYPES:
        raise _refused("a PDP type", " or ".join(_PDP_TYPES))
    return _quoted(kind)


def number(value: int, *, low: int = 0, high: int = 0xFFFF) -> bytes:
    """Decimal digits of an int within low..high. Raises AtStringError."""
    if not low <= value <= high:
        raise _refused("a number", f"a whole number from {low} to {high}")
    return b"%d" % value


def _quoted(text: str) -> bytes:
    return b'"%s"' % text.encode("ascii")


def _matching(form: re.Pattern[str], text: str, what: str, rule: str) -> str:
    if form.fullmatch(text) is None:
        raise _refused(what, rule)
    return text


def _refused(what: str, rule: str) -> AtStringError:
    # The string itself stays out of the message: it may be a password, and it may hold what a terminal should not see.
    return AtStringError(f"this is not {what}", cure=f"it must be {rule}")


def _is_name(host: str) -> bool:
    if len(host) > _MAX_HOST or _NUMERIC.fullmatch(host):
        return False
    return all(_LABEL.fullmatch(label) for label in host.split("."))


def _is_address(host: str) -> bool:
    for kind in (IPv4Address, IPv6Address):
        try:
            kind(host)
        except AddressValueError:
            continue
        return "%" not in host
    return False

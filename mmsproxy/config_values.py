"""The kinds of value that stand in config.yaml: addresses, networks, numbers, credentials. Each refuses with its cure."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator

Network = IPv4Network | IPv6Network


class Address(NamedTuple):
    """A listening address. `port` 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or ip_address(self.host).is_loopback


def _address(value: Any) -> Any:
    if isinstance(value, Address):
        return value
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):(\d{1,5})", value) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65535:
        raise ValueError("write it as HOST:PORT, for example 127.0.0.1:8090")
    host = match[1] or match[2]
    if host != "localhost":
        try:
            ip_address(host)
        except ValueError:
            raise ValueError(f"{host!r} is no IP address; name the address to listen on, for example 127.0.0.1 or 0.0.0.0") from None
    return Address(host, int(match[3]))


def _words(value: Any) -> Any:
    """A list may come as one string from the environment: `a, b`."""
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) and value.strip() else value


def _networks(value: Any) -> Any:
    items = _words(value)
    if not isinstance(items, (list, tuple)):
        raise ValueError("write a list of networks, for example [127.0.0.0/8, 192.168.1.0/24]")
    networks = []
    for item in items:
        try:
            networks.append(item if isinstance(item, (IPv4Network, IPv6Network)) else ip_network(str(item)))
        except ValueError as error:
            raise ValueError(f"{item!r} is no network: {error}") from None
    return tuple(networks)


def _quoted(value: Any) -> Any:
    """YAML reads an unquoted +1619... or 0123 as a number and loses the + or the zero: refuse it, with the cure."""
    if isinstance(value, (int, float)):
        raise ValueError('put the value in quotes, for example "+16195550123", or YAML reads it as a number')
    return value


def pattern(pattern: str, cure: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(cure)
        return value

    return AfterValidator(check)


ListenAddress = Annotated[Address, BeforeValidator(_address)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Quoted = BeforeValidator(_quoted)
Number = Annotated[str, Quoted, pattern(r"\+?[0-9]{7,15}", "write the number as +<country code><number>, digits only")]
# The AT encoder (at/strings.py) has the last word; these say it before anything is opened.
Apn = Annotated[str, Quoted, pattern(r"[A-Za-z0-9.-]{1,100}", "an APN has only letters, digits, dots and hyphens")]
Credential = Annotated[
    str, Quoted, pattern(r"[\x20\x21\x23-\x7e]{0,64}", "printable ASCII without the double quote, at most 64 characters")
]
Pin = Annotated[str, Quoted, pattern(r"[0-9]{4,8}", "a PIN has 4 to 8 digits")]
HeaderText = Annotated[str, Quoted, pattern(r"[^\x00\r\n]*", "a header value has no CR, LF or NUL")]

"""Which addresses the gateway may connect to on somebody's word, and which hosts a list admits. Pure: no name is resolved here.

Rule 1: an address stands for what it leads to: an IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) is judged as that IPv4 address.
Rule 2: what is not the open Internet is refused unless private addresses are allowed; what no honest URL names (multicast, metadata
services, documentation) is refused always. Source: the IANA special-purpose address registries (RFC 6890).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NEVER = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network"),
        ("169.254.169.254/32", "a metadata service"),
        ("100.100.100.200/32", "a metadata service"),
        ("192.0.0.0/24", "an address for protocols"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a relay"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "no address"),
        ("fd00:ec2::254/128", "a metadata service"),
        ("fd20:ce::254/128", "a metadata service"),
        ("100::/64", "an address that leads nowhere"),
        ("2001::/32", "a Teredo address"),
        ("2001:db8::/32", "an address for documentation"),
        ("3fff::/20", "an address for documentation"),
        ("ff00::/8", "a multicast address"),
    )
)
_PRIVATE = tuple(
    (ip_network(network), what)
    for network, what in (
        ("127.0.0.0/8", "a loopback address"),
        ("10.0.0.0/8", "a private address"),
        ("172.16.0.0/12", "a private address"),
        ("192.168.0.0/16", "a private address"),
        ("100.64.0.0/10", "a private address"),
        ("169.254.0.0/16", "a link-local address"),
        ("198.18.0.0/15", "an address for tests"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "a private address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_OLD_COMPATIBLE = ip_network("::/96")

Address = IPv4Address | IPv6Address


def objection(address: str, *, allow_private: bool) -> str | None:
    """What speaks against connecting to the address (without brackets, with or without a zone); None: nothing does."""
    try:
        meant = _meant(ip_address(address.partition("%")[0]))
    except ValueError:
        return "no address"
    for table in (_NEVER,) if allow_private else (_NEVER, _PRIVATE):
        for network, what in table:
            if meant.version == network.version and meant in network:
                return what
    return None


def _meant(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and (address in _NAT64 or (address in _OLD_COMPATIBLE and int(address) > 1)):
        inside = IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def admits(patterns: Iterable[str], host: str) -> bool:
    """Whether the list has the host: by its exact name or address, or below `*.suffix`. Names have no case and no last dot."""
    name = _folded(host)
    return any(
        name.endswith(item[1:]) and len(name) > len(item) - 1 if item.startswith("*.") else name == item for item in map(_folded, patterns)
    )


def _folded(host: str) -> str:
    return host.lower().strip("[]").removesuffix(".")

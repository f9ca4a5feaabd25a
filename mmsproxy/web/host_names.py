"""Hosts as requests write them, in one form for comparing: names, addresses, ports.

Rule 1: pure, and no name is resolved. Rule 2: what is not written well is None, never repaired. It knows no door's rules.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
_DOTTED_QUAD = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){3}")


def canonical_host(host: str) -> str:
    """Lower case, no final dot, no leading zeros in a dotted quad (carriers publish `172.028.023.131`; inet_aton reads that as octal)."""
    host = host.lower().rstrip(".")
    return ".".join(str(int(octet)) for octet in host.split(".")) if _DOTTED_QUAD.fullmatch(host) else host


def split_authority(text: str) -> tuple[str, int | None] | None:
    """`host`, `host:port` or `[v6]:port` as (canonical host, port or None); None if it is none of these (userinfo included)."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or (match[3] and not 0 < int(match[3]) < 65536):
        return None
    return canonical_host(match[1] or match[2]), int(match[3]) if match[3] else None


def plain_address(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address, an IPv4 address in IPv6's clothes undressed; None for anything else."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

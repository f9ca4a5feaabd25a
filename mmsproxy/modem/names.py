"""What the carrier's DNS has said: addresses of names, for as long as they hold (modems.md 1.10).

Rule 1: only the carrier's own servers are ever asked, by the modem; this is a memory, not a resolver. Rule 2: an entry whose address
cannot be connected to is dropped. Rule 3: a name that the modem cannot resolve by
command stands for itself: the open resolves it.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from mmsproxy.at.dialect import Resolved

DEFAULT_TTL = 300.0  # seconds, where the modem does not tell
LONGEST_TTL = 3600.0  # seconds; carriers move their MMSC sometimes


class Names:
    """`clock` is a monotonic clock in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[str, float]] = {}

    def get(self, host: str) -> str | None:
        """What to connect to, when it is known; an address is its own."""
        if is_address(host):
            return host
        target, until = self._known.get(host.lower(), ("", 0.0))
        return target if target and self._clock() < until else None

    def put(self, host: str, resolved: Resolved) -> str:
        """Keeps the first address that is one, and returns it; the name itself when there is none."""
        address = next((address for address in resolved.addresses if is_address(address)), host)
        ttl = DEFAULT_TTL if resolved.ttl is None else min(resolved.ttl, LONGEST_TTL)
        self._known[host.lower()] = (address, self._clock() + ttl)
        return address

    def refuse(self, host: str) -> str:
        """The modem does not resolve it: for a while the name itself is connected to."""
        return self.put(host, Resolved(()))

    def drop(self, host: str) -> None:
        self._known.pop(host.lower(), None)

    def clear(self) -> None:
        """Another network, perhaps."""
        self._known.clear()


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

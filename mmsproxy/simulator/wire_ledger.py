"""What left and came through each TCP connection behind the simulated modem: the truth that a driver's claims are held against."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

CONNECTIONS_KEPT = 1000


@dataclass(slots=True)
class WireRecord:
    """One TCP connection. `up` left towards the peer, `down` came from it (bytes only where recording is on).

    ended   "" while it is open, then local, peer, reset, bearer, fault
    """

    host: str
    port: int
    up_bytes: int = 0
    down_bytes: int = 0
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)
    ended: str = ""
    keep: bool = True

    def went_up(self, data: bytes) -> None:
        self.up_bytes += len(data)
        if self.keep:
            self.up += data

    def came_down(self, data: bytes) -> None:
        self.down_bytes += len(data)
        if self.keep:
            self.down += data


class Wire:
    """The last connections, oldest first."""

    def __init__(self, *, keep_bytes: bool) -> None:
        self.connections: deque[WireRecord] = deque(maxlen=CONNECTIONS_KEPT)
        self._keep_bytes = keep_bytes

    def opened(self, host: str, port: int) -> WireRecord:
        record = WireRecord(host, port, keep=self._keep_bytes)
        self.connections.append(record)
        return record

    @property
    def up(self) -> bytes:
        """All that left, connection after connection."""
        return b"".join(bytes(record.up) for record in self.connections)

    @property
    def up_bytes(self) -> int:
        return sum(record.up_bytes for record in self.connections)

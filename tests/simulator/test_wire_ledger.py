"""The truth behind a modem: counts always, bytes where they are kept, and a bound."""

from __future__ import annotations

import pytest

from mmsproxy.simulator.wire_ledger import CONNECTIONS_KEPT, Wire


@pytest.mark.parametrize("kept", [True, False])
def test_counts_and_bytes(kept: bool) -> None:
    wire = Wire(keep_bytes=kept)
    first, second = wire.opened("a", 80), wire.opened("b", 81)
    first.went_up(b"one")
    second.went_up(b"two")
    second.came_down(b"three")
    assert (wire.up_bytes, wire.up, second.down_bytes) == (6, b"onetwo" if kept else b"", 5)
    assert bytes(second.down) == (b"three" if kept else b"")


def test_a_long_run_keeps_a_bounded_number() -> None:
    wire = Wire(keep_bytes=True)
    for port in range(CONNECTIONS_KEPT + 5):
        wire.opened("host", port)
    assert [len(wire.connections), wire.connections[0].port] == [CONNECTIONS_KEPT, 5]

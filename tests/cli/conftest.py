"""PDUs for the tests of decode and encode: the hand-written vectors of tests/pdus."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmsproxy.wire import mms_pdu


def _octets(column: str) -> bytes:
    return b"".join(
        piece.strip('"').encode() if piece[0] == '"' else bytes.fromhex(piece) for piece in re.findall(r'"[^"]*"|[^\s"]+', column)
    )


@pytest.fixture(scope="session")
def type_vectors(root: Path) -> dict[str, bytes]:
    """One PDU of each of the 24 types, by name."""
    rows = [row.split(" | ") for row in (root / "tests/pdus/types.txt").read_text().splitlines() if row and row[0] != "#"]
    return {row[0].strip(): _octets(row[1]) for row in rows}


@pytest.fixture(scope="session")
def header_vectors(root: Path) -> list[bytes]:
    """Each of the 63 headers in a PDU where it may stand."""
    found = []
    for row in (root / "tests/pdus/headers.txt").read_text().splitlines():
        if row and row[0] != "#":
            kind, _, octets, *_ = row.split(" | ")
            head = bytes((0x8C, int(mms_pdu.MessageType[kind.strip().upper().replace("-", "_")])))
            found.append(head + _octets(octets))
    return found

"""What the codec's tests share: the vectors of tests/pdus in octets, and values as plain JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.wsp.values import Absolute, ContentType, Disposition, ElementDescriptor, Relative, Text

_TOKEN = re.compile(r'"([^"]*)"|([0-9A-Fa-f]{2})')


def assemble(notation: str) -> bytes:
    """Octets of the notation of tests/pdus: hex, and text between quotation marks."""
    out = bytearray()
    assert not _TOKEN.sub("", notation).strip(), notation
    for text, octet in _TOKEN.findall(notation):
        out += bytes.fromhex(octet) if octet else text.encode()
    return bytes(out)


def plain(value: Any) -> Any:
    """A value as JSON would hold it."""
    if isinstance(value, IntEnum):
        return int(value)
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Absolute | Relative):
        return {type(value).__name__.lower(): value.seconds}
    if isinstance(value, ContentType | Disposition | ElementDescriptor):
        head = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.name != "parameters"}
        return head | {name: found for name, found, _ in value.parameters}
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def rows(root: Path, name: str) -> list[list[str]]:
    """The lines of a vector file, split into their columns."""
    lines = (root / "tests" / "pdus" / name).read_text().splitlines()
    return [[column.strip() for column in line.split("|")] for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="session")
def as_plain() -> Callable[[Any], Any]:
    return plain


@pytest.fixture(scope="session")
def octets() -> Callable[[str], bytes]:
    return assemble


@pytest.fixture(scope="session")
def pdu_vectors(root: Path) -> list[tuple[str, bytes, dict[str, Any]]]:
    """Whole PDUs of each type: name, octets, fields."""
    return [(name, assemble(notation), json.loads(fields)) for name, notation, fields in rows(root, "types.txt")]


@pytest.fixture(scope="session")
def header_vectors(root: Path) -> list[tuple[str, str, bytes, Any]]:
    """Single headers: PDU type, field, octets of the header, value."""
    return [(pdu, attr, assemble(notation), json.loads(value)) for pdu, attr, notation, value in rows(root, "headers.txt")]

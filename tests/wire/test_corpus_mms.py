"""The shared corpus of real PDUs: accepted with the published fields, given back octet by octet; the broken ones refused at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import FromToken, label
from mmsproxy.wire.mms_pdu import (
    MULTIPART,
    Absolute,
    Part,
    Pdu,
    Relative,
    Text,
    canonical,
    decode,
    encode,
    encode_chunks,
)
from mmsproxy.wsp.choices import version_name
from mmsproxy.wsp.values import Counted

pytestmark = pytest.mark.needs_corpus


def entries(corpus: Path, folder: str) -> list[dict[str, Any]]:
    found = json.loads((corpus / "manifest.json").read_text())["entries"]
    return [entry for entry in found if entry["file"].startswith(folder + "/")]


def octet(value: Any) -> Any:
    """Enumerated values as the octet, booleans too."""
    return (0x80 if value else 0x81) if isinstance(value, bool) else value


def shown(value: Any) -> Any:
    """A field's value in the words of the manifest."""
    if isinstance(value, Absolute | Relative):
        return {type(value).__name__.lower(): value.seconds}
    if isinstance(value, Counted):
        return [value.count, shown(value.value)]
    if isinstance(value, Text):
        return value.text
    return [shown(one) for one in value] if isinstance(value, tuple) else octet(value)


def shown_part(part: Part) -> dict[str, Any]:
    content_type = part.content_type
    made = {
        "type": content_type.media,
        "size": len(part.data),
        "charset": content_type.get("charset"),
        "name": content_type.get("name"),
        "content_id": part.content_id,
        "content_location": part.content_location,
        "content_disposition": part.content_disposition.kind if part.content_disposition else None,
        "headers": {header.name: header.value for header in part.headers},
    }
    return {key: value for key, value in made.items() if value is not None and value != {}}


def value_of(pdu: Pdu, key: str) -> Any:
    """What the manifest calls `key`, read from the PDU."""
    special = {
        "type": lambda: label(pdu.message_type),  # type: ignore[arg-type]
        "version": lambda: version_name(pdu.mms_version or 0),
        "from": lambda: None if pdu.from_ == FromToken.INSERT_ADDRESS else pdu.from_.text,  # type: ignore[attr-defined]
        "message_class": lambda: pdu.message_class if isinstance(pdu.message_class, str) else label(pdu.message_class),  # type: ignore[attr-defined]
        "content_type": lambda: pdu.content_type.media if pdu.content_type else None,
        "content_type_params": lambda: {name: pdu.content_type.get(name) for name, _, _ in pdu.content_type.parameters},  # type: ignore[union-attr]
        "parts": lambda: [shown_part(part) for part in pdu.parts],
        "application_headers": lambda: [[header.key, header.value] for header in pdu.extra if isinstance(header.key, str)],
        "trailing": lambda: pdu.wire.source[pdu.wire.entries[-1][2] :].hex() if pdu.wire else None,
        "body": lambda: "none" if pdu.content_type and not pdu.parts else "some",
    }
    return special[key]() if key in special else from_headers(pdu, key)


def from_headers(pdu: Pdu, key: str) -> Any:
    """A field; where the PDU type has none of that name, what stands in `extra` under it."""
    if hasattr(pdu, key):
        values = shown(getattr(pdu, key))
        repeats = [shown(header.value) for header in pdu.extra if named(header.name) == key]
        return [values, *repeats] if repeats else values
    return [shown(header.value) for header in pdu.extra if named(header.name) == key]


def named(name: str) -> str:
    return name.removeprefix("X-Mms-").lower().replace("-", "_")


def check(name: str, pdu: Pdu, expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        if key == "conformance_case":
            continue
        if key == "other":
            raws = dict(header_raws(pdu))
            assert [[number, raws[int(number, 16)]] for number, _ in value] == value, name
            continue
        found = value_of(pdu, key)
        if isinstance(found, list) and not isinstance(value, list):
            found = found[0]
        elif isinstance(value, list) and not isinstance(found, list):
            found = [found]
        assert found == value, (name, key)


def header_raws(pdu: Pdu) -> list[tuple[int, str]]:
    assert pdu.wire is not None
    source = pdu.wire.source
    return [(source[start], source[start + 1 : stop].hex()) for _, _, start, stop in pdu.wire.entries]


def test_valid_pdus_have_the_published_fields_and_come_back_as_they_were(corpus: Path) -> None:
    found = entries(corpus, "valid")
    assert len(found) == 72
    for entry in found:
        octets = (corpus / entry["file"]).read_bytes()
        pdu = decode(octets)
        check(entry["name"], pdu, entry["expected"])
        assert encode(pdu) == b"".join(encode_chunks(pdu)) == octets, entry["name"]
        assert decode(encode(canonical(pdu))) == pdu, entry["name"]
        assert all(warning.rule and warning.path for warning in pdu.warnings), entry["name"]


def test_every_truncation_of_the_small_ones_is_read_or_refused(corpus: Path) -> None:
    for entry in entries(corpus, "valid"):
        octets = (corpus / entry["file"]).read_bytes()[:1500]
        for stop in range(len(octets)):
            try:
                pdu = decode(octets[:stop])
            except PduError:
                continue
            assert encode(pdu) == octets[:stop]


def strictly(octets: bytes) -> Pdu:
    return decode(octets, strict=True)


@pytest.mark.timeout(10)
def test_malformed_input_is_refused_at_once(corpus: Path) -> None:
    found = entries(corpus, "malformed")
    assert len(found) == 9
    for entry in found:
        octets = (corpus / entry["file"]).read_bytes()
        read = MULTIPART.parse if entry["kind"] == "multipart-body" else strictly
        with pytest.raises(PduError) as caught:
            read(octets)
        assert caught.value.rule
        assert 0 <= caught.value.offset <= len(octets)

"""Golden tests: SMS and WAP pushes of real networks, from the shared corpus. Its octets are never copied into this repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import media_number
from mmsproxy.wire import mms_pdu, sms_parts, sms_pdu, wap_push
from mmsproxy.wire.sms_udh import Header, read_header
from mmsproxy.wsp.choices import version_name

pytestmark = pytest.mark.needs_corpus

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"  # beside the checkout; see the conftest above


def _samples() -> list[dict[str, Any]]:
    path = CORPUS / "wap_push_samples.json"
    return list(json.loads(path.read_text("utf-8"))["samples"]) if path.is_file() else []


def _entries(*kinds: str) -> list[dict[str, Any]]:
    path = CORPUS / "manifest.json"
    entries = json.loads(path.read_text("utf-8")) if path.is_file() else []
    listed = entries if isinstance(entries, list) else entries["entries"]
    return [entry for entry in listed if entry["kind"] in kinds]


SAMPLES = _samples()
PUSHES = [entry for entry in _entries("wsp-push") if not entry["file"].startswith("malformed/")]
MALFORMED = [entry for entry in _entries("wsp-push") if entry["file"].startswith("malformed/")]
DELIVERS = _entries("sms-deliver-hex")


def _params(items: list[dict[str, Any]], key: str) -> list[Any]:
    """One case for each item; a single one that the marker skips where the corpus is absent."""
    return [pytest.param(item, id=item[key]) for item in items] or [pytest.param({}, id="no corpus")]


def test_the_whole_corpus_is_there() -> None:
    assert len(SAMPLES) >= 55
    assert len(PUSHES) >= 14
    assert len(MALFORMED) >= 3
    assert len(DELIVERS) >= 3


# --- the way from what came in to the MMS PDU --------------------------------------------------------------------------------------


def _delivers(parts: list[str]) -> list[sms_pdu.Deliver]:
    found = [sms_pdu.decode_hex(part) for part in parts]
    assert [sms_pdu.encode(part).hex().upper() for part in found] == parts
    return [part for part in found if isinstance(part, sms_pdu.Deliver)]


def _headers(parts: list[str]) -> list[Header]:
    return [read_header(bytes.fromhex(part)) for part in parts]


def _push(sample: dict[str, Any]) -> wap_push.Push:
    parts = sample["parts"]
    if sample["layer"] == "wsp_push":
        data = bytes.fromhex(parts[0])
    elif sample["layer"] == "udh_ud":
        data = b"".join(bytes.fromhex(part)[len(read_header(bytes.fromhex(part)).octets) :] for part in parts)
    else:
        push = wap_push.of_delivers(_delivers(parts))
        assert push is not None
        return push
    push = wap_push.decode(data)
    assert wap_push.encode(push) == data
    return push


def _mms(sample: dict[str, Any]) -> mms_pdu.Pdu | None:
    """The MMS PDU of a sample, None for a push of something else."""
    octets = bytes.fromhex(sample["parts"][0]) if sample["layer"] == "mms_pdu" else wap_push.find_mms(_push(sample))
    return None if octets is None else mms_pdu.decode(octets)


@pytest.mark.parametrize("sample", _params([item for item in SAMPLES if item["should_decode"]], "id"))
def test_a_sample_decodes_as_its_reference_reading_says(sample: dict[str, Any]) -> None:
    expected = sample["decoded"]
    for place, header in enumerate(expected.get("sms", [])):
        _check_sms(sample, place, header)
    if "wsp" in expected:
        _check_push(_push(sample), _renamed(expected["wsp"]))
    pdu = _mms(sample)
    assert (pdu is None) is bool(expected.get("not_mms"))
    if pdu is not None:
        _check_mms(pdu, expected["mms"])


@pytest.mark.parametrize("sample", _params([item for item in SAMPLES if not item["should_decode"]], "id"))
def test_a_sample_that_must_not_decode_is_refused(sample: dict[str, Any]) -> None:
    with pytest.raises(PduError):
        _mms(sample)


def _check_sms(sample: dict[str, Any], place: int, expected: dict[str, Any]) -> None:
    if sample["layer"] == "udh_ud":
        _check_header(_headers(sample["parts"])[place], expected["udh"])
        return
    _check_deliver(_delivers(sample["parts"])[place], expected)


def _check_deliver(part: sms_pdu.Deliver, expected: dict[str, Any]) -> None:
    header = part.user_data.header
    swapped = "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in part.timestamp.octets)
    assert part.smsc is not None
    assert header is not None
    assert expected["udhi"] is True
    assert (part.smsc.number, part.originator.number) == (expected["smsc"], expected["from"])
    assert (part.pid, part.dcs.octet, part.user_data.length, swapped) == (
        expected["pid"],
        expected["dcs"],
        expected["udl"],
        expected["scts"],
    )
    assert part.timestamp.when is not None
    assert part.warnings == ()
    assert sms_parts.is_wap_push(part)
    _check_header(header, expected["udh"])


def _check_header(header: Header, expected: dict[str, Any]) -> None:
    ports, place = header.ports, header.concatenation
    assert ports is not None
    assert (ports.destination, ports.source) == (expected["dst_port"], expected["src_port"])
    found = (place.reference, place.total, place.sequence, place.bits) if place else (None,) * 4
    assert found == tuple(expected.get(key) for key in ("ref", "total", "seq", "ref_bits"))


def _renamed(wsp: dict[str, Any]) -> dict[str, Any]:
    """The samples name two fields otherwise than the manifest does."""
    names = {"pdu_type": "wsp_type", "h_43": "encoding_version"}
    return {names.get(key, key): value for key, value in wsp.items()}


def _check_push(push: wap_push.Push, expected: dict[str, Any]) -> None:
    media = expected["content_type"]  # a number in the samples, a name in the manifest
    found: dict[str, Any] = {
        "tid": push.tid,
        "wsp_type": 7 if push.confirmed else 6,
        "content_type": media_number(push.content_type.media) if isinstance(media, int) else push.content_type.media,
        "x_wap_application_id": push.application_id,
        "content_length": push.content_length,
        "push_flag": push.push_flag,
        "body_len": len(push.body),
        "headers_len": len(push.head) - 3,  # one octet of length in all of them
        "encoding_version": (push.get(0xC3) or 0x80) & 0x7F,
        "content_type_general_form": push.head[3] < 0x20,
    }
    assert {key: found[key] for key in expected} == expected


def _check_mms(pdu: mms_pdu.Pdu, expected: dict[str, Any]) -> None:
    """The fields that matter to whoever receives a notification or report."""
    name = expected.get("message_type", expected.get("type"))
    assert mms_pdu.MessageType(pdu.message_type).name.lower().replace("_", "-") == name
    assert pdu.transaction_id == expected.get("transaction_id")
    assert pdu.mms_version is not None
    assert version_name(pdu.mms_version) == expected["version"]
    for key in ("content_location", "message_size", "message_id"):
        if key in expected:
            assert getattr(pdu, key) == expected[key]
    if "subject" in expected:
        assert str(getattr(pdu, "subject", None) or "") == expected["subject"]
    if "from" in expected:
        assert str(getattr(pdu, "from_", "")) == expected["from"]


# --- the manifest ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", _params(DELIVERS, "name"))
def test_a_deliver_reads_as_the_manifest_says(entry: dict[str, Any]) -> None:
    (part,) = _delivers([(CORPUS / entry["file"]).read_text("ascii").strip().upper()])
    _check_deliver(part, entry["expected"])
    assert len(part.data) == entry["expected"]["payload_len"]
    assert sms_pdu.guess(sms_pdu.encode(part)) == part


@pytest.mark.parametrize("entry", _params(PUSHES, "name"))
def test_a_push_reads_as_the_manifest_says(entry: dict[str, Any]) -> None:
    data = (CORPUS / entry["file"]).read_bytes()
    push = wap_push.decode(data)
    assert wap_push.encode(push) == data
    expected = entry["expected"]
    if "not_a_plain_push" in expected:
        assert (push.confirmed, [warning.rule for warning in push.warnings][:1]) == (True, ["push-confirmed"])
        return
    _check_push(push, expected["push"])
    octets = wap_push.find_mms(push)
    assert (octets is None) is bool(expected.get("not_mms"))
    if octets is not None:
        _check_mms(mms_pdu.decode(octets), expected["mms"])


@pytest.mark.parametrize("entry", _params(MALFORMED, "name"))
def test_a_malformed_push_is_refused_by_strict(entry: dict[str, Any]) -> None:
    data = (CORPUS / entry["file"]).read_bytes()
    with pytest.raises(PduError):
        mms_pdu.decode(wap_push.find_mms(wap_push.decode(data, strict=True)) or b"", strict=True)


def test_every_truncation_is_read_whole_or_refused() -> None:
    pushes = [(CORPUS / entry["file"]).read_bytes() for entry in PUSHES]
    for data in pushes:
        for end in range(len(data)):
            _read_or_refuse(data[:end])
    for part in [part for sample in SAMPLES if sample["layer"] == "sms_deliver" for part in sample["parts"]]:
        data = bytes.fromhex(part)
        for end in range(len(data)):
            with pytest.raises(PduError):
                sms_pdu.decode(data[:end])


def _read_or_refuse(data: bytes) -> None:
    try:
        push = wap_push.decode(data)
    except PduError:
        return
    assert wap_push.encode(push) == data

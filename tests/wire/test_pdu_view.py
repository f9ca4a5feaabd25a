"""The JSON form of whole PDUs: offsets, octets, bodies, what stands behind them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu, wap_push
from mmsproxy.wire.pdu_view import error_json, header_name, mms_json, push_json, text_of, type_name
from mmsproxy.wsp.values import ContentType


def shown(octets: str) -> dict[str, Any]:
    return mms_json(mms_pdu.decode(bytes.fromhex(octets)))


def test_the_octets_of_all_headers_and_parts_are_those_of_the_pdu(pdu_vectors: list[tuple[str, bytes, dict[str, Any]]]) -> None:
    for _, octets, _ in pdu_vectors:
        form = mms_json(mms_pdu.decode(octets))
        for header in form["headers"]:
            raw = bytes.fromhex(header["octets"])
            assert octets[header["offset"] : header["offset"] + len(raw)] == raw
        for part in form.get("parts", ()):
            data = part["text"].encode() if "text" in part else base64.b64decode(part["base64"])
            assert octets[part["data_offset"] : part["data_offset"] + part["size"]] == data


def test_what_is_no_header_and_what_is_unknown() -> None:
    form = shown("8C81 C581 582D5400 7900 8D92 0A00")
    assert [header["name"] for header in form["headers"]] == ["X-Mms-Message-Type", "0xC5", "X-T", "X-Mms-MMS-Version", ""]
    assert form["headers"][1]["value"] == {"hex": "81"}
    assert form["headers"][2]["textual"] is True
    assert form["headers"][4] == {"offset": 12, "name": "", "octets": "0a00"}
    assert [warning["rule"] for warning in form["warnings"]].count("stray-octets") == 1


def test_an_unknown_type() -> None:
    assert shown("8C99 8D92")["type"] == "0x99"
    assert (type_name(0x80), type_name(0x97), type_name(0x98)) == ("m-send-req", "m-cancel-conf", "0x98")


def test_lengths_in_a_longer_form_are_kept() -> None:
    form = shown("8C84 84A3 8001 8001 8002 83 6869")
    assert (form["count_octets"], form["parts"][0]["lengths_octets"]) == ("8001", "80018002")
    assert (form["parts"][0]["text"], form["parts"][0]["offset"], form["parts"][0]["data_offset"]) == ("hi", 6, 11)


def test_a_body_of_one_part_and_a_tail() -> None:
    assert shown("8C84 8483 6869")["body"] == {"offset": 4, "size": 2, "text": "hi"}
    form = shown("8C84 84A3 01 0101 83 68 FFFF")
    assert form["tail"] == {"offset": 9, "hex": "ffff"}
    assert "body" not in shown("8C84 8483")
    assert "parts" not in shown("8C84 84A3")
    assert shown("8C84 84A3 00")["parts"] == []


@pytest.mark.parametrize(
    ("media", "octets", "text"),
    [
        ("text/plain", b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
        ("text/plain", b"\xfc", None),
        ("text/plain; charset=4", b"\xfc", "ü"),
        ("text/plain; charset=1015", b"\xff\xfe\xfc\0", None),  # little-endian by its mark: would not come back
        ("text/plain; charset=1000", b"\0\xfc", "ü"),
        ("text/plain; charset=9999", b"x", "x"),
        ("application/smil", b"<smil/>", "<smil/>"),
        ("image/jpeg", b"x", None),
        ("TEXT/HTML", b"x", "x"),
    ],
)
def test_text_is_text_where_nothing_is_lost(media: str, octets: bytes, text: str | None) -> None:
    kind, _, charset = media.partition("; charset=")
    found = text_of(octets, ContentType(kind, charset=int(charset) if charset else None))
    assert found == text


def test_names_of_headers() -> None:
    assert (header_name(0x97, False), header_name(0xC5, False), header_name(0xC5, True), header_name(0xF0, True)) == (
        "To",
        "0xC5",
        "Content-Disposition (1.4)",
        "0xF0",
    )


def test_a_push_and_its_three_bodies() -> None:
    push = wap_push.decode(bytes.fromhex("010603BEAF84") + b"\x8c")
    error = PduError("value-missing", offset=1, detail="short", context="8c")
    assert push_json(push, error)["body"] == {"offset": 6, "hex": "8c", "error": error_json(error)}
    assert push_json(push, None)["body"] == {"offset": 6, "hex": "8c"}
    pdu = mms_pdu.decode(bytes.fromhex("8C85"))
    assert push_json(push, pdu)["body"]["mms"]["type"] == "m-acknowledge-ind"
    assert error_json(error) == {"offset": 1, "path": "", "rule": "value-missing", "detail": "short", "context": "8c"}


def test_the_head_of_a_push() -> None:
    form = push_json(wap_push.decode(bytes.fromhex("0106800701BEAF84B48100") + b"x"), None)
    assert form["headers_length_octets"] == "8007"
    assert [(header["offset"], header["name"], header["octets"]) for header in form["headers"]] == [
        (4, "Content-Type", "01be"),
        (6, "X-Wap-Application-Id", "af84"),
        (8, "Push-Flag", "b481"),
        (10, "", "00"),
    ]

"""Answers: JSON whatever is in it, and files that no browser shows."""

from __future__ import annotations

import json

import pytest

from mmsproxy.web.answers import EXTENSIONS, as_json, attachment, json_octets


def test_json_is_utf_8_and_survives_lone_surrogates() -> None:
    assert json_octets({"a": "\u00fc\ud800"}) == '{"a": "\u00fc?"}'.encode()
    response = as_json({"a": 1}, 201, {"X-A": "b"})
    assert (response.status, response.content_type, response.headers["X-A"]) == (201, "application/json", "b")
    assert json.loads(bytes(response.body)) == {"a": 1}  # type: ignore[arg-type] # octets, not a payload


@pytest.mark.parametrize(
    "media", ["image/svg+xml", "text/html", "application/xhtml+xml", "application/smil", "text/javascript", "text/xml", "", "x"]
)
def test_what_could_do_harm_is_octets(media: str) -> None:
    response = attachment(b"x", media, "msg_1-0")
    assert response.content_type == "application/octet-stream"
    assert response.headers["Content-Disposition"] == 'attachment; filename="msg_1-0.bin"'


@pytest.mark.parametrize("media", sorted(EXTENSIONS))
def test_what_cannot_keeps_its_type_and_is_sandboxed_all_the_same(media: str) -> None:
    response = attachment(b"x", f"{media.upper()}; charset=utf-8", "msg_1-0")
    assert response.content_type == media
    assert response.headers["Content-Disposition"] == f'attachment; filename="msg_1-0{EXTENSIONS[media]}"'
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "svg" not in media
    assert "html" not in media


def test_a_name_cannot_break_out_of_its_header() -> None:
    assert attachment(b"x", "text/plain", 'a"\r\nX: y/../b').headers["Content-Disposition"] == 'attachment; filename="a___X__y_.._b.txt"'

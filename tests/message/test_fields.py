"""Single values: taken as they are or refused, and what is said of them is short and printable."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mmsproxy.message import fields


def taken(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refused(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        taken(kind, value)
    return caught.value.errors()[0]["type"]


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "https://hooks.lan:8443/x?y=%20z",
        "HTTP://A.LAN/",
        "http://192.0.2.1/x",
        "http://[2001:db8::1]:80/x",
        "http://a.lan/#part",
    ],
)
def test_urls(url: str) -> None:
    assert taken(fields.Url, url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.lan",
        "//a.lan/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "http://:80/",
        "http://a.lan:0/",
        "http://a.lan:65536/",
        "http://a.lan:x/",
        "http://u@a.lan/",
        "http://u:p@a.lan/",
        "http://a.lan\\@b.lan/",
        "http://a.lan/\r\nX: y",
        "http://a.lan/a b",
        "http://\u00fc.lan/",
        "http://[::1/",
    ],
)
def test_what_is_no_url(url: str) -> None:
    assert refused(fields.Url, url) == "invalid_url"


def test_a_url_of_any_length_is_refused_shortly() -> None:
    assert refused(fields.Url, "http://a.lan/" + "x" * 3000) == "too_long"


@pytest.mark.parametrize(
    "text", ["2026-11-22T18:50:00Z", "2026-11-22t18:50:00z", "2026-11-22T18:50:00.123456+01:00", "0001-01-01T00:00:00-12:00"]
)
def test_moments_have_a_zone(text: str) -> None:
    assert taken(fields.Moment, text).utcoffset() is not None


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-22", "2026-11-22T18:50:00", "2026-02-30T00:00:00Z", "2026-11-22T24:61:00Z", "20261122T185000Z", 5]
)
def test_what_is_no_moment(text: object) -> None:
    assert refused(fields.Moment, text) == "invalid_time"


@pytest.mark.parametrize("text", ["YQ==", "YWI=", "YWJj", "+/+/"])
def test_base64(text: str) -> None:
    assert taken(fields.Octets, text)


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YQ==\n", "Y Q==", "-_-_", "data:image/png;base64,YQ==", "====", "Y", "YQ==YQ==", "\u00fc"])
def test_what_is_no_base64(text: str) -> None:
    assert refused(fields.Octets, text) == "bad_base64"


@pytest.mark.parametrize("value", ["", b""])
def test_an_empty_file_is_refused(value: object) -> None:
    assert refused(fields.Octets, value) == "empty"


@pytest.mark.parametrize(
    "text",
    [
        "<smil><text src='a'/></smil>",
        '<?xml version="1.0" encoding="UTF-8"?>\n<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><img src="a"/></smil>',
    ],
)
def test_smil(text: str) -> None:
    assert taken(fields.Smil, text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<smil>",
        "smil",
        "<html><img src='a'/></html>",
        "<smil/>",
        "<smil><img src='a'/><img src='a'/></smil>",
        "<!DOCTYPE smil><smil><img src='a'/></smil>",
        '<!DOCTYPE s [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><smil><img src="&c;"/></smil>',
        '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><smil><img src="&a;"/></smil>',
        "<smil><!-- x --><img src='a'/></smil>",
        "<smil><?php x ?><img src='a'/></smil>",
        "<?xml version='1.0' encoding='latin-1'?><smil><img src='a'/></smil>",
        "<smil><img src='&unknown;'/></smil>",
        "<smil>\x00<img src='a'/></smil>",
    ],
)
def test_what_is_no_smil(text: str) -> None:
    assert refused(fields.Smil, text) == "invalid_smil"


def test_a_huge_smil_is_refused_before_it_is_read() -> None:
    assert refused(fields.Smil, "<smil>" * 100_000) == "too_long"
    assert refused(fields.Smil, "<smil>" * 5_000) == "invalid_smil"
    deep = "<smil>" + "<a>" * 4_000 + "<img src='a'/>" + "</a>" * 4_000 + "</smil>"
    assert taken(fields.Smil, deep) == deep


@pytest.mark.parametrize("name", ["image/jpeg", "text/plain; charset=utf-8", "application/vnd.a-b+xml"])
def test_media_types(name: str) -> None:
    assert taken(fields.MediaType, name) == name


@pytest.mark.parametrize("name", ["", "image", "image/", "a b/c", "image/jpeg\r\nX: y", "image/jpeg; a=\u00fc"])
def test_what_is_no_media_type(name: str) -> None:
    assert refused(fields.MediaType, name) == "invalid_content_type"


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=300))
def test_a_wrong_value_is_shown_on_one_short_line(value: str) -> None:
    shown = fields.shown(value)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 12 * fields.MAX_SHOWN


@settings(derandomize=True, deadline=None)
@given(
    st.text(max_size=60),
    st.sampled_from([fields.Url, fields.Moment, fields.Octets, fields.Smil, fields.MediaType, fields.Number, fields.Tag]),
)
def test_no_text_makes_another_exception(value: str, kind: Any) -> None:
    with contextlib.suppress(ValidationError):
        assert taken(kind, value) is not None

"""What a file is, by its content; what is refused; how it may be called."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmsproxy.message import media
from mmsproxy.message.media import File, UnsupportedMedia, clean_name, recognise


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, form)
    return out.getvalue()


def box(brand: bytes) -> bytes:
    return b"\x00\x00\x00\x14ftyp" + brand + b"\x00\x00\x00\x00isom" + bytes(40)


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.txt", "hello")
    return out.getvalue()


VCARD = b"BEGIN:VCARD\r\nVERSION:%s\r\nN:Doe;Jo\r\nEND:VCARD\r\n"
VCAL = b"BEGIN:VCALENDAR\r\nVERSION:%s\r\nEND:VCALENDAR\r\n"


@pytest.mark.parametrize(
    ("data", "claimed", "found", "kind", "ending"),
    [
        (picture("JPEG"), None, "image/jpeg", "image", "jpg"),
        (picture("PNG"), "image/jpeg", "image/png", "image", "png"),
        (picture("GIF"), "application/pdf", "image/gif", "image", "gif"),
        (picture("WEBP"), "image/svg+xml", "image/webp", "image", "webp"),
        (picture("BMP"), "text/html", "image/bmp", "image", "bmp"),
        (box(b"3gp4"), None, "video/3gpp", "video", "3gp"),
        (box(b"3gp5"), "audio/3gpp", "audio/3gpp", "audio", "3gp"),
        (box(b"3g2a"), None, "video/3gpp2", "video", "3g2"),
        (box(b"isom"), "video/x-m4v", "video/mp4", "video", "mp4"),
        (box(b"mp42"), "audio/mp4", "audio/mp4", "audio", "m4a"),
        (box(b"M4A "), None, "audio/mp4", "audio", "m4a"),
        (box(b"qt  "), None, "video/quicktime", "video", "mov"),
        (box(b"heic"), "image/jpeg", "image/heic", "image", "heic"),
        (box(b"avif"), None, "image/avif", "image", "avif"),
        (b"#!AMR\n" + bytes(50), None, "audio/amr", "audio", "amr"),
        (b"#!AMR-WB\n" + bytes(50), None, "audio/amr-wb", "audio", "awb"),
        (b"ID3\x03" + bytes(50), "audio/mp3", "audio/mpeg", "audio", "mp3"),
        (VCARD % b"2.1", None, "text/x-vCard", "contact", "vcf"),
        (b"\xef\xbb\xbf" + VCARD % b"3.0", "text/plain", "text/vcard", "contact", "vcf"),
        (VCAL % b"1.0", None, "text/x-vCalendar", "calendar", "vcs"),
        (VCAL % b"2.0", "text/x-vcalendar", "text/calendar", "calendar", "ics"),
        (b"%PDF-1.4 plain", None, "application/pdf", "file", "pdf"),
        (b"%PDF-1.4\n\xff\x00\x01", "image/png", "application/pdf", "file", "pdf"),
        (archive(), None, "application/zip", "file", "zip"),
        (archive(), "application/epub+zip", "application/epub+zip", "file", "bin"),
        (b"hello", None, "text/plain", "text", "txt"),
        (b"BMW is a car", "text/plain; charset=utf-8", "text/plain", "text", "txt"),
        (b"a;b\n1;2", "text/csv", "text/csv", "file", "bin"),
        (b'{"a": 1}', "application/json", "application/json", "file", "bin"),
        (b"no card", "text/vcard", "text/plain", "text", "txt"),
        (b"\x00\x01\x02\x03", None, "application/octet-stream", "file", "bin"),
        (b"\x00\x01\x02\x03", "application/x-own", "application/x-own", "file", "bin"),
        (b"\x00\x01\x02\x03", "application/pdf", "application/octet-stream", "file", "bin"),
    ],
)
def test_the_content_decides(data: bytes, claimed: str | None, found: str, kind: str, ending: str) -> None:
    file = recognise(data, claimed)
    assert (file.content_type, file.kind, file.ending, file.filename) == (found, kind, ending, None)
    assert file.data == data.removeprefix(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("data", "claimed"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "image/jpeg"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<s:svg xmlns:s='http://www.w3.org/2000/svg'/>", None),
        (b"<!DOCTYPE html><p>hi", "text/plain"),
        (b"  \n<HTML><body>hi", None),
        (b"\xef\xbb\xbf<html>", None),
        ("<html>".encode("utf-16"), None),
        (b"<p>hi</p>", "text/html"),
        (b"alert(1)", "text/javascript"),
        (b"hello", "image/svg+xml"),
        (b"<smil><body/></smil>", None),
        (b"hello", "application/smil"),
        (b"\x01\x02\x03", "application/vnd.wap.multipart.related"),
        (b"\x01\x02\x03", "multipart/mixed"),
        (b"hello", "message/rfc822"),
        (b"hello", "image/jpeg"),
        (b"\x00\x01\x02\x03", "image/jpeg"),
        (b"\x00\x01\x02\x03", "video/mp4"),
        (b"\x00\x01\x02\x03", "text/plain"),
    ],
)
def test_what_may_not_be_sent_or_lies_is_refused_with_a_cure(data: bytes, claimed: str | None) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        recognise(data, claimed, "x")
    assert caught.value.code == "unsupported_media"
    assert caught.value.cure


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_of_any_coding_becomes_utf_8(coding: str) -> None:
    assert recognise("gr\u00fc\u00dfe".encode(coding), "text/plain").data == "gr\u00fc\u00dfe".encode()


@pytest.mark.parametrize(
    ("name", "content_type", "cleaned"),
    [
        ("cat.jpg", "image/jpeg", "cat.jpg"),
        ("cat.JPEG", "image/jpeg", "cat.JPEG"),
        ("cat.png", "image/jpeg", "cat.jpg"),
        ("cat", "image/jpeg", "cat.jpg"),
        ("evil.html", "image/jpeg", "evil.jpg"),
        ("evil.html", "application/octet-stream", "evil.bin"),
        ("a.tar.gz", "application/gzip", "a.tar.gz"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\me\\cat.jpg", "image/jpeg", "cat.jpg"),
        ("..", "image/jpeg", None),
        (".jpg", "image/jpeg", None),
        ("/", "image/jpeg", None),
        ("caf\u00e9.jpg", "image/jpeg", "cafe.jpg"),
        ("\u0424.jpg", "image/jpeg", None),
        ("a\u202egpj.exe", "image/jpeg", "agpj.jpg"),
        ('a"\r\nb;c=d.jpg', "image/jpeg", "a___b_c_d.jpg"),
        (None, "image/jpeg", None),
        ("x" * 300 + ".jpg", "image/jpeg", "x" * 50 + ".jpg"),
    ],
)
def test_names_are_cleaned(name: str | None, content_type: str, cleaned: str | None) -> None:
    assert clean_name(name, content_type) == cleaned


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=400), st.sampled_from([*media.ENDINGS, "application/octet-stream"]))
def test_a_clean_name_is_short_ascii_and_stays_clean(name: str, content_type: str) -> None:
    cleaned = clean_name(name, content_type)
    if cleaned is not None:
        assert cleaned.isascii()
        assert len(cleaned) <= media.MAX_NAME
        assert not set(cleaned) & set("/\\:\"'<>;=\r\n\x00")
        assert clean_name(cleaned, content_type) == cleaned


claims = st.none() | st.sampled_from([*media.ENDINGS, "text/html", "image/svg+xml", "application/x", "multipart/x"]) | st.text(max_size=20)
starts = st.sampled_from(
    [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x00\x00\xff\xffftyp", b"RIFF", b"PK\x03\x04", b"BM", b"\xfe\xff", b"<"]
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(starts, st.binary(max_size=60), claims)
def test_whatever_comes_in_is_a_file_or_refused(start: bytes, rest: bytes, claimed: str | None) -> None:
    try:
        file = recognise(start + rest, claimed, "a.html")
    except UnsupportedMedia:
        return
    assert isinstance(file, File)
    assert not file.content_type.startswith(("multipart/", "message/", "text/html", "image/svg", "application/smil"))
    assert file.ending not in ("html", "svg")

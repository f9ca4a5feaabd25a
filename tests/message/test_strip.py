"""What describes a picture goes, what draws it stays octet for octet."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from mmsproxy.message.strip import PNG_SIGNATURE, without_metadata

SECRET = b"GPS 48.8584 N 2.2945 E"


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(*, progressive: bool = False) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(out, "JPEG", progressive=progressive)
    return out.getvalue()


def png() -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").save(out, "PNG")
    return out.getvalue()


DESCRIBING = (
    segment(0xE1, b"Exif\x00\x00" + SECRET)
    + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + SECRET)
    + segment(0xED, b"Photoshop 3.0\x00" + SECRET)
    + segment(0xE2, b"MPF\x00" + SECRET)
    + segment(0xFE, SECRET)
)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_loses_its_segments_and_what_stands_behind_its_end(progressive: bool) -> None:
    plain = jpeg(progressive=progressive)
    told = plain[:2] + DESCRIBING + plain[2:] + SECRET * 100 + jpeg()
    assert without_metadata(told) == plain
    assert without_metadata(plain) == plain


def test_what_says_how_the_colours_are_meant_stays() -> None:
    plain = jpeg()
    colours = segment(0xEE, b"Adobe\x00d\x00\x00\x00\x00\x01") + segment(0xE2, b"ICC_PROFILE\x00\x01\x01profile")
    assert without_metadata(plain[:2] + colours + DESCRIBING + plain[2:]) == plain[:2] + colours + plain[2:]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_orientation_can_stay_alone(orientation: int) -> None:
    kept = without_metadata(jpeg()[:2] + DESCRIBING + jpeg()[2:], orientation=orientation)
    assert kept is not None
    assert SECRET not in kept
    assert dict(Image.open(io.BytesIO(kept)).getexif()) == {0x0112: orientation}


def test_fill_octets_are_no_obstacle() -> None:
    plain = jpeg()
    assert without_metadata(plain[:2] + b"\xff\xff" + DESCRIBING + plain[2:]) == plain


def test_a_jpeg_that_is_cut_anywhere_is_not_understood() -> None:
    plain = jpeg()
    for stop in range(2, len(plain), 7):
        assert without_metadata(plain[:stop]) is None


def test_a_png_loses_its_texts() -> None:
    out = io.BytesIO()
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", SECRET.decode())
    told.add_itxt("XML:com.adobe.xmp", SECRET.decode(), zip=False)
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    Image.radial_gradient("L").save(out, "PNG", pnginfo=told, exif=exif)
    assert SECRET in out.getvalue()
    assert without_metadata(out.getvalue() + SECRET) == png()


@pytest.mark.parametrize("stop", [8, 20, 60, -12, -1])
def test_a_png_that_is_cut_is_not_understood(stop: int) -> None:
    assert without_metadata(png()[:stop]) is None


def test_a_png_whose_end_is_none() -> None:
    end = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND") ^ 1)
    assert without_metadata(png()[:-12] + end) is None


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBP", b"BM"])
def test_other_formats_are_not_its_matter(data: bytes) -> None:
    assert without_metadata(data) is None


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.sampled_from([b"\xff\xd8", b"\xff\xd8\xff\xda", PNG_SIGNATURE, jpeg()[:200], png()[:50]]), st.binary(max_size=80))
def test_any_octets(start: bytes, rest: bytes) -> None:
    kept = without_metadata(start + rest)
    assert kept is None or len(kept) <= len(start + rest)

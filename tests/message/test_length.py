"""How long a medium plays, from hand-made headers and from any octets."""

from __future__ import annotations

import io
import struct
import wave

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.message.length import MAX_MS, milliseconds


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


FTYP = box(b"ftyp", b"isom" + bytes(8))


def film(header: bytes) -> bytes:
    return FTYP + box(b"mdat", bytes(100)) + box(b"moov", box(b"udta", b"") + box(b"mvhd", header))


def test_mp4() -> None:
    assert milliseconds(film(struct.pack(">4x8xII", 600, 1500) + bytes(80))) == 2500
    assert milliseconds(film(b"\x01" + struct.pack(">3x16xIQ", 1000, 4_200) + bytes(80))) == 4200


def test_mp4_with_a_large_box_and_an_open_end() -> None:
    movie = box(b"mvhd", struct.pack(">4x8xII", 1000, 900) + bytes(80))
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + bytes(5)
    assert milliseconds(FTYP + large + struct.pack(">I4s", 0, b"moov") + movie) == 900


@pytest.mark.parametrize("header", [b"", bytes(10), struct.pack(">4x8xII", 0, 5), struct.pack(">4x8xII", 1, 0xFFFFFFFF), bytes(100)])
def test_mp4_that_tells_none(header: bytes) -> None:
    assert milliseconds(film(header)) is None


def test_amr() -> None:
    frame_122 = b"\x3c" + bytes(31)
    silence = b"\x44" + bytes(5)
    assert milliseconds(b"#!AMR\n" + frame_122 * 100 + silence * 50) == 3000
    assert milliseconds(b"#!AMR\n") is None
    assert milliseconds(b"#!AMR\n" + b"\x7c" * 1_000_000) is None


def test_wav() -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        made.writeframes(bytes(2 * 8000 * 2))
    assert milliseconds(out.getvalue()) == 2000
    assert milliseconds(out.getvalue()[:40]) is None


def test_what_it_does_not_know() -> None:
    assert milliseconds(b"") is None
    assert milliseconds(b"OggS" + bytes(100)) is None


starts = st.sampled_from([FTYP, FTYP + b"\x00\x00\x00\x20moov", b"#!AMR\n", b"RIFF\x00\x00\x00\x00WAVEfmt ", b""])


@settings(derandomize=True, deadline=None)
@given(starts, st.binary(max_size=80))
def test_any_octets(start: bytes, rest: bytes) -> None:
    found = milliseconds(start + rest)
    assert found is None or 0 < found <= MAX_MS

"""Takes out of a picture what tells of its maker (place, time, camera), without coding it anew (delivery.md 7).

Rule 1: what draws the picture stays, octet for octet; what only describes it goes: EXIF, XMP, IPTC, comments, thumbnails, and whatever
stands behind the picture's end (second pictures, films of "motion photos"). Rule 2: a picture whose structure is not understood whole
gives None: it must be coded anew. Rule 3: it is pure and knows no Pillow.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

# JPEG markers (ITU T.81 table B.1)
SOI, EOI, SOS, COM, APP0, APP2, APP14, APP15 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xE2, 0xEE, 0xEF
STANDALONE = {0x01, *range(0xD0, 0xD8)}
ICC = b"ICC_PROFILE\x00"
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_DESCRIBING = {b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"caBX", b"dSIG"}

_ORIENTATION_EXIF = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01"  # TIFF: one entry, 0x0112, SHORT


def without_metadata(data: bytes, *, orientation: int = 1) -> bytes | None:
    """A JPEG or PNG with nothing but its picture; None for other formats and for a structure that is not understood.

    orientation  1..8; other than 1, a JPEG gets an EXIF segment that says this and nothing else
    """
    if data.startswith(b"\xff\xd8"):
        pieces = _jpeg_pieces(data)
        return None if pieces is None else b"".join([b"\xff\xd8", _orientation(orientation), *pieces])
    if data.startswith(PNG_SIGNATURE):
        chunks = _png_pieces(data)
        return None if chunks is None else b"".join([PNG_SIGNATURE, *chunks])
    return None


def _orientation(value: int) -> bytes:
    if not 2 <= value <= 8:
        return b""
    body = _ORIENTATION_EXIF + struct.pack(">HHI", value, 0, 0)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _jpeg_pieces(data: bytes) -> list[bytes] | None:
    pieces = []
    try:
        for marker, piece in _segments(data):
            if not _describes(marker, piece):
                pieces.append(piece)
    except (ValueError, struct.error, IndexError):
        return None
    return pieces


def _describes(marker: int, piece: bytes) -> bool:
    if marker == COM:
        return True
    if not APP0 <= marker <= APP15 or marker in (APP0, APP14):  # JFIF and Adobe say how the colours are meant
        return False
    return not (marker == APP2 and piece[4:].startswith(ICC))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each segment behind SOI with its marker, a scan with its entropy-coded data, up to and with EOI."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("a marker is wanted")
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        end = at + 2
        if marker not in STANDALONE and marker not in (SOI, EOI):
            length = struct.unpack_from(">H", data, end)[0]
            end += length
            if length < 2 or end > len(data):
                raise ValueError("a segment beyond the data")
        if marker == SOS:
            match = _SCAN_END.search(data, end)
            if match is None:
                raise ValueError("no end")
            end = match.start()
        yield marker, data[at:end]
        if marker == EOI:
            return
        at = end


def _png_pieces(data: bytes) -> list[bytes] | None:
    pieces, at = [], len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            return None
        if name not in PNG_DESCRIBING:
            pieces.append(data[at:end])
        if name == b"IEND":
            return pieces if length == 0 and struct.unpack_from(">I", data, end - 4)[0] == zlib.crc32(b"IEND") else None
        at = end
    return None

"""How long a sound or a film plays, read from its own headers, for the page that shows it.

Rule 1: whatever octets come in, the answer is a length or None, never an exception. Rule 2: it decodes nothing and reads each octet at
most once. Formats that phones send: MP4 and 3GP (ISO 14496-12 8.2.2), AMR (RFC 4867 5), WAV.
"""

from __future__ import annotations

import struct

AMR_FRAME_MS = 20
AMR_OCTETS = (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1)  # with the frame's header, by its type (RFC 4867 table 1)
MAX_BOXES = 1000
MAX_MS = 3_600_000  # more than an hour is a broken header, not a message


def milliseconds(data: bytes) -> int | None:
    """The length in milliseconds, 1 or more; None when it is not told."""
    if data[4:8] == b"ftyp":
        found = _of_mp4(data)
    elif data.startswith(b"#!AMR\n"):
        found = _of_amr(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        found = _of_wav(data)
    else:
        found = None
    return found if found is not None and 0 < found <= MAX_MS else None


def _of_mp4(data: bytes) -> int | None:
    movie = _box(data, b"moov", 0, len(data))
    header = _box(data, b"mvhd", *movie) if movie else None
    if header is None:
        return None
    start, stop = header
    layout = ">20xIQ" if data[start : start + 1] == b"\x01" else ">12xII"
    if stop - start < struct.calcsize(layout):
        return None
    scale, duration = struct.unpack_from(layout, data, start)
    return int(duration) * 1000 // int(scale) if scale else None


def _box(data: bytes, wanted: bytes, start: int, stop: int) -> tuple[int, int] | None:
    """Where the content of the first box of that name begins and ends."""
    for _ in range(MAX_BOXES):
        if stop - start < 8:
            return None
        size, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and stop - start >= 16:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        end = stop if size == 0 else min(start + size, stop)
        if size and size < head:
            return None
        if name == wanted:
            return start + head, end
        start = end
    return None


def _of_amr(data: bytes) -> int:
    at, frames = 6, 0
    while at < len(data) and frames <= MAX_MS // AMR_FRAME_MS:
        at += AMR_OCTETS[data[at] >> 3 & 0xF]
        frames += 1
    return frames * AMR_FRAME_MS


def _of_wav(data: bytes) -> int | None:
    if len(data) < 44 or data[12:16] != b"fmt ":
        return None
    per_second = struct.unpack_from("<I", data, 28)[0]
    return (len(data) - 44) * 1000 // per_second if per_second else None

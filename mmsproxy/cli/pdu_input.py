"""What a file holds: octets as they are, hex in any of its usual dresses, a captured HTTP message, or lines of a modem's log.

Rule 1: nothing is told by a file's name. Rule 2: a file that is none of these is taken as octets, and the codec says what is wrong
with it. Rule 3: what people paste is forgiven its separators, prompts and columns, never a missing digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mmsproxy.errors import PduError
from mmsproxy.wire.sms_pdu import Direction

MAX_FILE: Final = 16 * 1024 * 1024  # octets; a PDU has at most 2 MiB, its hex dump with offsets and text about 9


@dataclass(frozen=True, slots=True)
class Found:
    """Octets, and how they stood in the file.

    form       octets, hex, dump, http or log
    length     of a line behind `+CMGR:` and the like: what was told there, the TPDU's octets without the service centre
    direction  of such a line
    """

    form: str
    octets: bytes
    length: int | None = None
    direction: Direction = Direction.MT


_TEXT_OCTETS: Final = bytes({7, 8, 9, 10, 12, 13, 27, *range(0x20, 0x7F)})
_HEX_MARK = re.compile(r"(?<![0-9A-Za-z])0[xX]|\\x")
_SEPARATORS = re.compile(r"[\s:;,._'\"{}()\[\]<>=-]+")
_HEX = re.compile(r"[0-9A-Fa-f]+")
# xxd, hexdump -C, od -Ax -tx1, Wireshark: an offset, groups of hex, perhaps the characters behind two blanks or a bar
_DUMP = re.compile(r"\s*(?:0[xX])?([0-9A-Fa-f]{4,16}):?[ \t]+(?=[0-9A-Fa-f]{2})")
_GROUP = "(?:[0-9A-Fa-f]{2}){1,4}"
_GROUPS = re.compile(rf"{_GROUP}(?: {_GROUP})*(?=$|[ \t|])")
_HALF: Final = 8  # octets, after which some dumps leave a wider gap
_DUMP_END = re.compile(r"\s*[0-9A-Fa-f]{4,16}\s*")
_HTTP = re.compile(rb"(?:HTTP/1\.[01] \d{3}|[A-Z]{3,10} \S{1,2000} HTTP/1\.[01])[^\r\n]*\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r?\n")
_LISTED = re.compile(r"(?:\+(CMGR|CMGL|CMT|CDS|CMGW)\s*:|AT\+(CMG[SW])\s*=)\s*([^\r\n]*)", re.IGNORECASE)
_PDU_LINE = re.compile(r"(?<![0-9A-Za-z])((?:[0-9A-Fa-f]{2}){8,})(?![0-9A-Za-z])")
_STORED_OUT: Final = ("2", "3")  # <stat> of a message to send, 3GPP TS 27.005 3.1


def unwrap(data: bytes) -> tuple[Found, ...]:
    """What stands in a file: one find, or one for each message of a log. Raises PduError `not-hex` for hex with half an octet."""
    if _HTTP.match(data):
        return (Found("http", _http_body(data)),)
    text = _as_text(data)
    if text is None:
        return (Found("octets", data),)
    listed = tuple(_listed(text))
    if listed:
        return listed
    dumped = _dump(text)
    if dumped is not None:
        return (Found("dump", dumped),)
    octets = _hex(text)
    return (Found("octets", data),) if octets is None else (Found("hex", octets),)


def _as_text(data: bytes) -> str | None:
    """ASCII text; None for anything else."""
    bare = data.removeprefix(b"\xef\xbb\xbf")
    return None if not bare.strip() or bare.translate(None, _TEXT_OCTETS) else bare.decode("ascii")


def _hex(text: str) -> bytes | None:
    digits = _SEPARATORS.sub("", _HEX_MARK.sub(" ", text))
    if not _HEX.fullmatch(digits):
        return None
    if len(digits) % 2:
        raise PduError("not-hex", offset=len(digits) // 2, detail=f"an odd number of hex digits ({len(digits)})")
    return bytes.fromhex(digits)


def _dump(text: str) -> bytes | None:
    """The octets of a hex dump, whose offsets must follow from each other; None if it is none."""
    octets = bytearray()
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines:
        row = _DUMP.match(line)
        if row is None or int(row[1], 16) != len(octets):
            closing = line is lines[-1] and _DUMP_END.fullmatch(line)
            return bytes(octets) if closing and octets and int(line, 16) == len(octets) else None
        octets += _row(line[row.end() :].rstrip())
    return bytes(octets) or None


def _row(line: str) -> bytes:
    groups = _GROUPS.match(line)
    if groups is None:
        return b""
    octets = bytes.fromhex(groups[0])
    rest = line[groups.end() :]
    half = _GROUPS.match(rest, 2) if len(octets) == _HALF and rest[:2] == "  " else None
    return octets if half is None else octets + bytes.fromhex(half[0])


def _http_body(data: bytes) -> bytes:
    """What stands behind the head of a captured HTTP message, chunks joined."""
    found = re.search(rb"\r?\n\r?\n", data)
    if found is None:
        return b""
    head, body = data[: found.start()].lower(), data[found.end() :]
    if re.search(rb"\ntransfer-encoding:[^\r\n]*chunked", head):
        return b"".join(_chunks(body))
    length = re.search(rb"\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r|$|\n)", head)
    return body[: int(length[1])] if length else body


def _chunks(body: bytes) -> Iterator[bytes]:
    at = 0
    while (size := _CHUNK.match(body, at)) and int(size[1], 16):
        stop = size.end() + int(size[1], 16)
        yield body[size.end() : stop]
        at = stop + (2 if body[stop : stop + 2] == b"\r\n" else 1)


def _listed(text: str) -> Iterator[Found]:
    """The messages of a modem's log: each line `+CMGR: ...,LENGTH` (or a command AT+CMGS=LENGTH), with the hex that follows it."""
    text = text.replace("\\r", "\r").replace("\\n", "\n")
    heads = list(_LISTED.finditer(text))
    stops = [head.start() for head in heads[1:]] + [len(text)]
    for head, stop in zip(heads, stops, strict=False):
        length = re.search(r"(\d{1,3})\W*$", head[3])
        line = _PDU_LINE.search(text, head.end(), stop)
        if length and line:
            yield Found("log", bytes.fromhex(line[1]), int(length[1]), _direction(head))


def _direction(head: re.Match[str]) -> Direction:
    if head[2]:
        return Direction.MO
    fields = [field.strip() for field in head[3].split(",")]
    stat = {"CMGR": fields[:1], "CMGL": fields[1:2]}.get(head[1].upper(), [])
    return Direction.MO if stat and stat[0] in _STORED_OUT else Direction.MT

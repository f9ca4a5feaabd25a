"""Parts into files: names made safe, nothing overwritten.

Rule 1: a PDU names no path. Of the name it gives, the last component is kept, of that only letters, digits, `.`, `_`, `-` and blanks,
without a leading dot; the place is always the directory that was asked for. Rule 2: a file that is there stays: the new one gets a
number. A link is a file that is there. Rule 3: the octets are those of the part, its transfer encoding undone where that is possible.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.mms_pdu import Part, Pdu

MAX_NAME: Final = 100  # characters; at most 4 octets each, where file systems allow 255
_UNSAFE = re.compile(r"[^\w. -]+")
_DOTS = re.compile(r"\.{2,}")
# Device names of Windows: a part saved here may be copied there.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
SUFFIXES: Final = {
    "application/smil": ".smil",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/x-vcard": ".vcf",
    "text/x-vcalendar": ".vcs",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/png": ".png",
    "image/vnd.wap.wbmp": ".wbmp",
    "audio/amr": ".amr",
    "audio/midi": ".mid",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "video/3gpp": ".3gp",
    "video/mp4": ".mp4",
    "application/vnd.wap.mms-message": ".mms",
}


def safe_name(part: Part, number: int) -> str:
    """A file name without any directory: from the part's name, its Content-Location or its Content-ID, else `part-1`."""
    disposition = part.content_disposition
    given = disposition.get("filename") if disposition else None
    wanted = part.content_type.name or (given if isinstance(given, str) else None) or part.content_location or part.cid or ""
    last = re.split(r"[/\\:]", wanted)[-1]
    name = _DOTS.sub(".", _UNSAFE.sub("_", last)).strip(" .-")[-MAX_NAME:].strip(" .-")
    if not name or _DEVICES.match(name):
        name = f"part-{number}{'-' + name if name else ''}"
    suffix = SUFFIXES.get(part.content_type.media.lower(), "")
    return name if "." in name else name + suffix


def octets_of(part: Part) -> bytes:
    """The part's octets, decoded from its transfer encoding if they are in it."""
    try:
        return mms_pdu.content(part)
    except PduError:
        return bytes(part.data)


def save(directory: Path, name: str, octets: bytes) -> Path:
    """Writes a new file and tells its path; a name that is taken gets a number. Raises OSError."""
    stem, dot, suffix = name.rpartition(".")
    number = 1
    path = directory / name
    while True:
        try:
            with path.open("xb") as file:
                file.write(octets)
        except FileExistsError:
            number += 1
            path = directory / (f"{stem}-{number}.{suffix}" if dot else f"{name}-{number}")
        else:
            return path


def save_parts(pdu: Pdu, shown: dict[str, Any], directory: Path) -> None:
    """Saves every leaf; `saved` in the JSON form of each tells where. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    holders = [shown["body"]] if "body" in shown else list(_leaves(shown))
    leaves = [part for part in pdu.walk() if part.parts is None]
    for number, (part, holder) in enumerate(zip(leaves, holders, strict=True), 1):
        holder["saved"] = str(save(directory, safe_name(part, number), octets_of(part)))


def _leaves(shown: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in shown.get("parts", ()):
        found += _leaves(part) if "parts" in part else [part]
    return found

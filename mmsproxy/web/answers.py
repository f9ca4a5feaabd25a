"""The forms of answers: JSON, and a file that no browser will ever show as a page of ours.

Rule 1: a file leaves as an attachment under a name that we made, in a sandbox, and as octets unless its type can do no harm: pictures,
sound and plain text yes, SVG, HTML, SMIL and scripts never (delivery.md 8). It knows no message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

OCTETS = "application/octet-stream"
EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/heic": ".heic",
    "audio/amr": ".amr",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/3gpp": ".3gp",
    "video/mp4": ".mp4",
    "video/3gpp": ".3gp",
    "video/3gpp2": ".3g2",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "text/plain": ".txt",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/calendar": ".ics",
    "text/x-vcalendar": ".vcs",
    "application/pdf": ".pdf",
    "application/vnd.wap.mms-message": ".mms",
}  # what can do no harm, with the extension that it is saved under
SANDBOX = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]")


Json = dict[str, Any]  # an object of JSON: what answers are made of


def as_json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=json_octets(document), content_type="application/json", headers=headers)


def json_octets(document: Any) -> bytes:
    """UTF-8, each lone surrogate as a question mark."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def attachment(data: bytes, content_type: str, name: str) -> web.Response:
    """`name` without extension, made by us. `content_type` is what the file was found to be."""
    media = content_type.partition(";")[0].strip().lower()
    shown = media if media in EXTENSIONS else OCTETS
    saved_as = _NOT_A_NAME.sub("_", name) + EXTENSIONS.get(media, ".bin")
    headers = {**SANDBOX, "Content-Disposition": f'attachment; filename="{saved_as}"'}
    return web.Response(body=data, content_type=shown, headers=headers)

"""multipart/form-data (RFC 7578): the part `message` is the JSON, every other part is a file.

Rule 1: the whole body was read within the door's limits before; here only the number of parts and their heads are limited. Rule 2: a
file's type and name are taken as claims. It knows no message.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message

from aiohttp import BodyPartReader, MultipartReader, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError

from mmsproxy.message.model import MAX_MEDIA, Mistake
from mmsproxy.web.problems import Refusal

MESSAGE = "message"
MAX_FIELD = 4096  # octets of one header field of a part
MAX_FIELDS = 16
LOW_WATER = 65_536  # octets


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it came. `content_type` and `filename` are what the sender says."""

    name: str
    data: bytes
    content_type: str | None
    filename: str | None

    @property
    def claims(self) -> dict[str, bytes | str | None]:
        """As a media item of the request."""
        return {"data": self.data, "content_type": self.content_type, "filename": self.filename}


@dataclass(frozen=True, slots=True)
class Form:
    """`digest`: SHA-256 of what the parts hold, the same whatever boundary a client made up."""

    message: bytes
    files: tuple[Upload, ...]

    @property
    def digest(self) -> str:
        found = hashlib.sha256(hashlib.sha256(self.message).digest())
        for file in self.files:
            claims = "\0".join((file.name, file.content_type or "", file.filename or ""))
            found.update(hashlib.sha256(claims.encode("utf-8", "surrogateescape")).digest() + hashlib.sha256(file.data).digest())
        return found.hexdigest()


async def read_form(headers: Mapping[str, str], body: bytes) -> Form:
    """Raises Refusal (invalid_request) for anything that is no form with exactly one `message`."""
    try:
        parts = await _parts(headers, body)
    except (ValueError, HttpProcessingError, AssertionError, RuntimeError, LookupError) as error:
        raise _wrong("bad_form", f"the form cannot be read: {_line(error)}") from None
    messages = [part for part in parts if part.name == MESSAGE]
    if len(messages) != 1:
        raise _wrong("bad_form", f"a form has one part named {MESSAGE!r} with the JSON, and files; there are {len(messages)} such parts")
    return Form(messages[0].data, tuple(part for part in parts if part.name != MESSAGE))


async def _parts(headers: Mapping[str, str], body: bytes) -> Sequence[Upload]:
    _check_begin(headers, body)
    limit = max(LOW_WATER, len(body))  # all of it is here: nobody can be told to pause
    content = StreamReader(BaseProtocol(asyncio.get_running_loop()), limit)
    content.feed_data(body)
    content.feed_eof()
    reader = MultipartReader(headers, content, max_field_size=MAX_FIELD, max_headers=MAX_FIELDS)
    found: list[Upload] = []
    async for part in reader:
        if not isinstance(part, BodyPartReader):
            raise ValueError("a part is a multipart itself")
        if len(found) > MAX_MEDIA:
            raise ValueError(f"more than {MAX_MEDIA} files")
        found.append(await _upload(part))
    if not reader.at_eof():
        raise ValueError("it ends before its last boundary")
    return found


def _check_begin(headers: Mapping[str, str], body: bytes) -> None:
    """No preamble: nobody writes one in a form, and aiohttp looks at it line by line (8 million empty lines took 6 s)."""
    head = Message()
    head["Content-Type"] = headers.get("Content-Type", "")
    boundary = head.get_boundary()
    if boundary is None or not body.startswith(b"--" + boundary.encode("utf-8", "replace")):
        raise ValueError("it does not begin with the boundary that its Content-Type names")


async def _upload(part: BodyPartReader) -> Upload:
    if part.headers.get("Content-Transfer-Encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise ValueError("Content-Transfer-Encoding is not taken (RFC 7578 4.7)")
    if not part.name:
        raise ValueError("a part has no name")
    data = await part.read()
    return Upload(part.name, bytes(data), part.headers.get("Content-Type"), part.filename or None)


def _wrong(code: str, detail: str) -> Refusal:
    return Refusal("invalid_request", detail, (Mistake("", code, detail),))


def _line(error: Exception) -> str:
    return ascii(" ".join(str(error).split())[:200])[1:-1] or type(error).__name__

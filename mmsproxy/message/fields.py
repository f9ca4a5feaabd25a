"""The values that a request may have, each with its check and its JSON schema.

Rule 1: a value is refused or taken as it is, never repaired: a number with a stray CR/LF is an attack or a bug, not a number.
Rule 2: what is told of a wrong value is one short line of printable ASCII, whatever the value was.
Rule 3: the schema says what the check does, so that a document made from the schema passes the check.
This module knows single values. What fits together is model.py's matter, what is allowed (short codes, caps) the post office's.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_RECIPIENTS = 100  # numbers in one request; how many one MMS may have, the carrier's preset and limits.recipients say
MAX_SUBJECT = 80  # characters; Canadian carriers refuse more (delivery.md 7)
MAX_MEDIA = 20  # files of one message
MAX_URL = 2048  # characters
MAX_FILENAME = 255  # characters
MAX_SMIL = 32_768  # characters
MAX_TAG = 64  # characters
MAX_METADATA = 20  # pairs (delivery.md 6)
MAX_METADATA_TEXT = 512  # characters of a key or a value (delivery.md 6)
MAX_VALID_FOR = 604_800  # seconds: 7 days (delivery.md 4)
MAX_SHOWN = 40  # characters of a wrong value that a message repeats

# E.164 with or without the plus, or a short code: whether one is allowed is for limits.numbers to say (delivery.md 9).
_NUMBER = re.compile(r"\+?[0-9]{7,15}|[0-9]{3,6}")
_LINE = re.compile(r"[A-Za-z0-9_-]{1,40}|\+[0-9]{7,15}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)  # RFC 3339 date-time
_URL = re.compile(r"[!-~]+")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}(\s*;[ -~]{0,128})?")
_XML_DECLARATION = re.compile(r"\s*<\?xml version=(['\"])1\.0\1( encoding=(['\"])(UTF|utf)-8\3)?\s*\?>")


def shown(value: str) -> str:
    """A wrong value for a message: printable ASCII, on one line, and short."""
    text = ascii(value[: MAX_SHOWN + 1])
    return text if len(value) <= MAX_SHOWN else f"{text[: MAX_SHOWN + 1]}...{text[0]}"


def _too_long(what: str, count: int, limit: int) -> PydanticCustomError:
    context = {"what": what, "count": count, "limit": limit}
    return PydanticCustomError("too_long", "{what} has {count} characters; {limit} at most are taken", context)


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise PydanticCustomError("wrong_type", "a number or a list of numbers is wanted, for example +12025550123 in quotes")
    if not value:
        raise PydanticCustomError("no_recipient", "name at least one number")
    if len(value) > MAX_RECIPIENTS:
        raise PydanticCustomError(
            "too_many_recipients",
            "{count} numbers; one request takes {limit} at most, send further ones in another request",
            {"count": len(value), "limit": MAX_RECIPIENTS},
        )
    return tuple(value)


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise PydanticCustomError(
            "invalid_number",
            "{shown} is no telephone number; write 7 to 15 digits with + and the country code first, for example +12025550123",
            {"shown": shown(value)},
        )
    return value


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("invalid_character", "a NUL character, which phones and databases cut text at; leave it out")
    return value


def _text(value: str) -> str:
    if not value:
        raise PydanticCustomError("empty", "the text is empty; a message needs at least one character, or leave the field out")
    return _no_nul(value)


def _one_line(what: str, limit: int, value: str) -> str:
    if not value:
        raise PydanticCustomError("empty", "{what} is empty; leave the field out instead", {"what": what})
    if _CONTROLS.search(value):
        raise PydanticCustomError("invalid_character", "{what} is one line without control characters", {"what": what})
    if len(value) > limit:
        raise _too_long(what, len(value), limit)
    return value


def _subject(value: str) -> str:
    return _one_line("a subject", MAX_SUBJECT, value)


def _tag(value: str) -> str:
    return _one_line("a tag", MAX_TAG, value)


def _filename(value: str) -> str:
    return _one_line("a file name", MAX_FILENAME, value)


def _line(value: str) -> str:
    if not _LINE.fullmatch(value):
        raise PydanticCustomError(
            "invalid_line", "{shown} cannot be a line; write its name or own number as config.yaml has it", {"shown": shown(value)}
        )
    return value


def _media_type(value: str) -> str:
    if not _MEDIA_TYPE.fullmatch(value):
        raise PydanticCustomError("invalid_content_type", "{shown} is no media type such as image/jpeg", {"shown": shown(value)})
    return value


def _url(value: str) -> str:
    if len(value) > MAX_URL:
        raise _too_long("a URL", len(value), MAX_URL)
    reason = _wrong_url(value)
    if reason:
        raise PydanticCustomError("invalid_url", "{shown} {reason}", {"shown": shown(value), "reason": reason})
    return value


def _wrong_url(value: str) -> str:
    """What is wrong, or "". A user and a password in a URL would end up in logs, so they are refused."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "is no URL"
    if not _URL.fullmatch(value) or parts.scheme.lower() not in ("http", "https") or not parts.hostname or port == 0:
        return "is no URL with http:// or https:// and a host"
    if "@" in parts.netloc or "\\" in value:
        return "has a user, a password or a backslash; a URL without them is wanted"
    return ""


def _base64(value: Any) -> Any:
    """Octets as they are (a file that was uploaded), or a string of base64 (RFC 4648 4) without line breaks."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError(
            "bad_base64", "not base64 with the alphabet A-Z a-z 0-9 + /, padded with = and without line breaks or a data: prefix"
        ) from None


def _some_octets(value: bytes) -> bytes:
    if not value:
        raise PydanticCustomError("empty", "the file is empty")
    return value


def _moment(value: Any) -> Any:
    """An RFC 3339 date-time as an aware datetime; its future is the clerk's to check, who has a clock."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    raise PydanticCustomError("invalid_time", "write a date and time with its zone, for example 2026-11-22T18:50:00Z")


def _whole(value: Any) -> Any:
    """60.0 is the whole number 60 (JSON Schema 2020-12, 4.2.3)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _smil(value: str) -> str:
    if len(value) > MAX_SMIL:
        raise _too_long("the SMIL", len(value), MAX_SMIL)
    reason = _wrong_smil(value)
    if reason:
        raise PydanticCustomError("invalid_smil", "{reason}", {"reason": reason})
    return value


def _wrong_smil(value: str) -> str:
    """What is wrong, or "". With no `<!` there are no entities to expand, so the parser reads in time linear in the text."""
    declaration = _XML_DECLARATION.match(value)
    body = value[declaration.end() :] if declaration else value
    if "<!" in body or "<?" in body:
        return "DOCTYPE, ENTITY, CDATA, comments and processing instructions may not stand in a SMIL"
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError) as error:
        return f"not well-formed XML: {shown(str(error))}"
    if root.tag.rpartition("}")[2] != "smil":
        return "the outermost element must be <smil>"
    sources = [node.get("src") for node in root.iter() if node.get("src") is not None]
    if not sources:
        return "no part is named by a src attribute"
    return "" if len(set(sources)) == len(sources) else "a part is named more than once; each stands in a SMIL exactly once"


def _metadata(value: dict[str, str]) -> dict[str, str]:
    if len(value) > MAX_METADATA:
        context = {"count": len(value), "limit": MAX_METADATA}
        raise PydanticCustomError("too_many", "{count} pairs; {limit} at most are kept", context)
    return value


def _metadata_text(value: str) -> str:
    if len(value) > MAX_METADATA_TEXT:
        raise _too_long("the text", len(value), MAX_METADATA_TEXT)
    return _no_nul(value)


def _metadata_key(value: str) -> str:
    if not value:
        raise PydanticCustomError("empty", "a key needs at least one character")
    return _metadata_text(value)


_NO_CONTROLS = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]+$"
_NUMBER_SCHEMA = {"type": "string", "pattern": "^(\\+?[0-9]{7,15}|[0-9]{3,6})$", "examples": ["+12025550123"]}
_URL_SCHEMA = {
    "type": "string",
    "format": "uri",
    "maxLength": MAX_URL,
    "pattern": "^https?://[A-Za-z0-9.-]+(:[1-9][0-9]{0,3})?(/[!-?A-Z_a-z~]*)?$",
}


def _line_schema(limit: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": limit, "pattern": _NO_CONTROLS})


Number = Annotated[str, AfterValidator(_number), WithJsonSchema(_NUMBER_SCHEMA)]
Numbers = Annotated[
    tuple[Number, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_NUMBER_SCHEMA, {"type": "array", "items": _NUMBER_SCHEMA, "minItems": 1, "maxItems": MAX_RECIPIENTS}]}),
]
MessageText = Annotated[str, AfterValidator(_text), WithJsonSchema({"type": "string", "minLength": 1, "pattern": "^[^\\u0000]+$"})]
Subject = Annotated[str, AfterValidator(_subject), _line_schema(MAX_SUBJECT)]
Tag = Annotated[str, AfterValidator(_tag), _line_schema(MAX_TAG)]
Filename = Annotated[str, AfterValidator(_filename), _line_schema(MAX_FILENAME)]
LineName = Annotated[
    str,
    AfterValidator(_line),
    WithJsonSchema({"type": "string", "pattern": "^([A-Za-z0-9_-]{1,40}|\\+[0-9]{7,15})$", "examples": ["mint"]}),
]
MediaType = Annotated[
    str,
    AfterValidator(_media_type),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}$", "examples": ["image/jpeg"]}),
]
Url = Annotated[str, AfterValidator(_url), WithJsonSchema(_URL_SCHEMA)]
Octets = Annotated[
    bytes,
    BeforeValidator(_base64),
    AfterValidator(_some_octets),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "minLength": 4,
            "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$",
        }
    ),
]
Seconds = Annotated[int, Field(ge=1, le=MAX_VALID_FOR), BeforeValidator(_whole)]
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Smil = Annotated[str, AfterValidator(_smil), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_SMIL})]
Metadata = Annotated[
    dict[Annotated[str, AfterValidator(_metadata_key)], Annotated[str, AfterValidator(_metadata_text)]],
    AfterValidator(_metadata),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_METADATA,
            "propertyNames": {"minLength": 1, "maxLength": MAX_METADATA_TEXT, "pattern": "^[^\\u0000]+$"},
            "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_TEXT, "pattern": "^[^\\u0000]*$"},
        }
    ),
]

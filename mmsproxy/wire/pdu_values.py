"""Values of headers as JSON, and in words: the half of the JSON form (docs/codec.md) that `decode` writes.

Rule 1: the form of a value follows from its Python type alone, so that equal values have equal JSON. Rule 2: words for people stand
beside a value (`means`), never in it. Rule 3: no clock: times are shown as moments in UTC or as spans, never as "ago".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final

from mmsproxy.pdu_schema import HEADER_BY_NUMBER
from mmsproxy.wap_numbers import APPLICATION_ID_PREFIX, APPLICATION_IDS, CHARSET_NAMES, FromToken, label
from mmsproxy.wsp.choices import version_name
from mmsproxy.wsp.values import (
    Absolute,
    Address,
    ContentType,
    Counted,
    Disposition,
    ElementDescriptor,
    MboxTotal,
    MmFlags,
    Parameter,
    Relative,
    Text,
)

Json = Any  # what json.dumps takes

VERSION: Final = 0x8D  # X-Mms-MMS-Version
DATE: Final = 0x85
ATTRIBUTES: Final = 0xA8
APPLICATION_ID: Final = 0xAF  # of a part or push
INSERT_ADDRESS: Final = "insert_address"


def value_json(value: Any) -> Json:
    """The JSON form of any value the codec reads."""
    if value is FromToken.INSERT_ADDRESS:
        return {INSERT_ADDRESS: True}
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (bytes, memoryview)):
        return {"hex": bytes(value).hex()}
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    raise AssertionError(f"no JSON form for {type(value).__name__}")


def _text(value: Text) -> Json:
    return value.text if value.charset is None else {"text": value.text, "charset": value.charset}


def _parameters(value: ContentType | Disposition | ElementDescriptor) -> list[Json]:
    return [_parameter(parameter) for parameter in value.parameters]


def _parameter(parameter: Parameter) -> Json:
    number = {} if parameter.number is None else {"number": parameter.number}
    return {"name": parameter.name, "value": value_json(parameter.value)} | number


_FORMS: Final[tuple[tuple[type, Callable[[Any], Json]], ...]] = (
    (Text, _text),
    (Absolute, lambda value: {"absolute": value.seconds}),
    (Relative, lambda value: {"relative": value.seconds}),
    (Counted, lambda value: {"count": value.count, "value": value_json(value.value)}),
    (MmFlags, lambda value: {"token": int(value.token), "keyword": value_json(value.keyword)}),
    (MboxTotal, lambda value: {"token": int(value.token), "amount": value.amount}),
    (ContentType, lambda value: {"media": value.media, "parameters": _parameters(value)}),
    (Disposition, lambda value: {"disposition": value.kind, "parameters": _parameters(value)}),
    (ElementDescriptor, lambda value: {"reference": value.reference, "parameters": _parameters(value)}),
)


def header_json(key: int | str, value: Any) -> Json:
    """As `value_json`; a version is shown as `1.2`."""
    return version_name(value) if key == VERSION and isinstance(value, int) else value_json(value)


def meaning(key: int | str, value: Any, *, part: bool = False) -> str | None:
    """What a value says, in words, where its JSON form does not: None for most. `part`: the header stands in a part or a push."""
    if isinstance(value, Counted):
        return meaning(key, value.value, part=part)
    if isinstance(value, IntEnum):
        return label(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _number(key, value, part)
    if isinstance(value, Absolute):
        return moment(value.seconds)
    if isinstance(value, Relative):
        return span(value.seconds)
    if isinstance(value, (MmFlags, MboxTotal)):
        return label(value.token) if isinstance(value.token, IntEnum) else None
    return _words(value)


def _number(key: int | str, value: int, part: bool) -> str | None:
    if part:
        return APPLICATION_ID_PREFIX + APPLICATION_IDS[value] if key == APPLICATION_ID and value in APPLICATION_IDS else None
    if key == ATTRIBUTES:
        return HEADER_BY_NUMBER[value].name if value in HEADER_BY_NUMBER else None
    return moment(value) if key == DATE else None


def _words(value: Any) -> str | None:
    if isinstance(value, Text):
        charset = CHARSET_NAMES.get(value.charset or 0)
        return (
            ", ".join(filter(None, (value.kind.value if isinstance(value, Address) else None, charset if value.charset else None))) or None
        )
    if isinstance(value, ContentType) and value.charset is not None:
        return CHARSET_NAMES.get(value.charset)
    return None


def moment(seconds: int) -> str:
    """`2025-11-22 22:37:36 UTC`; a number no calendar has stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s since 1970"


def span(seconds: int) -> str:
    """`3 days, 0:00:00`."""
    try:
        return str(timedelta(seconds=seconds))
    except OverflowError:
        return f"{seconds} s"

"""Values of headers from JSON: the other half of `pdu_values`, by the grammar that the value will be written in.

Rule 1: every mistake is a FormError with the JSON pointer of the place (RFC 6901) and what is wanted there. Rule 2: what `decode --json`
prints is taken as it is; beside it, what people write by hand: names of enumerated values, `text/plain; charset=utf-8`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

from mmsproxy import pdu_schema as schema
from mmsproxy.wap_numbers import CHARSET_NUMBERS, PARAMETER_NUMBERS, FromToken, label
from mmsproxy.wire.pdu_values import INSERT_ADDRESS, Json
from mmsproxy.wsp import choices, encoded, integers, parameters, texts
from mmsproxy.wsp.leaf import Leaf
from mmsproxy.wsp.values import Absolute, ContentType, Disposition, ElementDescriptor, Parameter, ParameterValue, Relative


class FormError(Exception):
    """The JSON is not in the form of docs/codec.md. `str()` is one line: the pointer, then what is wrong."""

    def __init__(self, at: str, wrong: str) -> None:
        super().__init__(f"{at or 'the whole'}: {wrong}")


def refuse(at: str, wanted: str, shown: Json) -> NoReturn:
    """Raises the FormError `WANTED is wanted, not ...`."""
    told = "an object" if isinstance(shown, dict) else "an array" if isinstance(shown, list) else repr(shown)
    raise FormError(at, f"{wanted} is wanted, not {told if len(told) <= 60 else told[:57] + '...'}")


def member(shown: Json, name: str, at: str) -> Json:
    """The value of a key that must be there."""
    if not isinstance(shown, dict):
        refuse(at, "an object", shown)
    if name not in shown:
        raise FormError(at, f'the key "{name}" is missing')
    return shown[name]


def array(shown: Json, at: str) -> list[Json]:
    """An array."""
    return shown if isinstance(shown, list) else refuse(at, "an array", shown)


def text(shown: Json, at: str) -> str:
    """A string."""
    return shown if isinstance(shown, str) else refuse(at, "a string", shown)


def number(shown: Json, at: str) -> int:
    """A whole number from 0."""
    if isinstance(shown, bool) or not isinstance(shown, int) or shown < 0:
        refuse(at, "a number from 0", shown)
    return shown


def hex_octets(shown: Json, at: str) -> bytes:
    """A string of hex digits."""
    try:
        return bytes.fromhex(text(shown, at))
    except ValueError:
        refuse(at, "hex digits, two for an octet,", shown)


def value_of(leaf: Leaf, shown: Json, at: str) -> Any:
    """What the grammar writes. Octets (`{"hex": ...}`) stay octets, whatever the grammar. Raises FormError."""
    if isinstance(shown, dict) and set(shown) == {"hex"}:
        return hex_octets(shown["hex"], f"{at}/hex")
    for kind, read in _READERS:
        if isinstance(leaf, kind):
            return read(leaf, shown, at)
    return refuse(at, '{"hex": ...}', shown)


def _assigned(leaf: choices.Assigned, shown: Json, at: str) -> Any:
    if isinstance(shown, str):
        for one in leaf.values:
            if shown.lower() in (label(one), one.name.lower()):
                return one
        refuse(at, "a number or one of " + ", ".join(map(label, leaf.values)), shown)
    octet = number(shown, at)
    return leaf.values(octet) if octet in list(leaf.values) else octet


def _boolean(leaf: choices.Boolean, shown: Json, at: str) -> bool | int:
    return shown if isinstance(shown, bool) else number(shown, at)


_VERSION = re.compile(r"([1-7])(?:\.(\d|1[0-4]))?", re.ASCII)


def _version(leaf: choices.VersionValue, shown: Json, at: str) -> int:
    if not isinstance(shown, str):
        return number(shown, at)
    found = _VERSION.fullmatch(shown)
    if found is None:
        refuse(at, "a version such as 1.2", shown)
    return 0x80 | int(found[1]) << 4 | (15 if found[2] is None else int(found[2]))


def _encoded(leaf: encoded.EncodedString, shown: Json, at: str) -> Any:
    if isinstance(shown, str):
        return leaf.make(shown)
    words = text(member(shown, "text", at), f"{at}/text")
    return leaf.make(words, _charset(shown.get("charset"), f"{at}/charset"))


def _charset(shown: Json, at: str) -> int | None:
    if isinstance(shown, str):
        known = CHARSET_NUMBERS.get(shown.lower())
        return refuse(at, "a known charset", shown) if known is None else known
    return None if shown is None else number(shown, at)


def _from(leaf: schema.FromValue, shown: Json, at: str) -> Any:
    if isinstance(shown, dict) and INSERT_ADDRESS in shown:
        return FromToken.INSERT_ADDRESS
    return value_of(encoded.ADDRESS, shown, at)


def _time(leaf: schema.TimeValue, shown: Json, at: str) -> Absolute | Relative:
    if isinstance(shown, dict) and "absolute" in shown:
        return Absolute(number(shown["absolute"], f"{at}/absolute"))
    if isinstance(shown, dict) and "relative" in shown:
        return Relative(number(shown["relative"], f"{at}/relative"))
    return refuse(at, '{"absolute": seconds} or {"relative": seconds}', shown)


def _general(leaf: schema.General, shown: Json, at: str) -> Any:
    return leaf.make(*(value_of(inner, member(shown, name, at), f"{at}/{name}") for name, inner in leaf.fields.items()))


def _counted(leaf: schema.CountedOrPlain, shown: Json, at: str) -> Any:
    return value_of(leaf.counted if isinstance(shown, dict) and "count" in shown else leaf.plain, shown, at)


def _message_class(leaf: schema.MessageClassValue, shown: Json, at: str) -> Any:
    return shown if isinstance(shown, str) else _assigned(leaf.IDENTIFIER, shown, at)


def _number_or_text(leaf: Leaf, shown: Json, at: str) -> int | str:
    return shown if isinstance(shown, str) else number(shown, at)


def _integer(leaf: Leaf, shown: Json, at: str) -> int:
    return number(shown, at)


def _string(leaf: Leaf, shown: Json, at: str) -> str:
    return text(shown, at)


# --- values with parameters ------------------------------------------------------------------------------------------------------

_MEDIA_TEXT = re.compile(r"\s*([^\s;]+)\s*((?:;[^;]*)*)")
_PARAMETER_TEXT = re.compile(r'\s*([^\s=;"]+)\s*=\s*(?:"([^"]*)"|([^\s;"]*))\s*')


def _content_type(leaf: Leaf, shown: Json, at: str) -> ContentType:
    if isinstance(shown, str):
        return _from_text(shown, at)
    return ContentType(text(member(shown, "media", at), f"{at}/media"), _parameters(shown, at))


def _from_text(shown: str, at: str) -> ContentType:
    """`text/plain; charset=utf-8; name="a.txt"`: parameters by their well-known numbers where they have one."""
    found = _MEDIA_TEXT.fullmatch(shown)
    pieces = [piece for piece in found[2].split(";") if piece.strip()] if found else []
    rows = [_PARAMETER_TEXT.fullmatch(piece) for piece in pieces]
    if found is None or not all(rows):
        refuse(at, "a media type with its parameters", shown)
    return ContentType(found[1], tuple(_typed(row[1], row[2] if row[2] is not None else row[3], at) for row in rows if row))


def _typed(name: str, words: str, at: str) -> Parameter:
    known = PARAMETER_NUMBERS.get(name.lower())
    value: ParameterValue = words
    if name.lower() == "charset":
        value = int(words) if words.isascii() and words.isdigit() else _charset(words, at)
    elif known is not None and isinstance(parameters.PARAMETER_GRAMMARS[known], _INTEGERS) and words.isascii() and words.isdigit():
        value = int(words)
    return Parameter(name, value, known)


def _parameters(shown: dict[str, Json], at: str) -> tuple[Parameter, ...]:
    rows = array(shown.get("parameters", []), f"{at}/parameters")
    return tuple(_parameter(row, f"{at}/parameters/{index}") for index, row in enumerate(rows))


def _parameter(shown: Json, at: str) -> Parameter:
    name = text(member(shown, "name", at), f"{at}/name")
    value = member(shown, "value", at)
    if isinstance(value, dict):
        value = hex_octets(member(value, "hex", f"{at}/value"), f"{at}/value/hex")
    elif isinstance(value, (list, bool)):
        refuse(f"{at}/value", "a string, a number or null", value)
    known = shown.get("number")
    return Parameter(name, value, None if known is None else number(known, f"{at}/number"))


def _disposition(leaf: Leaf, shown: Json, at: str) -> Disposition:
    if isinstance(shown, str):
        return Disposition(shown)
    return Disposition(text(member(shown, "disposition", at), f"{at}/disposition"), _parameters(shown, at))


def _descriptor(leaf: Leaf, shown: Json, at: str) -> ElementDescriptor:
    return ElementDescriptor(text(member(shown, "reference", at), f"{at}/reference"), _parameters(shown, at))


_INTEGERS: Final = (integers.LongInteger, integers.IntegerValue, integers.ShortInteger)
_READERS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any, Json, str], Any]], ...]] = (
    (choices.Assigned, _assigned),
    (choices.Boolean, _boolean),
    (choices.VersionValue, _version),
    (encoded.EncodedString, _encoded),
    (schema.FromValue, _from),
    (schema.TimeValue, _time),
    (schema.General, _general),
    (schema.CountedOrPlain, _counted),
    (schema.MessageClassValue, _message_class),
    ((schema.HeaderName, choices.IntegerOr), _number_or_text),
    (_INTEGERS, _integer),
    ((texts.TextString, schema.Digest, choices.NamedOctet), _string),
    (parameters.ContentTypeValue, _content_type),
    (parameters.DispositionValue, _disposition),
    (parameters.ElementDescriptorValue, _descriptor),
)

"""MMS PDUs and WSP pushes from their JSON form (docs/codec.md).

Rule 1: headers are written in the order in which they stand in the JSON. Rule 2: the octets of a header are taken as they are while they
still say what its value says, so that what came from `decode --json` goes back as it was, and an edit of a value is an edit of that
header only. Rule 3: lengths and counts are never taken from the JSON, but for the way in which they were written. Rule 4: mistakes are
FormErrors; whether the result is a good PDU is for the decoder to say.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

from mmsproxy.cli.pdu_parse import FormError, array, hex_octets, member, number, refuse, text, value_of
from mmsproxy.errors import PduError
from mmsproxy.pdu_schema import HEADER_BY_NUMBER, HEADER_NUMBERS, PART_GRAMMARS, PDU_BY_NUMBER, PduDef
from mmsproxy.wap_numbers import WSP_HEADERS, MessageType
from mmsproxy.wire.pdu_values import Json, header_json
from mmsproxy.wire.pdu_view import text_codec
from mmsproxy.wsp.choices import OPAQUE
from mmsproxy.wsp.integers import UINTVAR
from mmsproxy.wsp.leaf import Leaf, Lenient, with_type_checked
from mmsproxy.wsp.parameters import CONTENT_TYPE
from mmsproxy.wsp.texts import TEXT_STRING, TOKEN_TEXT
from mmsproxy.wsp.values import ContentType

_MESSAGE_TYPE: Final = 0x8C
_PDU_CONTENT_TYPE: Final = 0x84
_PART_NUMBERS: Final = {name.lower(): 0x80 | octet for octet, name in WSP_HEADERS}
_UNREADABLE: Final = {"media": "application/octet-stream", "parameters": []}  # what the decoder makes of a broken one
_Grammar = Callable[[int], Leaf]


def mms_octets(shown: Json, at: str = "") -> bytes:
    """The PDU that an object of kind `mms-pdu` describes. Raises FormError."""
    headers = array(member(shown, "headers", at), f"{at}/headers")
    message_type = _type_of(shown, headers, at)
    out = bytearray()
    if not any(_names(item, _MESSAGE_TYPE, HEADER_NUMBERS) for item in headers):
        out += bytes((_MESSAGE_TYPE, message_type))
    row = PDU_BY_NUMBER.get(MessageType(message_type)) if message_type in list(MessageType) else None
    has_body = any(key in shown for key in ("body", "parts", "tail"))
    for index, item in enumerate(headers):
        last = index == len(headers) - 1 and not has_body
        out += _header(item, lambda key: _grammar(row, key), HEADER_NUMBERS, last, f"{at}/headers/{index}")
    return bytes(out) + _body(shown, headers, at)


def _type_of(shown: Json, headers: list[Json], at: str) -> int:
    for index, item in enumerate(headers):
        if _names(item, _MESSAGE_TYPE, HEADER_NUMBERS):
            where = f"{at}/headers/{index}/value"
            octet = value_of(HEADER_BY_NUMBER[_MESSAGE_TYPE].grammar, member(item, "value", f"{at}/headers/{index}"), where)
            return _octet(octet, where)
    if "type" not in shown:
        raise FormError(at, 'neither "type" nor a header X-Mms-Message-Type')
    name = text(shown["type"], f"{at}/type")
    octet = int(name, 16) if name[:2] == "0x" and len(name) == 4 else name
    return _octet(value_of(HEADER_BY_NUMBER[_MESSAGE_TYPE].grammar, octet, f"{at}/type"), f"{at}/type")


def _octet(value: Any, at: str) -> int:
    if isinstance(value, bytes) or not 0x80 <= value <= 0xFF:
        raise FormError(at, "a message type is an octet of 128 to 255")
    return int(value)


def _grammar(row: PduDef | None, key: int) -> Leaf:
    header = HEADER_BY_NUMBER.get(key)
    if header is None:
        return OPAQUE
    return row.grammar(header.attr) if row else header.grammar


# --- headers ---------------------------------------------------------------------------------------------------------------------


def _key(item: Json, numbers: dict[str, int], at: str) -> int:
    name = text(member(item, "name", at), f"{at}/name")
    given = item.get("number", name if name[:2].lower() == "0x" else None)
    if given is None:
        if name.lower() not in numbers:
            raise FormError(f"{at}/name", f'no header is called {name!r}; for a textual one say "textual": true')
        return numbers[name.lower()]
    try:
        key = int(given, 16) if isinstance(given, str) else number(given, f"{at}/number")
    except ValueError:
        refuse(f"{at}/number", "a header number such as 0x8C", given)
    if not 0x80 <= key <= 0xFF:
        raise FormError(f"{at}/number", "a header number is an octet of 0x80 to 0xFF")
    return key


def _names(item: Json, key: int, numbers: dict[str, int]) -> bool:
    """Whether a header is the one of this number; whatever is wrong with it is told when it is written."""
    try:
        return not item.get("textual") and item.get("name") != "" and _key(item, numbers, "") == key
    except (FormError, AttributeError):
        return False


def _header(item: Json, grammar: _Grammar, numbers: dict[str, int], last: bool, at: str) -> bytes:
    name = text(member(item, "name", at), f"{at}/name")
    given = hex_octets(item["octets"], f"{at}/octets") if "octets" in item else None
    if name == "":
        return (member(item, "octets", at) and given) or b""
    if item.get("textual"):
        return _textual(name, item, given, last, at)
    key = _key(item, numbers, at)
    if given is not None and given[:1] != bytes((key,)):
        raise FormError(f"{at}/octets", f"the octets do not start with the number of the header, {key:02X}")
    form = key if numbers is HEADER_NUMBERS else 0  # the numbers of a part's headers are others
    return bytes((key,)) + _value(grammar(key), form, item, None if given is None else given[1:], last, at)


def _value(leaf: Leaf, key: int, item: Json, given: bytes | None, last: bool, at: str) -> bytes:
    """The octets of a value: those given while they say the same, else new ones."""
    if given is not None and ("value" not in item or item["value"] == _said(leaf, key, given, last)):
        return given
    shown = member(item, "value", at)
    value = value_of(leaf, shown, f"{at}/value")
    return _written(OPAQUE if isinstance(value, bytes) else leaf, value, f"{at}/value")


def _said(leaf: Leaf, key: int, octets: bytes, last: bool) -> Json:
    """The JSON of the value that these octets are; a text without its NUL is none unless it is the last thing of all."""
    flaw = Lenient()
    try:
        value, stop = leaf.read(octets, 0, len(octets), flaw)
    except PduError:
        stop = -1
    if stop != len(octets):
        return _kept(octets, last)
    if not last and ["text-without-nul", 0] in (found[:2] for found in flaw.found):
        return None
    return header_json(key, value)


def _kept(octets: bytes, last: bool) -> Json:
    """As the skip rule keeps a value that breaks its grammar."""
    open_end = octets[:1] > b"\x1f" and octets[:1] < b"\x80" and octets[-1:] != b"\0"
    return None if open_end and not last else {"hex": octets.hex()}


def _written(leaf: Leaf, value: Any, at: str) -> bytes:
    out = bytearray()
    try:
        with_type_checked(leaf.write, value, out)
    except PduError as error:
        raise FormError(at, error.detail) from None
    return bytes(out)


def _textual(name: str, item: Json, given: bytes | None, last: bool, at: str) -> bytes:
    if given is not None and (last or given[-1:] == b"\0") and _textual_said(given) == (name, item.get("value", "")):
        return given
    value = text(member(item, "value", at), f"{at}/value")
    return _written(TOKEN_TEXT, name, f"{at}/name") + _written(TEXT_STRING, value, f"{at}/value")


def _textual_said(octets: bytes) -> tuple[str, str] | None:
    flaw = Lenient()
    try:
        name, stop = TOKEN_TEXT.read(octets, 0, len(octets), flaw)
        value, stop = TEXT_STRING.read(octets, stop, len(octets), flaw)
    except PduError:
        return None
    return (name, value) if stop == len(octets) else None


# --- bodies ----------------------------------------------------------------------------------------------------------------------


def _body(shown: Json, headers: list[Json], at: str) -> bytes:
    tail = hex_octets(member(shown["tail"], "hex", f"{at}/tail"), f"{at}/tail/hex") if "tail" in shown else b""
    there = [key for key in ("body", "parts") if key in shown]
    places = [index for index, item in enumerate(headers) if _names(item, _PDU_CONTENT_TYPE, HEADER_NUMBERS)]
    if places and places[0] != len(headers) - 1:
        raise FormError(f"{at}/headers/{places[0]}", "Content-Type is the last header")
    if not there:
        return tail
    if not places:
        raise FormError(f"{at}/{there[0]}", "there is no header Content-Type")
    content_type = _content_type(headers[-1], f"{at}/headers/{len(headers) - 1}")
    if content_type.is_multipart != ("parts" in shown) or len(there) == 2:
        raise FormError(f"{at}/{there[0]}", f"{content_type.media} has {'parts' if content_type.is_multipart else 'a body'}")
    return (_multipart(shown, at) if "parts" in shown else _data(shown["body"], content_type, f"{at}/body")) + tail


def _content_type(item: Json, at: str) -> ContentType:
    value = value_of(CONTENT_TYPE, member(item, "value", at), f"{at}/value")
    if isinstance(value, bytes):
        refuse(f"{at}/value", "a media type", item["value"])
    return value  # type: ignore[no-any-return]  # value_of of this grammar, or octets


def _multipart(shown: Json, at: str) -> bytes:
    parts = [_part(part, f"{at}/parts/{index}") for index, part in enumerate(array(shown["parts"], f"{at}/parts"))]
    return _lengths(shown.get("count_octets"), (len(parts),), f"{at}/count_octets") + b"".join(parts)


def _part(shown: Json, at: str) -> bytes:
    head, content_type = _head(shown, at)
    if "parts" in shown:
        if not content_type.is_multipart:
            raise FormError(f"{at}/parts", f"{content_type.media} has no parts")
        data = _multipart(shown, at)
    else:
        data = _data(shown, content_type, at)
    return _lengths(shown.get("lengths_octets"), (len(head), len(data)), f"{at}/lengths_octets") + head + data


def _head(shown: Json, at: str) -> tuple[bytes, ContentType]:
    """The headers of a part or push, the first of which is its Content-Type without a number."""
    headers = array(member(shown, "headers", at), f"{at}/headers")
    first = f"{at}/headers/0"
    if not headers or text(member(headers[0], "name", first), f"{first}/name").lower() != "content-type":
        raise FormError(f"{at}/headers", "the first header is Content-Type")
    out = bytearray(_leading(headers[0], len(headers) == 1, first))
    for index, item in enumerate(headers[1:], 1):
        out += _header(item, _part_grammar, _PART_NUMBERS, index == len(headers) - 1, f"{at}/headers/{index}")
    return bytes(out), _content_type(headers[0], first)


def _leading(item: Json, last: bool, at: str) -> bytes:
    given = hex_octets(item["octets"], f"{at}/octets") if "octets" in item else None
    if given is not None and _said(CONTENT_TYPE, 0, given, last) in (None, {"hex": given.hex()}) and item.get("value") == _UNREADABLE:
        return given
    return _value(CONTENT_TYPE, 0, item, given, last, at)


def _part_grammar(key: int) -> Leaf:
    return PART_GRAMMARS.get(key & 0x7F, OPAQUE)


def _data(shown: Json, content_type: ContentType, at: str) -> bytes:
    if "text" in shown:
        try:
            return text(shown["text"], f"{at}/text").encode(text_codec(content_type))
        except UnicodeError as error:
            raise FormError(
                f"{at}/text", f"its charset cannot hold the text: {error.reason if hasattr(error, 'reason') else error}"
            ) from None
    if "base64" in shown:
        try:
            return base64.b64decode(text(shown["base64"], f"{at}/base64"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise FormError(f"{at}/base64", f"no base64: {error}") from None
    if "hex" in shown:
        return hex_octets(shown["hex"], f"{at}/hex")
    raise FormError(at, 'one of "text", "base64" and "hex" is wanted')


def _lengths(given: Json, numbers: tuple[int, ...], at: str) -> bytes:
    """Uintvars; in the form given while that says the same."""
    if given is not None:
        octets = hex_octets(given, at)
        if _uintvars(octets) == numbers:
            return octets
    out = bytearray()
    for one in numbers:
        UINTVAR.write(one, out)
    return bytes(out)


def _uintvars(octets: bytes) -> tuple[int, ...] | None:
    at, numbers = 0, []
    try:
        while at < len(octets):
            one, at = UINTVAR.read(octets, at, len(octets), Lenient())
            numbers.append(one)
    except PduError:
        return None
    return tuple(numbers)


# --- WAP push --------------------------------------------------------------------------------------------------------------------


def push_octets(shown: Json) -> bytes:
    """The push that an object of kind `wsp-push` describes. Raises FormError."""
    tid = number(shown.get("tid", 0), "/tid")
    if tid > 0xFF:
        raise FormError("/tid", "a transaction id is an octet of 0 to 255")
    head, _ = _head(shown, "")
    body = member(shown, "body", "")
    octets = mms_octets(body["mms"], "/body/mms") if isinstance(body, dict) and "mms" in body else None
    if octets is None:
        octets = hex_octets(member(body, "hex", "/body"), "/body/hex")
    length = _lengths(shown.get("headers_length_octets"), (len(head),), "/headers_length_octets")
    return bytes((tid, 7 if shown.get("confirmed") else 6)) + length + head + octets

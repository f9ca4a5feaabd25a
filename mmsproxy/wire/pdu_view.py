"""PDUs and pushes as JSON objects: the JSON form of docs/codec.md, from which the tree is drawn too.

Rule 1: headers stand in the order of the wire, each with its offset, its octets and its value, so that nothing of a PDU is lost.
Rule 2: offsets count from the start of the PDU they stand in. Rule 3: data are text where they are text without loss, base64 otherwise.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from mmsproxy.errors import PduError
from mmsproxy.pdu_schema import HEADER_BY_NUMBER
from mmsproxy.wap_numbers import CHARSET_CODECS, WSP_HEADER_NAMES, MessageType
from mmsproxy.wire import wap_push
from mmsproxy.wire.mms_pdu import Header, Part, Pdu
from mmsproxy.wire.model import Entry, PartHeader
from mmsproxy.wire.pdu_values import Json, header_json, meaning, value_json
from mmsproxy.wsp.integers import UINTVAR
from mmsproxy.wsp.leaf import Lenient
from mmsproxy.wsp.parameters import CONTENT_TYPE
from mmsproxy.wsp.values import ContentType, PduWarning

_UTF_8: Final = 106
_TEXT_MEDIA: Final = ("application/smil", "application/xml", "application/xhtml+xml")


def type_name(message_type: int) -> str:
    """`m-send-req`; `0x98` for a type that is not assigned."""
    return MessageType(message_type).name.lower().replace("_", "-") if message_type in list(MessageType) else f"0x{message_type:02X}"


def mms_json(pdu: Pdu) -> dict[str, Json]:
    """A decoded PDU."""
    wire = pdu.wire
    assert wire is not None
    shown: dict[str, Json] = {
        "kind": "mms-pdu",
        "size": wire.stop,
        "type": type_name(pdu.message_type),
        "headers": [_entry(wire.source, entry, part=False) for entry in wire.entries],
    }
    shown |= _body(pdu)
    if wire.body_stop < wire.stop:
        shown["tail"] = {"offset": wire.body_stop, "hex": wire.source[wire.body_stop : wire.stop].hex()}
    return shown | {"warnings": warnings_json(pdu.warnings)}


def _body(pdu: Pdu) -> dict[str, Json]:
    wire = pdu.wire
    if wire is None or pdu.content_type is None:
        return {}
    if not pdu.content_type.is_multipart:
        return (
            {"body": {"offset": wire.body_start, "size": len(pdu.parts[0].data)} | _data(pdu.parts[0].data, pdu.content_type)}
            if pdu.parts
            else {}
        )
    return _multipart(pdu.parts, wire.source, wire.body_start, wire.body_stop) if wire.body_start < wire.stop else {}


def _multipart(parts: tuple[Part, ...], source: bytes, start: int, stop: int) -> dict[str, Json]:
    """The parts, and how their number stood where it stood in a longer form than needed."""
    first = parts[0].wire.start if parts and parts[0].wire else stop
    count = bytearray()
    UINTVAR.write(len(parts), count)
    odd = {} if source[start:first] == count else {"count_octets": source[start:first].hex()}
    return odd | {"parts": [_part(part) for part in parts]}


def _part(part: Part) -> Json:
    wire = part.wire
    assert wire is not None
    head, data = wire.entries[0][2], wire.body_start
    lengths = bytearray()
    UINTVAR.write(data - head, lengths)
    UINTVAR.write(wire.body_stop - data, lengths)
    shown: dict[str, Json] = {"offset": wire.start}
    if wire.source[wire.start : head] != lengths:
        shown["lengths_octets"] = wire.source[wire.start : head].hex()
    shown["headers"] = [_entry(wire.source, entry, part=True) for entry in wire.entries]
    if part.parts is not None:
        return shown | _multipart(part.parts, wire.source, wire.body_start, wire.body_stop)
    return shown | {"size": len(part.data), "data_offset": data} | _data(part.data, part.content_type)


def _data(data: bytes | memoryview, content_type: ContentType) -> dict[str, Json]:
    text = text_of(bytes(data), content_type)
    return {"base64": base64.b64encode(data).decode()} if text is None else {"text": text}


def text_of(octets: bytes, content_type: ContentType) -> str | None:
    """The characters of a text part, if they give back its octets when encoded again; None otherwise."""
    media = content_type.media.lower()
    if not (media.startswith("text/") or media in _TEXT_MEDIA):
        return None
    codec = text_codec(content_type)
    if codec.startswith("utf_16") and octets[:2] == b"\xff\xfe":
        return None  # the other order of octets, by its mark: it would not come back
    try:
        text = octets.decode(codec)
        return text if text.encode(codec) == octets else None
    except (UnicodeError, LookupError):
        return None


def text_codec(content_type: ContentType) -> str:
    """The Python codec by which a text part is read and written: that of its charset, UTF-8 without one."""
    charset = content_type.charset
    return (CHARSET_CODECS.get(_UTF_8 if charset is None else charset) or ("utf_8",))[0]


def _entry(source: bytes, entry: Entry, *, part: bool) -> Json:
    attr, value, start, stop = entry
    octets = source[start:stop].hex()
    if attr == "":
        return {"offset": start, "name": "", "octets": octets}
    if isinstance(value, Header):
        return _header(value.key, value.value, start, octets, part)
    if part and attr == "content_type":
        return {"offset": start, "name": "Content-Type", **_value(0, value, part), "octets": octets}
    return _header(
        source[start], MessageType(value) if attr == "message_type" and value in list(MessageType) else value, start, octets, part
    )


def _header(key: int | str, value: Any, start: int, octets: str, part: bool) -> Json:
    if isinstance(key, str):
        return {"offset": start, "name": key, "textual": True, "value": value_json(value), "octets": octets}
    return {"offset": start, "name": header_name(key, part), "number": f"0x{key:02X}", **_value(key, value, part), "octets": octets}


def header_name(key: int, part: bool) -> str:
    """The name of a header octet of a PDU, or of a part or push; `0xC5` where none is assigned."""
    if part:
        return WSP_HEADER_NAMES.get(key & 0x7F) or f"0x{key:02X}"
    row = HEADER_BY_NUMBER.get(key)
    return row.name if row else f"0x{key:02X}"


def _value(key: int, value: Any, part: bool) -> dict[str, Json]:
    words = meaning(key, value, part=part)
    made = value_json(value) if part else header_json(key, value)
    return {"value": made} if words is None else {"value": made, "means": words}


# --- WAP push --------------------------------------------------------------------------------------------------------------------


def push_json(push: wap_push.Push, mms: Pdu | PduError | None) -> dict[str, Json]:
    """A decoded push; `mms` is what its body holds, or why it does not."""
    head = push.head
    shown: dict[str, Json] = {
        "kind": "wsp-push",
        "size": len(head) + len(push.body),
        "tid": push.tid,
        "confirmed": push.confirmed,
        **_odd_length(head),
        "headers": _push_headers(push),
    }
    body: dict[str, Json] = {"offset": len(head)}
    if isinstance(mms, Pdu):
        body |= {"mms": mms_json(mms)}
    else:
        body |= {"hex": push.body.hex()} | ({"error": error_json(mms)} if mms else {})
    return shown | {"body": body, "warnings": warnings_json(push.warnings)}


def _odd_length(head: bytes) -> dict[str, Json]:
    """How HeadersLen stood where it stood in a longer form than needed."""
    length, start = UINTVAR.read(head, 2, len(head), Lenient())
    short = bytearray()
    UINTVAR.write(length, short)
    return {} if head[2:start] == short else {"headers_length_octets": head[2:start].hex()}


def _push_headers(push: wap_push.Push) -> list[Json]:
    head = push.head
    _, start = UINTVAR.read(head, 2, len(head), Lenient())
    last = push.headers[-1] if push.headers else None
    after = (last.offset or 0) + len(last.raw or b"") if last else _content_type_stop(push, start)
    first = (push.headers[0].offset or 0) if push.headers else after
    shown = [{"offset": start, "name": "Content-Type", **_value(0, push.content_type, True), "octets": head[start:first].hex()}]
    shown += [_push_header(header) for header in push.headers]
    if after < len(head):
        shown.append({"offset": after, "name": "", "octets": head[after:].hex()})
    return shown


def _content_type_stop(push: wap_push.Push, start: int) -> int:
    return CONTENT_TYPE.read(push.head, start, len(push.head), Lenient())[1]


def _push_header(header: PartHeader) -> Json:
    return _header(header.key, header.value, header.offset or 0, (header.raw or b"").hex(), True)


# --- findings --------------------------------------------------------------------------------------------------------------------


def warnings_json(warnings: tuple[PduWarning, ...]) -> list[Json]:
    """Warnings in the order in which they were found."""
    return [_finding(warning) for warning in warnings]


def error_json(error: PduError) -> Json:
    """An error by the same names."""
    return _finding(error)


def _finding(found: PduWarning | PduError) -> Json:
    return {"offset": found.offset, "path": found.path, "rule": found.rule, "detail": found.detail, "context": found.context}

"""From a PDU to octets: fields in the order of the schema, or, for a decoded PDU, in the order and with the octets of the wire.

Rule 1: a header whose value is still what the wire gave keeps its octets; only what was changed is written anew, in its place.
Rule 2: part data are never copied here: the pieces are views, joined once (`encode`) or not at all (`encode_chunks`). Rule 3: nothing
but PduError leaves; its offset is that in the octets being written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Final

from mmsproxy.errors import PduError
from mmsproxy.wire.forms import MESSAGE_TYPE_SLOT, PART_ORDER, PART_TABLE, Form, Slot, form_of
from mmsproxy.wire.model import Header, Part, Pdu, Wire
from mmsproxy.wsp.choices import OPAQUE
from mmsproxy.wsp.integers import UINTVAR
from mmsproxy.wsp.leaf import WRONG_TYPE, Lenient, fault, wrong_type
from mmsproxy.wsp.parameters import CONTENT_TYPE
from mmsproxy.wsp.texts import TEXT_STRING, TOKEN_TEXT

Piece = bytes | bytearray | memoryview

_CONTENT_TYPE_SLOT: Final = Slot(0, "content-type", "content_type", False, "", False, CONTENT_TYPE.read, CONTENT_TYPE.write)


def pieces(pdu: Pdu) -> list[Piece]:
    """The PDU's octets as a list: heads, and part data as they are. Raises PduError."""
    try:
        return _pieces(pdu)
    except WRONG_TYPE as error:  # a body that is not made of parts, and the like
        raise wrong_type(pdu, 0, error) from error


def _pieces(pdu: Pdu) -> list[Piece]:
    form = form_of(pdu)
    out: list[Piece] = [_pdu_head(pdu, form)]
    if pdu.content_type is None:
        if pdu.parts:
            raise _located(fault("value-missing", len(out[0])), "Content-Type")
    elif _body_kept(pdu):
        wire = pdu.wire
        assert wire is not None
        out.append(memoryview(wire.source)[wire.body_start : wire.stop])
    else:
        _body(pdu, out)
    return out


def _body_kept(pdu: Pdu) -> bool:
    """Whether the body is what the wire gave, of the same make."""
    wire = pdu.wire
    if wire is None or pdu.parts is not wire.body:
        return False
    was = [value for attr, value, _, _ in wire.entries if attr == "content_type"]
    return bool(was) and pdu.content_type is not None and was[0].is_multipart == pdu.content_type.is_multipart


def _body(pdu: Pdu, out: list[Piece]) -> None:
    assert pdu.content_type is not None
    if pdu.content_type.is_multipart:
        _multipart(pdu.parts, out)
    elif len(pdu.parts) > 1:
        raise _located(fault("value-out-of-range", len(out[0]), "only a multipart holds several parts"), "parts")
    elif pdu.parts:
        out.append(_data(pdu.parts[0]))
    if pdu.wire is not None and pdu.wire.body_stop < pdu.wire.stop:
        out.append(memoryview(pdu.wire.source)[pdu.wire.body_stop : pdu.wire.stop])


def multipart_pieces(parts: Iterable[Part]) -> list[Piece]:
    """A multipart body as a list of octets, as `pieces`. Raises PduError."""
    out: list[Piece] = []
    _multipart(parts, out)
    return out


def _multipart(parts: Iterable[Part], out: list[Piece]) -> None:
    parts = tuple(parts)
    count = bytearray()
    UINTVAR.write(len(parts), count)
    out.append(count)
    for index, part in enumerate(parts):
        try:
            _part(part, out)
        except PduError as error:
            raise _located(error, f"parts[{index}]") from None


def _part(part: Part, out: list[Piece]) -> None:
    head = _part_head(part)
    body: list[Piece] = []
    wire = part.wire
    if part.parts is None:
        body.append(_data(part))
    elif wire is not None and part.parts is wire.body:
        body.append(memoryview(wire.source)[wire.body_start : wire.body_stop])
    else:
        _multipart(part.parts, body)
    size = sum(len(piece) for piece in body)
    out.append(_lengths(part, len(head), size))
    out.append(head)
    out += body


def _data(part: Part) -> Piece:
    data = part.data
    if isinstance(data, bytes | bytearray) or (isinstance(data, memoryview) and data.nbytes == len(data)):
        return data
    raise fault("value-of-wrong-type", 0, f"part data are octets, not {type(data).__name__}")


def _lengths(part: Part, head: int, size: int) -> Piece:
    """HeadersLen and DataLen; as they stood on the wire if they still hold."""
    wire = part.wire
    if wire is not None:
        first = wire.entries[0][2]
        if wire.body_start - first == head and wire.body_stop - wire.body_start == size:
            return wire.source[wire.start : first]
    made = bytearray()
    UINTVAR.write(head, made)
    UINTVAR.write(size, made)
    return made


# --- heads -------------------------------------------------------------------------------------------------------------------------


def _pdu_head(pdu: Pdu, form: Form) -> bytearray:
    out = bytearray()
    if pdu.wire is None:
        _write_one(MESSAGE_TYPE_SLOT, pdu.message_type, out)
        _fresh(pdu, form.order[:-1], out)
        for header in pdu.extra:
            _write_header(header, out, form.table)
        if pdu.content_type is not None:
            _write_one(form.order[-1], pdu.content_type, out)
        return out
    by_attr = form.by_attr | {"message_type": MESSAGE_TYPE_SLOT}
    _merge(pdu, pdu.wire, by_attr, form.order, pdu.extra, out, form.table)
    return out


def _part_head(part: Part) -> bytearray:
    out = bytearray()
    if part.wire is None:
        _write_value(_CONTENT_TYPE_SLOT, part.content_type, out)
        _fresh(part, PART_ORDER, out)
        for header in part.headers:
            _write_header(header, out, PART_TABLE)
        return out
    _merge(part, part.wire, _PART_ATTRS, PART_ORDER, part.headers, out, PART_TABLE)
    return out


_PART_ATTRS: Final[dict[str, Slot]] = {slot.attr: slot for slot in PART_ORDER if slot.attr} | {"content_type": _CONTENT_TYPE_SLOT}


def _fresh(holder: Pdu | Part, order: Iterable[Slot], out: bytearray) -> None:
    for slot in order:
        value = getattr(holder, slot.attr or "")
        if value is None:
            continue
        if slot.repeated:
            for one in value:
                _write_one(slot, one, out)
        else:
            _write_one(slot, value, out)


def _merge(
    holder: Pdu | Part,
    wire: Wire,
    by_attr: dict[str, Slot],
    order: Iterable[Slot],
    extra: Iterable[Header],
    out: bytearray,
    table: tuple[Slot | None, ...],
) -> None:
    """The headers of the wire in their order, each as it stood unless changed; then what was added, before the Content-Type."""
    closing = _open_end(wire, table)
    raws = [wire.source[first:stop] for _, _, first, stop in wire.entries]
    raws[-1] += closing
    plan = _Plan(holder, wire, raws, by_attr, list(extra))
    late = bytearray()
    in_pdu = isinstance(holder, Pdu)
    for (attr, value, _, _), raw in zip(wire.entries, raws, strict=True):
        plan.put(attr, value, raw, late if attr == "" or (in_pdu and attr == "content_type") else out)
    plan.rest(order, out, table)
    if in_pdu and "content_type" not in plan.done and holder.content_type is not None:
        _write_one(by_attr["content_type"], holder.content_type, out)
    out += late
    if closing and out.endswith(raws[-1]) and not (in_pdu and holder.parts):
        out.pop()  # it still stands last


def _open_end(wire: Wire, table: tuple[Slot | None, ...]) -> bytes:
    """The NUL that the last header lacks, if it is a text that ended with the data: needed as soon as anything stands behind it."""
    attr, _, first, stop = wire.entries[-1]
    raw = wire.source[first:stop]
    if attr == "" or raw[-1:] in (b"\0", b""):
        return b""
    slot = _CONTENT_TYPE_SLOT if table is PART_TABLE and attr == "content_type" else table[raw[0]]
    if slot is None:
        return b"\0"
    at = 1 if slot.key else 0
    probe = Lenient()
    try:
        slot.read(raw, at, len(raw), probe)
    except PduError:  # kept by the skip rule
        return b"\0" if 0x1F < raw[at] < 0x80 else b""
    return b"\0" if ["text-without-nul", at] in (flawed[:2] for flawed in probe.found) else b""


class _Plan:
    """What of a decoded PDU or part is still to be written, and what was written already."""

    def __init__(self, holder: Pdu | Part, wire: Wire, raws: list[bytes], by_attr: dict[str, Slot], extra: list[Header]) -> None:
        self.holder = holder
        self.by_attr = by_attr
        self.extra = extra
        self.done: set[str] = set()
        self.queues = {attr: _Queue(getattr(holder, attr), wire, raws, attr) for attr, slot in by_attr.items() if slot.repeated}

    def put(self, attr: str | None, value: Any, raw: bytes, out: bytearray) -> None:
        """One header of the wire: as it stood, or as its field is now, or not at all."""
        if attr is None:
            if any(header is value for header in self.extra):
                self.extra = [header for header in self.extra if header is not value]
                out += raw
        elif not attr:
            out += raw
        elif attr in self.queues:
            self.queues[attr].put(self.by_attr[attr], out)
        else:
            self.done.add(attr)
            now = getattr(self.holder, attr)
            if now is value or (now == value and type(now) is type(value)):
                out += raw
            elif now is not None:
                _write_one(self.by_attr[attr], now, out)

    def rest(self, order: Iterable[Slot], out: bytearray, table: tuple[Slot | None, ...]) -> None:
        """Fields and extra headers that the wire did not have."""
        for slot in order:
            attr = slot.attr or ""
            if attr in self.queues:
                self.queues[attr].rest(slot, out)
            elif attr not in self.done and attr != "content_type":
                value = getattr(self.holder, attr)
                if value is not None:
                    _write_one(slot, value, out)
        for header in self.extra:
            _write_header(header, out, table)


class _Queue:
    """The values of a repeated header: each takes one place of the wire, those that stood there keep their octets."""

    def __init__(self, values: Iterable[Any], wire: Wire, raws: list[bytes], attr: str) -> None:
        self.values = list(values)
        self.pool: dict[Any, list[bytes]] = {}
        self.places = 0
        for (name, value, _, _), raw in zip(wire.entries, raws, strict=True):
            if name == attr:
                self.pool.setdefault(value, []).append(raw)
                self.places += 1

    def put(self, slot: Slot, out: bytearray) -> None:
        """Fills one place; the last one takes all that are left."""
        self.places -= 1
        if self.places:
            self._write(slot, self.values[:1], out)
            del self.values[:1]
        else:
            self.rest(slot, out)

    def rest(self, slot: Slot, out: bytearray) -> None:
        """Writes all that are left."""
        self._write(slot, self.values, out)
        self.values = []

    def _write(self, slot: Slot, values: Iterable[Any], out: bytearray) -> None:
        for value in values:
            kept = self.pool.get(value)
            if kept:
                out += kept.pop(0)
            else:
                _write_one(slot, value, out)


# --- single headers ----------------------------------------------------------------------------------------------------------------


def _write_one(slot: Slot, value: Any, out: bytearray) -> None:
    if slot.key:
        out.append(slot.key)
    _write_value(slot, value, out)


def _write_value(slot: Slot, value: Any, out: bytearray) -> None:
    try:
        slot.write(value, out)
    except PduError as error:
        raise _located(error, slot.name) from None
    except WRONG_TYPE as error:
        raise _located(wrong_type(value, len(out), error), slot.name) from error


def _write_header(header: Header, out: bytearray, table: tuple[Slot | None, ...]) -> None:
    key = header.key
    if isinstance(key, str):
        _write_value(_TEXTUAL, header, out)
        return
    slot = table[key] if 0x80 <= key <= 0xFF else None
    if slot is None:
        raise _located(fault("value-out-of-range", len(out), f"{key} is no header octet"), header.name)
    out.append(key)
    if isinstance(header.value, bytes):
        slot = dataclasses.replace(slot, write=OPAQUE.write)
    _write_value(slot, header.value, out)


def _write_textual(header: Header, out: bytearray) -> None:
    made = bytearray()
    TOKEN_TEXT.write(str(header.key), made)
    if not 0x20 <= made[0] < 0x7F:
        raise fault("token-character", len(out))
    TEXT_STRING.write(header.value, made)
    out += made


_TEXTUAL: Final = Slot(0, "extra", None, False, "", False, TEXT_STRING.read, _write_textual)


def _located(error: PduError, outer: str) -> PduError:
    error.path = f"{outer}.{error.path}" if error.path else outer
    return error


def canonical(pdu: Pdu) -> Pdu:
    """The same PDU without its wire: encoding it writes every header anew, in canonical order and form."""
    return dataclasses.replace(pdu, wire=None, parts=tuple(_canonical_part(part) for part in pdu.parts))


def _canonical_part(part: Part) -> Part:
    parts = None if part.parts is None else tuple(_canonical_part(inner) for inner in part.parts)
    return dataclasses.replace(part, wire=None, parts=parts)


def chunks(pdu: Pdu) -> Iterator[bytes | memoryview]:
    """The pieces, small neighbours joined: head, data, head, data ..."""
    head = bytearray()
    for piece in pieces(pdu):
        if len(piece) < 4096:
            head += piece
            continue
        if head:
            yield bytes(head)
            head = bytearray()
        yield memoryview(piece)
    if head:
        yield bytes(head)


__all__ = ["canonical", "chunks", "multipart_pieces", "pieces"]

"""From octets to a PDU: one walk by index over one buffer, by the tables of `forms`.

Rule 1: the reader knows order, places, limits and modes; the grammar of a value is its leaf's business. Rule 2: nothing but PduError
leaves, with offset, indexed path, rule and the octets around it; paths are put together only when something is odd. Rule 3: part data
are views into the buffer. Rule 4: the work is bounded by MAX_ITEMS whatever the lengths say, so time stays linear.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from mmsproxy.errors import PduError
from mmsproxy.pdu_schema import MMS_CONTENT_TYPE
from mmsproxy.wap_numbers import MessageType
from mmsproxy.wire.forms import FORMS, OTHER_FORM, PART_TABLE, Form, Slot
from mmsproxy.wire.model import Entry, Header, Part, PartHeader, Pdu, Wire
from mmsproxy.wsp.choices import skip_value
from mmsproxy.wsp.integers import UINTVAR
from mmsproxy.wsp.leaf import RULES, Flaws, Lenient, Strict, fault
from mmsproxy.wsp.texts import TEXT_STRING, TOKEN_TEXT
from mmsproxy.wsp.values import ContentType, PduWarning

MAX_PDU: Final = 2 * 1024 * 1024  # octets; carriers accept 300 KB to 1 MB, some 3 MB since 2020 are cut by their own limit first
MAX_HEADERS: Final = 512  # of one PDU or part
MAX_PARTS: Final = 256  # of one multipart
MAX_DEPTH: Final = 8  # multiparts inside one another, the body itself being the first
MAX_ITEMS: Final = 4096  # headers, parameters and parts of a whole PDU: at most 10 ms of work
MAX_WARNINGS: Final = 256  # kept; a hostile PDU could have thousands

_WITH_PARAMETERS: Final = frozenset({0x91, 0xAE, 0xC5})  # Content-Type and Content-Disposition in the head of a part
_STRAY: Final = bytes(range(0x20))
_UNREADABLE: Final = ContentType("application/octet-stream")


class Reader:
    """Reads one PDU. `flaw` decides what passes; `room` counts what is left of MAX_ITEMS."""

    __slots__ = ("buf", "end", "flaw", "room", "view")

    def __init__(self, data: bytes, strict: bool) -> None:
        self.buf = data
        self.end = len(data)
        self.view = memoryview(data)
        self.flaw: Flaws = Strict() if strict else Lenient()
        self.room = MAX_ITEMS

    # --- the PDU -----------------------------------------------------------------------------------------------------------------

    def pdu(self) -> Pdu:
        """The whole buffer as one PDU."""
        if self.end > MAX_PDU:
            raise fault("pdu-too-long", MAX_PDU)
        if self.buf[:1] != b"\x8c":
            raise fault("not-an-mms-pdu", 0)
        number = self._message_type()
        form = FORMS.get(number, OTHER_FORM)
        values: dict[str, Any] = {}
        entries: list[Entry] = [("message_type", number, 0, 2)]
        extra: list[Header] = []
        pos = self._headers(form, values, entries, extra)
        for attr in form.repeated:
            if attr in values:
                values[attr] = tuple(values[attr])
        parts, body_stop = self._body(form, values, pos)
        self._check(form, values, entries, {header.key for header in extra} if extra else ())
        made: dict[str, Any] = {**form.blank, **values}
        if form.row is None:
            made["number"] = number
        return form.cls(
            **made,
            parts=parts,
            extra=tuple(extra),
            warnings=self._warnings() if self.flaw.found else (),
            wire=Wire(self.buf, tuple(entries), 0, parts, pos, body_stop, self.end),
        )

    def _message_type(self) -> int:
        if self.end < 2:
            raise fault("value-missing", 1)
        number = self.buf[1]
        if number < 0x80:
            raise fault("not-an-mms-pdu", 1)
        if number > MessageType.M_CANCEL_CONF:
            self._flaw("octet-not-assigned", 1, "headers[0].X-Mms-Message-Type")
        return number

    def _headers(self, form: Form, values: dict[str, Any], entries: list[Entry], extra: list[Header]) -> int:
        buf, end, flaw, table = self.buf, self.end, self.flaw, form.table
        found = flaw.found
        seen = len(found)
        pos = 2
        while pos < end:
            octet = buf[pos]
            slot = table[octet]
            if len(entries) >= MAX_HEADERS:
                raise fault("too-many-headers", pos)
            if slot is None:
                pos = self._textual(pos, end, entries, extra, Header)
                seen = len(found)
                continue
            attr = slot.attr
            try:
                value, stop = slot.read(buf, pos + 1, end, flaw)
            except PduError as error:
                octets, stop = self._skip(slot, pos, end, error, seen, len(entries))
                attr, value = None, self._extra(slot, None, octets, pos, stop, extra)
            else:
                if slot.usual and slot.attr not in values:
                    values[slot.attr or ""] = value
                else:
                    attr, value = self._unusual(slot, value, pos, stop, values, extra)
            entries.append((attr, value, pos, stop))
            if len(found) != seen:
                _label(found, seen, f"headers[{len(entries) - 1}].{slot.name}")
                seen = len(found)
            pos = stop
            if octet == 0x84:
                break
        self.room -= len(entries)
        return pos

    def _unusual(self, slot: Slot, value: Any, pos: int, stop: int, values: dict[str, Any], extra: list[Header]) -> tuple[str | None, Any]:
        """A header with parameters, of a repeated field, out of place, unknown, or there before: its field, and what stands for it."""
        attr = slot.attr
        self._count_parameters(value, pos)
        if slot.note:
            self.flaw.note(slot.note, pos)
        if attr is not None and slot.repeated:
            values.setdefault(attr, []).append(value)
        elif attr is not None and attr not in values:
            values[attr] = value
        else:
            return None, self._extra(slot, attr, value, pos, stop, extra)
        return attr, value

    def _count_parameters(self, value: Any, pos: int) -> None:
        self.room -= len(getattr(value, "parameters", ()))
        if self.room < 0:
            raise fault("too-many-items", pos)

    def _extra(self, slot: Slot, attr: str | None, value: Any, pos: int, stop: int, extra: list[Header]) -> Header:
        """A header that no field takes, or no more."""
        if attr is not None:
            self.flaw.note("header-repeated", pos)
        extra.append(header := Header(slot.key, value, pos, self.buf[pos:stop]))
        return header

    def _skip(self, slot: Slot, pos: int, end: int, error: PduError, seen: int, index: int) -> tuple[bytes, int]:
        """A well-known header whose value breaks its grammar: kept as octets, if the skip rule finds its end."""
        del self.flaw.found[seen:]
        try:
            self.flaw.accept(error)
            stop = skip_value(self.buf, pos + 1, end, self.flaw)
            if slot.key == 0x84:  # what the body is would not be known
                raise error
        except PduError:
            error.path = _join(f"headers[{index}].{slot.name}", error.path)
            raise error from None
        return self.buf[pos + 1 : stop], stop

    def _textual(self, pos: int, end: int, entries: list[Entry], extra: list[Any], make: type[Header]) -> int:
        """An application header (ENC 7.2), or octets that are none."""
        buf, flaw = self.buf, self.flaw
        seen = len(flaw.found)
        if not 0x20 <= buf[pos] < 0x7F:
            if make is Header and buf[pos:end].strip(_STRAY):
                raise fault("stray-octets", pos)
            self._flaw("stray-octets", pos, f"headers[{len(entries)}]")
            entries.append(("", None, pos, end))
            return end
        try:
            name, stop = TOKEN_TEXT.read(buf, pos, end, flaw)
            value, stop = TEXT_STRING.read(buf, stop, end, flaw)
        except PduError as error:
            error.path = f"headers[{len(entries)}]"
            raise
        if name.lower() != "content-transfer-encoding":  # which has no number
            flaw.note("header-textual", pos)
        _label(flaw.found, seen, f"headers[{len(entries)}].{name}")
        header = make(name, value, pos, buf[pos:stop])
        extra.append(header)
        entries.append((None, header, pos, stop))
        return stop

    def _check(self, form: Form, values: dict[str, Any], entries: list[Entry], there: Collection[int | str]) -> None:
        """ENC 7: the order of the first three, and the headers that must be there (ENC 6), readable or not (`there`)."""
        row = form.row
        if row is not None:
            for attr in row.mandatory:
                if attr not in values and form.by_attr[attr].key not in there:
                    self._flaw("mandatory-header-missing", self.end, form.by_attr[attr].name)
            if row.any_of and not any(attr in values for attr in row.any_of):
                self._flaw("mandatory-header-missing", self.end, "To")
        place = 2 if "transaction_id" in values else 1
        if len(entries) > 1 and (
            ("mms_version" in values and entries[min(place, len(entries) - 1)][0] != "mms_version")
            or (place == 2 and entries[1][0] != "transaction_id")
        ):
            self._flaw("frame-order", 2, "headers[1]")

    def _flaw(self, rule: str, offset: int, path: str) -> None:
        error = fault(rule, offset)
        error.path = path
        self.flaw.accept(error)

    # --- the body ----------------------------------------------------------------------------------------------------------------

    def _body(self, form: Form, values: dict[str, Any], pos: int) -> tuple[tuple[Part, ...], int]:
        content_type: ContentType | None = values.get("content_type")
        end, flaw = self.end, self.flaw
        if content_type is None:
            return (), end
        if form.row is not None and not form.row.has_body:
            self._flaw("body-out-of-place", pos, "body")
        if not content_type.is_multipart:
            flaw.note("body-not-multipart", pos)
            flaw.found[-1][2] = "body"
            return ((Part(content_type, self.view[pos:end]),) if pos < end else ()), end
        if pos >= end:
            self._flaw("body-missing", pos, "body")
            return (), end
        parts, stop = self.multipart(content_type, pos, end, 1)
        if stop != end:
            self._flaw("stray-octets", stop, f"parts[{len(parts)}]")
        return parts, stop

    def multipart(self, content_type: ContentType, pos: int, end: int, depth: int) -> tuple[tuple[Part, ...], int]:
        """The entries of a multipart body (WSP 8.5), and the offset behind the last."""
        found = self.flaw.found
        count, at = UINTVAR.read(self.buf, pos, end, self.flaw)
        if count > MAX_PARTS:
            raise fault("too-many-parts", pos)
        if not count and not content_type.media.lower().endswith((".mixed", ".*")):
            self._flaw("multipart-empty", pos, "body")
        parts: list[Part] = []
        for index in range(count):
            seen = len(found)
            try:
                part, at = self._part(at, end, depth)
            except PduError as error:
                error.path = _join(f"parts[{index}]", error.path)
                raise
            if len(found) != seen:
                _label(found, seen, f"parts[{index}]")
            parts.append(part)
        return tuple(parts), at

    def _part(self, pos: int, end: int, depth: int) -> tuple[Part, int]:
        buf, flaw = self.buf, self.flaw
        head_length, at = UINTVAR.read(buf, pos, end, flaw)
        data_length, at = UINTVAR.read(buf, at, end, flaw)
        head_stop = at + head_length
        stop = head_stop + data_length
        if stop > end:
            raise fault("part-beyond-data", pos)
        content_type, entries, values, headers = self._part_head(at, head_stop)
        self.room -= len(entries) + len(content_type.parameters) + 1
        if self.room < 0:
            raise fault("too-many-items", pos)
        data: bytes | memoryview = self.view[head_stop:stop]
        parts = self._nested(content_type, head_stop, stop, depth + 1) if content_type.is_multipart else None
        if parts is not None:
            data = b""
        wire = Wire(buf, tuple(entries), pos, data if parts is None else parts, head_stop, stop, stop)
        return Part(content_type, data, **values, headers=tuple(headers), parts=parts, wire=wire), stop

    def _nested(self, content_type: ContentType, pos: int, end: int, depth: int) -> tuple[Part, ...] | None:
        if depth > MAX_DEPTH:
            raise fault("multipart-too-deep", pos)
        seen = len(self.flaw.found)
        try:
            parts, stop = self.multipart(content_type, pos, end, depth)
            if stop != end:
                raise fault("multipart-not-filled", stop)
        except PduError as error:
            del self.flaw.found[seen:]
            self.flaw.accept(error)
            return None
        return parts

    def _part_head(self, pos: int, end: int) -> tuple[ContentType, list[Entry], dict[str, Any], list[PartHeader]]:
        buf, flaw = self.buf, self.flaw
        found = flaw.found
        seen = len(found)
        values: dict[str, Any] = {}
        headers: list[PartHeader] = []
        try:
            content_type, at = MMS_CONTENT_TYPE.read(buf, pos, end, flaw)
        except PduError as error:
            del found[seen:]
            error.path = _join("headers[0].content-type", error.path)
            flaw.accept(error)
            return _UNREADABLE, [("content_type", _UNREADABLE, pos, end)], values, headers
        if len(found) != seen:
            _label(found, seen, "headers[0].content-type")
        entries: list[Entry] = [("content_type", content_type, pos, at)]
        seen = len(found)
        while at < end:
            if len(entries) >= MAX_HEADERS:
                raise fault("too-many-headers", at)
            slot = PART_TABLE[buf[at]]
            if slot is None:
                at = self._textual(at, end, entries, headers, PartHeader)
            elif slot.attr in ("content_id", "content_location") and slot.attr not in values:
                # The usual header. Anything odd about it, and it is read again the long way.
                try:
                    value, stop = slot.read(buf, at + 1, end, flaw)
                except PduError:
                    del found[seen:]
                    at = self._part_header(slot, at, end, values, entries, headers)
                else:
                    values[slot.attr] = value
                    entries.append((slot.attr, value, at, stop))
                    if len(found) != seen:
                        _label(found, seen, f"headers[{len(entries) - 1}].{slot.name}")
                    at = stop
            else:
                at = self._part_header(slot, at, end, values, entries, headers)
            seen = len(found)
        return content_type, entries, values, headers

    def _part_header(self, slot: Slot, pos: int, end: int, values: dict[str, Any], entries: list[Entry], headers: list[PartHeader]) -> int:
        flaw = self.flaw
        seen = len(flaw.found)
        attr = slot.attr
        try:
            value, stop = slot.read(self.buf, pos + 1, end, flaw)
        except PduError as error:
            value, stop = self._skip(slot, pos, end, error, seen, len(entries))
            attr = None
        if slot.key in _WITH_PARAMETERS:
            self._count_parameters(value, pos)
        if attr is None or attr in values:
            if slot.note:
                flaw.note(slot.note, pos)
            value = PartHeader(slot.key, value, pos, self.buf[pos:stop])
            attr = None
            headers.append(value)
        else:
            values[attr] = value
        entries.append((attr, value, pos, stop))
        if len(flaw.found) != seen:
            _label(flaw.found, seen, f"headers[{len(entries) - 1}].{slot.name}")
        return stop

    def _warnings(self) -> tuple[PduWarning, ...]:
        return tuple(
            PduWarning(rule, offset, path, RULES[rule], context(self.buf, offset)) for rule, offset, path in self.flaw.found[:MAX_WARNINGS]
        )


def context(data: bytes, offset: int) -> str:
    """Up to 16 octets around an offset, in hex."""
    start = max(0, min(offset, len(data)) - 8)
    return data[start : start + 16].hex(" ")


def _join(outer: str, inner: str) -> str:
    return f"{outer}.{inner}" if inner else outer


def _label(found: list[list[Any]], seen: int, path: str) -> None:
    for flawed in found[seen:]:
        flawed[2] = _join(path, flawed[2])


def read_pdu(data: bytes, strict: bool) -> Pdu:
    """One PDU. Raises PduError only."""
    reader = Reader(data, strict)
    try:
        return reader.pdu()
    except PduError as error:
        error.context = error.context or context(data, error.offset)
        raise


__all__ = ["MAX_DEPTH", "MAX_HEADERS", "MAX_ITEMS", "MAX_PARTS", "MAX_PDU", "Reader", "read_pdu"]

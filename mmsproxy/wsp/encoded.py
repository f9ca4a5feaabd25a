"""Encoded strings: text with its charset (ENC 7.3.19, WSP 8.4.2.8), and addresses in them (ENC 8).

Knows that text of 2- and 4-octet units holds NULs, so that the value-length ends it, never a NUL.
"""

from __future__ import annotations

from typing import Any, Final

from mmsproxy.wap_numbers import CHARSET_CODECS, CHARSET_WIDTHS
from mmsproxy.wsp.integers import CHARSET, INTEGER_VALUE, VALUE_LENGTH, general_form, write_general
from mmsproxy.wsp.leaf import LENGTH_QUOTE, MAX_TEXT, QUOTE, REFUSE, Flaws, Leaf, fault
from mmsproxy.wsp.texts import TEXT_STRING, check_text, plain_text, text_octets, unquoted, write_text
from mmsproxy.wsp.values import Address, AddressKind, Text

MAX_REPLACED: Final = 4096  # octets


def charset_text(octets: bytes, charset: int, pos: int, flaw: Flaws) -> str:
    """The characters of octets in a charset (MIBenum); what cannot be converted shows as U+FFFD and is noted."""
    codecs = CHARSET_CODECS.get(charset, ())
    if charset in (1000, 1015) and octets[:2] == b"\xff\xfe":
        codecs = ("utf_16_le",)
    for codec in codecs:
        try:
            text = octets.decode(codec)
        except UnicodeDecodeError:
            continue
        if codec != codecs[0]:
            flaw.note("text-undecodable", pos)
        return text
    flaw.note("text-undecodable" if codecs else "charset-unknown", pos)
    return _replaced(octets, codecs[0] if codecs else "utf_8")


def _replaced(octets: bytes, codec: str) -> str:
    """U+FFFD for each fault; in a long text for all behind the first one, since Python takes some 200 ns for each."""
    if len(octets) <= MAX_REPLACED or codec == "utf_8":
        return octets.decode(codec, "replace")
    try:
        return octets.decode(codec)
    except UnicodeDecodeError as error:
        return octets[: error.start].decode(codec, "replace") + "\ufffd"


def _wide_octets(octets: bytes, width: int, pos: int, flaw: Flaws) -> bytes:
    """Text of 2- or 4-octet units: it holds NULs, so its length tells whether a Quote and one or `width` closing NULs are there."""
    if octets[0] == QUOTE and octets[1:2] >= b"\x80" and len(octets) % width == 2 % width:
        octets = octets[1:]
    if len(octets) % width == 1 and octets[-1] == 0:
        return octets[:-1]
    if octets.endswith(bytes(width)):
        return octets[:-width]
    flaw("text-without-nul", pos)
    return octets


def _narrow_octets(octets: bytes, pos: int, flaw: Flaws) -> bytes:
    nul = octets.find(0)
    if nul < 0:
        flaw("text-without-nul", pos)
    else:
        if nul != len(octets) - 1:
            flaw("value-shorter-than-length", pos)
        octets = octets[:nul]
    return unquoted(octets, pos, flaw)


class EncodedString(Leaf):
    """Text-string | Value-length Charset Text-string -> Text, or Address where the field holds one."""

    grammar = "Encoded-string-value"
    clause = "ENC 7.3.19"

    def __init__(self, make: type[Text]) -> None:
        super().__init__()
        self.make = make

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Any, int]:
        if pos < end and buf[pos] > LENGTH_QUOTE:
            stop = buf.find(0, pos, end)
            if pos < stop <= pos + MAX_TEXT:
                octets = buf[pos:stop]
                if octets.isascii():
                    text = octets.decode()
                    if text.isprintable():
                        return self.make(text), stop + 1
        return self._odd(buf, pos, end, flaw)

    def _odd(self, buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[Text, int]:
        if pos < end and 0 < buf[pos] <= LENGTH_QUOTE:  # 00 is the empty text here, no length
            start, stop = general_form(buf, pos, end, flaw)
            return self._charset_form(buf, start, stop, flaw), stop
        octets, stop = text_octets(buf, pos, end, flaw)
        octets = unquoted(octets, pos, flaw)
        text = plain_text(octets)
        check_text(text, pos, flaw)
        return self.make(text, None, octets if not octets.isascii() else None), stop

    def _charset_form(self, buf: bytes, pos: int, stop: int, flaw: Flaws) -> Text:
        charset, at = INTEGER_VALUE.read(buf, pos, stop, flaw)
        if at >= stop:
            raise fault("value-missing", at)
        if stop - at > MAX_TEXT:
            raise fault("text-too-long", at)
        width = CHARSET_WIDTHS.get(charset)
        octets = _wide_octets(buf[at:stop], width, at, flaw) if width else _narrow_octets(buf[at:stop], at, flaw)
        text = charset_text(octets, charset, at, flaw)
        if text[:1] == "\ufeff":
            flaw.note("text-byte-order-mark", at)
        check_text(text, at, flaw)
        return self.make(text, charset, octets)

    def write(self, value: Text, out: bytearray) -> None:
        # A plain text that starts with a control character would be read as a value-length.
        if value.charset is None and value.text.isascii() and (not value.text or value.text[0] >= " "):
            write_text(value.text, out, quote=True)
            return
        charset, octets = _encoded(value, out)
        body = bytearray()
        INTEGER_VALUE.write(charset, body)
        if octets[:1] >= (b"\x80" if charset in CHARSET_WIDTHS else b"\x7f"):
            body.append(QUOTE)
        body += octets
        body.append(0)
        write_general(body, out)

    def inner(self) -> tuple[Leaf, ...]:
        return TEXT_STRING, VALUE_LENGTH, CHARSET


def _encoded(value: Text, out: bytearray) -> tuple[int, bytes]:
    """Charset and octets to write. Octets of the wire win; those that came without a charset go out as UTF-8."""
    charset = 106 if value.charset is None else value.charset
    octets = value.octets if value.charset is not None else None
    if octets is None:
        codecs = CHARSET_CODECS.get(charset, ())
        try:
            octets = value.text.encode(codecs[0] if codecs else "ascii")
        except UnicodeEncodeError:
            raise fault("value-out-of-range", len(out), f"charset {charset} cannot hold the text") from None
    if charset not in CHARSET_WIDTHS and 0 in octets:
        raise fault("nul-in-text", len(out))
    if len(octets) > MAX_TEXT - 2:
        raise fault("text-too-long", len(out))
    return charset, octets


class AddressValue(EncodedString):
    """An Encoded-string that holds an address (ENC 8)."""

    grammar = "Encoded-string-value (address)"
    clause = "ENC 8"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[Any, int]:
        if pos < end and buf[pos] > LENGTH_QUOTE:
            stop = buf.find(0, pos, end)
            if pos < stop <= pos + MAX_TEXT:
                octets = buf[pos:stop]
                if octets.endswith(b"/TYPE=PLMN") and octets.isascii():
                    text = octets.decode()
                    if text.isprintable():
                        return Address(text), stop + 1
        address, stop = super().read(buf, pos, end, flaw)
        if address.kind in _NO_FORM:
            flaw.note("address-unrecognised", pos)
        return address, stop


_NO_FORM: Final = (AddressKind.RAW, AddressKind.EMPTY)
ENCODED_STRING: Final = EncodedString(Text)
ADDRESS: Final = AddressValue(Address)

"""WSP texts (WSP 8.4.2.1, 8.4.2.3): up to a NUL, found by one search and never octet by octet. Knows no charset but what plain text is."""

from __future__ import annotations

import re
from typing import Final

from mmsproxy.wsp.integers import NO_VALUE
from mmsproxy.wsp.leaf import MAX_TEXT, QUOTE, REFUSE, Flaws, Leaf, fault

_TEXT = re.compile(r"(?:[^\x00-\x1F\x7F]|\t|\r\n[ \t])*")
_TOKEN = re.compile(r'[^\x00-\x20\x7F-\U0010FFFF()<>@,;:\\"/\[\]?={}]+')


def plain_text(octets: bytes) -> str:
    """8-bit octets whose charset nobody named: UTF-8 if they are, else Latin-1, which always is."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin_1")


def check_text(text: str, pos: int, flaw: Flaws) -> None:
    if not text.isprintable() and not _TEXT.fullmatch(text):
        flaw("control-character", pos)


def unquoted(octets: bytes, pos: int, flaw: Flaws) -> bytes:
    """The octets without the Quote 7F that guards a first octet of 80 or more (WSP 8.4.2.1)."""
    if octets[:1] == b"\x7f":
        if octets[1:2] < b"\x80":
            flaw("needless-quote", pos)
        return octets[1:]
    if octets and octets[0] >= 0x80:
        flaw("eight-bit-without-quote", pos)
    return octets


def text_octets(buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[bytes, int]:
    """The octets of a text up to its NUL, and the offset behind the NUL."""
    if pos >= end:
        raise fault("value-missing", pos)
    stop = buf.find(0, pos, end)
    if stop < 0:
        flaw("text-without-nul", pos)
        stop = end
    if stop - pos > MAX_TEXT:
        raise fault("text-too-long", pos)
    return buf[pos:stop], min(stop + 1, end)


def write_text(text: str, out: bytearray, quote: bool) -> None:
    """Appends UTF-8 with its NUL; `quote` puts 7F before a first octet of 80 or more."""
    try:
        octets = text.encode()
    except UnicodeEncodeError:
        raise fault("value-out-of-range", len(out), "the text holds a lone surrogate") from None
    if 0 in octets:
        raise fault("nul-in-text", len(out))
    if len(octets) > MAX_TEXT:
        raise fault("text-too-long", len(out))
    if quote and octets[:1] >= b"\x7f":
        out.append(QUOTE)
    out += octets
    out.append(0)


class TextString(Leaf):
    """[Quote] *TEXT NUL -> str. The charset is US-ASCII; UTF-8, else Latin-1, where octets of 80 and more came all the same."""

    grammar = "Text-string"
    clause = "WSP 8.4.2.1"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        stop = buf.find(0, pos, end)
        if pos <= stop <= pos + MAX_TEXT:
            octets = buf[pos:stop]
            if octets.isascii():
                text = octets.decode()
                if text.isprintable():
                    return text, stop + 1
        return self._odd(buf, pos, end, flaw)

    def _odd(self, buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[str, int]:
        octets, stop = text_octets(buf, pos, end, flaw)
        text = plain_text(unquoted(octets, pos, flaw))
        check_text(text, pos, flaw)
        return text, stop

    def write(self, value: str, out: bytearray) -> None:
        write_text(value, out, quote=True)


class ExtensionMedia(TextString):
    """*TEXT NUL, without Quote."""

    grammar = "Extension-media"

    def _odd(self, buf: bytes, pos: int, end: int, flaw: Flaws) -> tuple[str, int]:
        octets, stop = text_octets(buf, pos, end, flaw)
        text = plain_text(octets)
        check_text(text, pos, flaw)
        return text, stop

    def write(self, value: str, out: bytearray) -> None:
        write_text(value, out, quote=False)


class UriValue(ExtensionMedia):
    """The characters of a URI, NUL. Spaces and octets of 80 and more are kept as they came: a Content-Location may hold anything."""

    grammar = "Uri-value"
    clause = "WSP 8.4.2.3"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        stop = buf.find(0, pos, end)
        if pos <= stop <= pos + MAX_TEXT:
            octets = buf[pos:stop]
            if octets.isascii():
                text = octets.decode()
                if text.isprintable() and " " not in text:
                    return text, stop + 1
        text, stop = self._odd(buf, pos, end, flaw)
        if not (text.isascii() and text.isprintable()) or " " in text:
            flaw("uri-character", pos)
        return text, stop


class TokenText(TextString):
    """Token characters, NUL."""

    grammar = "Token-text"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        text, stop = super().read(buf, pos, end, flaw)
        if not _TOKEN.fullmatch(text):
            flaw("token-character", pos)
        return text, stop


class QuotedString(TextString):
    """The octet 22, *TEXT, NUL -> str without the quotation mark. No closing one stands on the wire."""

    grammar = "Quoted-string"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        if pos < end and buf[pos] == 0x22:
            text, stop = EXTENSION_MEDIA.read(buf, pos + 1, end, flaw)
            if text.endswith('"'):
                flaw.note("quoted-string-closed", pos)
            return text, stop
        text, stop = super().read(buf, pos, end, flaw)
        flaw("quoted-string-unquoted", pos)
        return text, stop

    def write(self, value: str, out: bytearray) -> None:
        out.append(0x22)
        write_text(value, out, quote=False)


class TextValue(Leaf):
    """No-value | Token-text | Quoted-string -> str; no-value is the empty one."""

    grammar = "Text-value"
    clause = "WSP 8.4.2.3"

    def read(self, buf: bytes, pos: int, end: int, flaw: Flaws = REFUSE) -> tuple[str, int]:
        if pos < end:
            if buf[pos] == 0x22:
                return QUOTED_STRING.read(buf, pos, end, flaw)
            if buf[pos] == 0:
                return "", pos + 1
        return TOKEN_TEXT.read(buf, pos, end, flaw)

    def write(self, value: str, out: bytearray) -> None:
        if not value or _TOKEN.fullmatch(value):
            write_text(value, out, quote=False)
        else:
            QUOTED_STRING.write(value, out)

    def inner(self) -> tuple[Leaf, ...]:
        return NO_VALUE, TOKEN_TEXT, QUOTED_STRING


TEXT_STRING: Final = TextString()
EXTENSION_MEDIA: Final = ExtensionMedia()
URI_VALUE: Final = UriValue()
TOKEN_TEXT: Final = TokenText()
QUOTED_STRING: Final = QuotedString()
TEXT_VALUE: Final = TextValue()

"""Text as a SIM stores it: the GSM alphabet, or one of three forms of UCS2 (3GPP TS 31.101 annex A).

Rule 1: decoding never fails: what cannot be a character becomes the replacement character. Rule 2: FF fills, and ends the text.
"""

from __future__ import annotations

import unicodedata

from gsm0338.charset import BASIC_CHARACTER_SET, BASIC_CHARACTER_SET_EXTENSION

_ESCAPE = 0x1B
_FILL = 0xFF
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_HALF_PAGE = 0x80  # octets with the top bit are characters of a half page of UCS2

# 3GPP TS 23.038 6.2.1
_DEFAULT = {septet: unicodedata.lookup(name) for septet, name in BASIC_CHARACTER_SET.items() if septet != _ESCAPE}
_EXTENSION = {septet: unicodedata.lookup(name) for septet, name in BASIC_CHARACTER_SET_EXTENSION.items() if septet != _ESCAPE}


def sim_text(octets: bytes) -> str:
    """The text of an alpha identifier or a provider's name, one line of printable characters."""
    match octets[:1]:
        case b"\x80":
            text = _ucs2(octets[1:])
        case b"\x81" if len(octets) >= 3:
            text = _paged(octets[3 : 3 + octets[1]], octets[2] << 7)
        case b"\x82" if len(octets) >= 4:
            text = _paged(octets[4 : 4 + octets[1]], int.from_bytes(octets[2:4], "big"))
        case _:
            text = _gsm(octets.partition(bytes((_FILL,)))[0])
    return "".join(char if char.isprintable() else _UNKNOWN for char in text).strip()


def _ucs2(octets: bytes) -> str:
    pairs = [octets[at : at + 2] for at in range(0, len(octets) - 1, 2)]
    end = pairs.index(b"\xff\xff") if b"\xff\xff" in pairs else len(pairs)
    return b"".join(pairs[:end]).decode("utf-16-be", "replace")


def _paged(octets: bytes, base: int) -> str:
    return "".join(chr(base + (octet & 0x7F)) if octet & _HALF_PAGE else _DEFAULT.get(octet, _UNKNOWN) for octet in octets)


def _gsm(octets: bytes) -> str:
    """One septet an octet."""
    text = []
    characters = iter(octets)
    for octet in characters:
        if octet == _ESCAPE:
            extended = next(characters, _FILL)
            text.append(_EXTENSION.get(extended, _DEFAULT.get(extended, _UNKNOWN)))
        else:
            text.append(_DEFAULT.get(octet, _UNKNOWN))
    return "".join(text)

"""The alphabets of 3GPP TS 23.038 as tables of septet -> character: default, locking shift (Annex A.3), single shift (Annex A.2).

Rule 1: only assigned septets are in a table; what an absent one shows is decided in `gsm7`. Rule 2: no code but what lays tables out.
The default alphabet is that of `gsm0338`. Septet 1B is the escape of every table and stands in none.

The nine Indian locking tables share one frame: the letters of the script in the order of its Unicode block, around the ASCII signs.
So each is written as its block, the offsets of that block which the table leaves out, and its own six letters in columns 6 and 7.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import IntEnum

from gsm0338.charset import BASIC_CHARACTER_SET, BASIC_CHARACTER_SET_EXTENSION

ESCAPE = 0x1B  # 23.038 6.2.1: the next septet is looked up in the extension table


class Language(IntEnum):
    """National language identifiers (23.038 6.2.1.2.4), as they stand in a user data header."""

    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3
    BENGALI = 4
    GUJARATI = 5
    HINDI = 6
    KANNADA = 7
    MALAYALAM = 8
    ORIYA = 9
    PUNJABI = 10
    TAMIL = 11
    TELUGU = 12
    URDU = 13


def _named(table: dict[int, str]) -> dict[int, str]:
    return {septet: unicodedata.lookup(name) for septet, name in table.items() if septet != ESCAPE}


def _at(septets: Iterable[int], chars: str) -> dict[int, str]:
    return dict(zip(septets, chars, strict=True))


# 6.2.1 and 6.2.1.1
DEFAULT = _named(BASIC_CHARACTER_SET)
DEFAULT_EXTENSION = _named(BASIC_CHARACTER_SET_EXTENSION)

# --- A.3 locking shift ------------------------------------------------------------------------------------------------------------
_INDIC_SIGNS = (
    _at((0x0A, 0x0D, 0x20, 0x21, 0x28, 0x29, 0x2C, 0x2E, 0x3A, 0x3B, 0x3F), "\n\r !)(,.:;?")
    | _at(range(0x30, 0x3A), "0123456789")
    | _at(range(0x61, 0x7B), "abcdefghijklmnopqrstuvwxyz")
)
_INDIC_OFFSETS = dict(
    zip(
        [s for s in range(0x60) if s not in _INDIC_SIGNS and s != ESCAPE],
        [o for o in range(0x01, 0x4E) if o not in (0x04, 0x3A, 0x3B)],
        strict=True,
    )
)
_INDIC_OWN = (0x60, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F)


def _indic(block: int, left_out: set[int], own: str) -> dict[int, str]:
    letters = {septet: chr(block + offset) for septet, offset in _INDIC_OFFSETS.items() if offset not in left_out}
    return _INDIC_SIGNS | letters | _at(_INDIC_OWN, own)


def _rows(*rows: str) -> dict[int, str]:
    septets = [s for s in range(0x80) if s != ESCAPE]
    return _at(septets, "".join(rows))


LOCKING_SHIFT: dict[int, dict[int, str]] = {
    # A.3.1
    Language.TURKISH: DEFAULT | _at((0x04, 0x07, 0x0B, 0x0C, 0x1C, 0x1D, 0x40, 0x60), "€ıĞğŞşİç"),
    # A.3.2 is void: Spanish has no locking table
    # A.3.3
    Language.PORTUGUESE: DEFAULT
    | _at((0x04, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x0C, 0x0E, 0x0F), "êúíóçÔôÁá")
    | _at((0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1C, 0x1D, 0x1E), "ªÇÀ∞^\\€Ó|ÂâÊ")
    | _at((0x24, 0x40, 0x5B, 0x5C, 0x5D, 0x60, 0x7B, 0x7C, 0x7D), "ºÍÃÕÚ~ãõ`"),
    # A.3.4
    Language.BENGALI: _indic(
        0x0980,
        {0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x33, 0x34, 0x35, 0x45, 0x46, 0x49, 0x4A},
        "\u09ce\u09d7\u09dc\u09dd\u09f0\u09f1",
    ),
    # A.3.5
    Language.GUJARATI: _indic(0x0A80, {0x0E, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4A}, "\u0ad0\u0ae0\u0ae1\u0ae2\u0ae3\u0af1"),
    # A.3.6
    Language.HINDI: _indic(0x0900, set(), "\u0950\u0972\u097b\u097c\u097e\u097f"),
    # A.3.7
    Language.KANNADA: _indic(0x0C80, {0x01, 0x0D, 0x11, 0x29, 0x34, 0x45, 0x49}, "\u0cd5\u0cd6\u0ce0\u0ce1\u0ce2\u0ce3"),
    # A.3.8
    Language.MALAYALAM: _indic(0x0D00, {0x01, 0x0D, 0x11, 0x29, 0x3C, 0x45, 0x49}, "\u0d57\u0d60\u0d61\u0d62\u0d63\u0d79"),
    # A.3.9
    Language.ORIYA: _indic(
        0x0B00,
        {0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x45, 0x46, 0x49, 0x4A},
        "\u0b56\u0b57\u0b60\u0b61\u0b62\u0b63",
    ),
    # A.3.10
    Language.PUNJABI: _indic(
        0x0A00,
        {0x0B, 0x0C, 0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x37, 0x3D, 0x43, 0x44, 0x45, 0x46, 0x49, 0x4A},
        "\u0a51\u0a70\u0a71\u0a72\u0a73\u0a74",
    ),
    # A.3.11
    Language.TAMIL: _indic(
        0x0B80,
        {0x01, 0x0B, 0x0C, 0x0D, 0x11, 0x16, 0x17, 0x18, 0x1B, 0x1D, 0x20, 0x21, 0x22, 0x25, 0x26, 0x27}
        | {0x2B, 0x2C, 0x2D, 0x3C, 0x3D, 0x43, 0x44, 0x45, 0x49},
        "\u0bd0\u0bd7\u0bf0\u0bf1\u0bf2\u0bf9",
    ),
    # A.3.12
    Language.TELUGU: _indic(0x0C00, {0x0D, 0x11, 0x29, 0x34, 0x3C, 0x45, 0x49}, "\u0c55\u0c56\u0c60\u0c61\u0c62\u0c63"),
    # A.3.13
    Language.URDU: _rows(
        "\u0627\u0622\u0628\u067b\u0680\u067e\u06a6\u062a\u06c2\u067f\n\u0679\u067d\r\u067a\u067c",
        "\u062b\u062c\u0681\u0684\u0683\u0685\u0686\u0687\u062d\u062e\u062f\u068c\u0688\u0689\u068a",
        " !\u068f\u068d\u0630\u0631\u0691\u0693)(\u0699\u0632,\u0696.\u0698",
        "0123456789:;\u069a\u0633\u0634?",
        "\u0635\u0636\u0637\u0638\u0639\u0641\u0642\u06a9\u06aa\u06ab\u06af\u06b3\u06b1\u0644\u0645\u0646",
        "\u06ba\u06bb\u06bc\u0648\u06c4\u06d5\u06c1\u06be\u0621\u06cc\u06d0\u06d2\u064d\u0650\u064f\u0657",
        "\u0654abcdefghijklmno",
        "pqrstuvwxyz\u0655\u0651\u0653\u0656\u0670",
    ),
}

# --- A.2 single shift -------------------------------------------------------------------------------------------------------------
_ASIAN_SIGNS = (
    _at((*range(0x0D), *range(0x0E, 0x19)), "@£$¥¿\"¤%&'\f*+-/<=>¡^¡_#*")
    | _at((0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65), "{}\\[~]|€")
    | _at(range(0x41, 0x5B), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
)
_DIGITS = (*range(0x1C, 0x20), *range(0x20, 0x26))
_OWN = (0x26, 0x27, *range(0x2A, 0x2F), *range(0x30, 0x3C))
_DANDA = _at((0x19, 0x1A), "\u0964\u0965")


def _asian(zero: int, own: str = "", danda: dict[int, str] = _DANDA) -> dict[int, str]:
    """Digits of the script from `zero` on, its own characters in the free places from 26 on (a space leaves a place free)."""
    digits = {septet: chr(zero + n) for n, septet in enumerate(_DIGITS)}
    letters = {septet: char for septet, char in zip(_OWN, own, strict=False) if char != " "}
    return _ASIAN_SIGNS | danda | digits | letters


_BENGALI_DIGITS = _at(
    (0x19, 0x1A, 0x1C, 0x1D, 0x1E, 0x1F, *range(0x20, 0x24)), "\u09e6\u09e7\u09e8\u09e9\u09ea\u09eb\u09ec\u09ed\u09ee\u09ef"
)
_BENGALI_OWN = _at(
    (*range(0x24, 0x28), *range(0x2A, 0x2F), *range(0x30, 0x35)),
    "\u09df\u09e0\u09e1\u09e2\u09e3\u09f2\u09f3\u09f4\u09f5\u09f6\u09f7\u09f8\u09f9\u09fa",
)

SINGLE_SHIFT: dict[int, dict[int, str]] = {
    # A.2.1
    Language.TURKISH: DEFAULT_EXTENSION | _at((0x47, 0x49, 0x53, 0x63, 0x67, 0x69, 0x73), "ĞİŞçğış"),
    # A.2.2
    Language.SPANISH: DEFAULT_EXTENSION | _at((0x09, 0x41, 0x49, 0x4F, 0x55, 0x61, 0x69, 0x6F, 0x75), "çÁÍÓÚáíóú"),
    # A.2.3
    Language.PORTUGUESE: DEFAULT_EXTENSION
    | _at((0x05, 0x09, 0x0B, 0x0C, 0x0E, 0x0F, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1F), "êçÔôÁáΦΓΩΠΨΣΘÊ")
    | _at((0x41, 0x49, 0x4F, 0x55, 0x5B, 0x5C, 0x61, 0x69, 0x6F, 0x75, 0x7B, 0x7C, 0x7F), "ÀÍÓÚÃÕÂíóúãõâ"),
    # A.2.4: the digits begin two places before those of its neighbours
    Language.BENGALI: _ASIAN_SIGNS | _BENGALI_DIGITS | _BENGALI_OWN,
    # A.2.5
    Language.GUJARATI: _asian(0x0AE6),
    # A.2.6
    Language.HINDI: _asian(
        0x0966, "\u0951\u0952\u0953\u0954\u0958\u0959\u095a\u095b\u095c\u095d\u095e\u095f\u0960\u0961\u0962\u0963\u0970\u0971"
    ),
    # A.2.7
    Language.KANNADA: _asian(0x0CE6, "\u0cde\u0cf1\u0cf2"),
    # A.2.8
    Language.MALAYALAM: _asian(0x0D66, "\u0d70\u0d71\u0d72\u0d73\u0d74\u0d75\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f"),
    # A.2.9
    Language.ORIYA: _asian(0x0B66, "\u0b5c\u0b5d\u0b5f\u0b70\u0b71"),
    # A.2.10
    Language.PUNJABI: _asian(0x0A66, "\u0a59\u0a5a\u0a5b\u0a5c\u0a5e\u0a75"),
    # A.2.11
    Language.TAMIL: _asian(0x0BE6, "\u0bf3\u0bf4\u0bf5\u0bf6\u0bf7\u0bf8\u0bfa"),
    # A.2.12: without the two dandas
    Language.TELUGU: _asian(0x0C66, "\u0c58\u0c59\u0c78\u0c79\u0c7a\u0c7b\u0c7c\u0c7d\u0c7e\u0c7f", danda={}),
    # A.2.13
    Language.URDU: _asian(
        0x06F0,
        "\u060c\u060d\u060e\u060f\u0610\u0611\u0612\u0613\u0614\u061b\u061f\u0640\u0652\u0658\u066b\u066c\u0672\u0673\u06cd",
        danda=_at((0x19, 0x1A), "\u0600\u0601"),
    )
    | {0x3F: "\u06d4"},
}

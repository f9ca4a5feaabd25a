"""The GSM 7-bit alphabets of 3GPP TS 23.038: text <-> septets, and septets <-> packed octets.

Rule 1: a septet is one octet 00-7F here; only `pack` and `unpack` know how septets share octets on the air.
Rule 2: decoding never fails, as 23.038 wants (6.2.1.1: a code outside the extension table is shown as the character of the main
table); encoding never guesses, it refuses a character that the chosen tables do not hold.
Rule 3: it knows nothing of messages, headers or parts.

The default alphabet is that of `gsm0338`; its codec is not used: it raises where 23.038 names a fallback, and it appends octet by octet.
"""

from __future__ import annotations

from functools import cache

from mmsproxy.errors import PduError
from mmsproxy.wire.gsm7_tables import DEFAULT, DEFAULT_EXTENSION, ESCAPE, LOCKING_SHIFT, SINGLE_SHIFT

BITS_PER_SEPTET = 7


@cache
def _septets_of(locking: int, single: int) -> dict[str, bytes]:
    """Each character's septets: one from the main table, or the escape and one from the extension table."""
    extension = {char: bytes((ESCAPE, septet)) for septet, char in SINGLE_SHIFT.get(single, DEFAULT_EXTENSION).items()}
    return extension | {char: bytes((septet,)) for septet, char in LOCKING_SHIFT.get(locking, DEFAULT).items()}


@cache
def costs(locking: int = 0, single: int = 0) -> dict[str, int]:
    """Septets that each character of the alphabet takes: 1, or 2 from the extension table. Not to be changed by the caller."""
    return {char: len(septets) for char, septets in _septets_of(locking, single).items()}


def fits(text: str, locking: int = 0, single: int = 0) -> bool:
    """Whether each character of the text is in the alphabet."""
    return _septets_of(locking, single).keys() >= set(text)


def encode(text: str, locking: int = 0, single: int = 0) -> bytes:
    """Text to septets, one per octet. `locking` and `single` are national language identifiers (0: the default tables).

    Raises PduError `character-not-in-alphabet`; its offset is the index of the character in the text.
    """
    table = _septets_of(locking, single)
    if not table.keys() >= set(text):
        at = next(index for index, char in enumerate(text) if char not in table)
        raise PduError("character-not-in-alphabet", offset=at, detail=f"U+{ord(text[at]):04X} is not in this GSM 7-bit alphabet")
    return b"".join([table[char] for char in text])


def decode(septets: bytes, locking: int = 0, single: int = 0) -> str:
    """Septets to text; total. An escape at the end, an escape after an escape, and a code of no table are a space."""
    main, extension = LOCKING_SHIFT.get(locking, DEFAULT), SINGLE_SHIFT.get(single, DEFAULT_EXTENSION)
    chars: list[str] = []
    escaped = False
    for septet in septets:
        if septet == ESCAPE and not escaped:
            escaped = True
            continue
        chars.append(extension.get(septet, main.get(septet, " ")) if escaped else main.get(septet, " "))
        escaped = False
    return "".join(chars) + (" " if escaped else "")


def pack(septets: bytes, fill_bits: int = 0) -> bytes:
    """Septets to octets (23.038 6.1.2.1), lowest bits first, after `fill_bits` zero bits that end a user data header.

    The bits behind the last septet are zero: an SMS tells its length in septets, so they cannot be read as "@".
    """
    value, bits = 0, fill_bits
    out = bytearray()
    for septet in septets:
        value |= septet << bits
        bits += BITS_PER_SEPTET
        while bits >= 8:
            out.append(value & 0xFF)
            value >>= 8
            bits -= 8
    if bits:
        out.append(value)
    return bytes(out)


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> bytes:
    """The first `count` septets that stand in the octets behind `fill_bits` bits; fewer if the octets hold fewer."""
    held = max(0, len(octets) * 8 - fill_bits) // BITS_PER_SEPTET
    wanted = min(count, held)
    packed = int.from_bytes(octets[: (wanted * BITS_PER_SEPTET + fill_bits + 7) // 8], "little") >> fill_bits
    return bytes((packed >> shift) & 0x7F for shift in range(0, wanted * BITS_PER_SEPTET, BITS_PER_SEPTET))

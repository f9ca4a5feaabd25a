"""Opaque ids of the API: `msg_01JDA...`, `req_01JDA...`. They sort by time as text; nobody may read more than that out of them.

The form is ULID: 48 bits of milliseconds since 1970 and 80 random bits in Crockford's base 32. The clock and the random bits come in
as arguments, so this module is pure.
"""

from __future__ import annotations

RANDOM_BYTES = 10
ULID_LENGTH = 26  # characters: 130 bits for 128
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(milliseconds: int, random: bytes) -> str:
    """26 characters. Raises ValueError for a time before 1970 or after 10889, or for other than RANDOM_BYTES octets."""
    if not 0 <= milliseconds < 1 << 48 or len(random) != RANDOM_BYTES:
        raise ValueError("a ULID is made of 48 bits of time and 10 random octets")
    number = milliseconds << 80 | int.from_bytes(random, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (ULID_LENGTH - 1), -1, -5))

"""Mutations of PDUs in plain Python, for where atheris is not installed and for counted campaigns. Deterministic for a given Random.

Half of them are blind, half know what hurts a decoder: lengths, counts, texts without their NUL, headers of another type, nesting.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

MAX_LENGTH = 8192

# Values in their usual and unusual forms, long and short lengths, starts of parts.
_TOKENS = """
    00 7F 80 81 84 FF 1F 1E 20 1F00 1F7F 1F8001 1F8FFFFFFF7F 1FFFFFFFFF7F 8080808000 FFFFFFFFFF 0000 8C80 8C84 8C95 8C97 8C98
    98543100 8D92 8D312E3300 84A3 84B3 84A300 84A301 84A381 84A3FFFFFFFF7F 84061F03A3850000 890181 89018080 88058103 8805810303F480 8800
    8904
    96 9600 9607EA7FC384726700 9603EAFF00 96040203E84100 96050203F41B24 9617 A003 A1 A4028080 B2046100 8280 C0223C61 8E61 AE0281 AE02818600
    AF84
    C502 8F10 8B80 8DFF 0500 0A8381EA 9700 97 81 8100 82 850469223680 850569 851E 0403830061 010183 00018300 FFFF7F 1E 7F80 7F41 0D0A20
    EFBBBF
    FEFF FFFE 0106 0107 06 03BEAF84 05040B8423F0 0003070201 08040001 0B05 24010F 2501 0791 0B91 F0 0804 D0"""
TOKENS = tuple(bytes.fromhex(octets) for octets in _TOKENS.split())

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def _flip(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rand.randrange(len(data))
    data[at] ^= 1 << rand.randrange(8)


def _octet(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    data[rand.randrange(len(data))] = rand.choice((0, 0x1F, 0x20, 0x7F, 0x80, 0x84, 0x8C, 0xFF, rand.randrange(256)))


def _nudge(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rand.randrange(len(data))
    data[at] = (data[at] + rand.choice((-2, -1, 1, 2))) % 256


def _insert(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rand.randrange(len(data) + 1)
    data[at:at] = rand.randbytes(rand.randint(1, 4))


def _token(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rand.randrange(len(data) + 1)
    token = rand.choice(TOKENS)
    data[at : at + rand.choice((0, len(token)))] = token


def _delete(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rand.randrange(len(data))
    del data[at : at + rand.randint(1, 8)]


def _cut(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    del data[rand.randrange(len(data)) :]


def _repeat(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rand.randrange(len(data))
    piece = data[at : at + rand.randint(1, 40)]
    data[at:at] = piece * rand.choice((1, 1, 2, 16))


def _splice(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rand.choice(seeds)
    data[rand.randrange(len(data)) :] = other[rand.randrange(len(other)) :]


def _type(rand: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if len(data) > 1:
        data[1] = rand.randrange(0x7F, 0x9A)


_MUTATIONS: tuple[Mutation, ...] = (_flip, _octet, _octet, _nudge, _insert, _token, _token, _token, _delete, _cut, _repeat, _splice, _type)


def mutated(rand: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed one to four times."""
    data = bytearray(rand.choice(seeds))
    for _ in range(rand.choice((1, 1, 2, 3, 4))):
        if not data:
            data += b"\0"
        rand.choice(_MUTATIONS)(rand, data, seeds)
    return bytes(data[:MAX_LENGTH])

"""Text of the SIM: the four codings of 3GPP TS 31.101 annex A."""

from __future__ import annotations

import pytest

from mmsproxy.at.sim_text import sim_text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("4D696E74FFFFFF", "Mint"),
        ("53696D756C61746564", "Simulated"),
        ("00021B65", "@$€"),
        ("1B41", "A"),
        ("1B", "\N{REPLACEMENT CHARACTER}"),
        ("C1", "\N{REPLACEMENT CHARACTER}"),
        ("80041100", "Б"),  # an odd octet at the end is none
        ("80041C04220421FFFF", "МТС"),
        ("8103089C9D9EFFFF", "МНО"),
        ("810308414293FFFF", "ABГ"),
        ("82030410838485FF", "ГДЕ"),
        ("8202041041A0FFFF", "Aа"),
        ("81", "\N{REPLACEMENT CHARACTER}"),
        ("", ""),
        ("FFFF", ""),
        ("0A41", "\N{REPLACEMENT CHARACTER}A"),
    ],
)
def test_codings(octets: str, text: str) -> None:
    assert sim_text(bytes.fromhex(octets)) == text


def test_no_octets_fail() -> None:
    for first in range(256):
        for second in (0x00, 0x1B, 0x7F, 0x80, 0xD8, 0xFF):
            text = sim_text(bytes((first, second, first, second, first)))
            assert all(char.isprintable() for char in text)

"""User data headers typed by hand from 23.040 9.2.3.24."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire.sms_udh import Concatenation, Element, Header, Ports, language_elements, read_header

FIXED = settings(derandomize=True, deadline=None, max_examples=100)


def header(octets: str) -> Header:
    return read_header(bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("octets", "ports", "place"),
    [
        ("0605040b8423f0", Ports(2948, 9200), None),
        ("0404024001", Ports(0x40, 0x01, 8), None),
        ("0500035a0302", None, Concatenation(0x5A, 3, 2)),
        ("0608049f8e0201", None, Concatenation(0x9F8E, 2, 1, 16)),
        ("0b05040b8423f00003aa0201", Ports(2948, 9200), Concatenation(0xAA, 2, 1)),
        ("0c08049f8e020105040b8423f0", Ports(2948, 9200), Concatenation(0x9F8E, 2, 1, 16)),
        ("0b0003aa010105040b840001", Ports(2948, 1), Concatenation(0xAA, 1, 1)),
        ("00", None, None),
    ],
)
def test_ports_and_places_in_either_order(octets: str, ports: Ports | None, place: Concatenation | None) -> None:
    found = header(octets)
    assert (found.ports, found.concatenation, found.stray) == (ports, place, b"")
    assert found.octets.hex() == octets


@pytest.mark.parametrize(
    "octets",
    ["0500030100" + "01", "0500030102" + "00", "0500030102" + "03", "0400020102", "060004010201" + "01", "06080401020002"],
)
def test_impossible_concatenation_is_ignored(octets: str) -> None:
    assert header(octets).concatenation is None
    assert header(octets).octets.hex() == octets


def test_the_last_valid_element_counts() -> None:
    assert header("0a000301020100030202" + "02").concatenation == Concatenation(2, 2, 2)
    assert header("0a0003010201000302" + "0000").concatenation == Concatenation(1, 2, 1)
    assert header("0c05040b8423f00504c0020001").ports == Ports(0xC002, 1)
    assert header("09240101240102250103").single_shift == 2


def test_ports_of_a_wrong_length_are_none() -> None:
    assert header("0505030b8423").ports is None
    assert header("03040140").ports is None


def test_languages() -> None:
    found = header("06240101250103")
    assert (found.single_shift, found.locking_shift) == (1, 3)
    assert (header("00").single_shift, header("0424020101").single_shift) == (0, 0)
    assert language_elements(3, 1) == found.elements
    assert language_elements(0, 0) == ()
    assert language_elements(3, 0) == (Element(0x25, b"\x03"),)


def test_unknown_elements_and_stray_octets_are_kept() -> None:
    found = header("0770020102" + "0505" + "ff")
    assert found.elements == (Element(0x70, b"\x01\x02"),)
    assert found.stray == b"\x05\x05\xff"
    assert found.octets.hex() == "07700201020505ff"
    assert header("017f").stray == b"\x7f"


@pytest.mark.parametrize("octets", ["", "01", "05000301"])
def test_a_header_beyond_the_data(octets: str) -> None:
    with pytest.raises(PduError) as refused:
        header(octets)
    assert (refused.value.rule, refused.value.offset) == ("header-beyond-data", 0)


def test_what_follows_is_not_of_the_header() -> None:
    assert header("0500035a0302" + "c2").octets.hex() == "0500035a0302"


@pytest.mark.parametrize(
    ("made", "octets"),
    [
        (Ports(2948, 9200).element(), "0504" + "0b8423f0"),
        (Ports(255, 0, 8).element(), "0402" + "ff00"),
        (Concatenation(0xAA, 255, 255).element(), "0003" + "aaffff"),
        (Concatenation(0xFFFF, 2, 1, 16).element(), "0804" + "ffff0201"),
    ],
)
def test_making_elements(made: Element, octets: str) -> None:
    assert Header((made,)).octets.hex() == f"{len(octets) // 2:02x}{octets}"


@pytest.mark.parametrize(
    "wrong",
    [
        Ports(65536, 0),
        Ports(0, -1),
        Ports(256, 0, 8),
        Concatenation(256, 2, 1),
        Concatenation(65536, 2, 1, 16),
        Concatenation(1, 256, 1),
        Concatenation(1, 2, 3),
        Concatenation(1, 2, 0),
    ],
)
def test_elements_that_cannot_be_made(wrong: Ports | Concatenation) -> None:
    with pytest.raises(PduError, match="element-not-encodable"):
        wrong.element()


@FIXED
@given(st.binary(max_size=140))
def test_octets_survive(octets: bytes) -> None:
    try:
        found = read_header(octets)
    except PduError:
        assert not octets or octets[0] >= len(octets)
    else:
        assert found.octets == octets[: 1 + octets[0]]
        assert found.ports is None or found.ports.bits in (8, 16)
        assert found.concatenation is None or found.concatenation.sequence <= found.concatenation.total

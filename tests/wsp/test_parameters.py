"""Parameters by number and by name, and the values that carry them."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wap_numbers import PARAMETER_NAMES
from mmsproxy.wsp.leaf import Lenient
from mmsproxy.wsp.parameters import (
    CONTENT_TYPE,
    DISPOSITION,
    ELEMENT_DESCRIPTOR,
    ELEMENT_PARAMETER_LIST,
    MAX_PARAMETERS,
    PARAMETER_GRAMMARS,
    PARAMETER_LIST,
)
from mmsproxy.wsp.values import ContentType, Disposition, ElementDescriptor, Parameter

# number, octets of the value, value: one for each row of WSP table 38
VALUES: list[tuple[int, bytes, Any]] = [
    (0x00, b"\x51", 0.8),
    (0x01, b"\xea", 106),
    (0x02, b"\x92", 0x92),
    (0x03, b"\x83", 3),
    (0x05, b"a.txt\0", "a.txt"),
    (0x06, b"a.txt\0", "a.txt"),
    (0x07, b"\x91", 0x11),
    (0x08, b"\x80", 0),
    (0x09, b"application/smil\0", "application/smil"),
    (0x0A, b"<smil>\0", "<smil>"),
    (0x0B, b"info\0", "info"),
    (0x0C, b"said\0", "said"),
    (0x0D, b"a.org\0", "a.org"),
    (0x0E, b"\x02\x0e\x10", 3600),
    (0x0F, b"/a\0", "/a"),
    (0x10, b"\0", None),
    (0x11, b"\x81", 1),
    (0x12, b"AB12\0", "AB12"),
    (0x13, b"\x04\x69\x22\x36\x80", 1763849856),
    (0x14, b"\x01\x05", 5),
    (0x15, b"\x01\x05", 5),
    (0x16, b"\x02\x01\x00", 256),
    (0x17, b'"a b\0', "a b"),
    (0x18, b"a.txt\0", "a.txt"),
    (0x19, b'"<s>\0', "<s>"),
    (0x1A, b"info\0", "info"),
    (0x1B, b"said\0", "said"),
    (0x1C, b"a.org\0", "a.org"),
    (0x1D, b'"/a\0', "/a"),
]


def test_the_rows_are_those_of_the_numbers() -> None:
    assert [number for number, _, _ in VALUES] == list(PARAMETER_GRAMMARS) == list(PARAMETER_NAMES)


@pytest.mark.parametrize(("number", "raw", "value"), VALUES)
def test_every_parameter_both_ways(number: int, raw: bytes, value: Any) -> None:
    octets = bytes((0x80 | number,)) + raw
    expected = (Parameter(PARAMETER_NAMES[number], value, number),)
    assert PARAMETER_LIST.parse(octets) == expected
    assert PARAMETER_LIST.build(expected) == octets
    # The number may come as a long-integer, and any but a q-value may be text.
    assert PARAMETER_LIST.parse(b"\x01" + bytes((number,)) + raw) == expected
    if number not in (0x00, 0x02):
        text = PARAMETER_LIST.parse(bytes((0x80 | number,)) + b"word\0")
        assert text == (Parameter(PARAMETER_NAMES[number], "word", number),)
        assert PARAMETER_LIST.build(text) == bytes((0x80 | number,)) + b"word\0"


def lenient(octets: bytes) -> tuple[tuple[Parameter, ...], list[tuple[str, str]]]:
    flaws = Lenient()
    parameters, stop = PARAMETER_LIST.read(octets, 0, len(octets), flaws)
    assert stop == len(octets)
    return parameters, [(rule, path) for rule, _, path in flaws.found]


def test_a_number_that_is_not_assigned_is_kept() -> None:
    parameters, found = lenient(b"\xfe\x81\x02\x01\x00word\0\x81\xea")
    assert parameters == (
        Parameter("x-wap-7e", b"\x81", 0x7E),
        Parameter("x-wap-100", b"word\0", 256),
        Parameter("charset", 106, 1),
    )
    assert found == [("parameter-unknown", "parameters[0]"), ("parameter-unknown", "parameters[1]")]
    assert PARAMETER_LIST.build(parameters) == b"\xfe\x81\x02\x01\x00word\0\x81\xea"


def test_a_value_that_breaks_its_grammar_is_kept_as_octets() -> None:
    parameters, found = lenient(b"\x91\x02\x01\x02\x81\xea")
    assert parameters == (Parameter("sec", b"\x02\x01\x02", 0x11), Parameter("charset", 106, 1))
    assert found == [("short-integer-octet", "parameters[0]")]
    assert PARAMETER_LIST.build(parameters) == b"\x91\x02\x01\x02\x81\xea"


def test_what_cannot_be_read_ends_the_list() -> None:
    parameters, found = lenient(b"\x81\xea\x85")
    assert parameters == (Parameter("charset", 106, 1),)
    assert found == [("value-missing", "parameters[1]")]
    assert lenient(b"\x05")[1] == [("value-beyond-data", "parameters[0]")]


def test_texts_with_their_names() -> None:
    parameters, found = lenient(b'charset\0utf-8\0X-Own\0\x87name\0"a b\0x\0\0')
    assert parameters == (Parameter("charset", "utf-8"), Parameter("X-Own", 7), Parameter("name", "a b"), Parameter("x", ""))
    assert found == [("textual-parameter", "parameters[0]"), ("textual-parameter", "parameters[2]")]
    assert PARAMETER_LIST.build(parameters) == b'charset\0utf-8\0X-Own\0\x87name\0"a b\0x\0\0'


def test_the_limit_of_parameters_is_kept_leniently_too() -> None:
    assert len(lenient(b"\x81\xea" * MAX_PARAMETERS)[0]) == MAX_PARAMETERS
    with pytest.raises(PduError) as caught:
        lenient(b"\x81\xea" * (MAX_PARAMETERS + 1))
    assert caught.value.rule == "too-many-parameters"


def test_a_text_too_long_is_a_broken_limit() -> None:
    with pytest.raises(PduError) as caught:
        lenient(b"\x85" + b"x" * 65537 + b"\0")
    assert (caught.value.rule, caught.value.path) == ("text-too-long", "parameters[0]")


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (ContentType("text/plain"), b"\x83"),
        (ContentType("audio/amr"), b"audio/amr\0"),
        (ContentType("application/vnd.omaloc-supl-init"), b"\x03\x02\x03\x12"),
        (ContentType("text/plain", charset="UTF-8"), b"\x03\x83\x81\xea"),
        (ContentType("text/plain", charset=1000), b"\x05\x83\x81\x02\x03\xe8"),
        (ContentType("a/b", x_own="c"), b"\x0ca/b\0x-own\0c\0"),
        (ContentType(""), b"\x01\0"),
    ],
)
def test_content_types(value: ContentType, octets: bytes) -> None:
    assert CONTENT_TYPE.build(value) == octets
    assert CONTENT_TYPE.parse(octets) == value


def test_dispositions() -> None:
    value = Disposition("attachment", filename="a.jpg", size=5)
    octets = b"\x0a\x81\x86a.jpg\0\x96\x85"
    assert DISPOSITION.build(value) == octets
    assert DISPOSITION.parse(octets) == value
    assert DISPOSITION.inner()[1] is PARAMETER_LIST


def test_element_descriptors_have_a_number_space_of_their_own() -> None:
    value = ElementDescriptor("cid:a", (Parameter("type", "image/jpeg", 2), Parameter("own", "x")))
    octets = b"\x0ecid:a\0\x82\x9eown\0x\0"
    assert ELEMENT_DESCRIPTOR.build(value) == octets
    assert ELEMENT_DESCRIPTOR.parse(octets) == value
    assert ELEMENT_PARAMETER_LIST.parse(b"\x82text/x\0") == (Parameter("type", "text/x", 2),)
    flaws = Lenient()
    assert ELEMENT_PARAMETER_LIST.read(b"\x85\x81", 0, 2, flaws)[0] == (Parameter("x-wap-05", b"\x81", 5),)
    assert len(ELEMENT_DESCRIPTOR.inner()) == 2
    assert len(CONTENT_TYPE.inner()) == 3

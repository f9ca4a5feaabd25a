"""The assigned numbers: complete, unique, in order; reserved octets are folded for decisions only."""

from __future__ import annotations

import codecs
import inspect
from enum import IntEnum

import pytest

from mmsproxy import wap_numbers as n

ENUMS = [found for _, found in inspect.getmembers(n, inspect.isclass) if issubclass(found, IntEnum) and found is not IntEnum]


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_enumerations_hold_wire_octets_in_order(enum: type[IntEnum]) -> None:
    assert [int(member) for member in enum] == sorted(int(member) for member in enum)
    assert all(0x80 <= member <= 0xFF for member in enum)


def test_the_24_message_types() -> None:
    assert [int(member) for member in n.MessageType] == list(range(0x80, 0x98))
    assert n.label(n.MessageType.M_NOTIFYRESP_IND) == "m-notifyresp-ind"
    assert n.label(n.ResponseStatus.ERROR_PERMANENT_LACK_OF_PREPAID) == "error-permanent-lack-of-prepaid"


RESPONSE_FOLDS = {0x80: 0x80, 0x88: 0x88, 0xC4: 0xC4, 0xC5: 0xC0, 0xDF: 0xC0, 0xEB: 0xEB, 0xEC: 0xE0, 0xFF: 0xE0, 0x00: 0xE0, 0xBF: 0xE0}


@pytest.mark.parametrize(("octet", "acts_as"), RESPONSE_FOLDS.items())
def test_response_status_folds(octet: int, acts_as: int) -> None:
    assert n.fold_response_status(octet) == acts_as


@pytest.mark.parametrize(("octet", "acts_as"), [(0x80, 0x80), (0xC2, 0xC2), (0xC3, 0xC0), (0xE3, 0xE3), (0xE4, 0xE0), (0x81, 0xE0)])
def test_retrieve_status_folds(octet: int, acts_as: int) -> None:
    assert n.fold_retrieve_status(octet) == acts_as


@pytest.mark.parametrize(("octet", "acts_as"), [(0x80, 0x80), (0xC1, 0xC1), (0xC2, 0xC0), (0xE4, 0xE4), (0xE5, 0xE0), (0x7F, 0xE0)])
def test_store_status_folds(octet: int, acts_as: int) -> None:
    assert n.fold_store_status(octet) == acts_as


def test_media_types() -> None:
    assert len(n.MEDIA_TYPES) == 124
    assert list(n.MEDIA_TYPES) == sorted(n.MEDIA_TYPES)
    assert len(n.MEDIA_NUMBERS) == len(n.MEDIA_TYPES)
    assert n.media_name(0x33) == "application/vnd.wap.multipart.related"
    assert n.media_number("TEXT/X-vcard") == 0x07
    assert n.media_number("application/smil") is None


@pytest.mark.parametrize("number", [0x59, 0x7F, 0x316, 0xFFFFFF])
def test_an_unassigned_media_type_keeps_its_number(number: int) -> None:
    assert n.media_number(n.media_name(number)) == number


@pytest.mark.parametrize("name", ["application/x-wap-", "application/x-wap-5", "application/x-wap-zz", "application/x-wap-123456789"])
def test_a_name_that_only_looks_like_a_number_has_none(name: str) -> None:
    assert n.media_number(name) is None


def test_parameters() -> None:
    numbers = [number for number, _, _ in n.PARAMETERS]
    assert numbers == sorted(set(numbers)) == [*range(0x04), *range(0x05, 0x1E)]
    assert {name: n.PARAMETER_NUMBERS[name] for name in ("charset", "name", "filename", "type", "start", "start-info")} == {
        "charset": 0x01,
        "name": 0x05,
        "filename": 0x06,
        "type": 0x09,
        "start": 0x0A,
        "start-info": 0x0B,
    }


def test_headers_of_parts() -> None:
    assert [number for number, _ in n.WSP_HEADERS] == list(range(0x4B))
    assert n.WSP_HEADER_NAMES[0x40] == "Content-ID"


def test_every_charset_has_a_codec_that_python_knows_or_none() -> None:
    mibs = [mib for mib, _, _ in n.CHARSETS]
    assert mibs == sorted(set(mibs))
    for _, _, names in n.CHARSETS:
        for name in names:
            codecs.lookup(name)
    assert {mib for mib, _, names in n.CHARSETS if not names} == {104, 105, 1011, 1016}
    assert n.CHARSET_NUMBERS["utf-8"] == n.CHARSET_NUMBERS["utf8"] == n.UTF_8 == 106
    assert set(n.CHARSET_WIDTHS) <= set(mibs)

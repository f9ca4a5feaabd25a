"""Values as JSON and in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmsproxy.wap_numbers import FromToken, MboxToken, MessageClass, MmFlagToken, Priority
from mmsproxy.wire.pdu_values import header_json, meaning, moment, span, value_json
from mmsproxy.wsp.values import (
    Absolute,
    Address,
    ContentType,
    Counted,
    Disposition,
    ElementDescriptor,
    MboxTotal,
    MmFlags,
    Parameter,
    Relative,
    Text,
)


@pytest.mark.parametrize(
    ("value", "shown", "words"),
    [
        (None, None, None),
        (True, True, None),
        (5, 5, None),
        (0.5, 0.5, None),
        ("x", "x", None),
        (b"\x80", {"hex": "80"}, None),
        (memoryview(b"\x80"), {"hex": "80"}, None),
        (Priority.HIGH, 130, "high"),
        (MessageClass.AUTO, 131, "auto"),
        (FromToken.INSERT_ADDRESS, {"insert_address": True}, "insert-address"),
        (Text("x"), "x", None),
        (Text("Ä", 106), {"text": "Ä", "charset": 106}, "utf-8"),
        (Address("+1/TYPE=PLMN"), "+1/TYPE=PLMN", "plmn"),
        (Address("Ä@b", 4), {"text": "Ä@b", "charset": 4}, "email, iso-8859-1"),
        (Absolute(0), {"absolute": 0}, "1970-01-01 00:00:00 UTC"),
        (Relative(259200), {"relative": 259200}, "3 days, 0:00:00"),
        (Counted(2, Text("x")), {"count": 2, "value": "x"}, None),
        (MmFlags(MmFlagToken.ADD, Text("x")), {"token": 128, "keyword": "x"}, "add"),
        (MmFlags(200, Text("x")), {"token": 200, "keyword": "x"}, None),
        (MboxTotal(MboxToken.OCTETS, 5), {"token": 129, "amount": 5}, "octets"),
        (Disposition("inline", [Parameter("x", 1)]), {"disposition": "inline", "parameters": [{"name": "x", "value": 1}]}, None),
        (ElementDescriptor("a"), {"reference": "a", "parameters": []}, None),
        (
            ContentType("text/plain", charset=106),
            {"media": "text/plain", "parameters": [{"name": "charset", "value": 106, "number": 1}]},
            "utf-8",
        ),
    ],
)
def test_a_value(value: Any, shown: Any, words: str | None) -> None:
    assert value_json(value) == shown
    assert json.loads(json.dumps(value_json(value))) == shown
    assert meaning(0x99, value) == words


@pytest.mark.parametrize(
    ("key", "value", "part", "words"),
    [
        (0xA8, 0x96, False, "Subject"),
        (0xA8, 0xFF, False, None),
        (0x85, 0x69223680, False, "2025-11-22 22:17:36 UTC"),
        (0x85, 2**200, False, f"{2**200} s since 1970"),
        (0xAF, 4, True, "x-wap-application:mms.ua"),
        (0xAF, 999, True, None),
        (0xAF, 4, False, None),
        (0x85, 5, True, None),
    ],
)
def test_words_that_depend_on_the_header(key: int, value: int, part: bool, words: str | None) -> None:
    assert meaning(key, value, part=part) == words


def test_a_version() -> None:
    assert (header_json(0x8D, 0x92), header_json(0x8D, 0x9F), header_json(0x8D, b"x"), header_json(0x8E, 0x92)) == (
        "1.2",
        "1",
        {"hex": "78"},
        146,
    )


def test_times_beyond_the_calendar() -> None:
    assert moment(10**30).startswith("1000")
    assert span(10**30).startswith("1000")
    assert span(60) == "0:01:00"

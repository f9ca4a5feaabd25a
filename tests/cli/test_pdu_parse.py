"""Values from JSON: what people write by hand, and the numbers behind names. Mistakes are in test_pdu_build."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy import pdu_schema
from mmsproxy.cli.pdu_parse import FormError, hex_octets, member, number, refuse, value_of
from mmsproxy.wap_numbers import MessageClass, Priority
from mmsproxy.wire.pdu_values import value_json
from mmsproxy.wsp.values import Address, ContentType, Disposition, Parameter, Text


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("text/plain", ContentType("text/plain")),
        ("text/plain; charset=utf-8", ContentType("text/plain", [Parameter("charset", 106, 1)])),
        ("text/plain;charset=106", ContentType("text/plain", [Parameter("charset", 106, 1)])),
        ('image/jpeg; name="a b.jpg"', ContentType("image/jpeg", [Parameter("name", "a b.jpg", 5)])),
        ("a/b; level=1; q=0; size=12", ContentType("a/b", [Parameter("level", "1", 2), Parameter("q", "0", 0), Parameter("size", 12, 22)])),
        ("a/b; x-own=1;", ContentType("a/b", [Parameter("x-own", "1")])),
        ({"media": "a/b"}, ContentType("a/b")),
        ({"media": "a/b", "parameters": [{"name": "charset", "value": "utf-8"}]}, ContentType("a/b", [Parameter("charset", "utf-8")])),
        (
            {"media": "a/b", "parameters": [{"name": "x", "value": {"hex": "80"}, "number": 100}]},
            ContentType("a/b", [Parameter("x", b"\x80", 100)]),
        ),
        (
            {"media": "a/b", "parameters": [{"name": "secure", "value": None, "number": 16}]},
            ContentType("a/b", [Parameter("secure", None, 16)]),
        ),
    ],
)
def test_a_media_type(written: Any, value: ContentType) -> None:
    assert value_of(pdu_schema.CONTENT_TYPE, written, "") == value


@pytest.mark.parametrize(
    ("grammar", "written", "value"),
    [
        ("PRIORITY", "high", Priority.HIGH),
        ("PRIORITY", 130, Priority.HIGH),
        ("PRIORITY", 200, 200),
        ("MESSAGE_CLASS", "auto", "auto"),  # a Token-text: the octet is 131
        ("MESSAGE_CLASS", 131, MessageClass.AUTO),
        ("BOOLEAN", True, True),
        ("BOOLEAN", 130, 130),
        ("VERSION_VALUE", "1.3", 0x93),
        ("VERSION_VALUE", "7", 0xFF),
        ("ADDRESS", "a@b.org", Address("a@b.org")),
        ("ENCODED_STRING", {"text": "x", "charset": "UTF-8"}, Text("x", 106)),
        ("ENCODED_STRING", {"text": "x", "charset": None}, Text("x")),
        ("DISPOSITION", "attachment", Disposition("attachment")),
        ("DISPOSITION", {"disposition": "x", "parameters": []}, Disposition("x")),
        ("HEADER_NAME", 150, 150),
        ("OPAQUE", {"hex": "80"}, b"\x80"),
        ("LONG_INTEGER", {"hex": "80"}, b"\x80"),
    ],
)
def test_a_value(grammar: str, written: Any, value: Any) -> None:
    found = value_of(pdu_schema.GRAMMARS[grammar], written, "")
    assert (found, type(found)) == (value, type(value))


def test_every_grammar_of_a_header_reads_what_decode_prints(type_vectors: dict[str, bytes], header_vectors: list[bytes]) -> None:
    from mmsproxy.wire import mms_pdu

    count = 0
    for octets in (*type_vectors.values(), *header_vectors):
        pdu = mms_pdu.decode(octets)
        row = pdu_schema.PDU_BY_NUMBER[mms_pdu.MessageType(pdu.message_type)]
        assert pdu.wire is not None
        for attr, value, _, _ in pdu.wire.entries:
            if attr not in (None, "", "message_type"):
                assert value_of(row.grammar(attr), value_json(value), "") == value, attr
                count += 1
    assert count > 150


def test_helpers() -> None:
    assert member({"a": 1}, "a", "") == 1
    assert number(0, "") == 0
    assert hex_octets("00 fF", "") == b"\0\xff"
    with pytest.raises(FormError) as caught:
        refuse("/x", "a string", "y" * 100)
    assert len(str(caught.value)) < 100

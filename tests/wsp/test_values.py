"""The Python shapes: how they are made, what they compare by, what they tell."""

from __future__ import annotations

import dataclasses

import pytest

from mmsproxy.wsp.values import (
    Absolute,
    Address,
    AddressKind,
    ContentType,
    Disposition,
    ElementDescriptor,
    Parameter,
    PduWarning,
    Relative,
    Text,
)


def test_text_that_is_not_ascii_has_a_charset() -> None:
    assert Text("hi").charset is None
    assert Text("hé").charset == 106
    assert Text("hé", 4).charset == 4
    assert Text("hé", None, b"h\xe9").charset is None
    assert str(Text("hé")) == "hé"


def test_text_compares_by_meaning() -> None:
    assert Text("a", 106, b"a") == Text("a", 106)
    assert Text("a") != Text("a", 106)
    assert Text("a") != Address("a")
    assert hash(Address("a")) == hash(Address("a"))
    assert Absolute(5) != Relative(5)


@pytest.mark.parametrize(
    ("text", "kind", "value", "type_"),
    [
        ("+15551230000/TYPE=PLMN", AddressKind.PLMN, "+15551230000", "PLMN"),
        ("0049.151-1/TYPE=PLMN", AddressKind.PLMN, "0049.151-1", "PLMN"),
        ("Jg/TYPE=PLMN", AddressKind.OTHER_TYPE, "Jg", "PLMN"),
        ("+358500000000/TYPE=PLNM", AddressKind.OTHER_TYPE, "+358500000000", "PLNM"),
        ("1.2.3.4/TYPE=IPv4", AddressKind.IPV4, "1.2.3.4", "IPv4"),
        ("1.2.3/TYPE=IPv4", AddressKind.RAW, "1.2.3", "IPv4"),
        ("::8/TYPE=IPv6", AddressKind.IPV6, "::8", "IPv6"),
        ("1::3::8/TYPE=IPv6", AddressKind.RAW, "1::3::8", "IPv6"),
        ("a b/TYPE=x", AddressKind.RAW, "a b", "x"),
        ("a/TYPE=b/TYPE=c", AddressKind.RAW, "a/TYPE=b/TYPE=c", None),
        ("a/TYPE=x!", AddressKind.RAW, "a/TYPE=x!", None),
        ("joe@user.org", AddressKind.EMAIL, "joe@user.org", None),
        ("a/b@c.org", AddressKind.EMAIL, "a/b@c.org", None),
        ("Joe User <joe@user.org>", AddressKind.EMAIL, "Joe User <joe@user.org>", None),
        ("<a@b> <c@d>", AddressKind.RAW, "<a@b> <c@d>", None),
        ("*123", AddressKind.NUM, "*123", None),
        ("#123", AddressKind.NUM, "#123", None),
        ("00333333", AddressKind.NUM, "00333333", None),
        ("Free", AddressKind.ALPHANUM, "Free", None),
        ("Ä_1", AddressKind.ALPHANUM, "Ä_1", None),
        ("++1", AddressKind.RAW, "++1", None),
        ("", AddressKind.EMPTY, "", None),
    ],
)
def test_kinds_of_address(text: str, kind: AddressKind, value: str, type_: str | None) -> None:
    address = Address(text)
    assert (address.kind, address.value, address.type) == (kind, value, type_)


@pytest.mark.parametrize(
    ("human", "text"),
    [
        ("+15551230000", "+15551230000/TYPE=PLMN"),
        (" +1 (555) 123-0000 ", "+15551230000/TYPE=PLMN"),
        ("12345", "12345/TYPE=PLMN"),
        ("1.2.3.4", "1.2.3.4/TYPE=IPv4"),
        ("1.2.3.400", "123400/TYPE=PLMN"),
        ("2001:db8::1", "2001:db8::1/TYPE=IPv6"),
        ("a@b.org", "a@b.org"),
        ("*123#", "*123#"),
        ("Free", "Free"),
        ("+1/TYPE=PLMN", "+1/TYPE=PLMN"),
        ("+", "+"),
        ("()", "()"),
        ("", ""),
    ],
)
def test_addresses_as_people_write_them(human: str, text: str) -> None:
    assert Address.parse(human) == Address(text)


def test_a_long_address_is_judged_in_linear_time() -> None:
    for text in ("1" * 60000 + "!", "(" * 60000, "a/" * 30000, "<" * 60000, "@" * 60000, " " * 60000):
        assert Address(text).kind is AddressKind.RAW
        assert Address.parse(text).text.startswith(text.strip()[:1])


def test_content_types_are_made_by_name() -> None:
    made = ContentType(
        "application/vnd.wap.multipart.related", type="application/smil", start="<s>", start_info="x", charset="utf-8", q=None
    )
    assert made.parameters == (
        Parameter("type", "application/smil", 0x09),
        Parameter("start", "<s>", 0x0A),
        Parameter("start-info", "x", 0x0B),
        Parameter("charset", 106, 0x01),
    )
    assert (made.is_multipart, made.type, made.start, made.charset, made.name) == (True, "application/smil", "<s>", 106, None)
    assert str(made).startswith("application/vnd.wap.multipart.related; type=application/smil; start=<s>")
    assert ContentType("a/b", charset="none-such", secure=None).parameters == (
        Parameter("charset", "none-such", 1),
        Parameter("secure", None, 0x10),
    )


def test_content_types_are_values() -> None:
    first = ContentType("text/plain", (Parameter("name", "a"),))
    assert first == ContentType("text/plain", [Parameter("name", "a")])
    assert dataclasses.replace(first, media="text/html") == ContentType("text/html", (Parameter("name", "a"),))
    assert len({first, ContentType("text/plain", (Parameter("name", "a"),))}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.media = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content_type", "charset", "name"),
    [
        (ContentType("text/plain"), None, None),
        (ContentType("text/plain", (Parameter("Charset", "ISO-8859-1"), Parameter("name", '"a"'))), 4, "a"),
        (ContentType("text/plain", (Parameter("charset", "x-own"),), filename="b"), None, "b"),
        (ContentType("text/plain", (Parameter("charset", b"\x81", 1), Parameter("name", 5))), None, None),
    ],
)
def test_look_up_of_parameters(content_type: ContentType, charset: int | None, name: str | None) -> None:
    assert (content_type.charset, content_type.name) == (charset, name)
    assert content_type.get("none-such") is None


def test_media_types_compare_without_case() -> None:
    assert ContentType("Application/Vnd.Wap.Multipart.Mixed").is_multipart
    assert not ContentType("multipart/mixed").is_multipart


def test_other_shapes() -> None:
    assert Disposition("inline", (Parameter("filename", "a"),)).get("FileName") == "a"
    assert ElementDescriptor("a").parameters == ()
    warning = PduWarning("rule", 5, "path", "what", "00 01")
    assert str(warning) == "offset 5: path rule: what [00 01]"

"""Headers, parts and the base of the PDUs: names, look-ups, the root part, copies."""

from __future__ import annotations

import dataclasses

import pytest

from mmsproxy.wap_numbers import MessageType
from mmsproxy.wire.model import Header, OtherPdu, Part, PartHeader, bare_id, root_part
from mmsproxy.wire.pdus import RetrieveConf, SendReq
from mmsproxy.wsp.values import ContentType, Text

RELATED = "application/vnd.wap.multipart.related"
TEXT = Part(ContentType("text/plain"), b"hi", content_id="<t>", content_location="t.txt")
SMIL = Part(ContentType("application/SMIL"), b"<smil/>", content_id='"<s>"', content_location="s.smil")
IMAGE = Part(ContentType("image/jpeg"), b"\xff\xd8", content_id="i", content_location="<i.jpg>")


def test_names_of_headers() -> None:
    assert [Header(0x88, None).name, Header(0xC5, b"").name, Header("X-A", "b").name] == ["X-Mms-Expiry", "0xC5", "X-A"]
    assert [PartHeader(0x8F, None).name, PartHeader(0xF0, b"").name, PartHeader("X-A", "b").name] == ["Content-MD5", "0xF0", "X-A"]


def test_headers_compare_by_what_they_say() -> None:
    assert Header(0x96, Text("a"), 5, b"\x96a\0") == Header(0x96, Text("a"))
    assert Header(0x8F, 1) != PartHeader(0x8F, 1)


@pytest.mark.parametrize("text", ["<smil>", '"<smil>', '"<smil>"', "smil", " <smil> "])
def test_an_id_bare(text: str) -> None:
    assert bare_id(text) == "smil"


def test_ids_of_parts() -> None:
    assert [part.cid for part in (TEXT, SMIL, IMAGE, Part(ContentType("a/b")))] == ["t", "s", "i", None]


@pytest.mark.parametrize(
    ("content_type", "parts", "root"),
    [
        (ContentType(RELATED, start="<s>"), (TEXT, SMIL, IMAGE), SMIL),
        (ContentType(RELATED, start="s"), (TEXT, SMIL, IMAGE), SMIL),
        (ContentType(RELATED, start='"<i>"'), (TEXT, SMIL, IMAGE), IMAGE),
        (ContentType(RELATED, start="t.txt"), (SMIL, TEXT), TEXT),
        (ContentType(RELATED, start="<gone>"), (TEXT, SMIL), SMIL),
        (ContentType(RELATED), (TEXT, SMIL), SMIL),
        (ContentType(RELATED), (TEXT, IMAGE), TEXT),
        (None, (IMAGE,), IMAGE),
        (None, (), None),
    ],
)
def test_the_root_part(content_type: ContentType | None, parts: tuple[Part, ...], root: Part | None) -> None:
    assert root_part(content_type, parts) is root
    assert RetrieveConf(content_type=content_type, parts=parts).root is root


def test_walking_goes_into_nested_parts() -> None:
    inner = Part(ContentType("application/vnd.wap.multipart.mixed"), parts=(TEXT, IMAGE))
    pdu = SendReq(parts=(inner, SMIL))
    assert list(pdu.walk()) == [inner, TEXT, IMAGE, SMIL]


@pytest.mark.parametrize(
    ("headers", "encoding"),
    [
        ((), None),
        ((PartHeader("content-transfer-encoding", " Base64 "),), "base64"),
        ((PartHeader("X-A", "b"), PartHeader("Content-Transfer-Encoding", b"\x81"), PartHeader(0x8D, 5)), None),
    ],
)
def test_the_transfer_encoding(headers: tuple[PartHeader, ...], encoding: str | None) -> None:
    assert TEXT.replace(headers=headers).transfer_encoding == encoding


def test_pdus_are_values() -> None:
    first = SendReq(transaction_id="T")
    assert first.replace(subject=Text("a")) == SendReq(transaction_id="T", subject=Text("a"))
    assert first == SendReq(transaction_id="T")
    assert first != RetrieveConf(transaction_id="T")
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.transaction_id = "U"  # type: ignore[misc]
    assert not hasattr(first, "__dict__")


def test_a_part_of_a_view_equals_one_of_octets() -> None:
    view = memoryview(b"..hi..")[2:4]
    assert Part(ContentType("text/plain"), view) == Part(ContentType("text/plain"), b"hi")
    assert hash(Part(ContentType("text/plain"), view)) == hash(Part(ContentType("text/plain"), b"hi"))


def test_message_types() -> None:
    assert SendReq().message_type is MessageType.M_SEND_REQ
    assert OtherPdu(number=0xA0).message_type == 0xA0

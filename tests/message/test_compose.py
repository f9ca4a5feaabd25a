"""Composing: one PDU for any text, octet for octet as the specification lays it, and read back as what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.message import smil
from mmsproxy.message.compose import Content, compose
from mmsproxy.message.media import File
from mmsproxy.message.model import InvalidRequest
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.mms_pdu import Address, FromToken, MessageClass, Priority, Relative, SendReq, Text
from mmsproxy.wire.sms_split import count_parts

SLIDE = smil.slides(((smil.Shown("text", "text.000000.txt"),),))


def request(*to: str, **fields: Any) -> Content:
    return Content(to or ("+16195550123",), **{"text": "hello", **fields})


def sent(wanted: Content) -> tuple[SendReq, bytes]:
    pdu = compose(wanted, transaction_id="T1", date=1_700_000_000)
    return pdu, mms_pdu.encode(pdu)


def test_the_octets_of_a_short_text() -> None:
    """Laid by hand from mms.md 1, 4, 7 and 8."""
    head = (
        b"\x8c\x80"  # m-send-req
        b"\x98T1\x00"
        b"\x8d\x92"  # version 1.2
        b"\x85\x04\x65\x53\xf1\x00"  # date
        b"\x89\x01\x81"  # From: insert-address
        b"\x97+16195550123/TYPE=PLMN\x00"
        b"\x8a\x80"  # Personal
        b"\x88\x05\x81\x03\x09\x3a\x80"  # expiry: relative, 604,800 s
        b"\x8f\x81"  # priority: normal
        b"\x84\x1b\xb3\x89application/smil\x00\x8a<smil>\x00"
    )
    slide_head = b'application/smil\x00\xc0"<smil>\x00\x8esmil.xml\x00'
    text_head = b'\x03\x83\x81\xea\xc0"<text.000000>\x00\x8etext.000000.txt\x00'
    body = b"\x02"
    body += bytes([len(slide_head), 0x81, len(SLIDE) & 0x7F]) + slide_head + SLIDE
    body += bytes([len(text_head), 5]) + text_head + b"hello"
    assert sent(request())[1] == head + body


def test_every_field_has_its_place() -> None:
    pdu, octets = sent(request("+16195550123", "16195550124", subject="Gr\u00fc\u00dfe", text="\u00fcber\n\U0001f600"))
    assert mms_pdu.decode(octets, strict=True) == pdu
    assert pdu.to == (Address("+16195550123/TYPE=PLMN"), Address("16195550124/TYPE=PLMN"))
    assert (pdu.cc, pdu.bcc) == ((), ())
    assert pdu.from_ is FromToken.INSERT_ADDRESS
    assert pdu.subject == Text("Gr\u00fc\u00dfe", charset=106)
    assert (pdu.mms_version, pdu.date) == (0x92, 1_700_000_000)
    assert (pdu.message_class, pdu.priority, pdu.expiry) == (MessageClass.PERSONAL, Priority.NORMAL, Relative(604_800))
    assert (pdu.delivery_report, pdu.read_report) == (None, None)


def test_the_parts_agree_with_the_slide_and_the_start() -> None:
    pdu, _ = sent(request())
    first, second = pdu.parts
    assert pdu.content_type is not None
    assert (pdu.content_type.media, pdu.content_type.type) == ("application/vnd.wap.multipart.related", "application/smil")
    assert pdu.content_type.start == first.content_id == "<smil>"
    assert pdu.root is first
    assert (first.content_type.media, first.content_location, first.data) == ("application/smil", "smil.xml", SLIDE)
    assert (second.content_type.media, second.content_type.charset) == ("text/plain", 106)
    assert (second.content_id, second.content_location) == ("<text.000000>", "text.000000.txt")
    assert bytes(first.data).count(b"src=") == len(pdu.parts) - 1
    assert f'src="{second.content_location}"'.encode() in first.data


def test_827_characters_are_one_mms_and_would_be_six_sms() -> None:
    text = ("The quick brown fox jumps over the lazy dog. " * 19)[:827]
    pdu, octets = sent(request(text=text))
    assert len(text) == 827
    assert mms_pdu.text(pdu.parts[1]) == text
    assert len(octets) < 1300
    assert count_parts(text).parts == 6


def test_a_long_text_is_still_one_pdu() -> None:
    text = "\u00fc" * 400_000
    pdu, octets = sent(request(text=text))
    assert len(octets) == len(mms_pdu.encode(pdu)) > 800_000
    decoded = mms_pdu.decode(octets)
    assert mms_pdu.text(decoded.parts[1]) == text


def test_the_same_request_composes_to_the_same_octets() -> None:
    assert sent(request())[1] == sent(request())[1]


@pytest.mark.parametrize("number", ["", "x" * 41, "a b", "a\r\nb", "\u00fc", "a\x00"])
def test_a_transaction_id_that_cannot_be_one_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="Transaction-ID"):
        compose(request(), transaction_id=number, date=0)


numbers = st.lists(st.from_regex(r"\A\+?[0-9]{7,15}\Z"), min_size=1, max_size=20)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=200)
subjects = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80)


@settings(derandomize=True, deadline=None)
@given(numbers, texts, subjects, st.integers(0, 0xFFFFFFFF))
def test_whatever_the_model_takes_comes_back_whole(to: list[str], text: str, subject: str | None, date: int) -> None:
    wanted = request(*to, text=text, subject=subject)
    pdu = compose(wanted, transaction_id="01KATRV0M2Q8S4H1E7J9X3ZC5B", date=date)
    decoded = mms_pdu.decode(mms_pdu.encode(pdu), strict=True)
    assert decoded == pdu
    assert isinstance(decoded, SendReq)
    assert tuple(address.value for address in decoded.to) == wanted.recipients
    assert mms_pdu.text(decoded.parts[1]).encode() == text.encode()
    assert (None if decoded.subject is None else decoded.subject.text) == subject


JPEG = File("image/jpeg", b"\xff\xd8one", "cat.jpg")
PNG = File("image/png", b"\x89PNGtwo")
AMR = File("audio/amr", b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50)
MP4 = File("video/mp4", b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00")
CARD = File("text/x-vCard", b"BEGIN:VCARD\r\nVERSION:2.1\r\nEND:VCARD\r\n", "me.vcf")
DAY = File("text/calendar", b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n")
PDF = File("application/pdf", b"%PDF-1.4")


def composed(*files: File, **fields: Any) -> tuple[list[str], str]:
    """The names of the parts behind the SMIL, and the SMIL's body."""
    pdu, octets = sent(request(files=files, **fields))
    assert mms_pdu.decode(octets, strict=True) == pdu
    head, *rest = pdu.parts
    for part in rest:
        assert part.content_location is not None
        assert part.content_id == f"<{part.content_location.rpartition('.')[0]}>"
        assert bytes(head.data).count(f'src="{part.content_location}"'.encode()) == 1
    assert bytes(head.data).count(b"src=") == len(rest)
    return [str(part.content_location) for part in rest], bytes(head.data).decode().partition("<body>")[2].partition("</body>")[0]


def test_a_picture_with_its_caption_is_one_page() -> None:
    names, body = composed(JPEG)
    assert names == ["image000000.jpg", "text.000000.txt"]
    assert body == '<par dur="5000ms"><img src="image000000.jpg" region="Image"/><text src="text.000000.txt" region="Text"/></par>'


def test_text_first_puts_the_text_before_the_picture_and_above_it() -> None:
    names, body = composed(JPEG, layout="text_first")
    assert names == ["text.000000.txt", "image000000.jpg"]
    assert body.index("<text") < body.index("<img")
    assert composed(JPEG, layout="image_first") == composed(JPEG)


def test_every_kind_has_its_name_and_its_element() -> None:
    names, body = composed(JPEG, PNG, MP4, CARD, DAY, PDF)
    assert names == [
        "image000000.jpg",
        "text.000000.txt",
        "image000001.png",
        "video000000.mp4",
        "contact000000.vcf",
        "calendar000000.ics",
        "file000000.pdf",
    ]
    assert body.count("<par") == 6
    assert '<video src="video000000.mp4" region="Image"/>' in body
    assert [body.count(f"<{name} ") for name in ("img", "text", "video", "ref")] == [2, 1, 1, 3]


def test_a_sound_plays_with_the_picture_for_its_own_length() -> None:
    names, body = composed(JPEG, AMR)
    assert names == ["image000000.jpg", "audio000000.amr", "text.000000.txt"]
    assert body.startswith('<par dur="1000ms"><img ')
    assert body.count("<par") == 1


def test_a_contact_with_a_text_is_two_pages_the_text_first() -> None:
    assert composed(CARD)[0] == ["text.000000.txt", "contact000000.vcf"]


def test_files_without_a_text() -> None:
    names, body = composed(JPEG, text=None)
    assert names == ["image000000.jpg"]
    assert "<text" not in body


def test_a_text_file_is_a_second_text_and_says_its_charset() -> None:
    pdu, _ = sent(request(files=(File("text/plain", "gr\u00fcn".encode(), "notes.txt"),)))
    assert [part.content_location for part in pdu.parts[1:]] == ["text.000000.txt", "text.000001.txt"]
    assert (pdu.parts[2].content_type.charset, pdu.parts[2].content_type.name) == (106, "notes.txt")


def test_a_file_name_stands_in_the_name_parameter_only() -> None:
    pdu, _ = sent(request(files=(JPEG, PNG)))
    assert [part.content_type.name for part in pdu.parts] == [None, "cat.jpg", None, None]


def test_reports_priority_and_expiry_on_request() -> None:
    pdu, octets = sent(request(delivery_report=True, read_report=True, priority="high", expiry=3600))
    assert (pdu.delivery_report, pdu.read_report, pdu.priority, pdu.expiry) == (True, True, Priority.HIGH, Relative(3600))
    assert mms_pdu.decode(octets, strict=True) == pdu


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("image000000.jpg", "text.000000.txt"),
        ("image000000.png", "text.000000"),
        ("cid:image000000", "cid:text.000000"),
        ("cat.jpg", "./text.000000.txt"),
        ("cat.png", "text.000000.txt"),
    ],
)
def test_a_custom_smil_may_call_the_parts_by_their_names(image: str, text: str) -> None:
    wanted = f"<smil><body><par dur='9s' alt='src=\"x\"'><text src='{text}'/><img  src = \"{image}\"/></par></body></smil>"
    pdu, _ = sent(request(files=(JPEG,), layout="custom", smil=wanted))
    assert pdu.parts[0].data == (
        b'<smil><body><par dur=\'9s\' alt=\'src="x"\'><text src="text.000000.txt"/><img  src="image000000.jpg"/></par></body></smil>'
    )
    assert [part.content_location for part in pdu.parts[1:]] == ["text.000000.txt", "image000000.jpg"]


@pytest.mark.parametrize(
    ("smil_text", "wrong"),
    [
        ("<smil><img src='cat.jpg'/></smil>", "text.000000.txt is not named"),
        ("<smil><img src='cat.jpg'/><text src='text.000000.txt'/><img src='dog.jpg'/></smil>", "'dog.jpg' is no part"),
        ("<smil><img src='cat.jpg'/><text src='text.000000.txt'/><img src='image000000.jpg'/></smil>", "named twice"),
        ("<smil><img src='../../etc/passwd'/><text src='text.000000.txt'/></smil>", "is no part"),
    ],
)
def test_a_custom_smil_names_each_part_exactly_once(smil_text: str, wrong: str) -> None:
    with pytest.raises(InvalidRequest, match=wrong) as caught:
        sent(request(files=(JPEG,), layout="custom", smil=smil_text))
    assert [(item.pointer, item.code) for item in caught.value.mistakes] == [("/smil", "smil_mismatch")]


kinds = st.sampled_from([JPEG, PNG, AMR, MP4, CARD, DAY, PDF, File("application/octet-stream", b"\x00\x01", "odd.name.xyz")])


@settings(derandomize=True, deadline=None)
@given(st.lists(kinds, max_size=8), st.booleans(), st.sampled_from(["auto", "text_first", "image_first"]))
def test_whatever_the_files_each_stands_in_the_smil_once(files: list[File], has_text: bool, layout: str) -> None:
    if files or has_text:
        names, _ = composed(*files, text="x" if has_text else None, layout=layout)
        assert len(names) == len(files) + has_text

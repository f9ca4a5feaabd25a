"""Composing: one PDU for any text, octet for octet as the specification lays it, and read back as what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.message import smil
from mmsproxy.message.compose import compose
from mmsproxy.message.model import SendRequest
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.mms_pdu import Address, FromToken, MessageClass, Priority, Relative, SendReq, Text
from mmsproxy.wire.sms_split import count_parts

SLIDE = smil.text_slide("text.000000.txt")


def request(**fields: Any) -> SendRequest:
    return SendRequest.model_validate({"to": "+16195550123", "text": "hello", **fields})


def sent(wanted: SendRequest) -> tuple[SendReq, bytes]:
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
    pdu, octets = sent(request(to=["+16195550123", "16195550124"], subject="Gr\u00fc\u00dfe", text="\u00fcber\n\U0001f600"))
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


def test_a_number_named_twice_is_one_recipient() -> None:
    assert len(sent(request(to=["1234567", "7654321", "1234567"]))[0].to) == 2


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
    wanted = request(to=to, text=text, subject=subject)
    pdu = compose(wanted, transaction_id="01KATRV0M2Q8S4H1E7J9X3ZC5B", date=date)
    decoded = mms_pdu.decode(mms_pdu.encode(pdu), strict=True)
    assert decoded == pdu
    assert isinstance(decoded, SendReq)
    assert tuple(address.value for address in decoded.to) == wanted.recipients
    assert mms_pdu.text(decoded.parts[1]).encode() == text.encode()
    assert (None if decoded.subject is None else decoded.subject.text) == subject

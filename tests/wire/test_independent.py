"""The codec against the text of the specification notes, typed from them and not from the code: examples octet by octet, every oddity of
real traffic with its one warning, every refusal of strict mode, every limit.

Octets are laid by hand. Where a test names a rule, the name is what a caller would look for; where several names are right it only asks
that there is one warning, at the right place.
"""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu, wap_push
from mmsproxy.wire.mms_pdu import (
    Absolute,
    AcknowledgeInd,
    AddressKind,
    FromToken,
    MessageClass,
    NotificationInd,
    NotifyRespInd,
    OtherPdu,
    Pdu,
    Priority,
    ReadRecInd,
    ReadStatus,
    Relative,
    ResponseStatus,
    RetrieveConf,
    SendConf,
    SendReq,
    Status,
    decode,
    encode,
)


def x(*pieces: str | bytes) -> bytes:
    """Hex, with texts as bytes between it."""
    return b"".join(piece if isinstance(piece, bytes) else bytes.fromhex(piece) for piece in pieces)


PLMN = b"+15551230000/TYPE=PLMN\0"
CONF = x("8C81 98543100 8D92 9280")  # M-Send.conf, all that is mandatory
NOTIFICATION = x("8C82 984E3100 8D90 8A80 8E027000 8805810303F480 83", b"http://m/1\0")
RETRIEVED = x("8C84 8D92 850469223680")  # and a Content-Type with a body
REQUEST = x("8C80 98543100 8D92 890181 97", PLMN)  # and a Content-Type with a body
BODY = x("84A3 01 0102 83 6869")


def lenient(octets: bytes, warnings: int | None = 0) -> Any:
    """Decodes; as many warnings as said; the same octets come back."""
    pdu = decode(octets)
    assert encode(pdu) == octets
    if warnings is not None:
        assert len(pdu.warnings) == warnings, pdu.warnings
    return pdu


def refused(octets: bytes, *, strict: bool) -> PduError:
    with pytest.raises(PduError) as caught:
        decode(octets, strict=strict)
    assert 0 <= caught.value.offset <= len(octets)
    return caught.value


def test_the_pdus_that_the_others_are_laid_on_are_strictly_good() -> None:
    for octets in (CONF, NOTIFICATION, RETRIEVED + BODY, REQUEST + BODY):
        assert decode(octets, strict=True).warnings == ()


# --- the checked examples --------------------------------------------------------------------------------------------------------


def test_m_send_req() -> None:
    octets = x(
        "8C80 98 5431 00 8D92 85 04 69223680 89 01 81 97 2B31353535313233303030302F545950453D504C4D4E 00 96 07 EA 7F C3847267 00"
        "8A80 8F81 8680 9081 84 A3 01 18 07 0A 83 81 EA 85 742E74787400 C0 22 3C743E00 8E 742E74787400 4772C3BCC39F65"
    )
    pdu = decode(octets, strict=True)
    assert isinstance(pdu, SendReq)
    assert (pdu.transaction_id, pdu.mms_version, pdu.date, pdu.from_) == ("T1", 0x92, 0x69223680, FromToken.INSERT_ADDRESS)
    assert [(one.value, one.kind) for one in pdu.to] == [("+15551230000", AddressKind.PLMN)]
    assert pdu.subject is not None
    assert (pdu.subject.text, pdu.subject.charset) == ("Ärg", 106)
    assert (pdu.message_class, pdu.priority) == (MessageClass.PERSONAL, Priority.NORMAL)
    assert (pdu.delivery_report, pdu.read_report) == (True, False)
    assert pdu.content_type is not None
    assert pdu.content_type.media == "application/vnd.wap.multipart.mixed"
    (part,) = pdu.parts
    assert (part.content_type.media, part.content_type.charset, part.content_type.name) == ("text/plain", 106, "t.txt")
    assert (part.content_id, part.cid, part.content_location) == ("<t>", "t", "t.txt")
    assert mms_pdu.text(part) == "Grüße"
    assert encode(pdu) == octets == encode(mms_pdu.canonical(pdu))


def test_m_send_conf() -> None:
    pdu = decode(x("8C81 98 5431 00 8D92 92 80 8B 6D31406D6D7363 00"), strict=True)
    assert isinstance(pdu, SendConf)
    assert (pdu.transaction_id, pdu.response_status, pdu.message_id) == ("T1", ResponseStatus.OK, "m1@mmsc")


def test_m_notification_ind() -> None:
    octets = x(
        "8C82 98 4E31 00 8D90 89 18 80 2B31353535313233303030302F545950453D504C4D4E 00 8A80 8E 02 7000 88 05 81 03 03F480"
        "83 687474703A2F2F6D6D73632F31 00"
    )
    pdu = decode(octets, strict=True)
    assert isinstance(pdu, NotificationInd)
    assert (pdu.transaction_id, pdu.mms_version, pdu.message_class) == ("N1", 0x90, MessageClass.PERSONAL)
    assert (pdu.message_size, pdu.expiry, pdu.content_location) == (28_672, Relative(259_200), "http://mmsc/1")
    assert str(pdu.from_) == "+15551230000/TYPE=PLMN"
    push = wap_push.decode(x("01 06 03 BE AF 84") + octets, strict=True)
    assert (push.tid, push.content_type.media, push.application) == (1, "application/vnd.wap.mms-message", "x-wap-application:mms.ua")
    assert wap_push.find_mms(push) == octets


def test_the_small_ones() -> None:
    answer = decode(x("8C83 98 4E31 00 8D90 95 81 91 80"), strict=True)
    assert isinstance(answer, NotifyRespInd)
    assert (answer.status, answer.report_allowed) == (Status.RETRIEVED, True)
    acknowledge = decode(x("8C85 98 5231 00 8D90 91 80"), strict=True)
    assert isinstance(acknowledge, AcknowledgeInd)
    assert acknowledge.transaction_id == "R1"
    octets = x("8C87 8D91 8B 6D31406D6D7363 00 97", PLMN, "89 01 81 85 04 69223680 9B 80")
    report = decode(octets, strict=True)
    assert isinstance(report, ReadRecInd)
    assert (report.read_status, report.message_id, report.transaction_id) == (ReadStatus.READ, "m1@mmsc", None)


def test_a_real_part_head() -> None:
    head = x("1F23", b"application/smil\0", "85", b"00000000_001.smi\0")
    octets = RETRIEVED + x("84A3 01 2E820F", head, "C022", b"<smil>\0", bytes(271))
    assert len(head) + len(b'\xc0"<smil>\0') == 0x2E
    (part,) = lenient(octets, None).parts
    assert (part.content_type.media, part.content_type.name, part.cid, len(part.data)) == (
        "application/smil",
        "00000000_001.smi",
        "smil",
        271,
    )


def test_times_in_every_real_form() -> None:
    for octets, expiry in (
        ("88048102A8BF", Relative(0xA8BF)),
        ("8805810303F480", Relative(259_200)),
        ("880681040003F480", Relative(259_200)),
        ("88028180", Relative(0)),
        ("8806800469223680", Absolute(0x69223680)),
    ):
        pdu = lenient(NOTIFICATION.replace(x("8805810303F480"), x(octets)))
        assert pdu.expiry == expiry


def test_delete_confs_tie_counts_together() -> None:
    octets = x("8C92 98443100 8D92 830581", b"m/1\0", "92028180 830582", b"m/2\0", "920282E4 930682", b"gone\0")
    pdu = lenient(octets)
    assert [(one.count, one.value) for one in pdu.content_location] == [(1, "m/1"), (2, "m/2")]
    assert [(one.count, one.value) for one in pdu.response_status] == [(1, 0x80), (2, 0xE4)]
    assert [(one.count, str(one.value)) for one in pdu.response_text] == [(2, "gone")]
    plain = decode(x("8C95 98443100 8D93 9280"))
    assert plain.response_status == (ResponseStatus.OK,)  # type: ignore[attr-defined]


def test_element_descriptor_has_its_own_number_space() -> None:
    pdu = lenient(NOTIFICATION + x("B204 6100 8280"))
    (one,) = pdu.element_descriptor
    assert (one.reference, one.get("type")) == ("a", "*/*")


# --- what real traffic does: accepted, with one warning --------------------------------------------------------------------------


def mixed(head: bytes, data: bytes = b"hi") -> bytes:
    """An M-Retrieve.conf with one part of this head."""
    assert len(head) < 128
    return RETRIEVED + x("84A301") + bytes((len(head), len(data))) + head + data


def subject(octets: bytes) -> bytes:
    return NOTIFICATION + b"\x96" + octets


WORDS = {
    "stray zero at the end": NOTIFICATION + b"\0",
    "stray line feed at the end": NOTIFICATION + b"\x0a",
    "the last text without its NUL": NOTIFICATION[:-1],
    "a Send.req that ends after Content-Type": REQUEST + x("84A3"),
    "a Retrieve.conf with a text/plain body": RETRIEVED + x("8483") + b"hi",
    "a Retrieve.conf without Content-Type": RETRIEVED,
    "a textual header": CONF + b"X-Scanned-By\0scanner 1\0",
    "UTF-8 text without its Quote": subject("Ärg".encode() + b"\0"),
    "Latin-1 text without its Quote": subject("Ärg".encode("latin_1") + b"\0"),
    "charset text without its Quote": subject(x("05EAC3847200")),
    "a Quote before ASCII": subject(b"\x7fhi\0"),
    "a byte order mark": subject(b"\x07\xea\x7f\xef\xbb\xbfx\0"),
    "a text cut in the middle of a character": subject(x("04EA7FC300")),
    "a charset parameter by its name": mixed(b'\x10\x83charset\0"utf-8\0'),
    "a Content-ID that is not quoted": mixed(x("83 C0", b"<t>\0")),
    "a Content-ID with a closing quotation mark": mixed(x("83 C0", b'"<t>"\0')),
    "a Content-Location with a leading space": NOTIFICATION.replace(b"http://m/1", b" http://m/1"),
    "a file name with spaces": mixed(x("83 8E", b"my photo.jpg\0")),
    "a file name in UTF-8": mixed(x("83 8E", "fotó.jpg\0".encode())),
    "an unknown media type": mixed(x("DF")),
    "an address of no kind": NOTIFICATION + x("890880", b"00<cc>\0"),
    "a Date in a notification": NOTIFICATION + x("850469223680"),
    "a status in a notification": NOTIFICATION + x("9581"),
    "a version as text": CONF.replace(x("8D92"), x("8D312E3300")),
    "a version above 1.3": CONF.replace(x("8D92"), x("8D94")),
    "the version before the transaction id": x("8C81 8D92 98543100 9280"),
    "a repeated subject": NOTIFICATION + x("966100 966200"),
    "a value that breaks its grammar": NOTIFICATION.replace(x("8805810303F480"), x("8805820303F480")),
    "a header out of place": CONF + x("9A6100"),
    "an unknown field": CONF + x("C50180"),
    "a nested multipart that does not parse": mixed(x("A3"), x("05 0102")),
    "an unknown enumerated octet": NOTIFICATION + x("8F90"),
    "a reserved status": CONF[:-1] + x("C7"),
    "an uintvar with a leading 80": RETRIEVED + x("84A3 01 8001 02 83 6869"),
    "octets behind the last part": RETRIEVED + BODY + x("FF"),
    "a mandatory header that is missing": NOTIFICATION.replace(x("8A80"), b""),
    "no recipient": x("8C80 98543100 8D92 890181") + BODY,
    "a body where none belongs": CONF + BODY,
}


@pytest.mark.parametrize("name", WORDS)
def test_an_oddity_is_accepted_with_one_warning(name: str) -> None:
    pdu = lenient(WORDS[name], 1)
    (warning,) = pdu.warnings
    assert warning.rule
    assert warning.detail
    assert warning.context
    assert warning.path


NORMAL = {
    "a general form without parameters": mixed(x("0183")),
    "a long length form": NOTIFICATION + x("961F06EA7FC3847200"),
    "a long integer with leading zeros": NOTIFICATION.replace(x("8E027000"), x("8E0400007000")),
    "an empty subject": subject(b"\0"),
    "a subject that ends in spaces": subject(b"hi  \0"),
    "an encoded word is plain text": subject(b"=?utf-8?B??=\0"),
    "a notification without From": NOTIFICATION,
    "From after Content-Location": NOTIFICATION + x("891880", PLMN),
    "an alphanumeric sender": NOTIFICATION + x("890880", b"Operat\0"),
    "a short code without /TYPE": NOTIFICATION + x("890680", b"2211\0"),
    "a Message-ID in a refused M-Send.conf": x("8C81 98543100 8D92 92E0 8B6D00"),
    "an M-Send.conf without Message-ID": CONF,
    "an absolute expiry that is past": NOTIFICATION.replace(x("8805810303F480"), x("8803800101")),
    "an empty multipart.mixed": RETRIEVED + x("84A300"),
    "another order of fields behind the first three": x("8C81 98543100 8D92 8B6D00 9280"),
}


@pytest.mark.parametrize("name", NORMAL)
def test_what_is_normal_is_accepted_without_a_warning(name: str) -> None:
    lenient(NORMAL[name], 0)


def test_an_empty_bcc_and_a_tail() -> None:
    pdu = lenient(REQUEST + b"\x81\0", None)
    assert [one.kind for one in pdu.bcc] == [AddressKind.EMPTY]
    assert len(lenient(NOTIFICATION + x("810000"), None).warnings) >= 2


def test_what_oddities_are_read_as() -> None:
    assert lenient(WORDS["UTF-8 text without its Quote"], 1).subject.text == "Ärg"
    assert lenient(WORDS["Latin-1 text without its Quote"], 1).subject.text == "Ärg"
    assert lenient(WORDS["a Quote before ASCII"], 1).subject.text == "hi"
    assert lenient(WORDS["a text cut in the middle of a character"], 1).subject.text == "\ufffd"
    assert lenient(WORDS["a repeated subject"], 1).subject.text == "a"
    assert lenient(WORDS["a version as text"], 1).mms_version == 0x93
    assert lenient(WORDS["an unknown media type"], 1).parts[0].content_type.media == "application/x-wap-5f"
    assert lenient(WORDS["a nested multipart that does not parse"], 1).parts[0].parts is None
    assert bytes(lenient(WORDS["a nested multipart that does not parse"], 1).parts[0].data) == x("050102")
    assert lenient(WORDS["a Retrieve.conf with a text/plain body"], 1).parts[0].data == b"hi"
    assert lenient(WORDS["a charset parameter by its name"], 1).parts[0].content_type.charset == 106
    assert lenient(WORDS["a Content-ID that is not quoted"], 1).parts[0].cid == "t"
    assert lenient(WORDS["a Content-ID with a closing quotation mark"], 1).parts[0].cid == "t"
    assert lenient(WORDS["the last text without its NUL"], 1).content_location == "http://m/1"
    broken = lenient(WORDS["a value that breaks its grammar"], 1)
    assert broken.expiry is None
    assert [(one.name, one.value) for one in broken.extra] == [("X-Mms-Expiry", x("05820303F480"))]
    unknown = lenient(WORDS["an unknown field"], 1)
    assert [(one.key, one.value) for one in unknown.extra] == [(0xC5, x("0180"))]


def test_an_error_answer_of_a_carrier() -> None:
    pdu = lenient(x("8C84 8D92 850469223680 99E2 9A", b"4504:Message not found\0", "8483") + b"gone", 1)
    assert (pdu.retrieve_status, str(pdu.retrieve_text)) == (0xE2, "4504:Message not found")
    assert bytes(pdu.parts[0].data) == b"gone"


@pytest.mark.parametrize(
    ("address", "kind", "value"),
    [
        ("+15551230000/TYPE=PLMN", AddressKind.PLMN, "+15551230000"),
        ("1.2.3.4/TYPE=IPv4", AddressKind.IPV4, "1.2.3.4"),
        ("::8/TYPE=IPv6", AddressKind.IPV6, "::8"),
        ("value/TYPE=token", AddressKind.OTHER_TYPE, "value"),
        ("+1555/TYPE=PLNM", AddressKind.OTHER_TYPE, "+1555"),
        ("joe@user.org", AddressKind.EMAIL, "joe@user.org"),
        ("Joe User <joe@user.org>", AddressKind.EMAIL, "Joe User <joe@user.org>"),
        ("a/b@c.org", AddressKind.EMAIL, "a/b@c.org"),
        ("*123", AddressKind.NUM, "*123"),
        ("#123", AddressKind.NUM, "#123"),
        ("123", AddressKind.NUM, "123"),
        ("Operator", AddressKind.ALPHANUM, "Operator"),
        ("", AddressKind.EMPTY, ""),
        ("00<cc>...", AddressKind.RAW, "00<cc>..."),
    ],
)
def test_the_nine_kinds_of_address(address: str, kind: AddressKind, value: str) -> None:
    body = b"\x80" + address.encode() + b"\0"
    pdu = lenient(NOTIFICATION + b"\x89" + bytes((len(body),)) + body, None)
    assert (pdu.from_.kind, pdu.from_.value, pdu.from_.text) == (kind, value, address)


def test_nothing_reads_the_value_of_an_unknown_field_as_headers() -> None:
    pdu = lenient(CONF + x("C5 04 92E0 8B00"), 1)
    assert (pdu.response_status, pdu.message_id) == (ResponseStatus.OK, None)


def test_types_that_are_not_assigned() -> None:
    for number in (0x98, 0xFF):
        pdu = lenient(bytes((0x8C, number)) + x("98543100 8D92 9280"), 1)
        assert isinstance(pdu, OtherPdu)
        assert pdu.message_type == number


# --- errors in lenient mode too --------------------------------------------------------------------------------------------------

ALWAYS_REFUSED = {
    "nothing": b"",
    "no 8C": x("8D92"),
    "HTML": b"<html>Out of credit</html>",
    "text": b"Not found",
    "8C alone": x("8C"),
    "a value-length beyond the data": NOTIFICATION + x("891880"),
    "a part beyond the data": RETRIEVED + x("84A3 01 0103 83 6869"),
    "part headers beyond the data": RETRIEVED + x("84A3 01 0902 83 6869"),
    "fewer parts than counted": RETRIEVED + x("84A3 02 0102 83 6869"),
    "a uintvar of six octets": RETRIEVED + x("84A3 808080808001"),
    "a uintvar over 32 bits": RETRIEVED + x("84A3 9080808000"),
    "a uintvar that does not end": RETRIEVED + x("84A3 8181"),
    "a Content-Type beyond the data": x("8C82 84 1F87FFFFFF7F 8300"),
}


@pytest.mark.parametrize("name", ALWAYS_REFUSED)
def test_what_no_mode_accepts(name: str) -> None:
    for strict in (False, True):
        error = refused(ALWAYS_REFUSED[name], strict=strict)
        assert error.rule
        assert error.detail


def test_html_has_a_rule_of_its_own() -> None:
    assert refused(ALWAYS_REFUSED["HTML"], strict=False).rule == "not-an-mms-pdu"
    assert refused(ALWAYS_REFUSED["a part beyond the data"], strict=False).rule != "not-an-mms-pdu"


# --- strict mode -----------------------------------------------------------------------------------------------------------------

STRICT = {
    # lengths
    "value-length octet 20 or more": NOTIFICATION.replace(x("8805810303F480"), x("8820")) + b"\0",
    "long-integer of length 0": NOTIFICATION.replace(x("8E027000"), x("8E00")),
    "long-integer of length 31": NOTIFICATION.replace(x("8E027000"), x("8E1F") + bytes((1,)) * 31),
    "an inner value that does not fill its value-length": NOTIFICATION.replace(x("8805810303F480"), x("8806810303F48000")),
    "an inner value beyond its value-length": NOTIFICATION.replace(x("8805810303F480"), x("8804810303F480")),
    # texts
    "a text without its NUL": NOTIFICATION[:-1],
    "a control character": subject(b"a\x01b\0"),
    "8-bit octets without Quote": subject("Ärg".encode() + b"\0"),
    "Quote before ASCII": subject(b"\x7fhi\0"),
    # values
    "From of length 0": NOTIFICATION + x("8900"),
    "From with an unknown token": NOTIFICATION + x("890182"),
    "a time of length 0": NOTIFICATION.replace(x("8805810303F480"), x("8800")),
    "a time with an unknown token": NOTIFICATION.replace(x("8805810303F480"), x("8805820303F480")),
    "an enumerated octet that is not assigned": NOTIFICATION + x("8F83"),
    "a long-integer with leading zeros": NOTIFICATION.replace(x("8E027000"), x("8E03007000")),
    # Content-Type
    "Content-Type in the middle": x("8C80 98543100 8D92 84A3 890181 97", PLMN),
    "Content-Type as the last octet": REQUEST + x("84"),
    "a general form of length 0": REQUEST + x("8400 00"),
    "a media text that runs over its value-length": REQUEST + x("8404", b"text/plain\0", "00"),
    # body
    "part count beyond the data": RETRIEVED + x("84A3 02 0102 83 6869"),
    "part length beyond the data": RETRIEVED + x("84A3 01 0103 83 6869"),
    "HeadersLen shorter than its Content-Type": RETRIEVED + x("84A3 01 0102 0183 6869"),
    "multipart.related without a part": RETRIEVED + x("84B300"),
    "multipart.alternative without a part": RETRIEVED + x("84A600"),
    "a nested multipart that does not fill its data": mixed(x("A3"), x("01 0102 83 6869 00")),
    "octets behind the last header": NOTIFICATION + b"\0",
    "octets behind the last part": RETRIEVED + BODY + b"\0",
    "a body in a type that has none": CONF + BODY,
    # frame
    "a mandatory header missing": CONF.replace(x("9280"), b""),
    "a missing version": CONF.replace(x("8D92"), b""),
    "a missing transaction id": CONF.replace(x("98543100"), b""),
    "version before transaction id": x("8C81 8D92 98543100 9280"),
    "the version late": x("8C81 98543100 9280 8D92"),
    "not 8C first": x("98543100 8C81 8D92 9280"),
}


@pytest.mark.parametrize("name", STRICT)
def test_strict_mode_refuses(name: str) -> None:
    error = refused(STRICT[name], strict=True)
    assert error.rule
    assert error.context


MANDATORY = {
    0x80: "98 89 84",
    0x81: "98 92",
    0x82: "98 8A 8E 88 83",
    0x83: "98 95",
    0x84: "85 84",
    0x85: "98",
    0x86: "8B 97 85 95",
    0x87: "8B 97 89 9B",
    0x88: "8B 97 89 85 9B",
    0x89: "98 89 83",
    0x8A: "98 92",
    0x8B: "98 83",
    0x8C: "98 A5",
    0x8D: "98",
    0x8E: "98 92 84",
    0x8F: "98 84",
    0x90: "98 A5",
    0x91: "98 83",
    0x92: "98 92",
    0x93: "8B",
    0x94: "98 83",
    0x95: "98 92",
    0x96: "98 BE",
    0x97: "98 BF",
}
# a value for each of these headers; To stands for "at least one of To, Cc, Bcc" in 80 and 89
VALUES = {
    0x83: b"http://m/1\0",
    0x84: x("A300"),
    0x85: x("0469223680"),
    0x88: x("05810303F480"),
    0x89: x("0181"),
    0x8A: x("80"),
    0x8B: b"m@m\0",
    0x8E: x("027000"),
    0x92: x("80"),
    0x95: x("81"),
    0x97: PLMN,
    0x98: b"T\0",
    0x9B: x("80"),
    0xA5: x("80"),
    0xBE: b"m@m\0",
    0xBF: x("80"),
}


def laid(number: int, headers: list[int]) -> bytes:
    values = VALUES | ({0x92: x("028180")} if number in (0x92, 0x95) else {})
    ordered = [key for key in headers if key != 0x84] + [key for key in headers if key == 0x84]
    first = bytes((0x8C, number)) + (b"\x98T\0" if 0x98 in headers else b"")
    return first + x("8D92") + b"".join(bytes((key,)) + values[key] for key in ordered if key != 0x98)


@pytest.mark.parametrize("number", MANDATORY)
def test_each_mandatory_header_of_each_type(number: int) -> None:
    headers = [int(octet, 16) for octet in MANDATORY[number].split()] + ([0x97] if number in (0x80, 0x89) else [])
    whole = laid(number, headers)
    assert decode(whole, strict=True).message_type == number
    assert mms_pdu.missing(decode(whole)) == ()
    for absent in headers:
        rest = laid(number, [key for key in headers if key != absent])
        assert refused(rest, strict=True).rule == "mandatory-header-missing", hex(absent)
        pdu = decode(rest)
        assert len(mms_pdu.missing(pdu)) == 1
        assert "mandatory-header-missing" in [warning.rule for warning in pdu.warnings]


# --- limits ----------------------------------------------------------------------------------------------------------------------

HEAD = x("8C84 8D92")


def uintvar(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(0x80 | number & 0x7F)
    return bytes(reversed(octets))


def nested(depth: int) -> bytes:
    """A multipart with `depth` multiparts inside one another, the innermost with one text."""
    body = x("01 0101 83 61")
    for _ in range(depth - 1):
        body = b"\x01\x01" + uintvar(len(body)) + b"\xa3" + body
    return body


def depth_of(pdu: Pdu) -> int:
    parts, depth = pdu.parts, 0
    while parts:
        parts, depth = parts[0].parts or (), depth + 1
    return depth


def test_a_pdu_of_2_mib() -> None:
    head = HEAD + x("8483")
    most = head + bytes(2 * 1024 * 1024 - len(head))
    assert decode(most).parts[0].data[-1:] == b"\0"
    assert refused(most + b"\0", strict=False).rule == "pdu-too-long"


def test_headers() -> None:
    assert len(decode(HEAD + x("966100") * 510).extra) == 509
    assert refused(HEAD + x("966100") * 511, strict=False).rule == "too-many-headers"
    part = b"\x83" + x("8E6100") * 511
    octets = HEAD + x("84A301") + uintvar(len(part)) + b"\0" + part
    assert len(decode(octets).parts[0].headers) == 510
    part += x("8E6100")
    octets = HEAD + x("84A301") + uintvar(len(part)) + b"\0" + part
    assert refused(octets, strict=False).rule == "too-many-headers"


def test_parts() -> None:
    assert len(decode(HEAD + x("84A3") + uintvar(256) + x("010083") * 256).parts) == 256
    assert refused(HEAD + x("84A3") + uintvar(257) + x("010083") * 257, strict=False).rule == "too-many-parts"


def test_depth() -> None:
    pdu = decode(HEAD + x("84A3") + nested(8))
    assert depth_of(pdu) == 8
    error = refused(HEAD + x("84A3") + nested(9), strict=True)
    assert error.rule == "multipart-too-deep"


def test_a_text() -> None:
    most = HEAD + b"\x96" + b"a" * 65536 + b"\0"
    pdu = decode(most)
    assert isinstance(pdu, RetrieveConf)
    assert pdu.subject is not None
    assert len(pdu.subject.text) == 65536
    assert refused(HEAD + b"\x96" + b"a" * 65537 + b"\0", strict=False).rule == "text-too-long"


def test_a_long_integer() -> None:
    pdu = decode(NOTIFICATION.replace(x("8E027000"), x("8E1E01") + bytes(29)))
    assert isinstance(pdu, NotificationInd)
    assert pdu.message_size == 1 << 232


def test_a_uintvar() -> None:
    largest = HEAD + x("84A301 01 8FFFFFFF7F 83")
    assert refused(largest, strict=False).rule == "part-beyond-data"
    assert refused(HEAD + x("84A301 01 90808080 00 83"), strict=False).rule == "uintvar-too-large"
    assert refused(HEAD + x("84A301 01 8080808080 01 83"), strict=False).rule == "uintvar-too-long"


def test_the_numbers_are_named_constants() -> None:
    assert (mms_pdu.MAX_PDU, mms_pdu.MAX_HEADERS, mms_pdu.MAX_PARTS, mms_pdu.MAX_DEPTH) == (2 * 1024 * 1024, 512, 256, 8)


def test_an_error_names_its_place() -> None:
    octets = RETRIEVED + x("84A3 02 0102 83 6869 0402 83 C50361 6869")
    error = refused(octets, strict=True)
    assert error.path.startswith("parts[1].headers[1]")
    assert octets.hex(" ").find(error.context) >= 0
    assert 1 <= len(error.context.split()) <= 16
    assert error.offset == octets.index(x("C503")) + 1

"""Which PDUs the MM1 door takes: what is mandatory, and no more (mm1.md 1 and 4, mms.md 3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmsproxy.carrier.attempt import Awaited
from mmsproxy.pdu_schema import PDUS
from mmsproxy.web.mm1_answers import Head, Reply, head_of
from mmsproxy.web.mm1_intake import SERVED, Intake, dialled, ref_of, take_in

SEND = bytes.fromhex("8c80 98543100 8d92 890181 97 2b313535353132333030303000 84a300")


def refused(pdu: bytes, max_size: int | None = None) -> Reply:
    result = take_in(pdu, "msg_1", max_size=max_size)
    assert isinstance(result, Reply)
    return result


def test_a_good_send_req_is_taken_with_what_its_answer_needs() -> None:
    assert take_in(SEND, "msg_1", max_size=None) == Intake(Head(0x80, b"T1", b"\x92"), Awaited.SEND_CONF, "T1", ("+15551230000",))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"\x98T1\0", "X-Mms-Transaction-ID"),
        (b"\x8d\x92", "X-Mms-MMS-Version"),
        (b"\x89\x01\x81", "From"),
        (b"\x97+15551230000\0", "To or Cc or Bcc"),
        (b"\x84\xa3\x00", "Content-Type"),
    ],
)
def test_each_mandatory_header_that_is_missing_is_named(header: bytes, name: str) -> None:
    reply = refused(SEND.replace(header, b""))
    assert (reply.status, reply.cause) == (400, f"malformed m-send-req: no {name} [msg_1]")


@pytest.mark.parametrize("header", [b"\x82+15551230000\0", b"\x81+15551230000\0"])
def test_cc_or_bcc_alone_will_do(header: bytes) -> None:
    assert isinstance(take_in(SEND.replace(b"\x97+15551230000\0", header), "msg_1", max_size=None), Intake)


def test_an_empty_bcc_is_no_recipient() -> None:
    assert refused(SEND.replace(b"\x97+15551230000\0", b"\x81\0")).status == 400


def test_a_mandatory_header_that_is_there_but_odd_is_the_carriers_to_judge() -> None:
    odd = SEND.replace(b"\x89\x01\x81", b"\x89\x02\xff\xff")
    assert isinstance(take_in(odd, "msg_1", max_size=None), Intake)


@pytest.mark.parametrize("row", PDUS, ids=lambda row: row.name)
def test_every_type_is_served_or_named(row: object) -> None:
    number, name = getattr(row, "number", 0), getattr(row, "name", "")
    reply = take_in(bytes((0x8C, number)) + b"\x98T1\0\x8d\x92", "msg_1", max_size=None)
    if number in SERVED:
        assert isinstance(reply, Intake) or reply.status == 400
    else:
        assert isinstance(reply, Reply)
        assert (reply.status, name in reply.cause) == (403, True)


def taken(pdu: bytes) -> Intake:
    result = take_in(pdu, "pdu_1", max_size=None)
    assert isinstance(result, Intake), result
    return result


def test_all_recipients_count_once_without_their_type() -> None:
    more = b"\x97+15551230000/TYPE=PLMN\0\x82+1 (555) 123-0001/type=PLMN\0\x81a@b.example\0"
    assert taken(SEND.replace(b"\x84\xa3", more + b"\x84\xa3")).recipients == ("+15551230000", "+15551230001", "a@b.example")


def test_a_recipient_that_cannot_be_read_counts_too() -> None:
    odd = taken(SEND.replace(b"\x84\xa3", b"\x97\x02\xff\xff\x84\xa3"))
    assert len(odd.recipients) == 2
    assert not odd.recipients[1].isascii() or odd.recipients[1] == "?"


def test_subject_and_wishes_are_read_for_the_row() -> None:
    asked = taken(SEND.replace(b"\x84\xa3", b"\x96Hello\0\x86\x80\x90\x80\x84\xa3"))
    assert (asked.subject, asked.delivery_report, asked.read_report) == ("Hello", True, True)
    refused_ = taken(SEND.replace(b"\x84\xa3", b"\x86\x81\x90\x81\x84\xa3"))
    assert (refused_.subject, refused_.delivery_report, refused_.read_report) == (None, False, False)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+15551230000/TYPE=PLMN", "+15551230000"),
        ("10.0.0.1/TYPE=IPv4", "10.0.0.1"),  # no number, so no policy takes it for one
        ("(555) 123-0000", "5551230000"),
        ("jane-doe@b.example", "jane-doe@b.example"),
        ("*123#", "*123#"),
        ("", ""),
    ],
)
def test_a_number_is_shown_as_it_is_dialled(address: str, shown: str) -> None:
    assert dialled(address) == shown


def test_the_reference_is_the_same_for_the_same_octets_of_one_client() -> None:
    assert ref_of("10.0.0.1", SEND) == ref_of("10.0.0.1", bytes(SEND))
    assert len({ref_of("10.0.0.1", SEND), ref_of("10.0.0.2", SEND), ref_of("10.0.0.1", SEND + b"x")}) == 3


@pytest.mark.parametrize("number", [0x98, 0xC0, 0xFF])
def test_an_unassigned_type_is_named_by_its_octet(number: int) -> None:
    reply = refused(bytes((0x8C, number)) + b"\x98T1\0\x8d\x92")
    assert (reply.status, reply.cause) == (403, f"PDU type 0x{number:02X} is not served here [msg_1]")


def test_the_carriers_limit_is_inclusive() -> None:
    assert isinstance(take_in(SEND, "msg_1", max_size=len(SEND)), Intake)
    reply = refused(SEND, max_size=len(SEND) - 1)
    assert (reply.status, reply.body[8:10]) == (413, b"\x92\xe0")
    assert f"at most {len(SEND) - 1} bytes" in reply.cause


def test_every_cut_of_a_message_is_refused_or_taken_but_never_fails() -> None:
    parts = SEND[:-1] + bytes.fromhex("01 03 05 8381ea") + b"hello"
    for end in range(len(parts)):
        result = take_in(parts[:end], "msg_1", max_size=None)
        assert isinstance(result, Reply) or end == len(SEND) - 1  # up to the Content-Type: a message without parts
    assert isinstance(take_in(parts, "msg_1", max_size=None), Intake)


@pytest.mark.needs_corpus
def test_every_real_request_of_the_corpus_is_taken(corpus: Path) -> None:
    """The derived ones are header tests, no whole messages."""
    taken = 0
    for path in sorted((corpus / "valid").iterdir()):
        head = head_of(path.read_bytes())
        if head is not None and head.kind in SERVED and not path.name.startswith("derived__"):
            assert isinstance(take_in(path.read_bytes(), "msg_1", max_size=None), Intake), path.name
            taken += 1
    assert taken >= 10

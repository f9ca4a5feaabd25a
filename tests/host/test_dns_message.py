"""The DNS codec: the octets of a question, answers of every shape, and octets at random that must end well or in BadMessage."""

from __future__ import annotations

import random
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest

from mmsproxy.host.dns_message import (
    MAX_CHAIN,
    MAX_RECORDS,
    MAX_TTL,
    Answer,
    BadMessage,
    Query,
    Rcode,
    Type,
    name_octets,
    read_answer,
)

ASKED = Query(0x1234, "mmsc.example", Type.A)
# Laid by hand after RFC 1035 4.1: the question's name stands at offset 12, so pointers to it are c0 0c.
QUESTION = bytes.fromhex("04 6d6d7363 07 6578616d706c65 00 0001 0001")


def message(records: str, count: int, *, ident: int = 0x1234, flags: int = 0x8180, question: bytes = QUESTION, tail: bytes = b"") -> bytes:
    head = ident.to_bytes(2, "big") + flags.to_bytes(2, "big") + b"\0\1" + count.to_bytes(2, "big") + bytes(4)
    return head + question + bytes.fromhex(records) + tail


GOOD = message("c00c 0001 0001 0000012c 0004 c6120a01", 1)
CHAIN = message(
    "c00c 0005 0001 00000e10 0006 036d6d73 c011"  # mmsc.example CNAME mms.example, whose end is the question's
    "c02a 0001 0001 0000003c 0004 0a000001"
    "c02a 0001 0001 00000078 0004 0a000002",
    3,
)


def test_the_octets_of_a_question() -> None:
    assert ASKED.encode() == bytes.fromhex("1234 0100 0001 0000 0000 0000") + QUESTION
    assert Query(0, "mmsc", Type.AAAA).encode()[12:] == bytes.fromhex("046d6d7363 00 001c 0001")


@pytest.mark.parametrize("name", ["mmsc", "MMSC.example.", "a" * 63, "x_y.z-1", ".".join(["a" * 62] * 4)])
def test_names(name: str) -> None:
    encoded = name_octets(name)
    assert encoded[-1] == 0
    assert encoded.count(b"\0") == 1


@pytest.mark.parametrize("name", ["", ".", "a..b", "a" * 64, "a b", "mmsc\0", "é.example", "a/b", "*.x", ".".join(["a" * 63] * 4)])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        name_octets(name)


def test_an_address() -> None:
    assert read_answer(GOOD, ASKED) == Answer(Rcode.NOERROR, False, (ip_address("198.18.10.1"),), "mmsc.example", 300)


def test_a_chain_has_the_least_ttl_of_its_records() -> None:
    found = read_answer(CHAIN, ASKED)
    assert found == Answer(Rcode.NOERROR, False, (ip_address("10.0.0.1"), ip_address("10.0.0.2")), "mms.example", 60)


def test_ipv6() -> None:
    query = Query(7, "mmsc.example", Type.AAAA)
    question = QUESTION[:-4] + b"\0\x1c\0\1"
    data = message("c00c 001c 0001 ffffffff 0010 fd770009000000000000000000000010", 1, ident=7, question=question)
    assert read_answer(data, query) == Answer(Rcode.NOERROR, False, (ip_address("fd77:9::10"),), "mmsc.example", 0)  # RFC 2181 8


def test_the_ttl_is_bounded() -> None:
    assert read_answer(message("c00c 0001 0001 7fffffff 0004 0a000001", 1), ASKED).ttl == MAX_TTL


def test_the_case_of_names_makes_no_difference() -> None:
    data = message("04 4d4d5363 07 4558414d504c45 00 0001 0001 00000001 0004 0a000001", 1, question=QUESTION.replace(b"mmsc", b"MmSc"))
    assert read_answer(data, ASKED).addresses == (ip_address("10.0.0.1"),)


def test_what_was_not_asked_is_not_looked_at() -> None:
    data = message(
        "0465766930 00 0001 0001 00000e10 0004 06060606"  # another owner
        + "c00c 0010 0001 00000e10 0002 0141"  # TXT
        + "c00c 0001 0003 00000e10 0004 06060606"  # class CHAOS
        + "c00c 001c 0001 00000e10 0010 00000000000000000000000000000006"  # another type
        + "c00c 0001 0001 00000e10 0004 0a000001",
        5,
        tail=b"authority and additional sections are not even read",
    )
    assert read_answer(data, ASKED).addresses == (ip_address("10.0.0.1"),)


@pytest.mark.parametrize("rcode", [1, 2, 3, 4, 5, 9])
def test_refusals(rcode: int) -> None:
    assert read_answer(message("", 0, flags=0x8180 | rcode), ASKED) == Answer(rcode, target="mmsc.example")


def test_cut_by_the_server() -> None:
    found = read_answer(message("c00c 0001", 1, flags=0x8380), ASKED)  # what is left of the records is not read
    assert (found.is_truncated, found.addresses) == (True, ())


def test_nothing_of_this_type() -> None:
    assert read_answer(message("", 0), ASKED) == Answer(Rcode.NOERROR, target="mmsc.example", ttl=0)


def test_the_end_of_a_chain_may_be_left_open() -> None:
    found = read_answer(message("c00c 0005 0001 00000e10 0006 036d6d73 c011", 1), ASKED)
    assert (found.addresses, found.target, found.ttl) == ((), "mms.example", 3600)


BAD = {
    "empty": b"",
    "a header's half": GOOD[:7],
    "another id": message("c00c 0001 0001 0000012c 0004 c6120a01", 1, ident=0x1235),
    "a query": message("c00c 0001 0001 0000012c 0004 c6120a01", 1, flags=0x0100),
    "another opcode": message("c00c 0001 0001 0000012c 0004 c6120a01", 1, flags=0x8180 | 0x2800),
    "no question": GOOD[:4] + b"\0\0" + GOOD[6:],
    "two questions": GOOD[:4] + b"\0\2" + GOOD[6:],
    "another name": message("c00c 0001 0001 0000012c 0004 c6120a01", 1, question=QUESTION.replace(b"mmsc", b"mmse")),
    "another type": message("", 0, question=QUESTION[:-4] + b"\0\x1c\0\1"),
    "another class": message("", 0, question=QUESTION[:-2] + b"\0\3"),
    "more records than octets": message("c00c 0001 0001 0000012c 0004 c6120a01", 2),
    "a record beyond the end": message("c00c 0001 0001 0000012c 0005 c6120a01", 1),
    "an IPv4 address of three octets": message("c00c 0001 0001 0000012c 0003 c6120a", 1),
    "an IPv6 address of four octets": message("c00c 001c 0001 0000012c 0004 c6120a01", 1),
    "a pointer to itself": message("c01e 0001 0001 0000012c 0004 c6120a01", 1),
    "a pointer forwards": message("c040 0001 0001 0000012c 0004 c6120a01", 1),
    "two pointers in a ring": message("c020 c01e 0001 0001 0000012c 0004 c6120a01", 1),
    "a label of another kind": message("4161 0001 0001 0000012c 0004 c6120a01", 1),
    "a CNAME longer than its name": message("c00c 0005 0001 00000e10 0003 c00c 00", 1),
    "a CNAME beyond its record": message("c00c 0005 0001 00000e10 0001 c00c 0000", 1),
    "a CNAME of itself": message("c00c 0005 0001 00000e10 0002 c00c", 1),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bad_ones(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read_answer(data, ASKED)


def test_a_name_beyond_255_octets(dns_octets: Any) -> None:
    long = dns_octets.octets(".".join(["a" * 63] * 4)) + bytes.fromhex("0001 0001 00000001 0004 0a000001")
    with pytest.raises(BadMessage, match="a name beyond its limit"):
        read_answer(message(long.hex(), 1), ASKED)


@pytest.mark.parametrize("links", range(MAX_CHAIN + 3))
def test_chains_are_bounded(links: int, dns_octets: Any) -> None:
    names = ["mmsc.example", *(f"n{number}.example" for number in range(links))]
    records = [dns_octets.record(name, 5, target) for name, target in pairwise(names)]
    data = message(b"".join([*records, dns_octets.record(names[-1], 1, "10.0.0.1")]).hex(), links + 1)
    if links <= MAX_CHAIN:
        assert read_answer(data, ASKED).addresses == (ip_address("10.0.0.1"),)
    else:
        with pytest.raises(BadMessage, match="without end"):
            read_answer(data, ASKED)


def test_records_are_bounded(dns_octets: Any) -> None:
    records = b"".join(dns_octets.record("mmsc.example", 1, f"10.0.{number // 256}.{number % 256}") for number in range(1000))
    assert len(read_answer(message(records.hex(), 1000), ASKED).addresses) == MAX_RECORDS


@pytest.mark.parametrize("whole", [GOOD, CHAIN])
def test_cut_anywhere(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(BadMessage):
            read_answer(whole[:length], ASKED)


def test_every_octet_changed_and_octets_at_random() -> None:
    dice = random.Random(4)
    for whole in (GOOD, CHAIN):
        for place in range(len(whole)):
            for value in {0, 0xC0, 0xFF, whole[place] ^ 1, whole[place] ^ 0x80, dice.randrange(256)}:
                _survives(whole[:place] + bytes((value,)) + whole[place + 1 :])
    for _ in range(3000):
        _survives(message(dice.randbytes(dice.randrange(60)).hex(), dice.randrange(5)))


def _survives(data: bytes) -> None:
    try:
        found = read_answer(data, ASKED)
    except BadMessage:
        return
    assert all(address.version == 4 for address in found.addresses)
    assert 0 <= found.ttl <= MAX_TTL

"""What stands in a file: every dress of the same octets, and what is none."""

from __future__ import annotations

import random
import subprocess

import pytest

from mmsproxy.cli.pdu_input import Found, unwrap
from mmsproxy.errors import PduError
from mmsproxy.wire.sms_pdu import Direction

OCTETS = bytes.fromhex("8c80985431008d92") + bytes(range(32))
TPDU = "0791947101670000040B915155210300F0000452112222716300020102"


def one(data: bytes | str) -> Found:
    found = unwrap(data if isinstance(data, bytes) else data.encode())
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    "text",
    [
        OCTETS.hex(),
        OCTETS.hex().upper(),
        OCTETS.hex(" ") + "\r\n",
        OCTETS.hex(":"),
        OCTETS.hex("\n", 4),
        "0x" + OCTETS.hex(),
        " ".join(f"0x{octet:02X}," for octet in OCTETS),
        "{" + ", ".join(f"0x{octet:02x}" for octet in OCTETS) + "};",
        "".join(f"\\x{octet:02x}" for octet in OCTETS),
        "\ufeff" + OCTETS.hex(),
        "<" + OCTETS.hex(" ", 4) + ">",
    ],
)
def test_hex_in_every_dress(text: str) -> None:
    assert one(text) == Found("hex", OCTETS)


def dump(data: bytes, width: int = 16) -> list[str]:
    return [
        f"{at:08x}: {data[at : at + width].hex(' ', -2):<39}  {''.join(chr(o) if 32 <= o < 127 else '.' for o in data[at : at + width])}"
        for at in range(0, len(data), width)
    ]


def canonical_dump(data: bytes) -> list[str]:
    rows = [
        f"{at:08x}  {data[at : at + 8].hex(' ')}  {data[at + 8 : at + 16].hex(' ')}".ljust(58)
        + f"  |{''.join(chr(o) if 32 <= o < 127 else '.' for o in data[at : at + 16])}|"
        for at in range(0, len(data), 16)
    ]
    return [*rows, f"{len(data):08x}"]


def od_dump(data: bytes) -> list[str]:
    rows = [f"{at:06x} {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16)]
    return [*rows, f"{len(data):06x}"]


@pytest.mark.parametrize("make", [dump, canonical_dump, od_dump])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 40, 300])
def test_a_hex_dump(make: type, length: int) -> None:
    data = random.Random(length).randbytes(length)
    assert one("\n".join(make(data)) + "\n") == Found("dump", data)


def test_a_dump_made_by_od() -> None:
    done = subprocess.run(["od", "-Ax", "-tx1", "-v"], input=OCTETS, capture_output=True, check=True)
    assert one(done.stdout) == Found("dump", OCTETS)


def test_a_dump_with_a_gap_is_none() -> None:
    rows = dump(bytes(64))
    assert one("\n".join([rows[0], rows[2]])).form != "dump"


def test_hex_with_half_an_octet_is_refused() -> None:
    with pytest.raises(PduError) as caught:
        unwrap(b"8c80 9")
    assert (caught.value.rule, caught.value.offset) == ("not-hex", 2)


@pytest.mark.parametrize("data", [OCTETS, b"\x00", b"", b"   ", b"hello", b"<html>", "grüße".encode(), b"\x8c"])
def test_what_is_none_of_it_stays_as_it_is(data: bytes) -> None:
    assert one(data) == Found("octets", data)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /mms HTTP/1.1\r\nHost: mmsc\r\nContent-Type: application/vnd.wap.mms-message\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OCTETS),
        b"HTTP/1.0 200 OK\nServer: x\n\n",
    ],
)
def test_an_http_message(head: bytes) -> None:
    assert one(head + OCTETS) == Found("http", OCTETS)


def test_what_stands_behind_the_length_of_an_http_message_is_not_its_body() -> None:
    assert one(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + OCTETS).octets == OCTETS[:2]


def test_chunks_are_joined() -> None:
    body = b"".join(b"%x;name=value\r\n%b\r\n" % (len(piece), piece) for piece in (OCTETS[:3], OCTETS[3:])) + b"0\r\n\r\n"
    assert one(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body) == Found("http", OCTETS)


@pytest.mark.parametrize("cut", range(0, 70, 3))
def test_a_cut_http_message_does_not_fail(cut: int) -> None:
    message = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n" + OCTETS + b"\r\n0\r\n\r\n"
    assert len(unwrap(message[:cut])) == 1


@pytest.mark.parametrize(
    ("line", "direction"),
    [
        ("+CMGR: 0,,21", Direction.MT),
        ('+CMGR: 1,"Bob",21', Direction.MT),
        ("+CMGR: 2,,21", Direction.MO),
        ("+CMGL: 3,1,,21", Direction.MT),
        ("+CMGL: 3,3,,21", Direction.MO),
        ("+CMT: ,21", Direction.MT),
        ("+CDS: 21", Direction.MT),
        ("AT+CMGS=21", Direction.MO),
        ("12:00:01.5 DEBUG modem0 <- b'+CMT: ,21", Direction.MT),
    ],
)
@pytest.mark.parametrize("between", ["\r\n", "\n", "\r\r\n> ", "\\r\\n"])
def test_a_line_of_a_log(line: str, direction: Direction, between: str) -> None:
    assert one(f"AT\r\nOK\r\n{line}{between}{TPDU}\r\n\r\nOK\r\n") == Found("log", bytes.fromhex(TPDU), 21, direction)


def test_several_messages_of_a_log() -> None:
    found = unwrap(f"+CMGL: 1,0,,21\r\n{TPDU}\r\n+CMGL: 2,1,,21\r\n{TPDU[:-2]}03\r\n\r\nOK\r\n".encode())
    assert [item.octets[-1] for item in found] == [2, 3]


def test_a_line_without_its_pdu_is_no_message() -> None:
    found = unwrap(f"+CMGL: 1,0,,21\r\n+CMGL: 2,1,,21\r\n{TPDU}\r\n".encode())
    assert len(found) == 1


def test_random_octets_and_texts_never_fail() -> None:
    rand = random.Random(3)
    rules = set()
    alphabet = b"0123456789abcdefABCDEF :\r\n+CMGR,x|{}"
    for _ in range(3000):
        size = rand.randrange(60)
        for data in (rand.randbytes(size), bytes(rand.choice(alphabet) for _ in range(size))):
            rules.add(rule_of(data))
    assert rules == {"", "not-hex"}


def rule_of(data: bytes) -> str:
    try:
        return "" if unwrap(data) else "nothing"
    except PduError as error:
        return error.rule

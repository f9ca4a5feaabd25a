"""What is written down, what is hidden, and that it can be read again."""

from __future__ import annotations

import random
import stat
from pathlib import Path

import pytest

from mmsproxy.trace import Entry, Trace, escape, exchange, load_trace, mask, unescape


def written(path: Path, **options: object) -> Trace:
    times = iter(range(1000))
    return Trace(path, clock=lambda: float(next(times)), **options)  # type: ignore[arg-type]


def test_a_trace_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with written(path) as trace:
        trace.note("port", "opening /dev/ttyUSB2")
        trace.sent(b"AT+CIPSEND=0,4\r")
        trace.received(b"\r\n> ")
        trace.sent(b"\x00\xff\\ ")
        trace.received(b"\r\nDATA")
        trace.received(b" ACCEPT:0,4\r\n")
    entries = load_trace(path)
    assert [(entry.kind, entry.data or entry.text) for entry in entries] == [
        ("note", "port opening /dev/ttyUSB2"),
        ("sent", b"AT+CIPSEND=0,4\r"),
        ("received", b"\r\n"),
        ("received", b"> "),
        ("sent", b"\x00\xff\\ "),
        ("received", b"\r\n"),
        ("received", b"DATA ACCEPT:0,4\r\n"),
    ]
    assert all(entry.seconds is not None for entry in entries)
    assert [entry.data for entry in exchange(entries)] == [
        b"AT+CIPSEND=0,4\r",
        b"\r\n> ",
        b"\x00\xff\\ ",
        b"\r\nDATA ACCEPT:0,4\r\n",
    ]


def test_it_is_ascii_and_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with written(path) as trace:
        trace.note("http", "Grüße\nzwei")
        trace.received(bytes(range(256)))
    assert path.read_bytes().isascii()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_trace(path)[0].text == "http Grüße zwei"


@pytest.mark.parametrize(
    ("data", "hidden"),
    [
        (b'AT+CMGS="+16195550123"\r', b'AT+CMGS="+00000000023"\r'),
        (b"To: (619) 555-0123 x", b"To: (000) 000-0023 x"),
        (b"\r\n310260123456789\r\n", b"\r\n000000000000089\r\n"),
        (b'AT+CPIN="4711"\r', b'AT+CPIN="xxxx"\r'),
        (b'AT+CSTT="mms.example","user","word"\r', b'AT+CSTT="mms.example","xxxx","xxxx"\r'),
        (b'AT+CGAUTH=1,1,"word","user"\r', b'AT+CGAUTH=1,1,"xxxx","xxxx"\r'),
        (b'AT+QICSGP=1,1,"mms.example","user","word",1\r', b'AT+QICSGP=1,1,"mms.example","xxxx","xxxx",1\r'),
        (b'AT+UPSD=0,3,"word"\r', b'AT+UPSD=0,3,"xxxx"\r'),
        (b"Authorization: Bearer abc.def\r\nHost: x\r\n", b"Authorization: xxxxxxxxxxxxxx\r\nHost: x\r\n"),
        (b"Proxy-Authorization: Basic Zm9v\r\n", b"Proxy-Authorization: xxxxxxxxxx\r\n"),
        (b"X-MDN: 16195550123\r\n", b"X-MDN: 00000000023\r\n"),
    ],
)
def test_masked_in_place(data: bytes, hidden: bytes) -> None:
    assert mask(data) == hidden
    assert len(hidden) == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"AT+CIPSEND=0,1460\r",
        b"\r\n+CIPRXGET: 2,0,1460,30000\r\n",
        b"\r\n+CIPACK: 130,120,10\r\n",
        b"\r\n10.113.43.157\r\n",
        b"Content-Length: 1048576\r\n",
        b'AT+CGDCONT=1,"IP","mms.example"\r',
        b"Date: Fri, 07 Jun 2024 14:02:11 GMT\r\n",
    ],
)
def test_what_a_replay_needs_stays(data: bytes) -> None:
    assert mask(data) == data


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_number_cannot_slip_through_between_two_reads(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "trace"
    line = b'\r\n+CNUM: "","+16195550123",145\r\n'
    with written(path) as trace:
        trace.received(line[:cut])
        trace.received(line[cut:])
    text = path.read_text()
    assert "00000000023" in text
    assert "619" not in text


def test_a_number_that_a_chunk_cuts_is_hidden_on_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with written(path) as trace:
        trace.sent(b"To: +16195")
        trace.received(b"\r\nDATA ACCEPT:0,10\r\n")
        trace.sent(b"550123/TYPE=PLMN")
    assert [entry.data for entry in load_trace(path) if entry.kind == "sent"] == [b"To: +00000", b"000000/TYPE=PLMN"]


def test_a_number_inside_a_pdu_in_hex_is_hidden(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    pdu = b"\x8c\x80\x97+16195550123/TYPE=PLMN\x00"
    with written(path) as trace:
        trace.note("pdu", pdu.hex())
    (entry,) = load_trace(path)
    assert bytes.fromhex(entry.text.removeprefix("pdu ")) == b"\x8c\x80\x97+00000000023/TYPE=PLMN\x00"


def test_secrets_and_unmasked(tmp_path: Path) -> None:
    for masked in (True, False):
        path = tmp_path / f"trace {masked}"
        with written(path, masked=masked, secrets=["hunter2", ""]) as trace:
            trace.sent(b"user=hunter2\r")
            trace.note("http", "hunter2 16195550123")
        assert ("hunter2" in path.read_text()) is not masked
        assert ("16195550123" in path.read_text()) is not masked


def test_a_file_that_cannot_be_written_ends_the_trace_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    trace = Trace("/dev/full")
    trace.sent(b"AT\r")
    trace.sent(b"AT\r")
    trace.note("state", "up")
    trace.close()
    trace.close()
    trace.received(b"late\r\n")
    assert caplog.text.count("the trace ends here") == 1


def test_escape_and_back() -> None:
    source = random.Random(7)
    for size in (0, 1, 2, 3, 300):
        for _ in range(20):
            data = bytes(source.randrange(256) for _ in range(size))
            assert unescape(escape(data)) == data
            assert escape(data) == escape(data).strip()
    assert escape(b" a \\x41\t\r\n ") == "\\x20a \\\\x41\\t\\r\\n\\x20"


@pytest.mark.parametrize("line", ["> \\q", "> \\x4", "? AT", "1.0 AT", "> \\"])
def test_what_is_no_entry_is_named_by_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.at"
    path.write_text(f"# a comment\n\n> AT\\r\n{line}\n")
    with pytest.raises(ValueError, match=r"bad\.at:4: "):
        load_trace(path)


def test_a_transcript_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "hand.at"
    path.write_text("> AT\\r\n! timeout\n- note kept out\n< a\n< b\n")
    assert exchange(load_trace(path)) == (
        Entry("sent", data=b"AT\r"),
        Entry("event", text="timeout"),
        Entry("received", data=b"ab"),
    )

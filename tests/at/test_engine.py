"""Bytes in, events out."""

from __future__ import annotations

import random
import re

import pytest

from mmsproxy.at.engine import BURST, MAX_LINE, Engine
from mmsproxy.at.heard import (
    BurstReceived,
    DataReceived,
    EchoReceived,
    Event,
    GarbageReceived,
    HalfDone,
    Outcome,
    Replied,
    Reply,
    UnknownReceived,
    UrcReceived,
)
from mmsproxy.at.rules import COMMON_URCS, DataHeader, Rule, Slot, Takes, Urc, bare, ok, ok_and, urc
from mmsproxy.at.sim800 import SIM800
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.at.simcom import SOCKET_URCS


def feed(engine: Engine, data: bytes, step: int = 0) -> list[Event]:
    """All at once, or in pieces of `step` bytes."""
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    return [event for piece in pieces for event in engine.feed(piece)]


@pytest.fixture(params=[0, 1, 2, 3, 7], ids=lambda step: f"step {step}" if step else "whole")
def step(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


def replies(events: list[Event]) -> list[Reply]:
    return [event.reply for event in events if isinstance(event, Replied)]


def test_ok_with_lines(step: int) -> None:
    engine = Engine()
    engine.begin(b"AT+CSQ", ok(rb"\+CSQ: .*"))
    assert feed(engine, b"\r\n+CSQ: 20,0\r\n\r\nOK\r\n", step) == [
        Replied(Reply(Outcome.DONE, (b"+CSQ: 20,0", b"OK"), b"OK")),
    ]


def test_the_echo_is_dropped_once(step: int) -> None:
    engine = Engine()
    engine.begin(b"AT", ok(free=True))
    events = feed(engine, b"\r\nRING\r\nAT\r\r\nAT\r\n\r\nOK\r\n", step)
    assert events == [
        UrcReceived(Urc.NOISE, b"RING"),
        EchoReceived(),
        Replied(Reply(Outcome.DONE, (b"AT", b"OK"), b"OK")),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"ERROR",
        b"+CME ERROR: 3",
        b"+CME ERROR: operation not allowed",
        b"+CMS ERROR: 515",
        b"COMMAND NOT SUPPORT",
        b"BUSY",
        b"NO ANSWER",
        b"NO DIALTONE",
        b"NA",
        b"MODEM ERROR: 7",
    ],
)
def test_each_error_ends_a_command(line: bytes, step: int) -> None:
    engine = Engine()
    engine.begin(b"AT+X", ok())
    assert replies(feed(engine, b"\r\n" + line + b"\r\n", step)) == [Reply(Outcome.FAILED, (line,), line)]


def test_no_carrier_ends_no_command(step: int) -> None:
    engine = Engine()
    engine.begin(b"AT+X", ok())
    assert feed(engine, b"\r\nNO CARRIER\r\n", step) == [UrcReceived(Urc.NOISE, b"NO CARRIER")]
    assert replies(feed(engine, b"\r\nOK\r\n", step)) == [Reply(Outcome.DONE, (b"OK",), b"OK")]


@pytest.mark.parametrize("answer", [b"\r\nOK\r\n\r\n+CIPOPEN: 0,0\r\n", b"\r\n+CIPOPEN: 0,0\r\n\r\nOK\r\n"])
def test_two_lines_in_either_order(answer: bytes, step: int) -> None:
    engine = Engine()
    engine.begin(b"AT+CIPOPEN", ok_and(rb"\+CIPOPEN: 0,0", rb"\+CIPOPEN: 0,\d+"))
    (reply,) = replies(feed(engine, answer, step))
    assert reply.ok
    assert len(reply.lines) == 2


def test_an_error_waits_for_its_second_line(step: int) -> None:
    engine = Engine()
    engine.begin(b"AT+CIPOPEN", ok_and(rb"\+CIPOPEN: 0,0", rb"\+CIPOPEN: 0,\d+"))
    assert feed(engine, b"\r\n+CIPOPEN: 0,2\r\n", step) == [HalfDone()]
    (reply,) = replies(feed(engine, b"\r\nERROR\r\n", step))
    assert (reply.outcome, reply.last) == (Outcome.FAILED, b"+CIPOPEN: 0,2")
    assert engine.settle() is None


def test_an_overdue_second_line_is_not_waited_for() -> None:
    engine = Engine()
    engine.begin(b"AT+CIPOPEN", ok_and(rb"\+CIPOPEN: 0,0", rb"\+CIPOPEN: 0,\d+"))
    assert engine.settle() is None
    assert engine.feed(b"\r\nERROR\r\n") == [HalfDone()]
    reply = engine.settle()
    assert reply is not None
    assert (reply.outcome, reply.last) == (Outcome.FAILED, b"ERROR")
    engine.begin(b"AT", ok())


def test_a_line_of_another_socket_decides_nothing(step: int) -> None:
    engine = Engine(SIM800.urcs)
    engine.begin(b"AT+CIPCLOSE=0,1", bare(rb"0, ?CLOSE OK"))
    assert feed(engine, b"\r\n1, CLOSE OK\r\n\r\n1, CLOSED\r\n", step) == [
        UnknownReceived(b"1, CLOSE OK"),
        UrcReceived(Urc.PEER_CLOSED, b"1, CLOSED", 1),
    ]
    assert replies(feed(engine, b"\r\n0, CLOSE OK\r\n", step)) == [Reply(Outcome.DONE, (b"0, CLOSE OK",), b"0, CLOSE OK")]


@pytest.mark.parametrize("prompt", [b"\r\n> ", b"\r\n>", b"\r\n@", b"AT+S\r\r\n> ", b"\r\nRING\r\n\r\n> "])
def test_a_prompt_needs_no_line_end(prompt: bytes, step: int) -> None:
    engine = Engine()
    engine.begin(b"AT+S", ok(), prompt=True)
    assert [reply.outcome for reply in replies(feed(engine, prompt, step))] == [Outcome.PROMPTED]
    (reply,) = replies(feed(engine, b"\r\nOK\r\n", step))
    assert reply.ok


def test_a_prompt_is_none_inside_a_line_nor_without_a_command_that_wants_one(step: int) -> None:
    engine = Engine()
    assert feed(engine, b"\r\n> \r\n", step) == [UnknownReceived(b">")]
    engine.begin(b"AT+S", ok(), prompt=True)
    assert feed(engine, b"\r\n+X: a > b\r\n", step) == [UnknownReceived(b"+X: a > b")]
    assert replies(feed(engine, b"\r\nERROR\r\n\r\n>", step)) == [Reply(Outcome.FAILED, (b"ERROR",), b"ERROR")]


DATA = b"OK\r\n\r\nERROR\r\n+++\x1a\x1b\x00\xff> \r\n+CIPRXGET: 2,0,5,0\r\n"


def test_counted_data_are_data_whatever_they_hold(step: int) -> None:
    script = SIM7600.read(0, 1500)
    engine = Engine(SIM7600.urcs)
    request = next(script)
    engine.begin(request.text, request.rule)  # type: ignore[union-attr]
    events = feed(engine, b"\r\n+CIPRXGET: 2,0,%d,3\r\n" % len(DATA) + DATA + b"\r\n\r\nRING\r\n\r\nOK\r\n", step)
    (reply,) = replies(events)
    assert reply.data == DATA
    assert reply.header == b"+CIPRXGET: 2,0,%d,3" % len(DATA)
    assert UrcReceived(Urc.NOISE, b"RING") in events


def test_data_of_every_byte_value(step: int) -> None:
    every = bytes(range(256)) * 4
    request = next(SIM800.read(0, 1460))
    engine = Engine()
    engine.begin(request.text, request.rule)  # type: ignore[union-attr]
    (reply,) = replies(feed(engine, b"\r\n+CIPRXGET: 2,0,1024,0\r\n" + every + b"\r\nOK\r\n", step))
    assert reply.data == every


def test_more_data_than_asked_for_fail_the_command(step: int) -> None:
    request = next(SIM800.read(0, 10))
    engine = Engine()
    engine.begin(request.text, request.rule)  # type: ignore[union-attr]
    events = feed(engine, b"\r\n+CIPRXGET: 2,0,11,0\r\n", step)
    assert isinstance(events[0], GarbageReceived)
    assert replies(events)[0].outcome is Outcome.FAILED
    assert engine.late


def test_quoted_data_with_a_trailer(step: int) -> None:
    """u-blox puts the data in quotes, and they may hold quotes."""

    header = DataHeader(re.compile(rb'\+USORD: 0,(?P<len>\d{1,5}),"'), 1024, b'"')
    engine = Engine()
    engine.begin(b"AT+USORD=0,1024", ok(data=header))
    (reply,) = replies(feed(engine, b'\r\n+USORD: 0,5,""\r\n"x"\r\n\r\nOK\r\n', step))
    assert reply.data == b'"\r\n"x'


def test_data_behind_a_comma_without_a_line_end(step: int) -> None:
    """SIM7080: `+CARECV: got,<data>`; empty: `+CARECV: 0`."""

    rule = ok(rb"\+CARECV: 0", data=DataHeader(re.compile(rb"\+CARECV: (?P<len>\d{1,5}),"), 1460))
    engine = Engine()
    engine.begin(b"AT+CARECV=0,1460", rule)
    (reply,) = replies(feed(engine, b"\r\n+CARECV: 4,a\r\nb\r\n\r\nOK\r\n", step))
    assert reply.data == b"a\r\nb"
    engine.begin(b"AT+CARECV=0,1460", rule)
    (reply,) = replies(feed(engine, b"\r\n+CARECV: 0\r\n\r\nOK\r\n", step))
    assert (reply.data, reply.header, reply.lines[0]) == (b"", b"", b"+CARECV: 0")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\r\n+RECEIVE,2,5:\r\nOK\r\n\x00\r\n", UrcReceived(Urc.PUSHED_DATA, b"+RECEIVE,2,5:", 2, b"OK\r\n\x00")),
        (b"\r\n+IPD,4:a\r\nb", UrcReceived(Urc.PUSHED_DATA, b"+IPD,4:", None, b"a\r\nb")),
        (b"\r\n+IPD4\r\na\r\nb", UrcReceived(Urc.PUSHED_DATA, b"+IPD4", None, b"a\r\nb")),
    ],
)
def test_pushed_data_are_one_event(data: bytes, expected: UrcReceived, step: int) -> None:
    assert feed(Engine(SOCKET_URCS), data, step) == [expected]


def test_two_line_urcs_are_one_event(step: int) -> None:
    pdu = b"07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07"
    assert feed(Engine(), b"\r\n+CMT: ,24\r\n" + pdu + b'\r\n\r\n+CMTI: "SM",1,"MMS PUSH",2,1\r\n', step) == [
        UrcReceived(Urc.SMS_DIRECT, b"+CMT: ,24", data=pdu),
        UrcReceived(Urc.SMS_STORED, b'+CMTI: "SM",1,"MMS PUSH",2,1'),
    ]


def test_a_line_between_the_two_of_a_urc_does_not_become_its_pdu(step: int) -> None:
    events = feed(Engine(), b"\r\n+CDS: 24\r\n\r\nRING\r\n\r\n" + b"0A" * 12 + b"\r\n", step)
    assert events == [UrcReceived(Urc.NOISE, b"RING"), UrcReceived(Urc.REPORT_DIRECT, b"+CDS: 24", data=b"0A" * 12)]


def test_a_late_answer_is_not_the_next_commands(step: int) -> None:
    engine = Engine()
    engine.begin(b"AT+SLOW", ok(rb"\+SLOW: .*"))
    engine.abandon()
    assert engine.late
    engine.begin(b"AT", ok())
    assert feed(engine, b"\r\n+SLOW: 1\r\n\r\nOK\r\n", step) == []
    assert not engine.late
    assert replies(feed(engine, b"\r\nOK\r\n", step)) == [Reply(Outcome.DONE, (b"OK",), b"OK")]


def test_late_data_are_counted(step: int) -> None:
    request = next(SIM800.read(0, 1460))
    engine = Engine()
    engine.begin(request.text, request.rule)  # type: ignore[union-attr]
    engine.abandon()
    engine.begin(b"AT", ok())
    assert feed(engine, b"\r\n+CIPRXGET: 2,0,6,0\r\n\r\nOK\r\n\r\nOK\r\n", step) == []
    assert replies(feed(engine, b"\r\nOK\r\n", step))[0].ok


def test_a_probe_is_forgotten_and_an_answer_clears_what_is_late() -> None:
    engine = Engine()
    engine.begin(b"AT+SLOW", ok())
    engine.abandon()
    engine.forget_late()
    engine.begin(b"AT", ok())
    engine.abandon(forget=True)
    assert not engine.late


def test_a_close_in_place_of_a_result_ends_a_send_and_is_heard_too(step: int) -> None:
    engine = Engine(SIM800.urcs)

    rule = Rule((Slot(re.compile(rb"DATA ACCEPT:0,\d+")),), broken=re.compile(rb"0, ?CLOSED"))
    engine.begin(b"AT+CIPSEND=0,5", rule, prompt=True)
    assert feed(engine, b"\r\n0, CLOSED\r\n", step) == [UrcReceived(Urc.PEER_CLOSED, b"0, CLOSED", 0)]  # the prompt may still come
    assert replies(feed(engine, b"\r\n> ", step))[0].prompted
    events = feed(engine, b"\r\n0, CLOSED\r\n", step)
    assert events[0] == UrcReceived(Urc.PEER_CLOSED, b"0, CLOSED", 0)
    assert replies(events)[0].outcome is Outcome.FAILED


def test_a_line_that_is_too_long_is_garbage_whatever_the_framing(step: int) -> None:
    engine = Engine()
    events = feed(engine, b"a" * (MAX_LINE + 1) + b"b" * 10_000 + b"\r\n\r\nRING\r\n", step)
    assert [type(event) for event in events] == [GarbageReceived, UrcReceived]
    assert feed(engine, b"c" * (MAX_LINE - 1) + b"\r\n", step) == [UnknownReceived(b"c" * (MAX_LINE - 1))]


def test_garbage_does_not_grow() -> None:
    engine = Engine()
    for _ in range(100):
        engine.feed(b"\x80" * 10_000)
    assert "buffered=0" in repr(engine)


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_a_burst_is_told_once_and_a_stray_byte_is_nothing(byte: bytes, step: int) -> None:
    engine = Engine()
    assert feed(engine, byte * (BURST - 1) + b"\r\nRING\r\n", step) == [UrcReceived(Urc.NOISE, b"RING")]
    assert feed(engine, byte * (BURST * 3) + b"\r\n", step) == [BurstReceived()]


GARBAGE = [b"\x00", b"\xff", b"\x80", b"half a line", b"\r\nRING\r\n", b"\r\n+CPIN: READY\r\n", b"\r\n+CIPRXGET: 1,0\r\n", b">", b"\r\n> "]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_at_every_byte_of_an_exchange_never_hangs_the_reader(garbage: bytes) -> None:
    """Whatever became of the disturbed exchange, after a new line the next command is understood."""
    answer = b"\r\n+CIPRXGET: 2,0,4,0\r\nabcd\r\nOK\r\n"
    for place in range(len(answer) + 1):
        engine = Engine(SIM7600.urcs)
        request = next(SIM7600.read(0, 4))
        engine.begin(request.text, request.rule)  # type: ignore[union-attr]
        events = engine.feed(answer[:place] + garbage + answer[place:])
        done = [reply for reply in replies(events) if reply.ok and reply.data]
        assert all(len(reply.data) == 4 for reply in done)
        engine.abandon()
        engine.forget_late()
        engine.feed(b"wxyz\r\n\r\n")  # fills what a disturbed count may still wait for
        engine.begin(b"AT", ok())
        assert replies(engine.feed(b"\r\nOK\r\n"))[-1].ok, place


def test_any_bytes_at_any_split_raise_nothing() -> None:
    source = random.Random(20240607)
    alphabet = [
        b"\r\n",
        b"OK",
        b"ERROR",
        b">",
        b"@",
        b"+CIPRXGET: 2,0,3,0",
        b"+RECEIVE,0,3:",
        b"+CMT: 1",
        b"\x00",
        b"\xff",
        b"AT",
        b"0A" * 9,
    ]
    for _ in range(300):
        stream = b"".join(source.choice(alphabet) for _ in range(30))
        whole, pieces = Engine(SIM7600.urcs), Engine(SIM7600.urcs)
        assert feed(whole, stream) == feed(pieces, stream, source.randrange(1, 9))


def test_the_urc_table_of_a_dialect_comes_first() -> None:
    engine = Engine((urc(rb"RING", Urc.SIM_STATE, Takes.NOTHING), *COMMON_URCS))
    assert engine.feed(b"\r\nRING\r\n") == [UrcReceived(Urc.SIM_STATE, b"RING")]


def test_after_connect_the_line_is_a_connections_until_it_is_taken_back() -> None:
    rule = Rule((Slot(re.compile(rb"CONNECT( \d+)?"), re.compile(rb"CONNECT FAIL")),), online=True)
    data = b"HTTP/1.1 200 OK\r\n\r\nOK\r\n+CREG: 1\r\n\x00\xff> "
    stream = b"\r\nCONNECT 115200\r\n" + data
    for cut in range(len(stream) + 1):
        engine = Engine()
        engine.begin(b"AT+OPEN", rule)
        events = engine.feed(stream[:cut]) + engine.feed(stream[cut:])
        assert isinstance(events[0], Replied)
        assert b"".join(event.data for event in events[1:] if isinstance(event, DataReceived)) == data
        assert engine.online
        engine.offline()
        engine.begin(b"+++", ok())
        assert [type(event) for event in engine.feed(b"\r\nOK\r\n")] == [Replied]


def test_a_connection_that_fails_leaves_the_line_in_command_mode() -> None:
    engine = Engine()
    engine.begin(b"AT+OPEN", Rule((Slot(re.compile(rb"CONNECT"), re.compile(rb"CONNECT FAIL")),), online=True))
    assert [type(event) for event in engine.feed(b"\r\nCONNECT FAIL\r\n\r\nRING\r\n")] == [Replied, UrcReceived]
    assert not engine.online

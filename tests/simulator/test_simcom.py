"""What both SIMCom dialects do alike: counted data, once-until-read, drain after close, the transparent mode."""

from __future__ import annotations

import contextlib
import os
import time

import pytest

BOTH = pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
ALL_VALUES = bytes(range(256)) * 4 + b"+++\r\nOK\r\n\x1a\x1b\r\nAT\r\nSEND OK\r\n> "


@BOTH
async def test_every_byte_value_passes_both_ways(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.post(ALL_VALUES)
        assert b.peer.receive(len(ALL_VALUES)) == ALL_VALUES
        b.peer.send(ALL_VALUES)
        b.dte.expect("\r\n+CIPRXGET: 1,0\r\n")
        b.dte.send("AT+CIPRXGET=2,0,1460\r")
        b.dte.expect(f"\r\n+CIPRXGET: 2,0,{len(ALL_VALUES)},0\r\n".encode() + ALL_VALUES)
        b.dte.until("OK\r\n")
        b.dte.silent()

    await bench(script, dialect=dialect)


@BOTH
@pytest.mark.parametrize("first", [b"\n", b"\r\n", b" ", b"\0"])
async def test_the_first_byte_of_the_payload_is_kept(bench, dialect: str, first: bytes) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.post(first + b"payload")
        assert b.peer.receive(len(first) + 7) == first + b"payload"

    await bench(script, dialect=dialect)


@BOTH
async def test_commands_that_end_with_cr_lf_leave_the_payload_whole(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        for _ in range(3):
            b.dte.send("AT+CIPACK=0\r\n")
            b.dte.until("OK\r\n")
            b.dte.send("AT+CIPSEND=0,6\r")
            b.dte.send("\n")
            b.dte.until(">")
            if dialect == "sim800":
                b.dte.expect(" ")
            time.sleep(0.02)
            b.dte.send("\nabcde")
            b.dte.until("0,6\r\n" if dialect == "sim800" else "0,6,6\r\n")
            assert b.peer.receive(6) == b"\nabcde"

    await bench(script, dialect=dialect)


@BOTH
async def test_what_is_too_much_goes_to_the_command_parser(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.dte.send("AT+CIPSEND=0,3\r")
        b.dte.until(">")
        b.dte.send(b"abc\x1aAT+CIPACK=0\r")
        b.dte.until("+CIPACK: 3,3,0\r\n\r\nOK\r\n")
        assert b.peer.receive(3) == b"abc"

    modem = await bench(script, dialect=dialect)
    assert modem.wire.up == b"abc"


@BOTH
async def test_nothing_is_accepted_before_the_prompt(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.dte.send("AT+CIPSEND=0,3\rearly")
        b.dte.until(">")
        time.sleep(0.02)
        b.dte.send("abc")
        b.dte.until("0,3")
        assert b.peer.receive(3) == b"abc"

    modem = await bench(script, dialect=dialect, prompt_delay=0.05)
    assert modem.wire.up == b"abc"


@BOTH
async def test_the_urc_comes_once_until_read(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.peer.send(b"one")
        b.dte.expect("\r\n+CIPRXGET: 1,0\r\n")
        b.peer.send(b"two")
        b.dte.silent()
        b.dte.send("AT+CIPRXGET=2,0,2\r")
        b.dte.expect("\r\n+CIPRXGET: 2,0,2,4\r\non")
        b.dte.until("OK\r\n")
        b.dte.silent()  # what is left is not announced again ...
        b.peer.send(b"three")
        b.dte.expect("\r\n+CIPRXGET: 1,0\r\n")  # ... but what comes after a read is

    await bench(script, dialect=dialect)


@BOTH
async def test_closed_comes_before_the_buffer_is_drained(bench, dialect: str) -> None:
    closed = "\r\n0, CLOSED\r\n" if dialect == "sim800" else "\r\n+IPCLOSE: 0,1\r\n"

    def script(b) -> None:
        b.up()
        b.connect()
        b.peer.send(b"HTTP/1.1 413 \r\n\r\n")
        b.peer.finish()
        b.dte.expect("\r\n+CIPRXGET: 1,0\r\n" + closed)
        b.dte.ask("AT+CIPSEND=0,1", "|ERROR|" if dialect == "sim800" else "|+CIPERROR: 4||ERROR|")
        b.dte.send("AT+CIPRXGET=2,0,1460\r")
        b.dte.expect("\r\n+CIPRXGET: 2,0,17,0\r\nHTTP/1.1 413 \r\n\r\n")

    modem = await bench(script, dialect=dialect)
    assert [record.ended for record in modem.wire.connections] == ["peer"]


@BOTH
async def test_counters_while_the_air_is_slow(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.post(bytes(1000))
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 1000,0,1000||OK|")
        assert b.peer.receive(1000) == bytes(1000)
        time.sleep(0.3)
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 1000,1000,0||OK|")
        b.modem.faults.counter_error = 5
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 1005,1000,5||OK|")

    await bench(script, dialect=dialect, rtt=0.2)


@BOTH
async def test_two_sockets_at_once(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect(0)
        first = b.peer.connection
        b.peer.connection = None
        b.connect(3)
        b.post(b"zero", 0)
        b.post(b"three", 3)
        assert b.peer.receive(5) == b"three"
        assert first.recv(10) == b"zero"
        first.close()

    await bench(script, dialect=dialect)


@BOTH
async def test_a_300_kb_answer_is_read_whole(bench, dialect: str) -> None:
    body = os.urandom(300_000)

    def script(b) -> None:
        b.up()
        b.connect()
        b.dte.send("")
        b.peer.connection.setblocking(False)
        sent, got = 0, bytearray()
        while len(got) < len(body):
            if sent < len(body):
                with contextlib.suppress(BlockingIOError):
                    sent += b.peer.connection.send(body[sent : sent + 65536])
            b.dte.send("AT+CIPRXGET=2,0,1460\r")
            head = b.dte.until("\n") + b.dte.until("\n")
            while "+CIPRXGET: 2" not in head and "ERROR" not in head:
                head = b.dte.until("\n")
            if "+CIPRXGET: 2" in head:
                got += b.dte.read(int(head.split(",")[2]))
            b.dte.until("ERROR\r\n" if "IP ERROR" in head else "OK\r\n")
        assert bytes(got) == body

    await bench(script, dialect=dialect)


@BOTH
async def test_the_pull_forms_need_the_pull_mode(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up(pull=False)
        b.dte.ask("AT+CIPRXGET?", "|+CIPRXGET: 0||OK|")
        b.dte.ask("AT+CIPRXGET=4,0", "|ERROR|" if dialect == "sim800" else "|+CME ERROR: operation not allowed|")

    await bench(script, dialect=dialect)


def go_online(b, dialect: str) -> None:
    b.dte.ask("ATE0", "ATE0\r|OK|")
    b.dte.ok("AT+CIPMODE=1")
    if dialect == "sim800":
        b.dte.ask('AT+CIPSTART="TCP","peer.test",80', "|OK||CONNECT|")
    else:
        b.dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 0|")
        b.dte.ask('AT+CIPOPEN=0,"TCP","peer.test",80', "|CONNECT 115200|")
    b.peer.accept()


@BOTH
async def test_the_transparent_mode(bench, dialect: str) -> None:
    def script(b) -> None:
        go_online(b, dialect)
        b.dte.send(ALL_VALUES)
        assert b.peer.receive(len(ALL_VALUES)) == ALL_VALUES
        b.peer.send(b"raw\r\nOK\r\n")
        b.dte.expect(b"raw\r\nOK\r\n")
        time.sleep(0.25)
        b.dte.send("+++")
        b.dte.expect("\r\nOK\r\n")
        b.dte.ask("AT", "|OK|")
        b.dte.ask("ATO", "|CONNECT|" if dialect == "sim800" else "|CONNECT 115200|")
        b.dte.send("again")
        assert b.peer.receive(5) == b"again"
        b.peer.finish()
        b.dte.expect("\r\nCLOSED\r\n")
        b.dte.ask("ATO", "|NO CARRIER|")

    await bench(script, dialect=dialect)


@BOTH
async def test_three_plus_signs_without_their_silence_are_data(bench, dialect: str) -> None:
    def script(b) -> None:
        go_online(b, dialect)
        b.dte.send("a+++")
        assert b.peer.receive(4) == b"a+++"
        time.sleep(0.25)
        b.dte.send("+++b")
        assert b.peer.receive(4) == b"+++b"
        time.sleep(0.25)
        b.dte.send("+")
        assert b.peer.receive(1) == b"+"
        time.sleep(0.25)
        b.dte.send("++++")
        assert b.peer.receive(4) == b"++++"

    await bench(script, dialect=dialect)

"""What goes wrong on purpose, seen from the host's side."""

from __future__ import annotations

import os

import pytest

from mmsproxy.simulator.faults import Connect, Faults, Verdict

BOTH = pytest.mark.parametrize("dialect", ["sim800", "sim7600"])


def test_rules_are_used_up() -> None:
    faults = Faults()
    faults.refuse("+csq", "+CME ERROR: 14", times=2)
    faults.ignore("+CPIN")
    assert [faults.on_command("+CSQ")[0] for _ in range(3)] == [Verdict.REFUSE, Verdict.REFUSE, Verdict.PASS]
    assert [faults.on_command("+CPIN?")[0] for _ in range(2)] == [Verdict.IGNORE, Verdict.PASS]


def test_bytes_are_counted_across_pieces() -> None:
    faults, seen = Faults(), []
    faults.after_received(5, lambda: seen.append("five"))
    faults.after_received(2, lambda: seen.append("two"))
    for piece in (b"a", b"bcd", b"efg"):
        parts = faults.on_receive(piece)
        while (part := next(parts, None)) is not None:
            seen.append(part)
    assert seen == [b"a", b"b", "two", b"cd", b"e", "five", b"fg"]


def test_insertions_are_counted_across_writes() -> None:
    faults = Faults()
    faults.insert(b"<3>", after=3)
    faults.insert(b"<0>")
    faults.insert(b"<7>", after=7)
    assert faults.on_transmit(b"ab") + faults.on_transmit(b"cdef") + faults.on_transmit(b"gh") == b"<0>abc<3>defg<7>h"


@BOTH
async def test_refused_ignored_and_swallowed(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.modem.faults.refuse("+CSQ", "+CME ERROR: 14")
        b.dte.ask("AT+CSQ", "|+CME ERROR: 14|")
        b.modem.faults.ignore("+CMEE")
        b.dte.ask("AT+CMEE=1", "")
        b.dte.silent()
        b.dte.ask("AT+CMEE?", f"|+CMEE: {0 if dialect == 'sim800' else 2}||OK|")
        b.modem.faults.swallow("+CMEE")
        b.dte.ask("AT+CMEE=1", "")
        b.dte.silent()
        b.dte.ask("AT+CMEE?", "|+CMEE: 1||OK|")  # it was carried out
        b.modem.faults.deaf = True
        b.dte.ask("AT", "")
        b.dte.silent()
        b.modem.faults.deaf = False
        b.dte.ok("AT")

    await bench(script, dialect=dialect)


@BOTH
async def test_a_lost_prompt_still_waits_for_the_bytes(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.modem.faults.lose(">")
        b.dte.ask("AT+CIPSEND=0,4", "")
        b.dte.silent()
        b.dte.send("AT\r\r")
        b.dte.until("0,4")
        assert b.peer.receive(4) == b"AT\r\r"

    await bench(script, dialect=dialect)


@BOTH
async def test_the_peer_is_gone_after_so_many_bytes(bench, dialect: str) -> None:
    closed = "0, CLOSED\r\n" if dialect == "sim800" else "+IPCLOSE: 0,3\r\n"

    def script(b) -> None:
        b.up()
        b.connect()
        b.modem.faults.drop_after(7)
        b.post(b"12345")
        b.dte.send("AT+CIPSEND=0,5\r")
        b.dte.until(">")
        b.dte.send("67890")
        b.dte.until(closed)

    modem = await bench(script, dialect=dialect, rtt=0.02)
    assert [(record.up_bytes, record.ended) for record in modem.wire.connections] == [(7, "fault")]


async def test_send_results_that_are_not_what_they_should_be(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.modem.faults.short_send(2)
        b.dte.ask("AT+CIPSEND=0,5", "|>")
        b.dte.send("abcde")
        b.dte.expect("\r\nOK\r\n\r\n+CIPSEND: 0,5,2\r\n")
        for taken in (False, True):
            b.modem.faults.send_fail(taken=taken)
            b.dte.ask("AT+CIPSEND=0,2", "|>")
            b.dte.send("xy" if taken else "no")
            b.dte.expect("\r\n+CIPERROR: 1\r\n\r\nERROR\r\n")
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 4,4,0||OK|")

    modem = await bench(script, dialect="sim7600")
    assert modem.wire.up == b"abxy"


async def test_send_fail_with_and_without_the_bytes(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        for taken, data in ((False, "no"), (True, "xy")):
            b.modem.faults.send_fail(taken=taken)
            b.dte.ask("AT+CIPSEND=0,2", "|> ")
            b.dte.send(data)
            b.dte.expect("\r\n0, SEND FAIL\r\n")
        b.modem.faults.short_send(1)
        b.dte.ask("AT+CIPSEND=0,2", "|> ")
        b.dte.send("z.")
        b.dte.expect("\r\n0, SEND FAIL\r\n")
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 3,3,0||OK|")

    modem = await bench(script, dialect="sim800")
    assert modem.wire.up == b"xyz"


@pytest.mark.parametrize(("how", "code"), [(Connect.REFUSED, 1), (Connect.UNKNOWN_NAME, 11), (Connect.NEVER_ANSWERS, 10)])
async def test_connections_that_do_not_come_about(bench, how: Connect, code: int) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ok("AT+CIPTIMEOUT=3000,0100,3000")
        b.modem.faults.connect(how)
        b.dte.ask('AT+CIPOPEN=0,"TCP","peer.test",80', f"|OK||+CIPOPEN: 0,{code}|")
        b.connect()

    await bench(script, dialect="sim7600")


async def test_lines_replaced_delayed_and_inserted(bench) -> None:
    def script(b) -> None:
        b.up()
        b.modem.faults.replace("+CSQ", "+CSQ: 1,7")
        b.dte.ask("AT+CSQ", "|+CSQ: 1,7||OK|")
        b.modem.faults.delay("+CSQ", 0.05)
        b.dte.ask("AT+CSQ", "|OK||+CSQ: 20,0|")
        b.modem.faults.insert(b"\r\nRING\r\n", after=4)
        b.dte.ask("AT+CSQ", "|+C|RING|SQ: 20,0||OK|")

    await bench(script)


@BOTH
@pytest.mark.parametrize("offset", [1, 2, 50, 99])
async def test_unplugged_between_two_payload_bytes(bench, dialect: str, offset: int) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.modem.faults.after_payload(offset, b.modem.unplug)
        b.dte.send("AT+CIPSEND=0,100\r")
        b.dte.until(">")
        with_error = b""
        try:
            b.dte.send(bytes(100))
            with_error = os.read(b.dte.fd, 100)
        except OSError:
            with_error = b""
        assert with_error in (b"", b" ")

    modem = await bench(script, dialect=dialect)
    assert modem.wire.up == b""


async def test_unplugged_after_so_many_bytes_of_the_line(bench) -> None:
    def script(b) -> None:
        b.modem.faults.after_received(3, b.modem.unplug)
        b.dte.send("AT")
        b.dte.expect("AT")
        b.dte.send("\r")
        with pytest.raises(OSError):
            b.dte.until("never")

    await bench(script)

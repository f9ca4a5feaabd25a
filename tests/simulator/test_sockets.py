"""Numbered sockets: a number that is taken back while it connects, used again, or lost with the bearer."""

from __future__ import annotations

import time

import pytest

BOTH = pytest.mark.parametrize("dialect", ["sim800", "sim7600"])


async def test_a_connect_that_was_given_up_says_nothing_more(bench) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ask('AT+CIPSTART=0,"TCP","peer.test",80', "|OK|")
        b.dte.ask("AT+CIPSHUT", "|SHUT OK|")
        time.sleep(0.3)
        b.dte.silent()

    modem = await bench(script, dialect="sim800", rtt=0.1)
    assert [record.ended for record in modem.wire.connections] in (["local"], [])


@BOTH
async def test_a_number_can_be_used_again_and_starts_afresh(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        for word in (b"first", b"other"):
            b.connect()
            b.post(word)
            b.dte.ask("AT+CIPACK=0", "|+CIPACK: 5,5,0||OK|")
            b.peer.send(b"left unread")
            b.dte.expect("\r\n+CIPRXGET: 1,0\r\n")
            b.peer.finish()
            b.dte.until("CLOSED\r\n" if dialect == "sim800" else "+IPCLOSE: 0,1\r\n")

    modem = await bench(script, dialect=dialect)
    assert [bytes(record.up) for record in modem.wire.connections] == [b"first", b"other"]


@BOTH
async def test_all_numbers_are_free_after_the_bearer_is_lost(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect(0)
        first, b.peer.connection = b.peer.connection, None
        b.connect(5)
        b.call(b.modem.drop_bearer)
        b.dte.expect("\r\n+PDP: DEACT\r\n" if dialect == "sim800" else "\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n")
        b.dte.silent()  # no close is told for them
        first.close()

    modem = await bench(script, dialect=dialect)
    assert [record.ended for record in modem.wire.connections] == ["bearer", "bearer"]


@BOTH
@pytest.mark.parametrize("number", ["10", "-1", "x", ""])
async def test_numbers_there_are_not(bench, dialect: str, number: str) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ask(f'AT+CIP{"START" if dialect == "sim800" else "OPEN"}={number},"TCP","peer.test",80', "|ERROR|")

    await bench(script, dialect=dialect)

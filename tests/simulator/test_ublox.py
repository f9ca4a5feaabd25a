"""The SARA-R4's dialogues, byte for byte, typed by a terminal that follows the manual."""

from __future__ import annotations

import time


def up(b) -> None:
    b.dte.ask("ATE0", "ATE0\r|OK|")
    b.dte.ok('AT+CGDCONT=1,"IP","internet"', "AT+CGACT=1,1")


def connect(b) -> None:
    b.dte.ask("AT+USOCR=6", "|+USOCR: 0||OK|")
    b.dte.ok('AT+USOCO=0,"peer.test",80')
    b.peer.accept()


def post(b, data: bytes) -> None:
    b.dte.ask(f"AT+USOWR=0,{len(data)}", "|@")
    time.sleep(0.08)  # the guard of the manual, and a little
    b.dte.send(data)
    b.dte.expect(f"\r\n+USOWR: 0,{len(data)}\r\n\r\nOK\r\n")


async def test_the_whole_way(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        post(b, b"hello")
        assert b.peer.receive(5) == b"hello"
        b.dte.ask("AT+USOCTL=0,2", "|+USOCTL: 0,2,5||OK|")
        b.dte.ask("AT+USOCTL=0,11", "|+USOCTL: 0,11,0||OK|")
        b.dte.ask("AT+USOCTL=0,10", "|+USOCTL: 0,10,4||OK|")
        b.peer.send(b'say "OK"\r\n')
        b.dte.expect("\r\n+UUSORD: 0,10\r\n")
        b.dte.ask("AT+USORD=0,0", "|+USORD: 0,10||OK|")
        b.dte.ask("AT+USORD=0,4", '|+USORD: 0,4,"say "||OK||+UUSORD: 0,6|')
        b.dte.ask("AT+USORD=0,1024", '|+USORD: 0,6,""OK"|"||OK|')
        b.dte.ok("AT+USOCL=0")
        b.dte.ask("AT+USOCTL=0,10", "|ERROR|")
        b.dte.silent()

    modem = await bench(script, dialect="ublox")
    assert [(bytes(record.up), record.ended) for record in modem.wire.connections] == [(b"hello", "local")]


async def test_bytes_that_come_within_the_guard_are_lost(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.dte.ask("AT+USOWR=0,3", "|@")
        b.dte.send(b"xyz")
        time.sleep(0.1)
        b.dte.send(b"abc")
        b.dte.expect("\r\n+USOWR: 0,3\r\n\r\nOK\r\n")
        assert b.peer.receive(3) == b"abc"

    await bench(script, dialect="ublox")


async def test_an_asynchronous_connect(bench) -> None:
    def script(b) -> None:
        up(b)
        b.dte.ask("AT+USOCR=6", "|+USOCR: 0||OK|")
        b.dte.ask('AT+USOCO=0,"peer.test",80,1', "|OK||+UUSOCO: 0,0|")
        b.dte.ask("AT+USOCR=6", "|+USOCR: 1||OK|")
        b.dte.ask('AT+USOCO=1,"nowhere.test",80,1', "|OK||+UUSOCO: 1,113|")
        b.dte.ask("AT+USOCL=1", "|ERROR|")

    await bench(script, dialect="ublox")


async def test_the_peer_closes_with_data_unread(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.peer.send(b"rest")
        b.peer.finish()
        b.dte.expect("\r\n+UUSORD: 0,4\r\n\r\n+UUSOCL: 0\r\n")
        b.dte.ask("AT+USORD=0,1024", '|+USORD: 0,4,"rest"||OK|')
        b.dte.ask("AT+USORD=0,1024", "|ERROR|")

    await bench(script, dialect="ublox")


async def test_the_bearer_is_lost_and_wanted(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.call(b.modem.drop_bearer)
        b.dte.expect("\r\n+UUPSDD: 0\r\n")
        b.dte.ask("AT+USOCTL=0,10", "|ERROR|")

    await bench(script, dialect="ublox")
    await bench(lambda b: b.dte.ask("AT+USOCR=17", "AT+USOCR=17\r|ERROR|"), dialect="ublox")


async def test_names_and_names_of_the_modem(bench) -> None:
    def script(b) -> None:
        up(b)
        b.dte.ask('AT+UDNSRN=0,"peer.test"', '|+UDNSRN: "100.64.0.1"||OK|')
        b.dte.ask('AT+UDNSRN=0,"nowhere.test"', "|ERROR|")
        b.dte.ask("AT+CCID", "|+CCID: 8901260000000000172||OK|")
        b.dte.ask("AT+CFUN=15", "|OK||+SYSSTART|")

    await bench(script, dialect="ublox")

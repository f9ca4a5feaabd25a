"""The LE910's dialogues, byte for byte, typed by a terminal that follows the manual."""

from __future__ import annotations


def up(b) -> None:
    b.dte.ask("ATE0", "ATE0\r|OK|")
    b.dte.ok('AT+CGDCONT=1,"IP","internet"')
    b.dte.ask("AT#SGACT=1,1", "|#SGACT: 10.64.3.17||OK|")
    b.dte.ok("AT#SCFGEXT=1,1,0,0")


def connect(b) -> None:
    b.dte.ok('AT#SD=1,0,80,"peer.test",0,0,1')
    b.peer.accept()


async def test_the_whole_way(bench) -> None:
    def script(b) -> None:
        up(b)
        b.dte.ask("AT#SGACT?", "|#SGACT: 1,1||OK|")
        b.dte.ask("AT#SGACT=1,1", "|ERROR|")
        connect(b)
        b.dte.ask("AT#SSENDEXT=1,5", "|> ")
        b.dte.send(b"\x08\x1a\x1b\r\n")
        b.dte.expect("\r\nOK\r\n")
        assert b.peer.receive(5) == b"\x08\x1a\x1b\r\n"
        b.dte.ask("AT#SI=1", "|#SI: 1,5,0,0,0||OK|")
        b.peer.send(b"data OK\r\n")
        b.dte.expect("\r\nSRING: 1,9\r\n")
        b.dte.ask("AT#SI=1", "|#SI: 1,5,0,9,0||OK|")
        b.dte.ask("AT#SRECV=1,5", "|#SRECV: 1,5|data ||OK|")
        b.dte.ask("AT#SRECV=1,1500", "|#SRECV: 1,4|OK|||OK|")
        b.dte.ask("AT#SRECV=1,1500", "|ERROR|")
        b.dte.ask("AT#SS=1", "|#SS: 1,2,10.64.3.17,49152,100.64.0.1,80||OK|")
        b.dte.ok("AT#SH=1", "AT#SGACT=1,0")

    modem = await bench(script, dialect="telit")
    assert [(bytes(record.up), record.ended) for record in modem.wire.connections] == [(b"\x08\x1a\x1b\r\n", "local")]


async def test_the_payload_is_echoed_while_echo_is_on(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.dte.ok("ATE1")
        b.dte.ask("AT#SSENDEXT=1,3", "AT#SSENDEXT=1,3\r|> ")
        b.dte.send(b"abc")
        b.dte.expect("abc\r\nOK\r\n")

    await bench(script, dialect="telit")


async def test_the_peer_closes_with_data_unread(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.peer.send(b"rest")
        b.peer.finish()
        b.dte.expect("\r\nSRING: 1,4\r\n\r\nNO CARRIER\r\n")
        b.dte.ask("AT#SS=1", "|#SS: 1,3,10.64.3.17,49152,100.64.0.1,80||OK|")
        b.dte.ask("AT#SRECV=1,1500", "|#SRECV: 1,4|rest||OK|")
        b.dte.ask("AT#SS=1", "|#SS: 1,0||OK|")
        b.dte.ask("AT#SSENDEXT=1,3", "|ERROR|")

    await bench(script, dialect="telit")


async def test_what_goes_wrong_has_its_number(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ok("AT+CMEE=1")
        b.dte.ask('AT#SD=1,0,80,"peer.test",0,0,1', "|+CME ERROR: 556|")
        b.dte.ask("AT#SGACT=1,1", "|#SGACT: 10.64.3.17||OK|")
        b.dte.ask('AT#SD=1,0,80,"nowhere.test",0,0,1', "|+CME ERROR: 561|")
        b.dte.ask('AT#SD=7,0,80,"peer.test",0,0,1', "|ERROR|")
        b.dte.ask('AT#QDNS="peer.test"', '|#QDNS: "peer.test","100.64.0.1"||OK|')
        b.dte.ask('AT#QDNS="nowhere.test"', '|#QDNS: "nowhere.test",NOT SOLVED||OK|')

    await bench(script, dialect="telit")


async def test_the_bearer_is_lost(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.call(b.modem.drop_bearer)
        b.dte.expect("\r\nNO CARRIER\r\n")
        b.dte.ask("AT#SGACT?", "|#SGACT: 1,0||OK|")

    await bench(script, dialect="telit")

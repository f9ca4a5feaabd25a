"""The Quectel's dialogues, byte for byte, typed by a terminal that follows the application notes."""

from __future__ import annotations


def up(b) -> None:
    b.dte.ask("ATE0", "ATE0\r|OK|")
    b.dte.ok('AT+QICSGP=1,1,"internet","","",0', "AT+QIACT=1")


def connect(b) -> None:
    b.dte.ask('AT+QIOPEN=1,0,"TCP","peer.test",80,0,0', "|OK||+QIOPEN: 0,0|")
    b.peer.accept()


async def test_the_whole_way(bench) -> None:
    def script(b) -> None:
        up(b)
        dte = b.dte
        dte.ask("AT+QIACT?", '|+QIACT: 1,1,1,"10.64.3.17"||OK|')
        connect(b)
        dte.ask("AT+QISEND=0,5", "|> ")
        dte.send("hello")
        dte.expect("\r\nSEND OK\r\n")
        assert b.peer.receive(5) == b"hello"
        dte.ask("AT+QISEND=0,0", "|+QISEND: 5,5,0||OK|")
        b.peer.send(b"data OK\r\nfrom server")
        dte.expect('\r\n+QIURC: "recv",0\r\n')
        dte.ask("AT+QIRD=0,0", "|+QIRD: 20,0,20||OK|")
        dte.ask("AT+QIRD=0,9", "|+QIRD: 9|data OK|||OK|")
        dte.ask("AT+QIRD=0,1500", "|+QIRD: 11|from server||OK|")
        dte.ask("AT+QIRD=0,1500", "|+QIRD: 0||OK|")
        dte.ask("AT+QISTATE=1,0", '|+QISTATE: 0,"TCP","100.64.0.1",80,4097,2,1,0,0,"usbat"||OK|')
        dte.ok("AT+QICLOSE=0,10", "AT+QIDEACT=1")
        dte.ask("AT+QIACT?", "|OK|")
        dte.silent()

    modem = await bench(script, dialect="quectel")
    assert [(record.host, bytes(record.up), record.ended) for record in modem.wire.connections] == [("peer.test", b"hello", "local")]


async def test_the_data_urc_comes_once_until_the_buffer_is_empty(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.peer.send(b"one")
        b.dte.expect('\r\n+QIURC: "recv",0\r\n')
        b.peer.send(b"two")
        b.dte.silent()
        b.dte.ask("AT+QIRD=0,3", "|+QIRD: 3|one||OK|")
        b.dte.silent()
        b.dte.ask("AT+QIRD=0,3", "|+QIRD: 3|two||OK|")
        b.peer.send(b"three")
        b.dte.expect('\r\n+QIURC: "recv",0\r\n')

    await bench(script, dialect="quectel")


async def test_a_closed_socket_stays_in_state_4_with_its_data(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.peer.send(b"rest")
        b.peer.finish()
        b.dte.expect('\r\n+QIURC: "recv",0\r\n\r\n+QIURC: "closed",0\r\n')
        b.dte.ask("AT+QISTATE=1,0", '|+QISTATE: 0,"TCP","100.64.0.1",80,4097,4,1,0,0,"usbat"||OK|')
        b.dte.ask("AT+QIRD=0,1500", "|+QIRD: 4|rest||OK|")
        b.dte.ask("AT+QISEND=0,5", "|ERROR|")
        b.dte.ask('AT+QIOPEN=1,0,"TCP","peer.test",80', "|OK||+QIOPEN: 0,563|")
        b.dte.ok("AT+QICLOSE=0")
        connect(b)

    await bench(script, dialect="quectel")


async def test_a_full_buffer_is_send_fail_and_nothing_taken(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.modem.faults.send_fail(taken=False)
        b.modem.faults.send_fail(taken=True)
        for total in (0, 3):
            b.dte.ask("AT+QISEND=0,3", "|> ")
            b.dte.send("abc")
            b.dte.expect("\r\nSEND FAIL\r\n")
            b.dte.ask("AT+QISEND=0,0", f"|+QISEND: {total},{total},0||OK|")

    await bench(script, dialect="quectel")


async def test_what_goes_wrong_has_its_number(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ask('AT+QIOPEN=1,0,"TCP","peer.test",80', "|OK||+QIOPEN: 0,561|")
        b.dte.ok('AT+QICSGP=1,1,"internet"', "AT+QIACT=1")
        b.dte.ask("AT+QIACT=1", "|ERROR|")
        b.dte.ask('AT+QIOPEN=1,0,"TCP","nowhere.test",80', "|OK||+QIOPEN: 0,565|")
        b.dte.ask("AT+QIGETERROR", "|+QIGETERROR: 565,DNS parse failed||OK|")
        b.dte.ask('AT+QIOPEN=1,12,"TCP","peer.test",80', "|ERROR|")
        b.dte.ask('AT+QIDNSGIP=1,"peer.test"', '|OK||+QIURC: "dnsgip",0,1,600||+QIURC: "dnsgip","100.64.0.1"|')
        b.dte.ask('AT+QIDNSGIP=1,"nowhere.test"', '|OK||+QIURC: "dnsgip",565|')

    await bench(script, dialect="quectel")


async def test_the_bearer_is_lost(bench) -> None:
    def script(b) -> None:
        up(b)
        connect(b)
        b.call(b.modem.drop_bearer)
        b.dte.expect('\r\n+QIURC: "pdpdeact",1\r\n')
        b.dte.ask("AT+QIACT?", "|OK|")
        b.dte.ok("AT+QIACT=1")

    await bench(script, dialect="quectel")


async def test_push_and_transparent_modes(bench) -> None:
    def script(b) -> None:
        up(b)
        b.dte.ask('AT+QIOPEN=1,1,"TCP","peer.test",80,0,1', "|OK||+QIOPEN: 1,0|")
        b.peer.accept()
        b.peer.send(b"O\r\nK")
        b.dte.expect('\r\n+QIURC: "recv",1,4\r\nO\r\nK\r\n')
        b.dte.ok("AT+QICLOSE=1")
        b.dte.ask('AT+QIOPEN=1,0,"TCP","peer.test",80,0,2', "|CONNECT|")
        b.peer.accept()
        b.dte.send(b"AT\r+++")
        assert b.peer.receive(6) == b"AT\r+++"
        b.peer.send(b"down")
        b.dte.expect(b"down")
        b.peer.finish()
        b.dte.expect("\r\nNO CARRIER\r\n")
        b.dte.ask("AT", "|OK|")

    await bench(script, dialect="quectel")

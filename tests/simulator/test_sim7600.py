"""The SIM7600's dialogues, byte for byte, typed by a terminal that follows the manual."""

from __future__ import annotations

import pytest


async def test_the_whole_way(bench) -> None:
    def script(b) -> None:
        dte = b.dte
        dte.ask("AT", "AT\r|OK|")
        dte.ask("ATE0", "ATE0\r|OK|")
        dte.ask("AT+CEREG?", "|+CEREG: 0,1||OK|")
        dte.ask("AT+NETOPEN?", "|+NETOPEN: 0||OK|")
        dte.ok('AT+CGDCONT=1,"IPV4V6","internet"', "AT+CSOCKSETPN=1", "AT+CIPMODE=0", "AT+CIPSENDMODE=0", "AT+CIPRXGET=1")
        dte.ok("AT+CIPCCFG=10,0,0,0,1,0,75000", "AT+CIPTIMEOUT=75000,15000,15000")
        dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 0|")
        dte.ask("AT+NETOPEN?", "|+NETOPEN: 1,0||OK|")
        dte.ask("AT+IPADDR", "|+IPADDR: 10.64.3.17||OK|")
        b.connect()
        dte.ask("AT+CIPSEND=0,5", "|>")
        dte.send("hello")
        dte.expect("\r\nOK\r\n\r\n+CIPSEND: 0,5,5\r\n")
        assert b.peer.receive(5) == b"hello"
        dte.ask("AT+CIPACK=0", "|+CIPACK: 5,5,0||OK|")
        b.peer.send(b"data from server")
        dte.expect("\r\n+CIPRXGET: 1,0\r\n")
        dte.ask("AT+CIPRXGET=4,0", "|+CIPRXGET: 4,0,16||OK|")
        dte.ask("AT+CIPRXGET=2,0,5", "|+CIPRXGET: 2,0,5,11|data ||OK|")
        dte.ask("AT+CIPRXGET=3,0,5", "|+CIPRXGET: 3,0,5,6|66726F6D20||OK|")
        dte.ask("AT+CIPRXGET=2,0", "|+CIPRXGET: 2,0,6,0|server||OK|")
        dte.ask("AT+CIPCLOSE?", "|+CIPCLOSE: 1,0,0,0,0,0,0,0,0,0||OK|")
        dte.ask("AT+CIPCLOSE=0", "|OK||+CIPCLOSE: 0,0|")
        dte.ask("AT+CIPCLOSE=0", "|+CIPCLOSE: 0,4||ERROR|")
        dte.ask("AT+NETCLOSE", "|OK||+NETCLOSE: 0|")
        dte.ask("AT+NETCLOSE", "|+NETCLOSE: 2||ERROR|")
        dte.silent()

    modem = await bench(script, dialect="sim7600")
    assert [(record.host, bytes(record.up), record.ended) for record in modem.wire.connections] == [("peer.test", b"hello", "local")]


async def test_the_network_is_opened_once(bench) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ask("AT+NETOPEN", "|+IP ERROR: Network is already opened||ERROR|")
        b.dte.ok("AT+CIPCCFG=10,0,0,0")
        b.dte.ask("AT+NETOPEN", "|+IP ERROR: 4||ERROR|")

    await bench(script, dialect="sim7600")


async def test_what_needs_an_open_network(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ok("AT+CIPRXGET=1")
        b.dte.ask('AT+CIPOPEN=0,"TCP","peer.test",80', "|+CIPOPEN: 0,2||ERROR|")
        b.dte.ask("AT+CIPSEND=0,5", "|+CIPERROR: 2||ERROR|")
        b.dte.ask("AT+IPADDR", "|+IP ERROR: Network not opened||ERROR|")
        b.dte.ask("AT+CIPCLOSE=0", "|+CIPCLOSE: 0,2||ERROR|")
        b.dte.ask('AT+CDNSGIP="peer.test"', "|+CDNSGIP: 0,2||ERROR|")
        b.dte.ask("AT+CIPRXGET=2,0,10", "|+IP ERROR: No data||ERROR|")
        b.dte.ask("AT+CIPACK=0", "|+IP ERROR: Connection is not created||ERROR|")

    await bench(script, dialect="sim7600")


async def test_errors_of_opening_and_sending(bench) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ask('AT+CIPOPEN=1,"TCP","nowhere.test",80', "|OK||+CIPOPEN: 1,11|")
        b.dte.ask("AT+CIPSEND=0,5", "|+CIPERROR: 4||ERROR|")
        b.connect()
        b.dte.ask('AT+CIPOPEN=0,"TCP","peer.test",80', "|+CIPOPEN: 0,4||ERROR|")
        b.dte.ask("AT+CIPSEND=0,1501", "|+CIPERROR: 3||ERROR|")
        b.dte.ask("AT+CIPRXGET=2,0,10", "|+IP ERROR: No data||ERROR|")
        b.dte.ask("AT+CIPRXGET=4,0", "|+CIPRXGET: 4,0,0||OK|")
        b.dte.ask("AT+CIPOPEN?", '|+CIPOPEN: 0,"TCP","100.64.0.1",80,-1|' + "".join(f"|+CIPOPEN: {n}|" for n in range(1, 10)) + "|OK|")
        b.peer.server.close()
        b.dte.ask('AT+CIPOPEN=1,"TCP","peer.test",80', "|OK||+CIPOPEN: 1,1|")

    await bench(script, dialect="sim7600")


@pytest.mark.parametrize(
    ("setting", "frame"),
    [
        ("AT+CIPHEAD=1", b"\r\nRECV FROM:100.64.0.1:80\r\n+IPD4\r\nO\r\nK"),
        ("AT+CIPSRIP=0", b"\r\n+IPD4\r\nO\r\nK"),
        ("AT+CIPCCFG=10,0,0,1,1", b"\r\n+RECEIVE,0,4\r\nO\r\nK"),
        ("AT+CIPHEAD=0;+CIPSRIP=0", b"O\r\nK"),
    ],
)
async def test_push_is_the_default(bench, setting: str, frame: bytes) -> None:
    def script(b) -> None:
        b.up(pull=False)
        b.dte.ok(setting)
        b.connect()
        b.peer.send(b"O\r\nK")
        b.dte.expect(frame)

    await bench(script, dialect="sim7600")


async def test_the_buffer_takes_what_fits(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.post(bytes(1500))
        for cnf in (420, 0):
            b.dte.ask("AT+CIPSEND=0,1500", "|>")
            b.dte.send(bytes(1500))
            b.dte.expect(f"\r\nOK\r\n\r\n+CIPSEND: 0,1500,{cnf}\r\n")
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 1920,0,1920||OK|")

    await bench(script, dialect="sim7600", window=1920, uplink=50.0)


async def test_send_mode_1_confirms_what_is_acknowledged(bench) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ok("AT+CIPSENDMODE=1")
        b.connect()
        b.post(b"acked")
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 5,5,0||OK|")

    await bench(script, dialect="sim7600", rtt=0.02)


async def test_a_connection_that_ends_under_a_send_confirms_nothing(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.dte.ask("AT+CIPSEND=0,3", "|>")
        b.peer.reset()
        b.dte.expect("\r\n+IPCLOSE: 0,3\r\n")
        b.dte.send("abc")
        b.dte.expect("\r\nOK\r\n\r\n+CIPSEND: 0,3,-1\r\n")

    await bench(script, dialect="sim7600")


async def test_up_to_ctrl_z_and_given_up_by_escape(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.dte.ask("AT+CIPSEND=0,", "|>")
        b.dte.send(b"free length\x1a")
        b.dte.expect("\r\nOK\r\n\r\n+CIPSEND: 0,11,11\r\n")
        b.dte.ask("AT+CIPSEND=0,", "|>")
        b.dte.send(b"never mind\x1b")
        b.dte.expect("\r\nERROR\r\n")
        assert b.peer.receive(11) == b"free length"

    modem = await bench(script, dialect="sim7600")
    assert modem.wire.up == b"free length"


async def test_the_network_closes_unexpectedly(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.call(b.modem.drop_bearer)
        b.dte.expect("\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n")
        b.dte.ask("AT+NETOPEN?", "|+NETOPEN: 0||OK|")
        b.dte.ask("AT+CIPCLOSE?", "|+CIPCLOSE: 0,0,0,0,0,0,0,0,0,0||OK|")
        b.dte.ask("AT+NETCLOSE", "|OK||+NETCLOSE: 0|")
        b.dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 0|")

    modem = await bench(script, dialect="sim7600")
    assert [record.ended for record in modem.wire.connections] == ["bearer"]


async def test_a_wrong_apn_fails_the_opening(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ok('AT+CGDCONT=1,"IP","wrong"')
        b.dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 1|")
        b.dte.ok('AT+CGDCONT=1,"IP","right"')
        b.dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 0|")

    await bench(script, dialect="sim7600", apn="right")


async def test_identity_and_contexts(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ask("AT+CGMM", "|SIMCOM_SIM7600G-H||OK|")
        b.dte.ask("AT+CGMR", "|+CGMR: LE20B04SIM7600G22||OK|")
        b.dte.ask("AT+CICCID", "|+ICCID: 8901260000000000172||OK|")
        b.dte.ask("AT+CGPADDR=1", "|+CGPADDR: 1,10.64.3.17||OK|")
        b.dte.ask("AT+CGACT?", "|+CGACT: 1,1||OK|")
        b.dte.send("AT+CGCONTRDP=1\r")
        b.dte.expect('\r\n+CGCONTRDP: 1,5,"","10.64.3.17.255.255.255.0","10.64.3.1","10.64.0.2","10.64.0.3"\r\n\r\nOK\r\n')
        b.dte.ok('AT+CGSOCKCONT=2,"IP","mms"', 'AT+CSOCKAUTH=2,1,"password","user"')
        b.dte.ask("AT+CGDCONT?", '|+CGDCONT: 1,"IP","","10.64.3.17",0,0||+CGDCONT: 2,"IP","mms","0.0.0.0",0,0||OK|')
        b.dte.ask("AT+NETOPEN=?", "|OK|")
        b.dte.ask("AT+CIPOPEN=?", '|+CIPOPEN: (0-9),"TCP"||OK|')
        b.dte.ask("AT+CAOPEN=?", "|ERROR|")

    await bench(script, dialect="sim7600")

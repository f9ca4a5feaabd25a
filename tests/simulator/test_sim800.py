"""The SIM800's dialogues, byte for byte, typed by a terminal that follows the manual (V1.09, chapter 8)."""

from __future__ import annotations

import pytest

APN_STEPS = ("AT+CIPMUX=1", 'AT+CSTT="internet","",""', "AT+CIICR")


async def test_the_whole_way(bench) -> None:
    def script(b) -> None:
        dte = b.dte
        dte.ask("AT", "AT\r|OK|")  # echo is on at boot
        dte.ask("ATE0", "ATE0\r|OK|")
        dte.ask("ATI", "|SIM800 R14.18||OK|")
        dte.ask("AT+CGATT=1", "|OK|")
        dte.ok('AT+CGDCONT=1,"IP","internet"', "AT+CIPMUX=1", "AT+CIPQSEND=1", "AT+CIPRXGET=1", 'AT+CSTT="internet","",""', "AT+CIICR")
        dte.ask("AT+CIFSR", "|10.64.3.17|")  # no OK
        b.connect()
        dte.ask("AT+CIPSEND=0,5", "|> ")
        dte.send("hello")
        dte.expect("\r\nDATA ACCEPT:0,5\r\n")
        assert b.peer.receive(5) == b"hello"
        dte.ask("AT+CIPACK=0", "|+CIPACK: 5,5,0||OK|")
        b.peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        dte.expect("\r\n+CIPRXGET: 1,0\r\n")
        dte.ask("AT+CIPRXGET=4,0", "|+CIPRXGET: 4,0,19||OK|")
        dte.ask("AT+CIPRXGET=2,0,8", "|+CIPRXGET: 2,0,8,11|HTTP/1.1|OK|")
        dte.ask("AT+CIPRXGET=2,0,1460", "|+CIPRXGET: 2,0,11,0| 200 OK|||OK|")
        dte.ask("AT+CIPRXGET=2,0,1460", "|+CIPRXGET: 2,0,0,0||OK|")
        dte.ask("AT+CIPCLOSE=0,1", "|0, CLOSE OK|")
        dte.ask("AT+CIPCLOSE=0,1", "|ERROR|")
        dte.ask("AT+CIPSHUT", "|SHUT OK|")
        dte.silent()

    modem = await bench(script, dialect="sim800")
    assert [(record.host, bytes(record.up), record.ended) for record in modem.wire.connections] == [("peer.test", b"hello", "local")]


async def test_states_and_their_order(bench) -> None:
    def script(b) -> None:
        dte = b.dte
        dte.ask("ATE0", "ATE0\r|OK|")
        dte.ask("AT+CIPSTATUS", "|OK||STATE: IP INITIAL|")
        dte.ask("AT+CIICR", "|ERROR|")
        dte.ask("AT+CIFSR", "|ERROR|")
        dte.ok("AT+CIPMUX=1", 'AT+CSTT="internet"')
        dte.ask('AT+CSTT="again"', "|ERROR|")
        dte.ask("AT+CIPMUX=0", "|ERROR|")
        dte.ok("AT+CIICR")
        dte.ask('AT+CIPSTART=0,"TCP","peer.test",80', "|ERROR|")  # IP GPRSACT: CIFSR is still due
        dte.ok("AT+CMEE=1")
        dte.ask('AT+CIPSTART=0,"TCP","peer.test",80', "|+CME ERROR: 3|")
        dte.ok("AT+CMEE=2")
        dte.ask('AT+CIPSTART=0,"TCP","peer.test",80', "|+CME ERROR: operation not allowed|")
        dte.ok("AT+CMEE=0")
        dte.ask("AT+CIFSR;E0", "|10.64.3.17||OK|")
        lines = "".join(f'|C: {n},,"","","","INITIAL"|' for n in range(6))
        dte.ask("AT+CIPSTATUS", f"|OK||STATE: IP STATUS|{lines}")
        b.connect(2)
        dte.ask("AT+CIPSTATUS=2", '|+CIPSTATUS: 2,0,"TCP","100.64.0.1","80","CONNECTED"||OK|')
        dte.ask('AT+CIPSTART=2,"TCP","peer.test",80', "|ERROR||2, ALREADY CONNECT|")
        dte.ask("AT+CIPRXGET=1", "|ERROR|")  # before a socket is open only
        b.peer.finish()
        dte.expect("\r\n2, CLOSED\r\n")
        dte.ask("AT+CIPSTATUS=2", '|+CIPSTATUS: 2,0,"TCP","100.64.0.1","80","CLOSED"||OK|')
        dte.ask("AT+CIPSEND=2,5", "|ERROR|")
        dte.ask("AT+CIPSHUT", "|SHUT OK|")
        dte.ask("AT+CIPSTATUS", f"|OK||STATE: IP INITIAL|{lines}")

    await bench(script, dialect="sim800")


async def test_pdp_deact_has_one_way_out(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.call(b.modem.drop_bearer)
        b.dte.expect("\r\n+PDP: DEACT\r\n")
        b.dte.ask("AT+CIPSEND=0,1", "|ERROR|")
        b.dte.ask('AT+CIPSTART=0,"TCP","peer.test",80', "|ERROR|")
        b.dte.ask("AT+CIICR", "|ERROR|")
        b.dte.ask("AT+CIPMUX=1", "|ERROR|")
        b.dte.ask("AT+CIPSHUT", "|SHUT OK|")
        b.dte.ok(*APN_STEPS)

    modem = await bench(script, dialect="sim800")
    assert [record.ended for record in modem.wire.connections] == ["bearer"]


async def test_single_connection_from_ip_initial(bench) -> None:
    def script(b) -> None:
        dte = b.dte
        dte.ask("ATE0", "ATE0\r|OK|")
        dte.ok("AT+CIPRXGET=1")
        dte.ask('AT+CIPSTART="TCP","peer.test","80"', "|OK||CONNECT OK|")
        b.peer.accept()
        dte.ask("AT+CIPSTATUS", "|OK||STATE: CONNECT OK|")
        dte.ask("AT+CIPSEND?", "|+CIPSEND: 1460||OK|")
        dte.ask("AT+CIPSEND=3", "|> ")
        dte.send("abc")
        dte.expect("\r\nSEND OK\r\n")
        dte.ask("AT+CIPSEND", "|> ")
        dte.send(b"def\x1a")
        dte.expect("\r\nSEND OK\r\n")
        assert b.peer.receive(6) == b"abcdef"
        b.peer.send(b"x")
        dte.expect("\r\n+CIPRXGET: 1\r\n")
        dte.ask("AT+CIPRXGET=2,10", "|+CIPRXGET: 2,1,0|x|OK|")
        dte.ask("AT+CIPACK", "|+CIPACK: 6,6,0||OK|")
        b.peer.finish()
        dte.expect("\r\nCLOSED\r\n")
        dte.ask("AT+CIPSTATUS", "|OK||STATE: TCP CLOSED|")

    await bench(script, dialect="sim800")


async def test_what_cannot_be_reached(bench) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ask('AT+CIPSTART=0,"TCP","nowhere.test",80', "|OK||0, CONNECT FAIL|")
        b.peer.server.close()
        b.dte.ask('AT+CIPSTART=0,"TCP","peer.test",80', "|OK||0, CONNECT FAIL|")
        b.dte.ask('AT+CDNSGIP="peer.test"', '|OK||+CDNSGIP: 1,"peer.test","100.64.0.1"|')
        b.dte.ask('AT+CDNSGIP="nowhere.test"', "|OK||+CDNSGIP: 0,8|")

    await bench(script, dialect="sim800")


async def test_the_resolved_address_can_be_dialled(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect(0, "100.64.0.1")
        b.connect(1, "10.9.8.7")

    await bench(script, dialect="sim800")


@pytest.mark.parametrize("head", [0, 1])
async def test_push_with_numbers_and_without(bench, head: int) -> None:
    def script(b) -> None:
        b.up(pull=False)
        b.connect()
        b.peer.send(b"a\r\nOK\r\n")
        b.dte.expect(b"\r\n+RECEIVE,0,7:\r\na\r\nOK\r\n")
        b.dte.ask("AT+CIPSHUT", "|SHUT OK|")
        b.dte.ok("AT+CIPMUX=0", f"AT+CIPHEAD={head}")
        b.dte.ask('AT+CIPSTART="TCP","peer.test",80', "|OK||CONNECT OK|")
        b.peer.accept()
        b.peer.send(b"raw")
        b.dte.expect(b"\r\n+IPD,3:raw" if head else b"raw")

    await bench(script, dialect="sim800")


async def test_waiting_for_the_peers_acknowledgement(bench) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ok("AT+CIPQSEND=0")
        b.connect()
        b.dte.ask("AT+CIPSEND=0,4", "|> ")
        b.dte.send("data")
        b.dte.expect("\r\n0, SEND OK\r\n")
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 4,4,0||OK|")

    await bench(script, dialect="sim800", rtt=0.02)


async def test_a_full_window_holds_the_result_back_and_then_fails(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.post(bytes(1000))
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 1000,0,1000||OK|")
        b.dte.ask("AT+CIPSEND?", "".join(f"|+CIPSEND: {n},{460 if n == 0 else 0}|" for n in range(6)) + "|OK|")
        b.dte.ask("AT+CIPSEND=0,1000", "|> ")
        b.dte.send(bytes(1000))
        b.dte.expect("\r\n0, SEND FAIL\r\n")
        b.dte.ask("AT+CIPACK=0", "|+CIPACK: 1000,0,1000||OK|")

    await bench(script, dialect="sim800", window=1460, window_wait=0.0, rtt=60.0 / 1000, uplink=100.0)


async def test_the_window_drains_with_the_acknowledgements(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        for _ in range(4):
            b.post(bytes(1460))  # the third waits for the first's acknowledgement
        assert b.peer.receive(5840) == bytes(5840)

    await bench(script, dialect="sim800", window=2920, rtt=0.04)


async def test_refused_lengths_and_contexts(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        for command in (
            "AT+CIPSEND=0,1461",
            "AT+CIPSEND=0,0",
            "AT+CIPSEND=9,1",
            "AT+CIPRXGET=2,0,1461",
            'AT+CGDCONT=1,"IPV6","x"',
            "AT+CEREG?",
        ):
            b.dte.ask(command, "|ERROR|")

    await bench(script, dialect="sim800")


async def test_a_wrong_apn_is_refused_by_the_network(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ok('AT+CSTT="wrong"')
        b.dte.ask("AT+CIICR", "|+PDP: DEACT||ERROR|")
        b.dte.ask("AT+CIPSHUT", "|SHUT OK|")
        b.dte.ok('AT+CSTT="Right"', "AT+CIICR")

    await bench(script, dialect="sim800", apn="right")


async def test_the_bearer_of_the_application_clients(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.ok('AT+SAPBR=3,1,"Contype","GPRS"', 'AT+SAPBR=3,1,"APN","internet"', "AT+SAPBR=1,1")
        b.dte.ask("AT+SAPBR=1,1", "|ERROR|")
        b.dte.ask("AT+SAPBR=2,1", '|+SAPBR: 1,1,"10.64.3.17"||OK|')
        b.dte.ok("AT+SAPBR=0,1")
        b.dte.ask("AT+SAPBR=2,1", '|+SAPBR: 1,3,"0.0.0.0"||OK|')

    await bench(script, dialect="sim800")


async def test_power_down_says_so(bench) -> None:
    def script(b) -> None:
        b.dte.ask("ATE0", "ATE0\r|OK|")
        b.dte.send("AT+CPOWD=1\r")
        b.dte.expect("\r\nNORMAL POWER DOWN\r\n")
        b.dte.until("SMS Ready\r\n")
        b.dte.ask("AT", "AT\r|OK|")

    await bench(script, dialect="sim800")

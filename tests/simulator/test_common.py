"""The commands that all modems share, on both dialects."""

from __future__ import annotations

import pytest

BOTH = pytest.mark.parametrize("dialect", ["sim800", "sim7600"])


def quiet(b) -> None:
    b.dte.send("ATE0\r")
    b.dte.until("OK\r\n")


@BOTH
@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("AT+CGSN", "|860000000000017||OK|"),
        ("AT+CIMI", "|310260000000017||OK|"),
        ("AT+CNUM", '|+CNUM: "","+12025550117",145||OK|'),
        ("AT+CREG?", "|+CREG: 0,1||OK|"),
        ("AT+CGREG?", "|+CGREG: 0,1||OK|"),
        ("AT+CREG=2;+CREG?", '|+CREG: 2,1,"1A2B","01C3D4E5"||OK|'),
        ("AT+CGATT?", "|+CGATT: 1||OK|"),
        ("AT+CFUN?", "|+CFUN: 1||OK|"),
        ("AT+CMGF=0;+CNMI=2,2,0,0,0;+CNMI?", "|+CNMI: 2,2,0,0,0||OK|"),
        ("AT+CNMI=2,1;+CNMI?", "|+CNMI: 2,1,0,0,0||OK|"),
        ("AT+CNMI=4", "|ERROR|"),
        ('AT+CPMS="SM","SM","SM"', "|+CPMS: 0,20,0,20,0,20||OK|"),
        ('AT+CPMS="XX"', "|+CMS ERROR: 302|"),
        ("AT+CPMS?", '|+CPMS: "SM",0,20,"SM",0,20,"SM",0,20||OK|'),
        ("AT+CMGL=4", "|OK|"),
        ("AT+CMGR=1", "|+CMS ERROR: 321|"),
        ("AT+CMGD=1", "|OK|"),
        ("AT+CRSM=176,28589,0,0,4", '|+CRSM: 144,0,"00000003"||OK|'),
        ("AT+CRSM=176,28500,0,0,4", "|+CRSM: 106,130||OK|"),
        ("AT+IFC?", "|+IFC: 0,0||OK|"),
        ("AT+COPS=0", "|OK|"),
        ('AT+CSCS="GSM"', "|OK|"),
        ("AT+CBC", "|+CBC: 0,98,4138||OK|"),
    ],
)
async def test_answers(bench, dialect: str, command: str, answer: str) -> None:
    def script(b) -> None:
        quiet(b)
        b.dte.ask(command, answer)

    await bench(script, dialect=dialect)


async def test_contexts(bench) -> None:
    def script(b) -> None:
        quiet(b)
        b.dte.ok('AT+CGDCONT=1,"IP","internet"', 'AT+CGDCONT=2,"IP","mms"')
        b.dte.ask("AT+CGDCONT?", '|+CGDCONT: 1,"IP","internet","0.0.0.0",0,0||+CGDCONT: 2,"IP","mms","0.0.0.0",0,0||OK|')
        b.dte.ok("AT+CGACT=1,2")
        b.dte.ask("AT+CGACT?", "|+CGACT: 1,0||+CGACT: 2,1||OK|")
        b.dte.ask("AT+CGPADDR=2", '|+CGPADDR: 2,"10.64.3.17"||OK|')
        b.dte.ok("AT+CGACT=0,2", "AT+CGDCONT=2")
        b.dte.ask("AT+CGACT=1,2", "|ERROR|")
        b.dte.ok("AT+CMEE=1")
        b.dte.ask("AT+CGACT=1,2", "|+CME ERROR: 148|")

    await bench(script, dialect="sim800")


@BOTH
async def test_the_pin_is_wanted_once(bench, dialect: str) -> None:
    def script(b) -> None:
        quiet(b)
        b.dte.ok("AT+CMEE=1")
        b.dte.ask("AT+CPIN?", "|+CPIN: SIM PIN||OK|")
        b.dte.ask("AT+CIMI", "|+CME ERROR: 11|")
        b.dte.ask("AT+CREG?", "|+CREG: 0,0||OK|")
        b.dte.ask('AT+CPIN="0000"', "|+CME ERROR: 16|")
        b.dte.ask('AT+CPIN="1234"', "|+CPIN: READY||OK|")
        b.dte.ask("AT+CREG?", "|+CREG: 0,1||OK|")
        b.dte.ask('AT+CPIN="1234"', "|+CME ERROR: 3|")

    await bench(script, dialect=dialect, pin="1234")


async def test_three_wrong_pins_lock_the_sim(bench) -> None:
    def script(b) -> None:
        quiet(b)
        b.dte.ok("AT+CMEE=1")
        for answer in ("16", "16", "12"):
            b.dte.ask('AT+CPIN="9999"', f"|+CME ERROR: {answer}|")
        b.dte.ask('AT+CPIN="1234"', "|+CME ERROR: 12|")
        b.dte.ask("AT+CPIN?", "|+CPIN: SIM PUK||OK|")

    await bench(script, pin="1234")


async def test_registration_is_announced_where_it_was_asked_for(bench) -> None:
    def script(b) -> None:
        quiet(b)
        b.dte.ok("AT+CREG=1;+CEREG=2")
        b.call(b.modem.lose_coverage)
        b.dte.expect("\r\n+CREG: 2\r\n\r\n+CEREG: 2\r\n")
        b.dte.ask("AT+COPS?", "|+COPS: 0||OK|")
        b.dte.ask("AT+CSQ", "|+CSQ: 99,0||OK|")
        b.call(b.modem.regain_coverage)
        b.dte.expect('\r\n+CREG: 1\r\n\r\n+CEREG: 1,"1A2B","01C3D4E5"\r\n')

    await bench(script, dialect="sim7600")


@BOTH
async def test_radio_off_and_on(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.dte.send("AT+CFUN=4\r")
        b.dte.until("OK\r\n")
        b.dte.ask("AT+CREG?", "|+CREG: 0,0||OK|")
        b.dte.ok("AT+CFUN=1")
        b.dte.ask("AT+CREG?", "|+CREG: 0,1||OK|")

    modem = await bench(script, dialect=dialect)
    assert [record.ended for record in modem.wire.connections] == ["bearer"]


async def test_settings_survive_a_restart_only_when_saved(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ok("AT+CMEE=1", "AT&W", "AT+CIPHEAD=0")
        b.dte.send("AT+CRESET\r")
        b.dte.until("PB DONE\r\n")
        b.dte.ask("AT+CMEE?", "|+CMEE: 1||OK|")
        b.dte.ask("AT+CIPHEAD?", "|+CIPHEAD: 1||OK|")

    await bench(script, dialect="sim7600")


async def test_the_line_rate_changes_after_the_ok(bench) -> None:
    def script(b) -> None:
        quiet(b)
        b.dte.ask("AT+IPR=115201", "|ERROR|")
        b.dte.ask("AT+IPR?", "|+IPR: 0||OK|")
        b.dte.ask("AT+IPR=460800", "|OK|")
        b.dte.send("AT\r")  # still at 115200: neither side understands the other
        b.dte.silent()

    await bench(script, dialect="sim800", line_rate=115200)

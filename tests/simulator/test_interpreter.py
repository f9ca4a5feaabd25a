"""How a command line ends: joined commands, the first error, lines without a result of their own."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("AT+CSQ;+CPIN?", "|+CSQ: 20,0||+CPIN: READY||OK|"),
        ("ATE0V1;+CMEE=1;+CSQ", "|+CSQ: 20,0||OK|"),
        ("ATE0+CSQ", "|+CSQ: 20,0||OK|"),
        ("AT+CSQ;+NONSENSE;+CPIN?", "|+CSQ: 20,0||ERROR|"),
        ("AT+CSQ;;+CPIN?", "|+CSQ: 20,0||ERROR|"),
        ("AT+CSQ=", "|ERROR|"),
        ("AT+CSQ?", "|ERROR|"),
        ("AT+CSQ=?", "|+CSQ: (0-31,99),(0-7,99)||OK|"),
        ("AT+CMEE=3", "|ERROR|"),
        ("AT+CMEE", "|ERROR|"),
        ("AT+CMEE=?", "|+CMEE: (0-2)||OK|"),
        ('AT+CGDCONT=1,"IP","inter;net";+CSQ', "|+CSQ: 20,0||OK|"),
        ('AT+CGDCONT=1,"IP","open', "|ERROR|"),
        ("AT&F", "|OK|"),
        ("AT*", "|ERROR|"),
        ("ATS3?", "|013||OK|"),
        ("ATX4&C1&D2", "|OK|"),
    ],
)
async def test_the_end_of_a_line(bench, line: str, answer: str) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ask(line, answer)
        b.dte.silent()

    await bench(script, dialect="sim800")

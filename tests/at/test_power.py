"""What makes a modem transmit, by the families' own names."""

from __future__ import annotations

import pytest

from mmsproxy.at import power


@pytest.mark.parametrize(
    "command",
    [
        *(b"AT+CIICR", b"AT+NETOPEN", b"AT+CNACT=0,1", b"AT+QIACT=1", b"AT+UPSDA=0,3", b"AT#SGACT=1,1", b"AT+CGACT=1,1", b"AT+CGATT=1"),
        *(b"AT+CIPSEND=0,1460", b"AT+CASEND=0,1360", b"AT+QISEND=0,1460", b"AT+USOWR=0,1024", b"AT#SSENDEXT=1,1500", b"AT+CMGS=23"),
        *(b'AT+CIPSTART=0,"TCP","mmsc",80', b'AT+QIOPEN=1,0,"TCP","mmsc",80,0,0', b'AT#SD=1,0,80,"mmsc",0,0,1', b"AT+CFUN=1"),
    ],
)
def test_commands_that_transmit(command: bytes) -> None:
    assert power.transmits(command)


@pytest.mark.parametrize("command", [b"AT", b"AT+CSQ", b"AT+NETOPEN?", b"AT+CIPACK=0", b"AT+CIPSHUT", b"AT+CNACT=0,0", b"AT+CFUN=4"])
def test_commands_that_do_not(command: bytes) -> None:
    assert not power.transmits(command)


def test_a_restart_looks_like_a_brown_out_only_shortly_after() -> None:
    assert [power.looks_like_brown_out(seconds) for seconds in (0.0, 2.9, 3.1, float("inf"))] == [True, True, False, False]

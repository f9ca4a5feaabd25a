"""The tables of what a modem may say unasked (modems.md 5.4, 7.2)."""

from __future__ import annotations

import pytest

from mmsproxy.at.rules import COMMON_URCS, Urc, UrcRule
from mmsproxy.at.sim800 import SIM800
from mmsproxy.at.sim7600 import SIM7600


def kind(table: tuple[UrcRule, ...], line: bytes) -> Urc | None:
    return next((rule.kind for rule in table if rule.pattern.fullmatch(line)), None)


@pytest.mark.parametrize("line", [b"RDY", b"+CFUN: 1", b"NORMAL POWER DOWN", b"UNDER-VOLTAGE POWER DOWN", b"+CPIN: NOT READY"])
def test_restarts_of_a_sim800(line: bytes) -> None:
    assert kind(SIM800.urcs, line) is Urc.RESTARTED


@pytest.mark.parametrize("line", [b"*ATREADY: 1", b"+CPIN: NOT READY", b"RDY"])
def test_restarts_of_a_sim7600(line: bytes) -> None:
    assert kind(SIM7600.urcs, line) is Urc.RESTARTED


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (SIM800.urcs, b"Call Ready"),
        (SIM800.urcs, b"SMS Ready"),
        (SIM7600.urcs, b"SMS DONE"),
        (SIM7600.urcs, b"PB DONE"),
        (COMMON_URCS, b"+CPIN: READY"),
    ],
)
def test_late_words_of_a_boot(table: tuple[UrcRule, ...], line: bytes) -> None:
    assert kind(table, line) is Urc.BOOT_TAIL


@pytest.mark.parametrize(
    "line",
    [b"UNDER-VOLTAGE WARNNING", b"OVER-VOLTAGE WARNNING", b'+CTZV: "24/06/07,14:02:11+08"', b"*PSUTTZ: 2024,6,7", b"DST: 1", b"RING"],
)
def test_what_is_no_restart(line: bytes) -> None:
    assert kind(SIM800.urcs, line) is kind(SIM7600.urcs, line) is Urc.NOISE


@pytest.mark.parametrize(
    ("table", "line", "expected"),
    [
        (SIM800.urcs, b"0, CLOSED", Urc.PEER_CLOSED),
        (SIM800.urcs, b"+PDP: DEACT", Urc.BEARER_LOST),
        (SIM800.urcs, b"+PDP DEACT", Urc.BEARER_LOST),
        (SIM800.urcs, b"+CIPRXGET: 1,0", Urc.DATA_WAITING),
        (SIM7600.urcs, b"+IPCLOSE: 0,1", Urc.PEER_CLOSED),
        (SIM7600.urcs, b"+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY", Urc.BEARER_LOST),
        (SIM7600.urcs, b"+CIPRXGET: 1,0", Urc.DATA_WAITING),
        (COMMON_URCS, b'+CMTI: "SM",1,"MMS PUSH",2,1', Urc.SMS_STORED),
        (COMMON_URCS, b'+CDSI: "SR",4', Urc.REPORT_STORED),
        (COMMON_URCS, b'+CEREG: 5,"1A2B","00C3D4E5",7', Urc.REGISTRATION),
        (COMMON_URCS, b"+CPIN: NOT INSERTED", Urc.SIM_STATE),
    ],
)
def test_what_lines_mean(table: tuple[UrcRule, ...], line: bytes, expected: Urc) -> None:
    assert kind(table, line) is expected


def test_the_answer_to_a_read_is_no_urc() -> None:
    assert kind(SIM7600.urcs, b"+CIPRXGET: 2,0,5,0") is None
    assert kind(SIM7600.urcs, b"+CIPCLOSE: 0,0") is None

"""Names and probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at.detect import DIALECTS, NAMES, by_name, detect
from mmsproxy.at.dialect import Identity
from mmsproxy.errors import LinkError

Replayer = Callable[..., Any]


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (Identity("SIMCOM_Ltd", "SIMCOM_SIM800L", "Revision:1418B04SIM800L24"), "sim800"),
        (Identity(info="SIM800 R14.18"), "sim800"),
        (Identity("SIMCOM_Ltd", "SIMCOM_SIM900", ""), "sim800"),
        (Identity("SIMCOM_Ltd", "SIMCOM_SIM868", ""), "sim800"),
        (Identity("SIMCOM_Ltd", "SIMCOM_SIM7000G", "1529B11SIM7000G"), "sim800"),
        (Identity("SIMCOM INCORPORATED", "SIMCOM_SIM7600G-H", "LE20B04SIM7600G22"), "sim7600"),
        (Identity("SIMCOM INCORPORATED", "SIMCOM_SIM7500A", ""), "sim7600"),
        (Identity("INCORPORATED", "A7670E-FASE", "A110B03A7670M7"), "sim7600"),
        (Identity("INCORPORATED", "A7608SA-H", ""), "sim7600"),
        (Identity("SIMCOM INCORPORATED", "SIM7670G-MNGV", ""), "sim7600"),
        (Identity("SIMCOM_Ltd", "SIMCOM_SIM7080G", "1951B08SIM7080"), "sim7080"),
        (Identity("SIMCOM_Ltd", "SIMCOM_SIM7070", ""), "sim7080"),
        (Identity("Quectel", "EC25", "EC25EFAR06A06M4G"), "quectel"),
        (Identity(info="Quectel BG95-M3 Revision: BG95M3LAR02A04"), "quectel"),
        (Identity("u-blox", "SARA-R410M-02B", "L0.0.00.00.05.08"), "ublox"),
        (Identity("u-blox", "LARA-R211", ""), "ublox"),
        (Identity("Telit", "LE910-EU V2", "20.00.505"), "telit"),
        (Identity("Telit", "ME910C1-WW", ""), "telit"),
    ],
)
def test_by_the_modems_own_name(identity: Identity, expected: str) -> None:
    script = detect(identity)
    with pytest.raises(StopIteration) as done:
        next(script)
    assert done.value.value.name == expected


def test_by_probing(replay: Replayer) -> None:
    assert replay("detect_probe", lambda: detect(Identity("Nobody", "X1"))).name == "sim800"


def test_a_modem_that_speaks_none(replay: Replayer) -> None:
    kind, text = replay("detect_none", lambda: detect(Identity("Nobody", "X1")))
    assert kind is LinkError
    assert "X1" in text
    assert "sim7080, quectel, sim7600, ublox, telit, sim800" in text


def test_by_the_configs_word() -> None:
    assert by_name("auto") is None
    assert [by_name(dialect.name) for dialect in DIALECTS] == list(DIALECTS)
    assert NAMES == ("auto", "sim7080", "quectel", "sim7600", "ublox", "telit", "sim800")
    with pytest.raises(LinkError, match=r"modem\.dialect is one of auto, sim7080, quectel, sim7600, ublox, telit, sim800"):
        by_name("sim9999")

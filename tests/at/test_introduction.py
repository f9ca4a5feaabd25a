"""Which dialect, and in which of its modes."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.at.dialect import Ask, Script, Tell
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.introduction import introduce
from mmsproxy.at.sim800 import SIM800
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.errors import LinkError

FAILED = Reply(Outcome.FAILED, (b"ERROR",), b"ERROR")


def drive(script: Script[Any], *, model: bytes = b"SIMCOM_SIM7600G-H", refused: bytes = b"nothing") -> tuple[Any, list[object]]:
    asked: list[object] = []
    try:
        request = next(script)
        while True:
            asked.append(request)
            text = request.text if isinstance(request, Ask) else b""
            lines = (model, b"OK") if text == b"AT+CGMM" else (b"OK",)
            request = script.send(FAILED if text == refused else Reply(Outcome.DONE, lines, b"OK"))
    except StopIteration as done:
        return done.value, asked


def test_by_its_model() -> None:
    (dialect, identity), asked = drive(introduce("auto", rtscts=False, transparent=False))
    assert dialect is SIM7600
    assert identity.model == "SIMCOM_SIM7600G-H"
    assert not any(isinstance(request, Ask) and b"IFC" in request.text for request in asked)


def test_by_the_settings() -> None:
    (dialect, _), _ = drive(introduce("sim800", rtscts=False, transparent=False))
    assert dialect is SIM800


def test_flow_control_is_set_on_both_sides() -> None:
    _, asked = drive(introduce("auto", rtscts=True, transparent=False))
    assert Ask(b"AT+IFC=2,2") in asked


def test_a_modem_that_refuses_flow_control_is_told_of() -> None:
    (dialect, _), asked = drive(introduce("auto", rtscts=True, transparent=False), refused=b"AT+IFC=2,2")
    assert dialect is SIM7600
    assert any(isinstance(request, Tell) and "RTS/CTS" in request.text for request in asked)


def test_the_transparent_mode_of_both_simcom_families() -> None:
    for model, dialect in ((b"SIMCOM_SIM7600G-H", SIM7600), (b"SIMCOM_SIM800L", SIM800)):
        (chosen, _), _ = drive(introduce("auto", rtscts=True, transparent=True), model=model)
        assert chosen is dialect.transparent
        assert (chosen.is_transparent, chosen.name) == (True, dialect.name)


def test_the_transparent_mode_without_flow_control_is_refused() -> None:
    with pytest.raises(LinkError, match=r"loses bytes without RTS/CTS; .*modem\.flow_control: rtscts"):
        drive(introduce("auto", rtscts=False, transparent=True))
    with pytest.raises(LinkError, match="the modem refuses RTS/CTS"):
        drive(introduce("auto", rtscts=True, transparent=True), refused=b"AT+IFC=2,2")


def test_a_family_without_a_transparent_mode_is_refused() -> None:
    with pytest.raises(LinkError, match="does not know the transparent mode of ublox"):
        drive(introduce("ublox", rtscts=True, transparent=True))

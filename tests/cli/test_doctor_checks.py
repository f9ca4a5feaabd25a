"""The examination against the shipped simulator over a pty: each dialect well, and each fault at its own check."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mmsproxy.at.dialect import Profile
from mmsproxy.cli import doctor_checks
from mmsproxy.cli.doctor_checks import CHECKS, Examination, Subject, judge_port
from mmsproxy.cli.doctor_report import Finding, Level
from mmsproxy.errors import PortError
from mmsproxy.modem.channel import Channel
from mmsproxy.modem.ports import PortFacts
from mmsproxy.modem.serial_port import SerialPort
from mmsproxy.simulator.faults import Connect
from mmsproxy.simulator.settings import ModemSettings
from mmsproxy.simulator.world import MMSC_HOST, World
from mmsproxy.trace import Trace

HANG = 60.0
DIALECTS = ("sim7600", "sim800", "quectel", "sim7080", "ublox", "telit")
SUBJECT = Subject("line", "", profile=Profile("mms.example"), far_end=(MMSC_HOST, 80), number="+12025550117", wait=0)


@pytest.fixture(autouse=True)
async def no_hang() -> AsyncIterator[None]:
    async with asyncio.timeout(HANG):
        yield


@asynccontextmanager
async def world(dialect: str = "sim7600", **settings: object) -> AsyncIterator[World]:
    line_rate = int(str(settings.pop("line_rate", 0)))
    async with World(dialect, line_rate=line_rate, settings=ModemSettings(**settings)) as made:  # type: ignore[arg-type]
        yield made


async def examine(made: World, **changes: object) -> dict[str, Finding]:
    subject = replace(SUBJECT, port=made.modem.path, **changes)  # type: ignore[arg-type]
    findings = await Examination(subject).run()
    assert [finding.name for finding in findings] == [check.name for check in CHECKS]
    return {finding.name: finding for finding in findings}


def levels(findings: dict[str, Finding], level: Level) -> set[str]:
    return {name for name, finding in findings.items() if finding.level is level}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_all_is_well_with_each_dialect(dialect: str) -> None:
    async with world(dialect) as made:
        found = await examine(made, connect=True)
        assert not made.mmsc.requests
        assert made.modem.wire.up == b""
    assert levels(found, Level.FAIL) | levels(found, Level.SKIP) == set()
    assert levels(found, Level.WARN) == ({"radio"} if dialect == "sim800" else set())  # 2G only, with a SIM of the United States
    assert found["dialect"].facts["dialect"] == dialect
    assert "310-260" in found["subscription"].seen
    assert "Simulated" in found["subscription"].seen
    assert "mms.example" in found["bearer"].seen
    assert found["dns"].facts.get("addresses") != []
    assert f"{MMSC_HOST}:80" in found["mmsc"].seen


@pytest.mark.parametrize("was_up", [False, True])
async def test_the_bearer_is_left_as_it_was(was_up: bool, tmp_path: Path) -> None:
    async with world() as made:
        if was_up:
            await say(made, b'AT+CGDCONT=1,"IP","mms.example"\r', b"AT+NETOPEN\r")
        with Trace(tmp_path / "trace.at") as trace:
            findings = await Examination(replace(SUBJECT, port=made.modem.path), tap=trace).run()
    text = (tmp_path / "trace.at").read_text()
    assert ("up in" in next(finding.seen for finding in findings if finding.name == "bearer")) == (not was_up)
    assert ("> AT+NETCLOSE" in text.partition("AT+CPMS?")[2]) == (not was_up)


async def say(made: World, *commands: bytes) -> None:
    """Commands of somebody who had the modem before."""
    got = bytearray()
    port = await SerialPort.open(made.modem.path, 115200, got.extend, lambda error: None)
    for number, command in enumerate(commands, 1):
        port.write(command)
        while got.count(b"OK\r\n") < number:
            await asyncio.sleep(0.001)
    await port.close()


async def test_nothing_is_resolved_or_connected_unless_asked() -> None:
    async with world() as made:
        found = await examine(made)
    assert levels(found, Level.SKIP) == {"dns", "mmsc"}
    assert all("--connect" in found[name].seen for name in ("dns", "mmsc"))


async def test_no_bearer_when_not_wanted_or_not_known() -> None:
    async with world() as made:
        found = await examine(made, bearer=False, connect=True)
        assert levels(found, Level.SKIP) == {"bearer", "dns", "mmsc"}
        assert {found[name].seen for name in ("bearer", "dns", "mmsc")} == {"not asked for: --no-bearer"}
        found = await examine(made, profile=None, far_end=None)
        assert "--config" in found["bearer"].seen
        contexts = made.modem.dialect.radio.contexts
    assert contexts[1].apn == ""


async def test_numbers_are_masked_unless_asked() -> None:
    async with world() as made:
        masked = await examine(made, bearer=False)
        whole = await examine(made, bearer=False, unmasked=True)
    secrets = ("310260000000017", "8901260000000000172", "860000000000017", "+12025550117")
    for text in secrets:
        assert text not in repr(masked)
        assert text in repr(whole)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_sim(dialect: str) -> None:
    async with world(dialect) as made:
        made.modem.dialect.radio.remove_sim()
        found = await examine(made)
    assert levels(found, Level.FAIL) == {"sim"}
    assert "SIM" in found["sim"].cure
    assert levels(found, Level.SKIP) == {"subscription", "number", "registration", "bearer", "dns", "mmsc", "sms storage"}
    assert found["registration"].seen == "not checked: sim failed"


async def test_a_pin_is_wanted_and_never_entered_by_itself() -> None:
    async with world(pin="4711") as made:
        found = await examine(made, pin="4711")
        assert found["sim"].level is Level.FAIL
        assert found["sim"].cure == "run again with --enter-pin"
        assert made.modem.dialect.radio.pin_wanted
        assert "modem.pin" in (await examine(made))["sim"].cure
        assert made.modem.dialect.radio.pin_attempts == 3


WITH_COUNTER = ("quectel", "sim7080", "ublox", "telit")


@pytest.mark.parametrize("dialect", WITH_COUNTER)
async def test_a_pin_is_entered_when_asked(dialect: str) -> None:
    async with world(dialect, pin="4711") as made:
        found = await examine(made, pin="4711", enter_pin=True)
    assert found["sim"].seen == "ready, its PIN was entered"
    assert levels(found, Level.FAIL) == set()


@pytest.mark.parametrize("dialect", WITH_COUNTER)
async def test_a_wrong_pin_is_entered_once_and_never_again(dialect: str) -> None:
    async with world(dialect, pin="4711") as made:
        for _ in range(3):
            found = await examine(made, pin="0000", enter_pin=True)
            assert found["sim"].level is Level.FAIL
            assert made.modem.dialect.radio.pin_attempts == 2
    assert "2 tries are left" in found["sim"].seen


async def test_a_pin_is_not_entered_where_its_tries_are_not_known() -> None:
    async with world("sim7080", pin="4711") as made:
        made.modem.faults.refuse("+SPIC", times=None)
        found = await examine(made, pin="0000", enter_pin=True)
        assert made.modem.dialect.radio.pin_attempts == 3
    assert (found["sim"].level, found["sim"].cure) == (Level.FAIL, "enter the PIN once in a phone")


async def test_a_blocked_sim() -> None:
    async with world("sim800", pin="4711") as made:
        made.modem.dialect.radio.pin_attempts = 0
        found = await examine(made, pin="4711", enter_pin=True)
    assert (found["sim"].level, found["sim"].seen) == (Level.FAIL, "the SIM wants SIM PUK")


@pytest.mark.parametrize(("dialect", "cure"), [("sim7600", "antenna"), ("sim800", "LTE modem")])
async def test_not_registered(dialect: str, cure: str) -> None:
    async with world(dialect) as made:
        made.modem.lose_coverage()
        found = await examine(made)
    assert levels(found, Level.FAIL) == {"registration"}
    assert cure in found["registration"].cure
    assert levels(found, Level.WARN) >= {"radio", "signal"}
    assert found["bearer"].seen == "not checked: registration failed"


async def test_a_network_that_is_found_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "POLL", 0.02)
    async with world() as made:
        made.modem.lose_coverage()
        told: list[str] = []

        def tell(text: str) -> None:
            told.append(text)
            made.modem.regain_coverage()

        subject = replace(SUBJECT, port=made.modem.path, wait=30, bearer=False)
        findings = await Examination(subject, told=tell).run()
    assert next(finding for finding in findings if finding.name == "registration").level is Level.OK
    assert told == ["waiting up to 30 s for the network"]


async def test_a_wrong_apn() -> None:
    async with world("quectel", apn="right.example") as made:
        found = await examine(made, connect=True)
    assert levels(found, Level.FAIL) == {"bearer"}
    assert "APN" in found["bearer"].cure
    assert found["mmsc"].seen == "not checked: bearer failed"


async def test_an_apn_that_no_command_may_hold() -> None:
    async with world() as made:
        found = await examine(made, profile=Profile('a"b'))
    assert found["bearer"].level is Level.FAIL
    assert "letters" in found["bearer"].cure


@pytest.mark.parametrize(("how", "check"), [(Connect.UNKNOWN_NAME, "dns"), (Connect.REFUSED, "mmsc")])
async def test_the_far_end(how: Connect, check: str) -> None:
    async with world("sim7600") as made:
        if how is Connect.UNKNOWN_NAME:
            found = await examine(made, connect=True, far_end=("nowhere.example", 80))
        else:
            made.modem.faults.connect(how, times=None)
            found = await examine(made, connect=True)
    assert levels(found, Level.FAIL) == {check}
    assert "carrier.mmsc" in found[check].cure


async def test_an_address_needs_no_dns() -> None:
    async with World("sim7600", mmsc_host="100.64.7.7") as made:
        found = await examine(made, connect=True, far_end=("100.64.7.7", 8080))
    assert found["dns"].seen == "100.64.7.7 needs none"
    assert found["mmsc"].level is Level.OK


@pytest.mark.parametrize(
    ("command", "check", "level"),
    [
        ("+CPMS?", "sms storage", Level.WARN),
        ("+CNUM", "number", Level.OK),
        ("+CIMI", "subscription", Level.WARN),
        ("+CSQ", "signal", Level.WARN),
        ("+COPS?", "radio", Level.WARN),
        ("+CPIN?", "sim", Level.FAIL),
        ("+CGMM", "identity", Level.OK),
        ("E0", "identity", Level.FAIL),
        ("+NETOPEN", "bearer", Level.FAIL),
    ],
)
async def test_a_query_that_is_refused(command: str, check: str, level: Level) -> None:
    async with world() as made:
        made.modem.faults.refuse(command, times=None)
        found = await examine(made)
    assert found[check].level is level
    assert levels(found, Level.FAIL) == ({check} if level is Level.FAIL else set())
    if level is not Level.OK:
        assert found[check].cure


async def test_a_full_storage() -> None:
    async with world() as made:
        made.modem.faults.replace("+CPMS: ", '+CPMS: "SM",20,20,"SM",20,20,"SM",20,20', times=None)
        found = await examine(made)
    assert levels(found, Level.FAIL) == {"sms storage"}


async def test_a_modem_that_is_lost_on_the_way() -> None:
    async with world() as made:
        examination = Examination(replace(SUBJECT, port=made.modem.path), lambda finding: _unplug_after(made, finding))
        findings = {finding.name: finding for finding in await examination.run()}
    assert levels(findings, Level.FAIL) == {"number"}
    assert "gone" in findings["registration"].seen
    assert levels(findings, Level.SKIP) == {"registration", "radio", "signal", "bearer", "dns", "mmsc", "sms storage"}


def _unplug_after(made: World, finding: Finding) -> None:
    if finding.name == "subscription":
        made.modem.unplug()


async def test_a_modem_that_restarts_on_the_way() -> None:
    async with world() as made:
        examination = Examination(
            replace(SUBJECT, port=made.modem.path), lambda finding: made.modem.say("RDY") if finding.name == "sim" else None
        )
        findings = {finding.name: finding for finding in await examination.run()}
    assert levels(findings, Level.FAIL) <= {"subscription"}
    assert "restarted" in findings["number"].seen


async def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Channel._reply

    async def quick(self: Channel, timeout: float, *, probe: bool = False, awaiting: bool = False) -> object:
        return await original(self, timeout / 50, probe=probe, awaiting=awaiting)

    monkeypatch.setattr(Channel, "_reply", quick)
    monkeypatch.setattr(doctor_checks.line_rate, "GUARD", 0.01)
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        findings = await Examination(replace(SUBJECT, port=os.ttyname(slave))).run()
    finally:
        os.close(slave)
        os.close(master)
    assert [finding.level for finding in findings[:4]] == [Level.OK, Level.OK, Level.FAIL, Level.SKIP]
    assert "power" in findings[2].cure


async def test_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks.line_rate, "SEARCHED", (9600,))
    monkeypatch.setattr(doctor_checks.line_rate, "GUARD", 0.01)
    monkeypatch.setattr(doctor_checks, "RATE_ROUNDS", 1)
    async with world("sim800", line_rate=9600) as made:
        made.modem._uart.set_baud(9600)
        found = await examine(made, bearer=False)
    assert (found["modem"].level, found["modem"].cure) == (Level.WARN, "set modem.baud to 9600")
    assert levels(found, Level.FAIL) == set()


async def test_a_port_that_is_not_there() -> None:
    (first, *rest) = await Examination(replace(SUBJECT, port="/dev/ttyMISSING")).run()
    assert (first.name, first.level) == ("port", Level.FAIL)
    assert "mmsproxy ports" in first.cure
    assert {finding.level for finding in rest} == {Level.SKIP}


async def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    first, *_ = await Examination(replace(SUBJECT, port=str(tmp_path / "file"))).run()
    assert "no serial port" in first.seen


async def test_a_port_that_another_has() -> None:
    async with world() as made:
        port = await SerialPort.open(made.modem.path, 115200, lambda data: None, lambda error: None)
        found = await examine(made)
        await port.close()
    assert levels(found, Level.FAIL) == {"lock"}
    assert "this program itself" in found["lock"].seen
    assert "ModemManager" in found["lock"].cure


async def test_a_modem_behind_a_serial_server() -> None:
    async with world() as made:
        writers: list[asyncio.StreamWriter] = []
        here = await SerialPort.open(made.modem.path, 115200, lambda data: writers[0].write(data), lambda error: None)

        async def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            while data := await reader.read(4096):
                here.write(data)
            writer.close()

        server = await asyncio.start_server(bridge, "127.0.0.1", 0)
        address = f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        findings = await Examination(replace(SUBJECT, port=address, connect=True)).run()
        server.close()
        await here.close()
    assert {finding.level for finding in findings} == {Level.OK}


async def test_the_trace_has_all_that_passed_but_no_number(tmp_path: Path) -> None:
    async with world() as made:
        with Trace(tmp_path / "doctor.at") as trace:
            await Examination(replace(SUBJECT, port=made.modem.path), tap=trace).run()
    text = (tmp_path / "doctor.at").read_text()
    assert "> AT+CIMI" in text
    assert "> AT+NETOPEN" in text
    assert "310260000000017" not in text


async def test_a_dialect_that_the_model_does_not_speak() -> None:
    async with world() as made:
        found = await examine(made, dialect="sim800", bearer=False)
    assert (found["dialect"].level, "sim7600" in found["dialect"].cure) == (Level.WARN, True)


def test_each_check_stands_behind_what_it_needs() -> None:
    names: list[str] = []
    for check in CHECKS:
        assert check.needs in ("", *names)
        names.append(check.name)


MODEM = tuple(PortFacts(f"/dev/ttyUSB{n}", "1e0e:9001", n, place="1-1", description="SimTech", by_id=f"/by-id/if{n:02}") for n in range(5))


def test_the_right_port_of_a_known_modem() -> None:
    finding = judge_port("/dev/ttyUSB2", MODEM)
    assert finding.level is Level.OK
    assert "SIM7600" in finding.seen
    assert "interface 02" in finding.seen


def test_a_port_that_must_not_be_opened() -> None:
    with pytest.raises(PortError) as caught:
        judge_port("/dev/ttyUSB0", MODEM)
    assert caught.value.cure == "set modem.port to /by-id/if02"


def test_another_port_of_a_known_modem() -> None:
    finding = judge_port("/dev/ttyUSB7", (PortFacts("/dev/ttyUSB7", "1e0e:9001", 9, place="1-2"), *MODEM))
    assert (finding.level, finding.cure) == (Level.WARN, "set modem.port to auto")


@pytest.mark.parametrize("known", [(), (PortFacts("/dev/ttyS0"),)])
def test_a_port_that_is_not_usb(known: tuple[PortFacts, ...]) -> None:
    assert judge_port("/dev/ttyS0", known).seen == "/dev/ttyS0"

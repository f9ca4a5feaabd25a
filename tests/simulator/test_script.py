"""Faults by words: each line does what it says, each wrong line says what there is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mmsproxy.errors import ConfigError
from mmsproxy.simulator import script
from mmsproxy.simulator.faults import Connect, Verdict
from mmsproxy.simulator.modem import SimulatedModem


@pytest.fixture
async def modem():
    async with SimulatedModem() as modem:
        yield modem


async def test_commands(modem: SimulatedModem) -> None:
    script.apply(modem, 'command +CIPSEND refuse "+CME ERROR: 3" times 2')
    assert [modem.faults.on_command("+CIPSEND=0,5") for _ in range(3)] == [(Verdict.REFUSE, "+CME ERROR: 3")] * 2 + [(Verdict.PASS, "")]
    script.apply(modem, "command +NETOPEN swallow")
    script.apply(modem, "command +CGATT ignore always")
    assert modem.faults.on_command("+NETOPEN")[0] is Verdict.SWALLOW
    assert [modem.faults.on_command("+CGATT=1")[0] for _ in range(3)] == [Verdict.IGNORE] * 3


async def test_lines(modem: SimulatedModem) -> None:
    for line in ('line "DATA ACCEPT" lose', "line OK replace NOK", "line > delay 1.5  # late"):
        script.apply(modem, line)
    assert modem.faults.on_line("DATA ACCEPT:0,5") == (None, 0.0)
    assert modem.faults.on_line("OK") == ("NOK", 0.0)
    assert modem.faults.on_line(">") == (">", 1.5)


async def test_bytes_and_the_air(modem: SimulatedModem) -> None:
    script.apply(modem, r'transmitted 2 insert "\x00\xffRING\r\n"')
    assert modem.faults.on_transmit(b"abcd") == b"ab\x00\xffRING\r\ncd"
    script.apply(modem, "uplink 10 reset")
    assert modem.faults.on_uplink(30) == 10
    script.apply(modem, "connect silent")
    assert modem.faults.on_connect() is Connect.NEVER_ANSWERS
    script.apply(modem, "send short 100")
    assert modem.faults.take_limit(1460) == 100
    script.apply(modem, "send fail-taken")
    script.apply(modem, "send fail-lost")
    assert [modem.faults.on_send() for _ in range(3)] == [True, False, None]
    script.apply(modem, "counter -7")
    assert modem.faults.counter_error == -7


async def test_actions(modem: SimulatedModem) -> None:
    script.apply(modem, "payload 3 unplug")
    assert b"".join(modem.faults.on_payload(b"abcdef")) == b"abcdef"
    assert not modem._uart.plugged
    script.apply(modem, "now replug")
    assert modem._uart.plugged
    script.apply(modem, "now deaf")
    assert modem.faults.deaf
    script.apply(modem, "now hear")
    script.apply(modem, "received 1 restart")
    assert list(modem.faults.on_receive(b"A")) == [b"A"]


@pytest.mark.parametrize(
    "line",
    [
        "explode",
        "command +CIPSEND",
        "command +CIPSEND burn",
        "line OK delay soon",
        "payload many unplug",
        "payload 5",
        "payload 5 explode",
        "payload 5 unplug now",
        "transmitted 5 unplug",
        "uplink 5 unplug",
        "connect maybe",
        "send maybe",
        "counter x",
        'say "unbalanced',
    ],
)
async def test_a_wrong_line_says_what_is_wrong(modem: SimulatedModem, line: str) -> None:
    with pytest.raises(ConfigError, match=line.split()[0]):
        script.apply(modem, line)


async def test_empty_lines_and_comments_are_nothing(modem: SimulatedModem) -> None:
    script.apply(modem, "")
    script.apply(modem, "  # a comment")
    assert modem.faults.on_command("+CIPSEND") == (Verdict.PASS, "")


async def test_a_file_names_the_line_of_its_mistake(modem: SimulatedModem, tmp_path: Path) -> None:
    path = tmp_path / "faults"
    path.write_text("# two rules\ncounter 3\nexplode now\n")
    with pytest.raises(ConfigError, match=r"faults:3 - 'explode'"):
        script.load(modem, path)
    assert modem.faults.counter_error == 3
    with pytest.raises(ConfigError, match="cannot be read"):
        script.load(modem, tmp_path / "absent")


async def test_the_control_socket_answers_each_line(modem: SimulatedModem, tmp_path: Path) -> None:
    control = script.Control(modem, tmp_path / "control")
    await control.start()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "control")
    writer.write(b"counter 4\nexplode\n")
    assert await reader.readline() == b"ok\n"
    assert (await reader.readline()).startswith(b"error: 'explode'")
    assert modem.faults.counter_error == 4
    writer.write(b"x" * 3 * script.MAX_LINE + b"\n")
    assert await reader.read() == b""
    writer.close()
    await control.stop()
    assert not (tmp_path / "control").exists()
    with pytest.raises(ConfigError, match="--control"):
        await script.Control(modem, tmp_path / "no" / "control").start()

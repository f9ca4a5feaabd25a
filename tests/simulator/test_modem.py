"""The modem's power: hosts that come and go, restarts, unplugging; and a foreign library at the port."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
import serial

from mmsproxy.errors import ConfigError
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings

BOTH = pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
BANNERS = {
    "sim800": "+CPIN: READY|Call Ready|SMS Ready",  # autobaud: no RDY
    "sim7600": "*ATREADY: 1|+CPIN: READY|SMS DONE|PB DONE",
}


@BOTH
async def test_state_outlives_the_hosts_close(dialect: str) -> None:
    def script(path: str) -> None:
        with serial.Serial(path, 115200, timeout=5) as port:
            port.write(b"ATE0\r")
            assert port.read_until(b"OK\r\n") == b"ATE0\r\r\nOK\r\n"
            port.write(b"AT+CREG=2\r")
            assert port.read_until(b"OK\r\n") == b"\r\nOK\r\n"
            port.write(b"AT+CSQ\r")  # its answer is never read
        time.sleep(0.05)
        with serial.Serial(path, 115200, timeout=5, exclusive=True) as port:
            port.write(b"AT+CREG?\r")
            assert port.read_until(b"OK\r\n") == b'\r\n+CREG: 2,1,"1A2B","01C3D4E5"\r\n\r\nOK\r\n'

    async with SimulatedModem(ModemSettings(dialect=dialect)) as modem:
        await asyncio.to_thread(script, modem.path)


@BOTH
async def test_a_restart_forgets_and_says_so(bench, dialect: str) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        b.call(b.modem.restart)
        b.dte.send("AT\r")  # deaf while it boots
        for banner in BANNERS[dialect].split("|"):
            b.dte.expect(f"\r\n{banner}\r\n")
        b.dte.ask("AT+CPIN?", "AT+CPIN?\r|+CPIN: READY||OK|")  # echo is back
        if dialect == "sim7600":
            b.dte.ask("AT+NETOPEN?", "AT+NETOPEN?\r|+NETOPEN: 0||OK|")
        else:
            b.dte.ask("AT+CIPMUX?", "AT+CIPMUX?\r|+CIPMUX: 0||OK|")

    modem = await bench(script, dialect=dialect)
    assert [record.ended for record in modem.wire.connections] == ["fault"]


@pytest.mark.parametrize("command", ["AT+CFUN=1,1", "AT+CRESET"])
async def test_restarted_by_command(bench, command: str) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ok(command)
        b.dte.until("PB DONE\r\n")
        b.dte.ask("AT", "AT\r|OK|")

    await bench(script, dialect="sim7600")


@BOTH
async def test_unplugged_and_plugged_in_again_under_the_same_name(dialect: str, tmp_path: Path) -> None:
    link = tmp_path / "ttyModem"
    async with SimulatedModem(ModemSettings(dialect=dialect, boot=0.05), {}, link) as modem:
        first = os.readlink(link)
        fd = os.open(link, os.O_RDWR | os.O_NOCTTY)
        modem.unplug()
        modem.unplug()
        assert not link.is_symlink()
        with pytest.raises(OSError):
            os.write(fd, b"AT\r")
        modem.replug()
        assert link.is_symlink()

        def script() -> None:
            with serial.Serial(str(link), 115200, timeout=5) as port:
                port.read_until(b"Ready\r\n" if dialect == "sim800" else b"DONE\r\n")
                port.write(b"AT\r")
                assert port.read_until(b"OK\r\n").endswith(b"OK\r\n")

        await asyncio.to_thread(script)
        os.close(fd)
        assert first.startswith("/dev/pts/")
    assert not link.is_symlink()


async def test_the_sim_is_taken_out(bench) -> None:
    def script(b) -> None:
        b.up()
        b.dte.ok("AT+CMEE=1")
        b.call(b.modem.lose_sim)
        b.dte.expect("\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n\r\n+CPIN: NOT READY\r\n")
        b.dte.ask("AT+CPIN?", "|+CME ERROR: 10|")
        b.dte.ask("AT+CIMI", "|+CME ERROR: 10|")

    await bench(script, dialect="sim7600")


async def test_activation_takes_its_time_and_a_cold_start_longer(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        start = time.monotonic()
        b.dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 0|")
        assert time.monotonic() - start >= 0.2
        b.dte.ask("AT+NETCLOSE", "|OK||+NETCLOSE: 0|")
        b.dte.ok("AT+CGATT=0")
        start = time.monotonic()
        b.dte.ask("AT+NETOPEN", "|OK||+NETOPEN: 0|")  # attaches first
        assert time.monotonic() - start >= 0.3

    await bench(script, dialect="sim7600", activation=0.2)


async def test_latencies_of_a_send(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        start = time.monotonic()
        b.dte.ask("AT+CIPSEND=0,1", "|> ")
        assert time.monotonic() - start >= 0.05
        start = time.monotonic()
        b.dte.send("x")
        b.dte.expect("\r\nDATA ACCEPT:0,1\r\n")
        assert time.monotonic() - start >= 0.08

    await bench(script, dialect="sim800", prompt_delay=0.05, accept_delay=0.08)


async def test_a_paced_modem_carries_the_whole_way(bench) -> None:
    def script(b) -> None:
        b.up()
        b.connect()
        start = time.monotonic()
        b.post(bytes(1460))
        assert time.monotonic() - start >= 1460 / 11520
        assert b.peer.receive(1460) == bytes(1460)

    await bench(script, dialect="sim800", line_rate=115200, rtt=0.01)


def test_what_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="sim900x"):
        SimulatedModem(ModemSettings(dialect="sim900x"))
    for target in ("192.0.2.1:80", "mmsc.example:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:http"):
        with pytest.raises(ConfigError, match="loopback"):
            SimulatedModem(ModemSettings(), {"mmsc": target})


@BOTH
@pytest.mark.parametrize("line_rate", [9600, 460800])
async def test_the_line_rate_holds_whatever_the_host_has_set(bench, dialect: str, line_rate: int) -> None:
    def script(b) -> None:  # this host's port stands at 115200
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ask("AT+IPR?", f"|+IPR: {0 if dialect == 'sim800' else line_rate}||OK|")
        start = time.monotonic()
        b.dte.ok(*["AT" + "E0" * 40] * 3)
        assert time.monotonic() - start >= 3 * (83 + 6) / (line_rate / 10)

    await bench(script, dialect=dialect, line_rate=line_rate)


async def test_a_raised_rate_is_gone_after_a_restart(bench) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ok("AT+IPR=460800")
        b.call(b.modem.restart)
        b.dte.until("SMS Ready\r\n")
        b.dte.ask("AT+IPR?", "AT+IPR?\r|+IPR: 0||OK|")

    await bench(script, dialect="sim800", line_rate=115200)

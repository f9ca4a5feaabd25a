"""A modem and a carrier as one: a foreign library posts an MMS through them."""

from __future__ import annotations

import asyncio

import pytest
import serial

from mmsproxy.errors import ConfigError
from mmsproxy.simulator.settings import ModemSettings
from mmsproxy.simulator.world import World

PDU = bytes.fromhex("8c80985431008d9289018197") + b"+1/TYPE=PLMN\0" + bytes.fromhex("84a300")
REQUEST = b"POST /mms/wapenc HTTP/1.1\r\nHost: mmsc.simulator\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(PDU) + PDU

SIM800 = [
    (b"ATE0\r", b"OK\r\n"),
    (b"AT+CIPMUX=0\r", b"OK\r\n"),
    (b"AT+CIPRXGET=1\r", b"OK\r\n"),
    (b'AT+CSTT="mms"\r', b"OK\r\n"),
    (b"AT+CIICR\r", b"OK\r\n"),
    (b"AT+CIFSR\r", b"10.64.3.17\r\n"),
    (b'AT+CIPSTART="TCP","mmsc.simulator",80\r', b"CONNECT OK\r\n"),
    (b"AT+CIPSEND=%d\r" % len(REQUEST), b"> "),
    (REQUEST, b"SEND OK\r\n"),
    (b"", b"CLOSED\r\n"),
    (b"AT+CIPRXGET=2,1460\r", b"\0\r\nOK\r\n"),
]
SIM7600 = [
    (b"ATE0\r\n", b"OK\r\n"),
    (b"AT+CIPRXGET=1\r\n", b"OK\r\n"),
    (b"AT+NETOPEN\r\n", b"+NETOPEN: 0\r\n"),
    (b'AT+CIPOPEN=0,"TCP","mmsc.simulator",80\r\n', b"+CIPOPEN: 0,0\r\n"),
    (b"AT+CIPSEND=0,%d\r\n" % len(REQUEST), b">"),
    (REQUEST, b"+CIPSEND: 0,%d,%d\r\n" % (len(REQUEST), len(REQUEST))),
    (b"", b"+IPCLOSE: 0,1\r\n"),
    (b"AT+CIPRXGET=2,0,1500\r\n", b"\r\nOK\r\n"),
]


def play(path: str, dialogue: list[tuple[bytes, bytes]]) -> bytes:
    """Plays a dialogue by pyserial; returns the last answer. What comes by itself may come before the result that it follows."""
    heard = b""
    with serial.Serial(path, 115200, timeout=5) as port:
        for typed, awaited in dialogue:
            if not typed and awaited in heard:
                continue
            port.write(typed)
            heard = port.read_until(awaited)
            assert heard.endswith(awaited), (typed, heard)
        return heard


@pytest.mark.parametrize(("dialect", "dialogue"), [("sim800", SIM800), ("sim7600", SIM7600)])
@pytest.mark.parametrize("line_rate", [0, 115200])
async def test_an_mms_goes_through(dialect: str, dialogue: list[tuple[bytes, bytes]], line_rate: int) -> None:
    async with World(dialect, line_rate=line_rate, rtt=0.02, activation=0.05, prompt_delay=0.002, accept_delay=0.002) as world:
        answer = await asyncio.to_thread(play, world.modem.path, dialogue)
        assert b"HTTP/1.1 200 OK\r\n" in answer
        assert b"\x8c\x81\x98T1\0\x8d\x92\x92\x80\x8b" in answer
        assert [request.body for request in world.mmsc.requests] == [PDU]
        assert world.modem.wire.up == REQUEST
        assert world.mmsc_url == "http://mmsc.simulator/mms/wapenc"


async def test_a_world_that_cannot_start_leaves_nothing_behind() -> None:
    world = World("sim900x")
    with pytest.raises(ConfigError):
        await world.start()
    assert world.mmsc._runner is None


async def test_the_named_arguments_win_over_the_settings() -> None:
    async with World("sim800", rtt=0.01, settings=ModemSettings(rtt=9, number="", record=False)) as world:
        assert (world.modem.settings.rtt, world.modem.settings.number, world.modem.settings.dialect) == (0.01, "", "sim800")

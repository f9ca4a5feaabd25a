"""From a spec to an open port: the simulator on ptys, and over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator

import pytest

from mmsproxy.at.startup import wake
from mmsproxy.errors import LinkError, PortError
from mmsproxy.events import Bus
from mmsproxy.link import LinkStatus
from mmsproxy.modem.channel import Channel
from mmsproxy.modem.port_finder import open_port, resolve_port
from mmsproxy.modem.ports import PortFacts
from mmsproxy.modem.serial_port import SerialPort
from mmsproxy.modem.tcp_port import TcpPort
from mmsproxy.modem_link import ModemLink
from mmsproxy.modem_link import ModemSettings as Settings
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.simulator.settings import ModemSettings

HANG = 30.0


@pytest.fixture(autouse=True)
async def no_hang() -> AsyncIterator[None]:
    async with asyncio.timeout(HANG):
        yield


@pytest.fixture
async def modem() -> AsyncIterator[SimulatedModem]:
    async with SimulatedModem(ModemSettings()) as made:
        yield made


@pytest.fixture
def mute() -> Iterator[str]:
    """A port at which nobody answers."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def nothing() -> tuple[PortFacts, ...]:
    raise AssertionError("nobody had to look")


@pytest.mark.parametrize("spec", ["/dev/ttyUSB2", "COM3", "socket://h:1"])
async def test_what_is_named_is_not_looked_for(spec: str) -> None:
    assert await resolve_port(spec, read=nothing) == spec


async def test_a_listed_port_is_not_probed() -> None:
    facts = PortFacts("/dev/ttyMISSING", "1e0e:9001", 2)
    assert await resolve_port("auto", read=lambda: [facts]) == "/dev/ttyMISSING"


async def test_the_port_that_answers_is_found(modem: SimulatedModem, mute: str) -> None:
    found = [PortFacts(device, "12d1:15c1", number, place="1-1") for number, device in enumerate(("/dev/missing", mute, modem.path))]
    assert await resolve_port("auto", read=lambda: found) == modem.path
    assert await resolve_port("usb:12d1:15c1", read=lambda: found) == modem.path


async def test_none_answers(mute: str) -> None:
    found = [PortFacts(device, "12d1:15c1", number, place="1-1") for number, device in enumerate((mute, "/dev/missing"))]
    with pytest.raises(PortError) as caught:
        await resolve_port("auto", read=lambda: found)
    assert mute in str(caught.value)
    assert "there is no port /dev/missing" in str(caught.value)


async def test_a_modem_that_came_back_under_another_number(modem: SimulatedModem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each opening looks anew."""
    seen = [[PortFacts("/dev/ttyGONE", "1e0e:9001", 2)], [PortFacts(modem.path, "1e0e:9001", 2)]]
    monkeypatch.setattr(resolve_port, "__kwdefaults__", {"read": lambda: seen.pop(0)})
    with pytest.raises(PortError, match="ttyGONE"):
        await open_port("auto", 115200, lambda data: None, lambda error: None)
    port = await open_port("auto", 115200, lambda data: None, lambda error: None)
    assert isinstance(port, SerialPort)
    assert port.device == modem.path
    await port.close()


async def test_a_modem_behind_a_serial_server(modem: SimulatedModem) -> None:
    """The whole way: AT over TCP to a bridge that has the modem's port."""
    writers: list[asyncio.StreamWriter] = []
    here = await SerialPort.open(modem.path, 115200, lambda data: writers[0].write(data), lambda error: None)

    async def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while data := await reader.read(4096):
            here.write(data)
        writer.close()

    server = await asyncio.start_server(bridge, "127.0.0.1", 0)
    channel = Channel(115200, heard=lambda urc: None, told=lambda text: None, broke=lambda: None)
    port = await open_port(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}", 115200, channel.received, channel.break_)
    assert isinstance(port, TcpPort)
    channel.attach(port)
    await channel.run(wake())
    await port.close()
    server.close()
    await here.close()


async def test_a_link_by_auto_follows_its_modem(modem: SimulatedModem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged, and plugged in again under another number: the next message goes through."""
    here = [modem.path]
    monkeypatch.setattr(resolve_port, "__kwdefaults__", {"read": lambda: [PortFacts(path, "1e0e:9001", 2) for path in here]})
    link = ModemLink("line", Settings(port="auto", apn="mms.example"), bus=Bus())
    await link.start()
    await link.ready()
    here.clear()
    modem.unplug()
    while link.state.status is not LinkStatus.DOWN:
        await asyncio.sleep(0.01)
    while "no modem is at any USB port" not in link.state.reason:
        await asyncio.sleep(0.01)
    blocker = pty.openpty()  # takes the old number
    modem.replug()
    here.append(modem.path)
    while link.state.status is not LinkStatus.BEARER_UP:
        with contextlib.suppress(LinkError):
            await link.ready()
    await link.stop()
    for descriptor in blocker:
        os.close(descriptor)

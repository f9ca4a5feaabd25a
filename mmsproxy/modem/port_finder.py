"""From what the config calls a port to a port that is open: looked for anew at each opening, so that a modem may come back under
another ttyUSB number.

Rule 1: `ports` decides, `serial_port` and `tcp_port` open; this is the order in which. Rule 2: only the ports of one device that no table
tells apart are probed, and with nothing but AT. Rule 3: whatever fails is a PortError with the cure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from mmsproxy.at.startup import answers
from mmsproxy.errors import LinkError, LinkLost, PortError
from mmsproxy.modem import ports
from mmsproxy.modem.channel import Channel
from mmsproxy.modem.ports import PortFacts
from mmsproxy.modem.serial_port import SerialPort
from mmsproxy.modem.tcp_port import TcpPort, is_tcp

OpenPort = SerialPort | TcpPort
READ = Callable[[], Sequence[PortFacts]]


async def open_port(
    spec: str, baud: int, on_data: Callable[[bytes], None], on_lost: Callable[[LinkLost], None], *, rtscts: bool = False
) -> OpenPort:
    """The open port; its `device` is where it was found. Raises PortError."""
    device = await resolve_port(spec, baud)
    if is_tcp(device):
        return await TcpPort.open(device, on_data, on_lost)
    return await SerialPort.open(device, baud, on_data, on_lost, rtscts=rtscts)


async def resolve_port(spec: str, baud: int = 115200, *, read: READ = ports.read_ports) -> str:
    """The path or address that the spec means now. Raises PortError when there is none, when several devices may be meant, and when none
    of a device's ports answers AT at `baud`."""
    if ports.is_settled(spec):
        return spec
    found = ports.select(spec, await asyncio.get_running_loop().run_in_executor(None, read))
    if len(found) == 1:
        return found[0].device
    return await _answering([facts.device for facts in found], baud)


async def _answering(devices: Sequence[str], baud: int) -> str:
    faults = []
    for device in devices:
        try:
            if await _answers(device, baud):
                return device
        except LinkError as error:
            faults.append(error.detail)
    detail = f"none of {', '.join(devices)} answers AT" + (f" ({'; '.join(faults)})" if faults else "")
    raise PortError(detail, cure="wait until the modem has started, or name its port as modem.port")


async def _answers(device: str, baud: int) -> bool:
    channel = Channel(baud, heard=lambda urc: None, told=lambda text: None, broke=lambda: None)
    port = await SerialPort.open(device, baud, channel.received, channel.break_)
    try:
        channel.attach(port)
        return await channel.run(answers())
    finally:
        await port.close()

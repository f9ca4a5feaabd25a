"""Which ports there are, what each is for, and which one `auto` or `usb:1e0e:9001` means.

Rule 1: decisions are pure, over a list of port facts; `read_ports` is the only place that looks at the system. Rule 2: a device that is
known by its USB id is opened by the table and at no other port: diagnostics, GPS and audio ports are never written to. Rule 3: where
more than one device may be meant nobody guesses: the error names them and what to write in the config.

A port is written in four ways: a path, best of /dev/serial/by-id; `auto`; `usb:VID:PID[:INTERFACE][@SERIAL]`, all but the serial number
in hex as the table has them; `socket://HOST:PORT` for a raw TCP port (`modem.tcp_port`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from mmsproxy.errors import PortError
from mmsproxy.modem.serial_port import BRIDGES

AUTO = "auto"
BY_ID = Path("/dev/serial/by-id")
LIST = "`mmsproxy ports` lists what is there"
ALL = tuple(range(256))
_USB = re.compile(r"usb:(?P<usb>[0-9a-f]{4}:[0-9a-f]{4})(?::(?P<interface>[0-9a-f]{1,2}))?(?:@(?P<serial>.+))?", re.IGNORECASE)
_INTERFACE = re.compile(r":\d+\.(\d+)$")  # the kernel's name of a USB interface: bus-port:configuration.interface, decimal


class Role(Enum):
    """What a port is for."""

    AT = "AT"
    AT_SECOND = "AT, second"
    PROBE = "to be probed"  # a USB device whose AT port no table knows
    BRIDGE = "serial bridge"  # from USB to a UART: anything may be behind it
    OTHER = "not AT"  # of a known modem, but none of its AT ports
    NEVER = "never open"  # diagnostics, GPS, audio
    UART = "built-in"


@dataclass(frozen=True, slots=True)
class UsbModem:
    """A row of the table: USB ids, and interface numbers. `primary` None: nobody has written down which, so it is probed."""

    ids: tuple[str, ...]
    name: str
    primary: int | None
    secondary: tuple[int, ...] = ()
    never: tuple[int, ...] = ()


#: ModemManager's rules as facts (2026-07; modems.md 5.7). Interface numbers in hex as udev shows them.
USB_MODEMS: tuple[UsbModem, ...] = (
    UsbModem(("1e0e:9001",), "SIM7000, SIM7100, SIM7500, SIM7600", 0x02, (0x03,), (0x00, 0x01, 0x04)),
    UsbModem(("1e0e:9205",), "SIM7070, SIM7080, SIM7090", 0x02, (), (0x00, 0x01)),
    UsbModem(("1e0e:9206",), "SIM7070, SIM7080, SIM7090", 0x02, (), (0x00, 0x01, 0x03, 0x04)),
    UsbModem(("1e0e:9011",), "A7600E-H, A7602E-H", 0x04, (), (0x02,)),
    UsbModem(("1e0e:9100", "1e0e:9200"), "SIMCom 3G", 0x03, (0x01,)),
    UsbModem(
        ("2c7c:0121", "2c7c:0125", "2c7c:0191", "2c7c:0195", "2c7c:0296", "2c7c:0306", "2c7c:0512"),
        "Quectel EC21, EC25, EG25, EG91, EG95, BG96, EG06, EG12",
        0x02,
        (0x03,),
        (0x00, 0x01),
    ),
    UsbModem(("2c7c:0800", "2c7c:0801"), "Quectel RM500, RM520", 0x02, (0x03,), (0x00, 0x01)),
    UsbModem(("2c7c:0128",), "Quectel EM060K", 0x05, (), (0x03, 0x04)),
    UsbModem(("1bc7:1031", "1bc7:1033"), "Telit LE910C1-EUX", 0x01, (0x02,), (0x00,)),
    UsbModem(("1bc7:1101", "1bc7:110a"), "Telit ME910C1, MEx10G1", 0x01, (0x02,)),
    UsbModem(("1bc7:1201",), "Telit LE910C1", 0x04, (0x05,), (0x03,)),
    UsbModem(("1bc7:1204",), "Telit LE910C1", 0x05, (0x06,), (0x04,)),
    UsbModem(("1bc7:1040",), "Telit LE922, LM940, LM960", 0x04, (0x05,), (0x00, 0x03, 0x06)),
    UsbModem(("1bc7:1041",), "Telit LE922, LM940, LM960", 0x05, (0x06,), (0x00, 0x04, 0x07)),
    UsbModem(("1bc7:1003", "1bc7:1006"), "Telit UC864", 0x00, (0x02,)),
    UsbModem(("1bc7:1004",), "Telit UC864-G", 0x00, (0x03,), (0x02,)),
    UsbModem(("1bc7:7010", "1bc7:7011"), "Telit LE910S1", 0x04, (0x03,)),
    UsbModem(("1546:1102",), "u-blox LISA-U2, SARA-U2", 0x00, (0x02, 0x04), (0x06, 0x08, 0x0A, 0x0C)),
    UsbModem(("1546:1104",), "u-blox LISA-U2, SARA-U2", 0x00, (), (0x02, 0x04, 0x06)),
    UsbModem(("1546:1107", "1546:110a"), "u-blox TOBY-R2, LARA-R2", 0x00, (0x02, 0x04), (0x06, 0x08, 0x0A)),
    UsbModem(("1546:1010",), "u-blox TOBY-L4", 0x06, (), (0x02, 0x04, 0x08)),
    UsbModem(("1546:1141", "1546:1143", "1546:1146"), "u-blox TOBY-L200", None),
    UsbModem(("05c6:908b",), "u-blox LARA-R6", 0x01, (0x02,), (0x00, 0x03)),
    UsbModem(("1546:01a5", "1546:01a6", "1546:01a7", "1546:01a8", "1546:01a9"), "u-blox GNSS receiver", None, (), ALL),
)
_BY_USB: dict[str, UsbModem] = {usb: modem for modem in USB_MODEMS for usb in modem.ids}


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What the system says of one port.

    device     path; changes when the modem is plugged in again
    usb        VID:PID in lower-case hex; empty for a port that is not behind USB
    interface  number of the USB interface, where the device has several
    serial     the USB device's serial number
    place      the USB device's place on its bus: ports of one device share it
    by_id      a path under /dev/serial/by-id that stays the same
    """

    device: str
    usb: str = ""
    interface: int | None = None
    serial: str = ""
    place: str = ""
    description: str = ""
    by_id: str = ""

    @property
    def best_path(self) -> str:
        """What belongs into the config."""
        return self.by_id or self.device


def modem_of(facts: PortFacts) -> UsbModem | None:
    """The table's row for the port's device."""
    return _BY_USB.get(facts.usb)


def role_of(facts: PortFacts) -> Role:
    modem = modem_of(facts)
    if not facts.usb:
        return Role.UART
    if facts.usb in BRIDGES:
        return Role.BRIDGE
    if modem is None:
        return Role.PROBE
    if facts.interface == modem.primary and facts.interface is not None:
        return Role.AT
    if facts.interface in modem.secondary:
        return Role.AT_SECOND
    if modem.never == ALL or facts.interface in modem.never:
        return Role.NEVER
    return Role.PROBE if modem.primary is None else Role.OTHER


def is_settled(spec: str) -> bool:
    """Whether the spec is an address by itself, and nothing has to be looked for."""
    return spec != AUTO and not spec.lower().startswith("usb:")


def select(spec: str, ports: Sequence[PortFacts]) -> tuple[PortFacts, ...]:
    """The ports that `auto` or a `usb:` spec means, in the order of trying: one, or those of one device that only a probe can tell apart.
    Raises PortError when there is none, or when several devices may be meant."""
    if spec == AUTO:
        return _automatic(ports)
    match = _USB.fullmatch(spec)
    if match is None:
        raise PortError(f"{spec} is no port", cure="write usb:VID:PID, usb:VID:PID:INTERFACE or usb:VID:PID:INTERFACE@SERIAL, in hex")
    here = [facts for facts in ports if facts.usb == match["usb"].lower() and match["serial"] in (None, facts.serial)]
    if match["interface"] is not None:
        number = int(match["interface"], 16)
        found = [facts for facts in here if facts.interface == number or (facts.interface is None and number == 0)]
    else:
        found = _of_best_role(here)
    if not found:
        raise PortError(f"no port is {spec}", cure=f"plug the modem in; {LIST}")
    return _of_one_device(found)


def _automatic(ports: Sequence[PortFacts]) -> tuple[PortFacts, ...]:
    """A modem of the table, else an unknown USB device, else a bridge. A board's own UARTs have to be named."""
    found = _of_best_role(ports)
    if found and role_of(found[0]) is Role.AT:
        return _of_one_device(found)
    for facts in ports:
        modem = modem_of(facts)
        if modem is not None and modem.primary is not None:  # its AT port comes last when it is plugged in: nothing else is meant
            raise PortError(f"the AT port of {modem.name} ({facts.usb}) is not there yet", cure="it is looked for again by itself")
    if not found:
        raise PortError("no modem is at any USB port", cure=f"plug it in, or name its port as modem.port; {LIST}")
    return _of_one_device(found)


def _of_best_role(ports: Sequence[PortFacts]) -> list[PortFacts]:
    for role in (Role.AT, Role.PROBE, Role.BRIDGE):
        found = [facts for facts in ports if role_of(facts) is role]
        if found:
            return found
    return []


def _of_one_device(found: Sequence[PortFacts]) -> tuple[PortFacts, ...]:
    if len({(facts.usb, facts.serial, facts.place) for facts in found}) > 1:
        names = ", ".join(facts.best_path for facts in found)
        raise PortError(f"more than one modem may be meant: {names}", cure="name one of them as modem.port")
    return tuple(found)


# -- the system -----------------------------------------------------------------------------------------------------------------


def read_ports() -> tuple[PortFacts, ...]:
    """What the system knows of its serial ports, now; opens none of them."""
    links = _links(BY_ID)
    return tuple(_facts(info, links) for info in sorted(list_ports.comports()))


def _links(folder: Path) -> dict[str, str]:
    """Device -> its first link in the folder."""
    with contextlib.suppress(OSError):
        return {str(link.resolve()): str(link) for link in sorted(folder.iterdir(), reverse=True)}
    return {}


def _facts(info: Any, links: Mapping[str, str]) -> PortFacts:
    location = info.location or ""
    return PortFacts(
        device=info.device,
        usb=f"{info.vid:04x}:{info.pid:04x}" if info.vid is not None else "",
        interface=_interface(location, getattr(info, "usb_interface_path", None)),
        serial=info.serial_number or "",
        place=location.partition(":")[0],
        description=info.description if info.description not in (None, "n/a") else "",
        by_id=links.get(info.device, ""),
    )


def _interface(location: str, folder: str | None) -> int | None:
    match = _INTERFACE.search(location)
    if match is not None:
        return int(match[1])
    if folder is not None:
        with contextlib.suppress(OSError, ValueError):
            return int((Path(folder) / "bInterfaceNumber").read_text(), 16)
    return None

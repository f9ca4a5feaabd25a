"""The table of ports and what `auto` and `usb:` mean, over made-up facts; the one look at the system over a made-up system."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmsproxy.errors import PortError
from mmsproxy.modem import ports
from mmsproxy.modem.ports import ALL, USB_MODEMS, PortFacts, Role, modem_of, role_of, select


def device(usb: str, interfaces: range | tuple[int, ...], *, place: str = "1-1", serial: str = "", first: int = 0) -> list[PortFacts]:
    return [
        PortFacts(f"/dev/ttyUSB{first + index}", usb, interface, serial, place, by_id=f"/dev/serial/by-id/{usb}-{place}-if{interface:02x}")
        for index, interface in enumerate(interfaces)
    ]


SIM7600 = device("1e0e:9001", range(5))
EC25 = device("2c7c:0125", range(4), place="1-2", first=5)
GNSS = PortFacts("/dev/ttyACM0", "1546:01a8", place="1-3")
BRIDGE = PortFacts("/dev/ttyUSB9", "10c4:ea60", place="1-4")
UART = PortFacts("/dev/ttyS0")
UNKNOWN = device("12d1:15c1", range(3), place="1-5", first=20)


def test_every_row_of_the_table_is_consistent() -> None:
    seen: set[str] = set()
    for modem in USB_MODEMS:
        for usb in modem.ids:
            assert re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", usb)
            assert usb not in seen
            seen.add(usb)
        at = {modem.primary, *modem.secondary} - {None}
        assert not at & set(modem.never), modem
        assert modem.primary not in modem.secondary
    assert not seen & ports.BRIDGES
    assert len(seen) == 43


@pytest.mark.parametrize(
    ("usb", "primary", "secondary", "never"),
    [
        ("1e0e:9001", 2, 3, 0),
        ("1e0e:9206", 2, None, 4),
        ("1e0e:9011", 4, None, 2),
        ("1e0e:9100", 3, 1, None),
        ("2c7c:0306", 2, 3, 1),
        ("2c7c:0128", 5, None, 3),
        ("1bc7:1201", 4, 5, 3),
        ("1bc7:1204", 5, 6, 4),
        ("1bc7:1040", 4, 5, 6),
        ("1bc7:1041", 5, 6, 7),
        ("1bc7:1004", 0, 3, 2),
        ("1546:1102", 0, 4, 0x0C),
        ("05c6:908b", 1, 2, 3),
    ],
)
def test_roles_by_interface(usb: str, primary: int, secondary: int | None, never: int | None) -> None:
    def role(interface: int | None) -> Role:
        return role_of(PortFacts("/dev/ttyUSB0", usb, interface))

    assert role(primary) is Role.AT
    if secondary is not None:
        assert role(secondary) is Role.AT_SECOND
    if never is not None:
        assert role(never) is Role.NEVER
    assert role(0x1F) is Role.OTHER


def test_roles_of_what_is_no_listed_modem() -> None:
    assert [role_of(facts) for facts in (UART, BRIDGE, UNKNOWN[0], GNSS)] == [Role.UART, Role.BRIDGE, Role.PROBE, Role.NEVER]
    assert role_of(PortFacts("/dev/ttyACM0", "1546:1141", 2)) is Role.PROBE
    modem = modem_of(GNSS)
    assert modem is not None
    assert modem.never == ALL


def test_auto_takes_the_listed_at_port_and_nothing_else() -> None:
    everything = [UART, GNSS, BRIDGE, *UNKNOWN, *SIM7600]
    assert select("auto", everything) == (SIM7600[2],)
    assert select("auto", list(reversed(everything))) == (SIM7600[2],)


def test_auto_follows_the_modem_to_another_number() -> None:
    moved = [replace(facts, device=f"/dev/ttyUSB{7 + index}") for index, facts in enumerate(SIM7600)]
    (found,) = select("auto", moved)
    assert found.device == "/dev/ttyUSB9"


def test_auto_asks_where_two_modems_may_be_meant() -> None:
    with pytest.raises(PortError) as caught:
        select("auto", [*SIM7600, *EC25])
    assert SIM7600[2].by_id in str(caught.value)
    assert EC25[2].by_id in str(caught.value)
    assert "modem.port" in caught.value.cure


def test_auto_does_not_confuse_two_modems_of_one_kind() -> None:
    with pytest.raises(PortError, match="more than one"):
        select("auto", [*SIM7600, *device("1e0e:9001", range(5), place="1-9", first=5)])


def test_auto_waits_for_the_at_port_of_a_modem_that_is_just_appearing() -> None:
    with pytest.raises(PortError, match="not there yet"):
        select("auto", [*SIM7600[:2], BRIDGE])


def test_auto_probes_an_unknown_device_and_prefers_it_to_a_bridge() -> None:
    assert select("auto", [BRIDGE, *UNKNOWN]) == tuple(UNKNOWN)


def test_auto_takes_the_only_bridge() -> None:
    assert select("auto", [UART, GNSS, BRIDGE]) == (BRIDGE,)
    with pytest.raises(PortError, match="more than one"):
        select("auto", [BRIDGE, replace(BRIDGE, device="/dev/ttyUSB10", place="1-7")])


@pytest.mark.parametrize("found", [[], [UART], [GNSS], [UART, GNSS]])
def test_auto_never_opens_a_built_in_port_or_a_receiver(found: list[PortFacts]) -> None:
    with pytest.raises(PortError) as caught:
        select("auto", found)
    assert "mmsproxy ports" in caught.value.cure


def test_usb_by_ids_takes_the_at_port() -> None:
    assert select("usb:1e0e:9001", [*SIM7600, *EC25]) == (SIM7600[2],)
    assert select("usb:1E0E:9001", [*SIM7600, *EC25]) == (SIM7600[2],)
    assert select("usb:12d1:15c1", [*UNKNOWN, *EC25]) == tuple(UNKNOWN)


def test_usb_by_interface_and_serial_number() -> None:
    two = [*device("1bc7:1031", range(7), serial="A1"), *device("1bc7:1031", range(7), serial="B@2", place="1-2", first=7)]
    assert select("usb:1bc7:1031:2@A1", two) == (two[2],)
    assert select("usb:1bc7:1031@B@2", two) == (two[8],)
    with pytest.raises(PortError, match="more than one"):
        select("usb:1bc7:1031:02", two)
    with pytest.raises(PortError, match="no port is"):
        select("usb:1bc7:1031@C3", two)


def test_usb_interfaces_are_hex_and_a_lone_port_is_number_zero() -> None:
    many = device("1546:1107", (0, 2, 10))
    assert select("usb:1546:1107:0a", many) == (many[2],)
    assert select("usb:10c4:ea60:00", [BRIDGE]) == (BRIDGE,)


@pytest.mark.parametrize("spec", ["usb:", "usb:1e0e", "usb:1e0e:900", "usb:1e0e:9001:", "usb:1e0e:9001:123", "usb:xyzw:9001"])
def test_what_is_no_usb_spec_names_the_form(spec: str) -> None:
    with pytest.raises(PortError, match="usb:VID:PID"):
        select(spec, SIM7600)


def test_a_path_is_settled() -> None:
    assert [ports.is_settled(spec) for spec in ("/dev/ttyUSB2", "COM3", "socket://h:1", "auto", "usb:1:2")] == [True] * 3 + [False] * 2


class Info(SimpleNamespace):
    """What the serial library tells of a port."""

    def __init__(self, device: str, **values: object) -> None:
        unknown = dict.fromkeys(("vid", "pid", "serial_number", "location", "usb_interface_path"))
        super().__init__(device=device, **{**unknown, "description": "n/a", **values})

    def __lt__(self, other: Info) -> bool:
        return bool(self.device < other.device)


def test_what_the_system_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ttyUSB2", "ttyUSB3", "ttyACM0"):
        (tmp_path / name).touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-SimTech-if02-port0").symlink_to("../ttyUSB2")
    (tmp_path / "interface").mkdir()
    (tmp_path / "interface" / "bInterfaceNumber").write_text("0a\n")
    made = [
        Info(str(tmp_path / "ttyUSB3"), vid=0x1E0E, pid=0x9001, location="1-1.4:1.10"),
        Info(str(tmp_path / "ttyUSB2"), vid=0x1E0E, pid=0x9001, serial_number="0123", location="1-1.4:1.2", description="SIM7600"),
        Info(str(tmp_path / "ttyACM0"), vid=0x1546, pid=0x1A8, location="1-2", usb_interface_path=str(tmp_path / "interface")),
        Info("/dev/ttyS0"),
    ]
    monkeypatch.setattr(ports.list_ports, "comports", lambda: made)
    monkeypatch.setattr(ports, "BY_ID", by_id)
    found = {facts.device.rpartition("/")[2]: facts for facts in ports.read_ports()}
    link = str(by_id / "usb-SimTech-if02-port0")
    assert found["ttyUSB2"] == PortFacts(str(tmp_path / "ttyUSB2"), "1e0e:9001", 2, "0123", "1-1.4", "SIM7600", link)
    assert found["ttyUSB2"].best_path == link
    assert (found["ttyUSB3"].interface, found["ttyUSB3"].place) == (10, "1-1.4")
    assert (found["ttyACM0"].interface, found["ttyACM0"].usb, found["ttyACM0"].description) == (10, "1546:01a8", "")
    assert found["ttyS0"] == PortFacts("/dev/ttyS0")


def test_a_system_without_stable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports.list_ports, "comports", lambda: [Info("/dev/ttyUSB0", vid=1, pid=2, usb_interface_path=str(tmp_path))])
    monkeypatch.setattr(ports, "BY_ID", tmp_path / "missing")
    assert ports.read_ports() == (PortFacts("/dev/ttyUSB0", "0001:0002"),)

"""`mmsproxy ports`: the table and the JSON over made-up facts; the command as a process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mmsproxy.cli import ports as command
from mmsproxy.cli.ports import as_mapping, automatic, table
from mmsproxy.modem.port_lock import Holder
from mmsproxy.modem.ports import PortFacts

MODEM = [
    PortFacts(f"/dev/ttyUSB{n}", "1e0e:9001", n, "0123", "1-1", "SimTech", f"/dev/serial/by-id/usb-SimTech-if{n:02}-port0")
    for n in range(4)
]
UART = PortFacts("/dev/ttyS0")
UNKNOWN = [PortFacts(f"/dev/ttyUSB{n}", "12d1:15c1", n, place="1-2") for n in (7, 8)]


def test_the_table_names_role_path_and_holder() -> None:
    lines = table([UART, *MODEM], {"/dev/ttyUSB2": Holder(812, "ModemManager")})
    assert lines[0].split("  ")[0] == "PORT"
    text = "\n".join(lines)
    assert [word in text for word in ("1e0e:9001", "AT, second", "never open", "built-in", "SIM7600", "if02-port0")] == [True] * 6
    (held,) = [line for line in lines if "ModemManager (pid 812)" in line]
    assert held.startswith("/dev/ttyUSB2  1e0e:9001  02  AT ")
    assert lines[-1] == "port: auto is /dev/serial/by-id/usb-SimTech-if02-port0"


def test_what_auto_does() -> None:
    assert "asks /dev/ttyUSB7, /dev/ttyUSB8" in automatic(UNKNOWN)
    assert "finds none: no modem" in automatic([UART])
    assert "more than one" in automatic([*MODEM, PortFacts("/dev/ttyUSB9", "2c7c:0125", 2, place="1-3")])


def test_for_machines() -> None:
    made = json.loads(json.dumps(as_mapping([UART, MODEM[2]], {"/dev/ttyUSB2": Holder(812)})))
    assert made["auto"] == ["/dev/ttyUSB2"]
    assert made["auto_error"] is None
    assert made["ports"][0] == {
        "device": "/dev/ttyS0",
        "by_id": None,
        "usb": None,
        "interface": None,
        "serial": None,
        "role": "built-in",
        "modem": None,
        "description": None,
        "holder": None,
    }
    assert made["ports"][1]["holder"] == {"pid": 812, "name": None}
    assert (made["ports"][1]["role"], made["ports"][1]["interface"], made["ports"][1]["serial"]) == ("AT", 2, "0123")
    assert as_mapping([], {})["auto_error"].startswith("no modem")


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "read_ports", lambda: tuple(MODEM))
    command.ports()
    assert "port: auto is" in capsys.readouterr().out
    command.ports(as_json=True)
    assert len(json.loads(capsys.readouterr().out)["ports"]) == 4


def test_no_port_at_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "read_ports", tuple)
    with pytest.raises(SystemExit) as caught:
        command.ports(as_json=True)
    out, err = capsys.readouterr()
    assert caught.value.code == 1
    assert json.loads(out)["ports"] == []
    assert "plug the modem in" in err


def test_as_a_process() -> None:
    done = subprocess.run([sys.executable, "-m", "mmsproxy", "ports", "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1)
    assert isinstance(json.loads(done.stdout)["ports"], list)
    assert "Traceback" not in done.stderr

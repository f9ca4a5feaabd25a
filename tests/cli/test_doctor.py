"""`mmsproxy doctor` as a process, and how a line of the config becomes what is examined."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmsproxy import config
from mmsproxy.at.dialect import Profile
from mmsproxy.cli.doctor import Options, _with_lines, doctor, far_end, subject_of
from mmsproxy.cli.doctor_checks import CHECKS
from mmsproxy.errors import ConfigError

SIMULATED = """\
lines: [{name: demo, number: "+15550100000"}]
simulator: {dialect: quectel, line_rate: 0, rtt: 0, activation: 0}
"""
TWO = """\
lines:
  - {name: a, number: "+12025550117", modem: {port: /dev/ttyMISSING, baud: 9600, pin: "4711"},
     carrier: {apn: x, user: u, password: secret, pdp_type: IPV6, mmsc: "http://mmsc.a:8002/m", proxy: "010.000.000.001:8080"}}
  - {name: b, modem: {port: /dev/ttyMISSINGTOO}, carrier: {apn: x, mmsc: "http://mmsc.b/m"}}
"""


def run(folder: Path, *arguments: str, text: str = SIMULATED) -> subprocess.CompletedProcess[str]:
    (folder / "config.yaml").write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMSPROXY_")}
    command = [sys.executable, "-m", "mmsproxy", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False)


@pytest.fixture
def two(tmp_path: Path) -> config.Settings:
    (tmp_path / "two.yaml").write_text(TWO)
    return config.load(tmp_path / "two.yaml")


def test_the_simulated_line_is_well(tmp_path: Path) -> None:
    done = run(tmp_path, "--connect", "--trace", str(tmp_path / "trace.at"))
    assert done.returncode == 0, done.stdout
    first, *lines, last = done.stdout.splitlines()
    assert "SIMULATED" in first
    assert [re.split(r"\s{2,}", line)[1] for line in lines] == [check.name for check in CHECKS]
    assert last == f"{len(CHECKS)} well"
    trace = (tmp_path / "trace.at").read_text()
    assert "> AT+QIACT=1" in trace
    assert "310260000000017" not in trace


def test_for_machines(tmp_path: Path) -> None:
    done = run(tmp_path, "--json", "--no-bearer")
    assert done.returncode == 0
    made = json.loads(done.stdout)
    (line,) = made["lines"]
    assert (made["ok"], line["ok"], line["line"]) == (True, True, "demo")
    checks = {check["name"]: check for check in line["checks"]}
    assert checks["dialect"]["facts"]["dialect"] == "quectel"
    assert checks["bearer"]["level"] == "skip"
    assert "+15550100000" not in done.stdout


def test_what_fails_is_said_for_each_line(tmp_path: Path) -> None:
    done = run(tmp_path, text=TWO)
    assert done.returncode == 1
    assert re.findall(r"^fail  port +there is no port (\S+); plug the modem in", done.stdout, re.MULTILINE) == [
        "/dev/ttyMISSING",
        "/dev/ttyMISSINGTOO",
    ]
    assert "check.\n" in done.stdout


def test_a_failure_for_machines(
    two: config.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        doctor(config_file=Path("two.yaml"), line="b", as_json=True)
    assert caught.value.code == 1
    (line,) = json.loads(capsys.readouterr().out)["lines"]
    assert (line["line"], line["ok"]) == ("b", False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"line": "c"}, "there are a, b"),
        ({"port": "/dev/ttyUSB0"}, "--line"),
        ({"line": "b", "enter_pin": True}, "modem.pin"),
        ({"config_file": Path("missing.yaml")}, "missing.yaml"),
        ({"trace": Path("two.yaml/trace.at")}, "--trace"),
    ],
)
def test_usage(two: config.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        doctor(**{"config_file": Path("two.yaml"), **options})


def test_usage_is_exit_code_2(tmp_path: Path) -> None:
    done = run(tmp_path, "--line", "c")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there are demo" in done.stderr


def test_an_interrupt_ends_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SIMULATED.replace("activation: 0", "activation: 100"))
    process = subprocess.Popen(
        [sys.executable, "-m", "mmsproxy", "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    while "signal" not in (line := process.stdout.readline()):
        assert line, "ended by itself"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_what_is_examined(two: config.Settings) -> None:
    subject = subject_of(two.lines[0], "/dev/ttyMISSING", Options(connect=True, wait=5, enter_pin=True))
    assert (subject.port, subject.baud, subject.pin, subject.number) == ("/dev/ttyMISSING", 9600, "4711", "+12025550117")
    assert subject.profile == Profile("x", "IPV6", "u", "secret")
    assert subject.far_end == ("10.0.0.1", 8080)
    assert (subject.connect, subject.wait, subject.bearer, subject.enter_pin) == (True, 5, True, True)
    assert "4711" not in repr(subject)
    assert subject_of(two.lines[1], "p", Options()).far_end == ("mmsc.b", 80)


def test_a_port_without_a_configuration_has_no_carrier() -> None:
    (line,) = config.load(None).lines
    assert subject_of(line, "/dev/ttyUSB2", Options(port="/dev/ttyUSB2")).profile is None
    assert subject_of(line, "/dev/pts/1", Options()).profile is not None


def test_whom_tcp_connects_to() -> None:
    assert far_end("https://mmsc.example/m", None) == ("mmsc.example", 443)
    assert far_end("http://mmsc.example:8002/m", None) == ("mmsc.example", 8002)
    assert far_end("http://mmsc.example/m", "proxy.example") == ("proxy.example", 80)


def test_lines_are_chosen_by_name(two: config.Settings) -> None:
    assert [line.name for line in _with_lines(two, "b", "/dev/ttyUSB0").lines] == ["b"]
    assert len(_with_lines(two, None, None).lines) == 2
    with pytest.raises(ConfigError, match="--line c"):
        _with_lines(two, "c", None)


def test_every_check_and_option_is_documented(root: Path) -> None:
    page = (root / "docs" / "doctor.md").read_text()
    for check in CHECKS:
        assert f"| {check.name} |" in page, check.name
    for option in ("--config", "--line", "--port", "--json", "--trace", "--enter-pin", "--no-bearer", "--connect", "--wait", "--unmasked"):
        assert f"`{option}" in page, option

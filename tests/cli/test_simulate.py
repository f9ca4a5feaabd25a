"""`mmsproxy simulate` as a process: a modem that any program can open, a carrier that any client can post to."""

from __future__ import annotations

import http.client
import inspect
import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mmsproxy.cli.simulate import modem
from mmsproxy.simulator.mmsc import ANSWERS
from mmsproxy.simulator.script import _RULES

DIALECTS = {"sim800": "SIM800", "sim7600": "SIM7600", "sim7080": "SIM7080", "quectel": "EC25", "ublox": "SARA", "telit": "LE910"}


@contextmanager
def simulate(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mmsproxy", "simulate", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def ask(fd: int, command: str) -> str:
    os.write(fd, command.encode() + b"\r")
    got = b""
    while not re.search(rb"\r\n(OK|ERROR)\r\n", got) and select.select([fd], [], [], 5.0)[0]:
        got += os.read(fd, 4096)
    return got.decode("latin-1")


def opened(stack: ExitStack, path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    stack.callback(os.close, fd)
    tty.setraw(fd, termios.TCSANOW)
    return fd


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_modem_of_each_dialect_answers_any_program(tmp_path: Path, dialect: str) -> None:
    link = tmp_path / "ttySIM"
    arguments = ("--dialect", dialect, "--link", str(link), "--host", "mmsc.example=127.0.0.1:9", "--line-rate", "0")
    with ExitStack() as stack:
        process, line = stack.enter_context(simulate("modem", *arguments))
        assert str(link) in line
        assert DIALECTS[dialect] in ask(opened(stack, link), "AT+CGMM")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not link.is_symlink()


def test_faults_from_a_file_and_over_the_control_socket(tmp_path: Path) -> None:
    link, control, faults = tmp_path / "ttySIM", tmp_path / "control", tmp_path / "faults"
    faults.write_text("command +CGMM refuse\n")
    arguments = ("--dialect", "sim800", "--link", str(link), "--host", "m=127.0.0.1:9", "--line-rate", "0")
    with ExitStack() as stack:
        stack.enter_context(simulate("modem", *arguments, "--faults", str(faults), "--control", str(control)))
        fd = opened(stack, link)
        assert "ERROR" in ask(fd, "AT+CGMM")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(control))
            client.sendall(b"command +CGMI refuse\n")
            assert client.recv(100) == b"ok\n"
        assert "ERROR" in ask(fd, "AT+CGMI")
        assert "OK" in ask(fd, "AT+CGMI")


def test_the_carrier_answers_and_keeps(tmp_path: Path, root: Path) -> None:
    pdu = (root / "docs" / "examples" / "hello.mms").read_bytes()
    with simulate("mmsc", "--listen", "127.0.0.1:0", "--store", str(tmp_path / "kept")) as (_, line):
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
        connection.request("POST", "/mms", pdu, {"Content-Type": "application/vnd.wap.mms-message"})
        assert connection.getresponse().read().startswith(b"\x8c\x81\x98hello-1\x00")
        connection.close()
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.read_bytes() == pdu


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("modem", "--dialect", "sim800", "--link", "x", "--host", "m"), "NAME=ADDRESS:PORT"),
        (("modem", "--dialect", "sim800", "--link", "x", "--host", "m=10.0.0.1:80"), "loopback"),
        (("modem", "--dialect", "nokia", "--link", "x", "--host", "m=127.0.0.1:80"), "sim7600"),
        (("mmsc", "--listen", "0.0.0.0:0"), "this machine only"),
        (("mmsc", "--listen", "8080"), "HOST:PORT"),
        (("mmsc", "--listen", "127.0.0.1:0", "--answer", "maybe"), "html"),
    ],
)
def test_a_wrong_option_names_the_cure(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    command = [sys.executable, "-m", "mmsproxy", "simulate", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_two_carriers_on_one_port(tmp_path: Path) -> None:
    with simulate("mmsc", "--listen", "127.0.0.1:0") as (_, line):
        port = re.search(r":(\d+)/", line)
        assert port is not None
        command = [sys.executable, "-m", "mmsproxy", "simulate", "mmsc", "--listen", f"127.0.0.1:{port[1]}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "--listen" in done.stderr


def test_every_flag_dialect_answer_and_fault_is_documented(root: Path) -> None:
    page = (root / "docs" / "simulator.md").read_text()
    flags = [f"--{name.replace('_', '-')}" for name in inspect.signature(modem).parameters]
    faults = [f"`{occasion} " for occasion in _RULES]
    for word in [*flags, *(f"`{name}`" for name in (*DIALECTS, *ANSWERS)), *faults]:
        assert word in page, word

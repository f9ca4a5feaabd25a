"""`mmsproxy simulate`: as processes, since that is how foreign drivers meet it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from mmsproxy.cli.simulate import hosts, loopback
from mmsproxy.errors import ConfigError


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its one line."""
    command = [sys.executable, "-m", "mmsproxy", "simulate", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_modem_until_it_is_told_to_end(tmp_path: Path, dialect: str, number: signal.Signals) -> None:
    link = tmp_path / "ttyModem"
    flags = ["--host", "a=127.0.0.1:1", "--host", "b:80=127.0.0.1:2", "--line-rate", "460800", "--rtt", "0.01", "--activation", "0"]
    with running("modem", "--dialect", dialect, "--link", str(link), *flags, "--prompt-delay", "0.005", "--accept-delay", "0.01") as run:
        process, line = run
        assert line == f"simulated {dialect} on {link}; end it with Ctrl-C\n"
        with serial.Serial(str(link), 115200, timeout=5) as port:
            port.write(b"AT\r")
            assert port.read_until(b"OK\r\n") == b"AT\r\r\nOK\r\n"
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not link.is_symlink()


def test_a_carrier_that_stores(tmp_path: Path) -> None:
    pdu = bytes.fromhex("8c80985431008d9289018197") + b"+1/TYPE=PLMN\0" + bytes.fromhex("84a300")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running("mmsc", "--listen", f"127.0.0.1:{port}", "--answer", "ok", "--store", str(tmp_path / "box")) as (process, line):
        assert line == f"simulated MMSC on http://127.0.0.1:{port}/; end it with Ctrl-C\n"
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(pdu) + pdu)
            answer = b""
            while part := client.recv(4096):
                answer += part
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"\x8c\x81\x98T1\0" in answer
    assert [path.read_bytes() for path in (tmp_path / "box").iterdir()] == [pdu]


def test_a_port_in_use_and_a_path_in_use_are_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with running("mmsc", "--listen", f"127.0.0.1:{taken.getsockname()[1]}") as (process, _):
            assert process.wait(10) == 1
            assert process.stderr is not None
            assert "cannot listen on" in process.stderr.read()
    taken_path = tmp_path / "file"
    taken_path.write_text("")
    with running("modem", "--dialect", "sim800", "--link", str(taken_path), "--host", "a=127.0.0.1:1") as (process, _):
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert process.stderr.read().startswith(f"mmsproxy: cannot make the symlink {taken_path}")
    assert os.path.isfile(taken_path)


@pytest.mark.parametrize("pair", ["mmsc", "mmsc=192.0.2.1:80", "=127.0.0.1:80"])
def test_a_host_that_cannot_be_is_a_usage_error(tmp_path: Path, pair: str) -> None:
    with running("modem", "--dialect", "sim800", "--link", str(tmp_path / "x"), "--host", pair) as (process, _):
        assert process.wait(10) == 2
        assert process.stderr is not None
        assert "host" in process.stderr.read()


def test_what_the_flags_are_read_as() -> None:
    assert hosts(["a=127.0.0.1:1", "b:80=127.0.0.1:2"]) == {"a": "127.0.0.1:1", "b:80": "127.0.0.1:2"}
    assert tuple(loopback("127.0.0.1:8099")) == ("127.0.0.1", 8099)
    for listen in ("0.0.0.0:8099", "127.0.0.1", "127.0.0.1:x"):
        with pytest.raises(ConfigError, match="--listen"):
            loopback(listen)

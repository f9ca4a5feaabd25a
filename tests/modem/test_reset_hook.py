"""The configured reset command, as a program of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from mmsproxy.modem import reset_hook

PYTHON = sys.executable


def is_gone(pid: Path) -> bool:
    """The process that the file names has ended, or never was: a busy machine may not have come so far."""
    state = Path(f"/proc/{pid.read_text()}/stat") if pid.exists() else pid
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] in "ZX"


async def test_it_learns_line_and_port(tmp_path: Path) -> None:
    script = tmp_path / "reset.py"
    script.write_text("import os, sys; open(sys.argv[1], 'w').write(os.environ['MMSPROXY_LINE'] + ' ' + os.environ['MMSPROXY_PORT'])")
    assert await reset_hook.run(f"{PYTHON} {script} '{tmp_path}/said so'", line="a", port="/dev/ttyUSB2") == ""
    assert (tmp_path / "said so").read_text() == "a /dev/ttyUSB2"


async def test_no_shell_reads_it(tmp_path: Path) -> None:
    script = tmp_path / "echo.py"
    script.write_text("import sys; open(sys.argv[1], 'w').write(sys.argv[2])")
    assert await reset_hook.run(f"{PYTHON} {script} {tmp_path}/out $HOME;ls", line="a", port="p") == ""
    assert (tmp_path / "out").read_text() == "$HOME;ls"


async def test_a_failure_is_told_with_its_complaint(tmp_path: Path) -> None:
    script = tmp_path / "fail.py"
    script.write_text("import sys; sys.stderr.write('no such\\n GPIO'); sys.exit(3)")
    assert await reset_hook.run(f"{PYTHON} {script}", line="a", port="p") == "the reset command failed with status 3: no such GPIO"


@pytest.mark.parametrize("command", ["/no/such/program", "'unfinished", "", "/"])
async def test_a_command_that_cannot_be_run_is_told(command: str) -> None:
    assert (await reset_hook.run(command, line="a", port="p")).startswith("the reset command cannot be run: ")


async def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = tmp_path / "hang.py"
    script.write_text(
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([{PYTHON!r}, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(60)"
    )
    pid = tmp_path / "pid"
    assert await reset_hook.run(f"{PYTHON} {script} {pid}", line="a", port="p", limit=1.0) == "the reset command was not done within 1 s"
    for _ in range(200):  # a killed process needs a moment to go on a busy machine
        if is_gone(pid):
            break
        await asyncio.sleep(0.05)
    assert is_gone(pid)

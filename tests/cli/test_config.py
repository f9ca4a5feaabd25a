"""`mmsproxy config check` as a process: what it prints, how it exits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def check(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mmsproxy", "config", "check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


def test_the_shipped_file_is_good(root: Path) -> None:
    done = check("config.yaml", cwd=root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "config.yaml: good." in done.stdout


def test_every_mistake_on_its_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mm1: {listen: x}\nweb:\n  tokn: 1\n")
    done = check(cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(" - ")[0] for line in done.stderr.splitlines()] == ["config.yaml:1:7 mm1.listen", "config.yaml:3:3 web.tokn"]


def test_warnings_do_not_fail(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("lines: [{name: a, carrier: {headers: {X-MDN: '##LINE1##'}}}]")
    done = check("c.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert "warning: lines.0.number is missing" in done.stderr

"""The entry point as a process: version, help, errors as one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mmsproxy.version import __version__


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "mmsproxy", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, __version__, "")


def test_version_imports_nothing_heavy() -> None:
    code = """
import sys
sys.argv = ["mmsproxy", "--version"]
from mmsproxy.cli.main import main
try:
    main()
except SystemExit:
    pass
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "mmsproxy.cli.main" in loaded
    assert not loaded & {"aiohttp", "pydantic", "construct", "serial", "ruamel.yaml", "structlog"}


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("serve", "send", "decode", "simulate", "config"):
        assert command in done.stdout


def test_an_unknown_command_fails_with_words() -> None:
    done = run("srve")
    assert done.returncode != 0
    assert "srve" in done.stdout + done.stderr


def test_a_wrong_configuration_is_exit_2_without_a_traceback() -> None:
    done = run("serve", "--config", "absent.yaml")
    assert done.returncode == 2
    assert "absent.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_has_not_the_character_is_no_traceback(tmp_path: Path) -> None:
    absent = tmp_path / "gr\u00fcn.yaml"
    command = [sys.executable, "-m", "mmsproxy", "config", "check", str(absent)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "gr\\xfcn.yaml" in done.stderr

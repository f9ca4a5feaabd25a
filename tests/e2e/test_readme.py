"""The commands of the README do what it says: each `sh` block is run against a running gateway (make targets are run by CI itself)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def blocks(root: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (root / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_first_screen_says_what_it_is_and_how_to_start(root: Path) -> None:
    first_screen = "\n".join((root / "README.md").read_text().splitlines()[:30])
    assert "make run" in first_screen
    assert "make test" in first_screen
    assert "──►" in first_screen


def test_every_make_target_that_is_named_exists(root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)`?", (root / "README.md").read_text())) <= targets


@pytest.mark.skipif(shutil.which("curl") is None, reason="not here: curl")
def test_every_command_runs(serve, root: Path, tmp_path: Path) -> None:
    serving = serve("simulator: {line_rate: 0, rtt: 0, activation: 0}")
    commands = [block for block in blocks(root) if "make " not in block]
    assert len(commands) >= 4
    for block in commands:
        here = block.replace("http://127.0.0.1:8090", serving.mm1).replace("http://127.0.0.1:8091", serving.web)
        here = here.replace("data/token", str(serving.folder / "token")).replace("answer.mms", str(tmp_path / "answer.mms"))
        here = here.replace("tools/send.py", f"tools/send.py --gateway {serving.web} --token-file {serving.folder / 'token'}")
        here = here.replace(".venv/bin/mmsproxy", f"{sys.executable} -m mmsproxy")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here], capture_output=True, text=True, cwd=root, env=os.environ, timeout=60, check=False
        )
        assert done.returncode == 0, f"{here}\n{done.stdout}{done.stderr}"
        if "tools/send.py" in here:
            assert "one MMS instead of 6 SMS" in done.stdout
        if "/v1/messages" in here:
            assert '"sent"' in done.stdout
        if "decode" in here:
            assert "m-send-conf" in done.stdout
            assert "ok (128)" in done.stdout.lower()

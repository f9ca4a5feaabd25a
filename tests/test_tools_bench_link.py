"""tools/bench_link.py runs, and explains each of its parts. No figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def run(root: Path, *arguments: str) -> str:
    command = [sys.executable, str(root / "tools" / "bench_link.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout


def test_each_part_is_there_and_explained(root: Path) -> None:
    shown = run(root, "--help")
    parts = ["warm", "cold", "overhead", "crowd", "memory", "start", "goodput", "raised", "transparent", "native", "recovery"]
    assert "{" + ",".join(parts) in shown
    assert all(f"\n{part} " in shown for part in parts)


def test_the_figures_come_as_json(root: Path) -> None:
    rows = json.loads(run(root, "native", "--json"))["rows"]
    assert [(row["name"], row["unit"]) for row in rows] == [("1 MB unpaced, sim7600", "MB/s"), ("1 MB unpaced, sim800", "MB/s")]
    assert all(row["seen"] > 0 for row in rows)


def test_each_of_a_crowd_is_answered(root: Path) -> None:
    (row,) = json.loads(run(root, "crowd", "--json"))["rows"]
    assert row["more"]["answered"] == 50

#!/usr/bin/env python3
"""Fuzzes the codec: `tests/fuzz/run.py --seconds 600 [--target mms] [--engine python]`.

Each target runs in a process of its own, for an equal share of the time: by atheris (libFuzzer with coverage) where it is installed, or
by mutations in plain Python. Prints the executions and findings of each; exit code 1 if there is a finding, with the octets in hex.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGETS = ("mms", "push", "tpdu")
GRACE_SECONDS = 60  # start, instrumentation, and the last input
SHOWN_OCTETS = 2048


@dataclass
class Outcome:
    """What one target did."""

    target: str
    engine: str
    executions: int
    findings: list[bytes]
    log: str
    ended: bool


def run(target: str, seconds: float, engine: str, seed: int) -> Outcome:
    """One target, in its own process, bounded in time."""
    with tempfile.TemporaryDirectory(prefix="mmsproxy-fuzz-") as place:
        command = [sys.executable, str(HERE / "target.py"), target, "--seconds", str(seconds), "--engine", engine, "--seed", str(seed)]
        try:
            done = subprocess.run(
                [*command, "--artifacts", place],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds + GRACE_SECONDS,
                check=False,
            )
            log, ended = done.stdout + done.stderr, done.returncode == 0
        except subprocess.TimeoutExpired as error:
            log, ended = f"it did not end: {error}", False
        findings = [path.read_bytes() for path in sorted(Path(place).glob("finding-*"))]
    return Outcome(target, engine, executions(log), findings, log, ended)


def executions(log: str) -> int:
    """As the engine counts them."""
    found = re.search(r"stat::number_of_executed_units:\s*(\d+)", log)
    if found:
        return int(found[1])
    found = re.search(r'^\{.*"executions".*\}$', log, re.MULTILINE)
    return int(json.loads(found[0])["executions"]) if found else 0


def told(outcome: Outcome) -> str:
    """One line, and what is wrong behind it."""
    good = outcome.ended and not outcome.findings
    words = "no finding" if good else "FINDING"
    lines = [f"{outcome.target:<5} {outcome.engine:<8} {outcome.executions:>9} executions  {words}"]
    if not good:
        lines += outcome.log.splitlines()[-40:]
        lines += [f"octets: {octets[:SHOWN_OCTETS].hex()}" for octets in outcome.findings]
    return "\n".join(lines)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Fuzz the codec.", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of all targets together")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    parser.add_argument("--engine", choices=("atheris", "python"), help="atheris where it is installed, unless named")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    targets = arguments.target or list(TARGETS)
    engine = arguments.engine or ("atheris" if importlib.util.find_spec("atheris") else "python")
    bad = False
    for target in targets:
        outcome = run(target, arguments.seconds / len(targets), engine, arguments.seed)
        print(told(outcome), flush=True)
        bad = bad or not outcome.ended or bool(outcome.findings) or not outcome.executions
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())

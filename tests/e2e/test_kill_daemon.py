"""kill -9 of the real gateway, clients sending all the time: nothing acknowledged is lost, nothing leaves twice, nothing is stuck.

Without MMSPROXY_KILL_ROUNDS, 20 rounds on SQLite (40 to 47 s on two shared cores), 3 on PostgreSQL, where 20 took 42 to 121 s: after some
kills the simulated modems do not answer AT for a while. MMSPROXY_KILL_ROUNDS=N makes N on each engine (the soak has 200). No figure of time
is judged, the limits are hang guards. The loop itself: tools/kill_rounds.py.
"""

from __future__ import annotations

import collections
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

WANTED = os.environ.get("MMSPROXY_KILL_ROUNDS")
ROUNDS = {engine: int(WANTED or usual) for engine, usual in (("sqlite", 20), ("postgresql", 3))}
LIMIT = 100 + 20 * max(ROUNDS.values())  # seconds; a hang guard


@pytest.mark.timeout(LIMIT + 10)
@pytest.mark.parametrize("engine", ROUNDS)
def test_what_was_promised_is_kept(root: Path, engine: str) -> None:
    rounds = ROUNDS[engine]
    seed = int.from_bytes(os.urandom(4), "big") if WANTED else 17
    command = [sys.executable, str(root / "tools" / "kill_rounds.py"), "--engine", engine, "--rounds", str(rounds), "--seed", str(seed)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode == 3 and os.environ.get("CI") != "true":
        pytest.skip(done.stderr.strip())
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    found = {name: report[name] for name in ("lost", "twice", "accepted_twice", "stuck", "problems")}
    assert not any(found.values()), (seed, found)
    assert report["acknowledged"] > rounds
    assert report["posted"] >= report["acknowledged"] - report["unknown"]
    assert report["unknown"] <= 2 * (rounds + 1), "each kill leaves at most one message in doubt on each of the two lines"
    assert done.returncode == 0


@pytest.fixture(scope="module")
def loop(root: Path) -> ModuleType:
    """The tool as a module, to see that its judge finds what it is there to find."""
    sys.path.insert(0, str(root / "tools"))
    try:
        spec = importlib.util.spec_from_file_location("kill_rounds", root / "tools" / "kill_rounds.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(root / "tools"))
    return module


def judge(loop: ModuleType, rows: list[tuple[str, str, str | None]], posted: dict[str, int], acknowledged: dict[str, str]) -> object:
    """`rows`: id, status and tag of each message as the gateway shows it."""
    heard = loop.Ledger(acknowledged=acknowledged)
    messages = [{"id": name, "status": status, "tag": tag, "attempts": 1} for name, status, tag in rows]
    return loop.judged("sqlite", 0, 1, heard, messages, collections.Counter(posted), [])


def test_a_kept_promise_is_found_kept(loop: ModuleType) -> None:
    rows = [("m1", "sent", "a"), ("m2", "unknown", "b"), ("m3", "failed", None)]
    assert judge(loop, rows, {"a": 1, "b": 1}, {"a": "m1", "b": "m2"}).is_kept


@pytest.mark.parametrize(
    ("rows", "posted", "broken"),
    [
        ([], {"a": 1}, "lost"),
        ([("m1", "sent", "a")], {}, "lost"),
        ([("m1", "sent", "a")], {"a": 2}, "twice"),
        ([("m1", "sent", "a"), ("m2", "sent", "a")], {"a": 1}, "accepted_twice"),
        ([("m1", "retrying", "a")], {}, "stuck"),
        ([("m1", "failed", "a")], {}, "stuck"),
        ([("m1", "expired", "a")], {}, "stuck"),
        ([("m1", "queued", None)], {}, "stuck"),
    ],
)
def test_each_broken_promise_is_found(loop: ModuleType, rows: list, posted: dict[str, int], broken: str) -> None:
    report = judge(loop, rows, posted, {"a": "m1"})
    assert getattr(report, broken)
    assert not report.is_kept


def test_what_the_carrier_has_is_read_from_the_pdu(loop: ModuleType) -> None:
    assert loop.content_of(loop.pdu("c1-7")) == "c1-7"

"""tools/bench_codec.py runs, names every target of the codec, and its PDUs are good ones. No figure is judged here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu


@pytest.fixture(scope="module")
def bench(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_codec", root / "tools" / "bench_codec.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_its_pdus_are_strictly_good_and_of_their_size(bench: ModuleType) -> None:
    assert len(bench.notification()) == pytest.approx(121, abs=5)
    mms_pdu.decode(bench.notification(), strict=True)
    for pdu, size in zip(bench.samples().values(), (1000, 300_000), strict=True):
        octets = mms_pdu.encode(pdu)
        assert len(octets) == pytest.approx(size, rel=0.02)
        assert mms_pdu.decode(octets, strict=True) == pdu


def test_its_hostile_ones_reach_the_limits_but_mostly_do_not_break_them(bench: ModuleType) -> None:
    small, large = bench.hostile(1), bench.hostile(2)
    refused = set()
    for name, octets in large.items():
        assert 1.8 < len(octets) / len(small[name]) < 2.2, name
        try:
            mms_pdu.decode(octets)
        except PduError as error:
            refused.add((name, error.rule))
    assert {name for name, _ in refused} <= {"uintvars that go on", "parts with parameters", "nesting that does not parse"}, refused


def test_it_runs_and_prints_json(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(root / "tools" / "bench_codec.py"), "--json", "--seconds", "0.001"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    rows = json.loads(done.stdout)["rows"]
    assert {row["part"] for row in rows} >= {"speed", "memory", "linear"}
    assert all(row["seen"] >= 0 for row in rows if row["part"] != "peers")
    targets = [row["target"] for row in rows if row["target"]]
    assert {"<= 25", "<= 40", "< 0.05", "<= 2.5", "<= 10"} <= set(targets)


def test_it_prints_a_table(root: Path) -> None:
    command = [sys.executable, str(root / "tools" / "bench_codec.py"), "memory", "--seconds", "0.001"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert "decode 300 KB: most" in done.stdout

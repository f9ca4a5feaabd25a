"""tools/bench_post.py runs, names what issue 5 wants measured, and measures what it says. No figure is judged here."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def bench(root: Path) -> ModuleType:
    sys.path.insert(0, str(root / "tools"))  # it shares modules with the other tools
    try:
        spec = importlib.util.spec_from_file_location("bench_post", root / "tools" / "bench_post.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(root / "tools"))
    return module


def test_each_part_is_there_and_explained(bench: ModuleType) -> None:
    assert list(bench.BENCHES) == ["accept", "cycle", "backlog", "upload", "fit", "restart", "kill"]
    assert bench.__doc__ is not None
    assert all(f"\n{name} " in bench.__doc__ for name in bench.BENCHES)


def test_its_pictures_are_what_the_figures_are_about(bench: ModuleType) -> None:
    assert len(bench.one_megabyte()) == pytest.approx(1_000_000, rel=0.15)
    with Image.open(io.BytesIO(bench.picture(4000, 3000, 88))) as opened:
        assert (opened.format, opened.size) == ("JPEG", (4000, 3000))


async def test_a_stall_of_the_loop_is_seen(bench: ModuleType) -> None:
    async def stalls() -> str:
        await asyncio.sleep(0.01)
        time.sleep(0.05)  # noqa: ASYNC251 - what is to be found
        return "done"

    result, stall = await bench.longest_stall(stalls())
    assert result == "done"
    assert stall > 0.03


def test_the_row_of_two_queues_is_their_medians(bench: ModuleType) -> None:
    row = bench.bench_backlog.compared("claim", [0.001, 0.002, 0.9], [0.003, 0.003, 0.003])
    assert (row.seen, row.more) == (1.5, {"short_ms": 2.0, "long_ms": 3.0})


def test_the_figures_come_as_json(root: Path) -> None:
    command = [sys.executable, str(root / "tools" / "bench_post.py"), "fit", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    rows = json.loads(done.stdout)["rows"]
    assert [(row["unit"], row["target"]) for row in rows] == [("s", "<= 1"), ("ms", "< 50")]
    assert all(row["seen"] > 0 for row in rows)

#!/usr/bin/env python3
"""One fuzz target in this process: `target.py NAME --seconds N [--engine python] [--seed S] --artifacts DIR`. run.py starts it.

Prints one line of JSON at the end: engine, executions, accepted. A finding ends it with a traceback and the octets in DIR.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SLOW_SECONDS = 2  # one input of at most 8 KiB; a hundred times the worst that is known


def python_engine(name: str, seconds: float, seed: int, artifacts: Path) -> None:
    """Plain mutations, until the time is over."""
    import checks
    import mutate
    import seeds

    check, start = checks.CHECKS[name], seeds.seeds(name)
    rand = random.Random(seed)
    stop = time.monotonic() + seconds
    done = accepted = 0
    while time.monotonic() < stop:
        for _ in range(100):
            data = mutate.mutated(rand, start)
            begin = time.process_time()
            try:
                accepted += check(data)
                if time.process_time() - begin > SLOW_SECONDS:
                    raise checks.Finding(f"{time.process_time() - begin:.1f} s for {len(data)} octets")
            except BaseException:
                (artifacts / f"finding-{name}").write_bytes(data)
                raise
            done += 1
    print(json.dumps({"engine": "python", "executions": done, "accepted": accepted}), flush=True)


def atheris_engine(name: str, seconds: float, seed: int, artifacts: Path) -> None:
    """libFuzzer with coverage of the codec; ends the process."""
    import atheris  # type: ignore[import-not-found,unused-ignore]  # an optional test dependency

    with atheris.instrument_imports(include=["mmsproxy"]):
        importlib.import_module("mmsproxy.wire.mms_pdu")
        importlib.import_module("mmsproxy.wire.wap_push")
        importlib.import_module("mmsproxy.wire.sms_compose")
        checks = importlib.import_module("checks")
    import mutate
    import seeds

    corpus = artifacts / f"seeds-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(seeds.seeds(name)):
        (corpus / f"{number:04}").write_bytes(octets)
    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={mutate.MAX_LENGTH}",
        f"-seed={seed}",
        f"-timeout={SLOW_SECONDS * 5}",  # instrumented, it is some five times as slow
        f"-artifact_prefix={artifacts}/finding-{name}-",
        "-print_final_stats=1",
    ]
    check = checks.CHECKS[name]

    def one(data: bytes) -> None:
        check(data)

    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    """Runs the target that is named."""
    parser = argparse.ArgumentParser(description="Run one fuzz target.")
    parser.add_argument("name", choices=["mms", "push", "tpdu"])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--engine", choices=["atheris", "python"], default="python")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--artifacts", type=Path, required=True)
    arguments = parser.parse_args()
    engine = {"atheris": atheris_engine, "python": python_engine}[arguments.engine]
    engine(arguments.name, arguments.seconds, arguments.seed, arguments.artifacts)


if __name__ == "__main__":
    main()

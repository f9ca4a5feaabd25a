#!/usr/bin/env python3
"""A counted campaign: every truncation of every seed, then mutations. `tests/fuzz/campaign.py --count 5000000 [--target mms] [--seed 1]`.

Deterministic: the n-th mutation of a seed is always the same octets, so that a finding can be found again. Prints a line each 100,000
and one at the end; exit code 1 at the first finding, with its octets.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import checks
import mutate
import seeds

STEP = 100_000


class Campaign:
    """Counts what was tried and what lenient mode accepted."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.check = checks.CHECKS[target]
        self.seeds = seeds.seeds(target)
        self.whole = seeds.whole(target)
        self.tried = self.accepted = 0
        self.slowest = 0.0  # seconds of CPU for one input

    def one(self, data: bytes) -> None:
        """Raises what the check raises, the octets beside it."""
        begin = time.process_time()
        try:
            self.accepted += self.check(data)
        except BaseException:
            print(f"{self.target}: FINDING: {data.hex()}", flush=True)
            raise
        self.tried += 1
        self.slowest = max(self.slowest, time.process_time() - begin)

    def truncations(self) -> None:
        """Every seed and every PDU of the corpus, cut after each of its octets."""
        for seed in self.whole:
            for length in range(len(seed) + 1):
                self.one(seed[:length])

    def mutations(self, count: int, seed: int) -> None:
        """Mutations, a new random source for each step so that it can be begun anywhere."""
        for step in range(0, count, STEP):
            rand = random.Random(f"{self.target} {seed} {step}")
            for _ in range(min(STEP, count - step)):
                self.one(mutate.mutated(rand, self.seeds))
            print(self.line(), flush=True)

    def line(self) -> str:
        """What was done so far."""
        return f"{self.target:<5} {self.tried:>9} tried  {self.accepted:>9} accepted  slowest {self.slowest * 1000:.1f} ms"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Truncations and mutations, counted.")
    parser.add_argument("--count", type=int, default=100_000, help="mutations of each target")
    parser.add_argument("--target", choices=list(checks.CHECKS), action="append")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for target in arguments.target or list(checks.CHECKS):
        campaign = Campaign(target)
        try:
            campaign.truncations()
            print(f"{campaign.line()}  (every truncation of {len(campaign.whole)} PDUs)", flush=True)
            campaign.mutations(arguments.count, arguments.seed)
        except Exception:  # noqa: BLE001  # whatever the codec lets through is the finding
            traceback.print_exc()
            return 1
        print(f"{campaign.line()}  no finding", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

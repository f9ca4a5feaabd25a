"""kill -9 at random moments, clients sending all the time: nothing acknowledged is lost, nothing leaves twice, nothing is stuck.

MMSPROXY_KILL_ROUNDS=N makes N rounds on each engine (the soak has 200).
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmsproxy.post.job import State
from mmsproxy.post.store import Store

ROUNDS = int(os.environ.get("MMSPROXY_KILL_ROUNDS", "20"))
CHILD = Path(__file__).with_name("kill_child.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(CHILD.parents[2])}  # the child runs what is tested here
START_LIMIT = 60.0  # seconds; a hang guard, not a measure


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@contextlib.contextmanager
def nursery(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(CHILD), url, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        yield process


def tell(process: subprocess.Popen[str], words: str) -> int:
    """Starts one life; returns its pid."""
    assert process.stdin is not None
    process.stdin.write(words + "\n")
    process.stdin.flush()
    return heard(process)


def heard(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def live_and_die(process: subprocess.Popen[str], folder: Path, name: str, alive: float) -> None:
    """kill -9, `alive` seconds after it began to work; each fourth time while it starts."""
    pid = tell(process, f"work {name}")
    end = time.monotonic() + START_LIMIT
    while name not in lines(folder / "starts") and alive > 0.2 and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(alive)
    os.kill(pid, signal.SIGKILL)
    assert heard(process) == -signal.SIGKILL


async def everything(store: Store) -> dict[str, State]:
    states: dict[str, State] = {}
    page = await store.page(limit=200)
    while True:
        states |= {message.job.id: message.job.state for message in page.messages}
        if page.next_cursor is None:
            return states
        page = await store.page(limit=200, cursor=page.next_cursor)


@pytest.mark.timeout(100 + 5 * ROUNDS)
async def test_kill_9_at_random_moments(place, tmp_path: Path) -> None:
    seed = random.randrange(2**32) if "MMSPROXY_KILL_ROUNDS" in os.environ else 17
    moments = random.Random(seed)
    folder = tmp_path / "ledgers"
    folder.mkdir()
    with nursery(place.url, folder) as process:
        for number in range(ROUNDS):
            live_and_die(process, folder, f"r{number}", moments.random() * 0.8)
        tell(process, "drain end")  # one last start that sends all that still waits
        assert heard(process) == 0

    acked = dict(line.split() for line in lines(folder / "acks"))
    posted = collections.Counter(lines(folder / "wire"))
    store = await place.open()
    states = await everything(store)
    await store.close()

    found = f"seed {seed}"
    assert len(acked) > ROUNDS, "the clients were never heard"
    assert not set(acked) - set(states), f"{found}: lost"
    assert not [content for content, times in posted.items() if times > 1], f"{found}: posted twice"
    assert set(states.values()) <= {State.SENT, State.UNKNOWN}, f"{found}: stuck {collections.Counter(states.values())}"
    for message_id, content in acked.items():
        if states[message_id] is State.SENT:
            assert posted[content] == 1, f"{found}: {message_id} is sent, but the carrier never had it"
    # Each kill leaves at most one message in doubt on each of the three lines.
    assert sum(state is State.UNKNOWN for state in states.values()) <= 3 * ROUNDS

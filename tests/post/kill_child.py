"""What the kill loop kills: a store, an outbox over a carrier that is a file, and clients that never stop sending.

usage: kill_child.py URL FOLDER      For each line `MODE NAME` on stdin it forks (imports are the long part of a start), prints the pid,
and when that process has ended its exit status. MODE: work (until killed) or drain (until nothing waits, then it ends).
It appends to FOLDER/acks each id that was acknowledged, after the commit; the carrier appends to FOLDER/wire each PDU it has whole, before
it answers. Both with one write, so a kill leaves no half line.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from mmsproxy.carrier.attempt import Answer, Attempt, Timings, Trial, judge
from mmsproxy.errors import LinkLost, MmsproxyError
from mmsproxy.link import LinkState, LinkStatus, Phase
from mmsproxy.post import policy
from mmsproxy.post.caps import Caps
from mmsproxy.post.job import State
from mmsproxy.post.keeper import Keeper
from mmsproxy.post.outbox import Outbox
from mmsproxy.post.policy import Limits
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.store import Store, new_owner, open_store

OK = b"\x8c\x81\x98T1\x00\x8d\x92\x92\x80\x8bm-1\x00"
LINES = 3
CLIENTS = 4
WAITING = {State.QUEUED, State.SENDING, State.RETRYING, State.SCHEDULED}


def append(path: Path, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode() + b"\n")
    os.close(file)


class FileCarrier:
    """A line whose MMSC is a file."""

    min_interval = 0.0
    sms = None
    state = LinkState(LinkStatus.BEARER_UP)

    def __init__(self, name: str, ledger: Path) -> None:
        self.name = name
        self._ledger = ledger

    async def post(
        self,
        pdu: bytes,
        headers: Sequence[tuple[str, str]] = (),
        *,
        before_last_byte: Callable[[], Awaitable[None]],
        **_: object,
    ) -> Attempt:
        await asyncio.sleep(random.random() * 0.004)
        if random.random() < 0.1:
            return judge(Trial(Phase.PART_OFFERED, None, LinkLost("a cut before the last byte"), Timings(), 1, len(pdu)))
        try:
            await before_last_byte()
        except MmsproxyError as error:
            return judge(Trial(Phase.PART_OFFERED, None, error, Timings(), 1, len(pdu)))
        await asyncio.sleep(random.random() * 0.002)
        append(self._ledger, pdu.decode())
        await asyncio.sleep(random.random() * 0.004)
        return judge(Trial(Phase.ANSWER_WHOLE, Answer(200, (), OK), None, Timings(), len(pdu), len(pdu)))


async def client(store: Store, acks: Path, name: str) -> None:
    for n in range(10**9):
        content = f"{name}.{n}"
        accepted = await store.accept([Draft(("+12025550123",), pdu=Pdu(content.encode()), transaction_id="T1")])
        append(acks, f"{accepted.messages[0].job.id} {content}")
        await asyncio.sleep(random.random() * 0.1)


async def drained(store: Store) -> None:
    """Until nothing waits."""
    while any(store_state in WAITING for store_state in await store.counts()):
        await asyncio.sleep(0.02)


async def main(url: str, folder: Path, mode: str, name: str) -> None:
    policy.RETRY_SCHEDULE = (0.2,)  # seconds: a history of hours in moments
    ids = iter(range(10**9))
    store = await open_store(
        url,
        media=folder / "media",
        clock=time.time,
        new_id=lambda prefix: f"{prefix}_{name}_{next(ids)}",
        limits=Limits(caps=Caps(0, 0)),
        reserve=0,
        low_water=0,
    )
    owner = new_owner("node")
    await store.recover(owner)
    append(folder / "starts", name)
    outbox = Outbox(store, [FileCarrier(f"line{n}", folder / "wire") for n in range(LINES)], owner=owner, poll=0.05)
    keeper = Keeper(store, every=0.1)
    await outbox.start()
    await keeper.start()
    if mode == "drain":
        await drained(store)
        await keeper.stop()
        await outbox.stop()
        await store.close()
        return
    await asyncio.gather(*(client(store, folder / "acks", f"{name}.{n}") for n in range(CLIENTS)))


def nursery(url: str, folder: Path) -> None:
    for request in sys.stdin:
        mode, name = request.split()
        pid = os.fork()
        if pid == 0:
            random.seed()
            asyncio.run(main(url, folder, mode, name))
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    nursery(sys.argv[1], Path(sys.argv[2]))

"""A crash at every commit and at every part of a text in three parts, with each fault before it: no part leaves twice, none is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from mmsproxy.carrier.sms import SmsLine
from mmsproxy.errors import LinkLost, MmsproxyError, SmsRefused, SmsUnknown
from mmsproxy.link import LinkState, LinkStatus
from mmsproxy.post import sms_parts
from mmsproxy.post.job import AT_REST, Kind, Lease, State
from mmsproxy.post.outbox import Parcel
from mmsproxy.post.records import Draft
from mmsproxy.post.sms import compose_sms, send_sms
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker

PARTS = 3
NUMBER = "+12025550123"
BUSY = SmsRefused("+CMS ERROR: 42", cms=42)


class Crash(BaseException):
    """The process is gone. No except clause of the program may see it."""


class Network:
    """What the carrier has got, and what it refused; behind the modem, so it outlives every crash."""

    def __init__(self, faults: Sequence[MmsproxyError | None]) -> None:
        self.faults = list(faults)
        self.taken: Counter[str] = Counter()
        self.references = 0

    def take(self, pdu: str) -> int:
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or isinstance(fault, SmsUnknown):
            self.taken[pdu] += 1
        if fault is not None:
            raise fault
        self.references += 1
        return self.references


class Life:
    """One process: it works on what it can claim until it crashes, at its `dies_at`-th step, before or behind it."""

    min_interval = 0.0
    state = LinkState(LinkStatus.ATTACHED)

    def __init__(self, store: Store, network: Network, owner: str, dies_at: int | None, *, behind: bool) -> None:
        self.name = "mint"
        self._store = store
        self._network = network
        self._worker = Worker(owner, self.name)
        self._dies_at = dies_at
        self._behind = behind
        self.steps = 0
        self.sms = SmsLine(self.name, self, asyncio.Lock())  # type: ignore[arg-type]
        self.sms.start()

    async def post(self, *arguments: Any, **options: Any) -> Any:
        raise AssertionError("this is no MMS")

    async def send(self, length: int, pdu: str) -> int:
        """The modem's box."""
        return await self._step(self._take(pdu))

    async def _take(self, pdu: str) -> int:
        return self._network.take(pdu)

    async def _step(self, step: Any) -> Any:
        self.steps += 1
        dies = self.steps == self._dies_at
        if dies and not self._behind:
            step.close()
            raise Crash
        try:
            return await step
        finally:
            if dies:
                raise Crash

    async def write(self, op: Any) -> Any:
        return await self._step(Store.write(self._store, op))

    async def read(self, look: Any) -> Any:
        return await self._store.read(look)

    @property
    def database(self) -> Any:
        return self._store.database

    async def work(self) -> bool:
        """One message from the claim to its outcome; False when there was none."""
        store = self._store
        lease = await store.claim(self._worker)
        if not isinstance(lease, Lease):
            return False
        message = await store.message(lease.job.id)
        kept = await store.pdu(message.job)
        parcel = compose_sms(message) if kept is None else Parcel(kept)
        begun = await self._step(store.begin(lease, self._worker, parcel.pdu, is_new=kept is None))

        async def last_byte() -> None:
            await self._step(store.last_byte(begun))

        result = await send_sms(self)(self, message, parcel, last_byte)  # type: ignore[arg-type]
        await self._step(store.finish(begun, result))
        return True


async def live(store: Store, clock: Any, network: Network, dies_at: int | None, *, behind: bool) -> tuple[State, int]:
    """Lives one after the other, the first of which dies. Returns the state in the end, and the steps of the first."""
    message_id = (await store.accept([Draft((NUMBER,), kind=Kind.SMS, text="x" * 400, valid_for=86400.0)])).messages[0].job.id
    steps = 0
    for number in range(4):
        owner = f"node/{number}"
        await store.recover(owner)
        await store.write(sms_parts.settle_complete)
        clock.go(4000)
        await store.sweep()
        life = Life(store, network, owner, dies_at if number == 0 else None, behind=behind)
        with contextlib.suppress(Crash):
            await life.work()
        steps = steps or life.steps
        clock.go(200)  # its lease ends
    state = (await store.message(message_id)).job.state
    assert state in AT_REST
    return state, steps


FAULTS: dict[str, list[MmsproxyError | None]] = {
    "none": [],
    "second refused": [None, BUSY],
    "third lost": [None, None, LinkLost("unplugged")],
    "third in doubt": [None, None, SmsUnknown("silence")],
}


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("faults", FAULTS)
async def test_a_crash_at_every_step(sqlite_store: Store, clock: Any, faults: str, behind: bool) -> None:
    steps, dies_at, seen = 99, 0, Counter[State]()
    while dies_at < steps:
        network = Network(FAULTS[faults])
        state, first = await live(sqlite_store, clock, network, dies_at or None, behind=behind)
        if dies_at == 0:
            steps = first
        told = f"{faults}, step {dies_at} of {steps}, {'behind' if behind else 'before'} it: {state} with {network.taken}"
        assert max(network.taken.values(), default=0) <= 1, told
        assert state in (State.SENT, State.UNKNOWN), told
        if state is State.SENT:
            assert len(network.taken) == PARTS, told
        seen[state] += 1
        dies_at += 1
    assert steps >= 5
    if "doubt" not in faults:
        # In doubt is only who died with a part: between `last_byte` and the part's end.
        assert seen[State.UNKNOWN] <= PARTS * 3
        assert seen[State.SENT] >= 3
    if "doubt" in faults:
        assert seen[State.UNKNOWN] >= 1

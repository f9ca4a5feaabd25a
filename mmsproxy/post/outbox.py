"""Sends what waits: one worker for each line, one message at a time.

Rule 1: `sending` is committed before the line is asked, `last_byte` before it lets the last piece go, the outcome before anything else is
begun. Rule 2: whatever happens to an attempt, its outcome is written, if need be for as long as the database is away. Rule 3: which line
sends what follows from who asks first: a line that works does not ask, so the least busy one takes it.
It knows no SQL, no modem and no composing: those are the store's, the line's, and a callable.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from mmsproxy.carrier.attempt import Attempt, Awaited
from mmsproxy.carrier.sms import SmsLine
from mmsproxy.errors import HeaderError, MmsproxyError, StoreError
from mmsproxy.link import LinkState, LinkStatus
from mmsproxy.post.insisting import insist
from mmsproxy.post.job import Kind, Lease, LeaseLost, Result
from mmsproxy.post.outcome import broken_off, not_made, result_of
from mmsproxy.post.policy import Wait
from mmsproxy.post.records import Message, Pdu
from mmsproxy.post.store import Store
from mmsproxy.post.work import Worker

POLL = 1.0  # seconds between looks when no bell rings (delivery.md 3)
SHORTEST_WAIT = 0.005  # seconds
LEASE = 120.0  # seconds; renewed while an attempt runs
STOP_GRACE = 25.0  # seconds: a little more than a line takes to stop
LINE_BUDGET = 10.0  # seconds that a line may try by itself before the first byte; the schedule of the post office does the rest
FORWARD_REQ = b"\x8c\x89"  # X-Mms-Message-Type: m-forward-req (ENC 7.3.30)

BeforeLastByte = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)


class SendingLine(Protocol):
    """What the outbox needs of carrier.line.Line."""

    @property
    def name(self) -> str: ...

    @property
    def min_interval(self) -> float: ...

    @property
    def max_size(self) -> int | None: ...

    @property
    def sms(self) -> SmsLine | None: ...

    @property
    def state(self) -> LinkState: ...

    async def rouse(self) -> bool: ...

    async def post(
        self,
        pdu: bytes,
        headers: Sequence[tuple[str, str]] = (),
        *,
        transaction_id: str | None = None,
        awaited: Awaited = Awaited.SEND_CONF,
        before_last_byte: BeforeLastByte = ...,
        budget: float = ...,
    ) -> Attempt: ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """What leaves: octets, the sender's HTTP header fields, and the transaction that the answer must name. `size`: what of the octets
    leaves, where that is not all of them."""

    pdu: Pdu
    transaction_id: str | None = None
    is_new: bool = False
    size: int | None = None


Compose = Callable[[Message, SendingLine], Awaitable[Parcel]]
Send = Callable[[SendingLine, Message, Parcel, BeforeLastByte], Awaitable[Result]]


async def send_mms(line: SendingLine, message: Message, parcel: Parcel, before_last_byte: BeforeLastByte) -> Result:
    """One POST to the MMSC."""
    awaited = Awaited.FORWARD_CONF if parcel.pdu.data.startswith(FORWARD_REQ) else Awaited.SEND_CONF
    attempt = await line.post(
        parcel.pdu.data,
        parcel.pdu.headers,
        transaction_id=parcel.transaction_id,
        awaited=awaited,
        before_last_byte=before_last_byte,
        budget=LINE_BUDGET,
    )
    return result_of(attempt)


class Outbox:
    """The workers of some lines.

    owner    NODE/RUN, from store.new_owner; the same that `store.recover` was called with
    compose  makes the PDU of a message that came without one; raises MmsproxyError
    send     how a message of each kind leaves
    jitter   0..1, at random
    """

    def __init__(
        self,
        store: Store,
        lines: Iterable[SendingLine],
        *,
        owner: str,
        compose: Compose | None = None,
        send: Mapping[Kind, Send] | None = None,
        lease: float = LEASE,
        poll: float = POLL,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._lines = tuple(lines)
        self._owner = owner
        self._compose = compose
        self._send = {Kind.MMS: send_mms, **(send or {})}
        self._lease = lease
        self._poll = poll
        self._jitter = jitter
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewal: asyncio.Task[None] | None = None
        self._under_way: dict[str, Lease] = {}

    @property
    def under_way(self) -> Mapping[str, Lease]:
        """What each line is sending, by the line's name."""
        return self._under_way

    @property
    def is_working(self) -> bool:
        """Every line has its worker, and none of them has ended."""
        return bool(self._tasks) and not self._stopping.is_set() and not any(task.done() for task in self._tasks)

    async def start(self) -> None:
        """Begins to work. Earlier owners' messages must have been recovered before (`store.recover`)."""
        loop = asyncio.get_running_loop()
        self._renewal = loop.create_task(self._renew(), name="outbox leases")
        self._tasks = {loop.create_task(self._work(line), name=f"outbox {line.name}") for line in self._lines}

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """Claims nothing more and waits for the attempts under way, whose lines must be stopped by somebody else or end by themselves.
        What is not over after `grace` seconds is settled by the next start's recovery. May be called twice."""
        self._stopping.set()
        self._store.queue_bell.ring()
        if not self._tasks or self._renewal is None:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in (*late, self._renewal):
            task.cancel()
        await asyncio.wait((*self._tasks, self._renewal))
        self._tasks, self._renewal = set(), None

    # One worker.

    async def _work(self, line: SendingLine) -> None:
        worker = Worker(self._owner, line.name, line.min_interval, self._lease, has_sms=line.sms is not None)
        while not self._stopping.is_set():
            ticket = self._store.queue_bell.ticket
            try:
                pause = await self._step(line, worker)
                if pause and not self._stopping.is_set():
                    await self._wait(line, ticket, pause)
            except Exception:  # noqa: BLE001 - the worker's supervisor: a fault of ours in one message must not end the line
                _log.exception("a fault of the outbox", extra={"line": line.name})
                await self._rest()

    async def _wait(self, line: SendingLine, ticket: int, pause: float) -> None:
        rang = await self._store.queue_bell.wait(ticket, pause)
        if rang and line.state.status is LinkStatus.DOWN and not self._stopping.is_set():
            await line.rouse()  # a message came: the modem that was pulled out may be there again

    async def _rest(self) -> None:
        """Whatever rings: after a fault the same message would come at once, and fail at once, again and again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._stopping.wait()

    async def _step(self, line: SendingLine, worker: Worker) -> float:
        """One message, or none; returns the seconds to wait before the next look."""
        found = await self._claim(line, worker)
        if isinstance(found, Lease):
            await self._handle(line, worker, found)
            return 0.0
        if found.until is None:
            return self._poll
        return min(self._poll, max(SHORTEST_WAIT, found.until - self._store.database.now()))

    async def _claim(self, line: SendingLine, worker: Worker) -> Lease | Wait:
        """A line whose modem is gone claims nothing: what waits keeps its place, and another line may take it."""
        if line.state.status is LinkStatus.DOWN:
            return Wait(None, "line_down")
        try:
            return await self._store.claim(worker)
        except StoreError as error:
            _log.warning("nothing can be claimed: %s", error, extra={"line": line.name})
            return Wait(None, "store")

    async def _handle(self, line: SendingLine, worker: Worker, lease: Lease) -> None:
        """From the claim to the stored outcome."""
        try:
            message = await self._store.message(lease.job.id)
            made = await self._parcel(line, message)
            begun = await self._begin(lease, worker, made)
        except (LeaseLost, StoreError) as error:
            _log.info("not begun: %s", error, extra={"line": line.name, "id": lease.job.id})
            await insist(partial(self._store.drop, lease), "a message waits to be given back")
            if isinstance(error, StoreError):
                await self._rest()
            return
        self._under_way[line.name] = begun
        try:
            result = await self._attempt(line, message, made, begun) if isinstance(made, Parcel) else made
            job = await insist(partial(self._store.finish, begun, result, random=self._jitter()), "an outcome waits to be stored")
        finally:
            del self._under_way[line.name]
        _log.info("%s is %s", job.id, job.state, extra={"line": line.name, "code": result.code, "attempts": job.attempts})

    async def _parcel(self, line: SendingLine, message: Message) -> Parcel | Result:
        """What is to leave: the octets that are kept, so that a retry is the same transaction, or new ones; or why there are none."""
        kept = None if message.sha256 is None else await self._store.pdu(message.job)  # its digest is kept with it
        if kept is not None:
            return Parcel(kept, message.transaction_id, size=message.size)
        if self._compose is None:
            return not_made(MmsproxyError("there is nothing to send, and nobody to compose it"))
        try:
            return replace(await self._compose(message, line), is_new=True)
        except StoreError:
            raise
        except MmsproxyError as error:
            return not_made(error)

    async def _begin(self, lease: Lease, worker: Worker, made: Parcel | Result) -> Lease:
        if isinstance(made, Parcel):
            begin = partial(self._store.begin, transaction_id=made.transaction_id, is_new=made.is_new, size=made.size)
            return await begin(lease, worker, made.pdu)
        return await self._store.begin(lease, worker, None)

    async def _attempt(self, line: SendingLine, message: Message, parcel: Parcel, lease: Lease) -> Result:
        committed = False

        async def before_last_byte() -> None:
            nonlocal committed
            await self._store.last_byte(lease)
            committed = True

        try:
            return await self._send[message.job.kind](line, message, parcel, before_last_byte)
        except HeaderError as error:
            return not_made(error)
        except Exception as error:  # noqa: BLE001 - a supervisor: the outcome of an attempt is always written
            _log.exception("an attempt ended by a fault of ours", extra={"line": line.name, "id": message.job.id})
            return broken_off(error, last_byte=committed)

    async def _renew(self) -> None:
        """Keeps the leases of what is under way. One that is lost all the same is found out before the last byte."""
        while True:
            await asyncio.sleep(self._lease / 4)
            try:
                await self._store.renew(self._owner, [lease.job.seq for lease in self._under_way.values()], self._lease)
            except StoreError as error:
                _log.warning("leases are not renewed: %s", error)

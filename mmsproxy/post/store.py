"""The post office's store: the one door to all that is kept.

Rule 1: what a method returned is durable. Rule 2: a method that raised kept nothing (StoreUnavailable while a PostgreSQL server goes
away at the very commit is the one case in which that is not certain; every worker's step may be repeated). Rule 3: reads see all that
was committed before they began. It knows no line, no modem and no HTTP; what the rows mean is `policy`'s.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from mmsproxy.errors import StoreUnavailable
from mmsproxy.post import desk, disk, intake, reading, retention, sweeping, work
from mmsproxy.post.admission import Rules
from mmsproxy.post.bell import Bell
from mmsproxy.post.database import Database, Tx
from mmsproxy.post.desk import Report
from mmsproxy.post.engines import Engine, open_engine
from mmsproxy.post.files import Files
from mmsproxy.post.intake import MayBegin, Prepared, Turn
from mmsproxy.post.job import AttemptRecord, Job, Lease, Result, State
from mmsproxy.post.policy import MAX_CLOCK_STEP, Limits, Wait
from mmsproxy.post.records import Accepted, Draft, Event, Filter, IdempotencyKey, LineRow, Media, Message, Page, Pdu
from mmsproxy.post.retention import Retention
from mmsproxy.post.schema import GATEWAY
from mmsproxy.post.work import Worker

T = TypeVar("T")
WATCH_PAUSE = 1.0  # seconds after which a watcher looks by itself, when no bell rang

_log = logging.getLogger(__name__)


class Store:
    """Made by `open_store`. All methods raise StoreError when the database fails.

    rules     what is accepted; limits  what is sent and when. Both may be replaced while the store is open.
    alarms    what a person has to know, one line each: a damaged database was moved aside
    """

    def __init__(self, database: Database, files: Files, *, rules: Rules, limits: Limits, reserve: disk.Reserve | None) -> None:
        self.rules = rules
        self.limits = limits
        self.alarms: tuple[str, ...] = ()
        self.database = database
        self.files = files
        self._reserve = reserve
        self._owner: disk.Owner | None = None

    @property
    def queue_bell(self) -> Bell:
        """Rings when something can be claimed that could not before."""
        return self.database.queue_bell

    @property
    def event_bell(self) -> Bell:
        """Rings when the log of events has grown."""
        return self.database.event_bell

    @property
    def keeper_bell(self) -> Bell:
        """Rings when a message is to go out as SMS."""
        return self.database.keeper_bell

    async def close(self) -> None:
        """Finishes what was begun. May be called twice."""
        await self.database.close()
        if self._owner is not None:
            self._owner.release()
            self._owner = None

    async def write(self, op: Callable[[Tx], Awaitable[T]]) -> T:
        """An operation of `hooks`, `token_rows` and the like."""
        return await self.database.write(op)

    async def read(self, look: Callable[[reading.Run], Awaitable[T]]) -> T:
        """A read of the same."""
        async with self.database.read() as connection:
            return await look(_runner(connection))

    # Accepting.

    async def accept(self, drafts: Sequence[Draft], *, key: IdempotencyKey | None = None) -> Accepted:
        """All of them or none, in one commit with the key. A known key brings the messages of the first time.

        Raises Refused (numbers, caps, opt-outs), IdempotencyConflict, StoreFull.
        """
        prepared = [await self._prepared(draft) for draft in drafts]
        step = partial(intake.accept, prepared=prepared, rules=self.rules, key=key, may_grow=self.check_intake)
        return await self.database.write(step)

    async def replayed(self, key: IdempotencyKey) -> Accepted | None:
        """What `accept` would bring for a key that is known already; None for a new one. Raises IdempotencyConflict."""
        return await self.read(partial(intake.replay, key=key))

    async def accept_post(self, draft: Draft, *, may_begin: MayBegin | None = None) -> Turn:
        """A POST at the MM1 door: new, or the one that the same client posted before (mm1.md 6). Raises Refused, StoreFull.

        may_begin   asked in the same transaction before a new attempt is queued; what it raises keeps that from happening
        """
        prepared = await self._prepared(draft)
        step = partial(
            intake.accept_post,
            prepared=prepared,
            rules=self.rules,
            limits=self.limits,
            may_grow=self.check_intake,
            may_begin=may_begin,
        )
        return await self.database.write(step)

    async def store_answer(self, key: IdempotencyKey, status: int, answer: bytes) -> None:
        """What the first request with this key was answered, for those that repeat it."""
        await self.database.write(partial(intake.store_answer, key=key, status=status, answer=answer))

    def check_intake(self) -> None:
        """Raises StoreFull or StoreUnavailable when `accept` would. For doors that want to refuse before they read a body."""
        if self.database.fault is not None:
            raise StoreUnavailable(f"nothing is accepted: {self.database.fault.detail}", cure=self.database.fault.cure)
        if self._reserve is not None:
            self._reserve.check_intake()

    # Working.

    async def claim(self, worker: Worker) -> Lease | Wait:
        """The next message for the worker's line, or why there is none."""
        return await self.database.write(partial(work.claim, worker=worker, limits=self.limits))

    async def drop(self, lease: Lease) -> None:
        """Gives it back, not begun."""
        await self.database.write(partial(work.drop, lease=lease))

    async def begin(
        self,
        lease: Lease,
        worker: Worker,
        pdu: Pdu | None,
        *,
        transaction_id: str | None = None,
        is_new: bool = False,
        size: int | None = None,
    ) -> Lease:
        """Commits `sending`, before the first byte is offered; work on with the lease that it returns. `size`: the octets that are to
        leave, where they are others than the PDU's. Raises LeaseLost."""
        octets = size if size is not None else 0 if pdu is None else len(pdu.data)
        given = partial(work.begin, lease=lease, worker=worker, limits=self.limits, pdu=pdu)
        return await self.database.write(partial(given, transaction_id=transaction_id, is_new=is_new, size=octets))

    async def last_byte(self, lease: Lease) -> None:
        """Before the last byte may leave. Raises LeaseLost, and then it must not."""
        await self.database.write(partial(work.last_byte, lease=lease))

    async def finish(self, lease: Lease, result: Result, *, random: float = 0.5) -> Job:
        """Commits the outcome. May be repeated."""
        return await self.database.write(partial(work.finish, lease=lease, result=result, random=random))

    async def renew(self, owner: str, seqs: Collection[int], lease: float) -> int:
        """Keeps what the owner is sending for `lease` more seconds; returns how many are still its own."""
        return await self.database.write(partial(work.renew, owner=owner, seqs=seqs, lease=lease)) if seqs else 0

    async def sweep(self) -> int:
        """Does what time asks for; returns how many messages changed. Looks before it locks."""
        if not await self.read(partial(sweeping.is_anything_overdue, now=self.database.now(), limits=self.limits)):
            return 0
        return await self._until_done(partial(sweeping.sweep, limits=self.limits))

    async def recover(self, owner: str) -> int:
        """At start, before anything is claimed: settles what earlier owners of the same node left (all owners, where a file has only one
        process). `owner` is NODE/RUN. Returns how many messages were being sent. A clock that was lost (no battery) moves what waits."""
        behind = await self.read(partial(sweeping.is_behind, now=self.database.now()))
        if behind > MAX_CLOCK_STEP:
            await self.shift_clock(-behind)
        step = partial(sweeping.recover_owners, node=owner.split("/", 1)[0], owner=owner, everybody=self._owner is not None)
        return await self._until_done(step)

    async def shift_clock(self, step: float) -> None:
        """The wall clock was set by `step` seconds. Does nothing where other hosts, with clocks of their own, share the store."""
        if self._owner is None:
            return
        await self.database.write(partial(sweeping.shift_clock, step=step))

    async def forget(self, keep: Retention) -> int:
        """Drops what is older or more than `keep` allows, and the files that nobody names; returns how many rows and files went."""
        gone = await self._until_done(partial(retention.forget, keep=keep))
        names = await asyncio.to_thread(lambda: set(self.files.older_than(self.database.now() - retention.FILE_GRACE)))
        unwanted = await self.read(partial(retention.unwanted, names=names))
        return gone + await asyncio.to_thread(self.files.sweep, unwanted, ())

    # Persons and reports.

    async def cancel(self, message_id: str) -> Job:
        """Raises NotFound, NotAllowed (not_cancelable)."""
        return await self.database.write(partial(desk.cancel, message_id=message_id))

    async def retry(self, message_id: str, *, accept_duplicate_risk: bool = False) -> Job:
        """Raises NotFound, NotAllowed (not_retryable, duplicate_risk)."""
        return await self.database.write(partial(desk.retry, message_id=message_id, accept_duplicate_risk=accept_duplicate_risk))

    async def resolve(self, message_id: str, as_state: State) -> Job:
        """Raises NotFound, NotAllowed."""
        return await self.database.write(partial(desk.resolve, message_id=message_id, as_state=as_state))

    async def falling_back(self) -> tuple[str, ...]:
        """Ids of messages whose `fallback: sms` is due, the oldest first."""
        return await self.read(partial(desk.falling_back, now=self.database.now()))

    async def fall_back(self, message_id: str, drafts: Sequence[Draft]) -> Job:
        """The message goes out as these, all of them or none; without any, that is given up. Raises NotFound, NotAllowed, Refused."""
        batch = self.database.new_id("bat") if len(drafts) > 1 else None
        children = [await self._prepared(replace(draft, parent_id=message_id, batch_id=batch)) for draft in drafts]
        step = partial(desk.fall_back, message_id=message_id, children=children, rules=self.rules, may_grow=self.check_intake)
        return await self.database.write(step)

    async def put_off_fallback(self, message_id: str, seconds: float) -> Job:
        """It cannot be accepted before that. Raises NotFound, NotAllowed."""
        return await self.database.write(partial(desk.put_off_fallback, message_id=message_id, seconds=seconds))

    async def report(self, heard: Report) -> Job | None:
        """The message that a delivery or read report belongs to, as it is then."""
        return await self.database.write(partial(desk.report, heard=heard))

    async def pause(self, line: str = GATEWAY, reason: str = "") -> None:
        """A line, or everything: the kill switch, under which no last byte leaves."""
        await self.database.write(partial(work.pause, name=line, reason=reason))

    async def resume(self, line: str = GATEWAY) -> bool:
        """False when it was not paused."""
        return await self.database.write(partial(work.resume, name=line))

    async def set_optout(self, number: str, word: str = "STOP") -> bool:
        return await self.database.write(partial(desk.set_optout, number=number, word=word))

    async def lift_optout(self, number: str) -> bool:
        return await self.database.write(partial(desk.lift_optout, number=number))

    # Reading.

    async def message(self, message_id: str) -> Message:
        """Raises NotFound."""
        return await self.read(partial(reading.message_by_id, message_id=message_id))

    async def page(self, wanted: Filter | None = None, *, limit: int = 50, cursor: str | None = None) -> Page:
        """Newest first. Raises BadCursor."""
        return await self.read(partial(reading.page, wanted=wanted or Filter(), limit=limit, cursor=cursor))

    async def position(self, job: Job, line: str) -> int:
        """How many messages the line will take before this one, counted up to reading.MAX_AHEAD."""
        return await self.read(partial(reading.position, job=job, line=line))

    async def attempts(self, job: Job) -> tuple[AttemptRecord, ...]:
        return await self.read(partial(reading.attempts_of, seq=job.seq))

    async def pdu(self, job: Job, role: str = "request") -> Pdu | None:
        """`request`, or `answer`: what the carrier said last."""
        return await self.read(partial(reading.pdu_of, seq=job.seq, role=role))

    async def events_after(self, seq: int, *, limit: int = 200, types: Iterable[str] = (), line: str | None = None) -> tuple[Event, ...]:
        """The log, oldest first."""
        return await self.read(partial(reading.events_after, seq=seq, limit=limit, types=tuple(types), line=line))

    async def events_of(self, message_id: str) -> tuple[Event, ...]:
        return await self.read(partial(reading.events_of, message_id=message_id))

    async def event_seq(self, event_id: str) -> int | None:
        """The place of an event in the log; None when it is not there any more."""
        return await self.read(partial(reading.event_seq, event_id=event_id))

    async def lines(self) -> dict[str, LineRow]:
        """By name; GATEWAY is the kill switch."""
        return await self.read(reading.line_rows)

    async def counts(self) -> dict[str, int]:
        """Messages by state."""
        return await self.read(reading.counts)

    async def media(self, item: Media) -> bytes:
        return await asyncio.to_thread(self.files.get, item.sha256)

    async def wait_for(self, message_id: str, is_enough: Callable[[Message], bool], timeout: float) -> Message:
        """The message as soon as `is_enough` says so, or as it is after `timeout` seconds. Raises NotFound."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        bell = self.database.message_bell(message_id)
        while True:
            ticket = bell.ticket
            message = await self.message(message_id)
            left = end - loop.time()
            if is_enough(message) or left <= 0:
                return message
            await bell.wait(ticket, min(left, WATCH_PAUSE))

    # Inside.

    async def _prepared(self, draft: Draft) -> Prepared:
        if draft.media:
            self.check_intake()
        kept = []
        for n, item in enumerate(draft.media):
            name = await asyncio.to_thread(self.files.put, item.data)
            kept.append(Media(n, item.content_type, item.filename, len(item.data), name))
        return Prepared(self.database.new_id("msg"), draft, tuple(kept))

    async def _until_done(self, op: Callable[[Tx], Awaitable[int]]) -> int:
        total = 0
        while (done := await self.database.write(op)) > 0:
            total += done
        return total


async def open_store(
    url: str,
    *,
    media: Path,
    clock: Callable[[], float],
    new_id: Callable[[str], str],
    rules: Rules | None = None,
    limits: Limits | None = None,
    reserve: int = disk.RESERVE,
    low_water: int = disk.LOW_WATER,
) -> Store:
    """Opens, creates or migrates the store.

    url     sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME
    media   the folder for media files
    clock   seconds since 1970; new_id  makes an opaque id from a prefix (`msg`, `evt`), unique for ever

    A damaged SQLite file is moved aside with an alarm, and a new one is begun. Raises ConfigError, StoreError.
    """
    engine = open_engine(url)
    owner, alarms = await asyncio.to_thread(_take_file, engine, clock)
    held = disk.Reserve(engine.file, size=reserve, low_water=low_water) if engine.file is not None else None
    database = Database(engine, clock=clock, new_id=new_id, on_full=held.give_up if held is not None else lambda: False)
    try:
        if held is not None:
            held.hold()
        await database.open()
        store = Store(database, Files(media), rules=rules or Rules(), limits=limits or Limits(), reserve=held)
    except BaseException:
        await database.close()
        if owner is not None:
            owner.release()
        raise
    store.alarms = alarms
    store._owner = owner
    return store


def _take_file(engine: Engine, clock: Callable[[], float]) -> tuple[disk.Owner | None, tuple[str, ...]]:
    """Only this process works on the file from here on; what is damaged is out of the way."""
    if engine.file is None:
        return None, ()
    disk.prepare_folder(engine.file)
    owner = disk.Owner(engine.file)
    damage = disk.damage(engine.file)
    if damage is None:
        return owner, ()
    aside = disk.move_aside(engine.file, datetime.fromtimestamp(clock(), UTC).strftime("%Y%m%dT%H%M%SZ"))
    disk.prepare_folder(engine.file)
    alarm = f"the database was damaged ({damage}); it is kept as {aside}, and a new one was begun"
    _log.critical(alarm)
    return owner, (alarm,)


def _runner(connection: AsyncConnection) -> reading.Run:
    return connection.execute


def new_owner(node: str) -> str:
    """NODE/RUN, another one for each start."""
    return f"{node}/{secrets.token_hex(4)}"

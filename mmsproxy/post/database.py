"""Transactions: many small operations, few commits, and never an answer before its commit.

Rule 1: an operation is a function of a Tx. Those that wait at the same time share one transaction and one fsync (group commit); one that
fails is undone alone. Rule 2: an operation may run twice (the first run was rolled back), so it keeps nothing outside of the database.
Rule 3: events are written last, under a lock, so their numbers go up in the order of the commits and a reader never misses one.
It knows no table but those of events and of the schema's version.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import CursorResult, Executable, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from mmsproxy.errors import MmsproxyError, StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from mmsproxy.post.bell import Bell
from mmsproxy.post.disk import mark_damaged
from mmsproxy.post.engines import Engine, is_disconnect, is_disk_fault, is_transient, translated
from mmsproxy.post.migrations import NEWEST, STEPS
from mmsproxy.post.schema import events, schema_version

MAX_BATCH = 64  # operations in one transaction
TRANSIENT_TRIES = 5

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Again(Exception):
    """Raised by an operation that lost a race against another process: it is undone and runs again."""


class Tx:
    """One transaction, as an operation sees it. `now` is the same for all that happens in it, seconds since 1970.

    touched   counts what would have to be undone
    """

    def __init__(self, connection: AsyncConnection, now: float, new_id: Callable[[str], str]) -> None:
        self._connection = connection
        self.now = now
        self.new_id = new_id
        self.events: list[dict[str, Any]] = []
        self.wakes_queue = False
        self.wakes_keeper = False
        self.changed: set[str] = set()
        self.touched = 0

    async def run(self, statement: Executable, rows: Any = None) -> CursorResult[*tuple[Any, ...]]:
        """One statement; `rows` a mapping, or a list of mappings for as many rows."""
        self.touched += bool(getattr(statement, "is_dml", False))
        result: CursorResult[*tuple[Any, ...]] = await self._connection.execute(statement, rows)
        return result

    def announce(self, kind: str, data: Mapping[str, Any], *, message_id: str | None = None, line: str | None = None) -> None:
        """An event, written with the commit."""
        self.touched += 1
        self.events.append(
            {
                "id": self.new_id("evt"),
                "type": kind,
                "at": self.now,
                "message_id": message_id,
                "line": line,
                "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")),
            }
        )

    def wake_queue(self) -> None:
        """Something can be claimed that could not before."""
        self.wakes_queue = True

    def wake_keeper(self) -> None:
        """A message is to go out as SMS now."""
        self.wakes_keeper = True

    def wake_watchers(self, message_id: str) -> None:
        """For a change of which there is no event."""
        self.changed.add(message_id)


Op = Callable[[Tx], Awaitable[T]]


@dataclass(slots=True, eq=False)
class _Waiting(Generic[T]):
    op: Op[T]
    done: asyncio.Future[T] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def finish(self, result: T | _Raised) -> None:
        if isinstance(result, _Raised):
            self.done.set_exception(result.error)
        else:
            self.done.set_result(result)


@dataclass(frozen=True, slots=True)
class _Raised:
    """What an operation ended with instead of a result."""

    error: Exception


async def _run(op: Op[T], tx: Tx) -> T | _Raised:
    """A refusal that came before anything was written concerns nobody else in the transaction."""
    before = tx.touched
    try:
        return await op(tx)
    except MmsproxyError as error:
        if tx.touched != before:
            raise
        return _Raised(error)


class Database:
    """One engine, its writers and its bells.

    on_full   called when the disk is full; True: room was made, the operation runs again
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], float],
        new_id: Callable[[str], str],
        on_full: Callable[[], bool] = lambda: False,
        max_batch: int = MAX_BATCH,
    ) -> None:
        self.engine = engine
        self.queue_bell = Bell()
        self.event_bell = Bell()
        self.keeper_bell = Bell()
        self.fault: StoreError | None = None
        self.now = clock
        self.new_id = new_id
        self._on_full = on_full
        self._max_batch = max_batch
        self._inbox: asyncio.Queue[_Waiting[Any] | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._message_bells: WeakValueDictionary[str, Bell] = WeakValueDictionary()
        self._closed = False

    def message_bell(self, message_id: str) -> Bell:
        """Rings for the events of this message; there as long as somebody holds it."""
        return self._message_bells.setdefault(message_id, Bell())

    async def open(self) -> None:
        """Brings the schema to the newest version and starts the writers. Raises StoreError."""
        await self._migrate()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work(), name=f"store writer {n}") for n in range(self.engine.writers)]
        self._tasks.append(loop.create_task(self.engine.listen(self._heard), name="store listener"))

    async def close(self) -> None:
        """Finishes what was begun. May be called twice."""
        self._closed = True
        writers, listeners = self._tasks[: self.engine.writers], self._tasks[self.engine.writers :]
        self._tasks = []
        for _ in writers:
            self._inbox.put_nowait(None)
        for task in listeners:
            task.cancel()
        if writers or listeners:
            await asyncio.wait([*writers, *listeners])
        await self.engine.close()

    async def write(self, op: Op[T]) -> T:
        """Runs the operation and commits it. Cancelling the caller undoes nothing. Raises StoreError, and what `op` raises."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        waiting = _Waiting(op)
        self._inbox.put_nowait(waiting)
        return await asyncio.shield(waiting.done)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees all that was committed. Raises StoreError."""
        try:
            async with self.engine.read.connect() as connection:
                yield connection
        except (DBAPIError, OSError, TimeoutError) as error:
            raise self._judged(error) from error

    # The writers.

    async def _work(self) -> None:
        while (first := await self._inbox.get()) is not None:
            batch = [first, *self._more()]
            await self._serve(batch)

    def _more(self) -> list[_Waiting[Any]]:
        more: list[_Waiting[Any]] = []
        while len(more) < self._max_batch - 1 and not self._inbox.empty():
            waiting = self._inbox.get_nowait()
            if waiting is None:
                self._inbox.put_nowait(None)
                break
            more.append(waiting)
        return more

    async def _serve(self, batch: list[_Waiting[Any]]) -> None:
        """All in one transaction; when that fails by one of them, each in its own."""
        try:
            results = await self._commit([waiting.op for waiting in batch])
        except Exception as error:  # noqa: BLE001 - a supervisor: whatever an operation raises belongs to who asked for it
            await self._after_failure(batch, error)
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.finish(result)

    async def _after_failure(self, batch: list[_Waiting[Any]], error: Exception) -> None:
        known = self._judged(error)
        if len(batch) > 1 and not isinstance(known, StoreUnavailable):
            for waiting in batch:
                await self._serve([waiting])
            return
        for waiting in batch:
            waiting.finish(_Raised(known))

    async def _commit(self, ops: list[Op[Any]]) -> list[Any]:
        """Again when nothing can have been committed and the cause is gone: a lost race, a stale connection, room made on a full disk."""
        for last in (*[False] * (TRANSIENT_TRIES - 1), True):
            committing = [False]
            try:
                return await self._transaction(ops, committing)
            except Exception as error:
                if last or not self._is_worth_another(error, committing[0]):
                    raise
        raise AssertionError("unreachable")

    def _is_worth_another(self, error: Exception, committing: bool) -> bool:
        if isinstance(error, Again) or is_transient(error):
            return True
        if isinstance(error, DBAPIError) and isinstance(translated(error), StoreFull):
            return self._on_full()
        return is_disconnect(error) and not committing

    async def _transaction(self, ops: list[Op[Any]], committing: list[bool]) -> list[Any]:
        async with self.engine.write.connect() as connection:
            await connection.begin()
            tx = Tx(connection, self.now(), self.new_id)
            results = [await _run(op, tx) for op in ops]
            if tx.events or tx.wakes_queue:
                await self._write_events(connection, tx)
            committing[0] = True
            await connection.commit()
        self._ring(tx.wakes_queue, [event["message_id"] for event in tx.events])
        self._ring_messages(tx.changed)
        if tx.wakes_keeper:
            self.keeper_bell.ring()
        return results

    async def _write_events(self, connection: AsyncConnection, tx: Tx) -> None:
        await self.engine.before_commit(connection, has_events=bool(tx.events), wakes_queue=tx.wakes_queue)
        if tx.events:
            await connection.execute(insert(events), tx.events)

    def _ring(self, queue: bool, told: Collection[str | None]) -> None:
        """`told`: the messages that the new events are about, one for each event."""
        if queue:
            self.queue_bell.ring()
        if told:
            self.event_bell.ring()
        self._ring_messages(told)

    def _ring_messages(self, told: Collection[str | None]) -> None:
        for message_id in told:
            if message_id is not None and (bell := self._message_bells.get(message_id)) is not None:
                bell.ring()

    def _heard(self, wakes_queue: bool) -> None:
        """Another process committed something; it does not say about which messages."""
        self._ring(wakes_queue, [None, *self._message_bells])

    def _judged(self, error: Exception) -> Exception:
        """In our words where they are the database's; remembers what ends all trust in the disk."""
        known = translated(error)
        if isinstance(known, StoreCorrupt) or is_disk_fault(error):
            if self.fault is None:
                _log.critical("the store accepts nothing more: %s", known, extra={"engine": self.engine.name})
                if self.engine.file is not None and isinstance(known, StoreCorrupt):
                    mark_damaged(self.engine.file, known.detail)
            self.fault = self.fault or known
        return known or error

    # The schema.

    async def _migrate(self) -> None:
        try:
            async with self.engine.write.begin() as connection:
                await self.engine.before_events(connection)
                await self._migrate_in(connection)
        except (DBAPIError, OSError, TimeoutError) as error:
            raise self._judged(error) from error

    async def _migrate_in(self, connection: AsyncConnection) -> None:
        await connection.execute(
            text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)")
        )
        versions = (await connection.execute(select(schema_version.c.version))).scalars().all()
        present = max(versions, default=0)
        if present > NEWEST:
            raise StoreError(f"the database has schema {present}, this mmsproxy knows {NEWEST}", cure="install the newer mmsproxy again")
        for step in STEPS[present:]:
            for statement in step.sql(self.engine.name):
                await connection.exec_driver_sql(statement)
            await connection.execute(insert(schema_version), {"version": step.version, "applied_at": self.now()})
            _log.info("schema %d: %s", step.version, step.what)

"""Transactions: grouping, undoing, errors in our words; on both engines where both can."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from mmsproxy.errors import StoreError, StoreFull, StoreUnavailable
from mmsproxy.post.database import Again, Database
from mmsproxy.post.engines import open_engine
from mmsproxy.post.job import NotAllowed
from mmsproxy.post.migrations import NEWEST
from mmsproxy.post.schema import optouts
from mmsproxy.post.store import Store


def opt_out(number: str):
    async def op(tx) -> str:
        await tx.run(insert(optouts).values(number=number, at=tx.now, word="STOP"))
        tx.announce("contact.opted_out", {"number": number})
        return number

    return op


async def numbers(database: Database) -> set[str]:
    async with database.read() as connection:
        return set((await connection.execute(select(optouts.c.number))).scalars())


async def test_operations_that_wait_together_share_a_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []
    transaction = store.database._transaction

    async def counted(ops, committing):
        batches.append(len(ops))
        return await transaction(ops, committing)

    monkeypatch.setattr(store.database, "_transaction", counted)
    answers = await asyncio.gather(*(store.write(opt_out(f"+{n}")) for n in range(200)))
    assert answers == [f"+{n}" for n in range(200)]
    assert sum(batches) == 200
    assert len(batches) < 100
    assert max(batches) <= 64


async def test_one_that_fails_is_undone_alone(store: Store) -> None:
    async def fails_late(tx) -> None:
        await opt_out("+late")(tx)
        raise NotAllowed("no")

    async def breaks(tx) -> None:
        await opt_out("+0")(tx)

    await store.write(opt_out("+0"))
    ops = [opt_out("+1"), fails_late, opt_out("+2"), breaks, opt_out("+3")]
    answers = await asyncio.gather(*(store.write(op) for op in ops), return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, NotAllowed, str, IntegrityError, str]
    assert await numbers(store.database) == {"+0", "+1", "+2", "+3"}
    assert [event.data["number"] for event in await store.events_after(0)] == ["+0", "+1", "+2", "+3"]


async def test_a_lost_race_is_run_again(store: Store) -> None:
    runs = []

    async def op(tx) -> int:
        await opt_out("+1")(tx)
        runs.append(1)
        if len(runs) < 3:
            raise Again
        return len(runs)

    assert await store.write(op) == 3
    assert await numbers(store.database) == {"+1"}


async def test_a_race_that_is_always_lost(store: Store) -> None:
    async def op(tx) -> None:
        raise Again

    with pytest.raises(Again):
        await store.write(op)
    await store.write(opt_out("+1"))


async def test_what_is_closed_says_so(place) -> None:
    store = await place.open()
    waiting = [asyncio.create_task(store.write(opt_out(f"+{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    await store.close()  # finishes what was begun
    assert len(await asyncio.gather(*waiting)) == 10
    with pytest.raises(StoreUnavailable):
        await store.write(opt_out("+x"))


async def test_a_database_of_a_newer_program(place) -> None:
    store = await place.open()

    async def newer(tx) -> None:
        await tx.run(text(f"INSERT INTO schema_version VALUES ({NEWEST + 1}, 0)"))

    await store.write(newer)
    await store.close()
    with pytest.raises(StoreError, match="install the newer"):
        await place.open()
    undo = Database(open_engine(place.url), clock=place.clock, new_id=place.new_id)
    async with undo.engine.write.begin() as connection:
        await connection.execute(text(f"DELETE FROM schema_version WHERE version > {NEWEST}"))
    await undo.close()


class TestSqliteErrors:
    """Each error class once, raised by the driver itself or as the driver would."""

    async def fail_once(self, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        error = sqlite3.OperationalError("as the driver says")
        error.sqlite_errorcode = code
        left = [1]
        transaction = sqlite_store.database._transaction

        async def failing(ops, committing):
            if left:
                left.pop()
                raise DBAPIError("X", None, error)
            return await transaction(ops, committing)

        monkeypatch.setattr(sqlite_store.database, "_transaction", failing)

    async def test_busy(self, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        await self.fail_once(sqlite_store, monkeypatch, sqlite3.SQLITE_BUSY)
        with pytest.raises(StoreUnavailable, match="as the driver says"):
            await sqlite_store.write(opt_out("+1"))
        await sqlite_store.write(opt_out("+1"))
        sqlite_store.check_intake()

    @pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR | 4 << 8])  # the second: SQLITE_IOERR_FSYNC
    async def test_a_disk_that_cannot_sync_ends_the_intake(self, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        await self.fail_once(sqlite_store, monkeypatch, code)
        with pytest.raises(StoreUnavailable):
            await sqlite_store.write(opt_out("+1"))
        with pytest.raises(StoreUnavailable, match="nothing is accepted"):
            sqlite_store.check_intake()
        await sqlite_store.write(opt_out("+1"))  # states may still be tried

    async def test_full_and_no_room_to_make(self, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        await self.fail_once(sqlite_store, monkeypatch, sqlite3.SQLITE_FULL)
        with pytest.raises(StoreFull):
            await sqlite_store.write(opt_out("+1"))

    async def test_another_holds_the_lock(self, sqlite_store: Store, sqlite_place) -> None:
        with contextlib.closing(sqlite3.connect(sqlite_place.folder / "post.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            written = asyncio.create_task(sqlite_store.write(opt_out("+1")))
            await asyncio.sleep(0.05)
            assert await numbers(sqlite_store.database) == set()  # readers are not stopped by it
            other.execute("COMMIT")
        assert await written == "+1"

    async def test_readers_cannot_write(self, sqlite_store: Store) -> None:
        with pytest.raises(StoreUnavailable):
            async with sqlite_store.database.read() as connection:
                await connection.execute(text("DELETE FROM lines"))

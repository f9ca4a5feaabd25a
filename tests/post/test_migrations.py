"""The way from each older version, on both engines, with rows in it."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import insert, text

from mmsproxy.post.database import Database
from mmsproxy.post.engines import Engine, open_engine
from mmsproxy.post.job import Lease, State
from mmsproxy.post.migrations import ENGINE_WORDS, NEWEST, STEPS
from mmsproxy.post.schema import messages, schema_version

_databases = itertools.count()


@pytest.fixture
async def empty(engine: str, place, request: pytest.FixtureRequest):
    """A place with a database that has nothing in it."""
    if engine == "postgresql":
        place.url = await request.getfixturevalue("cluster").create(f"empty{next(_databases)}")
    return place


async def at_version(engine: Engine, version: int, rows: list[str]) -> None:
    async with engine.write.begin() as connection:
        await connection.execute(
            text("CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)")
        )
        for step in STEPS[:version]:
            for statement in step.sql(engine.name):
                await connection.exec_driver_sql(statement)
            await connection.execute(insert(schema_version), {"version": step.version, "applied_at": 0.0})
        for row in rows:
            await connection.exec_driver_sql(row)


def message_v1(number: int, state: str) -> str:
    return (
        "INSERT INTO messages (id, direction, kind, door, state, line, used_line, priority, created_at, changed_at, due_at, expires_at,"
        " valid_for, attempts, failures, unresolved, resends, fence, fallback, simulated, size, stored, is_group, delivery_report,"
        " read_report, metadata, options, warnings) VALUES"
        f" ('old_{number}', 'outbound', 'mms', 'api', '{state}', '', '', 1, 1, 1, 1, 3e9, 3600, 1, 0, 0, 0, 7, 'sms', FALSE, 3, 3,"
        " FALSE, FALSE, FALSE, '{}', '{}', '[]')"
    )


def attempt_v1(seq: int, outcome: str) -> str:
    return (
        "INSERT INTO attempts (message_seq, number, line, owner, started_at, phase, outcome, code, detail, bytes_offered, bytes_total,"
        f" tries, timings) VALUES ({seq}, 1, 'mint', 'n/1', 1, 3, '{outcome}', '', '', 3, 3, 1, '{{}}')"
    )


async def test_from_version_1(empty, worker, draft, result) -> None:
    rows = [message_v1(1, "queued"), message_v1(2, "unknown"), message_v1(3, "failed"), message_v1(4, "failed")]
    rows += [attempt_v1(2, "unknown"), attempt_v1(3, "unknown"), attempt_v1(4, "not_sent")]
    engine = open_engine(empty.url)
    await at_version(engine, 1, rows)
    await engine.close()
    store = await empty.open()
    doubts = {message.job.id: message.job.was_unknown for message in (await store.page()).messages}
    assert doubts == {"old_1": False, "old_2": True, "old_3": True, "old_4": False}
    assert await store.falling_back() == ("old_4",)
    lease = await store.claim(worker)
    assert isinstance(lease, Lease)
    assert (lease.job.id, lease.job.cost) == ("old_1", 1)
    lease = await store.begin(lease, worker, draft().pdu)
    await store.last_byte(lease)
    assert (await store.finish(lease, result("sent"))).state is State.SENT
    fresh = (await store.accept([draft()])).messages[0]
    assert fresh.job.seq == 5
    await store.close()


@pytest.mark.parametrize("version", range(NEWEST))
async def test_each_older_version_leads_to_the_newest(empty, version: int) -> None:
    engine = open_engine(empty.url)
    await at_version(engine, version, [])
    database = Database(engine, clock=empty.clock, new_id=empty.new_id)
    await database.open()
    async with database.read() as connection:
        versions = (await connection.execute(schema_version.select().order_by(schema_version.c.version))).all()
        assert [row.version for row in versions] == list(range(1, NEWEST + 1))
        assert (await connection.execute(messages.select())).all() == []
    await database.close()


def test_the_steps_are_in_order() -> None:
    assert [step.version for step in STEPS] == list(range(1, NEWEST + 1))
    assert all(step.what for step in STEPS)
    assert {frozenset(words) for words in ENGINE_WORDS.values()} == {frozenset({"seq", "blob"})}


async def test_a_step_that_fails_leaves_the_old_version(empty, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from mmsproxy.post import database as room

    engine = open_engine(empty.url)
    await at_version(engine, NEWEST - 1, [])
    broken = (*STEPS[:-1], replace(STEPS[-1], statements=(*STEPS[-1].statements, "THIS IS NO SQL")))
    monkeypatch.setattr(room, "STEPS", broken)
    database = Database(engine, clock=empty.clock, new_id=empty.new_id)
    with pytest.raises(Exception, match="syntax error"):
        await database.open()
    monkeypatch.undo()
    assert (await _versions(database)) == list(range(1, NEWEST))
    await database.open()
    assert (await _versions(database)) == list(range(1, NEWEST + 1))
    await database.close()


async def _versions(database: Database) -> list[int]:
    async with database.read() as connection:
        return sorted((await connection.execute(schema_version.select())).scalars())

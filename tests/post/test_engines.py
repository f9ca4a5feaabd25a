"""What a database's error means, without a database; what raises them for real stands in test_database and test_postgres."""

from __future__ import annotations

import sqlite3
import sys

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mmsproxy.errors import ConfigError, StoreCorrupt, StoreFull, StoreUnavailable
from mmsproxy.post.engines import is_disconnect, is_disk_fault, is_transient, open_engine, translated


def sqlite_error(code: int) -> DBAPIError:
    error = sqlite3.DatabaseError("words\nof SQLite")
    error.sqlite_errorcode = code
    return DBAPIError("SELECT", None, error)


class PostgresError(Exception):
    def __init__(self, sqlstate: str | None, words: str = "words of PostgreSQL") -> None:
        super().__init__(words)
        self.sqlstate = sqlstate


def postgres_error(sqlstate: str | None, words: str = "words of PostgreSQL", gone: bool = False) -> DBAPIError:
    return DBAPIError("SELECT", None, PostgresError(sqlstate, words), connection_invalidated=gone)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (sqlite_error(sqlite3.SQLITE_CORRUPT), StoreCorrupt),
        (sqlite_error(sqlite3.SQLITE_CORRUPT | 1 << 8), StoreCorrupt),
        (sqlite_error(sqlite3.SQLITE_NOTADB), StoreCorrupt),
        (sqlite_error(sqlite3.SQLITE_FULL), StoreFull),
        (sqlite_error(sqlite3.SQLITE_BUSY), StoreUnavailable),
        (sqlite_error(sqlite3.SQLITE_IOERR), StoreUnavailable),
        (sqlite_error(sqlite3.SQLITE_CANTOPEN), StoreUnavailable),
        (sqlite_error(sqlite3.SQLITE_CONSTRAINT), None),
        (postgres_error("53100"), StoreFull),
        (postgres_error("57P01"), StoreUnavailable),
        (postgres_error("08006"), StoreUnavailable),
        (postgres_error("28000"), StoreUnavailable),
        (postgres_error("3D000"), StoreUnavailable),
        (postgres_error("40P01"), StoreUnavailable),
        (postgres_error("23505"), None),
        (postgres_error("42601"), None),
        (postgres_error(None, "connection was closed in the middle of operation"), StoreUnavailable),
        (postgres_error(None, "something else"), None),
        (postgres_error("23505", gone=True), StoreUnavailable),
        (ConnectionRefusedError("no"), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
        (PoolTimeout("pool"), StoreUnavailable),
        (ValueError("ours"), None),
    ],
)
def test_errors_in_our_words(error: Exception, kind: type | None) -> None:
    known = translated(error)
    assert type(known) is (kind or type(None))
    if known is not None:
        assert "\n" not in str(known)


def test_an_error_of_ours_stays_as_it_is() -> None:
    error = StoreFull("x")
    assert translated(error) is error


def test_a_cause_that_is_the_networks() -> None:
    error = postgres_error(None, "unspecified")
    error.orig.__cause__ = ConnectionResetError("reset")
    assert isinstance(translated(error), StoreUnavailable)


def test_what_may_be_tried_again() -> None:
    assert [is_transient(postgres_error(state)) for state in ("40001", "40P01", "23505", None)] == [True, True, False, False]
    assert not is_transient(ValueError())
    assert is_disconnect(ConnectionResetError())
    assert is_disconnect(postgres_error(None, gone=True))
    assert not is_disconnect(postgres_error("23505"))
    assert is_disk_fault(sqlite_error(sqlite3.SQLITE_IOERR | 4 << 8))
    assert not is_disk_fault(sqlite_error(sqlite3.SQLITE_BUSY))
    assert not is_disk_fault(ValueError())


async def test_postgres_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mmsproxy.post.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigError, match="fleet"):
        open_engine("postgresql+asyncpg://u@h/d")


async def test_sqlite_is_durable(sqlite_store) -> None:
    from sqlalchemy import text

    async def look(tx) -> list[object]:
        return [(await tx.run(text(f"PRAGMA {name}"))).scalar_one() for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await sqlite_store.write(look) == ["wal", 2, 1]

"""What differs between SQLite and PostgreSQL, all of it: how they are opened, how a transaction begins, what their errors mean.

Rule 1: no statement of the post office is made here, and no other module asks which engine it is. Rule 2: a database's exception is
turned into one of StoreUnavailable, StoreFull, StoreCorrupt here, or it is a bug and stays as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mmsproxy.errors import ConfigError, StoreCorrupt, StoreError, StoreFull, StoreUnavailable

BUSY_TIMEOUT = 5.0  # seconds
READERS = 4

PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "journal_size_limit = 67108864")

# SQLSTATEs, or the beginnings of some.
_PG_FULL = ("53100",)  # disk_full
_PG_AGAIN = ("40001", "40P01")  # serialization_failure, deadlock_detected
# Connection, shutdown, too many connections, lock timeout, idle in transaction; wrong login, no such database.
_PG_AWAY = ("08", "57P", "53300", "55P03", "25P03", "28", "3D000")


class Engine(Protocol):
    """One database."""

    name: str
    writers: int
    write: AsyncEngine
    read: AsyncEngine
    file: Path | None

    async def before_events(self, connection: AsyncConnection) -> None:
        """Whatever makes the numbers of events go up in the order of the commits."""

    async def before_commit(self, connection: AsyncConnection, *, has_events: bool, wakes_queue: bool) -> None:
        """The same where there are events to be written; and lets other processes on this database know, once it is committed."""

    async def listen(self, ring: Callable[[bool], None]) -> None:
        """Calls `ring(wakes_queue)` for what others commit, as long as it runs."""

    async def close(self) -> None: ...


class Sqlite:
    """A file. One connection writes (a second would wait in busy loops), a few read."""

    name = "sqlite"
    writers = 1

    def __init__(self, url: URL) -> None:
        self.file: Path | None = Path(url.database or "")
        self.write = create_async_engine(url, pool_size=1, max_overflow=0)
        self.read = create_async_engine(url, pool_size=READERS, max_overflow=0)
        _prepare(self.write, "BEGIN IMMEDIATE", PRAGMAS)
        _prepare(self.read, "BEGIN", (*PRAGMAS, "query_only = ON"))

    async def before_events(self, connection: AsyncConnection) -> None:
        return

    async def before_commit(self, connection: AsyncConnection, *, has_events: bool, wakes_queue: bool) -> None:
        return

    async def listen(self, ring: Callable[[bool], None]) -> None:
        return

    async def close(self) -> None:
        await self.read.dispose()
        await self.write.dispose()


def open_engine(url: str) -> Engine:
    """From `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER@HOST/NAME`. Opens nothing yet. Raises ConfigError."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(("store.url - is no URL; write sqlite+aiosqlite:///data/post.db",)) from None
    if parsed.drivername == "sqlite+aiosqlite" and parsed.database and parsed.database != ":memory:":
        return Sqlite(parsed)
    if parsed.drivername == "postgresql+asyncpg":
        return _postgres(parsed)
    raise ConfigError(
        (f"store.url - {parsed.drivername} is not supported; write sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME",)
    )


def _postgres(url: URL) -> Engine:
    try:
        from mmsproxy.post.postgres import Postgres
    except ModuleNotFoundError:
        raise ConfigError(("store.url - PostgreSQL needs one more package: pip install 'mmsproxy[fleet]'",)) from None
    return Postgres(url)


def _prepare(engine: AsyncEngine, begin: str, pragmas: tuple[str, ...]) -> None:
    """The driver's own way to begin transactions is switched off: it begins too late, and not IMMEDIATE."""

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: DBAPIConnection, record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)


# What an error means.


def is_transient(error: BaseException) -> bool:
    """The transaction lost against another one: the same again may succeed."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in _PG_AGAIN


def translated(error: BaseException) -> StoreError | None:
    """The error in our words; None when it is none of the database's but a mistake of the program."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, PoolTimeout | OSError | TimeoutError):
        return StoreUnavailable(f"the database cannot be used: {_line(error)}")
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        return _from_sqlite(error.orig)
    return _from_postgres(error)


def is_disconnect(error: BaseException) -> bool:
    return isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def is_disk_fault(error: BaseException) -> bool:
    """The disk failed to write or to sync: what it holds is not certain any more, so nothing new may be promised (delivery.md 10)."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    return isinstance(orig, sqlite3.Error) and getattr(orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR


def _from_sqlite(error: sqlite3.Error) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(f"the database file is damaged: {_line(error)}", cure="restart; it is moved aside then")
    if code == sqlite3.SQLITE_FULL:
        return StoreFull("the disk is full")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return StoreUnavailable(f"the database cannot be used: {_line(error)}")
    return None


def _from_postgres(error: DBAPIError) -> StoreError | None:
    state = _sqlstate(error)
    if state in _PG_FULL:
        return StoreFull("the disk of the database server is full")
    if error.connection_invalidated or state.startswith(_PG_AWAY) or state in _PG_AGAIN or (not state and _is_connection_error(error)):
        return StoreUnavailable(f"the database cannot be used: {_line(error.orig or error)}")
    return None


def _is_connection_error(error: DBAPIError) -> bool:
    return any(isinstance(cause, OSError | TimeoutError | ConnectionError) for cause in _causes(error)) or "connection" in str(error.orig)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (cause.orig if isinstance(cause, DBAPIError) else None)


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")


def _line(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]

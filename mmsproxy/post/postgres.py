"""PostgreSQL as the store's engine: several gateways on one database. Imported only when a configuration names it (extra `fleet`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from mmsproxy.post.engines import READERS, translated

WRITERS = 2  # one works on its batch while the other waits for the disk
CONNECT_TIMEOUT = 5.0  # seconds
COMMAND_TIMEOUT = 30.0  # seconds
IDLE_IN_TRANSACTION = "15s"  # a gateway that froze must not hold the others' locks
NOTIFY_CHANNEL = "mmsproxy_post"
EVENT_LOCK = 0x6D6D7370  # "mmsp": events are numbered in the order of their commits
LISTEN_PAUSE = 1.0  # seconds between two tries to listen

_LOCK = f"pg_advisory_xact_lock({EVENT_LOCK})"

_log = logging.getLogger(__name__)


class Postgres:
    """A server. Others may use the same database at the same time."""

    name = "postgresql"
    writers = WRITERS
    file: Path | None = None

    def __init__(self, url: URL) -> None:
        settings = {"application_name": "mmsproxy", "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION, "jit": "off"}
        arguments = {"timeout": CONNECT_TIMEOUT, "command_timeout": COMMAND_TIMEOUT, "server_settings": settings}
        self.write = create_async_engine(url, pool_size=self.writers + 1, max_overflow=0, connect_args=arguments)  # one more to listen
        # Each statement of a READ COMMITTED transaction has a snapshot of its own anyway; without one, two turns to the server are saved.
        options = {"pool_size": READERS, "max_overflow": 0, "pool_pre_ping": True, "isolation_level": "AUTOCOMMIT"}
        self.read = create_async_engine(url, connect_args=arguments, **options)

    async def before_events(self, connection: AsyncConnection) -> None:
        await connection.execute(text(f"SELECT {_LOCK}"))

    async def before_commit(self, connection: AsyncConnection, *, has_events: bool, wakes_queue: bool) -> None:
        """In one statement: the server holds a notification back until the commit."""
        notify = f"pg_notify('{NOTIFY_CHANNEL}', '{'queue' if wakes_queue else 'event'}')"
        await connection.execute(text(f"SELECT {_LOCK}, {notify}" if has_events else f"SELECT {notify}"))

    async def listen(self, ring: Callable[[bool], None]) -> None:
        """A ring is only a hint: one that is lost while the connection is made anew costs the time of one poll."""
        while True:
            try:
                await self._listen_once(ring)
            except (DBAPIError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("not listening to the database: %s", translated(error) or error)
            await asyncio.sleep(LISTEN_PAUSE)

    async def _listen_once(self, ring: Callable[[bool], None]) -> None:
        async with self.write.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            gone = asyncio.Event()
            driver.add_termination_listener(lambda _: gone.set())
            await driver.add_listener(NOTIFY_CHANNEL, lambda *call: ring(call[-1] == "queue"))
            try:
                await gone.wait()
            finally:
                await connection.invalidate()

    async def close(self) -> None:
        await self.read.dispose()
        await self.write.dispose()

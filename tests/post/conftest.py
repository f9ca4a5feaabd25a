"""What the tests of the post office share: a store on each engine, a clock that stands still, a PostgreSQL of this session's own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.link import Phase
from mmsproxy.post.job import Result
from mmsproxy.post.migrations import STEPS
from mmsproxy.post.records import Draft, Pdu
from mmsproxy.post.schema import metadata
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker

START = 1_800_000_000.0  # 2027-01-15
NEEDS_POSTGRES = "needs_postgres"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{NEEDS_POSTGRES}: needs Debian's postgresql (server binaries)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `engine` runs on both."""
    if "engine" in metafunc.fixturenames:
        both = ["sqlite", pytest.param("postgresql", marks=getattr(pytest.mark, NEEDS_POSTGRES))]
        metafunc.parametrize("engine", both, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker(NEEDS_POSTGRES) and (missing := _missing_postgres()):
        if os.environ.get("CI") == "true":
            pytest.fail(f"not here: {missing} (CI=true)", pytrace=False)
        pytest.skip(f"not here: {missing}")


def _binaries() -> Path | None:
    """The newest server that is installed; Debian keeps it off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).parent if there else None


def _missing_postgres() -> str:
    if _binaries() is None:
        return "PostgreSQL's server binaries (apt install postgresql)"
    if os.geteuid() == 0 and (shutil.which("runuser") is None or not _is_user("postgres")):
        return "runuser and a user postgres: PostgreSQL does not run as root"
    return ""


def _is_user(name: str) -> bool:
    import pwd

    return any(entry.pw_name == name for entry in pwd.getpwall())


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server of our own, on a Unix socket in its own folder."""

    folder: Path
    prefix: tuple[str, ...]
    binaries: Path
    databases: list[str] = field(default_factory=list)

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run([*self.prefix, str(self.binaries / program), *arguments], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://mmsproxy@/{name}?host={self.folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c fsync=off -c max_connections=50 -k {self.folder}"
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    async def execute(self, *statements: str, database: str = "postgres") -> None:
        import asyncpg

        connection = await asyncpg.connect(host=str(self.folder), user="mmsproxy", database=database)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def create(self, name: str) -> str:
        await self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    async def cleared(self) -> str:
        """The session's shared database as it is after the migrations: emptying it takes a tenth of the time of a new one."""
        if "shared" not in self.databases:
            self.databases.append("shared")
            url = await self.create("shared")
            await (await open_store(url, media=self.folder / "media", clock=Clock(), new_id=str)).close()
        tables = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables if table.name != "schema_version")
        seeds = [sql for step in STEPS for sql in step.sql("postgresql") if sql.startswith("INSERT")]
        await self.execute(f"TRUNCATE {tables} RESTART IDENTITY", *seeds, database="shared")
        return self.url("shared")


def _make_cluster() -> Cluster:
    binaries = _binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="mmsproxy-pg-"))  # a socket's path may have 107 octets only, so not in tmp_path
    prefix = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    if prefix:
        shutil.chown(folder, "postgres")
    cluster = Cluster(folder, prefix, binaries)
    cluster.run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "mmsproxy", "-E", "UTF8", "--locale=C", "--no-sync")
    return cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    made = _make_cluster()
    made.start()
    yield made
    made.stop()
    shutil.rmtree(made.folder)


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """One that a test may stop and start."""
    made = _make_cluster()
    made.start()
    yield made
    made.stop()
    shutil.rmtree(made.folder)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Place:
    """Where a store of this test lives, so that it can be opened again."""

    url: str
    folder: Path
    clock: Clock
    ids: Iterator[int] = field(default_factory=itertools.count)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self.ids):06}"

    async def open(self, **options: Any) -> Store:
        options = {"reserve": 0, "low_water": 0, **options}
        return await open_store(self.url, media=self.folder / "media", clock=self.clock, new_id=self.new_id, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cluster_of(request: pytest.FixtureRequest) -> Cluster:
    """Asked for by name, so that SQLite's tests start no server."""
    made: Cluster = request.getfixturevalue("cluster")
    return made


@pytest.fixture
async def place(engine: str, tmp_path: Path, clock: Clock, request: pytest.FixtureRequest) -> Place:
    if engine == "sqlite":
        return Place(f"sqlite+aiosqlite:///{tmp_path}/post.db", tmp_path, clock)
    return Place(await cluster_of(request).cleared(), tmp_path, clock)


@pytest.fixture
def sqlite_place(tmp_path: Path, clock: Clock) -> Place:
    """For what only a file has: one process, one disk, one clock."""
    return Place(f"sqlite+aiosqlite:///{tmp_path}/post.db", tmp_path, clock)


@pytest.fixture
async def postgres_place(cluster: Cluster, tmp_path: Path, clock: Clock) -> Place:
    """For what only a server has: other processes. The test is marked needs_postgres."""
    return Place(await cluster.cleared(), tmp_path, clock)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    opened = await place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(sqlite_place: Place) -> AsyncIterator[Store]:
    opened = await sqlite_place.open()
    yield opened
    await opened.close()


@pytest.fixture
def worker() -> Worker:
    return Worker("node/1", "mint")


@pytest.fixture
def draft() -> Callable[..., Draft]:
    """A draft to one number with a PDU; anything may be named."""

    def make(**fields: Any) -> Draft:
        given = {"recipients": ("+12025550123",), "pdu": Pdu(b"\x8c\x80\x98T1\x00\x8d\x92"), "transaction_id": "T1"}
        return Draft(**{**given, **fields})

    return make


@pytest.fixture
def result() -> Callable[..., Result]:
    """What an attempt came to, by the name of its outcome."""

    def make(outcome: str, **fields: Any) -> Result:
        usual: dict[str, dict[str, Any]] = {
            "sent": {"phase": Phase.ANSWER_WHOLE, "response_status": 0x80, "carrier_message_id": "m-1", "answer": b"\x8c\x81"},
            "partial": {"phase": Phase.ANSWER_WHOLE, "code": "partial", "response_status": 0xC4},
            "refused": {"phase": Phase.ANSWER_WHOLE, "code": "mmsc_error", "response_status": 0xE0, "detail": "refused"},
            "not_sent": {"phase": Phase.OPEN, "code": "connect_failed", "retryable": True, "detail": "no way"},
            "unknown": {"phase": Phase.LAST_BYTE, "code": "answer_timeout", "detail": "no answer"},
        }
        return Result(Outcome(outcome), **{**usual[outcome], **fields})

    return make

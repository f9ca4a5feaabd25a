"""The store as a whole, on both engines; the rooms behind it have tests of their own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmsproxy.errors import ConfigError, StoreCorrupt, StoreFull, StoreUnavailable
from mmsproxy.post.job import Result, State
from mmsproxy.post.records import Draft, NewMedia
from mmsproxy.post.store import Store, new_owner
from mmsproxy.post.work import Worker

MakeDraft = Callable[..., Draft]
MakeResult = Callable[..., Result]


async def test_what_was_accepted_is_there_after_the_store_was_opened_again(place, draft: MakeDraft) -> None:
    store = await place.open()
    accepted = (await store.accept([draft(media=(NewMedia("image/jpeg", b"\xff\xd8"),))])).messages[0]
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.accept([draft()])
    store = await place.open()
    assert await store.message(accepted.job.id) == accepted
    await store.close()


async def test_many_at_once_share_their_commits(store: Store, draft: MakeDraft) -> None:
    """8 clients, each waiting for its own: every one of them is durable, and none is lost or twice there."""

    async def client(number: int) -> list[str]:
        return [(await store.accept([draft(tag=f"{number}.{n}")])).messages[0].job.id for n in range(10)]

    ids = list(itertools.chain(*await asyncio.gather(*(client(number) for number in range(8)))))
    assert len(set(ids)) == 80
    assert {message.job.id for message in (await store.page(limit=200)).messages} == set(ids)
    assert [event.seq for event in await store.events_after(0)] == list(range(1, 81))


async def test_a_caller_that_goes_away_undoes_nothing(store: Store, draft: MakeDraft) -> None:
    asked = asyncio.create_task(store.accept([draft()]))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await store.accept([draft()])
    async with asyncio.timeout(60):
        while len((await store.page()).messages) < 2:
            await asyncio.sleep(0.01)


async def test_waiting_for_an_outcome(store: Store, worker: Worker, draft: MakeDraft, result: MakeResult) -> None:
    message = (await store.accept([draft()])).messages[0]

    def is_sent(found) -> bool:
        return found.job.state is State.SENT

    waiting = asyncio.create_task(store.wait_for(message.job.id, is_sent, 60))
    assert (await store.wait_for(message.job.id, is_sent, 0.01)).job.state is State.QUEUED
    lease = await store.begin(await store.claim(worker), worker, draft().pdu)
    await store.last_byte(lease)
    await store.finish(lease, result("sent"))
    assert (await waiting).job.state is State.SENT


async def test_the_bells(store: Store, draft: MakeDraft) -> None:
    queue, log = store.queue_bell.ticket, store.event_bell.ticket
    message = (await store.accept([draft()])).messages[0]
    assert await store.queue_bell.wait(queue, 60)
    assert await store.event_bell.wait(log, 60)
    log = store.event_bell.ticket
    await store.cancel(message.job.id)
    assert await store.event_bell.wait(log, 60)


@pytest.mark.needs_postgres
async def test_another_process_hears_the_bells(postgres_place, draft: MakeDraft) -> None:
    one, other = await postgres_place.open(), await postgres_place.open()
    heard = other.queue_bell.ticket
    while not await other.queue_bell.wait(heard, 0.05):  # until it listens
        message = (await one.accept([draft()])).messages[0]
    assert (await other.message(message.job.id)).job.state is State.QUEUED
    await one.close()
    await other.close()


@pytest.mark.needs_postgres
async def test_two_processes_never_claim_the_same(postgres_place, draft: MakeDraft) -> None:
    stores = [await postgres_place.open(), await postgres_place.open()]
    await stores[0].accept([draft() for _ in range(30)])
    found = await asyncio.gather(*(stores[n % 2].claim(Worker(f"node{n % 2}/1", f"line{n}")) for n in range(30)))
    assert len({lease.job.id for lease in found}) == 30
    for store in stores:
        await store.close()


@pytest.mark.needs_postgres
async def test_two_processes_accept_one_key_once(postgres_place, draft: MakeDraft) -> None:
    from mmsproxy.post.records import IdempotencyKey

    stores = [await postgres_place.open(), await postgres_place.open()]
    for n in range(10):
        key = IdempotencyKey("tok", f"key{n}", "aa")
        posts = [store.accept_post(draft(client="c", pdu=draft().pdu, tag=str(n))) for store in stores]
        answers = await asyncio.gather(*(store.accept([draft()], key=key) for store in stores), *posts)
        assert len({answer.messages[0].job.id for answer in answers[:2]}) == 1
    assert len((await stores[0].page(limit=200)).messages) == 11
    for store in stores:
        await store.close()


async def test_one_process_to_a_file(sqlite_place) -> None:
    store = await sqlite_place.open()
    with pytest.raises(StoreUnavailable, match="another process"):
        await sqlite_place.open()
    await store.close()
    await (await sqlite_place.open()).close()


@pytest.mark.parametrize("url", ["sqlite:///x.db", "sqlite+aiosqlite://", "mysql+aiomysql://h/d", "no url", "sqlite+aiosqlite:///:memory:"])
async def test_urls_that_are_none(sqlite_place, url: str) -> None:
    sqlite_place.url = url
    with pytest.raises(ConfigError, match=r"store\.url"):
        await sqlite_place.open()


async def test_a_folder_that_cannot_be_written(sqlite_place) -> None:
    (sqlite_place.folder / "file").write_text("x")
    sqlite_place.url = f"sqlite+aiosqlite:///{sqlite_place.folder}/file/post.db"
    with pytest.raises(StoreUnavailable, match=r"store\.url"):
        await sqlite_place.open()


# A damaged file


def _damage(path, how: str) -> None:
    data = path.read_bytes()
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "zeros":
        path.write_bytes(data[:4096] + bytes(8192) + data[12288:])
    elif how == "text":
        path.write_bytes(b"this is no database at all\n" * 200)
    else:
        path.write_bytes(b"\x00" * 100 + data[100:])


@pytest.mark.parametrize("how", ["cut", "zeros", "text", "header"])
async def test_a_damaged_file_is_moved_aside(sqlite_place, draft: MakeDraft, how: str) -> None:
    store = await sqlite_place.open()
    kept = (await store.accept([draft(media=(NewMedia("text/plain", b"kept"),)) for _ in range(20)])).messages[0].media[0]
    await store.close()
    _damage(sqlite_place.folder / "post.db", how)
    store = await sqlite_place.open()
    assert len(store.alarms) == 1
    assert "damaged" in store.alarms[0]
    (aside,) = sqlite_place.folder.glob("post.db.damaged-20270115T080000Z")
    assert str(aside) in store.alarms[0]
    assert aside.stat().st_size > 0
    assert (await store.page()).messages == ()
    await store.accept([draft()])
    assert await store.media(kept) == b"kept"
    await store.close()
    store = await sqlite_place.open()  # no loop
    assert store.alarms == ()
    assert len((await store.page()).messages) == 1
    await store.close()


async def test_damage_that_shows_in_use(sqlite_place, draft: MakeDraft) -> None:
    store = await sqlite_place.open()
    await store.accept([draft(text="x" * 2000) for _ in range(300)])
    path = sqlite_place.folder / "post.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        other.execute("PRAGMA user_version = 7")  # the store's cache is out of date
    with pytest.raises(StoreCorrupt):
        await store.accept([draft()])
    with pytest.raises(StoreUnavailable, match="nothing is accepted"):
        store.check_intake()
    await store.close()
    assert (sqlite_place.folder / "post.db.damaged").exists()
    store = await sqlite_place.open()
    assert len(store.alarms) == 1
    await store.accept([draft()])
    await store.close()


# A full disk


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 32 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.needs_root
async def test_a_full_disk(sqlite_place, small_disk: Path, draft: MakeDraft, worker: Worker, result: MakeResult) -> None:
    """Intake ends, what is there still goes its way, and when there is room again all is as before."""
    sqlite_place.url, reserve = f"sqlite+aiosqlite:///{small_disk}/post.db", small_disk / "post.db.reserve"
    store = await sqlite_place.open(reserve=8 << 20, low_water=1 << 20)
    messages = (await store.accept([draft() for _ in range(20)])).messages
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
    with pytest.raises(StoreFull, match="octets are free"):
        await store.accept([draft()])
    assert reserve.exists()
    for _ in messages:
        lease = await store.begin(await store.claim(worker), worker, draft().pdu)
        await store.last_byte(lease)
        assert (await store.finish(lease, result("sent", answer=b"ok"))).state is State.SENT
    assert not reserve.exists()
    (small_disk / "filler").unlink()
    await store.accept([draft()])
    assert reserve.exists()
    await store.close()


def test_owners_are_never_the_same() -> None:
    owners = {new_owner("node") for _ in range(100)}
    assert len(owners) == 100
    assert all(owner.startswith("node/") for owner in owners)

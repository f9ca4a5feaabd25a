from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from mmsproxy.errors import StoreFull, StoreUnavailable
from mmsproxy.post.disk import Owner, Reserve, damage, mark_damaged, move_aside, prepare_folder


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "post.db"
    prepare_folder(path)
    return path


def test_the_folder_is_this_users_only(database: Path) -> None:
    assert database.parent.stat().st_mode & 0o777 == 0o700
    assert database.stat().st_mode & 0o777 == 0o600
    prepare_folder(database)


def test_one_owner(database: Path) -> None:
    owner = Owner(database)
    with pytest.raises(StoreUnavailable, match="another process"):
        Owner(database)
    owner.release()
    Owner(database).release()


def test_the_reserve(database: Path) -> None:
    reserve = Reserve(database, size=1 << 20, low_water=0)
    assert not reserve.give_up()
    reserve.hold()
    reserve.hold()
    reserve.check_intake()
    file = database.parent / "post.db.reserve"
    assert file.stat().st_blocks * 512 >= 1 << 20  # really there, not a hole
    assert reserve.give_up()
    assert not file.exists()
    reserve.check_intake()
    assert reserve.is_held


def test_below_the_mark(database: Path) -> None:
    reserve = Reserve(database, size=1 << 20, low_water=1 << 60)
    reserve.hold()
    assert not reserve.is_held
    with pytest.raises(StoreFull, match="octets are free"):
        reserve.check_intake()


def test_without_a_reserve(database: Path) -> None:
    reserve = Reserve(database, size=0, low_water=0)
    reserve.hold()
    reserve.check_intake()
    assert not reserve.is_held


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_reserve_that_does_not_fit(database: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "posix_fallocate", full)
    reserve = Reserve(database, size=1 << 20, low_water=0)
    if number == errno.EIO:
        with pytest.raises(OSError, match="no"):
            reserve.hold()
    else:
        reserve.hold()
        with pytest.raises(StoreFull):
            reserve.check_intake()
    assert not reserve.is_held


def test_what_is_not_damaged(database: Path) -> None:
    assert damage(database) is None
    assert damage(database.with_name("none")) is None
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    assert damage(database) is None


def test_damage_found_in_use(database: Path) -> None:
    mark_damaged(database, "page 7")
    assert damage(database) == "page 7"
    (database.parent / "post.db-wal").write_bytes(b"w")
    asides = [move_aside(database, "20270115T080000Z")]
    assert damage(database) is None
    prepare_folder(database)
    mark_damaged(database, "")
    assert damage(database) == "found damaged while in use"
    asides.append(move_aside(database, "20270115T080000Z"))
    assert [path.name for path in asides] == ["post.db.damaged-20270115T080000Z", "post.db.damaged-20270115T080000Z-2"]
    assert all(path.exists() for path in asides)
    assert asides[0].with_name(asides[0].name + "-wal").read_bytes() == b"w"


def test_a_large_file_is_looked_at_only(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.post.disk.CHECK_WHOLE_UP_TO", 0)
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    assert damage(database) is None
    database.write_bytes(b"\x01" * 8192)
    assert damage(database) is not None

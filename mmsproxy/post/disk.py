"""The database's files on the disk: one owner, a reserve for the day the disk is full, and a damaged file moved aside.

Rule 1: what was accepted must be able to change its state on a full disk: intake stops first, and the reserve is given up for the rest
(SQLite needs room even for an UPDATE). Rule 2: a damaged file is never deleted and never used again. Blocking; knows no SQL but one check.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import sqlite3
from pathlib import Path

from mmsproxy.errors import StoreFull, StoreUnavailable

RESERVE = 16 * 1024 * 1024  # octets (delivery.md 10, "Disk full"): four times what the log of writes takes until it is used anew
LOW_WATER = 64 * 1024 * 1024  # octets free below which nothing is accepted
CHECK_WHOLE_UP_TO = 256 * 1024 * 1024  # octets; a larger file is not read whole at start, which has to be ready within 2 s
COMPANIONS = ("", "-wal", "-shm")

_log = logging.getLogger(__name__)


class Owner:
    """The lock that makes sure that one process only works on an SQLite file. Held until `release`; the system frees it at a crash."""

    def __init__(self, database: Path) -> None:
        """Raises StoreUnavailable when another process has it."""
        self._file = os.open(_beside(database, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise StoreUnavailable(
                f"another process works on {database}", cure="stop the other mmsproxy, or give this one its own store.url"
            ) from None

    def release(self) -> None:
        os.close(self._file)


class Reserve:
    """Room kept free for changes of state. `low_water` and `size` in octets; 0 switches either off."""

    def __init__(self, database: Path, *, size: int = RESERVE, low_water: int = LOW_WATER) -> None:
        self._path = _beside(database, ".reserve")
        self._folder = database.parent
        self._size = size
        self._low_water = low_water

    @property
    def is_held(self) -> bool:
        return self._path.exists()

    def check_intake(self) -> None:
        """Raises StoreFull below the low-water mark, or while the reserve is given up. Takes the reserve back when there is room again."""
        free = self.free()
        if free < self._low_water or (self._size and not self.is_held and not self._take(free)):
            raise StoreFull(
                f"only {free:,} octets are free on the disk of {self._folder}", cure="free some room; waiting messages still go"
            )

    def hold(self) -> None:
        """Makes the reserve if there is room for it."""
        if self._size and not self.is_held:
            self._take(self.free())

    def give_up(self) -> bool:
        """Frees the reserve; False when it was not there."""
        if not self.is_held:
            return False
        self._path.unlink()
        _log.critical(
            "the disk is full: the reserve was given up so that waiting messages keep their states", extra={"path": str(self._path)}
        )
        return True

    def free(self) -> int:
        """Octets that this process may still write."""
        stat = os.statvfs(self._folder)
        return stat.f_bavail * stat.f_frsize

    def _take(self, free: int) -> bool:
        if free < self._low_water + 2 * self._size:  # not out of what giving it up has just freed
            return False
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, self._size)
        except OSError as error:
            self._path.unlink()
            if error.errno != errno.ENOSPC:
                raise
            return False
        finally:
            os.close(file)
        return True


def prepare_folder(database: Path) -> None:
    """The data folder, for this user only (delivery.md 8). Raises StoreUnavailable."""
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"{database} cannot be opened: {error.strerror}", cure="name a folder that this user may write in store.url"
        ) from None


def mark_damaged(database: Path, detail: str) -> None:
    """Leaves word for the next start that the file must not be used."""
    _beside(database, ".damaged").write_text(detail + "\n")


def damage(database: Path) -> str | None:
    """What is wrong with the file, in one line; None when nothing is."""
    marker = _beside(database, ".damaged")
    if marker.exists():
        return marker.read_text().strip() or "found damaged while in use"
    if not database.exists() or database.stat().st_size == 0:
        return None
    try:
        return _checked(database)
    except sqlite3.DatabaseError as error:
        return str(error)


def _checked(database: Path) -> str | None:
    connection = sqlite3.connect(database, timeout=5)
    try:
        whole = database.stat().st_size <= CHECK_WHOLE_UP_TO
        (answer,) = connection.execute("PRAGMA quick_check(1)" if whole else "SELECT 'ok' FROM sqlite_master LIMIT 1").fetchone() or ("ok",)
        return None if answer == "ok" else str(answer).replace("\n", " ")
    finally:
        connection.close()


def move_aside(database: Path, stamp: str) -> Path:
    """Renames the database and its companions out of the way; returns the new name of the database."""
    aside = _beside(database, f".damaged-{stamp}")
    n = 1
    while aside.exists():
        n += 1
        aside = _beside(database, f".damaged-{stamp}-{n}")
    for suffix in COMPANIONS:
        part = _beside(database, suffix)
        if part.exists():
            part.rename(_beside(aside, suffix))
    _beside(database, ".damaged").unlink(missing_ok=True)
    sync_folder(database.parent)
    return aside


def sync_folder(folder: Path) -> None:
    """Makes a rename durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)

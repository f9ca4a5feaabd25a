"""Media as files, named by their SHA-256, so that one picture sent to a hundred people lies there once.

Rule 1: a file is durable (fsync, rename, fsync of the folder) before a row names it. Rule 2: names come from the content only, never
from a sender. Blocking; knows no database.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from mmsproxy.errors import MediaLost, StoreError, StoreFull
from mmsproxy.post.disk import sync_folder

_NAME = re.compile(r"[0-9a-f]{64}")
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN})  # the process is at a limit; the file is well


class Files:
    """A folder of files; made when it is not there, for this user only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Keeps the octets; returns their SHA-256 in hex. Raises StoreFull, StoreError."""
        name = hashlib.sha256(data).hexdigest()
        place = self._place(name)
        if place.exists() and place.stat().st_size == len(data):
            os.utime(place)  # it is wanted again: not for the sweep
            return name
        try:
            self._write(place, data)
        except OSError as error:
            full = error.errno in (28, 122)  # ENOSPC, EDQUOT
            raise (StoreFull if full else StoreError)(f"a file of {len(data)} octets cannot be kept: {error.strerror}") from None
        return name

    def get(self, name: str) -> bytes:
        """Raises MediaLost when the file is gone or is no longer what it was, StoreError when it may be read later."""
        try:
            data = self._place(name).read_bytes()
        except OSError as error:
            kind = StoreError if error.errno in _PASSING else MediaLost
            raise kind(f"the file {name[:16]} cannot be read: {error.strerror}") from None
        if hashlib.sha256(data).hexdigest() != name:
            raise MediaLost(f"the file {name[:16]} is damaged", cure="send the message again")
        return data

    def remove(self, name: str) -> None:
        self._place(name).unlink(missing_ok=True)

    def older_than(self, moment: float) -> Iterator[str]:
        """Names of the files last wanted before `moment`, seconds since 1970."""
        for place in self._folder.glob("??/*"):
            if _NAME.fullmatch(place.name) and place.stat().st_mtime < moment:
                yield place.name

    def sweep(self, candidates: Collection[str], wanted: Collection[str]) -> int:
        """Removes the candidates that nobody wants; returns how many."""
        unwanted = set(candidates) - set(wanted)
        for name in unwanted:
            self.remove(name)
        return len(unwanted)

    def _place(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StoreError(f"{name[:80]!r} is no name of a kept file")
        return self._folder / name[:2] / name

    def _write(self, place: Path, data: bytes) -> None:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        file, temporary = tempfile.mkstemp(dir=place.parent)
        try:
            with os.fdopen(file, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        sync_folder(place.parent)
        sync_folder(self._folder)

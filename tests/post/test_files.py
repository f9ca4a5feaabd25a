from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from mmsproxy.errors import MediaLost, StoreError, StoreFull
from mmsproxy.post.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "media")


def test_put_and_get(files: Files, tmp_path: Path) -> None:
    name = files.put(b"picture")
    assert name == hashlib.sha256(b"picture").hexdigest()
    assert files.put(b"picture") == name
    assert files.get(name) == b"picture"
    (path,) = (tmp_path / "media").glob("*/*")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "media").stat().st_mode & 0o777 == 0o700
    files.remove(name)
    files.remove(name)
    with pytest.raises(MediaLost, match="cannot be read"):
        files.get(name)


def test_a_file_that_changed(files: Files, tmp_path: Path) -> None:
    name = files.put(b"picture")
    (path,) = (tmp_path / "media").glob("*/*")
    path.write_bytes(b"Picture")
    with pytest.raises(MediaLost, match="damaged"):
        files.get(name)
    path.write_bytes(b"cut")
    assert files.put(b"picture") == name  # it heals when the content comes again
    assert files.get(name) == b"picture"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_names_are_hashes(files: Files, name: str) -> None:
    for use in (files.get, files.remove):
        with pytest.raises(StoreError, match="no name"):
            use(name)


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreError)])
def test_a_disk_that_fails(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type) -> None:
    def fail(_: int) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError) as failed:
        files.put(b"picture")
    assert type(failed.value) is kind
    assert not list((tmp_path / "media").glob("*/*"))


def test_the_sweep(files: Files, tmp_path: Path) -> None:
    names = [files.put(str(n).encode()) for n in range(4)]
    for path in (tmp_path / "media").glob("*/*"):
        os.utime(path, (100, 100))
    assert set(files.older_than(100)) == set()
    assert set(files.older_than(101)) == set(names)
    files.put(b"0")  # wanted again
    assert set(files.older_than(101)) == set(names[1:])
    assert files.sweep(names[1:], names[1:2]) == 2
    assert files.get(names[1]) == b"1"


@pytest.mark.parametrize(("number", "kind"), [(errno.EMFILE, StoreError), (errno.EIO, MediaLost), (errno.EACCES, MediaLost)])
def test_a_file_that_cannot_be_read(files: Files, monkeypatch: pytest.MonkeyPatch, number: int, kind: type) -> None:
    """What passes by itself is worth another try; what does not would block its line for ever."""
    name = files.put(b"picture")

    def fail(_: Path) -> bytes:
        raise OSError(number, "no")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(kind) as failed:
        files.get(name)
    assert type(failed.value) is kind

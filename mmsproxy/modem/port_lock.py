"""Who has a port: the lock file that programs of the serial line leave for each other, and the process that holds the device open.

Rule 1: a lock file is a courtesy (FHS 5.9, UUCP form: LCK..ttyUSB2 with a process id in ten columns): where it cannot be written nothing is
said, and one whose process is gone is taken over. Rule 2: what locks for sure (flock, TIOCEXCL) is `serial_port`'s. Rule 3: other users'
processes can only be seen by root; then the holder is not known.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LOCK_FOLDER = Path("/run/lock")
PROCESSES = Path("/proc")
_DEVICES = Path("/dev")  # a pty in /dev/pts is nobody's but its maker's


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port. `name` is what the system calls it, empty when that may not be seen."""

    pid: int
    name: str = ""

    def __str__(self) -> str:
        if self.pid == os.getpid():
            return "this program itself"
        return f"{self.name or 'a program'} (pid {self.pid})"


def holder_of(device: str) -> Holder | None:
    """The process that has the device open, or else the lock file's; None where nobody is seen."""
    return holders([device]).get(device)


def holders(devices: Iterable[str]) -> dict[str, Holder]:
    """The holder of each device that has one. Other processes are named before this one."""
    wanted = {os.path.realpath(device): device for device in devices}
    found: dict[str, Holder] = {}
    for pid, target in _open_files():
        if target in wanted and found.get(wanted[target], Holder(os.getpid())).pid == os.getpid():
            found[wanted[target]] = Holder(pid, _name_of(pid))
    for target, device in wanted.items():
        pid_of_lock = None if device in found else _owner(_path(target))
        if pid_of_lock is not None:
            found[device] = Holder(pid_of_lock, _name_of(pid_of_lock))
    return found


def _open_files() -> Iterable[tuple[int, str]]:
    for descriptor in PROCESSES.glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            yield int(descriptor.parent.parent.name), os.readlink(descriptor)


def _name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (PROCESSES / str(pid) / "comm").read_text().strip()
    return ""


# -- the lock file --------------------------------------------------------------------------------------------------------------


def lock(device: str) -> Path | None:
    """Leaves the lock file of a device that we have open. Returns what `unlock` removes, None where there can be none. Raises OSError
    EBUSY when the lock is another living process's."""
    path = _path(os.path.realpath(device))
    if path is None or not os.access(LOCK_FOLDER, os.W_OK):
        return None
    for _ in range(2):
        if _create(path):
            return path
        owner = _owner(path)
        if owner not in (None, os.getpid()):  # our own is left over: two of us cannot have the device open
            raise OSError(errno.EBUSY, "locked by another program", device)
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def unlock(path: Path | None) -> None:
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink()


def _path(target: str) -> Path | None:
    device = Path(target)
    return LOCK_FOLDER / f"LCK..{device.name}" if device.parent == _DEVICES else None


def _create(path: Path) -> bool:
    """With its content at once: nobody may read an empty one. False where it is there already, or cannot be made."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{os.getpid():10d}\n", encoding="ascii")
        os.link(draft, path)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return True


def _owner(path: Path | None) -> int | None:
    """The living process that a lock file names."""
    if path is None:
        return None
    try:
        pid = int(path.read_bytes()[:20])
    except (OSError, ValueError):
        return None
    return pid if pid > 0 and _is_alive(pid) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True

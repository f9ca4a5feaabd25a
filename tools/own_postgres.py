"""A PostgreSQL server of our own for benches and kill loops: a new cluster on a Unix socket in a folder of its own, gone afterwards.

It starts Debian's server binaries, as the user postgres when we are root, since PostgreSQL does not run as root. It knows nothing of
mmsproxy.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

USER = "postgres"


def binaries() -> Path | None:
    """The newest server that is installed; Debian keeps it off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).parent if there else None


def missing() -> str:
    """What is not installed; empty when a server can be started."""
    if binaries() is None:
        return "PostgreSQL's server binaries (apt install postgresql)"
    if os.geteuid() == 0 and (shutil.which("runuser") is None or not any(entry.pw_name == USER for entry in pwd.getpwall())):
        return "runuser and a user postgres: PostgreSQL does not run as root"
    return ""


@contextlib.contextmanager
def own_postgres() -> Iterator[str]:
    """A server that syncs each commit to the disk, as a real one does; yields the store URL of an empty database."""
    found = binaries()
    if found is None:
        raise SystemExit(missing())
    folder = Path(tempfile.mkdtemp(prefix="mmsproxy-pg-"))  # a socket's path may have 107 octets only
    prefix = ("runuser", "-u", USER, "--") if os.geteuid() == 0 else ()
    if prefix:
        shutil.chown(folder, USER)

    def run(program: str, *arguments: str) -> None:
        subprocess.run([*prefix, str(found / program), *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder)

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "mmsproxy", "-E", "UTF8", "--locale=C", "--no-sync")
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", f"-c listen_addresses='' -k {folder}", "start")
    try:
        run("createdb", "-h", str(folder), "-U", "mmsproxy", "post")
        yield f"postgresql+asyncpg://mmsproxy@/post?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)

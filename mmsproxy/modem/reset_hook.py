"""The configured command that resets a modem which nothing else brings back: a GPIO, a relay, the power of a USB port.

Rule 1: run as it is written, without a shell; it learns line and port from MMSPROXY_LINE and MMSPROXY_PORT. Rule 2: it has a time limit,
and is ended with all that it started when that is over. Rule 3: whether it helped is seen by the start-up that follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal

LIMIT = 15.0  # seconds
TOLD = 200  # characters of what it complained


async def run(command: str, *, line: str, port: str, limit: float = LIMIT) -> str:
    """What went wrong, in one line; empty when the command succeeded. Raises nothing."""
    try:
        program = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "MMSPROXY_LINE": line, "MMSPROXY_PORT": port},
            start_new_session=True,
        )
    except (OSError, ValueError, TypeError) as error:  # no such program; quotes that do not match; nothing there
        return f"the reset command cannot be run: {error}"
    return await _ended(program, limit)


async def _ended(program: asyncio.subprocess.Process, limit: float) -> str:
    try:
        async with asyncio.timeout(limit):
            _, complaint = await program.communicate()
    except TimeoutError:
        return f"the reset command was not done within {limit:g} s"
    finally:
        if program.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            await program.wait()
    if program.returncode:
        words = " ".join(complaint.decode("utf-8", "replace").split())[:TOLD]
        return f"the reset command failed with status {program.returncode}" + (f": {words}" if words else "")
    return ""

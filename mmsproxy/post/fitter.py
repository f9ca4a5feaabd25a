"""Makes the files of a message fit what its carrier takes, with the pictures decoded in a process of their own (delivery.md 7).

Rule 1: no picture is decoded in this process: a bomb or a bad decoder ends the child, not the gateway.
Rule 2: one child, one picture at a time; it is started by the first picture and ended after a while without work, so that a gateway that
sends text pays nothing. Rule 3: what cannot fit is refused with sizes and with the places of the files at fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmsproxy
from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.message.media import File, UnsupportedMedia, clean_name
from mmsproxy.message.picture import Box, box_for
from mmsproxy.post.fit_child import FRAME, frame

OVERHEAD = 4096  # octets for headers, SMIL and names (delivery.md 7, images 1)
LEAST_SHARE = 16 * 1024  # octets for each of several pictures
TIMEOUT = 30.0  # seconds for one picture; the child's own limit of 5 s of processor time comes first
IDLE = 120.0  # seconds without work after which the child is ended
GIF = "image/gif"
STRIPPED = ("image/jpeg", "image/png")
MAX_HEAD = 64 * 1024  # octets of an answer's JSON
MAX_DATA = 64 * 1024 * 1024

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "VIRTUAL_ENV")  # no secrets of the gateway's environment

Warnings = tuple[Mapping[str, object], ...]


class TooLarge(MmsproxyError):
    """The message is larger than its carrier takes, and nothing more can be shrunk. `pointers`: the files at fault."""

    code = "too_large"
    fault = Fault.CALLER

    def __init__(self, size: int, limit: int, pointers: tuple[str, ...], detail: str = "") -> None:
        reason = f"; {detail}" if detail else ""
        super().__init__(f"{size:,} octets; the carrier takes {limit:,}{reason}")
        self.size = size
        self.limit = limit
        self.pointers = pointers


class UnreadablePicture(UnsupportedMedia):
    """A picture that cannot be decoded, or only at a price no message is worth. `pointers`: which."""

    def __init__(self, detail: str, pointers: tuple[str, ...], *, cure: str = "") -> None:
        super().__init__(detail, cure=cure)
        self.pointers = pointers


class _ChildGone(Exception):
    """The child ended, or was ended, before it answered."""

    def __init__(self, *, by_timeout: bool) -> None:
        super().__init__()
        self.by_timeout = by_timeout


class Fitter:
    """The door to the child process. `timeout` and `idle` in seconds."""

    def __init__(self, *, timeout: float = TIMEOUT, idle: float = IDLE) -> None:
        self._timeout = timeout
        self._idle = idle
        self._one_at_a_time = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The child's, None when there is none now."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Nothing is started before the first picture comes."""

    async def stop(self) -> None:
        """Ends the child, after the picture it works at."""
        async with self._one_at_a_time:
            await self._end()
        if self._resting is not None:
            await self._resting

    async def fit_all(self, files: Sequence[File], limit: int, other: int, shrink: bool) -> tuple[tuple[File, ...], Warnings]:
        """The files, all together with `other` octets not larger than `limit`, with a warning for each picture that was changed.

        limit   octets that the carrier takes
        other   octets of the text and all else beside the files
        shrink  False: JPEG and PNG lose what describes them, nothing else is touched

        A warning is {"code": "image_shrunk", "n": place among the files from 0, "from": octets, "to": octets}, or "image_converted" with
        the types. Raises TooLarge and UnreadablePicture.
        """
        if not shrink:
            stripped = tuple([await self._stripped(n, file) if file.content_type in STRIPPED else file for n, file in enumerate(files)])
            return _within(stripped, limit, other), ()
        pictures = sorted((n for n, file in enumerate(files) if _may_shrink(file)), key=lambda n: len(files[n].data))
        room = limit - other - OVERHEAD - sum(len(file.data) for file in files if not _may_shrink(file))
        least = sum(min(len(files[n].data), LEAST_SHARE) for n in pictures)
        if room < least and any(file.kind == "image" for file in files):
            raise _too_large(files, limit, other)
        fitted, warnings = list(files), dict[int, Warnings]()
        for n in (n for n, file in enumerate(files) if file.content_type == GIF):
            fitted[n], _ = await self._fitted(n, files[n], len(files[n].data), limit)  # only looked at
        waiting = sum(len(files[n].data) for n in pictures)
        for n in pictures:  # the smallest first: what it leaves of its share is for the larger ones
            size = len(files[n].data)
            budget = min(room, max(LEAST_SHARE, room * size // waiting))
            fitted[n], warnings[n] = await self._fitted(n, files[n], budget, limit)
            room -= len(fitted[n].data)
            waiting -= size
        return _within(tuple(fitted), limit, other), tuple(warning for n in sorted(warnings) for warning in warnings[n])

    async def _fitted(self, n: int, file: File, budget: int, limit: int) -> tuple[File, Warnings]:
        head, data = await self._asked(n, file, budget, box_for(limit))
        if head.get("code") == TooLarge.code:
            size = limit - budget + int(head["smallest"])
            raise TooLarge(size, limit, (f"/media/{n}",), f"{_called(n, file)} cannot be made small enough: {head['detail']}")
        content_type = str(head["content_type"])
        name = None if file.filename is None else clean_name(file.filename, content_type)
        after = File(content_type, data, name)
        return after, () if head["quality"] is None else tuple(_changes(n, file, after))

    async def _stripped(self, n: int, file: File) -> File:
        _, data = await self._asked(n, file, None, (0, 0))
        return File(file.content_type, data, file.filename)

    async def _asked(self, n: int, file: File, budget: int | None, box: Box) -> tuple[dict[str, Any], bytes]:
        async with self._one_at_a_time:
            try:
                head, data = await self._answered(frame({"budget": budget, "box": box}, file.data))
            except _ChildGone:
                detail = f"{_called(n, file)} could not be decoded with the memory and the time that one picture may take"
                raise UnreadablePicture(detail, (f"/media/{n}",), cure="make it smaller before sending it") from None
        if head.get("code") == UnsupportedMedia.code:
            raise UnreadablePicture(f"{_called(n, file)}: {head['detail']}", (f"/media/{n}",), cure=str(head["cure"]))
        return head, data

    async def _answered(self, job: bytes) -> tuple[dict[str, Any], bytes]:
        """A child that ended since its last picture, by whatever hand, is not this picture's fault: that one goes to a new child."""
        is_new = self._child is None
        try:
            return await self._exchange(job)
        except _ChildGone as gone:
            if is_new or gone.by_timeout:
                raise
        return await self._exchange(job)

    async def _exchange(self, job: bytes) -> tuple[dict[str, Any], bytes]:
        """Raises _ChildGone. However it ends, no half-answered child is left."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        is_whole = False
        try:
            async with asyncio.timeout(self._timeout):
                child = await self._running()
                answer = await _talk(child, job)
            is_whole = True
        except TimeoutError:
            raise _ChildGone(by_timeout=True) from None
        except (OSError, asyncio.IncompleteReadError, ValueError):
            raise _ChildGone(by_timeout=False) from None
        finally:
            if not is_whole:
                await self._end()
        self._idle_timer = asyncio.get_running_loop().call_later(self._idle, self._rest)
        return answer

    async def _running(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is not None:
            await self._end()
        if self._child is None:
            # -P and an absolute path: nothing is imported from the folder that the gateway happens to run in.
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "mmsproxy.post.fit_child"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(),
            )
        return self._child

    def _rest(self) -> None:
        """After a while without work; the next picture starts another child."""
        child, self._child = self._child, None
        if child is not None:
            self._resting = asyncio.create_task(_ended(child))

    async def _end(self) -> None:
        child, self._child = self._child, None
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if child is not None:
            await _ended(child)


def _environment() -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, "PYTHONPATH": str(Path(mmsproxy.__file__).resolve().parents[1])}


async def _ended(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    await child.communicate()  # closes the pipes


async def _talk(child: asyncio.subprocess.Process, job: bytes) -> tuple[dict[str, Any], bytes]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(job)
    await child.stdin.drain()
    head_size, data_size = FRAME.unpack(await child.stdout.readexactly(FRAME.size))
    if head_size > MAX_HEAD or data_size > MAX_DATA:
        raise ValueError("the child talks nonsense")
    head = json.loads(await child.stdout.readexactly(head_size))
    return head, await child.stdout.readexactly(data_size)


def _may_shrink(file: File) -> bool:
    """A GIF is an image that may not: coded anew it would lose its animation."""
    return file.kind == "image" and file.content_type != GIF


def _within(files: tuple[File, ...], limit: int, other: int) -> tuple[File, ...]:
    if other + sum(len(file.data) for file in files) > limit:
        raise _too_large(files, limit, other)
    return files


def _too_large(files: Sequence[File], limit: int, other: int) -> TooLarge:
    """Names the files that stay as they are, or all when it is the pictures that are too many."""
    size = other + sum(len(file.data) for file in files)
    fixed = [n for n, file in enumerate(files) if not _may_shrink(file)]
    at_fault = fixed or range(len(files))
    names = ", ".join(f"{_called(n, files[n])} ({len(files[n].data):,})" for n in at_fault)
    gif = "; a GIF would lose its animation" if any(files[n].content_type == GIF for n in fixed) else ""
    detail = f"{names} cannot be shrunk{gif}" if fixed else f"no room for {names}" if files else ""
    return TooLarge(size, limit, tuple(f"/media/{n}" for n in at_fault) or ("/text",), detail)


def _called(n: int, file: File) -> str:
    return file.filename or f"file {n + 1}"


def _changes(n: int, before: File, after: File) -> Iterator[Mapping[str, object]]:
    if len(after.data) < len(before.data):
        yield {"code": "image_shrunk", "n": n, "from": len(before.data), "to": len(after.data)}
    if after.content_type != before.content_type:
        yield {"code": "image_converted", "n": n, "from": before.content_type, "to": after.content_type}

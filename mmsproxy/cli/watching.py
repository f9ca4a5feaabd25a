"""Follows messages from being accepted to being decided: each state as it comes, and the octets on the line as they leave.

Rule 1: what happened is read from the messages' timeline, so no state is missed however short it was. Rule 2: a gateway that is away for
a while, or has no time, is waited for: the message is kept there, and nothing is sent again. Rule 3: the message is asked for before its
timeline, so what is told is never older than what is returned. It decides nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from mmsproxy.cli.api import ANSWER_SECONDS, Api, Json, Problem, segment
from mmsproxy.cli.gateway import NoAnswer, Unreachable
from mmsproxy.cli.terminal import safe
from mmsproxy.errors import MmsproxyError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DECIDED = frozenset({"sent", "delivered", "read", "partial", "undelivered", "failed", "expired", "canceled", "unknown"})
ACCEPTED = frozenset({"sent", "delivered", "read"})
NOT_TAKEN = frozenset({"failed", "expired"})  # the states that a fallback follows
REPLACED_SECONDS = 5.0  # from a failure to the SMS in its place, at most
PAUSES = (0.1, 0.1, 0.2, 0.3, 0.5, 1.0)  # seconds between looks; the last one again and again
SHORTEST_LOOK = 1.0  # seconds that an answer is waited for, however little time is left
PASSING = frozenset({429, 503})  # HTTP: asked too often, or the store is away for a while


class Display(Protocol):
    """Where what happens is shown."""

    def state(self, word: str, message: Json) -> None: ...

    def octets(self, offered: int, total: int) -> None: ...


class Undecided(MmsproxyError):
    """The time is over; the gateway still has the message."""

    code = "undecided"

    def __init__(self, message: Json) -> None:
        detail = f"message {message.get('id')} is {message.get('status')} still; the gateway goes on with it"
        super().__init__(safe(detail), cure=safe(f"`mmsproxy messages show {message.get('id')}` tells what became of it"))


class Unwatched(MmsproxyError):
    """The gateway has the message and does not show it."""

    code = "unwatched"

    def __init__(self, message_id: str, problem: Problem) -> None:
        super().__init__(safe(f"message {message_id} is kept, but cannot be followed: ") + problem.detail, cure=problem.cure)


class Watch:
    """One run. `timeout`: seconds for all messages together; `fallback`: an MMS that was not taken is replaced by an SMS."""

    def __init__(
        self,
        api: Api,
        display: Display,
        timeout: float,
        *,
        fallback: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._display = display
        self._fallback = fallback
        self._clock = clock
        self._sleep = sleep
        self._end = clock() + timeout
        self._failed_at: dict[str, float] = {}

    def follow(self, message: Json) -> Json:
        """The message once it is decided; the one that replaced it, where it fell back to SMS. Raises Undecided, Unwatched."""
        told, looks = 0, 0
        while True:
            seen = self._look(message["id"])
            if seen is not None:
                message, events = seen
                for event in events[told:]:
                    self._display.state(str(event.get("type")).removeprefix("message."), message)
                told = max(told, len(events))
                if message.get("replaced_by"):
                    return self.follow({"id": message["replaced_by"], "status": "queued"})
                if self._is_decided(message):
                    return message
                self._show_octets(message)
            self._pause(looks, message)
            looks += 1

    def _look(self, message_id: str) -> tuple[Json, list[Json]] | None:
        """The message and its timeline; None while the gateway is away. Raises Unwatched."""
        path = f"/v1/messages/{segment(message_id)}"
        try:
            message = self._get(path)
            return message, self._get(f"{path}/events")["data"]
        except (Unreachable, NoAnswer):
            return None
        except Problem as problem:
            if problem.status in PASSING:
                return None
            raise Unwatched(message_id, problem) from None

    def _get(self, path: str) -> Json:
        left = max(SHORTEST_LOOK, self._end - self._clock())
        return self._api.call("GET", path, timeout=min(left, ANSWER_SECONDS))

    def _is_decided(self, message: Json) -> bool:
        """What failed waits for its SMS a moment: the gateway makes that in a commit of its own."""
        status = message.get("status")
        if status not in NOT_TAKEN or not self._fallback or message.get("type") == "sms":
            return status in DECIDED
        now = self._clock()
        return now >= min(self._failed_at.setdefault(message["id"], now) + REPLACED_SECONDS, self._end)

    def _show_octets(self, message: Json) -> None:
        progress = message.get("progress")
        if progress:
            self._display.octets(progress["offered"], progress["total"])

    def _pause(self, looks: int, message: Json) -> None:
        left = self._end - self._clock()
        if left <= 0:
            raise Undecided(message)
        self._sleep(min(left, PAUSES[min(looks, len(PAUSES) - 1)]))


class Lines:
    """Each state as a line, for a pipe or a log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to take down."""

    def state(self, word: str, message: Json) -> None:
        print(said(word, message), file=self._out, flush=True)

    def octets(self, offered: int, total: int) -> None:
        """A bar is for a terminal."""


class Bar:
    """Each state as a line, and below them a bar of the octets on the line, for a terminal."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._progress: Progress = Progress(*columns, console=Console(file=out), transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def state(self, word: str, message: Json) -> None:
        from rich.text import Text

        if self._task is not None:  # an attempt has ended or a new one begins
            self._progress.remove_task(self._task)
            self._task = None
        self._progress.console.print(Text(said(word, message)))

    def octets(self, offered: int, total: int) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=total)
        self._progress.update(self._task, completed=offered, total=total)


def said(word: str, message: Json) -> str:
    """One line for a state."""
    numbers = [str(person.get("number")) for person in message.get("to") or ()]
    line = f" by {message['line']}" if word == "sending" and message.get("line") else ""
    return safe(f"{', '.join(numbers) or message.get('id')}: {word}{line}")


def display(out: TextIO | None = None) -> Lines | Bar:
    """What fits where `out` (stderr) goes."""
    out = out or sys.stderr
    return Bar(out) if out.isatty() else Lines(out)

"""Identical POSTs: they join the attempt under way, or get the outcome it had (mm1.md section 6). In memory.

Rule 1: the key is the client's address and the SHA-256 of the whole PDU, never the Transaction-ID: none is unique across restarts or
clients. Rule 2: what must not leave twice is never thrown away to make room; rather nothing new is begun. Rule 3: it knows nothing of
carriers: whoever finishes an attempt says how long its outcome is kept. Its clock is an argument.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")

MAX_ENTRIES = 10_000
MAX_OCTETS = 16 * 1024 * 1024  # of kept outcomes: 256 answers of the largest size (64 KiB), and thousands of usual ones (100 octets)


@dataclass(frozen=True, slots=True)
class Key:
    """Who sent what."""

    client: str
    digest: bytes

    @property
    def message_id(self) -> str:
        """The same for each POST of one message, so that a log shows retries as what they are."""
        return "msg_" + hashlib.sha256(self.client.encode("utf-8", "replace") + b"\0" + self.digest).hexdigest()[:16]


def key_of(client: str, pdu: bytes) -> Key:
    return Key(client, hashlib.sha256(pdu).digest())


@dataclass(frozen=True, slots=True)
class Turn(Generic[Outcome]):
    """What a POST may do. `mine`: make the attempt, then `finish`. Else wait for `outcome`, which may be there already."""

    mine: bool
    outcome: asyncio.Future[Outcome]


@dataclass(slots=True)
class _Entry(Generic[Outcome]):
    outcome: asyncio.Future[Outcome]
    until: float = 0.0  # by the clock; counts once the outcome is there
    octets: int = 0
    evictable: bool = False


class Replay(Generic[Outcome]):
    """Attempts under way and outcomes kept. All calls are for the event loop's thread; none of them waits."""

    def __init__(self, clock: Callable[[], float], *, max_entries: int = MAX_ENTRIES, max_octets: int = MAX_OCTETS) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._max_octets = max_octets
        self._octets = 0
        self._entries: OrderedDict[Key, _Entry[Outcome]] = OrderedDict()  # the oldest outcome first

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Whether an attempt with this key is under way or its outcome is kept."""
        entry = self._entries.get(key)
        return entry is not None and not self._is_over(entry)

    def begin(self, key: Key) -> Turn[Outcome] | None:
        """The turn of one POST; None when there is no room for one more attempt."""
        entry = self._entries.get(key)
        if entry is not None and not self._is_over(entry):
            return Turn(False, entry.outcome)
        self._drop(key)
        if not self._make_room():
            return None
        entry = _Entry(asyncio.get_running_loop().create_future())
        self._entries[key] = entry
        return Turn(True, entry.outcome)

    def finish(self, key: Key, outcome: Outcome, *, keep: float, octets: int = 0, evictable: bool = True) -> None:
        """Tells all who joined. `keep` in seconds, 0: the next identical POST is a new attempt. `octets` is what the outcome weighs;
        one that is not `evictable` stays for its whole time."""
        entry = self._entries[key]
        entry.outcome.set_result(outcome)
        if keep <= 0:
            self._drop(key)
            return
        entry.until, entry.octets, entry.evictable = self._clock() + keep, octets, evictable
        self._entries.move_to_end(key)
        self._octets += octets
        self._make_room(fresh=0)

    def abandon(self, key: Key) -> None:
        """The attempt ended without an outcome (the gateway stops): whoever joined is cancelled."""
        entry = self._entries.get(key)
        if entry is not None and not entry.outcome.done():
            entry.outcome.cancel()
            self._drop(key)

    def _is_over(self, entry: _Entry[Outcome]) -> bool:
        return entry.outcome.done() and entry.until <= self._clock()

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._octets -= entry.octets

    def _is_full(self, fresh: int) -> bool:
        return len(self._entries) + fresh > self._max_entries or self._octets > self._max_octets

    def _make_room(self, fresh: int = 1) -> bool:
        """Drops what is over, then the oldest outcomes that may go. Looks at the entries only when there is no room."""
        if not self._is_full(fresh):
            return True
        for key in [key for key, entry in self._entries.items() if self._is_over(entry)]:
            self._drop(key)
        spare = [key for key, entry in self._entries.items() if entry.evictable]
        for key in spare:
            if not self._is_full(fresh):
                break
            self._drop(key)
        return not self._is_full(fresh)

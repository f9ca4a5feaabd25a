"""Replays a transcript (tests/transcripts/*.at) against a script: the engine is real, the loop, the clock and the port are not there."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.at.dialect import NOTHING, Ask, Await, Offer, Pause, Raw, Request, Script, Tell
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import Event, Outcome, Replied, Reply, UrcReceived
from mmsproxy.at.rules import COMMON_URCS, UrcRule
from mmsproxy.trace import Entry, exchange, load_trace

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
URC_LINE = b'\r\n+CREG: 5,"1A2B","00C3D4E5"\r\n'
_COUNTED = re.compile(rb"(?:\+CIPRXGET: 2,\d,|\+QIRD: |#SRECV: \d,)(\d+)(?:,\d+)?\r\n")
_INLINE = re.compile(rb'(?:\+CARECV: |\+USORD: \d,)(\d+),"?')  # counted data on the header's own line
Cut = Callable[[bytes], list[bytes]]


def whole(data: bytes) -> list[bytes]:
    return [data]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def random_cut(seed: int) -> Cut:
    source = random.Random(seed)

    def cut(data: bytes) -> list[bytes]:
        points = sorted(source.sample(range(len(data) + 1), min(len(data), 3)))
        return [data[a:b] for a, b in zip([0, *points], [*points, len(data)], strict=True)]

    return cut


CUTS: dict[str, Cut] = {"whole": whole, "bytewise": bytewise, **{f"seed {seed}": random_cut(seed) for seed in range(8)}}


def _after_inline(data: bytes, at: int) -> int:
    counted = _INLINE.match(data, at)
    return counted.end() + int(counted[1]) if counted else at


def boundaries(data: bytes) -> list[int]:
    """Where a URC may stand: at the start and behind each line end that is not inside counted data."""
    places = [0]
    at = 0
    while (end := data.find(b"\r\n", _after_inline(data, at))) >= 0:
        counted = _COUNTED.search(data, at, end + 2)
        at = end + 2
        if counted and counted.end() == at:
            at += int(counted[1])
        else:
            places.append(at)
    return places


@dataclass
class Replay:
    """One run of a script. Whatever the script does must be the transcript's next entry, and none may be left."""

    entries: list[Entry]
    cut: Cut = whole
    urcs: tuple[UrcRule, ...] = COMMON_URCS
    heard: list[Event] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def run(self, script: Script[Any]) -> Any:
        self.engine = Engine(self.urcs)
        request = next(script)
        while True:
            try:
                request = script.send(self._perform(request))
            except StopIteration as done:
                result = done.value
                break
        self.finish()
        return result

    def finish(self) -> None:
        self._hear()
        assert not self.entries, f"unfinished: {self.entries}"

    def _perform(self, request: Request) -> Reply:
        match request:
            case Ask():
                return self._ask(request)
            case Offer():
                self.offered.append(request.upto)
                return self._write(bytes(request.payload))
            case Raw():
                self._expect(request.data)
            case Await():
                return self._await(request)
            case Tell():
                self.told.append(request.text)
            case Pause():
                assert request.seconds > 0
        return NOTHING

    def _ask(self, request: Ask) -> Reply:
        while self.engine.late and not request.probe:  # as modem_channel does
            if self._ask(Ask(b"AT", probe=True)).ok:
                break
        self.engine.begin(request.text, request.rule, prompt=request.prompt)
        reply = self._write(request.text + b"\r", probe=request.probe)
        if request.probe and reply.ok:
            self.engine.forget_late()
        return reply

    def _write(self, data: bytes, *, probe: bool = False) -> Reply:
        self._hear()
        self._expect(data)
        while True:
            entry = self._next()
            if entry.kind == "received":
                if (reply := self._feed(entry.data)) is not None:
                    return reply
            elif entry.text == "overdue":
                reply = self.engine.settle()
                assert reply is not None
                return reply
            else:
                assert entry.text == "timeout", f"{data!r} is under way, but the transcript has {entry}"
                self.engine.abandon(forget=probe)
                return Reply(Outcome.TIMED_OUT)

    def _await(self, request: Await) -> Reply:
        while True:
            entry = self._next()
            if entry.kind == "event":
                return Reply(Outcome.TIMED_OUT)
            self._feed(entry.data)
            for event in self.heard:
                if isinstance(event, UrcReceived) and event.kind is request.kind:
                    return Reply(Outcome.DONE, (event.line,), event.line)

    def _hear(self) -> None:
        """What comes before anything is asked."""
        while self.entries and self.entries[0].kind == "received":
            assert self._feed(self.entries.pop(0).data) is None

    def _next(self) -> Entry:
        assert self.entries, "the script waits, but the transcript ends"
        return self.entries.pop(0)

    def _expect(self, data: bytes) -> None:
        entry = self._next()
        assert (entry.kind, entry.data) == ("sent", data)

    def _feed(self, data: bytes) -> Reply | None:
        replies = []
        for piece in self.cut(data):
            for event in self.engine.feed(piece):
                (replies if isinstance(event, Replied) else self.heard).append(event)
        assert len(replies) <= 1
        return replies[0].reply if replies else None


Run = Callable[..., Any]


def _with_urc(entries: tuple[Entry, ...]) -> Iterator[tuple[str, list[Entry]]]:
    for index, entry in enumerate(entries):
        if entry.kind == "received":
            for place in boundaries(entry.data):
                data = entry.data[:place] + URC_LINE + entry.data[place:]
                yield f"entry {index} at {place}", [*entries[:index], Entry("received", data=data), *entries[index + 1 :]]


@pytest.fixture
def replay() -> Run:
    """`replay(name, script, urcs=...)`: runs the script that `script()` makes against the transcript whole, byte by byte, at random
    splits, and with a URC at every line boundary; returns the results' one value. `check(replay, outcome)` looks at each run."""

    def run(name: str, script: Callable[[], Script[Any]], urcs: tuple[UrcRule, ...] = COMMON_URCS, check: Any = None) -> Any:
        entries = exchange(load_trace(TRANSCRIPTS / f"{name}.at"))
        outcomes = []
        for label, cut in CUTS.items():
            outcomes.append((label, _one(Replay(list(entries), cut, urcs), script, check)))
        for label, changed in _with_urc(entries):
            player = Replay(changed, whole, urcs)
            outcomes.append((label, _one(player, script, check)))
            assert any(isinstance(event, UrcReceived) and event.line == URC_LINE.strip() for event in player.heard), label
        first = outcomes[0][1]
        assert all(outcome == first for _, outcome in outcomes), [o for o in outcomes if o[1] != first][:2]
        return first

    return run


def _one(player: Replay, script: Callable[[], Script[Any]], check: Any) -> Any:
    """The result, or the error as (type, text); either way nothing of the transcript may be left."""
    try:
        outcome = player.run(script())
    except AssertionError:
        raise
    except Exception as error:  # noqa: BLE001 - the outcome under test
        player.finish()
        outcome = (type(error), str(error))
    if check is not None:
        check(player, outcome)
    return outcome

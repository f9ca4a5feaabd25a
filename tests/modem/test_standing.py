"""A link's state, who waits for it, and what is told of it."""

from __future__ import annotations

import pytest

from mmsproxy.at.dialect import Rung
from mmsproxy.events import BearerUp, Bus, Fact, LineFailed, LineLost, LineOnline, LinkRecovering
from mmsproxy.link import LinkStatus
from mmsproxy.modem.standing import Standing


class Bench:
    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.notes: list[str] = []
        bus = Bus()
        bus.subscribe(self.facts.append)
        self.standing = Standing("a", bus=bus, tap=self)

    def sent(self, data: bytes) -> None:
        self.notes.append(f"> {data!r}")

    def received(self, data: bytes) -> None:
        self.notes.append(f"< {data!r}")

    def note(self, kind: str, text: str) -> None:
        self.notes.append(f"{kind} {text}")


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_a_change_is_noted_once(bench: Bench) -> None:
    for _ in range(2):
        bench.standing.enter(LinkStatus.STARTING, "opening p")
    bench.standing.enter(LinkStatus.BEARER_UP)
    assert bench.notes == ["state starting: opening p", "state bearer_up"]


async def test_who_waits_is_let_go_when_it_is_settled(bench: Bench) -> None:
    standing = bench.standing
    assert standing.settled.is_set()
    standing.enter(LinkStatus.STARTING, "opening p")
    assert not standing.settled.is_set()
    standing.enter(LinkStatus.DOWN, "no port")
    assert standing.settled.is_set()
    assert not standing.tried.is_set()
    standing.enter(LinkStatus.ATTACHED)
    assert standing.tried.is_set()


async def test_what_the_doors_see(bench: Bench) -> None:
    standing = bench.standing
    standing.online("SIM7600", "sim7600")
    standing.know(operator="Example", signal_dbm=-73)
    standing.tell("waiting for the network")
    state = standing.state
    assert (state.modem, state.dialect, state.operator, state.signal_dbm) == ("SIM7600", "sim7600", "Example", -73)
    assert (state.status, state.reason) == (LinkStatus.ATTACHED, "waiting for the network")
    standing.bearer_up(1.5, "another APN")
    assert (standing.state.status, standing.state.reason) == (LinkStatus.BEARER_UP, "another APN")


async def test_facts(bench: Bench) -> None:
    standing = bench.standing
    standing.online("SIM7600", "sim7600")
    standing.bearer_up(None)
    standing.bearer_up(1.5)
    for reason in ("unplugged", "no port"):
        standing.lost(LinkStatus.DOWN, reason)
    standing.climbing(Rung.RESTART, "silence")
    for _ in range(2):
        standing.failed("silence")
    standing.online("SIM7600", "sim7600")
    standing.bearer_up(None)
    standing.failed("silence again")
    assert bench.facts == [
        LineOnline("a", "SIM7600", "sim7600"),
        BearerUp("a", 1.5),
        LineLost("a", "unplugged"),
        LinkRecovering("a", 5, "silence"),
        LineFailed("a", "silence"),
        LineOnline("a", "SIM7600", "sim7600"),
        LineFailed("a", "silence again"),
    ]
    assert "state recovery, rung 5 (restart): silence" in bench.notes


async def test_who_depends_on_the_run_of_the_modem_is_told(bench: Bench) -> None:
    told: list[str] = []
    bench.standing.when_online, bench.standing.when_lost = (lambda: told.append("online")), (lambda: told.append("lost"))
    bench.standing.online("SIM7600", "sim7600")
    bench.standing.lost(LinkStatus.STARTING, "restarted")
    assert told == ["online", "lost"]


async def test_nobody_has_to_listen() -> None:
    standing = Standing("a", bus=Bus())
    standing.lost(LinkStatus.DOWN, "no port")
    standing.note("state", "to nobody")
    assert repr(standing.state.status) == repr(LinkStatus.DOWN)

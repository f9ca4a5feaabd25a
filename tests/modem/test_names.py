"""Addresses for as long as they hold."""

from __future__ import annotations

import pytest

from mmsproxy.at.dialect import Resolved
from mmsproxy.modem.names import DEFAULT_TTL, LONGEST_TTL, Names


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def names(clock: Clock) -> Names:
    return Names(clock)


@pytest.mark.parametrize("host", ["10.4.5.6", "2001:db8::1"])
def test_an_address_is_its_own(names: Names, host: str) -> None:
    assert names.get(host) == host


@pytest.mark.parametrize(("ttl", "holds"), [(None, DEFAULT_TTL), (60.0, 60.0), (86400.0, LONGEST_TTL)])
def test_an_answer_holds_for_its_time(names: Names, clock: Clock, ttl: float | None, holds: float) -> None:
    assert names.get("mmsc.example") is None
    assert names.put("mmsc.example", Resolved(("10.4.5.6", "10.4.5.7"), ttl)) == "10.4.5.6"
    clock.now += holds - 1
    assert names.get("MMSC.Example") == "10.4.5.6"
    clock.now += 2
    assert names.get("mmsc.example") is None


def test_an_answer_that_holds_for_no_time_is_used_once(names: Names) -> None:
    assert names.put("mmsc.example", Resolved(("10.4.5.6",), 0.0)) == "10.4.5.6"
    assert names.get("mmsc.example") is None


def test_what_is_no_address_is_passed_over(names: Names) -> None:
    assert names.put("mmsc.example", Resolved(("NOT SOLVED", "2001:db8::1"))) == "2001:db8::1"
    assert names.put("mmsc.example", Resolved(("0x1.evil",))) == "mmsc.example"


def test_a_name_that_the_modem_cannot_resolve_stands_for_itself_for_a_while(names: Names, clock: Clock) -> None:
    assert names.refuse("mmsc.example") == "mmsc.example"
    assert names.get("mmsc.example") == "mmsc.example"
    clock.now += DEFAULT_TTL + 1
    assert names.get("mmsc.example") is None


def test_entries_are_dropped_one_by_one_and_together(names: Names) -> None:
    for host in ("a.example", "b.example", "c.example"):
        names.put(host, Resolved(("10.4.5.6",)))
    names.drop("A.example")
    names.drop("never.example")
    assert (names.get("a.example"), names.get("b.example")) == (None, "10.4.5.6")
    names.clear()
    assert names.get("c.example") is None

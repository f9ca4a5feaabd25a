"""The bus: facts in order, to every listener, whatever one of them does."""

from __future__ import annotations

import logging

import pytest

from mmsproxy.events import BearerUp, Bus, Fact, LineLost


def test_each_listener_hears_each_fact_in_order() -> None:
    bus, first, second = Bus(), [], []
    bus.subscribe(first.append)
    bus.subscribe(second.append)
    facts: list[Fact] = [BearerUp("a", 1.0), LineLost("a", "gone")]
    for fact in facts:
        bus.announce(fact)
    assert first == second == facts


def test_a_subscription_ends() -> None:
    bus, heard = Bus(), []
    end = bus.subscribe(heard.append)
    end()
    bus.announce(BearerUp("a", 1.0))
    assert heard == []


def test_a_listener_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = Bus(), []

    def fails(fact: Fact) -> None:
        raise RuntimeError("the page is gone")

    bus.subscribe(fails)
    bus.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        bus.announce(BearerUp("a", 1.0))
    assert len(heard) == 1
    assert "the page is gone" in caplog.text


def test_a_listener_may_leave_while_it_listens() -> None:
    bus, heard = Bus(), []

    def once(fact: Fact) -> None:
        heard.append(fact)
        end()

    end = bus.subscribe(once)
    bus.announce(BearerUp("a", 1.0))
    bus.announce(BearerUp("a", 2.0))
    assert len(heard) == 1

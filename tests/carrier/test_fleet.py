"""Lines found by name and by MMSC."""

from __future__ import annotations

from typing import Any

import pytest

from mmsproxy.carrier.fleet import Fleet
from mmsproxy.carrier.line import Line
from mmsproxy.config import LineConfig
from mmsproxy.events import Bus


def line(name: str, mmsc: str, link: Any) -> Line:
    return Line(LineConfig.model_validate({"name": name, "carrier": {"apn": "a", "mmsc": mmsc}}), link, bus=Bus())


@pytest.fixture
async def fleet(link: Any) -> Fleet:
    lines = [line("one", "http://mmsc.one/x", link), line("two", "http://MMSC.two:8002/", link), line("three", "http://mmsc.one/y", link)]
    return Fleet(lines, aliases=("mmsc", "Gateway.Example:8080", "[fd00::1]:81"))


async def test_by_name_and_order(fleet: Fleet) -> None:
    assert fleet.default.name == "one"
    assert [line.name for line in fleet] == ["one", "two", "three"]
    assert len(fleet) == 3
    assert fleet.by_name("two") is list(fleet)[1]
    assert fleet.by_name("four") is None


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("mmsc.one", 80, "one"),
        ("MMSC.ONE", 80, "one"),
        ("mmsc.one.", 80, "one"),
        ("mmsc.one", 8080, None),
        ("mmsc.two", 8002, "two"),
        ("mmsc.two", 80, None),
        ("mmsc", 80, "one"),
        ("mmsc", 9999, "one"),
        ("gateway.example", 8080, "one"),
        ("gateway.example", 80, None),
        ("fd00::1", 81, "one"),
        ("evil.example", 80, None),
        ("xmmsc.one", 80, None),
        ("", 80, None),
    ],
)
async def test_by_target(fleet: Fleet, host: str, port: int, name: str | None) -> None:
    found = fleet.for_target(host, port)
    assert (found.name if found else None) == name


async def test_started_and_stopped_together(fleet: Fleet, link: Any) -> None:
    await fleet.start()
    assert link.is_started
    await fleet.stop()
    assert not link.is_started
    await fleet.stop(grace=0)


async def test_what_is_no_fleet(link: Any) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Fleet([])
    with pytest.raises(ValueError, match="same name"):
        Fleet([line("a", "http://x/", link), line("a", "http://y/", link)])

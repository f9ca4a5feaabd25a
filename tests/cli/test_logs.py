"""Log lines: masked, on one line, readable by people and machines."""

from __future__ import annotations

import json
import logging

import pytest

from mmsproxy.cli import logs
from mmsproxy.events import LineLost, MessageSent


@pytest.fixture(autouse=True)
def root_logger():
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +16195550123 now", "to +1619***0123 now"),
        ("16195550123/TYPE=PLMN", "1619***0123/TYPE=PLMN"),
        ("12345 octets, 192.168.1.100:8090", "12345 octets, 192.168.1.100:8090"),
        ("no number", "no number"),
    ],
)
def test_numbers_are_masked(text: str, masked: str) -> None:
    assert logs.mask_numbers(text) == masked


def test_json_lines_carry_the_facts_and_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "json")
    logs.log_fact(MessageSent(line="a", message_id="m1", size=12, seconds=1.5))
    logs.log_fact(LineLost(line="a", reason="to +16195550123\r\nforged line"))
    logging.getLogger("x").info("one\ntwo")
    sent, lost, plain = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (sent["event"], sent["line"], sent["message_id"], sent["level"]) == ("message sent", "a", "m1", "info")
    assert (lost["level"], lost["reason"]) == ("warning", "to +1619***0123\r\nforged line")
    assert plain["event"] == "one\\ntwo"


def test_text_lines_escape_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("warning", "text", masked=False)
    logs.log_fact(LineLost(line="a", reason="to +16195550123\nforged"))
    logging.getLogger("x").info("below the level")
    (line,) = capsys.readouterr().err.splitlines()
    assert "+16195550123\\nforged" in line

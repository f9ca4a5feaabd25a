"""`mmsproxy messages` against a scripted gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli import messages
from mmsproxy.cli.api import Problem

ONE: dict[str, Any] = {
    "id": "msg_1",
    "direction": "outbound",
    "type": "mms",
    "status": "unknown",
    "to": [{"number": "+16195550123", "status": "unknown"}, {"number": "+16195550124", "status": "unknown"}],
    "line": "mint",
    "size": 900,
    "sms_parts_saved": 6,
    "text": "a long\ntext " * 20,
    "created_at": "2027-01-15T08:00:00.000Z",
    "carrier": None,
    "error": {"code": "answer_timeout", "detail": "no answer\x1b"},
    "warnings": [{"code": "image_shrunk"}],
}


def test_a_list_is_a_row_for_each(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("GET", "/v1/messages", {"data": [ONE, {**ONE, "direction": "inbound", "from": "+1999"}], "next_cursor": None})
    messages.list_(status="unknown", to="+1", sender="+2", kind="mms", search="x", limit=7)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t")[:7] == ["2027-01-15 08:00:00", "msg_1", "mms", "unknown", "+16195550123 +1", "mint", "900"]
    assert len(first.split("\t")[7]) == 40
    assert second.split("\t")[4] == "+1999"
    (_, path) = gateway.asked[0]
    assert path == "/v1/messages?status=unknown&to=%2B1&from=%2B2&type=mms&q=x&limit=7"


def test_pages_are_followed_up_to_the_limit(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.says("GET", "/v1/messages", {"data": [ONE] * 200, "next_cursor": "c1"})
    gateway.says("GET", "/v1/messages", {"data": [ONE] * 50, "next_cursor": "c2"})
    messages.list_(limit=250, json=True)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [ONE] * 250
    assert [path for _, path in gateway.asked] == ["/v1/messages?limit=200", "/v1/messages?limit=50&cursor=c1"]


def test_shown_with_its_timeline(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt = {"number": 1, "detail": "no answer", "bytes_offered": 900, "bytes_total": 900, "phase": "last_byte"}
    event = {"type": "message.sending", "timestamp": "2027-01-15T08:00:01.500Z", "line": "mint"}
    gateway.says("GET", "/v1/messages/msg_1", ONE)
    gateway.says("GET", "/v1/messages/msg_1/events", {"data": [event], "attempts": [attempt]})
    messages.show("msg_1")
    assert capsys.readouterr().out.splitlines() == [
        "unknown: it may have been sent; sending it again may send it twice",
        "  why         no answer\\x1b",
        "  id          msg_1",
        "  to          +16195550123 (unknown), +16195550124 (unknown)",
        "  line        mint",
        "  size        900 octets: one MMS instead of 6 SMS",
        "  warning     image_shrunk",
        "  08:00:01    message.sending on mint",
        "  attempt 1   no answer (900 of 900 octets, last_byte)",
    ]
    messages.show("msg_1", json=True)
    assert json.loads(capsys.readouterr().out)["timeline"]["attempts"] == [attempt]


def test_decisions(gateway: Any, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("cancel", "retry", "resolve"):
        gateway.says("POST", f"/v1/messages/msg_1/{verb}", {**ONE, "status": "sent", "error": None})
    messages.cancel("msg_1")
    messages.retry("msg_1", accept_duplicate_risk=True)
    messages.resolve("msg_1", "sent", json=True)
    assert [body for _, _, _, body in gateway.requests] == [b"", b'{"accept_duplicate_risk": true}', b'{"as": "sent"}']
    assert capsys.readouterr().out.startswith("sent: the carrier accepted the message\n")


def test_a_refusal_is_told(gateway: Any, home: Path) -> None:
    gateway.says("POST", "/v1/messages/msg_1/retry", {"title": "Risk", "code": "duplicate_risk", "detail": "may have come"}, 409)
    with pytest.raises(Problem, match="--accept-duplicate-risk"):
        messages.retry("msg_1")


def test_a_terminal_that_has_not_the_characters_is_no_traceback(gateway: Any, home: Path) -> None:
    gateway.says("GET", "/v1/messages", {"data": [{**ONE, "text": "gr\u00fcn \U0001f600"}], "next_cursor": None})
    command = [sys.executable, "-m", "mmsproxy", "messages", "list"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=home, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("gr\\xfcn \\U0001f600\n")

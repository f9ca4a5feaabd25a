"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.dialect import Counters, Identity, Profile, Received, Resolved, Script, Socket
from mmsproxy.at.telit import TELIT
from mmsproxy.errors import BearerError, ConnectError, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("internet")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00"
Replayer = Callable[..., Any]


def test_prepare(replay: Replayer) -> None:
    profile = PROFILE
    assert replay("telit_prepare", lambda: TELIT.prepare(profile, Identity()), TELIT.urcs) is None


@pytest.mark.parametrize(("name", "brought_up"), [("bearer", True), ("bearer_up", False), ("bearer_adopted", True)])
def test_bearer(replay: Replayer, name: str, brought_up: bool) -> None:
    assert replay(f"telit_{name}", lambda: startup.ensure_bearer(TELIT, PROFILE), TELIT.urcs) is brought_up


def test_bearer_fails_for_good(replay: Replayer) -> None:
    kind, text = replay("telit_bearer_fails", lambda: startup.ensure_bearer(TELIT, PROFILE), TELIT.urcs)
    assert kind is BearerError
    assert "APN" in text


@pytest.mark.parametrize("name", ["open", "open_stale"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(f"telit_{name}", lambda: TELIT.open(TELIT.first_socket, "mmsc.example", 80), TELIT.urcs) == 1


@pytest.mark.parametrize(
    ("name", "kind"), [("open_fails", ConnectError), ("open_no_carrier", ConnectError), ("open_no_context", BearerError)]
)
def test_open_fails(replay: Replayer, name: str, kind: type[Exception]) -> None:
    error, _ = replay(f"telit_{name}", lambda: TELIT.open(TELIT.first_socket, "mmsc.example", 80), TELIT.urcs)
    assert error is kind


def sending() -> Script[int]:
    socket = Socket(1, Ledger(given=116, offered=100, accepted=100, acked=40))
    return deliver(TELIT, socket, memoryview(PAYLOAD), more=False)


@pytest.mark.parametrize(("name", "taken"), [("send", 16), ("send_error", 16)])
def test_send(replay: Replayer, name: str, taken: int) -> None:
    assert replay(f"telit_{name}", sending, TELIT.urcs) == taken


@pytest.mark.parametrize("name", ["send_closed", "send_lost"])
def test_send_to_a_socket_that_is_gone(replay: Replayer, name: str) -> None:
    error, _ = replay(f"telit_{name}", sending, TELIT.urcs)
    assert error is PeerReset


def test_read(replay: Replayer) -> None:
    assert replay("telit_read", lambda: TELIT.read(1, 1500), TELIT.urcs) == Received(READ, 7)
    assert replay("telit_read_empty", lambda: TELIT.read(1, 1500), TELIT.urcs) == Received(b"", 0)


def test_counters(replay: Replayer) -> None:
    assert replay("telit_counters", lambda: TELIT.counters(1), TELIT.urcs) == Counters(400, 384, 16)


@pytest.mark.parametrize("name", ["close", "close_not_open"])
def test_close(replay: Replayer, name: str) -> None:
    assert replay(f"telit_{name}", lambda: TELIT.close(1), TELIT.urcs) is None


def test_resolve(replay: Replayer) -> None:
    assert TELIT.resolve is not None
    resolve = TELIT.resolve
    assert replay("telit_resolve", lambda: resolve("mmsc.example"), TELIT.urcs) == Resolved(("192.0.2.7",), None)
    error, text = replay("telit_resolve_unknown", lambda: resolve("mmsc.example"), TELIT.urcs)
    assert error is ConnectError
    assert "mmsc.example" in text

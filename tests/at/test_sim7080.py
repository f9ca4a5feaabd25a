"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.dialect import Counters, Identity, Profile, Received, Resolved, Script, Socket
from mmsproxy.at.sim7080 import SIM7080
from mmsproxy.errors import BearerError, ConnectError, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("internet")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00"
Replayer = Callable[..., Any]


def test_prepare(replay: Replayer) -> None:
    profile = Profile("internet", "IP", "user", "secret")
    assert replay("sim7080_prepare", lambda: SIM7080.prepare(profile, Identity()), SIM7080.urcs) is None


@pytest.mark.parametrize(
    ("name", "brought_up"), [("bearer", True), ("bearer_order", True), ("bearer_up", False), ("bearer_second_try", True)]
)
def test_bearer(replay: Replayer, name: str, brought_up: bool) -> None:
    assert replay(f"sim7080_{name}", lambda: startup.ensure_bearer(SIM7080, PROFILE), SIM7080.urcs) is brought_up


@pytest.mark.parametrize("name", ["open", "open_order", "open_stale"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(f"sim7080_{name}", lambda: SIM7080.open(SIM7080.first_socket, "mmsc.example", 80), SIM7080.urcs) == 0


@pytest.mark.parametrize(("name", "kind"), [("open_dns", ConnectError), ("open_no_context", BearerError)])
def test_open_fails(replay: Replayer, name: str, kind: type[Exception]) -> None:
    error, _ = replay(f"sim7080_{name}", lambda: SIM7080.open(SIM7080.first_socket, "mmsc.example", 80), SIM7080.urcs)
    assert error is kind


def sending() -> Script[int]:
    socket = Socket(0, Ledger(given=116, offered=100, accepted=100, acked=40))
    return deliver(SIM7080, socket, memoryview(PAYLOAD), more=False)


@pytest.mark.parametrize(("name", "taken"), [("send", 16), ("send_waits", 16), ("send_small_window", 6), ("send_error", 16)])
def test_send(replay: Replayer, name: str, taken: int) -> None:
    assert replay(f"sim7080_{name}", sending, SIM7080.urcs) == taken


@pytest.mark.parametrize("name", ["send_closed"])
def test_send_to_a_socket_that_is_gone(replay: Replayer, name: str) -> None:
    error, _ = replay(f"sim7080_{name}", sending, SIM7080.urcs)
    assert error is PeerReset


def test_read(replay: Replayer) -> None:
    assert replay("sim7080_read", lambda: SIM7080.read(0, 1460), SIM7080.urcs) == Received(READ, None)
    assert replay("sim7080_read_empty", lambda: SIM7080.read(0, 1460), SIM7080.urcs) == Received(b"", 0)


def test_counters(replay: Replayer) -> None:
    assert replay("sim7080_counters", lambda: SIM7080.counters(0), SIM7080.urcs) == Counters(16068, 7308, 8760)


@pytest.mark.parametrize("name", ["close", "close_not_open"])
def test_close(replay: Replayer, name: str) -> None:
    assert replay(f"sim7080_{name}", lambda: SIM7080.close(0), SIM7080.urcs) is None


def test_resolve(replay: Replayer) -> None:
    assert SIM7080.resolve is not None
    resolve = SIM7080.resolve
    assert replay("sim7080_resolve", lambda: resolve("mmsc.example"), SIM7080.urcs) == Resolved(("192.0.2.7",), None)
    error, text = replay("sim7080_resolve_unknown", lambda: resolve("mmsc.example"), SIM7080.urcs)
    assert error is ConnectError
    assert "mmsc.example" in text

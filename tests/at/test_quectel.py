"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.dialect import Counters, Identity, Profile, Received, Resolved, Script, Socket
from mmsproxy.at.quectel import QUECTEL
from mmsproxy.errors import BearerError, ConnectError, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("internet")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00"
Replayer = Callable[..., Any]


def test_prepare(replay: Replayer) -> None:
    profile = Profile("internet", "IP", "user", "secret")
    assert replay("quectel_prepare", lambda: QUECTEL.prepare(profile, Identity()), QUECTEL.urcs) is None


@pytest.mark.parametrize(("name", "brought_up"), [("bearer", True), ("bearer_up", False), ("bearer_adopted", True)])
def test_bearer(replay: Replayer, name: str, brought_up: bool) -> None:
    assert replay(f"quectel_{name}", lambda: startup.ensure_bearer(QUECTEL, PROFILE), QUECTEL.urcs) is brought_up


def test_bearer_fails_for_good(replay: Replayer) -> None:
    kind, text = replay("quectel_bearer_fails", lambda: startup.ensure_bearer(QUECTEL, PROFILE), QUECTEL.urcs)
    assert kind is BearerError
    assert "APN" in text


@pytest.mark.parametrize("name", ["open", "open_stale"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(f"quectel_{name}", lambda: QUECTEL.open(QUECTEL.first_socket, "mmsc.example", 80), QUECTEL.urcs) == 0


@pytest.mark.parametrize(("name", "kind"), [("open_dns", ConnectError), ("open_no_context", BearerError), ("open_silent", ConnectError)])
def test_open_fails(replay: Replayer, name: str, kind: type[Exception]) -> None:
    error, _ = replay(f"quectel_{name}", lambda: QUECTEL.open(QUECTEL.first_socket, "mmsc.example", 80), QUECTEL.urcs)
    assert error is kind


def sending() -> Script[int]:
    socket = Socket(0, Ledger(given=116, offered=100, accepted=100, acked=40))
    return deliver(QUECTEL, socket, memoryview(PAYLOAD), more=False)


@pytest.mark.parametrize(("name", "taken"), [("send", 16), ("send_fail_not_taken", 16), ("send_fail_taken", 16)])
def test_send(replay: Replayer, name: str, taken: int) -> None:
    assert replay(f"quectel_{name}", sending, QUECTEL.urcs) == taken


@pytest.mark.parametrize("name", ["send_closed", "send_peer_closed"])
def test_send_to_a_socket_that_is_gone(replay: Replayer, name: str) -> None:
    error, _ = replay(f"quectel_{name}", sending, QUECTEL.urcs)
    assert error is PeerReset


def test_read(replay: Replayer) -> None:
    assert replay("quectel_read", lambda: QUECTEL.read(0, 1500), QUECTEL.urcs) == Received(READ, None)
    assert replay("quectel_read_empty", lambda: QUECTEL.read(0, 1500), QUECTEL.urcs) == Received(b"", 0)


def test_counters(replay: Replayer) -> None:
    assert replay("quectel_counters", lambda: QUECTEL.counters(0), QUECTEL.urcs) == Counters(304, 300, 4)


@pytest.mark.parametrize("name", ["close", "close_not_open"])
def test_close(replay: Replayer, name: str) -> None:
    assert replay(f"quectel_{name}", lambda: QUECTEL.close(0), QUECTEL.urcs) is None


def test_resolve(replay: Replayer) -> None:
    assert QUECTEL.resolve is not None
    resolve = QUECTEL.resolve
    assert replay("quectel_resolve", lambda: resolve("mmsc.example"), QUECTEL.urcs) == Resolved(("192.0.2.7",), 600.0)
    error, text = replay("quectel_resolve_unknown", lambda: resolve("mmsc.example"), QUECTEL.urcs)
    assert error is ConnectError
    assert "mmsc.example" in text

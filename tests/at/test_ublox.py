"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.dialect import Counters, Identity, Profile, Received, Resolved, Script, Socket
from mmsproxy.at.ublox import UBLOX
from mmsproxy.errors import BearerError, ConnectError, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("internet")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00"
Replayer = Callable[..., Any]


def test_prepare(replay: Replayer) -> None:
    profile = Profile("internet", "IP", "user", "secret")
    assert replay("ublox_prepare", lambda: UBLOX.prepare(profile, Identity()), UBLOX.urcs) is None


@pytest.mark.parametrize(("name", "brought_up"), [("bearer", True), ("bearer_up", False), ("bearer_profile", True)])
def test_bearer(replay: Replayer, name: str, brought_up: bool) -> None:
    assert replay(f"ublox_{name}", lambda: startup.ensure_bearer(UBLOX, PROFILE), UBLOX.urcs) is brought_up


def test_bearer_fails_for_good(replay: Replayer) -> None:
    kind, text = replay("ublox_bearer_fails", lambda: startup.ensure_bearer(UBLOX, PROFILE), UBLOX.urcs)
    assert kind is BearerError
    assert "APN" in text


@pytest.mark.parametrize("name", ["open", "open_blocking"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(f"ublox_{name}", lambda: UBLOX.open(UBLOX.first_socket, "mmsc.example", 80), UBLOX.urcs) == 2


@pytest.mark.parametrize(("name", "kind"), [("open_fails", ConnectError), ("open_no_context", BearerError)])
def test_open_fails(replay: Replayer, name: str, kind: type[Exception]) -> None:
    error, _ = replay(f"ublox_{name}", lambda: UBLOX.open(UBLOX.first_socket, "mmsc.example", 80), UBLOX.urcs)
    assert error is kind


def sending() -> Script[int]:
    socket = Socket(0, Ledger(given=116, offered=100, accepted=100, acked=40))
    return deliver(UBLOX, socket, memoryview(PAYLOAD), more=False)


@pytest.mark.parametrize(("name", "taken"), [("send", 16), ("send_short", 6)])
def test_send(replay: Replayer, name: str, taken: int) -> None:
    assert replay(f"ublox_{name}", sending, UBLOX.urcs) == taken


@pytest.mark.parametrize("name", ["send_closed", "send_lost"])
def test_send_to_a_socket_that_is_gone(replay: Replayer, name: str) -> None:
    error, _ = replay(f"ublox_{name}", sending, UBLOX.urcs)
    assert error is PeerReset


def test_read(replay: Replayer) -> None:
    assert replay("ublox_read", lambda: UBLOX.read(0, 1024), UBLOX.urcs) == Received(READ, None)
    assert replay("ublox_read_empty", lambda: UBLOX.read(0, 1024), UBLOX.urcs) == Received(b"", 0)


def test_counters(replay: Replayer) -> None:
    assert replay("ublox_counters", lambda: UBLOX.counters(0), UBLOX.urcs) == Counters(400, 384, 16)


@pytest.mark.parametrize("name", ["close", "close_not_open"])
def test_close(replay: Replayer, name: str) -> None:
    assert replay(f"ublox_{name}", lambda: UBLOX.close(0), UBLOX.urcs) is None


def test_resolve(replay: Replayer) -> None:
    assert UBLOX.resolve is not None
    resolve = UBLOX.resolve
    assert replay("ublox_resolve", lambda: resolve("mmsc.example"), UBLOX.urcs) == Resolved(("192.0.2.7",), None)
    error, text = replay("ublox_resolve_unknown", lambda: resolve("mmsc.example"), UBLOX.urcs)
    assert error is ConnectError
    assert "mmsc.example" in text

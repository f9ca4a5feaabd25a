"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.detect import detect
from mmsproxy.at.dialect import Dialect, Identity, Profile, Received, Script, Socket
from mmsproxy.at.sim800 import SIM800
from mmsproxy.errors import AtError, AtStringError, BearerError, ConnectError, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("mms.example", "IP", "user", "word")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
Replayer = Callable[..., Any]


def whole_start() -> Script[tuple[Dialect, Identity]]:
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    dialect = yield from detect(identity)
    yield from startup.make_ready(dialect, PROFILE, identity, "4711", refused=False)
    return dialect, identity


def test_start(replay: Replayer) -> None:
    dialect, identity = replay("sim800_start", whole_start, SIM800.urcs)
    assert dialect is SIM800
    assert identity == Identity("SIMCOM_Ltd", "SIMCOM_SIM800L", "1418B04SIM800L24", "SIM800 R14.18")


@pytest.mark.parametrize(("name", "brought_up"), [("sim800_bearer", True), ("sim800_bearer_deact", True), ("sim800_check_up", False)])
def test_bearer(replay: Replayer, name: str, brought_up: bool) -> None:
    assert replay(name, lambda: startup.ensure_bearer(SIM800, PROFILE), SIM800.urcs) is brought_up


def test_bearer_fails_for_good(replay: Replayer) -> None:
    kind, text = replay("sim800_bearer_fails", lambda: startup.ensure_bearer(SIM800, PROFILE), SIM800.urcs)
    assert kind is BearerError
    assert "AT+CIICR" in text


@pytest.mark.parametrize("name", ["sim800_open", "sim800_open_already"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(name, lambda: SIM800.open(0, "mmsc.example", 80), SIM800.urcs) == 0


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("sim800_open_fail", ConnectError, "CONNECT FAIL"),
        ("sim800_open_refused", BearerError, "+CME ERROR: 3"),
        ("sim800_open_silent", ConnectError, "did not answer"),
    ],
)
def test_open_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(name, lambda: SIM800.open(0, "mmsc.example", 80), SIM800.urcs)
    assert error is kind
    assert words in text


def test_a_host_with_a_quote_never_reaches_the_modem() -> None:
    with pytest.raises(AtStringError):
        next(SIM800.open(0, 'mmsc.example",80\r', 80))


def sending(sockets: list[Socket] | None = None) -> Callable[[], Script[int]]:
    def script() -> Script[int]:
        socket = Socket(0, Ledger(given=116, offered=100, accepted=100))
        if sockets is not None:
            sockets.append(socket)
        return deliver(SIM800, socket, PAYLOAD, more=False)

    return script


@pytest.mark.parametrize("name", ["sim800_send", "sim800_send_acked", "sim800_send_fail", "sim800_send_full"])
def test_send(replay: Replayer, name: str) -> None:
    sockets: list[Socket] = []
    assert replay(name, sending(sockets), SIM800.urcs) == 16
    assert {socket.book.accepted for socket in sockets} == {116}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sim800_send_fail_unknown", AtError), ("sim800_send_closed", PeerReset), ("sim800_send_peer_closed", PeerReset)],
)
def test_send_fails(replay: Replayer, name: str, kind: type[Exception]) -> None:
    sockets: list[Socket] = []
    error, _ = replay(name, sending(sockets), SIM800.urcs)
    assert error is kind
    assert {socket.book.accepted for socket in sockets} == {100}


def test_read(replay: Replayer) -> None:
    data = b"\r\n+CIPRXGET: 1,0\r\n0, CLO\r\n"
    assert replay("sim800_read", lambda: SIM800.read(0, 1460), SIM800.urcs) == Received(data[:25], 1200)


def test_close(replay: Replayer) -> None:
    assert replay("sim800_close", lambda: SIM800.close(0), SIM800.urcs) is None
    assert replay("sim800_close_not_open", lambda: SIM800.close(0), SIM800.urcs) is None

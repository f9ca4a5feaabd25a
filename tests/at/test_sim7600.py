"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import StillQuiet, deliver
from mmsproxy.at.detect import detect
from mmsproxy.at.dialect import Counters, Dialect, Identity, Profile, Received, Script, Socket
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.errors import AtError, AtTimeout, BearerError, ConnectError, LinkLost, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("mms.example", "IP", "user", "word")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
Replayer = Callable[..., Any]


def whole_start() -> Script[tuple[Dialect, Identity]]:
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    dialect = yield from detect(identity)
    yield from startup.make_ready(dialect, PROFILE, identity, None, refused=False)
    return dialect, identity


def test_start_of_a_sim7600(replay: Replayer) -> None:
    dialect, identity = replay("sim7600_start", whole_start, SIM7600.urcs)
    assert dialect is SIM7600
    assert identity.model == "SIMCOM_SIM7600G-H"
    assert identity.revision == "LE20B04SIM7600G22"
    assert "SIM7600G_V2.0.2" in identity.info


def test_start_of_an_a7670_that_refuses_much(replay: Replayer) -> None:
    dialect, identity = replay("a7670_start", whole_start, SIM7600.urcs)
    assert dialect is SIM7600
    assert identity.model == "A7670E-FASE"


@pytest.mark.parametrize("name", ["sim7600_bearer", "sim7600_bearer_already", "a7670_bearer_http"])
def test_bearer_comes_up(replay: Replayer, name: str) -> None:
    assert replay(name, lambda: startup.ensure_bearer(SIM7600, PROFILE), SIM7600.urcs) is True


def test_bearer_fails_for_good(replay: Replayer) -> None:
    kind, text = replay("sim7600_bearer_fails", lambda: startup.ensure_bearer(SIM7600, PROFILE), SIM7600.urcs)
    assert kind is BearerError
    assert "+NETOPEN: 1" in text
    assert "APN" in text


@pytest.mark.parametrize("name", ["sim7600_open", "sim7600_open_order", "sim7600_open_stale"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(name, lambda: SIM7600.open(0, "mmsc.example", 80), SIM7600.urcs) == 0


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("sim7600_open_dns", ConnectError, "DNS"),
        ("sim7600_open_no_context", BearerError, "+CIPOPEN: 0,2"),
        ("sim7600_open_refused", BearerError, "ERROR"),
        ("sim7600_open_silent", ConnectError, "did not answer"),
    ],
)
def test_open_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(name, lambda: SIM7600.open(0, "mmsc.example", 80), SIM7600.urcs)
    assert error is kind
    assert words in text


def sending(*, more: bool = False, sockets: list[Socket] | None = None) -> Callable[[], Script[int]]:
    def script() -> Script[int]:
        socket = Socket(0, Ledger(given=116, offered=100, accepted=100, acked=40))
        if sockets is not None:
            sockets.append(socket)
        return deliver(SIM7600, socket, memoryview(PAYLOAD), more=more)

    return script


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("sim7600_send", 16),
        ("sim7600_send_echo", 16),
        ("sim7600_send_short", 6),
        ("sim7600_send_full", 16),
        ("sim7600_send_busy", 16),
        ("sim7600_send_no_result", 16),
    ],
)
def test_send(replay: Replayer, name: str, taken: int) -> None:
    sockets: list[Socket] = []

    def offered_first(player: Any, _outcome: Any) -> None:
        assert set(player.offered) == {116}

    assert replay(name, sending(sockets=sockets), SIM7600.urcs, offered_first) == taken
    assert {socket.book.accepted for socket in sockets} == {100 + taken}


@pytest.mark.parametrize(
    ("name", "kind", "more", "offers"),
    [
        ("sim7600_send_lies", AtError, False, [116]),
        ("sim7600_send_closed", PeerReset, False, []),
        ("sim7600_send_lost", PeerReset, False, [116]),
        ("sim7600_send_peer_closed", PeerReset, False, [116]),
        ("sim7600_send_no_prompt_more", AtTimeout, True, []),
        ("sim7600_send_no_prompt_last", LinkLost, False, []),
        ("sim7600_send_no_prompt_lost", StillQuiet, False, []),
    ],
)
def test_send_fails(replay: Replayer, name: str, kind: type[Exception], more: bool, offers: list[int]) -> None:
    def offered(player: Any, _outcome: Any) -> None:
        assert player.offered == offers

    error, _ = replay(name, sending(more=more), SIM7600.urcs, offered)
    assert error is kind


def test_read(replay: Replayer) -> None:
    assert replay("sim7600_read", lambda: SIM7600.read(0, 1500), SIM7600.urcs) == Received(b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00", 7)
    assert replay("sim7600_read_empty", lambda: SIM7600.read(0, 1500), SIM7600.urcs) == Received(b"", 0)


def test_read_of_more_than_was_asked_for_fails(replay: Replayer) -> None:
    kind, text = replay("sim7600_read_too_much", lambda: SIM7600.read(0, 1500), SIM7600.urcs)
    assert kind is AtError
    assert "1501" in text


def test_close(replay: Replayer) -> None:
    assert replay("sim7600_close", lambda: SIM7600.close(0), SIM7600.urcs) is None
    assert replay("sim7600_close_not_open", lambda: SIM7600.close(0), SIM7600.urcs) is None


def test_counters_of_a_long_stream() -> None:
    script = SIM7600.counters(3)
    request = next(script)
    assert request.text == b"AT+CIPACK=3"  # type: ignore[union-attr]
    with pytest.raises(StopIteration) as done:
        script.send(Reply(Outcome.DONE, (b"+CIPACK: 1048576,1048000,576", b"OK"), b"OK"))
    assert done.value.value == Counters(1048576, 1048000, 576)

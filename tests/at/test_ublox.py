"""Each script of the dialect and its variants against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at.delivery import deliver
from mmsproxy.at.detect import by_name, detect
from mmsproxy.at.dialect import Ask, Counters, Dialect, Identity, Pause, Received, Resolved, Script, Socket
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import Outcome, Reply, UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.ublox import GUARD, R5, R404M, UBLOX, WITH_PROFILE
from mmsproxy.errors import AtError, AtStringError, AtTimeout, BearerError, ConnectError, LinkLost, PeerReset
from mmsproxy.link import Ledger

PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00"
Replayer = Callable[..., Any]


@pytest.mark.parametrize(
    ("model", "revision", "expected"),
    [
        ("SARA-R410M-02B", "L0.0.00.00.05.06", UBLOX),  # locks up on a blocking connect
        ("SARA-R410M-02B", "L0.0.00.00.05.08", UBLOX),
        ("SARA-R412M-02B", "", UBLOX),
        ("SARA-R410M-01B", "", R404M),
        ("SARA-R404M-00B", "", R404M),
        ("SARA-R510S-01B", "", R5),
        ("LARA-R6001D-00B", "", R5),
        ("SARA-U201", "", WITH_PROFILE),
        ("SARA-G350", "", WITH_PROFILE),
        ("SARA-G450-00C", "", WITH_PROFILE),
        ("LISA-U200", "", WITH_PROFILE),
        ("TOBY-L210", "", WITH_PROFILE),
        ("LARA-R211", "", WITH_PROFILE),
    ],
)
def test_the_variant_of_a_model(model: str, revision: str, expected: Dialect) -> None:
    identity = Identity("u-blox", model, revision)
    with pytest.raises(StopIteration) as done:
        next(detect(identity))
    assert done.value.value is expected
    named = by_name("ublox")
    assert named is UBLOX
    assert named.on(identity) is expected
    assert expected.name == "ublox"


def test_how_variants_restart() -> None:
    assert (UBLOX.restart, R5.restart, WITH_PROFILE.restart) == (b"AT+CFUN=15", b"AT+CFUN=15", b"AT+CFUN=1,1")


# -- opening and closing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("open", UBLOX),
        ("open", R5),
        ("open_order", UBLOX),
        ("open_all_taken", UBLOX),
        ("open_blocking", WITH_PROFILE),
        ("open_blocking", R404M),
    ],
)
def test_open(replay: Replayer, name: str, dialect: Dialect) -> None:
    assert replay(f"ublox_{name}", lambda: dialect.open(0, "mmsc.example", 80), dialect.urcs) == 2


@pytest.mark.parametrize(
    ("name", "dialect", "kind", "words"),
    [
        ("open_refused", UBLOX, ConnectError, "no connection to mmsc.example:80: refused (+UUSOCO: 2,111)"),
        ("open_error", UBLOX, BearerError, "not connected (+CME ERROR: 3)"),
        ("open_no_network", UBLOX, BearerError, "the network is unreachable"),
        ("open_silent", UBLOX, ConnectError, "did not answer within 30 s"),
        ("open_no_socket", UBLOX, BearerError, "no socket"),
        ("open_no_number", UBLOX, AtError, "did not name its new socket"),
        ("open_blocking_fails", WITH_PROFILE, ConnectError, "time-out (ERROR)"),
        ("open_blocking_no_reason", WITH_PROFILE, BearerError, "+CME ERROR: 100"),
    ],
)
def test_open_fails(replay: Replayer, name: str, dialect: Dialect, kind: type[Exception], words: str) -> None:
    error, text = replay(f"ublox_{name}", lambda: dialect.open(0, "mmsc.example", 80), dialect.urcs)
    assert error is kind
    assert words in text


@pytest.mark.parametrize("dialect", [UBLOX, R404M, R5, WITH_PROFILE])
def test_a_host_with_a_quote_never_reaches_the_modem(dialect: Dialect) -> None:
    with pytest.raises(AtStringError):
        next(dialect.open(0, 'mmsc.example",80\r', 80))


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("close", UBLOX),
        ("close_time_wait", UBLOX),
        ("close_not_open", UBLOX),
        ("close_form_unknown", UBLOX),
        ("close_blocking", WITH_PROFILE),
        ("close_blocking_not_open", R404M),
    ],
)
def test_close(replay: Replayer, name: str, dialect: Dialect) -> None:
    assert replay(f"ublox_{name}", lambda: dialect.close(0), dialect.urcs) is None


@pytest.mark.parametrize(
    ("name", "dialect", "words"),
    [
        ("close_silent", UBLOX, "no answer to AT+USOCL=0,1"),
        ("close_blocking_silent", WITH_PROFILE, "no answer to AT+USOCL=0 "),
    ],
)
def test_close_without_an_answer(replay: Replayer, name: str, dialect: Dialect, words: str) -> None:
    kind, text = replay(f"ublox_{name}", lambda: dialect.close(0), dialect.urcs)
    assert kind is AtTimeout
    assert words in text


def test_a_socket_that_never_closes() -> None:
    pauses: list[float] = []

    def modem(script: Script[None]) -> None:
        request = next(script)
        while True:
            if isinstance(request, Pause):
                pauses.append(request.seconds)
            lines = (b"+USOCTL: 0,10,9", b"OK") if isinstance(request, Ask) and b"USOCTL" in request.text else (b"OK",)
            request = script.send(Reply(Outcome.DONE, lines, b"OK"))

    with pytest.raises(AtTimeout, match="socket 0 does not close within 15 s"):
        modem(UBLOX.close(0))
    assert sum(pauses) == pytest.approx(15.0)


# -- sending --------------------------------------------------------------------------------------------------------------------


def sending(*, more: bool = False, sockets: list[Socket] | None = None) -> Callable[[], Script[int]]:
    def script() -> Script[int]:
        socket = Socket(0, Ledger(given=116, offered=100, accepted=100, acked=40))
        if sockets is not None:
            sockets.append(socket)
        return deliver(UBLOX, socket, memoryview(PAYLOAD), more=more)

    return script


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("send", 16),
        ("send_data_waits", 16),
        ("send_short", 6),
        ("send_full", 16),
        ("send_busy", 16),
        ("send_error_taken", 16),
        ("send_no_result", 16),
    ],
)
def test_send(replay: Replayer, name: str, taken: int) -> None:
    sockets: list[Socket] = []

    def offered_first(player: Any, _outcome: Any) -> None:
        assert set(player.offered) == {116}

    assert replay(f"ublox_{name}", sending(sockets=sockets), UBLOX.urcs, offered_first) == taken
    assert {socket.book.accepted for socket in sockets} == {100 + taken}


@pytest.mark.parametrize(
    ("name", "kind", "more", "offers"),
    [
        ("send_closed", PeerReset, False, []),
        ("send_close_wait", PeerReset, False, []),
        ("send_error", PeerReset, False, [116]),
        ("send_lies", AtError, False, [116]),
        ("send_no_prompt_more", AtTimeout, True, []),
        ("send_no_prompt_last", LinkLost, False, []),
    ],
)
def test_send_fails(replay: Replayer, name: str, kind: type[Exception], more: bool, offers: list[int]) -> None:
    def offered(player: Any, _outcome: Any) -> None:
        assert player.offered == offers

    error, _ = replay(f"ublox_{name}", sending(more=more), UBLOX.urcs, offered)
    assert error is kind


def test_what_the_peer_sent_before_it_closed_is_read_whatever_the_send_says_late(replay: Replayer) -> None:
    def script() -> Script[Received]:
        with pytest.raises(PeerReset, match="UUSOCL"):
            yield from sending()()
        return (yield from UBLOX.read(0, 1024))

    assert replay("ublox_send_lost", script, UBLOX.urcs) == Received(b"HTTP", None)


def test_nothing_is_written_within_50_ms_after_the_prompt() -> None:
    script = UBLOX.send(0, b"abc", 3)
    next(script)
    assert script.send(Reply(Outcome.PROMPTED)) == Pause(0.050) == Pause(GUARD)


# -- receiving ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("read", Received(READ, None)),
        ("read_quotes", Received(b'"\r\n+UUSOCL: 0\r\n""\r\n\r\nOK\r\n\r\n"', None)),
        ("read_empty", Received(b"", 0)),
        ("read_empty_zero", Received(b"", 0)),
        ("read_empty_error", Received(b"", 0)),
    ],
)
def test_read(replay: Replayer, name: str, expected: Received) -> None:
    def nothing_else(player: Any, _outcome: Any) -> None:
        assert not [event for event in player.heard if isinstance(event, UrcReceived) and event.kind is Urc.PEER_CLOSED]

    assert replay(f"ublox_{name}", lambda: UBLOX.read(0, 1024), UBLOX.urcs, nothing_else) == expected


@pytest.mark.parametrize(("name", "words"), [("read_closed", "+CME ERROR: 3"), ("read_too_much", "1025")])
def test_read_fails(replay: Replayer, name: str, words: str) -> None:
    kind, text = replay(f"ublox_{name}", lambda: UBLOX.read(0, 1024), UBLOX.urcs)
    assert kind is AtError
    assert words in text


def test_peer_closed_with_data_unread(replay: Replayer) -> None:
    def script() -> Script[bytes]:
        data = b""
        while (got := (yield from UBLOX.read(0, 1024))).left != 0:
            data += got.data
        return data

    def kinds(player: Any, _outcome: Any) -> None:
        heard = [(event.kind, event.socket) for event in player.heard if isinstance(event, UrcReceived)]
        expected = [(Urc.DATA_WAITING, 0), (Urc.PEER_CLOSED, 0), (Urc.DATA_WAITING, 0)]
        assert [fact for fact in heard if fact[0] is not Urc.REGISTRATION] == expected

    assert replay("ublox_drain", script, UBLOX.urcs, kinds) == b"0123456789abcd"


def test_counters(replay: Replayer) -> None:
    assert replay("ublox_counters", lambda: UBLOX.counters(0), UBLOX.urcs) == Counters(400, 384, 16)
    kind, text = replay("ublox_counters_refused", lambda: UBLOX.counters(0), UBLOX.urcs)
    assert kind is AtError
    assert "not allowed" in text


# -- names and URCs -------------------------------------------------------------------------------------------------------------


def resolving() -> Script[Resolved]:
    assert UBLOX.resolve is not None
    return UBLOX.resolve("mmsc.example")


@pytest.mark.parametrize(("name", "addresses"), [("resolve", ("192.0.2.7",)), ("resolve_two", ("192.0.2.7", "2001:db8::7"))])
def test_resolve(replay: Replayer, name: str, addresses: tuple[str, ...]) -> None:
    assert replay(f"ublox_{name}", resolving, UBLOX.urcs) == Resolved(addresses)


@pytest.mark.parametrize(
    ("name", "kind", "words"), [("unknown", ConnectError, "does not know mmsc.example"), ("silent", AtTimeout, "AT+UDNSRN=0")]
)
def test_resolve_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(f"ublox_resolve_{name}", resolving, UBLOX.urcs)
    assert error is kind
    assert words in text


@pytest.mark.parametrize(
    ("line", "kind", "socket"),
    [
        (b"+UUSORD: 6,1024", Urc.DATA_WAITING, 6),
        (b"+UUSOCL: 0", Urc.PEER_CLOSED, 0),
        (b"+UUPSDD: 0", Urc.BEARER_LOST, None),
        (b"+UUPSDD: 1", Urc.NOISE, None),
        (b"+CGEV: NW PDN DEACT 1", Urc.BEARER_LOST, None),
        (b"+CGEV: NW PDN DEACT 1,0", Urc.BEARER_LOST, None),
        (b"+CGEV: NW DETACH", Urc.BEARER_LOST, None),
        (b"+CGEV: NW PDN DEACT 12", Urc.NOISE, None),
        (b"+CGEV: ME PDN ACT 1", Urc.NOISE, None),
        (b'+UUPSDA: 0,"10.7.1.2"', Urc.NOISE, None),
        (b"+UUSOCO: 0,0", Urc.NOISE, None),
        (b"+SYSSTART", Urc.RESTARTED, None),
        (b"+READY", Urc.RESTARTED, None),
        (b'+CMTI: "ME",3', Urc.SMS_STORED, None),
    ],
)
def test_urcs(line: bytes, kind: Urc, socket: int | None) -> None:
    assert Engine(UBLOX.urcs).feed(b"\r\n" + line + b"\r\n") == [UrcReceived(kind, line, socket)]

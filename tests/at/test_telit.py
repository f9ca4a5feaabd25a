"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import StillQuiet, deliver
from mmsproxy.at.detect import detect
from mmsproxy.at.dialect import Counters, Dialect, Identity, Profile, Received, Resolved, Script, Socket
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import Outcome, Reply, UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.telit import CHUNK, TELIT
from mmsproxy.errors import AtError, AtTimeout, BearerError, ConnectError, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("internet")
LOGIN = Profile("mms.example", "IP", "user", "word")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00\r\nNO CARRIER\r\nSRING: 1,5\r\n#SRECV: 1,9\r\n.."
Replayer = Callable[..., Any]


def whole_start() -> Script[tuple[Dialect, Identity]]:
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    dialect = yield from detect(identity)
    yield from startup.make_ready(dialect, LOGIN, identity, None, refused=False)
    return dialect, identity


def test_start(replay: Replayer) -> None:
    dialect, identity = replay("telit_start", whole_start, TELIT.urcs)
    assert dialect is TELIT
    assert identity == Identity("Telit", "LE910-EU V2", "20.00.505", "332")


@pytest.mark.parametrize("name", ["prepare", "prepare_adopted", "prepare_foreign"])
def test_prepare(replay: Replayer, name: str) -> None:
    assert replay(f"telit_{name}", lambda: TELIT.prepare(PROFILE, Identity()), TELIT.urcs) is None


def test_prepare_fails(replay: Replayer) -> None:
    kind, text = replay("telit_prepare_refused", lambda: TELIT.prepare(PROFILE, Identity()), TELIT.urcs)
    assert kind is AtError
    assert "#SCFGEXT" in text


@pytest.mark.parametrize(
    ("name", "profile", "brought_up"),
    [
        ("bearer", PROFILE, True),
        ("bearer_login", LOGIN, True),
        ("bearer_up", PROFILE, False),
        ("bearer_adopted", PROFILE, True),
        ("bearer_again", PROFILE, True),
    ],
)
def test_bearer(replay: Replayer, name: str, profile: Profile, brought_up: bool) -> None:
    assert replay(f"telit_{name}", lambda: startup.ensure_bearer(TELIT, profile), TELIT.urcs) is brought_up


def test_bearer_fails_for_good(replay: Replayer) -> None:
    kind, text = replay("telit_bearer_fails", lambda: startup.ensure_bearer(TELIT, PROFILE), TELIT.urcs)
    assert kind is BearerError
    assert "the context could not be activated" in text
    assert "APN" in text


def test_the_login_stays_out_of_the_error() -> None:
    script = TELIT.bearer_up(LOGIN)
    next(script)
    with pytest.raises(BearerError) as error:
        script.send(Reply(Outcome.TIMED_OUT))
    assert "word" not in str(error.value)


def test_a_bearer_without_an_answer(replay: Replayer) -> None:
    kind, text = replay("telit_bearer_silent", lambda: TELIT.bearer_up(PROFILE), TELIT.urcs)
    assert kind is BearerError
    assert "no answer" in text


@pytest.mark.parametrize("name", ["bearer_down", "bearer_down_already"])
def test_bearer_down(replay: Replayer, name: str) -> None:
    assert replay(f"telit_{name}", TELIT.bearer_down, TELIT.urcs) is None


def opening() -> Script[int]:
    return TELIT.open(TELIT.first_socket, "mmsc.example", 80)


@pytest.mark.parametrize("name", ["open", "open_stale"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(f"telit_{name}", opening, TELIT.urcs) == 1


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("open_dns", ConnectError, "DNS: no such name (+CME ERROR: 558)"),
        ("open_fails", ConnectError, "time-out"),
        ("open_refused", ConnectError, "disconnected"),
        ("open_no_carrier", ConnectError, "NO CARRIER"),
        ("open_no_context", BearerError, "the context is not up"),
        ("open_error", BearerError, "ERROR"),
        ("open_silent", ConnectError, "did not answer"),
    ],
)
def test_open_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(f"telit_{name}", opening, TELIT.urcs)
    assert error is kind
    assert words in text


def sending(*, room: int = CHUNK, more: bool = False, sockets: list[Socket] | None = None) -> Callable[[], Script[int]]:
    def script() -> Script[int]:
        socket = Socket(1, Ledger(given=116, offered=100, accepted=100, acked=40), room=room)
        if sockets is not None:
            sockets.append(socket)
        return deliver(TELIT, socket, memoryview(PAYLOAD), more=more)

    return script


@pytest.mark.parametrize(
    ("name", "room", "taken", "left_at"),
    [
        ("send", CHUNK, 16, 116),
        ("send_first", 0, 6, 106),
        ("send_unsaid", 0, 16, 116),
        ("send_full", CHUNK, 16, 116),
        ("send_error", CHUNK, 16, 116),
        ("send_other_carrier", CHUNK, 16, 116),
        ("send_no_result", CHUNK, 7, 116),
    ],
)
def test_send(replay: Replayer, name: str, room: int, taken: int, left_at: int) -> None:
    sockets: list[Socket] = []

    def offered_first(player: Any, _outcome: Any) -> None:
        assert set(player.offered) == {left_at}

    assert replay(f"telit_{name}", sending(room=room, sockets=sockets), TELIT.urcs, offered_first) == taken
    assert {socket.book.accepted for socket in sockets} == {100 + taken}


@pytest.mark.parametrize(
    ("name", "kind", "more", "offers"),
    [
        ("send_closed", PeerReset, False, []),
        ("send_gone", PeerReset, False, []),
        ("send_early", PeerReset, False, []),
        ("send_lost", PeerReset, False, [116]),
        ("send_lies", AtError, False, [116]),
        ("send_no_prompt_more", AtTimeout, True, []),
        ("send_no_prompt_last", StillQuiet, False, []),
    ],
)
def test_send_fails(replay: Replayer, name: str, kind: type[Exception], more: bool, offers: list[int]) -> None:
    def offered(player: Any, _outcome: Any) -> None:
        assert player.offered == offers

    error, _ = replay(f"telit_{name}", sending(more=more), TELIT.urcs, offered)
    assert error is kind


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((b"#SSENDEXT: (1-6),(1-1500)", b"OK"), 1500),
        ((b"#SSENDEXT: (1-6),(1-1024)", b"OK"), 1024),
        ((b"#SSENDEXT: (1-10),(1-2048)", b"OK"), 1500),
        ((b"#SSENDEXT: (1-6),1-1500", b"OK"), 1500),
        ((b"#SSENDEXT:", b"OK"), 1024),
        ((b"OK",), 1024),
    ],
)
def test_most_bytes_of_a_send(told: tuple[bytes, ...], expected: int) -> None:
    assert TELIT.room is not None
    script = TELIT.room(1)
    next(script)
    with pytest.raises(StopIteration) as done:
        script.send(Reply(Outcome.DONE, told, told[-1]))
    assert done.value.value == expected


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("read", 1500, Received(READ, 7)),
        ("read_limited", 8, Received(b"12345678", 32)),
        ("read_empty", 1500, Received(b"", 0)),
        ("read_closed", 1500, Received(b"", 0, ended=True)),
        ("read_closed_untold", 1500, Received(b"", 0, ended=True)),
    ],
)
def test_read(replay: Replayer, name: str, limit: int, expected: Received) -> None:
    assert replay(f"telit_{name}", lambda: TELIT.read(1, limit), TELIT.urcs) == expected


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("read_bearer_lost", BearerError, "the bearer was lost"),
        ("read_untold", AtError, "+CME ERROR: 4"),
        ("read_too_much", AtError, "#SRECV: 1,6"),
    ],
)
def test_read_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(f"telit_{name}", lambda: TELIT.read(1, 1500), TELIT.urcs)
    assert error is kind
    assert words in text


def test_counters(replay: Replayer) -> None:
    assert replay("telit_counters", lambda: TELIT.counters(1), TELIT.urcs) == Counters(400, 384, 16)


def test_counters_that_are_not_told() -> None:
    script = TELIT.counters(1)
    next(script)
    with pytest.raises(AtError, match="byte counters"):
        script.send(Reply(Outcome.DONE, (b"#SI: 1,400,5", b"OK"), b"OK"))


@pytest.mark.parametrize("name", ["close", "close_not_open"])
def test_close(replay: Replayer, name: str) -> None:
    assert replay(f"telit_{name}", lambda: TELIT.close(1), TELIT.urcs) is None


def test_a_close_without_an_answer_is_told(replay: Replayer) -> None:
    kind, _ = replay("telit_close_silent", lambda: TELIT.close(1), TELIT.urcs)
    assert kind is AtTimeout


def test_resolve(replay: Replayer) -> None:
    assert TELIT.resolve is not None
    resolve = TELIT.resolve
    assert replay("telit_resolve", lambda: resolve("mmsc.example"), TELIT.urcs) == Resolved(("192.0.2.7",), None)


@pytest.mark.parametrize(
    ("name", "kind"), [("resolve_unknown", ConnectError), ("resolve_code", ConnectError), ("resolve_no_context", AtError)]
)
def test_resolve_fails(replay: Replayer, name: str, kind: type[Exception]) -> None:
    assert TELIT.resolve is not None
    resolve = TELIT.resolve
    error, text = replay(f"telit_{name}", lambda: resolve("mmsc.example"), TELIT.urcs)
    assert error is kind
    assert ("mmsc.example" in text) is (kind is ConnectError)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"SRING: 1", UrcReceived(Urc.DATA_WAITING, b"SRING: 1", 1)),
        (b"SRING: 1,1500", UrcReceived(Urc.DATA_WAITING, b"SRING: 1,1500", 1)),
        (b"SRING : 6,20", UrcReceived(Urc.DATA_WAITING, b"SRING : 6,20", 6)),
        (b"SRING: 1,7,a\r\nOK\r\n", UrcReceived(Urc.PUSHED_DATA, b"SRING: 1,7,", 1, b"a\r\nOK\r\n")),
        (b"NO CARRIER", UrcReceived(Urc.DATA_WAITING, b"NO CARRIER")),  # of no socket: a reason to look
        (b"+CPIN: NOT READY", UrcReceived(Urc.RESTARTED, b"+CPIN: NOT READY")),
    ],
)
def test_unasked(said: bytes, heard: UrcReceived) -> None:
    data = b"\r\n" + said + b"\r\n"
    assert Engine(TELIT.urcs).feed(data) == [heard]
    engine = Engine(TELIT.urcs)
    assert [event for byte in data for event in engine.feed(bytes([byte]))] == [heard]

"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.detect import detect
from mmsproxy.at.dialect import (
    NOTHING,
    Ask,
    Await,
    Counters,
    Dialect,
    Identity,
    Pause,
    Profile,
    Received,
    Request,
    Resolved,
    Script,
    Socket,
)
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import Outcome, Reply, UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.sim7080 import ACTIVATE_TRIES, CODES, SIM7080
from mmsproxy.errors import AtError, AtTimeout, BearerError, ConnectError, LinkLost, PeerReset
from mmsproxy.link import Ledger

PROFILE = Profile("mms.example", "IP", "user", "word")
PLAIN = Profile("mms.example", "IPV4V6")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00\r\n+CASTATE: 0,0\r\n+CARECV: 5,\r\n+APP PDP: 0,"
Replayer = Callable[..., Any]


def whole_start() -> Script[tuple[Dialect, Identity]]:
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    dialect = yield from detect(identity)
    yield from startup.make_ready(dialect, PROFILE, identity, None, refused=False)
    return dialect, identity


def test_start(replay: Replayer) -> None:
    dialect, identity = replay("sim7080_start", whole_start, SIM7080.urcs)
    assert dialect is SIM7080
    assert identity.model == "SIMCOM_SIM7080"


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("prepare", Profile("internet", "IP", "user", "secret")),
        ("prepare_adopted", PROFILE),
        ("prepare_adopted_plain", PLAIN),
        ("prepare_foreign", PROFILE),
        ("prepare_v6", Profile("mms.example", "IPV6")),
    ],
)
def test_prepare(replay: Replayer, name: str, profile: Profile) -> None:
    assert replay(f"sim7080_{name}", lambda: SIM7080.prepare(profile, Identity()), SIM7080.urcs) is None


@pytest.mark.parametrize(
    ("name", "brought_up"),
    [
        ("bearer", True),
        ("bearer_order", True),
        ("bearer_up", False),
        ("bearer_second_try", True),
        ("bearer_already", True),
        ("bearer_late_deactive", True),
    ],
)
def test_bearer(replay: Replayer, name: str, brought_up: bool) -> None:
    assert replay(f"sim7080_{name}", lambda: startup.ensure_bearer(SIM7080, PROFILE), SIM7080.urcs) is brought_up


def test_bearer_fails_for_good(replay: Replayer) -> None:
    kind, text = replay("sim7080_bearer_fails", lambda: startup.ensure_bearer(SIM7080, PROFILE), SIM7080.urcs)
    assert kind is BearerError
    assert "DEACTIVE" in text
    assert "APN" in text


def test_a_try_without_an_answer_is_the_last(replay: Replayer) -> None:
    kind, text = replay("sim7080_bearer_silent", lambda: SIM7080.bearer_up(PROFILE), SIM7080.urcs)
    assert kind is BearerError
    assert "no answer" in text


def drive(script: Script[Any], answer: Callable[[bytes], Reply]) -> tuple[BaseException, list[Request]]:
    """Answers every command by a function; returns the error and all that was asked."""
    asked: list[Request] = []
    try:
        request = next(script)
        while True:
            asked.append(request)
            request = script.send(answer(request.text) if isinstance(request, Ask) else NOTHING)
    except (BearerError, StopIteration) as end:
        return end, asked


def test_a_pause_lies_between_two_tries() -> None:
    answers = {
        b"AT+CNACT?": Reply(Outcome.DONE, (b"+CNACT: 0,0", b"OK"), b"OK"),
        b"AT+CNACT=0,1": Reply(Outcome.FAILED, (b"OK", b"+APP PDP: 0,DEACTIVE"), b"+APP PDP: 0,DEACTIVE"),
    }
    error, asked = drive(SIM7080.bearer_up(PROFILE), answers.__getitem__)
    assert isinstance(error, BearerError)
    assert [request.text for request in asked if isinstance(request, Ask)].count(b"AT+CNACT=0,1") == ACTIVATE_TRIES
    assert [type(request) for request in asked].count(Pause) == ACTIVATE_TRIES - 1


@pytest.mark.parametrize("name", ["bearer_down", "bearer_down_quietly", "bearer_down_already"])
def test_bearer_down(replay: Replayer, name: str) -> None:
    assert replay(f"sim7080_{name}", SIM7080.bearer_down, SIM7080.urcs) is None


def test_the_word_behind_a_deactivation_is_waited_for() -> None:
    """Else it is taken for the result of the next activation."""
    script = SIM7080.bearer_down()
    next(script)
    script.send(Reply(Outcome.DONE, (b"+CNACT: 0,1", b"OK"), b"OK"))
    waiting = script.send(Reply(Outcome.DONE, (b"OK",), b"OK"))
    assert isinstance(waiting, Await)
    assert waiting.kind is Urc.BEARER_LOST
    with pytest.raises(StopIteration):
        script.send(Reply(Outcome.DONE, (b"+APP PDP: 0,DEACTIVE",), b"+APP PDP: 0,DEACTIVE"))


def opening() -> Script[int]:
    return SIM7080.open(SIM7080.first_socket, "mmsc.example", 80)


@pytest.mark.parametrize("name", ["open", "open_order", "open_stale"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(f"sim7080_{name}", opening, SIM7080.urcs) == 0


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("open_dns", ConnectError, "DNS"),
        ("open_refused", ConnectError, "connection refused (+CAOPEN: 0,23)"),
        ("open_failed", ConnectError, "connect failed"),
        ("open_certificate", ConnectError, "certificate"),
        ("open_no_context", BearerError, "+CAOPEN: 0,21"),
        ("open_error", BearerError, "ERROR"),
        ("open_silent", ConnectError, "did not answer"),
    ],
)
def test_open_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(f"sim7080_{name}", opening, SIM7080.urcs)
    assert error is kind
    assert words in text


def test_each_result_has_its_words() -> None:
    assert sorted(CODES) == [1, 2, 3, 4, 6, 7, 12, 13, 20, 21, 23, 24, 25, 26, 27]


def sending(*, room: int = 1360, more: bool = False, sockets: list[Socket] | None = None) -> Callable[[], Script[int]]:
    def script() -> Script[int]:
        socket = Socket(0, Ledger(given=116, offered=100, accepted=100, acked=40), room=room)
        if sockets is not None:
            sockets.append(socket)
        return deliver(SIM7080, socket, memoryview(PAYLOAD), more=more)

    return script


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("send", 16),
        ("send_waits", 16),
        ("send_shrunk", 16),
        ("send_no_counter", 16),
        ("send_full", 16),
        ("send_untold", 16),
        ("send_error", 16),
        ("send_error_not_taken", 16),
        ("send_other_closed", 16),
        ("send_no_result", 7),
    ],
)
def test_send(replay: Replayer, name: str, taken: int) -> None:
    sockets: list[Socket] = []

    def offered_first(player: Any, _outcome: Any) -> None:
        assert set(player.offered) == {116}

    assert replay(f"sim7080_{name}", sending(sockets=sockets), SIM7080.urcs, offered_first) == taken
    assert {socket.book.accepted for socket in sockets} == {100 + taken}


def test_a_window_without_an_answer_ends_the_send() -> None:
    script = sending()()
    next(script)
    with pytest.raises(AtTimeout, match="CASEND=0"):
        script.send(Reply(Outcome.TIMED_OUT))


def test_the_window_before_the_first_byte_is_the_whole_one(replay: Replayer) -> None:
    sockets: list[Socket] = []

    def offered(player: Any, _outcome: Any) -> None:
        assert player.offered == [106]

    assert replay("sim7080_send_first", sending(room=0, sockets=sockets), SIM7080.urcs, offered) == 6
    assert {socket.room for socket in sockets} == {6}


@pytest.mark.parametrize(
    ("name", "kind", "more", "room", "offers"),
    [
        ("send_closed", PeerReset, False, 1360, []),
        ("send_gone", PeerReset, False, 1360, []),
        ("send_peer_closed", PeerReset, False, 1360, [116]),
        ("send_lies", AtError, False, 1360, [116]),
        ("send_no_prompt_more", AtTimeout, True, 1360, []),
        ("send_no_prompt_cut", AtTimeout, False, 12, []),
        ("send_no_prompt_last", LinkLost, False, 1360, []),
    ],
)
def test_send_fails(replay: Replayer, name: str, kind: type[Exception], more: bool, room: int, offers: list[int]) -> None:
    def offered(player: Any, _outcome: Any) -> None:
        assert player.offered == offers

    error, _ = replay(f"sim7080_{name}", sending(more=more, room=room), SIM7080.urcs, offered)
    assert error is kind


@pytest.mark.parametrize(
    ("name", "expected"),
    [("read", Received(READ, None)), ("read_empty", Received(b"", 0)), ("read_empty_comma", Received(b"", 0))],
)
def test_read(replay: Replayer, name: str, expected: Received) -> None:
    assert replay(f"sim7080_{name}", lambda: SIM7080.read(0, 1460), SIM7080.urcs) == expected


@pytest.mark.parametrize(("name", "words"), [("read_too_much", "1461"), ("read_gone", "ERROR")])
def test_read_fails(replay: Replayer, name: str, words: str) -> None:
    kind, text = replay(f"sim7080_{name}", lambda: SIM7080.read(0, 1460), SIM7080.urcs)
    assert kind is AtError
    assert words in text


def test_counters(replay: Replayer) -> None:
    assert replay("sim7080_counters", lambda: SIM7080.counters(0), SIM7080.urcs) == Counters(16068, 7308, 8760)


def test_counters_that_are_not_told() -> None:
    script = SIM7080.counters(0)
    next(script)
    with pytest.raises(AtError, match="byte counters"):
        script.send(Reply(Outcome.DONE, (b"+CAACK: 5", b"OK"), b"OK"))


@pytest.mark.parametrize("name", ["close", "close_not_open"])
def test_close(replay: Replayer, name: str) -> None:
    assert replay(f"sim7080_{name}", lambda: SIM7080.close(0), SIM7080.urcs) is None


def test_a_close_without_an_answer_is_told(replay: Replayer) -> None:
    kind, _ = replay("sim7080_close_silent", lambda: SIM7080.close(0), SIM7080.urcs)
    assert kind is AtTimeout


@pytest.mark.parametrize(("name", "addresses"), [("resolve", ("192.0.2.7",)), ("resolve_two", ("192.0.2.7", "2001:db8::7"))])
def test_resolve(replay: Replayer, name: str, addresses: tuple[str, ...]) -> None:
    assert SIM7080.resolve is not None
    resolve = SIM7080.resolve
    assert replay(f"sim7080_{name}", lambda: resolve("mmsc.example"), SIM7080.urcs) == Resolved(addresses, None)


@pytest.mark.parametrize(
    ("name", "kind", "words"), [("resolve_unknown", ConnectError, "mmsc.example"), ("resolve_error", AtError, "ERROR")]
)
def test_resolve_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    assert SIM7080.resolve is not None
    resolve = SIM7080.resolve
    error, text = replay(f"sim7080_{name}", lambda: resolve("mmsc.example"), SIM7080.urcs)
    assert error is kind
    assert words in text


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"+CADATAIND: 0", UrcReceived(Urc.DATA_WAITING, b"+CADATAIND: 0", 0)),
        (b"+CADATAIND: 12", UrcReceived(Urc.DATA_WAITING, b"+CADATAIND: 12", 12)),
        (b"+CASTATE: 0,0", UrcReceived(Urc.PEER_CLOSED, b"+CASTATE: 0,0", 0)),
        (b"+APP PDP: 0,DEACTIVE", UrcReceived(Urc.BEARER_LOST, b"+APP PDP: 0,DEACTIVE")),
        (b"+APP PDP: 1,DEACTIVE", UrcReceived(Urc.NOISE, b"+APP PDP: 1,DEACTIVE")),
        (b"+APP PDP: 0,ACTIVE", UrcReceived(Urc.NOISE, b"+APP PDP: 0,ACTIVE")),
        (b"RDY", UrcReceived(Urc.RESTARTED, b"RDY")),
        (b"NORMAL POWER DOWN", UrcReceived(Urc.RESTARTED, b"NORMAL POWER DOWN")),
        (b"+CPIN: READY", UrcReceived(Urc.BOOT_TAIL, b"+CPIN: READY")),
        (b"SMS Ready", UrcReceived(Urc.BOOT_TAIL, b"SMS Ready")),
        (
            b'+CAURC: "recv",0,7,"192.0.2.7",80\r\na\r\nOK\r\n',
            UrcReceived(Urc.PUSHED_DATA, b'+CAURC: "recv",0,7,"192.0.2.7",80', 0, b"a\r\nOK\r\n"),
        ),
    ],
)
def test_unasked(said: bytes, heard: UrcReceived) -> None:
    data = b"\r\n" + said + b"\r\n"
    assert Engine(SIM7080.urcs).feed(data) == [heard]
    engine = Engine(SIM7080.urcs)
    assert [event for byte in data for event in engine.feed(bytes([byte]))] == [heard]

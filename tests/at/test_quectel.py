"""Each script of the dialect against its transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import startup
from mmsproxy.at.delivery import deliver
from mmsproxy.at.detect import detect
from mmsproxy.at.dialect import Counters, Dialect, Identity, Profile, Received, Resolved, Script, Socket
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.quectel import CODES, QUECTEL
from mmsproxy.at.rules import Urc
from mmsproxy.errors import AtError, AtStringError, AtTimeout, BearerError, ConnectError, LinkError, LinkLost, PeerReset, SimError
from mmsproxy.link import Ledger

PROFILE = Profile("internet")
LOGIN = Profile("internet", "IP", "user", "secret")
PAYLOAD = b"a\r\nOK\r\n\x1a\x1b+++\x00\xff>@"
READ = b"ab\r\nOK\r\n\r\nERROR\r\n>+\x00"
Replayer = Callable[..., Any]


def whole_start() -> Script[tuple[Dialect, Identity]]:
    yield from startup.wake()
    yield from startup.plain_talk()
    identity = yield from startup.identify()
    dialect = yield from detect(identity)
    yield from startup.make_ready(dialect, PROFILE, identity, "4711", refused=False)
    return dialect, identity


def test_start(replay: Replayer) -> None:
    dialect, identity = replay("quectel_start", whole_start, QUECTEL.urcs)
    assert dialect is QUECTEL
    assert identity == Identity("Quectel", "BG96", "BG96MAR02A07M1G", "Quectel BG96 Revision: BG96MAR02A07M1G")


def test_a_pin_that_was_wrong_before_is_not_tried(replay: Replayer) -> None:
    kind, text = replay("quectel_pin_used_before", lambda: startup.unlock(QUECTEL, "4711", refused=False), QUECTEL.urcs)
    assert kind is SimError
    assert "refused a PIN" in text


@pytest.mark.parametrize("name", ["prepare", "prepare_down", "prepare_kept", "prepare_foreign"])
def test_prepare(replay: Replayer, name: str) -> None:
    assert replay(f"quectel_{name}", lambda: QUECTEL.prepare(LOGIN, Identity("Quectel", "EC25")), QUECTEL.urcs) is None


@pytest.mark.parametrize("model", ["Quectel_M95", "M66", "MC60", "UC15"])
def test_the_old_command_set_is_refused_before_anything_is_sent(model: str) -> None:
    with pytest.raises(LinkError, match=f"{model} speaks Quectel's old QI commands"):
        next(QUECTEL.prepare(PROFILE, Identity("Quectel_Ltd", model)))


@pytest.mark.parametrize("model", ["BG95-M3", "EC25", "EG915U", "EC200T", "EM06", "UC20"])
def test_the_new_command_set_is_not(model: str) -> None:
    assert next(QUECTEL.prepare(PROFILE, Identity("Quectel", model))).text == b"AT+QIACT?"  # type: ignore[union-attr]


def asked(script: Script[None]) -> list[bytes]:
    """What a script asks of a modem that says OK to everything."""
    commands, engine = [], Engine(QUECTEL.urcs)
    try:
        request = next(script)
        while True:
            commands.append(request.text)  # type: ignore[union-attr]
            engine.begin(request.text, request.rule)  # type: ignore[union-attr]
            request = script.send(engine.feed(b"\r\nOK\r\n")[0].reply)  # type: ignore[union-attr]
    except StopIteration:
        return commands


@pytest.mark.parametrize(("kind", "number"), [("IP", b"1"), ("IPV6", b"2"), ("IPV4V6", b"3")])
def test_context_types(kind: str, number: bytes) -> None:
    commands = asked(QUECTEL.prepare(Profile("mms", kind), Identity()))
    assert b"AT+QICSGP=1," + number + b',"mms","","",0' in commands


@pytest.mark.parametrize(
    ("name", "brought_up"), [("bearer", True), ("bearer_up", False), ("bearer_adopted", True), ("bearer_pdpdeact", True)]
)
def test_bearer(replay: Replayer, name: str, brought_up: bool) -> None:
    assert replay(f"quectel_{name}", lambda: startup.ensure_bearer(QUECTEL, PROFILE), QUECTEL.urcs) is brought_up


@pytest.mark.parametrize(("name", "words"), [("fails", "+CME ERROR: 30"), ("no_apn", "no APN is configured")])
def test_bearer_fails_for_good(replay: Replayer, name: str, words: str) -> None:
    kind, text = replay(f"quectel_bearer_{name}", lambda: startup.ensure_bearer(QUECTEL, PROFILE), QUECTEL.urcs)
    assert kind is BearerError
    assert words in text
    assert text.endswith("check the APN, the user and the signal")


@pytest.mark.parametrize("name", ["open", "open_order", "open_stale"])
def test_open(replay: Replayer, name: str) -> None:
    assert replay(f"quectel_{name}", lambda: QUECTEL.open(0, "mmsc.example", 80), QUECTEL.urcs) == 0


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("open_dns", ConnectError, "DNS: no such name"),
        ("open_refused", ConnectError, "connect failed (+QIOPEN: 0,566)"),
        ("open_no_context", BearerError, "the PDP context broke down"),
        ("open_bare_error", BearerError, "no socket to be had (ERROR)"),
        ("open_no_reason", BearerError, "no reason"),
    ],
)
def test_open_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(f"quectel_{name}", lambda: QUECTEL.open(0, "mmsc.example", 80), QUECTEL.urcs)
    assert error is kind
    assert words in text


def test_open_that_never_answers(replay: Replayer) -> None:
    def script() -> Script[str]:
        try:
            yield from QUECTEL.open(0, "mmsc.example", 80)
        except ConnectError as error:
            yield from QUECTEL.close(0)  # as the link does after every open that failed
            return str(error)
        return "open"

    assert replay("quectel_open_silent", script, QUECTEL.urcs) == "mmsc.example:80 did not answer within 30 s"


def test_every_code_has_words() -> None:
    assert list(CODES) == list(range(550, 575))


def test_a_host_with_a_quote_never_reaches_the_modem() -> None:
    with pytest.raises(AtStringError):
        next(QUECTEL.open(0, 'mmsc.example",80\r', 80))


def test_transparent() -> None:
    dialect = QUECTEL.transparent
    assert dialect is not None
    assert dialect.is_transparent
    script, engine = dialect.open(0, "mmsc.example", 80), Engine(dialect.urcs)
    request = next(script)
    assert request.text == b'AT+QIOPEN=1,0,"TCP","mmsc.example",80,0,2'  # type: ignore[union-attr]
    engine.begin(request.text, request.rule)  # type: ignore[union-attr]
    replied, data = engine.feed(b"\r\nCONNECT\r\nHTTP/1.1\r\nOK\r\n")
    assert data.data == b"HTTP/1.1\r\nOK\r\n"  # type: ignore[union-attr]
    with pytest.raises(StopIteration) as done:
        script.send(replied.reply)  # type: ignore[union-attr]
    assert done.value.value == 0


def test_transparent_fails(replay: Replayer) -> None:
    dialect = QUECTEL.transparent
    assert dialect is not None
    error, text = replay("quectel_open_transparent_fails", lambda: dialect.open(0, "mmsc.example", 80), QUECTEL.urcs)
    assert error is ConnectError
    assert "DNS: no such name" in text


def sending(*, more: bool = False, sockets: list[Socket] | None = None) -> Callable[[], Script[int]]:
    def script() -> Script[int]:
        socket = Socket(0, Ledger(given=116, offered=100, accepted=100, acked=40))
        if sockets is not None:
            sockets.append(socket)
        return deliver(QUECTEL, socket, memoryview(PAYLOAD), more=more)

    return script


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("send", 16),
        ("send_echo", 16),
        ("send_other_closed", 16),
        ("send_busy", 16),
        ("send_fail_not_taken", 16),
        ("send_fail_taken", 16),
        ("send_fail_part", 10),
        ("send_no_result", 16),
        ("send_error_taken", 16),
    ],
)
def test_send(replay: Replayer, name: str, taken: int) -> None:
    sockets: list[Socket] = []

    def offered_first(player: Any, _outcome: Any) -> None:
        assert set(player.offered) == {116}

    assert replay(f"quectel_{name}", sending(sockets=sockets), QUECTEL.urcs, offered_first) == taken
    assert {socket.book.accepted for socket in sockets} == {100 + taken}


@pytest.mark.parametrize(
    ("name", "kind", "more", "offers"),
    [
        ("send_closed", PeerReset, False, []),
        ("send_error", PeerReset, False, [116]),
        ("send_fail_lies", AtError, False, [116]),
        ("send_no_prompt_more", AtTimeout, True, []),
        ("send_no_prompt_last", LinkLost, False, []),
    ],
)
def test_send_fails(replay: Replayer, name: str, kind: type[Exception], more: bool, offers: list[int]) -> None:
    def offered(player: Any, _outcome: Any) -> None:
        assert player.offered == offers

    error, _ = replay(f"quectel_{name}", sending(more=more), QUECTEL.urcs, offered)
    assert error is kind


def test_what_the_peer_sent_before_it_closed_is_read_whatever_the_send_says_late(replay: Replayer) -> None:
    def script() -> Script[Received]:
        with pytest.raises(PeerReset, match="closed"):
            yield from sending()()
        return (yield from QUECTEL.read(0, 1500))

    assert replay("quectel_send_peer_closed", script, QUECTEL.urcs) == Received(b"HTTP", None)


def test_read(replay: Replayer) -> None:
    assert replay("quectel_read", lambda: QUECTEL.read(0, 1500), QUECTEL.urcs) == Received(READ, None)
    assert replay("quectel_read_empty", lambda: QUECTEL.read(0, 1500), QUECTEL.urcs) == Received(b"", 0)


@pytest.mark.parametrize(("name", "words"), [("read_too_much", "1501"), ("read_closed", "ERROR")])
def test_read_fails(replay: Replayer, name: str, words: str) -> None:
    kind, text = replay(f"quectel_{name}", lambda: QUECTEL.read(0, 1500), QUECTEL.urcs)
    assert kind is AtError
    assert words in text


def test_peer_closed_with_data_unread(replay: Replayer) -> None:
    def script() -> Script[bytes]:
        data = b""
        while (got := (yield from QUECTEL.read(0, 1500))).left != 0:
            data += got.data
        yield from QUECTEL.close(0)
        return data

    def kinds(player: Any, _outcome: Any) -> None:
        heard = [(event.kind, event.socket) for event in player.heard if isinstance(event, UrcReceived)]
        assert [fact for fact in heard if fact[0] is not Urc.REGISTRATION] == [(Urc.DATA_WAITING, 0), (Urc.PEER_CLOSED, 0)]

    expected = b'\r\n+QIURC: "recv",0\r\n\r\n+QIURC: "pdpdeact",1\r\n\r\nR'
    assert replay("quectel_drain", script, QUECTEL.urcs, kinds) == expected


def test_counters(replay: Replayer) -> None:
    assert replay("quectel_counters", lambda: QUECTEL.counters(0), QUECTEL.urcs) == Counters(304, 300, 4)


@pytest.mark.parametrize("name", ["close", "close_not_open"])
def test_close(replay: Replayer, name: str) -> None:
    assert replay(f"quectel_{name}", lambda: QUECTEL.close(0), QUECTEL.urcs) is None


def test_close_without_an_answer(replay: Replayer) -> None:
    kind, text = replay("quectel_close_silent", lambda: QUECTEL.close(0), QUECTEL.urcs)
    assert kind is AtTimeout
    assert "AT+QICLOSE=0,10" in text


def resolving() -> Script[Resolved]:
    assert QUECTEL.resolve is not None
    return QUECTEL.resolve("mmsc.example")


def test_resolve(replay: Replayer) -> None:
    assert replay("quectel_resolve", resolving, QUECTEL.urcs) == Resolved(("192.0.2.7",), 600)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("unknown", ConnectError, "does not know mmsc.example"),
        ("none", ConnectError, "does not know mmsc.example"),
        ("no_context", AtError, '"dnsgip",561'),
    ],
)
def test_resolve_fails(replay: Replayer, name: str, kind: type[Exception], words: str) -> None:
    error, text = replay(f"quectel_resolve_{name}", resolving, QUECTEL.urcs)
    assert error is kind
    assert words in text


@pytest.mark.parametrize(
    ("line", "kind", "socket"),
    [
        (b'+QIURC: "recv",11', Urc.DATA_WAITING, 11),
        (b'+QIURC: "closed",0', Urc.PEER_CLOSED, 0),
        (b'+QIURC: "pdpdeact",1', Urc.BEARER_LOST, None),
        (b'+QIURC: "pdpdeact",2', Urc.NOISE, None),
        (b'+QIURC: "pdpdeact",11', Urc.NOISE, None),
        (b'+QIURC: "incoming full"', Urc.NOISE, None),
        (b"RDY", Urc.RESTARTED, None),
        (b"APP RDY", Urc.RESTARTED, None),
        (b"POWERED DOWN", Urc.RESTARTED, None),
        (b"+QUSIM: 1", Urc.BOOT_TAIL, None),
        (b"+QIND: SMS DONE", Urc.BOOT_TAIL, None),
        (b"+QIND: PB DONE", Urc.BOOT_TAIL, None),
        (b'+QIND: "csq",20,99', Urc.NOISE, None),
        (b'+CMTI: "ME",3', Urc.SMS_STORED, None),
    ],
)
def test_urcs(line: bytes, kind: Urc, socket: int | None) -> None:
    assert Engine(QUECTEL.urcs).feed(b"\r\n" + line + b"\r\n") == [UrcReceived(kind, line, socket)]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_pushed_data_of_a_modem_that_fell_back_to_it(step: int) -> None:
    engine, events = Engine(QUECTEL.urcs), []
    stream = b'\r\n+QIURC: "recv",0,20\r\n' + READ + b'\r\n\r\n+QIURC: "closed",0\r\n'
    for at in range(0, len(stream), step):
        events += engine.feed(stream[at : at + step])
    assert events == [
        UrcReceived(Urc.PUSHED_DATA, b'+QIURC: "recv",0,20', 0, READ),
        UrcReceived(Urc.PEER_CLOSED, b'+QIURC: "closed",0', 0),
    ]

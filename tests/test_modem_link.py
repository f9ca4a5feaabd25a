"""The link over a real pty, against a small SIM7600 written here on purpose: it shares nothing with the shipped simulator."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import tty
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mmsproxy import modem_link
from mmsproxy.at.dialect import Ask
from mmsproxy.errors import (
    AtError,
    AtTimeout,
    BearerError,
    ConnectError,
    LinkError,
    LinkLost,
    MmsproxyError,
    PeerReset,
    PortError,
    RegistrationError,
    SimError,
)
from mmsproxy.events import BearerUp, Bus, Fact, LineLost, LineOnline
from mmsproxy.link import Ledger, LinkStatus
from mmsproxy.modem.channel import Channel
from mmsproxy.modem.stream import ModemStream
from mmsproxy.modem_link import ModemLink, ModemSettings

HANG = 20.0  # seconds: a guard, not a measure


class Peer:
    """A modem on a pty behind a symlink. `override` maps the start of a command to its answer, or to what makes one; None is silence."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.loop = asyncio.get_running_loop()
        self.master = -1
        self.slave = -1
        self.override: dict[bytes, bytes | Callable[[], bytes | None] | None] = {}
        self.commands: list[bytes] = []
        self.plug()

    # -- the cable

    def plug(self) -> None:
        self.echo, self.net, self.connected = True, False, False
        self.buffer, self.body, self.waiting = bytearray(), bytearray(), bytearray()
        self.want = 0
        self.acked = 0
        self.on_body: Callable[[], None] = lambda: None
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self.slave))
        self.loop.add_reader(self.master, self._readable)

    def unplug(self) -> None:
        if self.master >= 0:
            self.loop.remove_reader(self.master)
            os.close(self.slave)
            os.close(self.master)
            self.link.unlink(missing_ok=True)
            self.master = -1

    def say(self, text: bytes) -> None:
        if self.master >= 0:
            os.write(self.master, text)

    def restart(self) -> None:
        self.echo, self.net, self.connected, self.want = True, False, False, 0
        self.say(b"\r\n*ATREADY: 1\r\n")

    # -- the far end

    def answer(self, data: bytes, *, urc: bool = True) -> None:
        """Bytes from the MMSC; the URC comes once until they are read."""
        self.waiting += data
        if urc:
            self.say(b"\r\n+CIPRXGET: 1,0\r\n")

    def peer_closes(self) -> None:
        self.connected = False
        self.say(b"\r\n+IPCLOSE: 0,1\r\n")

    # -- the parser

    def _readable(self) -> None:
        try:
            self.buffer += os.read(self.master, 65536)
        except OSError:
            return
        while self.buffer:
            if self.want:
                taken = self.buffer[: self.want]
                del self.buffer[: len(taken)]
                self.body += taken
                self.want -= len(taken)
                if not self.want:
                    self._payload_is_whole()
            elif (end := self.buffer.find(b"\r")) >= 0:
                line = bytes(self.buffer[:end])
                del self.buffer[: end + 1]
                self._command(line.lstrip(b"\0"))
            else:
                return

    def _payload_is_whole(self) -> None:
        size = self.size
        answer = self._overridden(b"PAYLOAD", b"\r\nOK\r\n\r\n+CIPSEND: 0,%d,%d\r\n" % (size, size))
        if answer is not None:
            self.say(answer)
        self.on_body()

    def _overridden(self, command: bytes, usual: bytes) -> bytes | None:
        for start, answer in self.override.items():
            if command.startswith(start):
                return answer() if callable(answer) else answer
        return usual

    def _command(self, line: bytes) -> None:
        self.commands.append(line)
        if self.echo:
            self.say(line + b"\r")
        usual = self._usual(line) if not any(line.startswith(start) for start in self.override) else b""
        answer = self._overridden(line, usual)
        if answer is not None:
            self.say(answer)

    def _usual(self, line: bytes) -> bytes:
        ok = b"\r\nOK\r\n"
        if line == b"ATE0":
            self.echo = False
        elif line.endswith(b"=?"):
            return ok if line == b"AT+CIPOPEN=?" else b"\r\nERROR\r\n"
        elif line == b"AT+NETOPEN":
            self.net = True
            return ok + b"\r\n+NETOPEN: 0\r\n"
        elif line == b"AT+NETCLOSE":
            self.net = self.connected = False
            return ok + b"\r\n+NETCLOSE: 0\r\n"
        elif line.startswith(b"AT+CIPOPEN"):
            self.connected = True
            self.body.clear()
            self.waiting.clear()
            return ok + b"\r\n+CIPOPEN: 0,0\r\n"
        elif line == b"AT+CIPCLOSE=0":
            was, self.connected = self.connected, False
            return ok + b"\r\n+CIPCLOSE: 0,0\r\n" if was else b"\r\n+CIPCLOSE: 0,4\r\n\r\nERROR\r\n"
        elif found := re.fullmatch(rb"AT\+CIPSEND=0,(\d+)", line):
            if not self.connected:
                return b"\r\n+CIPERROR: 4\r\n\r\nERROR\r\n"
            self.want = self.size = int(found[1])
            return b"\r\n>"
        elif found := re.fullmatch(rb"AT\+CIPRXGET=2,0,(\d+)", line):
            data = bytes(self.waiting[: int(found[1])])
            del self.waiting[: len(data)]
            return b"\r\n+CIPRXGET: 2,0,%d,%d\r\n%s" % (len(data), len(self.waiting), data) + ok
        facts = {
            b"AT+CGMM": b"SIMCOM_SIM7600G-H",
            b"AT+CPIN?": b"+CPIN: READY",
            b"AT+CFUN?": b"+CFUN: 1",
            b"AT+CEREG?": b"+CEREG: 0,1",
            b"AT+CGATT?": b"+CGATT: 1",
            b"AT+NETOPEN?": b"+NETOPEN: %d" % self.net,
            b"AT+CIPACK=0": b"+CIPACK: %d,%d,0" % (len(self.body), len(self.body)),
            b"AT+CSQ": b"+CSQ: 20,99",
            b"AT+COPS?": b'+COPS: 0,0,"Example Mobile",7',
        }
        return b"\r\n" + facts[line] + b"\r\n" + ok if line in facts else ok


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests wait for nothing that a person would wait for."""
    monkeypatch.setattr(modem_link, "BACK_OFF", (0.02,))


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    made = Peer(tmp_path / "ttyUSB2")
    yield made
    made.unplug()


@pytest.fixture
async def facts() -> list[Fact]:
    return []


@pytest.fixture
async def link(peer: Peer, facts: list[Fact], fast: None) -> AsyncIterator[ModemLink]:
    bus = Bus()
    bus.subscribe(facts.append)
    made = ModemLink("line 1", ModemSettings(str(peer.link), apn="mms.example", user="user", password="word"), bus=bus)
    yield made
    await made.stop()


async def opened(link: ModemLink) -> ModemStream:
    if link.state.status is LinkStatus.DOWN:
        await link.start()
    await link.ready()
    stream = await link.open("mmsc.example", 80)
    assert isinstance(stream, ModemStream)
    return stream


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_message_goes_out_and_its_answer_comes_back(link: ModemLink, peer: Peer, facts: list[Fact]) -> None:
    stream = await opened(link)
    body = bytes(range(256)) * 24
    peer.on_body = lambda: peer.answer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000) if len(peer.body) == len(body) else None
    await stream.send(body)
    answer = await stream.recv()
    answer += await stream.recv()
    assert peer.body == body
    assert answer == b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000
    peer.peer_closes()
    assert await stream.recv() == b""
    assert (stream.ledger.given, stream.ledger.offered, stream.ledger.accepted) == (len(body),) * 3
    await stream.close()
    await stream.close()
    assert [command for command in peer.commands if command.startswith(b"AT+CIPSEND=")] == [
        *[b"AT+CIPSEND=0,1500"] * 4,
        b"AT+CIPSEND=0,144",
    ]
    assert LineOnline("line 1", "SIMCOM_SIM7600G-H", "sim7600") in facts
    assert sum(isinstance(fact, BearerUp) for fact in facts) == 1
    state = link.state
    assert (state.status, state.operator, state.signal_dbm, state.dialect) == (LinkStatus.BEARER_UP, "Example Mobile", -73, "sim7600")


async def test_the_bearer_is_checked_not_rebuilt(link: ModemLink, peer: Peer) -> None:
    await (await opened(link)).close()
    peer.commands.clear()
    await (await opened(link)).close()
    assert peer.commands == [b"AT+NETOPEN?", b'AT+CIPOPEN=0,"TCP","mmsc.example",80', b"AT+CIPCLOSE=0"]


async def test_a_lost_bearer_is_brought_up_again(link: ModemLink, peer: Peer) -> None:
    await (await opened(link)).close()
    peer.net = False
    peer.commands.clear()
    await (await opened(link)).close()
    assert b"AT+NETOPEN" in peer.commands


async def test_a_bearer_that_is_lost_during_a_send_fails_the_stream_after_what_the_modem_holds_was_read(
    link: ModemLink, peer: Peer
) -> None:
    stream = await opened(link)
    await stream.send(b"half")
    peer.net = False
    peer.answer(b"early", urc=False)
    peer.say(b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n")
    assert await stream.recv() == b"early"
    with pytest.raises(BearerError):
        await stream.recv()
    with pytest.raises(BearerError):
        await stream.send(b"more")
    assert link.state.status is LinkStatus.ATTACHED
    await stream.close()
    await until(lambda: peer.net and link.state.status is LinkStatus.BEARER_UP)


async def test_a_bearer_that_is_lost_while_nobody_sends_is_brought_up_again_by_itself(link: ModemLink, peer: Peer) -> None:
    await link.start()
    await link.ready()
    peer.net = False
    peer.say(b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n")
    await until(lambda: peer.net and link.state.status is LinkStatus.BEARER_UP)


async def test_an_idle_link_looks_after_its_bearer(link: ModemLink, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modem_link, "WATCH", 0.02)
    await link.start()
    await link.ready()
    peer.net = False
    await until(lambda: peer.net and link.state.status is LinkStatus.BEARER_UP)


async def test_a_bearer_that_cannot_come_up_says_so(link: ModemLink, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.at.sim7600.HTTP_PAUSE", 0.01)
    peer.override[b"AT+NETOPEN?"] = b"\r\n+NETOPEN: 0\r\n\r\nOK\r\n"
    peer.override[b"AT+NETOPEN"] = b"\r\nOK\r\n\r\n+NETOPEN: 1\r\n"
    await link.start()
    with pytest.raises(BearerError, match="check the APN"):
        await link.ready()
    assert link.state.status is LinkStatus.ATTACHED
    del peer.override[b"AT+NETOPEN?"], peer.override[b"AT+NETOPEN"]
    await link.ready()
    assert link.state.status is LinkStatus.BEARER_UP


async def test_an_early_answer_is_read_while_the_body_goes_out(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    seen: list[bytes] = []

    async def read() -> None:
        seen.append(await stream.recv())
        seen.append(b"after %d" % len(peer.body))

    peer.on_body = lambda: peer.answer(b"HTTP/1.1 413 Too Large\r\n\r\n") if len(peer.body) == 3000 else None
    reading = asyncio.create_task(read())
    await stream.send(bytes(90_000))
    await reading
    assert seen[0].startswith(b"HTTP/1.1 413")
    assert int(seen[1].split()[1]) < 90_000
    await stream.close()


async def test_a_peer_that_closes_under_a_send_stops_it_and_its_answer_is_still_read(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)

    def refuse() -> None:
        if len(peer.body) == 4500:
            peer.answer(b"HTTP/1.1 413 Too Large\r\n\r\n", urc=False)
            peer.peer_closes()

    peer.on_body = refuse
    with pytest.raises(PeerReset):
        await stream.send(bytes(30_000))
    assert 4500 <= stream.ledger.offered < 30_000
    assert await stream.recv() == b"HTTP/1.1 413 Too Large\r\n\r\n"
    assert await stream.recv() == b""
    with pytest.raises(PeerReset):
        await stream.send(b"x")
    await stream.close()


async def test_an_answer_whose_urc_got_lost_is_found_by_polling(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    peer.on_body = lambda: peer.answer(b"found", urc=False)
    await stream.send(b"request")
    assert await stream.recv() == b"found"
    await stream.close()


async def test_what_was_acknowledged_is_asked_when_nothing_else_is_due(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    await stream.send(b"request")
    reading = asyncio.create_task(stream.recv())
    await until(lambda: stream.ledger.acked == 7)
    peer.answer(b"late")
    assert await reading == b"late"
    await stream.close()


async def test_a_pushed_packet_is_taken(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    peer.say(b"\r\n+RECEIVE,0,6:\r\nOK\r\n\r\n")
    assert await stream.recv() == b"OK\r\n\r\n"
    await stream.close()


async def test_a_cancelled_send_still_gives_the_modem_its_bytes(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    prompted = asyncio.Event()

    def prompt_later() -> None:
        peer.want = peer.size = 1000
        prompted.set()

    peer.override[b"AT+CIPSEND"] = prompt_later  # type: ignore[assignment]
    sending = asyncio.create_task(stream.send(b"z" * 1000))
    async with asyncio.timeout(HANG):
        await prompted.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    peer.say(b"\r\n>")
    await until(lambda: peer.body == b"z" * 1000)
    await until(lambda: stream.ledger.accepted == 1000)
    await stream.close()
    assert stream.ledger.offered == 1000


async def test_a_read_that_was_cancelled_loses_nothing(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    asked = asyncio.Event()
    peer.override[b"AT+CIPRXGET=2"] = lambda: asked.set()  # type: ignore[func-returns-value]
    peer.answer(b"keep me")
    reading = asyncio.create_task(stream.recv())
    async with asyncio.timeout(HANG):
        await asked.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    peer.override.clear()
    peer.say(b"\r\n+CIPRXGET: 2,0,7,0\r\nkeep me\r\nOK\r\n")
    assert await stream.recv() == b"keep me"
    await stream.close()


async def test_an_open_that_was_cancelled_is_closed_behind_it(link: ModemLink, peer: Peer) -> None:
    await link.start()
    await link.ready()
    asked = asyncio.Event()
    peer.override[b"AT+CIPOPEN"] = lambda: asked.set()  # type: ignore[func-returns-value]
    opening = asyncio.create_task(link.open("mmsc.example", 80))
    async with asyncio.timeout(HANG):
        await asked.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    peer.override.clear()
    peer.say(b"\r\nOK\r\n\r\n+CIPOPEN: 0,0\r\n")
    stream = await opened(link)
    assert peer.commands[-3:] == [b"AT+CIPCLOSE=0", b"AT+NETOPEN?", b'AT+CIPOPEN=0,"TCP","mmsc.example",80'] or (
        peer.commands[-2:] == [b"AT+CIPCLOSE=0", b'AT+CIPOPEN=0,"TCP","mmsc.example",80']
    )
    await stream.close()


async def test_the_next_open_waits_until_the_close_is_confirmed(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    opening = asyncio.create_task(link.open("mmsc.example", 80))
    await asyncio.sleep(0.05)
    assert not opening.done()
    await stream.close()
    async with asyncio.timeout(HANG):
        second = await opening
    await second.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"\r\nOK\r\n\r\n+CIPOPEN: 0,11\r\n", ConnectError),
        (b"\r\n+CIPOPEN: 0,2\r\n\r\nERROR\r\n", BearerError),
        (b"\r\nERROR\r\n", BearerError),
    ],
)
async def test_a_failed_open_names_its_reason_and_the_next_succeeds(
    link: ModemLink, peer: Peer, answer: bytes, kind: type[Exception]
) -> None:
    await link.start()
    await link.ready()
    peer.override[b"AT+CIPOPEN"] = answer
    with pytest.raises(kind):
        await link.open("mmsc.example", 80)
    peer.override.clear()
    stream = await opened(link)
    await stream.send(b"hello")
    assert peer.body == b"hello"
    await stream.close()


async def test_a_host_that_may_not_enter_a_command_is_a_connect_error(link: ModemLink) -> None:
    await link.start()
    await link.ready()
    with pytest.raises(ConnectError, match="no host"):
        await link.open('evil",80\r\nAT+CFUN=0', 80)


async def test_a_doubtful_chunk_is_decided_by_the_counter_and_never_sent_again(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    peer.override[b"PAYLOAD"] = b"\r\nSEND FAIL\r\n\r\nERROR\r\n"
    await stream.send(b"once only")
    assert peer.body == b"once only"
    assert stream.ledger.accepted == 9
    room_and_then_nothing = iter([b"\r\n+CIPACK: 9,9,0\r\n\r\nOK\r\n", b"\r\nERROR\r\n"])
    peer.override[b"AT+CIPACK"] = lambda: next(room_and_then_nothing)
    with pytest.raises(AtError):
        await stream.send(b"doubtful")
    assert peer.body == b"once onlydoubtful"
    assert (stream.ledger.offered, stream.ledger.accepted) == (17, 9)
    with pytest.raises(AtError):
        await stream.send(b"no more")
    await stream.close()


async def test_a_missed_prompt_in_the_middle_is_filled_and_the_socket_dropped(
    link: ModemLink, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmsproxy.at.sim7600.PROMPT_TIMEOUT", 0.05)
    stream = await opened(link)

    def no_prompt() -> None:
        peer.want = peer.size = 1500

    peer.override[b"AT+CIPSEND"] = no_prompt  # type: ignore[assignment]
    with pytest.raises(AtTimeout):
        await stream.send(b"a" * 2000)
    assert stream.ledger.offered == 0
    peer.override.clear()
    await stream.close()
    assert peer.body == bytes(1500)
    assert peer.commands[-1] == b"AT+CIPCLOSE=0"
    assert link.state.status is LinkStatus.BEARER_UP


async def test_a_missed_prompt_at_the_end_restarts_the_modem_and_completes_nothing(
    link: ModemLink, peer: Peer, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmsproxy.at.sim7600.PROMPT_TIMEOUT", 0.05)
    stream = await opened(link)
    peer.override[b"AT+CIPSEND"] = None
    peer.override[b"AT+CRESET"] = lambda: peer.restart()  # type: ignore[func-returns-value]
    with pytest.raises(LinkLost, match="no prompt"):
        await stream.send(b"a" * 700)
    assert stream.ledger.offered == 0
    await stream.close()
    peer.override.clear()
    again = await opened(link)
    await again.send(b"works")
    assert peer.body == b"works"
    await again.close()


@pytest.mark.parametrize("moment", ["idle", "open", "prompt", "payload", "answer"])
async def test_unplug_and_replug_at_any_moment(link: ModemLink, peer: Peer, facts: list[Fact], moment: str) -> None:
    await link.start()
    await link.ready()
    lose = {"open": b"AT+CIPOPEN", "prompt": b"AT+CIPSEND", "payload": b"PAYLOAD"}.get(moment)
    if lose is not None:
        peer.override[lose] = lambda: peer.unplug()  # type: ignore[func-returns-value]
    ledgers: list[Ledger] = []

    async def attempt() -> None:
        stream = await link.open("mmsc.example", 80)
        ledgers.append(stream.ledger)
        try:
            await stream.send(b"x" * 2000)
            peer.loop.call_later(0.05, peer.unplug)
            await stream.recv()
        finally:
            await stream.close()

    if moment == "idle":
        peer.unplug()
    else:
        with pytest.raises(LinkLost):
            await attempt()
    expected = {"prompt": [0], "payload": [1500], "answer": [2000]}.get(moment, [])
    assert [ledger.offered for ledger in ledgers] == expected
    await until(lambda: link.state.status is LinkStatus.DOWN)
    with pytest.raises(LinkError):
        await link.ready()
    await until(lambda: "no port" in link.state.reason)
    with pytest.raises(PortError):
        await link.open("mmsc.example", 80)
    peer.override.clear()
    peer.plug()
    await until(lambda: link.state.status is LinkStatus.BEARER_UP)
    again = await opened(link)
    await again.send(b"back")
    assert peer.body == b"back"
    await again.close()
    assert sum(isinstance(fact, LineLost) for fact in facts) == 1
    assert sum(isinstance(fact, LineOnline) for fact in facts) == 2


@pytest.mark.parametrize("words", [b"\r\n*ATREADY: 1\r\n", b"\r\nRDY\r\n", b"\x00" * 40, b"\r\n+CPIN: NOT READY\r\n"])
async def test_a_restart_fails_what_is_in_flight_at_once(link: ModemLink, peer: Peer, words: bytes) -> None:
    stream = await opened(link)

    def restart() -> None:
        peer.restart()
        peer.say(words)

    peer.on_body = restart
    await stream.send(b"request")
    with pytest.raises(LinkLost):
        await stream.recv()
    await stream.close()
    again = await opened(link)
    await again.close()
    assert link.state.status is LinkStatus.BEARER_UP


async def test_an_echo_that_is_back_means_a_restart(link: ModemLink, peer: Peer) -> None:
    await (await opened(link)).close()
    peer.echo, peer.net = True, False
    with pytest.raises(LinkLost, match="echo"):
        await link.ready()
    await link.ready()
    assert not peer.echo


async def test_the_last_words_of_a_boot_do_not_fail_a_message(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    peer.say(b"\r\nSMS DONE\r\n\r\nPB DONE\r\n\r\nRING\r\n\r\n+WHATEVER: 1\r\n")
    await stream.send(b"still here")
    assert peer.body == b"still here"
    await stream.close()


async def test_a_modem_that_falls_silent_is_found_out_and_comes_back(link: ModemLink, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.modem.channel._PROBE", Ask(b"AT", timeout=0.05, probe=True))
    monkeypatch.setattr("mmsproxy.at.sim7600.RESULT_TIMEOUT", 0.1)
    stream = await opened(link)

    def fall_silent() -> None:
        peer.override = {b"": None}

    peer.override = {b"PAYLOAD": fall_silent}  # type: ignore[dict-item]
    with pytest.raises(LinkLost, match="does not answer"):
        await stream.send(b"request")
    await stream.close()
    peer.override = {}
    again = await opened(link)
    await again.close()


async def test_a_modem_that_never_answers(link: ModemLink, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.at.startup.WAKE_TIMEOUT", 0.02)
    peer.override[b""] = None
    await link.start()
    with pytest.raises(LinkError, match=r"does not answer AT|10 commands in a row"):
        await link.ready()
    assert link.state.status is LinkStatus.DOWN
    assert "power" in link.state.reason
    peer.override.clear()
    await until(lambda: link.state.status is LinkStatus.BEARER_UP)


async def test_the_pin_is_entered_once(peer: Peer, fast: None) -> None:
    peer.override[b"AT+CPIN?"] = b"\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"
    peer.override[b"AT+SPIC"] = b"\r\nERROR\r\n"
    peer.override[b"AT+CPIN="] = b"\r\n+CME ERROR: 16\r\n"
    link = ModemLink("line 1", ModemSettings(str(peer.link), apn="mms.example", pin="4711"), bus=Bus())
    await link.start()
    with pytest.raises(SimError):
        await link.ready()
    await until(lambda: peer.commands.count(b"AT+CPIN?") >= 3)
    await link.stop()
    assert peer.commands.count(b'AT+CPIN="4711"') == 1
    assert "4711" not in repr(link) + link.state.reason


async def test_no_network_is_told_while_it_is_searched(link: ModemLink, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.at.startup.REGISTER_POLLS", 2)
    monkeypatch.setattr("mmsproxy.at.startup.REGISTER_PAUSE", 0.1)
    for name in (b"CEREG", b"CGREG", b"CREG"):
        peer.override[b"AT+" + name] = b"\r\n+%s: 0,3\r\n\r\nOK\r\n" % name
    await link.start()
    await until(lambda: "denied" in link.state.reason)
    with pytest.raises(RegistrationError):
        await link.ready()
    peer.override.clear()
    await until(lambda: link.state.status is LinkStatus.BEARER_UP)


async def test_a_wrong_apn_and_a_wrong_dialect_are_one_line_each(peer: Peer, fast: None) -> None:
    for settings, words in (
        (ModemSettings(str(peer.link), apn='a"b'), "not an APN"),
        (ModemSettings(str(peer.link), apn="mms", dialect="sim9999"), "modem.dialect is one of"),
    ):
        link = ModemLink("line 1", settings, bus=Bus())
        await link.start()
        with pytest.raises(LinkError, match=words):
            await link.ready()
        await link.stop()


async def test_a_port_in_use_names_who_holds_it(link: ModemLink, peer: Peer, tmp_path: Path) -> None:
    await link.start()
    await link.ready()
    second = ModemLink("line 2", ModemSettings(str(peer.link), apn="mms.example"), bus=Bus())
    await second.start()
    with pytest.raises(PortError, match=r"in use by this program itself; .*ModemManager"):
        await second.ready()
    await second.stop()


async def test_stop_fails_what_waits_and_may_be_called_twice(link: ModemLink, peer: Peer) -> None:
    stream = await opened(link)
    reading = asyncio.create_task(stream.recv())
    await asyncio.sleep(0.02)
    await link.stop()
    await link.stop()
    with pytest.raises(LinkLost):
        await reading
    await stream.close()
    with pytest.raises(LinkError):
        await link.ready()
    await link.start()
    await link.ready()


async def test_start_never_waits_for_a_port(tmp_path: Path) -> None:
    link = ModemLink("line 1", ModemSettings(str(tmp_path / "none")), bus=Bus())
    await link.start()
    with pytest.raises(PortError, match=r"there is no port .*; plug the modem in"):
        await link.ready()
    await link.stop()


COMMANDS = [
    *(b"AT+CMEE", b"ATI", b"AT+CGMI", b"AT+CGMM", b"AT+CGMR", b"ATE0", b"ATV1", b"AT"),
    *(b"AT+CPIN?", b"AT+CFUN?", b"AT+CGDCONT?", b"AT+CGDCONT=", b"AT+CGAUTH", b"AT+CSOCKSETPN"),
    *(b"AT+CIPMODE", b"AT+CIPCCFG", b"AT+CEREG?", b"AT+CGATT?", b"AT+CSQ", b"AT+COPS?", b"AT+NETOPEN?", b"AT+NETOPEN", b"AT+IPADDR"),
    *(b"AT+CIPOPEN", b"AT+CIPSEND", b"PAYLOAD", b"AT+CIPRXGET=2", b"AT+CIPACK", b"AT+CIPCLOSE", b"AT+NETCLOSE"),
]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every time-out and pause is a hundredth of its length."""
    original = Channel._reply

    async def quick(self: Channel, timeout: float, *, probe: bool = False, awaiting: bool = False) -> object:
        return await original(self, max(timeout / 100, 0.02), probe=probe, awaiting=awaiting)

    monkeypatch.setattr(Channel, "_reply", quick)
    monkeypatch.setattr("mmsproxy.at.sim7600.HTTP_PAUSE", 0.01)
    monkeypatch.setattr("mmsproxy.at.startup.REGISTER_POLLS", 2)
    monkeypatch.setattr("mmsproxy.at.startup.REGISTER_PAUSE", 0.01)
    monkeypatch.setattr("mmsproxy.at.delivery.PATIENCE", 0.2)
    monkeypatch.setattr("mmsproxy.at.startup.SETTLE", 0.005)
    monkeypatch.setattr("mmsproxy.modem.channel.SETTLE", 0.005)
    monkeypatch.setattr("mmsproxy.modem.stream.POLL", 0.05)
    monkeypatch.setattr("mmsproxy.modem.channel.GRACE", 0.02)


async def message(link: ModemLink, peer: Peer) -> bytes:
    """One request and its answer; raises LinkError or CarrierError."""
    stream = await opened(link)
    peer.on_body = lambda: peer.answer(b"answer") if peer.body.endswith(b"end") else None
    try:
        await stream.send(b"x" * 2000 + b"end")
        async with asyncio.timeout(HANG):
            return await stream.recv()
    finally:
        await stream.close()


BAD = {"error": b"\r\nERROR\r\n", "silence": None}
WORSE = {"cme": b"\r\n+CME ERROR: 3\r\n", "junk": b"\r\n\xff\x80half a li"}
CASES = [
    *[pytest.param(command, answer, id=f"{command.decode()} {name}") for command in COMMANDS for name, answer in BAD.items()],
    *[pytest.param(command, answer, id=f"{command.decode()} {name}") for command in COMMANDS[-7:] for name, answer in WORSE.items()],
]


async def tried(link: ModemLink, peer: Peer) -> str:
    """What became of one message: its answer, or the error's one line."""
    try:
        async with asyncio.timeout(HANG):
            return (await message(link, peer)).decode()
    except MmsproxyError as error:
        return str(error)


@pytest.mark.parametrize(("command", "answer"), CASES)
async def test_whatever_a_command_gets_the_next_message_succeeds(
    link: ModemLink, peer: Peer, hurried: None, command: bytes, answer: bytes | None
) -> None:
    peer.override[command] = answer
    outcome = await tried(link, peer)
    assert outcome
    assert "\n" not in outcome
    peer.override.clear()
    async with asyncio.timeout(HANG):
        while await tried(link, peer) != "answer":
            await asyncio.sleep(0.02)
    assert peer.body == b"x" * 2000 + b"end"

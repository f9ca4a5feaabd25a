"""Scripts over a port that is played by the test: requests, time-outs, late answers, and breaking."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from mmsproxy.at.dialect import Ask, Await, Climb, Escape, Offer, Pause, Rate, Raw, Rung, Script, Tell
from mmsproxy.at.heard import Outcome, Reply, UrcReceived
from mmsproxy.at.rules import Rule, Slot, Urc, ok, ok_and
from mmsproxy.errors import AtError, AtTimeout, LinkError, LinkLost, PortError
from mmsproxy.modem import channel as channel_module
from mmsproxy.modem.channel import Channel, again

OK = b"\r\nOK\r\n"


class Port:
    """Answers each write by a function, at the loop's next turn."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.respond: Callable[[bytes], bytes] = lambda data: OK
        self.channel: Channel | None = None
        self.held = False
        self.rates: list[int] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        answer = self.respond(data)
        if answer and self.channel is not None:
            asyncio.get_running_loop().call_soon(self.channel.received, answer)

    async def drain(self) -> None:
        while self.held:
            await asyncio.sleep(0.001)

    async def set_baud(self, baud: int) -> None:
        if baud > 460800:
            raise PortError("too fast")
        self.rates.append(baud)


class Tap:
    def __init__(self) -> None:
        self.lines: list[tuple[str, bytes]] = []

    def sent(self, data: bytes) -> None:
        self.lines.append((">", data))

    def received(self, data: bytes) -> None:
        self.lines.append(("<", data))

    def note(self, kind: str, text: str) -> None:
        self.lines.append(("-", f"{kind} {text}".encode()))


class Bench:
    def __init__(self, baud: int = 115200) -> None:
        self.port = Port()
        self.tap = Tap()
        self.urcs: list[UrcReceived] = []
        self.told: list[str] = []
        self.broke = 0
        self.climbed: list[tuple[Rung, str]] = []
        self.data = b""
        self.channel = Channel(
            baud,
            heard=self.urcs.append,
            told=self.told.append,
            broke=self._broke,
            climbed=lambda rung, reason: self.climbed.append((rung, reason)),
            data=self._take,
            tap=self.tap,
        )
        self.port.channel = self.channel
        self.channel.attach(self.port)

    def _broke(self) -> None:
        self.broke += 1

    def _take(self, data: bytes) -> None:
        self.data += data

    def answers(self, *pairs: tuple[bytes, bytes]) -> None:
        table = dict(pairs)
        self.port.respond = lambda data: table.get(data, OK)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "_PROBE", Ask(b"AT", timeout=0.02, probe=True))


def asks(*requests: Ask) -> Script[list[Reply]]:
    replies = []
    for request in requests:
        reply = yield request
        replies.append(reply)
    return replies


async def test_a_script_gets_its_replies_and_returns(bench: Bench) -> None:
    bench.answers((b"AT+A\r", b"\r\n+A: 1\r\n\r\nRING\r\n" + OK), (b"AT+B\r", b"\r\nERROR\r\n"))
    replies = await bench.channel.run(asks(Ask(b"AT+A", ok(rb"\+A: .*")), Ask(b"AT+B")))
    assert [reply.outcome for reply in replies] == [Outcome.DONE, Outcome.FAILED]
    assert replies[0].line(b"+A:") == b"1"
    assert [urc.kind for urc in bench.urcs] == [Urc.NOISE]
    assert bench.tap.lines[0] == (">", b"AT+A\r")


async def test_a_payload_is_counted_before_it_is_written(bench: Bench) -> None:
    counted: list[tuple[int, int]] = []

    def script() -> Script[Reply]:
        prompt = yield Ask(b"AT+S=3", prompt=True)
        assert prompt.prompted
        return (yield Offer(memoryview(b"a\rb"), 17, 1.0))

    bench.answers((b"AT+S=3\r", b"\r\n> "))
    reply = await bench.channel.run(script(), lambda upto: counted.append((upto, len(bench.port.written))))
    assert reply.ok
    assert counted == [(17, 1)]
    assert bench.port.written == [b"AT+S=3\r", b"a\rb"]


async def test_the_other_requests(bench: Bench) -> None:
    def script() -> Script[list[Outcome]]:
        yield Tell("searching")
        yield Raw(b"\0\0")
        yield Pause(0.001)
        bench.port.respond = lambda data: b"\r\nRDY\r\n"
        asyncio.get_running_loop().call_later(0.01, bench.channel.received, b"\r\nRDY\r\n")
        first = yield Await(Urc.RESTARTED, 5.0)
        second = yield Await(Urc.RESTARTED, 0.01)
        return [first.outcome, second.outcome]

    assert await bench.channel.run(script()) == [Outcome.DONE, Outcome.TIMED_OUT]
    assert bench.told == ["searching"]
    assert bench.port.written == [b"\0\0"]
    assert bench.urcs == []


async def test_a_scripts_error_is_the_callers(bench: Bench) -> None:
    def script() -> Script[None]:
        yield Ask(b"AT")
        raise AtError("no")

    with pytest.raises(AtError):
        await bench.channel.run(script())
    assert bench.channel.broken is None


async def test_an_error_without_its_second_line_is_waited_for_shortly(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "GRACE", 0.01)
    bench.answers((b"AT+O\r", b"\r\nERROR\r\n"))
    (reply,) = await bench.channel.run(asks(Ask(b"AT+O", ok_and(rb"\+O: 0", rb"\+O: 1"), timeout=60.0)))
    assert (reply.outcome, reply.last) == (Outcome.FAILED, b"ERROR")


async def test_after_a_time_out_nothing_but_at_is_sent_until_it_is_answered(bench: Bench, impatient: None) -> None:
    answers = iter([b"", b"", b"", OK, OK, b"\r\n+B: 2\r\n" + OK])  # the fourth write's OK goes to the late command
    bench.port.respond = lambda data: next(answers)
    replies = await bench.channel.run(asks(Ask(b"AT+SLOW", ok(rb"\+SLOW: .*"), timeout=0.01), Ask(b"AT+B", ok(rb"\+B: .*"))))
    assert [reply.outcome for reply in replies] == [Outcome.TIMED_OUT, Outcome.DONE]
    assert bench.port.written == [b"AT+SLOW\r", *[b"AT\r"] * 4, b"AT+B\r"]


async def test_a_late_answer_is_not_the_next_commands(bench: Bench, impatient: None) -> None:
    bench.answers((b"AT+SLOW\r", b""), (b"AT\r", b"\r\n+X: late\r\n" + OK + OK), (b"AT+NEXT\r", b"\r\n+X: right\r\n" + OK))
    rule = ok(rb"\+X: .*")
    replies = await bench.channel.run(asks(Ask(b"AT+SLOW", rule, timeout=0.01), Ask(b"AT+NEXT", rule)))
    assert replies[1].line(b"+X:") == b"right"


async def test_a_modem_that_answers_at_no_more_breaks_the_channel(bench: Bench, impatient: None) -> None:
    bench.port.respond = lambda data: b""
    with pytest.raises(LinkLost, match="does not answer"):
        await bench.channel.run(asks(Ask(b"AT+A", timeout=0.01), Ask(b"AT+B")))
    assert bench.broke == 1
    with pytest.raises(LinkLost):
        await bench.channel.run(asks(Ask(b"AT")))


async def test_ten_time_outs_in_a_row_make_the_port_invalid(bench: Bench, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "SETTLE", 0.001)
    bench.port.respond = lambda data: OK if data == b"AT\r" else b""
    with pytest.raises(PortError, match="10 commands in a row"):
        await bench.channel.run(asks(*[Ask(b"AT+A", timeout=0.001)] * 11))


async def test_a_modem_that_is_being_woken_may_be_silent_for_longer(bench: Bench) -> None:
    bench.port.respond = lambda data: b""
    replies = await bench.channel.run(asks(*[Ask(b"AT", timeout=0.001, probe=True)] * 12))
    assert {reply.outcome for reply in replies} == {Outcome.TIMED_OUT}
    assert bench.channel.broken is None
    assert len(bench.port.written) == 12


async def test_an_answer_in_between_starts_the_count_anew(bench: Bench) -> None:
    turns = iter(range(1000))
    bench.port.respond = lambda data: OK if next(turns) % 9 == 8 else b""
    replies = await bench.channel.run(asks(*[Ask(b"AT", timeout=0.005, probe=True)] * 20))
    assert sum(reply.ok for reply in replies) == 2


async def test_a_time_out_counts_from_when_the_line_has_carried_the_bytes() -> None:
    """1,000 bytes at 9600 baud take a second; the answer comes meanwhile, long after the command's own 50 ms."""
    bench = Bench(9600)

    def script() -> Script[Reply]:
        yield Ask(b"AT+S", prompt=True)
        return (yield Offer(bytes(1000), 1000, 0.05))

    bench.port.respond = lambda data: b"\r\n> " if data == b"AT+S\r" else b""
    asyncio.get_running_loop().call_later(0.3, bench.channel.received, OK)
    assert (await bench.channel.run(script())).ok


async def test_a_line_that_takes_no_bytes_ends_in_a_time_out(bench: Bench) -> None:
    bench.port.held = True
    bench.port.respond = lambda data: b""
    (reply,) = await bench.channel.run(asks(Ask(b"AT", timeout=0.02, probe=True)))
    assert reply.timed_out
    bench.port.held = False


async def test_a_break_fails_what_is_under_way_at_once(bench: Bench) -> None:
    bench.port.respond = lambda data: b""
    running = asyncio.create_task(bench.channel.run(asks(Ask(b"AT+SLOW", timeout=600.0))))
    await asyncio.sleep(0)
    bench.channel.break_(LinkLost("gone", cure="plug"))
    bench.channel.break_(PortError("too late"))
    with pytest.raises(LinkLost, match="gone; plug"):
        await running
    assert bench.broke == 1


@pytest.mark.parametrize("words", [b"AT\r\r\nOK\r\n", b"\x00" * 32])
async def test_echo_and_bursts_mean_a_restart_only_once_the_modem_was_started(words: bytes) -> None:
    for started in (False, True):
        bench = Bench()
        bench.channel.echo_means_restart = started
        bench.port.respond = lambda data: words + OK
        running = bench.channel.run(asks(Ask(b"AT")))
        if started:
            with pytest.raises(LinkLost):
                await running
        else:
            assert (await running)[0].ok


def test_an_error_is_told_anew() -> None:
    first = PortError("a", cure="b")
    second = again(first)
    assert second is not first
    assert (type(second), str(second)) == (PortError, "a; b")
    assert isinstance(again(LinkError("x")), LinkError)


async def test_a_rung_that_a_script_takes_is_announced(bench: Bench) -> None:
    def script() -> Script[None]:
        yield Climb(Rung.BEARER, "the bearer does not come up")

    await bench.channel.run(script())
    assert bench.climbed == [(Rung.BEARER, "the bearer does not come up")]


async def test_the_rate_changes_behind_what_was_written(bench: Bench) -> None:
    def script() -> Script[list[Outcome]]:
        good = yield Rate(460800)
        bad = yield Rate(921600)
        return [good.outcome, bad.outcome]

    assert await bench.channel.run(script()) == [Outcome.DONE, Outcome.FAILED]
    assert (bench.port.rates, bench.channel.baud) == ([460800], 460800)


async def test_a_script_that_is_not_done_in_its_time_is_ended(bench: Bench, impatient: None) -> None:
    bench.port.respond = lambda data: b"" if data == b"AT+SLOW\r" else OK
    with pytest.raises(AtTimeout, match=r"not done within 0\.05 s"):
        await bench.channel.run(asks(Ask(b"AT+A"), Ask(b"AT+SLOW", timeout=60.0), Ask(b"AT+B")), within=0.05)
    assert bench.port.written == [b"AT+A\r", b"AT+SLOW\r"]

    def sleeper() -> Script[None]:
        yield Pause(60.0)

    with pytest.raises(AtTimeout):
        await bench.channel.run(sleeper(), within=0.02)
    assert (await bench.channel.run(asks(Ask(b"AT+B"))))[0].ok
    assert bench.channel.broken is None


async def test_a_restart_on_the_heels_of_transmitting_hints_at_the_supply(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "supply" not in str(bench.channel.restarted(b"RDY"))
    await bench.channel.run(asks(Ask(b"AT+CIICR")))
    assert "supply voltage drops under load; give the modem" in str(bench.channel.restarted(b"RDY"))
    monkeypatch.setattr("mmsproxy.at.power.BROWN_OUT", 0.0)
    assert "supply" not in str(bench.channel.restarted(b"RDY"))


async def test_the_transparent_mode_passes_bytes_both_ways_and_is_left_by_silence(bench: Bench) -> None:
    rule = Rule((Slot(re.compile(rb"CONNECT")),), online=True)
    bench.answers((b"AT+OPEN\r", b"\r\nCONNECT\r\nhello"), (b"body", b"\r\nOK\r\nanswer"), (b"+++", OK))

    def script() -> Script[list[Outcome]]:
        yield Ask(b"AT+OPEN", rule)
        written = yield Raw(b"body")
        left = yield Escape(0.01)
        return [written.outcome, left.outcome]

    assert await bench.channel.run(script()) == [Outcome.DONE, Outcome.DONE]
    assert bench.data == b"hello\r\nOK\r\nanswer"
    assert bench.port.written == [b"AT+OPEN\r", b"body", b"+++"]
    assert not bench.channel.engine.online
    assert (await bench.channel.run(asks(Ask(b"AT+B"))))[0].ok


async def test_a_modem_that_left_the_transparent_mode_by_itself(bench: Bench) -> None:
    def script() -> Script[Outcome]:
        yield Ask(b"AT+OPEN", Rule((Slot(re.compile(rb"CONNECT")),), online=True))
        return (yield Escape(None)).outcome

    bench.answers((b"AT+OPEN\r", b"\r\nCONNECT\r\n\r\nCLOSED\r\n"))
    assert await bench.channel.run(script()) is Outcome.DONE
    assert bench.port.written == [b"AT+OPEN\r"]
    assert not bench.channel.engine.online


async def test_a_port_that_takes_nothing_ends_the_pouring(bench: Bench) -> None:
    bench.port.held = True

    def script() -> Script[Outcome]:
        return (yield Raw(b"body", timeout=0.01)).outcome

    assert await bench.channel.run(script()) is Outcome.TIMED_OUT

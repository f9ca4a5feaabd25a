"""One line: order, one at a time, who may give up and what then, tries, the template, what is announced, and the orderly stop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Attempt, Awaited, Outcome
from mmsproxy.carrier.exchange import Limits
from mmsproxy.carrier.line import Line
from mmsproxy.config import REAL_LINE_MIN_INTERVAL, LineConfig
from mmsproxy.errors import BearerError, ConnectError, HeaderError, LinkLost, MmsproxyError, PortError, SimError
from mmsproxy.events import Bus, Fact, MessageFailed, MessageSent
from mmsproxy.link import LinkState, LinkStatus, Phase

PDU = b"\x8c\x80\x98T1\0\x8d\x92" + b"x" * 100


def settings(**carrier: Any) -> LineConfig:
    return LineConfig.model_validate(
        {
            "name": "mint",
            "number": "+16195550123",
            "min_interval": 0,
            "carrier": {"apn": "wholesale", "mmsc": "http://mmsc.example:8002/mms/wapenc", **carrier},
        }
    )


Build = Callable[..., Any]


@pytest.fixture
async def build(link: Any) -> AsyncIterator[Build]:
    """Starts a line over the link; `facts` is what it announced."""
    started: list[Line] = []

    async def start(config: LineConfig | None = None, **options: Any) -> SimpleNamespace:
        bus, facts = Bus(), list[Fact]()
        bus.subscribe(facts.append)
        line = Line(config or settings(), link, bus=bus, **options)
        await line.start()
        started.append(line)
        return SimpleNamespace(line=line, facts=facts)

    yield start
    for line in started:
        await line.stop(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.carrier.line.RETRY_PAUSES", (0.01, 0.02))
    monkeypatch.setattr("mmsproxy.carrier.transport.SETTLE_LIMIT", 0.05)
    monkeypatch.setattr("mmsproxy.carrier.transport.DRAIN_LIMIT", 0.05)


async def test_sent(build: Build, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    case = await build()
    phases: list[Phase] = []
    attempt = await case.line.post(PDU, transaction_id="T1", on_phase=phases.append)
    assert (attempt.outcome, attempt.code, attempt.tries) == (Outcome.SENT, "", 1)
    assert attempt.answer is not None
    assert attempt.answer.body == make.conf()
    assert mmsc.last.body == PDU
    assert phases[-1] is Phase.ANSWER_WHOLE
    assert case.facts == [MessageSent("mint", "m-1@mmsc", len(PDU), attempt.timings.total)]


async def test_the_template_and_the_clients_fields(build: Build, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    config = settings(headers={"X-MDN": "##LINE1##", "X-VzW-MDN": "1##LINE1NOCOUNTRYCODE##"}, ua_profile_header="Profile")
    case = await build(config)
    await case.line.post(PDU, (("User-Agent", "Android MmsLib/1.0"), ("x-mdn", "1"), ("Host", "evil"), ("Content-Length", "1")))
    assert mmsc.last.head.decode() == (
        "POST /mms/wapenc HTTP/1.1\r\nHost: mmsc.example:8002\r\nUser-Agent: Android MmsLib/1.0\r\n"
        "Content-Type: application/vnd.wap.mms-message\r\nX-MDN: +16195550123\r\nX-VzW-MDN: 16195550123\r\n"
        "Profile: http://www.gstatic.com/android/hangouts/hangouts_mms_ua_profile.xml\r\n"
        "Accept: */*, application/vnd.wap.mms-message, application/vnd.wap.sic\r\n"
        f"Connection: close\r\nContent-Length: {len(PDU)}\r\n\r\n"
    )


async def test_through_the_carriers_proxy(build: Build, link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    case = await build(settings(proxy="10.0.0.172"))
    await case.line.post(PDU)
    assert link.opened == [("10.0.0.172", 80)]
    assert mmsc.last.request_line == "POST http://mmsc.example:8002/mms/wapenc HTTP/1.1"


ODD = [
    {"message_id": None},
    {"version": 0x90},
    {"version": 0x93},
    {"more": b"X-Unknown\0value\0"},
    {"more": b"X-Odd\0\xe4\xf6\xff\0"},
    {"text": b"\x04\xea\xc3\xa4"},
    {"status": 0xE0, "text": b"no"},
    {"status": 0xC4},
    {"more": b"".join(b"X-%02d\0%s\0" % (number, b"p" * 1000) for number in range(64))},
]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_confirmations_come_back_byte_for_byte(build: Build, mmsc: Any, make: SimpleNamespace, odd: dict[str, Any]) -> None:
    conf = make.conf(**odd)
    mmsc.act = mmsc.answers(make.answer(conf))
    attempt = await (await build()).line.post(PDU, transaction_id="T1")
    assert attempt.answer is not None
    assert hashlib.sha256(attempt.answer.body).digest() == hashlib.sha256(conf).digest()
    assert attempt.conf is not None


@pytest.mark.parametrize(
    ("raw", "outcome", "code"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "refused", "mmsc_http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<no>", "unknown", "non_mms_answer"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "unknown", "non_mms_answer"),
        (b"", "unknown", "peer_reset"),
    ],
)
async def test_what_fails_is_announced(build: Build, mmsc: Any, raw: bytes, outcome: str, code: str) -> None:
    mmsc.act = mmsc.answers(raw)
    case = await build()
    attempt = await case.line.post(PDU, transaction_id="T1")
    assert (attempt.outcome.value, attempt.code) == (outcome, code)
    assert case.facts == [MessageFailed("mint", outcome, code, attempt.detail, int(attempt.phase))]
    mmsc.act = mmsc.answers(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    assert (await case.line.post(PDU)).outcome is Outcome.REFUSED  # the line goes on serving


async def test_what_awaits_no_confirmation(build: Build, mmsc: Any) -> None:
    mmsc.act = mmsc.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nReceived")
    attempt = await (await build()).line.post(b"\x8c\x83\x98T1\0", awaited=Awaited.NOTHING)
    assert attempt.outcome is Outcome.SENT
    assert attempt.answer is not None
    assert attempt.answer.body == b"Received"


async def test_callers_mistakes_are_raised_and_leave_nothing(build: Build, link: Any) -> None:
    case = await build()
    with pytest.raises(HeaderError):
        await case.line.post(PDU, (("X-A", "1\r\nX-B: 2"),))
    with pytest.raises(ValueError, match="empty"):
        await case.line.post(b"")
    assert link.opened == []
    assert case.line.queue_length == 0


# Order.


async def test_fifty_at_once_are_served_in_order_one_at_a_time(build: Build, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    line = (await build()).line
    calls = [asyncio.ensure_future(line.post(b"\x8c\x80" + bytes((number,)))) for number in range(50)]
    await asyncio.sleep(0)
    assert line.queue_length == 50
    attempts: list[Attempt] = await asyncio.gather(*calls)
    assert [attempt.outcome for attempt in attempts] == [Outcome.SENT] * 50
    assert [served.body[2] for served in mmsc.served] == list(range(50))
    assert line.queue_length == 0


async def test_the_interval_is_from_begin_to_begin(build: Build, link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    line = (await build(settings().model_copy(update={"min_interval": 0.05}))).line
    first = await line.post(PDU)
    second = await line.post(PDU)
    assert first.timings.waiting < second.timings.waiting
    assert second.timings.waiting + first.timings.total >= 0.045


async def test_the_interval_of_a_real_line_has_a_default(link: Any) -> None:
    real = settings().model_copy(update={"min_interval": None, "modem": settings().modem.model_copy(update={"port": "COM1"})})
    assert Line(real, link, bus=Bus()).min_interval == REAL_LINE_MIN_INTERVAL
    assert Line(settings().model_copy(update={"min_interval": None}), link, bus=Bus()).min_interval == 0


async def test_the_estimate_of_the_queue(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    """Nothing is known at first; then what past attempts took, for each that waits; never less than the interval."""
    now = [100.0]
    line = Line(settings().model_copy(update={"min_interval": 10.0}), link, bus=Bus(), clock=lambda: now[0])
    assert line.estimate_wait() == 0.0
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    await line.start()
    await line.post(PDU)
    now[0] += 4.0
    assert line.estimate_wait() == pytest.approx(6.0)
    waiting = [asyncio.ensure_future(line.post(PDU)) for _ in range(3)]
    await asyncio.sleep(0)
    assert line.estimate_wait() == pytest.approx(36.0)
    await line.stop()
    assert {attempt.code for attempt in await asyncio.gather(*waiting)} == {"stopping"}


async def test_how_much_is_on_the_line(build: Build, mmsc: Any, make: SimpleNamespace) -> None:
    """Nothing between messages; before the last octet is released, fewer than all."""
    line, seen = (await build()).line, list[tuple[int, int]]()
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    assert line.progress is None

    async def look() -> None:
        seen.append(line.progress)

    await line.post(PDU, before_last_byte=look)
    ((offered, total),) = seen
    assert total == len(PDU)
    assert 0 <= offered < total
    assert line.progress is None


# Who gives up.


@pytest.mark.parametrize("moment", ["waiting", "running"])
async def test_a_caller_that_hangs_up_cancels_nothing(build: Build, link: Any, mmsc: Any, make: SimpleNamespace, moment: str) -> None:
    link.faults.accept_delay = 0.005
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    case = await build()
    first = asyncio.ensure_future(case.line.post(b"x" * 20_000))
    second = asyncio.ensure_future(case.line.post(b"y" * 100))
    await asyncio.sleep(0.02)
    victim, other = (second, first) if moment == "waiting" else (first, second)
    victim.cancel()
    with pytest.raises(asyncio.CancelledError):
        await victim
    await other
    while case.line.queue_length:
        await asyncio.sleep(0.001)
    assert [len(served.body) for served in mmsc.whole] == [20_000, 100]
    assert len(case.facts) == 2


# Tries.


@pytest.mark.parametrize("where", ["ready", "open"])
@pytest.mark.parametrize("errors", [1, 2])
async def test_tried_again_while_nothing_has_left(
    build: Build, link: Any, mmsc: Any, make: SimpleNamespace, where: str, errors: int
) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    getattr(link.faults, where).extend([BearerError("not yet")] * errors)
    attempt = await (await build()).line.post(PDU, transaction_id="T1")
    assert (attempt.outcome, attempt.tries) == (Outcome.SENT, errors + 1)
    assert len(mmsc.served) == 1
    assert attempt.timings.total >= attempt.timings.waiting > 0


async def test_three_tries_at_most(build: Build, link: Any) -> None:
    link.faults.open.extend(ConnectError(f"refused {number}") for number in range(9))
    case = await build()
    attempt = await case.line.post(PDU)
    assert (attempt.outcome, attempt.code, attempt.tries) == (Outcome.NOT_SENT, "connect_failed", 3)
    assert attempt.detail == "refused 2"
    assert len(case.facts) == 1


async def test_no_further_try_beyond_the_budget(build: Build, link: Any) -> None:
    link.faults.open.extend([ConnectError("refused")] * 3)
    assert (await (await build()).line.post(PDU, budget=0.0)).tries == 1


async def test_no_further_try_for_what_time_does_not_cure(build: Build, link: Any) -> None:
    link.faults.ready.append(SimError("no SIM"))
    assert (await (await build()).line.post(PDU)).tries == 1


async def test_no_further_try_while_the_modem_is_gone(build: Build, link: Any) -> None:
    link.state = LinkState(LinkStatus.DOWN, "no such port")
    link.faults.ready.extend([PortError("no such port")] * 3)
    case = await build()
    attempt = await case.line.post(PDU)
    assert (attempt.code, attempt.tries) == ("port", 1)
    assert case.line.state.reason == "no such port"


async def test_a_modem_that_was_just_pulled_out_is_given_its_moment(build: Build, link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    link.state = LinkState(LinkStatus.DOWN, "the port went away")
    link.faults.ready.extend([LinkLost("the port went away")] * 2)
    attempt = await (await build()).line.post(PDU)
    assert (attempt.outcome, attempt.tries) == (Outcome.SENT, 3)


@pytest.mark.parametrize("cut", [600, 3000])
async def test_never_again_once_a_part_was_offered(build: Build, link: Any, mmsc: Any, cut: int) -> None:
    link.faults.lost_after = cut
    attempt = await (await build()).line.post(b"x" * 5000)
    assert (attempt.outcome, attempt.phase, attempt.tries) == (Outcome.NOT_SENT, Phase.PART_OFFERED, 1)
    assert attempt.retryable


async def test_never_again_when_it_is_unknown(build: Build, mmsc: Any) -> None:
    attempt = await (await build()).line.post(PDU)
    assert (attempt.outcome, attempt.tries) == (Outcome.UNKNOWN, 1)
    assert len(mmsc.served) == 1


async def test_a_fault_of_ours_is_unknown_and_the_line_goes_on(
    build: Build, mmsc: Any, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await build()

    def broken(*_: object, **__: object) -> Attempt:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("mmsproxy.carrier.line.judge", broken)
        attempt = await case.line.post(PDU)
    assert (attempt.outcome, attempt.code) == (Outcome.UNKNOWN, "internal")
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    assert (await case.line.post(PDU)).outcome is Outcome.SENT


# Stopping.


async def test_before_start_and_after_stop_nothing_is_accepted(link: Any) -> None:
    line = Line(settings(), link, bus=Bus())
    assert (await line.post(PDU)).code == "stopping"
    await line.start()
    await line.start()
    assert link.is_started
    await line.stop()
    await line.stop()
    assert not link.is_started
    attempt = await line.post(PDU)
    assert (attempt.outcome, attempt.code, attempt.retryable) == (Outcome.NOT_SENT, "stopping", True)
    assert link.opened == []


async def test_a_stop_ends_what_is_not_out_and_answers_what_waits(build: Build, link: Any, mmsc: Any) -> None:
    link.faults.accept_delay = 0.005
    case = await build()
    running = asyncio.ensure_future(case.line.post(b"x" * 100_000))
    waiting = asyncio.ensure_future(case.line.post(PDU))
    await asyncio.sleep(0.02)
    await case.line.stop()
    attempt = await running
    assert (attempt.outcome, attempt.code) == (Outcome.NOT_SENT, "stopping")
    assert 0 < attempt.bytes_offered < 100_000
    assert (await waiting).code == "stopping"
    assert mmsc.whole == []
    assert not link.is_started


async def reach(line: Line, phases: list[Phase], **options: Any) -> asyncio.Task[Attempt]:
    task = asyncio.ensure_future(line.post(PDU, on_phase=phases.append, **options))
    while Phase.LAST_BYTE not in phases:
        await asyncio.sleep(0.001)
    return task


async def test_a_stop_lets_finish_what_is_out(build: Build, mmsc: Any, make: SimpleNamespace) -> None:
    going_on = asyncio.Event()

    async def late(_: Any, __: Any, writer: asyncio.StreamWriter) -> None:
        await going_on.wait()
        writer.write(make.answer(make.conf()))

    mmsc.act = late
    line = (await build()).line
    running = await reach(line, [])
    stopping = asyncio.ensure_future(line.stop())
    await asyncio.sleep(0.01)
    assert not stopping.done()
    going_on.set()
    await stopping
    assert (await running).outcome is Outcome.SENT


async def test_but_not_for_ever(build: Build, mmsc: Any) -> None:
    mmsc.act = mmsc.never
    case = await build()
    running = await reach(case.line, [])
    await case.line.stop(0.01)
    attempt = await running
    assert (attempt.outcome, attempt.code) == (Outcome.UNKNOWN, "stopping")
    assert case.facts == [MessageFailed("mint", "unknown", "stopping", attempt.detail, int(Phase.LAST_BYTE))]


async def test_a_stop_between_two_tries(build: Build, link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.carrier.line.RETRY_PAUSES", (0.05,))
    link.faults.open.extend([LinkLost("gone")] * 3)
    line = (await build()).line
    running = asyncio.ensure_future(line.post(PDU))
    await asyncio.sleep(0.02)
    await line.stop()
    assert ((await running).outcome, (await running).tries) == (Outcome.NOT_SENT, 1)


async def test_limits_reach_the_tunnel(build: Build, link: Any) -> None:
    link.faults.never_ready = True
    case = await build(limits=Limits(bearer=0.01))
    attempt = await case.line.post(PDU, budget=0.0)
    assert (attempt.code, attempt.phase) == ("pdp_failed", Phase.NO_BEARER)


async def test_facts_about_the_line(link: Any) -> None:
    line = Line(settings(max_size=300_000), link, bus=Bus())
    assert line.name == "mint"
    assert line.max_size == 300_000
    assert line.mmsc_authority == ("mmsc.example", 8002)
    assert line.state is link.state
    assert line.settings.number == "+16195550123"
    assert repr(line) == "<Line mint BEARER_UP queue=0>"


async def test_rousing_a_link_that_cannot_work(build: Build, link: Any) -> None:
    """Whatever the link says no with, nobody who waits for it is harmed."""
    case = await build()
    link.faults.ready = [PortError("not there"), ConnectError("no way"), MmsproxyError("ours")]
    assert await case.line.rouse() is False
    assert await case.line.rouse() is True

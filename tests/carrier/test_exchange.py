"""How far a POST came and when its time is over: cuts at every octet, limits of every stage, the withheld last piece."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Outcome, judge
from mmsproxy.carrier.exchange import Exchange, Limits
from mmsproxy.errors import LinkLost, MmsproxyError, PeerReset
from mmsproxy.link import Ledger, Phase

QUICK = Limits(bearer=0.05, connect=0.05, stall=0.05, answer=0.05, attempt=5.0)


# Cuts: the class must be right at every octet.


async def lengths(case: Any, mmsc: Any, make: SimpleNamespace, pdu: bytes) -> tuple[int, int]:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    await case.post(pdu)
    return len(mmsc.last.head), len(mmsc.last.head) + len(pdu)


@pytest.mark.parametrize("how", ["lost_after", "send_fails_after", "stuck_after"])
@pytest.mark.parametrize("size", [10, 3000])
async def test_a_cut_at_every_segment_and_one_beside(link: Any, mmsc: Any, make: SimpleNamespace, how: str, size: int) -> None:
    pdu = b"p" * size
    head, whole = await lengths(make.case(link), mmsc, make, pdu)
    marks = {0, 1, head, whole, *range(1460, whole, 1460)}
    mmsc.act = mmsc.never
    for cut in sorted({mark + by for mark in marks for by in (-1, 0, 1)} & set(range(whole + 1))):
        setattr(link.faults, how, cut)
        served = len(mmsc.whole)
        case = make.case(link, limits=Limits(stall=0.15, answer=0.05))
        attempt = judge(await case.post(pdu))
        if how == "stuck_after":  # a modem that keeps silent may offer the segment that it has at any time: all of it counts
            cut = min(whole, (cut - 1) // 1460 * 1460 + 1460) if cut else min(whole, 1460)
        assert attempt.outcome is (Outcome.UNKNOWN if cut == whole else Outcome.NOT_SENT), cut
        assert attempt.phase is (Phase.LAST_BYTE if cut == whole else Phase.PART_OFFERED if cut > head else Phase.OPEN), cut
        assert attempt.bytes_offered == max(0, cut - head)
        assert attempt.outcome is not Outcome.NOT_SENT or len(mmsc.whole) == served


async def test_a_cut_at_every_single_octet(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    pdu = b"0123456789"
    head, whole = await lengths(make.case(link), mmsc, make, pdu)
    mmsc.act = mmsc.never
    for cut in range(whole + 1):
        link.faults.lost_after = cut
        before = len(mmsc.whole)
        attempt = judge(await make.case(link).post(pdu))
        phase = Phase.LAST_BYTE if cut == whole else Phase.PART_OFFERED if cut > head else Phase.OPEN
        outcome = Outcome.UNKNOWN if cut == whole else Outcome.NOT_SENT
        assert (attempt.outcome, attempt.phase, attempt.code) == (outcome, phase, "modem_lost"), cut
        await asyncio.sleep(0)
        assert len(mmsc.whole) == before or cut == whole


async def test_an_early_413_comes_back_while_the_body_is_going_out(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    async def too_large(_: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(make.answer(b"too large", status="413 Too Large"))
        await writer.drain()
        while await reader.read(65536):
            pass

    mmsc.early = too_large
    case.link.faults.accept_delay = 0.001
    attempt = judge(await case.post(b"x" * 300_000))
    assert (attempt.outcome, attempt.code, attempt.phase) == (Outcome.NOT_SENT, "mmsc_http", Phase.PART_OFFERED)
    assert attempt.answer is not None
    assert (attempt.answer.status, attempt.answer.body) == (413, b"too large")
    assert attempt.bytes_offered < 20_000


async def test_an_early_413_with_an_early_close(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.early = mmsc.answers(make.answer(b"too large", status="413 Too Large"))
    case.link.faults.accept_delay = 0.001
    attempt = judge(await case.post(b"x" * 300_000))
    assert attempt.outcome is Outcome.NOT_SENT
    assert attempt.bytes_offered < 300_000


async def test_an_answer_is_read_after_sending_has_failed(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    """`CLOSED` while sending: what the modem still holds decides."""
    mmsc.early = mmsc.answers(make.answer(b"no", status="403 Forbidden"))
    case.link.faults.send_fails_after = 1460
    case.link.faults.error = PeerReset("CLOSED")
    attempt = judge(await case.post(b"x" * 5000))
    assert attempt.outcome is Outcome.NOT_SENT
    assert attempt.answer is not None
    assert attempt.answer.status == 403


# Time.


@pytest.mark.parametrize(
    ("fault", "code", "phase", "outcome"),
    [
        ({"never_ready": True}, "pdp_failed", Phase.NO_BEARER, Outcome.NOT_SENT),
        ({"never_open": True}, "connect_failed", Phase.NO_BEARER, Outcome.NOT_SENT),
        ({"stuck_after": 1461}, "at_timeout", Phase.PART_OFFERED, Outcome.NOT_SENT),
        ({}, "answer_timeout", Phase.LAST_BYTE, Outcome.UNKNOWN),
        ({"acks": True}, "answer_timeout", Phase.ALL_ACKED, Outcome.UNKNOWN),
    ],
)
async def test_each_stage_has_its_limit(
    link: Any, mmsc: Any, fault: dict[str, Any], code: str, phase: Phase, outcome: Outcome, make: SimpleNamespace
) -> None:
    for name, value in fault.items():
        setattr(link.faults, name, value)
    mmsc.act = mmsc.never
    attempt = judge(await make.case(link, limits=QUICK).post())
    assert (attempt.outcome, attempt.code, attempt.phase) == (outcome, code, phase)


async def test_a_slow_line_that_moves_is_not_stalled(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    link.faults.accept_delay = 0.03
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    limits = Limits(stall=0.2, attempt=0.2, answer=5.0)
    trial = await make.case(link, limits=limits).post(b"x" * 14_600)
    assert trial.error is None
    assert trial.timings.sending > 0.2


async def test_a_modem_that_is_slow_to_confirm_the_last_segment(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    """SEND OK comes late, the answer still counts."""

    async def late(_: Any, __: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(make.answer(make.conf()))

    link.faults.accept_delay = 30.0
    mmsc.act = late
    trial = await make.case(link, limits=Limits(stall=0.03)).post(b"x" * 100)
    assert trial.error is None
    assert trial.phase is Phase.ANSWER_WHOLE


async def test_the_whole_attempt_has_its_limit(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.never
    trial = await make.case(link, limits=Limits(attempt=0.05)).post()
    assert trial.error is not None
    assert judge(trial).outcome is Outcome.UNKNOWN


async def test_timings_add_up(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    timings = (await case.post()).timings
    parts = (timings.bearer, timings.connect, timings.sending, timings.answering)
    assert all(part >= 0 for part in parts)
    assert timings.total == pytest.approx(sum(parts))


# Whatever is judged is what leaves.


async def test_a_segment_asked_for_late_still_counts(link: Any, mmsc: Any, monkeypatch: pytest.MonkeyPatch, make: SimpleNamespace) -> None:
    """The limit is over while the modem has yet to ask for the last segment; then it asks. The judge waits for that."""
    monkeypatch.setattr("mmsproxy.carrier.transport.SETTLE_LIMIT", 30.0)
    link.faults.prompt = asyncio.Event()
    mmsc.act = mmsc.never
    asyncio.get_running_loop().call_later(0.1, link.faults.prompt.set)
    attempt = judge(await make.case(link, limits=QUICK).post(b"x" * 100))
    assert (attempt.outcome, attempt.phase) == (Outcome.UNKNOWN, Phase.LAST_BYTE)
    assert len(mmsc.whole) == 1


async def test_nothing_follows_the_segment_under_way(link: Any, mmsc: Any, monkeypatch: pytest.MonkeyPatch, make: SimpleNamespace) -> None:
    monkeypatch.setattr("mmsproxy.carrier.transport.SETTLE_LIMIT", 30.0)
    link.faults.prompt = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, link.faults.prompt.set)
    attempt = judge(await make.case(link, limits=QUICK).post(b"x" * 3000))
    assert (attempt.outcome, attempt.phase) == (Outcome.NOT_SENT, Phase.PART_OFFERED)
    assert link.streams[0].sends == [1460]
    assert mmsc.whole == []


async def test_the_last_piece_waits_for_its_commit(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    committed, asked = asyncio.Event(), asyncio.Event()

    async def commit() -> None:
        asked.set()
        await committed.wait()

    posting = asyncio.ensure_future(make.case(link).post(b"x" * 5000, before_last_byte=commit))
    await asked.wait()
    await asyncio.sleep(0.02)
    assert link.streams[0].ledger.offered == 1460 * 3
    assert mmsc.whole == []
    committed.set()
    assert (await posting).phase is Phase.ANSWER_WHOLE
    assert len(mmsc.whole) == 1


async def test_a_small_message_waits_whole(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    offered: list[int] = []

    async def commit() -> None:
        await asyncio.sleep(0.01)
        offered.append(link.streams[0].ledger.given)

    await make.case(link).post(b"x" * 100, before_last_byte=commit)
    assert offered == [0]


@pytest.mark.parametrize("size", [100, 5000])
@pytest.mark.parametrize(("error", "code"), [(OSError("disk full"), "internal"), (MmsproxyError("no store"), "internal")])
async def test_without_its_commit_the_last_piece_stays(
    link: Any, mmsc: Any, size: int, error: Exception, code: str, make: SimpleNamespace
) -> None:
    async def commit() -> None:
        raise error

    attempt = judge(await make.case(link).post(b"x" * size, before_last_byte=commit))
    assert (attempt.outcome, attempt.code) == (Outcome.NOT_SENT, code)
    assert attempt.bytes_offered < size
    assert mmsc.whole == []


async def test_cancelling_ends_the_connection_and_frees_the_link(case: Any, mmsc: Any) -> None:
    case.link.faults.accept_delay = 0.005
    posting = asyncio.ensure_future(case.tunnel.post(b"x" * 100_000, (), on_phase=case.phases.append))
    while Phase.PART_OFFERED not in case.phases:
        await asyncio.sleep(0.001)
    posting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await posting
    await case.free()
    assert mmsc.whole == []
    assert case.tunnel.current is None


async def test_ending_it_from_outside(case: Any, mmsc: Any) -> None:
    mmsc.act = mmsc.never
    posting = asyncio.ensure_future(case.post())
    while Phase.LAST_BYTE not in case.phases:
        await asyncio.sleep(0.001)
    assert case.tunnel.current is not None
    case.tunnel.current.fail(LinkLost("pulled"))
    trial = await posting
    assert judge(trial).code == "modem_lost"


async def test_a_listener_that_fails_harms_nothing(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    def deaf(phase: Phase) -> None:
        raise RuntimeError(phase.name)

    mmsc.act = mmsc.answers(make.answer(make.conf()))
    trial = await make.case(link).tunnel.post(b"x" * 5000, (), on_phase=deaf)
    assert trial.phase is Phase.ANSWER_WHOLE


# The record alone: what cannot be provoked over a socket.


def record(wire: Any = None, **options: Any) -> Exchange:
    exchange = Exchange(100, limits=Limits(**options), peer="mmsc:80", byte_rate=100.0)
    if wire is not None:
        exchange.connection_open(wire)
    return exchange


def wire(*, written: int = 0, handed: int = 0, offered: int = 0, accepted: int = 0, acked: int = 0) -> Any:
    return SimpleNamespace(
        written=written, handed=handed, stream=SimpleNamespace(ledger=Ledger(handed, offered, accepted, acked)), abort=lambda: None
    )


async def test_the_lines_own_time_is_added_to_the_stall_limit() -> None:
    exchange = record(wire(written=500, handed=500, accepted=200), stall=20.0)
    exchange.body_begins()
    now = asyncio.get_running_loop().time()
    assert exchange._deadline() - now == pytest.approx(20.0 + 3.0, abs=0.5)


async def test_a_last_piece_that_was_never_written_cannot_have_left() -> None:
    """The connection broke between the commit and the last write: the transport took nothing more."""
    transport = wire(written=60, handed=60, offered=60)
    exchange = record(transport)
    exchange.body_begins()
    exchange.last_piece_released()
    exchange.last_piece_written()
    assert not exchange.is_last_offered
    assert exchange.trial().phase is Phase.OPEN


async def test_until_the_write_returns_any_octet_after_the_release_counts() -> None:
    transport = wire(written=60, handed=60, offered=60)
    exchange = record(transport)
    exchange.body_begins()
    exchange.last_piece_released()
    assert not exchange.is_last_offered
    transport.stream.ledger.offered = 61
    assert exchange.is_last_offered


async def test_what_tls_adds_after_the_body_does_not_hide_the_last_byte() -> None:
    transport = wire(written=60, handed=60, offered=60)
    exchange = record(transport)
    exchange.body_begins()
    exchange.last_piece_released()
    transport.written = transport.handed = transport.stream.ledger.offered = 120
    exchange.last_piece_written()
    transport.written = 150  # a key update, a farewell
    assert exchange.is_last_offered
    transport.stream.ledger.acked = 120
    assert exchange.trial().phase is Phase.ALL_ACKED


async def test_only_the_segment_with_the_last_byte_completes_the_request(case: Any, mmsc: Any, make: SimpleNamespace) -> None:
    mmsc.act = mmsc.answers(make.answer(make.conf()))
    for size in (1, 1460, 3000, 50_000):
        await case.post(b"x" * size)
        assert case.link.streams[-1].more == [True] * (len(case.link.streams[-1].more) - 1) + [False], size


async def test_that_all_is_acknowledged_is_told_while_the_answer_is_due(link: Any, mmsc: Any, make: SimpleNamespace) -> None:
    link.faults.acks = True
    mmsc.act = mmsc.never
    case = make.case(link, limits=Limits(answer=0.1))
    await case.post(b"x" * 5000)
    assert case.phases == [Phase.OPEN, Phase.PART_OFFERED, Phase.LAST_BYTE, Phase.ALL_ACKED]


async def test_what_is_acknowledged_before_the_last_byte_is_no_phase() -> None:
    phases: list[Phase] = []
    transport = wire(written=60, handed=60, offered=60)
    exchange = Exchange(100, limits=QUICK, peer="mmsc", on_phase=phases.append)
    exchange.connection_open(transport)
    exchange.body_begins()
    transport.stream.ledger.acked = 60
    exchange.all_acknowledged()
    assert phases == [Phase.OPEN]


async def test_the_first_reason_counts() -> None:
    exchange = record()
    exchange.failed(LinkLost("first"))
    exchange.fail(PeerReset("second"))
    assert str(exchange.trial().error) == "first"

"""SMS over one line: with the modem's box played by the test, beside the line's POSTs, and stopped at each moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.carrier.line import Line
from mmsproxy.carrier.sms import PERMANENT, SmsLine, SmsPart, sms_parts
from mmsproxy.config import LineConfig
from mmsproxy.errors import AtError, AtStringError, AtTimeout, LinkLost, MmsproxyError, PduError, SimError, SmsRefused, SmsUnknown
from mmsproxy.events import Bus
from mmsproxy.link import LinkState, LinkStatus, Phase, SentParts, SmsFill, Stream
from mmsproxy.wire.sms_pdu import Direction, Submit, decode_hex
from mmsproxy.wire.sms_schema import STATUS_REPORT_REQUEST

HANG = 20.0  # seconds: a guard, not a measure
PART = SmsPart(15, "0001000B912120550521F3000002E834")


class Box:
    """Sends as its script says: references, or errors to raise. `gate` holds a part back behind its Ctrl-Z."""

    def __init__(self, *script: int | MmsproxyError) -> None:
        self.script = list(script)
        self.sent: list[tuple[int, str]] = []
        self.gate: asyncio.Event | None = None
        self.at_once = self.most_at_once = 0
        self.fill = None

    def subscribe(self, received: Callable[..., None], *, filling: Callable[[SmsFill], None] = lambda fill: None) -> Callable[[], None]:
        raise AssertionError("never asked")

    async def send(self, length: int, pdu: str) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            self.sent.append((length, pdu))
            answer = self.script.pop(0)
        finally:
            self.at_once -= 1
        if isinstance(answer, MmsproxyError):
            raise answer
        return answer

    async def send_all(self, parts: Sequence[tuple[int, str]]) -> SentParts:
        raise AssertionError("parts go one by one")

    async def delete(self, sms: Any) -> bool:
        return True

    async def refresh(self) -> None:
        return


def line_over(box: Box) -> SmsLine:
    ticks = iter(range(1000))
    line = SmsLine("mint", box, asyncio.Lock(), clock=lambda: float(next(ticks)))
    line.start()
    return line


def submit(part: SmsPart) -> Submit:
    tpdu = decode_hex(part.pdu, direction=Direction.MO)
    assert isinstance(tpdu, Submit)
    return tpdu


def test_one_part_and_several() -> None:
    (one,) = sms_parts("+12025550123", "hi", reference=7)
    assert one == PART
    parts = sms_parts("+12025550123", "x" * 400, reference=7, report=True)
    assert len(parts) == 3
    places = [submit(part).user_data.header.concatenation for part in parts]  # type: ignore[union-attr]
    assert [(place.reference, place.total, place.sequence) for place in places if place] == [(7, 3, 1), (7, 3, 2), (7, 3, 3)]
    assert all(submit(part).first_octet & STATUS_REPORT_REQUEST for part in parts)
    assert not submit(one).first_octet & STATUS_REPORT_REQUEST
    assert [part.length for part in parts] == [len(part.pdu) // 2 - 1 for part in parts]


def test_what_cannot_be_sent() -> None:
    with pytest.raises(PduError, match="too-many-parts"):
        sms_parts("+12025550123", "x" * 153 * 256, reference=0)
    with pytest.raises(PduError, match="address-not-encodable"):
        sms_parts("a\r\nb", "hi", reference=0)


async def test_sent() -> None:
    box = Box(17)
    attempt = await line_over(box).send(PART)
    assert (attempt.outcome, attempt.phase, attempt.reference, attempt.code) == (Outcome.SENT, Phase.ANSWER_WHOLE, 17, "")
    assert attempt.seconds == 1.0
    assert box.sent == [(PART.length, PART.pdu)]


@pytest.mark.parametrize(
    ("error", "outcome", "phase", "code", "retryable"),
    [
        (SmsUnknown("silence"), Outcome.UNKNOWN, Phase.LAST_BYTE, "sms_unknown", False),
        (SmsRefused("+CMS ERROR: 38", cms=38), Outcome.REFUSED, Phase.ANSWER_WHOLE, "sms_refused", True),
        (SmsRefused("+CMS ERROR: 500", cms=500), Outcome.REFUSED, Phase.ANSWER_WHOLE, "sms_refused", True),
        (SmsRefused("+CMS ERROR: 777", cms=777), Outcome.REFUSED, Phase.ANSWER_WHOLE, "sms_refused", True),
        (SmsRefused("+CMS ERROR: 1", cms=1), Outcome.REFUSED, Phase.ANSWER_WHOLE, "sms_refused", False),
        (SmsRefused("+CMS ERROR"), Outcome.REFUSED, Phase.ANSWER_WHOLE, "sms_refused", True),
        (AtError("ERROR"), Outcome.NOT_SENT, Phase.NO_BEARER, "at_error", True),
        (AtTimeout("no prompt"), Outcome.NOT_SENT, Phase.NO_BEARER, "at_timeout", True),
        (LinkLost("unplugged"), Outcome.NOT_SENT, Phase.NO_BEARER, "modem_lost", True),
        (SimError("no SIM"), Outcome.NOT_SENT, Phase.NO_BEARER, "sim", True),
        (AtStringError("no PDU"), Outcome.NOT_SENT, Phase.NO_BEARER, "at_string", False),
    ],
)
async def test_what_fails(error: MmsproxyError, outcome: Outcome, phase: Phase, code: str, retryable: bool) -> None:
    attempt = await line_over(Box(error)).send(PART)
    assert (attempt.outcome, attempt.phase, attempt.code, attempt.retryable) == (outcome, phase, code, retryable)
    assert attempt.reference is None
    assert error.detail in attempt.detail


async def test_a_refusal_in_words_with_its_cure() -> None:
    attempt = await line_over(Box(SmsRefused("the modem answered +CMS ERROR: 330", cms=330))).send(PART)
    assert "the number of the service centre is not known" in attempt.detail
    assert "AT+CSCA" in attempt.detail


def test_what_passes_with_time_is_not_permanent() -> None:
    assert not PERMANENT & {17, 27, 38, 41, 42, 47, 192, 194, 302, 314, 322, 331, 500, 512}


async def test_one_part_at_a_time() -> None:
    box = Box(*range(1, 6))
    box.gate = asyncio.Event()
    line = line_over(box)
    tasks = [asyncio.create_task(line.send(PART)) for _ in range(5)]
    await asyncio.sleep(0.01)
    box.gate.set()
    async with asyncio.timeout(HANG):
        assert [attempt.reference for attempt in await asyncio.gather(*tasks)] == [1, 2, 3, 4, 5]
    assert box.most_at_once == 1


async def test_nothing_before_start_and_after_stop() -> None:
    box = Box(1)
    line = SmsLine("mint", box, asyncio.Lock())
    attempt = await line.send(PART)
    assert (attempt.outcome, attempt.code) == (Outcome.NOT_SENT, "stopping")
    line.start()
    await line.stop(0)
    assert (await line.send(PART)).code == "stopping"
    assert box.sent == []
    assert line.box is box


async def test_a_stop_waits_for_the_part_under_way_and_no_longer_than_its_grace() -> None:
    box = Box(1, 2)
    box.gate = asyncio.Event()
    line = line_over(box)
    task = asyncio.create_task(line.send(PART))
    await asyncio.sleep(0.01)
    assert "sending" in repr(line)
    await line.stop(0.01)
    assert not task.done()
    stopping = asyncio.create_task(line.stop(HANG))
    waiting = asyncio.create_task(line.send(PART))
    await asyncio.sleep(0.01)
    assert not stopping.done()
    box.gate.set()
    async with asyncio.timeout(HANG):
        await stopping
        assert (await task).outcome is Outcome.SENT
        assert (await waiting).code == "stopping"
    assert len(box.sent) == 1


# -- as a side of carrier.Line ---------------------------------------------------------------------------------------------------


class Modem:
    """A link with SMS, whose bearer cannot be brought up."""

    def __init__(self, box: Box) -> None:
        self.sms = box
        self.state = LinkState(LinkStatus.ATTACHED)
        self.busy = asyncio.Event()
        self.let_go = asyncio.Event()

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    async def ready(self) -> None:
        self.busy.set()
        await self.let_go.wait()
        raise SimError("no bearer here")

    async def open(self, host: str, port: int) -> Stream:
        raise AssertionError("never reached")


def settings() -> LineConfig:
    carrier = {"apn": "internet", "mmsc": "http://mmsc.example/"}
    return LineConfig.model_validate({"name": "mint", "min_interval": 0, "modem": {"port": "/dev/null"}, "carrier": carrier})


async def test_an_sms_waits_for_the_post_under_way_and_the_other_way_round() -> None:
    box = Box(1)
    modem = Modem(box)
    line = Line(settings(), modem, bus=Bus())
    await line.start()
    assert line.sms is not None
    post = asyncio.create_task(line.post(b"\x8c\x80"))
    async with asyncio.timeout(HANG):
        await modem.busy.wait()
        sms = asyncio.create_task(line.sms.send(PART))
        await asyncio.sleep(0.01)
        assert box.sent == []
        modem.let_go.set()
        assert (await post).outcome is Outcome.NOT_SENT
        assert (await sms).outcome is Outcome.SENT
        await line.stop()
        assert (await line.sms.send(PART)).code == "stopping"


async def test_a_link_without_a_modem_has_no_sms(link: Any) -> None:
    assert Line(settings(), link, bus=Bus()).sms is None

"""Finding the modem's rate and raising it, against a modem that listens at one rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from mmsproxy.at import line_rate
from mmsproxy.at.dialect import NOTHING, Ask, Escape, Rate, Raw, Request, Script, Tell
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.startup import NoAnswer

OK = Reply(Outcome.DONE, (b"OK",), b"OK")
SILENCE = Reply(Outcome.TIMED_OUT)
FAILED = Reply(Outcome.FAILED, (b"ERROR",), b"ERROR")


@dataclass
class Modem:
    """Answers at `rate` only. `line` is the host's side; `highest` what the port can, `good` what the wires can."""

    rate: int
    line: int = 115200
    known: bytes = b"(0,1200,9600,115200,230400,460800,921600)"
    highest: int = 4_000_000
    good: int = 4_000_000
    hears_beyond: bool = True  # the modem understands what comes at a rate at which the host does not understand it
    in_data_mode: bool = False
    asked: list[Request] = field(default_factory=list)

    def run(self, script: Script[Any]) -> Any:
        try:
            request = next(script)
            while True:
                self.asked.append(request)
                request = script.send(self.reply(request))
        except StopIteration as done:
            return done.value

    def reply(self, request: Request) -> Reply:
        match request:
            case Rate() if request.baud > self.highest:
                return FAILED
            case Rate():
                self.line = request.baud
            case Escape():
                self.in_data_mode = self.in_data_mode and self.line != self.rate
                return OK if self.line == self.rate and not self.in_data_mode else SILENCE
            case Raw() if self.line == self.rate and self.hears_beyond:
                self.rate = int(bytes(request.data).partition(b"=")[2])
            case Ask():
                return self.answer(request.text)
        return NOTHING

    def answer(self, text: bytes) -> Reply:
        if self.line != self.rate or self.line > self.good or self.in_data_mode:
            return SILENCE
        if text == b"AT+IPR=?":
            return Reply(Outcome.DONE, (b"+IPR: " + self.known, b"OK"), b"OK") if self.known else FAILED
        if text.startswith(b"AT+IPR="):
            self.rate = int(text.partition(b"=")[2])
        return OK

    @property
    def rates(self) -> list[int]:
        return [request.baud for request in self.asked if isinstance(request, Rate)]


def test_a_modem_where_it_should_be_is_found_by_one_at() -> None:
    modem = Modem(115200)
    assert modem.run(line_rate.find((115200,), 4)) == 115200
    assert [request.text for request in modem.asked if isinstance(request, Ask)] == [b"AT"]
    assert modem.rates == []


def test_a_modem_at_the_rate_it_was_raised_to_is_found_without_a_search() -> None:
    modem = Modem(460800)
    assert modem.run(line_rate.find((115200, 460800), 4)) == 460800
    assert modem.rates == [460800]


@pytest.mark.parametrize("rate", line_rate.SEARCHED)
def test_a_modem_at_another_rate_is_found_and_told_of(rate: int) -> None:
    modem = Modem(rate, line=74880)
    assert modem.run(line_rate.find((74880,), 1, others=line_rate.SEARCHED)) == rate
    assert modem.line == rate
    assert any(isinstance(request, Tell) and str(rate) in request.text for request in modem.asked)


def test_a_modem_that_was_left_in_its_transparent_mode_is_got_out_of_it() -> None:
    modem = Modem(115200, in_data_mode=True)
    assert modem.run(line_rate.find((115200,), 1, others=())) == 115200
    assert modem.rates == []


def test_a_rate_that_the_port_cannot_run_at_is_passed_over() -> None:
    modem = Modem(230400, line=9600, highest=230400)
    assert modem.run(line_rate.find((9600,), 1, others=line_rate.SEARCHED)) == 230400


def test_a_silent_modem_is_not_searched_for_unless_asked_and_the_line_is_back_where_it_was() -> None:
    modem = Modem(300)
    with pytest.raises(NoAnswer):
        modem.run(line_rate.find((115200, 460800), 2))
    assert (modem.line, modem.rates) == (115200, [460800, 115200, 460800, 115200])
    with pytest.raises(NoAnswer, match=r"modem\.baud"):
        modem.run(line_rate.find((115200,), 1, others=line_rate.SEARCHED))
    assert modem.line == 115200
    assert set(modem.rates) >= set(line_rate.SEARCHED) - {115200}


@pytest.mark.parametrize(("highest", "raised"), [(460800, 460800), (921600, 921600), (500_000, 460800), (115200, 115200), (9600, 115200)])
def test_the_rate_is_raised_to_the_best_that_modem_and_settings_allow(highest: int, raised: int) -> None:
    modem = Modem(115200)
    assert modem.run(line_rate.raised(115200, highest)) == raised
    assert modem.rate == modem.line == raised
    assert not any(isinstance(request, Ask) and b"&W" in request.text for request in modem.asked)


@pytest.mark.parametrize("known", [b"", b"(0,1200),(9600)", b'("nonsense")'])
def test_a_modem_that_knows_no_better_rate_is_left_alone(known: bytes) -> None:
    modem = Modem(115200, known=known)
    assert modem.run(line_rate.raised(115200, 460800)) == 115200
    assert modem.rates == []


def test_a_refused_rate_is_left_alone() -> None:
    modem = Modem(115200)
    usual = modem.answer
    modem.answer = lambda text: FAILED if text == b"AT+IPR=460800" else usual(text)  # type: ignore[method-assign]
    assert modem.run(line_rate.raised(115200, 460800)) == 115200
    assert modem.rates == []


def test_a_rate_that_the_wires_do_not_carry_is_walked_back_from() -> None:
    modem = Modem(115200, good=230400)
    assert modem.run(line_rate.raised(115200, 460800)) == 115200
    assert modem.rate == modem.line == 115200
    assert any(isinstance(request, Tell) for request in modem.asked)


@pytest.mark.parametrize("modem", [Modem(115200, highest=115200), Modem(115200, good=230400, hears_beyond=False)])
def test_a_modem_that_is_lost_on_the_way_is_told(modem: Modem) -> None:
    with pytest.raises(NoAnswer, match=r"max_baud"):
        modem.run(line_rate.raised(115200, 460800))

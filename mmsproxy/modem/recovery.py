"""The recovery ladder: which rung comes next when a modem lets us down, and when (modems.md 5.3).

Rule 1: decides, never acts: faults and the time come in, a `Step` goes out, the owner of the port takes it. Rule 2: every step has an
end, and together they are bounded: a modem that stops answering is back or given up within OUTAGE seconds. Rule 3: giving up is a pause:
after GIVEN_UP seconds it begins again from the first rung, and a message that waits is worth a try, but not the whole ladder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mmsproxy.at.delivery import PromptLost
from mmsproxy.at.dialect import Rung
from mmsproxy.at.startup import ANSWER_TRIES, WAKE_TIMEOUT, WAKE_TRIES, NoAnswer
from mmsproxy.errors import LinkError, LinkLost, ModemSilent, PortError, RegistrationError, SimError

BACK_OFF = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds; the last one repeats (modems.md 5.5)
GIVEN_UP = 300.0  # seconds between two climbs
BOOT = 25.0  # seconds that a modem which was restarted, or reset, may take to answer AT
OUTAGE = 120.0  # seconds from the first silence to service or alarm, at most

_ROUND = ANSWER_TRIES * WAKE_TIMEOUT
USUAL_ROUNDS = math.ceil(WAKE_TRIES * WAKE_TIMEOUT / _ROUND)  # of AT at a modem that should be there
BOOT_ROUNDS = math.ceil(BOOT / _ROUND)

_SILENT = (Rung.PROBE, Rung.RESTART, Rung.RESET, Rung.GIVE_UP)
_REFUSING = (Rung.PROBE, Rung.RADIO, Rung.RESTART, Rung.RESET, Rung.GIVE_UP)
_WITHOUT_BEARER = (Rung.BEARER, Rung.RADIO, Rung.RESTART, Rung.RESET, Rung.GIVE_UP)


@dataclass(frozen=True, slots=True)
class Step:
    """What comes before the next start-up, in this order, and how patient that is.

    quiet   seconds in which nothing may be written
    rung    to take; None: none
    wait    seconds of rest, cut short by a message that waits
    rounds  of AT before the modem counts as silent
    search  whether to look for it at other rates then, and in the transparent mode
    """

    rung: Rung | None = None
    wait: float = 0.0
    quiet: float = 0.0
    rounds: int = USUAL_ROUNDS
    search: bool = False


class Ladder:
    """One modem's. `can_reset`: there is a reset command."""

    def __init__(self, *, can_reset: bool) -> None:
        self._can_reset = can_reset
        self._pauses = _back_off()
        self._last: Rung | None = None
        self._restarts = 0
        self._resume_at = 0.0

    def succeeded(self) -> None:
        """The modem is set up again."""
        self._pauses, self._last = _back_off(), None

    def served(self) -> None:
        """The bearer is up: what restarted the modem before is over."""
        self._restarts = 0

    def after(self, fault: LinkError, *, has_port: bool, now: float) -> Step:
        """`has_port`: the port was open when the fault came, and is still there."""
        if not has_port:
            if self._last is not None and self._last < Rung.RESET:  # what a reset unplugs is no other modem
                self._last = None
            return Step(wait=next(self._pauses), search=True)
        if isinstance(fault, PromptLost):
            return self._after_a_lost_prompt(fault)
        if isinstance(fault, LinkLost) and not isinstance(fault, ModemSilent):
            return self._after_a_restart()
        if isinstance(fault, SimError) or type(fault) is LinkError:  # a person has to act; no rung helps
            return Step(wait=next(self._pauses))
        return self._climb(fault, now)

    def _after_a_lost_prompt(self, fault: PromptLost) -> Step:
        """Nothing may be written; what resets from outside may."""
        if self._can_reset:
            self._last = Rung.RESET
            return Step(Rung.RESET, rounds=BOOT_ROUNDS)
        self._last = Rung.PROBE
        return Step(quiet=fault.quiet)

    def _after_a_restart(self) -> Step:
        """At once the first time; a modem that restarts again and again gets more and more rest."""
        self._restarts += 1
        return Step(wait=0.0 if self._restarts == 1 else next(self._pauses), rounds=BOOT_ROUNDS)

    def _climb(self, fault: LinkError, now: float) -> Step:
        if self._last is Rung.GIVE_UP:
            if now < self._resume_at:
                return Step(wait=self._resume_at - now)
            self._last = None
        self._last = self._above(_SILENT if is_silence(fault) else _REFUSING, fault)
        match self._last:
            case Rung.PROBE:
                return Step(Rung.PROBE, wait=0.0 if is_silence(fault) else next(self._pauses), search=True)
            case Rung.GIVE_UP:
                self._resume_at = now + GIVEN_UP
                return Step(Rung.GIVE_UP, wait=GIVEN_UP)
        return Step(self._last, rounds=BOOT_ROUNDS)

    def _above(self, rungs: tuple[Rung, ...], fault: LinkError) -> Rung:
        floor = self._last or (Rung.BEARER if isinstance(fault, RegistrationError) else 0)
        return next(rung for rung in rungs if rung > floor and (rung is not Rung.RESET or self._can_reset))


class BearerLadder:
    """The same for a modem that is there but gets no bearer, or no network: taken one rung at each look, since it may be the network's
    fault; SMS go on working between."""

    def __init__(self, *, can_reset: bool) -> None:
        self._rungs = tuple(rung for rung in _WITHOUT_BEARER if can_reset or rung is not Rung.RESET)
        self._failures = 0
        self._resume_at = 0.0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, now: float) -> Rung | None:
        """The rung to take; None while it is given up. BEARER is what bringing it up has tried already."""
        if self._failures == len(self._rungs):
            if now < self._resume_at:
                return None
            self._failures = 0
        self._failures += 1
        rung = self._rungs[self._failures - 1]
        if rung is Rung.GIVE_UP:
            self._resume_at = now + GIVEN_UP
        return rung


def is_silence(fault: LinkError) -> bool:
    """The modem does not answer AT; `PortError` is what ten unanswered commands in a row are (modems.md 5.3)."""
    return isinstance(fault, (ModemSilent, NoAnswer, PortError))


def _back_off() -> Iterator[float]:
    yield from BACK_OFF
    while True:
        yield BACK_OFF[-1]

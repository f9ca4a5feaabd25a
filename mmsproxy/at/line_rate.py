"""The rate of the serial line: finding the modem's, and raising it for the session (V.250 6.2.10; modems.md 3.4 and 5.6).

Rule 1: a raised rate is never saved: after a restart the modem is back at its own (MKRGSM issue 103: stuck after IPR=921600). Rule 2: a
rate that does not work is walked back from. Rule 3: nothing of one family stands here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmsproxy.at.dialect import Ask, Escape, Pause, Rate, Raw, Script, Tell
from mmsproxy.at.rules import ok
from mmsproxy.at.startup import NO_ANSWER, NoAnswer, answers

SEARCHED = (115200, 9600, 57600, 460800, 921600, 38400, 19200, 230400)  # baud, in this order (modems.md 5.6)
HIGHEST = 460800  # baud: what a rate is raised to unless the settings say otherwise; a SIM800's own ceiling
SLOWEST_RAISED = 9600  # of IPR's list: what is below is no gain
SWITCH = 0.1  # seconds from the OK to the new rate
GUARD = 1.0  # seconds of silence around +++ (V.250 S12)


def find(expected: Sequence[int], rounds: int, *, others: Sequence[int] | None = None) -> Script[int]:
    """The rate at which the modem answers AT.

    expected  where it should be, first the rate that the line has now; each is tried `rounds` times
    others    where it may be as well: tried once, after an attempt to leave a connection's transparent mode; None: not tried

    Raises NoAnswer; the line is back at the first rate then.
    """
    current = expected[0]
    for _ in range(rounds):
        for rate in expected:
            current = yield from _switched(current, rate)
            if current == rate and (yield from answers()):
                return rate
    if others is not None:
        if (yield Escape(GUARD)).ok or (yield from answers()):
            return current
        for rate in (rate for rate in others if rate not in expected):
            current = yield from _switched(current, rate)
            if current == rate and (yield from answers()):
                yield Tell(f"the modem was found at {rate} baud")
                return rate
    yield from _switched(current, expected[0])
    raise NoAnswer(NO_ANSWER, cure="check its power, and modem.port and modem.baud in the config")


def _switched(current: int, wanted: int) -> Script[int]:
    """The rate that the line has after it was asked to change."""
    if current == wanted or not (yield Rate(wanted)).ok:
        return current
    return wanted


def raised(current: int, highest: int) -> Script[int]:
    """Goes to the best rate up to `highest` that the modem knows; returns the rate that the line then has. Raises NoAnswer when the modem
    is lost on the way."""
    wanted = yield from _best(highest)
    if wanted <= current:
        return current
    if not (yield Ask(b"AT+IPR=%d" % wanted)).ok:
        return current
    yield Pause(SWITCH)
    if (yield Rate(wanted)).ok:
        if (yield from answers()):
            return wanted
        yield Raw(b"AT+IPR=%d\r" % current)  # it may hear us, although we do not hear it
        yield Pause(SWITCH)
        yield Rate(current)
    if (yield from answers()):
        yield Tell(f"the line does not work at {wanted} baud: it stays at {current}")
        return current
    raise NoAnswer("the modem was lost while its rate was raised", cure="set modem.max_baud to the rate of modem.baud")


def _best(highest: int) -> Script[int]:
    """0 where the modem does not say what it can."""
    reply = yield Ask(b"AT+IPR=?", ok(rb"\+IPR: .*"))
    known = [int(number) for number in re.findall(rb"\d{4,7}", reply.line(b"+IPR:") or b"")] if reply.ok else []
    return max((rate for rate in known if SLOWEST_RAISED < rate <= highest), default=0)

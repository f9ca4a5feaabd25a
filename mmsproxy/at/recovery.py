"""The rungs of the recovery ladder that are commands (modems.md 5.3). Shared by all dialects.

Rule 1: each says that it is taken before it is. Rule 2: none decides whether it helped: the start-up that follows does. Which rung is
next, and when, is `modem.recovery`'s.
"""

from __future__ import annotations

from mmsproxy.at.dialect import Ask, Await, Climb, Dialect, Raw, Rung, Script
from mmsproxy.at.rules import Urc
from mmsproxy.at.startup import NoAnswer

RADIO_TIMEOUT = 10.0  # seconds for each of CFUN=4 and CFUN=1
RESTART_TIMEOUT = 30.0  # seconds to the first word of a restarted modem


def cycle_radio(reason: str) -> Script[None]:
    """Radio off and on. A modem that refuses keeps its radio on; the next rung comes soon enough."""
    yield Climb(Rung.RADIO, reason)
    yield Ask(b"AT+CFUN=4", timeout=RADIO_TIMEOUT)
    yield Ask(b"AT+CFUN=1", timeout=RADIO_TIMEOUT)


def restart(dialect: Dialect, reason: str) -> Script[None]:
    """The dialect's restart command, written whether or not the modem listens. Raises NoAnswer when no word of a restart comes."""
    yield Climb(Rung.RESTART, reason)
    yield Raw(dialect.restart + b"\r")
    reply = yield Await(Urc.RESTARTED, RESTART_TIMEOUT)
    if reply.timed_out:
        raise NoAnswer("the modem does not restart", cure="power-cycle it")

"""What is looked after while nobody sends: SIM, registration, and what is said of them unasked (3GPP TS 27.007 7.2, 10.1.20, 10.1.22).

Rule 1: a URC is a hint to look, the query decides: a modem is registered when one of CEREG, CGREG and CREG says so. Rule 2: a modem that
knows no such URC or query is not at fault.
"""

from __future__ import annotations

import re

from mmsproxy.at.dialect import Ask, Script, try_joined
from mmsproxy.at.startup import DENIED, REGISTERED, registration, require_sim
from mmsproxy.errors import RegistrationError

_URC = re.compile(rb"\+C(?:E|G|5G)?REG: ?(\d+)(?:,.*)?")


def switch_on() -> Script[None]:
    """Registration is told from now on, with the cell it is in."""
    yield from try_joined((b"+CREG=2", b"+CGREG=2"))
    yield Ask(b"AT+CEREG=2")  # unknown to 2G modems


def says_registered(line: bytes) -> bool | None:
    """What a registration URC says; None for a line that is none."""
    found = _URC.fullmatch(line)
    return None if found is None else int(found[1]) in REGISTERED


def check() -> Script[None]:
    """SIM and network are there. Raises SimError, RegistrationError."""
    yield from require_sim()
    states = yield from registration()
    if states and not states & REGISTERED:
        denied = DENIED in states
        raise RegistrationError(
            "the network denies registration" if denied else "the network is lost; searching",
            cure="check the SIM's subscription" if denied else "check the antenna and the coverage",
        )

"""Which commands make a modem transmit: a weak supply does not survive them (modems.md 5.4: brown-outs are the commonest field fault).

Rule 1: a table, no dialect: what the families call attaching, bringing a bearer up and sending. Rule 2: it decides nothing but words.
"""

from __future__ import annotations

import re

BROWN_OUT = 3.0  # seconds after such a command within which a restart looks like a brown-out (modems.md 5.4)
HINT = "supply voltage drops under load"
CURE = "give the modem a supply that holds 2 A, with short wires"

_TRANSMITS = re.compile(
    rb"AT(\+CIICR|\+NETOPEN|\+CNACT=\d,1|\+QIACT=\d+|\+UPSDA=\d,3|#SGACT=\d,1.*"  # bearers
    rb"|\+CGATT=1|\+CGACT=1.*|\+CFUN=1"  # attach, activate, radio on
    rb"|\+(CIPSTART|CIPOPEN|CAOPEN|QIOPEN|USOCO|CIPSEND|CASEND|QISEND|USOWR|CMGS)=.*|#SD=.*|#SSEND(EXT)?=.*)",  # sockets, SMS
)


def transmits(command: bytes) -> bool:
    """Whether the modem goes on the air for this command (with AT, without CR)."""
    return _TRANSMITS.fullmatch(command) is not None


def looks_like_brown_out(seconds: float) -> bool:
    """Whether a restart so many seconds after such a command hints at the supply."""
    return 0 <= seconds <= BROWN_OUT

"""Which dialect a modem speaks: by its name, then by asking what it understands.

A new modem family is one line in DIALECTS. Their order is the order of probing, the most specific first: a SIM7000 knows both CIPSTART
and CA commands (modems.md 1.2).
"""

from __future__ import annotations

from mmsproxy.at.dialect import Ask, Dialect, Identity, Script
from mmsproxy.at.quectel import QUECTEL
from mmsproxy.at.rules import ok
from mmsproxy.at.sim800 import SIM800
from mmsproxy.at.sim7080 import SIM7080
from mmsproxy.at.sim7600 import SIM7600
from mmsproxy.at.telit import TELIT
from mmsproxy.at.ublox import UBLOX
from mmsproxy.errors import LinkError

DIALECTS: tuple[Dialect, ...] = (
    SIM7080,
    QUECTEL,
    SIM7600,
    UBLOX,
    TELIT,
    SIM800,
)
NAMES = ("auto", *(dialect.name for dialect in DIALECTS))


def by_name(name: str) -> Dialect | None:
    """The dialect that the config names; None for `auto`. Raises LinkError for a name that nobody has."""
    if name == "auto":
        return None
    for dialect in DIALECTS:
        if dialect.name == name:
            return dialect
    raise LinkError(f"there is no dialect {name!r}", cure=f"modem.dialect is one of {', '.join(NAMES)}")


def detect(identity: Identity) -> Script[Dialect]:
    """By model, then by `=?` probes. Raises LinkError when the modem speaks none of the dialects."""
    for dialect in DIALECTS:
        if dialect.models.search(identity.words):
            return dialect
    for dialect in DIALECTS:
        reply = yield Ask(dialect.probe, ok(free=True))
        if reply.ok:
            return dialect
    name = identity.model or identity.info or "the modem"
    raise LinkError(
        f"{name} speaks none of the dialects {', '.join(NAMES[1:])}", cure="name the nearest one as modem.dialect in the config"
    )

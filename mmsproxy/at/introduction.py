"""From a modem that answers AT to one that talks plainly and is known: which dialect it speaks, and in which of its modes.

Rule 1: what the settings ask for and the modem cannot do is refused with its reason, never done without a word.
"""

from __future__ import annotations

from mmsproxy.at.detect import by_name, detect
from mmsproxy.at.dialect import Ask, Dialect, Identity, Script, Tell
from mmsproxy.at.startup import identify, plain_talk
from mmsproxy.errors import LinkError

NO_FLOW_CONTROL = "the transparent mode loses bytes without RTS/CTS"


def introduce(wanted: str, *, rtscts: bool, transparent: bool) -> Script[tuple[Dialect, Identity]]:
    """`wanted` is a dialect's name or `auto`. Raises LinkError for settings that this modem cannot follow."""
    named = by_name(wanted)
    if transparent and not rtscts:
        raise LinkError(NO_FLOW_CONTROL, cure="wire RTS and CTS and set modem.flow_control: rtscts, or leave modem.transparent out")
    yield from plain_talk()
    identity = yield from identify()
    dialect = named.on(identity) if named else (yield from detect(identity))
    if rtscts:
        yield from _flow_control(needed=transparent)
    if not transparent:
        return dialect, identity
    if dialect.transparent is None:
        raise LinkError(f"mmsproxy does not know the transparent mode of {dialect.name} modems", cure="leave modem.transparent out")
    return dialect.transparent, identity


def _flow_control(*, needed: bool) -> Script[None]:
    """Both directions (V.250 6.2.12). Set on one side only it would corrupt or stall the line."""
    if (yield Ask(b"AT+IFC=2,2")).ok:
        return
    if needed:
        raise LinkError(f"the modem refuses RTS/CTS, and {NO_FLOW_CONTROL}", cure="leave modem.transparent out")
    yield Tell("the modem refuses RTS/CTS")

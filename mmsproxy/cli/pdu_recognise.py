"""Which of the three an unnamed run of octets is: an MMS PDU, a WSP push or an SMS TPDU; and what stands inside what.

Rule 1: the first octet decides for MMS (ENC 7: 8C). Rule 2: a push is believed when its content type is MMS; any other reading of
what might be a TPDU as well must have no oddity. Rule 3: the only exception that leaves is PduError, and it speaks of the most
likely reading. Parts of one message that stand in several files or lines are joined here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from mmsproxy.cli.pdu_input import Found
from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu, sms_parts, sms_pdu, wap_push
from mmsproxy.wire.mms_pdu import Pdu
from mmsproxy.wire.sms_pdu import Deliver, Direction, Submit, Tpdu
from mmsproxy.wire.sms_schema import surroundings
from mmsproxy.wire.wap_push import Push

T = TypeVar("T")
Kind = Literal["mms", "push", "sms"]

_ENOUGH: Final = 2  # octets; with fewer nothing can be told


@dataclass(frozen=True, slots=True)
class Carried:
    """A push and what its body holds: a PDU, or why there is none (None: it says that it is something else)."""

    push: Push
    mms: Pdu | PduError | None


@dataclass(frozen=True, slots=True)
class Read:
    """One find, read. `joined` stands at the TPDU that completes a push."""

    found: Found
    said: Pdu | Carried | Tpdu
    joined: Carried | None = None

    @property
    def mms(self) -> Pdu | PduError | None:
        """The MMS PDU in it, wherever it stands, or why there is none."""
        if isinstance(self.said, Pdu):
            return self.said
        push = self.said if isinstance(self.said, Carried) else self.joined
        return push.mms if push else None

    @property
    def error(self) -> PduError | None:
        """What is wrong with the MMS PDU in a push."""
        return self.mms if isinstance(self.mms, PduError) else None


@dataclass(slots=True)
class Collector:
    """Reads find after find, and joins the parts of pushes that came in several SMS."""

    kind: Kind | None = None
    strict: bool = False
    waiting: dict[sms_parts.PartKey, list[Deliver]] = field(default_factory=dict)

    def read(self, found: Found) -> Read:
        """Raises PduError."""
        said = recognise(found, self.kind, self.strict)
        joined = self._join(said) if isinstance(said, Deliver) and sms_parts.is_wap_push(said) else None
        return Read(found, said, joined)

    def _join(self, part: Deliver) -> Carried | None:
        key = sms_parts.part_key(part)
        parts = [part] if key is None else self.waiting.setdefault(key, [])
        if key is not None:
            parts[:] = [other for other in parts if sms_parts.sequence(other) != sms_parts.sequence(part)] + [part]
            if sms_parts.missing(parts):
                return None
            del self.waiting[key]
        push = wap_push.of_delivers(parts, strict=self.strict)
        return carried(push, self.strict) if push else None


def carried(push: Push, strict: bool) -> Carried:
    """What a push holds. Raises PduError in strict mode only."""
    try:
        octets = wap_push.find_mms(push)
        return Carried(push, None if octets is None else mms_pdu.decode(octets, strict=strict))
    except PduError as error:
        if strict:
            raise
        return Carried(push, error)


def recognise(found: Found, kind: Kind | None, strict: bool) -> Pdu | Carried | Tpdu:
    """Raises PduError."""
    data = found.octets
    if found.length is not None:
        bare = len(data) == found.length
        return sms_pdu.decode(data, smsc=not bare, direction=found.direction, strict=strict)
    if kind is not None:
        return _NAMED[kind](data, strict)
    if data[:1] == b"\x8c":
        return mms_pdu.decode(data, strict=strict)
    if len(data) < _ENOUGH or _readable(data):
        raise _nothing(data)
    return _push_or_tpdu(data, strict)


def _push_or_tpdu(data: bytes, strict: bool) -> Carried | Tpdu:
    push, tpdu = _try(lambda: wap_push.decode(data)), _try(lambda: sms_pdu.guess(data))
    if isinstance(push, Push) and push.is_mms and push.body[:1] == b"\x8c":
        return _push(data, strict)
    if not isinstance(tpdu, PduError) and _credible(tpdu):
        return _sms(data, strict)
    if data[1] in (wap_push.PUSH, wap_push.CONFIRMED_PUSH):
        return _push(data, strict)  # or its error
    raise _nothing(data)


def _credible(tpdu: Tpdu) -> bool:
    """Random octets often make a TPDU; a real one is without oddities, or goes to the port of WAP push."""
    return not tpdu.warnings or (isinstance(tpdu, Deliver) and sms_parts.is_wap_push(tpdu))


def _push(data: bytes, strict: bool) -> Carried:
    return carried(wap_push.decode(data, strict=strict), strict)


def _sms(data: bytes, strict: bool) -> Tpdu:
    tpdu = sms_pdu.guess(data)
    direction = Direction.MO if isinstance(tpdu, Submit) else Direction.MT
    return sms_pdu.decode(data, smsc=tpdu.smsc is not None, direction=direction, strict=strict)


_NAMED: Final[dict[Kind, Callable[[bytes, bool], Pdu | Carried | Tpdu]]] = {
    "mms": lambda data, strict: mms_pdu.decode(data, strict=strict),
    "push": _push,
    "sms": _sms,
}


def _try(read: Callable[[], T]) -> T | PduError:
    try:
        return read()
    except PduError as error:
        return error


def _readable(data: bytes) -> bool:
    """HTML, an error page, any text: no PDU looks like it."""
    start = data[:512]
    return not start.translate(None, bytes({9, 10, 13, *range(0x20, 0x7F)}))


def _nothing(data: bytes) -> PduError:
    detail = "neither an MMS PDU (starts with 8C) nor a WSP push nor an SMS TPDU; --as tells what it is"
    if not data:
        detail = "nothing is here"
    elif _readable(data):
        html = b"<html" in data[:512].lower() or b"<!doctype" in data[:512].lower()
        detail = "HTML, not an MMS PDU" if html else "text, not an MMS PDU; nor hex of one"
    return PduError("not-an-mms-pdu", offset=0, detail=detail, context=surroundings(data, 0))

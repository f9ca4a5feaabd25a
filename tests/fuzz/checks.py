"""What must hold for any octets whatever. Each check raises Finding, or lets a foreign exception through: both are findings.

mms    decode gives a PDU or PduError, lenient and strict; what strict accepts, lenient reads the same; encode gives back the octets, whole
       and in chunks; texts, contents and edits raise nothing else
push   the same of WAP pushes, and of the MMS PDU in them
tpdu   the same of SMS TPDUs, in both directions, with and without service centre; their texts and times never fail
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu, sms_parts, sms_pdu, wap_push
from mmsproxy.wire.mms_pdu import Pdu
from mmsproxy.wire.sms_pdu import Deliver, Direction, StatusReport, Submit, Tpdu

T = TypeVar("T")


class Finding(Exception):
    """A promise of the codec that these octets break."""


def hold(promise: bool, words: str) -> None:
    """Raises Finding if the promise is broken."""
    if not promise:
        raise Finding(words)


def error_is_whole(error: PduError, data: bytes) -> None:
    """Every error names its rule and a place in the octets, in one line."""
    hold(bool(error.rule) and error.rule == error.rule.lower() and " " not in error.rule, f"rule {error.rule!r}")
    hold(0 <= error.offset <= len(data), f"offset {error.offset} in {len(data)} octets")
    hold("\n" not in str(error), "an error of several lines")


def mms(data: bytes) -> bool:
    """True if lenient mode accepts the octets."""
    try:
        pdu = mms_pdu.decode(data)
    except PduError as error:
        error_is_whole(error, data)
        pdu = None
    strict_too(data, pdu)
    if pdu is None:
        return False
    hold(mms_pdu.encode(pdu) == data, "encode(decode(b)) != b")
    hold(b"".join(mms_pdu.encode_chunks(pdu)) == data, "the chunks are not the octets")
    for warning in pdu.warnings:
        hold(0 <= warning.offset <= len(data) and bool(warning.rule), f"warning {warning}")
    look_into(pdu)
    edits(pdu)
    return True


def strict_too(data: bytes, lenient: Pdu | None) -> None:
    """Strict mode accepts less, and reads it the same."""
    try:
        strict = mms_pdu.decode(data, strict=True)
    except PduError as error:
        error_is_whole(error, data)
        return
    hold(lenient is not None, "strict accepts what lenient refuses")
    hold(strict == lenient, "strict reads another PDU")
    hold(mms_pdu.encode(strict) == data, "strict: encode(decode(b)) != b")


def look_into(pdu: Pdu) -> None:
    """Everything that a reader of the PDU may ask."""
    mms_pdu.missing(pdu)
    repr(pdu)
    hash(pdu.message_type)
    assert pdu.root is None or pdu.root in pdu.parts
    for part in pdu.walk():
        if part.parts is None:
            hold(not isinstance(part.data, memoryview) or part.data.readonly, "part data can be written to")
            pdu_errors_only(lambda part=part: (mms_pdu.content(part), mms_pdu.text(part)))  # type: ignore[misc]


def edits(pdu: Pdu) -> None:
    """A changed header is read back; what cannot be written is refused."""
    octets = pdu_errors_only(lambda: mms_pdu.encode(pdu.replace(transaction_id="edited")))
    if octets is not None:
        again = pdu_errors_only(lambda: mms_pdu.decode(octets))
        hold(again is None or again.transaction_id == "edited", "an edited header is not read back")
    fresh = pdu_errors_only(lambda: mms_pdu.encode(mms_pdu.canonical(pdu)))
    if fresh is not None:
        again = pdu_errors_only(lambda: mms_pdu.decode(fresh))
        hold(again is None or mms_pdu.encode(again) == fresh, "canonical octets do not come back")


def pdu_errors_only(work: Callable[[], T]) -> T | None:
    """The result, None for PduError; anything else is a finding."""
    try:
        return work()
    except PduError:
        return None


def push(data: bytes) -> bool:
    """True if lenient mode accepts the octets as a push."""
    try:
        found = wap_push.decode(data)
    except PduError as error:
        error_is_whole(error, data)
        found = None
    strict = pdu_errors_only(lambda: wap_push.decode(data, strict=True))
    hold(strict is None or strict == found, "strict accepts what lenient refuses, or reads it otherwise")
    if found is None:
        return False
    hold(wap_push.encode(found) == data, "encode(decode(b)) != b")
    assert found.application is None or isinstance(found.application, str)
    assert found.content_length is None or found.content_length >= 0
    assert found.push_flag is None or found.push_flag >= 0
    octets = pdu_errors_only(lambda: wap_push.find_mms(found))
    if octets:
        mms(octets)
    pdu_errors_only(lambda: wap_push.decode(wap_push.encode(wap_push.mms_push(data, tid=found.tid))))
    return True


def tpdu(data: bytes) -> bool:
    """True if any reading accepts the octets as a TPDU."""
    accepted = False
    for direction in Direction:
        for smsc in (True, False):
            accepted |= _tpdu(data, direction, smsc)
    pdu_errors_only(lambda: sms_pdu.guess(data))
    return accepted


def _tpdu(data: bytes, direction: Direction, smsc: bool) -> bool:
    try:
        found = sms_pdu.decode(data, direction=direction, smsc=smsc)
    except PduError as error:
        error_is_whole(error, data)
        return False
    strict = pdu_errors_only(lambda: sms_pdu.decode(data, direction=direction, smsc=smsc, strict=True))
    hold((strict is None) == bool(found.warnings), "strict mode and warnings disagree")
    hold(sms_pdu.encode(found) == data, "encode(decode(b)) != b")
    read_out(found)
    return True


def read_out(found: Tpdu) -> None:
    """Every meaning of every value."""
    repr(found)
    if isinstance(found, StatusReport):
        assert found.status.words
        hold(found.status.final or not found.status.delivery.value.startswith("delivered"), "delivered is final")
        assert found.recipient.number is not None
        assert (found.timestamp.when, found.discharge.when, found.text) is not None
        return
    assert (found.text is None) == (found.alphabet is sms_pdu.Alphabet.DATA)
    assert (found.ports, found.concatenation, found.dcs.waiting, found.dcs.message_class) is not None
    if isinstance(found, Submit):
        assert (found.validity.period, found.validity.until, found.destination.number) is not None
        return
    assert isinstance(found, Deliver)
    assert (found.timestamp.when, found.originator.number, sms_parts.part_key(found)) is not None
    sms_parts.joined_text([found])
    pdu_errors_only(lambda: wap_push.of_delivers([found]))


CHECKS: dict[str, Callable[[bytes], bool]] = {"mms": mms, "push": push, "tpdu": tpdu}

"""From what a person means to the M-Send.req that says it (delivery.md 7, mms.md 10).

Rule 1: pure: the Transaction-ID and the date come in, so the same request composes to the same octets at every try.
Rule 2: one request is one PDU, whatever the length of its text: size is the carrier's limit to judge, not this module's.
Rule 3: the sender is left to the MMSC (insert-address): operators refuse any other.
"""

from __future__ import annotations

import re

from mmsproxy.message import smil
from mmsproxy.message.model import SendRequest
from mmsproxy.wap_numbers import MessageClass, MmsVersion, Priority
from mmsproxy.wire.mms_pdu import Address, ContentType, Part, Relative, SendReq, Text

RELATED = "application/vnd.wap.multipart.related"
TEXT_LOCATION = "text.000000.txt"
UTF_8 = 106  # IANA MIBenum
EXPIRY_SECONDS = 604_800  # 7 days: the longest that carriers keep a message for a phone that is off
MAX_TRANSACTION_ID = 40  # characters (mms.md 10)


def compose(request: SendRequest, *, transaction_id: str, date: int) -> SendReq:
    """The message as one M-Send.req, all recipients in To.

    transaction_id  unique for this gateway: 1 to 40 printable ASCII characters, else ValueError
    date            seconds since 1970, UTC
    """
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{MAX_TRANSACTION_ID}}}", transaction_id):
        raise ValueError(f"{transaction_id!r} is no Transaction-ID: 1 to {MAX_TRANSACTION_ID} printable ASCII characters are wanted")
    return SendReq(
        transaction_id=transaction_id,
        mms_version=MmsVersion.V1_2,
        date=date,
        to=tuple(Address(f"{number}/TYPE=PLMN") for number in request.recipients),
        subject=None if request.subject is None else Text(request.subject),
        message_class=MessageClass.PERSONAL,
        expiry=Relative(EXPIRY_SECONDS),
        priority=Priority.NORMAL,
        content_type=ContentType(RELATED, type=smil.CONTENT_TYPE, start=f"<{smil.CONTENT_ID}>"),
        parts=(_smil_part(), _text_part(request.text)),
    )


def _smil_part() -> Part:
    return Part(
        ContentType(smil.CONTENT_TYPE),
        smil.text_slide(TEXT_LOCATION),
        content_id=f"<{smil.CONTENT_ID}>",
        content_location=smil.CONTENT_LOCATION,
    )


def _text_part(text: str) -> Part:
    return Part(
        ContentType("text/plain", charset=UTF_8),
        text.encode(),
        content_id=f"<{TEXT_LOCATION.removesuffix('.txt')}>",
        content_location=TEXT_LOCATION,
    )

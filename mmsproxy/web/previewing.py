"""What would be sent, and octets in words: a preview as JSON, and a PDU decoded. Both beside the event loop when they are large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mmsproxy.errors import PduError
from mmsproxy.post.clerk import Preview
from mmsproxy.web.answers import Json
from mmsproxy.web.message_resource import parts_in
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.pdu_view import error_json, mms_json

THREAD_FROM = 65_536  # octets
SMIL = "application/smil"


async def preview(planned: Preview) -> Json:
    """The body of the answer to POST /v1/preview."""
    pdu = planned.pdu
    return {
        "type": planned.kind.value,
        "why": planned.why,
        "line": planned.line or None,
        "messages": planned.messages,
        "units": planned.units,
        "sms_parts": planned.sms_parts,
        "sms_encoding": planned.sms_encoding or None,
        "size": None if pdu is None else len(pdu),
        "size_limit": planned.size_limit,
        **({"parts": None, "smil": None, "pdu": None} if pdu is None else await _beside(_content, pdu)),
        "warnings": [dict(item) for item in planned.warnings],
    }


async def decoded(pdu: bytes) -> Json:
    """A PDU as JSON, as docs/codec.md has it; what cannot be read is told as what is wrong with it."""
    return await _beside(_decoded, pdu)


async def _beside(look: Callable[[bytes], Json], pdu: bytes) -> Json:
    return look(pdu) if len(pdu) < THREAD_FROM else await asyncio.to_thread(look, pdu)


def _content(pdu: bytes) -> Json:
    """What of a preview stands in its PDU, which was just composed. One decoding for all of it."""
    read = mms_pdu.decode(pdu)
    return {"parts": parts_in(read), "smil": _smil(read), "pdu": mms_json(read)}


def _decoded(pdu: bytes) -> Json:
    try:
        return mms_json(mms_pdu.decode(pdu))
    except PduError as error:
        return {"error": error_json(error)}


def _smil(read: mms_pdu.Pdu) -> str | None:
    parts = getattr(read, "parts", ())
    return next((bytes(part.data).decode("utf-8", "replace") for part in parts if part.content_type.media == SMIL), None)

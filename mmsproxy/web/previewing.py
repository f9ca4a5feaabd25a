"""What would be sent, and octets in words: a preview as JSON, and a PDU decoded. Both beside the event loop when they are large."""

from __future__ import annotations

import asyncio
from typing import Any

from mmsproxy.errors import PduError
from mmsproxy.post.clerk import Preview
from mmsproxy.web.message_resource import Json, parts_of
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
        "parts": parts_of(pdu),
        "smil": None if pdu is None else _smil(pdu),
        "warnings": [dict(item) for item in planned.warnings],
        "pdu": None if pdu is None else await decoded(pdu),
    }


async def decoded(pdu: bytes) -> dict[str, Any]:
    """A PDU as JSON, as docs/codec.md has it; what cannot be read is told as what is wrong with it."""
    if len(pdu) < THREAD_FROM:
        return _decoded(pdu)
    return await asyncio.to_thread(_decoded, pdu)


def _decoded(pdu: bytes) -> Json:
    try:
        return mms_json(mms_pdu.decode(pdu))
    except PduError as error:
        return {"error": error_json(error)}


def _smil(pdu: bytes) -> str | None:
    parts = getattr(mms_pdu.decode(pdu), "parts", ())
    return next((bytes(part.data).decode("utf-8", "replace") for part in parts if part.content_type.media == SMIL), None)

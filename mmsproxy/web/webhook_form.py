"""What a webhook's request looks like, and when it is made again: Standard Webhooks (spec 1.0), schedule of delivery.md 6. Pure.

It knows no store and no HTTP; the clock and the random octets come in as values.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks.webhooks import Webhook as Signer

from mmsproxy.post.records import Event
from mmsproxy.web.message_resource import iso

CONTENT_TYPE = "application/json"
SECRET_OCTETS = 32  # the spec asks for 24 to 64
SECRET_PREFIX = "whsec_"
MAX_BODY = 20_000 - 1  # octets; the spec advises to stay below 20 kB
SCHEDULE = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)  # seconds before the 2nd to the 10th try
JITTER = 0.1  # of a pause, at most, so that endpoints that failed together are not tried together
SHORT = 200  # characters of a value that even the shortest body keeps

Encoded = tuple[bytes, Mapping[str, str]]


def new_secret(random: bytes) -> str:
    """`whsec_...` of SECRET_OCTETS random octets."""
    if len(random) != SECRET_OCTETS:
        raise ValueError(f"a secret is made of {SECRET_OCTETS} octets")
    return SECRET_PREFIX + base64.b64encode(random).decode()


def envelope(event: Event, data: Mapping[str, Any]) -> bytes:
    """`{"type", "timestamp", "data"}` of at most MAX_BODY octets. What had to be left out is named in `data.truncated`."""
    moment = iso(event.at)
    body = b""
    for smaller in _ever_smaller(data):
        body = _json({"type": event.type, "timestamp": moment, "data": smaller})
        if len(body) <= MAX_BODY:
            break
    return body


def _ever_smaller(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All of it; then a shorter text; then without what is long, the longest first; at last only what is short in itself."""
    yield data
    text = data.get("text")
    if isinstance(text, str):
        length = min(len(text), MAX_BODY)
        while length > SHORT:
            length = length * 3 // 4
            yield {**data, "text": text[:length], "truncated": ["text"]}
    left = dict(data)
    gone: list[str] = []
    for name in sorted(data, key=lambda name: len(_json(data[name])), reverse=True):
        if len(_json(data[name])) > SHORT:
            del left[name]
            gone.append(name)
            yield {**left, "truncated": sorted(gone)}
    yield {name: left[name] for name in list(left)[:40]}


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def signed(event_id: str, body: bytes, secrets: Sequence[str], moment: datetime) -> Mapping[str, str]:
    """The header fields of the spec: one signature for each secret. `moment` is that of this try: verifiers refuse what is old."""
    text = body.decode()
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(event_id, moment, text) for secret in secrets),
    }


def next_try(attempts: int, retry_after: float | None, jitter: float) -> float | None:
    """Seconds until the next try after `attempts` that failed (1 or more); None: it is given up. `jitter`: 0..1."""
    if attempts > len(SCHEDULE):
        return None
    pause = SCHEDULE[attempts - 1]
    return max(pause, retry_after or 0.0) + JITTER * pause * jitter


def origin(url: str) -> str:
    """Scheme, host and port as they are written: URLs that begin alike are answered by the same server."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

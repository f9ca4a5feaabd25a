"""Which messages an Idempotency-Key stands for: a look at what `intake` keeps, for doors whose clients name messages themselves."""

from __future__ import annotations

import json

from sqlalchemy import select

from mmsproxy.post.reading import Run
from mmsproxy.post.schema import idempotency


async def messages_of(run: Run, token: str, key: str) -> tuple[str, ...]:
    """The ids of the messages that were accepted with the token's key, in their order; () when it is not known (any more)."""
    statement = select(idempotency.c.message_ids).where(idempotency.c.token == token, idempotency.c.key == key)
    found = (await run(statement)).scalar_one_or_none()
    return () if found is None else tuple(json.loads(found))

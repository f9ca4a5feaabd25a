"""Until the store has it: for whoever knows what happened and would lose it, if the database were away at that moment.

It knows no store: the step is a callable that raises StoreError, and that may be repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from typing import TypeVar

from mmsproxy.errors import StoreError

STORE_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)  # seconds between tries while the database is away; the last one again and again

T = TypeVar("T")

_log = logging.getLogger(__name__)


async def insist(step: Callable[[], Awaitable[T]], what: str) -> T:
    """What `step` returns, as soon as it raises no StoreError any more; what else it raises goes through. `what` waits, for the log."""
    for pause in chain(STORE_PAUSES, repeat(STORE_PAUSES[-1])):
        try:
            return await step()
        except StoreError as error:
            _log.error("%s: %s", what, error)
        await asyncio.sleep(pause)
    raise AssertionError("unreachable")

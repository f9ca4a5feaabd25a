"""The addresses of messages: each with a scope, each problem in the table."""

from __future__ import annotations

from typing import Any

from mmsproxy.web.message_rows import routes
from mmsproxy.web.problems import PROBLEMS


async def test_reading_and_sending_want_their_scopes(api: Any) -> None:
    rows = list(routes(api.desk))
    assert len(rows) == 10
    for row in rows:
        assert row.scope == ("messages:read" if row.method == "GET" else "messages:send"), row.path
        assert set(row.problems) <= set(PROBLEMS)
        assert callable(row.handler)

"""What handlers share: ids that sort by time."""

from __future__ import annotations

import re
from typing import Any


async def test_ids_are_opaque_and_in_the_order_of_time(api: Any) -> None:
    made = []
    for _ in range(3):
        api.clock[0] += 1
        made.append(api.desk.new_id("req"))
    assert made == sorted(made)
    assert all(re.fullmatch(r"req_[0-9A-Z]{26}", item) for item in made)

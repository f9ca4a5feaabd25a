"""A step that is repeated until the store has it."""

from __future__ import annotations

import pytest

from mmsproxy.errors import StoreError, StoreUnavailable
from mmsproxy.post import insisting
from mmsproxy.post.insisting import insist


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insisting, "STORE_PAUSES", (0.0, 0.001))


async def test_until_the_store_has_it(caplog: pytest.LogCaptureFixture) -> None:
    faults: list[Exception] = [StoreUnavailable("away"), StoreError("broken"), StoreError("broken"), StoreUnavailable("away")]

    async def step() -> int:
        if faults:
            raise faults.pop()
        return 7

    assert await insist(step, "an end waits") == 7
    assert [record.getMessage() for record in caplog.records] == [
        "an end waits: away",
        "an end waits: broken",
        "an end waits: broken",
        "an end waits: away",
    ]


async def test_other_errors_go_through() -> None:
    async def step() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await insist(step, "it waits")

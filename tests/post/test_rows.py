from __future__ import annotations

import pytest

from mmsproxy.link import Phase
from mmsproxy.post import rows
from mmsproxy.post.job import Reason


@pytest.mark.parametrize(
    "reason",
    [
        None,
        Reason("expired", "late"),
        Reason("mmsc_error", "ü \x00 \udcff", True, Phase.ANSWER_WHOLE, 0xC0, 200),
        Reason("x", "", phase=Phase.NO_BEARER),
    ],
)
def test_reasons_come_back(reason: Reason | None) -> None:
    kept = rows.reason_text(reason)
    assert rows.reason(kept) == reason
    assert kept is None or kept.isascii()


@pytest.mark.parametrize(("text", "kept"), [(None, None), ("", ""), ("a\x00b", "a\ufffdb"), ("\udcff😀ü", "?😀ü")])
def test_text_that_either_engine_can_keep(text: str | None, kept: str | None) -> None:
    assert rows.clean(text) == kept


def test_headers_come_back() -> None:
    headers = (("X-Odd", "\udcff"), ("X-Odd", "twice"))
    assert rows.pdu({"data": memoryview(b"x"), "headers": rows.to_json(list(headers))}).headers == headers

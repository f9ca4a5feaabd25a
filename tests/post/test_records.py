from __future__ import annotations

from mmsproxy.post.job import Door, Fallback, Kind, Priority
from mmsproxy.post.records import Draft, Filter, LineRow


def test_a_draft_asks_for_nothing_by_itself() -> None:
    draft = Draft(("+12025550123",))
    assert (draft.door, draft.kind, draft.line, draft.priority, draft.fallback) == (Door.API, Kind.MMS, "", Priority.NORMAL, Fallback.NONE)
    assert not any((draft.is_group, draft.delivery_report, draft.read_report, draft.simulated, draft.media, draft.pdu))
    assert (draft.cost, draft.valid_for) == (1, 3600)


def test_priorities_are_claimed_in_their_order() -> None:
    assert sorted(Priority) == [Priority.HIGH, Priority.NORMAL, Priority.LOW]


def test_an_empty_filter_and_an_unknown_line() -> None:
    assert Filter().states == frozenset()
    assert LineRow("mint").paused_at is None

"""The office: settings as rules, and one run after another on the same store."""

from __future__ import annotations

from pathlib import Path

from mmsproxy.config import LineConfig, Settings
from mmsproxy.config_post import LimitsConfig, OutboxConfig, StoreConfig
from mmsproxy.message.model import parse_document
from mmsproxy.post.caps import DAY
from mmsproxy.post.job import State
from mmsproxy.post.office import limits_of, new_id, node_of, open_office, retention_of, rules_of
from mmsproxy.post.policy import UnknownPolicy

SETTINGS = Settings(
    lines=(LineConfig.model_validate({"name": "a", "number": "+4915112345678"}),),
    limits=LimitsConfig(per_hour=7, per_day=8, recipients=9, numbers=("22395",)),
    outbox=OutboxConfig(unknown="resend_same_tid", resends=2, replay=60),
    store=StoreConfig(keep_days=2, keep_mib=3),
)


def test_the_settings_are_the_rules() -> None:
    rules, limits, keep = rules_of(SETTINGS), limits_of(SETTINGS), retention_of(SETTINGS)
    assert (rules.recipients, rules.numbers, rules.home) == (9, frozenset({"22395"}), "+4915112345678")
    assert (limits.caps.per_hour, limits.caps.per_day, limits.unknown, limits.resends) == (7, 8, UnknownPolicy.RESEND_SAME_TID, 2)
    assert limits.keep_sent == 60.0
    assert (keep.age, keep.size) == (2 * DAY, 3 * 1024 * 1024)


def test_each_gateway_is_a_node_of_its_own(tmp_path: Path) -> None:
    assert node_of(tmp_path) == node_of(tmp_path)
    assert node_of(tmp_path) != node_of(tmp_path / "other")
    assert len({new_id("msg") for _ in range(100)}) == 100


class NoLine:
    """A line that is only named."""

    name = "a"
    max_size = None
    sms = None

    def __init__(self) -> None:
        self.settings = SETTINGS.lines[0]


async def test_what_was_accepted_is_there_in_the_next_run(tmp_path: Path) -> None:
    first = await open_office(SETTINGS, [NoLine()], base=tmp_path)  # type: ignore[list-item] # nothing is sent here
    (message,) = (await first.clerk.submit(parse_document({"to": "+4915112345679", "text": "x"}))).messages
    await first.stop()
    await first.store.close()
    again = await open_office(SETTINGS, [NoLine()], base=tmp_path)  # type: ignore[list-item]
    assert (await again.store.message(message.job.id)).job.state is State.QUEUED
    await again.store.close()

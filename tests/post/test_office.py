"""The office: settings as rules, and one run after another on the same store."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

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
    await first.close()
    again = await open_office(SETTINGS, [NoLine()], base=tmp_path)  # type: ignore[list-item]
    assert (await again.store.message(message.job.id)).job.state is State.QUEUED
    await again.close()


def photo() -> str:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "JPEG")
    return base64.b64encode(out.getvalue()).decode()


async def test_pictures_can_be_fitted_until_the_doors_are_closed(tmp_path: Path) -> None:
    """A request that is read while the lines stop is answered, and no child of the fitter is left behind."""

    async def lines_stop() -> None:
        return

    office = await open_office(SETTINGS, [NoLine()], base=tmp_path)  # type: ignore[list-item]
    office.outbox._lines = ()  # nothing is sent here
    await office.start(lines_stop)
    await office.stop()
    wanted = parse_document({"to": "+4915112345679", "media": [{"data": photo(), "content_type": "image/jpeg"}]})
    assert len((await office.clerk.submit(wanted)).messages) == 1
    assert office._fitter.pid is not None
    await office.close()
    assert office._fitter.pid is None
    await office.close()

"""What is gathered for a message: its limit, its place, and a time that is never before pause, interval and caps allow it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mmsproxy.post.caps import Caps
from mmsproxy.post.policy import Limits
from mmsproxy.web.showing import line_of, shown


async def test_the_limit_is_that_of_the_line(api: Any) -> None:
    one, two = await api.send(subject="s", line="one"), await api.send(subject="s", line="two")
    assert (one["size_limit"], two["size_limit"]) == (None, 20_000)
    sms = await api.send(line="two")
    assert (sms["type"], sms["size_limit"], sms["parts"]) == ("sms", None, None)


async def test_a_reached_cap_moves_the_time(api: Any) -> None:
    api.store.limits = Limits(caps=Caps(per_hour=1, per_day=0))
    await api.send(subject="s")
    await api.attempt("sent")
    later = await api.send(subject="t")
    assert later["estimated_send_at"] == "2027-01-15T09:01:00.000Z"


async def test_a_paused_line_has_no_time_and_another_line_has(api: Any) -> None:
    await api.store.pause("one", "x")
    assert (await api.send(line="one"))["estimated_send_at"] is None
    assert (await api.send(line="two"))["estimated_send_at"] is not None


async def test_lists_do_not_read_the_octets(api: Any) -> None:
    message = await api.send(subject="s")
    await api.attempt("sent")
    known = await api.store.message(message["id"])
    assert (await shown(api.desk, known, whole=False))["parts"] is None
    assert (await shown(api.desk, known))["parts"] == [{"n": 0, "content_type": "text/plain", "size": 5}]


async def test_a_message_of_a_line_that_is_gone_is_shown_all_the_same(api: Any) -> None:
    message = await api.store.message((await api.send())["id"])
    assert line_of(api.desk, replace(message.job, line="gone")).name == "one"

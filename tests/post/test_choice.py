"""SMS or MMS."""

from __future__ import annotations

import pytest

from mmsproxy.message.model import SendRequest, parse_document
from mmsproxy.post.admission import Refused
from mmsproxy.post.choice import choose
from mmsproxy.post.job import Kind

PICTURE = {"data": "/9j/", "content_type": "image/jpeg"}
TWO = ["+12025550123", "+12025550124"]


def wanted(**fields: object) -> SendRequest:
    return parse_document({"to": "+12025550123", "text": "x", **fields})


@pytest.mark.parametrize(
    ("fields", "kind", "why"),
    [
        ({}, Kind.SMS, "short_text"),
        ({"text": "x" * 459}, Kind.SMS, "short_text"),  # 3 parts of 153
        ({"text": "x" * 460}, Kind.MMS, "long_text"),
        ({"subject": "s"}, Kind.MMS, "subject"),
        ({"media": [PICTURE]}, Kind.MMS, "media"),
        ({"to": TWO, "group": True}, Kind.MMS, "group"),
        ({"to": TWO}, Kind.SMS, "short_text"),
        ({"as": "mms"}, Kind.MMS, "asked"),
        ({"as": "sms", "text": "x" * 2000}, Kind.SMS, "asked"),
    ],
)
def test_what_decides(fields: dict[str, object], kind: Kind, why: str) -> None:
    found = choose(wanted(**fields), sms_parts=3)
    assert (found.kind, found.why) == (kind, why)


@pytest.mark.parametrize(
    ("auto", "sms_parts", "text", "kind"),
    [("mms", 3, "x", Kind.MMS), ("sms", 3, "x" * 5000, Kind.SMS), ("auto", 0, "x", Kind.MMS), ("sms", 3, "x" * 50_000, Kind.MMS)],
)
def test_the_user_may_choose_for_all_texts(auto: str, sms_parts: int, text: str, kind: Kind) -> None:
    assert choose(wanted(text=text), sms_parts=sms_parts, auto=auto).kind is kind


def test_a_text_of_more_parts_than_can_be_counted_is_no_sms() -> None:
    with pytest.raises(Refused) as refused:
        choose(wanted(text="x" * 153 * 256, **{"as": "sms"}), sms_parts=3)
    assert [(item.pointer, item.code) for item in refused.value.refusals] == [("/text", "too_large")]

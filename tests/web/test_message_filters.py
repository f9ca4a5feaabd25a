"""Parameters of the query to a filter of the store; that the store filters by it, test_api_messages shows."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from mmsproxy.post.job import Direction, Kind, State
from mmsproxy.post.records import Filter
from mmsproxy.web.message_filters import PARAMS, filter_of
from mmsproxy.web.problems import Refusal


def test_no_parameter_is_no_filter() -> None:
    assert filter_of(make_mocked_request("GET", "/v1/messages")) == Filter()


def test_each_parameter_has_its_place() -> None:
    times = "since=1970-01-01T00:00:01Z&until=1970-01-01T01:00:02%2B01:00"
    query = f"status=queued,sent&direction=outbound&type=sms&to=%2B1&from=x&line=one&{times}&q=a%20b"
    assert filter_of(make_mocked_request("GET", f"/v1/messages?{query}")) == Filter(
        states=frozenset({State.QUEUED, State.SENT}),
        direction=Direction.OUTBOUND,
        kind=Kind.SMS,
        to="+1",
        sender="x",
        line="one",
        since=1.0,
        until=2.0,
        q="a b",
    )
    assert {param.name for param in PARAMS} == {item.partition("=")[0] for item in query.split("&")}


@pytest.mark.parametrize(
    "query", ["status=", "status=sent,", "direction=x", "type=fax", "since=0", "since=9999-99-99T00:00:00Z", "q=%00", "to=" + "1" * 201]
)
def test_what_no_filter_can_be_is_refused(query: str) -> None:
    with pytest.raises(Refusal) as caught:
        filter_of(make_mocked_request("GET", f"/v1/messages?{query}"))
    assert caught.value.code == "invalid_request"
    assert caught.value.extra["parameter"] == query.partition("=")[0]

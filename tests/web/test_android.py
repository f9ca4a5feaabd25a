"""android-sms-gateway's API against the web door over a real store: sent, looked at, refused."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from mmsproxy.post.job import State
from mmsproxy.web.android import STATES, overall

TO, OTHER = "+16195550123", "+16195550124"
NEW = {"textMessage": {"text": "hello"}, "phoneNumbers": [TO]}
OLD = {"message": "hello", "phoneNumbers": [TO]}
AUTH = aiohttp.encode_basic_auth("user", "mmp_" + "t" * 43)


async def post(api: Any, path: str = "/message", **document: Any) -> tuple[int, Any, Any]:
    answer: tuple[int, Any, Any] = await api.ask("POST", path, token=None, json=document, headers={"Authorization": AUTH})
    return answer


async def look(api: Any, own: str, path: str = "/message") -> tuple[int, Any]:
    status, _, body = await api.ask("GET", f"{path}/{own}", token=None, headers={"Authorization": AUTH})
    return status, body


@pytest.mark.parametrize("path", ["/message", "/messages"])
@pytest.mark.parametrize("document", [NEW, OLD])
async def test_both_addresses_and_both_spellings(api: Any, path: str, document: dict[str, Any]) -> None:
    status, headers, made = await post(api, path, **document)
    assert status == 202
    assert headers["Location"] == f"{path}/{made['id']}"
    assert made == {
        "id": made["id"],
        "deviceId": None,
        "state": "Pending",
        "isHashed": False,
        "isEncrypted": False,
        "recipients": [{"phoneNumber": TO, "state": "Pending", "error": None}],
        "states": {"Pending": "2027-01-15T08:00:00.000Z"},
    }
    assert await look(api, made["id"], path) == (200, made)
    (message,) = (await api.store.page()).messages
    assert (message.text, message.delivery_report, message.job.kind.value) == ("hello", True, "sms")
    assert (await look(api, message.job.id))[1]["recipients"] == made["recipients"]


async def test_a_long_text_goes_as_one_mms(api: Any) -> None:
    assert (await post(api, textMessage={"text": "a" * 827}, phoneNumbers=[TO]))[0] == 202
    (message,) = (await api.store.page()).messages
    assert message.job.kind.value == "mms"


async def test_several_numbers_are_a_message_each_under_one_id(api: Any) -> None:
    _, _, made = await post(api, **{**NEW, "phoneNumbers": [TO, OTHER], "textMessage": {"text": "a" * 500}, "id": "order-17"})
    assert made["id"] == "order-17"
    assert [item["phoneNumber"] for item in made["recipients"]] == [TO, OTHER]
    await api.attempt("sent")
    _, half = await look(api, "order-17")
    assert (half["state"], [item["state"] for item in half["recipients"]]) == ("Pending", ["Sent", "Pending"])
    await api.attempt("refused")
    _, whole = await look(api, "order-17")
    assert (whole["state"], whole["deviceId"]) == ("Sent", "one")
    assert [(item["state"], item["error"]) for item in whole["recipients"]] == [("Sent", None), ("Failed", "no credit")]


async def test_a_known_id_is_refused_and_sends_nothing(api: Any) -> None:
    assert (await post(api, **NEW, id="order-17"))[0] == 202
    for again in ({**NEW}, {**NEW, "textMessage": {"text": "other"}}):
        status, _, body = await post(api, **again, id="order-17")
        assert (status, list(body)) == (409, ["message"])
        assert "order-17" in body["message"]
    assert sum((await api.store.counts()).values()) == 1


async def test_a_known_id_is_told_so_whatever_else_is_wrong_by_now(api: Any) -> None:
    first = {**NEW, "id": "order-17", "validUntil": "2027-01-15T08:10:00Z"}
    assert (await post(api, **first))[0] == 202
    api.clock[0] += 3600
    for again in (first, {**first, "phoneNumbers": ["12ab"]}, {**first, "simNumber": 9}):
        assert (await post(api, **again))[0] == 409


@pytest.mark.parametrize("own", ["a/b?c#d%25", "../x", "a%2Fb", "100%"])
async def test_the_location_of_any_id_leads_to_it(api: Any, own: str) -> None:
    status, headers, made = await post(api, **NEW, id=own)
    assert (status, made["id"]) == (202, own)
    place = URL(api.url + headers["Location"], encoded=True)
    async with api.client.get(place, headers={"Authorization": AUTH}) as response:
        assert (response.status, await response.json()) == (200, made)


async def test_an_id_belongs_to_its_token(api: Any) -> None:
    await post(api, **NEW, id="order-17")
    scopes = ["messages:send", "messages:read"]
    token = (await api.ask("POST", "/v1/tokens", json={"name": "other", "scopes": scopes}))[2]["token"]
    assert (await api.ask("GET", "/message/order-17", token=token))[0] == 404
    assert (await api.ask("POST", "/message", token=token, json={**NEW, "id": "order-17"}))[0] == 202


async def test_all_that_may_be_said(api: Any) -> None:
    later = {"ttl": 600, "scheduleAt": "2027-01-16T00:00:00Z", "priority": 100, "simNumber": 2, "withDeliveryReport": False}
    assert (await post(api, **NEW, **later, isEncrypted=False))[0] == 202
    (message,) = (await api.store.page()).messages
    assert (message.job.state, message.job.valid_for, message.job.line) == (State.SCHEDULED, 600.0, "two")
    assert (message.job.priority.name, message.delivery_report) == ("HIGH", False)


async def test_valid_until_counts_from_when_it_is_due(api: Any) -> None:
    await post(api, **NEW, validUntil="2027-01-15T08:10:00Z", deviceId="one", priority=-1)
    await post(api, **NEW, validUntil="2027-01-16T01:00:00Z", scheduleAt="2027-01-16T00:00:00Z")
    late, soon = (await api.store.page()).messages
    assert (soon.job.valid_for, soon.job.line, soon.job.priority.name) == (600.0, "one", "LOW")
    assert late.job.valid_for == 3600.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"phoneNumbers": ["12ab"]}, "telephone number"),
        ({"phoneNumbers": []}, "at least one"),
        ({"phoneNumbers": [1]}, "phoneNumbers"),
        ({"phoneNumbers": ["12345"]}, "short code"),
        ({"textMessage": None}, "textMessage"),
        ({"textMessage": {"text": ""}}, "empty"),
        ({"message": "both"}, "textMessage"),
        ({"isEncrypted": True}, "isEncrypted"),
        ({"dataMessage": {"data": "aGk=", "port": 5}}, "dataMessage"),
        ({"ttl": 0}, "valid_for"),
        ({"ttl": 5, "validUntil": "2027-01-15T08:10:00Z"}, "ttl"),
        ({"validUntil": "2027-01-15T07:00:00Z"}, "validUntil"),
        ({"validUntil": "soon"}, "validUntil"),
        ({"scheduleAt": "2020-01-01T00:00:00Z"}, "send_at"),
        ({"simNumber": 3}, "simNumber"),
        ({"simNumber": 0}, "simNumber"),
        ({"deviceId": "three"}, "three"),
        ({"priority": 200}, "priority"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
    ],
)
async def test_what_is_wrong_is_told_in_their_form(api: Any, change: dict[str, Any], says: str) -> None:
    status, headers, body = await post(api, **{**NEW, **change})
    assert (status, list(body), headers["Content-Type"]) == (400, ["message"], "application/json")
    assert says in body["message"]
    assert await api.store.counts() == {}


async def test_who_may_and_what_there_is(api: Any) -> None:
    status, headers, body = await api.ask("POST", "/message", token=None, json=NEW)
    assert (status, headers["WWW-Authenticate"], list(body)) == (401, 'Basic realm="mmsproxy"', ["message"])
    assert (await look(api, "order-17"))[0] == 404
    assert (await api.ask("POST", "/message", data=b"{", headers={"Content-Type": "application/json"}))[0] == 400


def test_every_outbound_state_has_a_word() -> None:
    inbound = {State.NOTIFIED, State.RETRIEVING, State.RECEIVED, State.RETRIEVE_FAILED}
    assert set(STATES) == set(State) - inbound


@given(st.lists(st.sampled_from(sorted(set(STATES.values()))), min_size=1))
def test_the_whole_is_never_better_than_its_parts(states: list[str]) -> None:
    whole = overall(states)
    if whole in ("Delivered", "Failed", "Cancelled"):
        assert set(states) == {whole}
    if {"Pending", "Processed"} & set(states):
        assert whole in ("Pending", "Processed")

"""The unmodified twilio SDK, with only its base URL changed, against the web door over a real store; and what no SDK would say."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from mmsproxy.errors import StoreFull
from mmsproxy.post import hooks, office
from mmsproxy.post.records import Event
from mmsproxy.web.twilio import callback_encoder
from mmsproxy.web.twilio_form import id_of

ACCOUNT = "AC" + "1" * 32
TOKEN = "mmp_" + "t" * 43
TO, FROM = "+16195550123", "+15550100000"
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture
async def sdk(api: Any) -> Client:
    """The door makes ids as the gateway does."""
    api.store.database.new_id = office.new_id
    client = Client(ACCOUNT, TOKEN, http_client=TwilioHttpClient(pool_connections=False))
    client.api.base_url = api.url
    return client


async def call(method: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    """The SDK blocks, so it has a thread."""
    return await asyncio.wait_for(asyncio.to_thread(partial(method, *args, **fields)), 20)


async def refused(method: Callable[..., Any], *args: Any, **fields: Any) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        await call(method, *args, **fields)
    return caught.value


async def test_a_long_text_is_one_mms(api: Any, sdk: Client) -> None:
    made = await call(sdk.messages.create, to=TO, from_=FROM, body="a" * 827)
    assert (made.sid[:2], made.status, made.num_segments, made.body) == ("MM", "queued", "1", "a" * 827)
    assert (made.account_sid, made.to, made.from_, made.direction) == (ACCOUNT, TO, FROM, "outbound-api")
    assert made.date_created == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert (made.date_sent, made.error_code, made.price, made.api_version) == (None, None, None, "2010-04-01")
    kept = await api.store.message(id_of(made.sid))
    assert (kept.job.line, kept.text, kept.token) == ("one", "a" * 827, "first")


async def test_a_short_text_is_an_sms_unless_mms_is_asked_for(sdk: Client) -> None:
    assert (await call(sdk.messages.create, to=TO, body="hi")).sid[:2] == "SM"
    assert (await call(sdk.messages.create, to=TO, body="hi", send_as_mms=True)).sid[:2] == "MM"


async def test_several_numbers_are_a_group(api: Any, sdk: Client) -> None:
    made = await call(sdk.messages.create, to=f"{TO},+16195550124", from_="one", body="hi all")
    assert (made.sid[:2], made.to) == ("MM", f"{TO},+16195550124")
    assert (await api.store.message(id_of(made.sid))).is_group


async def test_all_that_an_sdk_may_say(api: Any, sdk: Client) -> None:
    later = datetime(2027, 1, 16, tzinfo=UTC)
    made = await call(
        sdk.messages.create,
        to=TO,
        messaging_service_sid="MG" + "0" * 32,
        body="later",
        status_callback="https://script.example/hook",
        validity_period=600,
        schedule_type="fixed",
        send_at=later,
        max_price="0.1",
        smart_encoded=True,
    )
    assert made.status == "scheduled"
    kept = await api.store.message(id_of(made.sid))
    assert (kept.job.due_at, kept.job.valid_for, kept.job.line) == (later.timestamp(), 600.0, "")
    assert (kept.callback_url, kept.delivery_report) == ("https://script.example/hook", True)
    assert kept.metadata == {"twilio.account_sid": ACCOUNT}


async def test_media_by_url(api: Any, sdk: Client) -> None:
    async def fetch(url: str) -> tuple[str, bytes]:
        assert url == "http://camera.lan/snap.png"
        return "image/png", PIXEL

    api.desk.clerk._fetch = fetch
    made = await call(sdk.messages.create, to=TO, body="look", media_url=["http://camera.lan/snap.png"] * 2)
    assert (made.sid[:2], made.num_media) == ("MM", "2")
    kept = await api.store.message(id_of(made.sid))
    assert [(item.content_type, item.size) for item in kept.media] == [("image/png", len(PIXEL))] * 2


async def test_media_are_off_until_a_host_is_listed(sdk: Client) -> None:
    error = await refused(sdk.messages.create, to=TO, body="look", media_url=["http://camera.lan/snap.png"])
    assert (error.status, error.code) == (400, 21620)
    assert "media.fetch" in error.msg


async def test_fetch_follows_the_message(api: Any, sdk: Client) -> None:
    made = await call(sdk.messages.create, to=TO, body="hi", send_as_mms=True)
    assert (await call(sdk.messages(made.sid).fetch)).status == "queued"
    api.clock[0] += 5
    await api.attempt("sent")
    api.clock[0] += 5
    sent = await call(sdk.messages(made.sid).fetch)
    assert (sent.status, sent.from_, sent.date_sent) == ("sent", FROM, datetime(2027, 1, 15, 8, 0, 5, tzinfo=UTC))


async def test_an_unknown_outcome_is_30008_and_a_definite_one_is_not(api: Any, sdk: Client) -> None:
    for outcome, code in (("unknown", 30008), ("refused", 30004)):
        made = await call(sdk.messages.create, to=TO, body="hi", send_as_mms=True)
        await api.attempt(outcome)
        found = await call(sdk.messages(made.sid).fetch)
        assert (found.status, found.error_code) == ("failed", code)
        assert found.error_message


async def test_cancel(sdk: Client) -> None:
    made = await call(sdk.messages.create, to=TO, body="hi", send_as_mms=True)
    assert (await call(sdk.messages(made.sid).update, status="canceled")).status == "canceled"
    error = await refused(sdk.messages(made.sid).update, status="canceled")
    assert (error.status, error.code) == (409, 30409)
    assert (await refused(sdk.messages(made.sid).update, body="")).status == 400


async def test_list_in_pages_and_by_filters(api: Any, sdk: Client) -> None:
    sids = []
    for n in range(5):
        sids.append((await call(sdk.messages.create, to=f"+1619555010{n}", from_="one" if n % 2 else "two", body=f"m{n}")).sid)
        api.clock[0] += 60
    assert [item.sid for item in await call(sdk.messages.list, page_size=2)] == sids[::-1]
    assert [item.sid for item in await call(sdk.messages.list, limit=3)] == sids[:1:-1]
    assert [item.body for item in await call(sdk.messages.list, to="+16195550103")] == ["m3"]
    assert [item.body for item in await call(sdk.messages.list, from_=FROM, page_size=1)] == ["m3", "m1"]
    assert await call(sdk.messages.list, from_="+19995550199") == []
    day = datetime(2027, 1, 15, tzinfo=UTC)
    assert len(await call(sdk.messages.list, date_sent=day)) == 5
    assert await call(sdk.messages.list, date_sent_after=day + timedelta(days=1)) == []
    assert len(await call(sdk.messages.list, date_sent_before=day + timedelta(hours=8, minutes=2))) == 2


async def test_a_page_larger_than_the_store_gives(sdk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.web.twilio.STORE_PAGE", 2)
    sids = [(await call(sdk.messages.create, to=TO, body=f"m{n}")).sid for n in range(5)]
    page = await call(sdk.messages.page, page_size=5)
    assert [item.sid for item in page] == sids[::-1]
    assert page.next_page_url is None


@pytest.mark.parametrize(
    ("fields", "code", "says"),
    [
        ({"to": "12ab", "body": "x"}, 21211, "telephone number"),
        ({"to": "", "body": "x"}, 21604, "missing"),
        ({"to": TO}, 21619, "nothing to send"),
        ({"to": TO, "body": ""}, 21619, "nothing to send"),
        ({"to": "12345", "body": "x"}, 21408, "short code"),
        ({"to": TO, "from_": "three", "body": "x"}, 21606, "there is no line"),
        ({"to": TO, "from_": "a b", "body": "x"}, 21606, "cannot be a line"),
        ({"to": TO, "body": "x", "status_callback": "ftp://x"}, 21609, "no URL"),
        ({"to": TO, "body": "x", "validity_period": -1}, 20422, "ValidityPeriod"),
        ({"to": TO, "body": "x", "validity_period": 0}, 20422, "valid_for"),
        ({"to": TO, "body": "x", "send_at": "tomorrow"}, 20422, "send_at"),
        ({"to": TO, "body": "x", "send_at": datetime(2020, 1, 1, tzinfo=UTC)}, 20422, "send_at"),
        ({"to": TO, "body": "x", "media_url": ["http://a/b"] * 21}, 21623, "at most 20"),
        ({"to": TO, "body": "x", "media_url": ["file:///etc/passwd"]}, 21620, "no URL"),
    ],
)
async def test_what_is_wrong_raises_their_own_exception(api: Any, sdk: Client, fields: dict[str, Any], code: int, says: str) -> None:
    error = await refused(sdk.messages.create, **fields)
    assert (error.status, error.code) == (400, code), error.msg
    assert says in error.msg
    assert await api.store.counts() == {}


async def test_who_said_stop(api: Any, sdk: Client) -> None:
    await api.store.set_optout(TO)
    assert (await refused(sdk.messages.create, to=TO, body="x")).code == 21610


async def test_no_such_message(sdk: Client) -> None:
    for sid in ("MM" + "0" * 32, "MM1", "x"):
        error = await refused(sdk.messages(sid).fetch)
        assert (error.status, error.code) == (404, 20404)
        assert (await refused(sdk.messages(sid).update, status="canceled")).status == 404


async def test_who_may(api: Any, sdk: Client) -> None:
    wrong = Client(ACCOUNT, "mmp_wrong_token")
    wrong.api.base_url = api.url
    error = await refused(wrong.messages.create, to=TO, body="x")
    assert (error.status, error.code) == (401, 20003)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    status, headers, body = await api.ask("GET", path, token=None)
    assert (status, body["code"], headers["WWW-Authenticate"]) == (401, 20003, 'Basic realm="mmsproxy"')
    made = (await api.ask("POST", "/v1/tokens", json={"name": "reader", "scopes": ["messages:read"]}))[2]
    reader = Client(ACCOUNT, made["token"])
    reader.api.base_url = api.url
    assert await call(reader.messages.list) == []
    assert (await refused(reader.messages.create, to=TO, body="x")).status == 403


async def test_a_full_disk_is_theirs_to_retry(api: Any, sdk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*args: Any, **more: Any) -> Any:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(api.desk.clerk, "submit", full)
    error = await refused(sdk.messages.create, to=TO, body="x")
    assert (error.status, error.code) == (507, 20503)


@pytest.mark.parametrize("body", [b"To=%ff%fe&Body=x", b"\xff", b"novalue", b"&".join(b"a%d=1" % n for n in range(300)), b"To=+1&Body=%00"])
async def test_forms_that_are_none(api: Any, body: bytes) -> None:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    status, _, document = await api.ask("POST", path, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (status, document["status"]) == (400, 400)
    assert document["more_info"] == f"https://www.twilio.com/docs/errors/{document['code']}"


@pytest.mark.parametrize(
    "query",
    [
        "PageToken=PAzz",
        f"PageToken=PAc{'f' * 16}",
        "PageToken=PAc_f",
        "PageSize=x",
        "Page=-1",
        "DateSent=soon",
        "DateSent%3C=0000-00-00",
        "To=%00",
        "From=%2B1%0a",
        "Else%00=1",
    ],
)
async def test_pages_that_are_none(api: Any, query: str) -> None:
    status, _, document = await api.ask("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?{query}")
    assert (status, document["code"]) == (400, 20422), document


@pytest.mark.parametrize("query", ["DateSent=9999-12-31", "DateSent=0001-01-01", "DateSent%3E=9999-12-31", "DateSent%3C=0001-01-01"])
async def test_the_first_and_the_last_day_of_the_calendar(api: Any, query: str) -> None:
    await api.send()
    status, _, document = await api.ask("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?{query}")
    assert (status, document["messages"]) == (200, []), document


async def test_other_bodies_are_not_taken(api: Any) -> None:
    status, _, document = await api.ask("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", json={"To": TO})
    assert (status, document["code"]) == (415, 20422)


# Status callbacks.


def delivery(event: Event, secrets: tuple[str, ...] = ("whsec_one", "whsec_old")) -> hooks.Delivery:
    return hooks.Delivery(1, "callbacks", event, "https://script.example/hook?a=1", secrets, "waiting", 0, 0.0, None, "", 0.0, 1)


async def test_a_callback_is_a_signed_form(api: Any, sdk: Client) -> None:
    made = await call(sdk.messages.create, to=TO, from_=FROM, body="hi", status_callback="https://script.example/hook", send_as_mms=True)
    await api.attempt("unknown")
    encode, events = callback_encoder(api.store), await api.store.events_of(id_of(made.sid))
    told = []
    for event in events:
        encoded = await encode(delivery(event))
        assert encoded is not None
        body, headers = encoded
        fields = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True, keep_blank_values=True).items()}
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert headers["I-Twilio-Idempotency-Token"] == event.id
        signature = headers["X-Twilio-Signature"]
        assert RequestValidator("whsec_one").validate("https://script.example/hook?a=1", fields, signature)
        assert (fields["MessageSid"], fields["To"], fields["From"], fields["AccountSid"]) == (made.sid, TO, FROM, ACCOUNT)
        told.append((fields["MessageStatus"], fields.get("ErrorCode")))
    assert told == [("queued", None), ("sending", None), ("failed", "30008")]


async def test_messages_of_other_doors_have_callbacks_of_their_own_form(api: Any) -> None:
    api.store.database.new_id = office.new_id
    made = await api.send(callback_url="https://script.example/hook")
    encode = callback_encoder(api.store)
    (event, *_) = await api.store.events_of(made["id"])
    assert await encode(delivery(event)) is None
    gone = Event(1, "evt_1", "message.sent", 0.0, "msg_gone", None, {})
    assert await encode(delivery(gone)) is None
    paused = Event(1, "evt_1", "line.paused", 0.0, None, "one", {})
    assert await encode(delivery(paused)) is None

"""Messages by the API, over real sockets and a real store: sent, waited for, looked at, decided on; keys, forms, files."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from mmsproxy.errors import StoreFull, StoreUnavailable
from mmsproxy.post.job import State
from mmsproxy.web.problems import PROBLEMS
from mmsproxy.web.shapes import BatchOut, MessageOut, PageOut, PreviewOut, TimelineOut

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300") + bytes(64) + bytes.fromhex("ffd9")


def refused(answer: tuple[int, Any, Any], code: str) -> Any:
    status, headers, document = answer
    assert (status, document["code"]) == (PROBLEMS[code].status, code), document
    assert headers["Content-Type"] == "application/problem+json"
    assert document["request_id"] == headers["X-Request-Id"]
    return document


async def test_a_message_is_kept_and_told(api: Any) -> None:
    status, headers, message = await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "a" * 827, "tag": "t"})
    assert (status, headers["Location"]) == (202, f"/v1/messages/{message['id']}")
    MessageOut.model_validate(message)
    assert (message["status"], message["type"], message["text_chars"], message["sms_parts_saved"]) == ("queued", "mms", 827, 6)
    assert (message["queue_position"], message["attempts"], message["carrier"], message["error"]) == (1, 0, None, None)
    assert message["created_at"] == "2027-01-15T08:00:00.000Z"
    assert message["estimated_send_at"] == "2027-01-15T08:00:00.000Z"
    assert message["size"] > 827
    assert message["tag"] == "t"
    assert (await api.store.message(message["id"])).token == "first"
    assert (await api.ask("GET", headers["Location"]))[2] == message


async def test_the_second_in_the_queue_knows_its_place(api: Any) -> None:
    await api.send()
    second = await api.send()
    assert (second["queue_position"], second["estimated_send_at"]) == (2, "2027-01-15T08:00:10.000Z")
    await api.store.pause(reason="night")
    assert (await api.ask("GET", f"/v1/messages/{second['id']}"))[2]["estimated_send_at"] is None


async def test_several_numbers_are_a_batch_or_a_group(api: Any) -> None:
    numbers = ["+16195550123", "+16195550124"]
    batch = await api.send(to=numbers, subject="s")
    BatchOut.model_validate(batch)
    assert [message["to"][0]["number"] for message in batch["data"]] == numbers
    assert {message["batch_id"] for message in batch["data"]} == {batch["batch_id"]}
    group = await api.send(to=numbers, group=True)
    assert [person["number"] for person in group["to"]] == numbers
    assert group["group"] is True


async def test_waiting_ends_as_soon_as_it_is_sent(api: Any) -> None:
    waiting = asyncio.create_task(api.ask("POST", "/v1/messages?wait=60", json={"to": "+16195550123", "text": "hi", "as": "mms"}))
    while not (await api.store.counts()).get("queued"):
        await asyncio.sleep(0.005)
    await api.attempt("sent")
    status, _, message = await asyncio.wait_for(waiting, 20)
    assert (status, message["status"]) == (200, "sent")
    MessageOut.model_validate(message)
    assert message["carrier"] == {"message_id": "m-1", "response_status": 128, "response_status_name": "Ok", "response_text": None}
    assert message["timings"] == {"connect": 0.5, "total": 1.0}
    assert message["to"] == [{"number": "+16195550123", "status": "sent"}]


@pytest.mark.parametrize("outcome", ["refused", "unknown", "partial"])
async def test_waiting_ends_with_any_end(api: Any, outcome: str) -> None:
    waiting = asyncio.create_task(api.ask("POST", "/v1/messages?wait=60", json={"to": "+16195550123", "text": "hi", "as": "mms"}))
    while not (await api.store.counts()).get("queued"):
        await asyncio.sleep(0.005)
    await api.attempt(outcome)
    status, _, message = await asyncio.wait_for(waiting, 20)
    assert (status, message["status"]) == (200, "failed" if outcome == "refused" else outcome)
    MessageOut.model_validate(message)
    assert message["error"]["code"]
    assert message["to"][0]["status"] == ("unknown" if outcome == "partial" else message["status"])


async def test_waiting_for_nothing_is_202(api: Any) -> None:
    status, _, message = await api.ask("POST", "/v1/messages?wait=1", json={"to": "+16195550123", "text": "hi"})
    assert (status, message["status"]) == (202, "queued")


async def test_a_door_that_closes_answers_who_waits(api: Any) -> None:
    waiting = asyncio.create_task(api.ask("POST", "/v1/messages?wait=60", json={"to": "+16195550123", "text": "hi"}))
    while not (await api.store.counts()).get("queued"):
        await asyncio.sleep(0.005)
    await api.door.stop()
    assert (await asyncio.wait_for(waiting, 20))[0] == 202


@pytest.mark.parametrize("query", ["", "?wait=60"])
@pytest.mark.parametrize("to", [["+16195550123"], ["+16195550123", "+16195550124"]])
async def test_what_was_accepted_is_told_so_though_the_store_fails_then(
    api: Any, monkeypatch: pytest.MonkeyPatch, query: str, to: list[str]
) -> None:
    submit = api.desk.clerk.submit

    async def away(*args: Any, **more: Any) -> Any:
        raise StoreUnavailable("the database is away")

    async def last(*args: Any, **more: Any) -> Any:
        accepted = await submit(*args, **more)
        for name in ("read", "message", "wait_for", "attempts", "pdu", "store_answer"):
            monkeypatch.setattr(type(api.store), name, away)
        return accepted

    monkeypatch.setattr(api.desk.clerk, "submit", last)
    body, key = {"to": to, "text": "hi"}, {"Idempotency-Key": "k1"}
    status, headers, told = await api.ask("POST", f"/v1/messages{query}", json=body, headers=key)
    monkeypatch.undo()
    assert status == 202
    for message in told.get("data", [told]):
        MessageOut.model_validate(message)
        assert message["status"] == (await api.ask("GET", f"/v1/messages/{message['id']}"))[2]["status"] == "queued"
    assert headers.get("Location") == (None if len(to) > 1 else f"/v1/messages/{told['id']}")
    assert (await api.ask("POST", "/v1/messages", json=body, headers=key))[1]["Idempotency-Replayed"] == "true"


async def test_a_clock_that_is_set_shortens_no_wait(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    async def wait_for(store: Any, message_id: str, is_enough: Any, timeout: float) -> Any:
        waited.append(timeout)
        api.clock[0] += 3600
        return await store.message(message_id)

    monkeypatch.setattr(type(api.store), "wait_for", wait_for)
    await api.send("/v1/messages?wait=60", to=["+16195550123", "+16195550124"], text="hi")
    assert len(waited) == 2
    assert min(waited) > 0


# Idempotency-Key.


async def test_the_same_key_and_body_bring_the_first_answer(api: Any) -> None:
    body, key = {"to": "+16195550123", "text": "once"}, {"Idempotency-Key": "k1"}
    first = await api.ask("POST", "/v1/messages", json=body, headers=key)
    assert "Idempotency-Replayed" not in first[1]
    await api.attempt("sent") if first[2]["type"] == "mms" else None
    again = await api.ask("POST", "/v1/messages", json=body, headers=key)
    assert (again[0], again[2], again[1]["Idempotency-Replayed"]) == (202, first[2], "true")
    assert sum((await api.store.counts()).values()) == 1
    other = await api.ask("POST", "/v1/messages", json={**body, "text": "twice"}, headers=key)
    refused(other, "idempotency_conflict")
    new = await api.ask("POST", "/v1/messages", json=body, headers={"Idempotency-Key": "k2"})
    assert new[2]["id"] != first[2]["id"]


async def test_a_key_whose_first_request_runs_is_told_so(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, entered, submit = asyncio.Event(), asyncio.Event(), api.desk.clerk.submit

    async def slow(*args: Any, **more: Any) -> Any:
        entered.set()
        await gate.wait()
        return await submit(*args, **more)

    monkeypatch.setattr(api.desk.clerk, "submit", slow)
    body, key = {"to": "+16195550123", "text": "once"}, {"Idempotency-Key": "k1"}
    first = asyncio.create_task(api.ask("POST", "/v1/messages", json=body, headers=key))
    await asyncio.wait_for(entered.wait(), 20)
    second = await api.ask("POST", "/v1/messages", json=body, headers=key)
    refused(second, "idempotency_running")
    assert second[1]["Retry-After"] == "1"
    gate.set()
    assert (await asyncio.wait_for(first, 20))[0] == 202
    assert (await api.ask("POST", "/v1/messages", json=body, headers=key))[1]["Idempotency-Replayed"] == "true"


async def test_a_key_whose_first_request_waits_for_the_outcome_runs_still(api: Any) -> None:
    body, key = {"to": "+16195550123", "text": "once", "as": "mms"}, {"Idempotency-Key": "k1"}
    first = asyncio.create_task(api.ask("POST", "/v1/messages?wait=60", json=body, headers=key))
    while not (await api.store.counts()).get("queued"):
        await asyncio.sleep(0.005)
    refused(await api.ask("POST", "/v1/messages?wait=60", json=body, headers=key), "idempotency_running")
    await api.attempt("sent")
    status, headers, message = await asyncio.wait_for(first, 20)
    again = await api.ask("POST", "/v1/messages?wait=60", json=body, headers=key)
    assert (again[0], again[2], again[1]["Location"]) == (status, message, headers["Location"]) == (200, message, headers["Location"])


@pytest.mark.parametrize("key", ["", "k" * 256, "k\u00fc"])
async def test_a_key_that_is_none_is_refused(api: Any, key: str) -> None:
    refused(
        await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "x"}, headers={"Idempotency-Key": key}), "invalid_request"
    )


async def test_a_refused_request_may_be_repeated_with_its_key(api: Any) -> None:
    key = {"Idempotency-Key": "k1"}
    refused(await api.ask("POST", "/v1/messages", json={"to": "123", "text": "x"}, headers=key), "denied_number")
    assert (await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "x"}, headers=key))[0] == 202


# Forms and files.


def form(document: str, *files: tuple[str, bytes, str]) -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("message", document, content_type="application/json")
    for name, data, content_type in files:
        made.add_field("file", data, filename=name, content_type=content_type)
    return made


async def test_a_form_brings_files(api: Any) -> None:
    wanted = form('{"to": "+16195550123", "text": "look"}', ("../../cat.jpg", JPEG, "image/jpeg"))
    status, _, message = await api.ask("POST", "/v1/messages", data=wanted)
    assert (status, message["type"], message["text"]) == (202, "mms", "look"), message
    ((item),) = message["media"]
    assert (item["n"], item["content_type"], item["size"]) == (0, "image/jpeg", len(JPEG))
    assert "/" not in (item["filename"] or "")
    status, headers, data = await api.ask("GET", f"/v1/messages/{message['id']}/media/0")
    assert (status, data, headers["Content-Type"]) == (200, JPEG, "image/jpeg")
    assert headers["Content-Disposition"] == f'attachment; filename="{message["id"]}-0.jpg"'
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_the_same_form_with_another_boundary_is_the_same_request(api: Any) -> None:
    document, key = '{"to": "+16195550123", "text": "look"}', {"Idempotency-Key": "k1"}
    first = await api.ask("POST", "/v1/messages", data=form(document, ("a.jpg", JPEG, "image/jpeg")), headers=key)
    again = await api.ask("POST", "/v1/messages", data=form(document, ("a.jpg", JPEG, "image/jpeg")), headers=key)
    assert (again[1]["Idempotency-Replayed"], again[2]) == ("true", first[2])
    other = await api.ask("POST", "/v1/messages", data=form(document, ("a.jpg", JPEG + b"x", "image/jpeg")), headers=key)
    refused(other, "idempotency_conflict")


async def test_mistakes_in_a_form_are_told_by_their_place(api: Any) -> None:
    problem = refused(await api.ask("POST", "/v1/messages", data=form('{"to": 1, "txt": "x"}')), "invalid_request")
    assert {item["pointer"] for item in problem["errors"]} >= {"/to", "/txt"}
    no_json = aiohttp.FormData({"other": "x"})
    no_json.add_field("file", b"x", filename="x")
    refused(await api.ask("POST", "/v1/messages", data=no_json), "invalid_request")


async def test_a_page_disguised_as_a_picture_is_refused(api: Any) -> None:
    wanted = form('{"to": "+16195550123"}', ("cat.jpg", b"<html><script>alert(1)</script></html>", "image/jpeg"))
    problem = refused(await api.ask("POST", "/v1/messages", data=wanted), "unsupported_media")
    assert problem["errors"][0]["pointer"] == "/media/0"
    assert sum((await api.store.counts()).values()) == 0


async def test_a_part_of_a_pdu_is_a_file_too_and_never_a_page(api: Any) -> None:
    message = await api.send(subject="s")
    await api.attempt("sent")
    status, headers, data = await api.ask("GET", f"/v1/messages/{message['id']}/media/0")
    assert (status, data, headers["Content-Type"]) == (200, b"hello", "text/plain")
    for wrong in ("1", "-1", "x", "99999999999999999999"):
        refused(await api.ask("GET", f"/v1/messages/{message['id']}/media/{wrong}"), "not_found")


# Looking.


async def test_the_pdu_raw_decoded_and_the_answer(api: Any) -> None:
    message = await api.send(subject="s")
    path = f"/v1/messages/{message['id']}/pdu"
    refused(await api.ask("GET", path), "not_found")
    await api.attempt("sent")
    status, headers, raw = await api.ask("GET", path)
    assert (status, raw[:2], headers["Content-Type"]) == (200, b"\x8c\x80", "application/vnd.wap.mms-message")
    assert headers["Content-Disposition"].startswith("attachment")
    assert (await api.ask("GET", f"{path}?as=json"))[2]["type"] == "m-send-req"
    assert (await api.ask("GET", f"{path}?as=json&role=answer"))[2]["type"] == "m-send-conf"
    refused(await api.ask("GET", f"{path}?as=xml"), "invalid_request")
    MessageOut.model_validate((await api.ask("GET", f"/v1/messages/{message['id']}"))[2])


async def test_what_is_kept_of_an_sms_is_no_mms_pdu(api: Any) -> None:
    message = await api.send()
    await api.begin(pdu=b"0011000B916191550521F30000FF05E8329BFD06\n")
    path = f"/v1/messages/{message['id']}/pdu"
    status, headers, _ = await api.ask("GET", path)
    assert (status, headers["Content-Type"]) == (200, "text/plain")
    assert headers["Content-Disposition"] == f'attachment; filename="{message["id"]}-request.txt"'
    refused(await api.ask("GET", f"{path}?as=json"), "not_found")


async def test_the_timeline_has_events_and_attempts(api: Any) -> None:
    message = await api.send(subject="s")
    await api.attempt("unknown")
    status, _, timeline = await api.ask("GET", f"/v1/messages/{message['id']}/events")
    TimelineOut.model_validate(timeline)
    assert status == 200
    assert [item["type"] for item in timeline["data"]] == ["message.queued", "message.sending", "message.unknown"]
    ((attempt),) = timeline["attempts"]
    assert (attempt["phase"], attempt["outcome"], attempt["code"]) == ("last_byte", "unknown", "answer_timeout")


async def test_pages_and_filters(api: Any) -> None:
    ids = []
    for n in range(5):
        api.clock[0] += 1
        ids.append((await api.send(text=f"number {n}", to=f"+1619555010{n}"))["id"])
    status, _, page = await api.ask("GET", "/v1/messages?limit=2")
    PageOut.model_validate(page)
    assert (status, [item["id"] for item in page["data"]]) == (200, ids[:2:-1])
    _, _, rest = await api.ask("GET", f"/v1/messages?limit=200&cursor={page['next_cursor']}")
    assert ([item["id"] for item in rest["data"]], rest["next_cursor"]) == (ids[2::-1], None)

    async def found(query: str) -> list[str]:
        return [item["id"] for item in (await api.ask("GET", f"/v1/messages?{query}"))[2]["data"]]

    await api.store.cancel(ids[0])
    assert await found("status=canceled") == [ids[0]]
    assert await found("status=canceled,queued&q=NUMBER%201") == [ids[1]]
    assert await found("to=%2B16195550102") == [ids[2]]
    assert await found("direction=inbound") == []
    assert await found("type=mms") == []
    assert await found("since=2027-01-15T08:00:04Z") == [ids[4], ids[3]]
    assert await found("until=2027-01-15T09:00:02%2B01:00") == [ids[0]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=zz",
        "cursor=c" + "f" * 16,
        "cursor=c-1",
        "cursor=c_1",
        "cursor=%00",
        "status=gone",
        "since=yesterday",
        "since=2027-01-15",
        "direction=up",
        "stats=queued",
        "limit=1&limit=2",
    ],
)
async def test_a_wrong_filter_is_refused(api: Any, query: str) -> None:
    refused(await api.ask("GET", f"/v1/messages?{query}"), "invalid_request")


async def test_what_is_not_there_is_not_found(api: Any) -> None:
    for method, path in (("GET", ""), ("GET", "/events"), ("GET", "/pdu"), ("GET", "/media/0"), ("POST", "/cancel"), ("POST", "/retry")):
        refused(await api.ask(method, f"/v1/messages/msg_none{path}"), "not_found")


# Deciding.


async def test_cancel_what_waits_and_nothing_else(api: Any) -> None:
    message = await api.send()
    status, _, canceled = await api.ask("POST", f"/v1/messages/{message['id']}/cancel")
    assert (status, canceled["status"], canceled["queue_position"]) == (200, "canceled", None)
    refused(await api.ask("POST", f"/v1/messages/{message['id']}/cancel"), "not_cancelable")


async def test_scheduled_and_canceled(api: Any) -> None:
    message = await api.send(send_at="2027-01-15T09:30:00+01:00")
    assert (message["status"], message["send_at"]) == ("scheduled", "2027-01-15T08:30:00.000Z")
    assert (await api.ask("POST", f"/v1/messages/{message['id']}/cancel"))[2]["status"] == "canceled"
    refused(
        await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "x", "send_at": "2026-01-01T00:00:00Z"}),
        "expired_schedule",
    )


async def test_a_failed_message_is_sent_again_when_asked(api: Any) -> None:
    message = await api.send(subject="s")
    refused(await api.ask("POST", f"/v1/messages/{message['id']}/retry"), "not_retryable")
    await api.attempt("refused", response_status=0xE2)
    status, _, again = await api.ask("POST", f"/v1/messages/{message['id']}/retry")
    assert (status, again["status"], again["error"]) == (200, "queued", None)


async def test_an_unknown_message_needs_a_word_to_be_sent_again(api: Any) -> None:
    message = await api.send(subject="s")
    await api.attempt("unknown")
    path = f"/v1/messages/{message['id']}/retry"
    refused(await api.ask("POST", path), "duplicate_risk")
    refused(await api.ask("POST", path, json={"accept_duplicate_risk": False}), "duplicate_risk")
    refused(await api.ask("POST", path, json={"accept_duplicate_risk": "yes"}), "invalid_request")
    assert (await api.ask("POST", path, json={"accept_duplicate_risk": True}))[2]["status"] == "queued"


@pytest.mark.parametrize("word", ["sent", "failed"])
async def test_a_person_says_what_became_of_it(api: Any, word: str) -> None:
    message = await api.send(subject="s")
    path = f"/v1/messages/{message['id']}/resolve"
    refused(await api.ask("POST", path, json={"as": word}), "not_allowed")
    await api.attempt("unknown")
    refused(await api.ask("POST", path, json={"as": "read"}), "invalid_request")
    refused(await api.ask("POST", path, json={}), "invalid_request")
    status, _, resolved = await api.ask("POST", path, json={"as": word})
    assert (status, resolved["status"], resolved["settled_by"]) == (200, word, "person")


# Preview, and what is refused.


async def test_a_preview_keeps_nothing(api: Any) -> None:
    status, _, plan = await api.ask("POST", "/v1/preview", json={"to": "+16195550123", "text": "a" * 827})
    PreviewOut.model_validate(plan)
    assert (status, plan["type"], plan["sms_parts"], plan["units"]) == (200, "mms", 6, 1)
    assert plan["smil"].startswith("<smil>")
    assert plan["pdu"]["type"] == "m-send-req"
    assert plan["parts"][0]["content_type"] == "application/smil"
    _, _, short = await api.ask("POST", "/v1/preview", json={"to": ["+16195550123", "+16195550124"], "text": "hi"})
    PreviewOut.model_validate(short)
    assert (short["type"], short["messages"], short["units"], short["pdu"], short["size"]) == ("sms", 2, 2, None, None)
    assert sum((await api.store.counts()).values()) == 0


REFUSED = [
    ({}, "invalid_request", "/to"),
    ({"to": "+16195550123", "text": "x", "txt": "x"}, "invalid_request", "/txt"),
    ({"to": [], "text": "x"}, "invalid_request", "/to"),
    ({"to": ["+16195550123"] * 101, "text": "x"}, "too_many_recipients", "/to"),
    ({"to": "+1619555\r\n0123", "text": "x"}, "invalid_number", "/to"),
    ({"to": "12345", "text": "x"}, "denied_number", "/to"),
    ({"to": "+16195550123", "text": "x", "line": "three"}, "no_line", "/line"),
    ({"to": "+16195550123", "media": [{"data": "no base64!"}]}, "invalid_request", "/media/0/data"),
    ({"to": "+16195550123", "media": [{"url": "http://camera.lan/snap.jpg"}]}, "media_fetch_failed", "/media/0/url"),
    ({"to": "+16195550123", "text": "x" * 30_000, "line": "two"}, "too_large", "/text"),
]


@pytest.mark.parametrize(("document", "code", "pointer"), REFUSED, ids=[f"{code}-{n}" for n, (_, code, _) in enumerate(REFUSED)])
async def test_what_is_refused_and_where(api: Any, document: dict[str, Any], code: str, pointer: str) -> None:
    problem = refused(await api.ask("POST", "/v1/messages", json=document), code)
    assert any(item["pointer"].startswith(pointer) for item in problem["errors"]), problem
    assert sum((await api.store.counts()).values()) == 0


async def test_who_said_stop_is_not_written_to(api: Any) -> None:
    await api.store.set_optout("+16195550123")
    refused(await api.ask("POST", "/v1/messages", json={"to": "+16195550123", "text": "x"}), "opted_out")


async def test_a_full_disk_and_a_database_that_is_away(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise StoreFull("the disk is full")

    def away() -> None:
        raise StoreUnavailable("the database is away")

    body = {"to": "+16195550123", "text": "x"}
    monkeypatch.setattr(api.store, "check_intake", full)
    refused(await api.ask("POST", "/v1/messages", json=body), "insufficient_storage")
    monkeypatch.setattr(api.store, "check_intake", away)
    answer = await api.ask("POST", "/v1/messages", json=body)
    refused(answer, "unavailable")
    assert answer[1]["Retry-After"] == "5"
    assert State.QUEUED not in await api.store.counts()


async def test_while_it_is_being_sent_it_tells_how_much_is_on_the_line(api: Any) -> None:
    made = await api.send(subject="s", line="one")
    assert made["progress"] is None
    api.desk.fleet.by_name("one").progress = (300, 900)
    await api.begin("one")
    sending = (await api.ask("GET", f"/v1/messages/{made['id']}"))[2]
    MessageOut.model_validate(sending)
    assert (sending["status"], sending["progress"]) == ("sending", {"offered": 300, "total": 900})
    other = await api.send(subject="s", line="one")
    assert other["progress"] is None

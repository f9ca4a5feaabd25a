"""The JSON door over real sockets: a scripted line behind it, a plain client before it."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.carrier.attempt import Answer, Attempt, Outcome, Timings
from mmsproxy.carrier.fleet import Fleet
from mmsproxy.config import LineConfig
from mmsproxy.errors import HeaderError, ListenError
from mmsproxy.link import LinkState, LinkStatus, Phase
from mmsproxy.message.model import SendRequest
from mmsproxy.web import api as api_module
from mmsproxy.web.api import make_api_app, start_api
from mmsproxy.web.guard import Door, Limits
from mmsproxy.web.problems import PROBLEMS
from mmsproxy.wire import mms_pdu

TOKEN = "mmp_" + "t" * 43
GOOD = {"to": "+16195550123", "text": "hello"}
CONF_OK = b"\x8c\x81\x98T\x00\x8d\x92\x92\x80\x8bid-1@mmsc\x00"
CONF_E0 = b"\x8c\x81\x98T\x00\x8d\x92\x92\xe0\x93no credit\x00"
CONF_C4 = b"\x8c\x81\x98T\x00\x8d\x92\x92\xc4"


def attempt(outcome: Outcome = Outcome.SENT, conf: bytes | None = CONF_OK, **more: Any) -> Attempt:
    decoded = mms_pdu.decode(conf) if conf is not None else None
    assert decoded is None or isinstance(decoded, mms_pdu.SendConf)
    answer = Answer(200, (("Content-Type", "application/vnd.wap.mms-message"),), conf) if conf is not None else None
    base = Attempt(
        outcome=outcome,
        phase=Phase.ANSWER_WHOLE,
        code="",
        detail="the MMSC said Ok",
        timings=Timings(waiting=0.1, bearer=0.2, connect=0.3, sending=0.4, answering=0.5, total=1.50049),
        bytes_offered=10,
        bytes_total=10,
        answer=answer,
        conf=decoded,
    )
    return replace(base, **more)


UP = LinkState(LinkStatus.BEARER_UP, modem="SIM7600E", dialect="sim7600", operator="Test", signal_dbm=-71)


@dataclass
class ScriptedLine:
    """Answers each post with what the test says; keeps what it was given."""

    settings: LineConfig
    result: Attempt | Callable[[], Any] = field(default_factory=attempt)
    state: LinkState = UP
    posted: list[tuple[bytes, str | None]] = field(default_factory=list)
    queue_length: int = 2

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def max_size(self) -> int | None:
        return self.settings.carrier.max_size

    def estimate_wait(self) -> float:
        return 3.14159

    async def post(self, pdu: bytes, *, transaction_id: str | None = None) -> Attempt:
        self.posted.append((pdu, transaction_id))
        if isinstance(self.result, Attempt):
            return self.result
        outcome = await self.result()
        assert isinstance(outcome, Attempt)
        return outcome


def line_config(name: str, **more: Any) -> LineConfig:
    return LineConfig.model_validate({"name": name, **more})


@dataclass
class World:
    """The door, its lines and a client."""

    door: Door
    lines: list[ScriptedLine]
    client: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.door.port}"

    @property
    def line(self) -> ScriptedLine:
        return self.lines[0]

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Mapping[str, str], Any]:
        headers = {"Authorization": f"Bearer {TOKEN}", **more.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        async with self.client.request(method, self.url + path, headers=headers, **more) as response:
            body = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, response.headers, json.loads(body) if is_json else body

    async def send(self, document: Any = None, **changes: Any) -> tuple[int, Mapping[str, str], Any]:
        body = io.BytesIO(json.dumps({**GOOD, **changes} if document is None else document).encode())
        return await self.ask("POST", "/v1/messages", data=body, headers={"Content-Type": "application/json"})

    async def raw(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
async def world() -> AsyncIterator[World]:
    lines = [ScriptedLine(line_config("one", number="+15550100000")), ScriptedLine(line_config("two", carrier={"max_size": 2048}))]
    limits = replace(api_module.LIMITS, body=1.0, linger=0.2)
    door = await start_api(Fleet(lines), "127.0.0.1", 0, token=TOKEN, hosts=("Gateway.Example",), limits=limits)  # type: ignore[arg-type]
    async with aiohttp.ClientSession() as client:
        yield World(door, lines, client)
    await door.stop()


def assert_problem(answer: tuple[int, Mapping[str, str], Any], code: str) -> dict[str, Any]:
    status, headers, document = answer
    problem = PROBLEMS[code]
    assert headers["Content-Type"] == "application/problem+json"
    assert (status, document["status"], document["code"], document["title"]) == (problem.status, problem.status, code, problem.title)
    assert document["type"] == problem.type
    assert document["request_id"] == headers["X-Request-Id"]
    assert document["detail"]
    return document  # type: ignore[no-any-return]


async def test_a_text_is_sent_as_one_mms(world: World) -> None:
    status, headers, message = await world.send()
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    ((pdu, transaction_id),) = world.line.posted
    sent = mms_pdu.decode(pdu)
    assert isinstance(sent, mms_pdu.SendReq)
    assert sent.transaction_id == transaction_id
    assert message["id"] == f"msg_{transaction_id}"
    assert sent.parts[1].data == b"hello"
    moment = datetime.fromisoformat(message.pop("created_at"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    message.pop("id")
    sizes = [len(part.data) for part in sent.parts]
    assert message == {
        "direction": "outbound",
        "type": "mms",
        "status": "sent",
        "to": [{"number": "+16195550123", "status": "sent"}],
        "line": "one",
        "text_chars": 5,
        "sms_parts_saved": 1,
        "sms_encoding": "gsm7",
        "size": len(pdu),
        "size_limit": None,
        "parts": [
            {"n": 0, "content_type": "application/smil", "size": sizes[0]},
            {"n": 1, "content_type": "text/plain", "size": 5},
        ],
        "attempts": 1,
        "carrier": {"message_id": "id-1@mmsc", "response_status": 128, "response_status_name": "Ok", "response_text": None},
        "error": None,
        "timings": {"waiting": 0.1, "bearer": 0.2, "connect": 0.3, "sending": 0.4, "answering": 0.5, "total": 1.5},
        "simulated": True,
        "warnings": [],
    }


async def test_827_characters_are_one_mms_instead_of_six_sms(world: World) -> None:
    status, _, message = await world.send(text="a" * 827)
    assert (status, message["text_chars"], message["sms_parts_saved"], len(world.line.posted)) == (200, 827, 6, 1)


async def test_a_megabyte_of_text_is_one_mms(world: World) -> None:
    status, _, message = await world.send(text="\u00fc " * 300_000)
    assert (status, len(world.line.posted), [item["code"] for item in message["warnings"]]) == (200, 1, ["very_long_text"])
    assert message["size"] == len(world.line.posted[0][0]) > 900_000


async def test_several_numbers_are_one_group_mms(world: World) -> None:
    numbers = ["+16195550123", "+16195550124", "+16195550123"]
    status, _, message = await world.send(to=numbers, group=True)
    assert status == 200
    assert [item["number"] for item in message["to"]] == numbers[:2]
    assert [item["code"] for item in message["warnings"]] == ["repeated_recipient"]
    sent = mms_pdu.decode(world.line.posted[0][0])
    assert isinstance(sent, mms_pdu.SendReq)
    assert [address.value for address in sent.to] == numbers[:2]


async def test_each_message_has_its_own_id(world: World) -> None:
    answers = [await world.send() for _ in range(5)]
    ids = [message["id"] for _, _, message in answers]
    assert len(set(ids)) == 5
    assert len({headers["X-Request-Id"] for _, headers, _ in answers}) == 5
    assert all(re.fullmatch(r"msg_[0-9A-Z]{26}", item) for item in ids)


@pytest.mark.parametrize(("wanted", "used"), [(None, 0), ("one", 0), ("+15550100000", 0), ("two", 1)])
async def test_the_line_is_chosen_by_name_or_number(world: World, wanted: str | None, used: int) -> None:
    status, _, message = await world.send(line=wanted)
    assert (status, message["line"]) == (200, world.lines[used].name)
    assert [len(line.posted) for line in world.lines] == [1 - used, used]


OUTCOMES = [
    (attempt(), 200, "sent", None),
    (attempt(Outcome.PARTIAL, CONF_C4, code="partial"), 409, "partial", None),
    (attempt(Outcome.REFUSED, CONF_E0, code="mmsc_error"), 422, "failed", None),
    (attempt(Outcome.REFUSED, b"\x8c\x81\x98T\x00\x8d\x92\x92\xc0", code="mmsc_error", retryable=True), 503, "failed", "30"),
    (attempt(Outcome.REFUSED, None, code="mmsc_http", answer=Answer(404, (), b"")), 422, "failed", None),
    (attempt(Outcome.NOT_SENT, None, code="pdp_failed", phase=Phase.NO_BEARER, retryable=True), 503, "failed", "30"),
    (attempt(Outcome.NOT_SENT, None, code="sim", phase=Phase.NO_BEARER), 503, "failed", None),
    (attempt(Outcome.NOT_SENT, None, code="mmsc_http", phase=Phase.OPEN, answer=Answer(413, (), b"")), 422, "failed", None),
    (attempt(Outcome.UNKNOWN, None, code="answer_timeout", phase=Phase.LAST_BYTE), 409, "unknown", None),
    (attempt(Outcome.UNKNOWN, CONF_OK, code="tid_mismatch"), 409, "unknown", None),
    (attempt(Outcome.UNKNOWN, None, code="non_mms_answer", answer=Answer(200, (), b"<html>")), 409, "unknown", None),
]


@pytest.mark.parametrize(("result", "status", "word", "retry_after"), OUTCOMES)
async def test_the_http_status_tells_the_outcome(world: World, result: Attempt, status: int, word: str, retry_after: str | None) -> None:
    world.line.result = result
    answered, headers, message = await world.send()
    assert (answered, message["status"], headers.get("Retry-After")) == (status, word, retry_after)
    assert headers["Content-Type"] == "application/json"
    assert message["id"].startswith("msg_")
    if result.outcome is not Outcome.SENT:
        assert message["error"] == {
            "code": result.code,
            "detail": result.detail,
            "retryable": result.retryable,
            "phase": result.phase.name.lower(),
            "response_status": None if result.conf is None else int(result.conf.response_status),
            "http_status": None if result.answer is None else result.answer.status,
        }
    world.line.result = attempt()
    assert (await world.send())[0] == 200


def test_a_client_that_repeats_5xx_by_itself_never_sends_twice() -> None:
    repeated_by_curl = {408, 429, 500, 502, 503, 504}
    for result, status, _, _ in OUTCOMES:
        if result.outcome in (Outcome.UNKNOWN, Outcome.PARTIAL):
            assert status not in repeated_by_curl
            assert 400 <= status < 500


async def test_a_carriers_text_is_shown_whatever_it_holds(world: World) -> None:
    world.line.result = attempt(Outcome.REFUSED, b"\x8c\x81\x98T\x00\x8d\x92\x92\x99\x93\x06\xea\x7f\xc3\xbc\x1b\x00", code="mmsc_error")
    _, _, message = await world.send()
    assert message["carrier"]["response_text"] == "\u00fc\x1b"
    assert message["carrier"]["response_status_name"] == "Reserved"


async def test_fifty_at_once_are_all_answered(world: World) -> None:
    gate = asyncio.Event()

    async def held() -> Attempt:
        await gate.wait()
        return attempt()

    world.line.result = held
    waiting = [asyncio.create_task(world.send(text=f"message {n}")) for n in range(50)]
    while len(world.line.posted) < 50:
        await asyncio.sleep(0.005)
    gate.set()
    answers = await asyncio.gather(*waiting)
    assert [status for status, _, _ in answers] == [200] * 50
    assert len({message["id"] for _, _, message in answers}) == 50


async def test_a_client_that_hangs_up_does_not_stop_the_message(world: World) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> Attempt:
        begun.set()
        await asyncio.sleep(0.1)
        ended.set()
        return attempt()

    world.line.result = slow
    body = json.dumps(GOOD).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    writer.write(post_head(len(body)) + body)
    await asyncio.wait_for(begun.wait(), 30)
    writer.transport.abort()
    await asyncio.wait_for(ended.wait(), 30)
    world.line.result = attempt()
    assert (await world.send())[0] == 200


async def test_a_fault_of_ours_is_a_problem_and_the_next_message_is_sent(world: World) -> None:
    async def broken() -> Attempt:
        raise ZeroDivisionError

    world.line.result = broken
    document = assert_problem(await world.send(), "internal")
    assert "Zero" not in json.dumps(document)
    world.line.result = attempt()
    assert (await world.send())[0] == 200


async def test_a_line_that_cannot_post_at_all_says_why(world: World) -> None:
    async def refused() -> Attempt:
        raise HeaderError("the header X-MDN has a CR", cure="correct lines.0.carrier.headers")

    world.line.result = refused
    document = assert_problem(await world.send(), "internal")
    assert document["detail"] == "the header X-MDN has a CR; correct lines.0.carrier.headers"


# Refusals. None of them may reach a line.


@pytest.mark.parametrize(
    ("changes", "code", "pointer", "mistake"),
    [
        ({"to": []}, "invalid_request", "/to", "no_recipient"),
        ({"to": ["+16195550123"] * 101}, "too_many_recipients", "/to", "too_many_recipients"),
        ({"to": "+1619555012a"}, "invalid_number", "/to", "invalid_number"),
        ({"to": ["+16195550123", "+16195550123\r\nAT+CMGS"]}, "invalid_number", "/to/1", "invalid_number"),
        ({"to": '+1619"5550123'}, "invalid_number", "/to", "invalid_number"),
        ({"to": 16195550123}, "invalid_request", "/to", "wrong_type"),
        ({"text": ""}, "invalid_request", "/text", "empty"),
        ({"text": 5}, "invalid_request", "/text", "wrong_type"),
        ({"media": []}, "invalid_request", "/media", "unknown_field"),
        ({"subject": "a\r\nX: y"}, "invalid_request", "/subject", "invalid_character"),
        ({"line": "none"}, "no_line", "/line", "no_line"),
        ({"line": "a\r\nb"}, "invalid_request", "/line", "invalid_line"),
        ({"to": ["+16195550123", "+16195550124"], "group": False}, "invalid_request", "/group", "group_only"),
    ],
)
async def test_a_wrong_field_is_a_problem_that_points_at_it(
    world: World, changes: dict[str, Any], code: str, pointer: str, mistake: str
) -> None:
    document = assert_problem(await world.send(**changes), code)
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [(pointer, mistake)]
    assert not world.line.posted
    assert (await world.send())[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a":' * 5000, b'{"to":"+1'])
async def test_a_body_that_is_no_object_is_a_problem(world: World, body: bytes) -> None:
    answer = await world.ask("POST", "/v1/messages", data=body, headers={"Content-Type": "application/json"})
    assert assert_problem(answer, "invalid_request")["errors"][0]["pointer"] == ""
    assert not world.line.posted


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/vnd.wap.mms-message",
        "application/json; charset=utf-16",
        "application/jsonx",
        "\u00fc",
    ],
)
async def test_another_content_type_is_415(world: World, media: str) -> None:
    answer = await world.ask("POST", "/v1/messages", data=json.dumps(GOOD).encode(), headers={"Content-Type": media})
    assert_problem(answer, "unsupported_content_type")
    assert not world.line.posted


@pytest.mark.parametrize("media", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'])
async def test_json_by_any_spelling_is_taken(world: World, media: str) -> None:
    status, _, _ = await world.ask("POST", "/v1/messages", data=json.dumps(GOOD).encode(), headers={"Content-Type": media})
    assert status == 200


async def test_a_compressed_body_is_415(world: World) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    _, answered, _ = answer = await world.ask("POST", "/v1/messages", data=b"\x1f\x8b", headers=headers)
    assert_problem(answer, "unsupported_content_type")
    assert answered["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("authorization", [None, "", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/messages"), ("GET", "/v1/lines")])
async def test_without_the_token_nothing_is_told(world: World, authorization: str | None, method: str, path: str) -> None:
    body = {"json": GOOD} if method == "POST" else {}
    answer = await world.ask(method, path, headers={"Authorization": authorization}, **body)
    document = assert_problem(answer, "unauthorized")
    challenge = 'Bearer realm="mmsproxy"' + ("" if authorization is None else ', error="invalid_token"')
    assert answer[1]["WWW-Authenticate"] == challenge
    assert TOKEN not in json.dumps(document)
    assert not world.line.posted


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/messages", "POST"),
        ("DELETE", "/v1/messages", "POST"),
        ("OPTIONS", "/v1/messages", "POST"),
        ("POST", "/v1/lines", "GET"),
        ("POST", "/livez", "GET"),
        ("PUT", "/problems/not-found", "GET"),
    ],
)
async def test_a_wrong_method_is_405_and_names_the_right_one(world: World, method: str, path: str, allow: str) -> None:
    answer = await world.ask(method, path)
    assert_problem(answer, "method_not_allowed")
    assert answer[1]["Allow"] == allow


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/messages/", "/v1/messages/msg_1", "/v2/messages", "/problems/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_404(world: World, method: str, path: str) -> None:
    assert_problem(await world.ask(method, path), "not_found")


async def test_an_unknown_problem_is_404(world: World) -> None:
    assert_problem(await world.ask("GET", "/problems/none"), "not_found")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8091", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", "[::1"]
)
@pytest.mark.parametrize("path", ["/livez", "/v1/lines", "/nothing"])
async def test_a_foreign_host_is_421(world: World, host: str, path: str) -> None:
    raw = await world.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode())
    assert raw.startswith(b"HTTP/1.1 421 ")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["code"] == "misdirected"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:1", "192.0.2.7", "[::1]:8091", "[fe80::1]", "localhost", "LOCALHOST:8091", "gateway.example", "localhost."],
)
async def test_addresses_localhost_and_configured_names_are_ours(world: World, host: str) -> None:
    assert (await world.ask("GET", "/livez", headers={"Host": host}))[0] == 200


async def test_http_1_0_without_a_host_is_served(world: World) -> None:
    assert (await world.raw(b"GET /livez HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://127.0.0.1:8091/livez", "127.0.0.1:8091", b"200"),
        ("http://evil.example/livez", "evil.example", b"421"),
        ("http://evil.example/livez", "127.0.0.1", b"421"),
        ("http://127.0.0.1/livez", "evil.example", b"421"),
        ("http://[::1]:8091/livez", "[::1]:8091", b"200"),
    ],
)
async def test_the_absolute_form_is_judged_by_both_its_hosts(world: World, target: str, host: str, status: bytes) -> None:
    raw = await world.raw(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert raw.split()[1] == status


def post_head(length: int | str, *more: str) -> bytes:
    lines = ["POST /v1/messages HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "Connection: close", *more, "", ""]).encode()


async def test_a_body_over_the_limit_is_413_before_it_is_read(world: World) -> None:
    raw = await world.raw(post_head(16 * 1024 * 1024 + 1))
    assert raw.startswith(b"HTTP/1.1 413 ")
    document = json.loads(raw.partition(b"\r\n\r\n")[2])
    assert (document["code"], document["limit"]) == ("body_too_large", 16 * 1024 * 1024)


async def test_a_body_of_a_gigabyte_is_413_and_not_asked_for(world: World) -> None:
    raw = await world.raw(post_head(1 << 30, "Expect: 100-continue"))
    assert raw.startswith(b"HTTP/1.1 413 ")


async def test_a_chunked_body_over_the_limit_is_413() -> None:
    line = ScriptedLine(line_config("one"))
    door = await start_api(Fleet([line]), "127.0.0.1", 0, token=TOKEN, limits=Limits(max_body=1000, linger=0.2))  # type: ignore[list-item]
    async with aiohttp.ClientSession() as client:
        chunked = World(door, [line], client)

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b" " * 100

        answer = await chunked.ask("POST", "/v1/messages", data=chunks(), headers={"Content-Type": "application/json"})
    assert assert_problem(answer, "body_too_large")["limit"] == 1000
    await door.stop()


async def test_a_body_that_does_not_come_is_408(world: World) -> None:
    raw = await world.raw(post_head(100) + b'{"to":')
    assert raw.startswith(b"HTTP/1.1 408 ")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["code"] == "timeout"


async def test_a_client_that_breaks_off_its_body_harms_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    writer.write(post_head(100, "Expect: 100-continue"))
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)  # from here on the door reads the body
    writer.write(b'{"to"')
    await writer.drain()
    writer.transport.abort()
    assert (await world.send())[0] == 200
    assert len(world.line.posted) == 1
    await world.door.stop()
    assert not [record for record in caplog.records if record.exc_info]


async def test_an_expected_100_comes_before_a_good_body(world: World) -> None:
    body = json.dumps(GOOD).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    writer.write(post_head(len(body), "Expect: 100-continue"))
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await writer.wait_closed()


async def test_an_expectation_without_a_token_is_refused_at_once(world: World) -> None:
    head = post_head(10, "Expect: 100-continue").replace(TOKEN.encode(), b"wrong-token")
    raw = await world.raw(head)
    assert raw.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in raw


@pytest.mark.parametrize("line", ["two"])
async def test_a_message_over_the_lines_limit_is_422_with_both_sizes(world: World, line: str) -> None:
    for text in ("x" * 2048, "x" * 5000, "x" * 3_000_000):
        document = assert_problem(await world.send(text=text, line=line), "too_large")
        assert document["limit"] == 2048
        assert document["size"] > 2048
        assert document["errors"][0]["pointer"] == "/text"
    assert not world.lines[1].posted
    status, _, message = await world.send(text="x" * 1000, line=line)
    assert (status, message["size_limit"]) == (200, 2048)


async def test_without_a_carriers_limit_two_mebibytes_are_the_limit(world: World) -> None:
    assert assert_problem(await world.send(text="x" * 2_200_000), "too_large")["limit"] == 2 * 1024 * 1024
    assert not world.line.posted


# The other addresses.


async def test_lines_show_their_state(world: World) -> None:
    world.lines[1].state = LinkState(LinkStatus.DOWN, reason="no port; plug the modem in")
    status, _, document = await world.ask("GET", "/v1/lines")
    assert status == 200
    assert document == {
        "data": [
            {
                "name": "one",
                "number": "+15550100000",
                "state": "bearer_up",
                "reason": None,
                "modem": "SIM7600E",
                "dialect": "sim7600",
                "operator": "Test",
                "signal_dbm": -71,
                "simulated": True,
                "size_limit": None,
                "queue_length": 2,
                "estimated_wait": 3.1,
            },
            {
                "name": "two",
                "number": None,
                "state": "down",
                "reason": "no port; plug the modem in",
                "modem": None,
                "dialect": None,
                "operator": None,
                "signal_dbm": None,
                "simulated": True,
                "size_limit": 2048,
                "queue_length": 2,
                "estimated_wait": 3.1,
            },
        ],
        "next_cursor": None,
    }


async def test_livez_is_open(world: World) -> None:
    status, headers, document = await world.ask("GET", "/livez", headers={"Authorization": None})
    assert (status, document) == (200, {"status": "ok"})
    assert "Server" not in headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("code", sorted(PROBLEMS))
async def test_each_problem_can_be_read_without_a_token(world: World, code: str) -> None:
    status, headers, body = await world.ask("GET", PROBLEMS[code].type, headers={"Authorization": None})
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert PROBLEMS[code].advice.encode() in body


async def test_an_address_in_use_is_one_line_with_the_cure(world: World) -> None:
    with pytest.raises(ListenError, match=r"web\.listen"):
        await start_api(Fleet([world.line]), "127.0.0.1", world.door.port, token=TOKEN)  # type: ignore[list-item]


junk = st.binary(max_size=300) | st.text(max_size=60).map(lambda text: json.dumps({**GOOD, "text": text}).encode())


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.lists(junk, min_size=1, max_size=3), st.sampled_from(["/v1/messages", "/v1/lines", "/x"]), st.sampled_from(["POST", "GET", "PUT"])
)
def test_no_input_ends_as_a_fault_of_ours(bodies: list[bytes], path: str, method: str) -> None:
    async def all_answered() -> list[tuple[int, str]]:
        line = ScriptedLine(line_config("one"))
        door = await start_api(Fleet([line]), "127.0.0.1", 0, token=TOKEN)  # type: ignore[list-item]
        try:
            async with aiohttp.ClientSession() as client:
                headers = {"Content-Type": "application/json"}
                answers = [await World(door, [line], client).ask(method, path, data=body, headers=headers) for body in bodies]
                return [(status, answered["Content-Type"]) for status, answered, _ in answers]
        finally:
            await door.stop()

    for status, media in asyncio.run(all_answered()):
        assert status in (200, 400, 404, 405)
        assert media == ("application/json" if status == 200 else "application/problem+json")


# The client that ships understands the door that ships.


@pytest.mark.parametrize(
    ("result", "code", "first"),
    [
        (attempt(), 0, b"sent: the carrier accepted the message"),
        (attempt(Outcome.REFUSED, CONF_E0, code="mmsc_error", detail="refused with 0xE0"), 1, b"failed: refused with 0xE0"),
        (attempt(Outcome.UNKNOWN, None, code="answer_timeout"), 1, b"unknown: it may have been sent"),
    ],
)
async def test_the_test_client_reads_the_answer(world: World, root: Path, result: Attempt, code: int, first: bytes) -> None:
    world.line.result = result
    words = ["-I", "-S", str(root / "tools" / "send.py"), "+16195550123", "a" * 827, "--gateway", world.url, "--token", TOKEN]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == code
    assert out.startswith(first)
    assert b"one MMS instead of 6 SMS" in out
    assert len(world.line.posted) == 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="not here: curl")
@pytest.mark.parametrize(
    ("result", "code"), [(attempt(), 0), (attempt(Outcome.UNKNOWN, None), 22), (attempt(Outcome.REFUSED, CONF_E0), 22)]
)
async def test_curl_fails_when_the_message_did_and_never_repeats_it(world: World, result: Attempt, code: int) -> None:
    world.line.result = result
    options = ["-sf", "--retry", "2", "--retry-delay", "1", "-H", f"Authorization: Bearer {TOKEN}", "-H", "Content-Type: application/json"]
    process = await asyncio.create_subprocess_exec(
        "curl", *options, "-d", json.dumps(GOOD), f"{world.url}/v1/messages", stdout=asyncio.subprocess.DEVNULL
    )
    assert await asyncio.wait_for(process.wait(), 60) == code
    assert len(world.line.posted) == 1


# The page docs/api.md says what there is, and no more.


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "api.md").read_text()


def test_every_address_is_documented(page: str) -> None:
    app = make_api_app(Fleet([ScriptedLine(line_config("one"))]), token=TOKEN)  # type: ignore[list-item]
    routes = {f"{route.method} {route.resource.canonical.replace('{slug}', '{code}')}" for route in app.router.routes() if route.resource}
    documented = set(re.findall(r"^\| `((?:GET|POST) [^`]+)` \|", page, re.MULTILINE))
    assert documented == {route for route in routes if not route.startswith("HEAD ")}


def test_every_field_of_a_request_is_documented_and_no_other(page: str) -> None:
    section = page.partition("## POST /v1/messages")[2].partition("### The answer")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(SendRequest.model_fields)


def test_every_problem_is_documented_with_its_status(page: str) -> None:
    section = page.partition("## Problems")[2]
    documented = {(int(status), code) for status, code in re.findall(r"^\| (\d+) \| `(\w+)` \|", section, re.MULTILINE)}
    assert documented == {(problem.status, code) for code, problem in PROBLEMS.items()}


async def test_the_documented_message_has_the_fields_of_a_real_one(world: World, page: str) -> None:
    example, lines = (json.loads(text) for text in re.findall(r"```json\n(\{\n  \"(?:id|data)\".*?)```", page, re.DOTALL))
    _, _, message = await world.send()

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items()}
        return [shape(inner) for inner in value[:1]] if isinstance(value, list) else None

    assert shape(message) == shape(example)
    assert list(message) == list(example)
    assert shape((await world.ask("GET", "/v1/lines"))[2]) == shape(lines)


async def test_every_code_that_a_mistake_has_is_documented(world: World, page: str) -> None:
    listed = page.partition("`errors[].code` is one of")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`(\w+)`", listed))
    for changes in (
        {"to": []},
        {"to": "x"},
        {"text": ""},
        {"text": 1},
        {"x": 1},
        {"subject": "\x00"},
        {"subject": "s" * 99},
        {"line": "?"},
    ):
        document = (await world.send(**changes))[2]
        assert {error["code"] for error in document["errors"]} <= documented
    assert len(documented) == 16

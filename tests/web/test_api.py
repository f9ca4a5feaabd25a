"""What stands before every handler of the web door, over real sockets: hosts, tokens, bodies, browsers, and the form of refusals."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsproxy.errors import ListenError, StoreUnavailable
from mmsproxy.message.model import SendRequest
from mmsproxy.post.reading import Run
from mmsproxy.web import auth
from mmsproxy.web.api import gathered, start_api
from mmsproxy.web.problems import PROBLEMS

TOKEN = "mmp_" + "t" * 43  # tests/web/conftest.py
GOOD = {"to": "+16195550123", "text": "hello"}
JSON = {"Content-Type": "application/json"}


def assert_problem(answer: tuple[int, Mapping[str, str], Any], code: str) -> dict[str, Any]:
    status, headers, document = answer
    problem = PROBLEMS[code]
    assert headers["Content-Type"] == "application/problem+json"
    assert (status, document["status"], document["code"], document["title"]) == (problem.status, problem.status, code, problem.title)
    assert document["type"] == problem.type
    assert document["request_id"] == headers["X-Request-Id"]
    assert document["detail"]
    return document  # type: ignore[no-any-return]


async def raw(api: Any, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.door.port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    return answer


def post_head(length: int | str, *more: str) -> bytes:
    lines = ["POST /v1/messages HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "Connection: close", *more, "", ""]).encode()


async def count(api: Any) -> int:
    return sum((await api.store.counts()).values())


# Bodies.


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a":' * 5000, b'{"to":"+1'])
async def test_a_body_that_is_no_object_is_a_problem(api: Any, body: bytes) -> None:
    answer = await api.ask("POST", "/v1/messages", data=body, headers=JSON)
    assert assert_problem(answer, "invalid_request")["errors"][0]["pointer"] == ""
    assert await count(api) == 0


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/vnd.wap.mms-message",
        "application/json; charset=utf-16",
        "application/jsonx",
        "\u00fc",
    ],
)
async def test_another_content_type_is_415(api: Any, media: str) -> None:
    answer = await api.ask("POST", "/v1/messages", data=json.dumps(GOOD).encode(), headers={"Content-Type": media})
    assert_problem(answer, "unsupported_content_type")
    assert await count(api) == 0


@pytest.mark.parametrize("media", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'])
async def test_json_by_any_spelling_is_taken(api: Any, media: str) -> None:
    assert (await api.ask("POST", "/v1/messages", data=json.dumps(GOOD).encode(), headers={"Content-Type": media}))[0] == 202


async def test_a_compressed_body_is_415(api: Any) -> None:
    answer = await api.ask("POST", "/v1/messages", data=b"\x1f\x8b", headers={**JSON, "Content-Encoding": "gzip"})
    assert_problem(answer, "unsupported_content_type")
    assert answer[1]["Accept-Encoding"] == "identity"


async def test_a_body_over_the_limit_is_413_before_it_is_read(api: Any) -> None:
    answer = await raw(api, post_head(16 * 1024 * 1024 + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    document = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (document["code"], document["limit"]) == ("body_too_large", 16 * 1024 * 1024)


async def test_a_body_of_a_gigabyte_is_413_and_not_asked_for(api: Any) -> None:
    assert (await raw(api, post_head(1 << 30, "Expect: 100-continue"))).startswith(b"HTTP/1.1 413 ")


async def test_a_chunked_body_over_the_limit_is_413(api: Any) -> None:
    door = await start_api(replace(api.desk, limits=replace(api.desk.limits, max_body=1000)), "127.0.0.1", 0, token=TOKEN)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100

    headers = {"Authorization": f"Bearer {TOKEN}", **JSON}
    async with api.client.post(f"http://127.0.0.1:{door.port}/v1/messages", data=chunks(), headers=headers) as response:
        assert (response.status, (await response.json(content_type=None))["limit"]) == (413, 1000)
    await door.stop()


async def test_a_body_that_does_not_come_is_408(api: Any) -> None:
    answer = await raw(api, post_head(100) + b'{"to":')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "timeout"


async def test_a_client_that_breaks_off_its_body_harms_nobody(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.door.port)
    writer.write(post_head(100, "Expect: 100-continue"))
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)  # from here on the door reads the body
    writer.write(b'{"to"')
    await writer.drain()
    writer.transport.abort()
    await api.send()
    assert await count(api) == 1
    await api.door.stop()
    assert not [record for record in caplog.records if record.exc_info]


async def test_an_expected_100_comes_before_a_good_body(api: Any) -> None:
    body = json.dumps(GOOD).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.door.port)
    writer.write(post_head(len(body), "Expect: 100-continue"))
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 202 ")
    writer.close()
    await writer.wait_closed()


async def test_an_expectation_without_a_token_is_refused_at_once(api: Any) -> None:
    answer = await raw(api, post_head(10, "Expect: 100-continue").replace(TOKEN.encode(), b"wrong-token"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer


async def test_a_client_of_http_1_0_is_not_told_to_continue(api: Any) -> None:
    body = json.dumps(GOOD).encode()
    answer = await raw(api, post_head(len(body), "Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0") + body)
    assert b" 100 " not in answer
    assert answer.partition(b" ")[2].startswith(b"202 ")


@pytest.mark.parametrize("expected", ["200-ok", "100-continue, x", "x" * 5000])
async def test_another_expectation_is_417_and_nothing_is_kept(api: Any, expected: str) -> None:
    body = json.dumps(GOOD).encode()
    answer = await raw(api, post_head(len(body), f"Expect: {expected}") + body)
    assert answer.startswith(b"HTTP/1.1 417 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "expectation_failed"
    assert await count(api) == 0


async def test_a_fault_after_the_100_is_answered_still(api: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.door.port)
    writer.write(post_head(5, "Expect: 100-continue"))
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    writer.write(b"{nope")
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 400 ")
    writer.close()
    await writer.wait_closed()


# Who may come in.


@pytest.mark.parametrize("authorization", [None, "", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/messages"), ("GET", "/v1/lines"), ("GET", "/openapi.json")])
async def test_without_the_token_nothing_is_told(api: Any, authorization: str | None, method: str, path: str) -> None:
    body = {"json": GOOD} if method == "POST" else {}
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await api.ask(method, path, token=None, headers=headers, **body)
    document = assert_problem(answer, "unauthorized")
    assert answer[1]["WWW-Authenticate"] == 'Bearer realm="mmsproxy"' + ("" if authorization is None else ', error="invalid_token"')
    assert TOKEN not in json.dumps(document)
    assert await count(api) == 0


async def test_a_person_is_asked_for_the_token_at_the_page_to_read(api: Any) -> None:
    answer = await api.ask("GET", "/docs", token=None)
    assert_problem(answer, "unauthorized")
    assert answer[1]["WWW-Authenticate"] == 'Basic realm="mmsproxy"'
    assert (await api.ask("GET", "/docs", token=None, headers={"Authorization": "Basic " + _basic("me", TOKEN)}))[0] == 200


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_a_database_that_is_away_is_503_and_the_first_token_does_not_need_it(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(run: Run, sha256: str) -> None:
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(auth.token_rows, "by_sha256", away)
    assert_problem(await api.ask("GET", "/v1/lines", token="another-token"), "unavailable")
    assert (await raw(api, post_head(10, "Expect: 100-continue").replace(TOKEN.encode(), b"other-token"))).startswith(b"HTTP/1.1 503 ")
    assert (await api.ask("GET", "/v1/lines"))[0] == 200


@pytest.mark.parametrize(
    "marks",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
    ],
)
async def test_a_page_of_another_site_writes_nothing(api: Any, marks: dict[str, str]) -> None:
    assert_problem(await api.ask("POST", "/v1/messages", json=GOOD, headers=marks), "forbidden")
    assert await count(api) == 0
    own = {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}
    assert (await api.ask("POST", "/v1/messages", json=GOOD, headers=own))[0] == 202


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8091", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", "[::1"]
)
@pytest.mark.parametrize("path", ["/livez", "/v1/lines", "/nothing"])
async def test_a_foreign_host_is_421(api: Any, host: str, path: str) -> None:
    answer = await raw(api, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "misdirected"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:1", "192.0.2.7", "[::1]:8091", "[fe80::1]", "localhost", "LOCALHOST:8091", "gateway.example", "localhost."],
)
async def test_addresses_localhost_and_configured_names_are_ours(api: Any, host: str) -> None:
    assert (await api.ask("GET", "/livez", headers={"Host": host}))[0] == 200


async def test_http_1_0_without_a_host_is_served(api: Any) -> None:
    assert (await raw(api, b"GET /livez HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200 ")


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
async def test_the_absolute_form_is_judged_by_both_its_hosts(api: Any, target: str, host: str, status: bytes) -> None:
    answer = await raw(api, f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] == status


# Addresses and methods.


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/messages", "GET, POST"),
        ("OPTIONS", "/v1/messages", "GET, POST"),
        ("POST", "/v1/lines", "GET"),
        ("POST", "/livez", "GET"),
        ("PUT", "/problems/not-found", "GET"),
    ],
)
async def test_a_wrong_method_is_405_and_names_the_right_ones(api: Any, method: str, path: str, allow: str) -> None:
    answer = await api.ask(method, path)
    assert_problem(answer, "method_not_allowed")
    assert answer[1]["Allow"] == allow


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/messages/", "/v1/messages/a/b", "/v2/messages", "/problems/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_404(api: Any, method: str, path: str) -> None:
    assert_problem(await api.ask(method, path), "not_found")


PLACES = ["/v1/messages/a{}b", "/v1/messages/{}/media/0", "/v1/lines/{}", "/v1/webhooks/{}", "/message/{}"]


@pytest.mark.parametrize("control", ["%00", "%0A", "%1f", "%7F"])
@pytest.mark.parametrize("path", [*PLACES, "/problems/{}", "/2010-04-01/Accounts/{}/Messages.json", "/nothing/{}"])
async def test_control_characters_in_an_address_are_404(api: Any, path: str, control: str) -> None:
    status, _, document = await api.ask("GET", path.format(control))
    assert status == 404, document
    assert "\x00" not in json.dumps(document)


@pytest.mark.parametrize("query", ["q=%00", "q=a%0Ab", "to=%7f", "cursor=%00", "%00=1"])
async def test_control_characters_in_a_query_are_400(api: Any, query: str) -> None:
    assert "control characters" in assert_problem(await api.ask("GET", f"/v1/messages?{query}"), "invalid_request")["detail"]


async def test_a_parameter_that_is_not_there_is_refused(api: Any) -> None:
    assert assert_problem(await api.ask("GET", "/v1/lines?nmae=x"), "invalid_request")["parameter"] == "nmae"
    assert assert_problem(await api.ask("POST", "/v1/messages?wait=61", json=GOOD), "invalid_request")["parameter"] == "wait"
    assert await count(api) == 0


async def test_every_answer_has_an_id_and_is_kept_nowhere(api: Any) -> None:
    for path in ("/livez", "/v1/lines", "/nothing", "/docs"):
        _, headers, _ = await api.ask("GET", path)
        assert re.fullmatch(r"req_[0-9A-Z]{26}", headers["X-Request-Id"])
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Server" not in headers
        assert "Access-Control-Allow-Origin" not in headers


async def test_a_fault_of_ours_is_a_problem_and_the_next_message_is_kept(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: Any, **more: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(api.desk.clerk, "submit", broken)
        document = assert_problem(await api.ask("POST", "/v1/messages", json=GOOD), "internal")
        assert "Zero" not in json.dumps(document)
    assert (await api.ask("POST", "/v1/messages", json=GOOD))[0] == 202


async def test_an_address_in_use_is_one_line_with_the_cure(api: Any) -> None:
    with pytest.raises(ListenError, match=r"web\.listen"):
        await start_api(api.desk, "127.0.0.1", api.door.port, token=TOKEN)


async def test_no_two_routes_have_the_same_address(api: Any) -> None:
    rows = gathered(api.desk)
    assert len({(row.method, row.path) for row in rows}) == len(rows)
    assert all(row.scope is not None for row in rows if row.path.startswith(("/v1/", "/docs", "/openapi")))


junk = st.binary(max_size=300) | st.text(max_size=60).map(lambda text: json.dumps({**GOOD, "text": text}).encode())


async def test_no_input_ends_as_a_fault_of_ours(api: Any) -> None:
    asked: list[tuple[str, str, bytes]] = []

    @settings(derandomize=True, deadline=None, database=None, max_examples=100, suppress_health_check=list(HealthCheck))
    @given(junk, st.sampled_from(["/v1/messages", "/v1/preview", "/v1/lines", "/v1/tokens", "/x"]), st.sampled_from(["POST", "GET", "PUT"]))
    def collect(body: bytes, path: str, method: str) -> None:
        asked.append((method, path, body))

    collect()
    for method, path, body in asked:
        status, headers, _ = await api.ask(method, path, data=body, headers=JSON)
        assert status in (200, 202, 400, 404, 405)
        assert headers["Content-Type"] == ("application/json" if status < 300 else "application/problem+json")
    assert len(asked) > 50


# The page docs/api.md says what there is, and no more.


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "api.md").read_text()


def test_every_problem_is_documented_with_its_status(page: str) -> None:
    section = page.partition("## Problems")[2]
    documented = {(int(status), code) for status, code in re.findall(r"^\| (\d+) \| `(\w+)` \|", section, re.MULTILINE)}
    assert documented == {(problem.status, code) for code, problem in PROBLEMS.items()}


def test_every_field_of_a_request_is_documented_and_no_other(page: str) -> None:
    section = page.partition("## Sending")[2].partition("Only `to`")[0]
    fields = {field.alias or name for name, field in SendRequest.model_fields.items()}
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == fields


async def test_every_address_is_documented(api: Any, page: str) -> None:
    documented = set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE|PATCH) [^`?]+)` \|", page, re.MULTILINE))
    assert documented >= {f"{row.method} {row.path}" for row in gathered(api.desk) if row.refused is None}


async def test_the_documented_message_has_the_fields_of_a_real_one(api: Any, page: str) -> None:
    example = json.loads(re.findall(r"```json\n(\{\n  \"id\".*?)```", page, re.DOTALL)[0])
    message = await api.send(subject="s")
    assert list(example) == list(message)

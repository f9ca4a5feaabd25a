"""The problem table and its RFC 9457 answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmsproxy.message.model import Mistake
from mmsproxy.web import problems
from mmsproxy.web.problems import PROBLEMS, Refusal


def answered(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    response = problems.response(refusal, "req_1")
    assert response.content_type == "application/problem+json"
    assert isinstance(response.body, bytes)
    return response.status, json.loads(response.body)


def test_an_answer_has_the_members_of_rfc_9457_and_ours() -> None:
    mistake = Mistake("/to/0", "invalid_number", "'x' is no number")
    status, document = answered(Refusal("invalid_number", "wrong", (mistake,), extra={"limit": 5}))
    assert status == 422
    assert document == {
        "type": "/problems/invalid-number",
        "title": "A recipient is not a telephone number",
        "status": 422,
        "code": "invalid_number",
        "detail": "wrong",
        "limit": 5,
        "errors": [{"pointer": "/to/0", "code": "invalid_number", "detail": "'x' is no number"}],
        "request_id": "req_1",
    }


def test_an_answer_without_mistakes_has_no_errors_member() -> None:
    assert "errors" not in answered(Refusal("not_found", "no"))[1]


def test_headers_go_with_the_answer() -> None:
    response = problems.response(Refusal("unauthorized", "no", headers={"Retry-After": "5"}), "req_1")
    assert response.headers["Retry-After"] == "5"


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_each_type_can_be_read_offline(code: str) -> None:
    _, document = answered(Refusal(code, "x"))
    text = problems.explanation(document["type"].removeprefix("/problems/"))
    assert text is not None
    assert PROBLEMS[code].title in text
    assert PROBLEMS[code].advice in text
    assert str(PROBLEMS[code].status) in text


@pytest.mark.parametrize("slug", ["", "no-such-thing", "not_found", "../token", "NOT-FOUND"])
def test_an_unknown_slug_has_no_explanation(slug: str) -> None:
    assert problems.explanation(slug) is None


def test_the_table_stands_in_the_order_of_the_status() -> None:
    statuses = [problem.status for problem in PROBLEMS.values()]
    assert statuses == sorted(statuses)


NUMBER = Mistake("/to/0", "invalid_number", "bad")
MANY = Mistake("/to", "too_many_recipients", "21 numbers")
EMPTY = Mistake("/text", "empty", "the text is empty")
BODY = Mistake("", "bad_json", "not JSON")


@pytest.mark.parametrize(
    ("mistakes", "code", "detail"),
    [
        ((NUMBER,), "invalid_number", "/to/0: bad"),
        ((MANY,), "too_many_recipients", "/to: 21 numbers"),
        ((NUMBER, NUMBER), "invalid_number", "/to/0: bad (and 1 more)"),
        ((NUMBER, EMPTY), "invalid_request", "/to/0: bad (and 1 more)"),
        ((EMPTY,), "invalid_request", "/text: the text is empty"),
        ((BODY,), "invalid_request", "not JSON"),
    ],
)
def test_the_mistakes_choose_the_code(mistakes: tuple[Mistake, ...], code: str, detail: str) -> None:
    refusal = problems.refusal_of(mistakes)
    assert (refusal.code, refusal.detail, refusal.mistakes) == (code, detail, mistakes)

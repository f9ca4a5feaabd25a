"""The problem table and its RFC 9457 answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmsproxy.errors import AtTimeout, Fault, MmsproxyError, StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from mmsproxy.message.model import InvalidRequest, Mistake
from mmsproxy.post import admission
from mmsproxy.post.intake import IdempotencyConflict
from mmsproxy.post.job import NotAllowed
from mmsproxy.post.moves import NotFound
from mmsproxy.post.reading import BadCursor
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


class TooBig(MmsproxyError):
    code = "too_large"
    fault = Fault.CALLER
    size, limit, pointers = 9, 5, ("/media/0", "/media/2")


ERRORS = [
    (InvalidRequest((NUMBER,)), "invalid_number", {}),
    (StoreFull("full"), "insufficient_storage", {}),
    (StoreUnavailable("away"), "unavailable", {"Retry-After": "5"}),
    (StoreError("broken"), "unavailable", {"Retry-After": "5"}),
    (StoreCorrupt("damaged"), "unavailable", {"Retry-After": "5"}),
    (NotFound("none"), "not_found", {}),
    (NotAllowed("no", code="not_cancelable"), "not_cancelable", {}),
    (NotAllowed("no", code="duplicate_risk"), "duplicate_risk", {}),
    (NotAllowed("no"), "not_allowed", {}),
    (IdempotencyConflict("other body"), "idempotency_conflict", {}),
    (BadCursor("no cursor"), "invalid_request", {}),
    (admission.Refused((admission.Refusal("", "rate_limited", "cap"),), retry_after=59.2), "rate_limited", {"Retry-After": "60"}),
    (admission.Refused((admission.Refusal("/to/0", "opted_out", "STOP"),)), "opted_out", {}),
]


@pytest.mark.parametrize(("error", "code", "headers"), ERRORS, ids=[type(error).__name__ + code for error, code, _ in ERRORS])
def test_an_error_of_a_lower_room_becomes_its_problem(error: MmsproxyError, code: str, headers: dict[str, str]) -> None:
    refusal = problems.refusal_of_error(error)
    assert refusal is not None
    assert (refusal.code, refusal.headers) == (code, headers)
    assert PROBLEMS[code].status >= 400


def test_a_refusal_keeps_its_places() -> None:
    refusal = problems.refusal_of_error(admission.Refused((admission.Refusal("/to/0", "opted_out", "STOP"),)))
    assert refusal is not None
    assert refusal.mistakes == (Mistake("/to/0", "opted_out", "STOP"),)


def test_an_error_about_sizes_tells_them() -> None:
    refusal = problems.refusal_of_error(TooBig("9 octets; 5 are taken"))
    assert refusal is not None
    assert refusal.extra == {"size": 9, "limit": 5}
    assert [item.pointer for item in refusal.mistakes] == ["/media/0", "/media/2"]


def test_what_is_nobodys_fault_here_is_not_told() -> None:
    assert problems.refusal_of_error(AtTimeout("modem")) is None
    assert problems.refusal_of_error(MmsproxyError("ours")) is None

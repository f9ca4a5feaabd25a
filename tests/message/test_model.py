"""The request model: every wrong body is told whole, nothing else ever comes out, nothing is repaired."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mmsproxy.message import model
from mmsproxy.message.model import InvalidRequest, MediaItem, SendRequest, parse_send_request

GOOD = {"to": "+16195550123", "text": "hello"}


def mistakes(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        parse_send_request(body)
    return [(item.pointer, item.code) for item in caught.value.mistakes]


def wrong(**changes: Any) -> list[tuple[str, str]]:
    return mistakes(json.dumps({**GOOD, **changes}).encode())


def test_the_smallest_request() -> None:
    request = parse_send_request(b'{"to": "+16195550123", "text": "hello"}')
    assert request == SendRequest(to="+16195550123", text="hello")  # type: ignore[arg-type]
    assert (request.recipients, request.subject, request.line, request.group) == (("+16195550123",), None, None, False)


def test_a_request_with_everything() -> None:
    body = {"to": ["+16195550123", "16195550124"], "text": "h\u00e9llo\n\U0001f600", "subject": "Hi", "line": "mint", "group": True}
    request = parse_send_request(json.dumps(body).encode())
    assert request.to == ("+16195550123", "16195550124")
    assert (request.text, request.subject, request.line, request.group) == ("h\u00e9llo\n\U0001f600", "Hi", "mint", True)


def test_each_recipient_stands_once_in_its_place() -> None:
    request = parse_send_request(json.dumps({"to": ["7654321", "1234567", "7654321"], "text": "x"}).encode())
    assert request.recipients == ("7654321", "1234567")


def test_a_line_may_be_named_by_its_number() -> None:
    assert parse_send_request(json.dumps({**GOOD, "line": "+15550100000"}).encode()).line == "+15550100000"


@pytest.mark.parametrize("number", ["1234567", "+1234567", "123456789012345", "+123456789012345"])
def test_numbers_of_seven_to_fifteen_digits_are_taken(number: str) -> None:
    assert parse_send_request(json.dumps({"to": number, "text": "x"}).encode()).to == (number,)


@pytest.mark.parametrize("number", ["911", "12345", "123456"])
def test_a_short_code_is_a_number_that_the_post_office_may_deny(number: str) -> None:
    assert parse_send_request(json.dumps({"to": number, "text": "x"}).encode()).to == (number,)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "12",
        "+911",
        "1234567890123456",
        "+1 619 555 0123",
        "+1619555012a",
        "+16195550123\r\n",
        "+16195550123\n",
        "\n+16195550123",
        '+1619555"0123',
        "+1619555\x1a0123",
        "+1619555\x000123",
        "++16195550123",
        "\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
        "+16195550123,+16195550124",
        "a@b.example",
    ],
)
def test_what_is_no_number_is_refused_and_points_at_itself(number: str) -> None:
    assert wrong(to=number) == [("/to", "invalid_number")]
    assert wrong(to=["+16195550123", number]) == [("/to/1", "invalid_number")]


def test_a_refused_number_is_shown_on_one_line_and_short() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_send_request(json.dumps({"to": 'AT\r\n"' + "9" * 500, "text": "x"}).encode())
    detail = caught.value.mistakes[0].detail
    assert "\\r\\n" in detail
    assert detail.isprintable()
    assert len(detail) < 200


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"to": []}, ("/to", "no_recipient")),
        ({"to": ["1234567"] * 101}, ("/to", "too_many_recipients")),
        ({"to": None}, ("/to", "wrong_type")),
        ({"to": 16195550123}, ("/to", "wrong_type")),
        ({"to": {"number": "1234567"}}, ("/to", "wrong_type")),
        ({"to": [16195550123]}, ("/to/0", "wrong_type")),
        ({"to": [["1234567"]]}, ("/to/0", "wrong_type")),
        ({"text": ""}, ("/text", "empty")),
        ({"text": None}, ("/text", "missing")),
        ({"text": None, "media": []}, ("/text", "missing")),
        ({"text": 5}, ("/text", "wrong_type")),
        ({"text": ["a"]}, ("/text", "wrong_type")),
        ({"text": "a\x00b"}, ("/text", "invalid_character")),
        ({"subject": ""}, ("/subject", "empty")),
        ({"subject": "a\r\nb"}, ("/subject", "invalid_character")),
        ({"subject": "a\x00"}, ("/subject", "invalid_character")),
        ({"subject": "s" * 81}, ("/subject", "too_long")),
        ({"subject": True}, ("/subject", "wrong_type")),
        ({"line": "a b"}, ("/line", "invalid_line")),
        ({"line": "a\r\nAT"}, ("/line", "invalid_line")),
        ({"line": ""}, ("/line", "invalid_line")),
        ({"line": 1}, ("/line", "wrong_type")),
        ({"group": "true"}, ("/group", "wrong_type")),
        ({"group": 1}, ("/group", "wrong_type")),
        ({"group": None}, ("/group", "wrong_type")),
        ({"media": {}}, ("/media", "wrong_type")),
        ({"media": None}, ("/media", "wrong_type")),
        ({"media": ["YQ=="]}, ("/media/0", "wrong_type")),
        ({"media": [{}]}, ("/media/0", "one_source")),
        ({"media": [{"data": "YQ==", "url": "http://a/b"}]}, ("/media/0", "one_source")),
        ({"media": [{"data": "YQ=="}, {"data": "Y Q=="}]}, ("/media/1/data", "bad_base64")),
        ({"media": [{"data": "YQ==", "name": "x"}]}, ("/media/0/name", "unknown_field")),
        ({"media": [{"data": "YQ=="}] * 21}, ("/media", "too_many")),
        ({"as": "fax"}, ("/as", "unknown_value")),
        ({"as": None}, ("/as", "unknown_value")),
        ({"as_": "mms"}, ("/as_", "unknown_field")),
        ({"as": "sms", "media": [{"data": "YQ=="}]}, ("/media", "not_in_sms")),
        ({"as": "sms", "subject": "Hi"}, ("/subject", "not_in_sms")),
        ({"as": "sms", "to": ["1234567", "7654321"], "group": True}, ("/group", "not_in_sms")),
        ({"fallback": "mms"}, ("/fallback", "unknown_value")),
        ({"fallback": "sms", "text": None, "media": [{"data": "YQ=="}]}, ("/fallback", "no_text")),
        ({"shrink": 1}, ("/shrink", "wrong_type")),
        ({"layout": "custom"}, ("/smil", "missing")),
        ({"smil": "<smil><text src='a'/></smil>"}, ("/layout", "custom_wanted")),
        ({"smil": "<smil>", "layout": "custom"}, ("/smil", "invalid_smil")),
        ({"delivery_report": "yes"}, ("/delivery_report", "wrong_type")),
        ({"read_report": 0}, ("/read_report", "wrong_type")),
        ({"priority": "urgent"}, ("/priority", "unknown_value")),
        ({"valid_for": 0}, ("/valid_for", "out_of_range")),
        ({"valid_for": 604_801}, ("/valid_for", "out_of_range")),
        ({"valid_for": "60"}, ("/valid_for", "wrong_type")),
        ({"valid_for": 60.5}, ("/valid_for", "wrong_type")),
        ({"valid_for": True}, ("/valid_for", "wrong_type")),
        ({"send_at": "2026-11-22 18:50"}, ("/send_at", "invalid_time")),
        ({"send_at": 1_800_000_000}, ("/send_at", "invalid_time")),
        ({"callback_url": "ftp://a.lan/"}, ("/callback_url", "invalid_url")),
        ({"callback_url": "http://user:word@a.lan/"}, ("/callback_url", "invalid_url")),
        ({"tag": ""}, ("/tag", "empty")),
        ({"tag": "t" * 65}, ("/tag", "too_long")),
        ({"metadata": []}, ("/metadata", "wrong_type")),
        ({"metadata": {"order": 17}}, ("/metadata/order", "wrong_type")),
        ({"metadata": {"a/b": "x" * 513}}, ("/metadata/a~1b", "too_long")),
        ({"metadata": {"": "x"}}, ("/metadata/", "empty")),
        ({"metadata": {str(n): "x" for n in range(21)}}, ("/metadata", "too_many")),
        ({"Text": "x"}, ("/Text", "unknown_field")),
        ({"a/b~c": 1}, ("/a~1b~0c", "unknown_field")),
    ],
)
def test_each_wrong_value_points_at_its_field(changes: dict[str, Any], found: tuple[str, str]) -> None:
    assert wrong(**changes) == [found]


EVERYTHING: dict[str, Any] = {
    "to": ["+12025550123", "+12025550124"],
    "group": True,
    "text": "... characters ...",
    "subject": None,
    "media": [{"data": "/9j/4A==", "content_type": "image/jpeg", "filename": "cat.jpg"}, {"url": "http://camera.lan/snap.jpg"}],
    "as": "mms",
    "fallback": "sms",
    "shrink": False,
    "layout": "image_first",
    "smil": None,
    "delivery_report": True,
    "read_report": True,
    "priority": "high",
    "valid_for": 3600,
    "send_at": "2026-11-22T18:50:00.5+01:00",
    "line": None,
    "callback_url": "https://hooks.lan:8443/mms?x=1",
    "tag": "door-cam",
    "metadata": {"order": "17"},
}


def test_every_field_of_the_api() -> None:
    request = parse_send_request(json.dumps(EVERYTHING).encode())
    assert request == model.parse_document(EVERYTHING)
    assert request.media[0].data == b"\xff\xd8\xff\xe0"
    assert (request.media[0].content_type, request.media[0].filename, request.media[1].url) == (
        "image/jpeg",
        "cat.jpg",
        "http://camera.lan/snap.jpg",
    )
    assert request.send_at == datetime(2026, 11, 22, 17, 50, 0, 500_000, tzinfo=UTC)
    assert (request.as_, request.fallback, request.layout, request.priority, request.valid_for) == (
        "mms",
        "sms",
        "image_first",
        "high",
        3600,
    )
    assert request.is_group
    assert set(EVERYTHING) == {field.alias or name for name, field in SendRequest.model_fields.items()}


def test_what_is_not_said_is_the_plainest_message() -> None:
    request = parse_send_request(json.dumps(GOOD).encode())
    assert (request.as_, request.fallback, request.layout, request.priority) == ("auto", "none", "auto", "normal")
    assert (request.media, request.shrink, request.metadata, request.delivery_report, request.read_report) == ((), True, {}, False, False)
    assert (request.valid_for, request.send_at, request.callback_url, request.tag, request.smil) == (None, None, None, None, None)


def test_several_numbers_are_a_group_only_when_asked_for() -> None:
    several = {**GOOD, "to": [f"+1619555{n:04}" for n in range(100)]}
    assert not model.parse_document(several).is_group
    assert model.parse_document({**several, "group": True}).is_group
    assert not model.parse_document({**GOOD, "group": True}).is_group


def test_a_whole_number_may_have_a_fraction_of_nothing() -> None:
    assert model.parse_send_request(b'{"to": "1234567", "text": "x", "valid_for": 60.0}').valid_for == 60


def test_media_alone_is_a_message() -> None:
    assert model.parse_document({"to": "1234567", "media": [{"data": b"\xff\xd8"}]}).text is None


def test_uploaded_files_stand_behind_the_media_of_the_request() -> None:
    upload = MediaItem(data=b"abc", filename="a.bin")
    own = {"to": "1234567", "as": "mms", "media": [{"data": "YQ=="}]}
    assert [item.data for item in model.parse_document(own, [upload]).media] == [b"a", b"abc"]
    assert model.parse_send_request(b'{"to": "1234567"}', [upload]).media == (upload,)
    request = model.with_media(model.parse_document(own), [upload])
    assert ([item.data for item in request.media], request.as_) == ([b"a", b"abc"], "mms")


def test_uploaded_files_that_do_not_fit_the_rest_are_refused() -> None:
    upload = MediaItem(data=b"abc")
    with pytest.raises(InvalidRequest, match="at most 20"):
        model.with_media(model.parse_document(GOOD), [upload] * 21)
    with pytest.raises(InvalidRequest, match="SMS"):
        model.with_media(model.parse_document({**GOOD, "as": "sms"}), [upload])


def test_octets_of_a_file_are_not_in_its_repr() -> None:
    assert "secret" not in repr(model.parse_document({**GOOD, "media": [{"data": b"secret"}]}))


def test_the_schema_takes_what_the_model_takes_and_names_every_field() -> None:
    schema = SendRequest.model_json_schema(by_alias=True)
    assert set(schema["properties"]) == set(EVERYTHING)
    validator = Draft202012Validator(schema)
    assert list(validator.iter_errors(EVERYTHING)) == []
    assert list(validator.iter_errors(GOOD)) == []
    for wrong_one in (
        {"to": "1234567"},
        {**GOOD, "to": "x"},
        {**GOOD, "x": 1},
        {**GOOD, "media": [{}]},
        {**GOOD, "valid_for": 0},
        {"text": "x"},
    ):
        assert not validator.is_valid(wrong_one), wrong_one
    assert all("description" in field for field in schema["properties"].values())


@pytest.mark.parametrize("missing", ["to", "text"])
def test_a_missing_field_is_named(missing: str) -> None:
    assert mistakes(json.dumps({key: value for key, value in GOOD.items() if key != missing}).encode()) == [(f"/{missing}", "missing")]


def test_all_mistakes_are_told_at_once() -> None:
    assert wrong(to=["x", 5], text="", subject=1, foo=1) == [
        ("/to/0", "invalid_number"),
        ("/to/1", "wrong_type"),
        ("/text", "empty"),
        ("/subject", "wrong_type"),
        ("/foo", "unknown_field"),
    ]


def test_the_number_of_mistakes_told_is_bounded() -> None:
    assert len(wrong(**{f"x{n}": n for n in range(1000)})) == model.MAX_MISTAKES


def test_one_number_twice_is_no_group() -> None:
    request = parse_send_request(json.dumps({"to": ["1234567", "1234567"], "text": "x", "group": False}).encode())
    assert request.recipients == ("1234567",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b"{'to': 1}",
        b"\xff\xfe{",
        b"\xef\xbb\xbf{}",
        b'{"to":"+16195550123","text":NaN}',
        b'{"to":"+16195550123","text":"\\ud800"}',
        b'{"to":"+16195550123","text":"\xff"}',
        b'{"to":"+16195550123","text":"raw\nnewline"}',
        b'{"to":"+16195550123","text":"x",}',
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert mistakes(body) == [("", "bad_json")]


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"5", b"true"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    assert mistakes(body) == [("", "wrong_type")]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_a_depth_bomb_of_any_length_is_refused(opening: bytes) -> None:
    assert mistakes(opening * 200_000) == [("", "too_deep")]


def test_the_depth_limit_is_exact() -> None:
    def nested(depth: int) -> bytes:
        return b'{"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    assert mistakes(nested(model.MAX_DEPTH + 1)) == [("", "too_deep")]
    assert ("/x", "unknown_field") in mistakes(nested(model.MAX_DEPTH))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
numbers = st.from_regex(r"\A\+?[0-9]{5,17}\Z") | st.text(max_size=20)
requests = st.fixed_dictionaries(
    {},
    optional={
        "to": numbers | st.lists(numbers | json_values, max_size=22) | json_values,
        "text": st.text(max_size=40) | json_values,
        "subject": st.text(max_size=90) | json_values,
        "line": st.text(max_size=45) | json_values,
        "group": st.booleans() | json_values,
        "media": st.lists(
            st.fixed_dictionaries({}, optional={"data": st.text(max_size=8), "url": st.text(max_size=8)}) | json_values, max_size=3
        ),
        "as": st.sampled_from(["auto", "mms", "sms"]) | json_values,
        "smil": st.text(max_size=40) | json_values,
        "layout": st.sampled_from(["auto", "custom"]),
        "valid_for": st.integers() | json_values,
        "send_at": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | json_values,
        "callback_url": st.text(max_size=20).map(lambda rest: "http://" + rest) | json_values,
        "metadata": st.dictionaries(st.text(max_size=4), st.text(max_size=4)) | json_values,
        "tag": st.text(max_size=70) | json_values,
        "extra": json_values,
    },
)


def parsed_or_refused(body: bytes) -> SendRequest | InvalidRequest:
    try:
        return parse_send_request(body)
    except InvalidRequest as refusal:
        return refusal


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | requests.map(lambda value: json.dumps(value).encode()))
@example(b'{"to":"1234567","text":"\\ud83d\\ude00"}')
@example(b'{"\\ud800":1}')
@example(b'{"to":1e400,"text":' + b"9" * 5000 + b"}")
def test_whatever_comes_in_is_a_request_or_told_mistakes(body: bytes) -> None:
    answer = parsed_or_refused(body)
    if isinstance(answer, InvalidRequest):
        assert answer.mistakes
        assert all(item.code.isidentifier() and item.detail and item.pointer[:1] in ("", "/") for item in answer.mistakes)
        json.dumps([item.detail + item.pointer for item in answer.mistakes], ensure_ascii=False).encode()
    else:
        assert 1 <= len(answer.to) <= model.MAX_RECIPIENTS
        assert all(number.lstrip("+").isdigit() and number.isascii() for number in answer.to)
        assert answer.media or (answer.text or "").encode()

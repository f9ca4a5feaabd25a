"""Which header fields cross the gateway: mm1.md 7 and 8, row by row."""

from __future__ import annotations

import base64

import pytest

from mmsproxy.carrier.headers import ACCEPT, MMS_MESSAGE, Template, answer_headers, check, national_number, outgoing_headers
from mmsproxy.errors import HeaderError

PLAIN = Template(user_agent="Android MmsLib/1.0", ua_profile="http://ua.example/p.xml")


def values(headers: tuple[tuple[str, str], ...], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name.lower()]


HOP_BY_HOP = [
    "Connection",
    "Proxy-Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Authentication-Info",
]


@pytest.mark.parametrize("name", [*HOP_BY_HOP, *(name.upper() for name in HOP_BY_HOP)])
def test_hop_by_hop_fields_pass_neither_way(name: str) -> None:
    assert "poison" not in " ".join(value for _, value in outgoing_headers([(name, "poison")], PLAIN))
    assert answer_headers([(name, "poison")]) == ()


def test_fields_named_by_connection_do_not_pass() -> None:
    headers = [("connection", "close, X-Private"), ("X-PRIVATE", "1"), ("x-public", "2"), ("Connection", " X-Other ")]
    sent = outgoing_headers([*headers, ("X-Other", "3")], PLAIN)
    assert values(sent, "x-private") == []
    assert values(sent, "x-other") == []
    assert values(sent, "x-public") == ["2"]
    assert answer_headers([*headers, ("X-Other", "3")]) == (("x-public", "2"),)


@pytest.mark.parametrize(
    "name",
    ["Accept-Encoding", "Expect", "Authorization", "Cookie", "Forwarded", "Via", "X-Forwarded-For", "x-forwarded-anything"],
)
def test_what_is_dropped_towards_the_carrier(name: str) -> None:
    assert values(outgoing_headers([(name, "poison")], PLAIN), name) == []


@pytest.mark.parametrize("name", ["Host", "Content-Length", "content-length", "Transfer-Encoding"])
def test_a_client_cannot_frame_the_request(name: str) -> None:
    assert values(outgoing_headers([(name, "5"), (name, "6")], PLAIN), name) == []


def test_made_anew() -> None:
    sent = outgoing_headers([("Content-Type", "text/odd; charset=utf-8"), ("Connection", "keep-alive")], PLAIN)
    assert values(sent, "content-type") == [MMS_MESSAGE]
    assert values(sent, "connection") == ["close"]


def test_end_to_end_fields_pass_as_they_are_in_order() -> None:
    client = [
        ("User-Agent", "Odd/1 \u00e4 \udcfc"),
        ("x-wap-profile", '"http://p"'),
        ("Accept", "*/*"),
        ("X-VzW-MDN", "6195550123"),
        ("Accept-Language", "de,en;q=0.5"),
        ("X-Twice", "a"),
        ("X-Twice", "b"),
        ("X-Empty", ""),
    ]
    sent = outgoing_headers(client, PLAIN)
    assert [item for item in sent if item[0] not in ("Content-Type", "Connection")] == client


def test_filled_in_when_the_client_sent_none() -> None:
    sent = outgoing_headers([], PLAIN)
    assert values(sent, "user-agent") == ["Android MmsLib/1.0"]
    assert values(sent, "x-wap-profile") == ["http://ua.example/p.xml"]
    assert values(sent, "accept") == [ACCEPT]


@pytest.mark.parametrize("sent_by_client", ["x-wap-profile", "X-Wap-Profile", "Profile", "PROFILE"])
def test_a_clients_profile_is_enough(sent_by_client: str) -> None:
    template = Template(ua_profile="http://ours", ua_profile_header="Profile")
    sent = outgoing_headers([(sent_by_client, "theirs")], template)
    assert [value for name, value in sent if "profile" in name.lower()] == ["theirs"]


def test_the_template_wins_over_the_clients_field() -> None:
    template = Template(headers=(("X-MDN", "##LINE1##"), ("user-agent", "Ours")), number="+16195550123", user_agent="default")
    sent = outgoing_headers([("x-mdn", "999"), ("X-Mdn", "998"), ("User-Agent", "theirs")], template)
    assert values(sent, "x-mdn") == ["+16195550123"]
    assert values(sent, "user-agent") == ["Ours"]


def test_macros() -> None:
    template = Template(
        headers=(
            ("X-MDN", "##LINE1##"),
            ("X-VzW-MDN", "1##LINE1NOCOUNTRYCODE##"),
            ("Proxy-Authorization", "Basic ##NAI##"),
            ("X-Both", "##LINE1## ##LINE1NOCOUNTRYCODE##"),
        ),
        number="+16195550123",
        nai="user@sprintpcs.com:pcs",
    )
    sent = outgoing_headers([], template)
    assert values(sent, "x-mdn") == ["+16195550123"]
    assert values(sent, "x-vzw-mdn") == ["16195550123"]
    assert values(sent, "proxy-authorization") == ["Basic " + base64.b64encode(b"user@sprintpcs.com:pcs").decode()]
    assert values(sent, "x-both") == ["+16195550123 6195550123"]


@pytest.mark.parametrize("macro", ["##LINE1##", "1##LINE1NOCOUNTRYCODE##", "Basic ##NAI##"])
def test_a_field_whose_macro_is_empty_is_left_out_and_the_clients_own_passes(macro: str) -> None:
    template = Template(headers=(("X-MDN", macro),))
    assert values(outgoing_headers([], template), "x-mdn") == []
    assert values(outgoing_headers([("x-mdn", "theirs")], template), "x-mdn") == ["theirs"]


@pytest.mark.parametrize("name", ["Host", "Content-Length", "TRANSFER-ENCODING", "Connection", "Expect", "Upgrade", "Trailer"])
def test_a_template_cannot_frame_the_request(name: str) -> None:
    assert "poison" not in [value for _, value in outgoing_headers([], Template(headers=((name, "poison"),)))]


def test_a_template_may_set_the_content_type() -> None:
    template = Template(headers=(("content-type", f"{MMS_MESSAGE}; charset=utf-8"),))
    assert values(outgoing_headers([], template), "Content-Type") == [f"{MMS_MESSAGE}; charset=utf-8"]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\r"])
def test_cr_lf_nul_are_refused_wherever_they_come_from(value: str) -> None:
    with pytest.raises(HeaderError):
        outgoing_headers([("X-Client", value)], PLAIN)
    with pytest.raises(HeaderError):
        outgoing_headers([("Cookie", value)], PLAIN)
    with pytest.raises(HeaderError):
        outgoing_headers([], Template(headers=(("X-Line", value),)))
    with pytest.raises(HeaderError):
        outgoing_headers([], Template(user_agent=value))
    assert answer_headers([("X-Carrier", value), ("X-Good", "1")]) == (("X-Good", "1"),)


@pytest.mark.parametrize("name", ["", "X Y", "X:Y", "X\r\nY", "X-\u00e9", "(x)", "X\0"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(HeaderError):
        check(name, "value")
    assert answer_headers([(name, "v")]) == ()


def test_answer_fields() -> None:
    carrier = [
        ("Content-Type", MMS_MESSAGE),
        ("Content-Length", "9"),
        ("Set-Cookie", "a=b"),
        ("Server", "mmsc/1"),
        ("Date", "today"),
        ("Content-Encoding", "gzip"),
        ("Cache-Control", "no-cache"),
        ("X-Carrier", "\udcff"),
    ]
    assert answer_headers(carrier) == (
        ("Content-Type", MMS_MESSAGE),
        ("Content-Encoding", "gzip"),
        ("Cache-Control", "no-cache"),
        ("X-Carrier", "\udcff"),
    )


@pytest.mark.parametrize(
    ("number", "national"),
    [
        ("+16195550123", "6195550123"),
        ("+79161234567", "9161234567"),
        ("+4915112345678", "15112345678"),
        ("+35312345678", "12345678"),
        ("+8613800138000", "13800138000"),
        ("+886912345678", "912345678"),
        ("6195550123", "6195550123"),
        ("", ""),
    ],
)
def test_national_number(number: str, national: str) -> None:
    assert national_number(number) == national

"""The order of checks of mm1.md section 4, steps 1 to 5, one row for each rule."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from multidict import CIMultiDict

from mmsproxy.web.mm1_gate import Admitted, Knock, Refusal, Rules, admit, canonical_host, own_names, split_authority

RULES = Rules(
    mmscs=(
        ("mint", "http://wholesale.mmsmvno.com/mms/wapenc"),
        ("old", "http://172.028.023.131:8008/"),
        ("tls", "https://secure.example/mms"),
        ("second", "http://wholesale.mmsmvno.com:8080/"),
    ),
    aliases=("mmsc", "my.alias.example:8002"),
    hosts=("gateway.example.org", "gateway"),
)


def _knock(target: str = "/", *, method: str = "POST", peer: str = "127.0.0.1", **headers: str) -> Knock:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Knock(peer, ("192.168.1.5", 8090), method, target, named)


def _status(knock: Knock, rules: Rules = RULES) -> int | str | None:
    """The refusal's status, or the line that an admitted request means."""
    result = admit(knock, rules)
    return result.status if isinstance(result, Refusal) else result.line


@pytest.mark.parametrize(
    ("peer", "allow", "allowed"),
    [
        ("127.0.0.1", (), True),
        ("127.8.8.8", (), True),
        ("::1", (), True),
        ("::ffff:127.0.0.1", (), True),
        ("192.168.1.7", (), False),
        ("192.168.1.7", ("192.168.1.0/24",), True),
        ("::ffff:192.168.1.7", ("192.168.1.0/24",), True),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("127.0.0.1", ("192.168.1.0/24",), False),  # a list replaces the default
        ("8.8.8.8", ("192.168.1.0/24", "::1/128"), False),
        ("unknown", ("0.0.0.0/0", "::/0"), False),
    ],
)
def test_step_1_the_peer(peer: str, allow: tuple[str, ...], allowed: bool) -> None:
    result = admit(_knock(peer=peer), Rules(allow=tuple(map(ip_network, allow))))
    if allowed:
        assert result == Admitted(None)
    else:
        assert isinstance(result, Refusal)
        assert (result.status, result.close) == (403, True)
        assert "mm1.allow" in result.text


@pytest.mark.parametrize("method", ["CONNECT", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("target", ["/", "*", "http://wholesale.mmsmvno.com/", "evil.example:80"])
def test_step_2_other_methods(method: str, target: str) -> None:
    result = admit(_knock(target, method=method, Origin="http://x"), RULES)
    assert isinstance(result, Refusal)
    assert (result.status, result.headers) == (405, (("Allow", "GET, HEAD, POST"),))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"oRiGiN": "http://evil.example"},
        {"Referer": "http://evil.example/"},
        {"Sec_Fetch_Mode": "cors"},
        {"sec_fetch_site": "same-origin"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "TEXT/html; charset=utf-8"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": " multipart/form-data; boundary=x"},
    ],
)
def test_step_3_browser_marks(headers: dict[str, str]) -> None:
    assert _status(_knock(Host="localhost", **headers)) == 403


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.wap.mms-message",
        "application/vnd.wap.mms-message; charset=utf-8",
        "application/octet-stream",
        "odd",
        "",
        "a/b;text/",
    ],
)
def test_step_3_any_other_content_type_is_fine(content_type: str) -> None:
    assert admit(_knock(Content_Type=content_type), RULES) == Admitted(None)


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1:8090", None),
        ("[::1]:8090", None),
        ("192.168.1.5", None),
        ("8.8.8.8", None),
        ("localhost:8090", None),
        ("LOCALHOST.", None),
        ("mmsc", None),
        ("anything", None),
        ("gate.local", None),
        ("gate.lan:80", None),
        ("gate.home.arpa", None),
        ("gateway.example.org:8090", None),
        ("Gateway.Example.Org", None),
        ("my.alias.example", None),
        ("", None),
        ("wholesale.mmsmvno.com", "mint"),
        ("wholesale.mmsmvno.com:8080", "second"),
        ("wholesale.mmsmvno.com:8090", "mint"),  # the MMSC's name pointed here by the LAN's DNS
        ("172.28.23.131:8008", "old"),
        ("secure.example", "tls"),
        ("evil.example", 421),
        ("gateway.example.org.evil.example", 421),
        ("local", None),
        ("evil.notlocal", 421),
        ("user@localhost", 421),
        ("localhost/evil.example", 421),
        ("localhost, evil.example", 421),
        ("localhost:0", 421),
        ("localhost:99999", 421),
        ("127.0.0.1.evil.example", 421),
        ("[::1", 421),
        ("\udcff.example", 421),
    ],
)
def test_step_4_origin_form(host: str, answer: int | str | None) -> None:
    assert _status(_knock("/servlets/mms", Host=host)) == answer


def test_step_4_http_1_0_has_no_host() -> None:
    assert _status(_knock("/")) is None


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("http://wholesale.mmsmvno.com/mms/wapenc", "mint"),
        ("http://wholesale.mmsmvno.com", "mint"),
        ("http://wholesale.mmsmvno.com?T=@|{};", "mint"),
        ("HTTP://WHOLESALE.MMSMVNO.COM.:80/other/path", "mint"),
        ("http://wholesale.mmsmvno.com:8080/", "second"),
        ("http://172.28.23.131:8008/", "old"),
        ("http://172.028.023.131:8008/", "old"),
        ("http://secure.example/mms", "tls"),
        ("http://secure.example:443/mms", "tls"),
        ("http://mmsc/8-28-qf2614.31.x356.29@2/wx35", None),
        ("http://mmsc:8002/", None),
        ("http://my.alias.example:8002/", None),
        ("http://192.168.1.5:8090/", None),
        ("http://localhost:8090/", None),
        ("http://gateway:8090", None),
        ("http://my.alias.example/", 403),
        ("http://wholesale.mmsmvno.com:8081/", 403),
        ("http://172.28.23.131/", 403),
        ("http://192.168.1.5:22/", 403),
        ("http://192.168.1.6:8090/", 403),
        ("http://localhost/", 403),
        ("https://wholesale.mmsmvno.com/", 403),
        ("ftp://wholesale.mmsmvno.com/", 403),
        ("http://user@wholesale.mmsmvno.com/", 403),
        ("http://user:password@wholesale.mmsmvno.com/", 403),
        ("http://wholesale.mmsmvno.com@evil.example/", 403),
        ("http://evil.example#@wholesale.mmsmvno.com/", 403),
        ("http://evil.example\\@wholesale.mmsmvno.com/", 403),
        ("http://wholesale.mmsmvno.com\\.evil.example/", 403),
        ("http://evil.example/http://wholesale.mmsmvno.com/", 403),
        ("http://evil.example", 403),
        ("http://", 403),
        ("http:///path", 403),
        ("http://wholesale.mmsmvno.com:80:80/", 403),
        ("http://%77holesale.mmsmvno.com/", 403),
        ("evil.example:80", 400),
        ("*", 400),
        ("path", 400),
        ("/\u00e9", 400),
        ("/\udce9", 400),
        ("http://wholesale.mmsmvno.com/ x", 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_step_4_absolute_form(target: str, answer: int | str | None, method: str) -> None:
    assert _status(_knock(target, method=method)) == answer


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("wholesale.mmsmvno.com", "mint"),
        ("127.0.0.1:8090", "mint"),
        ("gateway", "mint"),
        ("secure.example", "mint"),
        ("evil.example", 421),
        ("a@b", 421),
    ],
)
def test_step_4_the_target_rules_but_a_foreign_host_is_refused(host: str, answer: int | str) -> None:
    assert _status(_knock("http://wholesale.mmsmvno.com/", Host=host)) == answer


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Encoding": "gzip"}, 415),
        ({"Content_Encoding": "identity, gzip"}, 415),
        ({"Content_Encoding": "Identity"}, None),
        ({"Transfer_Encoding": "gzip, chunked"}, 415),
        ({"Transfer_Encoding": "Chunked"}, None),
        ({"Content_Length": "2097152"}, None),
        ({"Content_Length": "2097153"}, 413),
        ({"Content_Length": "9" * 5000}, 413),
        ({"Expect": "100-Continue"}, None),
        ({"Expect": "200-ok"}, 417),
    ],
)
def test_step_5_the_body_before_it_is_read(headers: dict[str, str], status: int | None) -> None:
    assert _status(_knock(**headers)) == status
    assert _status(_knock(method="GET", **headers)) is None


def test_the_order_is_the_contracts() -> None:
    """A request that is wrong in every way is refused by the first step; mended step by step, by the next one."""
    wrong = {"Origin": "x", "Content_Encoding": "gzip", "Content_Length": "9999999"}
    assert _status(_knock("http://evil.example/", method="PUT", peer="8.8.8.8", **wrong)) == 403
    assert _status(_knock("http://evil.example/", method="PUT", **wrong)) == 405
    assert "browsers" in getattr(admit(_knock("http://evil.example/", **wrong), RULES), "text", "")
    del wrong["Origin"]
    assert "open proxy" in getattr(admit(_knock("http://evil.example/", **wrong), RULES), "text", "")
    assert _status(_knock("http://mmsc/", **wrong)) == 415
    del wrong["Content_Encoding"]
    assert _status(_knock("http://mmsc/", **wrong)) == 413


def test_refusals_are_one_line_of_ascii_and_name_the_cure() -> None:
    for knock in (_knock(Host="evil\udcff\r\n.example" * 30), _knock("http://evil.example/"), _knock(Content_Encoding="\x00\x1b")):
        result = admit(knock, RULES)
        assert isinstance(result, Refusal)
        assert result.text.isascii()
        assert result.text.isprintable()
    assert "mm1.aliases" in getattr(admit(_knock(Host="evil.example"), RULES), "text", "")


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("Host", ("host", None)),
        ("host.:80", ("host", 80)),
        ("[FE80::1]:8090", ("fe80::1", 8090)),
        ("010.001.000.255:1", ("10.1.0.255", 1)),
        ("host:", None),
        ("ho st", None),
        ("host:port", None),
        ("", None),
    ],
)
def test_an_authority_is_split_or_refused(text: str, authority: tuple[str, int | None] | None) -> None:
    assert split_authority(text) == authority


def test_names_are_folded() -> None:
    assert canonical_host("MMSC.Example.") == "mmsc.example"
    assert set(own_names(["Box.Example.org", "", "box"])) == {"box.example.org", "box"}

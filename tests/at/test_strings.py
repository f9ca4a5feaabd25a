"""What may enter a command, and what is refused. Nothing is ever stripped."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmsproxy.at.strings import number, quoted_apn, quoted_host, quoted_pdp_type, quoted_phone, quoted_pin, quoted_secret
from mmsproxy.errors import AtStringError

ENCODERS = [quoted_apn, quoted_host, quoted_phone, quoted_pin, quoted_secret, quoted_pdp_type]


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("bad", ['"', "\r", "\n", "\x1a", "\x1b", "\x00", "é", "\u2028", "\x7f"])
@pytest.mark.parametrize("text", ["{}", "1234{}", "{}1234", "12{}34"])
def test_what_could_end_a_string_or_a_command_is_refused(encode: Callable[[str], bytes], bad: str, text: str) -> None:
    with pytest.raises(AtStringError) as refused:
        encode(text.format(bad))
    assert bad not in str(refused.value)


@pytest.mark.parametrize(
    ("encode", "text", "expected"),
    [
        (quoted_apn, "mms.example-1.net", b'"mms.example-1.net"'),
        (quoted_apn, "a" * 100, b'"' + b"a" * 100 + b'"'),
        (quoted_host, "mmsc", b'"mmsc"'),
        (quoted_host, "atl2mosget.msg.eng.t-mobile.com", b'"atl2mosget.msg.eng.t-mobile.com"'),
        (quoted_host, "mms_c.example", b'"mms_c.example"'),
        (quoted_host, "10.0.0.172", b'"10.0.0.172"'),
        (quoted_host, "2001:db8::1", b'"2001:db8::1"'),
        (quoted_phone, "+16195550123", b'"+16195550123"'),
        (quoted_phone, "*100#", b'"*100#"'),
        (quoted_pin, "1234", b'"1234"'),
        (quoted_secret, "p;a,s$s w'ord", b'"p;a,s$s w\'ord"'),
        (quoted_secret, "", b'""'),
        (quoted_pdp_type, "IPV4V6", b'"IPV4V6"'),
    ],
)
def test_what_is_right_is_quoted_as_it_is(encode: Callable[[str], bytes], text: str, expected: bytes) -> None:
    assert encode(text) == expected


@pytest.mark.parametrize(
    ("encode", "text"),
    [
        (quoted_apn, ""),
        (quoted_apn, "a b"),
        (quoted_apn, "a" * 101),
        (quoted_host, ""),
        (quoted_host, "a..b"),
        (quoted_host, "-a.example"),
        (quoted_host, "a" * 64 + ".example"),
        (quoted_host, ".".join(["a" * 60] * 5)),
        (quoted_host, "172.028.023.131"),
        (quoted_host, "1.2.3.4.5"),
        (quoted_host, "fe80::1%eth0"),
        (quoted_host, "mmsc.example/x"),
        (quoted_host, "user@mmsc.example"),
        (quoted_phone, ""),
        (quoted_phone, "1" * 21),
        (quoted_phone, "+1 619"),
        (quoted_phone, "٣٤٥"),
        (quoted_pin, "123"),
        (quoted_pin, "123456789"),
        (quoted_pin, "12a4"),
        (quoted_secret, "a" * 128),
        (quoted_pdp_type, "ip"),
        (quoted_pdp_type, "PPP"),
    ],
)
def test_what_is_wrong_is_refused(encode: Callable[[str], bytes], text: str) -> None:
    with pytest.raises(AtStringError):
        encode(text)


def test_a_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(AtStringError) as refused:
        quoted_secret('hunter2"')
    assert "hunter2" not in str(refused.value)


def test_number() -> None:
    assert number(65535) == b"65535"
    for value in (-1, 65536):
        with pytest.raises(AtStringError):
            number(value)
    with pytest.raises(AtStringError):
        number(0, low=1)

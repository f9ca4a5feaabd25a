"""config_values.py: each kind of value, what it takes and how it refuses."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from mmsproxy import config_values as values


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8090", "127.0.0.1", 8090), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65535), ("0.0.0.0:80", "0.0.0.0", 80)],
)
def test_an_address(text: str, host: str, port: int) -> None:
    address = TypeAdapter(values.ListenAddress).validate_python(text)
    assert (address, str(address)) == ((host, port), text)


def test_loopback_is_told_from_the_rest() -> None:
    loopback = [values.Address(host, 1).is_loopback for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9", "0.0.0.0", "192.168.1.1")]
    assert loopback == [True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            values.Number,
            ["+16195550123", "6195550123"],
            ["+1 619", "911", "+1619555012\r", 16195550123, '+1619"5550123', "+12345678901234567"],
        ),
        (values.Apn, ["Wholesale", "fast.t-mobile.com"], ['a"b', "a b", "", "a\r", "ä", 7, "a" * 101]),
        (values.Credential, ["", "pa ss!#~"], ['"', "a\x1a", "a\x1b", "a\n", "é", 12]),
        (values.Pin, ["1234", "00000000"], [1234, "123", "12a4", "123456789", "1234\n"]),
        (values.HeaderText, ["", "Basic ##NAI##", "ü"], ["a\r", "a\nb", "a\x00"]),
        (values.Networks, [["10.0.0.0/8"], "10.0.0.0/8, ::1/128", []], [["10.0.0.1/8"], ["x"], 3, "x"]),
        (values.ListenAddress, ["[fe80::1]:1"], ["80", "a.example:80", "1.2.3.4", "1.2.3.4:70000", 80, "::1:80:x"]),
    ],
)
def test_each_kind_takes_its_form_only(kind: object, good: list[object], bad: list[object]) -> None:
    adapter = TypeAdapter(kind)
    for value in good:
        adapter.validate_python(value)
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)

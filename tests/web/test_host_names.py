"""Hosts and authorities: one form for each, and None for what is none."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsproxy.web.host_names import canonical_host, plain_address, split_authority


@pytest.mark.parametrize(
    ("written", "host"),
    [("Gateway.LAN.", "gateway.lan"), ("172.028.023.131", "172.28.23.131"), ("010.0.0.01", "10.0.0.1"), ("1.2.3", "1.2.3")],
)
def test_a_host_has_one_form(written: str, host: str) -> None:
    assert canonical_host(written) == host


@pytest.mark.parametrize(
    ("written", "authority"),
    [
        ("Localhost", ("localhost", None)),
        ("mms.example:80", ("mms.example", 80)),
        ("[2001:DB8::1]:8090", ("2001:db8::1", 8090)),
        ("[::1]", ("::1", None)),
        ("127.000.000.001:65535", ("127.0.0.1", 65535)),
    ],
)
def test_host_and_port(written: str, authority: tuple[str, int | None]) -> None:
    assert split_authority(written) == authority


@pytest.mark.parametrize(
    "written", ["", ":80", "a:0", "a:65536", "a:", "a:80:80", "user@a", "a b", "a/b", "::1", "[::1", "a\n", "a\x00", "\u0661"]
)
def test_what_is_no_authority(written: str) -> None:
    assert split_authority(written) is None


def test_addresses_without_their_clothes() -> None:
    assert plain_address("::ffff:192.0.2.1") == ip_address("192.0.2.1")
    assert plain_address("fe80::1%eth0") == ip_address("fe80::1")
    assert plain_address("192.0.2.1") == ip_address("192.0.2.1")
    assert plain_address("192.0.2") is plain_address("localhost") is plain_address("") is None


@given(st.text(max_size=30))
def test_any_text_is_judged(text: str) -> None:
    found = split_authority(text)
    assert found is None or (found[0] == canonical_host(found[0]) and "@" not in text)
    plain_address(text)

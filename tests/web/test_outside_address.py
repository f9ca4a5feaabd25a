"""Addresses by what they lead to, and lists of hosts."""

from __future__ import annotations

import pytest

from mmsproxy.web.outside_address import admits, objection

NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "100.100.100.200", "192.0.0.1", "192.0.2.1", "198.51.100.9", "203.0.113.255", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1", "100::1", "3fff::1",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:0.0.0.0", "::224.0.0.1",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.0.1", "198.18.0.1",
    "::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::1", "::127.0.0.1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::1",
]


@pytest.mark.parametrize("address", NEVER)
def test_never(address: str) -> None:
    assert objection(address, allow_private=True)
    assert objection(address, allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_only_when_allowed(address: str) -> None:
    assert objection(address, allow_private=True) is None
    assert objection(address, allow_private=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_always(address: str) -> None:
    assert objection(address, allow_private=False) is None


@pytest.mark.parametrize("address", ["", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "1.2.3.4.5", "[::1]"])
def test_what_is_no_address_is_refused(address: str) -> None:
    assert objection(address, allow_private=True) == "no address"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("camera.lan", True),
        ("CAMERA.lan.", True),
        ("xcamera.lan", False),
        ("camera.lan.evil.example", False),
        ("a.pics.example", True),
        ("a.b.pics.example", True),
        ("pics.example", False),
        ("evilpics.example", False),
        (".pics.example", False),
        ("192.168.1.9", True),
        ("fd12::1", True),
        ("", False),
    ],
)
def test_list_of_hosts(host: str, expected: bool) -> None:
    assert admits(["camera.lan", "*.Pics.example", "192.168.1.9", "[fd12::1]"], host) is expected


def test_an_empty_list_admits_nobody() -> None:
    assert not admits([], "camera.lan")

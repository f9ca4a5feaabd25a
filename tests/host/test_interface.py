"""An interface as a way out: what hinders its use, sockets that are bound to it, and where its name servers come from."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.errors import BearerError, LinkError, MmsproxyError, PortError
from mmsproxy.host import interface, netlink
from mmsproxy.host.interface import HostSettings, Interface, nameservers
from mmsproxy.host.netlink import Snapshot

LOCAL = ip_address("127.0.0.1")
GOOD = Snapshot("wwan0", 7, True, True, (ip_address("10.1.2.3"), ip_address("fd77::3")))


def bound_to(made: socket.socket) -> str:
    return made.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0").decode()


def refusing(code: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(code, "refused")

    return refuse


FAULTS: dict[str, tuple[Snapshot, dict[str, Any], type[MmsproxyError], str]] = {
    "missing": (Snapshot("wwan0"), {}, PortError, "there is no network interface wwan0; plug the modem in, or correct host.interface"),
    "off": (Snapshot("wwan0", 7), {}, BearerError, "wwan0 is switched off; connect the modem"),
    "no carrier": (Snapshot("wwan0", 7, True), {}, BearerError, "wwan0 has no carrier; connect the modem"),
    "no address": (Snapshot("wwan0", 7, True, True), {}, BearerError, "wwan0 has no IP address; connect the modem"),
    "not its own": (GOOD, {"source": "10.1.2.4"}, BearerError, "10.1.2.4 is no address of wwan0; leave host.source out"),
}


@pytest.mark.parametrize(("snapshot", "settings", "kind", "text"), FAULTS.values(), ids=FAULTS)
def test_what_hinders_its_use(
    snapshot: Snapshot, settings: dict[str, Any], kind: type[MmsproxyError], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netlink, "look", lambda name: snapshot)
    with pytest.raises(kind) as caught:
        Interface(HostSettings("wwan0", **settings)).usable()
    assert str(caught.value).startswith(text)
    assert type(caught.value) is kind
    assert caught.value.retryable


def test_nothing_hinders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "look", lambda name: GOOD)
    assert Interface(HostSettings("wwan0", source="fd77::3")).usable() is GOOD


def test_the_kernel_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "look", refusing(errno.EPERM))
    with pytest.raises(LinkError, match=r"the kernel does not tell about wwan0: .*; let the gateway use netlink"):
        Interface(HostSettings("wwan0")).usable()


@pytest.mark.parametrize(
    ("addresses", "source", "families"),
    [
        (("10.1.2.3", "fd77::3"), None, (6, 4)),
        (("10.1.2.3",), None, (4,)),
        (("fd77::3",), None, (6,)),
        (("10.1.2.3", "fd77::3"), "10.1.2.3", (4,)),
    ],
)
def test_families(addresses: tuple[str, ...], source: str | None, families: tuple[int, ...]) -> None:
    snapshot = Snapshot("wwan0", 7, True, True, tuple(map(ip_address, addresses)))
    assert Interface(HostSettings("wwan0", source=source)).families(snapshot) == families


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_is_bound_to_the_device(kind: int) -> None:
    with Interface(HostSettings("lo")).open_socket(kind, LOCAL) as made:
        assert bound_to(made) == "lo"
        assert made.type == kind
        assert made.gettimeout() == 0
        assert made.getsockname() == ("0.0.0.0", 0)


def test_and_to_the_address_that_was_asked_for() -> None:
    with Interface(HostSettings("lo", source="127.0.0.1")).open_socket(socket.SOCK_STREAM, LOCAL) as made:
        assert bound_to(made) == "lo"
        assert made.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES, errno.ENOPROTOOPT, errno.ENOSYS])
def test_where_that_is_forbidden_to_its_address(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "bind_to_device", refusing(code))
    with Interface(HostSettings("lo")).open_socket(socket.SOCK_STREAM, LOCAL) as made:
        assert bound_to(made) == ""
        assert made.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("way", [None, 99])
def test_but_not_when_it_would_leave_elsewhere(way: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "bind_to_device", refusing(errno.EPERM))
    monkeypatch.setattr(netlink, "route_leaves_by", lambda destination, source: way)
    with pytest.raises(BearerError, match=r"from 127\.0\.0\.1 to 127\.0\.0\.1 would not leave by lo; give the gateway CAP_NET_RAW"):
        Interface(HostSettings("lo")).open_socket(socket.SOCK_STREAM, LOCAL)


@pytest.mark.parametrize(("code", "kind"), [(errno.ENODEV, PortError), (errno.EINVAL, LinkError)])
def test_other_refusals(code: int, kind: type[MmsproxyError], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "bind_to_device", refusing(code))
    with pytest.raises(kind) as caught:
        Interface(HostSettings("lo")).open_socket(socket.SOCK_STREAM, LOCAL)
    assert type(caught.value) is kind


def test_an_address_that_is_gone_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = (ip_address("198.18.7.7"),)
    monkeypatch.setattr(netlink, "look", lambda name: Snapshot("lo", 1, True, True, addresses))
    with pytest.raises(BearerError, match=r"198\.18\.7\.7 of lo cannot be used: .*; see `ip address`"):
        Interface(HostSettings("lo", source="198.18.7.7")).open_socket(socket.SOCK_STREAM, LOCAL)


def test_a_family_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "look", lambda name: Snapshot("lo", 1, True, True, (LOCAL,)))
    with pytest.raises(BearerError, match="fd77::1 is IPv6, and lo has no such address; connect the modem with the IP type"):
        Interface(HostSettings("lo")).open_socket(socket.SOCK_STREAM, ip_address("fd77::1"))


def test_a_system_without_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_BINDTODEVICE")
    with socket.socket() as made:
        with pytest.raises(OSError, match="binds no socket to a device"):
            interface.bind_to_device(made, "lo")


@pytest.mark.parametrize(
    ("address", "sockaddr"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("fd77::1", ("fd77::1", 53, 0, 0)),
        ("fe80::1", ("fe80::1", 53, 0, socket.if_nametoindex("lo"))),
        ("fe80::1%eth9", ("fe80::1", 53, 0, socket.if_nametoindex("lo"))),
    ],
)
def test_socket_addresses(address: str, sockaddr: tuple[Any, ...]) -> None:
    assert Interface(HostSettings("lo")).sockaddr(ip_address(address), 53) == sockaddr


def test_name_servers_that_are_set(tmp_path: Path) -> None:
    settings = HostSettings("lo", dns=("10.0.0.1", "fd77::1", "10.0.0.3", "10.0.0.4"), resolv_conf=str(tmp_path / "none"))
    assert Interface(settings).servers() == tuple(map(ip_address, ("10.0.0.1", "fd77::1", "10.0.0.3")))


def test_name_servers_from_a_file_read_afresh(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    known = Interface(HostSettings("lo", resolv_conf=str(path)))
    for server in ("10.0.0.1", "10.0.0.2"):
        path.write_text(f"nameserver {server}\n")
        assert known.servers() == (ip_address(server),)
    path.write_text("search lan\n")
    with pytest.raises(BearerError, match="no name server of lo is known"):
        known.servers()
    path.unlink()
    with pytest.raises(BearerError, match=r"cannot be read: No such file or directory; it is written when the modem is connected"):
        known.servers()


def test_no_name_server() -> None:
    with pytest.raises(BearerError, match=r"no name server of lo is known; set host\.dns .*docs/host-bearer\.md"):
        Interface(HostSettings("lo")).servers()


def test_a_file_of_name_servers() -> None:
    text = (
        "; x\n#nameserver 1.1.1.1\n nameserver 10.0.0.1 # first\nnameserver\nnameserver fe80::1%wwan0\nNAMESERVER 9.9.9.9\nnameserver x\n"
    )
    assert nameservers(text) == ("10.0.0.1", "fe80::1%wwan0")

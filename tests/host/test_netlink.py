"""What the kernel tells: `lo` as it is here, messages laid by hand, and changes in a namespace of the test's own."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from ipaddress import ip_address
from typing import Any

import pytest

from mmsproxy.host import netlink
from mmsproxy.host.netlink import Monitor, Snapshot, look, route_leaves_by


def test_loopback() -> None:
    found = look("lo")
    assert (found.name, found.index, found.is_up, found.is_running) == ("lo", socket.if_nametoindex("lo"), True, True)
    assert ip_address("127.0.0.1") in found.addresses


@pytest.mark.parametrize("name", ["mmsproxy-none", "x" * 200, "", "a/b"])
def test_none_of_this_name(name: str) -> None:
    assert look(name) == Snapshot(name)


def test_the_way_to_oneself() -> None:
    own = ip_address("127.0.0.1")
    assert route_leaves_by(own, own) == socket.if_nametoindex("lo")


def test_no_netlink_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_NETLINK")
    with pytest.raises(OSError, match="Linux's own"):
        look("lo")
    with pytest.raises(OSError, match="Linux's own"):
        Monitor()


def message(kind: int, body: bytes, sequence: int = 1) -> bytes:
    padded = body + bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, sequence, 0) + padded


def test_messages_are_taken_apart() -> None:
    data = message(16, b"one") + message(20, b"four") + message(3, b"")
    assert list(netlink.messages(data)) == [(1, 16, b"one"), (1, 20, b"four"), (1, 3, b"")]


@pytest.mark.parametrize(
    "bad", [b"", b"\0" * 15, struct.pack("=IHHII", 15, 16, 0, 1, 0), struct.pack("=IHHII", 999, 16, 0, 1, 0), b"\0" * 64]
)
def test_what_is_not_whole_is_left_out(bad: bytes) -> None:
    assert list(netlink.messages(message(16, b"one") + bad)) == [(1, 16, b"one")]


def test_refusals_are_errors_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        """Answers everything with one error."""

        code = errno.EPERM

        def __init__(self, *_: object) -> None:
            return

        def settimeout(self, _: float) -> None:
            return

        def sendto(self, *_: object) -> None:
            return

        def recvfrom(self, _: int) -> tuple[bytes, tuple[int, int]]:
            return message(2, struct.pack("=i", -self.code)), (0, 0)

        def close(self) -> None:
            return

    monkeypatch.setattr(netlink, "_open", Kernel)
    with pytest.raises(PermissionError):
        look("lo")
    Kernel.code = errno.ENODEV
    assert look("lo") == Snapshot("lo")
    Kernel.code = errno.ENETUNREACH
    assert route_leaves_by(ip_address("198.18.0.1"), ip_address("127.0.0.1")) is None
    Kernel.code = errno.EPERM
    with pytest.raises(PermissionError):
        route_leaves_by(ip_address("198.18.0.1"), ip_address("127.0.0.1"))


@pytest.mark.parametrize(("code", "is_raised"), [(errno.ENOBUFS, False), (errno.EBADF, True)])
def test_news_that_were_dropped_are_news(code: int, is_raised: bool) -> None:
    monitor = Monitor()
    real, calls = monitor._socket, list[int]()

    class Full:
        def recv(self, size: int) -> bytes:
            calls.append(size)
            raise OSError(code, "no buffer space") if len(calls) == 1 else BlockingIOError

    monitor._socket = Full()  # type: ignore[assignment]
    try:
        if is_raised:
            with pytest.raises(OSError, match="no buffer space"):
                monitor.drain()
        else:
            monitor.drain()
            assert len(calls) == 2
    finally:
        real.close()


def test_words_of_others_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may send to the socket, and an answer to an earlier question may come late."""
    link = struct.pack("=BxHiII", 0, 0, 1, netlink.IFF_UP, 0)
    queue = [
        (message(16, link), (4711, 0)),
        (message(16, link, sequence=9), (0, 0)),
        (message(16, link), (0, 0)),
        (message(3, b"", 2), (0, 0)),
    ]

    class Kernel:
        def settimeout(self, _: float) -> None:
            return

        def sendto(self, *_: object) -> None:
            return

        def recvfrom(self, _: int) -> tuple[bytes, tuple[int, int]]:
            return queue.pop(0)

        def close(self) -> None:
            return

    monkeypatch.setattr(netlink, "_open", Kernel)
    assert look("lo") == Snapshot("lo", socket.if_nametoindex("lo"), True, False, ())
    assert not queue


@pytest.mark.needs_root
def test_flags_addresses_and_routes(network: Any) -> None:
    async def scenario() -> None:
        found = look("wwan0")
        assert found.is_up
        assert found.is_running
        assert found.addresses == (ip_address("10.77.1.2"), ip_address("fd77:1::2"))  # the link-local one is not among them
        far = ip_address("198.18.0.10")
        assert route_leaves_by(far, ip_address("10.77.1.2")) == look("lan0").index
        assert route_leaves_by(ip_address("10.77.1.1"), ip_address("10.77.1.2")) == found.index
        assert route_leaves_by(ip_address("fd77:1::1"), ip_address("fd77:1::2")) == found.index
        await network.ip(network.near, "addr add fd77:1::99/64 dev wwan0 nodad preferred_lft 0")
        await network.ip(network.near, "addr add 10.77.5.1 peer 10.77.5.2 dev wwan0")
        assert look("wwan0").addresses[-1] == ip_address("fd77:1::99")  # deprecated
        assert ip_address("10.77.5.1") in look("wwan0").addresses  # its own, not the peer's
        await network.ip(network.near, "link set dev wwan0 down")
        assert not look("wwan0").is_up
        await network.ip(network.near, "route flush table main")
        assert route_leaves_by(far, ip_address("10.77.2.2")) is None

    network.near.do(scenario())


@pytest.mark.needs_root
def test_an_address_that_is_not_checked_yet_is_none(network: Any) -> None:
    async def scenario() -> None:
        await network.ip(network.near, "link set wwan0 multicast on")
        await network.ip(network.near, "addr add fd77:1::77/64 dev wwan0")  # duplicate address detection takes a second
        assert ip_address("fd77:1::77") not in look("wwan0").addresses

    network.near.do(scenario())


@pytest.mark.needs_root
def test_news(network: Any) -> None:
    async def scenario() -> None:
        monitor, news = Monitor(), asyncio.Event()
        asyncio.get_running_loop().add_reader(monitor.fileno(), news.set)
        try:
            monitor.drain()
            for words in ("link set wwan0 down", "addr add 10.77.9.1/24 dev wwan0", "addr add fd77:9::1/64 dev wwan0", "link set wwan0 up"):
                news.clear()
                await network.ip(network.near, words)
                await asyncio.wait_for(news.wait(), 10)
                monitor.drain()
        finally:
            asyncio.get_running_loop().remove_reader(monitor.fileno())
            monitor.close()

    network.near.do(scenario())

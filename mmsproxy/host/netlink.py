"""What the kernel says about interfaces, addresses and routes, by rtnetlink (RFC 3549; rtnetlink(7)). Linux only.

Rule 1: only questions, never a change; no privilege is needed. Rule 2: the kernel answers inside the call, so a question may be asked
from the loop. Rule 3: what it knows of an interface are its flags and addresses; whether that is enough is decided elsewhere.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

ANSWER_LIMIT = 1.0  # seconds; the kernel answers at once, a sandbox that swallows the question must not stop the loop for ever
BUFFER = 65_536  # octets; the kernel cuts a dump into messages of at most 32 KiB (rtnetlink's NLMSG_GOODSIZE and the reader's own buffer)
MAX_MESSAGES = 100_000  # of one dump; a router with all of the internet's routes is not asked for them

# linux/rtnetlink.h and linux/netlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_GETLINK = 16, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
NLM_F_REQUEST, NLM_F_DUMP = 0x01, 0x300
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x01, 0x10, 0x100
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE = 0x08, 0x20, 0x40
RTA_DST, RTA_SRC, RTA_OIF = 1, 2, 4
IFF_UP, IFF_RUNNING = 0x01, 0x40

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr: length, type


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One interface at one moment.

    index       0 when there is none of this name
    is_up       switched on by the system
    is_running  it has a carrier, as far as its driver can tell
    addresses   usable ones that are not link-local, deprecated ones last
    """

    name: str
    index: int = 0
    is_up: bool = False
    is_running: bool = False
    addresses: tuple[Address, ...] = ()


def look(name: str) -> Snapshot:
    """Raises OSError when the kernel does not answer; an interface that is not there is a Snapshot with index 0."""
    try:
        index = socket.if_nametoindex(name)
    except OSError:  # Python gives no errno here
        return Snapshot(name)
    try:
        with _Asker() as asker:
            flags = _flags(asker, index)
            return Snapshot(name, index, bool(flags & IFF_UP), bool(flags & IFF_RUNNING), _addresses(asker, index))
    except OSError as error:
        if error.errno == errno.ENODEV:  # gone between two questions
            return Snapshot(name)
        raise


def route_leaves_by(destination: Address, source: Address) -> int | None:
    """The index of the interface by which a packet from `source` leaves; None when there is no route. Raises OSError."""
    family, bits = (socket.AF_INET, 32) if destination.version == 4 else (socket.AF_INET6, 128)
    question = _ROUTE.pack(family, bits, bits, 0, 0, 0, 0, 0, 0)
    question += _attribute(RTA_DST, destination.packed) + _attribute(RTA_SRC, source.packed)
    try:
        with _Asker() as asker:
            for body in asker.ask(RTM_GETROUTE, question, RTM_NEWROUTE):
                out = _attributes(body[_ROUTE.size :]).get(RTA_OIF)
                return None if out is None or len(out) != 4 else int(struct.unpack("=I", out)[0])
    except OSError as error:
        if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ESRCH, errno.EINVAL, errno.EACCES):
            raise
    return None


class Monitor:
    """A socket that becomes readable when an interface or an address has changed. What has changed must be looked up: messages get lost."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._socket = _open()
        self._socket.setblocking(False)
        try:
            self._socket.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> None:
        """Reads what has come. Raises OSError when the socket is of no use any more."""
        for _ in range(MAX_MESSAGES):
            try:
                self._socket.recv(BUFFER)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # some were dropped, which makes no difference
                    raise

    def close(self) -> None:
        self._socket.close()


class _Asker:
    """One socket for a few questions."""

    def __enter__(self) -> _Asker:
        self._socket = _open()
        self._socket.settimeout(ANSWER_LIMIT)
        self._sequence = 0
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, body: bytes, wanted: int, *, dump: bool = False) -> Iterator[bytes]:
        """The bodies of the answers of type `wanted`."""
        self._sequence += 1
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
        self._socket.sendto(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body, (0, 0))
        for _ in range(MAX_MESSAGES):
            data, (sender, _) = self._socket.recvfrom(BUFFER)
            if sender != 0:
                continue  # another process may write to this socket too
            for sequence, answer, content in messages(data):
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_DONE:
                    return
                if answer == NLMSG_ERROR:
                    raise _error(content)
                if answer == wanted:
                    yield content
                    if not dump:
                        return
        raise OSError(errno.EMSGSIZE, "an answer without end")


def _open() -> socket.socket:
    """Raises OSError, also where there is no netlink at all."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise OSError(errno.EAFNOSUPPORT, "netlink is Linux's own")
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, getattr(socket, "NETLINK_ROUTE", 0))


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Sequence number, type and body of each whole netlink message in `data`; what is not whole is left out."""
    while len(data) >= _HEADER.size:
        length, kind, _, sequence, _ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            return
        yield sequence, kind, data[_HEADER.size : length]
        data = data[_aligned(length) :]


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if not _ATTRIBUTE.size <= length <= len(data):
            break
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _flags(asker: _Asker, index: int) -> int:
    for body in asker.ask(RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0), RTM_NEWLINK):
        return int(_LINK.unpack_from(body)[3])
    return 0


def _addresses(asker: _Asker, index: int) -> tuple[Address, ...]:
    usable: list[tuple[bool, Address]] = []
    for body in asker.ask(RTM_GETADDR, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0), RTM_NEWADDR, dump=True):
        _, _, short_flags, _, of = _ADDRESS.unpack_from(body)
        attributes = _attributes(body[_ADDRESS.size :])
        flags = struct.unpack("=I", attributes[IFA_FLAGS])[0] if IFA_FLAGS in attributes else short_flags
        octets = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS) or b""  # on a point-to-point link the latter is the peer's
        if of != index or flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) or len(octets) not in (4, 16):
            continue
        address = ip_address(octets)
        if not address.is_link_local:
            usable.append((bool(flags & IFA_F_DEPRECATED), address))
    return tuple(address for _, address in sorted(usable, key=lambda item: item[0]))


def _error(content: bytes) -> OSError:
    code = -struct.unpack_from("=i", content)[0] if len(content) >= 4 else errno.EPROTO
    return OSError(code, os.strerror(code))


def _aligned(length: int) -> int:
    return (length + 3) & ~3

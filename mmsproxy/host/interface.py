"""One network interface as a way out: whether it can be used, and sockets that leave by it and by no other.

Rule 1: a socket is bound to the device (SO_BINDTODEVICE). Where the kernel forbids that (before Linux 5.7 without CAP_NET_RAW) it is bound
to the interface's own address, and then only when the routing table really sends that address out there: an MMS never leaves by the
LAN. Rule 2: nothing is remembered; each look is a fresh one. Rule 3: what is wrong is told in one line with the cure.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from mmsproxy.errors import BearerError, LinkError, PortError
from mmsproxy.host import netlink
from mmsproxy.host.netlink import Snapshot

Address = IPv4Address | IPv6Address

MAX_SERVERS = 3  # name servers asked; resolv.conf(5) has the same bound (MAXNS)
RESOLV_CONF_MAX = 65_536  # octets of the file that are read


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What the link through an interface has to know.

    interface    its name, e.g. wwan0, usb0, ppp0
    dns          the bearer's name servers as IP addresses, the first three count
    resolv_conf  a file with `nameserver` lines that the program which connects the modem writes, read afresh when a name is asked for;
                 only looked at when `dns` is empty
    source       the own address that connections leave from, where the interface has several; None: the kernel chooses
    """

    interface: str
    dns: tuple[str, ...] = ()
    resolv_conf: str | None = None
    source: str | None = None


class Interface:
    """The interface that `settings` names; it need not be there yet."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings

    def __repr__(self) -> str:
        return f"<Interface {self.name}>"

    @property
    def name(self) -> str:
        return self._settings.interface

    def look(self) -> Snapshot:
        """The interface as it is now. Raises LinkError when the kernel does not tell."""
        try:
            return netlink.look(self.name)
        except OSError as error:
            raise LinkError(f"the kernel does not tell about {self.name}: {error}", cure="let the gateway use netlink sockets") from error

    def usable(self) -> Snapshot:
        """As `look`. Raises PortError when it is not there, BearerError when it cannot carry anything."""
        snapshot = self.look()
        if fault := self.fault(snapshot):
            raise fault
        return snapshot

    def families(self, snapshot: Snapshot) -> tuple[int, ...]:
        """4, 6 or both, 6 first (RFC 6724): what connections can be made from."""
        return tuple(version for version in (6, 4) if self._source(snapshot, version) is not None)

    def servers(self) -> tuple[Address, ...]:
        """The bearer's name servers. Raises BearerError when none are known."""
        listed = self._settings.dns or self._from_file()
        if not listed:
            raise BearerError(f"no name server of {self.name} is known", cure=self._dns_cure())
        return tuple(ip_address(text) for text in listed[:MAX_SERVERS])

    def open_socket(self, kind: int, destination: Address) -> socket.socket:
        """A non-blocking socket of `kind` (SOCK_STREAM, SOCK_DGRAM) for traffic to `destination`. Raises LinkError."""
        snapshot = self.usable()
        source = self._source(snapshot, destination.version)
        if source is None:
            raise BearerError(f"{destination} is IPv{destination.version}, and {self.name} has no such address", cure=self._family_cure())
        family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
        made = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._bind(made, snapshot, source, destination)
        except BaseException:
            made.close()
            raise
        return made

    def sockaddr(self, address: Address, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        """For `connect`. A link-local address is one of this interface, whatever zone was written behind it."""
        if isinstance(address, IPv4Address):
            return str(address), port
        zone = socket.if_nametoindex(self.name) if address.is_link_local else 0
        return str(IPv6Address(address.packed)), port, 0, zone

    def _bind(self, made: socket.socket, snapshot: Snapshot, source: Address, destination: Address) -> None:
        is_bound = self._bind_to_device(made)
        if not is_bound:
            self._check_route(snapshot, source, destination)
        if self._settings.source is None and is_bound:
            return
        try:
            made.bind((str(source), 0))
        except OSError as error:
            raise BearerError(f"{source} of {self.name} cannot be used: {error.strerror}", cure="see `ip address`") from error

    def _bind_to_device(self, made: socket.socket) -> bool:
        try:
            bind_to_device(made, self.name)
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise self._missing() from error
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOPROTOOPT, errno.ENOSYS):
                raise LinkError(f"no socket can be bound to {self.name}: {error.strerror}") from error
            return False
        return True

    def _check_route(self, snapshot: Snapshot, source: Address, destination: Address) -> None:
        if netlink.route_leaves_by(destination, source) != snapshot.index:
            cure = (
                f"give the gateway CAP_NET_RAW, or add `ip rule add from {source} lookup N` with a default route of {self.name} in table N"
            )
            raise BearerError(f"packets from {source} to {destination} would not leave by {self.name}", cure=cure)

    def _source(self, snapshot: Snapshot, version: int) -> Address | None:
        wanted = self._settings.source
        addresses = snapshot.addresses if wanted is None else (ip_address(wanted),)
        return next((address for address in addresses if address.version == version), None)

    def fault(self, snapshot: Snapshot) -> LinkError | None:
        """What hinders its use: PortError, BearerError; None when nothing does."""
        name, source = self.name, self._settings.source
        if not snapshot.index:
            return self._missing()
        if not snapshot.is_up:
            return BearerError(f"{name} is switched off", cure="connect the modem with its own program, or `ip link set` it up")
        if not snapshot.is_running:
            return BearerError(f"{name} has no carrier", cure="connect the modem with its own program (mmcli, nmcli, pppd)")
        if not snapshot.addresses:
            return BearerError(f"{name} has no IP address", cure="connect the modem with its own program; see `ip address`")
        if source is not None and ip_address(source) not in snapshot.addresses:
            return BearerError(f"{source} is no address of {name}", cure="leave host.source out unless the interface has several")
        return None

    def _missing(self) -> PortError:
        return PortError(f"there is no network interface {self.name}", cure="plug the modem in, or correct host.interface; see `ip link`")

    def _from_file(self) -> tuple[str, ...]:
        path = self._settings.resolv_conf
        if path is None:
            return ()
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                text = file.read(RESOLV_CONF_MAX)
        except OSError as error:
            cure = "it is written when the modem is connected; correct host.resolv_conf or use host.dns"
            raise BearerError(f"{path} with the name servers of {self.name} cannot be read: {error.strerror}", cure=cure) from error
        return nameservers(text)

    def _dns_cure(self) -> str:
        return "set host.dns to those of the carrier (see docs/host-bearer.md), or write the MMSC and its proxy as IP addresses"

    def _family_cure(self) -> str:
        return "connect the modem with the IP type that the carrier's MMS needs (IPV4V6 where in doubt)"


def bind_to_device(made: socket.socket, name: str) -> None:
    """Raises OSError. Linux only; elsewhere ENOSYS."""
    option = getattr(socket, "SO_BINDTODEVICE", None)
    if option is None:
        raise OSError(errno.ENOSYS, "this system binds no socket to a device")
    made.setsockopt(socket.SOL_SOCKET, option, name.encode() + b"\0")


def nameservers(text: str) -> tuple[str, ...]:
    """The addresses of `nameserver` lines as resolv.conf(5) has them; what is no address is left out."""
    lines = (line.split() for line in text.splitlines())
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

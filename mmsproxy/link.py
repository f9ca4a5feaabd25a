"""What a link to the mobile network offers to the rooms above it. Protocols and plain facts only: no logic, no I/O.

A link is one way into one subscription's network (a serial modem, later an interface of this host). Its streams are TCP connections
that leave from the subscriber's own address. Whoever uses a stream reads from its ledger what may have left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

from mmsproxy.errors import LinkError


class Phase(IntEnum):
    """How far an attempt came (modems.md 5.1). From LAST_BYTE on, a failure means that the outcome is unknown."""

    NO_BEARER = 0
    OPEN = 1  # TCP is open, no byte of the body offered
    PART_OFFERED = 2  # 1 .. n-1 body bytes offered: the MMSC cannot have the whole Content-Length
    LAST_BYTE = 3  # the last byte was offered
    ALL_ACKED = 4  # the modem says that all bytes are TCP-acknowledged
    ANSWER_BEGUN = 5
    ANSWER_WHOLE = 6


@dataclass(slots=True)
class Ledger:
    """Bytes of one stream, counted upwards: given >= offered >= accepted >= acked.

    given     handed over by the caller
    offered   payload written to the port after the modem's prompt; counted BEFORE the write, so `offered == 0` is proof that none left
    accepted  confirmed by the modem's result
    acked     acknowledged by the far end's TCP, by the modem's own counter
    """

    given: int = 0
    offered: int = 0
    accepted: int = 0
    acked: int = 0


class LinkStatus(IntEnum):
    """The state of a link as a whole, worst first."""

    DOWN = 0  # the port is closed or the modem does not answer
    STARTING = 1
    ATTACHED = 2  # the modem is set up; no bearer yet
    BEARER_UP = 3


@dataclass(frozen=True, slots=True)
class LinkState:
    """A snapshot for people and for the doors. `reason` is one line with the cure while the link is down."""

    status: LinkStatus
    reason: str = ""
    modem: str = ""
    dialect: str = ""
    operator: str = ""
    signal_dbm: int | None = None


class Stream(Protocol):
    """One TCP connection over the link. All methods raise only LinkError or CarrierError (and CancelledError)."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def max_send(self) -> int:
        """The most bytes the link takes at once; `send` splits by itself, this is for callers that want to align."""

    async def send(self, data: bytes | memoryview, *, more: bool = False) -> None:
        """Returns when the link has accepted all of `data`. Once a chunk was asked for, its bytes follow, whatever is cancelled above.

        `more` says that the request is not complete with these bytes: further ones of it must follow, or the far end cannot have it. A
        link that has lost its place in the middle may then fill up what it announced; it never may where that would complete a request.
        """

    async def recv(self) -> bytes:
        """The next bytes, at least one; b"" when the peer has closed and all that it sent was read."""

    async def acknowledged(self) -> None:
        """Returns when the far end's TCP has acknowledged all that was given; never while that is not known. Raises nothing."""

    async def close(self) -> None:
        """Returns when the socket is free again. May be called twice; never raises LinkError."""


class Link(Protocol):
    """One way into the mobile network."""

    @property
    def state(self) -> LinkState: ...

    async def start(self) -> None:
        """Begins to own the port. Returns at once: a port that is missing, busy or forbidden is reported by `state` and retried."""

    async def stop(self) -> None:
        """Closes all streams and the port. May be called twice."""

    async def ready(self) -> None:
        """The bearer is up: checked by one short command, or brought up. Raises LinkError (PortError, BearerError ...) at once when it
        cannot be; waits for a modem that is just starting."""

    async def open(self, host: str, port: int) -> Stream:
        """Opens TCP to host:port (the carrier's DNS resolves the name). One stream at a time: the caller holds the link until `close`
        has returned. Raises ConnectError or LinkError."""


@dataclass(frozen=True, slots=True)
class StoredSms:
    """An SMS that came: for `wire.sms_pdu.decode_listed(pdu, length)`.

    pdu      hex as the modem shows it, mostly with the service centre in front
    length   octets of the TPDU without the service centre
    storage  where it lies in the modem; empty where it came directly and lies nowhere
    index    its place there. Good until it is deleted or the modem restarts, then given to another
    """

    pdu: str
    length: int
    storage: str = ""
    index: int | None = None


@dataclass(frozen=True, slots=True)
class SmsFill:
    """How full the storage of incoming messages is. A full one stops them all, silently."""

    storage: str
    used: int
    total: int

    @property
    def is_filling(self) -> bool:
        """At 80 % (modems.md 7.3)."""
        return self.used * 10 >= self.total * 8


@dataclass(frozen=True, slots=True)
class SentParts:
    """What became of the parts of one message, in order: the references of those that the network took, and what stopped the rest. With
    SmsUnknown the part behind the last reference may have left too."""

    references: tuple[int, ...]
    fault: LinkError | None = None


class Sms(Protocol):
    """The link's SMS face: primitives. Nothing is deleted but by `delete`, and nothing is sent twice."""

    @property
    def fill(self) -> SmsFill | None:
        """As last seen; None while nobody has looked."""

    def subscribe(
        self, received: Callable[[StoredSms], None], *, filling: Callable[[SmsFill], None] = lambda fill: None
    ) -> Callable[[], None]:
        """`received` gets each SMS once, and all that still lie in the modem again after a restart or `refresh`; so it must know a message
        that it has stored. What comes directly (a report, on many modems) comes once, to who is subscribed then. `filling` is told when
        the storage has reached 80 %. Returns the call that ends the subscription."""

    async def send(self, length: int, pdu: str) -> int:
        """One SUBMIT as `wire.sms_pdu.cmgs` makes it; returns the reference that its status report names (0..255). Raises AtStringError
        for what is no PDU, SmsUnknown when it may have left, and any other LinkError when it has not. Once it is begun it is gone through
        with, even if the caller is cancelled."""

    async def send_all(self, parts: Sequence[tuple[int, str]]) -> SentParts:
        """The parts of one message in order, with the radio link kept open between them; the first that fails stops the rest. Raises only
        AtStringError, and then nothing has left."""

    async def delete(self, sms: StoredSms) -> bool:
        """Only once it is stored durably. For one that came directly: tells the modem that it is, where the modem wants that. False when
        another message lies there now, or the modem restarted since: then it was told again. Raises LinkError."""

    async def refresh(self) -> None:
        """Looks into the modem now, and tells all that lie there. Raises LinkError."""


@runtime_checkable
class SmsLink(Link, Protocol):
    """A link that carries SMS beside its streams."""

    @property
    def sms(self) -> Sms: ...


class Tap(Protocol):
    """Something that writes down all that passes a link (trace.py). Never raises, never blocks."""

    def sent(self, data: bytes) -> None: ...

    def received(self, data: bytes) -> None: ...

    def note(self, kind: str, text: str) -> None:
        """A fact beside the bytes: `port`, `state`, `http`, `pdu`."""

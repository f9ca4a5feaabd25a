"""What a simulated modem's storages hold, and what the network took from it or holds back for it.

Law: state only, no AT text and no TPDU's meaning. It outlives restarts of the modem.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

SM, ME, SR = "SM", "ME", "SR"
CAPACITY = {SM: 20, ME: 23, SR: 10}
UNREAD, READ, UNSENT, SENT = range(4)  # 27.005 3.1 <stat>


class Arrival(Enum):
    """How the host hears of a message (modems.md 7.2). BY_SETTING: as +CNMI says."""

    BY_SETTING = "by setting"
    STORED = "+CMTI"
    MMS_PUSH = "+CMTI, MMS PUSH"  # SIMCom's firmware with an MMS client
    MMS_PUSH_PARTS = "+CMTI, MMS PUSH, parts"
    DIRECT = "+CMT"
    REPORT_STORED = "+CDSI"
    REPORT_DIRECT = "+CDS"
    SILENT = "stored, and not told"


@dataclass(slots=True)
class Message:
    """Hex with the service centre in front, and 27.005's state: UNREAD, READ, UNSENT or SENT."""

    pdu: str
    status: int = UNREAD

    @property
    def length(self) -> int:
        """Octets without the service centre."""
        return len(self.pdu) // 2 - 1 - int(self.pdu[:2], 16)


@dataclass(frozen=True, slots=True)
class SentSms:
    """A SUBMIT that the network took: the reference told to the host, and the PDU as the host gave it, with the service centre."""

    reference: int
    pdu: str


@dataclass(slots=True)
class Storage:
    """Indexes count from `first` and are used again."""

    total: int
    first: int = 1
    slots: dict[int, Message] = field(default_factory=dict)

    def put(self, message: Message) -> int | None:
        """The index; None when it is full."""
        free = next((index for index in range(self.first, self.first + self.total) if index not in self.slots), None)
        if free is not None:
            self.slots[free] = message
        return free


class Messages:
    """What outlives a restart. `waiting` are messages that the network could not deliver yet, `sent` all that it took.

    report_status is the TP-ST of the report for a SUBMIT that asks for one (0: received by the recipient); None: none ever comes.
    """

    def __init__(self) -> None:
        self.storages = {SM: Storage(CAPACITY[SM]), ME: Storage(CAPACITY[ME], first=0), SR: Storage(CAPACITY[SR])}
        self.waiting: list[tuple[str, Arrival]] = []
        self.sent: list[SentSms] = []
        self.report_status: int | None = 0x00
        self._reference = 0

    def next_reference(self) -> int:
        """Eight bits; wraps (23.040 9.2.3.6)."""
        self._reference = (self._reference + 1) % 0x100
        return self._reference

"""What SMS TPDUs say, as frozen dataclasses: SMS-DELIVER, SMS-SUBMIT, SMS-STATUS-REPORT (3GPP TS 23.040 9.2.2).

Rule 1: fields stand in the order of the specification and hold values that keep their octets. Rule 2: no reading and no writing here:
that is `sms_pdu`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mmsproxy.wire import sms_schema as schema
from mmsproxy.wire.sms_schema import Alphabet
from mmsproxy.wire.sms_service import Status, Validity
from mmsproxy.wire.sms_udh import Concatenation, Ports
from mmsproxy.wire.sms_user_data import UserData
from mmsproxy.wire.sms_values import Address, Dcs, ServiceCentre, Timestamp
from mmsproxy.wsp.values import PduWarning

_PLAIN = Dcs(0)
_FOREVER = Validity()


class Direction(Enum):
    """MT: service centre to mobile. MO: mobile to service centre."""

    MT = "mt"
    MO = "mo"


class _Carrier:
    """What the TPDUs with user data have in common."""

    __slots__ = ()
    first_octet: int
    dcs: Dcs
    user_data: UserData

    @property
    def text(self) -> str | None:
        """The text of this part, or None for data."""
        return self.user_data.text(self.dcs)

    @property
    def data(self) -> bytes:
        """The octets behind the user data header, packed septets included."""
        return self.user_data.data

    @property
    def alphabet(self) -> Alphabet:
        """The alphabet in use: data for WAP push, whatever the coding scheme says."""
        return self.user_data.alphabet(self.dcs)

    @property
    def ports(self) -> Ports | None:
        return self.user_data.ports

    @property
    def concatenation(self) -> Concatenation | None:
        """The place of this part in its message, None for a message of its own."""
        return self.user_data.concatenation

    @property
    def reply_path(self) -> bool:
        return bool(self.first_octet & schema.REPLY_PATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver(_Carrier):
    """SMS-DELIVER (9.2.2.1): a message to the mobile.

    smsc         the service centre in front; None if the field is not there (then encoding writes none either)
    first_octet  as it stands; encoding sets its header bit by `user_data`
    tail         octets behind the TPDU
    """

    originator: Address
    timestamp: Timestamp
    user_data: UserData
    dcs: Dcs = _PLAIN
    pid: int = 0
    first_octet: int = schema.MTI_DELIVER | schema.MORE_MESSAGES_NONE
    smsc: ServiceCentre | None = None
    tail: bytes = b""
    warnings: tuple[PduWarning, ...] = field(default=(), compare=False)

    @property
    def more_messages(self) -> bool:
        """Whether the service centre has more for this mobile."""
        return not self.first_octet & schema.MORE_MESSAGES_NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit(_Carrier):
    """SMS-SUBMIT (9.2.2.2): a message from the mobile.

    reference    TP-MR; most modems put in their own, and tell it in `+CMGS:`
    first_octet  as it stands; encoding sets its header and validity bits by `user_data` and `validity`
    """

    destination: Address
    user_data: UserData
    dcs: Dcs = _PLAIN
    pid: int = 0
    reference: int = 0
    validity: Validity = _FOREVER
    first_octet: int = schema.MTI_SUBMIT
    smsc: ServiceCentre | None = None
    tail: bytes = b""
    warnings: tuple[PduWarning, ...] = field(default=(), compare=False)

    @property
    def report_wanted(self) -> bool:
        """TP-SRR: whether a STATUS-REPORT is asked for."""
        return bool(self.first_octet & schema.STATUS_REPORT_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """SMS-STATUS-REPORT (9.2.2.3): what became of a SUBMIT, matched by (reference, recipient).

    timestamp   when the service centre took the SUBMIT
    discharge   when it delivered it or gave up, or when it last tried
    parameters  TP-PI as it stands, empty if the report ends before it; `pid`, `dcs`, `user_data` are there as it announces
    """

    reference: int
    recipient: Address
    timestamp: Timestamp
    discharge: Timestamp
    status: Status
    parameters: bytes = b""
    pid: int | None = None
    dcs: Dcs | None = None
    user_data: UserData | None = None
    first_octet: int = schema.MTI_STATUS_REPORT | schema.MORE_MESSAGES_NONE
    smsc: ServiceCentre | None = None
    tail: bytes = b""
    warnings: tuple[PduWarning, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str | None:
        return self.user_data.text(self.dcs or _PLAIN) if self.user_data else None


Tpdu = Deliver | Submit | StatusReport

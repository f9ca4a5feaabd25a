"""The 24 PDUs of MMS, one class each, in the order of X-Mms-Message-Type. Fields stand in the order in which they are written.

Which of them are mandatory, and how each stands on the wire, is in `pdu_schema.PDUS`; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mmsproxy.wap_numbers import (
    CancelStatus,
    ContentClass,
    FromToken,
    MessageClass,
    MessageType,
    MmState,
    MmsVersion,
    Priority,
    ReadStatus,
    RecommendedRetrievalMode,
    ReplyCharging,
    ResponseStatus,
    RetrieveStatus,
    SenderVisibility,
    Status,
    StoreStatus,
)
from mmsproxy.wire.model import Pdu
from mmsproxy.wsp.values import Address, Counted, ElementDescriptor, MboxTotal, MmFlags, Text, Time

From = Address | FromToken
Flag = bool | int  # Yes, No, or an octet that is neither


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReq(Pdu):
    """Sends an MM (ENC 6.1.1). `from_` is by default the token by which the MMSC puts the sender in."""

    TYPE = MessageType.M_SEND_REQ

    date: int | None = None
    from_: From | None = FromToken.INSERT_ADDRESS
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: Text | None = None
    message_class: MessageClass | int | str | None = None
    expiry: Time | None = None
    delivery_time: Time | None = None
    priority: Priority | int | None = None
    sender_visibility: SenderVisibility | int | None = None
    delivery_report: Flag | None = None
    read_report: Flag | None = None
    reply_charging: ReplyCharging | int | None = None
    reply_charging_deadline: Time | None = None
    reply_charging_id: str | None = None
    reply_charging_size: int | None = None
    store: Flag | None = None
    mm_state: MmState | int | None = None
    mm_flags: tuple[MmFlags, ...] = ()
    applic_id: str | None = None
    reply_applic_id: str | None = None
    aux_applic_info: str | None = None
    content_class: ContentClass | int | None = None
    drm_content: Flag | None = None
    adaptation_allowed: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendConf(Pdu):
    """The answer to M-Send.req (ENC 6.1.2)."""

    TYPE = MessageType.M_SEND_CONF

    content_location: str | None = None
    message_id: str | None = None
    response_status: ResponseStatus | int | None = None
    response_text: Text | None = None
    store_status: StoreStatus | int | None = None
    store_status_text: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationInd(Pdu):
    """An MM waits at the MMSC (ENC 6.2)."""

    TYPE = MessageType.M_NOTIFICATION_IND

    from_: From | None = None
    subject: Text | None = None
    message_class: MessageClass | int | str | None = None
    expiry: Time | None = None
    priority: Priority | int | None = None
    delivery_report: Flag | None = None
    content_location: str | None = None
    message_size: int | None = None
    reply_charging: ReplyCharging | int | None = None
    reply_charging_deadline: Time | None = None
    reply_charging_id: str | None = None
    reply_charging_size: int | None = None
    stored: Flag | None = None
    distribution_indicator: Flag | None = None
    element_descriptor: tuple[ElementDescriptor, ...] = ()
    recommended_retrieval_mode: RecommendedRetrievalMode | int | None = None
    recommended_retrieval_mode_text: Text | None = None
    applic_id: str | None = None
    reply_applic_id: str | None = None
    aux_applic_info: str | None = None
    content_class: ContentClass | int | None = None
    drm_content: Flag | None = None
    replace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyRespInd(Pdu):
    """The answer to M-Notification.ind (ENC 6.2)."""

    TYPE = MessageType.M_NOTIFYRESP_IND

    report_allowed: Flag | None = None
    status: Status | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieveConf(Pdu):
    """A retrieved MM, or why there is none (ENC 6.3)."""

    TYPE = MessageType.M_RETRIEVE_CONF

    date: int | None = None
    from_: From | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: Text | None = None
    message_class: MessageClass | int | str | None = None
    priority: Priority | int | None = None
    delivery_report: Flag | None = None
    read_report: Flag | None = None
    message_id: str | None = None
    retrieve_status: RetrieveStatus | int | None = None
    retrieve_text: Text | None = None
    reply_charging: ReplyCharging | int | None = None
    reply_charging_deadline: Time | None = None
    reply_charging_id: str | None = None
    reply_charging_size: int | None = None
    previously_sent_by: tuple[Counted[Address], ...] = ()
    previously_sent_date: tuple[Counted[int], ...] = ()
    mm_state: MmState | int | None = None
    mm_flags: tuple[MmFlags, ...] = ()
    distribution_indicator: Flag | None = None
    applic_id: str | None = None
    reply_applic_id: str | None = None
    aux_applic_info: str | None = None
    content_class: ContentClass | int | None = None
    drm_content: Flag | None = None
    replace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeInd(Pdu):
    """An M-Retrieve.conf that carried a transaction id was received."""

    TYPE = MessageType.M_ACKNOWLEDGE_IND

    report_allowed: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryInd(Pdu):
    """What became of an MM at one recipient."""

    TYPE = MessageType.M_DELIVERY_IND

    date: int | None = None
    to: Address | None = None
    message_id: str | None = None
    status: Status | int | None = None
    status_text: Text | None = None
    applic_id: str | None = None
    reply_applic_id: str | None = None
    aux_applic_info: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecInd(Pdu):
    """The recipient read an MM: client to MMSC."""

    TYPE = MessageType.M_READ_REC_IND

    date: int | None = None
    from_: From | None = None
    to: Address | None = None
    message_id: str | None = None
    read_status: ReadStatus | int | None = None
    applic_id: str | None = None
    reply_applic_id: str | None = None
    aux_applic_info: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOrigInd(Pdu):
    """The recipient read an MM: MMSC to the sender."""

    TYPE = MessageType.M_READ_ORIG_IND

    date: int | None = None
    from_: From | None = None
    to: Address | None = None
    message_id: str | None = None
    read_status: ReadStatus | int | None = None
    applic_id: str | None = None
    reply_applic_id: str | None = None
    aux_applic_info: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardReq(Pdu):
    """Forwards an MM that was not retrieved. `from_` as in SendReq."""

    TYPE = MessageType.M_FORWARD_REQ

    date: int | None = None
    from_: From | None = FromToken.INSERT_ADDRESS
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    expiry: Time | None = None
    delivery_time: Time | None = None
    delivery_report: Flag | None = None
    read_report: Flag | None = None
    content_location: str | None = None
    report_allowed: Flag | None = None
    store: Flag | None = None
    mm_state: MmState | int | None = None
    mm_flags: tuple[MmFlags, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardConf(Pdu):
    """The answer to M-Forward.req."""

    TYPE = MessageType.M_FORWARD_CONF

    content_location: str | None = None
    message_id: str | None = None
    response_status: ResponseStatus | int | None = None
    response_text: Text | None = None
    store_status: StoreStatus | int | None = None
    store_status_text: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxStoreReq(Pdu):
    """Stores an MM in the MMBox."""

    TYPE = MessageType.M_MBOX_STORE_REQ

    content_location: str | None = None
    mm_state: MmState | int | None = None
    mm_flags: tuple[MmFlags, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxStoreConf(Pdu):
    """The answer to M-Mbox-Store.req."""

    TYPE = MessageType.M_MBOX_STORE_CONF

    content_location: str | None = None
    store_status: StoreStatus | int | None = None
    store_status_text: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxViewReq(Pdu):
    """Asks for MMs in the MMBox."""

    TYPE = MessageType.M_MBOX_VIEW_REQ

    content_location: tuple[str, ...] = ()
    mm_state: tuple[MmState | int, ...] = ()
    mm_flags: tuple[MmFlags, ...] = ()
    attributes: tuple[int | str, ...] = ()
    totals: Flag | None = None
    quotas: Flag | None = None
    start: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxViewConf(Pdu):
    """The answer to M-Mbox-View.req: parts that each hold an M-Mbox-Descr."""

    TYPE = MessageType.M_MBOX_VIEW_CONF

    content_location: str | None = None
    response_status: ResponseStatus | int | None = None
    response_text: Text | None = None
    mm_state: tuple[MmState | int, ...] = ()
    mm_flags: tuple[MmFlags, ...] = ()
    attributes: tuple[int | str, ...] = ()
    mbox_totals: tuple[MboxTotal, ...] = ()
    mbox_quotas: tuple[MboxTotal, ...] = ()
    message_count: int | None = None
    start: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxUploadReq(Pdu):
    """Puts an MM into the MMBox."""

    TYPE = MessageType.M_MBOX_UPLOAD_REQ

    mm_state: MmState | int | None = None
    mm_flags: tuple[MmFlags, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxUploadConf(Pdu):
    """The answer to M-Mbox-Upload.req."""

    TYPE = MessageType.M_MBOX_UPLOAD_CONF

    content_location: str | None = None
    store_status: StoreStatus | int | None = None
    store_status_text: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxDeleteReq(Pdu):
    """Deletes MMs from the MMBox."""

    TYPE = MessageType.M_MBOX_DELETE_REQ

    content_location: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxDeleteConf(Pdu):
    """The answer to M-Mbox-Delete.req; equal counts belong together."""

    TYPE = MessageType.M_MBOX_DELETE_CONF

    content_location: tuple[Counted[str] | str, ...] = ()
    response_status: tuple[Counted[ResponseStatus | int] | ResponseStatus | int, ...] = ()
    response_text: tuple[Counted[Text] | Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxDescr(Pdu):
    """One MM of an MMBox, inside M-Mbox-View.conf or M-Mbox-Upload.req."""

    TYPE = MessageType.M_MBOX_DESCR

    date: int | None = None
    from_: From | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: Text | None = None
    message_class: MessageClass | int | str | None = None
    expiry: Time | None = None
    delivery_time: Time | None = None
    priority: Priority | int | None = None
    sender_visibility: SenderVisibility | int | None = None
    delivery_report: Flag | None = None
    read_report: Flag | None = None
    content_location: str | None = None
    message_id: str | None = None
    message_size: int | None = None
    reply_charging: ReplyCharging | int | None = None
    reply_charging_deadline: Time | None = None
    reply_charging_id: str | None = None
    reply_charging_size: int | None = None
    previously_sent_by: tuple[Counted[Address], ...] = ()
    previously_sent_date: tuple[Counted[int], ...] = ()
    mm_state: MmState | int | None = None
    mm_flags: tuple[MmFlags, ...] = ()
    applic_id: str | None = None
    reply_applic_id: str | None = None
    aux_applic_info: str | None = None
    content_class: ContentClass | int | None = None
    drm_content: Flag | None = None
    replace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteReq(Pdu):
    """Deletes MMs that were not retrieved."""

    TYPE = MessageType.M_DELETE_REQ

    mms_version: int | None = MmsVersion.V1_3
    content_location: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteConf(Pdu):
    """The answer to M-Delete.req; equal counts belong together."""

    TYPE = MessageType.M_DELETE_CONF

    mms_version: int | None = MmsVersion.V1_3
    content_location: tuple[Counted[str] | str, ...] = ()
    response_status: tuple[Counted[ResponseStatus | int] | ResponseStatus | int, ...] = ()
    response_text: tuple[Counted[Text] | Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReq(Pdu):
    """Asks the client to delete an MM."""

    TYPE = MessageType.M_CANCEL_REQ

    mms_version: int | None = MmsVersion.V1_3
    cancel_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelConf(Pdu):
    """The answer to M-Cancel.req."""

    TYPE = MessageType.M_CANCEL_CONF

    mms_version: int | None = MmsVersion.V1_3
    cancel_status: CancelStatus | int | None = None


PDU_CLASSES: Final[tuple[type[Pdu], ...]] = (
    SendReq,
    SendConf,
    NotificationInd,
    NotifyRespInd,
    RetrieveConf,
    AcknowledgeInd,
    DeliveryInd,
    ReadRecInd,
    ReadOrigInd,
    ForwardReq,
    ForwardConf,
    MboxStoreReq,
    MboxStoreConf,
    MboxViewReq,
    MboxViewConf,
    MboxUploadReq,
    MboxUploadConf,
    MboxDeleteReq,
    MboxDeleteConf,
    MboxDescr,
    DeleteReq,
    DeleteConf,
    CancelReq,
    CancelConf,
)

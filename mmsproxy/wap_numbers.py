"""Assigned numbers of MMS and WAP (OMA, WAP Forum, IANA), as tables in the order of their specifications.

Rule 1: numbers and names only; what stands on the wire around them is in the room `wsp` and in `pdu_schema`. Rule 2: an enumeration
holds the octet as it is on the wire (top bit set), so `Priority.NORMAL == 0x81`. A reader keeps an octet that is not listed as a plain
int. Rule 3: reserved octets are folded for decisions only (`fold_*`); what came is kept and shown.

Sources: ENC = OMA-TS-MMS_ENC-V1_3-20110913-A; WSP = WAP-230-WSP-20010705-a with the OMNA lists; IANA = character-sets (MIBenum).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

# --- ENC 7.3, enumerated values, by clause -----------------------------------------------------------------------------------


class CancelStatus(IntEnum):
    """X-Mms-Cancel-Status (ENC 7.3.7)."""

    REQUEST_SUCCESSFULLY_RECEIVED = 0x80
    REQUEST_CORRUPTED = 0x81


class ContentClass(IntEnum):
    """X-Mms-Content-Class (ENC 7.3.9)."""

    TEXT = 0x80
    IMAGE_BASIC = 0x81
    IMAGE_RICH = 0x82
    VIDEO_BASIC = 0x83
    VIDEO_RICH = 0x84
    MEGAPIXEL = 0x85
    CONTENT_BASIC = 0x86
    CONTENT_RICH = 0x87


class TimeToken(IntEnum):
    """First octet of a time: X-Mms-Expiry, -Delivery-Time, -Reply-Charging-Deadline (ENC 7.3.20)."""

    ABSOLUTE = 0x80
    RELATIVE = 0x81


class FromToken(IntEnum):
    """First octet of From (ENC 7.3.21). INSERT_ADDRESS stands alone: the MMSC puts the sender in."""

    ADDRESS_PRESENT = 0x80
    INSERT_ADDRESS = 0x81


class MboxToken(IntEnum):
    """What X-Mms-Mbox-Totals and -Quotas count (ENC 7.3.25, 7.3.26)."""

    MESSAGES = 0x80
    OCTETS = 0x81


class MessageClass(IntEnum):
    """X-Mms-Message-Class (ENC 7.3.27); any other class is a Token-text."""

    PERSONAL = 0x80
    ADVERTISEMENT = 0x81
    INFORMATIONAL = 0x82
    AUTO = 0x83


class MessageType(IntEnum):
    """X-Mms-Message-Type (ENC 7.3.30): the 24 PDUs."""

    M_SEND_REQ = 0x80
    M_SEND_CONF = 0x81
    M_NOTIFICATION_IND = 0x82
    M_NOTIFYRESP_IND = 0x83
    M_RETRIEVE_CONF = 0x84
    M_ACKNOWLEDGE_IND = 0x85
    M_DELIVERY_IND = 0x86
    M_READ_REC_IND = 0x87
    M_READ_ORIG_IND = 0x88
    M_FORWARD_REQ = 0x89
    M_FORWARD_CONF = 0x8A
    M_MBOX_STORE_REQ = 0x8B
    M_MBOX_STORE_CONF = 0x8C
    M_MBOX_VIEW_REQ = 0x8D
    M_MBOX_VIEW_CONF = 0x8E
    M_MBOX_UPLOAD_REQ = 0x8F
    M_MBOX_UPLOAD_CONF = 0x90
    M_MBOX_DELETE_REQ = 0x91
    M_MBOX_DELETE_CONF = 0x92
    M_MBOX_DESCR = 0x93
    M_DELETE_REQ = 0x94
    M_DELETE_CONF = 0x95
    M_CANCEL_REQ = 0x96
    M_CANCEL_CONF = 0x97


class MmFlagToken(IntEnum):
    """First octet of X-Mms-MM-Flags (ENC 7.3.32)."""

    ADD = 0x80
    REMOVE = 0x81
    FILTER = 0x82


class MmState(IntEnum):
    """X-Mms-MM-State (ENC 7.3.33)."""

    DRAFT = 0x80
    SENT = 0x81
    NEW = 0x82
    RETRIEVED = 0x83
    FORWARDED = 0x84


class MmsVersion(IntEnum):
    """X-Mms-MMS-Version (ENC 7.3.34): bits 6-4 major, bits 3-0 minor."""

    V1_0 = 0x90
    V1_1 = 0x91
    V1_2 = 0x92
    V1_3 = 0x93


class Priority(IntEnum):
    """X-Mms-Priority (ENC 7.3.35)."""

    LOW = 0x80
    NORMAL = 0x81
    HIGH = 0x82


class ReadStatus(IntEnum):
    """X-Mms-Read-Status (ENC 7.3.38)."""

    READ = 0x80
    DELETED_WITHOUT_BEING_READ = 0x81


class RecommendedRetrievalMode(IntEnum):
    """X-Mms-Recommended-Retrieval-Mode (ENC 7.3.39)."""

    MANUAL = 0x80


class ReplyCharging(IntEnum):
    """X-Mms-Reply-Charging (ENC 7.3.43)."""

    REQUESTED = 0x80
    REQUESTED_TEXT_ONLY = 0x81
    ACCEPTED = 0x82
    ACCEPTED_TEXT_ONLY = 0x83


class ResponseStatus(IntEnum):
    """X-Mms-Response-Status (ENC 7.3.48). 0x81-0x88 are 1.0 codes, obsolete since 1.1 and still sent."""

    OK = 0x80
    ERROR_UNSPECIFIED = 0x81
    ERROR_SERVICE_DENIED = 0x82
    ERROR_MESSAGE_FORMAT_CORRUPT = 0x83
    ERROR_SENDING_ADDRESS_UNRESOLVED = 0x84
    ERROR_MESSAGE_NOT_FOUND = 0x85
    ERROR_NETWORK_PROBLEM = 0x86
    ERROR_CONTENT_NOT_ACCEPTED = 0x87
    ERROR_UNSUPPORTED_MESSAGE = 0x88
    ERROR_TRANSIENT_FAILURE = 0xC0
    ERROR_TRANSIENT_SENDING_ADDRESS_UNRESOLVED = 0xC1
    ERROR_TRANSIENT_MESSAGE_NOT_FOUND = 0xC2
    ERROR_TRANSIENT_NETWORK_PROBLEM = 0xC3
    ERROR_TRANSIENT_PARTIAL_SUCCESS = 0xC4
    ERROR_PERMANENT_FAILURE = 0xE0
    ERROR_PERMANENT_SERVICE_DENIED = 0xE1
    ERROR_PERMANENT_MESSAGE_FORMAT_CORRUPT = 0xE2
    ERROR_PERMANENT_SENDING_ADDRESS_UNRESOLVED = 0xE3
    ERROR_PERMANENT_MESSAGE_NOT_FOUND = 0xE4
    ERROR_PERMANENT_CONTENT_NOT_ACCEPTED = 0xE5
    ERROR_PERMANENT_REPLY_CHARGING_LIMITATIONS_NOT_MET = 0xE6
    ERROR_PERMANENT_REPLY_CHARGING_REQUEST_NOT_ACCEPTED = 0xE7
    ERROR_PERMANENT_REPLY_CHARGING_FORWARDING_DENIED = 0xE8
    ERROR_PERMANENT_REPLY_CHARGING_NOT_SUPPORTED = 0xE9
    ERROR_PERMANENT_ADDRESS_HIDING_NOT_SUPPORTED = 0xEA
    ERROR_PERMANENT_LACK_OF_PREPAID = 0xEB


class RetrieveStatus(IntEnum):
    """X-Mms-Retrieve-Status (ENC 7.3.50)."""

    OK = 0x80
    ERROR_TRANSIENT_FAILURE = 0xC0
    ERROR_TRANSIENT_MESSAGE_NOT_FOUND = 0xC1
    ERROR_TRANSIENT_NETWORK_PROBLEM = 0xC2
    ERROR_PERMANENT_FAILURE = 0xE0
    ERROR_PERMANENT_SERVICE_DENIED = 0xE1
    ERROR_PERMANENT_MESSAGE_NOT_FOUND = 0xE2
    ERROR_PERMANENT_CONTENT_UNSUPPORTED = 0xE3


class SenderVisibility(IntEnum):
    """X-Mms-Sender-Visibility (ENC 7.3.52)."""

    HIDE = 0x80
    SHOW = 0x81


class Status(IntEnum):
    """X-Mms-Status (ENC 7.3.54)."""

    EXPIRED = 0x80
    RETRIEVED = 0x81
    REJECTED = 0x82
    DEFERRED = 0x83
    UNRECOGNISED = 0x84
    INDETERMINATE = 0x85
    FORWARDED = 0x86
    UNREACHABLE = 0x87


class StoreStatus(IntEnum):
    """X-Mms-Store-Status (ENC 7.3.58)."""

    SUCCESS = 0x80
    ERROR_TRANSIENT_FAILURE = 0xC0
    ERROR_TRANSIENT_NETWORK_PROBLEM = 0xC1
    ERROR_PERMANENT_FAILURE = 0xE0
    ERROR_PERMANENT_SERVICE_DENIED = 0xE1
    ERROR_PERMANENT_MESSAGE_FORMAT_CORRUPT = 0xE2
    ERROR_PERMANENT_MESSAGE_NOT_FOUND = 0xE3
    ERROR_PERMANENT_MMBOX_FULL = 0xE4


def label(member: IntEnum) -> str:
    """The specification's spelling of an enumerated value, lower case: `m-send-req`, `error-permanent-failure`."""
    return member.name.lower().replace("_", "-")


def _fold(known: type[IntEnum], octet: int) -> int:
    if octet in known._value2member_map_:
        return octet
    return 0xC0 if 0xC0 <= octet <= 0xDF else 0xE0


def fold_response_status(octet: int) -> ResponseStatus:
    """The status to act on (ENC 7.3.48): reserved C5-DF act as C0, every other reserved octet as E0."""
    return ResponseStatus(_fold(ResponseStatus, octet))


def fold_retrieve_status(octet: int) -> RetrieveStatus:
    """The status to act on (ENC 7.3.50): reserved C3-DF act as C0, every other reserved octet as E0."""
    return RetrieveStatus(_fold(RetrieveStatus, octet))


def fold_store_status(octet: int) -> StoreStatus:
    """The status to act on (ENC 7.3.58): reserved C2-DF act as C0, every other reserved octet as E0."""
    return StoreStatus(_fold(StoreStatus, octet))


# --- WSP table 38, well-known parameters (7-bit numbers); ENC table 27 for X-Mms-Element-Descriptor ----------------------------

PARAMETERS: Final[tuple[tuple[int, str, str], ...]] = (  # number, name, encoding version
    (0x00, "q", "1.1"),
    (0x01, "charset", "1.1"),
    (0x02, "level", "1.1"),
    (0x03, "type", "1.1"),  # of multipart/related, as an integer; superseded by 0x09
    (0x05, "name", "1.1"),
    (0x06, "filename", "1.1"),
    (0x07, "differences", "1.1"),
    (0x08, "padding", "1.1"),
    (0x09, "type", "1.2"),
    (0x0A, "start", "1.2"),
    (0x0B, "start-info", "1.2"),
    (0x0C, "comment", "1.3"),
    (0x0D, "domain", "1.3"),
    (0x0E, "max-age", "1.3"),
    (0x0F, "path", "1.3"),
    (0x10, "secure", "1.3"),
    (0x11, "sec", "1.4"),
    (0x12, "mac", "1.4"),
    (0x13, "creation-date", "1.4"),
    (0x14, "modification-date", "1.4"),
    (0x15, "read-date", "1.4"),
    (0x16, "size", "1.4"),
    (0x17, "name", "1.4"),
    (0x18, "filename", "1.4"),
    (0x19, "start", "1.4"),
    (0x1A, "start-info", "1.4"),
    (0x1B, "comment", "1.4"),
    (0x1C, "domain", "1.4"),
    (0x1D, "path", "1.4"),
)
PARAMETER_NAMES: Final = {number: name for number, name, _ in PARAMETERS}
# In 101 real PDUs only the first generation of name, filename, start, start-info occurs; of `type` the second (mms.md section 7).
PARAMETER_NUMBERS: Final = {name: number for number, name, _ in reversed(PARAMETERS) if number != 0x03}

ELEMENT_PARAMETERS: Final = {0x02: "type"}  # ENC 7.3.18, table 27: a number space of its own

# --- WSP table 40 and OMNA, well-known media types (7-bit numbers, then the registered Long-integers) ---------------------------

MEDIA_TYPES: Final[dict[int, str]] = {
    0x00: "*/*",
    0x01: "text/*",
    0x02: "text/html",
    0x03: "text/plain",
    0x04: "text/x-hdml",
    0x05: "text/x-ttml",
    0x06: "text/x-vCalendar",
    0x07: "text/x-vCard",
    0x08: "text/vnd.wap.wml",
    0x09: "text/vnd.wap.wmlscript",
    0x0A: "text/vnd.wap.wta-event",
    0x0B: "multipart/*",
    0x0C: "multipart/mixed",
    0x0D: "multipart/form-data",
    0x0E: "multipart/byteranges",
    0x0F: "multipart/alternative",
    0x10: "application/*",
    0x11: "application/java-vm",
    0x12: "application/x-www-form-urlencoded",
    0x13: "application/x-hdmlc",
    0x14: "application/vnd.wap.wmlc",
    0x15: "application/vnd.wap.wmlscriptc",
    0x16: "application/vnd.wap.wta-eventc",
    0x17: "application/vnd.wap.uaprof",
    0x18: "application/vnd.wap.wtls-ca-certificate",
    0x19: "application/vnd.wap.wtls-user-certificate",
    0x1A: "application/x-x509-ca-cert",
    0x1B: "application/x-x509-user-cert",
    0x1C: "image/*",
    0x1D: "image/gif",
    0x1E: "image/jpeg",
    0x1F: "image/tiff",
    0x20: "image/png",
    0x21: "image/vnd.wap.wbmp",
    0x22: "application/vnd.wap.multipart.*",
    0x23: "application/vnd.wap.multipart.mixed",
    0x24: "application/vnd.wap.multipart.form-data",
    0x25: "application/vnd.wap.multipart.byteranges",
    0x26: "application/vnd.wap.multipart.alternative",
    0x27: "application/xml",
    0x28: "text/xml",
    0x29: "application/vnd.wap.wbxml",
    0x2A: "application/x-x968-cross-cert",
    0x2B: "application/x-x968-ca-cert",
    0x2C: "application/x-x968-user-cert",
    0x2D: "text/vnd.wap.si",
    0x2E: "application/vnd.wap.sic",
    0x2F: "text/vnd.wap.sl",
    0x30: "application/vnd.wap.slc",
    0x31: "text/vnd.wap.co",
    0x32: "application/vnd.wap.coc",
    0x33: "application/vnd.wap.multipart.related",
    0x34: "application/vnd.wap.sia",
    0x35: "text/vnd.wap.connectivity-xml",
    0x36: "application/vnd.wap.connectivity-wbxml",
    0x37: "application/pkcs7-mime",
    0x38: "application/vnd.wap.hashed-certificate",
    0x39: "application/vnd.wap.signed-certificate",
    0x3A: "application/vnd.wap.cert-response",
    0x3B: "application/xhtml+xml",
    0x3C: "application/wml+xml",
    0x3D: "text/css",
    0x3E: "application/vnd.wap.mms-message",
    0x3F: "application/vnd.wap.rollover-certificate",
    0x40: "application/vnd.wap.locc+wbxml",
    0x41: "application/vnd.wap.loc+xml",
    0x42: "application/vnd.syncml.dm+wbxml",
    0x43: "application/vnd.syncml.dm+xml",
    0x44: "application/vnd.syncml.notification",
    0x45: "application/vnd.wap.xhtml+xml",
    0x46: "application/vnd.wv.csp.cir",
    0x47: "application/vnd.oma.dd+xml",
    0x48: "application/vnd.oma.drm.message",
    0x49: "application/vnd.oma.drm.content",
    0x4A: "application/vnd.oma.drm.rights+xml",
    0x4B: "application/vnd.oma.drm.rights+wbxml",
    0x4C: "application/vnd.wv.csp+xml",
    0x4D: "application/vnd.wv.csp+wbxml",
    0x4E: "application/vnd.syncml.ds.notification",
    0x4F: "audio/*",
    0x50: "video/*",
    0x51: "application/vnd.oma.dd2+xml",
    0x52: "application/mikey",
    0x53: "application/vnd.oma.dcd",
    0x54: "application/vnd.oma.dcdc",
    0x55: "text/x-vMessage",
    0x56: "application/vnd.omads-email+wbxml",
    0x57: "text/x-vBookmark",
    0x58: "application/vnd.syncml.dm.notification",
    0x5A: "application/octet-stream",
    0x0201: "application/vnd.uplanet.cacheop-wbxml",
    0x0202: "application/vnd.uplanet.signal",
    0x0203: "application/vnd.uplanet.alert-wbxml",
    0x0204: "application/vnd.uplanet.list-wbxml",
    0x0205: "application/vnd.uplanet.listcmd-wbxml",
    0x0206: "application/vnd.uplanet.channel-wbxml",
    0x0207: "application/vnd.uplanet.provisioning-status-uri",
    0x0208: "x-wap.multipart/vnd.uplanet.header-set",
    0x0209: "application/vnd.uplanet.bearer-choice-wbxml",
    0x020A: "application/vnd.phonecom.mmc-wbxml",
    0x020B: "application/vnd.nokia.syncset+wbxml",
    0x020C: "image/x-up-wpng",
    0x0300: "application/iota.mmc-wbxml",
    0x0301: "application/iota.mmc-xml",
    0x0302: "application/vnd.syncml+xml",
    0x0303: "application/vnd.syncml+wbxml",
    0x0304: "text/vnd.wap.emn+xml",
    0x0305: "text/calendar",
    0x0306: "application/vnd.omads-email+xml",
    0x0307: "application/vnd.omads-file+xml",
    0x0308: "application/vnd.omads-folder+xml",
    0x0309: "text/directory;profile=vCard",
    0x030A: "application/vnd.wap.emn+wbxml",
    0x030B: "application/vnd.nokia.ipdc-purchase-response",
    0x030C: "application/vnd.motorola.screen3+xml",
    0x030D: "application/vnd.motorola.screen3+gzip",
    0x030E: "application/vnd.cmcc.setting+wbxml",
    0x030F: "application/vnd.cmcc.bombing+wbxml",
    0x0310: "application/vnd.docomo.pf",
    0x0311: "application/vnd.docomo.ub",
    0x0312: "application/vnd.omaloc-supl-init",
    0x0313: "application/vnd.oma.group-usage-list+xml",
    0x0314: "application/oma-directory+xml",
    0x0315: "application/vnd.docomo.pf2",
}
MEDIA_NUMBERS: Final = {name.lower(): number for number, name in MEDIA_TYPES.items()}
MULTIPART_PREFIX: Final = "application/vnd.wap.multipart."
UNKNOWN_MEDIA_PREFIX: Final = "application/x-wap-"  # names an unassigned number: application/x-wap-59 is 0x59


def media_name(number: int) -> str:
    """The media type of a well-known number; `application/x-wap-NN` (hex) for one that is not assigned."""
    return MEDIA_TYPES.get(number) or f"{UNKNOWN_MEDIA_PREFIX}{number:02x}"


def media_number(name: str) -> int | None:
    """The well-known number of a media type, compared without case; None when it has none and is written as text."""
    lowered = name.lower()
    number = MEDIA_NUMBERS.get(lowered)
    if number is None and lowered.startswith(UNKNOWN_MEDIA_PREFIX):
        digits = lowered[len(UNKNOWN_MEDIA_PREFIX) :]
        if 2 <= len(digits) <= 8 and all(digit in "0123456789abcdef" for digit in digits):
            number = int(digits, 16)
    return number


# --- WSP table 39, header field numbers (7-bit) ----------------------------------------------------------------------------------

WSP_HEADERS: Final[tuple[tuple[int, str], ...]] = (
    (0x00, "Accept"),
    (0x01, "Accept-Charset"),
    (0x02, "Accept-Encoding"),
    (0x03, "Accept-Language"),
    (0x04, "Accept-Ranges"),
    (0x05, "Age"),
    (0x06, "Allow"),
    (0x07, "Authorization"),
    (0x08, "Cache-Control"),
    (0x09, "Connection"),
    (0x0A, "Content-Base"),
    (0x0B, "Content-Encoding"),
    (0x0C, "Content-Language"),
    (0x0D, "Content-Length"),
    (0x0E, "Content-Location"),
    (0x0F, "Content-MD5"),
    (0x10, "Content-Range"),
    (0x11, "Content-Type"),
    (0x12, "Date"),
    (0x13, "Etag"),
    (0x14, "Expires"),
    (0x15, "From"),
    (0x16, "Host"),
    (0x17, "If-Modified-Since"),
    (0x18, "If-Match"),
    (0x19, "If-None-Match"),
    (0x1A, "If-Range"),
    (0x1B, "If-Unmodified-Since"),
    (0x1C, "Location"),
    (0x1D, "Last-Modified"),
    (0x1E, "Max-Forwards"),
    (0x1F, "Pragma"),
    (0x20, "Proxy-Authenticate"),
    (0x21, "Proxy-Authorization"),
    (0x22, "Public"),
    (0x23, "Range"),
    (0x24, "Referer"),
    (0x25, "Retry-After"),
    (0x26, "Server"),
    (0x27, "Transfer-Encoding"),
    (0x28, "Upgrade"),
    (0x29, "User-Agent"),
    (0x2A, "Vary"),
    (0x2B, "Via"),
    (0x2C, "Warning"),
    (0x2D, "WWW-Authenticate"),
    (0x2E, "Content-Disposition"),
    (0x2F, "X-Wap-Application-Id"),
    (0x30, "X-Wap-Content-URI"),
    (0x31, "X-Wap-Initiator-URI"),
    (0x32, "Accept-Application"),
    (0x33, "Bearer-Indication"),
    (0x34, "Push-Flag"),
    (0x35, "Profile"),
    (0x36, "Profile-Diff"),
    (0x37, "Profile-Warning"),
    (0x38, "Expect"),
    (0x39, "TE"),
    (0x3A, "Trailer"),
    (0x3B, "Accept-Charset (1.3)"),
    (0x3C, "Accept-Encoding (1.3)"),
    (0x3D, "Cache-Control (1.3)"),
    (0x3E, "Content-Range (1.3)"),
    (0x3F, "X-Wap-Tod"),
    (0x40, "Content-ID"),
    (0x41, "Set-Cookie"),
    (0x42, "Cookie"),
    (0x43, "Encoding-Version"),
    (0x44, "Profile-Warning (1.4)"),
    (0x45, "Content-Disposition (1.4)"),
    (0x46, "X-WAP-Security"),
    (0x47, "Cache-Control (1.4)"),
    (0x48, "Expect (1.5)"),
    (0x49, "X-Wap-Loc-Invocation"),
    (0x4A, "X-Wap-Loc-Delivery"),
)
WSP_HEADER_NAMES: Final = dict(WSP_HEADERS)

CONTENT_ENCODINGS: Final = {0x80: "gzip", 0x81: "compress", 0x82: "deflate"}  # WSP 8.4.2.12
DISPOSITIONS: Final = {0x80: "form-data", 0x81: "attachment", 0x82: "inline"}  # WSP 8.4.2.21
SEC_METHODS: Final = {0: "NETWPIN", 1: "USERPIN", 2: "USERNETWPIN", 3: "USERPINMAC"}  # provisioning content

# OMNA push application ids; names stand behind "x-wap-application:".
APPLICATION_ID_PREFIX: Final = "x-wap-application:"
APPLICATION_IDS: Final = {
    0x00: "*",
    0x01: "push.sia",
    0x02: "wml.ua",
    0x03: "wta.ua",
    0x04: "mms.ua",
    0x05: "push.syncml",
    0x06: "loc.ua",
    0x07: "syncml.dm",
    0x08: "drm.ua",
    0x09: "emn.ua",
    0x0A: "wv.ua",
    0x10: "ulp.ua",
}

# --- IANA character sets: MIBenum, preferred name, Python codecs in the order to try ---------------------------------------------

ANY_CHARSET: Final = 0  # on the wire 0x80, WSP 8.4.2.8
US_ASCII: Final = 3
UTF_8: Final = 106
UCS_2: Final = 1000

CHARSETS: Final[tuple[tuple[int, str, tuple[str, ...]], ...]] = (
    (0, "*", ("utf_8", "latin_1")),
    (3, "us-ascii", ("ascii", "utf_8", "latin_1")),
    (4, "iso-8859-1", ("latin_1",)),
    (5, "iso-8859-2", ("iso8859_2",)),
    (6, "iso-8859-3", ("iso8859_3",)),
    (7, "iso-8859-4", ("iso8859_4",)),
    (8, "iso-8859-5", ("iso8859_5",)),
    (9, "iso-8859-6", ("iso8859_6",)),
    (10, "iso-8859-7", ("iso8859_7",)),
    (11, "iso-8859-8", ("iso8859_8",)),
    (12, "iso-8859-9", ("iso8859_9",)),
    (13, "iso-8859-10", ("iso8859_10",)),
    (17, "shift_jis", ("cp932",)),  # superset
    (18, "euc-jp", ("euc_jp",)),
    (36, "ks_c_5601-1987", ("cp949",)),
    (37, "iso-2022-kr", ("iso2022_kr",)),
    (38, "euc-kr", ("cp949",)),  # superset
    (39, "iso-2022-jp", ("iso2022_jp",)),
    (40, "iso-2022-jp-2", ("iso2022_jp_2",)),
    (81, "iso-8859-6-e", ("iso8859_6",)),
    (82, "iso-8859-6-i", ("iso8859_6",)),
    (84, "iso-8859-8-e", ("iso8859_8",)),
    (85, "iso-8859-8-i", ("iso8859_8",)),
    (103, "unicode-1-1-utf-7", ("utf_7",)),
    (104, "iso-2022-cn", ()),
    (105, "iso-2022-cn-ext", ()),
    (106, "utf-8", ("utf_8",)),
    (109, "iso-8859-13", ("iso8859_13",)),
    (110, "iso-8859-14", ("iso8859_14",)),
    (111, "iso-8859-15", ("iso8859_15",)),
    (112, "iso-8859-16", ("iso8859_16",)),
    (113, "gbk", ("gb18030",)),  # superset
    (114, "gb18030", ("gb18030",)),
    (119, "kz-1048", ("kz1048",)),
    (1000, "iso-10646-ucs-2", ("utf_16_be",)),  # byte order mark obeyed
    (1001, "iso-10646-ucs-4", ("utf_32_be",)),
    (1011, "scsu", ()),
    (1012, "utf-7", ("utf_7",)),
    (1013, "utf-16be", ("utf_16_be",)),
    (1014, "utf-16le", ("utf_16_le",)),
    (1015, "utf-16", ("utf_16_be",)),  # byte order mark obeyed, else network order: Python's utf_16 would take the machine's
    (1016, "cesu-8", ()),
    (1017, "utf-32", ("utf_32_be",)),
    (1018, "utf-32be", ("utf_32_be",)),
    (1019, "utf-32le", ("utf_32_le",)),
    (2004, "hp-roman8", ("hp_roman8",)),
    (2009, "ibm850", ("cp850",)),
    (2010, "ibm852", ("cp852",)),
    (2011, "ibm437", ("cp437",)),
    (2013, "ibm862", ("cp862",)),
    (2024, "windows-31j", ("cp932",)),
    (2025, "gb2312", ("gb18030",)),  # superset
    (2026, "big5", ("big5", "cp950")),
    (2027, "macintosh", ("mac_roman",)),
    (2028, "ibm037", ("cp037",)),
    (2030, "ibm273", ("cp273",)),
    (2043, "ibm424", ("cp424",)),
    (2044, "ibm500", ("cp500",)),
    (2046, "ibm855", ("cp855",)),
    (2047, "ibm857", ("cp857",)),
    (2048, "ibm860", ("cp860",)),
    (2049, "ibm861", ("cp861",)),
    (2050, "ibm863", ("cp863",)),
    (2051, "ibm864", ("cp864",)),
    (2052, "ibm865", ("cp865",)),
    (2054, "ibm869", ("cp869",)),
    (2063, "ibm1026", ("cp1026",)),
    (2084, "koi8-r", ("koi8_r",)),
    (2085, "hz-gb-2312", ("hz",)),
    (2086, "ibm866", ("cp866",)),
    (2087, "ibm775", ("cp775",)),
    (2088, "koi8-u", ("koi8_u",)),
    (2089, "ibm00858", ("cp858",)),
    (2091, "ibm01140", ("cp1140",)),
    (2101, "big5-hkscs", ("big5hkscs",)),
    (2103, "ptcp154", ("ptcp154",)),
    (2109, "windows-874", ("cp874",)),
    (2250, "windows-1250", ("cp1250",)),
    (2251, "windows-1251", ("cp1251",)),
    (2252, "windows-1252", ("cp1252",)),
    (2253, "windows-1253", ("cp1253",)),
    (2254, "windows-1254", ("cp1254",)),
    (2255, "windows-1255", ("cp1255",)),
    (2256, "windows-1256", ("cp1256",)),
    (2257, "windows-1257", ("cp1257",)),
    (2258, "windows-1258", ("cp1258",)),
    (2259, "tis-620", ("tis_620",)),
)
CHARSET_NAMES: Final = {mib: name for mib, name, _ in CHARSETS}
CHARSET_CODECS: Final = {mib: codecs for mib, _, codecs in CHARSETS}
CHARSET_NUMBERS: Final = {name: mib for mib, name, _ in CHARSETS} | {
    # Aliases that phones and MMSCs put into a textual charset parameter.
    "ascii": 3,
    "us_ascii": 3,
    "latin1": 4,
    "iso8859-1": 4,
    "iso_8859-1": 4,
    "sjis": 17,
    "shift-jis": 17,
    "utf8": 106,
    "ucs-2": 1000,
    "ucs2": 1000,
    "iso-10646-ucs2": 1000,
    "cp1252": 2252,
}
CHARSET_WIDTHS: Final = {1000: 2, 1013: 2, 1014: 2, 1015: 2, 1001: 4, 1017: 4, 1018: 4, 1019: 4}  # octets per code unit where not 1

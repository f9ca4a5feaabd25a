"""The one error tree: what went wrong, whose fault it is, and whether trying again can help.

Rule 1: every error that crosses a room's door is one of these, with a stable `code` (snake_case, shown in JSON and logs), a
`detail` of one line, and where a person can act a `cure` of one line. Rule 2: this module imports nothing, so every room may use it.
The codes of link and carrier errors are those of the API's `error.code` (shared reference delivery.md, section 6).
"""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """Whose mistake it is: decides the HTTP class and who is told."""

    CALLER = "caller"
    MODEM = "modem"
    CARRIER = "carrier"
    OURS = "ours"


class MmsproxyError(Exception):
    """Base of the tree. `str(error)` is one line: the detail, then the cure after a semicolon."""

    code = "internal"
    fault = Fault.OURS
    retryable = False

    def __init__(self, detail: str, *, cure: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.detail}; {self.cure}" if self.cure else self.detail


class ConfigError(MmsproxyError):
    """config.yaml or the environment is wrong. `mistakes` has one finished line for each mistake, all of them at once."""

    code = "config"
    fault = Fault.CALLER

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class ListenError(MmsproxyError):
    """The address of a front door cannot be opened: in use, not permitted, or not of this machine. The cure names the config key."""

    code = "listen"
    fault = Fault.CALLER


class PduError(MmsproxyError):
    """The only exception that leaves the codec.

    offset   octets from the start of the PDU to the fault
    path     indexed, e.g. `parts[2].headers[0].content-type.parameters[1]`
    rule     a short stable name, e.g. `value-length-beyond-data`
    context  hex of up to 16 octets around the offset
    """

    code = "malformed_pdu"
    fault = Fault.CALLER

    def __init__(self, rule: str, *, offset: int, path: str = "", detail: str = "", context: str = "") -> None:
        super().__init__(detail or rule.replace("-", " "))
        self.rule = rule
        self.offset = offset
        self.path = path
        self.context = context

    def __str__(self) -> str:
        where = f"{self.path} " if self.path else ""
        context = f" [{self.context}]" if self.context else ""
        return f"offset {self.offset}: {where}{self.rule}: {self.detail}{context}"


class AtStringError(MmsproxyError):
    """A string that may not enter an AT command (CR, LF, quote, Ctrl-Z, ESC, or not of its kind's form). Never stripped, always refused."""

    code = "at_string"
    fault = Fault.CALLER


class HeaderError(MmsproxyError):
    """An HTTP header that may not go to a carrier: CR, LF or NUL in it, or a name that is none. Never repaired, always refused."""

    code = "http_header"
    fault = Fault.CALLER


class LinkError(MmsproxyError):
    """The way to the mobile network failed. Says nothing about what had left already: the stream's ledger does."""

    code = "link"
    fault = Fault.MODEM
    retryable = True


class PortError(LinkError):
    """The serial port cannot be opened: missing, busy or not permitted. The cure names the remedy."""

    code = "port"


class LinkLost(LinkError):
    """The modem went away or restarted while in use (unplug, brown-out, restart signature)."""

    code = "modem_lost"


class ModemSilent(LinkLost):
    """The modem does not answer AT any more: the recovery ladder begins."""

    code = "modem_silent"


class AtTimeout(LinkError):
    """The modem did not answer a command within its time."""

    code = "at_timeout"


class AtError(LinkError):
    """The modem answered a command with an error line."""

    code = "at_error"


class SmsRefused(AtError):
    """The modem or the network did not take an SMS command. `cms` is the code of 3GPP TS 27.005 3.2.5, where one came: 0-127 the
    network's (24.011 E-2), 128-255 the service centre's (23.040), 300 and more the modem's."""

    code = "sms_refused"

    def __init__(self, detail: str, *, cure: str = "", cms: int | None = None) -> None:
        super().__init__(detail, cure=cure)
        self.cms = cms


class SmsUnknown(LinkError):
    """An SMS was handed over, and nothing tells whether it has left. Never repeated by itself."""

    code = "sms_unknown"
    retryable = False


class SimError(LinkError):
    """No SIM, a PIN or PUK is wanted, or the PIN was refused."""

    code = "sim"
    retryable = False


class RegistrationError(LinkError):
    """The modem is not registered with the network."""

    code = "registration"


class BearerError(LinkError):
    """The PDP context could not be brought up, or was lost."""

    code = "pdp_failed"


class LineStopped(LinkError):
    """The gateway is being shut down: what waits is not sent, what is under way is ended if its last byte is not out."""

    code = "stopping"


class CarrierError(MmsproxyError):
    """The far end, not the modem, is at fault."""

    code = "carrier"
    fault = Fault.CARRIER
    retryable = True


class ConnectError(CarrierError):
    """No TCP connection to the MMSC or its proxy: refused, no such name, or no answer."""

    code = "connect_failed"


class PeerReset(CarrierError):
    """The MMSC closed the connection before its answer was whole."""

    code = "peer_reset"


class AnswerTimeout(CarrierError):
    """No whole answer within the time."""

    code = "answer_timeout"


class NonMmsAnswer(CarrierError):
    """An answer that is no MMS PDU of the awaited type (HTML, empty, too large, no HTTP)."""

    code = "non_mms_answer"


class StoreError(MmsproxyError):
    """The post office's database failed. Nothing of the operation that raised it was kept."""

    code = "store"


class StoreUnavailable(StoreError):
    """The database is away for now: not reachable, restarting, locked by another, or shut after a fault of the disk."""

    code = "unavailable"
    retryable = True


class StoreFull(StoreError):
    """There is no room on the disk to accept more. What is there can still be worked on."""

    code = "insufficient_storage"
    retryable = True


class MediaLost(MmsproxyError):
    """A file of a message is missing, damaged or cannot be read. No fault of the database, and no further try brings it back."""

    code = "media_lost"


class StoreCorrupt(StoreError):
    """The database file is damaged. The next start moves it aside and begins a new one."""

    code = "store_corrupt"

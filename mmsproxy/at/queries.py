"""What can be asked of a modem for people: its SIM, its network, its storage of messages. Shared by all dialects.

Rule 1: nothing is changed and nothing is sent over the air. Rule 2: what a modem does not tell is empty or None, never an error: only
silence is one (AtTimeout). Rule 3: answers come with or without quotes and spaces, and prefixes may be missing (modems.md 5.8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmsproxy.at.dialect import Ask, Script, failure, ints, must, patient, printable
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import ok
from mmsproxy.at.sim_text import sim_text

CRSM_TIMEOUT = 20.0  # seconds; a SIM800 was seen to take 10
QUERY_TIMEOUT = 10.0

# Elementary files, 3GPP TS 31.102 4.2 and TS 31.101 13.2: file id in decimal as CRSM wants it, and the length to read (0: all).
EF_ICCID = (12258, 10)
EF_AD = (28589, 4)
EF_GID1 = (28478, 0)
EF_GID2 = (28479, 0)
EF_SPN = (28486, 17)
GID_LENGTH = 20  # where the modem refuses length 0

#: The makers' commands for the ICCID; what a modem does not know costs one ERROR.
ICCID_COMMANDS = (b"AT+CCID", b"AT+CICCID", b"AT+QCCID", b"AT#CCID")
_ICCID = re.compile(rb"(?:^|[^0-9A-Fa-f])(89\d{16,18}[0-9F]?)F?(?:[^0-9A-Fa-f]|$)", re.IGNORECASE)  # ITU-T E.118: 89 is telecommunication
_CRSM = re.compile(rb"(\d{1,3}), ?(\d{1,3})(?:, ?\"?([0-9A-Fa-f]*)\"?)?")
_CRSM_GOOD = {145, 146, 159}  # SW1 beside 144,0 (3GPP TS 51.011 9.4)
_CNUM = re.compile(rb"\"?(\+?[0-9*#]{3,20})\"?, ?\d{1,3}(?:,|$)")  # the number stands before its type; the name in front may be anything
_REGISTRATION = re.compile(rb"\d, ?(\d{1,2})(?:, ?\"?[0-9A-Fa-f]*\"?, ?\"?[0-9A-Fa-f]*\"?(?:, ?(\d{1,2}))?)?")
_COPS = re.compile(rb"\d, ?\d, ?\"?([^\",]*)\"?(?:, ?(\d{1,2}))?")
_CPMS = re.compile(rb"\"?(\w{2})\"?, ?(\d{1,5}), ?(\d{1,5})")
_NO_ADDRESS = re.compile(r"[0.:]*")  # 0.0.0.0: there is none yet

#: <AcT> of +COPS and +CxREG (3GPP TS 27.007 7.2, 7.3).
TECHNOLOGIES = {
    0: "2G (GSM)",
    1: "2G (GSM)",
    2: "3G (UMTS)",
    3: "2G (EDGE)",
    4: "3G (HSDPA)",
    5: "3G (HSUPA)",
    6: "3G (HSPA)",
    7: "4G (LTE)",
    8: "2G (EC-GSM-IoT)",
    9: "NB-IoT",
    10: "4G (LTE, 5G core)",
    11: "5G",
    12: "5G",
    13: "4G with 5G",
}

#: Modems without LTE, by how they name themselves (the makers' product pages; modems.md 1.1).
_WITHOUT_LTE = re.compile(
    r"SIM_?(?:8[0-6]\d|9\d\d|5[23]\d\d|300|340|508)(?!\d)"
    r"|(?<![A-Za-z0-9])(?:M95|M66|M35|M10|MC60|UC15|UC20|UG9[56])"
    r"|(?<![A-Za-z0-9])(?:LISA-[UC]|SARA-[UG]|LEON-G)\w*"
    r"|(?<![A-Za-z0-9])(?:HE910|UE910|GE910|GE86[46]|GL86[58]|UL865|UE866|HE863|UC864)",
    re.IGNORECASE,
)
US_COUNTRY_CODES = range(310, 317)  # MCC of the United States (ITU-T E.212)


@dataclass(frozen=True, slots=True)
class SimCard:
    """What a SIM says of itself; strings are empty where it does not.

    imsi        3GPP TS 23.003 2.2: MCC (3 digits), MNC, subscriber
    mnc_length  2 or 3; None where the SIM does not tell, and only a carrier table can
    gid1, gid2  hex, upper case, without filling: what MVNOs of one network differ in
    spn         the service provider's name
    """

    imsi: str = ""
    iccid: str = ""
    mnc_length: int | None = None
    gid1: str = ""
    gid2: str = ""
    spn: str = ""

    @property
    def country(self) -> int | None:
        """The MCC."""
        return int(self.imsi[:3]) if len(self.imsi) >= 5 else None

    @property
    def network(self) -> str:
        """`310-260`; with `?` behind it where the MNC's length is not known, `310-260?`."""
        if self.country is None:
            return ""
        return f"{self.imsi[:3]}-{self.imsi[3 : 3 + (self.mnc_length or 3)]}" + ("" if self.mnc_length else "?")


@dataclass(frozen=True, slots=True)
class Registration:
    """What one of +CEREG, +CGREG, +CREG says. `state` as in 27.007 7.2, `technology` a key of TECHNOLOGIES where it is told."""

    domain: str
    state: int
    technology: int | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """The network in use: its name as the modem shows it, and a key of TECHNOLOGIES where it is told."""

    name: str = ""
    technology: int | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """In dBm: RSSI of +CSQ, RSRP of +CESQ (LTE); None where the modem measures none."""

    rssi: int | None = None
    rsrp: int | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """Messages in the memory that incoming ones go to (+CPMS, mem3)."""

    memory: str
    used: int
    total: int


@dataclass(frozen=True, slots=True)
class Context:
    """PDP context 1 as it is up: the network's own name of the APN, our address in it, its DNS servers."""

    apn: str = ""
    address: str = ""
    dns: tuple[str, ...] = ()


def lacks_lte(words: str) -> bool:
    """Whether a modem that names itself so (`Identity.words`) is known to have neither LTE nor LTE-M."""
    return _WITHOUT_LTE.search(words) is not None


# -- the SIM --------------------------------------------------------------------------------------------------------------------


def sim_state() -> Script[str]:
    """AT+CPIN? (27.007 8.3): READY, SIM PIN ... Raises SimError where no SIM is there, AtError where the modem does not tell."""
    reply = yield from must(Ask(b"AT+CPIN?", ok(rb"\+CPIN: .*")))
    return printable(reply.line(b"+CPIN:") or b"")


def pin_tries(command: bytes) -> Script[int | None]:
    """How many tries the PIN has left, by the dialect's `pin_counter`; None where the modem does not tell."""
    reply = yield from _asked(Ask(command, ok(free=True)))
    match = re.search(rb":(?: *\"[^\"]*\",)? *(\d+)", b" ".join(reply.lines)) if reply.ok else None
    return int(match[1]) if match else None


def sim_card() -> Script[SimCard]:
    """All that the SIM says of itself (modems.md 5.8)."""
    return SimCard(
        imsi=(yield from imsi()),
        iccid=(yield from iccid()),
        mnc_length=(yield from mnc_length()),
        gid1=(yield from group_identifier(EF_GID1)),
        gid2=(yield from group_identifier(EF_GID2)),
        spn=(yield from service_provider()),
    )


def imsi() -> Script[str]:
    """AT+CIMI: bare digits (27.007 5.6)."""
    return (yield from _digits(b"AT+CIMI", rb"(?:\+CIMI: ?)?\"?(\d{6,15})\"?"))


def imei() -> Script[str]:
    """AT+CGSN: bare digits (27.007 5.4)."""
    return (yield from _digits(b"AT+CGSN", rb"(?:\+CGSN: ?)?\"?(\d{14,16})\"?"))


def iccid() -> Script[str]:
    """By the maker's command, else out of EF_ICCID, whose digits are swapped in each octet (31.101 13.2)."""
    for command in ICCID_COMMANDS:
        reply = yield from _asked(Ask(command, ok(free=True), timeout=QUERY_TIMEOUT))
        for line in reply.lines if reply.ok else ():
            if match := _ICCID.search(line):
                return match[1].decode("ascii").upper().removesuffix("F")
    content = yield from elementary_file(*EF_ICCID)
    return re.sub(r"(.)(.)", r"\2\1", (content or b"").hex().upper()).rstrip("F")


def mnc_length() -> Script[int | None]:
    """Octet 4 of EF_AD, low half (31.102 4.2.18)."""
    content = yield from elementary_file(*EF_AD)
    length = content[3] & 0x0F if content is not None and len(content) >= 4 else 0
    return length if length in (2, 3) else None


def group_identifier(file: tuple[int, int]) -> Script[str]:
    """EF_GID1 or EF_GID2 in hex without the FF that fills it (31.102 4.2.10, 4.2.11)."""
    content = yield from elementary_file(*file)
    if content is None:
        content = yield from elementary_file(file[0], GID_LENGTH)
    return (content or b"").rstrip(b"\xff").hex().upper()


def service_provider() -> Script[str]:
    """EF_SPN: the display condition, then the name (31.102 4.2.12)."""
    content = yield from elementary_file(*EF_SPN)
    return sim_text(content[1:]) if content else ""


def elementary_file(number: int, length: int) -> Script[bytes | None]:
    """READ BINARY by AT+CRSM (27.007 8.18); None where there is no such file or the modem does not read it."""
    reply = yield from _asked(Ask(b"AT+CRSM=176,%d,0,0,%d" % (number, length), ok(rb"\+CRSM: .*"), timeout=CRSM_TIMEOUT))
    match = _CRSM.fullmatch(reply.line(b"+CRSM:") or b"") if reply.ok else None
    if match is None or len(match[3] or b"") % 2:
        return None
    sw1, sw2 = int(match[1]), int(match[2])
    return bytes.fromhex((match[3] or b"").decode("ascii")) if (sw1, sw2) == (144, 0) or sw1 in _CRSM_GOOD else None


def own_number() -> Script[str]:
    """AT+CNUM; many SIMs do not know it."""
    reply = yield from _asked(Ask(b"AT+CNUM", ok(rb"\+CNUM: .*"), timeout=QUERY_TIMEOUT))
    for line in reply.lines if reply.ok else ():
        if match := _CNUM.search(line.removeprefix(b"+CNUM:")):
            return match[1].decode("ascii")
    return ""


# -- the network ----------------------------------------------------------------------------------------------------------------


def registrations() -> Script[tuple[Registration, ...]]:
    """What +CEREG, +CGREG and +CREG say, those that the modem knows."""
    found = []
    for name in (b"CEREG", b"CGREG", b"CREG"):
        prefix = b"+" + name + b":"
        reply = yield from _asked(Ask(b"AT+" + name + b"?", ok(rb"\+" + name + rb": ?\d, ?\d{1,2}(,.*)?")))  # a URC has no mode
        if reply.ok and (match := _REGISTRATION.match(reply.line(prefix) or b"")):
            technology = int(match[2]) if match[2] else None
            found.append(Registration(name.decode("ascii"), int(match[1]), technology))
    return tuple(found)


def operator() -> Script[Operator]:
    """AT+COPS? (27.007 7.3)."""
    reply = yield from _asked(Ask(b"AT+COPS?", ok(rb"\+COPS: .*"), timeout=QUERY_TIMEOUT))
    match = _COPS.match(reply.line(b"+COPS:") or b"") if reply.ok else None
    if match is None:
        return Operator()
    return Operator(printable(match[1]), int(match[2]) if match[2] else None)


def signal() -> Script[Signal]:
    """AT+CSQ, and where the modem has it AT+CESQ (27.007 8.5, 8.69)."""
    reply = yield from _asked(Ask(b"AT+CSQ", ok(rb"\+CSQ: .*")))
    simple = ints(reply.line(b"+CSQ:") or b"") if reply.ok else []
    reply = yield from _asked(Ask(b"AT+CESQ", ok(rb"\+CESQ: .*")))
    extended = ints(reply.line(b"+CESQ:") or b"") if reply.ok else []
    rssi = simple[0] if simple and 0 <= simple[0] <= 31 else None
    rsrp = extended[5] if len(extended) > 5 and 0 <= extended[5] <= 97 else None
    return Signal(None if rssi is None else rssi * 2 - 113, None if rsrp is None else rsrp - 141)


def context() -> Script[Context]:
    """AT+CGCONTRDP=1 (27.007 10.1.23), and the address by AT+CGPADDR=1 (10.1.14)."""
    reply = yield from _asked(Ask(b"AT+CGCONTRDP=1", ok(rb"\+CGCONTRDP: .*")))
    line = (reply.line(b"+CGCONTRDP:") or b"") if reply.ok else b""
    # cid, bearer, APN, our address and mask, gateway, first and second DNS server
    fields = [printable(field.strip(b' "')) for field in line.split(b",")] + [""] * 7
    shown = yield from _asked(Ask(b"AT+CGPADDR=1", ok(rb"\+CGPADDR: .*")))
    match = re.search(rb"1, ?\"?([0-9A-Fa-f.:]+)", shown.line(b"+CGPADDR:") or b"") if shown.ok else None
    return Context(
        apn=fields[2],
        address=_address(printable(match[1])) if match else "",
        dns=tuple(server for server in map(_address, fields[5:7]) if server),
    )


def _address(text: str) -> str:
    return "" if _NO_ADDRESS.fullmatch(text) else text


def storage() -> Script[Storage | None]:
    """AT+CPMS? (27.005 3.2.2): the memory for incoming messages, the third of three; the first where only that is told."""
    reply = yield from _asked(Ask(b"AT+CPMS?", ok(rb"\+CPMS: .*"), timeout=QUERY_TIMEOUT))
    found = _CPMS.findall(reply.line(b"+CPMS:") or b"") if reply.ok else []
    if not found:
        return None
    memory, used, total = found[-1]
    return Storage(memory.decode("ascii"), int(used), int(total))


# -- how queries ask ------------------------------------------------------------------------------------------------------------


def _asked(request: Ask) -> Script[Reply]:
    """The reply, good or not, once the SIM is no longer busy. Raises AtTimeout."""
    reply = yield from patient(request)
    if reply.timed_out:
        raise failure(request, reply)
    return reply


def _digits(command: bytes, form: bytes) -> Script[str]:
    reply = yield from _asked(Ask(command, ok(form), timeout=QUERY_TIMEOUT))
    for line in reply.lines if reply.ok else ():
        if match := re.fullmatch(form, line):
            return printable(match[1])
    return ""

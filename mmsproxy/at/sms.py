"""SMS by AT, the same for every dialect: set-up, listing, reading, deleting, sending (3GPP TS 27.005, PDU mode only).

Rule 1: a PDU stays hex; what it means is `wire.sms_pdu`'s. Rule 2: nothing is deleted but by `delete`, and nothing is sent twice: once
Ctrl-Z was offered, silence means that the outcome is unknown. Rule 3: no script waits out a busy SIM, since a socket may be open beside
it: it raises SimBusy, and the caller comes back later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmsproxy.at.dialect import Ask, Offer, Pause, Raw, Script, failure, ints, printable
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import ok
from mmsproxy.at.strings import number
from mmsproxy.errors import AtError, AtStringError, AtTimeout, SimError, SmsRefused, SmsUnknown

CTRL_Z, ESC = b"\x1a", b"\x1b"
PROMPT_TIMEOUT = 10.0  # seconds
SEND_TIMEOUT = 120.0  # seconds to the network's answer (modems.md 7.4: 60 to 120)
LIST_TIMEOUT = 60.0  # seconds: 255 messages are 90 KB
ESCAPE_PAUSE = 0.5  # seconds that a modem gets to say OK to ESC
MAX_TPDU = 176  # octets: 164 of a SUBMIT or DELIVER (23.040 9.2), and 12 of the service centre
MAX_INDEX = 0xFFFF
MAX_NAME = 8  # letters of a storage's name

MAIN_STORAGES = ("ME", "SM")  # tried in this order
REPORT_STORAGE = "SR"

#: 27.005 3.4.1, <mode>,<mt>,<bm>,<ds>,<bfr>. mt is 1 throughout: stored and told of, which survives our crash (modems.md 7.2). The first
#: three are ModemManager's (mm-broadband-modem.c); the others are for modems without cell broadcasts.
CNMI_LADDER = ((2, 1, 2, 1, 0), (2, 1, 2, 2, 0), (2, 1, 2, 0, 0), (2, 1, 0, 1, 0), (2, 1, 0, 2, 0), (2, 1, 0, 0, 0), (1, 1, 0, 0, 0))
REPORTS_DIRECT, REPORTS_STORED = 1, 2  # ds

#: 27.005 3.2.5: 302 not allowed, 303 not supported, 314 SIM busy, 321 no such index, 322 full, 332 the network did not answer in time.
_BUSY = re.compile(rb"\+CM[ES] ERROR: ?(14|314|515|SIM busy.*)", re.IGNORECASE)
_NO_SIM = re.compile(rb"\+CMS ERROR: ?(31[0-35-8]|SIM (not inserted|PIN.*|PUK.*|failure|wrong))", re.IGNORECASE)
_NO_INDEX = re.compile(rb"\+CM[ES] ERROR: ?(321|Invalid memory index)", re.IGNORECASE)
_CODE = re.compile(rb"\+CMS ERROR: ?(\d{1,5})")
NETWORK_TIMEOUT = 332

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_HEX_LINE = rb"[0-9A-Fa-f]{2,}"
_LISTED = re.compile(rb'\+CMGL: ?(?P<index>\d{1,5}), ?"?(?P<status>\d)"?(?:, ?(?:"[^"]*"|[^,"]*))?, ?(?P<length>\d{1,3})')
_READ = re.compile(rb'\+CMGR: ?"?(?P<status>\d)"?(?:, ?(?:"[^"]*"|[^,"]*))?, ?(?P<length>\d{1,3})')
_STORED_AT = re.compile(rb'\+C(?:MTI|DSI): ?"?(?P<storage>[A-Za-z_]{2,8})"?, ?(?P<index>\d{1,5})(?:,.*)?')
_DIRECT = re.compile(rb"\+C(?:MT|DS): ?(?:.*, ?)?(?P<length>\d{1,3})")


class SimBusy(AtError):
    """The SIM is busy for some seconds, as after a boot. Nothing was done; it is worth asking again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies: a storage's name without its quotes, and the index there. Indexes are used again."""

    storage: str
    index: int


@dataclass(frozen=True, slots=True)
class Held:
    """A message in the modem. `status`: 0 received unread, 1 received read, 2 stored unsent, 3 stored sent. `length` counts the octets of
    the TPDU without the service centre; `pdu` is hex as the modem shows it, mostly with the service centre in front."""

    place: Place
    status: int
    length: int
    pdu: str

    @property
    def was_received(self) -> bool:
        return self.status in (0, 1)


@dataclass(frozen=True, slots=True)
class Fill:
    """How full the storage of incoming messages is. A full one stops them, silently."""

    storage: str
    used: int
    total: int


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the modem took.

    storage      where messages come in; all three memories are this one
    others       further storages that may hold messages from before
    announced    whether the modem tells of messages; else only looking helps
    reports      where status reports go: 0 nowhere, REPORTS_DIRECT, REPORTS_STORED
    acknowledge  whether direct ones have to be acknowledged (AT+CNMA): the modem would not leave message service 1
    """

    storage: str
    others: tuple[str, ...] = ()
    announced: bool = True
    reports: int = 0
    acknowledge: bool = False

    @property
    def coming_in(self) -> tuple[str, ...]:
        """The storages into which something new may come."""
        return (self.storage, *(name for name in self.others if name == REPORT_STORAGE))


# -- set-up ---------------------------------------------------------------------------------------------------------------------


def set_up() -> Script[SetUp]:
    """PDU mode, message service 0, one storage for all three memories, and the best CNMI. Raises SimBusy, AtError, SimError, AtTimeout."""
    yield from pdu_mode()
    acknowledge = yield from _service()
    storage, others = yield from _choose_storage()
    announcement = yield from _announce()
    if announcement is None:
        return SetUp(storage, others, announced=False, acknowledge=acknowledge)
    reports = announcement[3]
    if reports == REPORTS_STORED and (yield from _has(REPORT_STORAGE, storage)):
        others = (*others, REPORT_STORAGE)
    return SetUp(storage, others, reports=reports, acknowledge=acknowledge)


def pdu_mode() -> Script[None]:
    """Mandatory: an 8-bit push cannot be read in text mode."""
    yield from _must(Ask(b"AT+CMGF=0"))


def _service() -> Script[bool]:
    """Service 0 wants no acknowledgements. Whether the modem stays in service 1, which does."""
    reply = yield from _asked(Ask(b"AT+CSMS=0", ok(rb"\+CSMS: .*")))
    if reply.ok:
        return False
    reply = yield from _asked(Ask(b"AT+CSMS?", ok(rb"\+CSMS: .*")))
    return reply.ok and ints(reply.line(b"+CSMS:") or b"")[:1] == [1]


def _choose_storage() -> Script[tuple[str, tuple[str, ...]]]:
    """The storage for all three memories (a mismatch loses messages), and the others that there are."""
    there: list[str] = []
    for name in reversed(MAIN_STORAGES):  # the first choice is set last
        usable = yield from _set_all(name)
        there = [name, *there] if usable else there
    if not there:
        return (yield from fill_state()).storage, ()
    if there[0] != MAIN_STORAGES[0]:
        yield from _set_all(there[0])  # the first choice may have been taken, and be of no size
    return there[0], tuple(there[1:])


def _set_all(name: str) -> Script[bool]:
    """A storage of no size is none: some modems have an "ME" of 0."""
    quoted = _quoted(name)
    reply = yield from _asked(Ask(b"AT+CPMS=" + b",".join((quoted,) * 3), ok(rb"\+CPMS: .*")))
    totals = ints(reply.line(b"+CPMS:") or b"")[1::2] if reply.ok else [0]
    return bool(totals) and all(totals)


def _announce() -> Script[tuple[int, ...] | None]:
    """The first CNMI that the modem takes."""
    for step in CNMI_LADDER:
        reply = yield from _asked(Ask(b"AT+CNMI=" + b",".join(b"%d" % value for value in step)))
        if reply.ok:
            return step
    return None


def _has(name: str, current: str) -> Script[bool]:
    """Whether there is such a storage to read from; `current` is read from again afterwards."""
    there = yield from _select(name)
    if there:
        yield from _must_select(current)
    return there


# -- what came ------------------------------------------------------------------------------------------------------------------


def place_of(line: bytes) -> Place | None:
    """Of +CMTI or +CDSI in all their forms, with any number of further fields; None for what is neither."""
    match = _STORED_AT.fullmatch(line)
    if match is None or int(match["index"]) > MAX_INDEX:
        return None
    return Place(match["storage"].decode().upper(), int(match["index"]))


def length_of(line: bytes) -> int | None:
    """Of +CMT or +CDS in PDU mode: octets of the TPDU that follows; None for what is neither."""
    match = _DIRECT.fullmatch(line)
    return None if match is None else int(match["length"])


def listing(storage: str, current: str) -> Script[tuple[Held, ...]]:
    """All messages of a storage, in the modem's order. `current` is the one that is selected, before and after."""
    yield from _enter(storage, current)
    try:
        reply = yield from _must(Ask(b"AT+CMGL=4", ok(rb"\+CMGL: .*|" + _HEX_LINE), timeout=LIST_TIMEOUT))
    except AtError:
        yield from _leave(storage, current)
        raise
    yield from _leave(storage, current)
    return tuple(_listed(reply.lines, storage))


def read(place: Place, current: str) -> Script[Held | None]:
    """One message; None when nothing lies there. The modem marks it as read."""
    yield from _enter(place.storage, current)
    request = Ask(b"AT+CMGR=" + number(place.index, high=MAX_INDEX), ok(rb"\+CMGR: .*|" + _HEX_LINE), timeout=20.0)
    reply = yield request
    yield from _leave(place.storage, current)
    if not reply.ok and not _NO_INDEX.fullmatch(reply.last):
        raise sms_failure(request, reply)
    return next(_pairs(reply.lines, _READ, place), None)


def delete(place: Place, current: str) -> Script[None]:
    """Only for what is stored durably elsewhere. A message that is not there any more is no error."""
    yield from _enter(place.storage, current)
    request = Ask(b"AT+CMGD=" + number(place.index, high=MAX_INDEX), timeout=25.0)
    reply = yield request
    yield from _leave(place.storage, current)
    if not reply.ok and not _NO_INDEX.fullmatch(reply.last):
        raise sms_failure(request, reply)


def acknowledge() -> Script[None]:
    """A direct message or report was stored (27.005 3.4.4). A modem that does not wait for it any more is not at fault."""
    yield from _asked(Ask(b"AT+CNMA"))


def fill_state() -> Script[Fill]:
    """Of the storage in which messages come in (mem3)."""
    request = Ask(b"AT+CPMS?", ok(rb"\+CPMS: .*"))
    reply = yield from _must(request)
    memories = re.findall(rb'"([A-Za-z_]{2,8})", ?(\d{1,5}), ?(\d{1,5})', reply.line(b"+CPMS:") or b"")
    if not memories:
        raise AtError(f"the modem does not tell its SMS storage: {printable(reply.lines[0])}")
    name, used, total = memories[-1]
    return Fill(name.decode().upper(), int(used), int(total))


def _listed(lines: Sequence[bytes], storage: str) -> Iterator[Held]:
    yield from _pairs(lines, _LISTED, Place(storage, 0))


def _pairs(lines: Sequence[bytes], header: re.Pattern[bytes], place: Place) -> Iterator[Held]:
    """Headers and the PDU line of each: the first that is as long as the header says. A cell broadcast's line may stand between."""
    told: re.Match[bytes] | None = None
    for line in lines:
        if match := header.match(line):
            told = match
        elif told is not None and _fits(line, int(told["length"])):
            index = told.groupdict().get("index")
            where = place if index is None else Place(place.storage, int(index))
            yield Held(where, int(told["status"]), int(told["length"]), line.decode())
            told = None


def _fits(line: bytes, length: int) -> bool:
    text = line.decode("ascii", "replace")
    if not length or _HEX.fullmatch(text) is None:
        return False
    octets = len(text) // 2
    return octets in (length, length + 1 + int(text[:2], 16))


# -- storages -------------------------------------------------------------------------------------------------------------------


def _enter(storage: str, current: str) -> Script[None]:
    if storage != current:
        yield from _must_select(storage)


def _leave(storage: str, current: str) -> Script[None]:
    if storage != current:
        yield from _must_select(current)


def _select(storage: str) -> Script[bool]:
    """Of the three memories only the one that is read and deleted from (mem1)."""
    reply = yield from _asked(Ask(b"AT+CPMS=" + _quoted(storage), ok(rb"\+CPMS: .*")))
    return reply.ok


def _must_select(storage: str) -> Script[None]:
    yield from _must(Ask(b"AT+CPMS=" + _quoted(storage), ok(rb"\+CPMS: .*")))


def _quoted(storage: str) -> bytes:
    if not re.fullmatch(rf"[A-Z_]{{2,{MAX_NAME}}}", storage):
        raise AtStringError("this is not a storage of messages", cure="it must be two to eight capital letters")
    return b'"%s"' % storage.encode("ascii")


# -- sending --------------------------------------------------------------------------------------------------------------------


def keep_link_open(on: bool) -> Script[None]:
    """Between the parts of one message (27.005 3.5.6). A modem that cannot sends them nevertheless."""
    yield from _asked(Ask(b"AT+CMMS=2" if on else b"AT+CMMS=0"))


def send(length: int, pdu: str) -> Script[int]:
    """One SUBMIT; returns the reference that its status report will name, 0..255.

    length  octets of the TPDU without the service centre
    pdu     hex with the service centre in front (00: the SIM's)

    Raises AtStringError for another form, SimBusy, SimError, SmsRefused and AtTimeout when nothing has left, and SmsUnknown when it may
    have. Never repeats anything.
    """
    text = check(length, pdu)
    request = Ask(b"AT+CMGS=%d" % length, ok(rb"\+CMGS: .*"), timeout=PROMPT_TIMEOUT, prompt=True)
    reply = yield request
    if reply.timed_out:
        yield from _cancel()
    if not reply.prompted:
        raise sms_failure(request, reply)
    reply = yield Offer(text + CTRL_Z, len(text) // 2, SEND_TIMEOUT)
    if reply.timed_out:
        raise SmsUnknown(f"no result to AT+CMGS within {SEND_TIMEOUT:g} s")
    if not reply.ok:
        raise _refusal(request, reply)
    return _reference(reply)


def _cancel() -> Script[None]:
    """The prompt may have got lost: ESC leaves it, and is nothing where there is none."""
    yield Raw(ESC)
    yield Pause(ESCAPE_PAUSE)


def _refusal(request: Ask, reply: Reply) -> AtError | SimError | AtTimeout | SmsRefused | SmsUnknown:
    """The network's own silence tells nothing of what it has taken."""
    error = sms_failure(request, reply)
    if isinstance(error, SmsRefused) and error.cms == NETWORK_TIMEOUT:
        return SmsUnknown("the network did not answer in time (+CMS ERROR: 332)")
    return error


def _reference(reply: Reply) -> int:
    numbers = ints(reply.line(b"+CMGS:") or b"")
    if not numbers or not 0 <= numbers[0] <= 0xFF:
        raise SmsUnknown(f"the modem tells no reference: {printable(b' '.join(reply.lines))}")
    return numbers[0]


def check(length: int, pdu: str) -> bytes:
    """What may follow the prompt: nothing but hex, and as much as is announced. Raises AtStringError."""
    octets = len(pdu) // 2
    if _HEX.fullmatch(pdu) is None or not octets <= MAX_TPDU or octets != length + 1 + int(pdu[:2], 16):
        raise AtStringError("this is not a PDU for AT+CMGS", cure="it must be hex, the service centre and then as many octets as told")
    return pdu.upper().encode("ascii")


# -- how these scripts ask ------------------------------------------------------------------------------------------------------


def _asked(request: Ask) -> Script[Reply]:
    """A command that may be refused. Raises SimBusy and AtTimeout."""
    reply = yield request
    if reply.timed_out or _BUSY.fullmatch(reply.last):
        raise sms_failure(request, reply)
    return reply


def _must(request: Ask) -> Script[Reply]:
    reply = yield request
    if not reply.ok:
        raise sms_failure(request, reply)
    return reply


def sms_failure(request: Ask, reply: Reply) -> AtError | SimError | AtTimeout | SmsRefused:
    """The error that a reply means, with the codes of 27.005 3.2.5."""
    if reply.timed_out:
        return AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")
    if _BUSY.fullmatch(reply.last):
        return SimBusy(f"the SIM is busy: {printable(reply.last)}")
    if _NO_SIM.fullmatch(reply.last):
        return SimError(f"the SIM cannot be used: {printable(reply.last)}", cure="check that a SIM is in the modem, and its PIN")
    if code := _CODE.fullmatch(reply.last):
        return SmsRefused(f"the modem answered {printable(reply.last)} to {printable(request.text)}", cms=int(code[1]))
    return _plain(request, reply)


def _plain(request: Ask, reply: Reply) -> AtError | SimError | AtTimeout:
    error = failure(request, reply)
    assert isinstance(error, AtError | SimError | AtTimeout)
    return error

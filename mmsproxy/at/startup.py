"""What every modem goes through before it can carry a message: waking, identification, SIM, registration. Shared by all dialects.

Rule 1: nothing of one family stands here; what differs comes as data of the Dialect. Rule 2: the PIN is entered once and never after
it may have been refused: a third wrong one locks the SIM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmsproxy.at.dialect import Ask, Climb, Dialect, Identity, Pause, Profile, Rung, Script, Tell, failure, must, patient, printable
from mmsproxy.at.rules import ok
from mmsproxy.at.strings import quoted_apn, quoted_pdp_type, quoted_pin
from mmsproxy.errors import AtTimeout, BearerError, RegistrationError, SimError

WAKE_TRIES = 10
ANSWER_TRIES = 3  # of AT at one rate, each WAKE_TIMEOUT
WAKE_TIMEOUT = 0.3  # seconds (modems.md 5.3, rung 1)
SETTLE = 0.1  # seconds of listening after an OK that may belong to an earlier AT
REGISTER_POLLS = 60  # in 60 s (modems.md 5.3, rung 4)
REGISTER_PAUSE = 1.0  # seconds between two of them
ATTACH_TIMEOUT = 60.0
FULL_PIN_TRIES = 3  # 3GPP TS 31.101 9.5.1: what the counter shows after the PIN was right

REGISTERED = {1, 5, 9, 10}  # home, roaming, and both with "CSFB not preferred" (27.007 7.2)
DENIED = 3
NO_ANSWER = "the modem does not answer AT"
_OPERATOR_ID = re.compile(r"\.mnc\d{2,3}\.mcc\d{3}\.gprs$", re.IGNORECASE)  # what the network adds to an APN (3GPP TS 23.003 9.1.2)
_NAME = re.compile(r"^(?:\+CGM[IMR]: ?|Manufacturer: ?|Model: ?|Revision: ?)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Radio:
    """Operator name as the modem shows it, and signal in dBm where known."""

    operator: str = ""
    signal_dbm: int | None = None


class NoAnswer(AtTimeout):
    """The modem does not answer AT at all."""


def wake(tries: int = WAKE_TRIES) -> Script[None]:
    """`AT` until OK. Raises NoAnswer when the modem stays silent."""
    if not (yield from answers(tries)):
        raise NoAnswer(NO_ANSWER, cure="check its power, and modem.port and modem.baud in the config")


def answers(tries: int = ANSWER_TRIES) -> Script[bool]:
    """Whether the modem says OK to one of so many AT's."""
    for attempt in range(tries):
        reply = yield Ask(b"AT", timeout=WAKE_TIMEOUT, probe=True)
        if reply.ok:
            if attempt:
                yield Pause(SETTLE)
            return True
    return False


def plain_talk() -> Script[None]:
    """Echo off (mandatory before a counted send: some modems echo the payload too), words instead of numbers, numeric errors."""
    yield from must(Ask(b"ATE0"))
    yield from must(Ask(b"ATV1"))
    yield from patient(Ask(b"AT+CMEE=1"))  # refused by some: then errors come as text


def identify() -> Script[Identity]:
    info = yield Ask(b"ATI", ok(free=True))
    names = []
    for command in (b"AT+CGMI", b"AT+CGMM", b"AT+CGMR"):
        reply = yield Ask(command, ok(free=True))
        names.append(_NAME.sub("", printable(reply.lines[0])) if reply.ok and len(reply.lines) > 1 else "")
    words = " ".join(printable(line) for line in info.lines[:-1]) if info.ok else ""
    return Identity(names[0], names[1], names[2], words)


def unlock(dialect: Dialect, pin: str | None, *, refused: bool) -> Script[None]:
    """The SIM is ready, by the PIN where it wants one. Raises SimError; `refused` says that this PIN was refused before."""
    state = yield from _pin_state()
    if state == b"READY":
        return
    if state != b"SIM PIN":
        raise SimError(f"the SIM wants {printable(state)}", cure="unlock it in a phone")
    if not pin:
        raise SimError("the SIM wants its PIN", cure="set modem.pin in the config, or switch the PIN off in a phone")
    if refused or not (yield from _pin_is_fresh(dialect)):
        raise SimError("the SIM has refused a PIN", cure="correct modem.pin, and enter the PIN once in a phone to reset the counter")
    yield from _enter(pin)


def _enter(pin: str) -> Script[None]:
    request = Ask(b"AT+CPIN=" + quoted_pin(pin), timeout=10.0)
    reply = yield request  # never repeated, whatever it says
    if reply.timed_out:
        raise failure(request, reply)
    if not reply.ok:
        raise PinRefused(f"the SIM refused the PIN: {printable(reply.last)}", cure="correct modem.pin in the config")
    for _ in range(10):
        if (yield from _pin_state()) == b"READY":
            return
        yield Pause(1.0)
    raise SimError("the SIM took the PIN but does not get ready", cure="restart the modem")


class PinRefused(SimError):
    """The PIN was entered and refused; it must not be entered again."""


def _pin_state() -> Script[bytes]:
    reply = yield from must(Ask(b"AT+CPIN?", ok(rb"\+CPIN: .*")))
    return reply.line(b"+CPIN:") or b""


def _pin_is_fresh(dialect: Dialect) -> Script[bool]:
    """Whether nobody has entered a wrong PIN since the last right one. A modem that cannot tell gets the benefit of the doubt."""
    reply = yield Ask(dialect.pin_counter, ok(free=True))
    match = re.search(rb':(?: *"[^"]*",)? *(\d+)', b" ".join(reply.lines)) if reply.ok else None
    return match is None or int(match[1]) >= FULL_PIN_TRIES


def require_sim() -> Script[None]:
    """The SIM is still there and unlocked. Raises SimError; a modem that does not tell is not at fault."""
    request = Ask(b"AT+CPIN?", ok(rb"\+CPIN: .*"))
    reply = yield from patient(request)
    if not reply.ok and isinstance(error := failure(request, reply), SimError):
        raise error
    state = reply.line(b"+CPIN:") if reply.ok else None
    if state not in (None, b"READY"):
        raise SimError(f"the SIM wants {printable(state)}", cure="check that the SIM sits well; it is unlocked again by itself")


def radio_on() -> Script[None]:
    """Full functionality, where the modem was left in another (27.007 8.2)."""
    reply = yield from patient(Ask(b"AT+CFUN?", ok(rb"\+CFUN: .*")))
    if reply.ok and reply.line(b"+CFUN:") not in (b"1", None):
        yield from must(Ask(b"AT+CFUN=1", timeout=10.0))


def define_context(profile: Profile) -> Script[bool]:
    """`CGDCONT=1,"IP","apn"`, where it is not so already: it is kept over restarts, and some modems refuse to change an active one.
    Returns whether it was so."""
    if (yield from _is_defined(profile)):
        return True
    yield from must(Ask(b"AT+CGDCONT=" + _definition(profile)))
    return False


def _definition(profile: Profile) -> bytes:
    return b"1," + quoted_pdp_type(profile.pdp_type) + b"," + quoted_apn(profile.apn)


def _is_defined(profile: Profile) -> Script[bool]:
    wanted = _definition(profile)
    reply = yield Ask(b"AT+CGDCONT?", ok(rb"\+CGDCONT: .*"))
    return reply.ok and any(line.removeprefix(b"+CGDCONT: ").startswith(wanted) for line in reply.lines)


def context_is(profile: Profile) -> Script[bool]:
    """Whether context 1 is defined as the profile wants it, and as far as the modem tells is up by its APN."""
    if not (yield from _is_defined(profile)):
        return False
    return not (yield from foreign_apn(profile))


def foreign_apn(profile: Profile) -> Script[str]:
    """The APN by which context 1 is up (27.007 10.1.23), where the modem says so and it is another than the profile's; else empty."""
    reply = yield Ask(b"AT+CGCONTRDP=1", ok(rb"\+CGCONTRDP: ?1,.*"))
    found = re.match(rb'1, ?\d*, ?"([^"]*)"', reply.line(b"+CGCONTRDP:") or b"") if reply.ok else None
    apn = _OPERATOR_ID.sub("", printable(found[1])) if found else ""
    return "" if apn.lower() == profile.apn.lower() else apn


def register() -> Script[None]:
    """Waits until a network has taken the modem, then attaches to its packet service. Raises RegistrationError."""
    for poll in range(REGISTER_POLLS):
        states = yield from registration()
        if states & REGISTERED:
            break
        if poll == 0:
            yield Tell("waiting for the network: " + ("denied so far" if DENIED in states else "searching"))
        yield Pause(REGISTER_PAUSE)
    else:
        raise RegistrationError(
            "the network denies registration" if DENIED in states else "no network found",
            cure="check the SIM's subscription" if DENIED in states else "check the antenna and whether the network serves this modem",
        )
    yield from attach()


def registration() -> Script[set[int]]:
    """The states that +CEREG, +CGREG and +CREG report, up to the first that is registered; empty where the modem knows none of them."""
    states: set[int] = set()
    for name in (b"CEREG", b"CGREG", b"CREG"):
        reply = yield from patient(Ask(b"AT+" + name + b"?", ok(rb"\+" + name + rb": ?\d, ?\d{1,2}(,.*)?")))  # a URC has no mode
        match = re.match(rb"\d, ?(\d+)", reply.line(b"+" + name + b":") or b"")
        if reply.ok and match:
            states.add(int(match[1]))
        if states & REGISTERED:
            break
    return states


def attach() -> Script[None]:
    reply = yield Ask(b"AT+CGATT?", ok(rb"\+CGATT: .*"))
    if not (reply.ok and reply.line(b"+CGATT:") == b"1"):
        yield from must(Ask(b"AT+CGATT=1", timeout=ATTACH_TIMEOUT))


def radio() -> Script[Radio]:
    """Signal and operator, for people; a modem that refuses is not at fault."""
    signal = yield Ask(b"AT+CSQ", ok(rb"\+CSQ: .*"))
    match = re.match(rb"(\d+)", signal.line(b"+CSQ:") or b"")
    rssi = int(match[1]) if match else 99
    names = yield Ask(b"AT+COPS?", ok(rb"\+COPS: .*"), timeout=10.0)
    operator = re.search(rb'"([^"]*)"', names.line(b"+COPS:") or b"")
    return Radio(printable(operator[1]) if operator else "", rssi * 2 - 113 if rssi <= 31 else None)  # 27.007 8.5


def ensure_bearer(dialect: Dialect, profile: Profile) -> Script[bool]:
    """The bearer is up: checked by one short command, else brought up, once more from a clean state if that fails. Returns whether it had
    to be brought up. Raises BearerError."""
    if (yield from dialect.bearer_check()):
        return False
    try:
        yield from dialect.bearer_up(profile)
    except BearerError as error:
        yield Climb(Rung.BEARER, error.detail)
        yield from dialect.bearer_down()
        yield from dialect.bearer_up(profile)
    return True


def make_ready(dialect: Dialect, profile: Profile, identity: Identity, pin: str | None, *, refused: bool) -> Script[None]:
    """From a modem that talks to one that is attached: SIM, radio, the dialect's own configuration, network."""
    yield from unlock(dialect, pin, refused=refused)
    yield from radio_on()
    yield from dialect.prepare(profile, identity)
    yield from register()

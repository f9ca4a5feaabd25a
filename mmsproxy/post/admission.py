"""What is not accepted: numbers that cost extra, too many recipients, who said STOP, and caps of a token or a recipient. Pure.

Rule 1: every refusal is found, each with its place, not the first one only. Rule 2: a number is refused or taken as it is.
It knows nothing of MMS: whoever asks names the recipients and what the message costs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from mmsproxy.carrier.headers import national_number
from mmsproxy.errors import Fault, MmsproxyError
from mmsproxy.post.caps import Caps, Full, Usage

NUMBER = re.compile(r"\+?[0-9]{7,15}")  # delivery.md 9
EMAIL = re.compile(r"[!-;=?A-~]{1,64}@[A-Za-z0-9.-]{1,253}")  # MMS reaches mailboxes too (OMA-TS-MMS_ENC 8)
NO_CAPS = Caps(per_hour=0, per_day=0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason not to accept. `pointer` is an RFC 6901 pointer into the API's request; `code` one of its problems."""

    pointer: str
    code: str
    detail: str


class Refused(MmsproxyError):
    """Nothing was kept. `retry_after`: seconds, when the same message can be accepted later."""

    fault = Fault.CALLER

    def __init__(self, refusals: tuple[Refusal, ...], *, retry_after: float | None = None) -> None:
        super().__init__(refusals[0].detail)
        self.code = refusals[0].code
        self.refusals = refusals
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user allows.

    recipients     the most of one message; 0: any
    numbers        short and premium codes that are allowed, as they are dialled
    countries      allowed country codes such as "+49"; empty: only that of `home`
    home           the SIM's own number, "" when it is not known: then every country is allowed that `countries` does not exclude
    emails         mail addresses are allowed
    per_token, per_recipient   caps, none by default
    """

    recipients: int = 20
    numbers: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    home: str = ""
    emails: bool = True
    per_token: Caps = field(default_factory=lambda: NO_CAPS)
    per_recipient: Caps = field(default_factory=lambda: NO_CAPS)


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of the recipients and the token."""

    opted_out: Collection[str] = ()
    token_usage: Usage = field(default_factory=Usage)
    recipient_usage: Mapping[str, Usage] = field(default_factory=dict)


def check(recipients: tuple[str, ...], cost: int, rules: Rules, known: Known, now: float, *, first: int = 0) -> None:
    """Raises Refused with all that is wrong. `first` is the place of the first recipient in the request."""
    refusals = tuple(_wrong_recipients(recipients, rules, known, first))
    if refusals:
        raise Refused(refusals)
    full = [*_full(recipients, cost, rules, known, now, first)]
    if full:
        raise Refused(tuple(refusal for refusal, _ in full), retry_after=max(cap.until for _, cap in full) - now)


def choose_line(wanted: str | None, lines: Mapping[str, str | None]) -> str:
    """The name of the line that was asked for by name or own number; "" for any. `lines` are own numbers by name. Raises Refused."""
    if wanted is None or wanted == "" or wanted in lines:
        return wanted or ""
    for name, number in lines.items():
        if number == wanted:
            return name
    raise Refused((Refusal("/line", "no_line", f"there is no line {_shown(wanted)}; there are {', '.join(lines)}"),))


def country_code(number: str) -> str:
    """`+49` of `+4915112345678`; "" for a number without +."""
    return number.removesuffix(national_number(number)) if number.startswith("+") else ""


def _wrong_recipients(recipients: tuple[str, ...], rules: Rules, known: Known, first: int) -> Iterator[Refusal]:
    if rules.recipients and len(recipients) > rules.recipients:
        yield Refusal("/to", "too_many_recipients", f"{len(recipients)} recipients; at most {rules.recipients} are allowed for one message")
    for n, number in enumerate(recipients, first):
        wrong = _wrong(number, rules)
        if wrong is not None:
            yield Refusal(f"/to/{n}", *wrong)
        elif number in known.opted_out:
            yield Refusal(f"/to/{n}", "opted_out", f"{_shown(number)} said STOP; only START or a person lifts that")


def _wrong(number: str, rules: Rules) -> tuple[str, str] | None:
    if number in rules.numbers or (rules.emails and EMAIL.fullmatch(number)):
        return None
    if not NUMBER.fullmatch(number):
        if re.fullmatch(r"\+?[0-9*#]{1,6}", number):
            return "denied_number", f"{_shown(number)} is a short code, which may cost extra; list it in limits.numbers to allow it"
        return "invalid_number", f"{_shown(number)} is no telephone number of 7 to 15 digits"
    country = country_code(number)
    allowed = rules.countries or frozenset({country_code(rules.home)} - {""})
    if country and allowed and country not in allowed:
        return "denied_number", f"numbers of {country} are not allowed; list it in limits.countries to allow them"
    return None


def _full(recipients: tuple[str, ...], cost: int, rules: Rules, known: Known, now: float, first: int) -> Iterator[tuple[Refusal, Full]]:
    full = rules.per_token.full(known.token_usage, cost, now)
    if full is not None:
        yield Refusal("", "rate_limited", f"this token's cap of {full.limit} {full.cap.replace('_', ' ')} is reached"), full
    for n, number in enumerate(recipients, first):
        full = rules.per_recipient.full(known.recipient_usage.get(number, Usage()), 1, now)
        if full is not None:
            detail = f"the cap of {full.limit} {full.cap.replace('_', ' ')} for {_shown(number)} is reached"
            yield Refusal(f"/to/{n}", "rate_limited", detail), full


def _shown(number: str) -> str:
    return ascii(number[:40])

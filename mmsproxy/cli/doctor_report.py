"""What the doctor says: findings, how they are judged from facts, and how they look to people and to machines.

Rule 1: judgements are pure; nothing is asked here. Rule 2: a finding that is not good ends with the one cure, where there is one. Rule 3:
IMSI, ICCID and phone numbers are masked unless asked otherwise: reports are pasted into issues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from mmsproxy.at.dialect import Identity, Profile
from mmsproxy.at.queries import (
    TECHNOLOGIES,
    US_COUNTRY_CODES,
    Context,
    Operator,
    Registration,
    Signal,
    SimCard,
    Storage,
    lacks_lte,
)
from mmsproxy.at.startup import DENIED, REGISTERED
from mmsproxy.cli.logs import mask_numbers

WEAK_RSSI = -105  # dBm (+CSQ 4): below it transfers fail often
WEAK_RSRP = -115  # dBm: the edge of an LTE cell
STORAGE_WARNS = 0.8  # of the memory is used (modems.md 7.3)
PACKET_DOMAINS = ("CEREG", "CGREG")
ROAMING = {5, 10}  # 27.007 7.2
SMS_ONLY = {6, 7}
EMERGENCY_ONLY = 8
LTE_MODEM = "use an LTE modem, for example a SIM7600 or an EC25"


class Level(Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `facts` are the same for machines."""

    name: str
    level: Level
    seen: str
    cure: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def line_of(finding: Finding) -> str:
    """`fail  signal        what was seen; the cure`."""
    cure = f"; {finding.cure}" if finding.cure and finding.level is not Level.SKIP else ""
    return f"{finding.level.value:<5} {finding.name:<13} {finding.seen}{cure}"


def closing(findings: Sequence[Finding]) -> str:
    """The last line: how many of which."""
    count = {level: sum(finding.level is level for finding in findings) for level in Level}
    words = [f"{count[Level.FAIL]} failed"] if count[Level.FAIL] else []
    words += [f"{count[Level.WARN]} to look at"] if count[Level.WARN] else []
    words += [f"{count[Level.SKIP]} not checked"] if count[Level.SKIP] else []
    return f"{count[Level.OK]} well" + "".join(f", {word}" for word in words)


def as_json(line: str, port: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """One line's examination. `ok` is false when a check failed."""
    return {
        "line": line,
        "port": port,
        "ok": not failed(findings),
        "checks": [
            {"name": f.name, "level": f.level.value, "seen": f.seen, "cure": f.cure or None, "facts": dict(f.facts)} for f in findings
        ],
    }


def failed(findings: Sequence[Finding]) -> bool:
    return any(finding.level is Level.FAIL for finding in findings)


# -- judgements -----------------------------------------------------------------------------------------------------------------


def masked(number: str, unmasked: bool) -> str:
    return number if unmasked else mask_numbers(number)


def judge_identity(identity: Identity, imei: str, unmasked: bool) -> Finding:
    shown = masked(imei, unmasked)
    facts = {"manufacturer": identity.manufacturer, "model": identity.model, "firmware": identity.revision, "imei": shown}
    name = " ".join(word for word in (identity.manufacturer, identity.model) if word) or identity.info
    if not name:
        return Finding("identity", Level.WARN, "the modem does not say what it is", "name its dialect as modem.dialect", facts)
    firmware = f", firmware {identity.revision}" if identity.revision else ""
    return Finding("identity", Level.OK, f"{name}{firmware}" + (f", IMEI {shown}" if imei else ""), facts=facts)


def judge_dialect(spoken: str, by_model: str, configured: str) -> Finding:
    """`by_model` is the dialect that the model's name belongs to; empty for one that no dialect knows."""
    facts = {"dialect": spoken, "by_model": by_model or None}
    if configured == "auto":
        return Finding("dialect", Level.OK, f"{spoken}, by " + ("the model's name" if by_model else "what it understands"), facts=facts)
    if by_model and by_model != configured:
        cure = f"set modem.dialect to {by_model} or auto, unless that was tried"
        return Finding("dialect", Level.WARN, f"{configured} by the config, but the model's name is of {by_model}", cure, facts)
    return Finding("dialect", Level.OK, f"{configured}, by the config", facts=facts)


def judge_sim(state: str, *, has_pin: bool, entered: bool) -> Finding:
    """`state` is that of +CPIN (27.007 8.3)."""
    facts = {"state": state, "pin_entered": entered}
    if state == "READY":
        return Finding("sim", Level.OK, "ready" + (", its PIN was entered" if entered else ""), facts=facts)
    if state == "SIM PIN":
        cure = "run again with --enter-pin" if has_pin else "set modem.pin in the config, or switch the PIN off in a phone"
        return Finding("sim", Level.FAIL, "the SIM wants its PIN", cure, facts)
    return Finding("sim", Level.FAIL, f"the SIM wants {state}", "unlock it in a phone", facts)


def judge_subscription(card: SimCard, unmasked: bool) -> Finding:
    imsi, iccid = masked(card.imsi, unmasked), masked(card.iccid, unmasked)
    facts = {
        "imsi": imsi,
        "iccid": iccid,
        "network": card.network,
        "mnc_length": card.mnc_length,
        "gid1": card.gid1,
        "gid2": card.gid2,
        "spn": card.spn,
    }
    named = (
        ("network", card.network),
        ("IMSI", imsi),
        ("ICCID", iccid),
        ("GID1", card.gid1),
        ("GID2", card.gid2),
        ("SPN", card.spn),
    )
    seen = ", ".join(f"{name} {value}" for name, value in named if value)
    if not card.imsi:
        missing = "the modem does not tell the IMSI" + (f" ({seen})" if seen else "")
        return Finding("subscription", Level.WARN, missing, "take the SIM out, clean it and put it back", facts)
    return Finding("subscription", Level.OK, seen, facts=facts)


def judge_number(on_sim: str, configured: str, unmasked: bool) -> Finding:
    sim, config = masked(on_sim, unmasked), masked(configured, unmasked)
    facts = {"sim": sim or None, "config": config or None}
    if configured and on_sim and not _same_number(on_sim, configured):
        cure = "set `number` in the config to the SIM's, unless the carrier has changed it"
        return Finding("number", Level.WARN, f"{config} in the config, {sim} on the SIM", cure, facts)
    if configured:
        return Finding("number", Level.OK, f"{config}, by the config", facts=facts)
    if on_sim:
        return Finding("number", Level.OK, f"{sim}, by the SIM", facts=facts)
    return Finding(
        "number",
        Level.WARN,
        "not on the SIM, as with many",
        "set the line's `number` in the config if its carrier's headers want it",
        facts,
    )


def _same_number(one: str, other: str) -> bool:
    """Numbers may stand with and without their country code."""
    digits = [number.lstrip("+").lstrip("0") for number in (one, other)]
    return digits[0].endswith(digits[1]) or digits[1].endswith(digits[0])


def judge_registration(states: Sequence[Registration], identity: Identity, country: int | None) -> Finding:
    facts = {found.domain.lower(): found.state for found in states}
    here = {found.state for found in states}
    if not here & REGISTERED:
        return Finding("registration", Level.FAIL, _unregistered(here), _unregistered_cure(here, identity, country), facts)
    if not any(found.domain in PACKET_DOMAINS and found.state in REGISTERED for found in states):
        cure = "check that the subscription has mobile data"
        return Finding("registration", Level.WARN, "registered for calls and SMS, not for data", cure, facts)
    if here & ROAMING:
        cure = "ask the carrier whether MMS works there and what it costs"
        return Finding("registration", Level.WARN, "registered, roaming", cure, facts)
    return Finding("registration", Level.OK, "registered, home network", facts=facts)


def _unregistered(states: set[int]) -> str:
    if DENIED in states:
        return "the network denies registration"
    if states & SMS_ONLY:
        return "registered for SMS only"
    if EMERGENCY_ONLY in states:
        return "registered for emergency calls only"
    return "not registered, searching" if 2 in states else "not registered"


def _unregistered_cure(states: set[int], identity: Identity, country: int | None) -> str:
    if _is_of_the_past(identity, country):
        return f"your modem is 2G/3G only, and US carriers have switched those off: {LTE_MODEM}"
    if DENIED in states or states & SMS_ONLY:
        return "check that the subscription is active and that the carrier accepts this modem's IMEI"
    return "check the antenna and the coverage"


def _is_of_the_past(identity: Identity, country: int | None) -> bool:
    return lacks_lte(identity.words) and country in US_COUNTRY_CODES


def judge_radio(operator: Operator, technology: int | None, identity: Identity, country: int | None) -> Finding:
    """`technology` is that of the registration, for modems that do not tell it with the operator."""
    access = operator.technology if operator.technology is not None else technology
    facts = {"operator": operator.name, "technology": TECHNOLOGIES.get(access) if access is not None else None}
    words = [word for word in (operator.name, facts["technology"]) if word]
    if _is_of_the_past(identity, country):
        seen = ", ".join([*words, "your modem is 2G/3G only, and US carriers switch those off"])
        return Finding("radio", Level.WARN, seen, LTE_MODEM, facts)
    if not words:
        return Finding("radio", Level.WARN, "no network in use", "see registration", facts)
    if lacks_lte(identity.words):
        words.append("your modem is 2G/3G only")
    return Finding("radio", Level.OK, ", ".join(words), facts=facts)


def judge_signal(signal: Signal) -> Finding:
    facts = {"rssi_dbm": signal.rssi, "rsrp_dbm": signal.rsrp}
    words = [f"{name} {value} dBm" for name, value in (("RSSI", signal.rssi), ("RSRP", signal.rsrp)) if value is not None]
    if not words:
        return Finding("signal", Level.WARN, "none is measured", "check the antenna", facts)
    weak = signal.rsrp < WEAK_RSRP if signal.rsrp is not None else signal.rssi is not None and signal.rssi < WEAK_RSSI
    if weak:
        return Finding("signal", Level.WARN, f"weak, {', '.join(words)}", "move the antenna", facts)
    return Finding("signal", Level.OK, ", ".join(words), facts=facts)


def judge_bearer(profile: Profile, context: Context, foreign: str, seconds: float | None) -> Finding:
    """`foreign` is another APN than the profile's by which the context is up; `seconds` None: it was up already."""
    facts = {
        "apn": profile.apn,
        "network_apn": context.apn or None,
        "address": context.address or None,
        "dns": list(context.dns),
        "seconds": None if seconds is None else round(seconds, 2),
    }
    details = [f"APN {profile.apn}", f"address {context.address}" if context.address else ""]
    details += [f"DNS {' '.join(context.dns)}" if context.dns else ""]
    details += ["was up" if seconds is None else f"up in {seconds:.1f} s"]
    seen = ", ".join(word for word in details if word)
    if foreign:
        cure = f"set carrier.apn to {foreign}, or ask the carrier for the MMS APN"
        return Finding("bearer", Level.WARN, f"{seen}, but the network took APN {foreign}", cure, facts)
    return Finding("bearer", Level.OK, seen, facts=facts)


def judge_storage(storage: Storage | None) -> Finding:
    if storage is None or not storage.total:
        return Finding("sms storage", Level.WARN, "the modem does not tell", "restart the modem if SMS do not come in")
    facts = {"memory": storage.memory, "used": storage.used, "total": storage.total}
    seen = f"{storage.used} of {storage.total} in {storage.memory}"
    if storage.used >= storage.total:
        return Finding("sms storage", Level.FAIL, f"full, {seen}: no SMS or MMS can come in", "delete messages on the SIM", facts)
    if storage.used >= STORAGE_WARNS * storage.total:
        return Finding("sms storage", Level.WARN, f"nearly full, {seen}", "delete messages on the SIM", facts)
    return Finding("sms storage", Level.OK, seen, facts=facts)

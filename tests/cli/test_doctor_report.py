"""How facts are judged, and how findings look."""

from __future__ import annotations

import json

import pytest

from mmsproxy.at.dialect import Identity, Profile
from mmsproxy.at.queries import Context, Operator, Registration, Signal, SimCard, Storage
from mmsproxy.cli import doctor_report as report
from mmsproxy.cli.doctor_report import Finding, Level

LTE = Identity("Quectel", "EC25", "EC25EFA", "Quectel EC25")
GSM = Identity("SIMCOM_Ltd", "SIMCOM_SIM800L", "1418B05", "SIM800")


def test_a_line_for_people_ends_with_the_cure() -> None:
    assert report.line_of(Finding("port", Level.OK, "/dev/ttyUSB2")) == "ok    port          /dev/ttyUSB2"
    assert report.line_of(Finding("sim", Level.FAIL, "none", "put one in")) == "fail  sim           none; put one in"
    assert report.line_of(Finding("dns", Level.SKIP, "not asked for", "cure")) == "skip  dns           not asked for"


def test_the_last_line_counts() -> None:
    assert report.closing([Finding("a", Level.OK, "")]) == "1 well"
    found = [Finding("a", level, "") for level in (Level.OK, Level.FAIL, Level.WARN, Level.SKIP, Level.SKIP)]
    assert report.closing(found) == "1 well, 1 failed, 1 to look at, 2 not checked"


def test_for_machines() -> None:
    findings = [Finding("a", Level.WARN, "seen", "cure", {"x": 1}), Finding("b", Level.FAIL, "seen")]
    made = json.loads(json.dumps(report.as_json("mint", "/dev/ttyUSB2", findings)))
    assert made == {
        "line": "mint",
        "port": "/dev/ttyUSB2",
        "ok": False,
        "checks": [
            {"name": "a", "level": "warn", "seen": "seen", "cure": "cure", "facts": {"x": 1}},
            {"name": "b", "level": "fail", "seen": "seen", "cure": None, "facts": {}},
        ],
    }
    assert report.as_json("mint", "p", findings[:1])["ok"] is True


def test_identity() -> None:
    assert report.judge_identity(LTE, "860000000000017", False).seen == "Quectel EC25, firmware EC25EFA, IMEI 8600***0017"
    assert report.judge_identity(Identity(info="A76"), "", False).seen == "A76"
    nobody = report.judge_identity(Identity(), "", False)
    assert (nobody.level, nobody.cure) == (Level.WARN, "name its dialect as modem.dialect")


@pytest.mark.parametrize(
    ("spoken", "by_model", "configured", "level", "words"),
    [
        ("quectel", "quectel", "auto", Level.OK, "model's name"),
        ("quectel", "", "auto", Level.OK, "what it understands"),
        ("quectel", "quectel", "quectel", Level.OK, "by the config"),
        ("quectel", "", "quectel", Level.OK, "by the config"),
        ("sim800", "sim7080", "sim800", Level.WARN, "sim7080"),
    ],
)
def test_dialect(spoken: str, by_model: str, configured: str, level: Level, words: str) -> None:
    finding = report.judge_dialect(spoken, by_model, configured)
    assert finding.level is level
    assert words in finding.seen


def test_sim() -> None:
    assert report.judge_sim("READY", has_pin=False, entered=False).level is Level.OK
    assert "--enter-pin" in report.judge_sim("SIM PIN", has_pin=True, entered=False).cure
    assert "modem.pin" in report.judge_sim("SIM PIN", has_pin=False, entered=False).cure
    assert "phone" in report.judge_sim("PH-NET PIN", has_pin=True, entered=False).cure


def test_subscription() -> None:
    card = SimCard("310240000000017", "8901240000000000017", 3, "756D", "", "Mint")
    assert report.judge_subscription(card, True).seen == (
        "network 310-240, IMSI 310240000000017, ICCID 8901240000000000017, GID1 756D, SPN Mint"
    )
    assert "0000000" not in report.judge_subscription(card, False).seen
    assert report.judge_subscription(SimCard(iccid="89"), False).level is Level.WARN


@pytest.mark.parametrize(
    ("on_sim", "configured", "level"),
    [
        ("+12025550117", "+12025550117", Level.OK),
        ("2025550117", "+12025550117", Level.OK),
        ("+12025550117", "2025550117", Level.OK),
        ("+12025550118", "+12025550117", Level.WARN),
        ("", "+12025550117", Level.OK),
        ("+12025550117", "", Level.OK),
        ("", "", Level.WARN),
    ],
)
def test_number(on_sim: str, configured: str, level: Level) -> None:
    assert report.judge_number(on_sim, configured, False).level is level


def states(**domains: int) -> list[Registration]:
    return [Registration(name, state) for name, state in domains.items()]


@pytest.mark.parametrize(
    ("found", "level", "words"),
    [
        (states(CEREG=1), Level.OK, "home"),
        (states(CEREG=0, CGREG=1, CREG=1), Level.OK, "home"),
        (states(CEREG=5), Level.WARN, "roaming"),
        (states(CEREG=0, CREG=1), Level.WARN, "not for data"),
        (states(CEREG=2), Level.FAIL, "searching"),
        (states(CEREG=3, CREG=0), Level.FAIL, "denies"),
        (states(CREG=6), Level.FAIL, "SMS only"),
        (states(CREG=8), Level.FAIL, "emergency"),
        (states(CREG=0), Level.FAIL, "not registered"),
        ([], Level.FAIL, "not registered"),
    ],
)
def test_registration(found: list[Registration], level: Level, words: str) -> None:
    finding = report.judge_registration(found, LTE, 310)
    assert finding.level is level
    assert words in finding.seen
    assert (finding.cure == "") == (level is Level.OK)


@pytest.mark.parametrize("country", [310, 313, 316])
def test_a_2g_modem_in_the_united_states(country: int) -> None:
    assert "LTE" in report.judge_registration(states(CREG=2), GSM, country).cure
    finding = report.judge_radio(Operator("T-Mobile", 0), None, GSM, country)
    assert (finding.level, finding.cure) == (Level.WARN, report.LTE_MODEM)
    assert "your modem is 2G/3G only" in finding.seen


@pytest.mark.parametrize("country", [262, 317, None])
def test_a_2g_modem_elsewhere(country: int | None) -> None:
    assert "antenna" in report.judge_registration(states(CREG=2), GSM, country).cure
    finding = report.judge_radio(Operator("Example", 0), None, GSM, country)
    assert (finding.level, finding.seen) == (Level.OK, "Example, 2G (GSM), your modem is 2G/3G only")


def test_radio() -> None:
    assert report.judge_radio(Operator("Example", 7), None, LTE, 310).seen == "Example, 4G (LTE)"
    assert report.judge_radio(Operator("Example"), 9, LTE, 310).seen == "Example, NB-IoT"
    assert report.judge_radio(Operator("Example", 42), None, LTE, 310).seen == "Example"
    assert report.judge_radio(Operator(), None, LTE, 310).level is Level.WARN


@pytest.mark.parametrize(
    ("signal", "level"),
    [
        (Signal(-73), Level.OK),
        (Signal(-107), Level.WARN),
        (Signal(-73, -118), Level.WARN),
        (Signal(-107, -100), Level.OK),
        (Signal(None, -100), Level.OK),
        (Signal(), Level.WARN),
    ],
)
def test_signal(signal: Signal, level: Level) -> None:
    finding = report.judge_signal(signal)
    assert finding.level is level
    assert ("antenna" in finding.cure) == (level is Level.WARN)


def test_bearer() -> None:
    context = Context("mms.example", "10.64.3.17", ("10.64.0.2",))
    profile = Profile("mms.example")
    assert report.judge_bearer(profile, context, "", 1.24).seen == "APN mms.example, address 10.64.3.17, DNS 10.64.0.2, up in 1.2 s"
    assert report.judge_bearer(profile, Context(), "", None).seen == "APN mms.example, was up"
    finding = report.judge_bearer(profile, context, "default.example", 1.0)
    assert (finding.level, "default.example" in finding.cure) == (Level.WARN, True)


@pytest.mark.parametrize(
    ("storage", "level"),
    [
        (Storage("SM", 0, 20), Level.OK),
        (Storage("SM", 15, 20), Level.OK),
        (Storage("SM", 16, 20), Level.WARN),
        (Storage("SM", 20, 20), Level.FAIL),
        (Storage("SM", 0, 0), Level.WARN),
        (None, Level.WARN),
    ],
)
def test_storage(storage: Storage | None, level: Level) -> None:
    finding = report.judge_storage(storage)
    assert finding.level is level
    assert bool(finding.cure) == (level is not Level.OK)

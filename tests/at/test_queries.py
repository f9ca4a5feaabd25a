"""What a modem is asked for people: whole answers as transcripts, the forms of each answer line by line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmsproxy.at import queries
from mmsproxy.at.dialect import Ask, Script
from mmsproxy.at.heard import Outcome, Reply
from mmsproxy.at.queries import Context, Operator, Registration, Signal, SimCard, Storage
from mmsproxy.errors import AtError, AtTimeout, SimError

Replayer = Callable[..., Any]
FAILED = Reply(Outcome.FAILED, (b"ERROR",), b"ERROR")


def done(*lines: bytes) -> Reply:
    return Reply(Outcome.DONE, (*lines, b"OK"), b"OK")


def ask(script: Script[Any], answers: dict[bytes, Reply]) -> Any:
    """The result; a command that has no answer here is refused. Every line of an answer is one that the command's rule takes."""
    try:
        request = next(script)
        while True:
            assert isinstance(request, Ask)
            reply = answers.get(request.text, FAILED)
            for line in reply.lines[:-1]:
                assert request.rule.free or (request.rule.info is not None and request.rule.info.fullmatch(line)), line
            request = script.send(reply)
    except StopIteration as result:
        return result.value


def test_the_sim_of_an_mvno(replay: Replayer) -> None:
    card = replay("sim_card", queries.sim_card)
    assert card == SimCard("310240000000017", "8901240000000000017", 3, "756D", "", "Mint")
    assert (card.network, card.country) == ("310-240", 310)


def test_silence_is_an_error(replay: Replayer) -> None:
    kind, text = replay("sim_card_silent", queries.sim_card)
    assert kind is AtTimeout
    assert "AT+CIMI" in text


def test_a_sim_that_tells_nothing() -> None:
    card = ask(queries.sim_card(), {})
    assert card == SimCard()
    assert (card.network, card.country) == ("", None)


def test_a_network_whose_mnc_length_is_not_known() -> None:
    assert SimCard("310260000000017").network == "310-260?"
    assert SimCard("262070000000017", mnc_length=2).network == "262-07"


@pytest.mark.parametrize("form", [b"%s", b"+CCID: %s", b'+CCID: "%s"', b"%sF", b"+CCID:%sF"])
def test_forms_of_the_iccid(form: bytes) -> None:
    assert ask(queries.iccid(), {b"AT+CCID": done(form % b"8901260000000000172")}) == "8901260000000000172"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (b"AT+CICCID", b"+ICCID: 89012600000000001720"),
        (b"AT+QCCID", b"+QCCID: 89012600000000001720"),
        (b"AT#CCID", b"#CCID: 89012600000000001720"),
    ],
)
def test_the_makers_commands_for_the_iccid(command: bytes, line: bytes) -> None:
    assert ask(queries.iccid(), {command: done(line)}) == "89012600000000001720"


def test_the_iccid_out_of_its_file() -> None:
    assert ask(queries.iccid(), {b"AT+CRSM=176,12258,0,0,10": done(b'+CRSM: 144,0,"981062000000001027F0"')}) == "890126000000000172" + "0"


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (b'+CRSM: 144,0,"00000003"', b"\x00\x00\x00\x03"),
        (b"+CRSM: 144,0,00000003", b"\x00\x00\x00\x03"),
        (b'+CRSM: 144, 0, "0a"', b"\x0a"),
        (b'+CRSM: 159,4,"0A"', b"\x0a"),
        (b'+CRSM: 144,0,""', b""),
        (b"+CRSM: 144,0", b""),
        (b'+CRSM: 148,4,"00"', None),
        (b"+CRSM: 106,130", None),
        (b'+CRSM: 144,0,"000"', None),
        (b'+CRSM: 144,1,"00"', None),
        (b"+CRSM: what", None),
    ],
)
def test_forms_of_a_file(line: bytes, content: bytes | None) -> None:
    assert ask(queries.elementary_file(1, 2), {b"AT+CRSM=176,1,0,0,2": done(line)}) == content


@pytest.mark.parametrize(("file", "length"), [(b"00000002", 2), (b"00000003", 3), (b"000000F3", 3), (b"00000000", None), (b"000000", None)])
def test_length_of_the_mnc(file: bytes, length: int | None) -> None:
    assert ask(queries.mnc_length(), {b"AT+CRSM=176,28589,0,0,4": done(b'+CRSM: 144,0,"%s"' % file)}) == length


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b'+CNUM: "","+12025550117",145', "+12025550117"),
        (b'+CNUM: "Own, number","12025550117",129,7,4', "12025550117"),
        (b'+CNUM: ,"+12025550117",145', "+12025550117"),
        (b'+CNUM: Line 1,"+12025550117",145', "+12025550117"),
        (b"+CNUM: ,12025550117,129", "12025550117"),
        (b'+CNUM: "","",129', ""),
        (b'+CNUM: "555","",255', ""),
    ],
)
def test_forms_of_the_own_number(line: bytes, number: str) -> None:
    assert ask(queries.own_number(), {b"AT+CNUM": done(line)}) == number


def test_the_first_number_that_is_one() -> None:
    assert ask(queries.own_number(), {b"AT+CNUM": done(b'+CNUM: "","",129', b'+CNUM: "","+1202",145')}) == "+1202"
    assert ask(queries.own_number(), {b"AT+CNUM": done()}) == ""


def test_forms_of_imsi_and_imei() -> None:
    assert ask(queries.imsi(), {b"AT+CIMI": done(b"310260000000017")}) == "310260000000017"
    assert ask(queries.imei(), {b"AT+CGSN": done(b'+CGSN: "860000000000017"')}) == "860000000000017"
    assert ask(queries.imei(), {}) == ""


def test_registration_with_and_without_the_cell() -> None:
    answers = {
        b"AT+CEREG?": done(b'+CEREG: 2,5,"1A2B","01C3D4E5",7'),
        b"AT+CGREG?": done(b"+CGREG: 0, 1"),
        b"AT+CREG?": done(b"+CREG: 2,3,1A2B,01C3D4E5"),
    }
    assert ask(queries.registrations(), answers) == (Registration("CEREG", 5, 7), Registration("CGREG", 1), Registration("CREG", 3))
    assert ask(queries.registrations(), {}) == ()


@pytest.mark.parametrize(
    ("line", "operator"),
    [
        (b'+COPS: 0,0,"T-Mobile",7', Operator("T-Mobile", 7)),
        (b'+COPS: 0,2,"310260"', Operator("310260")),
        (b"+COPS: 1,0,Example Mobile,2", Operator("Example Mobile", 2)),
        (b"+COPS: 0", Operator()),
    ],
)
def test_forms_of_the_operator(line: bytes, operator: Operator) -> None:
    assert ask(queries.operator(), {b"AT+COPS?": done(line)}) == operator


@pytest.mark.parametrize(
    ("csq", "cesq", "signal"),
    [
        (b"+CSQ: 20,0", b"+CESQ: 99,99,255,255,20,46", Signal(-73, -95)),
        (b"+CSQ: 0,99", b"+CESQ: 45,0,255,255,255,255", Signal(-113)),
        (b"+CSQ: 99,99", b"+CESQ: 99,99,255,255,9,0", Signal(None, -141)),
        (b"+CSQ: 99,99", b"+CESQ: 99,99", Signal()),
    ],
)
def test_signal(csq: bytes, cesq: bytes, signal: Signal) -> None:
    assert ask(queries.signal(), {b"AT+CSQ": done(csq), b"AT+CESQ": done(cesq)}) == signal


def test_no_signal_is_told() -> None:
    assert ask(queries.signal(), {}) == Signal()


@pytest.mark.parametrize(
    ("line", "storage"),
    [
        (b'+CPMS: "SM",1,20,"SM",1,20,"ME",23,23', Storage("ME", 23, 23)),
        (b'+CPMS: "SM", 3, 20', Storage("SM", 3, 20)),
        (b"+CPMS: ", None),
    ],
)
def test_storage(line: bytes, storage: Storage | None) -> None:
    assert ask(queries.storage(), {b"AT+CPMS?": done(line)}) == storage


@pytest.mark.parametrize(
    ("rdp", "address", "context"),
    [
        (
            b'+CGCONTRDP: 1,5,"mms.example.mnc260.mcc310.gprs","10.64.3.17.255.255.255.0","10.64.3.1","10.64.0.2","10.64.0.3"',
            b'+CGPADDR: 1,"10.64.3.17"',
            Context("mms.example.mnc260.mcc310.gprs", "10.64.3.17", ("10.64.0.2", "10.64.0.3")),
        ),
        (
            b'+CGCONTRDP: 1,5,"mms.example","10.64.3.17","","10.64.0.2",""',
            b"+CGPADDR: 1,10.64.3.17",
            Context("mms.example", "10.64.3.17", ("10.64.0.2",)),
        ),
        (b"+CGCONTRDP: 1,5,mms.example", b'+CGPADDR: 1,"0.0.0.0"', Context("mms.example")),
        (b"+CGCONTRDP: ", b"+CGPADDR: 1", Context()),
    ],
)
def test_forms_of_the_context(rdp: bytes, address: bytes, context: Context) -> None:
    assert ask(queries.context(), {b"AT+CGCONTRDP=1": done(rdp), b"AT+CGPADDR=1": done(address)}) == context


def test_no_context_is_told() -> None:
    assert ask(queries.context(), {}) == Context()


def test_state_of_the_sim() -> None:
    assert ask(queries.sim_state(), {b"AT+CPIN?": done(b"+CPIN: SIM PIN")}) == "SIM PIN"
    with pytest.raises(SimError):
        ask(queries.sim_state(), {b"AT+CPIN?": Reply(Outcome.FAILED, (b"+CME ERROR: 10",), b"+CME ERROR: 10")})
    with pytest.raises(AtError):
        ask(queries.sim_state(), {})


@pytest.mark.parametrize(
    "words",
    [
        "SIMCOM_SIM800L",
        "SIM900",
        "SIM868",
        "SIMCOM_SIM5320E",
        "Quectel UC20",
        "Quectel_M95",
        "SARA-G350",
        "SARA-U201",
        "LISA-U200",
        "HE910",
        "UL865-NAR",
    ],
)
def test_modems_without_lte(words: str) -> None:
    assert queries.lacks_lte(words)


@pytest.mark.parametrize(
    "words",
    [
        "SIMCOM_SIM7600G-H",
        "SIM7000E",
        "SIM7080G",
        "SIM8200EA",
        "A7670E",
        "EC25",
        "BG96 Revision: BG96MAR02A07M1G",
        "SARA-R410M-02B",
        "LE910-EU V2",
        "ME910C1",
        "TOBY-L200",
        "LARA-R211",
        "",
    ],
)
def test_modems_with_lte_or_unknown(words: str) -> None:
    assert not queries.lacks_lte(words)


@pytest.mark.parametrize(
    ("line", "tries"),
    [(b"+SPIC: 3,10,0,10", 3), (b'+QPINC: "SC",2,10', 2), (b"#PCT: 1", 1), (b"+UPINCNT: 3,3,10,10", 3), (b"nothing", None)],
)
def test_tries_that_the_pin_has_left(line: bytes, tries: int | None) -> None:
    assert ask(queries.pin_tries(b"AT+X"), {b"AT+X": done(line)}) == tries
    assert ask(queries.pin_tries(b"AT+X"), {}) is None

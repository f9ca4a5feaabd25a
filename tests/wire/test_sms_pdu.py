"""TPDUs typed by hand from 23.040, both ways, and what no octets may do."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsproxy.errors import PduError
from mmsproxy.wire import sms_pdu
from mmsproxy.wire.sms_pdu import (
    Address,
    Concatenation,
    Dcs,
    Deliver,
    Delivery,
    Direction,
    Ports,
    ServiceCentre,
    Status,
    StatusReport,
    Submit,
    Timestamp,
    UserData,
    Validity,
    ValidityFormat,
)

FIXED = settings(derandomize=True, deadline=None, max_examples=150)
SMSC = "0791947101670000"
OA = "0a919471103254"  # +4917012345
SCTS = "62114211014240"
LATER = "62114211024240"
WHEN = datetime(2026, 11, 24, 11, 10, 24, tzinfo=timezone(timedelta(hours=1)))

DELIVERS = {
    "gsm7": "04" + OA + "0000" + SCTS + "05e8329bfd06",
    "ucs2": "04" + OA + "0008" + SCTS + "0600c4d83dde00",
    "8bit": "04" + OA + "00f5" + SCTS + "02ff00",
    "alphanumeric": "04" + "07d0c2b07b0d" + "3910" + SCTS + "05e8329bfd06",
    "national sender": "24" + "03a111f2" + "0000" + SCTS + "00",
    "part of two": "40" + OA + "0000" + SCTS + "08" + "050003030201" + "c2",
    "push": "44" + OA + "0004" + SCTS + "0b" + "0605040b8423f0" + "01060080",
    "push in two parts": "44" + OA + "00f5" + SCTS + "0d" + "0b05040b8423f00003aa0201" + "01",
    "turkish": "44" + OA + "0000" + SCTS + "06" + "03250101" + "e800",
    "compressed": "04" + OA + "0020" + SCTS + "03aabbcc",
    "voicemail": "84" + OA + "00c8" + SCTS + "00",
    "padded by the SIM": "04" + OA + "0000" + SCTS + "01" + "61" + "ff" * 5,
}
SUBMITS = {
    "plain": "0100" + OA + "0000" + "05e8329bfd06",
    "relative": "3107" + OA + "0000" + "0b" + "05e8329bfd06",
    "absolute": "19ff" + OA + "0008" + SCTS + "020041",
    "enhanced": "0900" + OA + "0004" + "410b0000000000" + "01ff",
    "port": "4500" + OA + "0004" + "09" + "0605040b8423f0" + "0106",
}
REPORTS = {
    "bare": "0607" + OA + SCTS + LATER + "00",
    "failed": "0207" + OA + SCTS + LATER + "46",
    "no parameters": "0607" + OA + SCTS + LATER + "0000",
    "all parameters": "0607" + OA + SCTS + LATER + "20" + "07" + "00" + "08" + "020041",
    "with a header": "4607" + OA + SCTS + LATER + "00" + "06" + "04" + "03" + "027000",
    "cut parameters": "0607" + OA + SCTS + LATER + "00" + "07",
    "cut text": "0607" + OA + SCTS + LATER + "00" + "04" + "05e8",
    "cut header": "4607" + OA + SCTS + LATER + "00" + "06" + "04" + "01" + "05",
}
VECTORS = [
    *[(octets, Direction.MT) for octets in DELIVERS.values()],
    *[(octets, Direction.MO) for octets in SUBMITS.values()],
    *[(octets, Direction.MT) for octets in REPORTS.values()],
]


def deliver(name: str) -> Deliver:
    tpdu = sms_pdu.decode_hex(SMSC + DELIVERS[name])
    assert isinstance(tpdu, Deliver)
    return tpdu


def report(name: str) -> StatusReport:
    tpdu = sms_pdu.decode_hex(SMSC + REPORTS[name])
    assert isinstance(tpdu, StatusReport)
    return tpdu


@pytest.mark.parametrize(("octets", "direction"), VECTORS)
@pytest.mark.parametrize("smsc", ["", "00", SMSC, "0391" + "11f1"])
def test_octets_come_back(octets: str, direction: Direction, smsc: str) -> None:
    data = bytes.fromhex(smsc + octets)
    assert sms_pdu.encode(sms_pdu.decode(data, smsc=bool(smsc), direction=direction)) == data


def test_a_text() -> None:
    tpdu = deliver("gsm7")
    assert tpdu == Deliver(
        originator=Address.of("+4917012345"),
        timestamp=Timestamp.of(WHEN),
        user_data=UserData.of_text("hello", Dcs(0)),
        smsc=ServiceCentre.of("+491710760000"),
    )
    assert (str(tpdu.smsc), str(tpdu.originator), tpdu.timestamp.when, tpdu.text) == ("+491710760000", "+4917012345", WHEN, "hello")
    assert tpdu.warnings == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ucs2", "Ä😀"),
        ("8bit", None),
        ("alphanumeric", "hello"),
        ("national sender", ""),
        ("part of two", "a"),
        ("push", None),
        ("turkish", "ş"),
        ("compressed", None),
        ("padded by the SIM", "a"),
    ],
)
def test_texts(name: str, text: str | None) -> None:
    assert deliver(name).text == text


def test_senders() -> None:
    assert deliver("alphanumeric").originator.number == "Bank"
    assert deliver("alphanumeric").pid == 0x39
    assert deliver("national sender").originator.number == "112"


def test_headers() -> None:
    push = deliver("push in two parts")
    assert (push.ports, push.concatenation, push.data) == (Ports(2948, 9200), Concatenation(0xAA, 2, 1), b"\x01")
    assert deliver("part of two").concatenation == Concatenation(3, 2, 1)
    assert deliver("part of two").more_messages
    assert deliver("voicemail").dcs.waiting is not None
    assert deliver("voicemail").reply_path


def test_octets_behind_the_message_are_kept_and_named() -> None:
    tpdu = deliver("padded by the SIM")
    assert tpdu.tail == b"\xff" * 5
    assert [finding.rule for finding in tpdu.warnings] == ["stray-octets"]


@pytest.mark.parametrize(
    ("name", "validity", "reference"),
    [
        ("plain", Validity(), 0),
        ("relative", Validity.relative(timedelta(hours=1)), 7),
        ("absolute", Validity.absolute(WHEN), 255),
        ("enhanced", Validity(ValidityFormat.ENHANCED, bytes.fromhex("410b0000000000")), 0),
    ],
)
def test_submits(name: str, validity: Validity, reference: int) -> None:
    tpdu = sms_pdu.decode_hex(SUBMITS[name], smsc=False, direction=Direction.MO, strict=True)
    assert isinstance(tpdu, Submit)
    assert (tpdu.destination.number, tpdu.validity, tpdu.reference) == ("+4917012345", validity, reference)
    assert tpdu.smsc is None


def test_reports() -> None:
    bare = report("bare")
    assert (bare.reference, bare.recipient.number, bare.status.delivery) == (7, "+4917012345", Delivery.DELIVERED)
    assert (bare.timestamp.when, bare.discharge.when) == (WHEN, WHEN + timedelta(minutes=10))
    assert report("failed").status.words == "validity period expired"
    whole = report("all parameters")
    assert (whole.pid, whole.dcs, whole.text, whole.status.final) == (0, Dcs(8), "A", False)
    headed = report("with a header").user_data
    assert headed is not None
    assert headed.header is not None


@pytest.mark.parametrize("name", ["cut parameters", "cut text", "cut header"])
def test_a_report_with_a_broken_end_still_tells_its_status(name: str) -> None:
    broken = report(name)
    assert (broken.status.delivery, broken.parameters, broken.user_data) == (Delivery.DELIVERED, b"", None)
    assert [finding.rule for finding in broken.warnings] == ["stray-octets"]


@pytest.mark.parametrize(
    ("first", "direction", "name"),
    [
        (0x01, Direction.MT, "SUBMIT-REPORT"),
        (0x00, Direction.MO, "DELIVER-REPORT"),
        (0x02, Direction.MO, "COMMAND"),
        (0x03, Direction.MO, "reserved type"),
    ],
)
def test_types_that_are_not_read(first: int, direction: Direction, name: str) -> None:
    with pytest.raises(PduError, match=name) as refused:
        sms_pdu.decode(bytes((0, first)), direction=direction)
    assert (refused.value.rule, refused.value.offset) == ("tpdu-type-not-supported", 1)


@pytest.mark.parametrize(
    ("octets", "rule", "offset", "path"),
    [
        ("", "field-missing", 0, "smsc"),
        ("00", "field-missing", 1, "first_octet"),
        ("0791", "service-centre-beyond-data", 1, "smsc"),
        (SMSC + "04" + "0a9194", "address-beyond-data", 11, "originator"),
        (SMSC + "44" + OA + "0004" + SCTS + "00", "header-beyond-data", 26, "user_data.header"),
        (SMSC + "44" + OA + "0004" + SCTS + "020500", "header-beyond-data", 26, "user_data.header"),
        (SMSC + "04" + OA + "0004" + SCTS + "0201", "user-data-beyond-data", 26, "user_data"),
        (SMSC + "06" + "07" + OA + SCTS, "field-missing", 24, "discharge"),
    ],
)
def test_refusals_name_offset_and_field(octets: str, rule: str, offset: int, path: str) -> None:
    with pytest.raises(PduError) as refused:
        sms_pdu.decode_hex(octets)
    assert (refused.value.rule, refused.value.offset, refused.value.path) == (rule, offset, path)


def test_a_length_in_octets_under_a_7_bit_scheme() -> None:
    tpdu = sms_pdu.decode_hex("44" + OA + "0000" + SCTS + "0b" + "0605040b8423f0" + "01060080", smsc=False)
    assert isinstance(tpdu, Deliver)
    assert tpdu.data == b"\x01\x06\x00\x80"
    assert [finding.rule for finding in tpdu.warnings] == ["user-data-length-in-octets"]


def test_an_edit_changes_its_field_only() -> None:
    tpdu = sms_pdu.decode_hex(SMSC + "04" + "0391" + "2143" + "0000" + "00" * 7 + "00" + "ff")
    edited = sms_pdu.encode(replace(tpdu, pid=0x40))
    assert edited.hex() == SMSC + "04" + "0391" + "2143" + "4000" + "00" * 7 + "00" + "ff"


def test_bits_of_the_first_octet_follow_the_values() -> None:
    tpdu = sms_pdu.decode_hex(SUBMITS["plain"], smsc=False, direction=Direction.MO)
    assert isinstance(tpdu, Submit)
    user_data = UserData.of_text("a", Dcs(0), (Concatenation(3, 2, 1).element(),))
    edited = replace(tpdu, user_data=user_data, validity=Validity.relative(timedelta(hours=1)))
    assert sms_pdu.encode(edited).hex() == "5100" + OA + "0000" + "0b" + "08" + "050003030201" + "c2"
    assert sms_pdu.encode(replace(edited, user_data=UserData(), validity=Validity())).hex() == "0100" + OA + "0000" + "00"


@pytest.mark.parametrize("change", [{"pid": 1}, {"dcs": Dcs(0)}, {"user_data": UserData()}, {"parameters": b"\x01"}])
def test_a_report_announces_what_it_has(change: dict[str, object]) -> None:
    with pytest.raises(PduError, match="parameters-mismatch"):
        sms_pdu.encode(replace(report("bare"), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(("tpdu", "first"), [(deliver("gsm7"), 0x01), (deliver("gsm7"), 0x06), (report("bare"), 0x04)])
def test_a_first_octet_of_another_type(tpdu: sms_pdu.Tpdu, first: int) -> None:
    with pytest.raises(PduError, match="message-type-mismatch"):
        sms_pdu.encode(replace(tpdu, first_octet=first))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"pid": 256}, "pid"),
        ({"dcs": Dcs(-1)}, "dcs"),
        ({"user_data": UserData(300, b"")}, "user_data"),
        ({"originator": Address(3, 0x91, b"")}, "originator"),
        ({"timestamp": Timestamp(b"")}, "timestamp"),
    ],
)
def test_values_that_no_field_holds(change: dict[str, object], path: str) -> None:
    with pytest.raises(PduError) as refused:
        sms_pdu.encode(replace(deliver("gsm7"), **change))  # type: ignore[arg-type]
    assert refused.value.path == path


def test_what_cmgs_takes() -> None:
    tpdu = sms_pdu.decode_hex(SUBMITS["plain"], smsc=False, direction=Direction.MO)
    assert sms_pdu.cmgs(tpdu) == (17, "00" + SUBMITS["plain"].upper())
    assert sms_pdu.cmgs(replace(tpdu, smsc=ServiceCentre.of("+491710760000"))) == (17, (SMSC + SUBMITS["plain"]).upper())


def test_what_a_modem_lists() -> None:
    octets = DELIVERS["gsm7"]
    length = len(octets) // 2
    assert sms_pdu.decode_listed(SMSC + octets, length).smsc == ServiceCentre.of("+491710760000")
    assert sms_pdu.decode_listed("00" + octets, length).smsc == ServiceCentre()
    assert sms_pdu.decode_listed(octets, length).smsc is None
    stored = sms_pdu.decode_listed(SMSC + SUBMITS["plain"], 17, direction=Direction.MO, strict=True)
    assert isinstance(stored, Submit)


@pytest.mark.parametrize(("octets", "direction"), VECTORS[:5] + VECTORS[12:18])
@pytest.mark.parametrize("smsc", ["", SMSC])
def test_guessing(octets: str, direction: Direction, smsc: str) -> None:
    known = sms_pdu.decode_hex(smsc + octets, smsc=bool(smsc), direction=direction)
    assert sms_pdu.guess(bytes.fromhex(smsc + octets)) == known


@pytest.mark.parametrize("octets", [b"", b"\xff", b"hello, world"])
def test_guessing_what_is_none(octets: bytes) -> None:
    with pytest.raises(PduError):
        sms_pdu.guess(octets)


@pytest.mark.parametrize(
    ("text", "octets"),
    [("", b""), ("0aFF", b"\x0a\xff"), (" 0 a\r\nFF ", b"\x0a\xff")],
)
def test_hex(text: str, octets: bytes) -> None:
    assert sms_pdu.from_hex(text) == octets


@pytest.mark.parametrize(("text", "offset"), [("0a f", 4), ("0ag0", 2), ("٠٠", 0), ("0 \n٠", 3)])
def test_what_is_no_hex(text: str, offset: int) -> None:
    with pytest.raises(PduError) as refused:
        sms_pdu.from_hex(text)
    assert (refused.value.rule, refused.value.offset) == ("not-hex", offset)


ADDRESSES = st.one_of(
    st.from_regex(r"\A\+?[0-9]{1,20}\Z").map(Address.of),
    st.builds(
        lambda semi_octets, kind, octets: Address(semi_octets, kind, octets[: (semi_octets + 1) // 2]),
        st.integers(0, 20),
        st.integers(0, 255),
        st.binary(min_size=10, max_size=10),
    ),
)
TIMES = st.binary(min_size=7, max_size=7).map(Timestamp)
CENTRES = st.none() | st.binary(max_size=11).map(ServiceCentre)
OCTETS = st.integers(0, 255)
ELEMENTS = st.lists(
    st.one_of(
        st.builds(Ports, st.integers(0, 65535), st.integers(0, 65535)).map(Ports.element),
        st.builds(Concatenation, st.integers(0, 255), st.just(255), st.integers(1, 255)).map(Concatenation.element),
    ),
    max_size=3,
)
BODIES = st.builds(UserData.of_data, st.binary(max_size=110), ELEMENTS)
BINARY = st.sampled_from([Dcs(0x04), Dcs(0x08), Dcs(0xF5), Dcs(0x20)])
VALIDITIES = st.one_of(
    st.just(Validity()),
    OCTETS.map(lambda number: Validity(ValidityFormat.RELATIVE, bytes((number,)))),
    st.builds(Validity, st.sampled_from([ValidityFormat.ENHANCED, ValidityFormat.ABSOLUTE]), st.binary(min_size=7, max_size=7)),
)


def _made(tpdu: sms_pdu.Tpdu) -> sms_pdu.Tpdu:
    """With the bits of the first octet that encoding sets."""
    direction = Direction.MO if isinstance(tpdu, Submit) else Direction.MT
    return replace(tpdu, first_octet=sms_pdu.decode(sms_pdu.encode(tpdu), smsc=tpdu.smsc is not None, direction=direction).first_octet)


@FIXED
@given(st.builds(Deliver, originator=ADDRESSES, timestamp=TIMES, user_data=BODIES, dcs=BINARY, pid=OCTETS, smsc=CENTRES))
def test_each_deliver_round_trips(tpdu: Deliver) -> None:
    assert sms_pdu.decode(sms_pdu.encode(tpdu), smsc=tpdu.smsc is not None) == _made(tpdu)


@FIXED
@given(
    st.builds(Submit, destination=ADDRESSES, user_data=BODIES, dcs=BINARY, pid=OCTETS, reference=OCTETS, validity=VALIDITIES, smsc=CENTRES)
)
def test_each_submit_round_trips(tpdu: Submit) -> None:
    assert sms_pdu.decode(sms_pdu.encode(tpdu), smsc=tpdu.smsc is not None, direction=Direction.MO) == _made(tpdu)


@FIXED
@given(
    st.builds(
        StatusReport, reference=OCTETS, recipient=ADDRESSES, timestamp=TIMES, discharge=TIMES, status=OCTETS.map(Status), smsc=CENTRES
    )
)
def test_each_report_round_trips(tpdu: StatusReport) -> None:
    assert sms_pdu.decode(sms_pdu.encode(tpdu), smsc=tpdu.smsc is not None) == tpdu


@FIXED
@given(st.binary(max_size=200), st.booleans(), st.sampled_from(Direction))
def test_any_octets_are_read_whole_or_refused(data: bytes, smsc: bool, direction: Direction) -> None:
    _read_or_refuse(data, smsc, direction)


def test_mutations_and_truncations_are_read_whole_or_refused() -> None:
    dice = random.Random(23040)
    for octets, direction in VECTORS:
        data = bytes.fromhex(SMSC + octets)
        for end in range(len(data)):
            _read_or_refuse(data[:end], True, direction)
        for _ in range(150):
            mutated = bytearray(data)
            for _ in range(dice.randint(1, 3)):
                mutated[dice.randrange(len(mutated))] = dice.randrange(256)
            _read_or_refuse(bytes(mutated), True, direction)


def _read_or_refuse(data: bytes, smsc: bool, direction: Direction) -> None:
    offsets: list[int] = []
    try:
        tpdu = sms_pdu.decode(data, smsc=smsc, direction=direction)
    except PduError as refused:
        offsets.append(refused.offset)
    else:
        offsets += [finding.offset for finding in tpdu.warnings]
        assert sms_pdu.encode(tpdu) == data
        assert tpdu.text is None or isinstance(tpdu.text, str)
    assert all(0 <= offset <= len(data) for offset in offsets)

"""Which kind of PDU a run of octets is, and the joining of pushes."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from mmsproxy.cli.pdu_input import Found
from mmsproxy.cli.pdu_recognise import Carried, Collector, Kind, recognise
from mmsproxy.errors import PduError
from mmsproxy.wire import sms_compose, sms_pdu, wap_push
from mmsproxy.wire.mms_pdu import NotificationInd, SendConf
from mmsproxy.wire.sms_pdu import Deliver, Direction, ServiceCentre, StatusReport, Submit

CONF = bytes.fromhex("8C81985431008D929280")
NOTIFICATION = bytes.fromhex("8C82984E31008D908A808E0270008805810303F48083") + b"http://mmsc/" + b"x" * 120 + b"\0"
SMSC = ServiceCentre.of("+491710760000")
WHEN = datetime(2025, 11, 22, 22, 17, 36, tzinfo=UTC)


def octets(data: bytes) -> Found:
    return Found("octets", data)


def delivers(data: bytes, smsc: ServiceCentre | None = SMSC) -> tuple[Deliver, ...]:
    bodies = sms_compose.data_bodies(data, reference=7, ports=sms_compose.WAP_PUSH)
    return sms_compose.delivers("+15551230000", bodies, when=WHEN, smsc=smsc)


def test_an_mms_pdu() -> None:
    assert isinstance(recognise(octets(CONF), None, False), SendConf)


@pytest.mark.parametrize("tid", [0, 1, 0x07, 0x40, 0xC5])
@pytest.mark.parametrize("kind", [6, 7])
def test_a_push(tid: int, kind: int) -> None:
    data = bytes((tid, kind)) + bytes.fromhex("03BEAF84") + NOTIFICATION
    said = recognise(octets(data), None, False)
    assert isinstance(said, Carried)
    assert isinstance(said.mms, NotificationInd)


def test_a_push_of_something_else() -> None:
    said = recognise(octets(bytes.fromhex("010601AE") + b"x"), None, False)
    assert isinstance(said, Carried)
    assert said.mms is None


@pytest.mark.parametrize("smsc", [SMSC, ServiceCentre(), None])
def test_a_deliver(smsc: ServiceCentre | None) -> None:
    bodies = sms_compose.text_bodies("hello", reference=1)
    (tpdu,) = sms_compose.delivers("+15551230000", bodies, when=WHEN, smsc=smsc)
    assert recognise(octets(sms_pdu.encode(tpdu)), None, False) == tpdu


def test_a_submit() -> None:
    (tpdu,) = sms_compose.submits("+15551230000", sms_compose.text_bodies("hello", reference=1), smsc=ServiceCentre())
    assert isinstance(recognise(octets(sms_pdu.encode(tpdu)), None, False), Submit)


def test_a_status_report() -> None:
    data = bytes.fromhex("00062A0B915155210300F0521122227163005211222271630000")
    assert isinstance(recognise(octets(data), None, False), StatusReport)


def test_the_length_of_a_listed_line_tells_whether_the_service_centre_is_there() -> None:
    (tpdu,) = delivers(b"\x01\x06\x01\xae")
    bare, whole = sms_pdu.encode(delivers(b"\x01\x06\x01\xae", None)[0]), sms_pdu.encode(tpdu)
    for data in (bare, whole):
        said = recognise(Found("log", data, len(bare), Direction.MT), None, False)
        assert isinstance(said, Deliver)
        assert said.originator.number == "+15551230000"


@pytest.mark.parametrize(("kind", "rule"), [("mms", "not-an-mms-pdu"), ("push", "not-a-push"), ("sms", "tpdu-type-not-supported")])
def test_a_named_kind_is_not_guessed_at(kind: Kind, rule: str) -> None:
    with pytest.raises(PduError) as caught:
        recognise(octets(bytes.fromhex("010501")), kind, False)
    assert caught.value.rule == rule


def test_strict_reaches_the_pdu_in_the_push() -> None:
    broken = bytes.fromhex("010603BEAF84") + NOTIFICATION[:-1]
    lenient = recognise(octets(broken), None, False)
    assert isinstance(lenient, Carried)
    assert isinstance(lenient.mms, NotificationInd)
    with pytest.raises(PduError) as caught:
        recognise(octets(broken), None, True)
    assert caught.value.rule == "text-without-nul"


@pytest.mark.parametrize("data", [b"", b"\x8c", b"\x01", b"<HTML>", b"Not found", bytes(range(200, 256)), bytes(40)])
def test_what_is_nothing(data: bytes) -> None:
    with pytest.raises(PduError) as caught:
        recognise(octets(data), None, False)
    assert caught.value.detail


def test_nothing_but_pdu_errors_leaves() -> None:
    rand = random.Random(5)
    for _ in range(3000):
        for kind in (None, "mms", "push", "sms"):
            with suppress(PduError):
                assert recognise(octets(rand.randbytes(rand.randrange(40))), kind, rand.random() < 0.5)  # type: ignore[arg-type]


def test_parts_are_joined_in_any_order() -> None:
    push = wap_push.encode(wap_push.mms_push(NOTIFICATION, tid=9))
    parts = [sms_pdu.encode(part) for part in delivers(push)]
    assert len(parts) == 2
    for order in (parts, parts[::-1]):
        collector = Collector()
        first, last = (collector.read(octets(part)) for part in order)
        assert (first.joined, first.mms, first.error) == (None, None, None)
        assert isinstance(last.mms, NotificationInd)
        assert not collector.waiting


def test_a_part_that_comes_twice_counts_once() -> None:
    parts = [sms_pdu.encode(part) for part in delivers(wap_push.encode(wap_push.mms_push(NOTIFICATION)))]
    collector = Collector()
    assert [collector.read(octets(part)).joined is not None for part in (parts[0], parts[0], parts[1])] == [False, False, True]


def test_a_push_in_one_sms_is_joined_at_once_and_its_fault_is_told() -> None:
    (part,) = delivers(bytes.fromhex("010603BEAF84") + b"\x8c")
    read = Collector().read(octets(sms_pdu.encode(part)))
    assert read.joined is not None
    assert read.error is not None
    assert read.error.rule == "value-missing"

"""TPDUs from their JSON form: as they were, edited, from nothing."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from mmsproxy.cli.pdu_parse import FormError
from mmsproxy.cli.pdu_sms_build import sms_octets
from mmsproxy.cli.pdu_sms_view import sms_json
from mmsproxy.errors import PduError
from mmsproxy.wire import sms_compose, sms_pdu
from mmsproxy.wire.sms_pdu import Direction, ServiceCentre, Tpdu

WHEN = datetime(2025, 11, 22, 22, 17, 36, tzinfo=UTC)
REPORT = bytes.fromhex("00062A0B915155210300F052112222716300521122227163004607000401AA")


def tpdus() -> list[Tpdu]:
    bodies = [
        *sms_compose.text_bodies("hello €", reference=1),
        *sms_compose.text_bodies("日本", reference=1),
        *sms_compose.text_bodies("long " * 50, reference=2),
        *sms_compose.data_bodies(b"\x01\x06\x01\xbe\x8c\x85", reference=3, ports=sms_compose.WAP_PUSH),
    ]
    made: list[Tpdu] = [*sms_compose.delivers("+15551230000", bodies, when=WHEN, smsc=ServiceCentre.of("+491710760000"))]
    made += [*sms_compose.delivers("Carrier", bodies, when=WHEN), *sms_compose.submits("2211", bodies, report=True, smsc=ServiceCentre())]
    return [*made, sms_pdu.decode(REPORT)]


def shown(tpdu: Tpdu) -> Any:
    return json.loads(json.dumps(sms_json(tpdu, None)))


def test_as_they_were() -> None:
    for tpdu in tpdus():
        assert sms_octets(shown(tpdu)) == sms_pdu.encode(tpdu)


def test_mutated_ones_as_they_were() -> None:
    rand = random.Random(17)
    seeds = [sms_pdu.encode(tpdu) for tpdu in tpdus()]
    accepted = 0
    for _ in range(3000):
        octets = bytearray(rand.choice(seeds))
        octets[rand.randrange(len(octets))] = rand.randrange(256)
        del octets[rand.choice((len(octets), rand.randrange(len(octets)))) :]
        for direction in Direction:
            with suppress(PduError):
                tpdu = sms_pdu.decode(bytes(octets), direction=direction)
                accepted += 1
                assert sms_octets(shown(tpdu)) == octets
    assert accepted > 700


def test_without_octets_they_are_made_anew() -> None:
    for tpdu in tpdus()[:-1]:
        form = shown(tpdu)
        del form["octets"]
        assert sms_octets(form) == sms_pdu.encode(tpdu)
    form = shown(tpdus()[-1])
    del form["octets"]
    assert sms_octets(form) == REPORT


def field(form: Any, name: str, value: Any) -> None:
    (row,) = [row for row in form["fields"] if row["name"] == name]
    row["value"] = value


def test_an_edit() -> None:
    form = shown(tpdus()[0])
    field(form, "originator", "2211")
    field(form, "timestamp", "2026-01-02T03:04:05+01:00")
    form["user_data"]["text"] = "bye"
    tpdu = sms_pdu.decode(sms_octets(form))
    assert isinstance(tpdu, sms_pdu.Deliver)
    assert (tpdu.originator.number, str(tpdu.timestamp.when), tpdu.text) == ("2211", "2026-01-02 03:04:05+01:00", "bye")
    assert tpdu.smsc is not None
    assert tpdu.smsc.number == "+491710760000"


def test_a_text_under_a_header_keeps_the_header() -> None:
    bodies = sms_compose.text_bodies("x" * 200, reference=5, languages=())
    tpdu = sms_compose.delivers("+1555", bodies, when=WHEN)[0]
    form = shown(tpdu)
    form["user_data"]["text"] = "short"
    again = sms_pdu.decode(sms_octets(form), smsc=False)
    assert isinstance(again, sms_pdu.Deliver)
    assert (again.text, again.concatenation) == ("short", tpdu.concatenation)


def test_the_service_centre_can_be_left_out() -> None:
    form = shown(tpdus()[0])
    del form["octets"]
    form["fields"] = form["fields"][1:]
    assert sms_octets(form) == sms_pdu.encode(tpdus()[0])[8:]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"fields": 5}, "/fields: an array is wanted, not 5"),
        ({"fields": [5]}, "/fields/0: an object is wanted, not 5"),
        ({"fields": [{"name": "protocol"}]}, '/fields/0: the key "value" is missing'),
        ({"fields": [{"name": "status", "value": 1}]}, "/fields/0/name: no field of sms-deliver is called 'status'"),
        ({"fields": [{"name": "nothing", "value": 1}]}, "/fields/0/name: no field of sms-deliver is called 'nothing'"),
        ({"fields": [{"name": "protocol", "value": 256}]}, "/fields/0/value: an octet is 0 to 255"),
        ({"fields": [{"name": "protocol", "value": "x"}]}, "/fields/0/value: an octet such as 0x44 is wanted, not 'x'"),
        ({"fields": [{"name": "originator", "value": "x" * 20}]}, "/fields/0/value: a name has at most 11 GSM 7-bit characters"),
        ({"fields": [{"name": "timestamp", "value": "soon"}]}, "/fields/0/value: hex digits"),
        (
            {"fields": [{"name": "timestamp", "value": "00"}]},
            "/fields/0/value: a moment such as 2025-11-22T22:17:36+01:00 is wanted, not '00'",
        ),
        ({"fields": [{"name": "timestamp", "value": "2025-11-22T22:17:36"}]}, "/fields/0/value: the time zone must be quarters"),
        ({"fields": [{"name": "first-octet", "value": 1}]}, "first_octet: 01 is another type"),
        ({"user_data": 5}, "/user_data: an object is wanted, not 5"),
        ({"user_data": {}}, '/user_data: the key "hex" is missing'),
        ({"user_data": {"text": "日"}}, "/user_data: "),
        ({"user_data": {"text": "x" * 161}}, "/user_data: "),
        ({"user_data": {"hex": "00" * 141}}, "/user_data: 141 octets; one message holds 140"),
        ({"user_data": {"hex": "", "elements": [{"iei": 0}]}}, '/user_data/elements/0: the key "hex" is missing'),
        ({"octets": "x"}, "/octets: hex digits"),
    ],
)
def test_a_mistake_is_told_with_its_place(change: dict[str, Any], line: str) -> None:
    with pytest.raises(FormError) as caught:
        sms_octets(shown(tpdus()[0]) | change)
    assert str(caught.value).startswith(line)


def test_octets_that_are_no_tpdu() -> None:
    with pytest.raises(PduError):
        sms_octets(shown(tpdus()[0]) | {"octets": "00"})


def test_a_validity_of_a_submit() -> None:
    (tpdu,) = sms_compose.submits("2211", sms_compose.text_bodies("x", reference=1))
    form = shown(tpdu)
    form["fields"].append({"name": "validity", "value": "a7"})
    again = sms_pdu.decode(sms_octets(form), smsc=False, direction=Direction.MO)
    assert isinstance(again, sms_pdu.Submit)
    assert again.validity == sms_pdu.Validity(sms_pdu.ValidityFormat.RELATIVE, b"\xa7")
    form["fields"][-1]["value"] = "a7a7"
    with pytest.raises(FormError):
        sms_octets(form)

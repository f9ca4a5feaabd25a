"""TPDUs in the JSON form: fields with their offsets, user data, what they are to be joined into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mmsproxy.cli.pdu_recognise import Carried
from mmsproxy.cli.pdu_sms_view import sms_json
from mmsproxy.wire import mms_pdu, sms_compose, sms_pdu, wap_push
from mmsproxy.wire.sms_pdu import Direction, Validity

DELIVER = bytes.fromhex("0791947101670000 44 0B915155210300F0 00 04 52112222716300 0E 0B05040B8423F00003070201 0106")


def rows(form: dict[str, Any]) -> list[tuple[int, str, Any, Any]]:
    return [(row["offset"], row["name"], row["value"], row.get("means")) for row in form["fields"]]


def test_a_deliver() -> None:
    form = sms_json(sms_pdu.decode(DELIVER + b"\xaa"), None)
    assert (form["kind"], form["size"], form["octets"]) == ("sms-deliver", len(DELIVER) + 1, (DELIVER + b"\xaa").hex())
    assert rows(form) == [
        (0, "service-centre", "+491710760000", None),
        (8, "first-octet", "0x44", None),
        (9, "originator", "+15551230000", "international, 91"),
        (17, "protocol", 0, None),
        (18, "data-coding", "0x04", "8bit"),
        (19, "timestamp", "2025-11-22T22:17:36+00:00", None),
    ]
    assert form["user_data"] == {
        "length": 14,
        "alphabet": "8bit",
        "elements": [{"iei": "0x05", "hex": "0b8423f0"}, {"iei": "0x00", "hex": "070201"}],
        "ports": {"destination": 2948, "source": 9200},
        "part": {"reference": 7, "number": 1, "of": 2},
        "hex": "0106",
    }
    assert form["tail"] == {"offset": len(DELIVER), "hex": "aa"}


def test_a_submit_with_each_validity() -> None:
    bodies = sms_compose.text_bodies("hé", reference=1)
    when = datetime(2025, 11, 22, tzinfo=UTC)
    for validity, words in (
        (Validity.relative(timedelta(hours=1)), "1:00:00"),
        (Validity.absolute(when), "2025-11-22 00:00:00+00:00"),
    ):
        (tpdu,) = sms_compose.submits("+15551230000", bodies, report=True, validity=validity, message_reference=9)
        form = sms_json(tpdu, None)
        assert form["kind"] == "sms-submit"
        assert rows(form)[0][3] == "report wanted"
        assert rows(form)[1][:3] == (1, "reference", 9)
        assert rows(form)[-1][2:] == (validity.octets.hex(), words)
        assert form["user_data"] == {"length": 2, "alphabet": form["user_data"]["alphabet"], "text": "hé"}
    (tpdu,) = sms_compose.submits("+15551230000", bodies)
    assert "validity" not in [row[1] for row in rows(sms_json(tpdu, None))]


def test_a_status_report() -> None:
    octets = bytes.fromhex("00 06 2A 0B915155210300F0 52112222716300 FFFFFFFFFFFFFF 46 07 00 04 01 AA")
    form = sms_json(sms_pdu.decode(octets, direction=Direction.MT), None)
    assert form["kind"] == "sms-status-report"
    assert rows(form)[5:] == [
        (18, "discharge", "ffffffffffffff", None),
        (25, "status", "0x46", "failed: validity period expired"),
        (26, "parameters", "07", None),
        (27, "protocol", 0, None),
        (28, "data-coding", "0x04", "8bit"),
    ]
    assert form["user_data"]["hex"] == "aa"
    assert form["warnings"][0]["rule"] == "timestamp-without-meaning"


def test_a_report_that_ends_with_its_status() -> None:
    octets = bytes.fromhex("00062A0B915155210300F0521122227163005211222271630000")
    form = sms_json(sms_pdu.decode(octets), None)
    assert "user_data" not in form
    assert rows(form)[-1][3] == "delivered: received by the recipient"


def test_the_push_that_a_part_completes() -> None:
    tpdu = sms_pdu.decode(DELIVER)
    pdu = mms_pdu.decode(bytes.fromhex("8C85"))
    form = sms_json(tpdu, Carried(wap_push.decode(bytes.fromhex("010601BE8C85")), pdu))
    assert form["push"]["body"]["mms"]["type"] == "m-acknowledge-ind"

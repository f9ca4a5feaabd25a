"""The tree, line by line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from mmsproxy.cli.pdu_input import Found
from mmsproxy.cli.pdu_recognise import Carried, Collector
from mmsproxy.cli.pdu_sms_view import sms_json
from mmsproxy.cli.pdu_tree import MAX_TEXT, title, tree, value
from mmsproxy.wire import mms_pdu, sms_compose, sms_pdu
from mmsproxy.wire.pdu_view import mms_json, push_json


def drawn(octets: bytes) -> list[str]:
    return tree({"file": "f", "form": "octets"} | mms_json(mms_pdu.decode(octets))).splitlines()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "-"),
        (5, "5"),
        ("1.2", "1.2"),
        ("0xC5", "0xC5"),
        ("x", '"x"'),
        ({"text": "Ä", "charset": 106}, '"Ä"'),
        ({"insert_address": True}, "(the MMSC puts it in)"),
        ({"hex": "0aff"}, "0a ff"),
        ({"hex": "00" * 40}, " ".join(["00"] * 32) + " ..."),
        ({"relative": 5}, "relative 5"),
        ({"count": 1, "value": "x"}, 'count 1, value "x"'),
        ({"media": "a/b", "parameters": [{"name": "charset", "value": 106}, {"name": "x", "value": None}]}, "a/b; charset=106; x=-"),
    ],
)
def test_values_on_one_line(given: Any, shown: str) -> None:
    assert value(given) == shown


def test_titles() -> None:
    assert title({"kind": "mms-pdu", "type": "m-send-req"}) == "MMS m-send-req"
    assert title({"kind": "wsp-push", "confirmed": False}) == "WSP push"
    assert title({"kind": "wsp-push", "confirmed": True}) == "WSP confirmed push"
    assert title({"kind": "sms-status-report"}) == "SMS status-report"


def test_nested_parts_warnings_and_the_tail() -> None:
    octets = bytes.fromhex("8C84 8D92 850469223680 84A3 02 0106 A3 01 0102 83 6869 0102 83") + b"a\n" + b"\xff\xff"
    lines = drawn(octets)
    assert lines[:-1] == [
        f"f: MMS m-retrieve-conf, {len(octets)} octets",
        "      0   X-Mms-Message-Type         m-retrieve-conf (132)",
        "      2   X-Mms-MMS-Version          1.2",
        "      4   Date                       2025-11-22 22:17:36 UTC (1763849856)",
        "     10   Content-Type               application/vnd.wap.multipart.mixed",
        "     13   parts[0]",
        "     15     Content-Type               application/vnd.wap.multipart.mixed",
        "     17     parts[0].parts[0], 2 octets",
        "     19       Content-Type               text/plain",
        "              | hi",
        "     22   parts[1], 2 octets",
        "     24     Content-Type               text/plain",
        "            | a",
        "     27   (tail)                     ff ff",
    ]
    assert re.fullmatch(r" {10}warning: offset 27: parts\[2\] stray-octets: .* \[[0-9a-f ]+ ff ff\]", lines[-1])


def test_a_long_text_is_cut_and_data_are_shown_as_hex() -> None:
    lines = drawn(bytes.fromhex("8C84 8483") + b"x" * (MAX_TEXT + 7))
    assert lines[-2:] != []
    assert "            | " + "x" * MAX_TEXT in lines
    assert "            (7 more characters)" in lines
    assert any("00 01" in line for line in drawn(bytes.fromhex("8C84 849E 0001")))


def test_textual_and_stray_headers() -> None:
    lines = drawn(bytes.fromhex("8C81 582D54007900 0A00"))
    assert '      2   "X-T"                      "y"' in lines
    assert "      8   (no header)                0a 00" in lines


def lines_of(read: Any) -> list[str]:
    said = read.said
    form = push_json(said.push, said.mms) if isinstance(said, Carried) else sms_json(said, read.joined)
    return tree({"file": "f", "form": "hex"} | form).splitlines()


def test_a_push_with_its_error_and_a_push_of_something_else() -> None:
    broken = Collector().read(Found("hex", bytes.fromhex("010603BEAF848C")))
    lines = lines_of(broken)
    assert lines[0] == "f: WSP push, 7 octets from hex"
    assert lines[4] == "      6   body, 1 octets"
    assert lines[5] == "            8c"
    assert lines[6].startswith("          error: offset 1: value-missing: ")
    other = lines_of(Collector().read(Found("hex", bytes.fromhex("010601AE00"))))
    assert other[2:] == ["      3   Content-Type               application/vnd.wap.sic", "      4   body, 1 octets", "            00"]


def test_an_sms_with_the_push_that_it_completes() -> None:
    octets = bytes.fromhex("440B915155210300F0000452112222716300110605040B8423F0010603BEAF848C858D90")
    lines = lines_of(Collector().read(Found("hex", octets)))
    assert lines == [
        f"f: SMS deliver, {len(octets)} octets from hex",
        "      0   first-octet                0x44",
        '      1   originator                 "+15551230000"  (international, 91)',
        "      9   protocol                   0",
        "     10   data-coding                0x04  (8bit)",
        '     11   timestamp                  "2025-11-22T22:17:36+00:00"',
        "          user-data                  8bit, to port 2948 from 9200",
        "            01 06 03 be af 84 8c 85 8d 90",
        "          WSP push, 10 octets",
        "      0     Transaction id             1",
        "      3     Content-Type               application/vnd.wap.mms-message",
        "      4     X-Wap-Application-Id       x-wap-application:mms.ua (4)",
        "      6     body: MMS m-acknowledge-ind, 4 octets",
        "      0       X-Mms-Message-Type         m-acknowledge-ind (133)",
        "      2       X-Mms-MMS-Version          1.0",
        lines[15],
    ]
    assert "warning: offset 4: X-Mms-Transaction-ID mandatory-header-missing" in lines[15]


def test_a_part_of_a_longer_text() -> None:
    bodies = sms_compose.text_bodies("x" * 200, reference=7)
    (tpdu, _) = sms_compose.delivers("+15551230000", bodies, when=datetime(2025, 11, 22, tzinfo=UTC))
    lines = lines_of(Collector().read(Found("hex", sms_pdu.encode(tpdu))))
    assert "          user-data                  gsm7, part 1 of 2, reference 7" in [line.replace("7bit", "gsm7") for line in lines]
    assert lines[-1] == "            | " + "x" * 153

"""The JSON form goes back into octets: untouched ones as they were, edited ones anew, wrong ones refused with their place."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli.pdu_build import mms_octets, push_octets
from mmsproxy.cli.pdu_parse import FormError
from mmsproxy.cli.pdu_recognise import carried
from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu, wap_push
from mmsproxy.wire.pdu_view import mms_json, push_json


def shown(octets: bytes) -> Any:
    """The JSON form, as it comes out of a file."""
    return json.loads(json.dumps(mms_json(mms_pdu.decode(octets))))


def bare(form: Any) -> Any:
    """The form without the octets of the wire."""
    if isinstance(form, dict):
        return {key: bare(value) for key, value in form.items() if not key.endswith("octets")}
    return [bare(value) for value in form] if isinstance(form, list) else form


def value(form: Any, name: str) -> dict[str, Any]:
    found = [header for header in form["headers"] if header["name"] == name]
    assert len(found) == 1
    header: dict[str, Any] = found[0]
    return header


def test_each_type_and_each_header_comes_back(type_vectors: dict[str, bytes], header_vectors: list[bytes]) -> None:
    assert len(type_vectors) == 24
    for octets in (*type_vectors.values(), *header_vectors):
        assert mms_octets(shown(octets)) == octets, octets.hex()


def test_canonical_ones_need_no_octets(type_vectors: dict[str, bytes], header_vectors: list[bytes]) -> None:
    count = 0
    for octets in (*type_vectors.values(), *header_vectors):
        form = shown(octets)
        if mms_pdu.encode(mms_pdu.canonical(mms_pdu.decode(octets))) == octets:
            assert mms_octets(bare(form)) == octets, octets.hex()
            count += 1
    assert count >= 75


@pytest.mark.needs_corpus
def test_real_ones_come_back(corpus: Path) -> None:
    for path in sorted((corpus / "valid").iterdir()):
        octets = path.read_bytes()
        assert mms_octets(shown(octets)) == octets, path.name


def test_mutated_ones_come_back(type_vectors: dict[str, bytes]) -> None:
    rand = random.Random(7)
    seeds = list(type_vectors.values())
    accepted = 0
    for _ in range(6000):
        octets = bytearray(rand.choice(seeds))
        for _ in range(rand.randrange(1, 4)):
            at = rand.randrange(2, len(octets))
            octets[at : at + rand.randrange(2)] = rand.randbytes(rand.randrange(3))
        with suppress(PduError):
            form = shown(bytes(octets))
            accepted += 1
            assert mms_octets(form) == octets, octets.hex()
    assert accepted > 3000


def test_an_edit_changes_its_header_only() -> None:
    # a long length form, and 8-bit text without its Quote: both kept
    octets = bytes.fromhex("8C8098543100 8D92 891F0181") + b"\x96\xc3\x9c\0\x97" + b"+1/TYPE=PLMN\0" + bytes.fromhex("84A300")
    form = shown(octets)
    value(form, "To")["value"] = "+2/TYPE=PLMN"
    assert mms_octets(form) == octets.replace(b"+1/", b"+2/")


def test_stale_octets_are_not_used_and_octets_alone_are() -> None:
    form = {
        "type": "m-notifyresp-ind",
        "headers": [{"name": "X-Mms-Status", "value": "deferred", "octets": "9581"}, {"name": "X-Mms-Report-Allowed", "octets": "9182"}],
    }
    assert mms_octets(form) == bytes.fromhex("8C83 9583 9182")


def test_a_form_written_by_hand() -> None:
    form = {
        "kind": "mms-pdu",
        "type": "m-send-req",
        "headers": [
            {"name": "X-Mms-Transaction-ID", "value": "T1"},
            {"name": "x-mms-mms-version", "value": "1.2"},
            {"name": "Date", "value": 0x69223680},
            {"name": "From", "value": {"insert_address": True}},
            {"name": "To", "value": "+15551230000/TYPE=PLMN"},
            {"name": "Subject", "value": "Ärg"},
            {"name": "X-Mms-Message-Class", "value": 128},
            {"name": "X-Mms-Priority", "value": "normal"},
            {"name": "X-Mms-Delivery-Report", "value": True},
            {"name": "X-Mms-Read-Report", "value": False},
            {"name": "Content-Type", "value": "application/vnd.wap.multipart.mixed"},
        ],
        "parts": [
            {
                "headers": [
                    {"name": "Content-Type", "value": "text/plain; charset=utf-8; name=t.txt"},
                    {"name": "Content-ID", "value": "<t>"},
                    {"name": "Content-Location", "value": "t.txt"},
                ],
                "text": "Grüße",
            }
        ],
    }
    # the checked example of an M-Send.req, octet for octet
    assert mms_octets(form) == bytes.fromhex(
        "8C80 98543100 8D92 850469223680 890181 972B31353535313233303030302F545950453D504C4D4E00 9607EA7FC384726700"
        "8A80 8F81 8680 9081 84A3 01 1807 0A8381EA85742E74787400 C0223C743E00 8E742E74787400 4772C3BCC39F65"
    )


@pytest.mark.parametrize(
    ("name", "written", "octets"),
    [
        ("X-Mms-Expiry", {"relative": 259200}, "8805810303F480"),
        ("X-Mms-Delivery-Time", {"absolute": 0x69223680}, "8706800469223680"),
        ("X-Mms-Message-Size", 28672, "8E027000"),
        ("X-Mms-Response-Status", "error-transient-failure", "92C0"),
        ("X-Mms-Response-Status", "ERROR_TRANSIENT_FAILURE", "92C0"),
        ("X-Mms-Response-Status", 250, "92FA"),
        ("X-Mms-Message-Class", "Greeting", "8A" + b"Greeting\0".hex()),
        ("X-Mms-MMS-Version", 0x93, "8D93"),
        ("X-Mms-MMS-Version", "1", "8D9F"),
        ("X-Mms-MM-Flags", {"token": "add", "keyword": "ab"}, "A40480616200"),
        ("X-Mms-Mbox-Totals", {"token": 128, "amount": 5}, "AA028085"),
        ("X-Mms-Previously-Sent-By", {"count": 1, "value": "+1/TYPE=PLMN"}, "A00E81" + b"+1/TYPE=PLMN\0".hex()),
        ("X-Mms-Previously-Sent-Date", {"count": 1, "value": 0x69223680}, "A106810469223680"),
        ("X-Mms-Attributes", 0x96, "A896"),
        ("X-Mms-Start", 300, "AF02012C"),
        (
            "X-Mms-Element-Descriptor",
            {"reference": "a", "parameters": [{"name": "type", "number": 2, "value": "*/*"}]},
            "B204" + "6100" + "8280",
        ),
        ("Subject", {"text": "Ärg", "charset": "iso-8859-1"}, "960684" + "7F" + "C4726700"),
        ("Subject", {"text": "hi", "charset": 3}, "960483686900"),
        ("From", "a@b.org", "890980" + b"a@b.org\0".hex()),
        ("0xC5", {"hex": "81"}, "C581"),
        ("Content", {"hex": "0180"}, "AE0180"),
    ],
)
def test_the_value_of_each_grammar(name: str, written: Any, octets: str) -> None:
    assert mms_octets({"type": "0x99", "headers": [{"name": name, "value": written}]}) == bytes.fromhex("8C99" + octets)


def test_the_counted_values_of_a_delete_conf() -> None:
    headers = [
        {"name": "X-Mms-Content-Location", "value": {"count": 1, "value": "http://m/1"}},
        {"name": "X-Mms-Response-Status", "value": {"count": 1, "value": "ok"}},
        {"name": "X-Mms-Response-Status", "value": "ok"},
    ]
    assert mms_octets({"type": "m-delete-conf", "headers": headers}) == bytes.fromhex("8C95 830C81") + b"http://m/1\0" + bytes.fromhex(
        "92028180 9280"
    )


def test_textual_headers_and_bodies_of_one_part() -> None:
    form = {
        "type": "m-retrieve-conf",
        "headers": [{"name": "X-Test", "textual": True, "value": "yes"}, {"name": "Content-Type", "value": "text/plain"}],
        "body": {"text": "hi"},
    }
    assert mms_octets(form) == b"\x8c\x84X-Test\0yes\0\x84\x83hi"


def test_nested_parts_in_three_forms_of_data() -> None:
    inner = {"headers": [{"name": "Content-Type", "value": "image/png"}], "base64": "AQI="}
    nest = {"headers": [{"name": "Content-Type", "value": "application/vnd.wap.multipart.mixed"}], "parts": [inner]}
    blob = {"headers": [{"name": "Content-Type", "value": "application/octet-stream"}], "hex": "00ff"}
    form = {
        "type": "m-retrieve-conf",
        "headers": [{"name": "Content-Type", "value": "application/vnd.wap.multipart.mixed"}],
        "parts": [nest, blob],
    }
    octets = bytes.fromhex("8C84 84A3 02 0106 A3 01 0102 A0 0102 0102 DA 00FF")
    assert mms_octets(form) == octets
    pdu = mms_pdu.decode(octets)
    assert [bytes(part.data) for part in pdu.walk() if part.parts is None] == [b"\1\2", b"\0\xff"]


OK = {"name": "X-Mms-Status", "value": "retrieved"}
MULTI = {"name": "Content-Type", "value": "application/vnd.wap.multipart.mixed"}
PLAIN = {"name": "Content-Type", "value": "text/plain"}


def pdu(*headers: Any, **others: Any) -> Any:
    return {"type": "m-retrieve-conf", "headers": list(headers)} | others


def part(*headers: Any, **others: Any) -> Any:
    return pdu(MULTI, parts=[{"headers": list(headers)} | others])


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (5, "the whole: an object is wanted, not 5"),
        ({}, 'the whole: the key "headers" is missing'),
        ({"headers": {}}, "/headers: an array is wanted, not an object"),
        ({"headers": []}, 'the whole: neither "type" nor a header X-Mms-Message-Type'),
        ({"headers": [], "type": "m-nothing"}, "/type: a number or one of m-send-req, "),
        ({"headers": [], "type": "0x12"}, "/type: a message type is an octet of 128 to 255"),
        ({"headers": [{"name": "X-Mms-Message-Type", "value": 5}]}, "/headers/0/value: a message type is an octet of 128 to 255"),
        (pdu(5), "/headers/0: an object is wanted, not 5"),
        (pdu({"value": 5}), '/headers/0: the key "name" is missing'),
        (pdu({"name": 5}), "/headers/0/name: a string is wanted, not 5"),
        (pdu({"name": "Nothing", "value": 5}), "/headers/0/name: no header is called 'Nothing'; for a textual one say \"textual\": true"),
        (pdu({"name": "To", "number": "x", "value": 5}), "/headers/0/number: a header number such as 0x8C is wanted, not 'x'"),
        (pdu({"name": "To", "number": "0x12", "value": 5}), "/headers/0/number: a header number is an octet of 0x80 to 0xFF"),
        (pdu({"name": "To"}), '/headers/0: the key "value" is missing'),
        (pdu({"name": "To", "octets": "9"}), "/headers/0/octets: hex digits, two for an octet, is wanted, not '9'"),
        (pdu({"name": "To", "octets": "9600"}), "/headers/0/octets: the octets do not start with the number of the header, 97"),
        (pdu({"name": ""}), '/headers/0: the key "octets" is missing'),
        (pdu({"name": "To", "value": []}), "/headers/0/value: an object is wanted, not an array"),
        (pdu({"name": "To", "value": {"text": 1}}), "/headers/0/value/text: a string is wanted, not 1"),
        (
            pdu({"name": "To", "value": {"text": "x", "charset": "klingon"}}),
            "/headers/0/value/charset: a known charset is wanted, not 'klingon'",
        ),
        (pdu({"name": "To", "value": {"text": "Ä", "charset": 3}}), "/headers/0/value: charset 3 cannot hold the text"),
        (pdu({"name": "Date", "value": "now"}), "/headers/0/value: a number from 0 is wanted, not 'now'"),
        (pdu({"name": "Date", "value": True}), "/headers/0/value: a number from 0 is wanted, not True"),
        (pdu({"name": "Date", "value": -1}), "/headers/0/value: a number from 0 is wanted, not -1"),
        (pdu({"name": "Date", "value": 1 << 300}), "/headers/0/value: no long-integer"),
        (pdu({"name": "X-Mms-Status", "value": "gone"}), "/headers/0/value: a number or one of expired, retrieved, "),
        (pdu({"name": "X-Mms-Status", "value": 5}), "/headers/0/value: 5 is no octet of this field"),
        (pdu({"name": "X-Mms-MMS-Version", "value": "8"}), "/headers/0/value: a version such as 1.2 is wanted, not '8'"),
        (pdu({"name": "X-Mms-Expiry", "value": 5}), '/headers/0/value: {"absolute": seconds} or {"relative": seconds} is wanted, not 5'),
        (pdu({"name": "X-Mms-Expiry", "value": {"relative": "x"}}), "/headers/0/value/relative: a number from 0 is wanted, not 'x'"),
        (pdu({"name": "X-Mms-MM-Flags", "value": {"token": 128}}), '/headers/0/value: the key "keyword" is missing'),
        (pdu({"name": "0xC5", "value": 5}), '/headers/0/value: {"hex": ...} is wanted, not 5'),
        (pdu({"name": "0xC5", "value": {"hex": "8181"}}), "/headers/0/value: the octets are not one value"),
        (pdu({"name": "X\0", "textual": True, "value": ""}), "/headers/0/name: a text cannot hold a NUL"),
        (pdu({"name": "X", "textual": True, "value": "a\0"}), "/headers/0/value: a text cannot hold a NUL"),
        (pdu(PLAIN, OK), "/headers/0: Content-Type is the last header"),
        (pdu(OK, body={"text": ""}), "/body: there is no header Content-Type"),
        (pdu(MULTI, body={"text": ""}), "/body: application/vnd.wap.multipart.mixed has parts"),
        (pdu(PLAIN, parts=[]), "/parts: text/plain has a body"),
        (pdu(PLAIN, body={}), '/body: one of "text", "base64" and "hex" is wanted'),
        (pdu(PLAIN, body={"base64": "?"}), "/body/base64: no base64: "),
        (pdu(PLAIN, body={"hex": "0"}), "/body/hex: hex digits"),
        (pdu(PLAIN, body={"text": 5}), "/body/text: a string is wanted, not 5"),
        (
            pdu({"name": "Content-Type", "value": "text/plain; charset=us-ascii"}, body={"text": "Ä"}),
            "/body/text: its charset cannot hold the text: ",
        ),
        (pdu({"name": "Content-Type", "value": "a b"}), "/headers/0/value: a media type with its parameters is wanted, not 'a b'"),
        (pdu({"name": "Content-Type", "value": "a/b; x"}), "/headers/0/value: a media type with its parameters is wanted, not 'a/b; x'"),
        (
            pdu({"name": "Content-Type", "value": {"media": "a/b", "parameters": [{"name": "x"}]}}),
            '/headers/0/value/parameters/0: the key "value" is missing',
        ),
        (
            pdu({"name": "Content-Type", "value": {"media": "a/b", "parameters": [{"name": "x", "value": []}]}}),
            "/headers/0/value/parameters/0/value: a string",
        ),
        (
            pdu({"name": "Content-Type", "value": {"media": "a/b", "parameters": [{"name": "charset", "number": 1, "value": 1.5}]}}),
            "/headers/0/value: ",
        ),
        (pdu(MULTI, parts=5), "/parts: an array is wanted, not 5"),
        (pdu(MULTI, parts=[5]), "/parts/0: an object is wanted, not 5"),
        (part(), "/parts/0/headers: the first header is Content-Type"),
        (part({"name": "Content-ID", "value": "x"}), "/parts/0/headers: the first header is Content-Type"),
        (part(PLAIN), '/parts/0: one of "text", "base64" and "hex" is wanted'),
        (part(PLAIN, {"name": "Content-MD5", "value": "00"}, text=""), "/parts/0/headers/1/value: a Content-MD5 has 16 octets"),
        (part(PLAIN, parts=[]), "/parts/0/parts: text/plain has no parts"),
        (part(MULTI, parts=[{"headers": [PLAIN]}]), '/parts/0/parts/0: one of "text", "base64" and "hex" is wanted'),
        (part(PLAIN, text="", lengths_octets="x"), "/parts/0/lengths_octets: hex digits"),
        (pdu(OK, tail={}), '/tail: the key "hex" is missing'),
    ],
)
def test_a_mistake_is_told_with_its_place(form: Any, line: str) -> None:
    with pytest.raises(FormError) as caught:
        mms_octets(form)
    assert str(caught.value).startswith(line)


def test_any_json_is_octets_or_a_form_error(type_vectors: dict[str, bytes]) -> None:
    """Random edits of forms: another type, a missing key, another value."""
    rand = random.Random(13)
    junk: list[Any] = [None, True, -1, 0, 300, 2**70, 1.5, "", "x", "é\ud800", [], {}, {"hex": "81"}, {"text": "x"}, [[]]]
    refused = 0

    def spoil(form: Any) -> Any:
        if rand.random() < 0.06:
            return rand.choice(junk)
        if isinstance(form, dict):
            return {key: spoil(value) for key, value in form.items() if rand.random() > 0.02}
        return [spoil(value) for value in form] if isinstance(form, list) else form

    forms = [shown(octets) for octets in type_vectors.values()]
    for _ in range(2500):
        try:
            assert mms_octets(spoil(rand.choice(forms)))
        except FormError:
            refused += 1
    assert 500 < refused < 2500


def push(octets: bytes) -> Any:
    decoded = wap_push.decode(octets)
    return json.loads(json.dumps(push_json(decoded, carried(decoded, False).mms)))


@pytest.mark.parametrize(
    "octets",
    [
        "010603BEAF848C828D90",
        "C50605BE8D95AF848C82",  # a Content-Length that lies
        "0107800" + "3BEAF848C828D90",  # HeadersLen in two octets
        "010601AE414243",
        "010602" + "01BE" + "8C82",  # the general form without parameters
        "010608BE" + "582D540059" + "0000" + "8C82",  # a textual header, and a stray octet behind it
    ],
)
def test_a_push_comes_back(octets: str) -> None:
    data = bytes.fromhex(octets)
    assert push_octets(push(data)) == data


@pytest.mark.needs_corpus
def test_real_pushes_come_back(corpus: Path) -> None:
    count = 0
    for path in sorted((corpus / "wsp-push").iterdir()):
        with suppress(PduError):
            form = push(path.read_bytes())
            count += 1
            assert push_octets(form) == path.read_bytes(), path.name
    assert count >= 10


def test_an_edited_push() -> None:
    form = push(bytes.fromhex("010603BEAF848C828D90"))
    form["tid"] = 0xC5
    form["headers"][1]["value"] = "x-wap-application:mms.ua"
    form["body"]["mms"]["headers"][1]["value"] = "1.3"
    assert push_octets(form) == bytes.fromhex("C5061BBEAF") + b"x-wap-application:mms.ua\0" + bytes.fromhex("8C828D93")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"tid": 300}, "/tid: a transaction id is an octet of 0 to 255"),
        ({"tid": "x"}, "/tid: a number from 0 is wanted, not 'x'"),
        ({"body": {}}, '/body: the key "hex" is missing'),
        ({"body": {"mms": {}}}, '/body/mms: the key "headers" is missing'),
        ({"headers": []}, "/headers: the first header is Content-Type"),
    ],
)
def test_a_mistake_in_a_push(change: dict[str, Any], line: str) -> None:
    with pytest.raises(FormError) as caught:
        push_octets(push(bytes.fromhex("010603BEAF848C828D90")) | change)
    assert str(caught.value) == line


def test_lengths_that_no_longer_hold_are_written_anew() -> None:
    octets = bytes.fromhex("8C84 84A3 8001 8001 8002 83 6869")
    form = shown(octets)
    assert mms_octets(form) == octets
    form["parts"][0]["text"] = "hello"
    assert mms_octets(form) == bytes.fromhex("8C84 84A3 8001 01 05 83") + b"hello"
    form["count_octets"] = "81"  # no uintvar
    assert mms_octets(form) == bytes.fromhex("8C84 84A3 01 01 05 83") + b"hello"


def test_a_part_whose_content_type_cannot_be_read() -> None:
    octets = bytes.fromhex("8C84 84A3 01 03 02 05 8381 6869")
    form = shown(octets)
    assert form["parts"][0]["headers"][0]["value"]["media"] == "application/octet-stream"
    assert mms_octets(form) == octets
    form["parts"][0]["headers"][0]["value"] = "text/plain"
    assert mms_octets(form) == bytes.fromhex("8C84 84A3 01 01 02 83 6869")


def test_a_last_text_without_its_nul_gets_one_when_something_follows() -> None:
    end = {"name": "X-Mms-Status", "value": "retrieved"}
    for octets, whole in (
        (b"\x8c\x83\x98T1", b"\x8c\x83\x98T1\0"),
        (b"\x8c\x83X-A\0b", b"\x8c\x83X-A\0b\0"),
        (b"\x8c\x83\xc5ab", b"\x8c\x83\xc5ab\0"),
    ):
        form = shown(octets)
        assert mms_octets(form) == octets
        form["headers"].append(end)
        assert mms_octets(form) == whole + b"\x95\x81"


def test_a_textual_header_with_other_octets() -> None:
    form = {"type": "m-send-conf", "headers": [{"name": "X", "textual": True, "value": "y", "octets": "580001"}]}
    assert mms_octets(form) == b"\x8c\x81X\0y\0"
    form["headers"][0]["octets"] = "58"  # type: ignore[index]
    assert mms_octets(form) == b"\x8c\x81X\0y\0"


def test_a_content_type_in_octets_says_no_body() -> None:
    with pytest.raises(FormError) as caught:
        mms_octets(pdu({"name": "Content-Type", "value": {"hex": "83"}}, body={"text": ""}))
    assert str(caught.value) == "/headers/0/value: a media type is wanted, not an object"

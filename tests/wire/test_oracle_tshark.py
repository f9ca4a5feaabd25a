"""tshark reads our PDUs as we mean them, and we read the corpus as tshark does: every field outside its blind spots.

One capture with a TCP connection for each PDU, one run of tshark for the whole session: it takes a second to start. Blind spots of
4.0.17 (not compared): headers A2-BF; types 94-97 and the delete-confs beyond their frame; charsets other than ASCII; long integers
over 4 octets; version as text; a last header whose octet is 84 (it is taken for Content-Type).
"""

from __future__ import annotations

import importlib.util
import json
import random
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.pdu_schema import HEADER_BY_ATTR
from mmsproxy.wap_numbers import FromToken, MessageType
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.forms import FORMS
from mmsproxy.wire.mms_pdu import Absolute, Part, Pdu, Relative

pytestmark = pytest.mark.needs_tshark

ROUNDS = 25
SEGMENT = 1400
DELETE_CONFS = (MessageType.M_MBOX_DELETE_CONF, MessageType.M_DELETE_CONF)
BLIND_TYPES = (MessageType.M_DELETE_REQ, MessageType.M_DELETE_CONF, MessageType.M_CANCEL_REQ, MessageType.M_CANCEL_CONF)


# --- the capture -----------------------------------------------------------------------------------------------------------------


def packet(port: int, sequence: int, payload: bytes, flags: int) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", port, 80, sequence, 1, 0x50, flags, 65535, 0, 0) + payload
    addresses = b"\x0a\0\0\1\x0a\0\0\2"
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses + tcp
    return struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip


def connection(port: int, pdu: bytes) -> Iterator[bytes]:
    head = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Type: application/vnd.wap.mms-message\r\nContent-Length: %d\r\n\r\n" % len(pdu)
    message = head + pdu
    yield packet(port, 0, b"", 0x02)
    for at in range(0, len(message), SEGMENT):
        yield packet(port, 1 + at, message[at : at + SEGMENT], 0x18)


def capture(pdus: list[bytes]) -> bytes:
    """A pcap of raw IPv4; the number of a PDU is that of its TCP stream."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    return head + b"".join(part for number, pdu in enumerate(pdus) for part in connection(1024 + number, pdu))


def read(pdus: list[bytes], place: Path) -> dict[int, dict[str, Any]]:
    """What tshark says of each PDU, by its number."""
    file = place / "pdus.pcap"
    file.write_bytes(capture(pdus))
    command = ["tshark", "-n", "-r", str(file), "-o", "tcp.desegment_tcp_streams:TRUE", "-Y", "mmse || _ws.malformed"]
    done = subprocess.run([*command, "-T", "json", "--no-duplicate-keys"], capture_output=True, timeout=100, check=True)
    frames = json.loads(done.stdout.decode("utf-8", "replace"))
    found: dict[int, dict[str, Any]] = {}
    for frame in frames:
        layers = frame["_source"]["layers"]
        found[int(layers["tcp"]["tcp.stream"])] = layers
    return found


@pytest.fixture(scope="session")
def made(root: Path) -> list[bytes]:
    spec = importlib.util.spec_from_file_location("made", root / "tests" / "fuzz" / "made.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    maker = module.Maker(random.Random(20), ascii_only=True)
    return [mms_pdu.encode(maker.pdu(form.cls, extra=False, depth=0)) for _ in range(ROUNDS) for form in FORMS.values()]


@pytest.fixture(scope="session")
def real(corpus: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((corpus / "valid").iterdir())] if corpus.is_dir() else []


@pytest.fixture(scope="session")
def oracle(made: list[bytes], real: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """One run for all: first ours, then the corpus."""
    return read([*made, *real], tmp_path_factory.mktemp("oracle"))


# --- what is compared ------------------------------------------------------------------------------------------------------------


def every(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def ours(pdu: Pdu) -> dict[str, list[Any]]:
    """Our fields by tshark's names, as it writes them; only what it can see."""
    fields: dict[str, list[Any]] = {"mmse.message_type": [f"0x{pdu.message_type:02x}"]}
    if pdu.message_type in DELETE_CONFS:
        return fields
    for attr, value in of_the_wire(pdu):
        row = HEADER_BY_ATTR[attr]
        if row.number < 0xA0 and attr != "content_type":
            for name, shown in written(attr, value):
                fields.setdefault(name, []).append(shown)
    return fields


def of_the_wire(pdu: Pdu) -> Iterator[tuple[str, Any]]:
    """Every header that we read into a typed value, in order; repeated ones too."""
    assert pdu.wire is not None
    for attr, value, start, stop in pdu.wire.entries:
        raw = pdu.wire.source[start:stop]
        if (attr == "mms_version" and raw[1] < 0x80) or b"\x7f" in raw:
            continue  # a version as text; a Quote, which it takes for a character
        if attr and attr != "message_type":
            yield attr, value
        elif isinstance(value, mms_pdu.Header) and isinstance(value.key, int) and not isinstance(value.value, bytes):
            named = [header.attr for header in HEADER_BY_ATTR.values() if header.number == value.key]
            yield from ((name, value.value) for name in named)


SUFFIXED = {"delivery_time", "expiry", "reply_charging_deadline"}
TEXTS = {"transaction_id", "message_id", "content_location", "reply_charging_id"}
NUMBERS = {"message_size", "reply_charging_size"}


def written(attr: str, value: Any) -> Iterator[tuple[str, Any]]:
    """One field as tshark has it; nothing where it is blind."""
    name = f"mmse.{attr.rstrip('_')}"
    if attr in SUFFIXED:
        if isinstance(value, Absolute) and value.seconds < 2**31:
            yield f"{name}.abs", value.seconds
        elif isinstance(value, Relative) and value.seconds < 2**31:
            yield f"{name}.rel", f"{value.seconds}.000000000"
    elif attr == "mms_version":
        yield name, f"{value >> 4 & 7}.{value & 15}"
    elif attr == "date":
        yield from ((name, value) for _ in range(value < 2**31))
    elif attr == "message_class":
        yield (f"{name}.str", value) if isinstance(value, str) else (f"{name}.id", f"0x{value:02x}")
    elif attr in NUMBERS:
        yield from ((name, str(value)) for _ in range(value < 2**32))
    elif isinstance(value, bool):
        yield name, "0x80" if value else "0x81"
    elif value is FromToken.INSERT_ADDRESS:
        yield name, "<insert address>"
    elif isinstance(value, int):
        yield name, f"0x{value:02x}"
    elif attr in TEXTS or (value.charset or 0) < 128:  # it skips one octet for the charset, whatever that is
        text = str(value)
        yield from ((name, text) for _ in range(text.isascii() and text.isprintable()))


def theirs(name: str, shown: Any) -> Any:
    """A date as a number; anything else as it is."""
    if name == "mmse.date" or name.endswith(".abs"):
        moment = datetime.strptime(" ".join(shown.split()).replace(".000000000 UTC", "+0000"), "%b %d, %Y %H:%M:%S%z")
        return int(moment.timestamp())
    return shown


def media(shown: dict[str, Any]) -> list[str]:
    """The media types of the parts that tshark found in a multipart, outermost only."""
    body = shown.get("wsp.post.data")
    found = body.get("Multipart body", {}).get("wsp.multipart_tree", []) if isinstance(body, dict) else []
    return [part["wsp.header.content_type"] for part in every(found) if "wsp.header.content_type" in part]


def our_media(parts: tuple[Part, ...]) -> list[str]:
    return [part.content_type.media for part in parts]


def differences(octets: bytes, shown: dict[str, Any]) -> list[str]:
    pdu = mms_pdu.decode(octets)
    expected = ours(pdu)
    found = []
    for name, values in expected.items():
        if name == "mmse.read_report" and "mmse.read_reply" in shown:
            name = "mmse.read_reply"  # its name for the same header in a version 1.0 PDU
        seen = [theirs(name, one) for one in every(shown.get(name, []))]
        if seen != values:
            found.append(f"{name}: ours {values}, tshark {seen}")
    if pdu.parts and pdu.content_type is not None and pdu.content_type.is_multipart and our_media(pdu.parts) != media(shown):
        found.append(f"parts: ours {our_media(pdu.parts)}, tshark {media(shown)}")
    return found


def last_octet_is_84(octets: bytes) -> bool:
    pdu = mms_pdu.decode(octets)
    return pdu.content_type is None and octets[-1] == 0x84


# --- tests -----------------------------------------------------------------------------------------------------------------------


def test_it_found_every_pdu_that_we_made(made: list[bytes], oracle: dict[int, dict[str, Any]]) -> None:
    assert len(made) == ROUNDS * 24
    assert [number for number in range(len(made)) if "mmse" not in oracle.get(number, {})] == []


def test_it_reads_what_our_encoder_wrote(made: list[bytes], oracle: dict[int, dict[str, Any]]) -> None:
    wrong = {}
    compared: Counter[str] = Counter()
    for number, octets in enumerate(made):
        shown = oracle[number]["mmse"]
        compared.update(ours(mms_pdu.decode(octets)).keys())
        if found := differences(octets, shown):
            wrong[octets.hex()] = found
    assert not wrong, list(wrong.items())[:3]
    assert sum(compared.values()) > 3000
    assert len(compared) >= 30, sorted(compared)


def test_it_calls_nothing_malformed_that_we_made(made: list[bytes], oracle: dict[int, dict[str, Any]]) -> None:
    blind = (*BLIND_TYPES, *DELETE_CONFS)
    named = [number for number, octets in enumerate(made) if octets[1] not in blind and not last_octet_is_84(octets)]
    assert len(named) > ROUNDS * 15
    assert [made[number].hex() for number in named if "_ws.malformed" in oracle[number]] == []


@pytest.mark.needs_corpus
def test_we_read_the_corpus_as_it_does(made: list[bytes], real: list[bytes], oracle: dict[int, dict[str, Any]]) -> None:
    wrong = {}
    compared = 0
    for number, octets in enumerate(real, len(made)):
        shown = oracle.get(number, {}).get("mmse")
        if shown is None or "_ws.malformed" in oracle[number] or last_octet_is_84(octets):
            continue
        compared += 1
        if found := differences(octets, shown):
            wrong[octets[:40].hex()] = found
    assert compared >= 60
    assert not wrong, list(wrong.items())

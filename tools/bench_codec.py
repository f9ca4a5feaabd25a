#!/usr/bin/env python3
"""Measures the codec: time and memory of one PDU, time of hostile ones. Prints a table, or JSON with --json.

    tools/bench_codec.py            all of it (about 50 s)
    tools/bench_codec.py speed      some of it: speed, memory, linear, peers

speed   decode and encode; the least CPU time of many repeats, garbage collector off, one PDU a call
memory  most memory taken while it runs (tracemalloc), in parts of the PDU's size
linear  inputs made to be slow, at one size and at twice that: the second may take 2.5 times as long, and 100 KB 10 ms
peers   the same PDUs through other decoders that are installed beside ours (`pip install python-messaging`), in the same run

The PDUs are made here. Memory is told against the size of the PDU; what a decode keeps is told too.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import gc
import importlib
import importlib.util
import io
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if importlib.util.find_spec("mmsproxy") is None:  # a checkout, run by a Python that has construct alone
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmsproxy.errors import PduError
from mmsproxy.version import __version__
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.mms_pdu import (
    Address,
    ContentType,
    NotificationInd,
    Part,
    Relative,
    SendReq,
    Text,
)

KILO = 1000


@dataclass
class Row:
    """One measured figure. `seen` in `unit`; `target` as issue 3 states it, for the reader's eye only."""

    part: str
    name: str
    seen: float
    unit: str
    target: str = ""


# --- the PDUs --------------------------------------------------------------------------------------------------------------------


def notification() -> bytes:
    """An M-Notification.ind of 121 octets."""
    pdu = NotificationInd(
        transaction_id="NOK5CiKcoTMYSG4MBSwAAsKv14F",
        mms_version=0x90,
        from_=Address("+15551230000/TYPE=PLMN"),
        message_class=mms_pdu.MessageClass.PERSONAL,
        message_size=29_696,
        expiry=Relative(259_200),
        content_location="http://mmsc.example/servlets/NOK5CiKcoTMYSG",
    )
    return mms_pdu.encode(pdu)


def send_req(data: bytes, media: str, name: str, text: str) -> SendReq:
    """A SMIL part, a text and one more."""
    smil = (
        '<smil><head><layout><root-layout width="320" height="480"/><region id="Image" top="0" left="0" height="50%" width="100%"/>'
        '<region id="Text" top="50%" left="0" height="50%" width="100%"/></layout></head><body><par dur="5000ms">'
        f'<img src="{name}" region="Image"/><text src="text_0.txt" region="Text"/></par></body></smil>'
    )
    return SendReq(
        transaction_id="T18c0f2a91b3",
        date=1_763_849_856,
        to=(Address("+15551230000/TYPE=PLMN"),),
        subject=Text("Greetings"),
        message_class=mms_pdu.MessageClass.PERSONAL,
        expiry=Relative(604_800),
        priority=mms_pdu.Priority.NORMAL,
        delivery_report=True,
        read_report=False,
        content_type=ContentType("application/vnd.wap.multipart.related", type="application/smil", start="<smil>"),
        parts=(
            Part(
                ContentType("application/smil", charset=106, name="smil.xml"),
                smil.encode(),
                content_id="<smil>",
                content_location="smil.xml",
            ),
            Part(ContentType(media, name=name), data, content_id=f"<{name}>", content_location=name),
            Part(
                ContentType("text/plain", charset=106, name="text_0.txt"),
                text.encode(),
                content_id="<text_0>",
                content_location="text_0.txt",
            ),
        ),
    )


def samples() -> dict[str, SendReq]:
    """M-Send.req of 1 KB and of 300 KB."""
    picture = random.Random(1).randbytes(300 * KILO - 1000)
    small = send_req(b"\x89PNG\r\n\x1a\n" + bytes(100), "image/png", "dot.png", "Hello from the other side. " * 13)
    return {"1 KB": small, "300 KB": send_req(picture, "image/jpeg", "photo.jpg", "Hello")}


# --- clocks ----------------------------------------------------------------------------------------------------------------------


seconds_each = 0.5  # of CPU for each figure; --seconds


def least(work: Callable[[], Any]) -> float:
    """The least CPU time of one call, in microseconds: rounds of about 2 ms, so that the clock's own grain does not count."""
    begin = time.process_time_ns()
    work()
    once = max(time.process_time_ns() - begin, 200)
    number = max(1, 2_000_000 // once)
    best = float("inf")
    gc.disable()
    try:
        stop = time.process_time() + seconds_each
        while best == float("inf") or time.process_time() < stop:
            begin = time.process_time_ns()
            for _ in range(number):
                work()
            best = min(best, (time.process_time_ns() - begin) / number)
    finally:
        gc.enable()
    return best / 1000


def peak(work: Callable[[], Any]) -> tuple[int, int]:
    """The most memory taken above the start, and what the result keeps; octets."""
    work()
    gc.collect()
    tracemalloc.start()
    try:
        base = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        kept = work()
        now, most = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return most - base, now - base


# --- parts of the bench ----------------------------------------------------------------------------------------------------------


def speed() -> Iterator[Row]:
    """Time of one PDU."""
    octets = notification()
    yield Row("speed", f"decode M-Notification.ind ({len(octets)} B)", least(lambda: mms_pdu.decode(octets)), "us", "<= 25")
    for name, pdu in samples().items():
        yield from _speed_of(name, pdu)


def _speed_of(name: str, pdu: SendReq) -> Iterator[Row]:
    octets = mms_pdu.encode(pdu)
    decoded = mms_pdu.decode(octets)
    edited = decoded.replace(subject=Text("Another"))
    large = name == "300 KB"
    yield Row("speed", f"decode M-Send.req {name} ({len(octets)} B)", least(lambda: mms_pdu.decode(octets)), "us", "<= 40")
    yield Row("speed", f"encode M-Send.req {name}, made anew", least(lambda: mms_pdu.encode(pdu)), "us", "" if large else "<= 40")
    yield Row("speed", f"encode_chunks M-Send.req {name}, made anew", least(lambda: list(mms_pdu.encode_chunks(pdu))), "us")
    yield Row("speed", f"encode M-Send.req {name}, as decoded", least(lambda: mms_pdu.encode(decoded)), "us")
    yield Row("speed", f"encode M-Send.req {name}, one header changed", least(lambda: mms_pdu.encode(edited)), "us")


def memory() -> Iterator[Row]:
    """Memory of a large one."""
    pdu = samples()["300 KB"]
    octets = mms_pdu.encode(pdu)
    size = len(octets)
    for name, work, target in (
        ("decode 300 KB", lambda: mms_pdu.decode(octets), "< 0.05"),
        ("decode 300 KB, strict", lambda: mms_pdu.decode(octets, strict=True), "< 0.05"),
        ("encode 300 KB", lambda: mms_pdu.encode(pdu), "<= 1.05 (one copy)"),
        ("encode_chunks 300 KB", lambda: list(mms_pdu.encode_chunks(pdu)), "none: < 0.05"),
    ):
        most, kept = peak(work)
        yield Row("memory", f"{name}: most", most / size, "x PDU", target)
        yield Row("memory", f"{name}: kept", kept / size, "x PDU")


HEAD = bytes.fromhex("8C84 8D92")
MIXED = bytes.fromhex("84A3")


def uintvar(number: int) -> bytes:
    """Seven bits an octet."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(0x80 | number & 0x7F)
    return bytes(reversed(out))


def entry(head: bytes, data: bytes) -> bytes:
    """One part."""
    return uintvar(len(head)) + uintvar(len(data)) + head + data


def general(body: bytes) -> bytes:
    """A value with its length."""
    return (bytes((len(body),)) if len(body) < 31 else b"\x1f" + uintvar(len(body))) + body


def nested(data: bytes, depth: int) -> bytes:
    """Multiparts inside one another, the innermost holding `data` as its parts."""
    for _ in range(depth - 1):
        data = b"\x01" + entry(b"\xa3", data)
    return data


def parts(count: int, head: bytes, data: bytes = b"") -> bytes:
    """A multipart of equal parts."""
    return uintvar(count) + entry(head, data) * count


def hostile(scale: int) -> dict[str, bytes]:
    """Inputs made to be slow; `scale` 1 is half of what the limits allow, 2 all of it."""
    half = 256 * scale
    text = 32 * 1024 * scale - 32
    wide = parts(120 * scale, b"\x83\x8ea\0")
    return {
        "headers: addresses": HEAD + b"\x97+15551230000/TYPE=PLMN\0" * (half - 8),
        "headers: addresses of no kind": HEAD + (b"\x97" + b"(" * 60 + b"\0") * (half - 8),
        "headers: unknown": HEAD + b"\xc5\x01\x80" * (half - 8),
        "headers: textual": HEAD + b"X-A\0b\0" * (half - 8),
        "headers: broken values": HEAD + b"\x85\x86" * (half - 8),
        "headers: repeated": HEAD + b"\x96a\0" * (half - 8),
        "parts": HEAD + MIXED + parts(min(128 * scale, 256), b"\x83"),
        "parts with data": HEAD + MIXED + parts(100 * scale, b"\x9e", bytes(1000)),
        "parts with parameters": HEAD + MIXED + parts(60 * scale, general(b"\x83" + b"\x85a\0" * 30)),
        "parts with headers": HEAD + MIXED + parts(30 * scale, b"\x83" + b"\x8ea\0" * 60),
        "nesting, wide inside": HEAD + MIXED + nested(wide, 8),
        "nesting that does not parse": HEAD + MIXED + parts(100 * scale, b"\xa3", nested(b"\x02\x00", 7)),
        "text of ASCII": HEAD + b"\x96" + b"a" * text + b"\0",
        "text of UTF-8": HEAD + b"\x96" + general(b"\xea" + "ü".encode() * (text // 2) + b"\0"),
        "text not in its charset": HEAD + b"\x96" + general(b"\xea" + b"\xff\xfe" * (text // 2) + b"\0"),
        "text of controls": HEAD + b"\x96" + b"a" + b"\x01\r\n" * (text // 3) + b"\0",
        "text in UTF-7": HEAD + b"\x96" + general(b"\x02\x03\xf4" + b"+AGEAY-" * (text // 7) + b"\0"),
        "address: all @": HEAD + b"\x97" + b"@" * text + b"\0",
        "address: all /TYPE=": HEAD + b"\x97" + b"/TYPE=" * (text // 6) + b"\0",
        "address: digits and dots": HEAD + b"\x97" + b"1." * (text // 2) + b"x/TYPE=PLMN\0",
        "address: mailbox without end": HEAD + b"\x97" + b"a <" * (text // 3) + b"\0",
        "address: colons": HEAD + b"\x97" + b":" * text + b"/TYPE=IPv6\0",
        "media type of 64 KiB": HEAD + b"\x84" + b"a/" * (text // 2) + b"\0",
        "uintvars that go on": HEAD + MIXED + b"\x81" * (text // 2),
        "zeros": HEAD + bytes(text * 8),
        "all 8C 80": b"\x8c\x80" * (half - 8),
    }


def _seconds(data: bytes) -> float:
    def work() -> None:
        with contextlib.suppress(PduError):
            mms_pdu.decode(data)

    return least(work) / 1e6


def linear() -> Iterator[Row]:
    """Twice the size: how much more time; and the time of 100 KB."""
    small, large = hostile(1), hostile(2)
    for name, octets in large.items():
        one, two = _seconds(small[name]), _seconds(octets)
        growth = len(octets) / len(small[name])
        yield Row("linear", f"{name} ({len(octets)} B): ratio", two / one / growth * 2, "for 2x", "<= 2.5")
        per = two * 1000 * 100 * KILO / max(len(octets), 100 * KILO)
        yield Row("linear", f"{name}: time", per, "ms per 100 KB", "<= 10")


Decoder = Callable[[bytes], Any]


def python_messaging() -> Decoder | None:
    """`messaging.mms` of the package python-messaging (GPL-2); it prints, so its standard output is caught."""
    try:
        made = importlib.import_module("messaging.mms.message").MMSMessage
    except ImportError:
        return None

    def decode(octets: bytes) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return made.from_data(array.array("B", octets))

    return decode


PEERS: dict[str, Callable[[], Decoder | None]] = {"python-messaging": python_messaging}


def peers() -> Iterator[Row]:
    """Whatever else is here, on the same PDUs, and ours once more beside it."""
    octets = {"M-Notification.ind": notification()} | {f"M-Send.req {name}": mms_pdu.encode(pdu) for name, pdu in samples().items()}
    for peer, find in PEERS.items():
        decode = find()
        if decode is None:
            print(f"bench_codec: {peer} is not installed here: skipped", file=sys.stderr)
            continue
        for name, data in octets.items():
            yield Row("peers", f"{peer}: decode {name}", _timed(decode, data), "us")
            yield Row("peers", f"mmsproxy: decode {name}", least(lambda data=data: mms_pdu.decode(data)), "us")  # type: ignore[misc]


def _timed(decode: Decoder, data: bytes) -> float:
    try:
        return least(lambda: decode(data))
    except Exception as error:  # noqa: BLE001  # a peer's failure is a finding, not ours to sort
        print(f"bench_codec: a peer failed: {type(error).__name__}: {error}", file=sys.stderr)
        return float("nan")


BENCHES: dict[str, Callable[[], Iterator[Row]]] = {"speed": speed, "memory": memory, "linear": linear, "peers": peers}


def table(rows: list[Row]) -> str:
    """Columns for people."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':<{width}}  {'seen':>10}  {'unit':<14} target"]
    before = ""
    for row in rows:
        if row.part != before:
            lines.append(row.part)
        before = row.part
        lines.append(f"{row.name:<{width}}  {row.seen:>10.3g}  {row.unit:<14} {row.target}".rstrip())
    return "\n".join(lines)


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description="Measure the codec.", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*BENCHES, []], metavar="PART", help=f"some of {', '.join(BENCHES)}; all without")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seconds", type=float, default=seconds_each, help="CPU time for each figure (%(default)s)")
    arguments = parser.parse_args()
    globals()["seconds_each"] = arguments.seconds
    rows: list[Row] = []
    for name in arguments.parts or BENCHES:
        rows += BENCHES[name]()
    if arguments.json:
        print(json.dumps({"python": sys.version.split()[0], "mmsproxy": __version__, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()

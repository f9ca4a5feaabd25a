"""The MM1 door over real sockets: each row of mm1.md sections 1, 4, 5 and 6, with a line whose attempts are scripted."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.carrier.attempt import Awaited
from mmsproxy.errors import (
    AnswerTimeout,
    BearerError,
    ConnectError,
    HeaderError,
    LineStopped,
    LinkLost,
    MmsproxyError,
    PeerReset,
    PortError,
    RegistrationError,
    SimError,
)
from mmsproxy.link import Phase
from mmsproxy.web.guard import Limits

MMS = "application/vnd.wap.mms-message"
SEND = bytes.fromhex("8c80 98543100 8d92 890181 97 2b313535353132333030303000 84a300")
SEND_CONF = bytes.fromhex("8c81 98543100 8d92 9280 8b") + b"m1@mmsc\0"
FORWARD = bytes.fromhex("8c89 98543100 8d92 890181 97 2b313535353132333030303000 83") + b"http://mmsc/1\0"
NOTIFY_RESP = bytes.fromhex("8c83 984e3100 8d92 9581")
ACKNOWLEDGE = bytes.fromhex("8c85 98523100 8d92")
READ_REC = bytes.fromhex("8c87 8d92 8b") + b"m1@mmsc\0\x97+15551230000/TYPE=PLMN\0" + bytes.fromhex("890181 9b80")
NOTIFICATION = bytes.fromhex("8c82 984e3100 8d90 8a80 8e02 7000 8805 8103 03f480 83") + b"http://mmsc/1\0"


def refused_conf(status: int, text: bytes = b"") -> bytes:
    return bytes.fromhex("8c81 98543100 8d92") + bytes((0x92, status)) + (b"\x93" + text + b"\0" if text else b"")


def post(pdu: bytes = SEND, *fields: str, target: str = "/", version: str = "1.1", host: str | None = "localhost") -> bytes:
    """A POST of a PDU as MMS software writes it."""
    named = [f"Host: {host}"] if host is not None else []
    head = [f"POST {target} HTTP/{version}", *named, *fields, f"Content-Length: {len(pdu)}"]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + pdu


def chunked(pdu: bytes, size: int = 7) -> bytes:
    pieces = [pdu[at : at + size] for at in range(0, len(pdu), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def large(size: int) -> bytes:
    """An M-Send.req of exactly this many octets: one part of text."""
    head = SEND[:-1] + b"\x01\x01"  # one part, its headers one octet
    data = size - len(head) - 5
    return head + _uintvar(data) + b"\x83" + b"x" * data


def _uintvar(number: int) -> bytes:
    return bytes((number >> 21 & 0x7F | 0x80, number >> 14 & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number & 0x7F))


def expected_conf(status: int, text: str, kind: int = 0x81) -> bytes:
    return bytes((0x8C, kind)) + bytes.fromhex("98543100 8d92") + bytes((0x92, status, 0x93)) + text.encode() + b"\0"


# --- section 1: what the door must accept ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        post(),
        post(target="/mms/wapenc"),
        post(target="/servlets/mms?T=a@b|{};%2f/../x"),
        post(target="http://mms.carrier.example/mms/wapenc", host="mms.carrier.example"),
        post(target="http://mms.carrier.example", host="mms.carrier.example"),
        post(target="http://mms.carrier.example", host=None, version="1.0"),
        post(target="HTTP://MMS.Carrier.Example:80/?a=@|{};", host="mms.carrier.example"),
        post(host=None, version="1.0"),
        post(SEND, "Connection: close"),
        post(SEND, "Connection: keep-alive", "Proxy-Connection: Keep-Alive"),
        post(SEND, f"Content-Type: {MMS}"),
        post(SEND, f"Content-Type: {MMS}; charset=utf-8"),
        post(SEND, "Content-Type: odd"),
        post(SEND, "Content-Type:"),
        post(SEND, "Accept-Encoding: gzip, deflate"),
        post(SEND, "Content-Encoding: identity"),
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(SEND),
    ],
    ids=lambda data: data[:60].decode("latin-1"),
)
async def test_a_message_is_taken_and_the_carriers_answer_comes_back(mm1: Any, line: Any, caller: Any, request_: bytes) -> None:
    await mm1(line)
    heard = await caller.ask(request_)
    assert (heard.status, heard.body) == (200, SEND_CONF)
    assert heard.headers["content-type"] == MMS
    assert "x-mmsproxy-origin" not in heard.headers
    assert [posted.pdu for posted in line.posted] == [SEND]
    assert (line.posted[0].awaited, line.posted[0].transaction_id) == (Awaited.SEND_CONF, "T1")


def variant(*pairs: tuple[bytes, bytes]) -> bytes:
    pdu = SEND
    for old, new in pairs:
        assert old in pdu
        pdu = pdu.replace(old, new, 1)
    return pdu


@pytest.mark.parametrize(
    "pdu",
    [
        *(variant((b"\x8d\x92", bytes((0x8D, version)))) for version in range(0x90, 0x94)),
        variant((b"\x8d\x92", b"\x8d1.3\0")),
        variant((b"\x84\xa3\x00", b"\x84\x83text")),  # a body that is no multipart
        variant((b"\x98T1\0", b"\x9800001\0")),
        variant((b"\x97+15551230000\0", b"\x97+15551230000/TYPE=PLMN\0\x97+15551230001/TYPE=PLMN\0\x81a@b.example\0")),
        variant((b"\x97+15551230000\0", b"\x82+15551230000\0")),
        variant((b"\x84\xa3\x00", b"\xc5\x01\x02\x84\xa3\x00")),  # an unknown header
        variant((b"\x84\xa3\x00", b"\x84\x1b\xb3\x89application/smil\0\x8a<SMIL>\0\x00")),  # as mmsd-tng types it
    ],
)
async def test_nothing_is_validated_beyond_what_is_mandatory(mm1: Any, line: Any, caller: Any, pdu: bytes) -> None:
    await mm1(line)
    heard = await caller.ask(post(pdu))
    assert len(line.posted) == 1, heard.body
    assert line.posted[0].pdu == pdu


@pytest.mark.parametrize("size", [1_100_000, 1_258_291, 2_097_152])
async def test_bodies_up_to_2_mib_cross_unchanged(mm1: Any, line: Any, caller: Any, size: int) -> None:
    await mm1(line)
    pdu = large(size)
    assert len(pdu) == size
    assert (await caller.ask(post(pdu))).status == 200
    assert hashlib.sha256(line.posted[0].pdu).digest() == hashlib.sha256(pdu).digest()


async def test_a_body_is_the_same_in_one_piece_octet_by_octet_and_at_random_splits(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    line.will({"error": ConnectError("refused"), "body": None, "phase": Phase.OPEN})  # so that each POST is a new attempt
    dice = random.Random(7)
    request = post()
    cuts = [[*range(1, len(request))], *(sorted(dice.sample(range(1, len(request)), 5)) for _ in range(5))]
    for number, at in enumerate(cuts):
        pieces = [request[start:stop] for start, stop in zip([0, *at], [*at, len(request)], strict=True)]
        assert (await caller.ask(*pieces)).status == 502
        assert line.posted[number].pdu == SEND


async def test_expect_100_continue_is_answered_after_the_checks_and_before_the_body(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    wire = await caller.call()
    await wire.say(post(b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: %d" % len(SEND)))
    assert (await wire.hear()).status == 100
    heard = await (await wire.say(SEND)).hear()
    assert (heard.status, heard.body) == (200, SEND_CONF)


@pytest.mark.parametrize(
    ("fields", "target", "status"),
    [
        (("Expect: 100-continue", "Content-Length: 2097153"), "/", 413),
        (("Expect: 100-continue", "Content-Encoding: gzip", "Content-Length: 5"), "/", 415),
        (("Expect: 100-continue", "Origin: http://evil.example", "Content-Length: 5"), "/", 403),
        (("Expect: 100-continue", "Content-Length: 5"), "http://evil.example", 403),
        (("Expect: 200-ok", "Content-Length: 5"), "/", 417),
    ],
)
async def test_a_refused_expectation_gets_no_100(
    mm1: Any, line: Any, caller: Any, fields: tuple[str, ...], target: str, status: int
) -> None:
    await mm1(line)
    head = "\r\n".join((f"POST {target} HTTP/1.1", "Host: localhost", *fields)) + "\r\n\r\n"
    assert (await caller.ask(head.encode())).status == status
    assert not line.posted


async def test_http_1_0_is_closed_and_http_1_1_is_kept(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    wire = await caller.call()
    for _ in range(3):
        assert (await (await wire.say(post())).hear()).status == 200
    heard = await (await wire.say(post(SEND, "Connection: close"))).hear()
    assert heard.headers["connection"] == "close"
    assert await wire.is_closed()
    old = await caller.call()
    assert (await (await old.say(post(host=None, version="1.0"))).hear()).raw_head.startswith(b"HTTP/1.0 200 ")
    assert await old.is_closed()


async def test_pipelined_posts_are_answered_in_order(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    wire = await caller.call()
    await wire.say(post() + post(b"rubbish") + post())
    assert [(await wire.hear()).status for _ in range(3)] == [200, 400, 200]


async def test_a_client_that_closes_its_sending_side_is_answered(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    wire = await caller.call()
    await wire.say(post())
    wire.half_close()
    assert (await wire.hear()).body == SEND_CONF


# --- sections 1 and 4: what the door refuses -------------------------------------------------------------------------------------


METHODS = ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        *((method, target) for method in METHODS for target in ("/", "http://evil.example/", "http://mms.carrier.example")),
        ("OPTIONS", "*"),
        ("CONNECT", "evil.example:80"),
        ("CONNECT", "mms.carrier.example:80"),
    ],
)
async def test_other_methods_are_405(mm1: Any, line: Any, caller: Any, method: str, target: str) -> None:
    await mm1(line)
    wire = await caller.call()
    heard = await (await wire.say(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())).hear()
    assert (heard.status, heard.headers["allow"], heard.headers["connection"]) == (405, "GET, HEAD, POST", "close")
    await wire.try_to_say(b"\x16\x03\x01")  # no tunnel stands behind the answer
    assert await wire.is_closed()
    assert not line.posted


@pytest.mark.parametrize(("method", "target"), [("CONNECT", "/"), ("CONNECT", "http://evil.example/"), ("POST", "*"), ("POST", "a:80")])
async def test_a_target_that_does_not_fit_its_method_is_refused(mm1: Any, line: Any, caller: Any, method: str, target: str) -> None:
    await mm1(line)
    heard = await caller.ask(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    assert heard.status in (400, 405)  # the parser's word, or the gate's
    assert not line.posted


@pytest.mark.parametrize("target", ["/", "/mms/wapenc", "http://mms.carrier.example/unknown", "/favicon.ico"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_get_of_anything_is_404_without_a_welcome(mm1: Any, line: Any, caller: Any, target: str, method: str) -> None:
    await mm1(line)
    wire = await caller.call()
    heard = await (await wire.say(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())).hear(method=method)
    assert (heard.status, heard.headers["x-mmsproxy-origin"]) == (404, "gateway")
    assert heard.headers["content-type"].startswith("text/plain")
    assert int(heard.headers["content-length"]) > 0
    assert await wire.is_quiet()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(target="http://evil.example/", host="evil.example"), 403),
        (post(target="http://evil.example/", host="mms.carrier.example"), 403),
        (post(target="http://mms.carrier.example:81/"), 403),
        (post(target="https://mms.carrier.example/"), 403),
        (post(target="http://user:word@mms.carrier.example/"), 403),
        (post(target="http://mms.carrier.example@evil.example/"), 403),
        (post(target="http://127.0.0.1:1/"), 403),
        (post(target="http://mms.carrier.example/", host="evil.example"), 421),
        (post(host="evil.example"), 421),
        (post(host="localhost.evil.example"), 421),
        (post(SEND, "Origin: http://localhost"), 403),
        (post(SEND, "Referer: http://localhost/"), 403),
        (post(SEND, "Sec-Fetch-Site: cross-site"), 403),
        (post(SEND, "Content-Type: text/plain"), 403),
        (post(SEND, "Content-Type: application/x-www-form-urlencoded"), 403),
        (post(SEND, "Content-Type: multipart/form-data; boundary=b"), 403),
        (post(SEND, "Content-Encoding: gzip"), 415),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"POST /\xe9 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 400),
    ],
)
async def test_no_open_proxy_and_no_browsers(mm1: Any, line: Any, caller: Any, request_: bytes, status: int) -> None:
    await mm1(line)
    heard = await caller.ask(request_)
    assert (heard.status, heard.headers["x-mmsproxy-origin"]) == (status, "gateway")
    assert heard.headers["content-type"].startswith("text/plain")
    assert len(heard.body.splitlines()) == 1
    assert not line.posted


async def test_an_address_that_is_not_allowed_is_refused_and_closed(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line, allow=["192.0.2.0/24"])
    wire = await caller.call()
    heard = await (await wire.say(post())).hear()
    assert (heard.status, heard.headers["connection"]) == (403, "close")
    assert "mm1.allow" in heard.text
    assert await wire.is_closed()
    assert not line.posted


async def test_an_address_that_is_allowed_comes_in(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line, allow=["127.0.0.0/8"])
    assert (await caller.ask(post())).status == 200


async def test_the_targets_line_is_the_one_that_posts(mm1: Any, line: Any, caller: Any) -> None:
    other = type(line)("two", "http://other.example:8002/mms")
    await mm1(line, other, aliases=["mmsc"])
    await caller.ask(post(target="http://other.example:8002/"))
    assert (len(line.posted), len(other.posted)) == (0, 1)
    await caller.ask(post(FORWARD, target="http://mmsc/"))
    await caller.ask(post(large(100)))
    assert (len(line.posted), len(other.posted)) == (2, 1)


@pytest.mark.parametrize("by_length", [True, False])
async def test_one_octet_over_2_mib_is_413_in_text(mm1: Any, line: Any, caller: Any, by_length: bool) -> None:
    await mm1(line)
    pdu = large(2_097_153)
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire = await caller.call()
    await wire.try_to_say(post(pdu) if by_length else head + chunked(pdu, 65536))
    heard = await wire.hear()
    assert (heard.status, heard.text) == (413, "too large: at most 2097152 bytes")
    assert heard.headers["connection"] == "close"
    assert not line.posted


async def test_a_length_over_the_limit_is_refused_before_the_body(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    heard = await caller.ask(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
    assert heard.status == 413


async def test_a_slow_body_is_408_and_does_not_reach_the_line(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line, limits=Limits(body=0.2, linger=0.2))
    wire = await caller.call()
    heard = await (await wire.say(post()[:-5])).hear()
    assert (heard.status, heard.headers["connection"], heard.headers["x-mmsproxy-origin"]) == (408, "close", "gateway")
    assert await wire.is_closed()
    assert not line.posted


async def test_a_body_that_breaks_off_does_not_reach_the_line(mm1: Any, line: Any, caller: Any) -> None:
    door = await mm1(line)
    wire = await caller.call()
    await wire.say(post()[:-5])
    wire.hang_up()
    assert (await caller.ask(post())).status == 200
    while door.crowd.size > 1:
        await asyncio.sleep(0.01)
    assert len(line.posted) == 1


# --- section 5: the answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pdu", "status", "in_conf", "cause"),
    [
        (b"", 400, False, "the body is empty"),
        (b"text garbage", 400, False, "not an MMS PDU"),
        (b"\x00\xff" * 30, 400, False, "not an MMS PDU"),
        (b"<html></html>", 400, False, "not an MMS PDU"),
        (SEND[:5], 400, False, "malformed"),  # cut in the Transaction-ID
        (SEND[:-2], 400, True, "malformed"),
        (variant((b"\x84\xa3\x00", b"\x84\xa3\x01\x01\x50\x83cut")), 400, True, "malformed"),
        (variant((b"\x97+15551230000\0", b"")), 400, True, "no To or Cc or Bcc"),
        (variant((b"\x97+15551230000\0", b"\x97\0")), 400, True, "no To or Cc or Bcc"),
        (variant((b"\x89\x01\x81", b"")), 400, True, "no From"),
        (variant((b"\x84\xa3\x00", b"")), 400, True, "no Content-Type"),
        (variant((b"\x98T1\0", b"")), 400, False, "no X-Mms-Transaction-ID"),
        (FORWARD.replace(b"\x83http://mmsc/1\0", b""), 400, True, "no X-Mms-Content-Location"),
        (NOTIFY_RESP[:-2], 400, False, "no X-Mms-Status"),
        (SEND_CONF, 403, False, "m-send-conf is not taken: only an MMSC sends it"),
        (NOTIFICATION, 403, False, "m-notification-ind is not taken: only an MMSC sends it"),
        (bytes.fromhex("8c8b 98543100 8d92 83") + b"http://mmsc/1\0", 403, False, "m-mbox-store-req is not served here"),
        (bytes.fromhex("8cff 98543100 8d92"), 403, False, "PDU type 0xFF is not served here"),
    ],
)
async def test_what_is_no_pdu_for_us_is_refused_with_the_cause(
    mm1: Any, line: Any, caller: Any, pdu: bytes, status: int, in_conf: bool, cause: str
) -> None:
    await mm1(line)
    first, second = await caller.ask(post(pdu)), await caller.ask(post(pdu))
    assert (first.status, first.headers["x-mmsproxy-origin"]) == (status, "gateway")
    assert cause.encode() in first.body
    if in_conf:
        kind = 0x8A if pdu.startswith(FORWARD[:2]) else 0x81
        assert first.headers["content-type"] == MMS
        assert first.body.startswith(bytes((0x8C, kind)) + bytes.fromhex("98543100 8d92 92e2 93"))
    else:
        assert first.headers["content-type"] == "text/plain; charset=utf-8"
    assert second.body == first.body  # the stored 400 of section 6: the same PDU has the same answer
    assert not line.posted


async def test_an_own_answer_has_the_requests_version_and_transaction_id(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    heard = await caller.ask(post(bytes.fromhex("8c80 98303030303100 8d90 890181 84a300")))
    assert heard.body.startswith(bytes.fromhex("8c81 98303030303100 8d90 92e2 93"))


async def test_larger_than_the_carriers_limit_is_413_with_a_conf(mm1: Any, line: Any, caller: Any) -> None:
    line.max_size = 5000
    await mm1(line)
    assert (await caller.ask(post(large(5000)))).status == 200
    heard = await caller.ask(post(large(5001)))
    assert heard.status == 413
    assert heard.body.startswith(expected_conf(0xE0, "too large for the carrier: at most 5000 bytes")[:-1])
    assert len(line.posted) == 1


@pytest.mark.parametrize(
    "body",
    [
        SEND_CONF,
        SEND_CONF.replace(b"\x8d\x92", b"\x8d\x90"),  # another version than the request's
        bytes.fromhex("8c81 98543100 8d92 9280"),  # no Message-ID
        bytes.fromhex("8c81 98543100 8d92 c50102 9280 8b") + b"m1@mmsc\0" + b"X-Extra\0value\0",
        bytes.fromhex("8c81 98543100 8d92 9280 93") + b"t" * 60_000 + b"\0\x8bm1@mmsc\0",
        SEND_CONF.replace(b"T1", b"T2"),  # Ok with a foreign Tid: unknown, but the bytes go back
        refused_conf(0xE0, b"no credit"),
        refused_conf(0xC3),
        refused_conf(0xC4),
        refused_conf(0x84),
        refused_conf(0x81) + b"\x8bNone\0",
    ],
    ids=lambda body: body[:24].hex(),
)
async def test_the_carriers_m_send_conf_comes_back_byte_for_byte(mm1: Any, line: Any, caller: Any, body: bytes) -> None:
    line.will({"body": body})
    await mm1(line)
    heard = await caller.ask(post())
    assert (heard.status, heard.headers["content-type"]) == (200, MMS)
    assert hashlib.sha256(heard.body).digest() == hashlib.sha256(body).digest()
    assert "x-mmsproxy-origin" not in heard.headers


async def test_the_carriers_headers_come_back_but_for_those_of_the_hop(mm1: Any, line: Any, caller: Any) -> None:
    line.will(
        {
            "status": 500,  # a confirmation decides, whatever the HTTP status was
            "headers": (
                ("Content-Type", f"{MMS}; charset=x"),
                ("Server", "MMSC/1"),
                ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
                ("Set-Cookie", "a=b"),
                ("Connection", "close, X-Hop"),
                ("X-Hop", "1"),
                ("Transfer-Encoding", "chunked"),
                ("Content-Length", "7"),
                ("Pragma", "no-cache"),
                ("X-Odd", "gr\udcfc\udcdf"),
            ),
        }
    )
    await mm1(line)
    heard = await caller.ask(post())
    assert (heard.status, heard.body) == (200, SEND_CONF)
    assert heard.headers["content-type"] == f"{MMS}; charset=x"
    assert heard.headers["pragma"] == "no-cache"
    assert not {"server", "set-cookie", "connection", "x-hop", "transfer-encoding", "x-odd"} & heard.headers.keys()
    assert "1970" not in heard.headers["date"]


async def test_a_conf_without_content_type_gets_the_usual_one(mm1: Any, line: Any, caller: Any) -> None:
    line.will({"headers": ()})
    await mm1(line)
    assert (await caller.ask(post())).headers["content-type"] == MMS


@pytest.mark.parametrize(
    ("agent", "globs", "status"),
    [
        ("mms-app/2", ["mms-app/*"], 502),
        ("mms-app/2", ["other*", "*app*"], 502),
        ("mms-app/2", [], 200),
        ("Android MmsLib/1.0", ["mms-app/*"], 200),
    ],
)
async def test_a_rejection_can_be_an_http_error_for_some_user_agents(
    mm1: Any, line: Any, caller: Any, agent: str, globs: list[str], status: int
) -> None:
    line.will({"body": refused_conf(0xE3)})
    await mm1(line, rejected_as_http_error=globs)
    heard = await caller.ask(post(SEND, f"User-Agent: {agent}"))
    assert (heard.status, heard.body) == (status, refused_conf(0xE3))


HTML = {"body": b"<html>portal</html>", "headers": (("Content-Type", "text/html"),)}


@pytest.mark.parametrize(
    ("script", "status", "response_status", "retry_after"),
    [
        # the modem
        ({"body": None, "phase": Phase.NO_BEARER, "error": PortError("no modem")}, 503, 0xC3, True),
        ({"body": None, "phase": Phase.NO_BEARER, "error": RegistrationError("not registered")}, 503, 0xC3, True),
        ({"body": None, "phase": Phase.NO_BEARER, "error": BearerError("no PDP context")}, 503, 0xC3, True),
        ({"body": None, "phase": Phase.NO_BEARER, "error": SimError("no SIM")}, 503, 0xC3, True),
        ({"body": None, "phase": Phase.PART_OFFERED, "error": LinkLost("unplugged")}, 503, 0xC3, True),
        ({"body": None, "phase": Phase.NO_BEARER, "error": LineStopped("stopped")}, 503, 0xC3, True),
        # the way to the carrier
        ({"body": None, "phase": Phase.OPEN, "error": ConnectError("refused")}, 502, 0xC3, False),
        ({"body": None, "phase": Phase.PART_OFFERED, "error": PeerReset("reset")}, 502, 0xC3, False),
        # definitely refused without an M-Send.conf
        ({"status": 400, **HTML}, 502, 0xE0, False),
        ({"status": 401, **HTML}, 502, 0xE0, False),
        ({"status": 407, **HTML}, 502, 0xE0, False),
        ({"status": 413, "phase": Phase.PART_OFFERED, **HTML}, 502, 0xE0, False),
        ({"status": 301, **HTML}, 502, 0xC3, False),
        ({"status": 501, **HTML}, 502, 0xC3, False),
        ({"status": 505, **HTML}, 502, 0xC3, False),
        ({"status": 511, **HTML}, 502, 0xC3, False),
        ({"phase": Phase.PART_OFFERED}, 502, 0xC3, False),  # an Ok before the whole message left is no acceptance
        # not definitely refused: unknown
        ({"status": 200, **HTML}, 504, 0x86, False),
        ({"status": 200, "body": b""}, 504, 0x86, False),
        ({"status": 200, "body": SEND_CONF[:4]}, 504, 0x86, False),
        ({"status": 200, "body": NOTIFICATION}, 504, 0x86, False),
        ({"status": 500, **HTML}, 504, 0x86, False),
        ({"status": 503, **HTML}, 504, 0x86, False),
        ({"status": 408, **HTML}, 504, 0x86, False),
        ({"body": None, "phase": Phase.LAST_BYTE, "error": PeerReset("reset")}, 504, 0x86, False),
        ({"body": None, "phase": Phase.ALL_ACKED, "error": AnswerTimeout("silent")}, 504, 0x86, False),
        ({"body": None, "phase": Phase.LAST_BYTE, "error": LinkLost("unplugged")}, 504, 0x86, False),
        # faults of our own
        ({"body": None, "phase": Phase.OPEN, "error": MmsproxyError("bug")}, 500, 0xC3, False),
        ({"body": None, "phase": Phase.LAST_BYTE, "error": MmsproxyError("bug")}, 504, 0x86, False),
        ({"raises": HeaderError("no name of an HTTP header")}, 400, 0xE2, False),
        ({"raises": RuntimeError("bug")}, 500, 0xC3, False),
    ],
)
async def test_what_the_gateway_answers_itself(
    mm1: Any, line: Any, caller: Any, script: dict[str, Any], status: int, response_status: int, retry_after: bool
) -> None:
    line.will(script)
    await mm1(line)
    heard = await caller.ask(post())
    assert (heard.status, heard.headers["content-type"], heard.headers["x-mmsproxy-origin"]) == (status, MMS, "gateway")
    assert heard.body.startswith(bytes.fromhex("8c81 98543100 8d92 92") + bytes((response_status, 0x93)))
    text = heard.body[11:-1].decode("ascii")
    assert text.isprintable()
    assert f"[{(await mm1.message()).job.id}]" in text
    assert b"\x8b" not in heard.body
    assert ("retry-after" in heard.headers) == retry_after
    if retry_after:
        assert 5 <= int(heard.headers["retry-after"]) <= 60
    assert not {"set-cookie", "server", "location", "transfer-encoding", "content-encoding"} & heard.headers.keys()


async def test_a_carriers_4xx_is_named_in_the_text(mm1: Any, line: Any, caller: Any) -> None:
    line.will({"status": 407, **HTML})
    await mm1(line)
    assert b"HTTP 407" in (await caller.ask(post())).body


async def test_a_forward_req_is_answered_in_its_kind(mm1: Any, line: Any, caller: Any) -> None:
    conf = bytes.fromhex("8c8a 98543100 8d92 9280 8b") + b"m2@mmsc\0"
    line.will({"body": conf}, {"body": None, "phase": Phase.OPEN, "error": ConnectError("refused")})
    await mm1(line)
    heard = await caller.ask(post(FORWARD))
    assert (heard.status, heard.body) == (200, conf)
    assert line.posted[0].awaited is Awaited.FORWARD_CONF
    refused = await caller.ask(post(FORWARD.replace(b"/1", b"/2")))
    assert refused.body.startswith(bytes.fromhex("8c8a 98543100 8d92 92c3 93"))


async def test_a_fault_of_ours_after_the_last_byte_is_unknown(mm1: Any, line: Any, caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    line.will({"raises": RuntimeError("bug")})
    line.held_at = Phase.LAST_BYTE
    await mm1(line)
    heard = await caller.ask(post())
    assert (heard.status, heard.body[8:10]) == (504, b"\x92\x86")
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


async def test_a_queue_longer_than_the_client_waits_is_503_at_once(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    line.wait, line.queue_length = 20.5, 3
    heard = await caller.ask(post())
    assert (heard.status, heard.headers["retry-after"]) == (503, "21")
    assert heard.body.startswith(expected_conf(0xC3, "3 messages wait on line one")[:-1])
    assert not line.posted
    assert not (await mm1.store.page()).messages


@pytest.mark.parametrize("pdu", [NOTIFY_RESP, ACKNOWLEDGE, READ_REC], ids=["notifyresp", "acknowledge", "read-rec"])
async def test_responses_go_to_the_carrier_and_its_body_comes_back(mm1: Any, line: Any, caller: Any, pdu: bytes) -> None:
    line.will(
        {"body": b"Received", "headers": (("Content-Type", "text/plain"),)},
        {"body": b"", "headers": (), "status": 204},
        {"body": None, "phase": Phase.NO_BEARER, "error": PortError("no modem")},
        {"status": 500, **HTML},
        {"status": 404, **HTML},
    )
    await mm1(line)
    heard = await caller.ask(post(pdu))
    assert (heard.status, heard.body, heard.headers["content-type"]) == (200, b"Received", "text/plain")
    assert (line.posted[0].pdu, line.posted[0].awaited) == (pdu, Awaited.NOTHING)
    heard = await caller.ask(post(pdu))  # a carrier that notifies again wants its answer again
    assert (heard.status, heard.body, heard.headers["content-length"]) == (200, b"", "0")
    for status in (503, 504, 502):
        heard = await caller.ask(post(pdu))
        assert (heard.status, heard.headers["content-type"]) == (status, "text/plain; charset=utf-8")
        assert heard.headers["x-mmsproxy-origin"] == "gateway"
    assert len(line.posted) == 5


async def test_the_clients_headers_reach_the_line_as_they_came(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    request = post(SEND, "User-Agent: Android MmsLib/1.0", "x-wap-profile: \xabhttp://a/b\xbb", "X-VzW-MDN: 5551230000")
    await caller.ask(request)
    headers = dict(line.posted[0].headers)
    assert headers["X-VzW-MDN"] == "5551230000"
    assert headers["x-wap-profile"].encode("utf-8", "surrogateescape") == b"\xabhttp://a/b\xbb"


# --- sections 5.2 and 6: who waits, joins, hangs up --------------------------------------------------------------------------------


async def test_after_the_wait_an_unknown_is_504_and_the_attempt_goes_on(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line, client_wait=0.1)
    line.hold(Phase.LAST_BYTE)
    while not line.held:  # on a busy machine the last byte takes longer than this client's patience
        assert (await caller.ask(post())).status in (503, 504)
    for _ in range(2):
        heard = await caller.ask(post())
        assert (heard.status, heard.body[8:10], "retry-after" in heard.headers) == (504, b"\x92\x86", False)
    line.go.set()
    while (heard := await caller.ask(post())).status != 200:
        await asyncio.sleep(0.01)
    assert heard.body == SEND_CONF
    assert len(line.posted) == 1


@pytest.mark.parametrize("phase", [Phase.NO_BEARER, Phase.OPEN, Phase.PART_OFFERED])
async def test_after_the_wait_a_slow_line_is_503_and_the_same_post_joins(mm1: Any, line: Any, caller: Any, phase: Phase) -> None:
    await mm1(line, client_wait=0.1)
    line.hold(phase)
    while not line.held:
        assert (await caller.ask(post())).status == 503
    heard = await caller.ask(post())
    assert (heard.status, heard.body[8:10], heard.headers["retry-after"]) == (503, b"\x92\xc3", "5")
    line.go.set()
    while (heard := await caller.ask(post())).status != 200:
        assert heard.status in (503, 504)
    assert heard.body == SEND_CONF
    assert len(line.posted) == 1


async def test_fifty_identical_posts_at_once_are_one_attempt(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    line.hold(Phase.LAST_BYTE)
    asked = [asyncio.create_task(caller.ask(post())) for _ in range(50)]
    other = asyncio.create_task(caller.ask(post(large(100))))
    while not line.held:
        await asyncio.sleep(0.01)
    line.go.set()
    assert {heard.body for heard in await asyncio.gather(*asked, other)} == {SEND_CONF}
    assert len(line.posted) == 2
    assert len((await mm1.store.page()).messages) == 2


async def test_a_joined_attempt_is_not_refused_for_a_long_queue(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    assert (await caller.ask(post())).status == 200
    line.wait = 1000.0
    assert (await caller.ask(post())).status == 200
    assert (await caller.ask(post(large(100)))).status == 503


REPLAYED = [
    ({}, 200, False),
    ({"body": refused_conf(0xC4)}, 200, False),
    ({"body": refused_conf(0xE0)}, 200, False),
    ({"body": refused_conf(0x86)}, 200, False),
    ({"body": SEND_CONF.replace(b"T1", b"T2")}, 200, False),
    ({"status": 500, **HTML}, 504, False),
    ({"body": None, "phase": Phase.LAST_BYTE, "error": PeerReset("reset")}, 504, False),
    ({"body": refused_conf(0xC0)}, 200, True),
    ({"body": refused_conf(0xC3)}, 200, True),
    ({"status": 404, **HTML}, 502, True),
    ({"body": None, "phase": Phase.OPEN, "error": ConnectError("refused")}, 502, True),
    ({"body": None, "phase": Phase.NO_BEARER, "error": PortError("no modem")}, 503, True),
]


@pytest.mark.parametrize(("script", "status", "again"), REPLAYED)
async def test_what_an_identical_post_gets(mm1: Any, line: Any, caller: Any, script: dict[str, Any], status: int, again: bool) -> None:
    line.will(script, {"body": SEND_CONF + b"\x96new\0"})
    await mm1(line)
    first = await caller.ask(post())
    second = await caller.ask(post())
    assert first.status == status
    assert len(line.posted) == (2 if again else 1)
    if not again:
        assert (second.status, second.body) == (first.status, first.body)
    else:
        assert second.body == SEND_CONF + b"\x96new\0"


@pytest.mark.parametrize("reset", [True, False])
async def test_a_client_that_hangs_up_does_not_end_the_attempt(mm1: Any, line: Any, caller: Any, reset: bool) -> None:
    door = await mm1(line)
    line.hold(Phase.PART_OFFERED)
    wire = await caller.call()
    await wire.say(post())
    while not line.posted:
        await asyncio.sleep(0.01)
    wire.hang_up(reset=reset)
    while reset and door.crowd.size:
        await asyncio.sleep(0.01)
    line.go.set()
    assert (await caller.ask(post())).body == SEND_CONF
    assert len(line.posted) == 1


async def test_fifty_clients_at_once_are_answered_in_order_of_arrival(mm1: Any, line: Any, caller: Any) -> None:
    await mm1(line)
    line.hold(Phase.NO_BEARER)
    wires = []
    for number in range(50):
        wires.append(await caller.call())
        await wires[-1].say(post(large(60 + number)))
        while sum((await mm1.store.counts()).values()) <= number:
            await asyncio.sleep(0.001)
    line.go.set()
    assert {(await wire.hear()).status for wire in wires} == {200}
    assert [len(posted.pdu) for posted in line.posted] == [60 + number for number in range(50)]


async def test_the_door_serves_on_after_every_kind_of_bad_input(mm1: Any, line: Any, caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    await mm1(line)
    dice = random.Random(11)
    for _ in range(60):
        request = bytearray(post())
        for _ in range(dice.randrange(1, 4)):
            request[dice.randrange(len(request))] = dice.randrange(256)
        wire = await caller.call()
        await wire.try_to_say(bytes(request))
        wire.hang_up()
    assert (await caller.ask(post())).status == 200
    assert not [record for record in caplog.records if record.exc_info]


async def test_stop_answers_who_waits(mm1: Any, line: Any, caller: Any) -> None:
    door = await mm1(line)
    line.hold(Phase.NO_BEARER)
    wire = await caller.call()
    await wire.say(post())
    while not line.posted:
        await asyncio.sleep(0.01)
    stopping = asyncio.create_task(door.stop())
    line.stopped = True
    line.go.set()
    heard = await wire.hear()
    assert (heard.status, heard.body[8:10]) == (503, b"\x92\xc3")
    await stopping
    assert await wire.is_closed()


async def test_each_answer_is_one_log_line_with_the_cure(mm1: Any, line: Any, caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    await mm1(line)
    with caplog.at_level(logging.INFO, "mmsproxy.web"):
        await caller.ask(post(host="mms.other.example"))
        await caller.ask(post(b"rubbish"))
    foreign, rubbish = (record for record in caplog.records if record.message == "answered")
    assert (foreign.levelname, vars(foreign)["status"], vars(foreign)["peer"]) == ("WARNING", 421, "127.0.0.1")
    assert "mms.other.example" in vars(foreign)["cause"]
    assert "mm1.aliases" in vars(foreign)["cause"]
    assert (rubbish.levelname, vars(rubbish)["status"]) == ("INFO", 400)


async def test_a_fault_of_the_door_itself_is_500_and_it_serves_on(
    mm1: Any, line: Any, caller: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mm1(line)
    with monkeypatch.context() as patched:
        patched.setattr("mmsproxy.web.mm1.take_in", lambda *_, **__: 1 / 0)
        heard = await caller.ask(post())
    assert (heard.status, heard.text) == (500, "fault of the gateway; see its log")
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    assert (await caller.ask(post())).status == 200


# --- curl, as libcurl clients speak ------------------------------------------------------------------------------------------------


@pytest.fixture
def curl(caller: Any, tmp_path: Path) -> Any:
    if shutil.which("curl") is None:
        pytest.skip("not here: curl")

    async def run(pdu: bytes, *arguments: str, url: str = "") -> tuple[str, bytes]:
        source, sink = tmp_path / "in.pdu", tmp_path / "out.pdu"
        source.write_bytes(pdu)
        written = ("-sS", "--noproxy", "", "--data-binary", f"@{source}", "-H", f"Content-Type: {MMS}", "-o", str(sink))
        process = await asyncio.create_subprocess_exec(
            "curl",
            *written,
            "-w",
            "%{http_code}",
            *arguments,
            url or f"http://127.0.0.1:{caller.port}/mms",
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return out.decode(), sink.read_bytes()

    return run


@pytest.mark.parametrize(
    ("size", "arguments", "url"),
    [
        (31, (), ""),
        (1_200_000, (), ""),  # libcurl asks with Expect from 1 MB on
        (31, ("--http1.0",), ""),
        (31, ("--http2",), ""),  # offers an upgrade, which is not taken
        (31, ("-H", "Transfer-Encoding: chunked"), ""),
        (31, ("-x", "http://127.0.0.1:{port}"), "http://mms.carrier.example/mms/wapenc"),
        (1_200_000, ("-x", "http://127.0.0.1:{port}"), "http://mms.carrier.example"),
    ],
)
async def test_curl_gets_the_carriers_answer(
    mm1: Any, line: Any, caller: Any, curl: Any, size: int, arguments: tuple[str, ...], url: str
) -> None:
    await mm1(line)
    pdu = large(size) if size > 31 else SEND
    status, body = await curl(pdu, *(argument.format(port=caller.port) for argument in arguments), url=url)
    assert (status, body) == ("200", SEND_CONF)
    assert line.posted[0].pdu == pdu


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        (("-x", "http://127.0.0.1:{port}"), "http://evil.example/"),
        (("-x", "http://127.0.0.1:{port}", "--proxytunnel"), "http://mms.carrier.example/"),
        (("-H", "Host: evil.example"), ""),
    ],
)
async def test_curl_finds_no_open_proxy(
    mm1: Any, line: Any, caller: Any, curl: Any, arguments: tuple[str, ...], url: str, tmp_path: Path
) -> None:
    await mm1(line)
    (tmp_path / "out.pdu").write_bytes(b"")
    status, body = await curl(SEND, *(argument.format(port=caller.port) for argument in arguments), url=url)
    assert status in ("403", "421", "000")
    assert body != SEND_CONF
    assert not line.posted

"""The simulated carrier over real sockets: what real ones answer, and each way of answering badly."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mmsproxy.errors import ListenError
from mmsproxy.simulator.mmsc import ANSWERS, Answer, Early, Mmsc, Request, confirmation
from mmsproxy.wire import mms_pdu

SEND_REQ = bytes.fromhex("8c8098543100") + bytes.fromhex("8d9289018197") + b"+1/TYPE=PLMN\0" + bytes.fromhex("84a300")


@pytest.fixture
async def mmsc() -> AsyncIterator[Mmsc]:
    carrier = Mmsc()
    await carrier.start()
    yield carrier
    await carrier.stop()
    await carrier.stop()


async def talk(mmsc: Mmsc, request: bytes, *, then: bytes = b"") -> bytes:
    """All that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mmsc.port)
    got = b""
    try:
        writer.write(request)
        await writer.drain()
        if then:
            await asyncio.sleep(0.02)
            writer.write(then)
        got = await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        got = b"RESET"
    finally:
        writer.close()
    return got


def post(body: bytes = SEND_REQ, target: str = "/", version: str = "1.1", extra: str = "") -> bytes:
    head = f"POST {target} HTTP/{version}\r\nHost: mmsc\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{extra}\r\n"
    return head.encode() + body


def body_of(answer: bytes) -> bytes:
    return answer.split(b"\r\n\r\n", 1)[1]


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("target", ["/", "/mms/wapenc?x=1", "http://mmsc/absolute@1/form", "http://mmsc"])
async def test_any_target_is_taken_and_kept_as_it_was(mmsc: Mmsc, target: str) -> None:
    answer = await talk(mmsc, post(target=target, extra="X-B: 2\r\nx-a: 1\r\nX-B: 3\r\n"))
    digest = hashlib.sha256(SEND_REQ).hexdigest()
    assert status(answer) == 200
    assert b"Content-Type: application/vnd.wap.mms-message\r\n" in answer
    message_id = f"000001-{digest[:12]}@mmsc.simulator".encode()
    assert body_of(answer) == b"\x8c\x81\x98T1\0\x8d\x92\x92\x80\x8b" + message_id + b"\0"
    request = mmsc.requests[0]
    assert (request.method, request.target, request.body, request.sha256) == ("POST", target, SEND_REQ, digest)
    assert request.headers[-3:] == (("X-B", "2"), ("x-a", "1"), ("X-B", "3"))
    assert isinstance(request.pdu, mms_pdu.SendReq)
    assert (request.header("host"), request.header("none")) == ("mmsc", None)


async def test_http_1_0_and_chunks(mmsc: Mmsc) -> None:
    assert status(await talk(mmsc, post(version="1.0"))) == 200
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunks = b"".join(b"%x\r\n" % len(part) + part + b"\r\n" for part in (SEND_REQ[:7], SEND_REQ[7:])) + b"0\r\n\r\n"
    assert status(await talk(mmsc, head + chunks)) == 200
    assert [request.body for request in mmsc.requests] == [SEND_REQ, SEND_REQ]


async def test_expect_gets_no_100(mmsc: Mmsc) -> None:
    assert (await talk(mmsc, post(extra="Expect: 100-continue\r\n"))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("answer", "wanted", "body"),
    [
        ("e0", 200, b"\x8c\x81\x98T1\0\x8d\x92\x92\xe0\x93Refused by the simulated carrier\0"),
        ("c0", 200, b"\x8c\x81\x98T1\0\x8d\x92\x92\xc0\x93Try again later\0"),
        ("html", 200, b"<html><body><h1>Top up your account</h1></body></html>"),
        ("empty", 200, b""),
        ("500", 500, b"Internal Server Error"),
    ],
)
async def test_answers_that_refuse(mmsc: Mmsc, answer: str, wanted: int, body: bytes) -> None:
    mmsc.answer = answer
    got = await talk(mmsc, post())
    assert (status(got), body_of(got)) == (wanted, body)
    assert mmsc.accepted == 0
    assert answer in ANSWERS


async def test_drop_and_reset_before_the_body(mmsc: Mmsc) -> None:
    mmsc.answer = "drop"
    assert await talk(mmsc, post()) in (b"", b"RESET")
    assert len(mmsc.requests) == 1
    mmsc.early = Early()
    assert await talk(mmsc, post()[:-5], then=SEND_REQ[-5:]) in (b"", b"RESET")
    assert len(mmsc.requests) == 1


async def test_slow_comes_in_pieces(mmsc: Mmsc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.simulator.mmsc.SLOW_SECONDS", 0.1)
    mmsc.answer = "slow"
    assert body_of(await talk(mmsc, post())).startswith(b"\x8c\x81\x98T1\0")


async def test_an_early_413_comes_before_the_body(mmsc: Mmsc) -> None:
    mmsc.early = Early(Answer(413, b"too large", (("Content-Type", "text/plain"),)))
    answer = await talk(mmsc, post(bytes(500_000))[:1000])
    assert (status(answer), body_of(answer), len(mmsc.requests)) == (413, b"too large", 0)


async def test_a_hook_answers_anything(mmsc: Mmsc) -> None:
    odd = confirmation(0x81, b"T1", 0x80, version=0x93) + b"\xc5unknown\0" + bytes(65536)
    mmsc.hook = lambda request: Answer(202, odd, (("X-Odd", "a"), ("X-Odd", "b"))) if len(request.body) > 5 else None
    answer = await talk(mmsc, post())
    assert (status(answer), body_of(answer)) == (202, odd)
    assert b"X-Odd: a\r\nX-Odd: b\r\n" in answer
    assert status(await talk(mmsc, post(b"x"))) == 400


@pytest.mark.parametrize(
    ("body", "wanted", "text"),
    [
        (b"garbage", 400, b"Malformed MMS message"),
        (SEND_REQ[:9], 400, b"Malformed MMS message"),
        (b"\x8c\x81\x98T1\0\x8d\x92\x92\x80", 403, b"Unexpected MMS message type"),
        (b"\x8c\x83\x98T1\0\x8d\x92\x95\x81", 200, b"Received"),
        (b"\x8c\x85\x98T1\0\x8d\x92", 200, b"Received"),
    ],
)
async def test_what_is_no_m_send_req(mmsc: Mmsc, body: bytes, wanted: int, text: bytes) -> None:
    answer = await talk(mmsc, post(body))
    assert (status(answer), body_of(answer)[: len(text)]) == (wanted, text)
    assert b"Content-Type: text/plain" in answer


async def test_a_body_beyond_all_limits_is_not_kept(mmsc: Mmsc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsproxy.simulator.mmsc.MAX_BODY", 1000)
    assert status(await talk(mmsc, post(bytes(1001)))) == 413
    assert len(mmsc.requests) == 0


async def test_accepted_messages_are_stored_as_files(tmp_path: Path) -> None:
    carrier = Mmsc(store=tmp_path / "box", keep=1)
    await carrier.start()
    for _ in range(2):
        await talk(carrier, post())
    await carrier.stop()
    stored = sorted((tmp_path / "box").iterdir())
    assert [path.name[:7] for path in stored] == ["000001-", "000002-"]
    assert [path.read_bytes() for path in stored] == [SEND_REQ, SEND_REQ]
    assert len(carrier.requests) == 1


async def test_an_address_in_use_is_told(mmsc: Mmsc) -> None:
    with pytest.raises(ListenError, match="cannot listen on 127"):
        await Mmsc().start("127.0.0.1", mmsc.port)


async def test_a_silent_carrier_does_not_hold_its_own_end_up() -> None:
    carrier = Mmsc(hook=lambda request: Answer(seconds=3600))
    await carrier.start()
    with socket.create_connection(("127.0.0.1", carrier.port)) as client:
        client.sendall(post())
        while not carrier.requests:
            await asyncio.sleep(0.005)
        await asyncio.wait_for(carrier.stop(), 5)


def test_the_octets_of_a_confirmation() -> None:
    octets = confirmation(0x81, b"T9", 0xE1, message_id=b"id", text=b"no", version=0x90)
    assert octets.hex(" ") == "8c 81 98 54 39 00 8d 90 92 e1 93 6e 6f 00 8b 69 64 00"
    assert Request("GET", "/", (), b"").sha256 == hashlib.sha256(b"").hexdigest()

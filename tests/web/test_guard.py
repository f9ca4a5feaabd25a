"""The slow-client guard and the limits, over real sockets. It uses aiohttp's inside, so these tests pin what it needs of it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from mmsproxy.errors import ListenError
from mmsproxy.web.guard import BodyFault, Crowd, Door, Limits, open_door, quiet, read_body

HASTY = Limits(header=0.2, body=0.3, body_rate=1000, keepalive=0.5, linger=0.3, max_body=5000)
Open = Callable[[Limits], Awaitable[Door]]


class EchoRequest(web.BaseRequest):
    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        quiet(response)


def _server(limits: Limits) -> web.Server:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body = await read_body(request, limits)
        if isinstance(body, BodyFault):
            response = web.Response(status=499, text=body.name)
            response.force_close()
            return response
        return web.Response(body=body or b"-")

    def request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return EchoRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())

    return web.Server(handle, request_factory=request)


@pytest.fixture
async def door(caller: Any) -> AsyncIterator[Open]:
    doors: list[Door] = []

    async def opened(limits: Limits) -> Door:
        runner = web.ServerRunner(_server(limits), shutdown_timeout=1.0)
        doors.append(await open_door(runner, "127.0.0.1", 0, key="mm1.listen", limits=limits))
        caller.port = doors[-1].port
        return doors[-1]

    yield opened
    caller.close()
    for one in doors:
        await one.stop()


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def test_a_good_request_is_answered_and_the_connection_kept(door: Open, caller: Any) -> None:
    await door(HASTY)
    wire = await caller.call()
    for _ in range(3):
        heard = await (await wire.say(POST + b"Content-Length: 2\r\n\r\nhi")).hear()
        assert (heard.status, heard.body) == (200, b"hi")
        assert "server" not in heard.headers


@pytest.mark.parametrize("begin", [b"P", b"POST / HTTP/1.1", POST, POST + b"Content-Length: 2\r\n"])
async def test_half_a_header_is_cut_with_408(door: Open, caller: Any, begin: bytes) -> None:
    await door(HASTY)
    wire = await caller.call()
    heard = await (await wire.say(begin)).hear()
    assert (heard.status, heard.headers["x-mmsproxy-origin"], heard.headers["connection"]) == (408, "gateway", "close")
    assert await wire.is_closed()


async def test_a_header_that_trickles_is_cut_all_the_same(door: Open, caller: Any) -> None:
    opened = await door(HASTY)
    wire = await caller.call()
    octets = iter(POST * 1000)
    while opened.crowd.size or not wire.said:
        await wire.try_to_say(bytes((next(octets),)))
        await asyncio.sleep(0.02)
    assert wire.said < len(POST)


async def test_a_connection_that_says_nothing_is_closed(door: Open, caller: Any) -> None:
    await door(HASTY)
    assert await (await caller.call()).is_closed()


async def test_half_a_header_on_a_kept_connection_is_cut_too(door: Open, caller: Any) -> None:
    await door(HASTY)
    wire = await caller.call()
    assert (await (await wire.say(POST + b"Content-Length: 2\r\n\r\nhi")).hear()).status == 200
    assert (await (await wire.say(b"POST / HT")).hear()).status == 408
    assert await wire.is_closed()


async def test_half_a_header_behind_a_request_is_closed_with_the_keep_alive(door: Open, caller: Any) -> None:
    await door(HASTY)
    wire = await caller.call()
    assert (await (await wire.say(POST + b"Content-Length: 2\r\n\r\nhiPOST / HT")).hear()).status == 200
    assert await wire.is_closed()


async def test_an_idle_connection_is_closed_after_the_keep_alive(door: Open, caller: Any) -> None:
    await door(HASTY)
    wire = await caller.call()
    assert (await (await wire.say(POST + b"Content-Length: 2\r\n\r\nhi")).hear()).status == 200
    assert await wire.is_closed()


@pytest.mark.parametrize(
    "begin", [POST + b"Content-Length: 20\r\n\r\nhalf", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"], ids=["length", "chunked"]
)
async def test_half_a_body_is_cut(door: Open, caller: Any, begin: bytes) -> None:
    await door(HASTY)
    wire = await caller.call()
    heard = await (await wire.say(begin)).hear()
    assert (heard.status, heard.text) == (499, "TOO_SLOW")
    assert await wire.is_closed()


async def test_a_body_that_keeps_the_rate_may_take_longer_than_the_deadline(door: Open, caller: Any) -> None:
    await door(replace(HASTY, body=0.1, body_rate=500))
    wire = await caller.call()
    await wire.say(POST + b"Content-Length: 2000\r\n\r\n")
    for _ in range(4):
        await wire.say(b"x" * 500)
        await asyncio.sleep(0.06)
    assert len((await wire.hear()).body) == 2000


async def test_a_body_below_the_rate_is_cut(door: Open, caller: Any) -> None:
    await door(HASTY)
    wire = await caller.call()
    await wire.say(POST + b"Content-Length: 2000\r\n\r\n")
    while await wire.is_quiet(0.02):
        await wire.try_to_say(b"x")
    assert wire.said < 1000


@pytest.mark.parametrize(("size", "status"), [(5000, 200), (5001, 499)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_counted_whatever_its_framing(door: Open, caller: Any, size: int, status: int, chunked: bool) -> None:
    await door(HASTY)
    body = b"x" * size
    if chunked:
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[at : at + 700] for at in range(0, size, 700)))
        heard = await caller.ask(POST + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
    else:
        heard = await caller.ask(POST + b"Content-Length: %d\r\n\r\n" % size + body)
    assert heard.status == status
    assert heard.body in (body, b"TOO_LARGE")


async def test_a_gzip_body_is_not_inflated(door: Open, caller: Any) -> None:
    await door(HASTY)
    heard = await caller.ask(POST + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")
    assert heard.body == b"\x1f\x8b\x08\x00"


@pytest.mark.parametrize("bad", [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n"])
async def test_bad_framing_of_a_body_is_no_traceback(door: Open, caller: Any, caplog: pytest.LogCaptureFixture, bad: bytes) -> None:
    opened = await door(HASTY)
    wire = await caller.call()
    with caplog.at_level(logging.DEBUG):
        await wire.say(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        await wire.say(bad)
        assert (await wire.hear()).status in (400, 499)
        while opened.crowd.size:
            await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING]


BAD_HTTP = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "AT command": b"AT+CGMM\r\n\r\n",
    "no Host": b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two Hosts": b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
    "length and chunked": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a bad length": POST + b"Content-Length: +3\r\n\r\nabc",
    "bare LF": b"POST / HTTP/1.1\nHost: a\n\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an endless line": b"POST /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "an endless field": POST + b"X: " + b"a" * 9000 + b"\r\n\r\n",
    "too many fields": POST + b"".join(b"X%d: a\r\n" % number for number in range(300)) + b"\r\n",
}


@pytest.mark.parametrize("data", BAD_HTTP.values(), ids=BAD_HTTP.keys())
async def test_bad_http_is_one_line_to_both(door: Open, caller: Any, caplog: pytest.LogCaptureFixture, data: bytes) -> None:
    await door(HASTY)
    wire = await caller.call()
    with caplog.at_level(logging.DEBUG):
        heard = await (await wire.say(data)).hear()
        assert await wire.is_closed()
    assert (heard.status, heard.text) == (400, "not a well-formed HTTP request")
    assert heard.headers["x-mmsproxy-origin"] == "gateway"
    assert "server" not in heard.headers
    records = [record for record in caplog.records if record.name.startswith("mmsproxy")]
    assert [record.levelname for record in records] == ["INFO"]
    assert "\n" not in records[0].getMessage()
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_client_that_closes_its_sending_side_is_answered(door: Open, caller: Any) -> None:
    await door(HASTY)
    wire = await caller.call()
    await wire.say(POST + b"Content-Length: 2\r\n\r\nhi")
    wire.half_close()
    assert (await wire.hear()).body == b"hi"
    assert await wire.is_closed()


async def test_a_client_that_closes_in_the_middle_of_its_body_is_let_go(door: Open, caller: Any) -> None:
    opened = await door(HASTY)
    wire = await caller.call()
    await wire.say(POST + b"Content-Length: 9\r\n\r\nhi")
    wire.half_close()
    assert await wire.is_closed()
    assert opened.crowd.size == 0


async def test_too_many_connections_of_one_address_are_turned_away(door: Open, caller: Any) -> None:
    opened = await door(replace(HASTY, header=20, keepalive=20, per_address=3))
    held = [await caller.call() for _ in range(3)]
    while opened.crowd.size < 3:
        await asyncio.sleep(0.01)
    heard = await (await caller.call()).hear()
    assert (heard.status, heard.headers["retry-after"]) == (503, "5")
    held[0].hang_up()
    while opened.crowd.size > 2:
        await asyncio.sleep(0.01)
    assert (await caller.ask(POST + b"Content-Length: 2\r\n\r\nhi")).status == 200


def test_the_crowd_is_counted_by_address_and_in_all() -> None:
    crowd = Crowd(Limits(per_address=2, connections=3))
    assert [crowd.enter(address) for address in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    crowd.leave("a")
    assert (crowd.size, crowd.enter("c")) == (2, True)


async def test_half_open_clients_do_not_harm_a_good_one(door: Open, caller: Any) -> None:
    await door(replace(HASTY, header=20, keepalive=20, body=20, per_address=500))
    for begin in (b"", b"PO", POST, POST + b"Content-Length: 9\r\n\r\nx") * 50:
        await (await caller.call()).say(begin)
    assert (await caller.ask(POST + b"Content-Length: 2\r\n\r\nhi")).status == 200


async def test_an_answer_that_nobody_reads_does_not_hold_the_connection_for_ever(door: Open, caller: Any) -> None:
    opened = await door(HASTY)
    await caller.call()
    while not opened.crowd.size:
        await asyncio.sleep(0.01)
    (handler,) = opened._runner.server.connections  # type: ignore[union-attr]
    assert handler.transport is not None
    sock = handler.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


async def test_an_error_of_ours_is_logged_and_answered_in_one_line(caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        raise RuntimeError("secret")

    opened = await open_door(web.ServerRunner(web.Server(handle)), "127.0.0.1", 0, key="x", limits=HASTY)
    caller.port = opened.port
    heard = await caller.ask(POST + b"Content-Length: 0\r\n\r\n")
    assert (heard.status, heard.text) == (500, "internal error")
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    await opened.stop()


async def test_stop_closes_what_is_open_and_frees_the_port(door: Open, caller: Any) -> None:
    opened = await door(replace(HASTY, header=20, keepalive=20))
    port = opened.port
    wire = await caller.call()
    await asyncio.gather(opened.stop(), opened.stop())
    assert await wire.is_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_in_use_is_one_line_with_the_cure(door: Open) -> None:
    opened = await door(HASTY)
    with pytest.raises(ListenError) as caught:
        await open_door(web.ServerRunner(_server(HASTY)), "127.0.0.1", opened.port, key="mm1.listen", limits=HASTY)
    assert str(caught.value).startswith(f"mm1.listen 127.0.0.1:{opened.port} cannot be opened: ")
    assert "mm1.listen" in caught.value.cure

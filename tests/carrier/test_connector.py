"""aiohttp over the link: the contract with aiohttp's private names, one connection at a time, TLS, and giving up."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_writer import StreamWriter
from multidict import CIMultiDict

from mmsproxy.carrier.connector import ModemConnector
from mmsproxy.carrier.transport import LinkGate, ModemTransport, NobodyWatches
from mmsproxy.errors import BearerError, ConnectError, LinkLost, PeerReset

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def post(link: Any, url: str = "http://mmsc.example/x", **options: Any) -> bytes:
    async with aiohttp.ClientSession(connector=ModemConnector(link, **options)) as session:
        async with session.post(url, data=b"hello") as response:
            return await response.read()


async def free(gate: LinkGate) -> None:
    await gate.take()
    gate.give_back()


# The private names of aiohttp and asyncio that this room stands on: a release that changes one fails here, not at a carrier.


def test_aiohttp_still_has_what_the_connector_overrides_and_uses() -> None:
    assert list(inspect.signature(aiohttp.BaseConnector._create_connection).parameters) == ["self", "req", "traces", "timeout"]
    source = inspect.getsource(aiohttp.BaseConnector)
    assert "await self._create_connection(req, traces, timeout)" in source
    assert "self._factory = functools.partial(ResponseHandler" in source
    assert "if self._force_close or should_close or protocol.should_close" in source


async def test_the_base_class_has_the_attributes(link: Any) -> None:
    connector = ModemConnector(link)
    assert isinstance(connector._factory(), ResponseHandler)
    assert connector.force_close is True
    assert connector._force_close is True
    assert connector.limit == 1
    await connector.close()


def test_asyncio_still_asks_for_the_names_of_a_foreign_transport() -> None:
    assert ModemTransport._start_tls_compatible is True
    assert "'_start_tls_compatible'" in inspect.getsource(asyncio.BaseEventLoop.start_tls)
    assert "._transport._force_close(" in inspect.getsource(asyncio.sslproto.SSLProtocol)
    assert callable(ModemTransport._force_close)


async def test_the_writer_still_buffers_the_head_under_its_name() -> None:
    writer = StreamWriter(ResponseHandler(asyncio.get_running_loop()), asyncio.get_running_loop())
    await writer.write_headers("POST / HTTP/1.1", CIMultiDict({"A": "b"}))
    assert writer._headers_buf == b"POST / HTTP/1.1\r\nA: b\r\n\r\n"
    assert callable(writer.send_headers)


async def test_a_request_goes_through_the_links_stream(link: Any, mmsc: Any) -> None:
    mmsc.act = mmsc.answers(OK)
    assert await post(link) == b"ok"
    assert link.opened == [("mmsc.example", 80)]
    assert mmsc.last.body == b"hello"
    assert mmsc.last.all("Connection") == [b"close"]


async def test_ten_at_once_are_served_one_by_one(link: Any, mmsc: Any) -> None:
    link.faults.close_delay = 0.002
    mmsc.act = mmsc.answers(OK)
    gate = LinkGate()
    assert await asyncio.gather(*(post(link, gate=gate) for _ in range(10))) == [b"ok"] * 10
    await free(gate)
    assert link.log == ["opened", "closed"] * 10


async def test_ten_at_once_over_one_connector(link: Any, mmsc: Any) -> None:
    mmsc.act = mmsc.answers(OK)
    async with aiohttp.ClientSession(connector=ModemConnector(link)) as session:

        async def one(host: str) -> bytes:
            async with session.post(f"http://{host}/", data=b"x") as response:
                return await response.read()

        assert await asyncio.gather(*(one(f"host{number % 3}") for number in range(10))) == [b"ok"] * 10
    assert link.log[:18] == ["opened", "closed"] * 9


@pytest.mark.parametrize("error", [BearerError("no bearer"), LinkLost("gone"), ConnectError("refused")])
async def test_a_links_error_comes_as_it_is_and_leaves_the_link_free(link: Any, mmsc: Any, error: Exception) -> None:
    gate = LinkGate()
    (link.faults.open if isinstance(error, ConnectError) else link.faults.ready).append(error)
    with pytest.raises(type(error)) as caught:
        await post(link, gate=gate)
    assert caught.value is error
    assert not gate.locked
    mmsc.act = mmsc.answers(OK)
    assert await post(link, gate=gate) == b"ok"


@pytest.mark.parametrize("fault", ["never_ready", "never_open"])
async def test_who_gives_up_waiting_leaves_the_link_free(link: Any, mmsc: Any, fault: str) -> None:
    gate = LinkGate()
    setattr(link.faults, fault, True)
    waiting = asyncio.ensure_future(post(link, gate=gate))
    await asyncio.sleep(0.01)
    assert gate.locked
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    setattr(link.faults, fault, False)
    mmsc.act = mmsc.answers(OK)
    assert await post(link, gate=gate) == b"ok"


async def test_a_stream_that_opens_after_its_wanter_gave_up_is_closed(link: Any, mmsc: Any) -> None:
    """A link that does not let itself be interrupted while it opens."""
    gate, going_on = LinkGate(), asyncio.Event()
    open_now = link.open

    async def stubborn(host: str, port: int) -> Any:
        try:
            await going_on.wait()
        except asyncio.CancelledError:
            await going_on.wait()
        return await open_now(host, port)

    link.open = stubborn
    waiting = asyncio.ensure_future(post(link, gate=gate))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert gate.locked
    going_on.set()
    await free(gate)
    assert link.log == ["opened", "closed"]
    assert link.in_use == 0


async def test_through_a_proxy_tcp_goes_to_the_proxy(link: Any, mmsc: Any) -> None:
    mmsc.act = mmsc.answers(OK)
    async with aiohttp.ClientSession(connector=ModemConnector(link)) as session:
        async with session.post("http://mmsc/x", data=b"x", proxy="http://10.1.2.3:8799") as response:
            await response.read()
    assert link.opened == [("10.1.2.3", 8799)]
    assert mmsc.last.request_line == "POST http://mmsc/x HTTP/1.1"


async def test_tls_with_a_certificate_that_nobody_trusts_is_refused(secure_mmsc: Any, make: SimpleNamespace) -> None:
    link, gate = make.link(secure_mmsc.port), LinkGate()
    with pytest.raises(ConnectError) as caught:
        await post(link, "https://mmsc.example/x", gate=gate)
    assert "certificate of mmsc.example was refused" in str(caught.value)
    await free(gate)
    assert secure_mmsc.served == []
    assert link.in_use == 0


async def test_tls_with_a_trusted_certificate(secure_mmsc: Any, make: SimpleNamespace, certificate: Path) -> None:
    secure_mmsc.act = secure_mmsc.answers(OK)
    link, gate = make.link(secure_mmsc.port), LinkGate()
    trust = ssl.create_default_context(cafile=certificate)
    assert await post(link, "https://mmsc.example/x", ssl_context=trust, gate=gate) == b"ok"
    assert secure_mmsc.last.body == b"hello"
    assert link.opened == [("mmsc.example", 443)]
    await free(gate)


async def test_tls_with_a_name_that_is_not_the_certificates(secure_mmsc: Any, make: SimpleNamespace, certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    gate = LinkGate()
    with pytest.raises(ConnectError):
        await post(make.link(secure_mmsc.port), "https://other.example/x", ssl_context=trust, gate=gate)
    await free(gate)


async def test_tls_with_one_that_speaks_none(make: SimpleNamespace) -> None:
    async def shut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(shut, "127.0.0.1", 0)
    link, gate = make.link(server.sockets[0].getsockname()[1]), LinkGate()
    with pytest.raises((ConnectError, LinkLost)):
        await post(link, "https://mmsc.example/x", gate=gate)
    await free(gate)
    server.close()


async def test_a_link_lost_during_the_handshake(secure_mmsc: Any, make: SimpleNamespace) -> None:
    link, gate = make.link(secure_mmsc.port), LinkGate()
    link.faults.lost_after = 40
    with pytest.raises(LinkLost) as caught:
        await post(link, "https://mmsc.example/x", gate=gate)
    assert caught.value is link.faults.error
    await free(gate)


async def test_a_connection_ended_by_us_during_the_handshake(secure_mmsc: Any, make: SimpleNamespace) -> None:
    class Impatient(NobodyWatches):
        def connection_open(self, transport: ModemTransport) -> None:
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, transport.abort)

    link, gate = make.link(secure_mmsc.port), LinkGate()
    with pytest.raises(PeerReset):
        await post(link, "https://mmsc.example/x", gate=gate, observer=Impatient())
    await free(gate)

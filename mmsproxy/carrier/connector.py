"""aiohttp's client over a link: the connector that opens a stream, with TLS where the MMSC wants it.

Laws: one connection per request, never one kept for later; who gave up waiting for a connection leaves the link free all the same.
It knows no MMS and no time limits; what a connection does once it is open is the transport's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp

from mmsproxy.carrier.transport import LINK_FAULTS, LinkGate, ModemTransport, NobodyWatches, Observer
from mmsproxy.errors import ConnectError, MmsproxyError, PeerReset

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

    from mmsproxy.link import Link, Stream


class ModemConnector(aiohttp.BaseConnector):
    """Connects through a link. Connectors that share a gate share its link, one connection at a time.

    ssl_context  for an https MMSC; the system's trust when None
    """

    def __init__(
        self, link: Link, *, gate: LinkGate | None = None, observer: Observer | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        # limit counts connections in use only: an idle one to host A would block the one physical socket for host B, hence force_close.
        super().__init__(force_close=True, limit=1)
        self._link = link
        self._gate = gate or LinkGate()
        self._observer = observer or NobodyWatches()
        self._ssl_context = ssl_context

    async def _create_connection(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> ResponseHandler:
        """Raises LinkError or ConnectError."""
        context = await self._trust() if req.is_ssl() else None
        host, port = _peer(req)
        stream = await self._open(host, port)
        protocol = self._factory()
        transport = ModemTransport(stream, protocol, peer=(host, port), gate=self._gate, observer=self._observer)
        self._observer.connection_open(transport)
        protocol.connection_made(transport if context is None else await self._start_tls(transport, protocol, req, context))
        return protocol

    async def _open(self, host: str, port: int) -> Stream:
        self._observer.bearer_wanted()
        await self._gate.take()
        opening = asyncio.get_running_loop().create_task(self._ready_and_open(host, port))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.cancel()
            self._gate.keep(self._abandon(opening))
            raise
        except BaseException:
            self._gate.give_back()
            raise

    async def _ready_and_open(self, host: str, port: int) -> Stream:
        await self._link.ready()
        self._observer.connection_wanted()
        return await self._link.open(host, port)

    async def _abandon(self, opening: asyncio.Task[Stream]) -> None:
        """Nobody wants the stream any more, but the link is free only when it is closed again."""
        try:
            stream = await opening
        except (asyncio.CancelledError, MmsproxyError):
            return
        else:
            await stream.close()
        finally:
            self._gate.give_back()

    async def _start_tls(
        self, transport: ModemTransport, protocol: ResponseHandler, req: ClientRequest, context: ssl.SSLContext
    ) -> asyncio.Transport:
        host = req.server_hostname or req.host
        try:
            secured = await self._loop.start_tls(transport, protocol, context, server_hostname=host)
        except LINK_FAULTS:
            raise
        except ssl.SSLCertVerificationError as error:
            cure = "the carrier's https address is wrong, or its certificate is not one that this machine trusts"
            raise ConnectError(f"the certificate of {host} was refused: {error.verify_message}", cure=cure) from error
        except OSError as error:
            raise ConnectError(f"no TLS with {host}: {error}") from error
        if secured is None:
            raise PeerReset(f"{host} closed the connection during the TLS handshake")
        return secured

    async def _trust(self) -> ssl.SSLContext:
        """The connector's own, whatever the request asks for: nobody can switch the check off for one request."""
        if self._ssl_context is None:
            self._ssl_context = await asyncio.to_thread(ssl.create_default_context)  # reads files: not in the loop
        return self._ssl_context


def _peer(req: ClientRequest) -> tuple[str, int]:
    """Where the TCP connection goes: to the MMS proxy when there is one."""
    url = req.proxy or req.url
    assert url.raw_host is not None
    assert url.port is not None
    return url.raw_host, url.port


ConnectorFactory = Callable[[Observer], aiohttp.BaseConnector]

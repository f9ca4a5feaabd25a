"""Raw HTTP over real sockets, for what no well-behaved client library would send."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

HANG_GUARD = 20.0  # seconds; no test waits this long unless something hangs


@dataclass(frozen=True, slots=True)
class Heard:
    """One HTTP answer as it came. Header names in lower case; `raw_head` keeps what was written."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw_head: bytes

    @property
    def text(self) -> str:
        return self.body.decode("ascii").strip()


class Wire:
    """One TCP connection to a door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.said = 0  # octets

    async def try_to_say(self, data: bytes) -> None:
        """Says it unless the door has closed already."""
        with contextlib.suppress(ConnectionError):
            await self.say(data)

    async def say(self, *data: bytes) -> Wire:
        for piece in data:
            self._writer.write(piece)
            self.said += len(piece)
            await self._writer.drain()
        return self

    async def hear(self, *, method: str = "POST") -> Heard:
        """One answer, read by its Content-Length: an answer without one fails here."""
        async with asyncio.timeout(HANG_GUARD):
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = 0 if method == "HEAD" or first.split(" ")[1] == "100" else int(headers["content-length"])
            return Heard(int(first.split(" ")[1]), headers, await self._reader.readexactly(length), head)

    async def is_closed(self) -> bool:
        """Waits until the door has closed its side; what still comes fails the test."""
        async with asyncio.timeout(HANG_GUARD):
            try:
                return await self._reader.read() == b""
            except ConnectionError:
                return True

    async def is_quiet(self, seconds: float = 0.05) -> bool:
        """Nothing comes for a while, not even the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._reader.read(1)
        except TimeoutError:
            return True
        return False

    def half_close(self) -> None:
        self._writer.write_eof()

    def hang_up(self) -> None:
        self._writer.transport.abort()


class Caller:
    """Opens connections to one port, and closes them all at the end of the test."""

    def __init__(self) -> None:
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def call(self) -> Wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return Wire(reader, writer)

    async def ask(self, *data: bytes, method: str = "POST") -> Heard:
        wire = await self.call()
        await wire.say(*data)
        return await wire.hear(method=method)

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    one = Caller()
    yield one
    one.close()
    await asyncio.sleep(0)

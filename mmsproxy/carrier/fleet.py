"""The lines of this gateway: found by name or by MMSC, started and stopped together. It knows no queue of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from mmsproxy.carrier.line import Line


class Fleet:
    """At least one line, each with its own name.

    aliases  names under which MMS software may address the default line's MMSC, as host (any port) or host:port (`mm1.aliases`)
    """

    def __init__(self, lines: Sequence[Line], *, aliases: Sequence[str] = ()) -> None:
        if not lines:
            raise ValueError("a fleet has at least one line")
        self._lines = {line.name: line for line in lines}
        if len(self._lines) != len(lines):
            raise ValueError("two lines have the same name")
        self._aliases = frozenset(_authority(alias) for alias in aliases)

    def __iter__(self) -> Iterator[Line]:
        """In the order of the configuration."""
        return iter(self._lines.values())

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def default(self) -> Line:
        """The line for messages that name none: the first."""
        return next(iter(self))

    def by_name(self, name: str) -> Line | None:
        return self._lines.get(name)

    def for_target(self, host: str, port: int) -> Line | None:
        """The first line whose MMSC is host:port; the default line for an alias; None for anybody else's address."""
        wanted = (_folded(host), port)
        for line in self:
            if line.mmsc_authority == wanted:
                return line
        return self.default if {wanted, (wanted[0], None)} & self._aliases else None

    async def start(self) -> None:
        for line in self:
            await line.start()

    async def stop(self, grace: float | None = None) -> None:
        """All lines at once, so that the slowest decides how long it takes."""
        await asyncio.gather(*(line.stop() if grace is None else line.stop(grace) for line in self))


def _authority(alias: str) -> tuple[str, int | None]:
    host, colon, port = alias.rpartition(":")
    return (_folded(host), int(port)) if colon and port.isdigit() and "]" not in port else (_folded(alias), None)


def _folded(host: str) -> str:
    return host.lower().strip("[]").removesuffix(".")

"""Runs command lines, one after the other, and says their final result (V.250 5.4.5 and 5.7).

Law: knows how a line ends, not what its commands do. A line stops at the first command that fails; the deciding lines that come later
(`Done.then`) start once the final result is out, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from mmsproxy.simulator.command import Refused, parts
from mmsproxy.simulator.dialect import Board, Dialect
from mmsproxy.simulator.faults import Verdict

Later = Callable[[], Coroutine[Any, Any, None]]


class Interpreter:
    """The modem's command parser. `run` never returns."""

    def __init__(self, board: Board, dialect: Dialect) -> None:
        self._board = board
        self._terminal = board.terminal
        self._dialect = dialect

    async def run(self) -> None:
        while True:
            line = await self._terminal.command()
            if line is None:
                self._terminal.result("ERROR")
            else:
                await self._execute(line)

    async def _execute(self, line: str) -> None:
        verdict, text = self._board.faults.on_command(line)
        if verdict is Verdict.IGNORE:
            return
        if verdict is Verdict.REFUSE:
            self._terminal.result(text)
            return
        self._terminal.mute(verdict is Verdict.SWALLOW)
        try:
            later = await self._commands(line)
        finally:
            self._terminal.mute(False)
        for script in later:
            self._board.spawn(script())

    async def _commands(self, line: str) -> list[Later]:
        later: list[Later] = []
        ends_with_ok = True
        try:
            for call in parts(line):
                done = await self._dialect.run(call)
                ends_with_ok = done.ok
                if done.then is not None:
                    later.append(done.then)
        except Refused as refused:
            self._terminal.lines(list(refused.lines))
            self._terminal.result(self._dialect.error(refused))
            return later
        if ends_with_ok:
            self._terminal.result("OK")
        return later

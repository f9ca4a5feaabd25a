"""The frame of a dialect: tables of parameters and handlers, and the board on which they work.

Law: a dialect is one file: a subclass with its identity, its parameter rows and the scripts that differ. This module knows the machinery,
V.250's result rules and +CMEE, and no network command.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mmsproxy.simulator.air import Air
from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.command import CME_TEXT, NO_RESULT, OK, Call, Done, Kind, Refused, handlers
from mmsproxy.simulator.faults import Faults
from mmsproxy.simulator.messages import Messages
from mmsproxy.simulator.radio import Radio
from mmsproxy.simulator.settings import ModemSettings
from mmsproxy.simulator.terminal import Terminal
from mmsproxy.simulator.uart import Uart

OWN_TURN_S = 0.002  # more than the simulator takes from the last byte to the command


@dataclass(frozen=True, slots=True)
class Param:
    """A setting that is only stored: AT+NAME=values, AT+NAME?, AT+NAME=?.

    default   the values at boot, as text
    values    a regular expression for each value in turn
    test      what AT+NAME=? shows
    """

    default: str
    values: tuple[str, ...]
    test: str = ""


@dataclass(slots=True)
class Board:
    """What a dialect works on. `spawn` runs a script beside the command line until the next restart."""

    settings: ModemSettings
    clock: Clock
    faults: Faults
    air: Air
    uart: Uart
    terminal: Terminal
    radio: Radio
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    restart: Callable[[], None]
    saved: dict[str, str] = field(default_factory=dict)  # AT&W: survives restarts
    messages: Messages = field(default_factory=Messages)  # survive them too


class Dialect(ABC):
    """One model of modem between two boots."""

    MANUFACTURER: ClassVar[str]
    MODEL: ClassVar[str]
    REVISION: ClassVar[str]
    LINE_LIMIT: ClassVar[int] = 556
    BANNERS: ClassVar[tuple[str, ...]]
    FIXED_BAUD: ClassVar[int] = 0  # what AT+IPR? shows at boot on an unpaced line; 0 = autobaud, whatever the line
    DEFAULT_BEARER: ClassVar[bool] = False  # LTE: attaching activates context 1
    PARAMS: ClassVar[dict[str, Param]] = {}
    TESTS: ClassVar[dict[str, str]] = {}

    def __init__(self, board: Board) -> None:
        self.board = board
        self.t = board.terminal
        self.radio = board.radio
        self.settings = board.settings
        self._handlers = handlers(type(self))
        self._names = {name for name, _ in self._handlers} | set(self.PARAMS)
        self._values = {name: board.saved.get(name, param.default) for name, param in self.PARAMS.items()}

    # for the modem

    @abstractmethod
    def bearer_lost(self) -> None:
        """The network has taken the bearer away."""

    async def run(self, call: Call) -> Done:
        """Carries out one command. Raises Refused."""
        handler = self._handlers.get((call.name, call.kind))
        if handler is not None:
            return await handler(self, call) or OK
        if call.kind is Kind.TEST and call.name in self._names:
            return self._test(call.name)
        param = self.PARAMS.get(call.name)
        if param is None or call.kind is Kind.RUN:
            raise Refused
        if call.kind is Kind.READ:
            self.info(call.name, self._values[call.name])
        else:
            self.store(call)
        return OK

    def error(self, refused: Refused) -> str:
        """The final line of a refused command, by AT+CMEE."""
        mode = self.number("+CMEE")
        if refused.code is None or not mode:
            return refused.text
        text = CME_TEXT.get(refused.code, "unknown")
        return f"+CME ERROR: {refused.code if mode == 1 else text}"

    # for the scripts

    def info(self, name: str, text: object) -> None:
        self.t.line(f"{name}: {text}")

    def store(self, call: Call) -> None:
        """Checks the values of a SET against the table and keeps them; values left out stay as they are."""
        param = self.PARAMS[call.name]
        kept = self._values[call.name].split(",")
        if not call.args or len(call) > len(param.values):
            raise Refused
        for index, arg in enumerate(call.args):
            if not call.has(index):
                continue
            if not re.fullmatch(param.values[index], arg.text):
                raise Refused
            kept[index : index + 1] = [f'"{arg.text}"' if arg.quoted else arg.text]
        self._values[call.name] = ",".join(kept)

    def value(self, name: str, index: int = 0) -> str:
        return self._values[name].split(",")[index].strip('"')

    def number(self, name: str, index: int = 0) -> int:
        return int(self.value(name, index) or 0)

    def reset(self, names: tuple[str, ...]) -> None:
        """Back to the table's defaults."""
        for name in names:
            self._values[name] = self.PARAMS[name].default

    def stored(self, name: str) -> str:
        return self._values[name]

    async def prompt(self, text: str) -> None:
        """The modem's time to the prompt, then the prompt."""
        await self._latency(self.settings.prompt_delay)
        self.t.begin_data()
        self.t.prompt(text)

    async def payload(self, count: int) -> bytes:
        """Counted payload, and then the modem's time to its result."""
        data = await self.t.counted(count, echo=self.settings.payload_echo)
        await self._latency(self.settings.accept_delay)
        return data

    async def _latency(self, delay: float) -> None:
        """Counts from the last bit heard, so that the simulator's own turn is not added; from now where that was long ago."""
        now = self.board.clock.time()
        await self.board.clock.sleep_until((self.t.heard_at if now - self.t.heard_at < OWN_TURN_S else now) + delay)

    def _test(self, name: str) -> Done:
        param = self.PARAMS.get(name)
        text = self.TESTS.get(name) or (param.test if param else "")
        if text:
            self.info(name, text)
        return OK


__all__ = ["NO_RESULT", "OK", "Board", "Call", "Dialect", "Done", "Param", "Refused"]

"""What the SIMCom families share: numbered sockets, pull and push reading (AT+CIPRXGET), CIPACK, CDNSGIP, the transparent mode.

Law: no command here differs between SIM800 and SIM7600 other than through the hooks that the dialects fill (`reading`, `nothing_to_read`,
`push`, `say_closed`). Socket numbers are those of the AT commands.
"""

from __future__ import annotations

from abc import abstractmethod

from mmsproxy.simulator.command import Call, Refused, at
from mmsproxy.simulator.common import NOT_ALLOWED
from mmsproxy.simulator.dialect import Board
from mmsproxy.simulator.sockets import NumberedSockets, Slot

READ_HEX = 3
ESCAPE = b"+++"


class SimcomSockets(NumberedSockets):
    """See the module."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.pull = False
        self.online: Slot | None = None  # the transparent mode: this slot owns the line

    # hooks of the dialects

    @abstractmethod
    def multi(self) -> bool:
        """Whether commands carry a socket number."""

    @abstractmethod
    def nothing_to_read(self, call: Call, slot: Slot) -> None:
        """The answer of CIPRXGET=2 or 3 to an empty buffer. May raise Refused."""

    @abstractmethod
    def reading_ends(self) -> str:
        """What follows the counted data before OK."""

    @abstractmethod
    def push(self, slot: Slot, data: bytes) -> None:
        """Writes unasked data in the dialect's form."""

    def readable(self) -> bool:
        """Whether the CIPRXGET read forms may be used."""
        return self.pull

    # sockets

    def slot(self, call: Call, index: int = 0) -> tuple[Slot, int]:
        """(the socket that a command names, the index of its next argument)."""
        if not self.multi():
            return self.slots[0], index
        return self.numbered(call, index), index + 1

    def form(self, slot: Slot, text: str) -> str:
        """`n, text` where commands carry numbers, else the bare text."""
        return f"{slot.number}, {text}" if self.multi() else text

    def data_came(self, slot: Slot) -> None:
        if self.online is not None or not self.pull:
            self.pump(slot)
        elif not slot.announced:
            slot.announced = True
            self.t.line(f"+CIPRXGET: 1,{slot.number}" if self.multi() else "+CIPRXGET: 1")

    def pump(self, slot: Slot) -> None:
        """Pushes what has come, as fast as the line takes it."""
        if self.online is not None and slot is not self.online:
            return
        while slot.unread and slot.air is not None:
            if not self.t.line_free:
                self.t.when_drained(lambda: self.pump(slot))
                return
            data = slot.air.read(self.READ_LIMIT)
            if self.online is slot:
                self.t.raw(data)
            else:
                self.push(slot, data)

    def peer_closed(self, slot: Slot, by: str) -> None:
        slot.state = "CLOSED"
        if self.online is slot:
            self.pump(slot)
            self.online = None
            self.t.line("CLOSED")
            self.t.wake()
        elif self.online is None:
            self.say_closed(slot, by)

    def drop_all(self, by: str) -> None:
        super().drop_all(by)
        if self.online is not None:
            self.online = None
            self.t.line("CLOSED")
            self.t.wake()

    # reading

    @at("+CIPRXGET?")
    async def _pull_mode(self, call: Call) -> None:
        self.info("+CIPRXGET", int(self.pull))

    @at("+CIPRXGET=")
    async def _receive(self, call: Call) -> None:
        mode = call.number(0, 0, 4)
        if mode < 2:
            if len(call) > 1 or any(slot.open for slot in self.slots):
                raise Refused(NOT_ALLOWED)
            self.pull = bool(mode)
            return
        if not self.readable():
            raise Refused(NOT_ALLOWED)
        slot, index = self.slot(call, 1)
        if mode == 4:
            self._say_waiting(slot)
        else:
            self._read(call, mode, slot, index)

    def _say_waiting(self, slot: Slot) -> None:
        number = f"{slot.number}," if self.multi() else ""
        self.info("+CIPRXGET", f"4,{number}{slot.unread}")

    def _read(self, call: Call, mode: int, slot: Slot, index: int) -> None:
        limit = self.READ_LIMIT // 2 if mode == READ_HEX else self.READ_LIMIT
        wanted = call.number(index, 1, limit, limit)
        slot.announced = False
        if not slot.unread or slot.air is None:
            self.nothing_to_read(call, slot)
            return
        data = slot.air.read(wanted)
        number = f"{slot.number}," if self.multi() else ""
        header = f"+CIPRXGET: {mode},{number}{len(data)},{slot.unread}"
        self.t.block(header, data.hex().upper().encode() if mode == READ_HEX else data, self.reading_ends())

    @at("+CIPACK=", "+CIPACK")
    async def _counters(self, call: Call) -> None:
        slot, _ = self.slot(call)
        self.info("+CIPACK", self.counters(slot))

    def counters(self, slot: Slot) -> str:
        """sent, acknowledged, unacknowledged bytes. Raises Refused."""
        if slot.air is None:
            raise Refused(NOT_ALLOWED)
        sent, acked = self.sent_and_acked(slot)
        return f"{sent},{acked},{max(sent - acked, 0)}"

    # the transparent mode

    async def stay_online(self, slot: Slot, greeting: str) -> None:
        """Owns the line until +++ with its silences, or until the connection is closed."""
        self.t.begin_data()
        self.t.result(greeting)
        self.online = slot
        self.pump(slot)
        while self.online is slot and slot.air is not None:
            since = self.t.heard_at
            data = await self.t.some(self.READ_LIMIT)
            quiet_before = self.board.clock.time() - since >= self.settings.guard
            if quiet_before and ESCAPE.startswith(data) and data:
                data = await self._escape(data)
                if data == ESCAPE:
                    self.online = None
                    self.t.result("OK")
                    return
            await self._forward(slot, data)

    async def _escape(self, begun: bytes) -> bytes:
        """ESCAPE itself when +++ came whole and silence followed; else what came, which is payload."""
        until = self.board.clock.time() + self.settings.guard
        while len(begun) < len(ESCAPE) and ESCAPE.startswith(begun):
            left = until - self.board.clock.time()
            more = await self.t.some(len(ESCAPE) - len(begun), left) if left > 0 else b""
            if not more:
                return begun
            begun += more
        if begun != ESCAPE:
            return begun
        late = await self.t.some(self.READ_LIMIT, self.settings.guard)
        return begun + late

    async def _forward(self, slot: Slot, data: bytes) -> None:
        """Into the window as it drains: a full window stops the reading, and then the line decides who waits or loses."""
        while data and slot.air is not None and slot.open:
            taken = slot.air.send(data)
            data = data[taken:]
            if data:
                await slot.air.room(min(len(data), 1460), 60.0)

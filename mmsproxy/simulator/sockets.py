"""What all families with numbered sockets share: the slots, the connect, what a peer's data and close set off.

Law: a slot outlives its connection, so what was received stays readable after the peer's close. How data and closes are said is the
dialect's (`data_came`, `say_closed`); numbers are those of the AT commands, from FIRST on.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from mmsproxy.simulator.air import AirSocket, Opened
from mmsproxy.simulator.command import Call
from mmsproxy.simulator.common import CommonCommands
from mmsproxy.simulator.dialect import Board


class Slot:
    """One socket number. It outlives its connection: what was received stays readable until the number is used again."""

    def __init__(self, dialect: NumberedSockets, number: int) -> None:
        self._dialect = dialect
        self.number = number
        self.epoch = 0
        self.clear()

    def clear(self) -> None:
        """The number is free; a connect that is still under way becomes void."""
        self.epoch += 1
        self.air: AirSocket | None = None
        self.state = "INITIAL"
        self.host = ""
        self.address = ""
        self.port = 0
        self.announced = False

    @property
    def open(self) -> bool:
        return self.air is not None and self.air.open

    @property
    def unread(self) -> int:
        return len(self.air.unread) if self.air is not None else 0

    def data_came(self) -> None:
        self._dialect.data_came(self)

    def peer_closed(self, by: str) -> None:
        self._dialect.peer_closed(self, by)


class NumberedSockets(CommonCommands):
    """See the module."""

    SOCKETS: ClassVar[int]
    FIRST: ClassVar[int] = 0
    READ_LIMIT: ClassVar[int]
    PROMPT: ClassVar[str]

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.slots = [Slot(self, number) for number in range(self.FIRST, self.FIRST + self.SOCKETS)]

    @abstractmethod
    def data_came(self, slot: Slot) -> None:
        """Bytes have come, or have come again after a read."""

    @abstractmethod
    def say_closed(self, slot: Slot, by: str) -> None:
        """The peer has closed (`peer`) or reset (`reset`)."""

    def peer_closed(self, slot: Slot, by: str) -> None:
        slot.state = "CLOSED"
        self.say_closed(slot, by)

    def numbered(self, call: Call, index: int = 0) -> Slot:
        """The socket that an argument names. Raises Refused."""
        return self.slots[call.number(index, self.FIRST, self.FIRST + self.SOCKETS - 1) - self.FIRST]

    def drop_all(self, by: str) -> None:
        """Every connection is gone, and every number free."""
        self.board.air.drop(by)
        for slot in self.slots:
            slot.clear()

    async def dial(self, slot: Slot, host: str, port: int, timeout: float) -> Opened | None:
        """Connects the slot; None when the number was taken back meanwhile."""
        slot.clear()
        slot.state, slot.host, slot.port = "CONNECTING", host, port
        epoch = slot.epoch
        opened, air, address = await self.board.air.connect(host, port, timeout)
        if slot.epoch != epoch:
            if air is not None:
                air.abort("local")
            return None
        slot.address = address
        slot.air = air
        slot.state = "CONNECTED" if air is not None else "CLOSED"
        return opened

    def sent_and_acked(self, slot: Slot) -> tuple[int, int]:
        """The counters of one connection, with the fault of a wrong counter in them."""
        assert slot.air is not None
        return slot.air.sent + self.board.faults.counter_error, slot.air.acked

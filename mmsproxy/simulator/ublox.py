"""u-blox SARA-R4: the USO* family, LTE-M.

Source: the SARA-R4 AT Commands Manual UBX-17003787 (chapters 4, 18) and modems.md 1.7. Its traits: the modem picks the socket number,
bytes that come within 50 ms after the prompt @ are lost, data stand in quotes and may hold quotes, +UUSORD comes again after a partial
read, a closed socket refuses queries.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from mmsproxy.simulator.air import Opened
from mmsproxy.simulator.command import Call, Done, Refused, at
from mmsproxy.simulator.common import NOT_ALLOWED, CommonCommands
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.sockets import NumberedSockets, Slot

MOST_SENT = 1024
GUARD_S = 0.050  # after the prompt (manual 18.10.4)
CONNECT_TIMEOUT_S = 120.0
SOCKET_ERRORS = {Opened.UNKNOWN_NAME: 113, Opened.REFUSED: 111, Opened.UNREACHABLE: 113, Opened.TIMED_OUT: 110}
TCP_STATES = {"INITIAL": 0, "CONNECTING": 2, "CONNECTED": 4, "CLOSED": 7}
TCP, NO_ERROR = 6, 0


class Ublox(NumberedSockets):
    """See the module. A slot is in use from USOCR to USOCL or the peer's close with nothing left to read."""

    MANUFACTURER = "u-blox"
    MODEL = "SARA-R410M-02B"
    REVISION = "L0.0.00.00.05.08 [Apr 17 2019 19:34:02]"
    BANNERS = ("+SYSSTART",)
    FIXED_BAUD = 115200
    DEFAULT_BEARER = True
    ACCESS_TECHNOLOGY = 7
    SOCKETS = 7
    READ_LIMIT = 1024
    PROMPT = "\r\n@"
    PARAMS: ClassVar[dict[str, Param]] = {
        **CommonCommands.PARAMS,
        "+CEREG": Param("0", ("[0-4]",), "(0-2,4)"),
        "+UDCONF": Param("1,0", ("1", "[01]"), "1,(0,1)"),
        "+UPSV": Param("0", ("[0-4]",), "(0-4)"),
        "+UMNOPROF": Param("0", ("[0-9]{1,3}",), "(0-100)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        **CommonCommands.TESTS,
        "+IPR": "(9600,19200,38400,57600,115200,230400,460800)",
        "+USOCR": "(6,17),(1-65535)",
        "+USOWR": "(0-6),(0-1024)",
        "+USORD": "(0-6),(0-1024)",
        "+CFUN": "(0,1,4,15),(0,1)",
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._created: set[int] = set()
        self._login: tuple[int, str, str] = (0, "", "")
        self._bearer_known = False

    def identity(self) -> list[str]:
        return [self.MODEL]

    def context_kinds(self) -> tuple[str, ...]:
        return ("IP", "IPV6", "IPV4V6", "NONIP")

    @property
    def _has_bearer(self) -> bool:
        return any(context.active for context in self.radio.contexts.values())

    # the bearer

    def bearer_lost(self) -> None:
        for context in self.radio.contexts.values():
            context.active = False
        self._created.clear()
        self.drop_all("bearer")
        self.info("+UUPSDD", 0)

    def radio_off(self) -> None:
        self._created.clear()
        self.drop_all("bearer")

    @at("+CGAUTH=")
    async def _auth(self, call: Call) -> None:
        call.number(0, 1, 16)
        self._login = (call.number(1, 0, 3, 0), call.word(2, ""), call.word(3, ""))

    @at("+CEREG?")
    async def _eps_registration(self, call: Call) -> None:
        self.info("+CEREG", f"{self.value('+CEREG')},{self.registration('+CEREG', self.radio.attached)}")

    @at("+CGCONTRDP", "+CGCONTRDP=")
    async def _context_details(self, call: Call) -> None:
        for cid in [call.number(0, 1, 16)] if len(call) else sorted(self.radio.contexts):
            details = self.primary_context(cid)
            if details is not None:
                self.info("+CGCONTRDP", details)

    # sockets

    def _socket(self, call: Call) -> Slot:
        """A socket that was created; the manual's error for any other (operation not allowed)."""
        slot = self.numbered(call)
        if slot.number not in self._created:
            raise Refused(NOT_ALLOWED)
        return slot

    @at("+USOCR=")
    async def _create(self, call: Call) -> None:
        if call.number(0, 6, 17) != TCP:
            raise Refused(NOT_ALLOWED)
        number = next((slot.number for slot in self.slots if slot.number not in self._created), None)
        if number is None:
            raise Refused(NOT_ALLOWED)
        self.slots[number].clear()
        self._created.add(number)
        self.info("+USOCR", number)

    @at("+USOCO=")
    async def _connect(self, call: Call) -> Done:
        slot, host, port = self._socket(call), call.word(1), call.number(2, 1, 65535)
        if slot.state != "INITIAL" or not call.args[1].quoted or not self._has_bearer:
            raise Refused(NOT_ALLOWED)
        if call.number(3, 0, 1, 0):
            return Done(then=partial(self._say_connected, slot, host, port))
        if await self.dial(slot, host, port, CONNECT_TIMEOUT_S) is not Opened.OK or slot.air is None:
            self._free(slot)
            raise Refused(NOT_ALLOWED)
        slot.air.attach(slot)
        return Done()

    async def _say_connected(self, slot: Slot, host: str, port: int) -> None:
        opened = await self.dial(slot, host, port, CONNECT_TIMEOUT_S)
        if opened is None:
            return
        self.info("+UUSOCO", f"{slot.number},{SOCKET_ERRORS.get(opened, NO_ERROR)}")
        if slot.air is None:
            self._free(slot)
        else:
            slot.air.attach(slot)

    def _free(self, slot: Slot) -> None:
        slot.clear()
        self._created.discard(slot.number)

    def data_came(self, slot: Slot) -> None:
        if not slot.announced:
            slot.announced = True
            self.info("+UUSORD", f"{slot.number},{slot.unread}")

    def say_closed(self, slot: Slot, by: str) -> None:
        self.info("+UUSOCL", slot.number)
        if not slot.unread:
            self._free(slot)

    @at("+USOCL=")
    async def _close(self, call: Call) -> Done:
        slot = self._socket(call)
        if slot.air is not None:
            slot.air.close()
        if call.number(1, 0, 1, 0):
            return Done(then=partial(self._say_local_close, slot))
        await self.board.clock.sleep(self.settings.rtt)
        self._free(slot)
        return Done()

    async def _say_local_close(self, slot: Slot) -> None:
        await self.board.clock.sleep(self.settings.rtt)
        self._free(slot)
        self.info("+UUSOCL", slot.number)

    @at("+USOCTL=")
    async def _query(self, call: Call) -> None:
        slot, what = self._socket(call), call.number(1, 0, 11)
        sent, acked = self.sent_and_acked(slot) if slot.air is not None else (0, 0)
        values: dict[int, object] = {
            0: TCP,
            1: NO_ERROR,
            2: sent,
            3: slot.air.received if slot.air is not None else 0,
            4: f'"{slot.address or "0.0.0.0"}",{slot.port}',
            10: TCP_STATES[slot.state],
            11: max(sent - acked, 0),
        }
        if what not in values:
            raise Refused(NOT_ALLOWED)
        self.info("+USOCTL", f"{slot.number},{what},{values[what]}")

    # data

    @at("+USOWR=")
    async def _write(self, call: Call) -> Done:
        slot, size = self._socket(call), call.number(1, 1, MOST_SENT)
        if not slot.open:
            raise Refused(NOT_ALLOWED)
        if call.has(2):
            data = call.word(2).encode("latin-1")
            if len(data) != size:
                raise Refused(NOT_ALLOWED)
        else:
            await self.prompt(self.PROMPT)
            await self.board.clock.sleep(GUARD_S)
            self.t.begin_data()  # what came too early is lost
            data = await self.payload(size)
        return self._taken(slot, data)

    def _taken(self, slot: Slot, data: bytes) -> Done:
        fault = self.board.faults.on_send()
        if slot.air is None or not slot.open or fault is False:
            raise Refused(NOT_ALLOWED)
        taken = slot.air.send(data[: self.board.faults.take_limit(len(data))])
        if fault:
            raise Refused(NOT_ALLOWED)
        self.info("+USOWR", f"{slot.number},{taken}")
        return Done()

    @at("+USORD=")
    async def _read(self, call: Call) -> Done:
        slot = self._socket(call)
        limit = call.number(1, 0, self.READ_LIMIT)
        if not limit:
            self.info("+USORD", f"{slot.number},{slot.unread}")
            return Done()
        data = slot.air.read(limit) if slot.air is not None else b""
        self.t.inline(f'+USORD: {slot.number},{len(data)},"', data, b'"\r\n')
        slot.announced = False
        if slot.unread:
            return Done(then=partial(self._announce_rest, slot))
        if not slot.open and slot.state == "CLOSED":
            self._free(slot)
        return Done()

    async def _announce_rest(self, slot: Slot) -> None:
        if slot.unread:
            self.data_came(slot)

    # names, identity, power

    @at("+UDNSRN=")
    async def _resolve(self, call: Call) -> None:
        call.number(0, 0, 1)
        address = await self.board.air.resolve(call.word(1)) if self._has_bearer else None
        if address is None:
            raise Refused(NOT_ALLOWED)
        self.info("+UDNSRN", f'"{address}"')

    @at("+USOER")
    async def _last_error(self, call: Call) -> None:
        self.info("+USOER", NO_ERROR)

    @at("+CCID", "+CCID?")
    async def _iccid(self, call: Call) -> None:
        self.need_sim()
        self.info("+CCID", self.settings.iccid)

    @at("+UPINCNT")
    async def _pin_tries(self, call: Call) -> None:
        self.info("+UPINCNT", f"{self.radio.pin_attempts},3,10,10")

    @at("+CFUN=")
    async def _functionality_level(self, call: Call) -> Done:
        if call.number(0, 0, 19) in (15, 16):
            return Done(then=self._restart)
        return await self._set_functionality(call)

    @at("+CPWROFF")
    async def _power_off(self, call: Call) -> Done:
        return Done(then=self._restart)

"""SIM7070, SIM7080, SIM7090: the CNACT / CAOPEN family, LTE-M and NB-IoT.

Source: the SIM7070_SIM7080_SIM7090 Series AT Command Manual (TCP/UDP) and modems.md 1.5. Its traits: CASEND says nothing of how much it
took, so the free window has to be asked before; CARECV has no socket number; AT+CGACT breaks the socket stack until the bearer restarts.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from mmsproxy.simulator.air import OWN_ADDRESS, Opened
from mmsproxy.simulator.command import NO_RESULT, Call, Done, Refused, at
from mmsproxy.simulator.common import BIT, NUMBER, CommonCommands
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.sockets import NumberedSockets, Slot

FULL_WINDOW = 1360  # what CASEND=n reports at most (EnviroDIY)
CONNECT_TIMEOUT_S = 75.0
PROFILES = 4  # CNACT's indexes 0-3
# <result> of CAOPEN (TinyGSM SIM7080:525-541)
DNS_FAILED, NOT_ACTIVE, REFUSED, CONNECT_FAILED = 20, 21, 23, 27
OPEN_RESULTS = {
    Opened.OK: 0,
    Opened.UNKNOWN_NAME: DNS_FAILED,
    Opened.REFUSED: REFUSED,
    Opened.UNREACHABLE: CONNECT_FAILED,
    Opened.TIMED_OUT: CONNECT_FAILED,
}


class Sim7080(NumberedSockets):
    """See the module."""

    MANUFACTURER = "SIMCOM_Ltd"
    MODEL = "SIMCOM_SIM7080"
    REVISION = "1951B08SIM7080"
    BANNERS = ("RDY", "+CPIN: READY", "SMS Ready")
    FIXED_BAUD = 115200
    ACCESS_TECHNOLOGY = 7
    SOCKETS = 13
    READ_LIMIT = 1460
    PROMPT = "\r\n>"
    PARAMS: ClassVar[dict[str, Param]] = {
        **CommonCommands.PARAMS,
        "+CEREG": Param("0", ("[0-4]",), "(0-2,4)"),
        "+CACID": Param("0", ("[0-9]|1[0-2]",), "(0-12)"),
        "+CNMP": Param("2", (NUMBER,), "(2,13,38,51)"),
        "+CMNB": Param("1", ("[123]",), "(1-3)"),
        "+CPSMS": Param("0", (BIT,), "(0,1)"),
        "+CACFG": Param('"transwaittm",2', (".{1,30}", ".{0,30}", ".{0,30}"), '"transwaittm",(0-200)'),
        "+CSCLK": Param("0", ("[012]",), "(0-2)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        **CommonCommands.TESTS,
        "+CNACT": "(0-3),(0-2)",
        "+CAOPEN": '(0-12),(0-3),("TCP","UDP"),(1-65535)',
        "+CASEND": "(0-12),(1-1460)",
        "+CARECV": "(0-12),(1-1460)",
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._apns: dict[int, str] = {}
        self._up: set[int] = set()
        self._is_broken = False

    def identity(self) -> list[str]:
        return ["SIM7080 R1951.08"]

    def context_kinds(self) -> tuple[str, ...]:
        return ("IP", "IPV6", "IPV4V6", "NONIP")

    # the bearer

    def bearer_lost(self) -> None:
        lost = sorted(self._up)
        self._up.clear()
        if lost:
            self.drop_all("bearer")
        for index in lost:
            self.info("+APP PDP", f"{index},DEACTIVE")

    def radio_off(self) -> None:
        self.bearer_lost()

    @at("+CNCFG=")
    async def _configure(self, call: Call) -> None:
        index = call.number(0, 0, PROFILES - 1)
        call.number(1, 0, 2)
        self._apns[index] = call.word(2, "")
        call.number(5, 0, 3, 0)

    @at("+CNCFG?")
    async def _configuration(self, call: Call) -> None:
        for index in range(PROFILES):
            self.info("+CNCFG", f'{index},1,"{self._apns.get(index, "")}","","",0')

    @at("+CNACT=")
    async def _set_active(self, call: Call) -> Done:
        index, wanted = call.number(0, 0, PROFILES - 1), call.number(1, 0, 2)
        if not wanted:
            self._is_broken = False
            if index in self._up:
                self._up.discard(index)
                self.drop_all("local")
                return Done(then=partial(self._say_profile, index, "DEACTIVE"))
            raise Refused
        if index in self._up:
            raise Refused
        return Done(then=partial(self._bring_up, index))

    async def _bring_up(self, index: int) -> None:
        apn = self._apns.get(index) or self.radio.contexts.get(index + 1, next(iter(self.radio.contexts.values()))).apn
        granted = await self.radio.grant(apn)
        if granted:
            self._up.add(index)
        await self._say_profile(index, "ACTIVE" if granted else "DEACTIVE")

    async def _say_profile(self, index: int, state: str) -> None:
        self.info("+APP PDP", f"{index},{state}")

    @at("+CNACT?")
    async def _active(self, call: Call) -> None:
        for index in range(PROFILES):
            up = index in self._up
            self.info("+CNACT", f'{index},{int(up)},"{OWN_ADDRESS if up else "0.0.0.0"}"')

    @at("+CGACT=")
    async def _activate_context(self, call: Call) -> None:
        """The stack below CAOPEN does not survive it (TinyGSM SIM7080:280)."""
        self._is_broken = bool(call.number(0, 0, 1))
        await self._activate(call)

    @at("+CEREG?")
    async def _eps_registration(self, call: Call) -> None:
        self.info("+CEREG", f"{self.value('+CEREG')},{self.registration('+CEREG', self.radio.attached)}")

    @at("+CGNAPN")
    async def _network_apn(self, call: Call) -> None:
        self.info("+CGNAPN", f'1,"{self.settings.apn or ""}"')

    # connections

    @at("+CAOPEN=")
    async def _open(self, call: Call) -> Done:
        slot, index = self.numbered(call), call.number(1, 0, PROFILES - 1)
        kind, host, port = call.word(2).upper(), call.word(3), call.number(4, 1, 65535)
        if kind != "TCP" or not call.args[2].quoted or not call.args[3].quoted or len(call) > 5:
            raise Refused
        if slot.open or slot.state == "CONNECTING":
            raise Refused
        result = await self._connect(slot, index, host, port)
        self.info("+CAOPEN", f"{slot.number},{result}")
        if slot.air is not None:
            slot.air.attach(slot)
        return Done()

    async def _connect(self, slot: Slot, index: int, host: str, port: int) -> int:
        if index not in self._up or self._is_broken:
            return NOT_ACTIVE
        opened = await self.dial(slot, host, port, CONNECT_TIMEOUT_S)
        if opened is not Opened.OK:
            slot.clear()
        return OPEN_RESULTS[opened] if opened is not None else CONNECT_FAILED

    @at("+CAOPEN?")
    async def _connections(self, call: Call) -> None:
        for slot in self.slots:
            if slot.open:
                self.info("+CAOPEN", f'{slot.number},0,"TCP","{slot.address}",{slot.port}')

    @at("+CASTATE?")
    async def _states(self, call: Call) -> None:
        for slot in self.slots:
            if slot.state in ("CONNECTED", "CLOSED"):
                self.info("+CASTATE", f"{slot.number},{int(slot.open)}")

    @at("+CACLOSE=")
    async def _close(self, call: Call) -> None:
        slot = self.numbered(call)
        if slot.air is None:
            raise Refused
        if slot.open:
            slot.air.close()
            await self.board.clock.sleep(self.settings.rtt)
        slot.clear()

    def say_closed(self, slot: Slot, by: str) -> None:
        self.info("+CASTATE", f"{slot.number},0")

    def data_came(self, slot: Slot) -> None:
        if not slot.announced:
            slot.announced = True
            self.info("+CADATAIND", slot.number)

    # data

    def _window(self, slot: Slot) -> int:
        return min(FULL_WINDOW, max(slot.air.free, 0)) if slot.open and slot.air is not None else 0

    @at("+CASEND=")
    async def _send(self, call: Call) -> Done:
        slot = self.numbered(call)
        if not slot.open:
            raise Refused
        if not call.has(1):
            self.info("+CASEND", self._window(slot))
            return Done()
        size = call.number(1, 1, 1460)
        if size > self._window(slot):
            raise Refused  # the window is full
        await self.prompt(self.PROMPT)
        self._take(slot, await self.payload(size))
        return Done()

    def _take(self, slot: Slot, data: bytes) -> None:
        fault = self.board.faults.on_send()
        if slot.air is None or not slot.open or fault is False:
            raise Refused
        slot.air.send(data[: self.board.faults.take_limit(len(data))])
        if fault:
            raise Refused

    @at("+CAACK=")
    async def _counters(self, call: Call) -> None:
        slot = self.numbered(call)
        if slot.air is None:
            raise Refused
        sent, acked = self.sent_and_acked(slot)
        self.info("+CAACK", f"{sent},{max(sent - acked, 0)}")

    @at("+CARECV=")
    async def _receive(self, call: Call) -> None:
        slot, limit = self.numbered(call), call.number(1, 1, self.READ_LIMIT)
        if slot.air is None:
            raise Refused
        data = slot.air.read(limit)
        slot.announced = False
        if data:
            self.t.inline(f"+CARECV: {len(data)},", data, b"\r\n")
        else:
            self.info("+CARECV", 0)

    @at("+CARECV?")
    async def _waiting(self, call: Call) -> None:
        for slot in self.slots:
            if slot.unread:
                self.info("+CARECV", f"{slot.number},{slot.unread}")

    # names, identity, power

    @at("+CDNSGIP=")
    async def _resolve(self, call: Call) -> Done:
        call.number(1, 0, 10, 2)
        call.number(2, 0, 60000, 2000)
        if not self._up:
            raise Refused
        return Done(then=partial(self._say_address, call.word(0)))

    async def _say_address(self, host: str) -> None:
        address = await self.board.air.resolve(host)
        self.info("+CDNSGIP", f'1,"{host}","{address}"' if address else f'0,"{host}",8')

    @at("+CCID")
    async def _iccid(self, call: Call) -> None:
        self.need_sim()
        self.t.line(self.settings.iccid)

    @at("+SPIC")
    async def _pin_tries(self, call: Call) -> None:
        self.info("+SPIC", f"{self.radio.pin_attempts},10,0,10")

    @at("+CREBOOT")
    async def _reboot(self, call: Call) -> Done:
        return Done(then=self._restart)

    @at("+CPOWD=")
    async def _power_down(self, call: Call) -> Done:
        call.number(0, 0, 1)
        self.t.line("NORMAL POWER DOWN")
        self.board.restart()
        return NO_RESULT

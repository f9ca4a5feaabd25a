"""Telit LE910, HE910, ME910: the #S* family, LTE.

Source: the LE910 V2 AT Commands Reference Guide 80446ST10707A and modems.md 1.8. Its traits: sockets 1-6, the payload is echoed while
ATE1 (p. 351), #SSENDEXT is the only send that takes every byte, NO CARRIER in command mode tells that a socket was closed.
"""

from __future__ import annotations

from typing import ClassVar

from mmsproxy.simulator.air import OWN_ADDRESS, Opened
from mmsproxy.simulator.command import Call, Done, Refused, at
from mmsproxy.simulator.common import BIT, NOT_ALLOWED, CommonCommands
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.sockets import NumberedSockets, Slot

MOST_SENT = 1500
CONNECT_TIMEOUT_S = 75.0
CONTEXT_NOT_ACTIVE, CANNOT_OPEN, CANNOT_RESOLVE = 556, 559, 561  # +CME ERROR of #SD
CLOSED, ACTIVE, SUSPENDED, DATA_WAITING = 0, 1, 2, 3  # #SS
SLEEP_COMMAND_MODE = 1


class Telit(NumberedSockets):
    """See the module."""

    MANUFACTURER = "Telit"
    MODEL = "LE910-EU V2"
    REVISION = "20.00.505"
    BANNERS = ()
    FIXED_BAUD = 115200
    DEFAULT_BEARER = True
    ACCESS_TECHNOLOGY = 7
    SOCKETS = 6
    FIRST = 1
    READ_LIMIT = 1500
    PROMPT = "\r\n> "
    PARAMS: ClassVar[dict[str, Param]] = {
        **CommonCommands.PARAMS,
        "+CEREG": Param("0", ("[0-4]",), "(0-2,4)"),
        "#CIPMODE": Param("0", (BIT,), "(0,1)"),
        "#SELINT": Param("2", ("[012]",), "(0-2)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        **CommonCommands.TESTS,
        "+IPR": "(0,300,1200,2400,4800,9600,19200,38400,57600,115200,230400,460800,921600)",
        "#SD": "(1-6),(0,1),(1-65535),,(0,255),(1-65535),(0,1)",
        "#SSENDEXT": "(1-6),(1-1500)",
        "#SRECV": "(1-6),(1-1500),(0,1)",
        "#SCFGEXT": "(1-6),(0-2),(0,1),(0-240),(0,1),(0,1)",
        "#SGACT": "(1-16),(0,1)",
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._up: set[int] = set()
        self._ring_forms: dict[int, int] = {}

    def identity(self) -> list[str]:
        return ["332"]  # ATI is a product code here

    def context_kinds(self) -> tuple[str, ...]:
        return ("IP", "IPV6", "IPV4V6", "PPP")

    async def payload(self, count: int) -> bytes:
        data = await self.t.counted(count, echo=True)
        await self.board.clock.sleep(self.settings.accept_delay)
        return data

    # the bearer

    def bearer_lost(self) -> None:
        lost, self._up = self._up, set()
        open_slots = [slot for slot in self.slots if slot.open]
        if lost:
            self.drop_all("bearer")
        for _ in open_slots:
            self.t.line("NO CARRIER")

    def radio_off(self) -> None:
        self.bearer_lost()

    @at("#SGACT=")
    async def _set_context(self, call: Call) -> None:
        cid, wanted = call.number(0, 1, 16), call.number(1, 0, 1)
        if not wanted:
            self._up.discard(cid)
            self.drop_all("local")
            return
        context = self.radio.contexts.get(cid)
        if cid in self._up or context is None or not await self.radio.grant(context.apn):
            raise Refused(NOT_ALLOWED)
        context.active = True
        self._up.add(cid)
        self.info("#SGACT", OWN_ADDRESS)

    @at("#SGACT?")
    async def _contexts_up(self, call: Call) -> None:
        for cid in sorted(self.radio.contexts):
            self.info("#SGACT", f"{cid},{int(cid in self._up)}")

    @at("#SGACTAUTH=")
    async def _auth(self, call: Call) -> None:
        call.number(0, 0, 3)

    @at("+CEREG?")
    async def _eps_registration(self, call: Call) -> None:
        self.info("+CEREG", f"{self.value('+CEREG')},{self.registration('+CEREG', self.radio.attached)}")

    @at("+CGCONTRDP", "+CGCONTRDP=")
    async def _context_details(self, call: Call) -> None:
        for cid in [call.number(0, 1, 16)] if len(call) else sorted(self.radio.contexts):
            details = self.primary_context(cid)
            if details is not None:
                self.info("+CGCONTRDP", details)

    # connections

    @at("#SCFG=")
    async def _configure(self, call: Call) -> None:
        self.numbered(call)
        for index, limit in ((1, 16), (2, 1500), (3, 65535), (4, 1200), (5, 255)):
            call.number(index, 0, limit)

    @at("#SCFGEXT=")
    async def _configure_more(self, call: Call) -> None:
        slot = self.numbered(call)
        self._ring_forms[slot.number] = call.number(1, 0, 2)
        call.number(2, 0, 1, 0)
        call.number(3, 0, 240, 0)

    @at("#SCFGEXT2=", "#SCFGEXT3=")
    async def _configure_even_more(self, call: Call) -> None:
        self.numbered(call)

    @at("#SD=")
    async def _dial(self, call: Call) -> Done:
        slot, protocol, port, host = self.numbered(call), call.number(1, 0, 1), call.number(2, 1, 65535), call.word(3)
        call.number(4, 0, 255, 0)
        call.number(5, 0, 65535, 0)
        if protocol or not call.args[3].quoted or slot.open:
            raise Refused(NOT_ALLOWED)
        if call.number(6, 0, 1, 0) != SLEEP_COMMAND_MODE:
            raise Refused(NOT_ALLOWED)  # the online mode is not simulated
        if 1 not in self._up:
            raise Refused(CONTEXT_NOT_ACTIVE)
        opened = await self.dial(slot, host, port, CONNECT_TIMEOUT_S)
        if opened is not Opened.OK or slot.air is None:
            slot.clear()
            raise Refused(CANNOT_RESOLVE if opened is Opened.UNKNOWN_NAME else CANNOT_OPEN)
        slot.air.attach(slot)
        return Done()

    @at("#SH=")
    async def _shut(self, call: Call) -> None:
        slot = self.numbered(call)
        if slot.air is not None and slot.open:
            slot.air.close()
            await self.board.clock.sleep(self.settings.rtt)
        slot.clear()

    @at("#SS", "#SS=", "#SS?")
    async def _states(self, call: Call) -> None:
        for slot in [self.numbered(call)] if len(call) else self.slots:
            if slot.state == "INITIAL" or (not slot.open and not slot.unread):
                self.info("#SS", f"{slot.number},{CLOSED}")
                continue
            state = DATA_WAITING if slot.unread else (SUSPENDED if slot.open else CLOSED)
            self.info("#SS", f"{slot.number},{state},{OWN_ADDRESS},49152,{slot.address},{slot.port}")

    def say_closed(self, slot: Slot, by: str) -> None:
        self.t.line("NO CARRIER")

    def data_came(self, slot: Slot) -> None:
        if not slot.announced:
            slot.announced = True
            form = self._ring_forms.get(slot.number, 0)
            self.t.line(f"SRING: {slot.number},{slot.unread}" if form == 1 else f"SRING: {slot.number}")

    # data

    @at("#SSENDEXT=")
    async def _send(self, call: Call) -> Done:
        slot, size = self.numbered(call), call.number(1, 1, MOST_SENT)
        if not slot.open:
            raise Refused(NOT_ALLOWED)
        await self.prompt(self.PROMPT)
        data = await self.payload(size)
        fault = self.board.faults.on_send()
        if slot.air is None or fault is False or not await slot.air.room(len(data), self.settings.window_wait):
            raise Refused(NOT_ALLOWED)
        slot.air.send(data[: self.board.faults.take_limit(len(data))])
        if fault:
            raise Refused(NOT_ALLOWED)
        return Done()

    @at("#SI", "#SI=")
    async def _counters(self, call: Call) -> None:
        for slot in [self.numbered(call)] if len(call) else self.slots:
            if slot.air is None:
                self.info("#SI", f"{slot.number},0,0,0,0")
                continue
            sent, acked = self.sent_and_acked(slot)
            read = slot.air.received - slot.unread
            self.info("#SI", f"{slot.number},{sent},{read},{slot.unread},{max(sent - acked, 0)}")

    @at("#SRECV=")
    async def _receive(self, call: Call) -> None:
        slot, limit = self.numbered(call), call.number(1, 1, self.READ_LIMIT)
        if slot.air is None or not slot.unread:
            raise Refused(NOT_ALLOWED)
        data = slot.air.read(limit)
        slot.announced = False
        self.t.block(f"#SRECV: {slot.number},{len(data)}", data, "\r\n")

    # names, identity, power

    @at("#QDNS=")
    async def _resolve(self, call: Call) -> None:
        host = call.word(0)
        if not self._up:
            raise Refused(NOT_ALLOWED)
        address = await self.board.air.resolve(host)
        self.info("#QDNS", f'"{host}","{address}"' if address else f'"{host}",NOT SOLVED')

    @at("#CCID", "+CCID")
    async def _iccid(self, call: Call) -> None:
        self.need_sim()
        self.info(call.name, self.settings.iccid)

    @at("#CGMI", "#CGMM", "#CGMR")
    async def _identify_again(self, call: Call) -> None:
        self.info(call.name, {"#CGMI": self.MANUFACTURER, "#CGMM": self.MODEL, "#CGMR": self.REVISION}[call.name])

    @at("#PCT", "#PCT?")
    async def _pin_tries(self, call: Call) -> None:
        self.info("#PCT", self.radio.pin_attempts)

    @at("#REBOOT", "#SHDN")
    async def _reboot(self, call: Call) -> Done:
        return Done(then=self._restart)

"""Quectel EC2x, EG9x, BG9x: the QIOPEN family, LTE.

Source: the BG96/EC25 TCP/IP Application Notes and modems.md 1.6. Its traits: SEND OK means "in the buffer", QISEND=n,0 is the arbiter,
the data URC comes once until the buffer was emptied, a closed socket stays in state 4 until QICLOSE.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from mmsproxy.simulator.air import OWN_ADDRESS, Opened
from mmsproxy.simulator.command import NO_RESULT, Call, Done, Refused, at
from mmsproxy.simulator.common import BIT, CommonCommands
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.radio import Context
from mmsproxy.simulator.sockets import NumberedSockets, Slot

MOST_SENT = 1460
CONNECT_TIMEOUT_S = 150.0
DNS_TTL_S = 600
ESCAPE = b"+++"
# <err> of the TCP/IP commands (application note, chapter 6)
OPEN_CONTEXT_FAILED, IDENTITY_USED, DNS_FAILED, CONNECT_FAILED, TIMED_OUT = 561, 563, 565, 566, 552
OPEN_ERRORS = {
    Opened.OK: 0,
    Opened.UNKNOWN_NAME: DNS_FAILED,
    Opened.REFUSED: CONNECT_FAILED,
    Opened.UNREACHABLE: CONNECT_FAILED,
    Opened.TIMED_OUT: TIMED_OUT,
}
STATES = {"INITIAL": 0, "CONNECTING": 1, "CONNECTED": 2, "CLOSED": 4}
BUFFER, PUSH, TRANSPARENT = 0, 1, 2


class Quectel(NumberedSockets):
    """See the module. The access mode of each socket (buffer, push) is the one that it was opened with."""

    MANUFACTURER = "Quectel"
    MODEL = "EC25"
    REVISION = "EC25EFAR06A06M4G"
    BANNERS = ("RDY", "+CFUN: 1", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE")
    FIXED_BAUD = 115200
    DEFAULT_BEARER = True
    ACCESS_TECHNOLOGY = 7
    SOCKETS = 12
    READ_LIMIT = 1500
    PROMPT = "\r\n> "
    PARAMS: ClassVar[dict[str, Param]] = {
        **CommonCommands.PARAMS,
        "+CEREG": Param("0", ("[012]",), "(0-2)"),
        "+QURCCFG": Param('"urcport","usbat"', ("urcport", "usbat|usbmodem|uart1"), '"urcport",("usbat","usbmodem","uart1")'),
        "+QICFG": Param('"transpktsize",1024', (".{1,30}", ".{0,30}", ".{0,30}"), '"transpktsize",(1-1460)'),
        "+QCFG": Param('"nwscanmode",0', (".{1,30}", ".{0,30}", ".{0,30}"), '"nwscanmode",(0-3)'),
        "+QINDCFG": Param('"all",1', (".{1,30}", BIT, BIT), '"all",(0,1)'),
        "+QSCLK": Param("0", (BIT,), "(0,1)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        **CommonCommands.TESTS,
        "+IPR": "(0,4800,9600,19200,38400,57600,115200,230400,460800,921600,3000000)",
        "+QIOPEN": '(1-16),(0-11),("TCP","UDP"),"<IP>/<domain>",<port>,<local_port>,(0-2)',
        "+QISEND": "(0-11),(0-1460)",
        "+QIRD": "(0-11),(0-1500)",
        "+QICSGP": "(1-16),(1-3),<APN>,<username>,<password>,(0-3)",
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._login: dict[int, tuple[str, str, int]] = {}
        self._up: set[int] = set()
        self._modes: dict[int, int] = {}
        self._last_error = 0
        self._read: dict[int, int] = {}
        self._streaming: Slot | None = None

    def identity(self) -> list[str]:
        return [self.MANUFACTURER, self.MODEL, f"Revision: {self.REVISION}"]

    def context_kinds(self) -> tuple[str, ...]:
        return ("IP", "IPV6", "IPV4V6", "PPP")

    # the bearer

    def bearer_lost(self) -> None:
        lost = sorted(self._up)
        self._up.clear()
        if lost:
            self.drop_all("bearer")
        for cid in lost:
            self.info("+QIURC", f'"pdpdeact",{cid}')

    def radio_off(self) -> None:
        self.bearer_lost()

    @at("+QICSGP=")
    async def _define(self, call: Call) -> None:
        cid = call.number(0, 1, 16)
        if len(call) == 1:
            user, password, auth = self._login.get(cid, ("", "", 0))
            context = self.radio.contexts.get(cid, Context())
            self.info("+QICSGP", f'1,"{context.apn}","{user}","{password}",{auth}')
            return
        kind = call.number(1, 1, 3)
        if cid in self._up:
            raise Refused
        self.radio.contexts[cid] = Context({1: "IP", 2: "IPV6", 3: "IPV4V6"}[kind], call.word(2, ""))
        self._login[cid] = (call.word(3, ""), call.word(4, ""), call.number(5, 0, 3, 0))

    @at("+QIACT=")
    async def _activate_context(self, call: Call) -> None:
        cid = call.number(0, 1, 16)
        context = self.radio.contexts.get(cid)
        if cid in self._up or context is None or not await self.radio.grant(context.apn):
            raise Refused
        context.active = True
        self._up.add(cid)

    @at("+QIACT?")
    async def _active(self, call: Call) -> None:
        for cid in sorted(self._up):
            self.info("+QIACT", f'{cid},1,1,"{OWN_ADDRESS}"')

    @at("+QIDEACT=")
    async def _deactivate(self, call: Call) -> None:
        self._up.discard(call.number(0, 1, 16))
        self.drop_all("local")
        await self.board.clock.sleep(self.settings.rtt)

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

    @at("+QIOPEN=")
    async def _open(self, call: Call) -> Done:
        cid, slot = call.number(0, 1, 16), self.numbered(call, 1)
        kind, host, port = call.word(2).upper(), call.word(3), call.number(4, 1, 65535)
        call.number(5, 0, 65535, 0)
        mode = call.number(6, 0, 2, 0)
        if kind != "TCP" or not call.args[2].quoted or not call.args[3].quoted:
            raise Refused
        if mode == TRANSPARENT:
            return await self._open_transparent(cid, slot, host, port)
        return Done(then=partial(self._say_open, cid, slot, host, port, mode))

    async def _connect(self, cid: int, slot: Slot, host: str, port: int, mode: int) -> int | None:
        """The <err> of an open; None when it was given up meanwhile."""
        if cid not in self._up:
            return OPEN_CONTEXT_FAILED
        if slot.state != "INITIAL":
            return IDENTITY_USED
        self._modes[slot.number], self._read[slot.number] = mode, 0
        opened = await self.dial(slot, host, port, CONNECT_TIMEOUT_S)
        if opened is None:
            return None
        if opened is not Opened.OK:
            slot.clear()
        return OPEN_ERRORS[opened]

    async def _say_open(self, cid: int, slot: Slot, host: str, port: int, mode: int) -> None:
        error = await self._connect(cid, slot, host, port, mode)
        if error is None:
            return
        self._last_error = error
        self.info("+QIOPEN", f"{slot.number},{error}")
        if not error and slot.air is not None:
            slot.air.attach(slot)

    async def _open_transparent(self, cid: int, slot: Slot, host: str, port: int) -> Done:
        error = await self._connect(cid, slot, host, port, TRANSPARENT)
        self._last_error = error or 0
        if error != 0 or slot.air is None:
            raise Refused
        await self._stay_online(slot)
        return NO_RESULT

    @at("+QISWTMD=")
    async def _switch_mode(self, call: Call) -> Done:
        slot, mode = self.numbered(call), call.number(1, 0, 2)
        if not slot.open:
            raise Refused
        self._modes[slot.number] = mode
        if mode != TRANSPARENT:
            return Done()
        await self._stay_online(slot)
        return NO_RESULT

    async def resume_data(self) -> bool:
        slot = next((slot for slot in self.slots if slot.open and self._modes.get(slot.number) == TRANSPARENT), None)
        if slot is None:
            return False
        await self._stay_online(slot)
        return True

    async def _stay_online(self, slot: Slot) -> None:
        """Owns the line until +++ between two silences, or until the peer closes (application note, 2.3)."""
        self.t.begin_data()
        self.t.result("CONNECT")
        self._streaming = slot
        if slot.air is not None:
            slot.air.attach(slot)
        while self._streaming is slot and slot.air is not None:
            since = self.t.heard_at
            data = await self.t.some(self.READ_LIMIT)
            if data == ESCAPE and self.board.clock.time() - since >= self.settings.guard:
                late = await self.t.some(self.READ_LIMIT, self.settings.guard)
                if not late:
                    self._streaming = None
                    self.t.result("OK")
                    return
                data += late
            while data and slot.open:
                data = data[slot.air.send(data) :]
                if data:
                    await slot.air.room(min(len(data), MOST_SENT), 60.0)

    @at("+QICLOSE=")
    async def _close(self, call: Call) -> None:
        slot = self.numbered(call)
        call.number(1, 0, 65535, 10)
        if slot.air is not None and slot.open:
            slot.air.close()
            await self.board.clock.sleep(self.settings.rtt)
        slot.clear()

    @at("+QISTATE=")
    async def _socket_state(self, call: Call) -> None:
        if call.number(0, 0, 1):
            self._say_state(self.numbered(call, 1))
        else:
            for slot in self.slots:
                self._say_state(slot)

    @at("+QISTATE?", "+QISTATE")
    async def _socket_states(self, call: Call) -> None:
        for slot in self.slots:
            self._say_state(slot)

    def _say_state(self, slot: Slot) -> None:
        if slot.state != "INITIAL":
            mode = self._modes.get(slot.number, 0)
            peer = f'"{slot.address}",{slot.port},4097'
            self.info("+QISTATE", f'{slot.number},"TCP",{peer},{STATES[slot.state]},1,{slot.number},{mode},"usbat"')

    @at("+QIGETERROR")
    async def _error(self, call: Call) -> None:
        words = {0: "operate successfully", DNS_FAILED: "DNS parse failed", CONNECT_FAILED: "socket connect failed"}
        self.info("+QIGETERROR", f"{self._last_error},{words.get(self._last_error, 'operation failed')}")

    # data

    def data_came(self, slot: Slot) -> None:
        if slot.air is None:
            return
        if self._streaming is slot:
            self.t.raw(slot.air.read(1 << 20))
        elif self._modes.get(slot.number) == PUSH:
            data = slot.air.read(self.READ_LIMIT)
            self.t.block(f'+QIURC: "recv",{slot.number},{len(data)}', data, "\r\n")
        elif not slot.announced:
            slot.announced = True
            self.info("+QIURC", f'"recv",{slot.number}')

    def say_closed(self, slot: Slot, by: str) -> None:
        if self._streaming is slot:
            self._streaming = None
            self.t.line("NO CARRIER")
            self.t.wake()
        else:
            self.info("+QIURC", f'"closed",{slot.number}')

    @at("+QISEND=")
    async def _send(self, call: Call) -> Done:
        slot = self.numbered(call)
        if call.has(1) and call.number(1, 0, MOST_SENT) == 0:
            self._say_counters(slot)
            return Done()
        if not slot.open:
            raise Refused
        await self.prompt(self.PROMPT)
        if call.has(1):
            data: bytes | None = await self.payload(call.number(1, 1, MOST_SENT))
        else:
            data = await self.t.until_ctrl_z(MOST_SENT)
            await self.board.clock.sleep(self.settings.accept_delay)
        self.t.result("OK" if data is None else self._take(slot, data))
        return NO_RESULT

    def _say_counters(self, slot: Slot) -> None:
        if slot.air is None:
            raise Refused
        sent, acked = self.sent_and_acked(slot)
        self.info("+QISEND", f"{sent},{acked},{max(sent - acked, 0)}")

    def _take(self, slot: Slot, data: bytes) -> str:
        """All or nothing; SEND FAIL tells that the buffer is full."""
        fault = self.board.faults.on_send()
        if slot.air is None or not slot.open:
            return "ERROR"
        if fault is False or slot.air.free < len(data):
            return "SEND FAIL"
        part = data[: self.board.faults.take_limit(len(data))]
        slot.air.send(part)
        return "SEND FAIL" if fault or len(part) < len(data) else "SEND OK"

    @at("+QIRD=")
    async def _receive(self, call: Call) -> None:
        slot = self.numbered(call)
        limit = call.number(1, 0, self.READ_LIMIT, self.READ_LIMIT)
        if slot.air is None:
            raise Refused
        if not limit:
            read = self._read.get(slot.number, 0)
            self.info("+QIRD", f"{slot.air.received},{read},{slot.unread}")
            return
        data = slot.air.read(limit)
        slot.announced = bool(slot.unread)
        self._read[slot.number] = self._read.get(slot.number, 0) + len(data)
        self.t.block(f"+QIRD: {len(data)}", data, "\r\n") if data else self.info("+QIRD", 0)

    # names, identity, power

    @at("+QIDNSGIP=")
    async def _resolve(self, call: Call) -> Done:
        cid, host = call.number(0, 1, 16), call.word(1)
        if cid not in self._up:
            raise Refused
        return Done(then=partial(self._say_address, host))

    async def _say_address(self, host: str) -> None:
        address = await self.board.air.resolve(host)
        if address is None:
            self.info("+QIURC", f'"dnsgip",{DNS_FAILED}')
            return
        self.info("+QIURC", f'"dnsgip",0,1,{DNS_TTL_S}')
        self.info("+QIURC", f'"dnsgip","{address}"')

    @at("+QIDNSCFG=")
    async def _nameservers(self, call: Call) -> None:
        call.number(0, 1, 16)
        if len(call) == 1:
            self.info("+QIDNSCFG", f'{call.word(0)},"10.64.0.2","10.64.0.3"')

    @at("+QCCID")
    async def _iccid(self, call: Call) -> None:
        self.need_sim()
        self.info("+QCCID", self.settings.iccid)

    @at("+QPINC?")
    async def _pin_tries(self, call: Call) -> None:
        self.info("+QPINC", f'"SC",{self.radio.pin_attempts},10')
        self.info("+QPINC", '"P2",3,10')

    @at("+QPINC=")
    async def _pin_tries_of(self, call: Call) -> None:
        self.info("+QPINC", f'"{call.word(0)}",{self.radio.pin_attempts},10')

    @at("+QNWINFO")
    async def _network(self, call: Call) -> None:
        self.info("+QNWINFO", f'"FDD LTE","{self.settings.plmn}","LTE BAND 12",5035')

    @at("+QPOWD", "+QPOWD=")
    async def _power_down(self, call: Call) -> Done:
        return Done(then=self._say_powered_down)

    async def _say_powered_down(self) -> None:
        self.t.line("POWERED DOWN")
        self.board.restart()

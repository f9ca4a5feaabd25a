"""SIM800 (and SIM808, SIM868, SIM900): the CIPSTART family, 2G.

Source: the SIM800 Series AT Command Manual V1.09, chapter 8 (TCP/IP) and 4.2 (bearers), and modems.md 1.3. Its traits: several commands
have no OK (CIFSR, CIPSHUT, CIPCLOSE, the results of CIPSEND), the order CSTT, CIICR, CIFSR is enforced by states, and PDP DEACT has one
way out, CIPSHUT.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from mmsproxy.simulator.air import OWN_ADDRESS, Opened
from mmsproxy.simulator.command import NO_RESULT, Call, Done, Refused, at
from mmsproxy.simulator.common import BIT, NOT_ALLOWED, NUMBER, CommonCommands
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.simcom import SimcomSockets
from mmsproxy.simulator.sockets import Slot

MOST_SENT = 1460
ACK_TIMEOUT_S = 645.0  # manual p. 216: then CLOSE is reported
CONNECT_TIMEOUT_S = 75.0
UP = ("IP GPRSACT", "IP STATUS", "IP PROCESSING", "TCP CONNECTING", "CONNECT OK", "TCP CLOSING", "TCP CLOSED")


class Sim800(SimcomSockets):
    """See the module. `phase` is the manual's IP state as far as it does not follow from the sockets."""

    MANUFACTURER = "SIMCOM_Ltd"
    MODEL = "SIMCOM_SIM800L"
    REVISION = "Revision:1418B05SIM800L24"
    BANNERS = ("RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready")
    SOCKETS = 6
    READ_LIMIT = 1460
    PROMPT = "\r\n> "
    REPORT_ROUTES = (0, 1)  # python-gsmmodem 60
    REPORT_STORAGE = False
    PARAMS: ClassVar[dict[str, Param]] = {
        **CommonCommands.PARAMS,
        "+CIPQSEND": Param("0", (BIT,), "(0,1)"),
        "+CIPHEAD": Param("0", (BIT,), "(0,1)"),
        "+CIPSRIP": Param("0", (BIT,), "(0,1)"),
        "+CIPSHOWTP": Param("0", (BIT,), "(0,1)"),
        "+CIPSPRT": Param("1", ("[012]",), "(0-2)"),
        "+CIPATS": Param("0,0", (BIT, NUMBER), "(0,1),(0-100)"),
        "+CIPMODE": Param("0", (BIT,), "(0-NORMAL MODE,1-TRANSPARENT MODE)"),
        "+CIPCCFG": Param(
            "5,2,1024,1,0,1460,50", ("[3-8]", NUMBER, NUMBER, BIT, BIT, NUMBER, NUMBER), "(3-8),(2-10),(1-1460),(0,1),(0,1),(1-1460),(50)"
        ),
        "+CIPTKA": Param("1,7200,75,9", (BIT, NUMBER, NUMBER, "[0-9]"), "(0-1),(30-7200),(30-600),(1-9)"),
        "+CDNSCFG": Param('"0.0.0.0","0.0.0.0"', ("[0-9.]{7,15}", "[0-9.]{7,15}"), '("Primary DNS"),("Secondary DNS")'),
        "+CIPCSGP": Param('1,"CMNET","",""', ("1", ".{0,50}", ".{0,50}", ".{0,50}"), "0-CSD,1-GPRS"),
        "+CLTS": Param("0", (BIT,), '"+CLTS",(0,1)'),
        "+CBATCHK": Param("0", (BIT,), "(0,1)"),
        "+CIPSSL": Param("0", ("0",), "(0)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        **CommonCommands.TESTS,
        "+CIPMUX": "(0,1)",
        "+CIPSTART": '(0-5),("TCP","UDP"),("(0-255).(0-255).(0-255).(0-255)"),(1-65535)',
        "+CIPSEND": "(0-5),<length>",
        "+CIPRXGET": "(0-4),(0-5),(1-1460)",
        "+CSTT": '"APN","USER","PWD"',
        "+CIPCLOSE": "(0-5),(0,1)",
        "+SAPBR": '(0-5),(1-3),"ConParamTag","ConParamValue"',
        "+CDNSGIP": '"DOMAIN NAME"',
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.phase = "IP INITIAL"
        self._mux = False
        self._apn = ("CMNET", "", "")
        self._profiles: dict[int, dict[str, str]] = {}
        self._bearers: set[int] = set()

    def identity(self) -> list[str]:
        return ["SIM800 R14.18"]

    def multi(self) -> bool:
        return self._mux

    # states

    @property
    def state(self) -> str:
        """The manual's state name (8.2.12)."""
        if self.phase != "IP STATUS":
            return self.phase
        if self._mux:
            return "IP PROCESSING" if any(slot.state != "INITIAL" for slot in self.slots) else "IP STATUS"
        names = {"INITIAL": "IP STATUS", "CONNECTING": "TCP CONNECTING", "CONNECTED": "CONNECT OK", "CLOSED": "TCP CLOSED"}
        return names[self.slots[0].state]

    def bearer_lost(self) -> None:
        self._bearers.clear()
        if self.phase in ("IP INITIAL", "IP START"):
            return
        self.drop_all("bearer")
        self.phase = "PDP DEACT"
        self.t.line("+PDP: DEACT")

    def radio_off(self) -> None:
        self.bearer_lost()

    @at("+CIPMUX?")
    async def _mux_mode(self, call: Call) -> None:
        self.info("+CIPMUX", int(self._mux))

    @at("+CIPMUX=")
    async def _set_mux(self, call: Call) -> None:
        mux = bool(call.number(0, 0, 1))
        if self.phase != "IP INITIAL" or (mux and self.number("+CIPMODE")):
            raise Refused
        self._mux = mux

    @at("+CIPMODE=")
    async def _set_mode(self, call: Call) -> None:
        if self.phase != "IP INITIAL" or (self._mux and call.number(0, 0, 1)):
            raise Refused
        self.store(call)

    @at("+CSTT?")
    async def _show_apn(self, call: Call) -> None:
        self.info("+CSTT", ",".join(f'"{value}"' for value in self._apn))

    @at("+CSTT=", "+CSTT")
    async def _start_task(self, call: Call) -> None:
        if self.phase != "IP INITIAL":
            raise Refused
        if len(call):
            self._apn = (call.word(0, ""), call.word(1, ""), call.word(2, ""))
        self.phase = "IP START"

    @at("+CIICR")
    async def _bring_up(self, call: Call) -> None:
        if self.phase != "IP START":
            raise Refused
        await self._start_bearer()

    async def _start_bearer(self) -> None:
        self.phase = "IP CONFIG"
        if not await self.radio.grant(self._apn[0]):
            self.phase = "PDP DEACT"
            self.t.line("+PDP: DEACT")
            raise Refused
        self.phase = "IP GPRSACT"

    @at("+CIFSR")
    async def _own_address(self, call: Call) -> Done:
        if self.phase not in UP:
            raise Refused
        self.phase = "IP STATUS"
        self.t.line(OWN_ADDRESS)
        return NO_RESULT

    @at("+CIPSHUT")
    async def _shut(self, call: Call) -> Done:
        self.drop_all("local")
        await self.board.clock.sleep(self.settings.rtt)
        self.phase = "IP INITIAL"
        self.t.result("SHUT OK")
        return NO_RESULT

    @at("+CIPSTATUS")
    async def _status(self, call: Call) -> Done:
        return Done(then=self._say_status)

    async def _say_status(self) -> None:
        self.t.line(f"STATE: {self.state}")
        if self._mux:
            self.t.lines([f"C: {self._client(slot)}" for slot in self.slots])

    @at("+CIPSTATUS=")
    async def _socket_status(self, call: Call) -> None:
        if not self._mux:
            raise Refused
        self.info("+CIPSTATUS", self._client(self.slot(call)[0]))

    def _client(self, slot: Slot) -> str:
        if slot.state == "INITIAL":
            return f'{slot.number},,"","","","INITIAL"'
        return f'{slot.number},0,"TCP","{slot.address or slot.host}","{slot.port}","{slot.state}"'

    # connections

    @at("+CIPSTART=")
    async def _start(self, call: Call) -> Done:
        slot, index = self.slot(call)
        kind, host, port = call.word(index).upper(), call.word(index + 1), call.number(index + 2, 1, 65535)
        if kind != "TCP" or not call.args[index].quoted:
            raise Refused
        if slot.state in ("CONNECTING", "CONNECTED"):
            return self._already(slot)
        if self.phase != "IP STATUS" and (self._mux or self.phase != "IP INITIAL"):
            raise Refused(NOT_ALLOWED)
        if self.number("+CIPMODE"):
            return await self._start_transparent(slot, host, port)
        return Done(then=partial(self._connect, slot, host, port))

    def _already(self, slot: Slot) -> Done:
        self.t.result(self.error(Refused(NOT_ALLOWED)))
        self.t.line(self.form(slot, "ALREADY CONNECT"))
        return NO_RESULT

    async def _connect(self, slot: Slot, host: str, port: int) -> None:
        if await self._open(slot, host, port) and slot.air is not None:
            self.t.line(self.form(slot, "CONNECT OK"))
            slot.air.attach(slot)

    async def _open(self, slot: Slot, host: str, port: int) -> bool:
        """False when it failed (said) or was given up meanwhile."""
        if self.phase == "IP INITIAL":  # single connection: CSTT, CIICR and CIFSR are implied (8.2.2)
            try:
                await self._start_bearer()
            except Refused:
                self.t.line("CONNECT FAIL")
                return False
            self.phase = "IP STATUS"
        opened = await self.dial(slot, host, port, CONNECT_TIMEOUT_S)
        if opened is not None and opened is not Opened.OK:
            if not self._mux:
                self.t.line("STATE: TCP CLOSED")
            self.t.line(self.form(slot, "CONNECT FAIL"))
        return opened is Opened.OK

    async def _start_transparent(self, slot: Slot, host: str, port: int) -> Done:
        self.t.result("OK")
        if await self._open(slot, host, port) and slot.air is not None:
            self.online = slot
            slot.air.attach(slot)
            await self.stay_online(slot, "CONNECT")
        return NO_RESULT

    async def resume_data(self) -> bool:
        slot = self.slots[0]
        if not self.number("+CIPMODE") or not slot.open:
            return False
        await self.stay_online(slot, "CONNECT")
        return True

    def say_closed(self, slot: Slot, by: str) -> None:
        self.t.line(self.form(slot, "CLOSED"))

    @at("+CIPCLOSE", "+CIPCLOSE=")
    async def _close(self, call: Call) -> Done:
        slot, index = self.slot(call)
        quick = call.number(index, 0, 1, 0)
        if not slot.open or slot.air is None:
            raise Refused(NOT_ALLOWED)
        slot.air.close()
        if not quick:
            await self.board.clock.sleep(self.settings.rtt)
        slot.clear()
        slot.state = "INITIAL" if self._mux else "CLOSED"
        self.t.result(self.form(slot, "CLOSE OK"))
        return NO_RESULT

    # sending

    @at("+CIPSEND?")
    async def _free(self, call: Call) -> None:
        for slot in self.slots if self._mux else self.slots[:1]:
            size = min(MOST_SENT, max(slot.air.free, 0)) if slot.open and slot.air is not None else 0
            self.info("+CIPSEND", f"{slot.number},{size}" if self._mux else size)

    @at("+CIPSEND", "+CIPSEND=")
    async def _send(self, call: Call) -> Done:
        slot, index = self.slot(call)
        size = call.number(index, 1, MOST_SENT, 0)
        if not slot.open:
            raise Refused(NOT_ALLOWED)
        await self.prompt(self.PROMPT if self.number("+CIPSPRT") == 1 else "")
        if size:
            data: bytes | None = await self.payload(size)
        else:
            data = await self.t.until_ctrl_z(MOST_SENT)
            await self.board.clock.sleep(self.settings.accept_delay)
        if data is not None and self.number("+CIPSPRT") == 2:
            await self._transmit(slot, data)
        elif data is not None:
            self.t.result(await self._transmit(slot, data))
        else:
            self.t.result("OK")  # ESC: nothing was sent
        return NO_RESULT

    async def _transmit(self, slot: Slot, data: bytes) -> str:
        """The result line of a send."""
        failed = self.form(slot, "SEND FAIL")
        fault = self.board.faults.on_send()
        if slot.air is None or fault is False or not await slot.air.room(len(data), self.settings.window_wait):
            return failed
        part = data[: self.board.faults.take_limit(len(data))]
        taken = slot.air.send(part)
        if fault or taken < len(data):
            return failed
        if self.number("+CIPQSEND"):
            return f"DATA ACCEPT:{slot.number},{len(data)}" if self._mux else f"DATA ACCEPT:{len(data)}"
        return self.form(slot, "SEND OK") if await slot.air.all_acked(ACK_TIMEOUT_S) else failed

    # reading

    def nothing_to_read(self, call: Call, slot: Slot) -> None:
        number = f"{slot.number}," if self._mux else ""
        self.info("+CIPRXGET", f"{call.word(0)},{number}0,0")

    def reading_ends(self) -> str:
        return ""

    def push(self, slot: Slot, data: bytes) -> None:
        """+RECEIVE with numbers; without, raw bytes, after +IPD only where CIPHEAD asks for it."""
        if self.number("+CIPSRIP"):
            self.t.raw(f"\r\nRECV FROM:{slot.address}:{slot.port}\r\n".encode())
        if self._mux:
            self.t.raw(f"\r\n+RECEIVE,{slot.number},{len(data)}:\r\n".encode() + data)
        elif self.number("+CIPHEAD"):
            protocol = "TCP," if self.number("+CIPSHOWTP") else ""
            self.t.raw(f"\r\n+IPD,{protocol}{len(data)}:".encode() + data)
        else:
            self.t.raw(data)

    # names and the application bearer

    @at("+CDNSGIP=")
    async def _resolve(self, call: Call) -> Done:
        return Done(then=partial(self._say_address, call.word(0)))

    async def _say_address(self, host: str) -> None:
        if self.phase not in UP:
            self.info("+CDNSGIP", "0,3")
            return
        address = await self.board.air.resolve(host)
        self.info("+CDNSGIP", f'1,"{host}","{address}"' if address else "0,8")

    @at("+SAPBR=")
    async def _bearer(self, call: Call) -> None:
        """The bearer of the built-in HTTP and MMS clients; sockets do not need it, drivers set it up all the same."""
        action, cid = call.number(0, 0, 5), call.number(1, 1, 3)
        profile = self._profiles.setdefault(cid, {})
        if action == 3:
            profile[call.word(2).upper()] = call.word(3, "")
        elif action == 1:
            if cid in self._bearers or not await self.radio.grant(profile.get("APN", "")):
                raise Refused
            self._bearers.add(cid)
        elif action == 2:
            up = cid in self._bearers
            self.info("+SAPBR", f'{cid},{1 if up else 3},"{OWN_ADDRESS if up else "0.0.0.0"}"')
        elif action == 0:
            if cid not in self._bearers:
                raise Refused
            self._bearers.discard(cid)

    @at("+CCID", "+ICCID")
    async def _iccid(self, call: Call) -> None:
        self.need_sim()
        self.t.line(self.settings.iccid)

    @at("+CPOWD=")
    async def _power_down(self, call: Call) -> Done:
        call.number(0, 0, 1)
        self.t.line("NORMAL POWER DOWN")
        return Done(ok=False, then=self._restart)

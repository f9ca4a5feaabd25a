"""SIM7500, SIM7600, A76xx: the NETOPEN / CIPOPEN family, LTE.

Source: the SIM7500_SIM7600 Series AT Command Manual (chapter TCP/IP) and modems.md 1.4. Its traits: NETOPEN's 0 means success where
NETOPEN?'s 0 means closed, the deciding line comes after OK, CIPSEND says how many bytes the buffer took.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from mmsproxy.simulator.air import OWN_ADDRESS, Opened
from mmsproxy.simulator.command import NO_RESULT, Call, Done, Refused, at
from mmsproxy.simulator.common import BIT, NUMBER, CommonCommands
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.simcom import SimcomSockets, Slot

MOST_SENT = 1500
ACK_TIMEOUT_S = 120.0
# <err> of the TCP/IP commands (modems.md 1.4)
NETWORK_FAILURE, NOT_OPENED, WRONG_PARAMETER, NOT_SUPPORTED, TIME_OUT, DNS_FAILED = 1, 2, 3, 4, 10, 11
OPEN_ERRORS = {
    Opened.OK: 0,
    Opened.UNKNOWN_NAME: DNS_FAILED,
    Opened.REFUSED: TIME_OUT,
    Opened.UNREACHABLE: TIME_OUT,
    Opened.TIMED_OUT: TIME_OUT,
}
CLOSE_REASONS = {"local": 0, "peer": 1, "reset": 3}


class Sim7600(SimcomSockets):
    """See the module."""

    MANUFACTURER = "SIMCOM INCORPORATED"
    MODEL = "SIMCOM_SIM7600G-H"
    REVISION = "LE20B04SIM7600G22"
    BANNERS = ("*ATREADY: 1", "+CPIN: READY", "SMS DONE", "PB DONE")
    FIXED_BAUD = 115200
    DEFAULT_BEARER = True
    ACCESS_TECHNOLOGY = 7
    SOCKETS = 10
    READ_LIMIT = 1500
    PROMPT = "\r\n>"
    PARAMS: ClassVar[dict[str, Param]] = {
        **CommonCommands.PARAMS,
        "+CEREG": Param("0", ("[012]",), "(0-2)"),
        "+CIPMODE": Param("0", (BIT,), "(0-1)"),
        "+CIPSENDMODE": Param("0", (BIT,), "(0-1)"),
        "+CIPCCFG": Param(
            "10,0,0,1,1,0,500",
            ("[0-9]|10", NUMBER, "0", BIT, BIT, BIT, NUMBER),
            "(0-10),(0-1000),(0),(0-1),(0-1),(0),(500-120000)",
        ),
        "+CIPTIMEOUT": Param("120000,120000,120000", ("[0-9]{4,6}",) * 3, "(3000-120000),(3000-120000),(3000-120000)"),
        "+CIPHEAD": Param("1", (BIT,), "(0,1)"),
        "+CIPSRIP": Param("1", (BIT,), "(0,1)"),
        "+CSOCKSETPN": Param("1", ("[0-9]|1[0-6]",), "(1-16)"),
        "+CSCLK": Param("0", (BIT,), "(0,1)"),
        "+CNMP": Param("2", (NUMBER,), "(2,9,10,13,14,19,22,38,39,51,54,59,60,63,67)"),
        "+CTZU": Param("0", (BIT,), "(0,1)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        **CommonCommands.TESTS,
        "+IPR": "(0,300,600,1200,2400,4800,9600,19200,38400,57600,115200,230400,460800,921600,3000000,3200000,3686400)",
        "+CGDCONT": '(1-24,100-179),"IP",,,(0-2),(0-4),(0-1),(0-1)',
        "+CIPOPEN": '(0-9),("TCP","UDP")',
        "+CIPSEND": "(0-9),(1-1500)",
        "+CIPRXGET": "(0-4),(0-9),(1-1500)",
        "+CIPCLOSE": "(0-9)",
        "+CGAUTH": '(1-16),(0-3),"PASSWORD","USER"',
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._network = "closed"  # closed, opening, open
        self._auth: dict[int, tuple[int, str, str]] = {}
        self.pull = False

    def identity(self) -> list[str]:
        return [
            f"Manufacturer: {self.MANUFACTURER}",
            f"Model: {self.MODEL}",
            f"Revision: {self.REVISION}",
            f"IMEI: {self.settings.imei}",
            "+GCAP: +CGSM",
        ]

    def multi(self) -> bool:
        return True

    def context_kinds(self) -> tuple[str, ...]:
        return ("IP", "IPV6", "IPV4V6", "PPP")

    def address_form(self, address: str) -> str:
        return address

    # states

    def bearer_lost(self) -> None:
        if self._network != "open":
            return
        self._network = "closed"
        self.drop_all("bearer")
        self.t.line("+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY")

    def radio_off(self) -> None:
        self.bearer_lost()

    @at("+NETOPEN?")
    async def _network_state(self, call: Call) -> None:
        self.info("+NETOPEN", int(self._network == "open"))

    @at("+NETOPEN")
    async def _open_network(self, call: Call) -> Done:
        if self._network != "closed":
            raise Refused(lines=("+IP ERROR: Network is already opened",))
        self._network = "opening"
        return Done(then=self._say_opened)

    async def _say_opened(self) -> None:
        context = self.radio.contexts.get(self.number("+CSOCKSETPN"))
        granted = context is not None and await self.radio.grant(context.apn)
        if self._network != "opening":
            return
        self._network = "open" if granted else "closed"
        if granted and context is not None:
            context.active = True
        self.info("+NETOPEN", 0 if granted else NETWORK_FAILURE)

    @at("+NETCLOSE")
    async def _close_network(self, call: Call) -> Done:
        if self._network != "open":
            raise Refused(lines=(f"+NETCLOSE: {NOT_OPENED}",))
        return Done(then=self._say_closed_network)

    async def _say_closed_network(self) -> None:
        self.drop_all("local")
        await self.board.clock.sleep(self.settings.rtt)
        self._network = "closed"
        self.info("+NETCLOSE", 0)

    def _need_network(self, line: str = "+IP ERROR: Network not opened") -> None:
        if self._network != "open":
            raise Refused(lines=(line,))

    @at("+IPADDR")
    async def _own_address(self, call: Call) -> None:
        self._need_network()
        self.info("+IPADDR", OWN_ADDRESS)

    @at("+CIPMODE=")
    async def _set_mode(self, call: Call) -> None:
        if self._network != "closed":
            raise Refused
        self.store(call)

    @at("+CEREG?")
    async def _eps_registration(self, call: Call) -> None:
        self.info("+CEREG", f"{self.value('+CEREG')},{self.registration('+CEREG', self.radio.attached)}")

    @at("+CGCONTRDP", "+CGCONTRDP=")
    async def _context_details(self, call: Call) -> None:
        wanted = [call.number(0, 1, 16)] if len(call) else sorted(self.radio.contexts)
        for cid in wanted:
            details = self.primary_context(cid)
            if details is not None:
                self.info("+CGCONTRDP", details)

    @at("+CGAUTH=")
    async def _set_auth(self, call: Call) -> None:
        cid, kind = call.number(0, 1, 16), call.number(1, 0, 3, 0)
        if kind and not call.has(2):
            raise Refused
        self._auth[cid] = (kind, call.word(2, ""), call.word(3, ""))

    @at("+CGAUTH?")
    async def _show_auth(self, call: Call) -> None:
        for cid, (kind, _, user) in sorted(self._auth.items()):
            self.info("+CGAUTH", f'{cid},{kind},"{user}"')

    # connections

    @at("+CIPOPEN?")
    async def _connections(self, call: Call) -> None:
        for slot in self.slots:
            self.info("+CIPOPEN", f'{slot.number},"TCP","{slot.address}",{slot.port},-1' if slot.open else f"{slot.number}")

    @at("+CIPOPEN=")
    async def _open(self, call: Call) -> Done:
        slot, index = self.slot(call)
        kind, host, port = call.word(index).upper(), call.word(index + 1), call.number(index + 2, 1, 65535)
        if kind != "TCP" or not call.args[index].quoted or not call.args[index + 1].quoted:
            raise Refused
        self._need_network(f"+CIPOPEN: {slot.number},{NOT_OPENED}")
        if slot.state in ("CONNECTING", "CONNECTED"):
            raise Refused(lines=(f"+CIPOPEN: {slot.number},{NOT_SUPPORTED}",))
        if self.number("+CIPMODE"):
            return await self._open_transparent(slot, host, port)
        return Done(then=partial(self._say_open, slot, host, port))

    async def _say_open(self, slot: Slot, host: str, port: int) -> None:
        opened = await self.dial(slot, host, port, self.number("+CIPTIMEOUT", 1) / 1000)
        if opened is None:
            return
        if opened is not Opened.OK:
            slot.clear()
        self.info("+CIPOPEN", f"{slot.number},{OPEN_ERRORS[opened]}")
        if slot.air is not None:
            slot.air.attach(slot)

    async def _open_transparent(self, slot: Slot, host: str, port: int) -> Done:
        if slot.number:
            raise Refused(lines=(f"+CIPOPEN: {slot.number},{WRONG_PARAMETER}",))
        opened = await self.dial(slot, host, port, self.number("+CIPTIMEOUT", 1) / 1000)
        if opened is not Opened.OK or slot.air is None:
            self.t.result("CONNECT FAIL")
            return NO_RESULT
        self.online = slot
        slot.air.attach(slot)
        await self.stay_online(slot, f"CONNECT {self.board.uart.fixed_baud or 115200}")
        return NO_RESULT

    async def resume_data(self) -> bool:
        slot = self.slots[0]
        if not self.number("+CIPMODE") or not slot.open:
            return False
        await self.stay_online(slot, f"CONNECT {self.board.uart.fixed_baud or 115200}")
        return True

    def say_closed(self, slot: Slot, by: str) -> None:
        self.info("+IPCLOSE", f"{slot.number},{CLOSE_REASONS.get(by, 1)}")

    @at("+CIPCLOSE?")
    async def _open_sockets(self, call: Call) -> None:
        self.info("+CIPCLOSE", ",".join(str(int(slot.open)) for slot in self.slots))

    @at("+CIPCLOSE=")
    async def _close(self, call: Call) -> Done:
        slot, _ = self.slot(call)
        if not slot.open or slot.air is None:
            slot.clear()
            raise Refused(lines=(f"+CIPCLOSE: {slot.number},{NOT_SUPPORTED if self._network == 'open' else NOT_OPENED}",))
        slot.air.close()
        return Done(then=partial(self._say_close, slot))

    async def _say_close(self, slot: Slot) -> None:
        await self.board.clock.sleep(self.settings.rtt)
        slot.clear()
        self.info("+CIPCLOSE", f"{slot.number},0")

    # sending

    @at("+CIPSEND=")
    async def _send(self, call: Call) -> Done:
        slot, index = self.slot(call)
        if call.has(index) and call.number(index, 0, 99999) not in range(1, MOST_SENT + 1):
            raise Refused(lines=(f"+CIPERROR: {WRONG_PARAMETER}",))
        self._need_network(f"+CIPERROR: {NOT_OPENED}")
        if not slot.open:
            raise Refused(lines=(f"+CIPERROR: {NOT_SUPPORTED}",))
        await self.prompt(self.PROMPT)
        if call.has(index):
            data: bytes | None = await self.payload(call.number(index, 1, MOST_SENT))
        else:
            data = await self.t.until_ctrl_z(MOST_SENT)
            await self.board.clock.sleep(self.settings.accept_delay)
        if data is None:
            raise Refused
        taken = self._take(slot, data)
        return Done(then=partial(self._say_sent, slot, len(data), taken))

    def _take(self, slot: Slot, data: bytes) -> int:
        """How many bytes the buffer took; -1 when the connection is lost."""
        fault = self.board.faults.on_send()
        if slot.air is None or not slot.open:
            return -1
        if fault is False:
            return 0
        taken = slot.air.send(data[: self.board.faults.take_limit(len(data))])
        return 0 if fault else taken

    async def _say_sent(self, slot: Slot, size: int, taken: int) -> None:
        if self.number("+CIPSENDMODE") and taken > 0 and slot.air is not None and not await slot.air.all_acked(ACK_TIMEOUT_S):
            taken = -1
        self.info("+CIPSEND", f"{slot.number},{size},{taken}")

    # reading

    def nothing_to_read(self, call: Call, slot: Slot) -> None:
        if slot.air is None:
            raise Refused(lines=("+IP ERROR: No connection",) if self._network == "open" else ("+IP ERROR: Network not opened",))
        raise Refused(lines=("+IP ERROR: No data",))

    def reading_ends(self) -> str:
        return ""

    def push(self, slot: Slot, data: bytes) -> None:
        """RECV FROM and +IPD without comma; both can be switched off, and then bytes come with no frame at all."""
        if self.number("+CIPSRIP"):
            self.t.raw(f"\r\nRECV FROM:{slot.address}:{slot.port}\r\n".encode())
        head = f"+IPD{len(data)}\r\n".encode() if self.number("+CIPHEAD") else b""
        self.t.raw((b"" if self.number("+CIPSRIP") else b"\r\n") + head + data)

    # names, identity, power

    @at("+CDNSGIP=")
    async def _resolve(self, call: Call) -> None:
        self._need_network(f"+CDNSGIP: 0,{NOT_OPENED}")
        host = call.word(0)
        address = await self.board.air.resolve(host)
        if address is None:
            raise Refused(lines=("+CDNSGIP: 0,8",))
        self.info("+CDNSGIP", f'1,"{host}","{address}"')

    @at("+CICCID")
    async def _iccid(self, call: Call) -> None:
        self.need_sim()
        self.info("+ICCID", self.settings.iccid)

    @at("+CPSI?")
    async def _system(self, call: Call) -> None:
        plmn = self.settings.plmn
        there = f"LTE,Online,{plmn[:3]}-{plmn[3:]},0x1A2B,29613077,310,EUTRAN-BAND12,5035,3,3,-94,-872,-584,12"
        self.info("+CPSI", there if self.radio.registered else "NO SERVICE,Online")

    @at("+SPIC")
    async def _pin_tries(self, call: Call) -> None:
        self.info("+SPIC", f"{self.radio.pin_attempts},10,0,10")

    @at("+CRESET")
    async def _reset(self, call: Call) -> Done:
        return Done(then=self._restart)

    @at("+CPOF")
    async def _power_off(self, call: Call) -> Done:
        return Done(then=self._restart)

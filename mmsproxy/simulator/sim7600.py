"""SIM7600 (and SIM7500, A76xx): the NETOPEN / CIPOPEN family, LTE.

Source: the SIM7500/SIM7600 Series AT Command Manual V2.00 and TCP/IP application note, and modems.md 1.4. Its traits: commands answer OK
and a deciding line follows; sockets are always numbered; without AT+CIPRXGET=1 data are pushed; a query of an empty buffer is an error.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from mmsproxy.simulator.air import OWN_ADDRESS, Opened
from mmsproxy.simulator.command import NO_RESULT, Call, Done, Refused, at
from mmsproxy.simulator.common import BIT, NUMBER, CommonCommands
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.simcom import SimcomSockets
from mmsproxy.simulator.sockets import Slot

MOST_SENT = 1500
ACK_TIMEOUT_S = 120.0

# <err> of NETOPEN, NETCLOSE, CIPOPEN, CIPSEND, CIPCLOSE (application note, appendix)
NETWORK_FAILURE, NET_NOT_OPENED, WRONG_PARAMETER, NOT_SUPPORTED, BUSY, SOCKETS_OPENED, TIMED_OUT, DNS_FAILED = 1, 2, 3, 4, 8, 9, 10, 11
OPEN_ERRORS = {
    Opened.OK: 0,
    Opened.UNKNOWN_NAME: DNS_FAILED,
    Opened.REFUSED: NETWORK_FAILURE,
    Opened.UNREACHABLE: NETWORK_FAILURE,
    Opened.TIMED_OUT: TIMED_OUT,
}

# <err_info> of +IP ERROR: text, or its number under errMode 0 of AT+CIPCCFG
IP_ERRORS = {"Network is already opened": 4, "Network not opened": 8, "Connection is not created": 11, "No data": 22}


class Sim7600(SimcomSockets):
    """See the module."""

    MANUFACTURER = "SIMCOM INCORPORATED"
    MODEL = "SIMCOM_SIM7600G-H"
    REVISION = "+CGMR: LE20B04SIM7600G22"
    BANNERS = ("*ATREADY: 1", "+CPIN: READY", "SMS DONE", "PB DONE")
    FIXED_BAUD = 115200
    DEFAULT_BEARER = True
    LINE_LIMIT = 1024
    ACCESS_TECHNOLOGY = 7
    SOCKETS = 10
    READ_LIMIT = 1500
    PROMPT = "\r\n>"
    REPORT_ROUTES = (0, 2)  # Qualcomm, whatever =? lists (ModemManager mm-broadband-modem.c)
    PARAMS: ClassVar[dict[str, Param]] = {
        **CommonCommands.PARAMS,
        "+CMEE": Param("2", ("[012]",), "(0-2)"),
        "+CEREG": Param("0", ("[012]",), "(0-2)"),
        "+CIPMODE": Param("0", (BIT,), "(0-1)"),
        "+CIPSENDMODE": Param("0", (BIT,), "(0-1)"),
        "+CIPHEAD": Param("1", (BIT,), "(0-1)"),
        "+CIPSRIP": Param("1", (BIT,), "(0-1)"),
        "+CIPTIMEOUT": Param("120000,120000,120000", (r"[0-9]{4,6}",) * 3, "(3000-120000),(3000-120000),(3000-120000)"),
        "+CIPCCFG": Param(
            "10,0,0,1,0,0,500", ("[0-9]|10", "[0-9]{1,4}", "0", BIT, BIT, BIT, NUMBER), "(0-10),(0-1000),(0),(0-1),(0-1),(0-1),(500-120000)"
        ),
        "+CSOCKSETPN": Param("1,0", ("[1-9]|1[0-6]", "0"), "(1-16)"),
        "+CGAUTH": Param("1,0", ("[1-9]|1[0-6]", "[0-3]", ".{0,127}", ".{0,127}"), '(1-16),(0-3),"PASSWD","USER"'),
        "+CSOCKAUTH": Param("1,0", ("[1-9]|1[0-6]", "[0-2]", ".{0,127}", ".{0,127}"), '(1-16),(0-2),"PASSWD","USER"'),
        "+CNMP": Param("2", ("2|13|14|38|19|39|48|51|54|60|63|67",), "(2,13,14,38,19,39,48,51,54,60,63,67)"),
        "+CTZU": Param("1", (BIT,), "(0,1)"),
        "+CVHU": Param("0", ("[012]",), "(0-2)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        **CommonCommands.TESTS,
        "+IPR": "(0,300,600,1200,2400,4800,9600,19200,38400,57600,115200,230400,460800,921600,3000000,3200000,3686400)",
        "+CGDCONT": '(1-16),"IP",,,(0-2),(0-4)',
        "+CIPOPEN": '(0-9),"TCP"',
        "+CIPSEND": "(0-9),(1-1500)",
        "+CIPRXGET": "(0-4),(0-9),(1-1500)",
        "+CIPCLOSE": "(0-9)",
        "+CDNSGIP": '"DOMAIN NAME"',
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._net = "closed"  # opening, open, or lost by the network

    def identity(self) -> list[str]:
        return [
            f"Manufacturer: {self.MANUFACTURER}",
            f"Model: {self.MODEL}",
            f"Revision: {self.REVISION.removeprefix('+CGMR: ')}",
            f"IMEI: {self.settings.imei}",
            "+GCAP: +CGSM",
        ]

    def multi(self) -> bool:
        return True

    def context_kinds(self) -> tuple[str, ...]:
        return ("IP", "IPV6", "IPV4V6")

    def address_form(self, address: str) -> str:
        return address

    def ip_error(self, text: str) -> Refused:
        """+IP ERROR, as errMode of AT+CIPCCFG wants it, then ERROR."""
        return Refused(lines=(f"+IP ERROR: {text if self.number('+CIPCCFG', 3) else IP_ERRORS[text]}",))

    # the network

    @at("+NETOPEN?")
    async def _net_state(self, call: Call) -> None:
        self.info("+NETOPEN", f"1,{self.number('+CIPMODE')}" if self._net == "open" else "0")

    @at("+NETOPEN", "+NETOPEN=")
    async def _net_open(self, call: Call) -> Done:
        if self._net in ("open", "opening"):
            raise self.ip_error("Network is already opened")
        self._net = "opening"
        return Done(then=self._open_net)

    async def _open_net(self) -> None:
        context = self.radio.contexts.get(self.number("+CSOCKSETPN"))
        granted = context is not None and await self.radio.grant(context.apn)
        if self._net != "opening":
            return
        self._net = "open" if granted else "closed"
        if granted and context is not None:
            context.active = True
        self.info("+NETOPEN", 0 if granted else NETWORK_FAILURE)

    @at("+NETCLOSE")
    async def _net_close(self, call: Call) -> Done:
        if self._net not in ("open", "lost"):
            raise Refused(lines=(f"+NETCLOSE: {NET_NOT_OPENED}",))
        return Done(then=self._close_net)

    async def _close_net(self) -> None:
        self.drop_all("local")
        await self.board.clock.sleep(self.settings.rtt)
        self._net = "closed"
        self.info("+NETCLOSE", 0)

    def bearer_lost(self) -> None:
        if self._net == "open":
            self.drop_all("bearer")
            self._net = "lost"
            self.t.line("+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY")
        elif self._net == "opening":
            self._net = "closed"
            self.info("+NETOPEN", NETWORK_FAILURE)

    def radio_off(self) -> None:
        self.bearer_lost()

    @at("+IPADDR")
    async def _own_address(self, call: Call) -> None:
        if self._net != "open":
            raise self.ip_error("Network not opened")
        self.info("+IPADDR", OWN_ADDRESS)

    @at("+CDNSGIP=")
    async def _resolve(self, call: Call) -> None:
        host = call.word(0)
        address = await self.board.air.resolve(host) if self._net == "open" else None
        if address is None:
            raise Refused(lines=(f"+CDNSGIP: 0,{DNS_FAILED if self._net == 'open' else NET_NOT_OPENED}",))
        self.info("+CDNSGIP", f'1,"{host}","{address}"')

    # connections

    @at("+CIPOPEN?")
    async def _connections(self, call: Call) -> None:
        for slot in self.slots:
            tail = f',"TCP","{slot.address}",{slot.port},-1' if slot.open else ""
            self.info("+CIPOPEN", f"{slot.number}{tail}")

    @at("+CIPOPEN=")
    async def _open(self, call: Call) -> Done:
        slot, index = self.slot(call)
        kind, host, port = call.word(index).upper(), call.word(index + 1), call.number(index + 2, 1, 65535)
        if self._net != "open":
            raise self._refuse_open(slot, NET_NOT_OPENED)
        if kind != "TCP" or slot.state in ("CONNECTING", "CONNECTED"):
            raise self._refuse_open(slot, NOT_SUPPORTED)
        if self.number("+CIPMODE"):
            return await self._open_transparent(slot, host, port)
        return Done(then=partial(self._connect, slot, host, port))

    def _refuse_open(self, slot: Slot, error: int) -> Refused:
        return Refused(lines=(f"+CIPOPEN: {slot.number},{error}",))

    async def _connect(self, slot: Slot, host: str, port: int) -> None:
        opened = await self.dial(slot, host, port, self.number("+CIPTIMEOUT", 1) / 1000)
        if opened is None:
            return
        self.info("+CIPOPEN", f"{slot.number},{OPEN_ERRORS[opened]}")
        if slot.air is not None:
            slot.air.attach(slot)

    async def _open_transparent(self, slot: Slot, host: str, port: int) -> Done:
        if slot.number != 0:
            raise self._refuse_open(slot, NOT_SUPPORTED)
        opened = await self.dial(slot, host, port, self.number("+CIPTIMEOUT", 1) / 1000)
        if opened is Opened.OK and slot.air is not None:
            self.online = slot
            slot.air.attach(slot)
            await self.stay_online(slot, self._connected())
        else:
            self.t.result("CONNECT FAIL")
        return NO_RESULT

    def _connected(self) -> str:
        return f"CONNECT {self.board.uart.fixed_baud or self.settings.line_rate or self.FIXED_BAUD}"

    async def resume_data(self) -> bool:
        slot = self.slots[0]
        if not self.number("+CIPMODE") or not slot.open:
            return False
        await self.stay_online(slot, self._connected())
        return True

    def say_closed(self, slot: Slot, by: str) -> None:
        self.info("+IPCLOSE", f"{slot.number},{1 if by == 'peer' else 3}")

    @at("+CIPCLOSE?")
    async def _states(self, call: Call) -> None:
        self.info("+CIPCLOSE", ",".join(str(int(slot.open)) for slot in self.slots))

    @at("+CIPCLOSE=")
    async def _close(self, call: Call) -> Done:
        slot, _ = self.slot(call)
        if not slot.open or slot.air is None:
            raise Refused(lines=(f"+CIPCLOSE: {slot.number},{NOT_SUPPORTED if self._net == 'open' else NET_NOT_OPENED}",))
        slot.air.close()
        slot.clear()
        return Done(then=partial(self._say_close, slot))

    async def _say_close(self, slot: Slot) -> None:
        await self.board.clock.sleep(self.settings.rtt)
        if self.number("+CIPMODE"):
            self.t.line("CLOSED")
        self.info("+CIPCLOSE", f"{slot.number},0")

    # sending

    @at("+CIPSEND=")
    async def _send(self, call: Call) -> Done:
        slot, index = self.slot(call)
        size = self._size(call, index)
        if self._net != "open":
            raise self._send_error(NET_NOT_OPENED)
        if not slot.open:
            raise self._send_error(NOT_SUPPORTED)
        await self.prompt(self.PROMPT)
        if size:
            data: bytes | None = await self.payload(size)
        else:
            data = await self.t.until_ctrl_z(MOST_SENT)
        if data is None:
            raise Refused  # ESC: nothing was sent
        return await self._transmit(slot, data)

    def _size(self, call: Call, index: int) -> int:
        """0 where the length was left out: up to Ctrl-Z."""
        if not call.has(index):
            if len(call) <= index:
                raise Refused
            return 0
        size = call.number(index, 1, 99999)
        if size > MOST_SENT:
            raise self._send_error(WRONG_PARAMETER)
        return size

    def _send_error(self, error: int) -> Refused:
        return Refused(lines=(f"+CIPERROR: {error}",))

    async def _transmit(self, slot: Slot, data: bytes) -> Done:
        fault = self.board.faults.on_send()
        if fault is not None:
            if fault and slot.air is not None:
                slot.air.send(data)
            raise self._send_error(NETWORK_FAILURE)
        confirmed = -1
        if slot.air is not None and slot.air.open:
            confirmed = slot.air.send(data[: self.board.faults.take_limit(len(data))])
        return Done(then=partial(self._confirm, slot, len(data), confirmed))

    async def _confirm(self, slot: Slot, asked: int, confirmed: int) -> None:
        air = slot.air
        if confirmed > 0 and air is not None and self.number("+CIPSENDMODE") and not await air.all_acked(ACK_TIMEOUT_S):
            confirmed = -1
        self.info("+CIPSEND", f"{slot.number},{asked},{confirmed}")

    # reading

    def nothing_to_read(self, call: Call, slot: Slot) -> None:
        raise self.ip_error("No data")

    def reading_ends(self) -> str:
        return "\r\n"

    def push(self, slot: Slot, data: bytes) -> None:
        """RECV FROM and +IPD, or +RECEIVE under header type 1 of AT+CIPCCFG."""
        if self.number("+CIPCCFG", 4):
            self.t.raw(f"\r\n+RECEIVE,{slot.number},{len(data)}\r\n".encode() + data)
            return
        sender = f"\r\nRECV FROM:{slot.address}:{slot.port}" if self.number("+CIPSRIP") else ""
        header = f"\r\n+IPD{len(data)}" if self.number("+CIPHEAD") else ""
        end = "\r\n" if sender or header else ""
        self.t.raw(f"{sender}{header}{end}".encode() + data)

    def counters(self, slot: Slot) -> str:
        if slot.air is None:
            raise self.ip_error("Connection is not created")
        return super().counters(slot)

    # beside the sockets

    @at("+CGSOCKCONT=")
    async def _socket_context(self, call: Call) -> None:
        """The context commands of the older manuals, still in many drivers: the same contexts."""
        await self._define_context(call)

    @at("+CEREG?")
    async def _eps_registration(self, call: Call) -> None:
        self.info("+CEREG", f"{self.value('+CEREG')},{self.registration('+CEREG', self.radio.attached)}")

    @at("+CGCONTRDP", "+CGCONTRDP=")
    async def _context_parameters(self, call: Call) -> None:
        wanted = [call.number(0, 1, 16)] if len(call) else sorted(self.radio.contexts)
        for cid in wanted:
            values = self.primary_context(cid)
            if values is not None:
                self.info("+CGCONTRDP", values)

    @at("+CICCID")
    async def _iccid(self, call: Call) -> None:
        self.need_sim()
        self.info("+ICCID", self.settings.iccid)

    @at("+CPSI?")
    async def _system(self, call: Call) -> None:
        plmn = f"{self.settings.plmn[:3]}-{self.settings.plmn[3:]}"
        there = f"LTE,Online,{plmn},0x1A2B,29611493,310,EUTRAN-BAND4,2300,4,4,-98,-935,-637,15"
        self.info("+CPSI", there if self.radio.attached else "NO SERVICE,Online")

    @at("+CNSMOD?")
    async def _system_mode(self, call: Call) -> None:
        self.info("+CNSMOD", "0,8" if self.radio.attached else "0,0")

    @at("+CRESET", "+CPOF")
    async def _reset(self, call: Call) -> Done:
        return Done(then=self._restart)

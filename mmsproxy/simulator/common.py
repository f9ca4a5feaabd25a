"""The commands that all modems share: V.250, 3GPP TS 27.007 and 27.005, the SIM, the registration.

Law: nothing of a maker's TCP stack. A dialect inherits from this and overrides what its manual says otherwise.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import ClassVar

from mmsproxy.simulator.air import NAMESERVERS, OWN_ADDRESS
from mmsproxy.simulator.command import NO_RESULT, Call, Done, Refused, at
from mmsproxy.simulator.dialect import Board, Param
from mmsproxy.simulator.radio import CONTEXTS, Context
from mmsproxy.simulator.sms import SmsCommands

NUMBER = "[0-9]{1,5}"
BIT = "[01]"

# CME codes, 3GPP TS 27.007 9.2
NOT_ALLOWED, SIM_MISSING, SIM_PIN, SIM_PUK, WRONG_PASSWORD, NO_SERVICE, GPRS_ERROR = 3, 10, 11, 12, 16, 30, 148

# EF -> content, TS 31.102: AD (with the MNC's length 3), GID1 and GID2 (none assigned), SPN ("Simulated")
ELEMENTARY_FILES = {28589: "00000003", 28478: "FFFFFFFF", 28479: "FFFFFFFF", 28486: "0053696D756C61746564FFFFFFFFFFFFFF"}

_RESET = ("+CMEE", "+CREG", "+CGREG")


class CommonCommands(SmsCommands):
    """See the module."""

    PARAMS: ClassVar[dict[str, Param]] = {
        "+CMEE": Param("0", ("[012]",), "(0-2)"),
        "+CREG": Param("0", ("[012]",), "(0-2)"),
        "+CGREG": Param("0", ("[012]",), "(0-2)"),
        "+IFC": Param("0,0", ("[012]", "[012]"), "(0-2),(0-2)"),
        "+ICF": Param("3,3", ("[1-6]", "[0-3]"), "(1-6),(0-3)"),
        "+CSCS": Param('"IRA"', ("IRA|GSM|UCS2|HEX|PCCP|PCDN|8859-1",), '("IRA","GSM","UCS2")'),
        "+CMGF": Param("0", (BIT,), "(0,1)"),
        "+CSMS": Param("0,1,1,1", (BIT,), "(0-1)"),
        "+CNMI": Param("2,1,0,0,0", ("[0-3]", "[0-3]", "[0-3]", "[0-2]", BIT), "(0-3),(0-3),(0-3),(0-2),(0-1)"),
        "+CMMS": Param("0", ("[012]",), "(0-2)"),
        "+CSCA": Param('"+12025550100",145', (r"\+?[0-9]{1,20}", "[0-9]{1,3}")),
        "+CUSD": Param("0", ("[012]",), "(0-2)"),
        "+CLIP": Param("0", (BIT,), "(0,1)"),
        "+CSCLK": Param("0", ("[012]",), "(0-2)"),
        "+CTZR": Param("0", ("[012]",), "(0-2)"),
        "+CTZU": Param("0", (BIT,), "(0,1)"),
        "+CSDH": Param("0", (BIT,), "(0,1)"),
    }
    TESTS: ClassVar[dict[str, str]] = {
        "+IPR": "(0,1200,2400,4800,9600,19200,38400,57600,115200,230400,460800)",
        "+CPMS": '("SM","ME","MT","SR"),("SM","ME","MT"),("SM","ME","MT")',
        "+CMGL": "(0-4)",
        "+CMGD": "(0-255),(0-4)",
        "+CGATT": "(0,1)",
        "+CGACT": "(0,1)",
        "+CFUN": "(0,1,4),(0,1)",
        "+CGDCONT": '(1-16),"IP",,,(0),(0)',
        "+CSQ": "(0-31,99),(0-7,99)",
    }

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.radio.on_registration = self._registration_urc
        self._apply_flow_control()

    # V.250

    @at("E")
    async def _echo(self, call: Call) -> None:
        self.t.echo = bool(call.number(0, 0, 1, 0))

    @at("V")
    async def _verbose(self, call: Call) -> None:
        self.t.verbose = bool(call.number(0, 0, 1, 0))

    @at("Q")
    async def _quiet(self, call: Call) -> None:
        self.t.quiet = bool(call.number(0, 0, 1, 0))

    @at("Z", "&F")
    async def _defaults(self, call: Call) -> None:
        self.t.echo, self.t.verbose, self.t.quiet = True, True, False
        self.reset(_RESET)

    @at("&W")
    async def _save(self, call: Call) -> None:
        self.board.saved.update({name: self.stored(name) for name in (*_RESET, "+IFC")})
        self.board.saved["echo"] = str(int(self.t.echo))
        self.board.saved["baud"] = str(self.board.uart.fixed_baud)

    @at("X", "L", "M", "H", "&C", "&D", "&K", "&S", "&V", "F", "P", "T", "S=", "\\Q")
    async def _accepted(self, call: Call) -> None:
        """Settings of a telephone modem that change nothing here."""

    @at("S?")
    async def _register(self, call: Call) -> None:
        self.t.line({"3": "013", "4": "010", "5": "008"}.get(call.word(0), "000"))

    @at("I")
    async def _identify(self, call: Call) -> None:
        self.t.lines(self.identity())

    def identity(self) -> list[str]:
        """The lines of ATI."""
        return [self.MODEL]

    @at("+CGMI", "+GMI")
    async def _manufacturer(self, call: Call) -> None:
        self.t.line(self.MANUFACTURER)

    @at("+CGMM", "+GMM")
    async def _model(self, call: Call) -> None:
        self.t.line(self.MODEL)

    @at("+CGMR", "+GMR")
    async def _revision(self, call: Call) -> None:
        self.t.line(self.REVISION)

    @at("+CGSN", "+GSN")
    async def _imei(self, call: Call) -> None:
        self.t.line(self.settings.imei)

    @at("+GCAP")
    async def _capabilities(self, call: Call) -> None:
        self.info("+GCAP", "+CGSM")

    @at("+IPR?")
    async def _baud(self, call: Call) -> None:
        self.info("+IPR", self.board.uart.fixed_baud or (self.settings.line_rate or self.FIXED_BAUD if self.FIXED_BAUD else 0))

    @at("+IPR=")
    async def _set_baud(self, call: Call) -> Done:
        baud = call.number(0, 0, 4_000_000)
        if str(baud) not in self.TESTS["+IPR"].strip("()").split(","):
            raise Refused
        return Done(then=partial(self._switch_baud, baud))

    async def _switch_baud(self, baud: int) -> None:
        """The OK still goes out at the old rate."""
        self.board.uart.when_drained(lambda: self.board.uart.set_baud(baud))

    @at("+IFC=")
    async def _flow_control(self, call: Call) -> None:
        self.store(call)
        self._apply_flow_control()

    def _apply_flow_control(self) -> None:
        """The second value is what the modem does when the host sends too fast."""
        self.board.uart.flow_control = self.number("+IFC", 1) == 2

    # SIM

    def need_sim(self) -> None:
        """Raises Refused when the SIM cannot be used."""
        if not self.radio.sim_present:
            raise Refused(SIM_MISSING)
        if self.radio.pin_wanted:
            raise Refused(SIM_PIN if self.radio.pin_attempts else SIM_PUK)

    @at("+CPIN?")
    async def _pin_state(self, call: Call) -> None:
        if not self.radio.sim_present:
            raise Refused(SIM_MISSING)
        self.info("+CPIN", self.radio.pin_state)

    @at("+CPIN=")
    async def _enter_pin(self, call: Call) -> None:
        if not self.radio.pin_wanted:
            raise Refused(NOT_ALLOWED)
        if not self.radio.enter_pin(call.word(0)):
            raise Refused(WRONG_PASSWORD if self.radio.pin_attempts else SIM_PUK)
        self.t.line("+CPIN: READY")

    @at("+CIMI")
    async def _imsi(self, call: Call) -> None:
        self.need_sim()
        self.t.line(self.settings.imsi)

    @at("+CNUM")
    async def _own_number(self, call: Call) -> None:
        self.need_sim()
        if self.settings.number:
            kind = 145 if self.settings.number.startswith("+") else 129
            self.info("+CNUM", f'"","{self.settings.number}",{kind}')

    @at("+CRSM=")
    async def _read_file(self, call: Call) -> None:
        self.need_sim()
        content = ELEMENTARY_FILES.get(call.number(1, 0, 0xFFFF)) if call.number(0, 176, 242) == 176 else None
        self.info("+CRSM", "106,130" if content is None else f'144,0,"{content}"')

    # registration and radio

    @at("+CSQ")
    async def _signal(self, call: Call) -> None:
        self.info("+CSQ", f"{self.settings.signal if self.radio.registered else 99},0")

    def registration(self, name: str, there: bool) -> str:
        """The values of a registration query or URC: 1 registered at home, 2 searching, 0 not."""
        state = 1 if there else (2 if self.radio.functionality == 1 and not self.radio.pin_wanted else 0)
        return f'{state},"1A2B","01C3D4E5"' if there and self.number(name) == 2 else str(state)

    @at("+CREG?")
    async def _cs_registration(self, call: Call) -> None:
        self.info("+CREG", f"{self.value('+CREG')},{self.registration('+CREG', self.radio.registered)}")

    @at("+CGREG?")
    async def _ps_registration(self, call: Call) -> None:
        self.info("+CGREG", f"{self.value('+CGREG')},{self.registration('+CGREG', self.radio.attached)}")

    def _registration_urc(self) -> None:
        for name, there in (("+CREG", self.radio.registered), ("+CGREG", self.radio.attached), ("+CEREG", self.radio.attached)):
            if name in self.PARAMS and self.number(name):
                self.info(name, self.registration(name, there))

    ACCESS_TECHNOLOGY: ClassVar[int] = 0

    @at("+COPS?")
    async def _operator(self, call: Call) -> None:
        if not self.radio.registered:
            self.info("+COPS", "0")
            return
        tail = f",{self.ACCESS_TECHNOLOGY}" if self.ACCESS_TECHNOLOGY else ""
        self.info("+COPS", f'0,0,"{self.settings.operator}"{tail}')

    @at("+COPS=")
    async def _select_operator(self, call: Call) -> None:
        call.number(0, 0, 4)

    @at("+COPS=?")
    async def _list_operators(self, call: Call) -> None:
        name, plmn = self.settings.operator, self.settings.plmn
        self.info("+COPS", f'(2,"{name}","{name}","{plmn}",{self.ACCESS_TECHNOLOGY}),,(0-4),(0-2)')

    @at("+CFUN?")
    async def _functionality(self, call: Call) -> None:
        self.info("+CFUN", self.radio.functionality)

    @at("+CFUN=")
    async def _set_functionality(self, call: Call) -> Done:
        level = call.number(0, 0, 4)
        if level not in (0, 1, 4):
            raise Refused
        if call.number(1, 0, 1, 0):
            return Done(then=self._restart)
        if level != self.radio.functionality:
            self.radio.set_functionality(level)
            if level != 1:
                self.board.air.drop("bearer")
                self.radio_off()
        return Done()

    @abstractmethod
    def radio_off(self) -> None:
        """The radio was switched off: the dialect's bearer is gone."""

    async def _restart(self) -> None:
        self.board.restart()

    @at("+CBC")
    async def _battery(self, call: Call) -> None:
        self.info("+CBC", "0,98,4138")

    @at("+CPAS")
    async def _activity(self, call: Call) -> None:
        self.info("+CPAS", "0")

    @at("+CCLK?")
    async def _time(self, call: Call) -> None:
        self.info("+CCLK", '"04/01/01,00:00:00+00"')  # no network time was received

    # packet domain

    @at("+CGATT?")
    async def _attached(self, call: Call) -> None:
        self.info("+CGATT", int(self.radio.attached))

    @at("+CGATT=")
    async def _attach(self, call: Call) -> None:
        self.need_sim()
        if not call.number(0, 0, 1):
            was_attached = self.radio.attached
            self.radio.detach()
            if was_attached:
                self.radio_off()
                self.board.air.drop("bearer")
        elif not await self.radio.attach():
            raise Refused(NO_SERVICE)

    @at("+CGDCONT?")
    async def _contexts(self, call: Call) -> None:
        for cid, context in sorted(self.radio.contexts.items()):
            address = OWN_ADDRESS if context.active else "0.0.0.0"
            self.info("+CGDCONT", f'{cid},"{context.kind}","{context.apn}","{address}",0,0')

    @at("+CGDCONT=")
    async def _define_context(self, call: Call) -> None:
        cid = call.number(0, 1, CONTEXTS)
        if len(call) == 1:
            self.radio.contexts.pop(cid, None)
            return
        kind = call.word(1).upper()
        if kind not in self.context_kinds():
            raise Refused
        active = self.radio.contexts[cid].active if cid in self.radio.contexts else False
        self.radio.contexts[cid] = Context(kind, call.word(2, ""), active)

    def context_kinds(self) -> tuple[str, ...]:
        return ("IP",)

    @at("+CGACT?")
    async def _active_contexts(self, call: Call) -> None:
        for cid, context in sorted(self.radio.contexts.items()):
            self.info("+CGACT", f"{cid},{int(context.active)}")

    @at("+CGACT=")
    async def _activate(self, call: Call) -> None:
        wanted, cid = call.number(0, 0, 1), call.number(1, 1, CONTEXTS, 1)
        if not wanted:
            if cid in self.radio.contexts:
                self.radio.contexts[cid].active = False
        elif not await self.radio.activate(cid):
            raise Refused(GPRS_ERROR)

    def address_form(self, address: str) -> str:
        return f'"{address}"'

    @at("+CGPADDR=", "+CGPADDR")
    async def _addresses(self, call: Call) -> None:
        wanted = [call.number(i, 1, CONTEXTS) for i in range(len(call))] or sorted(self.radio.contexts)
        for cid in wanted:
            context = self.radio.contexts.get(cid)
            if context is not None:
                self.info("+CGPADDR", f"{cid},{self.address_form(OWN_ADDRESS if context.active else '0.0.0.0')}")

    def primary_context(self, cid: int) -> str | None:
        """The values of +CGCONTRDP for an active context."""
        context = self.radio.contexts.get(cid)
        if context is None or not context.active:
            return None
        first, second = NAMESERVERS
        return f'{cid},5,"{context.apn}","{OWN_ADDRESS}.255.255.255.0","10.64.3.1","{first}","{second}"'

    # data mode

    @at("O")
    async def _online(self, call: Call) -> Done:
        if not await self.resume_data():
            self.t.result("NO CARRIER")
        return NO_RESULT

    async def resume_data(self) -> bool:
        """Back into the transparent mode; False when no connection waits there."""
        return False

"""SMS in the simulated modem: storages, the commands of 3GPP TS 27.005, messages from the network and to it.

Law: knows 27.005 and of a TPDU only its type, its ports and its parts. A message that finds the storage full stays in the network, which
tries again when there is room; the host is told nothing of it, as in the field. Storages and what was sent survive restarts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

from mmsproxy.errors import PduError
from mmsproxy.simulator.command import Call, Refused, at
from mmsproxy.simulator.dialect import Board, Dialect
from mmsproxy.simulator.messages import ME, READ, SENT, SM, SR, UNREAD, UNSENT, Arrival, Message, SentSms, Storage
from mmsproxy.wire.sms_pdu import (
    Address,
    Deliver,
    Direction,
    ServiceCentre,
    Status,
    StatusReport,
    Submit,
    Timestamp,
    decode_hex,
    encode,
)
from mmsproxy.wire.sms_schema import STATUS_REPORT_REQUEST

MAX_TPDU = 164  # octets of a SUBMIT or DELIVER (23.040 9.2)
ALL = 4
LIMIT = 400  # characters kept behind the prompt: more than any PDU
ALIASES = {"MT": ME}  # the phone's and the SIM's as one: here the phone's

# CMS codes, 27.005 3.2.5
NOT_ALLOWED, BAD_PDU, NO_SIM, WANTS_PIN, BAD_INDEX, FULL, NO_NETWORK = 302, 304, 310, 311, 321, 322, 331


class SmsCommands(Dialect):
    """The messages' part of every dialect. REPORT_ROUTES is what +CNMI accepts as <ds>, whatever its =? lists."""

    REPORT_ROUTES: ClassVar[tuple[int, ...]] = (0, 1, 2)
    REPORT_STORAGE: ClassVar[bool] = True

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._memories = [SM] * 3  # read and deleted from, written to, received into: back to the SIM at each boot

    # from the network

    def receive_sms(self, pdu: str, form: Arrival = Arrival.BY_SETTING) -> bool:
        """Whether it was stored or told; False when it waits for room. Raises ValueError for hex that is no message to a mobile."""
        try:
            tpdu = decode_hex(pdu)
        except PduError as error:
            raise ValueError(f"no SMS to a mobile: {error}") from error
        if isinstance(tpdu, StatusReport):
            return self._report_came(Message(pdu), self._by_setting(form, self._report_form()))
        assert isinstance(tpdu, Deliver)
        return self._message_came(Message(pdu), tpdu, self._by_setting(form, self._message_form()))

    def _by_setting(self, form: Arrival, setting: Arrival) -> Arrival:
        return setting if form is Arrival.BY_SETTING else form

    def _message_form(self) -> Arrival:
        return (Arrival.SILENT, Arrival.STORED, Arrival.DIRECT, Arrival.STORED)[self.number("+CNMI", 1)]

    def _report_form(self) -> Arrival:
        return (Arrival.SILENT, Arrival.REPORT_DIRECT, Arrival.REPORT_STORED)[self.number("+CNMI", 3)]

    def _message_came(self, message: Message, tpdu: Deliver, form: Arrival) -> bool:
        if form is Arrival.DIRECT:
            self.t.line(f"+CMT: ,{message.length}\r\n{message.pdu}")
            return True
        name = self._memories[2]
        index = self._storage(name).put(message)
        if index is None:
            self.board.messages.waiting.append((message.pdu, form))
            return False
        if form is not Arrival.SILENT:
            self.info("+CMTI", f'"{name}",{index}{_push_fields(tpdu, form)}')
        return True

    def _report_came(self, message: Message, form: Arrival) -> bool:
        """Without a way to the host a report is lost, as in most modems."""
        if form is Arrival.REPORT_DIRECT:
            self.t.line(f"+CDS: {message.length}\r\n{message.pdu}")
            return True
        if form is not Arrival.REPORT_STORED:
            return False
        name = SR if self.REPORT_STORAGE else self._memories[2]
        index = self._storage(name).put(message)
        if index is not None:
            self.info("+CDSI", f'"{name}",{index}')
        return index is not None

    def _room_again(self) -> None:
        """The network tries again, in order, as long as there is room."""
        waiting, self.board.messages.waiting = self.board.messages.waiting, []
        for pdu, form in waiting:
            self.receive_sms(pdu, form)

    # storages

    def _storage(self, name: str) -> Storage:
        return self.board.messages.storages[ALIASES.get(name, name)]

    def _named(self, call: Call, index: int) -> str:
        name = call.word(index).upper()
        if name in (SM, ME, *ALIASES) or (name == SR and index == 0 and self.REPORT_STORAGE):
            return name
        raise _cms(NOT_ALLOWED)

    @at("+CPMS?")
    async def _storage_state(self, call: Call) -> None:
        self._need_sim()
        self.info("+CPMS", ",".join(f'"{name}",{self._count(name)}' for name in self._memories))

    @at("+CPMS=")
    async def _select_storage(self, call: Call) -> None:
        self._need_sim()
        if not 1 <= len(call) <= 3:
            raise _cms(NOT_ALLOWED)
        self._memories[: len(call)] = [self._named(call, index) for index in range(len(call))]
        self.info("+CPMS", ",".join(self._count(name) for name in self._memories))

    def _count(self, name: str) -> str:
        storage = self._storage(name)
        return f"{len(storage.slots)},{storage.total}"

    @at("+CNMI=")
    async def _indications(self, call: Call) -> None:
        if call.has(3) and call.number(3, 0, 9) not in self.REPORT_ROUTES:
            raise Refused
        self.store(call)

    @at("+CSMS=")
    async def _service(self, call: Call) -> None:
        self.store(call)
        self.info("+CSMS", "1,1,1")

    @at("+CNMA", "+CNMA=")
    async def _acknowledge(self, call: Call) -> None:
        self._need_sim()

    # reading

    @at("+CMGL", "+CMGL=")
    async def _list_messages(self, call: Call) -> None:
        self._need_sim()
        self._need_pdu_mode()
        wanted = call.number(0, UNREAD, ALL, UNREAD)
        for index, message in sorted(self._storage(self._memories[0]).slots.items()):
            if wanted in (ALL, message.status):
                self._show(f"+CMGL: {index},", message)

    @at("+CMGR=")
    async def _read_message(self, call: Call) -> None:
        self._need_sim()
        self._need_pdu_mode()
        message = self._storage(self._memories[0]).slots.get(call.number(0, 0, 255))
        if message is None:
            raise _cms(BAD_INDEX)
        self._show("+CMGR: ", message)

    def _show(self, start: str, message: Message) -> None:
        """Header and PDU as one piece: no URC comes between them."""
        self.t.line(f"{start}{message.status},,{message.length}\r\n{message.pdu}")
        if message.status == UNREAD:
            message.status = READ

    @at("+CMGD=")
    async def _delete_message(self, call: Call) -> None:
        self._need_sim()
        index, which = call.number(0, 0, 255), call.number(1, 0, 4, 0)
        slots = self._storage(self._memories[0]).slots
        for gone in list(_chosen(slots, which)) if which else [index]:
            slots.pop(gone, None)
        self._room_again()

    # sending

    @at("+CMGS=")
    async def _send_message(self, call: Call) -> None:
        """Hex and Ctrl-Z behind the prompt; ESC gives it up with OK (27.005 4.3)."""
        self._need_sim()
        self._need_pdu_mode()
        length = call.number(0, 1, MAX_TPDU)
        pdu = await self._behind_prompt()
        if pdu is None:
            return
        if not _is_submit(pdu, length):
            raise _cms(BAD_PDU)
        if not self.radio.registered:
            raise _cms(NO_NETWORK)
        await self.board.clock.sleep(self.settings.rtt)
        reference = self.board.messages.next_reference()
        self.board.messages.sent.append(SentSms(reference, pdu))
        self.info("+CMGS", reference)
        self.board.spawn(self._report(reference, pdu))

    async def _report(self, reference: int, pdu: str) -> None:
        """What the service centre says of a SUBMIT that asks for it, one way through the network later."""
        status, recipient = self.board.messages.report_status, _wants_report(pdu)
        if status is None or recipient is None:
            return
        await self.board.clock.sleep(self.settings.rtt)
        now = Timestamp.of(datetime.now(UTC))
        report = StatusReport(
            reference=reference, recipient=recipient, timestamp=now, discharge=now, status=Status(status), smsc=ServiceCentre()
        )
        self.receive_sms(encode(report).hex().upper())

    @at("+CMGW=")
    async def _write_message(self, call: Call) -> None:
        """Stores what another modem would send (mem2)."""
        self._need_sim()
        self._need_pdu_mode()
        length, status = call.number(0, 1, MAX_TPDU), call.number(1, UNREAD, SENT, UNSENT)
        pdu = await self._behind_prompt()
        if pdu is None:
            return
        if not re.fullmatch(r"(?:[0-9A-F]{2})+", pdu) or Message(pdu).length != length:
            raise _cms(BAD_PDU)
        index = self._storage(self._memories[1]).put(Message(pdu, status))
        if index is None:
            raise _cms(FULL)
        self.info("+CMGW", index)

    async def _behind_prompt(self) -> str | None:
        """What the host gives up to Ctrl-Z, in capitals; None when it gives up by ESC."""
        await self.prompt("\r\n> ")
        given = await self.t.until_ctrl_z(LIMIT)
        if given is None:
            return None
        if self.t.echo:
            self.t.raw(given)
        return given.decode("latin-1").strip().upper()

    # conditions

    def _need_sim(self) -> None:
        if not self.radio.sim_present:
            raise _cms(NO_SIM)
        if self.radio.pin_wanted:
            raise _cms(WANTS_PIN)

    def _need_pdu_mode(self) -> None:
        """Text mode is not simulated: a driver that has not set PDU mode is refused."""
        if self.number("+CMGF"):
            raise _cms(NOT_ALLOWED)


def _cms(code: int) -> Refused:
    return Refused(text=f"+CMS ERROR: {code}")


def _push_fields(tpdu: Deliver, form: Arrival) -> str:
    """The further fields of SIMCom's +CMTI: that it is a push, and of how many parts this is which."""
    if form not in (Arrival.MMS_PUSH, Arrival.MMS_PUSH_PARTS):
        return ""
    header = tpdu.user_data.header
    place = header.concatenation if header is not None else None
    if form is Arrival.MMS_PUSH or place is None:
        return ',"MMS PUSH"'
    return f',"MMS PUSH",{place.total},{place.sequence}'


def _chosen(slots: dict[int, Message], which: int) -> Iterator[int]:
    """27.005 3.5.4 <delflag>: 1 read, 2 and sent, 3 and unsent, 4 all."""
    gone = ((), (READ,), (READ, SENT), (READ, SENT, UNSENT), (UNREAD, READ, SENT, UNSENT))[which]
    return (index for index, message in slots.items() if message.status in gone)


def _is_submit(pdu: str, length: int) -> bool:
    if not re.fullmatch(r"(?:[0-9A-F]{2})+", pdu) or Message(pdu).length != length:
        return False
    first = int(pdu[2 + 2 * int(pdu[:2], 16) :][:2], 16)
    return first & 0b11 == 0b01


def _wants_report(pdu: str) -> Address | None:
    """The recipient, when the SUBMIT asks for a report and its address can be read."""
    try:
        submit = decode_hex(pdu, direction=Direction.MO)
    except PduError:
        return None
    if not isinstance(submit, Submit) or not submit.first_octet & STATUS_REPORT_REQUEST:
        return None
    return submit.destination

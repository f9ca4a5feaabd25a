"""SMS dialogues byte for byte, as a foreign terminal sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mmsproxy.simulator.messages import Arrival
from mmsproxy.simulator.modem import SimulatedModem
from mmsproxy.wire.sms_compose import WAP_PUSH, data_bodies, delivers
from mmsproxy.wire.sms_pdu import ServiceCentre, encode

BenchRun = Callable[..., Awaitable[SimulatedModem]]
# Two TPDUs of one's own making, checked by hand: a DELIVER "hi" from +12025550123, and a report for reference 7, delivered.
DELIVER = "00040B912120550521F300006211421043650002E834"
DELIVER_LENGTH = len(DELIVER) // 2 - 1
REPORT = "0006070B912120550521F3621142104365006211421043650000"
SUBMIT = "0001000B912120550521F3000002E834"
SUBMIT_LENGTH = len(SUBMIT) // 2 - 1
PUSH = [encode(tpdu).hex().upper() for tpdu in delivers(
    "+12025550123", data_bodies(bytes(200), reference=9, ports=WAP_PUSH), when=datetime(2026, 11, 24, 12, tzinfo=UTC), smsc=ServiceCentre()
)]  # fmt: skip


@pytest.mark.parametrize("dialect", ["sim800", "sim7600", "sim7080", "quectel", "ublox", "telit"])
async def test_every_model_stores_reads_and_deletes(bench: BenchRun, dialect: str) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ok("AT+CMGF=0", "AT+CNMI=2,1,0,0,0")
        assert b.call(lambda: b.modem.receive_sms(DELIVER))
        b.dte.expect('\r\n+CMTI: "SM",1\r\n')
        b.dte.ask("AT+CPMS?", '|+CPMS: "SM",1,20,"SM",1,20,"SM",1,20||OK|')
        b.dte.ask("AT+CMGL=4", f"|+CMGL: 1,0,,{DELIVER_LENGTH}|{DELIVER}||OK|")
        b.dte.ask("AT+CMGL=0", "|OK|")
        b.dte.ask("AT+CMGR=1", f"|+CMGR: 1,,{DELIVER_LENGTH}|{DELIVER}||OK|")
        b.dte.ok("AT+CMGD=1")
        b.dte.ask("AT+CMGR=1", "|+CMS ERROR: 321|")

    await bench(script, dialect=dialect)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (Arrival.STORED, '|+CMTI: "SM",1|'),
        (Arrival.MMS_PUSH, '|+CMTI: "SM",1,"MMS PUSH"|'),
        (Arrival.MMS_PUSH_PARTS, '|+CMTI: "SM",1,"MMS PUSH",2,2|'),
        (Arrival.DIRECT, f"|+CMT: ,{len(PUSH[1]) // 2 - 1}|{PUSH[1]}|"),
    ],
)
async def test_forms_of_a_message(bench: BenchRun, form: Arrival, told: str) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.call(lambda: b.modem.receive_sms(PUSH[1], form))
        b.dte.expect(told.replace("|", "\r\n"))

    await bench(script, dialect="sim800")


async def test_reports_go_as_the_setting_says(bench: BenchRun) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        assert not b.call(lambda: b.modem.receive_sms(REPORT))
        b.dte.ask("AT+CNMI=2,1,2,1,0", "|ERROR|")
        b.dte.ok("AT+CNMI=2,1,2,2,0")
        assert b.call(lambda: b.modem.receive_sms(REPORT))
        b.dte.expect('\r\n+CDSI: "SR",1\r\n')
        b.dte.ask('AT+CPMS="SR"', "|+CPMS: 1,10,0,20,0,20||OK|")
        b.dte.ask("AT+CMGR=1", f"|+CMGR: 0,,{len(REPORT) // 2 - 1}|{REPORT}||OK|")

    await bench(script, dialect="sim7600")


async def test_a_sim800_gives_reports_directly_only(bench: BenchRun) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ask("AT+CNMI=2,1,2,2,0", "|ERROR|")
        b.dte.ok("AT+CNMI=2,1,2,1,0")
        assert b.call(lambda: b.modem.receive_sms(REPORT))
        b.dte.expect(f"\r\n+CDS: {len(REPORT) // 2 - 1}\r\n{REPORT}\r\n")
        b.dte.ask('AT+CPMS="SR"', "|+CMS ERROR: 302|")

    await bench(script, dialect="sim800")


@pytest.mark.parametrize("dialect", ["sim800", "sim7600"])
async def test_sending(bench: BenchRun, dialect: str) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        for reference in (1, 2):
            b.dte.ask(f"AT+CMGS={SUBMIT_LENGTH}", "|> ")
            b.dte.send(SUBMIT.lower() + "\x1a")
            b.dte.expect(f"\r\n+CMGS: {reference}\r\n\r\nOK\r\n")
        b.dte.ask(f"AT+CMGS={SUBMIT_LENGTH}", "|> ")
        b.dte.send(SUBMIT[:6] + "\x1b")
        b.dte.expect("\r\nOK\r\n")
        b.dte.ask(f"AT+CMGS={SUBMIT_LENGTH + 1}", "|> ")
        b.dte.send(SUBMIT + "\x1a")
        b.dte.expect("\r\n+CMS ERROR: 304\r\n")
        b.dte.ask("AT+CMGS=0", "|ERROR|")

    modem = await bench(script, dialect=dialect)
    assert [(sms.reference, sms.pdu) for sms in modem.sms_sent] == [(1, SUBMIT), (2, SUBMIT)]


@pytest.mark.parametrize(("status", "last"), [(0x00, "00"), (0x46, "46"), (None, None)])
async def test_a_report_for_who_asks(bench: BenchRun, status: int | None, last: str | None) -> None:
    asking = SUBMIT[:2] + "21" + SUBMIT[4:]

    def script(b: Any) -> None:
        b.modem.messages.report_status = status
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ok("AT+CMGF=0", "AT+CNMI=2,1,0,1,0")
        for pdu in (SUBMIT, asking, asking[:6] + "FF" + asking[8:]):  # the last one's address cannot be read
            b.dte.ask(f"AT+CMGS={SUBMIT_LENGTH}", "|> ")
            b.dte.send(pdu + "\x1a")
            b.dte.expect("\r\n+CMGS: ")
            b.dte.until("OK\r\n")
            if pdu == asking and last is not None:
                b.dte.expect("\r\n+CDS: 25\r\n0006020B912120550521F3")
                assert b.dte.until("\r\n").strip().endswith(last)
        b.dte.silent()

    await bench(script, dialect="sim800")


async def test_the_conditions_of_sending(bench: BenchRun) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ok("AT+CMGF=1")
        b.dte.ask(f"AT+CMGS={SUBMIT_LENGTH}", "|+CMS ERROR: 302|")
        b.dte.ok("AT+CMGF=0")
        b.call(b.modem.lose_coverage)
        b.dte.ask(f"AT+CMGS={SUBMIT_LENGTH}", "|> ")
        b.dte.send(SUBMIT + "\x1a")
        b.dte.expect("\r\n+CMS ERROR: 331\r\n")
        b.call(b.modem.lose_sim)
        b.dte.expect("\r\n+CPIN: NOT READY\r\n")
        b.dte.ask("AT+CMGL=4", "|+CMS ERROR: 310|")

    modem = await bench(script)
    assert modem.sms_sent == []


async def test_a_full_storage_stops_messages_silently_until_there_is_room(bench: BenchRun) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ok("AT+CNMI=2,0,0,0,0")
        assert all(b.call(lambda: b.modem.receive_sms(DELIVER)) for _ in range(20))
        b.dte.ok("AT+CNMI=2,1,0,0,0")
        assert not b.call(lambda: b.modem.receive_sms(DELIVER))
        b.dte.silent()
        b.dte.ask("AT+CMGD=7", '|+CMTI: "SM",7||OK|')
        b.dte.ask("AT+CMGD=1,4", "|OK|")
        b.dte.ask("AT+CPMS?", '|+CPMS: "SM",0,20,"SM",0,20,"SM",0,20||OK|')

    await bench(script)


async def test_storages_survive_a_restart_and_the_choice_does_not(bench: BenchRun) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ask('AT+CPMS="ME","ME","ME"', "|+CPMS: 0,23,0,23,0,23||OK|")
        b.call(lambda: b.modem.receive_sms(DELIVER))
        b.dte.expect('\r\n+CMTI: "ME",0\r\n')
        b.call(b.modem.restart)
        b.dte.until("PB DONE\r\n")
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ask('AT+CPMS="ME"', "|+CPMS: 1,23,0,20,0,20||OK|")

    await bench(script)


async def test_storing_by_the_host(bench: BenchRun) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ask(f"AT+CMGW={SUBMIT_LENGTH}", "|> ")
        b.dte.send(SUBMIT + "\x1a")
        b.dte.expect("\r\n+CMGW: 1\r\n\r\nOK\r\n")
        b.dte.ask("AT+CMGL=2", f"|+CMGL: 1,2,,{SUBMIT_LENGTH}|{SUBMIT}||OK|")
        b.dte.ask("AT+CMGL=4", f"|+CMGL: 1,2,,{SUBMIT_LENGTH}|{SUBMIT}||OK|")

    await bench(script)


async def test_what_is_no_message_to_a_mobile_is_refused() -> None:
    async with SimulatedModem() as modem:
        for pdu in ("", "00zz", SUBMIT):
            with pytest.raises(ValueError, match="no SMS to a mobile"):
                modem.receive_sms(pdu)


@pytest.mark.parametrize(("dialect", "listed"), [("sim800", '"SM","ME","MT"'), ("sim7600", '"SM","ME","MT","SR"')])
async def test_the_storages_that_are_told_are_those_that_are_taken(bench: BenchRun, dialect: str, listed: str) -> None:
    def script(b: Any) -> None:
        b.dte.send("ATE0\r")
        b.dte.expect("ATE0\r\r\nOK\r\n")
        b.dte.ask("AT+CPMS=?", f'|+CPMS: ({listed}),("SM","ME","MT"),("SM","ME","MT")||OK|')

    await bench(script, dialect=dialect)

"""Messages of MMS software as rows: what is stored of them, what survives a restart, who is refused before anything is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mmsproxy.errors import AnswerTimeout, ConnectError, StoreUnavailable
from mmsproxy.link import LinkStatus, Phase
from mmsproxy.post.admission import Rules
from mmsproxy.post.caps import Caps
from mmsproxy.post.desk import Report
from mmsproxy.post.job import Door, RecipientState, State
from mmsproxy.post.policy import Limits
from mmsproxy.web import mm1_messages

SEND = bytes.fromhex("8c80 98543100 8d92 890181 97 2b313535353132333030303000 84a300")
OK = bytes.fromhex("8c81 98543100 8d92 9280 8b") + b"m1@mmsc\0"
TO = b"\x97+15551230000\0"
SILENT = {"body": None, "phase": Phase.LAST_BYTE, "error": AnswerTimeout("silent")}
NO_WAY = {"body": None, "phase": Phase.OPEN, "error": ConnectError("refused")}

Ask = Callable[..., Awaitable[Any]]


def status_of(heard: Any) -> tuple[int, int]:
    """HTTP and Response-Status of an answer of our own."""
    assert heard.body[8] == 0x92
    return heard.status, heard.body[9]


def request(pdu: bytes, *fields: str) -> bytes:
    head = ["POST / HTTP/1.1", "Host: localhost", *fields, f"Content-Length: {len(pdu)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + pdu


@pytest.fixture
def ask(caller: Any) -> Ask:
    async def asked(pdu: bytes = SEND, *fields: str) -> Any:
        return await caller.ask(request(pdu, *fields))

    return asked


async def test_the_row_has_what_people_and_policy_look_for(mm1: Any, line: Any, ask: Ask) -> None:
    await mm1(line)
    pdu = SEND.replace(TO, TO + b"\x82+15551230001/TYPE=PLMN\0\x81a@b.example\0\x96Hello\0\x86\x80")
    assert (await ask(pdu, "X-Mine: 1", "Cookie: secret", "Connection: X-Hop", "X-Hop: 1")).status == 200
    message = await mm1.message()
    assert (message.job.door, message.job.state, message.job.line) == (Door.MM1, State.SENT, "one")
    assert [person.number for person in message.recipients] == ["+15551230000", "+15551230001", "a@b.example"]
    assert (message.client, message.transaction_id, message.subject, message.delivery_report) == ("127.0.0.1", "T1", "Hello", True)
    kept = await mm1.store.pdu(message.job)
    assert (kept.data, kept.headers) == (pdu, (("X-Mine", "1"),))
    assert (await mm1.store.pdu(message.job, "answer")).data == OK


@pytest.mark.parametrize("script", [{}, SILENT, {"body": OK.replace(b"\x92\x80", b"\x92\xe0")}, {"body": OK.replace(b"T1", b"T2")}])
async def test_an_outcome_survives_a_restart(mm1: Any, line: Any, ask: Ask, script: dict[str, Any]) -> None:
    line.will(script)
    await mm1(line)
    first = await ask()
    await mm1.restart()
    second = await ask()
    assert (second.status, second.body, second.headers["content-type"]) == (first.status, first.body, first.headers["content-type"])
    assert len(line.posted) == 1


async def test_a_message_that_was_cut_off_at_its_last_byte_is_unknown_after_the_restart(mm1: Any, line: Any, ask: Ask, caller: Any) -> None:
    await mm1(line)
    line.hold(Phase.LAST_BYTE)
    wire = await caller.call()
    await wire.say(request(SEND))
    while not line.held:
        await asyncio.sleep(0.01)
    await mm1.outbox.stop(0)  # as a crash leaves it: nobody settles the attempt
    await mm1.restart()
    assert status_of(await ask()) == (504, 0x86)
    assert len(line.posted) == 1


async def test_stored_outcomes_are_kept_for_their_time(mm1: Any, line: Any, ask: Ask) -> None:
    await mm1(line)
    await ask()
    mm1.skew = 3590.0
    await ask()
    assert len(line.posted) == 1
    mm1.skew = 3700.0
    assert (await ask()).status == 200
    assert len(line.posted) == 2


async def test_a_refusal_for_good_is_kept_for_ten_minutes(mm1: Any, line: Any, ask: Ask) -> None:
    refusal = OK.replace(b"\x92\x80", b"\x92\xe3")
    line.will({"body": refusal}, {})
    await mm1(line)
    for skew in (0.0, 590.0):
        mm1.skew = skew
        assert (await ask()).body == refusal
    mm1.skew = 700.0
    assert (await ask()).body == OK
    assert len(line.posted) == 2


async def test_an_unknown_is_resolved_as_sent_or_as_failed(mm1: Any, line: Any, ask: Ask) -> None:
    line.will(SILENT, {})
    await mm1(line)
    other = SEND.replace(b"0000\0", b"0001\0")
    assert status_of(await ask()) == (504, 0x86)
    sent = await mm1.message()
    await mm1.store.resolve(sent.job.id, State.SENT)
    heard = await ask()
    assert (heard.status, heard.headers["x-mmsproxy-origin"]) == (200, "gateway")
    assert heard.body == bytes.fromhex("8c81 98543100 8d92 9280 8b") + f"mmsproxy-{sent.job.id}".encode() + b"\0"
    line.will(SILENT, {})
    assert (await ask(other)).status == 504
    await mm1.store.resolve((await mm1.message()).job.id, State.FAILED)
    assert (await ask(other)).body == OK
    assert len(line.posted) == 3


async def test_an_unknown_that_a_report_proves_has_the_reports_message_id(mm1: Any, line: Any, ask: Ask) -> None:
    pdu = SEND.replace(TO, TO + b"\x86\x80")  # it asked for the report
    line.will(SILENT)
    await mm1(line)
    await ask(pdu)
    await mm1.store.report(Report("m-77", "+15551230000", RecipientState.DELIVERED, "Retrieved", mm1.store.database.now() + 1))
    heard = await ask(pdu)
    assert (heard.status, heard.body[-6:]) == (200, b"\x8bm-77\0")
    assert len(line.posted) == 1


async def test_a_report_that_was_not_asked_for_proves_nothing(mm1: Any, line: Any, ask: Ask) -> None:
    line.will(SILENT)
    await mm1(line)
    await ask()
    await mm1.store.report(Report("m-77", "+15551230000", RecipientState.DELIVERED, "Retrieved", mm1.store.database.now() + 1))
    assert (await ask()).status == 504
    assert (await mm1.message()).job.state is State.UNKNOWN


@pytest.mark.parametrize(
    ("pdu", "rule"),
    [
        (SEND.replace(TO, b"\x9790099\0"), b"denied_number"),
        (SEND.replace(TO, b"\x97not a number\0"), b"invalid_number"),
        (SEND.replace(TO, TO + b"\x97+15551230001\0\x97+15551230002\0"), b"too_many_recipients"),
        (SEND.replace(TO, b"\x97+15551239999\0"), b"opted_out"),
    ],
)
async def test_a_refusal_by_policy_names_the_rule_and_keeps_nothing(mm1: Any, line: Any, ask: Ask, pdu: bytes, rule: bytes) -> None:
    await mm1(line)
    mm1.store.rules = Rules(recipients=2)
    await mm1.store.set_optout("+15551239999")
    heard = await ask(pdu)
    assert status_of(heard) == (403, 0xE1)
    assert rule in heard.body
    assert not line.posted
    assert not (await mm1.store.page()).messages


async def test_a_recipients_cap_is_503(mm1: Any, line: Any, ask: Ask) -> None:
    await mm1(line)
    mm1.store.rules = Rules(per_recipient=Caps(1, 0))
    assert (await ask()).status == 200
    heard = await ask(SEND.replace(b"T1", b"T2"))
    assert (status_of(heard), heard.headers["retry-after"]) == ((503, 0xC3), "60")
    assert (await ask()).status == 200  # what is known is still told


async def _paused(house: Any, line: Any) -> None:
    await house.store.pause()


async def _line_paused(house: Any, line: Any) -> None:
    await house.store.pause("one", "no credit")


async def _capped(house: Any, line: Any) -> None:
    house.store.limits = Limits(caps=Caps(1, 0))


async def _down(house: Any, line: Any) -> None:
    line.status, line.reason = LinkStatus.DOWN, "no modem at /dev/ttyUSB2"


async def _full(house: Any, line: Any) -> None:
    line.wait = 30.0


@pytest.mark.parametrize(
    ("hindered", "cause"),
    [
        (_paused, b"sending is paused"),
        (_line_paused, b"the line is paused"),
        (_capped, b"the cap of messages an hour is reached"),
        (_down, b"no modem at /dev/ttyUSB2"),
        (_full, b"messages wait on line one"),
    ],
)
async def test_what_cannot_leave_now_is_503_and_what_is_known_is_told(mm1: Any, line: Any, ask: Ask, hindered: Any, cause: bytes) -> None:
    await mm1(line)
    assert (await ask()).status == 200
    await hindered(mm1, line)
    heard = await ask(SEND.replace(b"T1", b"T2"))
    assert status_of(heard) == (503, 0xC3)
    assert 5 <= int(heard.headers["retry-after"]) <= 60
    assert cause in heard.body
    assert (await ask()).body == OK
    assert len((await mm1.store.page()).messages) == len(line.posted) == 1


async def test_a_status_that_pauses_the_line_is_passed_on_once(mm1: Any, line: Any, ask: Ask) -> None:
    refusal = OK.replace(b"\x92\x80", b"\x92\xe1")
    line.will({"body": refusal})
    await mm1(line)
    assert (await ask()).body == refusal
    assert (await ask()).body == refusal
    assert status_of(await ask(SEND.replace(b"T1", b"T2"))) == (503, 0xC3)
    assert len(line.posted) == 1


async def test_too_many_octets_under_way_are_503(mm1: Any, line: Any, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mm1_messages, "MAX_UNDER_WAY", len(SEND) - 1)
    await mm1(line)
    heard = await ask()
    assert (status_of(heard), heard.headers["retry-after"]) == ((503, 0xC3), "60")
    assert not line.posted


async def test_a_store_that_cannot_write_is_503(mm1: Any, line: Any, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    await mm1(line)

    async def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the database is away")

    with monkeypatch.context() as away:
        away.setattr(mm1.store, "accept_post", gone)
        heard = await ask()
    assert (status_of(heard), heard.headers["retry-after"]) == ((503, 0xC3), "30")
    assert b"the database is away" in heard.body
    assert (await ask()).status == 200


@pytest.mark.parametrize("reading", ["wait_for", "attempts"])
async def test_an_outcome_that_cannot_be_read_is_in_doubt(
    mm1: Any, line: Any, ask: Ask, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    await mm1(line, client_wait=0.5)

    async def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the database is away")

    with monkeypatch.context() as away:
        away.setattr(mm1.store, reading, gone)
        assert status_of(await ask()) == (504, 0x86)
    while (heard := await ask()).status != 200:
        assert heard.status == 503
    assert heard.body == OK
    assert len(line.posted) == 1


async def test_what_waits_longer_than_its_client_is_never_sent_behind_its_back(mm1: Any, line: Any, ask: Ask) -> None:
    await mm1(line, client_wait=0.3)
    line.hold(Phase.OPEN)
    assert status_of(await ask()) == (503, 0xC3)
    waiting = SEND.replace(b"T1", b"T2")
    assert status_of(await ask(waiting)) == (503, 0xC3)
    message = (await mm1.message()).job.id
    job = (await mm1.store.wait_for(message, lambda found: found.job.state is State.EXPIRED, 20.0)).job
    assert job.state is State.EXPIRED
    line.go.set()
    while (await ask()).status != 200:
        pass
    assert [posted.pdu for posted in line.posted] == [SEND]
    while (await ask(waiting)).status == 503:  # an identical POST starts anew
        pass
    assert [posted.pdu for posted in line.posted] == [SEND, waiting]
    assert (await mm1.message()).job.id == message


async def test_a_message_that_a_person_cancels_is_403(mm1: Any, line: Any, ask: Ask) -> None:
    await mm1(line)
    line.hold(Phase.OPEN)
    first = asyncio.create_task(ask())
    while not line.held:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(ask(SEND.replace(b"T1", b"T2")))
    while len((await mm1.store.page()).messages) < 2:
        await asyncio.sleep(0.01)
    await mm1.store.cancel((await mm1.message()).job.id)
    assert status_of(await second) == (403, 0xE1)
    line.go.set()
    assert (await first).status == 200


async def test_a_definite_failure_is_tried_anew_in_the_same_row(mm1: Any, line: Any, ask: Ask) -> None:
    line.will(NO_WAY, {})
    await mm1(line)
    assert status_of(await ask()) == (502, 0xC3)
    assert (await mm1.message()).job.state is State.FAILED
    assert (await ask()).body == OK
    messages = (await mm1.store.page()).messages
    assert [(message.job.state, message.job.attempts) for message in messages] == [(State.SENT, 2)]

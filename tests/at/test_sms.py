"""SMS scripts against their transcripts: whole, byte by byte, at random splits, with a URC at every line boundary."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mmsproxy.at import sms
from mmsproxy.at.engine import Engine
from mmsproxy.at.heard import Outcome, Reply, UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.sms import Fill, Held, Place, SetUp, SimBusy
from mmsproxy.errors import AtError, AtStringError, AtTimeout, SimError, SmsRefused, SmsUnknown

Replayer = Callable[..., Any]
DELIVER = "00040B912120550521F300006211421043650002E834"
REPORT = "0006070B912120550521F3621142104365006211421043650000"
SUBMIT = "0001000B912120550521F3000002E834"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("setup-sim800", SetUp("ME", ("SM",), reports=1)),
        ("setup-qualcomm", SetUp("SM", ("SR",), reports=2)),
        ("setup-deaf", SetUp("MT", announced=False, acknowledge=True)),
    ],
)
def test_set_up(replay: Replayer, name: str, expected: SetUp) -> None:
    assert replay(f"sms-{name}", sms.set_up) == expected


@pytest.mark.parametrize(("name", "kind"), [("setup-busy", SimBusy), ("setup-no-sim", SimError)])
def test_set_up_fails(replay: Replayer, name: str, kind: type[Exception]) -> None:
    assert replay(f"sms-{name}", sms.set_up)[0] is kind


def test_where_something_new_may_come() -> None:
    assert SetUp("ME", ("SM",)).coming_in == ("ME",)
    assert SetUp("ME", ("SM", "SR"), reports=2).coming_in == ("ME", "SR")


def test_listing(replay: Replayer) -> None:
    found = replay("sms-list", partial(sms.listing, "SM", "SM"))
    assert found == (
        Held(Place("SM", 1), 0, 21, DELIVER),
        Held(Place("SM", 2), 1, 25, REPORT),
        Held(Place("SM", 3), 3, 15, SUBMIT),
    )
    assert [held.was_received for held in found] == [True, True, False]


def test_listing_nothing_and_another_storage(replay: Replayer) -> None:
    assert replay("sms-list-empty", partial(sms.listing, "SM", "SM")) == ()
    assert replay("sms-list-other", partial(sms.listing, "SR", "SM")) == (Held(Place("SR", 4), 0, 25, REPORT),)
    assert replay("sms-list-other-fails", partial(sms.listing, "SR", "SM"))[0] is SmsRefused


def test_reading(replay: Replayer) -> None:
    place = Place("SM", 3)
    assert replay("sms-read", partial(sms.read, place, "SM")) == Held(place, 0, 21, DELIVER[2:].lower())
    assert replay("sms-read-gone", partial(sms.read, place, "SM")) is None
    assert replay("sms-read-empty", partial(sms.read, place, "SM")) is None
    assert replay("sms-read-refused", partial(sms.read, place, "SM"))[0] is SmsRefused


def test_deleting(replay: Replayer) -> None:
    assert replay("sms-delete", partial(sms.delete, Place("SM", 3), "SM")) is None
    assert replay("sms-delete-gone", partial(sms.delete, Place("SM", 3), "SM")) is None
    assert replay("sms-delete-other", partial(sms.delete, Place("SR", 4), "SM")) is None


def test_fill(replay: Replayer) -> None:
    assert replay("sms-fill", sms.fill_state) == Fill("ME", 19, 23)


def test_sending(replay: Replayer) -> None:
    def check(player: Any, outcome: Any) -> None:
        assert player.offered == [16]

    assert replay("sms-send", partial(sms.send, 15, SUBMIT.lower()), check=check) == 255


@pytest.mark.parametrize(
    ("name", "kind", "offered"),
    [
        ("send-refused", SmsRefused, [16]),
        ("send-network-silent", SmsUnknown, [16]),
        ("send-silent", SmsUnknown, [16]),
        ("send-no-reference", SmsUnknown, [16]),
        ("send-no-prompt", AtTimeout, []),
        ("send-not-now", SmsRefused, []),
    ],
)
def test_sending_fails(replay: Replayer, name: str, kind: type[Exception], offered: list[int]) -> None:
    def check(player: Any, outcome: Any) -> None:
        assert player.offered == offered

    assert replay(f"sms-{name}", partial(sms.send, 15, SUBMIT), check=check)[0] is kind


def test_the_code_of_a_refusal_is_kept() -> None:
    script = sms.send(15, SUBMIT)
    next(script)
    script.send(_reply(b">", prompted=True))
    with pytest.raises(SmsRefused) as caught:
        script.send(_reply(b"+CMS ERROR: 28"))
    assert caught.value.cms == 28
    assert isinstance(caught.value, AtError)


def _reply(line: bytes, *, prompted: bool = False) -> Reply:
    return Reply(Outcome.PROMPTED if prompted else Outcome.FAILED, (line,), line)


@pytest.mark.parametrize(
    ("length", "pdu"),
    [(15, SUBMIT + "1A"), (15, SUBMIT[:-1] + "\x1a"), (15, ""), (14, SUBMIT), (15, SUBMIT[:-2] + "\r\n"), (200, "00" + "01" * 200)],
)
def test_only_whole_hex_goes_behind_the_prompt(length: int, pdu: str) -> None:
    with pytest.raises(AtStringError):
        next(sms.send(length, pdu))


def test_what_modems_need_not_know(replay: Replayer) -> None:
    assert replay("sms-keep-link", partial(sms.keep_link_open, True)) is None
    assert replay("sms-acknowledge", sms.acknowledge) is None


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b'+CMTI: "SM",3', Place("SM", 3)),
        (b'+CMTI:"ME", 0', Place("ME", 0)),
        (b'+CMTI: "SM",1,"MMS PUSH"', Place("SM", 1)),
        (b'+CMTI: "SM",1,"MMS PUSH",2,1', Place("SM", 1)),
        (b'+CMTI: "SM_P",12,what,ever,"more"', Place("SM_P", 12)),
        (b'+CDSI: "SR",4', Place("SR", 4)),
        (b'+CMTI: "SM"', None),
        (b'+CMTI: "SM",99999', None),
        (b"+CMT: ,24", None),
    ],
)
def test_where_a_message_was_stored(line: bytes, place: Place | None) -> None:
    assert sms.place_of(line) == place


@pytest.mark.parametrize(
    ("line", "length"),
    [(b"+CDS: 24", 24), (b"+CMT: ,24", 24), (b'+CMT: "A,B",159', 159), (b"+CMT: 24", 24), (b'+CMTI: "SM",3', None), (b"+CDS: x", None)],
)
def test_the_length_of_a_direct_one(line: bytes, length: int | None) -> None:
    assert sms.length_of(line) == length


def test_no_quote_enters_a_storage_name() -> None:
    with pytest.raises(AtStringError):
        next(sms.read(Place('SM"', 1), "ME"))


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 11, 1000])
def test_direct_forms_are_one_event_of_two_lines(step: int) -> None:
    stream = f'\r\n+CDS: 25\r\n{REPORT}\r\n\r\n+CMTI: "SM",1,"MMS PUSH",2,1\r\n\r\n+CMT: ,21\r\n{DELIVER}\r\n\r\n+CDSI: "SR",4\r\n'.encode()
    engine = Engine()
    heard = [event for at in range(0, len(stream), step) for event in engine.feed(stream[at : at + step])]
    assert [(event.kind, event.data) for event in heard if isinstance(event, UrcReceived)] == [
        (Urc.REPORT_DIRECT, REPORT.encode()),
        (Urc.SMS_STORED, b""),
        (Urc.SMS_DIRECT, DELIVER.encode()),
        (Urc.REPORT_STORED, b""),
    ]
    assert len(heard) == 4

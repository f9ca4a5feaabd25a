"""What the typed TPDUs say beside their fields."""

from __future__ import annotations

import dataclasses

import pytest

from mmsproxy.wire.sms_pdu import Address, Alphabet, Dcs, Deliver, Status, StatusReport, Submit, Timestamp, UserData

SENDER = Address.of("+4917012345")
TIME = Timestamp(bytes.fromhex("62114211014240"))
HELLO = UserData.of_text("hello", Dcs(0))


def test_a_deliver() -> None:
    tpdu = Deliver(originator=SENDER, timestamp=TIME, user_data=HELLO)
    assert (tpdu.text, tpdu.data, tpdu.alphabet) == ("hello", HELLO.octets, Alphabet.GSM7)
    assert (tpdu.ports, tpdu.concatenation) == (None, None)
    assert (tpdu.more_messages, tpdu.reply_path) == (False, False)
    other = dataclasses.replace(tpdu, first_octet=0x80)
    assert (other.more_messages, other.reply_path) == (True, True)


def test_a_submit() -> None:
    tpdu = Submit(destination=SENDER, user_data=HELLO)
    assert (tpdu.report_wanted, tpdu.reply_path, tpdu.text) == (False, False, "hello")
    assert dataclasses.replace(tpdu, first_octet=0xA1).report_wanted


def test_the_text_of_a_report() -> None:
    bare = StatusReport(reference=1, recipient=SENDER, timestamp=TIME, discharge=TIME, status=Status(0))
    assert bare.text is None
    assert dataclasses.replace(bare, user_data=HELLO).text == "hello"
    assert dataclasses.replace(bare, user_data=UserData.of_data(b"\x00A"), dcs=Dcs(8)).text == "A"


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Deliver(originator=SENDER, timestamp=TIME, user_data=HELLO).pid = 1  # type: ignore[misc]

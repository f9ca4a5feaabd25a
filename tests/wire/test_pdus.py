"""The 24 classes hold exactly what the schema places in their PDU."""

from __future__ import annotations

import dataclasses

import pytest

from mmsproxy.pdu_schema import CANONICAL_ORDER, HEADER_BY_ATTR, PDU_BY_NUMBER, Place
from mmsproxy.wap_numbers import FromToken, MessageType
from mmsproxy.wire.model import Pdu
from mmsproxy.wire.pdus import PDU_CLASSES, ForwardReq, SendReq

BASE = {field.name for field in dataclasses.fields(Pdu)}


def test_one_class_for_each_type_in_order() -> None:
    assert [cls.TYPE for cls in PDU_CLASSES] == list(MessageType)
    assert len({cls.__name__ for cls in PDU_CLASSES}) == 24


@pytest.mark.parametrize("cls", PDU_CLASSES, ids=lambda cls: cls.__name__)
def test_its_fields_are_the_headers_of_its_row(cls: type[Pdu]) -> None:
    row = PDU_BY_NUMBER[cls.TYPE]
    own = [field for field in dataclasses.fields(cls) if field.name not in BASE]
    placed = {attr for attr in HEADER_BY_ATTR if row.place(attr) is not Place.OUT} - BASE - {"message_type"}
    assert {field.name for field in own} == placed
    assert [field.name for field in own] == [attr for attr in CANONICAL_ORDER if attr in placed]
    for field in own:
        assert (field.default == ()) is (field.name in row.repeated), field.name
        assert str(field.type).startswith("tuple[") is (field.name in row.repeated), field.name
    assert cls.__doc__


@pytest.mark.parametrize("cls", PDU_CLASSES, ids=lambda cls: cls.__name__)
def test_a_new_one_lacks_everything_but_a_version(cls: type[Pdu]) -> None:
    pdu = cls()
    assert pdu.mms_version == (0x93 if PDU_BY_NUMBER[cls.TYPE].version == "1.3" else 0x92)
    assert pdu.parts == pdu.extra == pdu.warnings == ()
    assert pdu.wire is None


def test_senders_let_the_mmsc_put_the_address_in() -> None:
    assert SendReq().from_ is ForwardReq().from_ is FromToken.INSERT_ADDRESS

"""A preview as JSON, and PDUs in words, the unreadable ones too."""

from __future__ import annotations

import threading

import pytest

from mmsproxy.post.clerk import Preview
from mmsproxy.post.job import Kind
from mmsproxy.web import previewing
from mmsproxy.web.shapes import PreviewOut
from mmsproxy.wire import mms_pdu

PDU = bytes.fromhex("8c80 98543100 8d92 8901 81 97") + b"+16195550123/TYPE=PLMN\0" + bytes.fromhex("8483") + b"hello"


async def test_a_preview_of_an_mms_and_of_an_sms() -> None:
    shown = await previewing.preview(Preview(Kind.MMS, "subject", "one", 1, 1, PDU, 300_000, 1, "gsm7", ({"code": "long_subject"},)))
    PreviewOut.model_validate(shown)
    assert (shown["size"], shown["parts"], shown["smil"]) == (len(PDU), [{"n": 0, "content_type": "text/plain", "size": 5}], None)
    shown = await previewing.preview(Preview(Kind.SMS, "short", "", 2, 4, None, None, 2, "ucs2", ()))
    PreviewOut.model_validate(shown)
    assert (shown["line"], shown["pdu"], shown["units"], shown["sms_encoding"]) == (None, None, 4, "ucs2")


@pytest.mark.parametrize("size", [5, previewing.THREAD_FROM])
async def test_a_pdu_of_any_size_is_decoded(size: int) -> None:
    assert (await previewing.decoded(PDU[:-5] + b"x" * size))["type"] == "m-send-req"


async def test_a_preview_decodes_its_pdu_once_and_a_large_one_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    decode, threads = mms_pdu.decode, list[int]()

    def noted(pdu: bytes) -> mms_pdu.Pdu:
        threads.append(threading.get_ident())
        return decode(pdu)

    monkeypatch.setattr(mms_pdu, "decode", noted)
    for pdu in (PDU, PDU + b"x" * previewing.THREAD_FROM):
        shown = await previewing.preview(Preview(Kind.MMS, "subject", "one", 1, 1, pdu, None, 1, "gsm7", ()))
        assert (shown["pdu"]["type"], len(shown["parts"])) == ("m-send-req", 1)
    assert [thread == threading.get_ident() for thread in threads] == [True, False]


async def test_what_cannot_be_read_is_told() -> None:
    shown = await previewing.decoded(b"\x8c\x80\x84")
    assert set(shown) == {"error"}
    assert shown["error"]["rule"]

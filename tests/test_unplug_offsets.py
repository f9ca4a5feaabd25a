"""Unplugged at every byte offset of a 2 KB message: what is reported is never better than what happened, and not worse than it must be.

`make test` tries each edge and every 97th offset, `make soak` (MMSPROXY_SOAK=1) every single one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmsproxy import config
from mmsproxy.carrier.attempt import Outcome
from mmsproxy.carrier.line import Line
from mmsproxy.events import Bus
from mmsproxy.link import Phase
from mmsproxy.modem_link import ModemLink, ModemSettings
from mmsproxy.simulator.settings import ModemSettings as Simulated
from mmsproxy.simulator.world import World
from mmsproxy.wire import mms_pdu

STEP = 1 if os.environ.get("MMSPROXY_SOAK") else 97


def pdu(number: int) -> bytes:
    part = mms_pdu.Part(mms_pdu.ContentType("text/plain", charset=106), b"x" * 1900, content_location="t.txt")
    return mms_pdu.encode(
        mms_pdu.SendReq(
            transaction_id=f"T{number:05d}",
            to=(mms_pdu.Address("+16195550123/TYPE=PLMN"),),
            content_type=mms_pdu.ContentType("application/vnd.wap.multipart.mixed"),
            parts=(part,),
        )
    )


@pytest.mark.timeout(3600 if STEP == 1 else 120)
@pytest.mark.parametrize("dialect", ["sim7600", "sim800"])
async def test_unplugged_at_every_offset(tmp_path: Path, dialect: str) -> None:
    async with World(dialect, link=tmp_path / "ttySIM", settings=Simulated(boot=0.02)) as world:
        settings = config.LineConfig.model_validate(
            {"name": "a", "min_interval": 0, "modem": {"port": str(tmp_path / "ttySIM")}, "carrier": {"apn": "x", "mmsc": world.mmsc_url}}
        )
        link = ModemLink("a", ModemSettings(world.modem.path, apn="x"), bus=Bus())
        line = Line(settings, link, bus=Bus())
        await line.start()
        whole = await _whole(world, line)
        last_piece = whole - most_of_a_segment(whole)
        for offset in sorted({1, 2, last_piece - 1, last_piece, last_piece + 1, whole - 1, whole, *range(1, whole + 1, STEP)}):
            world.modem.faults.after_payload(offset, world.modem.unplug)
            attempt = await line.post(pdu(offset), budget=0)
            world.modem.replug()
            has_it = any(r.pdu is not None and r.pdu.transaction_id == f"T{offset:05d}" for r in world.mmsc.requests)
            assert attempt.outcome in (Outcome.NOT_SENT, Outcome.UNKNOWN), offset
            assert not (attempt.outcome is Outcome.NOT_SENT and has_it), offset
            if offset < last_piece:
                assert (attempt.outcome, attempt.phase < Phase.LAST_BYTE) == (Outcome.NOT_SENT, True), offset
            if offset == whole:
                assert (attempt.outcome, attempt.phase) == (Outcome.UNKNOWN, Phase.LAST_BYTE), offset
        assert (await line.post(pdu(99999))).outcome is Outcome.SENT
        await line.stop()


async def _whole(world: World, line: Line) -> int:
    """How many bytes one request has, head and body."""
    before = world.modem.wire.up_bytes
    assert (await line.post(pdu(0))).outcome is Outcome.SENT
    return world.modem.wire.up_bytes - before


def most_of_a_segment(whole: int) -> int:
    """The most that the last segment can have: one chunk of either dialect."""
    return min(whole, 1500)

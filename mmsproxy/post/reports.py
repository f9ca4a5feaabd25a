"""Delivery and read reports that come by SMS: heard on every modem line, stored, then deleted from the modem.

Rule 1: nothing is deleted before it is stored. Rule 2: only reports are touched: SMS-STATUS-REPORT, and pushes with M-Delivery.ind or
M-Read-Orig.ind; texts, notifications and what cannot be read stay where they are. Rule 3: a report that fits no message is looked at
again for a while, since it may be quicker than the answer it belongs to; then it is dropped, or it would fill the modem's storage.
It knows no AT command; what a report means for a message is `desk`'s and `sms_parts`'.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from mmsproxy.carrier.sms import SmsLine
from mmsproxy.errors import LinkError, PduError
from mmsproxy.link import Sms, StoredSms
from mmsproxy.post import sms_parts
from mmsproxy.post.database import Tx
from mmsproxy.post.desk import REPORTED, Report
from mmsproxy.post.desk import report as mms_report
from mmsproxy.post.insisting import insist
from mmsproxy.post.job import FINAL, Job
from mmsproxy.post.sms_parts import SmsReport
from mmsproxy.post.store import Store
from mmsproxy.post.verdicts import by_delivery_report, by_read_report
from mmsproxy.wap_numbers import ReadStatus, Status
from mmsproxy.wire import mms_pdu, sms_pdu, wap_push
from mmsproxy.wire.mms_pdu import Address, DeliveryInd, ReadOrigInd
from mmsproxy.wire.sms_parts import PartKey, is_wap_push, missing, part_key, sequence
from mmsproxy.wire.sms_types import Deliver, StatusReport

LATER = (1.0, 5.0, 30.0, 90.0)  # seconds between looks for the message: as long as an attempt may take
CATCH_UP = 1.0  # seconds between looks at reports that came before their message was sent
MAX_PUSHES = 64  # messages of which some parts are there
WAITS = "reports wait to be stored"

_log = logging.getLogger(__name__)


class ReportingLine(Protocol):
    """What is needed of carrier.line.Line."""

    @property
    def name(self) -> str: ...

    @property
    def sms(self) -> SmsLine | None: ...


@dataclass(frozen=True, slots=True)
class _Found:
    """A report, with the SMS that carried it. `looks`: how often it was looked for its message."""

    said: SmsReport | Report
    carriers: tuple[StoredSms, ...]
    looks: int = 0


class Reports:
    """Works from `start` to `stop`, whether the lines are up or not."""

    def __init__(self, store: Store, lines: Iterable[ReportingLine]) -> None:
        self._store = store
        self._is_early = asyncio.Event()
        self._watches = [_Watch(store, line.name, line.sms.box, self._is_early) for line in lines if line.sms is not None]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns at once. May be called again after `stop`."""
        self._is_early.set()  # what an earlier run left
        self._task = asyncio.get_running_loop().create_task(self._catch_up(), name="reports catching up")
        for watch in self._watches:
            watch.start()

    async def stop(self) -> None:
        """What was not stored yet stays in the modem. May be called twice."""
        await asyncio.gather(*(watch.stop() for watch in self._watches))
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _catch_up(self) -> None:
        await insist(partial(self._store.write, sms_parts.settle_complete), WAITS)
        while True:
            await self._is_early.wait()
            if not await insist(partial(self._store.write, sms_parts.catch_up), WAITS):
                self._is_early.clear()
            await asyncio.sleep(CATCH_UP)


class _Watch:
    """What comes on one line. `is_early` is set when a report came before its message was sent."""

    def __init__(self, store: Store, name: str, box: Sms, is_early: asyncio.Event) -> None:
        self._store = store
        self._name = name
        self._box = box
        self._is_early = is_early
        self._inbox: asyncio.Queue[StoredSms | _Found] = asyncio.Queue()
        self._pushes = _Pushes()
        self._later: set[asyncio.TimerHandle] = set()
        self._end: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=f"reports of {self._name}")
            self._end = self._box.subscribe(self._inbox.put_nowait)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None or self._end is None:
            return
        self._end()
        for handle in self._later:
            handle.cancel()
        self._later.clear()
        task.cancel()
        await asyncio.wait({task})

    async def _work(self) -> None:
        while True:
            item = await self._inbox.get()
            try:
                found = item if isinstance(item, _Found) else self._read(item)
                if found is not None:
                    await self._settle(found)
            except Exception:  # noqa: BLE001 - the watch's supervisor: a fault of ours in one report must not make it deaf
                _log.exception("a fault while an SMS was looked at", extra={"line": self._name})

    def _read(self, sms: StoredSms) -> _Found | None:
        try:
            tpdu = sms_pdu.decode_listed(sms.pdu, sms.length)
            if isinstance(tpdu, StatusReport):
                return _Found(_status_report(tpdu, self._name, self._store.database.now()), (sms,))
            if isinstance(tpdu, Deliver) and is_wap_push(tpdu):
                return self._push(sms, tpdu)
        except PduError as error:
            _log.info("an SMS cannot be read and stays in the modem: %s", error, extra={"line": self._name})
        return None

    def _push(self, sms: StoredSms, part: Deliver) -> _Found | None:
        whole = self._pushes.add(sms, part)
        push = wap_push.of_delivers([deliver for _, deliver in whole]) if whole else None
        octets = None if push is None else wap_push.find_mms(push)
        said = None if octets is None else _mms_report(mms_pdu.decode(octets), self._store.database.now())
        return None if said is None else _Found(said, tuple(carrier for carrier, _ in whole))

    async def _settle(self, found: _Found) -> None:
        job = await insist(partial(self._store.write, _op(found.said)), WAITS)
        if job is None and found.looks < len(LATER):
            self._look_again(found)
            return
        if job is None:
            _log.info("a report fits no message: %r", found.said.__class__.__name__, extra={"line": self._name})
        elif job.state not in REPORTED | FINAL:
            self._is_early.set()
        for carrier in found.carriers:
            await self._delete(carrier)

    def _look_again(self, found: _Found) -> None:
        def due() -> None:
            self._later.discard(handle)
            self._inbox.put_nowait(replace(found, looks=found.looks + 1))

        handle = asyncio.get_running_loop().call_later(LATER[found.looks], due)
        self._later.add(handle)

    async def _delete(self, carrier: StoredSms) -> None:
        """One that stays is told again later, and then deleted."""
        try:
            await self._box.delete(carrier)
        except LinkError as error:
            _log.info("a report that is stored stays in the modem for now: %s", error, extra={"line": self._name})


@dataclass(slots=True)
class _Pushes:
    """Parts of pushes until all of one are there. The modem keeps them too, and tells them again after a restart."""

    parts: dict[PartKey, dict[int, tuple[StoredSms, Deliver]]] = field(default_factory=dict)

    def add(self, sms: StoredSms, part: Deliver) -> tuple[tuple[StoredSms, Deliver], ...]:
        """The whole push, in order, when this was the last part of it; else nothing."""
        key = part_key(part)
        if key is None:
            return ((sms, part),)
        there = self.parts.setdefault(key, {})
        known = there.get(sequence(part))
        if known is not None and known[0].pdu != sms.pdu:  # the reference came again, for another message
            there.clear()
        there[sequence(part)] = (sms, part)
        if missing(deliver for _, deliver in there.values()):
            while len(self.parts) > MAX_PUSHES:
                del self.parts[next(iter(self.parts))]
            return ()
        del self.parts[key]
        return tuple(there[place] for place in sorted(there))


def _op(said: SmsReport | Report) -> Callable[[Tx], Awaitable[Job | None]]:
    if isinstance(said, SmsReport):
        return partial(sms_parts.report, heard=said)
    return partial(mms_report, heard=said)


def _status_report(tpdu: StatusReport, line: str, now: float) -> SmsReport:
    return SmsReport(line, tpdu.reference, tpdu.recipient.number, tpdu.status.octet, now)


def _mms_report(pdu: mms_pdu.Pdu, now: float) -> Report | None:
    """None for what is no report, or says of nobody anything. The time is ours: a carrier's clock proves nothing."""
    if isinstance(pdu, DeliveryInd) and pdu.to is not None and pdu.status is not None:
        return Report(pdu.message_id, str(pdu.to), by_delivery_report(pdu.status), _name(Status, pdu.status), now)
    if isinstance(pdu, ReadOrigInd) and isinstance(pdu.from_, Address) and pdu.read_status is not None:
        return Report(pdu.message_id, str(pdu.from_), by_read_report(pdu.read_status), _name(ReadStatus, pdu.read_status), now, True)
    return None


def _name(kind: type[Status] | type[ReadStatus], value: int) -> str:
    """As OMA writes it but for the hyphens; the octet where it is reserved."""
    return kind(value).name.replace("_", " ").capitalize() if value in kind.__members__.values() else f"0x{value:02X}"

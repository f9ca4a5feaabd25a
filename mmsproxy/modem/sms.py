"""The SMS face of a modem's link: what came is queued, read when the burst is over and told; what is to go is sent part by part.

Rule 1: nothing is read inside a burst of URCs (reading parts one by one at once wedged a SIM900, modems.md 7.2). Rule 2: an index is
known for one run of the modem only; a message is known by its PDU. Rule 3: nothing is deleted but for who stored it. Rule 4: each
exchange is one job of the port's owner, so an open stream's chunks go between; a busy SIM is waited out here, not in a job. Rule 5: the
modem is set up for SMS once somebody subscribes or sends, in each run once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TypeVar

from mmsproxy.at import sms
from mmsproxy.at.dialect import Script
from mmsproxy.at.heard import UrcReceived
from mmsproxy.at.rules import Urc
from mmsproxy.at.sms import Held, Place, SetUp, SimBusy
from mmsproxy.errors import AtError, AtTimeout, LinkError, LinkLost, SimError, SmsUnknown
from mmsproxy.link import SentParts, SmsFill, StoredSms
from mmsproxy.modem.stream import Call

_log = logging.getLogger(__name__)
T = TypeVar("T")

QUIET = 0.3  # seconds without another SMS URC before anything is read (modems.md 7.2)
LONGEST_BURST = 3.0  # seconds after which a burst that does not end is read nevertheless
POLL = 60.0  # seconds between two looks into the storage: a URC may get lost (modems.md 7.3)
BUSY_PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between two tries while the SIM is busy (modems.md 5.3)
_STORED = (Urc.SMS_STORED, Urc.REPORT_STORED)
_DIRECT = (Urc.SMS_DIRECT, Urc.REPORT_DIRECT)
_BOOT_WORDS = (b"SMS Ready", b"SMS DONE", b"+QIND: SMS DONE")  # from here on the storage is whole

_Listener = tuple[Callable[[StoredSms], None], Callable[[SmsFill], None]]


class SmsBox:
    """`link.Sms` of one modem. `call` has a script run by the owner of the port, who tells `began`, `ended` and each URC."""

    def __init__(self, name: str, call: Call) -> None:
        self._name = name
        self._call = call
        self._listeners: list[_Listener] = []
        self._setup: SetUp | None = None
        self._setting_up = asyncio.Lock()
        self._sending = asyncio.Lock()  # the parts of one message are not mixed with another's
        self._known: dict[Place, str] = {}  # what was told in this run and still lies there, as hex
        self._queue: dict[Place, None] = {}
        self._news = asyncio.Event()
        self._burst_began = self._burst_last = float("-inf")
        self._all_due = True  # everything is listed, not only where new messages come in
        self._is_up = False
        self._watcher: asyncio.Task[None] | None = None
        self._fill: SmsFill | None = None

    def __repr__(self) -> str:
        return f"<SmsBox {self._name} {self._setup} known={len(self._known)} queued={len(self._queue)} {self._fill}>"

    # -- link.Sms ---------------------------------------------------------------------------------------------------------------

    @property
    def fill(self) -> SmsFill | None:
        return self._fill

    def subscribe(
        self, received: Callable[[StoredSms], None], *, filling: Callable[[SmsFill], None] = lambda fill: None
    ) -> Callable[[], None]:
        listener = (received, filling)
        self._listeners.append(listener)
        self._forget()
        self._watch()
        return lambda: self._listeners.remove(listener)

    async def send(self, length: int, pdu: str) -> int:
        async with self._sending:
            return await self._send(length, pdu)

    async def send_all(self, parts: Sequence[tuple[int, str]]) -> SentParts:
        for part in parts:
            sms.check(*part)
        async with self._sending:
            return await self._send_parts(parts)

    async def delete(self, sms_: StoredSms) -> bool:
        setup = await self._ready()
        if sms_.index is None:
            if setup.acknowledge:
                await self._run(sms.acknowledge)
            return True
        place = Place(sms_.storage, sms_.index)
        if self._known.get(place) != sms_.pdu:
            return False
        await self._run(partial(sms.delete, place, setup.storage))
        self._known.pop(place, None)
        return True

    async def refresh(self) -> None:
        self._forget()
        await self._look()

    # -- what the owner tells ---------------------------------------------------------------------------------------------------

    def began(self) -> None:
        """The modem is started up: scripts can be run."""
        self._is_up = True
        self._setup = None
        self._forget()
        self._watch()

    def ended(self) -> None:
        """The modem is lost or stopped. May be called twice."""
        self._is_up = False
        self._setup = None
        self._forget()
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def heard(self, urc: UrcReceived) -> None:
        """Any URC; those that are not of SMS are nothing here."""
        if urc.kind in _DIRECT:
            self._came_directly(urc)
        elif urc.kind in _STORED:
            self._came(urc)
        elif urc.line in _BOOT_WORDS:
            self._all_due = True
            self._stir()

    # -- what comes -------------------------------------------------------------------------------------------------------------

    def _came_directly(self, urc: UrcReceived) -> None:
        length = sms.length_of(urc.line)
        if length is None or not urc.data:
            _log.warning("%s: an SMS came in a form that is not known: %r", self._name, urc.line)
            return
        self._tell(StoredSms(urc.data.decode("ascii"), length))

    def _came(self, urc: UrcReceived) -> None:
        place = sms.place_of(urc.line)
        if place is None:  # then it is found by listing
            self._all_due = True
        else:
            self._queue[place] = None
        self._stir()

    def _stir(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._burst_last > QUIET:
            self._burst_began = now
        self._burst_last = now
        self._news.set()

    def _watch(self) -> None:
        if self._is_up and self._listeners and self._watcher is None:
            self._watcher = asyncio.create_task(self._keep_watch(), name=f"SMS of {self._name}")
        self._news.set()

    async def _keep_watch(self) -> None:
        """Until it is cancelled: looks at once, after each burst, and every POLL seconds."""
        while True:
            try:
                await self._look()
            except LinkError as error:
                _log.warning("%s: SMS cannot be read now: %s", self._name, error)
                self._all_due = True
            await self._next_news()

    async def _next_news(self) -> None:
        try:
            async with asyncio.timeout(POLL):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _after_burst(self) -> None:
        loop = asyncio.get_running_loop()
        while (end := min(self._burst_last + QUIET, self._burst_began + LONGEST_BURST)) > loop.time():
            await asyncio.sleep(end - loop.time())
        self._news.clear()

    async def _look(self) -> None:
        """What was told of is read; else, or where that is not all, the storages are listed."""
        await self._after_burst()
        setup = await self._ready()
        if not self._queue or self._all_due:
            await self._list(setup)
            await self._measure()
        while self._queue:
            await self._after_burst()
            await self._read_next(setup)

    async def _read_next(self, setup: SetUp) -> None:
        place = next(iter(self._queue), None)
        if place is None:  # someone else has found it while we waited
            return
        del self._queue[place]
        held = await self._run(partial(sms.read, place, setup.storage))
        if held is not None:
            self._found(held)

    async def _list(self, setup: SetUp) -> None:
        names = (*setup.others, setup.storage) if self._all_due else setup.coming_in
        self._all_due = False
        for name in dict.fromkeys(names):
            there = await self._run(partial(sms.listing, name, setup.storage))
            for place in [place for place in self._known if place.storage == name]:
                if place not in {held.place for held in there}:
                    del self._known[place]
            for held in there:
                self._queue.pop(held.place, None)
                self._found(held)

    def _found(self, held: Held) -> None:
        """Told once, while it is the same message."""
        if held.was_received and self._known.get(held.place) != held.pdu:
            self._known[held.place] = held.pdu
            self._tell(StoredSms(held.pdu, held.length, held.place.storage, held.place.index))

    def _tell(self, message: StoredSms) -> None:
        for received, _ in tuple(self._listeners):
            _heeding(received, message)

    async def _measure(self) -> None:
        fill = await self._run(sms.fill_state)
        before, self._fill = self._fill, SmsFill(fill.storage, fill.used, fill.total)
        if self._fill.is_filling and not (before is not None and before.is_filling):
            _log.warning("%s: the SMS storage is filling: %d of %d", self._name, fill.used, fill.total)
            for _, filling in tuple(self._listeners):
                _heeding(filling, self._fill)

    def _forget(self) -> None:
        self._known.clear()
        self._queue.clear()
        self._all_due = True

    # -- what goes --------------------------------------------------------------------------------------------------------------

    async def _send_parts(self, parts: Sequence[tuple[int, str]]) -> SentParts:
        references: list[int] = []
        fault: LinkError | None = None
        try:
            await self._ready()
            if len(parts) > 1:
                await self._run(partial(sms.keep_link_open, True))
            for length, pdu in parts:
                references.append(await self._send(length, pdu))
        except LinkError as error:
            fault = error
        if len(parts) > 1 and not isinstance(fault, LinkLost):
            await self._let_link_go()
        return SentParts(tuple(references), fault)

    async def _let_link_go(self) -> None:
        try:
            await self._run(partial(sms.keep_link_open, False))
        except LinkError as error:  # what was sent stays sent
            _log.info("%s: AT+CMMS=0 failed: %s", self._name, error)

    async def _send(self, length: int, pdu: str) -> int:
        await self._ready()
        offered: list[int] = []
        try:
            return await self._patiently(lambda: self._call(sms.send(length, pdu), offered.append), until=offered)
        except (AtError, SimError, SmsUnknown):
            raise
        except LinkError as error:
            if not offered:
                raise
            raise SmsUnknown(f"the modem was lost while it sent an SMS: {error.detail}", cure=error.cure) from error

    # -- how it asks ------------------------------------------------------------------------------------------------------------

    async def _ready(self) -> SetUp:
        """The modem is set up for SMS in this run."""
        async with self._setting_up:
            if self._setup is None:
                self._setup = await self._patiently(lambda: self._call(sms.set_up()))
            return self._setup

    async def _run(self, script: Callable[[], Script[T]]) -> T:
        """A script that chooses among storages: after silence nobody knows which one is selected."""
        try:
            return await self._patiently(lambda: self._call(script()))
        except AtTimeout:
            self._setup = None
            raise

    async def _patiently(self, ask: Callable[[], Coroutine[None, None, T]], *, until: Sequence[int] = ()) -> T:
        """While the SIM is busy it is asked again, but nothing is once a payload was offered (`until`)."""
        for pause in BUSY_PAUSES:
            try:
                return await ask()
            except SimBusy:
                if until:
                    raise
            await asyncio.sleep(pause)
        return await ask()


def _heeding(listener: Callable[[T], None], told: T) -> None:
    try:
        listener(told)
    except Exception:  # noqa: BLE001 - a listener that fails must not harm the port it hears of
        _log.exception("an SMS listener failed")

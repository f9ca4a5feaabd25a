"""The running record of one POST: how far it came, how long each stage took, and when its time is over.

Rule 1: the highest phase follows from the stream's own ledger, never from what aiohttp believes. Rule 2: in doubt a byte has left.
It knows no HTTP and no aiohttp; the tunnel and the connector tell it what happens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from mmsproxy.carrier.attempt import Answer, Timings, Trial
from mmsproxy.errors import AnswerTimeout, AtTimeout, BearerError, ConnectError, MmsproxyError
from mmsproxy.link import Phase

if TYPE_CHECKING:
    from mmsproxy.carrier.transport import ModemTransport

BEARER_LIMIT = 30.0  # seconds; this and the next four: mm1.md 9
CONNECT_LIMIT = 30.0
STALL_LIMIT = 20.0
ANSWER_LIMIT = 90.0
ATTEMPT_LIMIT = 180.0

OnPhase = Callable[[Phase], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds.

    bearer   for the bearer, waiting for the link to become free included
    connect  for TCP, and TLS where there is some
    stall    without a segment accepted while sending, beyond the line's own time for it
    answer   from the last byte to the whole answer
    attempt  for all of it but the transfer of the body
    """

    bearer: float = BEARER_LIMIT
    connect: float = CONNECT_LIMIT
    stall: float = STALL_LIMIT
    answer: float = ANSWER_LIMIT
    attempt: float = ATTEMPT_LIMIT


class Stage(Enum):
    """What is being waited for."""

    BEARER = "bearer"
    CONNECT = "connect"
    SENDING = "sending"
    ANSWER = "answer"


class Exchange:
    """One POST of `size` octets. `byte_rate`: the serial line's octets a second, 0 when there is none to wait for."""

    def __init__(self, size: int, *, limits: Limits, peer: str, byte_rate: float = 0.0, on_phase: OnPhase | None = None) -> None:
        self.failure: MmsproxyError | None = None
        self.wire: ModemTransport | None = None
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self._size = size
        self._limits = limits
        self._peer = peer
        self._byte_rate = byte_rate
        self._on_phase = on_phase
        self._announced = Phase.NO_BEARER
        self._loop = asyncio.get_running_loop()
        self._scope: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._started = self._since = self._loop.time()
        self._stage = Stage.BEARER
        self._took = dict.fromkeys(Stage, 0.0)
        self._body_start: int | None = None  # the transport's count before the first octet of the body
        self._released: int | None = None  # its count when the last piece was set free
        self._watermark: int | None = None  # its count with the last octet of the body
        self._is_settled = True
        self._is_whole = False

    # Time.

    def begin(self, scope: asyncio.Timeout) -> None:
        """`scope` is what ends the POST when a limit is over."""
        self._scope = scope
        self._started = self._since = self._loop.time()
        self._enter(Stage.BEARER)

    def end(self) -> None:
        """Stops the clock; no limit fires any more."""
        self._scope = None
        self._disarm()
        self._took[self._stage] += self._loop.time() - self._since
        self._since = self._loop.time()

    def failed(self, error: MmsproxyError) -> None:
        """The POST has ended by itself; the first reason counts."""
        self._scope = None
        self.failure = self.failure or error

    def fail(self, error: MmsproxyError) -> None:
        """Ends the POST from outside."""
        scope = self._scope
        self.failed(error)
        if scope is not None:
            scope.reschedule(self._loop.time())

    def _enter(self, stage: Stage) -> None:
        now = self._loop.time()
        self._took[self._stage] += now - self._since
        self._stage, self._since = stage, now
        self._arm()

    def _arm(self) -> None:
        self._disarm()
        if self._scope is not None:
            self._timer = self._loop.call_at(self._deadline(), self._time_is_over)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _deadline(self) -> float:
        now = self._loop.time()
        if self._stage is Stage.SENDING:
            return now + self._limits.stall + self._line_time()
        whole = self._started + self._limits.attempt + self._took[Stage.SENDING]
        limits = {Stage.BEARER: self._limits.bearer, Stage.CONNECT: self._limits.connect, Stage.ANSWER: self._limits.answer}
        return min(now + limits[self._stage], whole)

    def _line_time(self) -> float:
        """Seconds that the serial line needs for what was handed to the link and not accepted yet (modems.md 5.3)."""
        if not self._byte_rate or self.wire is None:
            return 0.0
        return (self.wire.handed - self.wire.stream.ledger.accepted) / self._byte_rate

    def _time_is_over(self) -> None:
        if self._stage is Stage.SENDING and self.is_last_offered:
            self._enter(Stage.ANSWER)  # the modem is slow to confirm what it has: the answer may still come
            return
        self.fail(self._overdue())

    def _overdue(self) -> MmsproxyError:
        limits = self._limits
        if self._stage is Stage.BEARER:
            return BearerError(f"the bearer was not up within {limits.bearer:g} s")
        if self._stage is Stage.CONNECT:
            return ConnectError(f"no connection to {self._peer} within {limits.connect:g} s")
        if self._stage is Stage.SENDING:
            return AtTimeout(f"the modem took nothing for {limits.stall:g} s while sending")
        return AnswerTimeout(f"no whole answer of {self._peer} within {limits.answer:g} s")

    # What the connector and the tunnel tell.

    def bearer_wanted(self) -> None:
        self._enter(Stage.BEARER)

    def connection_wanted(self) -> None:
        self._enter(Stage.CONNECT)

    def connection_open(self, transport: ModemTransport) -> None:
        self.wire = transport
        self._announce(Phase.OPEN)

    def body_begins(self) -> None:
        """The next octets written are the body's. Without a link's transport this is also when the connection is known to be open."""
        if self._body_start is not None:
            return
        self._body_start = self._written
        if self.wire is not None:
            self.wire.more_follows = True
        self._announce(Phase.OPEN)
        self._enter(Stage.SENDING)

    def last_piece_released(self) -> None:
        self._released = self._written
        if self.wire is not None:
            self.wire.more_follows = False

    def last_piece_written(self) -> None:
        self._watermark = self._written
        if self.wire is None:
            self._watermark = self._size  # a socket of this host: what the kernel was given may be gone
            self._announce(Phase.LAST_BYTE)
            self._enter(Stage.ANSWER)

    def segment_given(self) -> None:
        if self._body_start is None or self.wire is None:
            return
        handed = self.wire.handed
        if self._watermark is not None and handed >= self._watermark:
            self._announce(Phase.LAST_BYTE)
        elif handed > self._body_start:
            self._announce(Phase.PART_OFFERED)
        if self._stage is Stage.SENDING:
            self._arm()

    def segment_accepted(self) -> None:
        if self._stage is not Stage.SENDING:
            return
        if self.is_last_offered:
            self._enter(Stage.ANSWER)
        else:
            self._arm()

    def all_acknowledged(self) -> None:
        if self.is_last_offered and self._is_acked():
            self._announce(Phase.ALL_ACKED)

    def answer_begun(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        self.status, self.headers = status, headers
        if self.is_last_offered:
            self._announce(Phase.ANSWER_BEGUN)
            if self._stage is Stage.SENDING:
                self._enter(Stage.ANSWER)

    def answer_whole(self) -> None:
        self._is_whole = True
        if self.is_last_offered:
            self._announce(Phase.ANSWER_WHOLE)

    def _announce(self, phase: Phase) -> None:
        if phase > self._announced:
            self._announced = phase
            if self._on_phase is not None:
                self._tell(self._on_phase, phase)

    def _tell(self, on_phase: OnPhase, phase: Phase) -> None:
        try:
            on_phase(phase)
        except Exception:  # noqa: BLE001 - who watches must not be able to fail the message
            _log.exception("a listener to phases failed")

    # What follows.

    @property
    def announced(self) -> Phase:
        """The highest phase that may have been reached: LAST_BYTE from before the segment with it is handed to the link."""
        return self._announced

    @property
    def is_last_offered(self) -> bool:
        """The last octet of the body may have left."""
        if self._released is None:
            return False
        if self.wire is None or self._watermark is None:
            return self._exposed > self._released
        return self._exposed >= self._watermark > self._released

    @property
    def progress(self) -> tuple[int, int]:
        """Octets of the body that may have left, and all of them."""
        return self._bytes_offered(), self._size

    async def settle(self) -> None:
        """Offers no more and waits for a segment under way, so that `trial` judges what has left and not what is about to."""
        if self.wire is not None:
            self._is_settled = await self.wire.settle()

    def trial(self) -> Trial:
        answer = None if self.status is None else Answer(self.status, self.headers, bytes(self.body))
        return Trial(self._phase(), answer, self.failure, self._timings(), self._bytes_offered(), self._size)

    def _timings(self) -> Timings:
        took = self._took
        return Timings(
            bearer=took[Stage.BEARER],
            connect=took[Stage.CONNECT],
            sending=took[Stage.SENDING],
            answering=took[Stage.ANSWER],
            total=sum(took.values()),
        )

    def _phase(self) -> Phase:
        if self.is_last_offered:
            if self.status is not None:
                return Phase.ANSWER_WHOLE if self._is_whole else Phase.ANSWER_BEGUN
            return Phase.ALL_ACKED if self._is_acked() else Phase.LAST_BYTE
        if self._bytes_offered():
            return Phase.PART_OFFERED
        return Phase.OPEN if self.wire is not None or self._body_start is not None else Phase.NO_BEARER

    def _is_acked(self) -> bool:
        return self.wire is not None and self._watermark is not None and self.wire.stream.ledger.acked >= self._watermark

    def _bytes_offered(self) -> int:
        """Octets of the body; under TLS about, since records add to them."""
        if self.is_last_offered:
            return self._size
        if self._body_start is None:
            return 0
        return max(0, min(self._exposed - self._body_start, self._size - 1))

    @property
    def _exposed(self) -> int:
        """What may have left, counted as the transport counts."""
        if self.wire is None:
            return self._watermark or 0
        return self.wire.stream.ledger.offered if self._is_settled else self.wire.handed

    @property
    def _written(self) -> int:
        return 0 if self.wire is None else self.wire.written

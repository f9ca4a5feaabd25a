"""SMS over one line: a text cut into parts, and one part sent, with what became of it decided.

Rule 1: one part at a time on a line, and none beside a POST of the same line (I7). Rule 2: whatever modem or network do is in the
PartAttempt, never raised. Rule 3: a part is UNKNOWN from the moment its Ctrl-Z was offered until the modem answers; nothing here sends
anything twice. It knows no AT command and no durable queue: who keeps the parts' states is above.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.errors import AtStringError, LineStopped, LinkError, MmsproxyError, SmsRefused, SmsUnknown
from mmsproxy.link import Phase, Sms
from mmsproxy.wire.sms_compose import submits, text_bodies
from mmsproxy.wire.sms_pdu import cmgs

#: 3GPP TS 27.005 3.2.5, 24.011 E-2, 23.040 9.2.3.22: codes that the same part meets again. All others may pass with time.
PERMANENT = frozenset(
    {1, 8, 10, 21, 28, 29, 30, 50, 69, 81, 95, 96, 97, 98, 99}
    | set(range(128, 159))
    | {160, 161, 176, 193, 195, 196, 197, 198, 199, 303, 304, 305, 330}
)
_WORDS: Mapping[int, str] = {
    1: "unassigned number",
    8: "operator determined barring",
    10: "call barred",
    21: "short message transfer rejected",
    27: "destination out of service",
    28: "unidentified subscriber",
    29: "facility rejected",
    30: "unknown subscriber",
    38: "network out of order",
    41: "temporary failure",
    42: "congestion",
    47: "resources unavailable",
    50: "SMS is not subscribed",
    69: "SMS is not implemented in the network",
    192: "the service centre is busy",
    193: "the service centre does not serve this subscriber",
    194: "failure of the service centre",
    195: "invalid number",
    196: "the destination is barred",
    197: "rejected as a duplicate",
    302: "not allowed now",
    304: "the modem does not take the PDU",
    330: "the number of the service centre is not known",
    331: "no network service",
    500: "unknown error",
}
_CURES: Mapping[int, str] = {
    330: "set the service centre with AT+CSCA, as the carrier tells it",
    8: "ask the carrier to lift the barring, or charge the SIM",
    10: "ask the carrier to lift the barring, or charge the SIM",
    50: "ask the carrier for SMS on this SIM",
}


@dataclass(frozen=True, slots=True)
class SmsPart:
    """One SUBMIT as AT+CMGS takes it: `length` octets without the service centre, `pdu` hex with it (00: the SIM's)."""

    length: int
    pdu: str


@dataclass(frozen=True, slots=True)
class PartAttempt:
    """What became of one part.

    outcome    SENT, REFUSED (the network, the service centre or the modem said no), NOT_SENT (it never left), UNKNOWN
    reference  the one that its status report will name, 0..255; None unless sent
    code       "" when sent, else one of the API's `error.code`
    retryable  a new attempt is allowed and can help
    seconds    from the modem being asked to its answer
    """

    outcome: Outcome
    phase: Phase
    reference: int | None = None
    code: str = ""
    detail: str = ""
    retryable: bool = False
    seconds: float = 0.0


def sms_parts(number: str, text: str, *, reference: int, report: bool = False) -> tuple[SmsPart, ...]:
    """The text for one number, as one part or as several that name `reference` (0..255), each asking for a status report if `report`.

    The validity period is left to the service centre. Raises PduError: `too-many-parts`, `address-not-encodable`.
    """
    bodies = text_bodies(text, reference=reference)
    return tuple(SmsPart(*cmgs(submit)) for submit in submits(number, bodies, report=report))


class SmsLine:
    """The SMS side of a `carrier.Line`.

    box    the modem's own face for SMS: what comes is subscribed to and deleted there
    turn   held while something is being sent on the line
    clock  monotonic, seconds
    """

    def __init__(self, name: str, box: Sms, turn: asyncio.Lock, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._box = box
        self._turn = turn
        self._clock = clock
        self._is_open = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __repr__(self) -> str:
        return f"<SmsLine {self._name} {'idle' if self._idle.is_set() else 'sending'}>"

    @property
    def box(self) -> Sms:
        return self._box

    def start(self) -> None:
        self._is_open = True

    async def stop(self, grace: float) -> None:
        """Begins no further part and waits up to `grace` seconds for the one under way."""
        self._is_open = False
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            pass

    async def send(self, part: SmsPart) -> PartAttempt:
        """Sends one part, once. Raises nothing of link or carrier. Cancelling the caller does not call the part back."""
        async with self._turn:
            if not self._is_open:
                return _failed(LineStopped(f"line {self._name} is stopped"), 0.0)
            self._idle.clear()
            begun = self._clock()
            try:
                reference = await self._box.send(part.length, part.pdu)
            except (LinkError, AtStringError) as error:
                return _failed(error, self._clock() - begun)
            finally:
                self._idle.set()
            return PartAttempt(Outcome.SENT, Phase.ANSWER_WHOLE, reference, seconds=self._clock() - begun)


def _failed(error: MmsproxyError, seconds: float) -> PartAttempt:
    if isinstance(error, SmsUnknown):
        return PartAttempt(Outcome.UNKNOWN, Phase.LAST_BYTE, None, error.code, str(error), seconds=seconds)
    if isinstance(error, SmsRefused):
        return PartAttempt(Outcome.REFUSED, Phase.ANSWER_WHOLE, None, error.code, _refusal(error), error.cms not in PERMANENT, seconds)
    # Of all else nothing was offered, or the modem said ERROR; a SIM that is out is no reason to give up a message that waits durably.
    return PartAttempt(Outcome.NOT_SENT, Phase.NO_BEARER, None, error.code, str(error), isinstance(error, LinkError), seconds)


def _refusal(error: SmsRefused) -> str:
    if error.cms is None:
        return str(error)
    words, cure = _WORDS.get(error.cms, ""), _CURES.get(error.cms, "")
    return error.detail + (f" ({words})" if words else "") + (f"; {cure}" if cure else "")

"""How an SMS leaves: part by part, each one's fate kept before the next, so that a retry sends only what was not sent.

Rule 1: before a part's last byte may leave, the part is begun and the message's `last_byte` is committed; its end is committed before
anything else. Rule 2: a part in doubt ends the attempt as unknown; one that fails ends it as it failed, and as partial when others went
out and there is no time left. Rule 3: what leaves are the TPDUs that were kept when the first attempt began.
It knows no SQL and no AT command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.carrier.sms import PartAttempt, SmsLine, SmsPart, sms_parts
from mmsproxy.errors import MmsproxyError
from mmsproxy.link import Phase
from mmsproxy.post import sms_parts as kept
from mmsproxy.post.insisting import insist
from mmsproxy.post.job import Result
from mmsproxy.post.outbox import BeforeLastByte, Parcel, Send, SendingLine
from mmsproxy.post.outcome import not_made
from mmsproxy.post.policy import NO_FAULT_OF_THE_MESSAGE, retry_delay
from mmsproxy.post.records import Message, Pdu
from mmsproxy.post.sms_parts import PartState
from mmsproxy.post.store import Store

REFERENCES = 256  # of an 8-bit concatenation element (3GPP TS 23.040 9.2.3.24.1)


class NoSmsHere(MmsproxyError):
    """A line that is no modem, and so cannot send an SMS; or octets that are none."""

    code = "no_sms"


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of the message. `n` counts over all parts for all recipients; `recipient` is Recipient.n."""

    n: int
    recipient: int
    part: SmsPart


def compose_sms(message: Message) -> Parcel:
    """The message's TPDUs, one a line: the recipient's place, the length for AT+CMGS, and the hex. Raises PduError.

    Messages that follow each other have different references, also those to one number.
    """
    reference = message.job.seq % REFERENCES
    parts = [
        (recipient.n, part)
        for recipient in message.recipients
        for part in sms_parts(recipient.number, message.text or "", reference=reference, report=message.delivery_report)
    ]
    lines = [f"{recipient} {part.length} {part.pdu}\n" for recipient, part in parts]
    return Parcel(Pdu("".join(lines).encode("ascii")), is_new=True, size=sum(part.length for _, part in parts))


def pieces_of(data: bytes) -> tuple[Piece, ...]:
    """What `compose_sms` wrote. Raises NoSmsHere for anything else."""
    try:
        fields = [line.split(" ") for line in data.decode("ascii").splitlines()]
        pieces = tuple(Piece(n, int(who), SmsPart(int(length), pdu)) for n, (who, length, pdu) in enumerate(fields))
    except ValueError:
        pieces = ()
    if not pieces:
        raise NoSmsHere("the kept octets are no SMS")
    return pieces


def send_sms(store: Store) -> Send:
    """For `Outbox(send={Kind.SMS: ...})`."""
    return _Sending(store).send


class _Sending:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(self, line: SendingLine, message: Message, parcel: Parcel, before_last_byte: BeforeLastByte) -> Result:
        """All parts that were not sent yet, until one is not. Raises nothing of link, carrier or store."""
        way = line.sms
        if way is None:  # bound to it: no other line may take it
            return replace(not_made(NoSmsHere(f"line {line.name} has no modem and sends no SMS")), retryable=False)
        try:
            pieces = pieces_of(parcel.pdu.data)
            done = await self._sent_before(message)
        except MmsproxyError as error:
            return not_made(error)
        run = _Run(self._store, way, line.name, message, pieces, before_last_byte)
        return await run.result([piece for piece in pieces if piece.n not in done])

    async def _sent_before(self, message: Message) -> frozenset[int]:
        rows = await self._store.read(partial(kept.parts_of, seq=message.job.seq))
        return frozenset(row.n for row in rows if row.state is PartState.SENT)


class _Run:
    """One attempt."""

    def __init__(
        self, store: Store, way: SmsLine, line: str, message: Message, pieces: Sequence[Piece], before_last_byte: BeforeLastByte
    ) -> None:
        self._store = store
        self._way = way
        self._line = line
        self._message = message
        self._pieces = pieces
        self._before_last_byte = before_last_byte
        self._made: list[tuple[Piece, PartAttempt]] = []

    async def result(self, todo: Sequence[Piece]) -> Result:
        sent = len(self._pieces) - len(todo)
        for piece in todo:
            attempt = await self._attempt(piece, is_last=piece is todo[-1])
            if attempt.outcome is not Outcome.SENT:
                return self._stopped(attempt, sent)
            sent += 1
        return self._told(Result(Outcome.SENT, Phase.ANSWER_WHOLE))

    async def _attempt(self, piece: Piece, *, is_last: bool) -> PartAttempt:
        """From the commit before the part to the commit behind it."""
        job, total = self._message.job, len(self._pieces)
        begin = partial(kept.begin, job=job, n=piece.n, recipient=piece.recipient, total=total, line=self._line)
        try:
            await self._store.write(begin)
            await self._before_last_byte()
        except MmsproxyError as error:
            return PartAttempt(Outcome.NOT_SENT, Phase.NO_BEARER, None, error.code, str(error), retryable=True)
        attempt = await self._way.send(piece.part)
        self._made.append((piece, attempt))
        state = _STATES[attempt.outcome]
        end = partial(kept.end, job=job, n=piece.n, state=state, reference=attempt.reference, is_last=is_last)
        # The process still knows what happened to the part; a crash before leaves it in doubt.
        await insist(partial(self._store.write, end), "the end of an SMS waits to be stored")
        return attempt

    def _stopped(self, attempt: PartAttempt, sent: int) -> Result:
        """Nobody but this attempt's last part is in doubt."""
        total, outcome, phase = len(self._pieces), attempt.outcome, attempt.phase
        again = attempt.retryable and outcome is not Outcome.UNKNOWN
        detail = attempt.detail if total == 1 else f"{sent} of {total} parts were sent; then: {attempt.detail}"
        if sent and outcome is not Outcome.UNKNOWN:
            phase = max(phase, Phase.PART_OFFERED)
            if not again or not self._has_time(attempt):
                outcome, again = Outcome.PARTIAL, False
        return self._told(Result(outcome, phase, attempt.code, detail, retryable=again))

    def _has_time(self, attempt: PartAttempt) -> bool:
        """Whether the message will be tried again before it expires."""
        job = self._message.job
        pause = 0.0 if attempt.code in NO_FAULT_OF_THE_MESSAGE else retry_delay(job.failures, 1.0)
        return self._store.database.now() + pause < job.expires_at

    def _told(self, result: Result) -> Result:
        seconds = round(sum(attempt.seconds for _, attempt in self._made), 3)
        offered = (piece.part.length for piece, attempt in self._made if attempt.phase >= Phase.LAST_BYTE)
        return replace(
            result,
            bytes_offered=sum(offered),
            bytes_total=sum(piece.part.length for piece in self._pieces),
            tries=len(self._made),
            timings={"sending": seconds, "total": seconds},
        )


_STATES = {
    Outcome.SENT: PartState.SENT,
    Outcome.REFUSED: PartState.FAILED,
    Outcome.NOT_SENT: PartState.FAILED,
    Outcome.UNKNOWN: PartState.UNKNOWN,
}

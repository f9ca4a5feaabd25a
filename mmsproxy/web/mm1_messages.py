"""M-Send.req and M-Forward.req at the MM1 door: a row in the post office, and the wait for what becomes of it (mm1.md 4-6).

Rule 1: nothing is decided here: the store says whether a POST joins, replays or begins, the outbox sends, `mm1_stored` words the answer.
Rule 2: a message is stored before anything of it leaves, and its answer is made from what is stored. Rule 3: while the store is away
nothing is said to have failed that may have left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from fnmatch import fnmatchcase

from mmsproxy.errors import Fault, MmsproxyError, StoreError
from mmsproxy.link import LinkStatus
from mmsproxy.post.admission import Refused
from mmsproxy.post.database import Tx
from mmsproxy.post.intake import Turn
from mmsproxy.post.job import AT_REST, Door, Job, State
from mmsproxy.post.policy import MM1_VALID_FOR, Identical, Wait
from mmsproxy.post.records import Draft, Message, Pdu
from mmsproxy.post.store import Store
from mmsproxy.post.work import outlook
from mmsproxy.web import mm1_answers as answers
from mmsproxy.web.mm1_answers import Reply, with_id
from mmsproxy.web.mm1_intake import Post
from mmsproxy.web.mm1_stored import Stored, reply_of

MAX_UNDER_WAY = 64 * 1024 * 1024  # octets of PDUs whose clients wait: fifty pictures of 1 MiB and some
NO_ROOM_RETRY = 60.0  # seconds
STORE_PAUSE = 0.5  # seconds between looks while the store is away
WHY = {
    "paused": "sending is paused",
    "line_paused": "the line is paused",
    "per_hour": "the cap of messages an hour is reached",
    "per_day": "the cap of messages a day is reached",
}

_log = logging.getLogger(__name__)


class Busy(MmsproxyError):
    """No new attempt now. `retry_after` in seconds."""

    code = "busy"
    fault = Fault.MODEM
    retryable = True

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class LineDown(Busy):
    """The line's modem is not there now."""


class Messages:
    """Messages of MMS software.

    client_wait   seconds that a client waits for its answer
    as_errors     globs of User-Agents that get a carrier's refusal as an HTTP error
    lines         how many lines share what any line may send
    """

    def __init__(self, store: Store, *, client_wait: float, as_errors: Sequence[str] = (), lines: int = 1) -> None:
        self._store = store
        self._client_wait = client_wait
        self._as_errors = tuple(as_errors)
        self._lines = lines
        self._under_way = 0  # octets
        self._is_stopping = False

    def stop(self) -> None:
        """Whoever waits is answered within a second; what waits in the store stays there."""
        self._is_stopping = True

    async def send(self, post: Post) -> Reply:
        """Joins the message with the same octets, or gets its outcome, or is a new one; waits for it as long as the client will."""
        self._under_way += len(post.pdu)
        try:
            return await self._send(post, asyncio.get_running_loop().time() + self._client_wait)
        except Refused as error:
            cause = with_id(f"{error.code}: {error.detail}", post.ref)
            if error.retry_after is not None:
                return answers.busy(post.intake.head, cause, error.retry_after)
            return answers.refusal(post.intake.head, 403, answers.SERVICE_DENIED, cause)
        except Busy as error:
            return answers.busy(post.intake.head, with_id(error.detail, post.ref), error.retry_after)
        finally:
            self._under_way -= len(post.pdu)

    async def _send(self, post: Post, end: float) -> Reply:
        while True:
            turn = await self._accept_roused(post, end)
            message = await self._outcome(turn.message, end)
            if message is None:
                return answers.in_doubt(post.intake.head, with_id("the store is away: the outcome is unknown", turn.message.job.id))
            # Whoever joined has a time of its own, and the first one's was over.
            if turn.kind is not Identical.JOIN or message.job.state is not State.EXPIRED or self._left(end) <= 0:
                return await self._reply(post, message)

    async def _accept_roused(self, post: Post, end: float) -> Turn:
        """A modem that was just plugged in again need not cost its sender a refusal."""
        try:
            return await self._accept(post, end)
        except LineDown:
            if not await post.line.rouse():
                raise
        return await self._accept(post, end)

    async def _accept(self, post: Post, end: float) -> Turn:
        async def may_begin(tx: Tx) -> None:
            await self._check_line(tx, post)

        try:
            async with asyncio.timeout(self._left(end)):
                return await self._store.accept_post(self._draft(post), may_begin=may_begin)
        except (StoreError, TimeoutError) as error:
            raise Busy(f"the store cannot write: {error or 'no answer'}", answers.RECOVERY_ESTIMATE) from error

    def _draft(self, post: Post) -> Draft:
        intake = post.intake
        return Draft(
            recipients=intake.recipients,
            door=Door.MM1,
            line=post.line.name,
            valid_for=min(MM1_VALID_FOR, self._client_wait),
            pdu=Pdu(post.pdu, tuple(post.headers)),
            transaction_id=intake.transaction_id,
            subject=intake.subject,
            is_group=len(intake.recipients) > 1,
            delivery_report=intake.delivery_report,
            read_report=intake.read_report,
            simulated=post.line.settings.is_simulated,
            client=post.client,
        )

    async def _check_line(self, tx: Tx, post: Post) -> None:
        """Raises Busy when a message that is accepted now would not leave while its client waits."""
        line = post.line
        if self._under_way > MAX_UNDER_WAY:
            raise Busy("too many octets wait to be sent", NO_ROOM_RETRY)
        if line.state.status is LinkStatus.DOWN:
            raise LineDown(line.state.reason or f"line {line.name} is down", answers.RECOVERY_ESTIMATE)
        ahead = await outlook(tx, line.name, self._store.limits)
        if ahead.wait is not None:
            raise Busy(_why(ahead.wait), NO_ROOM_RETRY if ahead.wait.until is None else ahead.wait.until - tx.now)
        waiting = ahead.bound + -(-ahead.free // self._lines)
        estimate = line.estimate_wait(waiting)
        if estimate > self._client_wait:
            raise Busy(f"{waiting + line.queue_length} messages wait on line {line.name}", estimate)

    async def _outcome(self, message: Message, end: float) -> Message | None:
        """The message once it is at rest, or as it is at the end of the time. None: the store cannot tell."""
        while True:
            try:
                return await self._store.wait_for(message.job.id, self._is_enough, max(0.0, self._left(end)))
            except StoreError as error:
                _log.warning("an outcome cannot be read: %s", error, extra={"id": message.job.id})
            if self._left(end) <= STORE_PAUSE or self._is_stopping:
                return None
            await asyncio.sleep(STORE_PAUSE)

    def _is_enough(self, message: Message) -> bool:
        return message.job.state in AT_REST or self._is_stopping

    async def _reply(self, post: Post, message: Message) -> Reply:
        job = message.job
        if job.state not in AT_REST:
            return self._late(post, job)
        try:
            stored = await self._stored(message)
        except StoreError as error:
            return answers.in_doubt(post.intake.head, with_id(f"the outcome cannot be read: {error}", job.id))
        _log.info("decided", extra={"id": job.id, "outcome": job.state.value, "code": job.error.code if job.error else ""})
        is_error = any(fnmatchcase(post.user_agent, glob) for glob in self._as_errors)
        return reply_of(stored, post.intake.head, rejected_as_http_error=is_error)

    async def _stored(self, message: Message) -> Stored:
        made = await self._store.attempts(message.job)
        last = next((attempt for attempt in made if attempt.number == message.job.attempts), None)
        return Stored(message, last, await self._store.pdu(message.job, "answer"))

    def _late(self, post: Post, job: Job) -> Reply:
        """The client will not wait longer; the message stays where it is."""
        waited = "the gateway stops" if self._is_stopping else f"{self._client_wait:g} s are over"
        if job.in_doubt or job.was_unknown:
            return answers.in_doubt(post.intake.head, with_id(f"no answer from the carrier and {waited}: the outcome is unknown", job.id))
        cause = f"not sent yet and {waited}: still trying; the same POST joins it"
        return answers.busy(post.intake.head, with_id(cause, job.id), answers.SLOW_LINE_RETRY)

    def _left(self, end: float) -> float:
        return end - asyncio.get_running_loop().time()


def _why(wait: Wait) -> str:
    return WHY.get(wait.why, wait.why)

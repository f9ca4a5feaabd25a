"""M-NotifyResp.ind, M-Acknowledge.ind and M-Read-Rec.ind at the MM1 door: straight to the line, the carrier's answer back (mm1.md 5.3).

Rule 1: nothing is kept of them: they may be repeated. Rule 2: the same one that comes while it is under way joins it. Rule 3: whoever
hangs up ends nothing.
"""

from __future__ import annotations

import asyncio
import logging

from mmsproxy.carrier.attempt import Attempt, Timings, doubtful, not_attempted
from mmsproxy.errors import MmsproxyError
from mmsproxy.link import Phase
from mmsproxy.web import mm1_answers as answers
from mmsproxy.web.mm1_answers import Reply, with_id
from mmsproxy.web.mm1_intake import Post

_log = logging.getLogger(__name__)


class Responses:
    """Those under way. `client_wait` in seconds."""

    def __init__(self, client_wait: float) -> None:
        self._client_wait = client_wait
        self._tasks: dict[str, asyncio.Task[Attempt]] = {}  # by ref
        self._phases: dict[str, Phase] = {}

    async def send(self, post: Post) -> Reply:
        """Waits as long as the client will."""
        task = self._tasks.get(post.ref)
        if task is None:
            wait = post.line.estimate_wait()
            if wait > self._client_wait:
                cause = f"{post.line.queue_length} messages wait on line {post.line.name}"
                return answers.busy(post.intake.head, with_id(cause, post.ref), wait)
            task = self._begin(post)
        await asyncio.wait({task}, timeout=self._client_wait)
        if not task.done():
            return self._late(post)
        return answers.reply_to_response(task.result(), post.intake.head, post.ref)

    def _begin(self, post: Post) -> asyncio.Task[Attempt]:
        task = asyncio.get_running_loop().create_task(self._attempt(post), name=f"mm1 {post.ref}")
        self._tasks[post.ref] = task
        self._phases[post.ref] = Phase.NO_BEARER
        task.add_done_callback(lambda _: self._ended(post.ref))
        return task

    def _ended(self, ref: str) -> None:
        del self._tasks[ref], self._phases[ref]

    async def _attempt(self, post: Post) -> Attempt:
        try:
            return await post.line.post(
                post.pdu,
                post.headers,
                on_phase=lambda phase: self._phases.__setitem__(post.ref, phase),
                transaction_id=post.intake.transaction_id,
                awaited=post.intake.awaited,
                budget=self._client_wait,
            )
        except MmsproxyError as error:
            return not_attempted(error, size=len(post.pdu), timings=Timings())
        except Exception:  # noqa: BLE001 - who joined must be answered: 500 or 504 by what may have left (mm1.md 5.2)
            _log.exception("an attempt ended by a fault of ours", extra={"id": post.ref})
            judge = doubtful if self._phases[post.ref] >= Phase.LAST_BYTE else not_attempted
            return judge(MmsproxyError("fault of the gateway; see its log"), size=len(post.pdu), timings=Timings())

    def _late(self, post: Post) -> Reply:
        waited = f"{self._client_wait:g} s"
        if self._phases.get(post.ref, Phase.LAST_BYTE) >= Phase.LAST_BYTE:
            return answers.in_doubt(post.intake.head, with_id(f"no answer from the carrier within {waited}", post.ref))
        cause = f"not sent within {waited}: slow line, still trying; the same POST joins it"
        return answers.busy(post.intake.head, with_id(cause, post.ref), answers.SLOW_LINE_RETRY)

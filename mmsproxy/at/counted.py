"""A counted send, as every family has it: the command with the length, the prompt, the bytes, the result. What the lines mean is the
dialect's.
"""

from __future__ import annotations

from collections.abc import Callable

from mmsproxy.at.dialect import Ask, Offer, Pause, Script, Sent, Verdict
from mmsproxy.at.heard import Reply

OVERDUE = 0.3  # seconds in which a send that the peer's close ended may have its own result yet: it is not the next command's


def counted_send(
    request: Ask,
    chunk: bytes | memoryview,
    upto: int,
    *,
    result_timeout: float,
    refused: Callable[[Reply], Script[Verdict]],
    judge: Callable[[Reply, int], Sent],
    guard: float = 0.0,
) -> Script[Sent]:
    """`request` asks for the prompt; `guard` is a pause in seconds that the dialect demands after it. `refused` says what an error before
    the prompt means (nothing was taken), `judge` what the result means."""
    prompt = yield request
    if prompt.timed_out:
        return Sent(Verdict.NO_PROMPT)
    if not prompt.prompted:
        return Sent((yield from refused(prompt)), line=prompt.last)
    if guard:
        yield Pause(guard)
    sent = judge((yield Offer(chunk, upto, timeout=result_timeout)), len(chunk))
    if sent.verdict is Verdict.CLOSED:
        yield Pause(OVERDUE)
    return sent

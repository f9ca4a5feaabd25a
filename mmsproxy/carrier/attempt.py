"""What became of one POST to the MMSC, and the one place that decides it.

Rule 1: everything that turns phases, HTTP statuses and Response-Statuses into an outcome lives in this file (mm1.md 5.4, mms.md 17).
Rule 2: NOT_SENT and REFUSED are proofs that the message was not taken; whatever is not proven after the last byte is UNKNOWN.
It knows no sockets, no modem, no clock and no queue: times and phases come in as facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from mmsproxy.errors import LinkError, MmsproxyError, NonMmsAnswer, PduError
from mmsproxy.link import Phase
from mmsproxy.wire import mms_pdu

KEPT_BODY = 4096  # octets of an answer that is no MMS PDU, kept for the person who has to settle it (mm1.md 5.4)

OK = 0x80
PARTIAL_SUCCESS = 0xC4
TRANSIENT = frozenset(range(0xC0, 0xE0)) - {PARTIAL_SUCCESS}  # reserved values count as the first of their block (mms.md 17)

REFUSING_5XX = frozenset({501, 505, 511})  # the server says that it never looked at the message
TOO_MANY_REQUESTS = 429
REQUEST_TIMEOUT = 408


class Outcome(Enum):
    """The five ends of an attempt."""

    SENT = "sent"
    PARTIAL = "partial"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class StatusClass(Enum):
    """What an X-Mms-Response-Status means for the message."""

    OK = "ok"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    PARTIAL = "partial"


class Awaited(Enum):
    """The answer that decides: a confirmation PDU, or for NotifyResp, Acknowledge and Read-Rec any 2xx (OMA-TS-MMS_CTR 8.2.2)."""

    SEND_CONF = "m-send-conf"
    FORWARD_CONF = "m-forward-conf"
    NOTHING = "nothing"


Conf = mms_pdu.SendConf | mms_pdu.ForwardConf


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came: `headers` in order, each value its octets decoded as UTF-8 with surrogateescape; `body` not decoded."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of the field, names compared without case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. `waiting` in the line's queue and in tries that came to nothing; the others are of the last try; `total` is all."""

    waiting: float = 0.0
    bearer: float = 0.0
    connect: float = 0.0
    sending: float = 0.0
    answering: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What the tunnel saw of one POST, undecided. `answer` may be cut when `error` is there; `bytes_*` count the body only."""

    phase: Phase
    answer: Answer | None
    error: MmsproxyError | None
    timings: Timings
    bytes_offered: int
    bytes_total: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A decided POST.

    code       "" when sent; else a code of the API's `error.code`, `partial`, `tid_mismatch` or `stopping`
    detail     one line for people
    answer     the carrier's answer; its body whole when `conf` is there, else at most KEPT_BODY octets
    conf       the decoded confirmation, when one came
    retryable  a new attempt is allowed and can help
    warnings   `no_message_id`, `answer_cut`
    """

    outcome: Outcome
    phase: Phase
    code: str
    detail: str
    timings: Timings
    bytes_offered: int
    bytes_total: int
    retryable: bool = False
    answer: Answer | None = None
    conf: Conf | None = None
    error: MmsproxyError | None = None
    warnings: tuple[str, ...] = ()
    tries: int = 1

    @property
    def status_class(self) -> StatusClass | None:
        """The class of the confirmation's Response-Status, when there is one."""
        return None if self.conf is None else status_class(_status(self.conf))

    @property
    def message_id(self) -> str | None:
        return self.conf.message_id if self.conf is not None else None


def status_class(status: int) -> StatusClass:
    """Folds any octet to its class; reserved values as mms.md 17 says."""
    if status == OK:
        return StatusClass.OK
    if status == PARTIAL_SUCCESS:
        return StatusClass.PARTIAL
    return StatusClass.TRANSIENT if status in TRANSIENT else StatusClass.PERMANENT


def is_refusal(http_status: int) -> bool:
    """True for the statuses that, without a confirmation PDU, prove that the message was not taken (mm1.md 5.4)."""
    if http_status == REQUEST_TIMEOUT:
        return False
    return 300 <= http_status < 500 or http_status in REFUSING_5XX


def judge(trial: Trial, *, awaited: Awaited = Awaited.SEND_CONF, transaction_id: str | None = None) -> Attempt:
    """Decides a trial. `transaction_id` is the request's; None leaves the confirmation's unchecked (the request had none)."""
    conf = _confirmation(trial, awaited)
    if trial.phase < Phase.LAST_BYTE:
        return _not_sent(trial, conf)
    if conf is not None:
        return _by_confirmation(trial, conf, transaction_id)
    if trial.answer is None or _is_cut(trial):
        return _silent(trial)
    return _by_http_status(trial, trial.answer, awaited)


def not_attempted(error: MmsproxyError, *, size: int, timings: Timings) -> Attempt:
    """A message that never came to its turn."""
    trial = Trial(Phase.NO_BEARER, None, error, timings, 0, size)
    return _attempt(trial, Outcome.NOT_SENT, error.code, str(error), retryable=error.retryable)


def doubtful(error: MmsproxyError, *, size: int, timings: Timings) -> Attempt:
    """A message whose attempt ended by a fault of our own: nothing is proven, so UNKNOWN."""
    trial = Trial(Phase.LAST_BYTE, None, error, timings, size, size)
    return _attempt(trial, Outcome.UNKNOWN, error.code, str(error))


def _confirmation(trial: Trial, awaited: Awaited) -> Conf | None:
    """The awaited PDU with a Response-Status in it. A cut answer must be a PDU by the letter: lenience would take a cut value for whole."""
    if trial.answer is None or awaited is Awaited.NOTHING or isinstance(trial.error, NonMmsAnswer):
        return None
    try:
        pdu = mms_pdu.decode(trial.answer.body, strict=_is_cut(trial))
    except PduError:
        return None
    if not isinstance(pdu, mms_pdu.SendConf if awaited is Awaited.SEND_CONF else mms_pdu.ForwardConf):
        return None
    return None if pdu.response_status is None else pdu


def _status(conf: Conf) -> int:
    assert conf.response_status is not None  # _confirmation lets none without it pass
    return int(conf.response_status)


def _not_sent(trial: Trial, conf: Conf | None) -> Attempt:
    """The MMSC cannot have the whole Content-Length, whatever came back."""
    early = trial.answer
    if early is None:
        error = trial.error or LinkError("the connection ended before the message was out")
        return _attempt(trial, Outcome.NOT_SENT, error.code, str(error), retryable=error.retryable)
    detail = f"the MMSC answered {early.status} after {trial.bytes_offered} of {trial.bytes_total} octets"
    retryable = conf is None and not _is_final(early.status)
    return _attempt(trial, Outcome.NOT_SENT, "mmsc_http", detail, retryable=retryable, conf=conf)


def _by_confirmation(trial: Trial, conf: Conf, transaction_id: str | None) -> Attempt:
    status = _status(conf)
    if status_class(status) is not StatusClass.OK:
        return _refused_by_confirmation(trial, conf, status)
    if transaction_id is not None and conf.transaction_id != transaction_id:
        detail = f"the MMSC said Ok to transaction {conf.transaction_id!r}, ours is {transaction_id!r}"
        return _attempt(trial, Outcome.UNKNOWN, "tid_mismatch", detail, conf=conf)
    detail = f"the MMSC said Ok, Message-ID {conf.message_id!r}" if conf.message_id else "the MMSC said Ok without a Message-ID"
    return _attempt(trial, Outcome.SENT, "", detail, conf=conf)


def _refused_by_confirmation(trial: Trial, conf: Conf, status: int) -> Attempt:
    kind = status_class(status)
    text = f" ({_one_line(str(conf.response_text))})" if conf.response_text else ""
    if kind is StatusClass.PARTIAL:
        return _attempt(trial, Outcome.PARTIAL, "partial", f"the MMSC took the message for some recipients only{text}", conf=conf)
    detail = f"the MMSC refused with status 0x{status:02X}{text}"
    return _attempt(trial, Outcome.REFUSED, "mmsc_error", detail, retryable=kind is StatusClass.TRANSIENT, conf=conf)


def _is_cut(trial: Trial) -> bool:
    """The answer is there in part only. One that was cut because it is too long is whole enough: its status is known."""
    return trial.error is not None and not isinstance(trial.error, NonMmsAnswer)


def _silent(trial: Trial) -> Attempt:
    error = trial.error or NonMmsAnswer("the MMSC gave no answer")
    return _attempt(trial, Outcome.UNKNOWN, error.code, str(error))


def _by_http_status(trial: Trial, answer: Answer, awaited: Awaited) -> Attempt:
    if is_refusal(answer.status):
        detail = f"the MMSC refused with HTTP {answer.status}"
        return _attempt(trial, Outcome.REFUSED, "mmsc_http", detail, retryable=not _is_final(answer.status))
    if awaited is Awaited.NOTHING and 200 <= answer.status < 300:
        return _attempt(trial, Outcome.SENT, "", f"the MMSC answered HTTP {answer.status}")
    kind = _one_line(answer.header("Content-Type") or "no Content-Type")
    detail = str(trial.error) if trial.error else f"HTTP {answer.status} with {len(answer.body)} octets of {kind}, no {awaited.value}"
    return _attempt(trial, Outcome.UNKNOWN, NonMmsAnswer.code, detail)


def _is_final(http_status: int) -> bool:
    """A new attempt with the same message would meet the same refusal."""
    return is_refusal(http_status) and http_status != TOO_MANY_REQUESTS


def _attempt(trial: Trial, outcome: Outcome, code: str, detail: str, *, retryable: bool = False, conf: Conf | None = None) -> Attempt:
    answer = trial.answer
    if answer is not None and conf is None and len(answer.body) > KEPT_BODY:
        answer = replace(answer, body=answer.body[:KEPT_BODY])
    return Attempt(
        outcome=outcome,
        phase=trial.phase,
        code=code,
        detail=detail,
        timings=trial.timings,
        bytes_offered=trial.bytes_offered,
        bytes_total=trial.bytes_total,
        retryable=retryable,
        answer=answer,
        conf=conf,
        error=trial.error,
        warnings=tuple(_warnings(trial, outcome, conf)),
    )


def _warnings(trial: Trial, outcome: Outcome, conf: Conf | None) -> Iterator[str]:
    if conf is None:
        return
    if outcome is Outcome.SENT and not conf.message_id:
        yield "no_message_id"
    if trial.error is not None and trial.phase >= Phase.ANSWER_BEGUN:
        yield "answer_cut"


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]

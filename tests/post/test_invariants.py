"""Random histories of the post office on a clock that stands still, against the invariants I1 to I7 of delivery.md 3.

Accepting, claiming, sending, answers that are heard or lost, crashes at every step, workers that sleep too long, persons, reports, pauses
and clocks: in any order. The wire is the truth: a list of the POSTs whose last byte left, with what the carrier made of them and what of
that was heard. MMSPROXY_HISTORIES=N makes N histories of random seeds instead of the few fixed ones.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mmsproxy.carrier.attempt import Outcome
from mmsproxy.errors import MmsproxyError
from mmsproxy.link import Phase
from mmsproxy.post import engines
from mmsproxy.post.caps import HOUR, Caps
from mmsproxy.post.desk import Report
from mmsproxy.post.job import (
    AT_REST,
    TRANSITIONS,
    Cause,
    Door,
    Fallback,
    Kind,
    Lease,
    LeaseLost,
    Priority,
    RecipientState,
    Result,
    State,
)
from mmsproxy.post.policy import Identical, Limits, UnknownPolicy
from mmsproxy.post.records import Draft, Message, Pdu
from mmsproxy.post.schema import GATEWAY
from mmsproxy.post.store import Store, open_store
from mmsproxy.post.work import Worker

T = TypeVar("T")
LINES = ("a", "b")
NUMBERS = ("+12025550123", "+12025550124", "+12025550125")
INTERVAL = {"a": 0.0, "b": 10.0}
NO_SHRINK = "MMSPROXY_HISTORIES_AS_FOUND" in os.environ  # a failing history takes minutes to be made short
HISTORIES = int(os.environ.get("MMSPROXY_HISTORIES", "0"))
SENT_FAMILY = frozenset({State.SENT, State.DELIVERED, State.READ, State.UNDELIVERED})

NOT_SENT = Result(Outcome.NOT_SENT, Phase.OPEN, "connect_failed", "no way", retryable=True)
WITHHELD = Result(Outcome.NOT_SENT, Phase.PART_OFFERED, "lease_lost", "withheld")
ANSWERS = {
    "ok": Result(Outcome.SENT, Phase.ANSWER_WHOLE, response_status=0x80, carrier_message_id="m", answer=b"ok"),
    "partial": Result(Outcome.PARTIAL, Phase.ANSWER_WHOLE, "partial", response_status=0xC4),
    "busy": Result(Outcome.REFUSED, Phase.ANSWER_WHOLE, "mmsc_error", "busy", response_status=0xC0),
    "unresolved": Result(Outcome.REFUSED, Phase.ANSWER_WHOLE, "mmsc_error", "who", response_status=0xC1),
    "refused": Result(Outcome.REFUSED, Phase.ANSWER_WHOLE, "mmsc_error", "no", response_status=0xE0),
    "no credit": Result(Outcome.REFUSED, Phase.ANSWER_WHOLE, "mmsc_error", "no credit", response_status=0xEB),
    "lost": Result(Outcome.UNKNOWN, Phase.LAST_BYTE, "answer_timeout", "no answer"),
    "cut": NOT_SENT,
    "html": Result(Outcome.UNKNOWN, Phase.ANSWER_WHOLE, "non_mms_answer", "<html>", http_status=200),
}
STAGES = ("claimed", "begun", "doubtful", "posted")
DEFINITE_REFUSALS = frozenset({"busy", "unresolved", "refused", "no credit"})


@dataclass
class Post:
    """One POST whose last byte left. `heard`: what of the carrier's answer was stored, None while it is awaited or when nobody was left."""

    message_id: str
    begun_at: float
    heard: str | None = None


@dataclass
class Work:
    """What one worker is doing; `stage` one of STAGES."""

    lease: Lease
    stage: str = "claimed"
    begun_at: float = 0.0
    post: Post | None = None


@dataclass
class Wire:
    posts: list[Post] = field(default_factory=list)

    def of(self, message_id: str) -> list[Post]:
        return [post for post in self.posts if post.message_id == message_id]


@dataclass(frozen=True)
class Action:
    """Something that happens; `weight` is how often beside the others."""

    name: str
    weight: int
    parameters: dict[str, st.SearchStrategy[Any]]

    def run(self, history: Histories, **given: Any) -> None:
        getattr(history, self.name)(**given)

    def __repr__(self) -> str:
        return self.name


ANY_ANSWER = st.sampled_from([*sorted(ANSWERS), "ok", "ok", "lost", "busy", "cut"])
ACTIONS = (
    Action(
        "accept",
        6,
        {
            "line": st.sampled_from(("", "", *LINES)),
            "priority": st.sampled_from(Priority),
            "later": st.sampled_from([*[None] * 6, 60.0, 5000.0]),
            "valid_for": st.sampled_from([60.0, 3600.0, 7200.0]),
            "fallback": st.sampled_from(Fallback),
            "number": st.sampled_from(NUMBERS),
            "cost": st.sampled_from([1, 1, 1, 5]),
        },
    ),
    Action("post_at_the_mm1_door", 3, {"content": st.sampled_from([b"one", b"two"])}),
    Action("work", 8, {"line": st.sampled_from(LINES), "answer": ANY_ANSWER, "until": st.just("")}),
    Action("work", 5, {"line": st.sampled_from(LINES), "answer": ANY_ANSWER, "until": st.sampled_from(STAGES)}),
    Action("crash", 1, {}),
    Action(
        "time_goes_by", 5, {"seconds": st.sampled_from([1.0, 6.0, 11.0, 35.0, 61.0, 119.0, 125.0, 700.0, 3600.0]), "asleep": st.booleans()}
    ),
    Action("the_clock_is_set", 1, {"step": st.sampled_from([-86400.0, -30.0, 30.0, 86400.0])}),
    Action(
        "a_person_acts", 4, {"which": st.integers(0, 9), "what": st.sampled_from(["cancel", "retry", "retry at risk", "sent", "failed"])}
    ),
    Action(
        "report",
        2,
        {
            "number": st.sampled_from(NUMBERS),
            "known": st.sampled_from(["m", "other"]),
            "state": st.sampled_from([None, RecipientState.DELIVERED, RecipientState.READ, RecipientState.UNDELIVERED]),
        },
    ),
    Action("pause_or_resume", 3, {"scope": st.sampled_from([GATEWAY, GATEWAY, *LINES]), "pause": st.booleans()}),
)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory(prefix="mmsproxy-histories-")
        self.now = 1_800_000_000.0
        self.ids = itertools.count()
        self.runs = itertools.count()
        self.work_of: dict[str, Work] = {}
        self.wire = Wire()
        self.acked: set[str] = set()
        self.may_post: dict[str, bool] = {}
        self.states: dict[str, State] = {}
        self.claims: dict[str, float] = {}
        self.posted_at_mm1: dict[bytes, str] = {}
        self.resent: dict[str, int] = {}
        self.certain: dict[str, int] = {}
        self.costs: dict[str, int] = {}
        self.log_seq = 0
        self.store: Store
        self.limits = Limits()

    def do(self, step: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(step)

    def try_to(self, step: Coroutine[Any, Any, T]) -> T | None:
        """For what may be refused in the state that things are in."""
        try:
            return self.do(step)
        except MmsproxyError:
            return None

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self.ids):06}"

    def open(self) -> None:
        self.owner = f"node/{next(self.runs)}"
        path = Path(self.folder.name)
        url = f"sqlite+aiosqlite:///{path}/post.db"
        opening = open_store(
            url, media=path / "media", clock=lambda: self.now, new_id=self.new_id, limits=self.limits, reserve=0, low_water=0
        )
        self.store = self.do(opening)
        self.do(self.store.recover(self.owner))

    @initialize(policy=st.sampled_from(UnknownPolicy), resends=st.integers(1, 2), per_hour=st.sampled_from([0, 100, 4, 0, 100]))
    def begin_history(self, policy: UnknownPolicy, resends: int, per_hour: int) -> None:
        self.limits = Limits(caps=Caps(per_hour, 0), unknown=policy, resends=resends)
        self.open()

    def worker(self, line: str) -> Worker:
        return Worker(self.owner, line, INTERVAL[line])

    def messages(self) -> list[Message]:
        return list(self.do(self.store.page(limit=200)).messages)

    @rule(action=st.sampled_from([action for action in ACTIONS for _ in range(action.weight)]), data=st.data())
    def step(self, action: Action, data: st.DataObject) -> None:
        """The only rule: hypothesis leaves out rules at random, and a history without workers shows nothing."""
        action.run(self, **{name: data.draw(values, label=name) for name, values in action.parameters.items()})

    # Senders

    def accept(
        self, line: str, priority: Priority, later: float | None, valid_for: float, fallback: Fallback, number: str, cost: int
    ) -> None:
        draft = Draft(
            (number,),
            line=line,
            priority=priority,
            send_at=None if later is None else self.now + later,
            valid_for=valid_for,
            fallback=fallback,
            pdu=Pdu(b"api"),
            delivery_report=True,
            cost=cost,
        )
        message_id = self.do(self.store.accept([draft])).messages[0].job.id
        self.costs[message_id] = cost
        self.acknowledge(message_id)

    def post_at_the_mm1_door(self, content: bytes) -> None:
        draft = Draft((NUMBERS[0],), door=Door.MM1, client="192.0.2.7", valid_for=55.0, pdu=Pdu(content), delivery_report=True)
        turn = self.do(self.store.accept_post(draft))
        message_id = self.posted_at_mm1.get(content)
        before = None if message_id is None else self.states[message_id]
        if turn.kind is Identical.NEW:
            assert before not in (State.QUEUED, State.SENDING, State.RETRYING, State.UNKNOWN), "a second message for the same POST"
        else:
            assert turn.message.job.id == message_id
        if turn.kind is Identical.ANEW:
            assert before in (State.FAILED, State.EXPIRED)
            self.may_post[turn.message.job.id] = True
        self.posted_at_mm1[content] = turn.message.job.id
        self.acknowledge(turn.message.job.id)

    def acknowledge(self, message_id: str) -> None:
        self.acked.add(message_id)
        self.may_post.setdefault(message_id, True)

    # Workers

    def work(self, line: str, answer: str, until: str) -> None:
        """As far as the stage, or to the answer."""
        for _ in range(len(STAGES) + 1):
            stage = self.work_of.get(line)
            if stage is not None and stage.stage == until:
                return
            self.advance(line, "" if stage is None else stage.stage, answer)
            if line not in self.work_of:
                return

    def advance(self, line: str, stage: str, answer: str) -> None:
        if not stage:
            self.claim(line)
        elif stage == "claimed":
            self.begin(line, self.work_of[line])
        elif stage == "begun" and answer == "cut":
            self.finish(line, self.work_of[line], NOT_SENT)
        elif stage == "begun":
            self.commit_last_byte(line, self.work_of[line])
        elif stage == "doubtful":
            self.the_last_byte_leaves(self.work_of[line])
        else:
            self.hear(line, self.work_of[line], "lost" if answer == "cut" else answer)

    def claim(self, line: str) -> None:
        found = self.do(self.store.claim(self.worker(line)))
        if isinstance(found, Lease):
            assert found.job.line in ("", line)
            assert self.now - self.claims.get(line, 0.0) >= INTERVAL[line]
            self.claims[line] = self.now
            self.work_of[line] = Work(found)

    def begin(self, line: str, work: Work) -> None:
        try:
            work.lease = self.do(self.store.begin(work.lease, self.worker(line), Pdu(b"api"), transaction_id="T"))
            work.stage, work.begun_at = "begun", self.now
        except LeaseLost:
            self.do(self.store.drop(work.lease))
            del self.work_of[line]

    def commit_last_byte(self, line: str, work: Work) -> None:
        try:
            self.do(self.store.last_byte(work.lease))
        except LeaseLost:
            self.finish(line, work, WITHHELD)
            return
        assert not self.is_paused(), "a last byte in spite of the kill switch"
        work.stage = "doubtful"

    def is_paused(self) -> bool:
        return self.do(self.store.lines())[GATEWAY].paused_at is not None

    def the_last_byte_leaves(self, work: Work) -> None:
        message_id = work.lease.job.id
        assert self.may_post[message_id], "I2: a second POST that nobody asked for"
        self.may_post[message_id] = False
        work.stage, work.post = "posted", Post(message_id, work.begun_at)
        self.wire.posts.append(work.post)

    def hear(self, line: str, work: Work, answer: str) -> None:
        assert work.post is not None
        work.post.heard = answer
        if answer in DEFINITE_REFUSALS:
            self.may_post[work.post.message_id] = True
        self.finish(line, work, ANSWERS[answer])

    def finish(self, line: str, work: Work, result: Result) -> None:
        del self.work_of[line]
        self.do(self.store.finish(work.lease, result))
        self.do(self.store.finish(work.lease, result))  # an end that was stored may be stored again

    def crash(self) -> None:
        self.do(self.store.close())
        self.work_of.clear()
        self.open()

    # Time

    def time_goes_by(self, seconds: float, asleep: bool) -> None:
        """A worker that is not asleep renews its leases, and so keeps what it works on."""
        for _ in range(1 if asleep else math.ceil(seconds / 60)):
            self.now += seconds if asleep else min(60.0, seconds)
            if not asleep:
                self.do(self.store.renew(self.owner, [work.lease.job.seq for work in self.work_of.values()], 120.0))
        self.do(self.store.sweep())
        self.fall_back()

    def the_clock_is_set(self, step: float) -> None:
        if self.limits.caps.per_hour:  # the times of the wire would have to be kept twice for the caps
            return
        self.now += step
        self.claims = {line: at + step for line, at in self.claims.items()}
        self.do(self.store.shift_clock(step))

    # Persons, carriers' reports

    def a_person_acts(self, which: int, what: str) -> None:
        found = [message.job for message in self.messages()]
        if not found:
            return
        job = found[which % len(found)]
        if what == "cancel":
            self.try_to(self.store.cancel(job.id))
        elif what.startswith("retry"):
            risk = what != "retry"
            if self.try_to(self.store.retry(job.id, accept_duplicate_risk=risk)) is not None:
                assert risk or job.state is not State.UNKNOWN
                self.may_post[job.id] = True
        else:
            self.try_to(self.store.resolve(job.id, State(what)))

    def report(self, number: str, known: str, state: RecipientState | None) -> None:
        self.do(self.store.report(Report(known, number, state, "a report", self.now)))

    def pause_or_resume(self, scope: str, pause: bool) -> None:
        """What is paused is resumed at the next occasion, or nothing would happen for the rest of the history."""
        paused = [row.name for row in self.do(self.store.lines()).values() if row.paused_at is not None]
        for name in paused:
            self.do(self.store.resume(name))
        if pause and not paused:
            self.do(self.store.pause(scope, "by hand"))

    def fall_back(self) -> None:
        for message_id in self.do(self.store.falling_back()):
            assert not [post for post in self.wire.of(message_id) if post.heard not in DEFINITE_REFUSALS], "a fallback in doubt"
            child = Draft((NUMBERS[0],), kind=Kind.SMS, parent_id=message_id, pdu=Pdu(b"sms"))
            self.acknowledge(self.do(self.store.fall_back(message_id, [child])).replaced_by or "")

    # What must always hold

    @invariant()
    def what_must_hold(self) -> None:
        if not hasattr(self, "store"):
            return
        self.check_log()
        messages = self.messages()
        assert {message.job.id for message in messages} >= self.acked, "I1: what was acknowledged is gone"
        for message in messages:
            self.check_message(message)
        sending = [message.job.used_line for message in messages if message.job.state is State.SENDING]
        assert len(sending) == len(set(sending)), "I7: two attempts on one line"
        self.check_caps()

    def check_log(self) -> None:
        """I5: every change is one that the table allows, and the log has each of them."""
        for event in self.do(self.store.events_after(self.log_seq)):
            self.log_seq = event.seq
            if event.message_id is None:
                continue
            old, new = self.states.get(event.message_id), State(str(event.data["status"]))
            if old is None:
                assert new in (State.QUEUED, State.SCHEDULED)
            else:
                assert old == event.data["previous"]
                assert Cause(str(event.data["cause"])) in TRANSITIONS[old, new]
                assert old not in (State.CANCELED, State.PARTIAL)
            if event.data.get("cause") == Cause.POLICY and new in (State.FAILED, State.EXPIRED):
                assert event.data["error"]["code"] == "over_cap"
                assert self.costs[event.message_id] > self.limits.caps.per_hour > 0
            elif event.data.get("cause") == Cause.POLICY:
                assert self.limits.unknown is UnknownPolicy.RESEND_SAME_TID
                self.may_post[event.message_id] = True
                self.resent[event.message_id] = self.resent.get(event.message_id, 0) + 1
                assert self.resent[event.message_id] <= self.limits.resends
            if new is State.FAILED:
                self.check_failed(event.message_id, old)
            self.states[event.message_id] = new

    def check_failed(self, message_id: str, old: State | None) -> None:
        """A message that failed by itself was taken by nobody: each POST since it last failed was refused for certain."""
        posts = self.wire.of(message_id)
        if old is State.SENDING:
            assert all(post.heard in DEFINITE_REFUSALS for post in posts[self.certain.get(message_id, 0) :]), (
                "failed, and perhaps delivered"
            )
        self.certain[message_id] = len(posts)

    def check_message(self, message: Message) -> None:
        job, posts = message.job, self.wire.of(message.job.id)
        assert self.states[job.id] is job.state, "a change that nobody was told of"
        heard = [post.heard for post in posts]
        if job.state in SENT_FAMILY:
            by_answer = message.settled_by == "answer"
            assert heard.count("ok") == 1 or not by_answer, "I4: sent without exactly one Ok"
            assert message.settled_by in ("answer", "report", "person")
        if "ok" in heard:
            assert job.state in SENT_FAMILY, "an Ok that was heard is not told"
        if "partial" in heard:
            assert job.state is State.PARTIAL or job.was_unknown
        under_way = any(work.post in posts for work in self.work_of.values())
        if posts and not under_way and heard[-1] in (None, "lost", "html") and not self.may_post[job.id]:
            # I3: a doubtful POST leaves its row unknown, until somebody settles it.
            assert job.state is State.UNKNOWN or message.settled_by in ("report", "person") or job.error.code == "resolved", job

    def check_caps(self) -> None:
        limit = self.limits.caps.per_hour
        begun = [(post.begun_at, self.costs.get(post.message_id, 1)) for post in self.wire.posts]
        for end, _ in begun if limit else ():
            assert sum(cost for at, cost in begun if end - HOUR < at <= end) <= limit, "more in an hour than the cap allows"

    def teardown(self) -> None:
        """I6: left alone, everything comes to rest within its valid_for and one attempt."""
        try:
            if hasattr(self, "store"):
                self.come_to_rest()
        finally:
            if hasattr(self, "store"):
                self.do(self.store.close())
            self.loop.close()
            self.folder.cleanup()

    def come_to_rest(self) -> None:
        self.work_of.clear()
        planned = [message.job.due_at or 0.0 for message in self.messages() if message.job.state is State.SCHEDULED]
        self.now = max([self.now, *planned])
        for _ in range(4):
            self.now += 6000.0
            self.do(self.store.sweep())
        left = {message.job.state for message in self.messages()} - AT_REST
        assert not left or self.limits.unknown is not UnknownPolicy.HOLD, f"I6: {left}"
        self.what_must_hold()


def test_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing here pulls the plug: the kill loop and the commits' own tests need FULL, thousands of steps do not.
    monkeypatch.setattr(engines, "PRAGMAS", tuple(item.replace("FULL", "OFF") for item in engines.PRAGMAS))
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=HISTORIES or 15,
            stateful_step_count=70,
            derandomize=not HISTORIES,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Stage.generate,) if NO_SHRINK else tuple(Stage),
        ),
    )

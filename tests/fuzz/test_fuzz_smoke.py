"""Ten seconds of each fuzz target, by atheris where it is installed; and proof that a fault of the codec would be a finding."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wire import mms_pdu, sms_pdu

SECONDS = 10
Script = Callable[[str], ModuleType]


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tests" / "fuzz" / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.fuzz
@pytest.mark.parametrize("target", ["mms", "push", "tpdu"])
def test_some_seconds_without_a_finding(root: Path, target: str) -> None:
    done = run(root, "--seconds", str(SECONDS), "--target", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no finding" in done.stdout
    assert int(done.stdout.split()[2]) > 100


@pytest.mark.parametrize("target", ["mms", "push", "tpdu"])
def test_the_engine_without_atheris(root: Path, target: str) -> None:
    done = run(root, "--seconds", "0.5", "--target", target, "--engine", "python")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[:2] == [target, "python"]


def test_a_finding_is_told_with_its_octets_and_exit_1(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = script("run")
    broken = runner.Outcome("mms", "python", 7, [b"\x8c\x80"], "Traceback\nValueError: x", False)
    monkeypatch.setattr(runner, "run", lambda *_: broken)
    monkeypatch.setattr(sys, "argv", ["run.py", "--target", "mms"])
    assert runner.main() == 1
    shown = capsys.readouterr().out
    assert "FINDING" in shown
    assert "ValueError: x" in shown
    assert "octets: 8c80" in shown


def test_a_run_without_executions_is_no_success(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = script("run")
    monkeypatch.setattr(runner, "run", lambda *_: runner.Outcome("mms", "python", 0, [], "", True))
    monkeypatch.setattr(sys, "argv", ["run.py", "--target", "mms"])
    assert runner.main() == 1


def test_executions_are_read_from_both_engines(script: Script) -> None:
    runner = script("run")
    assert runner.executions("x\nstat::number_of_executed_units: 123\n") == 123
    assert runner.executions('x\n{"engine": "python", "executions": 45, "accepted": 3}\n') == 45
    assert runner.executions("nothing") == 0


FAULTS = {
    "a foreign exception": lambda data: (_ for _ in ()).throw(IndexError("x")),
    "an offset beyond the octets": lambda data: (_ for _ in ()).throw(PduError("x", offset=len(data) + 1)),
    "octets that do not come back": lambda data: mms_pdu.AcknowledgeInd(transaction_id="other"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_checks_see_a_faulty_decoder(script: Script, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    checks = script("checks")
    monkeypatch.setattr(checks.mms_pdu, "decode", lambda data, strict=False: FAULTS[fault](data))
    with pytest.raises((checks.Finding, IndexError)):
        checks.mms(bytes.fromhex("8C85985231008D92"))


def test_the_checks_see_a_strict_mode_that_is_lenient(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = script("checks")
    real = mms_pdu.decode
    accepted = bytes.fromhex("8C85 98523100 8D92 91FE")
    assert checks.mms(accepted) is True
    reads = iter((real(accepted), real(bytes.fromhex("8C85985231008D92"))))
    monkeypatch.setattr(checks.mms_pdu, "decode", lambda data, strict=False: next(reads))
    with pytest.raises(checks.Finding):
        checks.mms(accepted)


def test_mutations_are_deterministic_bounded_and_mostly_accepted_or_refused_in_earnest(script: Script) -> None:
    mutate, seeds, checks = script("mutate"), script("seeds"), script("checks")
    for target in ("mms", "push", "tpdu"):
        start = seeds.seeds(target)
        assert len(start) > 20
        rand, again = random.Random(3), random.Random(3)
        tried = [mutate.mutated(rand, start) for _ in range(300)]
        assert tried == [mutate.mutated(again, start) for _ in range(300)]
        assert max(map(len, tried)) <= mutate.MAX_LENGTH
        accepted = sum(checks.CHECKS[target](data) for data in tried)
        assert 20 < accepted < 295, target


def test_every_seed_of_our_own_is_accepted(script: Script) -> None:
    made, checks = script("made"), script("checks")
    rand = random.Random(4)
    for target, octets in (("mms", made.mms_seeds(rand)), ("push", made.push_seeds(rand)), ("tpdu", made.tpdu_seeds(rand))):
        assert all(checks.CHECKS[target](data) for data in octets)
    kinds = {type(sms_pdu.guess(data)).__name__ for data in made.tpdu_seeds(rand)}
    assert kinds == {"Deliver", "Submit", "StatusReport"}


def test_the_campaign_counts_and_stops_at_a_finding(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = script("campaign").Campaign("push")
    campaign.seeds = campaign.whole = [bytes.fromhex("010603BEAF848C82")]
    campaign.truncations()
    assert campaign.tried == 9
    campaign.mutations(50, 1)
    assert campaign.tried == 59
    assert "59 tried" in capsys.readouterr().out

    def broken(data: bytes) -> bool:
        raise IndexError("x")

    campaign.check = broken
    with pytest.raises(IndexError):
        campaign.one(b"\1\2")
    assert "FINDING: 0102" in capsys.readouterr().out

"""Which rung comes when: decisions over faults and times, no modem in sight."""

from __future__ import annotations

import pytest

from mmsproxy.at import line_rate
from mmsproxy.at import recovery as rungs
from mmsproxy.at.delivery import RESTART_TIMEOUT, PromptLost, StillQuiet
from mmsproxy.at.dialect import Rung
from mmsproxy.at.startup import ANSWER_TRIES, WAKE_TIMEOUT, NoAnswer
from mmsproxy.errors import AtError, BearerError, LinkError, LinkLost, ModemSilent, PortError, RegistrationError, SimError
from mmsproxy.modem import recovery, reset_hook
from mmsproxy.modem.channel import PROBES
from mmsproxy.modem.recovery import BearerLadder, Ladder, Step

SILENT = NoAnswer("silence")


def climb(ladder: Ladder, fault: LinkError, times: int, now: float = 0.0) -> list[Step]:
    return [ladder.after(fault, has_port=True, now=now) for _ in range(times)]


@pytest.mark.parametrize("fault", [SILENT, ModemSilent("silence"), PortError("10 commands in a row")])
def test_a_silent_modem_is_probed_restarted_reset_and_given_up(fault: LinkError) -> None:
    assert [step.rung for step in climb(Ladder(can_reset=True), fault, 4)] == [Rung.PROBE, Rung.RESTART, Rung.RESET, Rung.GIVE_UP]
    assert [step.rung for step in climb(Ladder(can_reset=False), fault, 3)] == [Rung.PROBE, Rung.RESTART, Rung.GIVE_UP]


def test_only_the_probe_searches_and_only_giving_up_rests() -> None:
    steps = climb(Ladder(can_reset=True), SILENT, 4)
    assert [step.search for step in steps] == [True, False, False, False]
    assert [step.wait for step in steps] == [0.0, 0.0, 0.0, recovery.GIVEN_UP]
    assert steps[1].rounds == steps[2].rounds == recovery.BOOT_ROUNDS


def test_a_modem_that_refuses_gets_its_radio_cycled_too() -> None:
    rungs_taken = [step.rung for step in climb(Ladder(can_reset=True), AtError("ERROR"), 5)]
    assert rungs_taken == [Rung.PROBE, Rung.RADIO, Rung.RESTART, Rung.RESET, Rung.GIVE_UP]


def test_no_network_begins_with_the_radio() -> None:
    assert climb(Ladder(can_reset=False), RegistrationError("none"), 1)[0].rung is Rung.RADIO


def test_a_modem_that_fails_in_different_ways_still_climbs() -> None:
    ladder = Ladder(can_reset=True)
    faults: list[LinkError] = [SILENT, SILENT, AtError("ERROR"), RegistrationError("none")]
    assert [ladder.after(fault, has_port=True, now=0.0).rung for fault in faults] == [Rung.PROBE, Rung.RESTART, Rung.RESET, Rung.GIVE_UP]


def test_given_up_is_a_pause_in_which_a_message_is_worth_a_try_and_not_the_ladder() -> None:
    ladder = Ladder(can_reset=False)
    climb(ladder, SILENT, 3)
    assert ladder.after(SILENT, has_port=True, now=100.0) == Step(wait=recovery.GIVEN_UP - 100.0)
    assert ladder.after(SILENT, has_port=True, now=recovery.GIVEN_UP).rung is Rung.PROBE


def test_after_a_success_it_begins_from_the_first_rung() -> None:
    ladder = Ladder(can_reset=False)
    climb(ladder, SILENT, 3)
    ladder.succeeded()
    assert climb(ladder, SILENT, 1)[0].rung is Rung.PROBE


def test_a_port_that_is_gone_is_looked_for_again_and_again() -> None:
    ladder = Ladder(can_reset=True)
    steps = [ladder.after(LinkLost("unplugged"), has_port=False, now=0.0) for _ in range(7)]
    assert [step.wait for step in steps] == [1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0]
    assert {step.rung for step in steps} == {None}


def test_a_reset_that_unplugs_the_modem_is_not_followed_by_another() -> None:
    ladder = Ladder(can_reset=True)
    climb(ladder, SILENT, 3)
    ladder.after(PortError("no port"), has_port=False, now=0.0)
    assert climb(ladder, SILENT, 1)[0].rung is Rung.GIVE_UP
    ladder.after(PortError("no port"), has_port=False, now=1.0)
    assert ladder.after(SILENT, has_port=True, now=1.0) == Step(wait=recovery.GIVEN_UP - 1.0)


def test_an_unplugged_modem_is_another_when_it_comes_back() -> None:
    ladder = Ladder(can_reset=False)
    climb(ladder, SILENT, 2)
    ladder.after(LinkLost("unplugged"), has_port=False, now=0.0)
    assert climb(ladder, SILENT, 1)[0].rung is Rung.PROBE


def test_a_restart_is_no_rung_and_one_after_the_other_gets_rest() -> None:
    ladder = Ladder(can_reset=True)
    steps = climb(ladder, LinkLost("RDY"), 3)
    assert [(step.rung, step.wait, step.rounds) for step in steps] == [
        (None, 0.0, recovery.BOOT_ROUNDS),
        (None, 1.0, recovery.BOOT_ROUNDS),
        (None, 2.0, recovery.BOOT_ROUNDS),
    ]
    ladder.succeeded()
    ladder.served()
    assert climb(ladder, LinkLost("RDY"), 1)[0].wait == 0.0


@pytest.mark.parametrize("fault", [SimError("no SIM"), LinkError("no dialect")])
def test_what_only_a_person_can_mend_is_tried_again_without_a_rung(fault: LinkError) -> None:
    steps = climb(Ladder(can_reset=True), fault, 6)
    assert {step.rung for step in steps} == {None}
    assert [step.wait for step in steps] == [1.0, 2.0, 5.0, 10.0, 30.0, 30.0]


def test_after_a_lost_prompt_nothing_is_written_unless_the_modem_can_be_reset() -> None:
    ladder = Ladder(can_reset=False)
    assert climb(ladder, PromptLost("no prompt"), 1) == [Step(quiet=PromptLost.quiet)]
    assert [step.rung for step in climb(ladder, SILENT, 2)] == [Rung.RESTART, Rung.GIVE_UP]
    ladder = Ladder(can_reset=True)
    assert climb(ladder, PromptLost("no prompt"), 1)[0].rung is Rung.RESET
    assert climb(ladder, SILENT, 1)[0].rung is Rung.GIVE_UP
    assert climb(Ladder(can_reset=False), StillQuiet("nor a restart"), 1)[0].quiet == StillQuiet.quiet


def rounds(count: int) -> float:
    return count * ANSWER_TRIES * WAKE_TIMEOUT


def test_a_silent_modem_is_back_or_given_up_in_time() -> None:
    noticing = PROBES * WAKE_TIMEOUT
    escape = 2 * line_rate.GUARD + line_rate.ESCAPE_TIMEOUT + rounds(1)
    probe = rounds(recovery.USUAL_ROUNDS) + escape + rounds(len(line_rate.SEARCHED))
    restart = rungs.RESTART_TIMEOUT + rounds(recovery.BOOT_ROUNDS)
    reset = reset_hook.LIMIT + rounds(recovery.BOOT_ROUNDS)
    assert noticing + probe + restart + reset <= recovery.OUTAGE
    assert PromptLost.quiet + rounds(recovery.USUAL_ROUNDS) + restart <= recovery.OUTAGE
    assert RESTART_TIMEOUT + StillQuiet.quiet + rounds(recovery.USUAL_ROUNDS) + restart <= recovery.OUTAGE


def test_a_modem_without_a_bearer_climbs_a_rung_at_each_look() -> None:
    ladder = BearerLadder(can_reset=True)
    taken = [ladder.failed(30.0 * look) for look in range(7)]
    assert taken == [Rung.BEARER, Rung.RADIO, Rung.RESTART, Rung.RESET, Rung.GIVE_UP, None, None]
    assert ladder.failed(120.0 + recovery.GIVEN_UP) is Rung.BEARER
    ladder.succeeded()
    assert ladder.failed(1000.0) is Rung.BEARER


def test_without_a_reset_command_that_rung_is_not_there() -> None:
    ladder = BearerLadder(can_reset=False)
    assert [ladder.failed(0.0) for _ in range(5)] == [Rung.BEARER, Rung.RADIO, Rung.RESTART, Rung.GIVE_UP, None]


def test_only_silence_counts_as_silence() -> None:
    assert [recovery.is_silence(fault) for fault in (SILENT, ModemSilent("x"), PortError("x"))] == [True] * 3
    assert [recovery.is_silence(fault) for fault in (LinkLost("RDY"), BearerError("x"), AtError("x"))] == [False] * 3

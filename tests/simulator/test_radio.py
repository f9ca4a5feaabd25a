"""SIM, registration and contexts: states, and what a change costs."""

from __future__ import annotations

import contextlib
import time

from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.radio import PIN_ATTEMPTS, Context, Radio
from mmsproxy.simulator.settings import ModemSettings


def made(clock: Clock, default_bearer: bool = False, **settings: object) -> Radio:
    return Radio(ModemSettings(**settings), clock, default_bearer=default_bearer)  # type: ignore[arg-type]


async def test_lte_attaches_with_its_first_context() -> None:
    with contextlib.closing(Clock()) as clock:
        lte, gsm = made(clock, default_bearer=True), made(clock)
        assert (lte.attached, lte.contexts[1].active) == (True, True)
        assert (gsm.attached, gsm.contexts[1].active) == (True, False)


async def test_a_pin_bars_everything_until_it_is_entered() -> None:
    with contextlib.closing(Clock()) as clock:
        radio = made(clock, pin="1234")
        told: list[bool] = []
        radio.on_registration = lambda: told.append(radio.registered)
        assert (radio.pin_state, radio.registered, radio.attached) == ("SIM PIN", False, False)
        assert await radio.grant("x") is False
        assert radio.enter_pin("1111") is False
        assert radio.pin_attempts == PIN_ATTEMPTS - 1
        assert radio.enter_pin("1234") is True
        assert (radio.pin_state, radio.attached, told) == ("READY", True, [True])


async def test_a_blocked_pin_stays_blocked() -> None:
    with contextlib.closing(Clock()) as clock:
        radio = made(clock, pin="1234")
        assert [radio.enter_pin("0") for _ in range(PIN_ATTEMPTS)] == [False] * PIN_ATTEMPTS
        assert (radio.enter_pin("1234"), radio.pin_state) == (False, "SIM PUK")


async def test_what_takes_time() -> None:
    with contextlib.closing(Clock()) as clock:
        radio = made(clock, activation=0.1, attached=False)
        start = time.monotonic()
        assert await radio.activate(1)  # attach 0.05, context 0.1
        assert time.monotonic() - start >= 0.15
        radio.contexts[2] = Context(apn="mms")
        start = time.monotonic()
        assert await radio.activate(2)  # a second context is quick, but not free
        assert time.monotonic() - start >= 0.025
        assert await radio.activate(3) is False


async def test_the_network_decides_by_apn_and_coverage() -> None:
    with contextlib.closing(Clock()) as clock:
        radio = made(clock, apn="MMS")
        assert (await radio.grant("mms"), await radio.grant("internet")) == (True, False)
        radio.set_coverage(False)
        assert (await radio.grant("mms"), radio.attached, radio.registered) == (False, False, False)
        radio.set_coverage(True)
        assert radio.attached


async def test_radio_off_and_sim_out() -> None:
    with contextlib.closing(Clock()) as clock:
        radio = made(clock, default_bearer=True)
        radio.set_functionality(4)
        assert (radio.registered, radio.contexts[1].active) == (False, False)
        radio.set_functionality(1)
        assert radio.contexts[1].active
        radio.contexts_down()
        assert (radio.attached, radio.contexts[1].active) == (True, False)
        radio.remove_sim()
        assert not radio.registered

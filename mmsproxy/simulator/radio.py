"""SIM, registration and PDP contexts: what state the modem is in towards the network, and how long each change takes.

Law: state and time, no AT text. `on_registration` tells the dialect of a change, for its URCs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmsproxy.simulator.clock import Clock
from mmsproxy.simulator.settings import ModemSettings

ATTACH_SHARE = 0.5  # of `activation`: attaching is the shorter half of a cold start (modems.md section 4)
SECOND_CONTEXT_SHARE = 0.25  # of `activation`: the network grants another context to an active subscriber quickly
PIN_ATTEMPTS = 3
CONTEXTS = 16


@dataclass(slots=True)
class Context:
    """One PDP context, as AT+CGDCONT defines it."""

    kind: str = "IP"
    apn: str = ""
    active: bool = False


class Radio:
    """One boot of the modem's radio side."""

    def __init__(self, settings: ModemSettings, clock: Clock, *, default_bearer: bool) -> None:
        self._settings = settings
        self._clock = clock
        self._default_bearer = default_bearer
        self.on_registration: Callable[[], None] = lambda: None
        self.functionality = 1
        self.pin_wanted = settings.pin is not None
        self.pin_attempts = PIN_ATTEMPTS
        self.sim_present = True
        self.coverage = True
        self.attached = False
        self.contexts: dict[int, Context] = {1: Context(apn=settings.apn or "")}
        if settings.attached and self.registered:
            self._attach()

    @property
    def pin_state(self) -> str:
        if not self.pin_wanted:
            return "READY"
        return "SIM PIN" if self.pin_attempts else "SIM PUK"

    @property
    def registered(self) -> bool:
        return self.functionality == 1 and self.sim_present and self.coverage and not self.pin_wanted

    def enter_pin(self, pin: str) -> bool:
        if not self.pin_attempts or pin != self._settings.pin:
            self.pin_attempts = max(self.pin_attempts - 1, 0)
            return False
        self.pin_wanted = False
        self.pin_attempts = PIN_ATTEMPTS
        self._registration_changed()
        return True

    def set_functionality(self, level: int) -> None:
        self.functionality = level
        self._registration_changed()

    def set_coverage(self, covered: bool) -> None:
        self.coverage = covered
        self._registration_changed()

    def remove_sim(self) -> None:
        self.sim_present = False
        self._registration_changed()

    async def attach(self) -> bool:
        """At once when attached; False when the network is not there."""
        if not self.registered:
            return False
        if not self.attached:
            await self._clock.sleep(self._settings.activation * ATTACH_SHARE)
            self._attach()
        return self.attached

    def detach(self) -> None:
        self.attached = False
        self.contexts_down()

    def contexts_down(self) -> None:
        for context in self.contexts.values():
            context.active = False

    async def activate(self, cid: int) -> bool:
        """A PDP context by AT+CGACT; at once when it is active."""
        context = self.contexts.get(cid)
        if context is None:
            return False
        if not context.active:
            context.active = await self.grant(context.apn)
        return context.active

    async def grant(self, apn: str) -> bool:
        """The network's answer to an activation, after its time; attaches first where that is still due."""
        if not await self.attach():
            return False
        share = SECOND_CONTEXT_SHARE if any(c.active for c in self.contexts.values()) and not self._default_bearer else 1.0
        await self._clock.sleep(self._settings.activation * share)
        wanted = self._settings.apn
        return self.registered and (wanted is None or apn.lower() == wanted.lower())

    def _attach(self) -> None:
        self.attached = True
        if self._default_bearer and 1 in self.contexts:
            self.contexts[1].active = True

    def _registration_changed(self) -> None:
        if not self.registered:
            self.detach()
        elif self._settings.attached:
            self._attach()
        self.on_registration()

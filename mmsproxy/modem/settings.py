"""What the link through a modem has to know of its port, its SIM and its subscription. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmsproxy.at.dialect import Profile


@dataclass(frozen=True, slots=True)
class ModemSettings:
    """One modem.

    port           device, or a stable name of it
    baud           the rate that the modem has after it was switched on
    dialect        `auto` or a name of `at.detect.NAMES`
    pdp_type       IP, IPV6 or IPV4V6
    max_baud       the highest rate to raise the line to for the session; None: `at.line_rate.HIGHEST`, and only where the port is known to
                   have a UART behind it; `baud` itself: never
    flow_control   `none`, or `rtscts` where the board wires both lines
    transparent    send through the modem's transparent mode; needs `rtscts`
    reset_command  a program with its arguments, run without a shell, that resets a modem which nothing else brings back
    """

    port: str
    baud: int = 115200
    dialect: str = "auto"
    pin: str | None = field(default=None, repr=False)
    apn: str = ""
    pdp_type: str = "IP"
    user: str = ""
    password: str = field(default="", repr=False)
    max_baud: int | None = None
    flow_control: str = "none"
    transparent: bool = False
    reset_command: str | None = None

    @property
    def profile(self) -> Profile:
        return Profile(self.apn, self.pdp_type, self.user, self.password)

    @property
    def rtscts(self) -> bool:
        return self.flow_control == "rtscts"

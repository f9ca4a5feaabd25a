"""What a simulated modem is made of. Values only: no behaviour, no I/O.

Times are seconds, rates are bytes per second unless they are called baud. Zero switches a delay or a limit of rate off.
"""

from __future__ import annotations

from dataclasses import dataclass

# Ten bit times carry one byte on an 8N1 line.
BITS_PER_BYTE = 10


@dataclass(frozen=True, slots=True)
class ModemSettings:
    """One modem with its SIM and its radio path.

    dialect         name of the dialect file: sim800, sim7600
    line_rate       baud of the serial line; 0 = unpaced, as on a USB-native modem
    rtt             air round trip: TCP connect, DNS, acknowledgements, and half of it each way for data
    activation      time that the network needs to activate a PDP context; attaching costs half of it
    prompt_delay    from the end of a send command to its prompt
    accept_delay    from the last payload byte to the result
    uplink          rate of the air upwards, bytes/s
    window          most bytes that may be unacknowledged on a socket
    window_wait     how long a SIM800 holds DATA ACCEPT back while the window is full, before it says SEND FAIL
    receive_buffer  bytes that a socket buffers towards the host before TCP stops the sender
    boot            from power-on to the last banner
    guard           silence that the transparent mode's +++ needs before and after
    attached        whether the modem attaches by itself at boot
    apn             the one APN that the network accepts; None = any
    pin             the SIM's PIN; None = no PIN wanted
    payload_echo    whether payload is echoed too while ATE1 (A7670G and Telit do)
    record          whether the wire ledger keeps the bytes (else it counts only)
    """

    dialect: str = "sim7600"
    line_rate: int = 0
    rtt: float = 0.0
    activation: float = 0.0
    prompt_delay: float = 0.0
    accept_delay: float = 0.0
    uplink: float = 0.0
    window: int = 8760  # 6 x 1460, as seen in LilyGo-T-SIM7080G 96
    window_wait: float = 5.0
    receive_buffer: int = 16 * 1460
    boot: float = 0.5
    guard: float = 1.0
    attached: bool = True
    apn: str | None = None
    pin: str | None = None
    payload_echo: bool = False
    record: bool = True
    imei: str = "860000000000017"
    imsi: str = "310260000000017"
    iccid: str = "8901260000000000172"
    number: str = "+12025550117"
    operator: str = "Simulated"
    plmn: str = "310260"
    signal: int = 20  # AT+CSQ's 0-31

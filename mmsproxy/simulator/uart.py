"""The serial line between the pty and the modem: pacing both ways from one clock, byte faults, bounded buffers.

Law: knows bytes and time, nothing of AT. A pty has no rate, so every piece (at most 256 bytes) is held until its last bit would have
passed. Deadlines are absolute: a piece that follows at once starts where the last one ended, so lateness never adds up. Two directions
are independent, as on a real line. At rate 0 nothing is held.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmsproxy.simulator.clock import Clock, Timer
from mmsproxy.simulator.faults import Faults
from mmsproxy.simulator.pty_port import PtyPort
from mmsproxy.simulator.settings import BITS_PER_BYTE

PIECE = 256
TX_LIMIT = 64 * 1024  # what a modem keeps for a host that does not read; beyond it a line without flow control loses bytes
RX_FIFO = 4096  # bytes that the modem keeps while it is busy with a command


class Uart:
    """Bytes from the host go to `deliver(piece)`; `write` queues bytes for the host.

    `backlog` tells the modem how many received bytes it has not worked off yet: above RX_FIFO an unpaced line (USB) makes the host wait,
    and so does RTS/CTS; a paced line without it loses bytes, silently, as in the field.
    """

    def __init__(
        self, clock: Clock, faults: Faults, baud: int, link: Path | None, deliver: Callable[[bytes], None], backlog: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._deliver = deliver
        self._backlog = backlog
        self._port = PtyPort(link, self._readable, self._writable)
        self._baud = baud
        self._rate = baud / BITS_PER_BYTE
        self.flow_control = False
        self.fixed_baud = 0  # by AT+IPR: another speed of the host makes garbage; 0 = any speed of the host is understood
        self.heard_at = 0.0  # when the last bit of what was delivered last had passed
        self.lost = 0  # bytes dropped in either direction, for tests
        self._rx_free_at = 0.0
        self._rx_timer: Timer | None = None
        self._tx = bytearray()
        self._tx_free_at = 0.0
        self._tx_timer: Timer | None = None
        self._drained: list[Callable[[], None]] = []

    @property
    def path(self) -> str:
        return self._port.path

    @property
    def plugged(self) -> bool:
        return self._port.plugged

    @property
    def tx_backlog(self) -> int:
        """Bytes that wait for the line or for a host that does not read."""
        return len(self._tx)

    def plug(self) -> None:
        self._port.plug(self._baud)

    def unplug(self) -> None:
        self.reset()
        self._port.unplug()

    def reset(self) -> None:
        """Forgets what is on the line, as at power-off."""
        for timer in (self._rx_timer, self._tx_timer):
            if timer is not None:
                timer.cancel()
        self._rx_timer = self._tx_timer = None
        self._tx.clear()
        self._drained.clear()
        self._port.stop_writing()
        if self._port.plugged:
            self._port.resume()

    def set_baud(self, baud: int) -> None:
        """Follows AT+IPR: a paced line runs at the new rate, an unpaced one stays unpaced; 0 is the line rate that it began with."""
        self.fixed_baud = baud
        if self._rate:
            self._rate = (baud or self._baud) / BITS_PER_BYTE

    def write(self, data: bytes) -> None:
        """Queues `data` as one piece of talk: nothing comes in between. Beyond TX_LIMIT it is lost."""
        if not data or not self._port.plugged:
            return
        if len(self._tx) > TX_LIMIT:
            self.lost += len(data)
            return
        self._tx += self._faults.on_transmit(data)
        if self._tx_timer is None:
            self._send_next()

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Calls once when nothing waits for the line any more."""
        if self._tx:
            self._drained.append(callback)
        else:
            callback()

    def work_done(self) -> None:
        """The modem has worked off received bytes: a host that had to wait may go on."""
        if self._rx_timer is None and self._port.plugged and self._backlog() < RX_FIFO:
            self._port.resume()

    # host -> modem

    def _readable(self) -> None:
        if self._rate:
            self._receive_piece(self._clock.time())
            return
        room = RX_FIFO - self._backlog()
        if room <= 0:
            self._port.pause()
            return
        data = self._port.read(room)
        if data:
            self._hand_over(data)

    def _receive_piece(self, start: float) -> None:
        data = self._port.read(PIECE)
        if not data:
            self._port.resume()
            return
        self._port.pause()
        self._rx_free_at = start + len(data) / self._rate
        self._rx_timer = self._clock.call_at(self._rx_free_at, lambda: self._piece_arrived(data))

    def _piece_arrived(self, data: bytes) -> None:
        self._rx_timer = None
        overrun = self._backlog() + len(data) > RX_FIFO
        if overrun and not self.flow_control:
            self.lost += len(data)
        else:
            self._hand_over(data)
        if self._rx_timer is None and self._port.plugged and not (self.flow_control and self._backlog() >= RX_FIFO):
            self._receive_piece(self._rx_free_at)

    def _hand_over(self, data: bytes) -> None:
        self.heard_at = self._rx_free_at if self._rate else self._clock.time()
        for part in self._faults.on_receive(data):
            if not self._port.plugged:
                return
            self._deliver(self._as_heard(part))

    def _as_heard(self, data: bytes) -> bytes:
        if not self._rate or not self.fixed_baud:
            return data
        host = self._port.host_baud
        return data if host in (None, self.fixed_baud) else bytes((byte * 5 + 0x81) & 0xFF for byte in data)

    # modem -> host

    def _send_next(self) -> None:
        if not self._rate:
            self._writable()
            return
        piece = bytes(self._tx[:PIECE])
        start = max(self._clock.time(), self._tx_free_at)
        self._tx_free_at = start + len(piece) / self._rate
        self._tx_timer = self._clock.call_at(self._tx_free_at, lambda: self._piece_sent(piece))

    def _piece_sent(self, piece: bytes) -> None:
        self._tx_timer = None
        gone = self._port.write(self._as_heard(piece))
        del self._tx[:gone]
        if gone < len(piece):
            self._port.await_writable()
        elif self._tx:
            self._send_next()
        else:
            self._announce_drained()

    def _writable(self) -> None:
        """The host's side takes bytes again (or the line is unpaced)."""
        if self._rate:
            self._port.stop_writing()
            if self._tx:
                self._send_next()
            return
        gone = self._port.write(bytes(self._tx[: PIECE * 16]))
        del self._tx[:gone]
        if self._tx:
            self._port.await_writable()
            return
        self._port.stop_writing()
        self._announce_drained()

    def _announce_drained(self) -> None:
        callbacks, self._drained = self._drained, []
        for callback in callbacks:
            callback()

"""The CIPSTART family: SIM800, SIM808, SIM868, SIM900, and SIM7000 by its CIP set (SIM800 AT manual V1.09; modems.md 1.3).

Quick send (CIPQSEND=1): the result says that the modem has buffered a chunk, not that the far end has it. Pull mode (CIPRXGET=1).
"""

from __future__ import annotations

import re
from dataclasses import replace

from mmsproxy.at import simcom
from mmsproxy.at.dialect import (
    Ask,
    Dialect,
    Identity,
    Offer,
    Profile,
    Script,
    Sent,
    Verdict,
    failure,
    must,
    printable,
    try_joined,
)
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import COMMON_URCS, ERROR_LINE, Rule, Slot, Urc, bare, ok, ok_and, urc
from mmsproxy.at.startup import define_context
from mmsproxy.at.strings import number, quoted_apn, quoted_host, quoted_secret
from mmsproxy.errors import AtTimeout, BearerError, ConnectError

CHUNK = 1460  # bytes; safe without asking CIPSEND?
OPEN_TIMEOUT = 30.0  # seconds; the manual allows 75, an attempt's own bound is shorter (modems.md 5.3)
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 10.0  # of a quick send
SHUT_TIMEOUT = 65.0
FIRST_SOCKET = 0
_UP = (b"IP STATUS", b"IP PROCESSING")

_SHUT = Ask(b"AT+CIPSHUT", bare(rb"SHUT OK"), timeout=SHUT_TIMEOUT)
# Without `=n` the OK comes first and decides nothing; the C: lines of the sockets follow and are noise.
_STATUS = Ask(b"AT+CIPSTATUS", Rule((Slot(re.compile(rb"OK")), Slot(re.compile(rb"STATE: .*")))))


def prepare(profile: Profile, _identity: Identity) -> Script[None]:
    """A clean state: what an earlier owner of the port left open is shut, and the context is set. A bearer that is ours stays up."""
    if not ((yield from define_context(profile)) and (yield from _is_ours(profile))):
        yield from bearer_down()


def _is_ours(profile: Profile) -> Script[bool]:
    """Whether the bearer is up by the profile's own APN, user and password, and in our modes; a socket of ours from before is closed."""
    if (yield from state()) not in _UP:
        return False
    yield from close(FIRST_SOCKET)
    reply = yield Ask(b"AT+CSTT?;+CIPMUX?;+CIPQSEND?;+CIPRXGET?", ok(rb"\+(CSTT: ?\".*|(CIPMUX|CIPQSEND|CIPRXGET): ?\d)"))
    found = {line.replace(b": ", b":") for line in reply.lines}
    return reply.ok and found >= {b"+CSTT:" + _names(profile), b"+CIPMUX:1", b"+CIPQSEND:1", b"+CIPRXGET:1"}


def state() -> Script[bytes]:
    reply = yield from must(_STATUS)
    return reply.line(b"STATE:") or b""


def bearer_check() -> Script[bool]:
    return (yield from state()) in _UP


def bearer_up(profile: Profile) -> Script[None]:
    """CIPMUX and CSTT are taken in state IP INITIAL only, CIFSR is needed to reach IP STATUS."""
    if (yield from state()) != b"IP INITIAL":
        yield from bearer_down()
    yield from _modes()
    yield from _bring_up_ip(profile)


def _names(profile: Profile) -> bytes:
    return b",".join((quoted_apn(profile.apn), quoted_secret(profile.user), quoted_secret(profile.password)))


def _bring_up_ip(profile: Profile) -> Script[None]:
    for request in (Ask(b"AT+CSTT=" + _names(profile), timeout=60.0), Ask(b"AT+CIICR", timeout=85.0)):
        yield from _bring_up(request)
    yield from _bring_up(Ask(b"AT+CIFSR", bare(rb"\d+\.\d+\.\d+\.\d+|[0-9A-Fa-f:]+:[0-9A-Fa-f:]+"), timeout=10.0))


def _modes() -> Script[None]:
    if not (yield from try_joined((b"+CIPMUX=1", b"+CIPQSEND=1", b"+CIPRXGET=1"))):
        raise BearerError("the modem refused multi-socket, quick-send or pull mode", cure="update its firmware, or name another dialect")


def _bring_up(request: Ask) -> Script[None]:
    reply = yield request
    if not reply.ok:
        raise BearerError(str(failure(request, reply)), cure="check the APN, the user and the signal")


def bearer_down() -> Script[None]:
    """CIPSHUT: the only way out of PDP DEACT, and the cure for a CIPSTART that never answers."""
    yield from must(_SHUT)


def open_(socket: int, host: str, port: int) -> Script[int]:
    """CIPSTART; a socket that is still open from before is closed first. Raises ConnectError, BearerError or AtTimeout."""
    command = b"AT+CIPSTART=%d," % socket + b'"TCP",' + quoted_host(host) + b"," + number(port, low=1)
    reply = yield from _start(socket, command)
    if b"ALREADY CONNECT" in b" ".join(reply.lines):
        yield from close(socket)
        reply = yield from _start(socket, command)
    if reply.ok:
        return socket
    if reply.timed_out:  # SimcomGsmLib issue 2: only CIPSHUT ends it
        yield from bearer_down()
        raise ConnectError(f"{host}:{port} did not answer within {OPEN_TIMEOUT:g} s")
    if any(line.endswith(b"CONNECT FAIL") for line in reply.lines):
        raise ConnectError(f"no connection to {host}:{port}: the modem says {printable(reply.last)}")
    raise BearerError(f"the modem refused to connect: {printable(reply.last)}")


def _start(socket: int, command: bytes) -> Script[Reply]:
    bad = rb"%d, ?CONNECT FAIL|%d, ?ALREADY CONNECT" % (socket, socket)
    return (yield Ask(command, ok_and(rb"%d, ?CONNECT OK" % socket, bad, info=rb"STATE: .*"), timeout=OPEN_TIMEOUT))


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """CIPSEND=n,len, the prompt, the bytes, DATA ACCEPT:n,len. No OK."""
    good = re.compile(rb"DATA ACCEPT: ?%d,\d+|%d, ?SEND OK" % (socket, socket))
    bad = re.compile(rb"%d, ?SEND FAIL|" % socket + ERROR_LINE.pattern, re.IGNORECASE)
    rule = Rule((Slot(good, bad),), broken=re.compile(rb"%d, ?CLOSED" % socket))
    prompt = yield Ask(b"AT+CIPSEND=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)
    if prompt.timed_out:
        return Sent(Verdict.NO_PROMPT)
    if not prompt.prompted:
        return Sent((yield from _refused(socket)), line=prompt.last)
    reply = yield Offer(chunk, upto, timeout=RESULT_TIMEOUT)
    return _judge(reply, len(chunk))


def _judge(reply: Reply, size: int) -> Sent:
    if reply.last.endswith(b"CLOSED"):
        return Sent(Verdict.CLOSED, line=reply.last)
    if not reply.ok:
        return Sent(Verdict.DOUBTFUL, line=reply.last)
    if reply.last.startswith(b"DATA ACCEPT"):
        taken = int(reply.last.rpartition(b",")[2])
        return Sent(Verdict.TAKEN if taken == size else Verdict.DOUBTFUL, taken, reply.last)
    return Sent(Verdict.TAKEN, line=reply.last)


def _refused(socket: int) -> Script[Verdict]:
    """Nothing of the chunk was taken: is the socket gone, or only its window full?"""
    reply = yield Ask(b"AT+CIPSTATUS=%d" % socket, ok(rb"\+CIPSTATUS: .*"))
    return Verdict.HELD if b'"CONNECTED"' in (reply.line(b"+CIPSTATUS:") or b"") else Verdict.CLOSED


def close(socket: int) -> Script[None]:
    """CIPCLOSE=n,1 (quick). An error means that it was closed already."""
    request = Ask(b"AT+CIPCLOSE=%d,1" % socket, bare(rb"%d, ?CLOSE OK" % socket), timeout=10.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


# -- the transparent mode: one connection without a number, CIPMODE=1 while the state is IP INITIAL -----------------------------------


def prepare_transparent(profile: Profile, _identity: Identity) -> Script[None]:
    yield from define_context(profile)
    yield from bearer_down()


def check_transparent() -> Script[bool]:
    return (yield from state()) in (b"IP STATUS", b"TCP CLOSED")


def up_transparent(profile: Profile) -> Script[None]:
    if (yield from state()) != b"IP INITIAL":
        yield from bearer_down()
    yield Ask(b"AT+CIPRXGET=0")  # pull mode and the transparent mode exclude each other
    if not (yield from try_joined((b"+CIPMUX=0", b"+CIPMODE=1"))):
        raise BearerError("the modem refused the transparent mode", cure="leave modem.transparent out")
    yield from _bring_up_ip(profile)


def open_transparent(socket: int, host: str, port: int) -> Script[int]:
    """CIPSTART; from CONNECT on the line is the connection's. Raises ConnectError, BearerError."""
    command = b'AT+CIPSTART="TCP",' + quoted_host(host) + b"," + number(port, low=1)
    slot = Slot(re.compile(rb"CONNECT( OK)?"), re.compile(rb"CONNECT FAIL|ALREADY CONNECT|" + ERROR_LINE.pattern, re.IGNORECASE))
    reply = yield Ask(command, Rule((slot,), re.compile(rb"OK|STATE: .*"), online=True), timeout=OPEN_TIMEOUT)
    if reply.ok:
        return socket
    if reply.timed_out:
        raise ConnectError(f"{host}:{port} did not answer within {OPEN_TIMEOUT:g} s")
    if reply.last == b"CONNECT FAIL":
        raise ConnectError(f"no connection to {host}:{port}: the modem says {printable(reply.last)}")
    raise BearerError(f"the modem refused to connect: {printable(reply.last)}")


def close_transparent(_socket: int) -> Script[None]:
    """CIPCLOSE=1 (quick), in command mode. An error means that it was closed already."""
    request = Ask(b"AT+CIPCLOSE=1", bare(rb"CLOSE OK"), timeout=10.0)
    reply = yield request
    if reply.timed_out:
        raise failure(request, reply)


SIM800 = Dialect(
    name="sim800",
    models=re.compile(r"SIM ?(800|808|868|900|908|7000)|SIMCOM_SIM(8|9)", re.IGNORECASE),
    probe=b"AT+CIPSTART=?",
    urcs=(
        *simcom.SOCKET_URCS,
        urc(rb"(?P<n>\d), ?CLOSED", Urc.PEER_CLOSED),
        urc(rb"\+PDP: ?DEACT|\+PDP DEACT", Urc.BEARER_LOST),
        urc(rb"NORMAL POWER DOWN|UNDER-VOLTAGE POWER DOWN|OVER-VOLTAGE POWER DOWN", Urc.RESTARTED),
        urc(rb"Call Ready|SMS Ready", Urc.BOOT_TAIL),
        urc(rb"C: ?\d,.*", Urc.NOISE),
        *COMMON_URCS,
    ),
    max_send=CHUNK,
    max_read=1460,
    window=4096,
    restart=b"AT+CFUN=1,1",
    pin_counter=simcom.PIN_COUNTER,
    prepare=prepare,
    bearer_check=bearer_check,
    bearer_up=bearer_up,
    bearer_down=bearer_down,
    open=open_,
    send=send,
    counters=simcom.counters,
    read=simcom.read,
    close=close,
    resolve=simcom.resolve,
)
SIM800 = replace(
    SIM800,
    transparent=replace(
        SIM800,
        prepare=prepare_transparent,
        bearer_check=check_transparent,
        bearer_up=up_transparent,
        open=open_transparent,
        close=close_transparent,
        is_transparent=True,
    ),
)

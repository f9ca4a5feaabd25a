"""The NETOPEN / CIPOPEN family: SIM7500, SIM7600, A7600, A7602, A7670, A7672, A7608, SIM7670G (modems.md 1.4).

Buffered send (CIPSENDMODE=0): `+CIPSEND: n,req,cnf` tells how many bytes the modem's buffer took. Pull mode (CIPRXGET=1).
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
    Pause,
    Profile,
    Script,
    Sent,
    Verdict,
    failure,
    ints,
    must,
    printable,
    try_joined,
)
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import COMMON_URCS, ERROR_LINE, Rule, Slot, Urc, ok, ok_and, urc
from mmsproxy.at.startup import context_is, define_context
from mmsproxy.at.strings import number, quoted_host, quoted_secret
from mmsproxy.errors import AtTimeout, BearerError, CarrierError, ConnectError, LinkError

CHUNK = 1500  # bytes; over it the modem answers +CIPERROR: 3
OPEN_TIMEOUT = 30.0  # seconds; CIPTIMEOUT makes the modem answer within 15, an attempt's own bound is 30 (modems.md 5.3)
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
WINDOW = 4096  # bytes; an A7670G buffers about 6 KB, and a 115200 line outruns a weak uplink
HTTP_PAUSE = 2.0  # seconds after NETCLOSE when the built-in HTTP service held the context (A76xx, field code)
_PAP = 1  # CGAUTH; TinyGSM's 0 means no authentication at all
#: CGAUTH takes user, then password on these; on the SIM7600 it is the other way round (modems.md 1.4).
_USER_FIRST = re.compile(r"A76\d\d|SIM7670", re.IGNORECASE)

#: +CIPOPEN and +CIPERROR codes (modems.md 1.4).
CODES = {
    1: "network failure",
    2: "network not opened",
    3: "wrong parameter",
    4: "operation not supported",
    5: "no socket to be had",
    6: "bind failed",
    7: "already listening",
    8: "busy",
    9: "sockets still open",
    10: "time-out",
    11: "DNS: no such name",
    255: "unknown error",
}
_NOT_OPENED, _NOT_SUPPORTED, _BUSY, _SOCKETS_OPEN = 2, 4, 8, 9
_NETCLOSE = Ask(b"AT+NETCLOSE", ok_and(rb"\+NETCLOSE: ?0", rb"\+NETCLOSE: ?[1-9]\d*|\+IP ERROR: .*"), timeout=60.0)
_NETOPEN = Ask(b"AT+NETOPEN", ok_and(rb"\+NETOPEN: ?0", rb"\+NETOPEN: ?[1-9]\d*|\+IP ERROR: .*"), timeout=75.0)


def prepare(profile: Profile, identity: Identity) -> Script[None]:
    """A clean state, the context, and the modes; CIPMODE is taken while the network is closed only. A bearer that is ours stays open."""
    yield from _prepare(profile, identity, mode=0)


def prepare_transparent(profile: Profile, identity: Identity) -> Script[None]:
    yield from _prepare(profile, identity, mode=1)


def _prepare(profile: Profile, identity: Identity, *, mode: int) -> Script[None]:
    if (yield from bearer_check()):
        if (yield from _is_ours(profile, mode)):
            return
        yield _NETCLOSE
    yield from define_context(profile)
    if profile.user or profile.password:
        yield from must(Ask(_auth(profile, identity)))
    yield Ask(b"AT+CSOCKSETPN=1")  # A76xx answer ERROR and use context 1 anyway
    yield from _modes(mode)


def _is_ours(profile: Profile, mode: int) -> Script[bool]:
    """Whether the network is open by the profile's own APN and in our modes; a socket of ours from before is closed. Of a user and
    password the modem does not tell."""
    if profile.user or profile.password or not (yield from context_is(profile)):
        return False
    yield from close(0)
    reply = yield Ask(b"AT+CIPMODE?", ok(rb"\+CIPMODE: ?\d.*"))
    return ints(reply.line(b"+CIPMODE:") or b"")[:1] == [mode] and (
        yield from try_joined((b"+CIPSENDMODE=0", b"+CIPRXGET=%d" % (1 - mode)))
    )


def _auth(profile: Profile, identity: Identity) -> bytes:
    user, password = quoted_secret(profile.user), quoted_secret(profile.password)
    names = (user, password) if _USER_FIRST.search(identity.words) else (password, user)
    return b"AT+CGAUTH=1,%d," % _PAP + b",".join(names)


def _modes(mode: int) -> Script[None]:
    """Command mode reads by pull, the transparent mode cannot."""
    if not (yield from try_joined((b"+CIPMODE=%d" % mode, b"+CIPSENDMODE=0", b"+CIPRXGET=%d" % (1 - mode)))):
        what = "the transparent mode" if mode else "command, buffered-send or pull mode"
        raise BearerError(f"the modem refused {what}", cure="update its firmware, or name another dialect")
    yield from try_joined((b"+CIPCCFG=10,0,0,0,1,0,75000", b"+CIPTIMEOUT=75000,15000,15000"))  # details: a refusal costs nothing


def bearer_check() -> Script[bool]:
    """`+NETOPEN: 1` means open here; to the command itself 0 means success."""
    reply = yield from must(Ask(b"AT+NETOPEN?", ok(rb"\+NETOPEN: ?\d.*")))
    return ints(reply.line(b"+NETOPEN:") or b"")[:1] == [1]


def bearer_up(_profile: Profile) -> Script[None]:
    reply = yield _NETOPEN
    if not reply.ok and not (yield from _is_open(reply)):
        yield from _free_context()
        reply = yield _NETOPEN
        if not reply.ok:
            raise BearerError(str(failure(_NETOPEN, reply)), cure="check the APN, the user and the signal")
    yield Ask(b"AT+IPADDR", ok(rb"\+IPADDR: .*"))  # into the trace; not every firmware has it


def _is_open(reply: Reply) -> Script[bool]:
    """`+IP ERROR: Network is already opened` is success, if it is so."""
    if reply.timed_out or not any(b"already" in line for line in reply.lines):
        return False
    return (yield from bearer_check())


def _free_context() -> Script[None]:
    """On A76xx the built-in HTTP service may hold the context."""
    yield Ask(b"AT+HTTPTERM")
    yield _NETCLOSE
    yield Pause(HTTP_PAUSE)


def bearer_down() -> Script[None]:
    """NETCLOSE where it is open; it closes all sockets too."""
    if (yield from bearer_check()):
        yield _NETCLOSE


def open_(socket: int, host: str, port: int) -> Script[int]:
    """CIPOPEN; a socket that is still open from before is closed first. Raises ConnectError, BearerError or AtTimeout."""
    command = b"AT+CIPOPEN=%d," % socket + b'"TCP",' + quoted_host(host) + b"," + number(port, low=1)
    request = Ask(command, ok_and(rb"\+CIPOPEN: ?%d,0" % socket, rb"\+CIPOPEN: ?%d,[1-9]\d*" % socket), timeout=OPEN_TIMEOUT)
    reply = yield request
    if _code(reply, b"+CIPOPEN:") in (_NOT_SUPPORTED, _BUSY, _SOCKETS_OPEN):
        yield from close(socket)
        reply = yield request
    if reply.timed_out:  # the command may still be at work in the modem: only NETCLOSE ends it
        yield from bearer_down()
    if not reply.ok:
        raise _open_error(reply, f"{host}:{port}")
    return socket


def _open_error(reply: Reply, target: str) -> LinkError | CarrierError:
    if reply.timed_out:
        return ConnectError(f"{target} did not answer within {OPEN_TIMEOUT:g} s")
    code = _code(reply, b"+CIPOPEN:")
    if code is None or code == _NOT_OPENED:
        return BearerError(f"the modem refused to connect: {printable(reply.last)}")
    return ConnectError(f"no connection to {target}: {CODES.get(code, 'error')} ({printable(reply.last)})")


def _code(reply: Reply, prefix: bytes) -> int | None:
    numbers = ints(reply.line(prefix) or b"")
    return numbers[-1] if numbers else None


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """CIPSEND=n,len, the prompt, the bytes, then OK and +CIPSEND: n,req,cnf."""
    result = Slot(re.compile(rb"\+CIPSEND: ?%d,\d+,-?\d+" % socket), re.compile(rb"\+CIPERROR: ?\d+|SEND FAIL"))
    rule = Rule((Slot(re.compile(rb"OK")), result), broken=re.compile(rb"\+IPCLOSE: ?%d(,.*)?" % socket))
    prompt = yield Ask(b"AT+CIPSEND=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)
    if prompt.timed_out:
        return Sent(Verdict.NO_PROMPT)
    if not prompt.prompted:
        return Sent((yield from _refused(socket, prompt)), line=prompt.last)
    reply = yield Offer(chunk, upto, timeout=RESULT_TIMEOUT)
    return _judge(reply, len(chunk))


def _judge(reply: Reply, size: int) -> Sent:
    """`cnf` below `req` means that only so much was taken, 0 that the buffer is full, a negative one that the connection is lost."""
    if reply.last.startswith(b"+IPCLOSE"):
        return Sent(Verdict.CLOSED, line=reply.last)
    confirmed = _code(reply, b"+CIPSEND:")
    if not reply.ok or confirmed is None:
        return Sent(Verdict.DOUBTFUL, line=reply.last)
    if confirmed < 0:
        return Sent(Verdict.CLOSED, line=reply.last)
    return Sent(Verdict.TAKEN if confirmed == size else Verdict.DOUBTFUL, confirmed, reply.last)


def _refused(socket: int, reply: Reply) -> Script[Verdict]:
    """Nothing of the chunk was taken: is the socket gone, or only its window full?"""
    if _code(reply, b"+CIPERROR:") in (_NOT_OPENED, _NOT_SUPPORTED):
        return Verdict.CLOSED
    sockets = yield Ask(b"AT+CIPCLOSE?", ok(rb"\+CIPCLOSE: ?\d.*"))
    states = ints(sockets.line(b"+CIPCLOSE:") or b"")
    return Verdict.HELD if states[socket : socket + 1] == [1] else Verdict.CLOSED


def close(socket: int) -> Script[None]:
    """CIPCLOSE=n. An error means that it was closed already."""
    rule = ok_and(rb"\+CIPCLOSE: ?%d,0" % socket, rb"\+CIPCLOSE: ?%d,[1-9]\d*" % socket)
    request = Ask(b"AT+CIPCLOSE=%d" % socket, rule, timeout=15.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


def open_transparent(socket: int, host: str, port: int) -> Script[int]:
    """CIPOPEN=0; from CONNECT on the line is the connection's. Raises ConnectError, BearerError."""
    command = b'AT+CIPOPEN=0,"TCP",' + quoted_host(host) + b"," + number(port, low=1)
    slot = Slot(re.compile(rb"CONNECT( \d+)?"), re.compile(rb"CONNECT FAIL|\+CIPOPEN: ?0,[1-9]\d*|" + ERROR_LINE.pattern, re.IGNORECASE))
    reply = yield Ask(command, Rule((slot,), re.compile(rb"OK"), online=True), timeout=OPEN_TIMEOUT)
    if reply.last == b"CONNECT FAIL":
        raise ConnectError(f"no connection to {host}:{port}: the modem says {printable(reply.last)}")
    if not reply.ok:
        raise _open_error(reply, f"{host}:{port}")
    return socket


SIM7600 = Dialect(
    name="sim7600",
    models=re.compile(r"SIM(COM_SIM)?_?7[56]\d\d|SIM7670|A76\d\d", re.IGNORECASE),
    probe=b"AT+CIPOPEN=?",
    urcs=(
        *simcom.SOCKET_URCS,
        urc(rb"\+IPCLOSE: ?(?P<n>\d)(,.*)?", Urc.PEER_CLOSED),
        urc(rb"\+CIPEVENT: ?NETWORK CLOSED.*", Urc.BEARER_LOST),
        urc(rb"\*ATREADY: ?1", Urc.RESTARTED),
        urc(rb"SMS DONE|PB DONE", Urc.BOOT_TAIL),
        *COMMON_URCS,
    ),
    max_send=CHUNK,
    max_read=1500,
    window=WINDOW,
    restart=b"AT+CRESET",
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
SIM7600 = replace(SIM7600, transparent=replace(SIM7600, prepare=prepare_transparent, open=open_transparent, is_transparent=True))

"""The CNACT / CAOPEN family: SIM7070, SIM7080, SIM7090 (modems.md 1.5).

CASEND says nothing of how much it took: the free window is asked before each chunk, and a partly emptied buffer is never refilled (it
brings the modem near a crash; EnviroDIY). AT+CGACT is never used here: it breaks the socket stack (TinyGSM SIM7080:280).
"""

from __future__ import annotations

import re
from dataclasses import replace

from mmsproxy.at.counted import counted_send
from mmsproxy.at.dialect import (
    Ask,
    Counters,
    Dialect,
    Identity,
    Pause,
    Profile,
    Received,
    Resolved,
    Script,
    Sent,
    Verdict,
    ints,
    must,
    printable,
)
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import COMMON_URCS, DataHeader, Rule, Slot, Takes, Urc, ok, ok_and, urc
from mmsproxy.at.startup import define_context
from mmsproxy.at.strings import number, quoted_apn, quoted_host, quoted_secret
from mmsproxy.errors import AtError, AtTimeout, BearerError, CarrierError, ConnectError, LinkError

CHUNK = 1360  # bytes: the full window that the modem reports
READ = 1460
OPEN_TIMEOUT = 30.0  # seconds; the manual allows 75
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
ACTIVATE_TIMEOUT = 30.0
ACTIVATE_TRIES = 5
WINDOW_POLL = 0.05  # seconds between two looks at the window
WINDOW_PATIENCE = 15.0
RESOLVE_TRIES, RESOLVE_MS = 2, 2000
TYPES = {"IP": 1, "IPV6": 2, "IPV4V6": 0}  # CNCFG
PAP_OR_CHAP = 3

#: <result> of CAOPEN (TinyGSM SIM7080:525-541).
CODES = {
    1: "socket error",
    2: "no memory",
    3: "connection limit",
    4: "wrong parameter",
    6: "invalid address",
    7: "not supported",
    12: "bind failed",
    13: "listen failed",
    20: "DNS: no such name",
    21: "network not active",
    23: "connection refused",
    27: "connect failed",
}
_NOT_ACTIVE = 21


def prepare(profile: Profile, _identity: Identity) -> Script[None]:
    """A clean state, and the context under CNACT's index 0."""
    yield from bearer_down()
    yield from define_context(profile)
    command = b"AT+CNCFG=0,%d," % TYPES[profile.pdp_type] + quoted_apn(profile.apn)
    if profile.user or profile.password:
        command += b"," + quoted_secret(profile.user) + b"," + quoted_secret(profile.password) + b",%d" % PAP_OR_CHAP
    yield from must(Ask(command))


def bearer_check() -> Script[bool]:
    """CNACT? is the truth here, not CGATT or CGPADDR."""
    reply = yield from must(Ask(b"AT+CNACT?", ok(rb"\+CNACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [0, 1] for line in reply.lines)


def bearer_up(_profile: Profile) -> Script[None]:
    """CNACT=0,1: OK and +APP PDP: 0,ACTIVE, in either order; DEACTIVE means that this try failed."""
    rule = ok_and(rb"\+APP PDP: ?0, ?ACTIVE", rb"\+APP PDP: ?0, ?DEACTIVE")
    reply = yield Ask(b"AT+CNACT=0,1", rule, timeout=ACTIVATE_TIMEOUT)
    for _ in range(ACTIVATE_TRIES - 1):
        if reply.ok or reply.timed_out or (yield from bearer_check()):
            break
        yield Pause(1.0)
        reply = yield Ask(b"AT+CNACT=0,1", rule, timeout=ACTIVATE_TIMEOUT)
    if not reply.ok and not (yield from bearer_check()):
        raise BearerError(f"the network did not activate the context ({printable(reply.last) or 'no answer'})", cure="check APN and signal")


def bearer_down() -> Script[None]:
    """CNACT=0,0 where it is up; it closes all sockets too."""
    if (yield from bearer_check()):
        yield Ask(b"AT+CNACT=0,0", timeout=60.0)


def open_(socket: int, host: str, port: int) -> Script[int]:
    """CAOPEN, without the receive-mode argument (it makes it fail). Raises ConnectError, BearerError or AtTimeout."""
    command = b"AT+CAOPEN=%d,0," % socket + b'"TCP",' + quoted_host(host) + b"," + number(port, low=1)
    request = Ask(command, ok_and(rb"\+CAOPEN: ?%d,0" % socket, rb"\+CAOPEN: ?%d,[1-9]\d*" % socket), timeout=OPEN_TIMEOUT)
    yield Ask(b"AT+CACID=%d" % socket)
    reply = yield request
    if not reply.ok and not reply.timed_out and _code(reply) is None:  # a bare ERROR: still open from before
        yield from close(socket)
        reply = yield request
    if reply.timed_out:
        yield from bearer_down()
    if not reply.ok:
        raise _open_error(reply, f"{host}:{port}")
    return socket


def _code(reply: Reply) -> int | None:
    numbers = ints(reply.line(b"+CAOPEN:") or b"")
    return numbers[-1] if numbers else None


def _open_error(reply: Reply, target: str) -> LinkError | CarrierError:
    if reply.timed_out:
        return ConnectError(f"{target} did not answer within {OPEN_TIMEOUT:g} s")
    code = _code(reply)
    if code is None or code == _NOT_ACTIVE:
        return BearerError(f"the modem refused to connect: {printable(reply.last)}")
    return ConnectError(f"no connection to {target}: {CODES.get(code, 'error')} ({printable(reply.last)})")


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """CASEND=n,len once the whole window is free, the prompt, the bytes, OK. A module with a smaller window gets less than the chunk."""
    size = min(len(chunk), (yield from _room(socket)))
    if not size:
        return Sent((yield from _is_held(socket)), line=b"window full")
    rule = Rule((Slot(re.compile(rb"OK")),), broken=re.compile(rb"\+CASTATE: ?%d,0" % socket))
    request = Ask(b"AT+CASEND=%d,%d" % (socket, size), rule, timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return (yield from _is_held(socket))

    rest = len(chunk) - size
    sent = yield from counted_send(request, chunk[:size], upto - rest, result_timeout=RESULT_TIMEOUT, refused=refused, judge=_judge)
    return replace(sent, verdict=Verdict.DOUBTFUL, hint=size) if rest and sent.verdict is Verdict.TAKEN else sent


def _room(socket: int) -> Script[int]:
    """How many bytes fit into the whole, empty window: what is free once it reaches CHUNK or once nothing is unacknowledged (some modules
    never report more than 1318). 0: the window stays full, or the socket is gone."""
    for _ in range(int(WINDOW_PATIENCE / WINDOW_POLL)):
        reply = yield Ask(b"AT+CASEND=%d" % socket, ok(rb"\+CASEND: ?\d+"), timeout=3.0)
        free = ints(reply.line(b"+CASEND:") or b"")
        if not reply.ok or not free:
            return 0
        if free[0] >= CHUNK or (free[0] and (yield from counters(socket)).unacked == 0):
            return free[0]
        yield Pause(WINDOW_POLL)
    return 0


def _judge(reply: Reply, _size: int) -> Sent:
    if reply.last.startswith(b"+CASTATE"):
        return Sent(Verdict.CLOSED, line=reply.last)
    return Sent(Verdict.TAKEN if reply.ok else Verdict.DOUBTFUL, line=reply.last)


def _is_held(socket: int) -> Script[Verdict]:
    reply = yield Ask(b"AT+CASTATE?", ok(rb"\+CASTATE: ?\d.*"), timeout=3.0)
    states = [ints(line.partition(b":")[2])[:2] for line in reply.lines]
    return Verdict.HELD if [socket, 1] in states else Verdict.CLOSED


def counters(socket: int) -> Script[Counters]:
    """`+CAACK: total,unacked`."""
    reply = yield from must(Ask(b"AT+CAACK=%d" % socket, ok(rb"\+CAACK: ?\d.*")))
    numbers = ints(reply.line(b"+CAACK:") or b"")
    if len(numbers) < 2:
        raise AtError("the modem did not tell its byte counters")
    return Counters(numbers[0], numbers[0] - numbers[1], numbers[1])


def read(socket: int, limit: int) -> Script[Received]:
    """`+CARECV: got,<data>`, OK: no socket number (whatever the manual says), data after a comma; `+CARECV: 0` when there is none."""
    header = DataHeader(re.compile(rb"\+CARECV: ?(?P<len>\d{1,6}),"), limit)
    reply = yield from must(Ask(b"AT+CARECV=%d,%d" % (socket, limit), ok(rb"\+CARECV: ?0", data=header)))
    return Received(reply.data, None if reply.data else 0)


def close(socket: int) -> Script[None]:
    """CACLOSE. An error means that it was closed already."""
    request = Ask(b"AT+CACLOSE=%d" % socket, timeout=10.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


def resolve(host: str) -> Script[Resolved]:
    """CDNSGIP: OK, then +CDNSGIP: 1,"host","ip"[,"ip2"] or +CDNSGIP: 0,..."""
    rule = ok_and(rb"\+CDNSGIP: ?1,.*", rb"\+CDNSGIP: ?0,.*")
    command = b"AT+CDNSGIP=" + quoted_host(host) + b",%d,%d" % (RESOLVE_TRIES, RESOLVE_MS)
    reply = yield Ask(command, rule, timeout=RESOLVE_TRIES * RESOLVE_MS / 1000 + 5.0)
    found = re.findall(rb'"([^"]*)"', reply.line(b"+CDNSGIP:") or b"")[1:] if reply.ok else []
    if not found:
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(reply.last) or 'no answer'})")
    return Resolved(tuple(address.decode("ascii") for address in found))


SIM7080 = Dialect(
    name="sim7080",
    models=re.compile(r"SIM ?70[789]0", re.IGNORECASE),
    probe=b"AT+CAOPEN=?",
    urcs=(
        urc(rb'\+CAURC: ?"recv",(?P<n>\d{1,2}),(?P<len>\d{1,6})[^\r\n]*\r?\n', Urc.PUSHED_DATA, Takes.DATA),
        urc(rb"\+CADATAIND: ?(?P<n>\d{1,2})", Urc.DATA_WAITING),
        urc(rb"\+CASTATE: ?(?P<n>\d{1,2}),0", Urc.PEER_CLOSED),
        urc(rb"\+APP PDP: ?0, ?DEACTIVE", Urc.BEARER_LOST),
        urc(rb"\+APP PDP: .*", Urc.NOISE),
        urc(rb"NORMAL POWER DOWN|UNDER-VOLTAGE POWER DOWN", Urc.RESTARTED),
        urc(rb"SMS Ready|Call Ready", Urc.BOOT_TAIL),
        *COMMON_URCS,
    ),
    max_send=CHUNK,
    max_read=READ,
    window=CHUNK,
    restart=b"AT+CREBOOT",
    pin_counter=b"AT+SPIC",
    prepare=prepare,
    bearer_check=bearer_check,
    bearer_up=bearer_up,
    bearer_down=bearer_down,
    open=open_,
    send=send,
    counters=counters,
    read=read,
    close=close,
    resolve=resolve,
)

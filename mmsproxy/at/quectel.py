"""The QIOPEN family: Quectel EC2x, EG2x, EG9x, BG77/95/96, EC200, UC20 (modems.md 1.6).

Buffer mode: SEND OK means "in the modem's buffer"; `QISEND=n,0` tells what was taken and acknowledged. The old QI set (M95, UC15) is
another language and not spoken here.
"""

from __future__ import annotations

import re

from mmsproxy.at.counted import counted_send
from mmsproxy.at.dialect import (
    Ask,
    Counters,
    Dialect,
    Identity,
    Profile,
    Received,
    Resolved,
    Script,
    Sent,
    Verdict,
    failure,
    ints,
    must,
    printable,
)
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import COMMON_URCS, ERROR_LINE, DataHeader, Rule, Slot, Takes, Urc, ok, ok_and, urc
from mmsproxy.at.startup import define_context
from mmsproxy.at.strings import number, quoted_apn, quoted_host, quoted_secret
from mmsproxy.errors import AtError, AtTimeout, BearerError, CarrierError, ConnectError, LinkError

CHUNK = 1460  # bytes
READ = 1500
OPEN_TIMEOUT = 30.0  # seconds; the manual allows 150, an attempt's own bound is shorter (modems.md 5.3)
ACTIVATE_TIMEOUT = 150.0
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
RESOLVE_TIMEOUT = 60.0
CLOSE_WAIT = 10  # seconds that the modem gives to a close
TYPES = {"IP": 1, "IPV6": 2, "IPV4V6": 3}  # QICSGP's context types (3: unverified)
NO_LOGIN, PAP = 0, 1

#: <err> of +QIOPEN (TCP/IP application note, chapter 6).
CODES = {
    550: "unknown error",
    551: "operation blocked",
    552: "invalid parameters or time-out",
    553: "memory not enough",
    554: "no socket to be had",
    555: "operation not supported",
    561: "the PDP context is not up",
    562: "closing the PDP context failed",
    563: "the socket number is in use",
    564: "DNS busy",
    565: "DNS: no such name",
    566: "connect failed",
    567: "socket write failed",
    568: "socket read failed",
    569: "operation not allowed",
    570: "bearer time-out",
    572: "bearer rejected",
}
_NO_CONTEXT, _IN_USE = (561, 570, 572), 563
_CONNECTED = 2


def prepare(profile: Profile, _identity: Identity) -> Script[None]:
    """A clean state, and the context; QICSGP is taken while it is down only."""
    yield from bearer_down()
    yield from define_context(profile)
    login = PAP if profile.user or profile.password else NO_LOGIN
    names = b",".join((quoted_apn(profile.apn), quoted_secret(profile.user), quoted_secret(profile.password)))
    yield from must(Ask(b"AT+QICSGP=1,%d," % TYPES[profile.pdp_type] + names + b",%d" % login))


def bearer_check() -> Script[bool]:
    """Whether context 1 is up; +QIACT? lists only those that are."""
    reply = yield from must(Ask(b"AT+QIACT?", ok(rb"\+QIACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [1, 1] for line in reply.lines)


def bearer_up(_profile: Profile) -> Script[None]:
    request = Ask(b"AT+QIACT=1", timeout=ACTIVATE_TIMEOUT)
    reply = yield request
    if not reply.ok and not (not reply.timed_out and (yield from bearer_check())):
        raise BearerError(str(failure(request, reply)), cure="check the APN, the user and the signal")


def bearer_down() -> Script[None]:
    """QIDEACT where it is up; it closes all sockets too. The manual allows 40 s."""
    if (yield from bearer_check()):
        yield Ask(b"AT+QIDEACT=1", timeout=40.0)


def open_(socket: int, host: str, port: int) -> Script[int]:
    """QIOPEN in buffer mode; a number that is still in use (state 4) is closed first. Raises ConnectError, BearerError or AtTimeout."""
    command = b"AT+QIOPEN=1,%d," % socket + b'"TCP",' + quoted_host(host) + b"," + number(port, low=1) + b",0,0"
    request = Ask(command, ok_and(rb"\+QIOPEN: ?%d,0" % socket, rb"\+QIOPEN: ?%d,[1-9]\d*" % socket), timeout=OPEN_TIMEOUT)
    reply = yield request
    if _code(reply) == _IN_USE:
        yield from close(socket)
        reply = yield request
    if reply.timed_out:
        yield from bearer_down()
    if not reply.ok:
        raise _open_error(reply, f"{host}:{port}")
    return socket


def _code(reply: Reply) -> int | None:
    numbers = ints(reply.line(b"+QIOPEN:") or b"")
    return numbers[-1] if numbers else None


def _open_error(reply: Reply, target: str) -> LinkError | CarrierError:
    if reply.timed_out:
        return ConnectError(f"{target} did not answer within {OPEN_TIMEOUT:g} s")
    code = _code(reply)
    if code is None or code in _NO_CONTEXT:
        return BearerError(f"the modem refused to connect: {printable(reply.last)}")
    return ConnectError(f"no connection to {target}: {CODES.get(code, 'error')} ({printable(reply.last)})")


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """QISEND=n,len, the prompt, the bytes, SEND OK. No OK."""
    bad = re.compile(rb"SEND FAIL|" + ERROR_LINE.pattern, re.IGNORECASE)
    rule = Rule((Slot(re.compile(rb"SEND OK"), bad),), broken=re.compile(rb'\+QIURC: ?"closed",%d' % socket))
    request = Ask(b"AT+QISEND=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return (yield from _is_held(socket))

    return (yield from counted_send(request, chunk, upto, result_timeout=RESULT_TIMEOUT, refused=refused, judge=_judge))


def _judge(reply: Reply, _size: int) -> Sent:
    """SEND FAIL does not say how much was taken: the counter has to."""
    if b'"closed"' in reply.last:
        return Sent(Verdict.CLOSED, line=reply.last)
    return Sent(Verdict.TAKEN if reply.ok else Verdict.DOUBTFUL, line=reply.last)


def _is_held(socket: int) -> Script[Verdict]:
    """Nothing of the chunk was taken: is the socket gone, or only the buffer full?"""
    reply = yield Ask(b"AT+QISTATE=1,%d" % socket, ok(rb"\+QISTATE: ?.*"))
    fields = (reply.line(b"+QISTATE:") or b"").split(b",")
    return Verdict.HELD if fields[5:6] == [b"%d" % _CONNECTED] else Verdict.CLOSED


def counters(socket: int) -> Script[Counters]:
    """`+QISEND: total,acked,unacked`."""
    reply = yield from must(Ask(b"AT+QISEND=%d,0" % socket, ok(rb"\+QISEND: ?\d.*")))
    numbers = ints(reply.line(b"+QISEND:") or b"")
    if len(numbers) < 3:
        raise AtError("the modem did not tell its byte counters")
    return Counters(*numbers[:3])


def read(socket: int, limit: int) -> Script[Received]:
    """`+QIRD: got`, `got` raw bytes, OK. How much is left it does not say: read until 0."""
    header = DataHeader(re.compile(rb"\+QIRD: ?(?P<len>\d{1,6})\r?\n"), limit)
    reply = yield from must(Ask(b"AT+QIRD=%d,%d" % (socket, limit), ok(data=header)))
    return Received(reply.data, None if reply.data else 0)


def close(socket: int) -> Script[None]:
    """QICLOSE, due even after the peer has closed. An error means that it was closed already."""
    request = Ask(b"AT+QICLOSE=%d,%d" % (socket, CLOSE_WAIT), timeout=CLOSE_WAIT + 5.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


def resolve(host: str) -> Script[Resolved]:
    """QIDNSGIP: OK, then one URC with error, count and TTL, then one for each address."""
    deciding = Slot(re.compile(rb'\+QIURC: ?"dnsgip",0,\d+,\d+'), re.compile(rb'\+QIURC: ?"dnsgip",[1-9]\d*.*'))
    address = Slot(re.compile(rb'\+QIURC: ?"dnsgip","[^"]+"'), re.compile(rb'\+QIURC: ?"dnsgip",[1-9]\d*.*'))
    request = Ask(b"AT+QIDNSGIP=1," + quoted_host(host), Rule((Slot(re.compile(rb"OK")), deciding, address)), timeout=RESOLVE_TIMEOUT)
    reply = yield request
    if not reply.ok:
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(reply.last) or 'no answer'})")
    found = tuple(match.decode("ascii") for line in reply.lines for match in re.findall(rb'"dnsgip","([0-9A-Fa-f.:]+)"', line))
    ttl = next((ints(line.rpartition(b'"dnsgip",')[2])[2] for line in reply.lines if re.search(rb'"dnsgip",0,\d+,\d+', line)), None)
    return Resolved(found, None if ttl is None else float(ttl))


QUECTEL = Dialect(
    name="quectel",
    models=re.compile(r"Quectel|\b(EC2\d|EG\d\d|BG\d\d|EC200|UC20|RM5\d\d|EM06)", re.IGNORECASE),
    probe=b"AT+QIOPEN=?",
    urcs=(
        urc(rb'\+QIURC: ?"recv",(?P<n>\d{1,2}),(?P<len>\d{1,6})\r?\n', Urc.PUSHED_DATA, Takes.DATA),
        urc(rb'\+QIURC: ?"recv",(?P<n>\d{1,2})', Urc.DATA_WAITING),
        urc(rb'\+QIURC: ?"closed",(?P<n>\d{1,2})', Urc.PEER_CLOSED),
        urc(rb'\+QIURC: ?"pdpdeact",1', Urc.BEARER_LOST),
        urc(rb"\+QIURC: .*", Urc.NOISE),
        urc(rb"POWERED DOWN|NORMAL POWER DOWN", Urc.RESTARTED),
        urc(rb"\+QUSIM: ?1|\+QIND: SMS DONE|\+QIND: PB DONE", Urc.BOOT_TAIL),
        urc(rb"\+QIND: .*", Urc.NOISE),
        *COMMON_URCS,
    ),
    max_send=CHUNK,
    max_read=READ,
    window=4096,
    restart=b"AT+CFUN=1,1",
    pin_counter=b'AT+QPINC="SC"',
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

"""The QIOPEN family: Quectel EC2x, EG2x, EG9x, BG77/95/96, EC200, UC20 (modems.md 1.6).

Buffer mode: SEND OK means "in the modem's buffer"; `QISEND=n,0` tells what was taken and acknowledged. The old QI set (M95, UC15) is
another language and not spoken here.
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
from mmsproxy.at.rules import COMMON_URCS, ERROR_LINE, OK_LINE, DataHeader, Rule, Slot, Takes, Urc, ok, ok_and, urc
from mmsproxy.at.startup import define_context, foreign_apn
from mmsproxy.at.strings import number, quoted_apn, quoted_host, quoted_secret
from mmsproxy.errors import AtError, AtTimeout, BearerError, ConnectError, LinkError

CHUNK = 1460  # bytes
SOCKET = 0
READ = 1500
OPEN_TIMEOUT = 30.0  # seconds; the manual allows 150, an attempt's own bound is shorter (modems.md 5.3)
ACTIVATE_TIMEOUT = 150.0
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
RESOLVE_TIMEOUT = 60.0
CLOSE_WAIT = 10  # seconds that the modem gives to a close
TYPES = {"IP": 1, "IPV6": 2, "IPV4V6": 3}  # QICSGP's context types (3: unverified)
NO_LOGIN, PAP = 0, 1
BUFFER, TRANSPARENT = 0, 2  # QIOPEN's access modes; 1 pushes
_OTHER_MODEM = "use another modem, or its network interface"
_DEACTIVATE = Ask(b"AT+QIDEACT=1", timeout=40.0)

#: Results of +QIOPEN and +QIGETERROR (BG96 TCP/IP application note, chapter 4).
CODES = {
    550: "unknown error",
    551: "operation blocked",
    552: "invalid parameters",
    553: "not enough memory",
    554: "no socket to be had",
    555: "operation not supported",
    556: "bind failed",
    557: "listen failed",
    558: "socket write failed",
    559: "socket read failed",
    560: "accept failed",
    561: "the PDP context could not be opened",
    562: "the PDP context could not be closed",
    563: "the socket number is in use",
    564: "DNS busy",
    565: "DNS: no such name",
    566: "connect failed",
    567: "the socket was closed",
    568: "busy",
    569: "time-out",
    570: "the PDP context broke down",
    571: "sending was cancelled",
    572: "operation not allowed",
    573: "no APN is configured",
    574: "the port is busy",
}
_NO_CONTEXT = (561, 570)  # only QIDEACT and QIACT help
_NO_FAULT_OF_THE_PEER = (None, 550, 551, 552, 553, 554, 555, *_NO_CONTEXT, 562, 568, 572, 573, 574)
_IN_USE, _NO_SUCH_NAME = 563, 565
_CONNECTED = 2  # +QISTATE; 4 is closing
_OLD_SET = re.compile(r"(^|[\s_])(M[1-9]\d|MC[26]\d|UC15)\b", re.IGNORECASE)


def prepare(profile: Profile, identity: Identity) -> Script[None]:
    """The context, in a clean state; QICSGP is taken while it is down only. A bearer that is ours stays up. Raises LinkError for a modem
    of the old QI set."""
    model = identity.model or identity.info
    if _OLD_SET.search(model):
        raise LinkError(f"{model} speaks Quectel's old QI commands, which are not supported", cure=_OTHER_MODEM)
    if not (yield from _is_kept(profile)):
        yield from define_context(profile)
        yield from must(Ask(b"AT+QICSGP=1," + _context(profile)))
    yield Ask(b"AT+QISDE=0")  # no echo of a payload; firmware without the command echoes none


def _is_kept(profile: Profile) -> Script[bool]:
    """Whether the bearer is up and ours; a socket of ours from before is closed. One that is another's is brought down."""
    if not (yield from bearer_check()):
        return False
    reply = yield Ask(b"AT+QICSGP=1", ok(rb"\+QICSGP: ?\d.*"))
    if reply.ok and reply.line(b"+QICSGP:") == _context(profile) and not (yield from foreign_apn(profile)):
        yield from close(SOCKET)
        return True
    yield _DEACTIVATE
    return False


def _context(profile: Profile) -> bytes:
    """QICSGP's `type,"apn","user","pwd",authentication`."""
    names = b",".join((quoted_apn(profile.apn), quoted_secret(profile.user), quoted_secret(profile.password)))
    return b"%d,%b,%d" % (TYPES[profile.pdp_type], names, PAP if profile.user or profile.password else NO_LOGIN)


def bearer_check() -> Script[bool]:
    """Whether context 1 is up; +QIACT? lists only those that are."""
    reply = yield from must(Ask(b"AT+QIACT?", ok(rb"\+QIACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [1, 1] for line in reply.lines)


def bearer_up(_profile: Profile) -> Script[None]:
    """QIACT. Some firmware answers ERROR where the context is up already."""
    request = Ask(b"AT+QIACT=1", timeout=ACTIVATE_TIMEOUT)
    reply = yield request
    if reply.ok:
        return
    code = yield from _last_error(reply)
    if reply.timed_out or not (yield from bearer_check()):
        reason = f": {CODES.get(code, code)}" if code else ""
        raise BearerError(f"{failure(request, reply).detail}{reason}", cure="check the APN, the user and the signal")


def _last_error(reply: Reply) -> Script[int | None]:
    """Why a command of this family had a bare ERROR: `+QIGETERROR: code,"text"`. None where that is not known, or the reply says it."""
    if reply.last != b"ERROR":
        return None
    asked = yield Ask(b"AT+QIGETERROR", ok(rb"\+QIGETERROR: ?\d.*"))
    return next(iter(ints(asked.line(b"+QIGETERROR:") or b"")), None) if asked.ok else None


def bearer_down() -> Script[None]:
    """QIDEACT where it is up; it closes all sockets too."""
    if (yield from bearer_check()):
        yield _DEACTIVATE


def open_(socket: int, host: str, port: int) -> Script[int]:
    """QIOPEN in buffer mode: OK, then the result. A number that is still in use (state 4) is closed first. Raises ConnectError,
    BearerError or AtTimeout."""
    rule = ok_and(rb"\+QIOPEN: ?%d,0" % socket, rb"\+QIOPEN: ?%d,[1-9]\d*" % socket)
    return (yield from _open(socket, f"{host}:{port}", Ask(_opening(socket, host, port, BUFFER), rule, timeout=OPEN_TIMEOUT)))


def open_transparent(socket: int, host: str, port: int) -> Script[int]:
    """QIOPEN in the transparent mode; from CONNECT on the line is the connection's. Raises ConnectError, BearerError."""
    bad = re.compile(rb"CONNECT FAIL|\+QIOPEN: ?%d,[1-9]\d*|" % socket + ERROR_LINE.pattern, re.IGNORECASE)
    rule = Rule((Slot(re.compile(rb"CONNECT( \d+)?"), bad),), re.compile(rb"OK"), online=True)
    return (yield from _open(socket, f"{host}:{port}", Ask(_opening(socket, host, port, TRANSPARENT), rule, timeout=OPEN_TIMEOUT)))


def _opening(socket: int, host: str, port: int, mode: int) -> bytes:
    return b'AT+QIOPEN=1,%d,"TCP",' % socket + quoted_host(host) + b"," + number(port, low=1) + b",0,%d" % mode


def _open(socket: int, target: str, request: Ask) -> Script[int]:
    """What fails is closed by whoever asked: QICLOSE is due after a failed open too, and ends one that never answers."""
    reply, code = yield from _try(request)
    if code == _IN_USE:
        yield from close(socket)
        reply, code = yield from _try(request)
    if reply.ok:
        return socket
    if reply.timed_out:
        raise ConnectError(f"{target} did not answer within {OPEN_TIMEOUT:g} s")
    if code in _NO_CONTEXT:
        yield from bearer_down()
    text = f"{CODES.get(code or 0, 'no reason')} ({printable(reply.last)})"
    if code in _NO_FAULT_OF_THE_PEER:
        raise BearerError(f"the modem refused to connect: {text}")
    raise ConnectError(f"no connection to {target}: {text}")


def _try(request: Ask) -> Script[tuple[Reply, int | None]]:
    """The reply, and why it failed: by the result's own line, or after a bare ERROR by asking."""
    reply = yield request
    if reply.ok or reply.timed_out:
        return reply, None
    numbers = ints(reply.line(b"+QIOPEN:") or b"")
    return reply, numbers[-1] if numbers else (yield from _last_error(reply))


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """QISEND=n,len, the prompt, the bytes, SEND OK. No OK."""
    bad = re.compile(rb"SEND FAIL|" + ERROR_LINE.pattern, re.IGNORECASE)
    rule = Rule((Slot(re.compile(rb"SEND OK"), bad),), broken=re.compile(rb'\+QIURC: ?"closed",%d' % socket))
    request = Ask(b"AT+QISEND=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return (yield from _is_held(socket))

    sent = yield from counted_send(request, chunk, upto, result_timeout=RESULT_TIMEOUT, refused=refused, judge=_judge)
    if sent.verdict is Verdict.DOUBTFUL and ERROR_LINE.fullmatch(sent.line) and (yield from _is_held(socket)) is Verdict.CLOSED:
        return replace(sent, verdict=Verdict.CLOSED)
    return sent


def _judge(reply: Reply, _size: int) -> Sent:
    """SEND FAIL (the buffer is full) does not say how much was taken: the counter has to."""
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
    """QIDNSGIP: OK, `+QIURC: "dnsgip",0,count,ttl`, then an URC with each address: the first one will do. Raises ConnectError where there
    is no such name."""
    address = Slot(re.compile(rb'\+QIURC: ?"dnsgip","[^"]+"'), re.compile(rb'\+QIURC: ?"dnsgip",([1-9]\d*|0,0)(,.*)?'))
    rule = Rule((Slot(OK_LINE), address), re.compile(rb'\+QIURC: ?"dnsgip",0,[1-9]\d*,\d+'))
    request = Ask(b"AT+QIDNSGIP=1," + quoted_host(host), rule, timeout=RESOLVE_TIMEOUT)
    reply = yield request
    words = reply.line(b'+QIURC: "dnsgip",') or b""
    if reply.ok:
        found = next(re.findall(rb'"dnsgip","([^"]+)"', line) for line in reversed(reply.lines) if b'"dnsgip","' in line)
        return Resolved(tuple(printable(name) for name in found), next(iter(ints(words)[2:]), None))
    if ints(words)[:1] in ([0], [_NO_SUCH_NAME]):
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(reply.last)})")
    raise failure(request, reply)


QUECTEL = Dialect(
    name="quectel",
    models=re.compile(r"Quectel|\b(E[CG]\d\d|BG\d\d|UC20|UG9\d|EP06|EM(05|06|12)|AG35|R[GM]5\d\d)", re.IGNORECASE),
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
QUECTEL = replace(QUECTEL, transparent=replace(QUECTEL, open=open_transparent, is_transparent=True))

"""The #S family: Telit HE910, LE910, LE866, ME910, ME310 (modems.md 1.8).

Only #SSENDEXT sends (#SSEND eats 0x08, 0x1A and 0x1B); how much at once differs by model: 1500, older ones 1024. The payload is echoed
while ATE1. Sockets are numbered from 1. NO CARRIER in command mode names no socket, nor whether the peer or the bearer has gone: it is a
reason to read, and reading asks #SS and #SGACT? once nothing is left.
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
from mmsproxy.at.rules import COMMON_URCS, ERROR_LINE, OK_LINE, DataHeader, Rule, Slot, Takes, Urc, ok, urc
from mmsproxy.at.startup import context_is, define_context
from mmsproxy.at.strings import number, quoted_host, quoted_secret
from mmsproxy.errors import AtError, AtTimeout, BearerError, CarrierError, ConnectError, LinkError

CHUNK = 1500  # bytes
SAFE_CHUNK = 1024  # bytes: what every model takes
FIRST_SOCKET = 1
CONNECT_LIMIT = 250  # tenths of a second: the modem gives up before we do
OPEN_TIMEOUT = 80.0  # seconds; #SD blocks the modem until it is done, 75 at most where it refused our limit: earlier it is deaf
ACTIVATE_TIMEOUT = 150.0
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
RESOLVE_TIMEOUT = 30.0
_CLOSED = 0  # #SS
_WRITABLE = (1, 2)  # active, suspended; 3 (data waiting) hides whether the peer has closed: where it is refused it has

#: +CME ERROR codes of the #S commands (LE910 V2 manual 80446ST10707A, 3.2.2.1).
CODES = {
    550: "no reason",
    551: "wrong state",
    552: "wrong mode",
    553: "the context is active already",
    554: "the stack is active already",
    555: "the context could not be activated",
    556: "the context is not up",
    557: "the socket could not be set up",
    558: "DNS: no such name",
    559: "time-out",
    560: "the socket could not be opened",
    561: "disconnected, or time-out",
    562: "connect failed",
    563: "sending failed",
    564: "already listening",
}
_NO_SUCH_NAME = 558
_OF_THE_PEER = (_NO_SUCH_NAME, 559, 560, 561, 562)
_CLOSING = re.compile(rb"NO CARRIER")

# Socket 1: context 1; packet size (of the online mode only); no end for want of traffic (90 s by default: an MMSC may think longer); time
# for connecting; the last one is of the online mode too.
_LIMITS = Ask(b"AT#SCFG=%d,1,300,0,%d,50" % (FIRST_SOCKET, CONNECT_LIMIT))
_RINGS = Ask(b"AT#SCFGEXT=%d,1,0,0" % FIRST_SOCKET)  # SRING: n,len


def prepare(profile: Profile, _identity: Identity) -> Script[None]:
    """The context, in a clean state, and how the socket behaves. A bearer that is ours stays up."""
    if not (yield from _is_kept(profile)):
        yield from define_context(profile)
    yield _LIMITS  # refused by some firmware, and then its defaults do
    yield from must(_RINGS)


def _is_kept(profile: Profile) -> Script[bool]:
    """Whether the bearer is up and ours; a socket of ours from before is closed. One that is another's is brought down. Of a user and
    password the modem does not tell."""
    if not (yield from bearer_check()):
        return False
    if not (profile.user or profile.password) and (yield from context_is(profile)):
        yield from close(FIRST_SOCKET)
        return True
    yield _DEACTIVATE
    return False


_DEACTIVATE = Ask(b"AT#SGACT=1,0", timeout=40.0)


def bearer_check() -> Script[bool]:
    reply = yield from must(Ask(b"AT#SGACT?", ok(rb"#SGACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [1, 1] for line in reply.lines)


def bearer_up(profile: Profile) -> Script[None]:
    """`#SGACT: address`, OK. The answer is an error too when the context is active already."""
    command = b"AT#SGACT=1,1"
    if profile.user or profile.password:
        command += b"," + quoted_secret(profile.user) + b"," + quoted_secret(profile.password)
    request = Ask(command, ok(rb"#SGACT: ?.*"), timeout=ACTIVATE_TIMEOUT)
    reply = yield request
    if not reply.ok and (reply.timed_out or not (yield from bearer_check())):
        why = CODES.get(_code(reply) or 0, "no reason")
        raise BearerError(f"{failure(request, reply)} ({why})", cure="check the APN, the user and the signal")


def bearer_down() -> Script[None]:
    """#SGACT=1,0 where it is up; it closes all sockets too."""
    if (yield from bearer_check()):
        yield _DEACTIVATE


def open_(socket: int, host: str, port: int) -> Script[int]:
    """#SD in command mode: blocking, OK or an error. A socket that is still open from before is closed first. Raises ConnectError,
    BearerError or AtTimeout."""
    command = b"AT#SD=%d,0," % socket + number(port, low=1) + b"," + quoted_host(host) + b",0,0,1"
    rule = Rule((Slot(OK_LINE, re.compile(ERROR_LINE.pattern + b"|" + _CLOSING.pattern, re.IGNORECASE)),))
    request = Ask(command, rule, timeout=OPEN_TIMEOUT)
    reply = yield request
    if not reply.ok and not reply.timed_out and _code(reply) not in _OF_THE_PEER and (yield from _is_open(socket)):
        yield from close(socket)
        reply = yield request
    if reply.timed_out:  # the command is at work in the modem: only the bearer's end ends it
        yield from bearer_down()
    if not reply.ok:
        raise _open_error(reply, f"{host}:{port}")
    return socket


def _code(reply: Reply) -> int | None:
    return next(iter(ints(reply.last.removeprefix(b"+CME ERROR:"))), None)


def _open_error(reply: Reply, target: str) -> LinkError | CarrierError:
    if reply.timed_out:
        return ConnectError(f"{target} did not answer within {OPEN_TIMEOUT:g} s")
    code = _code(reply)
    text = f"{CODES.get(code or 0, 'no reason')} ({printable(reply.last)})"
    if code in _OF_THE_PEER or _CLOSING.fullmatch(reply.last):
        return ConnectError(f"no connection to {target}: {text}")
    return BearerError(f"the modem refused to connect: {text}")


def _is_open(socket: int) -> Script[bool]:
    return (yield from _state(socket)) != _CLOSED


def _state(socket: int) -> Script[int]:
    """`#SS: n,state,...`. A modem that refuses to tell of a socket has none."""
    reply = yield Ask(b"AT#SS=%d" % socket, ok(rb"#SS: ?\d.*"))
    return next(iter(ints(reply.line(b"#SS:") or b"")[1:]), _CLOSED) if reply.ok else _CLOSED


def room(_socket: int) -> Script[int]:
    """What one #SSENDEXT takes at most: the end of the last range of `#SSENDEXT: (1-6),(1-1500)`."""
    reply = yield Ask(b"AT#SSENDEXT=?", ok(rb"#SSENDEXT: ?.*"))
    found = re.search(rb"\d+-(\d{1,5})\)?$", reply.line(b"#SSENDEXT:") or b"") if reply.ok else None
    return min(int(found[1]), CHUNK) if found else SAFE_CHUNK


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """#SSENDEXT=n,len, the prompt, exactly the bytes, OK. A NO CARRIER in between is not the result, which follows."""
    request = Ask(b"AT#SSENDEXT=%d,%d" % (socket, len(chunk)), timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return Verdict.HELD if (yield from _state(socket)) in _WRITABLE else Verdict.CLOSED

    sent = yield from counted_send(request, chunk, upto, result_timeout=RESULT_TIMEOUT, refused=refused, judge=_judge)
    if sent.verdict is Verdict.DOUBTFUL and sent.line and not (yield from _is_open(socket)):
        return replace(sent, verdict=Verdict.CLOSED)
    return sent


def _judge(reply: Reply, _size: int) -> Sent:
    return Sent(Verdict.TAKEN if reply.ok else Verdict.DOUBTFUL, line=reply.last)


def _info(socket: int) -> Script[list[int]]:
    """`#SI: n,sent,received,buffered,unacked`."""
    reply = yield from must(Ask(b"AT#SI=%d" % socket, ok(rb"#SI: ?\d.*")))
    numbers = ints(reply.line(b"#SI:") or b"")
    if len(numbers) < 5:
        raise AtError("the modem did not tell its byte counters")
    return numbers


def counters(socket: int) -> Script[Counters]:
    _, sent, _, _, unacked = (yield from _info(socket))[:5]
    return Counters(sent, sent - unacked, unacked)


def read(socket: int, limit: int) -> Script[Received]:
    """`#SRECV: n,got`, `got` raw bytes, OK; an empty buffer is an error, so what is buffered is asked first. Raises BearerError once
    nothing is left and the bearer is gone too."""
    try:
        waiting = (yield from _info(socket))[3]
    except AtError:
        if (yield from _is_open(socket)):
            raise
        waiting = 0
    if not waiting:
        return Received(b"", 0, ended=(yield from _has_ended(socket)))
    size = min(waiting, limit)
    header = DataHeader(re.compile(rb"#SRECV: ?%d,(?P<len>\d{1,6})[^\r\n]*\r?\n" % socket), size)
    reply = yield from must(Ask(b"AT#SRECV=%d,%d" % (socket, size), ok(data=header)))
    return Received(reply.data, max(waiting - len(reply.data), 0))


def _has_ended(socket: int) -> Script[bool]:
    """Whether the peer has closed: NO CARRIER does not say of which socket it speaks, nor whether it was the bearer."""
    if (yield from _is_open(socket)):
        return False
    if not (yield from bearer_check()):
        raise BearerError("the bearer was lost")
    return True


def close(socket: int) -> Script[None]:
    """#SH. An error means that it was closed already."""
    request = Ask(b"AT#SH=%d" % socket, timeout=15.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


def resolve(host: str) -> Script[Resolved]:
    """`#QDNS: "host","ip"`, OK; `NOT SOLVED` in place of the address. Raises ConnectError where there is no such name."""
    request = Ask(b"AT#QDNS=" + quoted_host(host), ok(rb"#QDNS: ?.*"), timeout=RESOLVE_TIMEOUT)
    reply = yield request
    answer = reply.line(b"#QDNS:") or b""
    if b"NOT SOLVED" in answer or _code(reply) == _NO_SUCH_NAME:
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(answer or reply.last)})")
    if not reply.ok:
        raise failure(request, reply)
    return Resolved(tuple(printable(name) for name in re.findall(rb'"([^"]*)"', answer)[1:]))


TELIT = Dialect(
    name="telit",
    models=re.compile(r"Telit|\b(HE910|LE910|LE866|LE922|LM940|LM960|ME910|ME310|UL865|UE910)", re.IGNORECASE),
    probe=b"AT#SD=?",
    urcs=(
        urc(rb"SRING ?: ?(?P<n>\d),(?P<len>\d{1,6}),", Urc.PUSHED_DATA, Takes.DATA),  # #SCFGEXT=n,2
        urc(rb"SRING ?: ?(?P<n>\d)(,.*)?", Urc.DATA_WAITING),
        urc(rb"NO CARRIER", Urc.DATA_WAITING),  # look: see `read`
        *COMMON_URCS,
    ),
    max_send=CHUNK,
    max_read=1500,
    window=4096,
    restart=b"AT#REBOOT",
    pin_counter=b"AT#PCT",
    prepare=prepare,
    bearer_check=bearer_check,
    bearer_up=bearer_up,
    bearer_down=bearer_down,
    open=open_,
    send=send,
    counters=counters,
    read=read,
    close=close,
    first_socket=FIRST_SOCKET,
    room=room,
    resolve=resolve,
)

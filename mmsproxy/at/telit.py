"""The #S family: Telit HE910, LE910, LE866, ME910, ME310 (modems.md 1.8).

Only #SSENDEXT sends (#SSEND eats 0x08, 0x1A and 0x1B). The payload is echoed while ATE1. Sockets are numbered from 1. NO CARRIER in
command mode names no socket: it is a close, unless the connection is in the transparent mode, which is not used here.
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
from mmsproxy.at.rules import COMMON_URCS, DataHeader, Rule, Slot, Urc, ok, urc
from mmsproxy.at.startup import define_context
from mmsproxy.at.strings import number, quoted_host, quoted_secret
from mmsproxy.errors import AtError, AtTimeout, BearerError, CarrierError, ConnectError, LinkError

CHUNK = 1500  # bytes
FIRST_SOCKET = 1
OPEN_TIMEOUT = 30.0  # seconds; the manual allows 75
ACTIVATE_TIMEOUT = 150.0
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
_CLOSED = 0  # #SS
#: +CME ERROR codes of #SD that speak of the context, not of the peer (AT reference guide, 3.5.7.1).
_NO_CONTEXT = re.compile(rb"\+CME ERROR: ?(556|context not (activ|open).*)", re.IGNORECASE)


def prepare(profile: Profile, _identity: Identity) -> Script[None]:
    """A clean state, the context, and the long form of SRING for each socket that is used."""
    yield from bearer_down()
    yield from define_context(profile)
    yield Ask(b"AT#SCFG=%d,1,300,90,600,50" % FIRST_SOCKET)  # packet size, time-outs; refused by some firmware, and then its defaults do
    yield from must(Ask(b"AT#SCFGEXT=%d,1,0,0" % FIRST_SOCKET))


def bearer_check() -> Script[bool]:
    reply = yield from must(Ask(b"AT#SGACT?", ok(rb"#SGACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [1, 1] for line in reply.lines)


def bearer_up(profile: Profile) -> Script[None]:
    """#SGACT answers ERROR too when the context is active already."""
    command = b"AT#SGACT=1,1"
    if profile.user or profile.password:
        command += b"," + quoted_secret(profile.user) + b"," + quoted_secret(profile.password)
    request = Ask(command, ok(rb"#SGACT: ?.*"), timeout=ACTIVATE_TIMEOUT)
    reply = yield request
    if not reply.ok and not (not reply.timed_out and (yield from bearer_check())):
        raise BearerError(str(failure(request, reply)), cure="check the APN, the user and the signal")


def bearer_down() -> Script[None]:
    """#SGACT=1,0 where it is up; it closes all sockets too."""
    if (yield from bearer_check()):
        yield Ask(b"AT#SGACT=1,0", timeout=40.0)


def open_(socket: int, host: str, port: int) -> Script[int]:
    """#SD in command mode: blocking, OK or an error. Raises ConnectError, BearerError or AtTimeout."""
    command = b"AT#SD=%d,0," % socket + number(port, low=1) + b"," + quoted_host(host) + b",0,0,1"
    request = Ask(command, Rule((Slot(re.compile(rb"OK"), _ERROR_OR_CLOSE),)), timeout=OPEN_TIMEOUT)
    reply = yield request
    if not reply.ok and not reply.timed_out and (yield from _is_open(socket)):  # from before
        yield from close(socket)
        reply = yield request
    if reply.timed_out:
        yield from bearer_down()
    if not reply.ok:
        raise _open_error(reply, f"{host}:{port}")
    return socket


_ERROR_OR_CLOSE = re.compile(rb"ERROR|\+CME ERROR: ?.*|NO CARRIER")


def _open_error(reply: Reply, target: str) -> LinkError | CarrierError:
    if reply.timed_out:
        return ConnectError(f"{target} did not answer within {OPEN_TIMEOUT:g} s")
    if _NO_CONTEXT.fullmatch(reply.last):
        return BearerError(f"the modem refused to connect: {printable(reply.last)}")
    return ConnectError(f"no connection to {target}: the modem says {printable(reply.last)}")


def _is_open(socket: int) -> Script[bool]:
    reply = yield Ask(b"AT#SS=%d" % socket, ok(rb"#SS: ?\d.*"))
    return reply.ok and (ints(reply.line(b"#SS:") or b"")[1:2] or [_CLOSED]) != [_CLOSED]


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """#SSENDEXT=n,len, the prompt, exactly the bytes, OK."""
    rule = Rule((Slot(re.compile(rb"OK"), _ERROR_OR_CLOSE),))
    request = Ask(b"AT#SSENDEXT=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return Verdict.HELD if (yield from _is_open(socket)) else Verdict.CLOSED

    return (yield from counted_send(request, chunk, upto, result_timeout=RESULT_TIMEOUT, refused=refused, judge=_judge))


def _judge(reply: Reply, _size: int) -> Sent:
    if reply.last == b"NO CARRIER":
        return Sent(Verdict.CLOSED, line=reply.last)
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
    """`#SRECV: n,got`, `got` raw bytes, OK; an empty buffer is an error, so what is buffered is asked first."""
    waiting = (yield from _info(socket))[3]
    if not waiting:
        return Received(b"", 0)
    size = min(waiting, limit)
    header = DataHeader(re.compile(rb"#SRECV: ?%d,(?P<len>\d{1,6})[^\r\n]*\r?\n" % socket), size)
    reply = yield from must(Ask(b"AT#SRECV=%d,%d" % (socket, size), ok(data=header)))
    return Received(reply.data, max(waiting - len(reply.data), 0))


def close(socket: int) -> Script[None]:
    """#SH. An error means that it was closed already."""
    request = Ask(b"AT#SH=%d" % socket, timeout=15.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


def resolve(host: str) -> Script[Resolved]:
    """`#QDNS: "host","ip"`, OK; `NOT SOLVED` in place of the address."""
    reply = yield Ask(b"AT#QDNS=" + quoted_host(host), ok(rb"#QDNS: ?.*"), timeout=30.0)
    found = re.findall(rb'"([0-9A-Fa-f.:]+)"', (reply.line(b"#QDNS:") or b"").partition(b",")[2]) if reply.ok else []
    if not found:
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(reply.last) or 'no answer'})")
    return Resolved(tuple(address.decode("ascii") for address in found))


TELIT = Dialect(
    name="telit",
    models=re.compile(r"Telit|\b(HE910|LE910|LE866|LE922|LM940|LM960|ME910|ME310|UL865|UE910)", re.IGNORECASE),
    probe=b"AT#SD=?",
    urcs=(
        urc(rb"SRING: ?(?P<n>\d)(,.*)?", Urc.DATA_WAITING),
        urc(rb"NO CARRIER", Urc.PEER_CLOSED),
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
    resolve=resolve,
)

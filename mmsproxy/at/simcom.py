"""What SIMCom families share: pull-mode reading (CIPRXGET), the byte counters (CIPACK) and what sockets may say unasked of the two with
CIP commands, and asking for names (CDNSGIP) of all three.

Not a dialect: `sim800`, `sim7600` and `sim7080` are.
"""

from __future__ import annotations

import re

from mmsproxy.at.dialect import Ask, Counters, Received, Resolved, Script, failure, ints, must, patient, printable
from mmsproxy.at.rules import ERROR_LINE, DataHeader, Takes, Urc, ok, ok_and, urc
from mmsproxy.at.strings import quoted_host
from mmsproxy.errors import AtError, ConnectError

PIN_COUNTER = b"AT+SPIC"
RESOLVE_TIMEOUT = 10.0  # seconds

#: Push forms are recognised because a modem may fall back to them after a restart (modems.md 1.9).
SOCKET_URCS = (
    urc(rb"\+CIPRXGET: ?1,(?P<n>\d)(,.*)?", Urc.DATA_WAITING),
    urc(rb"\+RECEIVE,(?P<n>\d),(?P<len>\d{1,6}):\r?\n", Urc.PUSHED_DATA, Takes.DATA),
    urc(rb"\+IPD,?(?P<len>\d{1,6}):", Urc.PUSHED_DATA, Takes.DATA),
    urc(rb"\+IPD(?P<len>\d{1,6})\r?\n", Urc.PUSHED_DATA, Takes.DATA),
    urc(rb"RECV FROM:.*", Urc.NOISE),
)


def counters(socket: int) -> Script[Counters]:
    """`+CIPACK: tx,acked,unacked` of one socket."""
    reply = yield from must(Ask(b"AT+CIPACK=%d" % socket, ok(rb"\+CIPACK: ?\d.*")))
    numbers = ints(reply.line(b"+CIPACK:") or b"")
    if len(numbers) < 3:
        raise AtError("the modem did not tell its byte counters")
    return Counters(*numbers[:3])


def read(socket: int, limit: int) -> Script[Received]:
    """`+CIPRXGET: 2,n,got,left` and `got` raw bytes. The manual calls the two numbers "requested, confirmed"; they are got and left. A
    SIM7600 answers an error where there is nothing to read."""
    header = re.compile(rb"\+CIPRXGET: ?2,%d,(?P<len>\d{1,6}),(\d{1,6})\r?\n" % socket)
    request = Ask(b"AT+CIPRXGET=2,%d,%d" % (socket, limit), ok(rb"\+IP ERROR: .*", data=DataHeader(header, limit)))
    reply = yield from patient(request)
    if ERROR_LINE.fullmatch(reply.last) and (b"+IP ERROR: No data" in reply.lines or (yield from _waiting(socket)) == 0):
        return Received(b"", 0)
    if not reply.ok:
        raise failure(request, reply)
    numbers = ints(reply.header.partition(b":")[2])
    if len(numbers) < 4:
        raise AtError("the modem announced no data to a read")
    return Received(reply.data, numbers[3])


def _waiting(socket: int) -> Script[int | None]:
    """How many bytes wait to be read; None where the modem does not say."""
    reply = yield Ask(b"AT+CIPRXGET=4,%d" % socket, ok(rb"\+CIPRXGET: ?4,%d,\d+" % socket))
    numbers = ints(reply.line(b"+CIPRXGET:") or b"") if reply.ok else []
    return numbers[2] if len(numbers) > 2 else None


def resolve(host: str, options: bytes = b"", timeout: float = RESOLVE_TIMEOUT) -> Script[Resolved]:
    """`+CDNSGIP: 1,"host","ip"[,"ip2"]`, before OK on a SIM7600 and after it on the others; `+CDNSGIP: 0,err` when there is none.
    `options` follow the name in the command."""
    rule = ok_and(rb"\+CDNSGIP: ?1,.*", rb"\+CDNSGIP: ?0,.*")
    request = Ask(b"AT+CDNSGIP=" + quoted_host(host) + options, rule, timeout=timeout)
    reply = yield request
    line = reply.line(b"+CDNSGIP:") or b""
    if line.startswith(b"0"):
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(line)})")
    if not reply.ok:
        raise failure(request, reply)
    return Resolved(tuple(printable(name) for name in re.findall(rb'"([^"]*)"', line)[1:]))

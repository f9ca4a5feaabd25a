"""What both SIMCom families share: pull-mode reading (CIPRXGET), the byte counters (CIPACK), and what their sockets may say unasked.

Not a dialect: `sim800` and `sim7600` are.
"""

from __future__ import annotations

import re

from mmsproxy.at.dialect import Ask, Counters, Received, Resolved, Script, failure, ints, must, printable
from mmsproxy.at.rules import DataHeader, Takes, Urc, ok, ok_and, urc
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
    """`+CIPRXGET: 2,n,got,left` and `got` raw bytes. The manual calls the two numbers "requested, confirmed"; they are got and left."""
    header = re.compile(rb"\+CIPRXGET: ?2,%d,(?P<len>\d{1,6}),(\d{1,6})\r?\n" % socket)
    reply = yield from must(Ask(b"AT+CIPRXGET=2,%d,%d" % (socket, limit), ok(data=DataHeader(header, limit))))
    numbers = ints(reply.header.partition(b":")[2])
    if len(numbers) < 4:
        raise AtError("the modem announced no data to a read")
    return Received(reply.data, numbers[3])


def resolve(host: str) -> Script[Resolved]:
    """`+CDNSGIP: 1,"host","ip"[,"ip2"]`, after OK on a SIM800 and before it on a SIM7600; `+CDNSGIP: 0,err` when there is none."""
    rule = ok_and(rb"\+CDNSGIP: ?1,.*", rb"\+CDNSGIP: ?0,.*")
    request = Ask(b"AT+CDNSGIP=" + quoted_host(host), rule, timeout=RESOLVE_TIMEOUT)
    reply = yield request
    line = reply.line(b"+CDNSGIP:") or b""
    if line.startswith(b"0"):
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(line)})")
    if not reply.ok:
        raise failure(request, reply)
    return Resolved(tuple(printable(name) for name in re.findall(rb'"([^"]*)"', line)[1:]))

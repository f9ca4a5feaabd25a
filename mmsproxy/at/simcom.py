"""What both SIMCom families share: pull-mode reading (CIPRXGET), the byte counters (CIPACK), and what their sockets may say unasked.

Not a dialect: `sim800` and `sim7600` are.
"""

from __future__ import annotations

import re

from mmsproxy.at.dialect import Ask, Counters, Received, Script, ints, must
from mmsproxy.at.rules import DataHeader, Takes, Urc, ok, urc
from mmsproxy.errors import AtError

PIN_COUNTER = b"AT+SPIC"

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

"""The USO* family: u-blox SARA-G/U/R4/R5, LISA, TOBY, LARA (modems.md 1.7).

The modem picks the socket's number; data sent within 50 ms after the prompt are lost; what is read stands in quotes and may hold quotes,
so it is counted. SARA-R4 and R5 activate the context by CGACT, the others by UPSDA.
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
from mmsproxy.at.rules import COMMON_URCS, DataHeader, Rule, Slot, Urc, ok, ok_and, urc
from mmsproxy.at.startup import define_context
from mmsproxy.at.strings import number, quoted_apn, quoted_host, quoted_secret
from mmsproxy.errors import AtError, AtTimeout, BearerError, CarrierError, ConnectError, LinkError

CHUNK = 1024  # bytes
GUARD = 0.050  # seconds after the prompt (manual 18.10.4 / 25.10.4): bytes that come earlier are lost
OPEN_TIMEOUT = 30.0  # seconds; the manual allows 120
ACTIVATE_TIMEOUT = 150.0
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
RESOLVE_TIMEOUT = 70.0
TCP = 6
PAP = 1
_ESTABLISHED, _CLOSE_WAIT = 4, 7  # USOCTL=n,10
_LOCAL_PROFILE = 0  # UPSD's profile on SARA-G/U, LISA


def prepare(profile: Profile, identity: Identity) -> Script[None]:
    """A clean state, the context, and binary socket data."""
    yield from bearer_down()
    yield from define_context(profile)
    yield Ask(b"AT+UDCONF=1,0")  # binary data; the default
    if profile.user or profile.password:
        login = quoted_secret(profile.user) + b"," + quoted_secret(profile.password)
        yield Ask(b"AT+CGAUTH=1,%d," % PAP + login)


def _uses_profile() -> Script[bool]:
    """Whether the family activates by UPSDA (SARA-G/U, LISA): SARA-R4 and R5 refuse UPSND."""
    reply = yield Ask(b"AT+UPSND=%d,8" % _LOCAL_PROFILE, ok(rb"\+UPSND: ?.*"))
    return reply.ok


def bearer_check() -> Script[bool]:
    reply = yield Ask(b"AT+UPSND=%d,8" % _LOCAL_PROFILE, ok(rb"\+UPSND: ?.*"))
    if reply.ok:
        return ints(reply.line(b"+UPSND:") or b"")[-1:] == [1]
    reply = yield from must(Ask(b"AT+CGACT?", ok(rb"\+CGACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [1, 1] for line in reply.lines)


def bearer_up(profile: Profile) -> Script[None]:
    if (yield from _uses_profile()):
        yield from _activate_profile(profile)
        return
    request = Ask(b"AT+CGACT=1,1", timeout=ACTIVATE_TIMEOUT)
    reply = yield request
    if not reply.ok and not (not reply.timed_out and (yield from bearer_check())):
        raise BearerError(str(failure(request, reply)), cure="check the APN, the user and the signal")


def _activate_profile(profile: Profile) -> Script[None]:
    """UPSD sets the profile; UPSDA=n,3 answers OK, and +UUPSDA follows where it was not active at once."""
    settings = ((1, quoted_apn(profile.apn)), (2, quoted_secret(profile.user)), (3, quoted_secret(profile.password)), (7, b'"0.0.0.0"'))
    for key, value in settings:
        yield from must(Ask(b"AT+UPSD=%d,%d," % (_LOCAL_PROFILE, key) + value))
    request = Ask(b"AT+UPSDA=%d,3" % _LOCAL_PROFILE, timeout=ACTIVATE_TIMEOUT)
    reply = yield request
    if not reply.ok and not (not reply.timed_out and (yield from bearer_check())):
        raise BearerError(str(failure(request, reply)), cure="check the APN, the user and the signal")


def bearer_down() -> Script[None]:
    """UPSDA=n,4 or CGACT=0,1 where it is up; an LTE module may refuse to give up its only context, which is no harm."""
    if not (yield from bearer_check()):
        return
    if (yield from _uses_profile()):
        yield Ask(b"AT+UPSDA=%d,4" % _LOCAL_PROFILE, timeout=40.0)
    else:
        yield Ask(b"AT+CGACT=0,1", timeout=40.0)


def open_(_socket: int, host: str, port: int) -> Script[int]:
    """USOCR, then USOCO: asynchronously, for a blocking one locks a SARA-R410M before 05.08 up (TinyGSM SaraR4:707-716); blocking where
    the firmware knows no other. Raises ConnectError, BearerError or AtTimeout."""
    target = f"{host}:{port}"
    created = yield from must(Ask(b"AT+USOCR=%d" % TCP, ok(rb"\+USOCR: ?\d")))
    socket = ints(created.line(b"+USOCR:") or b"")
    if not socket:
        raise AtError("the modem did not name its new socket")
    command = b"AT+USOCO=%d," % socket[0] + quoted_host(host) + b"," + number(port, low=1)
    deciding = ok_and(rb"\+UUSOCO: ?%d,0" % socket[0], rb"\+UUSOCO: ?%d,[1-9]\d*" % socket[0])
    reply = yield Ask(command + b",1", deciding, timeout=OPEN_TIMEOUT)
    if not reply.ok and not reply.timed_out and not any(b"UUSOCO" in line for line in reply.lines):
        reply = yield Ask(command, timeout=OPEN_TIMEOUT)
    if not reply.ok:
        yield Ask(b"AT+USOCL=%d" % socket[0], timeout=15.0)
        raise (yield from _open_error(reply, target))
    return socket[0]


def _open_error(reply: Reply, target: str) -> Script[LinkError | CarrierError]:
    if reply.timed_out:
        return ConnectError(f"{target} did not answer within {OPEN_TIMEOUT:g} s")
    if not (yield from bearer_check()):
        return BearerError(f"the modem refused to connect: {printable(reply.last)}")
    return ConnectError(f"no connection to {target}: the modem says {printable(reply.last)}")


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """USOWR=n,len, the prompt @, 50 ms, the bytes, +USOWR: n,len, OK."""
    result = Slot(re.compile(rb"\+USOWR: ?%d,\d+" % socket))
    rule = Rule((result, Slot(re.compile(rb"OK"))), broken=re.compile(rb"\+UUSOCL: ?%d" % socket))
    request = Ask(b"AT+USOWR=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return (yield from _is_held(socket))

    timeout = RESULT_TIMEOUT
    return (yield from counted_send(request, chunk, upto, result_timeout=timeout, refused=refused, judge=_judge, guard=GUARD))


def _judge(reply: Reply, size: int) -> Sent:
    if reply.last.startswith(b"+UUSOCL"):
        return Sent(Verdict.CLOSED, line=reply.last)
    numbers = ints(reply.line(b"+USOWR:") or b"")
    if not reply.ok or len(numbers) < 2:
        return Sent(Verdict.DOUBTFUL, line=reply.last)
    return Sent(Verdict.TAKEN if numbers[1] == size else Verdict.DOUBTFUL, numbers[1], reply.last)


def _is_held(socket: int) -> Script[Verdict]:
    """Nothing of the chunk was taken. A closed socket answers the query with an error, not with a state."""
    reply = yield Ask(b"AT+USOCTL=%d,10" % socket, ok(rb"\+USOCTL: ?\d.*"))
    return Verdict.HELD if reply.ok and ints(reply.line(b"+USOCTL:") or b"")[-1:] == [_ESTABLISHED] else Verdict.CLOSED


def counters(socket: int) -> Script[Counters]:
    """`+USOCTL: n,2,total` (acknowledged and not) and `+USOCTL: n,11,unacked`."""
    values = []
    for what in (2, 11):
        reply = yield from must(Ask(b"AT+USOCTL=%d,%d" % (socket, what), ok(rb"\+USOCTL: ?\d.*")))
        numbers = ints(reply.line(b"+USOCTL:") or b"")
        if len(numbers) < 3:
            raise AtError("the modem did not tell its byte counters")
        values.append(numbers[2])
    total, unacked = values
    return Counters(total, total - unacked, unacked)


def read(socket: int, limit: int) -> Script[Received]:
    """`+USORD: n,got,"<data>"`, OK. What is left comes as a new +UUSORD; until then it is not known."""
    header = DataHeader(re.compile(rb'\+USORD: ?%d,(?P<len>\d{1,6}),"' % socket), limit, b'"')
    reply = yield from must(Ask(b"AT+USORD=%d,%d" % (socket, limit), ok(rb'\+USORD: ?\d+,(0,)?""', data=header)))
    return Received(reply.data, None if reply.data else 0)


def close(socket: int) -> Script[None]:
    """USOCL. An error means that it was closed already."""
    request = Ask(b"AT+USOCL=%d" % socket, timeout=40.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


def resolve(host: str) -> Script[Resolved]:
    """UDNSRN=0: `+UDNSRN: "ip"`, OK."""
    reply = yield Ask(b"AT+UDNSRN=0," + quoted_host(host), ok(rb"\+UDNSRN: ?.*"), timeout=RESOLVE_TIMEOUT)
    found = re.findall(rb'"([0-9A-Fa-f.:]+)"', reply.line(b"+UDNSRN:") or b"") if reply.ok else []
    if not found:
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(reply.last) or 'no answer'})")
    return Resolved(tuple(address.decode("ascii") for address in found))


UBLOX = Dialect(
    name="ublox",
    models=re.compile(r"u-?blox|\b(SARA|LISA|TOBY|LARA)-", re.IGNORECASE),
    probe=b"AT+USOCR=?",
    urcs=(
        urc(rb"\+UUSORD: ?(?P<n>\d),\d+", Urc.DATA_WAITING),
        urc(rb"\+UUSOCL: ?(?P<n>\d)", Urc.PEER_CLOSED),
        urc(rb"\+UUPSDD: ?\d", Urc.BEARER_LOST),
        urc(rb"\+SYSSTART|\+READY", Urc.RESTARTED),
        urc(rb"\+UU(SOCO|PSDA|SOLI|DPDR?|HTTPCR).*|\+UMWI: .*|\+UFOTASTAT: .*", Urc.NOISE),
        *COMMON_URCS,
    ),
    max_send=CHUNK,
    max_read=1024,
    window=4096,
    restart=b"AT+CFUN=15",
    pin_counter=b"AT+UPINCNT",
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

"""The USO* family: u-blox SARA-G/U/R4/R5, LISA, TOBY, LARA (modems.md 1.7).

The modem picks the socket's number; data sent within 50 ms after the prompt are lost; what is read stands in quotes and may hold quotes,
so it is counted. Models differ in how the context is activated and how a socket is connected and closed: variants of one dialect. Their
bearers are `ublox_bearer`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from mmsproxy.at import ublox_bearer as bearer
from mmsproxy.at.counted import counted_send
from mmsproxy.at.dialect import (
    Ask,
    Counters,
    Dialect,
    Pause,
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
from mmsproxy.at.rules import COMMON_URCS, ERROR_LINE, OK_LINE, DataHeader, Rule, Slot, Urc, ok, ok_and, urc
from mmsproxy.at.strings import number, quoted_host
from mmsproxy.errors import AtError, AtTimeout, BearerError, CarrierError, ConnectError, LinkError

CHUNK = 1024  # bytes
READ = 1024
GUARD = 0.050  # seconds after the prompt (manual 18.10.4 / 25.10.4): bytes that come earlier are lost
OPEN_TIMEOUT = 30.0  # seconds; an attempt's own bound (modems.md 5.3)
BLOCKING_TIMEOUT = 120.0  # seconds; the modem hears nothing else meanwhile, not even AT
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
RESOLVE_TIMEOUT = 70.0
CLOSE_TIMEOUT = 15.0
CLOSE_POLL = 0.1
TCP = 6
TOTAL, STATE, UNACKED = 2, 10, 11  # what USOCTL tells
_INACTIVE, _ESTABLISHED, _TIME_WAIT = 0, 4, 10  # its TCP states

#: Errors of +UUSOCO and +USOER (AT manual, appendix "Internal TCP/UDP/IP class error codes"): those that a connect may have.
ERRORS = {
    11: "busy",
    12: "not enough memory",
    22: "invalid argument",
    100: "the network is down",
    101: "the network is unreachable",
    103: "the connection was aborted",
    104: "reset by the peer",
    105: "no buffer to be had",
    107: "not connected",
    110: "time-out",
    111: "refused",
    112: "the host is down",
    113: "no route to the host",
}
_NO_NETWORK = (100, 101)


# -- opening and closing --------------------------------------------------------------------------------------------------------


def _opener(connect: Callable[[int, bytes], Ask], bearer_check: Callable[[], Script[bool]]) -> Callable[[int, str, int], Script[int]]:
    """USOCR, then USOCO by `connect`."""

    def open_(_socket: int, host: str, port: int) -> Script[int]:
        """Raises ConnectError, BearerError or AtTimeout; the modem's socket is closed then."""
        target = quoted_host(host) + b"," + number(port, low=1)
        socket = yield from _create()
        request = connect(socket, target)
        reply = yield request
        if reply.ok:
            return socket
        code = yield from _reason(reply)
        yield Ask(b"AT+USOCL=%d" % socket, timeout=CLOSE_TIMEOUT)
        if reply.timed_out:
            raise ConnectError(f"{host}:{port} did not answer within {request.timeout:g} s")
        down = code in _NO_NETWORK or not (yield from bearer_check())
        raise _open_error(f"{host}:{port}", reply, code, down=down)

    return open_


def _create() -> Script[int]:
    """The number of a new socket. All taken: whoever had them is gone, for a link has one at a time."""
    request = Ask(b"AT+USOCR=%d" % TCP, ok(rb"\+USOCR: ?\d"))
    reply = yield request
    if not reply.ok and not reply.timed_out:
        yield from bearer.close_sockets()
        reply = yield request
    if not reply.ok:
        raise BearerError(f"the modem gives no socket: {failure(request, reply).detail}")
    numbers = ints(reply.line(b"+USOCR:") or b"")
    if not numbers:
        raise AtError("the modem did not name its new socket")
    return numbers[0]


def _blocking(socket: int, target: bytes) -> Ask:
    return Ask(b"AT+USOCO=%d," % socket + target, timeout=BLOCKING_TIMEOUT)


def _asynchronous(socket: int, target: bytes) -> Ask:
    rule = ok_and(rb"\+UUSOCO: ?%d,0" % socket, rb"\+UUSOCO: ?%d,-?[1-9]\d*" % socket)
    return Ask(b"AT+USOCO=%d," % socket + target + b",1", rule, timeout=OPEN_TIMEOUT)


def _reason(reply: Reply) -> Script[int | None]:
    """Why a connect failed: by +UUSOCO, or after a mere error by asking for it."""
    if reply.timed_out:
        return None
    numbers = ints(reply.line(b"+UUSOCO:") or b"")
    if numbers:
        return numbers[-1]
    asked = yield Ask(b"AT+USOER", ok(rb"\+USOER: ?\d+"))
    return next((code for code in ints(asked.line(b"+USOER:") or b"") if code), None)


def _open_error(target: str, reply: Reply, code: int | None, *, down: bool) -> LinkError | CarrierError:
    text = printable(reply.last) if code is None else f"{ERRORS.get(code, f'error {code}')} ({printable(reply.last)})"
    return BearerError(f"the modem refused to connect: {text}") if down else ConnectError(f"no connection to {target}: {text}")


def close(socket: int) -> Script[None]:
    """USOCL. An error means that it was closed already."""
    request = Ask(b"AT+USOCL=%d" % socket, timeout=CLOSE_TIMEOUT)
    reply = yield request
    if reply.timed_out:
        raise failure(request, reply)


def close_asynchronously(socket: int) -> Script[None]:
    """USOCL=n,1, and the socket is asked for until it is gone: a SARA-R4 that closes towards a dead peer hears nothing else for long. Its
    +UUSOCL is no proof: it may be lost, or be the peer's."""
    request = Ask(b"AT+USOCL=%d,1" % socket, timeout=CLOSE_TIMEOUT)
    reply = yield request
    if reply.timed_out:
        raise failure(request, reply)
    if not reply.ok:  # closed already, or a firmware without this form
        yield from close(socket)
        return
    for _ in range(int(CLOSE_TIMEOUT / CLOSE_POLL)):
        if (yield from _state(socket)) in (None, _INACTIVE, _TIME_WAIT):
            return
        yield Pause(CLOSE_POLL)
    raise AtTimeout(f"socket {socket} does not close within {CLOSE_TIMEOUT:g} s")


def _state(socket: int) -> Script[int | None]:
    """The TCP state. A closed socket answers with an error, not with a state: None."""
    reply = yield Ask(b"AT+USOCTL=%d,%d" % (socket, STATE), ok(rb"\+USOCTL: ?\d.*"))
    return next(iter(ints(reply.line(b"+USOCTL:") or b"")[2:]), None) if reply.ok else None


# -- sending and receiving ------------------------------------------------------------------------------------------------------


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """USOWR=n,len, the prompt @, 50 ms, the bytes, +USOWR: n,len, OK."""
    result = Slot(re.compile(rb"\+USOWR: ?%d,\d+" % socket))
    rule = Rule((result, Slot(OK_LINE)), broken=re.compile(rb"\+UUSOCL: ?%d" % socket))
    request = Ask(b"AT+USOWR=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return (yield from _is_held(socket))

    timeout = RESULT_TIMEOUT
    sent = yield from counted_send(request, chunk, upto, result_timeout=timeout, refused=refused, judge=_judge, guard=GUARD)
    if sent.verdict is Verdict.DOUBTFUL and ERROR_LINE.fullmatch(sent.line) and (yield from _is_held(socket)) is Verdict.CLOSED:
        return replace(sent, verdict=Verdict.CLOSED)
    return sent


def _judge(reply: Reply, size: int) -> Sent:
    if reply.last.startswith(b"+UUSOCL"):
        return Sent(Verdict.CLOSED, line=reply.last)
    numbers = ints(reply.line(b"+USOWR:") or b"")
    if not reply.ok or len(numbers) < 2:
        return Sent(Verdict.DOUBTFUL, line=reply.last)
    return Sent(Verdict.TAKEN if numbers[1] == size else Verdict.DOUBTFUL, numbers[1], reply.last)


def _is_held(socket: int) -> Script[Verdict]:
    """Nothing of the chunk was taken: is the socket gone, or only the buffer full?"""
    return Verdict.HELD if (yield from _state(socket)) == _ESTABLISHED else Verdict.CLOSED


def counters(socket: int) -> Script[Counters]:
    """`+USOCTL: n,2,total` (acknowledged and not) and `+USOCTL: n,11,unacked`."""
    total = yield from _counter(socket, TOTAL)
    unacked = yield from _counter(socket, UNACKED)
    return Counters(total, total - unacked, unacked)


def _counter(socket: int, what: int) -> Script[int]:
    reply = yield from must(Ask(b"AT+USOCTL=%d,%d" % (socket, what), ok(rb"\+USOCTL: ?%d,%d,\d+" % (socket, what))))
    numbers = ints(reply.line(b"+USOCTL:") or b"")
    if len(numbers) < 3:
        raise AtError("the modem did not tell its byte counters")
    return numbers[2]


def read(socket: int, limit: int) -> Script[Received]:
    """`+USORD: n,got,"<data>"`, OK. How much is left it does not say: read until nothing comes, which some firmware says by an error."""
    header = DataHeader(re.compile(rb'\+USORD: ?%d,(?P<len>\d{1,6}),"' % socket), limit, b'"')
    request = Ask(b"AT+USORD=%d,%d" % (socket, limit), ok(rb'\+USORD: ?\d(,0)?(,"")?', data=header))
    reply = yield request
    refused = not reply.header and ERROR_LINE.fullmatch(reply.last)
    if not reply.ok and not (refused and (yield from _has_nothing(socket))):
        raise failure(request, reply)
    return Received(reply.data, None if reply.data else 0)


def _has_nothing(socket: int) -> Script[bool]:
    reply = yield Ask(b"AT+USORD=%d,0" % socket, ok(rb"\+USORD: ?\d,\d+"))
    return reply.ok and ints(reply.line(b"+USORD:") or b"")[1:] == [0]


def resolve(host: str) -> Script[Resolved]:
    """UDNSRN=0: `+UDNSRN: "ip"`, OK. An error is all that is said of a name that does not exist."""
    request = Ask(b"AT+UDNSRN=0," + quoted_host(host), ok(rb"\+UDNSRN: ?.*"), timeout=RESOLVE_TIMEOUT)
    reply = yield request
    if reply.timed_out:
        raise failure(request, reply)
    found = re.findall(rb'"([^"]+)"', reply.line(b"+UDNSRN:") or b"") if reply.ok else []
    if not found:
        raise ConnectError(f"the carrier's DNS does not know {host} ({printable(reply.last)})")
    return Resolved(tuple(printable(name) for name in found))


# -- the dialect and its variants -----------------------------------------------------------------------------------------------

UBLOX = Dialect(
    name="ublox",
    models=re.compile(r"u-?blox|\b(SARA|LISA|TOBY|LARA|LENA)-", re.IGNORECASE),
    probe=b"AT+USOCR=?",
    urcs=(
        urc(rb"\+UUSORD: ?(?P<n>\d),\d+", Urc.DATA_WAITING),
        urc(rb"\+UUSOCL: ?(?P<n>\d)", Urc.PEER_CLOSED),
        urc(rb"\+UUPSDD: ?0", Urc.BEARER_LOST),
        urc(rb"\+CGEV: NW (PDN DEACT 1(,.*)?|DETACH)", Urc.BEARER_LOST),
        urc(rb"\+SYSSTART|\+READY", Urc.RESTARTED),
        urc(rb"\+UU[A-Z]+:.*|\+UMWI: .*|\+UFOTASTAT: .*", Urc.NOISE),
        *COMMON_URCS,
    ),
    max_send=CHUNK,
    max_read=READ,
    window=4096,
    restart=b"AT+CFUN=15",
    pin_counter=b"AT+UPINCNT",
    prepare=bearer.prepare_context,
    bearer_check=bearer.context_check,
    bearer_up=bearer.context_up,
    bearer_down=bearer.context_down,
    open=_opener(_asynchronous, bearer.context_check),
    send=send,
    counters=counters,
    read=read,
    close=close_asynchronously,
    resolve=resolve,
)

#: Blocking forms only (TinyGSM SaraR4:707-716). All other SARA-R4 connect asynchronously: a SARA-R410M before 05.08 locks up on the
#: blocking form, and later ones know both.
R404M = replace(
    UBLOX, models=re.compile(r"SARA-R404M|SARA-R410M-01B", re.IGNORECASE), open=_opener(_blocking, bearer.context_check), close=close
)

#: Their sockets use an internal profile that has to be mapped to the context (TinyGSM SaraR5, field code).
R5 = replace(
    UBLOX,
    models=re.compile(r"SARA-R5|LARA-R6|LENA-R8", re.IGNORECASE),
    bearer_check=bearer.mapped_check,
    bearer_up=bearer.mapped_up,
    bearer_down=bearer.mapped_down,
    open=_opener(_asynchronous, bearer.mapped_check),
)

#: The internal profile alone, set by UPSD and activated by UPSDA; blocking forms only.
WITH_PROFILE = replace(
    UBLOX,
    models=re.compile(r"SARA-[GU]|LISA-|TOBY-|LARA-R[23]", re.IGNORECASE),
    restart=b"AT+CFUN=1,1",
    prepare=bearer.prepare_profile,
    bearer_check=bearer.profile_check,
    bearer_up=bearer.profile_up,
    bearer_down=bearer.profile_down,
    open=_opener(_blocking, bearer.profile_check),
    close=close,
)
UBLOX = replace(UBLOX, variants=(R404M, R5, WITH_PROFILE))

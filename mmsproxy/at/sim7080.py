"""The CNACT / CAOPEN family: SIM7070, SIM7080, SIM7090 (modems.md 1.5).

CASEND says nothing of how much it took: the free window is asked before each chunk, and a partly emptied buffer is never refilled (it
brings the modem near a crash; EnviroDIY). How large the window is differs by module (1318 on some, 1360, 1460): what it is before a
socket's first byte counts. AT+CGACT is never used here: it breaks the socket stack (TinyGSM SIM7080:280).
"""

from __future__ import annotations

import re

from mmsproxy.at import simcom
from mmsproxy.at.counted import counted_send
from mmsproxy.at.dialect import (
    Ask,
    Await,
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
    failure,
    ints,
    must,
    printable,
)
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import COMMON_URCS, OK_LINE, DataHeader, Rule, Slot, Takes, Urc, ok, ok_and, urc
from mmsproxy.at.startup import context_is, define_context
from mmsproxy.at.strings import number, quoted_apn, quoted_host, quoted_secret
from mmsproxy.errors import AtError, AtTimeout, BearerError, CarrierError, ConnectError, LinkError, PeerReset

CHUNK = 1460  # bytes that the command takes at most; the window is mostly smaller
READ = 1460
SOCKET = 0
OPEN_TIMEOUT = 80.0  # seconds; CAOPEN blocks the modem until it is done, 75 at most by the manual: giving up earlier finds it deaf
PROMPT_TIMEOUT = 5.0
RESULT_TIMEOUT = 15.0
ACTIVATE_TIMEOUT = 30.0  # seconds of one try; the manual allows 60
ACTIVATE_TRIES = 5
ACTIVATE_PAUSE = 1.0  # seconds between two tries
DEACTIVATE_TIMEOUT = 60.0
SETTLE = 1.0  # seconds in which +APP PDP: 0,DEACTIVE follows the OK of CNACT=0,0: it must not be taken for the next try's result
RESOLVE_OPTIONS = b",2,2000"  # tries, and milliseconds for each
RESOLVE_TIMEOUT = 10.0
TYPES = {"IP": 1, "IPV6": 2, "IPV4V6": 0}  # CNCFG
NO_LOGIN, PAP_OR_CHAP = 0, 3

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
    24: "certificate error",
    25: "certificate error",
    26: "certificate error",
    27: "connect failed",
}
_NOT_ACTIVE = 21
_CONNECTED = 1  # +CASTATE


_ACTIVATE = Ask(b"AT+CNACT=0,1", ok_and(rb"\+APP PDP: ?0, ?ACTIVE", rb"\+APP PDP: ?0, ?DEACTIVE"), timeout=ACTIVATE_TIMEOUT)
_DEACTIVATE = Ask(b"AT+CNACT=0,0", ok(rb"\+APP PDP: ?0, ?DEACTIVE"), timeout=DEACTIVATE_TIMEOUT)


def prepare(profile: Profile, _identity: Identity) -> Script[None]:
    """The context under CNACT's index 0, in a clean state. A bearer that is ours stays up."""
    if (yield from bearer_check()):
        if (yield from _is_ours(profile)):
            return
        yield from _deactivate()
    yield from define_context(profile)
    yield from must(Ask(b"AT+CNCFG=0," + _context(profile)))


def _context(profile: Profile) -> bytes:
    """CNCFG's `type,"apn"[,"user","pwd",authentication]`."""
    command = b"%d," % TYPES[profile.pdp_type] + quoted_apn(profile.apn)
    if profile.user or profile.password:
        command += b"," + quoted_secret(profile.user) + b"," + quoted_secret(profile.password) + b",%d" % PAP_OR_CHAP
    return command


def _is_ours(profile: Profile) -> Script[bool]:
    """Whether the context is up by the profile's own APN, user and password; a socket of ours from before is closed."""
    reply = yield Ask(b"AT+CNCFG?", ok(rb"\+CNCFG: ?\d.*"))
    wanted = b"0," + _context(profile) + (b"" if profile.user or profile.password else b',"","",%d' % NO_LOGIN)
    told = [line.removeprefix(b"+CNCFG:").strip() for line in reply.lines]
    if not (reply.ok and wanted in told and (yield from context_is(profile))):
        return False
    yield from close(SOCKET)
    return True


def bearer_check() -> Script[bool]:
    """CNACT? is the truth here, not CGATT or CGPADDR."""
    reply = yield from must(Ask(b"AT+CNACT?", ok(rb"\+CNACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [0, 1] for line in reply.lines)


def bearer_up(_profile: Profile) -> Script[None]:
    """CNACT=0,1: OK and +APP PDP: 0,ACTIVE, in either order; DEACTIVE means that this try failed, ERROR perhaps that it is up already."""
    for attempt in range(ACTIVATE_TRIES):
        if attempt:
            yield Pause(ACTIVATE_PAUSE)
        reply = yield _ACTIVATE
        if reply.ok or (yield from bearer_check()):
            return
        if reply.timed_out:
            break
    raise BearerError(
        f"the network did not activate the context ({printable(reply.last) or 'no answer'})", cure="check the APN, the user and the signal"
    )


def bearer_down() -> Script[None]:
    """CNACT=0,0 where it is up; it closes all sockets too."""
    if (yield from bearer_check()):
        yield from _deactivate()


def _deactivate() -> Script[None]:
    reply = yield _DEACTIVATE
    if reply.ok and len(reply.lines) == 1:
        yield Await(Urc.BEARER_LOST, SETTLE)


def open_(socket: int, host: str, port: int) -> Script[int]:
    """CAOPEN, without the receive-mode argument (it makes it fail). Raises ConnectError, BearerError or AtTimeout."""
    command = b"AT+CAOPEN=%d,0," % socket + b'"TCP",' + quoted_host(host) + b"," + number(port, low=1)
    request = Ask(command, ok_and(rb"\+CAOPEN: ?%d,0" % socket, rb"\+CAOPEN: ?%d,[1-9]\d*" % socket), timeout=OPEN_TIMEOUT)
    yield Ask(b"AT+CACID=%d" % socket)
    reply = yield request
    if not reply.ok and not reply.timed_out and _code(reply) is None:  # a bare ERROR: still open from before
        yield from close(socket)
        reply = yield request
    if reply.timed_out:  # only the bearer's end ends it
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


def room(socket: int) -> Script[int]:
    """`+CASEND: free`, the free window in bytes; 0 too where the modem refuses to tell of a socket that is open. Raises PeerReset."""
    request = Ask(b"AT+CASEND=%d" % socket, ok(rb"\+CASEND: ?\d+"), timeout=3.0)
    reply = yield request
    if reply.timed_out:
        raise failure(request, reply)
    if not reply.ok and (yield from _state(socket)) is Verdict.CLOSED:
        raise PeerReset(f"the connection closed while sending ({printable(reply.last)})")
    return next(iter(ints(reply.line(b"+CASEND:") or b"")), 0)


def send(socket: int, chunk: bytes | memoryview, upto: int) -> Script[Sent]:
    """CASEND=n,len, the prompt, the bytes, OK. ERROR means that the window is full."""
    rule = Rule((Slot(OK_LINE),), broken=re.compile(rb"\+CASTATE: ?%d,0" % socket))
    request = Ask(b"AT+CASEND=%d,%d" % (socket, len(chunk)), rule, timeout=PROMPT_TIMEOUT, prompt=True)

    def refused(_reply: Reply) -> Script[Verdict]:
        return (yield from _state(socket))

    return (yield from counted_send(request, chunk, upto, result_timeout=RESULT_TIMEOUT, refused=refused, judge=_judge))


def _judge(reply: Reply, _size: int) -> Sent:
    if reply.last.startswith(b"+CASTATE"):
        return Sent(Verdict.CLOSED, line=reply.last)
    return Sent(Verdict.TAKEN if reply.ok else Verdict.DOUBTFUL, line=reply.last)


def _state(socket: int) -> Script[Verdict]:
    """Of a chunk of which nothing was taken: is the socket gone, or only its window full?"""
    reply = yield Ask(b"AT+CASTATE?", ok(rb"\+CASTATE: ?\d.*"), timeout=3.0)
    states = [ints(line.partition(b":")[2])[:2] for line in reply.lines]
    return Verdict.HELD if [socket, _CONNECTED] in states else Verdict.CLOSED


def counters(socket: int) -> Script[Counters]:
    """`+CAACK: total,unacked`."""
    reply = yield from must(Ask(b"AT+CAACK=%d" % socket, ok(rb"\+CAACK: ?\d.*")))
    numbers = ints(reply.line(b"+CAACK:") or b"")
    if len(numbers) < 2:
        raise AtError("the modem did not tell its byte counters")
    return Counters(numbers[0], numbers[0] - numbers[1], numbers[1])


def read(socket: int, limit: int) -> Script[Received]:
    """`+CARECV: got,<data>`, OK: no socket number (whatever the manual says), data after a comma; `+CARECV: 0` when there is none. How
    much is left it does not say: read until 0."""
    header = DataHeader(re.compile(rb"\+CARECV: ?(?P<len>[1-9]\d{0,5}),"), limit)
    reply = yield from must(Ask(b"AT+CARECV=%d,%d" % (socket, limit), ok(rb"\+CARECV: ?0,?", data=header)))
    return Received(reply.data, None if reply.data else 0)


def close(socket: int) -> Script[None]:
    """CACLOSE. An error means that it was closed already."""
    request = Ask(b"AT+CACLOSE=%d" % socket, timeout=10.0)
    reply = yield request
    if reply.timed_out:
        raise AtTimeout(f"no answer to {printable(request.text)} within {request.timeout:g} s")


def resolve(host: str) -> Script[Resolved]:
    """CDNSGIP with tries and their time; OK comes first."""
    return (yield from simcom.resolve(host, RESOLVE_OPTIONS, RESOLVE_TIMEOUT))


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
    window=CHUNK,  # not used: each send waits for an empty buffer
    restart=b"AT+CREBOOT",
    pin_counter=simcom.PIN_COUNTER,
    prepare=prepare,
    bearer_check=bearer_check,
    bearer_up=bearer_up,
    bearer_down=bearer_down,
    open=open_,
    send=send,
    counters=counters,
    read=read,
    close=close,
    first_socket=SOCKET,
    room=room,
    must_drain=True,
    resolve=resolve,
)

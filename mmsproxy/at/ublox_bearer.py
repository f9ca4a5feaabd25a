"""How u-blox modems bring their bearer up: the context of 3GPP TS 27.007 (SARA-R4), the internal profile 0 of their TCP stack
(SARA-G/U, LISA, TOBY, LARA-R2), or that profile mapped to context 1 (SARA-R5, LARA-R6) (modems.md 1.7).

Scripts only, in threes: check, up, down; which model uses which is `ublox`'s table.
"""

from __future__ import annotations

from mmsproxy.at.dialect import Ask, Identity, Pause, Profile, Script, failure, ints, must
from mmsproxy.at.heard import Reply
from mmsproxy.at.rules import ok
from mmsproxy.at.startup import context_is, define_context
from mmsproxy.at.strings import quoted_apn, quoted_secret
from mmsproxy.errors import BearerError

SOCKETS = 7
CONTEXT_TIMEOUT = 150.0
PROFILE_TIMEOUT = 180.0
DOWN_TIMEOUT = 40.0
CLOSE_TIMEOUT = 15.0
ACTIVE_POLLS, ACTIVE_POLL = 60, 0.5  # looks, and seconds between two, after an UPSDA that said OK before the network did
NO_LOGIN, PAP = 0, 1
TYPES = {"IP": 0, "IPV6": 1, "IPV4V6": 2}  # UPSD's protocol types; 2 prefers IPv4
_PROTOCOL, _APN, _USER, _PASSWORD, _AUTHENTICATION, _ADDRESS, _CONTEXT = 0, 1, 2, 3, 6, 7, 100  # UPSD's parameters
_CURE = "check the APN, the user and the signal"


def close_sockets() -> Script[None]:
    """Whatever an earlier owner left open: nobody tells which, so each is closed. Fails by silence only."""
    for socket in range(SOCKETS):
        request = Ask(b"AT+USOCL=%d" % socket, timeout=CLOSE_TIMEOUT)
        reply = yield request
        if reply.timed_out:
            raise failure(request, reply)


def _has_login(profile: Profile) -> bool:
    return bool(profile.user or profile.password)


def _binary() -> Script[None]:
    yield Ask(b"AT+UDCONF=1,0")  # socket data as they are, not as hex: the default, which an earlier owner may have changed


# -- the context of 27.007 ------------------------------------------------------------------------------------------------------


def prepare_context(profile: Profile, _identity: Identity) -> Script[None]:
    """CGDCONT and CGAUTH, in a clean state. A bearer that is ours stays up; of a user and password the modem does not tell."""
    if (yield from context_check()):
        if not _has_login(profile) and (yield from context_is(profile)):
            yield from close_sockets()
            yield from _binary()
            return
        yield from context_down()
    yield from define_context(profile)
    if _has_login(profile):
        login = quoted_secret(profile.user) + b"," + quoted_secret(profile.password)
        yield from must(Ask(b"AT+CGAUTH=1,%d," % PAP + login))
    yield Ask(b"AT+CGEREP=1")  # the context's loss is told
    yield from _binary()


def context_check() -> Script[bool]:
    reply = yield from must(Ask(b"AT+CGACT?", ok(rb"\+CGACT: ?\d.*")))
    return any(ints(line.partition(b":")[2])[:2] == [1, 1] for line in reply.lines)


def context_up(_profile: Profile) -> Script[None]:
    request = Ask(b"AT+CGACT=1,1", timeout=CONTEXT_TIMEOUT)
    reply = yield request
    if not reply.ok and (reply.timed_out or not (yield from context_check())):
        raise BearerError(failure(request, reply).detail, cure=_CURE)


def context_down() -> Script[None]:
    """CGACT=0,1 where it is up. An LTE module may refuse to give up its only context: then its sockets are closed at least."""
    if (yield from context_check()) and not (yield Ask(b"AT+CGACT=0,1", timeout=DOWN_TIMEOUT)).ok:
        yield from close_sockets()


# -- the internal profile -------------------------------------------------------------------------------------------------------


def prepare_profile(profile: Profile, _identity: Identity) -> Script[None]:
    """UPSD sets it while it is down. One that is up and ours stays up; of a password the modem does not tell."""
    if (yield from profile_check()):
        if not _has_login(profile) and (yield from _apn_is(profile)):
            yield from close_sockets()
            yield from _binary()
            return
        yield from profile_down()
    yield from _protocol(profile)
    for parameter, value in (
        (_APN, quoted_apn(profile.apn)),
        (_USER, quoted_secret(profile.user)),
        (_PASSWORD, quoted_secret(profile.password)),
        (_ADDRESS, b'"0.0.0.0"'),  # the network gives one
    ):
        yield from must(_set(parameter, value))
    yield _set(_AUTHENTICATION, b"%d" % (PAP if _has_login(profile) else NO_LOGIN))  # some firmware decides by itself
    yield from _binary()


def _set(parameter: int, value: bytes) -> Ask:
    return Ask(b"AT+UPSD=0,%d," % parameter + value)


def _protocol(profile: Profile) -> Script[None]:
    """Older modems know IPv4 only, and not this parameter."""
    kind = TYPES[profile.pdp_type]
    request = _set(_PROTOCOL, b"%d" % kind)
    reply = yield request
    if not reply.ok and (kind or reply.timed_out):
        raise failure(request, reply)


def _apn_is(profile: Profile) -> Script[bool]:
    reply = yield Ask(b"AT+UPSD=0,%d" % _APN, ok(rb"\+UPSD: ?0,1,.*"))
    return reply.ok and reply.line(b"+UPSD:") == b"0,%d," % _APN + quoted_apn(profile.apn)


def profile_check() -> Script[bool]:
    return _is_active((yield from must(_ACTIVE)))


_ACTIVE = Ask(b"AT+UPSND=0,8", ok(rb"\+UPSND: ?0,8,\d"))


def _is_active(reply: Reply) -> bool:
    return reply.ok and ints(reply.line(b"+UPSND:") or b"")[-1:] == [1]


def profile_up(_profile: Profile) -> Script[None]:
    """UPSDA=0,3. The OK may come before the network's word, and +UUPSDA is easily missed: the state decides. Some firmware answers with
    an error where it is active already."""
    request = Ask(b"AT+UPSDA=0,3", ok(rb"\+UUPSDA: .*"), timeout=PROFILE_TIMEOUT)
    reply = yield request
    if not reply.ok and (reply.timed_out or not (yield from profile_check())):
        raise BearerError(failure(request, reply).detail, cure=_CURE)
    for _ in range(ACTIVE_POLLS):
        if (yield from profile_check()):
            return
        yield Pause(ACTIVE_POLL)
    raise BearerError(f"the network did not give a bearer within {ACTIVE_POLLS * ACTIVE_POLL:g} s", cure=_CURE)


def profile_down() -> Script[None]:
    """UPSDA=0,4 where it is active; it closes all sockets too."""
    if (yield from profile_check()):
        yield Ask(b"AT+UPSDA=0,4", timeout=DOWN_TIMEOUT)


# -- the internal profile, mapped to context 1 ----------------------------------------------------------------------------------


def mapped_check() -> Script[bool]:
    """Firmware that knows no UPSND uses context 1 itself."""
    known = yield from _mapped()
    return (yield from context_check()) if known is None else known


def _mapped() -> Script[bool | None]:
    reply = yield _ACTIVE
    if reply.timed_out:
        raise failure(_ACTIVE, reply)
    return _is_active(reply) if reply.ok else None


def mapped_up(profile: Profile) -> Script[None]:
    yield from context_up(profile)
    if (yield _set(_CONTEXT, b"1")).ok:
        yield from _protocol(profile)
        yield from profile_up(profile)


def mapped_down() -> Script[None]:
    """The context itself is the modem's attachment to LTE: it stays."""
    known = yield from _mapped()
    if known:
        yield Ask(b"AT+UPSDA=0,4", timeout=DOWN_TIMEOUT)
    elif known is None:
        yield from context_down()

"""Which header fields cross the gateway, in both directions (mm1.md 7 and 8). Pure.

Rule 1: end-to-end values pass byte for byte; hop-by-hop fields never pass. Rule 2: the line's template wins over a client's field of
the same name, because the SIM's number is the truth. Rule 3: CR, LF or NUL is refused, never repaired.
A value is a str that stands for octets: UTF-8 with surrogateescape, as aiohttp's server hands them over. Host, Content-Length and the
order on the wire are the tunnel's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mmsproxy.errors import HeaderError

Header = tuple[str, str]
Headers = tuple[Header, ...]

MMS_MESSAGE = "application/vnd.wap.mms-message"
ACCEPT = f"*/*, {MMS_MESSAGE}, application/vnd.wap.sic"  # AOSP MmsHttpClient.java

# RFC 9110 7.6.1, and the proxy fields that concern one hop only.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "proxy-connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-authentication-info",
    }
)
MADE_ANEW = frozenset({"host", "content-length", "connection", "content-type"})
DROPPED_TOWARDS_CARRIER = frozenset({"accept-encoding", "expect", "authorization", "cookie", "forwarded", "via"})
DROPPED_PREFIX = "x-forwarded-"
DROPPED_TOWARDS_CLIENT = frozenset({"set-cookie", "server", "date", "content-length"})

# What frames the request: a template that could set one of these could smuggle a second request.
NOT_FOR_TEMPLATES = frozenset({"host", "content-length", "transfer-encoding", "connection", "trailer", "upgrade", "expect"})
UA_PROFILE_NAMES = frozenset({"x-wap-profile", "profile"})

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(r"[\x00\r\n]")

# ITU-T E.164 country codes of one and of two digits; all others have three.
_CODES_OF_ONE = frozenset("17")
_CODES_OF_TWO = frozenset(
    str(code)
    for codes in (
        (20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67)),
        (81, 82, 84, 86, *range(90, 96), 98),
    )
    for code in codes
)


@dataclass(frozen=True, slots=True)
class Template:
    """A line's own part of each request's head. `headers` may hold the macros ##LINE1##, ##LINE1NOCOUNTRYCODE## and ##NAI##."""

    headers: Headers = ()
    number: str = ""
    nai: str = ""
    user_agent: str = ""
    ua_profile: str = ""
    ua_profile_header: str = "x-wap-profile"


def outgoing_headers(client: Sequence[Header], template: Template) -> Headers:
    """The fields of a POST to the MMSC, without Host and Content-Length. Raises HeaderError."""
    own = tuple(_expanded(template))
    taken = {name.lower() for name, _ in own}
    kept = tuple(item for item in end_to_end(client) if item[0].lower() not in taken)
    present = taken | {name.lower() for name, _ in kept}
    content_type = () if "content-type" in taken else (("Content-Type", MMS_MESSAGE),)
    headers = (*kept, *content_type, *own, *_filled_in(template, present), ("Connection", "close"))
    for name, value in headers:
        check(name, value)
    return headers


def end_to_end(client: Sequence[Header]) -> Iterator[Header]:
    """The client's fields that may go on to the carrier. Raises HeaderError."""
    stopped = HOP_BY_HOP | MADE_ANEW | DROPPED_TOWARDS_CARRIER | named_by_connection(client)
    for name, value in client:
        check(name, value)
        if name.lower() not in stopped and not name.lower().startswith(DROPPED_PREFIX):
            yield name, value


def answer_headers(carrier: Sequence[Header]) -> Headers:
    """The fields of the carrier's answer that go on to the client. Content-Length is the door's; what is malformed stays here."""
    hop = HOP_BY_HOP | named_by_connection(carrier) | DROPPED_TOWARDS_CLIENT
    return tuple((name, value) for name, value in carrier if name.lower() not in hop and _is_sound(name, value))


def check(name: str, value: str) -> None:
    """Raises HeaderError for a name that is no token, and for CR, LF or NUL in the value."""
    if not _TOKEN.fullmatch(name):
        raise HeaderError(f"{name[:40]!r} is no name of an HTTP header")
    if _FORBIDDEN.search(value):
        raise HeaderError(f"the header {name} has CR, LF or NUL in its value")


def named_by_connection(headers: Iterable[Header]) -> frozenset[str]:
    """The fields that a Connection field declares to be of this hop, in lower case."""
    values = (value for name, value in headers if name.lower() == "connection")
    return frozenset(option.strip().lower() for value in values for option in value.split(","))


def national_number(number: str) -> str:
    """The number without +<country code>; one that has no + is national already."""
    if not number.startswith("+"):
        return number
    digits = number[1:]
    if digits[:1] in _CODES_OF_ONE:
        return digits[1:]
    return digits[2:] if digits[:2] in _CODES_OF_TWO else digits[3:]


def _is_sound(name: str, value: str) -> bool:
    return _TOKEN.fullmatch(name) is not None and _FORBIDDEN.search(value) is None


def _expanded(template: Template) -> Iterator[Header]:
    """The template's fields with their macros filled in; a field whose macro is empty is left out (mm1.md 8)."""
    nai = base64.b64encode(template.nai.encode()).decode("ascii") if template.nai else ""
    macros = (
        ("##LINE1##", template.number),
        ("##LINE1NOCOUNTRYCODE##", national_number(template.number)),
        ("##NAI##", nai),
    )
    for name, value in template.headers:
        if name.lower() in NOT_FOR_TEMPLATES or any(macro in value and not filling for macro, filling in macros):
            continue
        for macro, filling in macros:
            value = value.replace(macro, filling)
        yield name, value


def _filled_in(template: Template, present: set[str]) -> Iterator[Header]:
    if template.user_agent and "user-agent" not in present:
        yield "User-Agent", template.user_agent
    if template.ua_profile and not present & (UA_PROFILE_NAMES | {template.ua_profile_header.lower()}):
        yield template.ua_profile_header, template.ua_profile
    if "accept" not in present:
        yield "Accept", ACCEPT

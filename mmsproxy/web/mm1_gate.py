"""Who may come in at the MM1 door, judged before a body is read: the order of checks of mm1.md section 4, steps 1 to 5.

Rule 1: pure. It reads no socket and no clock; a `Knock` says all that is known, a `Refusal` all that is answered. Rule 2: the request's
target and Host only decide whether to refuse and which line is meant; a message never goes to a host that a request named.
Rule 3: it knows nothing of PDUs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from mmsproxy.web.host_names import canonical_host, plain_address, split_authority

SERVED_METHODS = ("GET", "HEAD", "POST")
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa")  # RFC 6762, common usage, RFC 8375: no public DNS answers for these
CONTINUE = "100-continue"
DEFAULT_PORTS = {"http": 80, "https": 443}

_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Knock:
    """A request before its body. `peer` and `own` are socket addresses as (host, port); `target` is the request line's, as it came."""

    peer: str
    own: tuple[str, int]
    method: str
    target: str
    headers: Mapping[str, str]  # names fold case


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in text/plain. `close`: no body is awaited and the connection ends."""

    status: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request may come in. `line` is the line whose MMSC the target names, None when it names none."""

    line: str | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the checks compare with. `mmscs` is each line's name and MMSC URL; `hosts` are the machine's own names."""

    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    mmscs: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    max_body: int = 2 * 1024 * 1024
    _by_authority: dict[tuple[str, int], str] = field(init=False)
    _alias_authorities: tuple[tuple[str, int | None], ...] = field(init=False)

    def __post_init__(self) -> None:
        authorities: dict[tuple[str, int], str] = {}
        for name, url in self.mmscs:
            for pair in _authorities_of(url):
                authorities.setdefault(pair, name)
        object.__setattr__(self, "_by_authority", authorities)
        object.__setattr__(self, "_alias_authorities", tuple(filter(None, map(split_authority, self.aliases))))

    def line_at(self, host: str, port: int | None) -> str | None:
        """The first line whose MMSC is at host:port; without a port, at that host."""
        if port is not None:
            return self._by_authority.get((host, port))
        return next((name for (known, _), name in self._by_authority.items() if known == host), None)

    def is_alias(self, host: str, port: int | None) -> bool:
        """An alias without a port stands for every port; `port` None asks for the host alone."""
        return any(host == name and (None in (wanted, port) or wanted == port) for name, wanted in self._alias_authorities)

    def is_own_name(self, host: str) -> bool:
        return host == "localhost" or any(host == canonical_host(name) for name in self.hosts)

    def is_mmsc_host(self, host: str) -> bool:
        return self.line_at(host, None) is not None


def admit(knock: Knock, rules: Rules) -> Admitted | Refusal:
    """Steps 1 to 5, in their order: the first check that refuses answers."""
    for check in (_peer_allowed, _method_served, _no_browser, _target_written_well):
        if refusal := check(knock, rules):
            return refusal
    admitted = _absolute(knock, rules) if _ABSOLUTE.match(knock.target) else _origin(knock, rules)
    if isinstance(admitted, Admitted) and knock.method == "POST" and (refusal := _body_acceptable(knock, rules)):
        return refusal
    return admitted


def _authorities_of(url: str) -> Iterator[tuple[str, int]]:
    parts = urlsplit(url)
    host = canonical_host(parts.hostname or "")
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    yield host, port
    if (parts.scheme, port) == ("https", 443):
        yield host, 80  # MMS software asks a proxy for http only; the TLS is ours


def _peer_allowed(knock: Knock, rules: Rules) -> Refusal | None:
    peer = plain_address(knock.peer)
    if peer is not None and any(peer in network for network in rules.allow or LOOPBACK):
        return None
    return Refusal(403, f"{knock.peer} may not use this door; its network must stand in mm1.allow", close=True)


def _method_served(knock: Knock, rules: Rules) -> Refusal | None:
    if knock.method in SERVED_METHODS:
        return None
    return Refusal(405, "this door takes GET, HEAD and POST", (("Allow", ", ".join(SERVED_METHODS)),), close=True)


def _no_browser(knock: Knock, rules: Rules) -> Refusal | None:
    """Browsers put Origin on every POST, so this also stops DNS rebinding and forms on foreign pages."""
    marks = [name for name in knock.headers if name.lower() in ("origin", "referer") or name.lower().startswith("sec-fetch-")]
    media = knock.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media.startswith("text/") or media in ("application/x-www-form-urlencoded", "multipart/form-data"):
        marks.append(f"Content-Type: {media}")
    return Refusal(403, f"this door is not for browsers ({_shown(marks[0])})") if marks else None


def _target_written_well(knock: Knock, rules: Rules) -> Refusal | None:
    # aiohttp's pure-Python parser lets octets through that its C parser refuses.
    if _VISIBLE_ASCII.fullmatch(knock.target) and (knock.target.startswith("/") or _ABSOLUTE.match(knock.target)):
        return None
    return Refusal(400, "the request target is neither a path nor an absolute URL in ASCII", close=True)


def _origin(knock: Knock, rules: Rules) -> Admitted | Refusal:
    named = knock.headers.get("Host", "").strip()
    if not named:
        return Admitted(None)  # HTTP/1.0, or RFC 9112 3.2: a target without an authority has an empty Host
    authority = split_authority(named)
    if authority is None or not _is_local(authority[0], rules):
        return _misdirected(named)
    host, port = authority
    return Admitted(rules.line_at(host, port or 80) or rules.line_at(host, None))


def _absolute(knock: Knock, rules: Rules) -> Admitted | Refusal:
    match = _ABSOLUTE.match(knock.target)
    assert match is not None
    scheme, written = match[1].lower(), match[2]
    authority = split_authority(written)
    if scheme != "http" or authority is None:
        return _foreign(f"{scheme}://{written}")
    host, port = authority[0], authority[1] or 80
    line = rules.line_at(host, port)
    if line is None and not rules.is_alias(host, port) and not _is_this_door(host, port, knock, rules):
        return _foreign(f"{host}:{port}")
    # The target overrides Host (RFC 9112 3.2.2), but a Host that names another public site is nobody's MMS client.
    named = knock.headers.get("Host", written).strip()
    named_authority = split_authority(named)
    if named_authority is None or not (named_authority[0] == host or _is_local(named_authority[0], rules)):
        return _misdirected(named)
    return Admitted(line)


def _is_local(host: str, rules: Rules) -> bool:
    """A name that no public DNS could have pointed here by itself, or one that the config knows."""
    return (
        plain_address(host) is not None
        or "." not in host
        or host.endswith(LOCAL_SUFFIXES)
        or rules.is_own_name(host)
        or rules.is_alias(host, None)
        or rules.is_mmsc_host(host)
    )


def _is_this_door(host: str, port: int, knock: Knock, rules: Rules) -> bool:
    address, own = plain_address(host), plain_address(knock.own[0])
    return port == knock.own[1] and (rules.is_own_name(host) or (address is not None and address == own))


def _body_acceptable(knock: Knock, rules: Rules) -> Refusal | None:
    return _coding_served(knock) or _expectation_met(knock) or _length_within(knock, rules)


def _coding_served(knock: Knock) -> Refusal | None:
    coding = knock.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("identity", ""):
        text = f"a body with Content-Encoding {_shown(coding)} is not taken; send it plain"
        return Refusal(415, text, (("Accept-Encoding", "identity"),))
    transfer = knock.headers.get("Transfer-Encoding", "chunked").strip().lower()
    if transfer != "chunked":
        return Refusal(415, f"Transfer-Encoding {_shown(transfer)} is not taken; send the body plain or chunked", close=True)
    return None


def _expectation_met(knock: Knock) -> Refusal | None:
    expected = knock.headers.get("Expect", CONTINUE).strip().lower()
    return None if expected == CONTINUE else Refusal(417, f"Expect {_shown(expected)} cannot be met", close=True)


def _length_within(knock: Knock, rules: Rules) -> Refusal | None:
    length = knock.headers.get("Content-Length", "0").strip()
    # 18 digits before int(): Python refuses to convert endless ones, and the pure-Python HTTP parser lets them through.
    return None if re.fullmatch("[0-9]{1,18}", length) and int(length) <= rules.max_body else too_large(rules.max_body)


def too_large(limit: int) -> Refusal:
    """The body is over the door's own limit; nothing of it was kept."""
    return Refusal(413, f"too large: at most {limit} bytes", close=True)


def _misdirected(host: str) -> Refusal:
    return Refusal(421, f"Host {_shown(host)} is not this gateway; if it is, put the name into mm1.aliases")


def _foreign(target: str) -> Refusal:
    return Refusal(403, f"this is no open proxy: {_shown(target)} is no MMSC of a line here; an alias for one goes into mm1.aliases")


def _shown(text: str) -> str:
    """Foreign text for a log line or an answer: ASCII, one line, short."""
    return ascii(text[:100])[1:-1]


def own_names(names: Iterable[str]) -> tuple[str, ...]:
    """The machine's names worth comparing with: each as it is and without its domain."""
    return tuple({part for name in names if name for part in (name.lower(), name.lower().partition(".")[0])})

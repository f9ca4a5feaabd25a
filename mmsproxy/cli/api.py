"""The JSON API as commands use it: where the gateway is, the token, one call, and its problem as an error with the cure.

Rule 1: nothing is guessed: address and token come from the options, else from the configuration. Rule 2: what the gateway wrote is shown
with its control characters escaped. It knows no message; `gateway` knows the HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from cyclopts import Parameter

from mmsproxy.cli.gateway import HttpAnswer, ask
from mmsproxy.cli.terminal import safe
from mmsproxy.errors import Fault, MmsproxyError

DEFAULT_CONFIG = Path("config.yaml")
ANSWER_SECONDS = 75.0  # more than the longest ?wait=
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # listening on every address: this machine is reached by its own
JSON = "application/json"

_CURES = {
    "unauthorized": "give --token TOKEN, --token-file PATH or MMSPROXY_TOKEN; the gateway's first token stands in its web.token_file",
    "forbidden": "use a token with that scope: `mmsproxy token create NAME --scope SCOPE` with the first token makes one",
    "duplicate_risk": "find out first whether it came; then --accept-duplicate-risk",
    "misdirected": "name the gateway by its address, or add the name to web.hosts in config.yaml",
    "not_cancelable": "`mmsproxy messages show` tells its state",
    "unavailable": "look at the gateway's log and at its database; nothing was done",
}

_NOT_FOUND = {
    "/v1/messages": "`mmsproxy messages list` shows what there is",
    "/v1/tokens": "`mmsproxy token list` shows what there is",
    "/v1/lines": "the lines are named in the gateway's configuration, under `lines`",
}

Json = dict[str, Any]
AsJson = Annotated[bool, Parameter(name="--json", negative=())]
Flag = Annotated[bool, Parameter(negative=())]


class UsageError(MmsproxyError):
    """Nothing was tried; the line says what to write instead."""

    code = "usage"
    fault = Fault.CALLER


class Problem(MmsproxyError):
    """The gateway refused. `document` is its problem+json."""

    code = "refused"
    fault = Fault.CALLER

    def __init__(self, status: int, document: Json, path: str = "") -> None:
        self.status, self.document = status, document
        first = f"{document.get('title') or f'HTTP {status}'}: {document.get('detail') or 'no more is told'}"
        super().__init__(safe(first), cure=_cure(str(document.get("code")), path))


def _cure(code: str, path: str) -> str:
    """What is not there, each command lists in its own way."""
    if code == "not_found":
        return next((cure for start, cure in _NOT_FOUND.items() if path.startswith(f"{start}/")), "")
    return _CURES.get(code, "")


@Parameter(name="*")
@dataclass(frozen=True)
class Access:
    """Which gateway, and with which token.

    Parameters
    ----------
    gateway
        URL of the gateway; by default the one of the configuration.
    token
        The token; by default the one in the token file.
    token_file
        The file with the token; by default the one of the configuration.
    config
        The gateway's configuration; by default ./config.yaml when it is there.
    """

    gateway: str | None = None
    token: Annotated[str | None, Parameter(env_var="MMSPROXY_TOKEN", show_env_var=True)] = None
    token_file: Path | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the gateway of this configuration listens, and its token file."""

    web: str
    mm1: str
    token_file: Path


@dataclass(frozen=True, slots=True)
class Api:
    """A running gateway. `proxy`: HOST:PORT to connect to, with the whole URL in the request line."""

    url: str
    token: str
    proxy: str | None = None

    def get(self, path: str, **query: Any) -> Json:
        """Raises Unreachable, NoAnswer, Problem."""
        words = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", f"{path}?{urlencode(words)}" if words else path)

    def post(self, path: str, document: Mapping[str, Any] | None = None) -> Json:
        return self.call("POST", path, None if document is None else json.dumps(document).encode())

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        timeout: float = ANSWER_SECONDS,
    ) -> Json:
        """The JSON that came back; {} for none. Raises Unreachable, NoAnswer, Problem."""
        return document_of(self.ask(method, path, body, content_type=content_type, headers=headers, timeout=timeout), path)

    def ask(
        self, method: str, path: str, body: bytes | None, *, content_type: str, headers: Mapping[str, str] | None, timeout: float
    ) -> HttpAnswer:
        head = {"Authorization": f"Bearer {self.token}", "Accept": JSON, **(headers or {})}
        if body is not None:
            head["Content-Type"] = content_type
        return ask(method, self.url + path, head, body, timeout=timeout, proxy=self.proxy)


def connect(access: Access | None, *, proxy: str | None = None) -> Api:
    """Nothing is sent yet. Raises ConfigError, UsageError."""
    given = access or Access()
    doors = doors_of(given.config)
    token = given.token or _token(given.token_file or doors.token_file)
    return Api((given.gateway or doors.web).rstrip("/"), one_word(token), proxy)


def doors_of(path: Path | None) -> Doors:
    """Raises ConfigError when the configuration is wrong."""
    from mmsproxy import config  # after the usage is checked: reading settings takes longer than all else here

    chosen = path if path is not None else DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None
    settings = config.load(chosen)
    folder = chosen.parent if chosen is not None else config.data_home()
    return Doors(_url(settings.web.listen), _url(settings.mm1.listen), folder / settings.web.token_file)


def _url(listen: Any) -> str:
    host = ANYWHERE.get(listen.host, listen.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{listen.port}"


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise UsageError(
            f"no token: {path}: {error.strerror}",
            cure="start the gateway once (it makes the file), or give --token-file PATH, --token TOKEN or MMSPROXY_TOKEN",
        ) from None


def one_word(token: str) -> str:
    word = token.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", word):
        raise UsageError("the token is empty or not one word; give the one that the gateway's token file holds")
    return word


def document_of(answer: HttpAnswer, path: str = "") -> Json:
    """The JSON object of the answer to a request for `path`. Raises Problem."""
    if answer.status == 204:
        return {}
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Problem(answer.status, {"title": f"HTTP {answer.status} without JSON", "detail": "is this the JSON door (web.listen)?"})
    if answer.status >= 400:
        raise Problem(answer.status, document, path)
    return document


def segment(word: str) -> str:
    """An id or a name as a step of a path."""
    return quote(word, safe="")

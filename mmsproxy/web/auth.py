"""The tokens of the web door: the first one in a file that only its owner can read, the others in the store, as hashes.

Rule 1: the token itself is never logged, never part of an error and not kept in memory longer than it takes to hash it.
Rule 2: a file that is there is read, never changed. Rule 3: hashes are compared, in constant time.
This module knows nothing of HTTP but the form of one header.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mmsproxy.errors import ConfigError, StoreError
from mmsproxy.post import token_rows
from mmsproxy.post.store import Store
from mmsproxy.post.token_rows import Token
from mmsproxy.web.routes import SCOPES, Need

PREFIX = "mmp_"
TOKEN_BYTES = 32  # 256 bits (delivery.md 8)
MAX_TOKEN_FILE = 4096  # octets; a larger file is not a token
_TOKEN = r"[A-Za-z0-9._~+/-]{8,512}=*"  # b64token (RFC 6750 2.1); a token of one's own need not begin with mmp_
_BEARER = re.compile(rf"bearer +({_TOKEN}) *", re.IGNORECASE)  # the scheme's name has no case (RFC 9110 11.1)
_BASIC = re.compile(r"basic +([A-Za-z0-9+/]{1,2048}={0,2}) *", re.IGNORECASE)
TOUCH_SECONDS = 60.0  # between two notes of a token's last use


@dataclass(frozen=True, slots=True)
class TokenHash:
    """A token as SHA-256, for comparing."""

    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, token: str) -> TokenHash:
        return cls(hashlib.sha256(token.encode("ascii", "backslashreplace")).digest())

    @property
    def hex(self) -> str:
        return self.digest.hex()

    def is_same(self, other: TokenHash) -> bool:
        """Takes the same time whatever differs."""
        return hmac.compare_digest(self.digest, other.digest)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is. `id` is what idempotency keys and caps are kept under."""

    id: str
    name: str
    scopes: frozenset[str]

    def may(self, need: Need) -> bool:
        return need == "any" or need in self.scopes


FIRST = Caller("first", "web.token_file", frozenset(SCOPES))


def new_token(random: bytes) -> str:
    """A token of TOKEN_BYTES random octets."""
    return PREFIX + base64.urlsafe_b64encode(random).decode("ascii").rstrip("=")


def presented(authorization: str | None) -> tuple[TokenHash, ...]:
    """The tokens that an Authorization header may carry: a bearer's, or password and user of Basic, for SDKs know nothing else."""
    match = _BEARER.fullmatch(authorization or "")
    if match:
        return (TokenHash.of(match[1]),)
    user, colon, password = _basic(authorization or "")
    return tuple(TokenHash.of(word) for word in (password, user) if colon and re.fullmatch(_TOKEN, word))


def _basic(authorization: str) -> tuple[str, str, str]:
    match = _BASIC.fullmatch(authorization)
    try:
        return base64.b64decode(match[1], validate=True).decode("utf-8").partition(":") if match else ("", "", "")
    except ValueError:
        return "", "", ""


class Keyring:
    """The first token, which may do everything, and those in the store."""

    def __init__(self, first: str, store: Store, now: Callable[[], float]) -> None:
        self._first = TokenHash.of(first)
        self._store = store
        self._now = now

    async def caller(self, authorization: str | None) -> Caller | None:
        """Whose token the header carries; None when it is nobody's. Raises StoreError."""
        candidates = presented(authorization)
        if any(token.is_same(self._first) for token in candidates):
            return FIRST
        for token in candidates:
            known = await self._store.read(partial(token_rows.by_sha256, sha256=token.hex))
            if known is not None:
                await self._touch(known)
                return Caller(known.id, known.name, frozenset(known.scopes))
        return None

    async def _touch(self, token: Token) -> None:
        """Not for each request: that would be a commit for each look at a list."""
        if token.used_at is not None and self._now() - token.used_at < TOUCH_SECONDS:
            return
        with suppress(StoreError):
            await self._store.write(partial(token_rows.touch, token_id=token.id))


def token_from_file(path: Path) -> str:
    """The token in `path`; when there is no such file, it is made (0600, missing folders 0700) with a fresh token.

    Raises ConfigError with one line that names the cure.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        return _made(path)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TOKEN_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _mistake(path, f"cannot be read: {error.strerror}", "let the gateway's user read it, or name another file") from None
    token = raw.strip().decode("ascii", "replace")
    if not token:
        raise _mistake(path, "is empty", "delete it, and the gateway makes a new one")
    if not re.fullmatch(_TOKEN, token):
        raise _mistake(path, "holds no token: one word of 8 to 512 letters, digits and - . _ ~ + / is wanted", "delete it to get a new one")
    return token


def _made(path: Path) -> str:
    token = new_token(secrets.token_bytes(TOKEN_BYTES))
    try:
        _make_folders(path.parent)
        _publish(path, token)
    except FileExistsError:
        return _read(path)  # another gateway of the same folder was first
    except OSError as error:
        raise _mistake(path, f"cannot be made: {error.strerror}", "let the gateway's user write its folder, or name another file") from None
    return token


def _make_folders(folder: Path) -> None:
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    for step in reversed(missing):
        step.mkdir(mode=0o700, exist_ok=True)


def _publish(path: Path, token: str) -> None:
    """Written beside and linked into place: nobody ever reads half a token, and a file that came meanwhile is not overwritten."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()


def _mistake(path: Path, what: str, cure: str) -> ConfigError:
    return ConfigError((f"web.token_file - {path} {what}; {cure}",))

"""The token of the web door: made once, kept in a file that only its owner can read, compared in constant time.

Rule 1: the token itself is never logged, never part of an error and not kept in memory longer than it takes to hash it.
Rule 2: a file that is there is read, never changed. This module knows nothing of HTTP but the form of one header.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mmsproxy.errors import ConfigError

PREFIX = "mmp_"
TOKEN_BYTES = 32  # 256 bits (delivery.md 8)
MAX_TOKEN_FILE = 4096  # octets; a larger file is not a token
_TOKEN = r"[A-Za-z0-9._~+/-]{8,512}=*"  # b64token (RFC 6750 2.1); a token of one's own need not begin with mmp_
_BEARER = re.compile(rf"bearer +({_TOKEN}) *", re.IGNORECASE)  # the scheme's name has no case (RFC 9110 11.1)


@dataclass(frozen=True, slots=True)
class TokenHash:
    """A token as SHA-256, for comparing."""

    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, token: str) -> TokenHash:
        return cls(hashlib.sha256(token.encode("ascii", "backslashreplace")).digest())

    def admits(self, authorization: str | None) -> bool:
        """Whether an Authorization header (None: there is none) carries the token. Takes the same time for each wrong token."""
        match = _BEARER.fullmatch(authorization or "")
        presented = TokenHash.of(match[1] if match else "")
        return hmac.compare_digest(self.digest, presented.digest) and match is not None


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
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
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

"""API tokens as they are kept: never the token, only its SHA-256. Operations on a Tx, and reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from mmsproxy.post import rows
from mmsproxy.post.database import Tx
from mmsproxy.post.moves import NotFound
from mmsproxy.post.reading import Run
from mmsproxy.post.schema import tokens


@dataclass(frozen=True, slots=True)
class Token:
    """`sha256` of the token in hex. `per_hour`, `per_day`: units it may spend; 0: as the configuration says for all tokens."""

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    per_hour: int
    per_day: int
    created_at: float
    used_at: float | None
    revoked_at: float | None


async def add(tx: Tx, token_id: str, name: str, sha256: str, scopes: Iterable[str], *, per_hour: int = 0, per_day: int = 0) -> Token:
    values = {"name": rows.clean(name), "sha256": sha256, "scopes": rows.to_json(list(scopes)), "per_hour": per_hour, "per_day": per_day}
    statement = insert(tokens).values(id=token_id, created_at=tx.now, **values).returning(tokens)
    return _token((await tx.run(statement)).mappings().one())


async def revoke(tx: Tx, token_id: str) -> None:
    """Raises NotFound; a token that was revoked stays as it is."""
    found = (await tx.run(select(tokens.c.id).where(tokens.c.id == token_id))).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no token {token_id[:80]}")
    await tx.run(update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=tx.now))


async def touch(tx: Tx, token_id: str) -> None:
    """It was used now."""
    await tx.run(update(tokens).where(tokens.c.id == token_id).values(used_at=tx.now))


async def by_sha256(run: Run, sha256: str) -> Token | None:
    """A token that was not revoked. The look is by the hash of a 256-bit secret, so its timing tells nothing."""
    row = (await run(select(tokens).where(tokens.c.sha256 == sha256, tokens.c.revoked_at.is_(None)))).mappings().one_or_none()
    return None if row is None else _token(row)


async def token_list(run: Run) -> tuple[Token, ...]:
    return tuple(_token(row) for row in (await run(select(tokens).order_by(tokens.c.created_at, tokens.c.id))).mappings())


def _token(row: rows.Row) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        sha256=row["sha256"],
        scopes=tuple(json.loads(row["scopes"])),
        per_hour=row["per_hour"],
        per_day=row["per_day"],
        created_at=row["created_at"],
        used_at=row["used_at"],
        revoked_at=row["revoked_at"],
    )

"""The sections of config.yaml about what is kept, how much may be sent, and how messages are made.

It knows no file and no environment: config.py reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mmsproxy.config_values import Words, pattern

DAY_SECONDS = 86_400
WEEK_SECONDS = 604_800
SQLITE = "sqlite+aiosqlite:///"
POSTGRESQL = "postgresql+asyncpg://"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreConfig(Section):
    """Where messages are kept: a SQLite file or a PostgreSQL server, and a folder for media; relative to the config file's folder.

    keep_days  messages at rest are forgotten after so many days; keep_mib  or when all of them take more MiB. 0 lifts either
    """

    url: str = "sqlite+aiosqlite:///data/mmsproxy.db"
    media: Path = Path("data/media")
    keep_days: int = Field(default=30, ge=0, le=3650)
    keep_mib: int = Field(default=2048, ge=0, le=1_048_576)

    @field_validator("url")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if not (value.startswith(SQLITE) and len(value) > len(SQLITE)) and not value.startswith(POSTGRESQL):
            raise ValueError(f"write {SQLITE}data/mmsproxy.db for a file, or {POSTGRESQL}user@host/name for a PostgreSQL server")
        return value

    def url_from(self, base: Path) -> str:
        """The URL with a relative SQLite path made absolute."""
        if not self.url.startswith(SQLITE):
            return self.url
        path, mark, options = self.url.removeprefix(SQLITE).partition("?")
        return f"{SQLITE}{(base / path).resolve()}{mark}{options}"


class CapsConfig(Section):
    """Units in an hour and in a day; 0 lifts the cap. An MMS is one unit, an SMS one for each part."""

    per_hour: int = Field(default=0, ge=0, le=1_000_000)
    per_day: int = Field(default=0, ge=0, le=10_000_000)


class LimitsConfig(Section):
    """What guards the SIM's money. `numbers`: short or premium codes that are allowed; `countries`: codes such as "+49" (empty: the SIM's
    own, where its number is configured)."""

    per_hour: int = Field(default=100, ge=0, le=1_000_000)
    per_day: int = Field(default=500, ge=0, le=10_000_000)
    recipients: int = Field(default=20, ge=0, le=100)
    per_token: CapsConfig = CapsConfig()
    per_recipient: CapsConfig = CapsConfig()
    numbers: Words = ()
    countries: tuple[Annotated[str, pattern(r"\+[1-9][0-9]{0,2}", 'write a country code in quotes, for example "+49"')], ...] = ()


class OutboxConfig(Section):
    """How messages are sent. `valid_for` in seconds; `sms_parts`: a text of more SMS parts goes out as one MMS (0: every text)."""

    unknown: Literal["hold", "resend_same_tid"] = "hold"
    resends: int = Field(default=1, ge=1, le=2)
    valid_for: int = Field(default=3600, ge=1, le=WEEK_SECONDS)
    sms_parts: int = Field(default=3, ge=0, le=255)
    auto: Literal["auto", "mms", "sms"] = "auto"
    replay: int = Field(default=3600, ge=0, le=DAY_SECONDS)


class MediaConfig(Section):
    """`fetch`: hosts from which media.url may be fetched, exact or as *.example.lan; empty: none."""

    fetch: Words = ()


class WebhooksConfig(Section):
    """`private`: webhooks may point to private addresses of this network."""

    private: bool = False

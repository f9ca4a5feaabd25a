"""The sections of config.yaml about what is kept and sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mmsproxy.config_post import LimitsConfig, OutboxConfig, StoreConfig


def test_a_relative_file_is_beside_the_config_file(tmp_path: Path) -> None:
    assert StoreConfig().url_from(tmp_path) == f"sqlite+aiosqlite:///{tmp_path}/data/mmsproxy.db"


def test_an_absolute_file_and_a_server_stay_as_they_are(tmp_path: Path) -> None:
    for url in ("sqlite+aiosqlite:////var/lib/mmsproxy/store.db", "postgresql+asyncpg://mms@db.lan/mms"):
        assert StoreConfig(url=url).url_from(tmp_path) == url


@pytest.mark.parametrize("url", ["", "sqlite:///x.db", "sqlite+aiosqlite:///", "mysql://x", "postgresql://x/y"])
def test_another_engine_is_refused_with_the_forms_that_there_are(url: str) -> None:
    with pytest.raises(ValidationError, match=r"sqlite\+aiosqlite:///data/mmsproxy.db"):
        StoreConfig(url=url)


@pytest.mark.parametrize("country", ["49", "+", "+0", "de", "+12345"])
def test_a_country_is_a_code(country: str) -> None:
    with pytest.raises(ValidationError, match="country code"):
        LimitsConfig(countries=(country,))


def test_the_defaults_guard_money() -> None:
    limits = LimitsConfig()
    assert (limits.per_hour, limits.per_day, limits.recipients) == (100, 500, 20)
    assert OutboxConfig().unknown == "hold"

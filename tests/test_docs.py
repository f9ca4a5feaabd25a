"""The docs are true: every configuration key, command and fact stands in its page."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from mmsproxy import config
from mmsproxy.cli.main import app


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        inner = config.LineConfig if name == "lines" else config.HostConfig if name == "host" else field.annotation
        step = "lines.N" if name == "lines" else name
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += keys(inner, f"{prefix}{step}.")
        else:
            found.append(prefix + step)
    return found


def test_every_key_is_documented_and_no_other(root: Path) -> None:
    text = (root / "docs" / "config.md").read_text()
    documented = set()
    for row in re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE):
        documented |= set(re.findall(r"`([\w.]+)`", row))
    assert documented == set(keys(config.Settings))


def test_every_command_is_documented(root: Path) -> None:
    text = (root / "docs" / "cli.md").read_text()
    commands = [name for name in app if not name.startswith("-")]
    assert len(commands) >= 5
    for name in commands:
        assert f"mmsproxy {name}" in text, name


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    for page in [root / "README.md", *(root / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"

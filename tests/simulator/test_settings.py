"""Every value of the settings means something: it is read somewhere in the simulator."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from mmsproxy.simulator.settings import ModemSettings


def test_no_setting_is_without_effect(root: Path) -> None:
    code = "".join(path.read_text() for path in (root / "mmsproxy" / "simulator").glob("*.py") if path.name != "settings.py")
    unread = [field.name for field in fields(ModemSettings) if f"settings.{field.name}" not in code]
    assert unread == []


def test_they_are_values() -> None:
    assert ModemSettings(rtt=0.1) == ModemSettings(rtt=0.1)
    with pytest.raises(FrozenInstanceError):
        ModemSettings().rtt = 1.0  # type: ignore[misc]

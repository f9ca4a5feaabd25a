"""The mark of the fuzz smoke: `pytest -m 'not fuzz'` leaves it out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fuzz: fuzzes the codec for some seconds")


def load(name: str) -> ModuleType:
    """A script of this folder; they import each other by their bare names."""
    full = f"mmsproxy_fuzz_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


@pytest.fixture(scope="session")
def script() -> object:
    """Loads a script by its name."""
    sys.path.insert(0, str(HERE))
    yield load
    sys.path.remove(str(HERE))

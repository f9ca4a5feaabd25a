"""What all tests share: the repository's root, and skips that CI does not forgive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"


def _missing(*programs: str) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


_COMPONENTS = {
    "needs_tshark": lambda: _missing("tshark"),
    "needs_mmsdtng": lambda: _missing("mmsdtng", "gdbus", "dbus-daemon") + ([] if os.geteuid() == 0 else ["root (SO_BINDTODEVICE)"]),
    "needs_root": lambda: [] if os.geteuid() == 0 else ["root"],
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing component skips with its name; with CI=true it fails, since there `make test` was to install it."""
    for mark, missing in _COMPONENTS.items():
        if item.get_closest_marker(mark) and (names := missing()):
            reason = f"not here: {', '.join(names)}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason + " (CI=true)", pytrace=False)
            pytest.skip(reason)
    if item.get_closest_marker("needs_corpus") and not CORPUS.is_dir():
        pytest.skip("the shared corpus of real PDUs is not beside this checkout")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def corpus() -> Path:
    return CORPUS

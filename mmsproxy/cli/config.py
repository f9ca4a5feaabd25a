"""`mmsproxy config check FILE`: every mistake at once, nothing opened."""

from __future__ import annotations

import sys
from pathlib import Path

from cyclopts import App

app = App(name="config", help="Check a configuration file.")


@app.command
def check(file: Path = Path("config.yaml")) -> None:
    """Check FILE. Prints each mistake as FILE:LINE:COLUMN KEY - MESSAGE and exits 2, or what was found and exits 0.

    Parameters
    ----------
    file
        The configuration file.
    """
    from mmsproxy import config

    settings = config.load(file)
    for warning in config.warnings(settings):
        print(f"{file}: warning: {warning}", file=sys.stderr)
    lines = ", ".join(f"{line.name} on {line.way}" for line in settings.lines)
    print(f"{file}: good. MM1 door {settings.mm1.listen}, web door {settings.web.listen}, lines: {lines}")

"""Lists for a person: a table on a terminal, lines of tab-separated values in a pipe. Nothing in a cell steers the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from mmsproxy.cli.terminal import safe

EMPTY = "-"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "nothing", out: TextIO | None = None) -> None:
    """One row a line. `empty` is said on stderr when there is none."""
    out = out or sys.stdout
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        print(empty, file=sys.stderr)
    elif out.isatty():
        _print_rich(columns, cells, out)
    else:
        out.writelines("\t".join(row) + "\n" for row in cells)


def _print_rich(columns: Sequence[str], cells: Sequence[Sequence[str]], out: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))  # as Text: what looks like markup is none
    Console(file=out).print(table)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe(str(value))

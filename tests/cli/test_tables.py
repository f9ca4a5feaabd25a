"""Lists: a table on a terminal, tab-separated lines in a pipe."""

from __future__ import annotations

import io

import pytest

from mmsproxy.cli.tables import print_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_a_row_is_a_line() -> None:
    out = io.StringIO()
    print_table(("a", "b", "c"), [(1, None, "x\ty\x1b"), (True, "", False)], out=out)
    assert out.getvalue() == "1\t-\tx\\ty\\x1b\nyes\t-\tno\n"


def test_on_a_terminal_it_has_a_head_and_no_markup() -> None:
    out = Terminal()
    print_table(("name",), [("[red]x[/red]",)], out=out)
    assert "name" in out.getvalue()
    assert "[red]x[/red]" in out.getvalue()


def test_nothing_is_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [], empty="no tokens")
    assert capsys.readouterr() == ("", "no tokens\n")

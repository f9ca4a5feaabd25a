"""Nothing steers the terminal, and no terminal is too poor for what is printed."""

from __future__ import annotations

import io

import pytest

from mmsproxy.cli.terminal import lenient, safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\n\tb\r", "a\\n\\tb\\r"),
        ("\x1b[31m\x07", "\\x1b[31m\\x07"),
        ("\u202eb\u200b\ufeff", "\\u202eb\\u200b\\ufeff"),
        ("\x9b\x7f\\", "\\x9b\\x7f\\\\"),
        ("\udcff", "\\udcff"),
        ("\u65e5\u672c gr\u00fcn \U0001f600", "\u65e5\u672c gr\u00fcn \U0001f600"),
    ],
)
def test_what_others_wrote_does_nothing(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_character_that_the_terminal_has_not_is_shown_as_an_escape() -> None:
    octets = io.BytesIO()
    out = io.TextIOWrapper(octets, encoding="ascii")
    lenient((out, io.StringIO()))
    print("gr\u00fcn \U0001f600", file=out, flush=True)
    assert octets.getvalue() == b"gr\\xfcn \\U0001f600\n"

"""docs/codec.md is true: its Python runs, in order and in one namespace; its JSON gives octets; its table names every form there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.cli import pdu_build
from mmsproxy.wire import mms_pdu
from mmsproxy.wire.pdu_view import mms_json


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "codec.md").read_text()


def blocks(page: str, language: str) -> list[tuple[int, str]]:
    """The code blocks of a language, each with the line it starts in."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [(page.count("\n", 0, block.start(1)), block[1]) for block in found]


def test_the_python_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "docs"}
    python = blocks(page, "python")
    assert len(python) >= 12
    for line, code in python:
        # Blank lines in front, so that a traceback names the line of the page.
        exec(compile("\n" * line + code, "docs/codec.md", "exec"), namespace)  # noqa: S102
    printed = capsys.readouterr().out
    assert "text/plain text 5" in printed
    assert re.search(r"^offset 121: parts\[1\] part-beyond-data: the part is longer than ", printed, re.MULTILINE)


def test_every_block_with_asserts_states_what_it_shows(page: str) -> None:
    assert sum(code.count("assert ") for _, code in blocks(page, "python")) >= 30


def test_the_json_gives_octets(page: str) -> None:
    printed, by_hand = (json.loads(code) for _, code in blocks(page, "json"))
    octets = pdu_build.mms_octets(printed)
    shown = mms_json(mms_pdu.decode(octets))
    shown.pop("size")
    assert shown == printed
    pdu = mms_pdu.decode(pdu_build.mms_octets(by_hand), strict=True)
    assert isinstance(pdu, mms_pdu.SendReq)
    assert (mms_pdu.missing(pdu), mms_pdu.text(pdu.parts[0])) == ((), "Hello")


def test_links_lead_to_headings(page: str) -> None:
    headings = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings

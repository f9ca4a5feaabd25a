"""Keeps the walls that import-linter cannot see: sizes, empty `__init__`s, mirror tests, the schema's banned tools."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 400
# Stated exceptions, each with its reason. A row that is no longer needed fails.
LONG_FILES: dict[str, str] = {
    "mmsproxy/wap_numbers.py": "tables of assigned numbers",
    "mmsproxy/pdu_schema.py": "tables: 63 headers, 24 PDU types",
    "mmsproxy/wire/pdus.py": "24 dataclasses, one for each row of the table",
    "tools/send.py": "one file that is copied to machines where nothing of ours is",
}
LONG_FUNCTIONS: dict[str, str] = {}
WITHOUT_MIRROR: dict[str, str] = {
    "mmsproxy/__main__.py": "one call; test_main.py runs it as a process",
    "mmsproxy/version.py": "one constant",
    "mmsproxy/link.py": "protocols only; every link's test is its test",
}


def sources(root: Path) -> list[Path]:
    return sorted(path for path in (root / "mmsproxy").rglob("*.py") if "__pycache__" not in path.parts)


def tools(root: Path) -> list[Path]:
    return sorted((root / "tools").glob("*.py"))


def name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without the docstring."""
    body = node.body[1:] if isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant) else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_is_too_long(root: Path) -> None:
    found = {name(root, path): len(path.read_text().splitlines()) for path in (*sources(root), *tools(root))}
    long = {path: lines for path, lines in found.items() if lines > MAX_FILE_LINES}
    assert set(long) == set(LONG_FILES), long


def test_no_function_is_too_long(root: Path) -> None:
    long = {}
    for path in (*sources(root), *tools(root)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and code_lines(node) > MAX_FUNCTION_LINES:
                long[f"{name(root, path)}:{node.name}"] = code_lines(node)
    assert set(long) == set(LONG_FUNCTIONS), long


def test_no_logic_in_any_init(root: Path) -> None:
    for path in (root / "mmsproxy").rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), path


def test_each_module_states_its_law(root: Path) -> None:
    for path in (*sources(root), *tools(root)):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{name(root, path)} has no docstring"


def test_each_module_has_its_mirror_test(root: Path) -> None:
    missing = set()
    for path in sources(root):
        inside = path.relative_to(root / "mmsproxy")
        if path.name != "__init__.py" and not (root / "tests" / inside.parent / f"test_{inside.name}").is_file():
            missing.add(name(root, path))
    assert missing == set(WITHOUT_MIRROR), missing ^ set(WITHOUT_MIRROR)


BANNED_IN_SCHEMAS = {"VarInt", "CString", "NullTerminated", "GreedyRange", "GreedyString"}  # wrong or quadratic (mms.md 15)


@pytest.mark.parametrize("room", ["pdu_schema.py", "wire"])
def test_the_schema_uses_no_banned_tool(root: Path, room: str) -> None:
    place = root / "mmsproxy" / room
    for path in [place] if place.is_file() else sorted(place.glob("*.py")):
        tree = ast.parse(path.read_text())
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not used & BANNED_IN_SCHEMAS, path


def test_nothing_unfinished_is_left(root: Path) -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
    found = {name(root, path): marks.findall(path.read_text()) for path in (*sources(root), *tools(root))}
    assert not {path: words for path, words in found.items() if words}

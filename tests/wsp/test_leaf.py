"""What a grammar is: strict by default, lenient on request, one error; every rule is explained."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from mmsproxy.errors import PduError
from mmsproxy.wsp import leaf as leaves
from mmsproxy.wsp.integers import LONG_INTEGER, UINTVAR
from mmsproxy.wsp.leaf import LIMITS, REFUSE, RULES, Lenient, Strict, fault, with_type_checked
from mmsproxy.wsp.texts import TEXT_STRING


def test_each_rule_is_a_short_name_with_a_line() -> None:
    for rule, line in RULES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule)
        assert line
        assert "\n" not in line
    assert set(RULES) >= LIMITS


def test_every_rule_that_the_code_names_is_explained_and_used(root: Path) -> None:
    ours = [root / "mmsproxy" / "wire" / f"{name}.py" for name in ("forms", "reader", "writer", "mms_pdu")]
    named: set[str] = set()
    for path in [*(root / "mmsproxy" / "wsp").glob("*.py"), root / "mmsproxy" / "pdu_schema.py", *ours]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("fault", "note", "_flaw"):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    assert first.value in RULES, (path, first.value)
    assert set(RULES) <= named


def test_strict_refuses_and_lenient_writes_down() -> None:
    strict, lenient = Strict(), Lenient()
    with pytest.raises(PduError) as caught:
        strict("needless-quote", 7)
    assert (caught.value.rule, caught.value.offset, caught.value.detail) == ("needless-quote", 7, RULES["needless-quote"])
    lenient("needless-quote", 7)
    lenient("long-integer-leading-zero", 9)  # too usual for a word
    for flaws in (strict, lenient):
        flaws.note("header-unknown", 8)
    assert strict.found == [["header-unknown", 8, ""]]
    assert lenient.found == [["needless-quote", 7, ""], ["header-unknown", 8, ""]]


def test_a_fault_may_be_accepted_but_no_broken_limit() -> None:
    lenient = Lenient()
    error = fault("token-octet", 3)
    error.path = "here"
    lenient.accept(error)
    assert lenient.found == [["token-octet", 3, "here"]]
    with pytest.raises(PduError):
        lenient.accept(fault("text-too-long", 3))
    with pytest.raises(PduError):
        Strict().accept(error)


def test_the_default_keeps_no_notes() -> None:
    REFUSE.note("header-unknown", 1)
    assert REFUSE.found == []


def test_parse_leaves_the_rest_and_build_gives_octets() -> None:
    assert TEXT_STRING.parse(b"hi\0rest") == "hi"
    assert UINTVAR.build(300) == b"\x82\x2c"
    assert LONG_INTEGER.parse(memoryview(b"\x01\x05")) == 5


@pytest.mark.parametrize("value", [None, "5", b"5", 1.5, object()])
def test_a_wrong_type_is_the_one_error(value: Any) -> None:
    with pytest.raises(PduError) as caught:
        with_type_checked(LONG_INTEGER.write, value, bytearray())
    assert caught.value.rule == "value-of-wrong-type"
    assert type(value).__name__ in caught.value.detail


def test_limits_are_those_of_the_reference() -> None:
    assert (leaves.MAX_UINTVAR_OCTETS, leaves.MAX_UINTVAR, leaves.MAX_LONG_INTEGER_OCTETS, leaves.MAX_TEXT) == (5, 2**32 - 1, 30, 65536)

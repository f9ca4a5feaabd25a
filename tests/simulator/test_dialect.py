"""The machinery of a dialect: stored parameters, tests, +CMEE, and that each dialect's tables hold together."""

from __future__ import annotations

import re

import pytest

from mmsproxy.simulator.command import handlers
from mmsproxy.simulator.dialect import Dialect
from mmsproxy.simulator.modem import DIALECTS

KINDS = pytest.mark.parametrize("kind", DIALECTS.values(), ids=DIALECTS)


@KINDS
def test_each_parameters_default_is_one_of_its_values(kind: type[Dialect]) -> None:
    for name, param in kind.PARAMS.items():
        defaults = [value.strip('"') for value in param.default.split(",")]
        for value, pattern in zip(defaults, param.values, strict=False):
            assert re.fullmatch(pattern, value), (name, value)


@KINDS
def test_each_test_answer_belongs_to_a_command(kind: type[Dialect]) -> None:
    known = {name for name, _ in handlers(kind)} | set(kind.PARAMS)
    assert set(kind.TESTS) <= known, set(kind.TESTS) - known


@KINDS
async def test_every_parameter_can_be_set_to_what_it_shows(bench, kind: type[Dialect]) -> None:
    dialect = next(name for name, each in DIALECTS.items() if each is kind)
    written = {name for name, form in handlers(kind) if form.value in ("=", "?")}

    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        for name, param in kind.PARAMS.items():
            if name in written:
                continue
            b.dte.ask(f"AT{name}?", f"|{name}: {param.default}||OK|")
            short = ",".join(param.default.split(",")[: len(param.values)])
            b.dte.ask(f"AT{name}={short};{name}?", f"|{name}: {param.default}||OK|")

    await bench(script, dialect=dialect)


@pytest.mark.parametrize(
    ("mode", "answer"), [(0, "|ERROR|"), (1, "|+CME ERROR: 3|"), (2, "|+CME ERROR: operation not allowed|")], ids=["0", "1", "2"]
)
async def test_errors_by_cmee(bench, mode: int, answer: str) -> None:
    def script(b) -> None:
        b.dte.send("ATE0\r")
        b.dte.until("OK\r\n")
        b.dte.ok(f"AT+CMEE={mode}")
        b.dte.ask("AT+CPIN=1234", answer)  # none is wanted
        b.dte.ask("AT+NONSENSE", "|ERROR|")

    await bench(script)

"""Command lines taken apart."""

from __future__ import annotations

import random

import pytest

from mmsproxy.simulator.command import Arg, Call, Kind, Refused, at, handlers, parts


def shown(line: str) -> list[str]:
    return [f"{call.name}{call.kind.value}{[arg.text for arg in call.args]}" for call in parts(line)]


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("", []),
        ("E0", ["E['0']"]),
        ("E", ["E[]"]),
        ("&F", ["&F[]"]),
        ("E0V1", ["E['0']", "V['1']"]),
        ("S3=13S4?", ["S=['3', '13']", "S?['4', '0']"]),
        ("+cipmux=1", ["+CIPMUX=['1']"]),
        ("+CIPMUX?;+CIPMUX=?", ["+CIPMUX?[]", "+CIPMUX=?[]"]),
        ('+CIPSTART=0,"TCP","a;b,c",80', ["+CIPSTART=['0', 'TCP', 'a;b,c', '80']"]),
        ("+CIPSEND=0,", ["+CIPSEND=['0', '']"]),
        ("+CMEE= 1 ; +CSQ", ["+CMEE=['1']", "+CSQ[]"]),
        ("#SD=?;$QCRMCALL=1,1;*PSNWID", ["#SD=?[]", "$QCRMCALL=['1', '1']", "*PSNWID[]"]),
    ],
)
def test_lines(line: str, calls: list[str]) -> None:
    assert shown(line) == calls


@pytest.mark.parametrize("line", ["+", "*", "+CSQ?x", '+X="a', '+X="a"b', '+X=a"b"', "1", "+CSQ;;E", "é"])
def test_what_is_no_command(line: str) -> None:
    with pytest.raises(Refused):
        list(parts(line))


def test_what_stands_before_the_mistake_is_carried_out() -> None:
    calls = parts("+CSQ;?")
    assert next(calls).name == "+CSQ"
    with pytest.raises(Refused):
        next(calls)


def test_random_lines_never_do_anything_else() -> None:
    seeded = random.Random(7)
    for _ in range(3000):
        line = "".join(seeded.choice('+AT=?;",E0&CS *#\x80') for _ in range(seeded.randrange(14)))
        try:
            assert all(isinstance(call, Call) for call in parts(line))
        except Refused:
            continue


def test_arguments_are_checked() -> None:
    call = Call("+X", Kind.SET, (Arg("5"), Arg(""), Arg("", quoted=True), Arg("x"), Arg("-1")))
    assert (call.number(0, 0, 5), call.number(1, 0, 9, 4), call.word(2), call.word(9, "d"), len(call)) == (5, 4, "", "d", 5)
    for index, low, high in ((0, 0, 4), (0, 6, 9), (1, 0, 9), (3, 0, 9), (4, 0, 9), (9, 0, 9)):
        with pytest.raises(Refused):
            call.number(index, low, high)
    with pytest.raises(Refused):
        call.word(1)


def test_the_nearest_class_answers() -> None:
    class General:
        @at("+A", "+A=")
        async def first(self, call: Call) -> None: ...

        @at("+B?")
        async def second(self, call: Call) -> None: ...

    class Special(General):
        @at("+A")
        async def other(self, call: Call) -> None: ...

    table = handlers(Special)
    assert table["+A", Kind.RUN] is Special.other
    assert table["+A", Kind.SET] is General.first
    assert table["+B", Kind.READ] is General.second
